//! Reports: which rows they count, over which time, and what the counts say.
//!
//! [`ReportName`] lists them all. A report takes a [`Period`] and a [`ReportFilter`]. Stores answer whole numbers, the
//! types of [`counts`]; the types of [`reports`] are what people and programs read, with ratios that say `None` where
//! there is nothing to divide by. People, bots and AI agents stand apart wherever sessions or requests are counted.
//!
//! Sessions count by their start, requests by their time, and usage by its time; a conversation by its beginning. So what
//! a report says of a period never changes because somebody came back later, and whoever was active in a period and in
//! the one before counts in both.
//!
//! What this module does not do: read rows (the stores do) or show reports to people (the application does).

pub mod counts;
pub mod reports;
mod days;
mod filter;
mod name;
mod period;

pub use counts::{Audience, ByAudience};
pub use days::{Day, Days, TooManyDays};
pub use filter::{FilterKey, InvalidFilter, ReportFilter, UnknownFilterKey};
pub use name::{Dimension, ReportName, UnknownReport};
pub use period::{InvalidPeriod, Period};
