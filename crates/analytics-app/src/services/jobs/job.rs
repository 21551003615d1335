//! The jobs, and what a run of one comes to.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use analytics_ports::{LeaderRole, StoreError};

/// A kind of upkeep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Job {
    /// Ends sessions that are idle, and deletes events and sessions that are past their retention.
    SessionCleanup,
    /// Makes partitions ahead, and drops those that are past their retention whole.
    PartitionUpkeep,
    /// Deletes rows of requests, engagement, usage, features, the audit and anomalies that are past their retention.
    Retention,
    /// Deletes bans that have ended and fingerprints that nobody sees any more, and keeps anew the reputations that
    /// have mended: flags that lapsed, scores that drifted, bans that are over.
    ReputationReview,
    /// Extracts the features of sessions that lack them.
    FeatureExtraction,
}

/// What a run came to.
#[derive(Debug)]
pub struct JobReport {
    /// Which job was run.
    pub job: Job,
    /// How it ended.
    pub outcome: JobOutcome,
}

/// How a run ended.
#[derive(Debug)]
pub enum JobOutcome {
    /// Another leads in this job, so nothing was done.
    NotLeader,
    /// Nothing that does this job is wired, so nothing was done.
    NotWired,
    /// All that there was to do is done.
    Done(JobWork),
    /// It stopped in the middle. What was done stands, and the next run goes on there.
    Interrupted {
        /// What was done.
        done: JobWork,
        /// Why it stopped.
        reason: JobInterruption,
    },
}

/// Why a run stopped in the middle.
#[derive(Debug, thiserror::Error)]
pub enum JobInterruption {
    /// A store failed, or nobody could say who leads.
    #[error("a store failed")]
    Store(#[from] StoreError),
    /// The run leads no more; another may by now.
    #[error("another may lead by now")]
    LeadLost,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobWork {
    /// How many of each kind were changed; what is 0 is not in it.
    pub rows: BTreeMap<Counted, u64>,
    /// Steps that the stores were asked for.
    pub batches: u64,
}

/// What a job changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Counted {
    /// Sessions that were ended.
    SessionsEnded,
    /// Events that were deleted.
    EventsDeleted,
    /// Sessions that were deleted.
    SessionsDeleted,
    /// Partitions that were made.
    PartitionsMade,
    /// Partitions that were dropped, with all rows that they held.
    PartitionsDropped,
    /// Rows of requests that were deleted.
    RequestsDeleted,
    /// Events of engagement that were deleted.
    EngagementDeleted,
    /// Requests to AI providers that were deleted.
    AiRequestsDeleted,
    /// Tasks of agents that were deleted.
    TasksDeleted,
    /// Runs of tools that were deleted.
    ToolExecutionsDeleted,
    /// Conversations that were deleted.
    ConversationsDeleted,
    /// Messages that were deleted.
    MessagesDeleted,
    /// Rows of features that were deleted.
    FeaturesDeleted,
    /// Entries of the audit that were deleted.
    AuditEntriesDeleted,
    /// Anomalies that were deleted.
    AnomaliesDeleted,
    /// Bans that were deleted.
    BansDeleted,
    /// Fingerprints that were deleted.
    FingerprintsDeleted,
    /// Reputations that were kept anew.
    ReputationsRenewed,
    /// Sessions whose features were extracted.
    FeaturesExtracted,
}

/// A text names no job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no job; there are session_cleanup, partition_upkeep, retention, reputation_review and feature_extraction"
)]
pub struct UnknownJob(String);

impl Job {
    /// Every job, in the order in which those that are due at once are run: partitions that go whole need not be emptied
    /// row by row.
    pub const ALL: [Self; 5] = [
        Self::SessionCleanup,
        Self::PartitionUpkeep,
        Self::Retention,
        Self::ReputationReview,
        Self::FeatureExtraction,
    ];

    /// Its name, as [`Job::from_str`] reads it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SessionCleanup => "session_cleanup",
            Self::PartitionUpkeep => "partition_upkeep",
            Self::Retention => "retention",
            Self::ReputationReview => "reputation_review",
            Self::FeatureExtraction => "feature_extraction",
        }
    }

    /// What a runner of it leads in. Other jobs may run at the same time.
    #[expect(clippy::missing_panics_doc, reason = "a test says that each name is one of a role")]
    pub const fn role(self) -> LeaderRole {
        LeaderRole::new(self.as_str()).expect("names of jobs are names of roles")
    }
}

impl JobOutcome {
    /// What was done; `None` where nothing was even begun.
    pub const fn work(&self) -> Option<&JobWork> {
        match self {
            Self::Done(work) | Self::Interrupted { done: work, .. } => Some(work),
            Self::NotLeader | Self::NotWired => None,
        }
    }
}

impl JobWork {
    /// How many of this kind were changed.
    pub fn of(&self, counted: Counted) -> u64 {
        self.rows.get(&counted).copied().unwrap_or_default()
    }

    /// How many were changed, of all kinds.
    pub fn total(&self) -> u64 {
        self.rows.values().sum()
    }

    pub(super) fn count(&mut self, counted: Counted, rows: u64) {
        if rows > 0 {
            *self.rows.entry(counted).or_default() += rows;
        }
    }
}

impl Counted {
    /// Its name, for reports and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SessionsEnded => "sessions_ended",
            Self::EventsDeleted => "events_deleted",
            Self::SessionsDeleted => "sessions_deleted",
            Self::PartitionsMade => "partitions_made",
            Self::PartitionsDropped => "partitions_dropped",
            Self::RequestsDeleted => "requests_deleted",
            Self::EngagementDeleted => "engagement_deleted",
            Self::AiRequestsDeleted => "ai_requests_deleted",
            Self::TasksDeleted => "tasks_deleted",
            Self::ToolExecutionsDeleted => "tool_executions_deleted",
            Self::ConversationsDeleted => "conversations_deleted",
            Self::MessagesDeleted => "messages_deleted",
            Self::FeaturesDeleted => "features_deleted",
            Self::AuditEntriesDeleted => "audit_entries_deleted",
            Self::AnomaliesDeleted => "anomalies_deleted",
            Self::BansDeleted => "bans_deleted",
            Self::FingerprintsDeleted => "fingerprints_deleted",
            Self::ReputationsRenewed => "reputations_renewed",
            Self::FeaturesExtracted => "features_extracted",
        }
    }
}

impl FromStr for Job {
    type Err = UnknownJob;

    fn from_str(name: &str) -> Result<Self, UnknownJob> {
        Self::ALL.into_iter().find(|job| job.as_str() == name).ok_or_else(|| UnknownJob(name.to_owned()))
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_found_by_its_name_and_leads_under_it() {
        for job in Job::ALL {
            assert_eq!(job.as_str().parse(), Ok(job));
            assert_eq!(job.role().as_str(), job.as_str());
            assert!(UnknownJob(String::new()).to_string().contains(job.as_str()), "{job} is offered");
        }
        assert_eq!("Retention".parse::<Job>(), Err(UnknownJob("Retention".to_owned())));
    }

    #[test]
    fn work_keeps_no_zeros_and_adds_up() {
        let mut work = JobWork::default();
        work.count(Counted::EventsDeleted, 0);
        assert_eq!(work, JobWork::default());
        work.count(Counted::EventsDeleted, 2);
        work.count(Counted::EventsDeleted, 3);
        work.count(Counted::SessionsEnded, 1);
        assert_eq!((work.of(Counted::EventsDeleted), work.of(Counted::BansDeleted), work.total()), (5, 0, 6));
    }
}
