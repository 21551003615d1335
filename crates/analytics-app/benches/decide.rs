//! What a decision costs, as a ratio to governor's keyed check of 100,000 keys in the same run.
//!
//! `cargo bench -p analytics-app --bench decide [-- WORD]`, where a word selects the cases whose names hold it.
//!
//! Rounds of governor and of each case take turns, so that both see the same state of the machine; the ratio is the
//! median of the ratios of neighbouring rounds. governor reads its clock in every check, so every case of ours reads
//! one too; the time that rules are told is made beforehand, since they take it as an argument. Each request is a page view
//! of a browser: the dearest kind, since the session is weighed again after it.
//! The last row is governor with 1,000 keys, for whoever holds the rows of as few against that.
#![expect(clippy::print_stdout, reason = "a benchmark shows its result")]

mod support;

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;

use analytics_domain::detector::profile::ASSET_WAIT_US;
use analytics_domain::detector::{
    AgentFacts, BehavioralBotDetector, History, Observation, ReferrerFacts, ServedPages, SessionProfile,
    Subject, Verification,
};
use analytics_domain::request::{AddressPolicy, ClientNetwork, HttpVersion, Method, RequestKind};
use analytics_domain::site::{Finding, SiteFacts};
use analytics_domain::throttle::{ThrottlePolicy, ThrottleRequest, ThrottleState, step};
use analytics_domain::visit::{Client, Output, SHARDS, Shard, VisitPolicy, shard_of};
use chrono::{DateTime, TimeDelta, Utc};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use hashbrown::HashMap;
use parking_lot::Mutex;

use support::{median, nanoseconds_each, wanted};

fn main() {
    if !wanted() {
        return;
    }
    let site = Site::new();
    let mut governor = Governor::new(KEYS);
    let mut few_keys = Governor::new(FEW);
    let mut cases: Vec<Case<'_>> = vec![
        Case::new(
            "observe and assess, 10th request of 100,000 sessions",
            "4",
            early::<Sessions<'_>>(&site, KEYS),
        ),
        Case::new(
            "observe and assess, 10th request of 1,000 sessions",
            "4",
            early::<Sessions<'_>>(&site, FEW),
        ),
        Case::new("observe and assess, 10,000th request of 200 sessions", "4", late::<Sessions<'_>>(&site)),
        Case::new("whole step, 10th request of 100,000 visitors", "4", early::<Visitors<'_>>(&site, KEYS)),
        Case::new("whole step, 10th request of 1,000 visitors", "4", early::<Visitors<'_>>(&site, FEW)),
        Case::new("whole step, 10,000th request of 200 visitors", "4", late::<Visitors<'_>>(&site)),
        Case::new("throttle alone, 100,000 states", "1.5", throttles(KEYS)),
        Case::new("throttle alone, 1,000 states", "1.5", throttles(FEW)),
        Case::new("throttle found by key under a lock, 100,000 states", "1.5", keyed_throttles()),
        Case::new("governor check_key, 1,000 keys", "", move || few_keys.round()),
    ];
    if let Some(word) = std::env::args().skip(1).find(|argument| !argument.starts_with('-')) {
        cases.retain(|case| case.name.contains(&word));
    }
    for _ in 0..ROUNDS {
        for case in &mut cases {
            let before = governor.round();
            let ours = (case.round)();
            let after = governor.round();
            case.taken.push(ours);
            case.ratios.push(2.0 * ours / (before + after));
        }
    }
    println!("{:<58}{:>10}{:>8}{:>7}", "case", "ns (median)", "ratio", "aim");
    println!(
        "{:<58}{:>10.0}{:>8}{:>7}",
        "governor check_key, 100,000 keys",
        median(&governor.taken),
        "1.00",
        ""
    );
    for case in &cases {
        let (taken, ratio) = (median(&case.taken), median(&case.ratios));
        println!("{:<58}{taken:>10.0}{ratio:>8.2}{:>7}", case.name, case.aim);
    }
}

/// Something to be measured; a round answers nanoseconds a request.
struct Case<'a> {
    name: &'static str,
    /// The ratio aimed at.
    aim: &'static str,
    round: Box<dyn FnMut() -> f64 + 'a>,
    taken: Vec<f64>,
    ratios: Vec<f64>,
}

impl<'a> Case<'a> {
    fn new(name: &'static str, aim: &'static str, round: impl FnMut() -> f64 + 'a) -> Self {
        Self { name, aim, round: Box::new(round), taken: Vec::new(), ratios: Vec::new() }
    }
}

/// The yardstick: governor with a key for each client, as its documentation shows it, and a quota that admits every check:
/// a refusal costs less, and ours are admitted.
struct Governor {
    limiter: DefaultKeyedRateLimiter<u64>,
    keys: usize,
    taken: Vec<f64>,
}

impl Governor {
    fn new(keys: usize) -> Self {
        let quota = Quota::per_second(NonZeroU32::new(1_000_000).expect("a million is not zero"));
        let limiter = RateLimiter::keyed(quota);
        for key in 0..keys as u64 {
            black_box(limiter.check_key(&key).is_ok());
        }
        Self { limiter, keys, taken: Vec::new() }
    }

    fn round(&mut self) -> f64 {
        let taken = nanoseconds_each(KEYS, || {
            for nth in 0..KEYS {
                assert!(self.limiter.check_key(&(scattered(nth, self.keys) as u64)).is_ok());
            }
        });
        self.taken.push(taken);
        taken
    }
}

/// A site of 2,000 pages whose facts are known, and the policy.
struct Site {
    facts: SiteFacts,
    policy: VisitPolicy,
    paths: Vec<String>,
    agent: AgentFacts,
}

impl Site {
    fn new() -> Self {
        let mut facts = SiteFacts::default();
        let loaders = (0..PAGES * 10).map(|nth| {
            let page = hash(nth % PAGES);
            Finding::View { page, directory: hash(PAGES + nth % PAGES / 50), with_asset: nth % 7 != 0 }
        });
        let pages = (0..PAGES).map(|page| Finding::Page { page: hash(page) });
        facts.learn(loaders.chain(pages), START_US);
        let agent = AgentFacts {
            hash: hash(0x00c0_ffee),
            observed: true,
            browser: true,
            released: Some(20_400),
            verification: Verification::Unknown,
            ..AgentFacts::default()
        };
        let paths = (0..PAGES).map(|page| format!("/section-{}/page-{page}", page / 50)).collect();
        Self { facts, policy: VisitPolicy::default(), paths, agent }
    }

    /// The nth page view of a session: any page, named by the one before.
    fn view(&self, session: u64, nth: u64) -> Observation<'_> {
        let page = |nth: u64| hash(session << 32 | nth) % PAGES;
        let now = page(nth);
        let referrer = match nth.checked_sub(1) {
            None => ReferrerFacts::Missing,
            Some(before) => ReferrerFacts::Internal { page: hash(page(before)), root: false },
        };
        Observation {
            method: Method::Get,
            kind: RequestKind::Page,
            version: Some(HttpVersion::Http2),
            status: Some(200),
            path: &self.paths[now as usize],
            page: hash(now),
            directory: hash(PAGES + now / 50),
            number: Some(now),
            probe: None,
            trap: false,
            referrer,
            campaign: None,
            headers: None,
        }
    }

    fn client(&self, visitor: u64) -> Client<'_> {
        let address = IpAddr::V4(Ipv4Addr::from_bits((visitor as u32).wrapping_mul(0x9e37_79b1)));
        let network = ClientNetwork::of(&AddressPolicy::default(), address);
        Client { network, headers: 0, agent: &self.agent }
    }
}

/// What is kept of one session when the detector is used alone.
#[derive(Clone, Default)]
struct Session {
    profile: SessionProfile,
    served: ServedPages,
    history: History,
}

impl Session {
    fn request(
        &mut self,
        site: &Site,
        detector: &BehavioralBotDetector,
        request: &Observation<'_>,
        at_us: i64,
    ) {
        self.profile.settle(&site.facts, at_us - ASSET_WAIT_US, |page| {
            black_box(page);
        });
        let effect = self.profile.observe(&mut self.served, request, at_us);
        black_box(self.profile.await_assets(&site.facts, request, effect.new_page, at_us));
        let subject = Subject {
            profile: &self.profile,
            agent: &site.agent,
            history: &self.history,
            site: &site.facts,
            features: None,
        };
        black_box(detector.assess(&subject));
    }
}

/// What takes requests of many at once.
trait Takes<'a> {
    /// How it is told the time.
    type Time: Copy;

    /// Nobody yet, and room for so many.
    fn new(site: &'a Site, many: usize) -> Self;

    /// When the nth request of each comes.
    fn time(nth: u64) -> Self::Time;

    /// Takes a request of one of them.
    fn request(&mut self, of: usize, request: &Observation<'_>, now: Self::Time);
}

/// Sessions of which the detector is asked alone.
struct Sessions<'a> {
    site: &'a Site,
    detector: BehavioralBotDetector,
    kept: Vec<Session>,
}

impl<'a> Takes<'a> for Sessions<'a> {
    type Time = i64;

    fn new(site: &'a Site, many: usize) -> Self {
        Self { site, detector: BehavioralBotDetector::default(), kept: vec![Session::default(); many] }
    }

    fn time(nth: u64) -> i64 {
        at_us(nth)
    }

    fn request(&mut self, of: usize, request: &Observation<'_>, now: i64) {
        self.kept[of].request(self.site, &self.detector, request, now);
    }
}

/// Shards with everything that a step needs.
struct Visitors<'a> {
    site: &'a Site,
    shards: Vec<Shard<()>>,
    out: Output<()>,
}

impl<'a> Takes<'a> for Visitors<'a> {
    type Time = DateTime<Utc>;

    fn new(site: &'a Site, many: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Shard::new(many)).collect();
        Self { site, shards, out: Output::default() }
    }

    fn time(nth: u64) -> DateTime<Utc> {
        at(nth)
    }

    fn request(&mut self, of: usize, request: &Observation<'_>, now: DateTime<Utc>) {
        let site = self.site;
        let client = site.client(of as u64);
        let shard = &mut self.shards[shard_of(client.network)];
        let (decided, class, ()) = shard.step(&site.policy, &site.facts, client, request, now, &mut self.out);
        black_box((decided, class));
        self.out.findings.clear();
    }
}

/// The 10th request of each of so many, who are made anew for each round; requests and their time are made before the clock
/// starts.
fn early<'a, T: Takes<'a>>(site: &'a Site, many: usize) -> impl FnMut() -> f64 {
    let clock = DefaultClock::default();
    move || {
        let mut all = T::new(site, many);
        for nth in 0..9 {
            for of in 0..many {
                all.request(of, &site.view(of as u64, nth), T::time(nth));
            }
        }
        let of = (0..many).map(|nth| scattered(nth, many));
        let requests: Vec<_> = of.map(|of| (of, site.view(of as u64, 9))).collect();
        let now = T::time(9);
        nanoseconds_each(many, || {
            for (of, request) in &requests {
                read_clock(&clock);
                all.request(*of, request, now);
            }
        })
    }
}

/// The requests around the 10,000th of each of [`LONG`], a row at a time: one of each is made, with its time, and then the row
/// is taken by the clock.
fn late<'a, T: Takes<'a>>(site: &'a Site) -> impl FnMut() -> f64 {
    let clock = DefaultClock::default();
    let mut all = T::new(site, LONG);
    let mut taken = 0;
    move || {
        // The first call brings them to where they are measured.
        let from = taken.max(10_000 - ROUNDS as u64 * ROWS / 2);
        for nth in taken..from {
            for of in 0..LONG {
                all.request(of, &site.view(of as u64, nth), T::time(nth));
            }
        }
        taken = from + ROWS;
        let rows = (from..taken).map(|nth| {
            let of = (0..LONG).map(|nth| scattered(nth, LONG));
            let requests: Vec<_> = of.map(|of| (of, site.view(of as u64, nth))).collect();
            let now = T::time(nth);
            nanoseconds_each(LONG, || {
                for (of, request) in &requests {
                    read_clock(&clock);
                    all.request(*of, request, now);
                }
            })
        });
        rows.sum::<f64>() / ROWS as f64
    }
}

fn throttles(keys: usize) -> impl FnMut() -> f64 {
    let clock = DefaultClock::default();
    let policy = ThrottlePolicy::default();
    let mut states = vec![ThrottleState::default(); keys];
    let mut nth = 0;
    move || {
        nanoseconds_each(KEYS, || {
            for _ in 0..KEYS / keys {
                nth += 1;
                let now = at(nth);
                for key in 0..keys {
                    read_clock(&clock);
                    let state = &mut states[scattered(key, keys)];
                    black_box(step(&policy, state, ThrottleRequest::charged(), now));
                }
            }
        })
    }
}

fn keyed_throttles() -> impl FnMut() -> f64 {
    let clock = DefaultClock::default();
    let policy = ThrottlePolicy::default();
    let parts: Vec<Mutex<HashMap<u64, ThrottleState>>> = (0..SHARDS).map(|_| Mutex::default()).collect();
    let mut nth = 0;
    move || {
        nth += 1;
        let now = at(nth);
        nanoseconds_each(KEYS, || {
            for key in 0..KEYS {
                read_clock(&clock);
                let key = scattered(key, KEYS) as u64;
                let mut part = parts[(hash(key) >> 56) as usize].lock();
                let state = part.entry(key).or_default();
                black_box(step(&policy, state, ThrottleRequest::charged(), now));
            }
        })
    }
}

/// Reads the clock that governor reads in each check.
fn read_clock(clock: &DefaultClock) {
    black_box(clock.now());
}

/// Visits every number below `count` once, far from the one before. The step has no factor but 3, 7 and 109.
const fn scattered(nth: usize, count: usize) -> usize {
    nth * 61_803 % count
}

/// The finaliser of splitmix64.
const fn hash(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// The time of a session's nth request: uneven gaps of 5 to 8 s, so that 10,000 of them are less than a day.
const fn at_us(nth: u64) -> i64 {
    START_US + (nth * 6_500_000) as i64 + (hash(nth) % 1_500_000) as i64
}

fn at(nth: u64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::microseconds(at_us(nth))
}

const ROUNDS: usize = 9;
const KEYS: usize = 100_000;
/// So few that they stay in a core's cache.
const FEW: usize = 1_000;
/// Sessions of 10,000 requests each.
const LONG: usize = 200;
/// Requests of each of them in a round.
const ROWS: u64 = 100;
const PAGES: u64 = 2_000;
/// 2026-03-02.
const START_US: i64 = 1_772_409_600_000_000;
