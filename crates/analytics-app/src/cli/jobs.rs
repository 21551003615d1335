//! `analytics jobs`: upkeep by hand. `analytics sessions cleanup` is one of the jobs under a name of its own.

use analytics_domain::features::FeatureExtractionConfig;
use std::fmt::Write as _;
use std::io::Write;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::anyhow;
use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::store::{PolicyArgs, StoreArgs};
use super::{CliError, Format, write_json};
use crate::replay::text::{Table, grouped};
use crate::services::jobs::{Job, JobOutcome, JobReport, JobRunner, UnknownJob};
use crate::system::SystemClock;

/// What is done with jobs.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum JobsCommand {
    /// Lists the jobs, and how often a service runs them
    List(ListArgs),
    /// Runs a job, or all of them, once and now
    Run(RunArgs),
}

/// The options of `analytics jobs list`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    policy: PolicyArgs,
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The options of `analytics jobs run`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RunArgs {
    /// The job, or all
    #[arg(value_name = "NAME")]
    name: Wanted,
    #[command(flatten)]
    upkeep: UpkeepArgs,
}

/// The options of upkeep of one kind.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct UpkeepArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Which jobs are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    All,
    One(Job),
}

impl FromStr for Wanted {
    type Err = UnknownJob;

    fn from_str(name: &str) -> Result<Self, UnknownJob> {
        if name == "all" { Ok(Self::All) } else { name.parse().map(Self::One) }
    }
}

pub(super) fn run(command: &JobsCommand, out: &mut dyn Write) -> Result<(), CliError> {
    match command {
        JobsCommand::List(args) => list(args, out),
        JobsCommand::Run(RunArgs { name: Wanted::All, upkeep }) => run_jobs(&Job::ALL, upkeep, out),
        JobsCommand::Run(RunArgs { name: Wanted::One(job), upkeep }) => run_jobs(&[*job], upkeep, out),
    }
}

fn list(args: &ListArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let schedule = args.policy.read()?.job_schedule();
    let rows = Job::ALL.map(|job| (job, schedule.interval(job).num_seconds(), about(job)));
    if args.format == Format::Json {
        let rows = rows.map(
            |(job, seconds, about)| json!({ "name": job.as_str(), "every_seconds": seconds, "does": about }),
        );
        return write_json(out, &rows);
    }
    let mut table = Table::new(["job", "every", "does"]);
    for (job, seconds, about) in rows {
        table.row([job.to_string(), format!("{seconds} s"), about.to_owned()]);
    }
    let mut text = String::new();
    table.write_last_left(&mut text, 120);
    out.write_all(text.as_bytes()).map_err(CliError::failed)
}

/// Runs these jobs, says what became of each, and fails when one was interrupted.
pub(super) fn run_jobs(jobs: &[Job], args: &UpkeepArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let settings = args.policy.read()?;
    let opened = args.store.open()?;
    let stores = opened.stores.jobs();
    let leaders = Arc::clone(&opened.stores.leaders);
    let runner = JobRunner::new(stores, leaders, Arc::new(SystemClock), settings.job_policies());
    let extraction = opened.stores.extraction(FeatureExtractionConfig::default());
    let runner = runner.with_extraction(Arc::new(extraction));
    let reports: Vec<JobReport> = jobs.iter().map(|job| opened.runtime.block_on(runner.run(*job))).collect();
    match args.format {
        Format::Json => write_json(out, &reports.iter().map(told).collect::<Vec<_>>())?,
        Format::Text => {
            reports
                .iter()
                .try_for_each(|report| out.write_all(shown(report).as_bytes()))
                .map_err(CliError::failed)?;
        }
    }
    for report in reports {
        if let JobOutcome::Interrupted { reason, .. } = report.outcome {
            let problem = format!("{} was interrupted; what was done stands, run it again", report.job);
            return Err(CliError::Failed(anyhow!(reason).context(problem)));
        }
    }
    Ok(())
}

fn told(report: &JobReport) -> Value {
    let rows: Map<String, Value> = report.outcome.work().map_or_else(Map::new, |work| {
        work.rows.iter().map(|(counted, rows)| (counted.as_str().to_owned(), json!(rows))).collect()
    });
    let batches = report.outcome.work().map_or(0, |work| work.batches);
    json!({ "job": report.job.as_str(), "outcome": name(&report.outcome), "rows": rows, "batches": batches })
}

fn shown(report: &JobReport) -> String {
    let mut text = match &report.outcome {
        JobOutcome::NotLeader => format!("{}: another process does it at this moment\n", report.job),
        JobOutcome::NotWired => format!("{}: nothing here does it\n", report.job),
        JobOutcome::Done(work) if work.total() == 0 => format!("{}: nothing to do\n", report.job),
        JobOutcome::Done(_) => format!("{}: done\n", report.job),
        JobOutcome::Interrupted { .. } => format!("{}: interrupted\n", report.job),
    };
    for (counted, rows) in report.outcome.work().into_iter().flat_map(|work| &work.rows) {
        let _ = writeln!(text, "  {:<24}{:>12}", counted.as_str().replace('_', " "), grouped(*rows));
    }
    text
}

const fn name(outcome: &JobOutcome) -> &'static str {
    match outcome {
        JobOutcome::NotLeader => "not_leader",
        JobOutcome::NotWired => "not_wired",
        JobOutcome::Done(_) => "done",
        JobOutcome::Interrupted { .. } => "interrupted",
    }
}

const fn about(job: Job) -> &'static str {
    match job {
        Job::SessionCleanup => "ends idle sessions, deletes old sessions and events",
        Job::PartitionUpkeep => "makes partitions ahead, drops old ones whole",
        Job::Retention => "deletes rows of other kinds that are past their retention",
        Job::ReputationReview => {
            "deletes bans that ended and forgotten fingerprints, renews reputations that mended"
        }
        Job::FeatureExtraction => "extracts the features of sessions that lack them",
    }
}
