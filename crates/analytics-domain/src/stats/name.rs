//! All reports by name.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Serialize, Serializer};

use super::FilterKey;

/// A report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReportName {
    /// Everything at a glance.
    PlatformOverview,
    /// Users and visitors of the last 24 hours, 7 days and 30 days, each beside the time before.
    Users,
    /// What AI providers cost.
    CostOverview,
    /// Sessions and usage day by day.
    ActivityTrend,
    /// Users by what they cost.
    TopUsers,
    /// Agents by their tasks.
    TopAgents,
    /// Tools by their runs.
    TopTools,
    /// The newest conversations.
    RecentConversations,
    /// Conversations and messages together.
    ConversationSummary,
    /// Conversations and messages day by day.
    ConversationTrend,
    /// Conversations and messages by agent.
    ConversationsByAgent,
    /// Pages by views in the last 5 minutes, hour, day, 7 days and 30 days.
    ContentStats,
    /// Sessions, visitors, page views, duration and bounce rate.
    TrafficSummary,
    /// Where sessions came from.
    TrafficSources,
    /// The campaigns that brought sessions.
    Campaigns,
    /// How sessions came to the site.
    Channels,
    /// Kinds of devices.
    Devices,
    /// Browsers.
    Browsers,
    /// Operating systems.
    OperatingSystems,
    /// Countries.
    Countries,
    /// Automation by class, by what it declares itself to be, and by name.
    BotTraffic,
    /// AI agents by name and kind.
    AiAgents,
    /// Answers of 400 and more, by status and path.
    ErrorSummary,
    /// Requests to AI providers by model.
    ProviderUsage,
}

/// What sessions are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// Where it came from: [`ReportFilter::source_of`](super::ReportFilter::source_of).
    Source,
    /// The name of its campaign, `utm_campaign`; nothing for a session that none brought.
    Campaign,
    /// The channel.
    Channel,
    /// The kind of device.
    Device,
    /// The family of the browser.
    Browser,
    /// The operating system.
    Os,
    /// The country's two letters.
    Country,
    /// What it is taken for; nothing for a session without a verdict.
    Class,
    /// What declared automation says it does; nothing for others.
    DeclaredKind,
    /// The name of declared automation; nothing for others.
    DeclaredName,
}

/// A text names no report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no report `{0}`")]
pub struct UnknownReport(String);

impl ReportName {
    /// Every report, in the order of declaration.
    pub const ALL: [Self; 24] = [
        Self::PlatformOverview,
        Self::Users,
        Self::CostOverview,
        Self::ActivityTrend,
        Self::TopUsers,
        Self::TopAgents,
        Self::TopTools,
        Self::RecentConversations,
        Self::ConversationSummary,
        Self::ConversationTrend,
        Self::ConversationsByAgent,
        Self::ContentStats,
        Self::TrafficSummary,
        Self::TrafficSources,
        Self::Campaigns,
        Self::Channels,
        Self::Devices,
        Self::Browsers,
        Self::OperatingSystems,
        Self::Countries,
        Self::BotTraffic,
        Self::AiAgents,
        Self::ErrorSummary,
        Self::ProviderUsage,
    ];

    /// The name of the report on the command line and in addresses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PlatformOverview => "platform-overview",
            Self::Users => "users",
            Self::CostOverview => "cost-overview",
            Self::ActivityTrend => "activity-trend",
            Self::TopUsers => "top-users",
            Self::TopAgents => "top-agents",
            Self::TopTools => "top-tools",
            Self::RecentConversations => "recent-conversations",
            Self::ConversationSummary => "conversation-summary",
            Self::ConversationTrend => "conversation-trend",
            Self::ConversationsByAgent => "conversations-by-agent",
            Self::ContentStats => "content-stats",
            Self::TrafficSummary => "traffic-summary",
            Self::TrafficSources => "traffic-sources",
            Self::Campaigns => "campaigns",
            Self::Channels => "channels",
            Self::Devices => "devices",
            Self::Browsers => "browsers",
            Self::OperatingSystems => "operating-systems",
            Self::Countries => "countries",
            Self::BotTraffic => "bot-traffic",
            Self::AiAgents => "ai-agents",
            Self::ErrorSummary => "error-summary",
            Self::ProviderUsage => "provider-usage",
        }
    }

    /// Which rows it counts, and by which of their times.
    pub const fn rows(self) -> &'static str {
        match self {
            Self::PlatformOverview | Self::Users | Self::ActivityTrend | Self::TopUsers => {
                "sessions by start, usage by time"
            }
            Self::CostOverview | Self::ProviderUsage => "AI requests by time",
            Self::TopAgents => "tasks, AI requests and tool executions by time",
            Self::TopTools => "tool executions by time",
            Self::RecentConversations
            | Self::ConversationSummary
            | Self::ConversationTrend
            | Self::ConversationsByAgent => "conversations by start, messages by time",
            Self::ContentStats | Self::ErrorSummary => "requests by time",
            Self::TrafficSummary
            | Self::TrafficSources
            | Self::Campaigns
            | Self::Channels
            | Self::Devices
            | Self::Browsers
            | Self::OperatingSystems
            | Self::Countries
            | Self::BotTraffic
            | Self::AiAgents => "sessions by start",
        }
    }

    /// The keys that it can be filtered by. A request counts by the parts of its session.
    pub const fn keys(self) -> &'static [FilterKey] {
        match self {
            Self::PlatformOverview | Self::Users | Self::ActivityTrend | Self::TopUsers => &[FilterKey::User],
            Self::CostOverview | Self::ProviderUsage => {
                &[FilterKey::User, FilterKey::Agent, FilterKey::Provider, FilterKey::Model]
            }
            Self::TopTools => &[FilterKey::User, FilterKey::Agent, FilterKey::Tool],
            Self::TopAgents
            | Self::RecentConversations
            | Self::ConversationSummary
            | Self::ConversationTrend
            | Self::ConversationsByAgent => &[FilterKey::User, FilterKey::Agent],
            Self::ContentStats
            | Self::TrafficSummary
            | Self::TrafficSources
            | Self::Campaigns
            | Self::Channels
            | Self::Devices
            | Self::Browsers
            | Self::OperatingSystems
            | Self::Countries
            | Self::BotTraffic
            | Self::ErrorSummary => &FilterKey::OF_SESSIONS,
            // The class is the report's own.
            Self::AiAgents => &[
                FilterKey::Channel,
                FilterKey::Source,
                FilterKey::Device,
                FilterKey::Browser,
                FilterKey::Os,
                FilterKey::Country,
                FilterKey::User,
            ],
        }
    }
}

impl Dimension {
    /// Every dimension, in the order of declaration.
    pub const ALL: [Self; 10] = [
        Self::Source,
        Self::Campaign,
        Self::Channel,
        Self::Device,
        Self::Browser,
        Self::Os,
        Self::Country,
        Self::Class,
        Self::DeclaredKind,
        Self::DeclaredName,
    ];
}

impl fmt::Display for ReportName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ReportName {
    type Err = UnknownReport;

    fn from_str(text: &str) -> Result<Self, UnknownReport> {
        Self::ALL.into_iter().find(|name| name.as_str() == text).ok_or_else(|| UnknownReport(text.into()))
    }
}

impl Serialize for ReportName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn every_report_has_a_name_of_its_own_that_reads_back() {
        let mut names: Vec<&str> = ReportName::ALL.map(ReportName::as_str).to_vec();
        for name in ReportName::ALL {
            assert_eq!(name.as_str().parse(), Ok(name));
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ReportName::ALL.len());
        assert_eq!("weather".parse::<ReportName>(), Err(UnknownReport("weather".into())));
    }
}
