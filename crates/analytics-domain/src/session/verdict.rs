//! The verdict that a session keeps.

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Text;
use crate::detector::Class;
use crate::user_agent::AutomationKind;

/// What a session is taken for, with the reasons and the rules that said so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionVerdict {
    /// What the session is taken for.
    pub class: Class,
    /// How strongly automation is suspected, 0 to 100.
    pub score: Points,
    /// Whether it means harm. A crawler that declares itself is automation and not hostile.
    pub hostile: bool,
    /// What the automation says it is; `None` when it says nothing.
    pub declared: Option<DeclaredAs>,
    /// The reasons.
    pub signals: SignalList,
    /// The version of the rules that gave the verdict.
    pub ruleset_version: Text<64>,
}

/// The reasons of a verdict, in the detector's order; at most 64.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct SignalList(Vec<SignalSummary>);

/// What automation says it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredAs {
    /// What it says it does.
    pub kind: AutomationKind,
    /// Its name; `None` when only the kind is known.
    pub name: Option<Text<128>>,
}

/// One reason of a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalSummary {
    /// The name of the signal.
    pub signal: Text<64>,
    /// The category it belongs to.
    pub category: Text<64>,
    /// What it added, before any cap.
    pub points: Points,
    /// Whether it decides alone.
    pub decisive: bool,
    /// The figure seen and the limit it was held against.
    pub evidence: Text<256>,
}

/// A number of points from 0 to 100 in steps of a hundredth, so that it compares and stores exactly.
///
/// As text and in JSON a decimal number: `50`, `62.5`, `7.25`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Points(u16);

/// A number of points is not from 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("points go from 0 to 100")]
pub struct PointsOutOfRange;

/// A text is not a decimal number from 0 to 100 with at most two decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("points are a decimal number from 0 to 100 with at most two decimals")]
pub struct UnknownPoints;

impl SignalList {
    /// The first 64 of these reasons. A detector has fewer signals than that, so that nothing is lost.
    pub fn first_of(signals: impl IntoIterator<Item = SignalSummary>) -> Self {
        Self(signals.into_iter().take(MOST_SIGNALS).collect())
    }

    /// The reasons, in the detector's order.
    pub fn as_slice(&self) -> &[SignalSummary] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for SignalList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let signals = Vec::deserialize(deserializer)?;
        if signals.len() > MOST_SIGNALS {
            return Err(serde::de::Error::custom("a verdict keeps at most 64 signals"));
        }
        Ok(Self(signals))
    }
}

impl Points {
    /// The points nearest to this number.
    ///
    /// # Errors
    /// [`PointsOutOfRange`] for NaN and for what is below 0 or above 100.
    pub fn from_f64(points: f64) -> Result<Self, PointsOutOfRange> {
        if (0.0..=100.0).contains(&points) {
            Ok(Self(libm::round(points * 100.0) as u16))
        } else {
            Err(PointsOutOfRange)
        }
    }

    /// The points of this many hundredths.
    ///
    /// # Errors
    /// [`PointsOutOfRange`] above 10,000.
    pub const fn from_hundredths(hundredths: u16) -> Result<Self, PointsOutOfRange> {
        if hundredths <= 10_000 { Ok(Self(hundredths)) } else { Err(PointsOutOfRange) }
    }

    /// The number of hundredths, 0 to 10,000.
    pub const fn hundredths(self) -> u16 {
        self.0
    }

    /// The points as a number, 0 to 100.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 100, self.0 % 100);
        match (part / 10, part % 10) {
            (0, 0) => write!(f, "{whole}"),
            (tenth, 0) => write!(f, "{whole}.{tenth}"),
            _ => write!(f, "{whole}.{part:02}"),
        }
    }
}

impl fmt::Debug for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Points {
    type Err = UnknownPoints;

    fn from_str(text: &str) -> Result<Self, UnknownPoints> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) || whole.len() > 3 || part.len() > 2 {
            return Err(UnknownPoints);
        }
        let number = |text: &str| text.parse::<u32>().map_err(|_| UnknownPoints);
        let hundredths = number(whole)? * 100 + number(part)? * if part.len() == 1 { 10 } else { 1 };
        u16::try_from(hundredths).ok().and_then(|h| Self::from_hundredths(h).ok()).ok_or(UnknownPoints)
    }
}

impl Serialize for Points {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_f64())
    }
}

impl<'de> Deserialize<'de> for Points {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_f64(f64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

const MOST_SIGNALS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;

    #[test]
    fn points_outside_their_range_are_refused() {
        for wrong in [-0.001, 100.001, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(Points::from_f64(wrong), Err(PointsOutOfRange));
        }
        assert_eq!(Points::from_f64(0.0).unwrap().hundredths(), 0);
        assert_eq!(Points::from_f64(100.0).unwrap().hundredths(), 10_000);
        assert_eq!(Points::from_hundredths(10_001), Err(PointsOutOfRange));
    }

    #[test]
    fn points_read_as_people_write_them() {
        let written = [5_000, 6_250, 725, 7, 10_000].map(|h| Points::from_hundredths(h).unwrap().to_string());
        assert_eq!(written, ["50", "62.5", "7.25", "0.07", "100"]);
        for wrong in ["", ".5", "5.", "-1", "100.01", "1e2", "5.123", "+5", "1000"] {
            assert_eq!(wrong.parse::<Points>(), Err(UnknownPoints), "{wrong}");
        }
    }

    #[test]
    fn a_verdict_keeps_the_first_64_reasons_and_reads_no_more_back() {
        let reason = |n: usize| SignalSummary {
            signal: Text::cut(&n.to_string()),
            category: Text::cut("volume"),
            points: Points::default(),
            decisive: false,
            evidence: Text::default(),
        };
        let kept = SignalList::first_of((0..65).map(reason));
        assert_eq!(kept.as_slice(), (0..64).map(reason).collect::<Vec<_>>());
        let json = serde_json::to_string(&kept).unwrap();
        assert_eq!(serde_json::from_str::<SignalList>(&json).unwrap(), kept);
        let one_more = serde_json::to_string(&(0..65).map(reason).collect::<Vec<_>>()).unwrap();
        assert!(serde_json::from_str::<SignalList>(&one_more).is_err());
    }

    proptest! {
        #[test]
        fn text_json_and_number_give_the_points_back(hundredths in 0u16..=10_000) {
            let points = Points::from_hundredths(hundredths).unwrap();
            prop_assert_eq!(points.to_string().parse(), Ok(points));
            prop_assert_eq!(Points::from_f64(points.as_f64()), Ok(points));
            let json = serde_json::to_string(&points).unwrap();
            prop_assert_eq!(serde_json::from_str::<Points>(&json).unwrap(), points);
        }
    }
}
