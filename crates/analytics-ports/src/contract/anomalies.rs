//! What every [`AnomalyThresholdRepository`](crate::AnomalyThresholdRepository) and every
//! [`AnomalyEventRepository`](crate::AnomalyEventRepository) does.

use analytics_domain::anomaly::{
    AnomalyEvent, AnomalyLevel, AnomalyRule, AnomalyThreshold, Band, Finite, MetricName, UnitScore,
};
use analytics_domain::ids::AnomalyEventId;

use super::Stores;
use super::sample::{at, limit};
use crate::{AnomalyEventCursor, AnomalyEventFilter, PageRequest, Recorded};

/// Also limits that a column of fewer bits would round, and 0.
pub async fn a_threshold_is_read_back_whole(stores: &Stores) {
    let longest = "Z".repeat(128);
    for (name, warning, critical) in
        [("requests.people", 1.0 / 3.0, f64::MAX), ("a/b:c_d-e", 0.0, 5e-324), (&longest, 0.1, 0.25)]
    {
        let threshold = threshold(name, warning, critical);
        stores.thresholds.put(&threshold).await.unwrap();
        assert_eq!(stores.thresholds.get(&metric(name)).await.unwrap(), Some(threshold));
    }
    assert_eq!(stores.thresholds.get(&metric("requests")).await.unwrap(), None);
}

/// The later limits stand, alone.
pub async fn a_threshold_that_is_put_again_is_replaced(stores: &Stores) {
    stores.thresholds.put(&threshold("a", 1.0, 2.0)).await.unwrap();
    for _ in 0..2 {
        stores.thresholds.put(&threshold("a", 3.0, 4.0)).await.unwrap();
        assert_eq!(walk_thresholds(stores, 9).await, [threshold("a", 3.0, 4.0)]);
    }
}

/// By bytes, so capitals stand before small letters, whatever the language of the store.
pub async fn thresholds_are_walked_in_the_order_of_their_metrics(stores: &Stores) {
    let names = ["a", "B", "a.b", "a-b", "A", "b", "a_b", "10", "9"];
    for name in names {
        stores.thresholds.put(&threshold(name, 1.0, 2.0)).await.unwrap();
    }
    for rows in [1, 2, 8, 9, 10] {
        let walked = walk_thresholds(stores, rows).await;
        let walked: Vec<&str> = walked.iter().map(|threshold| threshold.metric().as_str()).collect();
        assert_eq!(walked, ["10", "9", "A", "B", "a", "a-b", "a.b", "a_b", "b"], "pages of {rows}");
    }
}

/// The second time there is nothing to delete; others stay.
pub async fn a_threshold_is_deleted_once(stores: &Stores) {
    for name in ["a", "b"] {
        stores.thresholds.put(&threshold(name, 1.0, 2.0)).await.unwrap();
    }
    assert!(stores.thresholds.delete(&metric("a")).await.unwrap());
    assert!(!stores.thresholds.delete(&metric("a")).await.unwrap());
    assert_eq!(walk_thresholds(stores, 9).await, [threshold("b", 1.0, 2.0)]);
}

/// With everything set, and with nothing that need not be.
pub async fn an_anomaly_is_read_back_whole(stores: &Stores) {
    let full = AnomalyEvent {
        id: AnomalyEventId::from_u128(u128::MAX),
        metric: metric(&"m".repeat(128)),
        rule: AnomalyRule::Baseline,
        level: AnomalyLevel::Critical,
        since: at(-7),
        opened_at: at(1),
        value: finite(-1.0 / 3.0),
        expected: Band::new(finite(f64::MIN), finite(5e-324)).ok(),
        score: UnitScore::new(1.0_f64.next_down()).ok(),
        closed_at: Some(at(2)),
        acknowledged_at: Some(at(3)),
    };
    for event in [full, event(0, 0)] {
        assert_eq!(stores.anomalies.put(&event).await.unwrap(), Recorded::New);
        assert_eq!(stores.anomalies.get(event.id).await.unwrap(), Some(event));
    }
    assert_eq!(stores.anomalies.get(AnomalyEventId::from_u128(1)).await.unwrap(), None);
}

/// A repeated put is noticed, also when it carries something else.
pub async fn putting_a_known_anomaly_changes_nothing(stores: &Stores) {
    stores.anomalies.put(&event(1, 0)).await.unwrap();
    assert_eq!(stores.anomalies.put(&event(1, 99)).await.unwrap(), Recorded::Known);
    assert_eq!(walk(stores, &AnomalyEventFilter::default(), 9).await, [event(1, 0)]);
}

/// What is not kept cannot be closed.
pub async fn closing_keeps_the_first_time(stores: &Stores) {
    stores.anomalies.put(&event(1, 0)).await.unwrap();
    let closed = AnomalyEvent { closed_at: Some(at(5)), ..event(1, 0) };
    for time in [5, 9, 3] {
        let answer = stores.anomalies.close(closed.id, at(time)).await.unwrap();
        assert_eq!(answer.as_ref(), Some(&closed));
        assert_eq!(stores.anomalies.get(closed.id).await.unwrap(), answer);
    }
    assert_eq!(stores.anomalies.close(AnomalyEventId::from_u128(2), at(5)).await.unwrap(), None);
}

/// What is not kept cannot be acknowledged.
pub async fn acknowledging_keeps_the_first_time(stores: &Stores) {
    stores.anomalies.put(&event(1, 0)).await.unwrap();
    let noted = AnomalyEvent { acknowledged_at: Some(at(5)), ..event(1, 0) };
    for time in [5, 9, 3] {
        let answer = stores.anomalies.acknowledge(noted.id, at(time)).await.unwrap();
        assert_eq!(answer.as_ref(), Some(&noted));
        assert_eq!(stores.anomalies.get(noted.id).await.unwrap(), answer);
    }
    assert_eq!(stores.anomalies.acknowledge(AnomalyEventId::from_u128(2), at(5)).await.unwrap(), None);
}

/// Across the edges of pages, of equals the greatest id in front.
pub async fn anomalies_are_walked_newest_first(stores: &Stores) {
    for number in 0..20u128 {
        stores.anomalies.put(&event(number, (number % 3) as i64)).await.unwrap();
    }
    let mut expected: Vec<u128> = (0..20).collect();
    expected.sort_by_key(|number| std::cmp::Reverse((number % 3, *number)));
    for rows in [1, 3, 19, 20, 21] {
        assert_eq!(
            numbers(&walk(stores, &AnomalyEventFilter::default(), rows).await),
            expected,
            "pages of {rows}"
        );
    }
}

/// Each alone, and all together; a period holds its beginning and not its end.
pub async fn each_part_of_a_filter_selects_anomalies(stores: &Stores) {
    for number in 0..16u128 {
        let event = AnomalyEvent {
            metric: metric(if number & 1 == 0 { "a" } else { "b" }),
            closed_at: (number & 2 == 0).then(|| at(90)),
            acknowledged_at: (number & 4 == 0).then(|| at(91)),
            ..event(number, number as i64)
        };
        stores.anomalies.put(&event).await.unwrap();
    }
    let all = AnomalyEventFilter::default;
    let select = |of: fn(u128) -> bool| (0..16).rev().filter(|&number| of(number)).collect::<Vec<u128>>();
    let whole = AnomalyEventFilter {
        metric: Some(metric("b")),
        open: Some(true),
        acknowledged: Some(false),
        opened_from: Some(at(8)),
        opened_before: Some(at(16)),
    };
    for (filter, expected) in [
        (AnomalyEventFilter { metric: Some(metric("a")), ..all() }, select(|number| number & 1 == 0)),
        (AnomalyEventFilter { open: Some(true), ..all() }, select(|number| number & 2 != 0)),
        (AnomalyEventFilter { open: Some(false), ..all() }, select(|number| number & 2 == 0)),
        (AnomalyEventFilter { acknowledged: Some(true), ..all() }, select(|number| number & 4 == 0)),
        (AnomalyEventFilter { acknowledged: Some(false), ..all() }, select(|number| number & 4 != 0)),
        (AnomalyEventFilter { opened_from: Some(at(9)), ..all() }, select(|number| number >= 9)),
        (AnomalyEventFilter { opened_before: Some(at(9)), ..all() }, select(|number| number < 9)),
        (whole, select(|number| number == 15)),
    ] {
        for rows in [1, 50] {
            assert_eq!(numbers(&walk(stores, &filter, rows).await), expected, "{filter:?} by {rows}");
        }
    }
}

/// A page goes on after a key that is not kept any more.
pub async fn a_page_of_anomalies_goes_on_after_rows_that_went(stores: &Stores) {
    for number in 0..6 {
        stores.anomalies.put(&event(number, number as i64)).await.unwrap();
    }
    let after = AnomalyEventCursor::of(&event(2, 2));
    stores.anomalies.delete_opened_before(at(1), limit(9)).await.unwrap();
    let missing = AnomalyEventCursor { opened_at: at(4), id: AnomalyEventId::from_u128(77) };
    let all = AnomalyEventFilter::default();
    for (after, expected) in [(after, vec![1]), (missing, vec![4, 3, 2, 1])] {
        let page = stores.anomalies.list(&all, PageRequest::after(limit(9), after)).await.unwrap();
        assert_eq!((numbers(&page.items), page.next), (expected, None));
    }
}

/// What was opened at exactly `before` stays; batches go on where the last one stopped.
pub async fn old_anomalies_are_deleted_in_batches(stores: &Stores) {
    for (number, opened) in [(1, 10), (2, 9), (3, 11), (4, 8), (5, 9)] {
        stores.anomalies.put(&event(number, opened)).await.unwrap();
    }
    let delete = async || stores.anomalies.delete_opened_before(at(10), limit(2)).await.unwrap();
    let left = async || numbers(&walk(stores, &AnomalyEventFilter::default(), 9).await);
    assert_eq!(delete().await, 2);
    assert_eq!(left().await, [3, 1, 5]);
    assert_eq!((delete().await, delete().await), (1, 0));
    assert_eq!(left().await, [3, 1]);
}

async fn walk(stores: &Stores, filter: &AnomalyEventFilter, rows: u32) -> Vec<AnomalyEvent> {
    let (mut seen, mut after): (Vec<AnomalyEvent>, Option<AnomalyEventCursor>) = (Vec::new(), None);
    loop {
        let request = PageRequest { limit: limit(rows), after };
        let page = stores.anomalies.list(filter, request).await.unwrap();
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

async fn walk_thresholds(stores: &Stores, rows: u32) -> Vec<AnomalyThreshold> {
    let (mut seen, mut after): (Vec<AnomalyThreshold>, Option<MetricName>) = (Vec::new(), None);
    loop {
        let page = stores.thresholds.list(PageRequest { limit: limit(rows), after }).await.unwrap();
        assert!(page.items.len() <= rows as usize, "a page of {rows} has {} items", page.items.len());
        seen.extend(page.items);
        assert!(seen.len() <= 100, "the list has no end");
        match page.next {
            None => return seen,
            next => after = next,
        }
    }
}

fn numbers(events: &[AnomalyEvent]) -> Vec<u128> {
    events.iter().map(|event| event.id.as_u128()).collect()
}

fn event(number: u128, opened: i64) -> AnomalyEvent {
    AnomalyEvent {
        id: AnomalyEventId::from_u128(number),
        metric: metric("errors"),
        rule: AnomalyRule::Threshold,
        level: AnomalyLevel::Warning,
        since: at(opened),
        opened_at: at(opened),
        value: finite(0.0),
        expected: None,
        score: None,
        closed_at: None,
        acknowledged_at: None,
    }
}

fn threshold(name: &str, warning: f64, critical: f64) -> AnomalyThreshold {
    AnomalyThreshold::new(metric(name), warning, critical).expect("samples are in order")
}

fn metric(name: &str) -> MetricName {
    MetricName::new(name).expect("samples are names")
}

const fn finite(value: f64) -> Finite {
    match Finite::new(value) {
        Ok(value) => value,
        Err(_) => panic!("samples are finite"),
    }
}
