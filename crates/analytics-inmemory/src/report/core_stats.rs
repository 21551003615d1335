//! Reports about the platform, its users, agents, tools and conversations.

use std::collections::BTreeMap;

use analytics_domain::ids::{ConversationId, UserId, VisitorId};
use analytics_domain::stats::counts::{
    ActiveCounts, ActivityCounts, AgentConversationsRow, AgentRow, AiUsageCounts, ConversationCounts,
    ConversationRow, PlatformCounts, RunCounts, ToolRow, UserRow,
};
use analytics_domain::stats::{Audience, ByAudience, Days, Period, ReportFilter};
use analytics_domain::usage::{MessageRole, Name};
use analytics_ports::{BatchLimit, CoreStatsRepository, StoreError};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use hashbrown::{HashMap, HashSet};

use super::InMemoryReports;
use super::fold::{SessionFold, audience_of, counts_of};

#[async_trait]
impl CoreStatsRepository for InMemoryReports {
    async fn platform(&self, period: Period, filter: &ReportFilter) -> Result<PlatformCounts, StoreError> {
        let mut sessions = ByAudience::<SessionFold>::default();
        let mut users = HashSet::<UserId>::new();
        let mut counts = PlatformCounts::default();
        self.sessions.each_started(period, |session| {
            if filter.lets_session(session) {
                sessions.get_mut(audience_of(session)).add(session);
                users.extend(session.record().user.clone());
            }
        });
        self.users_of_usage(period, filter, |_, user| {
            users.get_or_insert_with(user, UserId::clone);
        });
        self.usage.each_ai_request(period, |row| {
            if filter.lets_ai_request(row) {
                counts.ai.add(row);
            }
        });
        self.usage.each_task(period, |row| {
            if filter.lets_task(row) {
                counts.tasks.add(row.status, row.duration_ms);
            }
        });
        self.usage.each_tool_execution(period, |row| {
            if filter.lets_tool_execution(row) {
                counts.tool_executions.add(row.status, row.duration_ms);
            }
        });
        self.usage.each_conversation(period, |row| {
            counts.conversations += u64::from(filter.lets_conversation(row));
        });
        self.usage.each_message(period, |row| counts.messages += u64::from(filter.lets_message(row)));
        Ok(PlatformCounts { sessions: counts_of(&sessions), users: users.len() as u64, ..counts })
    }

    async fn active(
        &self,
        periods: &[Period],
        filter: &ReportFilter,
    ) -> Result<Vec<ActiveCounts>, StoreError> {
        let counts = periods.iter().map(|&period| {
            let (mut users, mut visitors) = (HashSet::<UserId>::new(), HashSet::<VisitorId>::new());
            let mut sessions = 0;
            self.sessions.each_started(period, |session| {
                if filter.lets_session(session) {
                    users.extend(session.record().user.clone());
                    if audience_of(session) == Audience::People {
                        sessions += 1;
                        visitors.insert(session.record().visitor);
                    }
                }
            });
            self.users_of_usage(period, filter, |_, user| {
                users.get_or_insert_with(user, UserId::clone);
            });
            ActiveCounts { users: users.len() as u64, visitors: visitors.len() as u64, sessions }
        });
        Ok(counts.collect())
    }

    async fn activity(&self, days: &Days, filter: &ReportFilter) -> Result<Vec<ActivityCounts>, StoreError> {
        let period = days.period();
        let mut folds: Vec<DayFold> = days.days().iter().map(|_| DayFold::default()).collect();
        let mut day = |at: DateTime<Utc>, note: &mut dyn FnMut(&mut DayFold)| {
            if let Some(position) = days.position(at) {
                note(&mut folds[position]);
            }
        };
        self.sessions.each_started(period, |session| {
            if filter.lets_session(session) {
                day(session.record().started_at, &mut |fold| {
                    fold.users.extend(session.record().user.clone());
                    let audience = audience_of(session);
                    *fold.counts.sessions.get_mut(audience) += 1;
                    if audience == Audience::People {
                        fold.people.add(session);
                    }
                });
            }
        });
        self.users_of_usage(period, filter, |at, user| {
            day(at, &mut |fold| {
                fold.users.get_or_insert_with(user, UserId::clone);
            });
        });
        self.usage.each_ai_request(period, |row| {
            if filter.lets_ai_request(row) {
                day(row.stamp.at(), &mut |fold| fold.counts.add_ai_request(row));
            }
        });
        self.usage.each_task(period, |row| {
            if filter.lets_task(row) {
                day(row.stamp.at(), &mut |fold| fold.counts.tasks += 1);
            }
        });
        self.usage.each_tool_execution(period, |row| {
            if filter.lets_tool_execution(row) {
                day(row.stamp.at(), &mut |fold| fold.counts.tool_executions += 1);
            }
        });
        self.usage.each_conversation(period, |row| {
            if filter.lets_conversation(row) {
                day(row.stamp.at(), &mut |fold| fold.counts.conversations += 1);
            }
        });
        self.usage.each_message(period, |row| {
            if filter.lets_message(row) {
                day(row.stamp.at(), &mut |fold| fold.counts.messages += 1);
            }
        });
        Ok(folds.iter().map(DayFold::counts).collect())
    }

    async fn top_users(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<UserRow>, StoreError> {
        let mut rows = BTreeMap::<UserId, UserRow>::new();
        let mut row = |user: Option<&UserId>, note: &mut dyn FnMut(&mut UserRow)| {
            if let Some(user) = user {
                note(rows.entry(user.clone()).or_insert_with(|| UserRow {
                    user: user.clone(),
                    sessions: 0,
                    page_views: 0,
                    ai: AiUsageCounts::default(),
                    tasks: 0,
                    tool_executions: 0,
                    conversations: 0,
                    messages: 0,
                }));
            }
        };
        let mut page_views = HashMap::<UserId, SessionFold>::new();
        self.sessions.each_started(period, |session| {
            let user = session.record().user.as_ref().filter(|_| filter.lets_session(session));
            row(user, &mut |row| row.sessions += 1);
            if let Some(user) = user {
                page_views.entry(user.clone()).or_default().add(session);
            }
        });
        self.usage.each_ai_request(period, |request| {
            let user = request.user.as_ref().filter(|_| filter.lets_ai_request(request));
            row(user, &mut |row| row.ai.add(request));
        });
        self.usage.each_task(period, |task| {
            row(task.user.as_ref().filter(|_| filter.lets_task(task)), &mut |row| row.tasks += 1);
        });
        self.usage.each_tool_execution(period, |run| {
            let user = run.user.as_ref().filter(|_| filter.lets_tool_execution(run));
            row(user, &mut |row| row.tool_executions += 1);
        });
        self.usage.each_conversation(period, |conversation| {
            let user = conversation.user.as_ref().filter(|_| filter.lets_conversation(conversation));
            row(user, &mut |row| row.conversations += 1);
        });
        self.usage.each_message(period, |message| {
            row(message.user.as_ref().filter(|_| filter.lets_message(message)), &mut |row| row.messages += 1);
        });
        for (user, fold) in page_views {
            if let Some(row) = rows.get_mut(&user) {
                row.page_views = fold.counts().page_views;
            }
        }
        Ok(first(rows, limit, |row| (row.ai.cost.get(), row.sessions)))
    }

    async fn top_agents(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<AgentRow>, StoreError> {
        let mut rows = BTreeMap::<Name, AgentRow>::new();
        let mut row = |agent: &Name, note: &mut dyn FnMut(&mut AgentRow)| {
            note(rows.entry(agent.clone()).or_insert_with(|| AgentRow {
                agent: agent.clone(),
                tasks: RunCounts::default(),
                ai: AiUsageCounts::default(),
                tool_executions: 0,
            }));
        };
        self.usage.each_task(period, |task| {
            if filter.lets_task(task) {
                row(&task.agent, &mut |row| row.tasks.add(task.status, task.duration_ms));
            }
        });
        self.usage.each_ai_request(period, |request| {
            if let Some(agent) = request.agent.as_ref().filter(|_| filter.lets_ai_request(request)) {
                row(agent, &mut |row| row.ai.add(request));
            }
        });
        self.usage.each_tool_execution(period, |run| {
            if let Some(agent) = run.agent.as_ref().filter(|_| filter.lets_tool_execution(run)) {
                row(agent, &mut |row| row.tool_executions += 1);
            }
        });
        Ok(first(rows, limit, |row| (row.tasks.runs, row.ai.requests)))
    }

    async fn top_tools(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<ToolRow>, StoreError> {
        let mut rows = BTreeMap::<Name, ToolRow>::new();
        self.usage.each_tool_execution(period, |run| {
            if filter.lets_tool_execution(run) {
                let row = rows
                    .entry(run.tool.clone())
                    .or_insert_with(|| ToolRow { tool: run.tool.clone(), runs: RunCounts::default() });
                row.runs.add(run.status, run.duration_ms);
            }
        });
        Ok(first(rows, limit, |row| row.runs.runs))
    }

    async fn recent_conversations(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<ConversationRow>, StoreError> {
        let mut rows = Vec::new();
        self.usage.each_conversation(period, |conversation| {
            if filter.lets_conversation(conversation) {
                rows.push(ConversationRow {
                    id: conversation.stamp.id(),
                    at: conversation.stamp.at(),
                    session: conversation.session,
                    user: conversation.user.clone(),
                    agent: conversation.agent.clone(),
                    title: conversation.title.clone(),
                    messages: 0,
                    last_message_at: None,
                });
            }
        });
        rows.reverse();
        rows.truncate(limit.as_usize());
        let places: HashMap<ConversationId, usize> =
            rows.iter().enumerate().map(|(place, row)| (row.id, place)).collect();
        self.usage.each_message_before(period.until(), |message| {
            if let Some(&place) = places.get(&message.conversation) {
                rows[place].messages += 1;
                rows[place].last_message_at = rows[place].last_message_at.max(Some(message.stamp.at()));
            }
        });
        Ok(rows)
    }

    async fn conversations(
        &self,
        period: Period,
        filter: &ReportFilter,
    ) -> Result<ConversationCounts, StoreError> {
        let mut begun = HashMap::<ConversationId, u64>::new();
        let mut users = HashSet::<UserId>::new();
        self.usage.each_conversation(period, |conversation| {
            if filter.lets_conversation(conversation) {
                begun.insert(conversation.stamp.id(), 0);
                users.extend(conversation.user.clone());
            }
        });
        let mut counts = ConversationCounts {
            conversations: begun.len() as u64,
            users: users.len() as u64,
            ..ConversationCounts::default()
        };
        self.usage.each_message_before(period.until(), |message| {
            if let Some(messages) = begun.get_mut(&message.conversation) {
                *messages += 1;
            }
        });
        counts.messages_of_begun = begun.values().sum();
        counts.empty = begun.values().filter(|messages| **messages == 0).count() as u64;
        self.usage.each_message(period, |message| {
            if filter.lets_message(message) {
                match message.role {
                    MessageRole::User => counts.user_messages += 1,
                    MessageRole::Assistant => counts.assistant_messages += 1,
                    MessageRole::System => counts.system_messages += 1,
                    MessageRole::Tool => counts.tool_messages += 1,
                }
            }
        });
        Ok(counts)
    }

    async fn conversations_by_agent(
        &self,
        period: Period,
        filter: &ReportFilter,
        limit: BatchLimit,
    ) -> Result<Vec<AgentConversationsRow>, StoreError> {
        // What is not known stands last, so it is the greater key.
        let mut rows = BTreeMap::<(bool, Option<Name>), (AgentConversationsRow, HashSet<UserId>)>::new();
        let mut row =
            |agent: &Option<Name>, note: &mut dyn FnMut(&mut AgentConversationsRow, &mut HashSet<UserId>)| {
                let (row, users) = rows.entry((agent.is_none(), agent.clone())).or_insert_with(|| {
                    let row = AgentConversationsRow {
                        agent: agent.clone(),
                        conversations: 0,
                        users: 0,
                        messages: 0,
                    };
                    (row, HashSet::new())
                });
                note(row, users);
            };
        self.usage.each_conversation(period, |conversation| {
            if filter.lets_conversation(conversation) {
                row(&conversation.agent, &mut |row, users| {
                    row.conversations += 1;
                    users.extend(conversation.user.clone());
                });
            }
        });
        self.usage.each_message(period, |message| {
            if filter.lets_message(message) {
                row(&message.agent, &mut |row, _| row.messages += 1);
            }
        });
        let rows = rows
            .into_iter()
            .map(|(key, (row, users))| (key, AgentConversationsRow { users: users.len() as u64, ..row }));
        Ok(first(rows, limit, |row| (row.conversations, row.messages)))
    }
}

/// One day counted so far.
#[derive(Debug, Default)]
struct DayFold {
    counts: ActivityCounts,
    people: SessionFold,
    users: HashSet<UserId>,
}

impl DayFold {
    fn counts(&self) -> ActivityCounts {
        let people = self.people.counts();
        ActivityCounts {
            visitors: people.visitors,
            page_views: people.page_views,
            users: self.users.len() as u64,
            ..self.counts
        }
    }
}

/// The rows with the greatest ranks, of equals those with the smaller keys; the rows come in the order of their keys.
pub(super) fn first<K, R, O: Ord>(
    rows: impl IntoIterator<Item = (K, R)>,
    limit: BatchLimit,
    rank: impl Fn(&R) -> O,
) -> Vec<R> {
    let mut rows: Vec<R> = rows.into_iter().map(|(_, row)| row).collect();
    // The sort is stable, so that equals stay in the order of their keys.
    rows.sort_by_key(|row| std::cmp::Reverse(rank(row)));
    rows.truncate(limit.as_usize());
    rows
}
