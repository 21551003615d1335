//! Events in memory.

use analytics_domain::event::AnalyticsEvent;
use analytics_domain::ids::SessionId;
use analytics_ports::{BatchLimit, EventCursor, EventRepository, Page, PageRequest, Recorded, StoreError};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::journal::{Entry, Journal};
use crate::stats::{Capacity, StoreStats};

/// Events in memory, at most as many as the capacity.
///
/// When the shard of a new event is full, the event that was recorded first leaves it; of equals the smallest id.
/// Recording a batch is a step for each event: another caller may see the first half of a batch before the second.
#[derive(Debug)]
pub struct InMemoryEvents {
    events: Journal<AnalyticsEvent>,
}

impl InMemoryEvents {
    /// No event yet, and room for this many.
    pub fn new(capacity: Capacity) -> Self {
        Self { events: Journal::new(capacity) }
    }

    /// How full it is and how many events left it. No event counts as in use.
    pub fn stats(&self) -> StoreStats {
        self.events.stats()
    }

    /// Deletes what happened in this session, and answers how many rows.
    pub(crate) fn erase(&self, session: SessionId) -> u64 {
        self.events.erase(session)
    }
}

#[async_trait]
impl EventRepository for InMemoryEvents {
    async fn record(
        &self,
        events: &[AnalyticsEvent],
        recorded_at: DateTime<Utc>,
    ) -> Result<Vec<Recorded>, StoreError> {
        Ok(events.iter().map(|event| self.events.record(event, recorded_at)).collect())
    }

    async fn list_by_session(
        &self,
        session: SessionId,
        page: PageRequest<EventCursor>,
    ) -> Result<Page<AnalyticsEvent, EventCursor>, StoreError> {
        Ok(self.events.list(session, page))
    }

    async fn delete_recorded_before(
        &self,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError> {
        Ok(self.events.delete_recorded_before(before, limit))
    }
}

impl Entry for AnalyticsEvent {
    fn session(&self) -> SessionId {
        self.session()
    }

    fn cursor(&self) -> EventCursor {
        EventCursor::of(self)
    }
}
