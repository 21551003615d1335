//! A person says that a session is a person: what was held against it goes, and that is written down.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{FlagSet, ReputationPolicy, ReputationState};
use crate::throttle::{LevelChange, ThrottleState};

/// Clears level, flags and ban of a fingerprint; what they were, for the audit.
///
/// Whoever calls adds who said so and of which session, stores that, and removes the ban's row.
pub fn clear_as_human(
    policy: &ReputationPolicy,
    throttle: &mut ThrottleState,
    reputation: &mut ReputationState,
    now: DateTime<Utc>,
) -> HumanClearance {
    let cleared = HumanClearance {
        at: now,
        level: throttle.clear(now),
        flags: reputation.flags(policy, now),
        banned_until: reputation.banned_until(now),
        score: reputation.score(policy, now),
    };
    reputation.clear(policy, now);
    cleared
}

/// What a label "human" cleared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HumanClearance {
    /// When.
    pub at: DateTime<Utc>,
    /// The change of level, if it was not Normal.
    pub level: Option<LevelChange>,
    /// The flags that were up.
    pub flags: FlagSet,
    /// The end that the ban would have had.
    pub banned_until: Option<DateTime<Utc>>,
    /// The score before, 0 to 100.
    pub score: f64,
}
