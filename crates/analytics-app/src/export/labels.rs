//! Labels of an export: which count, and files that bring more.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use analytics_domain::ids::SessionId;
use analytics_domain::label::{Label, LabelClass, LabelRecord, LabelSource};
use analytics_domain::session::{AnalyticsSession, Points, Text};
use analytics_ports::clock::whole_micros;
use anyhow::{Context, anyhow, bail};
use chrono::{DateTime, Utc};
use serde::Deserialize;

/// Which labels count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelSelection {
    /// The sources; the default is all but heuristics, which are what our own rules thought.
    pub sources: Vec<LabelSource>,
}

/// Labels out of a file.
///
/// Three kinds are read: the truth that `analytics simulate` writes, which is laid over the sessions of a replay by
/// address, agent and start; JSON lines with `session_id` and `class`; and CSV with a head line that names these columns.
/// `source`, `confidence` (percent), `at` and `author` may be given.
#[derive(Debug, Default)]
pub struct LabelFile {
    by_session: BTreeMap<SessionId, Vec<Label>>,
    by_client: BTreeMap<(IpAddr, String), BTreeMap<DateTime<Utc>, Truth>>,
    problems: Vec<LabelProblem>,
    rows: u64,
    bad: u64,
}

/// A row that gives no label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelProblem {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u64,
    /// What is wrong.
    pub problem: String,
}

#[derive(Debug, Clone)]
struct Truth {
    class: LabelClass,
    kind: String,
}

impl Default for LabelSelection {
    fn default() -> Self {
        let told = |source: &LabelSource| *source != LabelSource::Heuristic;
        Self { sources: LabelSource::ALL.into_iter().filter(told).collect() }
    }
}

impl LabelSelection {
    /// Whether what our own rules thought counts as well.
    pub fn has_heuristics(&self) -> bool {
        self.sources.contains(&LabelSource::Heuristic)
    }
}

/// A row as it is written in JSON or CSV.
#[derive(Debug, Default, Deserialize)]
struct Written {
    #[serde(alias = "session")]
    session_id: String,
    #[serde(alias = "label")]
    class: String,
    source: Option<String>,
    confidence: Option<f64>,
    at: Option<DateTime<Utc>>,
    author: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Simulated {
    Session {
        client_ip: IpAddr,
        user_agent: String,
        kind: String,
        is_bot: bool,
        mixed: bool,
        started_at: DateTime<Utc>,
    },
    /// What it says of an address stands in the rows of its sessions.
    Address {},
}

impl LabelFile {
    /// Reads the labels of one more file. A bad row is kept as a problem, and the others count.
    ///
    /// # Errors
    /// When the file cannot be read, has no label at all, or is CSV without the columns.
    pub fn add(&mut self, path: &Path) -> anyhow::Result<()> {
        let file = File::open(path).with_context(|| format!("cannot read the labels {}", path.display()))?;
        let before = self.rows;
        let mut columns: Option<Vec<String>> = None;
        for (number, line) in BufReader::new(file).lines().enumerate() {
            let line = line.with_context(|| format!("cannot read the labels {}", path.display()))?;
            let text = line.trim();
            if text.is_empty() {
                continue;
            }
            let read = if text.starts_with('{') {
                self.json(text)
            } else if let Some(columns) = &columns {
                written(columns, text).and_then(|written| self.written(&written))
            } else {
                columns =
                    Some(head(text).with_context(|| format!("{}, line {}", path.display(), number + 1))?);
                continue;
            };
            match read {
                Ok(()) => self.rows += 1,
                Err(error) => {
                    self.bad += 1;
                    if self.problems.len() < MOST_PROBLEMS {
                        let (line, problem) = (number as u64 + 1, format!("{error:#}"));
                        self.problems.push(LabelProblem { file: path.to_owned(), line, problem });
                    }
                }
            }
        }
        if self.rows == before {
            let first = self.problems.first().map_or("it is empty", |problem| problem.problem.as_str());
            bail!("{} has no label: {first}", path.display());
        }
        Ok(())
    }

    /// Rows that were read.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows that gave no label.
    pub const fn bad(&self) -> u64 {
        self.bad
    }

    /// The first rows that gave no label.
    pub fn problems(&self) -> &[LabelProblem] {
        &self.problems
    }

    /// Sessions that are labelled by their ids.
    pub(super) fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.by_session.keys().copied()
    }

    /// Whether labels are laid over sessions by their addresses, which only a replay knows.
    pub fn needs_addresses(&self) -> bool {
        !self.by_client.is_empty()
    }

    /// The labels of a session, and the kind of actor where the truth tells it.
    pub(super) fn of(
        &self,
        address: Option<IpAddr>,
        session: &AnalyticsSession,
    ) -> (Vec<Label>, Option<String>) {
        let mut labels = self.by_session.get(&session.id()).cloned().unwrap_or_default();
        let truth = self.truth(address, session);
        if let Some(truth) = truth {
            let record = LabelRecord {
                session: session.id(),
                source: LabelSource::Import,
                class: truth.class,
                confidence: CERTAIN,
                at: session.record().last_activity_at,
                author: Some(Text::cut("simulator")),
            };
            labels.extend(Label::try_from(record));
        }
        (labels, truth.map(|truth| truth.kind.clone()))
    }

    /// The truth of the labelled session that had begun when this one started.
    fn truth(&self, address: Option<IpAddr>, session: &AnalyticsSession) -> Option<&Truth> {
        let record = session.record();
        let agent = record.client.user_agent.as_ref().map_or("", |text| text.as_str());
        let starts = self.by_client.get(&(address?, agent.to_owned()))?;
        starts.range(..=record.started_at).next_back().map(|(_, truth)| truth)
    }

    fn json(&mut self, text: &str) -> anyhow::Result<()> {
        let value: serde_json::Value = serde_json::from_str(text).context("no JSON")?;
        if value.get("type").is_none() {
            return self.written(&serde_json::from_value(value)?);
        }
        match serde_json::from_value(value)? {
            // People and bots behind one address and agent are nothing to learn from.
            Simulated::Session { mixed: true, .. } | Simulated::Address {} => {}
            Simulated::Session { client_ip, user_agent, kind, is_bot, started_at, .. } => {
                let class = if is_bot { LabelClass::Bot } else { LabelClass::Human };
                let agent = Text::<512>::cut(&user_agent).as_str().to_owned();
                self.by_client
                    .entry((client_ip, agent))
                    .or_default()
                    .insert(started_at, Truth { class, kind });
            }
        }
        Ok(())
    }

    fn written(&mut self, written: &Written) -> anyhow::Result<()> {
        let session: SessionId =
            written.session_id.parse().with_context(|| format!("{:?} is no session", written.session_id))?;
        let class = written.class.parse().with_context(|| format!("{:?} is no class", written.class))?;
        let source = match written.source.as_deref().filter(|source| !source.is_empty()) {
            None => LabelSource::Import,
            Some(source) => source.parse().with_context(|| format!("{source:?} is no source"))?,
        };
        let confidence = match written.confidence {
            None => CERTAIN,
            Some(percent) => {
                Points::from_f64(percent).map_err(|_| anyhow!("a confidence is 0 to 100 %, not {percent}"))?
            }
        };
        let record = LabelRecord {
            session,
            source,
            class,
            confidence,
            at: whole_micros(written.at.unwrap_or(DateTime::UNIX_EPOCH)),
            author: written.author.as_deref().filter(|author| !author.is_empty()).map(Text::cut),
        };
        self.by_session.entry(session).or_default().push(record.try_into()?);
        Ok(())
    }
}

/// The columns that the first line of a CSV file names.
fn head(line: &str) -> anyhow::Result<Vec<String>> {
    let columns = fields(line)?;
    let has = |names: [&str; 2]| columns.iter().any(|column| names.contains(&column.as_str()));
    if !has(["session_id", "session"]) || !has(["class", "label"]) {
        bail!("labels are JSON lines, or CSV whose first line names at least session_id and class");
    }
    Ok(columns)
}

fn written(columns: &[String], line: &str) -> anyhow::Result<Written> {
    let values = fields(line)?;
    if values.len() != columns.len() {
        bail!("{} fields where the first line has {}", values.len(), columns.len());
    }
    let mut row = Written::default();
    for (column, value) in columns.iter().zip(values) {
        match column.as_str() {
            "session_id" | "session" => row.session_id = value,
            "class" | "label" => row.class = value,
            "source" => row.source = Some(value),
            "confidence" | "at" if value.is_empty() => {}
            "confidence" => row.confidence = Some(value.parse().context("the confidence is no number")?),
            "at" => row.at = Some(value.parse().context("the time is none")?),
            "author" => row.author = Some(value),
            _ => {}
        }
    }
    Ok(row)
}

/// The fields of a line of CSV; one in quotes may have commas and doubled quotes.
fn fields(line: &str) -> anyhow::Result<Vec<String>> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                field.push('"');
                letters.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            letter => field.push(letter),
        }
    }
    if quoted {
        bail!("a quote is not closed");
    }
    fields.push(field);
    Ok(fields.into_iter().map(|field| field.trim().to_owned()).collect())
}

const CERTAIN: Points = match Points::from_hundredths(10_000) {
    Ok(points) => points,
    Err(_) => panic!("a hundred is the most"),
};
const MOST_PROBLEMS: usize = 10;
