//! From whoever makes records to the store, in batches, without waiting for the store and without losing any.
//!
//! ```text
//! offer, submit -> bounded queue -> worker -> store
//!                                      \-> spill file, while the store is away -> store
//! ```
//!
//! [`Ingest::offer`] never waits: it is for the request path. [`Ingest::submit`] answers when the records are safe, in
//! the store or in the spill file, so that they survive the end of either process. What finds no room is refused, to
//! the caller's face and with a counter. Records reach the store in the order in which they came; after a failure
//! the same ones may reach it twice, so a [`Sink`] has to notice repeats, as every port that takes batches does.
//!
//! What it does not do: make ids, look into records, or decide what becomes of refused ones.

mod counters;
mod spill;
#[cfg(test)]
mod tests;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use analytics_ports::StoreError;
use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

pub use counters::IngestCounters;
pub use spill::{Rejected, SpillError, SpillFile};

use counters::Counters;
use worker::{Message, Worker};

/// Where records go: one call for each batch.
#[async_trait]
pub trait Sink: Send + Sync + 'static {
    /// What is stored. Its written form stands in the spill file, so it has to read back as it was.
    type Record: Serialize + DeserializeOwned + Send + Sync + 'static;

    /// Stores records in their order, and answers how many of them were new.
    ///
    /// A repeat changes nothing, also when the call before it failed half-way.
    ///
    /// # Errors
    /// `Unavailable` when the same call may succeed later; any other error means that one of the records can
    /// never be stored.
    async fn store(&self, records: &[Self::Record]) -> Result<u64, StoreError>;
}

/// How records are queued, batched, tried again and spilled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueuePolicy {
    /// Records that wait in memory at most. Default 20,000: some 10 MB, and two seconds of 10,000 requests a second.
    pub capacity: u32,
    /// Records that the store is given at once at most. Default 1,000: larger batches gain little, and cost more when
    /// one record has to be looked for.
    pub batch: u32,
    /// How long the first record of a batch waits for others. Default 200 ms.
    pub wait: Duration,
    /// How long one call of the store may take before it counts as away. Default 10 s.
    pub deadline: Duration,
    /// How long [`Ingest::submit`] waits for room. Default 5 s.
    pub patience: Duration,
    /// The first pause after a failure; each further one doubles it. Default 100 ms.
    pub pause: Duration,
    /// The longest pause. Default 10 s.
    pub longest_pause: Duration,
    /// Records that the spill file holds at most. Default 5,000,000: some GB, and minutes of a busy site.
    pub spill: u64,
}

impl Default for QueuePolicy {
    fn default() -> Self {
        Self {
            capacity: 20_000,
            batch: 1_000,
            wait: Duration::from_millis(200),
            deadline: Duration::from_secs(10),
            patience: Duration::from_secs(5),
            pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(10),
            spill: 5_000_000,
        }
    }
}

/// Where submitted records are safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safe {
    /// In the store.
    Stored,
    /// At least some of them in the spill file; they go to the store when it is back.
    Spilled,
}

/// Why records were not taken, or are not known to be safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The queue has no room. Come again later, or go without; nothing of the call was taken.
    #[error("the queue is full")]
    Full,
    /// The queue is being closed. Nothing of the call was taken.
    #[error("the queue is closed")]
    Closed,
    /// The queue closed while neither the store nor the spill file took the records.
    #[error("neither the store nor the spill file took the records")]
    Unsafe,
    /// One of the records can never be stored; it is kept apart, with the reason.
    #[error("the store rejects a record")]
    Rejected,
}

/// The way in. Clones share one queue.
pub struct Ingest<R> {
    sender: mpsc::UnboundedSender<Message<R>>,
    room: Arc<Semaphore>,
    counters: Arc<Counters>,
    policy: QueuePolicy,
}

/// The worker behind a queue, to be waited for at the end.
#[derive(Debug)]
pub struct Drain {
    room: Arc<Semaphore>,
    worker: JoinHandle<()>,
    counters: Arc<Counters>,
    closing: Arc<tokio::sync::Notify>,
}

impl<R: Send + Sync + 'static> Ingest<R> {
    /// Starts the worker, on the runtime that this is called in. What the spill file still holds is stored first.
    pub fn start<S: Sink<Record = R>>(sink: Arc<S>, spill: SpillFile, policy: QueuePolicy) -> (Self, Drain)
    where
        R: Serialize + DeserializeOwned,
    {
        let (sender, inbox) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(policy.capacity as usize));
        let counters = Arc::new(Counters::default());
        let closing = Arc::new(tokio::sync::Notify::new());
        let worker = Worker::new(sink, spill, policy, Arc::clone(&counters), inbox, Arc::clone(&closing));
        let worker = tokio::spawn(worker.run());
        let drain = Drain { room: Arc::clone(&room), worker, counters: Arc::clone(&counters), closing };
        (Self { sender, room, counters, policy }, drain)
    }

    /// Queues one record without waiting. That it was taken does not yet mean that it is safe.
    ///
    /// # Errors
    /// [`Refused::Full`] and [`Refused::Closed`]; both are counted.
    pub fn offer(&self, record: R) -> Result<(), Refused> {
        let permit = Arc::clone(&self.room).try_acquire_owned().map_err(|error| {
            let refused = match error {
                tokio::sync::TryAcquireError::NoPermits => Refused::Full,
                tokio::sync::TryAcquireError::Closed => Refused::Closed,
            };
            self.refuse(refused, 1)
        })?;
        self.send(Message { records: vec![record], permit, done: None })
    }

    /// Queues records, waiting for room, and answers when they are safe, and where.
    ///
    /// # Errors
    /// [`Refused::Full`] when there was no room in the policy's patience, or there never is for so many;
    /// [`Refused::Closed`]; [`Refused::Unsafe`] and [`Refused::Rejected`] for what the end of the queue or the store
    /// itself refuses. All are counted.
    pub async fn submit(&self, records: Vec<R>) -> Result<Safe, Refused> {
        let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
        if count == 0 {
            return Ok(Safe::Stored);
        }
        if count > self.policy.capacity {
            return Err(self.refuse(Refused::Full, u64::from(count)));
        }
        let permit = Arc::clone(&self.room).acquire_many_owned(count);
        let permit = match tokio::time::timeout(self.policy.patience, permit).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(self.refuse(Refused::Closed, u64::from(count))),
            Err(_) => return Err(self.refuse(Refused::Full, u64::from(count))),
        };
        let (done, answer) = oneshot::channel();
        self.send(Message { records, permit, done: Some(done) })?;
        answer.await.unwrap_or(Err(Refused::Unsafe))
    }

    /// What happened so far.
    pub fn counters(&self) -> IngestCounters {
        self.counters.read()
    }

    fn send(&self, message: Message<R>) -> Result<(), Refused> {
        let count = message.records.len() as u64;
        self.sender.send(message).map_err(|_| self.refuse(Refused::Closed, count))
    }

    fn refuse(&self, refused: Refused, count: u64) -> Refused {
        self.counters.refused(refused, count);
        refused
    }
}

impl<R> Clone for Ingest<R> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            room: Arc::clone(&self.room),
            counters: Arc::clone(&self.counters),
            policy: self.policy,
        }
    }
}

impl<R> std::fmt::Debug for Ingest<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ingest").field("counters", &self.counters.read()).finish_non_exhaustive()
    }
}

impl Drain {
    /// Takes no more records, brings all that were taken to the store or the spill file, and answers what happened.
    ///
    /// What the spill file holds goes to the store too, as long as the store takes it; the rest waits there for the next
    /// start.
    pub async fn close(self) -> IngestCounters {
        self.room.close();
        self.closing.notify_one();
        // A worker that panicked has said so; its counters stand.
        let _ = self.worker.await;
        self.counters.read()
    }
}
