//! Stores that answer reports wrongly on purpose.

use analytics_domain::session::NanoDollars;
use analytics_domain::stats::counts::{
    ActiveCounts, ActivityCounts, AgentConversationsRow, AgentRow, AiUsageCounts, BreakdownRow, ContentRow,
    ConversationCounts, ConversationRow, ErrorCounts, PlatformCounts, ProviderRow, SessionCounts, ToolRow,
    UserRow,
};
use analytics_domain::stats::{ByAudience, Days, Dimension, Period, ReportFilter};
use analytics_inmemory::InMemoryReports;
use analytics_ports::{AnalyticsQueryRepository, BatchLimit, CoreStatsRepository, StoreError};
use async_trait::async_trait;

use super::{Fault, MICRO};

#[derive(Clone)]
pub(super) struct FaultyReports {
    pub(super) kept: InMemoryReports,
    pub(super) fault: Option<Fault>,
}

impl FaultyReports {
    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn period(&self, period: Period) -> Period {
        if self.is(Fault::CountsTheEndOfAReportsPeriod) {
            Period::new(period.from(), period.until() + MICRO).unwrap()
        } else {
            period
        }
    }

    fn filter(&self, filter: &ReportFilter) -> ReportFilter {
        if self.is(Fault::ForgetsTheFilterOfAReport) { ReportFilter::default() } else { filter.clone() }
    }
}

#[async_trait]
impl CoreStatsRepository for FaultyReports {
    async fn platform(&self, period: Period, filter: &ReportFilter) -> Result<PlatformCounts, StoreError> {
        self.kept.platform(self.period(period), filter).await
    }

    async fn active(
        &self,
        periods: &[Period],
        filter: &ReportFilter,
    ) -> Result<Vec<ActiveCounts>, StoreError> {
        let mut counts = self.kept.active(periods, filter).await?;
        if self.is(Fault::CountsTheActiveInTheirNewestPeriodOnly) {
            let newest = periods.iter().map(Period::until).max();
            for (counts, period) in counts.iter_mut().zip(periods) {
                if Some(period.until()) != newest {
                    *counts = ActiveCounts::default();
                }
            }
        }
        Ok(counts)
    }

    async fn activity(&self, days: &Days, filter: &ReportFilter) -> Result<Vec<ActivityCounts>, StoreError> {
        let mut counts = self.kept.activity(days, filter).await?;
        if self.is(Fault::LeavesEmptyDaysOut) {
            counts.retain(|counts| *counts != ActivityCounts::default());
        }
        Ok(counts)
    }

    async fn top_users(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<UserRow>, StoreError> {
        let mut rows = self.kept.top_users(period, filter, limit).await?;
        if self.is(Fault::MultipliesCostsByTasks) {
            for row in &mut rows {
                row.ai.cost = NanoDollars::new(row.ai.cost.get() * row.tasks.max(1) as i64);
            }
        }
        if self.is(Fault::RanksNamesWithoutCase) {
            rows.sort_by_key(|row| row.user.as_str().to_lowercase());
        }
        Ok(rows)
    }

    async fn top_agents(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<AgentRow>, StoreError> {
        self.kept.top_agents(period, filter, limit).await
    }

    async fn top_tools(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<ToolRow>, StoreError> {
        let mut rows = self.kept.top_tools(period, filter, limit).await?;
        if self.is(Fault::CountsRunsThatTookTooLongAsFailed) {
            for row in &mut rows {
                row.runs.failed += std::mem::take(&mut row.runs.timed_out);
            }
        }
        Ok(rows)
    }

    async fn recent_conversations(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<ConversationRow>, StoreError> {
        let mut rows = self.kept.recent_conversations(period, filter, limit).await?;
        if self.is(Fault::LosesConversationsWithoutMessages) {
            rows.retain(|row| row.messages > 0);
        }
        Ok(rows)
    }

    async fn conversations(
        &self,
        period: Period,
        filter: &ReportFilter,
    ) -> Result<ConversationCounts, StoreError> {
        let mut counts = self.kept.conversations(period, filter).await?;
        if self.is(Fault::LosesConversationsWithoutMessages) {
            counts.conversations -= std::mem::take(&mut counts.empty);
        }
        Ok(counts)
    }

    async fn conversations_by_agent(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<AgentConversationsRow>, StoreError> {
        let mut rows = self.kept.conversations_by_agent(period, filter, limit).await?;
        if self.is(Fault::PutsTheUnknownFirst) {
            rows.sort_by_key(|row| row.agent.is_some());
        }
        Ok(rows)
    }
}

#[async_trait]
impl AnalyticsQueryRepository for FaultyReports {
    async fn ai_usage(&self, period: Period, filter: &ReportFilter) -> Result<AiUsageCounts, StoreError> {
        let mut counts = self.kept.ai_usage(period, filter).await?;
        if self.is(Fault::CountsUnpricedAsFree) {
            counts.unpriced = 0;
        }
        Ok(counts)
    }

    async fn provider_usage(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<ProviderRow>, StoreError> {
        self.kept.provider_usage(period, filter, limit).await
    }

    async fn traffic(
        &self,
        period: Period,
        filter: &ReportFilter,
    ) -> Result<ByAudience<SessionCounts>, StoreError> {
        let mut counts = self.kept.traffic(period, &self.filter(filter)).await?;
        if self.is(Fault::CountsAVisitorForEachSession) {
            counts = counts.map(|counts| SessionCounts { visitors: counts.sessions, ..counts });
        }
        Ok(counts)
    }

    async fn breakdown(
        &self,
        period: Period,
        dimension: Dimension,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<BreakdownRow>, StoreError> {
        let mut rows = self.kept.breakdown(period, dimension, filter, limit).await?;
        if self.is(Fault::PutsTheUnknownFirst) {
            rows.sort_by_key(|row| row.value.is_some());
        }
        if self.is(Fault::LosesSessionsOfUnknownValue) {
            rows.retain(|row| row.value.is_some());
        }
        Ok(rows)
    }

    async fn content(
        &self,
        windows: &[Period],
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<ContentRow>, StoreError> {
        let mut rows = self.kept.content(windows, filter, limit).await?;
        if self.is(Fault::CountsEveryViewInEveryWindow) {
            for row in &mut rows {
                row.views = vec![row.views[0]; row.views.len()];
            }
        }
        Ok(rows)
    }

    async fn errors(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<ErrorCounts, StoreError> {
        let mut counts = self.kept.errors(period, filter, limit).await?;
        if self.is(Fault::CountsRefusalsAsErrors) {
            counts.client_errors.people += counts.refused.people;
        }
        Ok(counts)
    }
}
