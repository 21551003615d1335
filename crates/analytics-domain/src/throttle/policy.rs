//! What the throttle is allowed to do, and with which numbers.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::ceiling::CeilingKind;
use super::quota::{LevelShares, Pace, Quota, QuotaPolicy};
use super::{EscalationPolicy, ThrottleLevel};

/// Every number of the throttle, checked, with the quotas prepared for each level.
///
/// Made from [`ThrottleSettings`], which is also its form in a policy file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ThrottleSettings", into = "ThrottleSettings")]
pub struct ThrottlePolicy {
    settings: ThrottleSettings,
    quota: Quota,
    crawler: Quota,
    assets: Quota,
}

/// A [`ThrottlePolicy`] as it is written in a policy file, not yet checked as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ThrottleSettings {
    /// Whether decisions are made, and whether they bind. Default shadow: look first, then enforce.
    pub mode: Mode,
    /// Limit on charged requests of one fingerprint. Default 60 per minute, burst 20.
    pub quota: QuotaPolicy,
    /// Percent of the quota that is left at Warning, 1 to 100. Default 50.
    pub warning_percent: u8,
    /// Percent of the quota that is left at Severe, 1 to `warning_percent`. Default 25.
    pub severe_percent: u8,
    /// Limit of a verified crawler in place of `quota`. Default 600 per minute, burst 200: ten pages a second, above
    /// what the large search engines ask of a site that answers well.
    pub crawler_quota: QuotaPolicy,
    /// Limit on requests that are not charged (assets, beacons, preflights). Default 1,200 per minute, burst 400: a
    /// heavy page has 300 assets.
    pub assets: QuotaPolicy,
    /// When the level rises and falls.
    pub escalation: EscalationPolicy,
    /// Ceiling of one client network, in quotas of one fingerprint, at least 1. Default 20: an office or a household
    /// behind one address.
    pub network_factor: u32,
    /// Ceiling of one IPv6 /56, in quotas, at least `network_factor`. Default 40: what a provider gives one customer.
    pub ipv6_56_factor: u32,
    /// Ceiling of one IPv6 /48, in quotas, at least `ipv6_56_factor`. Default 80: what a provider gives one site.
    pub ipv6_48_factor: u32,
    /// Most quotas that engaged visitors may add to a ceiling, one a visitor. Default 80: with 20 to begin with, 100
    /// people behind one address.
    pub engaged_factor_max: u32,
    /// Jitter added to `Retry-After`, in percent of the wait, 0 to 100. Default 10: clients refused together do not
    /// come back together.
    pub retry_jitter_percent: u8,
}

/// Whether decisions are made, and whether they bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Nothing is decided, recorded or changed.
    Off,
    /// Everything is decided and recorded as if it bound, and every request passes.
    #[default]
    Shadow,
    /// A refused request is refused.
    Enforce,
}

/// Which limit a charged request falls under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaKind {
    /// That of everyone.
    #[default]
    Visitor,
    /// That of a crawler whose claim was verified.
    Crawler,
}

/// A policy holds a number that is out of its range.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{field} must be {rule}, but is {value}")]
pub struct InvalidPolicy {
    field: &'static str,
    rule: &'static str,
    value: f64,
}

impl ThrottlePolicy {
    /// The policy with these settings.
    ///
    /// # Errors
    /// [`InvalidPolicy`] names the first setting that is out of its range, the range and the value.
    pub fn new(settings: ThrottleSettings) -> Result<Self, InvalidPolicy> {
        let shares = LevelShares::new(settings.warning_percent, settings.severe_percent)?;
        at_least("network_factor", settings.network_factor, 1)?;
        at_least("ipv6_56_factor", settings.ipv6_56_factor, settings.network_factor)?;
        at_least("ipv6_48_factor", settings.ipv6_48_factor, settings.ipv6_56_factor)?;
        if settings.retry_jitter_percent > 100 {
            let value = f64::from(settings.retry_jitter_percent);
            return Err(InvalidPolicy::new("retry_jitter_percent", "0 to 100", value));
        }
        let widest = settings.ipv6_48_factor.saturating_add(settings.engaged_factor_max);
        Pace::new(&settings.quota, widest, 100)?;
        let quota = Quota::new(settings.quota, shares)?;
        let crawler = Quota::new(settings.crawler_quota, shares)?;
        let assets = Quota::new(settings.assets, LevelShares::new(100, 100)?)?;
        Ok(Self { settings, quota, crawler, assets })
    }

    /// The settings this was made of.
    pub const fn settings(&self) -> &ThrottleSettings {
        &self.settings
    }

    /// Whether decisions are made, and whether they bind.
    pub const fn mode(&self) -> Mode {
        self.settings.mode
    }

    /// When the level rises and falls.
    pub const fn escalation(&self) -> &EscalationPolicy {
        &self.settings.escalation
    }

    /// The limit on charged requests of this kind.
    pub const fn quota(&self, kind: QuotaKind) -> &Quota {
        match kind {
            QuotaKind::Visitor => &self.quota,
            QuotaKind::Crawler => &self.crawler,
        }
    }

    /// The limit on requests that are not charged; the same at all levels but Blocked.
    pub const fn assets(&self) -> &Quota {
        &self.assets
    }

    pub(crate) const fn asset_pace(&self) -> Pace {
        match self.assets.pace(ThrottleLevel::Normal) {
            Some(pace) => pace,
            None => unreachable!(),
        }
    }

    pub(crate) fn ceiling_pace(&self, kind: CeilingKind, engaged: u32) -> Pace {
        let factor = match kind {
            CeilingKind::Network => self.settings.network_factor,
            CeilingKind::Ipv6Slash56 => self.settings.ipv6_56_factor,
            CeilingKind::Ipv6Slash48 => self.settings.ipv6_48_factor,
        };
        let factor = factor.saturating_add(engaged.min(self.settings.engaged_factor_max));
        Pace::scaled(&self.settings.quota, factor, 100)
    }
}

impl Default for ThrottlePolicy {
    fn default() -> Self {
        Self::new(ThrottleSettings::default()).expect("a test holds that the default settings are accepted")
    }
}

impl Default for ThrottleSettings {
    fn default() -> Self {
        let limit = |requests, burst| {
            QuotaPolicy::new(requests, TimeDelta::minutes(1), burst)
                .expect("a test holds that the default settings are accepted")
        };
        Self {
            mode: Mode::default(),
            quota: QuotaPolicy::default(),
            warning_percent: 50,
            severe_percent: 25,
            crawler_quota: limit(600, 200),
            assets: limit(1_200, 400),
            escalation: EscalationPolicy::default(),
            network_factor: 20,
            ipv6_56_factor: 40,
            ipv6_48_factor: 80,
            engaged_factor_max: 80,
            retry_jitter_percent: 10,
        }
    }
}

impl TryFrom<ThrottleSettings> for ThrottlePolicy {
    type Error = InvalidPolicy;

    fn try_from(settings: ThrottleSettings) -> Result<Self, InvalidPolicy> {
        Self::new(settings)
    }
}

impl From<ThrottlePolicy> for ThrottleSettings {
    fn from(policy: ThrottlePolicy) -> Self {
        policy.settings
    }
}

impl InvalidPolicy {
    pub(crate) const fn new(field: &'static str, rule: &'static str, value: f64) -> Self {
        Self { field, rule, value }
    }

    /// The setting, as it is written in a policy file.
    pub const fn field(&self) -> &'static str {
        self.field
    }
}

pub(crate) fn at_least(field: &'static str, value: u32, least: u32) -> Result<(), InvalidPolicy> {
    if value >= least {
        return Ok(());
    }
    let rule = if least == 1 { "at least 1" } else { "at least the limit of the narrower one before it" };
    Err(InvalidPolicy::new(field, rule, f64::from(value)))
}

/// A share greater than 0 and at most 1.
pub(crate) fn share(field: &'static str, value: f64) -> Result<f64, InvalidPolicy> {
    if value > 0.0 && value <= 1.0 {
        Ok(value)
    } else {
        Err(InvalidPolicy::new(field, "more than 0 and at most 1", value))
    }
}

/// A positive span of at most 366 days, from seconds; rounded to whole microseconds.
pub(crate) fn span(field: &'static str, seconds: f64) -> Result<TimeDelta, InvalidPolicy> {
    let us = libm::round(seconds * 1e6);
    if (1.0..=LONGEST_SPAN_US).contains(&us) {
        Ok(TimeDelta::microseconds(us as i64))
    } else {
        Err(InvalidPolicy::new(field, "seconds, at least 0.000001 and at most 366 days", seconds))
    }
}

pub(crate) fn seconds_of(span: TimeDelta) -> f64 {
    span.num_microseconds().map_or(f64::INFINITY, |us| us as f64 / 1e6)
}

const LONGEST_SPAN_US: f64 = 366.0 * 86_400.0 * 1e6;

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn refused(change: impl FnOnce(&mut ThrottleSettings)) -> &'static str {
        let mut settings = ThrottleSettings::default();
        change(&mut settings);
        ThrottlePolicy::new(settings).unwrap_err().field()
    }

    #[test]
    fn the_default_settings_are_accepted_and_are_those_of_the_default_policy() {
        let policy = ThrottlePolicy::new(ThrottleSettings::default()).unwrap();
        assert_eq!(policy, ThrottlePolicy::default());
        assert_eq!(policy.mode(), Mode::Shadow);
    }

    #[test]
    fn numbers_out_of_range_are_refused_by_name() {
        assert_eq!(refused(|s| s.warning_percent = 101), "warning_percent");
        assert_eq!(refused(|s| s.severe_percent = 51), "severe_percent");
        assert_eq!(refused(|s| s.severe_percent = 0), "severe_percent");
        assert_eq!(refused(|s| s.network_factor = 0), "network_factor");
        assert_eq!(refused(|s| s.ipv6_56_factor = 19), "ipv6_56_factor");
        assert_eq!(refused(|s| s.ipv6_48_factor = 39), "ipv6_48_factor");
        assert_eq!(refused(|s| s.retry_jitter_percent = 101), "retry_jitter_percent");
    }

    #[test]
    fn a_policy_survives_its_written_form() {
        let policy = ThrottlePolicy::default();
        let text = serde_json::to_string(&policy).unwrap();
        assert_eq!(serde_json::from_str::<ThrottlePolicy>(&text).unwrap(), policy);
        assert_eq!(serde_json::from_str::<ThrottlePolicy>("{}").unwrap(), policy);
    }

    #[test]
    fn a_written_policy_with_a_wrong_number_or_an_unknown_name_says_which() {
        let error = |text| serde_json::from_str::<ThrottlePolicy>(text).unwrap_err().to_string();
        assert!(
            error(r#"{"quota":{"requests":0}}"#).starts_with("quota.requests must be at least 1, but is 0")
        );
        assert!(error(r#"{"quota":{"requests":-5}}"#).contains("-5"));
        assert!(
            error(r#"{"quota":{"window_seconds":0}}"#).starts_with("quota.window_seconds must be seconds")
        );
        assert!(error(r#"{"network_facter":3}"#).contains("network_facter"));
        assert!(error(r#"{"escalation":{"error_share":1.5}}"#).starts_with("escalation.error_share must be"));
    }

    #[test]
    fn spans_and_shares_refuse_what_is_not_a_number() {
        for wrong in [f64::NAN, f64::INFINITY, -1.0, 0.0, 4e-7, 366.0 * 86_400.0 + 1.0] {
            assert_eq!(span("x", wrong).unwrap_err().field(), "x");
        }
        assert_eq!(span("x", 1e-6), Ok(TimeDelta::microseconds(1)));
        for wrong in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1.000_001] {
            assert_eq!(share("x", wrong).unwrap_err().field(), "x");
        }
        assert_eq!(share("x", 1.0), Ok(1.0));
    }
}
