//! Putting requests in the order of their times, within a bounded delay.
//!
//! Servers log a request when it ends, several servers log at once, and clocks jump. Requests wait until the newest
//! time seen is `lateness` ahead of theirs; then they leave in the order of time and, at one time, by their own bytes,
//! so that the order of lines within the delay does not matter. What is older than that leaves at once, as late.
//! One line that is hours ahead of its neighbours is held until the next line of its input agrees or not: a single
//! wrong clock does not make the rest of the log late.

use std::collections::{BTreeMap, VecDeque};
use std::hint::black_box;
use std::ops::BitXor;
use std::sync::Arc;

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
    /// Rows of seconds that have left, to be filled again.
    spare: Vec<Vec<Waiting>>,
    /// The second that the front of the row stands for.
    first_second: i64,
    waiting: usize,
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

/// Requests that have left, in their order, with the batches that they stand in.
#[derive(Debug, Default)]
pub(crate) struct Ordered {
    /// The batches from number `first` on, those that nobody names left out.
    batches: Vec<Option<Arc<Batch>>>,
    first: u64,
    /// Number of the batch, and the place in it.
    requests: Vec<(u64, u32)>,
    /// Whether they are the last: after them the input has come to its end.
    pub(super) last: bool,
}

impl Ordered {
    /// The requests in their order.
    ///
    /// Whoever looks at one first waits for it, since another core wrote it. So all but the first few are touched ahead, some
    /// at once, and the waits for them are one.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Batch, &ReadRequest)> {
        let mut ahead = self.found().skip(AHEAD).map(|(_, request)| request.touch());
        self.found().enumerate().map(move |(at, found)| {
            if at % AHEAD == 0 {
                black_box(ahead.by_ref().take(AHEAD).fold(0, BitXor::bitxor));
            }
            found
        })
    }

    fn found(&self) -> impl Iterator<Item = (&Batch, &ReadRequest)> {
        self.requests.iter().filter_map(|&(number, index)| {
            let batch = self.batches[(number - self.first) as usize].as_deref()?;
            Some((batch, &batch.requests[index as usize]))
        })
    }

    /// The batches of which these were the last requests.
    pub(crate) fn into_spent(self) -> impl Iterator<Item = Batch> {
        self.batches.into_iter().flatten().filter_map(Arc::into_inner)
    }

    fn push(&mut self, number: u64, index: u32, batch: &Arc<Batch>) {
        let place = (number - self.first) as usize;
        if self.batches.len() <= place {
            self.batches.resize(place + 1, None);
        }
        self.batches[place].get_or_insert_with(|| Arc::clone(batch));
        self.requests.push((number, index));
    }
}

/// A request that waits: its time, its rank at that time, its batch and its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    at_us: i64,
    order: u64,
    batch: u64,
    index: u32,
}

/// A batch, until the last of its requests has left.
#[derive(Debug)]
struct Held {
    batch: Option<Arc<Batch>>,
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
            spare: Vec::new(),
            first_second: i64::MIN,
            waiting: 0,
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

    /// Takes a batch, and answers in order its late requests, every request older than `bound_us` less the lateness, and
    /// what is too much to hold.
    pub(crate) fn take(&mut self, batch: Batch, bound_us: i64) -> Ordered {
        let mut ordered = Ordered { first: self.first_batch, ..Ordered::default() };
        self.push(Arc::new(batch), &mut ordered);
        self.release(bound_us, &mut ordered);
        ordered
    }

    /// All that still waits, in order; no more comes.
    pub(crate) fn rest(&mut self) -> Ordered {
        let mut ordered = Ordered { first: self.first_batch, last: true, ..Ordered::default() };
        self.release(i64::MAX, &mut ordered);
        ordered
    }

    fn push(&mut self, batch: Arc<Batch>, ordered: &mut Ordered) {
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
                ordered.push(number, index as u32, &batch);
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
                let second = &mut self.seconds[ahead];
                if second.capacity() == 0 {
                    *second = self.spare.pop().unwrap_or_default();
                }
                second.push(entry);
            } else {
                self.far.entry(second).or_default().push(entry);
            }
            waiting += 1;
        }
        self.waiting += waiting;
        self.batches.push_back(Held { batch: (waiting > 0).then_some(batch), waiting });
        self.drop_spent();
    }

    fn release(&mut self, bound_us: i64, ordered: &mut Ordered) {
        let until = match bound_us {
            i64::MAX => i64::MAX,
            _ => bound_us.saturating_sub(self.lateness_us).div_euclid(SECOND_US),
        };
        while self.waiting > 0 {
            self.advance(until);
            let early = self.first_second >= until;
            if early {
                if self.waiting <= self.capacity {
                    break;
                }
                self.advance(i64::MAX);
            }
            let mut second = self.seconds.pop_front().unwrap_or_default();
            self.first_second += 1;
            if early {
                self.counters.early += second.len() as u64;
            }
            second.sort_unstable();
            self.waiting -= second.len();
            for entry in second.drain(..) {
                let held = &mut self.batches[(entry.batch - self.first_batch) as usize];
                held.waiting -= 1;
                let Some(batch) = &held.batch else { continue };
                ordered.push(entry.batch, entry.index, batch);
                if held.waiting == 0 {
                    held.batch = None;
                }
            }
            if second.capacity() > 0 && self.spare.len() < SPARE {
                self.spare.push(second);
            }
            self.drop_spent();
        }
    }

    /// Moves the front over seconds that have no request, but not past `until`: what comes still may belong there.
    fn advance(&mut self, until: i64) {
        while self.first_second < until && self.seconds.front().is_some_and(Vec::is_empty) {
            self.seconds.pop_front();
            self.first_second += 1;
        }
        if self.seconds.is_empty()
            && let Some((&next, _)) = self.far.first_key_value()
        {
            self.first_second = self.first_second.max(next.min(until));
        }
        while let Some(entry) = self.far.first_entry() {
            let ahead = entry.key() - self.first_second;
            if ahead >= ROW {
                break;
            }
            let ahead = ahead as usize;
            if self.seconds.len() <= ahead {
                self.seconds.resize_with(ahead + 1, Vec::new);
            }
            self.seconds[ahead].append(&mut entry.remove());
        }
    }

    fn drop_spent(&mut self) {
        while self.batches.front().is_some_and(|held| held.waiting == 0) {
            self.batches.pop_front();
            self.first_batch += 1;
        }
    }
}

/// Requests that are touched together; each lies in three or four cache lines, and a core fetches some twenty at once.
const AHEAD: usize = 8;
const SECOND_US: i64 = 1_000_000;
/// Seconds that stand in a row: an hour.
const ROW: i64 = 3_600;
/// Rows kept for the next seconds: more than wait by default.
const SPARE: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR_US: i64 = 3_600 * SECOND_US;

    /// What left: time and rank, and whether it was late.
    type Left = (i64, u64, bool);

    /// Pushes batches of times, releasing after each up to the newest, then everything.
    fn run(reorder: &mut Reorder, batches: &[Vec<i64>]) -> Vec<Left> {
        let mut left = Vec::new();
        // The late come first.
        let mut leave = |ordered: Ordered, late: u64| {
            let requests = ordered.iter().map(|(_, request)| (request.at_us, request.order)).enumerate();
            left.extend(requests.map(|(place, (at_us, order))| (at_us, order, (place as u64) < late)));
        };
        let mut newest = i64::MIN;
        let mut rank = 0;
        for times in batches {
            let requests = times
                .iter()
                .map(|&at_us| {
                    rank += 1;
                    ReadRequest::bare(at_us, rank)
                })
                .collect();
            newest = times.iter().copied().fold(newest, i64::max);
            let batch = Batch { requests, ..Batch::default() };
            let late = reorder.counters().late;
            let ordered = reorder.take(batch, newest);
            leave(ordered, reorder.counters().late - late);
        }
        leave(reorder.rest(), 0);
        left
    }

    fn all(batches: &[Vec<i64>]) -> Vec<(i64, u64)> {
        batches.iter().flatten().copied().zip(1..).collect()
    }

    /// Times that creep, stand still, jump for hours, and now and then stand behind.
    fn times() -> impl Strategy<Value = Vec<i64>> {
        let step = prop_oneof![
            4 => 0..2 * SECOND_US,
            2 => Just(0),
            1 => 0..3 * HOUR_US,
        ];
        let behind = prop_oneof![3 => Just(0), 2 => 0..130 * SECOND_US, 1 => 0..4 * HOUR_US];
        (-HOUR_US..HOUR_US, proptest::collection::vec((step, behind), 0..200)).prop_map(|(mut now, moves)| {
            moves
                .into_iter()
                .map(|(step, behind)| {
                    now += step;
                    now - behind
                })
                .collect()
        })
    }

    fn cut(times: &[i64], sizes: &[usize]) -> Vec<Vec<i64>> {
        let mut rest = times;
        let mut batches = Vec::new();
        for &size in sizes {
            let (batch, after) = rest.split_at(size.min(rest.len()));
            batches.push(batch.to_vec());
            rest = after;
        }
        batches.push(rest.to_vec());
        batches
    }

    proptest! {
        #[test]
        fn everything_leaves_once_and_what_is_not_late_leaves_in_order(
            times in times(),
            sizes in proptest::collection::vec(0usize..40, 0..10),
            lateness in prop_oneof![Just(0), Just(120 * SECOND_US), 0..300 * SECOND_US],
            capacity in prop_oneof![Just(usize::MAX), 0usize..20],
        ) {
            let batches = cut(&times, &sizes);
            let mut reorder = Reorder::new(lateness, capacity);
            let left = run(&mut reorder, &batches);
            let mut seen: Vec<(i64, u64)> = left.iter().map(|&(at, order, _)| (at, order)).collect();
            let on_time: Vec<(i64, u64)> =
                left.iter().filter(|(_, _, late)| !late).map(|&(at, order, _)| (at, order)).collect();
            prop_assert!(on_time.is_sorted());
            let late = left.len() - on_time.len();
            prop_assert_eq!(reorder.counters().late, late as u64);
            seen.sort_unstable_by_key(|&(_, order)| order);
            prop_assert_eq!(seen, all(&batches));
            prop_assert!(reorder.batches.is_empty() && reorder.far.is_empty() && reorder.waiting == 0);
        }

        #[test]
        fn nothing_within_the_delay_is_late(
            times in times(),
            sizes in proptest::collection::vec(0usize..40, 0..10),
            lateness in prop_oneof![Just(0), Just(120 * SECOND_US), 0..300 * SECOND_US],
        ) {
            let batches = cut(&times, &sizes);
            let left = run(&mut Reorder::new(lateness, usize::MAX), &batches);
            let mut newest = i64::MIN;
            for (at, order) in all(&batches) {
                newest = newest.max(at);
                let late = left.iter().any(|&(_, held, late)| held == order && late);
                prop_assert!(!late || at < newest - lateness, "{at} at {newest}");
            }
        }

        #[test]
        fn the_order_of_lines_within_the_delay_does_not_matter(
            steps in proptest::collection::vec(prop_oneof![3 => 0..30 * SECOND_US, 1 => 0..2 * HOUR_US], 1..100),
            delays in proptest::collection::vec(0..=120 * SECOND_US, 100),
            sizes in proptest::collection::vec(0usize..40, 0..10),
        ) {
            let mut now = 0;
            let sorted: Vec<i64> = steps.iter().map(|step| { now += step; now }).collect();
            let mut arrivals: Vec<(i64, i64)> =
                sorted.iter().zip(&delays).map(|(&at, &delay)| (at + delay, at)).collect();
            arrivals.sort_unstable();
            let shuffled: Vec<i64> = arrivals.into_iter().map(|(_, at)| at).collect();
            let left = run(&mut Reorder::new(120 * SECOND_US, usize::MAX), &cut(&shuffled, &sizes));
            let came: Vec<i64> = left.iter().map(|&(at, _, _)| at).collect();
            prop_assert_eq!(came, sorted);
        }

        #[test]
        fn no_time_overflows(
            times in proptest::collection::vec(
                prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), -5 * SECOND_US..5 * SECOND_US],
                0..30,
            ),
            lateness in prop_oneof![Just(0), Just(i64::MAX), 0..i64::MAX],
            sizes in proptest::collection::vec(0usize..6, 0..6),
        ) {
            let batches = cut(&times, &sizes);
            let left = run(&mut Reorder::new(lateness, usize::MAX), &batches);
            prop_assert_eq!(left.len(), times.len());
        }
    }

    #[test]
    fn after_hours_of_silence_a_request_within_the_delay_is_not_late() {
        let first = 10 * HOUR_US;
        let then = 13 * HOUR_US;
        let mut reorder = Reorder::new(120 * SECOND_US, usize::MAX);
        let left = run(&mut reorder, &[vec![first], vec![then], vec![then - 10 * SECOND_US]]);
        assert_eq!(left, [(first, 1, false), (then - 10 * SECOND_US, 3, false), (then, 2, false)]);
        assert_eq!(reorder.counters(), OrderCounters { reordered: 1, late: 0, early: 0 });
    }

    #[test]
    fn at_the_delay_a_request_is_in_order_and_a_second_later_it_is_late() {
        let delay = 120 * SECOND_US;
        let now = 1_000 * SECOND_US;
        let late = |at| run(&mut Reorder::new(delay, 10), &[vec![0, now], vec![at]]).last().copied().unwrap();
        assert_eq!(late(now - delay), (now, 2, false));
        let mut reorder = Reorder::new(delay, 10);
        let left = run(&mut reorder, &[vec![0, now - delay - SECOND_US, now], vec![now - delay - SECOND_US]]);
        assert_eq!(left[2], (now - delay - SECOND_US, 4, true));
    }

    #[test]
    fn when_too_many_wait_the_oldest_leave_early() {
        let mut reorder = Reorder::new(120 * SECOND_US, 2);
        let left = run(&mut reorder, &[(0..5).map(|second| second * SECOND_US).collect()]);
        assert!(left.is_sorted());
        assert_eq!(reorder.counters().early, 3);
    }

    #[test]
    fn a_batch_is_given_back_when_its_last_request_left_though_an_older_one_waits() {
        let mut reorder = Reorder::new(120 * SECOND_US, usize::MAX);
        let batch = |at_us| Batch { requests: vec![ReadRequest::bare(at_us, 0)], ..Batch::default() };
        let spent = |ordered: Ordered| ordered.into_spent().count();
        assert_eq!(spent(reorder.take(batch(0), 0)), 0);
        assert_eq!(spent(reorder.take(batch(1_000 * SECOND_US), 0)), 0);
        assert_eq!(spent(reorder.take(batch(880 * SECOND_US - 1), 1_000 * SECOND_US)), 2);
        assert_eq!(reorder.batches.iter().filter(|held| held.batch.is_some()).count(), 1);
    }
}
