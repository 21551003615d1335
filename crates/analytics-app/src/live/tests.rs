//! What live traffic promises: totals equal the rows that are stored, and nothing leaves in silence.

use std::num::NonZeroU32;
use std::sync::Arc;

use analytics_domain::detector::{Class, SignalKind};
use analytics_domain::ids::SessionId;
use analytics_domain::request::{AddressPolicy, RawRequest, RequestPolicy};
use analytics_domain::session::{AnalyticsSession, EndReason, Text};
use analytics_domain::throttle::{Mode, ThrottleLevel, ThrottlePolicy, ThrottleSettings};
use analytics_domain::visit::VisitPolicy;
use analytics_ports::ids::SequentialIds;
use analytics_ports::{BatchLimit, MockClock, PageRequest, SessionFilter};
use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::ingest::queue::{Drain, Ingest, QueuePolicy, SpillFile};
use crate::services::ReputationService;
use crate::wiring::{self, Stores};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

#[tokio::test]
async fn a_visit_is_kept_with_all_its_requests_and_totals_that_equal_them() {
    let bench = Bench::start(VisitPolicy::default(), LivePolicy::default());
    let visit = [("/", 200), ("/style.css", 200), ("/about", 404), ("/api/x", 500)];
    let mut session = None;
    for (target, status) in visit {
        let decided = bench.ask("203.0.113.7", FIREFOX, target, 0);
        session = Some(decided.session);
        bench.live.answered(decided.pending, Answer { status: Some(status), ..Answer::default() }, at(0));
    }
    let kept = bench.kept_after(at(1)).await;
    let record = kept.session(session.unwrap()).await;
    let counted = (record.counters.requests, record.counters.page_views, record.counters.assets);
    assert_eq!(counted, (4, 2, 1));
    assert_eq!((record.counters.client_errors, record.counters.server_errors), (1, 1));
    assert_eq!(record.origin.landing_page.as_ref().map(Text::as_str), Some("/"));
    assert_eq!(record.verdict.as_ref().map(|verdict| verdict.class), Some(Class::Human));
    assert_eq!(record.end_reason, None);
    let page = PageRequest::first(BatchLimit::new(100).unwrap());
    let rows = kept.stores.requests.list_by_session(session.unwrap(), page).await.unwrap().items;
    let statuses: Vec<_> = rows.iter().map(|row| row.record().status.unwrap()).collect();
    assert_eq!(statuses, [200, 200, 404, 500]);
}

#[tokio::test]
async fn a_session_ends_when_its_gap_has_passed_without_another_request() {
    let bench = Bench::start(VisitPolicy::default(), LivePolicy::default());
    let id = bench.visit("203.0.113.7", FIREFOX, "/", 0);
    bench.live.tell(at(1));
    let kept = bench.kept_after(at(31 * 60)).await;
    let record = kept.session(id).await;
    assert_eq!((record.end_reason, record.last_activity_at), (Some(EndReason::Inactive), at(0)));
}

#[tokio::test]
async fn an_answer_that_comes_after_the_end_of_its_session_is_in_its_totals() {
    let bench = Bench::start(VisitPolicy::default(), LivePolicy::default());
    let slow = bench.ask("203.0.113.7", FIREFOX, "/download", 0);
    bench.live.tell(at(31 * 60));
    bench.live.answered(slow.pending, Answer { status: Some(200), ..Answer::default() }, at(31 * 60));
    let kept = bench.kept_after(at(31 * 60 + 1)).await;
    let record = kept.session(slow.session).await;
    assert_eq!((record.counters.requests, record.end_reason), (1, Some(EndReason::Inactive)));
}

#[tokio::test]
async fn scripts_are_refused_in_enforce_mode_and_would_be_in_shadow_mode() {
    for mode in [Mode::Enforce, Mode::Shadow] {
        let throttle = ThrottlePolicy::try_from(ThrottleSettings { mode, ..ThrottleSettings::default() });
        let visit = VisitPolicy { throttle: throttle.unwrap(), ..VisitPolicy::default() };
        let bench = Bench::start(visit, LivePolicy::default());
        let mut last = None;
        for number in 0..40 {
            let decided = bench.ask("198.51.100.9", "curl/8.5.0", &format!("/item/{number}"), 0);
            assert_eq!(decided.answer.refusal().is_some(), number >= 20, "{mode:?} {number}");
            let refused = !decided.answer.is_admitted();
            assert_eq!(refused, mode == Mode::Enforce && number >= 20);
            assert_eq!(decided.fields.is_some(), mode == Mode::Enforce);
            let status = if refused { 429 } else { 200 };
            last = Some(decided.session);
            bench.live.answered(decided.pending, Answer { status: Some(status), ..Answer::default() }, at(0));
        }
        let counters = bench.live.counters();
        let expected = if mode == Mode::Enforce { (20, 0) } else { (0, 20) };
        assert_eq!((counters.refused, counters.would_refuse), expected);
        let kept = bench.kept_after(at(1)).await;
        let record = kept.session(last.unwrap()).await;
        assert_eq!(record.counters.requests, 40);
        assert_eq!(record.counters.refused, if mode == Mode::Enforce { 20 } else { 0 });
        assert!(record.max_throttle_level > ThrottleLevel::Normal);
        let page = PageRequest::first(BatchLimit::new(100).unwrap());
        let events = kept.stores.events.list_by_session(last.unwrap(), page).await.unwrap().items;
        assert!(events.iter().any(|event| event.name().as_str() == LEVEL_CHANGED), "{mode:?}");
    }
}

#[tokio::test]
async fn exempt_paths_and_networks_are_counted_and_never_refused() {
    let throttle = ThrottleSettings { mode: Mode::Enforce, ..ThrottleSettings::default() };
    let visit = VisitPolicy { throttle: throttle.try_into().unwrap(), ..VisitPolicy::default() };
    let policy = LivePolicy {
        exempt_paths: vec!["/healthz".to_owned()],
        exempt_networks: vec!["198.51.100.0/24".parse().unwrap()],
        ..LivePolicy::default()
    };
    let bench = Bench::start(visit, policy);
    let refused = |address: &str, target: &str| {
        let asked = (0..40).map(|_| bench.ask(address, "curl/8.5.0", target, 0));
        asked.filter(|decided| !decided.answer.is_admitted()).count()
    };
    assert_eq!(refused("203.0.113.1", "/healthz"), 0);
    assert_eq!(refused("203.0.113.1", "/healthzz"), 40, "only whole segments are exempt");
    assert_eq!(refused("198.51.100.200", "/a"), 0);
    assert_eq!(bench.live.counters().exempt, 40);
}

#[tokio::test]
async fn global_privacy_control_keeps_texts_about_a_person_out_of_the_stores() {
    let bench = Bench::start(VisitPolicy::default(), LivePolicy::default());
    let headers = [
        ("User-Agent", FIREFOX),
        ("Sec-GPC", "1"),
        ("Accept-Language", "rm-CH"),
        ("Referer", "https://example.com/private?x"),
    ];
    let request = RawRequest { headers: &headers, ..request("203.0.113.7", "/", 0) };
    let decided = bench.live.decide(&request, None).unwrap();
    let id = decided.session;
    bench.live.answered(decided.pending, Answer::default(), at(0));
    let record = bench.kept_after(at(1)).await.session(id).await;
    assert_eq!(
        (record.client.user_agent, record.client.locale, record.origin.referrer_url),
        (None, None, None)
    );
    assert_eq!(record.client.browser.map(|browser| browser.as_str().to_owned()), Some("Firefox".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_is_counted_and_the_totals_hold_only_what_is_stored() {
    let small = QueuePolicy { capacity: 3, ..QueuePolicy::default() };
    let bench = Bench::with(VisitPolicy::default(), LivePolicy::default(), small);
    let id = (0..5).map(|_| bench.visit("203.0.113.7", FIREFOX, "/", 0)).last().unwrap();
    assert_eq!(bench.live.counters().rows_dropped, 2);
    // The time of the runtime stands still, so this only lets the queue empty itself.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let kept = bench.kept_after(at(1)).await;
    assert_eq!(kept.session(id).await.counters.requests, 3);
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_no_store() {
    let bench = Bench::start(VisitPolicy::default(), LivePolicy::default());
    let stored = async || {
        let first = PageRequest::first(BatchLimit::new(1).unwrap());
        bench.stores.sessions.list(&SessionFilter::default(), first).await.unwrap().items.len()
    };
    for second in 0..100 {
        bench.visit("203.0.113.7", FIREFOX, "/", second);
        bench.live.tell(at(second));
    }
    // Whatever goes to the stores goes in a task of its own, and this test has let none run yet.
    assert_eq!(stored().await, 0);
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert_eq!(stored().await, 1);
}

#[tokio::test(start_paused = true)]
async fn what_finds_the_queue_full_is_told_a_second_later() {
    let small = QueuePolicy { capacity: 1, ..QueuePolicy::default() };
    let bench = Bench::with(VisitPolicy::default(), LivePolicy::default(), small);
    let ids: Vec<_> =
        (0..100).map(|_| bench.visit("203.0.113.7", "curl/8.5.0", "/wp-login.php", 0)).collect();
    assert_eq!(bench.live.counters().records_delayed, 0);
    let seconds = bench.tell_all().await;
    let counters = bench.live.counters();
    assert!(counters.records_delayed > 0 && counters.records_dropped == 0, "{counters:?}");
    let kept = bench.kept_after(at(seconds)).await;
    let session = kept.session(*ids.last().unwrap()).await;
    assert_ne!(session.throttle_level, ThrottleLevel::Normal);
    let page = PageRequest::first(BatchLimit::new(100).unwrap());
    let events = kept.stores.events.list_by_session(session.id, page).await.unwrap();
    assert!(!events.items.is_empty(), "changes of level were lost");
}

#[tokio::test(start_paused = true)]
async fn a_session_of_which_no_row_is_kept_is_not_kept_either() {
    let small = QueuePolicy { capacity: 1, ..QueuePolicy::default() };
    let bench = Bench::with(VisitPolicy::default(), LivePolicy::default(), small);
    let kept = bench.visit("203.0.113.7", FIREFOX, "/", 0);
    let dropped = bench.visit("203.0.113.8", FIREFOX, "/", 0);
    assert_eq!(bench.live.counters().rows_dropped, 1);
    for id in [kept, dropped] {
        assert!(bench.live.end(id, EndReason::Revoked, at(1)));
    }
    let seconds = bench.tell_all().await;
    let stored = bench.kept_after(at(seconds)).await;
    let first = PageRequest::first(BatchLimit::new(10).unwrap());
    let sessions = stored.stores.sessions.list(&SessionFilter::default(), first).await.unwrap().items;
    assert_eq!(sessions.iter().map(AnalyticsSession::id).collect::<Vec<_>>(), [kept]);
}

#[tokio::test]
async fn a_label_human_clears_the_level_and_ending_starts_another_session() {
    let throttle = ThrottleSettings { mode: Mode::Enforce, ..ThrottleSettings::default() };
    let visit = VisitPolicy { throttle: throttle.try_into().unwrap(), ..VisitPolicy::default() };
    let bench = Bench::start(visit, LivePolicy::default());
    let asked: Vec<_> = (0..40).map(|_| bench.ask("203.0.113.7", "curl/8.5.0", "/", 0)).collect();
    let last = asked.last().unwrap();
    assert!(!last.answer.is_admitted());
    let cleared = bench.live.clear_as_human(last.fingerprint, at(0));
    assert_eq!(cleared.len(), 1);
    assert!(bench.ask("203.0.113.7", "curl/8.5.0", "/", 0).answer.is_admitted());
    assert!(bench.live.explain(last.session).is_some());
    assert!(bench.live.end(last.session, EndReason::Revoked, at(0)));
    assert!(!bench.live.end(last.session, EndReason::Revoked, at(0)));
    assert_ne!(bench.ask("203.0.113.7", "curl/8.5.0", "/", 0).session, last.session);
}

#[tokio::test]
async fn a_cookie_counts_people_apart_and_holds_them_together() {
    let bench = Bench::with_cookies();
    let ask = |address: &str, cookie: &str, https: bool| {
        let headers = [("user-agent", FIREFOX), ("cookie", cookie)];
        let asked = RawRequest { headers: &headers, ..request(address, "/", 0) };
        let mut decided = bench.live.decide(&asked, Some(https)).unwrap();
        let told = (decided.session, decided.visitor, decided.cookie.take());
        let status = Some(if decided.answer.is_admitted() { 200 } else { 429 });
        bench.live.answered(decided.pending, Answer { status, ..Answer::default() }, at(0));
        (told, status)
    };
    let home = "203.0.113.7";
    let ((first, visitor, given), _) = ask(home, "", true);
    let given = given.unwrap();
    let (cookie, attributes) = given.split_once(';').unwrap();
    assert!(cookie.starts_with("analytics_session="), "{given}");
    assert_eq!(attributes, " Path=/; HttpOnly; SameSite=Lax; Secure");
    assert_eq!(ask(home, "", false).0.2.unwrap().replace("; Secure", ""), given.replace("; Secure", ""));
    let among_others = format!("theme=dark; {cookie}; a=b");
    assert_eq!(ask(home, &among_others, true).0, (first, visitor, None), "it is known, and needs no other");
    let ((second, other, _), _) = ask(home, "theme=dark", true);
    assert!(second != first && other != visitor);
    assert_eq!(bench.live.visitors(), 1, "limits hold both together");

    let ((third, ..), _) = ask("203.0.113.8", cookie, true);
    assert_ne!(third, first, "a borrowed cookie is worth nothing elsewhere");
    ask(home, "analytics_session=1", true);
    assert_eq!(bench.live.counters().cookies_refused, 2);

    let refused = |cookie: &str| (0..30).filter(|_| ask(home, cookie, true).1 == Some(429)).count();
    assert!(refused(cookie) >= 10);
    assert_eq!((refused(cookie), refused("")), (30, 30), "without the cookie the quota is as used up");

    assert!(bench.live.end(second, EndReason::Revoked, at(0)));
    assert!(bench.live.explain(second).is_none() && bench.live.explain(first).is_some());
    let kept = bench.kept_after(at(1)).await;
    let (one, two) = (kept.session(first).await, kept.session(second).await);
    assert_eq!((one.counters.requests, one.end_reason), (63, None));
    assert_eq!((two.counters.requests, two.end_reason), (32, Some(EndReason::Revoked)));
    assert!(two.verdict.is_some());
}

#[tokio::test]
async fn another_campaign_ends_the_session_of_its_own_browser_alone() {
    let bench = Bench::with_cookies();
    let (one, cookie) = bench.browse("/", "", 0);
    assert_eq!(bench.browse("/style.css", &cookie, 1).0, one);
    let (two, _) = bench.browse("/", "", 2);
    let (three, renewed) = bench.browse("/sale?utm_source=news&utm_campaign=may", &cookie, 3);
    assert!(three != one && three != two && !renewed.is_empty() && renewed != cookie);
    assert_eq!(
        bench.browse("/about", &cookie, 4),
        (three, renewed.clone()),
        "the new one is still on its way"
    );
    assert_eq!(bench.browse("/about", &renewed, 5), (three, String::new()));
    assert_eq!(bench.browse("/about", "", 6).0, two, "it goes on");
    let kept = bench.kept_after(at(7)).await;
    let ends = [one, two, three].map(async |id| kept.session(id).await.end_reason);
    let [one, two, three] = ends;
    assert_eq!((one.await, two.await, three.await), (Some(EndReason::Campaign), None, None));
}

#[tokio::test]
async fn a_level_is_noted_where_it_was_raised() {
    let bench = Bench::with_cookies();
    let (one, cookie) = bench.browse("/", "", 0);
    bench.browse("/style.css", &cookie, 0);
    let (two, _) = bench.browse("/", "", 1);
    for _ in 0..200 {
        bench.browse("/", &cookie, 2);
    }
    // Whoever moved last is asked of no more than what it saw.
    bench.browse("/style.css", "", 2);
    let seconds = bench.tell_all().await;
    let kept = bench.kept_after(at(seconds + 31 * 60)).await;
    let page = || PageRequest::first(BatchLimit::new(100).unwrap());
    let changes = async |id| kept.stores.events.list_by_session(id, page()).await.unwrap().items.len();
    assert!(changes(one).await > 0 && changes(two).await == 0);
    assert_ne!(kept.session(one).await.max_throttle_level, ThrottleLevel::Normal);
}

#[tokio::test]
async fn a_tracker_on_another_host_adds_no_sessions() {
    let bench = Bench::with_cookies();
    let (session, cookie) = bench.browse("/", "", 0);
    bench.browse("/style.css", &cookie, 0);
    let headers = [("user-agent", FIREFOX)];
    let beacon = RawRequest { method: "POST", headers: &headers, ..request("203.0.113.7", "/v1/events", 1) };
    let page = ToldPage { url: "https://example.org/next", campaign: "", referrer: None, within: true };
    let told = bench.live.decide_told(&beacon, page).unwrap();
    assert_eq!((told.session, told.opened), (session, false));
    bench.live.answered(told.pending, Answer { status: Some(200), ..Answer::default() }, at(1));
    let forged = [("user-agent", FIREFOX), ("cookie", "analytics_session=1")];
    let told = bench.live.decide_told(&RawRequest { headers: &forged, ..beacon }, page).unwrap();
    bench.live.answered(told.pending, Answer { status: Some(200), ..Answer::default() }, at(1));
    assert_eq!(bench.live.counters().cookies_refused, 1, "one request, however often it is looked at");
}

#[tokio::test]
async fn a_cookie_of_another_engine_is_held_against_whoever_brings_it() {
    const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                          Chrome/140.0.0.0 Safari/537.36";
    let bench = Bench::with_cookies();
    let (_, cookie) = bench.browse("/", "", 0);
    let spoken = |agent: &str| {
        let headers = [("user-agent", agent), ("cookie", cookie.as_str())];
        let asked = RawRequest { headers: &headers, ..request("203.0.113.7", "/", 1) };
        let session = bench.live.decide(&asked, None).unwrap().session;
        let verdict = bench.live.explain(session).unwrap();
        verdict.signals.iter().any(|signal| signal.kind == SignalKind::ImpossibleHeaders)
    };
    assert!(spoken(CHROME));
    assert!(!spoken(&FIREFOX.replace("140", "141")), "browsers are updated");
    assert!(!spoken("curl/8"));
}

#[tokio::test]
async fn a_cookie_is_given_only_where_it_is_wanted() {
    let with = |session_cookie| {
        Bench::start(VisitPolicy::default(), LivePolicy { session_cookie, ..LivePolicy::default() })
    };
    let given = |bench: &Bench, headers: &[(&str, &str)], target: &str| {
        let decided = bench.live.decide(&RawRequest { headers, ..request("203.0.113.7", target, 0) }, None);
        decided.unwrap().cookie.is_some()
    };
    let firefox = ("user-agent", FIREFOX);
    assert!(!given(&with(false), &[firefox], "/"), "it is off by default");
    let bench = with(true);
    assert!(given(&bench, &[firefox], "/"));
    assert!(!given(&bench, &[firefox], "/style.css"), "files are shared by caches");
    assert!(!given(&bench, &[firefox, ("sec-gpc", "1")], "/"));
    assert!(!given(&bench, &[("user-agent", "curl/8")], "/"));
}

/// An engine over stores in memory.
struct Bench {
    live: LiveTraffic,
    stores: Stores,
    drain: Drain,
}

/// What is kept once everything was told and stored.
struct Kept {
    stores: Stores,
}

impl Bench {
    /// One that enforces, and counts people behind one address apart.
    fn with_cookies() -> Self {
        let throttle = ThrottleSettings { mode: Mode::Enforce, ..ThrottleSettings::default() };
        let visit = VisitPolicy { throttle: throttle.try_into().unwrap(), ..VisitPolicy::default() };
        Self::start(visit, LivePolicy { session_cookie: true, ..LivePolicy::default() })
    }

    fn start(visit: VisitPolicy, policy: LivePolicy) -> Self {
        Self::with(visit, policy, QueuePolicy::default())
    }

    fn with(visit: VisitPolicy, policy: LivePolicy, queue: QueuePolicy) -> Self {
        let (stores, _) = wiring::in_memory(NonZeroU32::new(10_000).unwrap());
        let clock = Arc::new(MockClock::at(at(0)));
        let ids = Arc::new(SequentialIds::default());
        let reputation = ReputationService::new(
            stores.fingerprints.clone(),
            stores.bans.clone(),
            clock.clone(),
            ids.clone(),
            visit.reputation.clone(),
            Vec::new(),
        );
        let sink = Arc::new(LiveSink::new(stores.clone(), reputation, clock));
        let (queue, drain) = Ingest::start(sink, SpillFile::in_memory().unwrap(), queue);
        let address = AddressPolicy::default();
        let policy = LivePolicy { request: RequestPolicy { address, ..policy.request.clone() }, ..policy };
        let keys = Arc::new(Keys::in_memory(at(0)).unwrap());
        Self { live: LiveTraffic::new(visit, policy, 10_000, keys, ids, queue), stores, drain }
    }

    fn ask(&self, address: &str, agent: &str, target: &str, second: i64) -> Decided {
        let headers = [("user-agent", agent)];
        let request = RawRequest { headers: &headers, ..request(address, target, second) };
        self.live.decide(&request, None).unwrap()
    }

    fn visit(&self, address: &str, agent: &str, target: &str, second: i64) -> SessionId {
        let decided = self.ask(address, agent, target, second);
        let id = decided.session;
        self.live.answered(decided.pending, Answer { status: Some(200), ..Answer::default() }, at(second));
        id
    }

    /// What a browser with this cookie gets: its session, and another cookie where it is given one.
    fn browse(&self, target: &str, cookie: &str, second: i64) -> (SessionId, String) {
        let headers = [("user-agent", FIREFOX), ("cookie", cookie)];
        let asked = RawRequest { headers: &headers, ..request("203.0.113.7", target, second) };
        let mut decided = self.live.decide(&asked, None).unwrap();
        let given = decided.cookie.take().unwrap_or_default();
        let given = given.split(';').next().unwrap_or_default().to_owned();
        let (id, status) = (decided.session, if decided.answer.is_admitted() { 200 } else { 429 });
        self.live.answered(decided.pending, Answer { status: Some(status), ..Answer::default() }, at(second));
        (id, given)
    }

    /// Tells once a second until all is told; answers how many seconds that took.
    async fn tell_all(&self) -> i64 {
        for second in 1..100 {
            self.live.tell(at(second));
            if self.live.untold() == 0 {
                return second;
            }
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
        panic!("{} records wait for ever", self.live.untold());
    }

    async fn kept_after(self, now: DateTime<Utc>) -> Kept {
        self.live.tell(now);
        self.drain.close().await;
        Kept { stores: self.stores }
    }
}

impl Kept {
    async fn session(&self, id: SessionId) -> analytics_domain::session::SessionRecord {
        let listed = self
            .stores
            .sessions
            .list(&SessionFilter::default(), PageRequest::first(BatchLimit::new(100).unwrap()))
            .await
            .unwrap();
        assert!(listed.items.iter().any(|session| session.id() == id), "{id} is not kept");
        self.stores.sessions.get(id).await.unwrap().unwrap().value.into_record()
    }
}

fn request<'a>(address: &str, target: &'a str, second: i64) -> RawRequest<'a> {
    RawRequest {
        method: "GET",
        target,
        protocol: "HTTP/1.1",
        status: None,
        bytes: None,
        headers: &[],
        peer: address.parse().unwrap(),
        at: at(second),
    }
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 0).unwrap() + TimeDelta::seconds(second)
}
