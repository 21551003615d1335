//! Tables, as HTML for people and as CSV for programs, from the same cells.

use analytics_domain::session::NanoDollars;
use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::view::{Link, View};
use crate::figures::{dollars, duration, percent, signed};
use crate::replay::text::grouped;

/// A table with its caption, its columns and what to say when it is empty.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// Its name in addresses.
    pub(super) id: &'static str,
    /// What it shows.
    pub(super) caption: String,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// What to say, and to do next, where there is no row.
    pub(super) empty: String,
    /// Where to see more.
    pub(super) more: Option<(String, Link)>,
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    /// Its name in CSV, which is that of the field in the report.
    pub(super) key: &'static str,
    /// Its name for people; a column without one is for programs only.
    pub(super) label: &'static str,
    /// How it stands.
    pub(super) kind: Kind,
}

/// How a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// To the left.
    Text,
    /// To the right.
    Number,
    /// To the right, and left out on narrow screens.
    Detail,
    /// To the left, and left out on narrow screens.
    Note,
    /// A form, or what came of it.
    Action,
}

/// What stands in a cell.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    /// Nothing is known.
    Unknown,
    /// A text, wherever it comes from.
    Text(String),
    /// A text of a fixed width, such as an identifier or an address.
    Code(String),
    /// A text that leads somewhere.
    Linked(String, Link),
    /// A text with the colour of its kind.
    Badge(String, &'static str),
    /// A text that leads somewhere, with its share of the greatest, 0 to 1.
    Ranked(Option<String>, Option<Link>, f64),
    Count(u64),
    /// A number as it is, without marks between its digits.
    Plain(u64),
    /// From 0 to 1.
    Share(Option<f64>),
    Number(Option<f64>),
    Seconds(Option<f64>),
    Millis(Option<f64>),
    Money(Option<NanoDollars>),
    Time(Option<DateTime<Utc>>),
    /// What only people see.
    Markup(Markup),
}

impl Column {
    pub(super) const fn text(key: &'static str, label: &'static str) -> Self {
        Self { key, label, kind: Kind::Text }
    }

    pub(super) const fn number(key: &'static str, label: &'static str) -> Self {
        Self { key, label, kind: Kind::Number }
    }

    pub(super) const fn detail(key: &'static str, label: &'static str) -> Self {
        Self { key, label, kind: Kind::Detail }
    }

    pub(super) const fn note(key: &'static str, label: &'static str) -> Self {
        Self { key, label, kind: Kind::Note }
    }

    pub(super) const fn action(label: &'static str) -> Self {
        Self { key: "", label, kind: Kind::Action }
    }

    const fn class(self) -> Option<&'static str> {
        match self.kind {
            Kind::Text => None,
            Kind::Number => Some("number"),
            Kind::Detail => Some("number detail"),
            Kind::Note => Some("detail"),
            Kind::Action => Some("action"),
        }
    }
}

impl Table {
    /// The table for people. Without a row it says what to do instead.
    pub(super) fn html(&self, view: &View, path: &str) -> Markup {
        let caption = format!("{}-caption", self.id);
        html! {
            div.table id=(self.id) role="region" tabindex="0" aria-labelledby=(caption) {
                table {
                    caption id=(caption) { (self.caption) }
                    @if !self.rows.is_empty() {
                        thead {
                            tr {
                                @for column in self.shown() { th scope="col" class=[column.1.class()] { (column.1.label) } }
                            }
                        }
                        tbody { @for row in &self.rows { (self.row(row, view)) } }
                    }
                }
                @if self.rows.is_empty() { p.empty { (self.empty) } }
            }
            @if !self.rows.is_empty() {
                p.under {
                    @if let Some((label, link)) = &self.more { a href=(link) { (label) } " " }
                    @if self.columns.iter().any(|column| !column.key.is_empty()) {
                        a href=(view.same(path).with("table", self.id).with("format", "csv")) {
                            "CSV" span.hidden { " of " (self.caption) }
                        }
                    }
                }
            }
        }
    }

    fn row(&self, row: &[Cell], view: &View) -> Markup {
        html! {
            tr {
                @for (at, column) in self.shown() {
                    @let cell = row.get(at).map(|cell| cell.html(view));
                    @if at == 0 {
                        th scope="row" class=[column.class()] { (cell.unwrap_or_default()) }
                    } @else {
                        td class=[column.class()] { (cell.unwrap_or_default()) }
                    }
                }
            }
        }
    }

    /// The columns that people see, with their places.
    fn shown(&self) -> impl Iterator<Item = (usize, Column)> {
        self.columns.iter().copied().enumerate().filter(|(_, column)| !column.label.is_empty())
    }

    /// The table for programs: a line of names, then the rows, figures as they are in reports.
    pub(super) fn csv(&self) -> String {
        let places: Vec<usize> =
            (0..self.columns.len()).filter(|&at| !self.columns[at].key.is_empty()).collect();
        let mut out = String::new();
        let names = places.iter().map(|&at| self.columns[at].key.to_owned());
        push_line(&mut out, names);
        for row in &self.rows {
            push_line(&mut out, places.iter().map(|&at| row.get(at).map(Cell::csv).unwrap_or_default()));
        }
        out
    }
}

impl Cell {
    /// A text that may not be known.
    pub(super) fn text(text: Option<impl ToString>) -> Self {
        text.map_or(Self::Unknown, |text| Self::Text(text.to_string()))
    }

    fn html(&self, view: &View) -> Markup {
        html! {
            @match self {
                Self::Unknown => (dash()),
                Self::Text(text) => (text),
                Self::Code(text) => code { (text) },
                Self::Linked(text, link) => a.short[text.len() < 24] href=(link) { (text) },
                Self::Badge(text, kind) => span class={ "badge " (kind) } { (text) },
                Self::Ranked(text, link, share) => {
                    (bar(*share))
                    span.value {
                        @match (text, link) {
                            (Some(text), Some(link)) => a href=(link) { (text) },
                            (Some(text), None) => (text),
                            (None, _) => span.muted { "not known" },
                        }
                    }
                },
                Self::Count(count) => (grouped(*count)),
                Self::Plain(number) => (number),
                Self::Share(share) => (share.map_or_else(|| "–".to_owned(), percent)),
                Self::Number(number) => (number.map_or_else(|| "–".to_owned(), |number| format!("{number:.2}"))),
                Self::Seconds(seconds) => (seconds.map_or_else(|| "–".to_owned(), duration)),
                Self::Millis(millis) => {
                    (millis.map_or_else(|| "–".to_owned(), |millis| format!("{} ms", signed(millis.round() as i128))))
                },
                Self::Money(money) => (money.map_or_else(|| "–".to_owned(), |money| dollars(money.get().into()))),
                Self::Time(Some(at)) => (time(view, *at)),
                Self::Time(None) => (dash()),
                Self::Markup(markup) => (markup),
            }
        }
    }

    fn csv(&self) -> String {
        let number = |number: &Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
        match self {
            Self::Unknown | Self::Markup(_) | Self::Ranked(None, ..) => String::new(),
            Self::Text(text)
            | Self::Code(text)
            | Self::Linked(text, _)
            | Self::Badge(text, _)
            | Self::Ranked(Some(text), ..) => harmless(text),
            Self::Count(count) | Self::Plain(count) => count.to_string(),
            Self::Share(share) => number(share),
            Self::Number(of) | Self::Seconds(of) | Self::Millis(of) => number(of),
            Self::Money(money) => money.map(|money| money.get().to_string()).unwrap_or_default(),
            Self::Time(at) => at.map(|at| at.to_rfc3339()).unwrap_or_default(),
        }
    }
}

/// A time as the clocks of the chosen zone show it.
pub(super) fn time(view: &View, at: DateTime<Utc>) -> Markup {
    html! { time datetime=(at.to_rfc3339()) { (view.time_of(at)) } }
}

fn dash() -> Markup {
    html! { span.muted { "–" span.hidden { " not known" } } }
}

/// A bar behind a value. Its width is an attribute, since no style may stand in the page.
fn bar(share: f64) -> Markup {
    let width = format!("{:.1}%", share.clamp(0.0, 1.0) * 100.0);
    html! { svg.bar aria-hidden="true" { rect width=(width) height="100%" rx="2" {} } }
}

/// A text that no program for tables takes for a formula: one that begins like it has an apostrophe in front.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

fn push_line(out: &mut String, cells: impl Iterator<Item = String>) {
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            out.push(',');
        }
        if cell.contains([',', '"', '\n', '\r']) {
            out.push('"');
            out.push_str(&cell.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(&cell);
        }
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_has_figures_as_they_are_and_texts_that_are_no_formulas() {
        let table = Table {
            id: "t",
            caption: "T".into(),
            columns: vec![
                Column::text("value", "Value"),
                Column::number("people_share", "Share"),
                Column::number("cost_nano_dollars", "Cost"),
                Column::action("Do"),
            ],
            rows: vec![
                vec![
                    Cell::Text("=1+1".into()),
                    Cell::Share(Some(0.125)),
                    Cell::Money(Some(NanoDollars::new(-5))),
                    Cell::Markup(html! { b { "x" } }),
                ],
                vec![Cell::Ranked(None, None, 1.0), Cell::Share(None), Cell::Money(None)],
                vec![Cell::Text("a \"b\",\nc".into()), Cell::Count(1_234), Cell::Plain(404)],
            ],
            empty: String::new(),
            more: None,
        };
        assert_eq!(
            table.csv(),
            "value,people_share,cost_nano_dollars\r\n'=1+1,0.125,-5\r\n,,\r\n\"a \"\"b\"\",\nc\",1234,404\r\n"
        );
    }
}
