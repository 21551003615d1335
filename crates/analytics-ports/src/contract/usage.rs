//! What every [`UsageRepository`](crate::UsageRepository) does.

use analytics_domain::ids::{SessionId, UserId};
use analytics_domain::session::{AnalyticsSession, EndReason, NanoDollars, SessionCounters, SessionRecord};
use analytics_domain::stats::Period;
use analytics_domain::usage::{
    AiRequest, Conversation, Message, MessageRole, Name, RequestCost, Task, TokenCounts, ToolExecution,
    UsageStatus,
};
use futures_util::future::join_all;

use super::Stores;
use super::sample::{at, limit, session};
use super::usage_sample::{ai_request, conversation, message, task, tool_execution};
use crate::{PageRequest, UsageKind, Version, Versioned};

/// Every field of every kind comes back as it was, whether little or all of it is known.
pub async fn usage_is_read_back_whole(stores: &Stores) {
    let name = |text: &str| Name::new(text).unwrap();
    let user = Some(UserId::new("ann'; -- \"\\ \u{1F980}").unwrap());
    let most = 1_000_000_000_000;
    let requests = [
        ai_request(1, 0),
        AiRequest {
            session: Some(SessionId::from_u128(u128::MAX)),
            user: user.clone(),
            task: Some(task(9, -5).stamp.id()),
            agent: Some(name("agent '\"\\ \u{20ac}")),
            model: name(&"m".repeat(128)),
            tokens: TokenCounts::new(most, most, most, most - 1).unwrap(),
            cost: Some(RequestCost::new(NanoDollars::new(1_000_000_000_000_000)).unwrap()),
            latency_ms: Some(u32::MAX),
            status: UsageStatus::TimedOut,
            ..ai_request(u128::MAX, 1)
        },
        AiRequest { cost: Some(RequestCost::default()), status: UsageStatus::Cancelled, ..ai_request(2, 2) },
    ];
    let tasks = [
        task(1, 0),
        Task {
            session: Some(SessionId::from_u128(0)),
            user: user.clone(),
            status: UsageStatus::Failed,
            duration_ms: Some(0),
            ..task(2, 1)
        },
    ];
    let executions = [
        tool_execution(1, 0),
        ToolExecution {
            session: Some(SessionId::from_u128(7)),
            user: user.clone(),
            task: Some(task(9, -5).stamp.id()),
            agent: Some(name("a")),
            status: UsageStatus::TimedOut,
            duration_ms: Some(u32::MAX),
            ..tool_execution(2, 1)
        },
    ];
    let conversations = [
        conversation(1, 0),
        Conversation {
            session: Some(SessionId::from_u128(7)),
            user: user.clone(),
            agent: Some(name("a")),
            title: Some(analytics_domain::session::Text::cut("\u{1F980}\n\t'\"\\ %00")),
            ..conversation(2, 1)
        },
    ];
    let messages: Vec<Message> = MessageRole::ALL
        .into_iter()
        .zip(0..)
        .map(|(role, number)| Message {
            role,
            user: user.clone().filter(|_| number % 2 == 0),
            agent: Some(name("a")).filter(|_| number % 2 == 0),
            ..message(number, 1, number as i64)
        })
        .collect();
    let usage = &stores.usage;
    assert_eq!(usage.record_ai_requests(&requests, at(9)).await.unwrap(), 3);
    assert_eq!(usage.record_tasks(&tasks, at(9)).await.unwrap(), 2);
    assert_eq!(usage.record_tool_executions(&executions, at(9)).await.unwrap(), 2);
    assert_eq!(usage.record_conversations(&conversations, at(9)).await.unwrap(), 2);
    assert_eq!(usage.record_messages(&messages, at(9)).await.unwrap(), 4);
    let period = period(0, 100);
    assert_eq!(ai_requests(stores, period).await, requests);
    assert_eq!(usage.list_tasks(period, first_page()).await.unwrap().items, tasks);
    assert_eq!(usage.list_tool_executions(period, first_page()).await.unwrap().items, executions);
    assert_eq!(usage.list_conversations(period, first_page()).await.unwrap().items, conversations);
    assert_eq!(usage.list_messages(period, first_page()).await.unwrap().items, messages);
}

/// An empty batch is answered with 0.
pub async fn recording_no_usage_is_no_work(stores: &Stores) {
    assert_eq!(stores.usage.record_ai_requests(&[], at(0)).await.unwrap(), 0);
    assert_eq!(stores.usage.record_tasks(&[], at(0)).await.unwrap(), 0);
    assert_eq!(stores.usage.record_tool_executions(&[], at(0)).await.unwrap(), 0);
    assert_eq!(stores.usage.record_conversations(&[], at(0)).await.unwrap(), 0);
    assert_eq!(stores.usage.record_messages(&[], at(0)).await.unwrap(), 0);
}

/// The first of an id stays, also when the repeat carries something else; what is new beside it is kept.
pub async fn usage_is_recorded_once(stores: &Stores) {
    let first = ai_request(1, 0);
    let other = AiRequest { status: UsageStatus::Failed, ..first.clone() };
    let record = async |rows: &[AiRequest]| stores.usage.record_ai_requests(rows, at(0)).await.unwrap();
    assert_eq!(record(std::slice::from_ref(&first)).await, 1);
    assert_eq!(record(&[other.clone(), ai_request(2, 1), ai_request(2, 1)]).await, 1);
    assert_eq!(record(&[other, ai_request(2, 1)]).await, 0);
    assert_eq!(ai_requests(stores, period(0, 9)).await, [first, ai_request(2, 1)]);
    let twice = [task(1, 0), Task { status: UsageStatus::Failed, ..task(1, 0) }];
    assert_eq!(stores.usage.record_tasks(&twice, at(0)).await.unwrap(), 1);
    assert_eq!(stores.usage.list_tasks(period(0, 9), first_page()).await.unwrap().items, twice[..1]);
    let twice = [tool_execution(1, 0), tool_execution(1, 0)];
    assert_eq!(stores.usage.record_tool_executions(&twice, at(0)).await.unwrap(), 1);
    let twice = [conversation(1, 0), conversation(1, 0)];
    assert_eq!(stores.usage.record_conversations(&twice, at(0)).await.unwrap(), 1);
    let twice = [message(1, 1, 0), message(1, 2, 0)];
    assert_eq!(stores.usage.record_messages(&twice, at(0)).await.unwrap(), 1);
    assert_eq!(stores.usage.record_messages(&twice, at(0)).await.unwrap(), 0);
    assert_eq!(stores.usage.list_messages(period(0, 9), first_page()).await.unwrap().items, twice[..1]);
}

/// Totals change by what was inserted, once, in open and ended sessions, and nothing else of a session moves.
pub async fn usage_changes_the_totals_of_its_session_once(stores: &Stores) {
    stores.sessions.create(&session(1, 0), at(0)).await.unwrap();
    stores.sessions.create(&session(2, 0), at(0)).await.unwrap();
    stores.sessions.end(SessionId::from_u128(2), EndReason::Inactive).await.unwrap();
    let of = |number, session: u128, cost: Option<i64>| AiRequest {
        session: Some(SessionId::from_u128(session)),
        tokens: TokenCounts::new(100, 20, 60, 10).unwrap(),
        cost: cost.map(|cost| RequestCost::new(NanoDollars::new(cost)).unwrap()),
        ..ai_request(number, number as i64)
    };
    let batch = [of(1, 1, Some(7)), of(2, 1, None), of(3, 2, Some(1)), of(4, 99, Some(5)), of(1, 1, Some(7))];
    assert_eq!(stores.usage.record_ai_requests(&batch, at(5)).await.unwrap(), 4);
    assert_eq!(stores.usage.record_ai_requests(&batch, at(6)).await.unwrap(), 0);
    let unsent = AiRequest { session: None, ..of(5, 1, Some(9)) };
    assert_eq!(stores.usage.record_ai_requests(&[unsent], at(6)).await.unwrap(), 1);
    let counters = SessionCounters {
        ai_requests: 2,
        unpriced_ai_requests: 1,
        tokens: 240,
        cost: NanoDollars::new(7),
        ..SessionCounters::NONE
    };
    assert_eq!(kept(stores, 1).await, expected(&session(1, 0), Version::FIRST.next(), counters));
    let ended = session(2, 0).end(EndReason::Inactive).unwrap();
    let one =
        SessionCounters { ai_requests: 1, tokens: 120, cost: NanoDollars::new(1), ..SessionCounters::NONE };
    assert_eq!(kept(stores, 2).await, expected(&ended, Version::FIRST.next().next(), one));

    let own = Some(SessionId::from_u128(1));
    let tasks = [Task { session: own, ..task(1, 0) }, Task { session: own, ..task(2, 0) }];
    stores.usage.record_tasks(&tasks, at(7)).await.unwrap();
    stores.usage.record_tasks(&tasks, at(7)).await.unwrap();
    let messages = [Message { session: own, ..message(1, 1, 0) }, message(2, 1, 0)];
    stores.usage.record_messages(&messages, at(7)).await.unwrap();
    let run = ToolExecution { session: own, ..tool_execution(1, 0) };
    stores.usage.record_tool_executions(&[run], at(7)).await.unwrap();
    let begun = Conversation { session: own, ..conversation(1, 0) };
    stores.usage.record_conversations(&[begun], at(7)).await.unwrap();
    let counters = SessionCounters { tasks: 2, messages: 1, ..counters };
    let version = Version::FIRST.next().next().next();
    assert_eq!(kept(stores, 1).await, expected(&session(1, 0), version, counters));
}

/// Of many at once under one id one is kept, and the session gets it once.
pub async fn of_concurrent_recordings_of_usage_one_counts(stores: &Stores) {
    stores.sessions.create(&session(1, 0), at(0)).await.unwrap();
    let own = Some(SessionId::from_u128(1));
    let batches: Vec<[AiRequest; 2]> = (0..8u128)
        .map(|n| [ai_request(100, 0), ai_request(n, 1)].map(|request| AiRequest { session: own, ..request }))
        .collect();
    let answers = join_all(batches.iter().map(|batch| stores.usage.record_ai_requests(batch, at(2)))).await;
    let new: u64 = answers.into_iter().map(Result::unwrap).sum();
    assert_eq!(new, 9);
    assert_eq!(ai_requests(stores, period(0, 9)).await.len(), 9);
    assert_eq!(kept(stores, 1).await.value.record().counters.ai_requests, 9);
}

/// Oldest first, then by id, across the edges of pages; the beginning of a period is in it and its end is not.
pub async fn usage_of_a_period_is_walked_oldest_first(stores: &Stores) {
    let mut requests: Vec<AiRequest> =
        (0..20u128).map(|number| ai_request(number, (number as i64 * 7) % 5)).collect();
    stores.usage.record_ai_requests(&requests, at(0)).await.unwrap();
    requests.retain(|request| (1..4).any(|micros| request.stamp.at() == at(micros)));
    requests.sort_by_key(|request| request.stamp);
    for rows in [1, 3, 11, 12, 13] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = PageRequest { limit: limit(rows), after };
            let page = stores.usage.list_ai_requests(period(1, 4), page).await.unwrap();
            assert!(page.next.is_none() || page.items.len() == rows as usize, "only the last page is short");
            seen.extend(page.items);
            assert!(seen.len() <= 20, "the list has no end");
            match page.next {
                None => break,
                next => after = next,
            }
        }
        assert_eq!(seen, requests, "pages of {rows}");
    }
}

/// An import of old rows is as young as its recording; other kinds and the totals of sessions stay.
pub async fn deletion_takes_usage_of_one_kind_by_its_recording_in_batches(stores: &Stores) {
    stores.sessions.create(&session(1, 0), at(0)).await.unwrap();
    // Number, time, recording: the later a request was sent, the earlier it was recorded.
    for (number, micros, recorded) in [(1, 40, 10), (2, 30, 20), (3, 20, 30), (4, 10, 29)] {
        let request = AiRequest { session: Some(SessionId::from_u128(1)), ..ai_request(number, micros) };
        stores.usage.record_ai_requests(&[request], at(recorded)).await.unwrap();
    }
    stores.usage.record_tasks(&[task(1, 0)], at(0)).await.unwrap();
    let delete = async |kind| stores.usage.delete_recorded_before(kind, at(30), limit(2)).await.unwrap();
    assert_eq!(delete(UsageKind::AiRequests).await, 2);
    let left = ai_requests(stores, period(0, 99)).await;
    assert_eq!(left.iter().map(|request| request.stamp.at()).collect::<Vec<_>>(), [at(10), at(20)]);
    assert_eq!(delete(UsageKind::AiRequests).await, 1);
    assert_eq!(delete(UsageKind::AiRequests).await, 0);
    for kind in [UsageKind::ToolExecutions, UsageKind::Conversations, UsageKind::Messages] {
        assert_eq!(delete(kind).await, 0, "{kind:?}");
    }
    assert_eq!(kept(stores, 1).await.value.record().counters.ai_requests, 4);
    assert_eq!(delete(UsageKind::Tasks).await, 1);
    let left = stores.usage.list_tasks(period(0, 99), first_page()).await.unwrap();
    assert_eq!(left.items, []);
}

async fn ai_requests(stores: &Stores, period: Period) -> Vec<AiRequest> {
    stores.usage.list_ai_requests(period, first_page()).await.unwrap().items
}

async fn kept(stores: &Stores, number: u128) -> Versioned<AnalyticsSession> {
    stores.sessions.get(SessionId::from_u128(number)).await.unwrap().expect("the session is kept")
}

fn expected(
    session: &AnalyticsSession,
    version: Version,
    counters: SessionCounters,
) -> Versioned<AnalyticsSession> {
    let record = SessionRecord { counters, ..session.record().clone() };
    Versioned { version, value: record.try_into().unwrap() }
}

fn period(from: i64, until: i64) -> Period {
    Period::new(at(from), at(until)).unwrap()
}

fn first_page<K>() -> PageRequest<K> {
    PageRequest::first(limit(100))
}
