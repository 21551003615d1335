//! Bringing each feature to one scale, learned from one set of rows and applied to others.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::catalogue::{CATALOGUE, Feature};
use super::config::Normalisation;
use super::{CatalogueVersion, FeatureVector};

/// For each feature of the catalogue a centre that is taken away and a scale that is divided by.
///
/// It always holds that there is one column for each feature of this program's catalogue, in its order, and that every
/// scale is finite and above 0. A feature without spread, or without any number, has the scale 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Scaler {
    record: ScalerRecord,
}

/// Everything that is kept of a scaler, as plain data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScalerRecord {
    /// The catalogue of the rows that it learned from.
    pub catalogue: CatalogueVersion,
    /// How it scales.
    pub normalisation: Normalisation,
    /// Rows that it learned from.
    pub rows: u64,
    /// The features, in the order of the catalogue.
    pub columns: Vec<ScalerColumn>,
}

/// How one feature is scaled: `(number − centre) ÷ scale`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScalerColumn {
    /// The name of the feature.
    pub name: String,
    /// What is taken away.
    pub centre: f64,
    /// What is divided by.
    pub scale: f64,
}

/// Why data are not a scaler of this program's catalogue.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InvalidScaler {
    /// It is for another version of the catalogue.
    #[error("the scaler is for catalogue {found}, and this program computes catalogue {wanted}", found = .found.get(), wanted = .wanted.get())]
    OtherCatalogue {
        /// The version that it is for.
        found: CatalogueVersion,
        /// The version of this program.
        wanted: CatalogueVersion,
    },
    /// Its columns are not the features of the catalogue, beginning with this place.
    #[error("column {0} of the scaler is not the catalogue's feature of that place")]
    OtherColumns(usize),
    /// The centre or scale of this column is not finite, or the scale is not above 0.
    #[error("column {0} of the scaler has no usable centre and scale")]
    Column(usize),
}

impl Scaler {
    /// The scaler that these rows teach. Missing features teach nothing.
    pub fn fit(normalisation: Normalisation, rows: &[FeatureVector]) -> Self {
        let columns = Feature::all().iter().enumerate().map(|(at, feature)| {
            let numbers: Vec<f64> =
                rows.iter().filter_map(|row| row.as_slice().get(at).copied().flatten()).collect();
            let (centre, scale) = fit(normalisation, numbers);
            let usable = centre.is_finite() && scale.is_finite() && scale > 0.0;
            let (centre, scale) = if usable { (centre, scale) } else { (0.0, 1.0) };
            ScalerColumn { name: feature.name.into(), centre, scale }
        });
        let columns = columns.collect();
        Self {
            record: ScalerRecord { catalogue: CATALOGUE, normalisation, rows: rows.len() as u64, columns },
        }
    }

    /// Everything that is kept of it.
    pub const fn record(&self) -> &ScalerRecord {
        &self.record
    }

    /// The row on this scale. A feature stays missing, and goes missing where its scaled number is too large for 64 bits.
    #[must_use]
    pub fn apply(&self, row: &FeatureVector) -> FeatureVector {
        self.each(row, |column, number| (number - column.centre) / column.scale)
    }

    /// The row on its own scale again, up to rounding.
    #[must_use]
    pub fn undo(&self, row: &FeatureVector) -> FeatureVector {
        self.each(row, |column, number| number * column.scale + column.centre)
    }

    fn each(&self, row: &FeatureVector, scaled: impl Fn(&ScalerColumn, f64) -> f64) -> FeatureVector {
        let columns = self.record.columns.iter().zip(row.as_slice());
        let numbers = columns.map(|(column, number)| {
            number.map(|number| scaled(column, number)).filter(|number| number.is_finite())
        });
        FeatureVector(numbers.collect())
    }
}

impl TryFrom<ScalerRecord> for Scaler {
    type Error = InvalidScaler;

    fn try_from(record: ScalerRecord) -> Result<Self, InvalidScaler> {
        if record.catalogue != CATALOGUE {
            return Err(InvalidScaler::OtherCatalogue { found: record.catalogue, wanted: CATALOGUE });
        }
        let mut names = Feature::all().iter().map(|feature| feature.name);
        for (at, column) in record.columns.iter().enumerate() {
            if names.next() != Some(column.name.as_str()) {
                return Err(InvalidScaler::OtherColumns(at));
            }
            if !(column.centre.is_finite() && column.scale.is_finite() && column.scale > 0.0) {
                return Err(InvalidScaler::Column(at));
            }
        }
        if names.next().is_some() {
            return Err(InvalidScaler::OtherColumns(record.columns.len()));
        }
        Ok(Self { record })
    }
}

impl<'de> Deserialize<'de> for Scaler {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ScalerRecord::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
    }
}

/// Centre and scale of these numbers; a scale that is 0 becomes 1.
fn fit(normalisation: Normalisation, mut numbers: Vec<f64>) -> (f64, f64) {
    if numbers.is_empty() {
        return (0.0, 1.0);
    }
    numbers.sort_by(f64::total_cmp);
    let (centre, scale) = match normalisation {
        Normalisation::Raw => (0.0, 1.0),
        Normalisation::Standard => {
            let (mut count, mut mean, mut m2) = (0.0, 0.0, 0.0);
            for number in &numbers {
                count += 1.0;
                let delta = number - mean;
                mean += delta / count;
                m2 += delta * (number - mean);
            }
            (mean, libm::sqrt(m2 / count))
        }
        Normalisation::MinMax => (numbers[0], numbers[numbers.len() - 1] - numbers[0]),
        Normalisation::Robust => {
            let quartiles = quantile(&numbers, 0.75) - quantile(&numbers, 0.25);
            (quantile(&numbers, 0.5), quartiles)
        }
    };
    (centre, if scale > 0.0 { scale } else { 1.0 })
}

/// The quantile of sorted numbers, at least one, on the line between the two that are nearest.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let below = libm::floor(place) as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    fn rows() -> impl Strategy<Value = Vec<FeatureVector>> {
        let number = proptest::option::of(-1e6f64..1e6);
        let row = proptest::collection::vec(number, Feature::all().len());
        proptest::collection::vec(row.prop_map(FeatureVector), 0..12)
    }

    fn column(normalisation: Normalisation, numbers: &[f64]) -> (f64, f64) {
        fit(normalisation, numbers.to_vec())
    }

    #[test]
    fn each_way_has_its_centre_and_scale() {
        let numbers = [4.0, 2.0, 8.0, 6.0, 0.0];
        assert_eq!(column(Normalisation::Raw, &numbers), (0.0, 1.0));
        assert_eq!(column(Normalisation::Standard, &numbers), (4.0, libm::sqrt(8.0)));
        assert_eq!(column(Normalisation::MinMax, &numbers), (0.0, 8.0));
        assert_eq!(column(Normalisation::Robust, &numbers), (4.0, 4.0));
        assert_eq!(column(Normalisation::Standard, &[3.0, 3.0]), (3.0, 1.0), "without spread");
        assert_eq!(column(Normalisation::Robust, &[]), (0.0, 1.0), "without a number");
    }

    #[test]
    fn a_scaler_of_another_catalogue_or_of_other_columns_is_refused() {
        let fitted = Scaler::fit(Normalisation::Standard, &[]);
        let record = fitted.record().clone();
        let other = CatalogueVersion::new(CATALOGUE.get() + 1).unwrap();
        let of = |record| Scaler::try_from(record).err();
        assert_eq!(
            of(ScalerRecord { catalogue: other, ..record.clone() }),
            Some(InvalidScaler::OtherCatalogue { found: other, wanted: CATALOGUE })
        );
        let mut swapped = record.clone();
        swapped.columns.swap(2, 3);
        assert_eq!(of(swapped), Some(InvalidScaler::OtherColumns(2)));
        let mut short = record.clone();
        let last = short.columns.len() - 1;
        short.columns.truncate(last);
        assert_eq!(of(short), Some(InvalidScaler::OtherColumns(last)));
        let mut flat = record;
        flat.columns[1].scale = 0.0;
        assert_eq!(of(flat), Some(InvalidScaler::Column(1)));
    }

    proptest! {
        #[test]
        fn a_row_scaled_and_back_is_the_row(rows in rows(), which in 0usize..4) {
            let scaler = Scaler::fit(Normalisation::ALL[which], &rows);
            let json = serde_json::to_string(&scaler).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Scaler>(&json).unwrap(), &scaler);
            for row in &rows {
                let again = scaler.undo(&scaler.apply(row));
                for (before, after) in row.as_slice().iter().zip(again.as_slice()) {
                    match (before, after) {
                        (Some(before), Some(after)) => prop_assert!((before - after).abs() <= 1e-6),
                        (before, after) => prop_assert_eq!(before, after),
                    }
                }
            }
        }

        #[test]
        fn what_a_min_max_scaler_learned_from_is_from_0_to_1(rows in rows()) {
            let scaler = Scaler::fit(Normalisation::MinMax, &rows);
            let scaled: Vec<f64> =
                rows.iter().flat_map(|row| scaler.apply(row).as_slice().to_vec()).flatten().collect();
            prop_assert!(scaled.iter().all(|number| (0.0..=1.0).contains(number)));
        }
    }

    #[test]
    fn what_is_missing_stays_missing() {
        let row = FeatureVector(vec![None; Feature::all().len()]);
        assert_eq!(Scaler::fit(Normalisation::Standard, &[]).apply(&row), row);
    }
}
