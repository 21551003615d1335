//! Health and metrics.

use analytics_ports::{BatchLimit, PageRequest, SessionFilter};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::State;
use super::answers::NeedsStore;
use super::problem::{Problem, ProblemKind};

/// Whether the service can do its work.
#[derive(Serialize, ToSchema)]
pub(super) struct Readiness {
    /// Whether the store answers.
    store: bool,
    /// What an operator should look at.
    warnings: Vec<String>,
}

/// Whether the process runs.
#[utoipa::path(
    get, path = "/healthz", tag = "operation",
    responses((status = 200, description = "It does", body = String, content_type = "text/plain"))
)]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the store answers, and what is set up so that decisions cannot be right.
#[utoipa::path(
    get, path = "/readyz", tag = "operation",
    responses(
        (status = 200, description = "It can, perhaps with warnings", body = Readiness),
        NeedsStore,
    )
)]
pub(super) async fn readyz(service: State) -> Result<Response, Problem> {
    let first = PageRequest::first(BatchLimit::new(1).map_err(Problem::bad)?);
    if let Err(error) = service.stores().sessions.list(&SessionFilter::default(), first).await
        && error.is_transient()
    {
        return Err(Problem::of(ProblemKind::Unavailable));
    }
    let mut warnings = Vec::new();
    if service.live().policy().request.address.trusted_proxies.is_empty() {
        warnings
            .push("no trusted proxy is configured: /v1/decide answers nobody but this machine".to_owned());
    }
    if service.configuration().is_stale() {
        warnings.push("the newest configuration was refused: the one of before is in force".to_owned());
    }
    if service.live().counters().rows_dropped > 0 {
        warnings.push("rows of requests were dropped for want of room in the queue".to_owned());
    }
    Ok(axum::Json(Readiness { store: true, warnings }).into_response())
}
