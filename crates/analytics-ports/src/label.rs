//! Where labels of sessions are kept.

use analytics_domain::ids::SessionId;
use analytics_domain::label::{Label, LabelSource};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::StoreError;
use crate::page::{BatchLimit, Page, PageRequest};
use crate::version::Recorded;

/// Keeps labels: at most one of each session and source.
///
/// Every method may fail with [`StoreError::Unavailable`], and every method that answers a label with
/// [`StoreError::Corrupt`] when what is kept is not one.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait LabelRepository: Send + Sync {
    /// Keeps a label, in the place of one of the same session and source that it supersedes
    /// ([`Label::supersedes`]). One that does not changes nothing, and the answer is [`Recorded::Known`]; so a repeat is
    /// safe, and labels that arrive in another order leave the same. The session need not be kept.
    async fn put(&self, label: &Label) -> Result<Recorded, StoreError>;

    /// The labels of this session, the strongest source first; at most as many as there are sources.
    /// [`resolve`](analytics_domain::label::resolve) says which of them holds.
    async fn by_session(&self, session: SessionId) -> Result<Vec<Label>, StoreError>;

    /// All labels by session, and of one session the strongest source first.
    async fn list(&self, page: PageRequest<LabelCursor>) -> Result<Page<Label, LabelCursor>, StoreError>;

    /// Deletes the label of this session and source and answers it; `None` when there is none, so a repeat is safe.
    async fn remove(&self, session: SessionId, source: LabelSource) -> Result<Option<Label>, StoreError>;

    /// Deletes at most `limit` labels that were given strictly before this, the oldest first, then by session and
    /// source; answers how many. Fewer than `limit` means that no more are left.
    async fn delete_given_before(&self, before: DateTime<Utc>, limit: BatchLimit) -> Result<u32, StoreError>;
}

/// The place of a label in a list. Neither part ever changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelCursor {
    /// The session.
    pub session: SessionId,
    /// Where the label comes from.
    pub source: LabelSource,
}

impl LabelCursor {
    /// The place of this label.
    pub const fn of(label: &Label) -> Self {
        Self { session: label.session(), source: label.source() }
    }
}
