//! Standings from before a restart, until their clients come back.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use chrono::{DateTime, Utc};
use hashbrown::HashMap;

use super::lists::Place;
use super::standing::{ClientStanding, NetworkStanding, Standings, block_id, client_id, network_id};
use super::step::VisitPolicy;
use super::visitor::ClientKey;
use crate::identity::IdentityKey;
use crate::ids::StandingId;
use crate::reputation::NetworkReputation;
use crate::request::ClientNetwork;
use crate::throttle::CeilingState;

/// What is known of those who have not come back yet. Costs nothing when that is nobody.
///
/// A client's standing leaves with its return. A network's stays until nothing is held against it, since a network is
/// forgotten with its last visitor, and who waits for it is none.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Makes the names; `None` when nobody waits.
    key: Option<IdentityKey>,
    clients: HashMap<StandingId, (Rank, ClientStanding)>,
    order: BTreeMap<Rank, StandingId>,
    networks: HashMap<StandingId, NetworkStanding>,
}

/// Who has the least to lose, and among those who came longest ago.
type Rank = (Place, usize);

impl Waiting {
    /// Those of the standings that still hold something.
    pub(super) fn new(
        policy: &VisitPolicy,
        key: IdentityKey,
        standings: Standings,
        now: DateTime<Utc>,
    ) -> Self {
        let mut waiting = Self { key: Some(key), ..Self::default() };
        for (number, standing) in standings.clients.into_iter().enumerate() {
            let rank = (standing.place(policy, now), number);
            if let Some((known, _)) = waiting.clients.insert(standing.who, (rank, standing)) {
                waiting.order.remove(&known);
            }
            waiting.order.insert(rank, standing.who);
        }
        waiting.networks = standings.networks.into_iter().map(|standing| (standing.who, standing)).collect();
        waiting.forget_clean(policy, now);
        waiting
    }

    /// How many clients wait.
    pub(super) fn len(&self) -> usize {
        self.clients.len()
    }

    /// The standing of a client, which waits no longer.
    pub(super) fn take(&mut self, client: &ClientKey) -> Option<ClientStanding> {
        let (rank, standing) = self.clients.remove(&client_id(self.key.as_ref()?, client))?;
        self.order.remove(&rank);
        Some(standing)
    }

    /// The standing of a client, which goes on waiting.
    pub(super) fn client(&self, client: &ClientKey) -> Option<&ClientStanding> {
        let (_, standing) = self.clients.get(&client_id(self.key.as_ref()?, client))?;
        Some(standing)
    }

    /// What a network stood at; nothing against one that is not known.
    pub(super) fn network(&self, network: ClientNetwork) -> (CeilingState, NetworkReputation) {
        let known = self.key.as_ref().and_then(|key| self.networks.get(&network_id(key, network)));
        known.map(|standing| (standing.ceiling, standing.reputation)).unwrap_or_default()
    }

    /// What an IPv6 block stood at; nothing against one that is not known.
    pub(super) fn block(&self, block: ClientNetwork) -> CeilingState {
        let known = self.key.as_ref().and_then(|key| self.networks.get(&block_id(key, block)));
        known.map(|standing| standing.ceiling).unwrap_or_default()
    }

    /// Notes what a network stands at now that its last visitor has left, if it waited before.
    pub(super) fn keep_network(
        &mut self,
        network: ClientNetwork,
        ceiling: CeilingState,
        reputation: NetworkReputation,
    ) {
        let Some(key) = &self.key else { return };
        if let Some(standing) = self.networks.get_mut(&network_id(key, network)) {
            (standing.ceiling, standing.reputation) = (ceiling, reputation);
        }
    }

    /// Lifts the ban of a network that waits.
    pub(super) fn free_network(&mut self, network: ClientNetwork, now: DateTime<Utc>) -> bool {
        let Some(key) = &self.key else { return false };
        let known = self.networks.get_mut(&network_id(key, network));
        known.is_some_and(|standing| standing.reputation.clear(now).is_some())
    }

    /// Notes what an IPv6 block stands at now that its last visitor has left, if it waited before.
    pub(super) fn keep_block(&mut self, block: ClientNetwork, ceiling: CeilingState) {
        let Some(key) = &self.key else { return };
        if let Some(standing) = self.networks.get_mut(&block_id(key, block)) {
            standing.ceiling = ceiling;
        }
    }

    /// The place of the one with the least to lose.
    pub(super) fn first_place(&self) -> Option<Place> {
        self.order.first_key_value().map(|((place, _), _)| *place)
    }

    /// Forgets the one with the least to lose.
    pub(super) fn let_first_go(&mut self) {
        if let Some((_, who)) = self.order.pop_first() {
            self.clients.remove(&who);
        }
    }

    /// Forgets those against whom nothing is held any more.
    pub(super) fn forget_clean(&mut self, policy: &VisitPolicy, now: DateTime<Utc>) {
        if self.key.is_none() {
            return;
        }
        let order = &mut self.order;
        self.clients.retain(|_, (rank, standing)| {
            let stays = !standing.is_clean(policy, now);
            if !stays {
                order.remove(rank);
            }
            stays
        });
        self.networks.retain(|_, standing| !standing.is_clean(policy, now));
        if self.clients.is_empty() && self.networks.is_empty() {
            *self = Self::default();
        }
    }

    /// The clients, the one with the least to lose in front.
    pub(super) fn clients(&self) -> Vec<ClientStanding> {
        self.order.values().filter_map(|who| self.clients.get(who)).map(|(_, standing)| *standing).collect()
    }

    /// The networks and blocks, in no order.
    pub(super) fn networks(&self) -> impl Iterator<Item = NetworkStanding> {
        self.networks.values().copied()
    }
}
