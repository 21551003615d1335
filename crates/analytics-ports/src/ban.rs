//! Where bans are kept.

use analytics_domain::ids::BanId;
use analytics_domain::reputation::{Ban, BanSubject};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::StoreError;
use crate::page::{BatchLimit, Page, PageRequest};
use crate::version::Recorded;

/// Keeps bans until they end or are cleared. Would-bans of shadow mode are kept like others and say what they are.
///
/// A ban runs from its beginning to strictly before its end. Every method may fail with [`StoreError::Unavailable`], and
/// every method that answers a ban with [`StoreError::Corrupt`] when what is kept is not one.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait BanRepository: Send + Sync {
    /// Keeps a ban. One whose id is kept already stays as it is, and the answer is [`Recorded::Known`].
    async fn put(&self, ban: &Ban) -> Result<Recorded, StoreError>;

    /// The ban of exactly this subject that runs at `now` and ends last; of equals the one with the greatest id. A
    /// network is not asked for the networks around it.
    async fn running(&self, subject: BanSubject, now: DateTime<Utc>) -> Result<Option<Ban>, StoreError>;

    /// The bans that run at `now`, the one that ends first in front, then by id.
    async fn list_running(
        &self,
        now: DateTime<Utc>,
        page: PageRequest<BanCursor>,
    ) -> Result<Page<Ban, BanCursor>, StoreError>;

    /// Deletes all bans of exactly this subject, running or not, and answers them in the order of their ids. None is no
    /// error, so a repeat is safe.
    async fn clear(&self, subject: BanSubject) -> Result<Vec<Ban>, StoreError>;

    /// Deletes at most `limit` bans that ended at `now` or before, those that ended first in front, then by id; answers
    /// how many. Fewer than `limit` means that no more are left.
    async fn delete_ended(&self, now: DateTime<Utc>, limit: BatchLimit) -> Result<u32, StoreError>;
}

/// The place of a ban in a list. A ban's end never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BanCursor {
    /// When the ban ends.
    pub until: DateTime<Utc>,
    /// Which ban it is.
    pub id: BanId,
}

impl BanCursor {
    /// The place of this ban.
    pub const fn of(ban: &Ban) -> Self {
        Self { until: ban.until, id: ban.id }
    }
}
