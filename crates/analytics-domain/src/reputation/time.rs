//! Minutes in four bytes: fine enough for hours and days.

use core::num::NonZeroU32;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A minute since 1970 with one bit beside it; earlier instants count as the first minute. Good to the year 6053.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Mark(NonZeroU32);

impl Mark {
    pub(crate) fn new(minute: i64, bit: bool) -> Self {
        let minute = minute.clamp(0, LAST_MINUTE) as u32;
        Self(NonZeroU32::MIN.saturating_add((minute << 1) | u32::from(bit)))
    }

    pub(crate) const fn minute(self) -> i64 {
        ((self.0.get() - 1) >> 1) as i64
    }

    pub(crate) const fn bit(self) -> bool {
        (self.0.get() - 1) & 1 == 1
    }

    /// Whether it lies within the `minutes` before `minute`; marks after it count as within.
    pub(crate) const fn is_within(self, minutes: i64, minute: i64) -> bool {
        minute.saturating_sub(self.minute()) < minutes
    }

    pub(crate) fn instant(self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.minute() * 60, 0)
            .expect("the last minute of a mark is in the year 6053")
    }
}

pub(crate) const fn minute_of(us: i64) -> i64 {
    us.div_euclid(60_000_000)
}

const LAST_MINUTE: i64 = (1 << 31) - 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_and_bits_read_back_up_to_the_last() {
        for minute in [0, 1, 29_000_000, LAST_MINUTE] {
            for bit in [false, true] {
                let mark = Mark::new(minute, bit);
                assert_eq!((mark.minute(), mark.bit()), (minute, bit));
                assert_eq!(mark.instant().timestamp(), minute * 60);
            }
        }
        assert_eq!(Mark::new(-5, false).minute(), 0);
        assert_eq!(Mark::new(i64::MAX, false).minute(), LAST_MINUTE);
    }
}
