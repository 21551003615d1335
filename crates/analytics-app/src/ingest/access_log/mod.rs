//! One line of an access log in, one request out.
//!
//! A [`LineParser`] holds the format and what a format carries from line to line (the day last seen, the
//! `#Fields` header). Lines come as bytes. Text that is not UTF-8 is replaced by U+FFFD where it is wrong, so the
//! record survives. The common path allocates nothing: text borrows from the line, or, where a log escaped it,
//! from the caller's [`Scratch`].
//!
//! ```
//! use analytics_app::ingest::access_log::{LineParser, LogFormat, Scratch};
//!
//! let line = br#"192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "GET /a?b=1 HTTP/1.1" 200 2326 "-" "Mozilla/5.0""#;
//! let mut parser = LineParser::new(LogFormat::Combined);
//! let mut scratch = Scratch::default();
//! let record = parser.parse(&mut scratch, line).expect("well formed").expect("not a comment");
//! assert_eq!((record.method, record.target, record.status), ("GET", "/a?b=1", Some(200)));
//! assert_eq!((record.referrer, record.user_agent), (None, Some("Mozilla/5.0")));
//!
//! let cut = parser.parse(&mut scratch, br#"192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "GET /a"#);
//! assert_eq!(cut.expect_err("the line ends inside the request").column, 51);
//! ```

use std::net::IpAddr;

use chrono::{DateTime, Utc};

mod address;
mod alb;
mod clf;
mod custom;
mod detect;
mod fields;
mod format;
mod json;
mod meaning;
mod scan;
#[cfg(test)]
mod tests;
mod time;
mod w3c;

pub use custom::{CustomFormat, CustomFormatError};
pub use format::{FormatError, LogFormat, ObservedFields};

use address::Addresses;
use clf::Shape;
use json::Flavour;
use time::Times;
use w3c::{Columns, Writer};

/// One request as a log recorded it.
///
/// Text is as the client sent it, after the log's own escaping is undone. `None` means that the log does not have
/// the field or has `-` or nothing in it; [`LogFormat::observes`] tells "not recorded" from "not sent".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord<'a> {
    /// When the server logged the request, in whole microseconds. Servers log at the end of a request or at its
    /// start; formats differ, and most have whole seconds only.
    pub at: DateTime<Utc>,
    /// Who connected, IPv4-mapped IPv6 as IPv4, without a port. A proxy's address where the site stands behind one.
    pub peer: IpAddr,
    /// Request method as sent; empty when the request line was no HTTP (a TLS handshake on a plain port, `-` for a
    /// connection that sent nothing, a probe for another protocol).
    pub method: &'a str,
    /// Path with query as sent, percent-encoding kept; empty when `method` is.
    pub target: &'a str,
    /// Such as `HTTP/1.1`; `None` also for HTTP/0.9, which sends none.
    pub protocol: Option<&'a str>,
    /// Response status as logged, 0 to 999; nginx logs its own 444 and 499, Caddy 0 for an aborted response.
    pub status: Option<u16>,
    /// Bytes of the response, with or without the header part according to the format.
    pub bytes: Option<u64>,
    /// `Referer` header.
    pub referrer: Option<&'a str>,
    /// `User-Agent` header.
    pub user_agent: Option<&'a str>,
    /// Name of the site asked for, without a port.
    pub host: Option<&'a str>,
    /// `X-Forwarded-For` header, the whole list. Anyone can send one: trust it only from a trusted proxy.
    pub forwarded_for: Option<&'a str>,
    /// Authenticated user, or whatever the site logs in that place.
    pub user: Option<&'a str>,
    /// Time taken to answer, in microseconds.
    pub duration_us: Option<u64>,
    /// `Accept` header.
    pub accept: Option<&'a str>,
    /// `Accept-Language` header.
    pub accept_language: Option<&'a str>,
    /// `Accept-Encoding` header.
    pub accept_encoding: Option<&'a str>,
    /// `Sec-Fetch-Site` header.
    pub sec_fetch_site: Option<&'a str>,
    /// `Sec-Fetch-Mode` header.
    pub sec_fetch_mode: Option<&'a str>,
    /// `Sec-Fetch-Dest` header.
    pub sec_fetch_dest: Option<&'a str>,
    /// `Sec-Fetch-User` header.
    pub sec_fetch_user: Option<&'a str>,
    /// `Sec-CH-UA` header.
    pub sec_ch_ua: Option<&'a str>,
}

impl LogRecord<'_> {
    /// A record of which only the time and the address are known.
    const fn bare(at: DateTime<Utc>, peer: IpAddr) -> Self {
        Self {
            at,
            peer,
            method: "",
            target: "",
            protocol: None,
            status: None,
            bytes: None,
            referrer: None,
            user_agent: None,
            host: None,
            forwarded_for: None,
            user: None,
            duration_us: None,
            accept: None,
            accept_language: None,
            accept_encoding: None,
            sec_fetch_site: None,
            sec_fetch_mode: None,
            sec_fetch_dest: None,
            sec_fetch_user: None,
            sec_ch_ua: None,
        }
    }
}

/// Turns the lines of one log into records.
///
/// Use one parser a log, or one a thread: then call [`enter`](Self::enter) at the start of each block of lines, since
/// the `#Fields` header in force may stand in another thread's block.
#[derive(Debug, Clone)]
pub struct LineParser {
    format: LogFormat,
    times: Times,
    addresses: Addresses,
    /// The columns of a W3C log.
    columns: Option<Columns>,
}

impl LineParser {
    /// A parser for `format` that has seen no line yet.
    pub fn new(format: LogFormat) -> Self {
        let columns = writer(&format).map(Columns::of);
        Self { format, times: Times::default(), addresses: Addresses::default(), columns }
    }

    /// Starts a block of lines in which `header`, a `#Fields` line, is in force; with `None` the format's default is.
    ///
    /// Changes nothing for formats without headers.
    pub fn enter(&mut self, header: Option<&[u8]>) {
        if let Some(columns) = &mut self.columns {
            columns.enter(header);
        }
    }

    /// The format this parser reads.
    pub fn format(&self) -> &LogFormat {
        &self.format
    }

    /// The record of `line`, or `None` for a line that records no request (empty, comment, header).
    ///
    /// `line` is without its line feed; a carriage return before it is ignored. `scratch` holds decoded text for
    /// as long as the record lives; keep one and pass it again.
    ///
    /// # Errors
    /// [`BadLine`] with the first thing missing, looked for in this order: length, structure, address, time,
    /// request, status. No input panics.
    pub fn parse<'a>(
        &mut self,
        scratch: &'a mut Scratch,
        line: &'a [u8],
    ) -> Result<Option<LogRecord<'a>>, BadLine> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > MAX_LINE_BYTES {
            return Err(BadLine { reason: BadLineReason::TooLong, column: MAX_LINE_BYTES });
        }
        let Scratch { repaired, kept, rewritten } = scratch;
        if let Ok(text) = simdutf8::basic::from_utf8(line) {
            return self.record(text, kept, rewritten);
        }
        repaired.clear();
        scan::push_lossy(repaired, line);
        self.record(repaired, kept, rewritten)
            .map_err(|bad| BadLine { column: scan::column_before_repair(line, bad.column), ..bad })
    }

    /// Like [`parse`](Self::parse), for a line that is known to be UTF-8.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_text<'a>(
        &mut self,
        scratch: &'a mut Scratch,
        line: &'a str,
    ) -> Result<Option<LogRecord<'a>>, BadLine> {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.len() > MAX_LINE_BYTES {
            return Err(BadLine { reason: BadLineReason::TooLong, column: MAX_LINE_BYTES });
        }
        self.record(line, &mut scratch.kept, &mut scratch.rewritten)
    }

    fn record<'a>(
        &mut self,
        text: &'a str,
        kept: &'a mut String,
        rewritten: &'a mut String,
    ) -> Result<Option<LogRecord<'a>>, BadLine> {
        if text.is_empty() {
            return Ok(None);
        }
        kept.clear();
        let times = &mut self.times;
        if self.format == LogFormat::Combined
            && let Some(record) = clf::usual(times, &mut self.addresses, text)
        {
            return Ok(Some(record));
        }
        let shape = match &self.format {
            LogFormat::Combined | LogFormat::CombinedForwarded => Shape::Combined,
            LogFormat::Common => Shape::Common,
            LogFormat::VhostCombined => Shape::VhostCombined,
            LogFormat::NginxJson => return parse_json(Flavour::Nginx, times, text, kept, rewritten),
            LogFormat::CaddyJson => return parse_json(Flavour::Caddy, times, text, kept, rewritten),
            LogFormat::TraefikJson => return parse_json(Flavour::Traefik, times, text, kept, rewritten),
            LogFormat::Alb => return alb::parse(times, text.as_bytes(), kept)?.resolve(text, kept).map(Some),
            LogFormat::Custom(format) => {
                return format.parse(times, text.as_bytes(), kept)?.resolve(text, kept).map(Some);
            }
            LogFormat::CloudFront => {
                return parse_w3c(&mut self.columns, Writer::CloudFront, times, text, kept);
            }
            LogFormat::IisW3c => return parse_w3c(&mut self.columns, Writer::Iis, times, text, kept),
        };
        clf::parse(shape, times, text.as_bytes(), kept)?.resolve(text, kept).map(Some)
    }
}

/// Reads a line of a W3C log, which may be a directive.
fn parse_w3c<'a>(
    columns: &mut Option<Columns>,
    writer: Writer,
    times: &mut Times,
    text: &'a str,
    kept: &'a mut String,
) -> Result<Option<LogRecord<'a>>, BadLine> {
    let columns = columns.get_or_insert_with(|| Columns::of(writer));
    let fields = columns.parse(times, text.as_bytes(), kept)?;
    fields.map(|fields| fields.resolve(text, kept)).transpose()
}

/// Reads a JSON line, once more with its escapes mended when it is no JSON because of them.
fn parse_json<'a>(
    flavour: Flavour,
    times: &mut Times,
    text: &'a str,
    kept: &'a mut String,
    rewritten: &'a mut String,
) -> Result<Option<LogRecord<'a>>, BadLine> {
    match json::parse(flavour, times, text, kept) {
        Ok(fields) => fields.map(|fields| fields.resolve(text, kept)).transpose(),
        Err(BadLine { reason: BadLineReason::NotJson, column })
            if json::with_json_escapes(text, rewritten) =>
        {
            kept.clear();
            let fields =
                json::parse(flavour, times, rewritten, kept).map_err(|bad| BadLine { column, ..bad })?;
            fields.map(|fields| fields.resolve(rewritten, kept)).transpose()
        }
        Err(bad) => Err(bad),
    }
}

/// Who writes W3C logs of this format; `None` for the other formats.
fn writer(format: &LogFormat) -> Option<Writer> {
    match format {
        LogFormat::CloudFront => Some(Writer::CloudFront),
        LogFormat::IisW3c => Some(Writer::Iis),
        LogFormat::Combined
        | LogFormat::CombinedForwarded
        | LogFormat::Common
        | LogFormat::VhostCombined
        | LogFormat::NginxJson
        | LogFormat::CaddyJson
        | LogFormat::TraefikJson
        | LogFormat::Alb
        | LogFormat::Custom(_) => None,
    }
}

/// Room for text that differs from the bytes of the line; its content means nothing between two lines.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    /// The line with invalid UTF-8 replaced.
    repaired: String,
    /// Fields with escapes undone.
    kept: String,
    /// A JSON line with its escapes mended.
    rewritten: String,
}

/// Why a line gave no record, and where in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at column {column}")]
pub struct BadLine {
    /// The first thing missing.
    pub reason: BadLineReason,
    /// Byte position in the line, from 1, at which it was looked for.
    pub column: usize,
}

impl BadLine {
    /// A failure at `offset` bytes into the line.
    fn at(reason: BadLineReason, offset: usize) -> Self {
        Self { reason, column: offset + 1 }
    }
}

/// What a line lacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum BadLineReason {
    /// Longer than [`MAX_LINE_BYTES`].
    #[error("line is longer than 65536 bytes")]
    TooLong,
    /// The line ends before the format's last field does.
    #[error("line ends before its last field")]
    Cut,
    /// No field holds a client address: a host name, an anonymised `-`, or another format.
    #[error("no client address")]
    NoAddress,
    /// No time where the format has it, or a date or time of day that does not exist, or a year before 1970.
    #[error("no time")]
    NoTime,
    /// No request where the format has it.
    #[error("no request")]
    NoRequest,
    /// A JSON format, and the line is no JSON object.
    #[error("not a JSON object")]
    NotJson,
    /// A format string, and the line does not begin as it does.
    #[error("line does not have the form of the format")]
    Mismatch,
    /// The status is neither `-` nor a number of at most three digits.
    #[error("no status")]
    NoStatus,
}

/// The longest line that is parsed, in bytes: 64 KiB.
///
/// Servers bound a request line and each header at 8 KiB by default (Apache `LimitRequestLine` 8190, nginx
/// `large_client_header_buffers` 8k), and an escape takes four bytes for one, so an honest line stays below it.
pub const MAX_LINE_BYTES: usize = 64 * 1024;
