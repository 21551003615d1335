//! The simulated site: pages, what they load, and where they lead.

use super::chance::Chance;
use super::trace::{Sym, Trace};

/// Part of the site that a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// Start page, about, privacy.
    Home,
    /// Articles with slugs.
    Blog,
    /// Articles with numeric ids.
    News,
    /// A numbered series with next and previous.
    Gallery,
    /// Products, with several images.
    Shop,
    /// Long pages with few images.
    Docs,
    /// Lists with pages of their own.
    List,
    /// Plain text and raw files, which load nothing.
    Raw,
    /// Login, contact, checkout.
    Form,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a property of its own, and most combinations occur"
)]
/// Something a page loads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asset {
    pub(super) path: Sym,
    pub(super) bytes: u32,
    /// Asked for by the style sheet, not by the page.
    pub(super) from_style: bool,
    /// A counter or an advertisement, which blockers drop.
    pub(super) blockable: bool,
    /// An image, which comes later when it is below the fold and not at all where images are off.
    pub(super) image: bool,
    /// Not there: answered 404.
    pub(super) missing: bool,
}

/// One page.
#[derive(Debug, Clone)]
pub(super) struct Page {
    pub(super) path: Sym,
    /// The page's own URL, as its assets and the pages it leads to name it.
    pub(super) url: Sym,
    pub(super) section: Section,
    pub(super) bytes: u32,
    pub(super) words: u32,
    pub(super) assets: Vec<Asset>,
    pub(super) links: Vec<u32>,
}

/// The site.
pub(super) struct Site {
    pub(super) pages: Vec<Page>,
    pub(super) gallery: Vec<u32>,
    pub(super) news: Vec<u32>,
    pub(super) shop: Vec<u32>,
    pub(super) lists: Vec<u32>,
    pub(super) blog: Vec<u32>,
    pub(super) home: u32,
    pub(super) login: u32,
    pub(super) contact: u32,
    pub(super) checkout: u32,
    /// The page that others link to all at once.
    pub(super) popular: u32,
    pub(super) favicon: Sym,
    pub(super) style_url: Sym,
    pub(super) robots: Sym,
    pub(super) sitemap: Sym,
    pub(super) feed: Sym,
    /// Old addresses with the page they redirect to.
    pub(super) redirects: Vec<(Sym, u32)>,
    /// Addresses that are gone.
    pub(super) dead: Vec<Sym>,
    /// Running sums of popularity in the order of `ranked`.
    popularity: Vec<u32>,
    ranked: Vec<u32>,
}

impl Site {
    /// A site of this many pages (150 to 2,000); the same seed makes the same site.
    pub(super) fn new(trace: &mut Trace, seed: u64, pages: u32) -> Self {
        Builder { trace, chance: Chance::new(seed, "site", 0), pages: Vec::new() }.build(pages)
    }

    /// A page by number.
    pub(super) fn page(&self, index: u32) -> &Page {
        &self.pages[index as usize]
    }

    /// A page as people enter by: popularity falls with one over rank (Zipf).
    pub(super) fn entry(&self, chance: &mut Chance) -> u32 {
        let total = self.popularity.last().copied().unwrap_or(0);
        let draw = chance.below(total);
        self.ranked[self.popularity.partition_point(|sum| *sum <= draw)]
    }
}

/// Scheme and host of every URL of the site.
pub(super) const ORIGIN: &str = "https://www.example.org";
/// The site's host.
pub(super) const HOST: &str = "www.example.org";

struct Builder<'a> {
    trace: &'a mut Trace,
    chance: Chance,
    pages: Vec<Page>,
}

impl Builder<'_> {
    fn build(mut self, pages: u32) -> Site {
        for (path, section) in [
            ("/", Section::Home),
            ("/login", Section::Form),
            ("/contact", Section::Form),
            ("/checkout", Section::Form),
            ("/about", Section::Home),
            ("/privacy", Section::Home),
            ("/account", Section::Home),
            ("/dashboard", Section::Home),
        ] {
            self.page(path, section);
        }
        let content = pages - 8;
        let lists = self.lists(content / 12);
        let raw = self.section(content / 30, Section::Raw);
        let docs = self.section(content * 15 / 100, Section::Docs);
        let shop = self.section(content * 20 / 100, Section::Shop);
        let gallery = self.section(content / 10, Section::Gallery);
        let news = self.section(content * 20 / 100, Section::News);
        let blog = self.section(pages - self.pages.len() as u32, Section::Blog);
        for members in [&raw, &docs, &shop, &gallery, &news, &blog] {
            self.link(members, &lists);
        }
        for list in &lists {
            let mut links = vec![0, *self.chance.pick(&lists)];
            links.extend((0..12).map(|_| *self.chance.pick(&blog)));
            self.pages[*list as usize].links = links;
        }
        for page in 0..8 {
            let links =
                (0..6).map(|_| *self.chance.pick(&lists)).chain([4, 5, news[0], shop[0], docs[0]]).collect();
            self.pages[page].links = links;
        }
        let redirects = (0..12)
            .map(|number| {
                let target = *self.chance.pick(&blog);
                (self.trace.intern(&format!("/?p={}", 100 + number * 7)), target)
            })
            .collect();
        let dead = (0..40).map(|_| self.slug("/archive/2019/")).collect();
        let mut ranked =
            [blog.clone(), news.clone(), shop.clone(), docs, lists.clone(), gallery.clone(), vec![0]]
                .concat();
        for index in (1..ranked.len()).rev() {
            ranked.swap(index, self.chance.below(index as u32 + 1) as usize);
        }
        let start = ranked.iter().position(|page| *page == 0).unwrap_or(0);
        ranked.swap(0, start);
        let popularity = (0..ranked.len() as u32)
            .scan(0, |sum, rank| {
                *sum += 1_000_000 / (rank + 3);
                Some(*sum)
            })
            .collect();
        let popular = *self.chance.pick(&blog);
        let trace = self.trace;
        Site {
            gallery,
            news,
            shop,
            lists,
            blog,
            home: 0,
            login: 1,
            contact: 2,
            checkout: 3,
            popular,
            favicon: trace.intern("/favicon.ico"),
            style_url: trace.intern(&format!("{ORIGIN}{STYLE}")),
            robots: trace.intern("/robots.txt"),
            sitemap: trace.intern("/sitemap.xml"),
            feed: trace.intern("/feed.xml"),
            redirects,
            dead,
            popularity,
            ranked,
            pages: self.pages,
        }
    }

    fn lists(&mut self, count: u32) -> Vec<u32> {
        (0..count)
            .map(|number| {
                let (topic, page) =
                    (TOPICS[number as usize % TOPICS.len()], number as usize / TOPICS.len() + 1);
                let path = match page {
                    1 => format!("/blog/category/{topic}"),
                    _ => format!("/blog/category/{topic}?page={page}"),
                };
                self.page(&path, Section::List)
            })
            .collect()
    }

    fn section(&mut self, count: u32, section: Section) -> Vec<u32> {
        (0..count)
            .map(|number| {
                let path = match section {
                    Section::News => format!("/news/{}", 4_200 + number),
                    Section::Gallery => format!("/gallery/{}", number + 1),
                    Section::Raw => format!("/raw/notes-{}.txt", number + 1),
                    Section::Shop => {
                        let slug = self.slug("/products/");
                        format!("{}-{}", self.trace.text(slug), 10_000 + number * 3)
                    }
                    Section::Docs => {
                        let topic = *self.chance.pick(&TOPICS);
                        let slug = self.slug(&format!("/docs/{topic}/"));
                        self.trace.text(slug).to_owned()
                    }
                    Section::Blog | Section::Home | Section::List | Section::Form => {
                        let slug = self.slug("/blog/");
                        self.trace.text(slug).to_owned()
                    }
                };
                self.page(&path, section)
            })
            .collect()
    }

    /// A new path of three words and a number.
    fn slug(&mut self, before: &str) -> Sym {
        let words = [*self.chance.pick(&WORDS), *self.chance.pick(&WORDS), *self.chance.pick(&WORDS)];
        let number = self.chance.below(1_000);
        self.trace.intern(&format!("{before}{}-{}-{}-{number}", words[0], words[1], words[2]))
    }

    fn page(&mut self, path: &str, section: Section) -> u32 {
        let index = self.pages.len() as u32;
        let words = match section {
            Section::Blog | Section::News => self.chance.log_normal(700, 0.6, 6_000),
            Section::Docs | Section::Raw => self.chance.log_normal(1_100, 0.7, 9_000),
            Section::Shop | Section::Home => self.chance.log_normal(250, 0.4, 1_500),
            Section::Gallery | Section::List | Section::Form => self.chance.log_normal(90, 0.4, 500),
        } as u32;
        let assets = self.assets(index, section);
        let url = self.trace.intern(&format!("{ORIGIN}{path}"));
        let path = self.trace.intern(path);
        let frame = if section == Section::Raw { 0 } else { 4_000 };
        self.pages.push(Page {
            path,
            url,
            section,
            bytes: frame + words * 7,
            words,
            assets,
            links: Vec::new(),
        });
        index
    }

    fn assets(&mut self, index: u32, section: Section) -> Vec<Asset> {
        if section == Section::Raw {
            return Vec::new();
        }
        let mut assets: Vec<Asset> = SHARED
            .iter()
            .map(|(path, bytes)| self.asset(path, *bytes))
            .map(|asset| Asset { image: false, ..asset })
            .collect();
        let own = match section {
            Section::Shop => "/assets/js/shop.77ab.js",
            Section::Gallery => "/assets/js/viewer.0c2e.js",
            Section::Docs => "/assets/css/code.51f0.css",
            Section::Blog | Section::News => "/assets/css/article.9d1a.css",
            Section::Form | Section::Home | Section::List | Section::Raw => "/assets/js/forms.e3b4.js",
        };
        let own = self.asset(own, 11_300);
        assets.push(Asset { image: false, ..own });
        let images = match section {
            Section::Shop => 3 + self.chance.below(6),
            Section::Gallery => 1,
            Section::List => 6 + self.chance.below(6),
            Section::Blog | Section::News | Section::Home => self.chance.below(6),
            Section::Docs => self.chance.below(3),
            Section::Form | Section::Raw => 0,
        };
        for number in 0..images {
            let bytes = self.chance.log_normal(48_000, 0.9, 900_000) as u32 + 900;
            // Image services often leave the extension off.
            let path = if self.chance.percent(18) {
                format!("/media/{:08x}{:04x}", self.chance.below(u32::MAX), self.chance.below(0x1_0000))
            } else {
                format!("/images/{index}/{}-{number}.webp", self.chance.pick(&WORDS))
            };
            let missing = self.chance.percent(1);
            let asset = self.asset(&path, bytes);
            assets.push(Asset { image: true, missing, ..asset });
        }
        assets
    }

    fn asset(&mut self, path: &str, bytes: u32) -> Asset {
        Asset {
            path: self.trace.intern(path),
            bytes,
            from_style: path.contains("/fonts/"),
            blockable: path.contains("metrics"),
            image: false,
            missing: false,
        }
    }

    /// Neighbours in the section, a list and the start page.
    fn link(&mut self, members: &[u32], lists: &[u32]) {
        for (place, page) in members.iter().enumerate() {
            let mut links = vec![0, *self.chance.pick(lists)];
            links.extend(members.get(place + 1));
            links.extend(place.checked_sub(1).map(|before| members[before]));
            links.extend((0..3 + self.chance.below(5)).map(|_| *self.chance.pick(members)));
            self.pages[*page as usize].links = links;
        }
    }
}

const STYLE: &str = "/assets/css/main.3f2a.css";

/// Loaded by every page, with its size in bytes.
const SHARED: [(&str, u32); 7] = [
    (STYLE, 28_412),
    ("/assets/js/vendor.b81c.js", 96_204),
    ("/assets/js/app.44d0.js", 31_877),
    ("/assets/fonts/text.woff2", 41_208),
    ("/assets/fonts/head.woff2", 38_964),
    ("/assets/img/logo.svg", 3_104),
    ("/assets/js/metrics.js", 2_201),
];

const TOPICS: [&str; 8] = ["travel", "garden", "bread", "rust", "music", "repair", "weather", "cycling"];

const WORDS: [&str; 40] = [
    "amber", "basin", "cedar", "delta", "ember", "field", "grain", "harbor", "island", "jasper", "kettle",
    "ledger", "marble", "needle", "orchard", "pepper", "quarry", "river", "saddle", "timber", "umber",
    "valley", "willow", "yarrow", "zephyr", "anchor", "bridge", "copper", "drift", "engine", "fabric",
    "garnet", "hollow", "inlet", "juniper", "kernel", "lantern", "meadow", "north", "opal",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_has_as_many_pages_as_asked_and_each_leads_on() {
        for pages in [150, 400, 2_000] {
            let mut trace = Trace::new(0, 1);
            let site = Site::new(&mut trace, 1, pages);
            assert_eq!(site.pages.len(), pages as usize);
            for page in &site.pages {
                assert!(!page.links.is_empty());
                assert!(page.links.iter().all(|link| *link < pages));
                assert_eq!(page.assets.is_empty(), page.section == Section::Raw);
            }
        }
    }

    #[test]
    fn the_start_page_is_entered_most() {
        let mut trace = Trace::new(0, 1);
        let site = Site::new(&mut trace, 1, 150);
        let mut chance = Chance::new(1, "entry", 0);
        let mut seen = vec![0_u32; 150];
        for _ in 0..20_000 {
            seen[site.entry(&mut chance) as usize] += 1;
        }
        assert_eq!(seen.iter().max(), Some(&seen[0]));
        assert!(seen.iter().filter(|count| **count > 0).count() > 100);
    }
}
