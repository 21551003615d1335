//! What the routes promise, through the router as a client sees it.

use std::net::SocketAddr;
use std::sync::Arc;

use analytics_domain::request::RawRequest;
use analytics_domain::throttle::{Mode, ThrottleSettings};
use analytics_ports::ids::SequentialIds;
use analytics_ports::{BatchLimit, MockClock, PageRequest};
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use rstest::rstest;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::analytics::Analytics;
use crate::config::{LiveSettings, Settings};
use crate::live::{Scope, Tokens};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

#[tokio::test]
async fn a_person_passes_and_a_script_is_slowed_without_a_reason() {
    let bench = Bench::enforcing();
    let (status, headers, _) = bench.decide("203.0.113.7", FIREFOX, "/").await;
    assert_eq!((status, text(&headers, "x-analytics-class")), (StatusCode::OK, Some("human")));
    assert_eq!(text(&headers, "ratelimit-policy"), Some("\"default\";q=60;w=60"));
    for _ in 0..20 {
        assert_eq!(bench.decide("203.0.113.8", "curl/8", "/x").await.0, StatusCode::OK);
    }
    let (status, headers, body) = bench.decide("203.0.113.8", "curl/8", "/x").await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(text(&headers, "content-type"), Some("application/problem+json"));
    assert!(text(&headers, "retry-after").is_some_and(|wait| wait.parse::<u32>().unwrap() >= 1));
    assert_eq!(text(&headers, "x-analytics-class"), None, "a refusal goes to the client as it is");
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["type"], "https://iana.org/assignments/http-problem-types#quota-exceeded");
    assert_eq!(bench.decide("203.0.113.7", FIREFOX, "/about").await.0, StatusCode::OK);
}

#[tokio::test]
async fn forwarding_fields_of_a_peer_that_is_no_proxy_decide_nothing() {
    let bench = Bench::enforcing();
    let request =
        Request::get("/v1/decide").header("x-forwarded-uri", "/").header("x-forwarded-for", "203.0.113.7");
    let (status, _, body) = bench.send_from("192.0.2.1:5", request.body(Body::empty()).unwrap()).await;
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (status, &body["type"]),
        (StatusCode::FORBIDDEN, &json!("urn:analytics:problem:untrusted-peer"))
    );
    assert_eq!(bench.service.live().visitors(), 0);
}

#[tokio::test]
async fn what_a_client_puts_left_of_its_address_changes_nothing() {
    let bench = Bench::enforcing();
    for number in 0..40 {
        let forged = format!("198.51.100.{number}, 203.0.113.8");
        let status = bench.decide(&forged, "curl/8", "/x").await.0;
        let expected = if number < 20 { StatusCode::OK } else { StatusCode::TOO_MANY_REQUESTS };
        assert_eq!(status, expected, "{number}");
    }
}

#[tokio::test]
async fn every_way_to_say_what_is_asked_for_is_understood() {
    let bench = Bench::enforcing();
    let ask = async |request: axum::http::request::Builder| {
        let request = request
            .header("x-forwarded-for", "203.0.113.9")
            .header("authorization", "Basic aWNoOmljaA==")
            .body(Body::empty());
        bench.send(request.unwrap()).await.0
    };
    assert_eq!(ask(Request::get("/v1/decide").header("x-forwarded-uri", "/a")).await, StatusCode::OK);
    assert_eq!(ask(Request::post("/v1/decide").header("x-original-uri", "/a")).await, StatusCode::OK);
    for target in ["a/b?c=d", "", "?c=d", "/", "/a", "%2e%2e/%ff"] {
        assert_eq!(ask(Request::put(format!("/v1/decide/{target}"))).await, StatusCode::OK, "{target}");
    }
    assert_eq!(ask(Request::get("/v1/decide")).await, StatusCode::BAD_REQUEST);
}

#[rstest]
#[case::decide("GET", "/v1/decide", Scope::Ingest)]
#[case::observe("POST", "/v1/observe", Scope::Ingest)]
#[case::usage("POST", "/v1/tasks", Scope::Ingest)]
#[case::report("GET", "/v1/reports/traffic-summary", Scope::Admin)]
#[case::sessions("GET", "/v1/sessions", Scope::Admin)]
#[case::features("GET", "/v1/features", Scope::Admin)]
#[case::fingerprints("GET", "/v1/fingerprints", Scope::Admin)]
#[case::bans("GET", "/v1/bans", Scope::Admin)]
#[case::thresholds("GET", "/v1/anomaly/thresholds", Scope::Admin)]
#[case::metrics("GET", "/metrics", Scope::Admin)]
#[tokio::test]
async fn each_route_asks_for_its_scope(#[case] method: &str, #[case] path: &str, #[case] needed: Scope) {
    let bench = Bench::with_tokens();
    let call = async |token: Option<&str>| {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        bench.send_from("198.51.100.1:1", request.body(Body::from("{}")).unwrap()).await.0
    };
    let tokens = bench.service.tokens().unwrap();
    let [ingest, admin] = [Scope::Ingest, Scope::Admin].map(|scope| tokens.token(scope).unwrap());
    assert_eq!(call(None).await, StatusCode::UNAUTHORIZED);
    assert_eq!(call(Some("wrong")).await, StatusCode::UNAUTHORIZED);
    let closed = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
    // Nobody trusts that peer, so a decision is refused for that, once the token was good.
    let opens = |status| path == "/v1/decide" && status == StatusCode::FORBIDDEN || !closed.contains(&status);
    assert!(opens(call(Some(admin)).await));
    let by_ingest = call(Some(ingest)).await;
    assert_eq!(opens(by_ingest), needed == Scope::Ingest, "{by_ingest}");
}

#[rstest]
#[case::at_the_machine("127.0.0.1:9", &[("host", "localhost:8080")], StatusCode::OK)]
#[case::by_its_address("[::1]:9", &[("host", "[::1]:8080")], StatusCode::OK)]
#[case::another_host("127.0.0.1:9", &[("host", "example.org")], StatusCode::UNAUTHORIZED)]
#[case::no_host("127.0.0.1:9", &[], StatusCode::UNAUTHORIZED)]
#[case::through_a_proxy("127.0.0.1:9", &[("host", "localhost"), ("x-forwarded-for", "203.0.113.7")], StatusCode::UNAUTHORIZED)]
#[case::another_machine("203.0.113.7:9", &[("host", "localhost")], StatusCode::UNAUTHORIZED)]
#[tokio::test]
async fn without_a_token_only_a_person_at_the_machine_reads(
    #[case] peer: &str,
    #[case] headers: &[(&str, &str)],
    #[case] expected: StatusCode,
) {
    let bench = Bench::enforcing();
    let mut request = Request::get("/v1/sessions");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    assert_eq!(bench.send_from(peer, request.body(Body::empty()).unwrap()).await.0, expected);
}

#[rstest]
#[case::the_site_itself(&[("sec-fetch-site", "same-origin")], StatusCode::NOT_FOUND)]
#[case::no_browser(&[], StatusCode::NOT_FOUND)]
#[case::another_site(&[("sec-fetch-site", "cross-site")], StatusCode::FORBIDDEN)]
#[case::a_neighbour(&[("sec-fetch-site", "same-site")], StatusCode::FORBIDDEN)]
#[case::an_old_browser(&[("origin", "https://evil.example")], StatusCode::FORBIDDEN)]
#[case::an_old_browser_of_the_site(&[("origin", "http://localhost")], StatusCode::NOT_FOUND)]
#[tokio::test]
async fn a_page_of_another_site_changes_nothing(
    #[case] headers: &[(&str, &str)],
    #[case] expected: StatusCode,
) {
    let bench = Bench::enforcing();
    let path = "/v1/sessions/00000000000000000000000000000001/revoke";
    let mut request = Request::post(path).header("host", "localhost");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    assert_eq!(bench.send(request.body(Body::empty()).unwrap()).await.0, expected);
}

#[tokio::test]
async fn what_was_decided_is_told_in_sessions_reports_and_metrics() {
    let bench = Bench::enforcing();
    for target in ["/", "/style.css", "/about"] {
        bench.decide("203.0.113.7", FIREFOX, target).await;
    }
    for _ in 0..30 {
        bench.decide("203.0.113.8", "curl/8", "/x").await;
    }
    let bench = bench.settled().await;
    let sessions = bench.read("/v1/sessions?class=human").await;
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 1);
    let session = &sessions["sessions"][0];
    let counters = &session["counters"];
    assert_eq!(
        (&counters["requests"], &counters["page_views"], &counters["assets"]),
        (&json!(3), &json!(2), &json!(1))
    );
    let id = session["id"].as_str().unwrap();
    assert_eq!(&bench.read(&format!("/v1/sessions/{id}")).await, session);
    let features = bench.read(&format!("/v1/features?session={id}")).await;
    assert_eq!((&features["requests"], &features["features"]["page_views"]), (&json!(3), &json!(2.0)));
    assert_eq!(features["features"]["total_clicks"], json!(null), "no beacon came");
    let report = bench.read("/v1/reports/traffic-summary?from=2026-05-28&to=2026-05-29&compare=true").await;
    assert_eq!(report["data"]["people"]["page_views"], json!(2));
    let bots = bench.read("/v1/sessions?class=declared_bot&limit=1").await;
    assert_eq!(bots["sessions"][0]["counters"]["refused"], json!(10));
    let metrics = bench.get("/metrics").await;
    assert!(String::from_utf8(metrics.2).unwrap().contains("\nanalytics_refused_total 10\n"));
}

#[tokio::test]
async fn a_list_goes_on_where_the_page_before_ended() {
    let bench = Bench::enforcing();
    for host in 1..=5 {
        bench.decide(&format!("203.0.113.{host}"), FIREFOX, "/").await;
    }
    let bench = bench.settled().await;
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = bench.read(&format!("/v1/sessions?limit=2{after}")).await;
        seen.extend(page["sessions"].as_array().unwrap().iter().map(|session| session["id"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen.len(), 5);
    let distinct: std::collections::BTreeSet<_> = seen.iter().map(ToString::to_string).collect();
    assert_eq!(distinct.len(), 5);
}

#[tokio::test]
async fn observed_requests_get_a_decision_each() {
    let bench = Bench::enforcing();
    let one = json!({
        "client": "203.0.113.7", "target": "/a", "headers": [["User-Agent", FIREFOX]], "status": 200,
    });
    let (status, decision) = bench.post("/v1/observe", &one).await;
    assert_eq!((status, &decision["decision"]), (StatusCode::OK, &json!("admit")));
    let many: Vec<Value> = (0..25)
        .map(|_| json!({ "client": "203.0.113.8", "target": "/b", "headers": [["user-agent", "curl/8"]] }))
        .collect();
    let (_, decisions) = bench.post("/v1/observe", &json!(many)).await;
    let refused = decisions.as_array().unwrap().iter().filter(|one| one["decision"] == "refuse").count();
    assert_eq!(refused, 5);
    let (status, _) = bench.post("/v1/observe", &json!({ "client": "nobody", "target": "/" })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let too_many: Vec<Value> =
        (0..1_001).map(|_| json!({ "client": "203.0.113.8", "target": "/" })).collect();
    assert_eq!(bench.post("/v1/observe", &json!(too_many)).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn usage_is_kept_once_and_a_bad_record_keeps_none_of_its_call() {
    let bench = Bench::enforcing();
    let request = json!({
        "id": "019e7044880070008000000000000001", "provider": "anthropic", "model": "m", "input_tokens": 10,
        "output_tokens": 5, "cost_nano_dollars": 7,
    });
    let (status, answer) = bench.post("/v1/ai-requests", &request).await;
    assert_eq!((status, answer), (StatusCode::OK, json!({ "new": 1, "known": 0 })));
    let (_, again) = bench.post("/v1/ai-requests", &request).await;
    assert_eq!(again, json!({ "new": 0, "known": 1 }));
    let bad = json!([
        { "agent": "a" },
        { "agent": "" },
    ]);
    let (status, problem) = bench.post("/v1/tasks", &bad).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(problem["detail"].as_str().unwrap().starts_with("record 1: "), "{problem}");
    assert_eq!(bench.post("/v1/tasks", &json!({ "agent": "a" })).await.1, json!({ "new": 1, "known": 0 }));
    assert_eq!(
        bench.post("/v1/tool-executions", &json!({ "tool": "t" })).await.1,
        json!({ "new": 1, "known": 0 })
    );
    let message = json!({
        "conversation": "019e7044880070008000000000000002", "role": "user",
        "begins": "2026-05-28T20:26:40Z", "title": "<b>hello</b>",
    });
    assert_eq!(bench.post("/v1/messages", &message).await, (StatusCode::OK, json!({ "new": 1, "known": 0 })));
}

#[tokio::test]
async fn a_session_is_explained_and_a_label_human_frees_its_client_at_once() {
    let bench = Bench::enforcing();
    for _ in 0..30 {
        bench.decide("203.0.113.8", "curl/8", "/x").await;
    }
    assert_eq!(bench.decide("203.0.113.8", "curl/8", "/x").await.0, StatusCode::TOO_MANY_REQUESTS);
    let id = bench.service.live().session_of(&client("203.0.113.8", &[("user-agent", "curl/8")])).unwrap();
    let bench = bench.settled().await;
    let explained = bench.read(&format!("/v1/sessions/{id}/explain")).await;
    assert_eq!(explained["session"]["class"], json!("declared_bot"));
    assert_eq!(explained["categories"][0]["category"], json!("declared"));
    let label = |class: &str| {
        let request = Request::put(format!("/v1/sessions/{id}/label"))
            .header("host", "localhost")
            .header("x-operator", "ann")
            .header("content-type", "application/json");
        bench.send(request.body(Body::from(json!({ "class": class }).to_string())).unwrap())
    };
    assert_eq!(label("alien").await.0, StatusCode::BAD_REQUEST);
    let (status, _, body) = label("human").await;
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &body["label"]["author"]), (StatusCode::OK, &json!("ann")), "{body}");
    assert_eq!(bench.decide("203.0.113.8", "curl/8", "/x").await.0, StatusCode::OK);
    let again = bench.read(&format!("/v1/sessions/{id}/explain")).await;
    assert_eq!(again["kept"]["labels"][0]["class"], json!("human"));
    assert_eq!(again["kept"]["audit"][0]["actor"], json!("ann"));
}

#[tokio::test]
async fn a_banned_network_is_freed_by_name_and_one_that_is_not_banned_is_not_found() {
    let bench = Bench::enforcing();
    let network: analytics_domain::request::Network = "203.0.113.7/32".parse().unwrap();
    let by = crate::services::Operator::new("ann", None).unwrap();
    let subject = analytics_domain::reputation::BanSubject::Network(network);
    bench.service.moderation().ban(subject, TimeDelta::hours(1), &by).await.unwrap();
    assert_eq!(bench.read("/v1/bans").await["bans"].as_array().unwrap().len(), 1);
    let free = async |network: &str| {
        let request = Request::delete(format!("/v1/bans/{network}")).header("host", "localhost");
        bench.send(request.body(Body::empty()).unwrap()).await.0
    };
    assert_eq!(free("nobody").await, StatusCode::BAD_REQUEST);
    assert_eq!(free("203.0.113.7%2F32").await, StatusCode::OK);
    assert_eq!(free("203.0.113.7%2F32").await, StatusCode::NOT_FOUND);
    assert_eq!(bench.read("/v1/bans").await["bans"], json!([]));
}

#[tokio::test]
async fn limits_are_set_and_impossible_ones_are_refused() {
    let bench = Bench::enforcing();
    let put = async |limits: Value| {
        let request = Request::put("/v1/anomaly/thresholds")
            .header("host", "localhost")
            .header("content-type", "application/json");
        bench.send(request.body(Body::from(limits.to_string())).unwrap()).await.0
    };
    let limits = json!({ "metric": "error_rate", "warning": 0.2, "critical": 0.4 });
    assert_eq!(put(limits).await, StatusCode::NO_CONTENT);
    assert_eq!(
        put(json!({ "metric": "error_rate", "warning": 0.5, "critical": 0.4 })).await,
        StatusCode::BAD_REQUEST
    );
    let kept = bench.read("/v1/anomaly/thresholds").await;
    let of = |metric: &str| kept.as_array().unwrap().iter().find(|row| row["metric"] == metric).cloned();
    assert_eq!(of("error_rate").unwrap()["warning"], json!(0.2));
    assert!(of("requests_per_minute").is_some(), "defaults that the store does not replace are listed too");
}

#[tokio::test]
async fn an_anomaly_of_live_traffic_is_listed_drawn_and_acknowledged() {
    let bench = Bench::enforcing();
    for number in 0..20 {
        let seen = json!({
            "client": format!("203.0.113.{number}"), "target": "/", "headers": [["user-agent", FIREFOX]],
            "status": 500, "duration_us": 250_000,
        });
        assert_eq!(bench.post("/v1/observe", &seen).await.0, StatusCode::OK);
    }
    let told = json!({
        "provider": "p", "model": "m", "input_tokens": 1, "output_tokens": 1,
        "cost_nano_dollars": 2_500_000_000_i64,
    });
    assert_eq!(bench.post("/v1/ai-requests", &told).await.0, StatusCode::OK);
    bench.clock.advance(TimeDelta::minutes(1));
    assert_eq!(bench.analytics.as_ref().unwrap().watch().await.len(), 1);
    let listed = bench.read("/v1/anomaly/events?acknowledged=false").await;
    let event = &listed["events"][0];
    let found = ["metric", "rule", "level"].map(|field| event[field].as_str().unwrap());
    assert_eq!(found, ["error_rate.people", "threshold", "critical"]);
    assert_eq!(listed["events"].as_array().unwrap().len(), 1);
    for (metric, value) in [
        ("error_rate.people", 1.0),
        ("requests.people", 20.0),
        ("new_fingerprints.people", 20.0),
        ("response_time.people", 0.25),
        ("ai_cost.people", 2.5),
    ] {
        let series = bench.read(&format!("/v1/anomaly/series/{metric}")).await;
        assert_eq!(series["points"][0]["value"], json!(value), "{series}");
    }
    let path = format!("/v1/anomaly/events/{}/acknowledge", event["id"].as_str().unwrap());
    let (status, noted) = bench.post(&path, &json!({})).await;
    assert_eq!((status, noted["acknowledged_at"].is_string()), (StatusCode::OK, true));
    let page = PageRequest::first(BatchLimit::default());
    let audited = bench.service.stores().audit.list(None, page).await.unwrap().items;
    let audited: Vec<_> =
        audited.iter().map(|entry| (entry.record().action.as_str(), entry.record().actor.as_str())).collect();
    assert_eq!(audited, [("acknowledge_anomaly", "person at the machine")]);
    assert_eq!(bench.read("/v1/anomaly/events?acknowledged=false").await["events"], json!([]));
}

#[rstest]
#[case::no_route("GET", "/v2", StatusCode::NOT_FOUND)]
#[case::wrong_method("DELETE", "/v1/sessions", StatusCode::METHOD_NOT_ALLOWED)]
#[case::no_report("GET", "/v1/reports/x", StatusCode::NOT_FOUND)]
#[case::wrong_key("GET", "/v1/reports/devices?filter=moon=full", StatusCode::BAD_REQUEST)]
#[case::wrong_time("GET", "/v1/reports/devices?from=yesterday", StatusCode::BAD_REQUEST)]
#[case::ends_before("GET", "/v1/reports/devices?from=2026-03-02&to=2026-03-01", StatusCode::BAD_REQUEST)]
#[case::unknown_option("GET", "/v1/sessions?color=red", StatusCode::BAD_REQUEST)]
#[case::no_limit("GET", "/v1/sessions?limit=0", StatusCode::BAD_REQUEST)]
#[case::no_cursor("GET", "/v1/sessions?after=x", StatusCode::BAD_REQUEST)]
#[case::no_id("GET", "/v1/sessions/x", StatusCode::BAD_REQUEST)]
#[case::no_session("GET", "/v1/sessions/00000000000000000000000000000001", StatusCode::NOT_FOUND)]
#[case::no_fingerprint(
    "POST",
    "/v1/fingerprints/00000000000000000000000000000001/flag",
    StatusCode::NOT_FOUND
)]
#[case::no_anomaly(
    "POST",
    "/v1/anomaly/events/00000000000000000000000000000001/acknowledge",
    StatusCode::NOT_FOUND
)]
#[case::no_json("POST", "/v1/observe", StatusCode::UNSUPPORTED_MEDIA_TYPE)]
#[tokio::test]
async fn what_is_wrong_is_told_as_a_problem(
    #[case] method: &str,
    #[case] path: &str,
    #[case] expected: StatusCode,
) {
    let bench = Bench::enforcing();
    let request = Request::builder().method(method).uri(path).header("host", "localhost");
    let (status, headers, body) = bench.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(status, expected);
    assert_eq!(text(&headers, "content-type"), Some("application/problem+json"));
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["status"], json!(expected.as_u16()));
    assert!(body["type"].as_str().unwrap().starts_with("urn:analytics:problem:"), "{body}");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let bench = Bench::enforcing();
    let request =
        Request::post("/v1/observe").header("host", "localhost").header("content-type", "application/json");
    let body = Body::from(vec![b' '; MOST_BODY + 1]);
    assert_eq!(bench.send(request.body(body).unwrap()).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn every_route_is_described_and_every_described_route_is_there() {
    let bench = Bench::enforcing();
    let description = bench.read("/openapi.json").await;
    let paths = description["paths"].as_object().unwrap();
    assert!(paths.len() >= 18, "{}", paths.len());
    for (path, methods) in paths {
        for method in methods.as_object().unwrap().keys() {
            let path = path.replace("{name}", "channels").replace(['{', '}'], "");
            let request = Request::builder()
                .method(method.to_uppercase().as_str())
                .uri(&path)
                .header("host", "localhost");
            let (status, _, body) = bench.send(request.body(Body::empty()).unwrap()).await;
            let body = String::from_utf8_lossy(&body).into_owned();
            assert!(
                !body.contains("no-such-route") && status != StatusCode::METHOD_NOT_ALLOWED,
                "{method} {path}"
            );
        }
    }
}

/// A service over stores in memory, at a clock that stands still.
struct Bench {
    router: Router,
    service: Arc<Service>,
    /// Gone once everything is stored.
    analytics: Option<Analytics>,
    clock: Arc<MockClock>,
}

impl Bench {
    fn enforcing() -> Self {
        Self::start(None)
    }

    fn with_tokens() -> Self {
        Self::start(Some(Tokens::random().unwrap()))
    }

    fn start(tokens: Option<Tokens>) -> Self {
        let clock = Arc::new(MockClock::at(start()));
        let mut settings = Settings::default();
        settings.client.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
        settings.throttle =
            ThrottleSettings { mode: Mode::Enforce, ..ThrottleSettings::default() }.try_into().unwrap();
        settings.live = LiveSettings { capacity: 10_000, memory_rows: 10_000, ..LiveSettings::default() };
        let builder = Analytics::builder().settings(settings).clock(clock.clone()).on_loopback(true);
        let builder = builder.ids(Arc::new(SequentialIds::default()));
        let builder = match tokens {
            Some(tokens) => builder.tokens(tokens),
            None => builder,
        };
        let analytics = builder.build().unwrap();
        Self {
            router: analytics.router(),
            service: Arc::clone(analytics.service()),
            analytics: Some(analytics),
            clock,
        }
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, HeaderMap, Vec<u8>) {
        self.send_from("127.0.0.1:40000", request).await
    }

    async fn send_from(&self, peer: &str, mut request: Request<Body>) -> (StatusCode, HeaderMap, Vec<u8>) {
        request.extensions_mut().insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        (parts.status, parts.headers, body.to_vec())
    }

    async fn decide(
        &self,
        forwarded_for: &str,
        agent: &str,
        target: &str,
    ) -> (StatusCode, HeaderMap, Vec<u8>) {
        let request = Request::get("/v1/decide")
            .header("x-forwarded-for", forwarded_for)
            .header("x-forwarded-method", "GET")
            .header("x-forwarded-uri", target)
            .header("user-agent", agent);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn get(&self, path: &str) -> (StatusCode, HeaderMap, Vec<u8>) {
        self.send(Request::get(path).header("host", "localhost").body(Body::empty()).unwrap()).await
    }

    async fn read(&self, path: &str) -> Value {
        let (status, _, body) = self.get(path).await;
        let body = serde_json::from_slice(&body).unwrap();
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let request =
            Request::post(path).header("host", "localhost").header("content-type", "application/json");
        let (status, _, body) = self.send(request.body(Body::from(body.to_string())).unwrap()).await;
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// Waits until everything that was decided is stored. Nothing more is stored from then on.
    async fn settled(mut self) -> Self {
        self.clock.advance(TimeDelta::seconds(1));
        if let Some(analytics) = self.analytics.take() {
            analytics.close().await;
        }
        self
    }
}

fn client<'a>(address: &str, headers: &'a [(&'a str, &'a str)]) -> RawRequest<'a> {
    request::raw("GET", "/", "", headers, address.parse().unwrap(), start())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 0).unwrap()
}
