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
