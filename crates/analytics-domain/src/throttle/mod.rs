//! Slowing abuse before it hurts: levels, escalation, rate limits.

mod level;

pub use level::{ThrottleLevel, UnknownThrottleLevel};
