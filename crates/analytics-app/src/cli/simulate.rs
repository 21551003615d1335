//! `analytics simulate`: a synthetic access log with truth labels, or the same traffic against a server.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::{DateTime, Utc};

use crate::simulate::drive::{DriveError, Pace, Target, drive};
use crate::simulate::{
    self, ActorKind, LogFormat, PlanError, SimulationOptions, SimulationPlan, parse_actors,
};

/// Writes a synthetic access log with people and kinds of bots, from a seed; the same bytes on every machine.
#[derive(Debug, Clone, clap::Args)]
pub struct SimulateArgs {
    /// The only source of chance
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Time of the first possible request
    #[arg(long, default_value = "2026-03-02T00:00:00Z")]
    pub start: DateTime<Utc>,
    /// Length of the log, 1 to 744
    #[arg(long, default_value_t = 24)]
    pub hours: u32,
    /// People, 0 to 1,000,000
    #[arg(long, default_value_t = 500)]
    pub people: u32,
    /// Multiplies the number of actors, people and automation alike
    #[arg(long, default_value_t = 1.0)]
    pub scale: f64,
    /// Multiplies how many requests each automated actor makes
    #[arg(long, default_value_t = 1.0)]
    pub intensity: f64,
    /// Numbers of actors by kind, such as `human=500,scraper_steady=3,flood=off` or `bots=off`
    #[arg(long, default_value = "")]
    pub actors: String,
    /// Lists all kinds of actors and stops
    #[arg(long)]
    pub list_actors: bool,
    /// Exactly this many lines, at most 20,000,000
    #[arg(long)]
    pub requests: Option<u64>,
    /// Pages of the site, 150 to 2,000
    #[arg(long, default_value_t = 400)]
    pub site_pages: u32,
    /// Lines stand as late as their answers took, but at most this many seconds (0 to 120)
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
    pub lateness_jitter: f64,
    /// Format of the lines
    #[arg(long, value_enum, default_value_t)]
    pub log_format: LogFormat,
    /// Where the log goes; `-` is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub out: PathBuf,
    /// Where the truth labels go, as JSON lines
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Sends the requests to this server instead of writing them: http://host:port
    #[arg(long, value_name = "URL", conflicts_with = "out")]
    pub drive: Option<String>,
    /// Simulated seconds in a real one; without it as fast as the server answers
    #[arg(long, requires = "drive", value_parser = positive)]
    pub speed: Option<f64>,
    /// Allows a host other than this machine
    #[arg(long, requires = "drive")]
    pub i_own_this_host: bool,
}

/// Runs the command; `out` is standard output and `progress` standard error.
///
/// # Errors
/// [`SimulateError::Usage`] when the call was wrong (exit status 2), [`SimulateError::Failed`] when the work failed
/// (exit status 1).
pub fn run(
    args: &SimulateArgs,
    out: &mut dyn Write,
    progress: &mut dyn Write,
    pace: &mut dyn Pace,
) -> Result<(), SimulateError> {
    if args.list_actors {
        return list(out).map_err(|error| SimulateError::Failed(error.into()));
    }
    let plan = plan(args)?;
    let text = if let Some(url) = &args.drive {
        let target = Target::new(url, args.i_own_this_host)?;
        if let Some(path) = &args.labels {
            write_files(&plan, None, Some(path), &mut io::sink())?;
        }
        serde_json::to_string(&drive(&target, args.speed, &plan, pace)?)
    } else {
        let path = (args.out.as_os_str() != "-").then_some(args.out.as_path());
        serde_json::to_string(&write_files(&plan, path, args.labels.as_deref(), out)?)
    };
    let text = text.map_err(|error| SimulateError::Failed(error.into()))?;
    writeln!(progress, "{text}").map_err(|error| SimulateError::Failed(error.into()))
}

/// Why the command did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The call was wrong: the options make no plan, or the target may not be driven.
    #[error(transparent)]
    Usage(anyhow::Error),
    /// Writing or sending failed.
    #[error(transparent)]
    Failed(anyhow::Error),
}

impl From<PlanError> for SimulateError {
    fn from(error: PlanError) -> Self {
        Self::Usage(error.into())
    }
}

impl From<DriveError> for SimulateError {
    fn from(error: DriveError) -> Self {
        match error {
            DriveError::BadUrl { .. } | DriveError::NotOurs { .. } => Self::Usage(error.into()),
            DriveError::Unreachable { .. } | DriveError::GaveUp { .. } => Self::Failed(error.into()),
        }
    }
}

fn plan(args: &SimulateArgs) -> Result<SimulationPlan, PlanError> {
    let jitter = args.lateness_jitter;
    if !(0.0..=120.0).contains(&jitter) {
        return Err(PlanError::OutOfRange {
            option: "lateness-jitter",
            value: jitter,
            low: 0.0,
            high: 120.0,
        });
    }
    SimulationPlan::new(SimulationOptions {
        seed: args.seed,
        start: args.start,
        hours: args.hours,
        people: args.people,
        scale: args.scale,
        intensity: args.intensity,
        site_pages: args.site_pages,
        requests: args.requests,
        lateness_jitter_ms: (jitter * 1_000.0) as u32,
        actors: parse_actors(&args.actors)?,
        log_format: args.log_format,
    })
}

fn write_files(
    plan: &SimulationPlan,
    log: Option<&Path>,
    labels: Option<&Path>,
    out: &mut dyn Write,
) -> Result<simulate::Summary, SimulateError> {
    let create = |path: &Path| {
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()));
        file.map(BufWriter::new).map_err(SimulateError::Failed)
    };
    let mut log_file = log.map(create).transpose()?;
    let mut label_file = labels.map(create).transpose()?;
    let mut nowhere = io::sink();
    let log: &mut dyn Write = match &mut log_file {
        Some(file) => file,
        None => out,
    };
    let labels: &mut dyn Write = match &mut label_file {
        Some(file) => file,
        None => &mut nowhere,
    };
    let written = simulate::write(plan, log, labels).context("cannot write the simulation");
    written.map_err(SimulateError::Failed)
}

fn list(out: &mut dyn Write) -> io::Result<()> {
    for kind in ActorKind::all() {
        let truth = match kind.truth() {
            simulate::Truth::Human => "human",
            simulate::Truth::Bot => "bot",
            simulate::Truth::Hostile => "hostile",
        };
        writeln!(out, "{:<24} {truth:<8} {}", kind.name(), kind.about())?;
    }
    Ok(())
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("must be a number above 0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::system::RealPace;

    #[test]
    fn the_defaults_of_the_command_are_those_of_the_library() {
        let made = plan(&parse(&[])).unwrap();
        assert_eq!(made.options(), &SimulationOptions::default());
    }

    #[test]
    fn the_log_goes_to_standard_output_and_the_labels_to_their_file() {
        let folder = tempfile::tempdir().unwrap();
        let labels = folder.path().join("labels.jsonl");
        let args = parse(&["--requests", "50", "--labels", labels.to_str().unwrap()]);
        let (mut out, mut progress) = (Vec::new(), Vec::new());
        run(&args, &mut out, &mut progress, &mut RealPace::default()).unwrap();
        assert_eq!(String::from_utf8(out).unwrap().lines().count(), 50);
        let summary: serde_json::Value = serde_json::from_slice(&progress).unwrap();
        assert_eq!(summary["requests"], 50);
        let rows = summary["sessions"].as_u64().unwrap() + summary["addresses"].as_u64().unwrap();
        assert_eq!(std::fs::read_to_string(labels).unwrap().lines().count() as u64, rows);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let args = parse(&["--requests", "5", "--out", "/nowhere/at/all"]);
        let error = run(&args, &mut Vec::new(), &mut Vec::new(), &mut RealPace::default()).unwrap_err();
        assert_eq!(error.to_string(), "cannot write /nowhere/at/all");
    }

    #[test]
    fn wrong_calls_are_told_apart_from_failed_work() {
        let wrong =
            |words: &[&str]| run(&parse(words), &mut Vec::new(), &mut Vec::new(), &mut RealPace::default());
        assert!(matches!(wrong(&["--hours", "0"]), Err(SimulateError::Usage(_))));
        assert!(matches!(wrong(&["--actors", "cat"]), Err(SimulateError::Usage(_))));
        assert!(matches!(wrong(&["--lateness-jitter", "121"]), Err(SimulateError::Usage(_))));
        assert!(matches!(wrong(&["--drive", "http://192.0.2.1"]), Err(SimulateError::Usage(_))));
        assert!(
            Command::try_parse_from(["simulate", "--speed", "0", "--drive", "http://127.0.0.1"]).is_err()
        );
        assert!(Command::try_parse_from(["simulate", "--speed", "1"]).is_err());
    }

    #[test]
    fn every_kind_is_listed() {
        let mut out = Vec::new();
        run(&parse(&["--list-actors"]), &mut out, &mut Vec::new(), &mut RealPace::default()).unwrap();
        assert_eq!(String::from_utf8(out).unwrap().lines().count(), ActorKind::all().count());
    }

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: SimulateArgs,
    }

    fn parse(words: &[&str]) -> SimulateArgs {
        Command::try_parse_from([&["simulate"][..], words].concat()).unwrap().args
    }
}
