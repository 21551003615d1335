//! The numbers of the detector, each with unit, default and reason.
//!
//! Weights are points; a category's cap bounds their sum. They were set so that one kind of evidence alone stays below
//! a verdict and two independent kinds reach it, and then held against the simulator and logs that they were not
//! chosen on: `docs/detection.md` has the figures.

use serde::{Deserialize, Serialize};

use super::signal::Category;

/// How sessions are scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "scoring", deny_unknown_fields)]
pub enum DetectorPolicy {
    /// The seven signals whose points add up.
    SevenSignal(SevenSignalPolicy),
    /// Categories of independent evidence.
    Categories(alloc::boxed::Box<CategoryPolicy>),
}

impl DetectorPolicy {
    /// The preset of seven signals: points add up, 50 and more is a bot.
    pub fn seven_signal() -> Self {
        Self::SevenSignal(SevenSignalPolicy::default())
    }

    /// The version that verdicts of this policy carry.
    pub const fn ruleset_version(&self) -> &'static str {
        match self {
            Self::SevenSignal(_) => "seven-signal-1",
            Self::Categories(_) => RULESET_VERSION,
        }
    }
}

impl Default for DetectorPolicy {
    fn default() -> Self {
        Self::Categories(alloc::boxed::Box::default())
    }
}

/// The version of the default rules; it changes with any rule or default weight.
pub const RULESET_VERSION: &str = "categories-1";

/// Points, a finite number from 0 to 1,000.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Points(f64);

/// A share, a finite number from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Share(f64);

/// A number is outside the range its field allows.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum OutOfRange {
    /// Points are finite and from 0 to 1,000.
    #[error("points are a number from 0 to 1000, not {0}")]
    Points(f64),
    /// A share is finite and from 0 to 1.
    #[error("a share is a number from 0 to 1, not {0}")]
    Share(f64),
}

impl Points {
    /// This many points.
    ///
    /// # Errors
    /// [`OutOfRange::Points`] for a number below 0, above 1,000, or not finite.
    pub fn new(points: f64) -> Result<Self, OutOfRange> {
        if (0.0..=1_000.0).contains(&points) { Ok(Self(points)) } else { Err(OutOfRange::Points(points)) }
    }

    /// The number of points.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Share {
    /// This share.
    ///
    /// # Errors
    /// [`OutOfRange::Share`] for a number below 0, above 1, or not finite.
    pub fn new(share: f64) -> Result<Self, OutOfRange> {
        if (0.0..=1.0).contains(&share) { Ok(Self(share)) } else { Err(OutOfRange::Share(share)) }
    }

    /// The share as a number from 0 to 1.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Points {
    type Error = OutOfRange;

    fn try_from(points: f64) -> Result<Self, OutOfRange> {
        Self::new(points)
    }
}

impl TryFrom<f64> for Share {
    type Error = OutOfRange;

    fn try_from(share: f64) -> Result<Self, OutOfRange> {
        Self::new(share)
    }
}

impl From<Points> for f64 {
    fn from(points: Points) -> Self {
        points.0
    }
}

impl From<Share> for f64 {
    fn from(share: Share) -> Self {
        share.0
    }
}

macro_rules! policy {
    (
        $(#[$doc:meta])*
        $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:tt = $default:expr,)+ }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind,)+ }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: policy!(@value $kind $default),)+ }
            }
        }

        #[cfg(any(test, feature = "strategies"))]
        impl crate::strategies::FromNumbers for $name {
            fn from_numbers(next: &mut dyn FnMut() -> u64) -> Self {
                Self { $($field: crate::strategies::FromNumbers::from_numbers(next),)+ }
            }
        }
    };
    (@value Points $value:expr) => { Points($value) };
    (@value Share $value:expr) => { Share($value) };
    (@value $kind:ident $value:expr) => { $value };
}

policy! {
    /// The preset of seven signals, as first published. Kept for comparison; the default policy finds far more.
    SevenSignalPolicy {
        /// Points for more requests than `max_requests`.
        high_request_count: Points = 30.0,
        /// Requests of a session that are still a person's.
        max_requests: u32 = 50,
        /// Points for a coverage above `max_coverage`.
        high_page_coverage: Points = 25.0,
        /// Share of the site's pages that a person may see.
        max_coverage: Share = 0.6,
        /// Points for systematic order over at least five pages.
        sequential_navigation: Points = 20.0,
        /// Points for more sessions of one fingerprint in 24 h than `max_fingerprint_sessions`.
        multiple_fingerprint_sessions: Points = 20.0,
        /// Sessions of one fingerprint in 24 h that are still a person's.
        max_fingerprint_sessions: u32 = 5,
        /// Points for a coefficient of variation below `min_variation` over at least five requests.
        regular_timing: Points = 15.0,
        /// Coefficient of variation of the gaps, without unit.
        min_variation: Share = 0.1,
        /// Points for more pages a minute than `max_pages_per_minute`.
        high_pages_per_minute: Points = 15.0,
        /// Page views a minute that a person may make.
        max_pages_per_minute: u32 = 5,
        /// Points for Chrome below 90 or Firefox below 88: released before 2021-04-14 and 2021-04-19.
        outdated_browser: Points = 10.0,
        /// Points from which a session is a bot.
        bot_from: Points = 50.0,
    }
}

policy! {
    /// The default rules: signals in categories, each capped.
    CategoryPolicy {
        /// Score from which a session is a bot, given two categories or a decisive fact; 0 to 100.
        bot_from: Points = 50.0,
        /// Score from which a session is suspected, given two categories; 0 to 100.
        suspected_from: Points = 30.0,
        /// Points from which a category counts as an independent voice. Below, it only tips a score.
        voice_from: Points = 10.0,
        /// The score that a decisive fact guarantees; 0 to 100.
        decisive_score: Points = 60.0,
        /// How points become a score: `100·(1 − e^(−points / scale))`.
        scale: Points = 60.0,
        /// What agents say of themselves.
        declared: DeclaredPolicy = DeclaredPolicy::default(),
        /// Claims that do not fit together.
        impostor: ImpostorPolicy = ImpostorPolicy::default(),
        /// Old browsers.
        browser_age: BrowserAgePolicy = BrowserAgePolicy::default(),
        /// Browsers without a person.
        headless: HeadlessPolicy = HeadlessPolicy::default(),
        /// How much.
        volume: VolumePolicy = VolumePolicy::default(),
        /// How evenly.
        timing: TimingPolicy = TimingPolicy::default(),
        /// In which order.
        walk: WalkPolicy = WalkPolicy::default(),
        /// What browsers load.
        resources: ResourcesPolicy = ResourcesPolicy::default(),
        /// How forms are sent.
        form: FormPolicy = FormPolicy::default(),
        /// Where requests say they come from.
        referrer: ReferrerPolicy = ReferrerPolicy::default(),
        /// Attacks.
        probing: ProbingPolicy = ProbingPolicy::default(),
        /// Company.
        cohort: CohortPolicy = CohortPolicy::default(),
        /// What privacy browsers do as well.
        privacy: PrivacyPolicy = PrivacyPolicy::default(),
        /// What the tracker saw.
        engagement: EngagementPolicy = EngagementPolicy::default(),
        /// What is remembered.
        reputation: ReputationSignalPolicy = ReputationSignalPolicy::default(),
        /// What a model says, where one is given.
        model: ModelSignalPolicy = ModelSignalPolicy::default(),
    }
}

impl CategoryPolicy {
    /// The most points of a category that count.
    pub const fn cap(&self, category: Category) -> Points {
        match category {
            Category::Declared => self.declared.cap,
            Category::Impostor => self.impostor.cap,
            Category::BrowserAge => self.browser_age.cap,
            Category::Headless => self.headless.cap,
            Category::Volume => self.volume.cap,
            Category::Timing => self.timing.cap,
            Category::Walk => self.walk.cap,
            Category::Resources => self.resources.cap,
            Category::Form => self.form.cap,
            Category::Referrer => self.referrer.cap,
            Category::Probing => self.probing.cap,
            Category::Cohort => self.cohort.cap,
            Category::PrivacyCompatible => self.privacy.cap,
            Category::Engagement => self.engagement.cap,
            Category::Reputation => self.reputation.cap,
            Category::Model => self.model.cap,
        }
    }
}

policy! {
    /// What agents say of themselves.
    DeclaredPolicy {
        /// Most points of the category.
        cap: Points = 60.0,
        /// Points for declaring oneself automation, which is decisive.
        automation: Points = 60.0,
        /// Points for sending no user agent and loading no asset. Every browser sends one.
        no_user_agent: Points = 32.0,
        /// Points for the same where assets were loaded: some privacy proxies take the agent out.
        no_user_agent_with_assets: Points = 12.0,
        /// Points for an agent that is neither a known browser nor known automation. Every browser since 1993 begins
        /// with `Mozilla/` or is in the table of browsers; apps and scripts name themselves as they like.
        not_a_browser: Points = 15.0,
    }
}

policy! {
    /// Claims that do not fit together.
    ImpostorPolicy {
        /// Most points of the category.
        cap: Points = 40.0,
        /// Points for a crawler's name from a foreign address, which is decisive.
        spoofed_crawler: Points = 60.0,
        /// Points for headers that the claimed browser never sends together.
        impossible_headers: Points = 30.0,
        /// Points for HTTP/1.0 and 1.1 in one session of a browser's agent. A browser keeps to one; proxies keep to one.
        mixed_http_versions: Points = 25.0,
        /// Points for HTTP/1.0 alone from a browser's agent. Browsers left it by 2000; old proxies still speak it.
        http10_browser: Points = 20.0,
        /// Share of asset-loading visitors that may speak HTTP/1.0 before it says nothing. While fewer than 20 of them
        /// are known, browsers are taken not to speak it.
        http10_norm: Share = 0.05,
        /// Points for a browser's agent `extinct_months` behind that loads nothing. Tools keep the agent they were born with.
        extinct_browser: Points = 15.0,
        /// Months behind the site's real visitors; no browser kept a measurable share for ten years but one, which fell
        /// below 1 % in its 13th.
        extinct_months: u32 = 120,
        /// Points for one address that changes its agent again and again.
        rotating_agents: Points = 32.0,
        /// Agents of one address without any asset from which it rotates them. A household behind one address loads assets.
        agents: u32 = 5,
    }
}

policy! {
    /// Old browsers. They tip a score and never make one: of real asset-loading sessions, 10 to 27 % are two years behind.
    BrowserAgePolicy {
        /// Most points of the category.
        cap: Points = 9.0,
        /// Points for a browser `old_months` behind the site's real visitors.
        old: Points = 5.0,
        /// Months behind.
        old_months: u32 = 24,
        /// Points for a browser `ancient_months` behind.
        ancient: Points = 9.0,
        /// Months behind.
        ancient_months: u32 = 48,
    }
}

policy! {
    /// Browsers without a person.
    HeadlessPolicy {
        /// Most points of the category.
        cap: Points = 45.0,
        /// Points for automation flags that the tracker found.
        automated_browser: Points = 45.0,
    }
}

policy! {
    /// How much.
    VolumePolicy {
        /// Most points of the category.
        cap: Points = 30.0,
        /// Points for more pages a minute than `pages_per_minute`, over at least `min_pages` and a minute.
        high_pages_per_minute: Points = 18.0,
        /// Page views a minute. Reading at 250 words a minute, ten pages a minute are 25 words a page.
        pages_per_minute: u32 = 10,
        /// Page views from which a rate means something.
        min_pages: u32 = 10,
        /// Points for `burst` charged requests within ten seconds.
        burst_rate: Points = 18.0,
        /// Charged requests in ten seconds. People who open links in tabs reach five or six.
        burst: u32 = 10,
        /// Points for more charged requests than `max_requests`.
        high_request_count: Points = 12.0,
        /// Charged requests of one session; measured people stay below 150 page views a day.
        max_requests: u32 = 150,
        /// What is left of these points where the session loads assets as browsers do. A gallery is turned at 20 pages a
        /// minute by people, so the largest alone must stay below a voice.
        share_with_assets: Share = 0.5,
    }
}

policy! {
    /// How evenly.
    TimingPolicy {
        /// Most points of the category.
        cap: Points = 30.0,
        /// Page gaps from which their spread means something.
        min_gaps: u32 = 5,
        /// Points for a coefficient of variation below `variation`. They decide where a metronome is heard: at least
        /// `metronome_gaps` such gaps, over mostly different pages.
        regular: Points = 25.0,
        /// Coefficient of variation. Reading times vary by more than their mean.
        variation: Share = 0.1,
        /// Even gaps over mostly different pages that decide. A page that reloads itself shows one page; a person who
        /// turns pages varies by a third, and is this even over twelve gaps one time in a million.
        metronome_gaps: u32 = 12,
        /// Points for `equal_run` gaps in a row that are equal to the millisecond (or to the clock of the log).
        equal_gaps: Points = 20.0,
        /// Equal gaps in a row.
        equal_run: u32 = 5,
        /// Equal gaps in a row that decide, over mostly different pages. On a clock of whole seconds two gaps of a person
        /// that turns a page every four seconds are equal one time in four; ten in a row are one in a million.
        metronome_run: u32 = 10,
        /// Points for a deviation of the logarithm of gaps below `log_deviation`, over at least `narrow_gaps`.
        narrow: Points = 20.0,
        /// Standard deviation of the natural logarithm of gaps. Log-normal reading times have 0.9 and more; a uniform
        /// delay between one and three times a base has 0.31, a normal one of a third of its mean about 0.36.
        log_deviation: Share = 0.42,
        /// Page gaps from which that deviation is known well enough: its own standard error is then 0.1.
        narrow_gaps: u32 = 9,
        /// Points where none of `bounded_gaps` gaps is longer than `bound` times their mean: random pauses have a longest
        /// one, people have none.
        bounded: Points = 20.0,
        /// Page gaps from which that means something.
        bounded_gaps: u32 = 20,
        /// Longest gap ÷ mean gap. A uniform delay stays below 2. Of log-normal reading times with a deviation of 0.9, twenty
        /// stay below 2.2 one time in seven.
        bound: Points = 2.2,
        /// Points where more than half of the gaps are under a second.
        subsecond: Points = 20.0,
        /// Points for sessions that start at even intervals, over at least `starts`.
        periodic_starts: Points = 15.0,
        /// Session starts from which a period means something.
        starts: u32 = 5,
    }
}

policy! {
    /// In which order.
    WalkPolicy {
        /// Most points of the category.
        cap: Points = 30.0,
        /// Points for systematic order. Not where the session loads assets and most steps follow a link of the page
        /// before: then the order is the site's own, as when a person turns the pages of a gallery.
        sequential: Points = 20.0,
        /// Share of steps that follow one rule.
        systematic: Share = 0.7,
        /// Steps from which a numeric order is one: five distinct pages give four.
        min_steps: u32 = 4,
        /// Steps from which a sorted order is one. Of five pages in random order 45 % have three of four steps in one
        /// direction; of ten, 2.7 % have seven of nine (Eulerian numbers).
        min_sorted_steps: u32 = 9,
        /// Points for seeing more of the site than `coverage`.
        high_coverage: Points = 20.0,
        /// Share of the site's known pages.
        coverage: Share = 0.6,
        /// Known pages below which coverage says nothing.
        min_site_pages: u32 = 20,
        /// Points for a sweep: `sweep_views` page views, nearly none of a page seen before. Not where most steps follow a
        /// link of the page before.
        sweep: Points = 14.0,
        /// Page views from which that means something.
        sweep_views: u32 = 30,
        /// Share of the views that show a new page. Of people's page views in browsers 58 % are returns (Tauscher and
        /// Greenberg 1997).
        sweep_share: Share = 0.97,
    }
}

policy! {
    /// What browsers load.
    ResourcesPolicy {
        /// Most points of the category.
        cap: Points = 38.0,
        /// Points where one asset load was to be expected and none came.
        one: Points = 10.0,
        /// Points where two were.
        two: Points = 18.0,
        /// Points where three or four were.
        three: Points = 30.0,
        /// Points where five or more were.
        five: Points = 38.0,
        /// Points for page views without any asset on a site where hardly any visitor with a browser's agent loads one:
        /// either nobody there is a person, or the log leaves assets out. So it is little, however many pages.
        deserted: Points = 10.0,
        /// Visitors with browser agents from which a site can be deserted: with no loader among them, the share of
        /// loaders is below 10 % with 95 % confidence.
        deserted_visitors: u32 = 30,
        /// Share of loaders among them below which it is.
        deserted_share: Share = 0.02,
        /// Points where at least `few_expected` pages with assets show less than `few_share` of the loads to be expected.
        few_assets: Points = 20.0,
        /// Loads to be expected from which their lack means something.
        few_expected: u32 = 20,
        /// Share of the loads that a warm cache leaves at least.
        few_share: Share = 0.05,
        /// Points for nothing but HEAD requests, three at least.
        head_only: Points = 20.0,
        /// Points for a browser's agent that begins with robots.txt and loads nothing, which is decisive.
        robots_first: Points = 60.0,
        /// Points for `feed_requests` requests for feeds and none for a page by what is no browser. Browsers have no feed
        /// readers since 2018; those that there are declare themselves.
        feed_only: Points = 22.0,
        /// Requests for feeds from which it is polling.
        feed_requests: u32 = 3,
        /// Points for `api_requests` API calls that name no page, by a browser's agent or none that was never shown one. A
        /// script in a page names its page.
        api_without_page: Points = 20.0,
        /// Such calls from which that means something.
        api_requests: u32 = 20,
    }
}

policy! {
    /// How forms are sent.
    FormPolicy {
        /// Most points of the category.
        cap: Points = 38.0,
        /// Points for a post, accepted or refused, whose form was never served.
        unserved: Points = 25.0,
        /// Points for a post at most 3 s after its page.
        quick: Points = 22.0,
        /// Points for the same where assets were loaded: a password manager does that.
        quick_with_assets: Points = 5.0,
        /// Points for `many` posts by a client that loads nothing.
        many_posts: Points = 20.0,
        /// Posts of one session without an asset from which they are many.
        many: u32 = 10,
    }
}

policy! {
    /// Where requests say they come from.
    ReferrerPolicy {
        /// Most points of the category.
        cap: Points = 42.0,
        /// Points for a first page that names itself.
        names_itself: Points = 20.0,
        /// Points for a first request that names a page never served: weak, since addresses change on mobile networks.
        names_unserved: Points = 10.0,
        /// Points where `unserved_views` page views name pages never served, and none names one that was.
        many_unserved: Points = 18.0,
        /// Such page views. Whoever changes the address on the way names one such page.
        unserved_views: u32 = 2,
        /// Points for the same foreign referrer on `repeated_views` page views without assets.
        repeated: Points = 20.0,
        /// Page views with the same foreign referrer.
        repeated_views: u32 = 2,
        /// Points for the same on `often_views` page views.
        repeated_often: Points = 32.0,
        /// Page views with the same foreign referrer that are too many for links of one page.
        often_views: u32 = 4,
        /// Points for a referrer from the list of spammers.
        spam: Points = 25.0,
        /// Points for inner pages without referrer.
        inner_missing: Points = 12.0,
        /// Share of inner pages without referrer.
        inner_share: Share = 0.8,
        /// Share of real visitors' inner views without referrer above which it says nothing.
        inner_norm: Share = 0.25,
        /// Points for pages that a browser opens one after the other without a link, while its assets name their pages: so
        /// it does send referrers, and each address was typed, or set by a program.
        typed: Points = 22.0,
        /// Such pages of one session. People open some pages from bookmarks or another program, one or two at a time.
        typed_views: u32 = 5,
        /// Points for the same on `typed_often` pages of one session: alone a suspicion, with any other voice a verdict.
        typed_all: Points = 42.0,
        /// Such pages of one session that are too many for bookmarks and other programs.
        typed_often: u32 = 15,
        /// Share of the inner views.
        typed_share: Share = 0.8,
        /// Assets of one session that must name their pages before it is proven that referrers are sent.
        typed_assets: u32 = 3,
        /// Share of real visitors' inner views without referrer above which it says nothing: the site's own links send none.
        typed_norm: Share = 0.9,
    }
}

policy! {
    /// Attacks.
    ProbingPolicy {
        /// Most points of the category.
        cap: Points = 60.0,
        /// Points for client errors on at least `error_share` of at least `min_requests`.
        errors: Points = 22.0,
        /// Share of requests.
        error_share: Share = 0.5,
        /// Requests from which the share means something.
        min_requests: u32 = 10,
        /// Points for `guesses` refused posts (400, 401, 403, 422). People give up or reset their password before.
        guessing: Points = 30.0,
        /// Refused posts of one session.
        guesses: u32 = 8,
        /// Points for each distinct probe path.
        probe_path: Points = 18.0,
        /// Points for a path that no page links to and no person types, by a client that loads nothing, which is decisive.
        /// A person's browser asks for the icon even where it is told 404.
        strong_probe: Points = 24.0,
        /// Distinct probe paths that are decisive and hostile.
        decisive_paths: u32 = 3,
        /// Points for an attack in itself: a path traversal, an injection, a known exploit.
        exploit: Points = 36.0,
        /// Exploits that are decisive and hostile.
        decisive_exploits: u32 = 2,
        /// Points for a trap URL, which is decisive and hostile.
        trap: Points = 60.0,
    }
}

policy! {
    /// Company: many that do the same.
    CohortPolicy {
        /// Most points of the category.
        cap: Points = 38.0,
        /// Points for an agent whose visitors never load assets.
        bare_agent: Points = 32.0,
        /// Visitors of the agent from which that means something.
        bare_agent_visitors: u32 = 6,
        /// Share of them that load nothing.
        bare_agent_share: Share = 0.9,
        /// Share of all visitors with browser agents that may load nothing before an agent says nothing.
        bare_norm: Share = 0.7,
        /// Points for sharing agent and page.
        shared_view: Points = 25.0,
        /// Visitors from which sharing counts.
        shared_visitors: u32 = 4,
        /// How many times the number expected by chance.
        shared_ratio: u32 = 5,
        /// Points for the same first steps.
        shared_trail: Points = 30.0,
        /// Points for addresses of one small network with one agent.
        shared_network: Points = 25.0,
        /// Addresses of a /24 (IPv6 /48) from which they are one.
        network_addresses: u32 = 3,
        /// Points for session after session without an asset.
        bare_sessions: Points = 18.0,
        /// Sessions from which that means something.
        sessions: u32 = 3,
    }
}

policy! {
    /// What privacy browsers do as well: capped, never able to flag alone.
    PrivacyPolicy {
        /// Most points of the category.
        cap: Points = 15.0,
        /// Points for no client hints from a browser that sends them.
        no_client_hints: Points = 8.0,
    }
}

policy! {
    /// What the tracker saw.
    EngagementPolicy {
        /// Most points of the category.
        cap: Points = 25.0,
        /// Points for engagement that is physically impossible.
        implausible: Points = 25.0,
    }
}

policy! {
    /// What is remembered.
    ReputationSignalPolicy {
        /// Most points of the category: less than a voice, since flags follow from verdicts and must not confirm them.
        cap: Points = 9.0,
        /// Points for a flagged fingerprint.
        flagged: Points = 9.0,
    }
}

policy! {
    /// What a model says, where one is given.
    ModelSignalPolicy {
        /// Most points of the category: less than a verdict, so that a model needs a second voice.
        cap: Points = 40.0,
        /// Points for a probability of 1; from `from` to 1 they grow in proportion.
        points: Points = 40.0,
        /// Probability from which it speaks.
        from: Share = 0.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn the_defaults_are_themselves_accepted() {
        for policy in [DetectorPolicy::default(), DetectorPolicy::seven_signal()] {
            let text = serde_json::to_string(&policy).unwrap();
            assert_eq!(serde_json::from_str::<DetectorPolicy>(&text).unwrap(), policy);
        }
    }

    #[test]
    fn numbers_outside_their_range_are_refused() {
        assert_eq!(Points::new(-1.0), Err(OutOfRange::Points(-1.0)));
        assert!(Points::new(f64::NAN).is_err());
        assert_eq!(Share::new(1.5), Err(OutOfRange::Share(1.5)));
        assert!(Share::new(f64::INFINITY).is_err());
    }

    #[test]
    fn an_unknown_key_and_a_negative_weight_are_refused_by_name() {
        let unknown = serde_json::from_str::<CategoryPolicy>(r#"{"volumes": {}}"#).unwrap_err();
        assert!(unknown.to_string().contains("unknown field `volumes`"), "{unknown}");
        let negative = serde_json::from_str::<CategoryPolicy>(r#"{"volume": {"cap": -3}}"#).unwrap_err();
        assert!(negative.to_string().contains("points are a number from 0 to 1000, not -3"), "{negative}");
    }
}
