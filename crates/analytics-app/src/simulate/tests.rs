//! What a whole simulation keeps.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

#[test]
fn the_same_seed_gives_these_bytes_on_every_machine() {
    let (log, labels, summary) = run(&small());
    assert_eq!(
        (summary.requests, chance::fnv1a(&log), chance::fnv1a(&labels)),
        (9_102, 5_276_858_441_725_602_237, 5_931_385_464_479_123_145)
    );
}

#[test]
fn another_seed_gives_other_bytes() {
    let (first, ..) = run(&small());
    let (second, ..) = run(&SimulationOptions { seed: 2, ..small() });
    assert_ne!(first, second);
}

#[test]
fn lines_are_in_order_of_time_and_each_can_be_parsed() {
    let options = small();
    let (log, ..) = run(&options);
    let lines: Vec<Line> = lines(&log).collect();
    assert!(lines.is_sorted_by_key(|line| line.second));
    let start = options.start.timestamp();
    let end = start + i64::from(options.hours) * 3_600;
    assert!(lines.iter().all(|line| (start..end).contains(&line.second)));
}

#[test]
fn lateness_only_moves_lines_and_never_further_than_allowed() {
    let ordered = SimulationOptions { lateness_jitter_ms: 0, ..small() };
    let late = SimulationOptions { lateness_jitter_ms: 5_000, ..small() };
    let ((first, labels, _), (second, same, _)) = (run(&ordered), run(&late));
    assert_eq!(labels, same);
    assert_ne!(first, second);
    let sorted = |log: &[u8]| {
        let mut lines: Vec<_> = log.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&first), sorted(&second));
    let mut newest = 0;
    let mut behind = 0;
    for line in lines(&second) {
        behind = behind.max(newest - line.second);
        newest = newest.max(line.second);
    }
    // Times are cut to seconds, which can add one.
    assert!((2..=6).contains(&behind), "{behind}");
}

#[test]
fn labels_add_up_with_the_lines() {
    let (log, labels, summary) = run(&small());
    let mut by_visitor: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut by_address: BTreeMap<String, u64> = BTreeMap::new();
    for line in lines(&log) {
        *by_visitor.entry((line.address.clone(), line.agent)).or_default() += 1;
        *by_address.entry(line.address).or_default() += 1;
    }
    let mut sessions: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut addresses: BTreeMap<String, u64> = BTreeMap::new();
    let mut rows = (0, 0);
    for row in rows_of(&labels) {
        let address = row["client_ip"].as_str().unwrap().to_owned();
        let requests = row["requests"].as_u64().unwrap();
        if row["type"] == "session" {
            let agent = match row["user_agent"].as_str().unwrap() {
                "" => "-",
                agent => agent,
            };
            *sessions.entry((address, agent.to_owned())).or_default() += requests;
            rows.0 += 1;
        } else {
            assert_eq!(addresses.insert(address, requests), None);
            rows.1 += 1;
        }
    }
    assert_eq!(sessions, by_visitor);
    assert_eq!(addresses, by_address);
    assert_eq!(rows, (summary.sessions, summary.addresses));
    assert_eq!(summary.by_kind.values().sum::<u64>(), summary.requests);
}

#[test]
fn every_kind_of_actor_makes_lines() {
    let (.., summary) = run(&SimulationOptions { people: 200, ..small() });
    for kind in ActorKind::all() {
        assert!(summary.by_kind.contains_key(kind.name()), "{}", kind.name());
    }
}

#[test]
fn switching_an_actor_off_leaves_all_others_as_they_were() {
    let everyone = small();
    let without =
        SimulationOptions { actors: parse_actors("flood=off,human_reader=off").unwrap(), ..small() };
    let ((all, ..), (some, ..)) = (run(&everyone), run(&without));
    let all: BTreeSet<_> = all.split(|byte| *byte == b'\n').collect();
    assert!(some.split(|byte| *byte == b'\n').all(|line| all.contains(line)));
    assert!(some.len() > all.len());
}

#[test]
fn people_load_assets_and_plain_scrapers_load_none() {
    let (log, labels, _) = run(&small());
    let mut kinds: BTreeMap<(String, String), String> = BTreeMap::new();
    for row in rows_of(&labels).filter(|row| row["type"] == "session") {
        let key =
            (row["client_ip"].as_str().unwrap().to_owned(), row["user_agent"].as_str().unwrap().to_owned());
        kinds.insert(key, row["kind"].as_str().unwrap().to_owned());
    }
    let mut assets: BTreeMap<String, u64> = BTreeMap::new();
    for line in lines(&log) {
        let kind = kinds.get(&(line.address, line.agent)).cloned().unwrap_or_default();
        let is_asset = ["/assets/", "/images/", "/media/"].iter().any(|part| line.path.starts_with(part));
        *assets.entry(kind).or_default() += u64::from(is_asset);
    }
    for kind in ["human_reader", "human_mobile", "human_nat", "human_proxy", "human_surge", "browser_bot"] {
        assert!(assets[kind] > 0, "{kind}");
    }
    for kind in ["scraper_steady", "scraper_walk", "scraper_slow", "comment_spam", "flood", "scanner_browser"]
    {
        assert_eq!(assets[kind], 0, "{kind}");
    }
}

#[test]
fn sessions_lie_inside_the_log_and_last_less_than_it() {
    let options = small();
    let (_, labels, _) = run(&options);
    let end = options.start + chrono::TimeDelta::hours(i64::from(options.hours));
    for row in rows_of(&labels) {
        let time =
            |key: &str| -> chrono::DateTime<chrono::Utc> { row[key].as_str().unwrap().parse().unwrap() };
        assert!(options.start <= time("started_at"), "{row}");
        assert!(time("started_at") <= time("ended_at"), "{row}");
        assert!(time("ended_at") < end, "{row}");
        assert!(row["requests"].as_u64().unwrap() > 0, "{row}");
    }
}

#[test]
fn as_many_lines_as_asked_for_are_written() {
    for requests in [1, 500, 60_000] {
        let (log, _, summary) = run(&SimulationOptions { requests: Some(requests), ..small() });
        assert_eq!(summary.requests, requests);
        assert_eq!(lines(&log).count() as u64, requests);
    }
}

#[test]
fn every_format_has_a_line_for_each_request() {
    for format in [LogFormat::Common, LogFormat::VhostCombined, LogFormat::NginxJson, LogFormat::CaddyJson] {
        let (log, labels, summary) = run(&SimulationOptions { log_format: format, ..small() });
        assert_eq!(log.split(|byte| *byte == b'\n').count() as u64, summary.requests + 1);
        assert_eq!(labels, run(&small()).1);
        if matches!(format, LogFormat::NginxJson | LogFormat::CaddyJson) {
            for line in log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                assert!(serde_json::from_slice::<serde_json::Value>(line).unwrap().is_object());
            }
        }
    }
}

#[test]
fn this_products_reader_gets_every_request_back_from_every_text_format() {
    use crate::ingest::access_log::{self, LineParser, Scratch};
    let names = [
        (LogFormat::Combined, "combined"),
        (LogFormat::Common, "common"),
        (LogFormat::VhostCombined, "vhost-combined"),
    ];
    for (format, name) in names {
        let options = SimulationOptions { log_format: format, ..small() };
        let (log, ..) = run(&options);
        let traffic = Traffic::generate(&SimulationPlan::new(options).unwrap());
        let mut parser = LineParser::new(access_log::LogFormat::from_name(name).unwrap());
        let mut scratch = Scratch::default();
        for (line, record) in log.split(|byte| *byte == b'\n').zip(&traffic.records) {
            let read = parser.parse(&mut scratch, line).unwrap().unwrap();
            let visitor = &traffic.trace.visitors[record.hit.visitor as usize];
            let some = |symbol| Some(traffic.trace.text(symbol)).filter(|text| !text.is_empty());
            assert_eq!(read.at.timestamp_micros(), record.at / 1_000_000 * 1_000_000, "{name}");
            assert_eq!(read.peer, visitor.address);
            assert_eq!(
                (read.method, read.target),
                (record.hit.method.as_str(), traffic.trace.text(record.hit.path))
            );
            assert_eq!(read.status, Some(record.hit.status));
            if format != LogFormat::Common {
                assert_eq!(
                    (read.referrer, read.user_agent),
                    (some(record.hit.referrer), some(visitor.agent))
                );
            }
        }
    }
}

/// `analytics simulate --seed 1 --hours 6 --people 40 --intensity 0.25 --site-pages 150 --actors <SAMPLE_ACTORS>
/// --out docs/sample/access.log --labels docs/sample/labels.jsonl` writes the sample anew.
#[test]
fn the_committed_sample_is_what_its_options_make() {
    let options = SimulationOptions {
        hours: 6,
        people: 40,
        intensity: 0.25,
        site_pages: 150,
        actors: parse_actors(SAMPLE_ACTORS).unwrap(),
        ..SimulationOptions::default()
    };
    let (log, labels, _) = run(&options);
    assert!(log == include_bytes!("../../../../docs/sample/access.log"), "docs/sample/access.log differs");
    assert!(
        labels == include_bytes!("../../../../docs/sample/labels.jsonl"),
        "docs/sample/labels.jsonl differs"
    );
}

const SAMPLE_ACTORS: &str = "human_heavy=1,human_dead_links=1,human_text_browser=2,human_polling=1,human_dashboard=1,human_living_room=1";

fn small() -> SimulationOptions {
    SimulationOptions { hours: 12, people: 60, ..SimulationOptions::default() }
}

fn run(options: &SimulationOptions) -> (Vec<u8>, Vec<u8>, Summary) {
    let plan = SimulationPlan::new(options.clone()).unwrap();
    let (mut log, mut labels) = (Vec::new(), Vec::new());
    let summary = write(&plan, &mut log, &mut labels).unwrap();
    (log, labels, summary)
}

fn rows_of(labels: &[u8]) -> impl Iterator<Item = serde_json::Value> {
    labels
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
}

struct Line {
    address: String,
    second: i64,
    path: String,
    agent: String,
}

/// A check of its own, by splitting at quotes: simulated lines escape none.
fn lines(log: &[u8]) -> impl Iterator<Item = Line> {
    std::str::from_utf8(log).unwrap().lines().map(|line| {
        let parts: Vec<&str> = line.split('"').collect();
        let [before, request, answer, _referrer, " ", agent, ""] = parts[..] else { panic!("{line}") };
        let (address, time) = before.strip_suffix("] ").unwrap().split_once(" - - [").unwrap();
        let _: std::net::IpAddr = address.parse().unwrap();
        let time = chrono::DateTime::parse_from_str(time, "%d/%b/%Y:%H:%M:%S %z").unwrap();
        let [method, path, version] = request.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert!(["GET", "POST", "HEAD"].contains(&method), "{line}");
        assert!(path.starts_with('/') && version.starts_with("HTTP/"), "{line}");
        let (status, bytes) = answer.trim().split_once(' ').unwrap();
        assert!((200..600).contains(&status.parse::<u16>().unwrap()), "{line}");
        assert!(bytes == "-" || bytes.parse::<u32>().unwrap() > 0, "{line}");
        Line {
            address: address.to_owned(),
            second: time.timestamp(),
            path: path.to_owned(),
            agent: agent.to_owned(),
        }
    })
}
