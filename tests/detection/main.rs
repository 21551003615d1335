//! Patterns through a replay: what each client is taken for.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fmt::Write as _;
use std::fs;

use analytics_app::ingest::source::Input;
use analytics_app::replay::{Replay, ReplayOptions};
use analytics_domain::detector::Class;
use analytics_tests::fixtures::{self, Pattern, PatternKind};
use chrono::DateTime;
use serde_json::Value;

#[test]
fn each_pattern_is_taken_for_what_it_is() {
    for pattern in fixtures::patterns() {
        let sessions = replayed(&pattern);
        assert_eq!(sessions.len(), pattern.sessions, "{}", pattern.name);
        let expected: &[Class] = match pattern.kind {
            // A spammer posts a form that was never served: one kind of evidence, and one alone flags nobody.
            PatternKind::Human | PatternKind::Spammer => &[Class::Human],
            PatternKind::Crawler | PatternKind::FeedReader | PatternKind::Monitor => {
                &[Class::DeclaredBot, Class::AiAgent]
            }
            PatternKind::Scanner => &[Class::Bot],
            // A site that nobody else visits has no norms: how a client walks is then all that speaks.
            PatternKind::Scraper => &[Class::Bot, Class::Suspected],
        };
        let expected: Vec<Value> =
            expected.iter().map(|class| serde_json::to_value(class).unwrap()).collect();
        for session in sessions {
            assert!(expected.contains(&session["class"]), "{}: {session}", pattern.name);
            if pattern.kind == PatternKind::Spammer {
                assert_eq!(session["signals"][0]["signal"], "unserved_post", "{session}");
            }
            let hostile = pattern.hostile && session["is_bot"] == true;
            assert_eq!(session["hostile"], hostile, "{}: {session}", pattern.name);
        }
    }
}

/// The sessions that a replay makes of a pattern, as it writes them.
fn replayed(pattern: &Pattern) -> Vec<Value> {
    let start = DateTime::from_timestamp(1_772_438_400, 0).unwrap();
    let mut log = String::new();
    for request in &pattern.requests {
        let referrer = request.referrer.as_deref().unwrap_or("-");
        let at = request.at(start).format("%d/%b/%Y:%H:%M:%S%.3f %z");
        let line = format!("\"{} {} HTTP/1.1\" {} 512", request.method, request.path, request.status);
        writeln!(log, "{} - - [{at}] {line} \"{referrer}\" \"{}\"", pattern.address, pattern.agent).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    fs::write(&path, log).unwrap();
    let mut sessions = Vec::new();
    let options = ReplayOptions { site_hosts: vec!["shop.example".to_owned()], ..ReplayOptions::default() };
    let replay = Replay::new(options).with_sessions_out(&mut sessions);
    replay.run(vec![Input::from_argument(&path)]).unwrap();
    let lines = String::from_utf8(sessions).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
