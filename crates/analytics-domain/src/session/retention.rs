//! How long rows are kept.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// For how long requests, events and sessions are kept, and how many rows one step of a clean-up touches.
///
/// The age of a row counts from its recording, not from the time it tells of: an import of last year's logs is not
/// deleted on arrival. For live traffic the two are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RetentionDays", into = "RetentionDays")]
pub struct RetentionPolicy {
    request_days: u32,
    event_days: u32,
    session_days: u32,
    batch: u32,
}

/// Why numbers are not a [`RetentionPolicy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRetentionPolicy {
    /// Something is kept for no day at all.
    #[error("rows must be kept for at least one day")]
    NoDay,
    /// Something is kept for longer than 36,500 days.
    #[error("rows may be kept for at most 36,500 days")]
    TooLong,
    /// A batch has no row, or more than 10,000.
    #[error("a batch has 1 to 10,000 rows, not {0}")]
    Batch(u32),
}

impl RetentionPolicy {
    /// The policy that keeps events and sessions for these days, rows of requests for 30, and works in batches of this
    /// many rows.
    ///
    /// # Errors
    /// [`InvalidRetentionPolicy`]: `NoDay` for 0 days, `TooLong` for more than 36,500, `Batch` outside 1 to 10,000.
    pub const fn new(event_days: u32, session_days: u32, batch: u32) -> Result<Self, InvalidRetentionPolicy> {
        if event_days == 0 || session_days == 0 {
            Err(InvalidRetentionPolicy::NoDay)
        } else if event_days > MOST_DAYS || session_days > MOST_DAYS {
            Err(InvalidRetentionPolicy::TooLong)
        } else if batch == 0 || batch > MOST_ROWS {
            Err(InvalidRetentionPolicy::Batch(batch))
        } else {
            Ok(Self { request_days: REQUEST_DAYS, event_days, session_days, batch })
        }
    }

    /// The policy that keeps rows of requests for this many days.
    ///
    /// # Errors
    /// [`InvalidRetentionPolicy`]: `NoDay` for 0 days, `TooLong` for more than 36,500.
    pub const fn with_request_days(self, request_days: u32) -> Result<Self, InvalidRetentionPolicy> {
        if request_days == 0 {
            Err(InvalidRetentionPolicy::NoDay)
        } else if request_days > MOST_DAYS {
            Err(InvalidRetentionPolicy::TooLong)
        } else {
            Ok(Self { request_days, ..self })
        }
    }

    /// Rows of requests recorded before this are past their retention at `now`. Default: 30 days before, since they are
    /// many and tell the most of a person; the totals of their sessions stay. `None` as in
    /// [`RetentionPolicy::events_before`].
    pub fn requests_before(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        now.checked_sub_signed(TimeDelta::days(i64::from(self.request_days)))
    }

    /// Events recorded before this are past their retention at `now`. Default: 90 days before. `None` when that is
    /// before all that a calendar holds, which deletes nothing.
    pub fn events_before(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        now.checked_sub_signed(TimeDelta::days(i64::from(self.event_days)))
    }

    /// Sessions recorded before this are past their retention at `now`. Default: 400 days before, so that a year can
    /// be compared with the one before it for a month. `None` as in [`RetentionPolicy::events_before`].
    pub fn sessions_before(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        now.checked_sub_signed(TimeDelta::days(i64::from(self.session_days)))
    }

    /// How many rows one step touches, 1 to 10,000. Default: 500, which holds locks for milliseconds.
    pub const fn batch(&self) -> u32 {
        self.batch
    }
}

impl Default for RetentionPolicy {
    fn default() -> Self {
        Self { request_days: REQUEST_DAYS, event_days: 90, session_days: 400, batch: 500 }
    }
}

/// How a policy is written in configuration.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RetentionDays {
    request_days: u32,
    event_days: u32,
    session_days: u32,
    batch: u32,
}

impl Default for RetentionDays {
    fn default() -> Self {
        RetentionPolicy::default().into()
    }
}

impl From<RetentionPolicy> for RetentionDays {
    fn from(policy: RetentionPolicy) -> Self {
        Self {
            request_days: policy.request_days,
            event_days: policy.event_days,
            session_days: policy.session_days,
            batch: policy.batch,
        }
    }
}

impl TryFrom<RetentionDays> for RetentionPolicy {
    type Error = InvalidRetentionPolicy;

    fn try_from(written: RetentionDays) -> Result<Self, InvalidRetentionPolicy> {
        Self::new(written.event_days, written.session_days, written.batch)?
            .with_request_days(written.request_days)
    }
}

const REQUEST_DAYS: u32 = 30;
const MOST_DAYS: u32 = 36_500;
const MOST_ROWS: u32 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_accepted_and_survives_configuration() {
        let default = RetentionPolicy::default();
        assert_eq!(RetentionPolicy::new(90, 400, 500), Ok(default));
        let text = serde_json::to_string(&default).unwrap();
        assert_eq!(serde_json::from_str::<RetentionPolicy>(&text).unwrap(), default);
        assert!(serde_json::from_str::<RetentionPolicy>(r#"{"batch":0}"#).is_err());
        assert!(serde_json::from_str::<RetentionPolicy>(r#"{"request_days":0}"#).is_err());
    }

    #[test]
    fn numbers_outside_their_range_are_refused() {
        assert_eq!(RetentionPolicy::new(0, 1, 1), Err(InvalidRetentionPolicy::NoDay));
        assert_eq!(RetentionPolicy::new(1, 36_501, 1), Err(InvalidRetentionPolicy::TooLong));
        let with_request_days = |days| RetentionPolicy::default().with_request_days(days);
        assert_eq!(with_request_days(0), Err(InvalidRetentionPolicy::NoDay));
        assert_eq!(with_request_days(36_501), Err(InvalidRetentionPolicy::TooLong));
        assert_eq!(with_request_days(30), Ok(RetentionPolicy::default()));
        assert_eq!(RetentionPolicy::new(1, 1, 0), Err(InvalidRetentionPolicy::Batch(0)));
        assert_eq!(RetentionPolicy::new(1, 1, 10_001), Err(InvalidRetentionPolicy::Batch(10_001)));
    }

    #[test]
    fn requests_go_after_30_days_events_after_90_and_sessions_after_400() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let policy = RetentionPolicy::default();
        assert_eq!(policy.requests_before(now), Some(now - TimeDelta::days(30)));
        assert_eq!(policy.events_before(now), Some(now - TimeDelta::days(90)));
        assert_eq!(policy.sessions_before(now), Some(now - TimeDelta::days(400)));
        assert_eq!(policy.events_before(DateTime::<Utc>::MIN_UTC), None);
    }
}
