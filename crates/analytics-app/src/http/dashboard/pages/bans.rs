//! Bans that run, would-bans of shadow mode among them.

use analytics_domain::reputation::{Ban, BanReason, BanSubject};
use analytics_ports::{BanCursor, PageRequest};
use maud::{Markup, html};

use super::super::page::{Ask, Block, Body, PageName, short};
use super::super::problem::Problem;
use super::super::table::{Cell, Column, Table};
use crate::http::cursor;

pub(in super::super) async fn body(ask: &Ask<'_>) -> Result<Body, Problem> {
    let view = ask.view;
    let page =
        ask.dashboard.reputation.running_bans(PageRequest { limit: ask.rows(), after: after(ask)? }).await?;
    let more = page.next.map(|next| {
        let cursor = cursor::place(next.until, next.id);
        ("More bans".to_owned(), view.same(PageName::Bans.path()).with("after", &cursor))
    });
    let table = Table {
        id: "bans",
        caption: "Bans, the one that ends first in front".to_owned(),
        columns: vec![
            Column::text("", "Who"),
            Column::text("subject", ""),
            Column::text("kind", "Kind"),
            Column::note("reason", "Why"),
            Column::note("from", "From"),
            Column::text("until", "Until"),
            Column::action("Do"),
        ],
        rows: page.items.iter().map(|ban| row(ask, ban)).collect(),
        empty: "Nobody is banned. A fingerprint is after three incidents in 24 h, one of them hostile; volume alone never bans."
            .to_owned(),
        more,
    };
    Ok(Body {
        title: PageName::Bans.title().to_owned(),
        lead: Some(
            html! { "Would-bans were made in shadow mode: they are listed, bind nobody and are never exported." },
        ),
        blocks: vec![Block::Table(table)],
        timed: false,
        live: true,
    })
}

fn row(ask: &Ask<'_>, ban: &Ban) -> Vec<Cell> {
    let (who, subject) = match ban.subject {
        BanSubject::Fingerprint(hash) => {
            let link = ask.view.link(PageName::Fingerprints.path(), &[]).with("hash", &hash.to_string());
            (Cell::Linked(short(&hash.to_string()), link), format!("fingerprint:{hash}"))
        }
        BanSubject::Network(network) => (Cell::Code(network.to_string()), format!("network:{network}")),
    };
    let kind = if ban.would_ban {
        Cell::Badge("would ban".into(), "suspected")
    } else {
        Cell::Badge("ban".into(), "bot")
    };
    vec![
        who,
        Cell::Text(subject.clone()),
        kind,
        Cell::Text(why(ban.reason).to_owned()),
        Cell::Time(Some(ban.from)),
        Cell::Time(Some(ban.until)),
        Cell::Markup(lift(ask, &subject)),
    ]
}

fn lift(ask: &Ask<'_>, subject: &str) -> Markup {
    let inside = html! { button type="submit" aria-label={ "Lift the bans of " (subject) } { "Lift" } };
    ask.dashboard.forms.form("/bans/lift", &[("subject", subject)], &inside)
}

const fn why(reason: BanReason) -> &'static str {
    match reason {
        BanReason::RepeatedIncidents => "repeated incidents",
        BanReason::HostileNetwork => "hostile network",
        BanReason::Manual => "a person's order",
    }
}

fn after(ask: &Ask<'_>) -> Result<Option<BanCursor>, Problem> {
    let read = |text| cursor::read(text).map(|(until, id)| BanCursor { until, id });
    ask.view
        .own("after")
        .map(|text| read(text).ok_or_else(|| Problem::query("after", "is no place in a list of bans")))
        .transpose()
}
