//! Each signal fires at its limit and is silent just below, and verdicts follow from what fired.

use std::string::{String, ToString as _};
use std::vec::Vec;

use rstest::rstest;
use xxhash_rust::xxh3::xxh3_64;

use super::*;
use crate::request::{HttpVersion, Method, Probe, ProbeKind, ProbeStrength, RequestKind};
use crate::site::{Finding, SiteFacts};

#[test]
fn test_behavioral_analyze_human_pattern() {
    let mut reader = Scene::browser();
    for (page, pause) in [("/", 0), ("/articles/one", 14), ("/articles/two", 95), ("/about", 8)] {
        reader.wait(pause);
        reader.view(page, reader.before());
        reader.asset("/style.css", page);
    }
    let verdict = reader.verdict();
    assert_eq!((verdict.class, verdict.score, verdict.reason().as_str()), (Class::Human, 0.0, ""));
}

#[test]
fn test_behavioral_analyze_bot_pattern() {
    let mut scraper = Scene::browser();
    for number in 1..=30 {
        scraper.view(&std::format!("/products/{number}"), ReferrerFacts::Missing);
        scraper.wait(3);
    }
    let verdict = scraper.verdict();
    assert_eq!(
        (verdict.class, verdict.hostile, verdict.reason().as_str()),
        (
            Class::Bot,
            true,
            "high_page_coverage, sequential_navigation, regular_timing, high_pages_per_minute, sweep, equal_gaps, \
             narrow_gaps, bounded_gaps, bare_pages, inner_without_referrer"
        )
    );
}

#[test]
fn test_behavioral_signal_types() {
    let mut guesser = Scene::browser();
    for _ in 0..8 {
        guesser.send(Method::Post, "/login", 401);
        guesser.wait(40);
    }
    let verdict = guesser.verdict();
    let types: Vec<_> =
        verdict.signals.iter().map(|s| (s.kind.as_str(), s.category.as_str(), s.points)).collect();
    assert_eq!(types, [("unserved_post", "form", 25.0), ("guessing", "probing", 30.0)]);
    for kind in SignalKind::ALL {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.to_string(), "the wire says the name");
    }
}

#[test]
fn test_behavioral_threshold_checking() {
    let policy = SevenSignalPolicy::default();
    let seven = BehavioralBotDetector::new(DetectorPolicy::seven_signal());
    for (requests, fires) in [(policy.max_requests, false), (policy.max_requests + 1, true)] {
        let mut client = Scene::browser();
        for _ in 0..requests {
            client.asset("/picture.png", "/");
        }
        let fired = client.fired_by(&seven).contains(&SignalKind::HighRequestCount);
        assert_eq!(fired, fires, "{requests} requests");
    }
}

#[test]
fn test_behavioral_classification() {
    let class = |scene: &Scene| {
        let verdict = scene.verdict();
        (verdict.class, verdict.hostile)
    };
    let mut one_voice = Scene::browser();
    one_voice.send(Method::Post, "/comments", 303);
    assert_eq!(class(&one_voice), (Class::Human, false), "one voice below 50 is heard and not believed");

    let mut two_voices = Scene::named("Foo/1.0");
    two_voices.view("/articles/one", ReferrerFacts::Missing);
    assert_eq!(class(&two_voices), (Class::Suspected, false));

    let mut many_voices = Scene::named("Foo/1.0");
    for page in ["/articles/one", "/articles/two", "/about"] {
        many_voices.view(page, ReferrerFacts::Missing);
        many_voices.wait(30);
    }
    assert_eq!(class(&many_voices), (Class::Bot, true));

    let mut crawler =
        Scene::named("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)");
    crawler.view("/", ReferrerFacts::Missing);
    assert_eq!(class(&crawler), (Class::DeclaredBot, false));

    let mut trainer = Scene::named("Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)");
    trainer.view("/", ReferrerFacts::Missing);
    assert_eq!(class(&trainer), (Class::AiAgent, false));
}

/// `count` times the act; the signal fires from `limit` on.
#[rstest]
#[case::posts(SignalKind::ManyPosts, 10, |c: &mut Scene| c.send(Method::Post, "/comments", 303))]
#[case::guesses(SignalKind::Guessing, 8, |c: &mut Scene| c.send(Method::Post, "/login", 403))]
#[case::api(SignalKind::ApiWithoutPage, 20, |c: &mut Scene| c.get("/api/items", RequestKind::Api, ReferrerFacts::Missing))]
#[case::heads(SignalKind::HeadOnly, 3, |c: &mut Scene| c.send(Method::Head, "/file.zip", 200))]
#[case::errors(SignalKind::ErrorShare, 10, |c: &mut Scene| c.send(Method::Get, "/gone", 404))]
#[case::burst(SignalKind::BurstRate, 10, |c: &mut Scene| c.get("/api/items", RequestKind::Api, internal("/")))]
#[case::foreign(SignalKind::RepeatedReferrer, 2, |c: &mut Scene| c.view("/", FOREIGN))]
#[case::unserved(SignalKind::UnservedReferrers, 2, |c: &mut Scene| c.view("/", internal("/never")))]
#[case::strong(SignalKind::StrongProbe, 1, |c: &mut Scene| c.probe("/.env", ProbeKind::Credential))]
#[case::robots(SignalKind::RobotsFirst, 1, |c: &mut Scene| c.get("/robots.txt", RequestKind::Robots, ReferrerFacts::Missing))]
#[case::equal(SignalKind::EqualGaps, 6, |c: &mut Scene| c.paced(7))]
#[case::sweep(SignalKind::Sweep, 30, |c: &mut Scene| c.paced(7))]
fn a_signal_fires_at_its_count_and_not_one_before(
    #[case] kind: SignalKind,
    #[case] limit: usize,
    #[case] act: fn(&mut Scene),
) {
    let mut client = Scene::browser();
    for _ in 1..limit {
        act(&mut client);
    }
    assert!(!client.fired().contains(&kind), "{kind} one below {limit}");
    act(&mut client);
    assert!(client.fired().contains(&kind), "{kind} at {limit}");
}

#[rstest]
#[case::nothing(0.49, None)]
#[case::one(0.5, Some(10.0))]
#[case::still_one(1.49, Some(10.0))]
#[case::two(1.5, Some(18.0))]
#[case::three(2.5, Some(30.0))]
#[case::five(4.5, Some(38.0))]
fn bare_pages_weigh_by_the_loads_that_were_to_be_expected(
    #[case] expected: f64,
    #[case] points: Option<f64>,
) {
    let mut client = Scene::browser();
    client.profile.expected_loads = expected;
    assert_eq!(client.points(SignalKind::BarePages), points);
    client.asset("/style.css", "/");
    assert_eq!(client.points(SignalKind::BarePages), None, "one asset is enough");
}

#[test]
fn a_text_browser_is_not_expected_to_load_assets() {
    let mut client = Scene::named("Lynx/2.8.9rel.1 libwww-FM/2.14");
    for page in ["/articles/one", "/articles/two", "/about", "/"] {
        client.view(page, client.before());
        client.wait(20);
    }
    assert_eq!(client.verdict().reason(), "");
}

#[test]
fn a_browser_that_speaks_http_1_0_is_odd_until_real_visitors_do() {
    let mut client = Scene::browser();
    client.version = HttpVersion::Http10;
    client.site = SiteFacts::default();
    client.view("/", ReferrerFacts::Missing);
    assert!(client.fired().contains(&SignalKind::Http10Browser), "unknown means no");
    let loader = |http10| Finding::Settled { agent: 1, bare: false, http10, released: None };
    client.site.learn((0..20).map(|n| loader(n == 0)), 0);
    assert!(client.fired().contains(&SignalKind::Http10Browser), "one in twenty is 5 %");
    client.site.learn([loader(true)], 0);
    assert!(!client.fired().contains(&SignalKind::Http10Browser), "two in 21 are more");
}

#[test]
fn the_pages_of_a_gallery_turned_by_its_links_are_no_systematic_order() {
    let turned = |linked: bool, loads: bool| {
        let mut client = Scene::browser();
        for number in 1..=12 {
            let before = if linked { client.before() } else { ReferrerFacts::Missing };
            let page = std::format!("/gallery/{number}");
            client.view(&page, before);
            if loads {
                client.asset("/style.css", &page);
            }
            client.wait([3, 5, 2, 9, 4][number % 5]);
        }
        client.fired().contains(&SignalKind::SequentialNavigation)
    };
    assert!(!turned(true, true));
    assert!(turned(false, true));
    assert!(turned(true, false), "a referrer alone is cheap");
}

#[rstest]
#[case::below(11, false)]
#[case::at(12, true)]
fn a_metronome_over_different_pages_decides(#[case] gaps: usize, #[case] decides: bool) {
    // Gaps of 5 s, give or take a third of a second: even, and no two in a row equal.
    let mut client = Scene::browser();
    for number in 0..=gaps {
        let page = std::format!("/articles/{}", xxh3_64(&number.to_le_bytes()));
        client.view(&page, client.before());
        client.asset("/style.css", &page);
        client.wait_us(5_000_000 + [0, 300_000, -300_000][number % 3]);
    }
    let regular = client.verdict().signals.into_iter().find(|s| s.kind == SignalKind::RegularTiming).unwrap();
    assert_eq!(regular.decisive, decides);
}

#[test]
fn a_page_that_reloads_itself_is_no_metronome() {
    let mut dashboard = Scene::browser();
    for _ in 0..60 {
        dashboard.view("/dashboard", internal("/dashboard"));
        dashboard.asset("/style.css", "/dashboard");
        dashboard.wait(60);
    }
    assert_eq!(dashboard.verdict().class, Class::Human);
}

#[rstest]
#[case::below(5, true, None)]
#[case::at(6, true, Some(22.0))]
#[case::few(15, true, Some(22.0))]
#[case::often(16, true, Some(42.0))]
#[case::never_sends_referrers(16, false, None)]
fn addresses_are_typed_where_assets_prove_that_referrers_are_sent(
    #[case] views: usize,
    #[case] assets_name_pages: bool,
    #[case] points: Option<f64>,
) {
    let mut client = Scene::browser();
    for number in 0..views {
        let page = std::format!("/articles/{number}");
        client.view(&page, ReferrerFacts::Missing);
        let from = if assets_name_pages { internal(&page) } else { ReferrerFacts::Missing };
        client.get("/style.css", RequestKind::Asset, from);
        client.wait(11 + number as i64 * 7);
    }
    assert_eq!(client.points(SignalKind::TypedAddresses), points);
}

#[rstest]
#[case::below(29, false)]
#[case::at(30, true)]
fn a_site_is_deserted_from_thirty_visitors_that_load_nothing(#[case] visitors: usize, #[case] fires: bool) {
    let mut client = Scene::browser();
    client.site = SiteFacts::default();
    client.site.learn((0..visitors).map(|_| BARE), 0);
    client.view("/", ReferrerFacts::Missing);
    assert_eq!(client.points(SignalKind::DesertedSite), fires.then_some(10.0));
}

#[rstest]
#[case::ten_years(120, true)]
#[case::a_month_less(119, false)]
fn an_extinct_browser_is_ten_years_behind(#[case] months: i64, #[case] fires: bool) {
    let mut client = Scene::browser();
    client.view("/", ReferrerFacts::Missing);
    let now_months = month_of_days((client.now_us / 86_400_000_000) as i32);
    // The middle of the month, so that rounding takes no part.
    client.agent.released = Some((((now_months - months) as f64 + 0.5) * 30.436_875) as i32);
    assert_eq!(client.fired().contains(&SignalKind::ExtinctBrowser), fires);
}

#[rstest]
#[case::below(2, None)]
#[case::at(3, Some(25.0))]
fn addresses_of_one_network_are_company(#[case] addresses: u16, #[case] points: Option<f64>) {
    let mut client = Scene::browser();
    client.history.network_addresses = addresses;
    assert_eq!(client.points(SignalKind::SharedNetwork), points);
}

#[test]
fn company_says_nothing_before_a_page_has_waited_for_its_assets() {
    let mut client = Scene::browser();
    client.history.network_addresses = 3;
    client.view("/", ReferrerFacts::Missing);
    let detector = BehavioralBotDetector::default();
    let now = |client: &Scene| {
        detector.assess(&client.subject(&client.profile)).signals.contains(SignalKind::SharedNetwork)
    };
    client.wait_us(profile::ASSET_WAIT_US - 1);
    assert!(!now(&client));
    client.wait_us(1);
    assert!(now(&client));
}

#[rstest]
#[case::below(4, None)]
#[case::at(5, Some(32.0))]
fn an_address_that_rotates_its_agents_is_odd(#[case] agents: u16, #[case] points: Option<f64>) {
    let mut client = Scene::browser();
    client.history.agents_of_address = agents;
    assert_eq!(client.points(SignalKind::RotatingAgents), points);
}

#[rstest]
#[case::below(2, false)]
#[case::at(3, true)]
fn a_feed_polled_by_what_is_no_browser_is_automation(#[case] requests: usize, #[case] bot: bool) {
    let mut client = Scene::named("");
    for _ in 0..requests {
        client.get("/feed", RequestKind::Feed, ReferrerFacts::Missing);
        client.wait(600);
    }
    assert_eq!(client.verdict().class.is_bot(), bot);
}

#[test]
fn an_agent_taken_out_by_a_proxy_weighs_little_where_assets_are_loaded() {
    let mut client = Scene::named("");
    client.view("/", ReferrerFacts::Missing);
    assert_eq!(client.points(SignalKind::NoUserAgent), Some(32.0));
    client.asset("/style.css", "/");
    assert_eq!(client.points(SignalKind::NoUserAgent), Some(12.0));
}

#[rstest]
#[case::within_three_seconds(3_000_000, true)]
#[case::later(3_000_001, false)]
fn a_form_is_quick_within_three_seconds_of_its_page(#[case] after_us: i64, #[case] fires: bool) {
    let mut client = Scene::browser();
    client.view("/contact", ReferrerFacts::Missing);
    client.wait_us(after_us);
    client.request(Method::Post, "/contact", RequestKind::Api, internal("/contact"), 303, None);
    assert_eq!(client.fired().contains(&SignalKind::QuickPost), fires);
    assert!(!client.fired().contains(&SignalKind::UnservedPost), "its form was served");
}

#[test]
fn images_without_extension_that_a_page_loads_late_are_no_page_views() {
    let mut client = Scene::browser();
    client.view("/product/7", ReferrerFacts::Missing);
    client.asset("/style.css", "/product/7");
    for image in 0..40 {
        client.wait_us(if image % 20 == 0 { 4_000_000 } else { 500_000 });
        client.get(&std::format!("/image/{image}"), RequestKind::Page, internal("/product/7"));
    }
    assert_eq!(
        client.profile.counts.page_views, 3,
        "the page, and the first image of each of two late batches"
    );
    assert_eq!(client.verdict().class, Class::Human);
}

const FOREIGN: ReferrerFacts = ReferrerFacts::External { host: 9, shared: false, spam: false };
const BARE: Finding = Finding::Settled { agent: 5, bare: true, http10: false, released: None };

fn internal(path: &str) -> ReferrerFacts {
    ReferrerFacts::Internal { page: xxh3_64(path.as_bytes()), root: path == "/" }
}

/// One client on a site whose visitors load assets on nearly every page.
struct Scene {
    profile: SessionProfile,
    served: ServedPages,
    agent: AgentFacts,
    history: History,
    site: SiteFacts,
    version: HttpVersion,
    now_us: i64,
    last: Option<String>,
}

impl Scene {
    fn browser() -> Self {
        Self::named(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
        )
    }

    fn named(agent: &str) -> Self {
        let mut site = SiteFacts::default();
        let view = |path: &str, loaded| Finding::View {
            page: xxh3_64(path.as_bytes()),
            directory: 1,
            with_asset: loaded,
        };
        let mut known: Vec<_> = (0..30).flat_map(|_| [view("/", true), view("/about", true)]).collect();
        known.extend((0..30).map(|n| Finding::Page { page: n }));
        known.extend((0..30).map(|_| Finding::InnerView { without_referrer: false }));
        known.extend((0..60).map(|_| Finding::Settled {
            agent: 1,
            bare: false,
            http10: false,
            released: None,
        }));
        site.learn(known, 0);
        Self {
            profile: SessionProfile::default(),
            served: ServedPages::default(),
            agent: AgentFacts::of(agent, &crate::user_agent::UserAgent::parse(agent)),
            history: History::default(),
            site,
            version: HttpVersion::Http11,
            // 2026-03-02.
            now_us: 1_772_409_600_000_000,
            last: None,
        }
    }

    fn wait(&mut self, seconds: i64) {
        self.wait_us(seconds * 1_000_000);
    }

    fn wait_us(&mut self, us: i64) {
        self.now_us += us;
        let before = self.now_us - profile::ASSET_WAIT_US;
        self.profile.settle(&self.site, before, |_| {});
    }

    /// The page viewed last, as a referrer.
    fn before(&self) -> ReferrerFacts {
        self.last.as_deref().map_or(ReferrerFacts::Missing, internal)
    }

    fn view(&mut self, path: &str, referrer: ReferrerFacts) {
        self.get(path, RequestKind::Page, referrer);
        self.last = Some(path.into());
    }

    fn asset(&mut self, path: &str, page: &str) {
        self.get(path, RequestKind::Asset, internal(page));
    }

    fn get(&mut self, path: &str, kind: RequestKind, referrer: ReferrerFacts) {
        self.request(Method::Get, path, kind, referrer, 200, None);
    }

    fn send(&mut self, method: Method, path: &str, status: u16) {
        let kind = if method.is_read() { RequestKind::Page } else { RequestKind::Api };
        self.request(method, path, kind, ReferrerFacts::Missing, status, None);
    }

    fn probe(&mut self, path: &str, kind: ProbeKind) {
        let probe = Probe { kind, strength: ProbeStrength::Strong };
        self.request(Method::Get, path, RequestKind::Page, ReferrerFacts::Missing, 404, Some(probe));
    }

    /// The next of many different pages after a fixed time.
    fn paced(&mut self, seconds: i64) {
        self.wait(seconds);
        let page = std::format!("/articles/{}", xxh3_64(&self.now_us.to_le_bytes()));
        self.view(&page, self.before());
    }

    fn request(
        &mut self,
        method: Method,
        path: &str,
        kind: RequestKind,
        referrer: ReferrerFacts,
        status: u16,
        probe: Option<Probe>,
    ) {
        let number = path.rsplit('/').next().and_then(|name| name.parse().ok());
        let observation = Observation {
            method,
            kind,
            version: Some(self.version),
            status: Some(status),
            path,
            page: xxh3_64(path.as_bytes()),
            directory: 1,
            number,
            probe,
            trap: false,
            referrer,
            campaign: None,
            headers: None,
        };
        let effect = self.profile.observe(&mut self.served, &observation, self.now_us);
        if effect.page_view && observation.succeeded() {
            self.profile.await_assets(&self.site, &observation, effect.new_page, self.now_us);
        }
    }

    /// The verdict at the end of the session, when every page has settled.
    fn verdict(&self) -> Verdict {
        self.verdict_by(&BehavioralBotDetector::default())
    }

    fn verdict_by(&self, detector: &BehavioralBotDetector) -> Verdict {
        let mut profile = self.profile.clone();
        profile.settle(&self.site, i64::MAX, |_| {});
        detector.explain(&self.subject(&profile))
    }

    fn subject<'a>(&'a self, profile: &'a SessionProfile) -> Subject<'a> {
        Subject { profile, agent: &self.agent, history: &self.history, site: &self.site, features: None }
    }

    fn fired(&self) -> Vec<SignalKind> {
        self.fired_by(&BehavioralBotDetector::default())
    }

    fn fired_by(&self, detector: &BehavioralBotDetector) -> Vec<SignalKind> {
        self.verdict_by(detector).signals.iter().map(|signal| signal.kind).collect()
    }

    fn points(&self, kind: SignalKind) -> Option<f64> {
        self.verdict().signals.iter().find(|signal| signal.kind == kind).map(|signal| signal.points)
    }
}
