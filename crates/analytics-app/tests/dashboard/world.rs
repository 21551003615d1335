//! A dashboard over stores in memory, and a browser without a screen that asks it.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;

use analytics_app::http::dashboard::{self, Dashboard, DashboardParts, Gate};
use analytics_app::ingest::source::Input;
use analytics_app::replay::{RecordSink, Replay, ReplayOptions};
use analytics_app::services::ReputationService;
use analytics_app::simulate::{self, SimulationOptions, SimulationPlan};
use analytics_app::wiring::{self, Stores};
use analytics_domain::reputation::ReputationPolicy;
use analytics_domain::request_row::RequestRow;
use analytics_domain::session::AnalyticsSession;
use analytics_ports::{MockClock, SequentialIds, StoreError};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, StatusCode, header};
use chrono::{DateTime, TimeDelta, Utc};
use tower::ServiceExt;

/// A dashboard, its stores and its time.
pub(crate) struct World {
    pub(crate) stores: Stores,
    pub(crate) reputation: ReputationService,
    pub(crate) sessions: Vec<AnalyticsSession>,
    pub(crate) now: DateTime<Utc>,
    router: Router,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// Admits everybody, or only who brings the token.
struct TestGate {
    open: bool,
}

impl Gate for TestGate {
    fn admits(&self, parts: &Parts) -> bool {
        self.open || parts.headers.get(header::AUTHORIZATION).is_some_and(|value| value == "Bearer secret")
    }

    fn knows(&self, token: &str) -> bool {
        token == "secret"
    }
}

impl World {
    /// Nothing kept yet.
    pub(crate) fn empty() -> Self {
        Self::of(wiring::in_memory(NonZeroU32::new(100_000).unwrap()).0, Vec::new(), at(0), true)
    }

    /// Six hours of simulated people and bots, looked at just after the last of them.
    pub(crate) async fn simulated() -> Self {
        let rows = Rows::simulated();
        let (stores, _) = wiring::in_memory(NonZeroU32::new(100_000).unwrap());
        let last = rows.requests.iter().map(RequestRow::at).max().unwrap();
        for session in &rows.sessions {
            stores.sessions.create(session, last).await.unwrap();
        }
        for batch in rows.requests.chunks(1_000) {
            stores.requests.insert(batch, last).await.unwrap();
        }
        Self::of(stores, rows.sessions, last + TimeDelta::seconds(1), true)
    }

    /// A dashboard over these stores.
    pub(crate) fn of(
        stores: Stores,
        sessions: Vec<AnalyticsSession>,
        now: DateTime<Utc>,
        open: bool,
    ) -> Self {
        let (clock, ids) = (Arc::new(MockClock::at(now)), Arc::new(SequentialIds::new()));
        let reputation = ReputationService::new(
            Arc::clone(&stores.fingerprints),
            Arc::clone(&stores.bans),
            Arc::clone(&clock) as _,
            Arc::clone(&ids) as _,
            ReputationPolicy::default(),
            Vec::new(),
        );
        let parts = DashboardParts {
            stores: stores.clone(),
            reputation: reputation.clone(),
            clock,
            ids,
            rules: Arc::new(Arc::default),
            gate: Arc::new(TestGate { open }),
            live: None,
            form_key: [7; 32],
        };
        let router = dashboard::router(Arc::new(Dashboard::new(parts)));
        Self { stores, reputation, sessions, now, router }
    }

    /// The answer to a request.
    pub(crate) async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(to_bytes(body, 50_000_000).await.unwrap().to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    /// The answer to a GET of this address.
    pub(crate) async fn get(&self, address: &str) -> Answer {
        self.ask(Request::get(address).body(Body::empty()).unwrap()).await
    }

    /// The text of a page that is there.
    pub(crate) async fn page(&self, address: &str) -> String {
        let answer = self.get(address).await;
        assert_eq!(answer.status, StatusCode::OK, "{address}: {}", answer.text);
        answer.text
    }

    /// Sends a form with these fields.
    pub(crate) async fn post(&self, address: &str, fields: &[(&str, &str)]) -> Answer {
        let fields: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let request = Request::post(address)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(fields.join("&")))
            .unwrap();
        self.ask(request).await
    }

    /// Sends the form of a page that has this target, with its hidden fields and these.
    pub(crate) async fn submit(&self, page: &str, target: &str, fields: &[(&str, &str)]) -> Answer {
        let html = self.page(page).await;
        let form =
            html.split("<form method=\"post\"").find(|form| form.contains(&format!("action=\"{target}\"")));
        let form = form
            .unwrap_or_else(|| panic!("{page} has no form for {target}"))
            .split("</form>")
            .next()
            .unwrap();
        let hidden: Vec<(String, String)> = form
            .split("<input type=\"hidden\" name=\"")
            .skip(1)
            .map(|field| {
                let (name, rest) = field.split_once("\" value=\"").unwrap();
                (name.to_owned(), rest.split('"').next().unwrap().to_owned())
            })
            .collect();
        let mut all: Vec<(&str, &str)> =
            hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        all.extend(fields);
        self.post(target, &all).await
    }
}

impl Answer {
    pub(crate) fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Every row of a replay.
#[derive(Default)]
struct Rows {
    sessions: Vec<AnalyticsSession>,
    requests: Vec<RequestRow>,
}

impl Rows {
    fn simulated() -> Self {
        let options = SimulationOptions {
            hours: 6,
            people: 60,
            scale: 0.2,
            site_pages: 150,
            ..SimulationOptions::default()
        };
        let mut log = tempfile::NamedTempFile::new().unwrap();
        simulate::write(&SimulationPlan::new(options).unwrap(), log.as_file_mut(), &mut std::io::sink())
            .unwrap();
        let mut rows = Self::default();
        let options =
            ReplayOptions { capacity: NonZeroUsize::new(100_000).unwrap(), ..ReplayOptions::default() };
        Replay::new(options).with_records(&mut rows).run(vec![Input::from_argument(log.path())]).unwrap();
        rows
    }
}

impl RecordSink for Rows {
    fn take(&mut self, session: AnalyticsSession, requests: Vec<RequestRow>) -> Result<(), StoreError> {
        self.sessions.push(session);
        self.requests.extend(requests);
        Ok(())
    }
}

/// A time some seconds after one that tests share.
pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_500_000 + seconds, 0).unwrap()
}

pub(crate) fn encoded(text: &str) -> String {
    let letter = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(letter).collect()
}
