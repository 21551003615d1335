//! Tokens that tie a beacon to the session and page that it tells of.

use core::fmt;
use core::str::FromStr;

use chrono::{DateTime, Utc};

use super::BeaconPolicy;
use crate::ids::SessionId;
use crate::session::Text;

/// Proof that the server was asked for a page's token in a session, at a moment.
///
/// As text 108 lower-case hexadecimal digits: the session (32), the milliseconds of the moment since 1970 (12), and the
/// code over both and the page (64). The page does not stand in it; whoever checks brings it.
#[derive(Clone, Copy)]
pub struct PageToken {
    session: SessionId,
    issued_ms: u64,
    code: blake3::Hash,
}

/// A secret that page tokens are made with; shown by nothing, compared by nothing.
#[derive(Clone)]
pub struct PageTokenKey([u8; 32]);

/// What a token that holds proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageProof {
    /// The session that asked for it.
    pub session: SessionId,
    /// When it was asked for, which is when the page came to life.
    pub issued_at: DateTime<Utc>,
    /// Which token it is: the same for two beacons that carry the same token, and for no others.
    pub token: u128,
}

/// Why a token proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum InvalidPageToken {
    /// It is not 108 hexadecimal digits.
    #[error("the token is not 108 hexadecimal digits")]
    Malformed,
    /// Its code is not that of its session, its moment and this page under our key.
    #[error("the token was not made here for this page")]
    Forged,
    /// It was made longer ago than the policy accepts.
    #[error("the token is too old")]
    TooOld,
    /// It was made later than the clocks of two machines differ.
    #[error("the token was made later than now")]
    FromTheFuture,
}

impl PageTokenKey {
    /// The key for tokens that follows from a secret, which may serve for other purposes too.
    pub fn of_secret(secret: &[u8; 32]) -> Self {
        Self(*blake3::keyed_hash(secret, b"page token").as_bytes())
    }

    /// A token for a page of a session that asks for it at `now`.
    ///
    /// Of the page the first 1024 bytes count, as in [`EngagementRecord`](super::EngagementRecord). A time before 1970 is
    /// taken for 1970.
    pub fn issue(&self, session: SessionId, page_url: &str, now: DateTime<Utc>) -> PageToken {
        let issued_ms = u64::try_from(now.timestamp_millis()).unwrap_or(0) & MOST_MS;
        PageToken { session, issued_ms, code: self.code(session, issued_ms, page_url) }
    }

    /// What a token proves for a beacon about this page that came at `now`.
    ///
    /// The code is compared in constant time, and before the moment is looked at.
    ///
    /// # Errors
    /// [`InvalidPageToken`].
    pub fn check(
        &self,
        policy: &BeaconPolicy,
        token: &str,
        page_url: &str,
        now: DateTime<Utc>,
    ) -> Result<PageProof, InvalidPageToken> {
        let PageToken { session, issued_ms, code } = token.parse()?;
        if self.code(session, issued_ms, page_url) != code {
            return Err(InvalidPageToken::Forged);
        }
        let age_ms = now.timestamp_millis() - issued_ms as i64;
        if age_ms < -i64::from(policy.settings().id_ahead_ms) {
            return Err(InvalidPageToken::FromTheFuture);
        }
        if age_ms > i64::from(policy.settings().token_valid_ms) {
            return Err(InvalidPageToken::TooOld);
        }
        let issued_at = DateTime::from_timestamp_millis(issued_ms as i64).ok_or(InvalidPageToken::Forged)?;
        let mut first = [0; 16];
        first.copy_from_slice(&code.as_bytes()[..16]);
        Ok(PageProof { session, issued_at, token: u128::from_le_bytes(first) })
    }

    fn code(&self, session: SessionId, issued_ms: u64, page_url: &str) -> blake3::Hash {
        let page = Text::<1024>::cut(page_url);
        let mut hash = blake3::Hasher::new_keyed(&self.0);
        hash.update(&session.as_u128().to_le_bytes());
        hash.update(&issued_ms.to_le_bytes());
        hash.update(page.as_str().as_bytes());
        hash.finalize()
    }
}

impl fmt::Debug for PageTokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PageTokenKey(…)")
    }
}

impl fmt::Display for PageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:012x}{}", self.session, self.issued_ms, self.code.to_hex())
    }
}

impl fmt::Debug for PageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageToken({:?} at {} ms, …)", self.session, self.issued_ms)
    }
}

impl FromStr for PageToken {
    type Err = InvalidPageToken;

    fn from_str(text: &str) -> Result<Self, InvalidPageToken> {
        let wrong = InvalidPageToken::Malformed;
        // `from_str_radix` would take a sign, and hexadecimal digits of two cases would be two texts of one token.
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != DIGITS || !digits {
            return Err(wrong);
        }
        let (session, rest) = text.split_at(32);
        let (issued, code) = rest.split_at(12);
        Ok(Self {
            session: session.parse().map_err(|_| wrong)?,
            issued_ms: u64::from_str_radix(issued, 16).map_err(|_| wrong)?,
            code: blake3::Hash::from_hex(code).map_err(|_| wrong)?,
        })
    }
}

/// 16, 6 and 32 bytes.
const DIGITS: usize = 108;
/// What 48 bits hold: milliseconds up to the year 10889.
const MOST_MS: u64 = (1 << 48) - 1;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use chrono::TimeDelta;
    use proptest::prelude::*;
    use std::format;
    use std::string::String;

    const SESSION: SessionId = SessionId::from_u128(7);
    const PAGE: &str = "https://example.com/a";

    #[test]
    fn a_token_proves_its_session_and_its_moment_for_its_page() {
        let token = key().issue(SESSION, PAGE, at(1_234)).to_string();
        assert_eq!(token.len(), 108);
        let proof = check(&token, PAGE, at(5_000)).unwrap();
        assert_eq!((proof.session, proof.issued_at), (SESSION, at(1_234)));
        let other = key().issue(SESSION, PAGE, at(1_235)).to_string();
        assert_ne!(check(&other, PAGE, at(5_000)).unwrap().token, proof.token);
    }

    #[test]
    fn a_token_for_another_page_session_moment_or_key_is_forged() {
        let token = key().issue(SESSION, PAGE, at(1_234)).to_string();
        let forged = Err(InvalidPageToken::Forged);
        assert_eq!(check(&token, "https://example.com/b", at(5_000)), forged);
        assert_eq!(check(&token.replacen('7', "8", 1), PAGE, at(5_000)), forged);
        let later = format!("{}{:012x}{}", &token[..32], at(1_235).timestamp_millis(), &token[44..]);
        assert_eq!(check(&later, PAGE, at(5_000)), forged);
        let other = PageTokenKey::of_secret(&[8; 32]).issue(SESSION, PAGE, at(1_234)).to_string();
        assert_eq!(check(&other, PAGE, at(5_000)), forged);
    }

    #[test]
    fn a_token_holds_for_a_day_to_the_millisecond_and_not_long_before_it_was_made() {
        let token = key().issue(SESSION, PAGE, at(0)).to_string();
        let day = 86_400_000;
        assert!(check(&token, PAGE, at(0)).is_ok());
        assert!(check(&token, PAGE, at(day)).is_ok());
        assert_eq!(check(&token, PAGE, at(day + 1)), Err(InvalidPageToken::TooOld));
        assert!(check(&token, PAGE, at(-2_000)).is_ok());
        assert_eq!(check(&token, PAGE, at(-2_001)), Err(InvalidPageToken::FromTheFuture));
    }

    #[test]
    fn of_a_long_page_the_part_that_is_kept_counts() {
        let long = "x".repeat(2_000);
        let token = key().issue(SESSION, &long, at(0)).to_string();
        assert!(check(&token, &long[..1_024], at(0)).is_ok());
        assert_eq!(check(&token, &long[..1_023], at(0)), Err(InvalidPageToken::Forged));
    }

    #[test]
    fn one_token_has_one_text() {
        let token = key().issue(SESSION, PAGE, at(11)).to_string();
        let cases = [
            String::new(),
            token.to_uppercase(),
            format!("{token}0"),
            token[1..].into(),
            format!("+{}", &token[1..]),
        ];
        for text in cases {
            assert_eq!(check(&text, PAGE, at(11)), Err(InvalidPageToken::Malformed), "{text}");
        }
    }

    #[test]
    fn a_key_is_not_printed() {
        assert_eq!(format!("{:?}", key()), "PageTokenKey(…)");
        let token = key().issue(SESSION, PAGE, at(0));
        assert!(!format!("{token:?}").contains(&token.to_string()[44..]));
    }

    proptest! {
        #[test]
        fn no_text_panics_and_none_passes_that_was_not_issued(text in "[0-9a-f]{108}|.{0,120}", page: String, ms: i64) {
            prop_assert!(check(&text, &page, DateTime::from_timestamp_millis(ms >> 12).unwrap_or_default()).is_err());
        }

        #[test]
        fn a_token_holds_for_its_own_page_whatever_it_is(page: String, session: u128, ms in 0..4_000_000_000_000_i64) {
            let now = DateTime::from_timestamp_millis(ms).unwrap();
            let session = SessionId::from_u128(session);
            let token = key().issue(session, &page, now).to_string();
            prop_assert_eq!(check(&token, &page, now).map(|proof| (proof.session, proof.issued_at)), Ok((session, now)));
        }
    }

    fn key() -> PageTokenKey {
        PageTokenKey::of_secret(&[7; 32])
    }

    fn check(token: &str, page: &str, now: DateTime<Utc>) -> Result<PageProof, InvalidPageToken> {
        key().check(&BeaconPolicy::default(), token, page, now)
    }

    fn at(ms: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_000_000, 0).unwrap() + TimeDelta::milliseconds(ms)
    }
}
