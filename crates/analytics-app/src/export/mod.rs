//! Features as training data: gathered, labelled, split, checked and written.
//!
//! A [`Dataset`] is gathered session by session, from a store or a replay. [`Dataset::finish`] puts it in order, gives each
//! session its label and its part, and counts what is wrong; [`write()`] brings it to a file, with a card that
//! says what is in it.
//!
//! What the detector thought is never among features or labels, unless it is asked for; then the card says so.

mod card;
mod columns;
mod gather;
mod labels;
#[cfg(feature = "parquet")]
mod parquet;
mod split;
#[cfg(test)]
mod tests;
mod text;
mod write;

pub use card::{Card, FeatureCard, LeakageChecks, LeftOut, PartCard};
pub use gather::{Dataset, FeatureSink, Gathered};
pub use labels::{LabelFile, LabelProblem, LabelSelection};
pub use split::{Part, Split, SplitCounts};
pub use write::{ExportError, Format, UnknownFormat, write};

use std::sync::Arc;

use analytics_domain::detector::Class;
use analytics_domain::features::{FeatureExtractionConfig, Scaler};
use analytics_domain::ids::SessionId;
use analytics_domain::label::{LabelClass, LabelSource};
use analytics_domain::model::Model;
use analytics_domain::session::Points;
use chrono::{DateTime, TimeDelta, Utc};

/// How an export is made.
#[derive(Debug, Clone, Default)]
pub struct ExportOptions {
    /// What is extracted, and how it is scaled.
    pub config: FeatureExtractionConfig,
    /// The time up to which requests are looked at; each session's own end when `None`.
    pub as_of: Option<DateTime<Utc>>,
    /// A scaler that was fitted before; without one it is fitted as the configuration says.
    pub scaler: Option<Scaler>,
    /// Which labels count.
    pub labels: LabelSelection,
    /// Where the data are split into training and test; not at all when `None`.
    pub split: Option<Split>,
    /// How long after the split nothing is tested, so that what one session tells of another has gone.
    pub embargo: TimeDelta,
    /// Whether the detector's verdict stands beside the features.
    pub with_verdict: bool,
    /// Whether sessions without a label are left out.
    pub labelled_only: bool,
    /// A model whose probability for each session stands beside the features.
    pub model: Option<Arc<Model>>,
}

/// One session of an export.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The session.
    pub session: SessionId,
    /// The client that it is of, numbered by first appearance: a key that says nothing outside of this export.
    pub group: u32,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// Up to when it was looked at.
    pub as_of: DateTime<Utc>,
    /// The features in the order of the catalogue, NaN for a missing one.
    pub features: Box<[f64]>,
    /// What it is said to be.
    pub label: Option<RowLabel>,
    /// The part that it is in, where the data are split.
    pub part: Option<Part>,
    /// What the detector took it for and its score, where that was asked for.
    pub verdict: Option<(Class, f64)>,
    /// The probability of automation that the model gives it, where there is one.
    pub probability: Option<f64>,
}

/// What a session is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowLabel {
    /// A person or automation.
    pub class: LabelClass,
    /// Where the label comes from.
    pub source: LabelSource,
    /// How sure the source is.
    pub confidence: Points,
    /// What kind of actor it is, where the source tells it.
    pub kind: Option<String>,
}

/// A finished export: rows in the order of their starts, the card, and the scaler where features were scaled.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// The rows.
    pub rows: Vec<Row>,
    /// What is in them.
    pub card: Card,
    /// What scaled the features.
    pub scaler: Option<Scaler>,
}
