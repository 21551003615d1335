//! Whether a declared crawler comes from its operator's addresses.
//!
//! Either the operator publishes its addresses ([`CrawlerRules`]), or the name of the address is one of the operator's
//! and that name has the address (forward-confirmed reverse DNS). A name alone proves nothing: whoever owns an address
//! chooses its name. Names are looked up in the background; a request never waits for one.

mod cache;
mod names;
mod rules;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::{io, thread};

use analytics_domain::detector::Verification;
use analytics_domain::user_agent::Declared;
use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;

use super::VerifyCrawler;
use cache::Cache;
pub use names::{HostNames, LookupFailed, SystemNames};
use rules::CrawlerRule;
pub use rules::{CrawlerRules, CrawlerRulesError};

/// Says whether declared crawlers are what they say, from what is known at the moment.
pub struct CrawlerVerifier {
    rules: CrawlerRules,
    policy: VerifyPolicy,
    cache: Mutex<Cache>,
    queue: SyncSender<Job>,
    counters: Counters,
}

/// How much is remembered of looked-up addresses, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyPolicy {
    /// Answers remembered, and with them the memory that strangers can make the verifier use: about 100 bytes each.
    /// Default 20,000; big crawlers come from some thousands of addresses.
    pub cache_entries: usize,
    /// Addresses that wait to be looked up; further ones stay unknown until they come again. Default 1,000.
    pub queue_entries: usize,
    /// Lookups at the same time, each in a thread of its own. Default 4: a slow one waits for tens of seconds.
    pub threads: usize,
    /// How long an address counts as the operator's. Default 24 h; operators seldom give addresses away.
    pub verified_for: TimeDelta,
    /// How long an address counts as somebody else's. Default 1 h, so that a mistake of the operator's mends soon.
    pub spoofed_for: TimeDelta,
    /// How long an address that could not be looked up is left alone. Default 5 min.
    pub unknown_for: TimeDelta,
}

/// What the verifier has had to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VerifyCounters {
    /// Addresses looked up.
    pub looked_up: u64,
    /// Of those, how many could not be: no answer in time, or a server that failed.
    pub failed: u64,
    /// Addresses that were not looked up since the queue was full.
    pub skipped: u64,
}

/// The addresses that wait to be looked up; whoever holds it does the work.
pub struct Lookups {
    jobs: StdMutex<Receiver<Job>>,
    names: Box<dyn HostNames>,
    /// Whether any address was ever given a name. A machine without name service says "no such name" to everything.
    works: AtomicBool,
}

struct Job {
    address: IpAddr,
    crawler: usize,
    now: DateTime<Utc>,
}

#[derive(Debug, Default)]
struct Counters {
    looked_up: AtomicU64,
    failed: AtomicU64,
    skipped: AtomicU64,
}

impl CrawlerVerifier {
    /// A verifier by these rules, and the lookups that somebody has to do for it.
    pub fn new(rules: CrawlerRules, policy: VerifyPolicy, names: Box<dyn HostNames>) -> (Arc<Self>, Lookups) {
        let (queue, jobs) = sync_channel(policy.queue_entries.max(1));
        let cache = Mutex::new(Cache::new(policy.cache_entries));
        let verifier = Self { rules, policy, cache, queue, counters: Counters::default() };
        (Arc::new(verifier), Lookups { jobs: StdMutex::new(jobs), names, works: AtomicBool::new(false) })
    }

    /// A verifier whose lookups are done by threads of its own, for as long as it lives.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn start(
        rules: CrawlerRules,
        policy: VerifyPolicy,
        names: Box<dyn HostNames>,
    ) -> io::Result<Arc<Self>> {
        let (verifier, lookups) = Self::new(rules, policy, names);
        let lookups = Arc::new(lookups);
        for _ in 0..policy.threads.max(1) {
            let (lookups, verifier) = (Arc::clone(&lookups), Arc::downgrade(&verifier));
            thread::Builder::new().name("crawler-names".to_owned()).spawn(move || {
                while let Some(job) = lookups.next() {
                    let Some(verifier) = verifier.upgrade() else { break };
                    lookups.look_up(&verifier, &job);
                }
            })?;
        }
        Ok(verifier)
    }

    /// Whether this crawler comes from its operator's addresses, as far as that is known now. Never waits.
    ///
    /// Unknown for one without a rule, and for an address until it was looked up.
    pub fn status(&self, declared: &Declared, address: IpAddr, now: DateTime<Utc>) -> Verification {
        let Some((crawler, rule)) = self.rules.find(&declared.name) else { return Verification::Unknown };
        let address = address.to_canonical();
        if rule.networks.iter().any(|network| network.contains(address)) {
            return Verification::Verified;
        }
        if rule.suffixes.is_empty() {
            return Verification::Spoofed;
        }
        let mut cache = self.cache.lock();
        if let Some(known) = cache.get(address, crawler, now) {
            return known;
        }
        if self.queue.try_send(Job { address, crawler, now }).is_ok() {
            // Nobody asks a second time while the answer is on its way.
            cache.put(address, crawler, Verification::Unknown, later(now, self.policy.unknown_for));
        } else {
            self.counters.skipped.fetch_add(1, Ordering::Relaxed);
        }
        Verification::Unknown
    }

    /// The check as live traffic asks for it.
    pub fn into_check(self: Arc<Self>) -> Box<VerifyCrawler> {
        Box::new(move |agent, address, now| {
            let declared = agent.declared.as_ref();
            declared.map_or(Verification::Unknown, |declared| self.status(declared, address, now))
        })
    }

    /// Answers remembered now, and never more than the policy says.
    pub fn remembered(&self) -> usize {
        self.cache.lock().len()
    }

    /// What the verifier has had to do.
    pub fn counters(&self) -> VerifyCounters {
        VerifyCounters {
            looked_up: self.counters.looked_up.load(Ordering::Relaxed),
            failed: self.counters.failed.load(Ordering::Relaxed),
            skipped: self.counters.skipped.load(Ordering::Relaxed),
        }
    }

    fn learn(&self, job: &Job, answer: Result<Verification, LookupFailed>) {
        let failed = answer.is_err();
        let answer = answer.unwrap_or(Verification::Unknown);
        let length = match answer {
            Verification::Verified => self.policy.verified_for,
            Verification::Spoofed => self.policy.spoofed_for,
            Verification::Unknown => self.policy.unknown_for,
        };
        // Counted before the lock is free again: who sees the count finds the answer.
        let mut cache = self.cache.lock();
        cache.put(job.address, job.crawler, answer, later(job.now, length));
        self.counters.failed.fetch_add(u64::from(failed), Ordering::Relaxed);
        self.counters.looked_up.fetch_add(1, Ordering::Relaxed);
    }
}

impl Lookups {
    /// Does what waits now.
    pub fn do_waiting(&self, verifier: &CrawlerVerifier) {
        loop {
            let job = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).try_recv();
            match job {
                Ok(job) => self.look_up(verifier, &job),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
    }

    /// Waits for an address; `None` when nobody will ask for one again.
    fn next(&self) -> Option<Job> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
    }

    fn look_up(&self, verifier: &CrawlerVerifier, job: &Job) {
        let rule = verifier.rules.rule(job.crawler);
        verifier.learn(job, self.confirm(rule, job.address));
    }

    /// Forward-confirmed reverse DNS.
    fn confirm(&self, rule: &CrawlerRule, address: IpAddr) -> Result<Verification, LookupFailed> {
        let names = self.names.names_of(address)?;
        if names.is_empty() && !self.works.load(Ordering::Relaxed) {
            return Ok(Verification::Unknown);
        }
        self.works.store(true, Ordering::Relaxed);
        let mut failure = None;
        // Honest addresses have a name or two; a liar's list is not worth the time.
        for name in names.iter().filter(|name| rule.owns(name)).take(4) {
            match self.names.addresses_of(name) {
                Ok(addresses) if addresses.iter().any(|of| of.to_canonical() == address) => {
                    return Ok(Verification::Verified);
                }
                Ok(_) => {}
                Err(failed) => failure = Some(failed),
            }
        }
        failure.map_or(Ok(Verification::Spoofed), Err)
    }
}

impl Default for VerifyPolicy {
    fn default() -> Self {
        Self {
            cache_entries: 20_000,
            queue_entries: 1_000,
            threads: 4,
            verified_for: TimeDelta::hours(24),
            spoofed_for: TimeDelta::hours(1),
            unknown_for: TimeDelta::minutes(5),
        }
    }
}

fn later(now: DateTime<Utc>, length: TimeDelta) -> DateTime<Utc> {
    now.checked_add_signed(length).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests;
