//! One request as the rules see it.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::request::{HttpVersion, Method, Probe, RequestKind};
use crate::user_agent::{self, AutomationKind, UserAgent};

/// One request as the rules see it: small, borrowed, already read.
///
/// What a source cannot observe is `None` or `Unobserved` and fires nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation<'a> {
    /// The method.
    pub method: Method,
    /// What the request asks for.
    pub kind: RequestKind,
    /// The protocol version, where the source tells it.
    pub version: Option<HttpVersion>,
    /// The status of the answer, where it is known already.
    pub status: Option<u16>,
    /// The path without query, at most 1,024 bytes.
    pub path: &'a str,
    /// Hash of the path.
    pub page: u64,
    /// Hash of the directory that holds it.
    pub directory: u64,
    /// The last number in the path.
    pub number: Option<u64>,
    /// The attack that the target is known for, if any.
    pub probe: Option<Probe>,
    /// Whether the path is a trap: a URL that the site shows to nobody.
    pub trap: bool,
    /// Where the request says it comes from.
    pub referrer: ReferrerFacts,
    /// Hash of the campaign the request brings, if it brings one.
    pub campaign: Option<u64>,
    /// What the other headers tell, where the source sees them.
    pub headers: Option<HeaderMarks>,
}

/// What a request's other headers tell about the browser it claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HeaderMarks {
    /// Headers that the claimed browser never sends together, or a session cookie that a browser of another engine was given.
    pub impossible: bool,
    /// No client hints from a browser that sends them.
    pub hints_missing: bool,
}

/// Where a request says it comes from, as hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferrerFacts {
    /// The source does not record referrers.
    Unobserved,
    /// None was sent.
    Missing,
    /// A page of the site itself.
    Internal {
        /// Hash of its path.
        page: u64,
        /// Whether it is the root, which privacy settings shorten referrers to.
        root: bool,
    },
    /// Another site.
    External {
        /// Hash of its host.
        host: u64,
        /// Whether it is a search engine, a social network, a mail host or an assistant: many people share those.
        shared: bool,
        /// Whether its host is on the list of referrer spammers.
        spam: bool,
    },
}

/// What is known of an agent text, read once and used for each of its requests.
#[expect(clippy::struct_excessive_bools, reason = "each stands for an independent fact")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AgentFacts {
    /// Hash of the text.
    pub hash: u64,
    /// Whether the source records agents at all.
    pub observed: bool,
    /// Whether the text is empty.
    pub missing: bool,
    /// Whether it claims to be a browser with a person in front of it.
    pub browser: bool,
    /// Whether it claims to be a browser that shows text only, and so loads no assets.
    pub text_only: bool,
    /// What the agent declares itself to be, if automation.
    pub declared: Option<AutomationKind>,
    /// The engine that browsers share, and its major version.
    pub engine: Option<(Engine, u16)>,
    /// Day of the browser version's release, in days since the epoch.
    pub released: Option<i32>,
    /// Whether an address check says that a declared crawler is what it claims.
    pub verification: Verification,
}

/// The two engines whose versions the seven-signal preset knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Chrome and what is built on it.
    Chrome,
    /// Firefox.
    Firefox,
}

/// What an address check says of a declared crawler. An answer that did not come in time is `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verification {
    /// The address belongs to the operator.
    Verified,
    /// The operator publishes its addresses, and this is none of them.
    Spoofed,
    /// Not checked, or not known.
    #[default]
    Unknown,
}

impl AgentFacts {
    /// What is known where the source does not record agents: nothing, and nothing follows from it.
    pub const UNOBSERVED: Self = Self {
        hash: 0,
        observed: false,
        missing: false,
        browser: false,
        text_only: false,
        declared: None,
        engine: None,
        released: None,
        verification: Verification::Unknown,
    };

    /// What the rules need of an agent text and what was read from it; an empty text means that none was sent.
    pub fn of(text: &str, read: &UserAgent) -> Self {
        let engine = read.engine.and_then(|(engine, major)| match engine {
            user_agent::Engine::Chromium => Some((Engine::Chrome, major)),
            user_agent::Engine::Gecko => Some((Engine::Firefox, major)),
            user_agent::Engine::Safari
            | user_agent::Engine::Trident
            | user_agent::Engine::EdgeHtml
            | user_agent::Engine::Presto => None,
        });
        let days = |day: NaiveDate| day.signed_duration_since(NaiveDate::default()).num_days() as i32;
        Self {
            hash: xxh3_64(text.as_bytes()),
            observed: true,
            missing: text.is_empty(),
            browser: read.is_browser(),
            text_only: read.is_text_only(),
            declared: read.declared.as_ref().map(|declared| declared.kind),
            engine,
            released: read.released().map(days),
            verification: Verification::Unknown,
        }
    }
}

impl Observation<'_> {
    /// Whether the answer was a success, or not known yet.
    pub fn succeeded(&self) -> bool {
        self.status.is_none_or(|status| (200..400).contains(&status))
    }

    /// Whether the server has what was asked for, even where it refused: everything but 404, 405, 410, 429 and its own
    /// errors. A status not known yet counts as found.
    pub fn found(&self) -> bool {
        self.status.is_none_or(|status| status < 500 && !matches!(status, 404 | 405 | 410 | 429))
    }

    /// Whether what was sent was refused: 400, 401, 403 or 422.
    pub fn refused(&self) -> bool {
        self.status.is_some_and(|status| matches!(status, 400 | 401 | 403 | 422))
    }

    /// Whether the client caused an error: 4xx, but neither a request to log in (401) nor one to slow down (429).
    pub fn client_error(&self) -> bool {
        self.status.is_some_and(|status| (400..500).contains(&status) && status != 401 && status != 429)
    }

    /// Whether the answer sent the client elsewhere; such a request shows no page.
    pub fn redirected(&self) -> bool {
        self.status.is_some_and(|status| (300..400).contains(&status) && status != 304)
    }

    /// Whether the request counts against quotas: page views and API calls that were answered with content.
    pub fn charged(&self) -> bool {
        self.kind.is_charged(self.status)
    }
}
