//! What is done by forms: labels, flags, bans, acknowledgements. Each leaves an entry in the audit where one is kept.

use std::sync::Arc;

use analytics_domain::audit::{AuditAction, AuditEntry, AuditRecord, AuditSubject};
use analytics_domain::event::EventProperties;
use analytics_domain::ids::{AnomalyEventId, FingerprintHash, SessionId};
use analytics_domain::label::{Label, LabelClass, LabelRecord, LabelSource};
use analytics_domain::reputation::BanSubject;
use analytics_domain::session::{Points, Text};
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};

use super::forms::Fields;
use super::problem::Problem;
use super::{Dashboard, guarded, refuse};

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
        let reason = fields.get("reason").map(Text::cut);
        let session =
            dashboard.stores.sessions.get(id).await?.ok_or(Problem::Missing("session with this id"))?;
        let now = dashboard.clock.now();
        let label = Label::try_from(LabelRecord {
            session: id,
            source: LabelSource::Manual,
            class,
            confidence: SURE,
            at: now,
            author: Some(Text::cut(ACTOR)),
        });
        let label = label.map_err(|_| Problem::Field("class"))?;
        dashboard.stores.labels.put(&label).await?;
        audit(&dashboard, now, AuditAction::Label, AuditSubject::Session(id), reason.clone()).await?;
        let fingerprint = session.value.record().fingerprint;
        if class == LabelClass::Human && forget(&dashboard, fingerprint, now).await? {
            let subject = AuditSubject::Fingerprint(fingerprint);
            audit(&dashboard, now, AuditAction::ClearAsHuman, subject, reason).await?;
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
        // Whoever is being served now is known to the engine before he is to the store.
        for state in dashboard.live.iter().flat_map(|live| live.flag(hash)) {
            dashboard.reputation.keep(hash, state).await?;
        }
        dashboard.reputation.flag(hash).await?.ok_or(UNSEEN)?;
        let subject = AuditSubject::Fingerprint(hash);
        audit(&dashboard, dashboard.clock.now(), AuditAction::Flag, subject, None).await?;
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
        if !forget(&dashboard, hash, dashboard.clock.now()).await? {
            return Err(UNSEEN);
        }
        let subject = AuditSubject::Fingerprint(hash);
        audit(&dashboard, dashboard.clock.now(), AuditAction::ClearFlag, subject, None).await?;
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
        let (subject, audited) = match fields.get("subject").and_then(|text| text.split_once(':')) {
            Some(("fingerprint", hash)) => {
                let hash = fingerprint(hash)?;
                (BanSubject::Fingerprint(hash), AuditSubject::Fingerprint(hash))
            }
            Some(("network", network)) => {
                let network = network.parse().map_err(|_| wrong)?;
                (BanSubject::Network(network), AuditSubject::Network(network))
            }
            _ => return Err(wrong),
        };
        dashboard.reputation.free(subject).await?;
        audit(&dashboard, dashboard.clock.now(), AuditAction::LiftBan, audited, None).await?;
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

/// Forgets what is held against a fingerprint, in the engine and in the store; answers whether there was anything of it.
async fn forget(dashboard: &Dashboard, hash: FingerprintHash, now: DateTime<Utc>) -> Result<bool, Problem> {
    let served = dashboard.live.as_ref().is_some_and(|live| !live.clear_as_human(hash, now).is_empty());
    Ok(dashboard.reputation.clear(hash).await?.is_some() || served)
}

async fn audit(
    dashboard: &Dashboard,
    at: DateTime<Utc>,
    action: AuditAction,
    subject: AuditSubject,
    reason: Option<Text<1024>>,
) -> Result<(), Problem> {
    let id = dashboard.ids.event_id(at);
    let (actor, details) = (Text::cut(ACTOR), EventProperties::default());
    let entry = AuditEntry::try_from(AuditRecord { id, at, actor, action, subject, reason, details });
    let entry = entry.expect("the id is of this time, and somebody is named");
    dashboard.stores.audit.record(&entry).await?;
    Ok(())
}

/// Leads to the page that shows what was done, or says why nothing was.
fn answer(dashboard: &Dashboard, done: Result<String, Problem>) -> Response {
    match done {
        Ok(to) => guarded((StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()),
        Err(problem) => refuse(dashboard, &problem),
    }
}

const UNSEEN: Problem = Problem::Missing("fingerprint with this hash");
/// Who did it, for the audit: the dashboard knows no accounts.
const ACTOR: &str = "dashboard";
const SURE: Points = match Points::from_hundredths(10_000) {
    Ok(points) => points,
    Err(_) => panic!("100 is the most"),
};
