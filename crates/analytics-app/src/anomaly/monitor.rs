//! Every figure against its limits and against the baseline of its series.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use analytics_domain::anomaly::{
    AnomalyLevel, AnomalyRule, Band, Baseline, BaselineChange, BaselinePolicy, Finite, MetricName,
    RefusedValue, SeriesKind, Thresholds, UnitScore,
};
use chrono::{DateTime, Utc};
use hashbrown::HashMap;

/// The series of all metrics, a bounded number of them.
///
/// When there are as many as the policy allows, the one that had no value for longest leaves, and a counter says so.
#[derive(Debug, Clone)]
pub struct Monitor {
    policy: MonitorPolicy,
    /// Looked up by name only; its order is never seen.
    series: HashMap<MetricName, Series>,
    by_use: BTreeMap<u64, MetricName>,
    uses: u64,
    left: u64,
}

/// How figures are watched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MonitorPolicy {
    /// How baselines learn and judge.
    pub baseline: BaselinePolicy,
    /// Metrics watched at most. Default 10,000: about 50 MB.
    pub metrics: NonZeroUsize,
    /// Values below the limits in a row that close what a limit opened. Default 3, as for baselines.
    pub closing_quiet: u32,
}

/// One value of one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The metric.
    pub metric: MetricName,
    /// What its values are.
    pub kind: SeriesKind,
    /// The value.
    pub value: f64,
}

/// What a figure changed.
#[derive(Debug, Clone, PartialEq)]
pub enum AnomalyChange {
    /// An anomaly opened.
    Opened(Opening),
    /// An anomaly closed.
    Closed {
        /// The metric.
        metric: MetricName,
        /// The rule that had opened it.
        rule: AnomalyRule,
        /// When.
        at: DateTime<Utc>,
    },
}

/// An anomaly that opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Opening {
    /// The metric.
    pub metric: MetricName,
    /// The rule that opened it.
    pub rule: AnomalyRule,
    /// How far out of the ordinary the value is.
    pub level: AnomalyLevel,
    /// Since when.
    pub since: DateTime<Utc>,
    /// When it opened.
    pub at: DateTime<Utc>,
    /// The value that opened it.
    pub value: Finite,
    /// The values that were expected.
    pub expected: Option<Band>,
    /// How surprising the value is.
    pub score: Option<UnitScore>,
}

/// Why a figure was not taken in. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{metric} was not taken in")]
pub struct RefusedFigure {
    /// The metric.
    pub metric: MetricName,
    /// Why.
    #[source]
    pub source: RefusedValue,
}

#[derive(Debug, Clone)]
struct Series {
    baseline: Baseline,
    used: u64,
    /// Whether a limit was hit, and values below it since.
    over_limit: Option<u32>,
}

impl Monitor {
    /// Nothing watched yet.
    pub fn new(policy: MonitorPolicy) -> Self {
        Self { policy, series: HashMap::new(), by_use: BTreeMap::new(), uses: 0, left: 0 }
    }

    /// Holds a figure against the limits of its metric and against its baseline.
    ///
    /// Limits for `error_rate` hold for `error_rate.people` too, unless that has limits of its own; not for bots, since
    /// what is a fault for people is the trade of scanners.
    ///
    /// # Errors
    /// [`RefusedFigure`] when the value is no number, too large, a negative count, or earlier than the one before.
    pub fn observe(
        &mut self,
        thresholds: &Thresholds,
        figure: &Figure,
        at: DateTime<Utc>,
    ) -> Result<Vec<AnomalyChange>, RefusedFigure> {
        let Figure { metric, kind, value } = figure;
        let refuse = |source| RefusedFigure { metric: metric.clone(), source };
        let finite = Finite::new(*value).map_err(|_| refuse(RefusedValue::NotFinite))?;
        let policy = self.policy;
        kind.accepts(*value).map_err(refuse)?;
        let (series, mut changes) = self.series(metric, *kind, at);
        let reading = series.baseline.observe(&policy.baseline, *value, at).map_err(refuse)?;
        let limited = thresholds.get(metric).or_else(|| thresholds.get(&base(metric)?));
        let level = limited.map_or(AnomalyLevel::Normal, |limits| limits.check(finite).level);
        let quiet = level == AnomalyLevel::Normal;
        series.over_limit = match series.over_limit {
            None if quiet => None,
            None => {
                changes.push(AnomalyChange::Opened(Opening {
                    metric: metric.clone(),
                    rule: AnomalyRule::Threshold,
                    level,
                    since: at,
                    at,
                    value: finite,
                    expected: None,
                    score: None,
                }));
                Some(0)
            }
            Some(_) if !quiet => Some(0),
            Some(below) if below + 1 < policy.closing_quiet => Some(below + 1),
            Some(_) => {
                let rule = AnomalyRule::Threshold;
                changes.push(AnomalyChange::Closed { metric: metric.clone(), rule, at });
                None
            }
        };
        match (reading.change, reading.open_since) {
            (Some(BaselineChange::Opened), Some(since)) => {
                changes.push(AnomalyChange::Opened(Opening {
                    metric: metric.clone(),
                    rule: AnomalyRule::Baseline,
                    level: reading.level,
                    since,
                    at,
                    value: finite,
                    expected: reading.expected,
                    score: Some(reading.surprise),
                }));
            }
            (Some(BaselineChange::Closed), _) => {
                let rule = AnomalyRule::Baseline;
                changes.push(AnomalyChange::Closed { metric: metric.clone(), rule, at });
            }
            (Some(BaselineChange::Opened) | None, _) => {}
        }
        Ok(changes)
    }

    /// Metrics watched now.
    pub fn metrics(&self) -> usize {
        self.series.len()
    }

    /// Metrics that left for want of room.
    pub const fn left(&self) -> u64 {
        self.left
    }

    /// The series of a metric, and what closes because another one has to leave for it.
    fn series(
        &mut self,
        metric: &MetricName,
        kind: SeriesKind,
        at: DateTime<Utc>,
    ) -> (&mut Series, Vec<AnomalyChange>) {
        self.uses += 1;
        let (used, mut closed) = (self.uses, Vec::new());
        if let Some(series) = self.series.get(metric) {
            self.by_use.remove(&series.used);
        } else if self.series.len() >= self.policy.metrics.get()
            && let Some((_, idle)) = self.by_use.pop_first()
        {
            let gone = self.series.remove(&idle);
            self.left += 1;
            let mut close = |rule| closed.push(AnomalyChange::Closed { metric: idle.clone(), rule, at });
            if gone.as_ref().is_some_and(|gone| gone.over_limit.is_some()) {
                close(AnomalyRule::Threshold);
            }
            if gone.is_some_and(|gone| gone.baseline.open_since().is_some()) {
                close(AnomalyRule::Baseline);
            }
        }
        self.by_use.insert(used, metric.clone());
        let series = self.series.entry(metric.clone()).or_insert_with(|| Series {
            baseline: Baseline::new(kind),
            used,
            over_limit: None,
        });
        series.used = used;
        (series, closed)
    }
}

impl Default for MonitorPolicy {
    fn default() -> Self {
        Self {
            baseline: BaselinePolicy::default(),
            metrics: NonZeroUsize::new(10_000).expect("ten thousand is not zero"),
            closing_quiet: 3,
        }
    }
}

/// The name of a metric of people without its end; `None` for others.
fn base(metric: &MetricName) -> Option<MetricName> {
    MetricName::new(metric.as_str().strip_suffix(".people")?).ok()
}

#[cfg(test)]
mod tests {
    use analytics_domain::anomaly::AnomalyThreshold;

    use super::*;

    fn figure(name: &str, value: f64) -> Figure {
        Figure { metric: MetricName::new(name).unwrap(), kind: SeriesKind::Count, value }
    }

    fn minute(number: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_000_020 + 60 * number, 0).unwrap()
    }

    fn told(changes: &[AnomalyChange]) -> Vec<(AnomalyRule, bool)> {
        changes
            .iter()
            .map(|change| match change {
                AnomalyChange::Opened(opening) => (opening.rule, true),
                AnomalyChange::Closed { rule, .. } => (*rule, false),
            })
            .collect()
    }

    #[test]
    fn a_limit_opens_at_once_and_closes_with_the_third_value_below_it() {
        let limits = AnomalyThreshold::new(MetricName::new("queue").unwrap(), 10.0, 20.0).unwrap();
        let (thresholds, mut monitor) =
            (Thresholds::from_iter([limits]), Monitor::new(MonitorPolicy::default()));
        let values = [9.0, 10.0, 9.0, 9.0, 25.0, 9.0, 9.0, 9.0, 9.0];
        let changes: Vec<_> = (0..)
            .zip(values)
            .map(|(at, value)| {
                told(&monitor.observe(&thresholds, &figure("queue", value), minute(at)).unwrap())
            })
            .collect();
        let expected: Vec<Vec<(AnomalyRule, bool)>> = (0..9)
            .map(|at| match at {
                1 => vec![(AnomalyRule::Threshold, true)],
                7 => vec![(AnomalyRule::Threshold, false)],
                _ => vec![],
            })
            .collect();
        assert_eq!(changes, expected);
    }

    #[test]
    fn limits_of_a_base_name_hold_for_people_unless_they_have_their_own() {
        let limits =
            |name, warning| AnomalyThreshold::new(MetricName::new(name).unwrap(), warning, 1.0).unwrap();
        let mut thresholds = Thresholds::from_iter([limits("error_rate", 0.1)]);
        let opens = |thresholds: &Thresholds, name| {
            let mut monitor = Monitor::new(MonitorPolicy::default());
            told(&monitor.observe(thresholds, &figure(name, 0.5), minute(0)).unwrap())
        };
        assert_eq!(opens(&thresholds, "error_rate.people"), [(AnomalyRule::Threshold, true)]);
        assert_eq!(opens(&thresholds, "error_rate.bots"), []);
        thresholds.set(limits("error_rate.people", 0.9));
        assert_eq!(opens(&thresholds, "error_rate.people"), []);
    }

    #[test]
    fn the_metric_that_had_no_value_for_longest_leaves_a_full_monitor() {
        let metrics = NonZeroUsize::new(2).unwrap();
        let mut monitor = Monitor::new(MonitorPolicy { metrics, ..MonitorPolicy::default() });
        for (at, name) in (0..).zip(["a", "b", "a", "c", "a"]) {
            monitor.observe(&Thresholds::none(), &figure(name, 1.0), minute(at)).unwrap();
        }
        assert_eq!((monitor.metrics(), monitor.left()), (2, 1));
        let limits = AnomalyThreshold::new(MetricName::new("c").unwrap(), 1.0, 2.0).unwrap();
        let thresholds = Thresholds::from_iter([limits]);
        monitor.observe(&thresholds, &figure("c", 5.0), minute(5)).unwrap();
        monitor.observe(&thresholds, &figure("a", 1.0), minute(6)).unwrap();
        let changes = monitor.observe(&thresholds, &figure("d", 1.0), minute(7)).unwrap();
        assert_eq!(
            told(&changes),
            [(AnomalyRule::Threshold, false)],
            "what is open closes when its metric leaves"
        );
        assert!(monitor.series.contains_key(&MetricName::new("a").unwrap()));
        assert_eq!((monitor.by_use.len(), monitor.left()), (2, 2));
    }

    #[test]
    fn a_figure_that_is_no_number_is_refused_by_name() {
        let mut monitor = Monitor::new(MonitorPolicy::default());
        let refused = monitor.observe(&Thresholds::none(), &figure("a", f64::NAN), minute(0)).unwrap_err();
        assert_eq!(refused.source, RefusedValue::NotFinite);
        assert_eq!(refused.to_string(), "a was not taken in");
    }
}
