//! Chance that is the same on every machine: `ChaCha` bits, integer draws and `libm` for the few curved ones.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// A stream of draws that depends on nothing but its seed, its name and its index.
pub(crate) struct Chance(ChaCha8Rng);

impl Chance {
    /// The stream of one actor. Streams of other names or indexes share nothing with it, so that switching one
    /// actor off leaves the traffic of all others as it was.
    pub(crate) fn new(seed: u64, name: &str, index: u32) -> Self {
        let mut key = [0_u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&fnv1a(name.as_bytes()).to_le_bytes());
        key[16..20].copy_from_slice(&index.to_le_bytes());
        key[20..28].copy_from_slice(b"simulate");
        Self(ChaCha8Rng::from_seed(key))
    }

    /// A whole number in `0..bound`; 0 for a bound of 0. The bias is below `bound / 2^32`.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.0.next_u32()) * u64::from(bound)) >> 32) as u32
    }

    /// A whole number from `low` to `high`, both possible; `low` where the range is empty.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        if high <= low {
            return low;
        }
        let width = (high - low) as u64 + 1;
        low + ((u128::from(self.0.next_u64()) * u128::from(width)) >> 64) as i64
    }

    /// True `percent` times in a hundred.
    pub(crate) fn percent(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// One of the items, each as likely.
    ///
    /// # Panics
    /// On an empty slice.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u32) as usize]
    }

    /// One of the items, in proportion to the whole-number weight beside it.
    ///
    /// # Panics
    /// On an empty slice.
    pub(super) fn weighted<'a, T>(&mut self, items: &'a [(T, u32)]) -> &'a T {
        let total: u32 = items.iter().map(|(_, weight)| weight).sum();
        let mut left = self.below(total);
        for (item, weight) in items {
            if left < *weight {
                return item;
            }
            left -= weight;
        }
        &items[items.len() - 1].0
    }

    /// A number in `(0, 1]` in steps of 2^-53.
    pub(crate) fn unit(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) + 1) as f64 / 9_007_199_254_740_992.0
    }

    /// A standard normal draw (Box and Muller 1958).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(self.unit()));
        radius * libm::cos(core::f64::consts::TAU * self.unit())
    }

    /// A log-normal draw with this median, in the unit of the median, rounded down and at most `limit`.
    pub(super) fn log_normal(&mut self, median: i64, sigma: f64, limit: i64) -> i64 {
        ((median as f64 * libm::exp(sigma * self.normal())) as i64).clamp(0, limit)
    }

    /// An exponential draw with this mean, in the unit of the mean, rounded down and at most 20 means.
    pub(super) fn exponential(&mut self, mean: i64) -> i64 {
        ((-libm::log(self.unit()) * mean as f64) as i64).min(mean.saturating_mul(20))
    }
}

/// The 64-bit FNV-1a hash, used to name streams (parameters: Fowler, Noll and Vo, draft-eastlake-fnv).
pub(super) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_repeats_and_differs_from_its_neighbours() {
        let draws = |seed, name, index| {
            let mut chance = Chance::new(seed, name, index);
            (0..4).map(|_| chance.below(1_000_000)).collect::<Vec<_>>()
        };
        assert_eq!(draws(1, "a", 0), draws(1, "a", 0));
        assert_ne!(draws(1, "a", 0), draws(2, "a", 0));
        assert_ne!(draws(1, "a", 0), draws(1, "b", 0));
        assert_ne!(draws(1, "a", 0), draws(1, "a", 1));
    }

    #[test]
    fn draws_stay_in_their_range() {
        let mut chance = Chance::new(7, "range", 0);
        assert_eq!(chance.below(0), 0);
        assert_eq!(chance.between(5, 5), 5);
        assert_eq!(chance.between(5, 4), 5);
        for _ in 0..10_000 {
            assert!(chance.below(3) < 3);
            assert!((-2..=2).contains(&chance.between(-2, 2)));
            let unit = chance.unit();
            assert!(unit > 0.0 && unit <= 1.0);
            assert!((0..=100).contains(&chance.log_normal(10, 2.0, 100)));
            assert!((0..=200).contains(&chance.exponential(10)));
        }
    }

    #[test]
    fn half_of_log_normal_draws_lie_below_the_median() {
        let mut chance = Chance::new(7, "median", 0);
        let below = (0..20_000).filter(|_| chance.log_normal(1_000, 1.0, i64::MAX) < 1_000).count();
        assert!((9_700..10_300).contains(&below), "{below}");
    }

    #[test]
    fn weights_are_kept() {
        let mut chance = Chance::new(7, "weights", 0);
        let items = [("never", 0), ("often", 9), ("seldom", 1)];
        let drawn = (0..10_000).map(|_| *chance.weighted(&items)).collect::<Vec<_>>();
        let often = drawn.iter().filter(|item| **item == "often").count();
        assert!(!drawn.contains(&"never"));
        assert!((8_800..9_200).contains(&often), "{often}");
    }
}
