//! Beacons through the service, over stores in memory and over stores that fail.

use super::*;
use analytics_domain::detector::profile::TrackerMarks;
use analytics_domain::ids::{FingerprintHash, VisitorId};
use analytics_domain::session::{
    AnalyticsSession, EndReason, NewSession, SessionClient, SessionOrigin, SessionPlace, SessionPolicy,
};
use analytics_inmemory::{Capacity, InMemoryEngagement, InMemoryEvents, InMemorySessions};
use analytics_ports::ids::SequentialIds;
use analytics_ports::{
    BatchLimit, EventRepository, MockClock, MockEngagementRepository, PageRequest, SessionRepository,
};
use chrono::TimeDelta;
use serde_json::{Value, json};

const PAGE: &str = "https://example.com/a";
const BROWSER: Sender = Sender { session: None, is_host: false };
const HOST: Sender = Sender { session: None, is_host: true };

#[tokio::test]
async fn a_beacon_with_the_token_of_its_page_is_kept_bound_and_counted_in_its_session() {
    let bench = Bench::new().await;
    let token = bench.token(PAGE).await;
    bench.clock.advance(TimeDelta::seconds(20));
    let told = bench
        .take(
            None,
            &json!({"token": token, "page_url": PAGE, "time_on_page_ms": 20_000,
        "visible_time_ms": 20_000, "max_scroll_depth": 80, "click_count": 1,
        "viewport_width": 1_280, "viewport_height": 720.9}),
        )
        .await;
    let [BeaconAnswer::Kept { id }] = told.answers[..] else { panic!("{told:?}") };
    let marks = TrackerMarks { engaged: true, ..TrackerMarks::default() };
    let at = bench.clock.now();
    let viewport = Some((1_280, 720));
    assert_eq!(told.reports, [EngagementReport { session: bench.session, at, marks, viewport }]);
    let kept = bench.kept().await;
    assert_eq!(kept.len(), 1);
    let record = kept[0].record();
    assert_eq!((record.id, record.session, record.bound), (id, bench.session, true));
    assert_eq!((record.figures.time_on_page_ms, record.figures.max_scroll_depth), (Some(20_000), Some(80)));
    assert_eq!(bench.engagement_events().await, 1);
}

#[tokio::test]
async fn a_beacon_that_comes_twice_is_kept_once() {
    let bench = Bench::new().await;
    let token = bench.token(PAGE).await;
    bench.clock.advance(TimeDelta::seconds(5));
    let beacon = json!({"id": bench.id(1), "token": token, "page_url": PAGE, "time_on_page_ms": 5_000});
    let first = bench.take(None, &beacon).await;
    assert!(matches!(first.answers[..], [BeaconAnswer::Kept { .. }]), "{first:?}");
    bench.clock.advance(TimeDelta::seconds(60));
    let again = bench.take(None, &beacon).await;
    let [BeaconAnswer::Kept { id }] = first.answers[..] else { panic!("{first:?}") };
    assert_eq!(again, Taken { answers: vec![BeaconAnswer::Known { id }], reports: vec![] });
    assert_eq!((bench.kept().await.len(), bench.engagement_events().await), (1, 1));
}

#[tokio::test]
async fn beacons_with_one_token_cannot_tell_of_the_same_time_twice() {
    let bench = Bench::new().await;
    let token = bench.token(PAGE).await;
    let told = async |ms| {
        bench.take(None, &json!({"token": token, "page_url": PAGE, "time_on_page_ms": ms})).await;
        bench.kept().await.last().unwrap().record().clone()
    };
    bench.clock.advance(TimeDelta::seconds(60));
    assert!(told(60_000).await.implausible.is_empty());
    bench.clock.advance(TimeDelta::seconds(10));
    let second = told(60_000).await;
    assert_eq!(second.figures.time_on_page_ms, Some(12_000), "10 s since the first, and 2 s for drift");
    assert!(second.bound && !second.implausible.is_empty());
    bench.clock.advance(TimeDelta::seconds(10));
    assert!(told(10_000).await.implausible.is_empty());
}

#[tokio::test]
async fn a_beacon_that_a_later_one_overtook_is_kept_and_proves_nothing() {
    let bench = Bench::new().await;
    let token = bench.token(PAGE).await;
    bench.clock.advance(TimeDelta::seconds(30));
    let early = bench.id(1);
    bench.clock.advance(TimeDelta::seconds(30));
    let beacon =
        |id| json!({"id": id, "token": token, "page_url": PAGE, "time_on_page_ms": 30_000, "click_count": 3});
    bench.take(None, &beacon(bench.id(2))).await;
    let told = bench.take(None, &beacon(early)).await;
    let reason = Unbound::OutOfOrder;
    assert!(matches!(told.answers[..], [BeaconAnswer::Unbound { reason: r, .. }] if r == reason), "{told:?}");
    assert_eq!(told.reports[0].marks, TrackerMarks::default());
}

#[tokio::test]
async fn a_beacon_without_a_valid_token_joins_its_senders_session_and_proves_nothing() {
    let bench = Bench::new().await;
    let token = bench.token(PAGE).await;
    let other = "https://example.com/b";
    let cases = [
        (json!({"page_url": PAGE, "click_count": 1}), Unbound::NoToken),
        (json!({"page_url": PAGE, "token": "x"}), Unbound::MalformedToken),
        (json!({"page_url": other, "token": token}), Unbound::ForgedToken),
    ];
    for (beacon, expected) in cases {
        let told = bench.take(Some(bench.session), &beacon).await;
        let [BeaconAnswer::Unbound { reason, .. }] = told.answers[..] else { panic!("{told:?}") };
        assert_eq!(reason, expected);
        assert_eq!(told.reports[0].marks, TrackerMarks::default());
        assert!(!bench.kept().await.last().unwrap().record().bound);
        let nobody = bench.take(None, &beacon).await;
        assert_eq!(nobody.answers, [RefusedBeacon::NoSession.into()]);
    }
    bench.clock.advance(TimeDelta::milliseconds(86_400_001));
    let old = bench.take(None, &json!({"page_url": PAGE, "token": token})).await;
    assert_eq!(old.answers, [RefusedBeacon::NoSession.into()]);
    let counts = bench.service.counts();
    let count = |result, reason| {
        counts.get(&BeaconOutcome { kind: BeaconKind::Engagement, result, reason }).copied().unwrap_or(0)
    };
    assert_eq!((count("unbound", "no_token"), count("unbound", "forged_token")), (1, 1));
    assert_eq!(count("refused", "no_session"), 4);
}

#[tokio::test]
async fn what_is_impossible_is_brought_to_what_is_possible_and_reported() {
    let bench = Bench::new().await;
    let token = bench.token(PAGE).await;
    bench.clock.advance(TimeDelta::seconds(1));
    let told = bench
        .take(
            None,
            &json!({"token": token, "page_url": PAGE, "time_on_page_ms": 60_000,
        "max_scroll_depth": 400, "click_count": 9_999}),
        )
        .await;
    let marks = TrackerMarks { implausible: true, ..TrackerMarks::default() };
    assert_eq!(told.reports[0].marks, marks);
    let figures = bench.kept().await[0].record().figures;
    let expected = (Some(3_000), Some(100), Some(36));
    assert_eq!((figures.time_on_page_ms, figures.max_scroll_depth, figures.click_count), expected);
}

#[tokio::test]
async fn automation_is_reported_by_its_flags_and_by_its_window() {
    let bench = Bench::new().await;
    let automated = async |extra: (&str, Value)| {
        let mut beacon = json!({"page_url": PAGE});
        beacon[extra.0] = extra.1;
        bench.take(Some(bench.session), &beacon).await.reports[0].marks.automated
    };
    assert!(automated(("automation", json!(["webdriver"]))).await);
    assert!(automated(("automation", json!(["something_new"]))).await);
    assert!(automated(("viewport_width", json!(0))).await);
    assert!(!automated(("automation", json!([]))).await);
}

#[tokio::test]
async fn of_a_batch_each_item_is_answered_in_its_place() {
    let bench = Bench::with_hosts(&["example.com"]).await;
    let token = bench.token(PAGE).await;
    let id = bench.id(5);
    let body = json!([
        {"page_url": PAGE, "token": token, "id": id},
        {"page_url": 7},
        {"page_url": ""},
        {"page_url": "https://elsewhere.net/"},
        {"page_url": PAGE, "id": "00000000000000000000000000000001"},
        {"page_url": PAGE, "token": token, "id": id},
    ]);
    let told = bench.service.engage(None, Form::Batch, body.to_string().as_bytes()).await.unwrap();
    let told: Vec<Value> = told.answers.iter().map(|answer| serde_json::to_value(answer).unwrap()).collect();
    let refused = |n: usize, reason: &str| {
        assert_eq!((&told[n]["result"], &told[n]["reason"]), (&json!("refused"), &json!(reason)));
        assert!(told[n]["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    };
    assert_eq!(told[0], json!({"result": "kept", "id": id}));
    refused(1, "malformed");
    refused(2, "no_page");
    refused(3, "foreign_page");
    refused(4, "id_of_another_time");
    assert_eq!(told[5], json!({"result": "known", "id": id}));
    assert_eq!(bench.engagement_events().await, 1);
}

#[tokio::test]
async fn engagement_joins_an_ended_session_for_a_day() {
    let bench = Bench::new().await;
    bench.clock.advance(TimeDelta::seconds(1));
    let token = bench.token(PAGE).await;
    bench.sessions.end(bench.session, EndReason::Revoked).await.unwrap();
    bench.clock.set(at(0) + TimeDelta::days(1));
    let beacon = json!({"page_url": PAGE, "token": token});
    let joined = bench.take(None, &beacon).await;
    assert!(matches!(joined.answers[..], [BeaconAnswer::Kept { .. }]), "{joined:?}");
    bench.clock.advance(TimeDelta::microseconds(1));
    assert_eq!(bench.take(None, &beacon).await.answers, [RefusedBeacon::TooLate.into()]);
    assert_eq!((bench.kept().await.len(), bench.engagement_events().await), (1, 1));
}

#[tokio::test]
async fn a_session_that_is_stored_later_is_counted_in_later() {
    let bench = Bench::new().await;
    let live = SessionId::from_u128(77);
    let told = bench.take(Some(live), &json!({"page_url": PAGE})).await;
    assert_eq!(told.reports[0].session, live);
    bench.service.settle().await;
    let session = AnalyticsSession::start(live, new_session(), at(0)).unwrap();
    bench.sessions.create(&session, at(0)).await.unwrap();
    bench.take(Some(live), &json!({"page_url": PAGE})).await;
    bench.service.settle().await;
    bench.service.settle().await;
    let kept = bench.sessions.get(live).await.unwrap().unwrap().value;
    assert_eq!(kept.record().counters.engagement_events, 2);
}

#[tokio::test]
async fn engagement_of_a_session_that_is_never_stored_is_told_after_a_minute() {
    let bench = Bench::new().await;
    bench.take(Some(SessionId::from_u128(77)), &json!({"page_url": PAGE})).await;
    let uncounted = BeaconOutcome { kind: BeaconKind::Engagement, result: "uncounted", reason: "" };
    for _ in 0..MOST_TRIES {
        assert_eq!(bench.service.counts().get(&uncounted), None);
        bench.service.settle().await;
    }
    assert_eq!(bench.service.counts().get(&uncounted), Some(&1));
}

#[tokio::test]
async fn a_page_that_asks_gets_a_token_and_is_kept_as_viewed() {
    let bench = Bench::with_hosts(&["example.com"]).await;
    let ask = async |session, body: Value| {
        let request = bench.service.page_request(body.to_string().as_bytes()).unwrap()?;
        bench.service.page_token(session, &request).await.map_err(BeaconAnswer::from)
    };
    let own = Some(bench.session);
    let asked = json!({"page_url": PAGE, "referrer": "https://search.example/", "navigation": "single_page"});
    let answer = ask(own, asked).await.unwrap();
    assert_eq!((answer.token.len(), answer.now_ms), (108, at(0).timestamp_millis()));
    let page = PageRequest::first(BatchLimit::default());
    let kept = bench.events.list_by_session(bench.session, page).await.unwrap().items;
    let [view] = &kept[..] else { panic!("{kept:?}") };
    assert_eq!(view.name().as_str(), "page_view");
    assert_eq!(
        serde_json::to_value(view.properties()).unwrap(),
        json!({"navigation": "single_page", "page_url": PAGE, "referrer": "https://search.example/"})
    );
    assert_eq!(ask(None, json!({"page_url": PAGE})).await, Err(RefusedBeacon::NoSession.into()));
    assert_eq!(ask(own, json!({"page_url": ""})).await, Err(RefusedBeacon::NoPage.into()));
    assert_eq!(
        ask(own, json!({"page_url": "https://else.net/"})).await,
        Err(RefusedBeacon::ForeignPage.into())
    );
    assert!(matches!(
        ask(own, json!({})).await,
        Err(BeaconAnswer::Refused { reason: RefusedBeacon::Malformed, .. })
    ));
    assert!(bench.service.page_request(b"{").is_err());
    let kinds: Vec<_> =
        bench.service.counts().into_iter().map(|(o, n)| (o.kind, o.result, o.reason, n)).collect();
    let token = |result, reason| (BeaconKind::PageToken, result, reason, 1);
    let expected = [
        token("kept", ""),
        token("refused", "foreign_page"),
        token("refused", "malformed"),
        token("refused", "no_page"),
        token("refused", "no_session"),
        token("unreadable", "not_json"),
        (BeaconKind::PageView, "kept", "", 1),
    ];
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn events_join_the_session_of_their_token_or_sender_and_only_hosts_name_one() {
    let bench = Bench::new().await;
    let token = bench.token(PAGE).await;
    let other = SessionId::from_u128(99);
    let send = async |sender, event: Value| {
        bench.service.events(sender, Form::One, event.to_string().as_bytes()).await.unwrap().remove(0)
    };
    let named = json!({"name": "sign_up", "session_id": other});
    assert_eq!(send(BROWSER, named.clone()).await, RefusedBeacon::NoSession.into());
    assert!(matches!(
        send(Sender { session: Some(bench.session), ..BROWSER }, named.clone()).await,
        BeaconAnswer::Kept { .. }
    ));
    assert!(matches!(send(HOST, named).await, BeaconAnswer::Kept { .. }));
    let id = bench.id(3);
    let bound = json!({"id": id, "name": "sign_up", "token": token, "page_url": PAGE});
    assert_eq!(send(BROWSER, bound.clone()).await, BeaconAnswer::Kept { id });
    assert_eq!(send(BROWSER, bound).await, BeaconAnswer::Known { id });
    let kept = async |session| {
        let page = PageRequest::first(BatchLimit::default());
        let kept = bench.events.list_by_session(session, page).await.unwrap().items;
        kept.iter().filter(|event| event.name().as_str() == "sign_up").count()
    };
    assert_eq!((kept(bench.session).await, kept(other).await), (2, 1));
}

#[tokio::test]
async fn a_store_that_is_away_is_told_and_counted_and_keeps_no_page_from_its_token() {
    let mut engagement = MockEngagementRepository::new();
    engagement.expect_create_batch().times(1).returning(|_, _| Err(StoreError::unavailable("closed")));
    let bench = Bench::over(Arc::new(engagement), SitePolicy::default()).await;
    let body = json!({"page_url": PAGE}).to_string();
    let answer = bench.service.engage(Some(bench.session), Form::One, body.as_bytes()).await;
    assert!(matches!(answer, Err(EngagementError::Store(StoreError::Unavailable { .. }))), "{answer:?}");
    let away = BeaconOutcome { kind: BeaconKind::Engagement, result: "unavailable", reason: "" };
    assert_eq!(bench.service.counts().get(&away), Some(&1));
}

struct Bench {
    service: EngagementService,
    session: SessionId,
    sessions: Arc<InMemorySessions>,
    events: Arc<InMemoryEvents>,
    engagement: Arc<dyn EngagementRepository>,
    clock: Arc<MockClock>,
}

impl Bench {
    async fn new() -> Self {
        Self::over(Arc::new(InMemoryEngagement::new(capacity())), SitePolicy::default()).await
    }

    async fn with_hosts(hosts: &[&str]) -> Self {
        let site = SitePolicy::for_hosts(hosts.iter().copied()).unwrap();
        Self::over(Arc::new(InMemoryEngagement::new(capacity())), site).await
    }

    async fn over(engagement: Arc<dyn EngagementRepository>, site: SitePolicy) -> Self {
        let sessions = Arc::new(InMemorySessions::new(capacity()));
        let events = Arc::new(InMemoryEvents::new(capacity()));
        let clock = Arc::new(MockClock::at(at(0)));
        let ids = Arc::new(SequentialIds::new());
        let analytics = AnalyticsService::new(
            Arc::clone(&sessions) as _,
            Arc::clone(&events) as _,
            Arc::clone(&clock) as _,
            Arc::clone(&ids) as _,
            SessionPolicy::default(),
        );
        let session = analytics.create_session(new_session()).await.unwrap().id();
        let rules = EngagementRules {
            beacons: BeaconPolicy::default(),
            engagement: EngagementPolicy::default(),
            site: Arc::new(site),
        };
        let key = PageTokenKey::of_secret(&[7; 32]);
        let stored = Arc::clone(&engagement);
        let service = EngagementService::new(analytics, stored, Arc::clone(&clock) as _, ids, key, rules);
        Self { service, session, sessions, events, engagement, clock }
    }

    /// The token of a page in the session of the bench.
    async fn token(&self, page: &str) -> String {
        let body = json!({"page_url": page}).to_string();
        let request = self.service.page_request(body.as_bytes()).unwrap().unwrap();
        self.service.page_token(Some(self.session), &request).await.unwrap().token
    }

    async fn take(&self, session: Option<SessionId>, beacon: &Value) -> Taken {
        self.service.engage(session, Form::One, beacon.to_string().as_bytes()).await.unwrap()
    }

    /// An id that a tracker would make now.
    fn id(&self, entropy: u128) -> EventId {
        EventId::at(self.clock.now(), entropy).unwrap()
    }

    async fn kept(&self) -> Vec<EngagementEvent> {
        let page = PageRequest::first(BatchLimit::default());
        self.engagement.list_by_session(self.session, page).await.unwrap().items
    }

    async fn engagement_events(&self) -> u64 {
        let kept: AnalyticsSession = self.sessions.get(self.session).await.unwrap().unwrap().value;
        kept.record().counters.engagement_events
    }
}

fn capacity() -> Capacity {
    Capacity::new(100).unwrap()
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
    DateTime::from_timestamp(1_780_000_000 + seconds, 0).unwrap()
}
