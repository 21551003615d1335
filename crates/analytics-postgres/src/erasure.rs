//! Erasing in PostgreSQL.

use analytics_domain::ids::{SessionId, VisitorId};
use analytics_domain::stats::Period;
use analytics_ports::{BatchLimit, Erased, ErasureRepository, StoreError};
use async_trait::async_trait;
use uuid::Uuid;

use crate::database::Database;
use crate::stamp::bound;

/// Erases rows of sessions from every table that has some.
///
/// Erasing is one statement, so that all goes or nothing. The tables of usage have no index by session, since nothing else
/// looks there by it; so each is read whole, which takes a second for some millions of rows.
#[derive(Debug, Clone)]
pub struct PostgresErasure {
    database: Database,
}

impl PostgresErasure {
    pub(crate) const fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl ErasureRepository for PostgresErasure {
    async fn sessions_of(
        &self,
        visitor: VisitorId,
        started: Option<Period>,
        limit: BatchLimit,
    ) -> Result<Vec<SessionId>, StoreError> {
        let found = self.database.run(
            sqlx::query_scalar!(
                "SELECT session_id FROM user_sessions
                 WHERE visitor_id = $1 AND ($2::timestamptz IS NULL OR started_at >= $2)
                   AND ($3::timestamptz IS NULL OR started_at < $3)
                 ORDER BY started_at, session_id LIMIT $4",
                Uuid::from_u128(visitor.as_u128()),
                started.map(|period| bound(period.from())),
                started.map(|period| bound(period.until())),
                i64::from(limit.get()),
            )
            .fetch_all(self.database.pool()),
        );
        Ok(found.await?.into_iter().map(|id| SessionId::from_u128(id.as_u128())).collect())
    }

    async fn erase(&self, sessions: &[SessionId]) -> Result<Erased, StoreError> {
        if sessions.is_empty() {
            return Ok(Erased::default());
        }
        let sessions: Vec<Uuid> = sessions.iter().map(|id| Uuid::from_u128(id.as_u128())).collect();
        let erased = self.database.run(
            sqlx::query!(
                r#"WITH
                    s AS (DELETE FROM user_sessions WHERE session_id = ANY ($1) RETURNING 1),
                    r AS (DELETE FROM requests WHERE session_id = ANY ($1) RETURNING 1),
                    e AS (DELETE FROM analytics_events WHERE session_id = ANY ($1) RETURNING 1),
                    g AS (DELETE FROM engagement_events WHERE session_id = ANY ($1) RETURNING 1),
                    f AS (DELETE FROM ml_behavioral_features WHERE session_id = ANY ($1) RETURNING 1),
                    l AS (DELETE FROM labels WHERE session_id = ANY ($1) RETURNING 1),
                    a AS (DELETE FROM ai_requests WHERE session_id = ANY ($1) RETURNING 1),
                    t AS (DELETE FROM tasks WHERE session_id = ANY ($1) RETURNING 1),
                    x AS (DELETE FROM tool_executions WHERE session_id = ANY ($1) RETURNING 1),
                    c AS (DELETE FROM conversations WHERE session_id = ANY ($1) RETURNING 1),
                    m AS (DELETE FROM messages WHERE session_id = ANY ($1) RETURNING 1)
                SELECT (SELECT count(*) FROM s) AS "sessions!", (SELECT count(*) FROM r) AS "requests!",
                    (SELECT count(*) FROM e) AS "events!", (SELECT count(*) FROM g) AS "engagement!",
                    (SELECT count(*) FROM f) AS "features!", (SELECT count(*) FROM l) AS "labels!",
                    (SELECT count(*) FROM a) AS "ai_requests!", (SELECT count(*) FROM t) AS "tasks!",
                    (SELECT count(*) FROM x) AS "tool_executions!", (SELECT count(*) FROM c) AS "conversations!",
                    (SELECT count(*) FROM m) AS "messages!""#,
                &sessions,
            )
            .fetch_one(self.database.pool()),
        );
        let erased = erased.await?;
        Ok(Erased {
            sessions: count(erased.sessions),
            requests: count(erased.requests),
            events: count(erased.events),
            engagement: count(erased.engagement),
            features: count(erased.features),
            labels: count(erased.labels),
            ai_requests: count(erased.ai_requests),
            tasks: count(erased.tasks),
            tool_executions: count(erased.tool_executions),
            conversations: count(erased.conversations),
            messages: count(erased.messages),
        })
    }
}

fn count(rows: i64) -> u64 {
    u64::try_from(rows).expect("a count is not negative")
}
