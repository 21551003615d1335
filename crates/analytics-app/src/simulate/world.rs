//! What all actors share: the site, the simulated time, and how a request is answered.

use super::chance::Chance;
use super::site::{Page, Site};
use super::trace::{Hit, MINUTE, Method, Micros, Sym, Trace, Version};

/// The simulated world.
pub(super) struct World {
    pub(super) site: Site,
    pub(super) seed: u64,
    pub(super) start: Micros,
    pub(super) end: Micros,
    /// Days from the epoch to `start`, for the versions of browsers.
    pub(super) day: i64,
    pub(super) intensity: f64,
}

impl World {
    /// An instant at which a person comes: more by day than by night (UTC).
    pub(super) fn arrival(&self, chance: &mut Chance) -> Micros {
        loop {
            let at = chance.between(self.start, self.end - 1);
            let hour = at.rem_euclid(24 * 60 * MINUTE) / (60 * MINUTE);
            if chance.below(12) < BY_HOUR[hour as usize] {
                return at;
            }
        }
    }

    /// An instant at which automation starts: any, in the first seven tenths.
    pub(super) fn launch(&self, chance: &mut Chance) -> Micros {
        chance.between(self.start, self.start + (self.end - self.start) * 7 / 10)
    }

    /// How many requests an automated actor makes where it would make `base`; at least one.
    pub(super) fn volume(&self, base: u32) -> u32 {
        ((f64::from(base) * self.intensity) as u32).max(1)
    }
}

/// One client as the server sees it: a visitor and the protocol it speaks.
#[derive(Clone, Copy)]
pub(super) struct Client {
    pub(super) visitor: u32,
    pub(super) version: Version,
}

impl Client {
    /// A GET that is answered with this status and size.
    pub(super) fn get(self, trace: &mut Trace, chance: &mut Chance, at: Micros, path: Sym, answer: Answer) {
        self.send(trace, chance, at, Method::Get, path, answer);
    }

    /// Any request.
    pub(super) fn send(
        self,
        trace: &mut Trace,
        chance: &mut Chance,
        at: Micros,
        method: Method,
        path: Sym,
        answer: Answer,
    ) {
        let hit = Hit {
            visitor: self.visitor,
            method,
            version: self.version,
            path,
            referrer: answer.referrer,
            status: answer.status,
            bytes: answer.bytes,
            prefetch: answer.prefetch,
        };
        trace.push(chance, at, hit);
    }

    /// A page without its assets.
    pub(super) fn page(self, trace: &mut Trace, chance: &mut Chance, at: Micros, page: &Page, referrer: Sym) {
        let bytes = page_bytes(chance, page);
        self.get(trace, chance, at, page.path, Answer::ok(bytes).from(referrer));
    }
}

/// What the server answers, and the referrer that the request named.
#[derive(Clone, Copy)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) bytes: u32,
    pub(super) referrer: Sym,
    pub(super) prefetch: bool,
}

impl Answer {
    /// 200 with this many bytes, no referrer.
    pub(super) fn ok(bytes: u32) -> Self {
        Self::with(200, bytes)
    }

    /// Any status, no referrer.
    pub(super) fn with(status: u16, bytes: u32) -> Self {
        Self { status, bytes, referrer: Sym::NONE, prefetch: false }
    }

    /// The error page.
    pub(super) fn gone() -> Self {
        Self::with(404, 1_620)
    }

    /// The same with a referrer.
    pub(super) fn from(self, referrer: Sym) -> Self {
        Self { referrer, ..self }
    }
}

/// Bytes of one answer: a few vary from time to time (session parts, dates).
pub(super) fn page_bytes(chance: &mut Chance, page: &Page) -> u32 {
    page.bytes + chance.below(40)
}

/// Out of twelve, by hour of the day in UTC: an assumption, the shape of a European site.
const BY_HOUR: [u32; 24] =
    [3, 2, 2, 2, 2, 3, 5, 8, 10, 11, 11, 11, 11, 11, 11, 11, 10, 10, 11, 12, 12, 10, 7, 5];
