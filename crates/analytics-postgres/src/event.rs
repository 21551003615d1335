//! Events in PostgreSQL.

use std::collections::BTreeSet;

use analytics_domain::event::{AnalyticsEvent, EventName, EventProperties, InvalidEvent};
use analytics_domain::ids::{EventId, SessionId};
use analytics_ports::{
    BatchLimit, Entity, EventCursor, EventRepository, Page, PageRequest, Recorded, StoreError,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::database::Database;
use crate::partition::Partitions;
use crate::read::Row;
use crate::stamp::{Stamp, bound};
use crate::write;

/// Events in PostgreSQL, in the table `analytics_events` with a partition for each month.
///
/// A batch is one statement, so that it is kept whole or not at all.
#[derive(Debug, Clone)]
pub struct PostgresEvents {
    database: Database,
    partitions: Partitions,
}

impl PostgresEvents {
    pub(crate) const fn new(database: Database, partitions: Partitions) -> Self {
        Self { database, partitions }
    }

    async fn insert(
        &self,
        columns: &Columns<'_>,
        recorded_at: DateTime<Utc>,
    ) -> Result<Vec<Uuid>, sqlx::Error> {
        // In the order of the ids, so that two batches with the same ids cannot each wait for the other; of one id
        // twice in a batch the first counts.
        sqlx::query_scalar!(
            "INSERT INTO analytics_events (event_id, session_id, name, at, properties, recorded_at)
             SELECT event_id, session_id, name, at, properties::json, $6
             FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::text[])
                  WITH ORDINALITY AS event (event_id, session_id, name, at, properties, place)
             ORDER BY event_id, place
             ON CONFLICT (event_id) DO NOTHING
             RETURNING event_id",
            &columns.ids,
            &columns.sessions,
            &columns.names as &[&str],
            &columns.times,
            &columns.properties,
            bound(recorded_at),
        )
        .fetch_all(self.database.pool())
        .await
    }
}

#[async_trait]
impl EventRepository for PostgresEvents {
    async fn record(
        &self,
        events: &[AnalyticsEvent],
        recorded_at: DateTime<Utc>,
    ) -> Result<Vec<Recorded>, StoreError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let columns = Columns::of(events);
        let times = || events.iter().map(AnalyticsEvent::at);
        let inserted =
            self.partitions.write(&self.database, times(), || self.insert(&columns, recorded_at)).await?;
        let mut new: BTreeSet<Uuid> = inserted.into_iter().collect();
        Ok(columns
            .ids
            .iter()
            .map(|id| if new.remove(id) { Recorded::New } else { Recorded::Known })
            .collect())
    }

    async fn list_by_session(
        &self,
        session: SessionId,
        page: PageRequest<EventCursor>,
    ) -> Result<Page<AnalyticsEvent, EventCursor>, StoreError> {
        let listed = sqlx::query_as!(
            EventRow,
            r#"SELECT event_id, session_id, name, at AS "at: Stamp", properties::text AS "properties!"
               FROM analytics_events
               WHERE session_id = $1 AND ($2::timestamptz IS NULL OR (at, event_id) > ($2, $3))
               ORDER BY at, event_id LIMIT $4"#,
            Uuid::from_u128(session.as_u128()),
            page.after.map(|after| bound(after.at)),
            page.after.map(|after| Uuid::from_u128(after.id.as_u128())),
            // One more than the limit tells whether the list goes on.
            i64::from(page.limit.get()) + 1,
        );
        let rows = self.database.run(listed.fetch_all(self.database.pool())).await?;
        let rows = Page::of(rows, page.limit, EventRow::cursor);
        Ok(Page { items: self.database.readable(rows.items, EventRow::read), next: rows.next })
    }

    async fn delete_recorded_before(
        &self,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError> {
        let deleted = self.database.run(
            sqlx::query!(
                "DELETE FROM analytics_events WHERE event_id = ANY (ARRAY(
                    SELECT event_id FROM analytics_events WHERE recorded_at < $1
                    ORDER BY recorded_at, event_id LIMIT $2 FOR UPDATE
                ))",
                bound(before),
                i64::from(limit.get()),
            )
            .execute(self.database.pool()),
        );
        Ok(deleted.await?.rows_affected() as u32)
    }
}

/// A batch of events, column by column.
struct Columns<'a> {
    ids: Vec<Uuid>,
    sessions: Vec<Uuid>,
    names: Vec<&'a str>,
    times: Vec<DateTime<Utc>>,
    properties: Vec<String>,
}

impl<'a> Columns<'a> {
    fn of(events: &'a [AnalyticsEvent]) -> Self {
        Self {
            ids: events.iter().map(|event| Uuid::from_u128(event.id().as_u128())).collect(),
            sessions: events.iter().map(|event| Uuid::from_u128(event.session().as_u128())).collect(),
            names: events.iter().map(|event| event.name().as_str()).collect(),
            times: events.iter().map(AnalyticsEvent::at).collect(),
            properties: events.iter().map(|event| write::json(event.properties())).collect(),
        }
    }
}

/// A row of `analytics_events`.
struct EventRow {
    event_id: Uuid,
    session_id: Uuid,
    name: String,
    at: Stamp,
    properties: String,
}

impl EventRow {
    /// The place of the row in a list, whatever else is wrong with it.
    fn cursor(&self) -> EventCursor {
        EventCursor { at: self.at.nearest(), id: EventId::from_u128(self.event_id.as_u128()) }
    }

    fn read(self) -> Result<AnalyticsEvent, StoreError> {
        let id = EventId::from_u128(self.event_id.as_u128());
        let row = Row { entity: Entity::Event, table: "analytics_events", key: id };
        let session = SessionId::from_u128(self.session_id.as_u128());
        let name = row.ok("name", EventName::new(self.name))?;
        let properties: EventProperties = row.json("properties", &self.properties)?;
        let at = row.time("at", self.at)?;
        AnalyticsEvent::new(id, session, name, properties, at)
            .map_err(|error: InvalidEvent| row.corrupt("at", error))
    }
}
