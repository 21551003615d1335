//! Answers about addresses, bounded.

use std::mem;
use std::net::IpAddr;

use analytics_domain::detector::Verification;
use chrono::{DateTime, Utc};
use hashbrown::HashMap;

/// The answers of two generations: when the young one is full it becomes the old one, and what was in the old one and
/// not asked for since is forgotten.
pub(super) struct Cache {
    half: usize,
    young: Answers,
    old: Answers,
}

/// In no order, and none is ever seen.
type Answers = HashMap<(IpAddr, usize), (Verification, DateTime<Utc>)>;

impl Cache {
    /// An empty cache for at most this many answers, at least two.
    pub(super) fn new(capacity: usize) -> Self {
        Self { half: (capacity / 2).max(1), young: Answers::new(), old: Answers::new() }
    }

    /// The answer about this crawler at this address, while it holds.
    pub(super) fn get(
        &mut self,
        address: IpAddr,
        crawler: usize,
        now: DateTime<Utc>,
    ) -> Option<Verification> {
        let key = (address, crawler);
        if !self.young.contains_key(&key) {
            let (answer, until) = self.old.remove(&key)?;
            self.put(address, crawler, answer, until);
        }
        self.young.get(&key).filter(|(_, until)| now < *until).map(|(answer, _)| *answer)
    }

    /// Remembers an answer, in place of one that was there.
    pub(super) fn put(
        &mut self,
        address: IpAddr,
        crawler: usize,
        answer: Verification,
        until: DateTime<Utc>,
    ) {
        let key = (address, crawler);
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, (answer, until));
    }

    /// Answers held.
    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}
