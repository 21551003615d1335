//! Pages by their views.

use analytics_domain::stats::ReportName;
use analytics_ports::BatchLimit;
use maud::html;

use super::super::page::{Ask, Block, Body, PageName};
use super::super::problem::Problem;
use super::super::table::{Cell, Column, Table};
use crate::services::ReportData;

pub(in super::super) async fn body(ask: &Ask<'_>) -> Result<Body, Problem> {
    let until = super::super::table::time(ask.view, ask.view.period.until());
    Ok(Body {
        title: PageName::Pages.title().to_owned(),
        lead: Some(html! {
            "Views by people in the last 5 minutes, hour, day, 7 days and 30 days up to " (until)
            ", beside those of bots and AI agents in the 30 days."
        }),
        blocks: vec![Block::Table(table(ask, ask.rows()).await?)],
        timed: true,
        live: true,
    })
}

/// A table of the first pages that leads to the page about them.
pub(super) async fn short(ask: &Ask<'_>, rows: BatchLimit) -> Result<Table, Problem> {
    let mut table = table(ask, rows).await?;
    "Pages, views of the last day, 7 and 30 days".clone_into(&mut table.caption);
    for at in [1, 2, 6, 7, 8] {
        // The columns stay in CSV.
        table.columns[at].label = "";
    }
    let more = ask.view.link(PageName::Pages.path(), PageName::Pages.keys());
    table.more = Some(("All pages".to_owned(), more));
    Ok(table)
}

async fn table(ask: &Ask<'_>, rows: BatchLimit) -> Result<Table, Problem> {
    let report = ask.report(ReportName::ContentStats, false, rows).await?;
    let lines = if let ReportData::ContentStats(stats) = report.data { stats.pages } else { Vec::new() };
    let most = lines.iter().map(|line| line.views_30d).max().unwrap_or(0).max(1) as f64;
    let rows = lines.into_iter().map(|line| {
        vec![
            Cell::Ranked(Some(line.path.to_string()), None, line.views_30d as f64 / most),
            Cell::Count(line.views_5m),
            Cell::Count(line.views_1h),
            Cell::Count(line.views_1d),
            Cell::Count(line.views_7d),
            Cell::Count(line.views_30d),
            Cell::Count(line.visitors_30d),
            Cell::Count(line.bot_views_30d),
            Cell::Count(line.ai_agent_views_30d),
        ]
    });
    Ok(Table {
        id: "pages",
        caption: "Pages, by views of people in 30 days".to_owned(),
        columns: vec![
            Column::text("path", "Page"),
            Column::detail("views_5m", "5 min"),
            Column::detail("views_1h", "1 h"),
            Column::number("views_1d", "24 h"),
            Column::number("views_7d", "7 d"),
            Column::number("views_30d", "30 d"),
            Column::detail("visitors_30d", "Visitors"),
            Column::detail("bot_views_30d", "Bots"),
            Column::detail("ai_agent_views_30d", "AI agents"),
        ],
        rows: rows.collect(),
        empty:
            "No page was viewed in the 30 days before the end of this period. Send requests to /v1/decide or \
                /v1/observe, or keep a log with `analytics replay --store`."
                .to_owned(),
        more: None,
    })
}
