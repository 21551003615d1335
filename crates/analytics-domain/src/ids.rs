//! Every identifier that crosses a crate boundary, each a type of its own.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdError {
    /// The text does not have 32 hexadecimal digits.
    #[error("an identifier has 32 hexadecimal digits, this text has {0} bytes")]
    Length(usize),
    /// A character is not a hexadecimal digit.
    #[error("byte {0} of the identifier is not a hexadecimal digit")]
    Digit(usize),
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        ///
        /// 128 bits; as text 32 lower-case hexadecimal digits, which order as the bits do.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// The identifier with these bits.
            pub const fn from_u128(bits: u128) -> Self {
                Self(bits)
            }

            /// The bits of the identifier.
            pub const fn as_u128(self) -> u128 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:032x})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse_hex(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

ids! {
    /// One session of one visitor.
    SessionId;
    /// The *counting* identity: keyed hash of site, client network and user agent, under a key that lives one day.
    VisitorId;
    /// The *abuse* identity: keyed hash of client network, user agent, Accept-Language and JA4.
    FingerprintHash;
    /// One client, network or block in a written standing: a keyed hash, so that no address is written.
    StandingId;
    /// One recorded event; a UUIDv7 whose time is the event's time.
    EventId;
    /// One ban.
    BanId;
    /// One anomaly that was opened.
    AnomalyEventId;
    /// One request to an AI provider; a UUIDv7 whose time is the request's.
    AiRequestId;
    /// One task of an agent; a UUIDv7 whose time is the task's beginning.
    TaskId;
    /// One run of a tool; a UUIDv7 whose time is the run's beginning.
    ToolExecutionId;
    /// One conversation; a UUIDv7 whose time is the conversation's beginning.
    ConversationId;
    /// One message of a conversation; a UUIDv7 whose time is the message's.
    MessageId;
}

/// A user of the host's own accounts, in the host's own words.
///
/// 1 to 128 bytes without NUL characters, which some stores cannot keep; other names are refused by [`UserId::new`]
/// and never changed, since two users must not become one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct UserId(String);

/// Why a text is not a [`UserId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUserId {
    /// The text is empty or longer than 128 bytes; this many.
    #[error("a user id has 1 to 128 bytes, this one has {0}")]
    Length(usize),
    /// The text has a NUL character.
    #[error("a user id has no NUL character")]
    Nul,
}

impl UserId {
    /// The user with this name.
    ///
    /// # Errors
    /// [`InvalidUserId`]: `Length` when the name is empty or longer than 128 bytes, `Nul` when it has a NUL character.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidUserId> {
        let name = name.into();
        if name.is_empty() || name.len() > 128 {
            Err(InvalidUserId::Length(name.len()))
        } else if name.contains('\0') {
            Err(InvalidUserId::Nul)
        } else {
            Ok(Self(name))
        }
    }

    /// The name as the host gave it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for UserId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

fn parse_hex(text: &str) -> Result<u128, ParseIdError> {
    if text.len() != 32 {
        return Err(ParseIdError::Length(text.len()));
    }
    text.bytes().enumerate().try_fold(0u128, |bits, (at, byte)| {
        let digit = (byte as char).to_digit(16).ok_or(ParseIdError::Digit(at))?;
        Ok(bits << 4 | u128::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_and_bits_round_trip(bits: u128) {
            let id = SessionId::from_u128(bits);
            prop_assert_eq!(id.to_string().parse::<SessionId>(), Ok(id));
        }

        #[test]
        fn text_orders_as_bits_do(a: u128, b: u128) {
            let (x, y) = (VisitorId::from_u128(a), VisitorId::from_u128(b));
            prop_assert_eq!(x.to_string().cmp(&y.to_string()), x.cmp(&y));
        }
    }

    #[test]
    fn a_short_text_and_a_wrong_digit_are_refused_with_their_place() {
        assert_eq!("12".parse::<SessionId>(), Err(ParseIdError::Length(2)));
        assert_eq!("0000000000000000000000000000000g".parse::<SessionId>(), Err(ParseIdError::Digit(31)));
    }

    #[test]
    fn a_user_id_is_one_to_128_bytes_without_nul() {
        assert_eq!(UserId::new(""), Err(InvalidUserId::Length(0)));
        assert!(UserId::new("x".repeat(128)).is_ok());
        assert_eq!(UserId::new("x".repeat(129)), Err(InvalidUserId::Length(129)));
        assert_eq!(UserId::new("a\0b"), Err(InvalidUserId::Nul));
        assert!(serde_json::from_str::<UserId>(r#""a\u0000b""#).is_err());
    }
}
