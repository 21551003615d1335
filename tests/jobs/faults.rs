//! A store that fails in the middle.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use analytics_domain::audit::{AuditEntry, AuditSubject};
use analytics_ports::{AuditRepository, BatchLimit, EventCursor, Page, PageRequest, Recorded, StoreError};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// An audit of which one deletion fails, after this many that did not.
pub(crate) struct FailingAudit {
    kept: Arc<dyn AuditRepository>,
    until_failure: AtomicU32,
}

impl FailingAudit {
    pub(crate) fn after(calls: u32, kept: Arc<dyn AuditRepository>) -> Self {
        Self { kept, until_failure: AtomicU32::new(calls + 1) }
    }
}

#[async_trait]
impl AuditRepository for FailingAudit {
    async fn record(&self, entry: &AuditEntry) -> Result<Recorded, StoreError> {
        self.kept.record(entry).await
    }

    async fn list(
        &self,
        subject: Option<AuditSubject>,
        page: PageRequest<EventCursor>,
    ) -> Result<Page<AuditEntry, EventCursor>, StoreError> {
        self.kept.list(subject, page).await
    }

    async fn delete_before(&self, before: DateTime<Utc>, limit: BatchLimit) -> Result<u32, StoreError> {
        // Past 0 it wraps around, and no further call fails.
        if self.until_failure.fetch_sub(1, Ordering::Relaxed) == 1 {
            return Err(StoreError::unavailable("closed in the middle"));
        }
        self.kept.delete_before(before, limit).await
    }
}
