//! What every [`MlFeaturesRepository`](crate::MlFeaturesRepository) does.

use analytics_domain::features::{CatalogueVersion, FeaturesRecord, MlBehavioralFeatures};
use analytics_domain::ids::SessionId;
use analytics_domain::label::LabelSource;
use futures_util::future::join_all;

use super::Stores;
use super::sample::{at, bare_features, full_features, label, limit};
use crate::{LabelledFeatures, PageRequest, Recorded};

/// Every figure and the vector come back as they were, at the edges of their ranges.
pub async fn features_are_read_back_whole(stores: &Stores) {
    let features = full_features();
    assert_eq!(stores.features.save(&features, at(0)).await.unwrap(), Recorded::New);
    let kept = stores.features.by_session(features.session(), features.catalogue()).await.unwrap();
    assert_eq!(kept, Some(features));
}

/// What could not be worked out stays unknown, and does not become zero or no.
pub async fn features_of_which_nothing_is_known_are_read_back_whole(stores: &Stores) {
    let features = bare_features(1, 1, 0);
    assert_eq!(get(stores, 1, 1).await, None);
    stores.features.save(&features, at(0)).await.unwrap();
    assert_eq!(get(stores, 1, 1).await, Some(features));
    assert_eq!(get(stores, 1, 2).await, None);
    assert_eq!(get(stores, 2, 1).await, None);
}

/// A repeat is noticed; a run that looked less far changes nothing.
pub async fn only_features_that_look_further_replace_what_is_kept(stores: &Stores) {
    let full = full_features().into_record();
    let of = |as_of, known: bool| {
        let bare = bare_features(1, 1, as_of).into_record();
        let figures = if known { full.figures } else { bare.figures };
        MlBehavioralFeatures::try_from(FeaturesRecord { figures, ..bare }).unwrap()
    };
    for (features, recorded, expected) in [
        (of(5, false), 10, Recorded::New),
        (of(5, true), 11, Recorded::Known),
        (of(4, true), 12, Recorded::Known),
    ] {
        assert_eq!(stores.features.save(&features, at(recorded)).await.unwrap(), expected);
    }
    assert_eq!(get(stores, 1, 1).await, Some(of(5, false)));
    assert_eq!(stores.features.save(&of(6, true), at(20)).await.unwrap(), Recorded::New);
    assert_eq!(get(stores, 1, 1).await, Some(of(6, true)));
    // It is as young as its newest recording.
    assert_eq!(stores.features.delete_recorded_before(at(20), limit(9)).await.unwrap(), 0);
    assert_eq!(stores.features.delete_recorded_before(at(21), limit(9)).await.unwrap(), 1);
}

/// Of many at once the one that looked furthest stays.
pub async fn of_concurrent_features_those_that_look_furthest_stay(stores: &Stores) {
    let rows: Vec<MlBehavioralFeatures> =
        [3, 7, 1, 8, 2, 6, 4, 5].into_iter().map(|as_of| bare_features(1, 1, as_of)).collect();
    for answer in join_all(rows.iter().map(|row| stores.features.save(row, at(0)))).await {
        answer.unwrap();
    }
    assert_eq!(get(stores, 1, 1).await, Some(bare_features(1, 1, 8)));
}

/// By session, across the edges of pages, with all labels; without a label, or of another catalogue, a row is left out.
pub async fn labelled_features_are_walked_by_session(stores: &Stores) {
    let mut expected = Vec::new();
    for number in (0..20u128).rev() {
        let session = number << 123;
        let features = bare_features(session, 1, number as i64);
        stores.features.save(&features, at(0)).await.unwrap();
        stores.features.save(&bare_features(session, 2, 0), at(0)).await.unwrap();
        let sources = match number % 3 {
            0 => vec![],
            1 => vec![LabelSource::Heuristic],
            _ => vec![LabelSource::Honeypot, LabelSource::Import],
        };
        let labels: Vec<_> = sources.into_iter().map(|source| label(session, source, 0)).collect();
        for label in labels.iter().rev() {
            stores.labels.put(label).await.unwrap();
        }
        if !labels.is_empty() {
            expected.insert(0, LabelledFeatures { features, labels });
        }
    }
    stores.labels.put(&label(u128::MAX, LabelSource::Manual, 0)).await.unwrap();
    assert_eq!(expected.len(), 13);
    for rows in [1, 3, 12, 13, 14] {
        assert_eq!(walk(stores, rows).await, expected, "pages of {rows}");
    }
    // A label that is taken back takes its row out of the list.
    let first = expected.remove(0);
    stores.labels.remove(first.features.session(), first.labels[0].source()).await.unwrap();
    assert_eq!(walk(stores, 99).await, expected);
}

/// Strictly before, in batches, the oldest recorded first, over all catalogues.
pub async fn features_are_deleted_by_their_recording_in_batches(stores: &Stores) {
    for (session, catalogue, recorded) in [(1, 1, 30), (1, 2, 10), (2, 1, 29), (3, 1, 20)] {
        stores.features.save(&bare_features(session, catalogue, 0), at(recorded)).await.unwrap();
    }
    let delete = async || stores.features.delete_recorded_before(at(30), limit(2)).await.unwrap();
    assert_eq!(delete().await, 2);
    assert!(get(stores, 1, 2).await.is_none() && get(stores, 3, 1).await.is_none());
    assert!(get(stores, 2, 1).await.is_some());
    assert_eq!(delete().await, 1);
    assert_eq!(delete().await, 0);
    assert!(get(stores, 2, 1).await.is_none() && get(stores, 1, 1).await.is_some());
}

async fn get(stores: &Stores, session: u128, catalogue: u32) -> Option<MlBehavioralFeatures> {
    let catalogue = CatalogueVersion::new(catalogue).unwrap();
    stores.features.by_session(SessionId::from_u128(session), catalogue).await.unwrap()
}

async fn walk(stores: &Stores, rows: u32) -> Vec<LabelledFeatures> {
    let (mut seen, mut after) = (Vec::new(), None);
    let catalogue = CatalogueVersion::new(1).unwrap();
    loop {
        let request = PageRequest { limit: limit(rows), after };
        let page = stores.features.list_labelled(catalogue, request).await.unwrap();
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
