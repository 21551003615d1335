//! Sessions, the newest first.

use analytics_domain::detector::Class;
use analytics_domain::ids::{FingerprintHash, VisitorId};
use analytics_domain::session::{AnalyticsSession, Text};
use analytics_domain::stats::FilterKey;
use analytics_ports::{Page, PageRequest, SessionCursor, SessionFilter};
use maud::{Markup, html};

use super::super::page::{Ask, Block, Body, PageName, words};
use super::super::problem::Problem;
use super::super::table::{Cell, Column, Table};
use super::super::view::View;
use crate::http::cursor;

pub(in super::super) async fn body(ask: &Ask<'_>) -> Result<Body, Problem> {
    let view = ask.view;
    let (filter, after) = (filter(view)?, after(view)?);
    let (page, looked_at) = list(ask, &filter, after).await?;
    let more = page.next.map(|next| {
        let cursor = cursor::place(next.started_at, next.id);
        ("Older sessions".to_owned(), view.same(PageName::Sessions.path()).with("after", &cursor))
    });
    let rest = more.clone();
    let table = Table {
        id: "sessions",
        caption: "Sessions, the newest first".to_owned(),
        columns: vec![
            Column::text("", "Started"),
            Column::text("started_at", ""),
            Column::text("session_id", ""),
            Column::text("class", "Taken for"),
            Column::number("score", "Score"),
            Column::note("client", "Client"),
            Column::note("landing_page", "First page"),
            Column::detail("duration_s", "Length"),
            Column::number("requests", "Requests"),
            Column::detail("page_views", "Pages"),
            Column::detail("errors", ""),
            Column::detail("refused", ""),
            Column::note("max_level", "Strictest"),
        ],
        rows: page.items.iter().map(|session| row(view, session)).collect(),
        empty: if looked_at > 0 {
            format!("None of the {looked_at} sessions that were looked at passes the filters.")
        } else {
            "No session started in this period. Choose a longer one, or fewer filters.".to_owned()
        },
        more,
    };
    let empty = table.rows.is_empty();
    let mut blocks = vec![Block::Markup(chooser(view)), Block::Table(table)];
    if let Some((label, link)) = rest.filter(|_| empty) {
        blocks.push(Block::Markup(html! { p { a href=(link) { (label) } } }));
    }
    Ok(Body {
        title: PageName::Sessions.title().to_owned(),
        lead: Some(html! { "Each session leads to the page that explains it." }),
        blocks,
        timed: true,
        live: view.own("after").is_none(),
    })
}

/// Links that list sessions of one class, and what else narrows the list.
fn chooser(view: &View) -> Markup {
    let path = PageName::Sessions.path();
    let same = view.same(path);
    let chosen = view.filter.class;
    html! {
        ul.presets aria-label="Class" {
            li { a href=(same.clone().unfiltered(FilterKey::Class)) aria-current=[chosen.is_none().then_some("true")] { "all" } }
            @for class in Class::ALL {
                li {
                    a href=(same.clone().filtered(FilterKey::Class, class.as_str()))
                        aria-current=[(chosen == Some(class)).then_some("true")] { (words(class.as_str())) }
                }
            }
        }
        @for name in ["fingerprint", "visitor", "open"] {
            @if let Some(value) = view.own(name) {
                a.chip href=(same.clone().without(name)) aria-label={ "Remove the filter " (name) } {
                    span.muted { (name) } " " (value) span.cross aria-hidden="true" { "×" }
                }
            }
        }
    }
}

pub(super) fn row(view: &View, session: &AnalyticsSession) -> Vec<Cell> {
    let record = session.record();
    let verdict = record.verdict.as_ref();
    let class = verdict.map(|verdict| verdict.class);
    let link = view.link(&format!("/sessions/{}", record.id), &[]);
    let counters = &record.counters;
    vec![
        Cell::Linked(view.zone.local(record.started_at).format("%m-%d %H:%M:%S").to_string(), link),
        Cell::Time(Some(record.started_at)),
        Cell::Code(record.id.to_string()),
        class.map_or(Cell::Unknown, |class| Cell::Badge(words(class.as_str()), class.as_str())),
        verdict.map_or(Cell::Unknown, |verdict| Cell::Text(verdict.score.to_string())),
        Cell::Text(client(session)),
        Cell::text(record.origin.landing_page.as_ref().map(Text::as_str)),
        Cell::Seconds(Some(session.duration().as_seconds_f64())),
        Cell::Count(counters.requests),
        Cell::Count(counters.page_views),
        Cell::Count(counters.errors()),
        Cell::Count(counters.refused),
        Cell::Text(words(record.max_throttle_level.as_str())),
    ]
}

/// What a client says it is, in few words.
pub(super) fn client(session: &AnalyticsSession) -> String {
    let record = session.record();
    let declared = record.verdict.as_ref().and_then(|verdict| verdict.declared.as_ref());
    if let Some(declared) = declared {
        let kind = words(declared.kind.as_str());
        return declared.name.as_ref().map_or(kind.clone(), |name| format!("{name} ({kind})"));
    }
    let client = &record.client;
    let version = client.browser_version.as_ref().map(Text::as_str);
    // The first part of a version tells enough.
    let version = version.and_then(|version| version.split('.').next()).map(|version| format!(" {version}"));
    let browser = client.browser.as_ref().map(|name| format!("{name}{}", version.unwrap_or_default()));
    let system = client.os.as_ref().map(ToString::to_string);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => {
            client.user_agent.as_ref().map_or_else(|| "no user agent".to_owned(), ToString::to_string)
        }
    }
}

fn filter(view: &View) -> Result<SessionFilter, Problem> {
    let hash = |name| {
        let text = view.own(name);
        text.map(|text| {
            text.parse::<FingerprintHash>().map_err(|error| Problem::query(name, &error.to_string()))
        })
        .transpose()
    };
    let visitor = hash("visitor")?.map(|hash| VisitorId::from_u128(hash.as_u128()));
    let open = match view.own("open") {
        None => None,
        Some("yes") => Some(true),
        Some("no") => Some(false),
        Some(_) => return Err(Problem::query("open", "is yes or no")),
    };
    Ok(SessionFilter {
        started_from: Some(view.period.from()),
        started_before: Some(view.period.until()),
        visitor,
        fingerprint: hash("fingerprint")?,
        class: view.filter.class,
        open,
    })
}

/// The sessions of one page, and how many were looked at for it. The store knows some filters only; for the others
/// sessions are read until the page is full, up to a bound.
async fn list(
    ask: &Ask<'_>,
    filter: &SessionFilter,
    mut after: Option<SessionCursor>,
) -> Result<(Page<AnalyticsSession, SessionCursor>, u64), Problem> {
    let (sessions, limit) = (&ask.dashboard.stores.sessions, ask.rows());
    if !ask.view.filter.parts().keys().any(|key| *key != FilterKey::Class) {
        return Ok((sessions.list(filter, PageRequest { limit, after }).await?, 0));
    }
    let (mut kept, mut looked_at) = (Vec::new(), 0);
    for _ in 0..MOST_STEPS {
        let step = sessions.list(filter, PageRequest { limit: STEP, after }).await?;
        for session in step.items {
            looked_at += 1;
            after = Some(SessionCursor::of(&session));
            if ask.view.filter.lets_session(&session) {
                kept.push(session);
                if kept.len() == limit.as_usize() {
                    return Ok((Page { items: kept, next: after }, looked_at));
                }
            }
        }
        if step.next.is_none() {
            return Ok((Page { items: kept, next: None }, looked_at));
        }
    }
    Ok((Page { items: kept, next: after }, looked_at))
}

fn after(view: &View) -> Result<Option<SessionCursor>, Problem> {
    let read = |text| cursor::read(text).map(|(started_at, id)| SessionCursor { started_at, id });
    view.own("after")
        .map(|text| read(text).ok_or_else(|| Problem::query("after", "is no place in a list of sessions")))
        .transpose()
}

const STEP: analytics_ports::BatchLimit = super::super::page::rows(500);
const MOST_STEPS: u32 = 20;
