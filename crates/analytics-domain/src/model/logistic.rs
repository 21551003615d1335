//! Logistic regression.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{InvalidModel, Kind, Model, places, same_catalogue};
use crate::features::{CatalogueVersion, ZoneOffset};

/// A logistic regression as plain data, as the training script writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogisticRecord {
    /// The catalogue that it was trained on.
    pub catalogue: u32,
    /// The zone whose nights it was trained on, in minutes east of UTC.
    #[serde(default)]
    pub zone: ZoneOffset,
    /// The logarithm of the odds of a session whose features all are at their centres.
    pub intercept: f64,
    /// The features.
    pub features: Vec<LogisticColumn>,
}

/// What one feature adds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogisticColumn {
    /// The name.
    pub name: String,
    /// What is taken away before it is weighed.
    pub centre: f64,
    /// What is divided by; not 0.
    pub scale: f64,
    /// What one scaled unit adds to the logarithm of the odds.
    pub weight: f64,
    /// What is added where the feature is missing.
    pub missing: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Weights {
    intercept: f64,
    columns: Vec<Column>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Column {
    centre: f64,
    scale: f64,
    weight: f64,
    missing: f64,
}

impl TryFrom<LogisticRecord> for Model {
    type Error = InvalidModel;

    fn try_from(record: LogisticRecord) -> Result<Self, InvalidModel> {
        same_catalogue(CatalogueVersion::new(record.catalogue), &record.catalogue.to_string())?;
        let columns = places(record.features.iter().map(|column| column.name.as_str()))?;
        let usable = record.features.iter().all(|column| {
            let numbers = [column.centre, column.scale, column.weight, column.missing];
            numbers.into_iter().all(f64::is_finite) && column.scale != 0.0
        });
        if !usable || !record.intercept.is_finite() {
            return Err(InvalidModel::Damaged("a number is not finite, or a scale is 0".into()));
        }
        let weights = record.features.into_iter().map(|column| {
            let LogisticColumn { centre, scale, weight, missing, .. } = column;
            Column { centre, scale, weight, missing }
        });
        let weights = Weights { intercept: record.intercept, columns: weights.collect() };
        Ok(Self { columns, zone: record.zone, kind: Kind::Weights(weights) })
    }
}

impl Weights {
    pub(super) fn log_odds(&self, row: &[f64]) -> f64 {
        self.intercept
            + self.columns.iter().zip(row).map(|(column, &number)| column.adds(number)).sum::<f64>()
    }

    pub(super) fn contributions(&self, row: &[f64], by: &mut [f64]) {
        for ((column, &number), by) in self.columns.iter().zip(row).zip(by) {
            *by += column.adds(number);
        }
    }
}

impl Column {
    fn adds(&self, number: f64) -> f64 {
        if number.is_nan() { self.missing } else { (number - self.centre) / self.scale * self.weight }
    }
}
