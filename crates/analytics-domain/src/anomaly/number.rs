//! Numbers that are what they say: finite, a score, a band.

use serde::{Deserialize, Serialize};

/// A number that is neither NaN nor infinite.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Finite(f64);

/// A number is NaN or infinite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, thiserror::Error)]
#[error("a value must be a finite number")]
pub struct NotFinite;

/// A score from 0, as expected, to 1, never seen anything like it.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct UnitScore(f64);

/// A score is not in 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a score must be from 0 to 1")]
pub struct NotUnit;

/// The values that are expected, ends included.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "BandEnds", into = "BandEnds")]
pub struct Band {
    lower: Finite,
    upper: Finite,
}

/// The lower end of a band is above its upper one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lower end of a band must not be above its upper end")]
pub struct InvalidBand;

impl Finite {
    /// The number.
    ///
    /// # Errors
    /// [`NotFinite`] for NaN and infinities.
    pub const fn new(value: f64) -> Result<Self, NotFinite> {
        if value.is_finite() { Ok(Self(value)) } else { Err(NotFinite) }
    }

    /// The number as it is.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl UnitScore {
    /// The score.
    ///
    /// # Errors
    /// [`NotUnit`] for NaN and for what is below 0 or above 1.
    pub const fn new(score: f64) -> Result<Self, NotUnit> {
        if score >= 0.0 && score <= 1.0 { Ok(Self(score)) } else { Err(NotUnit) }
    }

    /// The score as it is.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Band {
    /// The band between these ends.
    ///
    /// # Errors
    /// [`InvalidBand`] when `lower` is above `upper`.
    pub fn new(lower: Finite, upper: Finite) -> Result<Self, InvalidBand> {
        if lower <= upper { Ok(Self { lower, upper }) } else { Err(InvalidBand) }
    }

    /// Its lower end.
    pub const fn lower(&self) -> Finite {
        self.lower
    }

    /// Its upper end.
    pub const fn upper(&self) -> Finite {
        self.upper
    }

    /// Whether the value is expected.
    pub fn holds(&self, value: Finite) -> bool {
        self.lower <= value && value <= self.upper
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BandEnds {
    lower: Finite,
    upper: Finite,
}

impl TryFrom<BandEnds> for Band {
    type Error = InvalidBand;

    fn try_from(ends: BandEnds) -> Result<Self, InvalidBand> {
        Self::new(ends.lower, ends.upper)
    }
}

impl From<Band> for BandEnds {
    fn from(band: Band) -> Self {
        Self { lower: band.lower, upper: band.upper }
    }
}

impl TryFrom<f64> for Finite {
    type Error = NotFinite;

    fn try_from(value: f64) -> Result<Self, NotFinite> {
        Self::new(value)
    }
}

impl From<Finite> for f64 {
    fn from(value: Finite) -> Self {
        value.0
    }
}

impl TryFrom<f64> for UnitScore {
    type Error = NotUnit;

    fn try_from(score: f64) -> Result<Self, NotUnit> {
        Self::new(score)
    }
}

impl From<UnitScore> for f64 {
    fn from(score: UnitScore) -> Self {
        score.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_finite_number_no_score_and_no_band_is_refused() {
        for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(Finite::new(wrong), Err(NotFinite));
            assert_eq!(UnitScore::new(wrong), Err(NotUnit));
        }
        for wrong in [-f64::MIN_POSITIVE, 1.0 + f64::EPSILON] {
            assert_eq!(UnitScore::new(wrong), Err(NotUnit));
        }
        assert_eq!([0.0, 1.0].map(|edge| UnitScore::new(edge).map(UnitScore::get)), [Ok(0.0), Ok(1.0)]);
        let number = |value| Finite::new(value).unwrap();
        assert_eq!(Band::new(number(1.0), number(0.0)), Err(InvalidBand));
        assert!(serde_json::from_str::<Band>(r#"{"lower":1.0,"upper":0.0}"#).is_err());
    }

    #[test]
    fn a_band_holds_its_ends() {
        let number = |value| Finite::new(value).unwrap();
        let band = Band::new(number(-1.0), number(2.0)).unwrap();
        assert_eq!([-1.5, -1.0, 2.0, 2.5].map(|value| band.holds(number(value))), [false, true, true, false]);
        let text = serde_json::to_string(&band).unwrap();
        assert_eq!(serde_json::from_str::<Band>(&text).unwrap(), band);
    }
}
