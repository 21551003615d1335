//! Stores with rows of five days, and runners over them.

use std::any::Any;
use std::sync::Arc;

use analytics_app::services::jobs::{JobPolicies, JobRunner, JobStores};
use analytics_domain::anomaly::{AnomalyEvent, AnomalyLevel, AnomalyRule, Finite, MetricName};
use analytics_domain::audit::{AuditAction, AuditEntry, AuditRecord, AuditSubject};
use analytics_domain::detector::ReferrerFacts;
use analytics_domain::event::{AnalyticsEvent, EventName, EventProperties};
use analytics_domain::ids::{AnomalyEventId, BanId, EventId, FingerprintHash, SessionId, TaskId, VisitorId};
use analytics_domain::reputation::{
    Ban, BanReason, BanSubject, ChargedFacts, ReputationPolicy, ReputationState, observe_charged,
};
use analytics_domain::request::{Method, RequestKind};
use analytics_domain::request_row::{RequestDecision, RequestFacts, RequestRecord};
use analytics_domain::session::{
    AnalyticsSession, NewSession, Retained, RetentionPolicy, SessionClient, SessionOrigin, SessionPlace, Text,
};
use analytics_domain::stats::Period;
use analytics_domain::usage::{Stamp, Task, UsageStatus};
use analytics_inmemory::{
    Capacity, InMemoryAnomalies, InMemoryAudit, InMemoryBans, InMemoryEngagement, InMemoryEvents,
    InMemoryFingerprints, InMemoryLabels, InMemoryLeaders, InMemoryMlFeatures, InMemoryRequests,
    InMemorySessions, InMemoryUsage, NoPartitions,
};
use analytics_ports::{BatchLimit, FingerprintRecord, LeaderLock, MockClock, PageRequest, SessionFilter};
use analytics_postgres::{PostgresOptions, PostgresStore};
use chrono::{DateTime, TimeDelta, Utc};

use crate::database::TestDatabase;

/// One store as two processes see it.
pub(crate) struct Bench {
    stores: [JobStores; 2],
    pub(crate) leaders: [Arc<dyn LeaderLock>; 2],
    pub(crate) clock: Arc<MockClock>,
    pub(crate) is_partitioned: bool,
    /// Dropped after the test.
    _guard: Box<dyn Any + Send + Sync>,
}

impl Bench {
    pub(crate) fn in_memory() -> Self {
        let capacity = Capacity::new(1_000).unwrap();
        let sessions = Arc::new(InMemorySessions::new(capacity));
        let labels = Arc::new(InMemoryLabels::new(capacity));
        let stores = JobStores {
            usage: Arc::new(InMemoryUsage::new(capacity, Arc::clone(&sessions))),
            sessions,
            events: Arc::new(InMemoryEvents::new(capacity)),
            requests: Arc::new(InMemoryRequests::new(capacity)),
            engagement: Arc::new(InMemoryEngagement::new(capacity)),
            features: Arc::new(InMemoryMlFeatures::new(capacity, labels)),
            audit: Arc::new(InMemoryAudit::new(capacity)),
            anomalies: Arc::new(InMemoryAnomalies::new(capacity)),
            fingerprints: Arc::new(InMemoryFingerprints::new(capacity)),
            bans: Arc::new(InMemoryBans::new(capacity)),
            partitions: Arc::new(NoPartitions),
        };
        let leaders = Arc::new(InMemoryLeaders::new());
        Self {
            stores: [stores.clone(), stores],
            leaders: [leaders.clone(), leaders],
            clock: Arc::new(MockClock::at(day(0))),
            is_partitioned: false,
            _guard: Box::new(()),
        }
    }

    pub(crate) async fn postgres() -> Self {
        let database = TestDatabase::migrated().await;
        let one = PostgresStore::connect(&database.url(), &PostgresOptions::default()).await.unwrap();
        let other = PostgresStore::connect(&database.url(), &PostgresOptions::default()).await.unwrap();
        Self {
            stores: [&one, &other].map(|store| JobStores {
                sessions: Arc::new(store.sessions()),
                events: Arc::new(store.events()),
                requests: Arc::new(store.requests()),
                engagement: Arc::new(store.engagement()),
                usage: Arc::new(store.usage()),
                features: Arc::new(store.features()),
                audit: Arc::new(store.audit()),
                anomalies: Arc::new(store.anomalies()),
                fingerprints: Arc::new(store.fingerprints()),
                bans: Arc::new(store.bans()),
                partitions: Arc::new(store.upkeep()),
            }),
            leaders: [&one, &other].map(|store| Arc::new(store.leaders()) as Arc<dyn LeaderLock>),
            clock: Arc::new(MockClock::at(day(0))),
            is_partitioned: true,
            _guard: Box::new(database),
        }
    }

    /// The stores, as this process sees them.
    pub(crate) fn stores(&self, process: usize) -> JobStores {
        self.stores[process].clone()
    }

    /// A runner of this process.
    pub(crate) fn runner(&self, process: usize) -> JobRunner {
        self.runner_over(self.stores(process), process)
    }

    /// A runner of this process over these stores.
    pub(crate) fn runner_over(&self, stores: JobStores, process: usize) -> JobRunner {
        JobRunner::new(stores, self.leaders[process].clone(), self.clock.clone(), Self::policies())
    }

    /// Everything is kept for ten days, and a batch has two rows.
    pub(crate) fn policies() -> JobPolicies {
        let retention = RetentionPolicy::new(10, 10, 2).unwrap();
        let retention =
            Retained::ALL.into_iter().fold(retention, |kept, kind| kept.with_days(kind, 10).unwrap());
        JobPolicies { retention, ..JobPolicies::default() }
    }

    /// Five rows of most kinds, of days 0 to 4; five bans, of which one runs for long; three fingerprints.
    pub(crate) async fn fill(&self) {
        let stores = &self.stores[0];
        for number in 0..5u32 {
            let (at, id) = (day(number), u128::from(number));
            stores.sessions.create(&session(id, at), at).await.unwrap();
            stores.events.record(&[event(id, at)], at).await.unwrap();
            stores.requests.insert(&[request(id, at).try_into().unwrap()], at).await.unwrap();
            stores.usage.record_tasks(&[task(id, at)], at).await.unwrap();
            stores.audit.record(&audit(id, at)).await.unwrap();
            stores.anomalies.put(&anomaly(id, at)).await.unwrap();
            let until = if number == 4 { day(14) } else { day(13) };
            stores.bans.put(&ban(id, at, until)).await.unwrap();
        }
        for (number, seen, requests, by_person) in [(1, 0, 1, false), (2, 5, 101, false), (3, 5, 1, true)] {
            let record = fingerprint(number, day(seen), requests, by_person);
            stores.fingerprints.swap(None, &record).await.unwrap();
        }
    }

    /// What is left of events, requests, sessions and tasks, in the order of text.
    pub(crate) async fn rows(&self) -> Vec<String> {
        let stores = &self.stores[0];
        let limit = BatchLimit::default();
        let mut rows = Vec::new();
        for number in 0..5 {
            let (session, first) = (SessionId::from_u128(number), PageRequest::first(limit));
            let events = stores.events.list_by_session(session, first).await.unwrap().items;
            rows.extend(events.iter().map(|_| format!("event {number}")));
            let requests = stores.requests.list_by_session(session, first).await.unwrap().items;
            rows.extend(requests.iter().map(|_| format!("request {number}")));
        }
        let sessions =
            stores.sessions.list(&SessionFilter::default(), PageRequest::first(limit)).await.unwrap();
        rows.extend(sessions.items.iter().map(|session| format!("session {}", session.id().as_u128())));
        let period = Period::new(day(0), day(5)).unwrap();
        let tasks = stores.usage.list_tasks(period, PageRequest::first(limit)).await.unwrap().items;
        rows.extend(tasks.iter().map(|task| format!("task {}", (task.stamp.at() - day(0)).num_days())));
        rows.sort();
        rows
    }
}

/// Noon, this many days after the 15th of November 2023.
pub(crate) fn day(number: u32) -> DateTime<Utc> {
    let first: DateTime<Utc> = "2023-11-15T12:00:00Z".parse().unwrap();
    first + TimeDelta::days(i64::from(number))
}

fn session(number: u128, at: DateTime<Utc>) -> AnalyticsSession {
    let new = NewSession {
        visitor: VisitorId::from_u128(number),
        fingerprint: FingerprintHash::from_u128(number),
        user: None,
        network: None,
        client: SessionClient::default(),
        origin: SessionOrigin::default(),
        place: SessionPlace::default(),
    };
    AnalyticsSession::start(SessionId::from_u128(number), new, at).unwrap()
}

fn event(number: u128, at: DateTime<Utc>) -> AnalyticsEvent {
    let (id, name) = (EventId::at(at, number).unwrap(), EventName::new("view").unwrap());
    AnalyticsEvent::new(id, SessionId::from_u128(number), name, EventProperties::default(), at).unwrap()
}

fn request(number: u128, at: DateTime<Utc>) -> RequestRecord {
    RequestRecord {
        id: EventId::at(at, number).unwrap(),
        session: SessionId::from_u128(number),
        visitor: VisitorId::from_u128(number),
        fingerprint: FingerprintHash::from_u128(number),
        at,
        arrival: 0,
        method: Method::Get,
        version: None,
        path: Text::cut("/"),
        kind: RequestKind::Page,
        status: Some(200),
        bytes: None,
        duration_us: None,
        referrer_host: None,
        charged: false,
        decision: RequestDecision::Admitted,
        facts: RequestFacts {
            page: 0,
            directory: 0,
            number: None,
            probe: None,
            trap: false,
            referrer: ReferrerFacts::Unobserved,
            campaign: None,
            headers: None,
        },
    }
}

fn task(number: u128, at: DateTime<Utc>) -> Task {
    Task {
        stamp: Stamp::new(TaskId::at(at, number).unwrap(), at).unwrap(),
        session: None,
        user: None,
        agent: "agent".parse().unwrap(),
        status: UsageStatus::Completed,
        duration_ms: None,
    }
}

fn audit(number: u128, at: DateTime<Utc>) -> AuditEntry {
    AuditRecord {
        id: EventId::at(at, number).unwrap(),
        at,
        actor: Text::cut("ann"),
        action: AuditAction::ClearAsHuman,
        subject: AuditSubject::Session(SessionId::from_u128(number)),
        reason: None,
        details: EventProperties::default(),
    }
    .try_into()
    .unwrap()
}

fn anomaly(number: u128, at: DateTime<Utc>) -> AnomalyEvent {
    AnomalyEvent {
        id: AnomalyEventId::from_u128(number),
        metric: MetricName::new("errors").unwrap(),
        rule: AnomalyRule::Threshold,
        level: AnomalyLevel::Warning,
        since: at,
        opened_at: at,
        value: Finite::new(1.0).unwrap(),
        expected: None,
        score: None,
        closed_at: None,
        acknowledged_at: None,
    }
}

fn ban(number: u128, from: DateTime<Utc>, until: DateTime<Utc>) -> Ban {
    let subject = BanSubject::Fingerprint(FingerprintHash::from_u128(number));
    let (id, reason) = (BanId::from_u128(number), BanReason::Manual);
    Ban { id, subject, reason, from, until, would_ban: false }
}

/// A fingerprint that made this many charged requests at this time, and that a person flagged or not. More than 100
/// raise a flag that lapses.
fn fingerprint(number: u128, at: DateTime<Utc>, requests: u32, by_person: bool) -> FingerprintRecord {
    let (policy, mut state) = (ReputationPolicy::default(), ReputationState::default());
    for _ in 0..requests {
        observe_charged(&policy, &mut state, ChargedFacts::default(), at);
    }
    if by_person {
        state.flag();
    }
    let record = FingerprintRecord::of(&policy, FingerprintHash::from_u128(number), state, at).unwrap();
    assert_eq!(record.is_high_risk(), requests > 100 || by_person);
    record
}
