//! What every [`EventRepository`](crate::EventRepository) does.

use analytics_domain::event::AnalyticsEvent;
use analytics_domain::ids::SessionId;
use futures_util::future::join_all;

use super::Stores;
use super::sample::{at, event, event_named, limit};
use crate::{EventCursor, PageRequest, Recorded};

/// Names, times and every kind of property come back as they were.
pub async fn events_are_read_back_whole(stores: &Stores) {
    let events = [event_named("sign_up \u{1F980} '\"\\", u128::MAX, 1, 0), event(0, 1, 7)];
    assert_eq!(stores.events.record(&events, at(9)).await.unwrap(), [Recorded::New, Recorded::New]);
    assert_eq!(all(stores, 1).await, events);
}

/// An empty batch is answered as empty.
pub async fn recording_nothing_is_no_work(stores: &Stores) {
    assert_eq!(stores.events.record(&[], at(0)).await.unwrap(), []);
    assert_eq!(all(stores, 1).await, []);
}

/// The first stays, also when the repeat carries something else; what is new beside it is kept.
pub async fn recording_twice_changes_nothing(stores: &Stores) {
    let first = event(1, 1, 0);
    stores.events.record(std::slice::from_ref(&first), at(0)).await.unwrap();
    let batch = [event_named("other", 1, 2, 0), event(2, 1, 1)];
    assert_eq!(stores.events.record(&batch, at(1)).await.unwrap(), [Recorded::Known, Recorded::New]);
    assert_eq!(all(stores, 1).await, [first, batch[1].clone()]);
    assert_eq!(all(stores, 2).await, []);
}

/// Within one call the first counts.
pub async fn an_id_twice_in_one_call_is_kept_once(stores: &Stores) {
    let batch = [event(1, 1, 0), event(2, 1, 1), event_named("other", 1, 1, 0)];
    let answers = stores.events.record(&batch, at(0)).await.unwrap();
    assert_eq!(answers, [Recorded::New, Recorded::New, Recorded::Known]);
    assert_eq!(all(stores, 1).await, batch[..2]);
}

/// Of many at once under one id, one is kept.
pub async fn of_concurrent_recordings_one_is_new(stores: &Stores) {
    let batches: Vec<[AnalyticsEvent; 2]> =
        (0..8).map(|n| [event_named(&format!("e{n}"), 1, 1, 0), event(10 + n, 1, 1)]).collect();
    let answers = join_all(batches.iter().map(|batch| stores.events.record(batch, at(0)))).await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    let new: Vec<usize> = (0..8).filter(|&n| answers[n][0] == Recorded::New).collect();
    assert_eq!(new.len(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| answer[1] == Recorded::New));
    let kept = all(stores, 1).await;
    assert_eq!((kept.len(), &kept[0]), (9, &batches[new[0]][0]));
}

/// Only of that session, by time and then id, across the edges of pages.
pub async fn events_of_one_session_are_walked_oldest_first(stores: &Stores) {
    let mut events: Vec<AnalyticsEvent> =
        (0..20u128).map(|number| event(number, 1, (number as i64 * 7) % 5)).collect();
    let others: Vec<AnalyticsEvent> = (0..20u128).map(|number| event(100 + number, 2, 0)).collect();
    stores.events.record(&events, at(0)).await.unwrap();
    stores.events.record(&others, at(0)).await.unwrap();
    events.sort_by_key(EventCursor::of);
    for rows in [1, 3, 19, 20, 21] {
        assert_eq!(walk(stores, 1, rows).await, events, "pages of {rows}");
    }
}

/// An import of old events is as young as its recording.
pub async fn deletion_takes_events_by_their_recording_in_batches(stores: &Stores) {
    // Number, time, recording: the later an event happened, the earlier it was recorded.
    for (number, micros, recorded) in [(1, 40, 10), (2, 30, 20), (3, 20, 30), (4, 10, 29)] {
        stores.events.record(&[event(number, 1, micros)], at(recorded)).await.unwrap();
    }
    let delete = async || stores.events.delete_recorded_before(at(30), limit(2)).await.unwrap();
    assert_eq!(delete().await, 2);
    assert_eq!(all(stores, 1).await, [event(4, 1, 10), event(3, 1, 20)]);
    assert_eq!(delete().await, 1);
    assert_eq!(delete().await, 0);
    assert_eq!(all(stores, 1).await, [event(3, 1, 20)]);
}

async fn all(stores: &Stores, session: u128) -> Vec<AnalyticsEvent> {
    walk(stores, session, 100).await
}

async fn walk(stores: &Stores, session: u128, rows: u32) -> Vec<AnalyticsEvent> {
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let request = PageRequest { limit: limit(rows), after };
        let page = stores.events.list_by_session(SessionId::from_u128(session), request).await.unwrap();
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
