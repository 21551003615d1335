//! What is held against clients, written down so that a restart frees nobody.

use alloc::vec::Vec;
use core::cmp::Reverse;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::lists::Place;
use super::shard::Shard;
use super::step::VisitPolicy;
use super::visitor::{ClientKey, Visitor};
use super::waiting::Waiting;
use crate::identity::IdentityKey;
use crate::ids::StandingId;
use crate::reputation::{NetworkReputation, ReputationState};
use crate::request::ClientNetwork;
use crate::throttle::{CeilingState, ThrottleLevel, ThrottleState};

/// What a shard holds against clients and networks. It names them by keyed hashes, so that it holds no address.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standings {
    /// Clients, the one with the least to lose in front.
    pub clients: Vec<ClientStanding>,
    /// Networks and blocks of IPv6, by name.
    pub networks: Vec<NetworkStanding>,
}

/// What is held against one client.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientStanding {
    /// The client.
    pub who: StandingId,
    /// Its use of the quota, its level and its blocks.
    pub throttle: ThrottleState,
    /// Its incidents, flags and bans.
    pub reputation: ReputationState,
}

/// What is held against one network, or one IPv6 /56 or /48.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkStanding {
    /// The network.
    pub who: StandingId,
    /// Its use of the ceiling.
    pub ceiling: CeilingState,
    /// Its incidents and bans; a block of IPv6 has none.
    pub reputation: NetworkReputation,
}

impl<T: Default> Shard<T> {
    /// What is held against clients, networks and blocks at `now`, to be written down under names made with `key`.
    ///
    /// A client that is clean, to whom nobody would answer otherwise than to one that was never seen, is not in it.
    pub fn standings(&self, policy: &VisitPolicy, key: &IdentityKey, now: DateTime<Utc>) -> Standings {
        let mut clients = self.waiting.clients();
        for place in Place::ALL {
            let mut at = self.visitors.oldest(place);
            while let Some(slot) = at {
                at = self.visitors.younger(slot);
                let visitor = self.visitors.get(slot);
                if !visitor.is_clean(policy, now) {
                    clients.push(ClientStanding::of(visitor, key));
                }
            }
        }
        clients.retain(|standing| !standing.is_clean(policy, now));
        clients.sort_by_key(|standing| standing.place(policy, now));
        let states = self.networks.iter().map(|(network, state)| NetworkStanding {
            who: network_id(key, network),
            ceiling: state.ceiling,
            reputation: state.reputation,
        });
        let blocks = self.wide.iter().map(|(&block, state)| NetworkStanding {
            who: block_id(key, block),
            ceiling: state.ceiling,
            reputation: NetworkReputation::default(),
        });
        let mut networks: Vec<_> = states.chain(blocks).chain(self.waiting.networks()).collect();
        // What a visitor's network stands at now comes before what it stood at when it was restored.
        networks.sort_by_key(|standing| standing.who);
        networks.dedup_by_key(|standing| standing.who);
        networks.retain(|standing| !standing.is_clean(policy, now));
        Standings { clients, networks }
    }

    /// Takes up standings that were written down under names made with `key`: each waits until its client or network
    /// comes back. Answers how many clients' there was no room for, those with the least to lose.
    ///
    /// Call it once, before the first request.
    pub fn restore(
        &mut self,
        policy: &VisitPolicy,
        key: &IdentityKey,
        mut standings: Standings,
        now: DateTime<Utc>,
    ) -> usize {
        // No shard has more networks and blocks than three for each visitor; those that are banned longest stay.
        standings.networks.sort_by_key(|standing| Reverse(standing.reputation.banned_until(now)));
        standings.networks.truncate(3 * self.visitors.room());
        self.waiting = Waiting::new(policy, key.clone(), standings, now);
        let left_out = self.waiting.len().saturating_sub(self.visitors.room());
        (0..left_out).for_each(|_| self.waiting.let_first_go());
        left_out
    }
}

impl ClientStanding {
    fn of<T>(visitor: &Visitor<T>, key: &IdentityKey) -> Self {
        Self { who: client_id(key, &visitor.key), throttle: visitor.throttle, reputation: visitor.reputation }
    }

    /// Whether nothing is held against the client any more.
    pub(super) fn is_clean(&self, policy: &VisitPolicy, now: DateTime<Utc>) -> bool {
        let clean = self.throttle.is_clean(policy.throttle.escalation(), now);
        clean && self.reputation.is_clean(&policy.reputation, now)
    }

    /// Where a visitor of this standing would stand without an open session; who has used some quota or has incidents,
    /// but no level and no flag, has something to lose and counts as one with an open session.
    pub(super) fn place(&self, policy: &VisitPolicy, now: DateTime<Utc>) -> Place {
        match self.throttle.level_at(policy.throttle.escalation(), now) {
            _ if self.reputation.banned_until(now).is_some() => Place::BarredIdle,
            ThrottleLevel::Blocked => Place::BarredIdle,
            ThrottleLevel::Warning | ThrottleLevel::Severe => Place::WatchedIdle,
            ThrottleLevel::Normal if self.reputation.is_flagged(&policy.reputation, now) => {
                Place::WatchedIdle
            }
            ThrottleLevel::Normal => Place::Open,
        }
    }
}

impl NetworkStanding {
    /// Whether nothing is held against the network any more.
    pub(super) fn is_clean(&self, policy: &VisitPolicy, now: DateTime<Utc>) -> bool {
        self.ceiling.is_clean(now) && self.reputation.is_clean(policy.reputation.ban(), now)
    }
}

impl<T> Visitor<T> {
    fn is_clean(&self, policy: &VisitPolicy, now: DateTime<Utc>) -> bool {
        let clean = self.throttle.is_clean(policy.throttle.escalation(), now);
        clean && self.reputation.is_clean(&policy.reputation, now)
    }
}

/// The name of a client in a written standing.
pub(super) fn client_id(key: &IdentityKey, client: &ClientKey) -> StandingId {
    key.standing(b"client", client.network, [client.agent, client.headers])
}

/// The name of a client network.
pub(super) fn network_id(key: &IdentityKey, network: ClientNetwork) -> StandingId {
    key.standing(b"network", network, [0, 0])
}

/// The name of an IPv6 /56 or /48, which differs from that of a client network of the same width.
pub(super) fn block_id(key: &IdentityKey, block: ClientNetwork) -> StandingId {
    key.standing(b"block", block, [0, 0])
}
