//! What every [`SessionRepository`](crate::SessionRepository) does.

use analytics_domain::detector::Class;
use analytics_domain::ids::{FingerprintHash, SessionId, VisitorId};
use analytics_domain::session::{AnalyticsSession, EndReason, SessionRecord};
use futures_util::future::join_all;

use super::Stores;
use super::sample::{active_at, at, full_session, limit, session, session_of, verdict};
use crate::{
    EndedSession, Entity, PageRequest, Recorded, SessionCursor, SessionFilter, StoreError, Version, Versioned,
};

/// Every field comes back as it was, at the edges of its range.
pub async fn a_session_is_read_back_whole_at_version_1(stores: &Stores) {
    let session = full_session();
    assert_eq!(stores.sessions.create(&session, at(0)).await.unwrap(), Recorded::New);
    let read = stores.sessions.get(session.id()).await.unwrap();
    assert_eq!(read, Some(Versioned { version: Version::FIRST, value: session }));
}

/// What is not known stays not known, and does not become empty or zero.
pub async fn a_session_of_which_little_is_known_is_read_back_whole(stores: &Stores) {
    let session = session(1, 0);
    stores.sessions.create(&session, at(0)).await.unwrap();
    assert_eq!(get(stores, 1).await.value, session);
}

/// Absence is no error.
pub async fn an_absent_session_is_none(stores: &Stores) {
    assert_eq!(stores.sessions.get(id(1)).await.unwrap(), None);
    let found = stores.sessions.find_recent_by_fingerprint(fingerprint(1), at(0)).await.unwrap();
    assert_eq!(found, None);
    assert_eq!(stores.sessions.end(id(1), EndReason::Explicit).await.unwrap(), None);
}

/// A repeated create is noticed, also when it carries something else.
pub async fn creating_a_known_session_changes_nothing(stores: &Stores) {
    let first = session(1, 0);
    stores.sessions.create(&first, at(0)).await.unwrap();
    let other = active_at(&session_of(1, 2, 5), 9);
    assert_eq!(stores.sessions.create(&other, at(1)).await.unwrap(), Recorded::Known);
    assert_eq!(get(stores, 1).await, Versioned { version: Version::FIRST, value: first });
    let found = stores.sessions.find_recent_by_fingerprint(fingerprint(2), at(-1)).await.unwrap();
    assert_eq!(found, None);
}

/// Of many at once under one id, one is kept.
pub async fn of_concurrent_creates_one_is_new(stores: &Stores) {
    let sessions: Vec<AnalyticsSession> = (0..8).map(|start| session(1, start)).collect();
    let answers = join_all(sessions.iter().map(|s| stores.sessions.create(s, at(0)))).await;
    let new: Vec<usize> = (0..8).filter(|&n| matches!(answers[n], Ok(Recorded::New))).collect();
    assert_eq!(new.len(), 1, "{answers:?}");
    assert_eq!(get(stores, 1).await.value, sessions[new[0]]);
}

/// A batch keeps each as creating it alone does, says which were there, and leaves those as they are.
pub async fn a_batch_of_sessions_is_read_back_whole_and_kept_once(stores: &Stores) {
    let (full, small) = (full_session(), session(1, 0));
    stores.sessions.create(&small, at(0)).await.unwrap();
    let judged = SessionRecord { verdict: Some(verdict(Class::Human)), ..session(2, 5).into_record() };
    let batch = [active_at(&session_of(1, 2, 5), 9), full, session(3, 7), judged.try_into().unwrap()];
    let answers = stores.sessions.create_batch(&batch, at(1)).await.unwrap();
    assert_eq!(answers, [Recorded::Known, Recorded::New, Recorded::New, Recorded::New]);
    for kept in [&small, &batch[1], &batch[2], &batch[3]] {
        let expected = Versioned { version: Version::FIRST, value: kept.clone() };
        assert_eq!(stores.sessions.get(kept.id()).await.unwrap(), Some(expected));
    }
    let again = stores.sessions.create_batch(&batch, at(2)).await.unwrap();
    assert_eq!(again, [Recorded::Known; 4]);
}

/// An empty batch is kept at once.
pub async fn creating_no_session_is_no_work(stores: &Stores) {
    assert_eq!(stores.sessions.create_batch(&[], at(0)).await.unwrap(), []);
}

/// Of one id twice in a batch the first is kept, and only it is new.
pub async fn a_session_twice_in_one_batch_is_kept_once(stores: &Stores) {
    let batch = [session(1, 0), session(2, 0), active_at(&session(1, 0), 5)];
    let answers = stores.sessions.create_batch(&batch, at(0)).await.unwrap();
    assert_eq!(answers, [Recorded::New, Recorded::New, Recorded::Known]);
    assert_eq!(get(stores, 1).await.value, batch[0]);
}

/// Batches at once that share sessions, in any order, keep each once and wait for each other without end for none.
pub async fn of_concurrent_batches_each_session_is_new_once(stores: &Stores) {
    let mut batches: Vec<Vec<AnalyticsSession>> =
        (0..6).map(|start| (1..=20).map(|id| session(id, start)).collect()).collect();
    batches.iter_mut().skip(1).step_by(2).for_each(|batch| batch.reverse());
    let answers = join_all(batches.iter().map(|batch| stores.sessions.create_batch(batch, at(0)))).await;
    let new = answers.into_iter().flat_map(Result::unwrap).filter(|answer| *answer == Recorded::New);
    assert_eq!(new.count(), 20);
}

/// The new version is the next one, and the new value is there whole.
pub async fn a_swap_replaces_the_session_and_counts_the_version_up(stores: &Stores) {
    let first = session_of(u128::MAX, 1, -1_000_000_000_000);
    stores.sessions.create(&first, at(0)).await.unwrap();
    let full = full_session();
    let second = Version::FIRST.next();
    assert_eq!(stores.sessions.swap(Version::FIRST, &full).await.unwrap(), second);
    let read = stores.sessions.get(full.id()).await.unwrap();
    assert_eq!(read, Some(Versioned { version: second, value: full.clone() }));
    assert_eq!(stores.sessions.swap(second, &first).await.unwrap(), second.next());
    let read = stores.sessions.get(full.id()).await.unwrap();
    assert_eq!(read, Some(Versioned { version: second.next(), value: first }));
}

/// Both an older and a newer version are refused.
pub async fn a_swap_at_another_version_is_a_conflict_and_changes_nothing(stores: &Stores) {
    let (first, second) = (session(1, 0), active_at(&session(1, 0), 1));
    stores.sessions.create(&first, at(0)).await.unwrap();
    conflict(&stores.sessions.swap(Version::FIRST.next(), &second).await);
    assert_eq!(get(stores, 1).await, Versioned { version: Version::FIRST, value: first.clone() });
    stores.sessions.swap(Version::FIRST, &second).await.unwrap();
    conflict(&stores.sessions.swap(Version::FIRST, &first).await);
    assert_eq!(get(stores, 1).await, Versioned { version: Version::FIRST.next(), value: second });
}

/// A swap makes nothing.
pub async fn a_swap_of_an_absent_session_is_a_conflict(stores: &Stores) {
    conflict(&stores.sessions.swap(Version::FIRST, &session(1, 0)).await);
    assert_eq!(stores.sessions.get(id(1)).await.unwrap(), None);
}

/// Of many at once against one version, one wins and the others learn it.
pub async fn of_concurrent_swaps_one_wins(stores: &Stores) {
    stores.sessions.create(&session(1, 0), at(0)).await.unwrap();
    let swaps: Vec<AnalyticsSession> = (1..=8).map(|n| active_at(&session(1, 0), n)).collect();
    let answers = join_all(swaps.iter().map(|s| stores.sessions.swap(Version::FIRST, s))).await;
    let won: Vec<usize> = (0..8).filter(|&n| answers[n].is_ok()).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    let kept = Versioned { version: Version::FIRST.next(), value: swaps[won[0]].clone() };
    assert_eq!(get(stores, 1).await, kept);
    answers.iter().filter(|answer| answer.is_err()).for_each(conflict);
}

/// Not the oldest, not an ended one, not another fingerprint's; of equals the greatest id.
pub async fn the_open_session_with_the_newest_activity_is_found(stores: &Stores) {
    let newest = active_at(&session(4, -50), 30);
    let others = [
        active_at(&session(9, 0), 10),
        active_at(&session(3, -10), 30),
        active_at(&session(5, 0), 40).end(EndReason::Explicit).unwrap(),
        active_at(&session_of(6, 2, 0), 50),
    ];
    for session in others.iter().chain([&newest]) {
        stores.sessions.create(session, at(0)).await.unwrap();
    }
    let found = stores.sessions.find_recent_by_fingerprint(fingerprint(1), at(0)).await.unwrap();
    assert_eq!(found, Some(Versioned { version: Version::FIRST, value: newest }));
}

/// Activity at exactly `since` is too old.
pub async fn a_recent_session_is_strictly_after_since(stores: &Stores) {
    let session = session(1, 10);
    stores.sessions.create(&session, at(0)).await.unwrap();
    let since = |micros| stores.sessions.find_recent_by_fingerprint(fingerprint(1), at(micros));
    assert_eq!(since(10).await.unwrap(), None);
    assert_eq!(since(9).await.unwrap().map(|found| found.value), Some(session));
}

/// Activity, end and fingerprint as they were before a swap find nothing any more.
pub async fn a_session_is_found_where_a_swap_moved_it(stores: &Stores) {
    stores.sessions.create(&session(1, 0), at(0)).await.unwrap();
    let moved = active_at(&session_of(1, 2, 0), 7);
    stores.sessions.swap(Version::FIRST, &moved).await.unwrap();
    let find = |number, since| stores.sessions.find_recent_by_fingerprint(fingerprint(number), at(since));
    assert_eq!(find(1, -1).await.unwrap(), None);
    let kept = Versioned { version: Version::FIRST.next(), value: moved.clone() };
    assert_eq!(find(2, 6).await.unwrap(), Some(kept.clone()));
    assert_eq!(stores.sessions.list_open_idle(at(6), limit(10)).await.unwrap(), []);
    assert_eq!(stores.sessions.list_open_idle(at(7), limit(10)).await.unwrap(), std::slice::from_ref(&kept));
    let ended = moved.end(EndReason::Campaign).unwrap();
    stores.sessions.swap(kept.version, &ended).await.unwrap();
    assert_eq!(find(2, 6).await.unwrap(), None);
    assert_eq!(stores.sessions.list_open_idle(at(7), limit(10)).await.unwrap(), []);
}

/// A second end changes neither reason nor version.
pub async fn ending_is_at_the_last_activity_and_keeps_the_first_reason(stores: &Stores) {
    let open = active_at(&session(1, 0), 5);
    stores.sessions.create(&open, at(0)).await.unwrap();
    let ended = Versioned { version: Version::FIRST.next(), value: open.end(EndReason::Revoked).unwrap() };
    assert_eq!(stores.sessions.end(id(1), EndReason::Revoked).await.unwrap(), Some(ended.clone()));
    assert_eq!(stores.sessions.end(id(1), EndReason::Inactive).await.unwrap(), Some(ended.clone()));
    assert_eq!(get(stores, 1).await, ended);
    assert_eq!(ended.value.ended_at(), Some(at(5)));
}

/// The cutoff itself is idle; ended ones are not listed; equals go by id.
pub async fn idle_sessions_are_listed_oldest_first_up_to_the_cutoff(stores: &Stores) {
    for (number, activity) in [(5, 3), (1, 10), (4, 3), (2, 11), (3, 1), (6, 2)] {
        stores.sessions.create(&active_at(&session(number, 0), activity), at(0)).await.unwrap();
    }
    stores.sessions.end(id(6), EndReason::Explicit).await.unwrap();
    let listed = async |rows| {
        let idle = stores.sessions.list_open_idle(at(10), limit(rows)).await.unwrap();
        idle.into_iter().map(|s| s.value.id().as_u128()).collect::<Vec<_>>()
    };
    assert_eq!(listed(100).await, [3, 4, 5, 1]);
    assert_eq!(listed(2).await, [3, 4]);
}

/// Each ends as inactive at its own last activity, never at the time of the clean-up.
pub async fn expired_sessions_end_in_batches_oldest_first(stores: &Stores) {
    for number in 1..=5 {
        let activity = 100 - number as i64;
        stores.sessions.create(&active_at(&session(number, 0), activity), at(0)).await.unwrap();
    }
    let expire = async || stores.sessions.end_expired(at(98), limit(3)).await.unwrap();
    let ended = |number: u128| EndedSession { id: id(number), ended_at: at(100 - number as i64) };
    assert_eq!(expire().await, [ended(5), ended(4), ended(3)]);
    assert_eq!(expire().await, [ended(2)]);
    assert_eq!(expire().await, []);
    for number in 2..=5 {
        let kept = get(stores, number).await;
        let open = active_at(&session(number, 0), 100 - number as i64);
        let expected =
            Versioned { version: Version::FIRST.next(), value: open.end(EndReason::Inactive).unwrap() };
        assert_eq!(kept, expected);
    }
    assert!(get(stores, 1).await.value.is_open());
}

/// What ended stays as it is, also when it ended for another reason.
pub async fn expiring_twice_changes_nothing(stores: &Stores) {
    stores.sessions.create(&session(1, 0), at(0)).await.unwrap();
    stores.sessions.create(&session(2, 0), at(0)).await.unwrap();
    stores.sessions.end(id(2), EndReason::Revoked).await.unwrap();
    assert_eq!(stores.sessions.end_expired(at(0), limit(10)).await.unwrap().len(), 1);
    let before = (get(stores, 1).await, get(stores, 2).await);
    assert_eq!(stores.sessions.end_expired(at(0), limit(10)).await.unwrap(), []);
    assert_eq!((get(stores, 1).await, get(stores, 2).await), before);
    assert_eq!(before.1.value.record().end_reason, Some(EndReason::Revoked));
}

/// An import of old sessions is as young as its recording; an open session is never deleted.
pub async fn deletion_takes_ended_sessions_by_their_recording_in_batches(stores: &Stores) {
    // Number, start, recording: the later a session started, the earlier it was recorded.
    for (number, start, recorded) in [(1, 50, 10), (2, 40, 20), (3, 30, 30), (4, 20, 5), (5, 10, 29)] {
        stores.sessions.create(&session(number, start), at(recorded)).await.unwrap();
        if number != 4 {
            stores.sessions.end(id(number), EndReason::Inactive).await.unwrap();
        }
    }
    let delete = async || stores.sessions.delete_recorded_before(at(30), limit(2)).await.unwrap();
    assert_eq!(delete().await, 2);
    assert_eq!(kept(stores, 5).await, [3, 4, 5]);
    assert_eq!(delete().await, 1);
    assert_eq!(delete().await, 0);
    assert_eq!(kept(stores, 5).await, [3, 4]);
    let listed = stores.sessions.list(&SessionFilter::default(), PageRequest::first(limit(9))).await.unwrap();
    assert_eq!(listed.items.iter().map(|s| s.id().as_u128()).collect::<Vec<_>>(), [3, 4]);
}

/// Equal starts go by id, the greatest first, across the edges of pages.
pub async fn a_list_is_walked_newest_first_without_repeats_or_gaps(stores: &Stores) {
    for number in 0..25u128 {
        stores.sessions.create(&session(number, (number % 3) as i64), at(0)).await.unwrap();
    }
    let mut expected: Vec<u128> = (0..25).collect();
    expected.sort_by_key(|number| (number % 3, *number));
    expected.reverse();
    for rows in [1, 4, 5, 24, 25, 26] {
        assert_eq!(walk(stores, &SessionFilter::default(), rows).await, expected, "pages of {rows}");
    }
    let empty = SessionFilter { started_before: Some(at(0)), ..SessionFilter::default() };
    assert_eq!(walk(stores, &empty, 5).await, [0u128; 0]);
}

/// A period holds its beginning and not its end.
pub async fn each_part_of_a_filter_selects(stores: &Stores) {
    for number in 1..=4 {
        let record = SessionRecord {
            visitor: VisitorId::from_u128(number / 2),
            verdict: [None, Some(Class::Human), Some(Class::Bot), Some(Class::Bot)][number as usize - 1]
                .map(verdict),
            end_reason: (number == 3).then_some(EndReason::TooLong),
            ..session_of(number, number / 3, number as i64).into_record()
        };
        stores.sessions.create(&record.try_into().unwrap(), at(0)).await.unwrap();
    }
    let all = SessionFilter::default();
    let cases = [
        (SessionFilter { started_from: Some(at(3)), ..all }, vec![4, 3]),
        (SessionFilter { started_before: Some(at(3)), ..all }, vec![2, 1]),
        (SessionFilter { visitor: Some(VisitorId::from_u128(1)), ..all }, vec![3, 2]),
        (SessionFilter { fingerprint: Some(fingerprint(1)), ..all }, vec![4, 3]),
        (SessionFilter { class: Some(Class::Bot), ..all }, vec![4, 3]),
        (SessionFilter { class: Some(Class::Suspected), ..all }, vec![]),
        (SessionFilter { open: Some(true), ..all }, vec![4, 2, 1]),
        (SessionFilter { open: Some(false), ..all }, vec![3]),
        (SessionFilter { class: Some(Class::Bot), open: Some(true), ..all }, vec![4]),
    ];
    for (filter, expected) in cases {
        assert_eq!(walk(stores, &filter, 1).await, expected, "{filter:?}");
    }
}

/// The key of the last item need not be kept any more.
pub async fn a_page_goes_on_after_rows_that_went(stores: &Stores) {
    for number in 1..=6 {
        stores.sessions.create(&session(number, number as i64), at(number as i64)).await.unwrap();
    }
    let all = SessionFilter::default();
    let page = stores.sessions.list(&all, PageRequest::first(limit(2))).await.unwrap();
    assert_eq!(page.next, Some(SessionCursor { started_at: at(5), id: id(5) }));
    stores.sessions.end(id(5), EndReason::Explicit).await.unwrap();
    assert_eq!(stores.sessions.delete_recorded_before(at(6), limit(9)).await.unwrap(), 1);
    stores.sessions.create(&session(7, 7), at(7)).await.unwrap();
    let request = PageRequest { limit: limit(9), after: page.next };
    let rest = stores.sessions.list(&all, request).await.unwrap();
    assert_eq!(rest.items.iter().map(|s| s.id().as_u128()).collect::<Vec<_>>(), [4, 3, 2, 1]);
    assert_eq!(rest.next, None);
}

async fn walk(stores: &Stores, filter: &SessionFilter, rows: u32) -> Vec<u128> {
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = stores.sessions.list(filter, PageRequest { limit: limit(rows), after }).await.unwrap();
        assert!(page.items.len() <= rows as usize, "a page of {rows} has {} items", page.items.len());
        assert!(page.next.is_none() || page.items.len() == rows as usize, "only the last page is short");
        seen.extend(page.items.iter().map(|s| s.id().as_u128()));
        assert!(seen.len() <= 100, "the list has no end");
        match page.next {
            None => return seen,
            next => after = next,
        }
    }
}

async fn get(stores: &Stores, number: u128) -> Versioned<AnalyticsSession> {
    stores.sessions.get(id(number)).await.unwrap().expect("the session is kept")
}

async fn kept(stores: &Stores, most: u128) -> Vec<u128> {
    let mut kept = Vec::new();
    for number in 1..=most {
        if stores.sessions.get(id(number)).await.unwrap().is_some() {
            kept.push(number);
        }
    }
    kept
}

fn conflict(answer: &Result<Version, StoreError>) {
    let expected = matches!(answer, Err(StoreError::Conflict { entity: Entity::Session }));
    assert!(expected, "a conflict about a session, not {answer:?}");
}

const fn id(number: u128) -> SessionId {
    SessionId::from_u128(number)
}

const fn fingerprint(number: u128) -> FingerprintHash {
    FingerprintHash::from_u128(number)
}
