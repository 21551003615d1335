//! Tables that a store keeps in parts of time.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::StoreError;

/// Makes partitions before they are needed and drops them when all that they hold is past its retention.
///
/// A store without partitions answers 0 to everything. One that has them makes what a row needs when it is written too,
/// so that nothing is lost where nobody looks after them; made ahead, no write waits for one.
///
/// Every method may fail with [`StoreError::Unavailable`]; what was done before stands, and a repeat goes on there.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait PartitionUpkeep: Send + Sync {
    /// Makes the partitions of every table for the time from `from` to `until`, both with it; answers how many were made
    /// now. A repeat makes none.
    async fn make_partitions(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<u32, StoreError>;

    /// Drops the partitions of this table whose time was over before this and of which every row was recorded strictly
    /// before it, so that their room is given back at once; answers how many. What is recorded in that moment is never
    /// among them. Those that were made ahead stay, since their time is not over.
    ///
    /// An import of an old log is as young as its recording, so a partition goes when its youngest recording may.
    async fn drop_partitions(
        &self,
        table: Partitioned,
        recorded_before: DateTime<Utc>,
    ) -> Result<u32, StoreError>;
}

/// A table that a store may keep in parts of time, since it grows with traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Partitioned {
    /// Events.
    Events,
    /// Rows of requests.
    Requests,
    /// Events of engagement.
    Engagement,
}

impl Partitioned {
    /// Every such table.
    pub const ALL: [Self; 3] = [Self::Events, Self::Requests, Self::Engagement];
}
