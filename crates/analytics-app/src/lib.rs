//! Use cases, access-log replay, the traffic simulator and the `analytics` command.

pub mod services;
pub mod ingest;
pub mod anomaly;
pub mod replay;
pub mod live;
pub mod http;
pub mod analytics;
pub mod export;
pub mod models;
pub mod geo;
pub mod tracker;
pub mod simulate;
pub mod config;
pub mod system;
pub mod wiring;
mod figures;
mod zone;
pub mod cli;

pub use analytics::Analytics;
