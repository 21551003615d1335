//! What a person does about what is kept: explain, label, flag, free, erase, clean up.

use analytics_domain::ids::{BanId, FingerprintHash};
use analytics_domain::reputation::{
    Ban, BanReason, BanSubject, ChargedFacts, ReputationPolicy, ReputationState, observe_charged,
};
use analytics_ports::{BanRepository, FingerprintRecord, FingerprintRepository};
use analytics_postgres::{PostgresOptions, PostgresStore};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::database::TestDatabase;
use super::{Ran, analytics, file, sample, with_sessions};

#[test]
fn without_a_store_every_operation_is_a_wrong_call() {
    let id = "00000000000000000000000000000001";
    for args in [
        &["explain", id][..],
        &["fingerprints", "list"],
        &["fingerprints", "flag", id],
        &["fingerprints", "clear", id],
        &["bans", "list"],
        &["bans", "clear", "198.51.100.0/24"],
        &["label", "set", id, "bot"],
        &["data", "erase", "--visitor", id],
        &["data", "erase", "--session", id],
        &["sessions", "cleanup"],
        &["jobs", "run", "all"],
    ] {
        let ran = analytics(args);
        assert_eq!((ran.status, ran.out.as_str()), (2, ""), "{args:?}: {ran:?}");
        assert!(ran.errors.contains("store was named"), "{args:?}: {ran:?}");
    }
    let away = analytics(&["jobs", "run", "all", "--store", "postgres://ann:secret@127.0.0.1:1/none"]);
    assert_eq!((away.status, away.out.as_str()), (1, ""), "{away:?}");
    assert!(
        away.errors.contains("the database cannot be reached") && !away.errors.contains("secret"),
        "{away:?}"
    );
}

#[test]
fn wrong_names_are_wrong_calls() {
    let id = "00000000000000000000000000000001";
    for (args, told) in [
        (&["jobs", "run", "tidy"][..], "is no job; there are session_cleanup"),
        (&["label", "set", id, "robot"], "a label says human or bot"),
        (&["label", "set", id, "bot", "--source", "guess"], "comes from one of manual"),
        (&["label", "set", id, "bot", "--confidence", "101"], "points are a decimal number from 0 to 100"),
        (&["fingerprints", "flag", "x"], "32 hexadecimal digits"),
        (&["bans", "clear", "everybody"], "or a network such as"),
        (&["data", "erase"], "<--visitor <V>|--session <SESSION>|--address <ADDRESS>>"),
        (&["data", "erase", "--address", "192.0.2.1"], "--agent <TEXT>"),
        (&["data", "erase", "--visitor", id, "--session", id], "cannot be used with"),
        (
            &["data", "erase", "--visitor", id, "--from", "soon", "--store", "postgres://127.0.0.1:1/none"],
            "--from soon: give a date",
        ),
        (
            &["fingerprints", "flag", id, "--by", "", "--store", "postgres://127.0.0.1:1/none"],
            "whoever asks for this has a name",
        ),
        (
            &["label", "import", "/no/such.csv", "--store", "postgres://127.0.0.1:1/none"],
            "cannot read /no/such.csv",
        ),
    ] {
        let ran = analytics(args);
        assert_eq!(ran.status, 2, "{args:?}: {ran:?}");
        assert!(ran.errors.contains(told), "{args:?}: {ran:?}");
    }
}

#[tokio::test]
async fn a_kept_session_is_explained_as_from_its_log() {
    let database = TestDatabase::migrated().await;
    let sessions = kept(&database);
    let wanted = sessions.iter().max_by_key(|line| line["signals"].as_array().unwrap().len()).unwrap();
    let (id, url) = (wanted["session_id"].as_str().unwrap(), database.url());
    let log = sample();
    let from_log = ["explain", id, "--log", log.to_str().unwrap(), "--site-host", SITE, "--format", "json"];
    let from_log = answered(&analytics(&from_log));
    let from_store = answered(&analytics(&["explain", id, "--store", &url, "--format", "json"]));
    for key in [
        "session_id",
        "visitor_id",
        "class",
        "hostile",
        "requests",
        "page_views",
        "distinct_pages",
        "throttle",
    ] {
        assert_eq!(from_store["session"][key], from_log["session"][key], "{key}");
    }
    let signals = |explained: &Value| -> Vec<(Value, Value, Value)> {
        let signals = explained["session"]["signals"].as_array().unwrap().iter();
        signals.map(|one| (one["signal"].clone(), one["decisive"].clone(), one["evidence"].clone())).collect()
    };
    assert_eq!(signals(&from_store), signals(&from_log));
    let requests = |explained: &Value| -> Vec<(Value, Value)> {
        let requests = explained["requests"].as_array().unwrap().iter();
        requests.map(|one| (one["path"].clone(), one["refused"].clone())).collect()
    };
    assert_eq!(requests(&from_store), requests(&from_log));
    let text = analytics(&["explain", id, "--store", &url]);
    assert_eq!((text.status, text.errors.as_str()), (0, ""));
    for part in [id, "Signals", "Categories", "Throttle levels", "enforcing would have refused"] {
        assert!(text.out.contains(part), "{part} is not in\n{}", text.out);
    }
    assert!(text.out.lines().all(|line| line.chars().count() <= 120), "{}", text.out);
    let unknown = analytics(&["explain", "00000000000000000000000000000001", "--store", &url]);
    assert_eq!(unknown.status, 1);
    assert!(
        unknown.errors.contains("no session 00000000000000000000000000000001 in this store"),
        "{unknown:?}"
    );
}

#[tokio::test]
async fn a_label_human_clears_the_fingerprint_and_both_are_explained() {
    let database = TestDatabase::migrated().await;
    let sessions = kept(&database);
    let (session, fingerprint) = (&sessions[0]["session_id"], &sessions[0]["fingerprint"]);
    let (session, fingerprint) = (session.as_str().unwrap(), fingerprint.as_str().unwrap());
    seen(&database, fingerprint.parse().unwrap()).await;
    let url = database.url();
    let flag = ["fingerprints", "flag", fingerprint, "--by", "ann", "--store", &url, "--format", "json"];
    assert_eq!(answered(&analytics(&flag))["flags"], json!(["manual"]));
    let label = |class| {
        let set = ["label", "set", session, class, "--source", "manual", "--by", "ann", "--reason", "known"];
        answered(&analytics(&[&set[..], &["--store", &url, "--format", "json"]].concat()))
    };
    assert_eq!(label("bot")["cleared"], Value::Null);
    let human = label("human");
    assert_eq!((&human["new"], &human["cleared"]["flags"]), (&json!(true), &json!(["manual"])));
    let list = answered(&analytics(&["fingerprints", "list", "--store", &url, "--format", "json"]));
    assert_eq!(list, json!([]));
    let explained = answered(&analytics(&["explain", session, "--store", &url, "--format", "json"]));
    assert_eq!(explained["kept"]["labels"][0]["class"], "human");
    let actions: Vec<&Value> =
        explained["kept"]["audit"].as_array().unwrap().iter().map(|entry| &entry["action"]).collect();
    assert_eq!(actions, ["label", "label"]);
    let text = analytics(&["explain", session, "--store", &url]);
    assert!(text.out.contains("label by ann: known"), "{}", text.out);
}

#[tokio::test]
async fn labels_are_imported_whole_or_not_at_all() {
    let database = TestDatabase::migrated().await;
    let url = database.url();
    let import = |content: &str| {
        let csv = file(content.as_bytes(), "labels.csv");
        analytics(&["label", "import", csv.path.to_str().unwrap(), "--store", &url])
    };
    let (one, two) = ("00000000000000000000000000000001", "00000000000000000000000000000002");
    let bad = import(&format!("session_id,label\n{one},human\n{two},person\n,bot\n"));
    assert_eq!((bad.status, bad.out.as_str()), (1, ""));
    assert!(bad.errors.contains("2 rows are wrong, and nothing was written"), "{bad:?}");
    assert!(bad.errors.contains("line 3: label \"person\" is neither human nor bot"), "{bad:?}");
    assert!(bad.errors.contains("line 4: it has no session_id"), "{bad:?}");
    let mut connection = database.connection().await;
    let mut labels = async || -> Vec<(String, String)> {
        let read = "SELECT source, class FROM labels ORDER BY session_id";
        sqlx::query_as(read).fetch_all(&mut connection).await.unwrap()
    };
    assert_eq!(labels().await, []);
    let good = import(&format!("session_id,label,source\n{one},human,honeypot\n{two},bot,\n"));
    assert_eq!((good.status, good.errors.as_str()), (0, ""));
    assert_eq!(good.out, "labels: 2 new, 0 that changed nothing; fingerprints cleared as people's: 0\n");
    let expected = [("honeypot", "human"), ("import", "bot")];
    assert_eq!(labels().await, expected.map(|(source, class)| (source.to_owned(), class.to_owned())));
}

#[tokio::test]
async fn fingerprints_are_listed_flagged_and_cleared_and_bans_taken_back() {
    let database = TestDatabase::migrated().await;
    let url = database.url();
    let hash = FingerprintHash::from_u128(255);
    seen(&database, hash).await;
    let name = hash.to_string();
    let json = |args: &[&str]| answered(&analytics(&[args, &["--store", &url, "--format", "json"]].concat()));
    let unseen = analytics(&["fingerprints", "flag", "00000000000000000000000000000001", "--store", &url]);
    assert_eq!(unseen.status, 1);
    assert!(unseen.errors.contains("it was never seen"), "{unseen:?}");
    assert_eq!(json(&["fingerprints", "list"]), json!([]));
    assert_eq!(json(&["fingerprints", "flag", &name])["hash"], name.as_str());
    let listed = analytics(&["fingerprints", "list", "--store", &url]);
    assert!(listed.out.contains(&name) && listed.out.contains("manual"), "{listed:?}");
    let network = "198.51.100.0/24";
    ban(&database, 1, BanSubject::Fingerprint(hash)).await;
    ban(&database, 2, BanSubject::Network(network.parse().unwrap())).await;
    assert_eq!(json(&["bans", "list"]).as_array().unwrap().len(), 2);
    let text = analytics(&["bans", "list", "--store", &url]);
    assert!(text.out.contains(network) && text.out.contains("manual"), "{text:?}");
    let cleared = json(&["fingerprints", "clear", &name]);
    assert_eq!((&cleared["before"]["flags"], &cleared["after"]["flags"]), (&json!(["manual"]), &json!([])));
    assert_eq!(cleared["bans"].as_array().unwrap().len(), 1);
    assert_eq!(json(&["bans", "clear", network]).as_array().unwrap().len(), 1);
    assert_eq!(json(&["bans", "clear", network]), json!([]));
    assert_eq!(analytics(&["bans", "list", "--store", &url]).out, "no ban runs\n");
}

#[tokio::test]
async fn a_visitor_is_erased_by_its_id_and_by_its_address_and_agent() {
    let database = TestDatabase::migrated().await;
    let sessions = kept(&database);
    let url = database.url();
    let erase = |args: &[&str]| {
        let all = [&["data", "erase"], args, &["--store", &url, "--format", "json", "--by", "ann"]].concat();
        answered(&analytics(&all))
    };
    let of = |visitor: &Value| -> Vec<&Value> {
        sessions.iter().filter(|line| line["visitor_id"] == *visitor).collect()
    };
    let requests =
        |lines: &[&Value]| lines.iter().map(|line| line["requests"].as_u64().unwrap()).sum::<u64>();
    let first = &sessions[0];
    let own = of(&first["visitor_id"]);
    let (address, agent) = (first["client_ip"].as_str().unwrap(), first["user_agent"].as_str().unwrap());
    let by_address = ["--address", address, "--agent", agent, "--site-host", SITE];
    let none = erase(&[&by_address[..], &["--to", "2001-01-01"]].concat());
    assert_eq!(none["sessions"], 0);
    let erased = erase(&by_address);
    assert_eq!((&erased["sessions"], &erased["requests"]), (&json!(own.len()), &json!(requests(&own))));
    let other = sessions.iter().find(|line| line["visitor_id"] != first["visitor_id"]).unwrap();
    let theirs = of(&other["visitor_id"]);
    let session = other["session_id"].as_str().unwrap();
    let one = erase(&["--session", session]);
    assert_eq!((&one["sessions"], &one["requests"]), (&json!(1), &other["requests"]));
    let rest = erase(&["--visitor", other["visitor_id"].as_str().unwrap()]);
    assert_eq!(rest["sessions"], json!(theirs.len() - 1));
    let left: (i64, i64) =
        sqlx::query_as("SELECT (SELECT count(*) FROM user_sessions), (SELECT count(*) FROM requests)")
            .fetch_one(&mut database.connection().await)
            .await
            .unwrap();
    let all: Vec<&Value> = sessions.iter().collect();
    let gone = (own.len() + theirs.len(), requests(&own) + requests(&theirs));
    assert_eq!(left, ((all.len() - gone.0) as i64, (requests(&all) - gone.1) as i64));
}

#[tokio::test]
async fn jobs_are_listed_and_run_by_hand() {
    let database = TestDatabase::migrated().await;
    let url = database.url();
    let listed = answered(&analytics(&["jobs", "list", "--format", "json"]));
    let names: Vec<&str> =
        listed.as_array().unwrap().iter().map(|job| job["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["session_cleanup", "partition_upkeep", "retention", "reputation_review", "feature_extraction"]
    );
    // An open session that was left alone long ago, and rows recorded before their retention began.
    let open = "INSERT INTO user_sessions (session_id, version, recorded_at, visitor_id, fingerprint_hash, device_type, channel,
            started_at, last_activity_at, requests, page_views, assets, client_errors, server_errors, refused,
            engagement_events, ai_requests, unpriced_ai_requests, tasks, messages, tokens, cost_nano_dollars,
            throttle_level, max_throttle_level)
        SELECT md5(n::text)::uuid, 1, now(), md5('v')::uuid, md5('f')::uuid, 'desktop', 'direct', now() - interval '1 day',
            now() - interval '1 day', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'normal', 'normal' FROM generate_series(1, 3) n";
    sqlx::raw_sql(open).execute(&mut database.connection().await).await.unwrap();
    let cleaned = answered(&analytics(&["sessions", "cleanup", "--store", &url, "--format", "json"]));
    assert_eq!(cleaned[0]["outcome"], "done");
    assert_eq!(cleaned[0]["rows"], json!({ "sessions_ended": 3 }));
    let ran = answered(&analytics(&["jobs", "run", "all", "--store", &url, "--format", "json"]));
    let outcomes: Vec<&Value> = ran.as_array().unwrap().iter().map(|job| &job["outcome"]).collect();
    assert_eq!(outcomes[..4], ["done", "done", "done", "done"]);
    assert_eq!(ran[0]["rows"], json!({}));
    assert!(ran[1]["rows"]["partitions_made"].as_u64().unwrap() >= 6, "{ran}");
    let text = analytics(&["jobs", "run", "retention", "--store", &url]);
    assert_eq!((text.status, text.out.as_str()), (0, "retention: nothing to do\n"));
}

/// The sessions of the sample, which the database keeps from here on, the longest first.
fn kept(database: &TestDatabase) -> Vec<Value> {
    let options = ["--site-host", SITE, "--store", &database.url()];
    let (_, lines) = with_sessions(&[&sample()], &options);
    let mut sessions: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    sessions.sort_by_key(|line| std::cmp::Reverse(line["requests"].as_u64()));
    sessions
}

/// Keeps that a fingerprint was seen.
async fn seen(database: &TestDatabase, fingerprint: FingerprintHash) {
    let store = PostgresStore::connect(&database.url(), &PostgresOptions::default()).await.unwrap();
    let policy = ReputationPolicy::default();
    let mut state = ReputationState::default();
    observe_charged(&policy, &mut state, ChargedFacts::default(), at());
    let record = FingerprintRecord::of(&policy, fingerprint, state, at()).unwrap();
    store.fingerprints().swap(None, &record).await.unwrap();
    store.close().await;
}

/// Keeps a ban that runs for a hundred years.
async fn ban(database: &TestDatabase, id: u128, subject: BanSubject) {
    let store = PostgresStore::connect(&database.url(), &PostgresOptions::default()).await.unwrap();
    let until = at() + TimeDelta::days(36_500);
    let id = BanId::from_u128(id);
    let ban = Ban { id, subject, reason: BanReason::Manual, from: at(), until, would_ban: false };
    store.bans().put(&ban).await.unwrap();
    store.close().await;
}

fn at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap()
}

fn answered(ran: &Ran) -> Value {
    assert_eq!((ran.status, ran.errors.as_str()), (0, ""), "{ran:?}");
    serde_json::from_str(&ran.out).unwrap()
}

const SITE: &str = "example.org";
