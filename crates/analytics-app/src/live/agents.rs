//! Agent texts that were read before.

use std::sync::Arc;

use hashbrown::HashMap;
use parking_lot::Mutex;
use xxhash_rust::xxh3::xxh3_64;

use crate::replay::Agent;

/// What was read of the agent texts seen last, in sixteen parts so that callers share little.
///
/// A part that is full is emptied: real traffic has a few thousand texts, and an attacker's random ones must not stay.
#[derive(Debug, Default)]
pub(super) struct AgentCache {
    parts: [Mutex<HashMap<u64, Arc<Agent>>>; PARTS],
}

impl AgentCache {
    /// What an agent text says.
    pub(super) fn read(&self, text: &str) -> Arc<Agent> {
        let hash = xxh3_64(text.as_bytes());
        let part = &self.parts[hash as usize % PARTS];
        if let Some(known) = part.lock().get(&hash) {
            return Arc::clone(known);
        }
        // Read without holding others up; two that read one text at once make the same of it.
        let agent = Arc::new(Agent::read(text, true));
        let mut part = part.lock();
        if part.len() >= EACH {
            part.clear();
        }
        part.insert(hash, Arc::clone(&agent));
        agent
    }
}

const PARTS: usize = 16;
/// About 1 KB an agent, 4 MB in all.
const EACH: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_once_and_random_texts_never_fill_the_memory() {
        let cache = AgentCache::default();
        assert!(Arc::ptr_eq(&cache.read("curl/8.0"), &cache.read("curl/8.0")));
        for number in 0..PARTS * EACH * 2 {
            cache.read(&number.to_string());
        }
        assert!(cache.parts.iter().all(|part| part.lock().len() <= EACH));
    }
}
