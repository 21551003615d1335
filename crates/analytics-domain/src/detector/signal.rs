//! Reasons for suspicion: what they are called, where they belong, and what they rest on.

use core::fmt;

use serde::Serialize;

macro_rules! signals {
    ($($(#[$doc:meta])* $name:ident = $text:literal in $category:ident;)+) => {
        /// One reason for suspicion.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum SignalKind { $($(#[$doc])* $name,)+ }

        impl SignalKind {
            /// Every signal, in the order in which verdicts list them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name on the wire, in stores and in reports.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// The category whose cap the signal's points share.
            pub const fn category(self) -> Category {
                match self { $(Self::$name => Category::$category,)+ }
            }
        }
    };
}

signals! {
    // The seven signals of the preset, in the order in which its `reason` joins them.
    /// More requests in the session than a person makes.
    HighRequestCount = "high_request_count" in Volume;
    /// More of the site's pages than a person reads.
    HighPageCoverage = "high_page_coverage" in Walk;
    /// Pages in numeric or sorted order.
    SequentialNavigation = "sequential_navigation" in Walk;
    /// Many sessions of one fingerprint in a day.
    MultipleFingerprintSessions = "multiple_fingerprint_sessions" in Cohort;
    /// Gaps between requests that hardly vary.
    RegularTiming = "regular_timing" in Timing;
    /// More pages a minute than a person reads.
    HighPagesPerMinute = "high_pages_per_minute" in Volume;
    /// A browser that is years behind.
    OutdatedBrowser = "outdated_browser" in BrowserAge;
    /// Automation that declares itself; the declaration says which.
    DeclaredAutomation = "declared_automation" in Declared;
    /// No user agent was sent.
    NoUserAgent = "no_user_agent" in Declared;
    /// An agent that is neither a known browser nor known automation.
    NotABrowser = "not_a_browser" in Declared;
    /// A crawler's name from an address that is not its operator's.
    SpoofedCrawler = "spoofed_crawler" in Impostor;
    /// Headers that the claimed browser never sends together, or the session cookie of another.
    ImpossibleHeaders = "impossible_headers" in Impostor;
    /// A browser's agent that speaks HTTP/1.0 and 1.1 in one session.
    MixedHttpVersions = "mixed_http_versions" in Impostor;
    /// A browser's agent that speaks HTTP/1.0 where real browsers do not.
    Http10Browser = "http10_browser" in Impostor;
    /// A browser that nobody has used for years, and no assets.
    ExtinctBrowser = "extinct_browser" in Impostor;
    /// One address that changes its agent again and again and never loads an asset.
    RotatingAgents = "rotating_agents" in Impostor;
    /// The tracker found a browser under automation.
    AutomatedBrowser = "automated_browser" in Headless;
    /// Page after page, and hardly any of them twice.
    Sweep = "sweep" in Walk;
    /// Bursts of charged requests.
    BurstRate = "burst_rate" in Volume;
    /// Page gaps that are the same again and again.
    EqualGaps = "equal_gaps" in Timing;
    /// Page gaps whose orders of magnitude hardly vary.
    NarrowGaps = "narrow_gaps" in Timing;
    /// No page gap is much longer than the mean.
    BoundedGaps = "bounded_gaps" in Timing;
    /// Mostly page gaps under a second.
    SubsecondGaps = "subsecond_gaps" in Timing;
    /// Sessions that start at even intervals.
    PeriodicStarts = "periodic_starts" in Timing;
    /// Pages whose assets were never asked for.
    BarePages = "bare_pages" in Resources;
    /// Far fewer pages with assets than such pages have.
    FewAssets = "few_assets" in Resources;
    /// Pages without any asset, on a site where hardly anybody loads one.
    DesertedSite = "deserted_site" in Resources;
    /// Nothing but feeds, by what is no browser.
    FeedOnly = "feed_only" in Resources;
    /// API calls by a browser's agent that was never shown a page.
    ApiWithoutPage = "api_without_page" in Resources;
    /// Nothing but HEAD requests.
    HeadOnly = "head_only" in Resources;
    /// A browser's agent whose first request is robots.txt, and no assets.
    RobotsFirst = "robots_first" in Resources;
    /// A form posted that was never served to this visitor.
    UnservedPost = "unserved_post" in Form;
    /// A form posted faster than by hand.
    QuickPost = "quick_post" in Form;
    /// Post after post without an asset.
    ManyPosts = "many_posts" in Form;
    /// The first page names itself as referrer.
    SelfReferrer = "self_referrer" in Referrer;
    /// The first request names a page that was never served to this visitor.
    UnservedReferrer = "unserved_referrer" in Referrer;
    /// Page after page names pages that were never served to this visitor.
    UnservedReferrers = "unserved_referrers" in Referrer;
    /// The same foreign referrer on page after page.
    RepeatedReferrer = "repeated_referrer" in Referrer;
    /// A referrer from the list of spammers.
    SpamReferrer = "spam_referrer" in Referrer;
    /// Inner pages without referrer where real visitors send one.
    InnerWithoutReferrer = "inner_without_referrer" in Referrer;
    /// Pages opened without a link by a browser that sends referrers.
    TypedAddresses = "typed_addresses" in Referrer;
    /// Mostly errors that the client caused.
    ErrorShare = "error_share" in Probing;
    /// Post after post refused.
    Guessing = "guessing" in Probing;
    /// Paths that only attackers ask for.
    ProbePaths = "probe_paths" in Probing;
    /// A path that no person types, by a client that loads nothing.
    StrongProbe = "strong_probe" in Probing;
    /// A URL that no person is ever shown.
    TrapUrl = "trap_url" in Probing;
    /// An agent whose visitors never load assets, where others do.
    BareAgent = "bare_agent" in Cohort;
    /// Visitors that share agent and page far more often than chance.
    SharedAgentAndPage = "shared_agent_and_page" in Cohort;
    /// Visitors that took the same first steps.
    SharedTrail = "shared_trail" in Cohort;
    /// Addresses of one small network with one agent, none of which loads assets.
    SharedNetwork = "shared_network" in Cohort;
    /// Session after session without a single asset.
    BareSessions = "bare_sessions" in Cohort;
    /// What privacy browsers leave out.
    NoClientHints = "no_client_hints" in PrivacyCompatible;
    /// Engagement that is physically impossible.
    ImplausibleEngagement = "implausible_engagement" in Engagement;
    /// The fingerprint is flagged.
    FlaggedFingerprint = "flagged_fingerprint" in Reputation;
    /// A model that was trained on labelled sessions takes it for automation.
    LearnedModel = "learned_model" in Model;
}

/// A group of signals that rest on the same kind of evidence; their points are capped together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Category {
    /// What the agent says of itself.
    Declared,
    /// Claims that do not fit together.
    Impostor,
    /// How old the browser is.
    BrowserAge,
    /// A browser without a person.
    Headless,
    /// How much.
    Volume,
    /// How evenly.
    Timing,
    /// In which order.
    Walk,
    /// What browsers load and programs do not.
    Resources,
    /// How forms are sent.
    Form,
    /// Where requests say they come from.
    Referrer,
    /// Asking for what is not meant to be asked for.
    Probing,
    /// Company: many that do the same.
    Cohort,
    /// What privacy browsers do as well; never able to flag alone.
    PrivacyCompatible,
    /// What the tracker saw.
    Engagement,
    /// What is remembered.
    Reputation,
    /// What a model learned from labels.
    Model,
}

impl Category {
    /// Number of categories.
    pub const COUNT: usize = 16;

    /// Every category, in the order of declaration.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Declared,
        Self::Impostor,
        Self::BrowserAge,
        Self::Headless,
        Self::Volume,
        Self::Timing,
        Self::Walk,
        Self::Resources,
        Self::Form,
        Self::Referrer,
        Self::Probing,
        Self::Cohort,
        Self::PrivacyCompatible,
        Self::Engagement,
        Self::Reputation,
        Self::Model,
    ];

    /// The name on the wire, in stores and in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Impostor => "impostor",
            Self::BrowserAge => "browser_age",
            Self::Headless => "headless",
            Self::Volume => "volume",
            Self::Timing => "timing",
            Self::Walk => "walk",
            Self::Resources => "resources",
            Self::Form => "form",
            Self::Referrer => "referrer",
            Self::Probing => "probing",
            Self::Cohort => "cohort",
            Self::PrivacyCompatible => "privacy_compatible",
            Self::Engagement => "engagement",
            Self::Reputation => "reputation",
            Self::Model => "model",
        }
    }
}

impl fmt::Display for SignalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for SignalKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A signal that fired, with what it adds and what it rests on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Signal {
    /// Which signal.
    #[serde(rename = "signal")]
    pub kind: SignalKind,
    /// Its category.
    pub category: Category,
    /// What it adds to its category before the cap; finite, at least 0.
    pub points: f64,
    /// Whether it decides alone.
    pub decisive: bool,
    /// The figure that made it fire, and the limit it passed.
    pub evidence: Evidence,
}

/// The figure that made a signal fire, and the limit it was held against, in the unit that the signal's rule states.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Evidence {
    /// What was seen.
    pub figure: f64,
    /// What was allowed.
    pub limit: f64,
}

/// Signals that fired, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SignalSet(u64);

impl SignalSet {
    /// Adds a signal.
    pub fn insert(&mut self, kind: SignalKind) {
        self.0 |= 1 << kind as u8;
    }

    /// Whether the signal is in the set.
    pub const fn contains(self, kind: SignalKind) -> bool {
        self.0 & 1 << kind as u8 != 0
    }

    /// Whether this set has a signal that `before` does not have.
    pub const fn gained(self, before: Self) -> bool {
        self.0 & !before.0 != 0
    }

    /// The signals in the order of [`SignalKind::ALL`].
    pub fn iter(self) -> impl Iterator<Item = SignalKind> {
        SignalKind::ALL.iter().copied().filter(move |&kind| self.contains(kind))
    }
}

const _: () = assert!(SignalKind::ALL.len() <= 64, "a set of signals is one word");

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_of_signals_are_distinct() {
        let names: BTreeSet<_> = SignalKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(names.len(), SignalKind::ALL.len());
    }

    #[test]
    fn a_set_lists_what_was_inserted_in_order() {
        let mut set = SignalSet::default();
        set.insert(SignalKind::BarePages);
        set.insert(SignalKind::HighRequestCount);
        assert!(set.iter().eq([SignalKind::HighRequestCount, SignalKind::BarePages]));
    }
}
