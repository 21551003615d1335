//! No partitions: what is in memory is not kept in parts.

use analytics_ports::{PartitionUpkeep, Partitioned, StoreError};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// A store without partitions: there are none to make and none to drop.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPartitions;

#[async_trait]
impl PartitionUpkeep for NoPartitions {
    async fn make_partitions(&self, _from: DateTime<Utc>, _until: DateTime<Utc>) -> Result<u32, StoreError> {
        Ok(0)
    }

    async fn drop_partitions(
        &self,
        _table: Partitioned,
        _recorded_before: DateTime<Utc>,
    ) -> Result<u32, StoreError> {
        Ok(0)
    }
}
