//! Visitors by key, in order of their last request, and never more than the capacity.

use alloc::vec::Vec;
use core::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::lists::{Links, Lists, Place, Slots};
use super::visitor::{ClientKey, Visitor};

/// A bounded table whose slots stay where they are; memory grows by 64 visitors at a time.
#[derive(Debug)]
pub(super) struct Table<T> {
    capacity: usize,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    slots: Chunks<T>,
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
            slots: Chunks(Vec::new()),
            free: Vec::new(),
            lists: Lists::default(),
            len: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn is_full(&self) -> bool {
        self.len >= self.capacity
    }

    pub(super) fn find(&self, key: &ClientKey) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        self.index
            .find(hash, |&slot| self.slots.get(slot).is_some_and(|visitor| visitor.key == *key))
            .copied()
    }

    pub(super) fn get(&self, slot: u32) -> &Visitor<T> {
        self.slots.get(slot).expect("a slot in a list or the index holds a visitor")
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> &mut Visitor<T> {
        self.slots.get_mut(slot).expect("a slot in a list or the index holds a visitor")
    }

    /// Adds a visitor that is not in the table, at the young end of the list.
    pub(super) fn insert(&mut self, visitor: Visitor<T>, place: Place) -> u32 {
        let hash = self.hasher.hash_one(visitor.key);
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots.put(slot, visitor);
                slot
            }
            None => self.slots.push(visitor),
        };
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.index.insert_unique(hash, slot, |&held| {
            hasher.hash_one(slots.get(held).expect("the index holds only filled slots").key)
        });
        self.lists.append(&mut self.slots, slot, place);
        self.len += 1;
        slot
    }

    /// Removes the visitor in this slot.
    pub(super) fn remove(&mut self, slot: u32) -> Option<Visitor<T>> {
        let hash = self.hasher.hash_one(self.get(slot).key);
        if let Ok(entry) = self.index.find_entry(hash, |&held| held == slot) {
            entry.remove();
        }
        self.lists.remove(&mut self.slots, slot);
        self.free.push(slot);
        self.len -= 1;
        self.slots.take(slot)
    }

    pub(super) fn touch(&mut self, slot: u32, place: Place) {
        self.lists.touch(&mut self.slots, slot, place);
    }

    pub(super) fn oldest(&self, place: Place) -> Option<u32> {
        self.lists.oldest(place)
    }

    pub(super) fn youngest(&self, place: Place) -> Option<u32> {
        self.lists.youngest(place)
    }

    pub(super) fn younger(&self, slot: u32) -> Option<u32> {
        self.slots.links(slot).younger()
    }

    pub(super) fn older(&self, slot: u32) -> Option<u32> {
        self.slots.links(slot).older()
    }
}

/// Slots in chunks of 64, so that growing moves nothing.
#[derive(Debug)]
struct Chunks<T>(Vec<Vec<Slot<T>>>);

#[derive(Debug)]
struct Slot<T> {
    links: Links,
    visitor: Option<Visitor<T>>,
}

impl<T> Chunks<T> {
    fn slot(&self, slot: u32) -> &Slot<T> {
        &self.0[slot as usize / CHUNK][slot as usize % CHUNK]
    }

    fn slot_mut(&mut self, slot: u32) -> &mut Slot<T> {
        &mut self.0[slot as usize / CHUNK][slot as usize % CHUNK]
    }

    fn get(&self, slot: u32) -> Option<&Visitor<T>> {
        self.slot(slot).visitor.as_ref()
    }

    fn get_mut(&mut self, slot: u32) -> Option<&mut Visitor<T>> {
        self.slot_mut(slot).visitor.as_mut()
    }

    fn take(&mut self, slot: u32) -> Option<Visitor<T>> {
        self.slot_mut(slot).visitor.take()
    }

    fn put(&mut self, slot: u32, visitor: Visitor<T>) {
        self.slot_mut(slot).visitor = Some(visitor);
    }

    fn push(&mut self, visitor: Visitor<T>) -> u32 {
        if self.0.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.0.push(Vec::with_capacity(CHUNK));
        }
        let chunks = self.0.len() - 1;
        let chunk = &mut self.0[chunks];
        chunk.push(Slot { links: Links::default(), visitor: Some(visitor) });
        (chunks * CHUNK + chunk.len() - 1) as u32
    }
}

impl<T> Slots for Chunks<T> {
    fn links(&self, slot: u32) -> &Links {
        &self.slot(slot).links
    }

    fn links_mut(&mut self, slot: u32) -> &mut Links {
        &mut self.slot_mut(slot).links
    }
}

const CHUNK: usize = 64;
