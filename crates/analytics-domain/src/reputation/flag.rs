//! Why a fingerprint is flagged.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Why a fingerprint is flagged. Each reason is an incident at most once an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlagReason {
    /// More charged requests in an hour than the policy allows.
    HighRequestCount,
    /// More charged requests a minute than the policy allows, in every minute of an hour. It contains
    /// [`FlagReason::HighRequestCount`], so the two are one incident.
    SustainedVelocity,
    /// More sessions in 24 h than the policy allows.
    ExcessiveSessions,
    /// The score fell below the policy's limit.
    LowScore,
    /// A session was judged hostile. The only reason without which nobody is banned.
    HostileBehaviour,
    /// A person flagged it; stays until it is cleared.
    Manual,
}

/// A set of [`FlagReason`]s, in one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct FlagSet(u8);

impl FlagReason {
    /// All reasons, in order.
    pub const ALL: [Self; 6] = [
        Self::HighRequestCount,
        Self::SustainedVelocity,
        Self::ExcessiveSessions,
        Self::LowScore,
        Self::HostileBehaviour,
        Self::Manual,
    ];

    /// The name on the wire and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HighRequestCount => "high_request_count",
            Self::SustainedVelocity => "sustained_velocity",
            Self::ExcessiveSessions => "excessive_sessions",
            Self::LowScore => "low_score",
            Self::HostileBehaviour => "hostile_behaviour",
            Self::Manual => "manual",
        }
    }
}

impl FlagSet {
    /// Adds a reason.
    pub fn insert(&mut self, reason: FlagReason) {
        self.0 |= bit(reason);
    }

    /// Whether the reason is in the set.
    pub const fn contains(self, reason: FlagReason) -> bool {
        self.0 & bit(reason) != 0
    }

    /// Whether there is no reason.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The reasons, in their order.
    pub fn iter(self) -> impl Iterator<Item = FlagReason> {
        FlagReason::ALL.into_iter().filter(move |&reason| self.contains(reason))
    }
}

impl FromIterator<FlagReason> for FlagSet {
    fn from_iter<I: IntoIterator<Item = FlagReason>>(reasons: I) -> Self {
        let mut set = Self::default();
        reasons.into_iter().for_each(|reason| set.insert(reason));
        set
    }
}

impl fmt::Display for FlagSet {
    /// As the names with commas between them; nothing for no flag.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, reason) in self.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { ", " })?;
            f.write_str(reason.as_str())?;
        }
        Ok(())
    }
}

impl Serialize for FlagSet {
    /// As the list of names.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for FlagSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let reasons = alloc::vec::Vec::<FlagReason>::deserialize(deserializer)?;
        Ok(reasons.into_iter().collect())
    }
}

const fn bit(reason: FlagReason) -> u8 {
    1 << reason as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn a_set_is_written_as_the_names_and_reads_back() {
        let set: FlagSet = [FlagReason::Manual, FlagReason::LowScore].into_iter().collect();
        let text = serde_json::to_string(&set).unwrap();
        assert_eq!(text, r#"["low_score","manual"]"#);
        assert_eq!(format!("{set}|{}", FlagSet::default()), "low_score, manual|");
        assert_eq!(serde_json::from_str::<FlagSet>(&text).unwrap(), set);
        assert!(serde_json::from_str::<FlagSet>(r#"["unknown"]"#).is_err());
    }

    #[test]
    fn every_reason_is_written_by_its_name() {
        for reason in FlagReason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
    }
}
