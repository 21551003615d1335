//! Everything at a glance: people and automation side by side, and what the period brought.

use analytics_domain::stats::ReportName;
use analytics_domain::stats::reports::{TrafficFigures, TrafficSummary};
use analytics_ports::{PageRequest, SessionFilter};
use chrono::{TimeDelta, Utc};
use maud::{Markup, html};

use super::super::chart::Columns;
use super::super::page::{Ask, Block, Body, Card, Change, PageName, cards, rows};
use super::super::problem::Problem;
use super::super::series::Timeline;
use super::super::table::{Cell, Column, Table};
use super::super::view::{Link, View};
use super::{automation, breakdowns, content};
use crate::figures::{duration, percent};
use crate::replay::text::grouped;
use crate::services::ReportData;

pub(in super::super) async fn body(ask: &Ask<'_>) -> Result<Body, Problem> {
    let compare = ask.compares_by_itself();
    let report = ask.report(ReportName::TrafficSummary, compare, SHORT).await?;
    let before = report.before.map(|before| before.data);
    let (now, before) = (summary(Some(report.data)), before.map(|data| summary(Some(data))));
    let timeline = Timeline::load(ask).await?;
    let mut blocks = Vec::new();
    if now.people.sessions + now.bots.sessions + now.ai_agents.sessions == 0 {
        blocks.push(Block::Markup(nothing(ask).await?));
    }
    blocks.push(Block::Markup(people(&now.people, before.as_ref().map(|before| &before.people))));
    blocks.push(Block::Markup(html! { h2 { "Sessions over time" } }));
    blocks.push(Block::Markup(chart(ask.view, &timeline)));
    blocks.push(Block::Folded("The chart as a table", figures(&timeline, ask.view)));
    blocks.push(Block::Table(audiences(&now, before.as_ref())));
    blocks.push(Block::Row(vec![
        Block::Table(content::short(ask, SHORT).await?),
        Block::Table(breakdowns::short(ask, &breakdowns::SOURCES, PageName::Sources, SHORT).await?),
    ]));
    blocks.push(Block::Row(vec![
        Block::Table(automation::short(ask, SHORT).await?),
        Block::Table(breakdowns::short(ask, &breakdowns::COUNTRIES, PageName::Countries, SHORT).await?),
    ]));
    Ok(Body { title: PageName::Overview.title().to_owned(), lead: None, blocks, timed: true, live: true })
}

/// What people did, each figure beside what it was before.
fn people(now: &TrafficFigures, before: Option<&TrafficFigures>) -> Markup {
    let counted = |label, of: fn(&TrafficFigures) -> u64| Card {
        label,
        value: grouped(of(now)),
        change: Change::of(now, before, |figures| Some(of(figures) as f64)),
        note: None,
    };
    let measured = |label, show: fn(f64) -> String, of: fn(&TrafficFigures) -> Option<f64>| Card {
        label,
        value: of(now).map_or_else(|| "–".to_owned(), show),
        change: Change::of(now, before, of),
        note: None,
    };
    let engaged = |figures: &TrafficFigures| figures.bounce_rate.map(|bounced| 1.0 - bounced);
    html! {
        h2 { "People" }
        (cards("People", &[
            counted("Visitors", |figures| figures.visitors),
            counted("Sessions", |figures| figures.sessions),
            counted("Page views", |figures| figures.page_views),
            measured("Bounce rate", percent, |figures| figures.bounce_rate),
            Card { note: Some("two pages or more, or engagement".to_owned()), ..measured("Engaged sessions", percent, engaged) },
            measured("Mean visit", duration, |figures| figures.mean_duration_s),
        ]))
    }
}

fn chart(view: &View, timeline: &Timeline) -> Markup {
    let title = format!(
        "Sessions of people, suspected, AI agents and bots from {} to {}, {} columns one upon the other",
        view.time_of(view.period.from()),
        view.time_of(view.period.until()),
        timeline.counts.len(),
    );
    let (labels, spans, series) = (timeline.labels(view), timeline.spans(view), timeline.series());
    Columns { title: &title, series: &series, labels: &labels, spans: &spans }.html()
}

fn figures(timeline: &Timeline, view: &View) -> Table {
    let rows =
        timeline.begins().zip(timeline.spans(view)).zip(&timeline.counts).map(|((at, span), counts)| {
            vec![
                Cell::Time(Some(at)),
                Cell::Text(span),
                Cell::Count(counts.people),
                Cell::Count(counts.suspected),
                Cell::Count(counts.ai_agents),
                Cell::Count(counts.bots),
            ]
        });
    Table {
        id: "timeline",
        caption: "Sessions by what they are taken for, by their start".to_owned(),
        columns: vec![
            Column::text("from", ""),
            Column::text("span", "Time"),
            Column::number("people_sessions", "People"),
            Column::number("suspected_sessions", "Suspected"),
            Column::number("ai_agent_sessions", "AI agents"),
            Column::number("bot_sessions", "Bots"),
        ],
        rows: rows.collect(),
        empty: String::new(),
        more: None,
    }
}

/// People, bots and AI agents side by side.
fn audiences(now: &TrafficSummary, before: Option<&TrafficSummary>) -> Table {
    let mut columns = vec![
        Column::text("audience", "Audience"),
        Column::number("sessions", "Sessions"),
        Column::number("visitors", "Visitors"),
        Column::detail("requests", "Requests"),
        Column::number("page_views", "Page views"),
        Column::detail("pages_per_session", "Pages per session"),
        Column::detail("hostile", "Hostile"),
        Column::detail("errors", "Errors"),
        Column::detail("refused", "Refused"),
    ];
    if before.is_some() {
        columns.insert(2, Column::detail("sessions_before", "Sessions before"));
    }
    let row = |name: &str, of: fn(&TrafficSummary) -> &TrafficFigures| {
        let figures = of(now);
        let mut cells = vec![
            Cell::Text(name.to_owned()),
            Cell::Count(figures.sessions),
            Cell::Count(figures.visitors),
            Cell::Count(figures.requests),
            Cell::Count(figures.page_views),
            Cell::Number(figures.pages_per_session),
            Cell::Count(figures.hostile),
            Cell::Count(figures.errors),
            Cell::Count(figures.refused),
        ];
        if let Some(before) = before {
            cells.insert(2, Cell::Count(of(before).sessions));
        }
        cells
    };
    let share = now.automation_share.map_or_else(|| "–".to_owned(), percent);
    Table {
        id: "audiences",
        caption: format!("People, suspected among them, and automation, which is {share} of the sessions"),
        columns,
        rows: vec![
            row("People", |summary| &summary.people),
            row("Bots", |summary| &summary.bots),
            row("AI agents", |summary| &summary.ai_agents),
        ],
        empty: String::new(),
        more: None,
    }
}

/// What to do where no session started in the period.
async fn nothing(ask: &Ask<'_>) -> Result<Markup, Problem> {
    let sessions = &ask.dashboard.stores.sessions;
    let newest = sessions.list(&SessionFilter::default(), PageRequest::first(rows(1))).await?;
    let Some(newest) = newest.items.first() else {
        return Ok(html! {
            div.notice {
                p { strong { "Nothing has been seen yet." } }
                p {
                    "Put the service behind your proxy (" code { "/v1/decide" } "), send requests to " code { "/v1/observe" }
                    ", add " code { "<script src=\"/tracker.js\" defer></script>" } " to your pages, or look around with "
                    code { "analytics serve --demo" } "."
                }
            }
        });
    };
    let started = newest.record().started_at;
    let (from, to) = (started - TimeDelta::hours(24), started + TimeDelta::seconds(1));
    let text = |at: chrono::DateTime<Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let link = Link::to("/").with("from", &text(from)).with("to", &text(to));
    Ok(html! {
        div.notice {
            p { strong { "No session started in this period" } @if !ask.view.filter.parts().is_empty() { " that the filters let through" } "." }
            p {
                "The newest session started at " (super::super::table::time(ask.view, started)) ": "
                a href=(link) { "show the day before it" } "."
            }
        }
    })
}

fn summary(data: Option<ReportData>) -> TrafficSummary {
    if let Some(ReportData::TrafficSummary(summary)) = data {
        *summary
    } else {
        (&analytics_domain::stats::ByAudience::default()).into()
    }
}

const SHORT: analytics_ports::BatchLimit = rows(8);
