//! Lines of every access-log format: the first byte chooses the format, the rest are lines.
//!
//! `cargo +nightly fuzz run -s none -O access_log_line` from the root. Beyond "no panic" it holds that a record never depends
//! on what an earlier line left behind: a fresh parser reads the same from it.
#![no_main]

use analytics_app::ingest::access_log::{LineParser, LogFormat, MAX_LINE_BYTES, Scratch};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, text)) = data.split_first() else { return };
    let names = LogFormat::NAMES;
    let custom = CUSTOM.iter().copied();
    let name = names.into_iter().chain(custom).nth(usize::from(choice) % (names.len() + CUSTOM.len()));
    let format = LogFormat::from_name(name.expect("within the range")).expect("known");
    let mut parser = LineParser::new(format.clone());
    let mut scratch = Scratch::default();
    let mut header = None;
    for line in text.split(|&byte| byte == b'\n') {
        if line.starts_with(b"#Fields:") {
            header = Some(line.strip_suffix(b"\r").unwrap_or(line));
        }
        let seen = parser.parse(&mut scratch, line);
        let mut fresh = LineParser::new(format.clone());
        fresh.enter(header);
        let mut other = Scratch::default();
        assert_eq!(seen, fresh.parse(&mut other, line));
        if let Ok(text) = std::str::from_utf8(line) {
            assert_eq!(seen, fresh.parse_text(&mut other, text));
        }
        match seen {
            Ok(Some(record)) => {
                assert!(record.at.timestamp_micros() >= 0);
                assert!(record.status.is_none_or(|status| status <= 999));
            }
            Ok(None) => {}
            Err(bad) => assert!(bad.column >= 1 && bad.column <= line.len().min(MAX_LINE_BYTES) + 1),
        }
    }
    let _ = format.observes_in(text);
    let _ = LogFormat::detect(text);
});

/// Format strings of both kinds, with quoted and bare values.
const CUSTOM: [&str; 4] = [
    r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#,
    "$msec|$remote_addr|$uri|$args|$request_time;$http_accept_language",
    r#"%h %l %u %t "%m %U%q %H" %>s %b "%{Referer}i" %D"#,
    r#"%{X-Forwarded-For}i %{sec}t %v "%r""#,
];
