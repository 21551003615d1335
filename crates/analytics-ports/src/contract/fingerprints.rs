//! What every [`FingerprintRepository`](crate::FingerprintRepository) does.

use analytics_domain::ids::FingerprintHash;
use analytics_domain::reputation::{ChargedFacts, ReputationPolicy, ReputationState, observe_charged};
use futures_util::future::join_all;

use super::Stores;
use super::sample::{at, limit};
use crate::{Entity, FingerprintRecord, PageRequest, StoreError, Version, Versioned};

/// State, report and risk come back as they were; absence is no error.
pub async fn a_fingerprint_is_read_back_whole_at_version_1(stores: &Stores) {
    let record = record(u128::MAX, 0, true);
    assert_eq!(stores.fingerprints.get(hash(u128::MAX)).await.unwrap(), None);
    assert_eq!(stores.fingerprints.swap(None, &record).await.unwrap(), Version::FIRST);
    let kept = stores.fingerprints.get(hash(u128::MAX)).await.unwrap();
    assert_eq!(kept, Some(Versioned { version: Version::FIRST, value: record }));
}

/// The new version is the next one, and the new record is there whole.
pub async fn a_fingerprint_is_swapped_against_the_version_that_was_seen(stores: &Stores) {
    stores.fingerprints.swap(None, &record(1, 0, true)).await.unwrap();
    let (second, other) = (Version::FIRST.next(), record(1, 5, false));
    assert_eq!(stores.fingerprints.swap(Some(Version::FIRST), &other).await.unwrap(), second);
    let kept = stores.fingerprints.get(hash(1)).await.unwrap();
    assert_eq!(kept, Some(Versioned { version: second, value: other }));
}

/// Something where nothing was expected, nothing where something was, and another version.
pub async fn a_fingerprint_that_is_not_as_expected_is_a_conflict(stores: &Stores) {
    let (first, other) = (record(1, 0, true), record(1, 5, false));
    conflict(&stores.fingerprints.swap(Some(Version::FIRST), &first).await);
    assert_eq!(stores.fingerprints.get(hash(1)).await.unwrap(), None);
    stores.fingerprints.swap(None, &first).await.unwrap();
    conflict(&stores.fingerprints.swap(None, &other).await);
    conflict(&stores.fingerprints.swap(Some(Version::FIRST.next()), &other).await);
    let kept = stores.fingerprints.get(hash(1)).await.unwrap();
    assert_eq!(kept, Some(Versioned { version: Version::FIRST, value: first }));
}

/// Of many at once, one makes the record.
pub async fn of_concurrent_first_swaps_of_a_fingerprint_one_wins(stores: &Stores) {
    let records: Vec<FingerprintRecord> = (0..8).map(|n| record(1, n, n % 2 == 0)).collect();
    let answers = join_all(records.iter().map(|record| stores.fingerprints.swap(None, record))).await;
    let won: Vec<usize> = (0..8).filter(|&n| answers[n].is_ok()).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    answers.iter().filter(|answer| answer.is_err()).for_each(conflict);
    let kept = stores.fingerprints.get(hash(1)).await.unwrap().map(|kept| kept.value);
    assert_eq!(kept.as_ref(), Some(&records[won[0]]));
}

/// By hash, across the edges of pages; one that a swap mended is listed no more, one that it worsened is.
pub async fn fingerprints_of_high_risk_are_walked_in_the_order_of_their_hashes(stores: &Stores) {
    for number in (0..20u128).rev() {
        stores
            .fingerprints
            .swap(None, &record(number << 123, number as i64 % 3, number % 2 == 0))
            .await
            .unwrap();
    }
    stores.fingerprints.swap(Some(Version::FIRST), &record(4 << 123, 9, false)).await.unwrap();
    stores.fingerprints.swap(Some(Version::FIRST), &record(5 << 123, 9, true)).await.unwrap();
    for rows in [1, 3, 9, 10, 11] {
        assert_eq!(walk(stores, rows).await, [0, 2, 5, 6, 8, 10, 12, 14, 16, 18], "pages of {rows}");
    }
}

/// To the minute, as it is kept; a swap moves when it was last seen.
pub async fn fingerprints_are_deleted_by_when_they_were_last_seen_in_batches(stores: &Stores) {
    const MINUTE: i64 = 60_000_000;
    for (number, minutes) in [(1, 0), (2, 10), (3, 20), (4, 30), (5, 1)] {
        stores.fingerprints.swap(None, &record(number, minutes * MINUTE, number == 1)).await.unwrap();
    }
    stores.fingerprints.swap(Some(Version::FIRST), &record(5, 40 * MINUTE, true)).await.unwrap();
    let before = record(4, 30 * MINUTE, false).report().clone();
    let delete = async || stores.fingerprints.delete_seen_before(before.last_seen, limit(2)).await.unwrap();
    assert_eq!(delete().await, 2);
    assert!(stores.fingerprints.get(hash(2)).await.unwrap().is_none());
    assert!(stores.fingerprints.get(hash(3)).await.unwrap().is_some());
    assert_eq!(delete().await, 1);
    assert_eq!(delete().await, 0);
    for number in [4, 5] {
        assert!(stores.fingerprints.get(hash(number)).await.unwrap().is_some());
    }
    assert_eq!(walk(stores, 9).await.len(), 1);
}

async fn walk(stores: &Stores, rows: u32) -> Vec<u128> {
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let request = PageRequest { limit: limit(rows), after };
        let page = stores.fingerprints.list_high_risk(request).await.unwrap();
        assert!(page.items.len() <= rows as usize, "a page of {rows} has {} items", page.items.len());
        assert!(page.next.is_none() || page.items.len() == rows as usize, "only the last page is short");
        seen.extend(page.items.iter().map(|record| record.fingerprint().as_u128() >> 123));
        assert!(seen.len() <= 100, "the list has no end");
        match page.next {
            None => return seen,
            next => after = next,
        }
    }
}

/// A fingerprint that was seen at this time, and flagged by a person or not.
fn record(number: u128, micros: i64, flagged: bool) -> FingerprintRecord {
    let (policy, now) = (ReputationPolicy::default(), at(micros));
    let mut state = ReputationState::default();
    observe_charged(&policy, &mut state, ChargedFacts::default(), now);
    if flagged {
        state.flag();
    }
    FingerprintRecord::of(&policy, hash(number), state, now).expect("it was seen")
}

fn conflict(answer: &Result<Version, StoreError>) {
    let expected = matches!(answer, Err(StoreError::Conflict { entity: Entity::Fingerprint }));
    assert!(expected, "a conflict about a fingerprint, not {answer:?}");
}

const fn hash(number: u128) -> FingerprintHash {
    FingerprintHash::from_u128(number)
}
