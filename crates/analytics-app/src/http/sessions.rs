//! Sessions: who came, and what they are taken for.

use analytics_domain::detector::Class;
use analytics_domain::ids::{FingerprintHash, SessionId, VisitorId};
use analytics_domain::label::{LabelClass, LabelSource};
use analytics_domain::session::{AnalyticsSession, EndReason, Points};
use analytics_ports::{BatchLimit, SessionCursor, SessionFilter};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::access::Admin;
use super::answers::{NeedsStore, NeedsToken, OfSession, TakesJson};
use super::extract::{Asked, Json, Path};
use super::problem::{Problem, ProblemKind};
use super::state::Service;
use super::{State, cursor};
use crate::services::NewLabel;

/// Which sessions, and from where in the list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SessionsQuery {
    /// Started at this time or after it.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<DateTime<Utc>>,
    /// Started before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<DateTime<Utc>>,
    /// Taken for human, suspected, bot, `declared_bot` or `ai_agent`.
    #[param(value_type = Option<String>)]
    class: Option<Class>,
    /// Counts as this visitor.
    #[param(value_type = Option<String>)]
    visitor: Option<VisitorId>,
    /// Held against this fingerprint.
    #[param(value_type = Option<String>)]
    fingerprint: Option<FingerprintHash>,
    /// Still open, or not.
    open: Option<bool>,
    /// The most sessions, 1 to 10,000. Default 50.
    limit: Option<u32>,
    /// What the page before named as `next`.
    after: Option<String>,
}

/// A page of sessions, newest first.
#[derive(Serialize)]
struct SessionsPage {
    sessions: Vec<AnalyticsSession>,
    /// What to give as `after` for the next page; null at the end.
    next: Option<String>,
}

/// The sessions, newest first.
#[utoipa::path(
    get, path = "/v1/sessions", tag = "sessions", params(SessionsQuery),
    responses(
        (status = 200, description = "A page of sessions", body = Object),
        (status = 400, description = "A wrong filter", content_type = "application/problem+json"),
        NeedsToken,
        NeedsStore,
    )
)]
pub(super) async fn list(
    service: State,
    _: Admin,
    Asked(query): Asked<SessionsQuery>,
) -> Result<Response, Problem> {
    let limit = BatchLimit::new(query.limit.unwrap_or(50)).map_err(Problem::bad)?;
    let filter = SessionFilter {
        started_from: query.from,
        started_before: query.to,
        visitor: query.visitor,
        fingerprint: query.fingerprint,
        class: query.class,
        open: query.open,
    };
    let page =
        cursor::page(limit, query.after.as_deref(), |started_at, id| SessionCursor { started_at, id })?;
    let page = service.stores().sessions.list(&filter, page).await?;
    let next = page.next.map(|next| cursor::place(next.started_at, next.id));
    Ok(axum::Json(SessionsPage { sessions: page.items, next }).into_response())
}

/// One session.
#[utoipa::path(
    get, path = "/v1/sessions/{id}", tag = "sessions",
    params(("id" = String, Path, description = "32 hexadecimal digits")),
    responses(
        (status = 200, description = "The session", body = Object),
        OfSession,
        NeedsToken,
        NeedsStore,
    )
)]
pub(super) async fn get(service: State, _: Admin, Path(id): Path<SessionId>) -> Result<Response, Problem> {
    let kept = service.stores().sessions.get(id).await?;
    let kept = kept.ok_or_else(|| no_session(id))?;
    Ok(axum::Json(kept.value).into_response())
}

/// Ends a session, as a log-out does.
#[utoipa::path(
    post, path = "/v1/sessions/{id}/end", tag = "sessions",
    params(("id" = String, Path, description = "32 hexadecimal digits")),
    responses(
        (status = 200, description = "The session as it is now", body = Object),
        OfSession,
        NeedsToken,
        NeedsStore,
    )
)]
pub(super) async fn end(service: State, _: Admin, Path(id): Path<SessionId>) -> Result<Response, Problem> {
    finish(&service, id, EndReason::Explicit).await
}

/// Withdraws a session: no request ever joins it again.
#[utoipa::path(
    post, path = "/v1/sessions/{id}/revoke", tag = "sessions",
    params(("id" = String, Path, description = "32 hexadecimal digits")),
    responses(
        (status = 200, description = "The session as it is now", body = Object),
        OfSession,
        NeedsToken,
        NeedsStore,
    )
)]
pub(super) async fn revoke(service: State, _: Admin, Path(id): Path<SessionId>) -> Result<Response, Problem> {
    finish(&service, id, EndReason::Revoked).await
}

/// Why a session is taken for what it is: every signal with its points, the sums by category, its requests with what the
/// throttle did or would have done, its labels, and what was done about it.
#[utoipa::path(
    get, path = "/v1/sessions/{id}/explain", tag = "sessions",
    params(("id" = String, Path, description = "32 hexadecimal digits")),
    responses(
        (status = 200, description = "The explanation", body = Object),
        OfSession,
        NeedsToken,
        NeedsStore,
    )
)]
pub(super) async fn explain(
    service: State,
    _: Admin,
    Path(id): Path<SessionId>,
) -> Result<Response, Problem> {
    let explained = service.explanations().explain(id).await?.ok_or_else(|| no_session(id))?;
    Ok(axum::Json(explained).into_response())
}

/// What a session is said to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LabelTold {
    /// human or bot.
    #[schema(value_type = String)]
    class: LabelClass,
    /// manual (the default), honeypot, challenge, import or heuristic.
    #[serde(default = "manual")]
    #[schema(value_type = Option<String>)]
    source: LabelSource,
    /// How sure the source is, in percent, 0 to 100. Default 100.
    #[serde(default = "certain")]
    confidence: f64,
}

/// Says what a session is. A label "human" is the way to report a false positive: level, flags and bans of the client go.
#[utoipa::path(
    put, path = "/v1/sessions/{id}/label", tag = "sessions", request_body = LabelTold,
    params(("id" = String, Path, description = "32 hexadecimal digits")),
    responses(
        (status = 200, description = "The label, and what was cleared by it", body = Object),
        (status = 400, description = "No such label can be", content_type = "application/problem+json"),
        (status = 404, description = "There is no such session", content_type = "application/problem+json"),
        (status = 409, description = "Others changed it at the same time", content_type = "application/problem+json"),
        NeedsToken,
        TakesJson,
        NeedsStore,
    )
)]
pub(super) async fn label(
    service: State,
    Admin(by): Admin,
    Path(id): Path<SessionId>,
    Json(told): Json<LabelTold>,
) -> Result<Response, Problem> {
    let confidence = Points::from_f64(told.confidence).map_err(Problem::bad)?;
    if service.stores().sessions.get(id).await?.is_none() {
        return Err(no_session(id));
    }
    let new = NewLabel { session: id, class: told.class, source: told.source, confidence };
    let answer = service.labels().set(new, &by).await?;
    if let Some(cleared) = &answer.cleared {
        service.live().clear_as_human(cleared.fingerprint, service.clock().now());
    }
    let cleared = answer.cleared.map(|cleared| cleared.fingerprint);
    Ok(axum::Json(serde_json::json!({ "label": answer.label, "cleared": cleared })).into_response())
}

const fn manual() -> LabelSource {
    LabelSource::Manual
}

const fn certain() -> f64 {
    100.0
}

async fn finish(service: &Service, id: SessionId, reason: EndReason) -> Result<Response, Problem> {
    service.live().end(id, reason, service.clock().now());
    let ended = service.analytics().end_session(id, reason).await?.ok_or_else(|| no_session(id))?;
    Ok(axum::Json(ended).into_response())
}

fn no_session(id: SessionId) -> Problem {
    Problem::new(ProblemKind::NotFound, format!("there is no session {id}"))
}
