//! Logs and policies that are not what they should be.

use std::io::Write;

use serde_json::json;

use super::{analytics, file, report, sample};

#[test]
fn a_log_that_cannot_be_read_is_named_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let utf16 = file(&[0xff, 0xfe, b'1', 0, b'2', 0], "utf16.log");
    let prose = file(b"no log at all\nreally none\n", "prose.log");
    for (path, reason) in [
        (folder.path(), "is a directory; name the log files in it"),
        (std::path::Path::new("/no/such.log"), "does not exist"),
        (&utf16.path, "is UTF-16 text, which is not read"),
        (&prose.path, "is in no known log format; name it with --log-format"),
    ] {
        let ran = analytics(&["replay", path.to_str().unwrap()]);
        assert_eq!((ran.status, ran.out.as_str()), (1, ""), "{path:?}");
        assert!(ran.errors.contains(path.to_str().unwrap()) && ran.errors.contains(reason), "{}", ran.errors);
    }
}

#[test]
fn an_empty_log_is_a_report_of_nothing() {
    let empty = file(b"", "empty.log");
    let report = report(&[&empty.path], &[]);
    assert_eq!((&report["input"]["lines"], &report["input"]["requests"]), (&json!(0), &json!(0)));
    assert_eq!(report["input"]["logs"][0]["format"], "unknown");
    assert_eq!(analytics(&["replay", empty.path.to_str().unwrap()]).status, 0);
}

#[test]
fn nothing_is_no_packed_file() {
    for name in ["empty.log.gz", "empty.log.zst"] {
        let empty = file(b"", name);
        let ran = analytics(&["replay", empty.path.to_str().unwrap()]);
        assert_eq!((ran.status, ran.out.as_str()), (1, ""));
        assert!(ran.errors.contains("is cut or damaged after 0 lines"), "{}", ran.errors);
    }
}

#[test]
fn a_cut_gzip_file_is_told_with_the_lines_before_the_cut() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&std::fs::read(sample()).unwrap()).unwrap();
    let packed = packed.finish().unwrap();
    let cut = file(&packed[..packed.len() / 2], "cut.log.gz");
    let ran = analytics(&["replay", cut.path.to_str().unwrap()]);
    assert_eq!(ran.status, 1);
    assert!(
        ran.errors.contains("is cut or damaged after ") && ran.errors.contains(" lines ("),
        "{}",
        ran.errors
    );
}

#[test]
fn lines_that_are_no_requests_are_counted_and_shown_and_the_others_read() {
    let good = std::fs::read(sample()).unwrap();
    let good: Vec<&[u8]> = good.split_inclusive(|&byte| byte == b'\n').take(100).collect();
    let mut log = good[..50].concat();
    log.extend(b"\x00\x01\x02\xff\xfe binary \x1b[31m\n");
    log.extend(vec![b'x'; 1 << 20]);
    log.extend(b"\n");
    log.extend(good[50..].concat());
    let log = file(&log, "mixed.log");
    let report = report(&[&log.path], &[]);
    let input = &report["input"];
    assert_eq!(
        (&input["lines"], &input["requests"], &input["bad_lines"]),
        (&json!(102), &json!(100), &json!(2))
    );
    let examples = input["bad_examples"].as_array().unwrap();
    assert_eq!((&examples[0]["line"], &examples[1]["line"]), (&json!(51), &json!(52)));
    assert!(examples[1]["problem"].as_str().unwrap().contains("longer than 65536 bytes"));
    let text = analytics(&["replay", log.path.to_str().unwrap()]).out;
    assert!(text.contains("mixed.log, line 51:") || text.contains(", line 51:"), "{text}");
    assert!(!text.contains('\u{1b}'), "a log cannot write to a terminal");
    let strict = analytics(&["replay", "--strict", log.path.to_str().unwrap()]);
    assert_eq!(strict.status, 1);
    assert!(strict.errors.contains("line 51: "), "{}", strict.errors);
}

#[test]
fn text_in_another_encoding_is_a_request_all_the_same() {
    let log =
        b"192.0.2.1 - - [02/Mar/2026:00:00:01 +0000] \"GET /caf\xe9 HTTP/1.1\" 200 5 \"-\" \"Agent \xfc\"\n";
    let report = report(&[&file(log, "latin1.log").path], &[]);
    assert_eq!((&report["input"]["requests"], &report["input"]["bad_lines"]), (&json!(1), &json!(0)));
}

#[test]
fn one_line_with_a_wrong_clock_does_not_make_the_rest_late() {
    let text = std::fs::read_to_string(sample()).unwrap();
    let mut lines: Vec<String> = text.lines().take(200).map(str::to_owned).collect();
    let plain = report(&[&file(lines.join("\n").as_bytes(), "plain.log").path], &[]);
    lines.insert(100, lines[100].replace("02/Mar/2026", "02/Mar/2031"));
    let travelled = report(&[&file(lines.join("\n").as_bytes(), "plain.log").path], &[]);
    assert_eq!(travelled["input"]["time_travellers"], 1);
    assert_eq!(travelled["bounds"], plain["bounds"]);
    assert_eq!(travelled["classes"], plain["classes"]);
}

#[test]
fn a_policy_that_cannot_be_meant_is_refused_with_its_line_and_key() {
    for (policy, line, key) in [
        ("[throttle]\nmod = \"enforce\"\n", 2, "`throttle.mod`: is no known key"),
        (
            "[throttle.quota]\nrequests = -5\n",
            2,
            "`throttle.quota.requests`: must not be negative, but is -5",
        ),
        ("[throttle.escalation]\n\nerror_share = nan\n", 3, "`throttle.escalation.error_share`: must be"),
        (
            "[detector.timing]\ncap = nan\n",
            2,
            "`detector.timing.cap`: points are a number from 0 to 1000, not NaN",
        ),
    ] {
        let policy = file(policy.as_bytes(), "policy.toml");
        let ran =
            analytics(&["replay", sample().to_str().unwrap(), "--policy", policy.path.to_str().unwrap()]);
        assert_eq!((ran.status, ran.out.as_str()), (2, ""));
        let told = format!("{}, line {line}: {key}", policy.path.display());
        assert!(ran.errors.contains(&told), "{}\ndoes not say\n{told}", ran.errors);
    }
}
