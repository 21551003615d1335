//! The one task that moves records: from the queue to the store, or over the spill file.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use analytics_ports::StoreError;
use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use super::counters::Counters;
use super::{QueuePolicy, Refused, Safe, Sink, SpillError, SpillFile};

/// Records on their way, with the room they take and whoever waits for them.
pub(super) struct Message<R> {
    pub(super) records: Vec<R>,
    pub(super) permit: OwnedSemaphorePermit,
    pub(super) done: Option<Answer>,
}

/// Whoever waits to hear that records are safe.
pub(super) type Answer = oneshot::Sender<Result<Safe, Refused>>;

pub(super) struct Worker<S: Sink> {
    sink: Arc<S>,
    spill: Arc<Mutex<SpillFile>>,
    policy: QueuePolicy,
    counters: Arc<Counters>,
    inbox: mpsc::UnboundedReceiver<Message<S::Record>>,
    closing: Arc<Notify>,
    closed: bool,
    /// Records in the spill file.
    backlog: u64,
    /// The last record of the spill file that is settled, while the file still holds it.
    settled_through: Option<u64>,
    /// The pause after the last failure; `None` while the store works.
    pause: Option<Duration>,
    /// When the store is asked again.
    retry_at: Instant,
}

/// Where the records of one batch went.
#[derive(Debug, Default)]
struct Placed {
    /// So many from the front are in the store, or rejected.
    settled: usize,
    /// Positions of the rejected ones.
    rejected: Vec<usize>,
    /// Whether the others are in the spill file; else they are lost.
    spilled: bool,
}

impl<S: Sink> Worker<S> {
    pub(super) fn new(
        sink: Arc<S>,
        spill: SpillFile,
        policy: QueuePolicy,
        counters: Arc<Counters>,
        inbox: mpsc::UnboundedReceiver<Message<S::Record>>,
        closing: Arc<Notify>,
    ) -> Self {
        let backlog = spill.waiting();
        counters.recovered(backlog);
        Self {
            sink,
            spill: Arc::new(Mutex::new(spill)),
            policy,
            counters,
            inbox,
            closing,
            closed: false,
            backlog,
            settled_through: None,
            pause: None,
            retry_at: Instant::now(),
        }
    }

    /// Works until the queue is closed and everything in it is somewhere safe.
    pub(super) async fn run(mut self) {
        loop {
            if self.backlog > 0 && self.is_due() {
                self.store_backlog().await;
            }
            match self.next_batch().await {
                Next::Batch(batch) => self.take(batch).await,
                Next::Due => {}
                Next::Ended => break,
            }
        }
        while self.backlog > 0 && self.store_backlog().await {}
    }

    fn is_due(&self) -> bool {
        self.pause.is_none() || Instant::now() >= self.retry_at
    }

    /// The next messages, or word that the backlog is due.
    async fn next_batch(&mut self) -> Next<S::Record> {
        let (backlog, due_at) = (self.backlog > 0, self.due_at());
        let first = loop {
            tokio::select! {
                biased;
                message = self.inbox.recv() => break message,
                () = self.closing.notified(), if !self.closed => self.close(),
                () = sleep_until(due_at), if backlog => return Next::Due,
            }
        };
        let Some(first) = first else { return Next::Ended };
        let mut count = first.records.len();
        let mut awaited = first.done.is_some();
        let mut batch = vec![first];
        let until = Instant::now() + self.policy.wait;
        while count < self.policy.batch as usize {
            // Whoever waits for an answer is not kept waiting for company.
            let next = if awaited || self.closed || backlog {
                self.inbox.try_recv().ok()
            } else {
                tokio::select! {
                    biased;
                    message = self.inbox.recv() => message,
                    () = self.closing.notified() => { self.close(); continue }
                    () = sleep_until(until) => None,
                }
            };
            let Some(message) = next else { break };
            count += message.records.len();
            awaited |= message.done.is_some();
            batch.push(message);
        }
        self.counters.accepted(count as u64);
        Next::Batch(batch)
    }

    fn due_at(&self) -> Instant {
        if self.pause.is_some() { self.retry_at } else { Instant::now() }
    }

    fn close(&mut self) {
        self.closed = true;
        self.inbox.close();
    }

    /// Brings messages to safety and answers those who wait for them.
    async fn take(&mut self, messages: Vec<Message<S::Record>>) {
        let mut records = Vec::with_capacity(messages.iter().map(|message| message.records.len()).sum());
        let mut waiting: Vec<(Range<usize>, Answer)> = Vec::new();
        let mut permits = Vec::with_capacity(messages.len());
        for Message { records: more, permit, done } in messages {
            let from = records.len();
            records.extend(more);
            permits.push(permit);
            waiting.extend(done.map(|done| (from..records.len(), done)));
        }
        let placed = self.place(&records).await;
        for (range, done) in waiting {
            let answer = if placed.rejected.iter().any(|at| range.contains(at)) {
                Err(Refused::Rejected)
            } else if range.end <= placed.settled {
                Ok(Safe::Stored)
            } else if placed.spilled {
                Ok(Safe::Spilled)
            } else {
                Err(Refused::Unsafe)
            };
            // Whoever asked may have given up.
            let _ = done.send(answer);
        }
        drop(permits);
    }

    /// Brings records to the store, or those it does not take to the spill file. While neither takes them this waits, so
    /// that the queue fills and callers are refused.
    async fn place(&mut self, records: &[S::Record]) -> Placed {
        let mut placed = Placed::default();
        loop {
            if self.backlog > 0 && self.is_due() && self.pause.is_some() {
                self.store_backlog().await;
            }
            if self.backlog == 0 && self.is_due() {
                let from = placed.settled;
                let (settled, rejected) = self.store(&records[from..]).await;
                placed.settled += settled;
                placed.rejected.extend(rejected.into_iter().map(|at| from + at));
            }
            let rest = &records[placed.settled..];
            if rest.is_empty() || self.append(rest).await.is_ok() {
                placed.spilled = true;
                return placed;
            }
            if self.closed {
                self.counters.lost(rest.len() as u64);
                return placed;
            }
            self.fail();
            tokio::select! {
                () = self.closing.notified() => self.close(),
                () = sleep_until(self.retry_at) => {}
            }
        }
    }

    /// Stores records from the front on, batch by batch, and answers how many are settled and which were rejected.
    async fn store(&mut self, records: &[S::Record]) -> (usize, Vec<usize>) {
        let mut settled = 0;
        let mut rejected = Vec::new();
        let mut size = self.policy.batch as usize;
        while settled < records.len() {
            let batch = &records[settled..records.len().min(settled + size)];
            match self.ask(batch).await {
                Ok(new) => {
                    self.counters.stored(batch.len() as u64, new);
                    self.pause = None;
                    settled += batch.len();
                    size = (size * 2).min(self.policy.batch as usize);
                }
                Err(error) if error.is_transient() => {
                    self.fail();
                    break;
                }
                // The one that cannot be stored is looked for by halves.
                Err(error) if batch.len() == 1 => {
                    let reason = reason(&error);
                    let written = serde_json::to_vec(&batch[0]).unwrap_or_default();
                    // That it is counted stands also where the disk has no room for it.
                    let _ = self.on_disk(move |spill| spill.reject(&written, &reason)).await;
                    self.counters.rejected(1);
                    rejected.push(settled);
                    settled += 1;
                    size = self.policy.batch as usize;
                }
                Err(_) => size = batch.len().div_ceil(2),
            }
        }
        (settled, rejected)
    }

    async fn ask(&self, batch: &[S::Record]) -> Result<u64, StoreError> {
        if self.pause.is_some() {
            self.counters.retried();
        }
        match timeout(self.policy.deadline, self.sink.store(batch)).await {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::Unavailable { source: None }),
        }
    }

    fn fail(&mut self) {
        let pause = self.pause.map_or(self.policy.pause, |pause| pause * 2).min(self.policy.longest_pause);
        self.pause = Some(pause);
        self.retry_at = Instant::now() + pause;
    }

    async fn append(&mut self, records: &[S::Record]) -> Result<(), SpillError> {
        let count = records.len() as u64;
        if self.backlog + count > self.policy.spill {
            return Err(SpillError::Full);
        }
        let written =
            records.iter().map(|record| serde_json::to_vec(record).unwrap_or_default()).collect::<Vec<_>>();
        self.on_disk(move |spill| spill.append(&written)).await?;
        self.counters.spilled(count);
        self.backlog += count;
        Ok(())
    }

    /// Stores the records that wait longest in the spill file; whether anything left it.
    async fn store_backlog(&mut self) -> bool {
        if self.settled_through.is_none() {
            let batch = self.policy.batch as usize;
            let first = self.on_disk(move |spill| spill.first(batch)).await.unwrap_or_default();
            if first.is_empty() {
                self.fail();
                return false;
            }
            self.settled_through = self.settle(first).await;
        }
        let Some(last) = self.settled_through else { return false };
        let Ok(gone) = self.on_disk(move |spill| spill.remove_through(last)).await else {
            self.fail();
            return false;
        };
        self.settled_through = None;
        self.backlog -= gone;
        true
    }

    /// Stores records as the spill file holds them; the number of the last that is settled.
    async fn settle(&mut self, written: Vec<(u64, Vec<u8>)>) -> Option<u64> {
        let mut numbers = Vec::with_capacity(written.len());
        let mut records = Vec::with_capacity(written.len());
        let mut last = None;
        for (number, record) in written {
            match serde_json::from_slice(&record) {
                Ok(read) => {
                    numbers.push(number);
                    records.push(read);
                }
                Err(error) if numbers.is_empty() => {
                    let reason = error.to_string();
                    // That it is counted stands also where the disk has no room for it.
                    let _ = self.on_disk(move |spill| spill.reject(&record, &reason)).await;
                    self.counters.rejected(1);
                    self.counters.left_spill(1);
                    last = Some(number);
                }
                // It is the first in a later turn.
                Err(_) => break,
            }
        }
        let (settled, _) = self.store(&records).await;
        self.counters.left_spill(settled as u64);
        settled.checked_sub(1).map(|at| numbers[at]).or(last)
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SpillFile) -> Result<T, SpillError> + Send + 'static,
    ) -> Result<T, SpillError> {
        let spill = Arc::clone(&self.spill);
        let done = tokio::task::spawn_blocking(move || work(&mut spill.lock())).await;
        done.unwrap_or_else(|ended| match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends; nothing more can be written.
            Err(_) => Err(SpillError::Full),
        })
    }
}

enum Next<R> {
    Batch(Vec<Message<R>>),
    Due,
    Ended,
}

/// The error and its causes, in one line.
fn reason(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
