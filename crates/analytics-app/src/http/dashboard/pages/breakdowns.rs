//! Sessions by what they have in one dimension: sources, channels, countries, devices, browsers, systems.

use analytics_domain::stats::reports::BreakdownLine;
use analytics_domain::stats::{FilterKey, ReportName};
use analytics_ports::BatchLimit;
use maud::html;

use super::super::page::{Ask, Block, Body, PageName, shown};
use super::super::problem::Problem;
use super::super::table::{Cell, Column, Table};
use crate::services::{Report, ReportData};

/// How one dimension is shown.
#[derive(Clone, Copy)]
pub(super) struct Dimension {
    pub(super) report: ReportName,
    pub(super) id: &'static str,
    pub(super) caption: &'static str,
    /// The heading of its values.
    pub(super) label: &'static str,
    /// What a value can be chosen by; `None` where nothing filters by it.
    pub(super) key: Option<FilterKey>,
    /// What to do where nothing is known.
    pub(super) empty: &'static str,
}

pub(in super::super) async fn sources(ask: &Ask<'_>) -> Result<Body, Problem> {
    let lead =
        "Where sessions came from: the source that their campaign names, else the host of their referrer.";
    page(ask, PageName::Sources, lead, &[CHANNELS, SOURCES, CAMPAIGNS]).await
}

pub(in super::super) async fn countries(ask: &Ask<'_>) -> Result<Body, Problem> {
    let lead = "Where the addresses of clients are registered. A country never makes anybody suspicious.";
    page(ask, PageName::Countries, lead, &[COUNTRIES]).await
}

pub(in super::super) async fn devices(ask: &Ask<'_>) -> Result<Body, Problem> {
    let lead = "What clients say they are, in their user agent.";
    page(ask, PageName::Devices, lead, &[DEVICES, BROWSERS, SYSTEMS]).await
}

async fn page(ask: &Ask<'_>, page: PageName, lead: &str, dimensions: &[Dimension]) -> Result<Body, Problem> {
    let mut blocks = Vec::new();
    for dimension in dimensions {
        let report = ask.report(dimension.report, ask.compares_when_told(), ask.rows()).await?;
        blocks.push(Block::Table(table(ask, dimension, &report)));
    }
    Ok(Body { title: page.title().to_owned(), lead: Some(html! { (lead) }), blocks, timed: true, live: true })
}

/// A table of a few rows and columns that leads to the page about its dimension.
pub(super) async fn short(
    ask: &Ask<'_>,
    dimension: &Dimension,
    page: PageName,
    rows: BatchLimit,
) -> Result<Table, Problem> {
    let report = ask.report(dimension.report, false, rows).await?;
    let mut table = table(ask, dimension, &report);
    for column in &mut table.columns[3..=7] {
        // It stays in CSV.
        column.label = "";
    }
    let more = ask.view.link(page.path(), page.keys());
    table.more = Some((format!("All {}", dimension.caption.to_lowercase()), more));
    Ok(table)
}

fn table(ask: &Ask<'_>, dimension: &Dimension, report: &Report) -> Table {
    let lines = lines(&report.data);
    let before = report.before.as_ref().map(|before| self::lines(&before.data));
    let most = lines.iter().map(|line| line.people_sessions).max().unwrap_or(0).max(1);
    let mut columns = vec![
        Column::text("", dimension.label),
        Column::text("value", ""),
        Column::number("people_sessions", "People"),
        Column::detail("people_share", "Share"),
        Column::detail("visitors", "Visitors"),
        Column::detail("page_views", "Page views"),
        Column::detail("mean_duration_s", "Mean visit"),
        Column::detail("bounce_rate", "Bounce"),
        Column::number("bot_sessions", "Bots"),
        Column::number("ai_agent_sessions", "AI agents"),
    ];
    if before.is_some() {
        columns.insert(3, Column::number("people_sessions_before", "People before"));
    }
    let row = |line: &BreakdownLine| {
        let share = line.people_sessions as f64 / most as f64;
        let value = line.value.as_deref();
        let link = value.zip(dimension.key);
        let link = link.map(|(value, key)| ask.view.same(ask.page.path()).filtered(key, value));
        let told = value.map(|value| dimension.key.map_or_else(|| value.to_owned(), |key| shown(key, value)));
        let mut cells = vec![
            Cell::Ranked(told, link, share),
            Cell::text(value),
            Cell::Count(line.people_sessions),
            Cell::Share(line.people_share),
            Cell::Count(line.visitors),
            Cell::Count(line.page_views),
            Cell::Seconds(line.mean_duration_s),
            Cell::Share(line.bounce_rate),
            Cell::Count(line.bot_sessions),
            Cell::Count(line.ai_agent_sessions),
        ];
        if let Some(before) = &before {
            let was = before.iter().find(|other| other.value == line.value);
            cells.insert(3, was.map_or(Cell::Unknown, |was| Cell::Count(was.people_sessions)));
        }
        cells
    };
    Table {
        id: dimension.id,
        caption: dimension.caption.to_owned(),
        columns,
        rows: lines.iter().map(row).collect(),
        empty: dimension.empty.to_owned(),
        more: None,
    }
}

fn lines(data: &ReportData) -> &[BreakdownLine] {
    if let ReportData::Breakdown(breakdown) = data { &breakdown.rows } else { &[] }
}

pub(super) const CHANNELS: Dimension = Dimension {
    report: ReportName::Channels,
    id: "channels",
    caption: "Channels",
    label: "Channel",
    key: Some(FilterKey::Channel),
    empty: "No session started in this period. Choose a longer one.",
};
pub(super) const SOURCES: Dimension = Dimension {
    report: ReportName::TrafficSources,
    id: "sources",
    caption: "Sources",
    label: "Source",
    key: Some(FilterKey::Source),
    empty: "No session started in this period. Choose a longer one; links with utm_source show here by that name.",
};
const CAMPAIGNS: Dimension = Dimension {
    report: ReportName::Campaigns,
    id: "campaigns",
    caption: "Campaigns",
    label: "Campaign",
    key: None,
    empty: "No session started in this period. Links with utm_campaign show here by that name.",
};
pub(super) const COUNTRIES: Dimension = Dimension {
    report: ReportName::Countries,
    id: "countries",
    caption: "Countries",
    label: "Country",
    key: Some(FilterKey::Country),
    empty: "No session started in this period. Countries are known where the service has a database of addresses (geoip).",
};
pub(super) const DEVICES: Dimension = Dimension {
    report: ReportName::Devices,
    id: "devices",
    caption: "Devices",
    label: "Device",
    key: Some(FilterKey::Device),
    empty: "No session started in this period. Choose a longer one.",
};
pub(super) const BROWSERS: Dimension = Dimension {
    report: ReportName::Browsers,
    id: "browsers",
    caption: "Browsers",
    label: "Browser",
    key: Some(FilterKey::Browser),
    empty: "No session started in this period. Choose a longer one.",
};
pub(super) const SYSTEMS: Dimension = Dimension {
    report: ReportName::OperatingSystems,
    id: "operating-systems",
    caption: "Operating systems",
    label: "System",
    key: Some(FilterKey::Os),
    empty: "No session started in this period. Choose a longer one.",
};
