//! The `analytics` command: one file a subcommand; each reads its options, calls the library and shows the answer.
//!
//! Data go to standard output, everything else to standard error. Exit status: 0 done, 1 the work failed, 2 the call was
//! wrong.

mod anomaly;
mod bans;
mod classify_ua;
mod config_show;
mod data;
mod explain;
mod features;
mod fingerprints;
mod jobs;
mod label;
mod migrate;
mod progress;
mod replay;
mod report;
mod serve;
mod server;
mod sessions;
mod settings;
pub mod simulate;
mod store;
mod thresholds;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::system::RealPace;

/// Reads the arguments of the process, runs the command and answers its exit status.
pub fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    let mut out = BufWriter::new(io::stdout().lock());
    let done =
        run(command, &mut out).and_then(|()| out.flush().map_err(|error| CliError::Failed(error.into())));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the output has had enough of it, as `head` does.
        Err(CliError::Failed(error)) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Where standard error is closed as well there is nobody left to tell.
            let _ = writeln!(io::stderr(), "analytics: {error}");
            match error {
                CliError::Failed(_) => ExitCode::from(1),
                CliError::Usage(_) => ExitCode::from(2),
            }
        }
    }
}

#[derive(Debug, Parser)]
#[command(name = "analytics", version, about = "Tells people from automation in web traffic, and says why")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Reads access logs through the engine, at the time of the log, and prints a report
    Replay(replay::ReplayArgs),
    /// Shows why one session of a store, or of logs that are replayed to it, was taken for what it is
    Explain(explain::ExplainArgs),
    /// Shows one report over a store, or over logs that are replayed
    Report(Box<report::ReportArgs>),
    /// Serves decisions, beacons, reports and the dashboard over HTTP
    Serve(Box<serve::ServeArgs>),
    /// Brings a database to the newest schema
    Migrate(migrate::MigrateArgs),
    /// Reads user agents, one a line, and writes what each tells as one JSON object a line
    ClassifyUa,
    /// Writes a synthetic access log with truth labels, from a seed, or drives a server with it
    Simulate(simulate::SimulateArgs),
    /// Says how surprising the values of a series are
    Anomaly {
        #[command(subcommand)]
        command: AnomalyCommand,
    },
    /// Shows and sets the limits of metrics
    Thresholds {
        #[command(subcommand)]
        command: thresholds::ThresholdsCommand,
    },
    /// Says what sessions are: a person's or a bot's
    Label {
        #[command(subcommand)]
        command: label::LabelCommand,
    },
    /// Lists, flags and clears fingerprints
    Fingerprints {
        #[command(subcommand)]
        command: fingerprints::FingerprintsCommand,
    },
    /// Lists bans and takes them back
    Bans {
        #[command(subcommand)]
        command: bans::BansCommand,
    },
    /// Takes a person's rows out of a store
    Data {
        #[command(subcommand)]
        command: data::DataCommand,
    },
    /// Ends sessions that are over and deletes old ones
    Sessions {
        #[command(subcommand)]
        command: sessions::SessionsCommand,
    },
    /// Lists and runs jobs of upkeep
    Jobs {
        #[command(subcommand)]
        command: jobs::JobsCommand,
    },
    /// Shows the catalogue of features, and writes features of sessions as training data
    Features {
        #[command(subcommand)]
        command: features::FeaturesCommand,
    },
    /// Shows the configuration
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

#[derive(Debug, Subcommand)]
enum AnomalyCommand {
    /// Reads a series and writes it with a score from 0 to 1 for every value, each by the values before it
    Score(anomaly::ScoreArgs),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Prints every effective value with its origin: default, file, environment or flag
    Show(config_show::ConfigShowArgs),
}

/// How data are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// Why a command did not do its work.
#[derive(Debug)]
enum CliError {
    /// The call was wrong.
    Usage(anyhow::Error),
    /// The work failed.
    Failed(anyhow::Error),
}

impl CliError {
    fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::Usage(error.into())
    }

    fn failed(error: impl Into<anyhow::Error>) -> Self {
        Self::Failed(error.into())
    }
}

impl std::fmt::Display for CliError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Usage(error) | Self::Failed(error)) = self;
        write!(f, "{error:#}")
    }
}

impl From<simulate::SimulateError> for CliError {
    fn from(error: simulate::SimulateError) -> Self {
        match error {
            simulate::SimulateError::Usage(error) => Self::Usage(error),
            simulate::SimulateError::Failed(error) => Self::Failed(error),
        }
    }
}

fn run(command: Command, out: &mut dyn Write) -> Result<(), CliError> {
    match command {
        Command::Replay(args) => replay::run(&args, out),
        Command::Explain(args) => explain::run(&args, out),
        Command::Report(args) => report::run(&args, out),
        Command::Serve(args) => serve::run(&args, out),
        Command::Migrate(args) => migrate::run(&args, out),
        Command::ClassifyUa => classify_ua::run(&mut io::stdin().lock(), out).map_err(CliError::failed),
        Command::Simulate(args) => {
            Ok(simulate::run(&args, out, &mut io::stderr(), &mut RealPace::default())?)
        }
        Command::Anomaly { command: AnomalyCommand::Score(args) } => {
            anomaly::run(&args, out, &mut io::stderr())
        }
        Command::Thresholds { command } => thresholds::run(&command, out),
        Command::Label { command } => label::run(&command, out),
        Command::Fingerprints { command } => fingerprints::run(&command, out),
        Command::Bans { command } => bans::run(&command, out),
        Command::Data { command } => data::run(&command, out),
        Command::Sessions { command } => sessions::run(&command, out),
        Command::Jobs { command } => jobs::run(&command, out),
        Command::Features { command } => features::run(&command, out),
        Command::Config { command: ConfigCommand::Show(args) } => config_show::run(&args, out),
    }
}

fn write_json(out: &mut dyn Write, value: &impl serde::Serialize) -> Result<(), CliError> {
    serde_json::to_writer_pretty(&mut *out, value).map_err(CliError::failed)?;
    out.write_all(b"\n").map_err(CliError::failed)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let by_io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        let by_json = cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        by_io.or(by_json) == Some(io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Cli::command().debug_assert();
    }
}
