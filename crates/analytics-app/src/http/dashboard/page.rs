//! The pages: their names, what they take, and what they are made of.

use analytics_domain::stats::{FilterKey, ReportName};
use analytics_ports::BatchLimit;
use maud::{Markup, html};

use super::layout::NO_KEYS;
use super::problem::Problem;
use super::table::Table;
use super::view::View;
use super::{Dashboard, pages};
use crate::services::{Report, ReportRequest};
use crate::zone::Zone;

/// A page that the navigation names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageName {
    Overview,
    Pages,
    Sources,
    Countries,
    Devices,
    Errors,
    Automation,
    Sessions,
    Fingerprints,
    Bans,
    Anomalies,
    Usage,
}

/// What stands on a page.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) title: String,
    /// What the page is about, in a sentence.
    pub(super) lead: Option<Markup>,
    pub(super) blocks: Vec<Block>,
    /// Whether it is about a period.
    pub(super) timed: bool,
    /// Whether it is worth looking at again and again.
    pub(super) live: bool,
}

/// A part of a page.
#[derive(Debug)]
pub(super) enum Block {
    Heading(String),
    Table(Table),
    /// A table behind a line that opens it.
    Folded(&'static str, Table),
    /// Parts side by side.
    Row(Vec<Block>),
    Markup(Markup),
}

/// One question for a page.
pub(super) struct Ask<'a> {
    pub(super) dashboard: &'a Dashboard,
    pub(super) page: PageName,
    pub(super) view: &'a View,
}

impl PageName {
    pub(super) const ALL: [Self; 12] = [
        Self::Overview,
        Self::Pages,
        Self::Sources,
        Self::Countries,
        Self::Devices,
        Self::Errors,
        Self::Automation,
        Self::Sessions,
        Self::Fingerprints,
        Self::Bans,
        Self::Anomalies,
        Self::Usage,
    ];

    /// The pages as the navigation groups them.
    pub(super) const GROUPS: [(&'static str, &'static [Self]); 3] = [
        (
            "Traffic",
            &[Self::Overview, Self::Pages, Self::Sources, Self::Countries, Self::Devices, Self::Errors],
        ),
        ("Automation", &[Self::Automation, Self::Sessions, Self::Fingerprints, Self::Bans, Self::Anomalies]),
        ("Platform", &[Self::Usage]),
    ];

    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Overview => "/",
            Self::Pages => "/pages",
            Self::Sources => "/sources",
            Self::Countries => "/countries",
            Self::Devices => "/devices",
            Self::Errors => "/errors",
            Self::Automation => "/automation",
            Self::Sessions => "/sessions",
            Self::Fingerprints => "/fingerprints",
            Self::Bans => "/bans",
            Self::Anomalies => "/anomalies",
            Self::Usage => "/usage",
        }
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Pages => "Pages",
            Self::Sources => "Sources",
            Self::Countries => "Countries",
            Self::Devices => "Devices",
            Self::Errors => "Errors",
            Self::Automation => "Bots and agents",
            Self::Sessions => "Sessions",
            Self::Fingerprints => "Fingerprints",
            Self::Bans => "Bans",
            Self::Anomalies => "Anomalies",
            Self::Usage => "AI usage",
        }
    }

    /// The keys that it can be filtered by.
    pub(super) const fn keys(self) -> &'static [FilterKey] {
        match self {
            Self::Overview
            | Self::Pages
            | Self::Sources
            | Self::Countries
            | Self::Devices
            | Self::Errors
            | Self::Automation
            | Self::Sessions => &FilterKey::OF_SESSIONS,
            Self::Usage => {
                &[FilterKey::User, FilterKey::Agent, FilterKey::Tool, FilterKey::Provider, FilterKey::Model]
            }
            Self::Fingerprints | Self::Bans | Self::Anomalies => NO_KEYS,
        }
    }

    /// The parameters that only it takes.
    pub(super) const fn own_parameters(self) -> &'static [&'static str] {
        match self {
            Self::Sessions => &["after", "fingerprint", "visitor", "open"],
            Self::Fingerprints => &["after", "hash"],
            Self::Bans => &["after"],
            Self::Anomalies => &["after", "state", "series"],
            Self::Overview
            | Self::Pages
            | Self::Sources
            | Self::Countries
            | Self::Devices
            | Self::Errors
            | Self::Automation
            | Self::Usage => &[],
        }
    }
}

impl Ask<'_> {
    /// What stands on the page.
    pub(super) async fn body(&self) -> Result<Body, Problem> {
        match self.page {
            PageName::Overview => pages::overview::body(self).await,
            PageName::Pages => pages::content::body(self).await,
            PageName::Sources => pages::breakdowns::sources(self).await,
            PageName::Countries => pages::breakdowns::countries(self).await,
            PageName::Devices => pages::breakdowns::devices(self).await,
            PageName::Errors => pages::errors::body(self).await,
            PageName::Automation => pages::automation::body(self).await,
            PageName::Sessions => pages::sessions::body(self).await,
            PageName::Fingerprints => pages::fingerprints::body(self).await,
            PageName::Bans => pages::bans::body(self).await,
            PageName::Anomalies => pages::anomalies::body(self).await,
            PageName::Usage => pages::usage::body(self).await,
        }
    }

    /// A report over the period and under the filters of the address.
    pub(super) async fn report(
        &self,
        name: ReportName,
        compare: bool,
        rows: BatchLimit,
    ) -> Result<Report, Problem> {
        let reports = &self.dashboard.reports;
        let report = match self.view.zone {
            Zone::Utc => reports.report(&self.request(name, compare, rows, chrono::Utc)).await,
            Zone::Offset(zone) => reports.report(&self.request(name, compare, rows, zone)).await,
            Zone::Named(zone) => reports.report(&self.request(name, compare, rows, zone)).await,
        };
        Ok(report?)
    }

    /// Whether a report takes all filters of the address.
    pub(super) fn suits(&self, name: ReportName) -> bool {
        self.view.filter.parts().keys().all(|key| name.keys().contains(key))
    }

    /// The most rows of a table of a page that is about it.
    pub(super) fn rows(&self) -> BatchLimit {
        self.view.rows.unwrap_or(ROWS)
    }

    /// Whether the period before is shown beside, where the page does so unless it is told otherwise.
    pub(super) fn compares_by_itself(&self) -> bool {
        self.view.compare.unwrap_or(true)
    }

    /// Whether the period before is shown beside, where the page does so only when it is told to.
    pub(super) fn compares_when_told(&self) -> bool {
        self.view.compare.unwrap_or(false)
    }

    fn request<Z>(&self, name: ReportName, compare: bool, limit: BatchLimit, zone: Z) -> ReportRequest<Z> {
        let (period, filter) = (self.view.period, self.view.filter.clone());
        ReportRequest { name, period, filter, compare, zone, limit }
    }
}

impl Body {
    /// The table of this name.
    pub(super) fn table(&self, id: &str) -> Option<&Table> {
        fn find<'a>(blocks: &'a [Block], id: &str) -> Option<&'a Table> {
            blocks.iter().find_map(|block| match block {
                Block::Table(table) | Block::Folded(_, table) => Some(table).filter(|table| table.id == id),
                Block::Row(blocks) => find(blocks, id),
                Block::Heading(_) | Block::Markup(_) => None,
            })
        }
        find(&self.blocks, id)
    }
}

/// Figures that stand out, each with what it was before.
pub(super) struct Card {
    pub(super) label: &'static str,
    pub(super) value: String,
    pub(super) change: Change,
    pub(super) note: Option<String>,
}

/// How a figure stands to the period before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Change {
    /// Nobody asks.
    NotAsked,
    /// There is nothing to divide by.
    Unknown,
    /// By this share of what it was.
    By(f64),
}

impl Change {
    /// How a figure stands to what it was, where that was asked for.
    pub(super) fn of<T>(now: &T, before: Option<&T>, figure: impl Fn(&T) -> Option<f64>) -> Self {
        let Some(before) = before else { return Self::NotAsked };
        match (figure(now), figure(before)) {
            (Some(now), Some(before)) if before > 0.0 => Self::By((now - before) / before),
            _ => Self::Unknown,
        }
    }
}

/// Cards in a row.
pub(super) fn cards(label: &str, cards: &[Card]) -> Markup {
    html! {
        dl.cards aria-label=(label) {
            @for card in cards {
                div {
                    dt { (card.label) }
                    dd.figure { (card.value) }
                    @match card.change {
                        Change::By(change) => dd.change { (change_told(change)) span.muted { " from before" } },
                        Change::Unknown => dd.change { span.muted { "nothing before" } },
                        Change::NotAsked => {},
                    }
                    @if let Some(note) = &card.note { dd.note { (note) } }
                }
            }
        }
    }
}

fn change_told(change: f64) -> Markup {
    let arrow = if change > 0.0 {
        "▲"
    } else if change < 0.0 {
        "▼"
    } else {
        "="
    };
    let word = if change < 0.0 { "down" } else { "up" };
    html! {
        span aria-hidden="true" { (arrow) " " } span.hidden { (word) " " }
        (crate::figures::percent(change.abs()))
    }
}

/// A value of a filter as people read it.
pub(super) fn shown(key: FilterKey, value: &str) -> String {
    match key {
        FilterKey::Class | FilterKey::Channel | FilterKey::Device => words(value),
        FilterKey::Source
        | FilterKey::Browser
        | FilterKey::Os
        | FilterKey::Country
        | FilterKey::User
        | FilterKey::Agent
        | FilterKey::Tool
        | FilterKey::Provider
        | FilterKey::Model => value.to_owned(),
    }
}

/// A name of the wire as words: `declared_bot` is `declared bot`.
pub(super) fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// The beginning of an identifier, which is enough to tell those of a page apart.
pub(super) fn short(id: &str) -> String {
    format!("{}…", id.get(..10).unwrap_or(id))
}

/// A number of rows that is allowed.
pub(super) const fn rows(count: u32) -> BatchLimit {
    match BatchLimit::new(count) {
        Ok(limit) => limit,
        Err(_) => panic!("1 to 10,000 rows are allowed"),
    }
}

const ROWS: BatchLimit = rows(50);
