//! How well the detector tells the actors of a labelled log apart, kind by kind.
//!
//! ```text
//! analytics simulate --seed 1 --out access.log --labels labels.jsonl
//! cargo run --release -p analytics-app --example evaluate -- access.log labels.jsonl
//! ```
//!
//! The log is replayed by the default policy and by the seven-signal preset. Each session of the replay is laid over
//! the labelled session of the same address and agent that had begun by then. A labelled session, a visitor (address
//! and agent) or an address counts as flagged when any of its sessions was taken for automation. Rows that a person
//! and a bot share (`mixed`) are counted apart and enter no rate.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;

use analytics_app::ingest::source::Input;
use analytics_app::replay::{Replay, ReplayOptions};
use analytics_domain::detector::{BehavioralBotDetector, DetectorPolicy};
use analytics_domain::visit::VisitPolicy;
use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Parser, ValueEnum};
use serde::{Deserialize, Serialize};

/// Replays a labelled log and compares verdicts with the truth.
#[derive(Parser)]
struct Args {
    /// The access log, as `analytics simulate` writes it
    log: PathBuf,
    /// Its labels, as JSON lines
    labels: PathBuf,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Prints each wrongly judged session of this kind (or of `all`) by the default policy instead, as JSON lines
    #[arg(long, value_name = "KIND")]
    wrong: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let truth = Truth::read(&args.labels)?;
    let mut out = std::io::stdout().lock();
    if let Some(kind) = &args.wrong {
        let sessions = replay(&args.log, DetectorPolicy::default())?;
        return Ok(list_wrong(&truth, &sessions, kind, &mut out)?);
    }
    let mut evaluations = Vec::new();
    for policy in [DetectorPolicy::default(), DetectorPolicy::seven_signal()] {
        let ruleset = policy.ruleset_version();
        let sessions = replay(&args.log, policy)?;
        evaluations.push(evaluate(&truth, ruleset, &sessions));
    }
    match args.format {
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&evaluations)?)?,
        Format::Text => print(&evaluations, &mut out)?,
    }
    Ok(())
}

/// One labelled session.
#[derive(Debug, Deserialize)]
struct SessionLabel {
    client_ip: String,
    user_agent: String,
    kind: String,
    is_bot: bool,
    hostile: bool,
    mixed: bool,
    started_at: DateTime<Utc>,
}

/// A line of the labels: those of addresses repeat what those of sessions say.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Label {
    Session(SessionLabel),
    Address {},
}

/// What the evaluation reads of a session line of the replay.
#[derive(Debug, Deserialize)]
struct Session {
    client_ip: String,
    user_agent: String,
    started_at: DateTime<Utc>,
    class: String,
    is_bot: bool,
    throttle: Throttle,
    /// The whole line, to be shown.
    #[serde(skip)]
    line: String,
}

#[derive(Debug, Deserialize)]
struct Throttle {
    max_level: String,
}

/// All labelled sessions, and where those of one address and agent stand, by start.
struct Truth {
    labels: Vec<SessionLabel>,
    by_visitor: BTreeMap<(String, String), BTreeMap<DateTime<Utc>, usize>>,
}

impl Truth {
    fn read(path: &PathBuf) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut truth = Self { labels: Vec::new(), by_visitor: BTreeMap::new() };
        for (number, line) in BufReader::new(file).lines().enumerate() {
            let label = serde_json::from_str(&line?).with_context(|| format!("label {}", number + 1))?;
            if let Label::Session(label) = label {
                let visitor = (label.client_ip.clone(), label.user_agent.clone());
                truth.by_visitor.entry(visitor).or_default().insert(label.started_at, truth.labels.len());
                truth.labels.push(label);
            }
        }
        Ok(truth)
    }

    /// The labelled session that this one is part of.
    fn of(&self, session: &Session) -> Option<usize> {
        let visitor = (session.client_ip.clone(), session.user_agent.clone());
        let starts = self.by_visitor.get(&visitor)?;
        starts.range(..=session.started_at).next_back().map(|(_, at)| *at)
    }
}

fn replay(log: &std::path::Path, policy: DetectorPolicy) -> anyhow::Result<Vec<Session>> {
    let visit = VisitPolicy { detector: BehavioralBotDetector::new(policy), ..VisitPolicy::default() };
    let options = ReplayOptions { visit, ..ReplayOptions::default() };
    let mut lines = Vec::new();
    Replay::new(options).with_sessions_out(&mut lines).run(vec![Input::from_argument(log)])?;
    let lines = String::from_utf8(lines).context("session lines are UTF-8")?;
    lines
        .lines()
        .map(|line| Ok(Session { line: line.to_owned(), ..serde_json::from_str(line)? }))
        .collect::<Result<_, serde_json::Error>>()
        .context("session lines are JSON")
}

/// Rates of one policy.
#[derive(Debug, Serialize)]
struct Evaluation {
    ruleset: &'static str,
    /// Sessions of the replay that no label covers.
    unlabelled: u64,
    /// Labelled sessions that a person and a bot share.
    mixed: u64,
    sessions: Rates,
    visitors: Rates,
    addresses: Rates,
    by_kind: BTreeMap<String, KindCount>,
}

/// One kind of actor.
#[derive(Debug, Default, Serialize)]
struct KindCount {
    is_bot: bool,
    hostile: bool,
    sessions: u64,
    sessions_flagged: u64,
    sessions_suspected: u64,
    /// Sessions that saw a stricter level than Normal, or would have.
    sessions_throttled: u64,
    visitors: u64,
    visitors_flagged: u64,
    addresses: u64,
    addresses_flagged: u64,
}

/// How well automation is told from people, over all kinds.
#[derive(Debug, Serialize)]
struct Rates {
    people: u64,
    people_flagged: u64,
    automated: u64,
    automated_flagged: u64,
    hostile: u64,
    hostile_flagged: u64,
    /// Flagged people ÷ people.
    false_positive_rate: Option<f64>,
    recall: Option<f64>,
    hostile_recall: Option<f64>,
    precision: Option<f64>,
    f1: Option<f64>,
    /// Mean of the recall of automation and of the share of people left alone.
    balanced_accuracy: Option<f64>,
}

/// What became of one unit: a session, a visitor or an address.
#[expect(clippy::struct_excessive_bools, reason = "each stands for an independent fact")]
#[derive(Debug, Clone, Copy, Default)]
struct Fate {
    people: bool,
    automated: bool,
    hostile: bool,
    flagged: bool,
}

impl Fate {
    fn add(&mut self, label: &SessionLabel, flagged: bool) {
        self.people |= !label.is_bot || label.mixed;
        self.automated |= label.is_bot || label.mixed;
        self.hostile |= label.hostile;
        self.flagged |= flagged;
    }

    fn mixed(self) -> bool {
        self.people && self.automated
    }
}

fn evaluate(truth: &Truth, ruleset: &'static str, sessions: &[Session]) -> Evaluation {
    let mut flagged = vec![false; truth.labels.len()];
    let mut suspected = vec![false; truth.labels.len()];
    let mut throttled = vec![false; truth.labels.len()];
    let mut unlabelled = 0;
    for session in sessions {
        let Some(at) = truth.of(session) else {
            unlabelled += 1;
            continue;
        };
        flagged[at] |= session.is_bot;
        suspected[at] |= session.class == "suspected";
        throttled[at] |= session.throttle.max_level != "normal";
    }
    let mut by_session = Vec::new();
    let mut by_visitor = BTreeMap::<(&str, &str), Fate>::new();
    let mut by_address = BTreeMap::<&str, Fate>::new();
    for (label, &flagged) in truth.labels.iter().zip(&flagged) {
        let mut fate = Fate::default();
        fate.add(label, flagged);
        by_session.push(fate);
        by_visitor.entry((&label.client_ip, &label.user_agent)).or_default().add(label, flagged);
        by_address.entry(&label.client_ip).or_default().add(label, flagged);
    }
    let mut by_kind = BTreeMap::<String, KindCount>::new();
    let mut seen = BTreeSet::new();
    for (at, label) in truth.labels.iter().enumerate().filter(|(_, label)| !label.mixed) {
        let count = by_kind.entry(label.kind.clone()).or_default();
        (count.is_bot, count.hostile) = (label.is_bot, label.hostile);
        count.sessions += 1;
        count.sessions_flagged += u64::from(flagged[at]);
        count.sessions_suspected += u64::from(suspected[at] && !flagged[at]);
        count.sessions_throttled += u64::from(throttled[at]);
        let visitor = (label.client_ip.as_str(), label.user_agent.as_str());
        if !by_visitor[&visitor].mixed() && seen.insert((label.kind.as_str(), visitor.0, Some(visitor.1))) {
            count.visitors += 1;
            count.visitors_flagged += u64::from(by_visitor[&visitor].flagged);
        }
        if !by_address[visitor.0].mixed() && seen.insert((label.kind.as_str(), visitor.0, None)) {
            count.addresses += 1;
            count.addresses_flagged += u64::from(by_address[visitor.0].flagged);
        }
    }
    Evaluation {
        ruleset,
        unlabelled,
        mixed: truth.labels.iter().filter(|label| label.mixed).count() as u64,
        sessions: rates(by_session),
        visitors: rates(by_visitor.into_values()),
        addresses: rates(by_address.into_values()),
        by_kind,
    }
}

fn rates(fates: impl IntoIterator<Item = Fate>) -> Rates {
    let [mut people, mut people_flagged, mut automated, mut automated_flagged] = [0; 4];
    let [mut hostile, mut hostile_flagged] = [0; 2];
    for fate in fates.into_iter().filter(|fate| !fate.mixed()) {
        people += u64::from(fate.people);
        people_flagged += u64::from(fate.people && fate.flagged);
        automated += u64::from(fate.automated);
        automated_flagged += u64::from(fate.automated && fate.flagged);
        hostile += u64::from(fate.hostile);
        hostile_flagged += u64::from(fate.hostile && fate.flagged);
    }
    let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
    let false_positive_rate = share(people_flagged, people);
    let recall = share(automated_flagged, automated);
    Rates {
        people,
        people_flagged,
        automated,
        automated_flagged,
        hostile,
        hostile_flagged,
        false_positive_rate,
        recall,
        hostile_recall: share(hostile_flagged, hostile),
        precision: share(automated_flagged, automated_flagged + people_flagged),
        f1: share(2 * automated_flagged, automated_flagged + people_flagged + automated),
        balanced_accuracy: recall
            .zip(false_positive_rate)
            .map(|(recall, wrong)| f64::midpoint(recall, 1.0 - wrong)),
    }
}

fn print(evaluations: &[Evaluation], out: &mut impl Write) -> std::io::Result<()> {
    let percent = |part: u64, whole: u64| match whole {
        0 => "-".to_owned(),
        _ => format!("{:.1}", 100.0 * part as f64 / whole as f64),
    };
    let rate = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{:.2}", 100.0 * value));
    for evaluation in evaluations {
        writeln!(out, "{}", evaluation.ruleset)?;
        writeln!(
            out,
            "{:<24} {:>9} {:>6} {:>6} {:>6}  {:>9} {:>6}  {:>9} {:>6}",
            "kind", "sessions", "bot %", "susp %", "slow %", "visitors", "bot %", "addresses", "bot %"
        )?;
        let mut kinds: Vec<_> = evaluation.by_kind.iter().collect();
        kinds.sort_by_key(|(_, count)| (count.is_bot, count.hostile));
        for (kind, count) in kinds {
            writeln!(
                out,
                "{kind:<24} {:>9} {:>6} {:>6} {:>6}  {:>9} {:>6}  {:>9} {:>6}",
                count.sessions,
                percent(count.sessions_flagged, count.sessions),
                percent(count.sessions_suspected, count.sessions),
                percent(count.sessions_throttled, count.sessions),
                count.visitors,
                percent(count.visitors_flagged, count.visitors),
                count.addresses,
                percent(count.addresses_flagged, count.addresses),
            )?;
        }
        writeln!(
            out,
            "{:<10} {:>7} {:>8} {:>7} {:>9} {:>7} {:>9} {:>6} {:>9}",
            "by", "people", "wrong %", "bots", "recall %", "hostile", "recall %", "F1 %", "balanced %"
        )?;
        let all = [
            ("session", &evaluation.sessions),
            ("visitor", &evaluation.visitors),
            ("address", &evaluation.addresses),
        ];
        for (unit, rates) in all {
            writeln!(
                out,
                "{unit:<10} {:>7} {:>8} {:>7} {:>9} {:>7} {:>9} {:>6} {:>9}",
                rates.people,
                rate(rates.false_positive_rate),
                rates.automated,
                rate(rates.recall),
                rates.hostile,
                rate(rates.hostile_recall),
                rate(rates.f1),
                rate(rates.balanced_accuracy),
            )?;
        }
        writeln!(out, "{} mixed, {} unlabelled\n", evaluation.mixed, evaluation.unlabelled)?;
    }
    Ok(())
}

fn list_wrong(truth: &Truth, sessions: &[Session], kind: &str, out: &mut impl Write) -> std::io::Result<()> {
    for session in sessions {
        let Some(label) = truth.of(session).map(|at| &truth.labels[at]) else { continue };
        if !label.mixed && label.is_bot != session.is_bot && (kind == "all" || label.kind == kind) {
            writeln!(out, "{{\"kind\":\"{}\",\"session\":{}}}", label.kind, session.line)?;
        }
    }
    Ok(())
}
