//! What happened in sessions, in memory: kept once, listed by session, let go by when it was recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included};
use std::sync::Arc;

use analytics_domain::ids::{EventId, SessionId};
use analytics_ports::{BatchLimit, EventCursor, Page, PageRequest, Recorded};
use chrono::{DateTime, Utc};
use hashbrown::HashMap;

use crate::bounded::{Bounded, Evicted, Part};
use crate::shards::Shards;
use crate::stats::{Capacity, StoreStats};

/// Rows that never change, at most as many as the capacity.
///
/// When the shard of a new row is full, the row that was recorded first leaves it; of equals the smallest id.
#[derive(Debug)]
pub(crate) struct Journal<T> {
    rows: Bounded<Shard<T>>,
    /// The rows of each session. Locked after a shard of rows, never before one.
    by_session: Shards<BySession<T>>,
}

/// A row of a journal: it happened in a session, at a time.
pub(crate) trait Entry: Clone {
    /// The session it happened in.
    fn session(&self) -> SessionId;

    /// Its place in the list of that session.
    fn cursor(&self) -> EventCursor;
}

type BySession<T> = BTreeMap<(SessionId, EventCursor), Arc<T>>;

impl<T: Entry> Journal<T> {
    /// Nothing yet, and room for this many.
    pub(crate) fn new(capacity: Capacity) -> Self {
        Self { rows: Bounded::new(capacity), by_session: Shards::new(capacity.shards()) }
    }

    /// How full it is and how many rows left it. No row counts as in use.
    pub(crate) fn stats(&self) -> StoreStats {
        self.rows.stats()
    }

    /// Keeps a row, unless one with its id is kept already.
    pub(crate) fn record(&self, row: &T, recorded_at: DateTime<Utc>) -> Recorded {
        let cursor = row.cursor();
        let mut shard = self.rows.of(cursor.id.as_u128());
        if shard.rows.contains_key(&cursor.id) {
            return Recorded::Known;
        }
        while shard.rows.len() >= self.rows.per_shard() {
            let Some(&oldest) = shard.by_recording.first() else { break };
            self.remove(&mut shard, oldest);
            shard.evicted.count(false);
        }
        let row = Arc::new(row.clone());
        let session = row.session();
        self.by_session.of(session.as_u128()).insert((session, cursor), Arc::clone(&row));
        shard.by_recording.insert((recorded_at, cursor.id));
        shard.rows.insert(cursor.id, (row, recorded_at));
        Recorded::New
    }

    /// The rows of this session, oldest first, then by id.
    pub(crate) fn list(&self, session: SessionId, page: PageRequest<EventCursor>) -> Page<T, EventCursor> {
        let after = page.after.map_or(Included((session, FIRST)), |cursor| Excluded((session, cursor)));
        if page.after.is_some_and(|cursor| cursor >= LAST) {
            return Page { items: Vec::new(), next: None };
        }
        let kept = self.by_session.of(session.as_u128());
        let range = kept.range((after, Included((session, LAST))));
        // One more than the limit tells whether the list goes on.
        let rows = range.take(page.limit.as_usize() + 1).map(|(_, row)| (**row).clone()).collect();
        Page::of(rows, page.limit, T::cursor)
    }

    /// What this makes of all rows of a session, oldest first.
    pub(crate) fn over<R>(
        &self,
        session: SessionId,
        make: impl FnOnce(&mut dyn Iterator<Item = &T>) -> R,
    ) -> R {
        let kept = self.by_session.of(session.as_u128());
        make(&mut kept.range((session, FIRST)..=(session, LAST)).map(|(_, row)| &**row))
    }

    /// Shows every row, in no order.
    pub(crate) fn each(&self, mut show: impl FnMut(&T)) {
        for shard in self.rows.each() {
            shard.rows.values().for_each(|(row, _)| show(row));
        }
    }

    /// Deletes at most `limit` rows that were recorded before this, the oldest recorded first, then by id.
    pub(crate) fn delete_recorded_before(&self, before: DateTime<Utc>, limit: BatchLimit) -> u32 {
        let oldest = self.rows.first(limit.as_usize(), |shard| {
            let old = shard.by_recording.iter().take_while(|(recorded_at, _)| *recorded_at < before);
            old.take(limit.as_usize()).map(|&key| (key, ())).collect()
        });
        let mut deleted = 0;
        for (key, ()) in oldest {
            let mut shard = self.rows.of(key.1.as_u128());
            if shard.by_recording.contains(&key) {
                self.remove(&mut shard, key);
                deleted += 1;
            }
        }
        deleted
    }

    /// Deletes the rows of this session, and answers how many.
    pub(crate) fn erase(&self, session: SessionId) -> u64 {
        let ids: Vec<EventId> = self.over(session, |rows| rows.map(|row| row.cursor().id).collect());
        let mut erased = 0;
        for id in ids {
            let mut shard = self.rows.of(id.as_u128());
            let recorded = shard.rows.get(&id).map(|(_, recorded_at)| *recorded_at);
            if let Some(recorded_at) = recorded {
                self.remove(&mut shard, (recorded_at, id));
                erased += 1;
            }
        }
        erased
    }

    fn remove(&self, shard: &mut Shard<T>, key: (DateTime<Utc>, EventId)) {
        shard.by_recording.remove(&key);
        if let Some((row, _)) = shard.rows.remove(&key.1) {
            let session = row.session();
            self.by_session.of(session.as_u128()).remove(&(session, row.cursor()));
        }
    }
}

/// The rows of some ids. Every row is in both.
#[derive(Debug)]
struct Shard<T> {
    /// With when each was recorded. Its order is never seen.
    rows: HashMap<EventId, (Arc<T>, DateTime<Utc>)>,
    by_recording: BTreeSet<(DateTime<Utc>, EventId)>,
    evicted: Evicted,
}

impl<T> Default for Shard<T> {
    fn default() -> Self {
        Self { rows: HashMap::new(), by_recording: BTreeSet::new(), evicted: Evicted::default() }
    }
}

impl<T> Part for Shard<T> {
    fn entries(&self) -> usize {
        self.rows.len()
    }

    fn evicted(&self) -> Evicted {
        self.evicted
    }
}

const FIRST: EventCursor = EventCursor { at: DateTime::<Utc>::MIN_UTC, id: EventId::from_u128(0) };
/// No row stands after this place, and none at it.
pub(crate) const LAST: EventCursor =
    EventCursor { at: DateTime::<Utc>::MAX_UTC, id: EventId::from_u128(u128::MAX) };
