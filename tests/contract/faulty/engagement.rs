//! Stores of engagement that are wrong on purpose.

use std::sync::Arc;

use analytics_domain::engagement::{EngagementEvent, EngagementSummary, ImplausibleSet};
use analytics_domain::ids::SessionId;
use analytics_inmemory::InMemoryEngagement;
use analytics_ports::{
    BatchLimit, EngagementRepository, EventCursor, Page, PageRequest, Recorded, StoreError,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Fault, MICRO};

pub(super) struct FaultyEngagement {
    pub(super) kept: Arc<InMemoryEngagement>,
    pub(super) fault: Option<Fault>,
}

impl FaultyEngagement {
    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// The event as an adapter with a fault in its columns keeps it.
    fn written(&self, event: &EngagementEvent) -> EngagementEvent {
        let mut record = event.record().clone();
        if self.is(Fault::ReadsUntoldClicksAsZero) {
            record.figures.click_count = record.figures.click_count.or(Some(0));
        }
        if self.is(Fault::ForgetsTabSwitches) {
            record.figures.tab_switches = None;
        }
        if self.is(Fault::ForgetsThatEngagementWasImplausible) {
            record.implausible = ImplausibleSet::default();
        }
        record.try_into().unwrap()
    }
}

#[async_trait]
impl EngagementRepository for FaultyEngagement {
    async fn create(
        &self,
        event: &EngagementEvent,
        recorded_at: DateTime<Utc>,
    ) -> Result<Recorded, StoreError> {
        let answer = self.kept.create(&self.written(event), recorded_at).await?;
        Ok(if self.is(Fault::SaysKnownEngagementIsNew) { Recorded::New } else { answer })
    }

    async fn create_batch(
        &self,
        events: &[EngagementEvent],
        recorded_at: DateTime<Utc>,
    ) -> Result<Vec<Recorded>, StoreError> {
        let mut written: Vec<EngagementEvent> = events.iter().map(|event| self.written(event)).collect();
        if self.is(Fault::KeepsTheLastOfEqualEngagement) {
            written.reverse();
        }
        let mut answers = self.kept.create_batch(&written, recorded_at).await?;
        if self.is(Fault::KeepsTheLastOfEqualEngagement) {
            answers.reverse();
        }
        Ok(answers)
    }

    async fn list_by_session(
        &self,
        session: SessionId,
        page: PageRequest<EventCursor>,
    ) -> Result<Page<EngagementEvent, EventCursor>, StoreError> {
        let mut listed = self.kept.list_by_session(session, page).await?;
        if self.is(Fault::ListsEngagementNewestFirst) {
            listed.items.reverse();
        }
        Ok(listed)
    }

    async fn summary(&self, session: SessionId) -> Result<Option<EngagementSummary>, StoreError> {
        let summary = self.kept.summary(session).await?;
        Ok(summary.map(|mut summary| {
            if self.is(Fault::CountsEveryEventAsAPage) {
                summary.pages = summary.events;
            }
            if self.is(Fault::BelievesUnboundEngagement) {
                summary.credible_visible_ms = summary.visible_ms;
            }
            summary
        }))
    }

    async fn delete_recorded_before(
        &self,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError> {
        let before = if self.is(Fault::DeletesEngagementAtExactlyBefore) { before + MICRO } else { before };
        self.kept.delete_recorded_before(before, limit).await
    }
}
