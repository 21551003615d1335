//! What a verdict is about.

use super::observation::AgentFacts;
use super::profile::SessionProfile;
use crate::features::FeatureFold;
use crate::site::SiteFacts;

/// Everything that the signals read: one session, its agent, what is remembered of its visitor, and the site's facts.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The session's running statistics.
    pub profile: &'a SessionProfile,
    /// The agent.
    pub agent: &'a AgentFacts,
    /// What is remembered from before this session, and of the visitor's neighbours.
    pub history: &'a History,
    /// The site, as of the last closed minute.
    pub site: &'a SiteFacts,
    /// The session as features see it, where a model is to speak of it.
    pub features: Option<&'a FeatureFold>,
}

/// What is remembered of a visitor from before its session, and what is known of its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct History {
    /// Sessions of the fingerprint in the last 24 h, this one included.
    pub sessions_in_day: u32,
    /// Sessions with pages that ended without any asset, in a row.
    pub bare_sessions: u16,
    /// Asset loads that those sessions let expect and that never came.
    pub expected_loads: f32,
    /// Whether the visitor ever loaded an asset.
    pub ever_loaded: bool,
    /// Whether the fingerprint is flagged.
    pub flagged: bool,
    /// Addresses of the small network around this one that share the agent and load nothing, this one included.
    pub network_addresses: u16,
    /// Agents that this address used without loading anything, this one included.
    pub agents_of_address: u16,
    /// How evenly sessions start.
    pub starts: StartRhythm,
    /// The page shared most above chance with others of the same agent.
    pub shared: SharedView,
}

/// Running statistics of the time between session starts.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StartRhythm {
    /// Number of starts.
    pub starts: u16,
    last_us: i64,
    mean_s: f32,
    m2: f32,
}

impl StartRhythm {
    /// Notes that a session starts.
    pub fn push(&mut self, now_us: i64) {
        if self.starts > 0 {
            let gap = (now_us - self.last_us).max(0) as f32 / 1e6;
            let n = f32::from(self.starts);
            let delta = gap - self.mean_s;
            self.mean_s += delta / n;
            self.m2 += delta * (gap - self.mean_s);
        }
        self.last_us = now_us;
        self.starts = self.starts.saturating_add(1);
    }

    /// Standard deviation ÷ mean of the gaps between starts, at least 0; `None` with fewer than two gaps.
    pub fn coefficient_of_variation(&self) -> Option<f64> {
        let gaps = f32::from(self.starts) - 1.0;
        (gaps >= 2.0 && self.mean_s > 0.0)
            .then(|| f64::from(libm::sqrtf(self.m2.max(0.0) / gaps) / self.mean_s))
    }
}

/// How many bare visitors share an agent and a page, and how many would by chance.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SharedView {
    /// Visitors seen.
    pub seen: u32,
    /// Visitors to be expected if agent and page were independent; at least 0.
    pub expected: f32,
}

impl SharedView {
    /// Looks at one more page and keeps the pair furthest above chance.
    pub fn consider(&mut self, site: &SiteFacts, agent: u64, page: u64) {
        let (seen, expected) = site.shared_views(agent, page);
        let candidate = Self { seen, expected: expected as f32 };
        if candidate.excess() > self.excess() {
            *self = candidate;
        }
    }

    /// How many times chance the pair was seen.
    pub fn excess(self) -> f64 {
        f64::from(self.seen) / f64::from(self.expected).max(0.1)
    }
}

impl Subject<'_> {
    /// Whether the subject has never loaded what browsers load, though a person with its agent would have.
    ///
    /// Never for declared automation, nor for browsers that show text only.
    pub fn bare(&self) -> bool {
        self.agent.declared.is_none()
            && !self.agent.text_only
            && !self.profile.loads()
            && !self.history.ever_loaded
    }

    /// Whether it is [bare](Self::bare) and had time to be otherwise: a page waited for its assets in vain, now or in a
    /// session before, or no page was shown at all.
    pub fn settled_bare(&self) -> bool {
        let waited = self.profile.bare_pages > 0 || self.history.bare_sessions > 0;
        self.bare() && (waited || self.profile.counts.page_views == 0)
    }
}
