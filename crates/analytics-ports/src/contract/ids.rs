//! What every [`IdGenerator`] does. Cases panic when it misbehaves; [`id_cases!`](crate::id_cases) lists them.

use std::collections::BTreeSet;

use analytics_domain::event::{AnalyticsEvent, EventName, EventProperties, InvalidEvent};
use analytics_domain::ids::{EventId, SessionId};
use chrono::{DateTime, TimeDelta, Utc};

use super::sample::at;
use crate::IdGenerator;

/// Of each kind, at one and the same time, also where several threads ask.
pub fn ids_are_made_once(ids: &dyn IdGenerator) {
    let made = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| (0..MANY).map(|_| one_of_each(ids)).collect())).collect();
        let made: Vec<Vec<[u128; 4]>> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        made.concat()
    });
    for kind in 0..4 {
        let different: BTreeSet<u128> = made.iter().map(|ids| ids[kind]).collect();
        assert_eq!(different.len(), made.len(), "ids of kind {kind}");
    }
}

/// To the millisecond, from 1970 to the last that 48 bits can say.
pub fn an_event_id_tells_the_time_of_its_event(ids: &dyn IdGenerator) {
    for millis in [0, 1, 1_700_000_000_123, (1 << 48) - 1] {
        let at = DateTime::from_timestamp_millis(millis).expect("a calendar holds it");
        for part in [0, 999] {
            let id = ids.event_id(at + TimeDelta::microseconds(part));
            assert_eq!(id.unix_millis(), Some(millis));
        }
    }
}

/// Of two events the one of a later millisecond has the greater id.
pub fn event_ids_are_in_the_order_of_time(ids: &dyn IdGenerator) {
    // Asked for in disorder, so that counting does not pass for it.
    let mut made: Vec<(i64, EventId)> = (0..1_000)
        .map(|number| number * 617 % 1_000)
        .map(|millis| (millis, ids.event_id(at(millis * 1_000))))
        .collect();
    made.sort_unstable();
    assert!(made.windows(2).all(|pair| pair[0].1 < pair[1].1));
}

/// Before 1970 and after 10889 there is no id that an event takes.
pub fn an_event_of_an_impossible_time_is_refused_with_its_id(ids: &dyn IdGenerator) {
    let last = DateTime::from_timestamp_millis(1 << 48).expect("a calendar holds it");
    for at in [DateTime::<Utc>::UNIX_EPOCH - TimeDelta::microseconds(1), last] {
        let name = EventName::new("view").expect("it is a name");
        let (id, session) = (ids.event_id(at), SessionId::from_u128(1));
        let refused = AnalyticsEvent::new(id, session, name, EventProperties::default(), at);
        assert_eq!(refused, Err(InvalidEvent::IdOfAnotherTime));
    }
}

/// Hands the names of all cases for makers of ids to a macro of yours.
#[macro_export]
macro_rules! id_cases {
    ($stamp:ident) => {
        $stamp! {
            ids::ids_are_made_once,
            ids::an_event_id_tells_the_time_of_its_event,
            ids::event_ids_are_in_the_order_of_time,
            ids::an_event_of_an_impossible_time_is_refused_with_its_id,
        }
    };
}

fn one_of_each(ids: &dyn IdGenerator) -> [u128; 4] {
    [
        ids.session_id(at(0)).as_u128(),
        ids.event_id(at(0)).as_u128(),
        ids.ban_id(at(0)).as_u128(),
        ids.anomaly_event_id(at(0)).as_u128(),
    ]
}

const MANY: usize = 1_000;
