//! Every figure against its limits and against the baseline of its series.

use std::num::NonZeroUsize;

use analytics_domain::anomaly::{
    AnomalyLevel, AnomalyRule, AnomalyThreshold, Band, Baseline, BaselineChange, BaselinePolicy,
    BaselineReading, Finite, MetricName, RefusedValue, SeriesKind, Thresholds, TrendPolicy, UnitScore,
};
use chrono::{DateTime, Utc};
use hashbrown::HashMap;

use super::trend::{Trend, TrendChange};

/// The series of all metrics, a bounded number of them.
///
/// When there are as many as the policy allows, the one that had no value for longest leaves, and a counter says so.
#[derive(Debug, Clone)]
pub struct Monitor {
    policy: MonitorPolicy,
    /// Looked up by name, and searched for the one that was used longest ago; its order is never seen.
    series: HashMap<MetricName, Entry>,
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
    /// When a count departs from the hour before it.
    pub trend: TrendPolicy,
    /// Values beyond the trend in a row that open an anomaly. Default 5: of a count of 10 a minute chance alone puts
    /// one in 35 beyond it, and five in a row once in a century.
    pub trend_hits: u32,
    /// Ordinary values in a row that close what a limit or the trend opened. Default 3, as for baselines.
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

/// What one figure led to.
#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    /// What it changed.
    pub changes: Vec<AnomalyChange>,
    /// What the baseline of its series says of it.
    pub reading: BaselineReading,
}

#[derive(Debug, Clone)]
struct Entry {
    used: u64,
    series: Box<Series>,
}

#[derive(Debug, Clone)]
struct Series {
    baseline: Baseline,
    trend: Trend,
    /// Whether a limit was hit, and values below it since.
    over_limit: Option<u32>,
}

impl Monitor {
    /// Nothing watched yet.
    pub fn new(policy: MonitorPolicy) -> Self {
        Self { policy, series: HashMap::new(), uses: 0, left: 0 }
    }

    /// Holds a figure against the limits of its metric, against its baseline and, where it is a count, against its trend.
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
    ) -> Result<Watched, RefusedFigure> {
        let Figure { metric, kind, value } = figure;
        let refuse = |source| RefusedFigure { metric: metric.clone(), source };
        let finite = Finite::new(*value).map_err(|_| refuse(RefusedValue::NotFinite))?;
        let policy = self.policy;
        kind.accepts(*value).map_err(refuse)?;
        let (series, mut changes) = self.series(metric, *kind, at);
        let reading = series.baseline.observe(&policy.baseline, *value, at).map_err(refuse)?;
        let limited = limits_of(thresholds, metric);
        let level = limited.map_or(AnomalyLevel::Normal, |limits| limits.check(finite).level);
        let limit = series.hold(policy.closing_quiet, level);
        let told = reading.open_since.is_some();
        let trend = match kind {
            SeriesKind::Count => series.trend.step(&policy, finite, told, at),
            SeriesKind::Gauge => None,
        };
        let opened = |rule, level, since, expected, score| {
            let metric = metric.clone();
            AnomalyChange::Opened(Opening { metric, rule, level, since, at, value: finite, expected, score })
        };
        let closed = |rule| AnomalyChange::Closed { metric: metric.clone(), rule, at };
        changes.extend(limit.map(|limit| match limit {
            LimitChange::Hit => opened(AnomalyRule::Threshold, level, at, None, None),
            LimitChange::Left => closed(AnomalyRule::Threshold),
        }));
        changes.extend(trend.map(|trend| match trend {
            TrendChange::Opened { level, since, expected } => {
                opened(AnomalyRule::Trend, level, since, expected, None)
            }
            TrendChange::Closed => closed(AnomalyRule::Trend),
        }));
        changes.extend(match (reading.change, reading.open_since) {
            (Some(BaselineChange::Opened), Some(since)) => {
                let score = Some(reading.surprise);
                Some(opened(AnomalyRule::Baseline, reading.level, since, reading.expected, score))
            }
            (Some(BaselineChange::Closed), _) => Some(closed(AnomalyRule::Baseline)),
            (Some(BaselineChange::Opened) | None, _) => None,
        });
        Ok(Watched { changes, reading })
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
        let mut closed = Vec::new();
        if !self.series.contains_key(metric) {
            if self.series.len() >= self.policy.metrics.get() {
                closed = self.make_room(at);
            }
            let (baseline, trend) = (Baseline::new(kind), Trend::default());
            let series = Box::new(Series { baseline, trend, over_limit: None });
            self.series.insert(metric.clone(), Entry { used: 0, series });
        }
        let entry = self.series.get_mut(metric).expect("it is there, or was just put there");
        entry.used = self.uses;
        (&mut entry.series, closed)
    }

    /// Lets the metric go that had no value for longest, and closes what it had open.
    fn make_room(&mut self, at: DateTime<Utc>) -> Vec<AnomalyChange> {
        let idle = self.series.iter().min_by_key(|(_, entry)| entry.used).map(|(metric, _)| metric.clone());
        let Some((metric, gone)) = idle.and_then(|metric| self.series.remove_entry(&metric)) else {
            return Vec::new();
        };
        self.left += 1;
        let open = [
            (AnomalyRule::Threshold, gone.series.over_limit.is_some()),
            (AnomalyRule::Trend, gone.series.trend.is_open()),
            (AnomalyRule::Baseline, gone.series.baseline.open_since().is_some()),
        ];
        let open = open.into_iter().filter(|(_, open)| *open);
        open.map(|(rule, _)| AnomalyChange::Closed { metric: metric.clone(), rule, at }).collect()
    }
}

enum LimitChange {
    Hit,
    Left,
}

impl Series {
    /// Notes the level that the limits give a value.
    fn hold(&mut self, closing_quiet: u32, level: AnomalyLevel) -> Option<LimitChange> {
        let quiet = level == AnomalyLevel::Normal;
        let (over_limit, change) = match self.over_limit {
            None if quiet => (None, None),
            None => (Some(0), Some(LimitChange::Hit)),
            Some(_) if !quiet => (Some(0), None),
            Some(below) if below + 1 < closing_quiet => (Some(below + 1), None),
            Some(_) => (None, Some(LimitChange::Left)),
        };
        self.over_limit = over_limit;
        change
    }
}

impl Default for MonitorPolicy {
    fn default() -> Self {
        Self {
            baseline: BaselinePolicy::default(),
            metrics: NonZeroUsize::new(10_000).expect("ten thousand is not zero"),
            trend: TrendPolicy::default(),
            trend_hits: 5,
            closing_quiet: 3,
        }
    }
}

/// The limits that hold for a metric: its own, or for a metric of people those of its base name.
pub(crate) fn limits_of<'a>(thresholds: &'a Thresholds, metric: &MetricName) -> Option<&'a AnomalyThreshold> {
    let name = metric.as_str();
    thresholds.get(name).or_else(|| thresholds.get(name.strip_suffix(".people")?))
}

#[cfg(test)]
mod tests {
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
                told(&monitor.observe(&thresholds, &figure("queue", value), minute(at)).unwrap().changes)
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
            told(&monitor.observe(thresholds, &figure(name, 0.5), minute(0)).unwrap().changes)
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
        let watched = monitor.observe(&thresholds, &figure("d", 1.0), minute(7)).unwrap();
        assert_eq!(
            told(&watched.changes),
            [(AnomalyRule::Threshold, false)],
            "what is open closes when its metric leaves"
        );
        assert!(monitor.series.contains_key(&MetricName::new("a").unwrap()));
        assert_eq!((monitor.metrics(), monitor.left()), (2, 2));
    }

    #[test]
    fn a_count_that_doubles_before_its_baseline_knows_it_is_told_by_the_trend() {
        let mut monitor = Monitor::new(MonitorPolicy::default());
        let mut changes = Vec::new();
        for (at, value) in (0..).zip([10.0; 10].into_iter().chain([40.0; 8]).chain([10.0; 5])) {
            let watched = monitor.observe(&Thresholds::none(), &figure("queue", value), minute(at)).unwrap();
            changes.extend(watched.changes);
        }
        let value = |value| Finite::new(value).unwrap();
        let metric = MetricName::new("queue").unwrap();
        let opening = Opening {
            metric: metric.clone(),
            rule: AnomalyRule::Trend,
            level: AnomalyLevel::Critical,
            since: minute(10),
            at: minute(14),
            value: value(40.0),
            expected: Some(Band::new(value(5.0), value(20.0)).unwrap()),
            score: None,
        };
        let closed = AnomalyChange::Closed { metric, rule: AnomalyRule::Trend, at: minute(20) };
        assert_eq!(changes, [AnomalyChange::Opened(opening), closed]);
    }

    #[test]
    fn what_the_baseline_has_told_the_trend_does_not_tell_again() {
        let mut monitor = Monitor::new(MonitorPolicy::default());
        let mut changes = Vec::new();
        for at in 0..630 {
            let value = if at < 600 { f64::from(90 + (at * 7 % 20) as u32) } else { 4_000.0 };
            let watched = monitor.observe(&Thresholds::none(), &figure("requests", value), minute(at));
            changes.extend(told(&watched.unwrap().changes));
        }
        assert_eq!(changes, [(AnomalyRule::Baseline, true)]);
    }

    #[test]
    fn gauges_have_no_trend() {
        let mut monitor = Monitor::new(MonitorPolicy::default());
        for at in 0..25 {
            let value = if at < 10 { 10.0 } else { 40.0 };
            let gauge = Figure { kind: SeriesKind::Gauge, ..figure("seconds", value) };
            let watched = monitor.observe(&Thresholds::none(), &gauge, minute(at)).unwrap();
            assert_eq!(watched.changes, []);
        }
    }

    #[test]
    fn a_figure_that_is_no_number_is_refused_by_name() {
        let mut monitor = Monitor::new(MonitorPolicy::default());
        let refused = monitor.observe(&Thresholds::none(), &figure("a", f64::NAN), minute(0)).unwrap_err();
        assert_eq!(refused.source, RefusedValue::NotFinite);
        assert_eq!(refused.to_string(), "a was not taken in");
    }
}
