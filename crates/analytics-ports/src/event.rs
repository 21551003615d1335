//! Where events are kept.

use analytics_domain::audit::AuditEntry;
use analytics_domain::engagement::EngagementEvent;
use analytics_domain::event::AnalyticsEvent;
use analytics_domain::ids::{EventId, SessionId};
use analytics_domain::request_row::RequestRow;
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::StoreError;
use crate::page::{BatchLimit, Page, PageRequest};
use crate::version::Recorded;

/// Keeps events. They are never changed, only recorded and, past their retention, deleted.
///
/// Every method may fail with [`StoreError::Unavailable`]; listing with [`StoreError::Corrupt`] when what is kept is
/// not an event.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait EventRepository: Send + Sync {
    /// Keeps these events, all or none, and says of each, in their order, whether it was kept now.
    ///
    /// An event whose id is kept already, or stands earlier in the same call, is [`Recorded::Known`] and changes
    /// nothing, so a repeat is safe. The session need not be kept. No event at all is no work.
    async fn record(
        &self,
        events: &[AnalyticsEvent],
        recorded_at: DateTime<Utc>,
    ) -> Result<Vec<Recorded>, StoreError>;

    /// The events of this session, oldest first, then by id.
    async fn list_by_session(
        &self,
        session: SessionId,
        page: PageRequest<EventCursor>,
    ) -> Result<Page<AnalyticsEvent, EventCursor>, StoreError>;

    /// Deletes at most `limit` events that were recorded strictly before this, the oldest recorded first, then by id;
    /// answers how many. Fewer than `limit` means that no more are left.
    async fn delete_recorded_before(
        &self,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError>;
}

/// The place in a list of something that happened: an event, a request, engagement, an entry of the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventCursor {
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Which event it is.
    pub id: EventId,
}

impl EventCursor {
    /// The place of this event.
    pub const fn of(event: &AnalyticsEvent) -> Self {
        Self { at: event.at(), id: event.id() }
    }

    /// The place of this entry of the audit.
    pub const fn of_audit(entry: &AuditEntry) -> Self {
        Self { at: entry.at(), id: entry.id() }
    }

    /// The place of this engagement.
    pub const fn of_engagement(event: &EngagementEvent) -> Self {
        Self { at: event.at(), id: event.id() }
    }

    /// The place of this request.
    pub const fn of_request(row: &RequestRow) -> Self {
        Self { at: row.at(), id: row.id() }
    }
}
