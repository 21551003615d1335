//! Who can appear in a simulated log, and what is true of each.

/// One kind of actor, human or automated.
///
/// Its [`name`](Self::name) is what labels say and what `--actors` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "each name is explained in the table below, beside what is true of it")]
pub enum ActorKind {
    HumanReader,
    HumanMobile,
    HumanReturning,
    HumanNat,
    HumanProxy,
    HumanPrivacy,
    HumanSearch,
    HumanForm,
    HumanLogin,
    HumanPager,
    HumanHeavy,
    HumanDeadLinks,
    HumanTextBrowser,
    HumanPrefetch,
    HumanPolling,
    HumanDashboard,
    HumanSurge,
    HumanLivingRoom,
    CrawlerSearch,
    CrawlerAiTraining,
    CrawlerAiSearch,
    AiUserFetch,
    AiAgent,
    CrawlerSeo,
    Monitor,
    FeedReader,
    SocialPreview,
    HttpLibrary,
    HeadlessBrowser,
    LinkChecker,
    NoAgent,
    ScraperSteady,
    ScraperJittered,
    ScraperGaussian,
    ScraperSlow,
    ScraperWalk,
    ScraperSequential,
    ScraperExhaustive,
    ScraperDistributed,
    ScraperResidential,
    ScraperHttp10,
    ScraperMixedVersions,
    BrowserBot,
    BrowserBotNarrow,
    AgentRotation,
    ReferrerSpam,
    CommentSpam,
    ScannerDeclared,
    ScannerBrowser,
    BruteForce,
    BruteForceDistributed,
    CredentialStuffing,
    ApiAbuse,
    ImpostorCrawler,
    Flood,
    FloodCacheBypass,
}

/// What is true of an actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// A person with a browser.
    Human,
    /// Automation that does no harm or says what it is.
    Bot,
    /// Automation that hides what it is or attacks.
    Hostile,
}

impl ActorKind {
    /// Every kind, people first, in the order of declaration.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }

    /// The name in labels and on the command line, such as `scraper_steady`.
    pub fn name(self) -> &'static str {
        TABLE[self as usize].1
    }

    /// The kind of this name; `None` for an unknown one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|kind| kind.name() == name)
    }

    /// What is true of every actor of this kind.
    pub fn truth(self) -> Truth {
        TABLE[self as usize].2
    }

    /// True for every kind that is not a person.
    pub fn is_bot(self) -> bool {
        self.truth() != Human
    }

    /// True for automation that hides what it is or attacks.
    pub fn is_hostile(self) -> bool {
        self.truth() == Hostile
    }

    /// For people the share of the population in per mille, for automation the number of actors by default.
    pub fn weight(self) -> u32 {
        TABLE[self as usize].3
    }

    /// What this kind does, in one sentence.
    pub fn about(self) -> &'static str {
        TABLE[self as usize].4
    }
}

use ActorKind as K;
use Truth::{Bot, Hostile, Human};

/// Kind, name, truth, weight (people: per mille of the population; automation: default number), what it does.
///
/// The shares of people are assumptions, chosen so that every hard case is there and none is the rule.
const TABLE: [(ActorKind, &str, Truth, u32, &str); 56] = [
    (K::HumanReader, "human_reader", Human, 300, "reads at a desk: links, tabs, reloads, the back button"),
    (
        K::HumanMobile,
        "human_mobile",
        Human,
        220,
        "reads on a phone or tablet; the address may change on the way",
    ),
    (
        K::HumanReturning,
        "human_returning",
        Human,
        80,
        "comes back with a warm cache: few assets, 304 answers",
    ),
    (
        K::HumanNat,
        "human_nat",
        Human,
        90,
        "shares one address with two dozen others, many with the same agent",
    ),
    (K::HumanProxy, "human_proxy", Human, 30, "sits behind a company's proxy that speaks HTTP/1.0 or 1.1"),
    (K::HumanPrivacy, "human_privacy", Human, 60, "sends no referrer and blocks some assets"),
    (K::HumanSearch, "human_search", Human, 50, "searches and filters, quickly"),
    (K::HumanForm, "human_form", Human, 30, "fills a form, some with autofill in two seconds"),
    (K::HumanLogin, "human_login", Human, 25, "signs in, after wrong passwords"),
    (K::HumanPager, "human_pager", Human, 20, "pages through a numbered series: next, next, next"),
    (K::HumanHeavy, "human_heavy", Human, 6, "looks at 150 pages and more in a day"),
    (K::HumanDeadLinks, "human_dead_links", Human, 15, "follows dead links from elsewhere"),
    (K::HumanTextBrowser, "human_text_browser", Human, 6, "reads with a text browser or without images"),
    (K::HumanPrefetch, "human_prefetch", Human, 20, "has a browser that fetches pages in advance"),
    (K::HumanPolling, "human_polling", Human, 14, "has a page open that asks an API every 15 to 30 s"),
    (K::HumanDashboard, "human_dashboard", Human, 6, "leaves a page open that reloads itself"),
    (K::HumanSurge, "human_surge", Human, 20, "comes from one link that became popular"),
    (K::HumanLivingRoom, "human_living_room", Human, 8, "uses a television or a console"),
    (K::CrawlerSearch, "crawler_search", Bot, 5, "a declared search crawler, from a network of its operator"),
    (K::CrawlerAiTraining, "crawler_ai_training", Bot, 4, "a declared crawler for AI training"),
    (K::CrawlerAiSearch, "crawler_ai_search", Bot, 3, "a declared crawler for AI search"),
    (K::AiUserFetch, "ai_user_fetch", Bot, 6, "fetches one page because a user asked an assistant"),
    (K::AiAgent, "ai_agent", Bot, 2, "an AI agent that drives a browser and says so"),
    (K::CrawlerSeo, "crawler_seo", Bot, 3, "a declared crawler of a search-optimisation service"),
    (K::Monitor, "monitor", Bot, 2, "asks for one page at a fixed interval"),
    (K::FeedReader, "feed_reader", Bot, 6, "polls the feed, mostly answered 304"),
    (K::SocialPreview, "social_preview", Bot, 3, "a burst of previews of one page after it was posted"),
    (K::HttpLibrary, "http_library", Bot, 4, "a script with the agent of its HTTP library"),
    (K::HeadlessBrowser, "headless_browser", Bot, 2, "a headless browser that says so and loads assets"),
    (K::LinkChecker, "link_checker", Bot, 1, "checks links with HEAD"),
    (K::NoAgent, "no_agent", Bot, 2, "a script without a user agent"),
    (K::ScraperSteady, "scraper_steady", Hostile, 3, "pages at a steady pace behind a browser's agent"),
    (K::ScraperJittered, "scraper_jittered", Hostile, 3, "pages with uniform random pauses"),
    (K::ScraperGaussian, "scraper_gaussian", Hostile, 2, "pages with normally distributed pauses"),
    (K::ScraperSlow, "scraper_slow", Hostile, 2, "one page every 5 to 20 minutes"),
    (K::ScraperWalk, "scraper_walk", Hostile, 2, "follows links at random and sends referrers"),
    (K::ScraperSequential, "scraper_sequential", Hostile, 2, "counts numeric ids up or down"),
    (K::ScraperExhaustive, "scraper_exhaustive", Hostile, 1, "visits the whole site breadth first"),
    (
        K::ScraperDistributed,
        "scraper_distributed",
        Hostile,
        1,
        "many datacentre addresses, 1 to 5 pages each",
    ),
    (K::ScraperResidential, "scraper_residential", Hostile, 1, "many home addresses with changing agents"),
    (K::ScraperHttp10, "scraper_http10", Hostile, 1, "a browser's agent over HTTP/1.0"),
    (
        K::ScraperMixedVersions,
        "scraper_mixed_versions",
        Hostile,
        1,
        "one browser's agent over HTTP/1.0 and 1.1",
    ),
    (K::BrowserBot, "browser_bot", Hostile, 3, "drives a real browser and pauses like a person"),
    (K::BrowserBotNarrow, "browser_bot_narrow", Hostile, 2, "drives a real browser with nearly equal pauses"),
    (K::AgentRotation, "agent_rotation", Hostile, 1, "another agent for each page, from one address"),
    (K::ReferrerSpam, "referrer_spam", Hostile, 2, "advertises a site in the referrer"),
    (K::CommentSpam, "comment_spam", Hostile, 3, "posts comments without loading assets"),
    (K::ScannerDeclared, "scanner_declared", Hostile, 1, "a vulnerability scanner that names itself"),
    (K::ScannerBrowser, "scanner_browser", Hostile, 2, "probes for weak spots behind a browser's agent"),
    (K::BruteForce, "brute_force", Hostile, 1, "guesses passwords from one address"),
    (
        K::BruteForceDistributed,
        "brute_force_distributed",
        Hostile,
        1,
        "guesses passwords from many addresses",
    ),
    (
        K::CredentialStuffing,
        "credential_stuffing",
        Hostile,
        1,
        "tries leaked passwords, slowly, from many homes",
    ),
    (K::ApiAbuse, "api_abuse", Hostile, 1, "reads an API empty"),
    (K::ImpostorCrawler, "impostor_crawler", Hostile, 2, "claims to be a search crawler, from elsewhere"),
    (K::Flood, "flood", Hostile, 1, "asks for one page as fast as it can"),
    (K::FloodCacheBypass, "flood_cache_bypass", Hostile, 1, "floods with random queries that no cache holds"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stands_in_the_order_of_declaration() {
        for (index, kind) in ActorKind::all().enumerate() {
            assert_eq!(kind as usize, index, "{kind:?}");
        }
    }

    #[test]
    fn names_lead_back_to_their_kind() {
        for kind in ActorKind::all() {
            assert_eq!(ActorKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(ActorKind::from_name("human"), None);
    }

    #[test]
    fn shares_of_people_add_up_to_the_whole() {
        let sum: u32 = ActorKind::all().filter(|kind| !kind.is_bot()).map(ActorKind::weight).sum();
        assert_eq!(sum, 1_000);
    }
}
