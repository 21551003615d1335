//! Counters of a job.

use super::job::JobOutcome;

/// What the runs of a job came to. Each only counts up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JobMetrics {
    /// Runs that led, or could not be told whether they do; failures are among them.
    pub runs: u64,
    /// Runs that were interrupted.
    pub failures: u64,
    /// What was changed, of all kinds.
    pub rows: u64,
    /// Steps that stores were asked for.
    pub batches: u64,
    /// Runs that did nothing, because another leads.
    pub not_leader: u64,
    /// Runs that did nothing, because nothing that does the job is wired.
    pub not_wired: u64,
}

impl JobMetrics {
    pub(super) fn count(&mut self, outcome: &JobOutcome) {
        match outcome {
            JobOutcome::NotLeader => self.not_leader += 1,
            JobOutcome::NotWired => self.not_wired += 1,
            JobOutcome::Done(_) => self.runs += 1,
            JobOutcome::Interrupted { .. } => {
                self.runs += 1;
                self.failures += 1;
            }
        }
        if let Some(work) = outcome.work() {
            self.rows += work.total();
            self.batches += work.batches;
        }
    }
}
