//! W3C extended logs: IIS, separated by spaces, and Amazon `CloudFront`, separated by tabs.

use super::fields::{Field, Fields, Span};
use super::format::ObservedFields;
use super::meaning::{self, Meaning, TimeUnit};
use super::scan;
use super::time::Times;
use super::{BadLine, BadLineReason};

/// Who wrote the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writer {
    Iis,
    CloudFront,
}

/// The columns in force: those of the last `#Fields` line, at first the writer's own default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    writer: Writer,
    columns: Vec<Column>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Column {
    meaning: Meaning,
    decoding: Decoding,
}

/// How a writer hides the spaces in a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decoding {
    None,
    /// IIS writes `+` for a space.
    Plus,
    /// `CloudFront` percent-encodes, at times twice.
    Percent,
}

impl Columns {
    /// The columns that `writer` writes unless told otherwise.
    pub(super) fn of(writer: Writer) -> Self {
        let names = match writer {
            Writer::Iis => IIS_COLUMNS,
            Writer::CloudFront => CLOUDFRONT_COLUMNS,
        };
        let mut columns = Self { writer, columns: Vec::new() };
        columns.read_header(names.as_bytes());
        columns
    }

    /// Puts the columns of `header` in force, a line that begins with `#Fields:`, or the writer's own.
    pub(super) fn enter(&mut self, header: Option<&[u8]>) {
        match header.and_then(|line| line.strip_prefix(b"#Fields:")) {
            Some(names) => self.read_header(names),
            None => *self = Self::of(self.writer),
        }
    }

    /// The fields that the columns show.
    pub(super) fn observes(&self) -> ObservedFields {
        self.columns.iter().fold(ObservedFields::NONE, |seen, column| seen.with(column.meaning))
    }

    /// Reads one line, or gives `None` for a directive; see [`LineParser::parse`](super::LineParser::parse).
    pub(super) fn parse(
        &mut self,
        times: &mut Times,
        line: &[u8],
        kept: &mut String,
    ) -> Result<Option<Fields>, BadLine> {
        if let Some(directive) = line.strip_prefix(b"#") {
            if let Some(names) = directive.strip_prefix(b"Fields:") {
                self.read_header(names);
            }
            return Ok(None);
        }
        let separator = match self.writer {
            Writer::Iis => b' ',
            Writer::CloudFront => b'\t',
        };
        let mut fields = Fields::default();
        let mut at = 0;
        for (index, column) in self.columns.iter().enumerate() {
            let end = memchr::memchr(separator, &line[at..]).map(|length| at + length);
            if end.is_none() && index + 1 < self.columns.len() {
                return Err(BadLine::at(BadLineReason::Cut, line.len()));
            }
            let to = end.unwrap_or(line.len());
            let span = column.decode(kept, line, at, to);
            fields.take(column.meaning, times, span, line, kept).map_err(|reason| BadLine::at(reason, at))?;
            at = (to + 1).min(line.len());
        }
        fields.join(times, line, kept);
        Ok(Some(fields))
    }

    fn read_header(&mut self, names: &[u8]) {
        let writer = self.writer;
        self.columns = names
            .split(u8::is_ascii_whitespace)
            .filter(|name| !name.is_empty())
            .map(|name| Column::named(writer, &String::from_utf8_lossy(name)))
            .collect();
    }
}

impl Column {
    fn named(writer: Writer, name: &str) -> Self {
        let meaning = match name {
            "date" => Meaning::Text(Field::Day),
            "time" => Meaning::Text(Field::TimeOfDay),
            "c-ip" => Meaning::Address,
            "cs-method" => Meaning::Text(Field::Method),
            "cs-uri-stem" => Meaning::Text(Field::Path),
            "cs-uri-query" => Meaning::Text(Field::Query),
            "cs-uri" => Meaning::Text(Field::Target),
            "cs-version" | "cs-protocol-version" => Meaning::Text(Field::Protocol),
            "cs-username" => Meaning::Text(Field::User),
            "sc-status" => Meaning::Status,
            "sc-bytes" => Meaning::Bytes,
            "cs-host" | "x-host-header" => Meaning::Text(Field::Host),
            "time-taken" => Meaning::Duration(match writer {
                Writer::Iis => TimeUnit::Milliseconds,
                Writer::CloudFront => TimeUnit::Seconds,
            }),
            _ => {
                let header = name.strip_prefix("cs(").and_then(|inner| inner.strip_suffix(')'));
                match (writer, meaning::header(header.unwrap_or(name))) {
                    // CloudFront's own name; what the client asked for is `x-host-header`.
                    (Writer::CloudFront, Meaning::Text(Field::Host)) => Meaning::Nothing,
                    (_, meaning) => meaning,
                }
            }
        };
        let decoding = match (writer, meaning) {
            (Writer::Iis, Meaning::Text(Field::UserAgent | Field::AcceptLanguage | Field::ForwardedFor)) => {
                Decoding::Plus
            }
            (Writer::CloudFront, Meaning::Text(Field::UserAgent | Field::Referrer | Field::ForwardedFor)) => {
                Decoding::Percent
            }
            _ => Decoding::None,
        };
        Self { meaning, decoding }
    }

    /// The value with its spaces back.
    fn decode(self, kept: &mut String, line: &[u8], from: usize, to: usize) -> Span {
        let value = &line[from..to];
        let start = kept.len();
        match self.decoding {
            Decoding::Plus if value.contains(&b'+') => {
                let spaced: Vec<u8> =
                    value.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
                scan::push_lossy(kept, &spaced);
            }
            Decoding::Percent if value.contains(&b'%') => {
                let once = scan::percent_decoded(value);
                let twice = memchr::memmem::find(&once, b"%20").map(|_| scan::percent_decoded(&once));
                scan::push_lossy(kept, &twice.unwrap_or(once));
            }
            Decoding::None | Decoding::Plus | Decoding::Percent => return Span::line(from, to),
        }
        Span::kept(kept, start)
    }
}

/// What IIS 7 and later log by default.
const IIS_COLUMNS: &str = "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip \
    cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken";

/// The columns of `CloudFront`'s standard log, which has the same 33 for everyone.
const CLOUDFRONT_COLUMNS: &str = "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status \
    cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header \
    cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type \
    cs-protocol-version fle-status fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type \
    sc-content-type sc-content-len sc-range-start sc-range-end";
