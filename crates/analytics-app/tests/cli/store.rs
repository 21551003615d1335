//! What a replay keeps in PostgreSQL.

use std::process::{Command, Stdio};

use serde_json::Value;
use sqlx::PgConnection;

use super::database::TestDatabase;
use super::{BINARY, Ran, analytics, sample};

#[tokio::test]
async fn what_a_replay_keeps_is_reported_as_from_the_log_and_kept_once() {
    let database = TestDatabase::migrated().await;
    let (url, log) = (database.url(), sample());
    let log = log.to_str().unwrap();
    for _ in 0..2 {
        let ran = analytics(&["replay", "--store", &url, "--site-host", "example.org", log]);
        assert_eq!((ran.status, ran.errors.as_str()), (0, ""));
    }
    let period = ["--from", "2020-01-01", "--to", "2030-01-01", "--format", "json"];
    for name in ["traffic-summary", "traffic-sources", "bot-traffic", "devices", "error-summary"] {
        let from = |source: [&str; 2]| {
            let mut args = vec!["report", name];
            args.extend(source);
            args.extend(period);
            answered(&analytics(&args), name)
        };
        let kept = from(["--store", &url]);
        let mut args = vec!["report", name, "--log", log, "--site-host", "example.org"];
        args.extend(period);
        assert_eq!(kept, answered(&analytics(&args), name), "{name}");
    }
}

#[tokio::test]
async fn a_replay_that_was_killed_is_done_again_and_nothing_is_missing_or_doubled() {
    let database = TestDatabase::migrated().await;
    let mut connection = database.connection().await;
    let log = sample();
    let args = ["replay", "--site-host", "example.org", "--store", &database.url()];
    let mut child =
        Command::new(BINARY).env_clear().args(args).arg(&log).stdout(Stdio::null()).spawn().unwrap();
    while kept(&mut connection).await.1 == 0 && child.try_wait().unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let again = Command::new(BINARY).env_clear().args(args).arg(&log).stdout(Stdio::null()).status().unwrap();
    assert!(again.success());
    let whole = super::report(&[&log], &["--site-host", "example.org"]);
    let classes = whole["classes"].as_array().unwrap();
    let sessions = classes.iter().map(|class| class["sessions"].as_i64().unwrap()).sum();
    let requests = whole["input"]["requests"].as_i64().unwrap();
    assert_eq!(kept(&mut connection).await, (sessions, requests));
}

#[tokio::test]
async fn a_database_without_tables_is_told_what_to_do_and_migrated_once() {
    let database = TestDatabase::empty().await;
    let url = database.url();
    let refused = analytics(&["report", "traffic-summary", "--store", &url]);
    assert_eq!(refused.status, 1);
    assert!(refused.errors.contains("run `analytics migrate`"), "{refused:?}");
    let migrate = || answered(&analytics(&["migrate", "--store", &url, "--format", "json"]), "migrate");
    let made = migrate();
    assert_eq!(made["from"], Value::Null);
    let again = migrate();
    assert_eq!((&again["from"], &again["to"]), (&made["to"], &made["to"]));
    assert_eq!(analytics(&["report", "traffic-summary", "--store", &url]).status, 0);
}

#[tokio::test]
async fn thresholds_are_listed_and_set_in_the_store() {
    let database = TestDatabase::migrated().await;
    let url = database.url();
    let list = || answered(&analytics(&["thresholds", "list", "--store", &url, "--format", "json"]), "list");
    let limits_of = |listed: &Value, metric: &str| {
        let row = listed.as_array().unwrap().iter().find(|row| row["metric"] == metric).cloned();
        row.map(|row| (row["warning"].as_f64().unwrap(), row["critical"].as_f64().unwrap()))
    };
    let before = list();
    assert_eq!(before.as_array().unwrap().len(), 5, "{before}");
    assert_eq!(limits_of(&before, "requests_per_minute"), Some((15.0, 30.0)));
    let set = ["thresholds", "set", "requests_per_minute", "--warning", "20", "--critical", "40", "--store"];
    assert_eq!(analytics(&[&set[..], &[&url]].concat()).status, 0);
    assert_eq!(limits_of(&list(), "requests_per_minute"), Some((20.0, 40.0)));
}

#[test]
fn a_store_that_is_away_or_unknown_is_told_without_its_password() {
    let away = analytics(&["migrate", "--store", "postgres://ann:secret@127.0.0.1:1/none"]);
    assert_eq!(away.status, 1);
    let unknown = analytics(&["migrate", "--store", "mongo://ann:secret@127.0.0.1/none"]);
    assert_eq!(unknown.status, 2);
    for ran in [away, unknown] {
        assert!(!ran.errors.contains("secret") && !ran.errors.is_empty(), "{ran:?}");
    }
}

/// Sessions and requests that are kept.
async fn kept(connection: &mut PgConnection) -> (i64, i64) {
    sqlx::query_as("SELECT (SELECT count(*) FROM user_sessions), (SELECT count(*) FROM requests)")
        .fetch_one(connection)
        .await
        .unwrap()
}

fn answered(ran: &Ran, what: &str) -> Value {
    assert_eq!((ran.status, ran.errors.as_str()), (0, ""), "{what}");
    serde_json::from_str(&ran.out).unwrap()
}
