//! Fingerprints of high risk, and what can be done about them.

use analytics_domain::ids::FingerprintHash;
use analytics_domain::reputation::FingerprintReputation;
use analytics_ports::PageRequest;
use maud::{Markup, html};

use super::super::page::{Ask, Block, Body, PageName, short, words};
use super::super::problem::Problem;
use super::super::table::{Cell, Column, Table};

pub(in super::super) async fn body(ask: &Ask<'_>) -> Result<Body, Problem> {
    let view = ask.view;
    let hash = |name: &str| {
        let text = view.own(name).map(str::parse::<FingerprintHash>);
        text.transpose().map_err(|error| Problem::query(name, &error.to_string()))
    };
    let reputation = &ask.dashboard.reputation;
    let mut more = None;
    let (items, caption, empty) = if let Some(one) = hash("hash")? {
        let items = reputation.reputation(one).await?.into_iter().collect();
        (
            items,
            "The fingerprint".to_owned(),
            "Nothing is remembered of this fingerprint: nobody with it asked for anything that is charged.",
        )
    } else {
        let page = reputation.review(PageRequest { limit: ask.rows(), after: hash("after")? }).await?;
        more = page.next.map(|next| {
            (
                "More fingerprints".to_owned(),
                view.same(PageName::Fingerprints.path()).with("after", &next.to_string()),
            )
        });
        (
            page.items,
            "Fingerprints of high risk, in the order of their hashes".to_owned(),
            "No fingerprint is of high risk. One gets here when it is flagged, when its score is low, or after several incidents.",
        )
    };
    let table = Table {
        id: "fingerprints",
        caption,
        columns: vec![
            Column::text("", "Fingerprint"),
            Column::text("hash", ""),
            Column::number("score", "Score"),
            Column::text("flags", "Flags"),
            Column::number("recent_incidents", "Incidents in 24 h"),
            Column::detail("requests_last_hour", "Requests in 1 h"),
            Column::detail("sessions_last_day", "Sessions in 24 h"),
            Column::note("last_seen", "Last seen"),
            Column::note("banned_until", "Banned until"),
            Column::action("Do"),
        ],
        rows: items.iter().map(|item| row(ask, item)).collect(),
        empty: empty.to_owned(),
        more: more.clone(),
    };
    let mut blocks = vec![Block::Table(table)];
    if items.is_empty()
        && let Some((label, link)) = more
    {
        blocks.push(Block::Markup(html! { p { a href=(link) { (label) } } }));
    }
    Ok(Body {
        title: PageName::Fingerprints.title().to_owned(),
        lead: Some(html! {
            "What is remembered of clients whom abuse is held against. A score of 50 is a stranger's, and every score goes half of the way back there in a day."
        }),
        blocks,
        timed: false,
        live: true,
    })
}

fn row(ask: &Ask<'_>, item: &FingerprintReputation) -> Vec<Cell> {
    let hash = item.hash.to_string();
    let sessions =
        ask.view.link(PageName::Sessions.path(), &[]).with("last", "30d").with("fingerprint", &hash);
    let flags: Vec<String> = item.flags.iter().map(|flag| words(flag.as_str())).collect();
    let banned = item.banned_until.map_or(Cell::Unknown, |until| {
        let text = format!("{}{}", ask.view.time_of(until), if item.would_ban { " (would)" } else { "" });
        Cell::Text(text)
    });
    vec![
        Cell::Linked(short(&hash), sessions),
        Cell::Text(hash.clone()),
        Cell::Number(Some(item.score)),
        Cell::Text(if flags.is_empty() { "none".to_owned() } else { flags.join(", ") }),
        Cell::Count(item.recent_incidents.into()),
        Cell::Count(item.requests_last_hour.into()),
        Cell::Count(item.sessions_last_day.into()),
        Cell::Time(Some(item.last_seen)),
        banned,
        Cell::Markup(actions(ask, &hash)),
    ]
}

fn actions(ask: &Ask<'_>, hash: &str) -> Markup {
    let button = |action: &str, told: &str| {
        let inside = html! { button type="submit" aria-label={ (told) " fingerprint " (hash) } { (told) } };
        ask.dashboard.forms.form(&format!("/fingerprints/{hash}/{action}"), &[], &inside)
    };
    html! { (button("flag", "Flag")) (button("clear", "Clear")) }
}
