//! The profile against a slow version that keeps every request.

use alloc::vec::Vec;
use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::site::Finding;
use crate::strategies::{ArbitraryRequest, Lines, disordered_sequence, request, sequence};

proptest! {
    #[test]
    fn a_realistic_session_has_the_figures_of_its_history(Lines(lines) in disordered_sequence(1..120)) {
        agree(&lines)?;
    }

    #[test]
    fn any_requests_have_the_figures_of_their_history(
        lines in proptest::collection::vec((0i64..40_000_000, request()), 1..120),
    ) {
        agree(&lines)?;
    }

    #[test]
    fn figures_that_know_no_order_are_the_same_in_any_order_of_equal_times(
        Lines(lines) in sequence(1..80),
        keys in proptest::collection::vec(any::<u64>(), 80),
    ) {
        let lines: Vec<_> = lines
            .into_iter()
            .map(|(at, request)| (at, ArbitraryRequest { referrer: ReferrerFacts::Unobserved, ..request }))
            .collect();
        let mut shuffled: Vec<_> = lines.iter().cloned().zip(&keys).collect();
        shuffled.sort_by_key(|((at, _), key)| (*at, **key));
        let shuffled: Vec<_> = shuffled.into_iter().map(|(line, _)| line).collect();
        let figures = |lines: &[(i64, ArbitraryRequest)]| {
            let profile = running(lines);
            let probes = (profile.probes.distinct, profile.probes.requests, profile.probes.exploits, profile.probes.trap);
            let times = (profile.first_us, profile.last_us, profile.gaps, profile.burst);
            (times, profile.counts, profile.pages.count(), profile.versions, profile.headers, probes)
        };
        prop_assert_eq!(figures(&lines), figures(&shuffled));
    }
}

#[test]
fn a_profile_fits_its_space() {
    // 696 bytes where pointers have 64 bits; past twelve pages the set of pages stands apart, in at most 400 bytes more.
    let bytes = size_of::<SessionProfile>() + 400;
    assert!(bytes <= 1_536, "{bytes} bytes");
}

#[test]
fn late_requests_count_but_add_no_gap_no_step_and_no_burst() {
    let page = |path| ArbitraryRequest::page(path);
    let on_time = [(10_000_000, page("/a")), (60_000_000, page("/b"))];
    let late = [(50_000_000, page("/c")), (59_999_999, page("/c"))];
    let before = running(&on_time);
    let after = running(&[&on_time[..], &late[..]].concat());
    assert_eq!((&after.gaps, &after.walk, &after.burst), (&before.gaps, &before.walk, &before.burst));
    assert_eq!((after.counts.requests, after.counts.late, after.counts.page_views), (4, 2, 4));
    assert_eq!((after.pages.count(), after.first_us, after.last_us), (3, 10_000_000, 60_000_000));
}

fn agree(lines: &[(i64, ArbitraryRequest)]) -> Result<(), TestCaseError> {
    let site = site();
    let profile = running(lines);
    let slow = Slow::of(lines);
    prop_assert_eq!(profile.first_us, lines[0].0);
    prop_assert_eq!(profile.last_us, lines.iter().map(|(at, _)| *at).max().unwrap());
    prop_assert_eq!(profile.counts, slow.counts());
    slow.check_pages(&profile.pages)?;
    slow.check_gaps(&profile.gaps)?;
    prop_assert_eq!((profile.burst.in_ten_seconds(), profile.burst.in_one_second()), slow.burst());
    slow.check_walk(&profile.walk)?;
    prop_assert_eq!(profile.referrers, slow.referrers());
    prop_assert_eq!(profile.probes, slow.probes());
    prop_assert_eq!((profile.unserved_posts, profile.quick_posts), slow.posts());
    prop_assert_eq!(profile.versions, slow.versions());
    prop_assert_eq!(profile.headers, slow.headers());
    prop_assert_eq!(profile.trail, slow.trail());
    prop_assert_eq!(profile.robots_first, slow.robots_first());
    prop_assert_eq!(profile.tracker, TrackerMarks::default());
    let assets = slow.assets(&site);
    prop_assert_eq!((profile.bare_pages, profile.loaded_pages), (assets.0, assets.1));
    prop_assert!((profile.expected_loads - assets.2).abs() < 1e-9);
    prop_assert!((profile.expected_all - assets.3).abs() < 1e-9);
    prop_assert!(!profile.recent.waiting());
    Ok(())
}

/// The running version, driven as `visit` drives it, and settled at its end.
fn running(lines: &[(i64, ArbitraryRequest)]) -> SessionProfile {
    let (mut profile, mut served, site) = (SessionProfile::default(), ServedPages::default(), site());
    for (at, request) in lines {
        let request = request.observation();
        profile.settle(&site, at - ASSET_WAIT_US, |_| ());
        let effect = profile.observe(&mut served, &request, *at);
        if effect.page_view && request.succeeded() {
            profile.await_assets(&site, &request, effect.new_page, *at);
        }
    }
    profile.settle(&site, i64::MAX, |_| ());
    profile
}

/// A site of which two pages are known to have assets, one always and one half the time.
fn site() -> SiteFacts {
    let mut site = SiteFacts::default();
    let view = |path: &str, with_asset| {
        let page = ArbitraryRequest::page(path);
        Finding::View { page: page.page, directory: page.directory, with_asset }
    };
    let views = (0..4).flat_map(|n| [view("/p/1", true), view("/shop/item-10", n % 2 == 0)]);
    site.learn(views.collect::<Vec<_>>(), 60_000_000);
    site
}

/// Every request, and which of them are late, dependent and page views.
struct Slow<'a> {
    lines: &'a [(i64, ArbitraryRequest)],
    late: Vec<bool>,
    dependent: Vec<bool>,
    view: Vec<bool>,
}

impl<'a> Slow<'a> {
    fn of(lines: &'a [(i64, ArbitraryRequest)]) -> Self {
        let late = (0..lines.len()).map(|i| lines[..i].iter().any(|(at, _)| *at > lines[i].0)).collect();
        let mut slow = Self { lines, late, dependent: Vec::new(), view: Vec::new() };
        for (i, (at, request)) in lines.iter().enumerate() {
            let page = request.kind == RequestKind::Page;
            let last = slow.views().rfind(|&j| !slow.late[j]);
            let since = last.map(|last| (last + 1..i).rfind(|&j| slow.dependent[j]).unwrap_or(last));
            let soon = since.is_some_and(|since| (0..=1_000_000).contains(&(at - lines[since].0)));
            let dependent = page && soon && slow.is_linked(i);
            slow.dependent.push(dependent);
            slow.view.push(page && !dependent && !request.observation().redirected());
        }
        slow
    }

    /// Whether a request follows a link of the last page viewed on time before it, or where something was loaded of the
    /// page that this view named.
    fn is_linked(&self, i: usize) -> bool {
        let Some(last) = self.views().rfind(|&j| j < i && !self.late[j]) else { return false };
        let (viewed, request) = (self.request(last), self.request(i));
        let loaded = (0..i)
            .any(|j| matches!(self.request(j).kind, RequestKind::Asset | RequestKind::Favicon))
            || (0..=i).any(|j| self.request(j).status == Some(304));
        let beside = loaded && self.named(i) == self.named(last);
        self.named(i).is_some_and(|named| request.page != viewed.page && (named == viewed.page || beside))
    }

    /// The page of the site that a request names.
    fn named(&self, i: usize) -> Option<u64> {
        match self.request(i).referrer {
            ReferrerFacts::Internal { page, .. } => Some(page),
            ReferrerFacts::External { .. } | ReferrerFacts::Missing | ReferrerFacts::Unobserved => None,
        }
    }

    /// Page views so far, by position.
    fn views(&self) -> impl DoubleEndedIterator<Item = usize> {
        self.view.iter().enumerate().filter(|(_, view)| **view).map(|(i, _)| i)
    }

    fn request(&self, i: usize) -> Observation<'_> {
        self.lines[i].1.observation()
    }

    fn on_time_views(&self) -> Vec<usize> {
        self.views().filter(|&i| !self.late[i]).collect()
    }

    /// Answered views that wait for assets, in the order in which they came, all before the request at `until`.
    fn waiting(&self, until: usize) -> Vec<usize> {
        self.views().filter(|&i| i < until && self.request(i).succeeded()).collect()
    }

    /// Pages served before the request at `until`.
    fn served(&self, until: usize) -> ServedPages {
        let mut served = ServedPages::default();
        self.waiting(until).into_iter().for_each(|i| served.insert(self.request(i).page));
        served
    }

    fn count(&self, which: impl Fn(usize, &Observation<'_>) -> bool) -> u32 {
        (0..self.lines.len()).filter(|&i| which(i, &self.request(i))).count() as u32
    }

    fn counts(&self) -> RequestCounts {
        use RequestKind as K;
        let within =
            |range: core::ops::Range<u16>, status: Option<u16>| status.is_some_and(|s| range.contains(&s));
        RequestCounts {
            requests: self.lines.len() as u32,
            page_views: self.count(|i, _| self.view[i]),
            charged: self.count(|_, r| r.charged()),
            assets: self.count(|_, r| matches!(r.kind, K::Asset | K::Favicon)),
            favicons: self.count(|_, r| r.kind == K::Favicon),
            feeds: self.count(|_, r| r.kind == K::Feed),
            robots: self.count(|_, r| r.kind == K::Robots),
            api: self.count(|i, r| r.kind == K::Api || self.dependent[i]),
            heads: self.count(|_, r| r.method == Method::Head),
            api_unnamed: self
                .count(|_, r| r.kind == K::Api && r.method.is_read() && r.referrer == ReferrerFacts::Missing),
            posts: self.count(|_, r| r.method == Method::Post && r.kind != K::Beacon),
            refused_posts: self.count(|_, r| {
                r.method == Method::Post
                    && r.kind != K::Beacon
                    && matches!(r.status, Some(400 | 401 | 403 | 422))
            }),
            not_modified: self.count(|_, r| r.status == Some(304)),
            errors_4xx: self.count(|_, r| within(400..500, r.status)),
            errors_5xx: self.count(|_, r| within(500..600, r.status)),
            client_errors: self.count(|_, r| {
                within(400..500, r.status)
                    && !matches!(r.status, Some(401 | 429))
                    && !matches!(r.kind, K::Asset | K::Favicon)
            }),
            late: self.count(|i, _| self.late[i]),
        }
    }

    fn check_pages(&self, pages: &DistinctPages) -> Result<(), TestCaseError> {
        let distinct: BTreeSet<u64> = self.views().map(|i| self.request(i).page).collect();
        if distinct.len() <= 64 {
            prop_assert_eq!(pages.count() as usize, distinct.len());
        } else {
            prop_assert!(pages.count() > 64);
        }
        Ok(())
    }

    fn check_gaps(&self, gaps: &GapStats) -> Result<(), TestCaseError> {
        let views = self.on_time_views();
        let list: Vec<i64> =
            views.windows(2).map(|pair| self.lines[pair[1]].0 - self.lines[pair[0]].0).collect();
        prop_assert_eq!(gaps.count() as usize, list.len());
        prop_assert_eq!(gaps.smallest_us(), list.iter().min().copied());
        prop_assert_eq!(gaps.largest_us(), list.iter().max().copied());
        prop_assert_eq!(gaps.under_a_second() as usize, list.iter().filter(|&&gap| gap < 1_000_000).count());
        let equal = |pair: &[i64]| (pair[1] - pair[0]).abs() <= 1_000 && pair[1] >= 1_000_000;
        let longest = (0..list.len())
            .map(|i| 1 + list[i..].windows(2).take_while(|pair| equal(pair)).count())
            .max()
            .unwrap_or(0);
        prop_assert_eq!(usize::from(gaps.longest_equal_run()), longest);
        let n = list.len() as f64;
        let mean = list.iter().map(|&gap| gap as f64).sum::<f64>() / n;
        let variance = list.iter().map(|&gap| (gap as f64 - mean).powi(2)).sum::<f64>() / n;
        let logs: Vec<f64> = list.iter().map(|&gap| (gap.max(50_000) as f64).ln()).collect();
        let log_mean = logs.iter().sum::<f64>() / n;
        let log_deviation = (logs.iter().map(|log| (log - log_mean).powi(2)).sum::<f64>() / n).sqrt();
        let close = |running: Option<f64>, slow: f64| match running {
            Some(figure) => (figure - slow).abs() <= 1e-9 * slow.abs().max(1.0) + 1e-6,
            None => list.is_empty(),
        };
        prop_assert!(close(gaps.mean_us(), mean) && close(gaps.variance_us2(), variance));
        // Logarithms in single precision.
        prop_assert!(
            gaps.log_deviation().map_or(list.is_empty(), |running| (running - log_deviation).abs() < 1e-5)
        );
        match gaps.coefficient_of_variation() {
            Some(cv) => prop_assert!((cv - variance.sqrt() / mean).abs() < 1e-6),
            None => prop_assert!(list.iter().all(|&gap| gap == 0)),
        }
        Ok(())
    }

    /// Most charged requests on time in ten whole seconds, and in one.
    fn burst(&self) -> (u16, u16) {
        let charged = |&i: &usize| self.request(i).charged() && !self.late[i];
        let seconds: Vec<i64> =
            (0..self.lines.len()).filter(charged).map(|i| self.lines[i].0.div_euclid(1_000_000)).collect();
        let within = |width: i64| {
            let sums =
                seconds.iter().map(|end| seconds.iter().filter(|&s| s <= end && *s > end - width).count());
            sums.max().unwrap_or(0) as u16
        };
        (within(10), within(1))
    }

    fn check_walk(&self, walk: &Walk) -> Result<(), TestCaseError> {
        let mut pages = self.on_time_views();
        pages.dedup_by_key(|&mut i| self.request(i).page);
        let head = |i: usize| &self.lines[i].1.path.as_bytes()[..self.lines[i].1.path.len().min(PATH_HEAD)];
        let steps: Vec<(usize, usize)> = pages.windows(2).map(|pair| (pair[0], pair[1])).collect();
        let ascending = steps.iter().filter(|&&(a, b)| head(a) < head(b)).count();
        let descending = steps.iter().filter(|&&(a, b)| head(a) > head(b)).count();
        let change = |&(a, b): &(usize, usize)| match (self.request(a).number, self.request(b).number) {
            (Some(a), Some(b)) => b.wrapping_sub(a) as i64,
            _ => 0,
        };
        let changes: Vec<i64> = steps.iter().map(change).collect();
        let repeated = changes.windows(2).filter(|pair| pair[0] == pair[1] && pair[0] != 0).count();
        let numeric = if repeated > 0 { repeated + 1 } else { 0 };
        let share = |of: usize| (steps.len() >= 2).then(|| of as f64 / steps.len() as f64);
        prop_assert_eq!(walk.steps() as usize, steps.len());
        prop_assert_eq!(walk.systematic_share(), share(numeric.max(ascending).max(descending)));
        prop_assert_eq!(walk.numeric_share(), share(numeric));
        Ok(())
    }

    fn referrers(&self) -> ReferrerCounts {
        use ReferrerFacts as R;
        let views: Vec<usize> = self.views().collect();
        let of = |i: &usize| self.request(*i).referrer;
        let inner = views.iter().skip(1).filter(|i| of(i) != R::Unobserved);
        let foreign = |i: &usize| match of(i) {
            R::External { host, shared: false, .. } if self.request(*i).succeeded() => Some(host),
            R::External { .. } | R::Internal { .. } | R::Missing | R::Unobserved => None,
        };
        let others: Vec<(usize, u64)> = views
            .iter()
            .filter_map(|&i| Some((i, self.named(i)?)))
            .filter(|&(i, page)| page != self.request(i).page)
            .collect();
        let other = others.iter();
        let hosts: Vec<u64> = views.iter().filter_map(foreign).collect();
        let before_first = |i: usize| {
            (0..i).any(|j| matches!(self.request(j).kind, RequestKind::Asset | RequestKind::Favicon))
        };
        let named = views.first().and_then(|&i| match of(&i) {
            R::Internal { page, root } => Some((i, page, root)),
            R::External { .. } | R::Missing | R::Unobserved => None,
        });
        ReferrerCounts {
            inner_views: inner.clone().count() as u32,
            inner_missing: inner.filter(|i| of(i) == R::Missing).count() as u32,
            observed: views.iter().any(|i| of(i) != R::Unobserved),
            first_names_itself: named.is_some_and(|(i, page, root)| page == self.request(i).page && !root),
            first_names_unserved: named
                .is_some_and(|(i, page, _)| page != self.request(i).page && !before_first(i)),
            unserved: other.clone().filter(|&&(i, page)| !self.served(i).maybe(page)).count() as u32,
            served: other.filter(|&&(i, page)| self.served(i).maybe(page)).count() as u32,
            external: hosts.len() as u32,
            same_external: hosts.iter().filter(|&host| *host == hosts[0]).count() as u32,
            spam: views.iter().filter(|i| matches!(of(i), R::External { spam: true, .. })).count() as u32,
            linked: self.on_time_views().into_iter().filter(|&i| self.is_linked(i)).count() as u32,
            assets: self.count(|i, r| r.kind == RequestKind::Asset && self.named(i).is_some()),
            external_host: hosts.first().copied().unwrap_or(0),
        }
    }

    fn probes(&self) -> Probes {
        let counted: Vec<(ProbeKind, ProbeStrength, u64)> = (0..self.lines.len())
            .filter_map(|i| {
                let request = self.request(i);
                let probe = request.probe?;
                let refused = request.status.is_some_and(|status| status >= 400);
                (probe.strength == ProbeStrength::Strong || refused).then_some((
                    probe.kind,
                    probe.strength,
                    request.page,
                ))
            })
            .collect();
        let mut marks: Vec<u32> = Vec::new();
        for (_, _, page) in &counted {
            let mark = (page ^ page >> 32) as u32 | 1;
            if marks.len() < 4 && !marks.contains(&mark) {
                marks.push(mark);
            }
        }
        let mut seen = [0; 4];
        seen[..marks.len()].copy_from_slice(&marks);
        let exploit = |(kind, strength, _): &&(ProbeKind, ProbeStrength, u64)| {
            *kind == ProbeKind::Exploit && *strength == ProbeStrength::Strong
        };
        Probes {
            distinct: marks.len() as u8,
            requests: counted.len() as u32,
            trap: self.count(|_, r| r.trap) > 0,
            strong: counted.iter().filter(|(_, strength, _)| *strength == ProbeStrength::Strong).count()
                as u32,
            exploits: counted.iter().filter(exploit).count() as u32,
            seen,
        }
    }

    fn is_post(&self, i: usize) -> bool {
        let request = self.request(i);
        request.method == Method::Post && request.found() && request.kind != RequestKind::Beacon
    }

    /// The last four answered views before the request.
    fn recent(&self, until: usize) -> Vec<usize> {
        let waiting = self.waiting(until);
        waiting[waiting.len().saturating_sub(4)..].to_vec()
    }

    fn posts(&self) -> (u32, u32) {
        let unserved = self
            .count(|i, r| self.is_post(i) && r.referrer != ReferrerFacts::Unobserved && !self.form_served(i));
        let quick = self.count(|i, r| {
            let recent = self.recent(i);
            let viewed = |page: u64| {
                recent.iter().filter(|&&j| self.request(j).page == page).map(|&j| self.lines[j].0).max()
            };
            let at = self.named(i).and_then(viewed).or_else(|| viewed(r.page));
            self.is_post(i) && at.is_some_and(|at| (0..=3_000_000).contains(&(self.lines[i].0 - at)))
        });
        (unserved, quick)
    }

    /// Whether the path posted to, or the page named as its form, was served before.
    fn form_served(&self, i: usize) -> bool {
        let served = self.served(i);
        served.maybe(self.request(i).page) || self.named(i).is_some_and(|page| served.maybe(page))
    }

    fn versions(&self) -> Versions {
        use HttpVersion as V;
        let spoke = |versions: &[V]| self.count(|_, r| r.version.is_some_and(|v| versions.contains(&v))) > 0;
        Versions {
            http10: spoke(&[V::Http09, V::Http10]),
            http11: spoke(&[V::Http11]),
            http2: spoke(&[V::Http2, V::Http3]),
        }
    }

    fn headers(&self) -> HeaderMarks {
        HeaderMarks {
            impossible: self.count(|_, r| r.headers.is_some_and(|marks| marks.impossible)) > 0,
            hints_missing: self.count(|_, r| r.headers.is_some_and(|marks| marks.hints_missing)) > 0,
        }
    }

    /// The first three views, or those up to the first post of a form that was not served.
    fn trail(&self) -> Trail {
        let mut trail = Trail::default();
        for i in 0..self.lines.len() {
            let page = self.request(i).page;
            if trail.views < 3 && self.is_post(i) && !self.form_served(i) {
                trail = Trail { hash: mix(mix(trail.hash, page), 0x504f_5354), views: 3 };
            }
            if trail.views < 3 && self.view[i] {
                trail = Trail { hash: mix(trail.hash, page), views: trail.views + 1 };
            }
        }
        trail
    }

    fn robots_first(&self) -> bool {
        let first = self.request(0);
        let unnamed = first.referrer == ReferrerFacts::Missing;
        first.kind == RequestKind::Robots && first.path == "/robots.txt" && unnamed
    }

    /// Bare and loaded views, and the sums of load probabilities of the bare and of all.
    fn assets(&self, site: &SiteFacts) -> (u32, u32, f64, f64) {
        let waiting = self.waiting(self.lines.len());
        let (mut bare, mut loaded, mut bare_sum, mut sum) = (0, 0, 0.0, 0.0);
        for (position, &i) in waiting.iter().enumerate() {
            let timed_out =
                (i + 1..self.lines.len()).find(|&j| self.lines[i].0 <= self.lines[j].0 - ASSET_WAIT_US);
            let pushed_out = waiting.get(position + 4).copied();
            let end = [timed_out, pushed_out].into_iter().flatten().min().unwrap_or(self.lines.len());
            let request = self.request(i);
            let probability = site.load_probability(request.page, request.directory).unwrap_or(0.0);
            let seen_before = self.views().any(|j| j < i && self.request(j).page == request.page);
            if (i + 1..end).any(|j| self.asset_of(j) == Some(i)) {
                loaded += 1;
                sum += probability;
            } else if !seen_before {
                bare += 1;
                bare_sum += probability;
                sum += probability;
            }
        }
        (bare, loaded, bare_sum, sum)
    }

    /// The view that an asset belongs to.
    fn asset_of(&self, asset: usize) -> Option<usize> {
        if self.request(asset).kind != RequestKind::Asset {
            return None;
        }
        let recent = self.recent(asset);
        match self.request(asset).referrer {
            ReferrerFacts::Internal { page, .. } => recent
                .into_iter()
                .filter(|&j| self.request(j).page == page)
                .max_by_key(|&j| (self.lines[j].0, j)),
            ReferrerFacts::Unobserved => recent.last().copied(),
            ReferrerFacts::External { .. } | ReferrerFacts::Missing => None,
        }
    }
}
