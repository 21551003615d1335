//! Every report's counts equal a slow recount over the raw rows, on simulated traffic and usage.
//!
//! The recount shares nothing with the stores but the rows: it goes through plain lists again for every figure, with the
//! definitions written out once more. [`every_count_equals_a_recount`] takes the stores of any adapter.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "../database/mod.rs"]
mod database;
mod naive;
mod rows;

use std::num::NonZeroU32;

use analytics_app::wiring;
use analytics_domain::stats::{Days, Dimension, FilterKey, Period, ReportFilter};
use analytics_ports::BatchLimit;
use chrono::{DateTime, FixedOffset, TimeDelta, Utc};

use database::TestDatabase;
use naive::Naive;
use rows::{Rows, Stores};

#[tokio::test]
async fn in_memory_every_count_equals_a_recount() {
    let (stores, evicted) = wiring::in_memory(NonZeroU32::new(1_000_000).unwrap());
    every_count_equals_a_recount(&Stores {
        sessions: stores.sessions,
        requests: stores.requests,
        usage: stores.usage,
        core_stats: stores.core_stats,
        queries: stores.queries,
    })
    .await;
    assert_eq!(evicted(), 0);
}

#[tokio::test]
async fn in_postgresql_every_count_equals_a_recount() {
    let database = TestDatabase::migrated().await;
    let stores = wiring::connect(&database.url()).await.unwrap();
    every_count_equals_a_recount(&Stores {
        sessions: stores.sessions,
        requests: stores.requests,
        usage: stores.usage,
        core_stats: stores.core_stats,
        queries: stores.queries,
    })
    .await;
}

/// Fills empty stores with simulated traffic and usage, and holds every answer against the recount: over the whole time,
/// over parts of it whose edges are times of rows, over nothing, and under filters of every key.
async fn every_count_equals_a_recount(stores: &Stores) {
    let rows = Rows::simulated();
    rows.store(stores).await;
    let naive = Naive { rows: &rows };
    let (first, last) = rows.bounds();
    let middle = rows.requests[rows.requests.len() / 2].at();
    let late = rows.ai_requests[rows.ai_requests.len() / 2].stamp.at();
    let periods = [
        Period::new(first, last + TimeDelta::microseconds(1)).unwrap(),
        Period::new(first, middle).unwrap(),
        Period::new(middle, last).unwrap(),
        Period::new(first - TimeDelta::days(2), late).unwrap(),
        Period::new(last + TimeDelta::days(1), last + TimeDelta::days(2)).unwrap(),
    ];
    for period in periods {
        for filter in filters(&rows) {
            check(stores, &naive, period, &filter).await;
        }
    }
    assert!(
        naive.platform(periods[0], &ReportFilter::default()).ai.requests > 100,
        "there is something to count"
    );
}

async fn check(stores: &Stores, naive: &Naive<'_>, period: Period, filter: &ReportFilter) {
    let (core, queries) = (&stores.core_stats, &stores.queries);
    let told = format!("{period:?} {filter:?}");
    assert_eq!(core.platform(period, filter).await.unwrap(), naive.platform(period, filter), "{told}");
    let windows: Vec<Period> = [30 * 24 * 60, 24 * 60, 60, 5]
        .iter()
        .map(|&minutes| Period::ending(period.until(), TimeDelta::minutes(minutes)).unwrap())
        .collect();
    let active: Vec<_> = windows.iter().map(|&window| naive.active(window, filter)).collect();
    assert_eq!(core.active(&windows, filter).await.unwrap(), active, "{told}");
    let zone = FixedOffset::east_opt(5 * 3_600 + 1_800).unwrap();
    let days = Days::of(period, &zone).unwrap();
    let activity: Vec<_> = days
        .edges()
        .windows(2)
        .map(|edges| naive.activity(Period::new(edges[0], edges[1]).unwrap(), filter))
        .collect();
    assert_eq!(core.activity(&days, filter).await.unwrap(), activity, "{told}");
    for rows in [3, 10_000] {
        let limit = BatchLimit::new(rows).unwrap();
        let most = rows as usize;
        macro_rules! equal {
            ($store:ident . $report:ident) => {
                let mut expected = naive.$report(period, filter);
                expected.truncate(most);
                assert_eq!($store.$report(period, filter, limit).await.unwrap(), expected, "{told}");
            };
        }
        equal!(core.top_users);
        equal!(core.top_agents);
        equal!(core.top_tools);
        equal!(core.recent_conversations);
        equal!(core.conversations_by_agent);
        equal!(queries.provider_usage);
        for dimension in Dimension::ALL {
            let mut expected = naive.breakdown(period, dimension, filter);
            expected.truncate(most);
            let answer = queries.breakdown(period, dimension, filter, limit).await.unwrap();
            assert_eq!(answer, expected, "{dimension:?} {told}");
        }
        let mut expected = naive.content(&windows, filter);
        expected.truncate(most);
        assert_eq!(queries.content(&windows, filter, limit).await.unwrap(), expected, "{told}");
        let mut expected = naive.errors(period, filter);
        expected.paths.truncate(most);
        assert_eq!(queries.errors(period, filter, limit).await.unwrap(), expected, "{told}");
    }
    assert_eq!(
        core.conversations(period, filter).await.unwrap(),
        naive.conversations(period, filter),
        "{told}"
    );
    assert_eq!(queries.ai_usage(period, filter).await.unwrap(), naive.ai_usage(period, filter), "{told}");
    assert_eq!(queries.traffic(period, filter).await.unwrap(), naive.traffic(period, filter), "{told}");
}

/// No filter, one of each key with a value that rows have, and two keys at once.
fn filters(rows: &Rows) -> Vec<ReportFilter> {
    let session = rows.sessions.iter().find(|session| session.record().client.browser.is_some()).unwrap();
    let record = session.record();
    let source = rows.sessions.iter().find_map(|session| ReportFilter::source_of(session.record())).unwrap();
    let values = [
        (FilterKey::Class, "human"),
        (FilterKey::Channel, record.origin.channel.as_str()),
        (FilterKey::Source, source),
        (FilterKey::Device, record.client.device.as_str()),
        (FilterKey::Browser, record.client.browser.as_ref().unwrap().as_str()),
        (FilterKey::Os, record.client.os.as_ref().unwrap().as_str()),
        (FilterKey::Country, "DK"),
        (FilterKey::User, "user-3"),
        (FilterKey::Agent, "agent-1"),
        (FilterKey::Tool, "tool-2"),
        (FilterKey::Provider, "provider-0"),
        (FilterKey::Model, "model-1"),
    ];
    let none = ReportFilter::default();
    let one = values.iter().map(|&(key, value)| none.clone().with(key, value).unwrap());
    let both = none.clone().with(FilterKey::User, "user-1").unwrap().with(FilterKey::Class, "bot").unwrap();
    std::iter::once(none.clone()).chain(one).chain([both]).collect()
}

/// The time of a row in whole microseconds, as all of them are.
fn at(start: DateTime<Utc>, micros: i64) -> DateTime<Utc> {
    start + TimeDelta::microseconds(micros)
}
