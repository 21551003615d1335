//! One block of a log in, a batch of requests out: everything about a line that needs no state.

use std::net::IpAddr;
use std::sync::Arc;

use analytics_domain::detector::{AgentFacts, Observation, ReferrerFacts};
use analytics_domain::request::{
    Channel, ClientNetwork, Hints, HttpVersion, Method, Probe, Referrer, ReferrerSource, RequestKind,
    RequestPolicy, SitePolicy, Target, Utm, client_address,
};
use analytics_domain::user_agent::UserAgent;
use chrono::{DateTime, Utc};
use hashbrown::HashMap;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::ingest::access_log::{BadLine, LineParser, LogFormat, LogRecord, ObservedFields, Scratch};
use crate::ingest::source::Block;

/// The requests of one block, in the order of its lines.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The block's input, from 0.
    pub(crate) input: usize,
    /// The requests.
    pub(crate) requests: Vec<ReadRequest>,
    /// The agents that the requests name by position.
    pub(crate) agents: Vec<Arc<Agent>>,
    /// Paths and referrer hosts that the requests name by range.
    pub(crate) text: String,
    /// Lines that gave no request: number, reason and a short excerpt.
    pub(crate) bad: Vec<BadLineSeen>,
    /// Lines of any kind.
    pub(crate) lines: u64,
    /// Requests taken out because their time was hours away from their neighbours'.
    pub(crate) travellers: u64,
}

impl Batch {
    /// An empty batch of a block of this input, in the same memory.
    fn emptied(self, input: usize) -> Self {
        let Self { mut requests, mut agents, mut text, mut bad, .. } = self;
        requests.clear();
        agents.clear();
        text.clear();
        bad.clear();
        Self { input, requests, agents, text, bad, lines: 0, travellers: 0 }
    }
}

/// A line that gave no request.
#[derive(Debug, Clone)]
pub(crate) struct BadLineSeen {
    pub(crate) line: u64,
    pub(crate) bad: BadLine,
    pub(crate) excerpt: String,
}

/// One request of a log: fixed size; its texts stand in the batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadRequest {
    /// When.
    pub(crate) at: DateTime<Utc>,
    /// The same in microseconds since the epoch.
    pub(crate) at_us: i64,
    /// Orders requests of one time, whatever the order of their lines: pages first, then by the line's hash.
    pub(crate) order: u64,
    /// The client's address.
    pub(crate) address: IpAddr,
    /// The network it stands for.
    pub(crate) network: ClientNetwork,
    /// Position in [`Batch::agents`].
    pub(crate) agent: u32,
    /// Hash of Accept-Language, or 0.
    pub(crate) headers: u64,
    pub(crate) method: Method,
    pub(crate) kind: RequestKind,
    pub(crate) version: Option<HttpVersion>,
    pub(crate) status: Option<u16>,
    pub(crate) bytes: u64,
    /// How long the answer took, where the log tells.
    pub(crate) duration_us: Option<u64>,
    path: (u32, u16),
    host: (u32, u16),
    query: (u32, u16),
    pub(crate) page: u64,
    pub(crate) directory: u64,
    pub(crate) number: Option<u64>,
    pub(crate) probe: Option<Probe>,
    pub(crate) referrer: ReferrerFacts,
    pub(crate) channel: Channel,
    pub(crate) campaign: Option<u64>,
}

/// An agent text with all that is read from it, once.
#[derive(Debug)]
pub(crate) struct Agent {
    /// The text, at most 512 bytes.
    pub(crate) text: Box<str>,
    /// What it says.
    pub(crate) read: UserAgent,
    /// What the rules need of it.
    pub(crate) facts: AgentFacts,
}

impl ReadRequest {
    /// The path, in its batch.
    pub(crate) fn path<'a>(&self, batch: &'a Batch) -> &'a str {
        range(&batch.text, self.path)
    }

    /// The host of a referrer on another site, in its batch; empty for others.
    pub(crate) fn referrer_host<'a>(&self, batch: &'a Batch) -> &'a str {
        range(&batch.text, self.host)
    }

    /// The query, in its batch, where it has campaign parameters; empty elsewhere.
    pub(crate) fn query<'a>(&self, batch: &'a Batch) -> &'a str {
        range(&batch.text, self.query)
    }

    /// Reads something of nearly each cache line that it lies in, which fetches them; what comes out means nothing.
    pub(crate) fn touch(&self) -> u64 {
        let Self { number, at_us, page, method, .. } = self;
        number.unwrap_or(0) ^ *at_us as u64 ^ page ^ *method as u64
    }

    /// The request as the rules see it.
    pub(crate) fn observation<'a>(&self, batch: &'a Batch) -> Observation<'a> {
        Observation {
            method: self.method,
            kind: self.kind,
            version: self.version,
            status: self.status,
            path: self.path(batch),
            page: self.page,
            directory: self.directory,
            number: self.number,
            probe: self.probe,
            trap: false,
            referrer: self.referrer,
            campaign: self.campaign,
            headers: None,
        }
    }
}

#[cfg(test)]
impl ReadRequest {
    /// A request of which only the time and the rank matter.
    pub(crate) fn bare(at_us: i64, order: u64) -> Self {
        let address = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
        Self {
            at: DateTime::from_timestamp_micros(at_us).unwrap_or_default(),
            at_us,
            order,
            address,
            network: ClientNetwork::V4(0),
            agent: 0,
            headers: 0,
            method: Method::Get,
            kind: RequestKind::Page,
            version: None,
            status: None,
            bytes: 0,
            duration_us: None,
            path: (0, 0),
            host: (0, 0),
            query: (0, 0),
            page: 0,
            directory: 0,
            number: None,
            probe: None,
            referrer: ReferrerFacts::Unobserved,
            channel: Channel::Direct,
            campaign: None,
        }
    }
}

/// Reads blocks of one log; one for each thread and input.
#[derive(Debug)]
pub(crate) struct BlockReader {
    policy: Arc<RequestPolicy>,
    parser: LineParser,
    observes: ObservedFields,
    scratch: Scratch,
    agents: HashMap<u64, Arc<Agent>>,
    in_batch: HashMap<u64, u32>,
    caches: Caches,
}

/// What a reader remembers of targets and referrers.
#[derive(Debug)]
struct Caches {
    targets: TargetCache,
    referrers: ReferrerCache,
}

/// What was read of the targets asked for last, by method and the hash of the whole target.
///
/// Assets and popular pages are asked for again and again; reading them again would be a tenth of all work.
#[derive(Debug)]
struct TargetCache {
    slots: Vec<TargetFacts>,
}

/// What is read of a target.
#[derive(Debug, Clone, Copy)]
struct TargetFacts {
    key: u64,
    /// Where in the target its path stands; nothing where it does not stand there as it is.
    path: (u32, u16),
    kind: RequestKind,
    page: u64,
    directory: u64,
    number: Option<u64>,
    probe: Option<Probe>,
    campaign: Option<u64>,
    /// Campaign parameters were there, which the channel needs.
    tagged: bool,
}

/// What was read of the referrers named last, by the hash of the whole field.
///
/// Every asset of a page names it, so most referrers are one of a few; reading them again would be a tenth of all
/// work.
#[derive(Debug)]
struct ReferrerCache {
    slots: Vec<ReferrerRead>,
}

/// What is read of a referrer.
#[derive(Debug, Clone, Copy)]
struct ReferrerRead {
    key: u64,
    facts: ReferrerFacts,
    /// The channel where no campaign parameters say another.
    channel: Channel,
    /// Where in the field the host of another site stands; empty for others.
    host: (u32, u16),
}

impl BlockReader {
    pub(crate) fn new(policy: Arc<RequestPolicy>, format: LogFormat, observes: ObservedFields) -> Self {
        Self {
            policy,
            parser: LineParser::new(format),
            observes,
            scratch: Scratch::default(),
            agents: HashMap::new(),
            in_batch: HashMap::new(),
            caches: Caches {
                targets: TargetCache { slots: vec![TargetFacts::NONE; TARGET_SLOTS] },
                referrers: ReferrerCache { slots: vec![ReferrerRead::NONE; REFERRER_SLOTS] },
            },
        }
    }

    /// Reads every line of a block, into the memory of a batch that is spent.
    pub(crate) fn read(&mut self, block: &Block, spent: Batch) -> Batch {
        let mut batch = spent.emptied(block.input);
        batch.requests.reserve(block.data.len() / 160);
        batch.text.reserve(block.data.len() / 4);
        self.in_batch.clear();
        if self.agents.len() > AGENT_CACHE {
            self.agents.clear();
        }
        self.parser.enter(block.header.as_deref());
        let mut scratch = std::mem::take(&mut self.scratch);
        // Looking at a whole block is cheaper than at each of its lines.
        let text = simdutf8::basic::from_utf8(&block.data).ok();
        let mut from = 0;
        for (number, line) in block.lines() {
            batch.lines += 1;
            let to = from + line.len();
            let parsed = match text {
                Some(text) => self.parser.parse_text(&mut scratch, &text[from..to]),
                None => self.parser.parse(&mut scratch, line),
            };
            from = to + 1;
            match parsed {
                Ok(Some(record)) => {
                    let agent = agent_of(
                        &mut self.agents,
                        &mut self.in_batch,
                        &mut batch.agents,
                        &self.observes,
                        &record,
                    );
                    batch.requests.push(read_record(
                        &self.policy,
                        &self.observes,
                        &mut self.caches,
                        &record,
                        agent,
                        xxh3_64(line),
                        &mut batch.text,
                    ));
                }
                Ok(None) => {}
                Err(bad) => {
                    batch.bad.push(BadLineSeen { line: number, bad, excerpt: excerpt(line) });
                }
            }
        }
        self.scratch = scratch;
        batch
    }
}

fn read_record(
    policy: &RequestPolicy,
    observes: &ObservedFields,
    caches: &mut Caches,
    record: &LogRecord<'_>,
    agent: u32,
    line_hash: u64,
    text: &mut String,
) -> ReadRequest {
    let method = Method::parse(record.method);
    let (target, path) = caches.targets.read(&policy.site, method, record);
    let referrer_text = if observes.referrer { Some(record.referrer.unwrap_or("-")) } else { None };
    let (referrer, host) = caches.referrers.read(&policy.site, referrer_text);
    let (query, utm) = if target.tagged {
        let query = record.target.split_once('?').map_or("", |(_, query)| query);
        (query, Utm::read(query))
    } else {
        ("", None)
    };
    let channel = match &utm {
        Some(utm) => Channel::of(&Referrer::Unobserved, Some(utm)),
        None => referrer.channel,
    };
    let address = if record.forwarded_for.is_some() {
        client_address(&policy.address, record.peer, record.forwarded_for.into_iter())
    } else {
        record.peer
    };
    let rank = if target.kind == RequestKind::Page { 0 } else { 1 << 63 };
    ReadRequest {
        at: record.at,
        at_us: record.at.timestamp_micros(),
        order: rank | line_hash >> 1,
        address,
        network: ClientNetwork::of(&policy.address, address),
        agent,
        headers: record.accept_language.map_or(0, |language| xxh3_64_with_seed(language.as_bytes(), 1)),
        method,
        kind: target.kind,
        version: record.protocol.and_then(HttpVersion::parse),
        status: record.status,
        bytes: record.bytes.unwrap_or(0),
        duration_us: record.duration_us,
        path: keep(text, path),
        host: keep(text, host),
        query: keep(text, kept(query)),
        page: target.page,
        directory: target.directory,
        number: target.number,
        probe: target.probe,
        referrer: referrer.facts,
        channel,
        campaign: target.campaign,
    }
}

impl TargetFacts {
    /// What no target reads as: its key is that of none.
    const NONE: Self = Self {
        key: 0,
        path: (0, 0),
        kind: RequestKind::Page,
        page: 0,
        directory: 0,
        number: None,
        probe: None,
        campaign: None,
        tagged: false,
    };
}

impl TargetCache {
    /// What a record's target reads as, and its path.
    fn read<'a>(
        &mut self,
        site: &SitePolicy,
        method: Method,
        record: &LogRecord<'a>,
    ) -> (TargetFacts, &'a str) {
        // What headers say of the purpose changes the kind; records that have them are read each time.
        let hinted = record.sec_fetch_dest.is_some();
        let key = xxh3_64_with_seed(record.target.as_bytes(), method as u64) | 1;
        let slot = &mut self.slots[key as usize / 2 % TARGET_SLOTS];
        if slot.key == key
            && !hinted
            && let Some(path) = part(record.target, slot.path)
        {
            return (*slot, path);
        }
        let hints = Hints { sec_fetch_dest: record.sec_fetch_dest, ..Hints::default() };
        let target = Target::read(site, method, record.target, hints);
        let utm = target.query.and_then(Utm::read);
        // The path is a part of the target where nothing stands before it but a scheme and a host.
        let place = place_in(record.target, target.path);
        let facts = TargetFacts {
            key,
            path: place.unwrap_or((0, 0)),
            kind: target.kind,
            page: target.path_hash.0,
            directory: target.directory_hash.0,
            number: target.last_number,
            probe: target.probe,
            campaign: utm.and_then(|utm| utm.campaign_hash()),
            tagged: utm.is_some(),
        };
        if !hinted && place.is_some() {
            *slot = facts;
        }
        (facts, target.path)
    }
}

impl ReferrerRead {
    /// What no referrer reads as: its key is that of none.
    const NONE: Self =
        Self { key: 0, facts: ReferrerFacts::Unobserved, channel: Channel::Direct, host: (0, 0) };
}

impl ReferrerCache {
    /// What a referrer tells, and its host if that is another site's.
    fn read<'a>(&mut self, site: &SitePolicy, text: Option<&'a str>) -> (ReferrerRead, &'a str) {
        let Some(text) = text else { return (ReferrerRead::NONE, "") };
        let key = xxh3_64(text.as_bytes()) | 1;
        let slot = &mut self.slots[key as usize / 2 % REFERRER_SLOTS];
        if slot.key == key
            && let Some(host) = part(text, slot.host)
        {
            return (*slot, host);
        }
        let referrer = Referrer::read(site, Some(text));
        let host = match referrer {
            Referrer::External { host, .. } => host,
            Referrer::Internal { .. } | Referrer::Missing | Referrer::Unobserved | Referrer::Unreadable => "",
        };
        let at = place_in(text, host);
        *slot = ReferrerRead {
            key: if at.is_some() { key } else { 0 },
            facts: facts_of(&referrer),
            channel: Channel::of(&referrer, None),
            host: at.unwrap_or((0, 0)),
        };
        (*slot, host)
    }
}

/// What the rules need of a referrer.
pub(crate) fn facts_of(referrer: &Referrer<'_>) -> ReferrerFacts {
    match *referrer {
        Referrer::Unobserved => ReferrerFacts::Unobserved,
        Referrer::Missing | Referrer::Unreadable => ReferrerFacts::Missing,
        Referrer::Internal { path, path_hash } => {
            ReferrerFacts::Internal { page: path_hash.0, root: path == "/" }
        }
        Referrer::External { host_hash, source, .. } => ReferrerFacts::External {
            host: host_hash,
            shared: !matches!(source, ReferrerSource::Other | ReferrerSource::Spam),
            spam: source == ReferrerSource::Spam,
        },
    }
}

fn agent_of(
    known: &mut HashMap<u64, Arc<Agent>>,
    in_batch: &mut HashMap<u64, u32>,
    agents: &mut Vec<Arc<Agent>>,
    observes: &ObservedFields,
    record: &LogRecord<'_>,
) -> u32 {
    let text = record.user_agent.unwrap_or_default();
    let hash = xxh3_64(text.as_bytes());
    *in_batch.entry(hash).or_insert_with(|| {
        let agent = known.entry(hash).or_insert_with(|| Arc::new(Agent::read(text, observes.user_agent)));
        agents.push(Arc::clone(agent));
        agents.len() as u32 - 1
    })
}

impl Agent {
    /// Reads an agent text.
    pub(crate) fn read(text: &str, observed: bool) -> Self {
        let read = UserAgent::parse(text);
        let facts = if observed { AgentFacts::of(text, &read) } else { AgentFacts::UNOBSERVED };
        let end = (0..=text.len().min(512)).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        Self { text: text[..end].into(), read, facts }
    }
}

/// Where in `whole` its own slice `piece` stands; nothing when it is none. An empty piece stands at the start.
fn place_in(whole: &str, piece: &str) -> Option<(u32, u16)> {
    if piece.is_empty() {
        return Some((0, 0));
    }
    let from = (piece.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    let place = (from as u32, piece.len() as u16);
    (part(whole, place) == Some(piece)).then_some(place)
}

fn part(whole: &str, (from, len): (u32, u16)) -> Option<&str> {
    whole.get(from as usize..from as usize + usize::from(len))
}

fn keep(text: &mut String, part: &str) -> (u32, u16) {
    let at = text.len() as u32;
    text.push_str(part);
    (at, part.len() as u16)
}

/// The part of a query that a request keeps: what is longer is cut at the last whole parameter.
fn kept(query: &str) -> &str {
    if u16::try_from(query.len()).is_ok() {
        return query;
    }
    let end = query.floor_char_boundary(usize::from(u16::MAX));
    &query[..query[..end].rfind('&').unwrap_or(0)]
}

fn range(text: &str, (at, len): (u32, u16)) -> &str {
    &text[at as usize..at as usize + usize::from(len)]
}

fn excerpt(line: &[u8]) -> String {
    let shown: String = String::from_utf8_lossy(&line[..line.len().min(120)])
        .chars()
        .flat_map(char::escape_default)
        .collect();
    if line.len() > 120 { format!("{shown}…") } else { shown }
}

/// Distinct agents a thread keeps read; when there are more it starts afresh.
const AGENT_CACHE: usize = 65_536;

/// Referrers a thread keeps read: 48 KiB.
const REFERRER_SLOTS: usize = 1_024;
/// Targets a thread keeps read: 400 KiB, within a core's second cache.
const TARGET_SLOTS: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_a_request_lies_between_two_words_that_are_touched() {
        let touched = [
            core::mem::offset_of!(ReadRequest, number),
            core::mem::offset_of!(ReadRequest, at_us),
            core::mem::offset_of!(ReadRequest, page),
            core::mem::offset_of!(ReadRequest, method),
        ];
        let ends = touched.iter().skip(1).copied().chain([size_of::<ReadRequest>()]);
        assert!(touched[0] < 64, "{touched:?}");
        assert!(touched.iter().zip(ends).all(|(from, to)| (1..=64).contains(&(to - from))), "{touched:?}");
    }

    #[test]
    fn a_referrer_that_is_remembered_reads_as_it_did_the_first_time() {
        let site = SitePolicy::for_hosts(["example.com"]).unwrap();
        let mut cache = ReferrerCache { slots: vec![ReferrerRead::NONE; REFERRER_SLOTS] };
        let texts = [
            "-",
            "",
            "no url",
            "https://example.com/",
            "https://www.example.com/a?b",
            "https://www.google.com/",
            " https://t.co/x ",
            "android-app://com.slack/",
            "https://EXAMPLE.org:8080/a",
        ];
        for _ in 0..2 {
            for text in texts {
                let fresh = Referrer::read(&site, Some(text));
                let (read, host) = cache.read(&site, Some(text));
                assert_eq!(
                    (read.facts, read.channel),
                    (facts_of(&fresh), Channel::of(&fresh, None)),
                    "{text}"
                );
                let expected = if let Referrer::External { host, .. } = fresh { host } else { "" };
                assert_eq!(host, expected, "{text}");
            }
        }
        let (read, host) = cache.read(&site, None);
        assert_eq!((read.facts, read.channel, host), (ReferrerFacts::Unobserved, Channel::Direct, ""));
    }
}
