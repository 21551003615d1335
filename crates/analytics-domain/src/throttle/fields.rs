//! What a client is told: the rate-limit fields of a response and the body of a refusal.
//!
//! `RateLimit-Policy` and `RateLimit` follow draft-ietf-httpapi-ratelimit-headers-11, `Retry-After` RFC 9110, the body
//! RFC 9457. This is the only file that writes them. It never says why a request is refused, nor names a level: the
//! quota told is the one in force, and that is all a client needs.

use alloc::format;
use alloc::string::String;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Decision, Mode, Quota, QuotaKind, RefusalReason, ThrottleDecision, ThrottleLevel, ThrottlePolicy,
};
use crate::ids::FingerprintHash;

/// The values of the three fields for one response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimitFields {
    /// Value of `RateLimit-Policy`.
    pub policy: String,
    /// Value of `RateLimit`.
    pub limit: String,
    /// Value of `Retry-After` in seconds, on a refusal.
    pub retry_after: Option<u64>,
}

/// Name of the field that tells the quota.
pub const RATE_LIMIT_POLICY: &str = "ratelimit-policy";
/// Name of the field that tells what is left of it.
pub const RATE_LIMIT: &str = "ratelimit";
/// Name of the field that tells when to come back.
pub const RETRY_AFTER: &str = "retry-after";
/// Media type of [`problem_body`].
pub const PROBLEM_JSON: &str = "application/problem+json";
/// Problem type of a refusal with 429, whatever its reason.
pub const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";
/// Problem type of an answer 503 while the service itself has too little capacity.
pub const TEMPORARY_REDUCED_CAPACITY: &str =
    "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";

/// The rate-limit fields for this decision; `None` where no quota applies (not charged, or shadow mode).
///
/// `q` and `w` tell the quota of the level in force, never more than is admitted. `r` is what is left, and a client
/// that spends `r` over `t` seconds is not refused: `t` = ⌈r·T⌉, so that r ÷ t never exceeds the quota. On a refusal
/// `r` is 0 and `t` equals `Retry-After`: the promised instant rounded up to a second, at least 1, plus jitter that
/// is always the same for one key and wait. While blocked the quota told is the one that follows the block.
pub fn rate_limit_fields(
    policy: &ThrottlePolicy,
    answer: &ThrottleDecision,
    key: FingerprintHash,
    now: DateTime<Utc>,
) -> Option<RateLimitFields> {
    if policy.mode() != Mode::Enforce {
        return None;
    }
    let (name, quota) = match answer.decision {
        Decision::Refuse(refusal) if refusal.reason == RefusalReason::AssetCeiling => {
            ("assets", policy.assets())
        }
        Decision::Refuse(_) | Decision::Admit { .. } => {
            (policy_name(answer.quota), policy.quota(answer.quota))
        }
    };
    let level = answer.level.min(ThrottleLevel::Severe);
    let interval_us = quota.interval(level).map_or(1, |interval| micros(interval).max(1));
    let (left, seconds, retry_after) = match answer.decision {
        Decision::Admit { allowance: None } => return None,
        Decision::Admit { allowance: Some(left) } if left.remaining == 0 => {
            (0, whole_seconds(left.wait), None)
        }
        Decision::Admit { allowance: Some(left) } => {
            let span_us = i64::from(left.remaining).saturating_mul(interval_us);
            (left.remaining, whole_seconds(TimeDelta::microseconds(span_us)), None)
        }
        Decision::Refuse(refusal) => {
            let wait = whole_seconds(refusal.retry_at - now);
            let wait = wait + jitter(key, wait, policy.settings().retry_jitter_percent);
            (0, wait, Some(wait))
        }
    };
    let (requests, window) = advertised(quota, interval_us);
    Some(RateLimitFields {
        policy: format!("\"{name}\";q={requests};w={window}"),
        limit: format!("\"{name}\";r={left};t={seconds}"),
        retry_after,
    })
}

/// The body of a refusal: a problem that names the policy, and no reason.
pub fn problem_body(answer: &ThrottleDecision) -> String {
    let name = match answer.decision {
        Decision::Refuse(refusal) if refusal.reason == RefusalReason::AssetCeiling => "assets",
        Decision::Refuse(_) | Decision::Admit { .. } => policy_name(answer.quota),
    };
    format!(
        "{{\"type\":\"{QUOTA_EXCEEDED}\",\"title\":\"Too many requests\",\"status\":429,\
         \"violated-policies\":[\"{name}\"]}}"
    )
}

const fn policy_name(kind: QuotaKind) -> &'static str {
    match kind {
        QuotaKind::Visitor => "default",
        QuotaKind::Crawler => "crawler",
    }
}

/// Requests in a window of whole seconds that one request each `interval_us` makes, rounded down, at least 1.
fn advertised(quota: &Quota, interval_us: i64) -> (i64, i64) {
    let window = whole_seconds(quota.policy().window()) as i64;
    match window * 1_000_000 / interval_us {
        0 => (1, whole_seconds(TimeDelta::microseconds(interval_us)) as i64),
        requests => (requests, window),
    }
}

/// Rounded up, at least 1.
fn whole_seconds(span: TimeDelta) -> u64 {
    let us = micros(span).max(1) as u64;
    us.div_ceil(1_000_000)
}

fn micros(span: TimeDelta) -> i64 {
    span.num_microseconds().unwrap_or(i64::MAX)
}

/// 0 to `percent` of the wait, in whole seconds, by the key.
fn jitter(key: FingerprintHash, wait: u64, percent: u8) -> u64 {
    let most = wait.saturating_mul(u64::from(percent)) / 100;
    let bits = key.as_u128();
    // The key is a hash already; the odd multiplier (2^64 ÷ the golden ratio) spreads it again for any modulus.
    let mixed = ((bits >> 64) as u64 ^ bits as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    mixed % (most + 1)
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::super::{LevelShares, QuotaPolicy, ThrottleRequest, ThrottleSettings, ThrottleState, step};
    use super::*;

    const KEY: FingerprintHash = FingerprintHash::from_u128(7);

    fn enforcing(quota: QuotaPolicy, retry_jitter_percent: u8) -> ThrottlePolicy {
        let settings = ThrottleSettings {
            mode: Mode::Enforce,
            quota,
            retry_jitter_percent,
            ..ThrottleSettings::default()
        };
        ThrottlePolicy::new(settings).unwrap()
    }

    fn number(text: &str, name: &str) -> i64 {
        let mut parts = text.split(';').filter_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        parts.next().unwrap().parse().unwrap()
    }

    #[test]
    fn the_fields_are_lists_of_strings_with_parameters() {
        let policy = enforcing(QuotaPolicy::default(), 0);
        let (mut state, now) = (ThrottleState::default(), DateTime::UNIX_EPOCH);
        let first = step(&policy, &mut state, ThrottleRequest::charged(), now);
        let fields = rate_limit_fields(&policy, &first, KEY, now).unwrap();
        let expected = RateLimitFields {
            policy: "\"default\";q=60;w=60".to_string(),
            limit: "\"default\";r=19;t=19".to_string(),
            retry_after: None,
        };
        assert_eq!(fields, expected);
        for _ in 0..19 {
            step(&policy, &mut state, ThrottleRequest::charged(), now);
        }
        let refused = step(&policy, &mut state, ThrottleRequest::charged(), now);
        let fields = rate_limit_fields(&policy, &refused, KEY, now).unwrap();
        assert_eq!((fields.limit.as_str(), fields.retry_after), ("\"default\";r=0;t=1", Some(1)));
    }

    #[test]
    fn a_request_that_is_not_charged_and_one_in_shadow_mode_have_no_fields() {
        let policy = enforcing(QuotaPolicy::default(), 0);
        let (mut state, now) = (ThrottleState::default(), DateTime::UNIX_EPOCH);
        let asset = step(&policy, &mut state, ThrottleRequest::uncharged(), now);
        assert_eq!(rate_limit_fields(&policy, &asset, KEY, now), None);
        let shadow = ThrottlePolicy::default();
        for _ in 0..30 {
            let page = step(&shadow, &mut state, ThrottleRequest::charged(), now);
            assert_eq!(rate_limit_fields(&shadow, &page, KEY, now), None);
        }
    }

    #[test]
    fn a_problem_names_its_type_and_policy_and_no_reason() {
        let policy = enforcing(QuotaPolicy::new(1, TimeDelta::minutes(1), 1).unwrap(), 0);
        let (mut state, now) = (ThrottleState::default(), DateTime::UNIX_EPOCH);
        step(&policy, &mut state, ThrottleRequest::charged(), now);
        let refused = step(&policy, &mut state, ThrottleRequest::charged(), now);
        let body: serde_json::Value = serde_json::from_str(&problem_body(&refused)).unwrap();
        let expected = serde_json::json!({
            "type": QUOTA_EXCEEDED, "title": "Too many requests", "status": 429, "violated-policies": ["default"],
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn keys_that_differ_little_spread_over_all_of_the_jitter() {
        let jitters: BTreeSet<_> =
            (0..1_000).map(|key| jitter(FingerprintHash::from_u128(key), 100, 10)).collect();
        assert_eq!(jitters, (0..=10).collect());
    }

    #[test]
    fn a_blocked_client_is_told_the_quota_that_follows_and_the_end_of_the_block() {
        let policy = enforcing(QuotaPolicy::default(), 0);
        let (mut state, now) = (ThrottleState::default(), DateTime::UNIX_EPOCH);
        let mut at = now;
        let mut last = None;
        for _ in 0..300 {
            at += TimeDelta::milliseconds(300);
            last = Some(step(&policy, &mut state, ThrottleRequest::charged(), at));
        }
        let last = last.unwrap();
        assert_eq!(last.level, ThrottleLevel::Blocked);
        let wait = (state.blocked_until().unwrap() - at).num_milliseconds().unsigned_abs().div_ceil(1_000);
        let expected = RateLimitFields {
            policy: "\"default\";q=15;w=60".to_string(),
            limit: format!("\"default\";r=0;t={wait}"),
            retry_after: Some(wait),
        };
        assert_eq!(rate_limit_fields(&policy, &last, KEY, at), Some(expected));
    }

    proptest! {
        #[test]
        fn a_client_that_spends_what_is_left_over_the_time_told_is_never_refused(
            requests in 1u32..300, window_ms in 500i64..200_000, burst in 1u32..60,
            gaps in prop::collection::vec(0i64..2_000, 0..60), shape in 0u8..3,
        ) {
            let Ok(quota) = QuotaPolicy::new(requests, TimeDelta::milliseconds(window_ms), burst) else {
                return Ok(());
            };
            let policy = enforcing(quota, 10);
            let (mut state, mut now) = (ThrottleState::default(), DateTime::UNIX_EPOCH);
            let mut last = step(&policy, &mut state, ThrottleRequest::charged(), now);
            for gap in gaps {
                now += TimeDelta::milliseconds(gap);
                last = step(&policy, &mut state, ThrottleRequest::charged(), now);
            }
            let fields = rate_limit_fields(&policy, &last, KEY, now).unwrap();
            let (left, seconds) = (number(&fields.limit, "r"), number(&fields.limit, "t"));
            prop_assert!(seconds >= 1);
            for nth in 0..left {
                let at = now + match shape {
                    0 => TimeDelta::zero(),
                    1 => TimeDelta::microseconds(seconds * 1_000_000 * nth / left),
                    _ => TimeDelta::seconds(seconds),
                };
                let answer = step(&policy, &mut state, ThrottleRequest::charged(), at);
                prop_assert!(answer.is_admitted());
            }
            if let Some(retry) = fields.retry_after {
                prop_assert_eq!(seconds as u64, retry);
                let at = now + TimeDelta::seconds(seconds);
                let answer = step(&policy, &mut state, ThrottleRequest::charged(), at);
                prop_assert!(answer.is_admitted());
            }
        }

        #[test]
        fn what_is_left_over_time_never_exceeds_the_quota_told_by_more_than_rounding(
            requests in 1u32..300, window_s in 1i64..200, burst in 1u32..60, percent in 1u8..=100,
        ) {
            let policy = QuotaPolicy::new(requests, TimeDelta::seconds(window_s), burst).unwrap();
            let quota = Quota::new(policy, LevelShares::new(percent, percent).unwrap()).unwrap();
            let interval_us = micros(quota.interval(ThrottleLevel::Warning).unwrap());
            let (told, window) = advertised(&quota, interval_us);
            prop_assert!(told >= 1 && window >= 1);
            prop_assert!(told * interval_us <= window * 1_000_000);
        }

        #[test]
        fn jitter_is_at_most_its_share_of_the_wait(key: u128, wait in 0u64..100_000, percent in 0u8..=100) {
            let key = FingerprintHash::from_u128(key);
            prop_assert!(jitter(key, wait, percent) <= wait * u64::from(percent) / 100);
        }
    }
}
