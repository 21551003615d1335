//! Session cookies: what tells people apart who share an address and an agent.

use core::fmt;

use alloc::string::String;
use chrono::{DateTime, TimeDelta, Utc};

use crate::request::ClientNetwork;
use crate::user_agent::Engine;

/// What a session cookie says of whoever brings it.
///
/// It splits what is counted, and nothing else: limits and levels are held against the fingerprint that all of them share,
/// so that a cookie that is thrown away or borrowed frees nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionMark {
    /// Which browser it was given to: the same as long as it brings the cookie.
    pub browser: u64,
    /// Which of the visitors it counts as that shared address and agent when it was given, from 0.
    pub number: u8,
    /// When it was given, in minutes since 1970.
    pub issued_minute: u32,
}

/// Whom a cookie is given to, or who brings it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CookieHolder<'a> {
    /// The client network.
    pub network: ClientNetwork,
    /// The agent text.
    pub agent: &'a str,
    /// The engine that the agent names, if it names one.
    pub engine: Option<Engine>,
}

/// A secret that session cookies are made with; shown by nothing, compared by nothing.
#[derive(Clone)]
pub struct SessionCookieKey([u8; 32]);

/// Why a cookie says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSessionCookie {
    /// It is not 107 hexadecimal digits.
    #[error("the cookie is not 107 hexadecimal digits")]
    Malformed,
    /// It was not made under our key for this network.
    #[error("the cookie was not made here for this network")]
    Forged,
    /// It was given more than 24 hours ago, or later than now.
    #[error("the cookie was not given within the last 24 hours")]
    OutOfTime,
    /// It was given to another agent of the same engine, or of one that is not known: after an update, or where a phone
    /// asks for the desktop's page.
    #[error("the cookie was given to another agent")]
    AnotherAgent,
    /// It was given to a browser of another engine. Browsers do not share their cookies, so whoever brings it names an agent
    /// that it is not.
    #[error("the cookie was given to another browser")]
    AnotherEngine,
}

impl SessionMark {
    /// The mark of a browser that is given a cookie at `now`. A time before 1970 is taken for 1970.
    pub fn new(browser: u64, number: u8, now: DateTime<Utc>) -> Self {
        let issued_minute = u32::try_from(now.timestamp().div_euclid(60)).unwrap_or(0);
        Self { browser, number, issued_minute }
    }
}

impl SessionCookieKey {
    /// The key with these bytes, which serve for nothing else.
    pub const fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// The cookie's value: 107 lower-case hexadecimal digits, the mark (26), the engine (1), a tag of the agent (16) and the
    /// code (64) over all of them and the client network, which does not stand in it.
    ///
    /// ```
    /// use analytics_domain::request::ClientNetwork;
    /// use analytics_domain::session::{CookieHolder, SessionCookieKey, SessionMark};
    /// use analytics_domain::user_agent::Engine;
    /// use chrono::{DateTime, TimeDelta};
    ///
    /// let (key, now) = (SessionCookieKey::new([7; 32]), DateTime::from_timestamp(1_780_000_000, 0).unwrap());
    /// let home = CookieHolder { network: ClientNetwork::V4(9), agent: "Firefox", engine: Some(Engine::Gecko) };
    /// let mark = SessionMark::new(1, 0, now);
    /// let cookie = key.issue(mark, home);
    /// assert_eq!(key.read(&cookie, home, now), Ok(mark));
    /// assert!(key.read(&cookie, CookieHolder { network: ClientNetwork::V4(8), ..home }, now).is_err());
    /// assert!(key.read(&cookie, home, now + TimeDelta::hours(25)).is_err());
    /// ```
    pub fn issue(&self, mark: SessionMark, holder: CookieHolder<'_>) -> String {
        let SessionMark { browser, number, issued_minute } = mark;
        let (engine, tag) = (engine_digit(holder.engine), self.tag(holder.agent));
        let signed = alloc::format!("{browser:016x}{number:02x}{issued_minute:08x}{engine:x}{tag:016x}");
        let code = self.code(&signed, holder.network);
        signed + &code.to_hex()
    }

    /// What a cookie says that this client brings at `now`.
    ///
    /// The code is compared in constant time, and before anything that stands in the cookie is looked at.
    ///
    /// # Errors
    /// [`InvalidSessionCookie`].
    pub fn read(
        &self,
        text: &str,
        holder: CookieHolder<'_>,
        now: DateTime<Utc>,
    ) -> Result<SessionMark, InvalidSessionCookie> {
        let wrong = InvalidSessionCookie::Malformed;
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != DIGITS || !digits {
            return Err(wrong);
        }
        let (signed, code) = text.split_at(SIGNED_DIGITS);
        if self.code(signed, holder.network) != blake3::Hash::from_hex(code).map_err(|_| wrong)? {
            return Err(InvalidSessionCookie::Forged);
        }
        let number = |from: usize, to: usize| u64::from_str_radix(&signed[from..to], 16).map_err(|_| wrong);
        let mark = SessionMark {
            browser: number(0, 16)?,
            number: number(16, 18)? as u8,
            issued_minute: number(18, 26)? as u32,
        };
        let issued = DateTime::from_timestamp(i64::from(mark.issued_minute) * 60, 0).unwrap_or_default();
        let age = now - issued;
        if age < TimeDelta::zero() || age >= VALID + TimeDelta::minutes(1) {
            return Err(InvalidSessionCookie::OutOfTime);
        }
        if number(27, 43)? == self.tag(holder.agent) {
            return Ok(mark);
        }
        let (given, now) = (number(26, 27)?, engine_digit(holder.engine));
        Err(if given != 0 && now != 0 && given != u64::from(now) {
            InvalidSessionCookie::AnotherEngine
        } else {
            InvalidSessionCookie::AnotherAgent
        })
    }

    /// What an agent is compared by, so that a cookie stays short whatever the agent says.
    fn tag(&self, agent: &str) -> u64 {
        let hash = blake3::Hasher::new_keyed(&self.0).update(b"agent\0").update(agent.as_bytes()).finalize();
        let (first, _) = hash.as_bytes().split_at(8);
        first.iter().fold(0, |tag, &byte| tag << 8 | u64::from(byte))
    }

    fn code(&self, signed: &str, network: ClientNetwork) -> blake3::Hash {
        let mut hash = blake3::Hasher::new_keyed(&self.0);
        hash.update(b"cookie\0");
        hash.update(signed.as_bytes());
        hash.update(&network.to_bytes());
        hash.finalize()
    }
}

impl fmt::Debug for SessionCookieKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionCookieKey(…)")
    }
}

/// The digit of an engine in cookies; 0 for what shares cookies with other engines, as Edge does with the Trident that it
/// shows old pages by, and for what is none.
const fn engine_digit(engine: Option<Engine>) -> u8 {
    match engine {
        Some(Engine::Chromium) => 1,
        Some(Engine::Gecko) => 2,
        Some(Engine::Safari) => 3,
        Some(Engine::Trident | Engine::EdgeHtml | Engine::Presto) | None => 0,
    }
}

/// 8, 1 and 4 bytes, half of one, and 8.
const SIGNED_DIGITS: usize = 43;
/// The same and 32 bytes.
const DIGITS: usize = SIGNED_DIGITS + 64;
/// As long as a session lasts at most, and no longer than a visitor is known: days cannot be linked by it.
const VALID: TimeDelta = TimeDelta::hours(24);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::format;

    const HOME: CookieHolder<'static> =
        CookieHolder { network: ClientNetwork::V4(0xc000_0201), agent: "agent", engine: Some(Engine::Gecko) };

    #[test]
    fn a_cookie_says_what_it_was_given_for_and_only_there() {
        let mark = SessionMark::new(0xabc, 3, at(0));
        let cookie = key().issue(mark, HOME);
        assert_eq!(cookie.len(), 107);
        assert_eq!(key().read(&cookie, HOME, at(60)), Ok(mark));
        let forged = Err(InvalidSessionCookie::Forged);
        let elsewhere = CookieHolder { network: ClientNetwork::V4(1), ..HOME };
        assert_eq!(key().read(&cookie, elsewhere, at(60)), forged);
        assert_eq!(SessionCookieKey::new([8; 32]).read(&cookie, HOME, at(60)), forged);
        for place in 0..107 {
            let mut digits = cookie.clone().into_bytes();
            digits[place] = if digits[place] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(digits).unwrap();
            assert_eq!(key().read(&changed, HOME, at(60)), forged, "{changed}");
        }
    }

    #[test]
    fn only_another_engine_is_another_browser() {
        let with = |agent, engine| CookieHolder { agent, engine, ..HOME };
        let read =
            |given, brings| key().read(&key().issue(SessionMark::new(1, 0, at(0)), given), brings, at(0));
        let (gecko, chromium) = (Some(Engine::Gecko), Some(Engine::Chromium));
        let (agent, engine) =
            (Err(InvalidSessionCookie::AnotherAgent), Err(InvalidSessionCookie::AnotherEngine));
        assert_eq!(read(HOME, with("Chrome", chromium)), engine);
        assert_eq!(read(HOME, with("the next version", gecko)), agent);
        assert_eq!(read(HOME, with("curl/8", None)), agent);
        assert_eq!(read(with("MSIE", Some(Engine::Trident)), with("Edge", chromium)), agent);
        assert!(read(HOME, with("agent", chromium)).is_ok(), "one text is one agent, however it is read");
    }

    #[test]
    fn a_cookie_holds_for_a_day_to_the_minute_and_not_before_it_was_given() {
        let cookie = key().issue(SessionMark::new(1, 0, at(59)), HOME);
        let day = 24 * 60 * 60;
        let read = |second| key().read(&cookie, HOME, at(second)).is_ok();
        assert!(read(0) && read(59) && read(day + 59));
        assert!(!read(-1) && !read(day + 60));
    }

    #[test]
    fn a_key_is_not_printed() {
        assert_eq!(format!("{:?}", key()), "SessionCookieKey(…)");
    }

    proptest! {
        #[test]
        fn no_text_panics_and_none_passes_that_was_not_issued(text in "[0-9a-f]{107}|.{0,120}", second: i32) {
            prop_assert!(key().read(&text, HOME, at(second.into())).is_err());
        }

        #[test]
        fn every_mark_is_read_as_it_was_given(browser: u64, number: u8, agent: String, second in 0..4_000_000_000_i64) {
            let now = DateTime::from_timestamp(second, 0).unwrap();
            let mark = SessionMark::new(browser, number, now);
            let holder = CookieHolder { agent: &agent, ..HOME };
            prop_assert_eq!(key().read(&key().issue(mark, holder), holder, now), Ok(mark));
        }
    }

    fn key() -> SessionCookieKey {
        SessionCookieKey::new([7; 32])
    }

    /// Seconds after the beginning of a minute.
    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_000_020, 0).unwrap() + TimeDelta::seconds(second)
    }
}
