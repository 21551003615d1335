//! Erasing in memory.

use std::collections::BTreeSet;
use std::sync::Arc;

use analytics_domain::ids::{SessionId, VisitorId};
use analytics_domain::stats::Period;
use analytics_ports::{BatchLimit, Erased, ErasureRepository, StoreError};
use async_trait::async_trait;

use crate::{
    InMemoryEngagement, InMemoryEvents, InMemoryLabels, InMemoryMlFeatures, InMemoryRequests,
    InMemorySessions, InMemoryUsage,
};

/// The stores in memory that have rows of sessions.
///
/// Erasing is a step for each session and kind of row: another caller may see a session that has gone before its rows have.
#[derive(Debug, Clone)]
pub struct InMemoryErasure {
    /// Sessions.
    pub sessions: Arc<InMemorySessions>,
    /// Rows of requests.
    pub requests: Arc<InMemoryRequests>,
    /// Events.
    pub events: Arc<InMemoryEvents>,
    /// Engagement.
    pub engagement: Arc<InMemoryEngagement>,
    /// Features.
    pub features: Arc<InMemoryMlFeatures>,
    /// Labels.
    pub labels: Arc<InMemoryLabels>,
    /// The use of AI providers, agents and tools.
    pub usage: Arc<InMemoryUsage>,
}

#[async_trait]
impl ErasureRepository for InMemoryErasure {
    async fn sessions_of(
        &self,
        visitor: VisitorId,
        started: Option<Period>,
        limit: BatchLimit,
    ) -> Result<Vec<SessionId>, StoreError> {
        let mut found = self.sessions.of_visitor(visitor, started);
        found.sort_unstable();
        Ok(found.into_iter().take(limit.as_usize()).map(|(_, id)| id).collect())
    }

    async fn erase(&self, sessions: &[SessionId]) -> Result<Erased, StoreError> {
        let sessions: BTreeSet<SessionId> = sessions.iter().copied().collect();
        let mut erased = self.usage.erase(&sessions);
        for &session in &sessions {
            erased = erased.plus(Erased {
                sessions: u64::from(self.sessions.erase(session)),
                requests: self.requests.erase(session),
                events: self.events.erase(session),
                engagement: self.engagement.erase(session),
                features: self.features.erase(session),
                labels: self.labels.erase(session),
                ..Erased::default()
            });
        }
        Ok(erased)
    }
}
