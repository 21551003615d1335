//! Which adapters the application uses. Nothing else names one.

use std::num::NonZeroU32;
use std::sync::Arc;

use analytics_inmemory::{Capacity, InMemoryReports, InMemoryRequests, InMemorySessions, InMemoryUsage};
use analytics_ports::{
    AnalyticsQueryRepository, AnomalyThresholdRepository, CoreStatsRepository, RequestRepository,
    SessionRepository, UsageRepository,
};
use analytics_postgres::{MigrateError, Migrated, OpenError, PostgresOptions, PostgresStore};

/// The stores that reports are made from.
#[derive(Clone)]
pub struct Stores {
    /// Sessions.
    pub sessions: Arc<dyn SessionRepository>,
    /// Rows of requests.
    pub requests: Arc<dyn RequestRepository>,
    /// The use of AI providers, agents and tools.
    pub usage: Arc<dyn UsageRepository>,
    /// Reports about the platform.
    pub core_stats: Arc<dyn CoreStatsRepository>,
    /// Reports about traffic and AI providers.
    pub queries: Arc<dyn AnalyticsQueryRepository>,
}

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WiringError {
    /// No adapter is for such addresses. Only the scheme is told, since the rest may hold a password.
    #[error("no store is known for addresses of `{scheme}`; give one such as postgres://user@host/database")]
    UnknownStore {
        /// What stands before the colon; empty without one.
        scheme: String,
    },
    /// The database is away, or is not at the schema that this program needs.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database cannot be brought to the newest schema.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
}

/// Empty stores in memory with room for this many sessions, as many requests, and as many rows of each kind of usage;
/// and how to ask them how many entries have left for want of room.
///
/// # Panics
/// Never: the capacity is not zero.
pub fn in_memory(rows: NonZeroU32) -> (Stores, impl Fn() -> u64) {
    let capacity = Capacity::new(rows.get()).expect("it is not zero");
    let sessions = Arc::new(InMemorySessions::new(capacity));
    let requests = Arc::new(InMemoryRequests::new(capacity));
    let usage = Arc::new(InMemoryUsage::new(capacity, Arc::clone(&sessions)));
    let reports = InMemoryReports::new(Arc::clone(&sessions), Arc::clone(&requests), Arc::clone(&usage));
    let reports = Arc::new(reports);
    let stores = Stores {
        sessions: Arc::clone(&sessions) as _,
        requests: Arc::clone(&requests) as _,
        usage: Arc::clone(&usage) as _,
        core_stats: Arc::clone(&reports) as _,
        queries: reports,
    };
    let evicted = move || sessions.stats().evicted + requests.stats().evicted + usage.stats().evicted;
    (stores, evicted)
}

/// The stores at an address: `postgres://…` or `postgresql://…`.
///
/// # Errors
/// [`WiringError::UnknownStore`] for an address that no adapter is for, [`WiringError::Open`] for a database that is
/// away or at another schema.
pub async fn connect(url: &str) -> Result<Stores, WiringError> {
    let store = PostgresStore::connect(known(url)?, &PostgresOptions::default()).await?;
    let reports = Arc::new(store.reports());
    Ok(Stores {
        sessions: Arc::new(store.sessions()),
        requests: Arc::new(store.requests()),
        usage: Arc::new(store.usage()),
        core_stats: Arc::clone(&reports) as _,
        queries: reports,
    })
}

/// Brings the database at an address to the newest schema, and says from which to which.
///
/// # Errors
/// [`WiringError::UnknownStore`] for an address that no adapter is for, [`WiringError::Migrate`] when it cannot be done.
pub async fn migrate(url: &str) -> Result<Migrated, WiringError> {
    Ok(analytics_postgres::migrate(known(url)?).await?)
}

fn known(url: &str) -> Result<&str, WiringError> {
    match url.split_once(':').map_or("", |(scheme, _)| scheme) {
        "postgres" | "postgresql" => Ok(url),
        scheme => Err(WiringError::UnknownStore { scheme: scheme.to_owned() }),
    }
}

/// The limits of metrics in the store at an address.
///
/// # Errors
/// As [`connect`].
pub async fn connect_thresholds(url: &str) -> Result<Arc<dyn AnomalyThresholdRepository>, WiringError> {
    let store = PostgresStore::connect(known(url)?, &PostgresOptions::default()).await?;
    Ok(Arc::new(store.thresholds()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_unknown_store_is_told_by_its_scheme_alone() {
        let error = connect("mongo://ann:secret@host/db").await.err().unwrap().to_string();
        assert!(error.contains("`mongo`") && !error.contains("secret"), "{error}");
    }
}
