//! How full a repository is, and what left it.

use core::num::NonZeroU32;

/// How many entries a repository holds at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capacity(NonZeroU32);

/// A capacity of no entry at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidCapacity;

/// What a repository holds and what it had to let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreStats {
    /// Entries held now; never more than `capacity`.
    pub entries: u64,
    /// The most entries held at once.
    pub capacity: u64,
    /// Entries that left for want of room since the repository was made.
    pub evicted: u64,
    /// Of those, entries that were still in use: open sessions, flagged fingerprints, active bans. Above zero, the
    /// capacity is too small.
    pub evicted_in_use: u64,
}

impl Capacity {
    /// The capacity of this many entries.
    ///
    /// # Errors
    /// [`InvalidCapacity`] for 0.
    pub const fn new(entries: u32) -> Result<Self, InvalidCapacity> {
        match NonZeroU32::new(entries) {
            Some(entries) => Ok(Self(entries)),
            None => Err(InvalidCapacity),
        }
    }

    /// The number of entries, at least 1.
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// How many shards share this capacity: one for every 64 entries, as a power of two, at most 256.
    ///
    /// Keys fall on shards unevenly. With at least 64 entries in each, the fullest is rarely more than half again
    /// as full as the mean, so that little room is lost.
    pub(crate) const fn shards(self) -> usize {
        let most = self.0.get() as usize / ENTRIES_A_SHARD;
        if most >= MOST_SHARDS {
            MOST_SHARDS
        } else if most < 2 {
            1
        } else {
            1 << most.ilog2()
        }
    }

    /// How many entries one shard holds: the capacity divided by the shards, rounded down, so that the sum is never
    /// above the capacity.
    pub(crate) const fn per_shard(self) -> usize {
        self.0.get() as usize / self.shards()
    }
}

impl StoreStats {
    /// The sums of both, for a repository in parts.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            entries: self.entries + other.entries,
            capacity: self.capacity + other.capacity,
            evicted: self.evicted + other.evicted,
            evicted_in_use: self.evicted_in_use + other.evicted_in_use,
        }
    }
}

impl core::fmt::Display for InvalidCapacity {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("a repository needs room for at least one entry")
    }
}

impl core::error::Error for InvalidCapacity {}

const MOST_SHARDS: usize = 256;
const ENTRIES_A_SHARD: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_share_the_capacity_and_never_pass_it() {
        let parts = |entries| {
            let capacity = Capacity::new(entries).unwrap();
            (capacity.shards(), capacity.per_shard())
        };
        assert_eq!([1, 127, 128, 1_000].map(parts), [(1, 1), (1, 127), (2, 64), (8, 125)]);
        assert_eq!([16_383, 16_384, 1_000_000].map(parts), [(128, 127), (256, 64), (256, 3_906)]);
        assert_eq!(Capacity::new(0), Err(InvalidCapacity));
    }
}
