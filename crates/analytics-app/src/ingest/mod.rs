//! Reading what a site already recorded: access logs of the common servers, from files, pipes and growing files, and
//! series of values, and labels.
//!
//! [`source`] turns inputs into blocks of whole lines; [`access_log`] turns one line into one
//! [`LogRecord`](access_log::LogRecord); [`series`] reads metrics that were recorded elsewhere,
//! [`labels`] what sessions are said to be. What it does not do:
//! decide who the client is behind a proxy, classify anything, or keep anything. The replay engine does, with the rules
//! of `analytics-domain`.

pub mod access_log;
pub mod labels;
pub mod queue;
pub mod series;
pub mod source;
