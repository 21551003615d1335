//! What a feature is, and the order of all of them.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::extract::FeatureSubject;
use super::list::FEATURES;
use super::{CatalogueVersion, FeatureVector};

/// One feature: its declaration, from which the vector, the documentation and the schema of exports come.
#[derive(Debug, Clone, Copy)]
pub struct Feature {
    /// The name, in lower case with underscores; distinct from all others.
    pub name: &'static str,
    /// The group that it can be chosen by.
    pub group: FeatureGroup,
    /// The unit of the number.
    pub unit: Unit,
    /// What kind of number it is.
    pub kind: FeatureKind,
    /// The least number that it can be.
    pub least: f64,
    /// The greatest number that it can be; infinite where there is no bound.
    pub most: f64,
    /// When it can be known.
    pub known: Known,
    /// When it is missing.
    pub undefined: &'static str,
    /// What it tells.
    pub meaning: &'static str,
    pub(super) compute: fn(&FeatureSubject<'_>) -> Option<f64>,
}

/// Features that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum FeatureGroup {
    /// How long and how much.
    Session,
    /// What was asked for and how one request led to the next.
    Navigation,
    /// When.
    Timing,
    /// What the tracker saw of a person.
    Behavioural,
    /// What the client says of itself.
    Headers,
    /// How many look the same.
    Fingerprint,
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Things.
    Count,
    /// A part of a whole, 0 to 1.
    Share,
    /// Yes is 1 and no is 0.
    Flag,
    /// A number of one thing for each of another.
    Ratio,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Square milliseconds.
    SquareMilliseconds,
    /// Bits of entropy.
    Bits,
    /// Bytes.
    Bytes,
    /// Pixels.
    Pixels,
    /// Pixels per second.
    PixelsPerSecond,
    /// Percent, 0 to 100.
    Percent,
    /// Per minute.
    PerMinute,
    /// Days.
    Days,
    /// A natural logarithm.
    Log,
}

/// What kind of number a feature is, and so of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureKind {
    /// Yes or no, as 1 or 0.
    Flag,
    /// A whole number.
    Whole,
    /// Any number.
    Real,
}

/// When a feature can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// While requests are decided about, so that a model in the detector may use it.
    Deciding,
    /// Only once answers, beacons or other sessions are known.
    Afterwards,
}

/// The version of the catalogue that this program computes; it changes with any feature.
pub const CATALOGUE: CatalogueVersion = CatalogueVersion::FIRST;

impl Feature {
    /// Every feature, in the order of vectors.
    pub const fn all() -> &'static [Self] {
        FEATURES
    }

    /// The place of the feature of this name in vectors.
    pub fn index_of(name: &str) -> Option<usize> {
        FEATURES.iter().position(|feature| feature.name == name)
    }

    /// Whether this number is one that the feature can be.
    pub fn allows(&self, number: f64) -> bool {
        number.is_finite() && self.least <= number && number <= self.most
    }

    /// The number of this feature in a vector of the catalogue.
    pub fn of(&self, vector: &FeatureVector) -> Option<f64> {
        Self::index_of(self.name).and_then(|index| vector.as_slice().get(index).copied().flatten())
    }
}

impl FeatureGroup {
    /// All groups, in the order of the catalogue.
    pub const ALL: [Self; 6] =
        [Self::Session, Self::Navigation, Self::Timing, Self::Behavioural, Self::Headers, Self::Fingerprint];

    /// The name in files and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Navigation => "navigation",
            Self::Timing => "timing",
            Self::Behavioural => "behavioural",
            Self::Headers => "headers",
            Self::Fingerprint => "fingerprint",
        }
    }
}

impl Unit {
    /// The name in the documentation.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Share => "share",
            Self::Flag => "flag",
            Self::Ratio => "ratio",
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::SquareMilliseconds => "ms²",
            Self::Bits => "bits",
            Self::Bytes => "bytes",
            Self::Pixels => "px",
            Self::PixelsPerSecond => "px/s",
            Self::Percent => "%",
            Self::PerMinute => "1/min",
            Self::Days => "days",
            Self::Log => "ln",
        }
    }
}

impl FeatureKind {
    /// The name in the documentation.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Whole => "whole",
            Self::Real => "real",
        }
    }
}

impl Known {
    /// The name in the documentation.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deciding => "deciding",
            Self::Afterwards => "afterwards",
        }
    }
}

impl fmt::Display for FeatureGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The place of a feature, worked out when the program is built; naming none stops the build.
pub(super) const fn index(name: &str) -> usize {
    let mut at = 0;
    while at < FEATURES.len() {
        if same(FEATURES[at].name.as_bytes(), name.as_bytes()) {
            return at;
        }
        at += 1;
    }
    panic!("no feature has this name")
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_distinct_and_ranges_are_ranges() {
        let names: BTreeSet<_> = FEATURES.iter().map(|feature| feature.name).collect();
        assert_eq!(names.len(), FEATURES.len());
        for feature in FEATURES {
            assert!(feature.least < feature.most, "{}", feature.name);
            assert!(feature.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
            assert_eq!(feature.kind == FeatureKind::Flag, feature.unit == Unit::Flag, "{}", feature.name);
            assert!(feature.unit != Unit::Share || (feature.least, feature.most) == (0.0, 1.0));
        }
    }
}
