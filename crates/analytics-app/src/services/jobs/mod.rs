//! Upkeep that runs beside the traffic: one leader at a time, in batches, safe to interrupt and to repeat.
//!
//! [`JobRunner`] runs one [`Job`] when it is asked to; [`JobSchedule`] says which are due, and [`JobDriver`] runs those.
//! Nothing here has a timer: whoever calls brings the rhythm.

mod driver;
mod job;
mod metrics;
mod retention;
mod review;
mod schedule;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use analytics_domain::reputation::ReputationPolicy;
use analytics_domain::session::{Retained, RetentionPolicy, SessionPolicy};
use analytics_ports::{
    AnomalyEventRepository, AuditRepository, BanRepository, BatchLimit, Clock, EngagementRepository,
    EventRepository, FingerprintRepository, LeaderLock, Leadership, MlFeaturesRepository, PartitionUpkeep,
    Partitioned, RequestRepository, SessionRepository, StoreError, UsageRepository,
};
use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;

pub use driver::JobDriver;
pub use job::{Counted, Job, JobInterruption, JobOutcome, JobReport, JobWork, UnknownJob};
pub use metrics::JobMetrics;
pub use schedule::{InvalidInterval, JobSchedule};

use super::session_cleanup::{CleanupInterrupted, CleanupReport, SessionCleanupService};
use retention::Deletion;

/// Runs jobs. A clone shares its counters.
///
/// A run reads the clock once. Before each batch it asks whether it still leads, the clean-up of sessions aside; a
/// leader that lost its role stops there. Two that lead by mistake do no harm: each batch is one step of the store, and
/// doing it twice changes nothing.
#[derive(Clone)]
pub struct JobRunner {
    stores: JobStores,
    leaders: Arc<dyn LeaderLock>,
    clock: Arc<dyn Clock>,
    policies: JobPolicies,
    extraction: Option<Arc<dyn FeatureExtraction>>,
    metrics: Arc<Mutex<BTreeMap<Job, JobMetrics>>>,
}

/// The stores that jobs keep in order.
#[derive(Clone)]
pub struct JobStores {
    /// Sessions.
    pub sessions: Arc<dyn SessionRepository>,
    /// Events.
    pub events: Arc<dyn EventRepository>,
    /// Rows of requests.
    pub requests: Arc<dyn RequestRepository>,
    /// Engagement.
    pub engagement: Arc<dyn EngagementRepository>,
    /// Use of AI providers, agents and tools.
    pub usage: Arc<dyn UsageRepository>,
    /// Features.
    pub features: Arc<dyn MlFeaturesRepository>,
    /// The audit.
    pub audit: Arc<dyn AuditRepository>,
    /// Anomalies.
    pub anomalies: Arc<dyn AnomalyEventRepository>,
    /// Fingerprints.
    pub fingerprints: Arc<dyn FingerprintRepository>,
    /// Bans.
    pub bans: Arc<dyn BanRepository>,
    /// Partitions of the tables above.
    pub partitions: Arc<dyn PartitionUpkeep>,
}

/// The rules that jobs follow. The defaults are those of each.
#[derive(Debug, Clone, Default)]
pub struct JobPolicies {
    /// When a session is over.
    pub session: SessionPolicy,
    /// How long rows are kept, and how many one batch touches.
    pub retention: RetentionPolicy,
    /// What mends a reputation.
    pub reputation: ReputationPolicy,
    /// How far ahead partitions are made.
    pub partitions: PartitionPolicy,
}

/// How far ahead partitions are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionPolicy {
    days_ahead: u32,
}

/// A number of days is 0 or more than 366.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("partitions are made 1 to 366 days ahead, not {0}")]
pub struct InvalidPartitionPolicy(u32);

/// What extracts features: [`FeatureExtractionService`](super::FeatureExtractionService), where a host wires it. Without any the
/// job says so and does nothing.
pub trait FeatureExtraction: Send + Sync {
    /// Extracts the features of at most `limit` sessions that lack them at `now`, and answers of how many; fewer than
    /// `limit` means that no more are left. A repeat goes on with the next.
    ///
    /// # Errors
    /// [`StoreError`] of the first store that failed.
    fn extract(
        &self,
        limit: BatchLimit,
        now: DateTime<Utc>,
    ) -> Pin<Box<dyn Future<Output = Result<u32, StoreError>> + Send + '_>>;
}

impl JobRunner {
    /// The runner over these stores, under these policies, without an extraction of features.
    pub fn new(
        stores: JobStores,
        leaders: Arc<dyn LeaderLock>,
        clock: Arc<dyn Clock>,
        policies: JobPolicies,
    ) -> Self {
        Self { stores, leaders, clock, policies, extraction: None, metrics: Arc::default() }
    }

    /// Follows other policies from the next job on.
    pub fn set_policies(&mut self, policies: JobPolicies) {
        self.policies = policies;
    }

    /// The runner whose job of that name extracts features this way.
    #[must_use]
    pub fn with_extraction(self, extraction: Arc<dyn FeatureExtraction>) -> Self {
        Self { extraction: Some(extraction), ..self }
    }

    /// Runs the job to its end, unless another leads in it, and says what was done. A store that fails is an outcome:
    /// what was done before it stands, and the next run goes on there.
    pub async fn run(&self, job: Job) -> JobReport {
        let outcome = self.outcome(job).await;
        self.metrics.lock().entry(job).or_default().count(&outcome);
        JobReport { job, outcome }
    }

    /// What the runs of this job came to since the runner, or the first of its clones, was made.
    pub fn metrics(&self, job: Job) -> JobMetrics {
        self.metrics.lock().get(&job).copied().unwrap_or_default()
    }

    async fn outcome(&self, job: Job) -> JobOutcome {
        if job == Job::FeatureExtraction && self.extraction.is_none() {
            return JobOutcome::NotWired;
        }
        let lead = match self.leaders.try_lead(job.role()).await {
            Ok(Some(lead)) => lead,
            Ok(None) => return JobOutcome::NotLeader,
            Err(error) => return JobOutcome::Interrupted { done: JobWork::default(), reason: error.into() },
        };
        let mut run = Run { lead, done: JobWork::default(), now: self.clock.now() };
        let ended = self.work(job, &mut run).await;
        // Where the store does not answer any more, the role is free as soon as it finds the leader gone.
        let _ = run.lead.release().await;
        match ended {
            Ok(()) => JobOutcome::Done(run.done),
            Err(reason) => JobOutcome::Interrupted { done: run.done, reason },
        }
    }

    async fn work(&self, job: Job, run: &mut Run) -> Result<(), JobInterruption> {
        match job {
            Job::SessionCleanup => self.clean_up_sessions(run).await,
            Job::PartitionUpkeep => self.keep_partitions(run).await,
            Job::Retention => {
                for what in Deletion::PAST_RETENTION {
                    self.delete_all(run, what).await?;
                }
                Ok(())
            }
            Job::ReputationReview => {
                self.delete_all(run, Deletion::EndedBans).await?;
                self.delete_all(run, Deletion::Fingerprints).await?;
                self.renew_reputations(run).await
            }
            Job::FeatureExtraction => self.extract_features(run).await,
        }
    }

    async fn clean_up_sessions(&self, run: &mut Run) -> Result<(), JobInterruption> {
        let cleanup = SessionCleanupService::new(
            Arc::clone(&self.stores.sessions),
            Arc::clone(&self.stores.events),
            Arc::clone(&self.clock),
            self.policies.session,
            self.policies.retention,
        );
        let (done, ended) = match cleanup.run_at(run.now).await {
            Ok(done) => (done, Ok(())),
            Err(CleanupInterrupted { done, source }) => (done, Err(source.into())),
        };
        let CleanupReport { sessions_ended, events_deleted, sessions_deleted, batches } = done;
        run.done.count(Counted::SessionsEnded, sessions_ended);
        run.done.count(Counted::EventsDeleted, events_deleted);
        run.done.count(Counted::SessionsDeleted, sessions_deleted);
        run.done.batches += batches;
        ended
    }

    async fn keep_partitions(&self, run: &mut Run) -> Result<(), JobInterruption> {
        run.still_leads().await?;
        // At the end of the calendar there is nothing to make ahead.
        if let Some(until) = run.now.checked_add_signed(self.policies.partitions.ahead()) {
            let made = self.stores.partitions.make_partitions(run.now, until).await?;
            run.did(Counted::PartitionsMade, u64::from(made));
        }
        for table in Partitioned::ALL {
            let kind = match table {
                Partitioned::Events => Retained::Events,
                Partitioned::Requests => Retained::Requests,
                Partitioned::Engagement => Retained::Engagement,
            };
            let Some(before) = self.policies.retention.before(kind, run.now) else { continue };
            run.still_leads().await?;
            let dropped = self.stores.partitions.drop_partitions(table, before).await?;
            run.did(Counted::PartitionsDropped, u64::from(dropped));
        }
        Ok(())
    }

    async fn extract_features(&self, run: &mut Run) -> Result<(), JobInterruption> {
        let Some(extraction) = &self.extraction else { return Ok(()) };
        let limit = self.limit();
        loop {
            run.still_leads().await?;
            let extracted = extraction.extract(limit, run.now).await?;
            run.did(Counted::FeaturesExtracted, u64::from(extracted));
            if extracted < limit.get() {
                return Ok(());
            }
        }
    }

    fn limit(&self) -> BatchLimit {
        BatchLimit::new(self.policies.retention.batch()).unwrap_or_default()
    }
}

/// A run of which the end is open.
struct Run {
    lead: Box<dyn Leadership>,
    done: JobWork,
    now: DateTime<Utc>,
}

impl Run {
    /// Before a batch: whether there may be another.
    async fn still_leads(&mut self) -> Result<(), JobInterruption> {
        if self.lead.still_leads().await { Ok(()) } else { Err(JobInterruption::LeadLost) }
    }

    /// After a batch: what it came to.
    fn did(&mut self, counted: Counted, rows: u64) {
        self.done.count(counted, rows);
        self.done.batches += 1;
    }
}

impl PartitionPolicy {
    /// The policy that makes partitions this many days ahead.
    ///
    /// # Errors
    /// [`InvalidPartitionPolicy`] for 0 and for more than 366.
    pub const fn new(days_ahead: u32) -> Result<Self, InvalidPartitionPolicy> {
        match days_ahead {
            1..=366 => Ok(Self { days_ahead }),
            0 | 367.. => Err(InvalidPartitionPolicy(days_ahead)),
        }
    }

    /// How many days ahead.
    pub const fn days(self) -> u32 {
        self.days_ahead
    }

    /// How far ahead. Default: 45 days, so that next month's partition is there in every month before its first row,
    /// also when the job could not run for two weeks.
    pub const fn ahead(self) -> TimeDelta {
        TimeDelta::days(self.days_ahead as i64)
    }
}

impl Default for PartitionPolicy {
    fn default() -> Self {
        Self { days_ahead: 45 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_made_1_to_366_days_ahead() {
        assert_eq!(PartitionPolicy::new(45), Ok(PartitionPolicy::default()));
        assert_eq!(PartitionPolicy::new(0), Err(InvalidPartitionPolicy(0)));
        assert_eq!(PartitionPolicy::new(367), Err(InvalidPartitionPolicy(367)));
        assert_eq!(PartitionPolicy::new(366).map(PartitionPolicy::ahead), Ok(TimeDelta::days(366)));
    }
}
