//! Rules that tell people from automation, say why, and decide about a request.
//!
//! Everything here is a function from data to data: no I/O, no async, no clock, no randomness. The crate is
//! `no_std` (with `alloc`), so the compiler holds that. Whoever calls brings the time as `now`, and chance, where a
//! rule needs it, as a number.
//!
//! What it does not do: read sockets or files, keep data, or know of any store. `analytics-ports` says what the
//! application asks of the outside; the adapters and the application do the rest.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod ids;
pub mod request;
pub mod user_agent;
pub mod identity;
pub mod session;
pub mod event;
pub mod request_row;
pub mod engagement;
pub mod site;
pub mod detector;
pub mod model;
pub mod throttle;
pub mod reputation;
pub mod label;
pub mod features;
pub mod audit;
pub mod usage;
pub mod stats;
pub mod visit;
pub mod anomaly;
#[cfg(any(test, feature = "strategies"))]
pub mod strategies;
