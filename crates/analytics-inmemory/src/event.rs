//! Events in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included};
use std::sync::Arc;

use analytics_domain::event::AnalyticsEvent;
use analytics_domain::ids::{EventId, SessionId};
use analytics_ports::{BatchLimit, EventCursor, EventRepository, Page, PageRequest, Recorded, StoreError};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use hashbrown::HashMap;

use crate::shards::Shards;
use crate::stats::{Capacity, StoreStats};

/// Events in memory, at most as many as the capacity.
///
/// When the shard of a new event is full, the event that was recorded first leaves it; of equals the smallest id.
/// Recording a batch is a step for each event: another caller may see the first half of a batch before the second.
#[derive(Debug)]
pub struct InMemoryEvents {
    shards: Shards<Shard>,
    /// The events of each session. Locked after a shard of events, never before one.
    by_session: Shards<BTreeMap<(SessionId, EventCursor), Arc<AnalyticsEvent>>>,
    capacity: Capacity,
}

impl InMemoryEvents {
    /// No event yet, and room for this many.
    pub fn new(capacity: Capacity) -> Self {
        let shards = capacity.shards();
        Self { shards: Shards::new(shards), by_session: Shards::new(shards), capacity }
    }

    /// How full it is and how many events left it. No event counts as in use.
    pub fn stats(&self) -> StoreStats {
        self.shards.each().fold(StoreStats::default(), |sum, shard| {
            sum.plus(StoreStats {
                entries: shard.rows.len() as u64,
                capacity: self.capacity.per_shard() as u64,
                evicted: shard.evicted,
                evicted_in_use: 0,
            })
        })
    }

    fn record_one(&self, event: &AnalyticsEvent, recorded_at: DateTime<Utc>) -> Recorded {
        let mut shard = self.shards.of(event.id().as_u128());
        if shard.rows.contains_key(&event.id()) {
            return Recorded::Known;
        }
        while shard.rows.len() >= self.capacity.per_shard() {
            let Some(&oldest) = shard.by_recording.first() else { break };
            self.remove(&mut shard, oldest);
            shard.evicted += 1;
        }
        let event = Arc::new(event.clone());
        let key = (event.session(), EventCursor::of(&event));
        self.by_session.of(event.session().as_u128()).insert(key, Arc::clone(&event));
        shard.by_recording.insert((recorded_at, event.id()));
        shard.rows.insert(event.id(), event);
        Recorded::New
    }

    fn remove(&self, shard: &mut Shard, key: (DateTime<Utc>, EventId)) {
        shard.by_recording.remove(&key);
        if let Some(event) = shard.rows.remove(&key.1) {
            let listed = (event.session(), EventCursor::of(&event));
            self.by_session.of(event.session().as_u128()).remove(&listed);
        }
    }
}

#[async_trait]
impl EventRepository for InMemoryEvents {
    async fn record(
        &self,
        events: &[AnalyticsEvent],
        recorded_at: DateTime<Utc>,
    ) -> Result<Vec<Recorded>, StoreError> {
        Ok(events.iter().map(|event| self.record_one(event, recorded_at)).collect())
    }

    async fn list_by_session(
        &self,
        session: SessionId,
        page: PageRequest<EventCursor>,
    ) -> Result<Page<AnalyticsEvent, EventCursor>, StoreError> {
        let first = EventCursor { at: DateTime::<Utc>::MIN_UTC, id: EventId::from_u128(0) };
        let last = EventCursor { at: DateTime::<Utc>::MAX_UTC, id: EventId::from_u128(u128::MAX) };
        let after = page.after.map_or(Included((session, first)), |cursor| Excluded((session, cursor)));
        if page.after.is_some_and(|cursor| cursor >= last) {
            return Ok(Page { items: Vec::new(), next: None });
        }
        let kept = self.by_session.of(session.as_u128());
        let range = kept.range((after, Included((session, last))));
        // One more than the limit tells whether the list goes on.
        let events = range.take(page.limit.as_usize() + 1).map(|(_, event)| (**event).clone()).collect();
        Ok(Page::of(events, page.limit, EventCursor::of))
    }

    async fn delete_recorded_before(
        &self,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError> {
        let oldest = self.shards.first(limit.as_usize(), |shard| {
            let old = shard.by_recording.iter().take_while(|(recorded_at, _)| *recorded_at < before);
            old.take(limit.as_usize()).map(|&key| (key, ())).collect()
        });
        let mut deleted = 0;
        for (key, ()) in oldest {
            let mut shard = self.shards.of(key.1.as_u128());
            if shard.by_recording.contains(&key) {
                self.remove(&mut shard, key);
                deleted += 1;
            }
        }
        Ok(deleted)
    }
}

/// The events of some ids. Every event is in both.
#[derive(Debug, Default)]
struct Shard {
    /// Its order is never seen.
    rows: HashMap<EventId, Arc<AnalyticsEvent>>,
    by_recording: BTreeSet<(DateTime<Utc>, EventId)>,
    evicted: u64,
}
