//! The use of AI providers, agents and tools, and what it cost.

use analytics_domain::stats::reports::{
    AgentLine, CostDay, ModelLine, RunFigures, ToolLine, UsageFigures, UserLine,
};
use analytics_domain::stats::{FilterKey, ReportName};
use maud::html;

use super::super::page::{Ask, Block, Body, Card, Change, PageName, cards};
use super::super::problem::Problem;
use super::super::table::{Cell, Column, Table};
use crate::figures::{dollars, percent, signed};
use crate::replay::text::grouped;
use crate::services::ReportData;

pub(in super::super) async fn body(ask: &Ask<'_>) -> Result<Body, Problem> {
    let mut blocks = Vec::new();
    let mut left_out = Vec::new();
    if ask.suits(ReportName::CostOverview) {
        let report = ask.report(ReportName::CostOverview, ask.compares_by_itself(), ask.rows()).await?;
        let before = match report.before.as_ref().map(|before| &before.data) {
            Some(ReportData::CostOverview(before)) => Some(&before.usage),
            _ => None,
        };
        if let ReportData::CostOverview(cost) = &report.data {
            blocks.push(Block::Markup(cards("AI requests", &figures(&cost.usage, before))));
            blocks.push(Block::Table(models(ask, &cost.models)));
            blocks.push(Block::Table(days(&cost.days)));
        }
    } else {
        left_out.push("AI requests");
    }
    if ask.suits(ReportName::TopAgents) {
        let report = ask.report(ReportName::TopAgents, false, ask.rows()).await?;
        if let ReportData::TopAgents(top) = &report.data {
            blocks.push(Block::Table(agents(ask, &top.agents)));
        }
    } else {
        left_out.push("agents");
    }
    if ask.suits(ReportName::TopTools) {
        let report = ask.report(ReportName::TopTools, false, ask.rows()).await?;
        if let ReportData::TopTools(top) = &report.data {
            blocks.push(Block::Table(tools(ask, &top.tools)));
        }
    } else {
        left_out.push("tools");
    }
    if ask.suits(ReportName::TopUsers) {
        let report = ask.report(ReportName::TopUsers, false, ask.rows()).await?;
        if let ReportData::TopUsers(top) = &report.data {
            blocks.push(Block::Table(users(ask, &top.users)));
        }
    } else {
        left_out.push("users");
    }
    if !left_out.is_empty() {
        let list = left_out.join(", ");
        blocks.push(Block::Markup(
            html! { p.muted { "Left out, since they cannot be filtered so: " (list) "." } },
        ));
    }
    Ok(Body {
        title: PageName::Usage.title().to_owned(),
        lead: Some(
            html! { "What was told of requests to AI providers, of tasks of agents and of runs of tools. A request of unknown price is unpriced, never free." },
        ),
        blocks,
        timed: true,
        live: true,
    })
}

fn figures(now: &UsageFigures, before: Option<&UsageFigures>) -> [Card; 6] {
    let was = |of: fn(&UsageFigures) -> f64| Change::of(now, before, |figures| Some(of(figures)));
    let card = |label, value, change| Card { label, value, change, note: None };
    let rate = now.failure_rate.map_or_else(|| "–".to_owned(), percent);
    let latency =
        now.mean_latency_ms.map_or_else(|| "–".to_owned(), |ms| format!("{} ms", signed(ms.round() as i128)));
    [
        Card {
            note: (now.unpriced > 0).then(|| format!("{} requests unpriced", grouped(now.unpriced))),
            ..card(
                "Cost",
                dollars(now.cost_nano_dollars.get().into()),
                was(|of| of.cost_nano_dollars.get() as f64),
            )
        },
        card("Requests", grouped(now.requests), was(|of| of.requests as f64)),
        Card {
            note: now.cached_share.map(|share| format!("{} cached", percent(share))),
            ..card("Input tokens", grouped(now.input_tokens), was(|of| of.input_tokens as f64))
        },
        card("Output tokens", grouped(now.output_tokens), was(|of| of.output_tokens as f64)),
        card("Failed", rate, Change::NotAsked),
        card("Mean latency", latency, Change::NotAsked),
    ]
}

fn models(ask: &Ask<'_>, lines: &[ModelLine]) -> Table {
    let most = lines.iter().map(|line| line.usage.cost_nano_dollars.get()).max().unwrap_or(0).max(1) as f64;
    let rows = lines.iter().map(|line| {
        let usage = &line.usage;
        let link = ask.view.same(PageName::Usage.path()).filtered(FilterKey::Model, line.model.as_str());
        let share = usage.cost_nano_dollars.get() as f64 / most;
        vec![
            Cell::Ranked(Some(line.model.to_string()), Some(link), share),
            Cell::Text(line.provider.to_string()),
            Cell::Money(Some(usage.cost_nano_dollars)),
            Cell::Count(usage.requests),
            Cell::Count(usage.unpriced),
            Cell::Count(usage.input_tokens),
            Cell::Count(usage.output_tokens),
            Cell::Share(usage.failure_rate),
            Cell::Millis(usage.mean_latency_ms),
        ]
    });
    Table {
        id: "models",
        caption: "Models, by cost".to_owned(),
        columns: vec![
            Column::text("model", "Model"),
            Column::note("provider", "Provider"),
            Column::number("cost_nano_dollars", "Cost"),
            Column::number("requests", "Requests"),
            Column::detail("unpriced", "Unpriced"),
            Column::detail("input_tokens", "Input tokens"),
            Column::detail("output_tokens", "Output tokens"),
            Column::detail("failure_rate", "Failed"),
            Column::detail("mean_latency_ms", "Latency"),
        ],
        rows: rows.collect(),
        empty: "No request to an AI provider was told in this period. Tell them with POST /v1/ai-requests."
            .to_owned(),
        more: None,
    }
}

fn days(days: &[CostDay]) -> Table {
    let rows = days.iter().map(|day| {
        vec![
            Cell::Text(day.day.date.to_string()),
            Cell::Text(if day.day.whole { "" } else { "a part" }.to_owned()),
            Cell::Money(Some(day.cost_nano_dollars)),
            Cell::Count(day.ai_requests),
            Cell::Count(day.unpriced),
            Cell::Count(day.tokens),
        ]
    });
    Table {
        id: "days",
        caption: "Cost by day".to_owned(),
        columns: vec![
            Column::text("date", "Day"),
            Column::note("part", "Of the day"),
            Column::number("cost_nano_dollars", "Cost"),
            Column::number("ai_requests", "Requests"),
            Column::detail("unpriced", "Unpriced"),
            Column::number("tokens", "Tokens"),
        ],
        rows: rows.collect(),
        empty: String::new(),
        more: None,
    }
}

fn agents(ask: &Ask<'_>, lines: &[AgentLine]) -> Table {
    let most = lines.iter().map(|line| line.tasks.runs).max().unwrap_or(0).max(1) as f64;
    let rows = lines.iter().map(|line| {
        let link = ask.view.same(PageName::Usage.path()).filtered(FilterKey::Agent, line.agent.as_str());
        let name = Cell::Ranked(Some(line.agent.to_string()), Some(link), line.tasks.runs as f64 / most);
        let mut cells = vec![name];
        cells.extend(runs(&line.tasks));
        cells.extend([
            Cell::Count(line.ai_requests),
            Cell::Money(Some(line.cost_nano_dollars)),
            Cell::Count(line.tool_executions),
        ]);
        cells
    });
    let mut columns = vec![Column::text("agent", "Agent")];
    columns.extend(RUNS);
    columns.extend([
        Column::detail("ai_requests", "AI requests"),
        Column::number("cost_nano_dollars", "Cost"),
        Column::detail("tool_executions", "Tool runs"),
    ]);
    Table {
        id: "agents",
        caption: "Agents, by tasks".to_owned(),
        columns,
        rows: rows.collect(),
        empty: "No task of an agent was told in this period. Tell them with POST /v1/tasks.".to_owned(),
        more: None,
    }
}

fn tools(ask: &Ask<'_>, lines: &[ToolLine]) -> Table {
    let most = lines.iter().map(|line| line.runs.runs).max().unwrap_or(0).max(1) as f64;
    let rows = lines.iter().map(|line| {
        let link = ask.view.same(PageName::Usage.path()).filtered(FilterKey::Tool, line.tool.as_str());
        let mut cells =
            vec![Cell::Ranked(Some(line.tool.to_string()), Some(link), line.runs.runs as f64 / most)];
        cells.extend(runs(&line.runs));
        cells
    });
    let mut columns = vec![Column::text("tool", "Tool")];
    columns.extend(RUNS);
    Table {
        id: "tools",
        caption: "Tools, by runs".to_owned(),
        columns,
        rows: rows.collect(),
        empty: "No run of a tool was told in this period. Tell them with POST /v1/tool-executions."
            .to_owned(),
        more: None,
    }
}

fn users(ask: &Ask<'_>, lines: &[UserLine]) -> Table {
    let rows = lines.iter().map(|line| {
        let link = ask.view.same(PageName::Usage.path()).filtered(FilterKey::User, line.user.as_str());
        vec![
            Cell::Linked(line.user.as_str().to_owned(), link),
            Cell::Money(Some(line.cost_nano_dollars)),
            Cell::Count(line.ai_requests),
            Cell::Count(line.tokens),
            Cell::Count(line.sessions),
            Cell::Count(line.tasks),
            Cell::Count(line.conversations),
            Cell::Count(line.messages),
        ]
    });
    Table {
        id: "users",
        caption: "Users, by cost".to_owned(),
        columns: vec![
            Column::text("user", "User"),
            Column::number("cost_nano_dollars", "Cost"),
            Column::number("ai_requests", "Requests"),
            Column::detail("tokens", "Tokens"),
            Column::detail("sessions", "Sessions"),
            Column::detail("tasks", "Tasks"),
            Column::detail("conversations", "Conversations"),
            Column::detail("messages", "Messages"),
        ],
        rows: rows.collect(),
        empty: "No user was named in this period.".to_owned(),
        more: None,
    }
}

fn runs(figures: &RunFigures) -> [Cell; 4] {
    [
        Cell::Count(figures.runs),
        Cell::Count(figures.failed),
        Cell::Share(figures.failure_rate),
        Cell::Millis(figures.mean_duration_ms),
    ]
}

const RUNS: [Column; 4] = [
    Column::number("runs", "Runs"),
    Column::detail("failed", "Failed"),
    Column::number("failure_rate", "Failure rate"),
    Column::detail("mean_duration_ms", "Mean time"),
];
