//! `analytics explain`: why one session of a log or a store was taken for what it is, and what enforcing would have
//! refused.

use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;

use analytics_domain::ids::SessionId;
use anyhow::anyhow;
use serde::Serialize;
use serde_json::Value;

use super::progress::Progress;
use super::replay::{inputs, refused};
use super::server::{self, ServerArgs};
use super::settings::SettingsArgs;
use super::store::Opened;
use super::{CliError, Format, write_json};
use crate::ingest::source::{Blocks, Input};
use crate::replay::text::{Table, fitted};
use crate::replay::{Replay, Watch, WatchedSession};
use crate::services::{Explanation, ExplanationService, KeptBeside};

/// The options of `analytics explain`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ExplainArgs {
    /// The session, as `analytics replay --sessions-out` names it: 32 hexadecimal digits
    #[arg(value_name = "SESSION_ID")]
    session: SessionId,
    /// Logs to replay: the same, with the same options, as when the id was made
    #[arg(long = "log", value_name = "FILE", num_args = 1.., conflicts_with = "server")]
    logs: Vec<PathBuf>,
    /// Address of the store that keeps the session
    #[arg(long, value_name = "URL", conflicts_with = "logs")]
    store: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    settings: SettingsArgs,
    /// Secret that identities were made with
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &ExplainArgs, out: &mut dyn Write) -> Result<(), CliError> {
    let explanation = match (args.server.open()?, &args.store) {
        (Some(server), _) => {
            let text = server.get(&format!("/v1/sessions/{}/explain", args.session), &[])?;
            if args.format == Format::Json {
                return writeln!(out, "{text}").map_err(CliError::failed);
            }
            server::read(&text)?
        }
        (None, Some(url)) => kept(args, url)?,
        (None, None) => replayed(args)?,
    };
    match args.format {
        Format::Json => write_json(out, &explanation),
        Format::Text => out.write_all(render(&explanation).as_bytes()).map_err(CliError::failed),
    }
}

/// The explanation of a session that a store keeps.
fn kept(args: &ExplainArgs, url: &str) -> Result<Explanation, CliError> {
    let (settings, _) = args.settings.read()?;
    let Opened { runtime, stores } = Opened::at(url)?;
    let service = ExplanationService::new(
        stores.sessions,
        stores.requests,
        stores.labels,
        stores.audit,
        super::settings::rules(&settings)?.detector,
    );
    let found = runtime.block_on(service.explain(args.session)).map_err(CliError::failed)?;
    found.ok_or_else(|| CliError::Failed(anyhow!("no session {} in this store", args.session)))
}

/// The explanation of a session that logs tell of.
fn replayed(args: &ExplainArgs) -> Result<Explanation, CliError> {
    if args.logs.is_empty() {
        let problem = "no log and no store was named; give the logs that the session is in, \
            such as `analytics explain SESSION_ID --log access.log`, the store that keeps it with --store, \
            or a running service with --server";
        return Err(CliError::Usage(anyhow!(problem)));
    }
    let inputs = inputs(&args.logs)?;
    if inputs.contains(&Input::Stdin) {
        return Err(CliError::Usage(anyhow!(
            "explain reads its logs twice, so standard input cannot be one"
        )));
    }
    let options = args.settings.replay_options(args.secret_file.as_deref())?;
    let detector = options.visit.detector.clone();
    let mut watch = Watch::new(args.session);
    for _ in 0..2 {
        let replay = Replay::new(options.clone()).with_watch(&mut watch);
        let progress = Progress::start(replay.bytes_read(), Blocks::new(inputs.clone()).total_bytes());
        replay.run(inputs.clone()).map_err(refused)?;
        drop(progress);
        if !watch.is_found() {
            break;
        }
    }
    let session = watch.into_session().ok_or_else(|| {
        CliError::Failed(anyhow!(
            "no session {} in these logs; ids depend on the logs, --site-host, --secret-file and the rules of \
             sessions, so give the same as for `analytics replay --sessions-out`",
            args.session
        ))
    })?;
    Ok(Explanation::of(&detector, session))
}

fn render(explanation: &Explanation) -> String {
    let watched = &explanation.session;
    let session = &watched.session;
    let text = |key: &str| session[key].as_str().unwrap_or("unknown").to_owned();
    let mut out = String::new();
    let _ = writeln!(out, "session    {}", text("session_id"));
    let _ = writeln!(out, "visitor    {}   fingerprint {}", text("visitor_id"), text("fingerprint"));
    if explanation.kept.is_none() {
        let _ = writeln!(out, "client     {}", text("client_ip"));
    }
    let _ = writeln!(out, "agent      {}", fitted(&text("user_agent"), 88));
    let _ = writeln!(
        out,
        "time       {} to {}, ended: {}",
        text("started_at"),
        text("ended_at"),
        text("end_reason")
    );
    let pages =
        session["distinct_pages"].as_u64().map_or(String::new(), |pages| format!(" of {pages} pages"));
    let _ = writeln!(
        out,
        "requests   {}: {} page views{pages}, {} assets, {} errors",
        session["requests"], session["page_views"], session["assets"], session["errors"]
    );
    let hostile = if session["hostile"] == true { ", hostile" } else { "" };
    let _ = writeln!(
        out,
        "verdict    {}{hostile}, score {:.1} (rules {})",
        text("class"),
        session["score"].as_f64().unwrap_or(0.0),
        text("ruleset_version")
    );
    if let Some(name) = session["declared"]["name"].as_str() {
        let kind = session["declared"]["kind"].as_str().unwrap_or("unknown");
        let _ = writeln!(out, "declared   {} ({kind})", fitted(name, 60));
    }
    signals(&mut out, session, explanation);
    levels(&mut out, watched, explanation.kept.as_ref());
    requests(&mut out, watched, explanation.kept.as_ref());
    if let Some(kept) = &explanation.kept {
        beside(&mut out, kept);
    }
    out
}

fn signals(out: &mut String, session: &Value, explanation: &Explanation) {
    let signals = session["signals"].as_array().map(Vec::as_slice).unwrap_or_default();
    if signals.is_empty() {
        let _ = writeln!(out, "\nNo signal spoke.");
        return;
    }
    let _ = writeln!(out, "\nSignals");
    let mut table = Table::new(["signal", "category", "points", "seen", "limit", ""]);
    for signal in signals {
        let number = |value: &Value| figure(value.as_f64().unwrap_or(f64::NAN));
        table.row([
            signal["signal"].as_str().unwrap_or_default().to_owned(),
            signal["category"].as_str().unwrap_or_default().to_owned(),
            number(&signal["points"]),
            signal["evidence"].as_str().map_or_else(|| number(&signal["evidence"]["figure"]), str::to_owned),
            signal["evidence"]
                .as_str()
                .map_or_else(|| number(&signal["evidence"]["limit"]), |_| String::new()),
            if signal["decisive"] == true { "decisive".to_owned() } else { String::new() },
        ]);
    }
    table.write(out);
    model(out, &session["model"]);
    let _ = writeln!(out, "\nCategories");
    let mut table = Table::new(["category", "points", "cap", "counted"]);
    for sum in &explanation.categories {
        table.row([
            sum.category.clone(),
            figure(sum.points),
            sum.cap.map_or_else(|| "–".to_owned(), figure),
            figure(sum.counted),
        ]);
    }
    let counted = explanation.categories.iter().map(|sum| sum.counted).sum();
    table.row(["together".to_owned(), String::new(), String::new(), figure(counted)]);
    table.write(out);
    for line in &explanation.rule {
        let _ = writeln!(out, "  {line}");
    }
}

/// What the model found, and which features moved it.
fn model(out: &mut String, found: &Value) {
    let Some(probability) = found["probability"].as_f64() else { return };
    let contributions = found["contributions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let moved: Vec<String> = contributions
        .iter()
        .map(|by| {
            let name = by["feature"].as_str().unwrap_or_default();
            format!("{name} {:+.2}", by["by"].as_f64().unwrap_or(0.0))
        })
        .collect();
    let _ = writeln!(out, "\nModel: automation with a probability of {:.1} %", probability * 100.0);
    let _ = writeln!(out, "  moved (logarithm of the odds) by {}", moved.join(", "));
}

fn levels(out: &mut String, watched: &WatchedSession, kept: Option<&KeptBeside>) {
    let _ = writeln!(
        out,
        "\nThrottle levels (highest: {})",
        watched.session["throttle"]["max_level"].as_str().unwrap_or("normal")
    );
    match kept {
        Some(kept) => {
            let _ = writeln!(
                out,
                "  {} at its newest request; changes between are not kept",
                kept.last_level.as_str()
            );
        }
        None if watched.levels.is_empty() => {
            let _ = writeln!(out, "  no change during the session");
        }
        None => {}
    }
    for change in &watched.levels {
        let _ = writeln!(
            out,
            "  {}  {} -> {}  {}",
            change.at.format("%Y-%m-%d %H:%M:%S"),
            change.from.as_str(),
            change.to.as_str(),
            word(&change.reason)
        );
    }
}

fn requests(out: &mut String, watched: &WatchedSession, kept: Option<&KeptBeside>) {
    let refused = watched.requests.iter().filter(|request| request.refused.is_some()).count();
    let total = watched.requests.len();
    let level = if kept.is_none() { " (level: after it)" } else { "" };
    let _ = writeln!(out, "\nRequests: enforcing would have refused {refused} of the {total} listed{level}");
    let headings = ["time", "level", "status", "kind", "decision", ""];
    let shown = |column: &usize| kept.is_none() || *column != LEVEL;
    let columns = || (0..headings.len()).filter(shown);
    let mut table = Table::of(columns().map(|column| headings[column].to_owned()).collect());
    for request in &watched.requests {
        let decision = match &request.refused {
            Some(reason) => format!("refuse: {}", word(reason)),
            None => "admit".to_owned(),
        };
        let cells = [
            request.at.format("%Y-%m-%d %H:%M:%S").to_string(),
            request.level.map_or_else(String::new, |level| level.as_str().to_owned()),
            request.status.map_or_else(|| "–".to_owned(), |status| status.to_string()),
            word(&request.kind),
            decision,
            format!("{} {}", word(&request.method), request.path),
        ];
        table.push(columns().map(|column| cells[column].clone()).collect());
    }
    table.write_last_left(out, 100);
    if watched.unlisted_requests > 0 {
        let _ = writeln!(out, "  … and {} more", watched.unlisted_requests);
    }
    if let Some(gone) = kept.map(|kept| kept.requests_gone).filter(|gone| *gone > 0) {
        let _ = writeln!(out, "  … and {gone} whose rows are not kept any more");
    }
}

/// What people said of a session and did about it.
fn beside(out: &mut String, kept: &KeptBeside) {
    if !kept.labels.is_empty() {
        let _ = writeln!(out, "\nLabels");
        let mut table = Table::new(["source", "says", "confidence", "given"]);
        for label in &kept.labels {
            let record = label.record();
            table.row([
                record.source.to_string(),
                record.class.to_string(),
                record.confidence.to_string(),
                record.at.format("%Y-%m-%d %H:%M:%S").to_string(),
            ]);
        }
        table.write(out);
    }
    if !kept.audit.is_empty() {
        let _ = writeln!(out, "\nAudit");
    }
    for entry in &kept.audit {
        let record = entry.record();
        let reason = record.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
        let line = format!(
            "{}  {} by {}{reason}",
            record.at.format("%Y-%m-%d %H:%M:%S"),
            record.action,
            record.actor
        );
        let _ = writeln!(out, "  {}", fitted(&line, 98));
    }
}

/// The name on the wire of something that has one.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(name)) => name,
        Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) | Err(_) => {
            String::new()
        }
    }
}

/// A number with as many decimals as it needs, three at most.
fn figure(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The place of the level among the columns of requests.
const LEVEL: usize = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_as_many_decimals_as_they_need() {
        assert_eq!([1.0, 0.5, 0.1234, 100.0].map(figure), ["1", "0.5", "0.123", "100"]);
    }
}
