//! Errors as the client sees them: `application/problem+json`, RFC 9457.

use analytics_ports::StoreError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// An error, as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    kind: ProblemKind,
    detail: Option<String>,
}

/// Every error that the service tells. Refusals of the throttle are not among them: the domain writes those.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProblemKind {
    /// What was sent cannot be read, or says something impossible.
    BadRequest,
    /// No token, or a wrong one.
    Unauthorized,
    /// The token does not open this.
    Forbidden,
    /// A decision was asked for by a peer that is not a trusted proxy.
    UntrustedPeer,
    /// Another site's page tried to change something.
    CrossSite,
    /// There is no such route.
    NoSuchRoute,
    /// There is no such thing.
    NotFound,
    /// The route does not take this method.
    MethodNotAllowed,
    /// It was changed by others at the same time, or is not in a state that allows it.
    Conflict,
    /// The body is too large.
    TooLarge,
    /// The body is of another type.
    UnsupportedType,
    /// Too many requests of this kind.
    TooMany,
    /// The store is away, or the queue before it is full. The same call may succeed later.
    Unavailable,
    /// A row of the store breaks a rule.
    Corrupt,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

impl Problem {
    /// The problem of this kind, without details.
    pub const fn of(kind: ProblemKind) -> Self {
        Self { kind, detail: None }
    }

    /// The problem of this kind, with what is wrong this time.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: Some(detail.into()) }
    }

    /// Something that cannot be read, with what is wrong.
    #[expect(clippy::needless_pass_by_value, reason = "it is made for `map_err`")]
    pub fn bad(detail: impl ToString) -> Self {
        Self::new(ProblemKind::BadRequest, detail.to_string())
    }

    /// A place in a list that is none.
    pub(super) fn wrong_place() -> Self {
        Self::bad("`after` is none that a page named as `next`")
    }

    /// The kind.
    pub const fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// What is wrong this time.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }
}

impl ProblemKind {
    /// The status that it is told with.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::UntrustedPeer | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::NoSuchRoute | Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Corrupt => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    const fn uri(self) -> &'static str {
        match self {
            Self::BadRequest => "urn:analytics:problem:bad-request",
            Self::Unauthorized => "urn:analytics:problem:unauthorized",
            Self::Forbidden => "urn:analytics:problem:forbidden",
            Self::UntrustedPeer => "urn:analytics:problem:untrusted-peer",
            Self::CrossSite => "urn:analytics:problem:cross-site",
            Self::NoSuchRoute => "urn:analytics:problem:no-such-route",
            Self::NotFound => "urn:analytics:problem:not-found",
            Self::MethodNotAllowed => "urn:analytics:problem:method-not-allowed",
            Self::Conflict => "urn:analytics:problem:conflict",
            Self::TooLarge => "urn:analytics:problem:too-large",
            Self::UnsupportedType => "urn:analytics:problem:unsupported-type",
            Self::TooMany => "urn:analytics:problem:too-many",
            Self::Unavailable => "urn:analytics:problem:unavailable",
            Self::Corrupt => "urn:analytics:problem:corrupt",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::BadRequest => "The request cannot be read",
            Self::Unauthorized => "A token is needed",
            Self::Forbidden => "The token does not open this",
            Self::UntrustedPeer => "The peer is not a trusted proxy",
            Self::CrossSite => "Another site may not change anything here",
            Self::NoSuchRoute => "There is no such route",
            Self::NotFound => "There is no such thing",
            Self::MethodNotAllowed => "The route does not take this method",
            Self::Conflict => "It was changed by others",
            Self::TooLarge => "The body is too large",
            Self::UnsupportedType => "The body is of another type",
            Self::TooMany => "Too many requests",
            Self::Unavailable => "The store is away",
            Self::Corrupt => "A row of the store breaks a rule",
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.kind.status();
        let body = Body {
            r#type: self.kind.uri(),
            title: self.kind.title(),
            status: status.as_u16(),
            detail: self.detail.as_deref(),
        };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.kind {
            ProblemKind::Unauthorized => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            ProblemKind::Unavailable | ProblemKind::TooMany => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            ProblemKind::BadRequest
            | ProblemKind::Forbidden
            | ProblemKind::UntrustedPeer
            | ProblemKind::CrossSite
            | ProblemKind::NoSuchRoute
            | ProblemKind::NotFound
            | ProblemKind::MethodNotAllowed
            | ProblemKind::Conflict
            | ProblemKind::TooLarge
            | ProblemKind::UnsupportedType
            | ProblemKind::Corrupt => {}
        }
        response
    }
}

impl From<StoreError> for Problem {
    /// What a store says of itself is for the log of the operator, who is also the only one that reads it here.
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Unavailable { .. } => Self::of(ProblemKind::Unavailable),
            StoreError::Conflict { .. } => Self::new(ProblemKind::Conflict, error.to_string()),
            StoreError::Corrupt { .. } => {
                tracing::error!(error = %error, "a row of the store breaks a rule");
                Self::new(ProblemKind::Corrupt, error.to_string())
            }
        }
    }
}
