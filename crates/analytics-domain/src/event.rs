//! Something named that happened in a session.
//!
//! An event's id is a `UUIDv7` whose time is the event's time, to the millisecond. So a store that is parted by time
//! finds an id in one part, and recording an event twice is noticed there.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::fmt;

use chrono::{DateTime, Utc};
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::{EventId, SessionId};
use crate::session::is_whole_micros;

/// Something named that happened in a session, with a few properties.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnalyticsEvent {
    id: EventId,
    session: SessionId,
    name: EventName,
    at: DateTime<Utc>,
    properties: EventProperties,
}

/// The name of an event: 1 to 128 bytes without control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct EventName(String);

/// The properties of an event, in the order of their keys.
///
/// At most 32, with keys of 1 to 64 bytes and texts of at most 1024 bytes, without NUL characters; numbers are finite.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(transparent)]
pub struct EventProperties(BTreeMap<String, PropertyValue>);

/// The value of a property.
#[derive(Debug, Clone, PartialEq)]
pub enum PropertyValue {
    /// A text of at most 1024 bytes.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// Any other finite number.
    Number(f64),
    /// Yes or no.
    Bool(bool),
}

/// Why data are not an [`AnalyticsEvent`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEvent {
    /// The time has parts below a microsecond, which stores cannot keep.
    #[error("the time of an event is in whole microseconds")]
    NotWholeMicroseconds,
    /// The id is not a `UUIDv7`, or its time is another millisecond than the event's.
    #[error("the id of an event is a UUIDv7 of the same millisecond as the event")]
    IdOfAnotherTime,
    /// The name is empty or longer than 128 bytes; this many.
    #[error("the name of an event has 1 to 128 bytes, this one has {0}")]
    NameLength(usize),
    /// The name has a control character.
    #[error("the name of an event has no control characters")]
    NameCharacter,
    /// There are more than 32 properties; this many.
    #[error("an event has at most 32 properties, not {0}")]
    TooManyProperties(usize),
    /// A key is empty, longer than 64 bytes, or has a NUL character.
    #[error("a property's key has 1 to 64 bytes and no NUL")]
    PropertyKey,
    /// The text or number of this key is too long, has a NUL character, or is not finite.
    #[error("property {key} is a text over 1024 bytes or with NUL, or a number that is not finite")]
    PropertyValue {
        /// The key.
        key: String,
    },
}

impl AnalyticsEvent {
    /// The event with this id, name and properties in this session, at this time.
    ///
    /// # Errors
    /// [`InvalidEvent`]: `NotWholeMicroseconds` for a time with smaller parts, `IdOfAnotherTime` for an id that is not
    /// a `UUIDv7` of the same millisecond. A time before 1970 or after 10889 has no such id.
    pub fn new(
        id: EventId,
        session: SessionId,
        name: EventName,
        properties: EventProperties,
        at: DateTime<Utc>,
    ) -> Result<Self, InvalidEvent> {
        if !is_whole_micros(at) {
            Err(InvalidEvent::NotWholeMicroseconds)
        } else if id.unix_millis() != Some(at.timestamp_millis()) {
            Err(InvalidEvent::IdOfAnotherTime)
        } else {
            Ok(Self { id, session, name, at, properties })
        }
    }

    /// Which event it is.
    pub const fn id(&self) -> EventId {
        self.id
    }

    /// The session it happened in.
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// What happened.
    pub const fn name(&self) -> &EventName {
        &self.name
    }

    /// When it happened.
    pub const fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// What is known of it beside.
    pub const fn properties(&self) -> &EventProperties {
        &self.properties
    }
}

impl EventId {
    /// The `UUIDv7` of this time, with the low 74 bits of `entropy`; `None` before 1970 and after 10889, where 48 bits of
    /// milliseconds end.
    pub fn at(at: DateTime<Utc>, entropy: u128) -> Option<Self> {
        uuid_v7(at, entropy).map(Self::from_u128)
    }

    /// The milliseconds since 1970 of a `UUIDv7`; `None` for an id that is not one.
    pub const fn unix_millis(self) -> Option<i64> {
        unix_millis_of_uuid_v7(self.as_u128())
    }
}

impl EventName {
    /// The name.
    ///
    /// # Errors
    /// [`InvalidEvent`]: `NameLength` when it is empty or longer than 128 bytes, `NameCharacter` for control characters.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidEvent> {
        let name = name.into();
        if name.is_empty() || name.len() > 128 {
            Err(InvalidEvent::NameLength(name.len()))
        } else if name.chars().any(char::is_control) {
            Err(InvalidEvent::NameCharacter)
        } else {
            Ok(Self(name))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl EventProperties {
    /// The properties.
    ///
    /// # Errors
    /// [`InvalidEvent`]: `TooManyProperties` over 32, `PropertyKey` or `PropertyValue` for one out of its bounds.
    pub fn new(properties: BTreeMap<String, PropertyValue>) -> Result<Self, InvalidEvent> {
        if properties.len() > MOST_PROPERTIES {
            return Err(InvalidEvent::TooManyProperties(properties.len()));
        }
        for (key, value) in &properties {
            if key.is_empty() || key.len() > 64 || key.contains('\0') {
                return Err(InvalidEvent::PropertyKey);
            }
            if !value.is_in_bounds() {
                return Err(InvalidEvent::PropertyValue { key: key.clone() });
            }
        }
        Ok(Self(properties))
    }

    /// The properties by key.
    pub const fn as_map(&self) -> &BTreeMap<String, PropertyValue> {
        &self.0
    }
}

impl PropertyValue {
    fn is_in_bounds(&self) -> bool {
        match self {
            Self::Text(text) => text.len() <= 1024 && !text.contains('\0'),
            Self::Number(number) => number.is_finite(),
            Self::Integer(_) | Self::Bool(_) => true,
        }
    }
}

impl<'de> Deserialize<'de> for AnalyticsEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "AnalyticsEvent")]
        struct Written {
            id: EventId,
            session: SessionId,
            name: EventName,
            at: DateTime<Utc>,
            #[serde(default)]
            properties: EventProperties,
        }
        let Written { id, session, name, at, properties } = Written::deserialize(deserializer)?;
        Self::new(id, session, name, properties, at).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for EventName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for EventProperties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(BTreeMap::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl Serialize for PropertyValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Bool(yes) => serializer.serialize_bool(*yes),
        }
    }
}

impl<'de> Deserialize<'de> for PropertyValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Values;
        impl Visitor<'_> for Values {
            type Value = PropertyValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number, true or false")
            }

            fn visit_bool<E>(self, yes: bool) -> Result<PropertyValue, E> {
                Ok(PropertyValue::Bool(yes))
            }

            fn visit_i64<E>(self, number: i64) -> Result<PropertyValue, E> {
                Ok(PropertyValue::Integer(number))
            }

            // A whole number past the range of i64 keeps its size and loses its last digits.
            fn visit_u64<E>(self, number: u64) -> Result<PropertyValue, E> {
                Ok(i64::try_from(number).map_or(PropertyValue::Number(number as f64), PropertyValue::Integer))
            }

            fn visit_f64<E>(self, number: f64) -> Result<PropertyValue, E> {
                Ok(PropertyValue::Number(number))
            }

            fn visit_str<E>(self, text: &str) -> Result<PropertyValue, E> {
                Ok(PropertyValue::Text(text.into()))
            }
        }
        deserializer.deserialize_any(Values)
    }
}

/// The bits of a `UUIDv7` (RFC 9562, section 5.7): 48 bits of milliseconds, version 7, 12 bits, variant 2, 62 bits.
pub(crate) fn uuid_v7(at: DateTime<Utc>, entropy: u128) -> Option<u128> {
    let millis = u64::try_from(at.timestamp_millis()).ok().filter(|&millis| millis < 1 << 48)?;
    let high = entropy >> 62 & 0xfff;
    let low = entropy & ((1 << 62) - 1);
    Some(u128::from(millis) << 80 | 7 << 76 | high << 64 | 0b10 << 62 | low)
}

/// The milliseconds since 1970 of a `UUIDv7`; `None` for bits that are not one.
pub(crate) const fn unix_millis_of_uuid_v7(bits: u128) -> Option<i64> {
    if bits >> 76 & 0xf == 7 && bits >> 62 & 0b11 == 0b10 { Some((bits >> 80) as i64) } else { None }
}

const MOST_PROPERTIES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use chrono::TimeDelta;
    use proptest::prelude::*;

    #[test]
    fn an_event_is_what_was_given() {
        let event = event(at(5), at(5)).unwrap();
        assert_eq!((event.id(), event.session(), event.at()), (id(at(5)), SessionId::from_u128(1), at(5)));
        assert_eq!((event.name().as_str(), event.properties()), ("sign_up", &EventProperties::default()));
    }

    #[test]
    fn an_id_of_another_time_is_refused() {
        assert_eq!(event(at(5), at(6)), Err(InvalidEvent::IdOfAnotherTime));
        let name = EventName::new("sign_up").unwrap();
        let not_v7 = EventId::from_u128(id(at(5)).as_u128() ^ 1 << 76);
        let refused =
            AnalyticsEvent::new(not_v7, SessionId::from_u128(1), name, EventProperties::default(), at(5));
        assert_eq!(refused, Err(InvalidEvent::IdOfAnotherTime));
        // Both are in the same millisecond.
        assert!(event(at(5), at(5) + TimeDelta::microseconds(999)).is_ok());
    }

    #[test]
    fn a_time_below_a_microsecond_is_refused() {
        let refused = event(at(5), at(5) + TimeDelta::nanoseconds(1));
        assert_eq!(refused, Err(InvalidEvent::NotWholeMicroseconds));
    }

    #[test]
    fn an_id_of_version_7_reads_as_the_standard_writes_it() {
        // The example of RFC 9562, appendix A.6: 2022-02-22 14:22:22 -05:00.
        let at = DateTime::from_timestamp_millis(1_645_557_742_000).unwrap();
        let entropy = 0xcc3 << 62 | 0x18c4_dc0c_0c07_398f;
        assert_eq!(EventId::at(at, entropy).unwrap().to_string(), "017f22e279b07cc398c4dc0c0c07398f");
        assert_eq!(EventId::at(DateTime::from_timestamp_millis(-1).unwrap(), 0), None);
        assert_eq!(EventId::at(DateTime::from_timestamp_millis(1 << 48).unwrap(), 0), None);
    }

    #[test]
    fn a_name_is_1_to_128_bytes_without_control_characters() {
        assert_eq!(EventName::new(""), Err(InvalidEvent::NameLength(0)));
        assert!(EventName::new("x".repeat(128)).is_ok());
        assert_eq!(EventName::new("x".repeat(129)), Err(InvalidEvent::NameLength(129)));
        assert_eq!(EventName::new("a\nb"), Err(InvalidEvent::NameCharacter));
    }

    #[test]
    fn properties_are_bounded() {
        let one = |key: &str, value| EventProperties::new(BTreeMap::from([(key.to_string(), value)]));
        let text = |length: usize| PropertyValue::Text("x".repeat(length));
        let refused = |key: &str| Err(InvalidEvent::PropertyValue { key: key.to_string() });
        assert!(one(&"k".repeat(64), text(1024)).is_ok());
        assert_eq!(one(&"k".repeat(65), text(1)), Err(InvalidEvent::PropertyKey));
        assert_eq!(one("", text(1)), Err(InvalidEvent::PropertyKey));
        assert_eq!(one("k", text(1025)), refused("k"));
        assert_eq!(one("k", PropertyValue::Text("\0".into())), refused("k"));
        assert_eq!(one("k", PropertyValue::Number(f64::NAN)), refused("k"));
        let many = |n: u32| (0..n).map(|n| (n.to_string(), PropertyValue::Bool(true))).collect();
        assert!(EventProperties::new(many(32)).is_ok());
        assert_eq!(EventProperties::new(many(33)), Err(InvalidEvent::TooManyProperties(33)));
    }

    proptest! {
        #[test]
        fn an_event_survives_json(
            millis in 0i64..1 << 48, micros in 0i64..1_000, entropy: u128,
            text in "[^\u{0}]{0,20}", whole: i64, number in proptest::num::f64::NORMAL, yes: bool,
        ) {
            let at = DateTime::from_timestamp_micros(millis * 1_000 + micros).unwrap();
            let properties = EventProperties::new(BTreeMap::from([
                ("a".into(), PropertyValue::Text(text)),
                ("b".into(), PropertyValue::Integer(whole)),
                ("c".into(), PropertyValue::Number(number)),
                ("d".into(), PropertyValue::Bool(yes)),
            ])).unwrap();
            let (id, name) = (EventId::at(at, entropy).unwrap(), EventName::new("e").unwrap());
            prop_assert_eq!(id.unix_millis(), Some(millis));
            let event = AnalyticsEvent::new(id, SessionId::from_u128(1), name, properties, at).unwrap();
            let json = serde_json::to_string(&event).unwrap();
            prop_assert_eq!(serde_json::from_str::<AnalyticsEvent>(&json).unwrap(), event);
        }
    }

    fn event(id_at: DateTime<Utc>, event_at: DateTime<Utc>) -> Result<AnalyticsEvent, InvalidEvent> {
        let name = EventName::new("sign_up").unwrap();
        AnalyticsEvent::new(id(id_at), SessionId::from_u128(1), name, EventProperties::default(), event_at)
    }

    fn id(at: DateTime<Utc>) -> EventId {
        EventId::at(at, 77).unwrap()
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
    }
}
