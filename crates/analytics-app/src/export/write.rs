//! Bringing an export to files, whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::columns::columns;
use super::{Export, ExportOptions, text};

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Parquet, where this program is built with it.
    Parquet,
    /// Comma-separated values with a head line.
    Csv,
    /// One JSON object a line.
    JsonLines,
}

/// The ending of a file names no form that can be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownFormat {
    /// It is none of the three.
    #[error("{0}: an export ends with .parquet, .csv or .jsonl")]
    Ending(PathBuf),
    /// It is Parquet, and this program was built without.
    #[error(
        "this program was built without Parquet; build it with `--features parquet`, or write .csv or .jsonl"
    )]
    WithoutParquet,
}

/// Why an export was not written. Nothing is left of it.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Format {
    /// The form that the ending of a file names.
    ///
    /// # Errors
    /// [`UnknownFormat`] for other endings, and for Parquet where this program is built without.
    pub fn of(path: &Path) -> Result<Self, UnknownFormat> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("parquet") if cfg!(feature = "parquet") => Ok(Self::Parquet),
            Some("parquet") => Err(UnknownFormat::WithoutParquet),
            Some("csv") => Ok(Self::Csv),
            Some("jsonl") => Ok(Self::JsonLines),
            Some(_) | None => Err(UnknownFormat::Ending(path.to_owned())),
        }
    }
}

/// Writes the rows to this file, and beside it the card as JSON and as Markdown, and the scaler where there is one. Answers
/// the files.
///
/// Each is written under another name and renamed once all are there, so that a reader never sees a part of one.
///
/// # Errors
/// [`ExportError`] when a file cannot be written; then none of the new files is there.
pub fn write(
    options: &ExportOptions,
    export: &Export,
    format: Format,
    path: &Path,
) -> Result<Vec<PathBuf>, ExportError> {
    let mut files = Files::default();
    let done = fill(options, export, format, path, &mut files).and_then(|()| files.rename());
    if done.is_err() {
        files.forget();
    }
    done.map(|()| files.all.into_iter().map(|(_, path)| path).collect())
}

fn fill(
    options: &ExportOptions,
    export: &Export,
    format: Format,
    path: &Path,
    files: &mut Files,
) -> Result<(), ExportError> {
    let columns = columns(options, export.scaler.is_some());
    files.write(beside(path, "card.json"), |out| {
        serde_json::to_writer_pretty(&mut *out, &export.card)?;
        out.write_all(b"\n")
    })?;
    files.write(beside(path, "card.md"), |out| out.write_all(export.card.markdown().as_bytes()))?;
    if let Some(scaler) = &export.scaler {
        files.write(beside(path, "scaler.json"), |out| {
            serde_json::to_writer_pretty(&mut *out, scaler)?;
            out.write_all(b"\n")
        })?;
    }
    files.write(path.to_owned(), |out| match format {
        Format::Csv => text::csv(&columns, &export.rows, out),
        Format::JsonLines => text::json_lines(&columns, &export.rows, out),
        Format::Parquet => parquet(&columns, export, out),
    })
}

#[cfg(feature = "parquet")]
fn parquet(columns: &[super::columns::Column], export: &Export, out: &mut BufWriter<File>) -> io::Result<()> {
    let card = &export.card;
    let metadata = [
        ("analytics.catalogue", card.catalogue.to_string()),
        ("analytics.rulesets", card.ruleset_versions.iter().cloned().collect::<Vec<_>>().join(",")),
        ("analytics.normalisation", card.normalisation.to_owned()),
    ];
    super::parquet::write(columns, &export.rows, &metadata, out).map_err(io::Error::other)
}

#[cfg(not(feature = "parquet"))]
fn parquet(_: &[super::columns::Column], _: &Export, _: &mut BufWriter<File>) -> io::Result<()> {
    Err(io::Error::other(UnknownFormat::WithoutParquet))
}

/// Files that are written under another name, each with its own.
#[derive(Default)]
struct Files {
    all: Vec<(PathBuf, PathBuf)>,
    /// How many of them have their own name already.
    renamed: usize,
}

impl Files {
    fn write(
        &mut self,
        path: PathBuf,
        fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), ExportError> {
        let part = beside(&path, "part");
        self.all.push((part.clone(), path.clone()));
        let written = File::create(&part).map(BufWriter::new).and_then(|mut out| {
            fill(&mut out)?;
            out.flush()?;
            out.get_ref().sync_all()
        });
        written.map_err(|source| ExportError::Write { path, source })
    }

    /// The data come last: where they are, everything beside them is.
    fn rename(&mut self) -> Result<(), ExportError> {
        for (part, path) in &self.all {
            fs::rename(part, path).map_err(|source| ExportError::Write { path: path.clone(), source })?;
            self.renamed += 1;
        }
        Ok(())
    }

    fn forget(&self) {
        for (at, (part, path)) in self.all.iter().enumerate() {
            // What cannot be removed is not worth a second error.
            let _ = fs::remove_file(if at < self.renamed { path } else { part });
        }
    }
}

/// The file of this name and one more ending.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}
