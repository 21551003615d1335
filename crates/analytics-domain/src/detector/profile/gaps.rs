//! Statistics of the time between page views.

/// The gaps between successive page views: how many, how long, how even.
///
/// Times are whole microseconds. Means and variances are Welford's running form; every figure is a function of the
/// gaps in order, and `None` where it is not defined.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct GapStats {
    count: u32,
    under_a_second: u32,
    mean_us: f64,
    m2: f64,
    log_mean: f64,
    log_m2: f64,
    /// Meaningless without a gap, as the next is.
    smallest_us: i64,
    largest_us: i64,
    last_us: i64,
    equal_run: u16,
    longest_equal_run: u16,
}

impl GapStats {
    /// Adds one gap, which is never negative.
    pub fn push(&mut self, gap_us: i64) {
        debug_assert!(gap_us >= 0, "a gap between ordered requests is never negative");
        self.count = self.count.saturating_add(1);
        let share = 1.0 / f64::from(self.count);
        let gap = gap_us as f64;
        let delta = gap - self.mean_us;
        self.mean_us += delta * share;
        self.m2 += delta * (gap - self.mean_us);
        let log = f64::from(libm::logf(log_floor(gap_us) as f32));
        let delta = log - self.log_mean;
        self.log_mean += delta * share;
        self.log_m2 += delta * (log - self.log_mean);
        self.under_a_second = self.under_a_second.saturating_add(u32::from(gap_us < SECOND_US));
        let first = self.count == 1;
        self.smallest_us = if first { gap_us } else { self.smallest_us.min(gap_us) };
        self.largest_us = if first { gap_us } else { self.largest_us.max(gap_us) };
        let equal = self.count > 1 && (gap_us - self.last_us).abs() <= EQUAL_WITHIN_US && gap_us >= SECOND_US;
        self.equal_run = if equal { self.equal_run.saturating_add(1) } else { 1 };
        self.longest_equal_run = self.longest_equal_run.max(self.equal_run);
        self.last_us = gap_us;
    }

    /// Number of gaps.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Mean gap in microseconds; `None` without a gap.
    pub fn mean_us(&self) -> Option<f64> {
        (self.count > 0).then_some(self.mean_us)
    }

    /// Population variance of the gaps in µs²; `None` without a gap.
    pub fn variance_us2(&self) -> Option<f64> {
        (self.count > 0).then(|| self.m2 / f64::from(self.count))
    }

    /// Standard deviation ÷ mean, without unit, at least 0; `None` without a gap or when the mean is 0.
    pub fn coefficient_of_variation(&self) -> Option<f64> {
        let mean = self.mean_us()?;
        (mean > 0.0).then(|| libm::sqrt(self.m2 / f64::from(self.count)) / mean)
    }

    /// Whether the [coefficient of variation](Self::coefficient_of_variation) is defined and below `limit`, which is at least 0:
    /// asked of every page view, and so without a root or a division.
    pub fn varies_less_than(&self, limit: f64) -> bool {
        let most = limit * self.mean_us;
        self.mean_us > 0.0 && self.m2 < most * most * f64::from(self.count)
    }

    /// Population standard deviation of the natural logarithm of the gaps, at least 0; `None` without a gap.
    ///
    /// Gaps below 50 ms count as 50 ms, so that a clock of whole seconds and one of microseconds agree on bursts. Logarithms
    /// are taken in single precision, which leaves five decimals of a figure that is held against tenths.
    pub fn log_deviation(&self) -> Option<f64> {
        (self.count > 0).then(|| libm::sqrt(self.log_m2 / f64::from(self.count)))
    }

    /// Whether the [deviation of the logarithm](Self::log_deviation) is defined and below `limit`, which is at least 0; found
    /// without a root or a division too.
    pub fn log_varies_less_than(&self, limit: f64) -> bool {
        self.count > 0 && self.log_m2 < limit * limit * f64::from(self.count)
    }

    /// The smallest gap in microseconds; `None` without a gap.
    pub fn smallest_us(&self) -> Option<i64> {
        (self.count > 0).then_some(self.smallest_us)
    }

    /// The largest gap in microseconds; `None` without a gap.
    pub fn largest_us(&self) -> Option<i64> {
        (self.count > 0).then_some(self.largest_us)
    }

    /// Number of gaps under one second.
    pub const fn under_a_second(&self) -> u32 {
        self.under_a_second
    }

    /// The longest run of successive gaps of at least a second that differ by 1 ms at most; at least 1 with a gap.
    pub const fn longest_equal_run(&self) -> u16 {
        self.longest_equal_run
    }
}

fn log_floor(gap_us: i64) -> f64 {
    gap_us.max(50_000) as f64
}

const SECOND_US: i64 = 1_000_000;
/// Two gaps are equal within one millisecond: below the jitter of a network, above that of a log's rounding.
const EQUAL_WITHIN_US: i64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn of(gaps: &[i64]) -> GapStats {
        let mut stats = GapStats::default();
        for &gap in gaps {
            stats.push(gap);
        }
        stats
    }

    proptest! {
        #[test]
        fn running_figures_equal_the_slow_ones(gaps in proptest::collection::vec(0i64..86_400_000_000, 1..200)) {
            let stats = of(&gaps);
            let n = gaps.len() as f64;
            let mean = gaps.iter().map(|&g| g as f64).sum::<f64>() / n;
            let variance = gaps.iter().map(|&g| (g as f64 - mean).powi(2)).sum::<f64>() / n;
            let logs: Vec<f64> = gaps.iter().map(|&g| (g.max(50_000) as f64).ln()).collect();
            let log_mean = logs.iter().sum::<f64>() / n;
            let log_deviation = (logs.iter().map(|l| (l - log_mean).powi(2)).sum::<f64>() / n).sqrt();
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0);
            prop_assert!(close(stats.mean_us().unwrap(), mean));
            prop_assert!(close(stats.variance_us2().unwrap(), variance));
            prop_assert!((stats.log_deviation().unwrap() - log_deviation).abs() < 1e-5);
            prop_assert_eq!(stats.smallest_us(), gaps.iter().min().copied());
            prop_assert_eq!(stats.largest_us(), gaps.iter().max().copied());
            prop_assert_eq!(stats.under_a_second() as usize, gaps.iter().filter(|&&g| g < 1_000_000).count());
        }
    }

    proptest! {
        #[test]
        fn a_limit_is_held_against_the_figure_itself(
            gaps in proptest::collection::vec(0i64..20_000_000, 0..12),
            limit in 0f64..2.0,
        ) {
            let stats = of(&gaps);
            let below = |figure: Option<f64>| {
                // A root rounds; so close to the limit either answer is right.
                figure.map_or(Some(false), |figure| ((figure - limit).abs() > 1e-9).then_some(figure < limit))
            };
            if let Some(below) = below(stats.coefficient_of_variation()) {
                prop_assert_eq!(stats.varies_less_than(limit), below);
            }
            if let Some(below) = below(stats.log_deviation()) {
                prop_assert_eq!(stats.log_varies_less_than(limit), below);
            }
        }
    }

    #[test]
    fn nothing_is_defined_without_a_gap() {
        let stats = GapStats::default();
        assert!(!stats.varies_less_than(1.0) && !stats.log_varies_less_than(1.0));
        assert_eq!(
            (stats.mean_us(), stats.coefficient_of_variation(), stats.log_deviation()),
            (None, None, None)
        );
    }

    #[test]
    fn gaps_of_zero_have_no_coefficient_of_variation() {
        assert_eq!(of(&[0, 0, 0]).coefficient_of_variation(), None);
    }

    #[test]
    fn equal_gaps_are_a_run_until_one_differs_by_more_than_a_millisecond() {
        assert_eq!(of(&[5_000_000, 5_001_000, 5_000_500, 9_000_000]).longest_equal_run(), 3);
        assert_eq!(of(&[5_000_000, 5_001_001]).longest_equal_run(), 1);
        assert_eq!(of(&[0, 0, 0, 0]).longest_equal_run(), 1, "bursts are not a rhythm");
    }
}
