//! Reading labels of sessions from CSV: columns `session_id` and `label`, and `source` and `confidence` if wanted, in any
//! place, others beside them.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, Read};

use analytics_domain::ids::SessionId;
use analytics_domain::label::{LabelClass, LabelSource};
use analytics_domain::session::Points;

use crate::services::NewLabel;

/// Why labels cannot be read. Where rows are wrong, none of the file is for use.
#[derive(Debug, thiserror::Error)]
pub enum LabelsError {
    /// The file has no line at all.
    #[error("the file is empty; its first line must name the columns session_id and label")]
    Empty,
    /// The first line does not name a column.
    #[error("line 1 names no column {0}; it must name session_id and label, separated by commas")]
    NoColumn(&'static str),
    /// Rows are wrong.
    #[error("{0}")]
    Rows(BadRows),
    /// There are more than a million rows.
    #[error("the file has more than {MOST_ROWS} rows; import it in parts")]
    TooMany,
    /// The input cannot be read.
    #[error("it cannot be read")]
    Read(#[from] io::Error),
}

/// Rows that are wrong: how many, and the first of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BadRows {
    /// How many.
    pub count: u64,
    /// The first 20, each with its line and what is wrong.
    pub first: Vec<(u64, String)>,
}

impl BadRows {
    fn add(&mut self, line: u64, problem: String) {
        self.count += 1;
        if self.first.len() < MOST_SHOWN {
            self.first.push((line, problem));
        }
    }
}

impl fmt::Display for BadRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows are wrong, and nothing was written", self.count)?;
        for (line, problem) in &self.first {
            write!(f, "\n  line {line}: {problem}")?;
        }
        let more = self.count - self.first.len() as u64;
        if more > 0 { write!(f, "\n  … and {more} more") } else { Ok(()) }
    }
}

/// All labels of a file, in its order. Without a column `source` they are of the source `import`, without `confidence`
/// they are certain.
///
/// # Errors
/// [`LabelsError`]; a row is wrong when it lacks a field, when a field cannot be read, and when it contradicts an earlier
/// one of the same session and source.
pub fn read_labels(mut input: impl BufRead) -> Result<Vec<NewLabel>, LabelsError> {
    let mut text = Vec::new();
    if !next_line(&mut input, &mut text)? {
        return Err(LabelsError::Empty);
    }
    let header = String::from_utf8_lossy(&text);
    let names: Vec<&str> = header.trim_start_matches('\u{feff}').split(',').map(field).collect();
    let place = |name: &str| names.iter().position(|column| *column == name);
    let columns = Columns {
        session: place("session_id").ok_or(LabelsError::NoColumn("session_id"))?,
        label: place("label").ok_or(LabelsError::NoColumn("label"))?,
        source: place("source"),
        confidence: place("confidence"),
    };
    let (mut labels, mut bad, mut line) = (Vec::new(), BadRows::default(), 1);
    let mut said = BTreeMap::new();
    while next_line(&mut input, &mut text)? {
        line += 1;
        if text.is_empty() {
            continue;
        }
        let read = columns.read(&text).and_then(|label| {
            let (class, at) = *said.entry((label.session, label.source)).or_insert((label.class, line));
            if class == label.class {
                Ok(label)
            } else {
                Err(format!("session {} is {class} by line {at}, from the same source", label.session))
            }
        });
        match read {
            Ok(_) if labels.len() == MOST_ROWS => return Err(LabelsError::TooMany),
            Ok(label) => labels.push(label),
            Err(problem) => bad.add(line, problem),
        }
    }
    if bad.count > 0 { Err(LabelsError::Rows(bad)) } else { Ok(labels) }
}

/// Where the columns stand.
struct Columns {
    session: usize,
    label: usize,
    source: Option<usize>,
    confidence: Option<usize>,
}

impl Columns {
    fn read(&self, text: &[u8]) -> Result<NewLabel, String> {
        if text.len() > MOST_BYTES {
            return Err(format!("it is longer than {MOST_BYTES} bytes"));
        }
        let text = str::from_utf8(text).map_err(|_| "it is no UTF-8".to_owned())?;
        let fields: Vec<&str> = text.split(',').map(field).collect();
        let of = |at: usize, name: &str| {
            let found = fields.get(at).copied().filter(|text| !text.is_empty());
            found.ok_or_else(|| format!("it has no {name}"))
        };
        let session = of(self.session, "session_id")?;
        let class = of(self.label, "label")?;
        let source = self.source.and_then(|at| fields.get(at).copied()).filter(|text| !text.is_empty());
        let confidence =
            self.confidence.and_then(|at| fields.get(at).copied()).filter(|text| !text.is_empty());
        Ok(NewLabel {
            session: session
                .parse::<SessionId>()
                .map_err(|error| format!("session_id {session:?}: {error}"))?,
            class: class
                .parse::<LabelClass>()
                .map_err(|_| format!("label {class:?} is neither human nor bot"))?,
            source: source.map_or(Ok(LabelSource::Import), |text| {
                text.parse().map_err(|_| {
                    format!("source {text:?} is none of manual, honeypot, challenge, import and heuristic")
                })
            })?,
            confidence: confidence.unwrap_or("100").parse::<Points>().map_err(|_| {
                format!("confidence {:?} is no number from 0 to 100", confidence.unwrap_or_default())
            })?,
        })
    }
}

/// The field without spaces and quotes around it. No column of labels has commas in it.
fn field(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

/// Reads a line without its end; whether there was one. Of a line without end within reason only the beginning is kept.
fn next_line(input: &mut impl BufRead, text: &mut Vec<u8>) -> io::Result<bool> {
    text.clear();
    let read = input.by_ref().take(MOST_BYTES as u64 + 2).read_until(b'\n', text)?;
    if read == MOST_BYTES + 2 && text.last() != Some(&b'\n') {
        input.skip_until(b'\n')?;
    }
    while let Some(b'\n' | b'\r') = text.last() {
        text.pop();
    }
    Ok(read > 0)
}

const MOST_ROWS: usize = 1_000_000;
const MOST_BYTES: usize = 1_024;
const MOST_SHOWN: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_anywhere_and_the_last_two_may_be_left_out() {
        let text = format!(
            "\u{feff}note,label,confidence,session_id,source\r\nx,human,62.5,{ONE},manual\r\n\n,\"bot\",,{TWO},\n"
        );
        let expected = [
            label(1, LabelClass::Human, LabelSource::Manual, 62.5),
            label(2, LabelClass::Bot, LabelSource::Import, 100.0),
        ];
        assert_eq!(read_labels(text.as_bytes()).unwrap(), expected);
        let short = format!("session_id,label\n{ONE},bot");
        assert_eq!(
            read_labels(short.as_bytes()).unwrap(),
            [label(1, LabelClass::Bot, LabelSource::Import, 100.0)]
        );
    }

    #[test]
    fn a_file_without_its_columns_is_told() {
        for (text, told) in [
            ("", "the file is empty"),
            ("session,label\n", "line 1 names no column session_id"),
            ("session_id;label\n", "line 1 names no column session_id"),
            ("session_id,class\n", "line 1 names no column label"),
        ] {
            let error = read_labels(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(told), "{error}");
        }
    }

    #[test]
    fn every_bad_row_is_counted_and_the_first_are_told_with_their_lines() {
        let rows = [
            format!("{ONE},human,,"),
            format!("{ONE},bot,,"),
            format!("{ONE},bot,manual,"),
            "xyz,bot,,".to_owned(),
            format!("{TWO},robot,,"),
            format!("{TWO},bot,guess,"),
            format!("{TWO},bot,,100.5"),
            TWO.to_owned(),
            "x".repeat(2_000),
        ];
        let text = format!("session_id,label,source,confidence\n{}", rows.join("\n"));
        let LabelsError::Rows(bad) = read_labels(text.as_bytes()).unwrap_err() else {
            panic!("rows are bad")
        };
        let problem = |at: usize| bad.first[at].clone();
        assert_eq!(bad.count, 7);
        assert_eq!(problem(0), (3, format!("session {ONE} is human by line 2, from the same source")));
        let lines: Vec<u64> = bad.first.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [3, 5, 6, 7, 8, 9, 10]);
        assert_eq!(problem(6).1, "it is longer than 1024 bytes");
        let told = bad.to_string();
        assert!(told.starts_with("7 rows are wrong, and nothing was written\n  line 3: session"), "{told}");
        let many = format!("session_id,label\n{}", "x,bot\n".repeat(30));
        let told = read_labels(many.as_bytes()).unwrap_err().to_string();
        assert!(told.ends_with("\n  … and 10 more"), "{told}");
    }

    fn label(session: u128, class: LabelClass, source: LabelSource, confidence: f64) -> NewLabel {
        let confidence = Points::from_f64(confidence).unwrap();
        NewLabel { session: SessionId::from_u128(session), class, source, confidence }
    }

    const ONE: &str = "00000000000000000000000000000001";
    const TWO: &str = "00000000000000000000000000000002";
}
