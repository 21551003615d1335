//! Features in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included};
use std::sync::Arc;

use analytics_domain::features::{CatalogueVersion, MlBehavioralFeatures};
use analytics_domain::ids::SessionId;
use analytics_ports::{
    BatchLimit, LabelledFeatures, MlFeaturesRepository, Page, PageRequest, Recorded, StoreError,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::bounded::{Bounded, Evicted, Part};
use crate::label::InMemoryLabels;
use crate::stats::{Capacity, StoreStats};

/// Features in memory, at most as many rows as the capacity.
///
/// When the shard of a new row is full, the row that was recorded first leaves it; of equals that of the smallest session
/// and catalogue.
#[derive(Debug)]
pub struct InMemoryMlFeatures {
    shards: Bounded<Shard>,
    labels: Arc<InMemoryLabels>,
}

impl InMemoryMlFeatures {
    /// No row yet, and room for this many; labelled by these labels.
    pub fn new(capacity: Capacity, labels: Arc<InMemoryLabels>) -> Self {
        Self { shards: Bounded::new(capacity), labels }
    }

    /// How full it is and how many rows left it. No row counts as in use.
    pub fn stats(&self) -> StoreStats {
        self.shards.stats()
    }

    /// Deletes the rows of this session, of every catalogue, and answers how many.
    pub(crate) fn erase(&self, session: SessionId) -> u64 {
        let mut shard = self.shards.of(session.as_u128());
        let own: Vec<Key> = shard.rows.keys().filter(|key| key.1 == session).copied().collect();
        for &key in &own {
            shard.remove(key);
        }
        own.len() as u64
    }
}

#[async_trait]
impl MlFeaturesRepository for InMemoryMlFeatures {
    async fn save(
        &self,
        features: &MlBehavioralFeatures,
        recorded_at: DateTime<Utc>,
    ) -> Result<Recorded, StoreError> {
        let key = (features.catalogue(), features.session());
        let mut shard = self.shards.of(key.1.as_u128());
        match shard.rows.get(&key) {
            Some((kept, _)) if kept.as_of() >= features.as_of() => return Ok(Recorded::Known),
            Some(_) => shard.remove(key),
            None => shard.make_room(self.shards.per_shard()),
        }
        shard.by_recording.insert((recorded_at, key.1, key.0));
        shard.rows.insert(key, (features.clone(), recorded_at));
        Ok(Recorded::New)
    }

    async fn by_session(
        &self,
        session: SessionId,
        catalogue: CatalogueVersion,
    ) -> Result<Option<MlBehavioralFeatures>, StoreError> {
        let shard = self.shards.of(session.as_u128());
        Ok(shard.rows.get(&(catalogue, session)).map(|(features, _)| features.clone()))
    }

    async fn list_labelled(
        &self,
        catalogue: CatalogueVersion,
        page: PageRequest<SessionId>,
    ) -> Result<Page<LabelledFeatures, SessionId>, StoreError> {
        let last = Included((catalogue, SessionId::from_u128(u128::MAX)));
        let after = page
            .after
            .map_or(Included((catalogue, SessionId::from_u128(0))), |session| Excluded((catalogue, session)));
        if page.after.is_some_and(|session| session.as_u128() == u128::MAX) {
            return Ok(Page { items: Vec::new(), next: None });
        }
        // One more than the limit tells whether the list goes on.
        let wanted = page.limit.as_usize() + 1;
        let rows = self.shards.first(wanted, |shard| {
            let labelled = shard.rows.range((after, last)).filter_map(|(&(_, session), (features, _))| {
                let labels = self.labels.of(session);
                let features = features.clone();
                (!labels.is_empty()).then_some((session, LabelledFeatures { features, labels }))
            });
            labelled.take(wanted).collect()
        });
        let rows = rows.into_iter().map(|(_, row)| row).collect();
        Ok(Page::of(rows, page.limit, |row| row.features.session()))
    }

    async fn delete_recorded_before(
        &self,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError> {
        let oldest = self.shards.first(limit.as_usize(), |shard| {
            let old = shard.by_recording.iter().take_while(|(recorded_at, _, _)| *recorded_at < before);
            old.take(limit.as_usize()).map(|&key| (key, ())).collect()
        });
        let mut deleted = 0;
        for (key, ()) in oldest {
            let mut shard = self.shards.of(key.1.as_u128());
            // A row that was replaced since it was listed stays.
            if shard.by_recording.contains(&key) {
                shard.remove((key.2, key.1));
                deleted += 1;
            }
        }
        Ok(deleted)
    }
}

type Key = (CatalogueVersion, SessionId);

/// The rows of some sessions, with when each was recorded. Every row is in both.
#[derive(Debug, Default)]
struct Shard {
    rows: BTreeMap<Key, (MlBehavioralFeatures, DateTime<Utc>)>,
    by_recording: BTreeSet<(DateTime<Utc>, SessionId, CatalogueVersion)>,
    evicted: Evicted,
}

impl Shard {
    fn remove(&mut self, key: Key) {
        if let Some((_, recorded_at)) = self.rows.remove(&key) {
            self.by_recording.remove(&(recorded_at, key.1, key.0));
        }
    }

    fn make_room(&mut self, capacity: usize) {
        while self.rows.len() >= capacity {
            let Some(&(_, session, catalogue)) = self.by_recording.first() else { return };
            self.remove((catalogue, session));
            self.evicted.count(false);
        }
    }
}

impl Part for Shard {
    fn entries(&self) -> usize {
        self.rows.len()
    }

    fn evicted(&self) -> Evicted {
        self.evicted
    }
}
