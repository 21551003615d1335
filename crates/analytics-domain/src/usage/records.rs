//! The records themselves.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Name, RequestCost, Stamp, TokenCounts};
use crate::ids::{AiRequestId, ConversationId, MessageId, SessionId, TaskId, ToolExecutionId, UserId};
use crate::session::{SessionCounters, Text};

/// One request to an AI provider, with what it used and what it cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AiRequest {
    /// Which request it is and when it was sent.
    #[serde(flatten)]
    pub stamp: Stamp<AiRequestId>,
    /// The session it was made for; `None` for work behind the scenes.
    pub session: Option<SessionId>,
    /// The user it was made for.
    pub user: Option<UserId>,
    /// The task it was a part of.
    pub task: Option<TaskId>,
    /// The agent that made it.
    pub agent: Option<Name>,
    /// Who answered it.
    pub provider: Name,
    /// The model that answered it, in the provider's words.
    pub model: Name,
    /// The tokens it used.
    pub tokens: TokenCounts,
    /// What it cost; `None` when its price is not known, which is not zero.
    pub cost: Option<RequestCost>,
    /// Milliseconds until the whole answer was there; `None` when not measured.
    pub latency_ms: Option<u32>,
    /// How it ended.
    pub status: UsageStatus,
}

/// One task of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Which task it is and when it began.
    #[serde(flatten)]
    pub stamp: Stamp<TaskId>,
    /// The session it was done for.
    pub session: Option<SessionId>,
    /// The user it was done for.
    pub user: Option<UserId>,
    /// The agent that did it.
    pub agent: Name,
    /// How it ended.
    pub status: UsageStatus,
    /// How long it took, in milliseconds; `None` when not measured.
    pub duration_ms: Option<u32>,
}

/// One run of a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolExecution {
    /// Which run it is and when it began.
    #[serde(flatten)]
    pub stamp: Stamp<ToolExecutionId>,
    /// The session it ran for.
    pub session: Option<SessionId>,
    /// The user it ran for.
    pub user: Option<UserId>,
    /// The task it was a part of.
    pub task: Option<TaskId>,
    /// The agent that ran it.
    pub agent: Option<Name>,
    /// The tool.
    pub tool: Name,
    /// How it ended.
    pub status: UsageStatus,
    /// How long it took, in milliseconds; `None` when not measured.
    pub duration_ms: Option<u32>,
}

/// One conversation, as it began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// Which conversation it is and when it began.
    #[serde(flatten)]
    pub stamp: Stamp<ConversationId>,
    /// The session it began in.
    pub session: Option<SessionId>,
    /// The user who began it.
    pub user: Option<UserId>,
    /// The agent it is with.
    pub agent: Option<Name>,
    /// What it is called.
    pub title: Option<Text<256>>,
}

/// One message of a conversation. What it says is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Which message it is and when it was sent.
    #[serde(flatten)]
    pub stamp: Stamp<MessageId>,
    /// The conversation it belongs to; that need not be kept.
    pub conversation: ConversationId,
    /// The session it was sent in.
    pub session: Option<SessionId>,
    /// The user of the conversation.
    pub user: Option<UserId>,
    /// The agent of the conversation.
    pub agent: Option<Name>,
    /// Who speaks.
    pub role: MessageRole,
}

/// How a request, a task or a run of a tool ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageStatus {
    /// It did what it was asked.
    Completed,
    /// It did not.
    Failed,
    /// Somebody stopped it.
    Cancelled,
    /// It took too long.
    TimedOut,
}

/// Who speaks in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageRole {
    /// A person.
    User,
    /// A model.
    Assistant,
    /// The host, with instructions.
    System,
    /// A tool, with its result.
    Tool,
}

/// A text names no [`UsageStatus`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a status is completed, failed, cancelled or timed_out")]
pub struct UnknownUsageStatus;

/// A text names no [`MessageRole`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a role is user, assistant, system or tool")]
pub struct UnknownMessageRole;

impl AiRequest {
    /// What the request adds to the totals of its session.
    pub fn counters(&self) -> SessionCounters {
        SessionCounters::of_ai_request(self.tokens.total(), self.cost.map(RequestCost::get))
    }
}

impl Task {
    /// What the task adds to the totals of its session.
    pub const fn counters(&self) -> SessionCounters {
        SessionCounters { tasks: 1, ..SessionCounters::NONE }
    }
}

impl Message {
    /// What the message adds to the totals of its session.
    pub const fn counters(&self) -> SessionCounters {
        SessionCounters { messages: 1, ..SessionCounters::NONE }
    }
}

impl UsageStatus {
    /// Every status, in the order of declaration.
    pub const ALL: [Self; 4] = [Self::Completed, Self::Failed, Self::Cancelled, Self::TimedOut];

    /// The name on the wire, in stores and in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
        }
    }
}

impl MessageRole {
    /// Every role, in the order of declaration.
    pub const ALL: [Self; 4] = [Self::User, Self::Assistant, Self::System, Self::Tool];

    /// The name on the wire, in stores and in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::System => "system",
            Self::Tool => "tool",
        }
    }
}

impl fmt::Display for UsageStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for MessageRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for UsageStatus {
    type Err = UnknownUsageStatus;

    fn from_str(text: &str) -> Result<Self, UnknownUsageStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownUsageStatus)
    }
}

impl FromStr for MessageRole {
    type Err = UnknownMessageRole;

    fn from_str(text: &str) -> Result<Self, UnknownMessageRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(UnknownMessageRole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::NanoDollars;
    use chrono::DateTime;
    use std::format;

    #[test]
    fn an_ai_request_counts_its_tokens_once_and_an_unknown_price_as_unpriced() {
        let request = request();
        let expected = SessionCounters {
            ai_requests: 1,
            tokens: 150,
            cost: NanoDollars::new(7),
            ..SessionCounters::NONE
        };
        assert_eq!(request.counters(), expected);
        let unpriced = AiRequest { cost: None, ..request };
        let expected = SessionCounters { unpriced_ai_requests: 1, cost: NanoDollars::new(0), ..expected };
        assert_eq!(unpriced.counters(), expected);
    }

    #[test]
    fn names_of_statuses_and_roles_are_those_of_the_wire() {
        for status in UsageStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
            assert_eq!(serde_json::to_string(&status).unwrap(), format!("\"{status}\""));
        }
        for role in MessageRole::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
            assert_eq!(serde_json::to_string(&role).unwrap(), format!("\"{role}\""));
        }
        assert_eq!("ok".parse::<UsageStatus>(), Err(UnknownUsageStatus));
        assert_eq!("bot".parse::<MessageRole>(), Err(UnknownMessageRole));
    }

    #[test]
    fn a_request_survives_json_and_one_with_the_id_of_another_time_is_refused() {
        let json = serde_json::to_string(&request()).unwrap();
        assert_eq!(serde_json::from_str::<AiRequest>(&json).unwrap(), request());
        let moved = json.replace("2023-11-14T22:13:20", "2023-11-14T22:13:21");
        assert!(moved != json && serde_json::from_str::<AiRequest>(&moved).is_err());
    }

    fn request() -> AiRequest {
        let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        AiRequest {
            stamp: Stamp::new(AiRequestId::at(at, 1).unwrap(), at).unwrap(),
            session: None,
            user: None,
            task: None,
            agent: None,
            provider: Name::new("p").unwrap(),
            model: Name::new("m").unwrap(),
            tokens: TokenCounts::new(100, 50, 40, 20).unwrap(),
            cost: Some(RequestCost::new(NanoDollars::new(7)).unwrap()),
            latency_ms: None,
            status: UsageStatus::Completed,
        }
    }
}
