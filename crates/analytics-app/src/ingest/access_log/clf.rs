//! The Apache and nginx family: `common`, `combined`, and what sites make of them.
//!
//! The line is read around its request. A client can write into the user name, the request, the referrer and the
//! agent, and servers escape quotes there, so `] "` can come from the server alone; brackets and times may not. The
//! first `] "` therefore ends the time, whatever stands before it.

use memchr::{memchr, memrchr};

use super::fields::{Field, Fields, Span};
use super::scan::{self, next_quoted, token};
use super::time::Times;
use super::{BadLine, BadLineReason};

/// Which fields of the family a log has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Common,
    Combined,
    /// A site name comes first, always.
    VhostCombined,
}

/// Reads one line; see [`LineParser::parse`](super::LineParser::parse).
pub(super) fn parse(
    shape: Shape,
    times: &mut Times,
    line: &[u8],
    kept: &mut String,
) -> Result<Fields, BadLine> {
    let mut fields = Fields::default();
    let quote = request_quote(line)?;
    let bracket = time(&mut fields, times, line, quote)?;
    head(&mut fields, shape, line, bracket, kept);

    let cut = BadLine::at(BadLineReason::Cut, line.len());
    let request = scan::quoted(line, quote + 1).ok_or(cut)?;
    let span = Span::quoted(kept, line, &request);
    fields.set_request(span, line, kept);

    let (from, to) = token(line, request.to + 1).ok_or(cut)?;
    fields.status = scan::status(&line[from..to]).map_err(|()| BadLine::at(BadLineReason::NoStatus, from))?;
    // Some formats end here; the number of bytes is missing then, not wrong.
    let mut at = to;
    if let Some((from, to)) = token(line, at)
        && line[from] != b'"'
    {
        fields.bytes = scan::number(&line[from..to]);
        at = to;
    }
    if shape == Shape::Common {
        return Ok(fields);
    }
    let referrer = next_quoted(line, at).ok_or(cut)?;
    let span = Span::quoted(kept, line, &referrer);
    fields.set(Field::Referrer, span, line, kept);
    let agent = next_quoted(line, referrer.to + 1).ok_or(cut)?;
    let span = Span::quoted(kept, line, &agent);
    fields.set(Field::UserAgent, span, line, kept);
    if agent.to + 1 < line.len() {
        trailing(&mut fields, kept, line, agent.to + 1);
    }
    Ok(fields)
}

/// Where the quote stands that opens the request: the first one after `] `.
fn request_quote(line: &[u8]) -> Result<usize, BadLine> {
    let mut at = 0;
    let mut seen = None;
    while let Some(quote) = memchr(b'"', &line[at..]).map(|found| at + found) {
        if quote >= 2 && &line[quote - 2..quote] == b"] " {
            return Ok(quote);
        }
        seen = seen.or(Some(quote));
        at = quote + 1;
    }
    Err(match seen {
        Some(quote) => BadLine::at(BadLineReason::NoTime, quote),
        None if memchr(b'[', line).is_some() => BadLine::at(BadLineReason::NoRequest, line.len()),
        None => BadLine::at(BadLineReason::NoTime, line.len()),
    })
}

/// Reads the time before the quote; gives back where its bracket opens.
fn time(fields: &mut Fields, times: &mut Times, line: &[u8], quote: usize) -> Result<usize, BadLine> {
    let end = quote - 2;
    let usual = end.checked_sub(CLF_TIME_BYTES + 1).filter(|&at| line[at] == b'[');
    let bracket = usual
        .or_else(|| memrchr(b'[', &line[..end]))
        .ok_or_else(|| BadLine::at(BadLineReason::NoTime, end))?;
    let text = &line[bracket + 1..end];
    fields.micros = times.clf(text).or_else(|| times.iso(text));
    match fields.micros {
        Some(_) => Ok(bracket),
        None => Err(BadLine::at(BadLineReason::NoTime, bracket + 1)),
    }
}

/// Reads what stands before the time: site, address, identity, user.
fn head(fields: &mut Fields, shape: Shape, line: &[u8], end: usize, kept: &str) {
    let Some((mut from, mut to)) = token(&line[..end], 0) else { return };
    if shape != Shape::VhostCombined {
        fields.peer = scan::address(&line[from..to]);
    }
    if fields.peer.is_none() {
        if line[to - 1] == b',' {
            // A forwarded-for list in the place of the address; its last entry is the proxy nearest to the server.
            let start = from;
            while line[to - 1] == b',' {
                let Some(next) = token(&line[..end], to) else { return };
                (from, to) = next;
            }
            fields.peer = scan::address(&line[from..to]);
            fields.set(Field::ForwardedFor, Span::line(start, to), line, kept);
        } else if let Some((second, second_end)) = token(&line[..end], to) {
            fields.peer = scan::address(&line[second..second_end]);
            if fields.peer.is_some() {
                fields.set_host(Span::line(from, to), line, kept);
                to = second_end;
            } else {
                // A line without a site among lines that have one.
                fields.peer = scan::address(&line[from..to]);
            }
        }
    }
    if &line[to..end] == b" - - " {
        return;
    }
    let Some((identity, identity_end)) = token(&line[..end], to) else { return };
    let user_end = line[..end].trim_ascii_end().len();
    match token(&line[..end], identity_end) {
        Some((user, _)) => fields.set(Field::User, Span::line(user, user_end), line, kept),
        // Some sites drop the identity, which no server has filled for decades.
        None => fields.set(Field::User, Span::line(identity, identity_end), line, kept),
    }
}

/// Reads the fields that sites add after the agent: an address list, the time taken.
fn trailing(fields: &mut Fields, kept: &mut String, line: &[u8], mut at: usize) {
    let mut forwarded = None;
    while let Some((from, mut to)) = token(line, at) {
        if line[from] == b'"' {
            let Some(quoted) = scan::quoted(line, from + 1) else { return };
            to = quoted.to + 1;
            if forwarded.is_none() && is_address_list(&line[quoted.from..quoted.to]) {
                let span = Span::quoted(kept, line, &quoted);
                fields.set(Field::ForwardedFor, span, line, kept);
                forwarded = Some(());
            }
        } else if fields.duration_us.is_none() {
            fields.duration_us = duration(&line[from..to]);
        }
        at = to;
    }
}

/// Whether every entry of a comma-separated list is an address or `unknown`, and at least one an address.
fn is_address_list(list: &[u8]) -> bool {
    let mut found = false;
    for entry in list.split(|&byte| byte == b',') {
        let entry = entry.trim_ascii();
        let is_address = scan::address(entry).is_some();
        if !is_address && !entry.eq_ignore_ascii_case(b"unknown") {
            return false;
        }
        found |= is_address;
    }
    found
}

/// The time taken, where the field tells its unit: nginx writes seconds with three decimals, Traefik `12ms`.
/// A whole number may be seconds, milli- or microseconds, so it says nothing.
fn duration(token: &[u8]) -> Option<u64> {
    if let Some(millis) = token.strip_suffix(b"ms") {
        return scan::number(millis)?.checked_mul(1000);
    }
    let point = memchr(b'.', token)?;
    if token.len() - point == 4 { scan::seconds_to_micros(token) } else { None }
}

/// `10/Oct/2000:13:55:36 -0700`
const CLF_TIME_BYTES: usize = 26;
