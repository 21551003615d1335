//! One request of one visitor: the whole hot path, composed.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use chrono::{DateTime, Utc};

use super::output::{BannedPart, Output};
use super::visitor::{EndedSession, OpenSession, Settled, Visitor};
use crate::detector::profile::{ASSET_WAIT_US, TrackerMarks};
use crate::detector::{BehavioralBotDetector, Observation};
use crate::features::{FeatureFold, FeatureRequest};
use crate::ids::FingerprintHash;
use crate::reputation::{
    self, ChargedFacts, FlagReason, HumanClearance, NetworkFacts, NetworkReputation, ReputationChange,
    ReputationPolicy,
};
use crate::request::Network;
use crate::session::{EndReason, SessionPolicy};
use crate::site::{Finding, SiteFacts};
use crate::throttle::{
    self, Ceiling, Evidence, QuotaKind, ThrottleDecision, ThrottlePolicy, ThrottleRequest,
};

/// Every rule that a request meets.
#[derive(Debug, Clone, Default)]
pub struct VisitPolicy {
    /// Where sessions begin and end.
    pub session: SessionPolicy,
    /// How sessions are scored.
    pub detector: BehavioralBotDetector,
    /// Limits and levels.
    pub throttle: ThrottlePolicy,
    /// Flags and bans.
    pub reputation: ReputationPolicy,
    /// Networks of the site's own proxies, which are never banned.
    pub trusted_proxies: Vec<Network>,
}

/// What one request led to.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and any of them can hold together"
)]
pub struct Step {
    /// What to do with the request, and the level.
    pub decision: ThrottleDecision,
    /// Whether a session began with it.
    pub opened: bool,
    /// Whether its visitor was not known before.
    pub new_visitor: bool,
    /// Whether it counted as a page view.
    pub page_view: bool,
    /// Whether the verdict was weighed again.
    pub assessed: bool,
}

/// What surrounds a visitor, as far as a step needs it.
#[derive(Debug)]
pub(super) struct Surroundings<'a> {
    /// Addresses of the small network around that share the agent and load nothing.
    pub(super) network_addresses: u16,
    /// Agents of the address that load nothing.
    pub(super) agents_of_address: u16,
    /// What is remembered of the network.
    pub(super) network: &'a mut NetworkReputation,
    /// The ceilings above the fingerprint.
    pub(super) ceilings: &'a mut [Ceiling<'a>],
}

impl<T: Default> Visitor<T> {
    /// Whether the open session goes on with a request at `now_us`; why it ends, if not.
    pub(super) fn boundary(
        &self,
        policy: &SessionPolicy,
        request: &Observation<'_>,
        now_us: i64,
    ) -> Option<EndReason> {
        let session = self.session.as_ref()?;
        let campaign = SessionPolicy::is_another_campaign(session.campaign, request.campaign);
        policy.boundary_micros(session.started_us, session.last_us, campaign, now_us)
    }

    /// Opens a session with a request at `now`.
    pub(super) fn open(
        &mut self,
        policy: &VisitPolicy,
        request: &Observation<'_>,
        now: DateTime<Utc>,
        out: &mut Output<T>,
    ) {
        let now_us = now.timestamp_micros();
        let facts = ChargedFacts { hostile: false, protected: self.protected };
        let change = reputation::observe_session_start(&policy.reputation, &mut self.reputation, facts, now);
        self.raise(change, out);
        self.history.flagged = self.reputation.is_flagged(&policy.reputation, now);
        self.history.starts.push(now_us);
        self.history.sessions_in_day = self.starts.push(now);
        self.features = policy.detector.model().map(|model| Box::new(FeatureFold::new(model.zone())));
        self.session = Some(OpenSession {
            started_us: now_us,
            last_us: now_us,
            campaign: request.campaign,
            max_level: self.throttle.level(),
            refused: [0; 4],
        });
    }

    /// Ends the open session: settles what waits, weighs it for the last time, and starts afresh.
    pub(super) fn end(
        &mut self,
        policy: &VisitPolicy,
        site: &SiteFacts,
        reason: EndReason,
        out: &mut Output<T>,
    ) {
        let Some(session) = self.session.take() else { return };
        self.settle(site, i64::MAX, &mut out.findings);
        let verdict = policy.detector.explain(&self.subject(site));
        if self.profile.counts.page_views > 0 {
            if self.bare_browser() {
                self.history.bare_sessions = self.history.bare_sessions.saturating_add(1);
                self.history.expected_loads += self.profile.expected_loads as f32;
            } else {
                self.history.bare_sessions = 0;
            }
        }
        self.features = None;
        let profile = mem::take(&mut self.profile);
        out.ended.push(EndedSession {
            key: self.key,
            serial: self.serial,
            session,
            reason,
            profile,
            verdict,
            tag: mem::take(&mut self.tag),
        });
        self.assessment = crate::detector::Assessment::default();
        self.serial = self.serial.wrapping_add(1);
    }

    /// Counts the request, weighs the session where a figure moved, and decides.
    pub(super) fn step(
        &mut self,
        policy: &VisitPolicy,
        site: &SiteFacts,
        around: &mut Surroundings<'_>,
        request: &Observation<'_>,
        now_us: i64,
        out: &mut Output<T>,
    ) -> Step {
        let settled = self.settle(site, now_us.saturating_sub(ASSET_WAIT_US), &mut out.findings);
        let effect = self.profile.observe(&mut self.served, request, now_us);
        if let Some(features) = &mut self.features {
            features.observe(&FeatureRequest { seen: *request, bytes: None }, now_us);
        }
        if effect.first_asset {
            self.history.ever_loaded = true;
            if self.settled == Settled::Bare {
                self.note_settled(&mut out.findings);
            }
        }
        if effect.page_view {
            self.after_view(site, request, effect.new_page, now_us, &mut out.findings);
        }
        self.report(request, &effect, &mut out.findings);
        self.history.network_addresses = around.network_addresses;
        self.history.agents_of_address = around.agents_of_address;
        let assessed = effect.moved || settled;
        let mut evidence = Evidence::default();
        if assessed {
            let before = self.assessment;
            self.assessment = policy.detector.assess(&self.subject(site));
            evidence.new_signal = self.assessment.signals.gained(before.signals);
            evidence.decisive_hostile = self.assessment.decisive_hostile && !before.decisive_hostile;
        }
        evidence.hostile_bot = self.assessment.class.is_bot() && self.assessment.hostile;
        evidence.bot_score = self.assessment.score as u8;
        let decision = self.decide(policy, around, request, evidence, now_us, out);
        Step { decision, opened: false, new_visitor: false, page_view: effect.page_view, assessed }
    }

    fn after_view(
        &mut self,
        site: &SiteFacts,
        request: &Observation<'_>,
        new: bool,
        now_us: i64,
        findings: &mut Vec<Finding>,
    ) {
        if self.bare_browser() {
            self.history.shared.consider(site, self.agent.hash, request.page);
        }
        if !request.succeeded() {
            return;
        }
        let Some(left) = self.profile.await_assets(site, request, new, now_us) else { return };
        let loader = self.profile.loads() || self.history.ever_loaded;
        super::visitor::report_view(&self.agent, loader, &left, &mut self.history.shared, site, findings);
        if self.agent.browser {
            self.note_settled(findings);
        }
    }

    fn report(
        &self,
        request: &Observation<'_>,
        effect: &crate::detector::profile::Effect,
        findings: &mut Vec<Finding>,
    ) {
        if effect.new_page && !request.redirected() {
            findings.push(Finding::Page { page: request.page });
        }
        if let Some(without_referrer) = effect.inner_view
            && self.agent.browser
            && self.profile.loads()
        {
            findings.push(Finding::InnerView { without_referrer });
        }
        if let Some(trail) = effect.trail
            && self.bare_browser()
        {
            findings.push(Finding::Trail { trail });
        }
    }

    fn decide(
        &mut self,
        policy: &VisitPolicy,
        around: &mut Surroundings<'_>,
        request: &Observation<'_>,
        evidence: Evidence,
        now_us: i64,
        out: &mut Output<T>,
    ) -> ThrottleDecision {
        let charged = request.charged();
        let quota = if self.agent.declared.is_some()
            && self.agent.verification == crate::detector::Verification::Verified
        {
            QuotaKind::Crawler
        } else {
            QuotaKind::Visitor
        };
        let asked = ThrottleRequest {
            quota,
            evidence,
            banned_until: self.ban_in_force(policy, around.network, now_us),
            ..if charged { ThrottleRequest::charged() } else { ThrottleRequest::uncharged() }
        };
        let decision =
            throttle::step_within_at(&policy.throttle, around.ceilings, &mut self.throttle, asked, now_us);
        for change in [decision.lowered, decision.raised].into_iter().flatten() {
            out.levels.push((self.key, change));
        }
        if charged {
            self.remember(policy, around.network, now_us, out);
        }
        let refusal = decision.refusal();
        if charged
            && refusal.is_none()
            && let Some(change) = request.status.and_then(|status| {
                throttle::observe_status_at(&policy.throttle, &mut self.throttle, status, now_us)
            })
        {
            out.levels.push((self.key, change));
        }
        if let Some(session) = &mut self.session {
            session.max_level = session.max_level.max(decision.level).max(self.throttle.level());
            session.refused[decision.level as usize] += u32::from(refusal.is_some());
            if !matches!(decision.decision, throttle::Decision::Refuse(_)) {
                session.last_us = session.last_us.max(now_us);
            }
        }
        decision
    }
}

impl<T: Default> Visitor<T> {
    /// Counts the answer to a request that was stepped without a status.
    pub(super) fn answered(
        &mut self,
        policy: &VisitPolicy,
        request: &Observation<'_>,
        now: DateTime<Utc>,
        out: &mut Output<T>,
    ) {
        self.profile.answered(request);
        let Some(status) = request.status.filter(|_| request.charged()) else { return };
        if let Some(change) = throttle::observe_status(&policy.throttle, &mut self.throttle, status, now) {
            out.levels.push((self.key, change));
            if let Some(session) = &mut self.session {
                session.max_level = session.max_level.max(change.to);
            }
        }
    }

    /// Takes in what the tracker told, and weighs the open session again; signs of a person mend the reputation. Answers
    /// whether they are the visitor's first of the day.
    pub(super) fn tracked(
        &mut self,
        policy: &VisitPolicy,
        site: &SiteFacts,
        report: TrackerMarks,
        now: DateTime<Utc>,
    ) -> bool {
        let marks = &mut self.profile.tracker;
        marks.automated |= report.automated;
        marks.implausible |= report.implausible;
        marks.engaged |= report.engaged;
        let person = report.engaged && !report.automated && !report.implausible;
        let first = person && reputation::observe_engagement(&policy.reputation, &mut self.reputation, now);
        self.assessment = policy.detector.assess(&self.subject(site));
        first
    }

    /// Takes the visitor for a person, since somebody labelled its session so: level, flags and ban go.
    pub(super) fn clear_as_human(&mut self, policy: &VisitPolicy, now: DateTime<Utc>) -> HumanClearance {
        self.history.flagged = false;
        reputation::clear_as_human(&policy.reputation, &mut self.throttle, &mut self.reputation, now)
    }
}

impl<T: Default> Visitor<T> {
    /// The end of a ban that binds now, of the fingerprint or of its network.
    fn ban_in_force(
        &self,
        policy: &VisitPolicy,
        network: &NetworkReputation,
        now_us: i64,
    ) -> Option<DateTime<Utc>> {
        let own = self.reputation.binding_ban_at(&policy.reputation, now_us);
        own.max(network.binding_ban_at(policy.reputation.ban(), now_us))
    }

    /// Counts one charged request in what is remembered of the fingerprint and of its network.
    fn remember(
        &mut self,
        policy: &VisitPolicy,
        network: &mut NetworkReputation,
        now_us: i64,
        out: &mut Output<T>,
    ) {
        let facts = ChargedFacts { hostile: self.assessment.hostile, protected: self.protected };
        let change = reputation::observe_charged_at(&policy.reputation, &mut self.reputation, facts, now_us);
        self.raise(change, out);
        let facts = NetworkFacts {
            // Only compared with others of the same network, so the hashes of the key serve.
            fingerprint: FingerprintHash::from_u128(
                u128::from(self.key.agent) << 64 | u128::from(self.key.headers),
            ),
            from_banned: self.reputation.banned_at(now_us),
            hostile_incident: change.raised.contains(FlagReason::HostileBehaviour),
            protected: self.protected,
        };
        if let Some(term) = reputation::observe_network_at(policy.reputation.ban(), network, facts, now_us) {
            out.bans.push((BannedPart::Network(self.key.network), term));
        }
    }

    fn raise(&mut self, change: ReputationChange, out: &mut Output<T>) {
        if !change.raised.is_empty() {
            self.history.flagged = true;
            out.flags.push((self.key, change.raised));
        }
        if let Some(term) = change.ban {
            out.bans.push((BannedPart::Fingerprint(self.key), term));
        }
    }
}
