//! Memory of the engine: bytes a visitor at a million of them, and after ten million with room for one.
//!
//! `cargo bench -p analytics-app --bench memory`
//!
//! Each variant runs in a process of its own, so that one does not use what another left. A visitor comes each
//! millisecond, from an address of its own; its sessions are open still when the table is full. What is measured is
//! resident memory, as the kernel tells it: Linux only.
#![expect(clippy::print_stdout, reason = "a benchmark shows its result")]

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use analytics_app::services::TrafficService;
use analytics_domain::detector::profile::{Burst, DistinctPages, GapStats, RecentPages, Walk};
use analytics_domain::detector::{
    AgentFacts, Assessment, History, Observation, ReferrerFacts, ServedPages, SessionProfile, Verification,
};
use analytics_domain::reputation::ReputationState;
use analytics_domain::request::{AddressPolicy, ClientNetwork, HttpVersion, Method, RequestKind};
use analytics_domain::throttle::{CeilingState, ThrottleState};
use analytics_domain::visit::{Client, ClientKey, Output, VisitPolicy, Visitor};
use chrono::{DateTime, TimeDelta};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == VARIANT) {
        let views = arguments.get(at + 1).and_then(|views| views.parse().ok()).unwrap_or(1);
        measure(views);
    } else if arguments.iter().any(|argument| argument == "--bench") {
        sizes();
        for views in ["1", "3"] {
            let run =
                std::env::current_exe().and_then(|this| Command::new(this).args([VARIANT, views]).status());
            assert!(run.is_ok_and(|status| status.success()), "the variant with {views} page views ran");
        }
    }
}

/// Steps ten million visitors with this many page views each, and prints resident memory on the way.
fn measure(views: u64) {
    let agent = AgentFacts {
        hash: 7,
        observed: true,
        browser: true,
        verification: Verification::Unknown,
        ..AgentFacts::default()
    };
    let mut service = TrafficService::<()>::new(VisitPolicy::default(), MILLION as usize);
    let mut out = Output::default();
    let before = resident();
    let mut at_million = 0;
    for millisecond in 0..10 * MILLION + (views - 1) * PAUSE_MS {
        let now = START + TimeDelta::milliseconds(millisecond as i64);
        for nth in 0..views {
            let Some(visitor) = millisecond.checked_sub(nth * PAUSE_MS) else { break };
            if visitor < 10 * MILLION {
                let address = IpAddr::V4(Ipv4Addr::from_bits((visitor as u32).wrapping_mul(0x9e37_79b1)));
                let network = ClientNetwork::of(&AddressPolicy::default(), address);
                let client = Client { network, headers: 0, agent: &agent };
                service.step(client, &page_view((visitor + 13 * nth) % 997), now, &mut out);
            }
        }
        out.ended.clear();
        out.levels.clear();
        out.flags.clear();
        out.bans.clear();
        if millisecond + 1 == MILLION {
            at_million = resident();
        }
    }
    let (grown, after) = (at_million - before, resident() - before);
    println!(
        "{views} page views each: {} bytes a visitor at 1,000,000; {} MiB there, {} MiB after 10,000,000 ({:+.1} %); \
         {} visitors remembered, {} left",
        grown / MILLION,
        grown >> 20,
        after >> 20,
        100.0 * (after as f64 / grown as f64 - 1.0),
        service.visitors(),
        service.counters().evicted,
    );
}

fn page_view(page: u64) -> Observation<'static> {
    Observation {
        method: Method::Get,
        kind: RequestKind::Page,
        version: Some(HttpVersion::Http2),
        status: Some(200),
        path: "/section/a-page-of-usual-length",
        page: page.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        directory: 1,
        number: None,
        probe: None,
        trap: false,
        referrer: ReferrerFacts::Missing,
        campaign: None,
        headers: None,
    }
}

fn sizes() {
    let sizes = [
        ("Visitor<()>", size_of::<Visitor<()>>()),
        ("  SessionProfile", size_of::<SessionProfile>()),
        ("    DistinctPages", size_of::<DistinctPages>()),
        ("    RecentPages", size_of::<RecentPages>()),
        ("    Walk", size_of::<Walk>()),
        ("    GapStats", size_of::<GapStats>()),
        ("    Burst", size_of::<Burst>()),
        ("  ServedPages", size_of::<ServedPages>()),
        ("  ThrottleState", size_of::<ThrottleState>()),
        ("  ReputationState", size_of::<ReputationState>()),
        ("  History", size_of::<History>()),
        ("  Assessment", size_of::<Assessment>()),
        ("  AgentFacts", size_of::<AgentFacts>()),
        ("  ClientKey", size_of::<ClientKey>()),
        ("CeilingState, one a network", size_of::<CeilingState>()),
    ];
    println!("{:<32}{:>6}", "type", "bytes");
    for (name, bytes) in sizes {
        println!("{name:<32}{bytes:>6}");
    }
}

/// Resident memory of this process in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells a process its memory");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<u64>().ok());
    kib.expect("the kernel writes VmRSS in KiB") * 1024
}

const VARIANT: &str = "--page-views";
const MILLION: u64 = 1_000_000;
/// Between two page views of a visitor.
const PAUSE_MS: u64 = 2_000;
const START: DateTime<chrono::Utc> =
    DateTime::from_timestamp(1_772_409_600, 0).expect("2026 is in chrono's range");
