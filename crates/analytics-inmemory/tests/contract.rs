//! The in-memory store shows the behaviour that every adapter must show.

use std::sync::Arc;

use analytics_inmemory::{
    Capacity, InMemoryAnomalies, InMemoryAudit, InMemoryBans, InMemoryEngagement, InMemoryErasure,
    InMemoryEvents, InMemoryFingerprints, InMemoryLabels, InMemoryLeaders, InMemoryMlFeatures,
    InMemoryReports, InMemoryRequests, InMemorySessions, InMemoryThresholds, InMemoryUsage,
};
use analytics_ports::contract::leaders::Leaders;
use analytics_ports::contract::{self, Stores};

macro_rules! stamp {
    ($($group:ident :: $case:ident),+ $(,)?) => {$(
        #[tokio::test]
        async fn $case() {
            contract::$group::$case(&fresh()).await;
        }
    )+};
}
analytics_ports::contract_cases!(stamp);

macro_rules! stamp_leaders {
    ($($group:ident :: $case:ident),+ $(,)?) => {$(
        #[tokio::test]
        async fn $case() {
            let leaders = InMemoryLeaders::new();
            let (one, other) = (Arc::new(leaders.clone()), Arc::new(leaders));
            contract::$group::$case(&Leaders { one, other, guard: Box::new(()) }).await;
        }
    )+};
}
analytics_ports::leader_cases!(stamp_leaders);

fn fresh() -> Stores {
    let capacity = Capacity::new(100_000).expect("it is not zero");
    let labels = Arc::new(InMemoryLabels::new(capacity));
    let sessions = Arc::new(InMemorySessions::new(capacity));
    let requests = Arc::new(InMemoryRequests::new(capacity));
    let usage = Arc::new(InMemoryUsage::new(capacity, Arc::clone(&sessions)));
    let reports = InMemoryReports::new(Arc::clone(&sessions), Arc::clone(&requests), Arc::clone(&usage));
    let reports = Arc::new(reports);
    let events = Arc::new(InMemoryEvents::new(capacity));
    let engagement = Arc::new(InMemoryEngagement::new(capacity));
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
    Stores {
        erasure: Arc::new(erasure),
        core_stats: Arc::clone(&reports) as _,
        queries: reports,
        usage,
        sessions,
        events,
        engagement,
        requests,
        fingerprints: Arc::new(InMemoryFingerprints::new(capacity)),
        bans: Arc::new(InMemoryBans::new(capacity)),
        labels,
        features,
        audit: Arc::new(InMemoryAudit::new(capacity)),
        thresholds: Arc::new(InMemoryThresholds::new(capacity)),
        anomalies: Arc::new(InMemoryAnomalies::new(capacity)),
        guard: Box::new(()),
    }
}
