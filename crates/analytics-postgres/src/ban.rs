//! Bans in PostgreSQL.

use analytics_domain::ids::{BanId, FingerprintHash};
use analytics_domain::reputation::{Ban, BanSubject};
use analytics_ports::{
    BanCursor, BanRepository, BatchLimit, Entity, Page, PageRequest, Recorded, StoreError,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::database::Database;
use crate::read::Row;
use crate::stamp::{Stamp, bound};
use crate::write;

/// Bans in PostgreSQL, in the table `bans`.
#[derive(Debug, Clone)]
pub struct PostgresBans {
    database: Database,
}

impl PostgresBans {
    pub(crate) const fn new(database: Database) -> Self {
        Self { database }
    }
}

/// A checked query that answers whole bans; what stands around the columns is given.
macro_rules! bans {
    ($head:tt, $tail:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            BanRow,
            $head
                + " ban_id, fingerprint_hash, network::text AS network, reason,
                    banned_from AS \"banned_from: Stamp\", banned_until AS \"banned_until: Stamp\", would_ban "
                + $tail
            $(, $argument)*
        )
    };
}

#[async_trait]
impl BanRepository for PostgresBans {
    async fn put(&self, ban: &Ban) -> Result<Recorded, StoreError> {
        let (fingerprint, network) = columns(ban.subject);
        let put = self.database.run(
            sqlx::query!(
                "INSERT INTO bans (ban_id, fingerprint_hash, network, reason, banned_from, banned_until, would_ban)
                 VALUES ($1, $2, $3::text::cidr, $4, $5, $6, $7) ON CONFLICT (ban_id) DO NOTHING",
                Uuid::from_u128(ban.id.as_u128()),
                fingerprint,
                network,
                write::name(&ban.reason),
                bound(ban.from),
                bound(ban.until),
                ban.would_ban,
            )
            .execute(self.database.pool()),
        );
        Ok(if put.await?.rows_affected() == 1 { Recorded::New } else { Recorded::Known })
    }

    async fn running(&self, subject: BanSubject, now: DateTime<Utc>) -> Result<Option<Ban>, StoreError> {
        let (fingerprint, network) = columns(subject);
        let running = bans!(
            "SELECT",
            "FROM bans
             WHERE ($1::uuid IS NULL OR fingerprint_hash = $1) AND ($2::text IS NULL OR network = $2::text::cidr)
               AND banned_from <= $3 AND banned_until > $3
             ORDER BY banned_until DESC, ban_id DESC LIMIT 1",
            fingerprint,
            network,
            bound(now),
        );
        let row = self.database.run(running.fetch_optional(self.database.pool())).await?;
        row.map(BanRow::read).transpose()
    }

    async fn list_running(
        &self,
        now: DateTime<Utc>,
        page: PageRequest<BanCursor>,
    ) -> Result<Page<Ban, BanCursor>, StoreError> {
        let listed = bans!(
            "SELECT",
            "FROM bans
             WHERE banned_from <= $1 AND banned_until > $1
               AND ($2::timestamptz IS NULL OR (banned_until, ban_id) > ($2, $3))
             ORDER BY banned_until, ban_id LIMIT $4",
            bound(now),
            page.after.map(|after| bound(after.until)),
            page.after.map(|after| Uuid::from_u128(after.id.as_u128())),
            // One more than the limit tells whether the list goes on.
            i64::from(page.limit.get()) + 1,
        );
        let rows = self.database.run(listed.fetch_all(self.database.pool())).await?;
        let rows = Page::of(rows, page.limit, BanRow::cursor);
        Ok(Page { items: self.database.readable(rows.items, BanRow::read), next: rows.next })
    }

    async fn clear(&self, subject: BanSubject) -> Result<Vec<Ban>, StoreError> {
        let (fingerprint, network) = columns(subject);
        let cleared = bans!(
            "DELETE FROM bans
             WHERE ($1::uuid IS NULL OR fingerprint_hash = $1) AND ($2::text IS NULL OR network = $2::text::cidr)
             RETURNING",
            "",
            fingerprint,
            network,
        );
        let mut rows = self.database.run(cleared.fetch_all(self.database.pool())).await?;
        rows.sort_by_key(|row| row.ban_id);
        Ok(self.database.readable(rows, BanRow::read))
    }

    async fn delete_ended(&self, now: DateTime<Utc>, limit: BatchLimit) -> Result<u32, StoreError> {
        let deleted = self.database.run(
            sqlx::query!(
                "DELETE FROM bans WHERE ban_id = ANY (ARRAY(
                    SELECT ban_id FROM bans WHERE banned_until <= $1
                    ORDER BY banned_until, ban_id LIMIT $2 FOR UPDATE
                ))",
                bound(now),
                i64::from(limit.get()),
            )
            .execute(self.database.pool()),
        );
        Ok(deleted.await?.rows_affected() as u32)
    }
}

/// A row of `bans`.
struct BanRow {
    ban_id: Uuid,
    fingerprint_hash: Option<Uuid>,
    network: Option<String>,
    reason: String,
    banned_from: Stamp,
    banned_until: Stamp,
    would_ban: bool,
}

impl BanRow {
    /// The place of the row in a list, whatever else is wrong with it.
    fn cursor(&self) -> BanCursor {
        BanCursor { until: self.banned_until.nearest(), id: BanId::from_u128(self.ban_id.as_u128()) }
    }

    fn read(self) -> Result<Ban, StoreError> {
        let id = BanId::from_u128(self.ban_id.as_u128());
        let row = Row { entity: Entity::Ban, table: "bans", key: id };
        let subject = match (self.fingerprint_hash, self.network) {
            (Some(hash), None) => BanSubject::Fingerprint(FingerprintHash::from_u128(hash.as_u128())),
            (None, Some(network)) => BanSubject::Network(row.ok("network", network.parse())?),
            (Some(_), Some(_)) | (None, None) => {
                return Err(row.corrupt("fingerprint_hash", "a ban is of a fingerprint or of a network"));
            }
        };
        Ok(Ban {
            id,
            subject,
            reason: row.name("reason", &self.reason)?,
            from: row.time("banned_from", self.banned_from)?,
            until: row.time("banned_until", self.banned_until)?,
            would_ban: self.would_ban,
        })
    }
}

/// The subject in its two columns, of which one is null.
fn columns(subject: BanSubject) -> (Option<Uuid>, Option<String>) {
    match subject {
        BanSubject::Fingerprint(hash) => (Some(Uuid::from_u128(hash.as_u128())), None),
        BanSubject::Network(network) => (None, Some(network.to_string())),
    }
}
