//! Keeping what a replay makes.

use std::sync::Arc;

use analytics_domain::request_row::RequestRow;
use analytics_domain::session::AnalyticsSession;
use analytics_ports::{RequestRepository, SessionRepository, StoreError};
use chrono::{DateTime, Utc};
use tokio::runtime::Runtime;

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

/// Rows that one call inserts at most.
const BATCH: usize = 1_000;
