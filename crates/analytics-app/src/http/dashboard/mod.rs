//! The dashboard: pages rendered on the server, which a small script of ours keeps fresh.
//!
//! What it does: reads an address, asks the reports and the stores, and shows tables and charts, each table as CSV too. What
//! it changes (labels, flags, bans, acknowledgements) it changes by forms. What it does not do: count, which the stores
//! and [`ReportService`] do, nor know who may look, which its [`Gate`] says.

mod actions;
mod assets;
mod chart;
mod forms;
mod layout;
mod page;
mod pages;
mod problem;
mod series;
mod sign_in;
mod table;
mod view;

use std::sync::Arc;

use analytics_domain::ids::SessionId;
use analytics_domain::throttle::Mode;
use analytics_domain::visit::VisitPolicy;
use analytics_ports::{Clock, IdGenerator};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::Markup;

use self::forms::FormKey;
use self::layout::Shell;
use self::page::{Ask, Body, PageName};
use self::problem::Problem;
pub use self::sign_in::Gate;
use self::view::{Parameters, View};
use super::access::authorize;
use super::state::Service;
use crate::live::{LiveTraffic, Scope};
use crate::services::{LabelService, ModerationService, ReportService, ReputationService};
use crate::wiring::Stores;

/// What the dashboard shows and acts on.
pub struct Dashboard {
    stores: Stores,
    reports: ReportService,
    reputation: ReputationService,
    moderation: ModerationService,
    labels: LabelService,
    clock: Arc<dyn Clock>,
    rules: Arc<RulesInForce>,
    gate: Arc<dyn Gate>,
    live: Option<Arc<LiveTraffic>>,
    forms: FormKey,
}

/// Answers the rules that are in force; a service that runs takes up others.
pub type RulesInForce = dyn Fn() -> Arc<VisitPolicy> + Send + Sync;

/// What a [`Dashboard`] is made of.
pub struct DashboardParts {
    /// Where everything is kept.
    pub stores: Stores,
    /// What is done about fingerprints and bans.
    pub reputation: ReputationService,
    /// The time up to which pages show.
    pub clock: Arc<dyn Clock>,
    /// Makes the ids of what is audited.
    pub ids: Arc<dyn IdGenerator>,
    /// The rules whose arithmetic is shown. Every page says whether limits bind.
    pub rules: Arc<RulesInForce>,
    /// Who may look.
    pub gate: Arc<dyn Gate>,
    /// The engine, which is told what is done about its clients; `None` where nothing is served.
    pub live: Option<Arc<LiveTraffic>>,
    /// The key of the tokens of forms: random, and another one at each start.
    pub form_key: [u8; 32],
}

impl Dashboard {
    /// The dashboard over these parts.
    pub fn new(parts: DashboardParts) -> Self {
        let DashboardParts { stores, reputation, clock, ids, rules, gate, live, form_key } = parts;
        let reports = ReportService::new(Arc::clone(&stores.core_stats), Arc::clone(&stores.queries));
        let moderation = ModerationService::new(
            reputation.clone(),
            Arc::clone(&stores.audit),
            Arc::clone(&clock),
            Arc::clone(&ids),
        );
        let labels = LabelService::new(
            Arc::clone(&stores.labels),
            Arc::clone(&stores.sessions),
            Arc::clone(&stores.audit),
            reputation.clone(),
            Arc::clone(&clock),
            ids,
        );
        let forms = FormKey::new(form_key);
        Self { stores, reports, reputation, moderation, labels, clock, rules, gate, live, forms }
    }
}

impl Dashboard {
    /// Whether limits bind.
    fn mode(&self) -> Mode {
        (self.rules)().throttle.mode()
    }

    /// The dashboard of a service, with a key of its own.
    pub fn of(service: &Arc<Service>) -> Self {
        let parts = service.parts();
        let now = parts.clock.now();
        // Ids are random, and an id of a ban is nothing but chance.
        let chance = [parts.ids.ban_id(now), parts.ids.ban_id(now)].map(|id| id.as_u128().to_le_bytes());
        let mut form_key = [0; 32];
        form_key.copy_from_slice(chance.as_flattened());
        let live = Arc::clone(&parts.live);
        Self::new(DashboardParts {
            stores: parts.stores.clone(),
            reputation: parts.reputation.clone(),
            clock: Arc::clone(&parts.clock),
            ids: Arc::clone(&parts.ids),
            rules: Arc::new(move || live.visit()),
            gate: Arc::clone(service) as _,
            live: Some(Arc::clone(&parts.live)),
            form_key,
        })
    }
}

impl Gate for Service {
    fn admits(&self, parts: &Parts) -> bool {
        authorize(self, parts, Scope::Admin).is_ok()
    }

    fn knows(&self, token: &str) -> bool {
        self.tokens().and_then(|tokens| tokens.scope(token)).is_some_and(|scope| scope.covers(Scope::Admin))
    }
}

/// The routes of the dashboard, to be merged at the root.
pub fn router(dashboard: Arc<Dashboard>) -> Router {
    let mut router = Router::new();
    for page in PageName::ALL {
        let show = async move |State(dashboard): State<Arc<Dashboard>>, uri: Uri| {
            show(&dashboard, page, page.own_parameters(), &uri, None).await
        };
        router = router.route(page.path(), get(show));
    }
    router
        .route("/sessions/{id}", get(session))
        .route("/sessions/{id}/label", post(actions::label))
        .route("/fingerprints/{hash}/flag", post(actions::flag))
        .route("/fingerprints/{hash}/clear", post(actions::clear))
        .route("/bans/lift", post(actions::lift))
        .route("/anomalies/{id}/acknowledge", post(actions::acknowledge))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&dashboard), sign_in::guard))
        .route(sign_in::PATH, get(sign_in::page).post(sign_in::enter))
        .route(assets::STYLE.path, get(|| async { assets::STYLE.response() }))
        .route(assets::SCRIPT.path, get(|| async { assets::SCRIPT.response() }))
        .method_not_allowed_fallback(|| async { StatusCode::METHOD_NOT_ALLOWED })
        .layer(DefaultBodyLimit::max(MOST_FORM_BYTES))
        .with_state(dashboard)
}

async fn session(State(dashboard): State<Arc<Dashboard>>, Path(id): Path<String>, uri: Uri) -> Response {
    match id.parse() {
        Ok(id) => show(&dashboard, PageName::Sessions, &["after"], &uri, Some(id)).await,
        Err(_) => refuse(&dashboard, &Problem::Missing("session with this id")),
    }
}

/// Shows a page, or one of its tables as CSV.
async fn show(
    dashboard: &Dashboard,
    page: PageName,
    own: &[&str],
    uri: &Uri,
    session: Option<SessionId>,
) -> Response {
    let now = dashboard.clock.now();
    let answer = async {
        let parameters = Parameters::of(uri)?;
        let view = View::read(&parameters, page.keys(), own, now)?;
        let done = parameters.get("done").map(actions::done).transpose()?;
        let ask = Ask { dashboard, page, view: &view };
        let body = match session {
            Some(id) => pages::session::body(&ask, id).await?,
            None => ask.body().await?,
        };
        match parameters.get("format") {
            None | Some("html") => {
                let shell = Shell { page, path: uri.path(), view: &view, mode: dashboard.mode(), now, done };
                Ok(html(StatusCode::OK, shell.html(&body)))
            }
            Some("csv") => csv(page, &body, parameters.get("table")),
            Some(_) => Err(Problem::query("format", "is html or csv")),
        }
    };
    answer.await.unwrap_or_else(|problem| refuse(dashboard, &problem))
}

fn csv(page: PageName, body: &Body, table: Option<&str>) -> Result<Response, Problem> {
    let id = table.ok_or_else(|| Problem::query("table", "says which table is wanted as CSV"))?;
    let table = body.table(id).ok_or_else(|| Problem::query("table", "is no table of this page"))?;
    let name = format!(
        "attachment; filename=\"{}-{}.csv\"",
        page.title().to_lowercase().replace(' ', "-"),
        table.id
    );
    let headers =
        [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok(guarded((headers, table.csv()).into_response()))
}

/// The page that says why there is none.
fn refuse(dashboard: &Dashboard, problem: &Problem) -> Response {
    let mut response = html(problem.status(), layout::problem(problem, dashboard.mode()));
    if problem.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

fn html(status: StatusCode, page: Markup) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    guarded((status, headers, page.into_string()).into_response())
}

/// The response with the fields that keep other sites, and markup that got in somehow, from doing anything.
fn guarded(mut response: Response) -> Response {
    let fields: [(HeaderName, &'static str); 5] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // A form must say where it came from, so the referrer goes to this origin, and to no other.
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in fields {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const MOST_FORM_BYTES: usize = 8_192;
