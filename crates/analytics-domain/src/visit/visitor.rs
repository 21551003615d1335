//! All that is remembered of one visitor, in one place.

use alloc::boxed::Box;

use chrono::{DateTime, Utc};

use super::lists::Place;
use super::step::VisitPolicy;
use crate::detector::{AgentFacts, Assessment, History, ServedPages, SessionProfile, Subject, Verdict};
use crate::features::FeatureFold;
use crate::reputation::ReputationState;
use crate::request::ClientNetwork;
use crate::session::EndReason;
use crate::site::{Finding, SiteFacts};
use crate::throttle::{ThrottleLevel, ThrottleState, instant};

/// Who sends a request, as hashes: what a shard finds a visitor's state by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientKey {
    /// The client network.
    pub network: ClientNetwork,
    /// Hash of the agent text.
    pub agent: u64,
    /// Hash of Accept-Language and JA4, or 0 where the source records neither.
    pub headers: u64,
}

/// Who sends a request: what a shard finds the visitor by, and what is read from the agent.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    /// The client network.
    pub network: ClientNetwork,
    /// Hash of Accept-Language and JA4, or 0 where the source records neither.
    pub headers: u64,
    /// What is read from the agent text.
    pub agent: &'a AgentFacts,
}

impl Client<'_> {
    /// The key of the client's state.
    pub const fn key(&self) -> ClientKey {
        ClientKey { network: self.network, agent: self.agent.hash, headers: self.headers }
    }
}

/// One visitor: its open session, what is remembered from before, and its standing.
///
/// `T` is what the host keeps beside a session, such as texts; the rules never look at it.
#[derive(Debug)]
pub struct Visitor<T> {
    pub(super) key: ClientKey,
    /// The slot of its network.
    pub(super) home: u32,
    pub(super) agent: AgentFacts,
    pub(super) session: Option<OpenSession>,
    pub(super) serial: u32,
    /// The time of the shard when the visitor's newest request came; never before that of one who came earlier.
    pub(super) last: DateTime<Utc>,
    pub(super) profile: SessionProfile,
    pub(super) served: ServedPages,
    pub(super) history: History,
    pub(super) starts: SessionStarts,
    pub(super) assessment: Assessment,
    pub(super) settled: Settled,
    pub(super) throttle: ThrottleState,
    pub(super) reputation: ReputationState,
    /// Never banned: a private network, a trusted proxy, an allow-listed network or a verified crawler.
    pub(super) protected: bool,
    /// The open session as features see it, where a model is to speak of it.
    pub(super) features: Option<Box<FeatureFold>>,
    pub(super) tag: T,
}

/// The session that is open now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenSession {
    /// In microseconds since the epoch, as every step compares them.
    pub(super) started_us: i64,
    pub(super) last_us: i64,
    /// The campaign it came with.
    pub campaign: Option<u64>,
    /// The highest level of throttling it saw.
    pub max_level: ThrottleLevel,
    /// Requests refused at each level, mildest first (in shadow mode: that would have been).
    pub refused: [u32; 4],
}

impl OpenSession {
    /// When its first request came.
    pub fn started(&self) -> DateTime<Utc> {
        instant(self.started_us)
    }

    /// When its newest request came that was let pass, or its first where none was.
    pub fn last(&self) -> DateTime<Utc> {
        instant(self.last_us)
    }
}

/// A session that ended, whole.
#[derive(Debug, Clone, PartialEq)]
pub struct EndedSession<T> {
    /// Whose session it was.
    pub key: ClientKey,
    /// Which session of this visitor, from 0.
    pub serial: u32,
    /// When it started and was last active, and what it saw of throttling.
    pub session: OpenSession,
    /// Why it ended.
    pub reason: EndReason,
    /// Its statistics.
    pub profile: SessionProfile,
    /// What it was taken for, with every reason.
    pub verdict: Verdict,
    /// What the host kept beside it.
    pub tag: T,
}

/// Whether a visitor with pages turned out to load assets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Settled {
    #[default]
    Open,
    Bare,
    Loader,
}

/// The last eight session starts, in whole minutes since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct SessionStarts {
    minutes: [u32; 8],
    next: u8,
    count: u8,
}

impl<T: Default> Visitor<T> {
    pub(super) fn new(key: ClientKey, home: u32, agent: AgentFacts, protected: bool) -> Self {
        Self {
            key,
            home,
            agent,
            session: None,
            serial: 0,
            last: DateTime::UNIX_EPOCH,
            profile: SessionProfile::default(),
            served: ServedPages::default(),
            history: History::default(),
            starts: SessionStarts::default(),
            assessment: Assessment::default(),
            settled: Settled::Open,
            throttle: ThrottleState::default(),
            reputation: ReputationState::default(),
            protected,
            features: None,
            tag: T::default(),
        }
    }
}

impl<T> Visitor<T> {
    /// Whose state this is.
    pub const fn key(&self) -> &ClientKey {
        &self.key
    }

    /// The session that is open now, if one is.
    pub const fn session(&self) -> Option<&OpenSession> {
        self.session.as_ref()
    }

    /// Which session of this visitor is open or was last, from 0.
    pub const fn serial(&self) -> u32 {
        self.serial
    }

    /// What the open session is taken for now.
    pub const fn assessment(&self) -> &Assessment {
        &self.assessment
    }

    /// The statistics of the open session.
    pub const fn profile(&self) -> &SessionProfile {
        &self.profile
    }

    /// The level of throttling.
    pub fn level(&self) -> ThrottleLevel {
        self.throttle.level()
    }

    /// What is remembered of its conduct.
    pub const fn reputation(&self) -> &ReputationState {
        &self.reputation
    }

    /// Flags it until a person clears it; what is remembered of its conduct now.
    pub fn flag(&mut self) -> ReputationState {
        self.reputation.flag();
        self.history.flagged = true;
        self.reputation
    }

    /// What the host keeps beside the open session.
    pub const fn tag(&self) -> &T {
        &self.tag
    }

    /// What the host keeps beside the open session, to change it.
    pub const fn tag_mut(&mut self) -> &mut T {
        &mut self.tag
    }

    pub(super) fn subject<'a>(&'a self, site: &'a SiteFacts) -> Subject<'a> {
        let features = self.features.as_deref();
        Subject { profile: &self.profile, agent: &self.agent, history: &self.history, site, features }
    }

    /// The list that the visitor stands in at `now_us`: what it would lose by leaving.
    pub(super) fn place(&self, policy: &VisitPolicy, now_us: i64) -> Place {
        let open = self.session.is_some();
        let banned = self.reputation.banned_at(now_us);
        match self.throttle.level_at_us(policy.throttle.escalation(), now_us) {
            _ if banned && open => Place::Barred,
            _ if banned => Place::BarredIdle,
            ThrottleLevel::Blocked if open => Place::Barred,
            ThrottleLevel::Blocked => Place::BarredIdle,
            ThrottleLevel::Warning | ThrottleLevel::Severe if open => Place::Watched,
            ThrottleLevel::Warning | ThrottleLevel::Severe => Place::WatchedIdle,
            ThrottleLevel::Normal if open && self.history.flagged => Place::Watched,
            ThrottleLevel::Normal if open => Place::Open,
            ThrottleLevel::Normal => Place::Idle,
        }
    }

    pub(super) fn is_bare(&self) -> bool {
        self.settled == Settled::Bare
    }

    pub(super) fn bare_browser(&self) -> bool {
        self.agent.browser && !self.profile.loads() && !self.history.ever_loaded
    }

    /// Settles page views older than `before_us` and reports what they tell of the site. Returns whether any did.
    pub(super) fn settle(
        &mut self,
        site: &SiteFacts,
        before_us: i64,
        findings: &mut alloc::vec::Vec<Finding>,
    ) -> bool {
        if !self.profile.recent.waiting() {
            return false;
        }
        let agent = self.agent;
        let loader = self.profile.loads() || self.history.ever_loaded;
        let shared = &mut self.history.shared;
        let moved = self.profile.settle(site, before_us, |page| {
            report_view(&agent, loader, page, shared, site, findings);
        });
        if moved && agent.browser {
            self.note_settled(findings);
        }
        moved
    }

    /// Moves the visitor to bare or loader once a page of it has settled, and tells the site. Once a loader, it stays
    /// one.
    pub(super) fn note_settled(&mut self, findings: &mut alloc::vec::Vec<Finding>) {
        let loader = self.profile.loads() || self.history.ever_loaded;
        let http10 = self.profile.versions.http10;
        let released = self.agent.released.map(|day| crate::detector::month_of_days(day) as u16);
        let agent = self.agent.hash;
        match (self.settled, loader) {
            (Settled::Open, true) => findings.push(Finding::Settled { agent, bare: false, http10, released }),
            (Settled::Open, false) => findings.push(Finding::Settled { agent, bare: true, http10, released }),
            (Settled::Bare, true) => findings.push(Finding::Turned { agent, http10, released }),
            (Settled::Bare, false) | (Settled::Loader, _) => {}
        }
        let stays = self.settled == Settled::Loader;
        self.settled = if loader || stays { Settled::Loader } else { Settled::Bare };
    }
}

/// Tells the site what a settled page view shows: loads by those who load, company among those who do not.
pub(super) fn report_view(
    agent: &AgentFacts,
    loader: bool,
    page: &crate::detector::profile::RecentPage,
    shared: &mut crate::detector::SharedView,
    site: &SiteFacts,
    findings: &mut alloc::vec::Vec<Finding>,
) {
    if !agent.browser {
        return;
    }
    if loader {
        findings.push(Finding::View { page: page.page, directory: page.directory, with_asset: page.loaded });
    } else {
        shared.consider(site, agent.hash, page.page);
        if page.new {
            findings.push(Finding::BareView { agent: agent.hash, page: page.page });
        }
    }
}

impl SessionStarts {
    /// Notes a start and answers how many there were in the 24 h up to it; at most 8.
    pub(super) fn push(&mut self, now: DateTime<Utc>) -> u32 {
        let minute = (now.timestamp().div_euclid(60)).clamp(0, i64::from(u32::MAX)) as u32;
        self.minutes[usize::from(self.next)] = minute;
        self.next = (self.next + 1) % 8;
        self.count = (self.count + 1).min(8);
        let recent = |&&start: &&u32| start.saturating_add(24 * 60) > minute && start <= minute;
        self.minutes[..usize::from(self.count)].iter().filter(recent).count() as u32
    }
}
