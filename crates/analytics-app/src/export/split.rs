//! Splitting by client and time.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::Row;

/// Where training ends and testing begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Split {
    /// After this share of the sessions, in the order of their starts; above 0 and below 1.
    Share(f64),
    /// At this time.
    At(DateTime<Utc>),
}

/// A part of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What a model learns from.
    Train,
    /// What it is judged on.
    Test,
}

/// What a split left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SplitCounts {
    /// Sessions after the split of clients that began before it.
    pub dropped_of_earlier_clients: u64,
    /// Sessions within the embargo.
    pub dropped_by_embargo: u64,
}

impl Part {
    /// The name in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }
}

/// Splits rows, which are in the order of their starts: a client goes to the side of its first session, and its sessions
/// on the other side are left out, as are sessions that start within the embargo. Answers where it was split.
pub(super) fn split(
    rows: &mut Vec<Row>,
    split: Split,
    embargo: TimeDelta,
) -> (Option<DateTime<Utc>>, SplitCounts) {
    let mut counts = SplitCounts::default();
    let cut = match split {
        Split::At(at) => at,
        Split::Share(share) => {
            let place = ((rows.len() as f64 * share) as usize).min(rows.len().saturating_sub(1));
            let Some(row) = rows.get(place) else { return (None, counts) };
            row.started_at
        }
    };
    let mut early = hashbrown::HashSet::new();
    rows.retain_mut(|row| {
        if row.started_at < cut {
            early.insert(row.group);
            row.part = Some(Part::Train);
            return true;
        }
        if early.contains(&row.group) {
            counts.dropped_of_earlier_clients += 1;
            return false;
        }
        if row.started_at < cut + embargo {
            counts.dropped_by_embargo += 1;
            return false;
        }
        row.part = Some(Part::Test);
        true
    });
    (Some(cut), counts)
}
