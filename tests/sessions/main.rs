//! Sessions from end to end: patterns of requests through the service into a store, and samples through the store.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use analytics_app::services::{AnalyticsService, SessionChange, SessionCleanupService};
use analytics_domain::ids::{FingerprintHash, VisitorId};
use analytics_domain::request::{Hints, Method, RequestKind, SitePolicy, Target, Utm};
use analytics_domain::session::{
    AnalyticsSession, Campaign, EndReason, NewSession, Retained, SessionClient, SessionCounters,
    SessionOrigin, SessionPlace, SessionRefusal, SessionUpdate, Text,
};
use analytics_domain::throttle::Mode;
use analytics_inmemory::{Capacity, InMemoryEvents, InMemorySessions};
use analytics_ports::ids::SequentialIds;
use analytics_ports::{BatchLimit, MockClock, PageRequest, Recorded, SessionFilter, SessionRepository};
use chrono::{DateTime, TimeDelta, Utc};

use analytics_tests::fixtures::{self, Pattern, PatternKind, PatternRequest, Policies};

#[tokio::test]
async fn totals_of_every_pattern_equal_a_recount_of_its_requests() {
    for pattern in fixtures::patterns() {
        let sessions = replayed(&pattern).await;
        assert_eq!(sessions.len(), pattern.sessions, "{}", pattern.name);
        let sum =
            sessions.iter().map(|s| s.record().counters).fold(SessionCounters::NONE, SessionCounters::plus);
        let count = |holds: &dyn Fn(&PatternRequest) -> bool| {
            pattern.requests.iter().filter(|request| holds(request)).count() as u64
        };
        let expected = SessionCounters {
            requests: pattern.requests.len() as u64,
            page_views: count(&|request| kind(request).is_page_view()),
            assets: count(&|request| kind(request).is_asset()),
            client_errors: count(&|request| (400..500).contains(&request.status)),
            server_errors: count(&|request| (500..600).contains(&request.status)),
            ..SessionCounters::NONE
        };
        assert_eq!(sum, expected, "{}", pattern.name);
    }
}

#[tokio::test]
async fn every_session_of_a_pattern_ends_at_its_last_request() {
    for pattern in fixtures::patterns() {
        let times: BTreeSet<DateTime<Utc>> =
            pattern.requests.iter().map(|request| request.at(start())).collect();
        for session in replayed(&pattern).await {
            let record = session.record();
            assert!(times.contains(&record.started_at), "{}", pattern.name);
            assert!(session.ended_at().is_some_and(|ended| times.contains(&ended)), "{}", pattern.name);
        }
    }
}

#[tokio::test]
async fn another_campaign_is_the_reason_that_the_first_session_ended() {
    let patterns = fixtures::patterns();
    let two = patterns.iter().find(|pattern| pattern.name == "human_two_campaigns").unwrap();
    let reasons: Vec<_> = replayed(two).await.iter().map(|s| s.record().end_reason.unwrap()).collect();
    assert_eq!(reasons, [EndReason::Inactive, EndReason::Campaign]);
}

#[test]
fn every_pattern_says_what_it_is_and_begins_at_its_first_request() {
    for pattern in fixtures::patterns() {
        let human = pattern.kind == PatternKind::Human;
        assert_eq!(pattern.automation, !human, "{}", pattern.name);
        assert!(!pattern.hostile || pattern.automation, "{}", pattern.name);
        assert!(!pattern.about.is_empty() && !pattern.agent.is_empty(), "{}", pattern.name);
        assert_eq!(pattern.requests[0].offset_ms, 0, "{}", pattern.name);
        assert!(pattern.requests.is_sorted_by_key(|request| request.offset_ms), "{}", pattern.name);
        assert!(
            !human || pattern.requests.iter().any(|request| kind(request).is_asset()),
            "{}",
            pattern.name
        );
    }
}

#[tokio::test]
async fn sample_sessions_come_back_from_a_store_as_they_were() {
    let store = InMemorySessions::new(Capacity::new(100).unwrap());
    let samples = fixtures::sessions();
    for session in &samples {
        assert_eq!(store.create(session, start()).await.unwrap(), Recorded::New);
        let json = serde_json::to_string(session).unwrap();
        assert_eq!(&serde_json::from_str::<AnalyticsSession>(&json).unwrap(), session);
    }
    let newest_first: Vec<AnalyticsSession> = samples.into_iter().rev().collect();
    assert_eq!(all(&store).await, newest_first);
}

#[test]
fn the_default_policies_are_those_of_the_code() {
    let written = fixtures::policies("default");
    assert_eq!(Policies { anomaly: BTreeMap::new(), ..written.clone() }, Policies::default());
    assert_eq!(written.anomaly.len(), 5);
}

#[test]
fn strict_policies_are_read_as_they_are_written() {
    let strict = fixtures::policies("strict");
    assert_eq!(
        (strict.session.gap(), strict.session.lateness()),
        (TimeDelta::minutes(15), TimeDelta::minutes(2))
    );
    assert_eq!(
        (strict.session.max_length(), strict.session.splits_on_campaign()),
        (TimeDelta::hours(4), false)
    );
    assert_eq!(strict.retention.before(Retained::Events, start()), Some(start() - TimeDelta::days(30)));
    assert_eq!((strict.throttle.mode(), strict.reputation.ban().mode()), (Mode::Enforce, Mode::Enforce));
    assert_eq!(strict.reputation.settings().requests_per_hour, 60);
    for (metric, threshold) in strict.anomaly.iter().chain(&fixtures::policies("default").anomaly) {
        assert!(threshold.warning <= threshold.critical, "{metric}");
    }
}

#[test]
fn policies_that_make_no_sense_are_refused_with_the_reason() {
    let refused = fixtures::refused_policies();
    let reasons: Vec<(&str, &str)> =
        refused.iter().map(|(name, why)| (name.as_str(), why.as_str())).collect();
    assert_eq!(reasons[0], ("empty_batch", "batch must be 1 to 10000, not 0"));
    assert!(reasons[1].0 == "misspelt" && reasons[1].1.contains("gap_secs"), "{reasons:?}");
    assert_eq!(reasons[2], ("no_gap", "must be 1 to 31622400 seconds, not 0"));
    assert_eq!(reasons[3], ("shorter_than_gap", "the greatest session length must be at least the gap"));
}

/// The sessions that the service makes of a pattern, newest first, after a clean-up a day later.
async fn replayed(pattern: &Pattern) -> Vec<AnalyticsSession> {
    let capacity = Capacity::new(100).unwrap();
    let sessions = Arc::new(InMemorySessions::new(capacity));
    let events = Arc::new(InMemoryEvents::new(capacity));
    let clock = Arc::new(MockClock::at(start()));
    let Policies { session: policy, retention, .. } = fixtures::policies("default");
    let service = AnalyticsService::new(
        Arc::clone(&sessions) as _,
        Arc::clone(&events) as _,
        Arc::clone(&clock) as _,
        Arc::new(SequentialIds::new()),
        policy,
    );
    for request in &pattern.requests {
        clock.set(request.at(start()));
        join(&service, request).await;
    }
    clock.advance(TimeDelta::days(1));
    let cleanup = SessionCleanupService::new(Arc::clone(&sessions) as _, events, clock, policy, retention);
    cleanup.run().await.unwrap();
    all(&sessions).await
}

/// Puts a request into the session it belongs to, or into a new one.
async fn join(service: &AnalyticsService, request: &PatternRequest) {
    let update = SessionUpdate {
        activity_at: Some(request.at(start())),
        counters: SessionCounters::of_request(kind(request), Some(request.status)),
        campaign: campaign(request),
        ..SessionUpdate::default()
    };
    if let Some(session) = service.find_recent_session(FingerprintHash::from_u128(1)).await.unwrap() {
        match service.update_session(session.id(), update.clone()).await.unwrap() {
            SessionChange::Done(_) => return,
            SessionChange::Refused(SessionRefusal::StartsAnother(_)) => {}
            other @ (SessionChange::Refused(_) | SessionChange::Absent) => panic!("{other:?}"),
        }
    }
    let session = service.create_session(new_session(request)).await.unwrap();
    let done = service.update_session(session.id(), update).await.unwrap();
    assert!(matches!(done, SessionChange::Done(_)), "{done:?}");
}

fn new_session(request: &PatternRequest) -> NewSession {
    let origin = SessionOrigin {
        campaign: campaign(request),
        referrer_url: request.referrer.as_deref().map(Text::cut),
        ..SessionOrigin::default()
    };
    NewSession {
        visitor: VisitorId::from_u128(1),
        fingerprint: FingerprintHash::from_u128(1),
        user: None,
        network: None,
        client: SessionClient::default(),
        origin,
        place: SessionPlace::default(),
    }
}

fn campaign(request: &PatternRequest) -> Campaign {
    let query = request.path.split_once('?').map_or("", |(_, query)| query);
    Utm::read(query).map(|utm| Campaign::from(&utm.tags())).unwrap_or_default()
}

fn kind(request: &PatternRequest) -> RequestKind {
    let method = Method::parse(&request.method);
    Target::read(&SITE, method, &request.path, Hints::default()).kind
}

async fn all(store: &InMemorySessions) -> Vec<AnalyticsSession> {
    let page = PageRequest::first(BatchLimit::default());
    store.list(&SessionFilter::default(), page).await.unwrap().items
}

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_000_000, 250_000).unwrap()
}

/// Its tables are made once.
static SITE: LazyLock<SitePolicy> = LazyLock::new(SitePolicy::default);
