//! Sessions in PostgreSQL.

use std::collections::BTreeSet;

use analytics_domain::detector::Class;
use analytics_domain::ids::{FingerprintHash, SessionId, UserId, VisitorId};
use analytics_domain::session::{
    AnalyticsSession, Campaign, CountryCode, DeclaredAs, EndReason, InvalidSession, NanoDollars, Points,
    SessionClient, SessionCounters, SessionOrigin, SessionPlace, SessionRecord, SessionVerdict, Text,
};
use analytics_ports::{
    BatchLimit, EndedSession, Entity, Page, PageRequest, Recorded, SessionCursor, SessionFilter,
    SessionRepository, StoreError, Version, Versioned,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::database::{Database, conflict};
use crate::read::{Row, kept};
use crate::session_columns::SessionColumns;
use crate::stamp::{Stamp, bound};
use crate::write;

/// Sessions in PostgreSQL, in the table `user_sessions`.
///
/// A batch is one statement, so that it is kept whole or not at all.
#[derive(Debug, Clone)]
pub struct PostgresSessions {
    database: Database,
}

impl PostgresSessions {
    pub(crate) const fn new(database: Database) -> Self {
        Self { database }
    }
}

/// A checked query that answers whole sessions; what follows the columns is given.
macro_rules! sessions {
    ($head:tt, $tail:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            SessionRow,
            $head
                + " session_id, version, visitor_id, fingerprint_hash, user_id, network::text AS network,
                 user_agent, device_type, browser, browser_version, os, os_version, locale, channel,
                 referrer_host, referrer_url, utm_source, utm_medium, utm_campaign, utm_content, utm_term,
                 landing_page, entry_url, country, region, city, started_at AS \"started_at: Stamp\",
                 last_activity_at AS \"last_activity_at: Stamp\", end_reason, requests, page_views, assets,
                 client_errors, server_errors, refused, engagement_events, ai_requests, unpriced_ai_requests,
                 tasks, messages, tokens, cost_nano_dollars, class, score_hundredths, hostile, declared_kind,
                 declared_name, signals::text AS signals, ruleset_version, throttle_level, max_throttle_level "
                + $tail
            $(, $argument)*
        )
    };
}

#[async_trait]
impl SessionRepository for PostgresSessions {
    async fn create(
        &self,
        session: &AnalyticsSession,
        recorded_at: DateTime<Utc>,
    ) -> Result<Recorded, StoreError> {
        let recorded = self.create_batch(std::slice::from_ref(session), recorded_at).await?;
        Ok(recorded.first().copied().unwrap_or(Recorded::Known))
    }

    async fn create_batch(
        &self,
        sessions: &[AnalyticsSession],
        recorded_at: DateTime<Utc>,
    ) -> Result<Vec<Recorded>, StoreError> {
        if sessions.is_empty() {
            return Ok(Vec::new());
        }
        let columns = SessionColumns::of(sessions);
        let inserted = self.database.run(columns.insert(self.database.pool(), recorded_at)).await?;
        let mut new: BTreeSet<Uuid> = inserted.into_iter().collect();
        let recorded = |id| if new.remove(&id) { Recorded::New } else { Recorded::Known };
        Ok(sessions.iter().map(|session| uuid(session.id())).map(recorded).collect())
    }

    async fn get(&self, id: SessionId) -> Result<Option<Versioned<AnalyticsSession>>, StoreError> {
        let row = sessions!("SELECT", "FROM user_sessions WHERE session_id = $1", uuid(id));
        let row = self.database.run(row.fetch_optional(self.database.pool())).await?;
        row.map(SessionRow::read).transpose()
    }

    async fn swap(&self, expected: Version, session: &AnalyticsSession) -> Result<Version, StoreError> {
        let record = session.record();
        let (counters, verdict) = (&record.counters, record.verdict.as_ref());
        let declared = verdict.and_then(|verdict| verdict.declared.as_ref());
        let Some(version) = kept(expected) else { return Err(conflict(Entity::Session)) };
        let swapped = self.database.run(
            sqlx::query!(
                "UPDATE user_sessions SET version = version + 1,
                    visitor_id = $3, fingerprint_hash = $4, user_id = $5, network = $6::text::cidr, user_agent = $7,
                    device_type = $8, browser = $9, browser_version = $10, os = $11, os_version = $12, locale = $13,
                    channel = $14, referrer_host = $15, referrer_url = $16, utm_source = $17, utm_medium = $18,
                    utm_campaign = $19, utm_content = $20, utm_term = $21, landing_page = $22, entry_url = $23,
                    country = $24, region = $25, city = $26, started_at = $27, last_activity_at = $28, end_reason = $29,
                    requests = $30, page_views = $31, assets = $32, client_errors = $33, server_errors = $34,
                    refused = $35, engagement_events = $36, ai_requests = $37, unpriced_ai_requests = $38, tasks = $39,
                    messages = $40, tokens = $41, cost_nano_dollars = $42, class = $43, score_hundredths = $44,
                    hostile = $45, declared_kind = $46, declared_name = $47, signals = $48::text::json,
                    ruleset_version = $49, throttle_level = $50, max_throttle_level = $51
                WHERE session_id = $1 AND version = $2",
                uuid(record.id),
                version,
                Uuid::from_u128(record.visitor.as_u128()),
                Uuid::from_u128(record.fingerprint.as_u128()),
                record.user.as_ref().map(UserId::as_str),
                record.network.map(|network| network.to_string()) as Option<String>,
                text(record.client.user_agent.as_ref()),
                record.client.device.as_str(),
                text(record.client.browser.as_ref()),
                text(record.client.browser_version.as_ref()),
                text(record.client.os.as_ref()),
                text(record.client.os_version.as_ref()),
                text(record.client.locale.as_ref()),
                record.origin.channel.as_str(),
                text(record.origin.referrer_host.as_ref()),
                text(record.origin.referrer_url.as_ref()),
                text(record.origin.campaign.source.as_ref()),
                text(record.origin.campaign.medium.as_ref()),
                text(record.origin.campaign.campaign.as_ref()),
                text(record.origin.campaign.content.as_ref()),
                text(record.origin.campaign.term.as_ref()),
                text(record.origin.landing_page.as_ref()),
                text(record.origin.entry_url.as_ref()),
                record.place.country.as_ref().map(CountryCode::as_str),
                text(record.place.region.as_ref()),
                text(record.place.city.as_ref()),
                record.started_at,
                record.last_activity_at,
                record.end_reason.map(EndReason::as_str),
                total(counters.requests),
                total(counters.page_views),
                total(counters.assets),
                total(counters.client_errors),
                total(counters.server_errors),
                total(counters.refused),
                total(counters.engagement_events),
                total(counters.ai_requests),
                total(counters.unpriced_ai_requests),
                total(counters.tasks),
                total(counters.messages),
                total(counters.tokens),
                counters.cost.get(),
                verdict.map(|verdict| verdict.class.as_str()),
                verdict.map(|verdict| verdict.score.hundredths() as i16),
                verdict.map(|verdict| verdict.hostile),
                declared.map(|declared| declared.kind.as_str()),
                declared.and_then(|declared| text(declared.name.as_ref())),
                verdict.map(|verdict| write::json(&verdict.signals)),
                verdict.map(|verdict| verdict.ruleset_version.as_str()),
                record.throttle_level.as_str(),
                record.max_throttle_level.as_str(),
            )
            .execute(self.database.pool()),
        );
        if swapped.await?.rows_affected() == 1 { Ok(expected.next()) } else { Err(conflict(Entity::Session)) }
    }

    async fn find_recent_by_fingerprint(
        &self,
        fingerprint: FingerprintHash,
        since: DateTime<Utc>,
    ) -> Result<Option<Versioned<AnalyticsSession>>, StoreError> {
        let newest = sessions!(
            "SELECT",
            "FROM user_sessions
             WHERE fingerprint_hash = $1 AND end_reason IS NULL AND last_activity_at > $2
             ORDER BY last_activity_at DESC, session_id DESC LIMIT 1",
            Uuid::from_u128(fingerprint.as_u128()),
            bound(since),
        );
        let row = self.database.run(newest.fetch_optional(self.database.pool())).await?;
        row.map(SessionRow::read).transpose()
    }

    async fn end(
        &self,
        id: SessionId,
        reason: EndReason,
    ) -> Result<Option<Versioned<AnalyticsSession>>, StoreError> {
        // One statement, so that the answer is the session as this call left it.
        let ended = sessions!(
            "UPDATE user_sessions
             SET version = version + (end_reason IS NULL)::int, end_reason = coalesce(end_reason, $2)
             WHERE session_id = $1 RETURNING",
            "",
            uuid(id),
            reason.as_str(),
        );
        let row = self.database.run(ended.fetch_optional(self.database.pool())).await?;
        row.map(SessionRow::read).transpose()
    }

    async fn list_open_idle(
        &self,
        idle_since: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<Vec<Versioned<AnalyticsSession>>, StoreError> {
        let idle = sessions!(
            "SELECT",
            "FROM user_sessions WHERE end_reason IS NULL AND last_activity_at <= $1
             ORDER BY last_activity_at, session_id LIMIT $2",
            bound(idle_since),
            i64::from(limit.get()),
        );
        let rows = self.database.run(idle.fetch_all(self.database.pool())).await?;
        Ok(self.database.readable(rows, SessionRow::read))
    }

    async fn end_expired(
        &self,
        idle_since: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<Vec<EndedSession>, StoreError> {
        let ended = self.database.run(
            sqlx::query!(
                r#"WITH idle AS (
                    SELECT session_id FROM user_sessions
                    WHERE end_reason IS NULL AND last_activity_at <= $1
                    ORDER BY last_activity_at, session_id LIMIT $2 FOR UPDATE
                )
                UPDATE user_sessions SET version = version + 1, end_reason = $3
                FROM idle WHERE user_sessions.session_id = idle.session_id
                RETURNING user_sessions.session_id, last_activity_at AS "last_activity_at: Stamp""#,
                bound(idle_since),
                i64::from(limit.get()),
                EndReason::Inactive.as_str(),
            )
            .fetch_all(self.database.pool()),
        );
        let mut rows = ended.await?;
        rows.sort_by_key(|row| (row.last_activity_at.nearest(), row.session_id));
        let ended = rows.into_iter().map(|row| EndedSession {
            id: SessionId::from_u128(row.session_id.as_u128()),
            ended_at: row.last_activity_at.nearest(),
        });
        Ok(ended.collect())
    }

    async fn delete_recorded_before(
        &self,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError> {
        let deleted = self.database.run(
            sqlx::query!(
                "DELETE FROM user_sessions WHERE session_id = ANY (ARRAY(
                    SELECT session_id FROM user_sessions WHERE end_reason IS NOT NULL AND recorded_at < $1
                    ORDER BY recorded_at, session_id LIMIT $2 FOR UPDATE
                ))",
                bound(before),
                i64::from(limit.get()),
            )
            .execute(self.database.pool()),
        );
        Ok(deleted.await?.rows_affected() as u32)
    }

    async fn list(
        &self,
        filter: &SessionFilter,
        page: PageRequest<SessionCursor>,
    ) -> Result<Page<AnalyticsSession, SessionCursor>, StoreError> {
        // A part of the filter that is null is gone from the plan, since each plan is made for its values.
        let listed = sessions!(
            "SELECT",
            "FROM user_sessions
             WHERE ($1::timestamptz IS NULL OR started_at >= $1)
               AND ($2::timestamptz IS NULL OR started_at < $2)
               AND ($3::uuid IS NULL OR visitor_id = $3)
               AND ($4::uuid IS NULL OR fingerprint_hash = $4)
               AND ($5::text IS NULL OR class = $5)
               AND ($6::boolean IS NULL OR (end_reason IS NULL) = $6)
               AND ($7::timestamptz IS NULL OR (started_at, session_id) < ($7, $8))
             ORDER BY started_at DESC, session_id DESC LIMIT $9",
            filter.started_from.map(bound),
            filter.started_before.map(bound),
            filter.visitor.map(|visitor| Uuid::from_u128(visitor.as_u128())),
            filter.fingerprint.map(|fingerprint| Uuid::from_u128(fingerprint.as_u128())),
            filter.class.map(Class::as_str),
            filter.open,
            page.after.map(|after| bound(after.started_at)),
            page.after.map(|after| uuid(after.id)),
            // One more than the limit tells whether the list goes on.
            i64::from(page.limit.get()) + 1,
        );
        let rows = self.database.run(listed.fetch_all(self.database.pool())).await?;
        let rows = Page::of(rows, page.limit, SessionRow::cursor);
        let sessions = self.database.readable(rows.items, |row| row.read().map(|session| session.value));
        Ok(Page { items: sessions, next: rows.next })
    }
}

/// A row of `user_sessions`.
struct SessionRow {
    session_id: Uuid,
    version: i64,
    visitor_id: Uuid,
    fingerprint_hash: Uuid,
    user_id: Option<String>,
    network: Option<String>,
    user_agent: Option<String>,
    device_type: String,
    browser: Option<String>,
    browser_version: Option<String>,
    os: Option<String>,
    os_version: Option<String>,
    locale: Option<String>,
    channel: String,
    referrer_host: Option<String>,
    referrer_url: Option<String>,
    utm_source: Option<String>,
    utm_medium: Option<String>,
    utm_campaign: Option<String>,
    utm_content: Option<String>,
    utm_term: Option<String>,
    landing_page: Option<String>,
    entry_url: Option<String>,
    country: Option<String>,
    region: Option<String>,
    city: Option<String>,
    started_at: Stamp,
    last_activity_at: Stamp,
    end_reason: Option<String>,
    requests: i64,
    page_views: i64,
    assets: i64,
    client_errors: i64,
    server_errors: i64,
    refused: i64,
    engagement_events: i64,
    ai_requests: i64,
    unpriced_ai_requests: i64,
    tasks: i64,
    messages: i64,
    tokens: i64,
    cost_nano_dollars: i64,
    class: Option<String>,
    score_hundredths: Option<i16>,
    hostile: Option<bool>,
    declared_kind: Option<String>,
    declared_name: Option<String>,
    signals: Option<String>,
    ruleset_version: Option<String>,
    throttle_level: String,
    max_throttle_level: String,
}

impl SessionRow {
    /// The place of the row in a list, whatever else is wrong with it.
    fn cursor(&self) -> SessionCursor {
        let id = SessionId::from_u128(self.session_id.as_u128());
        SessionCursor { started_at: self.started_at.nearest(), id }
    }

    fn read(self) -> Result<Versioned<AnalyticsSession>, StoreError> {
        let id = SessionId::from_u128(self.session_id.as_u128());
        let row = Row { entity: Entity::Session, table: "user_sessions", key: id };
        let version = row.version(self.version)?;
        let verdict =
            match (self.class, self.score_hundredths, self.hostile, self.signals, self.ruleset_version) {
                (Some(class), Some(score), Some(hostile), Some(signals), Some(ruleset_version)) => {
                    let score = row.number("score_hundredths", i64::from(score))?;
                    let declared_name = row.text("declared_name", self.declared_name)?;
                    let declared = match self.declared_kind {
                        Some(kind) => {
                            let kind = row.name("declared_kind", &kind)?;
                            Some(DeclaredAs { kind, name: declared_name })
                        }
                        None => None,
                    };
                    Some(SessionVerdict {
                        class: row.name("class", &class)?,
                        score: row.ok("score_hundredths", Points::from_hundredths(score))?,
                        hostile,
                        declared,
                        signals: row.json("signals", &signals)?,
                        ruleset_version: row.ok("ruleset_version", Text::new(ruleset_version))?,
                    })
                }
                (None, None, None, None, None) => None,
                _ => return Err(row.corrupt("class", "a verdict has all of its columns or none")),
            };
        let record = SessionRecord {
            id,
            visitor: VisitorId::from_u128(self.visitor_id.as_u128()),
            fingerprint: FingerprintHash::from_u128(self.fingerprint_hash.as_u128()),
            user: row.ok("user_id", self.user_id.map(UserId::new).transpose())?,
            network: row.ok("network", self.network.map(|network| network.parse()).transpose())?,
            client: SessionClient {
                user_agent: row.text("user_agent", self.user_agent)?,
                device: row.name("device_type", &self.device_type)?,
                browser: row.text("browser", self.browser)?,
                browser_version: row.text("browser_version", self.browser_version)?,
                os: row.text("os", self.os)?,
                os_version: row.text("os_version", self.os_version)?,
                locale: row.text("locale", self.locale)?,
            },
            origin: SessionOrigin {
                channel: row.name("channel", &self.channel)?,
                referrer_host: row.text("referrer_host", self.referrer_host)?,
                referrer_url: row.text("referrer_url", self.referrer_url)?,
                campaign: Campaign {
                    source: row.text("utm_source", self.utm_source)?,
                    medium: row.text("utm_medium", self.utm_medium)?,
                    campaign: row.text("utm_campaign", self.utm_campaign)?,
                    content: row.text("utm_content", self.utm_content)?,
                    term: row.text("utm_term", self.utm_term)?,
                },
                landing_page: row.text("landing_page", self.landing_page)?,
                entry_url: row.text("entry_url", self.entry_url)?,
            },
            place: SessionPlace {
                country: row.ok("country", self.country.map(|country| country.parse()).transpose())?,
                region: row.text("region", self.region)?,
                city: row.text("city", self.city)?,
            },
            started_at: row.time("started_at", self.started_at)?,
            last_activity_at: row.time("last_activity_at", self.last_activity_at)?,
            end_reason: self.end_reason.map(|reason| row.name("end_reason", &reason)).transpose()?,
            counters: SessionCounters {
                requests: row.number("requests", self.requests)?,
                page_views: row.number("page_views", self.page_views)?,
                assets: row.number("assets", self.assets)?,
                client_errors: row.number("client_errors", self.client_errors)?,
                server_errors: row.number("server_errors", self.server_errors)?,
                refused: row.number("refused", self.refused)?,
                engagement_events: row.number("engagement_events", self.engagement_events)?,
                ai_requests: row.number("ai_requests", self.ai_requests)?,
                unpriced_ai_requests: row.number("unpriced_ai_requests", self.unpriced_ai_requests)?,
                tasks: row.number("tasks", self.tasks)?,
                messages: row.number("messages", self.messages)?,
                tokens: row.number("tokens", self.tokens)?,
                cost: NanoDollars::new(self.cost_nano_dollars),
            },
            verdict,
            throttle_level: row.name("throttle_level", &self.throttle_level)?,
            max_throttle_level: row.name("max_throttle_level", &self.max_throttle_level)?,
        };
        let value = record.try_into().map_err(|error: InvalidSession| {
            let column = match error {
                InvalidSession::NotWholeMicroseconds(column)
                | InvalidSession::OutsideTheCalendar(column)
                | InvalidSession::TotalTooLarge(column) => column,
                InvalidSession::ActivityBeforeStart => "last_activity_at",
                InvalidSession::MaxLevelTooLow => "max_throttle_level",
            };
            row.corrupt(column, error)
        })?;
        Ok(Versioned { version, value })
    }
}

fn uuid(id: SessionId) -> Uuid {
    Uuid::from_u128(id.as_u128())
}

pub(crate) fn text<const MAX: usize>(text: Option<&Text<MAX>>) -> Option<&str> {
    text.map(Text::as_str)
}

pub(crate) fn total(total: u64) -> i64 {
    i64::try_from(total).expect("a session's totals are at most 2^63 - 1")
}
