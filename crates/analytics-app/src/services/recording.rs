//! Keeping what a replay makes.

use std::sync::Arc;

use analytics_domain::request_row::RequestRow;
use analytics_domain::session::AnalyticsSession;
use analytics_ports::{Clock, Recorded, RequestRepository, SessionRepository, StoreError};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::runtime::{Handle, Runtime};

use crate::ingest::queue::{Ingest, Refused, Sink};
use crate::replay::RecordSink;

/// Keeps sessions with their requests. Keeping one again changes nothing.
#[derive(Clone)]
pub struct RecordingService {
    sessions: Arc<dyn SessionRepository>,
    requests: Arc<dyn RequestRepository>,
}

/// Takes what a replay makes, one session after the other.
pub struct StoreSink<'a> {
    service: &'a RecordingService,
    runtime: &'a Runtime,
    recorded_at: DateTime<Utc>,
}

/// A session that ended, with its requests in the order of their arrival.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionWithRequests {
    /// The session.
    pub session: AnalyticsSession,
    /// Its requests.
    pub requests: Vec<RequestRow>,
}

/// Keeps sessions as a queue hands them over, recorded at the time of the clock.
pub struct RecordedSessions {
    service: RecordingService,
    clock: Arc<dyn Clock>,
}

/// Takes what a replay makes into a queue, and waits until it is safe.
pub struct QueueSink {
    queue: Ingest<SessionWithRequests>,
    runtime: Handle,
    held: Vec<SessionWithRequests>,
}

impl RecordingService {
    /// The service over these stores.
    pub fn new(sessions: Arc<dyn SessionRepository>, requests: Arc<dyn RequestRepository>) -> Self {
        Self { sessions, requests }
    }

    /// Keeps a session that ended and its requests.
    ///
    /// # Errors
    /// [`StoreError`]; trying again is safe.
    pub async fn record(
        &self,
        session: &AnalyticsSession,
        requests: &[RequestRow],
        recorded_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.sessions.create(session, recorded_at).await?;
        for batch in requests.chunks(BATCH) {
            self.requests.insert(batch, recorded_at).await?;
        }
        Ok(())
    }

    /// A sink for a replay, which waits for the stores on this runtime.
    pub const fn sink<'a>(&'a self, runtime: &'a Runtime, recorded_at: DateTime<Utc>) -> StoreSink<'a> {
        StoreSink { service: self, runtime, recorded_at }
    }
}

impl RecordSink for StoreSink<'_> {
    fn take(&mut self, session: AnalyticsSession, requests: Vec<RequestRow>) -> Result<(), StoreError> {
        self.runtime.block_on(self.service.record(&session, &requests, self.recorded_at))
    }
}

impl RecordedSessions {
    /// Keeps sessions by this service.
    pub fn new(service: RecordingService, clock: Arc<dyn Clock>) -> Self {
        Self { service, clock }
    }
}

#[async_trait]
impl Sink for RecordedSessions {
    type Record = SessionWithRequests;

    /// Stores the requests of all sessions first, then each session: one that is kept has all its requests.
    async fn store(&self, records: &[SessionWithRequests]) -> Result<u64, StoreError> {
        let recorded_at = self.clock.now();
        let rows: Vec<RequestRow> =
            records.iter().flat_map(|record| record.requests.iter().cloned()).collect();
        // Two at a time: while the store works on one, the other is on its way.
        for batches in rows.chunks(2 * BATCH) {
            let (one, other) = batches.split_at(batches.len().min(BATCH));
            let insert = |batch| self.service.requests.insert(batch, recorded_at);
            tokio::try_join!(insert(one), insert(other))?;
        }
        let mut new = 0;
        for batch in records.chunks(BATCH) {
            let sessions: Vec<AnalyticsSession> = batch.iter().map(|record| record.session.clone()).collect();
            let kept = self.service.sessions.create_batch(&sessions, recorded_at).await?;
            new += kept.into_iter().filter(|kept| *kept == Recorded::New).count() as u64;
        }
        Ok(new)
    }
}

impl QueueSink {
    /// A sink into this queue, which waits on this runtime from a thread that is not its own.
    pub const fn new(queue: Ingest<SessionWithRequests>, runtime: Handle) -> Self {
        Self { queue, runtime, held: Vec::new() }
    }

    /// Hands over what is still held.
    ///
    /// # Errors
    /// [`Refused`] when it is not safe.
    pub fn flush(&mut self) -> Result<(), Refused> {
        self.runtime.block_on(self.queue.submit(std::mem::take(&mut self.held))).map(|_| ())
    }
}

impl RecordSink for QueueSink {
    fn take(&mut self, session: AnalyticsSession, requests: Vec<RequestRow>) -> Result<(), StoreError> {
        self.held.push(SessionWithRequests { session, requests });
        if self.held.len() < TOGETHER {
            return Ok(());
        }
        self.flush().map_err(StoreError::unavailable)
    }
}

/// Rows that one call inserts at most.
const BATCH: usize = 5_000;
/// Sessions that are handed over at once.
const TOGETHER: usize = 500;
