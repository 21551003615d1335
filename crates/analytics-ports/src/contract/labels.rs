//! What every [`LabelRepository`](crate::LabelRepository) does.

use analytics_domain::ids::SessionId;
use analytics_domain::label::{Label, LabelClass, LabelRecord, LabelSource};
use analytics_domain::session::{Points, Text};
use futures_util::future::join_all;

use super::Stores;
use super::sample::{at, label, limit};
use crate::{LabelCursor, PageRequest, Recorded};

/// Every source and class, with and without author, come back as they were; the strongest source first.
pub async fn labels_are_read_back_whole(stores: &Stores) {
    let labels: Vec<Label> = LabelSource::ALL
        .into_iter()
        .enumerate()
        .map(|(number, source)| {
            let record = LabelRecord {
                class: LabelClass::ALL[number % 2],
                confidence: Points::from_hundredths([10_000, 0, 3_333][number % 3]).unwrap(),
                author: (number % 2 < 1).then(|| Text::cut(&"ann'; -- \"\\ \u{1F980} ".repeat(9))),
                ..label(u128::MAX, source, -1_700_000_000_123_458).into_record()
            };
            record.try_into().unwrap()
        })
        .collect();
    for label in labels.iter().rev() {
        assert_eq!(stores.labels.put(label).await.unwrap(), Recorded::New);
    }
    assert_eq!(stores.labels.by_session(SessionId::from_u128(u128::MAX)).await.unwrap(), labels);
    assert_eq!(stores.labels.by_session(SessionId::from_u128(1)).await.unwrap(), []);
}

/// A repeat is noticed; an older label changes nothing, a newer one takes the place of the one before.
pub async fn a_label_is_replaced_only_by_one_that_supersedes_it(stores: &Stores) {
    let of = |micros, class| {
        let record = label(1, LabelSource::Manual, micros).into_record();
        Label::try_from(LabelRecord { class, ..record }).unwrap()
    };
    let (first, older, newer) = (of(5, LabelClass::Bot), of(4, LabelClass::Human), of(6, LabelClass::Human));
    for (label, expected) in [
        (&first, Recorded::New),
        (&first, Recorded::Known),
        (&older, Recorded::Known),
        (&newer, Recorded::New),
        (&first, Recorded::Known),
    ] {
        assert_eq!(stores.labels.put(label).await.unwrap(), expected, "{label:?}");
    }
    assert_eq!(by_session(stores, 1).await, [newer]);
    // Where the one before stood in lists and in the order of deletion, nothing is left.
    assert_eq!(stores.labels.delete_given_before(at(6), limit(9)).await.unwrap(), 0);
    assert_eq!(walk(stores, 1).await.len(), 1);
}

/// Labels that arrive in any order, also at once, leave the same.
pub async fn of_concurrent_labels_the_strongest_stays(stores: &Stores) {
    let labels: Vec<Label> =
        (0..8).map(|number| label(1, LabelSource::Manual, [3, 7, 1, 8, 2, 6, 4, 5][number])).collect();
    for answer in join_all(labels.iter().map(|label| stores.labels.put(label))).await {
        answer.unwrap();
    }
    assert_eq!(by_session(stores, 1).await, [label(1, LabelSource::Manual, 8)]);
}

/// What was removed is answered once, and the other sources stay.
pub async fn a_label_is_removed_by_its_session_and_source(stores: &Stores) {
    let (manual, trap) = (label(1, LabelSource::Manual, 0), label(1, LabelSource::Honeypot, 0));
    let other = label(2, LabelSource::Manual, 0);
    for label in [&manual, &trap, &other] {
        stores.labels.put(label).await.unwrap();
    }
    let remove = || stores.labels.remove(SessionId::from_u128(1), LabelSource::Manual);
    assert_eq!(remove().await.unwrap(), Some(manual));
    assert_eq!(remove().await.unwrap(), None);
    assert_eq!(walk(stores, 9).await, [trap, other]);
}

/// By session, then the strongest source first, across the edges of pages.
pub async fn labels_are_walked_by_session_and_strength(stores: &Stores) {
    // Four sessions with all five sources each, put in an order that is none of the list's.
    let mut labels: Vec<Label> = (0..20usize)
        .map(|number| number * 7 % 20)
        .map(|number| label((number as u128 % 4) << 126, LabelSource::ALL[number / 4], number as i64 % 3))
        .collect();
    for label in &labels {
        stores.labels.put(label).await.unwrap();
    }
    labels.sort_by_key(LabelCursor::of);
    for rows in [1, 3, 19, 20, 21] {
        assert_eq!(walk(stores, rows).await, labels, "pages of {rows}");
    }
}

/// Strictly before, in batches, the oldest first.
pub async fn labels_are_deleted_by_when_they_were_given(stores: &Stores) {
    for (session, given) in [(1, 30), (2, 10), (3, 29), (4, 20)] {
        stores.labels.put(&label(session, LabelSource::Import, given)).await.unwrap();
    }
    let delete = async || stores.labels.delete_given_before(at(30), limit(2)).await.unwrap();
    let left = async || walk(stores, 9).await.iter().map(|l| l.session().as_u128()).collect::<Vec<_>>();
    assert_eq!(delete().await, 2);
    assert_eq!(left().await, [1, 3]);
    assert_eq!(delete().await, 1);
    assert_eq!(delete().await, 0);
    assert_eq!(left().await, [1]);
}

async fn by_session(stores: &Stores, session: u128) -> Vec<Label> {
    stores.labels.by_session(SessionId::from_u128(session)).await.unwrap()
}

async fn walk(stores: &Stores, rows: u32) -> Vec<Label> {
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let request = PageRequest { limit: limit(rows), after };
        let page = stores.labels.list(request).await.unwrap();
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
