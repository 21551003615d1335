//! How often something as surprising was seen.

use super::policy::BaselineSettings;
use super::seconds_between;

/// Surprises that were news, by the logarithm of their size, each forgotten over weeks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rarity {
    counts: [f64; BINS],
    /// The time at which the counts are what they say.
    at_us: i64,
}

impl Rarity {
    /// How many surprises about as large as this one, or larger, are remembered now.
    pub(super) fn count_like(&self, settings: &BaselineSettings, surprise: f64, at_us: i64) -> f64 {
        let from = bin(libm::log(surprise) - settings.likeness);
        self.counts[from..].iter().sum::<f64>() * self.kept(settings, at_us)
    }

    /// Counts a surprise.
    pub(super) fn count(&mut self, settings: &BaselineSettings, surprise: f64, at_us: i64) {
        let kept = self.kept(settings, at_us);
        for count in &mut self.counts {
            *count *= kept;
        }
        self.at_us = at_us;
        self.counts[bin(libm::log(surprise))] += 1.0;
    }

    fn kept(&self, settings: &BaselineSettings, at_us: i64) -> f64 {
        libm::exp(-seconds_between(self.at_us, at_us) / settings.rarity_seconds)
    }
}

impl Default for Rarity {
    fn default() -> Self {
        Self { counts: [0.0; BINS], at_us: i64::MIN }
    }
}

fn bin(log: f64) -> usize {
    // A quarter of a natural logarithm is 28 %.
    libm::floor((log + 8.0) * 4.0).clamp(0.0, (BINS - 1) as f64) as usize
}

/// From e⁻⁸ to e⁴, beyond which no mean of bounded views comes.
const BINS: usize = 48;
