//! The rows: sessions and requests of simulated traffic, and usage made for them.

use std::num::NonZeroUsize;
use std::sync::Arc;

use analytics_app::ingest::source::Input;
use analytics_app::replay::{RecordSink, Replay, ReplayOptions};
use analytics_app::simulate::{self, SimulationOptions, SimulationPlan};
use analytics_domain::ids::{
    AiRequestId, ConversationId, MessageId, SessionId, TaskId, ToolExecutionId, UserId,
};
use analytics_domain::request_row::RequestRow;
use analytics_domain::session::{AnalyticsSession, NanoDollars, SessionCounters, SessionRecord, Text};
use analytics_domain::usage::{
    AiRequest, Conversation, Message, MessageRole, Name, RequestCost, Stamp, Task, TokenCounts,
    ToolExecution, UsageStatus,
};
use analytics_ports::{
    AnalyticsQueryRepository, CoreStatsRepository, RequestRepository, SessionRepository, StoreError,
    UsageRepository,
};
use chrono::{DateTime, Utc};

use super::at;

/// The stores of an adapter, empty.
pub(crate) struct Stores {
    pub(crate) sessions: Arc<dyn SessionRepository>,
    pub(crate) requests: Arc<dyn RequestRepository>,
    pub(crate) usage: Arc<dyn UsageRepository>,
    pub(crate) core_stats: Arc<dyn CoreStatsRepository>,
    pub(crate) queries: Arc<dyn AnalyticsQueryRepository>,
}

/// Every row that is stored, as plain lists.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) sessions: Vec<AnalyticsSession>,
    pub(crate) requests: Vec<RequestRow>,
    pub(crate) ai_requests: Vec<AiRequest>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) tool_executions: Vec<ToolExecution>,
    pub(crate) conversations: Vec<Conversation>,
    pub(crate) messages: Vec<Message>,
}

impl Rows {
    /// Twenty hours of people and bots, replayed, with users and usage for many of the sessions.
    pub(crate) fn simulated() -> Self {
        let options = SimulationOptions {
            hours: 20,
            people: 60,
            scale: 0.2,
            site_pages: 150,
            ..SimulationOptions::default()
        };
        let mut log = tempfile::NamedTempFile::new().unwrap();
        simulate::write(&SimulationPlan::new(options).unwrap(), log.as_file_mut(), &mut std::io::sink())
            .unwrap();
        let mut rows = Self::default();
        let options =
            ReplayOptions { capacity: NonZeroUsize::new(100_000).unwrap(), ..ReplayOptions::default() };
        Replay::new(options).with_records(&mut rows).run(vec![Input::from_argument(log.path())]).unwrap();
        rows.sessions.sort_by_key(AnalyticsSession::id);
        for number in 0..rows.sessions.len() {
            rows.use_in(number);
        }
        rows
    }

    /// The times of the first and of the last row of sessions and usage.
    pub(crate) fn bounds(&self) -> (DateTime<Utc>, DateTime<Utc>) {
        let starts = self.sessions.iter().map(|session| session.record().started_at);
        let asked = self.ai_requests.iter().map(|request| request.stamp.at());
        let said = self.messages.iter().map(|message| message.stamp.at());
        let times: Vec<DateTime<Utc>> = starts.chain(asked).chain(said).collect();
        (*times.iter().min().unwrap(), *times.iter().max().unwrap())
    }

    /// Puts every row into the stores, usage twice, since telling it again changes nothing.
    pub(crate) async fn store(&self, stores: &Stores) {
        let recorded_at = self.bounds().1;
        for session in &self.sessions {
            stores.sessions.create(session, recorded_at).await.unwrap();
        }
        for batch in self.requests.chunks(1_000) {
            stores.requests.insert(batch, recorded_at).await.unwrap();
        }
        for _ in 0..2 {
            stores.usage.record_ai_requests(&self.ai_requests, recorded_at).await.unwrap();
            stores.usage.record_tasks(&self.tasks, recorded_at).await.unwrap();
            stores.usage.record_tool_executions(&self.tool_executions, recorded_at).await.unwrap();
            stores.usage.record_conversations(&self.conversations, recorded_at).await.unwrap();
            stores.usage.record_messages(&self.messages, recorded_at).await.unwrap();
        }
    }

    /// Makes a user of some sessions, and usage in some, in numbers that no two kinds share.
    fn use_in(&mut self, number: usize) {
        let session = &self.sessions[number];
        let (id, start) = (session.id(), session.record().started_at);
        let user = (!number.is_multiple_of(3)).then(|| UserId::new(format!("user-{}", number % 11)).unwrap());
        let record = SessionRecord {
            user: user.clone(),
            place: analytics_domain::session::SessionPlace {
                country: ["DK", "DE"].get(number % 5).and_then(|code| code.parse().ok()),
                ..session.record().place.clone()
            },
            // One in nine has no verdict yet, and one in seven was engaged with.
            verdict: session.record().verdict.clone().filter(|_| !number.is_multiple_of(9)),
            counters: SessionCounters {
                engagement_events: u64::from(number.is_multiple_of(7)),
                ..session.record().counters
            },
            ..session.record().clone()
        };
        self.sessions[number] = record.try_into().unwrap();
        let own = Some(id).filter(|_| !number.is_multiple_of(4));
        for n in 0..number % 4 {
            self.ask(own, user.clone(), start, number * 10 + n);
        }
        for n in 0..number % 3 {
            self.work(own, user.as_ref(), start, number * 10 + n);
        }
        if number.is_multiple_of(2) {
            self.talk(own, user.as_ref(), start, number);
        }
    }

    fn ask(&mut self, session: Option<SessionId>, user: Option<UserId>, start: DateTime<Utc>, n: usize) {
        let time = at(start, n as i64 * 777_777);
        let cost =
            (!n.is_multiple_of(5)).then(|| RequestCost::new(NanoDollars::new(n as i64 * 1_001)).unwrap());
        self.ai_requests.push(AiRequest {
            stamp: Stamp::new(AiRequestId::at(time, n as u128).unwrap(), time).unwrap(),
            session,
            user,
            task: None,
            agent: (!n.is_multiple_of(3)).then(|| name("agent", n % 4)),
            provider: name("provider", n % 2),
            model: name("model", n % 3),
            tokens: TokenCounts::new(100 + n as u64, 50, n as u64 % 100, 7).unwrap(),
            cost,
            latency_ms: (!n.is_multiple_of(2)).then_some(n as u32),
            status: UsageStatus::ALL[n % 4],
        });
    }

    fn work(&mut self, session: Option<SessionId>, user: Option<&UserId>, start: DateTime<Utc>, n: usize) {
        let time = at(start, n as i64 * 333_333);
        let task = TaskId::at(time, n as u128).unwrap();
        self.tasks.push(Task {
            stamp: Stamp::new(task, time).unwrap(),
            session,
            user: user.cloned(),
            agent: name("agent", n % 5),
            status: UsageStatus::ALL[n % 4],
            duration_ms: (!n.is_multiple_of(3)).then_some(n as u32),
        });
        for part in 0..n % 4 {
            let time = at(time, part as i64);
            self.tool_executions.push(ToolExecution {
                stamp: Stamp::new(ToolExecutionId::at(time, (n * 4 + part) as u128).unwrap(), time).unwrap(),
                session,
                user: user.cloned(),
                task: Some(task),
                agent: (part > 0).then(|| name("agent", n % 5)),
                tool: name("tool", (n + part) % 6),
                status: UsageStatus::ALL[(n + part) % 4],
                duration_ms: Some(part as u32),
            });
        }
    }

    fn talk(&mut self, session: Option<SessionId>, user: Option<&UserId>, start: DateTime<Utc>, n: usize) {
        let conversation = ConversationId::at(start, n as u128).unwrap();
        let agent = (!n.is_multiple_of(3)).then(|| name("agent", n % 3));
        // One in five is not kept, and its messages are.
        if !n.is_multiple_of(5) {
            self.conversations.push(Conversation {
                stamp: Stamp::new(conversation, start).unwrap(),
                session,
                user: user.cloned(),
                agent: agent.clone(),
                title: (!n.is_multiple_of(4)).then(|| Text::cut(&format!("Talk {n}"))),
            });
        }
        for part in 0..n % 6 {
            let time = at(start, part as i64 * 3_600_000_000);
            self.messages.push(Message {
                stamp: Stamp::new(MessageId::at(time, (n * 6 + part) as u128).unwrap(), time).unwrap(),
                conversation,
                session,
                user: user.cloned(),
                agent: agent.clone(),
                role: MessageRole::ALL[part % 4],
            });
        }
    }
}

impl RecordSink for Rows {
    fn take(&mut self, session: AnalyticsSession, requests: Vec<RequestRow>) -> Result<(), StoreError> {
        self.sessions.push(session);
        self.requests.extend(requests);
        Ok(())
    }
}

fn name(kind: &str, number: usize) -> Name {
    Name::new(format!("{kind}-{number}")).unwrap()
}
