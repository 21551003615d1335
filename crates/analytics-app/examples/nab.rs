//! How the baseline stands on the Numenta Anomaly Benchmark, beside a windowed Gaussian, chance and nothing.
//!
//! ```text
//! cargo run --release -p analytics-app --example nab -- NAB/data NAB/labels/combined_windows.json
//! ```
//!
//! The directory holds folders of series as CSV; the file of windows names each series by folder and file. Only series
//! that are in the directory are scored. The threshold is tuned once over all of them, for each profile, as the
//! benchmark does; `held out` is tuned without the folder it is for, which says how far the threshold carries.

#[path = "nab/detectors.rs"]
mod detectors;
#[path = "nab/scorer.rs"]
mod scorer;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use analytics_app::ingest::series::{SeriesReader, time};
use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Parser;

use detectors::Detector;
use scorer::{Profile, Scored};

/// Scores detectors by the Numenta Anomaly Benchmark.
#[derive(Parser)]
struct Args {
    /// Folders of series
    data: PathBuf,
    /// Labelled windows, as JSON
    windows: PathBuf,
    /// Also prints what each series earns and where the baseline detects
    #[arg(long)]
    detail: bool,
}

/// One series with its windows as first and last rows.
struct Series {
    folder: String,
    file: String,
    values: Vec<(DateTime<Utc>, f64)>,
    windows: Vec<(usize, usize)>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let corpus = read(&args.data, &args.windows)?;
    let mut out = std::io::stdout().lock();
    let windows: usize = corpus.iter().map(|series| series.windows.len()).sum();
    writeln!(out, "{} series with {windows} windows", corpus.len())?;
    for detector in Detector::ALL {
        let scores: Vec<Vec<f64>> =
            (0..).zip(&corpus).map(|(number, series)| detector.scores(&series.values, number)).collect();
        for profile in Profile::ALL {
            report(&mut out, detector, profile, &corpus, &scores)?;
            if args.detail && detector == Detector::Baseline && profile == Profile::ALL[0] {
                detail(&mut out, profile, &corpus, &scores)?;
            }
        }
    }
    Ok(())
}

fn report(
    out: &mut dyn Write,
    detector: Detector,
    profile: Profile,
    corpus: &[Series],
    scores: &[Vec<f64>],
) -> anyhow::Result<()> {
    let judged = judged(profile, corpus, scores);
    let threshold = profile.tuned(&judged.iter().collect::<Vec<_>>());
    let mut folders: BTreeMap<&str, (f64, f64, usize)> = BTreeMap::new();
    for (series, rows) in corpus.iter().zip(&judged) {
        let entry = folders.entry(&series.folder).or_default();
        entry.0 += profile.raw(rows, threshold);
        entry.2 += series.windows.len();
    }
    for (folder, entry) in &mut folders {
        let others = corpus.iter().zip(&judged).filter(|(series, _)| series.folder != *folder);
        let without = profile.tuned(&others.map(|(_, rows)| rows).collect::<Vec<_>>());
        let own = corpus.iter().zip(&judged).filter(|(series, _)| series.folder == *folder);
        entry.1 = own.map(|(_, rows)| profile.raw(rows, without)).sum();
    }
    let sum = folders
        .values()
        .fold((0.0, 0.0, 0), |sum, entry| (sum.0 + entry.0, sum.1 + entry.1, sum.2 + entry.2));
    writeln!(out, "\n{}, {} (threshold {threshold:.4})", detector.name(), profile.name)?;
    writeln!(out, "  {:<24}{:>8}{:>10}{:>8}{:>10}", "folder", "windows", "raw", "score", "held out")?;
    for (folder, (raw, held, windows)) in
        folders.iter().map(|(name, sums)| (*name, *sums)).chain([("all", sum)])
    {
        let shown =
            |raw| profile.normalised(raw, windows).map_or("–".to_owned(), |score| format!("{score:.1}"));
        writeln!(out, "  {folder:<24}{windows:>8}{raw:>10.2}{:>8}{:>10}", shown(raw), shown(held))?;
    }
    Ok(())
}

fn detail(
    out: &mut dyn Write,
    profile: Profile,
    corpus: &[Series],
    scores: &[Vec<f64>],
) -> anyhow::Result<()> {
    let judged = judged(profile, corpus, scores);
    let threshold = profile.tuned(&judged.iter().collect::<Vec<_>>());
    for ((series, rows), scores) in corpus.iter().zip(&judged).zip(scores) {
        let (earned, most) = (profile.raw(rows, threshold), series.windows.len());
        let probation = (scores.len() * 15 / 100).min(750);
        let detected = (probation..scores.len()).filter(|&row| scores[row] >= threshold);
        let detected: Vec<String> = detected.take(20).map(|row| row.to_string()).collect();
        let windows = &series.windows;
        let (folder, file) = (&series.folder, &series.file);
        writeln!(out, "  {earned:>6.2} of {most} {folder}/{file} {windows:?}: {}", detected.join(" "))?;
    }
    Ok(())
}

fn judged(profile: Profile, corpus: &[Series], scores: &[Vec<f64>]) -> Vec<Scored> {
    corpus.iter().zip(scores).map(|(series, scores)| profile.scored(scores, &series.windows)).collect()
}

fn read(data: &Path, windows: &Path) -> anyhow::Result<Vec<Series>> {
    let file = File::open(windows).with_context(|| format!("cannot read {}", windows.display()))?;
    let labels: BTreeMap<String, Vec<[String; 2]>> = serde_json::from_reader(BufReader::new(file))
        .with_context(|| format!("{} is no file of windows", windows.display()))?;
    let mut corpus = Vec::new();
    for (name, windows) in labels {
        let path = data.join(&name);
        if !path.exists() {
            continue;
        }
        let (folder, file) = name.split_once('/').with_context(|| format!("{name} names no folder"))?;
        let values = values(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut series =
            Series { folder: folder.to_owned(), file: file.to_owned(), values, windows: Vec::new() };
        for ends in windows {
            let [Some(from), Some(to)] = ends.each_ref().map(|end| time(end)) else {
                anyhow::bail!("{name}: {ends:?} is no window");
            };
            let first = series.values.iter().position(|(at, _)| *at >= from);
            let last = series.values.iter().rposition(|(at, _)| *at <= to);
            let Some((first, last)) = first.zip(last).filter(|(first, last)| first <= last) else {
                anyhow::bail!("{name}: the window {ends:?} holds no value");
            };
            series.windows.push((first, last));
        }
        series.windows.sort_unstable();
        corpus.push(series);
    }
    anyhow::ensure!(!corpus.is_empty(), "no labelled series is in {}", data.display());
    Ok(corpus)
}

fn values(path: &Path) -> anyhow::Result<Vec<(DateTime<Utc>, f64)>> {
    let rows = SeriesReader::new(BufReader::new(File::open(path)?))?;
    rows.map(|row| row.map(|row| (row.at, row.value))).collect::<Result<_, _>>().map_err(Into::into)
}
