//! The bounded, embedded adapters: the default store and the store of tests.
//!
//! Each repository holds at most as many entries as it was given room for. When a part of it is full, the entry that
//! is least missed leaves, by a rule that each repository states and that depends on nothing but what was stored; a
//! counter says how many left. Nothing is written anywhere: what is in memory ends with the process.
//!
//! A repository is split into shards by key, each under a lock of its own, so that callers on different keys do
//! not wait for each other. A step on one key is atomic. A list over many keys visits shard after shard: a row
//! that is there during the whole call is in it, one that comes or goes meanwhile may be or not.
//!
//! What is not here: rules about sessions, events or fingerprints (`analytics-domain`), and what the methods promise
//! (`analytics-ports`, whose contract this crate passes whole).

pub mod stats;
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
pub mod erasure;
pub mod report;
pub mod leader;
pub mod partition;
mod journal;
mod bounded;
mod shards;

pub use anomaly::{InMemoryAnomalies, InMemoryThresholds};
pub use audit::InMemoryAudit;
pub use ban::InMemoryBans;
pub use engagement::InMemoryEngagement;
pub use erasure::InMemoryErasure;
pub use event::InMemoryEvents;
pub use features::InMemoryMlFeatures;
pub use fingerprint::InMemoryFingerprints;
pub use label::InMemoryLabels;
pub use leader::InMemoryLeaders;
pub use partition::NoPartitions;
pub use report::InMemoryReports;
pub use request::InMemoryRequests;
pub use session::InMemorySessions;
pub use stats::{Capacity, InvalidCapacity, StoreStats};
pub use usage::InMemoryUsage;
