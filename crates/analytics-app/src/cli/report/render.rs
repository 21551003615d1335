//! A report as text: the same names as in its JSON, figures in a column, rankings as tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use analytics_domain::stats::Period;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::figures::{dollars, percent, signed};
use crate::replay::text::{Table, fitted};

/// A report as text. Control characters of names are shown escaped, so that data cannot write to a terminal.
pub(super) fn render(report: &ReportText) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}: {}", fitted(&report.report, 40), fitted(&report.rows, 200));
    let time = |at: chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%d %H:%M:%S").to_string();
    let period = |period: Period| format!("{} to before {} UTC", time(period.from()), time(period.until()));
    let _ = writeln!(out, "period {}, days of {}", period(report.period), fitted(&report.time_zone, 60));
    if let Some(before) = &report.before {
        let _ = writeln!(out, "before {}", period(before.period));
    }
    for (key, value) in &report.filter {
        let _ = writeln!(out, "only   {}={}", fitted(key, 40), fitted(value, 80));
    }
    let data = entries(&report.data);
    let before = report.before.as_ref().map(|before| entries(&before.data));
    figures(&mut out, &data, before.as_deref());
    groups(&mut out, &data, "");
    if let Some(before) = &before {
        groups(&mut out, before, " before");
    }
    lists(&mut out, &data, "");
    if let Some(before) = &before {
        lists(&mut out, before, " before");
    }
    out
}

/// A report as it is written as JSON, by this program or by a service.
#[derive(Debug, Deserialize)]
pub(super) struct ReportText {
    report: String,
    rows: String,
    period: Period,
    time_zone: String,
    filter: BTreeMap<String, String>,
    data: Node,
    before: Option<BeforeText>,
}

#[derive(Debug, Deserialize)]
struct BeforeText {
    period: Period,
    data: Node,
}

/// Data with their order kept.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    Null,
    Bool(bool),
    Integer(i128),
    Number(f64),
    Text(String),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

type Entry = (String, Node);

impl Node {
    const fn is_scalar(&self) -> bool {
        match self {
            Self::Null | Self::Bool(_) | Self::Integer(_) | Self::Number(_) | Self::Text(_) => true,
            Self::List(_) | Self::Map(_) => false,
        }
    }
}

fn entries(node: &Node) -> Vec<Entry> {
    match node {
        Node::Map(entries) => entries.clone(),
        Node::Null | Node::Bool(_) | Node::Integer(_) | Node::Number(_) | Node::Text(_) | Node::List(_) => {
            Vec::new()
        }
    }
}

/// Single figures, each beside what it was before.
fn figures(out: &mut String, data: &[Entry], before: Option<&[Entry]>) {
    let rows: Vec<&Entry> = data.iter().filter(|(_, node)| node.is_scalar()).collect();
    if rows.is_empty() {
        return;
    }
    out.push('\n');
    let mut table = Table::of(if before.is_some() {
        vec![String::new(), "period".to_owned(), "before".to_owned(), "change".to_owned()]
    } else {
        vec![String::new(), "period".to_owned()]
    });
    for (name, node) in rows {
        let mut cells = vec![heading(name), shown(name, node)];
        if let Some(before) = before {
            let was = before.iter().find(|(other, _)| other == name).map_or(&Node::Null, |(_, node)| node);
            cells.extend([shown(name, was), change(node, was)]);
        }
        table.push(cells);
    }
    table.write(out);
}

/// Groups of figures: those with the same names side by side.
fn groups(out: &mut String, data: &[Entry], when: &str) {
    let groups: Vec<(&String, &Vec<Entry>)> = data
        .iter()
        .filter_map(|(name, node)| if let Node::Map(entries) = node { Some((name, entries)) } else { None })
        .collect();
    let names = |entries: &[Entry]| entries.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    for side_by_side in groups.chunk_by(|(_, a), (_, b)| names(a) == names(b)) {
        out.push('\n');
        let headings = side_by_side.iter().map(|(name, _)| format!("{name}{when}"));
        let mut table = Table::of(std::iter::once(String::new()).chain(headings).collect());
        for (at, (name, _)) in side_by_side[0].1.iter().enumerate() {
            let values = side_by_side.iter().map(|(_, entries)| shown(name, &entries[at].1));
            table.push(std::iter::once(heading(name)).chain(values).collect());
        }
        table.write(out);
    }
}

/// Rankings and days.
fn lists(out: &mut String, data: &[Entry], when: &str) {
    for (name, node) in data {
        let Node::List(rows) = node else { continue };
        let _ = writeln!(out, "\n{name}{when}");
        let rows: Vec<Vec<Entry>> = rows.iter().map(|row| flat(&entries(row))).collect();
        let Some(first) = rows.first() else {
            out.push_str("  none\n");
            continue;
        };
        let mut table = Table::of(first.iter().map(|(name, _)| heading(name)).collect());
        for row in &rows {
            table.push(row.iter().map(|(name, node)| shown(name, node)).collect());
        }
        table.write(out);
    }
}

/// A row whose groups are columns of their own: `users` with `current` and `before` is `users`, `users_before`.
fn flat(row: &[Entry]) -> Vec<Entry> {
    let columns = row.iter().flat_map(|(name, node)| match node {
        Node::Map(entries) => entries
            .iter()
            .map(|(part, node)| {
                let name = if part == "current" { name.clone() } else { format!("{name}_{part}") };
                (name, node.clone())
            })
            .collect(),
        Node::Null | Node::Bool(_) | Node::Integer(_) | Node::Number(_) | Node::Text(_) | Node::List(_) => {
            vec![(name.clone(), node.clone())]
        }
    });
    columns.collect()
}

/// The name of a figure; money is shown in dollars, so its unit is left out.
fn heading(name: &str) -> String {
    name.strip_suffix("_nano_dollars").unwrap_or(name).to_owned()
}

fn shown(name: &str, node: &Node) -> String {
    match node {
        Node::Null | Node::List(_) | Node::Map(_) => "–".to_owned(),
        Node::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Node::Integer(amount) if name.ends_with("_nano_dollars") => dollars(*amount),
        Node::Integer(status) if name == "status" => status.to_string(),
        Node::Integer(number) => signed(*number),
        Node::Number(share) if ["_share", "_rate", "change"].iter().any(|end| name.ends_with(end)) => {
            percent(*share)
        }
        Node::Number(number) => format!("{number:.2}"),
        Node::Text(text) => fitted(text, 48),
    }
}

fn change(now: &Node, before: &Node) -> String {
    match (now, before) {
        (Node::Integer(now), Node::Integer(before)) if *before != 0 => {
            percent((*now as f64 - *before as f64) / *before as f64)
        }
        _ => "–".to_owned(),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Nodes;
        impl<'de> Visitor<'de> for Nodes {
            type Value = Node;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("data")
            }

            fn visit_unit<E: Error>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }

            fn visit_bool<E: Error>(self, yes: bool) -> Result<Node, E> {
                Ok(Node::Bool(yes))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Node, E> {
                Ok(Node::Integer(number.into()))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Node, E> {
                Ok(Node::Integer(number.into()))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Node, E> {
                Ok(Node::Number(number))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Node, E> {
                Ok(Node::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Node::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
                let mut map = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    map.push(entry);
                }
                Ok(Node::Map(map))
            }
        }
        deserializer.deserialize_any(Nodes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_a_row_become_columns() {
        let row = serde_json::from_str(r#"[{"w": "24h", "users": {"current": 3, "before": null}}]"#).unwrap();
        let Node::List(rows) = row else { panic!("a list") };
        let columns: Vec<String> = flat(&entries(&rows[0])).into_iter().map(|(name, _)| name).collect();
        assert_eq!(columns, ["w", "users", "users_before"]);
    }

    #[test]
    fn shares_are_percent_and_what_is_not_known_a_dash() {
        assert_eq!(shown("bounce_rate", &Node::Number(0.125)), "12.5 %");
        assert_eq!(shown("mean_duration_s", &Node::Number(1.0)), "1.00");
        assert_eq!(shown("requests", &Node::Integer(1_234)), "1,234");
        assert_eq!(shown("status", &Node::Integer(1_234)), "1234");
        assert_eq!(shown("agent", &Node::Null), "–");
        assert_eq!(change(&Node::Integer(3), &Node::Integer(2)), "50.0 %");
        assert_eq!(change(&Node::Integer(3), &Node::Integer(0)), "–");
        assert_eq!(shown("agent", &Node::Text("a\u{1b}[2J".into())), "a\\u{1b}[2J");
    }
}
