//! A value against what came just before it.

use serde::{Deserialize, Serialize};

use super::number::{Finite, NotFinite};
use super::{AnomalyCheckResult, AnomalyLevel, Band, CheckBasis, MetricName};

/// Holds the latest value of a metric that is never negative against the mean of the window *before* it.
///
/// More than `warning_ratio` times the mean is a warning, more than `critical_ratio` times it is critical, and so is
/// less than the mean divided by them. The difference must also be at least `min_delta`; where the mean is 0, it alone
/// decides, and a rise is critical. With fewer than `min_values` values before it the level is normal, and the answer
/// says so.
///
/// # Errors
/// [`NotFinite`] when the value is NaN or infinite.
///
/// ```
/// use analytics_domain::anomaly::{AnomalyLevel, Finite, MetricName, TrendPolicy, TrendWindow, check_trend};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let metric = MetricName::new("errors")?;
/// let mut before = TrendWindow::default();
/// for _ in 0..5 {
///     before.push(Finite::new(10.0)?);
/// }
/// assert_eq!(check_trend(&TrendPolicy::default(), &metric, &before, 21.0)?.level, AnomalyLevel::Warning);
/// assert_eq!(check_trend(&TrendPolicy::default(), &metric, &before, 20.0)?.level, AnomalyLevel::Normal);
/// # Ok(()) }
/// ```
pub fn check_trend(
    policy: &TrendPolicy,
    metric: &MetricName,
    before: &TrendWindow,
    value: f64,
) -> Result<AnomalyCheckResult, NotFinite> {
    let value = Finite::new(value)?;
    let basis = policy.mean(before).map_or(CheckBasis::TooFewValues { values: before.len() }, |mean| {
        CheckBasis::Trend { mean, values: before.len() }
    });
    Ok(AnomalyCheckResult { metric: metric.clone(), value, level: policy.level(before, value), basis })
}

/// When a value departs from the mean of those before it, checked.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "TrendSettings", into = "TrendSettings")]
pub struct TrendPolicy(TrendSettings);

/// A [`TrendPolicy`] as it is written in a policy file, not yet checked as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrendSettings {
    /// Times the mean, or its part, that is a warning; more than 1. Default 2: traffic that doubles between two
    /// windows is rare on a site that people read.
    pub warning_ratio: f64,
    /// Times the mean, or its part, that is critical; at least `warning_ratio`. Default 3.
    pub critical_ratio: f64,
    /// Values that must have come before, 1 to [`TrendWindow::CAPACITY`]. Default 5: the mean of fewer is a guess.
    pub min_values: u32,
    /// Smallest difference from the mean that counts, in the metric's unit, at least 0. Default 5 events: from 1 to 3
    /// is no news.
    pub min_delta: f64,
}

/// A trend policy holds a number that is out of its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field} must be {rule}")]
pub struct InvalidTrendPolicy {
    field: &'static str,
    rule: &'static str,
}

/// The last values before the one that is looked at: at most [`CAPACITY`](Self::CAPACITY), 512 bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct TrendWindow {
    values: [Finite; Self::CAPACITY],
    next: u32,
    len: u32,
}

impl TrendPolicy {
    /// The policy with these settings.
    ///
    /// # Errors
    /// [`InvalidTrendPolicy`] names the first setting that is out of its range.
    pub fn new(settings: TrendSettings) -> Result<Self, InvalidTrendPolicy> {
        let refuse = |field, rule| Err(InvalidTrendPolicy { field, rule });
        let TrendSettings { warning_ratio, critical_ratio, min_values, min_delta } = settings;
        if !(warning_ratio > 1.0 && warning_ratio.is_finite()) {
            refuse("warning_ratio", "a finite number above 1")
        } else if !(critical_ratio >= warning_ratio && critical_ratio.is_finite()) {
            refuse("critical_ratio", "a finite number, at least warning_ratio")
        } else if !(1..=TrendWindow::CAPACITY as u32).contains(&min_values) {
            refuse("min_values", "1 to 62")
        } else if !(min_delta >= 0.0 && min_delta.is_finite()) {
            refuse("min_delta", "a finite number, at least 0")
        } else {
            Ok(Self(settings))
        }
    }

    /// The settings this was made of.
    pub const fn settings(&self) -> &TrendSettings {
        &self.0
    }

    /// How far the value departs from the window before it, as [`check_trend`] says it.
    pub fn level(&self, before: &TrendWindow, value: Finite) -> AnomalyLevel {
        let (settings, value) = (&self.0, value.get());
        let Some(mean) = self.mean(before).map(Finite::get) else { return AnomalyLevel::Normal };
        let beyond = |ratio: f64| value > mean * ratio || value < mean / ratio;
        if (value - mean).abs() < settings.min_delta {
            AnomalyLevel::Normal
        } else if beyond(settings.critical_ratio) {
            AnomalyLevel::Critical
        } else if beyond(settings.warning_ratio) {
            AnomalyLevel::Warning
        } else {
            AnomalyLevel::Normal
        }
    }

    /// The values that are normal after this window, of a metric that is never negative; `None` while the window holds
    /// too few.
    pub fn band(&self, before: &TrendWindow) -> Option<Band> {
        let TrendSettings { warning_ratio, min_delta, .. } = self.0;
        let mean = self.mean(before)?.get();
        let lower = (mean / warning_ratio).min(mean - min_delta).max(0.0);
        let upper = (mean * warning_ratio).max(mean + min_delta);
        Band::new(Finite::new(lower).ok()?, Finite::new(upper).ok()?).ok()
    }

    /// The mean of the window; `None` while it holds too few values.
    fn mean(&self, before: &TrendWindow) -> Option<Finite> {
        before.mean().filter(|_| before.len() >= self.0.min_values)
    }
}

impl TrendWindow {
    /// Values held at most: about the last hour of minutes, in 512 bytes.
    pub const CAPACITY: usize = 62;

    /// Takes a value in; the oldest leaves a full window.
    pub fn push(&mut self, value: Finite) {
        self.values[self.next as usize] = value;
        self.next = (self.next + 1) % Self::CAPACITY as u32;
        self.len = (self.len + 1).min(Self::CAPACITY as u32);
    }

    /// How many values it holds.
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether it holds none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The mean of the values; `None` without any.
    pub fn mean(&self) -> Option<Finite> {
        let values = &self.values[..self.len as usize];
        if values.is_empty() {
            return None;
        }
        let len = f64::from(self.len);
        let values = || values.iter().map(|value| value.get());
        // Where the sum of the greatest numbers is none any more, each is divided first.
        let mean = Finite::new(values().sum::<f64>() / len);
        mean.or_else(|_| Finite::new(values().map(|value| value / len).sum())).ok()
    }

    /// The values, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Finite> + '_ {
        // A window that is not full begins at its first place.
        let first = if self.len as usize == Self::CAPACITY { self.next as usize } else { 0 };
        let (newer, older) = self.values[..self.len as usize].split_at(first);
        older.iter().chain(newer).copied()
    }

    /// The least and the greatest of the values; `None` without any.
    pub fn range(&self) -> Option<Band> {
        let values = &self.values[..self.len as usize];
        let (first, others) = values.split_first()?;
        let (mut least, mut most) = (*first, *first);
        for &value in others {
            if value < least {
                least = value;
            }
            if value > most {
                most = value;
            }
        }
        Band::new(least, most).ok()
    }
}

impl Default for TrendWindow {
    fn default() -> Self {
        Self { values: [Finite::default(); Self::CAPACITY], next: 0, len: 0 }
    }
}

impl InvalidTrendPolicy {
    /// The setting, as it is written in a policy file.
    pub const fn field(&self) -> &'static str {
        self.field
    }
}

impl Default for TrendSettings {
    fn default() -> Self {
        Self { warning_ratio: 2.0, critical_ratio: 3.0, min_values: 5, min_delta: 5.0 }
    }
}

impl TryFrom<TrendSettings> for TrendPolicy {
    type Error = InvalidTrendPolicy;

    fn try_from(settings: TrendSettings) -> Result<Self, InvalidTrendPolicy> {
        Self::new(settings)
    }
}

impl From<TrendPolicy> for TrendSettings {
    fn from(policy: TrendPolicy) -> Self {
        policy.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use AnomalyLevel::{Critical, Normal, Warning};

    fn window(values: &[f64]) -> TrendWindow {
        let mut window = TrendWindow::default();
        for &value in values {
            window.push(Finite::new(value).unwrap());
        }
        window
    }

    fn level(before: &[f64], value: f64) -> AnomalyLevel {
        let metric = MetricName::new("x").unwrap();
        check_trend(&TrendPolicy::default(), &metric, &window(before), value).unwrap().level
    }

    #[test]
    fn rises_and_drops_are_strictly_beyond_their_ratio() {
        let before = [60.0; 5];
        let levels = [120.0, 120.1, 180.0, 180.1].map(|value| level(&before, value));
        assert_eq!(levels, [Normal, Warning, Warning, Critical]);
        let levels = [30.0, 29.9, 20.0, 19.9].map(|value| level(&before, value));
        assert_eq!(levels, [Normal, Warning, Warning, Critical]);
    }

    #[test]
    fn four_values_are_no_window_and_five_are() {
        assert_eq!([level(&[1.0; 4], 100.0), level(&[1.0; 5], 100.0)], [Normal, Critical]);
        let metric = MetricName::new("x").unwrap();
        let result = check_trend(&TrendPolicy::default(), &metric, &window(&[1.0; 4]), 9.0).unwrap();
        assert_eq!(result.basis, CheckBasis::TooFewValues { values: 4 });
    }

    #[test]
    fn a_small_difference_is_no_news_and_from_nothing_it_alone_decides() {
        assert_eq!([level(&[1.0; 5], 5.9), level(&[1.0; 5], 6.0)], [Normal, Critical]);
        assert_eq!([level(&[0.0; 5], 4.9), level(&[0.0; 5], 5.0)], [Normal, Critical]);
    }

    #[test]
    fn the_value_looked_at_is_not_part_of_its_own_mean() {
        // The mean with it would be 508, and no value is more than six times the mean of six that it is part of.
        assert_eq!(level(&[10.0; 5], 3_000.0), Critical);
    }

    #[test]
    fn a_full_window_gives_up_its_oldest_value() {
        let mut window = window(&[1.0; TrendWindow::CAPACITY]);
        window.push(Finite::new(63.0).unwrap());
        assert_eq!((window.len(), window.mean()), (62, Finite::new(2.0).ok()));
        assert_eq!(TrendWindow::default().mean(), None);
        assert!(size_of::<TrendWindow>() <= 512);
    }

    #[test]
    fn a_window_gives_its_values_and_their_range() {
        let values = |window: &TrendWindow| window.iter().map(Finite::get).collect::<alloc::vec::Vec<_>>();
        assert_eq!(values(&window(&[3.0, 1.0, 2.0])), [3.0, 1.0, 2.0]);
        let full: alloc::vec::Vec<f64> = (0..100).map(f64::from).collect();
        assert_eq!(values(&window(&full)), full[38..]);
        let range =
            |values: &[f64]| window(values).range().map(|range| (range.lower().get(), range.upper().get()));
        assert_eq!(
            [range(&[3.0, 1.0, 2.0]), range(&full), range(&[])],
            [Some((1.0, 3.0)), Some((38.0, 99.0)), None]
        );
    }

    #[test]
    fn the_band_has_the_values_that_are_normal() {
        let band = |before: &[f64]| {
            let band = TrendPolicy::default().band(&window(before))?;
            Some((band.lower().get(), band.upper().get()))
        };
        assert_eq!(band(&[60.0; 5]), Some((30.0, 120.0)));
        assert_eq!(band(&[1.0; 5]), Some((0.0, 6.0)));
        assert_eq!(band(&[60.0; 4]), None);
    }

    #[test]
    fn the_default_settings_are_accepted_and_others_refused_by_name() {
        assert_eq!(TrendPolicy::new(TrendSettings::default()), Ok(TrendPolicy::default()));
        let refused = |change: fn(&mut TrendSettings)| {
            let mut settings = TrendSettings::default();
            change(&mut settings);
            TrendPolicy::new(settings).unwrap_err().field()
        };
        assert_eq!(refused(|s| s.warning_ratio = 1.0), "warning_ratio");
        assert_eq!(refused(|s| s.warning_ratio = f64::NAN), "warning_ratio");
        assert_eq!(refused(|s| s.critical_ratio = 1.9), "critical_ratio");
        assert_eq!(refused(|s| s.min_values = 0), "min_values");
        assert_eq!(refused(|s| s.min_values = 63), "min_values");
        assert_eq!(refused(|s| s.min_delta = -1.0), "min_delta");
    }

    proptest! {
        #[test]
        fn scaling_by_a_power_of_two_changes_no_level_where_the_difference_is_scaled_too(
            before in proptest::collection::vec(0.0..1e6, 0..80),
            value in 0.0..1e7,
            power in -20i32..20,
        ) {
            let factor = libm::ldexp(1.0, power);
            let metric = MetricName::new("x").unwrap();
            let scaled: alloc::vec::Vec<f64> = before.iter().map(|value| value * factor).collect();
            let settings = TrendSettings { min_delta: 5.0 * factor, ..TrendSettings::default() };
            let policy = TrendPolicy::new(settings).unwrap();
            let plain = check_trend(&TrendPolicy::default(), &metric, &window(&before), value).unwrap();
            let other = check_trend(&policy, &metric, &window(&scaled), value * factor).unwrap();
            prop_assert_eq!(plain.level, other.level);
        }
    }
}
