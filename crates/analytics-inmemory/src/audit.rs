//! The audit in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};

use analytics_domain::audit::{AuditEntry, AuditSubject};
use analytics_domain::ids::EventId;
use analytics_ports::{AuditRepository, BatchLimit, EventCursor, Page, PageRequest, Recorded, StoreError};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use parking_lot::RwLock;

use crate::bounded::Evicted;
use crate::journal::LAST;
use crate::stats::{Capacity, StoreStats};

/// Entries of the audit in memory, at most as many as the capacity.
///
/// When it is full, the oldest entry leaves, of equals the one with the smallest id. Entries are made by people and by
/// jobs, seldom, so one lock that readers share holds them all.
#[derive(Debug)]
pub struct InMemoryAudit {
    kept: RwLock<Kept>,
    capacity: Capacity,
}

impl InMemoryAudit {
    /// No entry yet, and room for this many.
    pub fn new(capacity: Capacity) -> Self {
        Self { kept: RwLock::default(), capacity }
    }

    /// How full it is and how many entries left it; all of them count as in use, since an audit with holes is none.
    pub fn stats(&self) -> StoreStats {
        let kept = self.kept.read();
        StoreStats {
            entries: kept.by_time.len() as u64,
            capacity: u64::from(self.capacity.get()),
            evicted: kept.evicted.all,
            evicted_in_use: kept.evicted.in_use,
        }
    }
}

#[async_trait]
impl AuditRepository for InMemoryAudit {
    async fn record(&self, entry: &AuditEntry) -> Result<Recorded, StoreError> {
        let mut kept = self.kept.write();
        if !kept.ids.insert(entry.id()) {
            return Ok(Recorded::Known);
        }
        while kept.by_time.len() >= self.capacity.get() as usize {
            if !kept.remove_oldest() {
                break;
            }
            kept.evicted.count(true);
        }
        let cursor = EventCursor::of_audit(entry);
        kept.by_subject.insert((entry.record().subject, cursor));
        kept.by_time.insert(cursor, entry.clone());
        Ok(Recorded::New)
    }

    async fn list(
        &self,
        subject: Option<AuditSubject>,
        page: PageRequest<EventCursor>,
    ) -> Result<Page<AuditEntry, EventCursor>, StoreError> {
        let kept = self.kept.read();
        // One more than the limit tells whether the list goes on.
        let wanted = page.limit.as_usize() + 1;
        let entries = match subject {
            None => {
                let before = page.after.map_or(Unbounded, Excluded);
                let newest = kept.by_time.range((Unbounded, before)).rev().take(wanted);
                newest.map(|(_, entry)| entry.clone()).collect()
            }
            Some(subject) => {
                let before = Excluded((subject, page.after.unwrap_or(LAST)));
                let newest = kept.by_subject.range((Unbounded, before)).rev();
                let own = newest.take_while(|(of, _)| *of == subject).take(wanted);
                own.map(|(_, cursor)| kept.by_time[cursor].clone()).collect()
            }
        };
        Ok(Page::of(entries, page.limit, EventCursor::of_audit))
    }

    async fn delete_before(&self, before: DateTime<Utc>, limit: BatchLimit) -> Result<u32, StoreError> {
        let mut kept = self.kept.write();
        let mut deleted = 0;
        while deleted < limit.get() && kept.by_time.first_key_value().is_some_and(|(key, _)| key.at < before)
        {
            kept.remove_oldest();
            deleted += 1;
        }
        Ok(deleted)
    }
}

/// Every entry is in all three.
#[derive(Debug, Default)]
struct Kept {
    by_time: BTreeMap<EventCursor, AuditEntry>,
    by_subject: BTreeSet<(AuditSubject, EventCursor)>,
    ids: BTreeSet<EventId>,
    evicted: Evicted,
}

impl Kept {
    fn remove_oldest(&mut self) -> bool {
        let Some((cursor, entry)) = self.by_time.pop_first() else { return false };
        self.by_subject.remove(&(entry.record().subject, cursor));
        self.ids.remove(&cursor.id)
    }
}
