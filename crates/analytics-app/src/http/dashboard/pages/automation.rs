//! Automation: what it declares itself to be, and by which signals the rest was found.

use std::collections::BTreeMap;

use analytics_domain::detector::Class;
use analytics_domain::session::AnalyticsSession;
use analytics_domain::stats::reports::{AutomationLine, BotTraffic};
use analytics_domain::stats::{FilterKey, ReportName};
use analytics_ports::{BatchLimit, PageRequest, SessionFilter};
use maud::html;

use super::super::page::{Ask, Block, Body, Card, Change, PageName, cards, rows, words};
use super::super::problem::Problem;
use super::super::table::{Cell, Column, Table};
use crate::figures::percent;
use crate::replay::text::grouped;
use crate::services::ReportData;

pub(in super::super) async fn body(ask: &Ask<'_>) -> Result<Body, Problem> {
    let report = ask.report(ReportName::BotTraffic, ask.compares_when_told(), ask.rows()).await?;
    let mut blocks = Vec::new();
    if let ReportData::BotTraffic(traffic) = &report.data {
        let before = match report.before.as_ref().map(|before| &before.data) {
            Some(ReportData::BotTraffic(before)) => Some(before),
            _ => None,
        };
        let was =
            |of: fn(&BotTraffic) -> u64| Change::of(traffic, before, |traffic| Some(of(traffic) as f64));
        let card = |label, value, change| Card { label, value, change, note: None };
        blocks.push(Block::Markup(cards(
            "Sessions",
            &[
                card("People", grouped(traffic.people_sessions), was(|of| of.people_sessions)),
                card("Bots", grouped(traffic.bot_sessions), was(|of| of.bot_sessions)),
                card("AI agents", grouped(traffic.ai_agent_sessions), was(|of| of.ai_agent_sessions)),
                card(
                    "Automation",
                    traffic.automation_share.map_or_else(|| "–".to_owned(), percent),
                    Change::NotAsked,
                ),
            ],
        )));
        blocks.push(Block::Table(table(ask, CLASSES, &traffic.classes)));
        blocks.push(Block::Row(vec![
            Block::Table(narrow(table(ask, KINDS, &traffic.kinds))),
            Block::Table(narrow(table(ask, NAMES, &traffic.names))),
        ]));
    }
    if ask.suits(ReportName::AiAgents) {
        let report = ask.report(ReportName::AiAgents, false, ask.rows()).await?;
        if let ReportData::AiAgents(agents) = &report.data {
            blocks.push(Block::Row(vec![
                Block::Table(narrow(table(ask, AGENT_KINDS, &agents.kinds))),
                Block::Table(narrow(table(ask, AGENT_NAMES, &agents.names))),
            ]));
        }
    }
    if ask.view.filter.class.is_none_or(|class| class == Class::Bot) {
        blocks.push(Block::Table(signals(ask).await?));
    }
    Ok(Body {
        title: PageName::Automation.title().to_owned(),
        lead: Some(
            html! { "Automation that declares itself, and what was found by its behaviour. Declared is not hostile." },
        ),
        blocks,
        timed: true,
        live: true,
    })
}

/// The declared names with most sessions.
pub(super) async fn short(ask: &Ask<'_>, rows: BatchLimit) -> Result<Table, Problem> {
    let report = ask.report(ReportName::BotTraffic, false, rows).await?;
    let lines = if let ReportData::BotTraffic(traffic) = report.data { traffic.names } else { Vec::new() };
    let mut table = table(ask, NAMES, &lines);
    "Automation, by declared name".clone_into(&mut table.caption);
    for at in [3, 5, 6, 7] {
        // The columns stay in CSV.
        table.columns[at].label = "";
    }
    let more = ask.view.link(PageName::Automation.path(), PageName::Automation.keys());
    table.more = Some(("All bots and agents".to_owned(), more));
    Ok(table)
}

/// How a list of automation is shown.
#[derive(Clone, Copy)]
struct Shown {
    id: &'static str,
    caption: &'static str,
    label: &'static str,
    /// What stands where nothing is declared.
    unknown: &'static str,
    /// Whether its values are classes, which sessions can be listed by.
    classes: bool,
}

fn table(ask: &Ask<'_>, shown: Shown, lines: &[AutomationLine]) -> Table {
    let most = lines.iter().map(|line| line.sessions).max().unwrap_or(0).max(1) as f64;
    let rows = lines.iter().map(|line| {
        let value = line.value.as_deref();
        let link = value.filter(|_| shown.classes).map(|value| {
            ask.view
                .link(PageName::Sessions.path(), PageName::Sessions.keys())
                .filtered(FilterKey::Class, value)
        });
        let told = value.map_or_else(|| shown.unknown.to_owned(), words);
        // CSV has the value as the report has it.
        let own = value.map_or(Cell::Unknown, |value| Cell::Text(value.to_owned()));
        vec![
            Cell::Ranked(Some(told), link, line.sessions as f64 / most),
            own,
            Cell::Count(line.sessions),
            Cell::Count(line.hostile),
            Cell::Count(line.requests),
            Cell::Count(line.page_views),
            Cell::Count(line.errors),
            Cell::Count(line.refused),
        ]
    });
    Table {
        id: shown.id,
        caption: shown.caption.to_owned(),
        columns: vec![
            Column::text("", shown.label),
            Column::text("value", ""),
            Column::number("sessions", "Sessions"),
            Column::detail("hostile", "Hostile"),
            Column::number("requests", "Requests"),
            Column::detail("page_views", "Page views"),
            Column::detail("errors", "Errors"),
            Column::detail("refused", "Refused"),
        ],
        rows: rows.collect(),
        empty: "No automation was seen in this period. Choose a longer one.".to_owned(),
        more: None,
    }
}

/// A table of automation for half of a page.
fn narrow(mut table: Table) -> Table {
    for at in [5, 6, 7] {
        // The columns stay in CSV.
        table.columns[at].label = "";
    }
    table
}

/// The signals that spoke in undeclared bots, over the newest sessions.
async fn signals(ask: &Ask<'_>) -> Result<Table, Problem> {
    let sessions = undeclared(ask).await?;
    let mut tally = BTreeMap::<(String, String), (u64, f64, u64)>::new();
    for session in &sessions {
        let verdict = session.record().verdict.as_ref();
        for signal in verdict.map(|verdict| verdict.signals.as_slice()).unwrap_or_default() {
            let entry = tally.entry((signal.signal.to_string(), signal.category.to_string())).or_default();
            entry.0 += 1;
            entry.1 += signal.points.as_f64();
            entry.2 += u64::from(signal.decisive);
        }
    }
    let mut lines: Vec<_> = tally.into_iter().collect();
    lines.sort_by(|(a, (a_count, ..)), (b, (b_count, ..))| b_count.cmp(a_count).then_with(|| a.cmp(b)));
    let all = sessions.len() as u64;
    let rows = lines.into_iter().map(|((signal, category), (count, points, decisive))| {
        vec![
            Cell::Ranked(Some(words(&signal)), None, count as f64 / all.max(1) as f64),
            Cell::Text(signal),
            Cell::Text(words(&category)),
            Cell::Count(count),
            Cell::Share(Some(count as f64 / all.max(1) as f64)),
            Cell::Number(Some(points / count.max(1) as f64)),
            Cell::Count(decisive),
        ]
    });
    let caption = if sessions.len() == NEWEST.as_usize() {
        format!("Signals of undeclared bots, in the newest {} sessions of the period", grouped(all))
    } else {
        format!("Signals of undeclared bots, in {} sessions", grouped(all))
    };
    Ok(Table {
        id: "signals",
        caption,
        columns: vec![
            Column::text("", "Signal"),
            Column::text("signal", ""),
            Column::note("category", "Category"),
            Column::number("sessions", "Sessions"),
            Column::number("session_share", "Share"),
            Column::detail("mean_points", "Mean points"),
            Column::detail("decisive", "Decisive"),
        ],
        rows: rows.collect(),
        empty: "No undeclared bot was found in this period.".to_owned(),
        more: Some((
            "Their sessions".to_owned(),
            ask.view
                .link(PageName::Sessions.path(), PageName::Sessions.keys())
                .filtered(FilterKey::Class, Class::Bot.as_str()),
        )),
    })
}

/// The newest sessions of undeclared bots that the filters let through, out of as many as are looked at.
async fn undeclared(ask: &Ask<'_>) -> Result<Vec<AnalyticsSession>, Problem> {
    let filter = SessionFilter {
        started_from: Some(ask.view.period.from()),
        started_before: Some(ask.view.period.until()),
        class: Some(Class::Bot),
        ..SessionFilter::default()
    };
    let page = ask.dashboard.stores.sessions.list(&filter, PageRequest::first(NEWEST)).await?;
    Ok(page.items.into_iter().filter(|session| ask.view.filter.lets_session(session)).collect())
}

const NEWEST: BatchLimit = rows(2_000);
const CLASSES: Shown =
    Shown { id: "classes", caption: "By class", label: "Class", unknown: "not judged", classes: true };
const KINDS: Shown = Shown {
    id: "kinds",
    caption: "By what it declares to do",
    label: "Kind",
    unknown: "declares nothing",
    classes: false,
};
const NAMES: Shown = Shown {
    id: "names",
    caption: "By declared name",
    label: "Name",
    unknown: "declares nothing",
    classes: false,
};
const AGENT_KINDS: Shown = Shown {
    id: "agent-kinds",
    caption: "AI agents, by kind",
    label: "Kind",
    unknown: "declares nothing",
    classes: false,
};
const AGENT_NAMES: Shown = Shown {
    id: "agent-names",
    caption: "AI agents, by name",
    label: "Name",
    unknown: "declares nothing",
    classes: false,
};
