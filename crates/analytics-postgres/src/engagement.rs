//! Engagement in PostgreSQL.

use std::collections::BTreeSet;

use analytics_domain::engagement::{
    EngagementEvent, EngagementFigures, EngagementRecord, EngagementSummary, ImplausibleSet,
    InvalidEngagement, ReadingPattern,
};
use analytics_domain::ids::{EventId, SessionId};
use analytics_domain::session::Text;
use analytics_ports::{
    BatchLimit, EngagementRepository, Entity, EventCursor, Page, PageRequest, Recorded, StoreError,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::database::Database;
use crate::partition::Partitions;
use crate::read::Row;
use crate::stamp::{Stamp, bound};

/// Engagement in PostgreSQL, in the table `engagement_events` with a partition for each month.
///
/// A batch is one statement, so that it is kept whole or not at all.
#[derive(Debug, Clone)]
pub struct PostgresEngagement {
    database: Database,
    partitions: Partitions,
}

impl PostgresEngagement {
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
            "INSERT INTO engagement_events (
                engagement_event_id, session_id, at, page_url, bound, time_on_page_ms,
                time_to_first_interaction_ms, time_to_first_scroll_ms, max_scroll_depth, scroll_velocity_avg,
                scroll_direction_changes, click_count, mouse_move_distance_px, mouse_path_entropy,
                keyboard_events, copy_events, focus_time_ms, blur_count, tab_switches, visible_time_ms,
                hidden_time_ms, is_rage_click, is_dead_click, reading_pattern, implausible, recorded_at
            )
            SELECT
                engagement_event_id, session_id, at, page_url, bound, time_on_page_ms,
                time_to_first_interaction_ms, time_to_first_scroll_ms, max_scroll_depth, scroll_velocity_avg,
                scroll_direction_changes, click_count, mouse_move_distance_px, mouse_path_entropy,
                keyboard_events, copy_events, focus_time_ms, blur_count, tab_switches, visible_time_ms,
                hidden_time_ms, is_rage_click, is_dead_click, reading_pattern, implausible, $26
            FROM unnest(
                  $1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::boolean[], $6::integer[],
                  $7::integer[], $8::integer[], $9::smallint[], $10::double precision[], $11::integer[],
                  $12::integer[], $13::integer[], $14::double precision[], $15::integer[], $16::integer[],
                  $17::integer[], $18::integer[], $19::integer[], $20::integer[], $21::integer[], $22::boolean[],
                  $23::boolean[], $24::text[], $25::integer[]
                ) WITH ORDINALITY AS event (
                  engagement_event_id, session_id, at, page_url, bound, time_on_page_ms,
                  time_to_first_interaction_ms, time_to_first_scroll_ms, max_scroll_depth, scroll_velocity_avg,
                  scroll_direction_changes, click_count, mouse_move_distance_px, mouse_path_entropy,
                  keyboard_events, copy_events, focus_time_ms, blur_count, tab_switches, visible_time_ms,
                  hidden_time_ms, is_rage_click, is_dead_click, reading_pattern, implausible, place
                )
            ORDER BY engagement_event_id, place
            ON CONFLICT (engagement_event_id) DO NOTHING
            RETURNING engagement_event_id",
            &columns.engagement_event_id,
            &columns.session_id,
            &columns.at,
            &columns.page_url as &[&str],
            &columns.bound,
            &columns.time_on_page_ms as &[Option<i32>],
            &columns.time_to_first_interaction_ms as &[Option<i32>],
            &columns.time_to_first_scroll_ms as &[Option<i32>],
            &columns.max_scroll_depth as &[Option<i16>],
            &columns.scroll_velocity_avg as &[Option<f64>],
            &columns.scroll_direction_changes as &[Option<i32>],
            &columns.click_count as &[Option<i32>],
            &columns.mouse_move_distance_px as &[Option<i32>],
            &columns.mouse_path_entropy as &[Option<f64>],
            &columns.keyboard_events as &[Option<i32>],
            &columns.copy_events as &[Option<i32>],
            &columns.focus_time_ms as &[Option<i32>],
            &columns.blur_count as &[Option<i32>],
            &columns.tab_switches as &[Option<i32>],
            &columns.visible_time_ms as &[Option<i32>],
            &columns.hidden_time_ms as &[Option<i32>],
            &columns.is_rage_click as &[Option<bool>],
            &columns.is_dead_click as &[Option<bool>],
            &columns.reading_pattern as &[Option<&str>],
            &columns.implausible,
            bound(recorded_at),
        )
        .fetch_all(self.database.pool())
        .await
    }
}

#[async_trait]
impl EngagementRepository for PostgresEngagement {
    async fn create(
        &self,
        event: &EngagementEvent,
        recorded_at: DateTime<Utc>,
    ) -> Result<Recorded, StoreError> {
        let recorded = self.create_batch(std::slice::from_ref(event), recorded_at).await?;
        Ok(recorded.first().copied().unwrap_or(Recorded::Known))
    }

    async fn create_batch(
        &self,
        events: &[EngagementEvent],
        recorded_at: DateTime<Utc>,
    ) -> Result<Vec<Recorded>, StoreError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let columns = Columns::of(events);
        let times = events.iter().map(EngagementEvent::at);
        let inserted =
            self.partitions.write(&self.database, times, || self.insert(&columns, recorded_at)).await?;
        let mut new: BTreeSet<Uuid> = inserted.into_iter().collect();
        let recorded = |id| if new.remove(id) { Recorded::New } else { Recorded::Known };
        Ok(columns.engagement_event_id.iter().map(recorded).collect())
    }

    async fn list_by_session(
        &self,
        session: SessionId,
        page: PageRequest<EventCursor>,
    ) -> Result<Page<EngagementEvent, EventCursor>, StoreError> {
        let listed = sqlx::query_as!(
            EngagementRow,
            r#"SELECT engagement_event_id, session_id, at AS "at: Stamp", page_url, bound, time_on_page_ms,
                  time_to_first_interaction_ms, time_to_first_scroll_ms, max_scroll_depth, scroll_velocity_avg,
                  scroll_direction_changes, click_count, mouse_move_distance_px, mouse_path_entropy,
                  keyboard_events, copy_events, focus_time_ms, blur_count, tab_switches, visible_time_ms,
                  hidden_time_ms, is_rage_click, is_dead_click, reading_pattern, implausible
               FROM engagement_events
               WHERE session_id = $1 AND ($2::timestamptz IS NULL OR (at, engagement_event_id) > ($2, $3))
               ORDER BY at, engagement_event_id LIMIT $4"#,
            Uuid::from_u128(session.as_u128()),
            page.after.map(|after| bound(after.at)),
            page.after.map(|after| Uuid::from_u128(after.id.as_u128())),
            // One more than the limit tells whether the list goes on.
            i64::from(page.limit.get()) + 1,
        );
        let rows = self.database.run(listed.fetch_all(self.database.pool())).await?;
        let rows = Page::of(rows, page.limit, EngagementRow::cursor);
        Ok(Page { items: self.database.readable(rows.items, EngagementRow::read), next: rows.next })
    }

    async fn summary(&self, session: SessionId) -> Result<Option<EngagementSummary>, StoreError> {
        // Credible is what is bound and has no impossible claim; an interaction is a click, a key or a copy.
        let sums = sqlx::query!(
            r#"SELECT count(*) AS "events!", count(DISTINCT page_url) AS "pages!",
                   coalesce(sum(time_on_page_ms), 0)::bigint AS "time_on_page_ms!",
                   count(time_on_page_ms) AS "timed_events!",
                   coalesce(sum(visible_time_ms), 0)::bigint AS "visible_ms!",
                   coalesce(sum(max_scroll_depth), 0)::bigint AS "depth_sum!",
                   count(max_scroll_depth) AS "depth_events!", max(max_scroll_depth) AS max_depth,
                   coalesce(sum(click_count), 0)::bigint AS "clicks!",
                   count(DISTINCT page_url) FILTER (WHERE is_rage_click) AS "rage_click_pages!",
                   count(DISTINCT page_url) FILTER (WHERE is_dead_click) AS "dead_click_pages!",
                   count(*) FILTER (WHERE implausible <> 0) AS "implausible_events!",
                   coalesce(sum(visible_time_ms) FILTER (WHERE bound AND implausible = 0), 0)::bigint
                       AS "credible_visible_ms!",
                   count(*) FILTER (
                       WHERE bound AND implausible = 0
                         AND (click_count > 0 OR keyboard_events > 0 OR copy_events > 0)
                   ) AS "credible_interactions!",
                   min(at) AS "first_at: Stamp", max(at) AS "last_at: Stamp"
               FROM engagement_events WHERE session_id = $1"#,
            Uuid::from_u128(session.as_u128()),
        );
        let sums = self.database.run(sums.fetch_one(self.database.pool())).await?;
        let (Some(first_at), Some(last_at)) = (sums.first_at, sums.last_at) else { return Ok(None) };
        let row = Row { entity: Entity::Engagement, table: "engagement_events", key: session };
        Ok(Some(EngagementSummary {
            session,
            events: row.number("engagement_event_id", sums.events)?,
            pages: row.number("page_url", sums.pages)?,
            time_on_page_ms: row.number("time_on_page_ms", sums.time_on_page_ms)?,
            timed_events: row.number("time_on_page_ms", sums.timed_events)?,
            visible_ms: row.number("visible_time_ms", sums.visible_ms)?,
            depth_sum: row.number("max_scroll_depth", sums.depth_sum)?,
            depth_events: row.number("max_scroll_depth", sums.depth_events)?,
            max_depth: sums
                .max_depth
                .map(|most| row.number("max_scroll_depth", i64::from(most)))
                .transpose()?,
            clicks: row.number("click_count", sums.clicks)?,
            rage_click_pages: row.number("is_rage_click", sums.rage_click_pages)?,
            dead_click_pages: row.number("is_dead_click", sums.dead_click_pages)?,
            implausible_events: row.number("implausible", sums.implausible_events)?,
            credible_visible_ms: row.number("visible_time_ms", sums.credible_visible_ms)?,
            credible_interactions: row.number("click_count", sums.credible_interactions)?,
            first_at: row.time("at", first_at)?,
            last_at: row.time("at", last_at)?,
        }))
    }

    async fn delete_recorded_before(
        &self,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError> {
        let deleted = self.database.run(
            sqlx::query!(
                "DELETE FROM engagement_events WHERE engagement_event_id = ANY (ARRAY(
                    SELECT engagement_event_id FROM engagement_events WHERE recorded_at < $1
                    ORDER BY recorded_at, engagement_event_id LIMIT $2 FOR UPDATE
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
    engagement_event_id: Vec<Uuid>,
    session_id: Vec<Uuid>,
    at: Vec<DateTime<Utc>>,
    page_url: Vec<&'a str>,
    bound: Vec<bool>,
    time_on_page_ms: Vec<Option<i32>>,
    time_to_first_interaction_ms: Vec<Option<i32>>,
    time_to_first_scroll_ms: Vec<Option<i32>>,
    max_scroll_depth: Vec<Option<i16>>,
    scroll_velocity_avg: Vec<Option<f64>>,
    scroll_direction_changes: Vec<Option<i32>>,
    click_count: Vec<Option<i32>>,
    mouse_move_distance_px: Vec<Option<i32>>,
    mouse_path_entropy: Vec<Option<f64>>,
    keyboard_events: Vec<Option<i32>>,
    copy_events: Vec<Option<i32>>,
    focus_time_ms: Vec<Option<i32>>,
    blur_count: Vec<Option<i32>>,
    tab_switches: Vec<Option<i32>>,
    visible_time_ms: Vec<Option<i32>>,
    hidden_time_ms: Vec<Option<i32>>,
    is_rage_click: Vec<Option<bool>>,
    is_dead_click: Vec<Option<bool>>,
    reading_pattern: Vec<Option<&'a str>>,
    implausible: Vec<i32>,
}

impl<'a> Columns<'a> {
    fn of(events: &'a [EngagementEvent]) -> Self {
        let rows = || events.iter().map(EngagementEvent::record);
        let whole =
            |number: u32| i32::try_from(number).expect("the numbers of an event are at most 2^31 - 1");
        Self {
            engagement_event_id: rows().map(|r| Uuid::from_u128(r.id.as_u128())).collect(),
            session_id: rows().map(|r| Uuid::from_u128(r.session.as_u128())).collect(),
            at: rows().map(|r| r.at).collect(),
            page_url: rows().map(|r| r.page_url.as_str()).collect(),
            bound: rows().map(|r| r.bound).collect(),
            time_on_page_ms: rows().map(|r| r.figures.time_on_page_ms.map(whole)).collect(),
            time_to_first_interaction_ms: rows()
                .map(|r| r.figures.time_to_first_interaction_ms.map(whole))
                .collect(),
            time_to_first_scroll_ms: rows().map(|r| r.figures.time_to_first_scroll_ms.map(whole)).collect(),
            max_scroll_depth: rows().map(|r| r.figures.max_scroll_depth.map(i16::from)).collect(),
            scroll_velocity_avg: rows().map(|r| r.figures.scroll_velocity_avg).collect(),
            scroll_direction_changes: rows().map(|r| r.figures.scroll_direction_changes.map(whole)).collect(),
            click_count: rows().map(|r| r.figures.click_count.map(whole)).collect(),
            mouse_move_distance_px: rows().map(|r| r.figures.mouse_move_distance_px.map(whole)).collect(),
            mouse_path_entropy: rows().map(|r| r.figures.mouse_path_entropy).collect(),
            keyboard_events: rows().map(|r| r.figures.keyboard_events.map(whole)).collect(),
            copy_events: rows().map(|r| r.figures.copy_events.map(whole)).collect(),
            focus_time_ms: rows().map(|r| r.figures.focus_time_ms.map(whole)).collect(),
            blur_count: rows().map(|r| r.figures.blur_count.map(whole)).collect(),
            tab_switches: rows().map(|r| r.figures.tab_switches.map(whole)).collect(),
            visible_time_ms: rows().map(|r| r.figures.visible_time_ms.map(whole)).collect(),
            hidden_time_ms: rows().map(|r| r.figures.hidden_time_ms.map(whole)).collect(),
            is_rage_click: rows().map(|r| r.figures.is_rage_click).collect(),
            is_dead_click: rows().map(|r| r.figures.is_dead_click).collect(),
            reading_pattern: rows().map(|r| r.reading_pattern.map(ReadingPattern::as_str)).collect(),
            implausible: rows().map(|r| i32::from(r.implausible.bits())).collect(),
        }
    }
}

/// A row of `engagement_events`.
struct EngagementRow {
    engagement_event_id: Uuid,
    session_id: Uuid,
    at: Stamp,
    page_url: String,
    bound: bool,
    time_on_page_ms: Option<i32>,
    time_to_first_interaction_ms: Option<i32>,
    time_to_first_scroll_ms: Option<i32>,
    max_scroll_depth: Option<i16>,
    scroll_velocity_avg: Option<f64>,
    scroll_direction_changes: Option<i32>,
    click_count: Option<i32>,
    mouse_move_distance_px: Option<i32>,
    mouse_path_entropy: Option<f64>,
    keyboard_events: Option<i32>,
    copy_events: Option<i32>,
    focus_time_ms: Option<i32>,
    blur_count: Option<i32>,
    tab_switches: Option<i32>,
    visible_time_ms: Option<i32>,
    hidden_time_ms: Option<i32>,
    is_rage_click: Option<bool>,
    is_dead_click: Option<bool>,
    reading_pattern: Option<String>,
    implausible: i32,
}

impl EngagementRow {
    /// The place of the row in a list, whatever else is wrong with it.
    fn cursor(&self) -> EventCursor {
        EventCursor { at: self.at.nearest(), id: EventId::from_u128(self.engagement_event_id.as_u128()) }
    }

    fn read(self) -> Result<EngagementEvent, StoreError> {
        let id = EventId::from_u128(self.engagement_event_id.as_u128());
        let row = Row { entity: Entity::Engagement, table: "engagement_events", key: id };
        let whole = |column, number: Option<i64>| number.map(|n| row.number(column, n)).transpose();
        let bits = row.number("implausible", i64::from(self.implausible))?;
        let record = EngagementRecord {
            id,
            session: SessionId::from_u128(self.session_id.as_u128()),
            at: row.time("at", self.at)?,
            page_url: row.ok("page_url", Text::new(self.page_url))?,
            bound: self.bound,
            figures: EngagementFigures {
                time_on_page_ms: whole("time_on_page_ms", self.time_on_page_ms.map(i64::from))?,
                time_to_first_interaction_ms: whole(
                    "time_to_first_interaction_ms",
                    self.time_to_first_interaction_ms.map(i64::from),
                )?,
                time_to_first_scroll_ms: whole(
                    "time_to_first_scroll_ms",
                    self.time_to_first_scroll_ms.map(i64::from),
                )?,
                max_scroll_depth: self
                    .max_scroll_depth
                    .map(|depth| row.number("max_scroll_depth", i64::from(depth)))
                    .transpose()?,
                scroll_velocity_avg: self.scroll_velocity_avg,
                scroll_direction_changes: whole(
                    "scroll_direction_changes",
                    self.scroll_direction_changes.map(i64::from),
                )?,
                click_count: whole("click_count", self.click_count.map(i64::from))?,
                mouse_move_distance_px: whole(
                    "mouse_move_distance_px",
                    self.mouse_move_distance_px.map(i64::from),
                )?,
                mouse_path_entropy: self.mouse_path_entropy,
                keyboard_events: whole("keyboard_events", self.keyboard_events.map(i64::from))?,
                copy_events: whole("copy_events", self.copy_events.map(i64::from))?,
                focus_time_ms: whole("focus_time_ms", self.focus_time_ms.map(i64::from))?,
                blur_count: whole("blur_count", self.blur_count.map(i64::from))?,
                tab_switches: whole("tab_switches", self.tab_switches.map(i64::from))?,
                visible_time_ms: whole("visible_time_ms", self.visible_time_ms.map(i64::from))?,
                hidden_time_ms: whole("hidden_time_ms", self.hidden_time_ms.map(i64::from))?,
                is_rage_click: self.is_rage_click,
                is_dead_click: self.is_dead_click,
            },
            reading_pattern: self
                .reading_pattern
                .map(|pattern| row.name("reading_pattern", &pattern))
                .transpose()?,
            implausible: row
                .ok("implausible", ImplausibleSet::from_bits(bits).ok_or("there is no such claim"))?,
        };
        record.try_into().map_err(|error: InvalidEngagement| {
            let column = match error {
                InvalidEngagement::NotWholeMicroseconds | InvalidEngagement::IdOfAnotherTime => "at",
                InvalidEngagement::NoPage => "page_url",
                InvalidEngagement::OutOfRange(column) => column,
            };
            row.corrupt(column, error)
        })
    }
}
