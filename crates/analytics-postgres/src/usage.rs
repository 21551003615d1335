//! The use of AI providers, agents and tools in PostgreSQL.

use analytics_domain::ids::{
    AiRequestId, ConversationId, MessageId, SessionId, TaskId, ToolExecutionId, UserId,
};
use analytics_domain::session::{NanoDollars, Text};
use analytics_domain::stats::Period;
use analytics_domain::usage::{
    AiRequest, Conversation, Message, Name, RequestCost, Stamp, Task, TokenCounts, ToolExecution,
};
use analytics_ports::{BatchLimit, Entity, Page, PageRequest, StoreError, UsageKind, UsageRepository};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::database::Database;
use crate::read::Row;
use crate::stamp::{Stamp as Timestamp, bound};

/// The use of AI providers, agents and tools in PostgreSQL, in the tables `ai_requests`, `tasks`, `tool_executions`,
/// `conversations` and `messages`.
///
/// A batch is one statement, the totals of its sessions with it: they change by the rows that were really inserted.
/// Sessions are locked in the order of their ids, so that two batches do not wait for each other.
#[derive(Debug, Clone)]
pub struct PostgresUsage {
    database: Database,
}

impl PostgresUsage {
    pub(crate) const fn new(database: Database) -> Self {
        Self { database }
    }

    /// The page of these rows. One that cannot be read is left out; the page goes on after the last that can.
    fn page<R, T, I: Copy>(
        &self,
        rows: Vec<R>,
        limit: BatchLimit,
        read: impl Fn(R) -> Result<T, StoreError>,
        place: impl Fn(&T) -> Stamp<I>,
    ) -> Page<T, Stamp<I>> {
        let more = rows.len() > limit.as_usize();
        let items = self.database.readable(rows.into_iter().take(limit.as_usize()), read);
        let next = items.last().filter(|_| more).map(place);
        Page { items, next }
    }
}

#[async_trait]
impl UsageRepository for PostgresUsage {
    async fn record_ai_requests(
        &self,
        requests: &[AiRequest],
        recorded_at: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        if requests.is_empty() {
            return Ok(0);
        }
        let columns = AiRequestColumns::of(requests);
        let inserted = self.database.run(
            sqlx::query_scalar!(
                r#"WITH inserted AS (
                    INSERT INTO ai_requests (
                        ai_request_id, at, session_id, user_id, task_id, agent, provider, model, input_tokens,
                        output_tokens, cached_tokens, reasoning_tokens, cost_nano_dollars, latency_ms, status, recorded_at
                    )
                    SELECT ai_request_id, at, session_id, user_id, task_id, agent, provider, model, input_tokens,
                           output_tokens, cached_tokens, reasoning_tokens, cost_nano_dollars, latency_ms, status, $16
                    FROM unnest(
                        $1::uuid[], $2::timestamptz[], $3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::text[],
                        $8::text[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[],
                        $14::bigint[], $15::text[]
                    ) WITH ORDINALITY AS one (
                        ai_request_id, at, session_id, user_id, task_id, agent, provider, model, input_tokens,
                        output_tokens, cached_tokens, reasoning_tokens, cost_nano_dollars, latency_ms, status, place
                    )
                    ORDER BY ai_request_id, place
                    ON CONFLICT (ai_request_id) DO NOTHING
                    RETURNING session_id, input_tokens, output_tokens, cost_nano_dollars
                ), sums AS (
                    SELECT session_id,
                        count(*) AS ai_requests,
                        count(*) FILTER (WHERE cost_nano_dollars IS NULL) AS unpriced_ai_requests,
                        sum(input_tokens + output_tokens) AS tokens,
                        coalesce(sum(cost_nano_dollars), 0) AS cost_nano_dollars
                    FROM inserted WHERE session_id IS NOT NULL GROUP BY session_id
                ), locked AS (
                    SELECT session_id FROM user_sessions WHERE session_id IN (SELECT session_id FROM sums)
                    ORDER BY session_id FOR UPDATE
                ), changed AS (
                    UPDATE user_sessions SET version = version + 1,
                        ai_requests = least(user_sessions.ai_requests::numeric + sums.ai_requests, 9223372036854775807)::bigint,
                        unpriced_ai_requests = least(user_sessions.unpriced_ai_requests::numeric + sums.unpriced_ai_requests, 9223372036854775807)::bigint,
                        tokens = least(user_sessions.tokens::numeric + sums.tokens, 9223372036854775807)::bigint,
                        cost_nano_dollars = least(user_sessions.cost_nano_dollars::numeric + sums.cost_nano_dollars, 9223372036854775807)::bigint
                    FROM sums JOIN locked USING (session_id)
                    WHERE user_sessions.session_id = sums.session_id
                )
                SELECT count(*) AS "inserted!" FROM inserted"#,
                &columns.ai_request_id,
                &columns.at,
                &columns.session_id as &[Option<Uuid>],
                &columns.user_id as &[Option<&str>],
                &columns.task_id as &[Option<Uuid>],
                &columns.agent as &[Option<&str>],
                &columns.provider as &[&str],
                &columns.model as &[&str],
                &columns.input_tokens,
                &columns.output_tokens,
                &columns.cached_tokens,
                &columns.reasoning_tokens,
                &columns.cost_nano_dollars as &[Option<i64>],
                &columns.latency_ms as &[Option<i64>],
                &columns.status as &[&str],
                bound(recorded_at),
            )
            .fetch_one(self.database.pool()),
        );
        Ok(inserted.await?.unsigned_abs())
    }

    async fn record_tasks(&self, tasks: &[Task], recorded_at: DateTime<Utc>) -> Result<u64, StoreError> {
        if tasks.is_empty() {
            return Ok(0);
        }
        let columns = TaskColumns::of(tasks);
        let inserted = self.database.run(
            sqlx::query_scalar!(
                r#"WITH inserted AS (
                    INSERT INTO tasks (
                        task_id, at, session_id, user_id, agent, status, duration_ms, recorded_at
                    )
                    SELECT task_id, at, session_id, user_id, agent, status, duration_ms, $8
                    FROM unnest(
                        $1::uuid[], $2::timestamptz[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::bigint[]
                    ) WITH ORDINALITY AS one (
                        task_id, at, session_id, user_id, agent, status, duration_ms, place
                    )
                    ORDER BY task_id, place
                    ON CONFLICT (task_id) DO NOTHING
                    RETURNING session_id
                ), sums AS (
                    SELECT session_id,
                        count(*) AS tasks
                    FROM inserted WHERE session_id IS NOT NULL GROUP BY session_id
                ), locked AS (
                    SELECT session_id FROM user_sessions WHERE session_id IN (SELECT session_id FROM sums)
                    ORDER BY session_id FOR UPDATE
                ), changed AS (
                    UPDATE user_sessions SET version = version + 1,
                        tasks = least(user_sessions.tasks::numeric + sums.tasks, 9223372036854775807)::bigint
                    FROM sums JOIN locked USING (session_id)
                    WHERE user_sessions.session_id = sums.session_id
                )
                SELECT count(*) AS "inserted!" FROM inserted"#,
                &columns.task_id,
                &columns.at,
                &columns.session_id as &[Option<Uuid>],
                &columns.user_id as &[Option<&str>],
                &columns.agent as &[&str],
                &columns.status as &[&str],
                &columns.duration_ms as &[Option<i64>],
                bound(recorded_at),
            )
            .fetch_one(self.database.pool()),
        );
        Ok(inserted.await?.unsigned_abs())
    }

    async fn record_tool_executions(
        &self,
        executions: &[ToolExecution],
        recorded_at: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        if executions.is_empty() {
            return Ok(0);
        }
        let columns = ToolExecutionColumns::of(executions);
        let inserted = self.database.run(
            sqlx::query_scalar!(
                r#"WITH inserted AS (
                    INSERT INTO tool_executions (
                        tool_execution_id, at, session_id, user_id, task_id, agent, tool, status, duration_ms, recorded_at
                    )
                    SELECT tool_execution_id, at, session_id, user_id, task_id, agent, tool, status, duration_ms, $10
                    FROM unnest(
                        $1::uuid[], $2::timestamptz[], $3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::text[],
                        $8::text[], $9::bigint[]
                    ) WITH ORDINALITY AS one (
                        tool_execution_id, at, session_id, user_id, task_id, agent, tool, status, duration_ms, place
                    )
                    ORDER BY tool_execution_id, place
                    ON CONFLICT (tool_execution_id) DO NOTHING
                    RETURNING 1
                )
                SELECT count(*) AS "inserted!" FROM inserted"#,
                &columns.tool_execution_id,
                &columns.at,
                &columns.session_id as &[Option<Uuid>],
                &columns.user_id as &[Option<&str>],
                &columns.task_id as &[Option<Uuid>],
                &columns.agent as &[Option<&str>],
                &columns.tool as &[&str],
                &columns.status as &[&str],
                &columns.duration_ms as &[Option<i64>],
                bound(recorded_at),
            )
            .fetch_one(self.database.pool()),
        );
        Ok(inserted.await?.unsigned_abs())
    }

    async fn record_conversations(
        &self,
        conversations: &[Conversation],
        recorded_at: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        if conversations.is_empty() {
            return Ok(0);
        }
        let columns = ConversationColumns::of(conversations);
        let inserted = self.database.run(
            sqlx::query_scalar!(
                r#"WITH inserted AS (
                    INSERT INTO conversations (
                        conversation_id, at, session_id, user_id, agent, title, recorded_at
                    )
                    SELECT conversation_id, at, session_id, user_id, agent, title, $7
                    FROM unnest(
                        $1::uuid[], $2::timestamptz[], $3::uuid[], $4::text[], $5::text[], $6::text[]
                    ) WITH ORDINALITY AS one (
                        conversation_id, at, session_id, user_id, agent, title, place
                    )
                    ORDER BY conversation_id, place
                    ON CONFLICT (conversation_id) DO NOTHING
                    RETURNING 1
                )
                SELECT count(*) AS "inserted!" FROM inserted"#,
                &columns.conversation_id,
                &columns.at,
                &columns.session_id as &[Option<Uuid>],
                &columns.user_id as &[Option<&str>],
                &columns.agent as &[Option<&str>],
                &columns.title as &[Option<&str>],
                bound(recorded_at),
            )
            .fetch_one(self.database.pool()),
        );
        Ok(inserted.await?.unsigned_abs())
    }

    async fn record_messages(
        &self,
        messages: &[Message],
        recorded_at: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        if messages.is_empty() {
            return Ok(0);
        }
        let columns = MessageColumns::of(messages);
        let inserted = self.database.run(
            sqlx::query_scalar!(
                r#"WITH inserted AS (
                    INSERT INTO messages (
                        message_id, at, session_id, user_id, conversation_id, agent, role, recorded_at
                    )
                    SELECT message_id, at, session_id, user_id, conversation_id, agent, role, $8
                    FROM unnest(
                        $1::uuid[], $2::timestamptz[], $3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::text[]
                    ) WITH ORDINALITY AS one (
                        message_id, at, session_id, user_id, conversation_id, agent, role, place
                    )
                    ORDER BY message_id, place
                    ON CONFLICT (message_id) DO NOTHING
                    RETURNING session_id
                ), sums AS (
                    SELECT session_id,
                        count(*) AS messages
                    FROM inserted WHERE session_id IS NOT NULL GROUP BY session_id
                ), locked AS (
                    SELECT session_id FROM user_sessions WHERE session_id IN (SELECT session_id FROM sums)
                    ORDER BY session_id FOR UPDATE
                ), changed AS (
                    UPDATE user_sessions SET version = version + 1,
                        messages = least(user_sessions.messages::numeric + sums.messages, 9223372036854775807)::bigint
                    FROM sums JOIN locked USING (session_id)
                    WHERE user_sessions.session_id = sums.session_id
                )
                SELECT count(*) AS "inserted!" FROM inserted"#,
                &columns.message_id,
                &columns.at,
                &columns.session_id as &[Option<Uuid>],
                &columns.user_id as &[Option<&str>],
                &columns.conversation_id,
                &columns.agent as &[Option<&str>],
                &columns.role as &[&str],
                bound(recorded_at),
            )
            .fetch_one(self.database.pool()),
        );
        Ok(inserted.await?.unsigned_abs())
    }

    async fn list_ai_requests(
        &self,
        period: Period,
        page: PageRequest<Stamp<AiRequestId>>,
    ) -> Result<Page<AiRequest, Stamp<AiRequestId>>, StoreError> {
        let listed = sqlx::query_as!(
            AiRequestRow,
            r#"SELECT ai_request_id, at AS "at: Timestamp", session_id, user_id, task_id, agent, provider, model,
                  input_tokens, output_tokens, cached_tokens, reasoning_tokens, cost_nano_dollars, latency_ms,
                  status
               FROM ai_requests
               WHERE at >= $1 AND at < $2 AND ($3::timestamptz IS NULL OR (at, ai_request_id) > ($3, $4))
               ORDER BY at, ai_request_id LIMIT $5"#,
            bound(period.from()),
            bound(period.until()),
            page.after.map(|after| after.at()),
            page.after.map(|after| Uuid::from_u128(after.id().as_u128())),
            // One more than the limit tells whether the list goes on.
            i64::from(page.limit.get()) + 1,
        );
        let rows = self.database.run(listed.fetch_all(self.database.pool())).await?;
        Ok(self.page(rows, page.limit, AiRequestRow::read, |one| one.stamp))
    }

    async fn list_tasks(
        &self,
        period: Period,
        page: PageRequest<Stamp<TaskId>>,
    ) -> Result<Page<Task, Stamp<TaskId>>, StoreError> {
        let listed = sqlx::query_as!(
            TaskRow,
            r#"SELECT task_id, at AS "at: Timestamp", session_id, user_id, agent, status, duration_ms
               FROM tasks
               WHERE at >= $1 AND at < $2 AND ($3::timestamptz IS NULL OR (at, task_id) > ($3, $4))
               ORDER BY at, task_id LIMIT $5"#,
            bound(period.from()),
            bound(period.until()),
            page.after.map(|after| after.at()),
            page.after.map(|after| Uuid::from_u128(after.id().as_u128())),
            // One more than the limit tells whether the list goes on.
            i64::from(page.limit.get()) + 1,
        );
        let rows = self.database.run(listed.fetch_all(self.database.pool())).await?;
        Ok(self.page(rows, page.limit, TaskRow::read, |one| one.stamp))
    }

    async fn list_tool_executions(
        &self,
        period: Period,
        page: PageRequest<Stamp<ToolExecutionId>>,
    ) -> Result<Page<ToolExecution, Stamp<ToolExecutionId>>, StoreError> {
        let listed = sqlx::query_as!(
            ToolExecutionRow,
            r#"SELECT tool_execution_id, at AS "at: Timestamp", session_id, user_id, task_id, agent, tool, status,
                  duration_ms
               FROM tool_executions
               WHERE at >= $1 AND at < $2 AND ($3::timestamptz IS NULL OR (at, tool_execution_id) > ($3, $4))
               ORDER BY at, tool_execution_id LIMIT $5"#,
            bound(period.from()),
            bound(period.until()),
            page.after.map(|after| after.at()),
            page.after.map(|after| Uuid::from_u128(after.id().as_u128())),
            // One more than the limit tells whether the list goes on.
            i64::from(page.limit.get()) + 1,
        );
        let rows = self.database.run(listed.fetch_all(self.database.pool())).await?;
        Ok(self.page(rows, page.limit, ToolExecutionRow::read, |one| one.stamp))
    }

    async fn list_conversations(
        &self,
        period: Period,
        page: PageRequest<Stamp<ConversationId>>,
    ) -> Result<Page<Conversation, Stamp<ConversationId>>, StoreError> {
        let listed = sqlx::query_as!(
            ConversationRow,
            r#"SELECT conversation_id, at AS "at: Timestamp", session_id, user_id, agent, title
               FROM conversations
               WHERE at >= $1 AND at < $2 AND ($3::timestamptz IS NULL OR (at, conversation_id) > ($3, $4))
               ORDER BY at, conversation_id LIMIT $5"#,
            bound(period.from()),
            bound(period.until()),
            page.after.map(|after| after.at()),
            page.after.map(|after| Uuid::from_u128(after.id().as_u128())),
            // One more than the limit tells whether the list goes on.
            i64::from(page.limit.get()) + 1,
        );
        let rows = self.database.run(listed.fetch_all(self.database.pool())).await?;
        Ok(self.page(rows, page.limit, ConversationRow::read, |one| one.stamp))
    }

    async fn list_messages(
        &self,
        period: Period,
        page: PageRequest<Stamp<MessageId>>,
    ) -> Result<Page<Message, Stamp<MessageId>>, StoreError> {
        let listed = sqlx::query_as!(
            MessageRow,
            r#"SELECT message_id, at AS "at: Timestamp", session_id, user_id, conversation_id, agent, role
               FROM messages
               WHERE at >= $1 AND at < $2 AND ($3::timestamptz IS NULL OR (at, message_id) > ($3, $4))
               ORDER BY at, message_id LIMIT $5"#,
            bound(period.from()),
            bound(period.until()),
            page.after.map(|after| after.at()),
            page.after.map(|after| Uuid::from_u128(after.id().as_u128())),
            // One more than the limit tells whether the list goes on.
            i64::from(page.limit.get()) + 1,
        );
        let rows = self.database.run(listed.fetch_all(self.database.pool())).await?;
        Ok(self.page(rows, page.limit, MessageRow::read, |one| one.stamp))
    }

    async fn delete_recorded_before(
        &self,
        kind: UsageKind,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError> {
        let (before, limit) = (bound(before), i64::from(limit.get()));
        let deleted = self.database.run(async {
            match kind {
                UsageKind::AiRequests => {
                    sqlx::query!(
                        "DELETE FROM ai_requests WHERE ai_request_id = ANY (ARRAY(
                        SELECT ai_request_id FROM ai_requests WHERE recorded_at < $1
                        ORDER BY recorded_at, ai_request_id LIMIT $2 FOR UPDATE
                    ))",
                        before,
                        limit,
                    )
                    .execute(self.database.pool())
                    .await
                }
                UsageKind::Tasks => {
                    sqlx::query!(
                        "DELETE FROM tasks WHERE task_id = ANY (ARRAY(
                        SELECT task_id FROM tasks WHERE recorded_at < $1
                        ORDER BY recorded_at, task_id LIMIT $2 FOR UPDATE
                    ))",
                        before,
                        limit,
                    )
                    .execute(self.database.pool())
                    .await
                }
                UsageKind::ToolExecutions => {
                    sqlx::query!(
                        "DELETE FROM tool_executions WHERE tool_execution_id = ANY (ARRAY(
                        SELECT tool_execution_id FROM tool_executions WHERE recorded_at < $1
                        ORDER BY recorded_at, tool_execution_id LIMIT $2 FOR UPDATE
                    ))",
                        before,
                        limit,
                    )
                    .execute(self.database.pool())
                    .await
                }
                UsageKind::Conversations => {
                    sqlx::query!(
                        "DELETE FROM conversations WHERE conversation_id = ANY (ARRAY(
                        SELECT conversation_id FROM conversations WHERE recorded_at < $1
                        ORDER BY recorded_at, conversation_id LIMIT $2 FOR UPDATE
                    ))",
                        before,
                        limit,
                    )
                    .execute(self.database.pool())
                    .await
                }
                UsageKind::Messages => {
                    sqlx::query!(
                        "DELETE FROM messages WHERE message_id = ANY (ARRAY(
                        SELECT message_id FROM messages WHERE recorded_at < $1
                        ORDER BY recorded_at, message_id LIMIT $2 FOR UPDATE
                    ))",
                        before,
                        limit,
                    )
                    .execute(self.database.pool())
                    .await
                }
            }
        });
        Ok(deleted.await?.rows_affected() as u32)
    }
}

/// A batch of rows, column by column.
struct AiRequestColumns<'a> {
    ai_request_id: Vec<Uuid>,
    at: Vec<DateTime<Utc>>,
    session_id: Vec<Option<Uuid>>,
    user_id: Vec<Option<&'a str>>,
    task_id: Vec<Option<Uuid>>,
    agent: Vec<Option<&'a str>>,
    provider: Vec<&'a str>,
    model: Vec<&'a str>,
    input_tokens: Vec<i64>,
    output_tokens: Vec<i64>,
    cached_tokens: Vec<i64>,
    reasoning_tokens: Vec<i64>,
    cost_nano_dollars: Vec<Option<i64>>,
    latency_ms: Vec<Option<i64>>,
    status: Vec<&'a str>,
}

impl<'a> AiRequestColumns<'a> {
    fn of(all: &'a [AiRequest]) -> Self {
        Self {
            ai_request_id: all.iter().map(|r| Uuid::from_u128(r.stamp.id().as_u128())).collect(),
            at: all.iter().map(|r| r.stamp.at()).collect(),
            session_id: all.iter().map(|r| r.session.map(|id| Uuid::from_u128(id.as_u128()))).collect(),
            user_id: all.iter().map(|r| r.user.as_ref().map(UserId::as_str)).collect(),
            task_id: all.iter().map(|r| r.task.map(|id| Uuid::from_u128(id.as_u128()))).collect(),
            agent: all.iter().map(|r| r.agent.as_ref().map(Name::as_str)).collect(),
            provider: all.iter().map(|r| r.provider.as_str()).collect(),
            model: all.iter().map(|r| r.model.as_str()).collect(),
            input_tokens: all
                .iter()
                .map(|r| i64::try_from(r.tokens.input()).expect("a request has at most 10^12 tokens"))
                .collect(),
            output_tokens: all
                .iter()
                .map(|r| i64::try_from(r.tokens.output()).expect("a request has at most 10^12 tokens"))
                .collect(),
            cached_tokens: all
                .iter()
                .map(|r| i64::try_from(r.tokens.cached()).expect("a request has at most 10^12 tokens"))
                .collect(),
            reasoning_tokens: all
                .iter()
                .map(|r| i64::try_from(r.tokens.reasoning()).expect("a request has at most 10^12 tokens"))
                .collect(),
            cost_nano_dollars: all.iter().map(|r| r.cost.map(|cost| cost.get().get())).collect(),
            latency_ms: all.iter().map(|r| r.latency_ms.map(i64::from)).collect(),
            status: all.iter().map(|r| r.status.as_str()).collect(),
        }
    }
}

/// A row of `ai_requests`.
struct AiRequestRow {
    ai_request_id: Uuid,
    at: Timestamp,
    session_id: Option<Uuid>,
    user_id: Option<String>,
    task_id: Option<Uuid>,
    agent: Option<String>,
    provider: String,
    model: String,
    input_tokens: i64,
    output_tokens: i64,
    cached_tokens: i64,
    reasoning_tokens: i64,
    cost_nano_dollars: Option<i64>,
    latency_ms: Option<i64>,
    status: String,
}

impl AiRequestRow {
    fn read(self) -> Result<AiRequest, StoreError> {
        let id = AiRequestId::from_u128(self.ai_request_id.as_u128());
        let row = Row { entity: Entity::AiRequest, table: "ai_requests", key: id };
        let at = row.time("at", self.at)?;
        let tokens = TokenCounts::new(
            row.number("input_tokens", self.input_tokens)?,
            row.number("output_tokens", self.output_tokens)?,
            row.number("cached_tokens", self.cached_tokens)?,
            row.number("reasoning_tokens", self.reasoning_tokens)?,
        );
        let cost = self.cost_nano_dollars.map(|cost| RequestCost::new(NanoDollars::new(cost))).transpose();
        Ok(AiRequest {
            stamp: row.ok("at", Stamp::new(id, at))?,
            session: self.session_id.map(|id| SessionId::from_u128(id.as_u128())),
            user: row.ok("user_id", self.user_id.map(UserId::new).transpose())?,
            task: self.task_id.map(|id| TaskId::from_u128(id.as_u128())),
            agent: row.ok("agent", self.agent.map(Name::new).transpose())?,
            provider: row.ok("provider", Name::new(self.provider))?,
            model: row.ok("model", Name::new(self.model))?,
            tokens: row.ok("input_tokens", tokens)?,
            cost: row.ok("cost_nano_dollars", cost)?,
            latency_ms: self.latency_ms.map(|n| row.number("latency_ms", n)).transpose()?,
            status: row.name("status", &self.status)?,
        })
    }
}

/// A batch of rows, column by column.
struct TaskColumns<'a> {
    task_id: Vec<Uuid>,
    at: Vec<DateTime<Utc>>,
    session_id: Vec<Option<Uuid>>,
    user_id: Vec<Option<&'a str>>,
    agent: Vec<&'a str>,
    status: Vec<&'a str>,
    duration_ms: Vec<Option<i64>>,
}

impl<'a> TaskColumns<'a> {
    fn of(all: &'a [Task]) -> Self {
        Self {
            task_id: all.iter().map(|r| Uuid::from_u128(r.stamp.id().as_u128())).collect(),
            at: all.iter().map(|r| r.stamp.at()).collect(),
            session_id: all.iter().map(|r| r.session.map(|id| Uuid::from_u128(id.as_u128()))).collect(),
            user_id: all.iter().map(|r| r.user.as_ref().map(UserId::as_str)).collect(),
            agent: all.iter().map(|r| r.agent.as_str()).collect(),
            status: all.iter().map(|r| r.status.as_str()).collect(),
            duration_ms: all.iter().map(|r| r.duration_ms.map(i64::from)).collect(),
        }
    }
}

/// A row of `tasks`.
struct TaskRow {
    task_id: Uuid,
    at: Timestamp,
    session_id: Option<Uuid>,
    user_id: Option<String>,
    agent: String,
    status: String,
    duration_ms: Option<i64>,
}

impl TaskRow {
    fn read(self) -> Result<Task, StoreError> {
        let id = TaskId::from_u128(self.task_id.as_u128());
        let row = Row { entity: Entity::Task, table: "tasks", key: id };
        let at = row.time("at", self.at)?;
        Ok(Task {
            stamp: row.ok("at", Stamp::new(id, at))?,
            session: self.session_id.map(|id| SessionId::from_u128(id.as_u128())),
            user: row.ok("user_id", self.user_id.map(UserId::new).transpose())?,
            agent: row.ok("agent", Name::new(self.agent))?,
            status: row.name("status", &self.status)?,
            duration_ms: self.duration_ms.map(|n| row.number("duration_ms", n)).transpose()?,
        })
    }
}

/// A batch of rows, column by column.
struct ToolExecutionColumns<'a> {
    tool_execution_id: Vec<Uuid>,
    at: Vec<DateTime<Utc>>,
    session_id: Vec<Option<Uuid>>,
    user_id: Vec<Option<&'a str>>,
    task_id: Vec<Option<Uuid>>,
    agent: Vec<Option<&'a str>>,
    tool: Vec<&'a str>,
    status: Vec<&'a str>,
    duration_ms: Vec<Option<i64>>,
}

impl<'a> ToolExecutionColumns<'a> {
    fn of(all: &'a [ToolExecution]) -> Self {
        Self {
            tool_execution_id: all.iter().map(|r| Uuid::from_u128(r.stamp.id().as_u128())).collect(),
            at: all.iter().map(|r| r.stamp.at()).collect(),
            session_id: all.iter().map(|r| r.session.map(|id| Uuid::from_u128(id.as_u128()))).collect(),
            user_id: all.iter().map(|r| r.user.as_ref().map(UserId::as_str)).collect(),
            task_id: all.iter().map(|r| r.task.map(|id| Uuid::from_u128(id.as_u128()))).collect(),
            agent: all.iter().map(|r| r.agent.as_ref().map(Name::as_str)).collect(),
            tool: all.iter().map(|r| r.tool.as_str()).collect(),
            status: all.iter().map(|r| r.status.as_str()).collect(),
            duration_ms: all.iter().map(|r| r.duration_ms.map(i64::from)).collect(),
        }
    }
}

/// A row of `tool_executions`.
struct ToolExecutionRow {
    tool_execution_id: Uuid,
    at: Timestamp,
    session_id: Option<Uuid>,
    user_id: Option<String>,
    task_id: Option<Uuid>,
    agent: Option<String>,
    tool: String,
    status: String,
    duration_ms: Option<i64>,
}

impl ToolExecutionRow {
    fn read(self) -> Result<ToolExecution, StoreError> {
        let id = ToolExecutionId::from_u128(self.tool_execution_id.as_u128());
        let row = Row { entity: Entity::ToolExecution, table: "tool_executions", key: id };
        let at = row.time("at", self.at)?;
        Ok(ToolExecution {
            stamp: row.ok("at", Stamp::new(id, at))?,
            session: self.session_id.map(|id| SessionId::from_u128(id.as_u128())),
            user: row.ok("user_id", self.user_id.map(UserId::new).transpose())?,
            task: self.task_id.map(|id| TaskId::from_u128(id.as_u128())),
            agent: row.ok("agent", self.agent.map(Name::new).transpose())?,
            tool: row.ok("tool", Name::new(self.tool))?,
            status: row.name("status", &self.status)?,
            duration_ms: self.duration_ms.map(|n| row.number("duration_ms", n)).transpose()?,
        })
    }
}

/// A batch of rows, column by column.
struct ConversationColumns<'a> {
    conversation_id: Vec<Uuid>,
    at: Vec<DateTime<Utc>>,
    session_id: Vec<Option<Uuid>>,
    user_id: Vec<Option<&'a str>>,
    agent: Vec<Option<&'a str>>,
    title: Vec<Option<&'a str>>,
}

impl<'a> ConversationColumns<'a> {
    fn of(all: &'a [Conversation]) -> Self {
        Self {
            conversation_id: all.iter().map(|r| Uuid::from_u128(r.stamp.id().as_u128())).collect(),
            at: all.iter().map(|r| r.stamp.at()).collect(),
            session_id: all.iter().map(|r| r.session.map(|id| Uuid::from_u128(id.as_u128()))).collect(),
            user_id: all.iter().map(|r| r.user.as_ref().map(UserId::as_str)).collect(),
            agent: all.iter().map(|r| r.agent.as_ref().map(Name::as_str)).collect(),
            title: all.iter().map(|r| r.title.as_ref().map(Text::as_str)).collect(),
        }
    }
}

/// A row of `conversations`.
struct ConversationRow {
    conversation_id: Uuid,
    at: Timestamp,
    session_id: Option<Uuid>,
    user_id: Option<String>,
    agent: Option<String>,
    title: Option<String>,
}

impl ConversationRow {
    fn read(self) -> Result<Conversation, StoreError> {
        let id = ConversationId::from_u128(self.conversation_id.as_u128());
        let row = Row { entity: Entity::Conversation, table: "conversations", key: id };
        let at = row.time("at", self.at)?;
        Ok(Conversation {
            stamp: row.ok("at", Stamp::new(id, at))?,
            session: self.session_id.map(|id| SessionId::from_u128(id.as_u128())),
            user: row.ok("user_id", self.user_id.map(UserId::new).transpose())?,
            agent: row.ok("agent", self.agent.map(Name::new).transpose())?,
            title: row.text("title", self.title)?,
        })
    }
}

/// A batch of rows, column by column.
struct MessageColumns<'a> {
    message_id: Vec<Uuid>,
    at: Vec<DateTime<Utc>>,
    session_id: Vec<Option<Uuid>>,
    user_id: Vec<Option<&'a str>>,
    conversation_id: Vec<Uuid>,
    agent: Vec<Option<&'a str>>,
    role: Vec<&'a str>,
}

impl<'a> MessageColumns<'a> {
    fn of(all: &'a [Message]) -> Self {
        Self {
            message_id: all.iter().map(|r| Uuid::from_u128(r.stamp.id().as_u128())).collect(),
            at: all.iter().map(|r| r.stamp.at()).collect(),
            session_id: all.iter().map(|r| r.session.map(|id| Uuid::from_u128(id.as_u128()))).collect(),
            user_id: all.iter().map(|r| r.user.as_ref().map(UserId::as_str)).collect(),
            conversation_id: all.iter().map(|r| Uuid::from_u128(r.conversation.as_u128())).collect(),
            agent: all.iter().map(|r| r.agent.as_ref().map(Name::as_str)).collect(),
            role: all.iter().map(|r| r.role.as_str()).collect(),
        }
    }
}

/// A row of `messages`.
struct MessageRow {
    message_id: Uuid,
    at: Timestamp,
    session_id: Option<Uuid>,
    user_id: Option<String>,
    conversation_id: Uuid,
    agent: Option<String>,
    role: String,
}

impl MessageRow {
    fn read(self) -> Result<Message, StoreError> {
        let id = MessageId::from_u128(self.message_id.as_u128());
        let row = Row { entity: Entity::Message, table: "messages", key: id };
        let at = row.time("at", self.at)?;
        Ok(Message {
            stamp: row.ok("at", Stamp::new(id, at))?,
            session: self.session_id.map(|id| SessionId::from_u128(id.as_u128())),
            user: row.ok("user_id", self.user_id.map(UserId::new).transpose())?,
            conversation: ConversationId::from_u128(self.conversation_id.as_u128()),
            agent: row.ok("agent", self.agent.map(Name::new).transpose())?,
            role: row.name("role", &self.role)?,
        })
    }
}
