//! What leaves a full store, and what callers on many keys leave in it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::sync::Arc;

use analytics_domain::anomaly::{
    AnomalyEvent, AnomalyLevel, AnomalyRule, AnomalyThreshold, Finite, MetricName,
};
use analytics_domain::audit::{AuditAction, AuditEntry, AuditRecord, AuditSubject};
use analytics_domain::detector::ReferrerFacts;
use analytics_domain::event::{AnalyticsEvent, EventName, EventProperties};
use analytics_domain::features::{
    BehavioralFigures, CatalogueVersion, FeatureVector, FeaturesRecord, MlBehavioralFeatures,
};
use analytics_domain::ids::{AnomalyEventId, BanId, EventId, FingerprintHash, SessionId, TaskId, VisitorId};
use analytics_domain::label::{Label, LabelClass, LabelRecord, LabelSource};
use analytics_domain::reputation::{
    Ban, BanReason, BanSubject, ChargedFacts, ReputationPolicy, ReputationState, observe_charged,
};
use analytics_domain::request::{Method, RequestKind};
use analytics_domain::request_row::{RequestDecision, RequestFacts, RequestRecord, RequestRow};
use analytics_domain::session::{
    AnalyticsSession, EndReason, NewSession, Points, SessionClient, SessionCounters, SessionOrigin,
    SessionPlace, SessionPolicy, SessionUpdate, Text,
};
use analytics_domain::stats::Period;
use analytics_domain::usage::{Stamp, Task, UsageStatus};
use analytics_inmemory::{
    Capacity, InMemoryAnomalies, InMemoryAudit, InMemoryBans, InMemoryEvents, InMemoryFingerprints,
    InMemoryLabels, InMemoryMlFeatures, InMemoryRequests, InMemorySessions, InMemoryThresholds,
    InMemoryUsage, StoreStats,
};
use analytics_ports::{
    AnomalyEventFilter, AnomalyEventRepository, AnomalyThresholdRepository, AuditRepository, BanRepository,
    BatchLimit, EventRepository, FingerprintRecord, FingerprintRepository, LabelRepository,
    MlFeaturesRepository, PageRequest, Recorded, RequestRepository, SessionFilter, SessionRepository,
    StoreError, UsageRepository,
};
use chrono::{DateTime, Utc};
use proptest::prelude::*;

#[tokio::test]
async fn the_ended_session_that_was_recorded_first_leaves_a_full_store() {
    let sessions = InMemorySessions::new(capacity(4));
    for (number, recorded) in [(1, 30), (2, 20), (3, 10), (4, 5)] {
        sessions.create(&session(number), at(recorded)).await.unwrap();
    }
    sessions.end(id(1), EndReason::Explicit).await.unwrap();
    sessions.end(id(2), EndReason::Explicit).await.unwrap();
    sessions.create(&session(5), at(40)).await.unwrap();
    assert_eq!(kept(&sessions).await, [5, 4, 3, 1]);
    let expected = StoreStats { entries: 4, capacity: 4, evicted: 1, evicted_in_use: 0 };
    assert_eq!(sessions.stats(), expected);
}

#[tokio::test]
async fn where_none_has_ended_the_open_session_with_the_oldest_activity_leaves() {
    let sessions = InMemorySessions::new(capacity(3));
    // A greater number starts, and is last active, later.
    for number in [2, 1, 3] {
        sessions.create(&session(number), at(0)).await.unwrap();
    }
    sessions.create(&session(4), at(0)).await.unwrap();
    assert_eq!(kept(&sessions).await, [4, 3, 2]);
    assert_eq!(sessions.find_recent_by_fingerprint(fingerprint(1), at(-1)).await.unwrap(), None);
    let expected = StoreStats { entries: 3, capacity: 3, evicted: 1, evicted_in_use: 1 };
    assert_eq!(sessions.stats(), expected);
}

#[tokio::test]
async fn the_row_of_usage_that_was_recorded_first_leaves_its_kind() {
    let usage = InMemoryUsage::new(capacity(2), Arc::new(InMemorySessions::new(capacity(1))));
    let task = |number: i64| Task {
        stamp: Stamp::new(TaskId::at(at(number), 0).unwrap(), at(number)).unwrap(),
        session: None,
        user: None,
        agent: "agent".parse().unwrap(),
        status: UsageStatus::Completed,
        duration_ms: None,
    };
    for (number, recorded) in [(1, 20), (2, 10), (3, 30)] {
        usage.record_tasks(&[task(number)], at(recorded)).await.unwrap();
    }
    let period = Period::new(at(0), at(9)).unwrap();
    let listed = usage.list_tasks(period, PageRequest::first(BatchLimit::default())).await.unwrap();
    assert_eq!(listed.items, [task(1), task(3)]);
    let expected = StoreStats { entries: 2, capacity: 10, evicted: 1, evicted_in_use: 0 };
    assert_eq!(usage.stats(), expected);
}

#[tokio::test]
async fn the_event_that_was_recorded_first_leaves_a_full_store() {
    let events = InMemoryEvents::new(capacity(2));
    for (number, recorded) in [(1, 20), (2, 10), (3, 30)] {
        events.record(&[event(number, 1)], at(recorded)).await.unwrap();
    }
    let page = PageRequest::first(BatchLimit::default());
    let listed = events.list_by_session(id(1), page).await.unwrap();
    assert_eq!(listed.items, [event(1, 1), event(3, 1)]);
    let expected = StoreStats { entries: 2, capacity: 2, evicted: 1, evicted_in_use: 0 };
    assert_eq!(events.stats(), expected);
}

#[tokio::test]
async fn the_request_that_was_recorded_first_leaves_a_full_store() {
    let requests = InMemoryRequests::new(capacity(2));
    for (number, recorded) in [(1, 20), (2, 10), (3, 30)] {
        assert_eq!(requests.insert(&[request(number)], at(recorded)).await.unwrap(), 1);
    }
    let listed = requests.list_by_session(id(1), PageRequest::first(BatchLimit::default())).await.unwrap();
    assert_eq!(listed.items, [request(1), request(3)]);
    let expected = StoreStats { entries: 2, capacity: 2, evicted: 1, evicted_in_use: 0 };
    assert_eq!(requests.stats(), expected);
}

#[tokio::test]
async fn the_label_of_the_weakest_source_leaves_a_full_store_and_those_of_people_last() {
    let labels = InMemoryLabels::new(capacity(3));
    let given = [
        (1, LabelSource::Manual, 1),
        (2, LabelSource::Heuristic, 9),
        (3, LabelSource::Heuristic, 8),
        (4, LabelSource::Honeypot, 2),
        (5, LabelSource::Manual, 3),
        (6, LabelSource::Manual, 4),
        (7, LabelSource::Manual, 5),
    ];
    for (session, source, second) in given {
        assert_eq!(labels.put(&label(session, source, second)).await.unwrap(), Recorded::New);
    }
    // 3 leaves for 4, 2 for 5, 4 for 6, and then only people's are left: 1 leaves for 7.
    let kept = labels.list(PageRequest::first(BatchLimit::default())).await.unwrap();
    assert_eq!(kept.items.iter().map(|label| label.session().as_u128()).collect::<Vec<_>>(), [5, 6, 7]);
    let expected = StoreStats { entries: 3, capacity: 3, evicted: 4, evicted_in_use: 1 };
    assert_eq!(labels.stats(), expected);
}

#[tokio::test]
async fn the_features_that_were_recorded_first_leave_a_full_store() {
    let labels = Arc::new(InMemoryLabels::new(capacity(9)));
    let stored = InMemoryMlFeatures::new(capacity(2), labels);
    for (session, as_of, recorded) in [(1, 0, 10), (2, 0, 20), (1, 1, 30), (3, 0, 40)] {
        assert_eq!(stored.save(&features(session, as_of), at(recorded)).await.unwrap(), Recorded::New);
    }
    let mut kept = Vec::new();
    for session in 1..=3 {
        kept.push(stored.by_session(id(session), catalogue()).await.unwrap());
    }
    // The row of session 1 was recorded anew, so that of session 2 is the oldest.
    assert_eq!(kept, [Some(features(1, 1)), None, Some(features(3, 0))]);
    let expected = StoreStats { entries: 2, capacity: 2, evicted: 1, evicted_in_use: 0 };
    assert_eq!(stored.stats(), expected);
}

#[tokio::test]
async fn the_oldest_entry_leaves_a_full_audit_and_is_missed() {
    let audit = InMemoryAudit::new(capacity(2));
    for second in [2, 1, 3] {
        assert_eq!(audit.record(&audited(second)).await.unwrap(), Recorded::New);
    }
    let subject = Some(AuditSubject::Session(id(1)));
    for asked in [None, subject] {
        let kept = audit.list(asked, PageRequest::first(BatchLimit::default())).await.unwrap();
        assert_eq!(kept.items, [audited(3), audited(2)]);
    }
    let expected = StoreStats { entries: 2, capacity: 2, evicted: 1, evicted_in_use: 1 };
    assert_eq!(audit.stats(), expected);
}

#[tokio::test]
async fn fingerprints_of_high_risk_leave_a_full_store_last() {
    let fingerprints = InMemoryFingerprints::new(capacity(2));
    for (number, minute, flagged) in
        [(1, 1, true), (2, 5, false), (3, 9, false), (4, 12, true), (5, 13, false)]
    {
        fingerprints.swap(None, &record(number, minute, flagged)).await.unwrap();
    }
    // 2 leaves for 3, 3 for 4, and then only 1 and 4 are left to make room for 5.
    let mut kept = Vec::new();
    for number in 1..=5 {
        if fingerprints.get(fingerprint(number)).await.unwrap().is_some() {
            kept.push(number);
        }
    }
    assert_eq!(kept, [4, 5]);
    let expected = StoreStats { entries: 2, capacity: 2, evicted: 3, evicted_in_use: 1 };
    assert_eq!(fingerprints.stats(), expected);
}

proptest! {
    #[test]
    fn fingerprints_leave_in_the_order_of_a_plain_list_however_they_were_seen_before(
        room in 1u32..5,
        calls in proptest::collection::vec((0u128..6, 0i64..8, any::<bool>(), prop::option::weighted(0.2, 1u32..4)), 1..60),
    ) {
        let fingerprints = InMemoryFingerprints::new(capacity(room));
        // High risk or not, the minute when last seen, which.
        let mut model: Vec<(bool, i64, u128)> = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for (number, minute, flagged, deleting) in calls {
            let kept = |number| runtime.block_on(fingerprints.get(fingerprint(number))).unwrap();
            if let Some(limit) = deleting {
                let mut old: Vec<_> = model.iter().copied().filter(|&(_, seen, _)| seen < minute).collect();
                old.sort_by_key(|&(_, seen, number)| (seen, number));
                old.truncate(limit as usize);
                model.retain(|row| !old.contains(row));
                let limit = BatchLimit::new(limit).unwrap();
                let before = record(0, minute, false).report().last_seen;
                let deleted = runtime.block_on(fingerprints.delete_seen_before(before, limit));
                prop_assert_eq!(deleted.unwrap() as usize, old.len());
            } else {
                let version = kept(number).map(|kept| kept.version);
                runtime.block_on(fingerprints.swap(version, &record(number, minute, flagged))).unwrap();
                model.sort_unstable();
                match model.iter().position(|&(_, _, known)| known == number) {
                    Some(place) => _ = model.remove(place),
                    None => _ = model.drain(..(model.len() + 1).saturating_sub(room as usize)),
                }
                model.push((flagged, minute, number));
            }
            for number in 0..6 {
                let known = model.iter().any(|&(_, _, known)| known == number);
                prop_assert_eq!(kept(number).is_some(), known, "{} after {:?}", number, model);
            }
        }
    }
}

#[tokio::test]
async fn would_bans_leave_a_full_store_first_and_then_the_ban_that_ends_first() {
    let bans = InMemoryBans::new(capacity(2));
    for (number, until, would_ban) in [(1, 50, false), (2, 90, true), (3, 60, false), (4, 70, false)] {
        bans.put(&ban(number, until, would_ban)).await.unwrap();
    }
    let page = PageRequest::first(BatchLimit::default());
    let running = bans.list_running(at(1), page).await.unwrap();
    assert_eq!(running.items, [ban(3, 60, false), ban(4, 70, false)]);
    let expected = StoreStats { entries: 2, capacity: 2, evicted: 2, evicted_in_use: 2 };
    assert_eq!(bans.stats(), expected);
}

#[tokio::test]
async fn closed_anomalies_leave_a_full_store_first_and_then_the_one_that_was_opened_first() {
    let anomalies = InMemoryAnomalies::new(capacity(2));
    for (number, opened, closed) in [(1, 10, false), (2, 20, true), (3, 30, false), (4, 40, false)] {
        anomalies.put(&anomaly(number, opened, closed)).await.unwrap();
    }
    let page = PageRequest::first(BatchLimit::default());
    let listed = anomalies.list(&AnomalyEventFilter::default(), page).await.unwrap();
    assert_eq!(listed.items, [anomaly(4, 40, false), anomaly(3, 30, false)]);
    let expected = StoreStats { entries: 2, capacity: 2, evicted: 2, evicted_in_use: 1 };
    assert_eq!(anomalies.stats(), expected);
}

#[tokio::test]
async fn the_threshold_that_was_first_put_longest_ago_leaves_a_full_store() {
    let thresholds = InMemoryThresholds::new(capacity(2));
    let threshold = |name: &str| AnomalyThreshold::new(MetricName::new(name).unwrap(), 1.0, 2.0).unwrap();
    for name in ["b", "a", "b", "c"] {
        thresholds.put(&threshold(name)).await.unwrap();
    }
    let listed = thresholds.list(PageRequest::first(BatchLimit::default())).await.unwrap();
    assert_eq!(listed.items, ["a", "c"].map(threshold));
    let expected = StoreStats { entries: 2, capacity: 2, evicted: 1, evicted_in_use: 1 };
    assert_eq!(thresholds.stats(), expected);
}

#[tokio::test]
async fn a_store_never_holds_more_than_its_capacity_and_counts_all_that_left() {
    let (sessions, events) = (InMemorySessions::new(capacity(1_000)), InMemoryEvents::new(capacity(1_000)));
    for number in 0..5_000 {
        sessions.create(&session(number), at(0)).await.unwrap();
        events.record(&[event(number, number % 7)], at(0)).await.unwrap();
    }
    for stats in [sessions.stats(), events.stats()] {
        assert_eq!(stats.entries + stats.evicted, 5_000);
        assert_eq!((stats.entries, stats.capacity), (1_000, 1_000));
    }
    let mut listed = 0;
    for number in 0..7 {
        let page = PageRequest::first(BatchLimit::new(10_000).unwrap());
        listed += events.list_by_session(id(number), page).await.unwrap().items.len();
    }
    assert_eq!(listed, 1_000);
}

#[tokio::test]
async fn two_stores_that_were_told_the_same_hold_the_same() {
    let fill = async || {
        let sessions = InMemorySessions::new(capacity(300));
        for number in 0..1_000u128 {
            let number = number.wrapping_mul(0x5851_f42d_4c95_7f2d_1405_7b7e_f767_814f);
            sessions.create(&session_with(number, (number % 1_009) as i64), at(0)).await.unwrap();
            if number % 3 == 0 {
                sessions.end(id(number), EndReason::Explicit).await.unwrap();
            }
        }
        kept(&sessions).await
    };
    assert_eq!(fill().await, fill().await);
}

#[test]
fn callers_on_many_keys_lose_no_update() {
    let sessions = Arc::new(InMemorySessions::new(capacity(100_000)));
    let events = Arc::new(InMemoryEvents::new(capacity(100_000)));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (sessions, events) = (Arc::clone(&sessions), Arc::clone(&events));
            scope.spawn(move || {
                on_this_thread(async {
                    for round in 0..ROUNDS {
                        for key in 0..KEYS {
                            // Every thread walks the keys from another one, and all meet on each.
                            let key = (key + thread * 31) % KEYS;
                            count_one(&sessions, key).await;
                            let number = (thread * ROUNDS + round) * KEYS + key;
                            let batch = [event(number, key), event(number, key)];
                            let answers = events.record(&batch, at(0)).await.unwrap();
                            assert_eq!(answers, [Recorded::New, Recorded::Known]);
                        }
                    }
                });
            });
        }
    });
    on_this_thread(async {
        for key in 0..KEYS {
            let kept = sessions.get(id(key)).await.unwrap().unwrap();
            let all = u64::try_from(THREADS * ROUNDS).unwrap();
            assert_eq!((kept.value.record().counters.requests, kept.version.get()), (all, all + 1));
            let page = PageRequest::first(BatchLimit::default());
            let listed = events.list_by_session(id(key), page).await.unwrap();
            assert_eq!(listed.items.len() as u128, THREADS * ROUNDS);
        }
        let open = sessions.list_open_idle(at(1_000_000), BatchLimit::default()).await.unwrap();
        assert_eq!(open.len() as u128, KEYS);
    });
    assert_eq!(sessions.stats().entries as u128, KEYS);
}

#[test]
fn a_clean_up_and_requests_at_once_leave_each_session_either_moved_or_ended() {
    let sessions = Arc::new(InMemorySessions::new(capacity(100_000)));
    let policy = SessionPolicy::default();
    on_this_thread(async {
        for number in 0..500 {
            sessions.create(&session_with(number, 0), at(0)).await.unwrap();
        }
    });
    let (ended, moved) = std::thread::scope(|scope| {
        let cleaner = scope.spawn(|| {
            on_this_thread(async {
                let mut ended = 0;
                loop {
                    let batch = sessions.end_expired(at(0), BatchLimit::new(10).unwrap()).await.unwrap();
                    if batch.is_empty() {
                        return ended;
                    }
                    ended += batch.len();
                }
            })
        });
        let mover = scope.spawn(|| {
            on_this_thread(async {
                let mut moved = 0;
                for number in (0..500).rev() {
                    let open = sessions.get(id(number)).await.unwrap().unwrap();
                    let update = SessionUpdate { activity_at: Some(at(9)), ..SessionUpdate::default() };
                    let Ok(new) = open.value.update(&policy, update) else { continue };
                    match sessions.swap(open.version, &new).await {
                        Ok(_) => moved += 1,
                        Err(StoreError::Conflict { .. }) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
                moved
            })
        });
        (cleaner.join().unwrap(), mover.join().unwrap())
    });
    assert_eq!(ended + moved, 500);
    on_this_thread(async {
        let left = sessions.list_open_idle(at(9), BatchLimit::default()).await.unwrap();
        assert_eq!(left.len(), moved);
    });
}

async fn count_one(sessions: &InMemorySessions, key: u128) {
    let policy = SessionPolicy::default();
    sessions.create(&session_with(key, 0), at(0)).await.unwrap();
    loop {
        let kept = sessions.get(id(key)).await.unwrap().unwrap();
        let update = SessionUpdate {
            counters: SessionCounters::of_request(RequestKind::Api, None),
            ..SessionUpdate::default()
        };
        let new = kept.value.update(&policy, update).unwrap();
        match sessions.swap(kept.version, &new).await {
            Ok(_) => return,
            Err(StoreError::Conflict { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

fn on_this_thread<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

async fn kept(sessions: &InMemorySessions) -> Vec<u128> {
    let page = PageRequest::first(BatchLimit::new(10_000).unwrap());
    let listed = sessions.list(&SessionFilter::default(), page).await.unwrap();
    listed.items.iter().map(|session| session.id().as_u128()).collect()
}

fn session(number: u128) -> AnalyticsSession {
    session_with(number, number as i64)
}

fn session_with(number: u128, start: i64) -> AnalyticsSession {
    let new = NewSession {
        visitor: VisitorId::from_u128(number),
        fingerprint: fingerprint(number),
        user: None,
        network: None,
        client: SessionClient::default(),
        origin: SessionOrigin::default(),
        place: SessionPlace::default(),
    };
    AnalyticsSession::start(id(number), new, at(start)).unwrap()
}

fn event(number: u128, session: u128) -> AnalyticsEvent {
    let name = EventName::new("view").unwrap();
    let id = EventId::at(at(0), number).unwrap();
    AnalyticsEvent::new(id, SessionId::from_u128(session), name, EventProperties::default(), at(0)).unwrap()
}

fn label(session: u128, source: LabelSource, second: i64) -> Label {
    LabelRecord {
        session: id(session),
        source,
        class: LabelClass::Bot,
        confidence: Points::default(),
        at: at(second),
        author: None,
    }
    .try_into()
    .unwrap()
}

fn features(session: u128, as_of: i64) -> MlBehavioralFeatures {
    FeaturesRecord {
        session: id(session),
        catalogue: catalogue(),
        as_of: at(as_of),
        figures: BehavioralFigures::default(),
        feature_vector: FeatureVector::default(),
    }
    .try_into()
    .unwrap()
}

fn catalogue() -> CatalogueVersion {
    CatalogueVersion::new(1).unwrap()
}

/// What somebody did about session 1 at this second.
fn audited(second: i64) -> AuditEntry {
    AuditRecord {
        id: EventId::at(at(second), 1).unwrap(),
        at: at(second),
        actor: Text::cut("ann"),
        action: AuditAction::Label,
        subject: AuditSubject::Session(id(1)),
        reason: None,
        details: EventProperties::default(),
    }
    .try_into()
    .unwrap()
}

/// The request of session 1 with this number in its id.
fn request(number: u128) -> RequestRow {
    RequestRecord {
        id: EventId::at(at(0), number).unwrap(),
        session: id(1),
        visitor: VisitorId::from_u128(1),
        fingerprint: fingerprint(1),
        at: at(0),
        arrival: 0,
        method: Method::Get,
        version: None,
        path: Text::cut("/"),
        kind: RequestKind::Page,
        status: None,
        bytes: None,
        duration_us: None,
        referrer_host: None,
        charged: true,
        decision: RequestDecision::Admitted,
        facts: RequestFacts {
            page: 0,
            directory: 0,
            number: None,
            probe: None,
            trap: false,
            referrer: ReferrerFacts::Missing,
            campaign: None,
            headers: None,
        },
    }
    .try_into()
    .unwrap()
}

fn record(number: u128, minute: i64, flagged: bool) -> FingerprintRecord {
    let (policy, now) = (ReputationPolicy::default(), at(60 * minute));
    let mut state = ReputationState::default();
    observe_charged(&policy, &mut state, ChargedFacts::default(), now);
    if flagged {
        state.flag();
    }
    FingerprintRecord::of(&policy, fingerprint(number), state, now).unwrap()
}

fn ban(number: u128, until: i64, would_ban: bool) -> Ban {
    Ban {
        id: BanId::from_u128(number),
        subject: BanSubject::Fingerprint(fingerprint(number)),
        reason: BanReason::Manual,
        from: at(0),
        until: at(until),
        would_ban,
    }
}

fn anomaly(number: u128, opened: i64, closed: bool) -> AnomalyEvent {
    AnomalyEvent {
        id: AnomalyEventId::from_u128(number),
        metric: MetricName::new("errors").unwrap(),
        rule: AnomalyRule::Threshold,
        level: AnomalyLevel::Warning,
        since: at(opened),
        opened_at: at(opened),
        value: Finite::default(),
        expected: None,
        score: None,
        closed_at: closed.then(|| at(opened + 1)),
        acknowledged_at: None,
    }
}

fn capacity(entries: u32) -> Capacity {
    Capacity::new(entries).unwrap()
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
}

const fn id(number: u128) -> SessionId {
    SessionId::from_u128(number)
}

const fn fingerprint(number: u128) -> FingerprintHash {
    FingerprintHash::from_u128(number)
}

const THREADS: u128 = 8;
const KEYS: u128 = 256;
const ROUNDS: u128 = 20;
