//! The report of a replay, for people.

use std::fmt::Write as _;

use super::report::Report;

/// The report as text.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{report:#?}");
    out
}
