//! What every [`AuditRepository`](crate::AuditRepository) does.

use analytics_domain::audit::{AuditAction, AuditEntry, AuditRecord, AuditSubject};
use analytics_domain::ids::{AnomalyEventId, BanId, FingerprintHash, SessionId, VisitorId};
use analytics_domain::session::Text;

use super::Stores;
use super::sample::{at, audit, event, limit};
use crate::{EventCursor, PageRequest, Recorded};

/// Every action and kind of subject, with and without reason and details, come back as they were.
pub async fn audit_entries_are_read_back_whole(stores: &Stores) {
    let most = u128::MAX;
    let subjects = [
        AuditSubject::Session(SessionId::from_u128(most)),
        AuditSubject::Fingerprint(FingerprintHash::from_u128(most)),
        AuditSubject::Ban(BanId::from_u128(most)),
        AuditSubject::Network("2001:db8::/48".parse().unwrap()),
        AuditSubject::Visitor(VisitorId::from_u128(most)),
        AuditSubject::Anomaly(AnomalyEventId::from_u128(most)),
        AuditSubject::Thresholds,
    ];
    let entries: Vec<AuditEntry> = AuditAction::ALL
        .into_iter()
        .enumerate()
        .map(|(number, action)| {
            let plain = audit(number as u128, 1, number as i64).into_record();
            let record = if number % 2 < 1 {
                AuditRecord {
                    actor: Text::cut(&"ann'; -- \"\\ \u{1F980} ".repeat(9)),
                    reason: Some(Text::cut("\u{202e}100%\t")),
                    details: event(1, 1, 0).properties().clone(),
                    ..plain
                }
            } else {
                plain
            };
            let subject = subjects[number % subjects.len()];
            AuditRecord { action, subject, ..record }.try_into().unwrap()
        })
        .collect();
    for entry in &entries {
        assert_eq!(stores.audit.record(entry).await.unwrap(), Recorded::New);
    }
    let newest_first: Vec<AuditEntry> = entries.iter().rev().cloned().collect();
    assert_eq!(walk(stores, None, 3).await, newest_first);
    for subject in subjects {
        // The numbers of subjects are the same; only their kinds tell them apart.
        let own: Vec<AuditEntry> =
            newest_first.iter().filter(|entry| entry.record().subject == subject).cloned().collect();
        assert!(!own.is_empty(), "no entry is about {subject:?}");
        assert_eq!(walk(stores, Some(subject), 1).await, own);
    }
}

/// A repeat is noticed, also when it says something else: what was done is not rewritten.
pub async fn recording_a_known_audit_entry_changes_nothing(stores: &Stores) {
    let first = audit(1, 1, 0);
    stores.audit.record(&first).await.unwrap();
    let subject = AuditSubject::Session(SessionId::from_u128(2));
    let other = AuditRecord { actor: Text::cut("eve"), subject, ..first.record().clone() };
    assert_eq!(stores.audit.record(&other.try_into().unwrap()).await.unwrap(), Recorded::Known);
    assert_eq!(walk(stores, None, 9).await, [first]);
    assert_eq!(walk(stores, Some(subject), 9).await, []);
}

/// Newest first, then greatest id first, across the edges of pages; only of the subject, where one is asked for.
pub async fn audit_entries_are_walked_newest_first(stores: &Stores) {
    let mut entries: Vec<AuditEntry> =
        (0..20u128).map(|number| audit(number * 7 % 20, number % 2, (number as i64 * 3) % 5)).collect();
    for entry in &entries {
        stores.audit.record(entry).await.unwrap();
    }
    entries.sort_by_key(EventCursor::of_audit);
    entries.reverse();
    let subject = AuditSubject::Session(SessionId::from_u128(1));
    let own: Vec<AuditEntry> =
        entries.iter().filter(|entry| entry.record().subject == subject).cloned().collect();
    for rows in [1, 3, 9, 10, 19, 20, 21] {
        assert_eq!(walk(stores, None, rows).await, entries, "pages of {rows}");
        assert_eq!(walk(stores, Some(subject), rows).await, own, "pages of {rows}");
    }
}

/// Strictly before, in batches, the oldest first.
pub async fn audit_entries_are_deleted_by_their_time_in_batches(stores: &Stores) {
    for (number, micros) in [(1, 30), (2, 10), (3, 29), (4, 20)] {
        stores.audit.record(&audit(number, 1, micros)).await.unwrap();
    }
    let delete = async || stores.audit.delete_before(at(30), limit(2)).await.unwrap();
    let subject = Some(AuditSubject::Session(SessionId::from_u128(1)));
    assert_eq!(delete().await, 2);
    assert_eq!(walk(stores, subject, 9).await, [audit(1, 1, 30), audit(3, 1, 29)]);
    assert_eq!(delete().await, 1);
    assert_eq!(delete().await, 0);
    assert_eq!(walk(stores, None, 9).await, [audit(1, 1, 30)]);
}

async fn walk(stores: &Stores, subject: Option<AuditSubject>, rows: u32) -> Vec<AuditEntry> {
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let request = PageRequest { limit: limit(rows), after };
        let page = stores.audit.list(subject, request).await.unwrap();
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
