//! The Apache and nginx family: `common`, `combined`, and what sites make of them.
//!
//! The line is read around its request. A client can write into the user name, the request, the referrer and the
//! agent, and servers escape quotes there, so `] "` can come from the server alone; brackets and times may not. The
//! first `] "` therefore ends the time, whatever stands before it.

use memchr::{memchr, memrchr};

use super::LogRecord;
use super::address::Addresses;
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

/// Reads a line of `combined` as servers write it by default; `None` where anything is unusual, for [`parse`] to see.
///
/// Nearly all lines are: an address, no user, a request with nothing escaped, a number of bytes, two fields in
/// quotes and nothing after them. One look at each part is enough there.
pub(super) fn usual<'a>(
    times: &mut Times,
    addresses: &mut Addresses,
    text: &'a str,
) -> Option<LogRecord<'a>> {
    let line = text.as_bytes();
    let space = memchr(b' ', &line[..line.len().min(40)])?;
    let peer = addresses.read(&line[..space])?;
    let time = space + NO_USER.len();
    if line.get(space..time)? != NO_USER {
        return None;
    }
    let request_from = time + CLF_TIME_BYTES + 3;
    if line.get(request_from - 3..request_from)? != b"] \"" {
        return None;
    }
    let micros = times.clf(&line[time..request_from - 3])?;
    let plain =
        |from: usize| scan::quoted(line, from).filter(|quoted| !quoted.escaped).map(|quoted| quoted.to);
    let request_to = plain(request_from)?;
    let (method, target, protocol) = usual_request(&text[request_from..request_to])?;
    let [b' ', a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', b' ', rest @ ..] = &line[request_to + 1..]
    else {
        return None;
    };
    let status = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
    let digits = rest.iter().position(|&byte| byte == b' ')?;
    let bytes = if &rest[..digits] == b"-" { None } else { Some(scan::number(&rest[..digits])?) };
    let referrer_from = request_to + 6 + digits + 2;
    if line.get(referrer_from - 1)? != &b'"' {
        return None;
    }
    let referrer_to = plain(referrer_from)?;
    let agent_from = referrer_to + 3;
    if line.get(referrer_to..agent_from)? != b"\" \"" {
        return None;
    }
    let agent_to = plain(agent_from)?;
    let sent = |value: &'a str| (!matches!(value, "" | "-")).then_some(value);
    (agent_to + 1 == line.len()).then_some(())?;
    Some(LogRecord {
        method,
        target,
        protocol: Some(protocol),
        status: Some(status),
        bytes,
        referrer: sent(&text[referrer_from..referrer_to]),
        user_agent: sent(&text[agent_from..agent_to]),
        ..LogRecord::bare(times.date(micros)?, peer)
    })
}

/// Method, target and protocol of a request line that reads or posts a path over HTTP.
fn usual_request(request: &str) -> Option<(&str, &str, &str)> {
    let method = match request.as_bytes() {
        [b'G', b'E', b'T', b' ', b'/', ..] => 3,
        [b'P', b'O', b'S', b'T', b' ', b'/', ..] | [b'H', b'E', b'A', b'D', b' ', b'/', ..] => 4,
        _ => return None,
    };
    let protocol = request.len().checked_sub("HTTP/1.1".len())?;
    let fits = protocol > method + 2
        && matches!(
            request.as_bytes()[protocol - 1..],
            [b' ', b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9']
        );
    fits.then(|| (&request[..method], &request[method + 1..protocol - 1], &request[protocol..]))
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
    // Tabs belong to the user name, as they do to a token.
    let user_end = line[..end].iter().rposition(|&byte| byte != b' ').map_or(0, |last| last + 1);
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
/// What stands between an address and the time where no user is logged.
const NO_USER: &[u8] = b" - - [";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINE: &str = r#"192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "GET /a?b=1 HTTP/1.1" 200 2326 "http://e.example/" "Mozilla/5.0 (X11)""#;

    fn both(line: &str) -> (Option<LogRecord<'_>>, Result<LogRecord<'_>, BadLine>) {
        let mut kept = String::new();
        let slow = parse(Shape::Combined, &mut Times::default(), line.as_bytes(), &mut kept);
        let kept: &'static str = Box::leak(kept.into_boxed_str());
        let fast = usual(&mut Times::default(), &mut Addresses::default(), line);
        (fast, slow.and_then(|fields| fields.resolve(line, kept)))
    }

    #[test]
    fn what_is_remembered_of_lines_before_changes_none() {
        let (mut times, mut addresses) = (Times::default(), Addresses::default());
        let minutes = (0..200).map(|nth| nth * nth % 7);
        for (nth, minute) in minutes.enumerate() {
            let line = LINE.replace("13:55:36", &format!("13:5{minute}:36"));
            let line = line.replace("192.0.2.7", ["192.0.2.7", "192.0.2.70", "2001:db8::7"][nth % 3]);
            assert!(usual(&mut times, &mut addresses, &line).is_some());
            assert_eq!(usual(&mut times, &mut addresses, &line), both(&line).0, "{line}");
        }
    }

    #[test]
    fn a_user_name_of_tabs_is_one() {
        let line = LINE.replace("- - [", "- \t\t [");
        let (fast, slow) = both(&line);
        assert_eq!((fast, slow.unwrap().user), (None, Some("\t\t")));
    }

    #[test]
    fn an_ordinary_line_is_read_at_one_look() {
        for protocol in ["HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "HTTP/3.0"] {
            let line = LINE.replace("HTTP/1.1", protocol);
            let (fast, slow) = both(&line);
            assert_eq!(fast.as_ref().and_then(|record| record.protocol), Some(protocol));
            assert_eq!(fast, slow.ok());
        }
    }

    proptest! {
        #[test]
        fn one_look_and_the_long_way_agree(
            edits in proptest::collection::vec((0usize..200, prop_oneof![
                Just("\""), Just("\\"), Just(" "), Just("]"), Just("["), Just("-"), Just("0"), Just("é"), Just(""),
            ]), 0..4),
        ) {
            let mut line = LINE.to_owned();
            for (at, text) in edits {
                let at = at % line.len();
                if line.is_char_boundary(at) && line.is_char_boundary(at + 1) {
                    line.replace_range(at..=at, text);
                }
            }
            let (fast, slow) = both(&line);
            if let Some(fast) = fast {
                prop_assert_eq!(Ok(fast), slow);
            }
        }
    }
}
