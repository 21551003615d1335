//! The report of a replay, for people: at most 100 columns, the ten first rows of every table.

use std::fmt::Write as _;

use analytics_domain::detector::Class;
use chrono::{DateTime, Utc};

use super::report::{ClassSummary, InputSummary, NamedRow, Report};

/// The report as text. Control characters of names are shown escaped, so that a log cannot write to a terminal.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    head(&mut out, report);
    sides(&mut out, report);
    declared(&mut out, report);
    signals(&mut out, report);
    ranked(&mut out, "Pages, by views", &report.pages);
    ranked(&mut out, "Referring hosts, by sessions", &report.referrers);
    ranked(&mut out, "Channels, by sessions", &report.channels);
    ranked(&mut out, "Statuses, by requests", &report.statuses);
    ranked(&mut out, "Devices, by sessions", &report.devices);
    ranked(&mut out, "Browsers, by sessions", &report.browsers);
    ranked(&mut out, "Systems, by sessions", &report.systems);
    if let Some(countries) = &report.countries {
        ranked(&mut out, "Countries, by sessions", countries);
    }
    throttle(&mut out, report);
    anomalies(&mut out, report);
    bad_lines(&mut out, &report.input);
    bounds(&mut out, report);
    out
}

/// A number with a comma after each three digits, such as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A text on one line of at most `width` characters: control characters escaped, the end cut off with `…`.
pub fn fitted(text: &str, width: usize) -> String {
    let mut shown = String::new();
    let mut room = width;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let piece: String =
            if letter.is_control() { letter.escape_default().collect() } else { letter.to_string() };
        let length = piece.chars().count();
        let needed = length + usize::from(letters.peek().is_some());
        if needed > room {
            shown.push('…');
            break;
        }
        room -= length;
        shown.push_str(&piece);
    }
    shown
}

/// Rows under a line of headings: the first column to the left, the others to the right.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(headings: [&str; N]) -> Self {
        Self { rows: vec![headings.map(str::to_owned).into()] }
    }

    /// A table with headings of which the number is not known beforehand.
    pub(crate) fn of(headings: Vec<String>) -> Self {
        Self { rows: vec![headings] }
    }

    pub(crate) fn push(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// Writes the rows, aligned.
    pub(crate) fn write(&self, out: &mut String) {
        self.write_aligned(out, None);
    }

    /// Writes the rows with the last column to the left and cut so that no line passes `width`.
    pub(crate) fn write_last_left(&self, out: &mut String, width: usize) {
        self.write_aligned(out, Some(width));
    }

    fn write_aligned(&self, out: &mut String, limit: Option<usize>) {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|at| {
                self.rows
                    .iter()
                    .filter_map(|row| row.get(at))
                    .map(|cell| cell.chars().count())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        for row in &self.rows {
            let mut line = String::from(" ");
            for (at, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                let _ = if at == 0 {
                    write!(line, " {cell:<width$}")
                } else if let Some(limit) = limit.filter(|_| at + 1 == columns) {
                    write!(line, "  {}", fitted(cell, limit.saturating_sub(line.chars().count() + 2).max(8)))
                } else {
                    write!(line, "  {cell:>width$}")
                };
            }
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }
}

fn head(out: &mut String, report: &Report) {
    let input = &report.input;
    for log in &input.logs {
        let _ = writeln!(out, "{}: {} lines, {}", fitted(&log.name, 60), grouped(log.lines), log.format);
    }
    if let Some(period) = report.period {
        let _ = writeln!(
            out,
            "{} requests from {} to {} UTC, {} bad lines",
            grouped(input.requests),
            minute(period.from),
            minute(period.to),
            grouped(input.bad_lines),
        );
    } else {
        let _ = writeln!(out, "no request, {} bad lines", grouped(input.bad_lines));
    }
    if input.site_hosts.is_empty() {
        let _ =
            writeln!(out, "site unknown: no host was given or learned, so every referrer is another site's");
    } else {
        let hosts = fitted(&input.site_hosts.join(", "), 70);
        let learned = if input.site_hosts_learned { " (learned from the log)" } else { "" };
        let _ = writeln!(out, "site {hosts}{learned}");
    }
    let _ = writeln!(out, "rules {}", report.ruleset_version);
}

/// People and automation side by side.
fn sides(out: &mut String, report: &Report) {
    let of = |class| report.class(class);
    let bots = [of(Class::Bot), of(Class::DeclaredBot), of(Class::AiAgent)];
    let columns: [Vec<&ClassSummary>; 6] = [
        vec![of(Class::Human)],
        vec![of(Class::Suspected)],
        bots.to_vec(),
        vec![bots[0]],
        vec![bots[1]],
        vec![bots[2]],
    ];
    heading(out, "People and automation");
    let mut table =
        Table::new(["", "people", "suspected", "automation", "undeclared", "declared", "AI agents"]);
    let mut row = |name: &str, cell: &dyn Fn(&[&ClassSummary]) -> String| {
        let cells = columns.iter().map(|classes| cell(classes));
        table.rows.push(std::iter::once(name.to_owned()).chain(cells).collect());
    };
    let mut count = |name: &str, of: fn(&ClassSummary) -> u64| {
        row(name, &|classes| grouped(sum(classes, of)));
    };
    count("visitors", |class| class.visitors);
    count("sessions", |class| class.sessions);
    count("hostile sessions", |class| class.hostile_sessions);
    count("requests", |class| class.requests);
    count("page views", |class| class.page_views);
    count("assets", |class| class.assets);
    count("errors 4xx", |class| class.errors_4xx);
    count("errors 5xx", |class| class.errors_5xx);
    row("bytes", &|classes| bytes(sum(classes, |class| class.bytes)));
    row("single-page sessions", &|classes| {
        let pages = sum(classes, |class| class.sessions_with_pages);
        let single = sum(classes, |class| class.single_page_sessions);
        if pages == 0 { "–".to_owned() } else { format!("{:.1} %", single as f64 / pages as f64 * 100.0) }
    });
    row("mean duration", &|classes| {
        let sessions = sum(classes, |class| class.sessions);
        let seconds: f64 = classes
            .iter()
            .filter_map(|class| Some(class.mean_duration_seconds? * class.sessions as f64))
            .sum();
        if sessions == 0 { "–".to_owned() } else { duration(seconds / sessions as f64) }
    });
    table.write(out);
    let _ = writeln!(
        out,
        "  Automation is undeclared + declared + AI agents. A visitor counts in each class of its sessions.\n  \
         In the tables below suspected sessions count as people."
    );
}

fn declared(out: &mut String, report: &Report) {
    if report.declared.is_empty() {
        return;
    }
    heading(out, "Automation that declares itself, by requests");
    let mut table = Table::new(["name", "kind", "sessions", "requests"]);
    for row in report.declared.iter().take(TOP) {
        table.row([
            fitted(&row.name, 40),
            row.kind.replace('_', " "),
            grouped(row.sessions),
            grouped(row.requests),
        ]);
    }
    table.write(out);
    more(out, report.declared.len());
}

fn signals(out: &mut String, report: &Report) {
    if report.signals.is_empty() {
        return;
    }
    heading(out, "Signals, by sessions in which they spoke");
    let mut table = Table::new(["signal", "undeclared bots", "suspected", "people"]);
    for row in report.signals.iter().take(TOP) {
        table.row([row.signal.to_owned(), grouped(row.bot), grouped(row.suspected), grouped(row.human)]);
    }
    table.write(out);
    more(out, report.signals.len());
}

fn ranked(out: &mut String, title: &str, rows: &[NamedRow]) {
    if rows.is_empty() {
        return;
    }
    heading(out, title);
    let mut table = Table::new(["", "people", "automation"]);
    for row in rows.iter().take(TOP) {
        table.row([fitted(&row.name, 64), grouped(row.people), grouped(row.automation)]);
    }
    table.write(out);
    more(out, rows.len());
}

fn throttle(out: &mut String, report: &Report) {
    heading(out, "What throttling would have refused, by level");
    let mut table = Table::new(["level", "people", "of their sessions", "automation", "of its sessions"]);
    for row in &report.throttle {
        table.row([
            row.level.as_str().to_owned(),
            grouped(row.people_refused),
            grouped(row.people_sessions),
            grouped(row.automation_refused),
            grouped(row.automation_sessions),
        ]);
    }
    table.write(out);
    let _ = writeln!(
        out,
        "  Requests refused at a level, and sessions whose highest level it was; suspected count as people."
    );
}

fn bad_lines(out: &mut String, input: &InputSummary) {
    if input.bad_lines == 0 {
        return;
    }
    heading(out, "Bad lines");
    let mut table = Table::new(["why", "lines"]);
    for (reason, &count) in &input.bad_by_reason {
        table.row([reason.to_string(), grouped(count)]);
    }
    if input.time_travellers > 0 {
        table.row(["time is hours away from the lines around it".to_owned(), grouped(input.time_travellers)]);
    }
    table.write(out);
    for bad in &input.bad_examples {
        let place = format!("{}, line {}: {}", fitted(&bad.log, 40), bad.line, bad.problem);
        let _ = writeln!(out, "  {}", fitted(&place, WIDTH - 2));
        let _ = writeln!(out, "    {}", fitted(&bad.excerpt, WIDTH - 4));
    }
}

fn bounds(out: &mut String, report: &Report) {
    let bounds = &report.bounds;
    let rows = [
        ("requests put back in order", bounds.order.reordered),
        ("requests later than the lateness: in totals only, no gap, no step", bounds.order.late),
        ("requests let go early because too many waited", bounds.order.early),
        ("visitors forgotten because too many were remembered", bounds.evicted_visitors),
        ("sessions that ended by it", bounds.evicted_sessions),
        ("page views without a name of their own", bounds.unnamed_pages),
        ("referrals without a name of their own", bounds.unnamed_hosts),
    ];
    if rows.iter().all(|&(_, count)| count == 0) {
        return;
    }
    heading(out, "Order and bounds");
    let mut table = Table::new(["", "count"]);
    for (name, count) in rows {
        if count > 0 {
            table.row([name.to_owned(), grouped(count)]);
        }
    }
    table.write(out);
}

fn anomalies(out: &mut String, report: &Report) {
    let rows = &report.anomalies.rows;
    if rows.is_empty() {
        return;
    }
    heading(out, "Anomalies, by the minute, from the first");
    let mut table = Table::new(["figure", "level", "since", "until", "value", "expected"]);
    let number = |value: f64| format!("{value:.2}").trim_end_matches(".00").to_owned();
    for row in rows.iter().take(TOP) {
        let expected = match (row.expected_from, row.expected_to) {
            (Some(from), Some(to)) => format!("{} to {}", number(from), number(to)),
            (Some(_) | None, None) | (None, Some(_)) => "below the limit".to_owned(),
        };
        let until =
            row.until.map_or_else(|| "open".to_owned(), |until| until.format("%m-%d %H:%M").to_string());
        table.row([
            row.metric.to_string(),
            row.level.to_string(),
            row.since.format("%m-%d %H:%M").to_string(),
            until,
            number(row.value),
            expected,
        ]);
    }
    table.write(out);
    more(out, report.anomalies.opened as usize);
}

fn heading(out: &mut String, title: &str) {
    let _ = writeln!(out, "\n{title}");
}

fn more(out: &mut String, rows: usize) {
    if rows > TOP {
        let _ = writeln!(out, "  … and {} more", grouped((rows - TOP) as u64));
    }
}

fn sum(classes: &[&ClassSummary], of: fn(&ClassSummary) -> u64) -> u64 {
    classes.iter().map(|class| of(class)).sum()
}

fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

fn duration(seconds: f64) -> String {
    let whole = libm::round(seconds) as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3_600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", grouped(whole / 3_600), whole / 60 % 60),
    }
}

fn bytes(count: u64) -> String {
    let mut value = count as f64;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if value < 1_024.0 {
            break;
        }
        value /= 1_024.0;
        unit = larger;
    }
    if unit == "B" { format!("{count} B") } else { format!("{value:.1} {unit}") }
}

/// Rows of a table that are shown.
const TOP: usize = 10;
/// Columns of a terminal that the report keeps to.
const WIDTH: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three_digits() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn texts_are_cut_and_their_control_characters_shown() {
        assert_eq!(fitted("/short", 6), "/short");
        assert_eq!(fitted("/longer", 6), "/long…");
        assert_eq!(fitted("\u{1b}[2J", 20), "\\u{1b}[2J");
        assert_eq!(fitted("abc\n", 4), "abc…");
    }

    #[test]
    fn durations_and_bytes_have_the_unit_a_person_would_choose() {
        assert_eq!(
            [0.4, 59.4, 60.0, 3_599.0, 7_260.0].map(duration),
            ["0 s", "59 s", "1 min 00 s", "59 min 59 s", "2 h 01 min"]
        );
        assert_eq!([0, 1_023, 1_024, 5 << 30].map(bytes), ["0 B", "1023 B", "1.0 KiB", "5.0 GiB"]);
    }

    #[test]
    fn tables_align_their_columns() {
        let mut table = Table::new(["name", "count"]);
        table.row(["a".to_owned(), "1,000".to_owned()]);
        table.row(["longer".to_owned(), "1".to_owned()]);
        let mut out = String::new();
        table.write(&mut out);
        assert_eq!(out, "  name    count\n  a       1,000\n  longer      1\n");
    }
}
