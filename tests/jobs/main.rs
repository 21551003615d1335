//! Jobs over the stores in memory and over PostgreSQL: each does its work once, whoever runs it and however often.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "../database/mod.rs"]
mod database;

mod bench;
mod faults;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use analytics_app::services::jobs::{
    Counted, FeatureExtraction, Job, JobDriver, JobInterruption, JobMetrics, JobOutcome, JobRunner,
    JobSchedule, JobWork,
};
use analytics_ports::{BatchLimit, Clock, MockLeaderLock, MockLeadership, Partitioned, StoreError};
use chrono::{DateTime, TimeDelta, Utc};

use bench::{Bench, day};
use faults::FailingAudit;

macro_rules! cases {
    ($($case:ident),+ $(,)?) => {
        mod in_memory {
            $(#[tokio::test] async fn $case() { super::$case(&super::Bench::in_memory()).await; })+
        }
        mod postgres {
            $(#[tokio::test] async fn $case() { super::$case(&super::Bench::postgres().await).await; })+
        }
    };
}
cases! {
    every_job_does_its_work_once,
    where_another_leads_nothing_is_done,
    of_two_runners_at_once_the_work_is_done_once,
    an_interrupted_run_says_what_was_done_and_the_next_one_goes_on,
    partitions_past_their_retention_are_dropped_whole,
}

/// Rows of ten days and less stay, older ones go; a second run has nothing to change.
async fn every_job_does_its_work_once(bench: &Bench) {
    bench.fill().await;
    bench.clock.set(day(13));
    let runner = bench.runner(0);
    for job in Job::ALL {
        let work = done(runner.run(job).await.outcome, job);
        assert_eq!(work.rows, expected(bench, job), "{job}");
    }
    let left = bench.rows().await;
    assert_eq!(
        left,
        ["event 3", "event 4", "request 3", "request 4", "session 3", "session 4", "task 3", "task 4"]
    );
    for job in Job::ALL {
        let work = done(runner.run(job).await.outcome, job);
        assert_eq!(work.rows, BTreeMap::new(), "{job} again");
    }
    assert_eq!(bench.rows().await, left);
    for job in [Job::SessionCleanup, Job::Retention, Job::ReputationReview] {
        let metrics = runner.metrics(job);
        let rows = expected(bench, job).values().sum();
        assert_eq!((metrics.runs, metrics.failures, metrics.rows), (2, 0, rows), "{job}");
    }
}

/// One job's leader is in nobody's way in another job.
async fn where_another_leads_nothing_is_done(bench: &Bench) {
    bench.fill().await;
    bench.clock.set(day(13));
    let before = bench.rows().await;
    let leading = bench.leaders[0].try_lead(Job::Retention.role()).await.unwrap().expect("nobody leads yet");
    let runner = bench.runner(1);
    assert!(matches!(runner.run(Job::Retention).await.outcome, JobOutcome::NotLeader));
    assert_eq!(bench.rows().await, before);
    assert_eq!(runner.metrics(Job::Retention), JobMetrics { not_leader: 1, ..JobMetrics::default() });
    done(runner.run(Job::SessionCleanup).await.outcome, Job::SessionCleanup);
    leading.release().await.unwrap();
    let work = done(runner.run(Job::Retention).await.outcome, Job::Retention);
    assert_eq!(work.rows, expected(bench, Job::Retention));
}

/// Whoever leads does all of it; the other did nothing, or came after and found nothing.
async fn of_two_runners_at_once_the_work_is_done_once(bench: &Bench) {
    bench.fill().await;
    bench.clock.set(day(13));
    let (one, other) = (bench.runner(0), bench.runner(1));
    for job in [Job::SessionCleanup, Job::Retention, Job::ReputationReview] {
        let (first, second) = tokio::join!(one.run(job), other.run(job));
        let mut rows = BTreeMap::new();
        for report in [first, second] {
            if matches!(report.outcome, JobOutcome::NotLeader) {
                continue;
            }
            for (counted, number) in done(report.outcome, job).rows {
                *rows.entry(counted).or_default() += number;
            }
        }
        assert_eq!(rows, expected(bench, job), "{job}");
        let (one, other) = (one.metrics(job), other.metrics(job));
        assert_eq!(one.runs + one.not_leader + other.runs + other.not_leader, 2, "{job}");
    }
}

/// The store of the audit fails after its first batch; what was deleted before stays deleted and is told.
async fn an_interrupted_run_says_what_was_done_and_the_next_one_goes_on(bench: &Bench) {
    bench.fill().await;
    bench.clock.set(day(13));
    let mut stores = bench.stores(0);
    stores.audit = Arc::new(FailingAudit::after(1, stores.audit));
    let runner = bench.runner_over(stores, 0);
    let (first, reason) = interrupted(runner.run(Job::Retention).await.outcome);
    assert!(matches!(reason, JobInterruption::Store(StoreError::Unavailable { .. })));
    let rows = [(Counted::RequestsDeleted, 3), (Counted::TasksDeleted, 3), (Counted::AuditEntriesDeleted, 2)];
    assert_eq!(first.rows, BTreeMap::from(rows));
    // Two batches of requests, one of engagement, two of tasks, one of each other use and of features, one of the audit.
    assert_eq!(first.batches, 2 + 1 + 2 + 4 + 1 + 1);
    let second = done(runner.run(Job::Retention).await.outcome, Job::Retention);
    let mut both = first.rows;
    for (counted, number) in second.rows {
        *both.entry(counted).or_default() += number;
    }
    assert_eq!(both, expected(bench, Job::Retention));
    let metrics = runner.metrics(Job::Retention);
    assert_eq!((metrics.runs, metrics.failures, metrics.rows), (2, 1, both.values().sum()));
    assert_eq!(metrics.batches, first.batches + second.batches);
}

/// Nothing is due before the driver says so; what was interrupted is due after a pause, and not after its interval.
#[tokio::test]
async fn the_driver_runs_what_is_due_and_tries_again_what_was_interrupted() {
    let bench = Bench::in_memory();
    bench.fill().await;
    bench.clock.set(day(13));
    let mut stores = bench.stores(0);
    stores.audit = Arc::new(FailingAudit::after(0, stores.audit));
    let schedule = JobSchedule::default().with_retry(TimeDelta::seconds(20)).unwrap();
    let mut driver = JobDriver::new(bench.runner_over(stores, 0), schedule);
    assert_eq!(driver.until_due(), Duration::ZERO);
    assert_eq!(ran(&mut driver).await, Job::ALL);
    assert_eq!(driver.runner().metrics(Job::Retention).failures, 1);
    assert_eq!(driver.until_due(), Duration::from_secs(20));
    bench.clock.advance(TimeDelta::seconds(20) - TimeDelta::microseconds(1));
    assert_eq!(ran(&mut driver).await, []);
    bench.clock.advance(TimeDelta::microseconds(1));
    assert_eq!(ran(&mut driver).await, [Job::Retention]);
    assert_eq!(driver.runner().metrics(Job::Retention).failures, 1);
    assert_eq!(driver.until_due(), Duration::from_secs(40));
    bench.clock.advance(TimeDelta::seconds(40));
    assert_eq!(ran(&mut driver).await, [Job::SessionCleanup]);
}

/// A store without partitions has none to make or to drop.
async fn partitions_past_their_retention_are_dropped_whole(bench: &Bench) {
    bench.fill().await;
    let tables = if bench.is_partitioned { Partitioned::ALL.len() as u64 } else { 0 };
    let runner = bench.runner(0);
    bench.clock.set(day(100));
    // November, in which the rows are, was over long before; of February, in which it is run, to April are made.
    let work = done(runner.run(Job::PartitionUpkeep).await.outcome, Job::PartitionUpkeep);
    let written = if bench.is_partitioned { 2 } else { 0 };
    assert_eq!(work.of(Counted::PartitionsDropped), written);
    assert_eq!(work.of(Counted::PartitionsMade), 3 * tables);
    let gone = bench.rows().await.iter().all(|row| !row.starts_with("event") && !row.starts_with("request"));
    assert_eq!(gone, bench.is_partitioned);
    let again = done(runner.run(Job::PartitionUpkeep).await.outcome, Job::PartitionUpkeep);
    assert_eq!(again.rows, BTreeMap::new());
}

#[tokio::test]
async fn a_run_that_leads_no_more_stops_before_the_next_batch() {
    let bench = Bench::in_memory();
    bench.fill().await;
    bench.clock.set(day(13));
    let mut leaders = MockLeaderLock::new();
    leaders.expect_try_lead().times(1).returning(|_| {
        let mut leading = MockLeadership::new();
        let mut left = 3;
        leading.expect_still_leads().times(4).returning(move || {
            left -= 1;
            left >= 0
        });
        leading.expect_release().times(1).returning(|| Err(StoreError::unavailable("cut")));
        Ok(Some(Box::new(leading)))
    });
    let runner = JobRunner::new(bench.stores(0), Arc::new(leaders), bench.clock.clone(), Bench::policies());
    let (work, reason) = interrupted(runner.run(Job::Retention).await.outcome);
    assert!(matches!(reason, JobInterruption::LeadLost));
    let rows = BTreeMap::from([(Counted::RequestsDeleted, 3)]);
    assert_eq!(work, JobWork { rows, batches: 3 });
    assert_eq!(runner.metrics(Job::Retention).failures, 1);
}

#[tokio::test]
async fn where_nobody_can_say_who_leads_nothing_is_done() {
    let bench = Bench::in_memory();
    bench.fill().await;
    bench.clock.set(day(13));
    let before = bench.rows().await;
    let mut leaders = MockLeaderLock::new();
    leaders.expect_try_lead().returning(|_| Err(StoreError::unavailable("away")));
    let runner = JobRunner::new(bench.stores(0), Arc::new(leaders), bench.clock.clone(), Bench::policies());
    for job in [Job::SessionCleanup, Job::PartitionUpkeep, Job::Retention, Job::ReputationReview] {
        let (work, reason) = interrupted(runner.run(job).await.outcome);
        assert_eq!(work, JobWork::default());
        assert!(matches!(reason, JobInterruption::Store(StoreError::Unavailable { .. })), "{job}");
    }
    assert_eq!(bench.rows().await, before);
}

#[tokio::test]
async fn a_run_reads_the_clock_once() {
    let bench = Bench::in_memory();
    bench.fill().await;
    let clock = Arc::new(CountingClock { now: day(13), readings: AtomicU32::new(0) });
    let runner = JobRunner::new(bench.stores(0), bench.leaders[0].clone(), clock.clone(), Bench::policies())
        .with_extraction(Arc::new(Extraction { left: AtomicU32::new(5) }));
    for (job, readings) in Job::ALL.into_iter().zip(1..) {
        done(runner.run(job).await.outcome, job);
        assert_eq!(clock.readings.load(Ordering::Relaxed), readings, "after {job}");
    }
}

#[tokio::test]
async fn features_are_extracted_in_batches_by_what_is_wired_and_else_it_is_said_that_nothing_is() {
    let bench = Bench::in_memory();
    let runner = bench.runner(0);
    assert!(matches!(runner.run(Job::FeatureExtraction).await.outcome, JobOutcome::NotWired));
    let expected = JobMetrics { not_wired: 1, ..JobMetrics::default() };
    assert_eq!(runner.metrics(Job::FeatureExtraction), expected);
    let runner = runner.with_extraction(Arc::new(Extraction { left: AtomicU32::new(5) }));
    let work = done(runner.run(Job::FeatureExtraction).await.outcome, Job::FeatureExtraction);
    assert_eq!(work, JobWork { rows: BTreeMap::from([(Counted::FeaturesExtracted, 5)]), batches: 3 });
}

/// What each job changes of what [`Bench::fill`] filled in, at day 13.
fn expected(bench: &Bench, job: Job) -> BTreeMap<Counted, u64> {
    let rows: &[(Counted, u64)] = match job {
        Job::SessionCleanup => {
            &[(Counted::SessionsEnded, 5), (Counted::EventsDeleted, 3), (Counted::SessionsDeleted, 3)]
        }
        // It is the 28th of November: 45 days later is January. November was made by the writes to two of three tables.
        Job::PartitionUpkeep if bench.is_partitioned => &[(Counted::PartitionsMade, 7)],
        Job::Retention => &[
            (Counted::RequestsDeleted, 3),
            (Counted::TasksDeleted, 3),
            (Counted::AuditEntriesDeleted, 3),
            (Counted::AnomaliesDeleted, 3),
        ],
        Job::ReputationReview => {
            &[(Counted::BansDeleted, 4), (Counted::FingerprintsDeleted, 1), (Counted::ReputationsRenewed, 1)]
        }
        Job::PartitionUpkeep | Job::FeatureExtraction => &[],
    };
    rows.iter().copied().collect()
}

/// The work of a run that came to its end. Without an extraction there is none to do.
fn done(outcome: JobOutcome, job: Job) -> JobWork {
    match outcome {
        JobOutcome::Done(work) => work,
        JobOutcome::NotWired if job == Job::FeatureExtraction => JobWork::default(),
        JobOutcome::NotLeader | JobOutcome::NotWired | JobOutcome::Interrupted { .. } => {
            panic!("{job} came to its end, not {outcome:?}")
        }
    }
}

/// What was done by a run that stopped in the middle, and why it stopped.
fn interrupted(outcome: JobOutcome) -> (JobWork, JobInterruption) {
    match outcome {
        JobOutcome::Interrupted { done, reason } => (done, reason),
        JobOutcome::NotLeader | JobOutcome::NotWired | JobOutcome::Done(_) => {
            panic!("it was interrupted, not {outcome:?}")
        }
    }
}

struct CountingClock {
    now: DateTime<Utc>,
    readings: AtomicU32,
}

impl Clock for CountingClock {
    fn now(&self) -> DateTime<Utc> {
        // A rule that reads it twice sees another time.
        self.now + TimeDelta::days(i64::from(self.readings.fetch_add(1, Ordering::Relaxed)))
    }
}

/// Extracts of as many sessions as there are left.
struct Extraction {
    left: AtomicU32,
}

impl FeatureExtraction for Extraction {
    fn extract(
        &self,
        limit: BatchLimit,
        _now: DateTime<Utc>,
    ) -> Pin<Box<dyn Future<Output = Result<u32, StoreError>> + Send + '_>> {
        let left = self.left.load(Ordering::Relaxed);
        let extracted = left.min(limit.get());
        self.left.store(left - extracted, Ordering::Relaxed);
        Box::pin(async move { Ok(extracted) })
    }
}

/// The jobs that the driver runs now.
async fn ran(driver: &mut JobDriver) -> Vec<Job> {
    driver.run_due().await.into_iter().map(|report| report.job).collect()
}
