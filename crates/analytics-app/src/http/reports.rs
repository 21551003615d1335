//! The reports.

use analytics_domain::stats::{FilterKey, Period, ReportFilter, ReportName};
use analytics_ports::BatchLimit;
use axum::response::{IntoResponse, Response};
use chrono::{TimeDelta, Utc};
use serde::Deserialize;
use utoipa::IntoParams;

use super::State;
use super::access::Admin;
use super::answers::{NeedsStore, NeedsToken};
use super::extract::{Asked, Path};
use super::problem::{Problem, ProblemKind};
use crate::services::{ReportError, ReportRequest};
use crate::zone::Zone;

/// Of which time and which rows.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReportQuery {
    /// Beginning: a date, or a time such as 2026-03-01T12:00:00Z. Default: 24 hours before the end.
    from: Option<String>,
    /// End, which is not in the period: a date or a time. Default: now.
    to: Option<String>,
    /// Whether the period of the same length before is reported too.
    #[serde(default)]
    compare: bool,
    /// Counts only what has these values: pairs of key=value with commas between.
    filter: Option<String>,
    /// Zone of dates and days: UTC, an offset such as +02:00, or a name such as Europe/Copenhagen.
    zone: Option<String>,
    /// The most rows of a ranking, 1 to 10,000. Default 20.
    limit: Option<u32>,
}

/// One report.
#[utoipa::path(
    get, path = "/v1/reports/{name}", tag = "reports",
    params(("name" = String, Path, description = "Name of the report, such as traffic-summary"), ReportQuery),
    responses(
        (status = 200, description = "The report; docs/reports.md defines its fields", body = Object),
        (status = 400, description = "A wrong period, filter, zone or limit", content_type = "application/problem+json"),
        (status = 404, description = "There is no such report", content_type = "application/problem+json"),
        NeedsToken,
        NeedsStore,
    )
)]
pub(super) async fn report(
    service: State,
    _: Admin,
    Path(name): Path<String>,
    Asked(query): Asked<ReportQuery>,
) -> Result<Response, Problem> {
    let name: ReportName = name.parse().map_err(|_| {
        let names = ReportName::ALL.map(ReportName::as_str).join(", ");
        Problem::new(ProblemKind::NotFound, format!("there is no report {name}; there are {names}"))
    })?;
    let zone: Zone = query.zone.as_deref().unwrap_or("UTC").parse().map_err(Problem::bad)?;
    let period = query.period(zone, service.clock().now())?;
    let filter = query.filter()?;
    let limit = BatchLimit::new(query.limit.unwrap_or(20)).map_err(Problem::bad)?;
    let compare = query.compare;
    let reports = service.reports();
    let made = match zone {
        Zone::Utc => reports.report(&ReportRequest { name, period, filter, compare, zone: Utc, limit }).await,
        Zone::Offset(zone) => {
            reports.report(&ReportRequest { name, period, filter, compare, zone, limit }).await
        }
        Zone::Named(zone) => {
            reports.report(&ReportRequest { name, period, filter, compare, zone, limit }).await
        }
    };
    match made {
        Ok(report) => Ok(axum::Json(report).into_response()),
        Err(ReportError::Store(error)) => Err(error.into()),
        Err(error @ (ReportError::Key { .. } | ReportError::Days(_) | ReportError::NoPeriodBefore)) => {
            Err(Problem::bad(error))
        }
    }
}

impl ReportQuery {
    fn period(&self, zone: Zone, now: chrono::DateTime<Utc>) -> Result<Period, Problem> {
        let moment = |name: &str, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => zone.moment(text).map(Some).ok_or_else(|| {
                Problem::bad(format!(
                    "{name}={text}: give a date such as 2026-03-01, or a time such as 2026-03-01T12:00:00Z"
                ))
            }),
        };
        let until = moment("to", &self.to)?.unwrap_or(now);
        let before = || until.checked_sub_signed(TimeDelta::days(1)).unwrap_or(until);
        let from = moment("from", &self.from)?.unwrap_or_else(before);
        Period::new(from, until).map_err(Problem::bad)
    }

    fn filter(&self) -> Result<ReportFilter, Problem> {
        let parts = self.filter.as_deref().unwrap_or_default().split(',').filter(|part| !part.is_empty());
        parts.into_iter().try_fold(ReportFilter::default(), |filter, part| {
            let (key, value) =
                part.split_once('=').ok_or_else(|| Problem::bad(format!("filter={part}: give key=value")))?;
            let key: FilterKey = key.parse().map_err(Problem::bad)?;
            filter.with(key, value).map_err(Problem::bad)
        })
    }
}
