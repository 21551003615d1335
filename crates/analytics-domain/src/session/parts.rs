//! What is known of a session from its first request: client, origin and place.

use core::fmt;
use core::str::FromStr;

use alloc::string::String;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Text;
use crate::request::{Channel, SessionAnalytics, UtmTags};
use crate::user_agent::DeviceType;

/// What the client says it is. What is not known is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionClient {
    /// The User-Agent field as sent, cut to 512 bytes.
    pub user_agent: Option<Text<512>>,
    /// The kind of device that it names.
    pub device: DeviceType,
    /// The family of the browser.
    pub browser: Option<Text<64>>,
    /// The version of the browser.
    pub browser_version: Option<Text<32>>,
    /// The operating system.
    pub os: Option<Text<64>>,
    /// The version of the operating system.
    pub os_version: Option<Text<32>>,
    /// The first language tag of Accept-Language by quality.
    pub locale: Option<Text<35>>,
}

/// How the session came to the site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionOrigin {
    /// The channel of the first request.
    pub channel: Channel,
    /// The host of the referrer, in lower case.
    pub referrer_host: Option<Text<255>>,
    /// The referrer as sent, cut to 1024 bytes.
    pub referrer_url: Option<Text<1024>>,
    /// The campaign of the first request.
    pub campaign: Campaign,
    /// The path of the first page view; `None` until there is one.
    pub landing_page: Option<Text<1024>>,
    /// The full URL of the landing page.
    pub entry_url: Option<Text<1024>>,
}

/// The UTM parameters of a request, percent-decoded, each cut to 256 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Campaign {
    /// `utm_source`.
    pub source: Option<Text<256>>,
    /// `utm_medium`.
    pub medium: Option<Text<256>>,
    /// `utm_campaign`.
    pub campaign: Option<Text<256>>,
    /// `utm_content`.
    pub content: Option<Text<256>>,
    /// `utm_term`.
    pub term: Option<Text<256>>,
}

/// Where the client's address is registered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SessionPlace {
    /// The country.
    pub country: Option<CountryCode>,
    /// The name of the region.
    pub region: Option<Text<128>>,
    /// The name of the city.
    pub city: Option<Text<128>>,
}

/// A country by its two letters of ISO 3166-1, in upper case. Whether such a country exists is not checked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountryCode([u8; 2]);

/// A text is not two letters from A to Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a country code has two letters from A to Z")]
pub struct InvalidCountryCode;

impl Default for SessionClient {
    /// A client of which nothing is known.
    fn default() -> Self {
        Self {
            user_agent: None,
            device: DeviceType::Unknown,
            browser: None,
            browser_version: None,
            os: None,
            os_version: None,
            locale: None,
        }
    }
}

impl Default for SessionOrigin {
    /// A direct visit, before its first page view.
    fn default() -> Self {
        Self {
            channel: Channel::Direct,
            referrer_host: None,
            referrer_url: None,
            campaign: Campaign::default(),
            landing_page: None,
            entry_url: None,
        }
    }
}

impl SessionOrigin {
    /// The origin that the first request of a session tells.
    pub fn of(request: &SessionAnalytics) -> Self {
        Self {
            channel: request.channel,
            referrer_host: request.referrer_host.as_deref().map(Text::cut),
            referrer_url: request.referrer_url.as_deref().map(Text::cut),
            campaign: request.utm.as_ref().map(Campaign::from).unwrap_or_default(),
            landing_page: request.landing_page.as_deref().map(Text::cut),
            entry_url: request.entry_url.as_deref().map(Text::cut),
        }
    }
}

impl From<&UtmTags> for Campaign {
    fn from(tags: &UtmTags) -> Self {
        let kept = |tag: &Option<String>| tag.as_deref().map(Text::cut);
        Self {
            source: kept(&tags.source),
            medium: kept(&tags.medium),
            campaign: kept(&tags.campaign),
            content: kept(&tags.content),
            term: kept(&tags.term),
        }
    }
}

impl Campaign {
    /// Whether a request with these parameters brings another campaign than the session's.
    ///
    /// Source, medium and campaign name a campaign, in either case; content and term tell its links apart. A request
    /// with none of the three brings no campaign, so it changes nothing. It is the rule of
    /// [`Utm::campaign_hash`](crate::request::Utm::campaign_hash), on the values that are kept.
    pub fn is_changed_by(&self, request: &Self) -> bool {
        let text = |part: &Option<Text<256>>| part.as_ref().map_or("", Text::as_str).to_ascii_lowercase();
        let own = [&self.source, &self.medium, &self.campaign];
        let brought = [&request.source, &request.medium, &request.campaign];
        brought.iter().any(|part| part.is_some()) && own.map(text) != brought.map(text)
    }
}

impl CountryCode {
    /// The two letters.
    ///
    /// # Panics
    /// Never: both bytes are letters from A to Z.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).expect("both bytes are letters from A to Z")
    }
}

impl FromStr for CountryCode {
    type Err = InvalidCountryCode;

    /// Reads two letters, in either case.
    fn from_str(text: &str) -> Result<Self, InvalidCountryCode> {
        match text.as_bytes() {
            &[a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Ok(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => Err(InvalidCountryCode),
        }
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for CountryCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for CountryCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Utm;
    use alloc::format;
    use proptest::prelude::*;

    #[test]
    fn a_country_is_two_letters_in_either_case() {
        assert_eq!("dk".parse::<CountryCode>().unwrap().as_str(), "DK");
        for wrong in ["", "d", "dnk", "d1", "é"] {
            assert_eq!(wrong.parse::<CountryCode>(), Err(InvalidCountryCode), "{wrong}");
        }
    }

    #[test]
    fn a_request_without_campaign_changes_none() {
        let named = |name: &str| Campaign { campaign: Some(Text::cut(name)), ..Campaign::default() };
        let spring = named("spring");
        assert!(!spring.is_changed_by(&Campaign::default()));
        assert!(!spring.is_changed_by(&spring));
        assert!(Campaign::default().is_changed_by(&spring));
        assert!(spring.is_changed_by(&named("summer")));
        assert!(!spring.is_changed_by(&Campaign { content: Some(Text::cut("top")), ..named("Spring") }));
    }

    proptest! {
        /// What is kept of two requests answers as the requests themselves would.
        #[test]
        fn campaigns_differ_where_their_hashes_do(first in queries(), second in queries()) {
            let read = |query: &str| {
                let utm = Utm::read(query);
                let kept = utm.map(|utm| Campaign::from(&utm.tags())).unwrap_or_default();
                (utm.and_then(|utm| utm.campaign_hash()), kept)
            };
            let ((own_hash, own), (hash, request)) = (read(&first), read(&second));
            // A session without a campaign is as one whose three values are empty.
            let none = Utm::read("utm_source=").and_then(|utm| utm.campaign_hash());
            prop_assert_eq!(own.is_changed_by(&request), hash.is_some() && hash != own_hash.or(none));
        }
    }

    fn queries() -> impl Strategy<Value = String> {
        let part = || proptest::option::of("(a|A|b|%20|%C3%A9|)");
        (part(), part(), part(), part()).prop_map(|(source, medium, campaign, content)| {
            let names = ["utm_source", "utm_medium", "utm_campaign", "utm_content"];
            let pairs = names.iter().zip([source, medium, campaign, content]);
            pairs.filter_map(|(name, value)| value.map(|value| format!("{name}={value}&"))).collect()
        })
    }
}
