//! What was told, so that nothing is told twice.

use std::collections::{BTreeSet, VecDeque};

use analytics_domain::ids::AnomalyEventId;

/// The anomalies that were told last, a bounded number.
#[derive(Debug)]
pub(super) struct Told {
    most: usize,
    known: BTreeSet<AnomalyEventId>,
    order: VecDeque<AnomalyEventId>,
}

impl Told {
    pub(super) fn new(most: usize) -> Self {
        Self { most, known: BTreeSet::new(), order: VecDeque::new() }
    }

    /// Whether it was told, as far as is remembered.
    pub(super) fn knows(&self, id: AnomalyEventId) -> bool {
        self.known.contains(&id)
    }

    /// Remembers one that was not told before; the oldest is forgotten for it when there are too many.
    pub(super) fn note(&mut self, id: AnomalyEventId) {
        self.known.insert(id);
        self.order.push_back(id);
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}
