//! Who did what to whom, when and why.
//!
//! Whatever a person or a job changes beside the rules leaves such an entry: a label that clears what was held against
//! somebody, a flag, a ban lifted, a session revoked, data erased. An entry is never changed.

use core::fmt;
use core::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};

use crate::event::EventProperties;
use crate::ids::{AnomalyEventId, BanId, EventId, FingerprintHash, SessionId, VisitorId};
use crate::request::Network;
use crate::session::{Text, is_whole_micros};

/// One thing that somebody did.
///
/// It always holds that the id is a `UUIDv7` of the millisecond of its time, and that somebody is named.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct AuditEntry {
    record: AuditRecord,
}

/// Everything that is kept of an entry, as plain data: what a store writes and reads.
///
/// [`AuditEntry::try_from`] says whether it is one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Which entry it is; its time is the entry's time.
    pub id: EventId,
    /// When it was done.
    pub at: DateTime<Utc>,
    /// Who did it: a person's account or the name of a job; at least one byte.
    pub actor: Text<128>,
    /// What was done.
    pub action: AuditAction,
    /// To whom or what.
    pub subject: AuditSubject,
    /// Why, in the actor's words; `None` when nobody said.
    pub reason: Option<Text<1024>>,
    /// What was there before, or how much was touched, by name.
    pub details: EventProperties,
}

/// What somebody did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditAction {
    /// Gave a session a label.
    Label,
    /// Took a label back.
    Unlabel,
    /// Cleared level, flags and ban, because a session was labelled human.
    ClearAsHuman,
    /// Flagged a fingerprint.
    Flag,
    /// Cleared a fingerprint's flags.
    ClearFlag,
    /// Banned a fingerprint or network.
    Ban,
    /// Lifted a ban.
    LiftBan,
    /// Ended a session.
    EndSession,
    /// Revoked a session.
    RevokeSession,
    /// Erased data.
    Erase,
    /// Took note of an anomaly.
    AcknowledgeAnomaly,
    /// Set the limits of a metric.
    SetThreshold,
    /// Deleted the limits of a metric, so that its default holds.
    DeleteThreshold,
}

/// To whom or what something was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum AuditSubject {
    /// One session.
    Session(SessionId),
    /// One fingerprint.
    Fingerprint(FingerprintHash),
    /// One ban.
    Ban(BanId),
    /// One network.
    Network(Network),
    /// One visitor.
    Visitor(VisitorId),
    /// One anomaly.
    Anomaly(AnomalyEventId),
    /// The limits of metrics; the details name which.
    Thresholds,
}

/// Why a record is not an [`AuditEntry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAuditEntry {
    /// The time has parts below a microsecond, which stores cannot keep.
    #[error("the time of an audit entry is in whole microseconds")]
    NotWholeMicroseconds,
    /// The id is not a `UUIDv7`, or its time is another millisecond than the entry's.
    #[error("the id of an audit entry is a UUIDv7 of the same millisecond as the entry")]
    IdOfAnotherTime,
    /// Nobody is named.
    #[error("an audit entry names who did it")]
    NoActor,
}

/// A text is not the name of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is not the name of an action that is audited")]
pub struct UnknownAuditAction;

impl AuditEntry {
    /// Everything that is kept of it.
    pub const fn record(&self) -> &AuditRecord {
        &self.record
    }

    /// Everything that is kept of it, to change it and try again.
    pub fn into_record(self) -> AuditRecord {
        self.record
    }

    /// Which entry it is.
    pub const fn id(&self) -> EventId {
        self.record.id
    }

    /// When it was done.
    pub const fn at(&self) -> DateTime<Utc> {
        self.record.at
    }
}

impl AuditAction {
    /// All actions, as they stand above.
    pub const ALL: [Self; 13] = [
        Self::Label,
        Self::Unlabel,
        Self::ClearAsHuman,
        Self::Flag,
        Self::ClearFlag,
        Self::Ban,
        Self::LiftBan,
        Self::EndSession,
        Self::RevokeSession,
        Self::Erase,
        Self::AcknowledgeAnomaly,
        Self::SetThreshold,
        Self::DeleteThreshold,
    ];

    /// The name on the wire and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Unlabel => "unlabel",
            Self::ClearAsHuman => "clear_as_human",
            Self::Flag => "flag",
            Self::ClearFlag => "clear_flag",
            Self::Ban => "ban",
            Self::LiftBan => "lift_ban",
            Self::EndSession => "end_session",
            Self::RevokeSession => "revoke_session",
            Self::Erase => "erase",
            Self::AcknowledgeAnomaly => "acknowledge_anomaly",
            Self::SetThreshold => "set_threshold",
            Self::DeleteThreshold => "delete_threshold",
        }
    }
}

impl fmt::Display for AuditAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for AuditAction {
    type Err = UnknownAuditAction;

    fn from_str(text: &str) -> Result<Self, UnknownAuditAction> {
        Self::ALL.into_iter().find(|action| action.as_str() == text).ok_or(UnknownAuditAction)
    }
}

impl TryFrom<AuditRecord> for AuditEntry {
    type Error = InvalidAuditEntry;

    fn try_from(record: AuditRecord) -> Result<Self, InvalidAuditEntry> {
        if !is_whole_micros(record.at) {
            Err(InvalidAuditEntry::NotWholeMicroseconds)
        } else if record.id.unix_millis() != Some(record.at.timestamp_millis()) {
            Err(InvalidAuditEntry::IdOfAnotherTime)
        } else if record.actor.is_empty() {
            Err(InvalidAuditEntry::NoActor)
        } else {
            Ok(Self { record })
        }
    }
}

impl<'de> Deserialize<'de> for AuditEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        AuditRecord::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategies;
    use chrono::TimeDelta;
    use proptest::prelude::*;

    #[test]
    fn an_entry_names_who_did_it_and_has_the_id_of_its_time() {
        assert!(AuditEntry::try_from(record()).is_ok());
        let nobody = AuditRecord { actor: Text::cut(""), ..record() };
        assert_eq!(AuditEntry::try_from(nobody), Err(InvalidAuditEntry::NoActor));
        let moved = |by| AuditEntry::try_from(AuditRecord { at: record().at + by, ..record() });
        assert_eq!(moved(TimeDelta::milliseconds(1)), Err(InvalidAuditEntry::IdOfAnotherTime));
        assert_eq!(moved(TimeDelta::nanoseconds(1)), Err(InvalidAuditEntry::NotWholeMicroseconds));
    }

    #[test]
    fn every_name_is_read_back() {
        for action in AuditAction::ALL {
            assert_eq!(action.as_str().parse(), Ok(action));
            assert_eq!(serde_json::to_value(action).unwrap(), action.as_str());
        }
        assert_eq!("Label".parse::<AuditAction>(), Err(UnknownAuditAction));
    }

    proptest! {
        #[test]
        fn an_entry_survives_json(entry in strategies::audit_entry()) {
            let json = serde_json::to_string(&entry).unwrap();
            prop_assert_eq!(serde_json::from_str::<AuditEntry>(&json).unwrap(), entry);
        }
    }

    fn record() -> AuditRecord {
        let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        AuditRecord {
            id: EventId::at(at, 1).unwrap(),
            at,
            actor: Text::cut("ann"),
            action: AuditAction::ClearAsHuman,
            subject: AuditSubject::Session(SessionId::from_u128(1)),
            reason: None,
            details: EventProperties::default(),
        }
    }
}
