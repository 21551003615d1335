//! Why one session was taken for what it is, and what enforcing would have refused.

use analytics_domain::audit::AuditSubject;
use analytics_domain::detector::{Category, DetectorPolicy};
use analytics_domain::engagement::EngagementSummary;
use analytics_domain::ids::SessionId;
use analytics_domain::label::{Label, LabelClass, resolve};
use analytics_domain::request_row::{RequestDecision, RequestRow};
use analytics_domain::session::{AnalyticsSession, SessionVerdict, Text};
use analytics_domain::throttle::RefusalReason;
use analytics_ports::{BatchLimit, EventCursor, Page, PageRequest};
use maud::{Markup, html};

use super::super::page::{Ask, Block, Body, Card, Change, PageName, cards, rows, short, words};
use super::super::problem::Problem;
use super::super::table::{Cell, Column, Table, time};
use super::sessions::client;
use crate::figures::duration;
use crate::http::cursor;
use crate::replay::text::grouped;

/// The page of one session; its list of requests goes on at the place of the address.
pub(in super::super) async fn body(ask: &Ask<'_>, id: SessionId) -> Result<Body, Problem> {
    let stores = &ask.dashboard.stores;
    let session = stores.sessions.get(id).await?.ok_or(Problem::Missing("session with this id"))?.value;
    let requests =
        stores.requests.list_by_session(id, PageRequest { limit: MOST_REQUESTS, after: after(ask)? }).await?;
    let labels = stores.labels.by_session(id).await?;
    let engagement = stores.engagement.summary(id).await?;
    let mut blocks = vec![Block::Markup(verdict(&session, &labels)), Block::Markup(facts(ask, &session))];
    if let Some(verdict) = &session.record().verdict {
        blocks.push(Block::Heading("Why".to_owned()));
        blocks.push(Block::Table(signals(verdict)));
        let rules = (ask.dashboard.rules)();
        blocks.push(Block::Table(categories(rules.detector.policy(), verdict)));
        blocks.push(Block::Markup(arithmetic(rules.detector.policy(), verdict)));
    }
    blocks.push(Block::Heading("Limits".to_owned()));
    blocks.push(Block::Table(refusals(&session, &requests)));
    blocks.push(Block::Markup(levels(&session)));
    blocks.push(Block::Heading("Requests".to_owned()));
    blocks.push(Block::Table(timeline(ask, id, &requests)));
    if let Some(engagement) = &engagement {
        blocks.push(Block::Heading("Engagement".to_owned()));
        blocks.push(Block::Markup(engaged(engagement)));
    }
    let events = events(ask, id).await?;
    if !events.rows.is_empty() {
        blocks.push(Block::Heading("Events".to_owned()));
        blocks.push(Block::Table(events));
    }
    blocks.push(Block::Heading("What it really is".to_owned()));
    blocks.push(Block::Markup(label_form(ask, id, &labels)));
    blocks.push(Block::Table(given(&labels)));
    let audit = audit(ask, &session).await?;
    if !audit.rows.is_empty() {
        blocks.push(Block::Table(audit));
    }
    Ok(Body {
        title: format!("Session {}", short(&id.to_string())),
        lead: Some(
            html! { a href=(ask.view.link(PageName::Sessions.path(), PageName::Sessions.keys())) { "All sessions" } },
        ),
        blocks,
        timed: false,
        live: false,
    })
}

fn verdict(session: &AnalyticsSession, labels: &[Label]) -> Markup {
    let verdict = session.record().verdict.as_ref();
    html! {
        p.verdict {
            @if let Some(verdict) = verdict {
                span class={ "badge " (verdict.class.as_str()) } { (words(verdict.class.as_str())) }
                " score " strong { (verdict.score) } " of 100"
                @if verdict.hostile { " " span.badge.hostile { "hostile" } }
                @if let Some(declared) = &verdict.declared {
                    ", declares itself as " strong { (declared.name.as_ref().map_or("unnamed", Text::as_str)) }
                    " (" (words(declared.kind.as_str())) ")"
                }
            } @else {
                "Not judged yet: a verdict comes with its requests."
            }
            @if let Some(label) = resolve(labels) {
                ". Labelled " strong { (label.record().class) } " (" (label.record().source) ")"
            }
        }
    }
}

fn facts(ask: &Ask<'_>, session: &AnalyticsSession) -> Markup {
    let view = ask.view;
    let record = session.record();
    let counters = &record.counters;
    let sessions = |name: &str, id: &str| {
        view.link(PageName::Sessions.path(), &[])
            .with("last", "30d")
            .without("from")
            .without("to")
            .with(name, id)
    };
    let text = |text: Option<&str>| text.map_or_else(|| "not known".to_owned(), str::to_owned);
    let campaign = &record.origin.campaign;
    let tags = [&campaign.source, &campaign.medium, &campaign.campaign, &campaign.content, &campaign.term];
    let tags: Vec<&str> = tags.into_iter().flatten().map(Text::as_str).collect();
    let place = [
        record.place.city.as_ref().map(ToString::to_string),
        record.place.region.as_ref().map(ToString::to_string),
        record.place.country.map(|country| country.to_string()),
    ];
    let place: Vec<String> = place.into_iter().flatten().collect();
    html! {
        dl.facts {
            div { dt { "Time" } dd {
                (time(view, record.started_at)) " to " (time(view, record.last_activity_at))
                ", " (duration(session.duration().as_seconds_f64())) ", "
                @match record.end_reason { Some(reason) => { "ended: " (reason) }, None => "still open" }
            } }
            div { dt { "Counted" } dd {
                (grouped(counters.requests)) " requests: " (grouped(counters.page_views)) " page views, "
                (grouped(counters.assets)) " assets, " (grouped(counters.errors())) " errors, "
                (grouped(counters.refused)) " refused"
            } }
            div { dt { "Client" } dd { (client(session)) } }
            div { dt { "User agent" } dd { code { (text(record.client.user_agent.as_ref().map(Text::as_str))) } } }
            div { dt { "Came by" } dd {
                (words(record.origin.channel.as_str()))
                @if let Some(host) = &record.origin.referrer_host { " from " (host) }
                @if !tags.is_empty() { " with campaign " (tags.join(" / ")) }
                @if let Some(page) = &record.origin.landing_page { ", first page " code { (page) } }
            } }
            @if !place.is_empty() { div { dt { "Place" } dd { (place.join(", ")) } } }
            @if let Some(user) = &record.user { div { dt { "User" } dd { (user.as_str()) } } }
            @if let Some(network) = &record.network { div { dt { "Network" } dd { code { (network) } } } }
            div { dt { "Fingerprint" } dd {
                a href=(view.link(PageName::Fingerprints.path(), &[]).with("hash", &record.fingerprint.to_string())) {
                    code { (record.fingerprint) }
                }
                ", " a href=(sessions("fingerprint", &record.fingerprint.to_string())) { "its sessions" }
            } }
            div { dt { "Visitor" } dd {
                code { (record.visitor) } ", "
                a href=(sessions("visitor", &record.visitor.to_string())) { "its sessions" }
            } }
        }
    }
}

fn signals(verdict: &SessionVerdict) -> Table {
    let rows = verdict.signals.as_slice().iter().map(|signal| {
        vec![
            Cell::Text(words(signal.signal.as_str())),
            Cell::Text(signal.signal.to_string()),
            Cell::Text(words(signal.category.as_str())),
            Cell::Text(signal.points.to_string()),
            Cell::Text(seen(signal.evidence.as_str())),
            Cell::Text(signal.evidence.to_string()),
            Cell::Text(if signal.decisive { "decisive" } else { "" }.to_owned()),
        ]
    });
    Table {
        id: "signals",
        caption: format!("Signals, by rules {}", verdict.ruleset_version),
        columns: vec![
            Column::text("", "Signal"),
            Column::text("signal", ""),
            Column::note("category", "Category"),
            Column::number("points", "Points"),
            Column::text("", "Seen against limit"),
            Column::text("evidence", ""),
            Column::text("decisive", "Decides"),
        ],
        rows: rows.collect(),
        empty: "No signal spoke: nothing in the session suggests automation.".to_owned(),
        more: None,
    }
}

/// Evidence with no more decimals than a person reads. What is not two figures stays as it is.
fn seen(evidence: &str) -> String {
    let figure = |text: &str| {
        let text = format!("{:.3}", text.parse::<f64>().ok()?);
        Some(text.trim_end_matches('0').trim_end_matches('.').to_owned())
    };
    let parts = evidence.split_once(" against ");
    let shown = parts.and_then(|(seen, limit)| Some(format!("{} against {}", figure(seen)?, figure(limit)?)));
    shown.unwrap_or_else(|| evidence.to_owned())
}

/// Points of each category that spoke: added, capped, counted.
fn sums(policy: &DetectorPolicy, verdict: &SessionVerdict) -> Vec<(&'static str, f64, Option<f64>, f64)> {
    let signals = verdict.signals.as_slice();
    let spoke = Category::ALL.into_iter().filter_map(|category| {
        let own = signals.iter().filter(|signal| signal.category.as_str() == category.as_str());
        let points: Vec<f64> = own.map(|signal| signal.points.as_f64()).collect();
        (!points.is_empty()).then(|| {
            let (sum, cap) = (points.iter().sum::<f64>(), cap(policy, category));
            (category.as_str(), sum, cap, cap.map_or(sum, |cap| sum.min(cap)))
        })
    });
    spoke.collect()
}

fn cap(policy: &DetectorPolicy, category: Category) -> Option<f64> {
    match policy {
        DetectorPolicy::Categories(policy) => Some(policy.cap(category).get()),
        DetectorPolicy::SevenSignal(_) => None,
    }
}

fn categories(policy: &DetectorPolicy, verdict: &SessionVerdict) -> Table {
    let rows = sums(policy, verdict).into_iter().map(|(category, points, cap, counted)| {
        vec![
            Cell::Text(words(category)),
            Cell::Number(Some(points)),
            Cell::Number(cap),
            Cell::Number(Some(counted)),
        ]
    });
    Table {
        id: "categories",
        caption: "Points by category".to_owned(),
        columns: vec![
            Column::text("category", "Category"),
            Column::number("points", "Points"),
            Column::number("cap", "At most"),
            Column::number("counted", "Counted"),
        ],
        rows: rows.collect(),
        empty: "No category spoke.".to_owned(),
        more: None,
    }
}

/// How the score comes of the points, in words.
fn arithmetic(policy: &DetectorPolicy, verdict: &SessionVerdict) -> Markup {
    let counted: f64 = sums(policy, verdict).iter().map(|(.., counted)| counted).sum();
    let decisive = verdict.signals.as_slice().iter().any(|signal| signal.decisive);
    let same_rules = verdict.ruleset_version.as_str() == policy.ruleset_version();
    html! {
        p.arithmetic {
            @match policy {
                DetectorPolicy::Categories(rules) => {
                    @let scale = rules.scale.get();
                    @let score = 100.0 * (1.0 - (-counted / scale).exp());
                    "100 · (1 − e^(−" (format!("{counted:.1}")) " / " (scale) ")) = " strong { (format!("{score:.1}")) } ". "
                    @if decisive { "A decisive fact makes it at least " (rules.decisive_score.get()) ". " }
                    "A bot has " (rules.bot_from.get()) " or more and two categories of at least " (rules.voice_from.get())
                    " points, or a decisive fact; suspected is from " (rules.suspected_from.get()) " with two categories, or "
                    (rules.bot_from.get()) " without."
                },
                DetectorPolicy::SevenSignal(rules) => {
                    "The points added up, at most 100: " strong { (format!("{:.1}", counted.min(100.0))) }
                    ". A bot has " (rules.bot_from.get()) " or more."
                },
            }
            @if !same_rules {
                " The session was judged by rules " (verdict.ruleset_version) ", and the service now has "
                (policy.ruleset_version()) ": caps may differ."
            }
        }
    }
}

/// What was refused, and what would have been.
fn refusals(session: &AnalyticsSession, requests: &Page<RequestRow, EventCursor>) -> Table {
    let count = |wanted: RequestDecision| {
        requests.items.iter().filter(|row| row.record().decision == wanted).count() as u64
    };
    let rows = RefusalReason::ALL.into_iter().filter_map(|reason| {
        let (refused, would) =
            (count(RequestDecision::Refused(reason)), count(RequestDecision::WouldRefuse(reason)));
        (refused + would > 0)
            .then(|| vec![Cell::Text(words(reason.as_str())), Cell::Count(would), Cell::Count(refused)])
    });
    let listed = requests.items.len();
    let part = if (listed as u64) < session.record().counters.requests { " that are listed" } else { "" };
    Table {
        id: "refusals",
        caption: format!("Refusals among the {} requests{part}", grouped(listed as u64)),
        columns: vec![
            Column::text("reason", "Reason"),
            Column::number("would_refuse", "Enforcing would have refused"),
            Column::number("refused", "Was refused"),
        ],
        rows: rows.collect(),
        empty: "Nothing was refused, and enforcing would have refused nothing.".to_owned(),
        more: None,
    }
}

fn levels(session: &AnalyticsSession) -> Markup {
    let record = session.record();
    html! {
        p {
            "Throttle level: " strong { (words(record.throttle_level.as_str())) } " at its last request, "
            strong { (words(record.max_throttle_level.as_str())) } " at its strictest."
        }
    }
}

fn timeline(ask: &Ask<'_>, id: SessionId, requests: &Page<RequestRow, EventCursor>) -> Table {
    let listed = &requests.items[..requests.items.len().min(ask.view.rows.unwrap_or(LISTED).as_usize())];
    let next = listed.last().filter(|_| requests.next.is_some() || listed.len() < requests.items.len());
    let more = next.map(|row| {
        let cursor = cursor::place(row.at(), row.id());
        ("Later requests".to_owned(), ask.view.link(&format!("/sessions/{id}"), &[]).with("after", &cursor))
    });
    let row = |row: &RequestRow| {
        let record = row.record();
        let decision = match record.decision {
            RequestDecision::Admitted => Cell::Text("admitted".to_owned()),
            RequestDecision::WouldRefuse(reason) => {
                Cell::Badge(format!("would refuse: {}", words(reason.as_str())), "suspected")
            }
            RequestDecision::Refused(reason) => {
                Cell::Badge(format!("refused: {}", words(reason.as_str())), "bot")
            }
        };
        vec![
            Cell::Time(Some(record.at)),
            Cell::Text(record.method.as_str().to_owned()),
            Cell::Code(record.path.to_string()),
            record.status.map_or(Cell::Unknown, |status| Cell::Plain(status.into())),
            Cell::Text(words(record.kind.as_str())),
            decision,
            Cell::text(record.referrer_host.as_ref()),
            Cell::Millis(record.duration_us.map(|micros| micros as f64 / 1e3)),
        ]
    };
    Table {
        id: "requests",
        caption: "Requests, the oldest first".to_owned(),
        columns: vec![
            Column::text("at", "Time"),
            Column::note("method", "Method"),
            Column::text("path", "Path"),
            Column::number("status", "Status"),
            Column::note("kind", "Kind"),
            Column::text("decision", "Decision"),
            Column::note("referrer_host", "Referrer"),
            Column::detail("duration_ms", "Answered in"),
        ],
        rows: listed.iter().map(row).collect(),
        empty: "Its requests are past their retention; its totals are kept.".to_owned(),
        more,
    }
}

fn engaged(summary: &EngagementSummary) -> Markup {
    let card = |label, value: String| Card { label, value, change: Change::NotAsked, note: None };
    let depth = summary.max_depth.map_or_else(|| "–".to_owned(), |depth| format!("{depth} %"));
    cards(
        "Engagement",
        &[
            card("Pages", grouped(summary.pages)),
            card("Visible", duration(summary.visible_ms as f64 / 1e3)),
            card("Deepest scroll", depth),
            card("Clicks", grouped(summary.clicks)),
            card("Rage-click pages", grouped(summary.rage_click_pages)),
            card("Dead-click pages", grouped(summary.dead_click_pages)),
            Card {
                note: Some(format!("of {} beacons", grouped(summary.events))),
                ..card("Implausible", grouped(summary.implausible_events))
            },
        ],
    )
}

async fn events(ask: &Ask<'_>, id: SessionId) -> Result<Table, Problem> {
    let page = ask.dashboard.stores.events.list_by_session(id, PageRequest::first(rows(200))).await?;
    let row = |event: &analytics_domain::event::AnalyticsEvent| {
        let properties = serde_json::to_string(event.properties()).unwrap_or_default();
        vec![
            Cell::Time(Some(event.at())),
            Cell::Text(event.name().as_str().to_owned()),
            Cell::Code(properties),
        ]
    };
    Ok(Table {
        id: "events",
        caption: "Events that the host or the throttle told".to_owned(),
        columns: vec![
            Column::text("at", "Time"),
            Column::text("name", "Name"),
            Column::text("properties", "Properties"),
        ],
        rows: page.items.iter().map(row).collect(),
        empty: String::new(),
        more: None,
    })
}

fn label_form(ask: &Ask<'_>, id: SessionId, labels: &[Label]) -> Markup {
    let chosen = resolve(labels).map(|label| label.record().class);
    let inside = html! {
        fieldset {
            legend { "You know better? Say what it is." }
            @for (class, told) in [(LabelClass::Human, "a person"), (LabelClass::Bot, "automation")] {
                label.choice {
                    input type="radio" name="class" value=(class) required checked[chosen == Some(class)];
                    (told)
                }
            }
            label { "Why (optional)" input type="text" name="reason" maxlength="500" autocomplete="off"; }
            button type="submit" { "Label" }
            p.muted { "A person's label takes back level, flags and bans of the fingerprint." }
        }
    };
    ask.dashboard.forms.form(&format!("/sessions/{id}/label"), &[], &inside)
}

fn given(labels: &[Label]) -> Table {
    let row = |label: &Label| {
        let record = label.record();
        vec![
            Cell::Text(record.class.to_string()),
            Cell::Text(record.source.to_string()),
            Cell::Text(format!("{} %", record.confidence)),
            Cell::Time(Some(record.at)),
            Cell::text(record.author.as_ref()),
        ]
    };
    Table {
        id: "labels",
        caption: "Labels, the strongest source first".to_owned(),
        columns: vec![
            Column::text("class", "Says"),
            Column::text("source", "Source"),
            Column::number("confidence", "Sure"),
            Column::note("at", "Given"),
            Column::text("author", "By"),
        ],
        rows: labels.iter().map(row).collect(),
        empty: "Nobody has labelled it yet.".to_owned(),
        more: None,
    }
}

/// What people and jobs did to the session and to its fingerprint.
async fn audit(ask: &Ask<'_>, session: &AnalyticsSession) -> Result<Table, Problem> {
    let audit = &ask.dashboard.stores.audit;
    let subjects =
        [AuditSubject::Session(session.id()), AuditSubject::Fingerprint(session.record().fingerprint)];
    let mut entries = Vec::new();
    for subject in subjects {
        entries.extend(audit.list(Some(subject), PageRequest::first(rows(50))).await?.items);
    }
    entries.sort_by_key(|entry| std::cmp::Reverse((entry.at(), entry.id())));
    let row = |entry: &analytics_domain::audit::AuditEntry| {
        let record = entry.record();
        vec![
            Cell::Time(Some(record.at)),
            Cell::Text(words(record.action.as_str())),
            Cell::Text(record.actor.to_string()),
            Cell::text(record.reason.as_ref()),
        ]
    };
    Ok(Table {
        id: "audit",
        caption: "What was done about it".to_owned(),
        columns: vec![
            Column::text("at", "Time"),
            Column::text("action", "Action"),
            Column::text("actor", "By"),
            Column::text("reason", "Why"),
        ],
        rows: entries.iter().map(row).collect(),
        empty: String::new(),
        more: None,
    })
}

fn after(ask: &Ask<'_>) -> Result<Option<EventCursor>, Problem> {
    let read = |text| cursor::read(text).map(|(at, id)| EventCursor { at, id });
    ask.view
        .own("after")
        .map(|text| read(text).ok_or_else(|| Problem::query("after", "is no place in a list of requests")))
        .transpose()
}

const MOST_REQUESTS: BatchLimit = rows(10_000);
const LISTED: BatchLimit = rows(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_shown_with_three_decimals_at_most() {
        assert_eq!(seen("0.8611111111111112 against 0.6"), "0.861 against 0.6");
        assert_eq!(seen("12 against 5"), "12 against 5");
        assert_eq!(seen("much <b> against 0"), "much <b> against 0");
    }
}
