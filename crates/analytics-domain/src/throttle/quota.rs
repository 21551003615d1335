//! How many requests in what time, and what is left of it at each level.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::ThrottleLevel;
use super::policy::{InvalidPolicy, seconds_of, span};

/// A number of requests in a window, with a burst: a valid rate limit.
///
/// Default: 60 requests in 1 minute, burst 20. One page a second, sustained, is beyond a reader; 20 at once is a
/// person who opens a folder of bookmarks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "QuotaSettings", into = "QuotaSettings")]
pub struct QuotaPolicy {
    requests: u32,
    window: TimeDelta,
    burst: u32,
}

/// A [`QuotaPolicy`] as it is written in a policy file, not yet checked.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuotaSettings {
    /// Requests in one window, at least 1. Default 60.
    pub requests: u32,
    /// Length of the window in seconds, more than 0, at most a day. Default 60.
    pub window_seconds: f64,
    /// Requests that a quiet client may send at once, at least 1. Default 20.
    pub burst: u32,
}

/// What share of the quota is left at the two middle levels, in percent.
///
/// Default: 50 and 25, as Normal is always 100 and Blocked always 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelShares {
    warning: u8,
    severe: u8,
}

/// A [`QuotaPolicy`] prepared for each level, so that a check is a comparison and an addition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    policy: QuotaPolicy,
    normal: Pace,
    warning: Pace,
    severe: Pace,
}

/// The two numbers of GCRA: time between requests, and how far ahead of it a client may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    /// T, at least 1 µs.
    pub(crate) interval_us: i64,
    /// τ, a whole number of intervals, at least 0.
    pub(crate) tolerance_us: i64,
}

impl QuotaPolicy {
    /// A limit of `requests` in `window`, of which a quiet client may send `burst` at once.
    ///
    /// # Errors
    /// [`InvalidPolicy`] when a number is zero, the window is not positive or longer than a day, there is more than
    /// one request to a microsecond, or the burst takes longer than 366 days to come back.
    pub fn new(requests: u32, window: TimeDelta, burst: u32) -> Result<Self, InvalidPolicy> {
        let policy = Self { requests, window, burst };
        if requests == 0 {
            return Err(InvalidPolicy::new("quota.requests", "at least 1", 0.0));
        }
        if burst == 0 {
            return Err(InvalidPolicy::new("quota.burst", "at least 1", 0.0));
        }
        if window <= TimeDelta::zero() || window > TimeDelta::days(1) {
            return Err(InvalidPolicy::new(
                "quota.window_seconds",
                "more than 0 and at most a day",
                seconds_of(window),
            ));
        }
        if policy.window_us() < i64::from(requests) {
            return Err(InvalidPolicy::new(
                "quota.requests",
                "at most one to a microsecond of the window",
                f64::from(requests),
            ));
        }
        Pace::new(&policy, 1, 100)?;
        Ok(policy)
    }

    /// Requests in one window, at Normal.
    pub const fn requests(&self) -> u32 {
        self.requests
    }

    /// Length of the window.
    pub const fn window(&self) -> TimeDelta {
        self.window
    }

    /// Requests that a quiet client may send at once, at Normal.
    pub const fn burst(&self) -> u32 {
        self.burst
    }

    fn window_us(&self) -> i64 {
        self.window.num_microseconds().expect("a window of at most a day has fewer than 2^63 microseconds")
    }
}

impl Default for QuotaPolicy {
    fn default() -> Self {
        Self { requests: 60, window: TimeDelta::minutes(1), burst: 20 }
    }
}

impl Default for QuotaSettings {
    fn default() -> Self {
        QuotaPolicy::default().into()
    }
}

impl From<QuotaPolicy> for QuotaSettings {
    fn from(policy: QuotaPolicy) -> Self {
        Self { requests: policy.requests, window_seconds: seconds_of(policy.window), burst: policy.burst }
    }
}

impl TryFrom<QuotaSettings> for QuotaPolicy {
    type Error = InvalidPolicy;

    fn try_from(raw: QuotaSettings) -> Result<Self, InvalidPolicy> {
        Self::new(raw.requests, span("quota.window_seconds", raw.window_seconds)?, raw.burst)
    }
}

impl LevelShares {
    /// The shares at Warning and at Severe, in percent.
    ///
    /// # Errors
    /// [`InvalidPolicy`] unless 1 ≤ severe ≤ warning ≤ 100.
    pub fn new(warning: u8, severe: u8) -> Result<Self, InvalidPolicy> {
        if warning == 0 || warning > 100 {
            return Err(InvalidPolicy::new("warning_percent", "1 to 100", f64::from(warning)));
        }
        if severe == 0 || severe > warning {
            return Err(InvalidPolicy::new("severe_percent", "1 to warning_percent", f64::from(severe)));
        }
        Ok(Self { warning, severe })
    }

    /// Percent of the quota at Warning.
    pub const fn warning(self) -> u8 {
        self.warning
    }

    /// Percent of the quota at Severe.
    pub const fn severe(self) -> u8 {
        self.severe
    }
}

impl Default for LevelShares {
    fn default() -> Self {
        Self { warning: 50, severe: 25 }
    }
}

impl Quota {
    /// The quota at every level.
    ///
    /// At share m: T = ⌈window ÷ (requests · m)⌉ µs, burst = max(1, ⌊burst · m⌋), tolerance = (burst − 1) · T. With
    /// shares that do not divide evenly a stricter level could come out more tolerant through rounding; it then
    /// takes as many intervals as fit in the tolerance of the milder one, so that raising a level never admits what
    /// was refused.
    ///
    /// # Errors
    /// [`InvalidPolicy`] when the burst takes longer than 366 days to come back at some level.
    pub fn new(policy: QuotaPolicy, shares: LevelShares) -> Result<Self, InvalidPolicy> {
        let normal = Pace::new(&policy, 1, 100)?;
        let warning = Pace::new(&policy, 1, shares.warning)?.no_more_tolerant_than(normal);
        let severe = Pace::new(&policy, 1, shares.severe)?.no_more_tolerant_than(warning);
        Ok(Self { policy, normal, warning, severe })
    }

    /// The limit this was made of.
    pub const fn policy(&self) -> &QuotaPolicy {
        &self.policy
    }

    /// Requests that a quiet client may send at once at this level; 0 at Blocked.
    pub fn burst(&self, level: ThrottleLevel) -> u32 {
        self.pace(level).map_or(0, Pace::burst)
    }

    /// Time between two requests of a client that has used its burst up; `None` at Blocked.
    pub fn interval(&self, level: ThrottleLevel) -> Option<TimeDelta> {
        self.pace(level).map(|pace| TimeDelta::microseconds(pace.interval_us))
    }

    pub(crate) const fn pace(&self, level: ThrottleLevel) -> Option<Pace> {
        match level {
            ThrottleLevel::Normal => Some(self.normal),
            ThrottleLevel::Warning => Some(self.warning),
            ThrottleLevel::Severe => Some(self.severe),
            ThrottleLevel::Blocked => None,
        }
    }
}

impl Pace {
    /// The pace of `factor` times the policy, of which `percent` is left.
    pub(crate) fn new(policy: &QuotaPolicy, factor: u32, percent: u8) -> Result<Self, InvalidPolicy> {
        let pace = Self::scaled(policy, factor, percent);
        if pace.tolerance_us > LONGEST_REFILL_US {
            let seconds = pace.tolerance_us as f64 / 1e6;
            return Err(InvalidPolicy::new("quota.burst", "back within 366 days", seconds));
        }
        Ok(pace)
    }

    /// As [`Pace::new`], for a policy that is known to be valid.
    pub(crate) fn scaled(policy: &QuotaPolicy, factor: u32, percent: u8) -> Self {
        let parts = u128::from(policy.requests) * u128::from(factor) * u128::from(percent);
        let window = u128::from(policy.window_us().unsigned_abs()) * 100;
        let interval_us = i64::try_from(window.div_ceil(parts.max(1))).unwrap_or(i64::MAX);
        let burst = u128::from(policy.burst) * u128::from(factor) * u128::from(percent) / 100;
        let burst = i64::try_from(burst).unwrap_or(i64::MAX).max(1);
        Self { interval_us: interval_us.max(1), tolerance_us: (burst - 1).saturating_mul(interval_us.max(1)) }
    }

    fn no_more_tolerant_than(self, milder: Self) -> Self {
        let whole = milder.tolerance_us / self.interval_us * self.interval_us;
        Self { tolerance_us: self.tolerance_us.min(whole), ..self }
    }

    /// Requests that a quiet client may send at once.
    pub(crate) fn burst(self) -> u32 {
        u32::try_from(self.tolerance_us / self.interval_us).unwrap_or(u32::MAX).saturating_add(1)
    }
}

/// Promised instants stay within what chrono can say, with room to spare.
const LONGEST_REFILL_US: i64 = 366 * 86_400 * 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_default_is_accepted_by_the_constructor() {
        let default = QuotaPolicy::default();
        assert_eq!(QuotaPolicy::new(60, TimeDelta::minutes(1), 20), Ok(default));
        assert_eq!(LevelShares::new(50, 25), Ok(LevelShares::default()));
    }

    #[test]
    fn the_default_has_these_intervals_and_bursts() {
        let quota = Quota::new(QuotaPolicy::default(), LevelShares::default()).unwrap();
        let at = |level| (quota.interval(level), quota.burst(level));
        assert_eq!(at(ThrottleLevel::Normal), (Some(TimeDelta::seconds(1)), 20));
        assert_eq!(at(ThrottleLevel::Warning), (Some(TimeDelta::seconds(2)), 10));
        assert_eq!(at(ThrottleLevel::Severe), (Some(TimeDelta::seconds(4)), 5));
        assert_eq!(at(ThrottleLevel::Blocked), (None, 0));
    }

    #[test]
    fn zeros_and_windows_out_of_range_are_refused_by_name() {
        let field = |requests, window, burst| {
            QuotaPolicy::new(requests, window, burst).map_err(|invalid| invalid.field())
        };
        let minute = TimeDelta::minutes(1);
        assert_eq!(field(0, minute, 1), Err("quota.requests"));
        assert_eq!(field(1, minute, 0), Err("quota.burst"));
        assert_eq!(field(1, TimeDelta::zero(), 1), Err("quota.window_seconds"));
        assert_eq!(field(1, TimeDelta::seconds(-1), 1), Err("quota.window_seconds"));
        assert_eq!(field(1, TimeDelta::days(1) + TimeDelta::microseconds(1), 1), Err("quota.window_seconds"));
        assert_eq!(field(1, TimeDelta::nanoseconds(999), 1), Err("quota.requests"));
        assert_eq!(field(1, TimeDelta::days(1), 368), Err("quota.burst"));
    }

    #[test]
    fn one_request_a_microsecond_is_the_fastest_limit() {
        assert!(QuotaPolicy::new(1_000_000, TimeDelta::seconds(1), 1).is_ok());
        let error = QuotaPolicy::new(1_000_001, TimeDelta::seconds(1), 1).unwrap_err();
        assert_eq!(error.field(), "quota.requests");
    }

    proptest! {
        #[test]
        fn a_stricter_level_is_never_faster_nor_more_tolerant(
            requests in 1u32..5_000, window_ms in 10i64..86_400_000, burst in 1u32..300,
            (warning, severe) in (1u8..=100).prop_flat_map(|warning| (Just(warning), 1..=warning)),
        ) {
            let Ok(policy) = QuotaPolicy::new(requests, TimeDelta::milliseconds(window_ms), burst) else {
                return Ok(());
            };
            let Ok(quota) = Quota::new(policy, LevelShares::new(warning, severe).unwrap()) else { return Ok(()) };
            prop_assert!(quota.normal.interval_us <= quota.warning.interval_us);
            prop_assert!(quota.warning.interval_us <= quota.severe.interval_us);
            prop_assert!(quota.normal.tolerance_us >= quota.warning.tolerance_us);
            prop_assert!(quota.warning.tolerance_us >= quota.severe.tolerance_us);
        }
    }
}
