//! The use of AI providers, agents and tools in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::Excluded;
use std::sync::Arc;

use analytics_domain::ids::{AiRequestId, ConversationId, MessageId, SessionId, TaskId, ToolExecutionId};
use analytics_domain::session::SessionCounters;
use analytics_domain::stats::Period;
use analytics_domain::usage::{AiRequest, Conversation, Message, Stamp, Task, TimeId, ToolExecution};
use analytics_ports::{BatchLimit, Erased, Page, PageRequest, StoreError, UsageKind, UsageRepository};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use parking_lot::RwLock;

use crate::session::InMemorySessions;
use crate::stats::{Capacity, StoreStats};

/// The use of AI providers, agents and tools in memory, at most as many rows of each kind as the capacity.
///
/// When a kind is full, its row that was recorded first leaves, of equals the smallest id. Rows come in batches and
/// far more rarely than requests, so each kind is under one lock that readers share.
#[derive(Debug)]
pub struct InMemoryUsage {
    sessions: Arc<InMemorySessions>,
    ai_requests: RwLock<Log<AiRequest>>,
    tasks: RwLock<Log<Task>>,
    tool_executions: RwLock<Log<ToolExecution>>,
    conversations: RwLock<Log<Conversation>>,
    messages: RwLock<Log<Message>>,
}

impl InMemoryUsage {
    /// Nothing yet, room for this many rows of each kind, and the sessions whose totals change with them.
    pub fn new(capacity: Capacity, sessions: Arc<InMemorySessions>) -> Self {
        Self {
            sessions,
            ai_requests: RwLock::new(Log::new(capacity)),
            tasks: RwLock::new(Log::new(capacity)),
            tool_executions: RwLock::new(Log::new(capacity)),
            conversations: RwLock::new(Log::new(capacity)),
            messages: RwLock::new(Log::new(capacity)),
        }
    }

    /// How full it is and how many rows left it, over all kinds. No row counts as in use.
    pub fn stats(&self) -> StoreStats {
        self.ai_requests
            .read()
            .stats()
            .plus(self.tasks.read().stats())
            .plus(self.tool_executions.read().stats())
            .plus(self.conversations.read().stats())
            .plus(self.messages.read().stats())
    }

    /// Shows every request to an AI provider of a period, oldest first; so do those below with their kinds.
    pub(crate) fn each_ai_request(&self, period: Period, show: impl FnMut(&AiRequest)) {
        self.ai_requests.read().rows_of(period).for_each(show);
    }

    pub(crate) fn each_task(&self, period: Period, show: impl FnMut(&Task)) {
        self.tasks.read().rows_of(period).for_each(show);
    }

    pub(crate) fn each_tool_execution(&self, period: Period, show: impl FnMut(&ToolExecution)) {
        self.tool_executions.read().rows_of(period).for_each(show);
    }

    pub(crate) fn each_conversation(&self, period: Period, show: impl FnMut(&Conversation)) {
        self.conversations.read().rows_of(period).for_each(show);
    }

    pub(crate) fn each_message(&self, period: Period, show: impl FnMut(&Message)) {
        self.messages.read().rows_of(period).for_each(show);
    }

    /// Shows every message before this time, oldest first.
    pub(crate) fn each_message_before(&self, until: DateTime<Utc>, show: impl FnMut(&Message)) {
        let log = self.messages.read();
        log.rows.range(..(until, Message::LEAST)).map(|(_, row)| row).for_each(show);
    }

    /// Deletes what names one of these sessions, and answers how many rows of each kind.
    pub(crate) fn erase(&self, sessions: &BTreeSet<SessionId>) -> Erased {
        Erased {
            ai_requests: self.ai_requests.write().erase(sessions),
            tasks: self.tasks.write().erase(sessions),
            tool_executions: self.tool_executions.write().erase(sessions),
            conversations: self.conversations.write().erase(sessions),
            messages: self.messages.write().erase(sessions),
            ..Erased::default()
        }
    }

    /// Keeps the rows that are new, and adds them to their sessions before anybody sees them.
    fn record<R: Row>(&self, log: &RwLock<Log<R>>, rows: &[R], recorded_at: DateTime<Utc>) -> u64 {
        let mut log = log.write();
        let mut new = 0;
        let mut sums = BTreeMap::<SessionId, SessionCounters>::new();
        for row in rows {
            if log.insert(row, recorded_at) {
                new += 1;
                if let Some((session, counters)) = row.counts() {
                    let sum = sums.entry(session).or_default();
                    *sum = sum.plus(counters);
                }
            }
        }
        for (session, counters) in sums {
            self.sessions.count(session, counters);
        }
        new
    }
}

#[async_trait]
impl UsageRepository for InMemoryUsage {
    async fn record_ai_requests(
        &self,
        requests: &[AiRequest],
        recorded_at: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        Ok(self.record(&self.ai_requests, requests, recorded_at))
    }

    async fn record_tasks(&self, tasks: &[Task], recorded_at: DateTime<Utc>) -> Result<u64, StoreError> {
        Ok(self.record(&self.tasks, tasks, recorded_at))
    }

    async fn record_tool_executions(
        &self,
        executions: &[ToolExecution],
        recorded_at: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        Ok(self.record(&self.tool_executions, executions, recorded_at))
    }

    async fn record_conversations(
        &self,
        conversations: &[Conversation],
        recorded_at: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        Ok(self.record(&self.conversations, conversations, recorded_at))
    }

    async fn record_messages(
        &self,
        messages: &[Message],
        recorded_at: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        Ok(self.record(&self.messages, messages, recorded_at))
    }

    async fn list_ai_requests(
        &self,
        period: Period,
        page: PageRequest<Stamp<AiRequestId>>,
    ) -> Result<Page<AiRequest, Stamp<AiRequestId>>, StoreError> {
        Ok(self.ai_requests.read().list(period, page))
    }

    async fn list_tasks(
        &self,
        period: Period,
        page: PageRequest<Stamp<TaskId>>,
    ) -> Result<Page<Task, Stamp<TaskId>>, StoreError> {
        Ok(self.tasks.read().list(period, page))
    }

    async fn list_tool_executions(
        &self,
        period: Period,
        page: PageRequest<Stamp<ToolExecutionId>>,
    ) -> Result<Page<ToolExecution, Stamp<ToolExecutionId>>, StoreError> {
        Ok(self.tool_executions.read().list(period, page))
    }

    async fn list_conversations(
        &self,
        period: Period,
        page: PageRequest<Stamp<ConversationId>>,
    ) -> Result<Page<Conversation, Stamp<ConversationId>>, StoreError> {
        Ok(self.conversations.read().list(period, page))
    }

    async fn list_messages(
        &self,
        period: Period,
        page: PageRequest<Stamp<MessageId>>,
    ) -> Result<Page<Message, Stamp<MessageId>>, StoreError> {
        Ok(self.messages.read().list(period, page))
    }

    async fn delete_recorded_before(
        &self,
        kind: UsageKind,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError> {
        Ok(match kind {
            UsageKind::AiRequests => self.ai_requests.write().delete(before, limit),
            UsageKind::Tasks => self.tasks.write().delete(before, limit),
            UsageKind::ToolExecutions => self.tool_executions.write().delete(before, limit),
            UsageKind::Conversations => self.conversations.write().delete(before, limit),
            UsageKind::Messages => self.messages.write().delete(before, limit),
        })
    }
}

/// A row of one kind.
pub(crate) trait Row: Clone {
    type Id: TimeId;
    /// The smallest id, which stands before all others of its time.
    const LEAST: Self::Id;

    fn stamp(&self) -> Stamp<Self::Id>;

    /// The session that it names.
    fn session(&self) -> Option<SessionId>;

    /// What it adds to the totals of which session.
    fn counts(&self) -> Option<(SessionId, SessionCounters)>;
}

/// The rows of one kind. Every row is in all three.
#[derive(Debug)]
struct Log<R: Row> {
    rows: BTreeMap<(DateTime<Utc>, R::Id), R>,
    /// When each happened and was recorded.
    times: BTreeMap<R::Id, (DateTime<Utc>, DateTime<Utc>)>,
    by_recording: BTreeSet<(DateTime<Utc>, R::Id)>,
    capacity: Capacity,
    evicted: u64,
}

impl<R: Row> Log<R> {
    fn new(capacity: Capacity) -> Self {
        Self {
            rows: BTreeMap::new(),
            times: BTreeMap::new(),
            by_recording: BTreeSet::new(),
            capacity,
            evicted: 0,
        }
    }

    /// Keeps a row and answers whether it is new.
    fn insert(&mut self, row: &R, recorded_at: DateTime<Utc>) -> bool {
        let (at, id) = (row.stamp().at(), row.stamp().id());
        if self.times.contains_key(&id) {
            return false;
        }
        while self.rows.len() >= self.capacity.get() as usize {
            let Some(&(_, oldest)) = self.by_recording.first() else { break };
            self.remove(oldest);
            self.evicted += 1;
        }
        self.times.insert(id, (at, recorded_at));
        self.by_recording.insert((recorded_at, id));
        self.rows.insert((at, id), row.clone());
        true
    }

    fn remove(&mut self, id: R::Id) {
        if let Some((at, recorded_at)) = self.times.remove(&id) {
            self.by_recording.remove(&(recorded_at, id));
            self.rows.remove(&(at, id));
        }
    }

    /// The rows of a period, in the order of time and then of ids.
    fn rows_of(&self, period: Period) -> impl Iterator<Item = &R> {
        self.rows.range((period.from(), R::LEAST)..(period.until(), R::LEAST)).map(|(_, row)| row)
    }

    fn list(&self, period: Period, page: PageRequest<Stamp<R::Id>>) -> Page<R, Stamp<R::Id>> {
        // One more than the limit tells whether the list goes on.
        let wanted = page.limit.as_usize() + 1;
        let (first, end) = ((period.from(), R::LEAST), (period.until(), R::LEAST));
        let after = page.after.map(|stamp| (stamp.at(), stamp.id()));
        let rows: Vec<R> = match after {
            Some(after) if after >= end => Vec::new(),
            Some(after) if after >= first => {
                let rest = self.rows.range((Excluded(after), Excluded(end)));
                rest.take(wanted).map(|(_, row)| row.clone()).collect()
            }
            Some(_) | None => self.rows_of(period).take(wanted).cloned().collect(),
        };
        Page::of(rows, page.limit, Row::stamp)
    }

    fn delete(&mut self, before: DateTime<Utc>, limit: BatchLimit) -> u32 {
        let old = self.by_recording.iter().take_while(|(recorded_at, _)| *recorded_at < before);
        let old: Vec<R::Id> = old.take(limit.as_usize()).map(|&(_, id)| id).collect();
        for &id in &old {
            self.remove(id);
        }
        old.len() as u32
    }

    fn erase(&mut self, sessions: &BTreeSet<SessionId>) -> u64 {
        let named = |row: &&R| row.session().is_some_and(|session| sessions.contains(&session));
        let ids: Vec<R::Id> = self.rows.values().filter(named).map(|row| row.stamp().id()).collect();
        for &id in &ids {
            self.remove(id);
        }
        ids.len() as u64
    }

    fn stats(&self) -> StoreStats {
        StoreStats {
            entries: self.rows.len() as u64,
            capacity: u64::from(self.capacity.get()),
            evicted: self.evicted,
            evicted_in_use: 0,
        }
    }
}

impl Row for AiRequest {
    type Id = AiRequestId;
    const LEAST: Self::Id = AiRequestId::from_u128(0);

    fn stamp(&self) -> Stamp<AiRequestId> {
        self.stamp
    }

    fn session(&self) -> Option<SessionId> {
        self.session
    }

    fn counts(&self) -> Option<(SessionId, SessionCounters)> {
        self.session.map(|session| (session, self.counters()))
    }
}

impl Row for Task {
    type Id = TaskId;
    const LEAST: Self::Id = TaskId::from_u128(0);

    fn stamp(&self) -> Stamp<TaskId> {
        self.stamp
    }

    fn session(&self) -> Option<SessionId> {
        self.session
    }

    fn counts(&self) -> Option<(SessionId, SessionCounters)> {
        self.session.map(|session| (session, self.counters()))
    }
}

impl Row for ToolExecution {
    type Id = ToolExecutionId;
    const LEAST: Self::Id = ToolExecutionId::from_u128(0);

    fn stamp(&self) -> Stamp<ToolExecutionId> {
        self.stamp
    }

    fn session(&self) -> Option<SessionId> {
        self.session
    }

    fn counts(&self) -> Option<(SessionId, SessionCounters)> {
        None
    }
}

impl Row for Conversation {
    type Id = ConversationId;
    const LEAST: Self::Id = ConversationId::from_u128(0);

    fn stamp(&self) -> Stamp<ConversationId> {
        self.stamp
    }

    fn session(&self) -> Option<SessionId> {
        self.session
    }

    fn counts(&self) -> Option<(SessionId, SessionCounters)> {
        None
    }
}

impl Row for Message {
    type Id = MessageId;
    const LEAST: Self::Id = MessageId::from_u128(0);

    fn stamp(&self) -> Stamp<MessageId> {
        self.stamp
    }

    fn session(&self) -> Option<SessionId> {
        self.session
    }

    fn counts(&self) -> Option<(SessionId, SessionCounters)> {
        self.session.map(|session| (session, self.counters()))
    }
}
