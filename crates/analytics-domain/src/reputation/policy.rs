//! The numbers of reputation and bans.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::FlagReason;
use crate::request::Network;
use crate::throttle::{InvalidPolicy, Mode};

/// Every number of reputation, checked. Made from [`ReputationSettings`], its form in a policy file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ReputationSettings", into = "ReputationSettings")]
pub struct ReputationPolicy {
    settings: ReputationSettings,
    half_life_us: f64,
    flag_minutes: i64,
}

/// A [`ReputationPolicy`] as it is written in a policy file, not yet checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReputationSettings {
    /// Time in which the score drifts half its way back to 50. Default 24 h: a bad day is forgotten in a week.
    pub half_life_seconds: f64,
    /// Charged requests in an hour above which it is a reason, 1 to 10,000. Default 100.
    pub requests_per_hour: u32,
    /// Points that this costs, 0 to 100. Default 10.
    pub high_request_count_points: u8,
    /// Charged requests a minute above which a minute is busy, 1 to 60,000. Default 10.
    pub sustained_per_minute: u32,
    /// Busy minutes without a break that are a reason, 1 to 1,440. Default 60.
    pub sustained_minutes: u16,
    /// Points that this costs, 0 to 100, with those of the hour's count within. Default 15.
    pub sustained_velocity_points: u8,
    /// Sessions in 24 h above which each further one is a reason, 1 to 250. Default 10.
    pub sessions_per_day: u32,
    /// Points that this costs, 0 to 100. Default 20.
    pub excessive_sessions_points: u8,
    /// Score below which it is a reason in itself, 0 to 50. Default 20.
    pub low_score: u8,
    /// Points that a hostile session costs, 0 to 100. Default 20, as much as the worst of the others.
    pub hostile_points: u8,
    /// Points that one page with bound and plausible engagement gives, 0 to 100. Default 5.
    pub engagement_points: u8,
    /// Most points that engagement gives in one UTC day, 0 to 100. Default 25.
    pub engagement_points_per_day: u8,
    /// Time that a flag stays up after its last incident, at least a minute. Default 24 h.
    pub flag_seconds: f64,
    /// Score below which a fingerprint is high risk, 0 to 100. Default 30.
    pub high_risk_score: u8,
    /// Incidents in 24 h from which a fingerprint is high risk, 1 to 3. Default 3.
    pub high_risk_incidents: u8,
    /// When fingerprints and networks are banned.
    pub ban: BanPolicy,
}

/// When fingerprints and networks are banned, and who never is: checked settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "BanSettings", into = "BanSettings")]
pub struct BanPolicy {
    settings: BanSettings,
    first_us: i64,
    longest_us: i64,
    memory_us: i64,
}

/// A [`BanPolicy`] as it is written in a policy file, not yet checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BanSettings {
    /// Off bans nobody; shadow (the default) makes bans that are only listed; enforce makes bans that bind.
    pub mode: Mode,
    /// Incidents in 24 h, one of them hostile, that ban a fingerprint, 2 to 3. Default 3. One incident never does.
    pub incidents: u8,
    /// Length of a first ban. Default 1 h.
    pub first_seconds: f64,
    /// Longest ban that doubling leads to. Default 7 days.
    pub longest_seconds: f64,
    /// Time after the end of a ban in which the next is twice as long. Default 7 days.
    pub memory_seconds: f64,
    /// Share of a network's charged requests in 24 h that must have come from banned fingerprints before the network
    /// is banned, more than 0.5, at most 1. Default 0.9: nine people in ten behind an address are not collateral.
    pub network_share: f64,
    /// Fingerprints of the network with a hostile incident in 24 h that this takes as well, 2 to 3. Default 3.
    pub network_incidents: u8,
    /// Networks that are never banned, beside private ones and trusted proxies. Default none.
    pub never: Vec<Network>,
}

impl ReputationPolicy {
    /// The policy with these settings.
    ///
    /// # Errors
    /// [`InvalidPolicy`] names the first setting that is out of its range, the range and the value.
    pub fn new(settings: ReputationSettings) -> Result<Self, InvalidPolicy> {
        let s = &settings;
        let half_life_us = span_us("reputation.half_life_seconds", s.half_life_seconds)? as f64;
        let flag_us = span_us("reputation.flag_seconds", s.flag_seconds)?;
        if flag_us < 60_000_000 {
            return Err(InvalidPolicy::new("reputation.flag_seconds", "at least 60", s.flag_seconds));
        }
        within("reputation.requests_per_hour", "1 to 10000", s.requests_per_hour, 1, 10_000)?;
        within("reputation.sustained_per_minute", "1 to 60000", s.sustained_per_minute, 1, 60_000)?;
        within("reputation.sustained_minutes", "1 to 1440", s.sustained_minutes, 1, 1_440)?;
        within("reputation.sessions_per_day", "1 to 250", s.sessions_per_day, 1, 250)?;
        within("reputation.low_score", "0 to 50", s.low_score, 0, 50)?;
        within("reputation.high_risk_incidents", "1 to 3", s.high_risk_incidents, 1, 3)?;
        for (field, points) in [
            ("reputation.high_request_count_points", s.high_request_count_points),
            ("reputation.sustained_velocity_points", s.sustained_velocity_points),
            ("reputation.excessive_sessions_points", s.excessive_sessions_points),
            ("reputation.hostile_points", s.hostile_points),
            ("reputation.engagement_points", s.engagement_points),
            ("reputation.engagement_points_per_day", s.engagement_points_per_day),
            ("reputation.high_risk_score", s.high_risk_score),
        ] {
            within(field, "0 to 100", points, 0, 100)?;
        }
        Ok(Self { half_life_us, flag_minutes: flag_us / 60_000_000, settings })
    }

    /// The settings this was made of.
    pub const fn settings(&self) -> &ReputationSettings {
        &self.settings
    }

    /// When fingerprints and networks are banned.
    pub const fn ban(&self) -> &BanPolicy {
        &self.settings.ban
    }

    pub(crate) const fn half_life_us(&self) -> f64 {
        self.half_life_us
    }

    pub(crate) const fn flag_minutes(&self) -> i64 {
        self.flag_minutes
    }

    pub(crate) const fn points(&self, reason: FlagReason) -> u8 {
        match reason {
            FlagReason::HighRequestCount => self.settings.high_request_count_points,
            FlagReason::SustainedVelocity => self.settings.sustained_velocity_points,
            FlagReason::ExcessiveSessions => self.settings.excessive_sessions_points,
            FlagReason::HostileBehaviour => self.settings.hostile_points,
            FlagReason::LowScore | FlagReason::Manual => 0,
        }
    }
}

impl BanPolicy {
    /// The policy with these settings.
    ///
    /// # Errors
    /// [`InvalidPolicy`] names the first setting that is out of its range, the range and the value.
    pub fn new(settings: BanSettings) -> Result<Self, InvalidPolicy> {
        within("ban.incidents", "2 to 3", settings.incidents, 2, 3)?;
        within("ban.network_incidents", "2 to 3", settings.network_incidents, 2, 3)?;
        if !(settings.network_share > 0.5 && settings.network_share <= 1.0) {
            let share = settings.network_share;
            return Err(InvalidPolicy::new("ban.network_share", "more than 0.5 and at most 1", share));
        }
        let first_us = span_us("ban.first_seconds", settings.first_seconds)?;
        let longest_us = span_us("ban.longest_seconds", settings.longest_seconds)?;
        if longest_us < first_us {
            let longest = settings.longest_seconds;
            return Err(InvalidPolicy::new("ban.longest_seconds", "at least ban.first_seconds", longest));
        }
        let memory_us = span_us("ban.memory_seconds", settings.memory_seconds)?;
        Ok(Self { settings, first_us, longest_us, memory_us })
    }

    /// The settings this was made of.
    pub const fn settings(&self) -> &BanSettings {
        &self.settings
    }

    /// Whether bans are made, and whether they bind.
    pub const fn mode(&self) -> Mode {
        self.settings.mode
    }

    pub(crate) const fn memory_us(&self) -> i64 {
        self.memory_us
    }

    /// Length of the ban that is the `nth` in a row, from 1.
    pub(crate) fn length_us(&self, nth: u8) -> i64 {
        let doublings = u32::from(nth.saturating_sub(1)).min(62);
        self.first_us.saturating_mul(1 << doublings).min(self.longest_us)
    }
}

impl Default for ReputationPolicy {
    fn default() -> Self {
        Self::new(ReputationSettings::default()).expect("a test holds that the default settings are accepted")
    }
}

impl Default for ReputationSettings {
    fn default() -> Self {
        Self {
            half_life_seconds: 86_400.0,
            requests_per_hour: 100,
            high_request_count_points: 10,
            sustained_per_minute: 10,
            sustained_minutes: 60,
            sustained_velocity_points: 15,
            sessions_per_day: 10,
            excessive_sessions_points: 20,
            low_score: 20,
            hostile_points: 20,
            engagement_points: 5,
            engagement_points_per_day: 25,
            flag_seconds: 86_400.0,
            high_risk_score: 30,
            high_risk_incidents: 3,
            ban: BanPolicy::default(),
        }
    }
}

impl TryFrom<ReputationSettings> for ReputationPolicy {
    type Error = InvalidPolicy;

    fn try_from(settings: ReputationSettings) -> Result<Self, InvalidPolicy> {
        Self::new(settings)
    }
}

impl From<ReputationPolicy> for ReputationSettings {
    fn from(policy: ReputationPolicy) -> Self {
        policy.settings
    }
}

impl Default for BanPolicy {
    fn default() -> Self {
        Self::new(BanSettings::default()).expect("a test holds that the default settings are accepted")
    }
}

impl Default for BanSettings {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            incidents: 3,
            first_seconds: 3_600.0,
            longest_seconds: 604_800.0,
            memory_seconds: 604_800.0,
            network_share: 0.9,
            network_incidents: 3,
            never: Vec::new(),
        }
    }
}

impl TryFrom<BanSettings> for BanPolicy {
    type Error = InvalidPolicy;

    fn try_from(settings: BanSettings) -> Result<Self, InvalidPolicy> {
        Self::new(settings)
    }
}

impl From<BanPolicy> for BanSettings {
    fn from(policy: BanPolicy) -> Self {
        policy.settings
    }
}

fn span_us(field: &'static str, seconds: f64) -> Result<i64, InvalidPolicy> {
    let span = crate::throttle::span(field, seconds)?;
    Ok(span.num_microseconds().expect("366 days have fewer than 2^63 microseconds"))
}

fn within<T: Into<u32>>(
    field: &'static str,
    rule: &'static str,
    value: T,
    least: u32,
    most: u32,
) -> Result<(), InvalidPolicy> {
    let value = value.into();
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(InvalidPolicy::new(field, rule, f64::from(value)))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn the_defaults_are_accepted_and_survive_their_written_form() {
        let policy = ReputationPolicy::new(ReputationSettings::default()).unwrap();
        assert_eq!(policy, ReputationPolicy::default());
        let text = serde_json::to_string(&policy).unwrap();
        assert_eq!(serde_json::from_str::<ReputationPolicy>(&text).unwrap(), policy);
        assert_eq!(serde_json::from_str::<ReputationPolicy>("{}").unwrap(), policy);
        assert_eq!(BanPolicy::new(BanSettings::default()), Ok(BanPolicy::default()));
    }

    #[test]
    fn settings_out_of_range_are_refused_by_name() {
        let refused = |change: fn(&mut ReputationSettings)| {
            let mut settings = ReputationSettings::default();
            change(&mut settings);
            ReputationPolicy::new(settings).unwrap_err().field()
        };
        assert_eq!(refused(|s| s.half_life_seconds = f64::NAN), "reputation.half_life_seconds");
        assert_eq!(refused(|s| s.half_life_seconds = 0.0), "reputation.half_life_seconds");
        assert_eq!(refused(|s| s.flag_seconds = 59.0), "reputation.flag_seconds");
        assert_eq!(refused(|s| s.requests_per_hour = 0), "reputation.requests_per_hour");
        assert_eq!(refused(|s| s.requests_per_hour = 10_001), "reputation.requests_per_hour");
        assert_eq!(refused(|s| s.sustained_per_minute = 0), "reputation.sustained_per_minute");
        assert_eq!(refused(|s| s.sustained_minutes = 0), "reputation.sustained_minutes");
        assert_eq!(refused(|s| s.sessions_per_day = 251), "reputation.sessions_per_day");
        assert_eq!(refused(|s| s.low_score = 51), "reputation.low_score");
        assert_eq!(refused(|s| s.hostile_points = 101), "reputation.hostile_points");
        assert_eq!(refused(|s| s.high_risk_incidents = 4), "reputation.high_risk_incidents");
        let refused = |change: fn(&mut BanSettings)| {
            let mut settings = BanSettings::default();
            change(&mut settings);
            BanPolicy::new(settings).unwrap_err().field()
        };
        assert_eq!(refused(|s| s.incidents = 1), "ban.incidents");
        assert_eq!(refused(|s| s.network_incidents = 4), "ban.network_incidents");
        assert_eq!(refused(|s| s.network_share = 0.5), "ban.network_share");
        assert_eq!(refused(|s| s.network_share = f64::NAN), "ban.network_share");
        assert_eq!(refused(|s| s.first_seconds = -1.0), "ban.first_seconds");
        assert_eq!(refused(|s| s.longest_seconds = 3_599.0), "ban.longest_seconds");
        assert_eq!(refused(|s| s.memory_seconds = 0.0), "ban.memory_seconds");
    }

    #[test]
    fn a_written_policy_names_what_it_does_not_know() {
        let error = serde_json::from_str::<ReputationPolicy>(r#"{"half_live":1}"#).unwrap_err().to_string();
        assert!(error.contains("half_live"));
    }
}
