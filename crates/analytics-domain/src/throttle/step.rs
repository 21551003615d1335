//! One request in, one decision out.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::gcra::Left;
use super::quota::Pace;
use super::{LevelChange, Mode, QuotaKind, ThrottleLevel, ThrottlePolicy, ThrottleState, instant, micros};

/// Decides about one request, and moves the state of its fingerprint.
///
/// In this order: cooldowns that have ended lower the level; news about this very request may raise it; a ban, a
/// block, the ceiling and the quota of the level may refuse, the first of them that does; then what is known from
/// before, and a refusal for the quota, may raise the level for the next request. What is refused is not charged.
/// What is promised or left is told for the level that the request led to. A request that is not charged costs
/// nothing of the quota and falls under the limit for assets. With mode off nothing changes.
///
/// The promise assumes that nothing is admitted and no reason arises before it. It may turn out late where a
/// cooldown ends first; never early.
pub fn step(
    policy: &ThrottlePolicy,
    state: &mut ThrottleState,
    request: ThrottleRequest,
    now: DateTime<Utc>,
) -> ThrottleDecision {
    step_at(policy, state, request, micros(now))
}

/// As [`step`], with the time as the states keep it.
pub(super) fn step_at(
    policy: &ThrottlePolicy,
    state: &mut ThrottleState,
    request: ThrottleRequest,
    now_us: i64,
) -> ThrottleDecision {
    if policy.mode() == Mode::Off {
        return ThrottleDecision::passing(request.quota, state.level());
    }
    let rules = policy.escalation();
    state.windows.advance(now_us);
    let lowered = state.cool_down(rules, now_us);
    if request.charged {
        state.windows.count_request();
    }
    let mut raised = None;
    if state.is_news(rules, request.evidence) {
        raised = state.consider(rules, request.evidence, now_us);
    }
    let mut verdict = weigh(policy, state, &request, now_us);
    if matches!(verdict, Err((RefusalReason::Quota, _))) {
        state.windows.count_refusal();
    }
    if raised.is_none() {
        // What was known before this request, and its own refusal, weigh on the next one: whoever came at the
        // instant that was promised is admitted.
        raised = state.consider(rules, request.evidence.without_news(), now_us);
        if raised.is_some() {
            verdict = again(policy, state, &request, verdict, now_us);
        }
    }
    let mut answer =
        ThrottleDecision { lowered, raised, ..ThrottleDecision::passing(request.quota, state.level()) };
    match verdict {
        Ok(Some(left)) => {
            let wait = TimeDelta::microseconds(left.wait_us);
            answer.decision =
                Decision::Admit { allowance: Some(Allowance { remaining: left.remaining, wait }) };
        }
        Ok(None) => {}
        Err((reason, retry_us)) => {
            let refusal = Refusal { reason, retry_at: instant(retry_us) };
            match policy.mode() {
                Mode::Enforce => answer.decision = Decision::Refuse(refusal),
                Mode::Shadow | Mode::Off => answer.would_refuse = Some(refusal),
            }
        }
    }
    answer
}

/// Tells the throttle how the server answered a charged request; may raise the level for the share of errors.
///
/// 4xx is the client's, but for 401 (a login that is due) and 429 (a limit, ours or the server's). Do not call it
/// for a request that was refused here, nor for one that was not charged. Replay calls it right after [`step`], live traffic when the
/// response is there.
pub fn observe_status(
    policy: &ThrottlePolicy,
    state: &mut ThrottleState,
    status: u16,
    now: DateTime<Utc>,
) -> Option<LevelChange> {
    observe_status_at(policy, state, status, micros(now))
}

/// As [`observe_status`], with the time as the states keep it.
pub(crate) fn observe_status_at(
    policy: &ThrottlePolicy,
    state: &mut ThrottleState,
    status: u16,
    now_us: i64,
) -> Option<LevelChange> {
    if policy.mode() == Mode::Off || status == 429 {
        return None;
    }
    state.windows.advance(now_us);
    let client_error = (400..500).contains(&status) && status != 401;
    state.windows.count_response(client_error);
    if client_error { state.consider(policy.escalation(), Evidence::default(), now_us) } else { None }
}

/// One request, as far as the throttle is concerned.
///
/// Made by [`ThrottleRequest::charged`] or [`ThrottleRequest::uncharged`]; the rest is filled in by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThrottleRequest {
    /// Whether it is a page view or an API call. Assets, beacons, preflights, 304s and prefetches are not charged.
    pub charged: bool,
    /// The limit it falls under, if charged.
    pub quota: QuotaKind,
    /// What the detector says, with this request counted in.
    pub evidence: Evidence,
    /// End of a ban of the fingerprint or its network that is in force.
    pub banned_until: Option<DateTime<Utc>>,
    /// The instant that a ceiling above the fingerprint promises, where one refuses; see
    /// [`step_within`](super::step_within), which fills it in.
    pub ceiling_until: Option<DateTime<Utc>>,
}

/// What the detector says of the client's session at one request. The default says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// The standing verdict is bot, and hostile. It keeps a level up as long as it stands.
    pub hostile_bot: bool,
    /// Score of the standing verdict, 0 to 100, rounded down.
    pub bot_score: u8,
    /// This very request brought the verdict a signal it did not have. It raises a level, once.
    pub new_signal: bool,
    /// This very request is a decisive hostile fact.
    pub decisive_hostile: bool,
}

/// What to do with one request, and what changed through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThrottleDecision {
    /// What to do now. In shadow mode always to admit.
    pub decision: Decision,
    /// In shadow mode: the refusal that would bind in enforce mode.
    pub would_refuse: Option<Refusal>,
    /// The level after the request.
    pub level: ThrottleLevel,
    /// The limit that the request fell under.
    pub quota: QuotaKind,
    /// Cooldowns that had ended before the request, as one change.
    pub lowered: Option<LevelChange>,
    /// The rise that this request caused.
    pub raised: Option<LevelChange>,
}

/// What to do with one request now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Let it pass.
    Admit {
        /// What is left of the quota; `None` where the request is not charged, or passes in shadow mode only.
        allowance: Option<Allowance>,
    },
    /// Answer 429.
    Refuse(Refusal),
}

/// What is left of a quota after an admitted request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Further requests that would be admitted now.
    pub remaining: u32,
    /// Time until one more would be; zero while `remaining` is not.
    pub wait: TimeDelta,
}

/// A refusal, with its promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Why; for records, never for the client.
    pub reason: RefusalReason,
    /// The instant from which a request is admitted.
    pub retry_at: DateTime<Utc>,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// The fingerprint or its network is banned.
    Banned,
    /// The level is Blocked.
    Blocked,
    /// The client's network is over its ceiling.
    NetworkCeiling,
    /// The fingerprint is over the quota of its level.
    Quota,
    /// Too many requests that are not charged.
    AssetCeiling,
}

impl RefusalReason {
    /// All reasons, as they stand above.
    pub const ALL: [Self; 5] =
        [Self::Banned, Self::Blocked, Self::NetworkCeiling, Self::Quota, Self::AssetCeiling];

    /// The name on the wire and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Banned => "banned",
            Self::Blocked => "blocked",
            Self::NetworkCeiling => "network_ceiling",
            Self::Quota => "quota",
            Self::AssetCeiling => "asset_ceiling",
        }
    }

    /// The reason of this name; nothing for any other text.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

impl ThrottleRequest {
    /// A page view or API call of a visitor, without evidence, ban or ceiling.
    pub const fn charged() -> Self {
        Self {
            charged: true,
            quota: QuotaKind::Visitor,
            evidence: Evidence {
                hostile_bot: false,
                bot_score: 0,
                new_signal: false,
                decisive_hostile: false,
            },
            banned_until: None,
            ceiling_until: None,
        }
    }

    /// An asset, a beacon, or anything else that is not charged.
    pub const fn uncharged() -> Self {
        Self { charged: false, ..Self::charged() }
    }

    /// The same request with this evidence.
    #[must_use]
    pub const fn with_evidence(self, evidence: Evidence) -> Self {
        Self { evidence, ..self }
    }
}

impl Evidence {
    const fn without_news(self) -> Self {
        Self { new_signal: false, decisive_hostile: false, ..self }
    }
}

impl ThrottleDecision {
    const fn passing(quota: QuotaKind, level: ThrottleLevel) -> Self {
        let decision = Decision::Admit { allowance: None };
        Self { decision, would_refuse: None, level, quota, lowered: None, raised: None }
    }

    /// Whether the request is let pass.
    pub const fn is_admitted(&self) -> bool {
        matches!(self.decision, Decision::Admit { .. })
    }

    /// The refusal, whether it binds or is only recorded.
    pub const fn refusal(&self) -> Option<Refusal> {
        match self.decision {
            Decision::Refuse(refusal) => Some(refusal),
            Decision::Admit { .. } => self.would_refuse,
        }
    }

    /// The instant that a refusal promises, whether it binds or is only recorded.
    pub fn retry_at(&self) -> Option<DateTime<Utc>> {
        self.refusal().map(|refusal| refusal.retry_at)
    }

    /// The changes of level, in the order in which they happened.
    pub fn changes(&self) -> impl Iterator<Item = LevelChange> {
        self.lowered.into_iter().chain(self.raised)
    }
}

/// What is left if the request is admitted (and charged), else why not and until when.
fn weigh(
    policy: &ThrottlePolicy,
    state: &mut ThrottleState,
    request: &ThrottleRequest,
    now_us: i64,
) -> Result<Option<Left>, (RefusalReason, i64)> {
    let until = |at: Option<DateTime<Utc>>| at.map(micros).filter(|&end| end > now_us);
    if let Some(end) = until(request.banned_until) {
        return Err((RefusalReason::Banned, end));
    }
    let Some(pace) = policy.quota(request.quota).pace(state.level()) else {
        return Err(promise(policy, state, request.quota, ThrottleLevel::Blocked, now_us));
    };
    if !request.charged {
        let answer = state.assets.charge(policy.asset_pace(), now_us);
        return answer.map(|_| None).map_err(|retry| (RefusalReason::AssetCeiling, retry));
    }
    if let Some(end) = until(request.ceiling_until) {
        return Err((RefusalReason::NetworkCeiling, end));
    }
    state.gcra.charge(pace, now_us).map(Some).map_err(|retry| (RefusalReason::Quota, retry))
}

/// The same answer in the terms of the level that the request led to.
fn again(
    policy: &ThrottlePolicy,
    state: &ThrottleState,
    request: &ThrottleRequest,
    verdict: Result<Option<Left>, (RefusalReason, i64)>,
    now_us: i64,
) -> Result<Option<Left>, (RefusalReason, i64)> {
    match verdict {
        Ok(Some(_)) => Ok(Some(if let Some(pace) = policy.quota(request.quota).pace(state.level()) {
            state.gcra.left(pace, now_us)
        } else {
            let (_, end) = promise(policy, state, request.quota, state.level(), now_us);
            Left { remaining: 0, wait_us: end.saturating_sub(now_us) }
        })),
        Err((RefusalReason::Quota, _)) => Err(promise(policy, state, request.quota, state.level(), now_us)),
        Ok(None)
        | Err((
            RefusalReason::Banned
            | RefusalReason::Blocked
            | RefusalReason::NetworkCeiling
            | RefusalReason::AssetCeiling,
            _,
        )) => verdict,
    }
}

/// The refusal of a client that is over its quota or blocked, at this level.
fn promise(
    policy: &ThrottlePolicy,
    state: &ThrottleState,
    quota: QuotaKind,
    level: ThrottleLevel,
    now_us: i64,
) -> (RefusalReason, i64) {
    let quota = policy.quota(quota);
    let first = |pace: Option<Pace>, from: i64| match pace {
        Some(pace) => state.gcra.peek(pace, from).err().unwrap_or(from),
        None => from,
    };
    if level == ThrottleLevel::Blocked {
        let end = state.due_us(policy.escalation()).unwrap_or(now_us);
        (RefusalReason::Blocked, first(quota.pace(ThrottleLevel::Severe), end))
    } else {
        (RefusalReason::Quota, first(quota.pace(level), now_us))
    }
}
