//! The recount: for every figure the whole list again, with the definitions written out once more.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use analytics_domain::detector::Class;
use analytics_domain::ids::{ConversationId, UserId, VisitorId};
use analytics_domain::request::RequestKind;
use analytics_domain::request_row::{RequestDecision, RequestRow};
use analytics_domain::session::{AnalyticsSession, NanoDollars, Text};
use analytics_domain::stats::counts::{
    ActiveCounts, ActivityCounts, AgentConversationsRow, AgentRow, AiUsageCounts, BreakdownRow, ContentRow,
    ConversationCounts, ConversationRow, ErrorCounts, ErrorPathRow, PlatformCounts, ProviderRow, RunCounts,
    SessionCounts, StatusRow, ToolRow, UserRow,
};
use analytics_domain::stats::{ByAudience, Dimension, Period, ReportFilter};
use analytics_domain::usage::{
    AiRequest, Conversation, Message, MessageRole, Name, Task, ToolExecution, UsageStatus,
};

use super::rows::Rows;

/// Counts rows slowly.
pub(crate) struct Naive<'a> {
    pub(crate) rows: &'a Rows,
}

impl Naive<'_> {
    pub(crate) fn platform(&self, period: Period, filter: &ReportFilter) -> PlatformCounts {
        PlatformCounts {
            sessions: self.traffic(period, filter),
            users: self.users(period, filter).len() as u64,
            ai: self.ai_usage(period, filter),
            tasks: runs(self.tasks(period, filter).iter().map(|task| (task.status, task.duration_ms))),
            tool_executions: runs(
                self.tool_executions(period, filter).iter().map(|run| (run.status, run.duration_ms)),
            ),
            conversations: self.conversations_of(period, filter).len() as u64,
            messages: self.messages(period, filter).len() as u64,
        }
    }

    pub(crate) fn active(&self, period: Period, filter: &ReportFilter) -> ActiveCounts {
        let people = self.traffic(period, filter).people;
        let users = self.users(period, filter).len() as u64;
        ActiveCounts { users, visitors: people.visitors, sessions: people.sessions }
    }

    pub(crate) fn activity(&self, period: Period, filter: &ReportFilter) -> ActivityCounts {
        let (traffic, ai) = (self.traffic(period, filter), self.ai_usage(period, filter));
        ActivityCounts {
            sessions: traffic.map(|counts| counts.sessions),
            visitors: traffic.people.visitors,
            page_views: traffic.people.page_views,
            users: self.users(period, filter).len() as u64,
            ai_requests: ai.requests,
            unpriced: ai.unpriced,
            tokens: ai.input_tokens + ai.output_tokens,
            cost: ai.cost,
            tasks: self.tasks(period, filter).len() as u64,
            tool_executions: self.tool_executions(period, filter).len() as u64,
            conversations: self.conversations_of(period, filter).len() as u64,
            messages: self.messages(period, filter).len() as u64,
        }
    }

    pub(crate) fn top_users(&self, period: Period, filter: &ReportFilter) -> Vec<UserRow> {
        let mut rows: Vec<UserRow> = Vec::new();
        for user in self.users(period, filter) {
            let own = |other: &Option<UserId>| other.as_ref() == Some(&user);
            let sessions = self.sessions(period, filter);
            let sessions: Vec<_> = sessions.into_iter().filter(|s| own(&s.record().user)).collect();
            let asked = self.ai_requests(period, filter);
            rows.push(UserRow {
                sessions: sessions.len() as u64,
                page_views: sessions.iter().map(|session| session.record().counters.page_views).sum(),
                ai: ai(asked.into_iter().filter(|request| own(&request.user))),
                tasks: self.tasks(period, filter).iter().filter(|task| own(&task.user)).count() as u64,
                tool_executions: self
                    .tool_executions(period, filter)
                    .iter()
                    .filter(|run| own(&run.user))
                    .count() as u64,
                conversations: self.conversations_of(period, filter).iter().filter(|c| own(&c.user)).count()
                    as u64,
                messages: self.messages(period, filter).iter().filter(|m| own(&m.user)).count() as u64,
                user,
            });
        }
        rows.sort_by_key(|row| (Reverse((row.ai.cost, row.sessions)), row.user.clone()));
        rows
    }

    pub(crate) fn top_agents(&self, period: Period, filter: &ReportFilter) -> Vec<AgentRow> {
        let (tasks, asked) = (self.tasks(period, filter), self.ai_requests(period, filter));
        let executions = self.tool_executions(period, filter);
        let agents: BTreeSet<Name> = tasks
            .iter()
            .map(|task| task.agent.clone())
            .chain(asked.iter().filter_map(|request| request.agent.clone()))
            .chain(executions.iter().filter_map(|run| run.agent.clone()))
            .collect();
        let mut rows: Vec<AgentRow> = agents
            .into_iter()
            .map(|agent| AgentRow {
                tasks: runs(
                    tasks.iter().filter(|t| t.agent == agent).map(|task| (task.status, task.duration_ms)),
                ),
                ai: ai(asked.iter().copied().filter(|request| request.agent.as_ref() == Some(&agent))),
                tool_executions: executions.iter().filter(|run| run.agent.as_ref() == Some(&agent)).count()
                    as u64,
                agent,
            })
            .collect();
        rows.sort_by_key(|row| (Reverse((row.tasks.runs, row.ai.requests)), row.agent.clone()));
        rows
    }

    pub(crate) fn top_tools(&self, period: Period, filter: &ReportFilter) -> Vec<ToolRow> {
        let executions = self.tool_executions(period, filter);
        let tools: BTreeSet<Name> = executions.iter().map(|run| run.tool.clone()).collect();
        let mut rows: Vec<ToolRow> = tools
            .into_iter()
            .map(|tool| ToolRow {
                runs: runs(
                    executions.iter().filter(|run| run.tool == tool).map(|run| (run.status, run.duration_ms)),
                ),
                tool,
            })
            .collect();
        rows.sort_by_key(|row| (Reverse(row.runs.runs), row.tool.clone()));
        rows
    }

    pub(crate) fn recent_conversations(&self, period: Period, filter: &ReportFilter) -> Vec<ConversationRow> {
        let mut rows: Vec<ConversationRow> = self
            .conversations_of(period, filter)
            .into_iter()
            .map(|conversation| {
                let messages = self.messages_in(conversation.stamp.id(), period);
                ConversationRow {
                    id: conversation.stamp.id(),
                    at: conversation.stamp.at(),
                    session: conversation.session,
                    user: conversation.user.clone(),
                    agent: conversation.agent.clone(),
                    title: conversation.title.clone(),
                    messages: messages.len() as u64,
                    last_message_at: messages.iter().map(|message| message.stamp.at()).max(),
                }
            })
            .collect();
        rows.sort_by_key(|row| Reverse((row.at, row.id)));
        rows
    }

    pub(crate) fn conversations(&self, period: Period, filter: &ReportFilter) -> ConversationCounts {
        let begun = self.conversations_of(period, filter);
        let messages = self.messages(period, filter);
        let sizes: Vec<usize> =
            begun.iter().map(|begun| self.messages_in(begun.stamp.id(), period).len()).collect();
        let by = |role| messages.iter().filter(|message| message.role == role).count() as u64;
        ConversationCounts {
            conversations: begun.len() as u64,
            empty: sizes.iter().filter(|size| **size == 0).count() as u64,
            users: begun.iter().filter_map(|begun| begun.user.clone()).collect::<BTreeSet<_>>().len() as u64,
            messages_of_begun: sizes.iter().sum::<usize>() as u64,
            user_messages: by(MessageRole::User),
            assistant_messages: by(MessageRole::Assistant),
            system_messages: by(MessageRole::System),
            tool_messages: by(MessageRole::Tool),
        }
    }

    pub(crate) fn conversations_by_agent(
        &self,
        period: Period,
        filter: &ReportFilter,
    ) -> Vec<AgentConversationsRow> {
        let (begun, messages) = (self.conversations_of(period, filter), self.messages(period, filter));
        let agents: BTreeSet<Option<Name>> = begun
            .iter()
            .map(|conversation| conversation.agent.clone())
            .chain(messages.iter().map(|message| message.agent.clone()))
            .collect();
        let mut rows: Vec<AgentConversationsRow> = agents
            .into_iter()
            .map(|agent| {
                let own: Vec<_> = begun.iter().filter(|begun| begun.agent == agent).collect();
                AgentConversationsRow {
                    conversations: own.len() as u64,
                    users: own.iter().filter_map(|own| own.user.clone()).collect::<BTreeSet<_>>().len()
                        as u64,
                    messages: messages.iter().filter(|message| message.agent == agent).count() as u64,
                    agent,
                }
            })
            .collect();
        rows.sort_by_key(|row| {
            (Reverse((row.conversations, row.messages)), row.agent.is_none(), row.agent.clone())
        });
        rows
    }

    pub(crate) fn ai_usage(&self, period: Period, filter: &ReportFilter) -> AiUsageCounts {
        ai(self.ai_requests(period, filter).into_iter())
    }

    pub(crate) fn provider_usage(&self, period: Period, filter: &ReportFilter) -> Vec<ProviderRow> {
        let asked = self.ai_requests(period, filter);
        let models: BTreeSet<(Name, Name)> =
            asked.iter().map(|request| (request.provider.clone(), request.model.clone())).collect();
        let mut rows: Vec<ProviderRow> = models
            .into_iter()
            .map(|(provider, model)| ProviderRow {
                usage: ai(asked
                    .iter()
                    .copied()
                    .filter(|request| request.provider == provider && request.model == model)),
                provider,
                model,
            })
            .collect();
        rows.sort_by_key(|row| {
            (Reverse((row.usage.cost, row.usage.requests)), row.provider.clone(), row.model.clone())
        });
        rows
    }

    pub(crate) fn traffic(&self, period: Period, filter: &ReportFilter) -> ByAudience<SessionCounts> {
        by_audience(&self.sessions(period, filter))
    }

    pub(crate) fn breakdown(
        &self,
        period: Period,
        dimension: Dimension,
        filter: &ReportFilter,
    ) -> Vec<BreakdownRow> {
        let sessions = self.sessions(period, filter);
        let values: BTreeSet<Option<String>> =
            sessions.iter().map(|session| value_of(dimension, session)).collect();
        let mut rows: Vec<BreakdownRow> = values
            .into_iter()
            .map(|value| {
                let own: Vec<_> = sessions
                    .iter()
                    .copied()
                    .filter(|session| value_of(dimension, session) == value)
                    .collect();
                BreakdownRow { value, counts: by_audience(&own) }
            })
            .collect();
        rows.sort_by_key(|row| {
            let counts = row.counts.map(|counts| counts.sessions);
            (Reverse((counts.people, counts.bots, counts.ai_agents)), row.value.is_none(), row.value.clone())
        });
        rows
    }

    pub(crate) fn content(&self, windows: &[Period], filter: &ReportFilter) -> Vec<ContentRow> {
        let views: Vec<(&RequestRow, Option<Class>)> = self
            .requests(windows[0], filter)
            .into_iter()
            .filter(|(request, _)| {
                let record = request.record();
                let refused = matches!(record.decision, RequestDecision::Refused(_));
                record.kind == RequestKind::Page && !refused
            })
            .collect();
        let paths: BTreeSet<Text<1024>> =
            views.iter().map(|(request, _)| request.record().path.clone()).collect();
        let mut rows: Vec<ContentRow> = paths
            .into_iter()
            .map(|path| {
                let own: Vec<_> = views.iter().filter(|(request, _)| request.record().path == path).collect();
                let in_window = |window: &Period| {
                    let times = own.iter().filter(|(request, _)| {
                        window.from() <= request.at() && request.at() < window.until()
                    });
                    let classes: Vec<Option<Class>> = times.map(|(_, class)| *class).collect();
                    count_by(&classes)
                };
                let visitors: BTreeSet<VisitorId> = own
                    .iter()
                    .filter(|(_, class)| is_person(*class))
                    .map(|(request, _)| request.record().visitor)
                    .collect();
                ContentRow {
                    views: windows.iter().map(in_window).collect(),
                    visitors: visitors.len() as u64,
                    path,
                }
            })
            .collect();
        rows.sort_by_key(|row| {
            let all = row.views[0];
            (Reverse((all.people, all.people + all.bots + all.ai_agents)), row.path.clone())
        });
        rows
    }

    pub(crate) fn errors(&self, period: Period, filter: &ReportFilter) -> ErrorCounts {
        let requests = self.requests(period, filter);
        let is_refused =
            |request: &RequestRow| matches!(request.record().decision, RequestDecision::Refused(_));
        let status = |request: &RequestRow, low, high| {
            !is_refused(request)
                && request.record().status.is_some_and(|status| (low..=high).contains(&status))
        };
        let classes = |holds: &dyn Fn(&RequestRow) -> bool| {
            let held = requests.iter().filter(|(request, _)| holds(request));
            count_by(&held.map(|(_, class)| *class).collect::<Vec<_>>())
        };
        let errors: Vec<&RequestRow> = requests
            .iter()
            .map(|(request, _)| *request)
            .filter(|request| status(request, 400, 599))
            .collect();
        let seen: BTreeSet<u16> = errors.iter().filter_map(|request| request.record().status).collect();
        let mut statuses: Vec<StatusRow> = seen
            .into_iter()
            .map(|seen| StatusRow { status: seen, requests: classes(&|request| status(request, seen, seen)) })
            .collect();
        statuses.sort_by_key(|row| {
            (Reverse(row.requests.people + row.requests.bots + row.requests.ai_agents), row.status)
        });
        let seen: BTreeSet<Text<1024>> = errors.iter().map(|request| request.record().path.clone()).collect();
        let mut paths: Vec<ErrorPathRow> = seen
            .into_iter()
            .map(|path| {
                let count = |low, high| {
                    let own = errors.iter().filter(|request| request.record().path == path);
                    own.filter(|request| status(request, low, high)).count() as u64
                };
                ErrorPathRow { client_errors: count(400, 499), server_errors: count(500, 599), path }
            })
            .collect();
        paths.sort_by_key(|row| (Reverse(row.client_errors + row.server_errors), row.path.clone()));
        ErrorCounts {
            requests: classes(&|_| true),
            client_errors: classes(&|request| status(request, 400, 499)),
            server_errors: classes(&|request| status(request, 500, 599)),
            refused: classes(&is_refused),
            statuses,
            paths,
        }
    }

    fn sessions(&self, period: Period, filter: &ReportFilter) -> Vec<&AnalyticsSession> {
        let sessions = self.rows.sessions.iter();
        sessions
            .filter(|session| {
                let started = session.record().started_at;
                period.from() <= started && started < period.until() && passes(filter, session)
            })
            .collect()
    }

    /// The requests that count, with the class of their sessions.
    fn requests(&self, period: Period, filter: &ReportFilter) -> Vec<(&RequestRow, Option<Class>)> {
        let requests = self.rows.requests.iter();
        requests
            .filter(|request| period.from() <= request.at() && request.at() < period.until())
            .filter_map(|request| {
                // Sessions are in the order of their ids.
                let at = self.rows.sessions.binary_search_by_key(&request.session(), AnalyticsSession::id);
                let session = &self.rows.sessions[at.unwrap()];
                passes(filter, session).then(|| (request, class_of(session)))
            })
            .collect()
    }

    fn ai_requests(&self, period: Period, filter: &ReportFilter) -> Vec<&AiRequest> {
        let rows = self.rows.ai_requests.iter().filter(|row| within(period, row.stamp.at()));
        rows.filter(|row| {
            same(filter.user.as_ref(), row.user.as_ref())
                && same(filter.agent.as_ref(), row.agent.as_ref())
                && same(filter.provider.as_ref(), Some(&row.provider))
                && same(filter.model.as_ref(), Some(&row.model))
        })
        .collect()
    }

    fn tasks(&self, period: Period, filter: &ReportFilter) -> Vec<&Task> {
        let rows = self.rows.tasks.iter().filter(|row| within(period, row.stamp.at()));
        rows.filter(|row| {
            same(filter.user.as_ref(), row.user.as_ref()) && same(filter.agent.as_ref(), Some(&row.agent))
        })
        .collect()
    }

    fn tool_executions(&self, period: Period, filter: &ReportFilter) -> Vec<&ToolExecution> {
        let rows = self.rows.tool_executions.iter().filter(|row| within(period, row.stamp.at()));
        rows.filter(|row| {
            same(filter.user.as_ref(), row.user.as_ref())
                && same(filter.agent.as_ref(), row.agent.as_ref())
                && same(filter.tool.as_ref(), Some(&row.tool))
        })
        .collect()
    }

    fn conversations_of(&self, period: Period, filter: &ReportFilter) -> Vec<&Conversation> {
        let rows = self.rows.conversations.iter().filter(|row| within(period, row.stamp.at()));
        rows.filter(|row| {
            same(filter.user.as_ref(), row.user.as_ref()) && same(filter.agent.as_ref(), row.agent.as_ref())
        })
        .collect()
    }

    fn messages(&self, period: Period, filter: &ReportFilter) -> Vec<&Message> {
        let rows = self.rows.messages.iter().filter(|row| within(period, row.stamp.at()));
        rows.filter(|row| {
            same(filter.user.as_ref(), row.user.as_ref()) && same(filter.agent.as_ref(), row.agent.as_ref())
        })
        .collect()
    }

    fn messages_in(&self, conversation: ConversationId, period: Period) -> Vec<&Message> {
        let own = self.rows.messages.iter().filter(|message| message.conversation == conversation);
        own.filter(|message| message.stamp.at() < period.until()).collect()
    }

    fn users(&self, period: Period, filter: &ReportFilter) -> BTreeSet<UserId> {
        let sessions = self.sessions(period, filter).into_iter().map(|row| row.record().user.clone());
        let asked = self.ai_requests(period, filter).into_iter().map(|row| row.user.clone());
        let tasks = self.tasks(period, filter).into_iter().map(|row| row.user.clone());
        let executions = self.tool_executions(period, filter).into_iter().map(|row| row.user.clone());
        let begun = self.conversations_of(period, filter).into_iter().map(|row| row.user.clone());
        let said = self.messages(period, filter).into_iter().map(|row| row.user.clone());
        sessions.chain(asked).chain(tasks).chain(executions).chain(begun).chain(said).flatten().collect()
    }
}

fn by_audience(sessions: &[&AnalyticsSession]) -> ByAudience<SessionCounts> {
    let of = |classes: &[Option<Class>]| {
        let own: Vec<_> = sessions.iter().filter(|session| classes.contains(&class_of(session))).collect();
        let sum = |of: &dyn Fn(&AnalyticsSession) -> u64| own.iter().map(|session| of(session)).sum::<u64>();
        let views = |session: &AnalyticsSession| session.record().counters.page_views;
        SessionCounts {
            sessions: own.len() as u64,
            visitors: own.iter().map(|session| session.record().visitor).collect::<BTreeSet<_>>().len()
                as u64,
            users: own.iter().filter_map(|s| s.record().user.clone()).collect::<BTreeSet<_>>().len() as u64,
            hostile: sum(&|s| u64::from(s.record().verdict.as_ref().is_some_and(|verdict| verdict.hostile))),
            requests: sum(&|session| session.record().counters.requests),
            page_views: sum(&views),
            assets: sum(&|session| session.record().counters.assets),
            client_errors: sum(&|session| session.record().counters.client_errors),
            server_errors: sum(&|session| session.record().counters.server_errors),
            refused: sum(&|session| session.record().counters.refused),
            duration_us: sum(&|session| {
                let (first, last) = (session.record().started_at, session.record().last_activity_at);
                (last.timestamp_micros() - first.timestamp_micros()) as u64
            }),
            with_pages: sum(&|session| u64::from(views(session) > 0)),
            bounces: sum(&|session| {
                u64::from(views(session) == 1 && session.record().counters.engagement_events == 0)
            }),
        }
    };
    ByAudience {
        people: of(&[None, Some(Class::Human), Some(Class::Suspected)]),
        bots: of(&[Some(Class::Bot), Some(Class::DeclaredBot)]),
        ai_agents: of(&[Some(Class::AiAgent)]),
    }
}

fn count_by(classes: &[Option<Class>]) -> ByAudience<u64> {
    let count =
        |holds: &dyn Fn(Option<Class>) -> bool| classes.iter().filter(|class| holds(**class)).count() as u64;
    ByAudience {
        people: count(&is_person),
        bots: count(&|class| matches!(class, Some(Class::Bot | Class::DeclaredBot))),
        ai_agents: count(&|class| class == Some(Class::AiAgent)),
    }
}

fn is_person(class: Option<Class>) -> bool {
    matches!(class, None | Some(Class::Human | Class::Suspected))
}

fn class_of(session: &AnalyticsSession) -> Option<Class> {
    session.record().verdict.as_ref().map(|verdict| verdict.class)
}

fn value_of(dimension: Dimension, session: &AnalyticsSession) -> Option<String> {
    let record = session.record();
    let declared = record.verdict.as_ref().and_then(|verdict| verdict.declared.clone());
    match dimension {
        Dimension::Source => source_of(session),
        Dimension::Campaign => record.origin.campaign.campaign.as_ref().map(ToString::to_string),
        Dimension::Channel => Some(record.origin.channel.as_str().to_owned()),
        Dimension::Device => Some(record.client.device.as_str().to_owned()),
        Dimension::Browser => record.client.browser.as_ref().map(ToString::to_string),
        Dimension::Os => record.client.os.as_ref().map(ToString::to_string),
        Dimension::Country => record.place.country.map(|country| country.to_string()),
        Dimension::Class => class_of(session).map(|class| class.as_str().to_owned()),
        Dimension::DeclaredKind => declared.map(|declared| declared.kind.as_str().to_owned()),
        Dimension::DeclaredName => declared.and_then(|declared| declared.name).map(|name| name.to_string()),
    }
}

fn source_of(session: &AnalyticsSession) -> Option<String> {
    let origin = &session.record().origin;
    match (&origin.campaign.source, &origin.referrer_host) {
        (Some(source), _) => Some(source.to_string()),
        (None, host) => host.as_ref().map(ToString::to_string),
    }
}

fn passes(filter: &ReportFilter, session: &AnalyticsSession) -> bool {
    let record = session.record();
    (filter.class.is_none() || filter.class == class_of(session))
        && same(filter.channel.as_ref(), Some(&record.origin.channel))
        && (filter.source.is_none() || filter.source.as_ref().map(ToString::to_string) == source_of(session))
        && same(filter.device.as_ref(), Some(&record.client.device))
        && same(filter.browser.as_ref(), record.client.browser.as_ref())
        && same(filter.os.as_ref(), record.client.os.as_ref())
        && same(filter.country.as_ref(), record.place.country.as_ref())
        && same(filter.user.as_ref(), record.user.as_ref())
}

fn same<T: PartialEq>(wanted: Option<&T>, found: Option<&T>) -> bool {
    match wanted {
        None => true,
        Some(wanted) => found == Some(wanted),
    }
}

fn within(period: Period, at: chrono::DateTime<chrono::Utc>) -> bool {
    period.from() <= at && at < period.until()
}

#[expect(single_use_lifetimes, reason = "the item of an iterator that is an argument names its lifetime")]
fn ai<'a>(requests: impl Iterator<Item = &'a AiRequest>) -> AiUsageCounts {
    let all: Vec<&AiRequest> = requests.collect();
    let ended = |status| all.iter().filter(|request| request.status == status).count() as u64;
    AiUsageCounts {
        requests: all.len() as u64,
        unpriced: all.iter().filter(|request| request.cost.is_none()).count() as u64,
        completed: ended(UsageStatus::Completed),
        failed: ended(UsageStatus::Failed),
        cancelled: ended(UsageStatus::Cancelled),
        timed_out: ended(UsageStatus::TimedOut),
        input_tokens: all.iter().map(|request| request.tokens.input()).sum(),
        output_tokens: all.iter().map(|request| request.tokens.output()).sum(),
        cached_tokens: all.iter().map(|request| request.tokens.cached()).sum(),
        reasoning_tokens: all.iter().map(|request| request.tokens.reasoning()).sum(),
        cost: NanoDollars::new(all.iter().filter_map(|r| r.cost).map(|cost| cost.get().get()).sum()),
        latency_ms: all.iter().filter_map(|request| request.latency_ms).map(u64::from).sum(),
        timed: all.iter().filter(|request| request.latency_ms.is_some()).count() as u64,
    }
}

fn runs(ended: impl Iterator<Item = (UsageStatus, Option<u32>)>) -> RunCounts {
    let all: Vec<(UsageStatus, Option<u32>)> = ended.collect();
    let count = |wanted| all.iter().filter(|(status, _)| *status == wanted).count() as u64;
    RunCounts {
        runs: all.len() as u64,
        completed: count(UsageStatus::Completed),
        failed: count(UsageStatus::Failed),
        cancelled: count(UsageStatus::Cancelled),
        timed_out: count(UsageStatus::TimedOut),
        duration_ms: all.iter().filter_map(|(_, duration)| *duration).map(u64::from).sum(),
        timed: all.iter().filter(|(_, duration)| duration.is_some()).count() as u64,
    }
}
