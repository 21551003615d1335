//! Live traffic: one engine for the HTTP service and the tower layer.
//!
//! ```text
//! request -> LiveTraffic::decide -> answer to the client
//!                 |  memory only                        Upkeep, once a second
//!                 +-> rows -> queue -> stores  <-  sessions, bans, reputations that moved
//! ```
//!
//! [`LiveTraffic::decide`] reads a request, steps it through [`TrafficService`](crate::services::TrafficService) and
//! answers without touching a store. What is to be kept goes into the ingest queue: each request as a row when it was
//! answered, each session once it began, moved or ended.
//!
//! What it does not do: speak HTTP, read the clock, or decide by rules of its own.

mod agents;
mod client;
mod cookie;
pub mod keys;
mod policy;
pub mod private;
mod record;
mod seen;
mod session;
pub mod snapshot;
mod tell;
#[cfg(test)]
mod tests;
pub mod tokens;
mod told;
mod traffic;
pub mod verify;

pub use client::ClientSessions;
pub use keys::Keys;
pub use policy::{LivePolicy, PrivacyPolicy};
pub use record::{LiveRecord, LiveSink, SessionProgress};
pub use session::LiveSession;
pub use tell::LEVEL_CHANGED;
pub use tokens::{Scope, Tokens};
pub use told::ToldPage;
pub use traffic::{Answer, Decided, LiveCounters, LiveTraffic, Pending, Unseen, VerifyCrawler};
