//! Where it is kept who did what.

use analytics_domain::audit::{AuditEntry, AuditSubject};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::StoreError;
use crate::event::EventCursor;
use crate::page::{BatchLimit, Page, PageRequest};
use crate::version::Recorded;

/// Keeps entries of the audit. They are never changed, only recorded and, past their retention, deleted.
///
/// Every method may fail with [`StoreError::Unavailable`]; listing with [`StoreError::Corrupt`] when what is kept is
/// not an entry.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait AuditRepository: Send + Sync {
    /// Keeps an entry. One whose id is kept already stays as it is, and the answer is [`Recorded::Known`], so a repeat
    /// is safe.
    async fn record(&self, entry: &AuditEntry) -> Result<Recorded, StoreError>;

    /// The entries about this subject, or about all when it is `None`; newest first, then greatest id first.
    async fn list(
        &self,
        subject: Option<AuditSubject>,
        page: PageRequest<EventCursor>,
    ) -> Result<Page<AuditEntry, EventCursor>, StoreError>;

    /// Deletes at most `limit` entries of what was done strictly before this, the oldest first, then by id; answers how
    /// many. Fewer than `limit` means that no more are left.
    async fn delete_before(&self, before: DateTime<Utc>, limit: BatchLimit) -> Result<u32, StoreError>;
}
