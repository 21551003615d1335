//! What people and programs read: the counts of stores with what follows from them.
//!
//! A share or a rate is a number from 0 to 1, a mean a number in the unit of its name. Each is `None` where there is nothing
//! to divide by; nothing is rounded but money, which is in whole nano-dollars, half of one away from zero.

use alloc::string::String;
use alloc::vec::Vec;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::counts::{
    ActiveCounts, ActivityCounts, AgentConversationsRow, AgentRow, AiUsageCounts, BreakdownRow, ContentRow,
    ConversationCounts, ConversationRow, ErrorCounts, ErrorPathRow, PlatformCounts, ProviderRow, RunCounts,
    SessionCounts, ToolRow, UserRow,
};
use super::{ByAudience, Day, Days};
use crate::ids::{ConversationId, SessionId, UserId};
use crate::session::{NanoDollars, Text};
use crate::usage::Name;

/// A figure now and in the time before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Trend {
    /// In the period.
    pub current: u64,
    /// In the period of the same length before; `None` where the calendar has none.
    pub before: Option<u64>,
    /// By how much of what it was before it grew: 0.5 is half more, −0.5 half less. `None` from zero.
    pub change: Option<f64>,
}

/// Everything at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[expect(missing_docs, reason = "docs/reports.md defines every field, and a test holds that it does")]
pub struct PlatformOverview {
    pub users: u64,
    pub people: TrafficFigures,
    pub bots: TrafficFigures,
    pub ai_agents: TrafficFigures,
    pub automation_share: Option<f64>,
    pub ai_usage: UsageFigures,
    pub tasks: RunFigures,
    pub tool_executions: RunFigures,
    pub conversations: u64,
    pub messages: u64,
}

/// Users and visitors in windows that end together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UserTrends {
    /// The last 24 hours, 7 days and 30 days, in this order.
    pub windows: Vec<UserWindow>,
}

/// Users and visitors of one window and of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[expect(missing_docs, reason = "docs/reports.md defines every field, and a test holds that it does")]
pub struct UserWindow {
    pub window: &'static str,
    pub users: Trend,
    pub visitors: Trend,
    pub sessions: Trend,
}

/// What AI providers cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CostOverview {
    /// All requests.
    pub usage: UsageFigures,
    /// The models that cost most.
    pub models: Vec<ModelLine>,
    /// Each day.
    pub days: Vec<CostDay>,
}

/// What AI providers cost on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "docs/reports.md defines every field, and a test holds that it does")]
pub struct CostDay {
    #[serde(flatten)]
    pub day: Day,
    pub ai_requests: u64,
    pub unpriced: u64,
    pub tokens: u64,
    pub cost_nano_dollars: NanoDollars,
}

/// Sessions and usage day by day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActivityTrend {
    /// The days, oldest first.
    pub days: Vec<ActivityDay>,
}

/// Sessions and usage of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "docs/reports.md defines every field, and a test holds that it does")]
pub struct ActivityDay {
    #[serde(flatten)]
    pub day: Day,
    pub people_sessions: u64,
    pub bot_sessions: u64,
    pub ai_agent_sessions: u64,
    pub visitors: u64,
    pub users: u64,
    pub page_views: u64,
    pub ai_requests: u64,
    pub tokens: u64,
    pub cost_nano_dollars: NanoDollars,
    pub tasks: u64,
    pub tool_executions: u64,
    pub conversations: u64,
    pub messages: u64,
}

/// Users by what they cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TopUsers {
    /// The users, in the order of their rank.
    pub users: Vec<UserLine>,
}

/// One user.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "docs/reports.md defines every field, and a test holds that it does")]
pub struct UserLine {
    pub user: UserId,
    pub cost_nano_dollars: NanoDollars,
    pub ai_requests: u64,
    pub unpriced: u64,
    pub tokens: u64,
    pub sessions: u64,
    pub page_views: u64,
    pub tasks: u64,
    pub tool_executions: u64,
    pub conversations: u64,
    pub messages: u64,
}

/// Agents by their tasks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TopAgents {
    /// The agents, in the order of their rank.
    pub agents: Vec<AgentLine>,
}

/// One agent.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "docs/reports.md defines every field, and a test holds that it does")]
pub struct AgentLine {
    pub agent: Name,
    #[serde(flatten)]
    pub tasks: RunFigures,
    pub ai_requests: u64,
    pub unpriced: u64,
    pub tokens: u64,
    pub cost_nano_dollars: NanoDollars,
    pub tool_executions: u64,
}

/// Tools by their runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TopTools {
    /// The tools, in the order of their rank.
    pub tools: Vec<ToolLine>,
}

/// One tool.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "docs/reports.md defines every field, and a test holds that it does")]
pub struct ToolLine {
    pub tool: Name,
    #[serde(flatten)]
    pub runs: RunFigures,
}

/// The newest conversations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecentConversations {
    /// The conversations, newest first.
    pub conversations: Vec<ConversationLine>,
}

/// One conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "docs/reports.md defines every field, and a test holds that it does")]
pub struct ConversationLine {
    pub started_at: DateTime<Utc>,
    pub messages: u64,
    pub last_message_at: Option<DateTime<Utc>>,
    pub user: Option<UserId>,
    pub agent: Option<Name>,
    pub title: Option<Text<256>>,
    pub conversation_id: ConversationId,
    pub session_id: Option<SessionId>,
}

/// Conversations and messages together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[expect(missing_docs, reason = "docs/reports.md defines every field, and a test holds that it does")]
pub struct ConversationSummary {
    pub conversations: u64,
    pub empty: u64,
    pub users: u64,
    pub messages_per_conversation: Option<f64>,
    pub messages: u64,
    pub user_messages: u64,
    pub assistant_messages: u64,
    pub system_messages: u64,
    pub tool_messages: u64,
}

/// Conversations and messages day by day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConversationTrend {
    /// The days, oldest first.
    pub days: Vec<ConversationDay>,
}

/// Conversations and messages of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "docs/reports.md defines every field, and a test holds that it does")]
pub struct ConversationDay {
    #[serde(flatten)]
    pub day: Day,
    pub conversations: u64,
    pub messages: u64,
}

/// Conversations and messages by agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConversationsByAgent {
    /// The agents, in the order of their rank.
    pub agents: Vec<AgentConversationsRow>,
}

/// Pages by views.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContentStats {
    /// The pages, in the order of their rank.
    pub pages: Vec<ContentLine>,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "docs/reports.md defines every field, and a test holds that it does")]
pub struct ContentLine {
    pub path: Text<1024>,
    pub views_5m: u64,
    pub views_1h: u64,
    pub views_1d: u64,
    pub views_7d: u64,
    pub views_30d: u64,
    pub visitors_30d: u64,
    pub bot_views_30d: u64,
    pub ai_agent_views_30d: u64,
}

/// Sessions, visitors, page views, duration and bounce rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[expect(missing_docs, reason = "docs/reports.md defines every field, and a test holds that it does")]
pub struct TrafficSummary {
    pub people: TrafficFigures,
    pub bots: TrafficFigures,
    pub ai_agents: TrafficFigures,
    pub automation_share: Option<f64>,
}

/// Sessions by what they have in one dimension.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Breakdown {
    /// The values, in the order of their rank.
    pub rows: Vec<BreakdownLine>,
}

/// Sessions that share a value.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "docs/reports.md defines every field, and a test holds that it does")]
pub struct BreakdownLine {
    pub value: Option<String>,
    pub people_sessions: u64,
    pub people_share: Option<f64>,
    pub visitors: u64,
    pub page_views: u64,
    pub mean_duration_s: Option<f64>,
    pub bounce_rate: Option<f64>,
    pub bot_sessions: u64,
    pub ai_agent_sessions: u64,
}

/// Automation by class, by what it declares itself to be, and by name.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "docs/reports.md defines every field, and a test holds that it does")]
pub struct BotTraffic {
    pub people_sessions: u64,
    pub bot_sessions: u64,
    pub ai_agent_sessions: u64,
    pub automation_share: Option<f64>,
    pub classes: Vec<AutomationLine>,
    pub kinds: Vec<AutomationLine>,
    pub names: Vec<AutomationLine>,
}

/// AI agents by name and kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "docs/reports.md defines every field, and a test holds that it does")]
pub struct AiAgents {
    pub sessions: u64,
    pub session_share: Option<f64>,
    pub kinds: Vec<AutomationLine>,
    pub names: Vec<AutomationLine>,
}

/// Sessions of automation that share a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "docs/reports.md defines every field, and a test holds that it does")]
pub struct AutomationLine {
    pub value: Option<String>,
    pub sessions: u64,
    pub hostile: u64,
    pub visitors: u64,
    pub requests: u64,
    pub page_views: u64,
    pub errors: u64,
    pub refused: u64,
}

/// Answers of 400 and more.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "docs/reports.md defines every field, and a test holds that it does")]
pub struct ErrorSummary {
    pub people: ErrorFigures,
    pub bots: ErrorFigures,
    pub ai_agents: ErrorFigures,
    pub statuses: Vec<StatusLine>,
    pub paths: Vec<ErrorPathRow>,
}

/// Errors of one audience.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[expect(missing_docs, reason = "docs/reports.md defines every field, and a test holds that it does")]
pub struct ErrorFigures {
    pub requests: u64,
    pub client_errors: u64,
    pub server_errors: u64,
    pub refused: u64,
    pub error_rate: Option<f64>,
}

/// Errors of one status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "docs/reports.md defines every field, and a test holds that it does")]
pub struct StatusLine {
    pub status: u16,
    pub people_requests: u64,
    pub bot_requests: u64,
    pub ai_agent_requests: u64,
}

/// Requests to AI providers by model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProviderUsage {
    /// The models, in the order of their rank.
    pub models: Vec<ModelLine>,
}

/// Requests to one model.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "docs/reports.md defines every field, and a test holds that it does")]
pub struct ModelLine {
    pub provider: Name,
    pub model: Name,
    #[serde(flatten)]
    pub usage: UsageFigures,
}

/// Sessions of one audience.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[expect(missing_docs, reason = "docs/reports.md defines every field, and a test holds that it does")]
pub struct TrafficFigures {
    pub sessions: u64,
    pub visitors: u64,
    pub users: u64,
    pub hostile: u64,
    pub requests: u64,
    pub page_views: u64,
    pub assets: u64,
    pub errors: u64,
    pub refused: u64,
    pub pages_per_session: Option<f64>,
    pub mean_duration_s: Option<f64>,
    pub bounce_rate: Option<f64>,
}

/// Requests to AI providers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[expect(missing_docs, reason = "docs/reports.md defines every field, and a test holds that it does")]
pub struct UsageFigures {
    pub requests: u64,
    pub cost_nano_dollars: NanoDollars,
    pub unpriced: u64,
    pub mean_cost_nano_dollars: Option<NanoDollars>,
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cached_tokens: u64,
    pub reasoning_tokens: u64,
    pub cached_share: Option<f64>,
    pub failed: u64,
    pub failure_rate: Option<f64>,
    pub mean_latency_ms: Option<f64>,
}

/// Tasks, or runs of tools.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[expect(missing_docs, reason = "docs/reports.md defines every field, and a test holds that it does")]
pub struct RunFigures {
    pub runs: u64,
    pub completed: u64,
    pub failed: u64,
    pub cancelled: u64,
    pub timed_out: u64,
    pub failure_rate: Option<f64>,
    pub mean_duration_ms: Option<f64>,
}

impl Trend {
    /// A figure and what it was before.
    pub fn of(current: u64, before: Option<u64>) -> Self {
        let change = before.filter(|&before| before > 0).map(|b| (current as f64 - b as f64) / b as f64);
        Self { current, before, change }
    }
}

impl From<&PlatformCounts> for PlatformOverview {
    fn from(counts: &PlatformCounts) -> Self {
        let ByAudience { people, bots, ai_agents } = counts.sessions.map(|counts| (&counts).into());
        Self {
            users: counts.users,
            people,
            bots,
            ai_agents,
            automation_share: automation_share(counts.sessions.map(|counts| counts.sessions)),
            ai_usage: (&counts.ai).into(),
            tasks: (&counts.tasks).into(),
            tool_executions: (&counts.tool_executions).into(),
            conversations: counts.conversations,
            messages: counts.messages,
        }
    }
}

impl UserTrends {
    /// The trends of windows, each with its name, its counts and those of the period before.
    pub fn of(windows: impl IntoIterator<Item = (&'static str, ActiveCounts, Option<ActiveCounts>)>) -> Self {
        let windows = windows.into_iter().map(|(window, current, before)| UserWindow {
            window,
            users: Trend::of(current.users, before.map(|before| before.users)),
            visitors: Trend::of(current.visitors, before.map(|before| before.visitors)),
            sessions: Trend::of(current.sessions, before.map(|before| before.sessions)),
        });
        Self { windows: windows.collect() }
    }
}

impl CostOverview {
    /// The overview of these requests, the models that cost most, and the days.
    pub fn of(usage: &AiUsageCounts, models: &[ProviderRow], days: &Days, counts: &[ActivityCounts]) -> Self {
        let days = days.days().iter().zip(counts).map(|(&day, counts)| CostDay {
            day,
            ai_requests: counts.ai_requests,
            unpriced: counts.unpriced,
            tokens: counts.tokens,
            cost_nano_dollars: counts.cost,
        });
        Self {
            usage: usage.into(),
            models: models.iter().map(ModelLine::from).collect(),
            days: days.collect(),
        }
    }
}

impl ActivityTrend {
    /// The trend of these days.
    pub fn of(days: &Days, counts: &[ActivityCounts]) -> Self {
        let days = days.days().iter().zip(counts).map(|(&day, counts)| ActivityDay {
            day,
            people_sessions: counts.sessions.people,
            bot_sessions: counts.sessions.bots,
            ai_agent_sessions: counts.sessions.ai_agents,
            visitors: counts.visitors,
            users: counts.users,
            page_views: counts.page_views,
            ai_requests: counts.ai_requests,
            tokens: counts.tokens,
            cost_nano_dollars: counts.cost,
            tasks: counts.tasks,
            tool_executions: counts.tool_executions,
            conversations: counts.conversations,
            messages: counts.messages,
        });
        Self { days: days.collect() }
    }
}

impl ConversationTrend {
    /// The trend of these days.
    pub fn of(days: &Days, counts: &[ActivityCounts]) -> Self {
        let days = days.days().iter().zip(counts).map(|(&day, counts)| ConversationDay {
            day,
            conversations: counts.conversations,
            messages: counts.messages,
        });
        Self { days: days.collect() }
    }
}

impl From<Vec<UserRow>> for TopUsers {
    fn from(rows: Vec<UserRow>) -> Self {
        let users = rows.into_iter().map(|row| UserLine {
            user: row.user,
            cost_nano_dollars: row.ai.cost,
            ai_requests: row.ai.requests,
            unpriced: row.ai.unpriced,
            tokens: row.ai.input_tokens.saturating_add(row.ai.output_tokens),
            sessions: row.sessions,
            page_views: row.page_views,
            tasks: row.tasks,
            tool_executions: row.tool_executions,
            conversations: row.conversations,
            messages: row.messages,
        });
        Self { users: users.collect() }
    }
}

impl From<Vec<AgentRow>> for TopAgents {
    fn from(rows: Vec<AgentRow>) -> Self {
        let agents = rows.into_iter().map(|row| AgentLine {
            agent: row.agent,
            tasks: (&row.tasks).into(),
            ai_requests: row.ai.requests,
            unpriced: row.ai.unpriced,
            tokens: row.ai.input_tokens.saturating_add(row.ai.output_tokens),
            cost_nano_dollars: row.ai.cost,
            tool_executions: row.tool_executions,
        });
        Self { agents: agents.collect() }
    }
}

impl From<Vec<ToolRow>> for TopTools {
    fn from(rows: Vec<ToolRow>) -> Self {
        let tools = rows.into_iter().map(|row| ToolLine { tool: row.tool, runs: (&row.runs).into() });
        Self { tools: tools.collect() }
    }
}

impl From<Vec<ConversationRow>> for RecentConversations {
    fn from(rows: Vec<ConversationRow>) -> Self {
        let conversations = rows.into_iter().map(|row| ConversationLine {
            started_at: row.at,
            messages: row.messages,
            last_message_at: row.last_message_at,
            user: row.user,
            agent: row.agent,
            title: row.title,
            conversation_id: row.id,
            session_id: row.session,
        });
        Self { conversations: conversations.collect() }
    }
}

impl From<&ConversationCounts> for ConversationSummary {
    fn from(counts: &ConversationCounts) -> Self {
        let roles =
            [counts.user_messages, counts.assistant_messages, counts.system_messages, counts.tool_messages];
        Self {
            conversations: counts.conversations,
            empty: counts.empty,
            users: counts.users,
            messages_per_conversation: ratio(counts.messages_of_begun, counts.conversations),
            messages: roles.into_iter().fold(0, u64::saturating_add),
            user_messages: counts.user_messages,
            assistant_messages: counts.assistant_messages,
            system_messages: counts.system_messages,
            tool_messages: counts.tool_messages,
        }
    }
}

impl From<Vec<ContentRow>> for ContentStats {
    /// The pages of rows whose windows are 30 days, 7 days, 1 day, 1 hour and 5 minutes, in this order.
    fn from(rows: Vec<ContentRow>) -> Self {
        let pages = rows.into_iter().map(|row| {
            let views = |window: usize| row.views.get(window).copied().unwrap_or_default();
            ContentLine {
                views_5m: views(4).people,
                views_1h: views(3).people,
                views_1d: views(2).people,
                views_7d: views(1).people,
                views_30d: views(0).people,
                visitors_30d: row.visitors,
                bot_views_30d: views(0).bots,
                ai_agent_views_30d: views(0).ai_agents,
                path: row.path,
            }
        });
        Self { pages: pages.collect() }
    }
}

impl From<&ByAudience<SessionCounts>> for TrafficSummary {
    fn from(counts: &ByAudience<SessionCounts>) -> Self {
        let ByAudience { people, bots, ai_agents } = counts.map(|counts| (&counts).into());
        let automation_share = automation_share(counts.map(|counts| counts.sessions));
        Self { people, bots, ai_agents, automation_share }
    }
}

impl Breakdown {
    /// The breakdown of these rows, of so many sessions of people in all.
    pub fn of(rows: Vec<BreakdownRow>, people: u64) -> Self {
        let rows = rows.into_iter().map(|BreakdownRow { value, counts }| BreakdownLine {
            value,
            people_sessions: counts.people.sessions,
            people_share: ratio(counts.people.sessions, people),
            visitors: counts.people.visitors,
            page_views: counts.people.page_views,
            mean_duration_s: seconds(&counts.people),
            bounce_rate: ratio(counts.people.bounces, counts.people.with_pages),
            bot_sessions: counts.bots.sessions,
            ai_agent_sessions: counts.ai_agents.sessions,
        });
        Self { rows: rows.collect() }
    }
}

impl BotTraffic {
    /// The report of all sessions, and of those of automation by class, by declared kind and by declared name.
    pub fn of(
        traffic: ByAudience<SessionCounts>,
        classes: Vec<BreakdownRow>,
        kinds: Vec<BreakdownRow>,
        names: Vec<BreakdownRow>,
    ) -> Self {
        let sessions = traffic.map(|counts| counts.sessions);
        Self {
            people_sessions: sessions.people,
            bot_sessions: sessions.bots,
            ai_agent_sessions: sessions.ai_agents,
            automation_share: automation_share(sessions),
            classes: automation(classes),
            kinds: automation(kinds),
            names: automation(names),
        }
    }
}

impl AiAgents {
    /// The report of all sessions, and of those of AI agents by declared kind and by declared name.
    pub fn of(
        traffic: ByAudience<SessionCounts>,
        kinds: Vec<BreakdownRow>,
        names: Vec<BreakdownRow>,
    ) -> Self {
        let sessions = traffic.map(|counts| counts.sessions);
        Self {
            sessions: sessions.ai_agents,
            session_share: ratio(sessions.ai_agents, sessions.sum()),
            kinds: automation(kinds),
            names: automation(names),
        }
    }
}

impl From<ErrorCounts> for ErrorSummary {
    fn from(counts: ErrorCounts) -> Self {
        let of = |audience| {
            let requests = *counts.requests.get(audience);
            let (client, server) = (*counts.client_errors.get(audience), *counts.server_errors.get(audience));
            ErrorFigures {
                requests,
                client_errors: client,
                server_errors: server,
                refused: *counts.refused.get(audience),
                error_rate: ratio(client.saturating_add(server), requests),
            }
        };
        let statuses = counts.statuses.iter().map(|row| StatusLine {
            status: row.status,
            people_requests: row.requests.people,
            bot_requests: row.requests.bots,
            ai_agent_requests: row.requests.ai_agents,
        });
        Self {
            people: of(super::Audience::People),
            bots: of(super::Audience::Bots),
            ai_agents: of(super::Audience::AiAgents),
            statuses: statuses.collect(),
            paths: counts.paths,
        }
    }
}

impl From<&ProviderRow> for ModelLine {
    fn from(row: &ProviderRow) -> Self {
        Self { provider: row.provider.clone(), model: row.model.clone(), usage: (&row.usage).into() }
    }
}

impl From<&SessionCounts> for TrafficFigures {
    fn from(counts: &SessionCounts) -> Self {
        Self {
            sessions: counts.sessions,
            visitors: counts.visitors,
            users: counts.users,
            hostile: counts.hostile,
            requests: counts.requests,
            page_views: counts.page_views,
            assets: counts.assets,
            errors: counts.client_errors.saturating_add(counts.server_errors),
            refused: counts.refused,
            pages_per_session: ratio(counts.page_views, counts.sessions),
            mean_duration_s: seconds(counts),
            bounce_rate: ratio(counts.bounces, counts.with_pages),
        }
    }
}

impl From<&AiUsageCounts> for UsageFigures {
    fn from(counts: &AiUsageCounts) -> Self {
        let failed = counts.failed.saturating_add(counts.timed_out);
        Self {
            requests: counts.requests,
            cost_nano_dollars: counts.cost,
            unpriced: counts.unpriced,
            mean_cost_nano_dollars: mean(counts.cost, counts.requests.saturating_sub(counts.unpriced)),
            input_tokens: counts.input_tokens,
            output_tokens: counts.output_tokens,
            cached_tokens: counts.cached_tokens,
            reasoning_tokens: counts.reasoning_tokens,
            cached_share: ratio(counts.cached_tokens, counts.input_tokens),
            failed,
            failure_rate: ratio(failed, counts.requests),
            mean_latency_ms: ratio(counts.latency_ms, counts.timed),
        }
    }
}

impl From<&RunCounts> for RunFigures {
    fn from(counts: &RunCounts) -> Self {
        Self {
            runs: counts.runs,
            completed: counts.completed,
            failed: counts.failed,
            cancelled: counts.cancelled,
            timed_out: counts.timed_out,
            failure_rate: ratio(counts.failed.saturating_add(counts.timed_out), counts.runs),
            mean_duration_ms: ratio(counts.duration_ms, counts.timed),
        }
    }
}

fn automation(rows: Vec<BreakdownRow>) -> Vec<AutomationLine> {
    let mut lines: Vec<AutomationLine> = rows
        .into_iter()
        .map(|BreakdownRow { value, counts: ByAudience { bots, ai_agents, .. } }| {
            let sum = |of: fn(&SessionCounts) -> u64| of(&bots).saturating_add(of(&ai_agents));
            AutomationLine {
                value,
                sessions: sum(|counts| counts.sessions),
                hostile: sum(|counts| counts.hostile),
                visitors: sum(|counts| counts.visitors),
                requests: sum(|counts| counts.requests),
                page_views: sum(|counts| counts.page_views),
                errors: sum(|counts| counts.client_errors.saturating_add(counts.server_errors)),
                refused: sum(|counts| counts.refused),
            }
        })
        .filter(|line| line.sessions > 0)
        .collect();
    lines.sort_by(|a, b| b.sessions.cmp(&a.sessions).then_with(|| known_first(a).cmp(&known_first(b))));
    lines
}

/// Orders by value, with what is not known last.
fn known_first(line: &AutomationLine) -> (bool, &Option<String>) {
    (line.value.is_none(), &line.value)
}

fn automation_share(sessions: ByAudience<u64>) -> Option<f64> {
    ratio(sessions.bots.saturating_add(sessions.ai_agents), sessions.sum())
}

fn seconds(counts: &SessionCounts) -> Option<f64> {
    ratio(counts.duration_us, counts.sessions).map(|micros| micros / 1e6)
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The mean, rounded to a whole nano-dollar, half of one away from zero.
fn mean(sum: NanoDollars, count: u64) -> Option<NanoDollars> {
    let (sum, count) = (i128::from(sum.get()), i128::from(count));
    if count == 0 {
        return None;
    }
    let rounded = (sum.abs() + count / 2) / count * sum.signum();
    i64::try_from(rounded).ok().map(NanoDollars::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn nothing_divided_is_none_and_never_a_number() {
        let traffic = TrafficFigures::from(&SessionCounts::default());
        let none = (traffic.pages_per_session, traffic.mean_duration_s, traffic.bounce_rate);
        assert_eq!(none, (None, None, None));
        let usage =
            UsageFigures::from(&AiUsageCounts { requests: 3, unpriced: 3, ..AiUsageCounts::default() });
        assert_eq!(
            (usage.mean_cost_nano_dollars, usage.cached_share, usage.mean_latency_ms),
            (None, None, None)
        );
        assert_eq!(usage.failure_rate, Some(0.0));
        assert_eq!(RunFigures::from(&RunCounts::default()).failure_rate, None);
        assert_eq!(ConversationSummary::from(&ConversationCounts::default()).messages_per_conversation, None);
        let summary = TrafficSummary::from(&ByAudience::default());
        assert_eq!(summary.automation_share, None);
    }

    #[test]
    fn a_trend_is_the_change_by_what_was_before() {
        assert_eq!(Trend::of(3, Some(2)), Trend { current: 3, before: Some(2), change: Some(0.5) });
        assert_eq!(Trend::of(0, Some(2)).change, Some(-1.0));
        assert_eq!(Trend::of(5, Some(0)).change, None);
        assert_eq!(Trend::of(5, None), Trend { current: 5, before: None, change: None });
    }

    #[test]
    fn the_mean_cost_is_of_the_priced_requests_and_rounded_to_whole_nano_dollars() {
        let usage = |cost, requests, unpriced| {
            let counts = AiUsageCounts {
                cost: NanoDollars::new(cost),
                requests,
                unpriced,
                ..AiUsageCounts::default()
            };
            UsageFigures::from(&counts).mean_cost_nano_dollars.map(NanoDollars::get)
        };
        assert_eq!(usage(7, 4, 2), Some(4));
        assert_eq!(usage(-7, 2, 0), Some(-4));
        assert_eq!(usage(10, 3, 0), Some(3));
        assert_eq!(usage(10, 3, 3), None);
    }

    #[test]
    fn automation_is_ranked_by_its_own_sessions_and_leaves_people_out() {
        let row = |value: Option<&str>, people, bots, ai| BreakdownRow {
            value: value.map(Into::into),
            counts: ByAudience { people, bots, ai_agents: ai }
                .map(|sessions| SessionCounts { sessions, ..SessionCounts::default() }),
        };
        let rows = vec![
            row(None, 9, 2, 0),
            row(Some("b"), 0, 1, 1),
            row(Some("a"), 0, 0, 2),
            row(Some("c"), 5, 0, 0),
        ];
        let traffic = ByAudience { people: 14, bots: 3, ai_agents: 3 }
            .map(|sessions| SessionCounts { sessions, ..SessionCounts::default() });
        let report = BotTraffic::of(traffic, rows, vec![], vec![]);
        let told: Vec<_> = report.classes.iter().map(|line| (line.value.as_deref(), line.sessions)).collect();
        assert_eq!(told, [(Some("a"), 2), (Some("b"), 2), (None, 2)]);
        assert_eq!(report.automation_share, Some(0.3));
    }

    #[test]
    fn figures_of_traffic_are_those_of_its_counts() {
        let counts = SessionCounts {
            sessions: 4,
            page_views: 6,
            duration_us: 10_000_000,
            with_pages: 3,
            bounces: 2,
            client_errors: 1,
            server_errors: 2,
            ..SessionCounts::default()
        };
        let figures = TrafficFigures::from(&counts);
        assert_eq!((figures.pages_per_session, figures.mean_duration_s), (Some(1.5), Some(2.5)));
        assert_eq!((figures.bounce_rate, figures.errors), (Some(2.0 / 3.0), 3));
    }
}
