//! Changes that somebody answers for.

use analytics_domain::audit::{AuditAction, AuditEntry, AuditRecord, AuditSubject, InvalidAuditEntry};
use analytics_domain::event::EventProperties;
use analytics_domain::ids::EventId;
use analytics_domain::session::Text;
use analytics_ports::StoreError;
use chrono::{DateTime, Utc};

/// Who asks for a change, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// A person's account or the name of a job.
    pub name: Text<128>,
    /// Why, in the author's words; `None` when nobody said.
    pub reason: Option<Text<1024>>,
}

/// Why a change was not made, or was made and not audited.
#[derive(Debug, thiserror::Error)]
pub enum AuditedError {
    /// The store failed. Trying again is safe, and completes what was half done.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The change cannot be audited, because nobody is named or the clock shows a time that ids cannot say.
    #[error("the change cannot be audited")]
    Unauditable(#[from] InvalidAuditEntry),
}

impl Author {
    /// Answers an error when nobody is named, before anything is changed.
    pub(super) fn check(&self) -> Result<(), AuditedError> {
        if self.name.is_empty() { Err(InvalidAuditEntry::NoActor.into()) } else { Ok(()) }
    }

    /// The entry that says that the author did this.
    pub(super) fn entry(
        &self,
        id: EventId,
        at: DateTime<Utc>,
        action: AuditAction,
        subject: AuditSubject,
        details: EventProperties,
    ) -> Result<AuditEntry, AuditedError> {
        let (actor, reason) = (self.name.clone(), self.reason.clone());
        let record = AuditRecord { id, at, actor, action, subject, reason, details };
        Ok(AuditEntry::try_from(record)?)
    }
}
