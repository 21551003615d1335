//! Where sessions are kept.

use analytics_domain::detector::Class;
use analytics_domain::ids::{FingerprintHash, SessionId, VisitorId};
use analytics_domain::session::{AnalyticsSession, EndReason};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::StoreError;
use crate::page::{BatchLimit, Page, PageRequest};
use crate::version::{Recorded, Version, Versioned};

/// Keeps sessions.
///
/// Every method may fail with [`StoreError::Unavailable`], and every method that answers a session with
/// [`StoreError::Corrupt`] when what is kept is not one. Only further errors are named below.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait SessionRepository: Send + Sync {
    /// Keeps a new session, at version 1, and remembers when it was recorded for its retention.
    ///
    /// A session whose id is kept already stays as it is, and the answer is [`Recorded::Known`]; so a repeat is safe.
    async fn create(
        &self,
        session: &AnalyticsSession,
        recorded_at: DateTime<Utc>,
    ) -> Result<Recorded, StoreError>;

    /// Keeps these sessions, all or none, and says of each, in their order, whether it was kept now; each as
    /// [`SessionRepository::create`] would. An id that stands twice is kept the first time. No session at all is no
    /// work.
    async fn create_batch(
        &self,
        sessions: &[AnalyticsSession],
        recorded_at: DateTime<Utc>,
    ) -> Result<Vec<Recorded>, StoreError>;

    /// The session with this id.
    async fn get(&self, id: SessionId) -> Result<Option<Versioned<AnalyticsSession>>, StoreError>;

    /// Replaces the session of the same id when its version is still the expected one; answers the new version, which
    /// is the next one.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the version is another one, or the session is not kept any more. A repeat of a
    /// swap that succeeded gets this too.
    async fn swap(&self, expected: Version, session: &AnalyticsSession) -> Result<Version, StoreError>;

    /// The open session of this fingerprint with the newest activity, when that is strictly after `since`. Of several
    /// with the same newest activity, the one with the greatest id.
    async fn find_recent_by_fingerprint(
        &self,
        fingerprint: FingerprintHash,
        since: DateTime<Utc>,
    ) -> Result<Option<Versioned<AnalyticsSession>>, StoreError>;

    /// Ends the session for this reason, at its last activity, and answers it as it is now; `None` when it is not kept.
    ///
    /// A session that ended before keeps its first reason and its version, so a repeat is safe.
    async fn end(
        &self,
        id: SessionId,
        reason: EndReason,
    ) -> Result<Option<Versioned<AnalyticsSession>>, StoreError>;

    /// The open sessions whose last activity is at or before `idle_since`, oldest activity first, then by id; at most
    /// `limit`.
    async fn list_open_idle(
        &self,
        idle_since: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<Vec<Versioned<AnalyticsSession>>, StoreError>;

    /// Ends, as inactive and at their own last activity, the sessions that [`SessionRepository::list_open_idle`] would
    /// list, and answers them in that order.
    ///
    /// Fewer than `limit` means that no more are left. A repeat goes on with the next, or does nothing.
    async fn end_expired(
        &self,
        idle_since: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<Vec<EndedSession>, StoreError>;

    /// Deletes at most `limit` ended sessions that were recorded strictly before this, the oldest recorded first, then
    /// by id; answers how many. An open session is never deleted.
    ///
    /// Fewer than `limit` means that no more are left.
    async fn delete_recorded_before(
        &self,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError>;

    /// The sessions that the filter lets through, newest start first, then greatest id first.
    async fn list(
        &self,
        filter: &SessionFilter,
        page: PageRequest<SessionCursor>,
    ) -> Result<Page<AnalyticsSession, SessionCursor>, StoreError>;
}

/// Which sessions to list. Every part that is `None` lets all through; the default is everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionFilter {
    /// Started at this time or after it.
    pub started_from: Option<DateTime<Utc>>,
    /// Started strictly before this time.
    pub started_before: Option<DateTime<Utc>>,
    /// Counts as this visitor.
    pub visitor: Option<VisitorId>,
    /// Is held against this fingerprint.
    pub fingerprint: Option<FingerprintHash>,
    /// Is taken for this. A session without a verdict is of no class.
    pub class: Option<Class>,
    /// Is open, or is not.
    pub open: Option<bool>,
}

/// The place of a session in a list. Both parts never change, so that a list stays in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionCursor {
    /// When the session started.
    pub started_at: DateTime<Utc>,
    /// Which session it is.
    pub id: SessionId,
}

/// A session that a clean-up ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedSession {
    /// Which session it is.
    pub id: SessionId,
    /// Its last activity, which is when it ended.
    pub ended_at: DateTime<Utc>,
}

impl SessionFilter {
    /// Whether this session is one to list. It is the definition that every store's query follows.
    pub fn lets_through(&self, session: &AnalyticsSession) -> bool {
        let record = session.record();
        let class = record.verdict.as_ref().map(|verdict| verdict.class);
        self.started_from.is_none_or(|from| record.started_at >= from)
            && self.started_before.is_none_or(|before| record.started_at < before)
            && self.visitor.is_none_or(|visitor| record.visitor == visitor)
            && self.fingerprint.is_none_or(|fingerprint| record.fingerprint == fingerprint)
            && self.class.is_none_or(|wanted| class == Some(wanted))
            && self.open.is_none_or(|open| session.is_open() == open)
    }
}

impl SessionCursor {
    /// The place of this session.
    pub fn of(session: &AnalyticsSession) -> Self {
        Self { started_at: session.record().started_at, id: session.id() }
    }
}
