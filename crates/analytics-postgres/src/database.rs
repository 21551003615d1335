//! The pool, its deadlines, and what becomes of the driver's errors.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use analytics_ports::{Entity, StoreError};
use sqlx::PgPool;

/// What all repositories of one store share. A clone is the same database.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pool: PgPool,
    /// The longest that one call may take, all in all.
    deadline: Duration,
    corrupt_rows: Arc<AtomicU64>,
}

/// A call took longer than its deadline.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
struct DeadlinePassed(Duration);

impl Database {
    pub(crate) fn new(pool: PgPool, deadline: Duration) -> Self {
        Self { pool, deadline, corrupt_rows: Arc::default() }
    }

    pub(crate) const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The call's answer, or [`StoreError::Unavailable`] when it fails or passes the deadline.
    ///
    /// The server ends a statement by itself, but a server that is halted or cut off cannot.
    pub(crate) async fn run<T>(
        &self,
        call: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, StoreError> {
        match tokio::time::timeout(self.deadline, call).await {
            Ok(answer) => answer.map_err(StoreError::unavailable),
            Err(_) => Err(StoreError::unavailable(DeadlinePassed(self.deadline))),
        }
    }

    /// What can be read of these rows. One that breaks a rule of its type is logged, counted and left out, so that a
    /// list is never lost to it; asked for by its key, it is an error.
    pub(crate) fn readable<R, T>(
        &self,
        rows: impl IntoIterator<Item = R>,
        read: impl Fn(R) -> Result<T, StoreError>,
    ) -> Vec<T> {
        let told = |row| match read(row) {
            Ok(value) => Some(value),
            Err(error) => {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(%error, source, "a row that cannot be read is left out of a list");
                self.corrupt_rows.fetch_add(1, Ordering::Relaxed);
                None
            }
        };
        rows.into_iter().filter_map(told).collect()
    }

    pub(crate) fn corrupt_rows(&self) -> u64 {
        self.corrupt_rows.load(Ordering::Relaxed)
    }
}

/// Somebody else changed it first.
pub(crate) const fn conflict(entity: Entity) -> StoreError {
    StoreError::Conflict { entity }
}
