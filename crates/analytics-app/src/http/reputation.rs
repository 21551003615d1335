//! Fingerprints and bans.

use analytics_domain::ids::FingerprintHash;
use analytics_domain::reputation::{Ban, BanSubject, FingerprintReputation};
use analytics_domain::request::Network;
use analytics_ports::{BanCursor, BatchLimit, PageRequest};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::access::Admin;
use super::answers::{NeedsStore, NeedsToken};
use super::extract::{Asked, Path};
use super::problem::{Problem, ProblemKind};
use super::{State, cursor};
use crate::services::BanListFormat;

/// From where in a list, and how far.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// The most entries, 1 to 10,000. Default 50.
    limit: Option<u32>,
    /// What the page before named as `next`.
    after: Option<String>,
}

#[derive(Serialize)]
struct FingerprintsPage {
    fingerprints: Vec<FingerprintReputation>,
    next: Option<FingerprintHash>,
}

#[derive(Serialize)]
struct BansPage {
    bans: Vec<Ban>,
    next: Option<String>,
}

/// The fingerprints of high risk.
#[utoipa::path(
    get, path = "/v1/fingerprints", tag = "reputation", params(PageQuery),
    responses(
        (status = 200, description = "A page of reputations", body = Object),
        (status = 400, description = "A wrong page", content_type = "application/problem+json"),
        NeedsToken,
        NeedsStore,
    )
)]
pub(super) async fn fingerprints(
    service: State,
    _: Admin,
    Asked(query): Asked<PageQuery>,
) -> Result<Response, Problem> {
    let limit = query.limit()?;
    let page = match query.after.as_deref() {
        None => PageRequest::first(limit),
        Some(text) => PageRequest::after(limit, text.parse().map_err(|_| Problem::wrong_place())?),
    };
    let page = service.reputation().review(page).await?;
    Ok(axum::Json(FingerprintsPage { fingerprints: page.items, next: page.next }).into_response())
}

/// Flags a fingerprint until it is cleared.
#[utoipa::path(
    post, path = "/v1/fingerprints/{hash}/flag", tag = "reputation",
    params(("hash" = String, Path, description = "32 hexadecimal digits")),
    responses(
        (status = 200, description = "Its reputation now", body = Object),
        (status = 400, description = "No such hash can be", content_type = "application/problem+json"),
        (status = 404, description = "It was never seen", content_type = "application/problem+json"),
        (status = 409, description = "Others changed it at the same time", content_type = "application/problem+json"),
        NeedsToken,
        NeedsStore,
    )
)]
pub(super) async fn flag(
    service: State,
    Admin(by): Admin,
    Path(hash): Path<FingerprintHash>,
) -> Result<Response, Problem> {
    for state in service.live().flag(hash) {
        service.reputation().keep(hash, state).await?;
    }
    let flagged = service.moderation().flag(hash, &by).await?.ok_or_else(|| never_seen(hash))?;
    Ok(axum::Json(flagged).into_response())
}

/// Forgets all that speaks against a fingerprint and takes back its bans.
#[utoipa::path(
    post, path = "/v1/fingerprints/{hash}/clear", tag = "reputation",
    params(("hash" = String, Path, description = "32 hexadecimal digits")),
    responses(
        (status = 200, description = "Its reputation before and now, and the bans that were taken back", body = Object),
        (status = 400, description = "No such hash can be", content_type = "application/problem+json"),
        (status = 404, description = "It was never seen", content_type = "application/problem+json"),
        (status = 409, description = "Others changed it at the same time", content_type = "application/problem+json"),
        NeedsToken,
        NeedsStore,
    )
)]
pub(super) async fn clear(
    service: State,
    Admin(by): Admin,
    Path(hash): Path<FingerprintHash>,
) -> Result<Response, Problem> {
    let lifted = service.live().clear_as_human(hash, service.clock().now());
    let cleared = service.moderation().clear(hash, &by).await?;
    match cleared {
        Some(cleared) => Ok(axum::Json(serde_json::json!({
            "before": cleared.before, "after": cleared.after, "bans": cleared.bans,
        }))
        .into_response()),
        None if !lifted.is_empty() => Ok(axum::Json(serde_json::json!({
            "before": null, "after": null, "bans": [],
        }))
        .into_response()),
        None => Err(never_seen(hash)),
    }
}

/// The networks that are banned now, as a file for a proxy or a firewall.
///
/// Bans of single clients are not in it, since no proxy can tell them; nor are bans of shadow mode.
#[utoipa::path(
    get, path = "/v1/bans/lists/{format}", tag = "reputation",
    params(("format" = String, Path, description = "nginx, nginx-geo, caddy or nftables")),
    responses(
        (status = 200, description = "The list", body = String, content_type = "text/plain"),
        (status = 400, description = "There is no such format", content_type = "application/problem+json"),
        NeedsToken,
        NeedsStore,
    )
)]
pub(super) async fn ban_list(
    service: State,
    _: Admin,
    Path(format): Path<String>,
) -> Result<Response, Problem> {
    let format: BanListFormat = format.parse().map_err(Problem::bad)?;
    let text = service.reputation().ban_list().await?.to_text(format);
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

/// The bans that run now, the one that ends first in front.
#[utoipa::path(
    get, path = "/v1/bans", tag = "reputation", params(PageQuery),
    responses(
        (status = 200, description = "A page of bans; those of shadow mode are marked `would_ban`", body = Object),
        (status = 400, description = "A wrong page", content_type = "application/problem+json"),
        NeedsToken,
        NeedsStore,
    )
)]
pub(super) async fn bans(
    service: State,
    _: Admin,
    Asked(query): Asked<PageQuery>,
) -> Result<Response, Problem> {
    let limit = query.limit()?;
    let page = cursor::page(limit, query.after.as_deref(), |until, id| BanCursor { until, id })?;
    let page = service.stores().bans.list_running(service.clock().now(), page).await?;
    let next = page.next.map(|next| cursor::place(next.until, next.id));
    Ok(axum::Json(BansPage { bans: page.items, next }).into_response())
}

/// Takes back the bans of a network, at once.
#[utoipa::path(
    delete, path = "/v1/bans/{network}", tag = "reputation",
    params(("network" = String, Path, description = "The network, its slash written as %2F, such as 203.0.113.7%2F32")),
    responses(
        (status = 200, description = "The bans that were taken back", body = Object),
        (status = 400, description = "No such network can be", content_type = "application/problem+json"),
        (status = 404, description = "It is not banned", content_type = "application/problem+json"),
        NeedsToken,
        NeedsStore,
    )
)]
pub(super) async fn free(
    service: State,
    Admin(by): Admin,
    Path(network): Path<String>,
) -> Result<Response, Problem> {
    let network: Network = network.parse().map_err(Problem::bad)?;
    let was_live = service.live().free_network(network.address(), service.clock().now());
    let bans = service.moderation().free(BanSubject::Network(network), &by).await?;
    if bans.is_empty() && !was_live {
        return Err(Problem::new(ProblemKind::NotFound, format!("{network} is not banned")));
    }
    Ok(axum::Json(serde_json::json!({ "bans": bans })).into_response())
}

impl PageQuery {
    fn limit(&self) -> Result<BatchLimit, Problem> {
        BatchLimit::new(self.limit.unwrap_or(50)).map_err(Problem::bad)
    }
}

fn never_seen(hash: FingerprintHash) -> Problem {
    Problem::new(ProblemKind::NotFound, format!("the fingerprint {hash} was never seen"))
}
