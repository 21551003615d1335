//! Use cases, access-log replay, the traffic simulator and the `analytics` command.

pub mod ingest;
pub mod replay;
pub mod services;
pub mod simulate;
