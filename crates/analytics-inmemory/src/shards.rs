//! A repository in parts, each under its own lock.

use parking_lot::{Mutex, MutexGuard};

/// Parts of a repository, each under its own lock; a key always falls on the same part, in every run.
#[derive(Debug)]
pub(crate) struct Shards<T> {
    parts: Box<[Mutex<T>]>,
}

impl<T: Default> Shards<T> {
    /// This many parts, a power of two from 1 to 256.
    pub(crate) fn new(parts: usize) -> Self {
        debug_assert!(parts.is_power_of_two() && parts <= 256, "a shard is chosen by at most 8 bits");
        Self { parts: (0..parts).map(|_| Mutex::new(T::default())).collect() }
    }
}

impl<T> Shards<T> {
    /// The part of this key, locked.
    pub(crate) fn of(&self, key: u128) -> MutexGuard<'_, T> {
        // Ids may count up, carry their time in front or have equal halves; two multiplications (by 2⁶⁴ over the golden ratio)
        // spread all of them.
        let mixed = ((key >> 64) as u64).wrapping_mul(GOLDEN) ^ key as u64;
        let at = (mixed.wrapping_mul(GOLDEN) >> 56) as usize & (self.parts.len() - 1);
        self.parts[at].lock()
    }

    /// Each part in turn, locked while it is looked at.
    pub(crate) fn each(&self) -> impl Iterator<Item = MutexGuard<'_, T>> {
        self.parts.iter().map(Mutex::lock)
    }

    /// The first `limit` rows over all parts in the order of their keys, where `first` answers those of one part, in
    /// order.
    pub(crate) fn first<K: Ord, R>(
        &self,
        limit: usize,
        mut first: impl FnMut(&mut T) -> Vec<(K, R)>,
    ) -> Vec<(K, R)> {
        let mut rows = Vec::new();
        for mut part in self.each() {
            rows.extend(first(&mut part));
            // Cutting after each part keeps what is held near the limit.
            rows.sort_by(|(a, _), (b, _)| a.cmp(b));
            rows.truncate(limit);
        }
        rows
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_count_up_begin_with_their_time_or_have_equal_halves_spread_over_all_parts() {
        let spreads: [fn(u128) -> u128; 4] =
            [|n| n, |n| n << 80 | 7 << 76 | 0b10 << 62, |n| n << 64, |n| n << 64 | n];
        for spread in spreads {
            let shards = Shards::<u32>::new(256);
            for number in 0..25_600 {
                *shards.of(spread(number)) += 1;
            }
            let counts: Vec<u32> = shards.each().map(|part| *part).collect();
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(*least >= 50 && *most <= 200, "between {least} and {most} of 100 on the mean");
        }
    }

    #[test]
    fn the_first_rows_over_all_parts_are_in_the_order_of_their_keys() {
        let shards = Shards::<Vec<u128>>::new(4);
        for number in [5, 1, 9, 3, 7, 2] {
            shards.of(number).push(number);
        }
        let first = shards.first(3, |part| {
            part.sort_unstable();
            part.iter().take(3).map(|&number| (number, ())).collect()
        });
        assert_eq!(first, [(1, ()), (2, ()), (3, ())]);
    }
}
