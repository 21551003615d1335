//! Requests to AI providers, tasks, tools, conversations and messages.

use chrono::{DateTime, Utc};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::{event_time, session_id, text, user_id};
use crate::ids::{AiRequestId, ConversationId, MessageId, TaskId, ToolExecutionId};
use crate::session::NanoDollars;
use crate::usage::{
    AiRequest, Conversation, Message, MessageRole, Name, RequestCost, Stamp, Task, TimeId, TokenCounts,
    ToolExecution, UsageStatus,
};

/// The name of a provider, a model, an agent or a tool.
pub fn name() -> impl Strategy<Value = Name> {
    "\\PC{1,30}".prop_filter_map("at most 128 bytes", |name| Name::new(name).ok())
}

/// Tokens of a request.
pub fn token_counts() -> impl Strategy<Value = TokenCounts> {
    let most = 1_000_000_000_000u64;
    (0..=most, 0..=most, 0..=most, 0..=most).prop_filter_map(
        "parts are no larger",
        |(input, output, cached, reasoning)| {
            TokenCounts::new(input, output, cached.min(input), reasoning.min(output)).ok()
        },
    )
}

/// What a request cost.
pub fn request_cost() -> impl Strategy<Value = RequestCost> {
    (0..=1_000_000_000_000_000i64)
        .prop_filter_map("at most a million dollars", |cost| RequestCost::new(NanoDollars::new(cost)).ok())
}

/// How something ended.
pub fn usage_status() -> impl Strategy<Value = UsageStatus> {
    select(&UsageStatus::ALL[..])
}

/// A request to an AI provider at any time that has an id.
pub fn ai_request() -> impl Strategy<Value = AiRequest> {
    let whose =
        (option::of(session_id()), option::of(user_id()), option::of(any::<u128>()), option::of(name()));
    let what = (name(), name(), token_counts(), option::of(request_cost()), option::of(any::<u32>()));
    (event_time(), any::<u128>(), whose, what, usage_status()).prop_map(
        |(at, entropy, whose, what, status)| AiRequest {
            stamp: stamp(AiRequestId::at(at, entropy), at),
            session: whose.0,
            user: whose.1,
            task: whose.2.map(TaskId::from_u128),
            agent: whose.3,
            provider: what.0,
            model: what.1,
            tokens: what.2,
            cost: what.3,
            latency_ms: what.4,
            status,
        },
    )
}

/// A task of an agent at any time that has an id.
pub fn task() -> impl Strategy<Value = Task> {
    let whose = (option::of(session_id()), option::of(user_id()), name());
    (event_time(), any::<u128>(), whose, usage_status(), option::of(any::<u32>())).prop_map(
        |(at, entropy, (session, user, agent), status, duration_ms)| Task {
            stamp: stamp(TaskId::at(at, entropy), at),
            session,
            user,
            agent,
            status,
            duration_ms,
        },
    )
}

/// A run of a tool at any time that has an id.
pub fn tool_execution() -> impl Strategy<Value = ToolExecution> {
    let whose =
        (option::of(session_id()), option::of(user_id()), option::of(any::<u128>()), option::of(name()));
    (event_time(), any::<u128>(), whose, name(), usage_status(), option::of(any::<u32>())).prop_map(
        |(at, entropy, whose, tool, status, duration_ms)| ToolExecution {
            stamp: stamp(ToolExecutionId::at(at, entropy), at),
            session: whose.0,
            user: whose.1,
            task: whose.2.map(TaskId::from_u128),
            agent: whose.3,
            tool,
            status,
            duration_ms,
        },
    )
}

/// A conversation that began at any time that has an id.
pub fn conversation() -> impl Strategy<Value = Conversation> {
    let whose = (option::of(session_id()), option::of(user_id()), option::of(name()));
    (event_time(), any::<u128>(), whose, option::of(text())).prop_map(
        |(at, entropy, (session, user, agent), title)| Conversation {
            stamp: stamp(ConversationId::at(at, entropy), at),
            session,
            user,
            agent,
            title,
        },
    )
}

/// A message of any conversation, at any time that has an id.
pub fn message() -> impl Strategy<Value = Message> {
    let whose = (option::of(session_id()), option::of(user_id()), option::of(name()));
    (event_time(), any::<u128>(), any::<u128>(), whose, select(&MessageRole::ALL[..])).prop_map(
        |(at, entropy, conversation, (session, user, agent), role)| Message {
            stamp: stamp(MessageId::at(at, entropy), at),
            conversation: ConversationId::from_u128(conversation),
            session,
            user,
            agent,
            role,
        },
    )
}

fn stamp<I: TimeId>(id: Option<I>, at: DateTime<Utc>) -> Stamp<I> {
    Stamp::new(id.expect("the time is past 1970"), at).expect("the id is of that time")
}
