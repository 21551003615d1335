//! Deciding about traffic, live or replayed: all visitors, all site facts, one step a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use analytics_domain::detector::profile::TrackerMarks;
use analytics_domain::detector::{Class, Observation, Verdict};
use analytics_domain::identity::IdentityKey;
use analytics_domain::reputation::HumanClearance;
use analytics_domain::request::ClientNetwork;
use analytics_domain::session::EndReason;
use analytics_domain::site::{Finding, SiteFacts};
use analytics_domain::throttle::{LevelChange, ThrottleLevel};
use analytics_domain::visit::{
    Client, ClientKey, Output, SHARDS, Shard, ShardCounters, Standings, Step, VisitPolicy, Visitor, shard_of,
};
use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard};

use crate::system::Stopwatch;

/// All visitors and what is known of the site.
///
/// Requests come in the order of their times. When a minute is over it is closed: waiting page views settle, quiet sessions
/// end, and the site learns what the minute showed. Steps of a later minute do it first; live traffic
/// [`advance`](Self::advance)s once a second. `T` is what the caller keeps beside each session.
///
/// A replay owns the service and [`step`](Self::step)s it; live callers share it and [`decide`](Self::decide), each
/// holding up only those of the same 256th of the address space. Both run the same code.
#[derive(Debug)]
pub struct TrafficService<T> {
    known: RwLock<Known>,
    shards: Vec<Mutex<Shard<T>>>,
    /// The minute that is open, since the epoch; the smallest value before the first request.
    minute: AtomicI64,
    /// What live callers found in the open minute, by shard, so that callers of different shards share nothing.
    found: Vec<Mutex<Vec<Finding>>>,
    /// What ended while a live minute was closed, until it is taken.
    left: Mutex<Output<T>>,
}

/// What every step is held against. Both are read together, so that a request takes one lock for them: always before that
/// of a shard, or the minute that closes could wait for a request that waits for it.
#[derive(Debug)]
struct Known {
    policy: Arc<VisitPolicy>,
    site: SiteFacts,
}

impl<T: Default> TrafficService<T> {
    /// Nobody yet, and room for at least `capacity` visitors: an equal share for each of 256 shards.
    pub fn new(policy: VisitPolicy, capacity: usize) -> Self {
        let each = capacity.div_ceil(SHARDS);
        Self {
            known: RwLock::new(Known { policy: Arc::new(policy), site: SiteFacts::default() }),
            shards: (0..SHARDS).map(|_| Mutex::new(Shard::new(each))).collect(),
            minute: AtomicI64::new(i64::MIN),
            found: (0..SHARDS).map(|_| Mutex::default()).collect(),
            left: Mutex::default(),
        }
    }

    /// Steps one request of a client; what it leaves behind is added to `out`.
    pub fn step(
        &mut self,
        client: Client<'_>,
        request: &Observation<'_>,
        now: DateTime<Utc>,
        out: &mut Output<T>,
    ) -> (Step, Class, &mut T) {
        let minute = minute_of(now);
        let open = *self.minute.get_mut();
        let Known { policy, site } = self.known.get_mut();
        if minute > open {
            if open != i64::MIN {
                let (since, start) = tick_times(open, minute);
                for shard in &mut self.shards {
                    shard.get_mut().tick(policy, site, since, start, out);
                }
                site.learn(out.findings.drain(..), start.timestamp_micros());
            }
            *self.minute.get_mut() = minute;
        }
        let shard = self.shards[shard_of(client.network)].get_mut();
        shard.step(policy, site, client, request, now, out)
    }

    /// Decides about one live request, beside any number of other callers.
    pub fn decide(&self, client: Client<'_>, request: &Observation<'_>, now: DateTime<Utc>) -> (Step, Class) {
        self.advance(now);
        let known = self.known.read();
        let shard = self.shards[shard_of(client.network)].lock();
        self.decide_in((known, shard), client, request, now, |_, step, class, _, _| (*step, class))
    }

    /// Decides about one live request and hands what came of it to `then`, with what is kept beside the session, and what
    /// was kept beside the one that it ended, if it did. `None`, and nothing was counted, when others of the same part of
    /// the address space held it up for longer than `patience`.
    ///
    /// Minutes are left to be closed to whoever [`advance`](Self::advance)s once a second, since that looks at everybody who
    /// came in them; only where nobody has for a whole minute the request does it.
    pub fn decide_within<R>(
        &self,
        client: Client<'_>,
        request: &Observation<'_>,
        now: DateTime<Utc>,
        patience: Duration,
        then: impl FnOnce(&VisitPolicy, &Step, Class, &mut T, Option<&mut T>) -> R,
    ) -> Option<R> {
        if minute_of(now) > self.minute.load(Ordering::Acquire).saturating_add(1) {
            self.advance(now);
        }
        let shard = &self.shards[shard_of(client.network)];
        // The clock is read only where there is something to wait for.
        let (known, left) = if let Some(known) = self.known.try_read() {
            (known, patience)
        } else {
            let waiting = Stopwatch::start();
            let known = self.known.try_read_for(patience)?;
            (known, patience.saturating_sub(waiting.elapsed()))
        };
        let shard = shard.try_lock_for(left)?;
        Some(self.decide_in((known, shard), client, request, now, then))
    }

    /// Counts the answer to a live request that was decided before its status was known: the same request again, with the
    /// status. Answers the rise that it led to, if it did.
    pub fn answered(
        &self,
        key: &ClientKey,
        request: &Observation<'_>,
        now: DateTime<Utc>,
    ) -> Option<LevelChange> {
        let mut out = Output::default();
        {
            let known = self.known.read();
            let mut shard = self.shards[shard_of(key.network)].lock();
            shard.answered(&known.policy, key, request, now, &mut out);
        }
        let change = out.levels.first().map(|(_, change)| *change);
        self.leave(out);
        change
    }

    /// Takes in what the tracker told of the open session of a client; `false` where there is none.
    pub fn tracked(&self, key: &ClientKey, marks: TrackerMarks, now: DateTime<Utc>) -> bool {
        let known = self.known.read();
        let mut shard = self.shards[shard_of(key.network)].lock();
        shard.tracked(&known.policy, &known.site, key, marks, now)
    }

    /// Ends the open session of a client; `false` where there is none.
    pub fn end(&self, key: &ClientKey, reason: EndReason, now: DateTime<Utc>) -> bool {
        let mut out = Output::default();
        let ended = {
            let known = self.known.read();
            let mut shard = self.shards[shard_of(key.network)].lock();
            shard.end(&known.policy, &known.site, key, reason, now, &mut out)
        };
        self.leave(out);
        ended
    }

    /// Takes every visitor for a person for whom this holds, and answers what was cleared. It looks at all of them.
    pub fn clear_as_human(
        &self,
        now: DateTime<Utc>,
        mut is: impl FnMut(&Visitor<T>) -> bool,
    ) -> Vec<HumanClearance> {
        let policy = self.policy();
        let clear = |shard: &Mutex<Shard<T>>| shard.lock().clear_as_human(&policy, now, &mut is);
        self.shards.iter().flat_map(clear).collect()
    }

    /// Lifts the ban of a client network; `false` where none runs.
    pub fn free_network(&self, network: ClientNetwork, now: DateTime<Utc>) -> bool {
        self.shards[shard_of(network)].lock().free_network(network, now)
    }

    /// The key of a visitor for whom this holds; `None` when there is none. It looks at all of them.
    pub fn find(&self, mut is: impl FnMut(&Visitor<T>) -> bool) -> Option<ClientKey> {
        self.shards.iter().find_map(|shard| shard.lock().find(&mut is))
    }

    /// What `with` sees of the visitor of this key; `None` when it is not known.
    pub fn visitor<R>(&self, key: &ClientKey, with: impl FnOnce(&mut Visitor<T>) -> R) -> Option<R> {
        self.shards[shard_of(key.network)].lock().visitor_mut(key).map(with)
    }

    /// What the open session of a client is taken for now, with every reason; `None` without an open session.
    pub fn explain(&self, key: &ClientKey) -> Option<Verdict> {
        let known = self.known.read();
        self.shards[shard_of(key.network)].lock().explain(&known.policy, &known.site, key)
    }

    /// The level of a client at `now`; Normal for one that is not known.
    pub fn level(&self, key: &ClientKey, now: DateTime<Utc>) -> ThrottleLevel {
        let policy = self.policy();
        self.shards[shard_of(key.network)].lock().level(&policy, key, now)
    }

    /// What is held against clients and networks at `now`, one for each shard, under names made with `key`; see
    /// [`Shard::standings`]. Each shard is held up while its own is read.
    pub fn standings(&self, key: &IdentityKey, now: DateTime<Utc>) -> impl Iterator<Item = Standings> {
        let policy = self.policy();
        self.shards.iter().map(move |shard| shard.lock().standings(&policy, key, now))
    }

    /// Takes up standings that were written down, one for each shard, before the first request; answers how many
    /// clients' there was no room for.
    pub fn restore(
        &self,
        key: &IdentityKey,
        standings: impl IntoIterator<Item = Standings>,
        now: DateTime<Utc>,
    ) -> usize {
        let policy = self.policy();
        let pairs = self.shards.iter().zip(standings);
        pairs.map(|(shard, standings)| shard.lock().restore(&policy, key, standings, now)).sum()
    }

    /// Restored standings whose clients have not come back yet.
    pub fn waiting(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().waiting()).sum()
    }

    /// Sessions, changes of level, flags and bans that live requests left behind, for whoever stores them.
    pub fn take_output(&self) -> Output<T> {
        std::mem::take(&mut *self.left.lock())
    }

    /// Ends every open session, at the end of the input.
    pub fn finish(&mut self, out: &mut Output<T>) {
        let Known { policy, site } = self.known.get_mut();
        for shard in &mut self.shards {
            shard.get_mut().finish(policy, site, EndReason::Inactive, out);
        }
    }

    /// The rules in force.
    pub fn policy(&self) -> Arc<VisitPolicy> {
        Arc::clone(&self.known.read().policy)
    }

    /// Puts other rules in force, from the next request on. What is remembered of everybody stays.
    pub fn set_policy(&self, policy: VisitPolicy) {
        let policy = Arc::new(policy);
        self.known.write().policy = Arc::clone(&policy);
        for shard in &self.shards {
            shard.lock().policy_changed(&policy);
        }
    }

    /// Visitors remembered now.
    pub fn visitors(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// What all shards have had to do.
    pub fn counters(&self) -> ShardCounters {
        self.shards.iter().fold(ShardCounters::default(), |sum, shard| sum.plus(shard.lock().counters()))
    }

    fn decide_in<R>(
        &self,
        (known, mut shard): (RwLockReadGuard<'_, Known>, MutexGuard<'_, Shard<T>>),
        client: Client<'_>,
        request: &Observation<'_>,
        now: DateTime<Utc>,
        then: impl FnOnce(&VisitPolicy, &Step, Class, &mut T, Option<&mut T>) -> R,
    ) -> R {
        let mut out = Output::default();
        let (step, class, kept) = shard.step(&known.policy, &known.site, client, request, now, &mut out);
        let key = client.key();
        let left = out.ended.iter_mut().find(|ended| ended.key == key).map(|ended| &mut ended.tag);
        let answer = then(&known.policy, &step, class, kept, left);
        drop((shard, known));
        if !out.findings.is_empty() {
            self.found[shard_of(client.network)].lock().append(&mut out.findings);
        }
        self.leave(out);
        answer
    }

    /// Keeps what a live request left behind until it is taken.
    fn leave(&self, mut out: Output<T>) {
        if !out.is_empty() {
            self.left.lock().append(&mut out);
        }
    }

    /// Closes the minutes before `now`'s, once, whoever comes first. Live traffic does it once a second, off the path of
    /// requests.
    pub fn advance(&self, now: DateTime<Utc>) {
        let minute = minute_of(now);
        let open = self.minute.load(Ordering::Acquire);
        if minute <= open
            || self.minute.compare_exchange(open, minute, Ordering::AcqRel, Ordering::Acquire).is_err()
            || open == i64::MIN
        {
            return;
        }
        let (since, start) = tick_times(open, minute);
        let mut out = Output::default();
        for shard in &self.shards {
            let known = self.known.read();
            shard.lock().tick(&known.policy, &known.site, since, start, &mut out);
        }
        let found = self.found.iter().flat_map(|found| std::mem::take(&mut *found.lock()));
        self.known.write().site.learn(found.chain(out.findings.drain(..)), start.timestamp_micros());
        self.leave(out);
    }
}

/// The earliest activity whose views can still wait when the minute closes, and the time that it closes at.
///
/// The last tick was at the start of the open minute; views wait 10 s.
fn tick_times(open: i64, minute: i64) -> (DateTime<Utc>, DateTime<Utc>) {
    let since = minute_start(open).checked_sub_signed(TimeDelta::seconds(15));
    (since.unwrap_or(DateTime::<Utc>::MIN_UTC), minute_start(minute))
}

fn minute_of(now: DateTime<Utc>) -> i64 {
    now.timestamp().div_euclid(60)
}

fn minute_start(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(minute.saturating_mul(60), 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use analytics_domain::detector::AgentFacts;
    use analytics_domain::strategies::{ArbitraryRequest, Lines, sequence};
    use analytics_domain::visit::EndedSession;
    use proptest::prelude::*;

    use super::*;

    /// A client of its own address, with one of three agents, two of which claim to be browsers.
    fn client(address: u32) -> (ClientNetwork, AgentFacts) {
        let agent = AgentFacts {
            hash: u64::from(address % 3),
            observed: true,
            browser: address % 3 < 2,
            ..AgentFacts::default()
        };
        (ClientNetwork::V4(address << 8), agent)
    }

    fn replayed(lines: &[(u32, i64, ArbitraryRequest)], capacity: usize) -> Vec<EndedSession<()>> {
        let mut traffic = TrafficService::new(VisitPolicy::default(), capacity);
        let mut out = Output::default();
        for (address, at_us, request) in lines {
            let (network, agent) = client(*address);
            let client = Client { network, headers: 0, agent: &agent };
            let now = DateTime::from_timestamp_micros(*at_us).unwrap();
            traffic.step(client, &request.observation(), now, &mut out);
        }
        traffic.finish(&mut out);
        out.ended.sort_by_key(|ended| (shard_of(ended.key.network), ended.key.agent, ended.serial));
        out.ended
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn within_a_minute_the_order_of_different_shards_changes_nothing(
            Lines(lines) in sequence(1..200),
            addresses in proptest::collection::vec(0u32..30, 200),
            keys in proptest::collection::vec(any::<u64>(), SHARDS),
            capacity in proptest::sample::select(&[SHARDS, 100 * SHARDS][..]),
        ) {
            let lines: Vec<_> =
                lines.into_iter().zip(addresses).map(|((at, request), address)| (address, at, request)).collect();
            let mut shuffled = lines.clone();
            shuffled.sort_by_key(|(address, at, _)| {
                (at.div_euclid(60_000_000), keys[shard_of(client(*address).0)])
            });
            prop_assert_eq!(replayed(&lines, capacity), replayed(&shuffled, capacity));
        }
    }

    /// Requests, beacons, closing minutes and other rules at once: each takes its locks in the same order, so all end.
    #[test]
    fn callers_of_every_kind_do_not_wait_for_each_other_without_end() {
        let traffic = TrafficService::<()>::new(VisitPolicy::default(), 1_000);
        let (network, agent) = client(1);
        let client = Client { network, headers: 0, agent: &agent };
        let request = ArbitraryRequest::page("/");
        let at = |second: i64| DateTime::from_timestamp(second, 0).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for second in 0..20_000 {
                    let patience = Duration::from_secs(10);
                    let then =
                        |_: &VisitPolicy, step: &Step, _: Class, (): &mut (), _: Option<&mut ()>| step.opened;
                    let decided =
                        traffic.decide_within(client, &request.observation(), at(second), patience, then);
                    assert!(decided.is_some());
                }
            });
            scope.spawn(|| {
                for second in 0..20_000 {
                    traffic.advance(at(second));
                    traffic.tracked(&client.key(), TrackerMarks::default(), at(second));
                    traffic.explain(&client.key());
                    traffic.level(&client.key(), at(second));
                }
            });
            scope.spawn(|| {
                for _ in 0..200 {
                    traffic.set_policy(VisitPolicy::default());
                }
            });
        });
        assert_eq!(traffic.visitors(), 1);
    }

    #[test]
    fn a_request_closes_minutes_only_where_nobody_has_for_a_whole_one() {
        let traffic = TrafficService::<()>::new(VisitPolicy::default(), 1_000);
        let (network, agent) = client(1);
        let open_after = |second: i64| {
            let client = Client { network, headers: 0, agent: &agent };
            let now = DateTime::from_timestamp(second, 0).unwrap();
            let request = ArbitraryRequest::page("/");
            let seen = request.observation();
            let decided = traffic.decide_within(client, &seen, now, Duration::ZERO, |_, _, _, (), _| ());
            decided.map(|()| traffic.minute.load(Ordering::Relaxed))
        };
        assert_eq!([0, 59, 60, 119, 120, 179, 300].map(open_after), [0, 0, 0, 0, 2, 2, 5].map(Some));
        traffic.advance(DateTime::from_timestamp(360, 0).unwrap());
        assert_eq!(open_after(361), Some(6));
    }

    #[test]
    fn a_quiet_session_ends_with_the_minute_in_which_its_gap_has_passed() {
        let step = |traffic: &mut TrafficService<()>, address, second: i64| {
            let (network, agent) = client(address);
            let client = Client { network, headers: 0, agent: &agent };
            let mut out = Output::default();
            let now = DateTime::from_timestamp(second, 0).unwrap();
            traffic.step(client, &ArbitraryRequest::page("/").observation(), now, &mut out);
            out.ended
        };
        let ended = |last: i64, then: i64| {
            let mut traffic = TrafficService::new(VisitPolicy::default(), 1_000);
            step(&mut traffic, 1, last);
            step(&mut traffic, 2, then)
                .into_iter()
                .map(|ended| (ended.reason, ended.session.last().timestamp()))
                .collect::<Vec<_>>()
        };
        let minute = 1_780_000_020 / 60 * 60;
        assert_eq!(ended(minute, minute + 30 * 60), [(EndReason::Inactive, minute)]);
        assert_eq!(ended(minute + 1, minute + 30 * 60 + 59), []);
        assert_eq!(ended(minute + 1, minute + 31 * 60), [(EndReason::Inactive, minute + 1)]);
    }
}
