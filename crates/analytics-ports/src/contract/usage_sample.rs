//! Values of usage that cases keep, of which little is known.

use analytics_domain::ids::{AiRequestId, ConversationId, MessageId, TaskId, ToolExecutionId};
use analytics_domain::usage::{
    AiRequest, Conversation, Message, MessageRole, Name, Stamp, Task, TimeId, TokenCounts, ToolExecution,
    UsageStatus,
};

use super::sample::at;

/// The request with this number in its id, at `at(micros)`, of which little is known.
pub(super) fn ai_request(number: u128, micros: i64) -> AiRequest {
    AiRequest {
        stamp: stamp(AiRequestId::at(at(micros), number), micros),
        session: None,
        user: None,
        task: None,
        agent: None,
        provider: name("provider"),
        model: name("model"),
        tokens: TokenCounts::default(),
        cost: None,
        latency_ms: None,
        status: UsageStatus::Completed,
    }
}

/// The task with this number in its id, at `at(micros)`, of which little is known.
pub(super) fn task(number: u128, micros: i64) -> Task {
    Task {
        stamp: stamp(TaskId::at(at(micros), number), micros),
        session: None,
        user: None,
        agent: name("agent"),
        status: UsageStatus::Completed,
        duration_ms: None,
    }
}

/// The run of a tool with this number in its id, at `at(micros)`, of which little is known.
pub(super) fn tool_execution(number: u128, micros: i64) -> ToolExecution {
    ToolExecution {
        stamp: stamp(ToolExecutionId::at(at(micros), number), micros),
        session: None,
        user: None,
        task: None,
        agent: None,
        tool: name("tool"),
        status: UsageStatus::Completed,
        duration_ms: None,
    }
}

/// The conversation with this number in its id, at `at(micros)`, of which little is known.
pub(super) fn conversation(number: u128, micros: i64) -> Conversation {
    let stamp = stamp(ConversationId::at(at(micros), number), micros);
    Conversation { stamp, session: None, user: None, agent: None, title: None }
}

/// The message with this number in its id, at `at(micros)`, of the conversation that began with `conversation` in its
/// id at `at(0)`.
pub(super) fn message(number: u128, conversation: u128, micros: i64) -> Message {
    Message {
        stamp: stamp(MessageId::at(at(micros), number), micros),
        conversation: self::conversation(conversation, 0).stamp.id(),
        session: None,
        user: None,
        agent: None,
        role: MessageRole::User,
    }
}

fn stamp<I: TimeId>(id: Option<I>, micros: i64) -> Stamp<I> {
    Stamp::new(id.expect("the time is past 1970"), at(micros)).expect("the id is of that time")
}

/// This name.
pub(super) fn name(text: &str) -> Name {
    Name::new(text).expect("it is a name")
}
