//! How often jobs of upkeep run.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::Settings;
use crate::services::jobs::{Job, JobPolicies, JobSchedule, PartitionPolicy};

/// How often jobs of upkeep run, and how far ahead partitions are made. Seconds are counted from the beginning of one run
/// to that of the next, 1 to 31,622,400 (366 days).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JobSettings {
    /// Sessions that are over are ended, and old ones deleted. Default 60.
    pub session_cleanup_seconds: u32,
    /// Partitions are made ahead and dropped. Default 86,400.
    pub partition_upkeep_seconds: u32,
    /// Rows past their retention are deleted. Default 3,600.
    pub retention_seconds: u32,
    /// Reputations are reviewed. Default 3,600.
    pub reputation_review_seconds: u32,
    /// Features are extracted. Default 600.
    pub feature_extraction_seconds: u32,
    /// A job that was interrupted is tried again. Default 30.
    pub retry_seconds: u32,
    /// Days for which partitions are made ahead, 1 to 366. Default 45.
    pub partition_days_ahead: u32,
}

impl Default for JobSettings {
    fn default() -> Self {
        let schedule = JobSchedule::default();
        let seconds = |job| schedule.interval(job).num_seconds() as u32;
        Self {
            session_cleanup_seconds: seconds(Job::SessionCleanup),
            partition_upkeep_seconds: seconds(Job::PartitionUpkeep),
            retention_seconds: seconds(Job::Retention),
            reputation_review_seconds: seconds(Job::ReputationReview),
            feature_extraction_seconds: seconds(Job::FeatureExtraction),
            retry_seconds: schedule.retry().num_seconds() as u32,
            partition_days_ahead: PartitionPolicy::default().days(),
        }
    }
}

impl JobSettings {
    const fn seconds(&self, job: Job) -> u32 {
        match job {
            Job::SessionCleanup => self.session_cleanup_seconds,
            Job::PartitionUpkeep => self.partition_upkeep_seconds,
            Job::Retention => self.retention_seconds,
            Job::ReputationReview => self.reputation_review_seconds,
            Job::FeatureExtraction => self.feature_extraction_seconds,
        }
    }

    /// The schedule, or the key of the number that is out of its range.
    pub(super) fn schedule(&self) -> Result<JobSchedule, String> {
        let time = |seconds: u32| TimeDelta::seconds(i64::from(seconds));
        let intervals = Job::ALL.into_iter().try_fold(JobSchedule::default(), |schedule, job| {
            let of = schedule.with_interval(job, time(self.seconds(job)));
            of.map_err(|_| format!("{job}_seconds"))
        })?;
        intervals.with_retry(time(self.retry_seconds)).map_err(|_| "retry_seconds".to_owned())
    }
}

impl Settings {
    /// How often each job is run.
    ///
    /// # Panics
    /// When the numbers were not checked, which [`Layers::read`](super::Layers::read) does.
    pub fn job_schedule(&self) -> JobSchedule {
        self.jobs.schedule().expect("the settings were checked")
    }

    /// The rules that jobs follow.
    ///
    /// # Panics
    /// As [`Settings::job_schedule`].
    pub fn job_policies(&self) -> JobPolicies {
        JobPolicies {
            session: self.session,
            retention: self.retention,
            reputation: self.reputation.clone(),
            partitions: PartitionPolicy::new(self.jobs.partition_days_ahead)
                .expect("the settings were checked"),
        }
    }
}
