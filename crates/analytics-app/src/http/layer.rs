//! The engine as a layer around a service of one's own: axum, tonic, hyper, whatever speaks tower.
//!
//! Each request is decided before the inner service sees it, and its answer is counted with status and time. In enforce
//! mode a refused request is answered here. Whatever goes wrong in analytics, the request goes on: a fault is counted and
//! the inner service is called as if the layer were not there.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use analytics_ports::Clock;
use axum::body::{Body, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, Response, header};
use chrono::{DateTime, Utc};
use tower::{Layer, Service};

use super::decide::{refusal, set_cookie, set_limit};
use super::request::{fields, protocol, raw};
use crate::live::{Answer, Decided, LiveTraffic, Pending};
use crate::system::Stopwatch;

/// Puts the engine around a service.
///
/// The address of the client is that of the connection (`axum::serve` with `into_make_service_with_connect_info`), or
/// what trusted proxies say of it. Handlers find the [`Decided`] facts of a request as a [`Visit`] among its extensions.
#[derive(Clone)]
pub struct AnalyticsLayer {
    shared: Arc<Shared>,
}

/// A service with the engine around it.
#[derive(Clone)]
pub struct AnalyticsService<S> {
    inner: S,
    shared: Arc<Shared>,
}

/// What a handler is told of the request that it answers.
#[derive(Debug, Clone, Copy)]
pub struct Visit {
    /// The session.
    pub session: analytics_domain::ids::SessionId,
    /// Whom it counts as.
    pub visitor: analytics_domain::ids::VisitorId,
    /// What the session is taken for.
    pub class: analytics_domain::detector::Class,
    /// How strictly the client is held.
    pub level: analytics_domain::throttle::ThrottleLevel,
}

struct Shared {
    live: Arc<LiveTraffic>,
    clock: Arc<dyn Clock>,
    https: Option<bool>,
    faults: AtomicU64,
}

impl AnalyticsLayer {
    /// The layer of this engine.
    pub fn new(live: Arc<LiveTraffic>, clock: Arc<dyn Clock>) -> Self {
        Self { shared: Arc::new(Shared { live, clock, https: None, faults: AtomicU64::new(0) }) }
    }

    /// The layer of a service that knows whether it speaks TLS to its clients.
    #[must_use]
    pub fn over_tls(self, https: bool) -> Self {
        let Shared { live, clock, .. } = &*self.shared;
        let (live, clock) = (Arc::clone(live), Arc::clone(clock));
        Self { shared: Arc::new(Shared { live, clock, https: Some(https), faults: AtomicU64::new(0) }) }
    }

    /// How often analytics failed and the request went on without it.
    pub fn faults(&self) -> u64 {
        self.shared.faults.load(Ordering::Relaxed)
    }
}

impl<S> Layer<S> for AnalyticsLayer {
    type Service = AnalyticsService<S>;

    fn layer(&self, inner: S) -> AnalyticsService<S> {
        AnalyticsService { inner, shared: Arc::clone(&self.shared) }
    }
}

impl<S, B> Service<Request<B>> for AnalyticsService<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        let Some(decided) = shared.decide(&request) else {
            return Box::pin(self.inner.call(request));
        };
        if !decided.answer.is_admitted() {
            let response = refusal(&decided.answer, decided.fields);
            let answer = Answer { status: Some(429), ..Answer::default() };
            Under { shared, pending: Some(decided.pending) }.answered(answer);
            return Box::pin(async { Ok(response) });
        }
        let Decided { session, visitor, class, answer, .. } = decided;
        request.extensions_mut().insert(Visit { session, visitor, class, level: answer.level });
        let (fields, cookie) = (decided.fields, decided.cookie);
        let under = Under { shared, pending: Some(decided.pending) };
        let since = Stopwatch::start();
        let answering = self.inner.call(request);
        Box::pin(async move {
            let mut response = answering.await?;
            set_limit(response.headers_mut(), fields);
            // A cookie in an answer that others are shown too would make them one.
            let shared = || is_shared(response.headers(), under.shared.clock.now());
            if cookie.is_some() && under.shared.guarded(shared) == Some(false) {
                set_cookie(response.headers_mut(), cookie);
            }
            let told = response.headers().get(header::CONTENT_LENGTH);
            let told = told.and_then(|length| length.to_str().ok()?.parse().ok());
            under.answered(Answer {
                status: Some(response.status().as_u16()),
                bytes: told.or_else(|| response.body().size_hint().exact()),
                duration_us: u64::try_from(since.elapsed().as_micros()).ok(),
            });
            Ok(response)
        })
    }
}

impl Shared {
    fn decide<B>(&self, request: &Request<B>) -> Option<Decided> {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
        self.guarded(|| {
            let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
            let headers = fields(request.headers());
            let seen = raw(
                request.method().as_str(),
                target,
                protocol(request.version()),
                &headers,
                peer,
                self.clock.now(),
            );
            self.live.decide(&seen, self.https).ok()
        })?
    }

    /// What `work` answers; `None` when it panicked, which is counted and holds up nobody.
    fn guarded<R>(&self, work: impl FnOnce() -> R) -> Option<R> {
        catch_unwind(AssertUnwindSafe(work))
            .inspect_err(|_| {
                self.faults.fetch_add(1, Ordering::Relaxed);
                tracing::error!("analytics failed; the request goes on without it");
            })
            .ok()
    }
}

/// Whether an answer says that caches may show it to others: outright or by a time for which it holds (RFC 9111, 4.2.1),
/// and without saying that it is for one person or not to be stored.
fn is_shared(headers: &HeaderMap, now: DateTime<Utc>) -> bool {
    let expires = headers.get(header::EXPIRES).and_then(|expires| expires.to_str().ok());
    // What is no date is over.
    let expires = expires.and_then(|expires| DateTime::parse_from_rfc2822(expires).ok());
    let (mut outright, mut holds) = (false, expires.is_some_and(|expires| expires > now));
    for value in headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok()) {
        for directive in value.to_ascii_lowercase().split(',') {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match (name.trim(), value) {
                ("private" | "no-store", "") => return false,
                ("public" | "s-maxage", _) => outright = true,
                ("max-age", _) => holds = value.trim().trim_matches('"') != "0",
                _ => {}
            }
        }
    }
    outright || holds
}

/// A request that the inner service works at. A client that goes away leaves it without an answer, and it is counted.
struct Under {
    shared: Arc<Shared>,
    pending: Option<Pending>,
}

impl Under {
    fn answered(mut self, answer: Answer) {
        self.settle(answer);
    }

    fn settle(&mut self, answer: Answer) {
        let Some(pending) = self.pending.take() else { return };
        let Shared { live, clock, .. } = &*self.shared;
        self.shared.guarded(|| live.answered(pending, answer, clock.now()));
    }
}

impl Drop for Under {
    fn drop(&mut self) {
        self.settle(Answer::default());
    }
}

#[cfg(test)]
mod tests {
    use analytics_domain::throttle::{Mode, ThrottleSettings};
    use analytics_ports::{BatchLimit, MockClock, PageRequest};
    use axum::Router;
    use axum::http::{HeaderName, HeaderValue, StatusCode};
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;
    use crate::analytics::Analytics;
    use crate::config::{LiveSettings, Settings};
    use crate::wiring::Stores;

    #[tokio::test]
    async fn requests_of_a_service_are_counted_with_status_and_length() {
        let bench = Bench::new();
        assert_eq!(bench.ask("/", "Mozilla/5.0 Firefox/140.0").await.status(), StatusCode::OK);
        assert_eq!(bench.ask("/nothing", "Mozilla/5.0 Firefox/140.0").await.status(), StatusCode::NOT_FOUND);
        let (stores, session) = bench.settled().await;
        let rows = stores.requests.list_by_session(session, PageRequest::first(BatchLimit::default())).await;
        let rows = rows.unwrap().items;
        let seen: std::collections::BTreeSet<_> = rows
            .iter()
            .map(|row| (row.record().path.as_str().to_owned(), row.record().status, row.record().bytes))
            .collect();
        assert_eq!(
            seen,
            [("/".to_owned(), Some(200), Some(5)), ("/nothing".to_owned(), Some(404), Some(0))].into()
        );
        assert!(rows.iter().all(|row| row.record().duration_us.is_some()));
    }

    #[tokio::test]
    async fn over_the_quota_the_layer_answers_and_the_service_is_not_asked() {
        let bench = Bench::new();
        let mut statuses = Vec::new();
        for _ in 0..25 {
            let response = bench.ask("/", "curl/8").await;
            assert!(response.headers().contains_key("ratelimit"));
            statuses.push(response.status());
        }
        assert_eq!(statuses.iter().filter(|status| **status == StatusCode::OK).count(), 20);
        assert_eq!(statuses[24], StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(bench.live.counters().refused, 5);
    }

    #[tokio::test]
    async fn a_session_cookie_is_set_but_on_answers_that_caches_share() {
        let bench = Bench::with(LiveSettings { session_cookie: true, ..LiveSettings::default() });
        let agent = "Mozilla/5.0 Firefox/140.0";
        let given = bench.ask("/", agent).await.headers().get(header::SET_COOKIE).cloned().unwrap();
        assert!(given.to_str().unwrap().starts_with("analytics_session="), "{given:?}");
        let shared = bench.ask("/shared", agent).await;
        assert_eq!((shared.status(), shared.headers().get(header::SET_COOKIE)), (StatusCode::OK, None));
        assert!(Bench::new().ask("/", agent).await.headers().get(header::SET_COOKIE).is_none());
    }

    #[test]
    fn an_answer_is_shared_that_caches_may_keep_for_others() {
        let cases: [(&[(HeaderName, &str)], bool); 12] = [
            (&[], false),
            (&[(header::CACHE_CONTROL, "public")], true),
            (&[(header::CACHE_CONTROL, "Max-Age=60")], true),
            (&[(header::CACHE_CONTROL, "max-age=0, must-revalidate")], false),
            (&[(header::CACHE_CONTROL, "public, max-age=0")], true),
            (&[(header::CACHE_CONTROL, "max-age=0, s-maxage=9")], true),
            (&[(header::CACHE_CONTROL, "private, max-age=60")], false),
            (&[(header::CACHE_CONTROL, "max-age=60"), (header::CACHE_CONTROL, "no-store")], false),
            (&[(header::EXPIRES, "Sat, 01 Jan 2050 00:00:00 GMT")], true),
            (&[(header::EXPIRES, "Thu, 01 Jan 1970 00:00:00 GMT")], false),
            (&[(header::EXPIRES, "0")], false),
            (
                &[(header::EXPIRES, "Sat, 01 Jan 2050 00:00:00 GMT"), (header::CACHE_CONTROL, "max-age=0")],
                false,
            ),
        ];
        for (fields, expected) in cases {
            let fields = fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            let headers: HeaderMap = fields.collect();
            assert_eq!(is_shared(&headers, at()), expected, "{headers:?}");
        }
    }

    #[tokio::test]
    async fn handlers_are_told_what_the_visit_is_taken_for() {
        let bench = Bench::new();
        let response = bench.ask("/class", "curl/8").await;
        let body = axum::body::to_bytes(response.into_body(), 100).await.unwrap();
        assert_eq!(body.as_ref(), b"declared_bot");
    }

    #[tokio::test]
    async fn a_fault_of_analytics_breaks_no_request() {
        struct Broken;
        impl Clock for Broken {
            fn now(&self) -> DateTime<Utc> {
                panic!("no time")
            }
        }
        let bench = Bench::new();
        let layer = AnalyticsLayer::new(Arc::clone(&bench.live), Arc::new(Broken));
        let router = Router::new().route("/", get(|| async { "hello" })).layer(layer.clone());
        let request = Request::get("/").body(Body::empty()).unwrap();
        assert_eq!(router.oneshot(request).await.unwrap().status(), StatusCode::OK);
        assert_eq!(layer.faults(), 1);
    }

    #[tokio::test]
    async fn a_client_that_goes_away_is_counted_without_a_status() {
        let bench = Bench::new();
        let waits = Router::new().route("/", get(std::future::pending::<&'static str>));
        let router = waits.layer(AnalyticsLayer::new(Arc::clone(&bench.live), bench.clock.clone()));
        let request = Bench::request("/", "Mozilla/5.0 Firefox/140.0");
        let mut answering = Box::pin(router.oneshot(request));
        assert!(futures_now(answering.as_mut()).is_none());
        drop(answering);
        let (stores, session) = bench.settled().await;
        let rows = stores.requests.list_by_session(session, PageRequest::first(BatchLimit::default())).await;
        assert_eq!(rows.unwrap().items.iter().map(|row| row.record().status).collect::<Vec<_>>(), [None]);
    }

    /// What a future answers when it is asked once.
    fn futures_now<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
        match future.poll(&mut Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        }
    }

    struct Bench {
        router: Router,
        live: Arc<LiveTraffic>,
        clock: Arc<MockClock>,
        analytics: Analytics,
    }

    impl Bench {
        fn new() -> Self {
            Self::with(LiveSettings::default())
        }

        fn with(live: LiveSettings) -> Self {
            let clock = Arc::new(MockClock::at(at()));
            let throttle = ThrottleSettings { mode: Mode::Enforce, ..ThrottleSettings::default() };
            let settings = Settings { throttle: throttle.try_into().unwrap(), live, ..Settings::default() };
            let analytics = Analytics::builder().settings(settings).clock(clock.clone()).build().unwrap();
            let live = Arc::clone(analytics.live());
            let told = |request: Request<Body>| async move {
                request.extensions().get::<Visit>().map_or("", |visit| visit.class.as_str()).to_owned()
            };
            let router = Router::new()
                .route("/", get(|| async { "hello" }))
                .route("/class", get(told))
                .route("/shared", get(|| async { ([(header::CACHE_CONTROL, "max-age=60, Public")], "all") }))
                .layer(analytics.layer());
            Self { router, live, clock, analytics }
        }

        fn request(target: &str, agent: &str) -> Request<Body> {
            let mut request = Request::get(target).header("user-agent", agent).body(Body::empty()).unwrap();
            let peer: SocketAddr = "203.0.113.7:1".parse().unwrap();
            request.extensions_mut().insert(ConnectInfo(peer));
            request
        }

        async fn ask(&self, target: &str, agent: &str) -> Response<Body> {
            self.router.clone().oneshot(Self::request(target, agent)).await.unwrap()
        }

        /// The stores once everything is stored, and the only session.
        async fn settled(self) -> (Stores, analytics_domain::ids::SessionId) {
            let stores = self.analytics.stores().clone();
            self.analytics.close().await;
            let page = PageRequest::first(BatchLimit::default());
            let sessions = stores.sessions.list(&analytics_ports::SessionFilter::default(), page).await;
            let sessions = sessions.unwrap().items;
            assert_eq!(sessions.len(), 1);
            (stores, sessions[0].id())
        }
    }

    fn at() -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_000_000, 0).unwrap()
    }
}
