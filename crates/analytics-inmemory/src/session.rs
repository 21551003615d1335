//! Sessions in memory.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::Arc;

use analytics_domain::ids::{FingerprintHash, SessionId, VisitorId};
use analytics_domain::session::{AnalyticsSession, EndReason, SessionCounters, SessionRecord};
use analytics_domain::stats::Period;
use analytics_ports::{
    BatchLimit, EndedSession, Entity, Page, PageRequest, Recorded, SessionCursor, SessionFilter,
    SessionRepository, StoreError, Version, Versioned,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use hashbrown::HashMap;

use crate::bounded::{Bounded, Evicted, Part};
use crate::shards::Shards;
use crate::stats::{Capacity, StoreStats};

/// Sessions in memory, at most as many as the capacity.
///
/// When the shard of a new session is full, the ended session that was recorded first leaves it (of equals the smallest
/// id); where none has ended, the open session with the oldest activity does. Creating a batch is a step for each session:
/// another caller may see the first half of a batch before the second.
#[derive(Debug)]
pub struct InMemorySessions {
    shards: Bounded<Shard>,
    /// The open sessions of each fingerprint. Locked after a shard of sessions, never before one.
    by_fingerprint: Shards<BTreeSet<(FingerprintHash, DateTime<Utc>, SessionId)>>,
}

impl InMemorySessions {
    /// No session yet, and room for this many.
    pub fn new(capacity: Capacity) -> Self {
        Self { shards: Bounded::new(capacity), by_fingerprint: Shards::new(capacity.shards()) }
    }

    /// How full it is and how many sessions left it; open ones count as in use.
    pub fn stats(&self) -> StoreStats {
        self.shards.stats()
    }

    /// Adds to the totals of a session, open or ended, one version later; one that is not kept stays away.
    pub(crate) fn count(&self, id: SessionId, counters: SessionCounters) {
        let mut shard = self.shards.of(id.as_u128());
        let Some(old) = self.remove(&mut shard, id) else { return };
        let record = old.session.record();
        let counted = SessionRecord { counters: record.counters.plus(counters), ..record.clone() };
        let session = counted.try_into().expect("totals have no rule with other fields");
        self.replace(&mut shard, &old, session);
    }

    /// Shows every session that started in a period, in no order.
    pub(crate) fn each_started(&self, period: Period, mut show: impl FnMut(&AnalyticsSession)) {
        let key = |at| Reverse((at, SessionId::from_u128(0)));
        for shard in self.shards.each() {
            // Newest first, so the end of the period comes before its beginning.
            let keys = shard.by_start.range((Excluded(key(period.until())), Included(key(period.from()))));
            keys.for_each(|key| show(&shard.rows[&key.0.1].session));
        }
    }

    /// What this makes of a session; `None` when it is not kept.
    pub(crate) fn peek<R>(&self, id: SessionId, make: impl FnOnce(&AnalyticsSession) -> R) -> Option<R> {
        self.shards.of(id.as_u128()).rows.get(&id).map(|row| make(&row.session))
    }

    /// The sessions that count as this visitor and started in this period, if one is given; in no order.
    pub(crate) fn of_visitor(
        &self,
        visitor: VisitorId,
        started: Option<Period>,
    ) -> Vec<(DateTime<Utc>, SessionId)> {
        let mut found = Vec::new();
        for shard in self.shards.each() {
            let records = shard.rows.values().map(|row| row.session.record());
            let own = records.filter(|record| {
                record.visitor == visitor && started.is_none_or(|period| period.contains(record.started_at))
            });
            found.extend(own.map(|record| (record.started_at, record.id)));
        }
        found
    }

    /// Takes a session out; whether it was kept.
    pub(crate) fn erase(&self, id: SessionId) -> bool {
        self.remove(&mut self.shards.of(id.as_u128()), id).is_some()
    }

    /// Keeps a new session, unless one with its id is kept already.
    fn keep(&self, session: &AnalyticsSession, recorded_at: DateTime<Utc>) -> Recorded {
        let mut shard = self.shards.of(session.id().as_u128());
        if shard.rows.contains_key(&session.id()) {
            return Recorded::Known;
        }
        self.make_room(&mut shard);
        let row = Row { version: Version::FIRST, session: Arc::new(session.clone()), recorded_at };
        self.insert(&mut shard, row);
        Recorded::New
    }

    /// Puts the row where the shard keeps its id, and where lists and fingerprints look for it.
    fn insert(&self, shard: &mut Shard, row: Row) {
        let (session, record) = (&row.session, row.session.record());
        if session.is_open() {
            shard.open.insert((record.last_activity_at, record.id));
            let open = (record.fingerprint, record.last_activity_at, record.id);
            self.by_fingerprint.of(record.fingerprint.as_u128()).insert(open);
        } else {
            shard.ended.insert((row.recorded_at, record.id));
        }
        shard.by_start.insert(Reverse((record.started_at, record.id)));
        shard.rows.insert(record.id, row);
    }

    /// Takes the row of this id out of everything.
    fn remove(&self, shard: &mut Shard, id: SessionId) -> Option<Row> {
        let row = shard.rows.remove(&id)?;
        let record = row.session.record();
        shard.open.remove(&(record.last_activity_at, id));
        shard.ended.remove(&(row.recorded_at, id));
        shard.by_start.remove(&Reverse((record.started_at, id)));
        let open = (record.fingerprint, record.last_activity_at, id);
        self.by_fingerprint.of(record.fingerprint.as_u128()).remove(&open);
        Some(row)
    }

    /// Replaces the session of a row by what it became, one version later.
    fn replace(
        &self,
        shard: &mut Shard,
        old: &Row,
        session: AnalyticsSession,
    ) -> Versioned<AnalyticsSession> {
        let row =
            Row { version: old.version.next(), session: Arc::new(session), recorded_at: old.recorded_at };
        let kept = row.versioned();
        self.insert(shard, row);
        kept
    }

    fn make_room(&self, shard: &mut Shard) {
        while shard.rows.len() >= self.shards.per_shard() {
            let ended = shard.ended.first().copied();
            let Some((_, id)) = ended.or_else(|| shard.open.first().copied()) else { return };
            self.remove(shard, id);
            shard.evicted.count(ended.is_none());
        }
    }
}

#[async_trait]
impl SessionRepository for InMemorySessions {
    async fn create(
        &self,
        session: &AnalyticsSession,
        recorded_at: DateTime<Utc>,
    ) -> Result<Recorded, StoreError> {
        Ok(self.keep(session, recorded_at))
    }

    async fn create_batch(
        &self,
        sessions: &[AnalyticsSession],
        recorded_at: DateTime<Utc>,
    ) -> Result<Vec<Recorded>, StoreError> {
        Ok(sessions.iter().map(|session| self.keep(session, recorded_at)).collect())
    }

    async fn get(&self, id: SessionId) -> Result<Option<Versioned<AnalyticsSession>>, StoreError> {
        Ok(self.shards.of(id.as_u128()).rows.get(&id).map(Row::versioned))
    }

    async fn swap(&self, expected: Version, session: &AnalyticsSession) -> Result<Version, StoreError> {
        let mut shard = self.shards.of(session.id().as_u128());
        match shard.rows.get(&session.id()) {
            Some(row) if row.version == expected => {}
            Some(_) | None => return Err(StoreError::Conflict { entity: Entity::Session }),
        }
        let old = self.remove(&mut shard, session.id()).expect("the row was seen under this lock");
        Ok(self.replace(&mut shard, &old, session.clone()).version)
    }

    async fn find_recent_by_fingerprint(
        &self,
        fingerprint: FingerprintHash,
        since: DateTime<Utc>,
    ) -> Result<Option<Versioned<AnalyticsSession>>, StoreError> {
        let greatest = SessionId::from_u128(u128::MAX);
        // Strictly after `since` is past its greatest id; a `since` past the calendar's end leaves nothing.
        let (after, last) =
            ((fingerprint, since, greatest), (fingerprint, DateTime::<Utc>::MAX_UTC, greatest));
        if after >= last {
            return Ok(None);
        }
        loop {
            let newest = {
                let open = self.by_fingerprint.of(fingerprint.as_u128());
                open.range((Excluded(after), Included(last))).next_back().copied()
            };
            let Some((_, activity, id)) = newest else { return Ok(None) };
            let shard = self.shards.of(id.as_u128());
            // Between the two locks the session may have moved; then somebody else got on, and the search begins again.
            if let Some(row) = shard.rows.get(&id) {
                let record = row.session.record();
                let same = (record.fingerprint, record.last_activity_at) == (fingerprint, activity);
                if same && row.session.is_open() {
                    return Ok(Some(row.versioned()));
                }
            }
        }
    }

    async fn end(
        &self,
        id: SessionId,
        reason: EndReason,
    ) -> Result<Option<Versioned<AnalyticsSession>>, StoreError> {
        let mut shard = self.shards.of(id.as_u128());
        let Some(row) = shard.rows.get(&id) else { return Ok(None) };
        let Ok(ended) = (*row.session).clone().end(reason) else { return Ok(Some(row.versioned())) };
        let old = self.remove(&mut shard, id).expect("the row was seen under this lock");
        Ok(Some(self.replace(&mut shard, &old, ended)))
    }

    async fn list_open_idle(
        &self,
        idle_since: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<Vec<Versioned<AnalyticsSession>>, StoreError> {
        let idle = self.shards.first(limit.as_usize(), |shard| {
            let keys = shard.idle(idle_since, limit);
            let rows = keys.into_iter().map(|key| (key, &shard.rows[&key.1]));
            rows.map(|(key, row)| (key, (row.version, Arc::clone(&row.session)))).collect()
        });
        let sessions = idle.into_iter().map(|(_, (version, session))| (version, (*session).clone()));
        Ok(sessions.map(|(version, value)| Versioned { version, value }).collect())
    }

    async fn end_expired(
        &self,
        idle_since: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<Vec<EndedSession>, StoreError> {
        let idle = self.shards.first(limit.as_usize(), |shard| {
            shard.idle(idle_since, limit).into_iter().map(|key| (key, ())).collect()
        });
        let mut ended = Vec::with_capacity(idle.len());
        for ((activity, id), ()) in idle {
            let mut shard = self.shards.of(id.as_u128());
            // A session that was active or ended since it was listed is not idle at this activity any more.
            if shard.open.contains(&(activity, id)) {
                let old = self.remove(&mut shard, id).expect("an open session has a row");
                let session =
                    (*old.session).clone().end(EndReason::Inactive).expect("an open session can end");
                self.replace(&mut shard, &old, session);
                ended.push(EndedSession { id, ended_at: activity });
            }
        }
        Ok(ended)
    }

    async fn delete_recorded_before(
        &self,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError> {
        let oldest = self.shards.first(limit.as_usize(), |shard| {
            let old = shard.ended.iter().take_while(|(recorded_at, _)| *recorded_at < before);
            old.take(limit.as_usize()).map(|&key| (key, ())).collect()
        });
        let mut deleted = 0;
        for ((recorded_at, id), ()) in oldest {
            let mut shard = self.shards.of(id.as_u128());
            if shard.ended.contains(&(recorded_at, id)) {
                self.remove(&mut shard, id);
                deleted += 1;
            }
        }
        Ok(deleted)
    }

    async fn list(
        &self,
        filter: &SessionFilter,
        page: PageRequest<SessionCursor>,
    ) -> Result<Page<AnalyticsSession, SessionCursor>, StoreError> {
        // One more than the limit tells whether the list goes on.
        let wanted = page.limit.as_usize() + 1;
        let after = page.after.map_or(Unbounded, |cursor| Excluded(Reverse((cursor.started_at, cursor.id))));
        let rows = self.shards.first(wanted, |shard| {
            let keys = shard.by_start.range((after, Unbounded));
            let sessions = keys.map(|key| (*key, &shard.rows[&key.0.1].session));
            let listed = sessions.filter(|(_, session)| filter.lets_through(session));
            listed.take(wanted).map(|(key, session)| (key, Arc::clone(session))).collect()
        });
        let sessions = rows.into_iter().map(|(_, session)| (*session).clone()).collect();
        Ok(Page::of(sessions, page.limit, SessionCursor::of))
    }
}

/// The sessions of some ids. Every row is in `rows` and `by_start`, and in `open` or `ended`.
#[derive(Debug, Default)]
struct Shard {
    /// Its order is never seen.
    rows: HashMap<SessionId, Row>,
    open: BTreeSet<(DateTime<Utc>, SessionId)>,
    ended: BTreeSet<(DateTime<Utc>, SessionId)>,
    by_start: BTreeSet<Reverse<(DateTime<Utc>, SessionId)>>,
    evicted: Evicted,
}

#[derive(Debug)]
struct Row {
    version: Version,
    /// Shared with lists that are being made, so that these copy only what they answer.
    session: Arc<AnalyticsSession>,
    recorded_at: DateTime<Utc>,
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
    fn idle(&self, idle_since: DateTime<Utc>, limit: BatchLimit) -> Vec<(DateTime<Utc>, SessionId)> {
        let idle = self.open.iter().take_while(|(activity, _)| *activity <= idle_since);
        idle.take(limit.as_usize()).copied().collect()
    }
}

impl Row {
    fn versioned(&self) -> Versioned<AnalyticsSession> {
        Versioned { version: self.version, value: (*self.session).clone() }
    }
}
