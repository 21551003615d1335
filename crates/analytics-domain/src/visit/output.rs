//! What leaves a step: values for others to store, show and learn from.

use alloc::vec::Vec;

use super::visitor::{ClientKey, EndedSession};
use crate::reputation::{BanTerm, FlagSet};
use crate::request::ClientNetwork;
use crate::site::Finding;
use crate::throttle::LevelChange;

/// Values that a step leaves behind, in the order in which they arose. Whoever steps takes them.
#[derive(Debug)]
pub struct Output<T> {
    /// What the site is to learn when the minute closes.
    pub findings: Vec<Finding>,
    /// Sessions that ended.
    pub ended: Vec<EndedSession<T>>,
    /// Changes of level.
    pub levels: Vec<(ClientKey, LevelChange)>,
    /// Reasons against a fingerprint that arose.
    pub flags: Vec<(ClientKey, FlagSet)>,
    /// Bans that began.
    pub bans: Vec<(BannedPart, BanTerm)>,
}

/// Who a ban that began is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BannedPart {
    /// One fingerprint.
    Fingerprint(ClientKey),
    /// A whole client network.
    Network(ClientNetwork),
}

impl<T> Output<T> {
    /// Whether there is nothing to take but findings.
    pub const fn is_empty(&self) -> bool {
        self.ended.is_empty() && self.levels.is_empty() && self.flags.is_empty() && self.bans.is_empty()
    }

    /// Moves everything from `other` behind what is here.
    pub fn append(&mut self, other: &mut Self) {
        self.findings.append(&mut other.findings);
        self.ended.append(&mut other.ended);
        self.levels.append(&mut other.levels);
        self.flags.append(&mut other.flags);
        self.bans.append(&mut other.bans);
    }
}

impl<T> Default for Output<T> {
    fn default() -> Self {
        Self {
            findings: Vec::new(),
            ended: Vec::new(),
            levels: Vec::new(),
            flags: Vec::new(),
            bans: Vec::new(),
        }
    }
}
