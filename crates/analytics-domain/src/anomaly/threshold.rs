//! Fixed limits by metric.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::borrow::Borrow;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use super::number::{Finite, NotFinite};
use super::{AnomalyLevel, Band};

/// Two limits for one metric: from `warning` on a value is a warning, from `critical` on it is critical.
///
/// Both are finite and not negative, and `warning` is at most `critical`. A value that equals a limit hits it.
///
/// ```
/// use analytics_domain::anomaly::{AnomalyLevel, AnomalyThreshold, Finite, InvalidThreshold, MetricName};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let queue = MetricName::new("queue_length")?;
/// let threshold = AnomalyThreshold::new(queue.clone(), 100.0, 500.0)?;
/// assert_eq!(threshold.check(Finite::new(100.0)?).level, AnomalyLevel::Warning);
/// assert_eq!(AnomalyThreshold::new(queue, 500.0, 100.0), Err(InvalidThreshold::Inverted));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawThreshold", into = "RawThreshold")]
pub struct AnomalyThreshold {
    metric: MetricName,
    warning: Finite,
    critical: Finite,
}

/// Why two numbers are no limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidThreshold {
    /// One is NaN or infinite.
    #[error("a threshold must be a finite number")]
    NotFinite,
    /// One is below 0.
    #[error("a threshold must not be negative")]
    Negative,
    /// The warning would come after the alarm.
    #[error("the warning threshold must not be above the critical one")]
    Inverted,
}

/// The name of a metric: 1 to 128 bytes of ASCII letters, digits and `_ - . : /`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct MetricName(String);

/// A text is no name of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a metric's name has 1 to 128 bytes of ASCII letters, digits and _ - . : /")]
pub struct InvalidMetricName;

/// What a check found: the value, its level, and what it was held against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnomalyCheckResult {
    /// The metric.
    pub metric: MetricName,
    /// The value that was checked.
    pub value: Finite,
    /// How far out of the ordinary it is.
    pub level: AnomalyLevel,
    /// What it was held against.
    pub basis: CheckBasis,
}

/// What a value was held against.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "rule")]
pub enum CheckBasis {
    /// Two fixed limits.
    Threshold {
        /// From here on it is a warning.
        warning: Finite,
        /// From here on it is critical.
        critical: Finite,
    },
    /// Nothing: no limits are known for the metric, so the level is normal.
    NoThreshold,
    /// The mean of the values before it.
    Trend {
        /// That mean.
        mean: Finite,
        /// Values it was taken over.
        values: u32,
    },
    /// Nothing: fewer values came before than a trend needs, so the level is normal.
    TooFewValues {
        /// Values that came before.
        values: u32,
    },
    /// What the baseline had learned.
    Baseline {
        /// The values that were expected.
        expected: Band,
    },
}

/// The limits of all metrics that have any.
#[derive(Debug, Clone, PartialEq)]
pub struct Thresholds(BTreeMap<MetricName, AnomalyThreshold>);

impl AnomalyThreshold {
    /// The limits of this metric.
    ///
    /// # Errors
    /// [`InvalidThreshold`] when a limit is not finite or is negative, or when `warning` is above `critical`.
    pub fn new(metric: MetricName, warning: f64, critical: f64) -> Result<Self, InvalidThreshold> {
        let (Ok(low), Ok(high)) = (Finite::new(warning), Finite::new(critical)) else {
            return Err(InvalidThreshold::NotFinite);
        };
        if warning < 0.0 || critical < 0.0 {
            Err(InvalidThreshold::Negative)
        } else if warning > critical {
            Err(InvalidThreshold::Inverted)
        } else {
            Ok(Self { metric, warning: low, critical: high })
        }
    }

    /// Holds a value against the limits.
    pub fn check(&self, value: Finite) -> AnomalyCheckResult {
        let level = if value >= self.critical {
            AnomalyLevel::Critical
        } else if value >= self.warning {
            AnomalyLevel::Warning
        } else {
            AnomalyLevel::Normal
        };
        let basis = CheckBasis::Threshold { warning: self.warning, critical: self.critical };
        AnomalyCheckResult { metric: self.metric.clone(), value, level, basis }
    }

    /// The metric.
    pub const fn metric(&self) -> &MetricName {
        &self.metric
    }

    /// From here on a value is a warning.
    pub const fn warning(&self) -> f64 {
        self.warning.get()
    }

    /// From here on a value is critical; at least `warning`.
    pub const fn critical(&self) -> f64 {
        self.critical.get()
    }
}

impl Thresholds {
    /// No limits at all.
    pub const fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// Holds a value against the limits of its metric. A metric without limits is normal, and the answer says so.
    ///
    /// # Errors
    /// [`NotFinite`] for NaN and infinities, of known and of unknown metrics.
    pub fn check(&self, metric: &MetricName, value: f64) -> Result<AnomalyCheckResult, NotFinite> {
        let value = Finite::new(value)?;
        Ok(self.0.get(metric).map_or_else(
            || AnomalyCheckResult {
                metric: metric.clone(),
                value,
                level: AnomalyLevel::Normal,
                basis: CheckBasis::NoThreshold,
            },
            |threshold| threshold.check(value),
        ))
    }

    /// Takes the limits in, in place of those of the same metric.
    pub fn set(&mut self, threshold: AnomalyThreshold) {
        self.0.insert(threshold.metric.clone(), threshold);
    }

    /// The limits of this metric.
    pub fn get(&self, metric: &str) -> Option<&AnomalyThreshold> {
        self.0.get(metric)
    }

    /// All limits, by the name of their metric.
    pub fn iter(&self) -> impl Iterator<Item = &AnomalyThreshold> {
        self.0.values()
    }
}

impl Default for Thresholds {
    /// The limits of the five metrics that the product knows:
    ///
    /// | metric | unit | warning | critical | why |
    /// | --- | --- | --- | --- | --- |
    /// | `requests_per_minute` | charged requests a minute of one fingerprint | 15 | 30 | a person reads a page in 20 s or more, as sessions of people in the simulator do; twice that is a hunt |
    /// | `session_count_per_fingerprint` | sessions a day | 5 | 10 | a visitor who comes back every hour of a working morning has 5 |
    /// | `avg_response_time_deviation` | standard deviations from the mean | 2 | 5 | 1 in 44 of normal values is above 2, 1 in 3 million above 5 |
    /// | `error_rate` | share of charged requests, 0 to 1 | 0.10 | 0.25 | a healthy site answers a few percent with errors |
    /// | `unique_ips_per_fingerprint` | networks of one header shape against its share of the site | 3 | 10 | home, phone and work are three |
    fn default() -> Self {
        let mut defaults = Self::none();
        for (metric, warning, critical) in DEFAULTS {
            let metric = MetricName::new(metric).expect("a test reads every default name");
            let threshold = AnomalyThreshold::new(metric, warning, critical);
            defaults.set(threshold.expect("a test reads every default"));
        }
        defaults
    }
}

/// Names are hashed and ordered as their texts are.
impl Borrow<str> for MetricName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromIterator<AnomalyThreshold> for Thresholds {
    fn from_iter<I: IntoIterator<Item = AnomalyThreshold>>(thresholds: I) -> Self {
        Self(thresholds.into_iter().map(|threshold| (threshold.metric.clone(), threshold)).collect())
    }
}

impl MetricName {
    /// The metric of this name.
    ///
    /// # Errors
    /// [`InvalidMetricName`] when the text is empty, longer than 128 bytes or has another character.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidMetricName> {
        let name = name.into();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:/".contains(&byte);
        if (1..=128).contains(&name.len()) && name.bytes().all(allowed) {
            Ok(Self(name))
        } else {
            Err(InvalidMetricName)
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MetricName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for MetricName {
    type Err = InvalidMetricName;

    fn from_str(text: &str) -> Result<Self, InvalidMetricName> {
        Self::new(text)
    }
}

impl<'de> Deserialize<'de> for MetricName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawThreshold {
    metric: MetricName,
    warning: f64,
    critical: f64,
}

impl TryFrom<RawThreshold> for AnomalyThreshold {
    type Error = InvalidThreshold;

    fn try_from(raw: RawThreshold) -> Result<Self, InvalidThreshold> {
        Self::new(raw.metric, raw.warning, raw.critical)
    }
}

impl From<AnomalyThreshold> for RawThreshold {
    fn from(threshold: AnomalyThreshold) -> Self {
        let (warning, critical) = (threshold.warning(), threshold.critical());
        Self { metric: threshold.metric, warning, critical }
    }
}

const DEFAULTS: [(&str, f64, f64); 5] = [
    ("requests_per_minute", 15.0, 30.0),
    ("session_count_per_fingerprint", 5.0, 10.0),
    ("avg_response_time_deviation", 2.0, 5.0),
    ("error_rate", 0.10, 0.25),
    ("unique_ips_per_fingerprint", 3.0, 10.0),
];

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use AnomalyLevel::{Critical, Normal, Warning};

    fn name(text: &str) -> MetricName {
        MetricName::new(text).unwrap()
    }

    #[test]
    fn the_default_thresholds_are_five_that_the_constructor_accepts() {
        let defaults = Thresholds::default();
        let accepted: Thresholds = DEFAULTS
            .into_iter()
            .map(|(metric, warning, critical)| {
                AnomalyThreshold::new(name(metric), warning, critical).unwrap()
            })
            .collect();
        assert_eq!(defaults, accepted);
        assert_eq!(defaults.iter().count(), 5);
    }

    #[test]
    fn a_value_that_equals_a_limit_hits_it_and_the_number_below_does_not() {
        let threshold = AnomalyThreshold::new(name("x"), 15.0, 30.0).unwrap();
        let level = |value| threshold.check(Finite::new(value).unwrap()).level;
        let levels = [15.0_f64.next_down(), 15.0, 30.0_f64.next_down(), 30.0].map(level);
        assert_eq!(levels, [Normal, Warning, Warning, Critical]);
    }

    #[test]
    fn a_metric_without_limits_is_normal_and_the_answer_says_so() {
        let result = Thresholds::default().check(&name("unheard_of"), 1e300).unwrap();
        let value = Finite::new(1e300).unwrap();
        let expected = AnomalyCheckResult {
            metric: name("unheard_of"),
            value,
            level: Normal,
            basis: CheckBasis::NoThreshold,
        };
        assert_eq!(result, expected);
        assert_eq!(Thresholds::default().check(&name("unheard_of"), f64::NAN), Err(NotFinite));
        assert_eq!(Thresholds::default().check(&name("error_rate"), f64::INFINITY), Err(NotFinite));
    }

    #[test]
    fn limits_that_are_inverted_negative_or_no_numbers_are_refused() {
        let new = |warning, critical| AnomalyThreshold::new(name("x"), warning, critical).map(|_| ());
        assert_eq!(new(2.0, 1.0), Err(InvalidThreshold::Inverted));
        assert_eq!(new(-1.0, 1.0), Err(InvalidThreshold::Negative));
        assert_eq!(new(-2.0, -1.0), Err(InvalidThreshold::Negative));
        for wrong in [f64::NAN, f64::INFINITY] {
            assert_eq!(new(wrong, 1.0), Err(InvalidThreshold::NotFinite));
            assert_eq!(new(1.0, wrong), Err(InvalidThreshold::NotFinite));
        }
        assert_eq!(new(1.0, 1.0), Ok(()));
        assert_eq!(new(0.0, 0.0), Ok(()));
        assert!(
            serde_json::from_str::<AnomalyThreshold>(r#"{"metric":"x","warning":2,"critical":1}"#).is_err()
        );
    }

    #[test]
    fn a_name_has_1_to_128_plain_characters() {
        for wrong in ["", "a b", "ä", "a\n", &"x".repeat(129)] {
            assert_eq!(MetricName::new(wrong), Err(InvalidMetricName), "{wrong:?}");
        }
        for right in ["a", "requests.people", "A-1_b:c/d", &"x".repeat(128)] {
            assert_eq!(MetricName::new(right).map(|name| name.as_str().len()), Ok(right.len()));
        }
        assert!(serde_json::from_str::<MetricName>(r#""a b""#).is_err());
    }

    proptest! {
        #[test]
        fn a_threshold_survives_its_written_form(threshold in crate::strategies::anomaly_threshold()) {
            let text = serde_json::to_string(&threshold).unwrap();
            prop_assert_eq!(serde_json::from_str::<AnomalyThreshold>(&text).unwrap(), threshold);
        }

        #[test]
        fn a_greater_value_is_never_of_a_lower_level(
            threshold in crate::strategies::anomaly_threshold(),
            mut values in proptest::collection::vec(crate::strategies::finite(), 2),
        ) {
            values.sort_by(|a, b| a.get().total_cmp(&b.get()));
            let levels: Vec<AnomalyLevel> = values.iter().map(|&value| threshold.check(value).level).collect();
            prop_assert!(levels[0] <= levels[1]);
        }

        #[test]
        fn a_warning_is_never_above_critical(threshold in crate::strategies::anomaly_threshold()) {
            prop_assert!(threshold.warning() <= threshold.critical());
            prop_assert!(threshold.warning() >= 0.0);
        }
    }
}
