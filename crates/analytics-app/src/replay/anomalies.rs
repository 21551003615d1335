//! What was out of the ordinary in the traffic of a replay.

use analytics_domain::anomaly::{AnomalyLevel, AnomalyRule, MetricName, Thresholds};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::read::ReadRequest;
use super::step::Stepped;
use crate::anomaly::{
    AnomalyChange, CountedMinute, MinuteReader, MinuteTally, Moment, Monitor, MonitorPolicy, Opening,
};

/// The anomalies of a replay, in the order in which they opened.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct AnomalySummary {
    /// Minutes whose figures were looked at.
    pub minutes: u64,
    /// Anomalies that opened.
    pub opened: u64,
    /// The first 1,000 of them.
    pub rows: Vec<AnomalyRow>,
}

/// One anomaly.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnomalyRow {
    /// The figure, such as `requests.people`: by the minute, for people, bots and AI agents apart.
    pub metric: MetricName,
    /// The rule that opened it.
    pub rule: AnomalyRule,
    /// How far out of the ordinary it was when it opened.
    pub level: AnomalyLevel,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Until when; `None` if it was open at the end.
    pub until: Option<DateTime<Utc>>,
    /// The value that opened it.
    pub value: f64,
    /// The least value that was expected.
    pub expected_from: Option<f64>,
    /// The greatest value that was expected.
    pub expected_to: Option<f64>,
}

/// Watches the requests of a replay as they are stepped.
#[derive(Debug)]
pub(super) struct AnomalyWatch {
    tally: MinuteTally,
    reader: MinuteReader,
    monitor: Monitor,
    thresholds: Thresholds,
    summary: AnomalySummary,
}

impl AnomalyWatch {
    pub(super) fn new() -> Self {
        Self {
            tally: MinuteTally::default(),
            reader: MinuteReader::default(),
            monitor: Monitor::new(MonitorPolicy::default()),
            thresholds: Thresholds::default(),
            summary: AnomalySummary::default(),
        }
    }

    /// Counts a request that was just stepped; the minutes before its own are over.
    pub(super) fn request(&mut self, request: &ReadRequest, stepped: &Stepped) {
        let moment = Moment {
            class: stepped.class,
            charged: request.kind.is_charged(request.status),
            opened: stepped.opened,
            new_fingerprint: stepped.new_visitor,
            status: request.status,
            duration_us: request.duration_us,
            bans: stepped.bans.into(),
        };
        if let Some(counted) = self.tally.request(&moment, request.at) {
            self.over(&counted);
        }
    }

    /// What was found. The last minute is not over and is left out.
    pub(super) fn into_summary(self) -> AnomalySummary {
        self.summary
    }

    fn over(&mut self, counted: &CountedMinute) {
        let Self { reader, monitor, thresholds, summary, .. } = self;
        for minute in reader.figures(counted) {
            summary.minutes += 1;
            for figure in &minute.figures {
                // Counts and shares of counts are never refused, and minutes come in order.
                let watched = monitor.observe(thresholds, figure, minute.at);
                for change in watched.into_iter().flat_map(|watched| watched.changes) {
                    match change {
                        AnomalyChange::Opened(opening) => summary.opened(&opening),
                        AnomalyChange::Closed { metric, rule, at } => summary.closed(&metric, rule, at),
                    }
                }
            }
        }
    }
}

impl AnomalySummary {
    fn opened(&mut self, opening: &Opening) {
        self.opened += 1;
        if self.rows.len() >= MOST_ROWS {
            return;
        }
        self.rows.push(AnomalyRow {
            metric: opening.metric.clone(),
            rule: opening.rule,
            level: opening.level,
            since: opening.since,
            until: None,
            value: opening.value.get(),
            expected_from: opening.expected.map(|band| band.lower().get()),
            expected_to: opening.expected.map(|band| band.upper().get()),
        });
    }

    fn closed(&mut self, metric: &MetricName, rule: AnomalyRule, at: DateTime<Utc>) {
        let mut open = self.rows.iter_mut().rev().filter(|row| row.until.is_none());
        if let Some(row) = open.find(|row| row.metric == *metric && row.rule == rule) {
            row.until = Some(at);
        }
    }
}

const MOST_ROWS: usize = 1_000;
