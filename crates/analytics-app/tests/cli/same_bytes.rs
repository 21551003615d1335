//! The same requests give the same report, however they are read.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use analytics_app::ingest::source::Input;
use analytics_app::replay::{Replay, ReplayError, ReplayOptions};
use serde_json::{Value, json};

use super::{BINARY, analytics, file, report, sample, with_input, with_sessions};

#[test]
fn the_report_has_the_same_bytes_for_any_number_of_threads() {
    let log = file(b"", "crowd.log");
    let path = log.path.to_str().unwrap();
    let made =
        analytics(&["simulate", "--people", "3000", "--hours", "3", "--requests", "30000", "--out", path]);
    assert_eq!(made.status, 0, "{made:?}");
    for capacity in ["1000000", "1000"] {
        let of = |threads| with_sessions(&[&log.path], &["--threads", threads, "--capacity", capacity]);
        let one = of("1");
        assert_eq!(one.0["input"]["requests"], 30_000);
        assert_eq!(one.0["bounds"]["evicted_visitors"].as_u64().unwrap() > 0, capacity == "1000");
        for threads in ["2", "7"] {
            assert_eq!(of(threads), one, "{threads} threads, capacity {capacity}");
        }
    }
}

#[test]
fn shuffling_lines_within_the_lateness_changes_nothing() {
    let text = std::fs::read_to_string(sample()).unwrap();
    // A fixed sequence of numbers stands for chance: each line is moved by up to a minute.
    let mut state = 1_u64;
    let mut lines: Vec<(u64, &str)> = text
        .lines()
        .map(|line| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (second_of_day(line) + (state >> 33) % 60, line)
        })
        .collect();
    lines.sort_by_key(|(second, _)| *second);
    let shuffled: String = lines.iter().flat_map(|(_, line)| [line, "\n"]).collect();
    assert_ne!(shuffled, text);
    let shuffled = file(shuffled.as_bytes(), "access.log");
    let (mut plain, plain_sessions) = with_sessions(&[&sample()], &[]);
    let (mut moved, moved_sessions) = with_sessions(&[&shuffled.path], &[]);
    assert!(moved["bounds"]["order"]["reordered"].as_u64().unwrap() > 100);
    assert_eq!(moved["bounds"]["order"]["late"], 0);
    for report in [&mut plain, &mut moved] {
        report["bounds"]["order"]["reordered"] = json!(0);
        report["input"]["logs"][0]["name"] = json!("access.log");
    }
    assert_eq!(moved, plain);
    assert_eq!(moved_sessions, plain_sessions);
}

#[test]
fn packed_piped_and_divided_logs_give_the_same_report() {
    let bytes = std::fs::read(sample()).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&bytes).unwrap();
    let gzip = file(&gzip.finish().unwrap(), "access.log.gz");
    let zstandard = file(&zstd::encode_all(&bytes[..], 1).unwrap(), "access.log.zst");
    let half =
        bytes.iter().enumerate().skip(bytes.len() / 2).find(|(_, byte)| **byte == b'\n').unwrap().0 + 1;
    let (first, second) = (file(&bytes[..half], "a.log"), file(&bytes[half..], "b.log"));
    let expected = without_names(report(&[&sample()], &["--site-host", "example.org"]));
    for logs in [vec![&*gzip.path], vec![&*zstandard.path], vec![&*second.path, &*first.path]] {
        assert_eq!(without_names(report(&logs, &["--site-host", "example.org"])), expected, "{logs:?}");
    }
    let piped = with_input(&["replay", "-", "--format", "json", "--site-host", "example.org"], &bytes);
    assert_eq!(without_names(serde_json::from_str(&piped.out).unwrap()), expected);
}

#[test]
fn a_followed_log_gives_the_same_report_when_it_is_stopped() {
    let replay = || Replay::new(ReplayOptions::default());
    let inputs = || vec![Input::File(sample())];
    let whole = replay().run(inputs()).unwrap();
    let followed = replay().following(Arc::new(AtomicBool::new(true))).run(inputs()).unwrap();
    assert_eq!(followed, whole);
}

#[test]
fn a_log_that_grows_is_followed_to_its_end_when_a_signal_comes() {
    let bytes = std::fs::read(sample()).unwrap();
    let middle = memchr::memchr(b'\n', &bytes[bytes.len() / 2..]).unwrap() + bytes.len() / 2 - 40;
    let log = file(&bytes[..middle], "access.log");
    let sessions = log.path.with_extension("jsonl");
    let args = ["replay", "--follow", "--format", "json", "--site-host", "example.org"];
    let mut child = Command::new(BINARY)
        .env_clear()
        .args(args)
        .args(["--sessions-out".as_ref(), sessions.as_os_str(), log.path.as_os_str()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The file of sessions is made after the program has begun to listen for signals.
    while !sessions.exists() && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    let mut grown = OpenOptions::new().append(true).open(&log.path).unwrap();
    grown.write_all(&bytes[middle..]).unwrap();
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let ended = child.wait_with_output().unwrap();
    let followed: Value = serde_json::from_slice(&ended.stdout).unwrap();
    let whole = report(&[&sample()], &["--site-host", "example.org"]);
    assert_eq!(without_names(followed), without_names(whole));
}

#[test]
fn a_followed_log_whose_sessions_cannot_be_written_is_given_up_though_nothing_more_comes() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (ended, _) = given_up(&[0, 2, 4].map(line).concat(), ReplayOptions::default(), Full);
    assert!(matches!(ended, ReplayError::Write(_)), "{ended:?}");
}

#[test]
fn a_followed_log_with_a_fatal_line_is_given_up_and_no_open_session_is_written() {
    let strict = ReplayOptions { strict: true, ..ReplayOptions::default() };
    let (ended, written) =
        given_up(&format!("{}nonsense\n", [0, 2, 4].map(line).concat()), strict, Vec::new());
    assert!(matches!(ended, ReplayError::BadLine { line: 4, .. }), "{ended:?}");
    assert_eq!(String::from_utf8(written).unwrap(), "");
}

/// A line of this hour.
fn line(hour: u32) -> String {
    format!("203.0.113.7 - - [02/Mar/2026:{hour:02}:00:00 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"curl/8\"\n")
}

/// Why a log with this text was given up that is followed without end, and what its sessions were written into.
fn given_up<W: Write + Send + 'static>(text: &str, options: ReplayOptions, mut out: W) -> (ReplayError, W) {
    let log = file(text.as_bytes(), "access.log");
    let input = Input::File(log.path.clone());
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let replay = Replay::new(options).with_sessions_out(&mut out);
        let ended = replay.following(Arc::new(AtomicBool::new(false))).run(vec![input]);
        let _ = done.send((ended, out));
    });
    let (ended, out) = ended.recv_timeout(Duration::from_mins(1)).expect("it is given up");
    (ended.expect_err("it cannot be read"), out)
}

/// The report without the names and lines of its inputs.
fn without_names(mut report: Value) -> Value {
    report["input"]["logs"] = json!([]);
    report
}

fn second_of_day(line: &str) -> u64 {
    let time = &line[line.find("2026:").unwrap() + 5..][..8];
    time.split(':').fold(0, |sum, part| sum * 60 + part.parse::<u64>().unwrap())
}
