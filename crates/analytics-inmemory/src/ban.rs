//! Bans in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};

use analytics_domain::ids::BanId;
use analytics_domain::reputation::{Ban, BanSubject};
use analytics_ports::{BanCursor, BanRepository, BatchLimit, Page, PageRequest, Recorded, StoreError};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use parking_lot::RwLock;

use crate::stats::{Capacity, StoreStats};

/// Bans in memory, at most as many as the capacity.
///
/// When it is full, the would-ban that ends first leaves, of equals the smallest id; where there are only real bans,
/// the one that ends first does. Bans are few and read far more often than made, so one lock that readers share holds
/// them all.
#[derive(Debug)]
pub struct InMemoryBans {
    kept: RwLock<Kept>,
    capacity: Capacity,
}

impl InMemoryBans {
    /// No ban yet, and room for this many.
    pub fn new(capacity: Capacity) -> Self {
        Self { kept: RwLock::default(), capacity }
    }

    /// How full it is and how many bans left it; those that had not ended when the next one began count as in use.
    pub fn stats(&self) -> StoreStats {
        let kept = self.kept.read();
        StoreStats {
            entries: kept.bans.len() as u64,
            capacity: u64::from(self.capacity.get()),
            evicted: kept.evicted,
            evicted_in_use: kept.evicted_running,
        }
    }
}

#[async_trait]
impl BanRepository for InMemoryBans {
    async fn put(&self, ban: &Ban) -> Result<Recorded, StoreError> {
        let mut kept = self.kept.write();
        if kept.bans.contains_key(&ban.id) {
            return Ok(Recorded::Known);
        }
        while kept.bans.len() >= self.capacity.get() as usize {
            let Some(&(_, least_missed)) = kept.by_worth.first() else { break };
            let gone = kept.remove(least_missed.id);
            kept.evicted += 1;
            kept.evicted_running += u64::from(gone.is_some_and(|gone| gone.until > ban.from));
        }
        kept.insert(ban.clone());
        Ok(Recorded::New)
    }

    async fn running(&self, subject: BanSubject, now: DateTime<Utc>) -> Result<Option<Ban>, StoreError> {
        let kept = self.kept.read();
        let Some(cursors) = kept.by_subject.get(&subject) else { return Ok(None) };
        let mut running = cursors.iter().rev().map(|cursor| &kept.bans[&cursor.id]);
        Ok(running.find(|ban| ban.is_running(now)).cloned())
    }

    async fn list_running(
        &self,
        now: DateTime<Utc>,
        page: PageRequest<BanCursor>,
    ) -> Result<Page<Ban, BanCursor>, StoreError> {
        let kept = self.kept.read();
        let after = page.after.map_or(Unbounded, Excluded);
        let bans = kept.by_end.range((after, Unbounded)).map(|cursor| &kept.bans[&cursor.id]);
        // One more than the limit tells whether the list goes on.
        let running = bans.filter(|ban| ban.is_running(now)).take(page.limit.as_usize() + 1);
        Ok(Page::of(running.cloned().collect(), page.limit, BanCursor::of))
    }

    async fn clear(&self, subject: BanSubject) -> Result<Vec<Ban>, StoreError> {
        let mut kept = self.kept.write();
        let cursors = kept.by_subject.get(&subject).cloned().unwrap_or_default();
        let mut cleared: Vec<Ban> = cursors.iter().filter_map(|cursor| kept.remove(cursor.id)).collect();
        cleared.sort_by_key(|ban| ban.id);
        Ok(cleared)
    }

    async fn delete_ended(&self, now: DateTime<Utc>, limit: BatchLimit) -> Result<u32, StoreError> {
        let mut kept = self.kept.write();
        let ended = kept.by_end.iter().take_while(|cursor| cursor.until <= now).take(limit.as_usize());
        let ended: Vec<BanId> = ended.map(|cursor| cursor.id).collect();
        for &id in &ended {
            kept.remove(id);
        }
        Ok(ended.len() as u32)
    }
}

/// Every ban is in all four.
#[derive(Debug, Default)]
struct Kept {
    bans: BTreeMap<BanId, Ban>,
    by_end: BTreeSet<BanCursor>,
    by_subject: BTreeMap<BanSubject, BTreeSet<BanCursor>>,
    /// Whether it is a real ban, and where it ends: the order in which they are given up.
    by_worth: BTreeSet<(bool, BanCursor)>,
    evicted: u64,
    evicted_running: u64,
}

impl Kept {
    fn insert(&mut self, ban: Ban) {
        let cursor = BanCursor::of(&ban);
        self.by_end.insert(cursor);
        self.by_subject.entry(ban.subject).or_default().insert(cursor);
        self.by_worth.insert((!ban.would_ban, cursor));
        self.bans.insert(ban.id, ban);
    }

    fn remove(&mut self, id: BanId) -> Option<Ban> {
        let ban = self.bans.remove(&id)?;
        let cursor = BanCursor::of(&ban);
        self.by_end.remove(&cursor);
        self.by_worth.remove(&(!ban.would_ban, cursor));
        if let Some(cursors) = self.by_subject.get_mut(&ban.subject) {
            cursors.remove(&cursor);
            if cursors.is_empty() {
                self.by_subject.remove(&ban.subject);
            }
        }
        Some(ban)
    }
}
