//! The formats beside the Apache and nginx family.

use super::*;

const NGINX_JSON: &str = r#"{"time_iso8601":"2000-10-10T13:55:36+00:00","remote_addr":"192.0.2.7","request":"GET /a?b=1 HTTP/2.0","status":"200","body_bytes_sent":"612","http_referer":"","http_user_agent":"A \"b\" é","http_x_forwarded_for":"-","host":"example.com","request_time":"0.012","http_accept_language":"de"}"#;
const CADDY_JSON: &str = r#"{"level":"info","ts":971186136.25,"logger":"http.log.access.log0","msg":"handled request","request":{"remote_ip":"192.0.2.7","remote_port":"4711","client_ip":"203.0.113.5","proto":"HTTP/1.1","method":"GET","host":"example.com:8080","uri":"/a?b=1","headers":{"User-Agent":["A"],"Accept":["*/*"],"Sec-Fetch-Dest":["document"],"Authorization":[]}},"bytes_read":0,"user_id":"bob","duration":0.0015,"size":18,"status":200,"resp_headers":{"Server":["Caddy"]}}"#;
const TRAEFIK_JSON: &str = r#"{"ClientAddr":"192.0.2.7:4711","ClientHost":"192.0.2.7","ClientUsername":"-","DownstreamContentSize":356,"DownstreamStatus":404,"Duration":215563,"RequestHost":"example.com","RequestMethod":"GET","RequestPath":"/a?b=1","RequestProtocol":"HTTP/1.1","ServiceURL":{"Scheme":"http","User":null},"StartUTC":"2000-10-10T13:55:36.464763557Z","request_User-Agent":"A","request_X-Forwarded-For":"203.0.113.5","time":"2000-10-10T13:55:37Z"}"#;
const CLOUDFRONT: &str = "2000-10-10\t13:55:36\tFRA2-C1\t703\t192.0.2.7\tGET\td1.cloudfront.net\t/a\t200\t-\tA%20(x;%2520y)\tb=1\t-\tMiss\tid==\texample.com\thttps\t62\t0.113\t203.0.113.5\tTLSv1.3\tX\tMiss\tHTTP/2.0\t-\t-\t51754\t0.113\tMiss\ttext/html\t20\t-\t-";
const ALB: &str = r#"https 2000-10-10T13:55:36.186641Z app/lb/50dc6c495c0c9188 192.0.2.7:44740 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 "GET https://example.com:443/a?b=1 HTTP/1.1" "A" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:x "Root=1" "example.com" "-" 1 2000-10-10T13:55:36.000000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-""#;
const IIS: &str =
    "2000-10-10 13:55:36 10.0.0.1 GET /a b=1 443 - 192.0.2.7 A+(x;+y) https://example.com/r+s 200 0 0 49";

#[test]
fn nginx_json_is_read_by_its_variables() {
    let expected = LogRecord {
        target: "/a?b=1",
        protocol: Some("HTTP/2.0"),
        status: Some(200),
        bytes: Some(612),
        user_agent: Some("A \"b\" é"),
        host: Some("example.com"),
        duration_us: Some(12_000),
        accept_language: Some("de"),
        ..plain()
    };
    with_record(LogFormat::NginxJson, NGINX_JSON.as_bytes(), |record| assert_eq!(record, &expected));
}

#[test]
fn nginx_json_may_have_numbers_parts_and_names_of_the_sites_own() {
    for line in [
        r#"{"msec":971186136.000,"remote_addr":"192.0.2.7","request_method":"GET","request_uri":"/a","status":200}"#,
        r#"{"@timestamp":"2000-10-10T13:55:36Z","client_ip":"192.0.2.7","method":"GET","uri":"/a","args":"","status_code":200}"#,
        r#" {"ts":971186136000,"ip":"192.0.2.7","verb":"GET","url":"/a","code":"200","tags":[1,{"a":null}],"n":-1} "#,
        r#"{"time_local":"10/Oct/2000:13:55:36 +0000","remote_addr":"192.0.2.7","request":"GET /a","status":200,"status":200}"#,
    ] {
        let expected = LogRecord { target: "/a", status: Some(200), ..plain() };
        with_record(LogFormat::NginxJson, line.as_bytes(), |record| assert_eq!(record, &expected));
    }
}

#[test]
fn json_written_without_json_escapes_is_mended() {
    let line = r#"{"time_iso8601":"2000-10-10T13:55:36Z","remote_addr":"192.0.2.7","request":"GET / HTTP/1.1","http_user_agent":"A \x22b\x22 \\x","status":"200"}"#;
    with_record(LogFormat::NginxJson, line.as_bytes(), |record| {
        assert_eq!(record.user_agent, Some("A \"b\" \\x"));
    });
}

#[test]
fn bad_json_says_what_it_lacks() {
    for (line, reason) in [
        ("hello", BadLineReason::NotJson),
        ("[]", BadLineReason::NotJson),
        (&NGINX_JSON[..100], BadLineReason::Cut),
        ("{} {}", BadLineReason::NotJson),
        ("{}", BadLineReason::NoRequest),
        (r#"{"request":"GET / HTTP/1.1","remote_addr":"192.0.2.7"}"#, BadLineReason::NoTime),
        (r#"{"request":"GET / HTTP/1.1","time_local":"x"}"#, BadLineReason::NoTime),
        (r#"{"request":"GET / HTTP/1.1","msec":-5.5}"#, BadLineReason::NoTime),
        (r#"{"request":"GET / HTTP/1.1","msec":1e300}"#, BadLineReason::NoTime),
        (r#"{"request":"GET / HTTP/1.1","msec":1.5}"#, BadLineReason::NoAddress),
        (r#"{"request":"GET / HTTP/1.1","status":1000}"#, BadLineReason::NoStatus),
    ] {
        assert_eq!(super::reason(LogFormat::NginxJson, line.as_bytes()), reason, "{line}");
    }
}

#[test]
fn caddy_json_gives_headers_and_the_client_it_believes_in() {
    let expected = LogRecord {
        at: at("2000-10-10T13:55:36.25Z"),
        target: "/a?b=1",
        protocol: Some("HTTP/1.1"),
        status: Some(200),
        bytes: Some(18),
        user_agent: Some("A"),
        host: Some("example.com"),
        forwarded_for: Some("203.0.113.5"),
        user: Some("bob"),
        duration_us: Some(1500),
        accept: Some("*/*"),
        sec_fetch_dest: Some("document"),
        ..plain()
    };
    with_record(LogFormat::CaddyJson, CADDY_JSON.as_bytes(), |record| assert_eq!(record, &expected));
    let repeated =
        CADDY_JSON.replace(r#""Accept""#, r#""X-Forwarded-For":["198.51.100.1","203.0.113.5"],"Accept""#);
    with_record(LogFormat::CaddyJson, repeated.as_bytes(), |record| {
        assert_eq!(record.forwarded_for, Some("198.51.100.1, 203.0.113.5"));
    });
}

#[test]
fn messages_of_other_loggers_record_nothing() {
    for (format, line) in [
        (
            LogFormat::CaddyJson,
            r#"{"level":"debug","ts":1.5,"logger":"http.handlers.reverse_proxy","msg":"selected upstream"}"#
                .to_owned(),
        ),
        (LogFormat::CaddyJson, CADDY_JSON.replace("http.log.access.log0", "http.log.error.log0")),
        (
            LogFormat::TraefikJson,
            r#"{"level":"info","msg":"Traefik version 3","time":"2000-10-10T13:55:37Z"}"#.to_owned(),
        ),
    ] {
        let mut scratch = Scratch::default();
        assert_eq!(LineParser::new(format).parse(&mut scratch, line.as_bytes()), Ok(None), "{line}");
    }
}

#[test]
fn traefik_json_is_read_by_its_keys() {
    let expected = LogRecord {
        at: at("2000-10-10T13:55:36.464763Z"),
        target: "/a?b=1",
        protocol: Some("HTTP/1.1"),
        status: Some(404),
        bytes: Some(356),
        user_agent: Some("A"),
        host: Some("example.com"),
        forwarded_for: Some("203.0.113.5"),
        duration_us: Some(215),
        ..plain()
    };
    with_record(LogFormat::TraefikJson, TRAEFIK_JSON.as_bytes(), |record| assert_eq!(record, &expected));
}

#[test]
fn cloudfront_is_read_with_its_usual_columns_when_no_header_came() {
    let expected = LogRecord {
        target: "/a?b=1",
        protocol: Some("HTTP/2.0"),
        status: Some(200),
        bytes: Some(703),
        user_agent: Some("A (x; y)"),
        host: Some("example.com"),
        forwarded_for: Some("203.0.113.5"),
        duration_us: Some(113_000),
        ..plain()
    };
    with_record(LogFormat::CloudFront, CLOUDFRONT.as_bytes(), |record| assert_eq!(record, &expected));
}

#[test]
fn alb_is_read_and_its_absolute_target_becomes_a_path() {
    let expected = LogRecord {
        at: at("2000-10-10T13:55:36.186641Z"),
        target: "/a?b=1",
        protocol: Some("HTTP/1.1"),
        status: Some(200),
        bytes: Some(57),
        user_agent: Some("A"),
        host: Some("example.com"),
        duration_us: Some(171_000),
        ..plain()
    };
    with_record(LogFormat::Alb, ALB.as_bytes(), |record| assert_eq!(record, &expected));
    for (url, target, host) in [
        ("https://example.com:443", "/", Some("example.com")),
        ("http://[2001:db8::1]:80/x", "/x", Some("[2001:db8::1]")),
        ("https://example.com?q=http://e/", "?q=http://e/", Some("example.com")),
        ("/x?u=http://e/", "/x?u=http://e/", Some("-")),
    ] {
        let line = ALB.replace("https://example.com:443/a?b=1", url);
        with_record(LogFormat::Alb, line.as_bytes(), |record| {
            assert_eq!((record.target, record.host), (target, host.filter(|host| *host != "-")));
        });
    }
    let line = ALB
        .replace("GET https://example.com:443/a?b=1 HTTP/1.1", "- http://example.com:80- -")
        .replace("0.086 0.048 0.037 200", "-1 -1 -1 400");
    with_record(LogFormat::Alb, line.as_bytes(), |record| {
        assert_eq!(
            (record.method, record.target, record.status, record.duration_us),
            ("", "", Some(400), None)
        );
    });
}

#[test]
fn iis_is_read_with_the_columns_in_force() {
    let expected = LogRecord {
        target: "/a?b=1",
        status: Some(200),
        referrer: Some("https://example.com/r+s"),
        user_agent: Some("A (x; y)"),
        duration_us: Some(49_000),
        ..plain()
    };
    with_record(LogFormat::IisW3c, IIS.as_bytes(), |record| assert_eq!(record, &expected));

    let header = b"#Fields: date time c-ip cs-method cs-uri-stem sc-status cs-host X-Forwarded-For";
    let line = b"2000-10-10 13:55:36 192.0.2.7 GET /a 200 example.com 203.0.113.5,+198.51.100.1\r";
    let expected = LogRecord {
        target: "/a",
        status: Some(200),
        host: Some("example.com"),
        forwarded_for: Some("203.0.113.5, 198.51.100.1"),
        ..plain()
    };
    let mut scratch = Scratch::default();
    let mut read = LineParser::new(LogFormat::IisW3c);
    assert_eq!(read.parse(&mut scratch, header), Ok(None));
    let mut told = LineParser::new(LogFormat::IisW3c);
    told.enter(Some(header));
    for mut parser in [read, told] {
        assert_eq!(parser.parse(&mut scratch, line), Ok(Some(expected.clone())));
        parser.enter(None);
        assert!(parser.parse(&mut scratch, line).is_err());
    }
}

#[test]
fn a_cut_w3c_or_alb_line_is_refused() {
    assert_eq!(reason(LogFormat::IisW3c, &IIS.as_bytes()[..50]), BadLineReason::Cut);
    assert_eq!(reason(LogFormat::CloudFront, &CLOUDFRONT.as_bytes()[..50]), BadLineReason::Cut);
    assert_eq!(reason(LogFormat::Alb, &ALB.as_bytes()[..100]), BadLineReason::Cut);
    assert_eq!(
        reason(LogFormat::Alb, ALB.split("A\" E").next().expect("a start").as_bytes()),
        BadLineReason::Cut
    );
}

#[test]
fn a_format_string_reads_what_it_describes() {
    let expected = LogRecord {
        target: "/a?b=1",
        protocol: Some("HTTP/1.1"),
        status: Some(200),
        bytes: Some(5),
        referrer: None,
        user_agent: Some("A \"b\" é"),
        ..plain()
    };
    let combined =
        r#"192.0.2.7 - - [10/Oct/2000:13:55:36 +0000] "GET /a?b=1 HTTP/1.1" 200 5 "-" "A \"b\" \xC3\xA9""#;
    for format in [
        r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#,
        r#"'${remote_addr} - ${remote_user} [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"'"#,
        r#"%h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\""#,
        r#"%a %l %u %t "%m %U%q %H" %!200,304>s %b "%{Referer}i" "%{User-agent}i""#,
        r#"$remote_addr - $remote_user [$time_local] "$request_method $uri$is_args$args $server_protocol" $status $bytes_sent "$http_referer" "$http_user_agent""#,
    ] {
        let format = LogFormat::from_name(format).expect(format);
        with_record(format, combined.as_bytes(), |record| assert_eq!(record, &expected));
    }
    let line = "971186136.500|192.0.2.7|/a|b=1|0.010;en";
    let format = LogFormat::from_name("$msec|$remote_addr|$uri|$args|$request_time;$http_accept_language")
        .expect("compiles");
    let expected = LogRecord {
        at: at("2000-10-10T13:55:36.5Z"),
        method: "",
        target: "/a?b=1",
        duration_us: Some(10_000),
        accept_language: Some("en"),
        ..plain()
    };
    assert_eq!(
        format.observes(),
        ObservedFields { duration: true, accept_language: true, ..ObservedFields::NONE }
    );
    with_record(format.clone(), line.as_bytes(), |record| assert_eq!(record, &expected));
    assert_eq!(reason(format, b"971186136.500|192.0.2.7|/a"), BadLineReason::Cut);
}

#[test]
fn a_format_string_that_gives_no_requests_is_refused() {
    for (text, error) in [
        ("$remote_addr $request", CustomFormatError::NoTime),
        ("$time_local $request", CustomFormatError::NoAddress),
        ("%h %t %s", CustomFormatError::NoRequest),
        ("$remote_addr$time_local $request", CustomFormatError::Adjacent { name: "time_local".into() }),
        ("%h %t %{x", CustomFormatError::Directive { text: "{x".into() }),
        ("%h %t %r %", CustomFormatError::Directive { text: String::new() }),
    ] {
        assert_eq!(LogFormat::from_name(text), Err(FormatError::Custom(error)));
    }
    assert_eq!(
        reason(LogFormat::from_name("x $remote_addr $time_iso8601 $request").expect("compiles"), b"y"),
        BadLineReason::Mismatch
    );
}

#[test]
fn every_format_is_detected_by_its_lines() {
    for (lines, format) in [
        (NGINX_JSON.to_owned(), LogFormat::NginxJson),
        (CADDY_JSON.to_owned(), LogFormat::CaddyJson),
        (TRAEFIK_JSON.to_owned(), LogFormat::TraefikJson),
        (CLOUDFRONT.to_owned(), LogFormat::CloudFront),
        (ALB.to_owned(), LogFormat::Alb),
        (IIS.to_owned(), LogFormat::IisW3c),
        (
            "#Software: Microsoft IIS\r\n#Fields: c-ip date time cs-method cs-uri-stem\r\n192.0.2.7 2000-10-10 13:55:36 GET /\r\n".to_owned(),
            LogFormat::IisW3c,
        ),
        (
            format!(
                "#Version: 1.0\n#Fields: date time c-ip cs-method cs-uri-stem\n{}",
                "2000-10-10\t13:55:36\t192.0.2.7\tGET\t/\n"
            ),
            LogFormat::CloudFront,
        ),
    ] {
        assert_eq!(LogFormat::detect(lines.as_bytes()), Some(format), "{lines}");
    }
}

#[test]
fn what_a_log_observes_is_told_by_its_lines() {
    let columns = b"#Fields: date time c-ip cs-method cs-uri-stem sc-status\n";
    assert_eq!(
        LogFormat::IisW3c.observes_in(columns),
        ObservedFields { status: true, ..ObservedFields::NONE }
    );
    assert_eq!(LogFormat::NginxJson.observes_in(b""), ObservedFields::NONE);
    let json = br#"{"msec":1.5,"remote_addr":"192.0.2.7","request":"GET / HTTP/1.1","http_user_agent":"A"}"#;
    assert_eq!(
        LogFormat::NginxJson.observes_in(json),
        ObservedFields { protocol: true, user_agent: true, ..ObservedFields::NONE }
    );
    let line =
        br#"example.com 192.0.2.7 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 5 "-" "A" 0.001"#;
    assert_eq!(
        LogFormat::Combined.observes_in(line),
        ObservedFields { host: true, duration: true, ..LogFormat::Combined.observes() }
    );
}

proptest! {
    #[test]
    fn json_reads_back_whatever_text_a_client_sends(
        agent in "\\PC{2,40}",
        target in "/\\PC{0,40}",
        status in 0_u16..1000,
    ) {
        let line = serde_json::json!({
            "msec": 971_186_136.25, "remote_addr": "192.0.2.7", "request_method": "GET",
            "request_uri": target, "http_user_agent": agent, "status": status,
        }).to_string();
        let mut scratch = Scratch::default();
        let mut parser = LineParser::new(LogFormat::NginxJson);
        let record = parser.parse(&mut scratch, line.as_bytes()).expect("well formed").expect("a record");
        prop_assert_eq!(record, LogRecord {
            at: at("2000-10-10T13:55:36.25Z"),
            target: &target,
            status: Some(status),
            user_agent: Some(&agent),
            ..plain()
        });
    }

    #[test]
    fn no_format_string_and_no_line_of_it_makes_a_panic(
        text in "([%$>{}i\"|\\\\ htrusqUmHD]|\\$request|\\$remote_addr|\\$time_local|\\PC){0,30}",
        line in hostile_line(),
    ) {
        for start in ["", "$remote_addr $msec \"$request\" ", "%h %t \"%r\" "] {
            if let Ok(format) = CustomFormat::compile(&format!("{start}{text}")) {
                let mut parser = LineParser::new(LogFormat::Custom(format));
                let _ = parser.parse(&mut Scratch::default(), &line);
            }
        }
    }

    #[test]
    fn no_header_makes_a_panic(
        header in "#Fields:( date| time| c-ip| cs-uri-stem| cs-uri-query| cs\\(User-Agent\\)| x){0,8}",
        line in hostile_line(),
    ) {
        for format in [LogFormat::IisW3c, LogFormat::CloudFront] {
            let mut parser = LineParser::new(format);
            parser.enter(Some(header.as_bytes()));
            let _ = parser.parse(&mut Scratch::default(), &line);
        }
    }
}
