//! How long rows are kept.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// For how long rows of each kind are kept, and how many rows one step of a clean-up touches.
///
/// The age of a row counts from its recording, not from the time it tells of: an import of last year's logs is not
/// deleted on arrival. For live traffic the two are the same. Where a store knows one time of a row only, as of audit
/// entries, anomalies and fingerprints, that one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RetentionDays", into = "RetentionDays")]
pub struct RetentionPolicy {
    days: RetentionDays,
}

/// A kind of row that has a retention of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Retained {
    /// Rows of requests. Default: 30 days, since they are many and tell the most of a person; the totals of their
    /// sessions stay.
    Requests,
    /// Events. Default: 90 days.
    Events,
    /// Events of engagement. Default: 90 days, like other events.
    Engagement,
    /// Sessions. Default: 400 days, so that a year can be compared with the one before it for a month.
    Sessions,
    /// Use of AI providers, agents and tools. Default: 400 days, like the sessions that they cost.
    Usage,
    /// Rows of features. Default: 400 days, like their sessions: past the retention of requests they are all that is
    /// left to learn from.
    Features,
    /// Entries of the audit. Default: 400 days, so that what was done a year ago can be asked for.
    Audit,
    /// Anomalies. Default: 400 days, like the sessions that they tell of.
    Anomalies,
    /// What is remembered of a fingerprint that is not seen any more. Default: 30 days, for which its key is kept; no
    /// request has the same fingerprint after that.
    Fingerprints,
}

/// Why numbers are not a [`RetentionPolicy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRetentionPolicy {
    /// Rows of this kind are kept for no day at all.
    #[error("{} must be at least 1", .0.field())]
    NoDay(Retained),
    /// Rows of this kind are kept for longer than 36,500 days.
    #[error("{} must be at most 36500", .0.field())]
    TooLong(Retained),
    /// A batch has no row, or more than 10,000.
    #[error("batch must be 1 to 10000, not {0}")]
    Batch(u32),
}

impl RetentionPolicy {
    /// The policy that keeps events and sessions for these days, the rest for as long as by default, and works in
    /// batches of this many rows.
    ///
    /// # Errors
    /// [`InvalidRetentionPolicy`]: `NoDay` for 0 days, `TooLong` for more than 36,500, `Batch` outside 1 to 10,000.
    pub const fn new(event_days: u32, session_days: u32, batch: u32) -> Result<Self, InvalidRetentionPolicy> {
        Self::of(RetentionDays { event_days, session_days, batch, ..RetentionDays::DEFAULT })
    }

    /// The policy that keeps rows of this kind for this many days.
    ///
    /// # Errors
    /// [`InvalidRetentionPolicy`]: `NoDay` for 0 days, `TooLong` for more than 36,500.
    pub const fn with_days(self, kind: Retained, days: u32) -> Result<Self, InvalidRetentionPolicy> {
        let mut written = self.days;
        match kind {
            Retained::Requests => written.request_days = days,
            Retained::Events => written.event_days = days,
            Retained::Engagement => written.engagement_days = days,
            Retained::Sessions => written.session_days = days,
            Retained::Usage => written.usage_days = days,
            Retained::Features => written.feature_days = days,
            Retained::Audit => written.audit_days = days,
            Retained::Anomalies => written.anomaly_days = days,
            Retained::Fingerprints => written.fingerprint_days = days,
        }
        Self::of(written)
    }

    /// For how many days rows of this kind are kept, 1 to 36,500.
    pub const fn days(&self, kind: Retained) -> u32 {
        self.days.of(kind)
    }

    /// Rows of this kind recorded strictly before this are past their retention at `now`. `None` when that is before all
    /// that a calendar holds, which deletes nothing.
    pub fn before(&self, kind: Retained, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        now.checked_sub_signed(TimeDelta::days(i64::from(self.days(kind))))
    }

    /// How many rows one step touches, 1 to 10,000. Default: 500, which holds locks for milliseconds.
    pub const fn batch(&self) -> u32 {
        self.days.batch
    }

    const fn of(days: RetentionDays) -> Result<Self, InvalidRetentionPolicy> {
        let mut at = 0;
        while at < Retained::ALL.len() {
            match days.of(Retained::ALL[at]) {
                0 => return Err(InvalidRetentionPolicy::NoDay(Retained::ALL[at])),
                1..=MOST_DAYS => at += 1,
                _ => return Err(InvalidRetentionPolicy::TooLong(Retained::ALL[at])),
            }
        }
        if days.batch == 0 || days.batch > MOST_ROWS {
            return Err(InvalidRetentionPolicy::Batch(days.batch));
        }
        Ok(Self { days })
    }
}

impl Default for RetentionPolicy {
    fn default() -> Self {
        Self { days: RetentionDays::DEFAULT }
    }
}

impl Retained {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Requests,
        Self::Events,
        Self::Engagement,
        Self::Sessions,
        Self::Usage,
        Self::Features,
        Self::Audit,
        Self::Anomalies,
        Self::Fingerprints,
    ];

    /// The key under which its days are configured.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Requests => "request_days",
            Self::Events => "event_days",
            Self::Engagement => "engagement_days",
            Self::Sessions => "session_days",
            Self::Usage => "usage_days",
            Self::Features => "feature_days",
            Self::Audit => "audit_days",
            Self::Anomalies => "anomaly_days",
            Self::Fingerprints => "fingerprint_days",
        }
    }
}

/// How a policy is written in configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RetentionDays {
    request_days: u32,
    event_days: u32,
    engagement_days: u32,
    session_days: u32,
    usage_days: u32,
    feature_days: u32,
    audit_days: u32,
    anomaly_days: u32,
    fingerprint_days: u32,
    batch: u32,
}

impl RetentionDays {
    const DEFAULT: Self = Self {
        request_days: 30,
        event_days: 90,
        engagement_days: 90,
        session_days: 400,
        usage_days: 400,
        feature_days: 400,
        audit_days: 400,
        anomaly_days: 400,
        fingerprint_days: 30,
        batch: 500,
    };

    const fn of(&self, kind: Retained) -> u32 {
        match kind {
            Retained::Requests => self.request_days,
            Retained::Events => self.event_days,
            Retained::Engagement => self.engagement_days,
            Retained::Sessions => self.session_days,
            Retained::Usage => self.usage_days,
            Retained::Features => self.feature_days,
            Retained::Audit => self.audit_days,
            Retained::Anomalies => self.anomaly_days,
            Retained::Fingerprints => self.fingerprint_days,
        }
    }
}

impl Default for RetentionDays {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl From<RetentionPolicy> for RetentionDays {
    fn from(policy: RetentionPolicy) -> Self {
        policy.days
    }
}

impl TryFrom<RetentionDays> for RetentionPolicy {
    type Error = InvalidRetentionPolicy;

    fn try_from(written: RetentionDays) -> Result<Self, InvalidRetentionPolicy> {
        Self::of(written)
    }
}

const MOST_DAYS: u32 = 36_500;
const MOST_ROWS: u32 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn the_default_is_accepted_and_survives_configuration() {
        let default = RetentionPolicy::default();
        assert_eq!(RetentionPolicy::new(90, 400, 500), Ok(default));
        let text = serde_json::to_string(&default).unwrap();
        assert_eq!(serde_json::from_str::<RetentionPolicy>(&text).unwrap(), default);
        assert_eq!(serde_json::from_str::<RetentionPolicy>("{}").unwrap(), default);
        for kind in Retained::ALL {
            let text = format!(r#"{{"{}":7}}"#, kind.field());
            let policy: RetentionPolicy = serde_json::from_str(&text).unwrap();
            assert_eq!(Ok(policy), default.with_days(kind, 7));
        }
        for wrong in [r#"{"batch":0}"#, r#"{"request_days":0}"#, r#"{"usage_days":36501}"#, r#"{"days":1}"#] {
            assert!(serde_json::from_str::<RetentionPolicy>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_outside_their_range_are_refused() {
        let default = RetentionPolicy::default();
        assert_eq!(RetentionPolicy::new(0, 1, 1), Err(InvalidRetentionPolicy::NoDay(Retained::Events)));
        assert_eq!(
            RetentionPolicy::new(1, 36_501, 1),
            Err(InvalidRetentionPolicy::TooLong(Retained::Sessions))
        );
        assert_eq!(RetentionPolicy::new(1, 1, 0), Err(InvalidRetentionPolicy::Batch(0)));
        assert_eq!(RetentionPolicy::new(1, 1, 10_001), Err(InvalidRetentionPolicy::Batch(10_001)));
        for kind in Retained::ALL {
            assert_eq!(default.with_days(kind, 0), Err(InvalidRetentionPolicy::NoDay(kind)));
            assert_eq!(default.with_days(kind, 36_501), Err(InvalidRetentionPolicy::TooLong(kind)));
        }
    }

    #[test]
    fn each_kind_has_days_of_its_own() {
        let mut policy = RetentionPolicy::default();
        for (kind, days) in Retained::ALL.into_iter().zip(1..) {
            policy = policy.with_days(kind, days).unwrap();
        }
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        for (kind, days) in Retained::ALL.into_iter().zip(1..) {
            assert_eq!(policy.days(kind), days, "{kind:?}");
            assert_eq!(policy.before(kind, now), Some(now - TimeDelta::days(i64::from(days))), "{kind:?}");
        }
        assert_eq!(policy.batch(), 500);
        assert_eq!(policy.before(Retained::Events, DateTime::<Utc>::MIN_UTC), None);
    }
}
