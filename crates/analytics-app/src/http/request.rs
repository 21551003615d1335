//! Requests of HTTP as the engine reads them.

use std::net::IpAddr;

use analytics_domain::request::RawRequest;
use axum::http::{HeaderMap, Version};
use chrono::{DateTime, Utc};

/// The fields of a request whose values are text; others tell the rules nothing.
pub(super) fn fields(headers: &HeaderMap) -> Vec<(&str, &str)> {
    headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect()
}

/// A request as the engine reads it.
pub(super) const fn raw<'a>(
    method: &'a str,
    target: &'a str,
    protocol: &'a str,
    headers: &'a [(&'a str, &'a str)],
    peer: IpAddr,
    at: DateTime<Utc>,
) -> RawRequest<'a> {
    RawRequest { method, target, protocol, status: None, bytes: None, headers, peer, at }
}

/// The version as a request line writes it.
pub(super) const fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_11 => "HTTP/1.1",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "",
    }
}
