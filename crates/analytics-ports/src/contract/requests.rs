//! What every [`RequestRepository`](crate::RequestRepository) does.

use analytics_domain::ids::SessionId;
use analytics_domain::request_row::{RequestDecision, RequestRecord, RequestRow};
use analytics_domain::session::{SessionCounters, SessionPolicy, SessionUpdate, Text};
use analytics_domain::throttle::RefusalReason;
use futures_util::future::join_all;

use super::Stores;
use super::sample::{at, bare_request, full_requests, limit, request, session};
use crate::{EventCursor, PageRequest, Version};

/// Every field comes back as it was, at the edges of its range.
pub async fn requests_are_read_back_whole(stores: &Stores) {
    let rows = full_requests(1);
    assert_eq!(stores.requests.insert(&rows, at(9)).await.unwrap(), rows.len() as u64);
    assert_eq!(all(stores, 1).await, in_order(rows));
}

/// What is not known stays not known, and does not become empty or zero.
pub async fn requests_of_which_little_is_known_are_read_back_whole(stores: &Stores) {
    let row = bare_request(1, 1, 0);
    assert_eq!(stores.requests.insert(std::slice::from_ref(&row), at(0)).await.unwrap(), 1);
    assert_eq!(all(stores, 1).await, [row]);
}

/// An empty batch has nothing new.
pub async fn inserting_no_request_is_no_work(stores: &Stores) {
    assert_eq!(stores.requests.insert(&[], at(0)).await.unwrap(), 0);
    assert_eq!(all(stores, 1).await, []);
}

/// The first stays, also when the repeat carries something else; what is new beside it is kept and counted.
pub async fn inserting_requests_twice_changes_nothing(stores: &Stores) {
    let first = request(1, 1, 0);
    stores.requests.insert(std::slice::from_ref(&first), at(0)).await.unwrap();
    let other = RequestRecord { session: SessionId::from_u128(2), status: None, ..first.record().clone() };
    let batch = [other.try_into().unwrap(), request(2, 1, 1)];
    assert_eq!(stores.requests.insert(&batch, at(1)).await.unwrap(), 1);
    assert_eq!(stores.requests.insert(&batch, at(2)).await.unwrap(), 0);
    assert_eq!(all(stores, 1).await, [first, batch[1].clone()]);
    assert_eq!(all(stores, 2).await, []);
}

/// Within one call the first counts.
pub async fn a_request_twice_in_one_call_is_kept_once(stores: &Stores) {
    let first = request(1, 1, 0);
    let other = RequestRecord { path: Text::cut("/other"), ..first.record().clone() };
    let batch = [first, request(2, 1, 1), other.try_into().unwrap()];
    assert_eq!(stores.requests.insert(&batch, at(0)).await.unwrap(), 2);
    assert_eq!(all(stores, 1).await, batch[..2]);
}

/// Of many callers at once with one id in common, one keeps it.
pub async fn of_concurrent_inserts_each_request_is_counted_once(stores: &Stores) {
    let batches: Vec<[RequestRow; 2]> =
        (0..8).map(|number| [request(1, 1, 0), request(10 + number, 1, 1)]).collect();
    let answers = join_all(batches.iter().map(|batch| stores.requests.insert(batch, at(0)))).await;
    let counts: Vec<u64> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!(counts.iter().sum::<u64>(), 9, "{counts:?}");
    assert_eq!(all(stores, 1).await.len(), 9);
}

/// Only of that session, by time and then id, across the edges of pages.
pub async fn requests_of_one_session_are_walked_oldest_first(stores: &Stores) {
    // Inserted in an order that is neither that of times nor that of ids.
    let rows: Vec<RequestRow> =
        (0..20u128).map(|number| request(number * 7 % 20, 1, (number as i64 * 3) % 5)).collect();
    let others: Vec<RequestRow> = (0..20u128).map(|number| request(100 + number, 2, 0)).collect();
    stores.requests.insert(&rows, at(0)).await.unwrap();
    stores.requests.insert(&others, at(0)).await.unwrap();
    let expected = in_order(rows);
    for rows in [1, 3, 19, 20, 21] {
        assert_eq!(walk(stores, 1, rows).await, expected, "pages of {rows}");
    }
}

/// An import of an old log is as young as its recording.
pub async fn deletion_takes_requests_by_their_recording_in_batches(stores: &Stores) {
    // Number, time, recording: the later a request came, the earlier it was recorded.
    for (number, micros, recorded) in [(1, 40, 10), (2, 30, 20), (3, 20, 30), (4, 10, 29)] {
        stores.requests.insert(&[request(number, 1, micros)], at(recorded)).await.unwrap();
    }
    let delete = async || stores.requests.delete_recorded_before(at(30), limit(2)).await.unwrap();
    assert_eq!(delete().await, 2);
    assert_eq!(all(stores, 1).await, [request(4, 1, 10), request(3, 1, 20)]);
    assert_eq!(delete().await, 1);
    assert_eq!(delete().await, 0);
    assert_eq!(all(stores, 1).await, [request(3, 1, 20)]);
}

/// Totals that grew by what each row counts equal the sum over the rows as they are kept.
pub async fn the_totals_of_a_session_equal_a_recount_of_its_requests(stores: &Stores) {
    let (policy, mut open) = (SessionPolicy::default(), session(1, 0));
    stores.sessions.create(&open, at(0)).await.unwrap();
    let mut version = Version::FIRST;
    let decisions = [
        RequestDecision::Admitted,
        RequestDecision::Refused(RefusalReason::Quota),
        RequestDecision::WouldRefuse(RefusalReason::Blocked),
    ];
    for number in 0..30 {
        let (sample, of_kind) = (request(number, 1, number as i64), &full_requests(1)[number as usize % 10]);
        let row = RequestRow::try_from(RequestRecord {
            kind: of_kind.record().kind,
            status: Some([200, 304, 404, 503, 399][number as usize % 5]),
            decision: decisions[number as usize % 3],
            ..sample.into_record()
        })
        .unwrap();
        stores.requests.insert(std::slice::from_ref(&row), at(0)).await.unwrap();
        let update = SessionUpdate { counters: row.counted(), ..SessionUpdate::default() };
        open = open.update(&policy, update).unwrap();
        version = stores.sessions.swap(version, &open).await.unwrap();
    }
    let kept = stores.sessions.get(open.id()).await.unwrap().unwrap().value.record().counters;
    let rows = walk(stores, 1, 7).await;
    let recount = rows.iter().map(RequestRow::counted).fold(SessionCounters::NONE, SessionCounters::plus);
    assert_eq!((kept, kept.requests, kept.refused), (recount, 30, 10));
}

async fn all(stores: &Stores, session: u128) -> Vec<RequestRow> {
    walk(stores, session, 100).await
}

async fn walk(stores: &Stores, session: u128, rows: u32) -> Vec<RequestRow> {
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let request = PageRequest { limit: limit(rows), after };
        let page = stores.requests.list_by_session(SessionId::from_u128(session), request).await.unwrap();
        assert!(page.items.len() <= rows as usize, "a page of {rows} has {} items", page.items.len());
        assert!(page.next.is_none() || page.items.len() == rows as usize, "only the last page is short");
        seen.extend(page.items);
        assert!(seen.len() <= 100, "the list has no end");
        match page.next {
            None => return seen,
            next => after = next,
        }
    }
}

fn in_order(mut rows: Vec<RequestRow>) -> Vec<RequestRow> {
    rows.sort_by_key(EventCursor::of_request);
    rows
}
