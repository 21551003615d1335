//! Folding what was kept of a session, in the order in which it came.

use alloc::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::config::ZoneOffset;
use super::profile::{FeatureFold, FeatureRequest};
use crate::engagement::EngagementEvent;
use crate::ids::EventId;
use crate::request_row::RequestRow;

/// Folds rows that come in the order of their times, as stores list them, in the order of their arrival, and leaves out
/// what is later than a given time.
///
/// Only rows that came late, or before one that did, are held; at most 10,000 of them, then the earliest arrival goes on.
#[derive(Debug)]
pub struct KeptFold {
    fold: FeatureFold,
    started_us: i64,
    until_us: i64,
    next: u32,
    held: BTreeMap<(u32, EventId), RequestRow>,
}

impl KeptFold {
    /// Nothing yet of a session that started at this time, to be seen as it was at `as_of`.
    pub fn new(zone: ZoneOffset, started_at: DateTime<Utc>, as_of: DateTime<Utc>) -> Self {
        Self {
            fold: FeatureFold::new(zone),
            started_us: started_at.timestamp_micros(),
            until_us: as_of.timestamp_micros(),
            next: 0,
            held: BTreeMap::new(),
        }
    }

    /// Takes the next row by time, and folds every row whose turn has come.
    pub fn row(&mut self, row: &RequestRow) {
        if row.at().timestamp_micros() > self.until_us {
            return;
        }
        if row.record().arrival == self.next && self.held.is_empty() {
            self.next = self.next.saturating_add(1);
            observe(&mut self.fold, row);
            return;
        }
        self.held.insert((row.record().arrival, row.id()), row.clone());
        while let Some(entry) = self.held.first_entry() {
            if entry.key().0 > self.next && self.held.len() <= MOST_HELD {
                break;
            }
            if let Some(((arrival, _), row)) = self.held.pop_first() {
                self.next = self.next.max(arrival.saturating_add(1));
                observe(&mut self.fold, &row);
            }
        }
    }

    /// Takes an event of engagement.
    pub fn event(&mut self, event: &EngagementEvent) {
        if event.at().timestamp_micros() <= self.until_us {
            self.fold.engage(event, self.started_us);
        }
    }

    /// The fold, once all rows were given. What is held still is folded in the order of arrival.
    pub fn finish(mut self) -> FeatureFold {
        for row in self.held.into_values() {
            observe(&mut self.fold, &row);
        }
        self.fold
    }
}

fn observe(fold: &mut FeatureFold, row: &RequestRow) {
    fold.observe(&FeatureRequest::of(row), row.at().timestamp_micros());
}

const MOST_HELD: usize = 10_000;
