//! What every [`CoreStatsRepository`](crate::CoreStatsRepository) and
//! [`AnalyticsQueryRepository`](crate::AnalyticsQueryRepository) answers.

use analytics_domain::detector::Class;
use analytics_domain::ids::{SessionId, UserId, VisitorId};
use analytics_domain::request::{Channel, RequestKind};
use analytics_domain::request_row::{RequestDecision, RequestRecord, RequestRow};
use analytics_domain::session::{NanoDollars, SessionCounters, SessionRecord, Text};
use analytics_domain::stats::counts::{
    ActiveCounts, ActivityCounts, AgentConversationsRow, AgentRow, AiUsageCounts, BreakdownRow, ContentRow,
    ConversationCounts, ConversationRow, ErrorCounts, ErrorPathRow, PlatformCounts, ProviderRow, RunCounts,
    SessionCounts, StatusRow, ToolRow, UserRow,
};
use analytics_domain::stats::{ByAudience, Days, Dimension, FilterKey, Period, ReportFilter};
use analytics_domain::throttle::RefusalReason;
use analytics_domain::usage::{
    AiRequest, Conversation, Message, MessageRole, RequestCost, Task, TokenCounts, ToolExecution, UsageStatus,
};
use analytics_domain::user_agent::DeviceType;
use chrono::{TimeDelta, Utc};

use super::Stores;
use super::sample::{at, limit, request, session, verdict};
use super::usage_sample::{ai_request, conversation, message, name, task, tool_execution};

/// Lists are empty, counts are zero, and every day is there.
pub async fn reports_over_nothing_are_empty_and_zero(stores: &Stores) {
    let (period, all, ten) = (period(0, 10), ReportFilter::default(), limit(10));
    let (core, queries) = (&stores.core_stats, &stores.queries);
    assert_eq!(core.platform(period, &all).await.unwrap(), PlatformCounts::default());
    assert_eq!(core.active(&[], &all).await.unwrap(), []);
    assert_eq!(core.active(&[period, period], &all).await.unwrap(), [ActiveCounts::default(); 2]);
    let days = Days::of(Period::new(at(0), at(0) + TimeDelta::days(2)).unwrap(), &Utc).unwrap();
    assert_eq!(core.activity(&days, &all).await.unwrap(), [ActivityCounts::default(); 3]);
    assert_eq!(core.top_users(period, &all, ten).await.unwrap(), []);
    assert_eq!(core.top_agents(period, &all, ten).await.unwrap(), []);
    assert_eq!(core.top_tools(period, &all, ten).await.unwrap(), []);
    assert_eq!(core.recent_conversations(period, &all, ten).await.unwrap(), []);
    assert_eq!(core.conversations(period, &all).await.unwrap(), ConversationCounts::default());
    assert_eq!(core.conversations_by_agent(period, &all, ten).await.unwrap(), []);
    assert_eq!(queries.ai_usage(period, &all).await.unwrap(), AiUsageCounts::default());
    assert_eq!(queries.provider_usage(period, &all, ten).await.unwrap(), []);
    assert_eq!(queries.traffic(period, &all).await.unwrap(), ByAudience::default());
    for dimension in Dimension::ALL {
        assert_eq!(queries.breakdown(period, dimension, &all, ten).await.unwrap(), []);
    }
    assert_eq!(queries.content(&[period], &all, ten).await.unwrap(), []);
    assert_eq!(queries.content(&[], &all, ten).await.unwrap(), []);
    assert_eq!(queries.errors(period, &all, ten).await.unwrap(), ErrorCounts::default());
}

/// A user with two sessions, three requests, two tasks and two messages: every sum is that of its own rows.
pub async fn sums_are_not_multiplied_by_rows_that_stand_beside_them(stores: &Stores) {
    for number in 1..=2 {
        let counters = SessionCounters { requests: 5, page_views: 2, ..SessionCounters::NONE };
        keep(stores, &SessionRecord { user: user("ann"), counters, ..record(number, 1) }).await;
    }
    let requests: Vec<AiRequest> =
        (1..=3).map(|number| AiRequest { user: user("ann"), ..priced(number, 2, 10) }).collect();
    stores.usage.record_ai_requests(&requests, at(0)).await.unwrap();
    let tasks = [1, 2].map(|number| Task { user: user("ann"), duration_ms: Some(4), ..task(number, 3) });
    stores.usage.record_tasks(&tasks, at(0)).await.unwrap();
    let run = ToolExecution { user: user("ann"), ..tool_execution(1, 3) };
    stores.usage.record_tool_executions(&[run], at(0)).await.unwrap();
    let begun = Conversation { user: user("ann"), ..conversation(1, 4) };
    stores.usage.record_conversations(&[begun], at(0)).await.unwrap();
    let messages = [1, 2].map(|number| Message { user: user("ann"), ..message(number, 9, 5) });
    stores.usage.record_messages(&messages, at(0)).await.unwrap();

    let ai =
        AiUsageCounts { requests: 3, completed: 3, cost: NanoDollars::new(30), ..AiUsageCounts::default() };
    let tasks = RunCounts { runs: 2, completed: 2, duration_ms: 8, timed: 2, ..RunCounts::default() };
    let people = SessionCounts {
        sessions: 2,
        visitors: 2,
        users: 1,
        requests: 10,
        page_views: 4,
        with_pages: 2,
        ..SessionCounts::default()
    };
    let platform = stores.core_stats.platform(period(0, 10), &ReportFilter::default()).await.unwrap();
    let expected = PlatformCounts {
        sessions: ByAudience { people, ..ByAudience::default() },
        users: 1,
        ai,
        tasks,
        tool_executions: RunCounts { runs: 1, completed: 1, ..RunCounts::default() },
        conversations: 1,
        messages: 2,
    };
    assert_eq!(platform, expected);
    let users = stores.core_stats.top_users(period(0, 10), &ReportFilter::default(), limit(9)).await.unwrap();
    let expected = UserRow {
        user: user("ann").unwrap(),
        sessions: 2,
        page_views: 4,
        ai,
        tasks: 2,
        tool_executions: 1,
        conversations: 1,
        messages: 2,
    };
    assert_eq!(users, [expected]);
}

/// Its beginning is in a period, its end is not; so it is for every kind of row.
pub async fn a_reports_period_holds_its_beginning_and_not_its_end(stores: &Stores) {
    for (number, micros) in [(1, 9), (2, 10), (3, 19), (4, 20)] {
        keep(stores, &record(number, micros)).await;
        stores.requests.insert(&[page(number, 1, micros, "/", 404)], at(0)).await.unwrap();
        stores.usage.record_ai_requests(&[ai_request(number, micros)], at(0)).await.unwrap();
        stores.usage.record_tasks(&[task(number, micros)], at(0)).await.unwrap();
        stores.usage.record_tool_executions(&[tool_execution(number, micros)], at(0)).await.unwrap();
        stores.usage.record_conversations(&[conversation(number, micros)], at(0)).await.unwrap();
        stores.usage.record_messages(&[message(number, 99, micros)], at(0)).await.unwrap();
    }
    let (period, all) = (period(10, 20), ReportFilter::default());
    let counts = stores.core_stats.platform(period, &all).await.unwrap();
    let seen = [
        counts.sessions.people.sessions,
        counts.ai.requests,
        counts.tasks.runs,
        counts.tool_executions.runs,
        counts.conversations,
        counts.messages,
    ];
    assert_eq!(seen, [2; 6]);
    let content = stores.queries.content(&[period], &all, limit(9)).await.unwrap();
    assert_eq!(content.iter().map(|row| row.views[0].people).collect::<Vec<_>>(), [2]);
    let errors = stores.queries.errors(period, &all, limit(9)).await.unwrap();
    assert_eq!((errors.requests.people, errors.client_errors.people), (2, 2));
    assert_eq!(stores.queries.traffic(period, &all).await.unwrap().people.sessions, 2);
    assert_eq!(stores.queries.ai_usage(period, &all).await.unwrap().requests, 2);
}

/// Also where the periods overlap, and whatever kind of row tells of the user; bots have no visitors here.
pub async fn whoever_is_active_in_two_periods_counts_in_both(stores: &Stores) {
    for (number, visitor, micros, who, class) in [
        (1, 1, 5, Some("ann"), None),
        (2, 1, 15, Some("ann"), Some(Class::Human)),
        (3, 2, 15, None, Some(Class::Suspected)),
        (4, 3, 15, Some("bot"), Some(Class::Bot)),
    ] {
        let record = SessionRecord {
            visitor: VisitorId::from_u128(visitor),
            user: who.and_then(user),
            verdict: class.map(verdict),
            ..record(number, micros)
        };
        keep(stores, &record).await;
    }
    let bob = Message { user: user("bob"), ..message(1, 1, 15) };
    stores.usage.record_messages(&[bob], at(0)).await.unwrap();
    let periods = [period(10, 20), period(0, 10), period(0, 20)];
    let counts = stores.core_stats.active(&periods, &ReportFilter::default()).await.unwrap();
    let expected = [
        ActiveCounts { users: 3, visitors: 2, sessions: 2 },
        ActiveCounts { users: 1, visitors: 1, sessions: 1 },
        ActiveCounts { users: 3, visitors: 2, sessions: 3 },
    ];
    assert_eq!(counts, expected);
}

/// A day has what is at or after its beginning and before the next; one without rows is there.
pub async fn days_are_counted_apart_and_empty_ones_are_there(stores: &Stores) {
    let day = 86_400_000_000;
    // The first sample time is at 22:13:20 and some microseconds of its day.
    let midnight = i64::from(86_400 - (22 * 3_600 + 13 * 60 + 20)) * 1_000_000 - 123_457;
    for (number, micros, class) in [
        (1, 0, None),
        (2, midnight - 1, Some(Class::AiAgent)),
        (3, midnight, None),
        (4, midnight + 2 * day, Some(Class::DeclaredBot)),
    ] {
        let counters = SessionCounters { page_views: 3, ..SessionCounters::NONE };
        let user = user("ann");
        let verdict = class.map(verdict);
        keep(stores, &SessionRecord { counters, user, verdict, ..record(number, micros) }).await;
    }
    let asked = AiRequest {
        tokens: TokenCounts::new(10, 5, 0, 0).unwrap(),
        user: user("bob"),
        ..ai_request(1, midnight)
    };
    stores.usage.record_ai_requests(&[asked, priced(2, midnight + 2 * day, 7)], at(0)).await.unwrap();
    stores.usage.record_tasks(&[task(1, midnight)], at(0)).await.unwrap();
    stores.usage.record_tool_executions(&[tool_execution(1, 0)], at(0)).await.unwrap();
    stores.usage.record_conversations(&[conversation(1, 0)], at(0)).await.unwrap();
    stores.usage.record_messages(&[message(1, 1, midnight + 2 * day)], at(0)).await.unwrap();
    let days = Days::of(Period::new(at(0), at(midnight + 3 * day)).unwrap(), &Utc).unwrap();
    let counts = stores.core_stats.activity(&days, &ReportFilter::default()).await.unwrap();
    let none = ActivityCounts::default();
    let expected = [
        ActivityCounts {
            sessions: ByAudience { people: 1, bots: 0, ai_agents: 1 },
            visitors: 1,
            page_views: 3,
            users: 1,
            tool_executions: 1,
            conversations: 1,
            ..none
        },
        ActivityCounts {
            sessions: ByAudience { people: 1, bots: 0, ai_agents: 0 },
            visitors: 1,
            page_views: 3,
            users: 2,
            ai_requests: 1,
            unpriced: 1,
            tokens: 15,
            tasks: 1,
            ..none
        },
        none,
        ActivityCounts {
            sessions: ByAudience { people: 0, bots: 1, ai_agents: 0 },
            users: 1,
            ai_requests: 1,
            cost: NanoDollars::new(7),
            messages: 1,
            ..none
        },
    ];
    assert_eq!(counts, expected);
}

/// By cost, then sessions, then the bytes of the name; the limit cuts behind the first.
pub async fn top_users_are_ranked_by_cost_then_sessions_then_name(stores: &Stores) {
    for (number, who) in [(1, "two"), (2, "two"), (3, "\u{e9}"), (4, "B"), (5, "a")] {
        keep(stores, &SessionRecord { user: user(who), ..record(number, 0) }).await;
    }
    keep(stores, &record(6, 0)).await;
    let rich = AiRequest { user: user("rich"), ..priced(1, 0, 5) };
    let unpriced = AiRequest { user: user("unpriced"), cost: None, ..ai_request(2, 0) };
    stores.usage.record_ai_requests(&[rich, unpriced, ai_request(3, 0)], at(0)).await.unwrap();
    let ranked = async |rows| {
        let users = stores.core_stats.top_users(period(0, 9), &ReportFilter::default(), limit(rows)).await;
        users.unwrap().into_iter().map(|row| row.user.as_str().to_owned()).collect::<Vec<_>>()
    };
    let all = ["rich", "two", "B", "a", "\u{e9}", "unpriced"];
    assert_eq!(ranked(100).await, all);
    assert_eq!(ranked(6).await, all);
    assert_eq!(ranked(3).await, all[..3]);
}

/// Agents by tasks, then AI requests, then name; tools by runs, then name; statuses and durations apart.
pub async fn agents_and_tools_are_ranked_with_how_they_ended(stores: &Stores) {
    let of = |number, agent: &str, status, duration_ms| Task {
        agent: name(agent),
        status,
        duration_ms,
        ..task(number, 0)
    };
    let tasks = [
        of(1, "worker", UsageStatus::Completed, Some(10)),
        of(2, "worker", UsageStatus::Failed, Some(20)),
        of(3, "worker", UsageStatus::Cancelled, None),
        of(4, "worker", UsageStatus::TimedOut, Some(0)),
        of(5, "b", UsageStatus::Completed, None),
        of(6, "a", UsageStatus::Completed, None),
    ];
    stores.usage.record_tasks(&tasks, at(0)).await.unwrap();
    let asked = AiRequest { agent: Some(name("b")), ..priced(1, 0, 3) };
    let other = AiRequest { agent: Some(name("asks")), cost: None, ..ai_request(2, 0) };
    stores.usage.record_ai_requests(&[asked, other, ai_request(3, 0)], at(0)).await.unwrap();
    let run = |number, tool: &str, agent: Option<&str>, status| ToolExecution {
        tool: name(tool),
        agent: agent.map(name),
        status,
        ..tool_execution(number, 0)
    };
    let runs = [
        run(1, "search", Some("runs"), UsageStatus::Completed),
        run(2, "search", None, UsageStatus::Failed),
        run(3, "z", Some("worker"), UsageStatus::Completed),
        run(4, "Z", None, UsageStatus::TimedOut),
    ];
    stores.usage.record_tool_executions(&runs, at(0)).await.unwrap();
    let (period, all) = (period(0, 9), ReportFilter::default());

    let none = AiUsageCounts::default();
    let one = RunCounts { runs: 1, completed: 1, ..RunCounts::default() };
    let row =
        |agent: &str, tasks, ai, tool_executions| AgentRow { agent: name(agent), tasks, ai, tool_executions };
    let worked =
        RunCounts { runs: 4, completed: 1, failed: 1, cancelled: 1, timed_out: 1, duration_ms: 30, timed: 3 };
    let asked = AiUsageCounts { requests: 1, completed: 1, ..none };
    let expected = [
        row("worker", worked, none, 1),
        row("b", one, AiUsageCounts { cost: NanoDollars::new(3), ..asked }, 0),
        row("a", one, none, 0),
        row("asks", RunCounts::default(), AiUsageCounts { unpriced: 1, ..asked }, 0),
        row("runs", RunCounts::default(), none, 1),
    ];
    assert_eq!(stores.core_stats.top_agents(period, &all, limit(9)).await.unwrap(), expected);
    assert_eq!(stores.core_stats.top_agents(period, &all, limit(2)).await.unwrap(), expected[..2]);
    let tool = |tool: &str, runs| ToolRow { tool: name(tool), runs };
    let expected = [
        tool("search", RunCounts { runs: 2, completed: 1, failed: 1, ..RunCounts::default() }),
        tool("Z", RunCounts { runs: 1, timed_out: 1, ..RunCounts::default() }),
        tool("z", one),
    ];
    assert_eq!(stores.core_stats.top_tools(period, &all, limit(9)).await.unwrap(), expected);
    let own = all.with(FilterKey::Agent, "worker").unwrap();
    assert_eq!(stores.core_stats.top_tools(period, &own, limit(9)).await.unwrap(), [tool("z", one)]);
}

/// Newest first, then the greatest id, with the messages before the end of the period.
pub async fn recent_conversations_come_newest_first_with_their_messages(stores: &Stores) {
    let full = Conversation {
        session: Some(SessionId::from_u128(7)),
        user: user("ann"),
        agent: Some(name("agent")),
        title: Some(Text::cut("Plans")),
        ..conversation(3, 20)
    };
    let begun =
        [conversation(1, 10), conversation(2, 20), full.clone(), conversation(4, 9), conversation(5, 30)];
    stores.usage.record_conversations(&begun, at(0)).await.unwrap();
    let of = |number, conversation: &Conversation, micros| Message {
        conversation: conversation.stamp.id(),
        ..message(number, 0, micros)
    };
    let messages =
        [of(1, &full, 25), of(2, &full, 21), of(3, &full, 30), of(4, &begun[0], 5), of(5, &begun[4], 29)];
    stores.usage.record_messages(&messages, at(0)).await.unwrap();
    let row = |conversation: &Conversation, messages, last: Option<i64>| ConversationRow {
        id: conversation.stamp.id(),
        at: conversation.stamp.at(),
        session: conversation.session,
        user: conversation.user.clone(),
        agent: conversation.agent.clone(),
        title: conversation.title.clone(),
        messages,
        last_message_at: last.map(at),
    };
    let expected = [row(&full, 2, Some(25)), row(&begun[1], 0, None), row(&begun[0], 1, Some(5))];
    let recent = async |rows| {
        let all = ReportFilter::default();
        stores.core_stats.recent_conversations(period(10, 30), &all, limit(rows)).await.unwrap()
    };
    assert_eq!(recent(9).await, expected);
    assert_eq!(recent(1).await, expected[..1]);
}

/// Messages count by their own time and role, and once more with the conversation that they belong to.
pub async fn conversations_are_counted_with_their_messages(stores: &Stores) {
    let of = |number, micros, who: &str, agent: &str| Conversation {
        user: user(who),
        agent: Some(name(agent)),
        ..conversation(number, micros)
    };
    let begun = [of(1, 10, "ann", "a"), of(2, 11, "ann", "b"), of(3, 12, "bob", "a"), of(4, 5, "ann", "a")];
    stores.usage.record_conversations(&begun, at(0)).await.unwrap();
    let say = |number, conversation: usize, micros, role| Message {
        conversation: begun[conversation].stamp.id(),
        user: begun[conversation].user.clone(),
        agent: begun[conversation].agent.clone(),
        role,
        ..message(number, 0, micros)
    };
    let messages = [
        say(1, 0, 10, MessageRole::User),
        say(2, 0, 11, MessageRole::Assistant),
        say(3, 1, 12, MessageRole::System),
        say(4, 3, 13, MessageRole::Tool),
        say(5, 3, 14, MessageRole::User),
        say(6, 0, 20, MessageRole::User),
        Message { conversation: begun[0].stamp.id(), ..message(7, 0, 9) },
    ];
    stores.usage.record_messages(&messages, at(0)).await.unwrap();
    let (period, all) = (period(10, 20), ReportFilter::default());
    let expected = ConversationCounts {
        conversations: 3,
        empty: 1,
        users: 2,
        messages_of_begun: 4,
        user_messages: 2,
        assistant_messages: 1,
        system_messages: 1,
        tool_messages: 1,
    };
    assert_eq!(stores.core_stats.conversations(period, &all).await.unwrap(), expected);
    let by_agent = all.with(FilterKey::Agent, "b").unwrap();
    let expected = ConversationCounts {
        conversations: 1,
        users: 1,
        messages_of_begun: 1,
        system_messages: 1,
        ..ConversationCounts::default()
    };
    assert_eq!(stores.core_stats.conversations(period, &by_agent).await.unwrap(), expected);
}

/// By conversations, then messages, then name; those without an agent behind their equals.
pub async fn conversations_by_agent_put_the_unknown_last(stores: &Stores) {
    let of = |number, agent: Option<&str>, who| Conversation {
        agent: agent.map(name),
        user: user(who),
        ..conversation(number, 0)
    };
    let begun =
        [of(1, Some("b"), "ann"), of(2, Some("a"), "ann"), of(3, None, "ann"), of(4, Some("b"), "ann")];
    stores.usage.record_conversations(&begun, at(0)).await.unwrap();
    let say = |number, agent: Option<&str>| Message { agent: agent.map(name), ..message(number, 0, 0) };
    let messages = [say(1, Some("talks")), say(2, Some("b")), say(3, Some("b"))];
    stores.usage.record_messages(&messages, at(0)).await.unwrap();
    let row = |agent: Option<&str>, conversations, users, messages| AgentConversationsRow {
        agent: agent.map(name),
        conversations,
        users,
        messages,
    };
    let expected =
        [row(Some("b"), 2, 1, 2), row(Some("a"), 1, 1, 0), row(None, 1, 1, 0), row(Some("talks"), 0, 0, 1)];
    let by_agent = async |rows| {
        let all = ReportFilter::default();
        stores.core_stats.conversations_by_agent(period(0, 9), &all, limit(rows)).await.unwrap()
    };
    assert_eq!(by_agent(9).await, expected);
    assert_eq!(by_agent(2).await, expected[..2]);
}

/// Every figure of AI requests; models by cost, then requests, then provider and model.
pub async fn providers_are_ranked_by_cost_with_every_figure_of_their_requests(stores: &Stores) {
    let of = |number, provider: &str, model: &str, request: AiRequest| AiRequest {
        provider: name(provider),
        model: name(model),
        stamp: ai_request(number, 0).stamp,
        ..request
    };
    let first = AiRequest {
        tokens: TokenCounts::new(100, 50, 40, 20).unwrap(),
        latency_ms: Some(30),
        user: user("ann"),
        ..priced(0, 0, 5)
    };
    let late = AiRequest { status: UsageStatus::TimedOut, latency_ms: Some(9), ..priced(0, 0, 0) };
    let failed = AiRequest { status: UsageStatus::Failed, cost: None, ..ai_request(0, 0) };
    let cancelled = AiRequest { status: UsageStatus::Cancelled, cost: None, ..ai_request(0, 0) };
    let requests = [
        of(1, "p", "m", first),
        of(2, "p", "m", late),
        of(3, "p", "m", failed.clone()),
        of(4, "q", "b", cancelled.clone()),
        of(5, "q", "a", cancelled),
        of(6, "P", "z", failed),
    ];
    stores.usage.record_ai_requests(&requests, at(0)).await.unwrap();
    let none = AiUsageCounts::default();
    let main = AiUsageCounts {
        requests: 3,
        unpriced: 1,
        completed: 1,
        failed: 1,
        timed_out: 1,
        input_tokens: 100,
        output_tokens: 50,
        cached_tokens: 40,
        reasoning_tokens: 20,
        cost: NanoDollars::new(5),
        latency_ms: 39,
        timed: 2,
        ..none
    };
    let row = |provider: &str, model: &str, usage| ProviderRow {
        provider: name(provider),
        model: name(model),
        usage,
    };
    let cancelled = AiUsageCounts { requests: 1, unpriced: 1, cancelled: 1, ..none };
    let expected = [
        row("p", "m", main),
        row("P", "z", AiUsageCounts { requests: 1, unpriced: 1, failed: 1, ..none }),
        row("q", "a", cancelled),
        row("q", "b", cancelled),
    ];
    let (period, all) = (period(0, 9), ReportFilter::default());
    assert_eq!(stores.queries.provider_usage(period, &all, limit(9)).await.unwrap(), expected);
    assert_eq!(stores.queries.provider_usage(period, &all, limit(1)).await.unwrap(), expected[..1]);
    let together = AiUsageCounts { requests: 6, unpriced: 4, cancelled: 2, failed: 2, ..main };
    assert_eq!(stores.queries.ai_usage(period, &all).await.unwrap(), together);
    for (key, value, count) in [
        (FilterKey::Provider, "q", 2),
        (FilterKey::Model, "z", 1),
        (FilterKey::User, "ann", 1),
        (FilterKey::Agent, "x", 0),
    ] {
        let filter = ReportFilter::default().with(key, value).unwrap();
        assert_eq!(stores.queries.ai_usage(period, &filter).await.unwrap().requests, count, "{key}");
    }
}

/// People, bots and AI agents apart, with distinct visitors and users, and every sum of theirs.
pub async fn traffic_stands_apart_for_people_bots_and_ai_agents(stores: &Stores) {
    let counters = SessionCounters {
        requests: 9,
        page_views: 1,
        assets: 4,
        client_errors: 2,
        server_errors: 1,
        refused: 3,
        ..SessionCounters::NONE
    };
    let of = |number, visitor, class: Option<Class>, counters| SessionRecord {
        visitor: VisitorId::from_u128(visitor),
        user: user("ann"),
        verdict: class.map(verdict),
        last_activity_at: at(7),
        counters,
        ..record(number, 2)
    };
    let engaged = SessionCounters { engagement_events: 1, ..counters };
    let api = SessionCounters { page_views: 0, ..counters };
    for record in [
        of(1, 1, None, counters),
        of(2, 1, Some(Class::Human), engaged),
        of(3, 2, Some(Class::Suspected), api),
        of(4, 3, Some(Class::Bot), counters),
        of(5, 4, Some(Class::DeclaredBot), counters),
        of(6, 1, Some(Class::AiAgent), counters),
    ] {
        keep(stores, &record).await;
    }
    let one = SessionCounts {
        sessions: 1,
        visitors: 1,
        users: 1,
        hostile: 1,
        requests: 9,
        page_views: 1,
        assets: 4,
        client_errors: 2,
        server_errors: 1,
        refused: 3,
        duration_us: 5,
        with_pages: 1,
        bounces: 1,
    };
    let expected = ByAudience {
        people: SessionCounts {
            sessions: 3,
            visitors: 2,
            users: 1,
            hostile: 2,
            requests: 27,
            page_views: 2,
            assets: 12,
            client_errors: 6,
            server_errors: 3,
            refused: 9,
            duration_us: 15,
            with_pages: 2,
            bounces: 1,
        },
        bots: SessionCounts {
            sessions: 2,
            visitors: 2,
            users: 1,
            hostile: 2,
            requests: 18,
            page_views: 2,
            assets: 8,
            client_errors: 4,
            server_errors: 2,
            refused: 6,
            duration_us: 10,
            with_pages: 2,
            bounces: 2,
        },
        ai_agents: one,
    };
    let all = ReportFilter::default();
    assert_eq!(stores.queries.traffic(period(0, 9), &all).await.unwrap(), expected);
    let bots = all.with(FilterKey::Class, "bot").unwrap();
    let expected = ByAudience { bots: one, ..ByAudience::default() };
    assert_eq!(stores.queries.traffic(period(0, 9), &bots).await.unwrap(), expected);
}

/// The value of each dimension, the unknown last among equals, ranked by people, bots, AI agents and value.
pub async fn sessions_are_broken_down_by_each_dimension(stores: &Stores) {
    let plain = record(1, 0);
    let mut known = SessionRecord { verdict: Some(verdict(Class::AiAgent)), ..record(2, 0) };
    known.client.device = DeviceType::Tablet;
    known.client.browser = Some(Text::cut("Firefox"));
    known.client.os = Some(Text::cut("Android"));
    known.origin.channel = Channel::Paid;
    known.origin.referrer_host = Some(Text::cut("host.example"));
    known.place.country = "DK".parse().ok();
    let mut tagged = SessionRecord { verdict: Some(verdict(Class::Bot)), ..known.clone() };
    tagged.id = SessionId::from_u128(3);
    tagged.origin.campaign.source = Some(Text::cut("letter"));
    tagged.origin.campaign.campaign = Some(Text::cut("spring"));
    for record in [&plain, &known, &tagged] {
        keep(stores, record).await;
    }
    let values = async |dimension| {
        let all = ReportFilter::default();
        let rows = stores.queries.breakdown(period(0, 9), dimension, &all, limit(9)).await.unwrap();
        let told = rows.into_iter().map(|BreakdownRow { value, counts }| {
            let sessions = counts.map(|counts| counts.sessions);
            (value.unwrap_or_else(|| "-".to_owned()), [sessions.people, sessions.bots, sessions.ai_agents])
        });
        told.collect::<Vec<_>>()
    };
    let person = |value: &str| (value.to_owned(), [1, 0, 0]);
    let both = |value: &str| (value.to_owned(), [0, 1, 1]);
    let (bot, ai) =
        (|value: &str| (value.to_owned(), [0, 1, 0]), |value: &str| (value.to_owned(), [0, 0, 1]));
    assert_eq!(values(Dimension::Source).await, [person("-"), bot("letter"), ai("host.example")]);
    let (none, spring) = (("-".to_owned(), [1, 0, 1]), bot("spring"));
    assert_eq!(values(Dimension::Campaign).await, [none, spring]);
    assert_eq!(values(Dimension::Channel).await, [person("direct"), both("paid")]);
    assert_eq!(values(Dimension::Device).await, [person("unknown"), both("tablet")]);
    assert_eq!(values(Dimension::Browser).await, [person("-"), both("Firefox")]);
    assert_eq!(values(Dimension::Os).await, [person("-"), both("Android")]);
    assert_eq!(values(Dimension::Country).await, [person("-"), both("DK")]);
    assert_eq!(values(Dimension::Class).await, [person("-"), bot("bot"), ai("ai_agent")]);
    assert_eq!(values(Dimension::DeclaredKind).await, [person("-"), both("ai_user_fetch")]);
    assert_eq!(values(Dimension::DeclaredName).await, [person("-"), both("Bot \u{1F916}")]);
}

/// Values in the order of their bytes where sessions are equal, and as many as asked for.
pub async fn a_breakdown_ranks_equals_by_the_bytes_of_their_values(stores: &Stores) {
    for (number, browser) in
        [(1, Some("b")), (2, Some("B")), (3, None), (4, Some("\u{e9}")), (5, Some("top")), (6, Some("top"))]
    {
        let mut record = record(number, 0);
        record.client.browser = browser.map(Text::cut);
        keep(stores, &record).await;
    }
    let values = async |rows| {
        let all = ReportFilter::default();
        let rows =
            stores.queries.breakdown(period(0, 9), Dimension::Browser, &all, limit(rows)).await.unwrap();
        rows.into_iter().map(|row| row.value).collect::<Vec<_>>()
    };
    let expected =
        [Some("top"), Some("B"), Some("b"), Some("\u{e9}"), None].map(|value| value.map(str::to_owned));
    assert_eq!(values(9).await, expected);
    assert_eq!(values(2).await, expected[..2]);
}

/// Each key of sessions lets through the one session that has the value.
pub async fn each_key_of_a_reports_filter_selects(stores: &Stores) {
    let mut known = SessionRecord { user: user("ann"), verdict: Some(verdict(Class::Human)), ..record(1, 0) };
    known.client.device = DeviceType::Tablet;
    known.client.browser = Some(Text::cut("Firefox"));
    known.client.os = Some(Text::cut("Android"));
    known.origin.channel = Channel::Paid;
    known.origin.referrer_host = Some(Text::cut("host.example"));
    known.origin.campaign.source = Some(Text::cut("letter"));
    known.place.country = "DK".parse().ok();
    keep(stores, &known).await;
    let mut referred = record(2, 0);
    referred.origin.referrer_host = Some(Text::cut("host.example"));
    keep(stores, &referred).await;
    stores
        .requests
        .insert(&[page(1, 1, 0, "/", 200), page(2, 2, 0, "/", 200), page(3, 99, 0, "/", 200)], at(0))
        .await
        .unwrap();
    for (key, value, sessions) in [
        (FilterKey::Class, "human", 1),
        (FilterKey::Class, "bot", 0),
        (FilterKey::Channel, "paid", 1),
        (FilterKey::Channel, "direct", 1),
        (FilterKey::Source, "letter", 1),
        (FilterKey::Source, "host.example", 1),
        (FilterKey::Device, "tablet", 1),
        (FilterKey::Browser, "Firefox", 1),
        (FilterKey::Browser, "firefox", 0),
        (FilterKey::Os, "Android", 1),
        (FilterKey::Country, "dk", 1),
        (FilterKey::User, "ann", 1),
    ] {
        let filter = ReportFilter::default().with(key, value).unwrap();
        let found = stores.queries.traffic(period(0, 9), &filter).await.unwrap();
        assert_eq!(found.people.sessions, sessions, "{key}={value}");
        let found = stores.queries.errors(period(0, 9), &filter, limit(9)).await.unwrap();
        assert_eq!(found.requests.people, sessions, "requests with {key}={value}");
    }
    let all = stores.queries.errors(period(0, 9), &ReportFilter::default(), limit(9)).await.unwrap();
    assert_eq!(all.requests.people, 3, "a request without a session counts where no session is asked for");
}

/// Documents that were answered, in each window, for each audience; ranked by people's views, all views and path.
pub async fn content_is_ranked_by_the_views_of_its_widest_window(stores: &Stores) {
    keep(stores, &record(1, 0)).await;
    keep(stores, &SessionRecord { verdict: Some(verdict(Class::Bot)), ..record(2, 0) }).await;
    let of = |number, session, micros, path: &str, visitor, kind, decision| {
        let record = RequestRecord {
            visitor: VisitorId::from_u128(visitor),
            kind,
            decision,
            ..page(number, session, micros, path, 200).into_record()
        };
        RequestRow::try_from(record).unwrap()
    };
    let seen = RequestDecision::Admitted;
    let rows = [
        of(1, 1, 10, "/a", 1, RequestKind::Page, seen),
        of(2, 1, 90, "/a", 1, RequestKind::Page, RequestDecision::WouldRefuse(RefusalReason::ALL[0])),
        of(3, 9, 95, "/a", 2, RequestKind::Page, seen),
        of(4, 2, 95, "/a", 3, RequestKind::Page, seen),
        of(5, 1, 95, "/b", 1, RequestKind::Page, seen),
        of(6, 2, 95, "/c", 1, RequestKind::Page, seen),
        of(7, 1, 95, "/B", 1, RequestKind::Page, seen),
        of(8, 2, 96, "/B", 1, RequestKind::Page, seen),
        of(9, 1, 95, "/style.css", 1, RequestKind::Asset, seen),
        of(10, 1, 95, "/refused", 1, RequestKind::Page, RequestDecision::Refused(RefusalReason::ALL[0])),
        of(11, 1, 100, "/late", 1, RequestKind::Page, seen),
    ];
    stores.requests.insert(&rows, at(0)).await.unwrap();
    let row = |path: &str, views: [[u64; 2]; 2], visitors| ContentRow {
        path: Text::cut(path),
        views: views.map(|[people, bots]| ByAudience { people, bots, ai_agents: 0 }).to_vec(),
        visitors,
    };
    let expected = [
        row("/a", [[3, 1], [2, 1]], 2),
        row("/B", [[1, 1], [1, 1]], 1),
        row("/b", [[1, 0], [1, 0]], 1),
        row("/c", [[0, 1], [0, 1]], 0),
    ];
    let content = async |rows| {
        let windows = [period(0, 100), period(90, 100)];
        stores.queries.content(&windows, &ReportFilter::default(), limit(rows)).await.unwrap()
    };
    assert_eq!(content(9).await, expected);
    assert_eq!(content(2).await, expected[..2]);
}

/// By audience, status and path; what the throttle refused is told apart and is no error.
pub async fn errors_are_counted_by_audience_status_and_path(stores: &Stores) {
    keep(stores, &SessionRecord { verdict: Some(verdict(Class::AiAgent)), ..record(2, 0) }).await;
    let refused = RequestRecord {
        decision: RequestDecision::Refused(RefusalReason::ALL[0]),
        ..page(9, 1, 0, "/refused", 429).into_record()
    };
    let unknown = RequestRecord { status: None, ..page(10, 1, 0, "/", 200).into_record() };
    let rows = [
        page(1, 1, 0, "/gone", 404),
        page(2, 2, 0, "/gone", 404),
        page(3, 1, 0, "/gone", 500),
        page(4, 1, 0, "/b", 503),
        page(5, 1, 0, "/B", 400),
        page(6, 1, 0, "/", 399),
        page(7, 1, 0, "/", 600),
        page(8, 1, 0, "/b", 304),
        refused.try_into().unwrap(),
        unknown.try_into().unwrap(),
    ];
    stores.requests.insert(&rows, at(0)).await.unwrap();
    let people = |people| ByAudience { people, ..ByAudience::default() };
    let path = |path: &str, client_errors, server_errors| ErrorPathRow {
        path: Text::cut(path),
        client_errors,
        server_errors,
    };
    let status = |status, requests| StatusRow { status, requests };
    let expected = ErrorCounts {
        requests: ByAudience { people: 9, bots: 0, ai_agents: 1 },
        client_errors: ByAudience { people: 2, bots: 0, ai_agents: 1 },
        server_errors: people(2),
        refused: people(1),
        statuses: vec![
            status(404, ByAudience { people: 1, bots: 0, ai_agents: 1 }),
            status(400, people(1)),
            status(500, people(1)),
            status(503, people(1)),
        ],
        paths: vec![path("/gone", 2, 1), path("/B", 1, 0), path("/b", 0, 1)],
    };
    let errors = async |rows| {
        stores.queries.errors(period(0, 9), &ReportFilter::default(), limit(rows)).await.unwrap()
    };
    assert_eq!(errors(9).await, expected);
    let paths = expected.paths[..1].to_vec();
    assert_eq!(errors(1).await, ErrorCounts { paths, ..expected });
}

async fn keep(stores: &Stores, record: &SessionRecord) {
    stores.sessions.create(&record.clone().try_into().unwrap(), at(0)).await.unwrap();
}

/// The session with this number as its visitor's too, that starts at `at(start)`.
fn record(number: u128, start: i64) -> SessionRecord {
    session(number, start).into_record()
}

/// A view of this path in this session, answered with this status.
fn page(number: u128, session: u128, micros: i64, path: &str, status: u16) -> RequestRow {
    let record = request(number, session, micros).into_record();
    RequestRecord { path: Text::cut(path), status: Some(status), ..record }.try_into().unwrap()
}

/// An AI request that cost this many nano-dollars.
fn priced(number: u128, micros: i64, cost: i64) -> AiRequest {
    let cost = RequestCost::new(NanoDollars::new(cost)).unwrap();
    AiRequest { cost: Some(cost), ..ai_request(number, micros) }
}

fn user(name: &str) -> Option<UserId> {
    UserId::new(name).ok()
}

fn period(from: i64, until: i64) -> Period {
    Period::new(at(from), at(until)).unwrap()
}
