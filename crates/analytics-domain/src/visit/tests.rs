//! What a shard promises: where sessions begin and end, who leaves first, and that nothing is lost.

use alloc::vec::Vec;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use std::collections::BTreeMap;

use super::*;
use crate::detector::profile::TrackerMarks;
use crate::detector::{AgentFacts, ReferrerFacts};
use crate::request::ClientNetwork;
use crate::session::{EndReason, SessionPolicy};
use crate::site::SiteFacts;
use crate::strategies::{ArbitraryRequest, Lines, sequence};
use crate::throttle::{
    Decision, EscalationPolicy, EscalationSettings, Mode, QuotaPolicy, ThrottleLevel, ThrottlePolicy,
    ThrottleSettings,
};

mod standings;

const GAP: TimeDelta = TimeDelta::minutes(30);
const MICROSECOND: TimeDelta = TimeDelta::microseconds(1);

/// A shard with what it needs, and what left it.
struct World {
    policy: VisitPolicy,
    site: SiteFacts,
    shard: Shard<()>,
    out: Output<()>,
}

#[test]
fn a_gap_of_exactly_thirty_minutes_starts_another_session() {
    let mut world = World::new(10);
    let visitor = client(1);
    assert!(world.page(visitor, start()).opened);
    assert!(!world.page(visitor, start() + GAP - MICROSECOND).opened);
    let then = start() + GAP - MICROSECOND + GAP;
    assert!(world.page(visitor, then).opened);
    assert_eq!(world.ends(), [(EndReason::Inactive, start(), start() + GAP - MICROSECOND, 2)]);
}

#[test]
fn other_rules_hold_from_the_next_call_on_and_free_nobody() {
    let mut world = World::new(10);
    world.policy.throttle = enforcing(quota(1, 1));
    let (visitor, proxy) = (client(1), client(2));
    world.page(visitor, start());
    world.page(proxy, start());
    assert!(!world.page(visitor, start() + MICROSECOND).decision.is_admitted());
    world.tick(start() + GAP / 2);
    assert_eq!(world.ends(), []);

    world.policy.session = SessionPolicy::new(TimeDelta::minutes(5), TimeDelta::hours(24)).unwrap();
    world.policy.trusted_proxies = [proxy.network.network()].into();
    world.shard.policy_changed(&world.policy);
    let protected = |who: Who| world.shard.visitor(&who.key()).unwrap().protected;
    assert_eq!((protected(visitor), protected(proxy)), (false, true));
    assert!(!world.page(visitor, start() + MICROSECOND * 2).decision.is_admitted(), "the quota is used up");
    world.tick(start() + GAP / 2);
    assert_eq!(world.ends().len(), 2, "the shorter gap has passed for both");
}

#[test]
fn the_ceiling_of_a_network_grows_once_a_day_with_each_visitor_who_shows_signs_of_a_person() {
    let mut world = World::new(10);
    let signs = TrackerMarks { engaged: true, ..TrackerMarks::default() };
    let mut engaged = |visitor: Who, marks, now| {
        world.page(visitor, now);
        let key = visitor.key();
        assert!(world.shard.tracked(&world.policy, &world.site, &key, marks, now));
        world.shard.engaged(&key, now)
    };
    let one = client(1);
    let other = Who { agent: client(2).agent, ..one };
    assert_eq!(engaged(one, TrackerMarks { automated: true, ..signs }, start()), 0);
    assert_eq!(engaged(one, signs, start()), 1);
    assert_eq!(engaged(one, signs, start() + GAP), 1, "the same person on the same day");
    assert_eq!(engaged(other, signs, start() + GAP), 2);
    assert_eq!(engaged(one, signs, start() + TimeDelta::days(1)), 2, "yesterday's were more");
}

#[test]
fn a_session_lasts_at_most_a_day() {
    let mut world = World::new(10);
    let visitor = client(1);
    let every = TimeDelta::minutes(20);
    let day = TimeDelta::days(1);
    let mut now = start();
    while now < start() + day {
        world.page(visitor, now);
        now += every;
    }
    assert!(!world.page(visitor, start() + day).opened, "exactly a day is one session");
    assert!(world.page(visitor, start() + day + MICROSECOND).opened);
    assert_eq!(world.ends(), [(EndReason::TooLong, start(), start() + day, 73)]);
}

#[test]
fn another_campaign_starts_another_session_and_none_or_the_same_does_not() {
    let mut world = World::new(10);
    let visitor = client(1);
    let opened: Vec<bool> = [Some(7), None, Some(7), Some(8)]
        .into_iter()
        .zip(0..)
        .map(|(campaign, second)| {
            let request = ArbitraryRequest { campaign, ..ArbitraryRequest::page("/") };
            world.step(visitor, &request, start() + TimeDelta::seconds(second)).opened
        })
        .collect();
    assert_eq!(opened, [true, false, false, true]);
    assert_eq!(world.ends(), [(EndReason::Campaign, start(), start() + TimeDelta::seconds(2), 3)]);
}

#[test]
fn a_tick_ends_what_was_quiet_for_the_gap_and_not_a_microsecond_before() {
    let mut world = World::new(10);
    world.page(client(1), start());
    world.page(client(2), start() + TimeDelta::seconds(1));
    world.tick(start() + GAP - MICROSECOND);
    assert_eq!(world.ends(), []);
    world.tick(start() + GAP);
    assert_eq!(world.ends(), [(EndReason::Inactive, start(), start(), 1)]);
}

#[test]
fn the_idle_leave_before_the_open_before_the_watched_before_the_blocked() {
    let mut world = World::new(5);
    let idle = client(1);
    world.page(idle, start() - GAP);
    world.tick(start());
    world.page(client(2), start());
    let blocked = client(3);
    let mut now = world.raise(blocked, ThrottleLevel::Blocked, start());
    let watched = client(4);
    now = world.raise(watched, ThrottleLevel::Severe, now);
    world.page(client(5), now);
    world.out.ended.clear();
    let mut left = Vec::new();
    for newcomer in 6..=12 {
        now += MICROSECOND;
        let before = world.keys();
        world.page(client(newcomer), now);
        let after = world.keys();
        left.extend(before.into_iter().filter(|key| !after.contains(key)).map(|key| key.agent));
        assert_eq!(after.len(), 5);
    }
    assert_eq!(left, [1, 2, 5, 6, 7, 8, 9], "by standing, then by who came longest ago");
    assert!(world.shard.knows(&watched.key()) && world.shard.knows(&blocked.key()));
    let counters = *world.shard.counters();
    assert_eq!((counters.evicted, counters.evicted_open, counters.evicted_watched), (7, 6, 0));
}

#[test]
fn the_watched_leave_before_the_blocked_and_are_counted() {
    let mut world = World::new(2);
    let (watched, blocked) = (client(1), client(2));
    let now = world.raise(blocked, ThrottleLevel::Blocked, start());
    let now = world.raise(watched, ThrottleLevel::Severe, now);
    world.page(client(3), now + MICROSECOND);
    assert!(!world.shard.knows(&watched.key()) && world.shard.knows(&blocked.key()));
    world.page(client(4), now + MICROSECOND * 2);
    assert!(world.shard.knows(&blocked.key()));
    let counters = *world.shard.counters();
    assert_eq!((counters.evicted, counters.evicted_open, counters.evicted_watched), (2, 2, 1));
}

#[test]
fn a_lapsed_standing_counts_as_idle() {
    let mut world = World::new(2);
    let lapsed = client(1);
    let now = world.raise(lapsed, ThrottleLevel::Severe, start());
    // The session ends while the level holds, so that the visitor stays among the watched.
    let visitor = world.shard.remembered()[0];
    assert_eq!(visitor.level(), ThrottleLevel::Severe);
    world.tick(now + GAP);
    let later = now + TimeDelta::days(2);
    world.page(client(2), later);
    world.page(client(3), later + MICROSECOND);
    assert!(!world.shard.knows(&lapsed.key()));
    assert_eq!(world.shard.counters().evicted_watched, 0);
}

#[test]
fn an_evicted_session_ends_as_evicted_with_its_totals() {
    let mut world = World::new(1);
    (0..3).for_each(|second| {
        world.page(client(1), start() + TimeDelta::seconds(second));
    });
    world.page(client(2), start() + TimeDelta::seconds(3));
    assert_eq!(world.ends(), [(EndReason::Evicted, start(), start() + TimeDelta::seconds(2), 3)]);
}

#[test]
fn a_bare_visitor_that_is_answered_from_its_cache_leaves_its_company() {
    let mut world = World::new(10);
    let visitor = browser(1);
    world.page(visitor, start());
    world.page(visitor, start() + TimeDelta::seconds(20));
    world.shard.assert_recounted();
    let cached = ArbitraryRequest { status: Some(304), ..ArbitraryRequest::page("/b") };
    world.step(visitor, &cached, start() + TimeDelta::seconds(40));
    world.page(visitor, start() + TimeDelta::seconds(60));
    world.shard.assert_recounted();
    // In a later session it loads nothing; once a loader, it stays one.
    world.page(visitor, start() + TimeDelta::hours(2));
    world.page(visitor, start() + TimeDelta::hours(2) + TimeDelta::seconds(20));
    world.shard.assert_recounted();
}

#[test]
fn a_visitor_whose_first_asset_comes_late_leaves_no_company_behind() {
    let mut world = World::new(10);
    let (late, neighbour) = (browser(1), Who { network: ClientNetwork::V4(0x0102_03ff), ..browser(1) });
    for visitor in [neighbour, late] {
        world.page(visitor, start());
    }
    world.page(neighbour, start() + TimeDelta::seconds(11));
    let asset =
        ArbitraryRequest { kind: crate::request::RequestKind::Asset, ..ArbitraryRequest::page("/style.css") };
    world.step(late, &asset, start() + TimeDelta::seconds(11));
    world.shard.assert_recounted();
}

#[test]
fn a_visitor_fits_its_space() {
    // 1,216 bytes where pointers have 64 bits.
    assert!(size_of::<Visitor<()>>() <= 1_536, "{} bytes", size_of::<Visitor<()>>());
}

proptest! {
    #[test]
    fn nothing_is_lost_and_nothing_outgrows_the_capacity(
        Lines(lines) in sequence(1..150),
        who in proptest::collection::vec(0u8..40, 150),
        capacity in 1usize..7,
        enforce: bool,
        finish: bool,
    ) {
        let mut world = World::new(capacity);
        if enforce {
            world.policy.throttle = enforcing(quota(4, 2));
        }
        let mut minute = i64::MIN;
        for ((at, request), who) in lines.iter().zip(who) {
            let now = DateTime::from_timestamp_micros(*at).unwrap();
            let this = now.timestamp().div_euclid(60);
            if this > minute {
                world.tick(DateTime::from_timestamp(this * 60, 0).unwrap());
                minute = this;
            }
            world.step(some_client(who), request, now);
            prop_assert!(world.shard.len() <= capacity);
            world.shard.assert_recounted();
        }
        if finish {
            world.finish();
        } else {
            // Strangers push everyone out, one by one.
            let last = DateTime::from_timestamp_micros(lines[lines.len() - 1].0).unwrap();
            for n in 0..capacity as u32 {
                world.page(Who { network: ClientNetwork::V4(n), ..client(9_999) }, last + TimeDelta::days(9));
            }
            world.finish();
            world.shard.assert_recounted();
        }
        let strangers = if finish { 0 } else { capacity };
        let ended: usize = world.out.ended.iter().map(|session| session.profile.counts.requests as usize).sum();
        prop_assert_eq!(ended, lines.len() + strangers);
        let mut serials = BTreeMap::new();
        for session in &world.out.ended {
            prop_assert!(session.session.started() <= session.session.last());
            serials.entry((session.key.agent, session.key.network, session.key.headers)).or_insert_with(Vec::new).push(session.serial);
        }
        if world.shard.counters().evicted == 0 {
            prop_assert!(serials.values().all(|serials| serials.iter().copied().eq(0..serials.len() as u32)));
        }
    }

    #[test]
    fn a_client_that_rotates_what_it_likes_stays_under_the_ceiling_of_its_network(
        moves in proptest::collection::vec((0i64..600_000, any::<u64>(), any::<u64>(), any::<u8>()), 1..400),
        capacity in 1usize..50,
        block in proptest::sample::select(&[32u8, 64, 56, 48][..]),
    ) {
        let (requests, burst) = (5u32, 3u32);
        let mut world = World::new(capacity);
        world.policy.throttle = enforcing(quota(requests, burst));
        let factor = match block { 56 => 3, 48 => 5, _ => 2 };
        let (interval, most) = (1_000_000 / i64::from(requests * factor) + 1, i64::from(burst * factor));
        let mut now = start();
        let mut admitted: Vec<i64> = Vec::new();
        for (gap, agent, headers, rotated) in moves {
            now += TimeDelta::microseconds(gap);
            let network = match block {
                32 => ClientNetwork::V4(7),
                // The client owns the block and chooses the bits after it.
                _ => ClientNetwork::V6 { bits: 0x2001_0db8_0000_0000 | (u64::from(rotated) & !(u64::MAX << (64 - block))), prefix: 64 },
            };
            let who = Who { network, agent: AgentFacts { hash: agent % 97, browser: true, ..AgentFacts::default() }, headers: headers % 5 };
            let paths = ["/a", "/b/9", "/c"];
            let request = ArbitraryRequest { campaign: Some(headers), referrer: ReferrerFacts::Missing, ..ArbitraryRequest::page(paths[rotated as usize % 3]) };
            let step = world.step(who, &request, now);
            if !matches!(step.decision.decision, Decision::Refuse(_)) {
                admitted.push(now.timestamp_micros());
            }
        }
        for (i, &from) in admitted.iter().enumerate() {
            for (count, &until) in admitted[i..].iter().enumerate() {
                let bound = most + (until - from) / (interval - 1);
                prop_assert!((count as i64) < bound, "{} in {} µs", count + 1, until - from);
            }
        }
    }
}

/// Who sends: a client that owns its agent.
#[derive(Debug, Clone, Copy)]
struct Who {
    network: ClientNetwork,
    agent: AgentFacts,
    headers: u64,
}

impl Who {
    const fn key(&self) -> ClientKey {
        ClientKey { network: self.network, agent: self.agent.hash, headers: self.headers }
    }
}

impl World {
    fn new(capacity: usize) -> Self {
        Self {
            policy: VisitPolicy::default(),
            site: SiteFacts::default(),
            shard: Shard::new(capacity),
            out: Output::default(),
        }
    }

    fn step(&mut self, who: Who, request: &ArbitraryRequest, now: DateTime<Utc>) -> Step {
        let client = Client { network: who.network, headers: who.headers, agent: &who.agent };
        let request = request.observation();
        self.shard.step(&self.policy, &self.site, client, &request, now, &mut self.out).0
    }

    fn page(&mut self, who: Who, now: DateTime<Utc>) -> Step {
        self.step(who, &ArbitraryRequest::page("/"), now)
    }

    fn tick(&mut self, now: DateTime<Utc>) {
        let since = now - TimeDelta::minutes(2);
        self.shard.tick(&self.policy, &self.site, since, now, &mut self.out);
    }

    fn finish(&mut self) {
        self.shard.finish(&self.policy, &self.site, EndReason::Inactive, &mut self.out);
    }

    /// Misbehaves as this client until it has this level, and says when that was.
    fn raise(&mut self, who: Who, level: ThrottleLevel, from: DateTime<Utc>) -> DateTime<Utc> {
        let mut now = from;
        for _ in 0..10 {
            for _ in 0..40 {
                now += TimeDelta::milliseconds(1);
                if self.page(who, now).decision.level >= level {
                    return now;
                }
            }
            now += TimeDelta::seconds(31);
        }
        panic!("a client that is refused again and again is blocked in the end");
    }

    fn keys(&self) -> Vec<ClientKey> {
        self.shard.remembered().into_iter().map(|visitor| *visitor.key()).collect()
    }

    /// Reason, start, end and requests of the sessions that ended.
    fn ends(&self) -> Vec<(EndReason, DateTime<Utc>, DateTime<Utc>, u32)> {
        let end = |ended: &EndedSession<()>| {
            (ended.reason, ended.session.started(), ended.session.last(), ended.profile.counts.requests)
        };
        self.out.ended.iter().map(end).collect()
    }
}

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 0).unwrap()
}

/// A client of its own network, known by the number of its agent.
fn client(number: u64) -> Who {
    let agent = AgentFacts { hash: number, observed: true, ..AgentFacts::default() };
    Who { network: ClientNetwork::V4(0x0102_0300 + number as u32), agent, headers: 0 }
}

fn browser(number: u64) -> Who {
    let who = client(number);
    Who { agent: AgentFacts { browser: true, ..who.agent }, ..who }
}

/// One of forty clients of few networks, addresses and agents.
fn some_client(number: u8) -> Who {
    let network = match number % 4 {
        0 => ClientNetwork::V4(0x0102_0300 + u32::from(number / 16)),
        1 => ClientNetwork::V4(0x0a00_0001),
        2 => ClientNetwork::V6 { bits: 0x2001_0db8_0000_0000 | u64::from(number / 8), prefix: 64 },
        _ => ClientNetwork::V6 { bits: 0x2001_0db8_0000_0000 | u64::from(number / 8) << 8, prefix: 56 },
    };
    let agent = u64::from(number / 4 % 3);
    let agent = AgentFacts { hash: agent, observed: true, browser: agent < 2, ..AgentFacts::default() };
    Who { network, agent, headers: u64::from(number % 2) }
}

fn quota(requests: u32, burst: u32) -> QuotaPolicy {
    QuotaPolicy::new(requests, TimeDelta::seconds(1), burst).unwrap()
}

/// Enforces the quota, with a ceiling of 2 quotas a network, 3 an IPv6 /56 and 5 a /48; levels do not rise.
fn enforcing(quota: QuotaPolicy) -> ThrottlePolicy {
    let quiet = EscalationSettings {
        refusals: false,
        hostile_verdict: false,
        decisive_facts: false,
        error_min_responses: u32::MAX,
        ..EscalationSettings::default()
    };
    ThrottlePolicy::new(ThrottleSettings {
        mode: Mode::Enforce,
        quota,
        escalation: EscalationPolicy::new(quiet).unwrap(),
        network_factor: 2,
        ipv6_56_factor: 3,
        ipv6_48_factor: 5,
        ..ThrottleSettings::default()
    })
    .unwrap()
}
