//! Ends what is over and deletes what is past its retention.

use std::sync::Arc;

use analytics_domain::session::{Retained, RetentionPolicy, SessionPolicy};
use analytics_ports::{BatchLimit, Clock, EventRepository, SessionRepository, StoreError};
use chrono::{DateTime, Utc};

/// Ends idle sessions and deletes old rows, in batches, oldest first.
///
/// A batch is one step of the store: interrupting a run loses nothing, and running it twice changes nothing. A session
/// ends at its last activity, whenever the run comes.
#[derive(Clone)]
pub struct SessionCleanupService {
    sessions: Arc<dyn SessionRepository>,
    events: Arc<dyn EventRepository>,
    clock: Arc<dyn Clock>,
    policy: SessionPolicy,
    retention: RetentionPolicy,
}

/// What a clean-up did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CleanupReport {
    /// Sessions that were ended.
    pub sessions_ended: u64,
    /// Events that were deleted.
    pub events_deleted: u64,
    /// Sessions that were deleted.
    pub sessions_deleted: u64,
    /// Steps that the store was asked for.
    pub batches: u64,
}

/// A clean-up stopped in the middle. What was done before stands, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
#[error("the clean-up stopped after {} batches", done.batches)]
pub struct CleanupInterrupted {
    /// What was done.
    pub done: CleanupReport,
    /// Why it stopped.
    #[source]
    pub source: StoreError,
}

impl SessionCleanupService {
    /// The service over these stores, under these policies.
    pub fn new(
        sessions: Arc<dyn SessionRepository>,
        events: Arc<dyn EventRepository>,
        clock: Arc<dyn Clock>,
        policy: SessionPolicy,
        retention: RetentionPolicy,
    ) -> Self {
        Self { sessions, events, clock, policy, retention }
    }

    /// Ends all sessions that are idle for gap and lateness now, and deletes all events and ended sessions that are past
    /// their retention now.
    ///
    /// # Errors
    /// [`CleanupInterrupted`] when a store fails.
    pub async fn run(&self) -> Result<CleanupReport, CleanupInterrupted> {
        self.run_at(self.clock.now()).await
    }

    /// As [`SessionCleanupService::run`], for a caller that has read the clock.
    pub(super) async fn run_at(&self, now: DateTime<Utc>) -> Result<CleanupReport, CleanupInterrupted> {
        let mut done = CleanupReport::default();
        match self.all(&mut done, now).await {
            Ok(()) => Ok(done),
            Err(source) => Err(CleanupInterrupted { done, source }),
        }
    }

    async fn all(&self, done: &mut CleanupReport, now: DateTime<Utc>) -> Result<(), StoreError> {
        let limit = BatchLimit::new(self.retention.batch()).unwrap_or_default();
        // A time before all that a calendar holds is one that nothing is older than.
        if let Some(idle_since) = self.policy.idle_since(now) {
            loop {
                let ended = self.sessions.end_expired(idle_since, limit).await?.len();
                done.sessions_ended += ended as u64;
                done.batches += 1;
                if ended < limit.as_usize() {
                    break;
                }
            }
        }
        if let Some(before) = self.retention.before(Retained::Events, now) {
            loop {
                let deleted = self.events.delete_recorded_before(before, limit).await?;
                done.events_deleted += u64::from(deleted);
                done.batches += 1;
                if deleted < limit.get() {
                    break;
                }
            }
        }
        if let Some(before) = self.retention.before(Retained::Sessions, now) {
            loop {
                let deleted = self.sessions.delete_recorded_before(before, limit).await?;
                done.sessions_deleted += u64::from(deleted);
                done.batches += 1;
                if deleted < limit.get() {
                    break;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use analytics_domain::event::{AnalyticsEvent, EventName, EventProperties};
    use analytics_domain::ids::{EventId, FingerprintHash, SessionId, VisitorId};
    use analytics_domain::session::{
        AnalyticsSession, EndReason, NewSession, SessionClient, SessionOrigin, SessionPlace, SessionRecord,
    };
    use analytics_inmemory::{Capacity, InMemoryEvents, InMemorySessions};
    use analytics_ports::{
        EndedSession, MockClock, MockEventRepository, MockSessionRepository, PageRequest, SessionFilter,
    };
    use chrono::TimeDelta;

    #[tokio::test]
    async fn test_session_cleanup_expired() {
        let bench = Bench::new(500);
        let policy = SessionPolicy::default().with_lateness(TimeDelta::seconds(120)).unwrap();
        for (number, activity) in [(1, 100), (2, 101)] {
            bench.sessions.create(&session(number, activity), at(0)).await.unwrap();
        }
        let cleanup = SessionCleanupService { policy, ..bench.service.clone() };
        let edge = at(100) + TimeDelta::seconds(1_800 + 120);
        bench.clock.set(edge - TimeDelta::microseconds(1));
        assert_eq!(cleanup.run().await.unwrap().sessions_ended, 0);
        bench.clock.set(edge);
        assert_eq!(cleanup.run().await.unwrap().sessions_ended, 1);
        let kept = bench.all().await;
        let ended = session(1, 100).end(EndReason::Inactive).unwrap();
        assert_eq!(ended.ended_at(), Some(at(100)));
        assert_eq!(kept, [session(2, 101), ended]);
    }

    #[tokio::test]
    async fn test_session_cleanup_batch() {
        let mut sessions = MockSessionRepository::new();
        let batches = std::sync::Mutex::new(vec![3, 500, 500]);
        sessions
            .expect_end_expired()
            .withf(|idle_since, limit| *idle_since == at(10_000 - 1_800) && limit.get() == 500)
            .times(3)
            .returning(move |_, _| {
                let ended = batches.lock().unwrap().pop().unwrap();
                Ok(vec![EndedSession { id: SessionId::from_u128(1), ended_at: at(0) }; ended])
            });
        let before = at(10_000) - TimeDelta::days(400);
        sessions
            .expect_delete_recorded_before()
            .withf(move |cutoff, limit| *cutoff == before && limit.get() == 500)
            .times(1)
            .returning(|_, _| Ok(499));
        let mut events = MockEventRepository::new();
        let deleted = std::sync::Mutex::new(vec![0, 500]);
        let before = at(10_000) - TimeDelta::days(90);
        events
            .expect_delete_recorded_before()
            .withf(move |cutoff, limit| *cutoff == before && limit.get() == 500)
            .times(2)
            .returning(move |_, _| Ok(deleted.lock().unwrap().pop().unwrap()));
        let report = service(sessions, events, at(10_000)).run().await.unwrap();
        let expected =
            CleanupReport { sessions_ended: 1_003, events_deleted: 500, sessions_deleted: 499, batches: 6 };
        assert_eq!(report, expected);
    }

    #[tokio::test]
    async fn test_analytics_session_cleanup() {
        let bench = Bench::new(10);
        // 25 sessions, one a minute; the first ten are idle at minute 39.
        for number in 0..25u32 {
            let activity = i64::from(number) * 60;
            bench.sessions.create(&session(u128::from(number), activity), at(activity)).await.unwrap();
        }
        bench.clock.set(at(39 * 60));
        assert_eq!(bench.service.run().await.unwrap().sessions_ended, 10);
        let before = bench.all().await;
        assert_eq!(
            bench.service.run().await.unwrap(),
            CleanupReport { batches: 3, ..CleanupReport::default() }
        );
        assert_eq!(bench.all().await, before);
        let ended: Vec<_> = before.iter().filter_map(AnalyticsSession::ended_at).collect();
        let expected: Vec<_> = (0..10).rev().map(|minute| at(minute * 60)).collect();
        assert_eq!(ended, expected);
    }

    #[tokio::test]
    async fn rows_past_their_retention_go_and_younger_ones_stay() {
        let bench = Bench::new(2);
        // An import: what happened is old, its recording is what counts.
        for (number, recorded) in [(1, 0), (2, 0), (3, 0), (4, 1)] {
            bench.sessions.create(&session(number, -1_000_000), at(recorded)).await.unwrap();
            bench.events.record(&[event(number)], at(recorded)).await.unwrap();
        }
        bench.clock.set(at(1) + TimeDelta::days(90));
        let report = bench.service.run().await.unwrap();
        assert_eq!((report.sessions_ended, report.events_deleted, report.sessions_deleted), (4, 3, 0));
        bench.clock.set(at(1) + TimeDelta::days(400));
        let report = bench.service.run().await.unwrap();
        assert_eq!((report.sessions_ended, report.events_deleted, report.sessions_deleted), (0, 1, 3));
        let left: Vec<_> = bench.all().await.iter().map(|session| session.id().as_u128()).collect();
        assert_eq!(left, [4]);
    }

    #[tokio::test]
    async fn an_interrupted_run_says_what_was_done_and_the_next_one_goes_on() {
        let mut sessions = MockSessionRepository::new();
        let answers = std::sync::Mutex::new(vec![
            Err(StoreError::unavailable("closed")),
            Ok(vec![EndedSession { id: SessionId::from_u128(1), ended_at: at(0) }; 500]),
        ]);
        sessions.expect_end_expired().times(2).returning(move |_, _| answers.lock().unwrap().pop().unwrap());
        let stopped = service(sessions, MockEventRepository::new(), at(0)).run().await.unwrap_err();
        let expected = CleanupReport { sessions_ended: 500, batches: 1, ..CleanupReport::default() };
        assert_eq!(stopped.done, expected);
        assert!(stopped.source.is_transient());
    }

    struct Bench {
        service: SessionCleanupService,
        sessions: Arc<InMemorySessions>,
        events: Arc<InMemoryEvents>,
        clock: Arc<MockClock>,
    }

    impl Bench {
        fn new(batch: u32) -> Self {
            let capacity = Capacity::new(1_000).unwrap();
            let sessions = Arc::new(InMemorySessions::new(capacity));
            let events = Arc::new(InMemoryEvents::new(capacity));
            let clock = Arc::new(MockClock::at(at(0)));
            let service = SessionCleanupService::new(
                Arc::clone(&sessions) as _,
                Arc::clone(&events) as _,
                Arc::clone(&clock) as _,
                SessionPolicy::default(),
                RetentionPolicy::new(90, 400, batch).unwrap(),
            );
            Self { service, sessions, events, clock }
        }

        async fn all(&self) -> Vec<AnalyticsSession> {
            let page = PageRequest::first(BatchLimit::default());
            self.sessions.list(&SessionFilter::default(), page).await.unwrap().items
        }
    }

    fn service(
        sessions: MockSessionRepository,
        events: MockEventRepository,
        now: DateTime<Utc>,
    ) -> SessionCleanupService {
        let (policy, retention) = (SessionPolicy::default(), RetentionPolicy::default());
        let clock = Arc::new(MockClock::at(now));
        SessionCleanupService::new(Arc::new(sessions), Arc::new(events), clock, policy, retention)
    }

    fn session(number: u128, activity: i64) -> AnalyticsSession {
        let new = NewSession {
            visitor: VisitorId::from_u128(number),
            fingerprint: FingerprintHash::from_u128(number),
            user: None,
            network: None,
            client: SessionClient::default(),
            origin: SessionOrigin::default(),
            place: SessionPlace::default(),
        };
        let session = AnalyticsSession::start(SessionId::from_u128(number), new, at(activity - 5)).unwrap();
        SessionRecord { last_activity_at: at(activity), ..session.into_record() }.try_into().unwrap()
    }

    fn event(number: u128) -> AnalyticsEvent {
        let (id, name) = (EventId::at(at(-9), number).unwrap(), EventName::new("view").unwrap());
        AnalyticsEvent::new(id, SessionId::from_u128(1), name, EventProperties::default(), at(-9)).unwrap()
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
    }
}
