//! Whether a figure of the site is out of the ordinary: fixed thresholds, a trend against what came just before, and a
//! baseline that learns what is ordinary.
//!
//! Three rules, from the simplest to the one that knows most:
//!
//! - [`AnomalyThreshold::check`] holds a value against two fixed limits, and [`Thresholds`] finds the limits by the
//!   metric's name.
//! - [`check_trend`] holds a value against the mean of the values before it.
//! - [`Baseline::observe`] learns a series with its days and weeks, and says how surprising each value is.
//!
//! All rules take the level of surprise as [`AnomalyLevel`]; [`AnomalyEvent`] is what is kept of one.
//!
//! What it does not do: gather the metrics, keep events or tell anybody. The application does.

mod baseline;
mod event;
mod level;
mod number;
#[cfg(any(test, feature = "strategies"))]
pub(crate) mod strategies;
mod threshold;
mod trend;

pub use baseline::{
    Baseline, BaselineChange, BaselinePolicy, BaselineReading, BaselineSettings, InvalidBaselinePolicy,
    RefusedValue, SeriesKind,
};
pub use event::{AnomalyEvent, AnomalyRule, UnknownAnomalyRule};
pub use level::{AnomalyLevel, UnknownAnomalyLevel};
pub use number::{Band, Finite, InvalidBand, NotFinite, NotUnit, UnitScore};
pub use threshold::{
    AnomalyCheckResult, AnomalyThreshold, CheckBasis, InvalidMetricName, InvalidThreshold, MetricName,
    Thresholds,
};
pub use trend::{InvalidTrendPolicy, TrendPolicy, TrendSettings, TrendWindow, check_trend};
