//! Counting what a replay shows, by what each session turned out to be.
//!
//! A request is counted under the class that its session ends with. Until then it waits with its session; a session
//! that holds 4,096 of them settles under the class it has by then.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use analytics_domain::detector::SignalKind;
use analytics_domain::request::Channel;
use analytics_domain::throttle::ThrottleLevel;
use analytics_domain::user_agent::Product;
use analytics_domain::visit::EndedSession;
use analytics_ports::GeoLocator;
use hashbrown::HashMap;

use super::read::{Agent, Batch, ReadRequest};
use super::record::HeldSession;
use super::step::{Place, Stepped};

/// What the replay keeps beside each open session.
#[derive(Debug, Default)]
pub(crate) struct SessionTag {
    pub(crate) agent: Option<Arc<Agent>>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) channel: Option<Channel>,
    pub(crate) referrer_host: u32,
    pub(crate) landing: u32,
    pub(crate) bytes: u64,
    /// What is held for a sink of records, where there is one.
    pub(crate) held_session: Option<Box<HeldSession>>,
    newest: Option<u32>,
    held: u32,
}

/// Everything that is counted by class.
pub(crate) struct Tally {
    /// Tells countries, where they are asked for.
    pub(crate) geo: Option<Arc<dyn GeoLocator>>,
    pub(crate) classes: [ClassTally; 5],
    pub(crate) pages: Names,
    pub(crate) hosts: Names,
    pub(crate) declared: BTreeMap<(String, String), SessionsAndRequests>,
    pub(crate) signals: Vec<[u64; 5]>,
    pub(crate) levels: [LevelTally; 4],
    pub(crate) requests: u64,
    pub(crate) first_us: Option<i64>,
    pub(crate) last_us: Option<i64>,
    pending: Pending,
}

/// What is counted for the sessions of one class.
#[derive(Debug, Default)]
pub(crate) struct ClassTally {
    pub(crate) sessions: u64,
    pub(crate) hostile: u64,
    pub(crate) requests: u64,
    pub(crate) page_views: u64,
    pub(crate) assets: u64,
    pub(crate) errors_4xx: u64,
    pub(crate) errors_5xx: u64,
    pub(crate) bytes: u64,
    pub(crate) duration_us: i128,
    pub(crate) single_page: u64,
    pub(crate) with_pages: u64,
    pub(crate) visitors: Uniques,
    pub(crate) statuses: Counts,
    pub(crate) pages: Counts,
    pub(crate) referrers: Counts,
    pub(crate) channels: BTreeMap<&'static str, u64>,
    pub(crate) devices: BTreeMap<&'static str, u64>,
    pub(crate) browsers: BTreeMap<&'static str, u64>,
    pub(crate) systems: BTreeMap<&'static str, u64>,
    pub(crate) countries: BTreeMap<String, u64>,
}

/// What one level of throttling refused, or would have.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LevelTally {
    /// Requests.
    pub(crate) refused: [u64; 5],
    /// Sessions whose highest level it was.
    pub(crate) sessions: [u64; 5],
}

/// Sessions and requests.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionsAndRequests {
    pub(crate) sessions: u64,
    pub(crate) requests: u64,
}

/// Counts by the number of a name.
#[derive(Debug, Default)]
pub(crate) struct Counts(Vec<u64>);

/// Distinct visitors: a HyperLogLog sketch of 16,384 registers, exact while it is small.
#[derive(Debug)]
pub(crate) struct Uniques {
    exact: hashbrown::HashSet<u64>,
    registers: Vec<u8>,
}

/// Names by number, up to a bound; number 0 is everything past it.
#[derive(Debug)]
pub(crate) struct Names {
    by_hash: HashMap<u64, u32>,
    texts: Vec<Box<str>>,
    pub(crate) overflowed: u64,
}

/// Requests that wait for the class of their session, seven to a cache line.
#[derive(Debug, Default)]
struct Pending {
    chunks: Vec<Chunk>,
    free: Option<u32>,
}

/// Up to seven requests of one session, and the chunk with those before.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Chunk {
    before: Option<u32>,
    len: u8,
    held: [Held; 7],
}

/// What is counted of a request.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    /// Number of the page, or `NO_NAME` for a request that is no page view.
    page: u32,
    status: u16,
}

impl Tally {
    /// Nothing counted yet.
    pub(crate) fn new(geo: Option<Arc<dyn GeoLocator>>) -> Self {
        Self {
            geo,
            classes: Default::default(),
            pages: Names::new(),
            hosts: Names::new(),
            declared: BTreeMap::new(),
            signals: vec![[0; 5]; SignalKind::ALL.len()],
            levels: [LevelTally::default(); 4],
            requests: 0,
            first_us: None,
            last_us: None,
            pending: Pending::default(),
        }
    }

    /// Counts a request that was just stepped, under the session it belongs to.
    pub(super) fn request(
        &mut self,
        batch: &Batch,
        request: &ReadRequest,
        stepped: &Stepped,
        tag: &mut SessionTag,
    ) {
        self.requests += 1;
        self.first_us = Some(self.first_us.map_or(request.at_us, |first| first.min(request.at_us)));
        self.last_us = Some(self.last_us.map_or(request.at_us, |last| last.max(request.at_us)));
        if stepped.opened {
            tag.agent = Some(Arc::clone(&batch.agents[request.agent as usize]));
            tag.address = Some(request.address);
            tag.channel = Some(request.channel);
            let host = request.referrer_host(batch);
            tag.referrer_host = if host.is_empty() {
                NO_NAME
            } else {
                self.hosts.number(xxhash_rust::xxh3::xxh3_64(host.as_bytes()), host)
            };
            tag.landing = NO_NAME;
        }
        let page =
            if stepped.page_view { self.pages.number(request.page, request.path(batch)) } else { NO_NAME };
        if tag.landing == NO_NAME {
            tag.landing = page;
        }
        tag.bytes += request.bytes;
        self.pending.push(&mut tag.newest, Held { page, status: request.status.unwrap_or(0) });
        tag.held += 1;
        if tag.held >= HELD {
            let tally = &mut self.classes[stepped.class as usize];
            self.pending.drain(&mut tag.newest, |held| tally.held(held));
            tag.held = 0;
        }
    }

    /// Counts a session that ended.
    pub(super) fn session(&mut self, ended: &EndedSession<Place>, tag: &mut SessionTag, visitor: u64) {
        let class = ended.verdict.class;
        let tally = &mut self.classes[class as usize];
        self.pending.drain(&mut tag.newest, |held| tally.held(held));
        let counts = &ended.profile.counts;
        tally.sessions += 1;
        tally.hostile += u64::from(ended.verdict.hostile);
        tally.requests += u64::from(counts.requests);
        tally.page_views += u64::from(counts.page_views);
        tally.assets += u64::from(counts.assets);
        tally.errors_4xx += u64::from(counts.errors_4xx);
        tally.errors_5xx += u64::from(counts.errors_5xx);
        tally.bytes += tag.bytes;
        tally.duration_us += i128::from(ended.profile.span_us());
        tally.single_page += u64::from(counts.page_views == 1);
        tally.with_pages += u64::from(counts.page_views > 0);
        tally.visitors.insert(visitor);
        if tag.referrer_host != NO_NAME {
            tally.referrers.add(tag.referrer_host, 1);
        }
        if let Some(channel) = tag.channel {
            *tally.channels.entry(channel.as_str()).or_default() += 1;
        }
        if let Some(geo) = &self.geo
            && let Some(address) = tag.address
        {
            let country = geo.locate(address).place.country;
            let name = country.map_or_else(|| "unknown".to_owned(), |country| country.to_string());
            *tally.countries.entry(name).or_default() += 1;
        }
        if let Some(agent) = &tag.agent {
            let read = &agent.read;
            *tally.devices.entry(read.device_type.as_str()).or_default() += 1;
            let name = |product: &Option<Product>| product.as_ref().map_or("unknown", |product| product.name);
            *tally.browsers.entry(name(&read.browser)).or_default() += 1;
            *tally.systems.entry(name(&read.os)).or_default() += 1;
            if let Some(declared) = &read.declared {
                let key = (declared.kind.as_str().to_owned(), declared.name.to_string());
                let entry = self.declared.entry(key).or_default();
                entry.sessions += 1;
                entry.requests += u64::from(counts.requests);
            }
        }
        for signal in &ended.verdict.signals {
            self.signals[signal.kind as usize][class as usize] += 1;
        }
        for level in ThrottleLevel::ALL {
            self.levels[level as usize].refused[class as usize] +=
                u64::from(ended.session.refused[level as usize]);
        }
        self.levels[ended.session.max_level as usize].sessions[class as usize] += 1;
    }
}

impl ClassTally {
    fn held(&mut self, held: Held) {
        self.statuses.add(u32::from(held.status.min(999)), 1);
        if held.page != NO_NAME {
            self.pages.add(held.page, 1);
        }
    }
}

impl Counts {
    fn add(&mut self, number: u32, by: u64) {
        let at = number as usize;
        if self.0.len() <= at {
            self.0.resize(at + 1, 0);
        }
        self.0[at] += by;
    }

    pub(crate) fn get(&self, number: u32) -> u64 {
        self.0.get(number as usize).copied().unwrap_or(0)
    }
}

impl Names {
    fn new() -> Self {
        Self { by_hash: HashMap::new(), texts: vec!["(other)".into()], overflowed: 0 }
    }

    fn number(&mut self, hash: u64, name: &str) -> u32 {
        if let Some(&number) = self.by_hash.get(&hash) {
            return number;
        }
        if self.texts.len() >= MAX_NAMES {
            self.overflowed += 1;
            return 0;
        }
        let number = self.texts.len() as u32;
        self.texts.push(name.into());
        self.by_hash.insert(hash, number);
        number
    }

    pub(crate) fn name(&self, number: u32) -> &str {
        self.texts.get(number as usize).map_or("(other)", |name| name)
    }

    pub(crate) fn numbers(&self) -> std::ops::Range<u32> {
        0..self.texts.len() as u32
    }
}

impl Default for Uniques {
    fn default() -> Self {
        Self { exact: hashbrown::HashSet::new(), registers: Vec::new() }
    }
}

impl Uniques {
    fn insert(&mut self, hash: u64) {
        if self.registers.is_empty() {
            self.exact.insert(hash);
            if self.exact.len() <= EXACT_UNIQUES {
                return;
            }
            self.registers = vec![0; 1 << 14];
            for hash in std::mem::take(&mut self.exact) {
                self.raise(hash);
            }
            return;
        }
        self.raise(hash);
    }

    fn raise(&mut self, hash: u64) {
        let register = &mut self.registers[(hash & 0x3fff) as usize];
        *register = (*register).max((hash >> 14 | 1 << 50).trailing_zeros() as u8 + 1);
    }

    /// The number of distinct visitors: exact up to 65,536, with a standard error of 0.8 % above.
    pub(crate) fn count(&self) -> u64 {
        if self.registers.is_empty() {
            return self.exact.len() as u64;
        }
        let m = self.registers.len() as f64;
        let sum: f64 = self.registers.iter().map(|&rank| libm::ldexp(1.0, -i32::from(rank))).sum();
        libm::round(0.7213 / (1.0 + 1.079 / m) * m * m / sum) as u64
    }
}

impl Pending {
    fn push(&mut self, newest: &mut Option<u32>, held: Held) {
        if let Some(number) = *newest {
            let chunk = &mut self.chunks[number as usize];
            if let Some(slot) = chunk.held.get_mut(usize::from(chunk.len)) {
                *slot = held;
                chunk.len += 1;
                return;
            }
        }
        let mut chunk = Chunk { before: *newest, len: 1, held: [Held::default(); 7] };
        chunk.held[0] = held;
        *newest = Some(if let Some(free) = self.free {
            let slot = &mut self.chunks[free as usize];
            self.free = slot.before;
            *slot = chunk;
            free
        } else {
            self.chunks.push(chunk);
            self.chunks.len() as u32 - 1
        });
    }

    fn drain(&mut self, newest: &mut Option<u32>, mut each: impl FnMut(Held)) {
        let mut at = newest.take();
        while let Some(number) = at {
            let chunk = &mut self.chunks[number as usize];
            chunk.held[..usize::from(chunk.len)].iter().for_each(|&held| each(held));
            at = chunk.before;
            chunk.before = self.free;
            self.free = Some(number);
        }
    }
}

/// Names of pages and of hosts that are told apart; further ones are counted together and said so.
const MAX_NAMES: usize = 262_144;
/// The number that stands for no name.
pub(crate) const NO_NAME: u32 = u32::MAX;
/// Requests that a session holds back at most.
const HELD: u32 = 4_096;
const EXACT_UNIQUES: usize = 65_536;
