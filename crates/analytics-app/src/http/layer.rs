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
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, header};
use tower::{Layer, Service};

use super::decide::{refusal, set_limit};
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
            let response = refusal(&decided.answer, decided.fields.as_ref());
            let answer = Answer { status: Some(429), ..Answer::default() };
            Under { shared, pending: Some(decided.pending) }.answered(answer);
            return Box::pin(async { Ok(response) });
        }
        let Decided { session, visitor, class, answer, .. } = decided;
        request.extensions_mut().insert(Visit { session, visitor, class, level: answer.level });
        let fields = decided.fields;
        let under = Under { shared, pending: Some(decided.pending) };
        let since = Stopwatch::start();
        let answering = self.inner.call(request);
        Box::pin(async move {
            let mut response = answering.await?;
            set_limit(response.headers_mut(), fields.as_ref());
            let length = response.headers().get(header::CONTENT_LENGTH);
            under.answered(Answer {
                status: Some(response.status().as_u16()),
                bytes: length.and_then(|length| length.to_str().ok()?.parse().ok()),
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
