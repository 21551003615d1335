//! Reading a user agent: device, browser, system, and automation that declares itself.

use serde::{Deserialize, Serialize};

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
