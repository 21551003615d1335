//! Putting requests in the order of their times, within a bounded delay.
//!
//! Servers log a request when it ends, several servers log at once, and clocks jump. Requests wait until the newest
//! time seen is `lateness` ahead of theirs; then they leave in the order of time and, at one time, by their own bytes,
//! so that the order of lines within the delay does not matter. What is older than that leaves at once, as late.
//! One line that is hours ahead of its neighbours is held until the next line of its input agrees or not: a single
//! wrong clock does not make the rest of the log late.

use std::collections::{BTreeMap, VecDeque};

use super::read::{Batch, ReadRequest};

/// Requests of one or several inputs on their way to the order of their times.
#[derive(Debug)]
pub(crate) struct Reorder {
    lateness_us: i64,
    capacity: usize,
    /// Waiting requests by whole second, oldest first.
    seconds: VecDeque<Vec<Waiting>>,
    /// Seconds too far ahead for the row above.
    far: BTreeMap<i64, Vec<Waiting>>,
    /// The second that the front of the row stands for.
    first_second: i64,
    waiting: usize,
    /// Those of them that stand in the row.
    near: usize,
    batches: VecDeque<Held>,
    /// Number of the batch at the front of `batches`.
    first_batch: u64,
    newest_us: i64,
    counters: OrderCounters,
}

/// What ordering has had to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct OrderCounters {
    /// Requests that came out of order and were put right.
    pub reordered: u64,
    /// Requests that came later than the delay allows; they count in totals only.
    pub late: u64,
    /// Requests that left early because too many waited.
    pub early: u64,
}

/// A request that waits: its time, its rank at that time, its batch and its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    at_us: i64,
    order: u64,
    batch: u64,
    index: u32,
}

/// A batch some of whose requests wait.
#[derive(Debug)]
struct Held {
    batch: Batch,
    waiting: usize,
}

impl Reorder {
    /// Requests wait `lateness_us` microseconds, and at most `capacity` of them at once.
    pub(crate) fn new(lateness_us: i64, capacity: usize) -> Self {
        Self {
            lateness_us,
            capacity,
            seconds: VecDeque::new(),
            far: BTreeMap::new(),
            first_second: i64::MIN,
            waiting: 0,
            near: 0,
            batches: VecDeque::new(),
            first_batch: 0,
            newest_us: i64::MIN,
            counters: OrderCounters::default(),
        }
    }

    /// What ordering has had to do so far.
    pub(crate) const fn counters(&self) -> OrderCounters {
        self.counters
    }

    /// Takes a batch, and hands out its late requests at once.
    pub(crate) fn push(&mut self, batch: Batch, mut late: impl FnMut(&Batch, &ReadRequest)) {
        let number = self.first_batch + self.batches.len() as u64;
        let mut waiting = 0;
        for (index, request) in batch.requests.iter().enumerate() {
            let second = request.at_us.div_euclid(SECOND_US);
            if self.waiting + waiting == 0 && self.far.is_empty() && request.at_us >= self.newest_us {
                self.seconds.clear();
                self.first_second = self.first_second.max(second - self.lateness_us / SECOND_US - 1);
            }
            self.counters.reordered += u64::from(request.at_us < self.newest_us);
            self.newest_us = self.newest_us.max(request.at_us);
            if second < self.first_second {
                self.counters.late += 1;
                late(&batch, request);
                continue;
            }
            let entry =
                Waiting { at_us: request.at_us, order: request.order, batch: number, index: index as u32 };
            let ahead = second - self.first_second;
            if ahead < ROW {
                let ahead = ahead as usize;
                if self.seconds.len() <= ahead {
                    self.seconds.resize_with(ahead + 1, Vec::new);
                }
                self.seconds[ahead].push(entry);
                self.near += 1;
            } else {
                self.far.entry(second).or_default().push(entry);
            }
            waiting += 1;
        }
        self.waiting += waiting;
        self.batches.push_back(Held { batch, waiting });
        self.drop_spent(&mut |_| {});
    }

    /// Hands out, in order, every request older than `bound_us` less the lateness, and what is too much to hold.
    pub(crate) fn release(
        &mut self,
        bound_us: i64,
        mut each: impl FnMut(&Batch, &ReadRequest),
        mut spent: impl FnMut(Batch),
    ) {
        let until = bound_us.saturating_sub(self.lateness_us).div_euclid(SECOND_US);
        while self.waiting > 0 {
            self.refill();
            let early = self.first_second >= until;
            if early && self.waiting <= self.capacity {
                break;
            }
            let mut second = self.seconds.pop_front().unwrap_or_default();
            self.first_second += 1;
            if second.is_empty() {
                continue;
            }
            if early {
                self.counters.early += second.len() as u64;
            }
            self.near -= second.len();
            second.sort_unstable();
            for entry in second {
                let held = &mut self.batches[(entry.batch - self.first_batch) as usize];
                held.waiting -= 1;
                each(&held.batch, &held.batch.requests[entry.index as usize]);
                self.waiting -= 1;
            }
            self.drop_spent(&mut spent);
        }
    }

    /// Moves the front to the next second that has a request, and brings near what was far.
    fn refill(&mut self) {
        if self.near == 0
            && let Some((&next, _)) = self.far.first_key_value()
        {
            self.seconds.clear();
            self.first_second = next;
        }
        while let Some(entry) = self.far.first_entry() {
            let ahead = entry.key() - self.first_second;
            if ahead >= ROW {
                break;
            }
            let ahead = ahead.max(0) as usize;
            if self.seconds.len() <= ahead {
                self.seconds.resize_with(ahead + 1, Vec::new);
            }
            let mut come = entry.remove();
            self.near += come.len();
            self.seconds[ahead].append(&mut come);
        }
    }

    fn drop_spent(&mut self, spent: &mut impl FnMut(Batch)) {
        while self.batches.front().is_some_and(|held| held.waiting == 0) {
            if let Some(held) = self.batches.pop_front() {
                self.first_batch += 1;
                spent(held.batch);
            }
        }
    }
}

const SECOND_US: i64 = 1_000_000;
/// Seconds that stand in a row: an hour.
const ROW: i64 = 3_600;
