//! Taking a person's rows out of every store.

use analytics_domain::ids::{SessionId, VisitorId};
use analytics_domain::stats::Period;
use async_trait::async_trait;

use crate::error::StoreError;
use crate::page::BatchLimit;

/// Finds the sessions of a visitor and erases all that is kept of a session, in every store at once.
///
/// What is remembered of fingerprints, bans and the audit stay: they are kept against abuse and have ways of their own to
/// go. Every method may fail with [`StoreError::Unavailable`]; none reads what it erases, so a row that breaks a rule of
/// its type goes like the others.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ErasureRepository: Send + Sync {
    /// The sessions that count as this visitor and, where a period is given, started in it: the one that started first in
    /// front, then by id; at most `limit`.
    async fn sessions_of(
        &self,
        visitor: VisitorId,
        started: Option<Period>,
        limit: BatchLimit,
    ) -> Result<Vec<SessionId>, StoreError>;

    /// Deletes these sessions with every row that names one of them: requests, events, engagement, features, labels, and
    /// the use of AI providers, agents and tools. All of it goes or nothing; the answer says how much.
    ///
    /// A session need not be kept for its rows to go. A repeat finds nothing any more and is safe. No session at all is no
    /// work.
    async fn erase(&self, sessions: &[SessionId]) -> Result<Erased, StoreError>;
}

/// How many rows of each kind were erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Erased {
    /// Sessions.
    pub sessions: u64,
    /// Rows of requests.
    pub requests: u64,
    /// Events.
    pub events: u64,
    /// Events of engagement.
    pub engagement: u64,
    /// Rows of features.
    pub features: u64,
    /// Labels.
    pub labels: u64,
    /// Requests to AI providers.
    pub ai_requests: u64,
    /// Tasks of agents.
    pub tasks: u64,
    /// Runs of tools.
    pub tool_executions: u64,
    /// Conversations.
    pub conversations: u64,
    /// Messages.
    pub messages: u64,
}

impl Erased {
    /// The rows of both, kind by kind.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            sessions: self.sessions + other.sessions,
            requests: self.requests + other.requests,
            events: self.events + other.events,
            engagement: self.engagement + other.engagement,
            features: self.features + other.features,
            labels: self.labels + other.labels,
            ai_requests: self.ai_requests + other.ai_requests,
            tasks: self.tasks + other.tasks,
            tool_executions: self.tool_executions + other.tool_executions,
            conversations: self.conversations + other.conversations,
            messages: self.messages + other.messages,
        }
    }

    /// Each kind by its name, with how many rows of it went.
    pub const fn by_kind(&self) -> [(&'static str, u64); 11] {
        [
            ("sessions", self.sessions),
            ("requests", self.requests),
            ("events", self.events),
            ("engagement", self.engagement),
            ("features", self.features),
            ("labels", self.labels),
            ("ai_requests", self.ai_requests),
            ("tasks", self.tasks),
            ("tool_executions", self.tool_executions),
            ("conversations", self.conversations),
            ("messages", self.messages),
        ]
    }
}
