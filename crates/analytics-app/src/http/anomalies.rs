//! Limits of metrics, and what was out of the ordinary.

use analytics_domain::anomaly::{AnomalyEvent, AnomalyThreshold, MetricName};
use analytics_domain::ids::AnomalyEventId;
use analytics_ports::{AnomalyEventCursor, AnomalyEventFilter, BatchLimit};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::access::Admin;
use super::answers::{NeedsStore, NeedsToken, TakesJson};
use super::extract::{Asked, Json, Path};
use super::problem::{Problem, ProblemKind};
use super::{State, cursor};

/// The limits of one metric.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    /// The metric, such as `error_rate`.
    metric: String,
    /// From this value on it is a warning.
    warning: f64,
    /// From this value on it is critical.
    critical: f64,
}

/// Which anomalies, and from where in the list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// Those of this metric.
    metric: Option<String>,
    /// Those that go on, or those that are over.
    open: Option<bool>,
    /// Those that a person took note of, or the others.
    acknowledged: Option<bool>,
    /// Opened at this time or after it.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<DateTime<Utc>>,
    /// Opened before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<DateTime<Utc>>,
    /// The most events, 1 to 10,000. Default 50.
    limit: Option<u32>,
    /// What the page before named as `next`.
    after: Option<String>,
}

#[derive(Serialize)]
struct EventsPage {
    events: Vec<AnomalyEvent>,
    next: Option<String>,
}

/// The limits: those of the store, and the defaults that it does not replace.
#[utoipa::path(
    get, path = "/v1/anomaly/thresholds", tag = "anomalies",
    responses(
        (status = 200, description = "The limits by metric", body = Vec<Object>),
        NeedsToken,
        NeedsStore,
    )
)]
pub(super) async fn thresholds(service: State, _: Admin) -> Result<Response, Problem> {
    let all = service.anomalies().thresholds().await?;
    Ok(axum::Json(all.iter().collect::<Vec<_>>()).into_response())
}

/// Sets the limits of a metric; they hold from the next minute on.
#[utoipa::path(
    put, path = "/v1/anomaly/thresholds", tag = "anomalies", request_body = Limits,
    responses(
        (status = 204, description = "Set"),
        (status = 400, description = "No such limits can be", content_type = "application/problem+json"),
        NeedsToken,
        TakesJson,
        NeedsStore,
    )
)]
pub(super) async fn set_threshold(
    service: State,
    Admin(by): Admin,
    Json(limits): Json<Limits>,
) -> Result<Response, Problem> {
    let metric = MetricName::new(limits.metric).map_err(Problem::bad)?;
    let limits = AnomalyThreshold::new(metric, limits.warning, limits.critical).map_err(Problem::bad)?;
    service.anomalies().set_threshold(&limits, &by).await?;
    Ok(axum::http::StatusCode::NO_CONTENT.into_response())
}

/// The anomalies, the one that was opened last in front.
#[utoipa::path(
    get, path = "/v1/anomaly/events", tag = "anomalies", params(EventsQuery),
    responses(
        (status = 200, description = "A page of anomalies", body = Object),
        (status = 400, description = "A wrong filter", content_type = "application/problem+json"),
        NeedsToken,
        NeedsStore,
    )
)]
pub(super) async fn events(
    service: State,
    _: Admin,
    Asked(query): Asked<EventsQuery>,
) -> Result<Response, Problem> {
    let limit = BatchLimit::new(query.limit.unwrap_or(50)).map_err(Problem::bad)?;
    let filter = AnomalyEventFilter {
        metric: query.metric.map(MetricName::new).transpose().map_err(Problem::bad)?,
        open: query.open,
        acknowledged: query.acknowledged,
        opened_from: query.from,
        opened_before: query.to,
    };
    let page =
        cursor::page(limit, query.after.as_deref(), |opened_at, id| AnomalyEventCursor { opened_at, id })?;
    let page = service.stores().anomalies.list(&filter, page).await?;
    let next = page.next.map(|next| cursor::place(next.opened_at, next.id));
    Ok(axum::Json(EventsPage { events: page.items, next }).into_response())
}

/// Notes that a person took note of an anomaly.
#[utoipa::path(
    post, path = "/v1/anomaly/events/{id}/acknowledge", tag = "anomalies",
    params(("id" = String, Path, description = "32 hexadecimal digits")),
    responses(
        (status = 200, description = "The anomaly as it is now", body = Object),
        (status = 400, description = "No such id can be", content_type = "application/problem+json"),
        (status = 404, description = "There is no such anomaly", content_type = "application/problem+json"),
        NeedsToken,
        NeedsStore,
    )
)]
pub(super) async fn acknowledge(
    service: State,
    Admin(by): Admin,
    Path(id): Path<AnomalyEventId>,
) -> Result<Response, Problem> {
    let noted = service.anomalies().acknowledge(id, &by).await?;
    let noted =
        noted.ok_or_else(|| Problem::new(ProblemKind::NotFound, format!("there is no anomaly {id}")))?;
    Ok(axum::Json(noted).into_response())
}

/// The values of a metric with what was expected of each: the last two days, since the service began.
#[utoipa::path(
    get, path = "/v1/anomaly/series/{metric}", tag = "anomalies",
    params(("metric" = String, Path, description = "Name of the metric, such as requests.people")),
    responses(
        (status = 200, description = "Limits, and the values by minute with their bands", body = Object),
        (status = 400, description = "No metric has such a name", content_type = "application/problem+json"),
        (status = 404, description = "It had no value", content_type = "application/problem+json"),
        NeedsToken,
        NeedsStore,
    )
)]
pub(super) async fn series(
    service: State,
    _: Admin,
    Path(metric): Path<String>,
) -> Result<Response, Problem> {
    let metric = MetricName::new(metric).map_err(Problem::bad)?;
    let now = service.clock().now();
    let from = now.checked_sub_signed(TimeDelta::days(2)).unwrap_or(now);
    let series = service.anomalies().series(&metric, from, now).await?;
    let series = series.ok_or_else(|| {
        Problem::new(ProblemKind::NotFound, format!("{metric} had no value since the start"))
    })?;
    Ok(axum::Json(series).into_response())
}
