//! Requests that a host in any language saw: one or many, with a decision for each.

use std::net::IpAddr;

use analytics_domain::detector::Class;
use analytics_domain::ids::{FingerprintHash, SessionId, VisitorId};
use analytics_domain::throttle::ThrottleLevel;
use analytics_domain::throttle::fields::RateLimitFields;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::State;
use super::access::Ingest;
use super::answers::{NeedsToken, TakesJson};
use super::extract::Json;
use super::problem::Problem;
use super::request::raw;
use super::state::Service;
use crate::live::Answer;

/// One request, or several in the order in which they came.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Seen {
    /// Several.
    Many(Vec<SeenRequest>),
    /// One.
    One(Box<SeenRequest>),
}

/// A request as the host saw it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SeenRequest {
    /// The client's address, as the host knows it.
    #[schema(value_type = String, example = "203.0.113.7")]
    client: IpAddr,
    /// The method.
    #[serde(default = "get")]
    method: String,
    /// Path and query.
    #[schema(example = "/articles/1?utm_source=mail")]
    target: String,
    /// The protocol, such as HTTP/1.1.
    #[serde(default)]
    protocol: String,
    /// Whether it came over TLS.
    https: Option<bool>,
    /// The fields, as pairs of name and value.
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// The status of the answer, once it was given.
    status: Option<u16>,
    /// Bytes of the answer's content.
    bytes: Option<u64>,
    /// How long the answer took, in microseconds.
    duration_us: Option<u64>,
}

/// What to do with one request.
#[derive(Debug, Serialize)]
struct Decision {
    /// `admit` or `refuse`.
    #[serde(rename = "decision")]
    verb: &'static str,
    /// In shadow mode: whether enforcing would refuse it.
    would_refuse: bool,
    level: ThrottleLevel,
    class: Class,
    session_id: SessionId,
    visitor_id: VisitorId,
    fingerprint: FingerprintHash,
    retry_at: Option<DateTime<Utc>>,
    rate_limit: Option<Fields>,
    /// The value of `Set-Cookie` to put on the answer; not there where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    set_cookie: Option<String>,
}

/// The fields to put on the answer.
#[derive(Debug, Serialize)]
struct Fields {
    #[serde(rename = "RateLimit-Policy")]
    policy: String,
    #[serde(rename = "RateLimit")]
    limit: String,
    #[serde(rename = "Retry-After")]
    retry_after: Option<u64>,
}

/// Observes requests and answers what to do with each.
///
/// The time of each is the time of the call. A host that asks before it answers leaves `status` out.
#[utoipa::path(
    post, path = "/v1/observe", tag = "decisions", request_body = Seen,
    responses(
        (status = 200, description = "A decision, or a list of them in the order of the requests", body = serde_json::Value),
        (status = 400, description = "Not such requests, or more than 1,000", content_type = "application/problem+json"),
        NeedsToken,
        TakesJson,
    )
)]
pub(super) async fn observe(service: State, _: Ingest, Json(seen): Json<Seen>) -> Result<Response, Problem> {
    match seen {
        Seen::One(request) => Ok(axum::Json(decide(&service, &request)?).into_response()),
        Seen::Many(requests) if requests.len() > MOST => {
            Err(Problem::bad(format!("{} requests at once; send at most {MOST}", requests.len())))
        }
        Seen::Many(requests) => {
            let decisions: Result<Vec<_>, _> =
                requests.iter().map(|request| decide(&service, request)).collect();
            Ok(axum::Json(decisions?).into_response())
        }
    }
}

fn decide(service: &Service, seen: &SeenRequest) -> Result<Option<Decision>, Problem> {
    if seen.status.is_some_and(|status| !(100..=599).contains(&status)) {
        return Err(Problem::bad("a status is 100 to 599"));
    }
    let headers: Vec<(&str, &str)> =
        seen.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let now = service.clock().now();
    let request = raw(&seen.method, &seen.target, &seen.protocol, &headers, seen.client, now);
    let Ok(decided) = service.live().decide_for(seen.client, &request, seen.https) else { return Ok(None) };
    let refused = !decided.answer.is_admitted();
    let decision = Decision {
        verb: if refused { "refuse" } else { "admit" },
        would_refuse: decided.answer.would_refuse.is_some(),
        level: decided.answer.level,
        class: decided.class,
        session_id: decided.session,
        visitor_id: decided.visitor,
        fingerprint: decided.fingerprint,
        retry_at: decided.answer.retry_at(),
        rate_limit: decided.fields.map(|RateLimitFields { policy, limit, retry_after }| Fields {
            policy,
            limit,
            retry_after,
        }),
        set_cookie: decided.cookie,
    };
    let status = seen.status.or(refused.then_some(429));
    let answer = Answer { status, bytes: seen.bytes, duration_us: seen.duration_us };
    service.live().answered(decided.pending, answer, now);
    Ok(Some(decision))
}

fn get() -> String {
    "GET".to_owned()
}

/// The most requests of one call.
const MOST: usize = 1_000;
