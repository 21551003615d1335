//! What stores answer: whole numbers, each the exact count or sum over the rows of a report.
//!
//! A sum that passes 2⁶³ − 1, the most that stores keep, stays there. Distinct values are counted exactly.

use alloc::string::String;
use alloc::vec::Vec;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::detector::Class;
use crate::ids::{ConversationId, SessionId, UserId};
use crate::session::{AnalyticsSession, NanoDollars, Text};
use crate::usage::{AiRequest, Name, RequestCost, UsageStatus};

/// Who is behind a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// People, and whom nothing certain speaks against: classes human and suspected, and sessions without a verdict.
    People,
    /// Automation that serves no AI product: classes bot and declared bot.
    Bots,
    /// Automation that declares itself and serves an AI product: class AI agent.
    AiAgents,
}

/// The same figure of people, bots and AI agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
pub struct ByAudience<T> {
    /// Of people.
    pub people: T,
    /// Of bots.
    pub bots: T,
    /// Of AI agents.
    pub ai_agents: T,
}

/// What is counted of sessions that started in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
pub struct SessionCounts {
    /// Sessions.
    pub sessions: u64,
    /// Distinct visitor ids. These live a day, so over several days they are visitor-days.
    pub visitors: u64,
    /// Distinct users that the host named.
    pub users: u64,
    /// Sessions that mean harm by their verdict.
    pub hostile: u64,
    /// Requests of the sessions.
    pub requests: u64,
    /// Page views of the sessions.
    pub page_views: u64,
    /// Assets of the sessions.
    pub assets: u64,
    /// Requests answered with 400 to 499.
    pub client_errors: u64,
    /// Requests answered with 500 to 599.
    pub server_errors: u64,
    /// Requests that the throttle refused.
    pub refused: u64,
    /// Microseconds from the first to the newest request, summed over the sessions.
    pub duration_us: u64,
    /// Sessions with a page view.
    pub with_pages: u64,
    /// Sessions with exactly one page view and no engagement event.
    pub bounces: u64,
}

/// What is counted of the requests to AI providers of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
pub struct AiUsageCounts {
    /// Requests.
    pub requests: u64,
    /// Requests whose price is not known; they are not in `cost`.
    pub unpriced: u64,
    /// Requests that did what they were asked.
    pub completed: u64,
    /// Requests that did not.
    pub failed: u64,
    /// Requests that somebody stopped.
    pub cancelled: u64,
    /// Requests that took too long.
    pub timed_out: u64,
    /// Input tokens, cached ones among them.
    pub input_tokens: u64,
    /// Output tokens, reasoning ones among them.
    pub output_tokens: u64,
    /// Cached input tokens.
    pub cached_tokens: u64,
    /// Reasoning output tokens.
    pub reasoning_tokens: u64,
    /// What the priced requests cost.
    pub cost: NanoDollars,
    /// Milliseconds of latency, summed over the requests where it is known.
    pub latency_ms: u64,
    /// Requests whose latency is known.
    pub timed: u64,
}

/// What is counted of tasks, or of runs of tools, of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
pub struct RunCounts {
    /// Tasks, or runs.
    pub runs: u64,
    /// Those that did what they were asked.
    pub completed: u64,
    /// Those that did not.
    pub failed: u64,
    /// Those that somebody stopped.
    pub cancelled: u64,
    /// Those that took too long.
    pub timed_out: u64,
    /// Milliseconds, summed over those whose duration is known.
    pub duration_ms: u64,
    /// Those whose duration is known.
    pub timed: u64,
}

/// Everything of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
pub struct PlatformCounts {
    /// Sessions that started in it.
    pub sessions: ByAudience<SessionCounts>,
    /// Distinct users of sessions, AI requests, tasks, runs of tools, conversations and messages together.
    pub users: u64,
    /// AI requests.
    pub ai: AiUsageCounts,
    /// Tasks.
    pub tasks: RunCounts,
    /// Runs of tools.
    pub tool_executions: RunCounts,
    /// Conversations that began in it.
    pub conversations: u64,
    /// Messages sent in it.
    pub messages: u64,
}

/// Who was active in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
pub struct ActiveCounts {
    /// Distinct users of sessions, AI requests, tasks, runs of tools, conversations and messages together.
    pub users: u64,
    /// Distinct visitor ids of people's sessions that started in it.
    pub visitors: u64,
    /// People's sessions that started in it.
    pub sessions: u64,
}

/// One day, or another part of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
pub struct ActivityCounts {
    /// Sessions that started in it.
    pub sessions: ByAudience<u64>,
    /// Distinct visitor ids of people's sessions that started in it.
    pub visitors: u64,
    /// Page views of people's sessions that started in it.
    pub page_views: u64,
    /// Distinct users of sessions, AI requests, tasks, runs of tools, conversations and messages together.
    pub users: u64,
    /// AI requests.
    pub ai_requests: u64,
    /// AI requests whose price is not known.
    pub unpriced: u64,
    /// Input and output tokens of the AI requests.
    pub tokens: u64,
    /// What the priced AI requests cost.
    pub cost: NanoDollars,
    /// Tasks.
    pub tasks: u64,
    /// Runs of tools.
    pub tool_executions: u64,
    /// Conversations that began in it.
    pub conversations: u64,
    /// Messages sent in it.
    pub messages: u64,
}

/// What one user did in a period.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct UserRow {
    /// The user.
    pub user: UserId,
    /// Sessions that started in the period.
    pub sessions: u64,
    /// Page views of these sessions.
    pub page_views: u64,
    /// AI requests.
    pub ai: AiUsageCounts,
    /// Tasks.
    pub tasks: u64,
    /// Runs of tools.
    pub tool_executions: u64,
    /// Conversations that began in the period.
    pub conversations: u64,
    /// Messages sent in the period.
    pub messages: u64,
}

/// What one agent did in a period.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct AgentRow {
    /// The agent.
    pub agent: Name,
    /// Its tasks.
    pub tasks: RunCounts,
    /// Its AI requests.
    pub ai: AiUsageCounts,
    /// Its runs of tools.
    pub tool_executions: u64,
}

/// What one tool did in a period.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct ToolRow {
    /// The tool.
    pub tool: Name,
    /// Its runs.
    pub runs: RunCounts,
}

/// One conversation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct ConversationRow {
    /// The conversation.
    pub id: ConversationId,
    /// When it began.
    pub at: DateTime<Utc>,
    /// The session it began in.
    pub session: Option<SessionId>,
    /// The user who began it.
    pub user: Option<UserId>,
    /// The agent it is with.
    pub agent: Option<Name>,
    /// What it is called.
    pub title: Option<Text<256>>,
    /// Its messages before the end of the period.
    pub messages: u64,
    /// The time of its newest message before the end of the period; `None` without one.
    pub last_message_at: Option<DateTime<Utc>>,
}

/// What is counted of conversations in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
pub struct ConversationCounts {
    /// Conversations that began in the period.
    pub conversations: u64,
    /// Of these, those without a message before the end of the period.
    pub empty: u64,
    /// Distinct users of these.
    pub users: u64,
    /// Messages of these before the end of the period.
    pub messages_of_begun: u64,
    /// Messages of people sent in the period, in whatever conversation; so are those below.
    pub user_messages: u64,
    /// Messages of models.
    pub assistant_messages: u64,
    /// Messages of the host.
    pub system_messages: u64,
    /// Messages of tools.
    pub tool_messages: u64,
}

/// Conversations of one agent in a period.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct AgentConversationsRow {
    /// The agent; `None` for conversations and messages that name none.
    pub agent: Option<Name>,
    /// Conversations that began in the period.
    pub conversations: u64,
    /// Distinct users of these.
    pub users: u64,
    /// Messages sent in the period that name the agent.
    pub messages: u64,
}

/// Requests to one model of a provider in a period.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct ProviderRow {
    /// The provider.
    pub provider: Name,
    /// The model.
    pub model: Name,
    /// Its requests.
    pub usage: AiUsageCounts,
}

/// Sessions that share a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct BreakdownRow {
    /// The value; `None` where it is not known.
    pub value: Option<String>,
    /// The sessions that have it.
    pub counts: ByAudience<SessionCounts>,
}

/// Views of one page, a request for a document that was answered and not refused, in windows of time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct ContentRow {
    /// The path.
    pub path: Text<1024>,
    /// Views in each window that was asked for, in its order.
    pub views: Vec<ByAudience<u64>>,
    /// Distinct visitor ids of people's views in the first window that was asked for.
    pub visitors: u64,
}

/// What went wrong in a period.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize)]
pub struct ErrorCounts {
    /// All requests of the period.
    pub requests: ByAudience<u64>,
    /// Requests answered with 400 to 499; one that the throttle refused is none of them.
    pub client_errors: ByAudience<u64>,
    /// Requests answered with 500 to 599.
    pub server_errors: ByAudience<u64>,
    /// Requests that the throttle refused.
    pub refused: ByAudience<u64>,
    /// The errors by status, the most frequent first, then the smaller status.
    pub statuses: Vec<StatusRow>,
    /// The paths with the most errors, then in the order of their bytes.
    pub paths: Vec<ErrorPathRow>,
}

/// Errors of one status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct StatusRow {
    /// The status, 400 to 599.
    pub status: u16,
    /// Requests answered with it.
    pub requests: ByAudience<u64>,
}

/// Errors of one path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct ErrorPathRow {
    /// The path.
    pub path: Text<1024>,
    /// Requests answered with 400 to 499.
    pub client_errors: u64,
    /// Requests answered with 500 to 599.
    pub server_errors: u64,
}

impl SessionCounts {
    /// Counts one more session, all but its visitor and its user, of which only distinct ones count.
    pub fn add(&mut self, session: &AnalyticsSession) {
        let record = session.record();
        let counters = &record.counters;
        let micros = session.duration().num_microseconds().unwrap_or(i64::MAX).unsigned_abs();
        let hostile = record.verdict.as_ref().is_some_and(|verdict| verdict.hostile);
        let bounce = counters.page_views == 1 && counters.engagement_events == 0;
        raise(&mut self.sessions, 1);
        raise(&mut self.hostile, u64::from(hostile));
        raise(&mut self.requests, counters.requests);
        raise(&mut self.page_views, counters.page_views);
        raise(&mut self.assets, counters.assets);
        raise(&mut self.client_errors, counters.client_errors);
        raise(&mut self.server_errors, counters.server_errors);
        raise(&mut self.refused, counters.refused);
        raise(&mut self.duration_us, micros);
        raise(&mut self.with_pages, u64::from(counters.page_views > 0));
        raise(&mut self.bounces, u64::from(bounce));
    }
}

impl AiUsageCounts {
    /// Counts one more request.
    pub fn add(&mut self, request: &AiRequest) {
        let cost = request.cost.map(RequestCost::get);
        raise(&mut self.requests, 1);
        raise(&mut self.unpriced, u64::from(cost.is_none()));
        match request.status {
            UsageStatus::Completed => raise(&mut self.completed, 1),
            UsageStatus::Failed => raise(&mut self.failed, 1),
            UsageStatus::Cancelled => raise(&mut self.cancelled, 1),
            UsageStatus::TimedOut => raise(&mut self.timed_out, 1),
        }
        raise(&mut self.input_tokens, request.tokens.input());
        raise(&mut self.output_tokens, request.tokens.output());
        raise(&mut self.cached_tokens, request.tokens.cached());
        raise(&mut self.reasoning_tokens, request.tokens.reasoning());
        let cost = cost.unwrap_or_default();
        self.cost = NanoDollars::new(self.cost.get().saturating_add(cost.get()));
        raise(&mut self.latency_ms, request.latency_ms.map_or(0, u64::from));
        raise(&mut self.timed, u64::from(request.latency_ms.is_some()));
    }
}

impl RunCounts {
    /// Counts one more task, or run, that ended so and took this long.
    pub fn add(&mut self, status: UsageStatus, duration_ms: Option<u32>) {
        raise(&mut self.runs, 1);
        match status {
            UsageStatus::Completed => raise(&mut self.completed, 1),
            UsageStatus::Failed => raise(&mut self.failed, 1),
            UsageStatus::Cancelled => raise(&mut self.cancelled, 1),
            UsageStatus::TimedOut => raise(&mut self.timed_out, 1),
        }
        raise(&mut self.duration_ms, duration_ms.map_or(0, u64::from));
        raise(&mut self.timed, u64::from(duration_ms.is_some()));
    }
}

impl ActivityCounts {
    /// Counts one more request to an AI provider.
    pub fn add_ai_request(&mut self, request: &AiRequest) {
        let cost = request.cost.map(RequestCost::get);
        raise(&mut self.ai_requests, 1);
        raise(&mut self.unpriced, u64::from(cost.is_none()));
        raise(&mut self.tokens, request.tokens.total());
        self.cost = NanoDollars::new(self.cost.get().saturating_add(cost.unwrap_or_default().get()));
    }
}

impl Audience {
    /// Every audience, in the order of declaration.
    pub const ALL: [Self; 3] = [Self::People, Self::Bots, Self::AiAgents];

    /// Who is behind a session of this class.
    pub const fn of(class: Option<Class>) -> Self {
        match class {
            None | Some(Class::Human | Class::Suspected) => Self::People,
            Some(Class::Bot | Class::DeclaredBot) => Self::Bots,
            Some(Class::AiAgent) => Self::AiAgents,
        }
    }
}

impl<T> ByAudience<T> {
    /// The figure of this audience.
    pub const fn get(&self, audience: Audience) -> &T {
        match audience {
            Audience::People => &self.people,
            Audience::Bots => &self.bots,
            Audience::AiAgents => &self.ai_agents,
        }
    }

    /// The figure of this audience, to change.
    pub const fn get_mut(&mut self, audience: Audience) -> &mut T {
        match audience {
            Audience::People => &mut self.people,
            Audience::Bots => &mut self.bots,
            Audience::AiAgents => &mut self.ai_agents,
        }
    }

    /// What a function makes of each figure.
    pub fn map<R>(self, mut of: impl FnMut(T) -> R) -> ByAudience<R> {
        ByAudience { people: of(self.people), bots: of(self.bots), ai_agents: of(self.ai_agents) }
    }
}

impl ByAudience<u64> {
    /// The figures together.
    pub const fn sum(self) -> u64 {
        self.people.saturating_add(self.bots).saturating_add(self.ai_agents)
    }
}

/// Adds, up to the most that stores keep.
const fn raise(sum: &mut u64, by: u64) {
    let more = sum.saturating_add(by);
    *sum = if more > MOST { MOST } else { more };
}

const MOST: u64 = i64::MAX as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_stays_where_stores_end() {
        let mut sum = MOST - 1;
        raise(&mut sum, 1);
        raise(&mut sum, u64::MAX);
        assert_eq!(sum, MOST);
    }

    #[test]
    fn everybody_without_proof_of_automation_counts_among_people() {
        let of = |class| Audience::of(class);
        let people = [None, Some(Class::Human), Some(Class::Suspected)].map(of);
        assert_eq!(people, [Audience::People; 3]);
        assert_eq!([Class::Bot, Class::DeclaredBot].map(|c| of(Some(c))), [Audience::Bots; 2]);
        assert_eq!(of(Some(Class::AiAgent)), Audience::AiAgents);
    }
}
