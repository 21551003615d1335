//! `analytics features`: the catalogue, and features as training data.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use analytics_domain::features::{
    CATALOGUE, Feature, FeatureExtractionConfig, FeatureGroup, FeatureGroups, Normalisation, Scaler,
    ZoneOffset,
};
use analytics_domain::label::LabelSource;
use analytics_domain::model::Model;
use analytics_ports::{BatchLimit, PageRequest, SessionFilter, StoreError};
use anyhow::{Context, anyhow};
use chrono::{DateTime, TimeDelta, Utc};
use clap::ValueEnum;
use serde::Serialize;

use super::progress::Progress;
use super::replay::{inputs, refused, wired};
use super::settings::{SettingsArgs, seconds};
use super::{CliError, Format, write_json};
use crate::export::{self, Dataset, Export, ExportOptions, FeatureSink, LabelFile, LabelSelection, Split};
use crate::ingest::source::Blocks;
use crate::models;
use crate::replay::Replay;
use crate::wiring::{self, Stores};
use crate::zone::Zone;

/// The commands of `analytics features`.
#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum FeaturesCommand {
    /// Writes the features of sessions as training data, with a card that says what is in it
    Export(Box<ExportArgs>),
    /// Shows every feature: name, group, unit, range, when it is missing, what it means
    Catalog(CatalogArgs),
}

/// The options of `analytics features catalog`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct CatalogArgs {
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The options of `analytics features export`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ExportArgs {
    /// The file to write: .parquet, .csv or .jsonl. Beside it come .card.json and .card.md
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Logs whose sessions are exported: they are replayed
    #[arg(long = "log", value_name = "FILE", num_args = 1.., conflicts_with = "store")]
    logs: Vec<PathBuf>,
    /// Address of the store whose sessions are exported
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Looks at every session as it was at this time; without it as it was at its end
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// Which labels count: sources such as manual or heuristic, and files of labels; several with commas. Without a source
    /// all count but heuristic ones
    #[arg(long, value_name = "SOURCE|FILE", value_delimiter = ',')]
    labels: Vec<String>,
    /// Splits into training and test: after a share of the sessions such as 0.7, or at a time
    #[arg(long, value_name = "SHARE|TIME")]
    split: Option<String>,
    /// Tests nothing that starts so soon after the split, such as 1h
    #[arg(long, value_name = "TIME", value_parser = seconds, requires = "split")]
    embargo: Option<f64>,
    /// Brings each feature to one scale, learned from the training part; the scaler comes beside it as .scaler.json
    #[arg(long, value_enum, default_value_t)]
    normalise: Scale,
    /// Applies a scaler that an earlier export wrote, instead of learning one
    #[arg(long, value_name = "FILE", conflicts_with = "normalise")]
    scaler: Option<PathBuf>,
    /// The groups of features; all without it
    #[arg(long, value_name = "GROUP", value_delimiter = ',')]
    groups: Vec<String>,
    /// Minutes east of UTC of the zone whose nights count
    #[arg(long, value_name = "MINUTES", default_value_t = 0, allow_negative_numbers = true)]
    zone_minutes: i32,
    /// The site's pages carry the tracker: a visit without a beacon is one without scripts
    #[arg(long)]
    tracker_on_pages: bool,
    /// Adds what the detector took each session for. Never train on it by mistake
    #[arg(long)]
    with_verdict: bool,
    /// Adds the probability that this model gives each session, as `model_probability`; unlike --model it may know what
    /// comes afterwards, and the detector does not hear it. Never train on it by mistake
    #[arg(long, value_name = "FILE")]
    score_with: Option<PathBuf>,
    /// Leaves out sessions without a label
    #[arg(long)]
    labelled_only: bool,
    /// The most sessions, about 2 KiB of memory each
    #[arg(long, value_name = "N", default_value = "1000000")]
    sessions: NonZeroU32,
    #[command(flatten)]
    settings: SettingsArgs,
    /// Secret that identities are made with
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

/// How features are brought to one scale.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Scale {
    /// Not at all
    #[default]
    Raw,
    /// Mean 0 and standard deviation 1
    Standard,
    /// From 0 to 1
    MinMax,
    /// Median 0 and distance of the quartiles 1
    Robust,
}

pub(super) fn run(command: &FeaturesCommand, out: &mut dyn Write) -> Result<(), CliError> {
    match command {
        FeaturesCommand::Catalog(args) => catalog(args.format, out),
        FeaturesCommand::Export(args) => export(args, out),
    }
}

fn export(args: &ExportArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let format = export::Format::of(&args.out).map_err(CliError::usage)?;
    let (options, files) = options(args)?;
    if files.needs_addresses() && args.logs.is_empty() {
        return Err(CliError::Usage(anyhow!(
            "labels by address, as `analytics simulate` writes them, need the logs: stores keep no addresses"
        )));
    }
    tell(&mut io::stderr(), &files);
    let dataset = Dataset::new(options.clone(), files, args.sessions.get() as usize);
    let dataset = match (&args.store, args.logs.is_empty()) {
        (Some(url), _) => stored(url, dataset)?,
        (None, false) => replayed(args, dataset)?,
        (None, true) => {
            return Err(CliError::Usage(anyhow!(
                "nothing to export; give the logs, such as `analytics features export --log access.log --out f.csv`, \
                 or a store with --store"
            )));
        }
    };
    if dataset.too_many() > 0 {
        return Err(CliError::Failed(anyhow!(
            "there are {} sessions more than --sessions {} has room for, so the data would not be whole; raise it",
            dataset.too_many(),
            args.sessions
        )));
    }
    let export = dataset.finish();
    let written = export::write(&options, &export, format, &args.out).map_err(CliError::failed)?;
    summary(out, &export, &written).map_err(CliError::failed)
}

/// Gathers the sessions that a store keeps, newest first.
fn stored(url: &str, mut dataset: Dataset) -> Result<Dataset, CliError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::failed)?;
    runtime.block_on(async {
        let stores = wiring::connect(url).await.map_err(wired)?;
        gather(&stores, &mut dataset).await.map_err(CliError::failed)
    })?;
    Ok(dataset)
}

async fn gather(stores: &Stores, dataset: &mut Dataset) -> Result<(), StoreError> {
    let service = stores.extraction(dataset.options().config);
    let mut page = PageRequest::first(BatchLimit::default());
    loop {
        let sessions = stores.sessions.list(&SessionFilter::default(), page).await?;
        for session in &sessions.items {
            if let Some(as_of) = dataset.as_of(session)
                && dataset.has_room()
            {
                let extraction = service.of(session, as_of).await?;
                let labels = stores.labels.by_session(session.id()).await?;
                dataset.add(None, session, extraction, labels);
            }
        }
        match sessions.next {
            Some(next) => page = PageRequest::after(BatchLimit::default(), next),
            None => return Ok(()),
        }
    }
}

fn replayed(args: &ExportArgs, dataset: Dataset) -> Result<Dataset, CliError> {
    let inputs = inputs(&args.logs)?;
    let options = args.settings.replay_options(args.secret_file.as_deref())?;
    let mut sink = FeatureSink::new(dataset, None);
    let replay = Replay::new(options).with_records(&mut sink);
    let progress = Progress::start(replay.bytes_read(), Blocks::new(inputs.clone()).total_bytes());
    replay.run(inputs).map_err(refused)?;
    drop(progress);
    Ok(sink.into_dataset())
}

fn options(args: &ExportArgs) -> Result<(ExportOptions, LabelFile), CliError> {
    let groups = args.groups.iter().map(|name| group(name)).collect::<Result<Vec<_>, _>>()?;
    let groups = if groups.is_empty() { FeatureGroups::ALL } else { groups.into_iter().collect() };
    let config = FeatureExtractionConfig {
        groups,
        normalisation: match args.normalise {
            Scale::Raw => Normalisation::Raw,
            Scale::Standard => Normalisation::Standard,
            Scale::MinMax => Normalisation::MinMax,
            Scale::Robust => Normalisation::Robust,
        },
        zone: ZoneOffset::new(args.zone_minutes).map_err(CliError::usage)?,
        tracker_on_pages: args.tracker_on_pages,
    };
    let (mut sources, mut files) = (Vec::<LabelSource>::new(), LabelFile::default());
    for text in &args.labels {
        match text.parse() {
            Ok(source) => sources.push(source),
            Err(_) => files.add(Path::new(text)).map_err(CliError::Failed)?,
        }
    }
    let labels = if sources.is_empty() { LabelSelection::default() } else { LabelSelection { sources } };
    let options = ExportOptions {
        config,
        as_of: args.as_of.as_deref().map(|text| moment("--as-of", text)).transpose()?,
        scaler: args.scaler.as_deref().map(scaler).transpose().map_err(CliError::Usage)?,
        labels,
        split: args.split.as_deref().map(split).transpose()?,
        embargo: TimeDelta::microseconds((args.embargo.unwrap_or(0.0) * 1e6) as i64),
        with_verdict: args.with_verdict,
        labelled_only: args.labelled_only,
        model: args.score_with.as_deref().map(model).transpose().map_err(CliError::Usage)?,
    };
    Ok((options, files))
}

fn model(path: &Path) -> anyhow::Result<Arc<Model>> {
    let model = models::read(path).with_context(|| format!("cannot use {} as a model", path.display()))?;
    Ok(Arc::new(model))
}

fn scaler(path: &Path) -> anyhow::Result<Scaler> {
    let told = || format!("cannot use {} as a scaler", path.display());
    let text = std::fs::read_to_string(path).with_context(told)?;
    serde_json::from_str(&text).with_context(told)
}

fn group(name: &str) -> Result<FeatureGroup, CliError> {
    FeatureGroup::ALL.into_iter().find(|group| group.as_str() == name).ok_or_else(|| {
        let known = FeatureGroup::ALL.map(FeatureGroup::as_str).join(", ");
        CliError::Usage(anyhow!("--groups {name}: there are {known}"))
    })
}

fn split(text: &str) -> Result<Split, CliError> {
    match text.parse::<f64>() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(Split::Share(share)),
        Ok(share) => Err(CliError::Usage(anyhow!("--split {share}: a share is above 0 and below 1"))),
        Err(_) => moment("--split", text).map(Split::At),
    }
}

fn moment(option: &str, text: &str) -> Result<DateTime<Utc>, CliError> {
    Zone::Utc
        .moment(text)
        .with_context(|| {
            format!("{option} {text}: give a date such as 2026-03-01, or a time such as 2026-03-01T12:00:00Z")
        })
        .map_err(CliError::Usage)
}

/// Says on standard error what is wrong with label files.
fn tell(err: &mut dyn Write, files: &LabelFile) {
    if files.bad() == 0 {
        return;
    }
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(err, "{} of {} rows gave no label:", files.bad(), files.bad() + files.rows());
    for problem in files.problems() {
        let _ = writeln!(err, "  {}, line {}: {}", problem.file.display(), problem.line, problem.problem);
    }
}

fn summary(out: &mut dyn Write, export: &Export, written: &[PathBuf]) -> io::Result<()> {
    let card = &export.card;
    writeln!(
        out,
        "{} sessions of {} clients, {} features (catalogue {})",
        card.rows,
        card.groups_of_clients,
        card.features.len(),
        card.catalogue
    )?;
    for (name, part) in &card.parts {
        writeln!(out, "{name}: {} human, {} bot, {} without a label", part.human, part.bot, part.unlabelled)?;
    }
    for path in written {
        writeln!(out, "wrote {}", path.display())?;
    }
    Ok(())
}

/// One feature, as programs read it.
#[derive(Serialize)]
struct CatalogueEntry {
    name: &'static str,
    group: FeatureGroup,
    unit: &'static str,
    kind: &'static str,
    least: f64,
    most: Option<f64>,
    known: &'static str,
    missing: &'static str,
    meaning: &'static str,
}

#[derive(Serialize)]
struct Catalogue {
    version: u32,
    features: Vec<CatalogueEntry>,
}

fn catalog(format: Format, out: &mut dyn Write) -> Result<(), CliError> {
    match format {
        Format::Text => out.write_all(table().as_bytes()).map_err(CliError::failed),
        Format::Json => {
            let features = Feature::all().iter().map(|feature| CatalogueEntry {
                name: feature.name,
                group: feature.group,
                unit: feature.unit.as_str(),
                kind: feature.kind.as_str(),
                least: feature.least,
                most: feature.most.is_finite().then_some(feature.most),
                known: feature.known.as_str(),
                missing: feature.undefined,
                meaning: feature.meaning,
            });
            write_json(out, &Catalogue { version: CATALOGUE.get(), features: features.collect() })
        }
    }
}

/// The catalogue as the table that stands in docs/features.md.
fn table() -> String {
    let mut text = format!("Catalogue {}: {} features.\n\n", CATALOGUE.get(), Feature::all().len());
    text.push_str("| feature | group | unit | range | known | missing | meaning |\n");
    text.push_str("| --- | --- | --- | --- | --- | --- | --- |\n");
    for feature in Feature::all() {
        let most = if feature.most.is_finite() { feature.most.to_string() } else { "…".to_owned() };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} to {most} | {} | {} | {} |",
            feature.name,
            feature.group,
            feature.unit.as_str(),
            feature.least,
            feature.known.as_str(),
            feature.undefined,
            feature.meaning
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_catalogue_is_the_catalogue() {
        let docs = include_str!("../../../../docs/features.md");
        assert!(docs.contains(&table()), "docs/features.md lacks the output of `analytics features catalog`");
    }

    #[test]
    fn a_split_is_a_share_or_a_time() {
        assert!(matches!(split("0.7"), Ok(Split::Share(share)) if (share - 0.7).abs() < 1e-12));
        assert!(matches!(split("2026-03-02"), Ok(Split::At(_))));
        assert!(split("1").is_err() && split("soon").is_err());
    }
}
