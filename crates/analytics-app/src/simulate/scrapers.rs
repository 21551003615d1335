//! Scrapers that hide behind a browser's agent.

use std::net::IpAddr;

use super::agents::{self, Device};
use super::browser::{Browser, Habit, Visit, reading_time};
use super::chance::Chance;
use super::kind::ActorKind;
use super::network;
use super::trace::{MILLI, MINUTE, Micros, SECOND, Sym, Trace, Version, Visitor};
use super::world::{Answer, Client, World};

/// Everything one scraper does in the simulated time.
#[expect(clippy::wildcard_enum_match_arm, reason = "the caller sends only the kinds of this file here")]
pub(super) fn live(world: &World, trace: &mut Trace, kind: ActorKind, index: u32) {
    let chance = &mut Chance::new(world.seed, kind.name(), index);
    let at = world.launch(chance);
    let scraper = Scraper { world, kind, index };
    match kind {
        ActorKind::ScraperSteady => scraper.pages(trace, chance, at, 80, steady),
        ActorKind::ScraperJittered => scraper.pages(trace, chance, at, 80, jittered),
        ActorKind::ScraperGaussian => scraper.pages(trace, chance, at, 80, gaussian),
        ActorKind::ScraperSlow => {
            let early = world.start + (at - world.start) / 8;
            scraper.pages(trace, chance, early, 70, slow);
        }
        ActorKind::ScraperHttp10 | ActorKind::ScraperMixedVersions => scraper.odd_versions(trace, chance, at),
        ActorKind::ScraperWalk => scraper.walks(trace, chance, at),
        ActorKind::ScraperSequential => scraper.counts(trace, chance, at),
        ActorKind::ScraperExhaustive => scraper.sweeps(trace, chance, at),
        ActorKind::ScraperDistributed => scraper.spreads(trace, chance, at),
        ActorKind::ScraperResidential => scraper.hides_among_homes(trace, chance),
        ActorKind::AgentRotation => scraper.rotates_agents(trace, chance, at),
        ActorKind::BrowserBotNarrow => scraper.drives_a_browser(trace, chance, at),
        _ => scraper.imitates_a_person(trace, chance),
    }
}

struct Scraper<'a> {
    world: &'a World,
    kind: ActorKind,
    index: u32,
}

impl Scraper<'_> {
    fn client(&self, trace: &mut Trace, address: IpAddr, agent: &str, version: Version) -> Client {
        let visitor = Visitor {
            address,
            agent: trace.intern(agent),
            kind: self.kind,
            actor: self.index,
            language: Sym::NONE,
            browser_headers: false,
            via: false,
        };
        Client { visitor: trace.add_visitor(visitor), version }
    }

    /// One address with one agent: a current Chrome, or the one that was current when the tool was written.
    fn plain(&self, trace: &mut Trace, chance: &mut Chance, version: Version) -> Client {
        let newest = agents::newest_chrome(self.world.day);
        let major = *chance.pick(&[newest, newest, newest - 6, 120, 109, 91]);
        let agent = agents::chrome(major.min(newest), chance.percent(60));
        let address = network::server(chance);
        self.client(trace, address, &agent, version)
    }

    /// Random pages with pauses of one distribution.
    fn pages(
        &self,
        trace: &mut Trace,
        chance: &mut Chance,
        at: Micros,
        base: u32,
        pause: fn(&mut Chance) -> Micros,
    ) {
        let site = &self.world.site;
        let client = self.plain(trace, chance, Version::H11);
        let sends_referrer = chance.percent(30);
        let home = if sends_referrer { site.page(site.home).url } else { Sym::NONE };
        let mut then = at;
        for _ in 0..self.world.volume(base) {
            let page = site.page(chance.below(site.pages.len() as u32));
            client.page(trace, chance, then, page, home);
            then += pause(chance).max(50 * MILLI);
        }
    }

    fn odd_versions(&self, trace: &mut Trace, chance: &mut Chance, at: Micros) {
        let site = &self.world.site;
        let old = self.plain(trace, chance, Version::H10);
        let new = Client { version: Version::H11, ..old };
        let mut then = at;
        for _ in 0..self.world.volume(45) {
            let mixed = self.kind == ActorKind::ScraperMixedVersions && chance.percent(50);
            let client = if mixed { new } else { old };
            let page = site.page(site.entry(chance));
            client.page(trace, chance, then, page, Sym::NONE);
            then += chance.exponential(6 * SECOND) + 300 * MILLI;
        }
    }

    fn walks(&self, trace: &mut Trace, chance: &mut Chance, at: Micros) {
        let site = &self.world.site;
        let client = self.plain(trace, chance, Version::H2);
        let mut current = site.entry(chance);
        let mut referrer = trace.intern("https://www.google.com/");
        let mut then = at;
        for _ in 0..self.world.volume(70) {
            let page = site.page(current);
            client.page(trace, chance, then, page, referrer);
            referrer = page.url;
            current = *chance.pick(&page.links);
            then += chance.log_normal(4 * SECOND, 0.5, MINUTE);
        }
    }

    /// Numeric ids up or down, past the last one that exists.
    fn counts(&self, trace: &mut Trace, chance: &mut Chance, at: Micros) {
        let site = &self.world.site;
        let client = self.plain(trace, chance, Version::H11);
        let down = chance.percent(40);
        let first = chance.between(4_200, 4_200 + site.news.len() as i64 - 1);
        let mut then = at;
        for step in 0..i64::from(self.world.volume(70)) {
            let id = if down { first - step } else { first + step };
            let known = usize::try_from(id - 4_200).ok().and_then(|place| site.news.get(place));
            if let Some(page) = known {
                client.page(trace, chance, then, site.page(*page), Sym::NONE);
            } else {
                let path = trace.intern(&format!("/news/{id}"));
                client.get(trace, chance, then, path, Answer::gone());
            }
            then += chance.between(800, 2_600) * MILLI;
        }
    }

    fn sweeps(&self, trace: &mut Trace, chance: &mut Chance, at: Micros) {
        let site = &self.world.site;
        let client = self.plain(trace, chance, Version::H11);
        let mut queue = vec![site.home];
        let mut known = vec![false; site.pages.len()];
        known[site.home as usize] = true;
        let mut then = at;
        let mut next = 0;
        let most = self.world.volume(250) as usize;
        client.get(trace, chance, then, site.robots, Answer::ok(212));
        while next < queue.len().min(most) {
            let page = site.page(queue[next]);
            next += 1;
            then += chance.between(500, 1_500) * MILLI;
            client.page(trace, chance, then, page, Sym::NONE);
            for link in &page.links {
                if !known[*link as usize] {
                    known[*link as usize] = true;
                    queue.push(*link);
                }
            }
        }
    }

    /// A few hosting networks, one pool of agents, one to five pages an address.
    fn spreads(&self, trace: &mut Trace, chance: &mut Chance, at: Micros) {
        let site = &self.world.site;
        let newest = agents::newest_chrome(self.world.day);
        let pool: Vec<_> =
            [newest, newest - 3, 117].map(|major| agents::chrome(major.min(newest), true)).into();
        let networks: Vec<_> = (0..4).map(|_| network::hosting_network(chance)).collect();
        let mut then = at;
        for _ in 0..self.world.volume(60) {
            let network = *chance.pick(&networks);
            let address = network::in_network(chance, network);
            let agent: &String = chance.pick(&pool);
            let client = self.client(trace, address, agent, Version::H11);
            for _ in 0..=chance.below(5) {
                let page = site.page(chance.below(site.pages.len() as u32));
                client.page(trace, chance, then, page, Sym::NONE);
                then += chance.exponential(3 * SECOND);
            }
        }
    }

    /// Home addresses and believable agents, one or two pages each, over the whole log.
    fn hides_among_homes(&self, trace: &mut Trace, chance: &mut Chance) {
        let site = &self.world.site;
        let google = trace.intern("https://www.google.com/");
        for _ in 0..self.world.volume(70) {
            let device = *chance.weighted(&[(Device::Desktop, 60), (Device::Phone, 40)]);
            let agent = agents::browser(chance, device, self.world.day);
            let address = network::home(chance);
            let client = self.client(trace, address, &agent, Version::H2);
            let mut at = self.world.arrival(chance);
            let mut referrer = if chance.percent(50) { google } else { Sym::NONE };
            for _ in 0..=chance.below(2) {
                let page = site.page(*chance.pick(&site.shop));
                client.page(trace, chance, at, page, referrer);
                referrer = page.url;
                at += chance.between(2, 15) * SECOND;
            }
        }
    }

    fn rotates_agents(&self, trace: &mut Trace, chance: &mut Chance, at: Micros) {
        let site = &self.world.site;
        let address = network::server(chance);
        let mut then = at;
        for _ in 0..self.world.volume(60) {
            let agent = agents::browser(chance, Device::Desktop, self.world.day);
            let client = self.client(trace, address, &agent, Version::H11);
            let page = site.page(chance.below(site.pages.len() as u32));
            client.page(trace, chance, then, page, Sym::NONE);
            then += chance.between(1_500, 6_000) * MILLI;
        }
    }

    /// A real browser under remote control, with its assets and headers, at nearly equal pauses.
    fn drives_a_browser(&self, trace: &mut Trace, chance: &mut Chance, at: Micros) {
        let site = &self.world.site;
        let mut browser = self.real_browser(trace, chance, network::server);
        let mut then = at;
        let mut referrer = Sym::NONE;
        let pause = chance.between(4, 8) * SECOND;
        for _ in 0..self.world.volume(45) {
            let page = site.page(*chance.pick(&site.shop));
            browser.open(self.world, trace, chance, then, page, referrer);
            referrer = site.page(site.home).url;
            then += pause + (chance.normal() * 180_000.0) as Micros;
        }
    }

    /// The hard one: a real browser at a home address that reads as long as people do and follows links, but wants
    /// every product.
    fn imitates_a_person(&self, trace: &mut Trace, chance: &mut Chance) {
        let site = &self.world.site;
        let mut browser = self.real_browser(trace, chance, network::home);
        let mut at = self.world.arrival(chance);
        let google = trace.intern("https://www.google.com/");
        for _ in 0..self.world.volume(4) {
            let entry = *chance.pick(&site.shop);
            let habit = Habit { pages: 6 + chance.below(8), pace: 70, tabs: 4, searches: 3 };
            at = browser.browse(self.world, trace, chance, at, Visit { entry, referrer: google, habit });
            at += reading_time(chance, site.page(entry)) + chance.exponential(20) * MINUTE;
        }
    }

    fn real_browser(
        &self,
        trace: &mut Trace,
        chance: &mut Chance,
        address: fn(&mut Chance) -> IpAddr,
    ) -> Browser {
        let agent = agents::chrome(agents::newest_chrome(self.world.day), chance.percent(70));
        let visitor = Visitor {
            address: address(chance),
            agent: trace.intern(&agent),
            kind: self.kind,
            actor: self.index,
            language: trace.intern("en-US,en;q=0.9"),
            browser_headers: true,
            via: false,
        };
        Browser::new(Client { visitor: trace.add_visitor(visitor), version: Version::H2 })
    }
}

/// Two seconds and the time the answer takes.
fn steady(chance: &mut Chance) -> Micros {
    2 * SECOND + chance.between(0, 120) * MILLI
}

/// Uniform from 1 to 9 s.
fn jittered(chance: &mut Chance) -> Micros {
    chance.between(1_000, 9_000) * MILLI
}

/// Normal around 5 s with a deviation of 1.5 s.
fn gaussian(chance: &mut Chance) -> Micros {
    ((5.0 + 1.5 * chance.normal()) * 1e6) as Micros
}

/// Uniform from 5 to 20 minutes.
fn slow(chance: &mut Chance) -> Micros {
    chance.between(5 * 60, 20 * 60) * SECOND
}
