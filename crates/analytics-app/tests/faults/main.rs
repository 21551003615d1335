//! What an application said is safe is in the store once, whatever is killed, cut off or full, and whoever else writes.
//!
//! A test starts applications as processes of their own: its own program again, told by the environment to be one. Each
//! hands sessions to the queue and writes down the numbers of those that the queue said are safe. In the end these are held
//! against what the database has. Outages are some seconds here, since the queue's pauses are short; nothing in it depends
//! on how long one is.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod application;
#[path = "../../../../tests/database/mod.rs"]
mod database;

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::Duration;

use sqlx::PgConnection;

use application::{Application, Load};
use database::{OwnServer, TestDatabase};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_postgresql_is_away_the_application_goes_on_and_nothing_is_lost() {
    if let Some(load) = Load::of_environment() {
        return load.run().await;
    }
    let mut server = OwnServer::start("analytics-outage").await;
    let load = Load { sessions: 40_000, deadline_ms: 500, ..Load::on(server.url()) };
    let mut application = Application::start(&load, HERE[0]);
    application.until_safe(1_000).await;
    server.kill();
    let safe_before = application.safe().len();
    application.until_safe(safe_before + 1_000).await;
    tokio::time::sleep(OUTAGE).await;
    server.start_again().await;
    let counters = application.ended().await;
    assert_eq!(application.safe().len(), 40_000);
    assert_eq!((counters.stored + counters.repeated, counters.lost), (40_000, 0));
    assert!(counters.spilled > 0 && counters.waiting_in_spill == 0, "{counters:?}");
    assert_eq!(kept(&mut server.connection().await).await, application.safe());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_that_is_killed_while_postgresql_is_away_leaves_nothing_undone() {
    if let Some(load) = Load::of_environment() {
        return load.run().await;
    }
    let mut server = OwnServer::start("analytics-killed").await;
    let load = Load { sessions: u64::MAX, deadline_ms: 500, ..Load::on(server.url()) };
    let mut first = Application::start(&load, HERE[1]);
    first.until_safe(1_000).await;
    server.kill();
    let safe_before = first.safe().len();
    first.until_safe(safe_before + 1_000).await;
    first.kill();
    server.start_again().await;
    let again = Load { from: 1_000_000_000, sessions: 500, ..load.clone() };
    let mut second = Application::start(&again, HERE[1]);
    let counters = second.ended().await;
    assert!(counters.recovered > 0 && counters.waiting_in_spill == 0, "{counters:?}");
    let (kept, mut safe) = (kept(&mut server.connection().await).await, first.safe());
    safe.extend(second.safe());
    let lost: Vec<_> = safe.difference(&kept).collect();
    assert!(lost.is_empty(), "{} were said to be safe and are not there", lost.len());
    // Of those that it had not said anything about when it was killed, some are there; each is whole.
    assert!(
        kept.len() - safe.len() <= application::AT_ONCE,
        "{} more than were under way",
        kept.len() - safe.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_cut_in_the_middle_of_a_batch_loses_and_doubles_nothing() {
    if let Some(load) = Load::of_environment() {
        return load.run().await;
    }
    let database = TestDatabase::migrated().await;
    let load = Load { sessions: 20_000, ..Load::on(database.url()) };
    let mut application = Application::start(&load, HERE[2]);
    application.until_safe(500).await;
    let mut connection = database.connection().await;
    let mut cut = 0;
    while cut < 10 && application.runs() {
        let cuts: i64 = sqlx::query_scalar(
            "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'analytics' AND state = 'active'",
        )
        .fetch_one(&mut connection)
        .await
        .unwrap();
        cut += cuts;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(cut > 0, "no batch was caught under way");
    let counters = application.ended().await;
    assert!(counters.retried > 0, "{counters:?}");
    assert_eq!((application.safe().len(), counters.lost), (20_000, 0));
    assert_eq!(kept(&mut connection).await, application.safe());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_applications_on_one_database_store_what_both_have_once() {
    if let Some(load) = Load::of_environment() {
        return load.run().await;
    }
    let database = TestDatabase::migrated().await;
    let one = Load { sessions: 6_000, ..Load::on(database.url()) };
    // Half of what each has the other has too.
    let other = Load { from: 3_000, sessions: 6_000, ..Load::on(database.url()) };
    let mut both = [Application::start(&one, HERE[3]), Application::start(&other, HERE[3])];
    let mut stored = 0;
    for application in &mut both {
        let counters = application.ended().await;
        assert_eq!((counters.stored + counters.repeated, counters.lost), (6_000, 0));
        stored += counters.stored;
    }
    assert_eq!(stored, 9_000);
    let safe: BTreeSet<u64> = both.iter().flat_map(Application::safe).collect();
    assert_eq!((safe.len(), kept(&mut database.connection().await).await), (9_000, safe));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_disk_of_the_spill_full_callers_are_refused_and_the_rest_is_stored() {
    if let Some(load) = Load::of_environment() {
        return load.run().await;
    }
    let mut server = OwnServer::start("analytics-full").await;
    // The system refuses to let any file of the application grow beyond this.
    let load = Load { sessions: 20_000, file_kib: Some(4_096), deadline_ms: 500, ..Load::on(server.url()) };
    let mut application = Application::start(&load, HERE[4]);
    application.until_safe(500).await;
    server.kill();
    application.until_stuck().await;
    assert!(application.safe().len() < 20_000, "the spill file took everything");
    server.start_again().await;
    let counters = application.ended().await;
    assert!(counters.refused_full > 0 && counters.spilled > 0, "{counters:?}");
    assert_eq!((counters.lost, counters.waiting_in_spill), (0, 0));
    let safe = application.safe();
    assert_eq!((safe.len(), kept(&mut server.connection().await).await), (20_000, safe));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_waits_while_postgresql_is_away_and_keeps_all() {
    let mut server = OwnServer::start("analytics-replay").await;
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let simulate = ["simulate", "--seed", "3", "--requests", "60000", "--out"];
    let made =
        Command::new(BINARY).env_clear().args(simulate).arg(&log).stdout(Stdio::null()).status().unwrap();
    assert!(made.success());
    let replay = ["replay", "--format", "json", "--site-host", "example.org", "--store"];
    let mut replay = Command::new(BINARY)
        .env_clear()
        .args(replay)
        .arg(server.url())
        .arg(&log)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut connection = server.connection().await;
    while sqlx::query_scalar::<_, i64>("SELECT count(*) FROM user_sessions")
        .fetch_one(&mut connection)
        .await
        .unwrap()
        == 0
    {
        assert!(replay.try_wait().unwrap().is_none(), "it ended before it could be disturbed");
        tokio::task::yield_now().await;
    }
    server.kill();
    tokio::time::sleep(OUTAGE).await;
    assert!(replay.try_wait().unwrap().is_none(), "it did not wait");
    server.start_again().await;
    let ended = tokio::task::spawn_blocking(|| replay.wait_with_output()).await.unwrap().unwrap();
    assert!(ended.status.success());
    let report: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
    let sessions: i64 =
        report["classes"].as_array().unwrap().iter().map(|class| class["sessions"].as_i64().unwrap()).sum();
    let kept: (i64, i64) =
        sqlx::query_as("SELECT (SELECT count(*) FROM user_sessions), (SELECT count(*) FROM requests)")
            .fetch_one(&mut server.connection().await)
            .await
            .unwrap();
    assert_eq!(kept, (sessions, report["input"]["requests"].as_i64().unwrap()));
}

/// The numbers of the sessions that are kept. Each has its requests, and no request is of another.
async fn kept(connection: &mut PgConnection) -> BTreeSet<u64> {
    let whole: (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM user_sessions), (SELECT count(*) FROM requests),
             (SELECT count(*) FROM requests JOIN user_sessions USING (session_id))",
    )
    .fetch_one(&mut *connection)
    .await
    .unwrap();
    let requests = whole.0 * application::REQUESTS as i64;
    assert_eq!(whole, (whole.0, requests, requests), "sessions, their requests, all requests");
    let ids: Vec<String> = sqlx::query_scalar("SELECT replace(session_id::text, '-', '') FROM user_sessions")
        .fetch_all(connection)
        .await
        .unwrap();
    ids.into_iter().map(|id| application::number_of(id.parse().unwrap())).collect()
}

/// The tests that applications are started for, by their names.
const HERE: [&str; 5] = [
    "while_postgresql_is_away_the_application_goes_on_and_nothing_is_lost",
    "an_application_that_is_killed_while_postgresql_is_away_leaves_nothing_undone",
    "a_connection_that_is_cut_in_the_middle_of_a_batch_loses_and_doubles_nothing",
    "two_applications_on_one_database_store_what_both_have_once",
    "with_the_disk_of_the_spill_full_callers_are_refused_and_the_rest_is_stored",
];
const BINARY: &str = env!("CARGO_BIN_EXE_analytics");
const OUTAGE: Duration = Duration::from_secs(3);
