//! What browsers and hosts send about pages, as JSON.
//!
//! A key that is not known is passed over, so that a tracker of a newer release, which browsers keep in their caches, is
//! read by an older server. A value of the wrong type refuses its item and no other.

use analytics_domain::engagement::{BeaconPolicy, CreateEngagementEventInput};
use analytics_domain::event::{EventName, EventProperties};
use analytics_domain::ids::{EventId, SessionId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What one beacon tells of a page.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Beacon {
    /// Which beacon it is: a `UUIDv7` of the time of sending by the server's clock, as the answer with the token told it.
    /// So a beacon that comes twice is kept once.
    pub id: Option<EventId>,
    /// The page's token.
    pub token: Option<String>,
    /// Signs of automation that the browser shows.
    pub automation: Vec<AutomationFlag>,
    /// Width of the window's inside, in pixels.
    pub viewport_width: Option<f64>,
    /// Height of the window's inside, in pixels.
    pub viewport_height: Option<f64>,
    /// What happened on the page.
    #[serde(flatten)]
    pub claims: CreateEngagementEventInput,
}

/// A sign that a browser is driven by a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutomationFlag {
    /// `navigator.webdriver` is true.
    Webdriver,
    /// The user agent says that it is headless.
    Headless,
    /// The browser has no language.
    NoLanguages,
    /// Globals of `PhantomJS`.
    Phantom,
    /// Globals of Nightmare.
    Nightmare,
    /// Globals of Selenium or of a driver of Chromium.
    Selenium,
    /// Globals of Playwright.
    Playwright,
    /// One that this release does not know.
    #[serde(other)]
    Other,
}

/// A named event.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct EventBeacon {
    /// Which event it is, as for [`Beacon`].
    #[serde(default)]
    pub id: Option<EventId>,
    /// The token of the page that it happened on.
    #[serde(default)]
    pub token: Option<String>,
    /// The page that it happened on; needed with a token.
    #[serde(default)]
    pub page_url: String,
    /// The session that it happened in; only hosts may name one.
    #[serde(default)]
    pub session_id: Option<SessionId>,
    /// What happened.
    pub name: EventName,
    /// What is known of it beside.
    #[serde(default)]
    pub properties: EventProperties,
}

/// A page that asks for its token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PageTokenRequest {
    /// The page.
    pub page_url: String,
    /// The page that led to it, if any.
    #[serde(default)]
    pub referrer: Option<String>,
    /// How the visitor came to it.
    #[serde(default)]
    pub navigation: Navigation,
    /// The part of the page's query that says what campaign led to it, such as `utm_source=letter`.
    #[serde(default)]
    pub campaign: String,
}

/// How a visitor came to a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Navigation {
    /// The page was loaded.
    #[default]
    Load,
    /// A script of the site changed the address.
    SinglePage,
    /// The browser brought a page back that it had kept alive.
    Restored,
    /// Without a script: the pixel was loaded.
    Pixel,
    /// One that this release does not know.
    #[serde(other)]
    Other,
}

/// The token of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PageTokenAnswer {
    /// The token.
    pub token: String,
    /// The server's time in milliseconds since 1970, from which the page counts on for the ids of its beacons.
    pub now_ms: i64,
}

/// Whether a body is one item or a list of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One JSON object.
    One,
    /// A JSON array of objects.
    Batch,
}

/// Why nothing in a body can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The body is larger than the policy takes.
    #[error("the body has {bytes} bytes, more than {most}")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The most that is taken.
        most: u32,
    },
    /// The body is no JSON in UTF-8.
    #[error("the body is no JSON: {0}")]
    NotJson(String),
    /// A batch is not a JSON array.
    #[error("a batch is a JSON array")]
    NotAList,
    /// There are more items in a batch than the policy takes.
    #[error("the batch has {items} items, more than {most}")]
    TooMany {
        /// Their number.
        items: usize,
        /// The most that are taken.
        most: u32,
    },
}

impl Unreadable {
    /// Its name in counters and answers.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too_large",
            Self::NotJson(_) => "not_json",
            Self::NotAList => "not_a_list",
            Self::TooMany { .. } => "too_many",
        }
    }
}

/// The items of a body, in their order; one that is wrong is told with what is wrong, and the others are read.
///
/// # Errors
/// [`Unreadable`] when the body as a whole is refused.
pub fn read<T: DeserializeOwned>(
    policy: &BeaconPolicy,
    form: Form,
    body: &[u8],
) -> Result<Vec<Result<T, String>>, Unreadable> {
    let settings = policy.settings();
    let most = match form {
        Form::One => settings.body_max,
        Form::Batch => settings.batch_body_max,
    };
    if body.len() > most as usize {
        return Err(Unreadable::TooLarge { bytes: body.len(), most });
    }
    let json: Value = serde_json::from_slice(body).map_err(|error| Unreadable::NotJson(error.to_string()))?;
    let items = match (form, json) {
        (Form::One, item) => vec![item],
        (Form::Batch, Value::Array(items)) => items,
        (Form::Batch, _) => return Err(Unreadable::NotAList),
    };
    if items.len() > settings.batch_max as usize {
        return Err(Unreadable::TooMany { items: items.len(), most: settings.batch_max });
    }
    Ok(items.into_iter().map(|item| serde_json::from_value(item).map_err(|error| told(&error))).collect())
}

/// What is wrong with an item. The message may quote what was sent, so it is bounded.
fn told(error: &serde_json::Error) -> String {
    let mut message = error.to_string();
    if let Some((at, _)) = message.char_indices().nth(200) {
        message.truncate(at);
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use analytics_domain::engagement::BeaconSettings;

    #[test]
    fn a_beacon_is_read_with_every_claim_and_unknown_keys_are_passed_over() {
        let body = br#"{"page_url": "/a", "token": "t", "id": "0000000000007000800000000000000a",
            "max_scroll_depth": 80, "time_on_page_ms": 12.5, "is_rage_click": true, "from_a_newer_release": [{}],
            "viewport_width": 1280, "viewport_height": 720, "automation": ["webdriver", "something_new"],
            "clicks": [{"at_ms": 1, "x": 2, "y": 3, "outcome": {"focus_ms": 4, "watched_ms": 5}}]}"#;
        let read = one(body).unwrap();
        assert_eq!(read.id, Some(EventId::from_u128(0x7000_8000_0000_0000_000a)));
        assert_eq!(read.token.as_deref(), Some("t"));
        assert_eq!(read.automation, [AutomationFlag::Webdriver, AutomationFlag::Other]);
        assert_eq!((read.viewport_width, read.viewport_height), (Some(1_280.0), Some(720.0)));
        let claims = &read.claims;
        assert_eq!((claims.page_url.as_str(), claims.max_scroll_depth), ("/a", Some(80.0)));
        assert_eq!((claims.time_on_page_ms, claims.is_rage_click), (Some(12.5), Some(true)));
        assert_eq!((claims.clicks.len(), claims.clicks[0].outcome.focus_ms), (1, Some(4.0)));
        assert_eq!(one(b"{}").unwrap(), Beacon::default());
    }

    #[test]
    fn what_is_wrong_with_an_item_is_told_and_bounded() {
        assert!(one(br#"{"click_count": "3"}"#).unwrap_err().contains("invalid type: string \"3\""));
        assert!(one(br#"{"id": "12"}"#).unwrap_err().contains("32 hexadecimal digits"));
        assert!(one(b"[]").is_err() && one(b"null").is_err());
        let long = format!(r#"{{"click_count": "{}"}}"#, "é".repeat(9_000));
        assert_eq!(one(long.as_bytes()).unwrap_err().chars().count(), 201);
    }

    #[test]
    fn one_bad_item_of_a_batch_spoils_no_other() {
        let read =
            read::<Beacon>(&policy(), Form::Batch, br#"[{"page_url":"/a"}, 7, {"page_url":"/b"}]"#).unwrap();
        let pages: Vec<_> =
            read.iter().map(|item| item.as_ref().ok().map(|read| read.claims.page_url.as_str())).collect();
        assert_eq!(pages, [Some("/a"), None, Some("/b")]);
    }

    #[test]
    fn a_body_that_is_too_large_too_long_or_no_json_is_refused_as_a_whole() {
        let refused = |form, body: &[u8]| read::<Beacon>(&policy(), form, body).unwrap_err();
        let spaces = vec![b' '; 1_025];
        assert_eq!(refused(Form::One, &spaces), Unreadable::TooLarge { bytes: 1_025, most: 1_024 });
        assert_eq!(refused(Form::Batch, &[b' '; 2_049]), Unreadable::TooLarge { bytes: 2_049, most: 2_048 });
        assert_eq!(refused(Form::Batch, b"[1,2,3,4]"), Unreadable::TooMany { items: 4, most: 3 });
        assert_eq!(refused(Form::Batch, b"{}"), Unreadable::NotAList);
        for broken in [&b""[..], b"{", b"{} {}", b"\xff", b"NaN"] {
            assert!(matches!(refused(Form::One, broken), Unreadable::NotJson(_)), "{broken:?}");
        }
        let deep = [b'['; 1_000];
        assert!(matches!(refused(Form::One, &deep), Unreadable::NotJson(_)), "nesting is bounded");
        assert_eq!(read::<Beacon>(&policy(), Form::Batch, b"[]"), Ok(vec![]));
    }

    #[test]
    fn an_event_needs_a_name_and_properties_within_their_bounds() {
        let event = |body: &[u8]| read::<EventBeacon>(&policy(), Form::One, body).unwrap().remove(0);
        let read = event(br#"{"name": "sign_up", "properties": {"plan": "pro", "seats": 3}}"#).unwrap();
        assert_eq!((read.name.as_str(), read.properties.as_map().len()), ("sign_up", 2));
        assert!(event(br#"{"properties": {}}"#).unwrap_err().contains("name"));
        assert!(event(br#"{"name": ""}"#).is_err());
        assert!(event(br#"{"name": "x", "properties": {"a": {}}}"#).is_err());
    }

    fn one(body: &[u8]) -> Result<Beacon, String> {
        read(&BeaconPolicy::default(), Form::One, body).unwrap().remove(0)
    }

    fn policy() -> BeaconPolicy {
        let settings = BeaconSettings {
            batch_max: 3,
            body_max: 1_024,
            batch_body_max: 2_048,
            ..BeaconSettings::default()
        };
        BeaconPolicy::new(settings).unwrap()
    }
}
