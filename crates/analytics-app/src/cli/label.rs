//! `analytics label`: what sessions are said to be.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::PathBuf;
use std::sync::Arc;

use analytics_domain::ids::SessionId;
use analytics_domain::label::{LabelClass, LabelSource};
use analytics_domain::session::Points;
use analytics_ports::Recorded;
use anyhow::Context;
use axum::http::Method;
use clap::Subcommand;
use serde_json::json;

use super::server::ServerArgs;
use super::store::{Opened, OperatorArgs, PolicyArgs, StoreArgs};
use super::{CliError, Format, write_json};
use crate::config::Settings;
use crate::ingest::labels::read_labels;
use crate::services::{LabelService, NewLabel};
use crate::system::{SystemClock, SystemIds};

/// What is done with labels.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum LabelCommand {
    /// Says of one session that it is a person's or a bot's
    Set(SetArgs),
    /// Reads labels of many sessions from a CSV file with the columns `session_id` and `label`, and `source` and `confidence` if
    /// wanted
    Import(ImportArgs),
}

/// The options of `analytics label set`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct SetArgs {
    /// The session: 32 hexadecimal digits
    #[arg(value_name = "SESSION")]
    session: SessionId,
    /// What it is: human or bot
    #[arg(value_name = "LABEL")]
    class: LabelClass,
    /// Where that is known from: manual, honeypot, challenge, import or heuristic
    #[arg(long, value_name = "S", default_value = "manual")]
    source: LabelSource,
    /// How sure that is, 0 to 100
    #[arg(long, value_name = "POINTS", default_value = "100")]
    confidence: Points,
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

/// The options of `analytics label import`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ImportArgs {
    /// The file; where one row is wrong nothing of it is written
    #[arg(value_name = "F.csv")]
    file: PathBuf,
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

pub(super) fn run(command: &LabelCommand, out: &mut dyn Write) -> Result<(), CliError> {
    match command {
        LabelCommand::Set(args) => set(args, out),
        LabelCommand::Import(args) => import(args, out),
    }
}

fn set(args: &SetArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let operator = args.operator.operator()?;
    let SetArgs { session, class, source, confidence, .. } = *args;
    if let Some(server) = args.server.open()? {
        let body = json!({ "class": class, "source": source, "confidence": confidence.as_f64() });
        let path = format!("/v1/sessions/{session}/label");
        let answer = server.change(Method::PUT, &path, Some(&body), Some(&args.operator))?;
        return match args.format {
            Format::Json => writeln!(out, "{answer}"),
            Format::Text => {
                writeln!(out, "labelled {session} {class} ({source}, confidence {confidence})")
            }
        }
        .map_err(CliError::failed);
    }
    let settings = args.policy.read()?;
    let opened = args.store.open()?;
    let service = service(&opened, &settings)?;
    let new = NewLabel { session, class, source, confidence };
    let answer = opened.runtime.block_on(service.set(new, &operator)).map_err(CliError::failed)?;
    let cleared = answer.cleared.as_ref();
    if args.format == Format::Json {
        let cleared = cleared.map(|cleared| {
            let flags = cleared.clearance.as_ref().map(|clearance| clearance.flags).unwrap_or_default();
            json!({ "fingerprint": cleared.fingerprint, "flags": flags, "bans": cleared.bans })
        });
        let is_new = answer.recorded == Recorded::New;
        return write_json(out, &json!({ "label": answer.label, "new": is_new, "cleared": cleared }));
    }
    let kept = match answer.recorded {
        Recorded::New => "labelled",
        Recorded::Known => "was labelled already:",
    };
    writeln!(out, "{kept} {session} {class} ({source}, confidence {confidence})")
        .map_err(CliError::failed)?;
    match cleared {
        Some(cleared) => {
            let flags =
                cleared.clearance.as_ref().map(|clearance| clearance.flags.to_string()).unwrap_or_default();
            writeln!(
                out,
                "cleared fingerprint {}: flags taken down: {}, bans taken back: {}",
                cleared.fingerprint,
                if flags.is_empty() { "none" } else { &flags },
                cleared.bans.len()
            )
            .map_err(CliError::failed)
        }
        None => Ok(()),
    }
}

fn import(args: &ImportArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let operator = args.operator.operator()?;
    let settings = args.policy.read()?;
    let name = args.file.display();
    let file =
        File::open(&args.file).with_context(|| format!("cannot read {name}")).map_err(CliError::Usage)?;
    let labels =
        read_labels(BufReader::new(file)).with_context(|| format!("{name}")).map_err(CliError::Failed)?;
    let opened = args.store.open()?;
    let service = service(&opened, &settings)?;
    let report = opened.runtime.block_on(service.import(&labels, &operator)).map_err(CliError::failed)?;
    match args.format {
        Format::Json => write_json(out, &report),
        Format::Text => writeln!(
            out,
            "labels: {} new, {} that changed nothing; fingerprints cleared as people's: {}",
            report.new, report.known, report.cleared
        )
        .map_err(CliError::failed),
    }
}

fn service(opened: &Opened, settings: &Settings) -> Result<LabelService, CliError> {
    Ok(LabelService::new(
        Arc::clone(&opened.stores.labels),
        Arc::clone(&opened.stores.sessions),
        Arc::clone(&opened.stores.audit),
        opened.reputation(settings)?,
        Arc::new(SystemClock),
        Arc::new(SystemIds::new().map_err(CliError::failed)?),
    ))
}
