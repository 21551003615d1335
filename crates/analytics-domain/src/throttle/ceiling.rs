//! Ceilings above the fingerprint: what a whole network may send, whatever its clients call themselves.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::step::step_at;
use super::{Gcra, Mode, ThrottleDecision, ThrottlePolicy, ThrottleRequest, ThrottleState, instant, micros};

/// As [`step`](super::step()), under the ceilings of the networks that the client is in.
///
/// A request that any ceiling refuses is charged to none and to no quota, and the latest of their promises is given.
/// Whatever fields a client rotates, its network admits no more than the ceiling.
pub fn step_within(
    policy: &ThrottlePolicy,
    ceilings: &mut [Ceiling<'_>],
    state: &mut ThrottleState,
    request: ThrottleRequest,
    now: DateTime<Utc>,
) -> ThrottleDecision {
    step_within_at(policy, ceilings, state, request, micros(now))
}

/// As [`step_within`], with the time as the states keep it.
pub(crate) fn step_within_at(
    policy: &ThrottlePolicy,
    ceilings: &mut [Ceiling<'_>],
    state: &mut ThrottleState,
    request: ThrottleRequest,
    now_us: i64,
) -> ThrottleDecision {
    if policy.mode() == Mode::Off || !request.charged {
        return step_at(policy, state, request, now_us);
    }
    let refused = ceilings.iter().filter_map(|ceiling| ceiling.retry_us(policy, now_us)).max();
    let ceiling_until = request.ceiling_until.max(refused.map(instant));
    let answer = step_at(policy, state, ThrottleRequest { ceiling_until, ..request }, now_us);
    if answer.refusal().is_none() {
        for ceiling in ceilings {
            ceiling.charge(policy, now_us);
        }
    }
    answer
}

/// A network's state, with what kind of network it is.
#[derive(Debug)]
pub struct Ceiling<'a> {
    /// How wide the network is.
    pub kind: CeilingKind,
    /// Its state, stepped in place.
    pub state: &'a mut CeilingState,
}

/// How wide a network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CeilingKind {
    /// The network that identifies a client: IPv4 /32 and IPv6 /64 unless configured otherwise.
    Network,
    /// An IPv6 /56.
    Ipv6Slash56,
    /// An IPv6 /48.
    Ipv6Slash48,
}

/// What is remembered of one network: its use of the ceiling, and how many engaged visitors raise it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CeilingState {
    gcra: Gcra,
    /// UTC day number since 1970 of `today`.
    day: i64,
    today: u16,
    yesterday: u16,
}

impl CeilingState {
    /// Counts one visitor whose engagement was bound to a session and plausible. Call it once per visitor and day.
    ///
    /// Each adds one quota to the ceiling, today and tomorrow, up to the policy's `engaged_factor_max`.
    pub fn engage(&mut self, now: DateTime<Utc>) {
        let day = day_of(micros(now));
        if day > self.day {
            self.yesterday = if day == self.day.saturating_add(1) { self.today } else { 0 };
            self.today = 0;
            self.day = day;
        }
        self.today = self.today.saturating_add(1);
    }

    /// Engaged visitors of today or of yesterday, whichever were more: most of them are the same people.
    pub fn engaged(&self, now: DateTime<Utc>) -> u32 {
        self.engaged_at(micros(now))
    }

    /// Whether the network is at `now` as one that was never seen: its ceiling whole, and raised by nobody.
    pub fn is_clean(&self, now: DateTime<Utc>) -> bool {
        self.gcra.is_whole(micros(now)) && self.engaged(now) == 0
    }

    fn engaged_at(&self, now_us: i64) -> u32 {
        let age = day_of(now_us).saturating_sub(self.day);
        let known = match age {
            i64::MIN..=0 => self.today.max(self.yesterday),
            1 => self.today,
            2.. => 0,
        };
        u32::from(known)
    }
}

impl Ceiling<'_> {
    /// When the network admits a request again; `None` if it does now.
    fn retry_us(&self, policy: &ThrottlePolicy, now_us: i64) -> Option<i64> {
        let pace = policy.ceiling_pace(self.kind, self.state.engaged_at(now_us));
        self.state.gcra.peek(pace, now_us).err()
    }

    fn charge(&mut self, policy: &ThrottlePolicy, now_us: i64) {
        let pace = policy.ceiling_pace(self.kind, self.state.engaged_at(now_us));
        // The ceiling was asked before the quota; a refusal here cannot be, and would charge nothing.
        let _ = self.state.gcra.charge(pace, now_us);
    }
}

const fn day_of(us: i64) -> i64 {
    us.div_euclid(86_400_000_000)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use chrono::TimeDelta;
    use hashbrown::HashMap;
    use proptest::prelude::*;

    use super::super::{QuotaPolicy, RefusalReason, ThrottleSettings, step};
    use super::*;

    fn enforcing(quota: QuotaPolicy) -> ThrottlePolicy {
        let settings =
            ThrottleSettings { mode: Mode::Enforce, quota, network_factor: 2, ..ThrottleSettings::default() };
        ThrottlePolicy::new(settings).unwrap()
    }

    proptest! {
        #[test]
        fn rotating_any_field_never_exceeds_the_ceiling_of_the_network(
            requests in prop::collection::vec((0i64..4_000, 0u32..50), 1..300),
        ) {
            let policy = enforcing(QuotaPolicy::new(60, TimeDelta::minutes(1), 5).unwrap());
            let mut network = CeilingState::default();
            let mut clients: HashMap<u32, ThrottleState> = HashMap::new();
            let (mut now_ms, mut admitted) = (0, Vec::new());
            for (gap, name) in requests {
                now_ms += gap / 10;
                let now = DateTime::from_timestamp_millis(now_ms).unwrap();
                let client = clients.entry(name).or_default();
                let mut above = [Ceiling { kind: CeilingKind::Network, state: &mut network }];
                if step_within(&policy, &mut above, client, ThrottleRequest::charged(), now).is_admitted() {
                    admitted.push(now_ms);
                }
            }
            // Twice 60 a minute with a burst of twice 5: one request each 500 ms.
            for (i, from) in admitted.iter().enumerate() {
                for (j, to) in admitted.iter().enumerate().skip(i) {
                    prop_assert!((j - i + 1) as i64 <= 10 + (to - from) / 500);
                }
            }
        }
    }

    #[test]
    fn a_request_that_the_ceiling_refuses_is_charged_nowhere_and_is_no_refusal_of_the_client() {
        let policy = enforcing(QuotaPolicy::new(60, TimeDelta::minutes(1), 1).unwrap());
        let (mut network, now) = (CeilingState::default(), DateTime::UNIX_EPOCH);
        for _ in 0..2 {
            let mut above = [Ceiling { kind: CeilingKind::Network, state: &mut network }];
            let mut other = ThrottleState::default();
            assert!(
                step_within(&policy, &mut above, &mut other, ThrottleRequest::charged(), now).is_admitted()
            );
        }
        let (mut client, before) = (ThrottleState::default(), network);
        let mut above = [Ceiling { kind: CeilingKind::Network, state: &mut network }];
        let answer = step_within(&policy, &mut above, &mut client, ThrottleRequest::charged(), now);
        let refusal = answer.refusal().unwrap();
        assert_eq!(refusal.reason, RefusalReason::NetworkCeiling);
        assert_eq!(refusal.retry_at, now + TimeDelta::milliseconds(500));
        assert_eq!(network, before);
        assert_eq!(client.windows.refusals(), 0);
        assert!(step(&policy, &mut client, ThrottleRequest::charged(), now).is_admitted());
    }

    #[test]
    fn a_ceiling_grows_with_engaged_visitors_for_two_days_and_to_a_limit() {
        let policy = ThrottlePolicy::default();
        let (mut network, now) = (CeilingState::default(), DateTime::UNIX_EPOCH);
        let pace = |state: &CeilingState, at| {
            let pace = policy.ceiling_pace(CeilingKind::Network, state.engaged(at));
            (pace.burst(), pace.interval_us)
        };
        assert_eq!(pace(&network, now), (400, 50_000));
        for _ in 0..20 {
            network.engage(now);
        }
        assert_eq!(pace(&network, now), (800, 25_000));
        assert_eq!(pace(&network, now + TimeDelta::days(1)), (800, 25_000));
        assert_eq!(pace(&network, now + TimeDelta::days(2)), (400, 50_000));
        for _ in 0..1_000 {
            network.engage(now);
        }
        assert_eq!(pace(&network, now), (2_000, 10_000));
    }
}
