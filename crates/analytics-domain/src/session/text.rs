//! Text of a bounded length.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// A text of at most `MAX` bytes without NUL characters, which some stores cannot keep.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct Text<const MAX: usize>(String);

/// A text that must not be changed is longer than its bound, or has a NUL character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a text here has at most {most} bytes and no NUL, this one has {bytes} bytes")]
pub struct TextTooLong {
    /// The bound.
    pub most: usize,
    /// The length of the text refused.
    pub bytes: usize,
}

impl<const MAX: usize> Text<MAX> {
    /// The text without its NUL characters, cut to at most `MAX` bytes at a character boundary. For what clients send.
    pub fn cut(text: &str) -> Self {
        let mut kept = String::with_capacity(text.len().min(MAX));
        for character in text.chars().filter(|&c| c != '\0') {
            if kept.len() + character.len_utf8() > MAX {
                break;
            }
            kept.push(character);
        }
        Self(kept)
    }

    /// The text as it is. For what was stored by us, where a cut would hide a fault.
    ///
    /// # Errors
    /// [`TextTooLong`] when it has more than `MAX` bytes or a NUL character.
    pub fn new(text: impl Into<String>) -> Result<Self, TextTooLong> {
        let text = text.into();
        if text.len() > MAX || text.contains('\0') {
            Err(TextTooLong { most: MAX, bytes: text.len() })
        } else {
            Ok(Self(text))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is no character in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(Text::<4>::cut("abé").as_str(), "abé");
        assert_eq!(Text::<3>::cut("abé").as_str(), "ab");
        assert_eq!(Text::<3>::cut("a\0bcd").as_str(), "abc");
    }

    #[test]
    fn what_was_stored_is_refused_rather_than_cut() {
        assert_eq!(Text::<2>::new("abc"), Err(TextTooLong { most: 2, bytes: 3 }));
        assert_eq!(Text::<2>::new("\0"), Err(TextTooLong { most: 2, bytes: 1 }));
        assert_eq!(Text::<2>::new("ab").unwrap().as_str(), "ab");
        assert!(serde_json::from_str::<Text<2>>("\"abc\"").is_err());
    }

    proptest! {
        #[test]
        fn a_cut_text_is_always_valid_and_the_longest_that_fits(text: String) {
            let cut = Text::<8>::cut(&text);
            prop_assert_eq!(Text::<8>::new(cut.as_str()), Ok(cut.clone()));
            let clean = text.replace('\0', "");
            prop_assert!(clean.starts_with(cut.as_str()));
            let next = clean[cut.as_str().len()..].chars().next().map_or(0, char::len_utf8);
            prop_assert!(next == 0 || cut.as_str().len() + next > 8);
        }
    }
}
