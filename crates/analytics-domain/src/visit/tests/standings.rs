//! A restart frees nobody.

use super::*;
use crate::identity::IdentityKey;
use crate::reputation::{BanPolicy, BanSettings, ReputationPolicy, ReputationSettings};

const KEY: IdentityKey = IdentityKey::new([7; 32]);

#[test]
fn who_was_blocked_stays_blocked_until_the_block_would_have_ended() {
    let mut before = World::new(10);
    before.policy.throttle =
        ThrottlePolicy::new(ThrottleSettings { mode: Mode::Enforce, ..Default::default() }).unwrap();
    let blocked = client(1);
    let now = before.raise(blocked, ThrottleLevel::Blocked, start());
    let mut after = before.restarted(10, now);
    assert_eq!((after.shard.len(), after.shard.waiting()), (0, 1));
    assert_eq!(after.shard.level(&after.policy, &blocked.key(), now), ThrottleLevel::Blocked);
    let refused = after.page(blocked, now + MICROSECOND).decision;
    assert_eq!(refused, before.page(blocked, now + MICROSECOND).decision);
    let until = refused.retry_at().unwrap();
    assert_eq!((after.shard.len(), after.shard.waiting()), (1, 0));
    assert!(after.page(client(2), until - MICROSECOND).decision.is_admitted());
    assert!(!after.page(blocked, until - MICROSECOND).decision.is_admitted());
    assert!(after.page(blocked, until).decision.is_admitted());
}

#[test]
fn a_standing_is_written_without_address_and_read_back_whole() {
    let mut world = World::new(10);
    let now = world.raise(client(1), ThrottleLevel::Blocked, start());
    let standings = world.shard.standings(&world.policy, &KEY, now);
    assert_eq!((standings.clients.len(), standings.networks.len()), (1, 1));
    let text = serde_json::to_string(&standings).unwrap();
    assert!(!text.contains("1.2.3") && !text.contains("16909"), "{text}");
    assert_eq!(serde_json::from_str::<Standings>(&text).unwrap(), standings);
    let other = world.shard.standings(&world.policy, &IdentityKey::new([8; 32]), now);
    assert_ne!(other.clients[0].who, standings.clients[0].who);
}

#[test]
fn what_nobody_holds_against_anyone_any_more_is_neither_written_nor_kept() {
    let mut world = World::new(10);
    let now = world.raise(client(1), ThrottleLevel::Blocked, start());
    let mut after = world.restarted(10, now);
    let later = now + TimeDelta::days(400);
    assert_eq!(world.shard.standings(&world.policy, &KEY, later), Standings::default());
    assert_eq!(after.shard.standings(&after.policy, &KEY, later), Standings::default());
    after.tick(later);
    assert_eq!(after.shard.waiting(), 0);
}

#[test]
fn those_who_wait_count_in_the_bound_and_leave_by_standing() {
    let mut before = World::new(10);
    let (blocked, watched) = (client(1), client(2));
    let mut now = before.raise(blocked, ThrottleLevel::Blocked, start());
    now = before.raise(watched, ThrottleLevel::Severe, now);
    now += MICROSECOND;
    before.page(client(3), now);
    let mut after = before.restarted(3, now);
    let mut waiting = Vec::new();
    for newcomer in 10..16 {
        now += MICROSECOND;
        after.page(client(newcomer), now);
        waiting.push(after.shard.waiting());
        assert!(after.shard.len() + after.shard.waiting() <= 3);
        after.shard.assert_recounted();
    }
    // First the one that had only used some quota; then the newcomers push each other out.
    assert_eq!(waiting, [2, 2, 2, 2, 2, 2]);
    assert_eq!(after.shard.level(&after.policy, &watched.key(), now), ThrottleLevel::Severe);
    assert_eq!(after.shard.level(&after.policy, &blocked.key(), now), ThrottleLevel::Blocked);
    let counters = *after.shard.counters();
    assert_eq!((counters.evicted, counters.evicted_watched), (6, 0));
    now = after.raise(client(20), ThrottleLevel::Severe, now);
    after.page(client(21), now + MICROSECOND);
    assert_eq!(
        after.shard.level(&after.policy, &watched.key(), now),
        ThrottleLevel::Normal,
        "the watched before the blocked"
    );
    assert_eq!(after.shard.level(&after.policy, &blocked.key(), now), ThrottleLevel::Blocked);
    assert_eq!(after.shard.counters().evicted_watched, 1);
}

#[test]
fn a_smaller_shard_leaves_out_those_with_the_least_to_lose_and_says_how_many() {
    let mut before = World::new(10);
    let mut now = before.raise(client(1), ThrottleLevel::Blocked, start());
    for number in 2..6 {
        now += MICROSECOND;
        before.page(client(number), now);
    }
    let standings = before.shard.standings(&before.policy, &KEY, now);
    let mut after = World::new(2);
    let left_out = after.shard.restore(&after.policy, &KEY, standings, now);
    assert_eq!((left_out, after.shard.waiting()), (3, 2));
    assert_eq!(after.shard.level(&after.policy, &client(1).key(), now), ThrottleLevel::Blocked);
}

proptest! {
    #[test]
    fn a_restored_shard_refuses_whatever_the_original_refuses_at_the_same_instant(
        Lines(lines) in sequence(1..150),
        who in proptest::collection::vec(0u8..40, 150),
        seen in 0usize..150,
        restarts in 1usize..3,
        wait in 0i64..5_000_000,
        levels: bool,
    ) {
        let mut before = World::new(1_000);
        before.policy = strict(levels);
        let mut now = start();
        for ((at, request), &who) in lines.iter().zip(&who).take(seen) {
            now = DateTime::from_timestamp_micros(*at).unwrap();
            before.step(some_client(who), request, now);
        }
        for network in 0..40 {
            now += TimeDelta::microseconds(wait);
            let mut after = before.restarted(1_000, now);
            for _ in 1..restarts {
                after = after.restarted(1_000, now);
            }
            after.shard.assert_recounted();
            let asked = some_client(network);
            let (was, is) = (before.page(asked, now).decision, after.page(asked, now).decision);
            // New evidence may raise a level with the request itself; what a session has shown begins anew.
            if was.raised.is_none() && let Some(refusal) = was.refusal() {
                prop_assert_eq!(is.refusal(), Some(refusal));
            }
        }
    }

    #[test]
    fn whoever_comes_after_a_restart_nothing_outgrows_the_capacity(
        Lines(lines) in sequence(1..100),
        who in proptest::collection::vec(0u8..40, 100),
        room in 1usize..8,
        levels: bool,
    ) {
        let mut world = World::new(room);
        world.policy = strict(levels);
        for (number, ((at, request), who)) in lines.iter().zip(who).enumerate() {
            let now = DateTime::from_timestamp_micros(*at).unwrap();
            if number % 16 == 15 {
                world = world.restarted(room, now);
            }
            world.step(some_client(who), request, now);
            prop_assert!(world.shard.len() + world.shard.waiting() <= room);
            world.shard.assert_recounted();
        }
    }
}

/// Enforces a small quota and small ceilings, and bans early.
fn strict(levels: bool) -> VisitPolicy {
    let ban =
        BanSettings { incidents: 2, network_incidents: 2, mode: Mode::Enforce, ..BanSettings::default() };
    let settings = ReputationSettings { ban: BanPolicy::new(ban).unwrap(), ..ReputationSettings::default() };
    let throttle = if levels {
        ThrottlePolicy::new(ThrottleSettings {
            mode: Mode::Enforce,
            quota: quota(4, 2),
            ..Default::default()
        })
        .unwrap()
    } else {
        enforcing(quota(4, 2))
    };
    VisitPolicy { throttle, reputation: ReputationPolicy::new(settings).unwrap(), ..VisitPolicy::default() }
}

impl World {
    /// Another world under the same rules, with what was held against clients in this one.
    fn restarted(&self, capacity: usize, now: DateTime<Utc>) -> Self {
        let mut next = Self { policy: self.policy.clone(), ..Self::new(capacity) };
        let standings = self.shard.standings(&self.policy, &KEY, now);
        next.shard.restore(&next.policy, &KEY, standings, now);
        next
    }
}
