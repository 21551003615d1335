//! Where features of sessions are kept.

use analytics_domain::features::{CatalogueVersion, MlBehavioralFeatures};
use analytics_domain::ids::SessionId;
use analytics_domain::label::Label;
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::StoreError;
use crate::page::{BatchLimit, Page, PageRequest};
use crate::version::Recorded;

/// Keeps features: one row of each session and version of the catalogue, the one that looked furthest.
///
/// Every method may fail with [`StoreError::Unavailable`], and every method that answers rows with
/// [`StoreError::Corrupt`] when what is kept is not one.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait MlFeaturesRepository: Send + Sync {
    /// Keeps a row, in the place of one of the same session and catalogue with an earlier `as_of`; when it was recorded
    /// is then the new time. One whose `as_of` is not later than that of the row that is kept changes nothing, and the
    /// answer is [`Recorded::Known`]; so a repeat is safe, and a run that was overtaken takes nothing back.
    async fn save(
        &self,
        features: &MlBehavioralFeatures,
        recorded_at: DateTime<Utc>,
    ) -> Result<Recorded, StoreError>;

    /// The row of this session and catalogue.
    async fn by_session(
        &self,
        session: SessionId,
        catalogue: CatalogueVersion,
    ) -> Result<Option<MlBehavioralFeatures>, StoreError>;

    /// The rows of this catalogue whose sessions have a label, each with all labels of its session, in the order of
    /// sessions.
    ///
    /// Labels are those that the store's [`LabelRepository`](crate::LabelRepository) keeps when it is asked. Which of
    /// them holds, and which sources are wanted, is for the caller to say.
    async fn list_labelled(
        &self,
        catalogue: CatalogueVersion,
        page: PageRequest<SessionId>,
    ) -> Result<Page<LabelledFeatures, SessionId>, StoreError>;

    /// Deletes at most `limit` rows that were recorded strictly before this, the oldest recorded first, then by session
    /// and catalogue; answers how many. Fewer than `limit` means that no more are left.
    async fn delete_recorded_before(
        &self,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError>;
}

/// A row of features with what its session is said to be.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledFeatures {
    /// The row.
    pub features: MlBehavioralFeatures,
    /// The labels of its session, at least one, the strongest source first.
    pub labels: Vec<Label>,
}
