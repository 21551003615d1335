//! Stores of requests that are wrong on purpose.

use std::sync::Arc;

use analytics_domain::detector::ReferrerFacts;
use analytics_domain::ids::SessionId;
use analytics_domain::request_row::{RequestDecision, RequestRow};
use analytics_inmemory::InMemoryRequests;
use analytics_ports::{BatchLimit, EventCursor, Page, PageRequest, RequestRepository, StoreError};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Fault, MICRO};

pub(super) struct FaultyRequests {
    pub(super) kept: Arc<InMemoryRequests>,
    pub(super) fault: Option<Fault>,
}

impl FaultyRequests {
    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// The row as an adapter with a fault in its columns keeps it.
    fn written(&self, row: &RequestRow) -> RequestRow {
        let mut record = row.record().clone();
        if self.is(Fault::ReadsAnUnknownStatusAsZero) {
            record.status = record.status.or(Some(0));
        }
        if self.is(Fault::ForgetsWhyARequestWasRefused)
            && let RequestDecision::Refused(_) | RequestDecision::WouldRefuse(_) = record.decision
        {
            record.decision = RequestDecision::Admitted;
        }
        if self.is(Fault::KeepsHashesAsFloats)
            && let ReferrerFacts::Internal { page, .. } = &mut record.facts.referrer
        {
            *page = *page as f64 as u64 & !1;
        }
        record.try_into().unwrap()
    }
}

#[async_trait]
impl RequestRepository for FaultyRequests {
    async fn insert(&self, rows: &[RequestRow], recorded_at: DateTime<Utc>) -> Result<u64, StoreError> {
        let step = if self.is(Fault::DropsEverySecondRequest) { 2 } else { 1 };
        let written: Vec<RequestRow> = rows.iter().step_by(step).map(|row| self.written(row)).collect();
        let recorded_at = match rows.first() {
            Some(row) if self.is(Fault::DeletesRequestsByTheirTime) => row.at(),
            Some(_) | None => recorded_at,
        };
        let new = self.kept.insert(&written, recorded_at).await?;
        Ok(if self.is(Fault::CountsKnownRequestsAsNew) { rows.len() as u64 } else { new })
    }

    async fn list_by_session(
        &self,
        session: SessionId,
        page: PageRequest<EventCursor>,
    ) -> Result<Page<RequestRow, EventCursor>, StoreError> {
        let mut listed = self.kept.list_by_session(session, page).await?;
        if self.is(Fault::ListsRequestsByTheirIdAlone) {
            listed.items.sort_by_key(|row| row.id().as_u128() & u128::from(u64::MAX));
        }
        Ok(listed)
    }

    async fn delete_recorded_before(
        &self,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError> {
        let before = if self.is(Fault::DeletesRequestsAtExactlyBefore) { before + MICRO } else { before };
        self.kept.delete_recorded_before(before, limit).await
    }
}
