//! Beacons: what browsers tell of pages, and the script and the pixel that they tell it with.
//!
//! Anybody may call these routes, from the site's own pages on any of its hosts. What comes is believed no further than
//! [`EngagementService`](crate::services::EngagementService) goes. Bodies are JSON, whatever type they are said to be:
//! browsers send `text/plain` without asking for permission first.

mod limit;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use analytics_domain::ids::SessionId;
use analytics_domain::request::{ClientNetwork, RawRequest};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::options;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use limit::NetworkLimit;

use super::State;
use super::access::{authorize, is_local, peer};
use super::decide::refusal;
use super::problem::{Problem, ProblemKind};
use super::request::{fields, protocol, raw};
use super::state::Service;
use crate::http::answers::FromBrowser;
use crate::live::{Answer, Scope, ToldPage};
use crate::services::engagement::wire::{Form, Navigation};
use crate::services::engagement::{BeaconAnswer, BeaconKind, EngagementError, Sender};
use crate::tracker::{PIXEL, SCRIPT, Served};

/// The routes.
pub(super) fn routes(service: &Arc<Service>) -> OpenApiRouter<Arc<Service>> {
    let router = OpenApiRouter::new()
        .routes(routes!(page_token))
        .routes(routes!(engagement))
        .routes(routes!(engagement_batch))
        .routes(routes!(events))
        .routes(routes!(events_batch))
        .routes(routes!(tracker))
        .routes(routes!(pixel));
    // What a browser asks before it calls another host; the layer answers it.
    let asked = |router: OpenApiRouter<Arc<Service>>, path| {
        router.route(path, options(|| async { StatusCode::NO_CONTENT }))
    };
    CALLED_BY_PAGES
        .into_iter()
        .fold(router, asked)
        .layer(middleware::from_fn_with_state(Arc::clone(service), across_hosts))
}

/// A browser, or a host of ours, that sends.
pub(super) struct Caller {
    parts: Parts,
    peer: IpAddr,
}

/// What is sent, of whatever type it is said to be.
struct Sent(Bytes);

/// What became of one beacon or event.
#[derive(Serialize, ToSchema)]
#[serde(rename = "BeaconAnswer")]
pub(super) struct AnswerSchema {
    /// `kept`, `unbound`, `known` or `refused`.
    result: String,
    /// The id that it is kept under.
    id: Option<String>,
    /// Why it proves nothing, or is refused.
    reason: Option<String>,
    /// What is wrong, in words.
    detail: Option<String>,
}

impl FromRequestParts<Arc<Service>> for Caller {
    type Rejection = Problem;

    /// Whoever sends more than the limit of what is not charged is turned away before the body is read.
    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Problem> {
        let caller = Self { parts: parts.clone(), peer: peer(parts) };
        let live = service.live();
        let network = caller.request(service, |request| {
            ClientNetwork::of(&live.policy().request.address, live.client(request))
        });
        let rules = live.visit();
        if service.beacon_limit().admits(rules.throttle.assets(), network, service.clock().now()) {
            Ok(caller)
        } else {
            Err(Problem::new(ProblemKind::TooMany, "this network sends too many beacons"))
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let read = Bytes::from_request(request, state).await;
        read.map(Self).map_err(|rejection: BytesRejection| {
            let too_large = rejection.status() == StatusCode::PAYLOAD_TOO_LARGE;
            let kind = if too_large { ProblemKind::TooLarge } else { ProblemKind::BadRequest };
            Problem::new(kind, rejection.body_text())
        })
    }
}

impl Caller {
    /// The request as the engine reads it.
    fn request<R>(&self, service: &Service, then: impl FnOnce(&RawRequest<'_>) -> R) -> R {
        let target = self.parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let headers = fields(&self.parts.headers);
        let (method, version) = (self.parts.method.as_str(), protocol(self.parts.version));
        then(&raw(method, target, version, &headers, self.peer, service.clock().now()))
    }

    /// The open session of the client.
    fn session(&self, service: &Service) -> Option<SessionId> {
        self.request(service, |request| service.live().session_of(request))
    }

    /// The session of the client that views this page, which begins now if none is open.
    ///
    /// # Errors
    /// The refusal, where limits bind.
    fn views(&self, service: &Service, page: ToldPage<'_>) -> Result<Option<SessionId>, Box<Response>> {
        self.request(service, |request| {
            let Ok(decided) = service.live().decide_told(request, page) else { return Ok(None) };
            let admitted = decided.answer.is_admitted();
            let refused = (!admitted).then(|| Box::new(refusal(&decided.answer, decided.fields)));
            let status = Some(if admitted { 200 } else { 429 });
            service.live().answered(decided.pending, Answer { status, ..Answer::default() }, request.at);
            refused.map_or(Ok(Some(decided.session)), Err)
        })
    }

    /// Whether the browser asks not to be measured, and the service is to heed that.
    fn declines(&self, service: &Service) -> bool {
        let privacy = service.live().policy().privacy;
        self.request(service, |request| privacy.is_asked_for(request))
    }
}

/// Answers the token of a page, and counts its view.
///
/// A session begins if the client has none. `now_ms` is the server's time, from which the page counts on for the ids of
/// its beacons.
#[utoipa::path(
    post, path = "/v1/page-token", tag = "beacons",
    request_body(content = Object, description = "`page_url`, `referrer`, `navigation`: load, single_page or restored"),
    responses(
        (status = 200, description = "`token` and `now_ms`", body = Object),
        (status = 400, description = "Not such a request", content_type = "application/problem+json"),
        FromBrowser,
    )
)]
async fn page_token(service: State, caller: Caller, Sent(body): Sent) -> Result<Response, Problem> {
    if caller.declines(&service) {
        service.engagement().decline(BeaconKind::PageToken);
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let request = match service.engagement().page_request(&body)? {
        Ok(request) => request,
        Err(refused) => return Err(refused_alone(&refused)),
    };
    let page = ToldPage {
        url: &request.page_url,
        campaign: &request.campaign,
        referrer: request.referrer.as_deref(),
        within: request.navigation == Navigation::SinglePage,
    };
    let session = match caller.views(&service, page) {
        Ok(session) => session,
        Err(refusal) => return Ok(*refusal),
    };
    match service.engagement().page_token(session, &request).await {
        Ok(token) => Ok(axum::Json(token).into_response()),
        Err(reason) => Err(refused_alone(&reason.into())),
    }
}

/// Takes what happened on a page.
///
/// Keys that are not known are passed over. docs/tracker.md says what each figure is.
#[utoipa::path(
    post, path = "/v1/engagement", tag = "beacons",
    request_body(content = Object, description = "One beacon; JSON, also as text/plain"),
    responses(
        (status = 200, description = "What became of it", body = AnswerSchema),
        (status = 400, description = "It is refused, for this reason", content_type = "application/problem+json"),
        (status = 503, description = "The store is away; send it again", content_type = "application/problem+json"),
        FromBrowser,
    )
)]
async fn engagement(service: State, caller: Caller, Sent(body): Sent) -> Result<Response, Problem> {
    take(&service, &caller, Form::One, &body).await
}

/// Takes what happened on pages: a list of at most 100 beacons, with an answer for each in its place.
#[utoipa::path(
    post, path = "/v1/engagement/batch", tag = "beacons",
    request_body(content = Vec<Object>, description = "Beacons; JSON, also as text/plain"),
    responses(
        (status = 200, description = "What became of each", body = Vec<AnswerSchema>),
        (status = 400, description = "Not a list, or too long", content_type = "application/problem+json"),
        (status = 503, description = "The store is away; send it again", content_type = "application/problem+json"),
        FromBrowser,
    )
)]
async fn engagement_batch(service: State, caller: Caller, Sent(body): Sent) -> Result<Response, Problem> {
    take(&service, &caller, Form::Batch, &body).await
}

/// Takes a named event of a page, or of a host that brings the ingest token and names the session.
#[utoipa::path(
    post, path = "/v1/events", tag = "beacons",
    request_body(content = Object, description = "`name`, `properties`, and `token` with `page_url` or `session_id`"),
    responses(
        (status = 200, description = "What became of it", body = AnswerSchema),
        (status = 400, description = "It is refused, for this reason", content_type = "application/problem+json"),
        (status = 401, description = "The token is not known", content_type = "application/problem+json"),
        (status = 503, description = "The store is away; send it again", content_type = "application/problem+json"),
        FromBrowser,
    )
)]
async fn events(service: State, caller: Caller, Sent(body): Sent) -> Result<Response, Problem> {
    record(&service, &caller, Form::One, &body).await
}

/// Takes named events: a list of at most 100, with an answer for each in its place.
#[utoipa::path(
    post, path = "/v1/events/batch", tag = "beacons",
    request_body(content = Vec<Object>, description = "Events; JSON, also as text/plain"),
    responses(
        (status = 200, description = "What became of each", body = Vec<AnswerSchema>),
        (status = 400, description = "Not a list, or too long", content_type = "application/problem+json"),
        (status = 401, description = "The token is not known", content_type = "application/problem+json"),
        (status = 503, description = "The store is away; send it again", content_type = "application/problem+json"),
        FromBrowser,
    )
)]
async fn events_batch(service: State, caller: Caller, Sent(body): Sent) -> Result<Response, Problem> {
    record(&service, &caller, Form::Batch, &body).await
}

/// The tracker's script.
#[utoipa::path(
    get, path = "/tracker.js", tag = "beacons",
    responses(
        (status = 200, description = "The script", body = String, content_type = "text/javascript"),
        (status = 304, description = "It is the one that the caller has"),
    )
)]
async fn tracker(headers: HeaderMap) -> Response {
    served(&SCRIPT, &headers, "public, max-age=3600")
}

/// A picture of one pixel, which counts a view of the page that its referrer names: for visitors without script.
#[utoipa::path(
    get, path = "/pixel.gif", tag = "beacons",
    responses(
        (status = 200, description = "The pixel, whether something was counted or not", body = String, content_type = "image/gif"),
        (status = 429, description = "Too many", content_type = "application/problem+json"),
    )
)]
async fn pixel(service: State, caller: Caller) -> Response {
    if caller.declines(&service) {
        service.engagement().decline(BeaconKind::PageView);
    } else {
        let url = caller.parts.headers.get(header::REFERER).and_then(|page| page.to_str().ok());
        let page = ToldPage { url: url.unwrap_or_default(), campaign: "", referrer: None, within: false };
        let mut session = None;
        if service.engagement().accepts(page.url).is_ok() {
            session = match caller.views(&service, page) {
                Ok(session) => session,
                Err(refusal) => return *refusal,
            };
        }
        // Whoever shows the pixel can do nothing about what is wrong; the service counts it.
        let _ = service.engagement().page_view(session, page.url, None, Navigation::Pixel).await;
    }
    served(&PIXEL, &HeaderMap::new(), "no-store")
}

async fn take(service: &Service, caller: &Caller, form: Form, body: &[u8]) -> Result<Response, Problem> {
    if caller.declines(service) {
        service.engagement().decline(BeaconKind::Engagement);
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let session = caller.session(service);
    let taken = service.engagement().engage(session, form, body).await?;
    for report in taken.reports.iter().filter(|report| session == Some(report.session)) {
        caller.request(service, |request| service.live().tracked(request, report.marks));
    }
    answered(form, taken.answers)
}

async fn record(service: &Service, caller: &Caller, form: Form, body: &[u8]) -> Result<Response, Problem> {
    let has_token = caller.parts.headers.contains_key(header::AUTHORIZATION);
    if has_token {
        authorize(service, &caller.parts, Scope::Ingest)?;
    }
    let from_page = caller.parts.headers.contains_key(header::ORIGIN);
    let is_host = has_token || is_local(service, &caller.parts) && !from_page;
    if !is_host && caller.declines(service) {
        service.engagement().decline(BeaconKind::Event);
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let sender = Sender { session: caller.session(service), is_host };
    answered(form, service.engagement().events(sender, form, body).await?)
}

fn answered(form: Form, mut answers: Vec<BeaconAnswer>) -> Result<Response, Problem> {
    match form {
        Form::Batch => Ok(axum::Json(answers).into_response()),
        Form::One => match answers.pop() {
            Some(refused @ BeaconAnswer::Refused { .. }) => Err(refused_alone(&refused)),
            answer => Ok(axum::Json(answer).into_response()),
        },
    }
}

/// What is told of the only item of a call.
fn refused_alone(answer: &BeaconAnswer) -> Problem {
    match answer {
        BeaconAnswer::Refused { reason, detail } => Problem::bad(format!("{}: {detail}", reason.as_str())),
        BeaconAnswer::Kept { .. } | BeaconAnswer::Unbound { .. } | BeaconAnswer::Known { .. } => {
            Problem::of(ProblemKind::BadRequest)
        }
    }
}

/// A file, or that the caller has it.
fn served(file: &Served, headers: &HeaderMap, cache: &'static str) -> Response {
    let says = |name, what: &str| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
            .is_some_and(|value| value.contains(what))
    };
    let mut response = if says(header::IF_NONE_MATCH, &file.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        match &file.gzip {
            Some(gzip) if says(header::ACCEPT_ENCODING, "gzip") => {
                ([(header::CONTENT_ENCODING, "gzip")], gzip.clone()).into_response()
            }
            Some(_) | None => file.body.clone().into_response(),
        }
    };
    let own = response.headers_mut();
    own.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.media_type));
    own.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if file.gzip.is_some() {
        own.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    if let Ok(etag) = HeaderValue::from_str(&file.etag) {
        own.insert(header::ETAG, etag);
    }
    // Pages that take nothing of others without being told so may take this.
    own.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    response
}

/// Lets pages of the site's own hosts call from other hosts than this one, and nobody else's.
async fn across_hosts(service: State, request: Request, next: Next) -> Response {
    let Some(origin) = request.headers().get(header::ORIGIN).cloned() else { return next.run(request).await };
    let host = request.headers().get(header::HOST).cloned();
    if !is_own(&service, &origin, host.as_ref()) {
        return Problem::of(ProblemKind::CrossSite).into_response();
    }
    let mut response = if request.method() == Method::OPTIONS {
        let allowed = [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type"),
            (header::ACCESS_CONTROL_MAX_AGE, "86400"),
        ];
        (StatusCode::NO_CONTENT, allowed).into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    if service.live().policy().request.site.knows_hosts() {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        // Browsers send beacons with what cookies they have, and then want this said.
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    } else {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    response
}

/// Whether an origin is this very service, or one of the site's hosts; any is while the site's hosts are not known.
fn is_own(service: &Service, origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let site = &service.live().policy().request.site;
    let Some((_, authority)) = origin.to_str().ok().and_then(|origin| origin.split_once("://")) else {
        return !site.knows_hosts();
    };
    if !site.knows_hosts() || host.is_some_and(|host| host.as_bytes() == authority.as_bytes()) {
        return true;
    }
    let name = authority.rsplit_once(':').map_or(authority, |(name, _)| name);
    site.is_own_host(name)
}

/// What scripts of pages call.
const CALLED_BY_PAGES: [&str; 5] =
    ["/v1/page-token", "/v1/engagement", "/v1/engagement/batch", "/v1/events", "/v1/events/batch"];

impl From<EngagementError> for Problem {
    fn from(error: EngagementError) -> Self {
        use crate::services::engagement::wire::Unreadable;
        match error {
            EngagementError::Unreadable(error @ Unreadable::TooLarge { .. }) => {
                Self::new(ProblemKind::TooLarge, error.to_string())
            }
            EngagementError::Unreadable(error) => Self::bad(error),
            EngagementError::Store(error) => error.into(),
        }
    }
}
