//! What is kept of series so that they can be drawn.

use std::collections::{BTreeMap, VecDeque};

use analytics_domain::anomaly::{AnomalyThreshold, Band, BaselineReading, Finite, MetricName, UnitScore};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::anomaly::Figure;

/// A period of one metric, to be drawn.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricSeries {
    /// The metric.
    pub metric: MetricName,
    /// Its limits, if it has any.
    pub limits: Option<AnomalyThreshold>,
    /// Its values in the order of time, one a minute where there was any.
    pub points: Vec<SeriesPoint>,
}

/// One value of a metric, and what was expected of it before it came.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SeriesPoint {
    /// When its minute began.
    pub at: DateTime<Utc>,
    /// The value.
    pub value: Finite,
    /// The values that were expected; `None` while the baseline has seen too few.
    pub expected: Option<Band>,
    /// How surprising the value is.
    pub score: UnitScore,
    /// Whether an anomaly of the baseline was open after it.
    pub open: bool,
}

/// The last values of a bounded number of metrics.
///
/// When there is no room, a further metric takes the place of one that had no value for a day, or is not drawn.
#[derive(Debug, Default)]
pub(super) struct Drawn(BTreeMap<MetricName, VecDeque<SeriesPoint>>);

impl Drawn {
    /// Takes in a figure that was watched.
    pub(super) fn take(&mut self, figure: &Figure, reading: &BaselineReading, at: DateTime<Utc>) {
        let Ok(value) = Finite::new(figure.value) else { return };
        let BaselineReading { surprise: score, expected, open_since, .. } = *reading;
        let point = SeriesPoint { at, value, expected, score, open: open_since.is_some() };
        if let Some(points) = self.0.get_mut(&figure.metric) {
            if points.len() >= MOST_POINTS {
                points.pop_front();
            }
            points.push_back(point);
        } else if self.has_room(at) {
            self.0.insert(figure.metric.clone(), VecDeque::from([point]));
        }
    }

    /// The points from `from` to before `to`; `None` for a metric that is not drawn.
    pub(super) fn period(
        &self,
        metric: &MetricName,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Option<Vec<SeriesPoint>> {
        let points = self.0.get(metric)?;
        let first = points.partition_point(|point| point.at < from);
        let last = points.partition_point(|point| point.at < to);
        Some(points.range(first..last.max(first)).copied().collect())
    }

    /// The metrics that are drawn, by name.
    pub(super) fn metrics(&self) -> Vec<MetricName> {
        self.0.keys().cloned().collect()
    }

    fn has_room(&mut self, now: DateTime<Utc>) -> bool {
        if self.0.len() >= MOST_METRICS {
            let idle = |points: &VecDeque<SeriesPoint>| {
                points.back().is_none_or(|newest| now - newest.at >= TimeDelta::days(1))
            };
            let idle = self.0.iter().find(|(_, points)| idle(points)).map(|(metric, _)| metric.clone());
            if let Some(idle) = idle {
                self.0.remove(&idle);
            }
        }
        self.0.len() < MOST_METRICS
    }
}

/// Points kept of a metric: two days, 184 KB.
const MOST_POINTS: usize = 2_880;
/// Metrics that are drawn: 24 MB when each has all its points.
const MOST_METRICS: usize = 128;

#[cfg(test)]
mod tests {
    use analytics_domain::anomaly::{AnomalyLevel, SeriesKind};

    use super::*;

    #[test]
    fn the_last_two_days_are_kept_and_given_by_period() {
        let mut drawn = Drawn::default();
        for number in 0..3_000 {
            drawn.take(&figure("a", number as f64), &reading(), minute(number));
        }
        let at = |from, to| {
            let points = drawn.period(&name("a"), minute(from), minute(to)).unwrap();
            points.iter().map(|point| point.value.get()).collect::<Vec<_>>()
        };
        assert_eq!(at(0, 3_000).len(), 2_880);
        assert_eq!(at(0, 123), [120.0, 121.0, 122.0]);
        assert_eq!(at(2_998, 9_999), [2_998.0, 2_999.0]);
        assert_eq!(at(10, 5), [0.0; 0]);
        assert_eq!(drawn.period(&name("b"), minute(0), minute(9)), None);
    }

    #[test]
    fn a_metric_without_room_is_drawn_when_another_had_no_value_for_a_day() {
        let mut drawn = Drawn::default();
        for number in 0..129 {
            drawn.take(&figure(&format!("m{number:03}"), 1.0), &reading(), minute(0));
        }
        assert_eq!(drawn.metrics().len(), 128);
        assert_eq!(drawn.period(&name("m128"), minute(0), minute(1)), None);
        for number in 1..128 {
            drawn.take(&figure(&format!("m{number:03}"), 1.0), &reading(), minute(1_440));
        }
        drawn.take(&figure("m128", 1.0), &reading(), minute(1_440));
        assert_eq!(drawn.metrics().len(), 128);
        assert_eq!(drawn.period(&name("m000"), minute(0), minute(1)), None);
        assert_eq!(drawn.period(&name("m128"), minute(0), minute(1_441)).map(|points| points.len()), Some(1));
    }

    fn reading() -> BaselineReading {
        BaselineReading {
            score: UnitScore::default(),
            surprise: UnitScore::default(),
            level: AnomalyLevel::Normal,
            expected: None,
            open_since: None,
            change: None,
        }
    }

    fn figure(metric: &str, value: f64) -> Figure {
        Figure { metric: name(metric), kind: SeriesKind::Gauge, value }
    }

    fn name(text: &str) -> MetricName {
        MetricName::new(text).unwrap()
    }

    fn minute(number: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(number)
    }
}
