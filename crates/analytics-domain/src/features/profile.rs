//! The fold from which features are read: the detector's profile of a session, and what features need beside it.

use alloc::vec::Vec;

use xxhash_rust::xxh3::xxh3_64;

use super::beacons::Beacons;
use super::config::ZoneOffset;
use super::counts::{DoublingClasses, PageCounts};
use crate::detector::profile::{ASSET_WAIT_US, DistinctPages, GapStats, PATH_HEAD, RecentPage};
use crate::detector::{HeaderMarks, Observation, ReferrerFacts, ServedPages, SessionProfile};
use crate::engagement::EngagementEvent;
use crate::request::{HttpVersion, Method, Probe, RequestKind};
use crate::request_row::{RequestDecision, RequestRow};

/// One session as features see it: at most 12 KiB, however long it is.
///
/// Requests come in the order of their arrival. Those of one time that arrive one after the other, up to 32 of them,
/// are counted in an order of their own content, so that it does not matter in which they came.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureFold {
    zone: ZoneOffset,
    profile: FeatureProfile,
    waiting: Vec<Waiting>,
    waiting_at_us: i64,
}

/// One session at one time, with everything that it was told counted.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct FeatureProfile {
    pub(super) session: SessionProfile,
    served: ServedPages,
    pub(super) methods: MethodCounts,
    pub(super) statuses: StatusCounts,
    pub(super) kinds: [u32; RequestKind::ALL.len()],
    pub(super) images: u32,
    pub(super) night: u32,
    pub(super) referrers_seen: u32,
    pub(super) referrers_missing: u32,
    pub(super) referrers_external: u32,
    pub(super) bytes: u64,
    pub(super) bytes_known: u32,
    pub(super) gaps: GapStats,
    pub(super) gap_classes: DoublingClasses,
    pub(super) pages: PageCounts,
    pub(super) directories: DistinctPages,
    pub(super) depth: Depth,
    pub(super) kind_switches: u32,
    last_kind: Option<RequestKind>,
    pub(super) bursts: u32,
    run: u32,
    last_charged_us: i64,
    pub(super) beacons: Beacons,
    pub(super) early_beacons: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct MethodCounts {
    pub(super) get: u32,
    pub(super) head: u32,
    pub(super) post: u32,
    pub(super) other: u32,
}

/// Answers by the hundred of their status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct StatusCounts {
    pub(super) known: u32,
    pub(super) success: u32,
    pub(super) redirect: u32,
    pub(super) client_error: u32,
    pub(super) server_error: u32,
}

/// How deep the pages lie: the number of parts of their paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Depth {
    pub(super) most: u32,
    sum: u64,
    squares: u64,
    count: u32,
}

/// A request as features see it: what the detector sees, and the size of the answer.
///
/// A request that was refused here counts as what it asked for, and not by the answer, which was ours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FeatureRequest<'a> {
    /// What the detector sees.
    pub seen: Observation<'a>,
    /// The bytes of the answer's content, where known.
    pub bytes: Option<u64>,
}

/// A request that waits until all of its time are there.
#[derive(Debug, Clone, PartialEq)]
struct Waiting {
    head: [u8; PATH_HEAD],
    head_len: u8,
    depth: u16,
    image: bool,
    method: Method,
    kind: RequestKind,
    version: Option<HttpVersion>,
    status: Option<u16>,
    page: u64,
    directory: u64,
    number: Option<u64>,
    probe: Option<Probe>,
    trap: bool,
    referrer: ReferrerFacts,
    campaign: Option<u64>,
    headers: Option<HeaderMarks>,
    bytes: Option<u64>,
}

impl<'a> FeatureRequest<'a> {
    /// The request that a row keeps.
    pub fn of(row: &'a RequestRow) -> Self {
        let seen = row.observation();
        let status = match row.record().decision {
            RequestDecision::Admitted | RequestDecision::WouldRefuse(_) => seen.status,
            RequestDecision::Refused(_) => None,
        };
        Self { seen: Observation { status, ..seen }, bytes: row.record().bytes }
    }
}

impl FeatureFold {
    /// Nothing yet. Nights are those of this zone.
    pub fn new(zone: ZoneOffset) -> Self {
        Self { zone, profile: FeatureProfile::default(), waiting: Vec::new(), waiting_at_us: 0 }
    }

    /// Counts a request, whose time is `now_us` in microseconds since the epoch.
    pub fn observe(&mut self, request: &FeatureRequest<'_>, now_us: i64) {
        if now_us != self.waiting_at_us || self.waiting.len() >= MOST_WAITING {
            self.settle_waiting();
        }
        self.waiting_at_us = now_us;
        self.waiting.push(Waiting::of(request));
    }

    /// Counts an event of engagement. One from before the session, which started at `started_us`, is only counted as
    /// such.
    pub fn engage(&mut self, event: &EngagementEvent, started_us: i64) {
        if event.at().timestamp_micros() < started_us {
            self.profile.early_beacons = self.profile.early_beacons.saturating_add(1);
        } else {
            self.profile.beacons.add(event);
        }
    }

    /// Events of engagement from before the session, which count in no feature.
    pub const fn early_engagement(&self) -> u32 {
        self.profile.early_beacons
    }

    /// The session as it stands, with all that waits counted.
    pub(super) fn whole(&self) -> FeatureProfile {
        let mut whole = self.clone();
        whole.settle_waiting();
        whole.profile.settle_pages(i64::MAX);
        whole.profile
    }

    fn settle_waiting(&mut self) {
        let mut waiting = core::mem::take(&mut self.waiting);
        if waiting.len() > 1 {
            waiting.sort_by_cached_key(Waiting::rank);
        }
        for request in waiting.drain(..) {
            self.profile.count(&request, self.zone, self.waiting_at_us);
        }
        self.waiting = waiting;
    }
}

impl FeatureProfile {
    fn count(&mut self, request: &Waiting, zone: ZoneOffset, now_us: i64) {
        let first = self.session.counts.requests == 0;
        let newest = self.session.last_us;
        let late = !first && now_us < newest;
        self.settle_pages(now_us.saturating_sub(ASSET_WAIT_US));
        let seen = request.observation();
        let effect = self.session.observe(&mut self.served, &seen, now_us);
        if effect.page_view && seen.succeeded() {
            let page = RecentPage {
                page: seen.page,
                directory: seen.directory,
                at_us: now_us,
                new: effect.new_page,
                loaded: false,
            };
            if let Some(left) = self.session.recent.push(page) {
                self.settle_page(&left);
            }
        }
        self.count_what(request, zone, now_us);
        if effect.page_view {
            self.pages.push(seen.page);
            self.directories.insert(seen.directory);
            self.depth.push(request.depth);
        }
        if !first && !late {
            let gap = now_us.saturating_sub(newest);
            self.gaps.push(gap);
            self.gap_classes.push(gap);
        }
        if !late {
            self.kind_switches += u32::from(self.last_kind.is_some_and(|last| last != request.kind));
            self.last_kind = Some(request.kind);
        }
        if request.kind.is_charged(request.status) && !late {
            self.count_run(now_us);
        }
    }

    fn count_what(&mut self, request: &Waiting, zone: ZoneOffset, now_us: i64) {
        let method = match request.method {
            Method::Get => &mut self.methods.get,
            Method::Head => &mut self.methods.head,
            Method::Post => &mut self.methods.post,
            Method::Put | Method::Patch | Method::Delete | Method::Options | Method::Other => {
                &mut self.methods.other
            }
        };
        *method += 1;
        self.kinds[request.kind as usize] += 1;
        self.images += u32::from(request.image);
        self.night += u32::from(zone.is_night(now_us));
        if let Some(status) = request.status {
            let statuses = &mut self.statuses;
            statuses.known += 1;
            statuses.success += u32::from((200..300).contains(&status));
            statuses.redirect += u32::from((300..400).contains(&status));
            statuses.client_error += u32::from((400..500).contains(&status));
            statuses.server_error += u32::from((500..600).contains(&status));
        }
        if request.referrer != ReferrerFacts::Unobserved {
            self.referrers_seen += 1;
            self.referrers_missing += u32::from(request.referrer == ReferrerFacts::Missing);
            self.referrers_external += u32::from(matches!(request.referrer, ReferrerFacts::External { .. }));
        }
        if let Some(bytes) = request.bytes {
            self.bytes = self.bytes.saturating_add(bytes).min(MOST_EXACT);
            self.bytes_known += 1;
        }
    }

    /// A run of charged requests, each at most a second after the one before, is a burst from its third on.
    fn count_run(&mut self, now_us: i64) {
        let within = self.run > 0 && now_us.saturating_sub(self.last_charged_us) <= SECOND_US;
        self.run = if within { self.run + 1 } else { 1 };
        self.bursts += u32::from(self.run == BURST_FROM);
        self.last_charged_us = now_us;
    }

    /// Pages wait for their assets as they do for the detector, without the facts of the site, which are not the
    /// session's own.
    fn settle_pages(&mut self, before_us: i64) {
        while let Some(page) = self.session.recent.settle(before_us) {
            self.settle_page(&page);
        }
    }

    fn settle_page(&mut self, page: &RecentPage) {
        if page.loaded {
            self.session.loaded_pages += 1;
        } else if page.new {
            self.session.bare_pages += 1;
        }
    }

    /// The requests of this kind.
    pub(super) const fn of_kind(&self, kind: RequestKind) -> u32 {
        self.kinds[kind as usize]
    }
}

impl Depth {
    fn push(&mut self, depth: u16) {
        let depth = u64::from(depth);
        self.most = self.most.max(depth as u32);
        self.sum += depth;
        self.squares += depth * depth;
        self.count += 1;
    }

    /// The mean; `None` without a page.
    pub(super) fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / f64::from(self.count))
    }

    /// The standard deviation, not below 0; `None` without a page.
    pub(super) fn deviation(&self) -> Option<f64> {
        let mean = self.mean()?;
        let variance = self.squares as f64 / f64::from(self.count) - mean * mean;
        Some(libm::sqrt(variance.max(0.0)))
    }
}

impl Waiting {
    fn of(request: &FeatureRequest<'_>) -> Self {
        let seen = &request.seen;
        let mut cut = seen.path.len().min(PATH_HEAD);
        while !seen.path.is_char_boundary(cut) {
            cut -= 1;
        }
        let mut head = [0; PATH_HEAD];
        head[..cut].copy_from_slice(&seen.path.as_bytes()[..cut]);
        Self {
            head,
            head_len: cut as u8,
            depth: seen.path.split('/').filter(|part| !part.is_empty()).count().min(usize::from(u16::MAX))
                as u16,
            image: seen.kind == RequestKind::Asset && is_image(seen.path),
            method: seen.method,
            kind: seen.kind,
            version: seen.version,
            status: seen.status,
            page: seen.page,
            directory: seen.directory,
            // Rows keep no longer number, and what is folded from them has to be the same.
            number: seen.number.filter(|&number| i64::try_from(number).is_ok()),
            probe: seen.probe,
            trap: seen.trap,
            referrer: seen.referrer,
            campaign: seen.campaign,
            headers: seen.headers,
            bytes: request.bytes,
        }
    }

    fn observation(&self) -> Observation<'_> {
        Observation {
            method: self.method,
            kind: self.kind,
            version: self.version,
            status: self.status,
            path: core::str::from_utf8(&self.head[..usize::from(self.head_len)])
                .expect("it was cut where a letter ends"),
            page: self.page,
            directory: self.directory,
            number: self.number,
            probe: self.probe,
            trap: self.trap,
            referrer: self.referrer,
            campaign: self.campaign,
            headers: self.headers,
        }
    }

    /// Pages first, as a reader of logs orders them, then by everything that a request says and its answer but for the size:
    /// that is only summed, and not known to all who fold.
    fn rank(&self) -> (bool, u64, u64) {
        let mut bytes = Vec::with_capacity(2 * PATH_HEAD);
        bytes.extend_from_slice(&self.head[..usize::from(self.head_len)]);
        let option = |bytes: &mut Vec<u8>, number: Option<u64>| {
            bytes.push(u8::from(number.is_some()));
            bytes.extend_from_slice(&number.unwrap_or(0).to_le_bytes());
        };
        for number in [
            Some(u64::from(self.depth)),
            Some(self.method as u64),
            Some(self.kind as u64),
            self.version.map(|version| version as u64),
            self.status.map(u64::from),
            Some(self.directory),
            self.number,
            self.probe.map(|probe| (probe.kind as u64) << 8 | probe.strength as u64),
            Some(u64::from(self.trap) << 1 | u64::from(self.image)),
            self.campaign,
            self.headers.map(|marks| u64::from(marks.impossible) << 1 | u64::from(marks.hints_missing)),
        ] {
            option(&mut bytes, number);
        }
        let (kind, value) = match self.referrer {
            ReferrerFacts::Unobserved => (0, 0),
            ReferrerFacts::Missing => (1, 0),
            ReferrerFacts::Internal { page, root } => (2 + u64::from(root), page),
            ReferrerFacts::External { host, shared, spam } => {
                (4 + u64::from(shared) + 2 * u64::from(spam), host)
            }
        };
        option(&mut bytes, Some(kind));
        option(&mut bytes, Some(value));
        (self.kind != RequestKind::Page, self.page, xxh3_64(&bytes))
    }
}

fn is_image(path: &str) -> bool {
    let Some((_, extension)) = path.rsplit_once('.') else { return false };
    ["png", "jpg", "jpeg", "gif", "webp", "avif", "svg", "ico", "bmp"]
        .iter()
        .any(|image| extension.eq_ignore_ascii_case(image))
}

const SECOND_US: i64 = 1_000_000;
const MOST_WAITING: usize = 32;
const BURST_FROM: u32 = 3;
/// Whole numbers up to here are exact as `f64`.
const MOST_EXACT: u64 = 1 << 53;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fold_fits_the_space_promised() {
        let most = size_of::<FeatureFold>() + MOST_WAITING * size_of::<Waiting>() + 256 * 16 * 2;
        assert!(most <= 20 * 1024, "{most} bytes with {} waiting", size_of::<Waiting>());
    }
}
