//! Models that were trained elsewhere on exported features: reading them, scoring a session, saying why.
//!
//! Two kinds are read: trees that LightGBM wrote as text, and a logistic regression as plain data. Both name the features
//! that they want and the version of the catalogue that these follow; a model that does not fit is refused with the
//! reason, never scored on something else.
//!
//! What this module does not do: train, read files, or decide what a probability means; the detector's policy says that.

mod lightgbm;
mod logistic;
#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

use crate::features::{CATALOGUE, CatalogueVersion, Feature, InvalidFeatures, Known, ZoneOffset};
use lightgbm::Trees;
use logistic::Weights;
pub use logistic::{LogisticColumn, LogisticRecord};

/// A model of the probability that a session is automation.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// For each feature of the model its place in the catalogue.
    columns: Vec<u16>,
    zone: ZoneOffset,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Trees(Trees),
    Weights(Weights),
}

/// How far one feature moved a probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Contribution {
    /// The name of the feature.
    pub feature: &'static str,
    /// What it added to the logarithm of the odds; above 0 towards automation.
    pub by: f64,
}

/// Why a model cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidModel {
    /// The text is not one that LightGBM writes.
    #[error("this is no LightGBM model: its first line is not `tree`")]
    NotLightGbm,
    /// The text is of a version that is not read.
    #[error("LightGBM text of version {0} is not read; v3 and v4 are")]
    FormatVersion(String),
    /// The model does not say which catalogue its features follow.
    #[error("the model does not say which catalogue it was trained on; its head needs a line such as `analytics_catalogue={}`", CATALOGUE.get())]
    NoCatalogue,
    /// The model follows another version of the catalogue.
    #[error("the model was trained on catalogue {found}, and this program computes catalogue {}; train it anew", CATALOGUE.get())]
    OtherCatalogue {
        /// The version that it says.
        found: String,
    },
    /// A feature of the model is not in the catalogue.
    #[error("the model wants the feature {0:?}, which the catalogue does not have")]
    UnknownFeature(String),
    /// A feature of the model stands in it twice.
    #[error("the model names the feature {0:?} twice")]
    DoubleFeature(String),
    /// A feature of the model is not known while requests are decided about.
    #[error("the model wants the feature `{0}`, which is known only afterwards; train it without")]
    KnownAfterwards(&'static str),
    /// The model can do something that this program cannot.
    #[error("{0} cannot be scored here")]
    Unsupported(&'static str),
    /// A tree splits by categories.
    #[error("tree {0} splits by categories, which cannot be scored here; train on numbers only")]
    Categorical(usize),
    /// The text ends early.
    #[error("the model is cut off: {0} is missing")]
    Truncated(String),
    /// Something in the text is not what LightGBM writes there.
    #[error("the model is damaged: {0}")]
    Damaged(String),
}

impl Model {
    /// The model that LightGBM wrote as this text, with the line `analytics_catalogue=…` in its head.
    ///
    /// # Errors
    /// [`InvalidModel`] says what does not fit.
    pub fn from_lightgbm(text: &str) -> Result<Self, InvalidModel> {
        lightgbm::read(text)
    }

    /// The probability that a session with these features is automation, 0 to 1. The features are in the order of the
    /// catalogue; one that is not there is missing.
    pub fn score(&self, features: &[Option<f64>]) -> f64 {
        let row = self.row(features);
        sigmoid(match &self.kind {
            Kind::Trees(trees) => trees.log_odds(&row),
            Kind::Weights(weights) => weights.log_odds(&row),
        })
    }

    /// What moved the probability most, at most this many, the furthest first; features that moved nothing are left out.
    ///
    /// For trees it is what each split on the way of the session changed; for weights, the weight times the scaled
    /// feature.
    pub fn contributions(&self, features: &[Option<f64>], most: usize) -> Vec<Contribution> {
        let row = self.row(features);
        let mut by = alloc::vec![0.0; self.columns.len()];
        match &self.kind {
            Kind::Trees(trees) => trees.contributions(&row, &mut by),
            Kind::Weights(weights) => weights.contributions(&row, &mut by),
        }
        let mut all: Vec<Contribution> = self
            .columns
            .iter()
            .zip(by)
            .filter(|&(_, by)| by != 0.0)
            .map(|(&column, by)| Contribution { feature: Feature::all()[usize::from(column)].name, by })
            .collect();
        all.sort_by(|a, b| b.by.abs().total_cmp(&a.by.abs()).then_with(|| a.feature.cmp(b.feature)));
        all.truncate(most);
        all
    }

    /// The zone whose nights it was trained on.
    pub const fn zone(&self) -> ZoneOffset {
        self.zone
    }

    /// The names of its features, in its own order.
    pub fn features(&self) -> impl Iterator<Item = &'static str> {
        self.columns.iter().map(|&column| Feature::all()[usize::from(column)].name)
    }

    /// Whether all of its features are known while requests are decided about, as a detector needs it.
    ///
    /// # Errors
    /// [`InvalidModel::KnownAfterwards`] names the first that is not.
    pub fn fits_detector(&self) -> Result<(), InvalidModel> {
        let all = self.columns.iter().map(|&column| &Feature::all()[usize::from(column)]);
        match all.into_iter().find(|feature| feature.known == Known::Afterwards) {
            Some(feature) => Err(InvalidModel::KnownAfterwards(feature.name)),
            None => Ok(()),
        }
    }

    /// The model's features out of those of the catalogue, NaN for a missing one.
    fn row(&self, features: &[Option<f64>]) -> Vec<f64> {
        let of = |&column: &u16| features.get(usize::from(column)).copied().flatten().unwrap_or(f64::NAN);
        self.columns.iter().map(of).collect()
    }
}

/// The places of these features in the catalogue.
#[expect(single_use_lifetimes, reason = "an elided lifetime in an argument's `impl` is not stable")]
fn places<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<u16>, InvalidModel> {
    let mut places = Vec::new();
    for name in names {
        let place = Feature::index_of(name).ok_or_else(|| InvalidModel::UnknownFeature(name.into()))? as u16;
        if places.contains(&place) {
            return Err(InvalidModel::DoubleFeature(name.into()));
        }
        places.push(place);
    }
    Ok(places)
}

/// Whether a model of this catalogue can be scored.
fn same_catalogue(found: Result<CatalogueVersion, InvalidFeatures>, said: &str) -> Result<(), InvalidModel> {
    if found == Ok(CATALOGUE) { Ok(()) } else { Err(InvalidModel::OtherCatalogue { found: said.into() }) }
}

fn sigmoid(log_odds: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-log_odds))
}
