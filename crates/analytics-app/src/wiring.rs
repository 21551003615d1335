//! Which adapters the application uses. Nothing else names one.

use std::num::NonZeroU32;
use std::sync::Arc;

use analytics_domain::features::FeatureExtractionConfig;
use analytics_inmemory::{
    Capacity, InMemoryAnomalies, InMemoryAudit, InMemoryBans, InMemoryEngagement, InMemoryErasure,
    InMemoryEvents, InMemoryFingerprints, InMemoryLabels, InMemoryLeaders, InMemoryMlFeatures,
    InMemoryReports, InMemoryRequests, InMemorySessions, InMemoryThresholds, InMemoryUsage, NoPartitions,
    StoreStats,
};
use analytics_ports::{
    AlertSink, AnalyticsQueryRepository, AnomalyEventRepository, AnomalyThresholdRepository, AuditRepository,
    BanRepository, Clock, CoreStatsRepository, EngagementRepository, ErasureRepository, EventRepository,
    FingerprintRepository, IdGenerator, LabelRepository, LeaderLock, MlFeaturesRepository, PartitionUpkeep,
    RequestRepository, SessionRepository, UsageRepository,
};
use analytics_postgres::{MigrateError, Migrated, OpenError, PostgresOptions, PostgresStore};

use crate::services::AnomalyPorts;
use crate::services::FeatureExtractionService;
use crate::services::jobs::JobStores;

/// Every store, over one database or all in memory.
#[derive(Clone)]
pub struct Stores {
    /// Sessions.
    pub sessions: Arc<dyn SessionRepository>,
    /// Events that hosts told.
    pub events: Arc<dyn EventRepository>,
    /// Rows of requests.
    pub requests: Arc<dyn RequestRepository>,
    /// What visitors did on pages.
    pub engagement: Arc<dyn EngagementRepository>,
    /// Reputations of fingerprints.
    pub fingerprints: Arc<dyn FingerprintRepository>,
    /// Bans.
    pub bans: Arc<dyn BanRepository>,
    /// What sessions are said to be.
    pub labels: Arc<dyn LabelRepository>,
    /// Features of sessions.
    pub features: Arc<dyn MlFeaturesRepository>,
    /// Who did what.
    pub audit: Arc<dyn AuditRepository>,
    /// Limits of metrics.
    pub thresholds: Arc<dyn AnomalyThresholdRepository>,
    /// Anomalies.
    pub anomalies: Arc<dyn AnomalyEventRepository>,
    /// The use of AI providers, agents and tools.
    pub usage: Arc<dyn UsageRepository>,
    /// What erases rows of sessions from all of the above.
    pub erasure: Arc<dyn ErasureRepository>,
    /// Reports about the platform.
    pub core_stats: Arc<dyn CoreStatsRepository>,
    /// Reports about traffic and AI providers.
    pub queries: Arc<dyn AnalyticsQueryRepository>,
    /// Partitions of the tables that grow with traffic.
    pub partitions: Arc<dyn PartitionUpkeep>,
    /// Who leads in a role.
    pub leaders: Arc<dyn LeaderLock>,
}

impl Stores {
    /// The stores that jobs keep in order.
    pub fn jobs(&self) -> JobStores {
        JobStores {
            sessions: Arc::clone(&self.sessions),
            events: Arc::clone(&self.events),
            requests: Arc::clone(&self.requests),
            engagement: Arc::clone(&self.engagement),
            usage: Arc::clone(&self.usage),
            features: Arc::clone(&self.features),
            audit: Arc::clone(&self.audit),
            anomalies: Arc::clone(&self.anomalies),
            fingerprints: Arc::clone(&self.fingerprints),
            bans: Arc::clone(&self.bans),
            partitions: Arc::clone(&self.partitions),
        }
    }

    /// What anomalies are looked for with, telling these of them.
    pub fn anomaly_ports(
        &self,
        alerts: Vec<Arc<dyn AlertSink>>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
    ) -> AnomalyPorts {
        AnomalyPorts {
            thresholds: Arc::clone(&self.thresholds),
            events: Arc::clone(&self.anomalies),
            audit: Arc::clone(&self.audit),
            alerts,
            clock,
            ids,
        }
    }
}

impl Stores {
    /// What extracts features of the sessions that are kept here.
    pub fn extraction(&self, config: FeatureExtractionConfig) -> FeatureExtractionService {
        FeatureExtractionService::new(
            Arc::clone(&self.sessions),
            Arc::clone(&self.requests),
            Arc::clone(&self.engagement),
            Arc::clone(&self.features),
            config,
        )
    }
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

/// Empty stores in memory with room for this many rows of each kind, and how to ask them how many entries have left
/// for want of room.
///
/// # Panics
/// Never: the capacity is not zero.
pub fn in_memory(rows: NonZeroU32) -> (Stores, impl Fn() -> u64 + Send + Sync) {
    let capacity = Capacity::new(rows.get()).expect("it is not zero");
    let sessions = Arc::new(InMemorySessions::new(capacity));
    let events = Arc::new(InMemoryEvents::new(capacity));
    let requests = Arc::new(InMemoryRequests::new(capacity));
    let engagement = Arc::new(InMemoryEngagement::new(capacity));
    let usage = Arc::new(InMemoryUsage::new(capacity, Arc::clone(&sessions)));
    let labels = Arc::new(InMemoryLabels::new(capacity));
    let reports = InMemoryReports::new(Arc::clone(&sessions), Arc::clone(&requests), Arc::clone(&usage));
    let reports = Arc::new(reports);
    let features = Arc::new(InMemoryMlFeatures::new(capacity, Arc::clone(&labels)));
    let erasure = InMemoryErasure {
        sessions: Arc::clone(&sessions),
        requests: Arc::clone(&requests),
        events: Arc::clone(&events),
        engagement: Arc::clone(&engagement),
        features: Arc::clone(&features),
        labels: Arc::clone(&labels),
        usage: Arc::clone(&usage),
    };
    let stores = Stores {
        sessions: Arc::clone(&sessions) as _,
        events: Arc::clone(&events) as _,
        requests: Arc::clone(&requests) as _,
        engagement: Arc::clone(&engagement) as _,
        fingerprints: Arc::new(InMemoryFingerprints::new(capacity)),
        bans: Arc::new(InMemoryBans::new(capacity)),
        labels,
        features,
        audit: Arc::new(InMemoryAudit::new(capacity)),
        thresholds: Arc::new(InMemoryThresholds::new(capacity)),
        anomalies: Arc::new(InMemoryAnomalies::new(capacity)),
        usage: Arc::clone(&usage) as _,
        erasure: Arc::new(erasure),
        core_stats: Arc::clone(&reports) as _,
        queries: reports,
        partitions: Arc::new(NoPartitions),
        leaders: Arc::new(InMemoryLeaders::new()),
    };
    let evicted = move || {
        let stats = [sessions.stats(), events.stats(), requests.stats(), engagement.stats(), usage.stats()];
        stats.iter().map(|stats: &StoreStats| stats.evicted).sum()
    };
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
        events: Arc::new(store.events()),
        requests: Arc::new(store.requests()),
        engagement: Arc::new(store.engagement()),
        fingerprints: Arc::new(store.fingerprints()),
        bans: Arc::new(store.bans()),
        labels: Arc::new(store.labels()),
        features: Arc::new(store.features()),
        audit: Arc::new(store.audit()),
        thresholds: Arc::new(store.thresholds()),
        anomalies: Arc::new(store.anomalies()),
        usage: Arc::new(store.usage()),
        erasure: Arc::new(store.erasure()),
        core_stats: Arc::clone(&reports) as _,
        queries: reports,
        partitions: Arc::new(store.upkeep()),
        leaders: Arc::new(store.leaders()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_unknown_store_is_told_by_its_scheme_alone() {
        let error = connect("mongo://ann:secret@host/db").await.err().unwrap().to_string();
        assert!(error.contains("`mongo`") && !error.contains("secret"), "{error}");
    }
}
