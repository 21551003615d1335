//! Reputation as a whole: what becomes of a fingerprint over hours and days.
#![expect(clippy::float_cmp, reason = "whole points and halves of them are exact in a float")]

use alloc::vec::Vec;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::*;
use crate::ids::FingerprintHash;
use crate::throttle::{self, Mode, ThrottleLevel, ThrottlePolicy, ThrottleRequest, ThrottleState};

const HOSTILE: ChargedFacts = ChargedFacts { hostile: true, protected: false };
const ORDINARY: ChargedFacts = ChargedFacts { hostile: false, protected: false };

#[test]
fn a_state_is_at_most_96_bytes_and_survives_its_written_form() {
    assert!(size_of::<ReputationState>() <= 96);
    let policy = ReputationPolicy::default();
    let mut state = ReputationState::default();
    observe_charged(&policy, &mut state, HOSTILE, at(0));
    let text = serde_json::to_string(&state).unwrap();
    assert_eq!(serde_json::from_str::<ReputationState>(&text).unwrap(), state);
    let wrong = text.replace("\"score\":30.0", "\"score\":101.0");
    assert_ne!(wrong, text);
    assert!(serde_json::from_str::<ReputationState>(&wrong).is_err());
}

#[test]
fn the_score_starts_at_50_and_drifts_back_by_half_in_a_day() {
    let policy = ReputationPolicy::default();
    let mut state = ReputationState::default();
    assert_eq!(state.score(&policy, at(0)), 50.0);
    observe_charged(&policy, &mut state, HOSTILE, at(0));
    let scores = [0, 1, 2, 3].map(|day| state.score(&policy, at(day * 1_440)));
    assert_eq!(scores, [30.0, 40.0, 45.0, 47.5]);
}

#[test]
fn the_hundred_and_first_request_of_an_hour_is_one_incident() {
    let policy = ReputationPolicy::default();
    let mut state = ReputationState::default();
    let raised: Vec<_> =
        (0..150).map(|_| observe_charged(&policy, &mut state, ORDINARY, at(0)).raised).collect();
    let first = raised.iter().position(|raised| !raised.is_empty());
    assert_eq!(first, Some(100));
    assert_eq!(raised.iter().filter(|raised| !raised.is_empty()).count(), 1);
    assert_eq!((state.incidents(), state.score(&policy, at(0))), (1, 40.0));
}

#[test]
fn an_hour_of_busy_minutes_adds_to_the_count_and_is_no_incident_of_its_own() {
    let policy = ReputationPolicy::default();
    let mut state = ReputationState::default();
    let mut log = Vec::new();
    for minute in 0..60 {
        for _ in 0..11 {
            let change = observe_charged(&policy, &mut state, ORDINARY, at(minute));
            log.extend(change.raised.iter().map(|reason| (minute, reason, change.incidents)));
        }
    }
    assert_eq!(log, [(9, FlagReason::HighRequestCount, 1), (59, FlagReason::SustainedVelocity, 0)]);
}

#[test]
fn ten_requests_a_minute_or_a_minute_without_them_are_not_sustained() {
    let policy = ReputationPolicy::default();
    for (per_minute, pause) in [(10, None), (11, Some(59)), (11, Some(30))] {
        let mut state = ReputationState::default();
        for minute in (0..61).filter(|&minute| Some(minute) != pause) {
            for _ in 0..per_minute {
                let change = observe_charged(&policy, &mut state, ORDINARY, at(minute));
                assert!(!change.raised.contains(FlagReason::SustainedVelocity));
            }
        }
    }
}

#[test]
fn the_eleventh_session_of_a_day_is_an_incident_once_an_hour() {
    let policy = ReputationPolicy::default();
    let mut state = ReputationState::default();
    let raised = (0..14).filter(|nth| {
        let change = observe_session_start(&policy, &mut state, ORDINARY, at(nth * 30));
        change.raised.contains(FlagReason::ExcessiveSessions)
    });
    assert_eq!(raised.collect::<Vec<_>>(), [10, 12]);
}

#[test]
fn volume_alone_never_bans() {
    let policy = enforcing();
    let mut state = ReputationState::default();
    for minute in 0..3 * 1_440 {
        for _ in 0..30 {
            assert_eq!(observe_charged(&policy, &mut state, ORDINARY, at(minute)).ban, None);
        }
        if minute % 10 == 0 {
            assert_eq!(observe_session_start(&policy, &mut state, ORDINARY, at(minute)).ban, None);
        }
    }
    assert!(state.score(&policy, at(3 * 1_440)) < 1.0);
    assert!(state.flags(&policy, at(3 * 1_440)).contains(FlagReason::LowScore));
}

#[test]
fn three_incidents_in_a_day_of_which_one_is_hostile_ban_for_an_hour() {
    let policy = enforcing();
    let mut state = ReputationState::default();
    let mut bans = Vec::new();
    for minute in [0, 59, 60, 119, 120] {
        bans.push(observe_charged(&policy, &mut state, HOSTILE, at(minute)).ban.map(|ban| ban.until));
    }
    // At the second hour the score is near 10, which is an incident too, the third.
    assert_eq!(bans, [None, None, Some(at(120)), None, None]);
    assert_eq!(state.binding_ban(&policy, at(119)), Some(at(120)));
    assert_eq!(state.binding_ban(&policy, at(120)), None);
}

#[test]
fn an_incident_a_day_old_no_longer_counts() {
    let mut settings = ReputationSettings { hostile_points: 0, ..ReputationSettings::default() };
    settings.ban = BanPolicy::new(BanSettings { mode: Mode::Enforce, ..BanSettings::default() }).unwrap();
    let policy = ReputationPolicy::new(settings).unwrap();
    let banned = |minutes: [i64; 3]| {
        let mut state = ReputationState::default();
        minutes.map(|minute| observe_charged(&policy, &mut state, HOSTILE, at(minute)).ban.is_some())
    };
    assert_eq!(banned([0, 60, 1_439]), [false, false, true]);
    assert_eq!(banned([0, 60, 1_440]), [false, false, false]);
}

#[test]
fn a_protected_client_is_flagged_and_never_banned() {
    let policy = enforcing();
    let mut state = ReputationState::default();
    let facts = ChargedFacts { hostile: true, protected: true };
    for hour in 0..100 {
        assert_eq!(observe_charged(&policy, &mut state, facts, at(hour * 60)).ban, None);
    }
    assert!(state.is_flagged(&policy, at(100 * 60)));
}

#[test]
fn in_shadow_mode_a_ban_is_made_and_marked_and_binds_nobody_and_off_makes_none() {
    let ban_of = |mode| {
        let policy = with_mode(mode);
        let mut state = ReputationState::default();
        let bans = [0, 60].map(|minute| observe_charged(&policy, &mut state, HOSTILE, at(minute)).ban);
        (bans[1].map(|ban| ban.would_ban), state.binding_ban(&policy, at(61)))
    };
    assert_eq!(ban_of(Mode::Off), (None, None));
    assert_eq!(ban_of(Mode::Shadow), (Some(true), None));
    assert_eq!(ban_of(Mode::Enforce), (Some(false), Some(at(120))));
}

#[test]
fn engagement_raises_the_score_by_at_most_25_a_day() {
    let policy = ReputationPolicy::default();
    let mut state = ReputationState::default();
    let start = 10 * 1_440;
    for _ in 0..4 {
        let _ = observe_engagement(&policy, &mut state, at(start));
    }
    assert_eq!(state.score(&policy, at(start)), 70.0);
    for _ in 0..10 {
        let _ = observe_engagement(&policy, &mut state, at(start));
    }
    assert_eq!(state.score(&policy, at(start)), 75.0);
    let next = start + 1_440;
    for _ in 0..10 {
        let _ = observe_engagement(&policy, &mut state, at(next));
    }
    assert_eq!(state.score(&policy, at(next)), 62.5 + 25.0);
}

#[test]
fn a_report_is_high_risk_when_flagged_or_low_or_after_three_incidents() {
    let policy = ReputationPolicy::default();
    let mut state = ReputationState::default();
    assert_eq!(state.report(&policy, HASH, at(5)), None);
    observe_charged(&policy, &mut state, ORDINARY, at(5));
    let calm = state.report(&policy, HASH, at(6)).unwrap();
    let expected = FingerprintReputation {
        hash: HASH,
        score: 50.0,
        flags: FlagSet::default(),
        recent_incidents: 0,
        incidents: 0,
        requests_last_hour: 1,
        sessions_last_day: 0,
        first_seen: at(5),
        last_seen: at(5),
        banned_until: None,
        would_ban: false,
    };
    assert_eq!(calm, expected);
    let risky = |change: fn(&mut FingerprintReputation)| {
        let mut report = calm.clone();
        change(&mut report);
        report.is_high_risk(&policy)
    };
    assert!(!risky(|_| ()));
    assert!(risky(|report| report.flags.insert(FlagReason::Manual)));
    assert!(!risky(|report| report.score = 30.0));
    assert!(risky(|report| report.score = 29.9));
    assert!(!risky(|report| report.recent_incidents = 2));
    assert!(risky(|report| report.recent_incidents = 3));
}

#[test]
fn a_flag_falls_a_day_after_its_last_incident_and_a_manual_one_stays() {
    let policy = ReputationPolicy::default();
    let mut state = ReputationState::default();
    observe_charged(&policy, &mut state, HOSTILE, at(0));
    assert!(state.is_flagged(&policy, at(1_439)));
    assert!(!state.is_flagged(&policy, at(1_440)));
    state.flag();
    assert!(state.is_flagged(&policy, at(1_000_000)));
}

#[test]
fn a_label_human_clears_level_flags_and_ban_and_says_what_they_were() {
    let policy = enforcing();
    let throttle_policy = ThrottlePolicy::default();
    let (mut throttle, mut reputation) = (ThrottleState::default(), ReputationState::default());
    let evidence = throttle::Evidence { decisive_hostile: true, ..throttle::Evidence::default() };
    let request = ThrottleRequest::charged().with_evidence(evidence);
    throttle::step(&throttle_policy, &mut throttle, request, at(60));
    for minute in [0, 60] {
        observe_charged(&policy, &mut reputation, HOSTILE, at(minute));
    }
    let cleared = clear_as_human(&policy, &mut throttle, &mut reputation, at(70));
    let level = cleared.level.unwrap();
    assert_eq!((level.from, level.to), (ThrottleLevel::Severe, ThrottleLevel::Normal));
    let flags: Vec<_> = cleared.flags.iter().collect();
    assert_eq!(flags, [FlagReason::LowScore, FlagReason::HostileBehaviour]);
    assert_eq!(cleared.banned_until, Some(at(120)));
    assert!(cleared.score < 20.0);
    assert!(!reputation.is_flagged(&policy, at(70)));
    assert_eq!(reputation.banned_until(at(70)), None);
    assert_eq!((reputation.score(&policy, at(70)), reputation.incidents()), (50.0, 0));
    assert_eq!(throttle.level(), ThrottleLevel::Normal);
}

/// One observation: what kind, and how many seconds after the one before (or before it).
type Move = (u8, i64, bool);

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let gap = prop_oneof![6 => 0i64..30, 2 => -100i64..4_000, 1 => 0i64..400_000];
    prop::collection::vec((0u8..4, gap, prop::bool::weighted(0.2)), 1..400)
}

proptest! {
    #[test]
    fn the_score_is_always_finite_and_in_range(moves in moves()) {
        let policy = enforcing();
        let mut state = ReputationState::default();
        let mut now = at(0);
        for (kind, gap, hostile) in moves {
            now += TimeDelta::seconds(gap);
            observe(&policy, &mut state, kind, hostile, now);
            for later in [-1_000_000, 0, 1, 1_000_000] {
                let score = state.score(&policy, now + TimeDelta::minutes(later));
                prop_assert!((0.0..=100.0).contains(&score));
            }
        }
    }

    #[test]
    fn no_instant_panics(times in prop::collection::vec(any::<i64>(), 1..60)) {
        let policy = enforcing();
        let mut state = ReputationState::default();
        for (nth, us) in times.into_iter().enumerate() {
            let now = throttle::instant(us);
            observe(&policy, &mut state, (nth % 4) as u8, true, now);
            prop_assert!((0.0..=100.0).contains(&state.score(&policy, now)));
            let _ = state.report(&policy, HASH, now);
        }
    }

    #[test]
    fn incidents_and_windows_equal_those_of_a_slow_count(moves in moves()) {
        let policy = with_mode(Mode::Off);
        let mut state = ReputationState::default();
        let (mut second, mut requests, mut sessions) = (0i64, Vec::new(), Vec::new());
        let mut raised: Vec<(FlagReason, i64)> = Vec::new();
        for (kind, gap, hostile) in moves {
            second += gap.abs();
            let minute = second / 60;
            let change = observe(&policy, &mut state, kind, hostile, at(0) + TimeDelta::seconds(second));
            match kind {
                0 | 1 => requests.push(minute),
                2 => sessions.push(minute),
                _ => {}
            }
            let within = |list: &[i64], bucket: i64, buckets: i64| {
                list.iter().filter(|&&at| at / bucket > minute / bucket - buckets).count() as u32
            };
            prop_assert_eq!(state.requests_last_hour(), within(&requests, 10, 6));
            prop_assert_eq!(state.sessions_last_day(), within(&sessions, 180, 8));
            for reason in change.raised.iter() {
                let again = raised.iter().any(|&(other, at)| other == reason && minute - at < 60);
                prop_assert!(!again);
                raised.push((reason, minute));
            }
            if hostile && kind < 2 {
                let known =
                    |&(reason, at): &(_, i64)| reason == FlagReason::HostileBehaviour && minute - at < 60;
                prop_assert!(raised.iter().any(known));
            }
        }
    }

    #[test]
    fn every_ban_answers_three_incidents_with_one_hostile_and_is_twice_the_last(moves in moves()) {
        let policy = enforcing();
        let mut state = ReputationState::default();
        let mut now = at(0);
        let (mut since, mut hostile_since, mut last) = (0, false, None::<BanTerm>);
        for (kind, gap, hostile) in moves {
            now += TimeDelta::seconds(gap.abs());
            let change = observe(&policy, &mut state, kind, hostile, now);
            since += u32::from(change.incidents);
            hostile_since |= change.raised.contains(FlagReason::HostileBehaviour);
            if let Some(ban) = change.ban {
                prop_assert!(since >= 3 && hostile_since);
                let length = ban.until - ban.from;
                let expected = match last {
                    Some(last) if ban.from < last.until + TimeDelta::days(7) =>
                        ((last.until - last.from) * 2).min(TimeDelta::days(7)),
                    _ => TimeDelta::hours(1),
                };
                prop_assert_eq!(length, expected);
                prop_assert!(last.is_none_or(|last| last.until <= ban.from));
                (since, hostile_since, last) = (0, false, Some(ban));
            }
        }
    }
}

const HASH: FingerprintHash = FingerprintHash::from_u128(1);

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
}

fn with_mode(mode: Mode) -> ReputationPolicy {
    let ban = BanPolicy::new(BanSettings { mode, ..BanSettings::default() }).unwrap();
    ReputationPolicy::new(ReputationSettings { ban, ..ReputationSettings::default() }).unwrap()
}

fn enforcing() -> ReputationPolicy {
    with_mode(Mode::Enforce)
}

fn observe(
    policy: &ReputationPolicy,
    state: &mut ReputationState,
    kind: u8,
    hostile: bool,
    now: DateTime<Utc>,
) -> ReputationChange {
    let facts = ChargedFacts { hostile, protected: false };
    match kind {
        0 | 1 => observe_charged(policy, state, facts, now),
        2 => observe_session_start(policy, state, ORDINARY, now),
        _ => {
            observe_engagement(policy, state, now);
            ReputationChange::default()
        }
    }
}
