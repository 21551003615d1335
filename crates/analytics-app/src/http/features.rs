//! Features of one session.

use std::collections::BTreeMap;

use analytics_domain::features::{Feature, FeatureExtractionConfig};
use analytics_domain::ids::SessionId;
use analytics_ports::clock::whole_micros;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::State;
use super::access::Admin;
use super::answers::{NeedsStore, NeedsToken};
use super::extract::Asked;
use super::problem::{Problem, ProblemKind};

/// Which session, and as of when.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FeaturesQuery {
    /// The session: 32 hexadecimal digits.
    #[param(value_type = String)]
    session: SessionId,
    /// The time up to which requests are looked at. Default now.
    #[param(value_type = Option<String>, format = DateTime)]
    as_of: Option<DateTime<Utc>>,
}

/// The features of a session, null where one is missing.
#[derive(Serialize)]
struct FeaturesAnswer {
    session: SessionId,
    catalogue: u32,
    as_of: DateTime<Utc>,
    /// Rows of requests that were looked at. None past their retention.
    requests: u64,
    features: BTreeMap<&'static str, Option<f64>>,
}

/// The features of a session, worked out of what is kept of it; without those that other sessions are needed for.
#[utoipa::path(
    get, path = "/v1/features", tag = "sessions", params(FeaturesQuery),
    responses(
        (status = 200, description = "The features, null where one is missing", body = Object),
        (status = 400, description = "No such id or time can be", content_type = "application/problem+json"),
        (status = 404, description = "There is no such session", content_type = "application/problem+json"),
        NeedsToken,
        NeedsStore,
    )
)]
pub(super) async fn features(
    service: State,
    _: Admin,
    Asked(query): Asked<FeaturesQuery>,
) -> Result<Response, Problem> {
    let as_of = whole_micros(query.as_of.unwrap_or_else(|| service.clock().now()));
    let extraction = service.stores().extraction(FeatureExtractionConfig::default());
    let found = extraction.by_id(query.session, as_of).await?.ok_or_else(|| {
        Problem::new(ProblemKind::NotFound, format!("there is no session {} then", query.session))
    })?;
    let record = found.features.record();
    let names = Feature::all().iter().map(|feature| feature.name);
    Ok(axum::Json(FeaturesAnswer {
        session: record.session,
        catalogue: record.catalogue.get(),
        as_of,
        requests: found.requests,
        features: names.zip(record.feature_vector.as_slice().iter().copied()).collect(),
    })
    .into_response())
}
