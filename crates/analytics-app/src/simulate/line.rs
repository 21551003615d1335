//! Log lines in the formats of the common servers.

use std::io::{self, Write};

use super::plan::LogFormat;
use super::site::HOST;
use super::trace::{Record, SECOND, Trace};

/// Writes records as lines; keeps the text of the last second, since neighbours share it.
pub(super) struct LineWriter<'a> {
    trace: &'a Trace,
    format: LogFormat,
    second: i64,
    stamp: String,
    line: Vec<u8>,
}

impl<'a> LineWriter<'a> {
    pub(super) fn new(trace: &'a Trace, format: LogFormat) -> Self {
        Self { trace, format, second: i64::MIN, stamp: String::new(), line: Vec::with_capacity(512) }
    }

    /// Writes one line with its line feed.
    pub(super) fn write(&mut self, out: &mut dyn Write, record: &Record) -> io::Result<()> {
        let second = record.at.div_euclid(SECOND);
        if second != self.second {
            self.second = second;
            let time = chrono::DateTime::from_timestamp(second, 0).expect("a plan's time lies before 2100");
            self.stamp = match self.format {
                LogFormat::NginxJson => time.format("%Y-%m-%dT%H:%M:%S+00:00").to_string(),
                LogFormat::CaddyJson => String::new(),
                LogFormat::Combined | LogFormat::Common | LogFormat::VhostCombined => {
                    time.format("%d/%b/%Y:%H:%M:%S +0000").to_string()
                }
            };
        }
        self.line.clear();
        match self.format {
            LogFormat::Common => self.common(record)?,
            LogFormat::Combined => self.combined(record)?,
            LogFormat::VhostCombined => {
                write!(self.line, "{HOST}:443 ")?;
                self.combined(record)?;
            }
            LogFormat::NginxJson => self.nginx(record)?,
            LogFormat::CaddyJson => self.caddy(record)?,
        }
        self.line.push(b'\n');
        out.write_all(&self.line)
    }

    fn common(&mut self, record: &Record) -> io::Result<()> {
        let hit = &record.hit;
        let address = self.trace.visitors[hit.visitor as usize].address;
        write!(self.line, "{address} - - [{}] \"{} ", self.stamp, hit.method.as_str())?;
        escape(&mut self.line, self.trace.text(hit.path));
        write!(self.line, " {}\" {} ", hit.version.as_str(), hit.status)?;
        // Apache's %b: a hyphen where no byte of a body was sent.
        if hit.bytes == 0 { write!(self.line, "-") } else { write!(self.line, "{}", hit.bytes) }
    }

    fn combined(&mut self, record: &Record) -> io::Result<()> {
        self.common(record)?;
        let agent = self.trace.visitors[record.hit.visitor as usize].agent;
        for symbol in [record.hit.referrer, agent] {
            self.line.extend_from_slice(b" \"");
            match self.trace.text(symbol) {
                "" => self.line.push(b'-'),
                text => escape(&mut self.line, text),
            }
            self.line.push(b'"');
        }
        Ok(())
    }

    fn nginx(&mut self, record: &Record) -> io::Result<()> {
        let hit = &record.hit;
        let visitor = &self.trace.visitors[hit.visitor as usize];
        let took = record.took / 1_000;
        write!(
            self.line,
            "{{\"time_iso8601\":\"{}\",\"remote_addr\":\"{}\",\"host\":\"{HOST}\",\"request_method\":\"{}\",\"request_uri\":",
            self.stamp,
            visitor.address,
            hit.method.as_str()
        )?;
        json(&mut self.line, self.trace.text(hit.path));
        write!(
            self.line,
            ",\"server_protocol\":\"{}\",\"status\":{},\"body_bytes_sent\":{},\"request_time\":{}.{:03},\"http_referer\":",
            hit.version.as_str(),
            hit.status,
            hit.bytes,
            took / 1_000,
            took % 1_000
        )?;
        json(&mut self.line, self.trace.text(hit.referrer));
        self.line.extend_from_slice(b",\"http_user_agent\":");
        json(&mut self.line, self.trace.text(visitor.agent));
        self.line.extend_from_slice(b",\"http_accept_language\":");
        json(&mut self.line, self.trace.text(visitor.language));
        self.line.push(b'}');
        Ok(())
    }

    fn caddy(&mut self, record: &Record) -> io::Result<()> {
        let hit = &record.hit;
        let visitor = &self.trace.visitors[hit.visitor as usize];
        write!(
            self.line,
            "{{\"level\":\"info\",\"ts\":{}.{:06},\"logger\":\"http.log.access\",\"msg\":\"handled request\",\"request\":{{\
             \"remote_ip\":\"{}\",\"client_ip\":\"{}\",\"proto\":\"{}\",\"method\":\"{}\",\"host\":\"{HOST}\",\"uri\":",
            record.at.div_euclid(SECOND),
            record.at.rem_euclid(SECOND),
            visitor.address,
            visitor.address,
            hit.version.as_str(),
            hit.method.as_str()
        )?;
        json(&mut self.line, self.trace.text(hit.path));
        self.line.extend_from_slice(b",\"headers\":{");
        let mut first = true;
        for (name, value) in headers(self.trace, record) {
            if !first {
                self.line.push(b',');
            }
            first = false;
            json(&mut self.line, name);
            self.line.extend_from_slice(b":[");
            json(&mut self.line, value);
            self.line.push(b']');
        }
        write!(
            self.line,
            "}}}},\"bytes_read\":0,\"user_id\":\"\",\"duration\":{}.{:06},\"size\":{},\"status\":{},\"resp_headers\":{{}}}}",
            record.took / 1_000_000,
            record.took % 1_000_000,
            hit.bytes,
            hit.status
        )
    }
}

/// The header fields of a request beside `Host`, in a fixed order.
pub(super) fn headers<'a>(
    trace: &'a Trace,
    record: &Record,
) -> impl Iterator<Item = (&'static str, &'a str)> {
    let visitor = &trace.visitors[record.hit.visitor as usize];
    let browser = visitor.browser_headers;
    [
        ("User-Agent", trace.text(visitor.agent)),
        ("Accept-Language", trace.text(visitor.language)),
        ("Referer", trace.text(record.hit.referrer)),
        ("Accept-Encoding", if browser { "gzip, deflate, br, zstd" } else { "" }),
        ("Sec-Fetch-Site", if browser { fetch_site(trace.text(record.hit.referrer)) } else { "" }),
        ("Sec-Purpose", if record.hit.prefetch { "prefetch" } else { "" }),
        ("Via", if visitor.via { "1.1 proxy.example.net" } else { "" }),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
}

fn fetch_site(referrer: &str) -> &'static str {
    match referrer {
        "" => "none",
        own if own.starts_with(super::site::ORIGIN) => "same-origin",
        _ => "cross-site",
    }
}

/// Apache's escapes: quotes and backslashes by a backslash, control and foreign bytes as `\xhh`.
fn escape(line: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => line.extend_from_slice(&[b'\\', byte]),
            0x20..=0x7e => line.push(byte),
            _ => line.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
    }
}

/// A JSON string with its quotes.
pub(super) fn json(line: &mut Vec<u8>, text: &str) {
    line.push(b'"');
    for character in text.chars() {
        match character {
            '"' | '\\' => line.extend_from_slice(&[b'\\', character as u8]),
            '\0'..='\x1f' => line.extend_from_slice(format!("\\u{:04x}", character as u32).as_bytes()),
            _ => line.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    line.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::super::kind::ActorKind;
    use super::super::trace::{Hit, Method, Version, Visitor};
    use super::*;

    fn written(format: LogFormat) -> String {
        let mut trace = Trace::new(0, i64::MAX);
        let agent = trace.intern("a \"quoted\" \\ agent\u{7f}");
        let language = trace.intern("de");
        let path = trace.intern("/a?b=1");
        let referrer = trace.intern("https://www.example.org/");
        let visitor = trace.add_visitor(Visitor {
            address: "192.0.2.7".parse().unwrap(),
            agent,
            kind: ActorKind::HumanReader,
            actor: 0,
            language,
            browser_headers: true,
            via: true,
        });
        let hit = Hit {
            visitor,
            method: Method::Post,
            version: Version::H2,
            path,
            referrer,
            status: 303,
            bytes: 0,
            prefetch: true,
        };
        let record = Record { at: 1_772_409_661_250_000, took: 1_002_345, hit };
        let mut out = Vec::new();
        LineWriter::new(&trace, format).write(&mut out, &record).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_formats_are_those_of_apache() {
        let common = "192.0.2.7 - - [02/Mar/2026:00:01:01 +0000] \"POST /a?b=1 HTTP/2.0\" 303 -";
        let rest = " \"https://www.example.org/\" \"a \\\"quoted\\\" \\\\ agent\\x7f\"\n";
        assert_eq!(written(LogFormat::Common), format!("{common}\n"));
        assert_eq!(written(LogFormat::Combined), format!("{common}{rest}"));
        assert_eq!(written(LogFormat::VhostCombined), format!("www.example.org:443 {common}{rest}"));
    }

    #[test]
    fn json_formats_hold_the_same_request() {
        let nginx: serde_json::Value = serde_json::from_str(&written(LogFormat::NginxJson)).unwrap();
        assert_eq!(nginx["time_iso8601"], "2026-03-02T00:01:01+00:00");
        assert_eq!(nginx["http_user_agent"], "a \"quoted\" \\ agent\u{7f}");
        assert_eq!(nginx["request_time"], 1.002);
        let caddy: serde_json::Value = serde_json::from_str(&written(LogFormat::CaddyJson)).unwrap();
        assert_eq!(caddy["ts"], 1_772_409_661.25);
        assert_eq!(caddy["request"]["headers"]["Sec-Purpose"][0], "prefetch");
        assert_eq!(caddy["request"]["headers"]["Via"][0], "1.1 proxy.example.net");
        assert_eq!(caddy["status"], 303);
    }
}
