//! Rows of requests in memory.

use analytics_domain::ids::SessionId;
use analytics_domain::request_row::RequestRow;
use analytics_ports::{BatchLimit, EventCursor, Page, PageRequest, Recorded, RequestRepository, StoreError};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::journal::{Entry, Journal};
use crate::stats::{Capacity, StoreStats};

/// Rows of requests in memory, at most as many as the capacity.
///
/// When the shard of a new row is full, the row that was recorded first leaves it; of equals the smallest id.
/// Inserting a batch is a step for each row: another caller may see the first half of a batch before the second.
#[derive(Debug)]
pub struct InMemoryRequests {
    rows: Journal<RequestRow>,
}

impl InMemoryRequests {
    /// No row yet, and room for this many.
    pub fn new(capacity: Capacity) -> Self {
        Self { rows: Journal::new(capacity) }
    }

    /// How full it is and how many rows left it. No row counts as in use.
    pub fn stats(&self) -> StoreStats {
        self.rows.stats()
    }

    /// Deletes what happened in this session, and answers how many rows.
    pub(crate) fn erase(&self, session: SessionId) -> u64 {
        self.rows.erase(session)
    }

    /// Shows every row, in no order.
    pub(crate) fn each(&self, show: impl FnMut(&RequestRow)) {
        self.rows.each(show);
    }
}

#[async_trait]
impl RequestRepository for InMemoryRequests {
    async fn insert(&self, rows: &[RequestRow], recorded_at: DateTime<Utc>) -> Result<u64, StoreError> {
        let new = rows.iter().filter(|row| self.rows.record(row, recorded_at) == Recorded::New);
        Ok(new.count() as u64)
    }

    async fn list_by_session(
        &self,
        session: SessionId,
        page: PageRequest<EventCursor>,
    ) -> Result<Page<RequestRow, EventCursor>, StoreError> {
        Ok(self.rows.list(session, page))
    }

    async fn delete_recorded_before(
        &self,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError> {
        Ok(self.rows.delete_recorded_before(before, limit))
    }
}

impl Entry for RequestRow {
    fn session(&self) -> SessionId {
        self.session()
    }

    fn cursor(&self) -> EventCursor {
        EventCursor::of_request(self)
    }
}
