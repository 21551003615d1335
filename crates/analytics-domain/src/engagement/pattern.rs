//! How a page was read.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use super::EngagementPolicy;

/// How a page was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadingPattern {
    /// Left at once: hardly seen and hardly scrolled.
    Bounce,
    /// Run through from top to bottom.
    Skim,
    /// Looked through for something.
    Scan,
    /// Read.
    Read,
    /// Left open without being scrolled.
    Idle,
}

/// A text is none of the five patterns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a reading pattern is bounce, skim, scan, read or idle")]
pub struct UnknownReadingPattern;

impl ReadingPattern {
    /// All patterns, as they stand above.
    pub const ALL: [Self; 5] = [Self::Bounce, Self::Skim, Self::Scan, Self::Read, Self::Idle];

    /// The pattern of a page that was visible this long, seen down to this depth, and scrolled at this many pixels per
    /// second of visible time; `None` where what decides is not known.
    ///
    /// In this order: under `bounce_ms` and `bounce_depth` it is a bounce; from `idle_ms` on, under `bounce_depth` and
    /// under `idle_velocity`, it is idle; under `read_velocity` it was read, under `scan_velocity` scanned, and from
    /// there on skimmed.
    pub fn of(
        policy: &EngagementPolicy,
        visible_ms: Option<u32>,
        depth: Option<u8>,
        velocity: Option<f64>,
    ) -> Option<Self> {
        let settings = policy.settings();
        let (visible_ms, depth) = (visible_ms?, depth?);
        let shallow = depth < settings.bounce_depth;
        if shallow && visible_ms < settings.bounce_ms {
            return Some(Self::Bounce);
        }
        let velocity = velocity?;
        Some(if shallow && visible_ms >= settings.idle_ms && velocity < settings.idle_velocity {
            Self::Idle
        } else if velocity < settings.read_velocity {
            Self::Read
        } else if velocity < settings.scan_velocity {
            Self::Scan
        } else {
            Self::Skim
        })
    }

    /// The name on the wire and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bounce => "bounce",
            Self::Skim => "skim",
            Self::Scan => "scan",
            Self::Read => "read",
            Self::Idle => "idle",
        }
    }
}

impl fmt::Display for ReadingPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ReadingPattern {
    type Err = UnknownReadingPattern;

    fn from_str(text: &str) -> Result<Self, UnknownReadingPattern> {
        Self::ALL.into_iter().find(|pattern| pattern.as_str() == text).ok_or(UnknownReadingPattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ReadingPattern as P;

    #[test]
    fn each_pattern_begins_and_ends_where_the_policy_says() {
        let cases = [
            (9_999, 24, 0.0, P::Bounce),
            (9_999, 24, 99_999.0, P::Bounce),
            (9_999, 25, 0.0, P::Read),
            (10_000, 24, 0.0, P::Read),
            (59_999, 24, 0.0, P::Read),
            (60_000, 24, 0.0, P::Idle),
            (60_000, 24, 0.9, P::Idle),
            (60_000, 24, 1.0, P::Read),
            (60_000, 25, 0.0, P::Read),
            (60_000, 100, 59.9, P::Read),
            (60_000, 100, 60.0, P::Scan),
            (60_000, 100, 299.9, P::Scan),
            (60_000, 100, 300.0, P::Skim),
        ];
        for (visible, depth, velocity, expected) in cases {
            let found = P::of(&EngagementPolicy::default(), Some(visible), Some(depth), Some(velocity));
            assert_eq!(found, Some(expected), "{visible} ms, {depth} %, {velocity} px/s");
        }
    }

    #[test]
    fn where_what_decides_is_not_known_there_is_no_pattern() {
        let of = |visible, depth, velocity| P::of(&EngagementPolicy::default(), visible, depth, velocity);
        assert_eq!(of(None, Some(50), Some(1.0)), None);
        assert_eq!(of(Some(50), None, Some(1.0)), None);
        assert_eq!(of(Some(50_000), Some(50), None), None);
        assert_eq!(of(Some(9_999), Some(24), None), Some(P::Bounce), "speed does not decide about a bounce");
    }

    #[test]
    fn every_name_is_read_back() {
        for pattern in P::ALL {
            assert_eq!(pattern.as_str().parse(), Ok(pattern));
            assert_eq!(serde_json::to_value(pattern).unwrap(), pattern.as_str());
        }
        assert_eq!("Read".parse::<P>(), Err(UnknownReadingPattern));
    }
}
