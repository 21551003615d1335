//! What is true of the whole site: known pages, which pages have assets, what its real visitors look like.
//!
//! Visitors report [`Finding`]s; [`SiteFacts::learn`] adds those of a closed minute, and rules read the facts of the
//! last closed minute only. So no rule depends on which of two visitors came first within a minute, and findings
//! of a minute can be learned in any order.
//!
//! Norms are learned from visitors that load assets, since automation would teach its own habits. Everything is
//! bounded: each table keeps two generations and drops the older when the newer is full or a day old.

use core::hash::Hash;

use hashbrown::HashMap;

/// What one visitor's behaviour tells about the site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finding {
    /// A page was answered with content.
    Page {
        /// The page.
        page: u64,
    },
    /// A visitor that loads assets viewed a page, and did or did not load an asset for it.
    View {
        /// The page.
        page: u64,
        /// Its directory.
        directory: u64,
        /// Whether an asset request named it.
        with_asset: bool,
    },
    /// A visitor with a browser's agent settled as one that loads assets or as one that does not.
    Settled {
        /// The agent.
        agent: u64,
        /// Whether it loaded nothing.
        bare: bool,
        /// Whether it spoke HTTP/1.0.
        http10: bool,
        /// Month of the browser's release, in months since the epoch.
        released: Option<u16>,
    },
    /// A visitor that had settled as bare loaded an asset after all.
    Turned {
        /// The agent.
        agent: u64,
        /// Whether it spoke HTTP/1.0.
        http10: bool,
        /// Month of the browser's release, in months since the epoch.
        released: Option<u16>,
    },
    /// A bare visitor viewed this page for the first time.
    BareView {
        /// The agent.
        agent: u64,
        /// The page.
        page: u64,
    },
    /// A bare visitor's first three views were these pages, or it posted to one.
    Trail {
        /// Hash of the pages in order.
        trail: u64,
    },
    /// An asset-loading visitor viewed a page that was not its first.
    InnerView {
        /// Whether it named no referrer.
        without_referrer: bool,
    },
}

/// The facts of the last closed minute.
#[derive(Debug, Clone)]
pub struct SiteFacts {
    pages: Generations<u64, ()>,
    page_loads: Generations<u64, Loads>,
    directory_loads: Generations<u64, Loads>,
    agents: Generations<u64, Settlements>,
    bare_views: Generations<(u64, u64), u32>,
    bare_by_page: Generations<u64, u32>,
    bare_by_agent: Generations<u64, u32>,
    bare_total: Aged,
    trails: Generations<u64, u32>,
    loaders: u64,
    bare: u64,
    loaders_http10: u64,
    loader_releases: [u32; MONTHS],
    loader_releases_total: u32,
    newest: Option<u16>,
    inner_views: u64,
    inner_without_referrer: u64,
    day: i64,
}

/// Page views by asset-loading visitors, and how many of them loaded an asset for the page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Loads {
    views: u32,
    with_asset: u32,
}

/// How many visitors of one agent settled as bare, and how many loaded assets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Settlements {
    bare: u32,
    loaders: u32,
}

/// A total of today and of the day before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Aged {
    now: u64,
    before: u64,
}

impl Default for SiteFacts {
    fn default() -> Self {
        Self {
            pages: Generations::new(PAGES),
            page_loads: Generations::new(PAGES),
            directory_loads: Generations::new(PAGES / 4),
            agents: Generations::new(AGENTS),
            bare_views: Generations::new(PAIRS),
            bare_by_page: Generations::new(PAGES),
            bare_by_agent: Generations::new(AGENTS),
            bare_total: Aged::default(),
            trails: Generations::new(PAIRS),
            loaders: 0,
            bare: 0,
            loaders_http10: 0,
            loader_releases: [0; MONTHS],
            loader_releases_total: 0,
            newest: None,
            inner_views: 0,
            inner_without_referrer: 0,
            day: i64::MIN,
        }
    }
}

impl SiteFacts {
    /// Adds the findings of the minute that ends at `minute_end_us`, in microseconds since the epoch.
    pub fn learn(&mut self, findings: impl IntoIterator<Item = Finding>, minute_end_us: i64) {
        self.age(minute_end_us);
        let mut releases_moved = false;
        for finding in findings {
            match finding {
                Finding::Page { page } => {
                    self.pages.entry(page);
                }
                Finding::View { page, directory, with_asset } => {
                    for loads in [self.page_loads.entry(page), self.directory_loads.entry(directory)] {
                        loads.views = loads.views.saturating_add(1);
                        loads.with_asset = loads.with_asset.saturating_add(u32::from(with_asset));
                    }
                }
                Finding::Settled { agent, bare, http10, released } => {
                    let settled = self.agents.entry(agent);
                    if bare {
                        settled.bare = settled.bare.saturating_add(1);
                        self.bare += 1;
                    } else {
                        settled.loaders = settled.loaders.saturating_add(1);
                        self.add_loader(http10, released);
                        releases_moved |= released.is_some();
                    }
                }
                Finding::Turned { agent, http10, released } => {
                    let settled = self.agents.entry(agent);
                    settled.bare = settled.bare.saturating_sub(1);
                    settled.loaders = settled.loaders.saturating_add(1);
                    self.bare = self.bare.saturating_sub(1);
                    self.add_loader(http10, released);
                    releases_moved |= released.is_some();
                }
                Finding::BareView { agent, page } => {
                    increase(self.bare_views.entry((agent, page)));
                    increase(self.bare_by_page.entry(page));
                    increase(self.bare_by_agent.entry(agent));
                    self.bare_total.now += 1;
                }
                Finding::Trail { trail } => increase(self.trails.entry(trail)),
                Finding::InnerView { without_referrer } => {
                    self.inner_views += 1;
                    self.inner_without_referrer += u64::from(without_referrer);
                }
            }
        }
        if releases_moved {
            self.newest = self.release_percentile();
        }
    }

    /// Number of pages known to exist.
    pub fn pages(&self) -> u32 {
        self.pages.len() as u32
    }

    /// How likely a visitor that loads assets is to load one for this page, 0 to 1; `None` while too little is known.
    ///
    /// Answered by the page itself from 4 such views on, else by its directory from 8 on.
    pub fn load_probability(&self, page: u64, directory: u64) -> Option<f64> {
        let enough = |loads: Option<&Loads>, views: u32| {
            loads.filter(|l| l.views >= views).map(|l| f64::from(l.with_asset) / f64::from(l.views))
        };
        enough(self.page_loads.get(&page), 4).or_else(|| enough(self.directory_loads.get(&directory), 8))
    }

    /// Bare visitors and all visitors of this agent.
    pub fn agent_settlements(&self, agent: u64) -> (u32, u32) {
        self.agents.get(&agent).map_or((0, 0), |s| (s.bare, s.bare + s.loaders))
    }

    /// The share of visitors with browser agents that load nothing, 0 to 1; `None` below 20 visitors.
    pub fn bare_share(&self) -> Option<f64> {
        let all = self.bare + self.loaders;
        (all >= 20).then(|| self.bare as f64 / all as f64)
    }

    /// Whether at least this many visitors with browser agents are known, and a smaller share of them than this loads
    /// assets: nobody there is a person, or the log leaves assets out.
    pub fn is_deserted(&self, visitors: u32, share: f64) -> bool {
        let all = self.bare + self.loaders;
        all >= u64::from(visitors) && (self.loaders as f64) < share * all as f64
    }

    /// The share of asset-loading visitors that speak HTTP/1.0; `None` below 20 of them.
    pub fn http10_share(&self) -> Option<f64> {
        (self.loaders >= 20).then(|| self.loaders_http10 as f64 / self.loaders as f64)
    }

    /// The share of inner page views by asset-loading visitors that name no referrer; `None` below 20 views.
    pub fn inner_without_referrer_share(&self) -> Option<f64> {
        (self.inner_views >= 20).then(|| self.inner_without_referrer as f64 / self.inner_views as f64)
    }

    /// Bare visitors that share this agent and this page, and how many would if the two were independent.
    pub fn shared_views(&self, agent: u64, page: u64) -> (u32, f64) {
        let total = (self.bare_total.now + self.bare_total.before).max(1) as f64;
        let of = |table: &Generations<u64, u32>, key| f64::from(table.get(&key).copied().unwrap_or(0));
        let expected = of(&self.bare_by_agent, agent) * of(&self.bare_by_page, page) / total;
        (self.bare_views.get(&(agent, page)).copied().unwrap_or(0), expected)
    }

    /// Bare visitors whose trail was this one.
    pub fn shared_trail(&self, trail: u64) -> u32 {
        self.trails.get(&trail).copied().unwrap_or(0)
    }

    /// Month of release that 90 % of the asset-loading visitors' browsers do not pass; `None` below 20 of them.
    pub fn newest_release(&self) -> Option<u16> {
        self.newest
    }

    /// Number of visitors that load assets.
    pub fn loaders(&self) -> u64 {
        self.loaders
    }

    fn add_loader(&mut self, http10: bool, released: Option<u16>) {
        self.loaders += 1;
        self.loaders_http10 += u64::from(http10);
        if let Some(slot) = released.and_then(|month| self.loader_releases.get_mut(usize::from(month))) {
            *slot = slot.saturating_add(1);
            self.loader_releases_total = self.loader_releases_total.saturating_add(1);
        }
    }

    fn release_percentile(&self) -> Option<u16> {
        if self.loader_releases_total < 20 {
            return None;
        }
        let above = u64::from(self.loader_releases_total) / 10;
        let mut seen = 0u64;
        (0..MONTHS)
            .rev()
            .find(|&month| {
                seen += u64::from(self.loader_releases[month]);
                seen > above
            })
            .map(|month| month as u16)
    }

    /// Starts a new generation of the cohort tables each day.
    fn age(&mut self, minute_end_us: i64) {
        let day = minute_end_us.div_euclid(86_400_000_000);
        if day > self.day {
            if self.day != i64::MIN {
                self.bare_views.turn();
                self.bare_by_page.turn();
                self.bare_by_agent.turn();
                self.trails.turn();
                self.bare_total = Aged { now: 0, before: self.bare_total.now };
            }
            self.day = day;
        }
    }
}

/// A bounded table of two generations: what is touched moves to the newer, the older is dropped when that is full.
#[derive(Debug, Clone)]
struct Generations<K, V> {
    capacity: usize,
    newer: HashMap<K, V>,
    older: HashMap<K, V>,
    /// Entries of the older generation that were carried into the newer.
    carried: usize,
}

impl<K: Hash + Eq + Copy, V: Default + Copy> Generations<K, V> {
    fn new(capacity: usize) -> Self {
        Self { capacity, newer: HashMap::new(), older: HashMap::new(), carried: 0 }
    }

    fn entry(&mut self, key: K) -> &mut V {
        if self.newer.len() >= self.capacity && !self.newer.contains_key(&key) {
            self.turn();
        }
        let (older, carried) = (&mut self.older, &mut self.carried);
        self.newer
            .entry(key)
            .or_insert_with(|| older.get(&key).copied().inspect(|_| *carried += 1).unwrap_or_default())
    }

    fn get(&self, key: &K) -> Option<&V> {
        self.newer.get(key).or_else(|| self.older.get(key))
    }

    fn len(&self) -> usize {
        self.newer.len() + self.older.len() - self.carried
    }

    fn turn(&mut self) {
        self.older = core::mem::take(&mut self.newer);
        self.carried = 0;
    }
}

fn increase(count: &mut u32) {
    *count = count.saturating_add(1);
}

/// Pages whose facts are kept, twice: 65,536 pages of 32 bytes are 4 MiB.
const PAGES: usize = 65_536;
const AGENTS: usize = 16_384;
const PAIRS: usize = 131_072;
/// Months since the epoch that releases are counted in: until the year 2055.
const MONTHS: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;

    fn facts(findings: &[Finding]) -> SiteFacts {
        let mut facts = SiteFacts::default();
        facts.learn(findings.iter().copied(), MINUTE);
        facts
    }

    #[test]
    fn a_page_answers_for_itself_from_four_views_on_and_its_directory_before() {
        let view = |page, with_asset| Finding::View { page, directory: 9, with_asset };
        assert_eq!(facts(&[view(1, true); 3]).load_probability(1, 9), None);
        assert_eq!(
            facts(&[view(1, true), view(1, true), view(1, true), view(1, false)]).load_probability(1, 9),
            Some(0.75)
        );
        assert_eq!(facts(&[view(2, true); 8]).load_probability(1, 9), Some(1.0), "by directory");
    }

    #[test]
    fn the_newest_release_is_the_90th_percentile_of_the_loaders() {
        let settled =
            |released| Finding::Settled { agent: 1, bare: false, http10: false, released: Some(released) };
        let mut findings = std::vec![settled(500); 19];
        assert_eq!(facts(&findings).newest_release(), None);
        findings.push(settled(520));
        assert_eq!(facts(&findings).newest_release(), Some(500), "one in twenty does not set the norm");
        findings.extend([settled(520); 2]);
        assert_eq!(facts(&findings).newest_release(), Some(520));
    }

    #[test]
    fn a_visitor_that_loads_after_all_leaves_the_bare_ones() {
        let bare = Finding::Settled { agent: 7, bare: true, http10: false, released: None };
        let turned = Finding::Turned { agent: 7, http10: false, released: None };
        assert_eq!(facts(&[bare, bare, turned]).agent_settlements(7), (1, 2));
    }

    #[test]
    fn shared_views_are_compared_with_independence() {
        let mut findings = std::vec![Finding::BareView { agent: 1, page: 1 }; 5];
        findings.extend((0..95).map(|n| Finding::BareView { agent: 100 + n, page: 200 + n }));
        let (seen, expected) = facts(&findings).shared_views(1, 1);
        assert_eq!(seen, 5);
        assert!((expected - 0.25).abs() < 1e-9);
    }

    #[test]
    fn cohorts_are_forgotten_after_two_days() {
        let day = 86_400_000_000;
        let mut facts = SiteFacts::default();
        facts.learn([Finding::Trail { trail: 1 }], day);
        facts.learn([], 2 * day);
        assert_eq!(facts.shared_trail(1), 1);
        facts.learn([], 3 * day);
        assert_eq!(facts.shared_trail(1), 0);
    }

    #[test]
    fn a_full_table_keeps_what_is_touched_and_stays_bounded() {
        let mut table = Generations::<u32, u32>::new(4);
        for round in 0..20 {
            *table.entry(0) += 1;
            for n in 0..3 {
                *table.entry(1 + round * 3 + n) += 1;
            }
        }
        assert_eq!(table.get(&0), Some(&20));
        assert!(table.newer.len() <= 4 && table.older.len() <= 4);
        assert!(table.len() <= 8);
    }
}
