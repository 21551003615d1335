//! How the engine and the in-memory stores use a second core, beside what governor's keyed map does with it in the
//! same run.
//!
//! `cargo bench -p analytics-app --bench store`
//!
//! Each operation is about one of 100,000 visitors: a live decision about its next page view, or its fingerprint's
//! record read and swapped for its successor. The speed-up is operations a second on two threads over those on one; a
//! loop that shares nothing shows what the machine gives.
#![expect(clippy::print_stdout, reason = "a benchmark shows its result")]

mod support;

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::task::{Context, Poll, Waker};

use analytics_app::services::TrafficService;
use analytics_domain::detector::{AgentFacts, Observation, ReferrerFacts};
use analytics_domain::ids::FingerprintHash;
use analytics_domain::reputation::{ChargedFacts, ReputationPolicy, ReputationState, observe_charged};
use analytics_domain::request::{AddressPolicy, ClientNetwork, HttpVersion, Method, RequestKind};
use analytics_domain::visit::{Client, VisitPolicy};
use analytics_inmemory::{Capacity, InMemoryFingerprints};
use analytics_ports::{FingerprintRecord, FingerprintRepository, StoreError};
use chrono::{DateTime, TimeDelta, Utc};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use support::{median, nanoseconds_each, wanted};

fn main() {
    if !wanted() {
        return;
    }
    let store = InMemoryFingerprints::new(Capacity::new(1_000_000).expect("a million is not zero"));
    let limiter: DefaultKeyedRateLimiter<u64> =
        RateLimiter::keyed(Quota::per_minute(NonZeroU32::new(60).expect("sixty is not zero")));
    let policy = ReputationPolicy::default();
    let traffic = TrafficService::<()>::new(VisitPolicy::default(), 1_000_000);
    let mut rows = [
        Row::new("a loop that shares nothing", Box::new(|key| _ = black_box(spin(key)))),
        Row::new("governor check_key", Box::new(|key| _ = black_box(limiter.check_key(&key).is_ok()))),
        Row::new("live decision", Box::new(|key| decide(&traffic, key))),
        Row::new("fingerprints: get and swap", Box::new(|key| get_and_swap(&store, &policy, key))),
    ];
    for _ in 0..=ROUNDS {
        for row in &mut rows {
            let (one, two) = (row.round(1), row.round(2));
            row.one.push(one);
            row.speedups.push(one / two);
        }
    }
    println!("{:<30}{:>20}{:>22}", "operation", "ns on one thread", "speed-up on two");
    for row in &rows {
        // The first round filled the maps.
        let (one, speedup) = (median(&row.one[1..]), median(&row.speedups[1..]));
        println!("{:<30}{one:>20.0}{speedup:>22.2}", row.name);
    }
}

/// One operation, and what its rounds gave.
struct Row<'a> {
    name: &'static str,
    operation: Box<dyn Fn(u64) + Sync + 'a>,
    one: Vec<f64>,
    speedups: Vec<f64>,
}

impl<'a> Row<'a> {
    fn new(name: &'static str, operation: Box<dyn Fn(u64) + Sync + 'a>) -> Self {
        Self { name, operation, one: Vec::new(), speedups: Vec::new() }
    }

    /// Nanoseconds an operation, all threads together; each thread takes its share of all keys.
    fn round(&self, threads: u64) -> f64 {
        nanoseconds_each(KEYS as usize, || {
            std::thread::scope(|scope| {
                for thread in 0..threads {
                    scope.spawn(move || {
                        for nth in (thread..KEYS).step_by(threads as usize) {
                            // A step without a factor of the number of keys visits each once, in no order.
                            (self.operation)(nth * 61_803 % KEYS);
                        }
                    });
                }
            });
        })
    }
}

fn decide(traffic: &TrafficService<()>, key: u64) {
    let agent = AgentFacts { hash: 7, observed: true, browser: true, ..AgentFacts::default() };
    let address = IpAddr::V4(Ipv4Addr::from_bits((key as u32).wrapping_mul(0x9e37_79b1)));
    let network = ClientNetwork::of(&AddressPolicy::default(), address);
    let request = Observation {
        method: Method::Get,
        kind: RequestKind::Page,
        version: Some(HttpVersion::Http2),
        status: Some(200),
        path: "/section/a-page-of-usual-length",
        page: key,
        directory: 1,
        number: None,
        probe: None,
        trap: false,
        referrer: ReferrerFacts::Missing,
        campaign: None,
        headers: None,
    };
    black_box(traffic.decide(Client { network, headers: 0, agent: &agent }, &request, now()));
}

fn get_and_swap(store: &InMemoryFingerprints, policy: &ReputationPolicy, key: u64) {
    let fingerprint = FingerprintHash::from_u128(u128::from(key) << 64 | u128::from(key));
    let kept = at_once(store.get(fingerprint)).expect("the store in memory is always there");
    let (version, mut state) = match &kept {
        Some(kept) => (Some(kept.version), *kept.value.state()),
        None => (None, ReputationState::default()),
    };
    observe_charged(policy, &mut state, ChargedFacts::default(), now());
    let record = FingerprintRecord::of(policy, fingerprint, state, now()).expect("it was just seen");
    at_once(store.swap(version, &record)).expect("no other thread has this key");
}

/// The answer of a store that never waits.
fn at_once<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match Box::pin(work).as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("the stores in memory do not wait"),
    }
}

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn spin(key: u64) -> u64 {
    (0..100).fold(key, |sum, n| black_box(sum.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ n))
}

const KEYS: u64 = 100_000;
const ROUNDS: usize = 9;
