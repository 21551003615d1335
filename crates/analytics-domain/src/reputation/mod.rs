//! What is remembered of a fingerprint or network over days: score, flags, incidents, bans.
//!
//! [`observe_charged`], [`observe_session_start`] and [`observe_engagement`] move the [`ReputationState`] of one
//! fingerprint; [`observe_network`] that of its network. [`ReputationState::report`] makes of it what is stored and
//! shown, [`FingerprintReputation`]. A ban follows from three incidents of which one was hostile; volume alone never bans, and
//! [`protection`] says who is never banned.
//!
//! What it does not do: decide about a request (`throttle`, which takes the end of a ban as a fact), judge a session
//! (`detector`), or keep and export bans (the ban repository and the services).
//!
//! ```
//! use analytics_domain::reputation::{ChargedFacts, FlagReason, ReputationPolicy, ReputationState, observe_charged};
//! use chrono::DateTime;
//!
//! let policy = ReputationPolicy::default();
//! let mut state = ReputationState::default();
//! let now = DateTime::UNIX_EPOCH;
//! for _ in 0..100 {
//!     assert!(observe_charged(&policy, &mut state, ChargedFacts::default(), now).raised.is_empty());
//! }
//! let change = observe_charged(&policy, &mut state, ChargedFacts::default(), now);
//! assert_eq!(change.raised.iter().collect::<Vec<_>>(), [FlagReason::HighRequestCount]);
//! assert_eq!(change.ban, None);
//! ```

mod ban;
mod clearance;
mod flag;
mod network;
mod policy;
mod report;
mod state;
mod time;

#[cfg(test)]
mod tests;

pub use ban::{Ban, BanReason, BanSubject, BanTerm, Protection, protection};
pub use clearance::{HumanClearance, clear_as_human};
pub use flag::{FlagReason, FlagSet};
pub use network::{NetworkFacts, NetworkReputation, observe_network};
pub use policy::{BanPolicy, BanSettings, ReputationPolicy, ReputationSettings};
pub use report::FingerprintReputation;
pub use state::{
    ChargedFacts, ReputationChange, ReputationState, observe_charged, observe_engagement,
    observe_session_start,
};

pub(crate) use network::observe_network_at;
pub(crate) use state::observe_charged_at;
