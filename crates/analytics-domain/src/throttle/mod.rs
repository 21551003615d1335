//! Slowing abuse before it hurts: levels, escalation, rate limits.
//!
//! [`step`] takes one request of one fingerprint and says whether to admit it. It holds a rate limit ([`Gcra`]), a
//! level that divides the limit ([`ThrottleLevel`]), the evidence that raises the level ([`EscalationCriteria`]) and
//! the cooldowns that lower it. [`step_within`] does the same under the ceilings of the client's network.
//! [`fields`] writes what the client is told.
//!
//! What it does not do: find the fingerprint or the network of a request (`identity`), judge whether a session is
//! automated (`detector`), remember over days and ban (`reputation`), or exempt paths and users (the caller does not
//! ask for a request that is exempt).
//!
//! ```
//! use analytics_domain::throttle::{Mode, ThrottlePolicy, ThrottleRequest, ThrottleSettings, ThrottleState, step};
//! use chrono::DateTime;
//!
//! # fn main() -> Result<(), analytics_domain::throttle::InvalidPolicy> {
//! let policy = ThrottlePolicy::new(ThrottleSettings { mode: Mode::Enforce, ..ThrottleSettings::default() })?;
//! let mut client = ThrottleState::default();
//! let now = DateTime::UNIX_EPOCH;
//! for _ in 0..20 {
//!     assert!(step(&policy, &mut client, ThrottleRequest::charged(), now).is_admitted());
//! }
//! let refused = step(&policy, &mut client, ThrottleRequest::charged(), now);
//! assert_eq!(refused.retry_at(), Some(now + chrono::TimeDelta::seconds(1)));
//! # Ok(()) }
//! ```

mod ceiling;
mod escalation;
pub mod fields;
mod gcra;
mod level;
mod policy;
mod quota;
mod state;
mod step;
mod windows;

#[cfg(test)]
mod tests;

pub use ceiling::{Ceiling, CeilingKind, CeilingState, step_within};
pub use escalation::{
    EscalationCriteria, EscalationPolicy, EscalationSettings, LevelChange, LevelReason, determine_level,
};
pub use gcra::{Admission, Gcra};
pub use level::{ThrottleLevel, UnknownThrottleLevel};
pub use policy::{InvalidPolicy, Mode, QuotaKind, ThrottlePolicy, ThrottleSettings};
pub use quota::{LevelShares, Quota, QuotaPolicy, QuotaSettings};
pub use state::ThrottleState;
pub use step::{
    Allowance, Decision, Evidence, Refusal, RefusalReason, ThrottleDecision, ThrottleRequest, observe_status,
    step,
};

pub(crate) use ceiling::step_within_at;
pub(crate) use policy::span;
pub(crate) use step::observe_status_at;
pub(crate) use windows::fresh;

use chrono::{DateTime, Utc};

/// Microseconds since 1970, rounded down; the unit of all times inside the hot states.
pub(crate) fn micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

/// The instant this many microseconds after 1970; the last instant chrono knows where that is past it.
pub(crate) fn instant(us: i64) -> DateTime<Utc> {
    let edge = if us < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
    DateTime::from_timestamp_micros(us).unwrap_or(edge)
}
