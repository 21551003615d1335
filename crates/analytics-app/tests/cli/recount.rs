//! Totals of a report against a slow recount.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{sample, with_sessions};

#[test]
fn totals_equal_a_recount_of_the_sessions_and_of_the_log() {
    let (report, sessions) = with_sessions(&[&sample()], &[]);
    let sessions: Vec<Value> = sessions.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for class in report["classes"].as_array().unwrap() {
        let own: Vec<&Value> = sessions.iter().filter(|session| session["class"] == class["class"]).collect();
        let sum = |field: &str| own.iter().map(|session| number(&session[field])).sum::<u64>();
        let of = |field: &str| number(&class[field]);
        assert_eq!(of("sessions"), own.len() as u64);
        assert_eq!(of("requests"), sum("requests"));
        assert_eq!(of("page_views"), sum("page_views"));
        assert_eq!(of("assets"), sum("assets"));
        assert_eq!(of("errors_4xx") + of("errors_5xx"), sum("errors"));
        let visitors: BTreeSet<_> =
            own.iter().map(|session| session["visitor_id"].as_str().unwrap()).collect();
        assert_eq!(of("visitors"), visitors.len() as u64);
        let count =
            |holds: &dyn Fn(&Value) -> bool| own.iter().filter(|session| holds(session)).count() as u64;
        assert_eq!(of("hostile_sessions"), count(&|session| session["hostile"] == true));
        assert_eq!(of("sessions_with_pages"), count(&|session| number(&session["page_views"]) > 0));
        assert_eq!(of("single_page_sessions"), count(&|session| session["page_views"] == 1));
        assert!(own.iter().all(|session| session["is_bot"] == class["is_bot"]));
    }

    let log = std::fs::read_to_string(sample()).unwrap();
    let lines = log.lines().count() as u64;
    assert_eq!(number(&report["input"]["lines"]), lines);
    assert_eq!(sessions.iter().map(|session| number(&session["requests"])).sum::<u64>(), lines);
    let mut statuses = BTreeMap::<&str, u64>::new();
    let mut bytes = 0;
    for line in log.lines() {
        let mut fields = line.split('"').nth(2).unwrap().split_whitespace();
        *statuses.entry(fields.next().unwrap()).or_default() += 1;
        bytes += fields.next().unwrap().parse::<u64>().unwrap_or(0);
    }
    let told: BTreeMap<&str, u64> = rows(&report["statuses"]);
    assert_eq!(told, statuses);
    let classes = report["classes"].as_array().unwrap();
    assert_eq!(classes.iter().map(|class| number(&class["bytes"])).sum::<u64>(), bytes);
    let views: u64 = classes.iter().map(|class| number(&class["page_views"])).sum();
    assert_eq!(rows(&report["pages"]).values().sum::<u64>(), views);
    for table in ["devices", "browsers", "systems", "channels"] {
        assert_eq!(rows(&report[table]).values().sum::<u64>(), sessions.len() as u64, "{table}");
    }
    let refused: u64 = sessions.iter().map(|session| number(&session["throttle"]["refused"])).sum();
    let levels = report["throttle"].as_array().unwrap();
    let told = levels.iter().map(|row| number(&row["people_refused"]) + number(&row["automation_refused"]));
    assert_eq!(told.sum::<u64>(), refused);
}

/// The names of a table with what people and automation have together.
fn rows(table: &Value) -> BTreeMap<&str, u64> {
    table
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["name"].as_str().unwrap(), number(&row["people"]) + number(&row["automation"])))
        .collect()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}
