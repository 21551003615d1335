//! Health and metrics.

use std::fmt::Write as _;

use analytics_ports::{BatchLimit, PageRequest, SessionFilter};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::State;
use super::access::Admin;
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
        (status = 503, description = "The store is away", content_type = "application/problem+json"),
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

/// Counters and gauges in the text format of Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "operation",
    responses(
        (status = 200, description = "The metrics", body = String, content_type = "text/plain"),
        (status = 401, description = "A token is needed", content_type = "application/problem+json"),
        (status = 403, description = "The token does not open this", content_type = "application/problem+json"),
    )
)]
pub(super) async fn metrics(service: State, _: Admin) -> Response {
    let (live, queue, evicted) =
        (service.live().counters(), service.queue().counters(), service.live().evicted());
    let mut text = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, value: u64| {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
    };
    let counter = "counter";
    metric("analytics_requests_total", counter, "Requests that were decided.", live.requests);
    metric("analytics_refused_total", counter, "Requests that were refused.", live.refused);
    metric(
        "analytics_would_refuse_total",
        counter,
        "Requests that enforcing would refuse.",
        live.would_refuse,
    );
    metric("analytics_exempt_total", counter, "Refusals that an exemption lifted.", live.exempt);
    metric("analytics_unseen_total", counter, "Requests that passed without being looked at.", live.unseen);
    metric(
        "analytics_session_cookies_refused_total",
        counter,
        "Requests with a session cookie that was not made here for their client, or not within a day.",
        live.cookies_refused,
    );
    metric(
        "analytics_sessions_crowded_total",
        counter,
        "Requests of a client with too many sessions to begin one more.",
        live.crowded,
    );
    metric(
        "analytics_rows_dropped_total",
        counter,
        "Rows that the queue had no room for.",
        live.rows_dropped,
    );
    metric(
        "analytics_records_postponed_total",
        counter,
        "Other records that the queue had no room for; they are offered again a second later.",
        live.records_delayed,
    );
    metric(
        "analytics_records_dropped_total",
        counter,
        "Records that were to be offered again and found no room to wait.",
        live.records_dropped,
    );
    let configuration = service.configuration();
    metric(
        "analytics_configurations_taken_up_total",
        counter,
        "Configurations taken up while the service ran.",
        configuration.taken_up(),
    );
    metric(
        "analytics_configurations_refused_total",
        counter,
        "Configurations refused while the service ran.",
        configuration.refused(),
    );
    metric("analytics_visitors", "gauge", "Visitors in memory.", service.live().visitors() as u64);
    metric("analytics_visitors_evicted_total", counter, "Visitors that left for others.", evicted.evicted);
    metric(
        "analytics_visitors_evicted_watched_total",
        counter,
        "Of those, the ones that were watched, blocked or banned.",
        evicted.evicted_watched,
    );
    if let Some(crawlers) = service.crawlers() {
        let names = crawlers.counters();
        metric(
            "analytics_crawler_lookups_total",
            counter,
            "Addresses of crawlers looked up.",
            names.looked_up,
        );
        metric(
            "analytics_crawler_lookups_failed_total",
            counter,
            "Of those, the ones that no name server answered for.",
            names.failed,
        );
        metric(
            "analytics_crawler_lookups_skipped_total",
            counter,
            "Addresses of crawlers that there was no room to look up.",
            names.skipped,
        );
    }
    if let Some(snapshot) = service.snapshot() {
        let snapshots = snapshot.counters();
        metric("analytics_snapshots_total", counter, "Snapshots written.", snapshots.written);
        metric("analytics_snapshots_failed_total", counter, "Snapshots not written.", snapshots.failed);
        metric("analytics_snapshots_damaged_total", counter, "Snapshots not readable.", snapshots.damaged);
        metric(
            "analytics_standings_waiting",
            "gauge",
            "Clients of before the restart who have not come back.",
            service.live().waiting() as u64,
        );
    }
    for (name, help, value) in queue.named() {
        let kind = if name.ends_with("_total") { counter } else { "gauge" };
        metric(&format!("analytics_ingest_{name}"), kind, help, value);
    }
    let name = "analytics_beacons_total";
    let _ = writeln!(text, "# HELP {name} What became of what browsers told.\n# TYPE {name} counter");
    for (outcome, count) in service.engagement().counts() {
        let (kind, result, reason) = (outcome.kind.as_str(), outcome.result, outcome.reason);
        let _ = writeln!(text, "{name}{{kind=\"{kind}\",result=\"{result}\",reason=\"{reason}\"}} {count}");
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
