//! Use cases: each composes domain rules and ports.
//!
//! A service takes its ports as `Arc<dyn Port>`, reads the clock once a use case, and makes the ids that the stores
//! keep. The rules are the domain's; where one stands between a read and a write, the service loads, decides and swaps.

mod analytics;
mod anomaly;
mod ban_list;
mod detection;
mod erasure;
mod explanation;
mod labels;
mod moderation;
mod operator;
pub mod engagement;
pub mod feature_extraction;
mod recording;
mod reports;
pub mod jobs;
mod reputation;
#[cfg(test)]
mod samples;
mod session_cleanup;
mod throttle;
mod traffic;

pub use analytics::{AnalyticsService, EventAnswer, NewEvent, SessionChange};
pub use anomaly::{
    AnomalyDetectionService, AnomalyPolicy, AnomalyPorts, MetricSeries, MinuteOutcome, SeriesPoint,
};
pub use ban_list::{BanList, BanListFormat, UnknownBanListFormat};
pub use detection::BehavioralDetectionService;
pub use engagement::EngagementService;
pub use erasure::{ErasureInterrupted, ErasureService, ErasureSubject};
pub use explanation::{CategorySum, Explanation, ExplanationService, KeptBeside};
pub use feature_extraction::FeatureExtractionService;
pub use labels::{ClearedAsHuman, ImportInterrupted, ImportReport, LabelAnswer, LabelService, NewLabel};
pub use moderation::ModerationService;
pub use operator::{InvalidOperator, Operator};
pub use recording::{QueueSink, RecordedSessions, RecordingService, SessionWithRequests, StoreSink};
pub use reports::{Report, ReportBefore, ReportData, ReportError, ReportRequest, ReportService};
pub use reputation::{BanAnswer, ClearedFingerprint, ReputationService};
pub use session_cleanup::{CleanupInterrupted, CleanupReport, SessionCleanupService};
pub use throttle::ThrottleService;
pub use traffic::TrafficService;
