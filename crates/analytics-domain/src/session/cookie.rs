//! Session cookies: what tells people apart who share an address and an agent.

use core::fmt;

use alloc::string::String;
use chrono::{DateTime, TimeDelta, Utc};

use crate::request::ClientNetwork;

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

/// A secret that session cookies are made with; shown by nothing, compared by nothing.
#[derive(Clone)]
pub struct SessionCookieKey([u8; 32]);

/// Why a cookie says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSessionCookie {
    /// It is not 90 hexadecimal digits.
    #[error("the cookie is not 90 hexadecimal digits")]
    Malformed,
    /// It was not made under our key for this network and agent.
    #[error("the cookie was not made here for this network and agent")]
    Forged,
    /// It was given more than 24 hours ago, or later than now.
    #[error("the cookie was not given within the last 24 hours")]
    OutOfTime,
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

    /// The cookie's value: 90 lower-case hexadecimal digits, the mark (26) and the code (64) over it, the client network and
    /// the agent, which do not stand in it.
    ///
    /// ```
    /// use analytics_domain::request::ClientNetwork;
    /// use analytics_domain::session::{SessionCookieKey, SessionMark};
    /// use chrono::{DateTime, TimeDelta};
    ///
    /// let (key, now) = (SessionCookieKey::new([7; 32]), DateTime::from_timestamp(1_780_000_000, 0).unwrap());
    /// let (home, mark) = (ClientNetwork::V4(9), SessionMark::new(1, 0, now));
    /// let cookie = key.issue(mark, home, "Firefox");
    /// assert_eq!(key.read(&cookie, home, "Firefox", now), Ok(mark));
    /// assert!(key.read(&cookie, ClientNetwork::V4(8), "Firefox", now).is_err());
    /// assert!(key.read(&cookie, home, "Firefox", now + TimeDelta::hours(25)).is_err());
    /// ```
    pub fn issue(&self, mark: SessionMark, network: ClientNetwork, agent: &str) -> String {
        let SessionMark { browser, number, issued_minute } = mark;
        let code = self.code(mark, network, agent);
        alloc::format!("{browser:016x}{number:02x}{issued_minute:08x}{}", code.to_hex())
    }

    /// What a cookie says that a client of this network with this agent brings at `now`.
    ///
    /// The code is compared in constant time, and before the time is looked at.
    ///
    /// # Errors
    /// [`InvalidSessionCookie`].
    pub fn read(
        &self,
        text: &str,
        network: ClientNetwork,
        agent: &str,
        now: DateTime<Utc>,
    ) -> Result<SessionMark, InvalidSessionCookie> {
        let wrong = InvalidSessionCookie::Malformed;
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != DIGITS || !digits {
            return Err(wrong);
        }
        let number = |from: usize, to: usize| u64::from_str_radix(&text[from..to], 16).map_err(|_| wrong);
        let mark = SessionMark {
            browser: number(0, 16)?,
            number: number(16, 18)? as u8,
            issued_minute: number(18, 26)? as u32,
        };
        let code = blake3::Hash::from_hex(&text[26..]).map_err(|_| wrong)?;
        if self.code(mark, network, agent) != code {
            return Err(InvalidSessionCookie::Forged);
        }
        let issued = DateTime::from_timestamp(i64::from(mark.issued_minute) * 60, 0).unwrap_or_default();
        let age = now - issued;
        if age < TimeDelta::zero() || age >= VALID + TimeDelta::minutes(1) {
            return Err(InvalidSessionCookie::OutOfTime);
        }
        Ok(mark)
    }

    fn code(&self, mark: SessionMark, network: ClientNetwork, agent: &str) -> blake3::Hash {
        let network = network.to_bytes();
        let mut hash = blake3::Hasher::new_keyed(&self.0);
        hash.update(&mark.browser.to_le_bytes());
        hash.update(&[mark.number]);
        hash.update(&mark.issued_minute.to_le_bytes());
        hash.update(&(network.len() as u64).to_le_bytes());
        hash.update(&network);
        hash.update(agent.as_bytes());
        hash.finalize()
    }
}

impl fmt::Debug for SessionCookieKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionCookieKey(…)")
    }
}

/// 8, 1, 4 and 32 bytes.
const DIGITS: usize = 90;
/// As long as a session lasts at most, and no longer than a visitor is known: days cannot be linked by it.
const VALID: TimeDelta = TimeDelta::hours(24);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::format;

    const HOME: ClientNetwork = ClientNetwork::V4(0xc000_0201);

    #[test]
    fn a_cookie_says_what_it_was_given_for_and_only_there() {
        let mark = SessionMark::new(0xabc, 3, at(0));
        let cookie = key().issue(mark, HOME, "agent");
        assert_eq!(cookie.len(), 90);
        assert_eq!(key().read(&cookie, HOME, "agent", at(60)), Ok(mark));
        let forged = Err(InvalidSessionCookie::Forged);
        assert_eq!(key().read(&cookie, ClientNetwork::V4(1), "agent", at(60)), forged);
        assert_eq!(key().read(&cookie, HOME, "another", at(60)), forged);
        assert_eq!(SessionCookieKey::new([8; 32]).read(&cookie, HOME, "agent", at(60)), forged);
        for place in 0..26 {
            let mut digits = cookie.clone().into_bytes();
            digits[place] = if digits[place] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(digits).unwrap();
            assert_eq!(key().read(&changed, HOME, "agent", at(60)), forged, "{changed}");
        }
    }

    #[test]
    fn a_cookie_holds_for_a_day_to_the_minute_and_not_before_it_was_given() {
        let cookie = key().issue(SessionMark::new(1, 0, at(59)), HOME, "agent");
        let day = 24 * 60 * 60;
        let read = |second| key().read(&cookie, HOME, "agent", at(second)).is_ok();
        assert!(read(0) && read(59) && read(day + 59));
        assert!(!read(-1) && !read(day + 60));
    }

    #[test]
    fn a_key_is_not_printed() {
        assert_eq!(format!("{:?}", key()), "SessionCookieKey(…)");
    }

    proptest! {
        #[test]
        fn no_text_panics_and_none_passes_that_was_not_issued(text in "[0-9a-f]{90}|.{0,100}", second: i32) {
            prop_assert!(key().read(&text, HOME, "agent", at(second.into())).is_err());
        }

        #[test]
        fn every_mark_is_read_as_it_was_given(browser: u64, number: u8, agent: String, second in 0..4_000_000_000_i64) {
            let now = DateTime::from_timestamp(second, 0).unwrap();
            let mark = SessionMark::new(browser, number, now);
            let cookie = key().issue(mark, HOME, &agent);
            prop_assert_eq!(key().read(&cookie, HOME, &agent, now), Ok(mark));
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
