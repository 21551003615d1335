//! What every [`EngagementRepository`](crate::EngagementRepository) does.

use analytics_domain::engagement::{EngagementEvent, EngagementRecord, EngagementSummary};
use analytics_domain::ids::SessionId;
use analytics_domain::session::Text;
use futures_util::future::join_all;

use super::Stores;
use super::sample::{at, bare_engagement, engagement, full_engagement, limit};
use crate::{EventCursor, PageRequest, Recorded};

/// Every figure comes back as it was, at the edges of its range.
pub async fn engagement_is_read_back_whole(stores: &Stores) {
    let events = full_engagement(1);
    let answers = stores.engagement.create_batch(&events, at(9)).await.unwrap();
    assert_eq!(answers, vec![Recorded::New; events.len()]);
    assert_eq!(all(stores, 1).await, in_order(events));
}

/// What was not told stays not told, and does not become zero or no.
pub async fn engagement_that_tells_nothing_is_read_back_whole(stores: &Stores) {
    let event = bare_engagement(1, 1, 0);
    assert_eq!(stores.engagement.create(&event, at(0)).await.unwrap(), Recorded::New);
    assert_eq!(all(stores, 1).await, [event]);
}

/// The first stays, also when the repeat carries something else.
pub async fn creating_known_engagement_changes_nothing(stores: &Stores) {
    let first = engagement(1, 1, 0);
    stores.engagement.create(&first, at(0)).await.unwrap();
    let record = first.record().clone();
    let other = EngagementRecord { session: SessionId::from_u128(2), bound: false, ..record };
    let other = EngagementEvent::try_from(other).unwrap();
    assert_eq!(stores.engagement.create(&other, at(1)).await.unwrap(), Recorded::Known);
    let batch = [other, engagement(2, 1, 1)];
    let answers = stores.engagement.create_batch(&batch, at(2)).await.unwrap();
    assert_eq!(answers, [Recorded::Known, Recorded::New]);
    assert_eq!(all(stores, 1).await, [first, batch[1].clone()]);
    assert_eq!(all(stores, 2).await, []);
}

/// Within one call the first counts; an empty batch is answered as empty.
pub async fn engagement_twice_in_one_batch_is_kept_once(stores: &Stores) {
    let first = engagement(1, 1, 0);
    let other = EngagementRecord { page_url: Text::cut("/other"), ..first.record().clone() };
    let batch = [first, engagement(2, 1, 1), other.try_into().unwrap()];
    let answers = stores.engagement.create_batch(&batch, at(0)).await.unwrap();
    assert_eq!(answers, [Recorded::New, Recorded::New, Recorded::Known]);
    assert_eq!(stores.engagement.create_batch(&[], at(0)).await.unwrap(), []);
    assert_eq!(all(stores, 1).await, batch[..2]);
}

/// Of many at once under one id, one is kept.
pub async fn of_concurrent_engagement_one_is_new(stores: &Stores) {
    let events: Vec<EngagementEvent> = (0..8)
        .map(|number| {
            let record = engagement(1, 1, 0).into_record();
            let page_url = Text::cut(&format!("/{number}"));
            EngagementRecord { page_url, ..record }.try_into().unwrap()
        })
        .collect();
    let answers = join_all(events.iter().map(|event| stores.engagement.create(event, at(0)))).await;
    let new: Vec<usize> = (0..8).filter(|&n| matches!(answers[n], Ok(Recorded::New))).collect();
    assert_eq!(new.len(), 1, "{answers:?}");
    assert_eq!(all(stores, 1).await, [events[new[0]].clone()]);
}

/// Only of that session, by time and then id, across the edges of pages.
pub async fn engagement_of_one_session_is_walked_oldest_first(stores: &Stores) {
    let events: Vec<EngagementEvent> =
        (0..20u128).map(|number| engagement(number * 7 % 20, 1, (number as i64 * 3) % 5)).collect();
    let others: Vec<EngagementEvent> = (0..20u128).map(|number| engagement(100 + number, 2, 0)).collect();
    stores.engagement.create_batch(&events, at(0)).await.unwrap();
    stores.engagement.create_batch(&others, at(0)).await.unwrap();
    let expected = in_order(events);
    for rows in [1, 3, 19, 20, 21] {
        assert_eq!(walk(stores, 1, rows).await, expected, "pages of {rows}");
    }
}

/// Distinct pages are counted once, what is not told is not counted, and another session's events are left out.
pub async fn a_summary_is_the_sum_of_the_events_of_its_session(stores: &Stores) {
    assert_eq!(stores.engagement.summary(SessionId::from_u128(1)).await.unwrap(), None);
    let mut events = full_engagement(1);
    events.extend((0..20).map(|number| engagement(number, 1, number as i64)));
    events.push(bare_engagement(900, 1, 900));
    let others = full_engagement(2);
    for (number, other) in others.iter().enumerate() {
        let record = EngagementRecord {
            id: engagement(2_000 + number as u128, 2, 0).id(),
            at: at(0),
            ..other.record().clone()
        };
        stores.engagement.create(&record.try_into().unwrap(), at(0)).await.unwrap();
    }
    stores.engagement.create_batch(&events, at(0)).await.unwrap();
    let summary = stores.engagement.summary(SessionId::from_u128(1)).await.unwrap();
    assert_eq!(summary, EngagementSummary::of(&events));
    let alone = bare_engagement(950, 3, 0);
    stores.engagement.create(&alone, at(0)).await.unwrap();
    let summary = stores.engagement.summary(SessionId::from_u128(3)).await.unwrap();
    assert_eq!(summary, EngagementSummary::of([&alone]));
}

/// What was sent late is as young as its recording.
pub async fn deletion_takes_engagement_by_its_recording_in_batches(stores: &Stores) {
    // Number, time, recording: the later it happened, the earlier it was recorded.
    for (number, micros, recorded) in [(1, 40, 10), (2, 30, 20), (3, 20, 30), (4, 10, 29)] {
        stores.engagement.create(&engagement(number, 1, micros), at(recorded)).await.unwrap();
    }
    let delete = async || stores.engagement.delete_recorded_before(at(30), limit(2)).await.unwrap();
    assert_eq!(delete().await, 2);
    assert_eq!(all(stores, 1).await, [engagement(4, 1, 10), engagement(3, 1, 20)]);
    assert_eq!(delete().await, 1);
    assert_eq!(delete().await, 0);
    assert_eq!(all(stores, 1).await, [engagement(3, 1, 20)]);
}

async fn all(stores: &Stores, session: u128) -> Vec<EngagementEvent> {
    walk(stores, session, 100).await
}

async fn walk(stores: &Stores, session: u128, rows: u32) -> Vec<EngagementEvent> {
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let request = PageRequest { limit: limit(rows), after };
        let page = stores.engagement.list_by_session(SessionId::from_u128(session), request).await.unwrap();
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

fn in_order(mut events: Vec<EngagementEvent>) -> Vec<EngagementEvent> {
    events.sort_by_key(EventCursor::of_engagement);
    events
}
