//! How far out of the ordinary.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// How far out of the ordinary a value is, in rising order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnomalyLevel {
    /// Nothing to tell anybody.
    #[default]
    Normal,
    /// Worth a look in working hours.
    Warning,
    /// Worth waking somebody up for.
    Critical,
}

/// A text names no level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an anomaly's level is normal, warning or critical")]
pub struct UnknownAnomalyLevel;

impl AnomalyLevel {
    /// All levels, in rising order.
    pub const ALL: [Self; 3] = [Self::Normal, Self::Warning, Self::Critical];

    /// The name of the level, as it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for AnomalyLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for AnomalyLevel {
    type Err = UnknownAnomalyLevel;

    fn from_str(text: &str) -> Result<Self, UnknownAnomalyLevel> {
        Self::ALL.into_iter().find(|level| level.as_str() == text).ok_or(UnknownAnomalyLevel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_read_back_from_its_name() {
        for level in AnomalyLevel::ALL {
            assert_eq!(level.as_str().parse(), Ok(level));
            assert_eq!(serde_json::to_value(level).unwrap(), level.as_str());
        }
        assert_eq!("Warning".parse::<AnomalyLevel>(), Err(UnknownAnomalyLevel));
    }
}
