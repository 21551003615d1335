//! What was out of the ordinary in the traffic of a replay.

use analytics_domain::anomaly::{AnomalyLevel, AnomalyRule, MetricName, Thresholds};
use analytics_domain::detector::Class;
use analytics_domain::visit::{Output, Step};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::read::{Batch, ReadRequest};
use crate::anomaly::{AnomalyChange, MinuteFigures, MinuteTally, Moment, Monitor, MonitorPolicy, Opening};

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
    monitor: Monitor,
    thresholds: Thresholds,
    summary: AnomalySummary,
}

impl AnomalyWatch {
    pub(super) fn new() -> Self {
        Self {
            tally: MinuteTally::default(),
            monitor: Monitor::new(MonitorPolicy::default()),
            thresholds: Thresholds::default(),
            summary: AnomalySummary::default(),
        }
    }

    /// Counts a request that was just stepped; the minutes before its own are over.
    pub(super) fn request<T>(
        &mut self,
        batch: &Batch,
        request: &ReadRequest,
        step: &Step,
        class: Class,
        out: &Output<T>,
    ) {
        let agent = batch.agents[request.agent as usize].facts.hash;
        let mut bytes = [0; 25];
        bytes[..17].copy_from_slice(&request.network.to_bytes());
        bytes[17..].copy_from_slice(&agent.to_le_bytes());
        let moment = Moment {
            class,
            client: xxhash_rust::xxh3::xxh3_64(&bytes),
            charged: request.kind.is_charged(request.status),
            opened: step.opened,
            status: request.status,
            seconds: None,
            bans: out.bans.len() as u32,
        };
        for minute in self.tally.request(&moment, request.at) {
            self.minute(&minute);
        }
    }

    /// What was found. The last minute is not over and is left out.
    pub(super) fn into_summary(self) -> AnomalySummary {
        self.summary
    }

    fn minute(&mut self, minute: &MinuteFigures) {
        self.summary.minutes += 1;
        for figure in &minute.figures {
            // Counts and shares of counts are never refused, and minutes come in order.
            let changes = self.monitor.observe(&self.thresholds, figure, minute.at).unwrap_or_default();
            for change in changes {
                match change {
                    AnomalyChange::Opened(opening) => self.summary.opened(&opening),
                    AnomalyChange::Closed { metric, rule, at } => self.summary.closed(&metric, rule, at),
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
