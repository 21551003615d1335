//! Visitors by key, in order of their last request, and never more than the capacity.

use alloc::vec::Vec;
use core::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::chunks::Chunks;
use super::lists::{Links, Lists, Place};
use super::visitor::{ClientKey, Visitor};

/// A bounded table whose slots stay where they are; memory grows by 64 visitors at a time.
#[derive(Debug)]
pub(super) struct Table<T> {
    capacity: usize,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    slots: Chunks<Option<Visitor<T>>>,
    /// The neighbours of each slot, apart from the visitors: a touch changes those of three slots.
    links: Vec<Links>,
    free: Vec<u32>,
    lists: Lists,
    len: usize,
}

impl<T> Table<T> {
    /// An empty table for at most this many visitors, at least one.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            index: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            slots: Chunks::new(),
            links: Vec::new(),
            free: Vec::new(),
            lists: Lists::default(),
            len: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is room for nobody beside those that wait elsewhere.
    pub(super) const fn is_full(&self, waiting: usize) -> bool {
        self.len + waiting >= self.capacity
    }

    /// How many more there is room for.
    pub(super) const fn room(&self) -> usize {
        self.capacity - self.len
    }

    pub(super) fn find(&self, key: &ClientKey) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        self.index
            .find(hash, |&slot| self.slots.get(slot).as_ref().is_some_and(|visitor| visitor.key == *key))
            .copied()
    }

    pub(super) fn get(&self, slot: u32) -> &Visitor<T> {
        self.slots.get(slot).as_ref().expect("a slot in a list or the index holds a visitor")
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> &mut Visitor<T> {
        self.slots.get_mut(slot).as_mut().expect("a slot in a list or the index holds a visitor")
    }

    /// Adds a visitor that is not in the table, at the young end of the list.
    pub(super) fn insert(&mut self, visitor: Visitor<T>, place: Place) -> u32 {
        let hash = self.hasher.hash_one(visitor.key);
        let slot = if let Some(slot) = self.free.pop() {
            *self.slots.get_mut(slot) = Some(visitor);
            slot
        } else {
            self.links.push(Links::default());
            self.slots.push(Some(visitor))
        };
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.index.insert_unique(hash, slot, |&held| {
            hasher.hash_one(slots.get(held).as_ref().expect("the index holds only filled slots").key)
        });
        self.lists.append(&mut self.links, slot, place);
        self.len += 1;
        slot
    }

    /// Removes the visitor in this slot.
    pub(super) fn remove(&mut self, slot: u32) -> Option<Visitor<T>> {
        let hash = self.hasher.hash_one(self.get(slot).key);
        if let Ok(entry) = self.index.find_entry(hash, |&held| held == slot) {
            entry.remove();
        }
        self.lists.remove(&mut self.links, slot);
        self.free.push(slot);
        self.len -= 1;
        self.slots.get_mut(slot).take()
    }

    pub(super) fn touch(&mut self, slot: u32, place: Place) {
        self.lists.touch(&mut self.links, slot, place);
    }

    pub(super) fn oldest(&self, place: Place) -> Option<u32> {
        self.lists.oldest(place)
    }

    pub(super) fn youngest(&self, place: Place) -> Option<u32> {
        self.lists.youngest(place)
    }

    pub(super) fn younger(&self, slot: u32) -> Option<u32> {
        self.links[slot as usize].younger()
    }

    pub(super) fn older(&self, slot: u32) -> Option<u32> {
        self.links[slot as usize].older()
    }
}
