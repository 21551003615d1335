//! A row of slots that grows without moving any of them.

use alloc::vec::Vec;

/// Slots in chunks of 64, so that growing moves nothing and never holds twice the memory.
#[derive(Debug)]
pub(super) struct Chunks<S>(Vec<Vec<S>>);

impl<S> Chunks<S> {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn get(&self, slot: u32) -> &S {
        &self.0[slot as usize / CHUNK][slot as usize % CHUNK]
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> &mut S {
        &mut self.0[slot as usize / CHUNK][slot as usize % CHUNK]
    }

    /// Adds a slot at the end, and answers its number.
    pub(super) fn push(&mut self, value: S) -> u32 {
        if self.0.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.0.push(Vec::with_capacity(CHUNK));
        }
        let chunks = self.0.len() - 1;
        let chunk = &mut self.0[chunks];
        chunk.push(value);
        (chunks * CHUNK + chunk.len() - 1) as u32
    }
}

const CHUNK: usize = 64;
