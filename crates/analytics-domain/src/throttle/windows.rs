//! Counts of the last minute and the last five minutes, in buckets, without a list of events.

use serde::{Deserialize, Serialize};

/// Requests and refusals of the last minute in six buckets of 10 s; responses and client errors of the last five
/// minutes in five buckets of a minute.
///
/// A count covers the whole buckets before the current one and the current one so far: between 50 and 60 s, and
/// between 4 and 5 min. It never counts what is older. A time before the current bucket counts in the current one.
/// A bucket stops counting at 65,535, one of refusals at 255.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Windows {
    /// Number of the current 10 s bucket since 1970.
    tick: i64,
    requests: [u16; TICKS],
    refusals: [u8; TICKS],
    responses: [u16; MINUTES],
    errors: [u16; MINUTES],
}

impl Windows {
    /// Moves to the bucket of `now_us`, forgetting what has become too old.
    #[inline]
    pub(crate) fn advance(&mut self, now_us: i64) {
        let tick = now_us.div_euclid(TICK_US);
        if tick > self.tick {
            self.roll(tick);
        }
    }

    fn roll(&mut self, tick: i64) {
        for gone in fresh(self.tick, tick, TICKS) {
            self.requests[gone] = 0;
            self.refusals[gone] = 0;
        }
        for gone in fresh(minute(self.tick), minute(tick), MINUTES) {
            self.responses[gone] = 0;
            self.errors[gone] = 0;
        }
        self.tick = tick;
    }

    pub(crate) fn count_request(&mut self) {
        bump(&mut self.requests, self.tick);
    }

    pub(crate) fn count_refusal(&mut self) {
        let bucket = &mut self.refusals[self.tick.rem_euclid(TICKS as i64) as usize];
        *bucket = bucket.saturating_add(1);
    }

    pub(crate) fn count_response(&mut self, client_error: bool) {
        bump(&mut self.responses, minute(self.tick));
        if client_error {
            bump(&mut self.errors, minute(self.tick));
        }
    }

    /// Forgets all counts: what comes from now on is new evidence.
    pub(crate) fn clear(&mut self) {
        *self = Self { tick: self.tick, ..Self::default() };
    }

    /// Whether there is neither a refusal nor a client error.
    #[inline]
    pub(crate) fn has_no_fault(&self) -> bool {
        self.refusals == [0; TICKS] && self.errors == [0; MINUTES]
    }

    pub(crate) fn requests(&self) -> u32 {
        sum(&self.requests)
    }

    pub(crate) fn refusals(&self) -> u32 {
        self.refusals.iter().map(|&count| u32::from(count)).sum()
    }

    pub(crate) fn responses(&self) -> u32 {
        sum(&self.responses)
    }

    pub(crate) fn errors(&self) -> u32 {
        sum(&self.errors)
    }
}

impl Default for Windows {
    fn default() -> Self {
        Self {
            // Before every bucket of an instant that chrono can say.
            tick: i64::MIN / TICK_US,
            requests: [0; TICKS],
            refusals: [0; TICKS],
            responses: [0; MINUTES],
            errors: [0; MINUTES],
        }
    }
}

/// Slots of the buckets that begin after `from`, up to `to`, each at most once.
pub(crate) fn fresh(from: i64, to: i64, slots: usize) -> impl Iterator<Item = usize> {
    let count = to.saturating_sub(from).clamp(0, slots as i64);
    (0..count).map(move |back| (to - back).rem_euclid(slots as i64) as usize)
}

fn bump<const N: usize>(buckets: &mut [u16; N], index: i64) {
    let bucket = &mut buckets[index.rem_euclid(N as i64) as usize];
    *bucket = bucket.saturating_add(1);
}

fn sum(buckets: &[u16]) -> u32 {
    buckets.iter().map(|&count| u32::from(count)).sum()
}

fn minute(tick: i64) -> i64 {
    tick.div_euclid(TICKS as i64)
}

const TICK_US: i64 = 10_000_000;
const TICKS: usize = 6;
const MINUTES: usize = 5;

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn counts_equal_those_of_a_list_of_all_events(
            start in -1_000i64..1_000,
            events in prop::collection::vec((0i64..40_000, 0u8..4), 0..200),
        ) {
            let mut windows = Windows::default();
            let mut list: Vec<(i64, u8)> = Vec::new();
            let mut now = start * 1_000_000;
            for (gap_ms, kind) in events {
                now += gap_ms * 1_000;
                windows.advance(now);
                match kind {
                    0 => windows.count_request(),
                    1 => windows.count_refusal(),
                    2 => windows.count_response(false),
                    _ => windows.count_response(true),
                }
                list.push((now, kind));
                let count = |bucket_us: i64, buckets: i64, wanted: &[u8]| {
                    let first = now.div_euclid(bucket_us) - buckets + 1;
                    list.iter()
                        .filter(|(at, kind)| at.div_euclid(bucket_us) >= first && wanted.contains(kind))
                        .count() as u32
                };
                prop_assert_eq!(windows.requests(), count(10_000_000, 6, &[0]));
                prop_assert_eq!(windows.refusals(), count(10_000_000, 6, &[1]));
                prop_assert_eq!(windows.responses(), count(60_000_000, 5, &[2, 3]));
                prop_assert_eq!(windows.errors(), count(60_000_000, 5, &[3]));
            }
        }

        #[test]
        fn the_last_minute_is_never_less_than_50_nor_more_than_60_seconds(
            gaps in prop::collection::vec(0i64..20_000_000, 1..100),
        ) {
            let mut windows = Windows::default();
            let mut times = Vec::new();
            let mut now = 0;
            for gap in gaps {
                now += gap;
                windows.advance(now);
                windows.count_refusal();
                times.push(now);
                let within = |us: i64| times.iter().filter(|&&at| now - at < us).count() as u32;
                prop_assert!(within(50_000_000) <= windows.refusals());
                prop_assert!(windows.refusals() <= within(60_000_000));
            }
        }

        #[test]
        fn no_instant_panics(times in prop::collection::vec(any::<i64>(), 0..20)) {
            let mut windows = Windows::default();
            for at in times {
                windows.advance(at);
                windows.count_request();
                prop_assert!(windows.requests() >= 1);
            }
        }
    }
}
