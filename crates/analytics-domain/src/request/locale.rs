//! The language that a client prefers.

use core::fmt;

use serde::{Serialize, Serializer};

/// A language tag of at most 35 bytes, such as `de`, `pt-BR` or `zh-Hant-TW`, without allocation.
///
/// Case is that of BCP 47: language lower, script with a capital, region upper, so that equal tags are equal. 35
/// bytes hold every tag that RFC 5646 §4.4.1 asks software to take; longer ones lose their last subtags.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locale {
    bytes: [u8; 35],
    len: u8,
}

impl Locale {
    /// The tag in its usual case; nothing when the text is no language tag.
    ///
    /// A tag is a language of 2 to 8 letters and subtags of 1 to 8 letters or digits, joined by `-` (or `_`).
    pub fn parse(tag: &str) -> Option<Self> {
        let mut locale = Self { bytes: [0; 35], len: 0 };
        let mut after_singleton = false;
        for (position, subtag) in tag.split(['-', '_']).enumerate() {
            let letters = subtag.bytes().all(|b| b.is_ascii_alphabetic());
            let sound = if position == 0 {
                letters && (2..=8).contains(&subtag.len())
            } else {
                (1..=8).contains(&subtag.len()) && subtag.bytes().all(|b| b.is_ascii_alphanumeric())
            };
            if !sound {
                return None;
            }
            let case = match (position, subtag.len(), letters && !after_singleton) {
                (1.., 2, true) => Case::Upper,
                (1.., 4, true) => Case::Title,
                _ => Case::Lower,
            };
            after_singleton |= position > 0 && subtag.len() == 1;
            if !locale.push(subtag, case) {
                break;
            }
        }
        Some(locale)
    }

    /// The tag as text.
    pub fn as_str(&self) -> &str {
        // Only ASCII is ever pushed, so that the fallback is never taken.
        core::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }

    /// Appends a subtag, or nothing and `false` when there is no room.
    fn push(&mut self, subtag: &str, case: Case) -> bool {
        let dash = usize::from(self.len > 0);
        let start = usize::from(self.len);
        let Some(room) = self.bytes.get_mut(start..start + dash + subtag.len()) else { return false };
        if dash == 1 {
            room[0] = b'-';
        }
        for (at, (to, from)) in room[dash..].iter_mut().zip(subtag.bytes()).enumerate() {
            *to = match case {
                Case::Upper => from.to_ascii_uppercase(),
                Case::Title if at == 0 => from.to_ascii_uppercase(),
                Case::Lower | Case::Title => from.to_ascii_lowercase(),
            };
        }
        self.len += (dash + subtag.len()) as u8;
        true
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Locale({})", self.as_str())
    }
}

impl Serialize for Locale {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Locale {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tag = alloc::string::String::deserialize(deserializer)?;
        Self::parse(&tag).ok_or_else(|| serde::de::Error::custom("not a language tag"))
    }
}

/// The language that an `Accept-Language` field asks for first: the highest quality, the earliest among equals.
///
/// `*`, languages of quality 0 and what is no language tag are passed over; nothing when none is left. A quality that
/// cannot be read counts as 1, the value of one that is not given (RFC 9110 §12.4.2).
pub fn locale(accept_language: &str) -> Option<Locale> {
    let mut best: Option<(u16, Locale)> = None;
    for range in accept_language.split(',') {
        let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
        let quality = quality(parameters);
        if best.is_some_and(|(highest, _)| quality <= highest) || quality == 0 {
            continue;
        }
        if let Some(tag) = Locale::parse(tag.trim()) {
            best = Some((quality, tag));
            if quality == 1000 {
                break;
            }
        }
    }
    best.map(|(_, tag)| tag)
}

/// The `q` parameter in thousandths, at most 1,000.
fn quality(parameters: &str) -> u16 {
    let value = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    let Some(fraction) = value.and_then(|value| value.strip_prefix('0')) else { return 1000 };
    let digits = fraction.strip_prefix('.').unwrap_or(fraction);
    let mut thousandths = 0;
    for place in 0..3 {
        let digit = match digits.as_bytes().get(place) {
            None => 0,
            Some(byte) if byte.is_ascii_digit() => u16::from(byte - b'0'),
            Some(_) => return 1000,
        };
        thousandths = thousandths * 10 + digit;
    }
    thousandths
}

#[derive(Clone, Copy)]
enum Case {
    Lower,
    Title,
    Upper,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("de", Some("de"))]
    #[case("en-US,en;q=0.9,de;q=0.8", Some("en-US"))]
    #[case("en;q=0.5, fr;q=0.9", Some("fr"))]
    #[case("en;q=0.5, fr;q=0.5", Some("en"))]
    #[case("*, nl;q=0.1", Some("nl"))]
    #[case("de;q=0, it;q=0.001", Some("it"))]
    #[case("EN-us", Some("en-US"))]
    #[case("zh_hant_tw", Some("zh-Hant-TW"))]
    #[case("de-CH-1996", Some("de-CH-1996"))]
    #[case("en-x-ab-cdef", Some("en-x-ab-cdef"))]
    #[case("fr ; Q=0.2 , es ; q = 0.3", Some("es"))]
    #[case("fr;q=rubbish", Some("fr"))]
    #[case("*", None)]
    #[case("", None)]
    #[case("-", None)]
    #[case("e", None)]
    #[case("en-", None)]
    #[case("${jndi:ldap}", None)]
    fn the_first_language_by_quality_is_taken(#[case] field: &str, #[case] tag: Option<&str>) {
        assert_eq!(locale(field).as_ref().map(Locale::as_str), tag);
    }

    #[test]
    fn a_long_tag_loses_its_last_subtags() {
        let long = Locale::parse("de-abcdefgh-abcdefgh-abcdefgh-abcdefgh-abc").unwrap();
        assert_eq!(long.as_str(), "de-abcdefgh-abcdefgh-abcdefgh");
        let full = Locale::parse("de-abcdefgh-abcdefgh-abcdefgh-abcde").unwrap();
        assert_eq!(full.as_str().len(), 35);
    }

    proptest! {
        #[test]
        fn any_text_is_read_within_35_bytes(field: String) {
            prop_assert!(locale(&field).is_none_or(|tag| tag.as_str().len() <= 35));
        }

        #[test]
        fn a_tag_that_was_read_reads_as_itself(tag in "[a-zA-Z]{2,8}(-[a-zA-Z0-9]{1,8}){0,6}") {
            let read = Locale::parse(&tag).unwrap();
            prop_assert_eq!(Locale::parse(read.as_str()), Some(read));
        }
    }
}
