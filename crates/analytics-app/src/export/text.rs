//! CSV and JSON lines.

use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};

use super::Row;
use super::columns::{Column, Value};

/// Writes rows as CSV with a head line; a missing value is an empty field.
pub(super) fn csv(columns: &[Column], rows: &[Row], out: &mut dyn Write) -> io::Result<()> {
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    writeln!(out, "{}", names.join(","))?;
    for row in rows {
        for (at, column) in columns.iter().enumerate() {
            if at > 0 {
                out.write_all(b",")?;
            }
            match column.value(row) {
                Value::Missing => {}
                Value::Text(text) if text.contains([',', '"', '\n', '\r']) => {
                    write!(out, "\"{}\"", text.replace('"', "\"\""))?;
                }
                Value::Text(text) => out.write_all(text.as_bytes())?,
                Value::Flag(flag) => write!(out, "{flag}")?,
                Value::Whole(number) => write!(out, "{number}")?,
                Value::Real(number) => write!(out, "{number}")?,
                Value::Time(us) => out.write_all(time(us).as_bytes())?,
            }
        }
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Writes rows as one JSON object a line; a missing value is null.
pub(super) fn json_lines(columns: &[Column], rows: &[Row], out: &mut dyn Write) -> io::Result<()> {
    for row in rows {
        for (at, column) in columns.iter().enumerate() {
            out.write_all(if at > 0 { b"," } else { b"{" })?;
            write!(out, "\"{}\":", column.name)?;
            match column.value(row) {
                Value::Missing => out.write_all(b"null")?,
                Value::Text(text) => serde_json::to_writer(&mut *out, &text)?,
                Value::Flag(flag) => write!(out, "{flag}")?,
                Value::Whole(number) => write!(out, "{number}")?,
                Value::Real(number) => serde_json::to_writer(&mut *out, &number)?,
                Value::Time(us) => write!(out, "\"{}\"", time(us))?,
            }
        }
        out.write_all(b"}\n")?;
    }
    Ok(())
}

fn time(us: i64) -> String {
    let at = DateTime::<Utc>::from_timestamp_micros(us).unwrap_or_default();
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}
