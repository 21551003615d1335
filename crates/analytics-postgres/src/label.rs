//! Labels of sessions in PostgreSQL.

use analytics_domain::ids::SessionId;
use analytics_domain::label::{InvalidLabel, Label, LabelRecord, LabelSource};
use analytics_domain::session::{Points, Text};
use analytics_ports::{
    BatchLimit, Entity, LabelCursor, LabelRepository, Page, PageRequest, Recorded, StoreError,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::database::Database;
use crate::read::Row;
use crate::stamp::{Stamp, bound};

/// Labels of sessions in PostgreSQL, in the table `labels`.
#[derive(Debug, Clone)]
pub struct PostgresLabels {
    database: Database,
}

impl PostgresLabels {
    pub(crate) const fn new(database: Database) -> Self {
        Self { database }
    }
}

/// A checked query that answers whole labels; what stands around the columns is given.
macro_rules! labels {
    ($head:tt, $tail:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            LabelRow,
            $head
                + " session_id, source, class, confidence_hundredths, at AS \"at: Stamp\", author "
                + $tail
            $(, $argument)*
        )
    };
}

#[async_trait]
impl LabelRepository for PostgresLabels {
    async fn put(&self, label: &Label) -> Result<Recorded, StoreError> {
        let record = label.record();
        // What supersedes is the rule of `Label::supersedes` for one session and source, in the step that keeps it:
        // the newer, then the more confident, then human before bot, then the author that stands first.
        let put = self.database.run(
            sqlx::query!(
                "INSERT INTO labels (session_id, source, class, confidence_hundredths, at, author)
                 VALUES ($1, $2, $3, $4, $5, $6)
                 ON CONFLICT (session_id, source) DO UPDATE
                 SET class = $3, confidence_hundredths = $4, at = $5, author = $6
                 WHERE (excluded.at, excluded.confidence_hundredths) > (labels.at, labels.confidence_hundredths)
                    OR (excluded.at, excluded.confidence_hundredths) = (labels.at, labels.confidence_hundredths)
                       AND (excluded.class > labels.class
                            OR excluded.class = labels.class AND excluded.author IS NOT NULL
                               AND (labels.author IS NULL OR excluded.author < labels.author))",
                Uuid::from_u128(record.session.as_u128()),
                record.source.as_str(),
                record.class.as_str(),
                record.confidence.hundredths() as i16,
                bound(record.at),
                record.author.as_ref().map(Text::as_str),
            )
            .execute(self.database.pool()),
        );
        Ok(if put.await?.rows_affected() == 1 { Recorded::New } else { Recorded::Known })
    }

    async fn by_session(&self, session: SessionId) -> Result<Vec<Label>, StoreError> {
        let rows = labels!(
            "SELECT",
            "FROM labels WHERE session_id = $1 ORDER BY strength",
            Uuid::from_u128(session.as_u128()),
        );
        let rows = self.database.run(rows.fetch_all(self.database.pool())).await?;
        rows.into_iter().map(LabelRow::read).collect()
    }

    async fn list(&self, page: PageRequest<LabelCursor>) -> Result<Page<Label, LabelCursor>, StoreError> {
        let listed = labels!(
            "SELECT",
            "FROM labels WHERE $1::uuid IS NULL OR (session_id, strength) > ($1, $2)
             ORDER BY session_id, strength LIMIT $3",
            page.after.map(|after| Uuid::from_u128(after.session.as_u128())),
            page.after.map(|after| strength(after.source)),
            // One more than the limit tells whether the list goes on.
            i64::from(page.limit.get()) + 1,
        );
        let rows = self.database.run(listed.fetch_all(self.database.pool())).await?;
        let rows = Page::of(rows, page.limit, LabelRow::cursor);
        Ok(Page { items: self.database.readable(rows.items, LabelRow::read), next: rows.next })
    }

    async fn remove(&self, session: SessionId, source: LabelSource) -> Result<Option<Label>, StoreError> {
        let removed = labels!(
            "DELETE FROM labels WHERE session_id = $1 AND source = $2 RETURNING",
            "",
            Uuid::from_u128(session.as_u128()),
            source.as_str(),
        );
        let row = self.database.run(removed.fetch_optional(self.database.pool())).await?;
        row.map(LabelRow::read).transpose()
    }

    async fn delete_given_before(&self, before: DateTime<Utc>, limit: BatchLimit) -> Result<u32, StoreError> {
        let deleted = self.database.run(
            sqlx::query!(
                "DELETE FROM labels WHERE (session_id, source) IN (
                    SELECT session_id, source FROM labels WHERE at < $1
                    ORDER BY at, session_id, strength LIMIT $2 FOR UPDATE
                )",
                bound(before),
                i64::from(limit.get()),
            )
            .execute(self.database.pool()),
        );
        Ok(deleted.await?.rows_affected() as u32)
    }
}

/// The labels of these sessions that can be read, of each the strongest source first.
pub(crate) async fn of_sessions(
    database: &Database,
    sessions: &[SessionId],
) -> Result<Vec<Label>, StoreError> {
    let ids: Vec<Uuid> = sessions.iter().map(|session| Uuid::from_u128(session.as_u128())).collect();
    let rows =
        labels!("SELECT", "FROM labels WHERE session_id = ANY ($1) ORDER BY session_id, strength", &ids);
    let rows = database.run(rows.fetch_all(database.pool())).await?;
    Ok(database.readable(rows, LabelRow::read))
}

/// A row of `labels`.
struct LabelRow {
    session_id: Uuid,
    source: String,
    class: String,
    confidence_hundredths: i16,
    at: Stamp,
    author: Option<String>,
}

impl LabelRow {
    /// The place of the row in a list. The table refuses a source that is none.
    fn cursor(&self) -> LabelCursor {
        let session = SessionId::from_u128(self.session_id.as_u128());
        LabelCursor { session, source: self.source.parse().unwrap_or(LabelSource::Heuristic) }
    }

    fn read(self) -> Result<Label, StoreError> {
        let session = SessionId::from_u128(self.session_id.as_u128());
        let row = Row { entity: Entity::Label, table: "labels", key: session };
        let confidence = row.number("confidence_hundredths", i64::from(self.confidence_hundredths))?;
        let record = LabelRecord {
            session,
            source: row.name("source", &self.source)?,
            class: row.name("class", &self.class)?,
            confidence: row.ok("confidence_hundredths", Points::from_hundredths(confidence))?,
            at: row.time("at", self.at)?,
            author: row.text("author", self.author)?,
        };
        record.try_into().map_err(|error: InvalidLabel| {
            let column = match error {
                InvalidLabel::NotWholeMicroseconds => "at",
                InvalidLabel::EmptyAuthor => "author",
            };
            row.corrupt(column, error)
        })
    }
}

/// The place of a source in the order of strength, from 1, as the table counts it.
fn strength(source: LabelSource) -> i16 {
    let place = LabelSource::ALL.iter().position(|one| *one == source);
    place.expect("every source is among all") as i16 + 1
}
