//! What reports ask of a store.
//!
//! Every method reads rows of one period and answers whole numbers; nothing is changed, and a repeat over the same rows
//! gives the same answer. Each kind of row is counted apart and sums are put together afterwards, so that no sum is
//! multiplied by rows that stand beside it. Sessions count by their start, requests by their time, usage by its time,
//! conversations by their beginning. Which rows a filter lets through is written in
//! [`ReportFilter`]: a row is asked for the keys that its kind has.
//!
//! What is not known stands behind what is: `None` last, also among equals. Where rows are equal in all that an order
//! names, names decide in the order of their bytes. At most `limit` rows are answered, the first ones. Where there are no
//! rows, lists are empty and counts are zero. Every method may fail with [`StoreError::Unavailable`], and with
//! [`StoreError::Corrupt`] when a row that it has to read whole is not one.

use analytics_domain::stats::counts::{
    ActiveCounts, ActivityCounts, AgentConversationsRow, AgentRow, AiUsageCounts, BreakdownRow, ContentRow,
    ConversationCounts, ConversationRow, ErrorCounts, PlatformCounts, ProviderRow, SessionCounts, ToolRow,
    UserRow,
};
use analytics_domain::stats::{ByAudience, Days, Dimension, Period, ReportFilter};
use async_trait::async_trait;

use crate::error::StoreError;
use crate::page::BatchLimit;

/// Answers what reports about the platform, its users, agents, tools and conversations ask. The module says by which
/// rules.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait CoreStatsRepository: Send + Sync {
    /// Everything of a period.
    async fn platform(&self, period: Period, filter: &ReportFilter) -> Result<PlatformCounts, StoreError>;

    /// Who was active in each of these periods, in their order. They may overlap; whoever was active in several counts in
    /// each. No period gives no count.
    async fn active(
        &self,
        periods: &[Period],
        filter: &ReportFilter,
    ) -> Result<Vec<ActiveCounts>, StoreError>;

    /// The counts of each day, in their order; a day without rows is there with zeros.
    async fn activity(&self, days: &Days, filter: &ReportFilter) -> Result<Vec<ActivityCounts>, StoreError>;

    /// The users of sessions and of usage: the greatest cost first, then the most sessions, then by name.
    async fn top_users(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<UserRow>, StoreError>;

    /// The agents of tasks, AI requests and runs of tools: the most tasks first, then the most AI requests, then by name.
    async fn top_agents(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<AgentRow>, StoreError>;

    /// The tools: the most runs first, then by name.
    async fn top_tools(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<ToolRow>, StoreError>;

    /// The conversations that began in the period: the newest first, then the greatest id. Their messages are those of
    /// any time before the end of the period.
    async fn recent_conversations(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<ConversationRow>, StoreError>;

    /// Conversations and messages of a period. The filter is asked of conversations and of messages apart; messages of
    /// conversations that began in the period count with their conversation.
    async fn conversations(
        &self,
        period: Period,
        filter: &ReportFilter,
    ) -> Result<ConversationCounts, StoreError>;

    /// Conversations and messages by the agent that they name: the most conversations first, then the most messages, then
    /// by name, those without an agent last.
    async fn conversations_by_agent(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<AgentConversationsRow>, StoreError>;
}

/// Answers what reports about AI providers, traffic, content and errors ask. The module says by which rules.
///
/// A request counts for the audience that the verdict of its session tells; one whose session is not kept is taken for a
/// person's. Where the filter has a key of sessions, a request counts when its session is kept and let through.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait AnalyticsQueryRepository: Send + Sync {
    /// The AI requests of a period together.
    async fn ai_usage(&self, period: Period, filter: &ReportFilter) -> Result<AiUsageCounts, StoreError>;

    /// The AI requests of a period by model: the greatest cost first, then the most requests, then by provider and model.
    async fn provider_usage(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<ProviderRow>, StoreError>;

    /// The sessions of a period together.
    async fn traffic(
        &self,
        period: Period,
        filter: &ReportFilter,
    ) -> Result<ByAudience<SessionCounts>, StoreError>;

    /// The sessions of a period by what they have in this dimension: the most sessions of people first, then of bots, then
    /// of AI agents, then by value, those of which it is not known last.
    async fn breakdown(
        &self,
        period: Period,
        dimension: Dimension,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<BreakdownRow>, StoreError>;

    /// The paths viewed in the first of these windows, with their views in each. The first window holds all others; no
    /// window gives no row. A view is a request for a document that was not refused. The most views of people in the
    /// first window first, then of all, then by path.
    async fn content(
        &self,
        windows: &[Period],
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<ContentRow>, StoreError>;

    /// What went wrong in a period; at most `limit` paths.
    async fn errors(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<ErrorCounts, StoreError>;
}
