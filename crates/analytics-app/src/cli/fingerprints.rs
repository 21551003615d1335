//! `analytics fingerprints`: who is held to be risky, flagged and cleared.

use std::io::Write;
use std::sync::Arc;

use analytics_domain::ids::FingerprintHash;
use analytics_domain::reputation::{Ban, FingerprintReputation};
use analytics_ports::{BatchLimit, Page, PageRequest};
use anyhow::anyhow;
use axum::http::Method;
use clap::Subcommand;
use serde::{Deserialize, Serialize};

use super::server::{self, ServerArgs};
use super::store::{Opened, OperatorArgs, PolicyArgs, StoreArgs, shown};
use super::{CliError, Format, write_json};
use crate::replay::text::Table;
use crate::services::ModerationService;
use crate::system::{SystemClock, SystemIds};

/// What is done with fingerprints.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum FingerprintsCommand {
    /// Lists the fingerprints that are of high risk now
    List(ListArgs),
    /// Flags a fingerprint until it is cleared
    Flag(ChangeArgs),
    /// Forgets all that speaks against a fingerprint and takes back its bans
    Clear(ChangeArgs),
}

/// The options of `analytics fingerprints list`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ListArgs {
    /// The most that are listed, 1 to 10,000
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    limit: u32,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The options of `analytics fingerprints flag` and `clear`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ChangeArgs {
    /// The fingerprint: 32 hexadecimal digits
    #[arg(value_name = "HASH")]
    fingerprint: FingerprintHash,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    operator: OperatorArgs,
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(command: &FingerprintsCommand, out: &mut dyn Write) -> Result<(), CliError> {
    match command {
        FingerprintsCommand::List(args) => list(args, out),
        FingerprintsCommand::Flag(args) => flag(args, out),
        FingerprintsCommand::Clear(args) => clear(args, out),
    }
}

fn list(args: &ListArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let limit = BatchLimit::new(args.limit).map_err(CliError::usage)?;
    let (listed, more) = if let Some(server) = args.server.open()? {
        first(limit, |after| {
            let mut query = vec![("limit", BatchLimit::default().get().to_string())];
            query.extend(after.map(|after| ("after", after.to_string())));
            let page: Listed = server::read(&server.get("/v1/fingerprints", &query)?)?;
            Ok(Page { items: page.fingerprints, next: page.next })
        })?
    } else {
        let settings = args.policy.read()?;
        let opened = args.store.open()?;
        let reputation = opened.reputation(&settings)?;
        first(limit, |after| {
            let page = PageRequest { limit: BatchLimit::default(), after };
            opened.runtime.block_on(reputation.review(page)).map_err(CliError::failed)
        })?
    };
    if args.format == Format::Json {
        return write_json(out, &listed);
    }
    let mut table =
        Table::new(["fingerprint", "score", "incidents", "requests/h", "last seen", "banned until", "flags"]);
    for report in &listed {
        table.row([
            report.hash.to_string(),
            format!("{:.0}", report.score),
            report.incidents.to_string(),
            report.requests_last_hour.to_string(),
            shown(report.last_seen),
            report.banned_until.map_or_else(String::new, shown),
            report.flags.to_string(),
        ]);
    }
    let mut text = String::new();
    if listed.is_empty() {
        text.push_str("no fingerprint is of high risk\n");
    } else {
        table.write_last_left(&mut text, 200);
    }
    if more {
        text.push_str("  … and more; raise --limit\n");
    }
    out.write_all(text.as_bytes()).map_err(CliError::failed)
}

/// Fingerprints as a service lists them.
#[derive(Deserialize)]
struct Listed {
    fingerprints: Vec<FingerprintReputation>,
    next: Option<FingerprintHash>,
}

/// What clearing a fingerprint changed.
#[derive(Serialize, Deserialize)]
struct Cleared {
    /// Missing where it was known to the running service only.
    before: Option<FingerprintReputation>,
    after: Option<FingerprintReputation>,
    bans: Vec<Ban>,
}

/// The first fingerprints of high risk, and whether there may be more. A page may be short and have a next one.
fn first(
    limit: BatchLimit,
    page: impl Fn(Option<FingerprintHash>) -> Result<Page<FingerprintReputation, FingerprintHash>, CliError>,
) -> Result<(Vec<FingerprintReputation>, bool), CliError> {
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = page(after)?;
        listed.extend(page.items);
        after = page.next;
        if after.is_none() || listed.len() > limit.as_usize() {
            let more = listed.len() > limit.as_usize() || after.is_some();
            listed.truncate(limit.as_usize());
            return Ok((listed, more));
        }
    }
}

fn flag(args: &ChangeArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let operator = args.operator.operator()?;
    let report: FingerprintReputation = if let Some(server) = args.server.open()? {
        let path = format!("/v1/fingerprints/{}/flag", args.fingerprint);
        server::read(&server.change(Method::POST, &path, None, Some(&args.operator))?)?
    } else {
        let (opened, service) = moderation(&args.store, &args.policy)?;
        let flagged = opened.runtime.block_on(service.flag(args.fingerprint, &operator));
        flagged.map_err(CliError::failed)?.ok_or_else(|| unseen(args.fingerprint))?
    };
    match args.format {
        Format::Json => write_json(out, &report),
        Format::Text => {
            writeln!(out, "flagged {} (score {:.0}, flags {})", report.hash, report.score, report.flags)
                .map_err(CliError::failed)
        }
    }
}

fn clear(args: &ChangeArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let operator = args.operator.operator()?;
    let cleared: Cleared = if let Some(server) = args.server.open()? {
        let path = format!("/v1/fingerprints/{}/clear", args.fingerprint);
        server::read(&server.change(Method::POST, &path, None, Some(&args.operator))?)?
    } else {
        let (opened, service) = moderation(&args.store, &args.policy)?;
        let cleared = opened.runtime.block_on(service.clear(args.fingerprint, &operator));
        let cleared = cleared.map_err(CliError::failed)?.ok_or_else(|| unseen(args.fingerprint))?;
        Cleared { before: Some(cleared.before), after: Some(cleared.after), bans: cleared.bans }
    };
    if args.format == Format::Json {
        return write_json(out, &cleared);
    }
    let told = match (&cleared.before, &cleared.after) {
        (Some(before), Some(after)) => {
            let flags = if before.flags.is_empty() { "none".to_owned() } else { before.flags.to_string() };
            format!("score {:.0} to {:.0}, flags taken down: {flags}", before.score, after.score)
        }
        (None, _) | (_, None) => "its level, in memory only".to_owned(),
    };
    let bans = cleared.bans.len();
    writeln!(out, "cleared {} ({told}, bans taken back: {bans})", args.fingerprint).map_err(CliError::failed)
}

/// The store, and what changes reputations in it and writes that down.
pub(super) fn moderation(
    store: &StoreArgs,
    policy: &PolicyArgs,
) -> Result<(Opened, ModerationService), CliError> {
    let settings = policy.read()?;
    let opened = store.open()?;
    let ids = Arc::new(SystemIds::new().map_err(CliError::failed)?);
    let (reputation, audit) = (opened.reputation(&settings)?, Arc::clone(&opened.stores.audit));
    Ok((opened, ModerationService::new(reputation, audit, Arc::new(SystemClock), ids)))
}

fn unseen(fingerprint: FingerprintHash) -> CliError {
    CliError::Failed(anyhow!(
        "nothing is kept of fingerprint {fingerprint}; it was never seen, or not for long"
    ))
}

#[cfg(test)]
mod tests {
    use analytics_domain::reputation::FlagSet;
    use chrono::{DateTime, Utc};

    use super::*;

    #[test]
    fn pages_that_are_short_or_empty_do_not_end_the_list() {
        let pages = [(vec![1, 2], Some(3)), (vec![], Some(5)), (vec![6], None)];
        let asked = std::cell::Cell::new(0_usize);
        let page = |after: Option<FingerprintHash>| {
            let at = asked.replace(asked.get() + 1);
            let expected = at.checked_sub(1).and_then(|before| pages[before].1).map(hash);
            assert_eq!(after, expected);
            let items = pages[at].0.iter().copied().map(report).collect();
            Ok(Page { items, next: pages[at].1.map(hash) })
        };
        let of = |limit| {
            asked.set(0);
            let (listed, more) = first(BatchLimit::new(limit).unwrap(), page).unwrap();
            (listed.iter().map(|report| report.hash.as_u128()).collect::<Vec<_>>(), more)
        };
        assert_eq!(of(10), (vec![1, 2, 6], false));
        assert_eq!(of(2), (vec![1, 2], true));
        assert_eq!(of(1), (vec![1], true));
    }

    const fn hash(number: u128) -> FingerprintHash {
        FingerprintHash::from_u128(number)
    }

    fn report(number: u128) -> FingerprintReputation {
        FingerprintReputation {
            hash: hash(number),
            score: 10.0,
            flags: FlagSet::default(),
            recent_incidents: 0,
            incidents: 0,
            requests_last_hour: 0,
            sessions_last_day: 0,
            first_seen: DateTime::<Utc>::UNIX_EPOCH,
            last_seen: DateTime::<Utc>::UNIX_EPOCH,
            banned_until: None,
            would_ban: false,
        }
    }
}
