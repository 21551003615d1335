//! Random lists of calls over all repositories get the same answers from memory and from PostgreSQL, below capacity.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "../database/mod.rs"]
mod database;

mod calls;

use std::sync::Arc;

use analytics_inmemory::{
    Capacity, InMemoryAnomalies, InMemoryAudit, InMemoryBans, InMemoryEngagement, InMemoryErasure,
    InMemoryEvents, InMemoryFingerprints, InMemoryLabels, InMemoryMlFeatures, InMemoryReports,
    InMemoryRequests, InMemorySessions, InMemoryThresholds, InMemoryUsage,
};
use analytics_ports::contract::Stores;
use analytics_postgres::{PostgresOptions, PostgresStore};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sqlx::AssertSqlSafe;

use calls::Call;
use database::TestDatabase;

#[test]
fn both_stores_give_the_same_answers_to_any_list_of_calls() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let database = runtime.block_on(TestDatabase::migrated());
    let store =
        runtime.block_on(PostgresStore::connect(&database.url(), &PostgresOptions::default())).unwrap();
    let durable = durable(&store);
    let mut runner = TestRunner::new(Config { cases: 128, failure_persistence: None, ..Config::default() });
    runner
        .run(&vec(calls::any_call(), 1..60), |calls: Vec<Call>| {
            runtime.block_on(async {
                empty(&database).await;
                let embedded = embedded();
                for call in &calls {
                    let (expected, found) = (call.answer(&embedded).await, call.answer(&durable).await);
                    prop_assert_eq!(expected, found, "{:?}", call);
                }
                Ok(())
            })
        })
        .unwrap();
    assert_eq!(store.corrupt_rows(), 0);
    runtime.block_on(store.close());
}

fn durable(store: &PostgresStore) -> Stores {
    Stores {
        sessions: Arc::new(store.sessions()),
        events: Arc::new(store.events()),
        requests: Arc::new(store.requests()),
        engagement: Arc::new(store.engagement()),
        fingerprints: Arc::new(store.fingerprints()),
        bans: Arc::new(store.bans()),
        labels: Arc::new(store.labels()),
        features: Arc::new(store.features()),
        audit: Arc::new(store.audit()),
        thresholds: Arc::new(store.thresholds()),
        anomalies: Arc::new(store.anomalies()),
        usage: Arc::new(store.usage()),
        erasure: Arc::new(store.erasure()),
        core_stats: Arc::new(store.reports()),
        queries: Arc::new(store.reports()),
        guard: Box::new(()),
    }
}

fn embedded() -> Stores {
    let capacity = Capacity::new(100_000).unwrap();
    let sessions = Arc::new(InMemorySessions::new(capacity));
    let requests = Arc::new(InMemoryRequests::new(capacity));
    let labels = Arc::new(InMemoryLabels::new(capacity));
    let usage = Arc::new(InMemoryUsage::new(capacity, Arc::clone(&sessions)));
    let reports =
        Arc::new(InMemoryReports::new(Arc::clone(&sessions), Arc::clone(&requests), Arc::clone(&usage)));
    let events = Arc::new(InMemoryEvents::new(capacity));
    let engagement = Arc::new(InMemoryEngagement::new(capacity));
    let features = Arc::new(InMemoryMlFeatures::new(capacity, Arc::clone(&labels)));
    let erasure = InMemoryErasure {
        sessions: Arc::clone(&sessions),
        requests: Arc::clone(&requests),
        events: Arc::clone(&events),
        engagement: Arc::clone(&engagement),
        features: Arc::clone(&features),
        labels: Arc::clone(&labels),
        usage: Arc::clone(&usage),
    };
    Stores {
        erasure: Arc::new(erasure),
        sessions,
        events,
        requests,
        engagement,
        fingerprints: Arc::new(InMemoryFingerprints::new(capacity)),
        bans: Arc::new(InMemoryBans::new(capacity)),
        features,
        labels,
        audit: Arc::new(InMemoryAudit::new(capacity)),
        thresholds: Arc::new(InMemoryThresholds::new(capacity)),
        anomalies: Arc::new(InMemoryAnomalies::new(capacity)),
        usage,
        core_stats: Arc::clone(&reports) as _,
        queries: reports,
        guard: Box::new(()),
    }
}

/// Takes out everything that the case before put in.
async fn empty(database: &TestDatabase) {
    let mut connection = database.connection().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
           AND relname NOT IN ('_sqlx_migrations', 'anomaly_thresholds')",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let all = format!(
        "TRUNCATE {}; DELETE FROM anomaly_thresholds WHERE default_warning IS NULL;
         UPDATE anomaly_thresholds SET warning = NULL, critical = NULL",
        tables.join(", ")
    );
    sqlx::raw_sql(AssertSqlSafe(all)).execute(&mut connection).await.unwrap();
}
