//! `analytics fingerprints`: who is held to be risky, flagged and cleared.

use std::io::Write;
use std::sync::Arc;

use analytics_domain::ids::FingerprintHash;
use analytics_domain::reputation::{Ban, FingerprintReputation};
use analytics_ports::{BatchLimit, PageRequest, StoreError};
use anyhow::anyhow;
use clap::Subcommand;
use serde::{Deserialize, Serialize};

use super::server::{self, Change, ServerArgs};
use super::store::{OperatorArgs, PolicyArgs, StoreArgs, shown};
use super::{CliError, Format, write_json};
use crate::replay::text::Table;
use crate::services::{ModerationService, ReputationService};
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
        let text = server.get("/v1/fingerprints", &[("limit", args.limit.to_string())])?;
        let page: Page = server::read(&text)?;
        (page.fingerprints, page.next.is_some())
    } else {
        let settings = args.policy.read()?;
        let opened = args.store.open()?;
        let reputation = opened.reputation(&settings)?;
        opened.runtime.block_on(first(&reputation, limit)).map_err(CliError::failed)?
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
struct Page {
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

/// The first fingerprints of high risk, and whether there may be more.
async fn first(
    reputation: &ReputationService,
    limit: BatchLimit,
) -> Result<(Vec<FingerprintReputation>, bool), StoreError> {
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = reputation.review(PageRequest { limit: BatchLimit::default(), after }).await?;
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
        server::read(&server.change(Change::Post, &path, None, Some(&args.operator))?)?
    } else {
        let settings = args.policy.read()?;
        let opened = args.store.open()?;
        let service = moderation(&opened, opened.reputation(&settings)?)?;
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
        server::read(&server.change(Change::Post, &path, None, Some(&args.operator))?)?
    } else {
        let settings = args.policy.read()?;
        let opened = args.store.open()?;
        let service = moderation(&opened, opened.reputation(&settings)?)?;
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

/// What is written down is done by this.
pub(super) fn moderation(
    opened: &super::store::Opened,
    reputation: ReputationService,
) -> Result<ModerationService, CliError> {
    let ids = Arc::new(SystemIds::new().map_err(CliError::failed)?);
    Ok(ModerationService::new(reputation, Arc::clone(&opened.stores.audit), Arc::new(SystemClock), ids))
}

fn unseen(fingerprint: FingerprintHash) -> CliError {
    CliError::Failed(anyhow!(
        "nothing is kept of fingerprint {fingerprint}; it was never seen, or not for long"
    ))
}
