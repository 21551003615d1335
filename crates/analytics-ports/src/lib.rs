//! What the application asks of the outside: traits and their rules, no behaviour.
//!
//! A port is a trait of small, atomic steps, usable as `Arc<dyn Port>`. An adapter implements it; `analytics-inmemory`
//! is one. The rules that all ports share:
//!
//! - Absence is `None`, never an error. [`StoreError`] says what the caller can do next.
//! - Callers bring the time and the ids. No adapter reads a clock or makes an id, so that two adapters that are asked
//!   the same give the same answer.
//! - Times are whole microseconds, since that is what databases keep; [`Clock`] promises it.
//! - One method is one atomic step, and no transaction crosses a port. Where a rule stands between a read and a write,
//!   the caller loads a [`Versioned`] value, decides, and swaps it against the version it saw.
//! - A row that breaks a rule of its type is [`StoreError::Corrupt`] where it is asked for by its key. A list may leave it
//!   out, as long as the store logs and counts it, so that one such row does not hide the others.
//! - Lists have an order that is written down, and a page goes on after the last key of the page before it.
//!
//! What is not here: rules (`analytics-domain` decides) and stores (the adapters keep). With feature `contract`, the
//! module `contract` holds the behaviour that every adapter must show, as cases to run against your own. With feature
//! `mock`, each port has a mock, and [`MockClock`] is a clock that tests set.

pub mod clock;
pub mod ids;
pub mod error;
pub mod page;
pub mod version;
pub mod session;
pub mod event;
pub mod request;
pub mod engagement;
pub mod fingerprint;
pub mod ban;
pub mod label;
pub mod features;
pub mod audit;
pub mod erasure;
pub mod anomaly;
pub mod alert;
pub mod usage;
pub mod stats;
pub mod leader;
pub mod partition;
pub mod geo;
#[cfg(feature = "contract")]
#[expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a case is a test: a store that fails or misbehaves ends it with a panic"
)]
pub mod contract;

pub use alert::{AlertAnswer, AlertSink};
pub use anomaly::{
    AnomalyEventCursor, AnomalyEventFilter, AnomalyEventRepository, AnomalyThresholdRepository,
};
pub use audit::AuditRepository;
pub use ban::{BanCursor, BanRepository};
pub use clock::Clock;
#[cfg(feature = "mock")]
pub use clock::MockClock;
pub use engagement::EngagementRepository;
pub use erasure::{Erased, ErasureRepository};
pub use error::{Entity, StoreError};
pub use event::{EventCursor, EventRepository};
pub use features::{LabelledFeatures, MlFeaturesRepository};
pub use fingerprint::{FingerprintRecord, FingerprintRepository};
pub use geo::{AutonomousSystem, GeoAnswer, GeoLocator};
pub use ids::IdGenerator;
pub use label::{LabelCursor, LabelRepository};
pub use leader::{LeaderLock, LeaderRole, Leadership};
pub use page::{BatchLimit, Page, PageRequest};
pub use partition::{PartitionUpkeep, Partitioned};
pub use request::RequestRepository;
pub use session::{EndedSession, SessionCursor, SessionFilter, SessionRepository};
pub use stats::{AnalyticsQueryRepository, CoreStatsRepository};
pub use usage::{UsageKind, UsageRepository};
pub use version::{Recorded, Version, Versioned};
#[cfg(feature = "mock")]
pub use {
    alert::MockAlertSink, anomaly::MockAnomalyEventRepository, anomaly::MockAnomalyThresholdRepository,
    audit::MockAuditRepository, ban::MockBanRepository, engagement::MockEngagementRepository,
    erasure::MockErasureRepository, event::MockEventRepository, features::MockMlFeaturesRepository,
    fingerprint::MockFingerprintRepository, geo::MockGeoLocator, ids::SequentialIds,
    label::MockLabelRepository, leader::MockLeaderLock, leader::MockLeadership,
    partition::MockPartitionUpkeep, request::MockRequestRepository, session::MockSessionRepository,
    stats::MockAnalyticsQueryRepository, stats::MockCoreStatsRepository, usage::MockUsageRepository,
};
