//! What hosts tell of AI providers, agents and tools.
//!
//! Each record may bring its id, so that telling it twice is noticed, and its time; without them it is of now. A cost
//! that is not told is worked out from the prices of the configuration, and is unknown without one.

use std::collections::BTreeMap;

use analytics_domain::ids::{
    AiRequestId, ConversationId, MessageId, SessionId, TaskId, ToolExecutionId, UserId,
};
use analytics_domain::session::{NanoDollars, Text};
use analytics_domain::usage::{
    AiRequest, Conversation, Message, MessageRole, Name, RequestCost, Stamp, Task, TimeId, TokenCounts,
    ToolExecution, UsageStatus,
};
use analytics_ports::StoreError;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::State;
use super::access::Ingest;
use super::answers::{NeedsToken, TakesJson};
use super::extract::Json;
use super::problem::Problem;
use super::state::Service;
use crate::anomaly::Actor;

/// One request to an AI provider.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AiRequestTold {
    /// A `UUIDv7` of the request's time.
    #[schema(value_type = Option<String>)]
    id: Option<AiRequestId>,
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<DateTime<Utc>>,
    #[schema(value_type = Option<String>)]
    session: Option<SessionId>,
    #[schema(value_type = Option<String>)]
    user: Option<UserId>,
    #[schema(value_type = Option<String>)]
    task: Option<TaskId>,
    agent: Option<String>,
    provider: String,
    model: String,
    input_tokens: u64,
    output_tokens: u64,
    /// Among the input tokens.
    #[serde(default)]
    cached_tokens: u64,
    /// Among the output tokens.
    #[serde(default)]
    reasoning_tokens: u64,
    /// What it cost, in billionths of a US dollar.
    cost_nano_dollars: Option<i64>,
    latency_ms: Option<u32>,
    /// completed, failed, cancelled or `timed_out`.
    #[serde(default = "completed")]
    #[schema(value_type = Option<String>)]
    status: UsageStatus,
}

/// One task of an agent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TaskTold {
    /// A `UUIDv7` of the task's time.
    #[schema(value_type = Option<String>)]
    id: Option<TaskId>,
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<DateTime<Utc>>,
    #[schema(value_type = Option<String>)]
    session: Option<SessionId>,
    #[schema(value_type = Option<String>)]
    user: Option<UserId>,
    agent: String,
    /// completed, failed, cancelled or `timed_out`.
    #[serde(default = "completed")]
    #[schema(value_type = Option<String>)]
    status: UsageStatus,
    duration_ms: Option<u32>,
}

/// One run of a tool.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ToolExecutionTold {
    /// A `UUIDv7` of the run's time.
    #[schema(value_type = Option<String>)]
    id: Option<ToolExecutionId>,
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<DateTime<Utc>>,
    #[schema(value_type = Option<String>)]
    session: Option<SessionId>,
    #[schema(value_type = Option<String>)]
    user: Option<UserId>,
    #[schema(value_type = Option<String>)]
    task: Option<TaskId>,
    agent: Option<String>,
    tool: String,
    /// completed, failed, cancelled or `timed_out`.
    #[serde(default = "completed")]
    #[schema(value_type = Option<String>)]
    status: UsageStatus,
    duration_ms: Option<u32>,
}

/// One message of a conversation, which begins with the first that brings `begins`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageTold {
    /// A `UUIDv7` of the message's time.
    #[schema(value_type = Option<String>)]
    id: Option<MessageId>,
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<DateTime<Utc>>,
    /// A `UUIDv7` of the conversation's beginning.
    #[schema(value_type = String)]
    conversation: ConversationId,
    #[schema(value_type = Option<String>)]
    session: Option<SessionId>,
    #[schema(value_type = Option<String>)]
    user: Option<UserId>,
    agent: Option<String>,
    /// user, assistant, system or tool.
    #[schema(value_type = String)]
    role: MessageRole,
    /// When the conversation began, with the first message of it.
    #[schema(value_type = Option<String>, format = DateTime)]
    begins: Option<DateTime<Utc>>,
    /// What the conversation is called.
    title: Option<String>,
}

/// One record, or several.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Told<T> {
    /// Several.
    Many(Vec<T>),
    /// One.
    One(T),
}

/// What became of the records of a call.
#[derive(Serialize, ToSchema)]
pub(super) struct UsageAnswer {
    /// Those that were not kept before.
    new: u64,
    /// Those that were kept already.
    known: u64,
}

/// Records requests to AI providers: all of a call or none.
#[utoipa::path(
    post, path = "/v1/ai-requests", tag = "usage", request_body = Told<AiRequestTold>,
    responses(
        (status = 200, description = "How many were new", body = UsageAnswer),
        (status = 400, description = "Not such records, or more than 1,000", content_type = "application/problem+json"),
        (status = 503, description = "The store is away; call again", content_type = "application/problem+json"),
        NeedsToken,
        TakesJson,
    )
)]
pub(super) async fn ai_requests(
    service: State,
    _: Ingest,
    Json(told): Json<Told<AiRequestTold>>,
) -> Result<Response, Problem> {
    let now = service.clock().now();
    let read = read(told, |told| told.record(&service, now))?;
    let new = service.stores().usage.record_ai_requests(&read, now).await;
    // Of a call that was made before it is not known which records are new; its costs were counted then.
    if new.as_ref().is_ok_and(|&new| new == read.len() as u64) {
        count_costs(&service, &read, now).await;
    }
    answer(read.len(), new)
}

/// Counts costs for whom they arose: the session's class tells, and where it is not known it is people.
async fn count_costs(service: &Service, read: &[AiRequest], now: DateTime<Utc>) {
    let mut actors = BTreeMap::new();
    for request in read {
        let Some(cost) = request.cost else { continue };
        let actor = match request.session {
            None => Actor::People,
            Some(id) => {
                if let std::collections::btree_map::Entry::Vacant(e) = actors.entry(id) {
                    let session = service.stores().sessions.get(id).await.ok().flatten();
                    let verdict = session.and_then(|session| session.value.record().verdict.clone());
                    e.insert(verdict.map_or(Actor::People, |verdict| Actor::of(verdict.class)));
                }
                actors[&id]
            }
        };
        service.live().feed().cost(actor, cost, now);
    }
}

/// Records tasks of agents: all of a call or none.
#[utoipa::path(
    post, path = "/v1/tasks", tag = "usage", request_body = Told<TaskTold>,
    responses(
        (status = 200, description = "How many were new", body = UsageAnswer),
        (status = 400, description = "Not such records, or more than 1,000", content_type = "application/problem+json"),
        (status = 503, description = "The store is away; call again", content_type = "application/problem+json"),
        NeedsToken,
        TakesJson,
    )
)]
pub(super) async fn tasks(
    service: State,
    _: Ingest,
    Json(told): Json<Told<TaskTold>>,
) -> Result<Response, Problem> {
    let now = service.clock().now();
    let read = read(told, |told| told.record(&service, now))?;
    let new = service.stores().usage.record_tasks(&read, now).await;
    answer(read.len(), new)
}

/// Records runs of tools: all of a call or none.
#[utoipa::path(
    post, path = "/v1/tool-executions", tag = "usage", request_body = Told<ToolExecutionTold>,
    responses(
        (status = 200, description = "How many were new", body = UsageAnswer),
        (status = 400, description = "Not such records, or more than 1,000", content_type = "application/problem+json"),
        (status = 503, description = "The store is away; call again", content_type = "application/problem+json"),
        NeedsToken,
        TakesJson,
    )
)]
pub(super) async fn tool_executions(
    service: State,
    _: Ingest,
    Json(told): Json<Told<ToolExecutionTold>>,
) -> Result<Response, Problem> {
    let now = service.clock().now();
    let read = read(told, |told| told.record(&service, now))?;
    let new = service.stores().usage.record_tool_executions(&read, now).await;
    answer(read.len(), new)
}

/// Records messages of conversations, without what they say: all of a call or none.
#[utoipa::path(
    post, path = "/v1/messages", tag = "usage", request_body = Told<MessageTold>,
    responses(
        (status = 200, description = "How many were new", body = UsageAnswer),
        (status = 400, description = "Not such records, or more than 1,000", content_type = "application/problem+json"),
        (status = 503, description = "The store is away; call again", content_type = "application/problem+json"),
        NeedsToken,
        TakesJson,
    )
)]
pub(super) async fn messages(
    service: State,
    _: Ingest,
    Json(told): Json<Told<MessageTold>>,
) -> Result<Response, Problem> {
    let now = service.clock().now();
    let read = read(told, |told| told.records(&service, now))?;
    let (messages, begun): (Vec<_>, Vec<_>) = read.into_iter().unzip();
    let begun: Vec<_> = begun.into_iter().flatten().collect();
    if !begun.is_empty() {
        service.stores().usage.record_conversations(&begun, now).await?;
    }
    let new = service.stores().usage.record_messages(&messages, now).await;
    answer(messages.len(), new)
}

impl AiRequestTold {
    fn record(self, service: &Service, now: DateTime<Utc>) -> Result<AiRequest, String> {
        let stamp = stamp(self.id, self.at, service, now, AiRequestId::at)?;
        let tokens = TokenCounts::new(
            self.input_tokens,
            self.output_tokens,
            self.cached_tokens,
            self.reasoning_tokens,
        )
        .map_err(text)?;
        let (provider, model) = (name(self.provider)?, name(self.model)?);
        let cost = match self.cost_nano_dollars {
            Some(cost) => Some(RequestCost::new(NanoDollars::new(cost)).map_err(text)?),
            None => service.prices().cost(&provider, &model, tokens, stamp.at()).map_err(text)?,
        };
        Ok(AiRequest {
            stamp,
            session: self.session,
            user: self.user,
            task: self.task,
            agent: self.agent.map(name).transpose()?,
            provider,
            model,
            tokens,
            cost,
            latency_ms: self.latency_ms,
            status: self.status,
        })
    }
}

impl TaskTold {
    fn record(self, service: &Service, now: DateTime<Utc>) -> Result<Task, String> {
        Ok(Task {
            stamp: stamp(self.id, self.at, service, now, TaskId::at)?,
            session: self.session,
            user: self.user,
            agent: name(self.agent)?,
            status: self.status,
            duration_ms: self.duration_ms,
        })
    }
}

impl ToolExecutionTold {
    fn record(self, service: &Service, now: DateTime<Utc>) -> Result<ToolExecution, String> {
        Ok(ToolExecution {
            stamp: stamp(self.id, self.at, service, now, ToolExecutionId::at)?,
            session: self.session,
            user: self.user,
            task: self.task,
            agent: self.agent.map(name).transpose()?,
            tool: name(self.tool)?,
            status: self.status,
            duration_ms: self.duration_ms,
        })
    }
}

impl MessageTold {
    fn records(
        self,
        service: &Service,
        now: DateTime<Utc>,
    ) -> Result<(Message, Option<Conversation>), String> {
        let agent = self.agent.map(name).transpose()?;
        let begun = match self.begins {
            None => None,
            Some(at) => Some(Conversation {
                stamp: Stamp::new(self.conversation, at).map_err(text)?,
                session: self.session,
                user: self.user.clone(),
                agent: agent.clone(),
                title: self.title.map(|title| Text::cut(&title)),
            }),
        };
        let message = Message {
            stamp: stamp(self.id, self.at, service, now, MessageId::at)?,
            conversation: self.conversation,
            session: self.session,
            user: self.user,
            agent,
            role: self.role,
        };
        Ok((message, begun))
    }
}

/// The id and time of a record: those that were told, else of now. An id alone tells its millisecond.
fn stamp<I: TimeId>(
    id: Option<I>,
    at: Option<DateTime<Utc>>,
    service: &Service,
    now: DateTime<Utc>,
    make: impl Fn(DateTime<Utc>, u128) -> Option<I>,
) -> Result<Stamp<I>, String> {
    let told = || id.and_then(TimeId::unix_millis).and_then(DateTime::from_timestamp_millis);
    let at = at.or_else(told).unwrap_or(now);
    let id = match id {
        Some(id) => id,
        None => {
            make(at, service.ids().event_id(at).as_u128()).ok_or("the time has no id: it is before 1970")?
        }
    };
    Stamp::new(id, at).map_err(text)
}

fn read<T: DeserializeOwned, R>(
    told: Told<T>,
    record: impl Fn(T) -> Result<R, String>,
) -> Result<Vec<R>, Problem> {
    let told = match told {
        Told::One(one) => vec![one],
        Told::Many(many) => many,
    };
    if told.len() > MOST {
        return Err(Problem::bad(format!("{} records at once; send at most {MOST}", told.len())));
    }
    let numbered = told.into_iter().enumerate();
    numbered
        .map(|(number, told)| record(told).map_err(|error| Problem::bad(format!("record {number}: {error}"))))
        .collect()
}

fn answer(told: usize, new: Result<u64, StoreError>) -> Result<Response, Problem> {
    let new = new?;
    Ok(axum::Json(UsageAnswer { new, known: (told as u64).saturating_sub(new) }).into_response())
}

fn name(told: String) -> Result<Name, String> {
    Name::new(told).map_err(text)
}

#[expect(clippy::needless_pass_by_value, reason = "it is made for `map_err`")]
fn text(error: impl ToString) -> String {
    error.to_string()
}

const fn completed() -> UsageStatus {
    UsageStatus::Completed
}

/// The most records of one call.
const MOST: usize = 1_000;
