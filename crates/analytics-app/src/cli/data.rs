//! `analytics data`: a person's rows taken out.

use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use analytics_domain::identity::IdentityKey;
use analytics_domain::ids::{SessionId, VisitorId};
use analytics_domain::request::ClientNetwork;
use analytics_domain::session::Text;
use analytics_domain::stats::Period;
use analytics_ports::BatchLimit;
use anyhow::{Context, anyhow};
use chrono::{DateTime, Utc};
use clap::{ArgGroup, Subcommand};
use serde_json::{Map, Value, json};

use super::settings::read_secret;
use super::store::{OperatorArgs, PolicyArgs, StoreArgs};
use super::{CliError, Format, write_json};
use crate::config::Settings;
use crate::replay::text::grouped;
use crate::services::{ErasureService, ErasureSubject};
use crate::system::{SystemClock, SystemIds};
use crate::zone::Zone;

/// What is done with data.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum DataCommand {
    /// Deletes the sessions of a visitor, or one session, with every row that names them
    Erase(Box<EraseArgs>),
}

/// The options of `analytics data erase`.
#[derive(Debug, Clone, clap::Args)]
#[command(group = ArgGroup::new("who").required(true).args(["visitor", "session", "address"]))]
pub(super) struct EraseArgs {
    /// The visitor, by its id: 32 hexadecimal digits
    #[arg(long, value_name = "V")]
    visitor: Option<VisitorId>,
    /// One session, by its id: 32 hexadecimal digits
    #[arg(long, value_name = "SESSION", conflicts_with_all = ["from", "to"])]
    session: Option<SessionId>,
    /// The visitor at this address, with the agent of --agent, on the site of --site-host
    #[arg(long, value_name = "ADDRESS", requires = "agent")]
    address: Option<IpAddr>,
    /// The user agent that the visitor sent
    #[arg(long, value_name = "TEXT", requires = "address")]
    agent: Option<String>,
    /// The first host of the site, as it was given to or learned by the replay that made the ids
    #[arg(long, value_name = "HOST", requires = "address", default_value = "")]
    site_host: String,
    /// Secret that identities were made with
    #[arg(long, value_name = "FILE", requires = "address")]
    secret_file: Option<PathBuf>,
    /// Only sessions that started at this date or time, or after it
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only sessions that started before this date or time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    operator: OperatorArgs,
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(command: &DataCommand, out: &mut dyn Write) -> Result<(), CliError> {
    let DataCommand::Erase(args) = command;
    let operator = args.operator.operator()?;
    let settings = args.policy.read()?;
    let subject = subject(args, &settings)?;
    let opened = args.store.open()?;
    let service = ErasureService::new(
        Arc::clone(&opened.stores.erasure),
        Arc::clone(&opened.stores.audit),
        Arc::new(SystemClock),
        Arc::new(SystemIds::new().map_err(CliError::failed)?),
        BatchLimit::new(settings.retention.batch()).unwrap_or_default(),
    );
    let erased = opened.runtime.block_on(service.erase(subject, &operator)).map_err(CliError::failed)?;
    if args.format == Format::Json {
        let rows: Map<String, Value> =
            erased.by_kind().into_iter().map(|(kind, rows)| (kind.to_owned(), json!(rows))).collect();
        return write_json(out, &rows);
    }
    for (kind, rows) in erased.by_kind() {
        writeln!(out, "{:<20}{:>12}", kind.replace('_', " "), grouped(rows)).map_err(CliError::failed)?;
    }
    Ok(())
}

/// Whose rows are meant.
fn subject(args: &EraseArgs, settings: &Settings) -> Result<ErasureSubject, CliError> {
    if let Some(session) = args.session {
        return Ok(ErasureSubject::Session(session));
    }
    let visitor = match (args.visitor, args.address) {
        (Some(visitor), _) => visitor,
        (None, Some(address)) => {
            let key = match &args.secret_file {
                None => IdentityKey::REPLAY,
                Some(path) => read_secret(path).map_err(CliError::Usage)?,
            };
            // Agents are cut as they are when requests are read, and a missing one is an empty one.
            let agent: Text<512> = Text::cut(args.agent.as_deref().unwrap_or_default());
            key.visitor(&args.site_host, ClientNetwork::of(&settings.client, address), agent.as_str())
        }
        (None, None) => return Err(CliError::Usage(anyhow!("name a visitor, a session or an address"))),
    };
    let moment = |option: &str, text: Option<&str>| {
        let read = |text| {
            Zone::Utc.moment(text).ok_or_else(|| {
                anyhow!(
                    "{option} {text}: give a date such as 2026-03-01, or a time such as 2026-03-01T12:00:00Z"
                )
            })
        };
        text.map(read).transpose().map_err(CliError::Usage)
    };
    let (from, to) = (moment("--from", args.from.as_deref())?, moment("--to", args.to.as_deref())?);
    let started = if from.is_none() && to.is_none() { None } else { Some(period(from, to)?) };
    Ok(ErasureSubject::Visitor { visitor, started })
}

/// The time between two, of which one may be open.
fn period(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> Result<Period, CliError> {
    let first = DateTime::from_timestamp(0, 0).unwrap_or_default();
    let last = DateTime::from_timestamp(253_402_300_799, 0).unwrap_or_default();
    Period::new(from.unwrap_or(first), to.unwrap_or(last))
        .context("no period from --from to --to")
        .map_err(CliError::Usage)
}
