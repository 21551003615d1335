//! Lines of each format, ordinary and hostile. Addresses are from the documentation ranges.

use std::fmt::Write;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::*;

mod formats;

#[test]
fn a_combined_line_gives_every_field_it_has() {
    let line = br#"192.0.2.7 - frank [10/Oct/2000:13:55:36 -0700] "GET /a?b=1 HTTP/1.1" 200 2326 "http://example.com/s" "Mozilla/5.0 (X11)""#;
    let expected = LogRecord {
        at: at("2000-10-10T20:55:36Z"),
        peer: ip("192.0.2.7"),
        method: "GET",
        target: "/a?b=1",
        protocol: Some("HTTP/1.1"),
        status: Some(200),
        bytes: Some(2326),
        referrer: Some("http://example.com/s"),
        user_agent: Some("Mozilla/5.0 (X11)"),
        user: Some("frank"),
        ..plain()
    };
    with_record(LogFormat::Combined, line, |record| assert_eq!(record, &expected));
}

#[test]
fn a_dash_is_an_absent_field() {
    let line = br#"192.0.2.7 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.0" - - "-" "-""#;
    let expected = LogRecord { status: None, bytes: None, protocol: Some("HTTP/1.0"), ..plain() };
    with_record(LogFormat::Combined, line, |record| assert_eq!(record, &expected));
}

#[test]
fn common_ends_after_the_bytes_and_ignores_what_follows() {
    for tail in ["", r#" "http://example.com/" "Agent""#] {
        let line = format!(r#"192.0.2.7 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.0" 200 5{tail}"#);
        let expected = LogRecord { status: Some(200), bytes: Some(5), protocol: Some("HTTP/1.0"), ..plain() };
        with_record(LogFormat::Common, line.as_bytes(), |record| assert_eq!(record, &expected));
    }
}

#[test]
fn a_site_name_before_the_address_is_the_host_without_its_port() {
    for (site, host) in [
        ("www.example.com:443", "www.example.com"),
        ("example.com", "example.com"),
        ("[2001:db8::1]:80", "[2001:db8::1]"),
    ] {
        let line =
            format!(r#"{site} 192.0.2.7 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 5 "-" "A""#);
        for format in [LogFormat::VhostCombined, LogFormat::Combined] {
            if format == LogFormat::Combined && host.starts_with('[') {
                continue; // An address where the client's belongs is the client's.
            }
            with_record(format, line.as_bytes(), |record| {
                assert_eq!((record.host, record.peer), (Some(host), ip("192.0.2.7")));
            });
        }
    }
}

#[test]
fn an_address_list_after_the_agent_is_the_forwarded_for_list() {
    let head = r#"192.0.2.7 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 5 "-" "A""#;
    for (tail, forwarded_for, duration_us) in [
        (r#" "198.51.100.1, 2001:db8::1""#, Some("198.51.100.1, 2001:db8::1"), None),
        (r#" "unknown, 198.51.100.1" 0.012"#, Some("unknown, 198.51.100.1"), Some(12_000)),
        (r#" "-""#, None, None),
        (r#" "unknown""#, None, None),
        (r#" "www.example.com" 0.250 "-""#, None, Some(250_000)),
        (r#" 500 "site@docker" "http://192.0.2.9:80" 7ms"#, None, Some(7_000)),
        (" 1234", None, None),
        (r#" "198.51.100.1"#, None, None),
    ] {
        let line = format!("{head}{tail}");
        with_record(LogFormat::CombinedForwarded, line.as_bytes(), |record| {
            assert_eq!((record.forwarded_for, record.duration_us), (forwarded_for, duration_us), "{tail}");
        });
    }
}

#[test]
fn an_address_is_read_with_port_brackets_zone_and_mapping() {
    for (text, address) in [
        ("192.0.2.7:8080", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("[::ffff:192.0.2.7]:80", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("255.255.255.255", "255.255.255.255"),
        ("198.51.100.1, 192.0.2.7", "192.0.2.7"),
    ] {
        let line = format!(r#"{text} - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 5 "-" "A""#);
        with_record(LogFormat::Combined, line.as_bytes(), |record| assert_eq!(record.peer, ip(address)));
    }
}

#[test]
fn a_line_without_an_address_is_refused_unless_a_list_has_one() {
    for name in ["-", "host.example.com", "256.0.2.7", "192.0.2", "192.0.2.07", "192.0.2.7:99999", ""] {
        let line = format!(r#"{name} - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 5 "-" "A""#);
        assert_eq!(reason(LogFormat::Combined, line.as_bytes()), BadLineReason::NoAddress, "{name:?}");
    }
    let line =
        br#"- - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 5 "-" "A" "203.0.113.5, 192.0.2.7""#;
    with_record(LogFormat::CombinedForwarded, line, |record| assert_eq!(record.peer, ip("192.0.2.7")));
}

#[test]
fn a_request_that_is_no_http_keeps_its_line_with_an_empty_method() {
    for request in [
        "-",
        "",
        r"\x16\x03\x01\x02\x00",
        "\u{16}\u{3}\u{1}",
        "HELP",
        "GET",
        "GET  HTTP/1.1",
        "145.ll|'|'|SGFj|'|'|Win 7",
        r"Gh0st\xAD\x00\x00\x00\xE0",
        "t3 12.1.2",
    ] {
        let line = format!(r#"192.0.2.7 - - [10/Oct/2000:13:55:36 +0000] "{request}" 400 0 "-" "-""#);
        let expected = LogRecord { method: "", target: "", status: Some(400), bytes: Some(0), ..plain() };
        with_record(LogFormat::Combined, line.as_bytes(), |record| {
            assert_eq!(record, &expected, "{request}");
        });
    }
}

#[test]
fn a_request_is_split_at_its_first_space_and_before_its_protocol() {
    for (request, parts) in [
        ("GET /", ("GET", "/", None)),
        ("GET /a b c", ("GET", "/a b c", None)),
        ("GET /a b HTTP/1.1", ("GET", "/a b", Some("HTTP/1.1"))),
        ("GET / HTTP/2.0", ("GET", "/", Some("HTTP/2.0"))),
        ("GET / HTTP/3", ("GET", "/", Some("HTTP/3"))),
        ("OPTIONS * HTTP/1.1", ("OPTIONS", "*", Some("HTTP/1.1"))),
        ("OPTIONS / RTSP/1.0", ("OPTIONS", "/", Some("RTSP/1.0"))),
        ("CONNECT example.com:443 HTTP/1.1", ("CONNECT", "example.com:443", Some("HTTP/1.1"))),
        ("GET http://example.com/x HTTP/1.1", ("GET", "http://example.com/x", Some("HTTP/1.1"))),
        ("GET http://example.com/x", ("GET", "http://example.com/x", None)),
        ("RPC_IN_DATA /rpc HTTP/1.1", ("RPC_IN_DATA", "/rpc", Some("HTTP/1.1"))),
        (r"GET /\x22a\x5Cb\xC3\xA9 HTTP/1.1", ("GET", "/\"a\\bé", Some("HTTP/1.1"))),
        (r#"GET /\"a\\ HTTP/1.1"#, ("GET", "/\"a\\", Some("HTTP/1.1"))),
        (r#"GET /"raw"x HTTP/1.1"#, ("GET", "/\"raw\"x", Some("HTTP/1.1"))),
        (r"GET /\xFF HTTP/1.1", ("GET", "/\u{fffd}", Some("HTTP/1.1"))),
        ("GET /é HTTP/1.1", ("GET", "/é", Some("HTTP/1.1"))),
    ] {
        let line = format!(r#"192.0.2.7 - - [10/Oct/2000:13:55:36 +0000] "{request}" 200 0 "-" "-""#);
        with_record(LogFormat::Combined, line.as_bytes(), |record| {
            assert_eq!((record.method, record.target, record.protocol), parts);
        });
    }
}

#[test]
fn escapes_are_undone_in_every_quoted_field() {
    let line = br#"192.0.2.7 - - [10/Oct/2000:13:55:36 +0000] "GET /\x22 HTTP/1.1" 200 0 "http://e/\"r\"" "A \"quoted\" \t\q\\""#;
    with_record(LogFormat::Combined, line, |record| {
        assert_eq!(
            (record.target, record.referrer, record.user_agent),
            ("/\"", Some("http://e/\"r\""), Some("A \"quoted\" \t\\q\\"))
        );
    });
}

#[test]
fn bytes_that_are_no_text_are_replaced_where_they_stand() {
    let line =
        b"192.0.2.7 - - [10/Oct/2000:13:55:36 +0000] \"GET /caf\xe9 HTTP/1.1\" 200 0 \"-\" \"A\xff\0B\"";
    with_record(LogFormat::Combined, line, |record| {
        assert_eq!((record.target, record.user_agent), ("/caf\u{fffd}", Some("A\u{fffd}\0B")));
    });
}

#[test]
fn a_client_cannot_forge_a_time_or_an_address() {
    let line = br#"192.0.2.7 - x [01/Jan/1999:00:00:00 +0000] \x22GET [ [10/Oct/2000:13:55:36 +0000] "GET /] \x22GET HTTP/1.1" 200 0 "] \"-\"" "203.0.113.9 - - [01/Jan/1999:00:00:00 +0000]""#;
    with_record(LogFormat::Combined, line, |record| {
        assert_eq!(
            (record.at, record.peer, record.target, record.user),
            (
                at("2000-10-10T13:55:36Z"),
                ip("192.0.2.7"),
                "/] \"GET",
                Some(r"x [01/Jan/1999:00:00:00 +0000] \x22GET [")
            )
        );
    });
}

#[test]
fn times_are_read_in_both_notations_with_zones_and_decimals() {
    for (text, time) in [
        ("10/Oct/2000:13:55:36 -0700", "2000-10-10T20:55:36Z"),
        ("10/Oct/2000:00:10:00 +0530", "2000-10-09T18:40:00Z"),
        ("29/Feb/2024:23:59:60 +0000", "2024-03-01T00:00:00Z"),
        ("10/Oct/2000:13:55:36.123 +0000", "2000-10-10T13:55:36.123Z"),
        ("10/Oct/2000:13:55:36", "2000-10-10T13:55:36Z"),
        ("2023-04-26T12:22:55Z", "2023-04-26T12:22:55Z"),
        ("2023-04-26T12:22:55.463821Z", "2023-04-26T12:22:55.463821Z"),
        ("2023-04-26T12:22:55.463821987+02:00", "2023-04-26T10:22:55.463821Z"),
        ("2023-04-26 12:22:55,5 -0130", "2023-04-26T13:52:55.5Z"),
        ("01/Jan/1970:00:00:00 +0000", "1970-01-01T00:00:00Z"),
        ("31/Dec/9999:23:59:59 +0000", "9999-12-31T23:59:59Z"),
    ] {
        let line = format!(r#"192.0.2.7 - - [{text}] "GET / HTTP/1.1" 200 0 "-" "A""#);
        with_record(LogFormat::Combined, line.as_bytes(), |record| assert_eq!(record.at, at(time), "{text}"));
    }
}

#[test]
fn a_time_that_does_not_exist_is_refused() {
    for text in [
        "",
        "-",
        "30/Feb/2024:00:00:00 +0000",
        "10/Okt/2000:13:55:36 +0000",
        "10/Oct/0000:13:55:36 +0000",
        "31/Dec/1969:23:59:59 +0000",
        "10/Oct/2000:24:00:00 +0000",
        "10/Oct/2000:13:60:36 +0000",
        "10/Oct/2000:13:55:61 +0000",
        "10/Oct/2000:13:55:36 0700",
        "10/Oct/2000:13:55:36 +9900",
        "10/Oct/2000:13:55:36 +00000",
        "10/Oct/20000:13:55:36 +0000",
        "2023-13-01T00:00:00Z",
        "2023-04-26T12:22:55.Z",
    ] {
        let line = format!(r#"192.0.2.7 - - [{text}] "GET / HTTP/1.1" 200 0 "-" "A""#);
        assert_eq!(reason(LogFormat::Combined, line.as_bytes()), BadLineReason::NoTime, "{text:?}");
    }
}

#[test]
fn a_bad_line_says_what_it_lacks_and_where() {
    let head = r#"192.0.2.7 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1""#;
    let cases: [(String, BadLineReason, usize); 8] = [
        ("192.0.2.7".into(), BadLineReason::NoTime, 10),
        ("192.0.2.7 - - [10/Oct/2000:13:55:36".into(), BadLineReason::NoRequest, 36),
        (r#"192.0.2.7 - - "GET / HTTP/1.1" 200"#.into(), BadLineReason::NoTime, 15),
        (head[..50].into(), BadLineReason::Cut, 51),
        (head.into(), BadLineReason::Cut, 60),
        (format!("{head} 2000 1"), BadLineReason::NoStatus, 61),
        (format!(r#"{head} 200 1 "-""#), BadLineReason::Cut, 70),
        (format!(r#"{head} 200 1 "-" "Mozi"#), BadLineReason::Cut, 76),
    ];
    for (line, reason, column) in cases {
        let mut scratch = Scratch::default();
        let parsed = LineParser::new(LogFormat::Combined).parse(&mut scratch, line.as_bytes()).map(|_| ());
        assert_eq!(parsed, Err(BadLine { reason, column }), "{line}");
    }
}

#[test]
fn a_column_counts_the_bytes_of_the_line_as_it_came() {
    for (line, column) in [
        (b"192.0.2.7 - \xff\xff [10/Oct/2000:13:55:36 +0000] \"GET /".as_slice(), 51),
        (b"192.0.2.7 - \xff\xff [10/Oct/2000:13:55:36 +0000] \"GET / HTTP/1.1\" abcd", 62),
        (b"\xff\xff", 3),
    ] {
        let mut scratch = Scratch::default();
        let bad = LineParser::new(LogFormat::Combined).parse(&mut scratch, line).expect_err("a bad line");
        assert_eq!(bad.column, column);
    }
}

#[test]
fn numbers_are_read_up_to_what_fits() {
    for (tail, status, bytes) in [
        ("999 18446744073709551615", Some(999), Some(u64::MAX)),
        ("0 18446744073709551616", Some(0), None),
        ("200 000000000000000000000000000007", Some(200), Some(7)),
        ("200 -1", Some(200), None),
    ] {
        let line = format!(r#"192.0.2.7 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" {tail} "-" "A""#);
        with_record(LogFormat::Combined, line.as_bytes(), |record| {
            assert_eq!((record.status, record.bytes), (status, bytes));
        });
    }
}

#[test]
fn a_line_may_be_as_long_as_the_limit_and_no_longer() {
    let start = r#"192.0.2.7 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 0 "-" ""#;
    let longest = format!("{start}{}\"", "a".repeat(MAX_LINE_BYTES - start.len() - 1));
    with_record(LogFormat::Combined, longest.as_bytes(), |record| {
        assert_eq!(record.user_agent.map(str::len), Some(MAX_LINE_BYTES - start.len() - 1));
    });
    let longer = longest + " ";
    assert_eq!(reason(LogFormat::Combined, longer.as_bytes()), BadLineReason::TooLong);
}

#[test]
fn an_empty_line_records_nothing_and_is_not_bad() {
    for line in [b"".as_slice(), b"\r"] {
        let mut scratch = Scratch::default();
        assert_eq!(LineParser::new(LogFormat::Combined).parse(&mut scratch, line), Ok(None));
    }
}

#[test]
fn every_name_means_a_format_and_no_other_does() {
    for name in LogFormat::NAMES {
        assert!(LogFormat::from_name(name).is_ok(), "{name}");
    }
    assert_eq!(LogFormat::from_name("auto"), Err(FormatError::Unknown { name: "auto".into() }));
}

#[test]
fn detection_takes_the_format_that_tells_most() {
    let common = r#"192.0.2.7 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 5"#;
    let combined = format!(r#"{common} "-" "A""#);
    for (lines, format) in [
        (common.to_owned(), Some(LogFormat::Common)),
        (combined.clone(), Some(LogFormat::Combined)),
        (format!(r#"{combined} "198.51.100.1""#), Some(LogFormat::CombinedForwarded)),
        (format!(r#"{combined} "-""#), Some(LogFormat::Combined)),
        (format!("example.com:80 {combined}"), Some(LogFormat::VhostCombined)),
        (format!("{combined}\nexample.com:80 {combined}\n{combined}\n192.0.2."), Some(LogFormat::Combined)),
        (format!("{combined}\n{common} \"-"), Some(LogFormat::Combined)),
        (format!("{combined}\n{common}\n{common}"), Some(LogFormat::Common)),
        ("hello\nworld\n".to_owned(), None),
        (String::new(), None),
    ] {
        assert_eq!(LogFormat::detect(lines.as_bytes()), format, "{lines}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(line in hostile_line()) {
        for name in LogFormat::NAMES {
            let mut parser = LineParser::new(LogFormat::from_name(name).expect("a listed name"));
            let _ = parser.parse(&mut Scratch::default(), &line);
        }
    }

    #[test]
    fn a_written_line_reads_back_the_same(
        seconds in 0_i64..253_402_300_799,
        peer in any::<IpAddr>(),
        (method, target, protocol) in ("[A-Z]{3,7}", "/[ -~é]{0,40}", "HTTP/[0-9]\\.[0-9]"),
        status in proptest::option::of(0_u16..1000),
        bytes in any::<Option<u64>>(),
        (referrer, agent) in (proptest::option::of("\\PC{2,30}"), proptest::option::of("\\PC{2,30}")),
    ) {
        let time = DateTime::from_timestamp(seconds, 0).expect("in range");
        let dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        let line = format!(
            r#"{peer} - - [{}] "{}" {} {} "{}" "{}""#,
            time.format("%d/%b/%Y:%H:%M:%S %z"),
            escaped(&format!("{method} {target} {protocol}")),
            dash(status.map(|status| status.to_string())),
            dash(bytes.map(|bytes| bytes.to_string())),
            escaped(&dash(referrer.clone())),
            escaped(&dash(agent.clone())),
        );
        let mut scratch = Scratch::default();
        let mut parser = LineParser::new(LogFormat::Combined);
        let record = parser.parse(&mut scratch, line.as_bytes()).expect("well formed").expect("a record");
        prop_assert_eq!(record, LogRecord {
            at: time,
            peer: peer.to_canonical(),
            method: &method,
            target: &target,
            protocol: Some(&protocol),
            status,
            bytes,
            referrer: referrer.as_deref(),
            user_agent: agent.as_deref(),
            ..plain()
        });
    }
}

/// Arbitrary bytes, and pieces of real lines in any order, which get further in.
fn hostile_line() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"192.0.2.7 - - ".to_vec()),
        Just(b"[10/Oct/2000:13:55:36 +0000] ".to_vec()),
        Just(b"[".to_vec()),
        Just(b"] ".to_vec()),
        Just(b"\"".to_vec()),
        Just(b"\\".to_vec()),
        Just(b" ".to_vec()),
        Just(b"GET / HTTP/1.1".to_vec()),
        Just(b"\" 200 5 \"-\" \"".to_vec()),
        Just(b"{\"request\":{\"headers\":{\"User-Agent\":[\"a\\u0000\"]},".to_vec()),
        Just(b"\t%25%20%\t+".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..8),
    ];
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat()),
    ]
}

/// Escapes as nginx does, and half of the time as Apache does.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for (at, char) in text.chars().enumerate() {
        match (char, at % 2) {
            ('"', 0) => out.push_str("\\\""),
            ('\\', 0) => out.push_str("\\\\"),
            ('"', _) => out.push_str("\\x22"),
            ('\\', _) => out.push_str("\\x5C"),
            (char, 1) if !char.is_ascii() => {
                for byte in char.to_string().bytes() {
                    write!(out, "\\x{byte:02x}").expect("a string takes all");
                }
            }
            _ => out.push(char),
        }
    }
    out
}

fn with_record(format: LogFormat, line: &[u8], check: impl FnOnce(&LogRecord<'_>)) {
    let mut scratch = Scratch::default();
    let mut parser = LineParser::new(format);
    match parser.parse(&mut scratch, line) {
        Ok(Some(record)) => check(&record),
        other => panic!("{other:?} for {}", String::from_utf8_lossy(line)),
    }
}

fn reason(format: LogFormat, line: &[u8]) -> BadLineReason {
    let mut scratch = Scratch::default();
    LineParser::new(format).parse(&mut scratch, line).expect_err("a bad line").reason
}

/// A request for `/` by 192.0.2.7 at a fixed time, with nothing else known.
fn plain() -> LogRecord<'static> {
    LogRecord { method: "GET", target: "/", ..LogRecord::bare(at("2000-10-10T13:55:36Z"), ip("192.0.2.7")) }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time in RFC 3339")
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}
