//! Access logs of an AWS Application Load Balancer.

use super::fields::{Field, Fields, Span};
use super::scan;
use super::time::Times;
use super::{BadLine, BadLineReason};

/// Reads one line; see [`LineParser::parse`](super::LineParser::parse).
///
/// Only the first 14 fields matter here; AWS adds new ones at the end.
pub(super) fn parse(times: &mut Times, line: &[u8], kept: &mut String) -> Result<Fields, BadLine> {
    let mut fields = Fields::default();
    let mut at = 0;
    let mut taken = Some(0_u64);
    for index in 0..12 {
        let (from, to) = scan::token(line, at).ok_or_else(|| BadLine::at(BadLineReason::Cut, line.len()))?;
        let value = &line[from..to];
        match index {
            1 => {
                let micros = times.iso(value).ok_or_else(|| BadLine::at(BadLineReason::NoTime, from))?;
                fields.micros = Some(micros);
            }
            3 => {
                let peer = scan::address(value).ok_or_else(|| BadLine::at(BadLineReason::NoAddress, from))?;
                fields.peer = Some(peer);
            }
            // Three spans of the request; -1 when it never got there.
            5..=7 => taken = taken.and_then(|sum| sum.checked_add(scan::seconds_to_micros(value)?)),
            8 => {
                fields.status =
                    scan::status(value).map_err(|()| BadLine::at(BadLineReason::NoStatus, from))?;
            }
            11 => fields.bytes = scan::number(value),
            _ => {}
        }
        at = to;
    }
    fields.duration_us = taken;
    let cut = BadLine::at(BadLineReason::Cut, line.len());
    let request = scan::next_quoted(line, at).ok_or(cut)?;
    let span = Span::quoted(kept, line, &request);
    fields.set_request(span, line, kept);
    fields.split_absolute_target(line, kept);
    let agent = scan::next_quoted(line, request.to + 1).ok_or(cut)?;
    let span = Span::quoted(kept, line, &agent);
    fields.set(Field::UserAgent, span, line, kept);
    Ok(fields)
}
