//! The requests of a simulation while they are made: interned strings, visitors and records.

use std::net::IpAddr;

use hashbrown::HashMap;

use super::chance::Chance;
use super::kind::ActorKind;

/// Microseconds; instants count from the Unix epoch.
pub(super) type Micros = i64;
/// One second.
pub(super) const SECOND: Micros = 1_000_000;
/// One minute.
pub(super) const MINUTE: Micros = 60 * SECOND;
/// One millisecond.
pub(super) const MILLI: Micros = 1_000;

/// A string kept once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Sym(u32);

impl Sym {
    /// The empty string, which stands for "no referrer" and "no user agent".
    pub(super) const NONE: Self = Self(0);
}

/// HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
    Head,
}

impl Method {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Head => "HEAD",
        }
    }
}

/// HTTP version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    H10,
    H11,
    H2,
    H3,
}

impl Version {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::H10 => "HTTP/1.0",
            Self::H11 => "HTTP/1.1",
            Self::H2 => "HTTP/2.0",
            Self::H3 => "HTTP/3.0",
        }
    }
}

/// One address with one agent, used by one actor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visitor {
    pub(super) address: IpAddr,
    pub(super) agent: Sym,
    pub(super) kind: ActorKind,
    pub(super) actor: u32,
    /// `Accept-Language`; empty for tools that send none.
    pub(super) language: Sym,
    /// Sends what a browser sends beside the agent (`Sec-Fetch-*`, `Accept-Encoding`).
    pub(super) browser_headers: bool,
    /// Came through a proxy that names itself in `Via`.
    pub(super) via: bool,
}

/// What one actor asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    pub(super) visitor: u32,
    pub(super) method: Method,
    pub(super) version: Version,
    pub(super) path: Sym,
    pub(super) referrer: Sym,
    pub(super) status: u16,
    pub(super) bytes: u32,
    /// Sent with `Sec-Purpose: prefetch`, which only formats with headers show.
    pub(super) prefetch: bool,
}

/// A hit at its time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub(super) at: Micros,
    /// Time from the request's arrival to the end of its answer.
    pub(super) took: u32,
    pub(super) hit: Hit,
}

/// Everything that happened, in the order in which actors were simulated.
pub(super) struct Trace {
    strings: Vec<Box<str>>,
    /// Never iterated, so its order is never seen.
    symbols: HashMap<Box<str>, Sym>,
    pub(super) visitors: Vec<Visitor>,
    pub(super) records: Vec<Record>,
    start: Micros,
    end: Micros,
}

impl Trace {
    /// An empty trace that keeps what happens from `start` up to, not including, `end`.
    pub(super) fn new(start: Micros, end: Micros) -> Self {
        let mut trace = Self {
            strings: Vec::new(),
            symbols: HashMap::new(),
            visitors: Vec::new(),
            records: Vec::new(),
            start,
            end,
        };
        trace.intern("");
        trace
    }

    /// The symbol of a string.
    pub(super) fn intern(&mut self, text: &str) -> Sym {
        if let Some(symbol) = self.symbols.get(text) {
            return *symbol;
        }
        let symbol = Sym(self.strings.len() as u32);
        self.strings.push(text.into());
        self.symbols.insert(text.into(), symbol);
        symbol
    }

    /// The string of a symbol.
    pub(super) fn text(&self, symbol: Sym) -> &str {
        &self.strings[symbol.0 as usize]
    }

    /// Adds a visitor and gives its number.
    pub(super) fn add_visitor(&mut self, visitor: Visitor) -> u32 {
        self.visitors.push(visitor);
        (self.visitors.len() - 1) as u32
    }

    /// Keeps a request, unless it lies outside the simulated time.
    pub(super) fn push(&mut self, chance: &mut Chance, at: Micros, hit: Hit) {
        let took = took(chance, hit.bytes);
        if at >= self.start && at < self.end {
            self.records.push(Record { at, took, hit });
        }
    }
}

/// Microseconds to answer: mostly milliseconds, now and then a slow page or a slow client.
///
/// Of large answers 3 % take up to 20 s, which is what makes lines late.
fn took(chance: &mut Chance, bytes: u32) -> u32 {
    let draw = chance.below(1_000);
    let spread = chance.below(1_000_000);
    match draw {
        0..850 => 800 + spread / 20,
        850..970 => 50_000 + spread * 6 / 10,
        _ if bytes > 40_000 => 500_000 + spread * 20,
        _ => 200_000 + spread * 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_has_one_symbol_and_the_empty_one_is_none() {
        let mut trace = Trace::new(0, 1);
        let first = trace.intern("/a");
        assert_eq!(trace.intern("/a"), first);
        assert_eq!(trace.text(first), "/a");
        assert_eq!(trace.intern(""), Sym::NONE);
    }

    #[test]
    fn requests_outside_the_simulated_time_are_dropped() {
        let mut trace = Trace::new(10, 20);
        let mut chance = Chance::new(1, "trace", 0);
        let hit = Hit {
            visitor: 0,
            method: Method::Get,
            version: Version::H2,
            path: Sym::NONE,
            referrer: Sym::NONE,
            status: 200,
            bytes: 1,
            prefetch: false,
        };
        for at in [9, 10, 19, 20] {
            trace.push(&mut chance, at, hit);
        }
        assert_eq!(trace.records.iter().map(|record| record.at).collect::<Vec<_>>(), [10, 19]);
    }
}
