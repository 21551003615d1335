//! Shards that share a capacity, and what they tell of themselves.

use core::ops::Deref;

use crate::shards::Shards;
use crate::stats::{Capacity, StoreStats};

/// Shards of a repository, each with its share of the capacity.
#[derive(Debug)]
pub(crate) struct Bounded<T> {
    shards: Shards<T>,
    capacity: Capacity,
}

/// What a shard holds and what left it.
pub(crate) trait Part: Default {
    /// Entries held now.
    fn entries(&self) -> usize;

    /// What left for want of room.
    fn evicted(&self) -> Evicted;
}

/// How many entries left a shard for want of room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Evicted {
    /// All of them.
    pub(crate) all: u64,
    /// Those that were still in use.
    pub(crate) in_use: u64,
}

impl<T: Part> Bounded<T> {
    /// Nothing yet, and room for this many.
    pub(crate) fn new(capacity: Capacity) -> Self {
        Self { shards: Shards::new(capacity.shards()), capacity }
    }

    /// How full all shards are together, and what left them.
    pub(crate) fn stats(&self) -> StoreStats {
        self.shards.each().fold(StoreStats::default(), |sum, shard| {
            sum.plus(StoreStats {
                entries: shard.entries() as u64,
                capacity: self.per_shard() as u64,
                evicted: shard.evicted().all,
                evicted_in_use: shard.evicted().in_use,
            })
        })
    }
}

impl<T> Bounded<T> {
    /// How many entries one shard may hold.
    pub(crate) const fn per_shard(&self) -> usize {
        self.capacity.per_shard()
    }
}

impl<T> Deref for Bounded<T> {
    type Target = Shards<T>;

    fn deref(&self) -> &Shards<T> {
        &self.shards
    }
}

impl Evicted {
    /// Counts one more, which was in use or not.
    pub(crate) const fn count(&mut self, in_use: bool) {
        self.all += 1;
        self.in_use += in_use as u64;
    }
}
