//! Labels in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};

use analytics_domain::ids::SessionId;
use analytics_domain::label::{Label, LabelSource};
use analytics_ports::{BatchLimit, LabelCursor, LabelRepository, Page, PageRequest, Recorded, StoreError};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use parking_lot::RwLock;

use crate::bounded::Evicted;
use crate::stats::{Capacity, StoreStats};

/// Labels in memory, at most as many as the capacity.
///
/// When it is full, the weakest source's label that was given first leaves, of equals that of the smallest session; those
/// that a person gave leave last and count as in use. Labels are few and made by hand or once a session, so one lock
/// that readers share holds them all.
#[derive(Debug)]
pub struct InMemoryLabels {
    kept: RwLock<Kept>,
    capacity: Capacity,
}

impl InMemoryLabels {
    /// No label yet, and room for this many.
    pub fn new(capacity: Capacity) -> Self {
        Self { kept: RwLock::default(), capacity }
    }

    /// How full it is and how many labels left it; those that a person gave count as in use.
    pub fn stats(&self) -> StoreStats {
        let kept = self.kept.read();
        StoreStats {
            entries: kept.labels.len() as u64,
            capacity: u64::from(self.capacity.get()),
            evicted: kept.evicted.all,
            evicted_in_use: kept.evicted.in_use,
        }
    }

    /// The labels of this session, the strongest source first.
    pub(crate) fn of(&self, session: SessionId) -> Vec<Label> {
        let kept = self.kept.read();
        let [first, last] = [LabelSource::Manual, LabelSource::Heuristic];
        let keys = LabelCursor { session, source: first }..=LabelCursor { session, source: last };
        kept.labels.range(keys).map(|(_, label)| label.clone()).collect()
    }

    /// Deletes the labels of this session, and answers how many.
    pub(crate) fn erase(&self, session: SessionId) -> u64 {
        let mut kept = self.kept.write();
        let own = LabelSource::ALL.into_iter().map(|source| LabelCursor { session, source });
        own.filter(|cursor| kept.remove(*cursor).is_some()).count() as u64
    }
}

#[async_trait]
impl LabelRepository for InMemoryLabels {
    async fn put(&self, label: &Label) -> Result<Recorded, StoreError> {
        let mut kept = self.kept.write();
        let cursor = LabelCursor::of(label);
        match kept.labels.get(&cursor) {
            Some(old) if !label.supersedes(old) => return Ok(Recorded::Known),
            Some(_) => {
                kept.remove(cursor);
            }
            None => kept.make_room(self.capacity),
        }
        kept.by_time.insert((label.record().at, cursor));
        kept.by_worth.insert(worth(label));
        kept.labels.insert(cursor, label.clone());
        Ok(Recorded::New)
    }

    async fn by_session(&self, session: SessionId) -> Result<Vec<Label>, StoreError> {
        Ok(self.of(session))
    }

    async fn list(&self, page: PageRequest<LabelCursor>) -> Result<Page<Label, LabelCursor>, StoreError> {
        let kept = self.kept.read();
        let after = page.after.map_or(Unbounded, Excluded);
        // One more than the limit tells whether the list goes on.
        let labels = kept.labels.range((after, Unbounded)).take(page.limit.as_usize() + 1);
        Ok(Page::of(labels.map(|(_, label)| label.clone()).collect(), page.limit, LabelCursor::of))
    }

    async fn remove(&self, session: SessionId, source: LabelSource) -> Result<Option<Label>, StoreError> {
        Ok(self.kept.write().remove(LabelCursor { session, source }))
    }

    async fn delete_given_before(&self, before: DateTime<Utc>, limit: BatchLimit) -> Result<u32, StoreError> {
        let mut kept = self.kept.write();
        let old = kept.by_time.iter().take_while(|(at, _)| *at < before).take(limit.as_usize());
        let old: Vec<LabelCursor> = old.map(|&(_, cursor)| cursor).collect();
        for &cursor in &old {
            kept.remove(cursor);
        }
        Ok(old.len() as u32)
    }
}

/// Every label is in all three.
#[derive(Debug, Default)]
struct Kept {
    labels: BTreeMap<LabelCursor, Label>,
    by_time: BTreeSet<(DateTime<Utc>, LabelCursor)>,
    /// The order in which they are given up.
    by_worth: BTreeSet<Worth>,
    evicted: Evicted,
}

type Worth = (core::cmp::Reverse<LabelSource>, DateTime<Utc>, SessionId);

impl Kept {
    fn remove(&mut self, cursor: LabelCursor) -> Option<Label> {
        let label = self.labels.remove(&cursor)?;
        self.by_time.remove(&(label.record().at, cursor));
        self.by_worth.remove(&worth(&label));
        Some(label)
    }

    fn make_room(&mut self, capacity: Capacity) {
        while self.labels.len() >= capacity.get() as usize {
            let Some(&(source, _, session)) = self.by_worth.first() else { return };
            self.remove(LabelCursor { session, source: source.0 });
            self.evicted.count(source.0 == LabelSource::Manual);
        }
    }
}

fn worth(label: &Label) -> Worth {
    (core::cmp::Reverse(label.source()), label.record().at, label.session())
}
