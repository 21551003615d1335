//! PostgreSQL shows the behaviour that every adapter must show.

use std::sync::Arc;

use analytics_ports::contract::{self, Stores};
use analytics_ports::{
    MockAnalyticsQueryRepository, MockAuditRepository, MockCoreStatsRepository, MockEngagementRepository,
    MockLabelRepository, MockMlFeaturesRepository, MockUsageRepository,
};

use crate::{TestDatabase, opened};

macro_rules! stamp {
    ($($group:ident :: $case:ident),+ $(,)?) => {$(
        test!($group $case);
    )+};
}
macro_rules! test {
    // These have no tables yet.
    (audit $case:ident) => {};
    (engagement $case:ident) => {};
    (features $case:ident) => {};
    (labels $case:ident) => {};
    (usage $case:ident) => {};
    (reports $case:ident) => {};
    ($group:ident $case:ident) => {
        #[tokio::test]
        async fn $case() {
            contract::$group::$case(&fresh().await).await;
        }
    };
}
analytics_ports::contract_cases!(stamp);

async fn fresh() -> Stores {
    let database = TestDatabase::migrated().await;
    let store = opened(&database).await;
    Stores {
        sessions: Arc::new(store.sessions()),
        events: Arc::new(store.events()),
        requests: Arc::new(store.requests()),
        fingerprints: Arc::new(store.fingerprints()),
        bans: Arc::new(store.bans()),
        thresholds: Arc::new(store.thresholds()),
        anomalies: Arc::new(store.anomalies()),
        audit: Arc::new(MockAuditRepository::new()),
        engagement: Arc::new(MockEngagementRepository::new()),
        features: Arc::new(MockMlFeaturesRepository::new()),
        labels: Arc::new(MockLabelRepository::new()),
        usage: Arc::new(MockUsageRepository::new()),
        core_stats: Arc::new(MockCoreStatsRepository::new()),
        queries: Arc::new(MockAnalyticsQueryRepository::new()),
        guard: Box::new(database),
    }
}
