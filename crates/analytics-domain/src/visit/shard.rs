//! One of the fixed parts that all visitors are divided into, by client network.

use alloc::vec::Vec;
use core::mem;

use chrono::{DateTime, Utc};
use hashbrown::HashMap;

use super::lists::Place;
use super::networks::Networks;
use super::output::Output;
use super::standing::ClientStanding;
use super::step::{Step, Surroundings, VisitPolicy};
use super::table::Table;
use super::visitor::{Client, ClientKey, Visitor};
use super::waiting::Waiting;
use crate::detector::profile::{ASSET_WAIT_US, TrackerMarks};
use crate::detector::{Class, Observation, Verdict, Verification};
use crate::reputation::{HumanClearance, protection};
use crate::request::{ClientNetwork, Neighbourhood};
use crate::session::EndReason;
use crate::site::SiteFacts;
use crate::throttle::{Ceiling, CeilingKind, CeilingState, ThrottleLevel};

/// Visitors whose networks fall into one part of the address space, at most a fixed number of them.
///
/// A network's visitors, its /24 (IPv6 /48) and all its ceilings are in one shard, so that a step reads and writes
/// one shard only. When the shard is full the visitor with the least to lose leaves: idle before active before watched
/// before blocked, and among those the one that came longest ago; an open session then ends as `evicted`.
#[derive(Debug)]
pub struct Shard<T> {
    pub(super) visitors: Table<T>,
    pub(super) networks: Networks,
    pub(super) wide: HashMap<ClientNetwork, WideState>,
    /// Standings from before a restart, of those who have not come back yet.
    pub(super) waiting: Waiting,
    company: HashMap<(Neighbourhood, u64), u16>,
    counters: ShardCounters,
    /// No session can end for its gap before this time, in microseconds since the epoch.
    quiet_until_us: i64,
    /// The time of the newest request.
    newest: DateTime<Utc>,
}

/// What a shard has had to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShardCounters {
    /// Visitors that left for others.
    pub evicted: u64,
    /// Of those, the ones with an open session.
    pub evicted_open: u64,
    /// Of those, the ones that were watched, blocked or banned.
    pub evicted_watched: u64,
}

impl ShardCounters {
    /// The sum of both.
    #[must_use]
    pub const fn plus(self, other: &Self) -> Self {
        Self {
            evicted: self.evicted + other.evicted,
            evicted_open: self.evicted_open + other.evicted_open,
            evicted_watched: self.evicted_watched + other.evicted_watched,
        }
    }
}

/// What is remembered of an IPv6 /56 or /48.
#[derive(Debug, Default)]
pub(super) struct WideState {
    visitors: u32,
    pub(super) ceiling: CeilingState,
}

/// Who leaves a full shard.
enum Leaving {
    /// The visitor in this slot.
    Visitor(u32),
    /// A standing that waits in this place.
    Waiting(Place),
}

impl<T: Default> Shard<T> {
    /// An empty shard for at most this many visitors, at least one.
    pub fn new(capacity: usize) -> Self {
        Self {
            visitors: Table::new(capacity),
            networks: Networks::new(),
            wide: HashMap::new(),
            waiting: Waiting::default(),
            company: HashMap::new(),
            counters: ShardCounters::default(),
            quiet_until_us: i64::MAX,
            newest: DateTime::<Utc>::MIN_UTC,
        }
    }

    /// Number of visitors remembered that came since the start.
    pub const fn len(&self) -> usize {
        self.visitors.len()
    }

    /// Whether nobody is remembered.
    pub const fn is_empty(&self) -> bool {
        self.visitors.len() == 0
    }

    /// Number of restored standings whose clients have not come back yet. With the visitors they are never more than
    /// the capacity.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// What the shard has had to do.
    pub const fn counters(&self) -> &ShardCounters {
        &self.counters
    }

    /// Steps one request of a client, and gives back what it led to, what the session is taken for now, and what the host
    /// keeps beside it.
    ///
    /// Requests come in the order of `now`; one that is older than its visitor's newest counts in totals and sets only.
    pub fn step(
        &mut self,
        policy: &VisitPolicy,
        site: &SiteFacts,
        client: Client<'_>,
        request: &Observation<'_>,
        now: DateTime<Utc>,
        out: &mut Output<T>,
    ) -> (Step, Class, &mut T) {
        let now_us = now.timestamp_micros();
        let key = client.key();
        let (slot, new_visitor) = match self.visitors.find(&key) {
            Some(slot) => (slot, false),
            None => (self.admit(policy, site, client, now, out), true),
        };
        let visitor = self.visitors.get_mut(slot);
        let was_bare = visitor.is_bare();
        visitor.agent.verification = client.agent.verification;
        if let Some(reason) = visitor.boundary(&policy.session, request, now_us) {
            visitor.end(policy, site, reason, out);
        }
        let opened = visitor.session.is_none();
        if opened {
            visitor.open(policy, request, now, out);
            self.quiet_until_us = self.quiet_until_us.min(deadline_us(policy, now_us));
        }
        let home = visitor.home;
        let network = self.networks.get_mut(home);
        let neighbours = if visitor.bare_browser() {
            self.company.get(&(key.network.neighbourhood(), key.agent)).copied().unwrap_or(0)
        } else {
            0
        };
        let (mut fifty_six, mut forty_eight) = (CeilingState::default(), CeilingState::default());
        let wide = key.network.ceilings();
        if let Some([a, b]) = wide {
            fifty_six = mem::take(&mut self.wide.entry(a).or_default().ceiling);
            forty_eight = mem::take(&mut self.wide.entry(b).or_default().ceiling);
        }
        let mut ceilings = [
            Ceiling { kind: CeilingKind::Network, state: &mut network.ceiling },
            Ceiling { kind: CeilingKind::Ipv6Slash56, state: &mut fifty_six },
            Ceiling { kind: CeilingKind::Ipv6Slash48, state: &mut forty_eight },
        ];
        let used = if wide.is_some() { 3 } else { 1 };
        let mut around = Surroundings {
            network_addresses: neighbours,
            agents_of_address: network.bare,
            network: &mut network.reputation,
            ceilings: &mut ceilings[..used],
        };
        let step =
            Step { opened, new_visitor, ..visitor.step(policy, site, &mut around, request, now_us, out) };
        self.newest = self.newest.max(now);
        visitor.last = self.newest;
        let place = visitor.place(policy, now_us);
        let is_bare = visitor.is_bare();
        if let Some([a, b]) = wide {
            self.wide.entry(a).or_default().ceiling = fifty_six;
            self.wide.entry(b).or_default().ceiling = forty_eight;
        }
        self.keep_company(&key, home, was_bare, is_bare);
        self.visitors.touch(slot, place);
        let visitor = self.visitors.get_mut(slot);
        (step, visitor.assessment.class, &mut visitor.tag)
    }

    /// Counts the answer to a request that was stepped before its status was known: the same request again, with the
    /// status. Returns what the host keeps beside the session; `None` for a visitor that has left.
    pub fn answered(
        &mut self,
        policy: &VisitPolicy,
        key: &ClientKey,
        request: &Observation<'_>,
        now: DateTime<Utc>,
        out: &mut Output<T>,
    ) -> Option<&mut T> {
        let slot = self.visitors.find(key)?;
        let visitor = self.visitors.get_mut(slot);
        visitor.answered(policy, request, now, out);
        let place = visitor.place(policy, now.timestamp_micros());
        self.visitors.touch(slot, place);
        Some(&mut self.visitors.get_mut(slot).tag)
    }

    /// Takes in what the tracker told of an open session; `false` where there is none. The ceilings above the visitor grow
    /// with its first signs of a person in a day.
    pub fn tracked(
        &mut self,
        policy: &VisitPolicy,
        site: &SiteFacts,
        key: &ClientKey,
        report: TrackerMarks,
        now: DateTime<Utc>,
    ) -> bool {
        let Some(slot) = self.visitors.find(key) else { return false };
        let visitor = self.visitors.get_mut(slot);
        if visitor.session.is_none() {
            return false;
        }
        let (first, home) = (visitor.tracked(policy, site, report, now), visitor.home);
        if first {
            self.networks.get_mut(home).ceiling.engage(now);
            for block in key.network.ceilings().into_iter().flatten() {
                self.wide.entry(block).or_default().ceiling.engage(now);
            }
        }
        true
    }

    /// Takes every visitor for a person whose kept part this holds for; answers what was cleared.
    pub fn clear_as_human(
        &mut self,
        policy: &VisitPolicy,
        now: DateTime<Utc>,
        mut is: impl FnMut(&Visitor<T>) -> bool,
    ) -> Vec<HumanClearance> {
        let found: Vec<u32> = self.slots().filter(|&slot| is(self.visitors.get(slot))).collect();
        let clear = |slot| {
            let visitor = self.visitors.get_mut(slot);
            let clearance = visitor.clear_as_human(policy, now);
            let place = visitor.place(policy, now.timestamp_micros());
            self.visitors.touch(slot, place);
            clearance
        };
        found.into_iter().map(clear).collect()
    }

    /// Lifts the ban of a client network; `false` where none runs.
    pub fn free_network(&mut self, network: ClientNetwork, now: DateTime<Utc>) -> bool {
        let waits = self.waiting.free_network(network, now);
        let of_network = |visitor: &Visitor<T>| (visitor.key.network == network).then_some(visitor.home);
        let home = self.slots().find_map(|slot| of_network(self.visitors.get(slot)));
        home.is_some_and(|home| self.networks.get_mut(home).reputation.clear(now).is_some()) || waits
    }

    /// Ends the open session of a client for this reason; `false` where there is none.
    pub fn end(
        &mut self,
        policy: &VisitPolicy,
        site: &SiteFacts,
        key: &ClientKey,
        reason: EndReason,
        now: DateTime<Utc>,
        out: &mut Output<T>,
    ) -> bool {
        let Some(slot) = self.visitors.find(key) else { return false };
        let visitor = self.visitors.get_mut(slot);
        let was_open = visitor.session.is_some();
        let was_bare = visitor.is_bare();
        visitor.end(policy, site, reason, out);
        let place = visitor.place(policy, now.timestamp_micros());
        let (home, is_bare) = (visitor.home, visitor.is_bare());
        self.keep_company(key, home, was_bare, is_bare);
        self.visitors.touch(slot, place);
        was_open
    }

    /// The key of a visitor for whom this holds; `None` when there is none. It looks at all of them.
    pub fn find(&self, mut is: impl FnMut(&Visitor<T>) -> bool) -> Option<ClientKey> {
        self.slots()
            .map(|slot| self.visitors.get(slot))
            .find(|visitor| is(visitor))
            .map(|visitor| visitor.key)
    }

    /// The visitor of this key; `None` when it is not known or has left.
    pub fn visitor(&self, key: &ClientKey) -> Option<&Visitor<T>> {
        Some(self.visitors.get(self.visitors.find(key)?))
    }

    /// The visitor of this key, to change what the host keeps beside it.
    pub fn visitor_mut(&mut self, key: &ClientKey) -> Option<&mut Visitor<T>> {
        let slot = self.visitors.find(key)?;
        Some(self.visitors.get_mut(slot))
    }

    /// What the open session of a client is taken for now, with every reason; `None` without an open session.
    pub fn explain(&self, policy: &VisitPolicy, site: &SiteFacts, key: &ClientKey) -> Option<Verdict> {
        let visitor = self.visitors.get(self.visitors.find(key)?);
        visitor.session.is_some().then(|| policy.detector.explain(&visitor.subject(site)))
    }

    /// The level of a client at `now`; Normal for one that is not known.
    pub fn level(&self, policy: &VisitPolicy, key: &ClientKey, now: DateTime<Utc>) -> ThrottleLevel {
        let known = self.visitors.find(key).map(|slot| self.visitors.get(slot).throttle);
        let known = known.or_else(|| self.waiting.client(key).map(|standing| standing.throttle));
        known.map_or(ThrottleLevel::Normal, |throttle| throttle.level_at(policy.throttle.escalation(), now))
    }

    /// Closes the time up to `now`: settles page views that waited long enough, and ends sessions whose gap has passed.
    ///
    /// `active_since` bounds the search for waiting views: the time of the last tick, less what views wait.
    pub fn tick(
        &mut self,
        policy: &VisitPolicy,
        site: &SiteFacts,
        active_since: DateTime<Utc>,
        now: DateTime<Utc>,
        out: &mut Output<T>,
    ) {
        self.settle_active(site, active_since, now, out);
        self.waiting.forget_clean(policy, now);
        if now.timestamp_micros() >= self.quiet_until_us {
            self.end_quiet(policy, site, now, out);
        }
    }

    /// Takes up other rules: from now on every call is held against this policy. It looks at all visitors.
    pub fn policy_changed(&mut self, policy: &VisitPolicy) {
        let slots: Vec<u32> = self.slots().collect();
        for slot in slots {
            let visitor = self.visitors.get_mut(slot);
            visitor.protected = is_protected(policy, &visitor.key, visitor.agent.verification);
        }
        // With a shorter gap a session can end earlier than was thought.
        self.quiet_until_us = i64::MIN;
    }

    /// Ends every open session, at the end of the input or of the service.
    pub fn finish(&mut self, policy: &VisitPolicy, site: &SiteFacts, reason: EndReason, out: &mut Output<T>) {
        for place in Place::ALL {
            let mut at = self.visitors.oldest(place);
            while let Some(slot) = at {
                at = self.visitors.younger(slot);
                let visitor = self.visitors.get_mut(slot);
                let was_bare = visitor.is_bare();
                visitor.end(policy, site, reason, out);
                let (key, home, is_bare) = (visitor.key, visitor.home, visitor.is_bare());
                self.keep_company(&key, home, was_bare, is_bare);
            }
        }
    }

    /// Every visitor, list by list, oldest first.
    fn slots(&self) -> impl Iterator<Item = u32> {
        let younger = |&slot: &u32| self.visitors.younger(slot);
        Place::ALL
            .into_iter()
            .flat_map(move |place| core::iter::successors(self.visitors.oldest(place), younger))
    }

    /// Settles page views of those who came since then.
    fn settle_active(
        &mut self,
        site: &SiteFacts,
        active_since: DateTime<Utc>,
        now: DateTime<Utc>,
        out: &mut Output<T>,
    ) {
        // Visitors lie outside the caches where nobody came, so not even the youngest is looked at.
        if self.newest < active_since {
            return;
        }
        let before_us = now.timestamp_micros().saturating_sub(ASSET_WAIT_US);
        for place in Place::WITH_SESSION {
            let mut at = self.visitors.youngest(place);
            while let Some(slot) = at {
                let visitor = self.visitors.get_mut(slot);
                if visitor.last < active_since {
                    break;
                }
                let was_bare = visitor.is_bare();
                visitor.settle(site, before_us, &mut out.findings);
                let (key, home, is_bare) = (visitor.key, visitor.home, visitor.is_bare());
                self.keep_company(&key, home, was_bare, is_bare);
                at = self.visitors.older(slot);
            }
        }
    }

    fn end_quiet(&mut self, policy: &VisitPolicy, site: &SiteFacts, now: DateTime<Utc>, out: &mut Output<T>) {
        let now_us = now.timestamp_micros();
        let mut next = i64::MAX;
        for place in Place::WITH_SESSION {
            let mut at = self.visitors.oldest(place);
            while let Some(slot) = at {
                at = self.visitors.younger(slot);
                let visitor = self.visitors.get_mut(slot);
                let Some(session) = visitor.session else { continue };
                let due_us = deadline_us(policy, session.last_us);
                if due_us > now_us {
                    next = next.min(due_us);
                    break;
                }
                let was_bare = visitor.is_bare();
                visitor.end(policy, site, EndReason::Inactive, out);
                let now_in = visitor.place(policy, now_us);
                let (key, home, is_bare) = (visitor.key, visitor.home, visitor.is_bare());
                self.keep_company(&key, home, was_bare, is_bare);
                if now_in != place {
                    self.visitors.touch(slot, now_in);
                }
            }
        }
        self.quiet_until_us = next;
    }

    fn admit(
        &mut self,
        policy: &VisitPolicy,
        site: &SiteFacts,
        client: Client<'_>,
        now: DateTime<Utc>,
        out: &mut Output<T>,
    ) -> u32 {
        let key = client.key();
        let standing = self.waiting.take(&key);
        let waiting = &self.waiting;
        // Counted before another leaves: else a client that changes its name could clear its own network's ceiling.
        let home = self.networks.join(key.network, || waiting.network(key.network));
        for block in key.network.ceilings().into_iter().flatten() {
            let known = || WideState { visitors: 0, ceiling: waiting.block(block) };
            self.wide.entry(block).or_insert_with(known).visitors += 1;
        }
        if self.visitors.is_full(self.waiting.len()) {
            self.evict(policy, site, now, out);
        }
        let protected = is_protected(policy, &key, client.agent.verification);
        let mut visitor = Visitor::new(key, home, *client.agent, protected);
        if let Some(ClientStanding { throttle, reputation, .. }) = standing {
            (visitor.throttle, visitor.reputation) = (throttle, reputation);
        }
        self.visitors.insert(visitor, Place::Open)
    }

    /// Who has the least to lose: a visitor whose standing has lapsed counts as idle, wherever it was put. A standing
    /// that waits is older than the visitors of its place.
    fn least_to_lose(&self, policy: &VisitPolicy, now: DateTime<Utc>) -> Option<Leaving> {
        let now_us = now.timestamp_micros();
        let oldest = |place| self.visitors.oldest(place);
        let lapsed = |place| {
            oldest(place).filter(|&slot| self.visitors.get(slot).place(policy, now_us) == Place::Idle)
        };
        let idle = oldest(Place::Idle)
            .or_else(|| lapsed(Place::WatchedIdle))
            .or_else(|| lapsed(Place::BarredIdle))
            .map(Leaving::Visitor);
        let waits = self.waiting.first_place();
        let first = |place| {
            let waits = waits.filter(|&waits| waits <= place);
            waits.map(Leaving::Waiting).or_else(|| oldest(place).map(Leaving::Visitor))
        };
        idle.or_else(|| Place::ALL.into_iter().find_map(first))
    }

    fn evict(&mut self, policy: &VisitPolicy, site: &SiteFacts, now: DateTime<Utc>, out: &mut Output<T>) {
        let leaving = match self.least_to_lose(policy, now) {
            Some(Leaving::Visitor(slot)) => self.visitors.remove(slot),
            Some(Leaving::Waiting(place)) => {
                self.waiting.let_first_go();
                self.counters.evicted += 1;
                self.counters.evicted_watched += u64::from(place > Place::Open);
                None
            }
            None => None,
        };
        let Some(mut visitor) = leaving else { return };
        self.counters.evicted += 1;
        self.counters.evicted_open += u64::from(visitor.session.is_some());
        let unsuspected = matches!(visitor.place(policy, now.timestamp_micros()), Place::Idle | Place::Open);
        self.counters.evicted_watched += u64::from(!unsuspected);
        let (key, home) = (visitor.key, visitor.home);
        if visitor.is_bare() {
            self.leave_company(&key, home);
        }
        visitor.end(policy, site, EndReason::Evicted, out);
        if let Some((ceiling, reputation)) = self.networks.leave(home) {
            self.waiting.keep_network(key.network, ceiling, reputation);
        }
        for block in key.network.ceilings().into_iter().flatten() {
            if let Some(state) = self.wide.get_mut(&block) {
                state.visitors -= 1;
                if state.visitors == 0 {
                    self.waiting.keep_block(block, state.ceiling);
                    self.wide.remove(&block);
                }
            }
        }
    }

    /// Counts a visitor among the bare ones around it, or no longer.
    fn keep_company(&mut self, key: &ClientKey, home: u32, was_bare: bool, is_bare: bool) {
        match (was_bare, is_bare) {
            (false, true) => {
                let count = self.company.entry((key.network.neighbourhood(), key.agent)).or_default();
                *count = count.saturating_add(1);
                let network = self.networks.get_mut(home);
                network.bare = network.bare.saturating_add(1);
            }
            (true, false) => self.leave_company(key, home),
            (false, false) | (true, true) => {}
        }
    }

    fn leave_company(&mut self, key: &ClientKey, home: u32) {
        let place = (key.network.neighbourhood(), key.agent);
        if let Some(count) = self.company.get_mut(&place) {
            *count -= 1;
            if *count == 0 {
                self.company.remove(&place);
            }
        }
        let network = self.networks.get_mut(home);
        network.bare = network.bare.saturating_sub(1);
    }
}

#[cfg(test)]
impl<T: Default> Shard<T> {
    /// How many engaged visitors the ceiling of a client's network knows.
    pub(super) fn engaged(&mut self, key: &ClientKey, now: DateTime<Utc>) -> u32 {
        let home = self.visitor(key).map(|visitor| visitor.home);
        home.map_or(0, |home| self.networks.get_mut(home).ceiling.engaged(now))
    }

    /// Whether the client is remembered.
    pub(super) fn knows(&self, key: &ClientKey) -> bool {
        self.visitors.find(key).is_some()
    }

    /// The visitors, list by list, oldest first.
    pub(super) fn remembered(&self) -> Vec<&Visitor<T>> {
        let mut all = Vec::new();
        for place in Place::ALL {
            let mut at = self.visitors.oldest(place);
            while let Some(slot) = at {
                all.push(self.visitors.get(slot));
                at = self.visitors.younger(slot);
            }
        }
        all
    }

    /// What is kept about networks, against a recount over the visitors.
    pub(super) fn assert_recounted(&self) {
        use alloc::collections::BTreeMap;
        let all = self.remembered();
        assert_eq!(all.len(), self.len());
        let (mut networks, mut wide, mut company) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for visitor in all {
            let network: &mut (u32, u16) = networks.entry(visitor.key.network).or_default();
            network.0 += 1;
            network.1 += u16::from(visitor.is_bare());
            for around in visitor.key.network.ceilings().into_iter().flatten() {
                *wide.entry(around).or_default() += 1;
            }
            if visitor.is_bare() {
                *company.entry((visitor.key.network.neighbourhood(), visitor.key.agent)).or_default() += 1;
            }
        }
        assert_eq!(self.networks.counts(), networks, "networks");
        let kept: BTreeMap<_, u32> = self.wide.iter().map(|(k, v)| (*k, v.visitors)).collect();
        assert_eq!(kept, wide, "blocks of IPv6");
        let kept: BTreeMap<_, u16> = self.company.iter().map(|(k, v)| (*k, *v)).collect();
        assert_eq!(kept, company, "company");
    }
}

/// Whether a client is never banned.
fn is_protected(policy: &VisitPolicy, key: &ClientKey, verification: Verification) -> bool {
    let verified = verification == Verification::Verified;
    let address = key.network.network().address();
    protection(policy.reputation.ban(), &policy.trusted_proxies, address, verified).is_some()
}

/// When a session that was last active then has ended, if nothing more comes.
fn deadline_us(policy: &VisitPolicy, last_us: i64) -> i64 {
    let quiet = policy.session.gap() + policy.session.lateness();
    let latest_us = DateTime::<Utc>::MAX_UTC.timestamp_micros();
    last_us.saturating_add(quiet.num_microseconds().unwrap_or(i64::MAX)).min(latest_us)
}

/// The part of 256 that a client network falls into, by its /24 or /48: the same on every machine and in every run.
pub fn shard_of(network: ClientNetwork) -> usize {
    let bits = match network.neighbourhood() {
        Neighbourhood::V4(bits) => u64::from(bits),
        Neighbourhood::V6(bits) => bits,
    };
    (bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize
}

/// How many shards there are, whatever the number of threads.
pub const SHARDS: usize = 256;
