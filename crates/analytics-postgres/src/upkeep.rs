//! Partitions made ahead, and dropped when they are past their retention.

use std::collections::BTreeSet;

use analytics_ports::{PartitionUpkeep, Partitioned, StoreError};
use async_trait::async_trait;
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

impl PostgresUpkeep {
    pub(crate) const fn new(
        database: Database,
        events: Partitions,
        requests: Partitions,
        engagement: Partitions,
    ) -> Self {
        Self { database, events, requests, engagement }
    }

    const fn of(&self, table: Partitioned) -> &Partitions {
        match table {
            Partitioned::Events => &self.events,
            Partitioned::Requests => &self.requests,
            Partitioned::Engagement => &self.engagement,
        }
    }
}

#[async_trait]
impl PartitionUpkeep for PostgresUpkeep {
    async fn make_partitions(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<u32, StoreError> {
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

    async fn drop_partitions(
        &self,
        table: Partitioned,
        recorded_before: DateTime<Utc>,
    ) -> Result<u32, StoreError> {
        self.of(table).drop_recorded_before(&self.database, recorded_before).await
    }
}
