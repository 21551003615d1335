//! A stretch of time.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize};

use crate::session::is_whole_micros;

/// A stretch of time that holds its beginning and not its end, so that neighbours share nothing and miss nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Period {
    from: DateTime<Utc>,
    until: DateTime<Utc>,
}

/// Why two times are not a [`Period`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPeriod {
    /// The end is not after the beginning.
    #[error("a period ends after it begins")]
    Empty,
    /// A time has parts below a microsecond, which stores cannot keep.
    #[error("a period begins and ends at whole microseconds")]
    NotWholeMicroseconds,
}

impl Period {
    /// The period from this time to strictly before that one.
    ///
    /// # Errors
    /// [`InvalidPeriod`]: `Empty` when the end is not after the beginning, `NotWholeMicroseconds` for smaller parts.
    pub fn new(from: DateTime<Utc>, until: DateTime<Utc>) -> Result<Self, InvalidPeriod> {
        if !is_whole_micros(from) || !is_whole_micros(until) {
            Err(InvalidPeriod::NotWholeMicroseconds)
        } else if until <= from {
            Err(InvalidPeriod::Empty)
        } else {
            Ok(Self { from, until })
        }
    }

    /// The period of this length that ends strictly before `until`; `None` when that is not a period of this calendar.
    pub fn ending(until: DateTime<Utc>, length: TimeDelta) -> Option<Self> {
        Self::new(until.checked_sub_signed(length)?, until).ok()
    }

    /// When it begins; this time is in it.
    pub const fn from(&self) -> DateTime<Utc> {
        self.from
    }

    /// When it ends; this time is not in it.
    pub const fn until(&self) -> DateTime<Utc> {
        self.until
    }

    /// How long it is.
    pub fn length(&self) -> TimeDelta {
        self.until.signed_duration_since(self.from)
    }

    /// The period of the same length that ends where this one begins; `None` before the calendar begins.
    pub fn before(&self) -> Option<Self> {
        Self::ending(self.from, self.length())
    }

    /// Whether this time is in it.
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        self.from <= at && at < self.until
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "Period")]
        struct Written {
            from: DateTime<Utc>,
            until: DateTime<Utc>,
        }
        let Written { from, until } = Written::deserialize(deserializer)?;
        Self::new(from, until).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategies::time;
    use proptest::prelude::*;

    #[test]
    fn a_period_holds_its_beginning_and_not_its_end() {
        let period = Period::new(at(10), at(20)).unwrap();
        assert_eq!([9, 10, 19, 20].map(|second| period.contains(at(second))), [false, true, true, false]);
        assert_eq!(Period::new(at(10), at(10)), Err(InvalidPeriod::Empty));
        assert_eq!(Period::new(at(10), at(9)), Err(InvalidPeriod::Empty));
        let nanos = at(20) + TimeDelta::nanoseconds(1);
        assert_eq!(Period::new(at(10), nanos), Err(InvalidPeriod::NotWholeMicroseconds));
        assert!(serde_json::from_str::<Period>(&serde_json::to_string(&period).unwrap()).is_ok());
    }

    #[test]
    fn the_calendar_has_a_first_period() {
        let first = Period::new(DateTime::<Utc>::MIN_UTC, at(0)).unwrap();
        assert_eq!(first.before(), None);
        assert_eq!(Period::ending(at(0), TimeDelta::zero()), None);
    }

    proptest! {
        #[test]
        fn the_period_before_is_as_long_and_meets_this_one(a in time(), b in time(), at in time()) {
            prop_assume!(a < b);
            let period = Period::new(a, b).unwrap();
            if let Some(before) = period.before() {
                prop_assert_eq!((before.length(), before.until()), (period.length(), period.from()));
                prop_assert!(!(before.contains(at) && period.contains(at)));
            }
        }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
    }
}
