//! What the routes share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use analytics_domain::usage::PriceTable;
use analytics_ports::{Clock, IdGenerator};
use arc_swap::ArcSwap;

use super::beacons::NetworkLimit;
use crate::ingest::queue::Ingest;
use crate::live::snapshot::SnapshotFile;
use crate::live::verify::CrawlerVerifier;
use crate::live::{LiveRecord, LiveTraffic, Tokens};
use crate::services::{
    AnalyticsService, AnomalyDetectionService, EngagementService, ExplanationService, LabelService,
    ModerationService, ReportService, ReputationService,
};
use crate::wiring::Stores;

/// What a service is made of.
pub struct ServiceParts {
    /// Where everything is kept.
    pub stores: Stores,
    /// The engine.
    pub live: Arc<LiveTraffic>,
    /// The queue before the stores.
    pub queue: Ingest<LiveRecord>,
    /// Sessions and events.
    pub analytics: AnalyticsService,
    /// What browsers tell of pages.
    pub engagement: EngagementService,
    /// Fingerprints and bans.
    pub reputation: ReputationService,
    /// Limits and anomalies.
    pub anomalies: Arc<AnomalyDetectionService>,
    /// What models cost at the start.
    pub prices: PriceTable,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn IdGenerator>,
    /// Who verifies crawlers, where anybody does.
    pub crawlers: Option<Arc<CrawlerVerifier>>,
    /// What is kept over a restart, where anything is.
    pub snapshot: Option<Arc<SnapshotFile>>,
    /// Who may call what; without tokens only a person at the machine.
    pub tokens: Option<Tokens>,
    /// Whether connections come from the machine itself only.
    pub on_loopback: bool,
}

/// How often another configuration was to be taken up while the service ran.
#[derive(Debug, Default)]
pub struct ConfigurationCounters {
    taken_up: AtomicU64,
    refused: AtomicU64,
    /// Whether the newest was refused, so that an older one is in force.
    stale: AtomicBool,
}

impl ConfigurationCounters {
    /// Counts that one was taken up.
    pub(crate) fn take_up(&self) {
        self.taken_up.fetch_add(1, Ordering::Relaxed);
        self.stale.store(false, Ordering::Relaxed);
    }

    /// Counts that one was refused.
    pub(crate) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.stale.store(true, Ordering::Relaxed);
    }

    /// How many were taken up.
    pub fn taken_up(&self) -> u64 {
        self.taken_up.load(Ordering::Relaxed)
    }

    /// How many were refused.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Whether the newest was refused, so that an older one is in force.
    pub fn is_stale(&self) -> bool {
        self.stale.load(Ordering::Relaxed)
    }
}

/// A running service.
pub struct Service {
    parts: ServiceParts,
    reports: ReportService,
    moderation: ModerationService,
    labels: LabelService,
    prices: ArcSwap<PriceTable>,
    configuration: ConfigurationCounters,
    beacon_limit: NetworkLimit,
}

impl Service {
    /// The service of these parts.
    pub fn new(parts: ServiceParts) -> Self {
        let reports =
            ReportService::new(Arc::clone(&parts.stores.core_stats), Arc::clone(&parts.stores.queries));
        let (clock, ids, audit) = (&parts.clock, &parts.ids, &parts.stores.audit);
        let moderation = ModerationService::new(
            parts.reputation.clone(),
            Arc::clone(audit),
            Arc::clone(clock),
            Arc::clone(ids),
        );
        let labels = LabelService::new(
            Arc::clone(&parts.stores.labels),
            Arc::clone(&parts.stores.sessions),
            Arc::clone(audit),
            parts.reputation.clone(),
            Arc::clone(clock),
            Arc::clone(ids),
        );
        let prices = ArcSwap::from_pointee(parts.prices.clone());
        let (configuration, beacon_limit) = Default::default();
        Self { parts, reports, moderation, labels, prices, configuration, beacon_limit }
    }

    /// What a person does about fingerprints and networks.
    pub const fn moderation(&self) -> &ModerationService {
        &self.moderation
    }

    /// What sessions are said to be.
    pub const fn labels(&self) -> &LabelService {
        &self.labels
    }

    /// Why sessions are taken for what they are, by the rules in force.
    pub fn explanations(&self) -> ExplanationService {
        let stores = &self.parts.stores;
        ExplanationService::new(
            Arc::clone(&stores.sessions),
            Arc::clone(&stores.requests),
            Arc::clone(&stores.labels),
            Arc::clone(&stores.audit),
            self.parts.live.visit().detector.clone(),
        )
    }

    /// What it is made of, for what is built beside it.
    pub const fn parts(&self) -> &ServiceParts {
        &self.parts
    }

    /// Where everything is kept.
    pub const fn stores(&self) -> &Stores {
        &self.parts.stores
    }

    /// The engine.
    pub const fn live(&self) -> &Arc<LiveTraffic> {
        &self.parts.live
    }

    /// The queue before the stores.
    pub const fn queue(&self) -> &Ingest<LiveRecord> {
        &self.parts.queue
    }

    /// Reports.
    pub const fn reports(&self) -> &ReportService {
        &self.reports
    }

    /// Sessions and events.
    pub const fn analytics(&self) -> &AnalyticsService {
        &self.parts.analytics
    }

    /// What browsers tell of pages.
    pub const fn engagement(&self) -> &EngagementService {
        &self.parts.engagement
    }

    /// How many beacons networks have sent.
    pub(super) const fn beacon_limit(&self) -> &NetworkLimit {
        &self.beacon_limit
    }

    /// Fingerprints and bans.
    pub const fn reputation(&self) -> &ReputationService {
        &self.parts.reputation
    }

    /// Limits and anomalies.
    pub const fn anomalies(&self) -> &Arc<AnomalyDetectionService> {
        &self.parts.anomalies
    }

    /// What models cost.
    pub fn prices(&self) -> Arc<PriceTable> {
        self.prices.load_full()
    }

    /// Puts other prices in force. What was counted keeps its cost.
    pub fn set_prices(&self, prices: PriceTable) {
        self.prices.store(Arc::new(prices));
    }

    /// How often another configuration was to be taken up.
    pub const fn configuration(&self) -> &ConfigurationCounters {
        &self.configuration
    }

    /// The time.
    pub fn clock(&self) -> &dyn Clock {
        &*self.parts.clock
    }

    /// New ids.
    pub fn ids(&self) -> &dyn IdGenerator {
        &*self.parts.ids
    }

    /// Who verifies crawlers, where anybody does.
    pub fn crawlers(&self) -> Option<&CrawlerVerifier> {
        self.parts.crawlers.as_deref()
    }

    /// What is kept over a restart, where anything is.
    pub const fn snapshot(&self) -> Option<&Arc<SnapshotFile>> {
        self.parts.snapshot.as_ref()
    }

    /// Who may call what.
    pub const fn tokens(&self) -> Option<&Tokens> {
        self.parts.tokens.as_ref()
    }

    /// Whether connections come from the machine itself only.
    pub const fn listens_on_loopback(&self) -> bool {
        self.parts.on_loopback
    }
}
