//! What is extracted, and how it is brought to one scale.

use serde::{Deserialize, Serialize};

use super::catalogue::FeatureGroup;

/// What is extracted of a session. The default is every group, raw, with nights in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FeatureExtractionConfig {
    /// The groups; the features of the others are missing.
    pub groups: FeatureGroups,
    /// How an export brings features to one scale. What is stored is always raw.
    pub normalisation: Normalisation,
    /// The zone whose nights count, in minutes east of UTC. The default is 0.
    pub zone: ZoneOffset,
    /// Whether the site's pages carry the tracker, so that a visit without a beacon is one without scripts. The default
    /// is no: then nothing is known of visits without a beacon.
    pub tracker_on_pages: bool,
}

/// A set of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "alloc::vec::Vec<FeatureGroup>", into = "alloc::vec::Vec<FeatureGroup>")]
pub struct FeatureGroups(u8);

/// A zone's distance from UTC, -14 to 14 hours in minutes, east positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub struct ZoneOffset(i32);

/// A number of minutes is no zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a zone is at most 840 minutes east or west of UTC, not {0}")]
pub struct InvalidZone(i32);

/// How features are brought to one scale, each by itself; never by the length of the vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalisation {
    /// Not at all.
    #[default]
    Raw,
    /// Mean 0 and standard deviation 1.
    Standard,
    /// From 0 to 1.
    MinMax,
    /// Median 0 and distance of the quartiles 1, which a few wild values do not move.
    Robust,
}

impl FeatureGroups {
    /// Every group.
    pub const ALL: Self = Self((1 << FeatureGroup::ALL.len()) - 1);

    /// Whether this group is in the set.
    pub const fn contains(self, group: FeatureGroup) -> bool {
        self.0 & 1 << group as u8 != 0
    }

    /// The groups in the set, in the order of the catalogue.
    pub fn iter(self) -> impl Iterator<Item = FeatureGroup> {
        FeatureGroup::ALL.into_iter().filter(move |&group| self.contains(group))
    }
}

impl Default for FeatureGroups {
    fn default() -> Self {
        Self::ALL
    }
}

impl FromIterator<FeatureGroup> for FeatureGroups {
    fn from_iter<I: IntoIterator<Item = FeatureGroup>>(groups: I) -> Self {
        Self(groups.into_iter().fold(0, |set, group| set | 1 << group as u8))
    }
}

impl From<alloc::vec::Vec<FeatureGroup>> for FeatureGroups {
    fn from(groups: alloc::vec::Vec<FeatureGroup>) -> Self {
        groups.into_iter().collect()
    }
}

impl From<FeatureGroups> for alloc::vec::Vec<FeatureGroup> {
    fn from(groups: FeatureGroups) -> Self {
        groups.iter().collect()
    }
}

impl ZoneOffset {
    /// The zone this many minutes east of UTC.
    ///
    /// # Errors
    /// [`InvalidZone`] for more than 840 minutes, east or west.
    pub const fn new(minutes: i32) -> Result<Self, InvalidZone> {
        if minutes < -840 || minutes > 840 { Err(InvalidZone(minutes)) } else { Ok(Self(minutes)) }
    }

    /// Minutes east of UTC.
    pub const fn minutes(self) -> i32 {
        self.0
    }

    /// Whether it is from midnight to seven in the morning there, as the literature on web robots counts nights.
    pub const fn is_night(self, at_us: i64) -> bool {
        let local = at_us.div_euclid(1_000_000).saturating_add(self.0 as i64 * 60);
        local.rem_euclid(86_400) < 7 * 3_600
    }
}

impl TryFrom<i32> for ZoneOffset {
    type Error = InvalidZone;

    fn try_from(minutes: i32) -> Result<Self, InvalidZone> {
        Self::new(minutes)
    }
}

impl From<ZoneOffset> for i32 {
    fn from(zone: ZoneOffset) -> Self {
        zone.0
    }
}

impl Normalisation {
    /// All of them, as they stand above.
    pub const ALL: [Self; 4] = [Self::Raw, Self::Standard, Self::MinMax, Self::Robust];

    /// The name in files and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Standard => "standard",
            Self::MinMax => "min_max",
            Self::Robust => "robust",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nights_end_at_seven_in_the_zone() {
        let hour = |hours: i64| hours * 3_600_000_000;
        let utc = ZoneOffset::default();
        assert_eq!([0, 6, 7, 23].map(|at| utc.is_night(hour(at))), [true, true, false, false]);
        let east = ZoneOffset::new(120).unwrap();
        assert_eq!([22, 4, 5].map(|at| east.is_night(hour(at))), [true, true, false]);
        assert_eq!(ZoneOffset::new(841), Err(InvalidZone(841)));
    }

    #[test]
    fn groups_are_read_by_name_and_the_default_is_all() {
        let some: FeatureExtractionConfig =
            serde_json::from_str(r#"{"groups":["timing"],"zone":60}"#).unwrap();
        assert!(some.groups.contains(FeatureGroup::Timing) && !some.groups.contains(FeatureGroup::Session));
        assert_eq!(FeatureExtractionConfig::default().groups.iter().count(), FeatureGroup::ALL.len());
    }
}
