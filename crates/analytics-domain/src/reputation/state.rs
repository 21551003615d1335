//! What is remembered of one fingerprint, and how each request moves it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ban::Record;
use super::time::{Mark, minute_of};
use super::{BanReason, BanTerm, FlagReason, FlagSet, ReputationPolicy};
use crate::throttle::{Mode, fresh, instant, micros};

/// Counts one charged request, and says which flags and which ban it leads to.
///
/// While a ban runs (in shadow mode too, where the request passes) only the windows move: nobody is banned for what
/// he does while banned.
pub fn observe_charged(
    policy: &ReputationPolicy,
    state: &mut ReputationState,
    facts: ChargedFacts,
    now: DateTime<Utc>,
) -> ReputationChange {
    observe_charged_at(policy, state, facts, micros(now))
}

/// As [`observe_charged`], with the time as the states keep it.
pub(crate) fn observe_charged_at(
    policy: &ReputationPolicy,
    state: &mut ReputationState,
    facts: ChargedFacts,
    now_us: i64,
) -> ReputationChange {
    state.advance(policy, now_us);
    state.count_request(policy);
    let mut change = ReputationChange::default();
    if now_us < state.banned_until_us {
        return change;
    }
    let rules = policy.settings();
    if facts.hostile {
        state.incident(policy, FlagReason::HostileBehaviour, &mut change, now_us);
    }
    if state.requests_last_hour() > rules.requests_per_hour {
        state.incident(policy, FlagReason::HighRequestCount, &mut change, now_us);
    }
    if state.busy_minutes(policy) >= rules.sustained_minutes {
        state.incident(policy, FlagReason::SustainedVelocity, &mut change, now_us);
    }
    state.weigh_score(policy, &mut change, now_us);
    change.ban = state.ban(policy, facts.protected, now_us);
    change
}

/// Counts one session that begins, and says which flags and which ban that leads to.
pub fn observe_session_start(
    policy: &ReputationPolicy,
    state: &mut ReputationState,
    facts: ChargedFacts,
    now: DateTime<Utc>,
) -> ReputationChange {
    let now_us = micros(now);
    state.advance(policy, now_us);
    let slot = slot(state.minute, MINUTES_PER_SHIFT, SHIFTS);
    state.sessions[slot] = state.sessions[slot].saturating_add(1);
    let mut change = ReputationChange::default();
    if now_us < state.banned_until_us {
        return change;
    }
    if state.sessions_last_day() > policy.settings().sessions_per_day {
        state.incident(policy, FlagReason::ExcessiveSessions, &mut change, now_us);
        state.weigh_score(policy, &mut change, now_us);
        change.ban = state.ban(policy, facts.protected, now_us);
    }
    change
}

/// Raises the score for one page whose engagement was bound to the session and plausible.
///
/// At most the policy's `engagement_points_per_day` in one UTC day. Engagement that is unbound or implausible proves
/// nothing: do not report it here. Answers whether it is the first of the day that gives points.
pub fn observe_engagement(
    policy: &ReputationPolicy,
    state: &mut ReputationState,
    now: DateTime<Utc>,
) -> bool {
    let now_us = micros(now);
    state.advance(policy, now_us);
    state.begin_day(policy, now_us);
    let rules = policy.settings();
    let left = rules.engagement_points_per_day.saturating_sub(state.raised_today);
    let points = rules.engagement_points.min(left);
    let first = points > 0 && state.raised_today == 0;
    state.raised_today = state.raised_today.saturating_add(points);
    state.move_score(policy, f32::from(points), now_us);
    first
}

/// Everything that is remembered of one fingerprint's reputation, in 96 bytes without a pointer.
///
/// The default is a fingerprint that was never seen: score 50. Counts stop at the largest that fits and never wrap.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReputationState {
    /// When `score` was true, in microseconds since 1970; it drifts from there.
    score_us: i64,
    banned_until_us: i64,
    /// The latest minute seen, counted since 1970.
    minute: i64,
    score: Score,
    first_seen: Option<Mark>,
    /// Last incident of each reason that is counted.
    last: [Option<Mark>; REASONS],
    /// The latest three incidents; the bit says hostile.
    recent: [Option<Mark>; 3],
    /// Charged requests in buckets of ten minutes.
    requests: [u16; TENS],
    /// Charged requests in the current minute.
    this_minute: u16,
    /// Busy minutes without a break before the current one.
    busy_before: u16,
    /// Sessions in buckets of three hours.
    sessions: [u8; SHIFTS],
    ban_row: u8,
    raised_today: u8,
    incidents: u8,
    manual: bool,
}

/// What is known of one charged request. The default is an ordinary one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChargedFacts {
    /// The session's standing verdict is hostile, or this request is a decisive hostile fact.
    pub hostile: bool,
    /// The client is never banned; see [`protection`](super::protection).
    pub protected: bool,
}

/// What one observation led to. The default is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReputationChange {
    /// The reasons raised now. They stay up as flags for a while; see [`ReputationState::flags`].
    pub raised: FlagSet,
    /// How many incidents they were: rates that contain one another are one.
    pub incidents: u8,
    /// The ban that follows.
    pub ban: Option<BanTerm>,
}

impl ReputationState {
    /// The score at `now`, 0 to 100, drifted toward 50.
    pub fn score(&self, policy: &ReputationPolicy, now: DateTime<Utc>) -> f64 {
        f64::from(self.score_at(policy, micros(now)))
    }

    /// The flags that are up at `now`.
    pub fn flags(&self, policy: &ReputationPolicy, now: DateTime<Utc>) -> FlagSet {
        let minute = minute_of(micros(now));
        FlagReason::ALL.into_iter().filter(|&reason| self.is_up(policy, reason, minute)).collect()
    }

    /// Whether any flag is up at `now`.
    pub fn is_flagged(&self, policy: &ReputationPolicy, now: DateTime<Utc>) -> bool {
        !self.flags(policy, now).is_empty()
    }

    /// Whether nothing is held against the fingerprint at `now`: no flag, no incident of the last day, no ban within the
    /// memory.
    pub fn is_clean(&self, policy: &ReputationPolicy, now: DateTime<Utc>) -> bool {
        let remembered = self.banned_until_us.saturating_add(policy.ban().memory_us());
        let banned = self.ban_row > 0 && micros(now) < remembered;
        !banned && self.recent_incidents(now) == 0 && !self.is_flagged(policy, now)
    }

    /// End of the ban that runs at `now`, whether it binds or is only listed.
    pub fn banned_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.banned_at(micros(now)).then(|| instant(self.banned_until_us))
    }

    /// Whether a ban runs at this time, whether it binds or is only listed.
    pub(crate) const fn banned_at(&self, now_us: i64) -> bool {
        self.ban_row > 0 && now_us < self.banned_until_us
    }

    /// End of the ban that refuses requests at `now`; `None` unless the policy enforces bans.
    pub fn binding_ban(&self, policy: &ReputationPolicy, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.binding_ban_at(policy, micros(now))
    }

    /// As `binding_ban`, with the time as the state keeps it.
    pub(crate) fn binding_ban_at(&self, policy: &ReputationPolicy, now_us: i64) -> Option<DateTime<Utc>> {
        let binds = match policy.ban().mode() {
            Mode::Enforce => self.banned_at(now_us),
            Mode::Off | Mode::Shadow => false,
        };
        binds.then(|| instant(self.banned_until_us))
    }

    /// Incidents of the 24 h before `now` that no ban has answered yet, at most 3.
    pub fn recent_incidents(&self, now: DateTime<Utc>) -> u8 {
        let minute = minute_of(micros(now));
        self.recent.iter().flatten().filter(|mark| mark.is_within(DAY, minute)).count() as u8
    }

    /// Incidents ever, up to 255.
    pub const fn incidents(&self) -> u8 {
        self.incidents
    }

    /// Charged requests of the last hour as of the last observation: 50 to 60 min, in buckets of ten.
    pub fn requests_last_hour(&self) -> u32 {
        self.requests.iter().map(|&count| u32::from(count)).sum()
    }

    /// Sessions of the last day as of the last observation: 21 to 24 h, in buckets of three.
    pub fn sessions_last_day(&self) -> u32 {
        self.sessions.iter().map(|&count| u32::from(count)).sum()
    }

    /// When it was first seen, to the minute.
    pub fn first_seen(&self) -> Option<DateTime<Utc>> {
        self.first_seen.map(Mark::instant)
    }

    /// When it was last seen, to the minute.
    pub fn last_seen(&self) -> Option<DateTime<Utc>> {
        self.first_seen.map(|_| Mark::new(self.minute, false).instant())
    }

    /// Flags the fingerprint by a person's order, until it is cleared.
    pub fn flag(&mut self) {
        self.manual = true;
    }

    /// Forgets all that speaks against the fingerprint, and sets the score to at least 50. Counts begin anew.
    pub fn clear(&mut self, policy: &ReputationPolicy, now: DateTime<Utc>) {
        let now_us = micros(now);
        self.advance(policy, now_us);
        let score = self.score_at(policy, now_us).max(MIDDLE);
        *self = Self {
            score: Score(score),
            score_us: now_us,
            minute: self.minute,
            first_seen: self.first_seen,
            raised_today: self.raised_today,
            ..Self::default()
        };
    }

    fn is_up(&self, policy: &ReputationPolicy, reason: FlagReason, minute: i64) -> bool {
        match reason {
            FlagReason::Manual => self.manual,
            FlagReason::HighRequestCount
            | FlagReason::SustainedVelocity
            | FlagReason::ExcessiveSessions
            | FlagReason::LowScore
            | FlagReason::HostileBehaviour => {
                self.last[reason as usize].is_some_and(|mark| mark.is_within(policy.flag_minutes(), minute))
            }
        }
    }

    fn advance(&mut self, policy: &ReputationPolicy, now_us: i64) {
        let minute = minute_of(now_us);
        if minute <= self.minute {
            return;
        }
        let adjacent = minute == self.minute.saturating_add(1);
        self.busy_before = if adjacent { self.busy_minutes(policy) } else { 0 };
        self.this_minute = 0;
        let bucket = |minutes: i64| (self.minute.div_euclid(minutes), minute.div_euclid(minutes));
        let (from, to) = bucket(MINUTES_PER_TEN);
        for gone in fresh(from, to, TENS) {
            self.requests[gone] = 0;
        }
        let (from, to) = bucket(MINUTES_PER_SHIFT);
        for gone in fresh(from, to, SHIFTS) {
            self.sessions[gone] = 0;
        }
        self.minute = minute;
        self.first_seen.get_or_insert(Mark::new(minute, false));
    }

    fn count_request(&mut self, policy: &ReputationPolicy) {
        let bucket = &mut self.requests[slot(self.minute, MINUTES_PER_TEN, TENS)];
        *bucket = bucket.saturating_add(1);
        self.this_minute = self.this_minute.saturating_add(1);
        let enough = policy.settings().sustained_minutes;
        self.busy_before = self.busy_before.min(enough);
    }

    /// Busy minutes without a break, the current one with them if it is busy already.
    fn busy_minutes(&self, policy: &ReputationPolicy) -> u16 {
        let busy = u32::from(self.this_minute) > policy.settings().sustained_per_minute;
        if busy { self.busy_before.saturating_add(1) } else { 0 }
    }

    /// Raises a reason, once an hour, and counts the incident.
    fn incident(
        &mut self,
        policy: &ReputationPolicy,
        reason: FlagReason,
        change: &mut ReputationChange,
        now_us: i64,
    ) {
        let minute = self.minute;
        let within_hour = |mark: Option<Mark>| mark.is_some_and(|mark| mark.is_within(HOUR, minute));
        if within_hour(self.last[reason as usize]) {
            return;
        }
        self.last[reason as usize] = Some(Mark::new(minute, false));
        change.raised.insert(reason);
        let mut points = policy.points(reason);
        let mut counts = true;
        if reason == FlagReason::SustainedVelocity {
            // An hour of busy minutes holds the hour's count: one incident, and the points of the worse of the two.
            let count = &mut self.last[FlagReason::HighRequestCount as usize];
            if within_hour(*count) {
                counts = false;
                points = points.saturating_sub(policy.points(FlagReason::HighRequestCount));
            } else {
                *count = Some(Mark::new(minute, false));
            }
        }
        self.move_score(policy, -f32::from(points), now_us);
        if counts {
            self.recent.rotate_right(1);
            self.recent[0] = Some(Mark::new(minute, reason == FlagReason::HostileBehaviour));
            self.incidents = self.incidents.saturating_add(1);
            change.incidents += 1;
        }
    }

    /// A score that is low is a reason in itself.
    fn weigh_score(&mut self, policy: &ReputationPolicy, change: &mut ReputationChange, now_us: i64) {
        let low = f32::from(policy.settings().low_score);
        // The score drifts toward 50, so one that was not below the limit is not below it now.
        if self.score.0 < low && self.score_at(policy, now_us) < low {
            self.incident(policy, FlagReason::LowScore, change, now_us);
        }
    }

    /// The ban that is due; it answers the incidents that led to it.
    fn ban(&mut self, policy: &ReputationPolicy, protected: bool, now_us: i64) -> Option<BanTerm> {
        let recent = || self.recent.iter().flatten().filter(|mark| mark.is_within(DAY, self.minute));
        let due = recent().count() >= usize::from(policy.ban().settings().incidents)
            && recent().any(|mark| mark.bit());
        if !due || protected {
            return None;
        }
        let mut record = Record { until_us: self.banned_until_us, row: self.ban_row };
        let term = record.next(policy.ban(), BanReason::RepeatedIncidents, now_us)?;
        (self.banned_until_us, self.ban_row) = (record.until_us, record.row);
        self.recent = [None; 3];
        Some(term)
    }

    fn score_at(&self, policy: &ReputationPolicy, now_us: i64) -> f32 {
        let halves = now_us.saturating_sub(self.score_us).max(0) as f64 / policy.half_life_us();
        MIDDLE + (self.score.0 - MIDDLE) * libm::exp2(-halves) as f32
    }

    /// Adds points to the score, which stays within 0 to 100.
    fn move_score(&mut self, policy: &ReputationPolicy, points: f32, now_us: i64) {
        self.begin_day(policy, now_us);
        self.score = Score((self.score_at(policy, now_us) + points).clamp(0.0, 100.0));
        self.score_us = self.score_us.max(now_us);
    }

    /// On the first change of score in a UTC day, engagement may give its points anew.
    fn begin_day(&mut self, policy: &ReputationPolicy, now_us: i64) {
        if day_of(now_us) > day_of(self.score_us) {
            self.raised_today = 0;
            self.score = Score(self.score_at(policy, now_us));
            self.score_us = now_us;
        }
    }
}

impl Default for ReputationState {
    fn default() -> Self {
        Self {
            score_us: i64::MIN,
            banned_until_us: i64::MIN,
            minute: minute_of(i64::MIN),
            score: Score(MIDDLE),
            first_seen: None,
            last: [None; REASONS],
            recent: [None; 3],
            requests: [0; TENS],
            this_minute: 0,
            busy_before: 0,
            sessions: [0; SHIFTS],
            ban_row: 0,
            raised_today: 0,
            incidents: 0,
            manual: false,
        }
    }
}

/// A score of 0 to 100; one that is read back and is none is an error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f32")]
struct Score(f32);

#[derive(Debug, thiserror::Error)]
#[error("a reputation score is 0 to 100, this one is {0}")]
struct InvalidScore(f32);

impl TryFrom<f32> for Score {
    type Error = InvalidScore;

    fn try_from(score: f32) -> Result<Self, InvalidScore> {
        if (0.0..=100.0).contains(&score) { Ok(Self(score)) } else { Err(InvalidScore(score)) }
    }
}

const fn slot(minute: i64, per_bucket: i64, buckets: usize) -> usize {
    minute.div_euclid(per_bucket).rem_euclid(buckets as i64) as usize
}

const fn day_of(us: i64) -> i64 {
    us.div_euclid(86_400_000_000)
}

const MIDDLE: f32 = 50.0;
/// Reasons that are counted: all but [`FlagReason::Manual`], which comes last.
const REASONS: usize = FlagReason::Manual as usize;
const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;
const MINUTES_PER_TEN: i64 = 10;
const TENS: usize = 6;
const MINUTES_PER_SHIFT: i64 = 180;
const SHIFTS: usize = 8;
