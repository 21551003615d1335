//! The life of a session and its events: create, update, find, end, record.

use std::sync::Arc;

use analytics_domain::event::{AnalyticsEvent, EventName, EventProperties, InvalidEvent};
use analytics_domain::ids::{EventId, FingerprintHash, SessionId};
use analytics_domain::session::{
    AnalyticsSession, EndReason, NewSession, SessionPolicy, SessionRefusal, SessionUpdate,
};
use analytics_ports::{
    Clock, Entity, EventRepository, IdGenerator, Recorded, SessionRepository, StoreError, Version,
};
use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};

/// Keeps sessions and events, by the rules of the domain.
///
/// Each method reads the clock at most once. What it does not do: decide what a session is taken for, or clean up
/// ([`SessionCleanupService`](super::SessionCleanupService) does).
#[derive(Clone)]
pub struct AnalyticsService {
    sessions: Arc<dyn SessionRepository>,
    events: Arc<dyn EventRepository>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
    policy: Arc<ArcSwap<SessionPolicy>>,
}

/// What became of a change to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionChange {
    /// The session as it is now.
    Done(Box<AnalyticsSession>),
    /// The session does not take it, for this reason. A session that a request starts anew has been ended.
    Refused(SessionRefusal),
    /// There is no such session.
    Absent,
}

/// Something that happened, as it is told.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// The id that whoever tells it gave it, so that telling it twice is noticed; `None` makes one.
    pub id: Option<EventId>,
    /// The session it happened in.
    pub session: SessionId,
    /// What happened.
    pub name: EventName,
    /// What is known of it beside.
    pub properties: EventProperties,
    /// When it happened; `None` is now.
    pub at: Option<DateTime<Utc>>,
}

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventAnswer {
    /// It is kept, now or since an earlier telling, under this id.
    Kept(EventId, Recorded),
    /// It is no event, for this reason.
    Refused(InvalidEvent),
}

impl AnalyticsService {
    /// The service over these stores, under this policy.
    pub fn new(
        sessions: Arc<dyn SessionRepository>,
        events: Arc<dyn EventRepository>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
        policy: SessionPolicy,
    ) -> Self {
        Self { sessions, events, clock, ids, policy: Arc::new(ArcSwap::from_pointee(policy)) }
    }

    /// Puts another policy in force, for everybody who shares the service.
    pub fn set_policy(&self, policy: SessionPolicy) {
        self.policy.store(Arc::new(policy));
    }

    /// A new session, which starts now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Conflict`] when the new id is another session's already.
    ///
    /// # Panics
    /// When the clock breaks its promise of whole microseconds.
    pub async fn create_session(&self, new: NewSession) -> Result<AnalyticsSession, StoreError> {
        let now = self.clock.now();
        let session = AnalyticsSession::start(self.ids.session_id(now), new, now)
            .expect("a clock tells whole microseconds");
        match self.sessions.create(&session, now).await? {
            Recorded::New => Ok(session),
            Recorded::Known => Err(StoreError::Conflict { entity: Entity::Session }),
        }
    }

    /// Puts an update into a session.
    ///
    /// Where a request starts another session, this one is ended for that reason and the answer says so; create the
    /// next one then.
    ///
    /// # Errors
    /// [`StoreError`]; `Conflict` only when others changed the session at each of eight attempts.
    pub async fn update_session(
        &self,
        id: SessionId,
        update: SessionUpdate,
    ) -> Result<SessionChange, StoreError> {
        let change = self.change(id, |session| session.update(&self.policy.load(), update.clone())).await?;
        if let SessionChange::Refused(SessionRefusal::StartsAnother(reason)) = &change {
            self.sessions.end(id, *reason).await?;
        }
        Ok(change)
    }

    /// Counts engagement events of now in the session that served their page, ended or not.
    ///
    /// # Errors
    /// As for [`AnalyticsService::update_session`].
    pub async fn engage(&self, id: SessionId, events: u64) -> Result<SessionChange, StoreError> {
        let now = self.clock.now();
        self.change(id, |session| session.engage(&self.policy.load(), events, now)).await
    }

    /// Whether engagement of `at` would join this session; one that is not kept stands in no way.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn takes_engagement(&self, id: SessionId, at: DateTime<Utc>) -> Result<bool, StoreError> {
        let found = self.sessions.get(id).await?;
        Ok(found.is_none_or(|found| found.value.engage(&self.policy.load(), 0, at).is_ok()))
    }

    /// The session that a request of this fingerprint would join now: open, with the newest activity, and neither silent
    /// for the gap nor at its greatest length. A campaign that the request brings is not looked at here.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_recent_session(
        &self,
        fingerprint: FingerprintHash,
    ) -> Result<Option<AnalyticsSession>, StoreError> {
        let now = self.clock.now();
        let since = self.policy.load().silent_since(now).unwrap_or(DateTime::<Utc>::MIN_UTC);
        let found = self.sessions.find_recent_by_fingerprint(fingerprint, since).await?;
        Ok(found.map(|found| found.value).filter(|session| {
            let record = session.record();
            self.policy.load().boundary(record.started_at, record.last_activity_at, false, now).is_none()
        }))
    }

    /// Ends a session for this reason, at its last activity; one that ended before keeps its first reason.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_session(
        &self,
        id: SessionId,
        reason: EndReason,
    ) -> Result<Option<AnalyticsSession>, StoreError> {
        Ok(self.sessions.end(id, reason).await?.map(|ended| ended.value))
    }

    /// Keeps events, and says of each, in their order, what became of it. One that is refused holds up no other.
    ///
    /// # Errors
    /// [`StoreError`]; then none was kept, and telling those with an id again is safe.
    ///
    /// # Panics
    /// When the store answers for fewer events than it was given, against its port.
    pub async fn record_events(&self, events: Vec<NewEvent>) -> Result<Vec<EventAnswer>, StoreError> {
        let now = self.clock.now();
        let read: Vec<Result<AnalyticsEvent, InvalidEvent>> =
            events.into_iter().map(|event| self.read(event, now)).collect();
        let kept: Vec<AnalyticsEvent> = read.iter().flatten().cloned().collect();
        let mut recorded =
            if kept.is_empty() { Vec::new() } else { self.events.record(&kept, now).await? }.into_iter();
        let answers = read.into_iter().map(|event| match event {
            Ok(event) => {
                let recorded = recorded.next().expect("a store answers for every event");
                EventAnswer::Kept(event.id(), recorded)
            }
            Err(reason) => EventAnswer::Refused(reason),
        });
        Ok(answers.collect())
    }

    fn read(&self, event: NewEvent, now: DateTime<Utc>) -> Result<AnalyticsEvent, InvalidEvent> {
        let at = event.at.unwrap_or(now);
        let id = event.id.unwrap_or_else(|| self.ids.event_id(at));
        AnalyticsEvent::new(id, event.session, event.name, event.properties, at)
    }

    /// Loads, decides and swaps, again while others change the session in between.
    async fn change(
        &self,
        id: SessionId,
        decide: impl Fn(AnalyticsSession) -> Result<AnalyticsSession, SessionRefusal> + Send + Sync,
    ) -> Result<SessionChange, StoreError> {
        let mut attempts = 0;
        loop {
            let Some(found) = self.sessions.get(id).await? else { return Ok(SessionChange::Absent) };
            let version: Version = found.version;
            let changed = match decide(found.value) {
                Ok(changed) => changed,
                Err(refusal) => return Ok(SessionChange::Refused(refusal)),
            };
            attempts += 1;
            match self.sessions.swap(version, &changed).await {
                Ok(_) => return Ok(SessionChange::Done(Box::new(changed))),
                Err(StoreError::Conflict { .. }) if attempts < ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// At each attempt somebody else got on, so eight in vain mean a session that many write at once.
const ATTEMPTS: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use analytics_domain::ids::VisitorId;
    use analytics_domain::request::RequestKind;
    use analytics_domain::session::{SessionClient, SessionCounters, SessionOrigin, SessionPlace};
    use analytics_inmemory::{Capacity, InMemoryEvents, InMemorySessions};
    use analytics_ports::ids::SequentialIds;
    use analytics_ports::{MockClock, MockEventRepository, MockSessionRepository, PageRequest, Versioned};
    use chrono::TimeDelta;

    #[tokio::test]
    async fn test_analytics_session_create() {
        let mut sessions = MockSessionRepository::new();
        let expected = AnalyticsSession::start(SessionId::from_u128(1), new_session(), at(100)).unwrap();
        let kept = expected.clone();
        sessions
            .expect_create()
            .withf(move |session, recorded_at| *session == kept && *recorded_at == at(100))
            .times(1)
            .returning(|_, _| Ok(Recorded::New));
        let service = service(sessions, MockEventRepository::new(), at(100));
        assert_eq!(service.create_session(new_session()).await.unwrap(), expected);
    }

    #[tokio::test]
    async fn an_id_that_is_another_sessions_is_a_conflict() {
        let mut sessions = MockSessionRepository::new();
        sessions.expect_create().times(1).returning(|_, _| Ok(Recorded::Known));
        let answer = service(sessions, MockEventRepository::new(), at(0)).create_session(new_session()).await;
        assert!(matches!(answer, Err(StoreError::Conflict { entity: Entity::Session })), "{answer:?}");
    }

    #[tokio::test]
    async fn test_analytics_session_update() {
        let bench = Bench::at(at(0));
        let id = bench.service.create_session(new_session()).await.unwrap().id();
        let done = bench.service.update_session(id, page_at(60)).await.unwrap();
        let mut expected = AnalyticsSession::start(id, new_session(), at(0)).unwrap().into_record();
        expected.last_activity_at = at(60);
        expected.counters = page_at(60).counters;
        let expected: AnalyticsSession = expected.try_into().unwrap();
        assert_eq!(done, SessionChange::Done(Box::new(expected.clone())));
        assert_eq!(bench.sessions.get(id).await.unwrap().map(|kept| kept.value), Some(expected));
        let absent = bench.service.update_session(SessionId::from_u128(99), page_at(60)).await.unwrap();
        assert_eq!(absent, SessionChange::Absent);
    }

    #[tokio::test]
    async fn an_update_is_decided_anew_when_somebody_else_came_first() {
        let mut sessions = MockSessionRepository::new();
        let first = AnalyticsSession::start(SessionId::from_u128(1), new_session(), at(0)).unwrap();
        let other = first.clone().update(&SessionPolicy::default(), page_at(50)).unwrap();
        let (second, reads) = (
            Version::FIRST.next(),
            std::sync::Mutex::new(vec![
                Versioned { version: Version::FIRST.next(), value: other.clone() },
                Versioned { version: Version::FIRST, value: first },
            ]),
        );
        sessions.expect_get().times(2).returning(move |_| Ok(reads.lock().unwrap().pop()));
        sessions.expect_swap().times(2).returning(move |version, _| {
            if version == second {
                Ok(version.next())
            } else {
                Err(StoreError::Conflict { entity: Entity::Session })
            }
        });
        let service = service(sessions, MockEventRepository::new(), at(60));
        let done = service.update_session(SessionId::from_u128(1), page_at(60)).await.unwrap();
        let expected = other.update(&SessionPolicy::default(), page_at(60)).unwrap();
        assert_eq!(done, SessionChange::Done(Box::new(expected)));
    }

    #[tokio::test]
    async fn an_update_gives_up_after_eight_attempts() {
        let mut sessions = MockSessionRepository::new();
        let session = AnalyticsSession::start(SessionId::from_u128(1), new_session(), at(0)).unwrap();
        let found = Versioned { version: Version::FIRST, value: session };
        sessions.expect_get().times(8).returning(move |_| Ok(Some(found.clone())));
        sessions
            .expect_swap()
            .times(8)
            .returning(|_, _| Err(StoreError::Conflict { entity: Entity::Session }));
        let answer = service(sessions, MockEventRepository::new(), at(0))
            .update_session(SessionId::from_u128(1), page_at(1))
            .await;
        assert!(matches!(answer, Err(StoreError::Conflict { entity: Entity::Session })), "{answer:?}");
    }

    #[tokio::test]
    async fn a_request_after_the_gap_ends_the_session_at_its_last_activity() {
        let bench = Bench::at(at(0));
        let id = bench.service.create_session(new_session()).await.unwrap().id();
        bench.service.update_session(id, page_at(60)).await.unwrap();
        let refused = bench.service.update_session(id, page_at(60 + 1_800)).await.unwrap();
        assert_eq!(refused, SessionChange::Refused(SessionRefusal::StartsAnother(EndReason::Inactive)));
        let kept = bench.sessions.get(id).await.unwrap().unwrap().value;
        assert_eq!(kept.ended_at(), Some(at(60)));
        assert_eq!(kept.record().end_reason, Some(EndReason::Inactive));
        assert_eq!(kept.record().counters.requests, 1);
    }

    #[tokio::test]
    async fn the_recent_session_is_neither_silent_for_the_gap_nor_too_long() {
        let bench = Bench::at(at(0));
        let session = bench.service.create_session(new_session()).await.unwrap();
        let find = async || bench.service.find_recent_session(FingerprintHash::from_u128(3)).await.unwrap();
        bench.clock.set(at(1_800) - TimeDelta::microseconds(1));
        assert_eq!(find().await, Some(session.clone()));
        bench.clock.set(at(1_800));
        assert_eq!(find().await, None);
        // A request every 25 minutes for 24 hours.
        for minutes in (25..=24 * 60).step_by(25) {
            bench.service.update_session(session.id(), page_at(minutes * 60)).await.unwrap();
        }
        bench.clock.set(at(24 * 3_600));
        assert_eq!(find().await.map(|found| found.id()), Some(session.id()));
        bench.clock.advance(TimeDelta::microseconds(1));
        assert_eq!(find().await, None);
    }

    #[tokio::test]
    async fn engagement_is_counted_after_the_end_and_moves_nothing_else() {
        let bench = Bench::at(at(0));
        let id = bench.service.create_session(new_session()).await.unwrap().id();
        let ended = bench.service.end_session(id, EndReason::Explicit).await.unwrap().unwrap();
        bench.clock.set(at(24 * 3_600));
        let mut expected = ended.into_record();
        expected.counters.engagement_events = 2;
        let done = bench.service.engage(id, 2).await.unwrap();
        assert_eq!(done, SessionChange::Done(Box::new(expected.try_into().unwrap())));
        bench.clock.advance(TimeDelta::microseconds(1));
        let refused = bench.service.engage(id, 2).await.unwrap();
        assert_eq!(refused, SessionChange::Refused(SessionRefusal::EngagementTooLate));
    }

    #[tokio::test]
    async fn test_analytics_event_recording() {
        let bench = Bench::at(at(50));
        let told = EventId::at(at(10), 7).unwrap();
        let batch = vec![
            event(None, None),
            event(Some(told), Some(at(10))),
            event(Some(told), Some(at(11))),
            event(Some(told), Some(at(10))),
        ];
        let answers = bench.service.record_events(batch.clone()).await.unwrap();
        let made = EventId::at(at(50), 1).unwrap();
        let expected = [
            EventAnswer::Kept(made, Recorded::New),
            EventAnswer::Kept(told, Recorded::New),
            EventAnswer::Refused(InvalidEvent::IdOfAnotherTime),
            EventAnswer::Kept(told, Recorded::Known),
        ];
        assert_eq!(answers, expected);
        let again = bench.service.record_events(vec![batch[1].clone()]).await.unwrap();
        assert_eq!(again, [EventAnswer::Kept(told, Recorded::Known)]);
        let page = PageRequest::first(analytics_ports::BatchLimit::default());
        let kept = bench.events.list_by_session(SessionId::from_u128(1), page).await.unwrap().items;
        let kept: Vec<_> = kept.iter().map(|event| (event.id(), event.at())).collect();
        assert_eq!(kept, [(told, at(10)), (made, at(50))]);
    }

    #[tokio::test]
    async fn events_that_cannot_be_kept_are_told_and_not_lost_in_silence() {
        let mut events = MockEventRepository::new();
        events.expect_record().times(1).returning(|_, _| Err(StoreError::unavailable("closed")));
        let service = service(MockSessionRepository::new(), events, at(0));
        let answer = service.record_events(vec![event(None, None)]).await;
        assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{answer:?}");
        assert_eq!(service.record_events(Vec::new()).await.unwrap(), []);
    }

    struct Bench {
        service: AnalyticsService,
        sessions: Arc<InMemorySessions>,
        events: Arc<InMemoryEvents>,
        clock: Arc<MockClock>,
    }

    impl Bench {
        fn at(now: DateTime<Utc>) -> Self {
            let capacity = Capacity::new(100).unwrap();
            let sessions = Arc::new(InMemorySessions::new(capacity));
            let events = Arc::new(InMemoryEvents::new(capacity));
            let clock = Arc::new(MockClock::at(now));
            let service = AnalyticsService::new(
                Arc::clone(&sessions) as _,
                Arc::clone(&events) as _,
                Arc::clone(&clock) as _,
                Arc::new(SequentialIds::new()),
                SessionPolicy::default(),
            );
            Self { service, sessions, events, clock }
        }
    }

    fn service(
        sessions: MockSessionRepository,
        events: MockEventRepository,
        now: DateTime<Utc>,
    ) -> AnalyticsService {
        AnalyticsService::new(
            Arc::new(sessions),
            Arc::new(events),
            Arc::new(MockClock::at(now)),
            Arc::new(SequentialIds::new()),
            SessionPolicy::default(),
        )
    }

    fn event(id: Option<EventId>, at: Option<DateTime<Utc>>) -> NewEvent {
        let name = EventName::new("sign_up").unwrap();
        NewEvent { id, session: SessionId::from_u128(1), name, properties: EventProperties::default(), at }
    }

    fn page_at(seconds: i64) -> SessionUpdate {
        SessionUpdate {
            activity_at: Some(at(seconds)),
            counters: SessionCounters::of_request(RequestKind::Page, Some(200)),
            ..SessionUpdate::default()
        }
    }

    fn new_session() -> NewSession {
        NewSession {
            visitor: VisitorId::from_u128(2),
            fingerprint: FingerprintHash::from_u128(3),
            user: None,
            network: None,
            client: SessionClient::default(),
            origin: SessionOrigin::default(),
            place: SessionPlace::default(),
        }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
    }
}
