//! The durable adapters: every repository in PostgreSQL 14 or newer.
//!
//! [`migrate`] brings a database to the newest schema and [`PostgresStore::connect`] opens one that has it; the store
//! hands out a repository for each port. The SQL stands beside the method that runs it and is checked against the
//! schema when the crate is built, by way of the folder `.sqlx`.
//!
//! Every call ends: waiting for a connection, a statement and the whole call each have a deadline. A row that breaks a
//! rule of its type is [`StoreError::Corrupt`](analytics_ports::StoreError::Corrupt) where it is asked for by its key;
//! lists leave it out, log it and count it ([`PostgresStore::corrupt_rows`]), so that the other rows are still served.
//!
//! What is not here: rules (`analytics-domain` decides), what the methods promise (`analytics-ports`, whose contract
//! this crate passes whole), queues and retries (the application's, which knows what may be lost).

pub mod schema;
pub mod store;
pub mod session;
pub mod event;
pub mod request;
pub mod engagement;
pub mod fingerprint;
pub mod ban;
pub mod label;
pub mod features;
pub mod audit;
pub mod anomaly;
pub mod usage;
pub mod report;
pub mod erasure;
pub mod upkeep;
pub mod leader;
mod database;
mod partition;
mod read;
mod session_columns;
mod stamp;
mod write;

pub use anomaly::{PostgresAnomalies, PostgresThresholds};
pub use audit::PostgresAudit;
pub use ban::PostgresBans;
pub use engagement::PostgresEngagement;
pub use erasure::PostgresErasure;
pub use event::PostgresEvents;
pub use features::PostgresFeatures;
pub use fingerprint::PostgresFingerprints;
pub use label::PostgresLabels;
pub use leader::PostgresLeaders;
pub use report::PostgresReports;
pub use request::PostgresRequests;
pub use schema::{MigrateError, Migrated, SchemaMismatch, migrate};
pub use session::PostgresSessions;
pub use store::{OpenError, PostgresOptions, PostgresStore};
pub use upkeep::PostgresUpkeep;
pub use usage::PostgresUsage;
