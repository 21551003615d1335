//! What the detector answers for a session.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

use super::Class;
use super::signal::{Signal, SignalSet};
use crate::model::Contribution;

/// What the detector answers for a session, with every reason.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// From 0 (nothing speaks against a person) to 100.
    pub score: f64,
    /// What the session is taken for.
    pub class: Class,
    /// Whether it means harm, beside its class: a declared or verified crawler is a bot and not hostile.
    pub hostile: bool,
    /// Every signal that fired, in the order of `SignalKind::ALL`.
    pub signals: Vec<Signal>,
    /// What the model found; `None` without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelFinding>,
    /// The rules that were applied.
    pub ruleset_version: &'static str,
}

/// What a model found in a session.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelFinding {
    /// The probability that it is automation, 0 to 1.
    pub probability: f64,
    /// The features that moved it most, the furthest first; at most five.
    pub contributions: Vec<Contribution>,
}

impl Verdict {
    /// The names of the signals, joined with commas; empty when none fired.
    pub fn reason(&self) -> String {
        let names: Vec<&str> = self.signals.iter().map(|signal| signal.kind.as_str()).collect();
        names.join(", ")
    }
}

/// A verdict without its evidence: what the hot path needs and a visitor's state keeps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assessment {
    /// From 0 to 100.
    pub score: f64,
    /// What the session is taken for.
    pub class: Class,
    /// Whether it means harm.
    pub hostile: bool,
    /// Whether a decisive fact says that it means harm: a spoofed crawler, a trap, an attack.
    pub decisive_hostile: bool,
    /// Which signals fired.
    pub signals: SignalSet,
}

impl Default for Assessment {
    fn default() -> Self {
        Self {
            score: 0.0,
            class: Class::Human,
            hostile: false,
            decisive_hostile: false,
            signals: SignalSet::default(),
        }
    }
}
