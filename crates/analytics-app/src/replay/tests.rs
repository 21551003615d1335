//! What a replay promises: the same answer whatever the threads, the files and the order within the delay.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use chrono::NaiveDateTime;
use serde_json::Value;
use tempfile::TempDir;

use super::{Replay, ReplayOptions, Report};
use crate::ingest::source::Input;
use crate::simulate::{SimulationOptions, SimulationPlan, write};

#[test]
fn report_and_sessions_are_the_same_bytes_for_any_number_of_threads_also_when_visitors_leave() {
    let folder = TempDir::new().unwrap();
    let log = file(&folder, "all.log", &simulated());
    let answer = |threads, capacity| {
        let (report, sessions) =
            replay(&[&log], &ReplayOptions { threads, capacity, ..ReplayOptions::default() });
        (report.bounds.evicted_visitors, serde_json::to_string(&report).unwrap(), sessions)
    };
    for capacity in [1_000_000, 1_000].map(|capacity| NonZeroUsize::new(capacity).unwrap()) {
        let [one, two, seven] =
            [1, 2, 7].map(|threads| answer(NonZeroUsize::new(threads).unwrap(), capacity));
        assert_eq!(one.0 > 0, capacity.get() == 1_000);
        assert!(one == two, "two threads");
        assert!(one == seven, "seven threads");
    }
}

#[test]
fn the_order_of_lines_within_the_delay_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let sorted = simulated();
    let late = delayed(&sorted);
    let sorted = file(&folder, "sorted.log", &sorted);
    let options = ReplayOptions { site_hosts: hosts(&sorted), ..ReplayOptions::default() };
    let (first, sessions) = replay(&[&sorted], &options);
    let (second, same) = replay(&[&file(&folder, "late.log", &late)], &options);
    assert!(second.bounds.order.reordered > 1_000);
    assert_eq!(second.bounds.order.late, 0);
    assert!(sessions == same, "the same sessions in the same order");
    assert_eq!(told(&first), told(&second));
}

#[test]
fn a_log_split_over_files_line_by_line_gives_what_the_one_file_gives() {
    let folder = TempDir::new().unwrap();
    let log = delayed(&simulated());
    let whole = file(&folder, "whole.log", &log);
    let options = ReplayOptions { site_hosts: hosts(&whole), ..ReplayOptions::default() };
    let mut parts = [Vec::new(), Vec::new(), Vec::new()];
    for (number, line) in log.split_inclusive(|byte| *byte == b'\n').enumerate() {
        parts[spread(number) as usize % 3].extend_from_slice(line);
    }
    let parts: Vec<PathBuf> =
        parts.iter().zip(0..).map(|(part, n)| file(&folder, &format!("{n}.log"), part)).collect();
    let (first, sessions) = replay(&[&whole], &options);
    let (second, same) = replay(&parts.iter().map(PathBuf::as_path).collect::<Vec<_>>(), &options);
    assert_eq!(second.bounds.order.late, 0);
    assert!(sessions == same, "the same sessions in the same order");
    assert_eq!(told(&first), told(&second));
}

#[test]
fn tallies_equal_a_recount_of_sessions_and_lines() {
    let folder = TempDir::new().unwrap();
    let log = simulated();
    let text = String::from_utf8(log.clone()).unwrap();
    let log = file(&folder, "all.log", &log);
    let options = ReplayOptions { capacity: NonZeroUsize::new(1_000).unwrap(), ..ReplayOptions::default() };
    let (report, sessions) = replay(&[&log], &options);
    let sessions: Vec<Value> = sessions.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let count = |session: &Value, name: &str| session[name].as_u64().unwrap();
    for class in &report.classes {
        let name = serde_json::to_value(class.class).unwrap();
        let of: Vec<&Value> = sessions.iter().filter(|session| session["class"] == name).collect();
        let sum = |name: &str| of.iter().map(|session| count(session, name)).sum::<u64>();
        assert_eq!(class.sessions, of.len() as u64, "{name}");
        assert_eq!(
            (class.requests, class.page_views, class.assets, class.errors_4xx + class.errors_5xx),
            (sum("requests"), sum("page_views"), sum("assets"), sum("errors")),
            "{name}"
        );
        let hostile = of.iter().filter(|session| session["hostile"] == true).count();
        assert_eq!(class.hostile_sessions, hostile as u64, "{name}");
        let visitors: BTreeSet<&str> =
            of.iter().map(|session| session["visitor_id"].as_str().unwrap()).collect();
        assert_eq!(class.visitors, visitors.len() as u64, "{name}");
    }
    let mut statuses = BTreeMap::<&str, u64>::new();
    let mut bytes = 0;
    for line in text.lines() {
        let mut answer = line.split('"').nth(2).unwrap().split_ascii_whitespace();
        *statuses.entry(answer.next().unwrap()).or_default() += 1;
        bytes += answer.next().unwrap().parse::<u64>().unwrap_or(0);
    }
    let told: BTreeMap<&str, u64> =
        report.statuses.iter().map(|row| (row.name.as_str(), row.people + row.automation)).collect();
    assert_eq!(told, statuses);
    assert_eq!(report.classes.iter().map(|class| class.bytes).sum::<u64>(), bytes);
    let lines = text.lines().count() as u64;
    assert_eq!((report.input.lines, report.input.requests, report.input.bad_lines), (lines, lines, 0));
    assert_eq!(sessions.iter().map(|session| count(session, "requests")).sum::<u64>(), lines);
    let views: u64 = sessions.iter().map(|session| count(session, "page_views")).sum();
    assert_eq!(report.pages.iter().map(|row| row.people + row.automation).sum::<u64>(), views);
    let ids: BTreeSet<&str> =
        sessions.iter().map(|session| session["session_id"].as_str().unwrap()).collect();
    assert_eq!(
        ids.len(),
        sessions.len(),
        "each session has an id of its own, also of visitors that came back"
    );
}

#[test]
fn one_wrong_clock_makes_nothing_late_not_even_in_the_first_line() {
    let folder = TempDir::new().unwrap();
    let line =
        |time: &str| format!("192.0.2.1 - - [{time} +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"Mozilla/5.0\"\n");
    let right = |minute: u32| line(&format!("02/Mar/2026:10:{minute:02}:00"));
    let wrong = ["02/Mar/2031:10:00:00", "31/Dec/9999:23:59:59"].map(line);
    for at in [0, 1, 5] {
        for wrong in &wrong {
            let mut lines: Vec<String> = (0..10).map(right).collect();
            lines.insert(at, wrong.clone());
            let (report, _) =
                replay(&[&file(&folder, "log", lines.concat().as_bytes())], &ReplayOptions::default());
            let input = &report.input;
            assert_eq!((input.requests, input.time_travellers, report.bounds.order.late), (10, 1, 0), "{at}");
        }
    }
}

#[test]
fn the_first_and_the_last_year_of_the_calendar_are_replayed() {
    let folder = TempDir::new().unwrap();
    let line =
        |time: &str| format!("192.0.2.1 - - [{time} +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"Mozilla/5.0\"\n");
    for days in
        [["01/Jan/1970", "02/Jan/1970"], ["30/Dec/9999", "31/Dec/9999"], ["31/Dec/2099", "01/Jan/2100"]]
    {
        let text: String = days.iter().map(|day| line(&format!("{day}:23:59:59"))).collect();
        let (report, sessions) = replay(&[&file(&folder, "log", text.as_bytes())], &ReplayOptions::default());
        assert_eq!((report.input.requests, sessions.lines().count()), (2, 2), "{days:?}");
    }
}

/// Four megabytes of a simulated log, in the order of its times: several blocks, and more than a thousand visitors.
fn simulated() -> Vec<u8> {
    let options = SimulationOptions { people: 1_500, requests: Some(20_000), ..SimulationOptions::default() };
    let (mut log, mut labels) = (Vec::new(), Vec::new());
    write(&SimulationPlan::new(options).unwrap(), &mut log, &mut labels).unwrap();
    log
}

/// The log with each line up to 119 s later than its time says.
fn delayed(log: &[u8]) -> Vec<u8> {
    let mut lines: Vec<(i64, &str)> = std::str::from_utf8(log)
        .unwrap()
        .split_inclusive('\n')
        .zip(0..)
        .map(|(line, number)| {
            let time = line.split(['[', ' ']).find(|part| part.contains("/Mar/")).unwrap();
            let time = NaiveDateTime::parse_from_str(time, "%d/%b/%Y:%H:%M:%S").unwrap();
            (time.and_utc().timestamp() + i64::from(spread(number) % 120), line)
        })
        .collect();
    lines.sort_by_key(|(arrival, _)| *arrival);
    lines.into_iter().map(|(_, line)| line).collect::<String>().into_bytes()
}

/// Knuth's multiplicative hash, which spreads the lines.
fn spread(number: usize) -> u32 {
    (number as u32).wrapping_mul(2_654_435_761) >> 8
}

fn file(folder: &TempDir, name: &str, text: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path
}

fn replay(logs: &[&Path], options: &ReplayOptions) -> (Report, String) {
    let mut sessions = Vec::new();
    let inputs = logs.iter().map(|log| Input::from_argument(log)).collect();
    let report = Replay::new(options.clone()).with_sessions_out(&mut sessions).run(inputs).unwrap();
    (report, String::from_utf8(sessions).unwrap())
}

/// The hosts that the replay of this log learns.
fn hosts(log: &Path) -> Vec<String> {
    let hosts = replay(&[log], &ReplayOptions::default()).0.input.site_hosts;
    assert!(!hosts.is_empty());
    hosts
}

/// The report without the names of the files and how much they had to be put in order.
fn told(report: &Report) -> Value {
    let mut told = serde_json::to_value(report).unwrap();
    told["input"]["logs"] = Value::Null;
    told["bounds"]["order"] = Value::Null;
    told
}
