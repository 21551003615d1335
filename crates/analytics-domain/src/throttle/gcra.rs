//! The rate limit itself: the generic cell rate algorithm, one number a key.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::quota::{Pace, Quota};
use super::{ThrottleLevel, instant, micros};

/// How far a client has used its quota: the theoretical arrival time of its next request.
///
/// Eight bytes. The default is a client that was quiet for ever and has its whole burst. Unlike a counter of a
/// fixed window it has no boundary at which twice the quota passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Gcra {
    /// Microseconds since 1970. The smallest value is before every instant, hence "quiet".
    tat_us: i64,
}

/// What the rate limit says of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// The request is within the quota, and has been charged.
    Admitted {
        /// Further requests that would be admitted at this same instant.
        remaining: u32,
        /// Time until one more would be admitted; zero while `remaining` is not.
        wait: TimeDelta,
    },
    /// The request is over the quota; nothing was charged.
    Refused {
        /// The first instant at which it would be admitted, to the microsecond, if none is admitted before.
        retry_at: DateTime<Utc>,
    },
    /// The level is Blocked; there is no quota, and no instant to promise.
    Blocked,
}

/// What an admitted request leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) remaining: u32,
    pub(crate) wait_us: i64,
}

impl Gcra {
    /// Charges one request at `now` if the quota of this level allows it.
    ///
    /// With T and τ of the level: TAT′ = max(TAT, now); admitted if TAT′ − now ≤ τ, and then TAT = TAT′ + T. At one
    /// level at most burst + ⌊t ÷ T⌋ are admitted in any closed window of length t. A `now` before an earlier one
    /// is stricter, never laxer.
    pub fn check(&mut self, quota: &Quota, level: ThrottleLevel, now: DateTime<Utc>) -> Admission {
        let Some(pace) = quota.pace(level) else { return Admission::Blocked };
        match self.charge(pace, micros(now)) {
            Ok(left) => {
                Admission::Admitted { remaining: left.remaining, wait: TimeDelta::microseconds(left.wait_us) }
            }
            Err(retry_us) => Admission::Refused { retry_at: instant(retry_us) },
        }
    }

    /// Charges one request, or answers the first instant at which that would succeed.
    pub(crate) fn charge(&mut self, pace: Pace, now_us: i64) -> Result<Left, i64> {
        self.peek(pace, now_us)?;
        self.tat_us = self.tat_us.max(now_us).saturating_add(pace.interval_us);
        Ok(self.left(pace, now_us))
    }

    /// Whether the whole burst is there again.
    pub(crate) const fn is_whole(self, now_us: i64) -> bool {
        self.tat_us <= now_us
    }

    /// What is left at this pace, charging nothing.
    pub(crate) fn left(self, pace: Pace, now_us: i64) -> Left {
        let ahead = self.tat_us.max(now_us).saturating_sub(now_us);
        let room = pace.tolerance_us.saturating_sub(ahead);
        if room < 0 {
            Left { remaining: 0, wait_us: -room }
        } else {
            let more = u32::try_from(room / pace.interval_us).unwrap_or(u32::MAX);
            Left { remaining: more.saturating_add(1), wait_us: 0 }
        }
    }

    /// Whether a request would be admitted, charging nothing; else the first instant at which it would.
    pub(crate) fn peek(self, pace: Pace, now_us: i64) -> Result<(), i64> {
        let ahead = self.tat_us.saturating_sub(now_us);
        if ahead <= pace.tolerance_us { Ok(()) } else { Err(self.tat_us.saturating_sub(pace.tolerance_us)) }
    }
}

impl Default for Gcra {
    fn default() -> Self {
        Self { tat_us: i64::MIN }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::super::{LevelShares, QuotaPolicy};
    use super::*;

    fn pace_of(quota: &Quota, level: ThrottleLevel) -> Pace {
        quota.pace(level).expect("the level is not Blocked")
    }

    fn quotas() -> impl Strategy<Value = Quota> {
        let shares = (1u8..=100).prop_flat_map(|warning| (Just(warning), 1..=warning));
        let limits = (1u32..200, 1i64..120_000_000, 1u32..30);
        (limits, shares).prop_filter_map("more than one a microsecond", |((q, w, b), (warning, severe))| {
            let policy = QuotaPolicy::new(q, TimeDelta::microseconds(w), b).ok()?;
            Quota::new(policy, LevelShares::new(warning, severe).ok()?).ok()
        })
    }

    fn open_levels() -> impl Strategy<Value = ThrottleLevel> {
        prop::sample::select(&ThrottleLevel::ALL[..3])
    }

    /// Gaps of zero, of about one interval, and of long quiet, in units of T / 4.
    fn gaps() -> impl Strategy<Value = Vec<i64>> {
        prop::collection::vec(prop_oneof![4 => Just(0), 4 => 1i64..9, 1 => 0i64..400], 1..120)
    }

    proptest! {
        #[test]
        fn at_one_level_no_closed_window_holds_more_than_burst_and_its_share(
            quota in quotas(), level in open_levels(), gaps in gaps(), start in -1_000_000i64..1_000_000,
        ) {
            let pace = pace_of(&quota, level);
            let mut gcra = Gcra::default();
            let mut now = start;
            let mut admitted = Vec::new();
            for gap in gaps {
                now += gap * pace.interval_us / 4;
                if gcra.charge(pace, now).is_ok() {
                    admitted.push(now);
                }
            }
            for (i, from) in admitted.iter().enumerate() {
                for (j, to) in admitted.iter().enumerate().skip(i) {
                    let bound = i64::from(quota.burst(level)) + (to - from) / pace.interval_us;
                    prop_assert!((j - i + 1) as i64 <= bound);
                }
            }
        }

        #[test]
        fn it_decides_as_a_bucket_of_tokens_counted_exactly_does(
            quota in quotas(), level in open_levels(), gaps in gaps(),
        ) {
            // The slow oracle: a bucket of τ + T units that fills one unit a microsecond; a request takes T.
            let pace = pace_of(&quota, level);
            let full = i128::from(pace.tolerance_us) + i128::from(pace.interval_us);
            let (mut gcra, mut bucket, mut now) = (Gcra::default(), full, 0i64);
            for gap in gaps {
                let step = gap * pace.interval_us / 4;
                now += step;
                bucket = (bucket + i128::from(step)).min(full);
                let fits = bucket >= i128::from(pace.interval_us);
                if fits {
                    bucket -= i128::from(pace.interval_us);
                }
                let answer = gcra.charge(pace, now);
                prop_assert_eq!(answer.is_ok(), fits);
                if let Ok(left) = answer {
                    prop_assert_eq!(i128::from(left.remaining), bucket / i128::from(pace.interval_us));
                }
            }
        }

        #[test]
        fn the_promised_instant_is_the_first_admitted(quota in quotas(), level in open_levels(), gaps in gaps()) {
            let pace = pace_of(&quota, level);
            let (mut gcra, mut now) = (Gcra::default(), 0i64);
            for gap in gaps {
                now += gap * pace.interval_us / 4;
                if let Err(promised) = gcra.charge(pace, now) {
                    prop_assert!(promised > now);
                    prop_assert_eq!(gcra.peek(pace, promised - 1), Err(promised));
                    prop_assert_eq!(gcra.peek(pace, promised), Ok(()));
                }
            }
        }

        #[test]
        fn raising_the_level_never_admits_what_was_refused(
            quota in quotas(), level in open_levels(), gaps in gaps(), at in 0i64..1_000,
        ) {
            let (mut gcra, mut now) = (Gcra::default(), 0i64);
            for gap in gaps {
                now += gap * pace_of(&quota, level).interval_us / 4;
                let _ = gcra.charge(pace_of(&quota, level), now);
            }
            now += at * pace_of(&quota, level).interval_us / 100;
            for pair in ThrottleLevel::ALL[..3].windows(2) {
                let milder = gcra.peek(pace_of(&quota, pair[0]), now);
                let stricter = gcra.peek(pace_of(&quota, pair[1]), now);
                prop_assert!(milder.is_ok() || stricter.is_err());
            }
        }

        #[test]
        fn a_quiet_client_gets_its_whole_burst(
            quota in quotas(), level in open_levels(), gaps in gaps(), now in -1_000_000i64..1_000_000,
        ) {
            let pace = pace_of(&quota, level);
            let mut gcra = Gcra::default();
            let mut now = now;
            for gap in gaps {
                now += gap * pace.interval_us / 4;
                let _ = gcra.charge(pace, now);
            }
            now += pace.tolerance_us + pace.interval_us;
            let admitted = (0..quota.burst(level) + 3).filter(|_| gcra.charge(pace, now).is_ok()).count();
            prop_assert_eq!(admitted as u32, quota.burst(level));
        }

        #[test]
        fn a_clock_that_goes_backwards_never_admits_more(
            quota in quotas(), level in open_levels(), moves in prop::collection::vec(-40i64..40, 1..120),
        ) {
            let pace = pace_of(&quota, level);
            let (mut jumping, mut steady) = (Gcra::default(), Gcra::default());
            let (mut now, mut latest) = (0i64, 0i64);
            let (mut admitted, mut bound) = (1, 1);
            prop_assert!(jumping.charge(pace, now).is_ok() && steady.charge(pace, latest).is_ok());
            for by in moves {
                now += by * pace.interval_us / 4;
                latest = latest.max(now);
                admitted += i32::from(jumping.charge(pace, now).is_ok());
                bound += i32::from(steady.charge(pace, latest).is_ok());
                prop_assert!(admitted <= bound);
            }
        }

        #[test]
        fn no_instant_that_can_be_said_panics(a: i64, b: i64, quota in quotas(), level in open_levels()) {
            let mut gcra = Gcra::default();
            for us in [a, b, i64::MIN, i64::MAX, b, a] {
                let _ = gcra.check(&quota, level, instant(us));
                let _ = gcra.charge(pace_of(&quota, level), us);
            }
        }
    }

    #[test]
    fn a_check_tells_what_is_left_and_when_the_next_is_admitted() {
        let quota =
            Quota::new(QuotaPolicy::new(60, TimeDelta::minutes(1), 2).unwrap(), LevelShares::default())
                .unwrap();
        let (mut gcra, now) = (Gcra::default(), DateTime::UNIX_EPOCH);
        let second = TimeDelta::seconds(1);
        let left = |remaining, wait| Admission::Admitted { remaining, wait };
        assert_eq!(gcra.check(&quota, ThrottleLevel::Normal, now), left(1, TimeDelta::zero()));
        assert_eq!(gcra.check(&quota, ThrottleLevel::Normal, now), left(0, second));
        let refused = Admission::Refused { retry_at: now + second };
        assert_eq!(gcra.check(&quota, ThrottleLevel::Normal, now), refused);
        assert_eq!(gcra.check(&quota, ThrottleLevel::Blocked, now), Admission::Blocked);
        assert_eq!(gcra.check(&quota, ThrottleLevel::Normal, now + second), left(0, second));
    }
}
