//! Truth labels: who made which lines.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::IpAddr;

use hashbrown::HashMap;
use serde::Serialize;

use super::kind::ActorKind;
use super::trace::{Record, SECOND, Sym, Trace};

/// One line of the labels: all requests of one address and agent without a gap of 30 minutes.
///
/// Times are whole seconds, as most log formats write them, and gaps are taken between them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct SessionTruth<'a> {
    #[serde(rename = "type")]
    row: &'static str,
    client_ip: IpAddr,
    user_agent: &'a str,
    /// Kind and number of the actor with most of the requests.
    actor: String,
    kind: &'static str,
    is_bot: bool,
    hostile: bool,
    /// More than one actor, not all of one truth, shared the address and agent.
    mixed: bool,
    /// Counts the sessions of this address and agent from 0.
    session: u32,
    started_at: String,
    ended_at: String,
    requests: u64,
}

/// One line of the labels: everything that came from one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct AddressTruth {
    #[serde(rename = "type")]
    row: &'static str,
    client_ip: IpAddr,
    kinds: Vec<&'static str>,
    agents: u64,
    /// More than half of the requests are automated.
    is_bot: bool,
    /// More than half of the requests are hostile.
    hostile: bool,
    started_at: String,
    ended_at: String,
    requests: u64,
    bot_requests: u64,
}

/// Counts of a whole simulation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    /// Lines of the log.
    pub requests: u64,
    /// Lines by automation.
    pub bot_requests: u64,
    /// Session rows of the labels.
    pub sessions: u64,
    /// Address rows of the labels.
    pub addresses: u64,
    /// Lines by kind of actor, by name; only kinds that made some.
    pub by_kind: BTreeMap<&'static str, u64>,
}

/// Writes one row for each session, by start, and then one for each address.
///
/// `records` must be in order of time.
pub(super) fn write(trace: &Trace, records: &[Record], out: &mut dyn Write) -> io::Result<Summary> {
    let mut sessions = sessions(trace, records);
    let mut addresses: BTreeMap<IpAddr, AddressCount> = BTreeMap::new();
    let mut summary =
        Summary { requests: records.len() as u64, sessions: sessions.len() as u64, ..Summary::default() };
    sessions.sort_by(|a, b| {
        (a.start, a.address, trace.text(a.agent)).cmp(&(b.start, b.address, trace.text(b.agent)))
    });
    for session in &sessions {
        addresses.entry(session.address).or_default().add(session);
        for ((kind, _), requests) in &session.actors {
            *summary.by_kind.entry(kind.name()).or_default() += requests;
        }
        serde_json::to_writer(&mut *out, &session.truth(trace))?;
        out.write_all(b"\n")?;
    }
    for (address, count) in &addresses {
        serde_json::to_writer(&mut *out, &count.truth(*address))?;
        out.write_all(b"\n")?;
    }
    summary.addresses = addresses.len() as u64;
    summary.bot_requests = addresses.values().map(|count| count.bots).sum();
    Ok(summary)
}

/// Inactivity that ends a session, in seconds; a gap of exactly this length starts a new one.
const GAP: i64 = 30 * 60;

struct Session {
    address: IpAddr,
    agent: Sym,
    number: u32,
    start: i64,
    end: i64,
    requests: u64,
    /// Requests by actor; nearly always one.
    actors: BTreeMap<(ActorKind, u32), u64>,
}

fn sessions(trace: &Trace, records: &[Record]) -> Vec<Session> {
    let mut sessions: Vec<Session> = Vec::new();
    // Only looked up, so its order is never seen.
    let mut open: HashMap<(IpAddr, Sym), usize> = HashMap::new();
    for record in records {
        let visitor = &trace.visitors[record.hit.visitor as usize];
        let second = record.at.div_euclid(SECOND);
        let key = (visitor.address, visitor.agent);
        let before = open.get(&key).copied();
        let place = match before {
            Some(place) if second - sessions[place].end < GAP => place,
            _ => {
                let number = before.map_or(0, |place| sessions[place].number + 1);
                sessions.push(Session {
                    address: visitor.address,
                    agent: visitor.agent,
                    number,
                    start: second,
                    end: second,
                    requests: 0,
                    actors: BTreeMap::new(),
                });
                open.insert(key, sessions.len() - 1);
                sessions.len() - 1
            }
        };
        let session = &mut sessions[place];
        session.end = second;
        session.requests += 1;
        *session.actors.entry((visitor.kind, visitor.actor)).or_default() += 1;
    }
    sessions
}

impl Session {
    fn truth<'a>(&self, trace: &'a Trace) -> SessionTruth<'a> {
        // Of equal shares the kind that stands first.
        let main = self.actors.iter().rev().max_by_key(|(_, requests)| **requests);
        let ((kind, actor), _) = main.expect("a session has a request, and that an actor");
        SessionTruth {
            row: "session",
            client_ip: self.address,
            user_agent: trace.text(self.agent),
            actor: format!("{}-{actor}", kind.name()),
            kind: kind.name(),
            is_bot: kind.is_bot(),
            hostile: kind.is_hostile(),
            mixed: self.actors.keys().any(|(other, _)| other.truth() != kind.truth()),
            session: self.number,
            started_at: iso(self.start),
            ended_at: iso(self.end),
            requests: self.requests,
        }
    }
}

#[derive(Default)]
struct AddressCount {
    kinds: BTreeSet<ActorKind>,
    agents: BTreeSet<Sym>,
    span: Option<(i64, i64)>,
    requests: u64,
    bots: u64,
    hostile: u64,
}

impl AddressCount {
    fn add(&mut self, session: &Session) {
        self.agents.insert(session.agent);
        self.requests += session.requests;
        let (start, end) = self.span.unwrap_or((session.start, session.end));
        self.span = Some((start.min(session.start), end.max(session.end)));
        for ((kind, _), requests) in &session.actors {
            self.kinds.insert(*kind);
            self.bots += if kind.is_bot() { *requests } else { 0 };
            self.hostile += if kind.is_hostile() { *requests } else { 0 };
        }
    }

    fn truth(&self, address: IpAddr) -> AddressTruth {
        let (start, end) = self.span.unwrap_or_default();
        AddressTruth {
            row: "address",
            client_ip: address,
            kinds: self.kinds.iter().map(|kind| kind.name()).collect(),
            agents: self.agents.len() as u64,
            is_bot: self.bots * 2 > self.requests,
            hostile: self.hostile * 2 > self.requests,
            started_at: iso(start),
            ended_at: iso(end),
            requests: self.requests,
            bot_requests: self.bots,
        }
    }
}

fn iso(second: i64) -> String {
    let time = chrono::DateTime::from_timestamp(second, 0).expect("a plan's time lies before 2100");
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::super::trace::{Hit, MINUTE, Method, Version, Visitor};
    use super::*;

    fn record(trace: &mut Trace, kind: ActorKind, at: i64) -> Record {
        let agent = trace.intern("agent");
        let visitor = trace.add_visitor(Visitor {
            address: "192.0.2.7".parse().unwrap(),
            agent,
            kind,
            actor: 3,
            language: Sym::NONE,
            browser_headers: false,
            via: false,
        });
        let hit = Hit {
            visitor,
            method: Method::Get,
            version: Version::H11,
            path: Sym::NONE,
            referrer: Sym::NONE,
            status: 200,
            bytes: 1,
            prefetch: false,
        };
        Record { at, took: 0, hit }
    }

    #[test]
    fn a_gap_of_exactly_thirty_minutes_starts_a_new_session() {
        let mut trace = Trace::new(0, i64::MAX);
        let at = [0, 30 * MINUTE - SECOND, 60 * MINUTE - SECOND];
        let records = at.map(|at| record(&mut trace, ActorKind::HumanReader, at));
        let spans: Vec<_> =
            sessions(&trace, &records).iter().map(|s| (s.number, s.start, s.end, s.requests)).collect();
        assert_eq!(spans, [(0, 0, 1_799, 2), (1, 3_599, 3_599, 1)]);
    }

    #[test]
    fn a_person_and_a_bot_behind_one_address_and_agent_are_a_mixed_row() {
        let mut trace = Trace::new(0, i64::MAX);
        let records = [
            record(&mut trace, ActorKind::ScraperResidential, 0),
            record(&mut trace, ActorKind::ScraperResidential, 1),
            record(&mut trace, ActorKind::HumanReader, 2),
        ];
        let mut out = Vec::new();
        let summary = write(&trace, &records, &mut out).unwrap();
        assert_eq!(
            (summary.requests, summary.bot_requests, summary.sessions, summary.addresses),
            (3, 2, 1, 1)
        );
        let rows: Vec<serde_json::Value> = out
            .split(|b| *b == b'\n')
            .filter(|l| !l.is_empty())
            .map(|l| serde_json::from_slice(l).unwrap())
            .collect();
        assert_eq!(
            rows,
            [
                serde_json::json!({"type": "session", "client_ip": "192.0.2.7", "user_agent": "agent",
                    "actor": "scraper_residential-3", "kind": "scraper_residential", "is_bot": true, "hostile": true,
                    "mixed": true, "session": 0, "started_at": "1970-01-01T00:00:00Z",
                    "ended_at": "1970-01-01T00:00:00Z", "requests": 3}),
                serde_json::json!({"type": "address", "client_ip": "192.0.2.7",
                    "kinds": ["human_reader", "scraper_residential"], "agents": 1, "is_bot": true, "hostile": true,
                    "started_at": "1970-01-01T00:00:00Z", "ended_at": "1970-01-01T00:00:00Z", "requests": 3,
                    "bot_requests": 2}),
            ]
        );
    }
}
