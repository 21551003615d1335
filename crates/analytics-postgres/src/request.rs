//! Rows of requests in PostgreSQL.

use analytics_domain::detector::HeaderMarks;
use analytics_domain::ids::{EventId, FingerprintHash, SessionId, VisitorId};
use analytics_domain::request::{HttpVersion, Probe};
use analytics_domain::request_row::{
    InvalidRequestRow, RequestDecision, RequestFacts, RequestRecord, RequestRow,
};
use analytics_domain::session::Text;
use analytics_domain::throttle::RefusalReason;
use analytics_ports::{BatchLimit, Entity, EventCursor, Page, PageRequest, RequestRepository, StoreError};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::database::Database;
use crate::partition::Partitions;
use crate::read::Row;
use crate::stamp::{Stamp, bound};
use crate::write;

/// Rows of requests in PostgreSQL, in the table `requests` with a partition for each month.
///
/// A batch is one statement, so that it is kept whole or not at all.
#[derive(Debug, Clone)]
pub struct PostgresRequests {
    database: Database,
    partitions: Partitions,
}

impl PostgresRequests {
    pub(crate) const fn new(database: Database, partitions: Partitions) -> Self {
        Self { database, partitions }
    }

    async fn write(&self, columns: &Columns<'_>, recorded_at: DateTime<Utc>) -> Result<u64, sqlx::Error> {
        // In the order of the ids, so that two batches with the same ids cannot each wait for the other; of one id
        // twice in a batch the first counts.
        let written = sqlx::query!(
            "INSERT INTO requests (
                request_id, session_id, visitor_id, fingerprint_hash, at, arrival, method, http_version, path,
                kind, status, bytes, duration_us, referrer_host, charged, decision, refusal_reason, page_hash,
                directory_hash, path_number, probe_kind, probe_strength, trap, referrer, campaign_hash,
                headers_impossible, hints_missing, recorded_at
            )
            SELECT
                request_id, session_id, visitor_id, fingerprint_hash, at, arrival, method, http_version, path,
                kind, status, bytes, duration_us, referrer_host, charged, decision, refusal_reason, page_hash,
                directory_hash, path_number, probe_kind, probe_strength, trap, referrer::json, campaign_hash,
                headers_impossible, hints_missing, $28
            FROM unnest(
                  $1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::timestamptz[], $6::bigint[], $7::text[],
                  $8::text[], $9::text[], $10::text[], $11::int[], $12::bigint[], $13::bigint[], $14::text[],
                  $15::boolean[], $16::text[], $17::text[], $18::bigint[], $19::bigint[], $20::bigint[],
                  $21::text[], $22::text[], $23::boolean[], $24::text[], $25::bigint[], $26::boolean[],
                  $27::boolean[]
                ) WITH ORDINALITY AS request (
                  request_id, session_id, visitor_id, fingerprint_hash, at, arrival, method, http_version, path,
                  kind, status, bytes, duration_us, referrer_host, charged, decision, refusal_reason, page_hash,
                  directory_hash, path_number, probe_kind, probe_strength, trap, referrer, campaign_hash,
                  headers_impossible, hints_missing, place
                )
            ORDER BY request_id, place
            ON CONFLICT (request_id) DO NOTHING",
            &columns.request_id,
            &columns.session_id,
            &columns.visitor_id,
            &columns.fingerprint_hash,
            &columns.at,
            &columns.arrival,
            &columns.method as &[&str],
            &columns.http_version as &[Option<&str>],
            &columns.path as &[&str],
            &columns.kind as &[&str],
            &columns.status as &[Option<i32>],
            &columns.bytes as &[Option<i64>],
            &columns.duration_us as &[Option<i64>],
            &columns.referrer_host as &[Option<&str>],
            &columns.charged,
            &columns.decision as &[&str],
            &columns.refusal_reason as &[Option<&str>],
            &columns.page_hash,
            &columns.directory_hash,
            &columns.path_number as &[Option<i64>],
            &columns.probe_kind as &[Option<String>],
            &columns.probe_strength as &[Option<String>],
            &columns.trap,
            &columns.referrer,
            &columns.campaign_hash as &[Option<i64>],
            &columns.headers_impossible as &[Option<bool>],
            &columns.hints_missing as &[Option<bool>],
            bound(recorded_at),
        );
        Ok(written.execute(self.database.pool()).await?.rows_affected())
    }
}

#[async_trait]
impl RequestRepository for PostgresRequests {
    async fn insert(&self, rows: &[RequestRow], recorded_at: DateTime<Utc>) -> Result<u64, StoreError> {
        if rows.is_empty() {
            return Ok(0);
        }
        let columns = Columns::of(rows);
        let times = rows.iter().map(RequestRow::at);
        self.partitions.write(&self.database, times, || self.write(&columns, recorded_at)).await
    }

    async fn list_by_session(
        &self,
        session: SessionId,
        page: PageRequest<EventCursor>,
    ) -> Result<Page<RequestRow, EventCursor>, StoreError> {
        let listed = sqlx::query_as!(
            RowOfRequest,
            r#"SELECT request_id, session_id, visitor_id, fingerprint_hash, at AS "at: Stamp", arrival, method,
                  http_version, path, kind, status, bytes, duration_us, referrer_host, charged, decision,
                  refusal_reason, page_hash, directory_hash, path_number, probe_kind, probe_strength, trap,
                  referrer::text AS "referrer!", campaign_hash, headers_impossible, hints_missing
               FROM requests
               WHERE session_id = $1 AND ($2::timestamptz IS NULL OR (at, request_id) > ($2, $3))
               ORDER BY at, request_id LIMIT $4"#,
            Uuid::from_u128(session.as_u128()),
            page.after.map(|after| bound(after.at)),
            page.after.map(|after| Uuid::from_u128(after.id.as_u128())),
            // One more than the limit tells whether the list goes on.
            i64::from(page.limit.get()) + 1,
        );
        let rows = self.database.run(listed.fetch_all(self.database.pool())).await?;
        let rows = Page::of(rows, page.limit, RowOfRequest::cursor);
        Ok(Page { items: self.database.readable(rows.items, RowOfRequest::read), next: rows.next })
    }

    async fn delete_recorded_before(
        &self,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError> {
        let deleted = self.database.run(
            sqlx::query!(
                "DELETE FROM requests WHERE request_id = ANY (ARRAY(
                    SELECT request_id FROM requests WHERE recorded_at < $1
                    ORDER BY recorded_at, request_id LIMIT $2 FOR UPDATE
                ))",
                bound(before),
                i64::from(limit.get()),
            )
            .execute(self.database.pool()),
        );
        Ok(deleted.await?.rows_affected() as u32)
    }
}

/// A batch of rows, column by column.
struct Columns<'a> {
    request_id: Vec<Uuid>,
    session_id: Vec<Uuid>,
    visitor_id: Vec<Uuid>,
    fingerprint_hash: Vec<Uuid>,
    at: Vec<DateTime<Utc>>,
    arrival: Vec<i64>,
    method: Vec<&'a str>,
    http_version: Vec<Option<&'a str>>,
    path: Vec<&'a str>,
    kind: Vec<&'a str>,
    status: Vec<Option<i32>>,
    bytes: Vec<Option<i64>>,
    duration_us: Vec<Option<i64>>,
    referrer_host: Vec<Option<&'a str>>,
    charged: Vec<bool>,
    decision: Vec<&'a str>,
    refusal_reason: Vec<Option<&'a str>>,
    page_hash: Vec<i64>,
    directory_hash: Vec<i64>,
    path_number: Vec<Option<i64>>,
    probe_kind: Vec<Option<String>>,
    probe_strength: Vec<Option<String>>,
    trap: Vec<bool>,
    referrer: Vec<String>,
    campaign_hash: Vec<Option<i64>>,
    headers_impossible: Vec<Option<bool>>,
    hints_missing: Vec<Option<bool>>,
}

impl<'a> Columns<'a> {
    fn of(all: &'a [RequestRow]) -> Self {
        let rows = || all.iter().map(RequestRow::record);
        Self {
            request_id: rows().map(|r| Uuid::from_u128(r.id.as_u128())).collect(),
            session_id: rows().map(|r| Uuid::from_u128(r.session.as_u128())).collect(),
            visitor_id: rows().map(|r| Uuid::from_u128(r.visitor.as_u128())).collect(),
            fingerprint_hash: rows().map(|r| Uuid::from_u128(r.fingerprint.as_u128())).collect(),
            at: rows().map(|r| r.at).collect(),
            arrival: rows().map(|r| i64::from(r.arrival)).collect(),
            method: rows().map(|r| r.method.as_str()).collect(),
            http_version: rows().map(|r| r.version.map(HttpVersion::as_str)).collect(),
            path: rows().map(|r| r.path.as_str()).collect(),
            kind: rows().map(|r| r.kind.as_str()).collect(),
            status: rows().map(|r| r.status.map(i32::from)).collect(),
            bytes: rows().map(|r| r.bytes.map(number)).collect(),
            duration_us: rows().map(|r| r.duration_us.map(number)).collect(),
            referrer_host: rows().map(|r| r.referrer_host.as_ref().map(Text::as_str)).collect(),
            charged: rows().map(|r| r.charged).collect(),
            decision: rows().map(|r| decision(r.decision)).collect(),
            refusal_reason: rows().map(|r| r.decision.reason().map(RefusalReason::as_str)).collect(),
            page_hash: rows().map(|r| r.facts.page.cast_signed()).collect(),
            directory_hash: rows().map(|r| r.facts.directory.cast_signed()).collect(),
            path_number: rows().map(|r| r.facts.number.map(number)).collect(),
            probe_kind: rows().map(|r| r.facts.probe.map(|probe| write::name(&probe.kind))).collect(),
            probe_strength: rows().map(|r| r.facts.probe.map(|probe| write::name(&probe.strength))).collect(),
            trap: rows().map(|r| r.facts.trap).collect(),
            referrer: rows().map(|r| write::json(&r.facts.referrer)).collect(),
            campaign_hash: rows().map(|r| r.facts.campaign.map(u64::cast_signed)).collect(),
            headers_impossible: rows().map(|r| r.facts.headers.map(|marks| marks.impossible)).collect(),
            hints_missing: rows().map(|r| r.facts.headers.map(|marks| marks.hints_missing)).collect(),
        }
    }
}

/// A row of `requests`.
struct RowOfRequest {
    request_id: Uuid,
    session_id: Uuid,
    visitor_id: Uuid,
    fingerprint_hash: Uuid,
    at: Stamp,
    arrival: i64,
    method: String,
    http_version: Option<String>,
    path: String,
    kind: String,
    status: Option<i32>,
    bytes: Option<i64>,
    duration_us: Option<i64>,
    referrer_host: Option<String>,
    charged: bool,
    decision: String,
    refusal_reason: Option<String>,
    page_hash: i64,
    directory_hash: i64,
    path_number: Option<i64>,
    probe_kind: Option<String>,
    probe_strength: Option<String>,
    trap: bool,
    referrer: String,
    campaign_hash: Option<i64>,
    headers_impossible: Option<bool>,
    hints_missing: Option<bool>,
}

impl RowOfRequest {
    /// The place of the row in a list, whatever else is wrong with it.
    fn cursor(&self) -> EventCursor {
        EventCursor { at: self.at.nearest(), id: EventId::from_u128(self.request_id.as_u128()) }
    }

    fn read(self) -> Result<RequestRow, StoreError> {
        let id = EventId::from_u128(self.request_id.as_u128());
        let row = Row { entity: Entity::Request, table: "requests", key: id };
        let optional = |column, number: Option<i64>| number.map(|n| row.number(column, n)).transpose();
        let reason = self.refusal_reason.as_deref().map(|reason| row.name("refusal_reason", reason));
        let decision = match (self.decision.as_str(), reason.transpose()?) {
            (ADMITTED, None) => RequestDecision::Admitted,
            (WOULD_REFUSE, Some(reason)) => RequestDecision::WouldRefuse(reason),
            (REFUSED, Some(reason)) => RequestDecision::Refused(reason),
            _ => return Err(row.corrupt("decision", "a decision is admitted, or refuses for a reason")),
        };
        let probe = match (self.probe_kind, self.probe_strength) {
            (Some(kind), Some(strength)) => Some(Probe {
                kind: row.name("probe_kind", &kind)?,
                strength: row.name("probe_strength", &strength)?,
            }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err(row.corrupt("probe_kind", "a probe has a kind and a strength"));
            }
        };
        let headers = match (self.headers_impossible, self.hints_missing) {
            (Some(impossible), Some(hints_missing)) => Some(HeaderMarks { impossible, hints_missing }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err(row.corrupt("headers_impossible", "marks of headers are both known or both not"));
            }
        };
        let record = RequestRecord {
            id,
            session: SessionId::from_u128(self.session_id.as_u128()),
            visitor: VisitorId::from_u128(self.visitor_id.as_u128()),
            fingerprint: FingerprintHash::from_u128(self.fingerprint_hash.as_u128()),
            at: row.time("at", self.at)?,
            arrival: row.number("arrival", self.arrival)?,
            method: row.name("method", &self.method)?,
            version: self.http_version.map(|version| row.name("http_version", &version)).transpose()?,
            path: row.ok("path", Text::new(self.path))?,
            kind: row.name("kind", &self.kind)?,
            status: self.status.map(|status| row.number("status", i64::from(status))).transpose()?,
            bytes: optional("bytes", self.bytes)?,
            duration_us: optional("duration_us", self.duration_us)?,
            referrer_host: row.text("referrer_host", self.referrer_host)?,
            charged: self.charged,
            decision,
            facts: RequestFacts {
                page: self.page_hash.cast_unsigned(),
                directory: self.directory_hash.cast_unsigned(),
                number: optional("path_number", self.path_number)?,
                probe,
                trap: self.trap,
                referrer: row.json("referrer", &self.referrer)?,
                campaign: self.campaign_hash.map(i64::cast_unsigned),
                headers,
            },
        };
        record.try_into().map_err(|error: InvalidRequestRow| {
            let column = match error {
                InvalidRequestRow::NotWholeMicroseconds | InvalidRequestRow::IdOfAnotherTime => "at",
                InvalidRequestRow::TooLarge(column) => column,
            };
            row.corrupt(column, error)
        })
    }
}

fn number(number: u64) -> i64 {
    i64::try_from(number).expect("the numbers of a row are at most 2^63 - 1")
}

const fn decision(decision: RequestDecision) -> &'static str {
    match decision {
        RequestDecision::Admitted => ADMITTED,
        RequestDecision::WouldRefuse(_) => WOULD_REFUSE,
        RequestDecision::Refused(_) => REFUSED,
    }
}

const ADMITTED: &str = "admitted";
const WOULD_REFUSE: &str = "would_refuse";
const REFUSED: &str = "refused";
