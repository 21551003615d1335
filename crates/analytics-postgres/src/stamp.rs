//! Times between Rust and PostgreSQL.

use chrono::{DateTime, Utc};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgTypeInfo, PgValueRef};
use sqlx::{Decode, Postgres, Type};

/// A `timestamptz` as it is kept, which may be one that no calendar holds: `infinity` and what is past chrono's years.
///
/// Reading one straight as a `DateTime` would end the program at such a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Microseconds since 2000.
    micros: i64,
}

/// A time that is kept is past the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the time is infinite or past the calendar")]
pub(crate) struct PastTheCalendar;

impl Stamp {
    /// The time.
    pub(crate) fn time(self) -> Result<DateTime<Utc>, PastTheCalendar> {
        let micros = self.micros.checked_add(EPOCH_2000).filter(|_| self.micros != i64::MIN);
        micros.and_then(DateTime::from_timestamp_micros).ok_or(PastTheCalendar)
    }

    /// The time, or the nearest that the calendar holds: the place of a row in a list, where order is all that counts.
    pub(crate) fn nearest(self) -> DateTime<Utc> {
        let edge = if self.micros < 0 { EARLIEST } else { DateTime::<Utc>::MAX_UTC };
        self.time().unwrap_or(edge)
    }
}

/// The time, or the earliest that a `timestamptz` can say: a bound of a query stands as well there, since nothing kept
/// is earlier.
pub(crate) fn bound(at: DateTime<Utc>) -> DateTime<Utc> {
    at.max(EARLIEST)
}

impl Type<Postgres> for Stamp {
    fn type_info() -> PgTypeInfo {
        <DateTime<Utc> as Type<Postgres>>::type_info()
    }
}

impl<'r> Decode<'r, Postgres> for Stamp {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        // Statements here are always prepared, and then values come as 64 bits.
        Ok(Self { micros: i64::from_be_bytes(value.as_bytes()?.try_into()?) })
    }
}

/// 2000-01-01, in microseconds since 1970.
const EPOCH_2000: i64 = 946_684_800_000_000;
/// 4713-11-24 before our era, in seconds since 1970, where PostgreSQL's calendar begins.
const EARLIEST: DateTime<Utc> =
    DateTime::from_timestamp(-210_866_803_200, 0).expect("the day is within chrono's years");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_calendar_holds_is_told_and_has_a_nearest_time() {
        let stamp = |micros| Stamp { micros };
        assert_eq!(stamp(-EPOCH_2000).time(), Ok(DateTime::UNIX_EPOCH));
        for infinite in [i64::MIN, i64::MAX, i64::MAX - EPOCH_2000] {
            assert_eq!(stamp(infinite).time(), Err(PastTheCalendar));
        }
        assert_eq!(stamp(i64::MIN).nearest(), EARLIEST);
        assert_eq!(stamp(i64::MAX).nearest(), DateTime::<Utc>::MAX_UTC);
    }

    #[test]
    fn a_bound_is_never_before_the_calendar_of_the_database() {
        assert_eq!(bound(DateTime::<Utc>::MIN_UTC), EARLIEST);
        assert_eq!(bound(DateTime::UNIX_EPOCH), DateTime::UNIX_EPOCH);
        assert_eq!(EARLIEST.to_string(), "-4713-11-24 00:00:00 UTC");
    }
}
