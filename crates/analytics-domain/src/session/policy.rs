//! When a request starts another session, and why sessions end.

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// The numbers that cut a visitor's requests into sessions.
///
/// The default is a gap of 30 minutes, a length of at most 24 hours, a cut at every new campaign, no lateness, and
/// engagement for up to 24 hours. 30 minutes and 24 hours are what most web analytics use, so figures can be compared.
///
/// ```
/// use analytics_domain::session::{EndReason, SessionPolicy};
/// use chrono::{DateTime, TimeDelta, Utc};
///
/// let policy = SessionPolicy::default();
/// let start = DateTime::<Utc>::UNIX_EPOCH;
/// let gap = TimeDelta::minutes(30);
/// assert_eq!(policy.boundary(start, start, false, start + gap), Some(EndReason::Inactive));
/// assert_eq!(policy.boundary(start, start, false, start + gap - TimeDelta::microseconds(1)), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PolicySeconds", into = "PolicySeconds")]
pub struct SessionPolicy {
    gap: i64,
    max_length: i64,
    lateness: i64,
    engagement_window: i64,
    split_on_campaign: bool,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Nothing came for the policy's gap.
    Inactive,
    /// It had lasted for the policy's greatest length.
    TooLong,
    /// A request brought another campaign.
    Campaign,
    /// The host said so: a log-out, for example.
    Explicit,
    /// An operator withdrew it; no request ever joins it again.
    Revoked,
    /// The memory it stood in was needed for others.
    Evicted,
}

/// Why numbers are not a [`SessionPolicy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSessionPolicy {
    /// The gap is not positive, so that every request would be a session.
    #[error("the session gap must be longer than nothing")]
    NoGap,
    /// The greatest length is shorter than the gap.
    #[error("the greatest session length must be at least the gap")]
    ShorterThanGap,
    /// The lateness or the engagement window is negative.
    #[error("the lateness and the engagement window must not be negative")]
    Negative,
    /// A duration is longer than 366 days.
    #[error("no duration of a session policy may pass 366 days")]
    TooLong,
}

/// A text read back from somewhere is not the name of an [`EndReason`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an end reason is inactive, too_long, campaign, explicit, revoked or evicted")]
pub struct UnknownEndReason;

impl SessionPolicy {
    /// The policy with this gap and this greatest length; everything else as in the default.
    ///
    /// Parts below a microsecond are dropped.
    ///
    /// # Errors
    /// [`InvalidSessionPolicy`]: `NoGap` for a gap under 1 µs, `ShorterThanGap` for a length under the gap, `TooLong`
    /// for more than 366 days.
    pub fn new(gap: TimeDelta, max_length: TimeDelta) -> Result<Self, InvalidSessionPolicy> {
        let default = Self::default();
        let (gap, max_length) = (micros(gap)?, micros(max_length)?);
        if gap <= 0 {
            Err(InvalidSessionPolicy::NoGap)
        } else if max_length < gap {
            Err(InvalidSessionPolicy::ShorterThanGap)
        } else {
            Ok(Self { gap, max_length, ..default })
        }
    }

    /// The same policy, cutting or not cutting at a new campaign. Default: it cuts, since a campaign's report counts
    /// the sessions that it brought.
    #[must_use]
    pub const fn with_split_on_campaign(self, split_on_campaign: bool) -> Self {
        Self { split_on_campaign, ..self }
    }

    /// The same policy, waiting this much longer before a clean-up ends an idle session. Default: nothing.
    ///
    /// Rows of a log come late, in a real one by up to a minute; replay sets this to its reorder buffer (120 s).
    ///
    /// # Errors
    /// [`InvalidSessionPolicy`]: `Negative`, or `TooLong` for more than 366 days.
    pub fn with_lateness(self, lateness: TimeDelta) -> Result<Self, InvalidSessionPolicy> {
        Ok(Self { lateness: not_negative(lateness)?, ..self })
    }

    /// The same policy, taking engagement for a session until this long after its last activity. Default: 24 h, since a
    /// page stays open in a tab for that long.
    ///
    /// # Errors
    /// [`InvalidSessionPolicy`]: `Negative`, or `TooLong` for more than 366 days.
    pub fn with_engagement_window(self, window: TimeDelta) -> Result<Self, InvalidSessionPolicy> {
        Ok(Self { engagement_window: not_negative(window)?, ..self })
    }

    /// Whether a request that this campaign led to, if one did, comes by another than the session did.
    pub fn is_another_campaign(of_session: Option<u64>, of_request: Option<u64>) -> bool {
        of_request.is_some() && of_request != of_session
    }

    /// Why a request at `now` starts another session than the one before it, or `None` when it belongs to that one.
    ///
    /// A silence of exactly the gap starts another session. A session may last exactly its greatest length, and not a
    /// microsecond more. When several reasons hold, silence is named before length, and length before campaign. A
    /// `now` before `last_activity` or `started` is a late request: it adds no gap and no length.
    pub fn boundary(
        &self,
        started: DateTime<Utc>,
        last_activity: DateTime<Utc>,
        campaign_changed: bool,
        now: DateTime<Utc>,
    ) -> Option<EndReason> {
        let now = now.timestamp_micros();
        self.boundary_micros(
            started.timestamp_micros(),
            last_activity.timestamp_micros(),
            campaign_changed,
            now,
        )
    }

    /// [`SessionPolicy::boundary`] on microseconds since the epoch, for states that keep their times so.
    ///
    /// Differences that do not fit 64 bits count as the greatest or smallest that do.
    pub const fn boundary_micros(
        &self,
        started: i64,
        last_activity: i64,
        campaign_changed: bool,
        now: i64,
    ) -> Option<EndReason> {
        if now.saturating_sub(last_activity) >= self.gap {
            Some(EndReason::Inactive)
        } else if now.saturating_sub(started) > self.max_length {
            Some(EndReason::TooLong)
        } else if campaign_changed && self.split_on_campaign {
            Some(EndReason::Campaign)
        } else {
            None
        }
    }

    /// The latest last activity that a clean-up at `now` ends: `now` less gap and lateness.
    ///
    /// A session whose last activity is exactly this is ended. `None` when that time is before all that a calendar
    /// holds, which ends nothing.
    pub fn idle_since(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        now.checked_sub_signed(TimeDelta::microseconds(self.gap + self.lateness))
    }

    /// The latest last activity of a session that a request at `now` no longer joins: `now` less the gap, and no
    /// lateness. `None` when that time is before all that a calendar holds.
    pub fn silent_since(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        now.checked_sub_signed(self.gap())
    }

    /// The silence that starts another session; at least 1 µs, default 30 min.
    pub const fn gap(&self) -> TimeDelta {
        TimeDelta::microseconds(self.gap)
    }

    /// The longest that a session lasts; at least the gap, default 24 h.
    pub const fn max_length(&self) -> TimeDelta {
        TimeDelta::microseconds(self.max_length)
    }

    /// How much longer than the gap a clean-up waits; default nothing.
    pub const fn lateness(&self) -> TimeDelta {
        TimeDelta::microseconds(self.lateness)
    }

    /// For how long after the last activity engagement still joins; default 24 h.
    pub const fn engagement_window(&self) -> TimeDelta {
        TimeDelta::microseconds(self.engagement_window)
    }

    /// Whether another campaign starts another session; default yes.
    pub const fn splits_on_campaign(&self) -> bool {
        self.split_on_campaign
    }
}

impl Default for SessionPolicy {
    fn default() -> Self {
        Self {
            gap: 30 * 60 * MICROS_PER_SECOND,
            max_length: 24 * 3_600 * MICROS_PER_SECOND,
            lateness: 0,
            engagement_window: 24 * 3_600 * MICROS_PER_SECOND,
            split_on_campaign: true,
        }
    }
}

impl EndReason {
    /// All reasons, in the order of their declaration.
    pub const ALL: [Self; 6] =
        [Self::Inactive, Self::TooLong, Self::Campaign, Self::Explicit, Self::Revoked, Self::Evicted];

    /// The name on the wire and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::TooLong => "too_long",
            Self::Campaign => "campaign",
            Self::Explicit => "explicit",
            Self::Revoked => "revoked",
            Self::Evicted => "evicted",
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EndReason {
    type Err = UnknownEndReason;

    fn from_str(text: &str) -> Result<Self, UnknownEndReason> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text).ok_or(UnknownEndReason)
    }
}

/// How a policy is written in configuration: whole seconds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PolicySeconds {
    gap_seconds: Seconds<1>,
    max_length_seconds: Seconds<1>,
    split_on_campaign: bool,
    lateness_seconds: Seconds<0>,
    engagement_window_seconds: Seconds<0>,
}

/// So many seconds, from the least to 366 days: each refused by itself, so that a reader can say where it stands.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
struct Seconds<const LEAST: i64>(i64);

impl<const LEAST: i64> TryFrom<i64> for Seconds<LEAST> {
    type Error = String;

    fn try_from(seconds: i64) -> Result<Self, String> {
        let most = LONGEST.num_seconds();
        let allowed = (LEAST..=most).contains(&seconds);
        allowed
            .then_some(Self(seconds))
            .ok_or_else(|| format!("must be {LEAST} to {most} seconds, not {seconds}"))
    }
}

impl<const LEAST: i64> From<Seconds<LEAST>> for i64 {
    fn from(seconds: Seconds<LEAST>) -> Self {
        seconds.0
    }
}

impl<const LEAST: i64> Seconds<LEAST> {
    const fn of(duration: TimeDelta) -> Self {
        Self(duration.num_seconds())
    }

    const fn duration(self) -> TimeDelta {
        TimeDelta::seconds(self.0)
    }
}

impl Default for PolicySeconds {
    fn default() -> Self {
        SessionPolicy::default().into()
    }
}

impl From<SessionPolicy> for PolicySeconds {
    fn from(policy: SessionPolicy) -> Self {
        Self {
            gap_seconds: Seconds::of(policy.gap()),
            max_length_seconds: Seconds::of(policy.max_length()),
            split_on_campaign: policy.split_on_campaign,
            lateness_seconds: Seconds::of(policy.lateness()),
            engagement_window_seconds: Seconds::of(policy.engagement_window()),
        }
    }
}

impl TryFrom<PolicySeconds> for SessionPolicy {
    type Error = InvalidSessionPolicy;

    fn try_from(written: PolicySeconds) -> Result<Self, InvalidSessionPolicy> {
        Self::new(written.gap_seconds.duration(), written.max_length_seconds.duration())?
            .with_split_on_campaign(written.split_on_campaign)
            .with_lateness(written.lateness_seconds.duration())?
            .with_engagement_window(written.engagement_window_seconds.duration())
    }
}

fn not_negative(duration: TimeDelta) -> Result<i64, InvalidSessionPolicy> {
    let micros = micros(duration)?;
    if micros < 0 { Err(InvalidSessionPolicy::Negative) } else { Ok(micros) }
}

fn micros(duration: TimeDelta) -> Result<i64, InvalidSessionPolicy> {
    if duration > LONGEST {
        return Err(InvalidSessionPolicy::TooLong);
    }
    // A duration too negative for 64 bits is as refused as any other negative one.
    Ok(duration.num_microseconds().unwrap_or(i64::MIN))
}

const MICROS_PER_SECOND: i64 = 1_000_000;
/// Keeps every sum and difference of a policy far from the ends of 64 bits.
const LONGEST: TimeDelta = TimeDelta::days(366);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MICRO: TimeDelta = TimeDelta::microseconds(1);

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn a_gap_of_exactly_30_minutes_starts_another_session() {
        let policy = SessionPolicy::default();
        let edge = at(0) + TimeDelta::minutes(30);
        assert_eq!(policy.boundary(at(0), at(0), false, edge - MICRO), None);
        assert_eq!(policy.boundary(at(0), at(0), false, edge), Some(EndReason::Inactive));
    }

    #[test]
    fn a_session_lasts_exactly_24_hours_and_not_a_microsecond_more() {
        let policy = SessionPolicy::default();
        let edge = at(0) + TimeDelta::hours(24);
        let last = edge - TimeDelta::minutes(1);
        assert_eq!(policy.boundary(at(0), last, false, edge), None);
        assert_eq!(policy.boundary(at(0), last, false, edge + MICRO), Some(EndReason::TooLong));
    }

    #[test]
    fn another_campaign_starts_another_session_unless_switched_off() {
        let policy = SessionPolicy::default();
        assert_eq!(policy.boundary(at(0), at(0), true, at(1)), Some(EndReason::Campaign));
        assert_eq!(policy.with_split_on_campaign(false).boundary(at(0), at(0), true, at(1)), None);
    }

    #[test]
    fn silence_is_named_before_length_and_length_before_campaign() {
        let policy = SessionPolicy::default();
        let late = at(0) + TimeDelta::hours(25);
        assert_eq!(policy.boundary(at(0), at(0), true, late), Some(EndReason::Inactive));
        assert_eq!(policy.boundary(at(0), late, true, late), Some(EndReason::TooLong));
    }

    #[test]
    fn a_late_request_adds_no_gap_and_no_length() {
        assert_eq!(SessionPolicy::default().boundary(at(100_000), at(100_000), false, at(0)), None);
    }

    #[test]
    fn idle_sessions_end_at_gap_plus_lateness() {
        let policy = SessionPolicy::default().with_lateness(TimeDelta::seconds(120)).unwrap();
        assert_eq!(policy.idle_since(at(10_000)), Some(at(10_000 - 1_800 - 120)));
        assert_eq!(policy.silent_since(at(10_000)), Some(at(10_000 - 1_800)));
        assert_eq!(policy.idle_since(DateTime::<Utc>::MIN_UTC), None);
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused_with_the_reason() {
        let (second, day) = (TimeDelta::seconds(1), TimeDelta::days(1));
        assert_eq!(SessionPolicy::new(TimeDelta::zero(), day), Err(InvalidSessionPolicy::NoGap));
        assert_eq!(SessionPolicy::new(TimeDelta::MIN, day), Err(InvalidSessionPolicy::NoGap));
        assert_eq!(SessionPolicy::new(second, second - MICRO), Err(InvalidSessionPolicy::ShorterThanGap));
        assert_eq!(SessionPolicy::new(second, LONGEST + MICRO), Err(InvalidSessionPolicy::TooLong));
        assert_eq!(SessionPolicy::new(second, TimeDelta::MAX), Err(InvalidSessionPolicy::TooLong));
        assert_eq!(SessionPolicy::default().with_lateness(-MICRO), Err(InvalidSessionPolicy::Negative));
        assert_eq!(
            SessionPolicy::default().with_engagement_window(-MICRO),
            Err(InvalidSessionPolicy::Negative)
        );
    }

    #[test]
    fn the_default_is_accepted_by_the_constructor_and_survives_configuration() {
        let default = SessionPolicy::default();
        assert_eq!(SessionPolicy::new(TimeDelta::minutes(30), TimeDelta::hours(24)), Ok(default));
        assert_eq!(serde_json::from_str::<SessionPolicy>("{}").unwrap(), default);
        let text = serde_json::to_string(&default).unwrap();
        assert_eq!(serde_json::from_str::<SessionPolicy>(&text).unwrap(), default);
        assert!(serde_json::from_str::<SessionPolicy>(r#"{"gap_seconds":0}"#).is_err());
        assert!(serde_json::from_str::<SessionPolicy>(r#"{"gap":30}"#).is_err());
    }

    #[test]
    fn every_end_reason_is_read_back_from_its_name_and_nothing_else_is() {
        for reason in EndReason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(reason));
            assert_eq!(serde_json::to_string(&reason).unwrap(), std::format!("\"{reason}\""));
        }
        assert_eq!("Inactive".parse::<EndReason>(), Err(UnknownEndReason));
    }

    proptest! {
        #[test]
        fn both_forms_of_the_boundary_agree_and_never_overflow(
            started: i64, last: i64, changed: bool, now: i64,
        ) {
            let policy = SessionPolicy::default();
            let answer = policy.boundary_micros(started, last, changed, now);
            let time = DateTime::<Utc>::from_timestamp_micros;
            if let (Some(started), Some(last), Some(now)) = (time(started), time(last), time(now)) {
                prop_assert_eq!(policy.boundary(started, last, changed, now), answer);
            }
        }
    }
}
