//! JSON lines, as nginx, Caddy and Traefik write them.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::fields::{Field, Fields, Span};
use super::meaning::{self, Meaning, TimeUnit};
use super::scan;
use super::time::{self, Times};
use super::{BadLine, BadLineReason};

/// Whose keys the objects have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flavour {
    /// Keys named after nginx variables, or as sites like.
    Nginx,
    Caddy,
    Traefik,
}

/// Reads one line, or gives `None` for an object that records no request; see
/// [`LineParser::parse`](super::LineParser::parse).
///
/// Caddy and Traefik write other messages into the same stream; they are no bad lines.
pub(super) fn parse(
    flavour: Flavour,
    times: &mut Times,
    line: &str,
    kept: &mut String,
) -> Result<Option<Fields>, BadLine> {
    let mut reading = Reading {
        flavour,
        times,
        line,
        kept,
        fields: Fields::default(),
        bad: None,
        other: false,
        is_request: false,
        client: None,
    };
    let mut deserializer = serde_json::Deserializer::from_str(line);
    let whole = Object { reading: &mut reading, level: Level::Top }
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    if let Err(error) = whole {
        let reason = match error.classify() {
            serde_json::error::Category::Eof => BadLineReason::Cut,
            serde_json::error::Category::Io
            | serde_json::error::Category::Syntax
            | serde_json::error::Category::Data => BadLineReason::NotJson,
        };
        return Err(BadLine::at(reason, error.column().saturating_sub(1)));
    }
    let Reading { mut fields, times, kept, bad, other, is_request, client, .. } = reading;
    if other || (flavour != Flavour::Nginx && !is_request) {
        return Ok(None);
    }
    if let Some(reason) = bad {
        return Err(BadLine::at(reason, 0));
    }
    if !is_request {
        return Err(BadLine::at(BadLineReason::NoRequest, 0));
    }
    if let Some(client) = client
        && scan::address(client.bytes(line.as_bytes(), kept)) != fields.peer
        && !fields.has(Field::ForwardedFor)
    {
        fields.set(Field::ForwardedFor, client, line.as_bytes(), kept);
    }
    fields.join(times, line.as_bytes(), kept);
    Ok(Some(fields))
}

/// `line` with the `\xHH` that nginx writes unless told `escape=json` made into JSON escapes; `None` when it has none.
pub(super) fn with_json_escapes(line: &str, rewritten: &mut String) -> bool {
    if memchr::memmem::find(line.as_bytes(), b"\\x").is_none() {
        return false;
    }
    rewritten.clear();
    let mut rest = line;
    while let Some(slash) = rest.find('\\') {
        rewritten.push_str(&rest[..slash]);
        let after = &rest[slash + 1..];
        match after.as_bytes() {
            [b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rewritten.push_str("\\u00");
                rest = &after[1..];
            }
            [next, ..] if next.is_ascii() => {
                rewritten.push_str(&rest[slash..slash + 2]);
                rest = &after[1..];
            }
            _ => {
                rewritten.push('\\');
                rest = after;
            }
        }
    }
    rewritten.push_str(rest);
    true
}

struct Reading<'r, 'de> {
    flavour: Flavour,
    times: &'r mut Times,
    line: &'de str,
    kept: &'r mut String,
    fields: Fields,
    /// The first field that could not be read.
    bad: Option<BadLineReason>,
    /// Whether the object is known to be something else than a request.
    other: bool,
    is_request: bool,
    /// Whom the server itself takes for the client, behind proxies it trusts.
    client: Option<Span>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Top,
    /// Caddy's `request`.
    Request,
    /// Caddy's `request.headers`.
    Headers,
}

/// What to do with the value of a key.
enum Plan {
    Ignore,
    Take(Meaning),
    Descend(Level),
    /// Caddy's logger name, which tells requests from other messages.
    Logger,
    Client,
}

impl Reading<'_, '_> {
    fn plan(&self, level: Level, key: &str) -> Plan {
        let meaning = match (self.flavour, level) {
            (Flavour::Nginx, _) => meaning::json_key(key),
            (Flavour::Traefik, _) => traefik(key),
            // The server's own idea of the host stands in `request.host`.
            (Flavour::Caddy, Level::Headers) => header_but_host(key),
            (Flavour::Caddy, Level::Request) => match key {
                "headers" => return Plan::Descend(Level::Headers),
                "client_ip" => return Plan::Client,
                "remote_ip" | "remote_addr" => Meaning::Address,
                "method" => Meaning::Text(Field::Method),
                "uri" => Meaning::Text(Field::Target),
                "proto" => Meaning::Text(Field::Protocol),
                "host" => Meaning::Text(Field::Host),
                _ => Meaning::Nothing,
            },
            (Flavour::Caddy, Level::Top) => match key {
                "request" => return Plan::Descend(Level::Request),
                "logger" => return Plan::Logger,
                "ts" => Meaning::Time,
                "status" => Meaning::Status,
                "size" => Meaning::Bytes,
                "duration" => Meaning::Duration(TimeUnit::Seconds),
                "user_id" => Meaning::Text(Field::User),
                _ => Meaning::Nothing,
            },
        };
        if meaning == Meaning::Nothing { Plan::Ignore } else { Plan::Take(meaning) }
    }

    /// Where `text` stands in the line, or in the decoded text, to which it is added when it stands in no line.
    fn span(&mut self, text: &str) -> Span {
        let from = (text.as_ptr() as usize).wrapping_sub(self.line.as_ptr() as usize);
        if from.checked_add(text.len()).is_some_and(|to| to <= self.line.len()) {
            return Span::line(from, from + text.len());
        }
        let from = self.kept.len();
        self.kept.push_str(text);
        Span::kept(self.kept, from)
    }

    fn take(&mut self, meaning: Meaning, value: &Scalar<'_>) {
        self.is_request |= match meaning {
            Meaning::Request => true,
            Meaning::Text(field) => matches!(field, Field::Method | Field::Target | Field::Path),
            Meaning::Nothing
            | Meaning::Address
            | Meaning::Time
            | Meaning::Status
            | Meaning::Bytes
            | Meaning::Duration(_) => false,
        };
        match value {
            Scalar::Nothing => {}
            Scalar::Text(text) => {
                let span = self.span(text);
                if let Err(reason) =
                    self.fields.take(meaning, self.times, span, self.line.as_bytes(), self.kept)
                {
                    self.bad.get_or_insert(reason);
                }
            }
            Scalar::Whole(number) => self.take_number(meaning, *number as f64, Some(*number)),
            Scalar::Decimal(number) => self.take_number(meaning, *number, None),
        }
    }

    fn take_number(&mut self, meaning: Meaning, number: f64, whole: Option<u64>) {
        // `as` sends NaN and what is negative to 0 and what is too large to the largest; JSON has no NaN.
        match meaning {
            Meaning::Time => match time::epoch_number(number) {
                Some(micros) => self.fields.micros = Some(micros),
                None => {
                    self.bad.get_or_insert(BadLineReason::NoTime);
                }
            },
            Meaning::Status => match whole.filter(|status| *status <= 999) {
                Some(status) => self.fields.status = Some(status as u16),
                None => {
                    self.bad.get_or_insert(BadLineReason::NoStatus);
                }
            },
            Meaning::Bytes => self.fields.bytes = whole,
            Meaning::Duration(unit) => {
                let micros = match unit {
                    TimeUnit::Seconds => number * 1e6,
                    TimeUnit::Milliseconds => number * 1e3,
                    TimeUnit::Microseconds => number,
                    TimeUnit::Nanoseconds => number / 1e3,
                };
                self.fields.duration_us = (micros >= 0.0).then_some(micros as u64);
            }
            Meaning::Nothing | Meaning::Text(_) | Meaning::Request | Meaning::Address => {}
        }
    }
}

/// The meaning of a key of Traefik's access log.
fn traefik(key: &str) -> Meaning {
    match key {
        "ClientHost" | "ClientAddr" => Meaning::Address,
        "ClientUsername" => Meaning::Text(Field::User),
        "StartUTC" => Meaning::Time,
        "RequestMethod" => Meaning::Text(Field::Method),
        "RequestPath" => Meaning::Text(Field::Target),
        "RequestProtocol" => Meaning::Text(Field::Protocol),
        "RequestHost" => Meaning::Text(Field::Host),
        "DownstreamStatus" => Meaning::Status,
        "DownstreamContentSize" => Meaning::Bytes,
        "Duration" => Meaning::Duration(TimeUnit::Nanoseconds),
        // The host is in `RequestHost`.
        _ => key.strip_prefix("request_").map_or(Meaning::Nothing, header_but_host),
    }
}

fn header_but_host(name: &str) -> Meaning {
    let known = meaning::header(name);
    if known == Meaning::Text(Field::Host) { Meaning::Nothing } else { known }
}

struct Object<'a, 'r, 'de> {
    reading: &'a mut Reading<'r, 'de>,
    level: Level,
}

impl<'de> DeserializeSeed<'de> for Object<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(ScalarSeed { join: false })? {
            let plan = match &key {
                Scalar::Text(key) => self.reading.plan(self.level, key),
                Scalar::Nothing | Scalar::Whole(_) | Scalar::Decimal(_) => Plan::Ignore,
            };
            match plan {
                Plan::Ignore => {
                    map.next_value::<IgnoredAny>()?;
                }
                Plan::Take(meaning) => {
                    let join = meaning == Meaning::Text(Field::ForwardedFor);
                    let value = map.next_value_seed(ScalarSeed { join })?;
                    self.reading.take(meaning, &value);
                }
                Plan::Descend(level) => map.next_value_seed(Object { reading: self.reading, level })?,
                Plan::Logger => {
                    if let Scalar::Text(name) = map.next_value_seed(ScalarSeed { join: false })? {
                        self.reading.other = !name.starts_with("http.log.access");
                    }
                }
                Plan::Client => {
                    if let Scalar::Text(client) = map.next_value_seed(ScalarSeed { join: false })? {
                        self.reading.client = Some(self.reading.span(&client));
                    }
                }
            }
        }
        Ok(())
    }
}

/// A value without structure.
enum Scalar<'de> {
    /// Null, a truth value, a negative number or a structure.
    Nothing,
    Text(Cow<'de, str>),
    Whole(u64),
    Decimal(f64),
}

/// Reads any value; of a list the first text, or all of them with commas between.
struct ScalarSeed {
    join: bool,
}

impl<'de> DeserializeSeed<'de> for ScalarSeed {
    type Value = Scalar<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Scalar<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ScalarSeed {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Whole(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_f64<E>(self, number: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Decimal(number))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalar<'de>, A::Error> {
        let mut first = Scalar::Nothing;
        while let Some(next) = list.next_element_seed(ScalarSeed { join: false })? {
            first = match (first, next) {
                (Scalar::Nothing, next) => next,
                (Scalar::Text(before), Scalar::Text(next)) if self.join => {
                    Scalar::Text(Cow::Owned(format!("{before}, {next}")))
                }
                (first, _) => first,
            };
        }
        Ok(first)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nothing)
    }
}
