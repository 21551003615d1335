//! What time it is.

use chrono::{DateTime, TimeDelta, Utc};

/// Tells the time.
///
/// Not async: a reading is never waited for. Services read it once a use case and hand the time on as `now`.
pub trait Clock: Send + Sync {
    /// The time now, in whole microseconds, and never before one that this clock told already, whoever asked. A test that
    /// sets its mock back breaks that on purpose.
    fn now(&self) -> DateTime<Utc>;
}

/// The time without its parts below a microsecond: never later than the time, and less than a microsecond earlier.
///
/// For those who implement a [`Clock`].
pub fn whole_micros(at: DateTime<Utc>) -> DateTime<Utc> {
    at - TimeDelta::nanoseconds(i64::from(at.timestamp_subsec_nanos() % 1_000))
}

#[cfg(feature = "mock")]
pub use mock::MockClock;

#[cfg(feature = "mock")]
mod mock {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::{Clock, DateTime, TimeDelta, Utc};

    /// A clock that stands still until a test moves it.
    ///
    /// ```
    /// use analytics_ports::{Clock, MockClock};
    /// use chrono::{DateTime, TimeDelta};
    ///
    /// let clock = MockClock::at(DateTime::from_timestamp_millis(1_500).unwrap());
    /// clock.advance(TimeDelta::microseconds(2_250_001));
    /// assert_eq!(clock.now(), DateTime::from_timestamp_micros(3_750_001).unwrap());
    /// ```
    #[derive(Debug)]
    pub struct MockClock {
        micros: AtomicI64,
    }

    impl MockClock {
        /// A clock that shows this time, without its parts below a microsecond.
        pub const fn at(now: DateTime<Utc>) -> Self {
            Self { micros: AtomicI64::new(now.timestamp_micros()) }
        }

        /// Shows this time from now on, without its parts below a microsecond. It may be an earlier one.
        pub fn set(&self, now: DateTime<Utc>) {
            self.micros.store(now.timestamp_micros(), Ordering::SeqCst);
        }

        /// Moves the time by this much, to the microsecond; back when it is negative.
        ///
        /// # Panics
        /// When the time would leave what a calendar holds, which is a fault of the test.
        pub fn advance(&self, by: TimeDelta) {
            let by = by.num_microseconds().expect("a test moves time by less than 292,000 years");
            self.micros.fetch_add(by, Ordering::SeqCst);
        }
    }

    impl Clock for MockClock {
        fn now(&self) -> DateTime<Utc> {
            let micros = self.micros.load(Ordering::SeqCst);
            DateTime::from_timestamp_micros(micros).expect("a test stays within the calendar")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_below_a_microsecond_are_dropped_towards_the_past() {
        let cut = |seconds, nanos| whole_micros(DateTime::from_timestamp(seconds, nanos).unwrap());
        assert_eq!(cut(5, 1_999), DateTime::from_timestamp(5, 1_000).unwrap());
        assert_eq!(cut(5, 1_000), DateTime::from_timestamp(5, 1_000).unwrap());
        assert_eq!(cut(-5, 999_999_999), DateTime::from_timestamp(-5, 999_999_000).unwrap());
        // Nanoseconds since 1970 in 64 bits end in 1677 and 2262; the cut does not.
        assert_eq!(cut(-30_000_000_000, 7), DateTime::from_timestamp(-30_000_000_000, 0).unwrap());
        assert_eq!(cut(32_503_680_000, 1_007), DateTime::from_timestamp(32_503_680_000, 1_000).unwrap());
    }

    #[cfg(feature = "mock")]
    #[test]
    fn a_mock_clock_keeps_the_parts_below_a_second_when_it_is_advanced() {
        let clock = MockClock::at(DateTime::from_timestamp(10, 123_456_789).unwrap());
        assert_eq!(clock.now(), DateTime::from_timestamp(10, 123_456_000).unwrap());
        clock.advance(TimeDelta::milliseconds(1_900) + TimeDelta::microseconds(7));
        assert_eq!(clock.now(), DateTime::from_timestamp(12, 23_463_000).unwrap());
        clock.advance(TimeDelta::microseconds(-23_464));
        assert_eq!(clock.now(), DateTime::from_timestamp(11, 999_999_000).unwrap());
        clock.set(DateTime::from_timestamp(1, 0).unwrap());
        assert_eq!(clock.now(), DateTime::from_timestamp(1, 0).unwrap());
    }
}
