//! Reports: which rows they count, over which time, and what the counts say.
//!
//! Stores answer whole numbers; ratios are worked out here, and say `None` where there is nothing to divide by.
//!
//! What this module does not do: read rows (the stores do) or show reports to people (the application does).

mod period;

pub use period::{InvalidPeriod, Period};
