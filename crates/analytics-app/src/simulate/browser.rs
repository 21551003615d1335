//! A browser with a person before it: what it loads, what it keeps, how the person goes on.

use hashbrown::HashSet;

use super::chance::Chance;
use super::site::{Page, Section};
use super::trace::{MILLI, MINUTE, Micros, SECOND, Sym, Trace};
use super::world::{Answer, Client, World, page_bytes};

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of the browser, and all combinations occur"
)]
/// One browser profile. The cache outlives sessions.
pub(super) struct Browser {
    pub(super) client: Client,
    pub(super) sends_referrer: bool,
    pub(super) loads_assets: bool,
    pub(super) loads_images: bool,
    pub(super) blocks_counters: bool,
    pub(super) prefetches: bool,
    pub(super) has_favicon: bool,
    /// Only asked whether it holds something, so its order is never seen.
    pub(super) cache: HashSet<Sym>,
}

/// How a person moves.
#[derive(Clone, Copy)]
pub(super) struct Habit {
    /// Pages to look at.
    pub(super) pages: u32,
    /// Reading time in per cent of the ordinary.
    pub(super) pace: i64,
    /// Per cent of the steps that open several tabs at once.
    pub(super) tabs: u32,
    /// Per cent of the steps that search.
    pub(super) searches: u32,
}

/// Where a visit begins and how it goes on.
#[derive(Clone, Copy)]
pub(super) struct Visit {
    pub(super) entry: u32,
    pub(super) referrer: Sym,
    pub(super) habit: Habit,
}

impl Browser {
    /// An ordinary browser with an empty cache.
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            sends_referrer: true,
            loads_assets: true,
            loads_images: true,
            blocks_counters: false,
            prefetches: false,
            has_favicon: false,
            cache: HashSet::new(),
        }
    }

    /// What the browser names as referrer when it leaves this page for another of the site.
    pub(super) fn leaving(&self, page: &Page) -> Sym {
        if self.sends_referrer { page.url } else { Sym::NONE }
    }

    /// Loads a page with what belongs to it.
    pub(super) fn open(
        &mut self,
        world: &World,
        trace: &mut Trace,
        chance: &mut Chance,
        at: Micros,
        page: &Page,
        referrer: Sym,
    ) {
        let answer = if self.cache.contains(&page.path) && chance.percent(25) {
            Answer::with(304, 0)
        } else {
            Answer::ok(page_bytes(chance, page))
        };
        self.client.get(trace, chance, at, page.path, answer.from(referrer));
        self.cache.insert(page.path);
        self.load_assets(world, trace, chance, at, page);
    }

    /// Loads what a page needs and the cache does not hold.
    pub(super) fn load_assets(
        &mut self,
        world: &World,
        trace: &mut Trace,
        chance: &mut Chance,
        at: Micros,
        page: &Page,
    ) {
        if !self.loads_assets {
            return;
        }
        let mut then = at + chance.between(40, 350) * MILLI;
        let mut images = 0;
        for asset in &page.assets {
            if asset.blockable && self.blocks_counters || asset.image && !self.loads_images {
                continue;
            }
            then += chance.between(0, 45) * MILLI;
            // The third image and those after it wait until the reader scrolls down to them, if ever.
            images += u32::from(asset.image);
            let lazy = images > 2;
            if lazy && chance.percent(30) {
                continue;
            }
            let when = if lazy { then + chance.between(1_000, 20_000) * MILLI } else { then };
            let answer = if asset.missing {
                Answer::gone()
            } else if self.cache.contains(&asset.path) {
                if !chance.percent(4) {
                    continue;
                }
                Answer::with(304, 0)
            } else {
                Answer::ok(asset.bytes)
            };
            let referrer = match (self.sends_referrer, asset.from_style) {
                (false, _) => Sym::NONE,
                (true, true) => world.site.style_url,
                (true, false) => page.url,
            };
            self.cache.insert(asset.path);
            self.client.get(trace, chance, when, asset.path, answer.from(referrer));
        }
        if !self.has_favicon {
            self.has_favicon = true;
            let referrer = self.leaving(page);
            let answer = Answer::ok(4_286).from(referrer);
            then += chance.between(50, 900) * MILLI;
            self.client.get(trace, chance, then, world.site.favicon, answer);
        }
    }

    /// One visit from an entry page on; gives the time at which the person leaves.
    pub(super) fn browse(
        &mut self,
        world: &World,
        trace: &mut Trace,
        chance: &mut Chance,
        at: Micros,
        visit: Visit,
    ) -> Micros {
        let Visit { entry, referrer, habit } = visit;
        let site = &world.site;
        let mut then = at;
        let mut current = entry;
        let mut history = Vec::new();
        self.open(world, trace, chance, then, site.page(current), referrer);
        let mut left = habit.pages.saturating_sub(1);
        while left > 0 {
            let page = site.page(current);
            let from = self.leaving(page);
            let fetched =
                if self.prefetches { self.prefetch(world, trace, chance, then, page) } else { None };
            then += reading_time(chance, page) * habit.pace / 100;
            let back_from = habit.tabs + habit.searches;
            match chance.below(100) {
                draw if draw < habit.tabs => {
                    // Several tabs within seconds, then each is read in turn without any request.
                    let tabs = (3 + chance.below(4)).min(left);
                    let mut reading = 0;
                    for _ in 0..tabs {
                        current = *chance.pick(&page.links);
                        let tab = site.page(current);
                        self.open(world, trace, chance, then, tab, from);
                        then += chance.between(300, 2_000) * MILLI;
                        reading += reading_time(chance, tab) * habit.pace / 100;
                    }
                    then += reading;
                    left -= tabs;
                }
                draw if draw < back_from => {
                    let path = trace.intern(&format!("/search?q={}", chance.pick(&QUERIES)));
                    let results = Answer::ok(9_000 + chance.below(9_000)).from(from);
                    self.client.get(trace, chance, then, path, results);
                    then += chance.log_normal(5 * SECOND, 0.7, 5 * MINUTE);
                    current = site.entry(chance);
                    self.open(world, trace, chance, then, site.page(current), from);
                    left -= 1;
                }
                // Back: most browsers show the page from memory and ask nobody.
                draw if draw < back_from + 13 => {
                    if let Some(before) = history.pop() {
                        current = before;
                        if chance.percent(15) {
                            self.open(world, trace, chance, then, site.page(current), from);
                        }
                    }
                    left -= u32::from(chance.percent(30));
                }
                draw if draw < back_from + 16 => {
                    self.open(world, trace, chance, then, page, from);
                    left -= 1;
                }
                draw if draw < back_from + 18 => {
                    let gone = *chance.pick(&site.dead);
                    self.client.get(trace, chance, then, gone, Answer::gone().from(from));
                    left -= 1;
                }
                draw if draw < back_from + 20 => {
                    let (old, target) = *chance.pick(&site.redirects);
                    self.client.get(trace, chance, then, old, Answer::with(301, 234).from(from));
                    then += chance.between(60, 200) * MILLI;
                    current = target;
                    self.open(world, trace, chance, then, site.page(current), from);
                    left -= 1;
                }
                _ => {
                    history.push(current);
                    if let Some(ready) = fetched.filter(|_| chance.percent(60)) {
                        // The page came in advance: only what belongs to it is asked for now.
                        current = ready;
                        self.load_assets(world, trace, chance, then, site.page(current));
                    } else {
                        current = *chance.pick(&page.links);
                        self.open(world, trace, chance, then, site.page(current), from);
                    }
                    left -= 1;
                }
            }
        }
        then + reading_time(chance, site.page(current)) * habit.pace / 100
    }

    /// Fetches one to three linked pages in advance; gives the last of them.
    fn prefetch(
        &mut self,
        world: &World,
        trace: &mut Trace,
        chance: &mut Chance,
        at: Micros,
        page: &Page,
    ) -> Option<u32> {
        if !chance.percent(50) {
            return None;
        }
        let mut last = None;
        for _ in 0..=chance.below(3) {
            let link = *chance.pick(&page.links);
            let ahead = world.site.page(link);
            let answer =
                Answer { prefetch: true, ..Answer::ok(page_bytes(chance, ahead)).from(self.leaving(page)) };
            let then = at + chance.between(700, 2_500) * MILLI;
            self.client.get(trace, chance, then, ahead.path, answer);
            last = Some(link);
        }
        last
    }
}

/// How long a person stays on a page: log-normal around 6 s and 45 ms a word, with a heavy tail to 25 minutes; one in
/// eight leaves within four seconds.
///
/// The shape follows published measurements of dwell time (Liu, White and Dumais 2010 found a Weibull with falling
/// hazard, which a log-normal comes near); the constants are assumptions.
pub(super) fn reading_time(chance: &mut Chance, page: &Page) -> Micros {
    if chance.below(8) == 0 {
        return chance.between(900, 4_000) * MILLI;
    }
    let words = if page.section == Section::List { 60 } else { i64::from(page.words) };
    chance.log_normal(6 * SECOND + words * 45 * MILLI, 0.9, 25 * MINUTE).max(700 * MILLI)
}

/// What people search for.
pub(super) const QUERIES: [&str; 16] = [
    "opening+hours",
    "bread",
    "bread+recipe",
    "chain+repair",
    "price",
    "river+tour",
    "weather+march",
    "rust+lifetimes",
    "contact",
    "kettle",
    "copper+pan",
    "return+policy",
    "map",
    "concert",
    "jobs",
    "amber+lantern",
];
