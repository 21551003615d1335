//! Reading models from files.

use std::path::Path;

use analytics_domain::model::{InvalidModel, LogisticRecord, Model};

/// Why a file gives no model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// It cannot be read.
    #[error("cannot read it")]
    Unreadable(#[source] std::io::Error),
    /// It is larger than 64 MiB, or not text.
    #[error("it is no text of at most 64 MiB")]
    NotText,
    /// It looks like JSON and is no logistic regression.
    #[error("it is no logistic regression as JSON")]
    Json(#[source] serde_json::Error),
    /// It is a model that cannot be used.
    #[error(transparent)]
    Invalid(#[from] InvalidModel),
}

/// The model in a file: JSON where it begins with a brace, else LightGBM's text.
///
/// # Errors
/// [`ModelError`] says what is wrong with it.
pub fn read(path: &Path) -> Result<Model, ModelError> {
    let size = std::fs::metadata(path).map_err(ModelError::Unreadable)?.len();
    if size > MOST_BYTES {
        return Err(ModelError::NotText);
    }
    let bytes = std::fs::read(path).map_err(ModelError::Unreadable)?;
    let text = String::from_utf8(bytes).map_err(|_| ModelError::NotText)?;
    if text.trim_start().starts_with('{') {
        let record: LogisticRecord = serde_json::from_str(&text).map_err(ModelError::Json)?;
        return Ok(Model::try_from(record)?);
    }
    Ok(Model::from_lightgbm(&text)?)
}

/// The model in a file, whose features are all known while requests are decided about.
///
/// # Errors
/// [`ModelError`], also for a model that needs what is known only afterwards.
pub fn read_for_detector(path: &Path) -> Result<Model, ModelError> {
    let model = read(path)?;
    model.fits_detector()?;
    Ok(model)
}

const MOST_BYTES: u64 = 64 << 20;
