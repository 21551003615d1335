//! The numbers of the baseline.

use serde::{Deserialize, Serialize};

use crate::anomaly::UnitScore;

/// Every number of the baseline, checked.
///
/// Made from [`BaselineSettings`], which is also its form in a policy file.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "BaselineSettings", into = "BaselineSettings")]
pub struct BaselinePolicy(BaselineSettings);

/// A [`BaselinePolicy`] as it is written in a policy file, not yet checked as a whole.
///
/// Where no other source is named, a default is a round number from the flat middle of its range: over series of nine
/// kinds, measured and simulated, its neighbours change the benchmark by a few points at most (`docs/anomalies.md`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BaselineSettings {
    /// How long the level remembers, in seconds. Default 2 days: a level shift is the new level by the weekend.
    pub level_seconds: f64,
    /// How long the usual errors remember, in seconds. Default 7 days: each day of the week counts in them.
    pub error_seconds: f64,
    /// Over how long the errors are averaged with their signs, in seconds. Default 2 hours: a leak shows in hours.
    pub lean_seconds: f64,
    /// Over how long the sizes of errors are averaged, in seconds. Default 3 hours.
    pub unrest_seconds: f64,
    /// How long the usual size of each view is remembered, in seconds. Default 60 days.
    pub view_seconds: f64,
    /// Days that an hour of the day is averaged over. Default 4.
    pub day_visits: f64,
    /// Weeks that an hour of the week is averaged over. Default 3.
    pub week_visits: f64,
    /// Times that an hour must have come before it is relied on, this one included; at least 2. Default 3: two make a
    /// habit.
    pub least_visits: u32,
    /// Share of the error of the hours of the day that those of the week must stay below to be used instead, 0 to 1.
    /// Default 0.8: seven times fewer values must be worth it.
    pub week_advantage: f64,
    /// Multiple of what is usual from which on more makes no difference; at least 1. Default 50.
    pub most_scales: f64,
    /// Share of the range of all values that counts as one unit outside of it, above 0. Default 0.025: from two and a
    /// half units on, 6 % of the range, a value never seen speaks; Numenta's own detector takes 5 %.
    pub range_share: f64,
    /// Weight of values that move more than usual, at least 0. Default 2.
    pub unrest_weight: f64,
    /// Weight of values that move less than usual, in that of more, 0 to 1. Default 0.5: calm is rarely a fault.
    pub calm_weight: f64,
    /// Spreads above the usual that say nothing, at least 0. Default 2.5: one of 160 normal values is above.
    pub hinge: f64,
    /// Smallest spread of a view, in natural logarithms, above 0. Default 0.35: what differs by
    /// two fifths is alike.
    pub least_spread: f64,
    /// Power of the number of like surprises that divides, at least 0. Default 1: what came three times
    /// before is a quarter of the news.
    pub rarity_power: f64,
    /// Natural logarithm of how much smaller a like surprise may be, at least 0. Default 0.5, two fifths smaller.
    pub likeness: f64,
    /// How long a surprise is remembered, in seconds. Default 30 days.
    pub rarity_seconds: f64,
    /// How long an incident keeps what is like it from being news, in seconds: after this, less by a factor e. Default
    /// 18 hours: who was told today need not be told again today.
    pub rest_seconds: f64,
    /// Share of a surprise that must be news for it to be counted as one, above 0 to 1. Default 0.3.
    pub counted_share: f64,
    /// Values before the first one that is scored. Default 30: the error of a spread is then 13 %.
    pub warm_up_values: u32,
    /// Surprise that has the score 0.5, above 0. Default 0.07: the best limit over all series measured.
    pub half_surprise: f64,
    /// Score of surprise from which on a value is a hit, above 0 to 1. Default 0.5.
    pub warning_score: f64,
    /// Score of surprise from which on an open anomaly is critical, at least `warning_score`, to 1. Default 0.9: nine
    /// times the surprise of a warning.
    pub critical_score: f64,
    /// Score of surprise below which a value is quiet, above 0, at most `warning_score`. Default 0.3.
    pub quiet_score: f64,
    /// Hits in a row that open an anomaly, at least 1. Default 2.
    pub opening_hits: u32,
    /// Quiet values in a row that close it, at least 1. Default 3.
    pub closing_quiet: u32,
}

/// A baseline policy holds a number that is out of its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field} must be {rule}")]
pub struct InvalidBaselinePolicy {
    field: &'static str,
    rule: &'static str,
}

impl BaselinePolicy {
    /// The policy with these settings.
    ///
    /// # Errors
    /// [`InvalidBaselinePolicy`] names the first setting that is out of its range.
    pub fn new(settings: BaselineSettings) -> Result<Self, InvalidBaselinePolicy> {
        let s = &settings;
        for (field, seconds) in [
            ("level_seconds", s.level_seconds),
            ("error_seconds", s.error_seconds),
            ("lean_seconds", s.lean_seconds),
            ("unrest_seconds", s.unrest_seconds),
            ("view_seconds", s.view_seconds),
            ("rarity_seconds", s.rarity_seconds),
            ("rest_seconds", s.rest_seconds),
        ] {
            check(field, "1 second to 10 years", (1.0..=TEN_YEARS).contains(&seconds))?;
        }
        for (field, visits) in [("day_visits", s.day_visits), ("week_visits", s.week_visits)] {
            check(field, "1 to 1,000", (1.0..=1_000.0).contains(&visits))?;
        }
        check("least_visits", "at least 2", s.least_visits >= 2)?;
        for (field, share) in [("week_advantage", s.week_advantage), ("calm_weight", s.calm_weight)] {
            check(field, "0 to 1", (0.0..=1.0).contains(&share))?;
        }
        check("most_scales", "1 to 1,000,000", (1.0..=1e6).contains(&s.most_scales))?;
        let positive = |value: f64| value > 0.0 && value <= 1e3;
        for (field, value) in [
            ("range_share", s.range_share),
            ("least_spread", s.least_spread),
            ("half_surprise", s.half_surprise),
        ] {
            check(field, "above 0 and at most 1,000", positive(value))?;
        }
        for (field, value) in [
            ("unrest_weight", s.unrest_weight),
            ("hinge", s.hinge),
            ("rarity_power", s.rarity_power),
            ("likeness", s.likeness),
        ] {
            check(field, "0 to 100", (0.0..=100.0).contains(&value))?;
        }
        let share = |value: f64| value > 0.0 && value <= 1.0;
        check("counted_share", "above 0 and at most 1", share(s.counted_share))?;
        check("warning_score", "above 0 and at most 1", share(s.warning_score))?;
        let critical = s.critical_score >= s.warning_score && s.critical_score <= 1.0;
        check("critical_score", "at least warning_score and at most 1", critical)?;
        let quiet = s.quiet_score > 0.0 && s.quiet_score <= s.warning_score;
        check("quiet_score", "above 0 and at most warning_score", quiet)?;
        check("opening_hits", "at least 1", s.opening_hits >= 1)?;
        check("closing_quiet", "at least 1", s.closing_quiet >= 1)?;
        Ok(Self(settings))
    }

    /// The settings this was made of.
    pub const fn settings(&self) -> &BaselineSettings {
        &self.0
    }

    /// The score of a surprise: 0 of 0, 0.5 of `half_surprise`, towards 1.
    pub(super) fn score(&self, surprise: f64) -> UnitScore {
        UnitScore::new(surprise / (surprise + self.0.half_surprise)).unwrap_or_default()
    }
}

impl InvalidBaselinePolicy {
    /// The setting, as it is written in a policy file.
    pub const fn field(&self) -> &'static str {
        self.field
    }
}

impl Default for BaselineSettings {
    fn default() -> Self {
        Self {
            level_seconds: 2.0 * DAY,
            error_seconds: 7.0 * DAY,
            lean_seconds: 2.0 * HOUR,
            unrest_seconds: 3.0 * HOUR,
            view_seconds: 60.0 * DAY,
            day_visits: 4.0,
            week_visits: 3.0,
            least_visits: 3,
            week_advantage: 0.8,
            most_scales: 50.0,
            range_share: 0.025,
            unrest_weight: 2.0,
            calm_weight: 0.5,
            hinge: 2.5,
            least_spread: 0.35,
            rarity_power: 1.0,
            likeness: 0.5,
            rarity_seconds: 30.0 * DAY,
            rest_seconds: 18.0 * HOUR,
            counted_share: 0.3,
            warm_up_values: 30,
            half_surprise: 0.07,
            warning_score: 0.5,
            critical_score: 0.9,
            quiet_score: 0.3,
            opening_hits: 2,
            closing_quiet: 3,
        }
    }
}

impl TryFrom<BaselineSettings> for BaselinePolicy {
    type Error = InvalidBaselinePolicy;

    fn try_from(settings: BaselineSettings) -> Result<Self, InvalidBaselinePolicy> {
        Self::new(settings)
    }
}

impl From<BaselinePolicy> for BaselineSettings {
    fn from(policy: BaselinePolicy) -> Self {
        policy.0
    }
}

const fn check(field: &'static str, rule: &'static str, holds: bool) -> Result<(), InvalidBaselinePolicy> {
    if holds { Ok(()) } else { Err(InvalidBaselinePolicy { field, rule }) }
}

const HOUR: f64 = 3_600.0;
const DAY: f64 = 86_400.0;
const TEN_YEARS: f64 = 3_653.0 * DAY;
