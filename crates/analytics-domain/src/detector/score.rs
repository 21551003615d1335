//! How points become a score.

use core::f64::consts::LOG2_E;

/// `100·(1 − e^(−points / scale))`. The scores of whole points up to 255 are worked out beforehand: the default policy's
/// points are whole, and few sessions have more.
#[derive(Debug, Clone)]
pub(super) struct Scores {
    /// Points by which what is missing to 100 shrinks to 1/e of itself; above 0.
    scale: f64,
    whole: [f64; 256],
}

impl Scores {
    pub(super) fn new(scale: f64) -> Self {
        let mut scores = Self { scale: scale.max(f64::MIN_POSITIVE), whole: [0.0; 256] };
        scores.whole = core::array::from_fn(|points| scores.worked_out(points as f64));
        scores
    }

    /// The score of so many points, which are at least 0: 0 to 100.
    pub(super) fn of(&self, points: f64) -> f64 {
        let whole = points as u8;
        if f64::from(whole).to_bits() == points.to_bits() {
            self.whole[usize::from(whole)]
        } else {
            self.worked_out(points)
        }
    }

    fn worked_out(&self, points: f64) -> f64 {
        if points > 0.0 {
            // The exponential by base 2 is the cheaper one by half.
            100.0 * (1.0 - libm::exp2(-LOG2_E * points / self.scale))
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_score_is_the_same_whether_worked_out_before_or_now(
            points in prop_oneof![(0u32..400).prop_map(f64::from), 0f64..400.0, Just(-0.0), Just(255.0), Just(256.0)],
            scale in prop_oneof![Just(0.0), Just(f64::INFINITY), 0.1f64..500.0],
        ) {
            let scores = Scores::new(scale);
            prop_assert_eq!(scores.of(points).to_bits(), scores.worked_out(points).to_bits());
        }

        #[test]
        fn a_score_is_what_its_definition_says(
            points in prop_oneof![0f64..2_000.0, (0u32..300).prop_map(f64::from)],
            scale in 1f64..500.0,
        ) {
            let score = 100.0 * (1.0 - (-points / scale).exp());
            prop_assert!((Scores::new(scale).of(points) - score).abs() < 1e-9);
        }
    }
}
