//! Where rows of requests are kept.

use analytics_domain::ids::SessionId;
use analytics_domain::request_row::RequestRow;
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::StoreError;
use crate::event::EventCursor;
use crate::page::{BatchLimit, Page, PageRequest};

/// Keeps rows of requests. They are never changed, only inserted and, past their retention, deleted.
///
/// Every method may fail with [`StoreError::Unavailable`]; listing with [`StoreError::Corrupt`] when what is kept is
/// not a row.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait RequestRepository: Send + Sync {
    /// Keeps these rows, all or none; answers how many were not kept before.
    ///
    /// A row whose id is kept already, or stands earlier in the same call, changes nothing and is not counted, so a
    /// repeat is safe and answers 0. The session need not be kept. No row at all is no work.
    async fn insert(&self, rows: &[RequestRow], recorded_at: DateTime<Utc>) -> Result<u64, StoreError>;

    /// The rows of this session, oldest first, then by id.
    async fn list_by_session(
        &self,
        session: SessionId,
        page: PageRequest<EventCursor>,
    ) -> Result<Page<RequestRow, EventCursor>, StoreError>;

    /// Deletes at most `limit` rows that were recorded strictly before this, the oldest recorded first, then by id;
    /// answers how many. Fewer than `limit` means that no more are left.
    async fn delete_recorded_before(
        &self,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError>;
}
