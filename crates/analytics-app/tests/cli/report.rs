//! Reports over logs.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::{analytics, sample};

#[test]
fn every_report_is_shown_as_text_and_as_json_with_documented_fields() {
    let docs =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reports.md")).unwrap();
    let names = names();
    assert_eq!(names.len(), 24);
    for name in names {
        assert!(docs.contains(&format!("| `{name}` |")), "{name} has no line in docs/reports.md");
        let json = report(&[&name, "--compare", "--format", "json"]);
        assert_eq!(json["report"], name.as_str());
        assert!(json["before"]["data"].is_object(), "{name}");
        for field in fields(&json["data"]) {
            assert!(docs.contains(&format!("`{field}`")), "{name}: {field} is not in docs/reports.md");
        }
        let text = analytics(&["report", &name, "--log", log(), "--compare"]);
        assert_eq!((text.status, text.errors.as_str()), (0, ""), "{name}");
        assert!(text.out.starts_with(&format!("{name}: ")), "{}", text.out);
        assert!(text.out.lines().all(|line| line.chars().count() <= 180), "{}", text.out);
    }
}

#[test]
fn a_summary_of_traffic_has_the_totals_of_the_replay() {
    let replay: Value = serde_json::from_str(&analytics(&["replay", log(), "--format", "json"]).out).unwrap();
    let data = report(&["traffic-summary", "--format", "json"])["data"].clone();
    let classes = replay["classes"].as_array().unwrap();
    let sum = |names: &[&str], figure: &str| -> u64 {
        let of = classes.iter().filter(|class| names.contains(&class["class"].as_str().unwrap()));
        of.map(|class| class[figure].as_u64().unwrap()).sum()
    };
    for (audience, names) in [
        ("people", &["human", "suspected"][..]),
        ("bots", &["bot", "declared_bot"]),
        ("ai_agents", &["ai_agent"]),
    ] {
        for figure in ["sessions", "requests", "assets"] {
            assert_eq!(data[audience][figure], sum(names, figure), "{figure} of {audience}");
        }
        assert_eq!(data[audience]["hostile"], sum(names, "hostile_sessions"), "{audience}");
        let errors = sum(names, "errors_4xx") + sum(names, "errors_5xx");
        assert_eq!(data[audience]["errors"], errors, "errors of {audience}");
    }
}

#[test]
fn the_days_of_a_trend_add_up_to_the_summary_in_any_zone() {
    let data = report(&["traffic-summary", "--format", "json"])["data"].clone();
    for zone in ["UTC", "+05:30", "Europe/Copenhagen"] {
        let trend = report(&["activity-trend", "--zone", zone, "--format", "json"]);
        assert_eq!(trend["time_zone"], zone);
        let days = trend["data"]["days"].as_array().unwrap();
        let sum = |figure: &str| days.iter().map(|day| day[figure].as_u64().unwrap()).sum::<u64>();
        assert_eq!(data["people"]["sessions"], sum("people_sessions"), "{zone}");
        assert_eq!(data["bots"]["sessions"], sum("bot_sessions"), "{zone}");
        assert_eq!(data["people"]["page_views"], sum("page_views"), "{zone}");
    }
}

#[test]
fn a_filter_and_a_period_select_and_are_told() {
    let all = report(&["browsers", "--format", "json"]);
    let first = all["data"]["rows"][0]["value"].as_str().unwrap().to_owned();
    let filter = format!("browser={first}");
    let only = report(&["browsers", "--format", "json", "--filter", &filter]);
    assert_eq!(only["data"]["rows"].as_array().unwrap().len(), 1);
    assert_eq!(only["filter"], json!({"browser": first}));
    let part =
        report(&["browsers", "--format", "json", "--from", "2026-03-02T02:00:00Z", "--to", "2026-03-03"]);
    assert_eq!(part["period"], json!({"from": "2026-03-02T02:00:00Z", "until": "2026-03-03T00:00:00Z"}));
    let sessions = |report: &Value| report["data"]["rows"][0]["people_sessions"].as_u64().unwrap();
    assert!(sessions(&part) < sessions(&all));
    let limited = report(&["browsers", "--format", "json", "--limit", "2"]);
    assert_eq!(limited["data"]["rows"].as_array().unwrap()[..], all["data"]["rows"].as_array().unwrap()[..2]);
}

#[test]
fn a_report_has_the_same_bytes_for_any_number_of_threads() {
    let of = |threads| {
        analytics(&["report", "error-summary", "--log", log(), "--threads", threads, "--format", "json"]).out
    };
    assert_eq!(of("1"), of("5"));
}

#[test]
fn a_wrong_call_is_told_what_to_do() {
    let log = log();
    for (args, told) in [
        (&["report", "channels"][..], "nothing to report on; give the logs"),
        (&["report", "weather", "--log", log], "traffic-summary"),
        (&["report"], "NAME"),
        (&["report", "channels", "--log", log, "--store", "postgres://x"], "cannot be used with"),
        (
            &["report", "channels", "--store", "mongo://ann:secret@x"],
            "no store is known for addresses of `mongo`",
        ),
        (&["report", "channels", "--log", log, "--filter", "class"], "give KEY=VALUE"),
        (&["report", "channels", "--log", log, "--filter", "colour=red"], "with a key of class, channel"),
        (&["report", "channels", "--log", log, "--filter", "class=robot"], "`robot` is no class"),
        (
            &["report", "channels", "--log", log, "--filter", "tool=x"],
            "cannot be filtered by tool; it takes class",
        ),
        (&["report", "channels", "--log", log, "--from", "monday"], "--from monday: give a date"),
        (&["report", "channels", "--log", log, "--zone", "Mars/Base"], "a zone is UTC"),
        (&["report", "channels", "--log", log, "--limit", "0"], "1 to 10,000"),
        (
            &["report", "channels", "--log", log, "--from", "2026-03-03", "--to", "2026-03-02"],
            "a period ends after it begins",
        ),
        (
            &["report", "activity-trend", "--log", log, "--from", "2016-03-03", "--to", "2026-03-02"],
            "at most 1,100 days",
        ),
    ] {
        let ran = analytics(args);
        assert_eq!((ran.status, ran.out.as_str()), (2, ""), "{args:?}: {}", ran.errors);
        assert!(ran.errors.contains(told) && !ran.errors.contains("secret"), "{args:?}: {}", ran.errors);
    }
}

#[test]
fn logs_with_more_than_there_is_room_for_are_refused_and_not_reported_in_part() {
    let ran = analytics(&["report", "channels", "--log", log(), "--rows", "100"]);
    assert_eq!((ran.status, ran.out.as_str()), (1, ""));
    assert!(ran.errors.contains("--rows 100"), "{}", ran.errors);
}

#[test]
fn a_log_without_a_request_has_a_period_only_when_one_is_given() {
    let empty = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(empty.path(), "nothing\n").unwrap();
    let path = empty.path().to_str().unwrap();
    let ran = analytics(&["report", "channels", "--log", path, "--log-format", "combined"]);
    assert_eq!(ran.status, 1);
    assert!(ran.errors.contains("the logs have no request; give --from and --to"), "{}", ran.errors);
    let args = [
        "report",
        "channels",
        "--log",
        path,
        "--log-format",
        "combined",
        "--from",
        "2026-01-01",
        "--to",
        "2026-01-02",
    ];
    let ran = analytics(&args);
    assert_eq!(ran.status, 0, "{}", ran.errors);
    assert!(ran.out.ends_with("\nrows\n  none\n"), "{}", ran.out);
}

/// The answer to `analytics report` over the sample with these arguments.
fn report(args: &[&str]) -> Value {
    let ran = analytics(&[&["report"][..], args, &["--log", log()]].concat());
    assert_eq!((ran.status, ran.errors.as_str()), (0, ""), "{args:?}");
    serde_json::from_str(&ran.out).unwrap()
}

/// The names that the command says it knows.
fn names() -> BTreeSet<String> {
    let told = analytics(&["report", "no-such-report"]).errors;
    let list = told.split("[possible values: ").nth(1).unwrap().split(']').next().unwrap();
    list.split(", ").map(str::to_owned).collect()
}

/// Every field of data, however deep.
fn fields(data: &Value) -> BTreeSet<String> {
    match data {
        Value::Object(map) => map.keys().cloned().chain(map.values().flat_map(fields)).collect(),
        Value::Array(items) => items.iter().flat_map(fields).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => BTreeSet::new(),
    }
}

fn log() -> &'static str {
    static LOG: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| sample().to_str().unwrap().to_owned());
    &LOG
}
