//! How a store fails.

use core::fmt;
use std::error::Error;

/// How a store fails, named for what the caller can do next. That something is not there is no failure.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached or is too busy. Trying again may help; nothing was changed, or a repeat is noticed.
    #[error("the store is unavailable")]
    Unavailable {
        /// What the store's driver said.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// Somebody else changed it first. Load it again and decide again.
    #[error("the {entity} was changed by somebody else")]
    Conflict {
        /// What was changed.
        entity: Entity,
    },
    /// What is kept breaks a rule of its type. Only a person can help; nothing is guessed in its place.
    #[error("the {entity} in row {row} of {table} has a wrong {column}")]
    Corrupt {
        /// What cannot be read.
        entity: Entity,
        /// The table, or the name of the map, that holds it.
        table: &'static str,
        /// The column, or the field.
        column: &'static str,
        /// The key of the row, as text.
        row: String,
        /// The rule that is broken.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
}

/// What a store keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entity {
    /// A session.
    Session,
    /// An event.
    Event,
    /// A row of a request.
    Request,
    /// An event of engagement.
    Engagement,
    /// What is remembered of a fingerprint.
    Fingerprint,
    /// A ban.
    Ban,
    /// A label of a session.
    Label,
    /// A row of features.
    Features,
    /// An entry of the audit.
    AuditEntry,
    /// The limits of a metric.
    AnomalyThreshold,
    /// An anomaly that was opened.
    AnomalyEvent,
    /// A request to an AI provider.
    AiRequest,
    /// A task of an agent.
    Task,
    /// A run of a tool.
    ToolExecution,
    /// A conversation.
    Conversation,
    /// A message of a conversation.
    Message,
}

impl StoreError {
    /// The store is unavailable, for this reason.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable { source: Some(source.into()) }
    }

    /// Whether the same call may succeed when it is made again as it is.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Conflict { .. } | Self::Corrupt { .. } => false,
        }
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Session => "session",
            Self::Event => "event",
            Self::Request => "request",
            Self::Engagement => "engagement",
            Self::Fingerprint => "fingerprint",
            Self::Ban => "ban",
            Self::Label => "label",
            Self::Features => "features",
            Self::AuditEntry => "audit entry",
            Self::AnomalyThreshold => "anomaly threshold",
            Self::AnomalyEvent => "anomaly event",
            Self::AiRequest => "AI request",
            Self::Task => "task",
            Self::ToolExecution => "tool execution",
            Self::Conversation => "conversation",
            Self::Message => "message",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_failed_and_leaves_the_cause_to_the_chain() {
        let error = StoreError::Corrupt {
            entity: Entity::Session,
            table: "sessions",
            column: "throttle_level",
            row: "7".into(),
            source: Some("not a level".into()),
        };
        assert_eq!(error.to_string(), "the session in row 7 of sessions has a wrong throttle_level");
        assert_eq!(error.source().map(ToString::to_string), Some("not a level".into()));
        assert_eq!(StoreError::unavailable("refused").to_string(), "the store is unavailable");
    }

    #[test]
    fn only_an_unavailable_store_is_worth_the_same_call_again() {
        assert!(StoreError::unavailable("refused").is_transient());
        assert!(!StoreError::Conflict { entity: Entity::Ban }.is_transient());
    }
}
