//! The audit in PostgreSQL.

use analytics_domain::audit::{AuditEntry, AuditRecord, AuditSubject, InvalidAuditEntry};
use analytics_domain::ids::EventId;
use analytics_domain::session::Text;
use analytics_ports::{
    AuditRepository, BatchLimit, Entity, EventCursor, Page, PageRequest, Recorded, StoreError,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::database::Database;
use crate::read::Row;
use crate::stamp::{Stamp, bound};
use crate::write;

/// The audit in PostgreSQL, in the table `audit`.
#[derive(Debug, Clone)]
pub struct PostgresAudit {
    database: Database,
}

impl PostgresAudit {
    pub(crate) const fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl AuditRepository for PostgresAudit {
    async fn record(&self, entry: &AuditEntry) -> Result<Recorded, StoreError> {
        let record = entry.record();
        let (kind, id) = columns(record.subject);
        let kept = self.database.run(
            sqlx::query!(
                "INSERT INTO audit (audit_id, at, actor, action, subject_kind, subject_id, reason, details)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::json) ON CONFLICT (audit_id) DO NOTHING",
                Uuid::from_u128(record.id.as_u128()),
                bound(record.at),
                record.actor.as_str(),
                record.action.as_str(),
                kind,
                id,
                record.reason.as_ref().map(Text::as_str),
                write::json(&record.details),
            )
            .execute(self.database.pool()),
        );
        Ok(if kept.await?.rows_affected() == 1 { Recorded::New } else { Recorded::Known })
    }

    async fn list(
        &self,
        subject: Option<AuditSubject>,
        page: PageRequest<EventCursor>,
    ) -> Result<Page<AuditEntry, EventCursor>, StoreError> {
        let subject = subject.map(columns);
        let listed = sqlx::query_as!(
            AuditRow,
            r#"SELECT audit_id, at AS "at: Stamp", actor, action, subject_kind, subject_id, reason,
                   details::text AS "details!"
               FROM audit
               WHERE ($1::text IS NULL OR subject_kind = $1) AND ($2::text IS NULL OR subject_id = $2)
                 AND ($3::timestamptz IS NULL OR (at, audit_id) < ($3, $4))
               ORDER BY at DESC, audit_id DESC LIMIT $5"#,
            subject.as_ref().map(|(kind, _)| *kind),
            subject.as_ref().map(|(_, id)| id.as_str()),
            page.after.map(|after| bound(after.at)),
            page.after.map(|after| Uuid::from_u128(after.id.as_u128())),
            // One more than the limit tells whether the list goes on.
            i64::from(page.limit.get()) + 1,
        );
        let rows = self.database.run(listed.fetch_all(self.database.pool())).await?;
        let rows = Page::of(rows, page.limit, AuditRow::cursor);
        Ok(Page { items: self.database.readable(rows.items, AuditRow::read), next: rows.next })
    }

    async fn delete_before(&self, before: DateTime<Utc>, limit: BatchLimit) -> Result<u32, StoreError> {
        let deleted = self.database.run(
            sqlx::query!(
                "DELETE FROM audit WHERE audit_id = ANY (ARRAY(
                    SELECT audit_id FROM audit WHERE at < $1 ORDER BY at, audit_id LIMIT $2 FOR UPDATE
                ))",
                bound(before),
                i64::from(limit.get()),
            )
            .execute(self.database.pool()),
        );
        Ok(deleted.await?.rows_affected() as u32)
    }
}

/// A row of `audit`.
struct AuditRow {
    audit_id: Uuid,
    at: Stamp,
    actor: String,
    action: String,
    subject_kind: String,
    subject_id: String,
    reason: Option<String>,
    details: String,
}

impl AuditRow {
    /// The place of the row in a list, whatever else is wrong with it.
    fn cursor(&self) -> EventCursor {
        EventCursor { at: self.at.nearest(), id: EventId::from_u128(self.audit_id.as_u128()) }
    }

    fn read(self) -> Result<AuditEntry, StoreError> {
        let id = EventId::from_u128(self.audit_id.as_u128());
        let row = Row { entity: Entity::AuditEntry, table: "audit", key: id };
        let subject_id = self.subject_id.as_str();
        let record = AuditRecord {
            id,
            at: row.time("at", self.at)?,
            actor: row.ok("actor", Text::new(self.actor))?,
            action: row.name("action", &self.action)?,
            subject: match self.subject_kind.as_str() {
                "session" => AuditSubject::Session(row.ok("subject_id", subject_id.parse())?),
                "fingerprint" => AuditSubject::Fingerprint(row.ok("subject_id", subject_id.parse())?),
                "ban" => AuditSubject::Ban(row.ok("subject_id", subject_id.parse())?),
                "network" => AuditSubject::Network(row.ok("subject_id", subject_id.parse())?),
                "visitor" => AuditSubject::Visitor(row.ok("subject_id", subject_id.parse())?),
                "anomaly" => AuditSubject::Anomaly(row.ok("subject_id", subject_id.parse())?),
                "thresholds" => AuditSubject::Thresholds,
                _ => return Err(row.corrupt("subject_kind", "there is no such subject")),
            },
            reason: row.text("reason", self.reason)?,
            details: row.json("details", &self.details)?,
        };
        record.try_into().map_err(|error: InvalidAuditEntry| {
            let column = match error {
                InvalidAuditEntry::NotWholeMicroseconds | InvalidAuditEntry::IdOfAnotherTime => "at",
                InvalidAuditEntry::NoActor => "actor",
            };
            row.corrupt(column, error)
        })
    }
}

/// The subject in its two columns.
fn columns(subject: AuditSubject) -> (&'static str, String) {
    match subject {
        AuditSubject::Session(id) => ("session", id.to_string()),
        AuditSubject::Fingerprint(hash) => ("fingerprint", hash.to_string()),
        AuditSubject::Ban(id) => ("ban", id.to_string()),
        AuditSubject::Network(network) => ("network", network.to_string()),
        AuditSubject::Visitor(id) => ("visitor", id.to_string()),
        AuditSubject::Anomaly(id) => ("anomaly", id.to_string()),
        AuditSubject::Thresholds => ("thresholds", String::new()),
    }
}
