//! Reading what a site already recorded: access logs of the common servers, from files, pipes and growing files, and
//! series of values.
//!
//! [`source`] turns inputs into blocks of whole lines; [`access_log`] turns one line into one
//! [`LogRecord`](access_log::LogRecord); [`series`] reads metrics that were recorded elsewhere. What it does not do:
//! decide who the client is behind a proxy, classify anything, or keep anything. The replay engine does, with the rules
//! of `analytics-domain`.

pub mod access_log;
pub mod queue;
pub mod series;
pub mod source;
