//! From the fold of a session to its row of features.

use alloc::vec::Vec;

use chrono::{DateTime, Utc};

use super::catalogue::{CATALOGUE, Feature, FeatureGroup, Known, index};
use super::config::{FeatureExtractionConfig, FeatureGroups};
use super::profile::{FeatureFold, FeatureProfile};
use super::shape::ShapeCounts;
use super::{BehavioralFigures, FeatureVector, FeaturesRecord, MlBehavioralFeatures};
use crate::detector::AgentFacts;
use crate::ids::SessionId;

/// What is known of a session's client beside its requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FeatureContext {
    /// What is read from the agent text.
    pub agent: AgentFacts,
    /// Whether a cookie of the host came back; `None` where that is not observed.
    pub accepts_cookies: Option<bool>,
    /// Width and height of the window in pixels, each at most 2³¹ − 1, where the tracker told them.
    pub viewport: Option<(u32, u32)>,
    /// How many shared its shape when it started, where that was counted.
    pub shape: Option<ShapeCounts>,
}

/// Everything that features are computed of.
#[derive(Debug)]
pub(super) struct FeatureSubject<'a> {
    pub(super) profile: &'a FeatureProfile,
    pub(super) context: &'a FeatureContext,
    pub(super) tracker_on_pages: bool,
}

impl FeatureContext {
    /// Nothing is known but the agent.
    pub const fn of_agent(agent: AgentFacts) -> Self {
        Self { agent, accepts_cookies: None, viewport: None, shape: None }
    }
}

/// The row of features of a session as it was folded up to `as_of`, which is kept in whole microseconds.
///
/// Only the fold and the context are looked at: whoever folds leaves out what came after `as_of`.
///
/// # Panics
/// Never: the catalogue's features stay within their ranges, which a property holds.
pub fn extract(
    config: &FeatureExtractionConfig,
    session: SessionId,
    fold: &FeatureFold,
    context: &FeatureContext,
    as_of: DateTime<Utc>,
) -> MlBehavioralFeatures {
    let profile = fold.whole();
    let subject = FeatureSubject { profile: &profile, context, tracker_on_pages: config.tracker_on_pages };
    let vector = values(config.groups, &subject, |_| true);
    let as_of = DateTime::from_timestamp_micros(as_of.timestamp_micros()).unwrap_or(DateTime::UNIX_EPOCH);
    let record = FeaturesRecord {
        session,
        catalogue: CATALOGUE,
        as_of,
        figures: figures(&vector),
        feature_vector: FeatureVector::new(vector).expect("features are finite and fewer than 512"),
    };
    record.try_into().expect("each figure is a feature, which stays within its range")
}

/// The features that can be known while requests are decided about, in the places of the catalogue; the others are
/// missing.
pub fn deciding_vector(fold: &FeatureFold, agent: &AgentFacts) -> Vec<Option<f64>> {
    let profile = fold.whole();
    let context = FeatureContext::of_agent(*agent);
    let subject = FeatureSubject { profile: &profile, context: &context, tracker_on_pages: false };
    values(FeatureGroups::ALL, &subject, |feature| feature.known == Known::Deciding)
}

/// The row with the features of its client's shape, which are known only beside other sessions.
///
/// # Panics
/// Never: every feature stays within its range.
#[must_use]
pub fn with_shape(
    config: &FeatureExtractionConfig,
    features: MlBehavioralFeatures,
    shape: ShapeCounts,
) -> MlBehavioralFeatures {
    let profile = FeatureProfile::default();
    let context = FeatureContext { shape: Some(shape), ..FeatureContext::of_agent(AgentFacts::UNOBSERVED) };
    let subject = FeatureSubject { profile: &profile, context: &context, tracker_on_pages: false };
    let of_shape = values(config.groups, &subject, |feature| feature.group == FeatureGroup::Fingerprint);
    let mut record = features.into_record();
    let kept = record.feature_vector.as_slice();
    let vector: Vec<Option<f64>> = kept.iter().zip(of_shape).map(|(kept, new)| new.or(*kept)).collect();
    record.figures.fingerprint_anomaly_score = vector[const { index("fingerprint_anomaly_score") }];
    record.feature_vector = FeatureVector(vector);
    record.try_into().expect("each figure is a feature, which stays within its range")
}

fn values(
    groups: FeatureGroups,
    subject: &FeatureSubject<'_>,
    wanted: impl Fn(&Feature) -> bool,
) -> Vec<Option<f64>> {
    Feature::all()
        .iter()
        .map(|feature| {
            (groups.contains(feature.group) && wanted(feature)).then(|| (feature.compute)(subject)).flatten()
        })
        .collect()
}

/// The figures that have a name of their own, out of the vector.
fn figures(vector: &[Option<f64>]) -> BehavioralFigures {
    macro_rules! read {
        ($($field:ident as $kind:ident),+ $(,)?) => {
            BehavioralFigures { $($field: read!(@$kind vector[const { index(stringify!($field)) }]),)+ }
        };
        (@real $value:expr) => { $value };
        (@long $value:expr) => { $value.map(|number| number as u64) };
        (@short $value:expr) => { $value.map(|number| number as u32) };
        (@flag $value:expr) => { $value.map(|number| number > 0.0) };
    }
    read! {
        session_duration_seconds as real,
        total_requests as long,
        unique_pages_visited as long,
        avg_time_between_requests_ms as real,
        request_time_variance as real,
        referrer_present as flag,
        has_javascript as flag,
        accepts_cookies as flag,
        viewport_width as short,
        viewport_height as short,
        avg_scroll_depth as real,
        max_scroll_depth as real,
        avg_time_on_page_ms as real,
        total_clicks as long,
        avg_mouse_speed as real,
        mouse_movement_entropy as real,
        time_pattern_regularity as real,
        request_burst_count as short,
        headless_indicators as short,
        automation_indicators as short,
        fingerprint_anomaly_score as real,
    }
}
