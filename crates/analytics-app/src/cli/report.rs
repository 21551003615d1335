//! `analytics report`: one report over a store, or over logs that are replayed into a store in memory.

mod render;

use std::io::Write;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use analytics_domain::stats::{FilterKey, Period, ReportFilter, ReportName};
use analytics_ports::{BatchLimit, Clock};
use anyhow::{Context, anyhow};
use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::progress::Progress;
use super::replay::{inputs, open_geo, refused, wired};
use super::server::{self, Server, ServerArgs};
use super::settings::SettingsArgs;
use super::{CliError, Format, write_json};
use crate::ingest::source::Blocks;
use crate::replay::Replay;
use crate::services::{RecordingService, ReportError, ReportRequest, ReportService};
use crate::system::SystemClock;
use crate::wiring::{self, Stores};
use crate::zone::Zone;

/// The options of `analytics report`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ReportArgs {
    /// The report
    #[arg(value_name = "NAME", value_parser = names())]
    name: ReportName,
    /// Logs to report on: they are replayed into a store in memory
    #[arg(long = "log", value_name = "FILE", num_args = 1.., conflicts_with_all = ["store", "server"])]
    logs: Vec<PathBuf>,
    /// Address of the store to report on
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
    /// Beginning: a date, or a time such as 2026-03-01T12:00:00Z. Without it the first request of the logs, or 30 days
    /// before the end
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// End, which is not in the period: a date, or a time. Without it just after the last request of the logs, or now
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Reports on the period of the same length before as well
    #[arg(long)]
    compare: bool,
    /// Counts only what has this value, such as class=human; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Zone of dates and days: UTC, an offset such as +02:00, or a name such as Europe/Copenhagen
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    zone: Zone,
    /// The most rows of a ranking, 1 to 10,000
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u32,
    /// The most requests of logs that are kept in memory, about 1 KiB each
    #[arg(long, value_name = "N", default_value = "5000000")]
    rows: NonZeroU32,
    #[command(flatten)]
    settings: SettingsArgs,
    /// Database of countries in MMDB format
    #[arg(long, value_name = "FILE")]
    geoip: Option<PathBuf>,
    /// Secret that identities are made with
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &ReportArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let filter = filter_of(args)?;
    let limit = BatchLimit::new(args.limit).map_err(CliError::usage)?;
    let (from, to) =
        (moment(args.zone, "--from", args.from.as_deref())?, moment(args.zone, "--to", args.to.as_deref())?);
    if let Some(server) = args.server.open()? {
        let report = asked(args, &server, period_of(from, to, Some(last_month()))?)?;
        return match args.format {
            Format::Json => writeln!(out, "{report}").map_err(CliError::failed),
            Format::Text => show(&report, out),
        };
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::failed)?;
    let (stores, known) = match (&args.store, args.logs.is_empty()) {
        (Some(url), _) => {
            let stores = runtime.block_on(wiring::connect(url)).map_err(wired)?;
            (stores, Some(last_month()))
        }
        (None, false) => replayed(args, &runtime)?,
        (None, true) => {
            return Err(CliError::Usage(anyhow!(
                "nothing to report on; give the logs, such as `analytics report {} --log access.log`, a store with --store, \
                 or a running service with --server",
                args.name
            )));
        }
    };
    let period = period_of(from, to, known)?;
    let service = ReportService::new(stores.core_stats, stores.queries);
    let report = match args.zone {
        Zone::Utc => runtime.block_on(service.report(&request(args, period, filter, limit, Utc))),
        Zone::Offset(zone) => runtime.block_on(service.report(&request(args, period, filter, limit, zone))),
        Zone::Named(zone) => runtime.block_on(service.report(&request(args, period, filter, limit, zone))),
    };
    let report = report.map_err(|error| match error {
        ReportError::Store(_) => CliError::failed(error),
        ReportError::Key { .. } | ReportError::Days(_) | ReportError::NoPeriodBefore => {
            CliError::usage(error)
        }
    })?;
    match args.format {
        Format::Json => write_json(out, &report),
        Format::Text => show(&serde_json::to_string(&report).map_err(CliError::failed)?, out),
    }
}

/// Shows a report that is written as JSON to people.
fn show(report: &str, out: &mut dyn Write) -> Result<(), CliError> {
    let report: render::ReportText = server::read(report)?;
    out.write_all(render::render(&report).as_bytes()).map_err(CliError::failed)
}

/// The report that a running service makes, as JSON.
fn asked(args: &ReportArgs, server: &Server, period: Period) -> Result<String, CliError> {
    let mut query = vec![
        ("from", period.from().to_rfc3339()),
        ("to", period.until().to_rfc3339()),
        ("compare", args.compare.to_string()),
        ("zone", args.zone.to_string()),
        ("limit", args.limit.to_string()),
    ];
    if !args.filter.is_empty() {
        query.push(("filter", args.filter.join(",")));
    }
    server.get(&format!("/v1/reports/{}", args.name), &query)
}

fn request<Z: TimeZone>(
    args: &ReportArgs,
    period: Period,
    filter: ReportFilter,
    limit: BatchLimit,
    zone: Z,
) -> ReportRequest<Z> {
    ReportRequest { name: args.name, period, filter, compare: args.compare, zone, limit }
}

/// The stores that the logs fill, and the time from their first request to just after their last.
fn replayed(args: &ReportArgs, runtime: &tokio::runtime::Runtime) -> Result<(Stores, Bounds), CliError> {
    let inputs = inputs(&args.logs)?;
    let options = args.settings.replay_options(args.secret_file.as_deref())?;
    let (stores, evicted) = wiring::in_memory(args.rows);
    let recording = RecordingService::new(Arc::clone(&stores.sessions), Arc::clone(&stores.requests));
    let mut sink = recording.sink(runtime, SystemClock.now());
    let mut replay = Replay::new(options).with_records(&mut sink);
    if let Some(path) = &args.geoip {
        replay = replay.with_geo(Arc::new(open_geo(path)?));
    }
    let progress = Progress::start(replay.bytes_read(), Blocks::new(inputs.clone()).total_bytes());
    let report = replay.run(inputs).map_err(refused)?;
    drop(progress);
    if evicted() > 0 {
        return Err(CliError::Failed(anyhow!(
            "the logs have more requests or sessions than --rows {} has room for, so a report would be wrong; raise it, \
             or keep them in a store",
            args.rows
        )));
    }
    let bounds = report.period.map(|period| (period.from, period.to + TimeDelta::microseconds(1)));
    Ok((stores, bounds))
}

/// The times that a period has where none is given; `None` for logs without a request.
type Bounds = Option<(DateTime<Utc>, DateTime<Utc>)>;

/// The times that a period has where nothing else is known.
fn last_month() -> (DateTime<Utc>, DateTime<Utc>) {
    let now = SystemClock.now();
    (now - TimeDelta::days(30), now)
}

fn period_of(
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    known: Bounds,
) -> Result<Period, CliError> {
    let (from, to) = match (from, to, known) {
        (Some(from), Some(to), _) => (from, to),
        (from, to, Some(known)) => (from.unwrap_or(known.0), to.unwrap_or(known.1)),
        (_, _, None) => {
            return Err(CliError::Failed(anyhow!("the logs have no request; give --from and --to")));
        }
    };
    Period::new(from, to)
        .with_context(|| format!("no period from {} to {}", from.to_rfc3339(), to.to_rfc3339()))
        .map_err(CliError::Usage)
}

fn filter_of(args: &ReportArgs) -> Result<ReportFilter, CliError> {
    args.filter.iter().try_fold(ReportFilter::default(), |filter, text| {
        let usage = || {
            let keys: Vec<&str> = args.name.keys().iter().map(|key| key.as_str()).collect();
            format!("--filter {text}: give KEY=VALUE, with a key of {}", keys.join(", "))
        };
        let (key, value) = text.split_once('=').ok_or_else(|| CliError::Usage(anyhow!(usage())))?;
        let key: FilterKey = key.parse().with_context(usage).map_err(CliError::Usage)?;
        filter.with(key, value).map_err(CliError::usage)
    })
}

fn moment(zone: Zone, option: &str, text: Option<&str>) -> Result<Option<DateTime<Utc>>, CliError> {
    text.map(|text| {
        zone.moment(text).ok_or_else(|| {
            CliError::Usage(anyhow!(
                "{option} {text}: give a date such as 2026-03-01, or a time such as 2026-03-01T12:00:00Z"
            ))
        })
    })
    .transpose()
}

fn names() -> impl TypedValueParser<Value = ReportName> {
    PossibleValuesParser::new(ReportName::ALL.map(ReportName::as_str))
        .try_map(|name| name.parse::<ReportName>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_what_was_given_and_else_what_is_known() {
        let known = Some((at(10), at(20)));
        let of = |from: Option<i64>, to: Option<i64>, known| {
            let period = period_of(from.map(at), to.map(at), known).ok()?;
            Some((period.from(), period.until()))
        };
        assert_eq!(of(None, None, known), known);
        assert_eq!(of(Some(5), None, known), Some((at(5), at(20))));
        assert_eq!(of(None, Some(15), known), Some((at(10), at(15))));
        assert_eq!(of(Some(1), Some(2), None), Some((at(1), at(2))));
        assert_eq!(of(Some(1), None, None), None);
        assert_eq!(of(Some(20), None, known), None, "an empty period");
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }
}
