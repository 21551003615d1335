//! What is kept of an anomaly.

use core::fmt;
use core::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::number::{Band, Finite, UnitScore};
use super::{AnomalyLevel, MetricName};
use crate::ids::AnomalyEventId;

/// One stretch of time in which a metric was out of the ordinary, as it is stored, listed and told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnomalyEvent {
    /// Its identifier.
    pub id: AnomalyEventId,
    /// The metric.
    pub metric: MetricName,
    /// The rule that opened it.
    pub rule: AnomalyRule,
    /// How far out of the ordinary it was when it was opened.
    pub level: AnomalyLevel,
    /// Since when the metric was out of the ordinary: the time of the first value that counted.
    pub since: DateTime<Utc>,
    /// When it was opened; at or after `since`, since a baseline waits for a second value.
    pub opened_at: DateTime<Utc>,
    /// The value that opened it.
    pub value: Finite,
    /// The values that were expected, where the rule knows them.
    pub expected: Option<Band>,
    /// How surprising the value was, where the rule says so.
    pub score: Option<UnitScore>,
    /// When the metric was ordinary again; `None` while it is not.
    pub closed_at: Option<DateTime<Utc>>,
    /// When a person first took note; `None` before.
    pub acknowledged_at: Option<DateTime<Utc>>,
}

/// The rule that opened an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnomalyRule {
    /// A fixed limit was reached.
    Threshold,
    /// The value departed from the mean of those just before.
    Trend,
    /// The value departed from what the baseline had learned.
    Baseline,
}

/// A text names no rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an anomaly's rule is threshold, trend or baseline")]
pub struct UnknownAnomalyRule;

impl AnomalyRule {
    /// All rules.
    pub const ALL: [Self; 3] = [Self::Threshold, Self::Trend, Self::Baseline];

    /// The name of the rule, as it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Threshold => "threshold",
            Self::Trend => "trend",
            Self::Baseline => "baseline",
        }
    }
}

impl fmt::Display for AnomalyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for AnomalyRule {
    type Err = UnknownAnomalyRule;

    fn from_str(text: &str) -> Result<Self, UnknownAnomalyRule> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == text).ok_or(UnknownAnomalyRule)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_rule_is_read_back_from_its_name() {
        for rule in AnomalyRule::ALL {
            assert_eq!(rule.as_str().parse(), Ok(rule));
            assert_eq!(serde_json::to_value(rule).unwrap(), rule.as_str());
        }
        assert_eq!("".parse::<AnomalyRule>(), Err(UnknownAnomalyRule));
    }

    proptest! {
        #[test]
        fn an_event_survives_its_written_form(event in crate::strategies::anomaly_event()) {
            let text = serde_json::to_string(&event).unwrap();
            prop_assert_eq!(serde_json::from_str::<AnomalyEvent>(&text).unwrap(), event);
        }
    }
}
