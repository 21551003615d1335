//! Beacons through the router, as browsers and hosts send them.

use analytics_domain::ids::EventId;
use analytics_domain::session::AnalyticsSession;
use analytics_ports::ids::SequentialIds;
use analytics_ports::{BatchLimit, Clock, MockClock, PageRequest, SessionFilter};
use axum::Router;
use axum::body::{Body, to_bytes};
use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::analytics::Analytics;
use crate::config::{LiveSettings, Settings};
use crate::live::Tokens;

const PAGE: &str = "https://example.org/a";

#[tokio::test]
async fn a_page_gets_a_token_and_its_engagement_is_kept_bound_in_the_session_of_its_client() {
    let bench = Bench::new();
    let token = bench.token().await;
    bench.clock.advance(TimeDelta::seconds(20));
    let id = EventId::at(bench.clock.now(), 7).unwrap();
    let beacon =
        json!({"id": id, "token": token, "page_url": PAGE, "time_on_page_ms": 20_000, "click_count": 2});
    let kept = bench.post("/v1/engagement", &beacon).await;
    assert_eq!((kept.status, kept.json()), (200, json!({"result": "kept", "id": id})));
    let again = bench.post("/v1/engagement", &beacon).await;
    assert_eq!((again.status, again.json()), (200, json!({"result": "known", "id": id})));
    let parts = bench.end().await;
    let page = PageRequest::first(BatchLimit::default());
    let sessions = parts.stores().sessions.list(&SessionFilter::default(), page).await.unwrap().items;
    let [session] = &sessions[..] else { panic!("{sessions:?}") };
    assert_eq!(session.record().counters.engagement_events, 1);
    let page = PageRequest::first(BatchLimit::default());
    let kept = parts.stores().engagement.list_by_session(session.id(), page).await.unwrap().items;
    assert_eq!((kept.len(), kept[0].record().bound, kept[0].record().page_url.as_str()), (1, true, PAGE));
    let page = PageRequest::first(BatchLimit::default());
    let events = parts.stores().events.list_by_session(session.id(), page).await.unwrap().items;
    assert_eq!(events[0].name().as_str(), "page_view");
}

#[tokio::test]
async fn a_beacon_without_token_is_unbound_and_without_session_refused() {
    let bench = Bench::new();
    let beacon = json!({"page_url": PAGE, "click_count": 2});
    let refused = bench.post("/v1/engagement", &beacon).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.media_type(), "application/problem+json");
    assert!(refused.json()["detail"].as_str().unwrap().starts_with("no_session: "), "{refused:?}");
    bench.token().await;
    let unbound = bench.post("/v1/engagement", &beacon).await;
    assert_eq!((unbound.status, &unbound.json()["reason"]), (200, &json!("no_token")));
}

#[tokio::test]
async fn each_item_of_a_batch_is_answered_in_its_place() {
    let bench = Bench::new();
    let token = bench.token().await;
    let batch =
        json!([{"page_url": PAGE, "token": token}, {"page_url": 1}, {"page_url": "https://else.net/"}]);
    let answer = bench.post("/v1/engagement/batch", &batch).await.json();
    let told = |n: usize, key: &str| answer[n][key].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        (told(0, "result"), told(1, "reason"), told(2, "reason")),
        ("kept".into(), "malformed".into(), "foreign_page".into())
    );
    let events = json!([{"name": "sign_up"}, {"name": ""}]);
    let answer = bench.post("/v1/events/batch", &events).await.json();
    assert_eq!((&answer[0]["result"], &answer[1]["result"]), (&json!("kept"), &json!("refused")));
}

#[tokio::test]
async fn bodies_that_are_broken_or_too_large_are_problems() {
    let bench = Bench::new();
    for path in ["/v1/page-token", "/v1/engagement", "/v1/engagement/batch", "/v1/events", "/v1/events/batch"]
    {
        for broken in [&b"{"[..], b"", b"\xff\xfe"] {
            let answer = bench.send("POST", path, &[], broken).await;
            assert_eq!(
                (answer.status, answer.media_type().as_str()),
                (400, "application/problem+json"),
                "{path}"
            );
        }
        let large = bench.send("POST", path, &[], &vec![b' '; 3_000_000]).await;
        assert_eq!((large.status, large.media_type().as_str()), (413, "application/problem+json"), "{path}");
    }
    let single = bench.send("POST", "/v1/engagement", &[], &vec![b' '; 65_537]).await;
    assert_eq!(single.status, 413);
    let many = Value::Array(vec![json!({}); 101]);
    assert_eq!(bench.post("/v1/engagement/batch", &many).await.status, 400);
    assert_eq!(bench.send("GET", "/v1/engagement", &[], b"").await.status, 405);
}

#[tokio::test]
async fn pages_of_the_sites_hosts_may_call_and_others_may_not() {
    let bench = Bench::new();
    let body = json!({"page_url": PAGE}).to_string();
    let from = async |method, origin| {
        bench.send(method, "/v1/page-token", &[("origin", origin)], body.as_bytes()).await
    };
    for own in ["https://example.org", "https://www.example.org:8443", "http://localhost"] {
        let answer = from("POST", own).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin").as_str()), (200, own));
        let preflight = from("OPTIONS", own).await;
        assert_eq!(
            (preflight.status, preflight.header("access-control-allow-headers").as_str()),
            (204, "content-type")
        );
    }
    for foreign in ["https://example.net", "https://notexample.org", "null", "https://example.org.evil.net"] {
        for method in ["POST", "OPTIONS"] {
            let answer = from(method, foreign).await;
            assert_eq!(
                (answer.status, answer.header("access-control-allow-origin")),
                (403, String::new()),
                "{foreign}"
            );
        }
    }
    let anybody = Bench::with_hosts(&[]);
    let answer =
        anybody.send("POST", "/v1/page-token", &[("origin", "https://a.example")], body.as_bytes()).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin").as_str()), (200, "*"));
}

#[tokio::test]
async fn who_asks_not_to_be_measured_is_not() {
    let bench = Bench::new();
    let body = json!({"page_url": PAGE, "name": "x"}).to_string();
    for path in ["/v1/page-token", "/v1/engagement", "/v1/engagement/batch", "/v1/events"] {
        let headers = [("sec-gpc", "1"), ("origin", "https://example.org")];
        assert_eq!(bench.send("POST", path, &headers, body.as_bytes()).await.status, 204, "{path}");
    }
    let gif = bench.send("GET", "/pixel.gif", &[("sec-gpc", "1"), ("referer", PAGE)], b"").await;
    assert_eq!(gif.status, 200);
    let service = bench.end().await;
    assert_eq!(service.live().counters().requests, 0);
    assert!(service.engagement().counts().keys().all(|outcome| outcome.result == "declined"));
}

#[tokio::test]
async fn the_tracker_is_served_with_gzip_and_a_tag_and_once_a_version() {
    let bench = Bench::new();
    let plain = bench.send("GET", "/tracker.js", &[], b"").await;
    assert_eq!((plain.status, plain.media_type().as_str()), (200, "text/javascript; charset=utf-8"));
    assert_eq!(plain.body, SCRIPT.body);
    assert_eq!(plain.header("cache-control"), "public, max-age=3600");
    assert_eq!(plain.header("cross-origin-resource-policy"), "cross-origin");
    let packed = bench.send("GET", "/tracker.js", &[("accept-encoding", "gzip, br")], b"").await;
    assert_eq!(
        (packed.header("content-encoding").as_str(), packed.header("vary").as_str()),
        ("gzip", "Accept-Encoding")
    );
    assert!(packed.body.len() <= 3_072, "{}", packed.body.len());
    let tag = plain.header("etag");
    let again = bench.send("GET", "/tracker.js", &[("if-none-match", &tag)], b"").await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    let other = bench.send("GET", "/tracker.js", &[("if-none-match", "\"other\"")], b"").await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn the_pixel_counts_a_view_of_the_page_that_its_referrer_names() {
    let bench = Bench::new();
    for referer in [Some(PAGE), None] {
        let headers = referer.map(|page| ("referer", page));
        let gif = bench.send("GET", "/pixel.gif", headers.as_slice(), b"").await;
        assert_eq!((gif.status, gif.media_type().as_str(), gif.body.len()), (200, "image/gif", 43));
        assert_eq!(gif.header("cache-control"), "no-store");
    }
    let counts = bench.service.engagement().counts();
    let counts: Vec<_> =
        counts.iter().map(|(outcome, count)| (outcome.result, outcome.reason, *count)).collect();
    assert_eq!(counts, [("kept", "", 1), ("refused", "no_page", 1)]);
}

#[tokio::test]
async fn where_only_the_tracker_tells_its_page_views_are_those_of_the_session() {
    let bench = Bench::new();
    for (page, navigation) in [("/a", "load"), ("/b", "single_page"), ("/c", "load")] {
        let page = format!("https://example.org{page}");
        let ask = json!({"page_url": page, "navigation": navigation, "referrer": "https://search.example/",
            "campaign": "utm_source=letter&utm_campaign=may"});
        assert_eq!(bench.post("/v1/page-token", &ask).await.status, 200);
    }
    let session = bench.only_session().await;
    let record = session.record();
    assert_eq!((record.counters.page_views, record.counters.assets, record.counters.requests), (3, 3, 6));
    let landing = record.origin.landing_page.as_ref().unwrap();
    assert_eq!(landing.as_str(), "/a");
    assert_eq!(record.origin.campaign.source.as_ref().unwrap().as_str(), "letter");
}

#[tokio::test]
async fn where_the_sites_requests_are_seen_a_load_is_counted_once() {
    let bench = Bench::new();
    let seen = json!({"client": "127.0.0.1", "target": "/a", "status": 200,
        "headers": [["user-agent", AGENT], ["host", "example.org"]]});
    let json = [("content-type", "application/json")];
    assert_eq!(bench.send("POST", "/v1/observe", &json, seen.to_string().as_bytes()).await.status, 200);
    for navigation in ["load", "single_page"] {
        let ask = json!({"page_url": PAGE, "navigation": navigation});
        assert_eq!(bench.post("/v1/page-token", &ask).await.status, 200);
    }
    let counters = bench.only_session().await.record().counters;
    assert_eq!(
        (counters.page_views, counters.requests),
        (2, 4),
        "the request, its beacon, and the second page with its script"
    );
}

#[tokio::test]
async fn a_network_that_sends_too_much_is_turned_away_and_another_is_not() {
    let bench = Bench::new();
    let statuses = async |peer: [u8; 4], times: usize| {
        let mut statuses = Vec::new();
        for _ in 0..times {
            statuses.push(bench.send_from(peer, "GET", "/pixel.gif", &[("referer", PAGE)], b"").await.status);
        }
        statuses
    };
    let told = statuses([203, 0, 113, 7], 401).await;
    assert!(told[..400].iter().all(|&status| status == 200));
    assert_eq!(told[400], 429);
    assert_eq!(statuses([203, 0, 113, 8], 1).await, [200]);
}

#[tokio::test]
async fn hosts_with_the_ingest_token_name_the_session_and_wrong_tokens_are_refused() {
    let bench = Bench::new();
    let (session, ingest) = ("000000000000000000000000000000aa", bench.ingest.clone());
    let event = json!({"name": "paid", "session_id": session}).to_string();
    let send = async |token: &str| {
        let bearer = format!("Bearer {token}");
        bench.send("POST", "/v1/events", &[("authorization", &bearer)], event.as_bytes()).await
    };
    assert_eq!(send(&ingest).await.json()["result"], "kept");
    assert_eq!(send("wrong").await.status, 401);
    let browser = [("origin", "https://example.org")];
    let refused = bench.send("POST", "/v1/events", &browser, event.as_bytes()).await;
    assert!(refused.json()["detail"].as_str().unwrap().starts_with("no_session: "), "{refused:?}");
}

#[tokio::test]
async fn what_became_of_beacons_is_among_the_metrics() {
    let bench = Bench::new();
    bench.token().await;
    bench.post("/v1/engagement", &json!({"page_url": ""})).await;
    let text = String::from_utf8(bench.send("GET", "/metrics", &[], b"").await.body).unwrap();
    for line in [
        "analytics_beacons_total{kind=\"page_token\",result=\"kept\",reason=\"\"} 1",
        "analytics_beacons_total{kind=\"engagement\",result=\"refused\",reason=\"no_page\"} 1",
        "analytics_beacons_total{kind=\"page_view\",result=\"kept\",reason=\"\"} 1",
    ] {
        assert!(text.lines().any(|told| told == line), "{line}\n{text}");
    }
}

/// A service over stores in memory whose clock stands still.
struct Bench {
    router: Router,
    service: Arc<Service>,
    analytics: Analytics,
    clock: Arc<MockClock>,
    ingest: String,
}

#[derive(Debug)]
struct Told {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn header(&self, name: &str) -> String {
        self.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    fn media_type(&self) -> String {
        self.header("content-type")
    }
}

impl Bench {
    fn new() -> Self {
        Self::with_hosts(&["example.org"])
    }

    fn with_hosts(hosts: &[&str]) -> Self {
        let clock = Arc::new(MockClock::at(DateTime::from_timestamp(1_780_000_000, 0).unwrap()));
        let mut settings = Settings::default();
        settings.site.hosts = hosts.iter().map(|&host| host.to_owned()).collect();
        settings.live = LiveSettings { capacity: 1_000, memory_rows: 1_000, ..LiveSettings::default() };
        let tokens = Tokens::random().unwrap();
        let ingest = tokens.token(Scope::Ingest).unwrap().to_owned();
        let builder = Analytics::builder().settings(settings).clock(Arc::clone(&clock) as _);
        let builder = builder.ids(Arc::new(SequentialIds::new())).tokens(tokens).on_loopback(true);
        let analytics = builder.build().unwrap();
        Self {
            router: analytics.router(),
            service: Arc::clone(analytics.service()),
            analytics,
            clock,
            ingest,
        }
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Told {
        self.send_from([127, 0, 0, 1], method, path, headers, body).await
    }

    async fn send_from(
        &self,
        peer: [u8; 4],
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Told {
        let mut request = axum::http::Request::builder().method(method).uri(path);
        for (name, value) in [("host", "localhost"), ("user-agent", AGENT)].iter().chain(headers) {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(body.to_vec())).unwrap();
        let peer = std::net::SocketAddr::from((peer, 50_000));
        request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = to_bytes(response.into_body(), 10_000_000).await.unwrap().to_vec();
        Told { status, headers, body }
    }

    /// What a page of the site sends, as `sendBeacon` does.
    async fn post(&self, path: &str, body: &Value) -> Told {
        let headers = [("content-type", "text/plain;charset=UTF-8"), ("origin", "https://example.org")];
        self.send("POST", path, &headers, body.to_string().as_bytes()).await
    }

    async fn token(&self) -> String {
        let answer = self.post("/v1/page-token", &json!({"page_url": PAGE})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["token"].as_str().unwrap().to_owned()
    }

    /// The only session, once everything that is queued is stored.
    async fn only_session(self) -> AnalyticsSession {
        let service = self.end().await;
        let page = PageRequest::first(BatchLimit::default());
        let mut sessions =
            service.stores().sessions.list(&SessionFilter::default(), page).await.unwrap().items;
        assert_eq!(sessions.len(), 1, "{sessions:?}");
        sessions.remove(0)
    }

    /// The service once everything that is queued is stored.
    async fn end(self) -> Arc<Service> {
        self.analytics.close().await;
        self.service
    }
}

const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
