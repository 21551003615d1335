//! What is done by forms: labels, flags, bans, acknowledgements. The engine is told before the store, since whoever is being
//! served now is known to it first.

use std::sync::Arc;

use analytics_domain::ids::{AnomalyEventId, FingerprintHash, SessionId};
use analytics_domain::label::{LabelClass, LabelSource};
use analytics_domain::reputation::BanSubject;
use analytics_domain::session::Points;
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::forms::Fields;
use super::problem::Problem;
use super::{Dashboard, guarded, refuse};
use crate::services::{NewLabel, Operator};

/// The fields of a form, or why there are none.
pub(super) type Sent = Result<Form<Vec<(String, String)>>, FormRejection>;

pub(super) async fn label(
    State(dashboard): State<Arc<Dashboard>>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    sent: Sent,
) -> Response {
    let work = async {
        let fields = accept(&dashboard, &uri, &headers, sent)?;
        let class: LabelClass = fields.parsed("class")?;
        let id: SessionId = id.parse().map_err(|_| Problem::Missing("session with this id"))?;
        let by = operator(fields.get("reason"))?;
        let session = dashboard.stores.sessions.get(id).await?;
        session.ok_or(Problem::Missing("session with this id"))?;
        let new = NewLabel { session: id, class, source: LabelSource::Manual, confidence: SURE };
        let answer = dashboard.labels.set(new, &by).await?;
        if let (Some(cleared), Some(live)) = (answer.cleared, &dashboard.live) {
            live.clear_as_human(cleared.fingerprint, dashboard.clock.now());
        }
        Ok(format!("/sessions/{id}?done=labelled"))
    };
    answer(&dashboard, work.await)
}

pub(super) async fn flag(
    State(dashboard): State<Arc<Dashboard>>,
    Path(hash): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    sent: Sent,
) -> Response {
    let work = async {
        accept(&dashboard, &uri, &headers, sent)?;
        let hash = fingerprint(&hash)?;
        for state in dashboard.live.iter().flat_map(|live| live.flag(hash)) {
            dashboard.reputation.keep(hash, state).await?;
        }
        dashboard.moderation.flag(hash, &operator(None)?).await?.ok_or(UNSEEN)?;
        Ok(format!("/fingerprints?hash={hash}&done=flagged"))
    };
    answer(&dashboard, work.await)
}

pub(super) async fn clear(
    State(dashboard): State<Arc<Dashboard>>,
    Path(hash): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    sent: Sent,
) -> Response {
    let work = async {
        accept(&dashboard, &uri, &headers, sent)?;
        let hash = fingerprint(&hash)?;
        let live = dashboard.live.as_ref();
        let served = live.is_some_and(|live| !live.clear_as_human(hash, dashboard.clock.now()).is_empty());
        let cleared = dashboard.moderation.clear(hash, &operator(None)?).await?;
        if cleared.is_none() && !served {
            return Err(UNSEEN);
        }
        Ok(format!("/fingerprints?hash={hash}&done=cleared"))
    };
    answer(&dashboard, work.await)
}

pub(super) async fn lift(
    State(dashboard): State<Arc<Dashboard>>,
    uri: Uri,
    headers: HeaderMap,
    sent: Sent,
) -> Response {
    let work = async {
        let fields = accept(&dashboard, &uri, &headers, sent)?;
        let wrong = Problem::Field("subject");
        let subject = match fields.get("subject").and_then(|text| text.split_once(':')) {
            Some(("fingerprint", hash)) => BanSubject::Fingerprint(fingerprint(hash)?),
            Some(("network", network)) => BanSubject::Network(network.parse().map_err(|_| wrong)?),
            _ => return Err(wrong),
        };
        dashboard.moderation.free(subject, &operator(None)?).await?;
        Ok("/bans?done=lifted".to_owned())
    };
    answer(&dashboard, work.await)
}

pub(super) async fn acknowledge(
    State(dashboard): State<Arc<Dashboard>>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    sent: Sent,
) -> Response {
    let work = async {
        accept(&dashboard, &uri, &headers, sent)?;
        let missing = || Problem::Missing("anomaly with this id");
        let id: AnomalyEventId = id.parse().map_err(|_| missing())?;
        let now = dashboard.clock.now();
        dashboard.stores.anomalies.acknowledge(id, now).await?.ok_or_else(missing)?;
        Ok("/anomalies?done=acknowledged".to_owned())
    };
    answer(&dashboard, work.await)
}

/// What was done, in words; the address names it by a word of ours only.
pub(super) fn done(name: &str) -> Result<&'static str, Problem> {
    match name {
        "labelled" => Ok("The session was labelled."),
        "flagged" => Ok("The fingerprint was flagged."),
        "cleared" => Ok("The fingerprint was cleared, and its bans were taken back."),
        "lifted" => Ok("The bans were lifted."),
        "acknowledged" => Ok("The anomaly was acknowledged."),
        _ => Err(Problem::query("done", "is nothing that can be done here")),
    }
}

/// The fields of a form of ours.
pub(super) fn accept(
    dashboard: &Dashboard,
    uri: &Uri,
    headers: &HeaderMap,
    sent: Sent,
) -> Result<Fields, Problem> {
    let Form(fields) = sent.map_err(|_| Problem::Field("token"))?;
    dashboard.forms.accept(uri.path(), headers, fields)
}

fn fingerprint(text: &str) -> Result<FingerprintHash, Problem> {
    text.parse().map_err(|_| UNSEEN)
}

/// Who does it, for the audit: the dashboard knows no accounts.
fn operator(reason: Option<&str>) -> Result<Operator, Problem> {
    Operator::new("dashboard", reason).map_err(|_| Problem::Field("reason"))
}

/// Leads to the page that shows what was done, or says why nothing was.
fn answer(dashboard: &Dashboard, done: Result<String, Problem>) -> Response {
    match done {
        Ok(to) => guarded((StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()),
        Err(problem) => refuse(dashboard, &problem),
    }
}

const UNSEEN: Problem = Problem::Missing("fingerprint with this hash");
const SURE: Points = match Points::from_hundredths(10_000) {
    Ok(points) => points,
    Err(_) => panic!("100 is the most"),
};
