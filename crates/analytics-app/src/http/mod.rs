//! The HTTP service: decisions, observations, beacons, usage, reports, sessions, and the dashboard.
//!
//! [`router`] has every route; [`serve`](server::serve) answers connections with it. A handler reads what came, calls one
//! service, and writes what it answered; rules are the domain's. Errors are `application/problem+json`
//! ([`problem`]). Who may call what is in [`access`]. `/openapi.json` is made from the handlers themselves.

#![expect(unused_qualifications, reason = "what utoipa makes of a handler names types in full")]

pub mod access;
mod anomalies;
mod answers;
mod beacons;
mod cursor;
pub mod dashboard;
mod decide;
mod extract;
pub mod layer;
mod metrics;
mod observe;
mod operation;
pub mod problem;
mod reports;
mod reputation;
mod request;
pub mod server;
mod features;
mod sessions;
mod state;
#[cfg(test)]
mod tests;
mod usage;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use tower::util::MapResponseLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use problem::{Problem, ProblemKind};
pub use state::{ConfigurationCounters, Service, ServiceParts};

/// What every route is told of the service.
pub type State = axum::extract::State<Arc<Service>>;

/// The description of the interface, before its routes are added.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Analytics",
        description = "Tells people from automation in web traffic, says why, and slows abuse before it hurts.",
        license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT")
    ),
    tags(
        (name = "decisions", description = "What to do with a request; ingest token"),
        (name = "beacons", description = "What browsers tell of pages; no token"),
        (name = "usage", description = "Use of AI providers, agents and tools; ingest token"),
        (name = "reports", description = "Numbers; admin token"),
        (name = "sessions", description = "Who came and why they are taken for what; admin token"),
        (name = "reputation", description = "Fingerprints and bans; admin token"),
        (name = "anomalies", description = "Limits and events; admin token"),
        (name = "operation", description = "Health and metrics")
    )
)]
struct Description;

/// Every route of the service.
pub fn router(service: &Arc<Service>) -> Router {
    let (router, description) = OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(decide::get, decide::post))
        .routes(routes!(observe::observe))
        .merge(beacons::routes(service))
        .routes(routes!(usage::ai_requests))
        .routes(routes!(usage::tasks))
        .routes(routes!(usage::tool_executions))
        .routes(routes!(usage::messages))
        .routes(routes!(reports::report))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::get))
        .routes(routes!(sessions::explain))
        .routes(routes!(sessions::label))
        .routes(routes!(sessions::end))
        .routes(routes!(sessions::revoke))
        .routes(routes!(features::features))
        .routes(routes!(reputation::fingerprints))
        .routes(routes!(reputation::flag))
        .routes(routes!(reputation::clear))
        .routes(routes!(reputation::bans))
        .routes(routes!(reputation::free))
        .routes(routes!(reputation::ban_list))
        .routes(routes!(anomalies::thresholds, anomalies::set_threshold))
        .routes(routes!(anomalies::events))
        .routes(routes!(anomalies::acknowledge))
        .routes(routes!(anomalies::series))
        .routes(routes!(operation::healthz))
        .routes(routes!(operation::readyz))
        .routes(routes!(metrics::metrics))
        .split_for_parts();
    let description = Arc::new(description);
    router
        .route("/v1/decide/", axum::routing::any(decide::prefixed))
        .route("/v1/decide/{*target}", axum::routing::any(decide::prefixed))
        .route("/openapi.json", axum::routing::get(move || async move { axum::Json((*description).clone()) }))
        .fallback(|| async { Problem::of(ProblemKind::NoSuchRoute) })
        .method_not_allowed_fallback(|| async { Problem::of(ProblemKind::MethodNotAllowed) })
        .layer(DefaultBodyLimit::max(MOST_BODY))
        .layer(MapResponseLayer::new(with_safe_headers))
        .with_state(Arc::clone(service))
        .merge(dashboard::router(Arc::new(dashboard::Dashboard::of(service))))
}

/// Adds what every answer with content has: browsers are told to take nothing for what it is not called, and to frame
/// nothing. A proxy that asks for a decision reads neither.
fn with_safe_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if !headers.contains_key(header::CONTENT_TYPE) {
        return response;
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response
}

/// The most bytes of a body: a thousand observations with their headers fit.
const MOST_BODY: usize = 2 * 1024 * 1024;
