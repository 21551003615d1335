//! Answers that many routes have, as the description of the interface tells them.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{Content, RefOr, Response, ResponseBuilder};

/// The answers of a route that a token opens.
pub(super) struct NeedsToken;

/// The answer of a route that reads or writes a store.
pub(super) struct NeedsStore;

/// The answers of a route that takes JSON.
pub(super) struct TakesJson;

/// The answers of a route about one session.
pub(super) struct OfSession;

/// The answers of a route that browsers call.
pub(super) struct FromBrowser;

impl IntoResponses for NeedsToken {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems([("401", "A token is needed"), ("403", "The token does not open this")])
    }
}

impl IntoResponses for NeedsStore {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems([("503", "The store is away")])
    }
}

impl IntoResponses for TakesJson {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems([("413", "The body is too large"), ("415", "The body is not JSON")])
    }
}

impl IntoResponses for OfSession {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems([("400", "No such id can be"), ("404", "There is no such session")])
    }
}

impl IntoResponses for FromBrowser {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let declined = Response::new("The browser asks not to be measured");
        let mut all = problems([
            ("403", "A page of another site"),
            ("413", "The body is too large"),
            ("429", "Too many"),
        ]);
        all.insert("204".to_owned(), RefOr::T(declined));
        all
    }
}

/// Answers that are problems, by status.
pub(super) fn problems<const N: usize>(problems: [(&str, &str); N]) -> BTreeMap<String, RefOr<Response>> {
    let problem = |(status, description): (&str, &str)| {
        let response = ResponseBuilder::new().description(description);
        let response = response.content("application/problem+json", Content::default()).build();
        (status.to_owned(), RefOr::T(response))
    };
    problems.into_iter().map(problem).collect()
}
