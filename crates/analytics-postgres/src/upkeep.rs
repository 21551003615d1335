//! Partitions made ahead, and dropped when they are past their retention.

use std::collections::BTreeSet;

use analytics_ports::StoreError;
use chrono::{DateTime, Utc};

use crate::database::Database;
use crate::partition::{Month, Partitions};

/// The tables that are partitioned by month, and their partitions.
///
/// Writing makes the partition that a row needs, so that nothing is lost where nobody looks after them; made ahead, no
/// request ever waits for one.
#[derive(Debug, Clone)]
pub struct PostgresUpkeep {
    database: Database,
    events: Partitions,
    requests: Partitions,
    engagement: Partitions,
}

/// A table that is partitioned by month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Partitioned {
    /// `analytics_events`.
    Events,
    /// `requests`.
    Requests,
    /// `engagement_events`.
    Engagement,
}

impl PostgresUpkeep {
    pub(crate) const fn new(
        database: Database,
        events: Partitions,
        requests: Partitions,
        engagement: Partitions,
    ) -> Self {
        Self { database, events, requests, engagement }
    }

    /// Makes the partitions of every table for the months from that of `from` to that of `until`, both with it; answers
    /// how many were made now. A repeat makes none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; a repeat goes on where this one stopped.
    pub async fn make_partitions(
        &self,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<u32, StoreError> {
        let last = Month::of(until);
        let months: BTreeSet<Month> =
            std::iter::successors(Some(Month::of(from)), |month| Some(month.next()))
                .take_while(|month| *month <= last)
                .collect();
        let mut made = 0;
        for table in Partitioned::ALL {
            made += self.database.run(self.of(table).make(&self.database, &months)).await?;
        }
        Ok(made)
    }

    /// Drops the partitions of this table of which every row was recorded strictly before this, so that their room is
    /// given back at once; answers how many. What is recorded in that moment is never among them.
    ///
    /// An import of an old log is as young as its recording, so a partition goes when its youngest recording may.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; a repeat goes on where this one stopped.
    pub async fn drop_partitions(
        &self,
        table: Partitioned,
        recorded_before: DateTime<Utc>,
    ) -> Result<u32, StoreError> {
        self.of(table).drop_recorded_before(&self.database, recorded_before).await
    }

    const fn of(&self, table: Partitioned) -> &Partitions {
        match table {
            Partitioned::Events => &self.events,
            Partitioned::Requests => &self.requests,
            Partitioned::Engagement => &self.engagement,
        }
    }
}

impl Partitioned {
    /// Every such table.
    pub const ALL: [Self; 3] = [Self::Events, Self::Requests, Self::Engagement];
}
