//! Reputations of fingerprints in PostgreSQL.

use analytics_domain::ids::FingerprintHash;
use analytics_domain::reputation::{FingerprintReputation, FlagReason};
use analytics_ports::{
    BatchLimit, Entity, FingerprintRecord, FingerprintRepository, Page, PageRequest, StoreError, Version,
    Versioned,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::database::{Database, conflict};
use crate::read::{Row, kept};
use crate::stamp::{Stamp, bound};
use crate::write;

/// Reputations of fingerprints in PostgreSQL, in the table `fingerprint_reputation`.
#[derive(Debug, Clone)]
pub struct PostgresFingerprints {
    database: Database,
}

impl PostgresFingerprints {
    pub(crate) const fn new(database: Database) -> Self {
        Self { database }
    }

    /// Keeps a first record, unless there is one; how many rows were made.
    async fn insert(&self, record: &FingerprintRecord) -> Result<u64, StoreError> {
        let report = record.report();
        let made = self.database.run(
            sqlx::query!(
                "INSERT INTO fingerprint_reputation (
                    fingerprint_hash, version, state, score, flags, high_risk, recent_incidents, incidents,
                    requests_last_hour, sessions_last_day, first_seen, last_seen, banned_until, would_ban
                ) VALUES ($1, 1, $2::text::json, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
                ON CONFLICT (fingerprint_hash) DO NOTHING",
                uuid(report.hash),
                write::json(record.state()),
                report.score,
                &flags(report) as &[&str],
                record.is_high_risk(),
                i16::from(report.recent_incidents),
                i16::from(report.incidents),
                i64::from(report.requests_last_hour),
                i64::from(report.sessions_last_day),
                bound(report.first_seen),
                bound(report.last_seen),
                report.banned_until.map(bound),
                report.would_ban,
            )
            .execute(self.database.pool()),
        );
        Ok(made.await?.rows_affected())
    }

    /// Replaces the record of this version; how many rows were replaced.
    async fn update(&self, version: i64, record: &FingerprintRecord) -> Result<u64, StoreError> {
        let report = record.report();
        let replaced = self.database.run(
            sqlx::query!(
                "UPDATE fingerprint_reputation SET version = version + 1, state = $3::text::json, score = $4,
                    flags = $5, high_risk = $6, recent_incidents = $7, incidents = $8, requests_last_hour = $9,
                    sessions_last_day = $10, first_seen = $11, last_seen = $12, banned_until = $13, would_ban = $14
                WHERE fingerprint_hash = $1 AND version = $2",
                uuid(report.hash),
                version,
                write::json(record.state()),
                report.score,
                &flags(report) as &[&str],
                record.is_high_risk(),
                i16::from(report.recent_incidents),
                i16::from(report.incidents),
                i64::from(report.requests_last_hour),
                i64::from(report.sessions_last_day),
                bound(report.first_seen),
                bound(report.last_seen),
                report.banned_until.map(bound),
                report.would_ban,
            )
            .execute(self.database.pool()),
        );
        Ok(replaced.await?.rows_affected())
    }
}

/// A checked query that answers whole records; what follows the columns is given.
macro_rules! records {
    ($tail:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            RecordRow,
            "SELECT fingerprint_hash, version, state::text AS \"state!\", score, flags, high_risk,
                 recent_incidents, incidents, requests_last_hour, sessions_last_day,
                 first_seen AS \"first_seen: Stamp\", last_seen AS \"last_seen: Stamp\",
                 banned_until AS \"banned_until: Stamp\", would_ban
             FROM fingerprint_reputation "
                + $tail
            $(, $argument)*
        )
    };
}

#[async_trait]
impl FingerprintRepository for PostgresFingerprints {
    async fn get(
        &self,
        fingerprint: FingerprintHash,
    ) -> Result<Option<Versioned<FingerprintRecord>>, StoreError> {
        let row = records!("WHERE fingerprint_hash = $1", uuid(fingerprint));
        let row = self.database.run(row.fetch_optional(self.database.pool())).await?;
        row.map(RecordRow::read).transpose()
    }

    async fn swap(
        &self,
        expected: Option<Version>,
        record: &FingerprintRecord,
    ) -> Result<Version, StoreError> {
        let (written, version) = match expected {
            None => (self.insert(record).await?, Version::FIRST),
            Some(expected) => match kept(expected) {
                Some(version) => (self.update(version, record).await?, expected.next()),
                None => (0, expected),
            },
        };
        if written == 1 { Ok(version) } else { Err(conflict(Entity::Fingerprint)) }
    }

    async fn list_high_risk(
        &self,
        page: PageRequest<FingerprintHash>,
    ) -> Result<Page<FingerprintRecord, FingerprintHash>, StoreError> {
        let listed = records!(
            "WHERE high_risk AND ($1::uuid IS NULL OR fingerprint_hash > $1)
             ORDER BY fingerprint_hash LIMIT $2",
            page.after.map(uuid),
            // One more than the limit tells whether the list goes on.
            i64::from(page.limit.get()) + 1,
        );
        let rows = self.database.run(listed.fetch_all(self.database.pool())).await?;
        let rows = Page::of(rows, page.limit, RecordRow::hash);
        let records = self.database.readable(rows.items, |row| row.read().map(|record| record.value));
        Ok(Page { items: records, next: rows.next })
    }

    async fn delete_seen_before(&self, before: DateTime<Utc>, limit: BatchLimit) -> Result<u32, StoreError> {
        let deleted = self.database.run(
            sqlx::query!(
                "DELETE FROM fingerprint_reputation WHERE fingerprint_hash = ANY (ARRAY(
                    SELECT fingerprint_hash FROM fingerprint_reputation WHERE last_seen < $1
                    ORDER BY last_seen, fingerprint_hash LIMIT $2 FOR UPDATE
                ))",
                bound(before),
                i64::from(limit.get()),
            )
            .execute(self.database.pool()),
        );
        Ok(deleted.await?.rows_affected() as u32)
    }
}

/// A row of `fingerprint_reputation`.
struct RecordRow {
    fingerprint_hash: Uuid,
    version: i64,
    state: String,
    score: f64,
    flags: Vec<String>,
    high_risk: bool,
    recent_incidents: i16,
    incidents: i16,
    requests_last_hour: i64,
    sessions_last_day: i64,
    first_seen: Stamp,
    last_seen: Stamp,
    banned_until: Option<Stamp>,
    would_ban: bool,
}

impl RecordRow {
    const fn hash(&self) -> FingerprintHash {
        FingerprintHash::from_u128(self.fingerprint_hash.as_u128())
    }

    fn read(self) -> Result<Versioned<FingerprintRecord>, StoreError> {
        let hash = self.hash();
        let row = Row { entity: Entity::Fingerprint, table: "fingerprint_reputation", key: hash };
        if !(0.0..=100.0).contains(&self.score) {
            return Err(row.corrupt("score", "a reputation score is 0 to 100"));
        }
        let flags: Result<_, StoreError> =
            self.flags.iter().map(|flag| row.name::<FlagReason>("flags", flag)).collect();
        let report = FingerprintReputation {
            hash,
            score: self.score,
            flags: flags?,
            recent_incidents: row.number("recent_incidents", i64::from(self.recent_incidents))?,
            incidents: row.number("incidents", i64::from(self.incidents))?,
            requests_last_hour: row.number("requests_last_hour", self.requests_last_hour)?,
            sessions_last_day: row.number("sessions_last_day", self.sessions_last_day)?,
            first_seen: row.time("first_seen", self.first_seen)?,
            last_seen: row.time("last_seen", self.last_seen)?,
            banned_until: self.banned_until.map(|until| row.time("banned_until", until)).transpose()?,
            would_ban: self.would_ban,
        };
        let value = FingerprintRecord::restore(row.json("state", &self.state)?, report, self.high_risk);
        Ok(Versioned { version: row.version(self.version)?, value })
    }
}

fn uuid(hash: FingerprintHash) -> Uuid {
    Uuid::from_u128(hash.as_u128())
}

fn flags(report: &FingerprintReputation) -> Vec<&'static str> {
    report.flags.iter().map(FlagReason::as_str).collect()
}
