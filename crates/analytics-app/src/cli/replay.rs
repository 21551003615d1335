//! `analytics replay`: access logs in, a report out.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use tokio::runtime::Runtime;

use super::progress::Progress;
use super::settings::SettingsArgs;
use super::{CliError, Format, write_json};
use crate::export::{self, Dataset, ExportOptions, FeatureSink, LabelFile};
use crate::geo::GeoIpReader;
use crate::ingest::queue::{Drain, Ingest, QueuePolicy, SpillFile};
use crate::ingest::source::{Blocks, Input};
use crate::replay::{RecordSink, Replay, ReplayError, text};
use crate::services::{QueueSink, RecordedSessions, RecordingService};
use crate::system::{SystemClock, stop_flag};
use crate::wiring::{self, WiringError};

/// The options of `analytics replay`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ReplayArgs {
    /// Logs to read, plain, .gz or .zst; `-` is standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    settings: SettingsArgs,
    /// Writes each session as a line of JSON
    #[arg(long, value_name = "FILE")]
    sessions_out: Option<PathBuf>,
    /// Writes the features of each session: .parquet, .csv or .jsonl. `features export --log` does more with them
    #[arg(long, value_name = "FILE")]
    features_out: Option<PathBuf>,
    /// Database of countries in MMDB format
    #[arg(long, value_name = "FILE")]
    geoip: Option<PathBuf>,
    /// Secret that identities are made with: 32 bytes, or 64 hexadecimal digits. Without it ids hide nothing
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Keeps the sessions and their requests in the store of this address. Doing it again keeps nothing twice
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Goes on as the one log grows, until interrupted; then prints the report
    #[arg(long)]
    follow: bool,
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &ReplayArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let inputs = inputs(&args.files)?;
    let options = args.settings.replay_options(args.secret_file.as_deref())?;
    let mut replay = Replay::new(options);
    if args.follow {
        let [Input::File(_)] = inputs.as_slice() else {
            return Err(CliError::Usage(anyhow!(
                "--follow takes exactly one log file, and not standard input"
            )));
        };
        replay = replay.following(stop_flag().map_err(CliError::failed)?);
    }
    if let Some(path) = &args.geoip {
        replay = replay.with_geo(Arc::new(open_geo(path)?));
    }
    let mut sessions = args.sessions_out.as_deref().map(create).transpose()?;
    if let Some(sessions) = &mut sessions {
        replay = replay.with_sessions_out(sessions);
    }
    let features_out = args.features_out.as_deref();
    let features_as = features_out.map(export::Format::of).transpose().map_err(CliError::usage)?;
    let mut keeper = args.store.as_deref().map(Keeper::open).transpose()?;
    let then = keeper.as_mut().map(|keeper| &mut keeper.sink as &mut dyn RecordSink);
    let mut features = None;
    if features_out.is_some() {
        let dataset = Dataset::new(ExportOptions::default(), LabelFile::default(), MOST_SESSIONS);
        replay = replay.with_records(features.insert(FeatureSink::new(dataset, then)));
    } else if let Some(then) = then {
        replay = replay.with_records(then);
    }
    let progress = Progress::start(replay.bytes_read(), Blocks::new(inputs.clone()).total_bytes());
    let report = replay.run(inputs);
    drop(progress);
    let report = report.map_err(refused)?;
    let dataset = features.map(FeatureSink::into_dataset);
    if let (Some(path), Some(format), Some(dataset)) = (features_out, features_as, dataset) {
        if dataset.too_many() > 0 {
            return Err(CliError::Failed(anyhow!(
                "the logs have more than {MOST_SESSIONS} sessions; use `analytics features export --sessions N`"
            )));
        }
        let options = dataset.options().clone();
        let export = dataset.finish();
        export::write(&options, &export, format, path).map_err(CliError::failed)?;
    }
    if let Some(keeper) = keeper {
        keeper.close()?;
    }
    if let Some(sessions) = &mut sessions {
        sessions.flush().map_err(CliError::failed)?;
    }
    match args.format {
        Format::Text => out.write_all(text::render(&report).as_bytes()).map_err(CliError::failed),
        Format::Json => write_json(out, &report),
    }
}

/// A store that keeps what is replayed, behind a queue. While the store is away the replay waits for it.
struct Keeper {
    runtime: Runtime,
    drain: Drain,
    sink: QueueSink,
}

impl Keeper {
    fn open(url: &str) -> Result<Self, CliError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(CliError::failed)?;
        let stores = runtime.block_on(wiring::connect(url)).map_err(wired)?;
        let service = RecordingService::new(stores.sessions, stores.requests);
        let sink = Arc::new(RecordedSessions::new(service, Arc::new(SystemClock)));
        // The log itself is what is read again after a failure; nothing has to be written beside it.
        let policy = QueuePolicy { spill: 0, ..QueuePolicy::default() };
        let spill = SpillFile::in_memory().map_err(CliError::failed)?;
        let (queue, drain) = {
            let _entered = runtime.enter();
            Ingest::start(sink, spill, policy)
        };
        let sink = QueueSink::new(queue, runtime.handle().clone());
        Ok(Self { runtime, drain, sink })
    }

    fn close(mut self) -> Result<(), CliError> {
        self.sink.flush().map_err(CliError::failed)?;
        let counters = self.runtime.block_on(self.drain.close());
        if counters.rejected > 0 {
            return Err(CliError::Failed(anyhow!("the store rejected {} sessions", counters.rejected)));
        }
        Ok(())
    }
}

/// An address that is none was a wrong call; a store that cannot be used is work that failed.
pub(super) fn wired(error: WiringError) -> CliError {
    match error {
        WiringError::UnknownStore { .. } => CliError::usage(error),
        WiringError::Open(_) | WiringError::Migrate(_) => CliError::failed(error),
    }
}

/// The inputs that arguments name; at least one.
pub(super) fn inputs(files: &[PathBuf]) -> Result<Vec<Input>, CliError> {
    if files.is_empty() {
        let problem = "no log was named; give one or more files, or - for standard input, \
            such as `analytics replay access.log`";
        return Err(CliError::Usage(anyhow!(problem)));
    }
    if files.iter().filter(|file| file.as_os_str() == "-").count() > 1 {
        return Err(CliError::Usage(anyhow!("standard input (-) can be read only once")));
    }
    Ok(files.iter().map(|file| Input::from_argument(file)).collect())
}

/// A host that is none was a wrong call; everything else is work that failed.
pub(super) fn refused(error: ReplayError) -> CliError {
    match error {
        ReplayError::Site(_) => CliError::usage(error),
        ReplayError::Source { .. }
        | ReplayError::UnknownFormat { .. }
        | ReplayError::BadLine { .. }
        | ReplayError::Write(_)
        | ReplayError::Keep(_) => CliError::failed(error),
    }
}

pub(super) fn open_geo(path: &Path) -> Result<GeoIpReader, CliError> {
    GeoIpReader::open(path)
        .with_context(|| format!("cannot use {} as a database of countries", path.display()))
        .map_err(CliError::Usage)
}

/// Sessions whose features are held until all are there, about 2 KiB each.
const MOST_SESSIONS: usize = 1_000_000;

fn create(path: &Path) -> Result<BufWriter<File>, CliError> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()));
    file.map(BufWriter::new).map_err(CliError::Failed)
}
