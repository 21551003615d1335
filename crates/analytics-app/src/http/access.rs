//! Who may call what.
//!
//! Three scopes: what every browser may call needs nothing; hosts that speak for addresses and costs bring the ingest
//! token; everything else needs the admin token. On a loopback listener a person at the machine needs none: then `Host`
//! is localhost, the peer is the machine itself, no forwarding header is there, and a browser says that the request is
//! of this very site. A proxy passes that by only if it is set up to lie.

use std::net::{IpAddr, SocketAddr};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use std::sync::Arc;

use super::problem::{Problem, ProblemKind};
use super::state::Service;
use crate::live::Scope;
use crate::services::Operator;

/// Proof that the caller may do what hosts may.
#[derive(Debug, Clone, Copy)]
pub struct Ingest;

/// Proof that the caller may do everything, and who that is, as the audit keeps it.
///
/// `X-Operator` names the person; without it the audit says by what right the call was made. `X-Reason` says why.
#[derive(Debug, Clone)]
pub struct Admin(pub Operator);

/// The other end of the connection. Without one, as in tests, it is the machine itself.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

impl FromRequestParts<Arc<Service>> for Ingest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Problem> {
        authorize(service, parts, Scope::Ingest).map(|()| Self)
    }
}

impl FromRequestParts<Arc<Service>> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Problem> {
        authorize(service, parts, Scope::Admin)?;
        let right = if bearer(&parts.headers).is_some() { "admin token" } else { "person at the machine" };
        let name = parts.headers.get("x-operator").and_then(|name| name.to_str().ok()).unwrap_or(right);
        let reason = parts.headers.get("x-reason").and_then(|reason| reason.to_str().ok());
        Operator::new(name, reason).map(Self).map_err(Problem::bad)
    }
}

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(peer(parts)))
    }
}

/// Whether the caller may do what needs this scope.
///
/// # Errors
/// `Unauthorized`, `Forbidden` or `CrossSite`.
pub fn authorize(service: &Service, parts: &Parts, needed: Scope) -> Result<(), Problem> {
    if needed == Scope::Public {
        return Ok(());
    }
    match bearer(&parts.headers) {
        Some(token) => match service.tokens().and_then(|tokens| tokens.scope(token)) {
            Some(scope) if scope.covers(needed) => Ok(()),
            Some(_) => Err(Problem::of(ProblemKind::Forbidden)),
            None => Err(Problem::new(ProblemKind::Unauthorized, "the token is not known")),
        },
        None if !is_local(service, parts) => Err(Problem::of(ProblemKind::Unauthorized)),
        None if is_cross_site(parts) => Err(Problem::of(ProblemKind::CrossSite)),
        None => Ok(()),
    }
}

/// Whether the request comes from a person at the machine, and through no proxy.
pub fn is_local(service: &Service, parts: &Parts) -> bool {
    let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via", "x-forwarded-host"];
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    service.listens_on_loopback()
        && peer(parts).to_canonical().is_loopback()
        && is_localhost(host)
        && !forwarded.iter().any(|name| parts.headers.contains_key(*name))
}

/// Whether a browser says that another site's page made the request, and the request would change something.
pub fn is_cross_site(parts: &Parts) -> bool {
    if parts.method == Method::GET || parts.method == Method::HEAD {
        return false;
    }
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text("origin") else { return false };
    let host = text("host").unwrap_or_default();
    origin.split_once("://").is_none_or(|(_, of)| of != host)
}

/// The address at the other end of the connection.
pub fn peer(parts: &Parts) -> IpAddr {
    let known = parts.extensions.get::<axum::extract::ConnectInfo<SocketAddr>>();
    known.map_or(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), |info| info.0.ip())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn is_localhost(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
