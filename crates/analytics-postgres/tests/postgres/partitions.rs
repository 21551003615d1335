//! Partitions are made ahead and on demand, and dropped when all of their rows are past their retention.

use std::collections::BTreeMap;

use analytics_domain::event::{AnalyticsEvent, EventName, EventProperties};
use analytics_domain::ids::{EventId, SessionId};
use analytics_ports::{BatchLimit, EventRepository, PageRequest, PartitionUpkeep, Partitioned, Recorded};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

use crate::database::TestDatabase;
use crate::opened;

#[tokio::test]
async fn partitions_are_made_ahead_once() {
    let database = TestDatabase::migrated().await;
    let upkeep = opened(&database).await.upkeep();
    let (from, until) = (time("2025-11-30T23:59:59.999999Z"), time("2026-02-01T00:00:00Z"));
    assert_eq!(upkeep.make_partitions(from, until).await.unwrap(), 4 * Partitioned::ALL.len() as u32);
    // Another process does not know what this one made.
    let other = opened(&database).await.upkeep();
    assert_eq!(other.make_partitions(from, until).await.unwrap(), 0);
    assert_eq!(
        partitions(&database).await,
        [
            "analytics_events_2025_11",
            "analytics_events_2025_12",
            "analytics_events_2026_01",
            "analytics_events_2026_02"
        ]
    );
}

#[tokio::test]
async fn events_of_any_time_find_a_partition_and_are_kept_once() {
    let database = TestDatabase::migrated().await;
    let times = [
        "1970-01-01T00:00:00Z",
        "1999-12-31T23:59:59.999999Z",
        "2000-01-01T00:00:00Z",
        "2025-02-28T23:59:59.999999Z",
        "2025-03-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
    ];
    let mut events: Vec<AnalyticsEvent> = times.iter().map(|at| event(1, time(at))).collect();
    // The last millisecond that an id can say, in the year 10889.
    events.push(event(1, DateTime::from_timestamp_millis((1 << 48) - 1).unwrap()));
    let store = opened(&database).await;
    let kept = store.events().record(&events, time("2026-01-01T00:00:00Z")).await.unwrap();
    assert_eq!(kept, vec![Recorded::New; events.len()]);
    let again = store.events().record(&events, time("2026-01-02T00:00:00Z")).await.unwrap();
    assert_eq!(again, vec![Recorded::Known; events.len()]);
    let page = PageRequest::first(BatchLimit::default());
    let listed = store.events().list_by_session(SessionId::from_u128(1), page).await.unwrap();
    assert_eq!(listed.items, events);
    assert_eq!(partitions(&database).await.len(), events.len());
}

#[tokio::test]
async fn of_many_writers_that_need_one_partition_each_succeeds() {
    let database = TestDatabase::migrated().await;
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(opened(&database).await);
    }
    let writes = (0..24u128).map(|number| {
        let events = stores[number as usize % 4].events();
        async move {
            let event = event(number, time("2024-06-15T00:00:00Z"));
            events.record(&[event], time("2026-01-01T00:00:00Z")).await.unwrap()
        }
    });
    let answers = join_all(writes).await;
    assert_eq!(answers, vec![vec![Recorded::New]; 24]);
    assert_eq!(partitions(&database).await, ["analytics_events_2024_06"]);
}

#[tokio::test]
async fn a_partition_goes_when_all_of_its_rows_may_go_and_not_before() {
    let database = TestDatabase::migrated().await;
    let store = opened(&database).await;
    let (events, upkeep) = (store.events(), store.upkeep());
    let (live, imported) = (time("2025-01-10T00:00:00Z"), time("2025-09-01T00:00:00Z"));
    events.record(&[event(1, live)], live).await.unwrap();
    let feb = live + TimeDelta::days(31);
    events.record(&[event(2, feb)], feb).await.unwrap();
    // An import puts one row of January in much later.
    events.record(&[event(3, live)], imported).await.unwrap();
    let drop = async |before| upkeep.drop_partitions(Partitioned::Events, before).await.unwrap();
    let march = time("2025-03-01T00:00:00Z");
    assert_eq!(drop(march - TimeDelta::microseconds(1)).await, 0);
    assert_eq!(drop(march).await, 1);
    assert_eq!(partitions(&database).await, ["analytics_events_2025_01"]);
    assert_eq!(drop(imported).await, 0);
    assert_eq!(drop(imported + TimeDelta::microseconds(1)).await, 1);
    assert_eq!(partitions(&database).await, [""; 0]);
    // The store knew that partition, and another process may have dropped it.
    let again = events.record(&[event(1, live)], imported).await.unwrap();
    assert_eq!(again, [Recorded::New]);
}

/// Else each run would drop what the one before it made.
#[tokio::test]
async fn a_partition_that_was_made_ahead_stays_until_its_month_is_over() {
    let database = TestDatabase::migrated().await;
    let upkeep = opened(&database).await.upkeep();
    let (now, end) = (time("2025-01-10T00:00:00Z"), time("2025-02-01T00:00:00Z"));
    upkeep.make_partitions(now, now).await.unwrap();
    let drop = async |before| upkeep.drop_partitions(Partitioned::Events, before).await.unwrap();
    assert_eq!(drop(end - TimeDelta::microseconds(1)).await, 0);
    assert_eq!(drop(end).await, 1);
}

#[tokio::test]
async fn a_writer_that_knew_a_partition_makes_it_again_when_another_process_dropped_it() {
    let database = TestDatabase::migrated().await;
    let (writer, other) = (opened(&database).await.events(), opened(&database).await.upkeep());
    let at = time("2025-01-10T00:00:00Z");
    writer.record(&[event(1, at)], at).await.unwrap();
    assert_eq!(other.drop_partitions(Partitioned::Events, at + TimeDelta::days(31)).await.unwrap(), 1);
    assert_eq!(writer.record(&[event(2, at)], at).await.unwrap(), [Recorded::New]);
}

/// The partitions of the events.
async fn partitions(database: &TestDatabase) -> Vec<String> {
    let mut connection = database.connection().await;
    sqlx::query_scalar(
        "SELECT inhrelid::regclass::text FROM pg_inherits
         WHERE inhparent = 'analytics_events'::regclass ORDER BY 1",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap()
}

fn event(number: u128, at: DateTime<Utc>) -> AnalyticsEvent {
    let (name, properties) = (EventName::new("e").unwrap(), EventProperties::new(BTreeMap::new()).unwrap());
    let id = EventId::at(at, number).unwrap();
    AnalyticsEvent::new(id, SessionId::from_u128(1), name, properties, at).unwrap()
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}
