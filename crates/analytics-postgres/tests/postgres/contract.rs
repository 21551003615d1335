//! PostgreSQL shows the behaviour that every adapter must show.

use std::sync::Arc;

use analytics_ports::contract::{self, Stores};

use crate::{TestDatabase, opened};

macro_rules! stamp {
    ($($group:ident :: $case:ident),+ $(,)?) => {$(
        #[tokio::test]
        async fn $case() {
            contract::$group::$case(&fresh().await).await;
        }
    )+};
}
analytics_ports::contract_cases!(stamp);

async fn fresh() -> Stores {
    let database = TestDatabase::migrated().await;
    let store = opened(&database).await;
    Stores {
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
        core_stats: Arc::new(store.reports()),
        queries: Arc::new(store.reports()),
        guard: Box::new(database),
    }
}
