//! People: ordinary ones, and those that rules most easily take for automation.

use super::agents::{self, Device};
use super::browser::{Browser, Habit, QUERIES, Visit, reading_time};
use super::chance::Chance;
use super::kind::ActorKind;
use super::network;
use super::site::{ORIGIN, Page, Section};
use super::trace::{MILLI, MINUTE, Method, Micros, SECOND, Sym, Trace, Version, Visitor};
use super::world::{Answer, Client, World};

/// Everything one person does in the simulated time.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the caller sends only people here, and most of them just read"
)]
pub(super) fn live(world: &World, trace: &mut Trace, kind: ActorKind, index: u32) {
    let mut chance = Chance::new(world.seed, kind.name(), index);
    let mut person = Person::new(world, trace, &mut chance, kind, index);
    let at = world.arrival(&mut chance);
    let scene = Scene { world, trace, chance: &mut chance };
    match kind {
        ActorKind::HumanSearch => person.searches(scene, at),
        ActorKind::HumanForm => person.fills_a_form(scene, at),
        ActorKind::HumanLogin => person.signs_in(scene, at),
        ActorKind::HumanPager => person.pages_on(scene, at),
        ActorKind::HumanHeavy => person.reads_all_day(scene),
        ActorKind::HumanDeadLinks => person.follows_dead_links(scene, at),
        ActorKind::HumanPolling => person.leaves_a_page_polling(scene, at),
        ActorKind::HumanDashboard => person.leaves_a_dashboard_open(scene, at),
        ActorKind::HumanSurge => person.joins_the_surge(scene),
        ActorKind::HumanMobile => person.travels(scene, at, index),
        _ => person.reads(scene, at),
    }
}

struct Person {
    browser: Browser,
    identity: Visitor,
}

struct Scene<'a> {
    world: &'a World,
    trace: &'a mut Trace,
    chance: &'a mut Chance,
}

impl Person {
    #[expect(clippy::wildcard_enum_match_arm, reason = "only some people differ from an ordinary one")]
    fn new(world: &World, trace: &mut Trace, chance: &mut Chance, kind: ActorKind, index: u32) -> Self {
        let device = device(chance, kind);
        let mut agent = agents::browser(chance, device, world.day);
        let mut address = network::home(chance);
        let mut version = *chance.weighted(&[(Version::H2, 70), (Version::H3, 12), (Version::H11, 18)]);
        match kind {
            ActorKind::HumanNat => {
                let mut office = Chance::new(world.seed, "office", index / 25);
                address = network::home(&mut office);
                let managed = agents::browser(&mut office, Device::Desktop, world.day);
                if chance.percent(60) {
                    agent = managed;
                }
            }
            ActorKind::HumanProxy => {
                let mut company = Chance::new(world.seed, "company", index / 8);
                address = network::home(&mut company);
                version = if company.percent(35) { Version::H10 } else { Version::H11 };
            }
            ActorKind::HumanTextBrowser if index.is_multiple_of(2) => {
                agents::text_browser(chance).clone_into(&mut agent);
                version = if agent.starts_with("ELinks") { Version::H11 } else { Version::H10 };
            }
            _ => {}
        }
        let language = *chance.weighted(&LANGUAGES);
        let identity = Visitor {
            address,
            agent: trace.intern(&agent),
            kind,
            actor: index,
            language: trace.intern(language),
            browser_headers: kind != ActorKind::HumanTextBrowser,
            via: kind == ActorKind::HumanProxy,
        };
        let client = Client { visitor: trace.add_visitor(identity), version };
        let mut browser = Browser::new(client);
        browser.blocks_counters = chance.percent(35);
        match kind {
            ActorKind::HumanPrivacy => {
                browser.sends_referrer = false;
                browser.blocks_counters = true;
                browser.loads_images = chance.percent(85);
            }
            ActorKind::HumanTextBrowser => {
                browser.loads_assets = !index.is_multiple_of(2);
                browser.loads_images = false;
                browser.has_favicon = index.is_multiple_of(2);
            }
            ActorKind::HumanPrefetch => browser.prefetches = true,
            ActorKind::HumanReturning | ActorKind::HumanDashboard => warm(world, chance, &mut browser),
            _ => {}
        }
        Self { browser, identity }
    }

    /// One to three visits with hours between them.
    fn reads(&mut self, scene: Scene<'_>, at: Micros) {
        let Scene { world, trace, chance } = scene;
        let mut at = at;
        for _ in 0..*chance.weighted(&[(1_u32, 65), (2, 25), (3, 10)]) {
            let mut entry = world.site.entry(chance);
            let mut referrer = self.arrive(trace, chance);
            let habit = habit(chance);
            if chance.percent(6) {
                let page = world.site.page(entry);
                self.lands_by_campaign(world, trace, chance, at, page);
                at += reading_time(chance, page);
                referrer = self.browser.leaving(page);
                entry = *chance.pick(&page.links);
            }
            at = self.browser.browse(world, trace, chance, at, Visit { entry, referrer, habit });
            at += chance.exponential(240) * MINUTE + 35 * MINUTE;
        }
    }

    /// The same on a phone; one in four loses the network on the way and gets another address.
    fn travels(&mut self, scene: Scene<'_>, at: Micros, index: u32) {
        let Scene { world, trace, chance } = scene;
        let entry = world.site.entry(chance);
        let referrer = self.arrive(trace, chance);
        let habit = habit(chance);
        let then = self.browser.browse(world, trace, chance, at, Visit { entry, referrer, habit });
        if index.is_multiple_of(4) {
            self.identity.address = network::home(chance);
            self.browser.client.visitor = trace.add_visitor(self.identity);
            let page = world.site.page(entry);
            let next = *chance.pick(&page.links);
            let from = self.browser.leaving(page);
            self.browser.browse(world, trace, chance, then, Visit { entry: next, referrer: from, habit });
        }
    }

    fn searches(&mut self, scene: Scene<'_>, at: Micros) {
        let Scene { world, trace, chance } = scene;
        let site = &world.site;
        let referrer = self.arrive(trace, chance);
        self.browser.open(world, trace, chance, at, site.page(site.home), referrer);
        let mut then = at + chance.between(2, 9) * SECOND;
        let mut from = self.browser.leaving(site.page(site.home));
        let shop = chance.percent(50);
        let query = *chance.pick(&QUERIES);
        for number in 1..=5 + chance.below(14) {
            let path = if shop {
                let sort = chance.pick(&["price", "-price", "name", "new"]);
                format!(
                    "/products?category={}&sort={sort}&page={}",
                    chance.pick(&["tools", "kitchen", "garden"]),
                    1 + number / 4
                )
            } else if chance.percent(60) {
                format!("/search?q={query}&page={number}")
            } else {
                format!("/search?q={}", chance.pick(&QUERIES))
            };
            let list = site.page(*chance.pick(&site.lists));
            let symbol = trace.intern(&path);
            let answer = Answer::ok(list.bytes + chance.below(6_000)).from(from);
            self.browser.client.get(trace, chance, then, symbol, answer);
            self.browser.load_assets(world, trace, chance, then, list);
            if self.browser.sends_referrer {
                from = trace.intern(&format!("{ORIGIN}{path}"));
            }
            then += chance.log_normal(3_200 * MILLI, 0.6, 2 * MINUTE);
            if chance.percent(20) {
                let found = site.page(*chance.pick(if shop { &site.shop } else { &site.blog }));
                self.browser.open(world, trace, chance, then, found, from);
                then += reading_time(chance, found);
            }
        }
    }

    fn fills_a_form(&mut self, scene: Scene<'_>, at: Micros) {
        let Scene { world, trace, chance } = scene;
        let site = &world.site;
        let referrer = self.arrive(trace, chance);
        let two = Habit { pages: 1 + chance.below(3), pace: 100, tabs: 0, searches: 0 };
        let entry = site.entry(chance);
        let mut then = self.browser.browse(world, trace, chance, at, Visit { entry, referrer, habit: two });
        let page = match chance.below(3) {
            0 => site.page(site.contact),
            1 => site.page(site.checkout),
            _ => site.page(*chance.pick(&site.blog)),
        };
        let from = self.browser.leaving(site.page(entry));
        self.browser.open(world, trace, chance, then, page, from);
        let path = format!(
            "{}{}",
            trace.text(page.path),
            if page.section == Section::Blog { "/comments" } else { "" }
        );
        let target = trace.intern(&path);
        let thanks = trace.intern(&format!("{path}?sent=1"));
        let from = self.browser.leaving(page);
        loop {
            // Autofill and one click take two seconds; writing takes a minute.
            then += if chance.percent(30) {
                chance.between(1_800, 3_200) * MILLI
            } else {
                chance.log_normal(60 * SECOND, 0.7, 20 * MINUTE)
            };
            let refused = chance.percent(15);
            let answer = if refused { Answer::with(422, 2_950) } else { Answer::with(303, 0) };
            self.browser.client.send(trace, chance, then, Method::Post, target, answer.from(from));
            if !refused {
                break;
            }
        }
        self.browser.client.get(trace, chance, then + 140 * MILLI, thanks, Answer::ok(5_300).from(from));
    }

    fn signs_in(&mut self, scene: Scene<'_>, at: Micros) {
        let Scene { world, trace, chance } = scene;
        let site = &world.site;
        let page = site.page(site.login);
        let referrer = self.arrive(trace, chance);
        self.browser.open(world, trace, chance, at, page, referrer);
        let from = self.browser.leaving(page);
        let mut then = at + chance.log_normal(9 * SECOND, 0.5, 3 * MINUTE);
        for _ in 0..chance.weighted(&[(0_u32, 20), (1, 25), (2, 35), (3, 20)]).to_owned() {
            self.browser.client.send(
                trace,
                chance,
                then,
                Method::Post,
                page.path,
                Answer::with(401, 3_010).from(from),
            );
            then += chance.log_normal(11 * SECOND, 0.6, 3 * MINUTE);
        }
        if chance.percent(15) {
            let reset = trace.intern("/password-reset");
            self.browser.client.get(trace, chance, then, reset, Answer::ok(4_700).from(from));
            return;
        }
        self.browser.client.send(
            trace,
            chance,
            then,
            Method::Post,
            page.path,
            Answer::with(303, 0).from(from),
        );
        let habit = Habit { pages: 2 + chance.below(6), pace: 70, tabs: 2, searches: 2 };
        let account = 6;
        self.browser.browse(
            world,
            trace,
            chance,
            then + 130 * MILLI,
            Visit { entry: account, referrer: from, habit },
        );
    }

    /// Next, next, next: a numeric order at an even pace, which is what a systematic scraper looks like.
    fn pages_on(&mut self, scene: Scene<'_>, at: Micros) {
        let Scene { world, trace, chance } = scene;
        let site = &world.site;
        let mut referrer = self.arrive(trace, chance);
        let count = 10 + chance.below(36) as usize;
        let first = chance.below(site.gallery.len().saturating_sub(count).max(1) as u32) as usize;
        let mut then = at;
        for number in site.gallery.iter().skip(first).take(count) {
            let page = site.page(*number);
            self.browser.open(world, trace, chance, then, page, referrer);
            referrer = self.browser.leaving(page);
            then += chance.log_normal(3_400 * MILLI, 0.4, 3 * MINUTE).max(600 * MILLI);
        }
    }

    fn reads_all_day(&mut self, scene: Scene<'_>) {
        let Scene { world, trace, chance } = scene;
        // 150 to 260 pages in 24 hours.
        let day = i64::from(150 + chance.below(110));
        let mut left = (day * (world.end - world.start) / (24 * 60 * MINUTE)).max(20);
        let mut at = world.arrival(chance).min(world.start + (world.end - world.start) / 8);
        while left > 0 && at < world.end {
            let pages = chance.between(8, 40).min(left) as u32;
            let habit = Habit { pages, pace: 45, tabs: 10, searches: 6 };
            let entry = world.site.entry(chance);
            at = self.browser.browse(world, trace, chance, at, Visit { entry, referrer: Sym::NONE, habit });
            at += chance.exponential(25) * MINUTE;
            left -= i64::from(pages);
        }
    }

    fn follows_dead_links(&mut self, scene: Scene<'_>, at: Micros) {
        let Scene { world, trace, chance } = scene;
        let site = &world.site;
        let list = trace.intern("https://blog.example.net/links");
        let mut then = at;
        for _ in 0..3 + chance.below(6) {
            let gone = *chance.pick(&site.dead);
            let from = if self.browser.sends_referrer { list } else { Sym::NONE };
            self.browser.client.get(trace, chance, then, gone, Answer::gone().from(from));
            self.browser.load_assets(world, trace, chance, then, site.page(site.contact));
            then += chance.log_normal(8 * SECOND, 0.6, 5 * MINUTE);
        }
        let habit = Habit { pages: 1 + chance.below(3), pace: 100, tabs: 0, searches: 20 };
        self.browser.browse(
            world,
            trace,
            chance,
            then,
            Visit { entry: site.home, referrer: Sym::NONE, habit },
        );
    }

    /// The most regular thing a browser does: a script that asks again after a fixed time.
    fn leaves_a_page_polling(&mut self, scene: Scene<'_>, at: Micros) {
        let Scene { world, trace, chance } = scene;
        let page = world.site.page(*chance.pick(&world.site.news));
        let referrer = self.arrive(trace, chance);
        self.browser.open(world, trace, chance, at, page, referrer);
        let path = trace.intern("/api/v1/notifications");
        let every = chance.between(15, 30) * SECOND;
        let from = self.browser.leaving(page);
        for number in 1..=chance.between(20, 160) {
            let then = at + number * every + chance.between(0, 60) * MILLI;
            self.browser.client.get(
                trace,
                chance,
                then,
                path,
                Answer::ok(180 + chance_bytes(number)).from(from),
            );
        }
    }

    fn leaves_a_dashboard_open(&mut self, scene: Scene<'_>, at: Micros) {
        let Scene { world, trace, chance } = scene;
        let page = world.site.page(DASHBOARD);
        let every = *chance.pick(&[60, 120, 300]) * SECOND;
        let api = trace.intern("/api/v1/summary");
        let from = self.browser.leaving(page);
        for number in 0..chance.between(30, 150) {
            let then = at + number * every + chance.between(0, 250) * MILLI;
            self.browser.open(world, trace, chance, then, page, if number == 0 { Sym::NONE } else { from });
            self.browser.client.get(trace, chance, then + 300 * MILLI, api, Answer::ok(2_400).from(from));
        }
    }

    /// A link became popular two fifths into the log; the crowd thins out over an hour, and most read one page.
    fn joins_the_surge(&mut self, scene: Scene<'_>) {
        let Scene { world, trace, chance } = scene;
        let at = world.start + (world.end - world.start) * 2 / 5 + chance.exponential(60 * MINUTE);
        let from = *chance.pick(&SURGE);
        let from = trace.intern(from);
        let from = if self.browser.sends_referrer { from } else { Sym::NONE };
        let pages = if chance.percent(85) { 1 } else { 2 + chance.below(4) };
        let habit = Habit { pages, pace: 100, tabs: 2, searches: 1 };
        self.browser.browse(
            world,
            trace,
            chance,
            at,
            Visit { entry: world.site.popular, referrer: from, habit },
        );
    }

    /// Where the person comes from, as far as the browser tells.
    fn arrive(&self, trace: &mut Trace, chance: &mut Chance) -> Sym {
        let from = *chance.weighted(&REFERRERS);
        if self.browser.sends_referrer { trace.intern(from) } else { Sym::NONE }
    }

    /// A first view of the entry page with a campaign in its query.
    fn lands_by_campaign(
        &mut self,
        world: &World,
        trace: &mut Trace,
        chance: &mut Chance,
        at: Micros,
        page: &Page,
    ) {
        let before = trace.text(page.path);
        let sign = if before.contains('?') { '&' } else { '?' };
        let path = format!("{before}{sign}{}", chance.pick(&CAMPAIGNS));
        let path = trace.intern(&path);
        self.browser.client.get(trace, chance, at, path, Answer::ok(page.bytes));
        self.browser.load_assets(world, trace, chance, at, page);
    }
}

/// A visit's length and manner: two in five leave after one page, and the tail is long.
fn habit(chance: &mut Chance) -> Habit {
    let pages = if chance.percent(40) { 1 } else { 2 + chance.exponential(4) as u32 };
    Habit { pages, pace: chance.between(60, 150), tabs: 8, searches: 5 }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "most people sit at a desk")]
fn device(chance: &mut Chance, kind: ActorKind) -> Device {
    match kind {
        ActorKind::HumanMobile => *chance.weighted(&[(Device::Phone, 88), (Device::Tablet, 12)]),
        ActorKind::HumanLivingRoom => Device::LivingRoom,
        ActorKind::HumanSurge
        | ActorKind::HumanReturning
        | ActorKind::HumanPrivacy
        | ActorKind::HumanSearch => {
            *chance.weighted(&[(Device::Desktop, 45), (Device::Phone, 50), (Device::Tablet, 5)])
        }
        _ => Device::Desktop,
    }
}

/// Fills the cache with what earlier visits left there.
fn warm(world: &World, chance: &mut Chance, browser: &mut Browser) {
    browser.has_favicon = true;
    for _ in 0..40 {
        let page = world.site.page(world.site.entry(chance));
        browser.cache.insert(page.path);
        browser.cache.extend(page.assets.iter().map(|asset| asset.path));
    }
}

/// A notification list grows by a few bytes now and then.
fn chance_bytes(number: i64) -> u32 {
    (number / 17 * 46) as u32
}

const DASHBOARD: u32 = 7;

const LANGUAGES: [(&str, u32); 7] = [
    ("en-US,en;q=0.9", 40),
    ("en-GB,en;q=0.8", 12),
    ("de-DE,de;q=0.9,en;q=0.7", 16),
    ("fr-FR,fr;q=0.8,en-US;q=0.5,en;q=0.3", 10),
    ("es-ES,es;q=0.9", 8),
    ("pt-BR,pt;q=0.9,en;q=0.6", 8),
    ("ja,en-US;q=0.7,en;q=0.3", 6),
];

const REFERRERS: [(&str, u32); 14] = [
    ("", 34),
    ("https://www.google.com/", 30),
    ("https://www.bing.com/", 5),
    ("https://duckduckgo.com/", 5),
    ("https://t.co/a8Kd02LmQz", 4),
    ("https://www.reddit.com/", 4),
    ("https://m.facebook.com/", 4),
    ("https://www.linkedin.com/", 2),
    ("https://chatgpt.com/", 4),
    ("https://www.perplexity.ai/", 2),
    ("https://gemini.google.com/", 1),
    ("https://mail.google.com/", 1),
    ("android-app://com.google.android.gm/", 1),
    ("https://blog.example.net/links", 3),
];

const SURGE: [&str; 3] = ["https://news.ycombinator.com/", "https://www.reddit.com/", "https://lobste.rs/"];

const CAMPAIGNS: [&str; 5] = [
    "utm_source=newsletter&utm_medium=email&utm_campaign=march",
    "utm_source=google&utm_medium=cpc&utm_campaign=spring%20sale&gclid=EAIaIQobChMI",
    "utm_source=chatgpt.com",
    "utm_source=instagram&utm_medium=social&utm_content=story",
    "fbclid=IwAR1x2y3z",
];
