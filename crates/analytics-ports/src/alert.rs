//! Who is told of an anomaly.

use analytics_domain::anomaly::AnomalyEvent;

/// Tells others of anomalies.
///
/// Not async and never waited for: whoever delivers over a network queues. An event is told once, however often it is
/// raised.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait AlertSink: Send + Sync {
    /// Takes an anomaly that opened in, to be told.
    fn raise(&self, event: &AnomalyEvent) -> AlertAnswer;
}

/// What became of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlertAnswer {
    /// It is told, or will be.
    Taken,
    /// It was taken before.
    Known,
    /// There is no room; it is counted and not told.
    Full,
}
