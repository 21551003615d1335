//! Runs what is due, whenever it is called.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::job::{Job, JobOutcome, JobReport};
use super::schedule::JobSchedule;
use super::{JobPolicies, JobRunner};

/// A runner with a schedule, and when each job ran last. It has no timer: whoever has it calls [`JobDriver::run_due`],
/// waits for [`JobDriver::until_due`], and calls again.
///
/// When each job ran is not kept over a restart, so all are due at the start. Doing one too often does no harm.
pub struct JobDriver {
    runner: JobRunner,
    schedule: JobSchedule,
    last: BTreeMap<Job, DateTime<Utc>>,
}

impl JobDriver {
    /// The driver that runs jobs by this runner on this schedule.
    pub const fn new(runner: JobRunner, schedule: JobSchedule) -> Self {
        Self { runner, schedule, last: BTreeMap::new() }
    }

    /// Follows other policies and another schedule. When each job ran last is kept.
    pub fn set_rules(&mut self, policies: JobPolicies, schedule: JobSchedule) {
        self.runner.set_policies(policies);
        self.schedule = schedule;
    }

    /// The runner, for its counters.
    pub const fn runner(&self) -> &JobRunner {
        &self.runner
    }

    /// Runs all jobs that are due now, one after the other, and says what became of each; none is due before the next.
    ///
    /// A job that was interrupted is due again after the schedule's pause, and not after its whole interval.
    pub async fn run_due(&mut self) -> Vec<JobReport> {
        let mut reports = Vec::new();
        for job in self.schedule.due(&self.last, self.now()) {
            let began = self.now();
            let report = self.runner.run(job).await;
            let counts_from = match &report.outcome {
                JobOutcome::Done(_) | JobOutcome::NotLeader | JobOutcome::NotWired => began,
                JobOutcome::Interrupted { .. } => {
                    let interval = self.schedule.interval(job);
                    began - interval + self.schedule.retry().min(interval)
                }
            };
            self.last.insert(job, counts_from);
            reports.push(report);
        }
        reports
    }

    /// How long nothing is due.
    pub fn until_due(&self) -> Duration {
        let now = self.now();
        (self.schedule.next_due(&self.last, now) - now).to_std().unwrap_or_default()
    }

    fn now(&self) -> DateTime<Utc> {
        self.runner.clock.now()
    }
}

impl std::fmt::Debug for JobDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobDriver")
            .field("schedule", &self.schedule)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}
