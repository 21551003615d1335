//! From traffic to anomalies: figures a minute, and what is out of the ordinary in them.
//!
//! [`MinuteTally`] counts what happened in each minute, for people, bots and AI agents apart; [`LiveFeed`] does it for
//! the callers of a live service. [`Monitor`] holds every figure against fixed limits, its trend and the baseline of its
//! own series. None touches a store or a clock, so a replay and a live service see the same. [`AlertLog`] and [`webhook`] tell others.

mod live;
mod log;
mod minute;
mod monitor;
mod told;
mod trend;
pub mod webhook;

pub use live::LiveFeed;
pub use log::AlertLog;
pub use minute::{Actor, CountedMinute, MinuteFigures, MinuteReader, MinuteTally, Moment};
pub(crate) use monitor::limits_of;
pub use monitor::{AnomalyChange, Figure, Monitor, MonitorPolicy, Opening, RefusedFigure, Watched};
