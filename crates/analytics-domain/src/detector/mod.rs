//! Telling people from automation, with reasons.

use serde::{Deserialize, Serialize};

/// What a session is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Nothing speaks against a person.
    Human,
    /// Something does, but not enough to act on.
    Suspected,
    /// Automation that does not declare itself.
    Bot,
    /// Automation that declares itself.
    DeclaredBot,
    /// Automation that declares itself and serves an AI product.
    AiAgent,
}

impl Class {
    /// Whether the session is automation: a bot, a declared bot or an AI agent.
    pub const fn is_bot(self) -> bool {
        match self {
            Self::Human | Self::Suspected => false,
            Self::Bot | Self::DeclaredBot | Self::AiAgent => true,
        }
    }
}
