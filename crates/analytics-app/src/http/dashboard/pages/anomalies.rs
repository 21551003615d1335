//! What was out of the ordinary, and series with the band of what was expected.

use analytics_domain::anomaly::{AnomalyEvent, AnomalyLevel, Baseline, BaselinePolicy, SeriesKind};
use analytics_ports::{AnomalyEventCursor, AnomalyEventFilter, PageRequest};
use chrono::TimeDelta;
use maud::{Markup, html};

use super::super::chart::{Line, Point};
use super::super::page::{Ask, Block, Body, PageName};
use super::super::problem::Problem;
use super::super::series::{self, PartCounts};
use super::super::table::{Cell, Column, Kind, Table};
use super::super::view::View;
use crate::http::cursor;

pub(in super::super) async fn body(ask: &Ask<'_>) -> Result<Body, Problem> {
    let mut blocks = vec![Block::Markup(chooser(ask.view))];
    if let Some(series) = series_of(ask.view)? {
        blocks.extend(drawn(ask, series).await?);
    }
    blocks.push(Block::Table(table(ask).await?));
    Ok(Body {
        title: PageName::Anomalies.title().to_owned(),
        lead: Some(
            html! { "Times in which a metric passed its limits, or departed from what came before. Opened in the period, the newest first." },
        ),
        blocks,
        timed: true,
        live: true,
    })
}

/// A series that can be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drawn {
    People,
    Bots,
    AiAgents,
}

impl Drawn {
    const ALL: [Self; 3] = [Self::People, Self::Bots, Self::AiAgents];

    const fn as_str(self) -> &'static str {
        match self {
            Self::People => "people",
            Self::Bots => "bots",
            Self::AiAgents => "ai_agents",
        }
    }

    const fn told(self) -> &'static str {
        match self {
            Self::People => "Sessions of people",
            Self::Bots => "Sessions of bots",
            Self::AiAgents => "Sessions of AI agents",
        }
    }

    const fn of(self, counts: &PartCounts) -> u64 {
        match self {
            Self::People => counts.people + counts.suspected,
            Self::Bots => counts.bots,
            Self::AiAgents => counts.ai_agents,
        }
    }
}

fn series_of(view: &View) -> Result<Option<Drawn>, Problem> {
    let Some(name) = view.own("series") else { return Ok(None) };
    let series = Drawn::ALL.into_iter().find(|series| series.as_str() == name);
    series.map(Some).ok_or_else(|| Problem::query("series", "is people, bots or ai_agents"))
}

fn chooser(view: &View) -> Markup {
    let same = view.same(PageName::Anomalies.path());
    let (state, series) = (view.own("state"), view.own("series"));
    html! {
        ul.presets aria-label="State" {
            @for (name, told) in [(None, "all"), (Some("open"), "open"), (Some("new"), "not acknowledged")] {
                @let link = name.map_or_else(|| same.clone().without("state"), |name| same.clone().with("state", name));
                li { a href=(link) aria-current=[(state == name).then_some("true")] { (told) } }
            }
        }
        ul.presets aria-label="Draw a series" {
            @for one in Drawn::ALL {
                li {
                    a href=(same.clone().with("series", one.as_str()))
                        aria-current=[(series == Some(one.as_str())).then_some("true")] { (one.told()) }
                }
            }
        }
    }
}

/// Parts of the period with the band that a baseline expects, which learns from the time before.
async fn drawn(ask: &Ask<'_>, series: Drawn) -> Result<Vec<Block>, Problem> {
    let view = ask.view;
    let until = view.period.until();
    let length = view.period.length().clamp(TimeDelta::hours(6), TimeDelta::days(14));
    let from = until - length;
    let (part, told, before) = if length <= TimeDelta::hours(24) {
        (TimeDelta::minutes(15), "in a quarter of an hour", TimeDelta::days(7))
    } else {
        (TimeDelta::hours(1), "in an hour", TimeDelta::days(21))
    };
    let learned = analytics_domain::stats::Period::ending(until, length + before);
    let Some(learned) = learned else {
        return Err(Problem::query("to", "is too early to draw a series"));
    };
    let parts = view.zone.parts(learned, part).map_err(|error| Problem::Report(error.to_string()))?;
    let counts = series::counts(ask, &parts).await?;
    let (policy, mut baseline) = (BaselinePolicy::default(), Baseline::new(SeriesKind::Count));
    // What came before the first session is no series of zeros: nobody was watching.
    let begun = counts.iter().position(|counts| *counts != PartCounts::default()).unwrap_or(counts.len());
    let (mut points, mut labels, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for ((&at, counts), day) in parts.edges().iter().zip(&counts).zip(parts.days()).skip(begun) {
        // A part that is not over yet would look like a drop.
        if !day.whole {
            continue;
        }
        let value = series.of(counts) as f64;
        let Ok(reading) = baseline.observe(&policy, value, at) else { continue };
        if at < from {
            continue;
        }
        let expected = reading.expected.map(|band| (band.lower().get(), band.upper().get()));
        let open = reading.open_since.is_some();
        points.push(Point { value, expected, open });
        let format = if length > TimeDelta::hours(36) { "%a %H:%M" } else { "%H:%M" };
        labels.push(view.zone.local(at).format(format).to_string());
        rows.push(vec![
            Cell::Time(Some(at)),
            Cell::Count(series.of(counts)),
            Cell::Number(expected.map(|(low, _)| low.max(0.0))),
            Cell::Number(expected.map(|(_, high)| high)),
            Cell::Number(Some(reading.score.get())),
            Cell::Text(if open { "open" } else { "" }.to_owned()),
        ]);
    }
    let told = format!("{} {told}", series.told());
    let title = format!("{told}, up to {}, with the band that was expected", view.time_of(until));
    let table = Table {
        id: "series",
        caption: told.clone(),
        columns: vec![
            Column::text("timestamp", "From"),
            Column::number("value", "Value"),
            Column::number("lower", "Expected from"),
            Column::number("upper", "To"),
            Column::number("anomaly_score", "Score"),
            Column::text("anomaly", "Anomaly"),
        ],
        rows,
        empty: "No session started in or before this period, so there is nothing to draw.".to_owned(),
        more: None,
    };
    if points.is_empty() {
        return Ok(vec![Block::Table(table)]);
    }
    Ok(vec![
        Block::Heading(told),
        Block::Markup(Line { title: &title, points: &points, labels: &labels }.html()),
        Block::Folded("The chart as a table", table),
    ])
}

async fn table(ask: &Ask<'_>) -> Result<Table, Problem> {
    let view = ask.view;
    let filter = AnomalyEventFilter {
        opened_from: Some(view.period.from()),
        opened_before: Some(view.period.until()),
        ..state(view)?
    };
    let page = PageRequest { limit: ask.rows(), after: after(view)? };
    let page = ask.dashboard.stores.anomalies.list(&filter, page).await?;
    let more = page.next.map(|next| {
        let cursor = cursor::place(next.opened_at, next.id);
        ("Older anomalies".to_owned(), view.same(PageName::Anomalies.path()).with("after", &cursor))
    });
    Ok(Table {
        id: "anomalies",
        caption: "Anomalies".to_owned(),
        columns: vec![
            Column::text("metric", "Metric"),
            Column::text("level", "Level"),
            Column::note("rule", "Rule"),
            Column::number("value", "Value"),
            Column::detail("expected", "Expected"),
            Column::note("since", ""),
            Column::text("opened_at", "Opened"),
            Column::note("closed_at", "Closed"),
            Column { kind: Kind::Action, ..Column::text("acknowledged_at", "Acknowledged") },
        ],
        rows: page.items.iter().map(|event| row(ask, event)).collect(),
        empty: "Nothing was out of the ordinary in this period. Limits of metrics are set by the command analytics thresholds set.".to_owned(),
        more,
    })
}

fn row(ask: &Ask<'_>, event: &AnomalyEvent) -> Vec<Cell> {
    let level = match event.level {
        AnomalyLevel::Normal => "human",
        AnomalyLevel::Warning => "suspected",
        AnomalyLevel::Critical => "bot",
    };
    let acknowledged = if event.acknowledged_at.is_some() {
        Cell::Time(event.acknowledged_at)
    } else {
        let told = format!("Acknowledge {}", event.metric.as_str());
        let inside = html! { button type="submit" aria-label=(told) { "Acknowledge" } };
        Cell::Markup(ask.dashboard.forms.form(&format!("/anomalies/{}/acknowledge", event.id), &[], &inside))
    };
    let expected =
        event.expected.as_ref().map(|band| format!("{:.2} to {:.2}", band.lower().get(), band.upper().get()));
    vec![
        Cell::Text(event.metric.as_str().to_owned()),
        Cell::Badge(event.level.as_str().to_owned(), level),
        Cell::Text(event.rule.as_str().to_owned()),
        Cell::Number(Some(event.value.get())),
        Cell::text(expected),
        Cell::Time(Some(event.since)),
        Cell::Time(Some(event.opened_at)),
        event.closed_at.map_or_else(|| Cell::Text("still open".to_owned()), |at| Cell::Time(Some(at))),
        acknowledged,
    ]
}

fn state(view: &View) -> Result<AnomalyEventFilter, Problem> {
    let all = AnomalyEventFilter::default();
    match view.own("state") {
        None => Ok(all),
        Some("open") => Ok(AnomalyEventFilter { open: Some(true), ..all }),
        Some("new") => Ok(AnomalyEventFilter { acknowledged: Some(false), ..all }),
        Some(_) => Err(Problem::query("state", "is open or new")),
    }
}

fn after(view: &View) -> Result<Option<AnomalyEventCursor>, Problem> {
    let read = |text| cursor::read(text).map(|(opened_at, id)| AnomalyEventCursor { opened_at, id });
    view.own("after")
        .map(|text| read(text).ok_or_else(|| Problem::query("after", "is no place in a list of anomalies")))
        .transpose()
}
