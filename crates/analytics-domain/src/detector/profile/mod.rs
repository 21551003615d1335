//! What is remembered of one session: running statistics of fixed size, never the history.
//!
//! The definitions, which a slow version that keeps every request shares (the tests compare the two):
//!
//! - A request is *late* when its time is before that of one that came earlier. It counts in totals and sets; it adds
//!   no gap, no step and no burst.
//! - A *linked* request asks for another page than the last one viewed on time and names it; where something was loaded,
//!   it may also name the page that this view named.
//! - A *dependent* request is linked and comes within a second of that view, or of another dependent one: it was made by
//!   that page and counts as an API call.
//! - A *page view* asks for a page, is not dependent and was not sent elsewhere.
//! - A view that was answered *waits* for an asset until a request comes 10 s or more later, or until it is the fifth
//!   last such view. An asset belongs to the latest of the last four views of the page that it names; where referrers
//!   are not recorded, to the last view.
//! - A *step* leads from one view on time to the next one of another page.
//!
//! What order does at equal times: totals, gaps, bursts and the sets of pages and versions are the same in any order,
//! unless a referrer makes one of two such requests dependent on the other. What comes *first*, the walk, the trail, forms
//! and which view an asset belongs to follow the order given. So whoever reads a log fixes that order by the requests'
//! own content: pages before everything else, then by hash.

mod burst;
mod gaps;
#[cfg(test)]
mod oracle;
mod pages;
mod recent;
mod served;
mod walk;

pub use burst::Burst;
pub use gaps::GapStats;
pub use pages::DistinctPages;
pub use recent::{RecentPage, RecentPages};
pub use served::ServedPages;
pub(crate) use walk::PATH_HEAD;
pub use walk::Walk;

use super::observation::{HeaderMarks, Observation, ReferrerFacts};
use crate::request::{HttpVersion, Method, ProbeKind, ProbeStrength, RequestKind};
use crate::site::SiteFacts;

/// Running statistics of one session, updated in O(1) per request and at most 1.5 KiB.
///
/// A request that is older than one already seen counts in totals and sets but adds no gap and no step.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SessionProfile {
    /// When the first request came, in microseconds since the epoch.
    pub first_us: i64,
    /// When the newest request came, in microseconds since the epoch.
    pub last_us: i64,
    /// Counters of requests.
    pub counts: RequestCounts,
    /// Distinct pages.
    pub pages: DistinctPages,
    /// Gaps between page views.
    pub gaps: GapStats,
    /// The busiest seconds, of charged requests.
    pub burst: Burst,
    /// Steps between distinct pages.
    pub walk: Walk,
    /// What the referrers say.
    pub referrers: ReferrerCounts,
    /// What is asked for that only attackers ask for.
    pub probes: Probes,
    /// Page views that wait for their assets.
    pub recent: RecentPages,
    /// Distinct pages that settled without any asset.
    pub bare_pages: u32,
    /// Asset loads that the bare pages let expect: the sum of each page's load probability.
    pub expected_loads: f64,
    /// Page views that settled with an asset.
    pub loaded_pages: u32,
    /// Sum of load probabilities of all settled pages, loaded or not.
    pub expected_all: f64,
    /// Posts, accepted or refused, where neither the path nor its referrer had been served, and referrers are recorded.
    pub unserved_posts: u32,
    /// Posts, accepted or refused, at most 3 s after the page that holds the form.
    pub quick_posts: u32,
    /// Protocol versions spoken.
    pub versions: Versions,
    /// Hash of the first three pages in order, once there are three, or of the first unserved form posted.
    pub trail: Trail,
    /// What the tracker told of the browser.
    pub tracker: TrackerMarks,
    /// What the headers of its requests told, where they are seen: a mark stays once made.
    pub headers: HeaderMarks,
    /// The first request was for robots.txt, and named no referrer.
    pub robots_first: bool,
    /// When the last page was viewed on time; meaningless until the walk has begun, as the next two are.
    last_page_us: i64,
    last_page: u64,
    /// Time of the newest request that this view made, or of the view.
    last_dependent_us: i64,
    last_named: Option<u64>,
}

/// Counters of one session's requests. Every one equals a recount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequestCounts {
    /// All requests.
    pub requests: u32,
    /// Page views.
    pub page_views: u32,
    /// Requests that quotas count.
    pub charged: u32,
    /// Assets, favicons included.
    pub assets: u32,
    /// Favicons.
    pub favicons: u32,
    /// Requests for feeds.
    pub feeds: u32,
    /// Requests for robots.txt and sitemaps.
    pub robots: u32,
    /// API calls and what scripts fetch.
    pub api: u32,
    /// Of the API calls by GET and HEAD, the ones that name no referrer, where referrers are recorded.
    pub api_unnamed: u32,
    /// HEAD requests.
    pub heads: u32,
    /// POST requests, beacons not counted.
    pub posts: u32,
    /// Of those, the ones that were refused: 400, 401, 403 or 422.
    pub refused_posts: u32,
    /// Answers 304.
    pub not_modified: u32,
    /// Errors 4xx.
    pub errors_4xx: u32,
    /// Errors 5xx.
    pub errors_5xx: u32,
    /// Errors 4xx of page views, API calls and posts that the client caused: not 401, not 429.
    pub client_errors: u32,
    /// Requests that came later than a newer one.
    pub late: u32,
}

/// What the referrers of a session's page views say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReferrerCounts {
    /// Page views that could have named a page of the site: all but the first.
    pub inner_views: u32,
    /// Of those, the ones that name nothing.
    pub inner_missing: u32,
    /// Whether referrers are recorded at all.
    pub observed: bool,
    /// The first page ever served to this visitor named itself as referrer, and is not the root.
    pub first_names_itself: bool,
    /// The first request named a page of this site that was never served to this visitor.
    pub first_names_unserved: bool,
    /// Page views that name another page of the site, which was never served to this visitor.
    pub unserved: u32,
    /// Page views that name another page of the site, which was served.
    pub served: u32,
    /// Answered page views that name an external host which is no search engine, network, mail host or assistant.
    pub external: u32,
    /// Of those, the ones that name the same host as the first.
    pub same_external: u32,
    /// Page views that name a known referrer spammer.
    pub spam: u32,
    /// Page views that name the page viewed just before, or where assets are loaded the page that the view before
    /// named: steps along links.
    pub linked: u32,
    /// Assets that name a page of the site: proof that the client sends referrers.
    pub assets: u32,
    external_host: u64,
}

/// What is asked for that only attackers ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Probes {
    /// Distinct probe paths, counted up to 4.
    pub distinct: u8,
    /// All probe requests.
    pub requests: u32,
    /// Whether a trap URL was asked for.
    pub trap: bool,
    /// Requests that are an attack in themselves.
    pub exploits: u32,
    /// Requests that nobody but a scanner makes, attacks included.
    pub strong: u32,
    seen: [u32; 4],
}

/// Which protocol versions a session speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Versions {
    /// HTTP/1.0 or 0.9.
    pub http10: bool,
    /// HTTP/1.1.
    pub http11: bool,
    /// HTTP/2 or 3.
    pub http2: bool,
}

/// The first pages of a visitor in order, as a hash that others can share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trail {
    hash: u64,
    views: u8,
}

/// What the tracker's beacons told of the browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrackerMarks {
    /// It says that it is driven by automation.
    pub automated: bool,
    /// It sent something physically impossible.
    pub implausible: bool,
    /// It sent bound, plausible signs of a person.
    pub engaged: bool,
}

/// What an observed request may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each stands for an independent effect")]
pub struct Effect {
    /// A figure moved that a signal reads.
    pub moved: bool,
    /// The request counted as a page view.
    pub page_view: bool,
    /// The page was new to the session and was answered with content.
    pub new_page: bool,
    /// A page view other than the first; `Some(true)` when it named no referrer, where that can be observed.
    pub inner_view: Option<bool>,
    /// The trail was completed by this request.
    pub trail: Option<u64>,
    /// This was the session's first asset.
    pub first_asset: bool,
}

impl SessionProfile {
    /// Counts one request, whose time is `now_us` in microseconds since the epoch.
    ///
    /// Page views that have waited 10 s for an asset must be settled before; [`SessionProfile::settle`] does.
    pub fn observe(&mut self, served: &mut ServedPages, request: &Observation<'_>, now_us: i64) -> Effect {
        let first = self.counts.requests == 0;
        let late = !first && now_us < self.last_us;
        if first {
            self.first_us = now_us;
            self.last_us = now_us;
        }
        self.last_us = self.last_us.max(now_us);
        self.counts.requests = self.counts.requests.saturating_add(1);
        self.counts.late += u32::from(late);
        self.count_status(request);
        if let Some(version) = request.version {
            self.versions.note(version);
        }
        if let Some(headers) = request.headers {
            self.headers.impossible |= headers.impossible;
            self.headers.hints_missing |= headers.hints_missing;
        }
        if first {
            self.robots_first = request.kind == RequestKind::Robots
                && request.referrer == ReferrerFacts::Missing
                && request.path == "/robots.txt";
        }
        let mut effect = Effect { moved: first, ..Effect::default() };
        effect.moved |= self.probes.note(request);
        let charged = request.charged();
        if charged {
            effect.moved = true;
            self.counts.charged += 1;
            if !late {
                self.burst.push(now_us.div_euclid(SECOND_US));
            }
        }
        match request.method {
            Method::Head => self.counts.heads += 1,
            Method::Post => self.post(served, request, now_us, &mut effect),
            Method::Get | Method::Put | Method::Patch | Method::Delete | Method::Options | Method::Other => {}
        }
        match request.kind {
            RequestKind::Page => {
                let linked = self.is_linked(request);
                if linked && self.is_dependent(now_us) {
                    self.counts.api += 1;
                } else if !request.redirected() {
                    self.view(served, request, now_us, late, linked, &mut effect);
                }
            }
            RequestKind::Api => {
                self.counts.api += 1;
                let unnamed = request.method.is_read() && request.referrer == ReferrerFacts::Missing;
                self.counts.api_unnamed += u32::from(unnamed);
            }
            RequestKind::Asset | RequestKind::Favicon => self.asset(request, &mut effect),
            RequestKind::Feed => self.counts.feeds += 1,
            RequestKind::Robots => {
                self.counts.robots += 1;
                effect.moved = true;
            }
            RequestKind::Download | RequestKind::Beacon | RequestKind::Preflight | RequestKind::Prefetch => {}
        }
        effect
    }

    /// Settles page views that were answered at `before_us` or earlier: each is handed to `each` once.
    ///
    /// Returns whether any settled.
    pub fn settle(&mut self, site: &SiteFacts, before_us: i64, mut each: impl FnMut(&RecentPage)) -> bool {
        let mut any = false;
        while let Some(page) = self.recent.settle(before_us) {
            self.settle_one(site, &page);
            each(&page);
            any = true;
        }
        any
    }

    /// Whether the session loaded what browsers load: assets, a favicon, or an answer from its cache.
    pub fn loads(&self) -> bool {
        self.counts.assets > 0 || self.counts.not_modified > 0
    }

    /// Time from the first to the newest request in microseconds, at least 0.
    pub fn span_us(&self) -> i64 {
        self.last_us.saturating_sub(self.first_us)
    }

    /// Page views per minute over the session's length; `None` when it is shorter than a microsecond.
    pub fn pages_per_minute(&self) -> Option<f64> {
        let span = self.span_us();
        (span > 0).then(|| f64::from(self.counts.page_views) * 60e6 / span as f64)
    }

    fn settle_one(&mut self, site: &SiteFacts, page: &RecentPage) {
        if !page.loaded && !page.new {
            return;
        }
        let probability = site.load_probability(page.page, page.directory).unwrap_or(0.0);
        self.expected_all += probability;
        if page.loaded {
            self.loaded_pages += 1;
        } else {
            self.bare_pages += 1;
            self.expected_loads += probability;
        }
    }

    /// Counts the answer to a request that was observed before its status was known, as live traffic is; the same request
    /// again, with the status. A page view that turns out to be sent elsewhere stays one.
    pub fn answered(&mut self, request: &Observation<'_>) {
        self.count_status(request);
    }

    fn count_status(&mut self, request: &Observation<'_>) {
        let Some(status) = request.status.filter(|&status| status >= 304) else { return };
        self.counts.not_modified += u32::from(status == 304);
        self.counts.errors_4xx += u32::from((400..500).contains(&status));
        self.counts.errors_5xx += u32::from((500..600).contains(&status));
        let asked = !matches!(request.kind, RequestKind::Asset | RequestKind::Favicon);
        self.counts.client_errors += u32::from(asked && request.client_error());
    }

    /// A [linked](Self::is_linked) page request that comes within a second of the page just viewed, or of another such
    /// request, was made by that page: no person reads and clicks so fast, and a crawler that walks on is counted at its
    /// next step. Where assets are loaded, so was one that names the same page as the view just before: images without an
    /// extension come late, and then many at once.
    ///
    /// A second by the clock of the log is enough, since most logs write whole seconds.
    fn is_dependent(&mut self, now_us: i64) -> bool {
        let since = now_us.saturating_sub(self.last_dependent_us);
        let within = self.walk.begun() && (0..=SECOND_US).contains(&since);
        if within {
            self.last_dependent_us = now_us;
        }
        within
    }

    /// Whether the request follows a link of the page just viewed, or of the page that led there where assets are loaded.
    fn is_linked(&self, request: &Observation<'_>) -> bool {
        let ReferrerFacts::Internal { page, .. } = request.referrer else { return false };
        let beside = self.last_named == Some(page) && self.loads();
        request.page != self.last_page && (page == self.last_page || beside)
    }

    fn view(
        &mut self,
        served: &mut ServedPages,
        request: &Observation<'_>,
        now_us: i64,
        late: bool,
        linked: bool,
        effect: &mut Effect,
    ) {
        let first_view = self.counts.page_views == 0;
        self.counts.page_views += 1;
        effect.page_view = true;
        effect.moved = true;
        let new = self.pages.insert(request.page);
        effect.new_page = new && request.succeeded();
        self.referrer_of_view(served, request, first_view, effect);
        if !late {
            if self.walk.begun() {
                self.gaps.push(now_us.saturating_sub(self.last_page_us));
                self.referrers.linked += u32::from(linked);
            }
            self.walk.step(request.page, request.path, request.number);
            self.last_page_us = now_us;
            self.last_page = request.page;
            self.last_dependent_us = now_us;
            self.last_named = match request.referrer {
                ReferrerFacts::Internal { page, .. } => Some(page),
                ReferrerFacts::Unobserved | ReferrerFacts::Missing | ReferrerFacts::External { .. } => None,
            };
        }
        effect.trail = self.trail.view(request.page);
        if request.succeeded() {
            served.insert(request.page);
        }
    }

    /// Puts an answered page among those that wait for assets; gives back one that had to leave.
    pub fn await_assets(
        &mut self,
        site: &SiteFacts,
        request: &Observation<'_>,
        new: bool,
        now_us: i64,
    ) -> Option<RecentPage> {
        let page = RecentPage {
            page: request.page,
            directory: request.directory,
            at_us: now_us,
            new,
            loaded: false,
        };
        let left = self.recent.push(page)?;
        self.settle_one(site, &left);
        Some(left)
    }

    fn referrer_of_view(
        &mut self,
        served: &ServedPages,
        request: &Observation<'_>,
        first_view: bool,
        effect: &mut Effect,
    ) {
        let counts = &mut self.referrers;
        counts.observed |= request.referrer != ReferrerFacts::Unobserved;
        if !first_view && request.referrer != ReferrerFacts::Unobserved {
            let missing = request.referrer == ReferrerFacts::Missing;
            counts.inner_views += 1;
            counts.inner_missing += u32::from(missing);
            effect.inner_view = Some(missing);
        }
        if let ReferrerFacts::Internal { page, .. } = request.referrer
            && page != request.page
        {
            let was_served = served.maybe(page);
            counts.served += u32::from(was_served);
            counts.unserved += u32::from(!was_served);
        }
        match request.referrer {
            ReferrerFacts::Internal { page, root } if first_view && !served.any() => {
                counts.first_names_itself = page == request.page && !root;
                counts.first_names_unserved = page != request.page && self.counts.assets == 0;
            }
            ReferrerFacts::Internal { page, .. } if first_view => {
                counts.first_names_unserved = !served.maybe(page) && self.counts.assets == 0;
            }
            ReferrerFacts::External { host, shared, spam } => {
                counts.spam += u32::from(spam);
                // A list of dead links is followed by people, one after the other.
                if !shared && request.succeeded() {
                    if counts.external == 0 {
                        counts.external_host = host;
                    }
                    counts.external += 1;
                    counts.same_external += u32::from(host == counts.external_host);
                }
            }
            ReferrerFacts::Internal { .. } | ReferrerFacts::Missing | ReferrerFacts::Unobserved => {}
        }
    }

    fn asset(&mut self, request: &Observation<'_>, effect: &mut Effect) {
        effect.first_asset = self.counts.assets == 0;
        effect.moved |= effect.first_asset;
        self.counts.assets += 1;
        self.counts.favicons += u32::from(request.kind == RequestKind::Favicon);
        if request.kind == RequestKind::Asset {
            match request.referrer {
                ReferrerFacts::Internal { page, .. } => {
                    self.referrers.assets += 1;
                    self.recent.load(Some(page));
                }
                ReferrerFacts::Unobserved => self.recent.load(None),
                ReferrerFacts::Missing | ReferrerFacts::External { .. } => {}
            }
        }
    }

    fn post(&mut self, served: &ServedPages, request: &Observation<'_>, now_us: i64, effect: &mut Effect) {
        if request.kind == RequestKind::Beacon {
            return;
        }
        self.counts.posts += 1;
        self.counts.refused_posts += u32::from(request.refused());
        effect.moved = true;
        if !request.found() {
            return;
        }
        let form = match request.referrer {
            ReferrerFacts::Internal { page, .. } => Some(page),
            ReferrerFacts::Missing | ReferrerFacts::External { .. } | ReferrerFacts::Unobserved => None,
        };
        let was_served = served.maybe(request.page) || form.is_some_and(|page| served.maybe(page));
        // Where referrers are not recorded, the form may have stood on any page.
        let known = request.referrer != ReferrerFacts::Unobserved;
        self.unserved_posts += u32::from(known && !was_served);
        let viewed =
            form.and_then(|page| self.recent.viewed_at(page)).or_else(|| self.recent.viewed_at(request.page));
        let quick = viewed.is_some_and(|at| (0..=QUICK_POST_US).contains(&now_us.saturating_sub(at)));
        self.quick_posts += u32::from(quick);
        if !was_served {
            effect.trail = effect.trail.or(self.trail.post(request.page));
        }
    }
}

impl Probes {
    /// Counts the request if it is a probe; asking for what others ask for too is none unless it is refused.
    fn note(&mut self, request: &Observation<'_>) -> bool {
        if request.trap {
            self.trap = true;
        }
        let Some(probe) = request.probe else { return request.trap };
        let refused = request.status.is_some_and(|status| status >= 400);
        match probe.strength {
            ProbeStrength::Weak if !refused => return request.trap,
            ProbeStrength::Weak => {}
            ProbeStrength::Strong => {
                self.strong = self.strong.saturating_add(1);
                self.exploits = self.exploits.saturating_add(u32::from(probe.kind == ProbeKind::Exploit));
            }
        }
        self.requests = self.requests.saturating_add(1);
        let mark = (request.page ^ request.page >> 32) as u32 | 1;
        let known = usize::from(self.distinct);
        if known < self.seen.len() && !self.seen[..known].contains(&mark) {
            self.seen[known] = mark;
            self.distinct += 1;
        }
        true
    }
}

impl Versions {
    fn note(&mut self, version: HttpVersion) {
        match version {
            HttpVersion::Http09 | HttpVersion::Http10 => self.http10 = true,
            HttpVersion::Http11 => self.http11 = true,
            HttpVersion::Http2 | HttpVersion::Http3 => self.http2 = true,
        }
    }
}

impl Trail {
    /// The trail so far, once it is complete.
    pub fn complete(&self) -> Option<u64> {
        (self.views >= TRAIL_VIEWS).then_some(self.hash)
    }

    fn view(&mut self, page: u64) -> Option<u64> {
        if self.views >= TRAIL_VIEWS {
            return None;
        }
        self.hash = mix(self.hash, page);
        self.views += 1;
        self.complete()
    }

    fn post(&mut self, page: u64) -> Option<u64> {
        if self.views >= TRAIL_VIEWS {
            return None;
        }
        self.hash = mix(mix(self.hash, page), 0x504f_5354);
        self.views = TRAIL_VIEWS;
        self.complete()
    }
}

/// Joins two hashes so that their order counts: the finaliser of splitmix64 over their sum.
fn mix(state: u64, value: u64) -> u64 {
    let mut z = state.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(value);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// How long a page view waits for its assets. Of the asset-loading visitors measured, 99 % ask for the first asset of a
/// page within 10 s of it.
pub const ASSET_WAIT_US: i64 = 10 * SECOND_US;
/// A form that is filled in faster was not filled in by hand.
const QUICK_POST_US: i64 = 3 * SECOND_US;
const SECOND_US: i64 = 1_000_000;
/// Views that make a trail: two pages in the same order are common, three are not.
const TRAIL_VIEWS: u8 = 3;
