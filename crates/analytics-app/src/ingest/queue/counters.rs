//! What happened to records, counted.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Refused;

/// What happened to records so far. Once a queue is closed,
/// `accepted + recovered = stored + repeated + rejected + lost + waiting_in_spill`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct IngestCounters {
    /// Taken into the queue.
    pub accepted: u64,
    /// Found in the spill file at the start.
    pub recovered: u64,
    /// New to the store.
    pub stored: u64,
    /// In the store already.
    pub repeated: u64,
    /// Written to the spill file, to be stored later.
    pub spilled: u64,
    /// In the spill file, and in nothing else yet.
    pub waiting_in_spill: u64,
    /// Calls of the store that were made again after a failure.
    pub retried: u64,
    /// Refused for want of room.
    pub refused_full: u64,
    /// Refused since the queue was closing.
    pub refused_closed: u64,
    /// Refused by the store for good, and kept apart.
    pub rejected: u64,
    /// Taken, and lost at the end because neither the store nor the spill file took them. Whoever waited was told.
    pub lost: u64,
}

impl IngestCounters {
    /// Every count with its name and what it says, for those who publish them.
    pub const fn named(&self) -> [(&'static str, &'static str, u64); 11] {
        [
            ("accepted_total", "Records taken into the queue.", self.accepted),
            ("recovered_total", "Records found in the spill file at the start.", self.recovered),
            ("stored_total", "Records new to the store.", self.stored),
            ("repeated_total", "Records that were in the store already.", self.repeated),
            ("spilled_total", "Records written to the spill file.", self.spilled),
            ("waiting_in_spill", "Records in the spill file and in nothing else yet.", self.waiting_in_spill),
            ("retried_total", "Calls of the store made again after a failure.", self.retried),
            ("refused_full_total", "Records refused for want of room.", self.refused_full),
            ("refused_closed_total", "Records refused since the queue was closing.", self.refused_closed),
            ("rejected_total", "Records that the store refused for good.", self.rejected),
            ("lost_total", "Records taken and lost at the end.", self.lost),
        ]
    }
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    accepted: AtomicU64,
    recovered: AtomicU64,
    stored: AtomicU64,
    repeated: AtomicU64,
    spilled: AtomicU64,
    waiting: AtomicU64,
    retried: AtomicU64,
    refused_full: AtomicU64,
    refused_closed: AtomicU64,
    rejected: AtomicU64,
    lost: AtomicU64,
}

impl Counters {
    pub(super) fn accepted(&self, count: u64) {
        self.accepted.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn recovered(&self, count: u64) {
        self.recovered.fetch_add(count, Ordering::Relaxed);
        self.waiting.store(count, Ordering::Relaxed);
    }

    /// Counts a batch that the store took, `new` of it new.
    pub(super) fn stored(&self, count: u64, new: u64) {
        self.stored.fetch_add(new, Ordering::Relaxed);
        self.repeated.fetch_add(count.saturating_sub(new), Ordering::Relaxed);
    }

    pub(super) fn spilled(&self, count: u64) {
        self.spilled.fetch_add(count, Ordering::Relaxed);
        self.waiting.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn left_spill(&self, count: u64) {
        self.waiting.fetch_sub(count, Ordering::Relaxed);
    }

    pub(super) fn retried(&self) {
        self.retried.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn rejected(&self, count: u64) {
        self.rejected.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn lost(&self, count: u64) {
        self.lost.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn refused(&self, refused: Refused, count: u64) {
        match refused {
            Refused::Full => self.refused_full.fetch_add(count, Ordering::Relaxed),
            Refused::Closed => self.refused_closed.fetch_add(count, Ordering::Relaxed),
            // Counted as `lost` and `rejected`, record by record.
            Refused::Unsafe | Refused::Rejected => 0,
        };
    }

    pub(super) fn read(&self) -> IngestCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        IngestCounters {
            accepted: read(&self.accepted),
            recovered: read(&self.recovered),
            stored: read(&self.stored),
            repeated: read(&self.repeated),
            spilled: read(&self.spilled),
            waiting_in_spill: read(&self.waiting),
            retried: read(&self.retried),
            refused_full: read(&self.refused_full),
            refused_closed: read(&self.refused_closed),
            rejected: read(&self.rejected),
            lost: read(&self.lost),
        }
    }
}
