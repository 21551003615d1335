//! What is deleted when it is past its time, in batches.

use analytics_domain::session::Retained;
use analytics_ports::{BatchLimit, StoreError, UsageKind};
use chrono::{DateTime, Utc};

use super::job::{Counted, JobInterruption};
use super::{JobRunner, Run};

/// A kind of row that is deleted by its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deletion {
    Requests,
    Engagement,
    Usage(UsageKind),
    Features,
    Audit,
    Anomalies,
    Fingerprints,
    EndedBans,
}

impl Deletion {
    /// What the job of retention deletes. Sessions and their events are left to the clean-up of sessions, fingerprints
    /// and bans to the review of reputations.
    pub(super) const PAST_RETENTION: [Self; 10] = [
        Self::Requests,
        Self::Engagement,
        Self::Usage(UsageKind::AiRequests),
        Self::Usage(UsageKind::Tasks),
        Self::Usage(UsageKind::ToolExecutions),
        Self::Usage(UsageKind::Conversations),
        Self::Usage(UsageKind::Messages),
        Self::Features,
        Self::Audit,
        Self::Anomalies,
    ];

    const fn counted(self) -> Counted {
        match self {
            Self::Requests => Counted::RequestsDeleted,
            Self::Engagement => Counted::EngagementDeleted,
            Self::Usage(UsageKind::AiRequests) => Counted::AiRequestsDeleted,
            Self::Usage(UsageKind::Tasks) => Counted::TasksDeleted,
            Self::Usage(UsageKind::ToolExecutions) => Counted::ToolExecutionsDeleted,
            Self::Usage(UsageKind::Conversations) => Counted::ConversationsDeleted,
            Self::Usage(UsageKind::Messages) => Counted::MessagesDeleted,
            Self::Features => Counted::FeaturesDeleted,
            Self::Audit => Counted::AuditEntriesDeleted,
            Self::Anomalies => Counted::AnomaliesDeleted,
            Self::Fingerprints => Counted::FingerprintsDeleted,
            Self::EndedBans => Counted::BansDeleted,
        }
    }

    /// What says how long it is kept; `None` for bans, which say it themselves.
    const fn retained(self) -> Option<Retained> {
        match self {
            Self::Requests => Some(Retained::Requests),
            Self::Engagement => Some(Retained::Engagement),
            Self::Usage(_) => Some(Retained::Usage),
            Self::Features => Some(Retained::Features),
            Self::Audit => Some(Retained::Audit),
            Self::Anomalies => Some(Retained::Anomalies),
            Self::Fingerprints => Some(Retained::Fingerprints),
            Self::EndedBans => None,
        }
    }
}

impl JobRunner {
    /// Deletes all rows of this kind that are past their time, batch after batch.
    pub(super) async fn delete_all(&self, run: &mut Run, what: Deletion) -> Result<(), JobInterruption> {
        let retained = what.retained();
        let before = retained.map_or(Some(run.now), |kind| self.policies.retention.before(kind, run.now));
        // A time before all that a calendar holds is one that nothing is older than.
        let Some(before) = before else { return Ok(()) };
        let limit = self.limit();
        loop {
            run.still_leads().await?;
            let deleted = self.delete(what, before, limit).await?;
            run.did(what.counted(), u64::from(deleted));
            if deleted < limit.get() {
                return Ok(());
            }
        }
    }

    async fn delete(
        &self,
        what: Deletion,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError> {
        let stores = &self.stores;
        match what {
            Deletion::Requests => stores.requests.delete_recorded_before(before, limit).await,
            Deletion::Engagement => stores.engagement.delete_recorded_before(before, limit).await,
            Deletion::Usage(kind) => stores.usage.delete_recorded_before(kind, before, limit).await,
            Deletion::Features => stores.features.delete_recorded_before(before, limit).await,
            Deletion::Audit => stores.audit.delete_before(before, limit).await,
            Deletion::Anomalies => stores.anomalies.delete_opened_before(before, limit).await,
            Deletion::Fingerprints => stores.fingerprints.delete_seen_before(before, limit).await,
            Deletion::EndedBans => stores.bans.delete_ended(before, limit).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// A kind that nobody deletes would be kept for ever.
    #[test]
    fn every_kind_that_has_a_retention_is_deleted_by_a_job() {
        let mut deleted: BTreeSet<Retained> =
            Deletion::PAST_RETENTION.into_iter().filter_map(Deletion::retained).collect();
        // The clean-up of sessions deletes these two, the review of reputations the third.
        deleted.extend([Retained::Sessions, Retained::Events, Retained::Fingerprints]);
        assert_eq!(deleted, BTreeSet::from(Retained::ALL));
        let usage: Vec<Deletion> = UsageKind::ALL.into_iter().map(Deletion::Usage).collect();
        assert!(usage.iter().all(|kind| Deletion::PAST_RETENTION.contains(kind)));
    }
}
