//! Columns read back as values of the domain; what breaks a rule names table, column and row.

use std::fmt::Display;
use std::num::NonZeroU64;

use analytics_domain::session::{Text, TextTooLong};
use analytics_ports::{Entity, StoreError, Version};
use chrono::{DateTime, Utc};
use serde::de::value::{Error as NameError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

use crate::stamp::Stamp;

/// One row that is being read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<K> {
    pub(crate) entity: Entity,
    pub(crate) table: &'static str,
    pub(crate) key: K,
}

/// A whole number is outside of what its type holds.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("{0} is out of range")]
struct OutOfRange(i64);

impl<K: Display> Row<K> {
    /// The error that this column breaks a rule.
    pub(crate) fn corrupt(
        &self,
        column: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> StoreError {
        StoreError::Corrupt {
            entity: self.entity,
            table: self.table,
            column,
            row: self.key.to_string(),
            source: Some(source.into()),
        }
    }

    /// The value, where reading it succeeded.
    pub(crate) fn ok<T, E>(&self, column: &'static str, value: Result<T, E>) -> Result<T, StoreError>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        value.map_err(|source| self.corrupt(column, source))
    }

    pub(crate) fn time(&self, column: &'static str, stamp: Stamp) -> Result<DateTime<Utc>, StoreError> {
        self.ok(column, stamp.time())
    }

    /// A member of a closed list by the name that serde gives it.
    pub(crate) fn name<T: DeserializeOwned>(
        &self,
        column: &'static str,
        name: &str,
    ) -> Result<T, StoreError> {
        let reader: StrDeserializer<'_, NameError> = name.into_deserializer();
        self.ok(column, T::deserialize(reader))
    }

    /// A value that is kept as JSON.
    pub(crate) fn json<T: DeserializeOwned>(
        &self,
        column: &'static str,
        json: &str,
    ) -> Result<T, StoreError> {
        self.ok(column, serde_json::from_str(json))
    }

    pub(crate) fn text<const MAX: usize>(
        &self,
        column: &'static str,
        text: Option<String>,
    ) -> Result<Option<Text<MAX>>, StoreError> {
        let read: Result<Option<Text<MAX>>, TextTooLong> = text.map(Text::new).transpose();
        self.ok(column, read)
    }

    /// A whole number of a type that holds less than 64 bits, or no negative ones.
    pub(crate) fn number<T: TryFrom<i64>>(&self, column: &'static str, number: i64) -> Result<T, StoreError> {
        self.ok(column, T::try_from(number).map_err(|_| OutOfRange(number)))
    }

    pub(crate) fn version(&self, number: i64) -> Result<Version, StoreError> {
        let number: u64 = self.number("version", number)?;
        let number = NonZeroU64::new(number).ok_or(OutOfRange(0));
        self.ok("version", number.map(Version::new))
    }
}

/// Whether a version that a caller expects can be kept at all; a greater one never is.
pub(crate) fn kept(version: Version) -> Option<i64> {
    i64::try_from(version.get()).ok()
}
