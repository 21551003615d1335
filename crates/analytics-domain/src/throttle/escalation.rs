//! What raises a level, what lowers it, and the words for both.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::ThrottleLevel;
use super::policy::{InvalidPolicy, seconds_of, share, span};

/// What is known against a client at one moment, counted since its last change of level.
///
/// [`EscalationCriteria::reason`] weighs it; the default is a client of whom nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EscalationCriteria {
    /// The standing verdict is bot, and hostile.
    pub hostile_bot: bool,
    /// Score of the standing verdict, 0 to 100, rounded down. Weighed in the preset [`EscalationPolicy::seed`] only.
    pub bot_score: u8,
    /// The verdict gained a signal since the last change of level.
    pub new_signal: bool,
    /// A decisive hostile fact (a trap address, three probe paths) came since the last change of level.
    pub decisive_hostile: bool,
    /// Charged requests of the last minute. Weighed in the preset [`EscalationPolicy::seed`] only.
    pub requests_per_minute: u32,
    /// Charged requests of the last minute that were over the client's own quota.
    pub refusals_per_minute: u32,
    /// Charged requests of the last five minutes whose status is known.
    pub responses: u32,
    /// Those of them that failed through the client: 4xx, but not 401 and 429.
    pub client_errors: u32,
}

/// Why a level changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LevelReason {
    /// A decisive hostile fact.
    DecisiveFact,
    /// Too many requests over the quota within a minute.
    Refusals,
    /// Too large a share of client errors.
    ErrorShare,
    /// Too many requests within a minute, whatever the quota (preset `seed`).
    RequestRate,
    /// The session was judged a hostile bot.
    HostileVerdict,
    /// The verdict's score reached the limit (preset `seed`).
    BotScore,
    /// The cooldown passed without a reason.
    CooledDown,
    /// A person said that this is a person.
    LabelledHuman,
}

impl LevelReason {
    /// The name on the wire and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DecisiveFact => "decisive_fact",
            Self::Refusals => "refusals",
            Self::ErrorShare => "error_share",
            Self::RequestRate => "request_rate",
            Self::HostileVerdict => "hostile_verdict",
            Self::BotScore => "bot_score",
            Self::CooledDown => "cooled_down",
            Self::LabelledHuman => "labelled_human",
        }
    }
}

/// One change of level, for the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelChange {
    /// The level before.
    pub from: ThrottleLevel,
    /// The level after.
    pub to: ThrottleLevel,
    /// Why.
    pub reason: LevelReason,
    /// When; for a cooldown the instant at which it ended, which may be long before the request that showed it.
    pub at: DateTime<Utc>,
}

/// When the level rises and falls: checked settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "EscalationSettings", into = "EscalationSettings")]
pub struct EscalationPolicy {
    settings: EscalationSettings,
    min_dwell_us: i64,
    warning_cooldown_us: i64,
    severe_cooldown_us: i64,
    blocked_cooldown_us: i64,
    blocked_cooldown_max_us: i64,
    block_memory_us: i64,
}

/// An [`EscalationPolicy`] as it is written in a policy file, not yet checked.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EscalationSettings {
    /// Shortest time between a change of level and the next rise. Default 30 s: a burst of one page's requests is
    /// one piece of evidence.
    pub min_dwell_seconds: f64,
    /// Whether refusals are a reason. Default true.
    pub refusals: bool,
    /// Refusals within a minute that are a reason, 1 to 255. Default 10: a client that reads `Retry-After` makes
    /// one or two.
    pub refusals_per_minute: u32,
    /// Share of client errors above which it is a reason, more than 0, at most 1. Default 0.5, the seed's.
    pub error_share: f64,
    /// Responses with a known status that are needed for the share; it counts with *more* than these. Default 20,
    /// the seed's.
    pub error_min_responses: u32,
    /// Whether a verdict "bot and hostile" is a reason. Default true.
    pub hostile_verdict: bool,
    /// Whether a decisive hostile fact jumps to Severe. Default true.
    pub decisive_facts: bool,
    /// Verdict score (0 to 100) from which it is a reason; `None` (the default) never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bot_score: Option<u8>,
    /// Charged requests a minute above which it is a reason, even inside the quota; `None` (the default) never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u32>,
    /// Time at Warning without a reason after which it ends. Default 1 min. At least `min_dwell_seconds`, as are the
    /// others.
    pub warning_cooldown_seconds: f64,
    /// Time at Severe without a reason after which it becomes Warning. Default 5 min.
    pub severe_cooldown_seconds: f64,
    /// Time at Blocked after which it becomes Severe, for a first block. Default 15 min.
    pub blocked_cooldown_seconds: f64,
    /// Longest block that doubling leads to. Default 24 h.
    pub blocked_cooldown_max_seconds: f64,
    /// Time after the end of a block in which the next one is twice as long. Default 24 h.
    pub block_memory_seconds: f64,
}

/// The level to which these criteria raise, and why; `None` if they are no reason or cannot raise it further.
///
/// A decisive fact raises to at least Severe; every reason raises by at least one level, but a verdict or score alone
/// never past Severe.
pub fn determine_level(
    policy: &EscalationPolicy,
    level: ThrottleLevel,
    criteria: &EscalationCriteria,
) -> Option<(ThrottleLevel, LevelReason)> {
    let reason = criteria.reason(policy, level)?;
    let to = match reason {
        LevelReason::DecisiveFact => level.stricter().max(ThrottleLevel::Severe),
        LevelReason::HostileVerdict | LevelReason::BotScore => level.stricter().min(ThrottleLevel::Severe),
        LevelReason::Refusals | LevelReason::ErrorShare | LevelReason::RequestRate => level.stricter(),
        LevelReason::CooledDown | LevelReason::LabelledHuman => return None,
    };
    (to > level).then_some((to, reason))
}

impl EscalationCriteria {
    /// Client errors ÷ responses, 0 to 1; `None` without a response.
    pub fn error_share(&self) -> Option<f64> {
        (self.responses > 0).then(|| f64::from(self.client_errors) / f64::from(self.responses))
    }

    /// The strongest reason in these criteria to raise this level, in the order of [`LevelReason`].
    ///
    /// A verdict or score counts when it gained a signal since the last change, and at Normal always: a client that
    /// is still judged hostile does not stay there. At Blocked nothing is a reason.
    pub fn reason(&self, policy: &EscalationPolicy, level: ThrottleLevel) -> Option<LevelReason> {
        if level == ThrottleLevel::Blocked {
            return None;
        }
        let rules = &policy.settings;
        if rules.decisive_facts && self.decisive_hostile {
            return Some(LevelReason::DecisiveFact);
        }
        if let Some(reason) = self.measured_reason(policy) {
            return Some(reason);
        }
        let news = self.new_signal || level == ThrottleLevel::Normal;
        self.standing_reason(policy).filter(|_| news)
    }

    /// A reason that was counted: refusals, errors, rate.
    pub(crate) fn measured_reason(&self, policy: &EscalationPolicy) -> Option<LevelReason> {
        let rules = &policy.settings;
        if rules.refusals && self.refusals_per_minute >= rules.refusals_per_minute {
            return Some(LevelReason::Refusals);
        }
        let share = rules.error_share * f64::from(self.responses);
        if self.responses > rules.error_min_responses && f64::from(self.client_errors) > share {
            return Some(LevelReason::ErrorShare);
        }
        if rules.requests_per_minute.is_some_and(|limit| self.requests_per_minute > limit) {
            return Some(LevelReason::RequestRate);
        }
        None
    }

    /// A reason that lasts as long as the verdict does.
    pub(crate) fn standing_reason(&self, policy: &EscalationPolicy) -> Option<LevelReason> {
        let rules = &policy.settings;
        if rules.hostile_verdict && self.hostile_bot {
            return Some(LevelReason::HostileVerdict);
        }
        rules.bot_score.is_some_and(|limit| self.bot_score >= limit).then_some(LevelReason::BotScore)
    }
}

impl EscalationPolicy {
    /// The policy with these settings.
    ///
    /// # Errors
    /// [`InvalidPolicy`] names the first setting that is out of its range, the range and the value.
    pub fn new(settings: EscalationSettings) -> Result<Self, InvalidPolicy> {
        share("escalation.error_share", settings.error_share)?;
        let refusals = settings.refusals_per_minute;
        if refusals == 0 || refusals > 255 {
            let value = f64::from(refusals);
            return Err(InvalidPolicy::new("escalation.refusals_per_minute", "1 to 255", value));
        }
        if let Some(score) = settings.bot_score.filter(|&score| score > 100) {
            return Err(InvalidPolicy::new("escalation.bot_score", "0 to 100", f64::from(score)));
        }
        let min_dwell = span("escalation.min_dwell_seconds", settings.min_dwell_seconds)?;
        let no_shorter = |field, seconds, least: TimeDelta| {
            let long = span(field, seconds)?;
            if long < least {
                return Err(InvalidPolicy::new(
                    field,
                    "no shorter than the dwell and the first block",
                    seconds,
                ));
            }
            Ok(micros_of(long))
        };
        let blocked =
            no_shorter("escalation.blocked_cooldown_seconds", settings.blocked_cooldown_seconds, min_dwell)?;
        Ok(Self {
            settings,
            min_dwell_us: micros_of(min_dwell),
            warning_cooldown_us: no_shorter(
                "escalation.warning_cooldown_seconds",
                settings.warning_cooldown_seconds,
                min_dwell,
            )?,
            severe_cooldown_us: no_shorter(
                "escalation.severe_cooldown_seconds",
                settings.severe_cooldown_seconds,
                min_dwell,
            )?,
            blocked_cooldown_us: blocked,
            blocked_cooldown_max_us: no_shorter(
                "escalation.blocked_cooldown_max_seconds",
                settings.blocked_cooldown_max_seconds,
                TimeDelta::microseconds(blocked),
            )?,
            block_memory_us: micros_of(span(
                "escalation.block_memory_seconds",
                settings.block_memory_seconds,
            )?),
        })
    }

    /// The criteria that the seed names: score of 50 and more, more than 30 requests a minute, more than half errors
    /// with more than 20 requests.
    ///
    /// It punishes a rate that the default quota allows. Choose it to compare with what the seed did.
    #[expect(clippy::missing_panics_doc, reason = "a test holds that the preset is accepted")]
    pub fn seed() -> Self {
        Self::new(EscalationSettings {
            refusals: false,
            hostile_verdict: false,
            decisive_facts: false,
            bot_score: Some(50),
            requests_per_minute: Some(30),
            ..EscalationSettings::default()
        })
        .expect("a test holds that the preset is accepted")
    }

    /// The settings this was made of.
    pub const fn settings(&self) -> &EscalationSettings {
        &self.settings
    }

    pub(crate) const fn min_dwell_us(&self) -> i64 {
        self.min_dwell_us
    }

    pub(crate) const fn block_memory_us(&self) -> i64 {
        self.block_memory_us
    }

    /// Time without a reason after which this level falls; `blocks` counts the blocks that doubled on each other.
    pub(crate) fn cooldown_us(&self, level: ThrottleLevel, blocks: u8) -> Option<i64> {
        match level {
            ThrottleLevel::Normal => None,
            ThrottleLevel::Warning => Some(self.warning_cooldown_us),
            ThrottleLevel::Severe => Some(self.severe_cooldown_us),
            ThrottleLevel::Blocked => {
                let doubled = 1i64.checked_shl(u32::from(blocks.saturating_sub(1))).unwrap_or(i64::MAX);
                let length = self.blocked_cooldown_us.saturating_mul(doubled.max(1));
                Some(length.min(self.blocked_cooldown_max_us))
            }
        }
    }
}

impl Default for EscalationPolicy {
    fn default() -> Self {
        Self::new(EscalationSettings::default()).expect("a test holds that the default settings are accepted")
    }
}

impl Default for EscalationSettings {
    fn default() -> Self {
        Self {
            min_dwell_seconds: 30.0,
            refusals: true,
            refusals_per_minute: 10,
            error_share: 0.5,
            error_min_responses: 20,
            hostile_verdict: true,
            decisive_facts: true,
            bot_score: None,
            requests_per_minute: None,
            warning_cooldown_seconds: 60.0,
            severe_cooldown_seconds: 300.0,
            blocked_cooldown_seconds: 900.0,
            blocked_cooldown_max_seconds: 86_400.0,
            block_memory_seconds: 86_400.0,
        }
    }
}

impl TryFrom<EscalationSettings> for EscalationPolicy {
    type Error = InvalidPolicy;

    fn try_from(settings: EscalationSettings) -> Result<Self, InvalidPolicy> {
        Self::new(settings)
    }
}

impl From<EscalationPolicy> for EscalationSettings {
    fn from(policy: EscalationPolicy) -> Self {
        policy.settings
    }
}

/// Microseconds of a span that [`span`] or [`seconds_of`] can say.
fn micros_of(span: TimeDelta) -> i64 {
    span.num_microseconds().unwrap_or_else(|| (seconds_of(span) * 1e6) as i64)
}
