//! From traffic to anomalies: figures a minute, and what is out of the ordinary in them.
//!
//! [`MinuteTally`] counts what happened in each minute, for people, bots and AI agents apart. [`Monitor`] holds every
//! figure against fixed limits and against the baseline of its own series. Neither touches a store or a clock, so a
//! replay and a live service see the same. [`webhook`] tells others.

mod minute;
mod monitor;
pub mod webhook;

pub use minute::{Actor, MinuteFigures, MinuteTally, Moment};
pub use monitor::{AnomalyChange, Figure, Monitor, MonitorPolicy, Opening, RefusedFigure};
