//! The four levels of slowing down.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// How much of its quota a client may use now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThrottleLevel {
    /// The whole quota.
    #[default]
    Normal,
    /// Half of it.
    Warning,
    /// A quarter of it.
    Severe,
    /// Nothing: no request is admitted.
    Blocked,
}

/// A text read back from somewhere is not one of the four levels. It is never taken for `Normal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a throttle level is normal, warning, severe or blocked")]
pub struct UnknownThrottleLevel;

impl ThrottleLevel {
    /// All levels, mildest first.
    pub const ALL: [Self; 4] = [Self::Normal, Self::Warning, Self::Severe, Self::Blocked];

    /// The name on the wire and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Warning => "warning",
            Self::Severe => "severe",
            Self::Blocked => "blocked",
        }
    }

    /// The level one step up; Blocked stays.
    #[must_use]
    pub const fn stricter(self) -> Self {
        match self {
            Self::Normal => Self::Warning,
            Self::Warning => Self::Severe,
            Self::Severe | Self::Blocked => Self::Blocked,
        }
    }

    /// The level one step down; Normal stays.
    #[must_use]
    pub const fn milder(self) -> Self {
        match self {
            Self::Normal | Self::Warning => Self::Normal,
            Self::Severe => Self::Warning,
            Self::Blocked => Self::Severe,
        }
    }
}

impl fmt::Display for ThrottleLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ThrottleLevel {
    type Err = UnknownThrottleLevel;

    fn from_str(text: &str) -> Result<Self, UnknownThrottleLevel> {
        Self::ALL.into_iter().find(|level| level.as_str() == text).ok_or(UnknownThrottleLevel)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn the_four_names_read_back_and_nothing_else_does() {
        for level in ThrottleLevel::ALL {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        for text in ["", "Normal", "normal ", "unknown"] {
            assert_eq!(text.parse::<ThrottleLevel>(), Err(UnknownThrottleLevel));
        }
    }

    #[test]
    fn stricter_and_milder_walk_the_levels_and_stop_at_the_ends() {
        let up = ThrottleLevel::ALL.map(ThrottleLevel::stricter);
        let down = ThrottleLevel::ALL.map(ThrottleLevel::milder);
        let [normal, warning, severe, blocked] = ThrottleLevel::ALL;
        assert_eq!(up, [warning, severe, blocked, blocked]);
        assert_eq!(down, [normal, normal, warning, severe]);
    }
}
