//! Databases that are away, read-only, full or slow: unavailable with the cause, and served again afterwards.

use std::time::Duration;

use analytics_domain::ids::{FingerprintHash, SessionId, VisitorId};
use analytics_domain::session::{AnalyticsSession, NewSession, SessionClient, SessionOrigin, SessionPlace};
use analytics_ports::{BatchLimit, Recorded, SessionRepository};
use analytics_postgres::PostgresOptions;
use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Connection};

use crate::database::TestDatabase;
use crate::{at, opened, opened_with, unavailable};

#[tokio::test]
async fn a_read_only_database_is_read_and_unavailable_for_writing() {
    let database = TestDatabase::migrated().await;
    let store = opened(&database).await;
    store.sessions().create(&session(1), at(0)).await.unwrap();
    let name = database.name();
    run(&database, &format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
    let store = opened(&database).await;
    assert!(store.sessions().get(SessionId::from_u128(1)).await.unwrap().is_some());
    let cause = unavailable(store.sessions().create(&session(2), at(0)).await);
    assert!(cause.contains("read-only transaction"), "{cause}");
}

/// The server's own answer when its disk is full, given by a trigger: no test fills a disk.
#[tokio::test]
async fn a_full_database_is_unavailable_with_the_cause_and_serves_again_when_there_is_room() {
    let database = TestDatabase::migrated().await;
    let store = opened(&database).await;
    run(
        &database,
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
         END $$;
         CREATE TRIGGER full_disk BEFORE INSERT ON user_sessions EXECUTE FUNCTION full_disk()",
    )
    .await;
    let cause = unavailable(store.sessions().create(&session(1), at(0)).await);
    assert!(cause.contains("No space left on device"), "{cause}");
    run(&database, "DROP TRIGGER full_disk ON user_sessions").await;
    assert_eq!(store.sessions().create(&session(1), at(0)).await.unwrap(), Recorded::New);
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_ended_and_unavailable() {
    let database = TestDatabase::migrated().await;
    let options =
        PostgresOptions { statement_timeout: Duration::from_millis(200), ..PostgresOptions::default() };
    let store = opened_with(&database, &options).await;
    let mut other = database.connection().await;
    let mut holding = other.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE user_sessions").execute(&mut *holding).await.unwrap();
    let cause = unavailable(store.sessions().get(SessionId::from_u128(1)).await);
    assert!(cause.contains("statement timeout"), "{cause}");
    holding.rollback().await.unwrap();
    assert_eq!(store.sessions().get(SessionId::from_u128(1)).await.unwrap(), None);
}

#[tokio::test]
async fn waiting_for_a_connection_has_a_deadline() {
    let database = TestDatabase::migrated().await;
    let options = PostgresOptions {
        max_connections: 1,
        acquire_timeout: Duration::from_millis(100),
        statement_timeout: Duration::from_secs(20),
    };
    let store = opened_with(&database, &options).await;
    let mut other = database.connection().await;
    let mut holding = other.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE user_sessions").execute(&mut *holding).await.unwrap();
    let sessions = store.sessions();
    let waiting = tokio::spawn(async move { sessions.get(SessionId::from_u128(1)).await });
    while blocked(&database).await == 0 {
        tokio::task::yield_now().await;
    }
    let cause = unavailable(store.sessions().get(SessionId::from_u128(1)).await);
    assert!(cause.contains("timed out while waiting for an open connection"), "{cause}");
    holding.rollback().await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), None);
}

#[tokio::test]
async fn connections_that_were_cut_are_made_anew() {
    let database = TestDatabase::migrated().await;
    let store = opened(&database).await;
    store.sessions().create(&session(1), at(0)).await.unwrap();
    run(
        &database,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name = 'analytics' AND datname = current_database()",
    )
    .await;
    // A connection that was cut is found out when it is taken from the pool, before a statement is sent.
    assert!(store.sessions().get(SessionId::from_u128(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_database_that_went_away_is_unavailable() {
    let database = TestDatabase::migrated().await;
    let options = PostgresOptions { acquire_timeout: Duration::from_secs(1), ..PostgresOptions::default() };
    let store = opened_with(&database, &options).await;
    let elsewhere = TestDatabase::empty().await;
    let (name, gone) = (database.name(), format!("{}_gone", database.name()));
    run(
        &elsewhere,
        &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
    )
    .await;
    run(&elsewhere, &format!("ALTER DATABASE {name} RENAME TO {gone}")).await;
    let answer = store.sessions().get(SessionId::from_u128(1)).await;
    run(&elsewhere, &format!("ALTER DATABASE {gone} RENAME TO {name}")).await;
    let cause = unavailable(answer);
    assert!(cause.contains("does not exist") || cause.contains("timed out"), "{cause}");
    assert_eq!(store.sessions().get(SessionId::from_u128(1)).await.unwrap(), None);
}

/// Times at the first and the last microsecond that a session may have.
#[tokio::test]
async fn times_at_both_ends_of_the_range_are_read_back_whole() {
    let database = TestDatabase::migrated().await;
    let store = opened(&database).await;
    let mut record = session(1).into_record();
    record.started_at = "0001-01-01T00:00:00Z".parse().unwrap();
    record.last_activity_at = "9999-12-31T23:59:59.999999Z".parse().unwrap();
    let widest = AnalyticsSession::try_from(record).unwrap();
    store.sessions().create(&widest, DateTime::<Utc>::MAX_UTC).await.unwrap();
    assert_eq!(store.sessions().get(widest.id()).await.unwrap().unwrap().value, widest);
    let limit = BatchLimit::default();
    let idle = async |since| store.sessions().list_open_idle(since, limit).await.unwrap().len();
    assert_eq!(idle(DateTime::<Utc>::MIN_UTC).await, 0);
    assert_eq!(idle(DateTime::<Utc>::MAX_UTC).await, 1);
}

/// How many statements of the stores wait for a lock.
async fn blocked(database: &TestDatabase) -> i64 {
    let mut connection = database.connection().await;
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity
         WHERE application_name = 'analytics' AND datname = current_database() AND wait_event_type = 'Lock'",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap()
}

fn session(number: u128) -> AnalyticsSession {
    let new = NewSession {
        visitor: VisitorId::from_u128(1),
        fingerprint: FingerprintHash::from_u128(1),
        user: None,
        network: None,
        client: SessionClient::default(),
        origin: SessionOrigin::default(),
        place: SessionPlace::default(),
    };
    AnalyticsSession::start(SessionId::from_u128(number), new, at(0)).unwrap()
}

async fn run(database: &TestDatabase, sql: &str) {
    let mut connection = database.connection().await;
    let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await;
    done.unwrap_or_else(|error| panic!("{sql}: {error}"));
}
