//! Which state of a value was seen.

use core::num::NonZeroU64;

/// A value and the version it was read at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versioned<T> {
    /// How often the value had been written.
    pub version: Version,
    /// The value.
    pub value: T,
}

/// How often a value had been written: 1 when it was created, one more at each swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(NonZeroU64);

/// What a store answers to something recorded under an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Recorded {
    /// It is kept now and was not before.
    New,
    /// Something with this id is kept already, and stays as it is. A repeated call gets this.
    Known,
}

impl Version {
    /// The version of a value that was just created.
    pub const FIRST: Self = Self(NonZeroU64::MIN);

    /// The version after this one. The last of 2⁶⁴ − 1 is its own successor.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The version with this number, as a store kept it.
    pub const fn new(number: NonZeroU64) -> Self {
        Self(number)
    }

    /// The number, from 1.
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}
