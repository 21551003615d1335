//! Names that hosts give to providers, models, agents and tools.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

/// The name of a provider, a model, an agent or a tool: 1 to 128 bytes without control characters.
///
/// Names differ in every byte that differs, and order as their bytes do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Name(String);

/// A text is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// It is empty or longer than 128 bytes; this many.
    #[error("a name has 1 to 128 bytes, this one has {0}")]
    Length(usize),
    /// It has a control character.
    #[error("a name has no control characters")]
    Character,
}

impl Name {
    /// The name.
    ///
    /// # Errors
    /// [`InvalidName`]: `Length` when it is empty or longer than 128 bytes, `Character` for control characters.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidName> {
        let name = name.into();
        if name.is_empty() || name.len() > 128 {
            Err(InvalidName::Length(name.len()))
        } else if name.chars().any(char::is_control) {
            Err(InvalidName::Character)
        } else {
            Ok(Self(name))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::new(text)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_1_to_128_bytes_and_no_control_characters() {
        assert_eq!(Name::new(""), Err(InvalidName::Length(0)));
        assert_eq!(Name::new("x".repeat(129)), Err(InvalidName::Length(129)));
        assert_eq!(Name::new("a\nb"), Err(InvalidName::Character));
        assert_eq!(Name::new("a\0b"), Err(InvalidName::Character));
        assert_eq!(Name::new("x".repeat(128)).unwrap().as_str().len(), 128);
        assert_eq!("gpt 5 🦀".parse::<Name>().unwrap().as_str(), "gpt 5 🦀");
        assert!(serde_json::from_str::<Name>("\"\"").is_err());
    }
}
