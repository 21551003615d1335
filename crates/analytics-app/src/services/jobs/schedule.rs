//! Which jobs are due.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::job::Job;

/// How often each job is run. It is data: it knows no clock and starts nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobSchedule {
    session_cleanup: TimeDelta,
    partition_upkeep: TimeDelta,
    retention: TimeDelta,
    reputation_review: TimeDelta,
    feature_extraction: TimeDelta,
    retry: TimeDelta,
}

/// Jobs are not run more often than once a second, or less often than once in 366 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a job is run every second at most and every 366 days at least")]
pub struct InvalidInterval;

impl JobSchedule {
    /// The schedule that runs this job this often, counted from beginning to beginning.
    ///
    /// # Errors
    /// [`InvalidInterval`] for less than a second and for more than 366 days.
    pub fn with_interval(mut self, job: Job, every: TimeDelta) -> Result<Self, InvalidInterval> {
        if every < TimeDelta::seconds(1) || every > TimeDelta::days(366) {
            return Err(InvalidInterval);
        }
        *match job {
            Job::SessionCleanup => &mut self.session_cleanup,
            Job::PartitionUpkeep => &mut self.partition_upkeep,
            Job::Retention => &mut self.retention,
            Job::ReputationReview => &mut self.reputation_review,
            Job::FeatureExtraction => &mut self.feature_extraction,
        } = every;
        Ok(self)
    }

    /// The schedule that tries a job again this long after a run that was interrupted, or after the job's interval where
    /// that is shorter.
    ///
    /// # Errors
    /// [`InvalidInterval`] for less than a second and for more than 366 days.
    pub fn with_retry(self, retry: TimeDelta) -> Result<Self, InvalidInterval> {
        if retry < TimeDelta::seconds(1) || retry > TimeDelta::days(366) {
            return Err(InvalidInterval);
        }
        Ok(Self { retry, ..self })
    }

    /// The pause after a run that was interrupted. Default: 30 s, in which a database restarts.
    pub const fn retry(&self) -> TimeDelta {
        self.retry
    }

    /// How often this job is run.
    ///
    /// Defaults: sessions are cleaned up every minute, so that a report lacks at most a minute's ends. Rows go and
    /// reputations are reviewed every hour: retentions are whole days, and a score drifts by less than 3 % of its distance in
    /// an hour. Features are extracted every ten minutes. Partitions are made and dropped every day, since they are of
    /// a month.
    pub const fn interval(&self, job: Job) -> TimeDelta {
        match job {
            Job::SessionCleanup => self.session_cleanup,
            Job::PartitionUpkeep => self.partition_upkeep,
            Job::Retention => self.retention,
            Job::ReputationReview => self.reputation_review,
            Job::FeatureExtraction => self.feature_extraction,
        }
    }

    /// The jobs that are due at `now`, in the order in which to run them, where `last` says when the last run of each
    /// began.
    ///
    /// A job that never ran is due, and so is one that ran last after `now`: the clock was set back since. To try a job
    /// again sooner, after an interruption, leave it out of `last`.
    pub fn due(&self, last: &BTreeMap<Job, DateTime<Utc>>, now: DateTime<Utc>) -> Vec<Job> {
        let due =
            |job: &Job| last.get(job).is_none_or(|last| *last > now || now - *last >= self.interval(*job));
        Job::ALL.into_iter().filter(due).collect()
    }

    /// When the next job is due, `now` at the earliest: until then [`JobSchedule::due`] has no other answer.
    pub fn next_due(&self, last: &BTreeMap<Job, DateTime<Utc>>, now: DateTime<Utc>) -> DateTime<Utc> {
        let times = Job::ALL.into_iter().map(|job| match last.get(&job) {
            Some(last) if *last <= now => {
                last.checked_add_signed(self.interval(job)).unwrap_or(DateTime::<Utc>::MAX_UTC)
            }
            Some(_) | None => now,
        });
        times.min().unwrap_or(now).max(now)
    }
}

impl Default for JobSchedule {
    fn default() -> Self {
        Self {
            session_cleanup: TimeDelta::minutes(1),
            partition_upkeep: TimeDelta::days(1),
            retention: TimeDelta::hours(1),
            reputation_review: TimeDelta::hours(1),
            feature_extraction: TimeDelta::minutes(10),
            retry: TimeDelta::seconds(30),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_job_is_due_when_its_interval_has_passed_and_not_before() {
        let schedule = JobSchedule::default();
        for job in Job::ALL {
            let mut last: BTreeMap<_, _> = Job::ALL.into_iter().map(|job| (job, at(1_000_000_000))).collect();
            let edge = at(0) + schedule.interval(job);
            last.insert(job, at(0));
            // The others ran last in the future, which makes them due; so they run as late as this one may.
            for (other, ran) in &mut last {
                *ran = if *other == job { at(0) } else { edge };
            }
            assert_eq!(schedule.due(&last, edge), [job]);
        }
        let all = Job::ALL.into_iter().map(|job| (job, at(0))).collect();
        assert_eq!(schedule.due(&all, at(60) - TimeDelta::microseconds(1)), []);
        assert_eq!(schedule.due(&all, at(60)), [Job::SessionCleanup]);
        assert_eq!(schedule.due(&all, at(86_400)), Job::ALL);
    }

    #[test]
    fn what_never_ran_and_what_ran_in_the_future_is_due() {
        let schedule = JobSchedule::default();
        assert_eq!(schedule.due(&BTreeMap::new(), at(0)), Job::ALL);
        let last = Job::ALL.into_iter().map(|job| (job, at(0))).collect();
        assert_eq!(schedule.due(&last, at(0)), []);
        assert_eq!(schedule.due(&last, at(0) - TimeDelta::microseconds(1)), Job::ALL);
    }

    #[test]
    fn intervals_are_a_second_to_366_days() {
        let with = |every| JobSchedule::default().with_interval(Job::Retention, every);
        assert_eq!(with(TimeDelta::milliseconds(999)), Err(InvalidInterval));
        assert_eq!(with(TimeDelta::days(366) + TimeDelta::nanoseconds(1)), Err(InvalidInterval));
        for every in [TimeDelta::seconds(1), TimeDelta::days(366)] {
            assert_eq!(with(every).unwrap().interval(Job::Retention), every);
        }
        let same = Job::ALL.into_iter().try_fold(JobSchedule::default(), |schedule, job| {
            schedule.with_interval(job, JobSchedule::default().interval(job))
        });
        assert_eq!(same, Ok(JobSchedule::default()));
    }

    proptest! {
        /// Nothing is due before that time, and something is at it.
        #[test]
        fn something_is_due_when_the_schedule_says_and_nothing_before(
            ran in proptest::collection::btree_map(0..Job::ALL.len(), -200_000i64..200_000, 0..=5),
            now in -200_000i64..200_000,
            wait in 0.0..1.0,
        ) {
            let schedule = JobSchedule::default();
            let last = ran.into_iter().map(|(job, seconds)| (Job::ALL[job], at(seconds))).collect();
            let next = schedule.next_due(&last, at(now));
            prop_assert!(next >= at(now));
            prop_assert!(!schedule.due(&last, next).is_empty());
            let before = at(now) + TimeDelta::microseconds(((next - at(now)).num_microseconds().unwrap() as f64 * wait) as i64);
            prop_assert_eq!(schedule.due(&last, before).is_empty(), before < next);
        }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
    }
}
