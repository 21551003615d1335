//! Stores of usage that are wrong on purpose.

use std::sync::Arc;

use analytics_domain::ids::{AiRequestId, ConversationId, MessageId, SessionId, TaskId, ToolExecutionId};
use analytics_domain::stats::Period;
use analytics_domain::usage::{AiRequest, Conversation, Message, RequestCost, Stamp, Task, ToolExecution};
use analytics_inmemory::{InMemorySessions, InMemoryUsage};
use analytics_ports::{
    BatchLimit, Page, PageRequest, SessionRepository, StoreError, UsageKind, UsageRepository,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Fault, MICRO};

pub(super) struct FaultyUsage {
    pub(super) kept: Arc<InMemoryUsage>,
    pub(super) sessions: Arc<InMemorySessions>,
    pub(super) fault: Option<Fault>,
}

#[async_trait]
impl UsageRepository for FaultyUsage {
    async fn record_ai_requests(
        &self,
        requests: &[AiRequest],
        recorded_at: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let mut requests = requests.to_vec();
        for request in &mut requests {
            if self.fault == Some(Fault::ReadsUnpricedAsFree) {
                request.cost = request.cost.or(Some(RequestCost::default()));
            }
            if self.fault == Some(Fault::ForgetsSessionsOfUsage) {
                request.session = None;
            }
        }
        let new = self.kept.record_ai_requests(&requests, recorded_at).await?;
        if self.fault == Some(Fault::CountsUsageOfASessionAgain) && new == 0 {
            for request in &requests {
                let Some(found) =
                    self.sessions.get(request.session.unwrap_or(SessionId::from_u128(0))).await?
                else {
                    continue;
                };
                let mut record = found.value.into_record();
                record.counters = record.counters.plus(request.counters());
                self.sessions.swap(found.version, &record.try_into().unwrap()).await?;
            }
        }
        let all = self.fault == Some(Fault::CountsRepeatedUsageAsNew);
        Ok(if all { requests.len() as u64 } else { new })
    }

    async fn record_tasks(&self, tasks: &[Task], recorded_at: DateTime<Utc>) -> Result<u64, StoreError> {
        self.kept.record_tasks(tasks, recorded_at).await
    }

    async fn record_tool_executions(
        &self,
        executions: &[ToolExecution],
        recorded_at: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        self.kept.record_tool_executions(executions, recorded_at).await
    }

    async fn record_conversations(
        &self,
        conversations: &[Conversation],
        recorded_at: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        self.kept.record_conversations(conversations, recorded_at).await
    }

    async fn record_messages(
        &self,
        messages: &[Message],
        recorded_at: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        self.kept.record_messages(messages, recorded_at).await
    }

    async fn list_ai_requests(
        &self,
        period: Period,
        page: PageRequest<Stamp<AiRequestId>>,
    ) -> Result<Page<AiRequest, Stamp<AiRequestId>>, StoreError> {
        let late = self.fault == Some(Fault::TakesTheEndOfAUsagePeriodIn);
        let period = if late { Period::new(period.from(), period.until() + MICRO).unwrap() } else { period };
        let mut listed = self.kept.list_ai_requests(period, page).await?;
        if self.fault == Some(Fault::ListsUsageNewestFirst) {
            listed.items.reverse();
        }
        Ok(listed)
    }

    async fn list_tasks(
        &self,
        period: Period,
        page: PageRequest<Stamp<TaskId>>,
    ) -> Result<Page<Task, Stamp<TaskId>>, StoreError> {
        self.kept.list_tasks(period, page).await
    }

    async fn list_tool_executions(
        &self,
        period: Period,
        page: PageRequest<Stamp<ToolExecutionId>>,
    ) -> Result<Page<ToolExecution, Stamp<ToolExecutionId>>, StoreError> {
        self.kept.list_tool_executions(period, page).await
    }

    async fn list_conversations(
        &self,
        period: Period,
        page: PageRequest<Stamp<ConversationId>>,
    ) -> Result<Page<Conversation, Stamp<ConversationId>>, StoreError> {
        self.kept.list_conversations(period, page).await
    }

    async fn list_messages(
        &self,
        period: Period,
        page: PageRequest<Stamp<MessageId>>,
    ) -> Result<Page<Message, Stamp<MessageId>>, StoreError> {
        self.kept.list_messages(period, page).await
    }

    async fn delete_recorded_before(
        &self,
        kind: UsageKind,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError> {
        if self.fault == Some(Fault::DeletesUsageOfEveryKind) {
            for other in UsageKind::ALL.into_iter().filter(|&other| other != kind) {
                self.kept.delete_recorded_before(other, before, limit).await?;
            }
        }
        let inclusive = self.fault == Some(Fault::DeletesUsageAtExactlyBefore);
        self.kept.delete_recorded_before(kind, if inclusive { before + MICRO } else { before }, limit).await
    }
}
