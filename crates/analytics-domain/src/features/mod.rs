//! What is learned from: the figures of one session at one time.
//!
//! A figure that cannot be worked out is `None`, never an invented zero. [`Feature::all`] is the catalogue that names,
//! orders and explains them, and a row says which version of it it follows. A [`FeatureFold`] takes the requests and the
//! engagement of a session as they come, or as a store kept them, and [`extract`] reads the row from it: the same bits
//! either way.
//!
//! What the detector or the throttle made of a session is in none of them.
//!
//! What this module does not do: fetch rows, label them, or write files.

mod arrival;
mod beacons;
mod catalogue;
mod config;
mod counts;
mod extract;
mod list;
mod profile;
mod scaler;
mod shape;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use arrival::KeptFold;
pub use catalogue::{CATALOGUE, Feature, FeatureGroup, FeatureKind, Known, Unit};
pub use config::{FeatureExtractionConfig, FeatureGroups, InvalidZone, Normalisation, ZoneOffset};
pub use extract::{FeatureContext, deciding_vector, extract, with_shape};
pub use profile::{FeatureFold, FeatureRequest};
pub use scaler::{InvalidScaler, Scaler, ScalerColumn, ScalerRecord};
pub use shape::{ShapeCounts, ShapeHistory};

use alloc::vec::Vec;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};

use crate::ids::SessionId;
use crate::session::is_whole_micros;

/// The features of one session, as they were known at one time.
///
/// It always holds that every number is finite, that shares are from 0 to 1, and that whole numbers fit into 31 bits or,
/// where the field has 64, into 63.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct MlBehavioralFeatures {
    record: FeaturesRecord,
}

/// Everything that is kept of features, as plain data: what a store writes and reads.
///
/// [`MlBehavioralFeatures::try_from`] says whether it is such a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeaturesRecord {
    /// The session.
    pub session: SessionId,
    /// The catalogue that the features follow.
    pub catalogue: CatalogueVersion,
    /// The time up to which requests were looked at; nothing later is in the row.
    pub as_of: DateTime<Utc>,
    /// The figures that have a name of their own.
    pub figures: BehavioralFigures,
    /// All features of the catalogue, in its order.
    pub feature_vector: FeatureVector,
}

/// The figures that have a name of their own; each `None` where it cannot be worked out or was not observed.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct BehavioralFigures {
    /// Time from the first to the newest request in seconds; not below 0.
    pub session_duration_seconds: Option<f64>,
    /// Requests of any kind.
    pub total_requests: Option<u64>,
    /// Distinct pages.
    pub unique_pages_visited: Option<u64>,
    /// Mean time between page views in milliseconds; not below 0, unknown with fewer than two.
    pub avg_time_between_requests_ms: Option<f64>,
    /// Variance of the times between page views in square milliseconds; not below 0, unknown with fewer than two times.
    pub request_time_variance: Option<f64>,
    /// Whether the session came with a referrer; unknown where referrers are not recorded.
    pub referrer_present: Option<bool>,
    /// Whether the tracker ran.
    pub has_javascript: Option<bool>,
    /// Whether a cookie came back.
    pub accepts_cookies: Option<bool>,
    /// Width of the window in pixels.
    pub viewport_width: Option<u32>,
    /// Height of the window in pixels.
    pub viewport_height: Option<u32>,
    /// Mean depth of scrolling in percent, 0 to 100.
    pub avg_scroll_depth: Option<f64>,
    /// Greatest depth of scrolling in percent, 0 to 100.
    pub max_scroll_depth: Option<f64>,
    /// Mean time on a page in milliseconds; not below 0.
    pub avg_time_on_page_ms: Option<f64>,
    /// Clicks.
    pub total_clicks: Option<u64>,
    /// Mean speed of the mouse in pixels per second; not below 0.
    pub avg_mouse_speed: Option<f64>,
    /// Entropy of the directions of the mouse in bits, 0 to 3.
    pub mouse_movement_entropy: Option<f64>,
    /// 1/(1 + CV) of the times between page views: near 0 for irregular ones, 1 for equal ones.
    pub time_pattern_regularity: Option<f64>,
    /// Runs of requests in which several came within a second.
    pub request_burst_count: Option<u32>,
    /// Signs of a browser without a window.
    pub headless_indicators: Option<u32>,
    /// Signs of a browser that is driven by a program.
    pub automation_indicators: Option<u32>,
    /// Log ratio of the networks that share the session's header shape to the number expected.
    pub fingerprint_anomaly_score: Option<f64>,
}

/// The version of the catalogue of features, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct CatalogueVersion(u32);

/// The features of a catalogue in its order, `None` for a missing one; finite, at most 512.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(transparent)]
pub struct FeatureVector(Vec<Option<f64>>);

/// Why data are not a row of features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFeatures {
    /// The time has parts below a microsecond, which stores cannot keep.
    #[error("as_of is in whole microseconds")]
    NotWholeMicroseconds,
    /// The figure of this name is out of the range in its doc, or not finite.
    #[error("{0} is out of its range")]
    OutOfRange(&'static str),
    /// A version of a catalogue is 0 or over 2³¹ − 1.
    #[error("the version of a catalogue is from 1 to 2^31 - 1, not {0}")]
    Version(u32),
    /// A vector has more than 512 features; this many.
    #[error("a vector has at most 512 features, not {0}")]
    TooLong(usize),
    /// The feature at this place of a vector is not finite.
    #[error("feature {0} of the vector is not finite")]
    NotFinite(usize),
}

impl MlBehavioralFeatures {
    /// Everything that is kept of it.
    pub const fn record(&self) -> &FeaturesRecord {
        &self.record
    }

    /// Everything that is kept of it, to change it and try again.
    pub fn into_record(self) -> FeaturesRecord {
        self.record
    }

    /// The session.
    pub const fn session(&self) -> SessionId {
        self.record.session
    }

    /// The catalogue that it follows.
    pub const fn catalogue(&self) -> CatalogueVersion {
        self.record.catalogue
    }

    /// The time up to which requests were looked at.
    pub const fn as_of(&self) -> DateTime<Utc> {
        self.record.as_of
    }
}

impl CatalogueVersion {
    /// The first version.
    pub const FIRST: Self = Self(1);

    /// The version of this number.
    ///
    /// # Errors
    /// [`InvalidFeatures::Version`] for 0 and for what is over 2³¹ − 1.
    pub const fn new(number: u32) -> Result<Self, InvalidFeatures> {
        if number == 0 || number > MOST { Err(InvalidFeatures::Version(number)) } else { Ok(Self(number)) }
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl FeatureVector {
    /// The vector of these features.
    ///
    /// # Errors
    /// [`InvalidFeatures`]: `TooLong` for more than 512, `NotFinite` for infinities and NaN.
    pub fn new(features: Vec<Option<f64>>) -> Result<Self, InvalidFeatures> {
        if features.len() > MOST_FEATURES {
            return Err(InvalidFeatures::TooLong(features.len()));
        }
        let wild = features.iter().position(|feature| feature.is_some_and(|feature| !feature.is_finite()));
        match wild {
            Some(at) => Err(InvalidFeatures::NotFinite(at)),
            None => Ok(Self(features)),
        }
    }

    /// The features, in the order of the catalogue.
    pub fn as_slice(&self) -> &[Option<f64>] {
        &self.0
    }
}

impl BehavioralFigures {
    /// The first figure that is out of the range in its doc.
    fn out_of_range(&self) -> Option<&'static str> {
        let whole = |number: Option<u32>| number.is_none_or(|number| number <= MOST);
        let long = |number: Option<u64>| number.is_none_or(|number| number <= MOST_LONG);
        let real = |number: Option<f64>, least: f64, most: f64| {
            number.is_none_or(|number| (least..=most).contains(&number))
        };
        let held = [
            ("session_duration_seconds", real(self.session_duration_seconds, 0.0, f64::MAX)),
            ("total_requests", long(self.total_requests)),
            ("unique_pages_visited", long(self.unique_pages_visited)),
            ("avg_time_between_requests_ms", real(self.avg_time_between_requests_ms, 0.0, f64::MAX)),
            ("request_time_variance", real(self.request_time_variance, 0.0, f64::MAX)),
            ("viewport_width", whole(self.viewport_width)),
            ("viewport_height", whole(self.viewport_height)),
            ("avg_scroll_depth", real(self.avg_scroll_depth, 0.0, 100.0)),
            ("max_scroll_depth", real(self.max_scroll_depth, 0.0, 100.0)),
            ("avg_time_on_page_ms", real(self.avg_time_on_page_ms, 0.0, f64::MAX)),
            ("total_clicks", long(self.total_clicks)),
            ("avg_mouse_speed", real(self.avg_mouse_speed, 0.0, f64::MAX)),
            ("mouse_movement_entropy", real(self.mouse_movement_entropy, 0.0, 3.0)),
            ("time_pattern_regularity", real(self.time_pattern_regularity, 0.0, 1.0)),
            ("request_burst_count", whole(self.request_burst_count)),
            ("headless_indicators", whole(self.headless_indicators)),
            ("automation_indicators", whole(self.automation_indicators)),
            ("fingerprint_anomaly_score", real(self.fingerprint_anomaly_score, f64::MIN, f64::MAX)),
        ];
        held.into_iter().find(|(_, held)| !held).map(|(field, _)| field)
    }
}

impl TryFrom<FeaturesRecord> for MlBehavioralFeatures {
    type Error = InvalidFeatures;

    fn try_from(record: FeaturesRecord) -> Result<Self, InvalidFeatures> {
        if !is_whole_micros(record.as_of) {
            return Err(InvalidFeatures::NotWholeMicroseconds);
        }
        match record.figures.out_of_range() {
            Some(field) => Err(InvalidFeatures::OutOfRange(field)),
            None => Ok(Self { record }),
        }
    }
}

impl TryFrom<u32> for CatalogueVersion {
    type Error = InvalidFeatures;

    fn try_from(number: u32) -> Result<Self, InvalidFeatures> {
        Self::new(number)
    }
}

impl From<CatalogueVersion> for u32 {
    fn from(version: CatalogueVersion) -> Self {
        version.0
    }
}

impl<'de> Deserialize<'de> for MlBehavioralFeatures {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        FeaturesRecord::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for FeatureVector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Vec::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

const MOST: u32 = i32::MAX as u32;
const MOST_LONG: u64 = i64::MAX as u64;
/// Well above what catalogues of the literature on web robots list (about 50), so that it only stops a fault.
const MOST_FEATURES: usize = 512;
