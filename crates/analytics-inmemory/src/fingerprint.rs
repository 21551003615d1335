//! Reputations of fingerprints in memory.

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Unbounded};

use analytics_domain::ids::FingerprintHash;
use analytics_ports::{
    BatchLimit, Entity, FingerprintRecord, FingerprintRepository, Page, PageRequest, StoreError, Version,
    Versioned,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use hashbrown::HashMap;

use crate::bounded::{Bounded, Evicted, Part};
use crate::stats::{Capacity, StoreStats};

/// Reputations of fingerprints in memory, at most as many as the capacity.
///
/// When the shard of a new fingerprint is full, the one that was last seen the longest ago leaves it, of equals the
/// smallest hash; those of high risk leave only when there are no others.
#[derive(Debug)]
pub struct InMemoryFingerprints {
    shards: Bounded<Shard>,
}

impl InMemoryFingerprints {
    /// No fingerprint yet, and room for this many.
    pub fn new(capacity: Capacity) -> Self {
        Self { shards: Bounded::new(capacity) }
    }

    /// How full it is and how many fingerprints left it; those of high risk count as in use.
    pub fn stats(&self) -> StoreStats {
        self.shards.stats()
    }
}

#[async_trait]
impl FingerprintRepository for InMemoryFingerprints {
    async fn get(
        &self,
        fingerprint: FingerprintHash,
    ) -> Result<Option<Versioned<FingerprintRecord>>, StoreError> {
        Ok(self.shards.of(fingerprint.as_u128()).rows.get(&fingerprint).cloned())
    }

    async fn swap(
        &self,
        expected: Option<Version>,
        record: &FingerprintRecord,
    ) -> Result<Version, StoreError> {
        let mut shard = self.shards.of(record.fingerprint().as_u128());
        let kept = shard.rows.get(&record.fingerprint()).map(|row| row.version);
        if kept != expected {
            return Err(StoreError::Conflict { entity: Entity::Fingerprint });
        }
        let version = kept.map_or(Version::FIRST, Version::next);
        if kept.is_some() {
            shard.remove(record.fingerprint());
        } else {
            shard.make_room(self.shards.per_shard());
        }
        shard.insert(Versioned { version, value: record.clone() });
        Ok(version)
    }

    async fn list_high_risk(
        &self,
        page: PageRequest<FingerprintHash>,
    ) -> Result<Page<FingerprintRecord, FingerprintHash>, StoreError> {
        // One more than the limit tells whether the list goes on.
        let wanted = page.limit.as_usize() + 1;
        let after = page.after.map_or(Unbounded, Excluded);
        let rows = self.shards.first(wanted, |shard| {
            let hashes = shard.high_risk.range((after, Unbounded)).take(wanted);
            hashes.map(|hash| (*hash, shard.rows[hash].value.clone())).collect()
        });
        let records = rows.into_iter().map(|(_, record)| record).collect();
        Ok(Page::of(records, page.limit, FingerprintRecord::fingerprint))
    }

    async fn delete_seen_before(&self, before: DateTime<Utc>, limit: BatchLimit) -> Result<u32, StoreError> {
        let oldest = self.shards.first(limit.as_usize(), |shard| {
            // Both risks are ordered by when they were seen, so the oldest of all are among the oldest of each.
            let seen = |risk| (risk, DateTime::<Utc>::MIN_UTC, LEAST)..(risk, before, LEAST);
            let oldest = |risk| shard.by_seen.range(seen(risk)).take(limit.as_usize());
            let rows = oldest(false).chain(oldest(true));
            rows.map(|&(risk, seen, hash)| ((seen, hash), risk)).collect()
        });
        let mut deleted = 0;
        for ((seen, hash), risk) in oldest {
            let mut shard = self.shards.of(hash.as_u128());
            // A fingerprint that was seen since it was listed stays.
            if shard.by_seen.contains(&(risk, seen, hash)) {
                shard.remove(hash);
                deleted += 1;
            }
        }
        Ok(deleted)
    }
}

/// The records of some fingerprints. Every record is in `rows` and `by_seen`, one of high risk in `high_risk` too.
#[derive(Debug, Default)]
struct Shard {
    /// Its order is never seen.
    rows: HashMap<FingerprintHash, Versioned<FingerprintRecord>>,
    /// High risk or not, when last seen, which: the order in which they are given up.
    by_seen: BTreeSet<(bool, DateTime<Utc>, FingerprintHash)>,
    high_risk: BTreeSet<FingerprintHash>,
    evicted: Evicted,
}

impl Part for Shard {
    fn entries(&self) -> usize {
        self.rows.len()
    }

    fn evicted(&self) -> Evicted {
        self.evicted
    }
}

impl Shard {
    fn insert(&mut self, row: Versioned<FingerprintRecord>) {
        let (record, hash) = (&row.value, row.value.fingerprint());
        self.by_seen.insert((record.is_high_risk(), record.report().last_seen, hash));
        if record.is_high_risk() {
            self.high_risk.insert(hash);
        }
        self.rows.insert(hash, row);
    }

    fn remove(&mut self, hash: FingerprintHash) {
        if let Some(row) = self.rows.remove(&hash) {
            self.by_seen.remove(&(row.value.is_high_risk(), row.value.report().last_seen, hash));
            self.high_risk.remove(&hash);
        }
    }

    fn make_room(&mut self, capacity: usize) {
        while self.rows.len() >= capacity {
            let Some(&(high_risk, _, hash)) = self.by_seen.first() else { return };
            self.remove(hash);
            self.evicted.count(high_risk);
        }
    }
}

const LEAST: FingerprintHash = FingerprintHash::from_u128(0);
