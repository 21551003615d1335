//! Where the use of AI providers, agents and tools is kept.

use analytics_domain::ids::{AiRequestId, ConversationId, MessageId, TaskId, ToolExecutionId};
use analytics_domain::stats::Period;
use analytics_domain::usage::{AiRequest, Conversation, Message, Stamp, Task, ToolExecution};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::StoreError;
use crate::page::{BatchLimit, Page, PageRequest};

/// Keeps requests to AI providers, tasks, runs of tools, conversations and messages. They are never changed, only
/// recorded and, past their retention, deleted.
///
/// Recording keeps all rows of a call or none, and answers how many were not kept before. A row whose id is kept
/// already, or stands earlier in the same call, changes nothing and is not counted, so a repeat is safe and answers 0.
/// No row at all is no work. What a row refers to need not be kept: neither its session, its task nor its conversation.
///
/// In the same step the totals of sessions change by what was really inserted: requests, tokens and cost by
/// [`AiRequest::counters`], tasks by [`Task::counters`], messages by [`Message::counters`]. A session that is kept, open
/// or ended, gets its sums; its version counts up by one a call that inserts a row of it, and nothing else of it
/// moves. Runs of tools and conversations change no session.
///
/// Listing answers the rows whose time is in the period, oldest first, then by id. Every method may fail with
/// [`StoreError::Unavailable`]; listing with [`StoreError::Corrupt`] when what is kept is not such a row.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait UsageRepository: Send + Sync {
    /// Keeps these requests to AI providers and adds them to their sessions; answers how many were new.
    async fn record_ai_requests(
        &self,
        requests: &[AiRequest],
        recorded_at: DateTime<Utc>,
    ) -> Result<u64, StoreError>;

    /// Keeps these tasks and adds them to their sessions; answers how many were new.
    async fn record_tasks(&self, tasks: &[Task], recorded_at: DateTime<Utc>) -> Result<u64, StoreError>;

    /// Keeps these runs of tools; answers how many were new.
    async fn record_tool_executions(
        &self,
        executions: &[ToolExecution],
        recorded_at: DateTime<Utc>,
    ) -> Result<u64, StoreError>;

    /// Keeps these conversations; answers how many were new.
    async fn record_conversations(
        &self,
        conversations: &[Conversation],
        recorded_at: DateTime<Utc>,
    ) -> Result<u64, StoreError>;

    /// Keeps these messages and adds them to their sessions; answers how many were new.
    async fn record_messages(
        &self,
        messages: &[Message],
        recorded_at: DateTime<Utc>,
    ) -> Result<u64, StoreError>;

    /// The requests to AI providers of this period.
    async fn list_ai_requests(
        &self,
        period: Period,
        page: PageRequest<Stamp<AiRequestId>>,
    ) -> Result<Page<AiRequest, Stamp<AiRequestId>>, StoreError>;

    /// The tasks of this period.
    async fn list_tasks(
        &self,
        period: Period,
        page: PageRequest<Stamp<TaskId>>,
    ) -> Result<Page<Task, Stamp<TaskId>>, StoreError>;

    /// The runs of tools of this period.
    async fn list_tool_executions(
        &self,
        period: Period,
        page: PageRequest<Stamp<ToolExecutionId>>,
    ) -> Result<Page<ToolExecution, Stamp<ToolExecutionId>>, StoreError>;

    /// The conversations that began in this period.
    async fn list_conversations(
        &self,
        period: Period,
        page: PageRequest<Stamp<ConversationId>>,
    ) -> Result<Page<Conversation, Stamp<ConversationId>>, StoreError>;

    /// The messages of this period.
    async fn list_messages(
        &self,
        period: Period,
        page: PageRequest<Stamp<MessageId>>,
    ) -> Result<Page<Message, Stamp<MessageId>>, StoreError>;

    /// Deletes at most `limit` rows of one kind that were recorded strictly before this, the oldest recorded first, then
    /// by id; answers how many. Fewer than `limit` means that no more are left. Totals of sessions stay as they are.
    async fn delete_recorded_before(
        &self,
        kind: UsageKind,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError>;
}

/// A kind of row that a [`UsageRepository`] keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UsageKind {
    /// Requests to AI providers.
    AiRequests,
    /// Tasks of agents.
    Tasks,
    /// Runs of tools.
    ToolExecutions,
    /// Conversations.
    Conversations,
    /// Messages.
    Messages,
}

impl UsageKind {
    /// Every kind, in the order of declaration.
    pub const ALL: [Self; 5] =
        [Self::AiRequests, Self::Tasks, Self::ToolExecutions, Self::Conversations, Self::Messages];
}
