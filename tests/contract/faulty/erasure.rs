//! Erasure that is wrong on purpose.

use analytics_domain::ids::{SessionId, VisitorId};
use analytics_domain::label::{Label, LabelClass, LabelRecord, LabelSource};
use analytics_domain::session::Points;
use analytics_domain::stats::Period;
use analytics_domain::usage::Task;
use analytics_inmemory::InMemoryErasure;
use analytics_ports::{
    BatchLimit, Erased, ErasureRepository, LabelRepository, PageRequest, SessionRepository, StoreError,
    UsageKind, UsageRepository,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Fault, MICRO};

pub(super) struct FaultyErasure {
    pub(super) kept: InMemoryErasure,
    pub(super) fault: Option<Fault>,
}

impl FaultyErasure {
    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// Erases tasks that name no session, as one who takes null for equal.
    async fn erase_tasks_of_no_session(&self) -> Result<(), StoreError> {
        let (first, past) = (DateTime::UNIX_EPOCH, DateTime::from_timestamp(4_000_000_000, 0).unwrap());
        let all = Period::new(first, past).unwrap();
        let (usage, limit) = (&self.kept.usage, BatchLimit::default());
        let tasks: Vec<Task> = usage.list_tasks(all, PageRequest::first(limit)).await?.items;
        usage.delete_recorded_before(UsageKind::Tasks, past, limit).await?;
        let named: Vec<Task> = tasks.into_iter().filter(|task| task.session.is_some()).collect();
        usage.record_tasks(&named, first).await?;
        Ok(())
    }
}

#[async_trait]
impl ErasureRepository for FaultyErasure {
    async fn sessions_of(
        &self,
        visitor: VisitorId,
        started: Option<Period>,
        limit: BatchLimit,
    ) -> Result<Vec<SessionId>, StoreError> {
        let started = match started {
            Some(period) if self.is(Fault::TakesTheEndOfAPeriodOfAVisitorIn) => {
                Period::new(period.from(), period.until() + MICRO).ok()
            }
            started => started,
        };
        let mut found = self.kept.sessions_of(visitor, started, limit).await?;
        if self.is(Fault::FindsSessionsNewestFirst) {
            found.reverse();
        }
        Ok(found)
    }

    async fn erase(&self, sessions: &[SessionId]) -> Result<Erased, StoreError> {
        let mut wanted = sessions.to_vec();
        if self.is(Fault::ErasesTheFirstSessionOnly) {
            wanted.truncate(1);
        }
        if self.is(Fault::ErasesKeptSessionsOnly) {
            let mut kept = Vec::new();
            for id in wanted {
                if self.kept.sessions.get(id).await?.is_some() {
                    kept.push(id);
                }
            }
            wanted = kept;
        }
        if self.is(Fault::ErasesUsageOfNoSession) {
            self.erase_tasks_of_no_session().await?;
        }
        let mut erased = self.kept.erase(&wanted).await?;
        if self.is(Fault::ForgetsToEraseLabels) {
            for &session in sessions {
                self.kept.labels.put(&label(session)).await?;
            }
        }
        if self.is(Fault::SaysThatMoreWasErased) {
            erased.requests += 1;
        }
        Ok(erased)
    }
}

fn label(session: SessionId) -> Label {
    let record = LabelRecord {
        session,
        source: LabelSource::Import,
        class: LabelClass::Bot,
        confidence: Points::default(),
        at: DateTime::<Utc>::UNIX_EPOCH,
        author: None,
    };
    record.try_into().unwrap()
}
