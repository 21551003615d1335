//! The report of a replay, as data.

use std::collections::BTreeMap;

use analytics_domain::detector::{Class, SignalKind};
use analytics_domain::throttle::ThrottleLevel;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::anomalies::AnomalySummary;
use super::order::OrderCounters;
use super::tally::{ClassTally, Counts, Names, Tally};
use crate::ingest::access_log::BadLineReason;

/// What a replay shows: who visited, who was automation and why, and what would have been refused.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Time of the first and the last request.
    pub period: Option<Period>,
    /// What was read.
    pub input: InputSummary,
    /// Sessions, visitors and requests by class, people first.
    pub classes: Vec<ClassSummary>,
    /// Declared automation by kind and name, most requests first.
    pub declared: Vec<DeclaredRow>,
    /// Signals by the number of bot and suspected sessions they fired in, most first.
    pub signals: Vec<SignalRow>,
    /// Pages by views of people, most first.
    pub pages: Vec<NamedRow>,
    /// Hosts that referred sessions.
    pub referrers: Vec<NamedRow>,
    /// How sessions came.
    pub channels: Vec<NamedRow>,
    /// Statuses of answers, by requests.
    pub statuses: Vec<NamedRow>,
    /// Devices, by sessions.
    pub devices: Vec<NamedRow>,
    /// Browsers, by sessions.
    pub browsers: Vec<NamedRow>,
    /// Systems, by sessions.
    pub systems: Vec<NamedRow>,
    /// Countries, by sessions; `None` without a database of them.
    pub countries: Option<Vec<NamedRow>>,
    /// What each throttle level refused, or would have.
    pub throttle: Vec<LevelRow>,
    /// What was out of the ordinary, minute by minute.
    pub anomalies: AnomalySummary,
    /// What had to be left out, and how much of it; all 0 in an ordinary run.
    pub bounds: Bounds,
    /// The rules that were applied.
    pub ruleset_version: String,
}

/// A period of time, ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Period {
    /// Time of the first request.
    pub from: DateTime<Utc>,
    /// Time of the last request.
    pub to: DateTime<Utc>,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct InputSummary {
    /// Inputs with their formats.
    pub logs: Vec<LogRow>,
    /// Lines of any kind.
    pub lines: u64,
    /// Requests.
    pub requests: u64,
    /// Lines that gave no request.
    pub bad_lines: u64,
    /// Those by reason.
    pub bad_by_reason: BTreeMap<BadLineReason, u64>,
    /// Lines whose time was hours away from both their neighbours'; they are bad lines too.
    pub time_travellers: u64,
    /// The first few bad lines.
    pub bad_examples: Vec<BadExample>,
    /// Hosts that count as the site itself.
    pub site_hosts: Vec<String>,
    /// Whether those were learned from the log rather than given.
    pub site_hosts_learned: bool,
}

/// One input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogRow {
    /// Its name.
    pub name: String,
    /// Its format.
    pub format: String,
    /// Its lines.
    pub lines: u64,
}

/// A bad line, with where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadExample {
    /// The input.
    pub log: String,
    /// Number of the line, from 1.
    pub line: u64,
    /// What is wrong, and at which column.
    pub problem: String,
    /// How it begins.
    pub excerpt: String,
}

/// The sessions of one class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassSummary {
    /// The class.
    pub class: Class,
    /// Whether it is automation.
    pub is_bot: bool,
    /// Distinct visitors; exact up to 65,536, then with a standard error of 0.8 %. Who is seen on two days under one
    /// key is one visitor here.
    pub visitors: u64,
    /// Sessions.
    pub sessions: u64,
    /// Sessions that mean harm.
    pub hostile_sessions: u64,
    /// Requests.
    pub requests: u64,
    /// Page views.
    pub page_views: u64,
    /// Assets.
    pub assets: u64,
    /// Errors 4xx.
    pub errors_4xx: u64,
    /// Errors 5xx.
    pub errors_5xx: u64,
    /// Bytes sent, as logged.
    pub bytes: u64,
    /// Mean length of a session in seconds; `None` without a session.
    pub mean_duration_seconds: Option<f64>,
    /// Sessions with a page view.
    pub sessions_with_pages: u64,
    /// Those of them with one only.
    pub single_page_sessions: u64,
    /// Share of the sessions with pages that have one only; `None` without any.
    pub single_page_share: Option<f64>,
}

/// Declared automation of one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeclaredRow {
    /// What it says it does.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Sessions.
    pub sessions: u64,
    /// Requests.
    pub requests: u64,
}

/// A signal with the sessions it fired in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignalRow {
    /// The signal.
    pub signal: &'static str,
    /// Sessions taken for bots that do not declare themselves.
    pub bot: u64,
    /// Suspected sessions.
    pub suspected: u64,
    /// Sessions taken for people.
    pub human: u64,
}

/// Something counted for people and for automation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NamedRow {
    /// What is counted.
    pub name: String,
    /// People's, suspected ones included.
    pub people: u64,
    /// Automation's.
    pub automation: u64,
}

/// One throttle level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LevelRow {
    /// The level.
    pub level: ThrottleLevel,
    /// Sessions whose highest level it was: people's, suspected ones included.
    pub people_sessions: u64,
    /// Sessions whose highest level it was: automation's.
    pub automation_sessions: u64,
    /// Requests of people that it would have refused.
    pub people_refused: u64,
    /// Requests of automation that it would have refused.
    pub automation_refused: u64,
}

/// What had to be left out, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default)]
pub struct Bounds {
    /// How requests were put in order.
    pub order: OrderCounters,
    /// Visitors forgotten because too many were remembered.
    pub evicted_visitors: u64,
    /// Sessions that ended by it.
    pub evicted_sessions: u64,
    /// Page views counted under "(other)" because too many pages have names.
    pub unnamed_pages: u64,
    /// Referrals counted under "(other)" because too many hosts have names.
    pub unnamed_hosts: u64,
}

impl Report {
    pub(super) fn of(tally: &Tally, input: InputSummary, bounds: Bounds, ruleset_version: &str) -> Self {
        let side = |bot: bool| -> Vec<&ClassTally> {
            Class::ALL
                .into_iter()
                .filter(|class| class.is_bot() == bot)
                .map(|class| &tally.classes[class as usize])
                .collect()
        };
        let (people, bots) = (side(false), side(true));
        let named = |of: fn(&ClassTally) -> &BTreeMap<&'static str, u64>| merged(&people, &bots, of);
        let numbered = |names: &Names, of: fn(&ClassTally) -> &Counts| {
            let sum =
                |side: &[&ClassTally], number| side.iter().map(|tally| of(tally).get(number)).sum::<u64>();
            let rows = names
                .numbers()
                .map(|number| (names.name(number).to_owned(), (sum(&people, number), sum(&bots, number))));
            ranked(rows)
        };
        Self {
            period: tally.first_us.zip(tally.last_us).and_then(|(from, to)| {
                Some(Period {
                    from: DateTime::from_timestamp_micros(from)?,
                    to: DateTime::from_timestamp_micros(to)?,
                })
            }),
            input,
            classes: Class::ALL
                .into_iter()
                .map(|class| summary(class, &tally.classes[class as usize]))
                .collect(),
            declared: declared(tally),
            signals: signals(tally),
            pages: numbered(&tally.pages, |tally| &tally.pages),
            referrers: numbered(&tally.hosts, |tally| &tally.referrers),
            channels: named(|tally| &tally.channels),
            statuses: statuses(&people, &bots),
            devices: named(|tally| &tally.devices),
            browsers: named(|tally| &tally.browsers),
            systems: named(|tally| &tally.systems),
            countries: tally.geo.is_some().then(|| merged(&people, &bots, |tally| &tally.countries)),
            throttle: ThrottleLevel::ALL.into_iter().map(|level| level_row(tally, level)).collect(),
            anomalies: AnomalySummary::default(),
            bounds,
            ruleset_version: ruleset_version.to_owned(),
        }
    }

    /// The summary of one class.
    pub fn class(&self, class: Class) -> &ClassSummary {
        &self.classes[class as usize]
    }
}

fn summary(class: Class, tally: &ClassTally) -> ClassSummary {
    ClassSummary {
        class,
        is_bot: class.is_bot(),
        visitors: tally.visitors.count(),
        sessions: tally.sessions,
        hostile_sessions: tally.hostile,
        requests: tally.requests,
        page_views: tally.page_views,
        assets: tally.assets,
        errors_4xx: tally.errors_4xx,
        errors_5xx: tally.errors_5xx,
        bytes: tally.bytes,
        mean_duration_seconds: (tally.sessions > 0)
            .then(|| tally.duration_us as f64 / 1e6 / tally.sessions as f64),
        sessions_with_pages: tally.with_pages,
        single_page_sessions: tally.single_page,
        single_page_share: (tally.with_pages > 0).then(|| tally.single_page as f64 / tally.with_pages as f64),
    }
}

fn declared(tally: &Tally) -> Vec<DeclaredRow> {
    let mut rows: Vec<_> = tally
        .declared
        .iter()
        .map(|((kind, name), counts)| DeclaredRow {
            kind: kind.clone(),
            name: name.clone(),
            sessions: counts.sessions,
            requests: counts.requests,
        })
        .collect();
    rows.sort_by(|a, b| {
        b.requests.cmp(&a.requests).then_with(|| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)))
    });
    rows
}

fn signals(tally: &Tally) -> Vec<SignalRow> {
    let mut rows: Vec<_> = tally
        .signals
        .iter()
        .zip(SignalKind::ALL)
        .filter(|(by_class, _)| by_class.iter().any(|&sessions| sessions > 0))
        .map(|(by_class, signal)| SignalRow {
            signal: signal.as_str(),
            bot: by_class[Class::Bot as usize],
            suspected: by_class[Class::Suspected as usize],
            human: by_class[Class::Human as usize],
        })
        .collect();
    rows.sort_by(|a, b| {
        (b.bot + b.suspected).cmp(&(a.bot + a.suspected)).then_with(|| a.signal.cmp(b.signal))
    });
    rows
}

fn level_row(tally: &Tally, level: ThrottleLevel) -> LevelRow {
    let counts = &tally.levels[level as usize];
    let sum = |by_class: &[u64; 5], bot: bool| {
        Class::ALL
            .into_iter()
            .filter(|class| class.is_bot() == bot)
            .map(|class| by_class[class as usize])
            .sum()
    };
    LevelRow {
        level,
        people_sessions: sum(&counts.sessions, false),
        automation_sessions: sum(&counts.sessions, true),
        people_refused: sum(&counts.refused, false),
        automation_refused: sum(&counts.refused, true),
    }
}

fn merged<N: AsRef<str>>(
    people: &[&ClassTally],
    bots: &[&ClassTally],
    of: fn(&ClassTally) -> &BTreeMap<N, u64>,
) -> Vec<NamedRow> {
    let mut rows = BTreeMap::<&str, (u64, u64)>::new();
    for (name, count) in people.iter().flat_map(|tally| of(tally)) {
        rows.entry(name.as_ref()).or_default().0 += count;
    }
    for (name, count) in bots.iter().flat_map(|tally| of(tally)) {
        rows.entry(name.as_ref()).or_default().1 += count;
    }
    ranked(rows.into_iter().map(|(name, counts)| (name.to_owned(), counts)))
}

fn statuses(people: &[&ClassTally], bots: &[&ClassTally]) -> Vec<NamedRow> {
    let sum = |side: &[&ClassTally], status| side.iter().map(|tally| tally.statuses.get(status)).sum::<u64>();
    let name = |status: u32| if status == 0 { "unknown".to_owned() } else { status.to_string() };
    ranked((0..1_000).map(|status| (name(status), (sum(people, status), sum(bots, status)))))
}

/// Rows with any count, people's most first, then automation's, then by name.
fn ranked(rows: impl Iterator<Item = (String, (u64, u64))>) -> Vec<NamedRow> {
    let mut rows: Vec<_> = rows
        .filter(|(_, (people, automation))| people + automation > 0)
        .map(|(name, (people, automation))| NamedRow { name, people, automation })
        .collect();
    rows.sort_by(|a, b| {
        (b.people, b.automation).cmp(&(a.people, a.automation)).then_with(|| a.name.cmp(&b.name))
    });
    rows
}
