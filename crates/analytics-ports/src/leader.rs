//! One leader at a time for work that need not be done twice.

use core::fmt;

use async_trait::async_trait;

use crate::error::StoreError;

/// Lets one of many processes lead in a role, for as long as it wants to or lives.
///
/// It keeps work from being done twice; it does not make doing it twice safe. A leader that lost its store learns of it
/// only when it asks, and another may lead by then, so what a leader does has to be safe for two.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait LeaderLock: Send + Sync {
    /// Leads in this role from now on; `None` when somebody else does, the caller himself included. It never waits for
    /// another to give up.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when nobody can say who leads.
    async fn try_lead(&self, role: LeaderRole) -> Result<Option<Box<dyn Leadership>>, StoreError>;
}

/// That one leads. Dropped, it is given up soon, but not at once; [`Leadership::release`] is at once.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait Leadership: Send {
    /// Whether this still leads, as far as can be told: `false` when the store took it away or does not answer. It is
    /// never led again after that.
    async fn still_leads(&mut self) -> bool;

    /// Gives it up. When this has ended well, the next that asks leads.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the store does not answer; it is given up all the same, as soon as the store
    /// finds its holder gone.
    async fn release(self: Box<Self>) -> Result<(), StoreError>;
}

/// What somebody leads in: 1 to 64 small letters of ASCII, digits and underscores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaderRole(&'static str);

impl LeaderRole {
    /// The role of this name; `None` for an empty name, one of more than 64 bytes, and one with another byte than a
    /// small letter, a digit or an underscore. An `Option`, so that a constant can be made of it.
    pub const fn new(name: &'static str) -> Option<Self> {
        let bytes = name.as_bytes();
        if bytes.is_empty() || bytes.len() > 64 {
            return None;
        }
        let mut at = 0;
        while at < bytes.len() {
            if !matches!(bytes[at], b'a'..=b'z' | b'0'..=b'9' | b'_') {
                return None;
            }
            at += 1;
        }
        Some(Self(name))
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for LeaderRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: &str = "a_role_of_64_bytes_0123456789_0123456789_0123456789_0123456789_a";
    const TOO_LONG: &str = "a_role_of_65_bytes_0123456789_0123456789_0123456789_0123456789_ab";

    #[test]
    fn a_role_has_1_to_64_small_letters_digits_and_underscores() {
        for name in ["a", "retention", "step_2", LONGEST] {
            assert_eq!(LeaderRole::new(name).map(LeaderRole::as_str), Some(name));
        }
        for name in ["", "Retention", "a b", "a-b", "ä", "a\0", TOO_LONG] {
            assert_eq!(LeaderRole::new(name), None, "{name:?}");
        }
    }
}
