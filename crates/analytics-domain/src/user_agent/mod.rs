//! Reading a user agent: device, browser, system, and automation that declares itself.
//!
//! [`UserAgent::parse`] splits the text by the grammar of RFC 9110 and asks tables: which browser, which system, which
//! device, and which of some 1,500 names of crawlers, tools and services stands in it as a word. The tables are
//! indexed when the crate is compiled, so there is nothing to build, share or keep.
//!
//! Whether a declared crawler is who it says is not decided here: a name is a claim. Neither does a missing agent say
//! anything here; the detector weighs that.

mod browser;
mod declared;
mod device;
mod phrases;
mod releases;
mod system;
mod tokens;

use alloc::borrow::Cow;
use core::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use phrases::Words;
use tokens::Agent;

/// What one user agent tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserAgent {
    /// The kind of device; `Bot` for declared automation, whatever device it claims, and `Unknown` if nothing tells.
    pub device_type: DeviceType,
    /// The browser with its own version; `None` if no browser is named.
    pub browser: Option<Product>,
    /// The operating system; `None` if none is named.
    pub os: Option<Product>,
    /// The automation the agent declares itself to be; `None` for people's browsers and for what is not known.
    pub declared: Option<Declared>,
    /// The engine with the major version that dates it, whatever the browser calls itself.
    pub engine: Option<(Engine, u16)>,
    mozilla: bool,
    web_view: bool,
}

impl UserAgent {
    /// The longest text that is read, in bytes; the rest is cut off at a character boundary.
    pub const MAX_BYTES: usize = 512;

    /// Reads a user agent; never fails, and an empty text or `-` tells nothing.
    ///
    /// ```
    /// use analytics_domain::user_agent::{AutomationKind, DeviceType, UserAgent};
    ///
    /// let phone = UserAgent::parse(
    ///     "Mozilla/5.0 (Linux; Android 14; CUBOT X30) AppleWebKit/537.36 (KHTML, like Gecko) \
    ///      Chrome/120.0.0.0 Mobile Safari/537.36",
    /// );
    /// assert_eq!(phone.device_type, DeviceType::Mobile);
    /// assert!(phone.is_browser());
    ///
    /// let crawler = UserAgent::parse("Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)");
    /// assert_eq!(crawler.declared.map(|declared| declared.kind), Some(AutomationKind::AiTraining));
    /// ```
    pub fn parse(text: &str) -> Self {
        let text = text[..text.floor_char_boundary(Self::MAX_BYTES)].trim_matches([' ', '\t', '"', '\'']);
        let agent = Agent::read(text);
        let os = system::system(&agent);
        let (mut hint, mut names) = (device::Hint::default(), declared::Names::default());
        for word in Words::new(text.as_bytes()) {
            hint.note(text.as_bytes(), &word);
            names.note(text, &word);
        }
        let device = device::device(text, hint, &agent, os.as_ref());
        let declared = names.declared(text, &agent, device);
        let device_type = if declared.is_some() { DeviceType::Bot } else { device };
        Self {
            device_type,
            browser: browser::browser(&agent, os.as_ref()),
            engine: browser::engine(&agent, os.as_ref()),
            os,
            declared,
            mozilla: text.starts_with("Mozilla/"),
            web_view: text.contains("; wv)"),
        }
    }

    /// Whether this claims to be a browser with a person in front of it: one that is known or that speaks as Mozilla,
    /// and that declares no automation.
    pub fn is_browser(&self) -> bool {
        self.declared.is_none() && (self.mozilla || self.browser.is_some())
    }

    /// Whether this claims to be a browser that shows text only: it loads no assets by design.
    pub fn is_text_only(&self) -> bool {
        self.browser.is_some_and(|browser| matches!(browser.name, "ELinks" | "Links" | "Lynx" | "w3m"))
    }

    /// Whether it is a page shown inside an app by Android's `WebView`.
    pub const fn is_web_view(&self) -> bool {
        self.web_view
    }

    /// The day on which the major version of the engine was released; `None` for an engine or version not known.
    ///
    /// Exact to the day in the table, which reaches to mid 2026; a newer version is dated by the rhythm its maker
    /// announced, so it can be some weeks off. On iPhone and iPad it is the date of the system's Safari.
    pub fn released(&self) -> Option<NaiveDate> {
        let (engine, major) = self.engine?;
        releases::released(engine, major)
    }
}

/// A named thing with its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Product {
    /// The name that people know it by, such as `Chrome` or `Windows`.
    pub name: &'static str,
    /// The version as the agent gives it; for Windows the name it was sold under.
    pub version: Option<Version>,
}

/// The version of a product: at most [`Version::MAX_BYTES`] letters, digits and dots.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    text: [u8; Version::MAX_BYTES],
    len: u8,
}

impl Version {
    /// The longest version that is kept, in bytes; what is longer is cut.
    pub const MAX_BYTES: usize = 22;

    /// The version at the start of a text: letters, digits, dots, and underscores read as dots; `None` if there is none.
    pub fn new(text: &str) -> Option<Self> {
        let mut kept = [0; Self::MAX_BYTES];
        let mut len = 0;
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            let space_before_digit =
                byte == b' ' && len == 2 && rest.clone().next().is_some_and(|b| b.is_ascii_digit());
            let byte = match byte {
                b'_' | b'.' => b'.',
                byte if byte.is_ascii_alphanumeric() => byte,
                b' ' if space_before_digit => byte,
                _ => break,
            };
            let Some(slot) = kept.get_mut(len) else { break };
            *slot = byte;
            len += 1;
        }
        while len > 0 && kept[len - 1] == b'.' {
            len -= 1;
            kept[len] = 0;
        }
        (len > 0).then_some(Self { text: kept, len: len as u8 })
    }

    /// The version as text, such as `10.15.7`.
    pub fn as_str(&self) -> &str {
        // Only ASCII is ever kept, so this never falls back.
        core::str::from_utf8(&self.text[..usize::from(self.len)]).unwrap_or_default()
    }

    /// The number before the first dot; `None` if the version does not begin with one up to 65,535.
    pub fn major(&self) -> Option<u16> {
        let text = self.as_str();
        let digits = text.len() - text.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
        text[..digits].parse().ok()
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Version({})", self.as_str())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Automation that says so in its user agent. A claim, not a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// What it says it does.
    pub kind: AutomationKind,
    /// Its name; as in the tables if it is known, else as it stands in the agent, at most 64 bytes.
    pub name: Cow<'static, str>,
}

/// The engine that draws the page, as far as it dates a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// Chrome's, also in Edge since 79, Opera since 15, Samsung Internet and many more.
    Chromium,
    /// Firefox's.
    Gecko,
    /// Safari's, and every browser's on iPhone and iPad.
    Safari,
    /// Internet Explorer's; the version is the browser's.
    Trident,
    /// The first Edge's, 12 to 18.
    EdgeHtml,
    /// Opera's until 12.
    Presto,
}

/// What kind of device the user agent names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceType {
    /// A desktop or laptop computer.
    Desktop,
    /// A phone.
    Mobile,
    /// A tablet or e-reader.
    Tablet,
    /// A television or set-top box.
    Tv,
    /// A game console.
    Console,
    /// Declared automation.
    Bot,
    /// Not told, or not known.
    Unknown,
}

impl DeviceType {
    /// Every type, in the order of declaration.
    pub const ALL: [Self; 7] =
        [Self::Desktop, Self::Mobile, Self::Tablet, Self::Tv, Self::Console, Self::Bot, Self::Unknown];

    /// The name of the type in data, as serde writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Desktop => "desktop",
            Self::Mobile => "mobile",
            Self::Tablet => "tablet",
            Self::Tv => "tv",
            Self::Console => "console",
            Self::Bot => "bot",
            Self::Unknown => "unknown",
        }
    }
}

/// What declared automation says it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutomationKind {
    /// Builds a search index for people.
    SearchCrawler,
    /// Collects training data for AI models.
    AiTraining,
    /// Builds an index that an AI product searches.
    AiSearch,
    /// Fetches a page because a person asked an AI product for it.
    AiUserFetch,
    /// Acts on pages for a person, as an AI agent.
    AiAgent,
    /// Collects links, ranks and prices for marketers.
    Seo,
    /// Checks that a site is up.
    Monitor,
    /// Fetches feeds for readers.
    FeedReader,
    /// Makes previews of shared links.
    SocialPreview,
    /// Looks for weaknesses.
    SecurityScanner,
    /// A library or command-line tool for HTTP.
    HttpLibrary,
    /// A browser without a person in front of it.
    HeadlessBrowser,
    /// Declares itself automation of another kind.
    Other,
}

impl AutomationKind {
    /// Every kind, in the order of declaration.
    pub const ALL: [Self; 13] = [
        Self::SearchCrawler,
        Self::AiTraining,
        Self::AiSearch,
        Self::AiUserFetch,
        Self::AiAgent,
        Self::Seo,
        Self::Monitor,
        Self::FeedReader,
        Self::SocialPreview,
        Self::SecurityScanner,
        Self::HttpLibrary,
        Self::HeadlessBrowser,
        Self::Other,
    ];

    /// The name of the kind in data, as serde writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SearchCrawler => "search_crawler",
            Self::AiTraining => "ai_training",
            Self::AiSearch => "ai_search",
            Self::AiUserFetch => "ai_user_fetch",
            Self::AiAgent => "ai_agent",
            Self::Seo => "seo",
            Self::Monitor => "monitor",
            Self::FeedReader => "feed_reader",
            Self::SocialPreview => "social_preview",
            Self::SecurityScanner => "security_scanner",
            Self::HttpLibrary => "http_library",
            Self::HeadlessBrowser => "headless_browser",
            Self::Other => "other",
        }
    }

    /// Whether the automation works for an AI product: training, search, fetching for a person, or acting as an agent.
    pub const fn is_ai(self) -> bool {
        match self {
            Self::AiTraining | Self::AiSearch | Self::AiUserFetch | Self::AiAgent => true,
            Self::SearchCrawler
            | Self::Seo
            | Self::Monitor
            | Self::FeedReader
            | Self::SocialPreview
            | Self::SecurityScanner
            | Self::HttpLibrary
            | Self::HeadlessBrowser
            | Self::Other => false,
        }
    }
}

#[cfg(test)]
mod tests;
