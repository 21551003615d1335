//! What the formats fill in while they read a line: places of text instead of text, so that decoding can append to
//! one buffer while earlier fields already point into it.

use std::net::IpAddr;

use chrono::DateTime;

use super::meaning::{Meaning, TimeUnit};
use super::scan::{self, Quoted};
use super::time::{self, Times};
use super::{BadLine, BadLineReason, LogRecord};

/// A line half read.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// Microseconds since 1970.
    pub(super) micros: Option<i64>,
    pub(super) peer: Option<IpAddr>,
    pub(super) status: Option<u16>,
    pub(super) bytes: Option<u64>,
    pub(super) duration_us: Option<u64>,
    text: [Option<Span>; FIELD_COUNT],
}

/// A text field of a record, and what some formats build one from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Method,
    Target,
    Protocol,
    Referrer,
    UserAgent,
    Host,
    ForwardedFor,
    User,
    Accept,
    AcceptLanguage,
    AcceptEncoding,
    SecFetchSite,
    SecFetchMode,
    SecFetchDest,
    SecFetchUser,
    SecChUa,
    /// The target without its query.
    Path,
    /// The query, with `?` before it or without.
    Query,
    /// The day, where it has a field of its own.
    Day,
    /// The time of day, where it has a field of its own.
    TimeOfDay,
}
const FIELD_COUNT: usize = Field::TimeOfDay as usize + 1;

/// A piece of the line, or of the decoded text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    kept: bool,
    from: u32,
    to: u32,
}

impl Span {
    /// `line[from..to]`
    pub(super) fn line(from: usize, to: usize) -> Self {
        Self { kept: false, from: from as u32, to: to as u32 }
    }

    /// What was appended to `kept` since it was `from` bytes long.
    pub(super) fn kept(kept: &str, from: usize) -> Self {
        Self { kept: true, from: from as u32, to: kept.len() as u32 }
    }

    /// The quoted field, with the escapes of Apache and nginx undone when there are any.
    pub(super) fn quoted(kept: &mut String, line: &[u8], quoted: &Quoted) -> Self {
        if !quoted.escaped {
            return Self::line(quoted.from, quoted.to);
        }
        let from = kept.len();
        scan::push_unescaped(kept, &line[quoted.from..quoted.to]);
        Self::kept(kept, from)
    }

    pub(super) fn bytes<'a>(self, line: &'a [u8], kept: &'a str) -> &'a [u8] {
        let source = if self.kept { kept.as_bytes() } else { line };
        &source[self.from as usize..self.to as usize]
    }

    /// The part of this span from `from` to `to`.
    fn part(self, from: usize, to: usize) -> Self {
        Self { kept: self.kept, from: self.from + from as u32, to: self.from + to as u32 }
    }
}

impl Fields {
    /// Takes `span` as the text of `field`; `-` and nothing mean absent.
    pub(super) fn set(&mut self, field: Field, span: Span, line: &[u8], kept: &str) {
        self.text[field as usize] = match span.bytes(line, kept) {
            b"" | b"-" => None,
            _ => Some(span),
        };
    }

    /// Splits a request line into method, target and protocol; leaves all three absent when it is no HTTP.
    pub(super) fn set_request(&mut self, span: Span, line: &[u8], kept: &str) {
        if let Some(parts) = scan::request(span.bytes(line, kept)) {
            self.text[Field::Method as usize] = Some(span.part(0, parts.method_end));
            self.text[Field::Target as usize] = Some(span.part(parts.method_end + 1, parts.target_end));
            self.text[Field::Protocol as usize] = parts.protocol.map(|(from, to)| span.part(from, to));
        }
    }

    /// Takes `name:port` as the host.
    pub(super) fn set_host(&mut self, span: Span, line: &[u8], kept: &str) {
        let length = scan::without_port(span.bytes(line, kept)).len();
        self.set(Field::Host, span.part(0, length), line, kept);
    }

    /// Takes `span` as what `meaning` says it is.
    ///
    /// # Errors
    /// [`BadLineReason::NoTime`] or [`BadLineReason::NoStatus`] for a time or status that is none.
    pub(super) fn take(
        &mut self,
        meaning: Meaning,
        times: &mut Times,
        span: Span,
        line: &[u8],
        kept: &str,
    ) -> Result<(), BadLineReason> {
        let bytes = span.bytes(line, kept);
        match meaning {
            Meaning::Nothing => {}
            Meaning::Text(Field::Host) => self.set_host(span, line, kept),
            Meaning::Text(field) => self.set(field, span, line, kept),
            Meaning::Request => self.set_request(span, line, kept),
            Meaning::Address => self.peer = scan::address(bytes).or(self.peer),
            Meaning::Status => {
                self.status = if bytes.is_empty() {
                    None
                } else {
                    scan::status(bytes).map_err(|()| BadLineReason::NoStatus)?
                }
            }
            Meaning::Bytes => self.bytes = scan::number(bytes),
            Meaning::Time => {
                let micros = times.clf(bytes).or_else(|| times.iso(bytes)).or_else(|| time::epoch(bytes));
                self.micros = Some(micros.ok_or(BadLineReason::NoTime)?);
            }
            Meaning::Duration(unit) => self.duration_us = duration(unit, bytes),
        }
        Ok(())
    }

    /// Makes up time and target from their parts where the format has parts.
    pub(super) fn join(&mut self, times: &mut Times, line: &[u8], kept: &mut String) {
        let bytes = |field: Field| self.text[field as usize].map(|span| span.bytes(line, kept));
        if self.micros.is_none()
            && let (Some(day), Some(time)) = (bytes(Field::Day), bytes(Field::TimeOfDay))
        {
            self.micros = times.day_and_time(day, time);
        }
        if self.text[Field::Target as usize].is_none()
            && let Some(path) = self.text[Field::Path as usize]
        {
            self.text[Field::Target as usize] = match self.text[Field::Query as usize] {
                None => Some(path),
                Some(query) => {
                    let query = query.bytes(line, kept);
                    let query = query.strip_prefix(b"?").unwrap_or(query);
                    let target = [path.bytes(line, kept), b"?", query].concat();
                    let from = kept.len();
                    scan::push_lossy(kept, &target);
                    Some(Span::kept(kept, from))
                }
            };
        }
    }

    /// Makes a path of a target that is an absolute URL, and the host of what stands before the path.
    pub(super) fn split_absolute_target(&mut self, line: &[u8], kept: &mut String) {
        let Some(span) = self.text[Field::Target as usize] else { return };
        let target = span.bytes(line, kept);
        let Some(scheme) = memchr::memmem::find(target, b"://")
            .filter(|&at| target[..at].iter().all(u8::is_ascii_alphanumeric))
        else {
            return;
        };
        let authority = scheme + 3;
        let path = target[authority..].iter().position(|byte| matches!(byte, b'/' | b'?'));
        let (path_from, end) = (path.map_or(target.len(), |at| authority + at), target.len());
        self.set_host(span.part(authority, path_from), line, kept);
        self.text[Field::Target as usize] = if path.is_some() {
            Some(span.part(path_from, end))
        } else {
            let from = kept.len();
            kept.push('/');
            Some(Span::kept(kept, from))
        };
    }

    /// Whether the text of `field` is there.
    pub(super) fn has(&self, field: Field) -> bool {
        self.text[field as usize].is_some()
    }

    /// The record.
    ///
    /// # Errors
    /// [`BadLineReason::NoAddress`] or [`BadLineReason::NoTime`] when the line had none. Where the address field is
    /// empty and a forwarded-for list is there, its last entry, which the nearest proxy wrote, stands in.
    pub(super) fn resolve<'a>(&self, line: &'a str, kept: &'a str) -> Result<LogRecord<'a>, BadLine> {
        let text = |field: Field| -> Option<&'a str> {
            let span = self.text[field as usize]?;
            let source = if span.kept { kept } else { line };
            let found = source.get(span.from as usize..span.to as usize);
            debug_assert!(found.is_some(), "spans begin and end beside ASCII delimiters");
            found
        };
        let forwarded_for = text(Field::ForwardedFor);
        let peer = match self.peer {
            Some(peer) => peer,
            None => forwarded_for
                .and_then(|list| scan::address(list.rsplit(',').next()?.trim().as_bytes()))
                .ok_or_else(|| BadLine::at(BadLineReason::NoAddress, 0))?,
        };
        let at = self
            .micros
            .and_then(DateTime::from_timestamp_micros)
            .ok_or_else(|| BadLine::at(BadLineReason::NoTime, 0))?;
        Ok(LogRecord {
            at,
            peer,
            method: text(Field::Method).unwrap_or_default(),
            target: text(Field::Target).unwrap_or_default(),
            protocol: text(Field::Protocol),
            status: self.status,
            bytes: self.bytes,
            referrer: text(Field::Referrer),
            user_agent: text(Field::UserAgent),
            host: text(Field::Host),
            forwarded_for,
            user: text(Field::User),
            duration_us: self.duration_us,
            accept: text(Field::Accept),
            accept_language: text(Field::AcceptLanguage),
            accept_encoding: text(Field::AcceptEncoding),
            sec_fetch_site: text(Field::SecFetchSite),
            sec_fetch_mode: text(Field::SecFetchMode),
            sec_fetch_dest: text(Field::SecFetchDest),
            sec_fetch_user: text(Field::SecFetchUser),
            sec_ch_ua: text(Field::SecChUa),
        })
    }
}

/// A time taken, written in `unit`, in microseconds.
fn duration(unit: TimeUnit, bytes: &[u8]) -> Option<u64> {
    // Several numbers stand there when nginx tried several upstreams; none is the whole.
    match unit {
        TimeUnit::Seconds => scan::seconds_to_micros(bytes),
        TimeUnit::Milliseconds => scan::seconds_to_micros(bytes).map(|micros| micros / 1000),
        TimeUnit::Microseconds => scan::number(bytes),
        TimeUnit::Nanoseconds => scan::number(bytes).map(|nanos| nanos / 1000),
    }
}
