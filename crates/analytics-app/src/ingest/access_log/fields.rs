//! What the formats fill in while they read a line: places of text instead of text, so that decoding can append to
//! one buffer while earlier fields already point into it.

use std::net::IpAddr;

use chrono::DateTime;

use super::{BadLine, BadLineReason, LogRecord, scan};

/// A line half read.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// Microseconds since 1970.
    pub(super) micros: Option<i64>,
    pub(super) peer: Option<IpAddr>,
    pub(super) status: Option<u16>,
    pub(super) bytes: Option<u64>,
    pub(super) duration_us: Option<u64>,
    text: [Span; FIELD_COUNT],
}

/// A text field of a record.
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
}
const FIELD_COUNT: usize = Field::User as usize + 1;

/// Where the text of a field stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Span {
    #[default]
    Absent,
    /// Bytes of the line.
    Line(u32, u32),
    /// Bytes of the decoded text.
    Kept(u32, u32),
}

impl Fields {
    /// Takes `line[from..to]` as the text of `field`; `-` and nothing mean absent.
    pub(super) fn set(&mut self, field: Field, line: &[u8], from: usize, to: usize) {
        let absent = from >= to || line.get(from..to) == Some(b"-");
        self.text[field as usize] = if absent { Span::Absent } else { Span::Line(from as u32, to as u32) };
    }

    /// Like [`set`](Self::set), with the escapes of Apache and nginx undone when there are any.
    pub(super) fn set_quoted(&mut self, kept: &mut String, field: Field, line: &[u8], quoted: &scan::Quoted) {
        if quoted.escaped {
            let from = kept.len();
            scan::push_unescaped(kept, &line[quoted.from..quoted.to]);
            self.set_kept(field, kept, from);
        } else {
            self.set(field, line, quoted.from, quoted.to);
        }
    }

    /// Takes what was appended to `kept` since `from` as the text of `field`.
    pub(super) fn set_kept(&mut self, field: Field, kept: &str, from: usize) {
        let absent = matches!(&kept[from..], "" | "-");
        self.text[field as usize] =
            if absent { Span::Absent } else { Span::Kept(from as u32, kept.len() as u32) };
    }

    /// Splits a request line into method, target and protocol; leaves all three absent when it is no HTTP.
    pub(super) fn set_request(&mut self, kept: &mut String, line: &[u8], quoted: &scan::Quoted) {
        if quoted.escaped {
            let base = kept.len();
            scan::push_unescaped(kept, &line[quoted.from..quoted.to]);
            if let Some(parts) = scan::request(&kept.as_bytes()[base..]) {
                self.set_parts(&parts, |from, to| Span::Kept((base + from) as u32, (base + to) as u32));
            }
        } else if let Some(parts) = scan::request(&line[quoted.from..quoted.to]) {
            let base = quoted.from;
            self.set_parts(&parts, |from, to| Span::Line((base + from) as u32, (base + to) as u32));
        }
    }

    fn set_parts(&mut self, parts: &scan::RequestParts, span: impl Fn(usize, usize) -> Span) {
        self.text[Field::Method as usize] = span(0, parts.method_end);
        self.text[Field::Target as usize] = span(parts.method_end + 1, parts.target_end);
        if let Some((from, to)) = parts.protocol {
            self.text[Field::Protocol as usize] = span(from, to);
        }
    }

    /// The text of `field` so far.
    pub(super) fn get<'a>(&self, field: Field, line: &'a str, kept: &'a str) -> Option<&'a str> {
        let (text, from, to) = match self.text[field as usize] {
            Span::Absent => return None,
            Span::Line(from, to) => (line, from, to),
            Span::Kept(from, to) => (kept, from, to),
        };
        let found = text.get(from as usize..to as usize);
        debug_assert!(found.is_some(), "spans begin and end beside ASCII delimiters");
        found
    }

    /// The record.
    ///
    /// # Errors
    /// [`BadLineReason::NoAddress`] or [`BadLineReason::NoTime`] when the line had none. Where the address field is
    /// empty and a forwarded-for list is there, its last entry, which the nearest proxy wrote, stands in.
    pub(super) fn resolve<'a>(self, line: &'a str, kept: &'a str) -> Result<LogRecord<'a>, BadLine> {
        let forwarded_for = self.get(Field::ForwardedFor, line, kept);
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
            method: self.get(Field::Method, line, kept).unwrap_or_default(),
            target: self.get(Field::Target, line, kept).unwrap_or_default(),
            protocol: self.get(Field::Protocol, line, kept),
            status: self.status,
            bytes: self.bytes,
            referrer: self.get(Field::Referrer, line, kept),
            user_agent: self.get(Field::UserAgent, line, kept),
            host: self.get(Field::Host, line, kept),
            forwarded_for,
            user: self.get(Field::User, line, kept),
            duration_us: self.duration_us,
            accept: None,
            accept_language: None,
            accept_encoding: None,
            sec_fetch_site: None,
            sec_fetch_mode: None,
            sec_fetch_dest: None,
            sec_fetch_user: None,
            sec_ch_ua: None,
        })
    }
}
