//! Formats that a site wrote itself, as nginx `log_format` or Apache `LogFormat` strings.

use memchr::memmem;

use super::fields::{Field, Fields, Span};
use super::format::ObservedFields;
use super::meaning::{self, Meaning, TimeUnit};
use super::scan::Quoted;
use super::time::Times;
use super::{BadLine, BadLineReason};

/// A compiled format string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomFormat {
    text: String,
    /// What a line begins with.
    start: Vec<u8>,
    values: Vec<Value>,
}

/// A value, and the text between it and the next.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Value {
    meaning: Meaning,
    /// Whether it stands between quotes, where servers escape.
    quoted: bool,
    after: Vec<u8>,
}

impl CustomFormat {
    /// Compiles an nginx format (with `$variables`) or an Apache one (with `%` directives).
    ///
    /// Surrounding single quotes are dropped. Variables that a record has no place for are skipped over.
    ///
    /// # Errors
    /// [`CustomFormatError`] when lines of the format could not give a request, or not be told apart.
    pub fn compile(text: &str) -> Result<Self, CustomFormatError> {
        let inner = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap_or(text);
        let pieces = if inner.contains('$') { nginx(inner) } else { apache(inner)? };
        let mut format = Self { text: text.to_owned(), start: Vec::new(), values: Vec::new() };
        for piece in pieces {
            match piece {
                Piece::Literal(bytes) => match format.values.last_mut() {
                    Some(value) => value.after.extend(bytes),
                    None => format.start.extend(bytes),
                },
                Piece::Value(meaning, name) => format.push_value(meaning, &name)?,
            }
        }
        format.complete()
    }

    /// The string it was compiled from.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The fields that stand in the string.
    pub(super) fn observes(&self) -> ObservedFields {
        self.values.iter().fold(ObservedFields::NONE, |seen, value| seen.with(value.meaning))
    }

    /// Reads one line; see [`LineParser::parse`](super::LineParser::parse).
    pub(super) fn parse(&self, times: &mut Times, line: &[u8], kept: &mut String) -> Result<Fields, BadLine> {
        let mut fields = Fields::default();
        if !line.starts_with(&self.start) {
            return Err(BadLine::at(BadLineReason::Mismatch, 0));
        }
        let mut at = self.start.len();
        for value in &self.values {
            let (end, escaped) =
                value.end(line, at).ok_or_else(|| BadLine::at(BadLineReason::Cut, line.len()))?;
            let span = Span::quoted(kept, line, &Quoted { from: at, to: end, escaped });
            fields.take(value.meaning, times, span, line, kept).map_err(|reason| BadLine::at(reason, at))?;
            at = end + value.after.len();
        }
        fields.join(times, line, kept);
        Ok(fields)
    }

    fn push_value(&mut self, meaning: Meaning, name: &str) -> Result<(), CustomFormatError> {
        let literals = std::iter::once(&self.start).chain(self.values.iter().map(|value| &value.after));
        let quoted = literals.flatten().filter(|&&byte| byte == b'"').count() % 2 == 1;
        if let Some(before) = self.values.last_mut().filter(|before| before.after.is_empty()) {
            // A path with its query behind it is a target; `$is_args` between them is part of it.
            if before.meaning != Meaning::Text(Field::Path) {
                return Err(CustomFormatError::Adjacent { name: name.to_owned() });
            }
            if meaning == Meaning::Text(Field::Query) {
                before.meaning = Meaning::Text(Field::Target);
            } else if name != "is_args" {
                return Err(CustomFormatError::Adjacent { name: name.to_owned() });
            }
            return Ok(());
        }
        self.values.push(Value { meaning, quoted, after: Vec::new() });
        Ok(())
    }

    /// Checks that a line can give a record.
    fn complete(self) -> Result<Self, CustomFormatError> {
        let has = |wanted: &[Meaning]| self.values.iter().any(|value| wanted.contains(&value.meaning));
        if !has(&[Meaning::Address, Meaning::Text(Field::ForwardedFor)]) {
            return Err(CustomFormatError::NoAddress);
        }
        if !has(&[Meaning::Time]) {
            return Err(CustomFormatError::NoTime);
        }
        if !has(&[Meaning::Request, Meaning::Text(Field::Target), Meaning::Text(Field::Path)]) {
            return Err(CustomFormatError::NoRequest);
        }
        Ok(self)
    }
}

impl Value {
    /// Where the value that begins at `from` ends, and whether a backslash is in it.
    fn end(&self, line: &[u8], from: usize) -> Option<(usize, bool)> {
        let rest = line.get(from..)?;
        if !self.quoted || self.after.first() != Some(&b'"') {
            let length = if self.after.is_empty() { rest.len() } else { memmem::find(rest, &self.after)? };
            return Some((from + length, self.quoted && rest[..length].contains(&b'\\')));
        }
        let mut escaped = false;
        let mut at = 0;
        loop {
            let found = at + memchr::memchr2(b'"', b'\\', rest.get(at..)?)?;
            if rest[found] == b'\\' {
                escaped = true;
                at = found + 2;
            } else if rest[found..].starts_with(&self.after) {
                return Some((from + found, escaped));
            } else {
                at = found + 1;
            }
        }
    }
}

enum Piece {
    Literal(Vec<u8>),
    Value(Meaning, String),
}

/// `$name` and `${name}`
fn nginx(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        pieces.push(Piece::Literal(rest.as_bytes()[..dollar].to_vec()));
        let after = &rest[dollar + 1..];
        let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let (name, then) = braced.unwrap_or_else(|| {
            let end = after.find(|char: char| !char.is_ascii_alphanumeric() && char != '_');
            after.split_at(end.unwrap_or(after.len()))
        });
        pieces.push(Piece::Value(meaning::nginx_variable(name), name.to_owned()));
        rest = then;
    }
    pieces.push(Piece::Literal(rest.as_bytes().to_vec()));
    pieces
}

/// `%h`, `%>s`, `%!200,304{Referer}i`, `\"` and `\t` as in Apache's configuration.
fn apache(text: &str) -> Result<Vec<Piece>, CustomFormatError> {
    let mut pieces = Vec::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some('t') => pieces.push(Piece::Literal(b"\t".to_vec())),
                Some(other) => pieces.push(Piece::Literal(other.to_string().into_bytes())),
                None => pieces.push(Piece::Literal(b"\\".to_vec())),
            },
            '%' => {
                let rest = chars.as_str();
                let modifiers = rest
                    .find(|char: char| !matches!(char, '<' | '>' | '!' | ',' | '0'..='9'))
                    .unwrap_or(rest.len());
                let directive = &rest[modifiers..];
                let (argument, directive) = match directive.strip_prefix('{') {
                    Some(inner) => {
                        let (argument, then) = inner
                            .split_once('}')
                            .ok_or_else(|| CustomFormatError::Directive { text: rest.to_owned() })?;
                        (Some(argument), then)
                    }
                    None => (None, directive),
                };
                let mut then = directive.chars();
                let letter =
                    then.next().ok_or_else(|| CustomFormatError::Directive { text: rest.to_owned() })?;
                chars = then;
                apache_directive(&mut pieces, argument, letter);
            }
            other => pieces.push(Piece::Literal(other.to_string().into_bytes())),
        }
    }
    Ok(pieces)
}

fn apache_directive(pieces: &mut Vec<Piece>, argument: Option<&str>, letter: char) {
    let name = argument.map_or_else(|| format!("%{letter}"), |argument| format!("%{{{argument}}}{letter}"));
    let meaning = match (letter, argument) {
        ('%', None) => {
            pieces.push(Piece::Literal(b"%".to_vec()));
            return;
        }
        ('t', None) => {
            pieces.push(Piece::Literal(b"[".to_vec()));
            pieces.push(Piece::Value(Meaning::Time, name));
            pieces.push(Piece::Literal(b"]".to_vec()));
            return;
        }
        ('h' | 'a', None) | ('a', Some("c")) => Meaning::Address,
        ('u', _) => Meaning::Text(Field::User),
        ('t', Some(pattern)) if apache_time(pattern) => Meaning::Time,
        ('r', _) => Meaning::Request,
        ('m', _) => Meaning::Text(Field::Method),
        ('U', _) => Meaning::Text(Field::Path),
        ('q', _) => Meaning::Text(Field::Query),
        ('H', _) => Meaning::Text(Field::Protocol),
        ('s', _) => Meaning::Status,
        ('b' | 'B' | 'O', _) => Meaning::Bytes,
        ('v' | 'V', _) => Meaning::Text(Field::Host),
        ('D', _) | ('T', Some("us")) => Meaning::Duration(TimeUnit::Microseconds),
        ('T', Some("ms")) => Meaning::Duration(TimeUnit::Milliseconds),
        ('T', None | Some("s")) => Meaning::Duration(TimeUnit::Seconds),
        ('i', Some(header)) => meaning::header(header),
        _ => Meaning::Nothing,
    };
    pieces.push(Piece::Value(meaning, name));
}

/// Whether a `%{...}t` pattern gives a time that is read here.
fn apache_time(pattern: &str) -> bool {
    let pattern = pattern.strip_prefix("begin:").or_else(|| pattern.strip_prefix("end:")).unwrap_or(pattern);
    let iso = pattern.starts_with("%Y-%m-%d") || pattern.starts_with("%F");
    matches!(pattern, "sec" | "msec" | "usec") || pattern.starts_with("%d/%b/%Y:") || iso
}

/// Why a format string gives no requests.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CustomFormatError {
    /// No variable holds the client's address (`$remote_addr`, `%h`, `%a`).
    #[error("the log format has no client address ($remote_addr, %h or %a)")]
    NoAddress,
    /// No variable holds a time that is read here (`$time_local`, `$time_iso8601`, `$msec`, `%t`).
    #[error("the log format has no time ($time_local, $time_iso8601, $msec or %t)")]
    NoTime,
    /// No variable holds the request (`$request`, `$request_uri`, `$uri`, `%r`, `%U`).
    #[error("the log format has no request ($request, $request_uri, %r or %U)")]
    NoRequest,
    /// Two variables stand side by side, so that nothing says where one ends.
    #[error("{name} in the log format follows another value with nothing between them")]
    Adjacent {
        /// The second of the two.
        name: String,
    },
    /// A `%` is followed by no directive.
    #[error("%{text} in the log format is no directive")]
    Directive {
        /// What follows the `%`.
        text: String,
    },
}
