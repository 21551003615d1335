//! Answers of 400 and more.

use analytics_domain::stats::ReportName;
use analytics_domain::stats::reports::{ErrorFigures, ErrorSummary};
use maud::html;

use super::super::page::{Ask, Block, Body, PageName};
use super::super::problem::Problem;
use super::super::table::{Cell, Column, Table};
use crate::services::ReportData;

pub(in super::super) async fn body(ask: &Ask<'_>) -> Result<Body, Problem> {
    let report = ask.report(ReportName::ErrorSummary, ask.compares_when_told(), ask.rows()).await?;
    let mut blocks = Vec::new();
    if let ReportData::ErrorSummary(summary) = &report.data {
        blocks.push(Block::Table(audiences("errors", "Errors by audience", summary)));
        if let Some(ReportData::ErrorSummary(before)) = report.before.as_ref().map(|before| &before.data) {
            blocks.push(Block::Table(audiences(
                "errors-before",
                "Errors by audience in the period before",
                before,
            )));
        }
        blocks.push(Block::Row(vec![Block::Table(statuses(summary)), Block::Table(paths(summary))]));
    }
    Ok(Body {
        title: PageName::Errors.title().to_owned(),
        lead: Some(
            html! { "Requests answered with 400 to 599, by the time of the request. Refusals by limits stand apart." },
        ),
        blocks,
        timed: true,
        live: true,
    })
}

fn audiences(id: &'static str, caption: &str, summary: &ErrorSummary) -> Table {
    let row = |name: &str, figures: &ErrorFigures| {
        vec![
            Cell::Text(name.to_owned()),
            Cell::Count(figures.requests),
            Cell::Count(figures.client_errors),
            Cell::Count(figures.server_errors),
            Cell::Share(figures.error_rate),
            Cell::Count(figures.refused),
        ]
    };
    Table {
        id,
        caption: caption.to_owned(),
        columns: vec![
            Column::text("audience", "Audience"),
            Column::number("requests", "Requests"),
            Column::number("client_errors", "4xx"),
            Column::number("server_errors", "5xx"),
            Column::number("error_rate", "Rate"),
            Column::detail("refused", "Refused"),
        ],
        rows: vec![
            row("People", &summary.people),
            row("Bots", &summary.bots),
            row("AI agents", &summary.ai_agents),
        ],
        empty: String::new(),
        more: None,
    }
}

fn statuses(summary: &ErrorSummary) -> Table {
    let rows = summary.statuses.iter().map(|line| {
        vec![
            Cell::Plain(line.status.into()),
            Cell::Count(line.people_requests),
            Cell::Count(line.bot_requests),
            Cell::Count(line.ai_agent_requests),
        ]
    });
    Table {
        id: "statuses",
        caption: "Statuses".to_owned(),
        columns: vec![
            Column::text("status", "Status"),
            Column::number("people_requests", "People"),
            Column::number("bot_requests", "Bots"),
            Column::number("ai_agent_requests", "AI agents"),
        ],
        rows: rows.collect(),
        empty: NONE.to_owned(),
        more: None,
    }
}

fn paths(summary: &ErrorSummary) -> Table {
    let most =
        summary.paths.iter().map(|row| row.client_errors + row.server_errors).max().unwrap_or(0).max(1);
    let rows = summary.paths.iter().map(|row| {
        let share = (row.client_errors + row.server_errors) as f64 / most as f64;
        vec![
            Cell::Ranked(Some(row.path.to_string()), None, share),
            Cell::Count(row.client_errors),
            Cell::Count(row.server_errors),
        ]
    });
    Table {
        id: "paths",
        caption: "Paths with errors".to_owned(),
        columns: vec![
            Column::text("path", "Path"),
            Column::number("client_errors", "4xx"),
            Column::number("server_errors", "5xx"),
        ],
        rows: rows.collect(),
        empty: NONE.to_owned(),
        more: None,
    }
}

const NONE: &str =
    "No request of this period was answered with an error. Choose a longer period to look further back.";
