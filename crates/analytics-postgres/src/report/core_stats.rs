//! Reports about the platform, its users, agents, tools and conversations.

use std::collections::BTreeMap;

use analytics_domain::ids::{ConversationId, SessionId, UserId};
use analytics_domain::session::{NanoDollars, Text};
use analytics_domain::stats::counts::{
    ActiveCounts, ActivityCounts, AgentConversationsRow, AgentRow, AiUsageCounts, ConversationCounts,
    ConversationRow, PlatformCounts, RunCounts, ToolRow, UserRow,
};
use analytics_domain::stats::{Audience, Days, Period, ReportFilter};
use analytics_domain::usage::Name;
use analytics_ports::{BatchLimit, CoreStatsRepository, Entity, StoreError};
use async_trait::async_trait;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    AiRow, Parts, PostgresReports, RunsRow, SessionsRow, ai_requests, audience, count, name, runs, sessions,
};
use crate::read::Row;
use crate::stamp::{Stamp, bound};

#[async_trait]
impl CoreStatsRepository for PostgresReports {
    async fn platform(&self, period: Period, filter: &ReportFilter) -> Result<PlatformCounts, StoreError> {
        let parts = Parts::of(filter);
        self.database
            .run(async {
                let mut snapshot = self.snapshot().await?;
                let mut counts = PlatformCounts::default();
                let rows =
                    sessions!("NULL::text", "GROUP BY 2", period, parts).fetch_all(&mut *snapshot).await?;
                for row in rows {
                    *counts.sessions.get_mut(audience(row.audience)) = row.counts();
                }
                let ai = ai_requests!(r#"NULL::text AS "key?", NULL::text AS "second?""#, "", period, parts);
                counts.ai = ai.fetch_one(&mut *snapshot).await?.counts();
                let tasks = runs!(
                    "NULL::text",
                    "FROM tasks WHERE at >= $1 AND at < $2 AND ($3::text IS NULL OR user_id = $3)
                       AND ($4::text IS NULL OR agent = $4)",
                    bound(period.from()),
                    bound(period.until()),
                    parts.user,
                    parts.agent,
                );
                counts.tasks = tasks.fetch_one(&mut *snapshot).await?.counts();
                let tools = runs!(
                    "NULL::text",
                    "FROM tool_executions WHERE at >= $1 AND at < $2 AND ($3::text IS NULL OR user_id = $3)
                       AND ($4::text IS NULL OR agent = $4) AND ($5::text IS NULL OR tool = $5)",
                    bound(period.from()),
                    bound(period.until()),
                    parts.user,
                    parts.agent,
                    parts.tool,
                );
                counts.tool_executions = tools.fetch_one(&mut *snapshot).await?.counts();
                let begun = sqlx::query_scalar!(
                    r#"SELECT count(*) AS "count!" FROM conversations
                       WHERE at >= $1 AND at < $2 AND ($3::text IS NULL OR user_id = $3)
                         AND ($4::text IS NULL OR agent = $4)"#,
                    bound(period.from()),
                    bound(period.until()),
                    parts.user,
                    parts.agent,
                );
                counts.conversations = count(begun.fetch_one(&mut *snapshot).await?);
                let sent = sqlx::query_scalar!(
                    r#"SELECT count(*) AS "count!" FROM messages
                       WHERE at >= $1 AND at < $2 AND ($3::text IS NULL OR user_id = $3)
                         AND ($4::text IS NULL OR agent = $4)"#,
                    bound(period.from()),
                    bound(period.until()),
                    parts.user,
                    parts.agent,
                );
                counts.messages = count(sent.fetch_one(&mut *snapshot).await?);
                counts.users = users(&mut snapshot, period, parts).await?;
                Ok(counts)
            })
            .await
    }

    async fn active(
        &self,
        periods: &[Period],
        filter: &ReportFilter,
    ) -> Result<Vec<ActiveCounts>, StoreError> {
        let parts = Parts::of(filter);
        self.database
            .run(async {
                let mut snapshot = self.snapshot().await?;
                let mut counts = Vec::with_capacity(periods.len());
                for &period in periods {
                    let rows = sessions!("NULL::text", "GROUP BY 2", period, parts);
                    let rows = rows.fetch_all(&mut *snapshot).await?;
                    let people = rows.iter().find(|row| audience(row.audience) == Audience::People);
                    counts.push(ActiveCounts {
                        users: users(&mut snapshot, period, parts).await?,
                        visitors: people.map_or(0, |row| count(row.visitors)),
                        sessions: people.map_or(0, |row| count(row.sessions)),
                    });
                }
                Ok(counts)
            })
            .await
    }

    async fn activity(&self, days: &Days, filter: &ReportFilter) -> Result<Vec<ActivityCounts>, StoreError> {
        let (parts, period) = (Parts::of(filter), days.period());
        let edges: Vec<_> = days.edges().iter().copied().map(bound).collect();
        let mut counts = vec![ActivityCounts::default(); days.days().len()];
        self.database
            .run(async {
                let mut snapshot = self.snapshot().await?;
                // The key of a session is its day, from 1.
                let by_day = sessions!(
                    "width_bucket(started_at, $11::timestamptz[])::text",
                    "GROUP BY 1, 2",
                    period,
                    parts,
                    &edges,
                );
                for row in by_day.fetch_all(&mut *snapshot).await? {
                    let day = row.key.as_ref().and_then(|day| day.parse::<usize>().ok());
                    let Some(of_day) = day.and_then(|day| counts.get_mut(day - 1)) else { continue };
                    let audience = audience(row.audience);
                    *of_day.sessions.get_mut(audience) = count(row.sessions);
                    if audience == Audience::People {
                        of_day.visitors = count(row.visitors);
                        of_day.page_views = count(row.page_views);
                    }
                }
                for row in activity_of_usage(&mut snapshot, period, &edges, parts).await? {
                    let Some(of_day) = counts.get_mut(row.day as usize - 1) else { continue };
                    of_day.users = count(row.users);
                    of_day.ai_requests = count(row.ai_requests);
                    of_day.unpriced = count(row.unpriced);
                    of_day.tokens = count(row.tokens);
                    of_day.cost = NanoDollars::new(row.cost);
                    of_day.tasks = count(row.tasks);
                    of_day.tool_executions = count(row.tool_executions);
                    of_day.conversations = count(row.conversations);
                    of_day.messages = count(row.messages);
                }
                Ok(())
            })
            .await?;
        Ok(counts)
    }

    async fn top_users(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<UserRow>, StoreError> {
        let parts = Parts::of(filter);
        let (rows, ai) = self
            .database
            .run(async {
                let mut snapshot = self.snapshot().await?;
                let rows = ranked_users(&mut snapshot, period, parts, limit).await?;
                let names: Vec<&str> = rows.iter().map(|row| row.user_id.as_str()).collect();
                let ai = ai_requests!(
                    r#"user_id AS "key?", NULL::text AS "second?""#,
                    "AND user_id = ANY ($7::text[]) GROUP BY user_id",
                    period,
                    parts,
                    &names as &[&str],
                );
                let ai = ai.fetch_all(&mut *snapshot).await?;
                Ok((rows, ai))
            })
            .await?;
        let ai = by_key(&ai, |row| &row.key, AiRow::counts);
        let row = |row: RankedUser| {
            let of = Row { entity: Entity::AiRequest, table: "ai_requests", key: row.user_id.clone() };
            Ok(UserRow {
                ai: ai.get(&row.user_id).copied().unwrap_or_default(),
                user: of.ok("user_id", UserId::new(row.user_id))?,
                sessions: count(row.sessions),
                page_views: count(row.page_views),
                tasks: count(row.tasks),
                tool_executions: count(row.tool_executions),
                conversations: count(row.conversations),
                messages: count(row.messages),
            })
        };
        rows.into_iter().map(row).collect()
    }

    async fn top_agents(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<AgentRow>, StoreError> {
        let parts = Parts::of(filter);
        let (ranked, tasks, ai) = self
            .database
            .run(async {
                let mut snapshot = self.snapshot().await?;
                let ranked = ranked_agents(&mut snapshot, period, parts, limit).await?;
                let names: Vec<&str> = ranked.iter().map(|(agent, _)| agent.as_str()).collect();
                let tasks = runs!(
                    "agent",
                    "FROM tasks WHERE at >= $1 AND at < $2 AND ($3::text IS NULL OR user_id = $3)
                       AND agent = ANY ($4::text[]) GROUP BY agent",
                    bound(period.from()),
                    bound(period.until()),
                    parts.user,
                    &names as &[&str],
                );
                let tasks = tasks.fetch_all(&mut *snapshot).await?;
                let ai = ai_requests!(
                    r#"agent AS "key?", NULL::text AS "second?""#,
                    "AND agent = ANY ($7::text[]) GROUP BY agent",
                    period,
                    parts,
                    &names as &[&str],
                );
                let ai = ai.fetch_all(&mut *snapshot).await?;
                Ok((ranked, tasks, ai))
            })
            .await?;
        let tasks: BTreeMap<String, RunCounts> = by_key(&tasks, |row| &row.key, RunsRow::counts);
        let ai: BTreeMap<String, AiUsageCounts> = by_key(&ai, |row| &row.key, AiRow::counts);
        let row = |(agent, tool_executions): (String, i64)| {
            Ok(AgentRow {
                tasks: tasks.get(&agent).copied().unwrap_or_default(),
                ai: ai.get(&agent).copied().unwrap_or_default(),
                tool_executions: count(tool_executions),
                agent: name("tasks", "agent", agent)?,
            })
        };
        ranked.into_iter().map(row).collect()
    }

    async fn top_tools(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<ToolRow>, StoreError> {
        let parts = Parts::of(filter);
        let rows = runs!(
            "tool",
            "FROM tool_executions WHERE at >= $1 AND at < $2 AND ($3::text IS NULL OR user_id = $3)
               AND ($4::text IS NULL OR agent = $4) AND ($5::text IS NULL OR tool = $5)
             GROUP BY tool ORDER BY count(*) DESC, tool LIMIT $6",
            bound(period.from()),
            bound(period.until()),
            parts.user,
            parts.agent,
            parts.tool,
            i64::from(limit.get()),
        );
        let rows = self.database.run(rows.fetch_all(self.database.pool())).await?;
        let row = |row: RunsRow| {
            let runs = row.counts();
            Ok(ToolRow { tool: name("tool_executions", "tool", row.key.unwrap_or_default())?, runs })
        };
        rows.into_iter().map(row).collect()
    }

    async fn recent_conversations(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<ConversationRow>, StoreError> {
        let parts = Parts::of(filter);
        let rows = sqlx::query!(
            r#"SELECT conversation_id, at AS "at: Stamp", session_id, user_id, agent, title,
                   (SELECT count(*) FROM messages
                    WHERE messages.conversation_id = conversations.conversation_id AND messages.at < $2)
                       AS "messages!",
                   (SELECT max(messages.at) FROM messages
                    WHERE messages.conversation_id = conversations.conversation_id AND messages.at < $2)
                       AS "last_message_at: Stamp"
               FROM conversations
               WHERE at >= $1 AND at < $2 AND ($3::text IS NULL OR user_id = $3)
                 AND ($4::text IS NULL OR agent = $4)
               ORDER BY at DESC, conversation_id DESC LIMIT $5"#,
            bound(period.from()),
            bound(period.until()),
            parts.user,
            parts.agent,
            i64::from(limit.get()),
        );
        let rows = self.database.run(rows.fetch_all(self.database.pool())).await?;
        rows.into_iter()
            .map(|one| {
                let id = ConversationId::from_u128(one.conversation_id.as_u128());
                let row = Row { entity: Entity::Conversation, table: "conversations", key: id };
                let last_message_at = one.last_message_at.map(|at| row.time("at", at)).transpose()?;
                Ok(ConversationRow {
                    id,
                    at: row.time("at", one.at)?,
                    session: one.session_id.map(|id: Uuid| SessionId::from_u128(id.as_u128())),
                    user: row.ok("user_id", one.user_id.map(UserId::new).transpose())?,
                    agent: row.ok("agent", one.agent.map(Name::new).transpose())?,
                    title: row.ok("title", one.title.map(Text::new).transpose())?,
                    messages: count(one.messages),
                    last_message_at,
                })
            })
            .collect()
    }

    async fn conversations(
        &self,
        period: Period,
        filter: &ReportFilter,
    ) -> Result<ConversationCounts, StoreError> {
        let parts = Parts::of(filter);
        let counted = sqlx::query!(
            r#"WITH begun AS (
                SELECT user_id, (SELECT count(*) FROM messages
                                 WHERE messages.conversation_id = conversations.conversation_id
                                   AND messages.at < $2) AS messages
                FROM conversations
                WHERE at >= $1 AND at < $2 AND ($3::text IS NULL OR user_id = $3)
                  AND ($4::text IS NULL OR agent = $4)
            ), sent AS (
                SELECT count(*) FILTER (WHERE role = 'user') AS by_users,
                    count(*) FILTER (WHERE role = 'assistant') AS by_assistants,
                    count(*) FILTER (WHERE role = 'system') AS by_systems,
                    count(*) FILTER (WHERE role = 'tool') AS by_tools
                FROM messages
                WHERE at >= $1 AND at < $2 AND ($3::text IS NULL OR user_id = $3)
                  AND ($4::text IS NULL OR agent = $4)
            )
            SELECT count(*) AS "conversations!", count(*) FILTER (WHERE messages = 0) AS "empty!",
                count(DISTINCT user_id) AS "users!", coalesce(sum(messages), 0)::bigint AS "messages_of_begun!",
                (SELECT by_users FROM sent) AS "by_users!",
                (SELECT by_assistants FROM sent) AS "by_assistants!",
                (SELECT by_systems FROM sent) AS "by_systems!", (SELECT by_tools FROM sent) AS "by_tools!"
            FROM begun"#,
            bound(period.from()),
            bound(period.until()),
            parts.user,
            parts.agent,
        );
        let counted = self.database.run(counted.fetch_one(self.database.pool())).await?;
        Ok(ConversationCounts {
            conversations: count(counted.conversations),
            empty: count(counted.empty),
            users: count(counted.users),
            messages_of_begun: count(counted.messages_of_begun),
            user_messages: count(counted.by_users),
            assistant_messages: count(counted.by_assistants),
            system_messages: count(counted.by_systems),
            tool_messages: count(counted.by_tools),
        })
    }

    async fn conversations_by_agent(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<AgentConversationsRow>, StoreError> {
        let parts = Parts::of(filter);
        let rows = sqlx::query!(
            r#"SELECT agent AS "agent?", count(*) FILTER (WHERE begun) AS "conversations!",
                   count(DISTINCT user_id) FILTER (WHERE begun) AS "users!",
                   count(*) FILTER (WHERE NOT begun) AS "messages!"
               FROM (
                   SELECT agent, user_id, at, true AS begun FROM conversations
                   UNION ALL
                   SELECT agent, user_id, at, false FROM messages
               ) AS spoken
               WHERE at >= $1 AND at < $2 AND ($3::text IS NULL OR user_id = $3)
                 AND ($4::text IS NULL OR agent = $4)
               GROUP BY agent
               ORDER BY count(*) FILTER (WHERE begun) DESC, count(*) FILTER (WHERE NOT begun) DESC,
                   agent NULLS LAST
               LIMIT $5"#,
            bound(period.from()),
            bound(period.until()),
            parts.user,
            parts.agent,
            i64::from(limit.get()),
        );
        let rows = self.database.run(rows.fetch_all(self.database.pool())).await?;
        rows.into_iter()
            .map(|row| {
                Ok(AgentConversationsRow {
                    agent: row.agent.map(|agent| name("conversations", "agent", agent)).transpose()?,
                    conversations: count(row.conversations),
                    users: count(row.users),
                    messages: count(row.messages),
                })
            })
            .collect()
    }
}

/// The distinct users of all kinds of rows together.
async fn users(connection: &mut PgConnection, period: Period, parts: Parts<'_>) -> Result<u64, sqlx::Error> {
    let users = sqlx::query_scalar!(
        r#"SELECT count(DISTINCT user_id) AS "users!" FROM (
            SELECT user_id FROM user_sessions
            WHERE started_at >= $1 AND started_at < $2
              AND ($3::text IS NULL OR class = $3) AND ($4::text IS NULL OR channel = $4)
              AND ($5::text IS NULL OR coalesce(utm_source, referrer_host) = $5)
              AND ($6::text IS NULL OR device_type = $6) AND ($7::text IS NULL OR browser = $7)
              AND ($8::text IS NULL OR os = $8) AND ($9::text IS NULL OR country = $9)
              AND ($10::text IS NULL OR user_id = $10)
            UNION ALL
            SELECT user_id FROM ai_requests
            WHERE at >= $1 AND at < $2 AND ($10::text IS NULL OR user_id = $10)
              AND ($11::text IS NULL OR agent = $11) AND ($12::text IS NULL OR provider = $12)
              AND ($13::text IS NULL OR model = $13)
            UNION ALL
            SELECT user_id FROM tool_executions
            WHERE at >= $1 AND at < $2 AND ($10::text IS NULL OR user_id = $10)
              AND ($11::text IS NULL OR agent = $11) AND ($14::text IS NULL OR tool = $14)
            UNION ALL
            SELECT user_id FROM (
                SELECT user_id, agent, at FROM tasks
                UNION ALL SELECT user_id, agent, at FROM conversations
                UNION ALL SELECT user_id, agent, at FROM messages
            ) AS others
            WHERE at >= $1 AND at < $2 AND ($10::text IS NULL OR user_id = $10)
              AND ($11::text IS NULL OR agent = $11)
        ) AS active"#,
        bound(period.from()),
        bound(period.until()),
        parts.class,
        parts.channel,
        parts.source,
        parts.device,
        parts.browser,
        parts.os,
        parts.country,
        parts.user,
        parts.agent,
        parts.provider,
        parts.model,
        parts.tool,
    );
    Ok(count(users.fetch_one(connection).await?))
}

/// What was used on one day, and by how many, those of sessions among them.
struct UsageOfDay {
    /// From 1.
    day: i32,
    users: i64,
    ai_requests: i64,
    unpriced: i64,
    tokens: i64,
    cost: i64,
    tasks: i64,
    tool_executions: i64,
    conversations: i64,
    messages: i64,
}

async fn activity_of_usage(
    connection: &mut PgConnection,
    period: Period,
    edges: &[chrono::DateTime<chrono::Utc>],
    parts: Parts<'_>,
) -> Result<Vec<UsageOfDay>, sqlx::Error> {
    // Each row stands once, with its kind; so a day is counted in one pass and no sum is multiplied.
    sqlx::query_as!(
        UsageOfDay,
        r#"SELECT width_bucket(at, $15::timestamptz[]) AS "day!", count(DISTINCT user_id) AS "users!",
            count(*) FILTER (WHERE kind = 'ai_request') AS "ai_requests!",
            count(*) FILTER (WHERE kind = 'ai_request' AND cost IS NULL) AS "unpriced!",
            least(coalesce(sum(tokens), 0), 9223372036854775807)::bigint AS "tokens!",
            least(coalesce(sum(cost), 0), 9223372036854775807)::bigint AS "cost!",
            count(*) FILTER (WHERE kind = 'task') AS "tasks!",
            count(*) FILTER (WHERE kind = 'tool_execution') AS "tool_executions!",
            count(*) FILTER (WHERE kind = 'conversation') AS "conversations!",
            count(*) FILTER (WHERE kind = 'message') AS "messages!"
        FROM (
            SELECT 'session' AS kind, started_at AS at, user_id, NULL::bigint AS tokens, NULL::bigint AS cost
            FROM user_sessions
            WHERE started_at >= $1 AND started_at < $2
              AND ($3::text IS NULL OR class = $3) AND ($4::text IS NULL OR channel = $4)
              AND ($5::text IS NULL OR coalesce(utm_source, referrer_host) = $5)
              AND ($6::text IS NULL OR device_type = $6) AND ($7::text IS NULL OR browser = $7)
              AND ($8::text IS NULL OR os = $8) AND ($9::text IS NULL OR country = $9)
              AND ($10::text IS NULL OR user_id = $10)
            UNION ALL
            SELECT 'ai_request', at, user_id, input_tokens + output_tokens, cost_nano_dollars FROM ai_requests
            WHERE at >= $1 AND at < $2 AND ($10::text IS NULL OR user_id = $10)
              AND ($11::text IS NULL OR agent = $11) AND ($12::text IS NULL OR provider = $12)
              AND ($13::text IS NULL OR model = $13)
            UNION ALL
            SELECT 'tool_execution', at, user_id, NULL, NULL FROM tool_executions
            WHERE at >= $1 AND at < $2 AND ($10::text IS NULL OR user_id = $10)
              AND ($11::text IS NULL OR agent = $11) AND ($14::text IS NULL OR tool = $14)
            UNION ALL
            SELECT kind, at, user_id, NULL, NULL FROM (
                SELECT 'task' AS kind, user_id, agent, at FROM tasks
                UNION ALL SELECT 'conversation', user_id, agent, at FROM conversations
                UNION ALL SELECT 'message', user_id, agent, at FROM messages
            ) AS others
            WHERE at >= $1 AND at < $2 AND ($10::text IS NULL OR user_id = $10)
              AND ($11::text IS NULL OR agent = $11)
        ) AS active GROUP BY 1"#,
        bound(period.from()),
        bound(period.until()),
        parts.class,
        parts.channel,
        parts.source,
        parts.device,
        parts.browser,
        parts.os,
        parts.country,
        parts.user,
        parts.agent,
        parts.provider,
        parts.model,
        parts.tool,
        edges,
    )
    .fetch_all(connection)
    .await
}

/// What one user did, but for AI requests.
struct RankedUser {
    user_id: String,
    sessions: i64,
    page_views: i64,
    tasks: i64,
    tool_executions: i64,
    conversations: i64,
    messages: i64,
}

async fn ranked_users(
    connection: &mut PgConnection,
    period: Period,
    parts: Parts<'_>,
    limit: BatchLimit,
) -> Result<Vec<RankedUser>, sqlx::Error> {
    // Each row stands once, with its kind; so a user is counted in one pass and no sum is multiplied.
    sqlx::query_as!(
        RankedUser,
        r#"SELECT user_id AS "user_id!", count(*) FILTER (WHERE kind = 'session') AS "sessions!",
            least(coalesce(sum(page_views), 0), 9223372036854775807)::bigint AS "page_views!",
            count(*) FILTER (WHERE kind = 'task') AS "tasks!",
            count(*) FILTER (WHERE kind = 'tool_execution') AS "tool_executions!",
            count(*) FILTER (WHERE kind = 'conversation') AS "conversations!",
            count(*) FILTER (WHERE kind = 'message') AS "messages!"
        FROM (
            SELECT 'session' AS kind, user_id, page_views, NULL::bigint AS cost FROM user_sessions
            WHERE started_at >= $1 AND started_at < $2
              AND ($3::text IS NULL OR class = $3) AND ($4::text IS NULL OR channel = $4)
              AND ($5::text IS NULL OR coalesce(utm_source, referrer_host) = $5)
              AND ($6::text IS NULL OR device_type = $6) AND ($7::text IS NULL OR browser = $7)
              AND ($8::text IS NULL OR os = $8) AND ($9::text IS NULL OR country = $9)
              AND ($10::text IS NULL OR user_id = $10)
            UNION ALL
            SELECT 'ai_request', user_id, NULL, cost_nano_dollars FROM ai_requests
            WHERE at >= $1 AND at < $2 AND ($10::text IS NULL OR user_id = $10)
              AND ($11::text IS NULL OR agent = $11) AND ($12::text IS NULL OR provider = $12)
              AND ($13::text IS NULL OR model = $13)
            UNION ALL
            SELECT 'tool_execution', user_id, NULL, NULL FROM tool_executions
            WHERE at >= $1 AND at < $2 AND ($10::text IS NULL OR user_id = $10)
              AND ($11::text IS NULL OR agent = $11) AND ($14::text IS NULL OR tool = $14)
            UNION ALL
            SELECT kind, user_id, NULL, NULL FROM (
                SELECT 'task' AS kind, user_id, agent, at FROM tasks
                UNION ALL SELECT 'conversation', user_id, agent, at FROM conversations
                UNION ALL SELECT 'message', user_id, agent, at FROM messages
            ) AS others
            WHERE at >= $1 AND at < $2 AND ($10::text IS NULL OR user_id = $10)
              AND ($11::text IS NULL OR agent = $11)
        ) AS active
        WHERE user_id IS NOT NULL GROUP BY user_id
        ORDER BY least(coalesce(sum(cost), 0), 9223372036854775807) DESC,
            count(*) FILTER (WHERE kind = 'session') DESC, user_id
        LIMIT $15"#,
        bound(period.from()),
        bound(period.until()),
        parts.class,
        parts.channel,
        parts.source,
        parts.device,
        parts.browser,
        parts.os,
        parts.country,
        parts.user,
        parts.agent,
        parts.provider,
        parts.model,
        parts.tool,
        i64::from(limit.get()),
    )
    .fetch_all(connection)
    .await
}

/// The agents in their rank, each with how many runs of tools it had.
async fn ranked_agents(
    connection: &mut PgConnection,
    period: Period,
    parts: Parts<'_>,
    limit: BatchLimit,
) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT agent AS "agent!", count(*) FILTER (WHERE kind = 'tool_execution') AS "tool_executions!"
        FROM (
            SELECT 'task' AS kind, agent FROM tasks
            WHERE at >= $1 AND at < $2 AND ($3::text IS NULL OR user_id = $3)
              AND ($4::text IS NULL OR agent = $4)
            UNION ALL
            SELECT 'ai_request', agent FROM ai_requests
            WHERE at >= $1 AND at < $2 AND ($3::text IS NULL OR user_id = $3)
              AND ($4::text IS NULL OR agent = $4) AND ($5::text IS NULL OR provider = $5)
              AND ($6::text IS NULL OR model = $6)
            UNION ALL
            SELECT 'tool_execution', agent FROM tool_executions
            WHERE at >= $1 AND at < $2 AND ($3::text IS NULL OR user_id = $3)
              AND ($4::text IS NULL OR agent = $4) AND ($7::text IS NULL OR tool = $7)
        ) AS active
        WHERE agent IS NOT NULL GROUP BY agent
        ORDER BY count(*) FILTER (WHERE kind = 'task') DESC, count(*) FILTER (WHERE kind = 'ai_request') DESC, agent
        LIMIT $8"#,
        bound(period.from()),
        bound(period.until()),
        parts.user,
        parts.agent,
        parts.provider,
        parts.model,
        parts.tool,
        i64::from(limit.get()),
    );
    let rows = rows.fetch_all(connection).await?;
    Ok(rows.into_iter().map(|row| (row.agent, row.tool_executions)).collect())
}

/// The counts of each key.
fn by_key<R, C>(
    rows: &[R],
    key: impl Fn(&R) -> &Option<String>,
    counts: impl Fn(&R) -> C,
) -> BTreeMap<String, C> {
    rows.iter().filter_map(|row| Some((key(row).clone()?, counts(row)))).collect()
}
