//! What every [`BanRepository`](crate::BanRepository) does.

use analytics_domain::ids::{BanId, FingerprintHash};
use analytics_domain::reputation::{Ban, BanReason, BanSubject};

use super::Stores;
use super::sample::{at, limit};
use crate::{BanCursor, PageRequest, Recorded};

/// Both kinds of subject, every reason, and would-bans come back as they were.
pub async fn bans_are_read_back_whole(stores: &Stores) {
    let bans = [
        Ban { reason: BanReason::HostileNetwork, ..ban(u128::MAX, network("2001:db8::/48"), -7, 11) },
        Ban { reason: BanReason::RepeatedIncidents, would_ban: true, ..ban(0, client(u128::MAX), 0, 12) },
        Ban { reason: BanReason::Manual, ..ban(3, network("192.0.2.0/24"), 0, 13) },
    ];
    for ban in &bans {
        assert_eq!(stores.bans.put(ban).await.unwrap(), Recorded::New);
    }
    for ban in &bans {
        assert_eq!(stores.bans.running(ban.subject, at(1)).await.unwrap().as_ref(), Some(ban));
    }
    assert_eq!(walk(stores, 1, 1).await, bans);
}

/// A repeated put is noticed, also when it carries something else.
pub async fn putting_a_known_ban_changes_nothing(stores: &Stores) {
    let first = ban(1, client(1), 0, 10);
    stores.bans.put(&first).await.unwrap();
    assert_eq!(stores.bans.put(&ban(1, client(2), 0, 99)).await.unwrap(), Recorded::Known);
    assert_eq!(stores.bans.running(client(1), at(5)).await.unwrap(), Some(first));
    assert_eq!(stores.bans.running(client(2), at(5)).await.unwrap(), None);
}

/// It runs at its beginning and not at its end; the same address with another prefix is another subject.
pub async fn a_ban_runs_from_its_beginning_to_before_its_end(stores: &Stores) {
    let ban = ban(1, network("192.0.2.0/24"), 10, 20);
    stores.bans.put(&ban).await.unwrap();
    let running = async |subject, now| stores.bans.running(subject, at(now)).await.unwrap();
    assert_eq!(running(ban.subject, 9).await, None);
    assert_eq!(running(ban.subject, 10).await, Some(ban.clone()));
    assert_eq!(running(ban.subject, 19).await, Some(ban.clone()));
    assert_eq!(running(ban.subject, 20).await, None);
    assert_eq!(running(network("192.0.2.0/25"), 10).await, None);
    for (now, expected) in [(9, 0), (10, 1), (19, 1), (20, 0)] {
        assert_eq!(walk(stores, now, 9).await.len(), expected, "at {now}");
    }
}

/// Of several bans of one subject the one that ends last answers, of equals the greatest id.
pub async fn the_running_ban_that_ends_last_is_found(stores: &Stores) {
    for (number, from, until) in [(5, 0, 20), (2, 0, 30), (4, 0, 30), (3, 0, 10), (6, 8, 99)] {
        stores.bans.put(&ban(number, client(1), from, until)).await.unwrap();
    }
    let found = async |now| stores.bans.running(client(1), at(now)).await.unwrap().map(|b| b.id.as_u128());
    assert_eq!(found(5).await, Some(4));
    assert_eq!(found(8).await, Some(6));
}

/// Those that end first in front, then by id, across the edges of pages; not begun and ended ones are left out.
pub async fn running_bans_are_walked_in_the_order_of_their_ends(stores: &Stores) {
    for number in 0..20u128 {
        stores.bans.put(&ban(number, client(number), 0, 10 + (number % 3) as i64)).await.unwrap();
    }
    stores.bans.put(&ban(50, client(1), 7, 10)).await.unwrap();
    stores.bans.put(&ban(51, client(1), 0, 6)).await.unwrap();
    let mut expected: Vec<u128> = (0..20).collect();
    expected.sort_by_key(|number| (number % 3, *number));
    for rows in [1, 3, 19, 20, 21] {
        let walked: Vec<u128> = walk(stores, 6, rows).await.iter().map(|ban| ban.id.as_u128()).collect();
        assert_eq!(walked, expected, "pages of {rows}");
    }
}

/// All of the subject and none of another; a second time there is nothing to do.
pub async fn clearing_answers_every_ban_of_the_subject_and_leaves_the_others(stores: &Stores) {
    let own = [ban(1, client(1), 0, 5), ban(2, client(1), 50, 90)];
    let other = ban(3, client(2), 0, 5);
    for ban in [&own[1], &other, &own[0]] {
        stores.bans.put(ban).await.unwrap();
    }
    assert_eq!(stores.bans.clear(client(1)).await.unwrap(), own);
    assert_eq!(stores.bans.clear(client(1)).await.unwrap(), []);
    assert_eq!(stores.bans.running(client(1), at(60)).await.unwrap(), None);
    assert_eq!(walk(stores, 1, 9).await, [other]);
}

/// A ban that ends now has ended; batches go on where the last one stopped.
pub async fn ended_bans_are_deleted_in_batches(stores: &Stores) {
    for (number, until) in [(1, 10), (2, 9), (3, 11), (4, 8), (5, 10)] {
        stores.bans.put(&ban(number, client(number), 0, until)).await.unwrap();
    }
    let delete = async || stores.bans.delete_ended(at(10), limit(2)).await.unwrap();
    assert_eq!(delete().await, 2);
    let left: Vec<u128> = walk(stores, 0, 9).await.iter().map(|ban| ban.id.as_u128()).collect();
    assert_eq!(left, [1, 5, 3]);
    assert_eq!(delete().await, 2);
    assert_eq!(delete().await, 0);
    let left: Vec<u128> = walk(stores, 0, 9).await.iter().map(|ban| ban.id.as_u128()).collect();
    assert_eq!(left, [3]);
}

async fn walk(stores: &Stores, now: i64, rows: u32) -> Vec<Ban> {
    let (mut seen, mut after): (Vec<Ban>, Option<BanCursor>) = (Vec::new(), None);
    loop {
        let request = PageRequest { limit: limit(rows), after };
        let page = stores.bans.list_running(at(now), request).await.unwrap();
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

fn ban(number: u128, subject: BanSubject, from: i64, until: i64) -> Ban {
    let (id, reason) = (BanId::from_u128(number), BanReason::Manual);
    Ban { id, subject, reason, from: at(from), until: at(until), would_ban: false }
}

const fn client(number: u128) -> BanSubject {
    BanSubject::Fingerprint(FingerprintHash::from_u128(number))
}

fn network(text: &str) -> BanSubject {
    BanSubject::Network(text.parse().expect("it is a network"))
}
