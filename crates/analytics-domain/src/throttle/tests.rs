//! The throttle as a whole: what a client meets over time.

use alloc::vec::Vec;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::*;

#[test]
fn test_throttle_rate_limiting() {
    let policy = enforcing();
    let mut client = ThrottleState::default();
    let allowed: Vec<_> =
        (0..20).map(|_| step(&policy, &mut client, ThrottleRequest::charged(), at(0))).collect();
    assert!(allowed.iter().all(ThrottleDecision::is_admitted));
    let wait = TimeDelta::seconds(1);
    assert_eq!(
        allowed[18].decision,
        Decision::Admit { allowance: Some(Allowance { remaining: 1, wait: TimeDelta::zero() }) }
    );
    assert_eq!(allowed[19].decision, Decision::Admit { allowance: Some(Allowance { remaining: 0, wait }) });
    let refusal = Refusal { reason: RefusalReason::Quota, retry_at: at(1) };
    let expected = ThrottleDecision {
        decision: Decision::Refuse(refusal),
        would_refuse: None,
        level: ThrottleLevel::Normal,
        quota: QuotaKind::Visitor,
        lowered: None,
        raised: None,
    };
    assert_eq!(step(&policy, &mut client, ThrottleRequest::charged(), at(0)), expected);
    assert!(!step(&policy, &mut client, ThrottleRequest::charged(), at(1) - MICRO).is_admitted());
    assert!(step(&policy, &mut client, ThrottleRequest::charged(), at(1)).is_admitted());
}

#[test]
fn test_throttle_escalation() {
    let policy = enforcing();
    let mut client = ThrottleState::default();
    let (_, first) = ask(&policy, &mut client, 29, 0);
    assert_eq!(first, []);
    // The tenth refusal of the minute.
    let answer = step(&policy, &mut client, ThrottleRequest::charged(), at(0));
    let warning = LevelChange {
        from: ThrottleLevel::Normal,
        to: ThrottleLevel::Warning,
        reason: LevelReason::Refusals,
        at: at(0),
    };
    assert_eq!(answer.raised, Some(warning));
    // Evidence is counted anew, and never twice within the dwell.
    let (_, changes) = ask(&policy, &mut client, 100, 10);
    assert_eq!(changes, []);
    let changes = ask(&policy, &mut client, 1, 30).1;
    let severe =
        LevelChange { from: ThrottleLevel::Warning, to: ThrottleLevel::Severe, at: at(30), ..warning };
    assert_eq!(changes, [severe]);
    let changes = ask(&policy, &mut client, 40, 60).1;
    let blocked =
        LevelChange { from: ThrottleLevel::Severe, to: ThrottleLevel::Blocked, at: at(60), ..warning };
    assert_eq!(changes, [blocked]);
    assert_eq!(client.blocked_until(), Some(at(60 + 900)));
}

#[test]
fn test_throttle_level_determination() {
    use ThrottleLevel::{Blocked, Severe, Warning};
    let rules = EscalationPolicy::default();
    let seed = EscalationPolicy::seed();
    let nothing = EscalationCriteria::default();
    let raised = |policy, criteria| ThrottleLevel::ALL.map(|level| determine_level(policy, level, &criteria));
    let one_step = |reason| [Some((Warning, reason)), Some((Severe, reason)), Some((Blocked, reason)), None];

    assert_eq!(raised(&rules, nothing), [None; 4]);
    let refusals = |refusals_per_minute| EscalationCriteria { refusals_per_minute, ..nothing };
    assert_eq!(raised(&rules, refusals(9)), [None; 4]);
    assert_eq!(raised(&rules, refusals(10)), one_step(LevelReason::Refusals));

    let errors = |client_errors, responses| EscalationCriteria { responses, client_errors, ..nothing };
    assert_eq!(raised(&rules, errors(20, 20)), [None; 4]);
    assert_eq!(raised(&rules, errors(11, 22)), [None; 4]);
    assert_eq!(raised(&rules, errors(11, 21)), one_step(LevelReason::ErrorShare));
    assert_eq!(raised(&seed, errors(11, 21)), one_step(LevelReason::ErrorShare));

    let hostile = EscalationCriteria { hostile_bot: true, ..nothing };
    let verdict = LevelReason::HostileVerdict;
    assert_eq!(raised(&rules, hostile), [Some((Warning, verdict)), None, None, None]);
    let news = EscalationCriteria { new_signal: true, ..hostile };
    assert_eq!(raised(&rules, news), [Some((Warning, verdict)), Some((Severe, verdict)), None, None]);
    let decisive = EscalationCriteria { decisive_hostile: true, ..nothing };
    let fact = LevelReason::DecisiveFact;
    let jump = [Some((Severe, fact)), Some((Severe, fact)), Some((Blocked, fact)), None];
    assert_eq!(raised(&rules, decisive), jump);

    let score = |bot_score| EscalationCriteria { bot_score, ..nothing };
    assert_eq!(raised(&rules, score(100)), [None; 4]);
    assert_eq!(raised(&seed, score(49)), [None; 4]);
    assert_eq!(raised(&seed, score(50)), [Some((Warning, LevelReason::BotScore)), None, None, None]);
    let rate = |requests_per_minute| EscalationCriteria { requests_per_minute, ..nothing };
    assert_eq!(raised(&rules, rate(60)), [None; 4]);
    assert_eq!(raised(&seed, rate(30)), [None; 4]);
    assert_eq!(raised(&seed, rate(31)), one_step(LevelReason::RequestRate));
}

#[test]
fn test_throttle_cooldown() {
    let policy = enforcing();
    let mut client = ThrottleState::default();
    block(&policy, &mut client, 0);
    let end = client.blocked_until().unwrap();
    assert_eq!(end, at(60 + 900));
    let refused = step(&policy, &mut client, ThrottleRequest::charged(), end - MICRO);
    assert_eq!(refused.refusal(), Some(Refusal { reason: RefusalReason::Blocked, retry_at: end }));
    let mut impatient = client;
    let back = step(&policy, &mut impatient, ThrottleRequest::charged(), end);
    let lowered = LevelChange {
        from: ThrottleLevel::Blocked,
        to: ThrottleLevel::Severe,
        reason: LevelReason::CooledDown,
        at: end,
    };
    assert!(back.is_admitted());
    assert_eq!(back.lowered, Some(lowered));

    let level = |after| client.level_at(policy.escalation(), end + after);
    assert_eq!(level(TimeDelta::minutes(5) - MICRO), ThrottleLevel::Severe);
    assert_eq!(level(TimeDelta::minutes(5)), ThrottleLevel::Warning);
    assert_eq!(level(TimeDelta::minutes(6) - MICRO), ThrottleLevel::Warning);
    assert_eq!(level(TimeDelta::minutes(6)), ThrottleLevel::Normal);
}

#[test]
fn each_block_within_a_day_of_the_last_is_twice_as_long_up_to_a_day() {
    let policy = enforcing();
    let mut client = ThrottleState::default();
    let mut lengths = Vec::new();
    let mut start = 0;
    for _ in 0..9 {
        block(&policy, &mut client, start);
        let end = client.blocked_until().unwrap();
        lengths.push((end - client.since().unwrap()).num_minutes());
        start = (end.timestamp()) + 3_600;
    }
    assert_eq!(lengths, [15, 30, 60, 120, 240, 480, 960, 1_440, 1_440]);
    block(&policy, &mut client, start - 3_600 + 86_400);
    assert_eq!((client.blocked_until().unwrap() - client.since().unwrap()).num_minutes(), 15);
}

#[test]
fn what_a_blocked_client_sends_does_not_lengthen_its_block_but_a_new_hostile_fact_does() {
    let policy = enforcing();
    let mut client = ThrottleState::default();
    block(&policy, &mut client, 0);
    let standing = Evidence { hostile_bot: true, bot_score: 90, ..Evidence::default() };
    for second in 0..600 {
        step(&policy, &mut client, ThrottleRequest::charged().with_evidence(standing), at(61 + second));
    }
    assert_eq!(client.blocked_until(), Some(at(960)));
    let fact = Evidence { decisive_hostile: true, ..standing };
    step(&policy, &mut client, ThrottleRequest::charged().with_evidence(fact), at(700));
    assert_eq!(client.blocked_until(), Some(at(1_600)));
}

#[test]
fn a_decisive_fact_jumps_to_severe_and_a_verdict_alone_never_passes_it() {
    let policy = enforcing();
    let mut client = ThrottleState::default();
    let fact = Evidence { decisive_hostile: true, ..Evidence::default() };
    let answer = step(&policy, &mut client, ThrottleRequest::charged().with_evidence(fact), at(0));
    assert_eq!((answer.level, answer.is_admitted()), (ThrottleLevel::Severe, true));
    let verdict = Evidence { hostile_bot: true, bot_score: 100, new_signal: true, decisive_hostile: false };
    for minute in 1..60 {
        let request = ThrottleRequest::charged().with_evidence(verdict);
        assert_eq!(step(&policy, &mut client, request, at(60 * minute)).level, ThrottleLevel::Severe);
    }
}

#[test]
fn a_standing_verdict_raises_once_and_keeps_the_level_up() {
    let policy = enforcing();
    let mut client = ThrottleState::default();
    let request =
        ThrottleRequest::charged().with_evidence(Evidence { hostile_bot: true, ..Evidence::default() });
    for second in (0..600).step_by(20) {
        assert_eq!(step(&policy, &mut client, request, at(second)).level, ThrottleLevel::Warning);
    }
    assert_eq!(client.level_at(policy.escalation(), at(580 + 60)), ThrottleLevel::Normal);
}

#[test]
fn evidence_that_came_within_the_dwell_counts_after_it() {
    let policy = enforcing();
    let mut client = ThrottleState::default();
    let standing = Evidence { hostile_bot: true, ..Evidence::default() };
    let fact = Evidence { decisive_hostile: true, ..standing };
    let level = |client: &mut _, evidence, second| {
        step(&policy, client, ThrottleRequest::charged().with_evidence(evidence), at(second)).level
    };
    assert_eq!(level(&mut client, standing, 0), ThrottleLevel::Warning);
    assert_eq!(level(&mut client, fact, 5), ThrottleLevel::Warning);
    assert_eq!(level(&mut client, standing, 29), ThrottleLevel::Warning);
    assert_eq!(level(&mut client, standing, 30), ThrottleLevel::Severe);
    assert_eq!(level(&mut client, standing, 90), ThrottleLevel::Severe);
}

#[test]
fn a_status_observed_within_the_dwell_takes_no_evidence_away() {
    let policy = enforcing();
    let mut client = ThrottleState::default();
    let standing = Evidence { hostile_bot: true, ..Evidence::default() };
    let news = Evidence { new_signal: true, ..standing };
    for (evidence, second) in [(standing, 0), (news, 5)] {
        step(&policy, &mut client, ThrottleRequest::charged().with_evidence(evidence), at(second));
        assert_eq!(observe_status(&policy, &mut client, 404, at(second)), None);
    }
    let later = step(&policy, &mut client, ThrottleRequest::charged().with_evidence(standing), at(30));
    assert_eq!(later.level, ThrottleLevel::Severe);
}

#[test]
fn more_than_half_client_errors_raise_the_level_at_the_twenty_first_response() {
    let policy = enforcing();
    let mut client = ThrottleState::default();
    let mut tell = |status, second| observe_status(&policy, &mut client, status, at(second));
    for second in 0..20 {
        assert_eq!(tell(404, second), None);
    }
    for (status, second) in [(429, 20), (429, 21)] {
        assert_eq!(tell(status, second), None);
    }
    let change = tell(404, 22).unwrap();
    assert_eq!(
        (change.to, change.reason, change.at),
        (ThrottleLevel::Warning, LevelReason::ErrorShare, at(22))
    );
}

#[test]
fn logins_and_limits_and_server_errors_are_not_the_clients_fault() {
    let policy = enforcing();
    let mut client = ThrottleState::default();
    for second in 0..100 {
        let status = [401, 429, 500, 503, 304, 200][second % 6];
        assert_eq!(observe_status(&policy, &mut client, status, at(second as i64)), None);
    }
    assert_eq!(client.criteria(Evidence::default()).client_errors, 0);
}

#[test]
fn shadow_decides_as_enforce_does_and_lets_everything_pass() {
    let shadow = ThrottlePolicy::default();
    let enforce = enforcing();
    let (mut shadowed, mut enforced) = (ThrottleState::default(), ThrottleState::default());
    for second in 0..200 {
        let request = ThrottleRequest::charged();
        let (would, does) = (
            step(&shadow, &mut shadowed, request, at(second / 10)),
            step(&enforce, &mut enforced, request, at(second / 10)),
        );
        assert!(would.is_admitted());
        assert_eq!(would.refusal(), does.refusal());
        assert_eq!(shadowed, enforced);
    }
}

#[test]
fn off_changes_nothing() {
    let policy =
        ThrottlePolicy::new(ThrottleSettings { mode: Mode::Off, ..ThrottleSettings::default() }).unwrap();
    let mut client = ThrottleState::default();
    for _ in 0..100 {
        let answer = step(&policy, &mut client, ThrottleRequest::charged(), at(0));
        assert_eq!((answer.is_admitted(), answer.refusal()), (true, None));
        assert_eq!(observe_status(&policy, &mut client, 404, at(0)), None);
    }
    assert_eq!(client, ThrottleState::default());
}

#[test]
fn assets_cost_nothing_of_the_quota_and_have_a_ceiling_of_their_own() {
    let policy = enforcing();
    let mut client = ThrottleState::default();
    for _ in 0..400 {
        assert!(step(&policy, &mut client, ThrottleRequest::uncharged(), at(0)).is_admitted());
    }
    let refused = step(&policy, &mut client, ThrottleRequest::uncharged(), at(0)).refusal().unwrap();
    let retry_at = at(0) + TimeDelta::milliseconds(50);
    assert_eq!(refused, Refusal { reason: RefusalReason::AssetCeiling, retry_at });
    for _ in 0..100 {
        step(&policy, &mut client, ThrottleRequest::uncharged(), at(0));
    }
    let (admitted, changes) = ask(&policy, &mut client, 20, 0);
    assert_eq!((admitted, changes), (20, Vec::new()));
}

#[test]
fn a_ban_refuses_everything_until_it_ends() {
    let policy = enforcing();
    let mut client = ThrottleState::default();
    for request in [ThrottleRequest::charged(), ThrottleRequest::uncharged()] {
        let request = ThrottleRequest { banned_until: Some(at(100)), ..request };
        let refusal = step(&policy, &mut client, request, at(100) - MICRO).refusal();
        assert_eq!(refusal, Some(Refusal { reason: RefusalReason::Banned, retry_at: at(100) }));
        assert!(step(&policy, &mut client, request, at(100)).is_admitted());
    }
}

#[test]
fn a_verified_crawler_has_its_own_quota() {
    let policy = enforcing();
    let mut crawler = ThrottleState::default();
    let request = ThrottleRequest { quota: QuotaKind::Crawler, ..ThrottleRequest::charged() };
    let admitted = (0..300).filter(|_| step(&policy, &mut crawler, request, at(0)).is_admitted()).count();
    assert_eq!(admitted, 200);
}

#[test]
fn a_label_clears_the_level_and_says_so() {
    let policy = enforcing();
    let mut client = ThrottleState::default();
    assert_eq!(client.clear(at(0)), None);
    block(&policy, &mut client, 0);
    let change = LevelChange {
        from: ThrottleLevel::Blocked,
        to: ThrottleLevel::Normal,
        reason: LevelReason::LabelledHuman,
        at: at(100),
    };
    assert_eq!(client.clear(at(100)), Some(change));
    assert_eq!(client, ThrottleState::default());
}

#[test]
fn the_presets_are_accepted_by_the_constructor() {
    for policy in [EscalationPolicy::default(), EscalationPolicy::seed()] {
        assert_eq!(EscalationPolicy::new(*policy.settings()), Ok(policy));
        let text = serde_json::to_string(&policy).unwrap();
        assert_eq!(serde_json::from_str::<EscalationPolicy>(&text).unwrap(), policy);
    }
}

#[test]
fn escalation_settings_out_of_range_are_refused_by_name() {
    let refused = |change: fn(&mut EscalationSettings)| {
        let mut settings = EscalationSettings::default();
        change(&mut settings);
        EscalationPolicy::new(settings).unwrap_err().field()
    };
    assert_eq!(refused(|s| s.error_share = f64::NAN), "escalation.error_share");
    assert_eq!(refused(|s| s.error_share = 0.0), "escalation.error_share");
    assert_eq!(refused(|s| s.refusals_per_minute = 0), "escalation.refusals_per_minute");
    assert_eq!(refused(|s| s.refusals_per_minute = 256), "escalation.refusals_per_minute");
    assert_eq!(refused(|s| s.bot_score = Some(101)), "escalation.bot_score");
    assert_eq!(refused(|s| s.min_dwell_seconds = f64::NAN), "escalation.min_dwell_seconds");
    assert_eq!(refused(|s| s.warning_cooldown_seconds = 29.0), "escalation.warning_cooldown_seconds");
    assert_eq!(refused(|s| s.severe_cooldown_seconds = -1.0), "escalation.severe_cooldown_seconds");
    assert_eq!(refused(|s| s.blocked_cooldown_seconds = 0.0), "escalation.blocked_cooldown_seconds");
    assert_eq!(
        refused(|s| s.blocked_cooldown_max_seconds = 899.0),
        "escalation.blocked_cooldown_max_seconds"
    );
    assert_eq!(refused(|s| s.block_memory_seconds = 1e300), "escalation.block_memory_seconds");
}

/// One move of a client: time forward in milliseconds, what it sends, and the status it gets.
type Move = (i64, bool, Evidence, u16);

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let gap = prop_oneof![6 => 0i64..300, 3 => 0i64..20_000, 1 => 0i64..2_000_000];
    let evidence =
        (prop::bool::weighted(0.2), 0u8..=100, prop::bool::weighted(0.1), prop::bool::weighted(0.02))
            .prop_map(|(hostile_bot, bot_score, new_signal, decisive_hostile)| Evidence {
                hostile_bot,
                bot_score,
                new_signal,
                decisive_hostile,
            });
    let status = prop::sample::select(&[200u16, 304, 401, 404, 404, 429, 500][..]);
    prop::collection::vec((gap, prop::bool::weighted(0.8), evidence, status), 1..300)
}

fn policies() -> impl Strategy<Value = EscalationPolicy> {
    prop::bool::ANY.prop_map(|seed| if seed { EscalationPolicy::seed() } else { EscalationPolicy::default() })
}

proptest! {
    #[test]
    fn levels_rise_at_most_once_a_dwell_and_every_change_follows_the_one_before(
        moves in moves(), escalation in policies(),
    ) {
        let settings = ThrottleSettings { mode: Mode::Enforce, escalation, ..ThrottleSettings::default() };
        let policy = ThrottlePolicy::new(settings).unwrap();
        let mut client = ThrottleState::default();
        let mut now = at(0);
        let mut history: Vec<LevelChange> = Vec::new();
        for (gap, charged, evidence, status) in moves {
            now += TimeDelta::milliseconds(gap);
            let request = ThrottleRequest { charged, evidence, ..ThrottleRequest::charged() };
            let blocked_before = client.level_at(policy.escalation(), now) == ThrottleLevel::Blocked;
            let answer = step(&policy, &mut client, request, now);
            history.extend(answer.changes());
            if blocked_before {
                prop_assert!(!answer.is_admitted());
            }
            if let Some(refusal) = answer.refusal() {
                prop_assert!(refusal.retry_at > now);
            }
            if answer.is_admitted() && charged {
                history.extend(observe_status(&policy, &mut client, status, now));
            }
        }
        for pair in history.windows(2) {
            prop_assert_eq!(pair[0].to, pair[1].from);
            prop_assert!(pair[0].at <= pair[1].at);
            if pair[1].to > pair[1].from {
                prop_assert!(pair[1].at - pair[0].at >= TimeDelta::seconds(30));
            }
        }
        for change in &history {
            prop_assert_eq!(change.to < change.from, change.reason == LevelReason::CooledDown);
            let jump = change.reason == LevelReason::DecisiveFact && change.to == ThrottleLevel::Severe;
            prop_assert!(change.to < change.from || change.to == change.from.stricter() || jump);
        }
    }

    #[test]
    fn a_client_that_waits_for_the_promise_is_admitted_then(moves in moves()) {
        let policy = enforcing();
        let mut client = ThrottleState::default();
        let mut now = at(0);
        for (gap, charged, evidence, _) in moves {
            now += TimeDelta::milliseconds(gap);
            let request = ThrottleRequest { charged, evidence, ..ThrottleRequest::charged() };
            if let Some(promised) = step(&policy, &mut client, request, now).retry_at() {
                let same = ThrottleRequest { evidence: Evidence::default(), ..request };
                prop_assert!(step(&policy, &mut client.clone(), same, promised).is_admitted());
            }
        }
    }

    #[test]
    fn nothing_inside_the_quota_raises_a_level(gaps in prop::collection::vec(1_000i64..10_000, 1..300)) {
        let policy = enforcing();
        let mut client = ThrottleState::default();
        let mut now = at(0);
        for gap in gaps {
            now += TimeDelta::milliseconds(gap);
            let answer = step(&policy, &mut client, ThrottleRequest::charged(), now);
            prop_assert_eq!((answer.is_admitted(), answer.level), (true, ThrottleLevel::Normal));
            prop_assert_eq!(observe_status(&policy, &mut client, 200, now), None);
        }
    }

    #[test]
    fn no_sequence_of_instants_panics(times in prop::collection::vec(any::<i64>(), 1..40), moves in moves()) {
        let policy = enforcing();
        let mut client = ThrottleState::default();
        for (us, (_, charged, evidence, status)) in times.into_iter().zip(moves) {
            let request = ThrottleRequest { charged, evidence, ..ThrottleRequest::charged() };
            let now = instant(us);
            step(&policy, &mut client, request, now);
            let _ = observe_status(&policy, &mut client, status, now);
        }
    }
}

const MICRO: TimeDelta = TimeDelta::microseconds(1);

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).unwrap()
}

fn enforcing() -> ThrottlePolicy {
    ThrottlePolicy::new(ThrottleSettings { mode: Mode::Enforce, ..ThrottleSettings::default() }).unwrap()
}

/// Sends charged requests within one second; how many are admitted, and what changes.
fn ask(
    policy: &ThrottlePolicy,
    client: &mut ThrottleState,
    times: u32,
    second: i64,
) -> (u32, Vec<LevelChange>) {
    let mut changes = Vec::new();
    let mut admitted = 0;
    for _ in 0..times {
        let answer = step(policy, client, ThrottleRequest::charged(), at(second));
        admitted += u32::from(answer.is_admitted());
        changes.extend(answer.changes());
    }
    (admitted, changes)
}

/// Floods until the client is blocked, a minute after `second`.
fn block(policy: &ThrottlePolicy, client: &mut ThrottleState, second: i64) {
    for dwell in 0..3 {
        ask(policy, client, 60, second + dwell * 30);
    }
    assert_eq!(client.level(), ThrottleLevel::Blocked);
}
