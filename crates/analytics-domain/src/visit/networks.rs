//! What is remembered of client networks, in slots that their visitors hold.

use alloc::vec::Vec;
use core::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::chunks::Chunks;
use crate::reputation::NetworkReputation;
use crate::request::ClientNetwork;
use crate::throttle::CeilingState;

/// The networks of all visitors of a shard. A network is here as long as one of its visitors is.
#[derive(Debug)]
pub(super) struct Networks {
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    slots: Chunks<NetworkState>,
    free: Vec<u32>,
}

/// What is remembered of one client network.
#[derive(Debug)]
pub(super) struct NetworkState {
    key: ClientNetwork,
    visitors: u32,
    /// Its visitors that load nothing.
    pub(super) bare: u16,
    pub(super) ceiling: CeilingState,
    pub(super) reputation: NetworkReputation,
}

impl Networks {
    pub(super) fn new() -> Self {
        Self {
            index: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            slots: Chunks::new(),
            free: Vec::new(),
        }
    }

    /// Counts one more visitor of this network, and answers the slot that stays its own until the visitor leaves.
    ///
    /// `known` says what a network that is new here has stood at before.
    pub(super) fn join(
        &mut self,
        key: ClientNetwork,
        known: impl FnOnce() -> (CeilingState, NetworkReputation),
    ) -> u32 {
        let hash = self.hasher.hash_one(key);
        if let Some(&slot) = self.index.find(hash, |&slot| self.slots.get(slot).key == key) {
            self.slots.get_mut(slot).visitors += 1;
            return slot;
        }
        let (ceiling, reputation) = known();
        let state = NetworkState { key, visitors: 1, bare: 0, ceiling, reputation };
        let slot = if let Some(slot) = self.free.pop() {
            *self.slots.get_mut(slot) = state;
            slot
        } else {
            self.slots.push(state)
        };
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.index.insert_unique(hash, slot, |&held| hasher.hash_one(slots.get(held).key));
        slot
    }

    /// Counts one visitor less, and forgets the network with the last; answers what it stood at.
    pub(super) fn leave(&mut self, slot: u32) -> Option<(CeilingState, NetworkReputation)> {
        let state = self.slots.get_mut(slot);
        state.visitors -= 1;
        if state.visitors > 0 {
            return None;
        }
        let left = (state.ceiling, state.reputation);
        let hash = self.hasher.hash_one(state.key);
        if let Ok(entry) = self.index.find_entry(hash, |&held| held == slot) {
            entry.remove();
        }
        self.free.push(slot);
        Some(left)
    }

    /// The networks and what they stand at, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (ClientNetwork, &NetworkState)> {
        self.index.iter().map(|&slot| self.slots.get(slot)).map(|state| (state.key, state))
    }

    /// What is remembered of the network in this slot.
    pub(super) fn get_mut(&mut self, slot: u32) -> &mut NetworkState {
        self.slots.get_mut(slot)
    }
}

#[cfg(test)]
impl Networks {
    /// Visitors and bare visitors by network.
    pub(super) fn counts(&self) -> alloc::collections::BTreeMap<ClientNetwork, (u32, u16)> {
        let states = self.index.iter().map(|&slot| self.slots.get(slot));
        states.map(|state| (state.key, (state.visitors, state.bare))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_remembered_as_long_as_one_of_its_visitors_is() {
        let mut networks = Networks::new();
        let first = networks.join(ClientNetwork::V4(1), Default::default);
        networks.get_mut(first).bare = 2;
        let other = networks.join(ClientNetwork::V4(2), Default::default);
        assert_ne!(first, other);
        assert_eq!(networks.join(ClientNetwork::V4(1), Default::default), first);
        assert_eq!(networks.leave(first), None);
        assert_eq!(networks.get_mut(first).bare, 2, "one visitor is left");
        assert_eq!(networks.leave(first), Some(Default::default()));
        let reused = networks.join(ClientNetwork::V4(3), Default::default);
        assert_eq!((reused, networks.get_mut(reused).bare), (first, 0), "a slot starts afresh");
        assert_eq!(networks.join(ClientNetwork::V4(2), Default::default), other);
    }
}
