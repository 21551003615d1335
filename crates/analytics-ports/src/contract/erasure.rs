//! What every [`ErasureRepository`](crate::ErasureRepository) does.

use analytics_domain::features::CatalogueVersion;
use analytics_domain::ids::{SessionId, VisitorId};
use analytics_domain::label::LabelSource;
use analytics_domain::session::SessionRecord;
use analytics_domain::stats::Period;
use analytics_domain::usage::{AiRequest, Conversation, Message, Task, ToolExecution};

use super::Stores;
use super::sample::{at, bare_features, engagement, event, label, limit, request, session};
use super::usage_sample::{ai_request, conversation, message, task, tool_execution};
use crate::{Erased, PageRequest};

/// The oldest first; a period holds its beginning and not its end, and other visitors have theirs.
pub async fn the_sessions_of_a_visitor_are_found_by_their_start(stores: &Stores) {
    for (id, visitor, start) in [(1, 7, 30), (2, 7, 10), (3, 8, 20), (4, 7, 20), (5, 7, 20)] {
        let record = SessionRecord { visitor: visitor_of(visitor), ..session(id, start).into_record() };
        stores.sessions.create(&record.try_into().unwrap(), at(0)).await.unwrap();
    }
    let find = |visitor, started, most| {
        let started: Option<(i64, i64)> = started;
        let started = started.map(|(from, until)| Period::new(at(from), at(until)).unwrap());
        stores.erasure.sessions_of(visitor_of(visitor), started, limit(most))
    };
    assert_eq!(find(7, None, 9).await.unwrap(), [2, 4, 5, 1].map(id));
    assert_eq!(find(7, None, 2).await.unwrap(), [2, 4].map(id));
    assert_eq!(find(7, Some((10, 20)), 9).await.unwrap(), [id(2)]);
    assert_eq!(find(7, Some((11, 31)), 9).await.unwrap(), [4, 5, 1].map(id));
    assert_eq!(find(9, None, 9).await.unwrap(), []);
}

/// A row of each kind goes with its session; those of its neighbour, and those of no session, stay.
pub async fn a_session_is_erased_with_all_that_names_it_and_nothing_else(stores: &Stores) {
    for session in 1..=2 {
        fill(stores, session, 100 * session).await;
    }
    stores.usage.record_tasks(&[task(900, 0)], at(0)).await.unwrap();
    assert_eq!(stores.erasure.erase(&[id(1)]).await.unwrap(), ONE_OF_EACH);
    assert_eq!(rows(stores, 1).await, [0; 6]);
    assert_eq!(rows(stores, 2).await, [1; 6]);
    assert_eq!(usage(stores).await, [1, 2, 1, 1, 1]);
    assert_eq!(stores.erasure.erase(&[id(2)]).await.unwrap(), ONE_OF_EACH);
    assert_eq!(usage(stores).await, [0, 1, 0, 0, 0]);
}

/// Rows of a session that is not kept, or not any more, go as well.
pub async fn rows_of_a_session_that_is_not_kept_are_erased(stores: &Stores) {
    stores.requests.insert(&[request(1, 5, 0), request(2, 5, 1)], at(0)).await.unwrap();
    stores.labels.put(&label(5, LabelSource::Manual, 0)).await.unwrap();
    let erased = stores.erasure.erase(&[id(4), id(5)]).await.unwrap();
    assert_eq!(erased, Erased { requests: 2, labels: 1, ..Erased::default() });
    assert_eq!(rows(stores, 5).await, [0; 6]);
}

/// What is gone is not erased again, and an id that stands twice counts once.
pub async fn erasing_again_and_erasing_nothing_changes_nothing(stores: &Stores) {
    fill(stores, 1, 100).await;
    assert_eq!(stores.erasure.erase(&[]).await.unwrap(), Erased::default());
    assert_eq!(rows(stores, 1).await, [1; 6]);
    assert_eq!(stores.erasure.erase(&[id(1), id(1)]).await.unwrap(), ONE_OF_EACH);
    assert_eq!(stores.erasure.erase(&[id(1)]).await.unwrap(), Erased::default());
}

/// A row of each kind that names this session.
async fn fill(stores: &Stores, session: u128, number: u128) {
    let own = Some(id(session));
    let kept = super::sample::session(session, 0);
    stores.sessions.create(&kept, at(0)).await.unwrap();
    stores.requests.insert(&[request(number, session, 0)], at(0)).await.unwrap();
    stores.events.record(&[event(number, session, 0)], at(0)).await.unwrap();
    stores.engagement.create(&engagement(number, session, 0), at(0)).await.unwrap();
    stores.features.save(&bare_features(session, 1, 0), at(0)).await.unwrap();
    stores.labels.put(&label(session, LabelSource::Import, 0)).await.unwrap();
    let usage = &stores.usage;
    let row = AiRequest { session: own, ..ai_request(number, 0) };
    usage.record_ai_requests(&[row], at(0)).await.unwrap();
    usage.record_tasks(&[Task { session: own, ..task(number, 0) }], at(0)).await.unwrap();
    let row = ToolExecution { session: own, ..tool_execution(number, 0) };
    usage.record_tool_executions(&[row], at(0)).await.unwrap();
    let row = Conversation { session: own, ..conversation(number, 0) };
    usage.record_conversations(&[row], at(0)).await.unwrap();
    let row = Message { session: own, ..message(number, number, 0) };
    usage.record_messages(&[row], at(0)).await.unwrap();
}

/// How many sessions, requests, events, engagement, features and labels are kept of this session.
async fn rows(stores: &Stores, session: u128) -> [usize; 6] {
    let session = id(session);
    let catalogue = CatalogueVersion::new(1).unwrap();
    [
        usize::from(stores.sessions.get(session).await.unwrap().is_some()),
        stores.requests.list_by_session(session, first()).await.unwrap().items.len(),
        stores.events.list_by_session(session, first()).await.unwrap().items.len(),
        stores.engagement.list_by_session(session, first()).await.unwrap().items.len(),
        usize::from(stores.features.by_session(session, catalogue).await.unwrap().is_some()),
        stores.labels.by_session(session).await.unwrap().len(),
    ]
}

/// How many rows of each kind of usage are kept.
async fn usage(stores: &Stores) -> [usize; 5] {
    let all = Period::new(at(-1), at(10)).unwrap();
    let usage = &stores.usage;
    [
        usage.list_ai_requests(all, first()).await.unwrap().items.len(),
        usage.list_tasks(all, first()).await.unwrap().items.len(),
        usage.list_tool_executions(all, first()).await.unwrap().items.len(),
        usage.list_conversations(all, first()).await.unwrap().items.len(),
        usage.list_messages(all, first()).await.unwrap().items.len(),
    ]
}

fn first<K>() -> PageRequest<K> {
    PageRequest::first(limit(10))
}

const fn id(session: u128) -> SessionId {
    SessionId::from_u128(session)
}

const fn visitor_of(number: u128) -> VisitorId {
    VisitorId::from_u128(number)
}

const ONE_OF_EACH: Erased = Erased {
    sessions: 1,
    requests: 1,
    events: 1,
    engagement: 1,
    features: 1,
    labels: 1,
    ai_requests: 1,
    tasks: 1,
    tool_executions: 1,
    conversations: 1,
    messages: 1,
};
