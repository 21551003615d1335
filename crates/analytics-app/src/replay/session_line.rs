//! One session as a line of JSON.

use analytics_domain::detector::{Class, ModelFinding, Signal};
use analytics_domain::identity::IdentityKey;
use analytics_domain::ids::{FingerprintHash, SessionId, VisitorId};
use analytics_domain::throttle::ThrottleLevel;
use analytics_domain::visit::EndedSession;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::step::Place;
use super::tally::SessionTag;

/// One session, as `--sessions-out` writes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionLine<'a> {
    /// The session.
    pub session_id: SessionId,
    /// The counting identity.
    pub visitor_id: VisitorId,
    /// The abuse identity.
    pub fingerprint: FingerprintHash,
    /// The address of its first request; a replay shows what the log shows.
    pub client_ip: String,
    /// The agent text, at most 512 bytes.
    pub user_agent: &'a str,
    /// Time of the first request.
    pub started_at: DateTime<Utc>,
    /// Time of the last request.
    pub ended_at: DateTime<Utc>,
    /// Why it ended.
    pub end_reason: &'static str,
    /// Requests.
    pub requests: u32,
    /// Page views.
    pub page_views: u32,
    /// Assets.
    pub assets: u32,
    /// Errors 4xx and 5xx.
    pub errors: u32,
    /// Distinct pages; an estimate above 64.
    pub distinct_pages: u32,
    /// From 0 to 100.
    pub score: f64,
    /// What it was taken for.
    pub class: Class,
    /// Whether that is automation.
    pub is_bot: bool,
    /// Whether it means harm.
    pub hostile: bool,
    /// What it declares itself to be, if automation.
    pub declared: Option<DeclaredName<'a>>,
    /// Every signal with its evidence.
    pub signals: &'a [Signal],
    /// What the model found, where one is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<&'a ModelFinding>,
    /// What throttling did, or would have done.
    pub throttle: ThrottleSummary,
    /// The rules that were applied.
    pub ruleset_version: &'static str,
}

/// Declared automation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeclaredName<'a> {
    /// What it says it does.
    pub kind: &'static str,
    /// Its name.
    pub name: &'a str,
}

/// What throttling did in a session, or would have done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ThrottleSummary {
    /// The highest level.
    pub max_level: ThrottleLevel,
    /// Requests refused.
    pub refused: u32,
}

impl<'a> SessionLine<'a> {
    pub(super) fn of(
        key: &IdentityKey,
        site: &str,
        ended: &'a EndedSession<Place>,
        tag: &'a SessionTag,
    ) -> Self {
        let agent = tag.agent.as_deref();
        let user_agent = agent.map_or("", |agent| &agent.text);
        let visitor_id = key.visitor(site, ended.key.network, user_agent);
        let started_at = ended.session.started();
        Self {
            session_id: key.session(visitor_id, started_at.timestamp_micros(), ended.serial),
            visitor_id,
            fingerprint: key.fingerprint(ended.key.network, user_agent, "", ""),
            client_ip: tag.address.map(|address| address.to_string()).unwrap_or_default(),
            user_agent,
            started_at,
            ended_at: ended.session.last(),
            end_reason: ended.reason.as_str(),
            requests: ended.profile.counts.requests,
            page_views: ended.profile.counts.page_views,
            assets: ended.profile.counts.assets,
            errors: ended.profile.counts.errors_4xx + ended.profile.counts.errors_5xx,
            distinct_pages: ended.profile.pages.count(),
            score: ended.verdict.score,
            class: ended.verdict.class,
            is_bot: ended.verdict.class.is_bot(),
            hostile: ended.verdict.hostile,
            declared: agent
                .and_then(|agent| agent.read.declared.as_ref())
                .map(|declared| DeclaredName { kind: declared.kind.as_str(), name: &declared.name }),
            signals: &ended.verdict.signals,
            model: ended.verdict.model.as_ref(),
            throttle: ThrottleSummary {
                max_level: ended.session.max_level,
                refused: ended.session.refused.iter().sum(),
            },
            ruleset_version: ended.verdict.ruleset_version,
        }
    }
}
