//! Replaying access logs through the engine that decides about live traffic, at event time.
//!
//! ```text
//! inputs: read and parsed -> order: by their times -> step: decided about -> count: tallied and written
//! ```
//!
//! Each of the four is a thread, parsing one or several; blocks of requests go from one to the next. Only the steps decide
//! anything, so the same report comes out of any number of threads, to the byte.

mod anomalies;
mod count;
mod inputs;
mod order;
mod read;
mod record;
mod report;
mod run;
mod session_line;
mod step;
mod tally;
#[cfg(test)]
mod tests;
mod watch;
pub mod text;

pub use anomalies::{AnomalyRow, AnomalySummary};
pub use order::OrderCounters;
pub(crate) use read::{Agent, facts_of as referrer_facts};
pub use record::RecordSink;
pub(crate) use record::{client_of, declared_of, verdict_of};
pub use report::{
    BadExample, Bounds, ClassSummary, DeclaredRow, InputSummary, LevelRow, LogRow, NamedRow, Period, Report,
    SignalRow,
};
pub use run::{Replay, ReplayError, ReplayOptions};
pub use session_line::{DeclaredName, SessionLine, ThrottleSummary};
pub(crate) use watch::MOST_LISTED;
pub use watch::{Watch, WatchedRequest, WatchedSession};
