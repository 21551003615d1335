//! Figures for whoever watches the service.

use std::fmt::Write as _;

use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::State;
use super::access::Admin;
use super::answers::NeedsToken;
use super::state::Service;

/// A figure with its name and what it says. Names of what only grows end with `_total`.
type Metric = (&'static str, &'static str, u64);

/// Counters and gauges in the text format of Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "operation",
    responses(
        (status = 200, description = "The metrics", body = String, content_type = "text/plain"),
        NeedsToken,
    )
)]
pub(super) async fn metrics(service: State, _: Admin) -> Response {
    let mut text = String::new();
    let mut write = |(name, help, value): (&str, &str, u64)| {
        let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
    };
    let own = [of_requests(&service), of_visitors(&service), of_upkeep(&service)];
    own.into_iter().flatten().for_each(&mut write);
    for (name, help, value) in service.queue().counters().named() {
        write((&format!("analytics_ingest_{name}"), help, value));
    }
    let name = "analytics_beacons_total";
    let _ = writeln!(text, "# HELP {name} What became of what browsers told.\n# TYPE {name} counter");
    for (outcome, count) in service.engagement().counts() {
        let (kind, result, reason) = (outcome.kind.as_str(), outcome.result, outcome.reason);
        let _ = writeln!(text, "{name}{{kind=\"{kind}\",result=\"{result}\",reason=\"{reason}\"}} {count}");
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

fn of_requests(service: &Service) -> Vec<Metric> {
    let live = service.live().counters();
    vec![
        ("analytics_requests_total", "Requests that were decided.", live.requests),
        ("analytics_refused_total", "Requests that were refused.", live.refused),
        ("analytics_would_refuse_total", "Requests that enforcing would refuse.", live.would_refuse),
        ("analytics_exempt_total", "Refusals that an exemption lifted.", live.exempt),
        ("analytics_unseen_total", "Requests that passed without being looked at.", live.unseen),
        (
            "analytics_session_cookies_refused_total",
            "Requests with a session cookie that was not made here for their client, or not within a day.",
            live.cookies_refused,
        ),
        (
            "analytics_sessions_crowded_total",
            "Requests of a client with too many sessions to begin one more.",
            live.crowded,
        ),
        ("analytics_rows_dropped_total", "Rows that the queue had no room for.", live.rows_dropped),
        (
            "analytics_records_postponed_total",
            "Other records that the queue had no room for; they are offered again a second later.",
            live.records_delayed,
        ),
        (
            "analytics_records_dropped_total",
            "Records that were to be offered again and found no room to wait.",
            live.records_dropped,
        ),
    ]
}

fn of_visitors(service: &Service) -> Vec<Metric> {
    let (visitors, evicted) = (service.live().visitors() as u64, service.live().evicted());
    let mut metrics = vec![
        ("analytics_visitors", "Visitors in memory.", visitors),
        ("analytics_visitors_evicted_total", "Visitors that left for others.", evicted.evicted),
        (
            "analytics_visitors_evicted_watched_total",
            "Of those, the ones that were watched, blocked or banned.",
            evicted.evicted_watched,
        ),
    ];
    if let Some(crawlers) = service.crawlers() {
        let names = crawlers.counters();
        metrics.extend([
            ("analytics_crawler_lookups_total", "Addresses of crawlers looked up.", names.looked_up),
            (
                "analytics_crawler_lookups_failed_total",
                "Of those, the ones that no name server answered for.",
                names.failed,
            ),
            (
                "analytics_crawler_lookups_skipped_total",
                "Addresses of crawlers that there was no room to look up.",
                names.skipped,
            ),
        ]);
    }
    metrics
}

fn of_upkeep(service: &Service) -> Vec<Metric> {
    let configuration = service.configuration();
    let mut metrics = vec![
        (
            "analytics_configurations_taken_up_total",
            "Configurations taken up while the service ran.",
            configuration.taken_up(),
        ),
        (
            "analytics_configurations_refused_total",
            "Configurations refused while the service ran.",
            configuration.refused(),
        ),
    ];
    if let Some(snapshot) = service.snapshot() {
        let snapshots = snapshot.counters();
        metrics.extend([
            ("analytics_snapshots_total", "Snapshots written.", snapshots.written),
            ("analytics_snapshots_failed_total", "Snapshots not written.", snapshots.failed),
            ("analytics_snapshots_damaged_total", "Snapshots not readable.", snapshots.damaged),
            (
                "analytics_standings_waiting",
                "Clients of before the restart who have not come back.",
                service.live().waiting() as u64,
            ),
        ]);
    }
    metrics
}
