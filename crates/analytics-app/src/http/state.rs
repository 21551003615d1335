//! What the routes share.

use std::sync::Arc;

use analytics_domain::usage::PriceTable;
use analytics_ports::{Clock, IdGenerator};

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
    /// What models cost.
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

/// A running service.
pub struct Service {
    parts: ServiceParts,
    reports: ReportService,
    moderation: ModerationService,
    labels: LabelService,
    explanations: ExplanationService,
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
        let explanations = ExplanationService::new(
            Arc::clone(&parts.stores.sessions),
            Arc::clone(&parts.stores.requests),
            Arc::clone(&parts.stores.labels),
            Arc::clone(audit),
            parts.live.visit().detector.clone(),
        );
        let beacon_limit = NetworkLimit::default();
        Self { parts, reports, moderation, labels, explanations, beacon_limit }
    }

    /// What a person does about fingerprints and networks.
    pub const fn moderation(&self) -> &ModerationService {
        &self.moderation
    }

    /// What sessions are said to be.
    pub const fn labels(&self) -> &LabelService {
        &self.labels
    }

    /// Why sessions are taken for what they are.
    pub const fn explanations(&self) -> &ExplanationService {
        &self.explanations
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
    pub const fn prices(&self) -> &PriceTable {
        &self.parts.prices
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
