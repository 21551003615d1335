//! A site with the tracker on its pages, and the service that takes the beacons, in the process of the test.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use analytics_app::services::engagement::wire::Form;
use analytics_app::services::engagement::{EngagementReport, EngagementRules, Sender};
use analytics_app::services::{AnalyticsService, EngagementService};
use analytics_app::system::{SystemClock, SystemIds};
use analytics_app::tracker::SCRIPT;
use analytics_app::wiring::{Stores, in_memory};
use analytics_domain::engagement::{
    BeaconPolicy, EngagementEvent, EngagementFigures, EngagementPolicy, PageTokenKey,
};
use analytics_domain::event::AnalyticsEvent;
use analytics_domain::ids::SessionId;
use analytics_domain::request::SitePolicy;
use analytics_domain::session::SessionPolicy;
use analytics_ports::{BatchLimit, PageRequest};
use parking_lot::Mutex;

use super::site::{Answer, Asked, serve};

/// What came of a visit.
pub(crate) struct Collector {
    /// The site's address, without a slash at its end.
    pub(crate) url: String,
    took: Arc<Took>,
}

struct Took {
    service: EngagementService,
    stores: Stores,
    reports: Mutex<Vec<EngagementReport>>,
    /// Bodies as they came.
    bodies: Mutex<Vec<String>>,
    /// Whether requests for tokens are answered as those of somebody who is not measured.
    declines: AtomicBool,
}

/// The session of everybody who visits.
const SESSION: SessionId = SessionId::from_u128(1);

impl Collector {
    /// A site whose every path answers this page.
    pub(crate) async fn with_page(page: &'static str) -> Self {
        let (stores, _) = in_memory(NonZeroU32::new(1_000).unwrap());
        let clock = Arc::new(SystemClock);
        let ids = Arc::new(SystemIds::new().unwrap());
        let analytics = AnalyticsService::new(
            Arc::clone(&stores.sessions),
            Arc::clone(&stores.events),
            Arc::clone(&clock) as _,
            Arc::clone(&ids) as _,
            SessionPolicy::default(),
        );
        let rules = EngagementRules {
            beacons: BeaconPolicy::default(),
            engagement: EngagementPolicy::default(),
            site: Arc::new(SitePolicy::default()),
        };
        let key = PageTokenKey::of_secret(&[7; 32]);
        let engagement = Arc::clone(&stores.engagement);
        let service = EngagementService::new(analytics, engagement, clock, ids, key, rules);
        let took = Arc::new(Took {
            service,
            stores,
            reports: Mutex::default(),
            bodies: Mutex::default(),
            declines: AtomicBool::new(false),
        });
        let taking = Arc::clone(&took);
        let url = serve(move |asked| {
            let took = Arc::clone(&taking);
            async move { took.answer(page, &asked).await }
        });
        Self { url: url.await, took }
    }

    /// Answers requests for tokens as those of somebody who is not measured from now on.
    pub(crate) fn decline(&self) {
        self.took.declines.store(true, Ordering::Relaxed);
    }

    /// Everything that was sent, as it came.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.took.bodies.lock().clone()
    }

    /// How many beacons about engagement have been answered.
    pub(crate) fn beacons(&self) -> usize {
        self.took.reports.lock().len()
    }

    /// What beacons said of the session.
    pub(crate) fn reports(&self) -> Vec<EngagementReport> {
        self.took.reports.lock().clone()
    }

    /// The engagement with a path that was kept, oldest first; all of it is bound and possible.
    pub(crate) async fn engagement(&self, path: &str) -> Vec<EngagementFigures> {
        let page = PageRequest::first(BatchLimit::default());
        let kept = self.took.stores.engagement.list_by_session(SESSION, page).await.unwrap().items;
        let of_page = kept
            .iter()
            .map(EngagementEvent::record)
            .filter(|record| record.page_url.as_str() == format!("{}{path}", self.url));
        let figures = of_page.map(|record| {
            assert!(record.bound && record.implausible.is_empty(), "{record:?}");
            record.figures
        });
        figures.collect()
    }

    /// The events that were kept, oldest first.
    pub(crate) async fn events(&self) -> Vec<AnalyticsEvent> {
        let page = PageRequest::first(BatchLimit::default());
        self.took.stores.events.list_by_session(SESSION, page).await.unwrap().items
    }
}

impl Took {
    async fn answer(&self, page: &str, asked: &Asked) -> Answer {
        let script = &SCRIPT;
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/tracker.js") => {
                Answer { status: 200, media_type: script.media_type, body: script.body.clone() }
            }
            ("GET", _) => Answer::html(page),
            (_, path) => {
                self.bodies.lock().push(String::from_utf8(asked.body.clone()).unwrap());
                self.take(path, &asked.body).await
            }
        }
    }

    async fn take(&self, path: &str, body: &[u8]) -> Answer {
        let json = |status, body| Answer { status, media_type: "application/json", body };
        match path {
            "/v1/page-token" if self.declines.load(Ordering::Relaxed) => json(204, Vec::new()),
            "/v1/page-token" => {
                let request = self.service.page_request(body).unwrap().unwrap();
                let token = self.service.page_token(Some(SESSION), &request).await.unwrap();
                json(200, serde_json::to_vec(&token).unwrap())
            }
            "/v1/engagement" => {
                let taken = self.service.engage(Some(SESSION), Form::One, body).await.unwrap();
                self.reports.lock().extend(taken.reports);
                json(202, serde_json::to_vec(&taken.answers).unwrap())
            }
            "/v1/events" => {
                let sender = Sender { session: Some(SESSION), is_host: false };
                let answers = self.service.events(sender, Form::One, body).await.unwrap();
                json(202, serde_json::to_vec(&answers).unwrap())
            }
            other => panic!("the tracker asked for {other}"),
        }
    }
}
