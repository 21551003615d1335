//! The built command from end to end: what it prints, for whatever it is given, and with which exit status.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod anomaly;
mod bad_input;
#[path = "../../../../tests/database/mod.rs"]
mod database;
mod explain;
mod features;
mod geo;
mod operations;
mod recount;
mod report;
mod same_bytes;
mod serve;
mod store;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

#[test]
fn without_a_log_replay_says_what_to_do() {
    let ran = analytics(&["replay"]);
    assert_eq!(ran.status, 2);
    assert!(
        ran.errors.contains("no log was named; give one or more files, or - for standard input"),
        "{ran:?}"
    );
    assert_eq!(ran.out, "");
}

#[test]
fn a_wrong_option_is_a_wrong_call() {
    for args in [
        ["replay", "x.log", "--threads", "0"],
        ["replay", "x.log", "--lateness", "soon"],
        ["replay", "x.log", "--trusted-proxy", "10.0.0.0/40"],
        ["replay", "x.log", "--site-host", "no host/"],
        ["replay", "x.log", "--log-format", "guess"],
        ["replay", "x.log", "--secret-file", "/no/such/secret"],
        ["replay", "x.log", "--geoip", "/no/such/database"],
    ] {
        let ran = analytics(&args);
        let wanted = if args[2] == "--site-host" { [1, 2] } else { [2, 2] };
        assert!(wanted.contains(&ran.status), "{args:?}: {ran:?}");
        assert_ne!(ran.errors, "");
    }
}

#[test]
fn the_text_report_shows_people_and_automation_side_by_side_within_100_columns() {
    let ran = analytics(&["replay", sample().to_str().unwrap()]);
    assert_eq!((ran.status, ran.errors.as_str()), (0, ""));
    let titles = [
        "People and automation",
        "Automation that declares itself",
        "Signals, by sessions",
        "Pages, by views",
    ];
    let places: Vec<_> = titles.iter().map(|title| ran.out.find(title).unwrap()).collect();
    assert!(places.is_sorted());
    assert!(ran.out.lines().all(|line| line.chars().count() <= 100), "{}", ran.out);
}

#[test]
fn user_agents_are_answered_one_a_line() {
    let ran = with_input(&["classify-ua"], b"curl/8.5.0\nMozilla/5.0 (compatible; GPTBot/1.2)\n");
    let rows: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        rows[0],
        json!({"user_agent": "curl/8.5.0", "device_type": "bot", "browser": null, "browser_version": null,
            "os": null, "os_version": null, "is_bot": true, "bot_name": "curl", "bot_kind": "http_library"})
    );
    assert_eq!(rows[1]["bot_kind"], "ai_training");
}

#[test]
fn the_configuration_shows_the_origin_of_every_value() {
    let policy = file(b"[throttle]\nmode = \"enforce\"\n", "policy.toml");
    let path = policy.path.to_str().unwrap();
    let ran = run(
        Command::new(BINARY).env_clear().env("ANALYTICS_THROTTLE__QUOTA__BURST", "7").args([
            "config",
            "show",
            "--format",
            "json",
            "--policy",
            path,
            "--threads",
            "3",
        ]),
        b"",
    );
    let entries: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    let of = |key: &str| entries.iter().find(|entry| entry["key"] == key).unwrap().clone();
    let entry = |key: &str, value: Value, origin: &str, source: Value| json!({"key": key, "value": value, "origin": origin, "source": source});
    assert_eq!(of("throttle.mode"), entry("throttle.mode", json!("enforce"), "file", json!(path)));
    assert_eq!(of("replay.threads"), entry("replay.threads", json!(3), "flag", json!("--threads")));
    assert_eq!(
        of("throttle.quota.burst"),
        entry("throttle.quota.burst", json!(7), "environment", json!("ANALYTICS_THROTTLE__QUOTA__BURST"))
    );
    assert_eq!(of("replay.capacity"), entry("replay.capacity", json!(1_000_000), "default", Value::Null));
}

#[test]
fn a_closed_pipe_ends_the_command_quietly() {
    let mut child = Command::new(BINARY)
        .args(["simulate", "--requests", "20000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), String::from_utf8(ended.stderr).unwrap().as_str()), (Some(0), ""));
}

/// What a run of the command did.
#[derive(Debug)]
struct Ran {
    status: i32,
    out: String,
    errors: String,
}

/// A file in a folder of its own, gone when dropped.
struct Kept {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

fn analytics(args: &[&str]) -> Ran {
    with_input(args, b"")
}

fn with_input(args: &[&str], input: &[u8]) -> Ran {
    run(Command::new(BINARY).env_clear().args(args), input)
}

fn run(command: &mut Command, input: &[u8]) -> Ran {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        // A command that does not read its input closes it.
        let _ = stdin.write_all(&input);
    });
    let ended = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Ran {
        status: ended.status.code().unwrap(),
        out: String::from_utf8(ended.stdout).unwrap(),
        errors: String::from_utf8(ended.stderr).unwrap(),
    }
}

/// The report of these logs as JSON, with more options.
fn report(logs: &[&Path], options: &[&str]) -> Value {
    let mut args = vec!["replay", "--format", "json"];
    args.extend(logs.iter().map(|log| log.to_str().unwrap()));
    args.extend(options);
    let ran = analytics(&args);
    assert_eq!((ran.status, ran.errors.as_str()), (0, ""), "{args:?}");
    serde_json::from_str(&ran.out).unwrap()
}

/// The report of these logs, and its sessions.
fn with_sessions(logs: &[&Path], options: &[&str]) -> (Value, String) {
    let out = file(b"", "sessions.jsonl");
    let report = report(logs, &[&["--sessions-out", out.path.to_str().unwrap()], options].concat());
    (report, std::fs::read_to_string(&out.path).unwrap())
}

fn file(content: &[u8], name: &str) -> Kept {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    Kept { path, _folder: folder }
}

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/sample/access.log")
}

const BINARY: &str = env!("CARGO_BIN_EXE_analytics");
