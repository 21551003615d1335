//! Making reports: what each asks of the stores, and for which time.

use std::sync::Arc;

use analytics_domain::detector::Class;
use analytics_domain::stats::reports::{
    ActivityTrend, AiAgents, BotTraffic, Breakdown, ContentStats, ConversationSummary, ConversationTrend,
    ConversationsByAgent, CostOverview, ErrorSummary, ModelLine, PlatformOverview, ProviderUsage,
    RecentConversations, TopAgents, TopTools, TopUsers, TrafficSummary, UserTrends,
};
use analytics_domain::stats::{Days, Dimension, FilterKey, Period, ReportFilter, ReportName, TooManyDays};
use analytics_ports::{AnalyticsQueryRepository, BatchLimit, CoreStatsRepository, StoreError};
use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use serde::Serialize;

/// Makes every report from two ports.
///
/// It reads no clock: whoever asks says for which period.
#[derive(Clone)]
pub struct ReportService {
    core: Arc<dyn CoreStatsRepository>,
    queries: Arc<dyn AnalyticsQueryRepository>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportRequest<Z> {
    /// Which report.
    pub name: ReportName,
    /// Over which time. Reports with windows of their own end them where it ends.
    pub period: Period,
    /// Which rows count.
    pub filter: ReportFilter,
    /// Whether the period before is reported too.
    pub compare: bool,
    /// Whose days are counted, in reports by day.
    pub zone: Z,
    /// The most rows of a ranking.
    pub limit: BatchLimit,
}

/// A report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Which one.
    pub report: ReportName,
    /// Which rows it counts, and by which of their times.
    pub rows: &'static str,
    /// Over which time.
    pub period: Period,
    /// The zone whose days are counted.
    pub time_zone: String,
    /// Which rows count.
    pub filter: ReportFilter,
    /// What it says.
    pub data: ReportData,
    /// What it says of the period of the same length before, where that was asked for.
    pub before: Option<ReportBefore>,
}

/// A report on the period before.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReportBefore {
    /// The period before.
    pub period: Period,
    /// What the report says of it.
    pub data: ReportData,
}

/// What a report says.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "each variant holds the report of its name")]
pub enum ReportData {
    PlatformOverview(Box<PlatformOverview>),
    Users(UserTrends),
    CostOverview(CostOverview),
    ActivityTrend(ActivityTrend),
    TopUsers(TopUsers),
    TopAgents(TopAgents),
    TopTools(TopTools),
    RecentConversations(RecentConversations),
    ConversationSummary(ConversationSummary),
    ConversationTrend(ConversationTrend),
    ConversationsByAgent(ConversationsByAgent),
    ContentStats(ContentStats),
    TrafficSummary(Box<TrafficSummary>),
    Breakdown(Breakdown),
    BotTraffic(BotTraffic),
    AiAgents(AiAgents),
    ErrorSummary(ErrorSummary),
    ProviderUsage(ProviderUsage),
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The report cannot be filtered by this key; nothing is dropped in silence.
    #[error("the report {report} cannot be filtered by {key}; it takes {}", keys_of(*report))]
    Key {
        /// The report.
        report: ReportName,
        /// The key.
        key: FilterKey,
    },
    /// The period has too many days to count each.
    #[error(transparent)]
    Days(#[from] TooManyDays),
    /// Nothing is before this period.
    #[error("the calendar has no period before this one")]
    NoPeriodBefore,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ReportService {
    /// The service over these ports.
    pub fn new(core: Arc<dyn CoreStatsRepository>, queries: Arc<dyn AnalyticsQueryRepository>) -> Self {
        Self { core, queries }
    }

    /// Makes a report.
    ///
    /// # Errors
    /// [`ReportError`]: `Key` for a filter that the report does not take, `Days` for more than 1,100 days in a report by
    /// day, `NoPeriodBefore` at the beginning of the calendar, `Store` when the store fails.
    pub async fn report<Z>(&self, request: &ReportRequest<Z>) -> Result<Report, ReportError>
    where
        Z: TimeZone + std::fmt::Display + Sync,
        Z::Offset: Send,
    {
        let ReportRequest { name, period, filter, compare, zone, limit } = request;
        if let Some(&key) = filter.parts().keys().find(|key| !name.keys().contains(key)) {
            return Err(ReportError::Key { report: *name, key });
        }
        let data = self.data(*name, *period, filter, zone, *limit).await?;
        let before = if *compare {
            let period = period.before().ok_or(ReportError::NoPeriodBefore)?;
            Some(ReportBefore { period, data: self.data(*name, period, filter, zone, *limit).await? })
        } else {
            None
        };
        Ok(Report {
            report: *name,
            rows: name.rows(),
            period: *period,
            time_zone: zone.to_string(),
            filter: filter.clone(),
            data,
            before,
        })
    }

    async fn data<Z: TimeZone>(
        &self,
        name: ReportName,
        period: Period,
        filter: &ReportFilter,
        zone: &Z,
        limit: BatchLimit,
    ) -> Result<ReportData, ReportError> {
        let (core, queries) = (&self.core, &self.queries);
        Ok(match name {
            ReportName::PlatformOverview => {
                let counts = core.platform(period, filter).await?;
                ReportData::PlatformOverview(Box::new((&counts).into()))
            }
            ReportName::Users => ReportData::Users(self.users(period.until(), filter).await?),
            ReportName::CostOverview => {
                let days = Days::of(period, zone)?;
                let usage = queries.ai_usage(period, filter).await?;
                let models = queries.provider_usage(period, filter, limit).await?;
                let counts = core.activity(&days, filter).await?;
                ReportData::CostOverview(CostOverview::of(&usage, &models, &days, &counts))
            }
            ReportName::ActivityTrend => {
                let days = Days::of(period, zone)?;
                let counts = core.activity(&days, filter).await?;
                ReportData::ActivityTrend(ActivityTrend::of(&days, &counts))
            }
            ReportName::TopUsers => ReportData::TopUsers(core.top_users(period, filter, limit).await?.into()),
            ReportName::TopAgents => {
                ReportData::TopAgents(core.top_agents(period, filter, limit).await?.into())
            }
            ReportName::TopTools => ReportData::TopTools(core.top_tools(period, filter, limit).await?.into()),
            ReportName::RecentConversations => ReportData::RecentConversations(
                core.recent_conversations(period, filter, limit).await?.into(),
            ),
            ReportName::ConversationSummary => {
                let counts = core.conversations(period, filter).await?;
                ReportData::ConversationSummary((&counts).into())
            }
            ReportName::ConversationTrend => {
                let days = Days::of(period, zone)?;
                let counts = core.activity(&days, filter).await?;
                ReportData::ConversationTrend(ConversationTrend::of(&days, &counts))
            }
            ReportName::ConversationsByAgent => {
                let agents = core.conversations_by_agent(period, filter, limit).await?;
                ReportData::ConversationsByAgent(ConversationsByAgent { agents })
            }
            ReportName::ContentStats => {
                let windows = windows(period.until(), CONTENT_WINDOWS)?;
                ReportData::ContentStats(queries.content(&windows, filter, limit).await?.into())
            }
            ReportName::TrafficSummary => {
                let counts = queries.traffic(period, filter).await?;
                ReportData::TrafficSummary(Box::new((&counts).into()))
            }
            ReportName::TrafficSources => self.breakdown(period, Dimension::Source, filter, limit).await?,
            ReportName::Campaigns => self.breakdown(period, Dimension::Campaign, filter, limit).await?,
            ReportName::Channels => self.breakdown(period, Dimension::Channel, filter, limit).await?,
            ReportName::Devices => self.breakdown(period, Dimension::Device, filter, limit).await?,
            ReportName::Browsers => self.breakdown(period, Dimension::Browser, filter, limit).await?,
            ReportName::OperatingSystems => self.breakdown(period, Dimension::Os, filter, limit).await?,
            ReportName::Countries => self.breakdown(period, Dimension::Country, filter, limit).await?,
            ReportName::BotTraffic => {
                let traffic = queries.traffic(period, filter).await?;
                let by = async |dimension| queries.breakdown(period, dimension, filter, MOST_VALUES).await;
                let mut report = BotTraffic::of(
                    traffic,
                    by(Dimension::Class).await?,
                    by(Dimension::DeclaredKind).await?,
                    by(Dimension::DeclaredName).await?,
                );
                report.names.truncate(limit.as_usize());
                ReportData::BotTraffic(report)
            }
            ReportName::AiAgents => {
                let traffic = queries.traffic(period, filter).await?;
                let own = ReportFilter { class: Some(Class::AiAgent), ..filter.clone() };
                let kinds = queries.breakdown(period, Dimension::DeclaredKind, &own, MOST_VALUES).await?;
                let names = queries.breakdown(period, Dimension::DeclaredName, &own, limit).await?;
                ReportData::AiAgents(AiAgents::of(traffic, kinds, names))
            }
            ReportName::ErrorSummary => {
                ReportData::ErrorSummary(queries.errors(period, filter, limit).await?.into())
            }
            ReportName::ProviderUsage => {
                let rows = queries.provider_usage(period, filter, limit).await?;
                let models = rows.iter().map(ModelLine::from).collect();
                ReportData::ProviderUsage(ProviderUsage { models })
            }
        })
    }

    /// The windows that end together, and each one's period before, in one call.
    async fn users(&self, until: DateTime<Utc>, filter: &ReportFilter) -> Result<UserTrends, ReportError> {
        let current = windows(until, USER_WINDOWS.map(|(_, length)| length))?;
        let before: Vec<Option<Period>> = current.iter().map(Period::before).collect();
        let all: Vec<Period> = current.iter().copied().chain(before.iter().flatten().copied()).collect();
        let mut counts = self.core.active(&all, filter).await?.into_iter();
        let current: Vec<_> = counts.by_ref().take(current.len()).collect();
        let mut rows = Vec::new();
        for ((counted, before), (name, _)) in current.into_iter().zip(before).zip(USER_WINDOWS) {
            rows.push((name, counted, before.and_then(|_| counts.next())));
        }
        Ok(UserTrends::of(rows))
    }

    async fn breakdown(
        &self,
        period: Period,
        dimension: Dimension,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<ReportData, ReportError> {
        let all = self.queries.traffic(period, filter).await?.people.sessions;
        let rows = self.queries.breakdown(period, dimension, filter, limit).await?;
        Ok(ReportData::Breakdown(Breakdown::of(rows, all)))
    }
}

fn windows<const N: usize>(
    until: DateTime<Utc>,
    lengths: [TimeDelta; N],
) -> Result<Vec<Period>, ReportError> {
    let periods = lengths.into_iter().map(|length| Period::ending(until, length));
    periods.collect::<Option<_>>().ok_or(ReportError::NoPeriodBefore)
}

fn keys_of(report: ReportName) -> String {
    report.keys().iter().map(|key| key.as_str()).collect::<Vec<_>>().join(", ")
}

/// The windows of the report on users.
const USER_WINDOWS: [(&str, TimeDelta); 3] =
    [("24h", TimeDelta::hours(24)), ("7d", TimeDelta::days(7)), ("30d", TimeDelta::days(30))];

/// The windows of the report on content, the widest first.
const CONTENT_WINDOWS: [TimeDelta; 5] =
    [TimeDelta::days(30), TimeDelta::days(7), TimeDelta::days(1), TimeDelta::hours(1), TimeDelta::minutes(5)];

/// Values that are read before automation is ranked by its own sessions: the most that one step takes.
const MOST_VALUES: BatchLimit = match BatchLimit::new(10_000) {
    Ok(limit) => limit,
    Err(_) => panic!("10,000 rows are allowed"),
};

#[cfg(test)]
mod tests {
    use super::*;
    use analytics_domain::stats::ByAudience;
    use analytics_domain::stats::counts::{ActiveCounts, SessionCounts};
    use analytics_ports::{MockAnalyticsQueryRepository, MockCoreStatsRepository};

    #[tokio::test]
    async fn a_filter_that_a_report_does_not_take_is_refused_and_no_store_is_asked() {
        let service = service(MockCoreStatsRepository::new(), MockAnalyticsQueryRepository::new());
        for name in ReportName::ALL {
            for key in FilterKey::ALL.into_iter().filter(|key| !name.keys().contains(key)) {
                let filter = ReportFilter::default().with(key, value_of(key)).unwrap();
                let answer = service.report(&ReportRequest { filter, ..request(name) }).await;
                assert!(
                    matches!(answer, Err(ReportError::Key { report, key: told }) if (report, told) == (name, key))
                );
            }
        }
        let filter = ReportFilter::default().with(FilterKey::Tool, "t").unwrap();
        let answer = service.report(&ReportRequest { filter, ..request(ReportName::Channels) }).await;
        assert_eq!(
            answer.unwrap_err().to_string(),
            "the report channels cannot be filtered by tool; it takes class, channel, source, device, browser, os, \
             country, user"
        );
    }

    #[tokio::test]
    async fn users_are_asked_for_three_windows_and_the_periods_before_them_at_once() {
        let mut core = MockCoreStatsRepository::new();
        core.expect_active().times(1).returning(|periods, _| {
            let days: Vec<i64> = periods.iter().map(|period| period.length().num_days()).collect();
            assert_eq!(days, [1, 7, 30, 1, 7, 30]);
            assert!(periods[..3].iter().all(|period| period.until() == until()));
            assert!((0..3).all(|at| periods[at + 3].until() == periods[at].from()));
            Ok((1..=6).map(|users| ActiveCounts { users, visitors: 0, sessions: 2 }).collect())
        });
        let report =
            service(core, MockAnalyticsQueryRepository::new()).report(&request(ReportName::Users)).await;
        let ReportData::Users(UserTrends { windows }) = report.unwrap().data else {
            panic!("another report")
        };
        let told: Vec<_> = windows.iter().map(|w| (w.window, w.users.current, w.users.before)).collect();
        assert_eq!(told, [("24h", 1, Some(4)), ("7d", 2, Some(5)), ("30d", 3, Some(6))]);
        assert_eq!((windows[0].users.change, windows[0].visitors.change), (Some(-0.75), None));
    }

    #[tokio::test]
    async fn a_comparison_is_the_same_report_over_the_period_before() {
        let mut queries = MockAnalyticsQueryRepository::new();
        queries.expect_traffic().times(2).returning(|period, _| {
            let sessions = if period.until() == until() { 9 } else { 4 };
            let people = SessionCounts { sessions, ..SessionCounts::default() };
            Ok(ByAudience { people, ..ByAudience::default() })
        });
        let request = ReportRequest { compare: true, ..request(ReportName::TrafficSummary) };
        let report = service(MockCoreStatsRepository::new(), queries).report(&request).await.unwrap();
        let before = report.before.unwrap();
        assert_eq!(before.period, request.period.before().unwrap());
        let sessions = |data: &ReportData| {
            let ReportData::TrafficSummary(summary) = data else { panic!("another report: {data:?}") };
            summary.people.sessions
        };
        assert_eq!((sessions(&report.data), sessions(&before.data)), (9, 4));
    }

    #[tokio::test]
    async fn what_cannot_be_counted_is_said() {
        let service = service(MockCoreStatsRepository::new(), MockAnalyticsQueryRepository::new());
        let long = Period::ending(until(), TimeDelta::days(2_000)).unwrap();
        let answer =
            service.report(&ReportRequest { period: long, ..request(ReportName::ActivityTrend) }).await;
        assert!(matches!(answer, Err(ReportError::Days(TooManyDays))));
    }

    fn service(core: MockCoreStatsRepository, queries: MockAnalyticsQueryRepository) -> ReportService {
        ReportService::new(Arc::new(core), Arc::new(queries))
    }

    fn request(name: ReportName) -> ReportRequest<Utc> {
        ReportRequest {
            name,
            period: Period::ending(until(), TimeDelta::days(3)).unwrap(),
            filter: ReportFilter::default(),
            compare: false,
            zone: Utc,
            limit: BatchLimit::default(),
        }
    }

    fn value_of(key: FilterKey) -> &'static str {
        match key {
            FilterKey::Class => "human",
            FilterKey::Channel => "paid",
            FilterKey::Device => "tablet",
            FilterKey::Country => "DK",
            FilterKey::Source
            | FilterKey::Browser
            | FilterKey::Os
            | FilterKey::User
            | FilterKey::Agent
            | FilterKey::Tool
            | FilterKey::Provider
            | FilterKey::Model => "x",
        }
    }

    fn until() -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_000_000, 0).unwrap()
    }
}
