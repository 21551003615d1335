//! `analytics thresholds`: the limits of metrics in the store.

use std::io::Write;

use analytics_domain::anomaly::{AnomalyThreshold, MetricName, Thresholds};
use analytics_ports::{AnomalyThresholdRepository, BatchLimit, PageRequest, StoreError};
use axum::http::Method;
use clap::Subcommand;
use serde::Serialize;

use super::server::{self, ServerArgs};
use super::store::{Opened, StoreArgs};
use super::{CliError, Format, write_json};

/// What is done with thresholds.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum ThresholdsCommand {
    /// Lists the limits of all metrics: those of the store, and the built-in ones that it does not replace
    List(ListArgs),
    /// Sets the limits of a metric
    Set(SetArgs),
}

/// The options of `analytics thresholds list`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    server: ServerArgs,
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The options of `analytics thresholds set`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct SetArgs {
    /// The metric, by its name
    metric: MetricName,
    /// From here on a value is a warning
    #[arg(long, value_name = "W", allow_negative_numbers = true)]
    warning: f64,
    /// From here on a value is critical
    #[arg(long, value_name = "C", allow_negative_numbers = true)]
    critical: f64,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) fn run(command: &ThresholdsCommand, out: &mut dyn Write) -> Result<(), CliError> {
    match command {
        ThresholdsCommand::List(args) => show(&rows(args)?, args.format, out),
        ThresholdsCommand::Set(args) => set(args),
    }
}

fn rows(args: &ListArgs) -> Result<Vec<Row>, CliError> {
    if let Some(server) = args.server.open()? {
        let limits: Vec<AnomalyThreshold> = server::read(&server.get(THRESHOLDS, &[])?)?;
        return Ok(limits.iter().map(|limits| Row::of(limits, "service")).collect());
    }
    let Opened { runtime, stores } = args.store.open()?;
    runtime.block_on(list(&*stores.thresholds)).map_err(CliError::failed)
}

fn set(args: &SetArgs) -> Result<(), CliError> {
    let limits = AnomalyThreshold::new(args.metric.clone(), args.warning, args.critical);
    let limits = limits.map_err(CliError::usage)?;
    if let Some(server) = args.server.open()? {
        let body = serde_json::to_value(&limits).map_err(CliError::failed)?;
        return server.change(Method::PUT, THRESHOLDS, Some(&body), None).map(drop);
    }
    let Opened { runtime, stores } = args.store.open()?;
    runtime.block_on(stores.thresholds.put(&limits)).map_err(CliError::failed)
}

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Row {
    metric: MetricName,
    warning: f64,
    critical: f64,
    /// Whether it is of the store, or built in, or of a service that does not say.
    origin: &'static str,
}

impl Row {
    fn of(limits: &AnomalyThreshold, origin: &'static str) -> Self {
        let (warning, critical) = (limits.warning(), limits.critical());
        Self { metric: limits.metric().clone(), warning, critical, origin }
    }
}

/// The route of a service that has them.
const THRESHOLDS: &str = "/v1/anomaly/thresholds";

async fn list(kept: &dyn AnomalyThresholdRepository) -> Result<Vec<Row>, StoreError> {
    let (mut stored, mut after) = (Thresholds::none(), None);
    loop {
        let page = kept.list(PageRequest { limit: BatchLimit::default(), after }).await?;
        page.items.into_iter().for_each(|limits| stored.set(limits));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut all = Thresholds::default();
    stored.iter().for_each(|limits| all.set(limits.clone()));
    let origin = |limits: &AnomalyThreshold| {
        if stored.get(limits.metric().as_str()).is_some() { "store" } else { "default" }
    };
    Ok(all.iter().map(|limits| Row::of(limits, origin(limits))).collect())
}

fn show(rows: &[Row], format: Format, out: &mut dyn Write) -> Result<(), CliError> {
    if format == Format::Json {
        return write_json(out, &rows);
    }
    writeln!(out, "{:<40}{:>12}{:>12}  origin", "metric", "warning", "critical").map_err(CliError::failed)?;
    for Row { metric, warning, critical, origin } in rows {
        writeln!(out, "{:<40}{warning:>12}{critical:>12}  {origin}", metric.as_str())
            .map_err(CliError::failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use analytics_inmemory::{Capacity, InMemoryThresholds};

    use super::*;

    #[tokio::test]
    async fn the_list_has_what_is_stored_and_the_defaults_that_it_does_not_replace() {
        let kept = InMemoryThresholds::new(Capacity::new(10).unwrap());
        for (name, warning) in [("error_rate", 0.2), ("requests.people", 7.0)] {
            let limits = AnomalyThreshold::new(MetricName::new(name).unwrap(), warning, 9.0).unwrap();
            kept.put(&limits).await.unwrap();
        }
        let mut out = Vec::new();
        show(&list(&kept).await.unwrap(), Format::Text, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(
            lines,
            [
                ["metric", "warning", "critical", "origin"],
                ["avg_response_time_deviation", "2", "5", "default"],
                ["error_rate", "0.2", "9", "store"],
                ["requests.people", "7", "9", "store"],
                ["requests_per_minute", "15", "30", "default"],
                ["session_count_per_fingerprint", "5", "10", "default"],
                ["unique_ips_per_fingerprint", "3", "10", "default"],
            ]
        );
    }
}
