//! Where the limits of metrics and the anomalies that were opened are kept.

use analytics_domain::anomaly::{AnomalyEvent, AnomalyThreshold, MetricName};
use analytics_domain::ids::AnomalyEventId;
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::StoreError;
use crate::page::{BatchLimit, Page, PageRequest};
use crate::version::Recorded;

/// Keeps the limits of metrics, one pair for each metric.
///
/// An empty store has none: the defaults are the domain's, and whoever reads lays what is kept over them. Every method
/// may fail with [`StoreError::Unavailable`], and every method that answers limits with [`StoreError::Corrupt`] when
/// what is kept is not a pair of them.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait AnomalyThresholdRepository: Send + Sync {
    /// Keeps the limits, in place of those of the same metric. Of two callers the later one wins; a repeat changes
    /// nothing.
    async fn put(&self, threshold: &AnomalyThreshold) -> Result<(), StoreError>;

    /// The limits of this metric.
    async fn get(&self, metric: &MetricName) -> Result<Option<AnomalyThreshold>, StoreError>;

    /// All limits, by the bytes of their metric's name.
    async fn list(
        &self,
        page: PageRequest<MetricName>,
    ) -> Result<Page<AnomalyThreshold, MetricName>, StoreError>;

    /// Deletes the limits of this metric; answers whether there were any, so a repeat is safe.
    async fn delete(&self, metric: &MetricName) -> Result<bool, StoreError>;
}

/// Keeps anomalies that were opened.
///
/// Every method may fail with [`StoreError::Unavailable`], and every method that answers an anomaly with
/// [`StoreError::Corrupt`] when what is kept is not one.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait AnomalyEventRepository: Send + Sync {
    /// Keeps an anomaly. One whose id is kept already stays as it is, and the answer is [`Recorded::Known`].
    async fn put(&self, event: &AnomalyEvent) -> Result<Recorded, StoreError>;

    /// The anomaly with this id.
    async fn get(&self, id: AnomalyEventId) -> Result<Option<AnomalyEvent>, StoreError>;

    /// Closes the anomaly at `at` and answers it as it is now; `None` when it is not kept. One that was closed before
    /// keeps its first time, so a repeat is safe.
    async fn close(&self, id: AnomalyEventId, at: DateTime<Utc>) -> Result<Option<AnomalyEvent>, StoreError>;

    /// Notes that a person took note of the anomaly at `at` and answers it as it is now; `None` when it is not kept.
    /// The first time stays, so a repeat is safe.
    async fn acknowledge(
        &self,
        id: AnomalyEventId,
        at: DateTime<Utc>,
    ) -> Result<Option<AnomalyEvent>, StoreError>;

    /// The anomalies that the filter selects, the one that was opened last in front, of equals the one with the
    /// greatest id.
    async fn list(
        &self,
        filter: &AnomalyEventFilter,
        page: PageRequest<AnomalyEventCursor>,
    ) -> Result<Page<AnomalyEvent, AnomalyEventCursor>, StoreError>;

    /// Deletes at most `limit` anomalies that were opened strictly before `before`, closed or not, those that were
    /// opened first in front, then by id; answers how many. Fewer than `limit` means that no more are left.
    async fn delete_opened_before(&self, before: DateTime<Utc>, limit: BatchLimit)
    -> Result<u32, StoreError>;
}

/// Which anomalies are listed; the default selects all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AnomalyEventFilter {
    /// Those of this metric only.
    pub metric: Option<MetricName>,
    /// Those that are not closed (`true`), or those that are (`false`).
    pub open: Option<bool>,
    /// Those that were acknowledged (`true`), or those that were not (`false`).
    pub acknowledged: Option<bool>,
    /// Those that were opened at this time or later.
    pub opened_from: Option<DateTime<Utc>>,
    /// Those that were opened strictly before this time.
    pub opened_before: Option<DateTime<Utc>>,
}

/// The place of an anomaly in a list. When it was opened never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnomalyEventCursor {
    /// When the anomaly was opened.
    pub opened_at: DateTime<Utc>,
    /// Which anomaly it is.
    pub id: AnomalyEventId,
}

impl AnomalyEventFilter {
    /// Whether the anomaly is selected.
    pub fn selects(&self, event: &AnomalyEvent) -> bool {
        self.metric.as_ref().is_none_or(|metric| *metric == event.metric)
            && self.open.is_none_or(|open| open == event.closed_at.is_none())
            && self.acknowledged.is_none_or(|noted| noted == event.acknowledged_at.is_some())
            && self.opened_from.is_none_or(|from| event.opened_at >= from)
            && self.opened_before.is_none_or(|before| event.opened_at < before)
    }
}

impl AnomalyEventCursor {
    /// The place of this anomaly.
    pub const fn of(event: &AnomalyEvent) -> Self {
        Self { opened_at: event.opened_at, id: event.id }
    }
}
