//! What a restart of the service keeps.

use std::time::Duration;

use super::http::{self, Answer};
use super::stand::{analytics, within};

#[test]
fn a_restart_frees_nobody() {
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state");
    let kept = ["--state-dir", state.to_str().unwrap()];
    let (mut before, port) = analytics(home.path(), "enforce", &kept);
    let blocked = within(Duration::from_secs(30), || {
        seconds(&decide(port, "198.51.100.66")).filter(|&wait| wait > 600)
    });
    assert!(blocked.is_some(), "who goes on is blocked for a quarter of an hour");
    before.end();

    let (mut after, port) = analytics(home.path(), "enforce", &kept);
    let again = decide(port, "198.51.100.66");
    assert!(again.status == 429 && seconds(&again) > Some(600), "{again:?}");
    assert_eq!(decide(port, "198.51.100.67").status, 200, "nobody else is held to it");
    after.end();

    std::fs::write(state.join("standings.zst"), "damaged").unwrap();
    let (_without, port) = analytics(home.path(), "enforce", &kept);
    assert_eq!(decide(port, "198.51.100.66").status, 200, "the service starts without what it cannot read");
    let metrics = http::get(port, "localhost", "/metrics", &[]).unwrap().body;
    assert!(metrics.contains("\nanalytics_snapshots_damaged_total 1\n"), "{metrics}");
}

/// What the service says to a proxy about a script's next request.
fn decide(port: u16, address: &str) -> Answer {
    let fields = [
        ("X-Forwarded-For", address),
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Uri", "/p/1"),
        ("X-Forwarded-Host", "site.example"),
        ("User-Agent", "python-requests/2.32.3"),
    ];
    http::get(port, "analytics", "/v1/decide", &fields).unwrap()
}

fn seconds(answer: &Answer) -> Option<u32> {
    answer.header("retry-after")?.parse().ok()
}
