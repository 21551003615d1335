//! New identifiers.

use analytics_domain::ids::{AnomalyEventId, BanId, EventId, SessionId};
use chrono::{DateTime, Utc};

/// Makes identifiers that nobody else makes.
///
/// Not async, and not a store: services make ids and hand them to the stores, so that a repeated call carries the same
/// id and is noticed.
pub trait IdGenerator: Send + Sync {
    /// A new session's id. It need not be hard to guess, since it opens nothing.
    fn session_id(&self, now: DateTime<Utc>) -> SessionId;

    /// A new event's id: a `UUIDv7` of the millisecond of `at`. For a time before 1970 or after 10889 there is none, and the
    /// id is one that [`AnalyticsEvent::new`](analytics_domain::event::AnalyticsEvent::new) refuses.
    fn event_id(&self, at: DateTime<Utc>) -> EventId;

    /// A new ban's id.
    fn ban_id(&self, now: DateTime<Utc>) -> BanId;

    /// A new anomaly's id.
    fn anomaly_event_id(&self, now: DateTime<Utc>) -> AnomalyEventId;
}

#[cfg(feature = "mock")]
pub use mock::SequentialIds;

#[cfg(feature = "mock")]
mod mock {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::{AnomalyEventId, BanId, DateTime, EventId, IdGenerator, SessionId, Utc};

    /// Ids that count up from 1, the same in every run: for tests.
    #[derive(Debug, Default)]
    pub struct SequentialIds {
        made: AtomicU64,
    }

    impl SequentialIds {
        /// A generator whose first id has the number 1.
        pub const fn new() -> Self {
            Self { made: AtomicU64::new(0) }
        }

        fn next(&self) -> u128 {
            u128::from(self.made.fetch_add(1, Ordering::SeqCst)) + 1
        }
    }

    impl IdGenerator for SequentialIds {
        fn session_id(&self, _now: DateTime<Utc>) -> SessionId {
            SessionId::from_u128(self.next())
        }

        fn event_id(&self, at: DateTime<Utc>) -> EventId {
            let number = self.next();
            EventId::at(at, number).unwrap_or(EventId::from_u128(number))
        }

        fn ban_id(&self, _now: DateTime<Utc>) -> BanId {
            BanId::from_u128(self.next())
        }

        fn anomaly_event_id(&self, _now: DateTime<Utc>) -> AnomalyEventId {
            AnomalyEventId::from_u128(self.next())
        }
    }
}
