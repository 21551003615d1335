//! The limits of metrics, as they were read last.

use std::sync::Arc;

use analytics_domain::anomaly::{AnomalyThreshold, MetricName, Thresholds};
use analytics_domain::audit::{AuditAction, AuditSubject};
use analytics_domain::event::PropertyValue;
use analytics_ports::{AnomalyThresholdRepository, BatchLimit, PageRequest, StoreError};
use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;

use super::AnomalyDetectionService;
use crate::services::operator::{Operator, text};

/// Limits of the store laid over the defaults, read again when they are older than `age`.
pub(super) struct Limits {
    store: Arc<dyn AnomalyThresholdRepository>,
    age: TimeDelta,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    limits: Arc<Thresholds>,
    /// When they were read; `None` when they are to be read again.
    read_at: Option<DateTime<Utc>>,
}

impl Limits {
    pub(super) fn new(store: Arc<dyn AnomalyThresholdRepository>, age: TimeDelta) -> Self {
        Self { store, age, known: Mutex::default() }
    }

    /// The limits at `now`. Where they are too old and the store does not answer, they are those that were read last,
    /// the defaults before the first time, and why they could not be read.
    pub(super) async fn get(&self, now: DateTime<Utc>) -> (Arc<Thresholds>, Option<StoreError>) {
        let known = {
            let known = self.known.lock();
            let fresh = |at: DateTime<Utc>| at <= now && now - at < self.age;
            if known.read_at.is_some_and(fresh) {
                return (Arc::clone(&known.limits), None);
            }
            Arc::clone(&known.limits)
        };
        match self.read().await {
            Ok(limits) => {
                let limits = Arc::new(limits);
                *self.known.lock() = Known { limits: Arc::clone(&limits), read_at: Some(now) };
                (limits, None)
            }
            Err(error) => (known, Some(error)),
        }
    }

    /// Has the limits read again before they are used next.
    fn forget(&self) {
        self.known.lock().read_at = None;
    }

    async fn read(&self) -> Result<Thresholds, StoreError> {
        let (mut all, mut after) = (Thresholds::default(), None);
        loop {
            let page = self.store.list(PageRequest { limit: BatchLimit::default(), after }).await?;
            page.items.into_iter().for_each(|limits| all.set(limits));
            after = page.next;
            if after.is_none() {
                return Ok(all);
            }
        }
    }
}

impl AnomalyDetectionService {
    /// The limits in force: those of the store, and the defaults that it does not replace.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn thresholds(&self) -> Result<Arc<Thresholds>, StoreError> {
        let (limits, unread) = self.limits.get(self.ports.clock.now()).await;
        unread.map_or(Ok(limits), Err)
    }

    /// Keeps limits in place of those of the same metric, and audits it. They hold at once here.
    ///
    /// # Errors
    /// [`StoreError`]; a repeat is safe.
    pub async fn set_threshold(&self, limits: &AnomalyThreshold, by: &Operator) -> Result<(), StoreError> {
        self.ports.thresholds.put(limits).await?;
        self.limits.forget();
        let details = [
            ("metric", text(limits.metric())),
            ("warning", PropertyValue::Number(limits.warning())),
            ("critical", PropertyValue::Number(limits.critical())),
        ];
        let (action, subject) = (AuditAction::SetThreshold, AuditSubject::Thresholds);
        self.trail().record(by, action, subject, details, self.ports.clock.now()).await
    }

    /// Deletes the limits of a metric from the store, and audits it; its default, if it has one, holds again at once.
    /// Answers whether there were any.
    ///
    /// # Errors
    /// [`StoreError`]; a repeat is safe.
    pub async fn delete_threshold(&self, metric: &MetricName, by: &Operator) -> Result<bool, StoreError> {
        let were = self.ports.thresholds.delete(metric).await?;
        self.limits.forget();
        if were {
            let (action, subject) = (AuditAction::DeleteThreshold, AuditSubject::Thresholds);
            let details = [("metric", text(metric))];
            self.trail().record(by, action, subject, details, self.ports.clock.now()).await?;
        }
        Ok(were)
    }
}
