//! `analytics anomaly score`: a series in, the same series with a score for every value out.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use analytics_domain::anomaly::{Baseline, BaselinePolicy, SeriesKind};
use anyhow::{Context, anyhow};
use clap::ValueEnum;

use super::CliError;
use crate::ingest::series::{SeriesError, SeriesReader};

/// The options of `analytics anomaly score`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ScoreArgs {
    /// Series to score, as CSV with columns `timestamp` and `value`; `-` is standard input
    #[arg(value_name = "FILE.csv")]
    files: Vec<PathBuf>,
    /// Writes each result into this folder, under the name of its series; needed for more than one
    #[arg(long, value_name = "DIR")]
    out_dir: Option<PathBuf>,
    /// What the values are: gauge for rates, latencies, costs and the like; count for numbers of events
    #[arg(long, value_enum, default_value_t)]
    kind: Kind,
}

/// What the values of a series are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Kind {
    /// Anything that is measured
    #[default]
    Gauge,
    /// Numbers of events
    Count,
}

pub(super) fn run(args: &ScoreArgs, out: &mut dyn Write, errors: &mut dyn Write) -> Result<(), CliError> {
    let usage = |problem: &str| Err(CliError::Usage(anyhow!("{problem}")));
    let kind = match args.kind {
        Kind::Gauge => SeriesKind::Gauge,
        Kind::Count => SeriesKind::Count,
    };
    if args.files.is_empty() {
        return usage("no series was named; give one or more CSV files, or - for standard input");
    }
    let Some(folder) = &args.out_dir else {
        let [file] = args.files.as_slice() else {
            return usage("more than one series was named; say with --out-dir where the results go");
        };
        return score_file(kind, file, out, errors);
    };
    let mut names: BTreeSet<OsString> = BTreeSet::new();
    for file in &args.files {
        let Some(name) = file.file_name().filter(|_| file.as_os_str() != "-") else {
            return usage("with --out-dir every series must be a file");
        };
        if !names.insert(name.to_owned()) {
            return usage(&format!("two series are named {}", name.display()));
        }
    }
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make {}", folder.display()))
        .map_err(CliError::Failed)?;
    for file in &args.files {
        let result = folder.join(file.file_name().unwrap_or_default());
        let same = |a: &Path, b: &Path| {
            a.canonicalize().ok().zip(b.canonicalize().ok()).is_some_and(|(a, b)| a == b)
        };
        if same(file, &result) {
            return usage(&format!("{} would be written over itself", file.display()));
        }
        let created = File::create(&result).with_context(|| format!("cannot write {}", result.display()));
        let mut out = BufWriter::new(created.map_err(CliError::Failed)?);
        score_file(kind, file, &mut out, errors)?;
        out.flush().map_err(CliError::failed)?;
    }
    Ok(())
}

fn score_file(
    kind: SeriesKind,
    file: &Path,
    out: &mut dyn Write,
    errors: &mut dyn Write,
) -> Result<(), CliError> {
    let standard_input = file.as_os_str() == "-";
    let name = if standard_input { "standard input".to_owned() } else { file.display().to_string() };
    let input: Box<dyn BufRead> = if standard_input {
        Box::new(BufReader::new(io::stdin()))
    } else {
        let opened = File::open(file).with_context(|| format!("cannot read {name}"));
        Box::new(BufReader::with_capacity(1 << 16, opened.map_err(CliError::Failed)?))
    };
    let scored = score(kind, input, out).map_err(|error| match error {
        ScoreError::Write(error) => CliError::failed(error),
        ScoreError::Series(_) | ScoreError::Value { .. } => {
            CliError::Failed(anyhow::Error::new(error).context(name.clone()))
        }
    })?;
    if scored.late > 0 {
        let rows = if scored.late == 1 { "row is" } else { "rows are" };
        // Where standard error is closed there is nobody left to tell.
        let _ = writeln!(
            errors,
            "analytics: {name}: {} {rows} earlier than the row before and taken as of its time",
            scored.late
        );
    }
    Ok(())
}

/// What was scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Scored {
    /// Rows.
    rows: u64,
    /// Rows whose time was before that of an earlier row.
    late: u64,
}

/// Why a series was not scored to its end.
#[derive(Debug, thiserror::Error)]
enum ScoreError {
    #[error(transparent)]
    Series(#[from] SeriesError),
    #[error("line {line}")]
    Value { line: u64, source: analytics_domain::anomaly::RefusedValue },
    #[error("cannot write the scores")]
    Write(#[from] io::Error),
}

/// Scores a series row by row: no row is held longer than it takes, and none waits for a later one.
fn score(kind: SeriesKind, input: impl BufRead, out: &mut dyn Write) -> Result<Scored, ScoreError> {
    let reader = SeriesReader::new(input)?;
    let (policy, mut baseline) = (BaselinePolicy::default(), Baseline::new(kind));
    let (mut scored, mut newest) = (Scored::default(), None);
    out.write_all(b"timestamp,value,anomaly_score\n")?;
    for row in reader {
        let row = row?;
        let now = newest.map_or(row.at, |newest: chrono::DateTime<chrono::Utc>| newest.max(row.at));
        scored.late += u64::from(now > row.at);
        newest = Some(now);
        let reading = baseline
            .observe(&policy, row.value, now)
            .map_err(|source| ScoreError::Value { line: row.line, source })?;
        writeln!(out, "{},{},{}", row.timestamp, row.written, reading.score.get())?;
        scored.rows += 1;
    }
    Ok(scored)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn scored(text: &str) -> (Scored, Vec<String>) {
        let mut out = Vec::new();
        let scored = score(SeriesKind::Gauge, text.as_bytes(), &mut out).unwrap();
        (scored, String::from_utf8(out).unwrap().lines().map(String::from).collect())
    }

    #[test]
    fn every_row_is_answered_as_it_was_written_with_its_score() {
        let (scored, lines) = scored("timestamp,value\n2026-01-01 00:00:00,1.50\n");
        assert_eq!(lines, ["timestamp,value,anomaly_score", "2026-01-01 00:00:00,1.50,0"]);
        assert_eq!(scored, Scored { rows: 1, late: 0 });
    }

    #[test]
    fn rows_that_come_late_or_twice_are_scored_and_late_ones_counted() {
        let (scored, lines) = scored("timestamp,value\n100,1\n100,1\n50,1\n99,1\n101,1\n");
        assert_eq!((scored, lines.len()), (Scored { rows: 5, late: 2 }, 6));
    }

    #[test]
    fn a_spike_after_a_quiet_day_stands_out() {
        let rows: Vec<String> =
            (0..1_440).map(|minute| format!("{},{}", minute * 60, 100 + minute * 7 % 13)).collect();
        let (_, lines) = scored(&format!("timestamp,value\n{}\n86400,500\n", rows.join("\n")));
        let score = |line: &str| line.rsplit(',').next().unwrap().parse::<f64>().unwrap();
        assert!(score(&lines[1_441]) > 0.9, "{}", lines[1_441]);
        assert!(lines[700..1_441].iter().all(|line| score(line) < 0.5));
    }

    #[test]
    fn rows_are_answered_while_the_series_is_read() {
        let answered = Cell::new(0);
        let rows = Rows { given: 0, answered: &answered, farthest: 0 };
        let mut input = BufReader::with_capacity(1 << 10, rows);
        let scored = score(SeriesKind::Gauge, &mut input, &mut Lines(&answered)).unwrap();
        assert_eq!(scored, Scored { rows: 20_000, late: 0 });
        let farthest = input.into_inner().farthest;
        assert!(farthest < 200, "{farthest} rows were read and not yet answered");
    }

    /// A series of 20,000 rows, which notes how far its reader is ahead of the answers.
    struct Rows<'a> {
        given: u64,
        answered: &'a Cell<u64>,
        farthest: u64,
    }

    impl io::Read for Rows<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.farthest = self.farthest.max(self.given.saturating_sub(self.answered.get()));
            let row = match self.given {
                0 => "timestamp,value\n".to_owned(),
                1..=20_000 => format!("{},{}\n", self.given * 60, self.given % 7),
                _ => return Ok(0),
            };
            self.given += 1;
            buffer[..row.len()].copy_from_slice(row.as_bytes());
            Ok(row.len())
        }
    }

    /// Counts the lines that are written.
    struct Lines<'a>(&'a Cell<u64>);

    impl Write for Lines<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let lines = memchr::memchr_iter(b'\n', bytes).count();
            self.0.set(self.0.get() + lines as u64);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_gap_of_a_year_is_no_news_and_changes_no_row_before_it() {
        let rows: Vec<String> = (0..300).map(|row| format!("{},{}\n", row * 300, row % 9)).collect();
        let day = rows.concat();
        let (_, alone) = scored(&format!("timestamp,value\n{day}"));
        let (_, gapped) = scored(&format!("timestamp,value\n{day}31622400,4\n"));
        assert_eq!((gapped.len(), &gapped[..301]), (302, &alone[..]));
        assert_eq!(gapped[301], "31622400,4,0");
    }

    #[test]
    fn a_value_that_is_too_large_is_told_with_its_line() {
        let error = score(SeriesKind::Gauge, "timestamp,value\n1,1\n2,1e301\n".as_bytes(), &mut Vec::new());
        assert_eq!(error.unwrap_err().to_string(), "line 3");
        let error = score(SeriesKind::Count, "timestamp,value\n1,-1\n".as_bytes(), &mut Vec::new());
        assert_eq!(error.unwrap_err().to_string(), "line 2");
    }
}
