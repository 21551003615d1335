//! Which record it is and when it was: an id whose own time is the record's.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};

use crate::event::{unix_millis_of_uuid_v7, uuid_v7};
use crate::ids::{AiRequestId, ConversationId, MessageId, TaskId, ToolExecutionId};
use crate::session::is_whole_micros;

/// Which record it is and when it was. The id is a `UUIDv7` of the same millisecond as the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Stamp<I> {
    at: DateTime<Utc>,
    id: I,
}

/// An id whose first 48 bits may be its time.
pub trait TimeId: Copy + Ord {
    /// The milliseconds since 1970 of a `UUIDv7`; `None` for an id that is not one.
    fn unix_millis(self) -> Option<i64>;
}

/// Why an id and a time are not a [`Stamp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStamp {
    /// The time has parts below a microsecond, which stores cannot keep.
    #[error("the time of a record is in whole microseconds")]
    NotWholeMicroseconds,
    /// The id is not a `UUIDv7`, or its time is another millisecond than the record's.
    #[error("the id of a record is a UUIDv7 of the same millisecond as the record")]
    IdOfAnotherTime,
}

impl<I: TimeId> Stamp<I> {
    /// The stamp of this id and time.
    ///
    /// # Errors
    /// [`InvalidStamp`]: `NotWholeMicroseconds` for a time with smaller parts, `IdOfAnotherTime` for an id that is not a
    /// `UUIDv7` of the same millisecond. A time before 1970 or after 10889 has no such id.
    pub fn new(id: I, at: DateTime<Utc>) -> Result<Self, InvalidStamp> {
        if !is_whole_micros(at) {
            Err(InvalidStamp::NotWholeMicroseconds)
        } else if id.unix_millis() != Some(at.timestamp_millis()) {
            Err(InvalidStamp::IdOfAnotherTime)
        } else {
            Ok(Self { at, id })
        }
    }
}

impl<I: Copy> Stamp<I> {
    /// Which record it is.
    pub const fn id(&self) -> I {
        self.id
    }

    /// When it was.
    pub const fn at(&self) -> DateTime<Utc> {
        self.at
    }
}

impl<'de, I: TimeId + Deserialize<'de>> Deserialize<'de> for Stamp<I> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "Stamp")]
        struct Written<I> {
            at: DateTime<Utc>,
            id: I,
        }
        let Written { at, id } = Written::deserialize(deserializer)?;
        Self::new(id, at).map_err(serde::de::Error::custom)
    }
}

macro_rules! time_ids {
    ($($name:ident),+) => {$(
        impl $name {
            /// The `UUIDv7` of this time, with the low 74 bits of `entropy`; `None` before 1970 and after 10889, where 48
            /// bits of milliseconds end.
            pub fn at(at: DateTime<Utc>, entropy: u128) -> Option<Self> {
                uuid_v7(at, entropy).map(Self::from_u128)
            }
        }

        impl TimeId for $name {
            fn unix_millis(self) -> Option<i64> {
                unix_millis_of_uuid_v7(self.as_u128())
            }
        }
    )+};
}

time_ids!(AiRequestId, TaskId, ToolExecutionId, ConversationId, MessageId);

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use proptest::prelude::*;

    #[test]
    fn an_id_of_another_millisecond_and_parts_of_a_microsecond_are_refused() {
        let at = DateTime::from_timestamp_micros(1_700_000_000_123_457).unwrap();
        let id = TaskId::at(at, 7).unwrap();
        assert_eq!(Stamp::new(id, at).map(|stamp| (stamp.id(), stamp.at())), Ok((id, at)));
        assert!(Stamp::new(id, at + TimeDelta::microseconds(542)).is_ok());
        let later = at + TimeDelta::microseconds(543);
        assert_eq!(Stamp::new(id, later), Err(InvalidStamp::IdOfAnotherTime));
        let nanos = at + TimeDelta::nanoseconds(1);
        assert_eq!(Stamp::new(id, nanos), Err(InvalidStamp::NotWholeMicroseconds));
        assert_eq!(Stamp::new(TaskId::from_u128(7), at), Err(InvalidStamp::IdOfAnotherTime));
        assert_eq!(TaskId::at(DateTime::from_timestamp_micros(-1).unwrap(), 0), None);
    }

    proptest! {
        #[test]
        fn ids_order_by_their_milliseconds_and_stamps_survive_json(
            a in 0i64..1 << 47, b in 0i64..1 << 47, entropy: u128,
        ) {
            let time = |millis| DateTime::from_timestamp_millis(millis).unwrap();
            let (x, y) = (MessageId::at(time(a), entropy).unwrap(), MessageId::at(time(b), !entropy).unwrap());
            prop_assert!(a == b || (a < b) == (x < y));
            let stamp = Stamp::new(x, time(a)).unwrap();
            let json = serde_json::to_string(&stamp).unwrap();
            prop_assert_eq!(serde_json::from_str::<Stamp<MessageId>>(&json).unwrap(), stamp);
        }
    }
}
