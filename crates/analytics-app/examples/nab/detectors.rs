//! Detectors that are scored by the same code: the baseline, a Gaussian over a window, chance, and nothing.

use analytics_domain::anomaly::{Baseline, BaselinePolicy, SeriesKind};
use chrono::{DateTime, Utc};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// What gives each value a score from 0 to 1, by the values before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detector {
    Baseline,
    Gaussian,
    Random,
    Null,
}

impl Detector {
    pub(crate) const ALL: [Self; 4] = [Self::Baseline, Self::Gaussian, Self::Random, Self::Null];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Gaussian => "windowed gaussian",
            Self::Random => "random",
            Self::Null => "null",
        }
    }

    /// The scores of a series; `number` tells series apart for the one that draws.
    pub(crate) fn scores(self, values: &[(DateTime<Utc>, f64)], number: u64) -> Vec<f64> {
        match self {
            Self::Baseline => {
                let (policy, mut baseline) = (BaselinePolicy::default(), Baseline::new(SeriesKind::Gauge));
                let mut now = DateTime::<Utc>::MIN_UTC;
                let score = |&(at, value): &(DateTime<Utc>, f64)| {
                    now = now.max(at);
                    baseline.observe(&policy, value, now).map_or(0.0, |reading| reading.score.get())
                };
                values.iter().map(score).collect()
            }
            Self::Gaussian => gaussian(values.iter().map(|(_, value)| *value)),
            Self::Random => {
                let mut chance = ChaCha8Rng::seed_from_u64(number);
                values.iter().map(|_| (chance.next_u64() >> 11) as f64 / (1u64 << 53) as f64).collect()
            }
            Self::Null => vec![0.5; values.len()],
        }
    }
}

/// One less the tail of a normal distribution over the last 6,400 values, renewed every 100, as the benchmark's own
/// windowed Gaussian has it.
fn gaussian(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let (mut window, mut next): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    let (mut mean, mut spread) = (0.0, 1.0);
    let fit = |window: &[f64]| {
        let mean = window.iter().sum::<f64>() / window.len() as f64;
        let variance = window.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / window.len() as f64;
        (mean, if variance > 0.0 { libm::sqrt(variance) } else { 1e-6 })
    };
    let score = |value: f64| {
        let distance: f64 = (value - mean) / spread;
        let tail = 0.5 * libm::erfc(distance.abs() * std::f64::consts::FRAC_1_SQRT_2);
        let score = if window.is_empty() { 0.0 } else { 1.0 - tail };
        if window.len() < 6_400 {
            window.push(value);
            (mean, spread) = fit(&window);
        } else {
            next.push(value);
            if next.len() == 100 {
                window.drain(..100);
                window.append(&mut next);
                (mean, spread) = fit(&window);
            }
        }
        score
    };
    values.map(score).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_detector_gives_each_value_a_score_in_0_to_1_and_the_same_each_time() {
        let at = |minute: i64| DateTime::from_timestamp(minute * 60, 0).unwrap();
        let values: Vec<_> = (0..7_000).map(|minute| (at(minute), (minute * 31 % 17) as f64)).collect();
        for detector in Detector::ALL {
            let scores = detector.scores(&values, 1);
            assert_eq!(scores.len(), 7_000);
            assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{}", detector.name());
            assert_eq!(scores, detector.scores(&values, 1));
        }
    }

    #[test]
    fn the_gaussian_knows_a_tail_from_the_middle() {
        let values = (0..1_000).map(|number| f64::from(number % 11)).chain([5.0, 100.0]);
        let scores = gaussian(values);
        assert!(scores[1_000] < 0.6 && scores[1_001] > 0.999_999);
    }
}
