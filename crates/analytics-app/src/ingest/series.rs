//! Reading a series of values from CSV, row by row: columns `timestamp` and `value`, in any place, others beside them.

use std::io::{self, BufRead};

use chrono::{DateTime, NaiveDateTime, Utc};

/// Rows of one series, in the order of the file. It holds one line at a time, so the length of a file costs no memory.
#[derive(Debug)]
pub struct SeriesReader<R> {
    input: R,
    line: u64,
    timestamp: usize,
    value: usize,
    text: Vec<u8>,
}

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesRow {
    /// Its line in the file, from 1.
    pub line: u64,
    /// Its time as it is written.
    pub timestamp: String,
    /// Its time.
    pub at: DateTime<Utc>,
    /// Its value as it is written.
    pub written: String,
    /// Its value, a finite number.
    pub value: f64,
}

/// Why a series cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum SeriesError {
    /// The file has no line at all.
    #[error("the file is empty; its first line must name the columns timestamp and value")]
    Empty,
    /// The first line does not name a column.
    #[error("line 1 names no column {0}; it must name timestamp and value, separated by commas")]
    NoColumn(&'static str),
    /// A line has too few fields.
    #[error("line {line}: {fields} fields, too few for timestamp and value")]
    TooFewFields {
        /// The line.
        line: u64,
        /// Its fields.
        fields: usize,
    },
    /// A time cannot be read.
    #[error("line {line}: {text:?} is no time such as 2026-03-02 13:05:00")]
    BadTime {
        /// The line.
        line: u64,
        /// What stands there.
        text: String,
    },
    /// A value is no finite number.
    #[error("line {line}: {text:?} is no finite number")]
    BadValue {
        /// The line.
        line: u64,
        /// What stands there.
        text: String,
    },
    /// A line has no end within reason.
    #[error("line {line}: longer than {MAX_LINE} bytes")]
    TooLong {
        /// The line.
        line: u64,
    },
    /// The input cannot be read.
    #[error("cannot read the series")]
    Read(#[from] io::Error),
}

impl<R: BufRead> SeriesReader<R> {
    /// A reader that has read the names of the columns.
    ///
    /// # Errors
    /// [`SeriesError`] when the input is empty, its first line does not name the columns, or it cannot be read.
    pub fn new(input: R) -> Result<Self, SeriesError> {
        let mut reader = Self { input, line: 0, timestamp: 0, value: 0, text: Vec::new() };
        let Some(header) = reader.next_line()? else { return Err(SeriesError::Empty) };
        let header = header.trim_start_matches('\u{feff}').to_owned();
        let place = |name| header.split(',').position(|column| unquoted(column) == name);
        reader.timestamp = place("timestamp").ok_or(SeriesError::NoColumn("timestamp"))?;
        reader.value = place("value").ok_or(SeriesError::NoColumn("value"))?;
        Ok(reader)
    }

    /// The next line that is not blank, without its end.
    fn next_line(&mut self) -> Result<Option<String>, SeriesError> {
        loop {
            self.text.clear();
            let mut bounded = io::Read::take(&mut self.input, MAX_LINE as u64 + 1);
            let read = bounded.read_until(b'\n', &mut self.text)?;
            self.line += 1;
            if read > MAX_LINE {
                return Err(SeriesError::TooLong { line: self.line });
            }
            if read == 0 {
                return Ok(None);
            }
            let text = String::from_utf8_lossy(&self.text);
            let text = text.trim_end_matches(['\n', '\r']);
            if !text.trim().is_empty() {
                return Ok(Some(text.to_owned()));
            }
        }
    }

    fn next_row(&mut self) -> Result<Option<SeriesRow>, SeriesError> {
        let Some(text) = self.next_line()? else { return Ok(None) };
        let line = self.line;
        let fields: Vec<&str> = text.split(',').map(unquoted).collect();
        let (Some(&timestamp), Some(&written)) = (fields.get(self.timestamp), fields.get(self.value)) else {
            return Err(SeriesError::TooFewFields { line, fields: fields.len() });
        };
        let Some(at) = time(timestamp) else {
            return Err(SeriesError::BadTime { line, text: timestamp.to_owned() });
        };
        let value = written.parse().ok().filter(|value: &f64| value.is_finite());
        let Some(value) = value else {
            return Err(SeriesError::BadValue { line, text: written.to_owned() });
        };
        Ok(Some(SeriesRow { line, timestamp: timestamp.to_owned(), at, written: written.to_owned(), value }))
    }
}

impl<R: BufRead> Iterator for SeriesReader<R> {
    type Item = Result<SeriesRow, SeriesError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_row().transpose()
    }
}

/// A time with or without an offset, UTC without one, or whole seconds since 1970; `None` for anything else.
pub fn time(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(seconds) = text.parse::<i64>() {
        return DateTime::from_timestamp(seconds, 0);
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    let plain = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M"];
    plain.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok()).map(|at| at.and_utc())
}

fn unquoted(field: &str) -> &str {
    let field = field.trim();
    field.strip_prefix('"').and_then(|field| field.strip_suffix('"')).unwrap_or(field)
}

/// No row of two columns is longer.
const MAX_LINE: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Result<Vec<(u64, i64, f64)>, String> {
        let rows = SeriesReader::new(text.as_bytes()).map_err(|error| error.to_string())?;
        rows.map(|row| row.map(|row| (row.line, row.at.timestamp(), row.value)))
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())
    }

    #[test]
    fn columns_are_found_by_name_and_blank_lines_are_passed_over() {
        let text =
            "\u{feff}host,\"value\",timestamp\r\na,1.5,1970-01-01 00:00:01\r\n\r\nb,-2,1970-01-01T00:00:02Z";
        assert_eq!(rows(text), Ok(vec![(2, 1, 1.5), (4, 2, -2.0)]));
        assert_eq!(rows("timestamp,value\n"), Ok(vec![]));
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_line() {
        let told = |text: &str| rows(text).unwrap_err();
        assert!(told("").starts_with("the file is empty"));
        assert!(told("time,value\n").starts_with("line 1 names no column timestamp"));
        assert!(told("timestamp,count\n").starts_with("line 1 names no column value"));
        assert_eq!(
            told("timestamp,value\n2026-01-01 00:00:00\n"),
            "line 2: 1 fields, too few for timestamp and value"
        );
        assert!(
            told("timestamp,value\n2026-13-01 00:00:00,1\n")
                .starts_with("line 2: \"2026-13-01 00:00:00\" is no")
        );
        for wrong in ["", "x", "NaN", "inf", "1e999"] {
            let text = format!("timestamp,value\n0,1\n1,{wrong}\n");
            assert_eq!(told(&text), format!("line 3: {wrong:?} is no finite number"));
        }
        let long = format!("timestamp,value\n0,{}", "1".repeat(70_000));
        assert_eq!(told(&long), "line 2: longer than 65536 bytes");
    }

    #[test]
    fn times_may_have_an_offset_a_fraction_or_be_seconds() {
        let seconds = |text| time(text).map(|at| at.timestamp());
        assert_eq!(
            ["1970-01-01T02:00:05+02:00", "1970-01-01 00:00:05.75", "5", "1970-01-01 00:00"].map(seconds),
            [Some(5), Some(5), Some(5), Some(0)]
        );
        assert_eq!(["yesterday", "1970-02-30 00:00:00", ""].map(seconds), [None; 3]);
    }
}
