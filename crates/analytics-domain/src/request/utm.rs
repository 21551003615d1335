//! Campaign parameters of a request's query.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3Default;

use super::text::{Folded, cut, decoded};

/// The campaign parameters of a query, as they stand there.
///
/// Values are still percent-encoded and borrowed; [`Utm::tags`] decodes them. An empty value counts as absent, of
/// repeated parameters the first counts, names are read in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Utm<'a> {
    /// `utm_source`: where the link stands.
    pub source: Option<&'a str>,
    /// `utm_medium`: what kind of link it is.
    pub medium: Option<&'a str>,
    /// `utm_campaign`: the campaign's name.
    pub campaign: Option<&'a str>,
    /// `utm_content`: which link of several.
    pub content: Option<&'a str>,
    /// `utm_term`: the keyword that was paid for.
    pub term: Option<&'a str>,
    /// Whether an advertising network's click id is there (`gclid`, `gbraid`, `wbraid`, `dclid`, `msclkid`, `yclid`,
    /// `ttclid`, `twclid`). `fbclid` is not among them: it is added to unpaid links too.
    pub paid_click: bool,
}

impl<'a> Utm<'a> {
    /// The campaign parameters of a query (without its `?`); nothing when there are none.
    pub fn read(query: &'a str) -> Option<Self> {
        let mut utm = Self::default();
        for parameter in query.split('&') {
            // Links are sometimes escaped twice, so that `&amp;` comes as text.
            let parameter = parameter.strip_prefix("amp;").unwrap_or(parameter);
            let Some(b'u' | b'U' | b'g' | b'w' | b'd' | b'm' | b'y' | b't') = parameter.as_bytes().first()
            else {
                continue;
            };
            let Some((name, value)) = parameter.split_once('=') else { continue };
            if value.is_empty() {
                continue;
            }
            match name.split_at_checked(4) {
                Some((prefix, rest)) if prefix.eq_ignore_ascii_case("utm_") => {
                    if let Some(slot) = utm.slot(rest) {
                        slot.get_or_insert(value);
                    }
                }
                Some(_) | None => utm.paid_click |= CLICK_IDS.contains(&name),
            }
        }
        (utm != Self::default()).then_some(utm)
    }

    /// A hash of source, medium and campaign after decoding, to see whether two requests name the same campaign;
    /// nothing when neither is given.
    ///
    /// Content and term do not count: they tell links of one campaign apart. Each value counts with its first 256
    /// bytes.
    pub fn campaign_hash(&self) -> Option<u64> {
        let parts = [self.source, self.medium, self.campaign];
        parts.iter().any(Option::is_some).then(|| {
            let mut hasher = Xxh3Default::new();
            for part in parts {
                let value = Folded::<MAX_VALUE>::decoded_lower(part.unwrap_or_default());
                hasher.update(&(value.as_bytes().len() as u16).to_le_bytes());
                hasher.update(value.as_bytes());
            }
            hasher.digest()
        })
    }

    /// The parameters decoded, each cut at 256 bytes between characters.
    pub fn tags(&self) -> UtmTags {
        UtmTags {
            source: self.source.map(value),
            medium: self.medium.map(value),
            campaign: self.campaign.map(value),
            content: self.content.map(value),
            term: self.term.map(value),
        }
    }

    fn slot(&mut self, name: &str) -> Option<&mut Option<&'a str>> {
        [
            ("source", &mut self.source),
            ("medium", &mut self.medium),
            ("campaign", &mut self.campaign),
            ("content", &mut self.content),
            ("term", &mut self.term),
        ]
        .into_iter()
        .find_map(|(known, slot)| known.eq_ignore_ascii_case(name).then_some(slot))
    }
}

/// The campaign parameters that a session keeps: percent-decoded, each at most 256 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UtmTags {
    /// Where the link stands.
    pub source: Option<String>,
    /// What kind of link it is.
    pub medium: Option<String>,
    /// The campaign's name.
    pub campaign: Option<String>,
    /// Which link of several.
    pub content: Option<String>,
    /// The keyword that was paid for.
    pub term: Option<String>,
}

/// Decodes one value; bytes that are no UTF-8 become U+FFFD. The three bytes past the limit keep a character at the
/// limit whole until the cut.
fn value(raw: &str) -> String {
    let bytes: Vec<u8> = decoded(raw.as_bytes()).take(MAX_VALUE + 3).collect();
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    text.truncate(cut(&text, MAX_VALUE).len());
    text
}

/// The longest value kept, in bytes.
const MAX_VALUE: usize = 256;

const CLICK_IDS: [&str; 8] = ["gclid", "gbraid", "wbraid", "dclid", "msclkid", "yclid", "ttclid", "twclid"];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_percent_decoded() {
        let utm = Utm::read(
            "id=1&utm_source=News%20Letter&UTM_MEDIUM=e-mail&amp;utm_campaign=Fr%C3%BChling+26&utm_term=",
        )
        .unwrap();
        let expected = UtmTags {
            source: Some("News Letter".into()),
            medium: Some("e-mail".into()),
            campaign: Some("Frühling 26".into()),
            content: None,
            term: None,
        };
        assert_eq!(utm.tags(), expected);
    }

    #[test]
    fn a_query_without_campaign_has_none() {
        for query in ["", "a=b&c", "utm_source=", "utm_other=1", "xutm_source=1", "fbclid=1"] {
            assert_eq!(Utm::read(query), None, "{query}");
        }
    }

    #[test]
    fn the_first_of_repeated_parameters_counts() {
        assert_eq!(Utm::read("utm_source=a&utm_source=b").unwrap().source, Some("a"));
    }

    #[test]
    fn a_click_id_alone_is_a_paid_click() {
        assert_eq!(Utm::read("gclid=abc"), Some(Utm { paid_click: true, ..Utm::default() }));
    }

    #[test]
    fn campaigns_are_the_same_however_they_are_encoded() {
        let hash = |query| Utm::read(query).unwrap().campaign_hash();
        assert_eq!(hash("utm_campaign=a+b"), hash("utm_term=x&utm_campaign=A%20b"));
        assert_ne!(hash("utm_campaign=a"), hash("utm_campaign=b"));
        assert_ne!(hash("utm_source=a"), hash("utm_medium=a"));
        assert_eq!(hash("utm_content=a"), None);
    }

    #[test]
    fn a_long_value_is_cut_between_characters_at_256_bytes() {
        let query = alloc::format!("utm_source={}", "%C3%A9".repeat(200));
        assert_eq!(Utm::read(&query).unwrap().tags().source, Some("é".repeat(128)));
        let query = alloc::format!("utm_source=a{}", "é".repeat(200));
        assert_eq!(Utm::read(&query).unwrap().tags().source, Some(alloc::format!("a{}", "é".repeat(127))));
    }

    proptest! {
        #[test]
        fn any_query_is_read_within_bounds(query: String, value: String) {
            let query = alloc::format!("{query}&utm_source={value}");
            let utm = Utm::read(&query).unwrap_or_default();
            utm.campaign_hash();
            prop_assert!(utm.tags().source.is_none_or(|source| source.len() <= 256));
        }
    }
}
