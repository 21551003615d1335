//! Taking a person's rows out of the stores.

use std::sync::Arc;

use analytics_domain::audit::{AuditAction, AuditSubject};
use analytics_domain::ids::{SessionId, VisitorId};
use analytics_domain::stats::Period;
use analytics_ports::{
    AuditRepository, BatchLimit, Clock, Erased, ErasureRepository, IdGenerator, StoreError,
};

use super::operator::{AuditTrail, Operator, number};

/// Erases sessions with all that happened in them, in batches, and writes down that it did and for whom.
///
/// What is remembered of fingerprints and bans stays: it is held against abuse and goes by its own retention, or by
/// [`ModerationService::clear`](super::ModerationService::clear). A session that a running program has not handed to the
/// store yet is not found; erase again when it has ended.
#[derive(Clone)]
pub struct ErasureService {
    erasure: Arc<dyn ErasureRepository>,
    trail: AuditTrail,
    clock: Arc<dyn Clock>,
    batch: BatchLimit,
}

/// What is erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErasureSubject {
    /// One session, kept or not.
    Session(SessionId),
    /// The sessions of a visitor.
    Visitor {
        /// Which one.
        visitor: VisitorId,
        /// Those that started in this period; all of them without one.
        started: Option<Period>,
    },
}

/// An erasure stopped in the middle. What was erased is gone, and the next call goes on there.
#[derive(Debug, thiserror::Error)]
#[error("the erasure stopped after {} sessions; repeat it", done.sessions)]
pub struct ErasureInterrupted {
    /// What was erased.
    pub done: Erased,
    /// Why it stopped.
    #[source]
    pub source: StoreError,
}

impl ErasureService {
    /// The service over these stores, which erases this many sessions in one step.
    pub fn new(
        erasure: Arc<dyn ErasureRepository>,
        audit: Arc<dyn AuditRepository>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
        batch: BatchLimit,
    ) -> Self {
        Self { erasure, trail: AuditTrail::new(audit, ids), clock, batch }
    }

    /// Erases all that is kept of this subject, and answers how much. An entry in the audit says so, also when nothing was
    /// kept, since somebody asked for it.
    ///
    /// # Errors
    /// [`ErasureInterrupted`] when a store fails; a repeat is safe.
    pub async fn erase(&self, subject: ErasureSubject, by: &Operator) -> Result<Erased, ErasureInterrupted> {
        let mut done = Erased::default();
        match self.all(subject, by, &mut done).await {
            Ok(()) => Ok(done),
            Err(source) => Err(ErasureInterrupted { done, source }),
        }
    }

    async fn all(&self, subject: ErasureSubject, by: &Operator, done: &mut Erased) -> Result<(), StoreError> {
        let audited = match subject {
            ErasureSubject::Session(session) => {
                *done = self.erasure.erase(&[session]).await?;
                AuditSubject::Session(session)
            }
            ErasureSubject::Visitor { visitor, started } => {
                loop {
                    let sessions = self.erasure.sessions_of(visitor, started, self.batch).await?;
                    *done = done.plus(self.erasure.erase(&sessions).await?);
                    if sessions.len() < self.batch.as_usize() {
                        break;
                    }
                }
                AuditSubject::Visitor(visitor)
            }
        };
        let details = done.by_kind().map(|(kind, rows)| (kind, number(rows)));
        self.trail.record(by, AuditAction::Erase, audited, details, self.clock.now()).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use analytics_inmemory::{Capacity, InMemoryAudit};
    use analytics_ports::ids::SequentialIds;
    use analytics_ports::{MockClock, MockErasureRepository, PageRequest};
    use chrono::DateTime;

    use super::*;

    #[tokio::test]
    async fn all_sessions_of_a_visitor_go_in_batches_and_the_audit_says_how_many() {
        let mut erasure = MockErasureRepository::new();
        let left = Mutex::new((1..=5).map(SessionId::from_u128).collect::<Vec<_>>());
        erasure.expect_sessions_of().times(3).returning(move |_, _, limit| {
            let mut left = left.lock().unwrap();
            let count = limit.as_usize().min(left.len());
            Ok(left.drain(..count).collect())
        });
        erasure.expect_erase().times(3).returning(|sessions| {
            Ok(Erased { sessions: sessions.len() as u64, requests: 7, ..Erased::default() })
        });
        let (service, audit) = bench(erasure);
        let visitor = VisitorId::from_u128(3);
        let erased = service.erase(ErasureSubject::Visitor { visitor, started: None }, &ann()).await.unwrap();
        assert_eq!(erased, Erased { sessions: 5, requests: 21, ..Erased::default() });
        let entries = audit.list(None, PageRequest::first(BatchLimit::default())).await.unwrap().items;
        let record = entries[0].record();
        assert_eq!((record.action, record.subject), (AuditAction::Erase, AuditSubject::Visitor(visitor)));
        assert_eq!(record.details.as_map()["sessions"], number(5));
    }

    #[tokio::test]
    async fn an_erasure_that_was_interrupted_says_what_is_gone() {
        let (mut erasure, mut calls) = (MockErasureRepository::new(), 0);
        erasure
            .expect_sessions_of()
            .returning(|_, _, limit| Ok(vec![SessionId::from_u128(1); limit.as_usize()]));
        erasure.expect_erase().returning(move |_| {
            calls += 1;
            if calls < 2 {
                Ok(Erased { sessions: 2, ..Erased::default() })
            } else {
                Err(StoreError::unavailable("away"))
            }
        });
        let (service, _) = bench(erasure);
        let subject = ErasureSubject::Visitor { visitor: VisitorId::from_u128(3), started: None };
        let interrupted = service.erase(subject, &ann()).await.unwrap_err();
        assert_eq!(interrupted.done, Erased { sessions: 2, ..Erased::default() });
    }

    fn bench(erasure: MockErasureRepository) -> (ErasureService, Arc<InMemoryAudit>) {
        let audit = Arc::new(InMemoryAudit::new(Capacity::new(100).unwrap()));
        let clock = MockClock::at(DateTime::from_timestamp(1_700_000_000, 0).unwrap());
        let service = ErasureService::new(
            Arc::new(erasure),
            Arc::clone(&audit) as _,
            Arc::new(clock),
            Arc::new(SequentialIds::new()),
            BatchLimit::new(2).unwrap(),
        );
        (service, audit)
    }

    fn ann() -> Operator {
        Operator::new("ann", None).unwrap()
    }
}
