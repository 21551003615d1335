//! Automation that says what it is.

use super::agents;
use super::browser::Browser;
use super::chance::Chance;
use super::kind::ActorKind;
use super::network;
use super::trace::{MILLI, MINUTE, Method, Micros, SECOND, Sym, Trace, Version, Visitor};
use super::world::{Answer, Client, World};

/// Everything one declared tool does in the simulated time.
#[expect(clippy::wildcard_enum_match_arm, reason = "the caller sends only the kinds of this file here")]
pub(super) fn live(world: &World, trace: &mut Trace, kind: ActorKind, index: u32) {
    let chance = &mut Chance::new(world.seed, kind.name(), index);
    let at = world.launch(chance);
    let tool = Tool { world, kind, index };
    match kind {
        ActorKind::Monitor => tool.monitor(trace, chance),
        ActorKind::FeedReader => tool.feed_reader(trace, chance),
        ActorKind::SocialPreview => tool.social_preview(trace, chance, at),
        ActorKind::AiUserFetch => tool.user_fetch(trace, chance, at),
        ActorKind::AiAgent => tool.browser(trace, chance, at, &AI_AGENTS, 12, 6 * SECOND),
        ActorKind::HeadlessBrowser => tool.browser(trace, chance, at, &HEADLESS, 15, 2 * SECOND),
        ActorKind::HttpLibrary | ActorKind::NoAgent => tool.script(trace, chance, at),
        ActorKind::LinkChecker => tool.link_checker(trace, chance, at),
        ActorKind::CrawlerAiTraining => tool.crawler(trace, chance, &AI_TRAINING, 60),
        ActorKind::CrawlerAiSearch => tool.crawler(trace, chance, &AI_SEARCH, 30),
        ActorKind::CrawlerSeo => tool.crawler(trace, chance, &SEO, 50),
        _ => tool.crawler(trace, chance, &SEARCH, 45),
    }
}

struct Tool<'a> {
    world: &'a World,
    kind: ActorKind,
    index: u32,
}

/// An agent and the first three octets of a network its operator publishes; `None` where it comes from anywhere.
type Operator = (&'static str, Option<[u8; 3]>);

impl Tool<'_> {
    fn client(&self, trace: &mut Trace, chance: &mut Chance, operator: Operator, version: Version) -> Client {
        let address = match operator.1 {
            Some(network) => network::published(chance, network),
            None => network::server(chance),
        };
        let visitor = Visitor {
            address,
            agent: trace.intern(operator.0),
            kind: self.kind,
            actor: self.index,
            language: Sym::NONE,
            browser_headers: false,
            via: false,
        };
        Client { visitor: trace.add_visitor(visitor), version }
    }

    /// robots.txt, the site map, then pages all over the log from one to three addresses; some old and dead ones.
    fn crawler(&self, trace: &mut Trace, chance: &mut Chance, operators: &[Operator], base: u32) {
        let site = &self.world.site;
        let operator = operators[self.index as usize % operators.len()];
        let version = if chance.percent(40) { Version::H2 } else { Version::H11 };
        let clients: Vec<_> =
            (0..=chance.below(3)).map(|_| self.client(trace, chance, operator, version)).collect();
        let pages = self.world.volume(base + chance.below(base));
        let span = self.world.end - self.world.start;
        let step = (span / i64::from(pages + 2)).min(3 * MINUTE);
        let mut at = self.world.start + chance.between(0, (span - step * i64::from(pages)).max(1));
        clients[0].get(trace, chance, at, site.robots, Answer::ok(212));
        if chance.percent(60) {
            at += chance.between(1, 60) * SECOND;
            clients[0].get(trace, chance, at, site.sitemap, Answer::ok(48_200));
        }
        for _ in 0..pages {
            at += chance.exponential(step).max(400 * MILLI);
            let client = *chance.pick(&clients);
            match chance.below(100) {
                0..3 => client.get(trace, chance, at, *chance_dead(site.dead.as_slice(), at), Answer::gone()),
                3..6 => {
                    let (old, target) = *chance.pick(&site.redirects);
                    client.get(trace, chance, at, old, Answer::with(301, 234));
                    at += chance.between(1, 30) * SECOND;
                    client.page(trace, chance, at, site.page(target), Sym::NONE);
                }
                6..14 => {
                    // Image and style crawlers of the same operator.
                    let page = site.page(site.entry(chance));
                    if let Some(asset) = page.assets.last() {
                        client.get(trace, chance, at, asset.path, Answer::ok(asset.bytes).from(page.url));
                    }
                }
                14..24 => {
                    let page = site.page(site.entry(chance));
                    client.get(trace, chance, at, page.path, Answer::with(304, 0));
                }
                _ => {
                    let page = chance.below(site.pages.len() as u32);
                    client.page(trace, chance, at, site.page(page), Sym::NONE);
                }
            }
        }
    }

    /// The same page at a fixed interval with a little jitter, all day.
    fn monitor(&self, trace: &mut Trace, chance: &mut Chance) {
        let site = &self.world.site;
        let operator = MONITORS[self.index as usize % MONITORS.len()];
        let client = self.client(trace, chance, operator, Version::H11);
        let every = (*chance.pick(&[60, 300]) * SECOND)
            .max((self.world.end - self.world.start) / i64::from(self.world.volume(400)));
        let method = if chance.percent(40) { Method::Head } else { Method::Get };
        let page = site.page(site.home);
        let mut at = self.world.start + chance.between(0, every);
        while at < self.world.end {
            let bytes = if method == Method::Head { 0 } else { page.bytes };
            let then = at + chance.between(0, 300) * MILLI;
            client.send(trace, chance, then, method, page.path, Answer::ok(bytes));
            at += every;
        }
    }

    fn feed_reader(&self, trace: &mut Trace, chance: &mut Chance) {
        let operator = FEED_READERS[self.index as usize % FEED_READERS.len()];
        let client = self.client(trace, chance, operator, Version::H11);
        let every = *chance.pick(&[15, 30, 60]) * MINUTE;
        let mut at = self.world.start + chance.between(0, every);
        while at < self.world.end {
            let answer = if chance.percent(85) { Answer::with(304, 0) } else { Answer::ok(31_400) };
            client.get(trace, chance, at, self.world.site.feed, answer);
            at += every + chance.between(0, 20) * SECOND;
        }
    }

    /// Someone posts a link: one page and its first image, from several addresses within seconds.
    fn social_preview(&self, trace: &mut Trace, chance: &mut Chance, at: Micros) {
        let site = &self.world.site;
        let page = site.page(site.entry(chance));
        let mut then = at;
        for _ in 0..self.world.volume(3 + chance.below(8)) {
            let operator = *chance.pick(&PREVIEWS);
            let client = self.client(trace, chance, operator, Version::H11);
            client.page(trace, chance, then, page, Sym::NONE);
            if let Some(image) = page.assets.iter().find(|asset| asset.image && !asset.missing) {
                client.get(trace, chance, then + 700 * MILLI, image.path, Answer::ok(image.bytes));
            }
            then += chance.exponential(4 * SECOND);
        }
    }

    fn user_fetch(&self, trace: &mut Trace, chance: &mut Chance, at: Micros) {
        let site = &self.world.site;
        let operator = AI_USER[self.index as usize % AI_USER.len()];
        let client = self.client(trace, chance, operator, Version::H11);
        let mut then = at;
        for _ in 0..self.world.volume(1 + chance.below(4)) {
            let page = site.page(site.entry(chance));
            client.page(trace, chance, then, page, Sym::NONE);
            then += chance.exponential(3 * SECOND);
        }
    }

    /// A browser under remote control that admits it: loads what pages need.
    fn browser(
        &self,
        trace: &mut Trace,
        chance: &mut Chance,
        at: Micros,
        agents: &[&str],
        base: u32,
        pause: Micros,
    ) {
        let site = &self.world.site;
        let version = agents::newest_chrome(self.world.day).to_string();
        let agent = agents[self.index as usize % agents.len()].replace("{chrome}", &version);
        let visitor = Visitor {
            address: network::server(chance),
            agent: trace.intern(&agent),
            kind: self.kind,
            actor: self.index,
            language: trace.intern("en-US"),
            browser_headers: true,
            via: false,
        };
        let client = Client { visitor: trace.add_visitor(visitor), version: Version::H2 };
        let mut browser = Browser::new(client);
        let mut at = at;
        let mut current = site.home;
        let mut referrer = Sym::NONE;
        for _ in 0..self.world.volume(base) {
            let page = site.page(current);
            browser.open(self.world, trace, chance, at, page, referrer);
            referrer = page.url;
            current = *chance.pick(&page.links);
            at += chance.log_normal(pause, 0.5, MINUTE).max(SECOND);
        }
    }

    /// A script: one page or an API again and again, or a short list of pages.
    fn script(&self, trace: &mut Trace, chance: &mut Chance, at: Micros) {
        let site = &self.world.site;
        let agent = if self.kind == ActorKind::NoAgent {
            ""
        } else {
            LIBRARIES[self.index as usize % LIBRARIES.len()]
        };
        let version = if agent.starts_with("Go") { Version::H2 } else { Version::H11 };
        let client = self.client(trace, chance, (agent, None), version);
        let api = trace.intern("/api/v1/articles?limit=50");
        let only_api = chance.percent(30);
        let mut then = at;
        for _ in 0..self.world.volume(20 + chance.below(30)) {
            if only_api {
                client.get(trace, chance, then, api, Answer::ok(18_400));
                then += 5 * MINUTE;
            } else {
                let page = chance.below(site.pages.len() as u32);
                client.page(trace, chance, then, site.page(page), Sym::NONE);
                then += chance.between(150, 2_500) * MILLI;
            }
        }
    }

    fn link_checker(&self, trace: &mut Trace, chance: &mut Chance, at: Micros) {
        let site = &self.world.site;
        let client = self.client(trace, chance, ("W3C-checklink/5.0.0 libwww-perl/6.77", None), Version::H11);
        let mut then = at;
        client.get(trace, chance, then, site.robots, Answer::ok(212));
        for number in 0..self.world.volume(90) {
            then += SECOND + chance.between(0, 80) * MILLI;
            if number % 12 == 11 {
                let gone = *chance.pick(&site.dead);
                client.send(trace, chance, then, Method::Head, gone, Answer::with(404, 0));
            } else {
                let page = site.page(number % site.pages.len() as u32);
                client.send(trace, chance, then, Method::Head, page.path, Answer::ok(0));
            }
        }
    }
}

/// A dead address, the same one for the same instant.
fn chance_dead(dead: &[Sym], at: Micros) -> &Sym {
    &dead[(at / MILLI) as usize % dead.len()]
}

/// Networks are those that the operators list for their crawlers.
const SEARCH: [Operator; 5] = [
    ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", Some([66, 249, 66])),
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36",
        Some([40, 77, 167]),
    ),
    (
        "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/145.0.7632.45 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        Some([66, 249, 79]),
    ),
    ("Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)", Some([5, 255, 231])),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.1.1 Safari/605.1.15 (Applebot/0.1; +http://www.apple.com/go/applebot)",
        Some([17, 241, 75]),
    ),
];

const AI_TRAINING: [Operator; 4] = [
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
        Some([20, 171, 207]),
    ),
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",
        Some([216, 73, 216]),
    ),
    ("CCBot/2.0 (https://commoncrawl.org/faq/)", Some([18, 97, 14])),
    (
        "meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)",
        Some([57, 141, 0]),
    ),
];

const AI_SEARCH: [Operator; 3] = [
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; OAI-SearchBot/1.0; +https://openai.com/searchbot",
        Some([20, 42, 10]),
    ),
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; PerplexityBot/1.0; +https://perplexity.ai/perplexitybot)",
        Some([18, 97, 9]),
    ),
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Claude-SearchBot/1.0; +claude-searchbot@anthropic.com)",
        Some([216, 73, 217]),
    ),
];

const AI_USER: [Operator; 3] = [
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; ChatGPT-User/1.0; +https://openai.com/bot",
        Some([23, 98, 142]),
    ),
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Claude-User/1.0; +Claude-User@anthropic.com)",
        Some([216, 73, 216]),
    ),
    (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Perplexity-User/1.0; +https://perplexity.ai/perplexity-user)",
        Some([44, 208, 221]),
    ),
];

const AI_AGENTS: [&str; 2] = [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko; compatible; Google-Agent) Chrome/{chrome}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{chrome}.0.0.0 Safari/537.36 NovaAct/1.0",
];

const SEO: [Operator; 3] = [
    ("Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", Some([54, 36, 148])),
    ("Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)", Some([185, 191, 171])),
    (
        "Mozilla/5.0 (compatible; DotBot/1.2; +https://opensiteexplorer.org/dotbot; help@moz.com)",
        Some([216, 244, 66]),
    ),
];

const MONITORS: [Operator; 2] = [
    ("Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", Some([69, 162, 124])),
    ("Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)", Some([159, 122, 168])),
];

const FEED_READERS: [Operator; 6] = [
    ("Feedly/1.0 (+https://feedly.com/poller.html; 12 subscribers; )", Some([8, 29, 198])),
    ("Mozilla/5.0 (compatible; Miniflux/2.2.6; +https://miniflux.app)", None),
    ("FreshRSS/1.26.3 (Linux; https://freshrss.org)", None),
    ("Tiny Tiny RSS/25.08 (https://tt-rss.org/)", None),
    ("NetNewsWire (RSS Reader; https://netnewswire.com/)", None),
    ("Inoreader/1.0 (+http://www.inoreader.com/feed-fetcher; 3 subscribers; )", None),
];

const PREVIEWS: [Operator; 5] = [
    ("facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", Some([173, 252, 95])),
    ("Twitterbot/1.0", Some([199, 16, 157])),
    ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", None),
    ("Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)", None),
    ("http.rb/5.2.0 (Mastodon/4.4.3; +https://social.example.net/) Bot", None),
];

const LIBRARIES: [&str; 8] = [
    "python-requests/2.32.5",
    "Go-http-client/2.0",
    "curl/8.15.0",
    "okhttp/4.12.0",
    "Wget/1.25.0",
    "axios/1.12.2",
    "Scrapy/2.13.3 (+https://scrapy.org)",
    "Java/21.0.8",
];

const HEADLESS: [&str; 2] = [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/{chrome}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/{chrome}.0.0.0 Safari/537.36",
];
