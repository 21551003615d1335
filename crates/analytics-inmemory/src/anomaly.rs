//! Limits of metrics and anomalies in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};

use analytics_domain::anomaly::{AnomalyEvent, AnomalyThreshold, MetricName};
use analytics_domain::ids::AnomalyEventId;
use analytics_ports::{
    AnomalyEventCursor, AnomalyEventFilter, AnomalyEventRepository, AnomalyThresholdRepository, BatchLimit,
    Page, PageRequest, Recorded, StoreError,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use parking_lot::RwLock;

use crate::stats::{Capacity, StoreStats};

/// The limits of metrics in memory, at most as many as the capacity.
///
/// When it is full, the metric whose limits were first put longest ago leaves. Limits are few, so one lock that readers
/// share holds them all.
#[derive(Debug)]
pub struct InMemoryThresholds {
    kept: RwLock<KeptThresholds>,
    capacity: Capacity,
}

/// Anomalies in memory, at most as many as the capacity.
///
/// When it is full, the closed anomaly that was opened first leaves, of equals the smallest id; where none is closed,
/// the open one that was opened first does. Anomalies are rare, so one lock that readers share holds them all.
#[derive(Debug)]
pub struct InMemoryAnomalies {
    kept: RwLock<KeptEvents>,
    capacity: Capacity,
}

impl InMemoryThresholds {
    /// No limits yet, and room for those of this many metrics.
    pub fn new(capacity: Capacity) -> Self {
        Self { kept: RwLock::default(), capacity }
    }

    /// How full it is and how many limits left it; all of them count as in use.
    pub fn stats(&self) -> StoreStats {
        let kept = self.kept.read();
        StoreStats {
            entries: kept.by_metric.len() as u64,
            capacity: u64::from(self.capacity.get()),
            evicted: kept.evicted,
            evicted_in_use: kept.evicted,
        }
    }
}

#[async_trait]
impl AnomalyThresholdRepository for InMemoryThresholds {
    async fn put(&self, threshold: &AnomalyThreshold) -> Result<(), StoreError> {
        let mut kept = self.kept.write();
        if let Some((_, known)) = kept.by_metric.get_mut(threshold.metric()) {
            *known = threshold.clone();
            return Ok(());
        }
        while kept.by_metric.len() >= self.capacity.get() as usize {
            let Some((_, oldest)) = kept.by_age.pop_first() else { break };
            kept.by_metric.remove(&oldest);
            kept.evicted += 1;
        }
        let number = kept.put;
        kept.put += 1;
        kept.by_age.insert(number, threshold.metric().clone());
        kept.by_metric.insert(threshold.metric().clone(), (number, threshold.clone()));
        Ok(())
    }

    async fn get(&self, metric: &MetricName) -> Result<Option<AnomalyThreshold>, StoreError> {
        Ok(self.kept.read().by_metric.get(metric).map(|(_, threshold)| threshold.clone()))
    }

    async fn list(
        &self,
        page: PageRequest<MetricName>,
    ) -> Result<Page<AnomalyThreshold, MetricName>, StoreError> {
        let kept = self.kept.read();
        let after = page.after.map_or(Unbounded, Excluded);
        // One more than the limit tells whether the list goes on.
        let listed = kept.by_metric.range((after, Unbounded)).take(page.limit.as_usize() + 1);
        let listed = listed.map(|(_, (_, threshold))| threshold.clone()).collect();
        Ok(Page::of(listed, page.limit, |threshold: &AnomalyThreshold| threshold.metric().clone()))
    }

    async fn delete(&self, metric: &MetricName) -> Result<bool, StoreError> {
        let mut kept = self.kept.write();
        let Some((number, _)) = kept.by_metric.remove(metric) else { return Ok(false) };
        kept.by_age.remove(&number);
        Ok(true)
    }
}

impl InMemoryAnomalies {
    /// No anomaly yet, and room for this many.
    pub fn new(capacity: Capacity) -> Self {
        Self { kept: RwLock::default(), capacity }
    }

    /// How full it is and how many anomalies left it; those that were not closed count as in use.
    pub fn stats(&self) -> StoreStats {
        let kept = self.kept.read();
        StoreStats {
            entries: kept.events.len() as u64,
            capacity: u64::from(self.capacity.get()),
            evicted: kept.evicted,
            evicted_in_use: kept.evicted_open,
        }
    }
}

#[async_trait]
impl AnomalyEventRepository for InMemoryAnomalies {
    async fn put(&self, event: &AnomalyEvent) -> Result<Recorded, StoreError> {
        let mut kept = self.kept.write();
        if kept.events.contains_key(&event.id) {
            return Ok(Recorded::Known);
        }
        while kept.events.len() >= self.capacity.get() as usize {
            let Some(&(open, least_missed)) = kept.by_worth.first() else { break };
            kept.remove(least_missed.id);
            kept.evicted += 1;
            kept.evicted_open += u64::from(open);
        }
        kept.insert(event.clone());
        Ok(Recorded::New)
    }

    async fn get(&self, id: AnomalyEventId) -> Result<Option<AnomalyEvent>, StoreError> {
        Ok(self.kept.read().events.get(&id).cloned())
    }

    async fn close(&self, id: AnomalyEventId, at: DateTime<Utc>) -> Result<Option<AnomalyEvent>, StoreError> {
        Ok(self.kept.write().change(id, |event| event.closed_at = event.closed_at.or(Some(at))))
    }

    async fn acknowledge(
        &self,
        id: AnomalyEventId,
        at: DateTime<Utc>,
    ) -> Result<Option<AnomalyEvent>, StoreError> {
        Ok(self.kept.write().change(id, |event| event.acknowledged_at = event.acknowledged_at.or(Some(at))))
    }

    async fn list(
        &self,
        filter: &AnomalyEventFilter,
        page: PageRequest<AnomalyEventCursor>,
    ) -> Result<Page<AnomalyEvent, AnomalyEventCursor>, StoreError> {
        let kept = self.kept.read();
        let before = page.after.map_or(Unbounded, Excluded);
        let newest_first = kept.by_opening.range((Unbounded, before)).rev();
        let selected =
            newest_first.map(|cursor| &kept.events[&cursor.id]).filter(|event| filter.selects(event));
        // One more than the limit tells whether the list goes on.
        let selected = selected.take(page.limit.as_usize() + 1).cloned().collect();
        Ok(Page::of(selected, page.limit, AnomalyEventCursor::of))
    }

    async fn delete_opened_before(
        &self,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError> {
        let mut kept = self.kept.write();
        let old = kept.by_opening.iter().take_while(|cursor| cursor.opened_at < before);
        let old: Vec<AnomalyEventId> = old.take(limit.as_usize()).map(|cursor| cursor.id).collect();
        for &id in &old {
            kept.remove(id);
        }
        Ok(old.len() as u32)
    }
}

/// Limits with the number of their first put, in both.
#[derive(Debug, Default)]
struct KeptThresholds {
    by_metric: BTreeMap<MetricName, (u64, AnomalyThreshold)>,
    by_age: BTreeMap<u64, MetricName>,
    put: u64,
    evicted: u64,
}

/// Every anomaly is in all three.
#[derive(Debug, Default)]
struct KeptEvents {
    events: BTreeMap<AnomalyEventId, AnomalyEvent>,
    by_opening: BTreeSet<AnomalyEventCursor>,
    /// Whether it is open, and when it was opened: the order in which they are given up.
    by_worth: BTreeSet<(bool, AnomalyEventCursor)>,
    evicted: u64,
    evicted_open: u64,
}

impl KeptEvents {
    fn insert(&mut self, event: AnomalyEvent) {
        let cursor = AnomalyEventCursor::of(&event);
        self.by_opening.insert(cursor);
        self.by_worth.insert((event.closed_at.is_none(), cursor));
        self.events.insert(event.id, event);
    }

    fn remove(&mut self, id: AnomalyEventId) -> Option<AnomalyEvent> {
        let event = self.events.remove(&id)?;
        let cursor = AnomalyEventCursor::of(&event);
        self.by_opening.remove(&cursor);
        self.by_worth.remove(&(event.closed_at.is_none(), cursor));
        Some(event)
    }

    fn change(&mut self, id: AnomalyEventId, change: impl FnOnce(&mut AnomalyEvent)) -> Option<AnomalyEvent> {
        let mut event = self.remove(id)?;
        change(&mut event);
        self.insert(event.clone());
        Some(event)
    }
}
