//! The style and the script of the dashboard, part of the program.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

/// A file that pages name.
pub(super) struct Asset {
    pub(super) path: &'static str,
    kind: &'static str,
    text: &'static str,
}

impl Asset {
    /// The file as an answer. It may change with each version of the program, so browsers ask again.
    pub(super) fn response(&self) -> Response {
        let mut response = super::guarded(([(header::CONTENT_TYPE, self.kind)], self.text).into_response());
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}

pub(super) const STYLE: Asset = Asset {
    path: "/dashboard.css",
    kind: "text/css; charset=utf-8",
    text: include_str!("assets/dashboard.css"),
};
pub(super) const SCRIPT: Asset = Asset {
    path: "/dashboard.js",
    kind: "text/javascript; charset=utf-8",
    text: include_str!("assets/dashboard.js"),
};
