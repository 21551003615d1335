//! Forward-auth: a proxy asks what to do with a request before it passes it on.
//!
//! nginx `auth_request`, Caddy `forward_auth` and Traefik `ForwardAuth` say with `X-Forwarded-Method`, `-Uri` and `-Host`
//! what was asked for; Envoy's `ext_authz` puts the target behind the route and keeps the method. The answer is 200, or
//! 429 with the fields of the limit and never a reason. Proxies copy what they are told to: the id of the session and
//! the class are for the host behind, and a refusal, which proxies hand to the client as it is, has neither.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use analytics_domain::throttle::ThrottleDecision;
use analytics_domain::throttle::fields::{
    PROBLEM_JSON, RATE_LIMIT, RATE_LIMIT_POLICY, RETRY_AFTER, RateLimitFields, problem_body,
};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use utoipa::IntoResponses;
use utoipa::openapi::{self, RefOr};

use super::State;
use super::access::{authorize, is_local, peer};
use super::answers::problems;
use super::problem::{Problem, ProblemKind};
use super::request::{fields, raw};
use super::state::Service;
use crate::live::{Answer, Decided, Pending, Scope};

/// Proof that the peer may ask for decisions: it is a trusted proxy, and has the ingest token where there are tokens.
pub(super) struct Proxy {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    peer: IpAddr,
}

impl FromRequestParts<Arc<Service>> for Proxy {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Problem> {
        // On the machine itself the operator's word that the peer is a proxy is enough. Then what stands in
        // `Authorization` is the client's own, for the site behind.
        if service.tokens().is_some() || !service.listens_on_loopback() {
            authorize(service, parts, Scope::Ingest)?;
        }
        let peer = peer(parts).to_canonical();
        if !service.live().policy().request.address.is_trusted(peer) && !is_local(service, parts) {
            return Err(Problem::new(
                ProblemKind::UntrustedPeer,
                format!(
                    "{peer} is not among the trusted proxies; start the service with --trusted-proxy {peer}"
                ),
            ));
        }
        // Nobody reads the request after this.
        let (uri, headers) = (std::mem::take(&mut parts.uri), std::mem::take(&mut parts.headers));
        Ok(Self { method: parts.method.clone(), uri, headers, peer })
    }
}

/// What a proxy tells of a request.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes the fields; they are read where they stand")]
struct Forwarded {
    /// Target of the request: path and query
    #[param(rename = "X-Forwarded-Uri")]
    uri: String,
    /// Its method; that of this request without it
    #[param(rename = "X-Forwarded-Method")]
    method: Option<String>,
    /// Its host
    #[param(rename = "X-Forwarded-Host")]
    host: Option<String>,
    /// http or https
    #[param(rename = "X-Forwarded-Proto")]
    proto: Option<String>,
}

/// What a proxy is answered.
struct ToProxy;

impl IntoResponses for ToProxy {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let passed = openapi::ResponseBuilder::new()
            .description("Let it pass. X-Analytics- fields are for the host, those of the limit and a cookie for the client")
            .header("X-Analytics-Session", openapi::Header::default())
            .header("X-Analytics-Class", openapi::Header::default())
            .header("Set-Cookie", openapi::Header::default())
            .build();
        let mut all = problems([
            ("400", "The target is missing"),
            ("401", "A token is needed"),
            ("403", "The peer is not a trusted proxy"),
            ("429", "Refuse it, with this answer"),
        ]);
        all.insert("200".to_owned(), RefOr::T(passed));
        all
    }
}

/// Decides about the request that the forwarding fields describe.
#[utoipa::path(get, path = "/v1/decide", tag = "decisions", params(Forwarded), responses(ToProxy))]
pub(super) async fn get(service: State, proxy: Proxy) -> Result<Response, Problem> {
    decide(&service, &proxy, None)
}

/// Decides about the request that the forwarding fields describe.
#[utoipa::path(post, path = "/v1/decide", tag = "decisions", params(Forwarded), responses(ToProxy))]
pub(super) async fn post(service: State, proxy: Proxy) -> Result<Response, Problem> {
    decide(&service, &proxy, None)
}

/// Decides about the request whose target stands behind the route, as Envoy sends it.
pub(super) async fn prefixed(service: State, proxy: Proxy) -> Result<Response, Problem> {
    let target = proxy.uri.path_and_query().map(PathAndQuery::as_str);
    decide(&service, &proxy, target.and_then(|target| target.strip_prefix("/v1/decide")))
}

fn decide(service: &Service, proxy: &Proxy, target: Option<&str>) -> Result<Response, Problem> {
    let text = |name: &str| proxy.headers.get(name).and_then(|value| value.to_str().ok());
    let method =
        text("x-forwarded-method").or_else(|| text("x-original-method")).unwrap_or(proxy.method.as_str());
    let target =
        target.or_else(|| text("x-forwarded-uri")).or_else(|| text("x-original-uri")).ok_or_else(|| {
            Problem::bad("X-Forwarded-Uri is missing; the proxy has to say which target is asked for")
        })?;
    let mut headers = fields(&proxy.headers);
    headers.retain(|(name, _)| *name != "authorization");
    if let Some(host) = text("x-forwarded-host") {
        headers.retain(|(name, _)| *name != "host");
        headers.push(("host", host));
    }
    let https = text("x-forwarded-proto").map(|scheme| scheme.eq_ignore_ascii_case("https"));
    let now = service.clock().now();
    let request = raw(method, target, "", &headers, proxy.peer, now);
    let Ok(decided) = service.live().decide(&request, https) else {
        return Ok(StatusCode::OK.into_response());
    };
    let status = (!decided.answer.is_admitted()).then_some(429);
    let (response, pending) = answer(decided);
    service.live().answered(pending, Answer { status, ..Answer::default() }, now);
    Ok(response)
}

/// The answer to a proxy, and the request that waits for it.
fn answer(decided: Decided) -> (Response, Pending) {
    if !decided.answer.is_admitted() {
        return (refusal(&decided.answer, decided.fields), decided.pending);
    }
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    set_limit(headers, decided.fields);
    set_cookie(headers, decided.cookie);
    if let Ok(session) = HeaderValue::try_from(decided.session.to_string()) {
        headers.insert(SESSION, session);
    }
    headers.insert(CLASS, HeaderValue::from_static(decided.class.as_str()));
    (response, decided.pending)
}

/// The answer to a client that is refused: the limit, when to come back, and no reason.
pub(super) fn refusal(answer: &ThrottleDecision, fields: Option<RateLimitFields>) -> Response {
    let mut response = (StatusCode::TOO_MANY_REQUESTS, problem_body(answer)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    set_limit(response.headers_mut(), fields);
    response
}

/// Writes what a client is told of its limit.
pub(super) fn set_limit(headers: &mut HeaderMap, fields: Option<RateLimitFields>) {
    let Some(fields) = fields else { return };
    let mut set = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set(RATE_LIMIT_POLICY, fields.policy);
    set(RATE_LIMIT, fields.limit);
    if let Some(seconds) = fields.retry_after {
        set(RETRY_AFTER, seconds.to_string());
    }
}

/// Gives the client its session cookie.
pub(super) fn set_cookie(headers: &mut HeaderMap, cookie: Option<String>) {
    if let Some(Ok(cookie)) = cookie.map(HeaderValue::try_from) {
        headers.append(header::SET_COOKIE, cookie);
    }
}

/// The field with the id of the session.
const SESSION: HeaderName = HeaderName::from_static("x-analytics-session");
/// The field with what the session is taken for.
const CLASS: HeaderName = HeaderName::from_static("x-analytics-class");
