//! Reports in PostgreSQL: counted by the server, put together here.
//!
//! Each kind of row is counted by a query of its own, and the queries of one report see the same state of the database.
//! Only requests are joined, each with the one session that it belongs to, so that no sum is multiplied. Sums stop at
//! 2⁶³ − 1 as those of the domain do.

mod core_stats;
mod query;

use analytics_domain::detector::Class;
use analytics_domain::ids::UserId;
use analytics_domain::request::Channel;
use analytics_domain::session::{CountryCode, NanoDollars, Text};
use analytics_domain::stats::counts::{AiUsageCounts, RunCounts, SessionCounts};
use analytics_domain::stats::{Audience, ReportFilter};
use analytics_domain::usage::Name;
use analytics_domain::user_agent::DeviceType;
use analytics_ports::{Entity, StoreError};
use sqlx::{Postgres, Transaction};

use crate::database::Database;
use crate::read::Row;

/// Reports in PostgreSQL, over the rows that the other repositories of the store keep.
#[derive(Debug, Clone)]
pub struct PostgresReports {
    database: Database,
}

impl PostgresReports {
    pub(crate) const fn new(database: Database) -> Self {
        Self { database }
    }

    /// A transaction in which every query sees the same state.
    async fn snapshot(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        self.database.pool().begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }
}

/// The parts of a filter as columns compare them.
#[derive(Debug, Clone, Copy)]
struct Parts<'a> {
    class: Option<&'a str>,
    channel: Option<&'a str>,
    source: Option<&'a str>,
    device: Option<&'a str>,
    browser: Option<&'a str>,
    os: Option<&'a str>,
    country: Option<&'a str>,
    user: Option<&'a str>,
    agent: Option<&'a str>,
    tool: Option<&'a str>,
    provider: Option<&'a str>,
    model: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(filter: &'a ReportFilter) -> Self {
        Self {
            class: filter.class.map(Class::as_str),
            channel: filter.channel.map(Channel::as_str),
            source: filter.source.as_ref().map(Text::as_str),
            device: filter.device.map(DeviceType::as_str),
            browser: filter.browser.as_ref().map(Text::as_str),
            os: filter.os.as_ref().map(Text::as_str),
            country: filter.country.as_ref().map(CountryCode::as_str),
            user: filter.user.as_ref().map(UserId::as_str),
            agent: filter.agent.as_ref().map(Name::as_str),
            tool: filter.tool.as_ref().map(Name::as_str),
            provider: filter.provider.as_ref().map(Name::as_str),
            model: filter.model.as_ref().map(Name::as_str),
        }
    }
}

/// Sessions counted together, of one value and audience.
struct SessionsRow {
    key: Option<String>,
    /// 0 people, 1 bots, 2 AI agents.
    audience: i32,
    sessions: i64,
    visitors: i64,
    users: i64,
    hostile: i64,
    requests: i64,
    page_views: i64,
    assets: i64,
    client_errors: i64,
    server_errors: i64,
    refused: i64,
    duration_us: i64,
    with_pages: i64,
    bounces: i64,
}

/// AI requests counted together, of one or two names.
struct AiRow {
    key: Option<String>,
    second: Option<String>,
    requests: i64,
    unpriced: i64,
    completed: i64,
    failed: i64,
    cancelled: i64,
    timed_out: i64,
    input_tokens: i64,
    output_tokens: i64,
    cached_tokens: i64,
    reasoning_tokens: i64,
    cost: i64,
    latency_ms: i64,
    timed: i64,
}

/// Tasks or runs of tools counted together, of one name.
struct RunsRow {
    key: Option<String>,
    runs: i64,
    completed: i64,
    failed: i64,
    cancelled: i64,
    timed_out: i64,
    duration_ms: i64,
    timed: i64,
}

impl SessionsRow {
    fn counts(&self) -> SessionCounts {
        SessionCounts {
            sessions: count(self.sessions),
            visitors: count(self.visitors),
            users: count(self.users),
            hostile: count(self.hostile),
            requests: count(self.requests),
            page_views: count(self.page_views),
            assets: count(self.assets),
            client_errors: count(self.client_errors),
            server_errors: count(self.server_errors),
            refused: count(self.refused),
            duration_us: count(self.duration_us),
            with_pages: count(self.with_pages),
            bounces: count(self.bounces),
        }
    }
}

impl AiRow {
    fn counts(&self) -> AiUsageCounts {
        AiUsageCounts {
            requests: count(self.requests),
            unpriced: count(self.unpriced),
            completed: count(self.completed),
            failed: count(self.failed),
            cancelled: count(self.cancelled),
            timed_out: count(self.timed_out),
            input_tokens: count(self.input_tokens),
            output_tokens: count(self.output_tokens),
            cached_tokens: count(self.cached_tokens),
            reasoning_tokens: count(self.reasoning_tokens),
            cost: NanoDollars::new(self.cost),
            latency_ms: count(self.latency_ms),
            timed: count(self.timed),
        }
    }
}

impl RunsRow {
    fn counts(&self) -> RunCounts {
        RunCounts {
            runs: count(self.runs),
            completed: count(self.completed),
            failed: count(self.failed),
            cancelled: count(self.cancelled),
            timed_out: count(self.timed_out),
            duration_ms: count(self.duration_ms),
            timed: count(self.timed),
        }
    }
}

/// A count or a sum of what the tables refuse to be negative.
fn count(count: i64) -> u64 {
    count.unsigned_abs()
}

/// The audience with this number in the queries.
const fn audience(number: i32) -> Audience {
    match number {
        1 => Audience::Bots,
        2 => Audience::AiAgents,
        _ => Audience::People,
    }
}

/// A name that rows were counted under.
fn name(table: &'static str, column: &'static str, name: String) -> Result<Name, StoreError> {
    let row = Row { entity: Entity::AiRequest, table, key: name.clone() };
    row.ok(column, Name::new(name))
}

/// The sessions of a period that a filter lets through, counted by a key and by audience; `$1` to `$10` are taken.
macro_rules! sessions {
    ($key:tt, $tail:tt, $period:expr, $parts:expr $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            SessionsRow,
            "SELECT "
                + $key
                + r#" AS "key?",
                CASE WHEN class = 'ai_agent' THEN 2 WHEN class IN ('bot', 'declared_bot') THEN 1 ELSE 0 END
                    AS "audience!",
                count(*) AS "sessions!", count(DISTINCT visitor_id) AS "visitors!",
                count(DISTINCT user_id) AS "users!", count(*) FILTER (WHERE hostile) AS "hostile!",
                least(sum(requests), 9223372036854775807)::bigint AS "requests!",
                least(sum(page_views), 9223372036854775807)::bigint AS "page_views!",
                least(sum(assets), 9223372036854775807)::bigint AS "assets!",
                least(sum(client_errors), 9223372036854775807)::bigint AS "client_errors!",
                least(sum(server_errors), 9223372036854775807)::bigint AS "server_errors!",
                least(sum(refused), 9223372036854775807)::bigint AS "refused!",
                least(sum(extract(epoch FROM last_activity_at - started_at) * 1000000), 9223372036854775807)::bigint
                    AS "duration_us!",
                count(*) FILTER (WHERE page_views > 0) AS "with_pages!",
                count(*) FILTER (WHERE page_views = 1 AND engagement_events = 0) AS "bounces!"
            FROM user_sessions
            WHERE started_at >= $1 AND started_at < $2
              AND ($3::text IS NULL OR class = $3) AND ($4::text IS NULL OR channel = $4)
              AND ($5::text IS NULL OR coalesce(utm_source, referrer_host) = $5)
              AND ($6::text IS NULL OR device_type = $6) AND ($7::text IS NULL OR browser = $7)
              AND ($8::text IS NULL OR os = $8) AND ($9::text IS NULL OR country = $9)
              AND ($10::text IS NULL OR user_id = $10) "#
                + $tail,
            bound($period.from()),
            bound($period.until()),
            $parts.class,
            $parts.channel,
            $parts.source,
            $parts.device,
            $parts.browser,
            $parts.os,
            $parts.country,
            $parts.user
            $(, $argument)*
        )
    };
}

/// The requests of a period that a filter lets through, beside their sessions and with their audience, within a query
/// that begins before and goes on behind; `$1` to `$12` are taken.
macro_rules! requests {
    ($head:tt, $tail:tt, $period:expr, $parts:expr $(, $argument:expr)* $(,)?) => {{
        let (first, past) = ids_of($period);
        sqlx::query!(
            $head
                + r#"
                    CASE WHEN s.class = 'ai_agent' THEN 2 WHEN s.class IN ('bot', 'declared_bot') THEN 1 ELSE 0 END
                        AS audience
                FROM requests AS r LEFT JOIN user_sessions AS s USING (session_id)
                WHERE r.request_id >= $1 AND r.request_id < $2 AND r.at >= $3 AND r.at < $4
                  AND ($5::text IS NULL OR s.class = $5) AND ($6::text IS NULL OR s.channel = $6)
                  AND ($7::text IS NULL OR coalesce(s.utm_source, s.referrer_host) = $7)
                  AND ($8::text IS NULL OR s.device_type = $8) AND ($9::text IS NULL OR s.browser = $9)
                  AND ($10::text IS NULL OR s.os = $10) AND ($11::text IS NULL OR s.country = $11)
                  AND ($12::text IS NULL OR s.user_id = $12)"#
                + $tail,
            first,
            past,
            bound($period.from()),
            bound($period.until()),
            $parts.class,
            $parts.channel,
            $parts.source,
            $parts.device,
            $parts.browser,
            $parts.os,
            $parts.country,
            $parts.user
            $(, $argument)*
        )
    }};
}

/// The AI requests of a period that a filter lets through, counted by two keys; `$1` to `$6` are taken.
macro_rules! ai_requests {
    ($keys:tt, $tail:tt, $period:expr, $parts:expr $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            AiRow,
            "SELECT "
                + $keys
                + r#", count(*) AS "requests!",
                count(*) FILTER (WHERE cost_nano_dollars IS NULL) AS "unpriced!",
                count(*) FILTER (WHERE status = 'completed') AS "completed!",
                count(*) FILTER (WHERE status = 'failed') AS "failed!",
                count(*) FILTER (WHERE status = 'cancelled') AS "cancelled!",
                count(*) FILTER (WHERE status = 'timed_out') AS "timed_out!",
                least(coalesce(sum(input_tokens), 0), 9223372036854775807)::bigint AS "input_tokens!",
                least(coalesce(sum(output_tokens), 0), 9223372036854775807)::bigint AS "output_tokens!",
                least(coalesce(sum(cached_tokens), 0), 9223372036854775807)::bigint AS "cached_tokens!",
                least(coalesce(sum(reasoning_tokens), 0), 9223372036854775807)::bigint AS "reasoning_tokens!",
                least(coalesce(sum(cost_nano_dollars), 0), 9223372036854775807)::bigint AS "cost!",
                least(coalesce(sum(latency_ms), 0), 9223372036854775807)::bigint AS "latency_ms!",
                count(latency_ms) AS "timed!"
            FROM ai_requests
            WHERE at >= $1 AND at < $2
              AND ($3::text IS NULL OR user_id = $3) AND ($4::text IS NULL OR agent = $4)
              AND ($5::text IS NULL OR provider = $5) AND ($6::text IS NULL OR model = $6) "#
                + $tail,
            bound($period.from()),
            bound($period.until()),
            $parts.user,
            $parts.agent,
            $parts.provider,
            $parts.model
            $(, $argument)*
        )
    };
}

/// Tasks or runs of tools, counted by a key; what stands after the counts is given.
macro_rules! runs {
    ($key:tt, $tail:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            RunsRow,
            "SELECT "
                + $key
                + r#" AS "key?", count(*) AS "runs!",
                count(*) FILTER (WHERE status = 'completed') AS "completed!",
                count(*) FILTER (WHERE status = 'failed') AS "failed!",
                count(*) FILTER (WHERE status = 'cancelled') AS "cancelled!",
                count(*) FILTER (WHERE status = 'timed_out') AS "timed_out!",
                least(coalesce(sum(duration_ms), 0), 9223372036854775807)::bigint AS "duration_ms!",
                count(duration_ms) AS "timed!" "#
                + $tail
            $(, $argument)*
        )
    };
}

use {ai_requests, requests, runs, sessions};
