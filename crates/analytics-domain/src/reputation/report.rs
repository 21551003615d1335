//! What is stored and shown of a fingerprint's reputation.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{FlagSet, ReputationPolicy, ReputationState};
use crate::ids::FingerprintHash;
use crate::throttle::Mode;

/// The reputation of one fingerprint at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FingerprintReputation {
    /// Whose.
    pub hash: FingerprintHash,
    /// 0 (bad) to 100; 50 is that of a stranger.
    pub score: f64,
    /// The flags that are up.
    pub flags: FlagSet,
    /// Incidents of the last 24 h that no ban has answered, at most 3.
    pub recent_incidents: u8,
    /// Incidents ever, up to 255.
    pub incidents: u8,
    /// Charged requests of the last hour.
    pub requests_last_hour: u32,
    /// Sessions of the last day.
    pub sessions_last_day: u32,
    /// When it was first seen, to the minute.
    pub first_seen: DateTime<Utc>,
    /// When it was last seen, to the minute.
    pub last_seen: DateTime<Utc>,
    /// End of the ban that runs.
    pub banned_until: Option<DateTime<Utc>>,
    /// The ban that runs is only listed and binds nobody.
    pub would_ban: bool,
}

impl ReputationState {
    /// The reputation at `now`; `None` for a fingerprint that was never seen.
    pub fn report(
        &self,
        policy: &ReputationPolicy,
        hash: FingerprintHash,
        now: DateTime<Utc>,
    ) -> Option<FingerprintReputation> {
        let banned_until = self.banned_until(now);
        Some(FingerprintReputation {
            hash,
            score: self.score(policy, now),
            flags: self.flags(policy, now),
            recent_incidents: self.recent_incidents(now),
            incidents: self.incidents(),
            requests_last_hour: self.requests_last_hour(),
            sessions_last_day: self.sessions_last_day(),
            first_seen: self.first_seen()?,
            last_seen: self.last_seen()?,
            banned_until,
            would_ban: banned_until.is_some() && policy.ban().mode() != Mode::Enforce,
        })
    }
}

impl FingerprintReputation {
    /// Whether it is flagged, or its score is low, or it had several incidents in 24 h.
    pub fn is_high_risk(&self, policy: &ReputationPolicy) -> bool {
        let rules = policy.settings();
        !self.flags.is_empty()
            || self.score < f64::from(rules.high_risk_score)
            || self.recent_incidents >= rules.high_risk_incidents
    }
}
