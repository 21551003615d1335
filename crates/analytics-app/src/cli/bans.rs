//! `analytics bans`: bans that run, and taken back.

use std::io::Write;

use analytics_domain::ids::FingerprintHash;
use analytics_domain::reputation::{Ban, BanReason, BanSubject};
use analytics_domain::request::Network;
use analytics_ports::{BatchLimit, PageRequest};
use axum::http::Method;
use clap::Subcommand;
use serde::Deserialize;

use super::fingerprints::moderation;
use super::server::{self, ServerArgs};
use super::store::{OperatorArgs, PolicyArgs, StoreArgs, shown};
use super::{CliError, Format, write_json};
use crate::replay::text::Table;

/// What is done with bans.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum BansCommand {
    /// Lists the bans that run now, the one that ends first in front
    List(ListArgs),
    /// Takes back all bans of a fingerprint or a network
    Clear(ClearArgs),
}

/// The options of `analytics bans list`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ListArgs {
    /// The most that are listed, 1 to 10,000
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    limit: u32,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    server: ServerArgs,
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The options of `analytics bans clear`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ClearArgs {
    /// Who is banned: a fingerprint of 32 hexadecimal digits, or exactly the network of the ban, such as 198.51.100.0/24
    #[arg(value_name = "SUBJECT", value_parser = subject)]
    subject: BanSubject,
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

pub(super) fn run(command: &BansCommand, out: &mut dyn Write) -> Result<(), CliError> {
    match command {
        BansCommand::List(args) => list(args, out),
        BansCommand::Clear(args) => clear(args, out),
    }
}

fn list(args: &ListArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let limit = BatchLimit::new(args.limit).map_err(CliError::usage)?;
    let (bans, more) = if let Some(server) = args.server.open()? {
        let page: Page = server::read(&server.get("/v1/bans", &[("limit", args.limit.to_string())])?)?;
        (page.bans, page.next.is_some())
    } else {
        let opened = args.store.open()?;
        // Which bans run depends on no policy.
        let reputation = opened.reputation(&crate::config::Settings::default())?;
        let page = opened.runtime.block_on(reputation.running_bans(PageRequest::first(limit)));
        let page = page.map_err(CliError::failed)?;
        (page.items, page.next.is_some())
    };
    if args.format == Format::Json {
        return write_json(out, &bans);
    }
    let mut text = if bans.is_empty() { "no ban runs\n".to_owned() } else { table(&bans) };
    if more {
        text.push_str("  … and more; raise --limit\n");
    }
    out.write_all(text.as_bytes()).map_err(CliError::failed)
}

fn clear(args: &ClearArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let operator = args.operator.operator()?;
    let bans = if let Some(server) = args.server.open()? {
        let (method, path) = match args.subject {
            BanSubject::Network(network) => {
                (Method::DELETE, format!("/v1/bans/{}", network.to_string().replace('/', "%2F")))
            }
            BanSubject::Fingerprint(hash) => (Method::POST, format!("/v1/fingerprints/{hash}/clear")),
        };
        server::read::<Page>(&server.change(method, &path, None, Some(&args.operator))?)?.bans
    } else {
        let (opened, service) = moderation(&args.store, &args.policy)?;
        opened.runtime.block_on(service.free(args.subject, &operator)).map_err(CliError::failed)?
    };
    match args.format {
        Format::Json => write_json(out, &bans),
        Format::Text => {
            writeln!(out, "bans taken back: {}", bans.len()).map_err(CliError::failed)?;
            if bans.is_empty() {
                Ok(())
            } else {
                out.write_all(table(&bans).as_bytes()).map_err(CliError::failed)
            }
        }
    }
}

/// Bans as a service lists them.
#[derive(Deserialize)]
struct Page {
    bans: Vec<Ban>,
    #[serde(default)]
    next: Option<String>,
}

fn table(bans: &[Ban]) -> String {
    let mut table = Table::new(["subject", "from", "until", "binds", "reason"]);
    for ban in bans {
        let subject = match ban.subject {
            BanSubject::Fingerprint(fingerprint) => fingerprint.to_string(),
            BanSubject::Network(network) => network.to_string(),
        };
        let reason = match ban.reason {
            BanReason::RepeatedIncidents => "repeated incidents",
            BanReason::HostileNetwork => "hostile network",
            BanReason::Manual => "manual",
        };
        let binds = if ban.would_ban { "no, shadow" } else { "yes" };
        table.row([subject, shown(ban.from), shown(ban.until), binds.to_owned(), reason.to_owned()]);
    }
    let mut text = String::new();
    table.write_last_left(&mut text, 200);
    text
}

fn subject(text: &str) -> Result<BanSubject, String> {
    if let Ok(fingerprint) = text.parse::<FingerprintHash>() {
        return Ok(BanSubject::Fingerprint(fingerprint));
    }
    let network = text.parse::<Network>().map(BanSubject::Network);
    network.map_err(|_| {
        "give a fingerprint of 32 hexadecimal digits, or a network such as 198.51.100.0/24".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_a_fingerprint_or_a_network() {
        let hash = "000000000000000000000000000000ff";
        assert_eq!(subject(hash), Ok(BanSubject::Fingerprint(FingerprintHash::from_u128(255))));
        let network = "198.51.100.0/24";
        assert_eq!(subject(network), Ok(BanSubject::Network(network.parse().unwrap())));
        for wrong in ["", "ff", "198.51.100.0/99", "everybody"] {
            assert!(subject(wrong).is_err(), "{wrong}");
        }
    }
}
