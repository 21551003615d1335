//! What is remembered of a client network: whether all that comes from it is hostile.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ban::Record;
use super::time::{Mark, minute_of};
use super::{BanPolicy, BanReason, BanTerm};
use crate::ids::FingerprintHash;
use crate::throttle::{Mode, fresh, instant, micros};

/// Counts one charged request of a network, and says whether it leads to a ban of the network.
///
/// The network is banned when at least the policy's share (0.9) of its charged requests in 24 h came from banned
/// fingerprints, and so many (3) different fingerprints of it had a hostile incident in that time. One client cannot
/// have its neighbours banned.
pub fn observe_network(
    policy: &BanPolicy,
    state: &mut NetworkReputation,
    facts: NetworkFacts,
    now: DateTime<Utc>,
) -> Option<BanTerm> {
    observe_network_at(policy, state, facts, micros(now))
}

/// As [`observe_network`], with the time as the states keep it.
pub(crate) fn observe_network_at(
    policy: &BanPolicy,
    state: &mut NetworkReputation,
    facts: NetworkFacts,
    now_us: i64,
) -> Option<BanTerm> {
    state.advance(minute_of(now_us));
    let slot = state.minute.div_euclid(MINUTES_PER_SHIFT).rem_euclid(SHIFTS as i64) as usize;
    state.charged[slot] = state.charged[slot].saturating_add(1);
    if facts.from_banned {
        state.from_banned[slot] = state.from_banned[slot].saturating_add(1);
    }
    if facts.hostile_incident {
        state.remember(facts.fingerprint);
    }
    if facts.protected || !state.is_hostile(policy) {
        return None;
    }
    let mut record = Record { until_us: state.banned_until_us, row: state.ban_row };
    let term = record.next(policy, BanReason::HostileNetwork, now_us)?;
    (state.banned_until_us, state.ban_row) = (record.until_us, record.row);
    state.culprits = [None; 3];
    Some(term)
}

/// What is known of one charged request, as far as its network is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkFacts {
    /// Whose request it is.
    pub fingerprint: FingerprintHash,
    /// The fingerprint is banned, whether the ban binds or is only listed.
    pub from_banned: bool,
    /// The request raised [`FlagReason::HostileBehaviour`](super::FlagReason::HostileBehaviour).
    pub hostile_incident: bool,
    /// The network is never banned; see [`protection`](super::protection).
    pub protected: bool,
}

/// Everything that is remembered of one network's reputation, without a pointer.
///
/// Counts cover 21 to 24 h, in buckets of three hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkReputation {
    banned_until_us: i64,
    minute: i64,
    charged: [u32; SHIFTS],
    from_banned: [u32; SHIFTS],
    /// The latest fingerprints with a hostile incident (32 bits of each), each once.
    culprits: [Option<(u32, Mark)>; 3],
    ban_row: u8,
}

impl NetworkReputation {
    /// Whether nothing is held against the network at `now`: no incident of the last day, no ban within the memory.
    pub fn is_clean(&self, policy: &BanPolicy, now: DateTime<Utc>) -> bool {
        let (now_us, minute) = (micros(now), minute_of(micros(now)));
        let banned = self.ban_row > 0 && now_us < self.banned_until_us.saturating_add(policy.memory_us());
        !banned && !self.culprits.iter().flatten().any(|(_, mark)| mark.is_within(DAY, minute))
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
    pub fn binding_ban(&self, policy: &BanPolicy, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.binding_ban_at(policy, micros(now))
    }

    /// As `binding_ban`, with the time as the state keeps it.
    pub(crate) fn binding_ban_at(&self, policy: &BanPolicy, now_us: i64) -> Option<DateTime<Utc>> {
        let binds = match policy.mode() {
            Mode::Enforce => self.banned_at(now_us),
            Mode::Off | Mode::Shadow => false,
        };
        binds.then(|| instant(self.banned_until_us))
    }

    /// Lifts the ban and forgets the incidents that led to it; the end it would have had, if one ran.
    pub fn clear(&mut self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let until = self.banned_until(now);
        *self = Self { minute: self.minute, charged: self.charged, ..Self::default() };
        until
    }

    fn advance(&mut self, minute: i64) {
        if minute <= self.minute {
            return;
        }
        let (from, to) = (self.minute.div_euclid(MINUTES_PER_SHIFT), minute.div_euclid(MINUTES_PER_SHIFT));
        for gone in fresh(from, to, SHIFTS) {
            self.charged[gone] = 0;
            self.from_banned[gone] = 0;
        }
        self.minute = minute;
    }

    fn remember(&mut self, fingerprint: FingerprintHash) {
        let name = fingerprint.as_u128() as u32;
        let own = |culprit: &Option<(u32, Mark)>| culprit.is_some_and(|(other, _)| other == name);
        let place = self.culprits.iter().position(own).unwrap_or(self.culprits.len() - 1);
        self.culprits[..=place].rotate_right(1);
        self.culprits[0] = Some((name, Mark::new(self.minute, false)));
    }

    fn is_hostile(&self, policy: &BanPolicy) -> bool {
        let rules = policy.settings();
        let culprits = self.culprits.iter().flatten().filter(|(_, mark)| mark.is_within(DAY, self.minute));
        let sum = |counts: &[u32]| counts.iter().map(|&count| u64::from(count)).sum::<u64>() as f64;
        culprits.count() >= usize::from(rules.network_incidents)
            && sum(&self.from_banned) >= rules.network_share * sum(&self.charged)
    }
}

const DAY: i64 = 24 * 60;
const MINUTES_PER_SHIFT: i64 = 180;
const SHIFTS: usize = 8;

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn facts(fingerprint: u128, from_banned: bool, hostile_incident: bool) -> NetworkFacts {
        let fingerprint = FingerprintHash::from_u128(fingerprint);
        NetworkFacts { fingerprint, from_banned, hostile_incident, protected: false }
    }

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    /// Three hostile clients, then `banned` requests of banned fingerprints; the last answer.
    fn after(state: &mut NetworkReputation, banned: u32, minute: i64) -> Option<BanTerm> {
        let policy = BanPolicy::default();
        for name in 0..3 {
            assert_eq!(observe_network(&policy, state, facts(name, false, true), at(minute)), None);
        }
        (0..banned)
            .map(|_| observe_network(&policy, state, facts(1, true, false), at(minute)))
            .last()
            .flatten()
    }

    #[test]
    fn a_network_is_banned_at_nine_requests_in_ten_from_banned_clients_and_not_before() {
        assert_eq!(after(&mut NetworkReputation::default(), 26, 0), None);
        let mut state = NetworkReputation::default();
        let term = BanTerm { reason: BanReason::HostileNetwork, from: at(0), until: at(60), would_ban: true };
        assert_eq!(after(&mut state, 27, 0), Some(term));
        assert_eq!(state.banned_until(at(59)), Some(at(60)));
        assert_eq!(state.binding_ban(&BanPolicy::default(), at(59)), None);
        assert_eq!(state.clear(at(59)), Some(at(60)));
        assert_eq!(state.banned_until(at(59)), None);
    }

    #[test]
    fn one_hostile_client_never_has_its_network_banned() {
        let (policy, mut state) = (BanPolicy::default(), NetworkReputation::default());
        for minute in 0..2_000 {
            assert_eq!(observe_network(&policy, &mut state, facts(7, true, true), at(minute)), None);
        }
    }

    #[test]
    fn incidents_older_than_a_day_and_requests_of_others_do_not_count() {
        let (policy, mut state) = (BanPolicy::default(), NetworkReputation::default());
        for name in 0..3 {
            assert_eq!(observe_network(&policy, &mut state, facts(name, false, true), at(0)), None);
        }
        for minute in 1_440..1_500 {
            assert_eq!(observe_network(&policy, &mut state, facts(1, true, false), at(minute)), None);
        }
        let mut shared = NetworkReputation::default();
        for _ in 0..7 {
            assert_eq!(observe_network(&policy, &mut shared, facts(9, false, false), at(0)), None);
        }
        assert_eq!(after(&mut shared, 89, 0), None);
        assert!(observe_network(&policy, &mut shared, facts(1, true, false), at(0)).is_some());
    }

    #[test]
    fn a_protected_network_is_never_banned() {
        let (policy, mut state) = (BanPolicy::default(), NetworkReputation::default());
        for name in 0..100 {
            let facts = NetworkFacts { protected: true, ..facts(name, true, true) };
            assert_eq!(observe_network(&policy, &mut state, facts, at(0)), None);
        }
    }
}
