//! Where engagement is kept.

use analytics_domain::engagement::{EngagementEvent, EngagementSummary};
use analytics_domain::ids::SessionId;
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::StoreError;
use crate::event::EventCursor;
use crate::page::{BatchLimit, Page, PageRequest};
use crate::version::Recorded;

/// Keeps events of engagement. They are never changed, only created and, past their retention, deleted.
///
/// Every method may fail with [`StoreError::Unavailable`]; listing with [`StoreError::Corrupt`] when what is kept is
/// not an event of engagement.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait EngagementRepository: Send + Sync {
    /// Keeps an event. One whose id is kept already stays as it is, and the answer is [`Recorded::Known`], so a repeat is
    /// safe. The session need not be kept.
    async fn create(
        &self,
        event: &EngagementEvent,
        recorded_at: DateTime<Utc>,
    ) -> Result<Recorded, StoreError>;

    /// Keeps these events, all or none, and says of each, in their order, whether it was kept now; each as
    /// [`EngagementRepository::create`] would. An id that stands twice is kept the first time. No event at all is no
    /// work.
    async fn create_batch(
        &self,
        events: &[EngagementEvent],
        recorded_at: DateTime<Utc>,
    ) -> Result<Vec<Recorded>, StoreError>;

    /// The events of this session, oldest first, then by id.
    async fn list_by_session(
        &self,
        session: SessionId,
        page: PageRequest<EventCursor>,
    ) -> Result<Page<EngagementEvent, EventCursor>, StoreError>;

    /// What the events of this session add up to, as [`EngagementSummary::of`] says; `None` when none is kept.
    async fn summary(&self, session: SessionId) -> Result<Option<EngagementSummary>, StoreError>;

    /// Deletes at most `limit` events that were recorded strictly before this, the oldest recorded first, then by id;
    /// answers how many. Fewer than `limit` means that no more are left.
    async fn delete_recorded_before(
        &self,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError>;
}
