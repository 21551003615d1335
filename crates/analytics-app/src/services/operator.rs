//! Who asks for something that is written down, and the writing down.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use analytics_domain::audit::{AuditAction, AuditEntry, AuditRecord, AuditSubject};
use analytics_domain::event::{EventProperties, PropertyValue};
use analytics_domain::ids::EventId;
use analytics_domain::session::Text;
use analytics_ports::{AuditRepository, IdGenerator, StoreError};
use chrono::{DateTime, Utc};

/// Who asks for something, and why, as the audit keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    name: Text<128>,
    reason: Option<Text<1024>>,
}

/// Why texts name no operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOperator {
    /// The name is empty.
    #[error("whoever asks for this has a name; none was given")]
    NoName,
    /// The name has more than 128 bytes, or a NUL character.
    #[error("a name has at most 128 bytes and no NUL")]
    Name,
    /// The reason has more than 1024 bytes, or a NUL character.
    #[error("a reason has at most 1024 bytes and no NUL")]
    Reason,
}

impl Operator {
    /// Whoever has this name, for this reason.
    ///
    /// # Errors
    /// [`InvalidOperator`]: `NoName` for an empty name, `Name` and `Reason` for a text that the audit cannot keep.
    pub fn new(name: &str, reason: Option<&str>) -> Result<Self, InvalidOperator> {
        if name.is_empty() {
            return Err(InvalidOperator::NoName);
        }
        let name = Text::new(name).map_err(|_| InvalidOperator::Name)?;
        let reason = reason.map(Text::new).transpose().map_err(|_| InvalidOperator::Reason)?;
        Ok(Self { name, reason })
    }

    /// The name.
    pub const fn name(&self) -> &Text<128> {
        &self.name
    }
}

/// Where it is written down who did what.
#[derive(Clone)]
pub(super) struct AuditTrail {
    audit: Arc<dyn AuditRepository>,
    ids: Arc<dyn IdGenerator>,
}

impl AuditTrail {
    pub(super) fn new(audit: Arc<dyn AuditRepository>, ids: Arc<dyn IdGenerator>) -> Self {
        Self { audit, ids }
    }

    /// Writes down that somebody did this at `now`.
    pub(super) async fn record<const N: usize>(
        &self,
        by: &Operator,
        action: AuditAction,
        subject: AuditSubject,
        details: [(&str, PropertyValue); N],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.record_once(self.ids.event_id(now), by, action, subject, details, now).await
    }

    /// Writes down that somebody did this at `now`, under an id that follows from what was done: however often it is
    /// tried, the entry is there once.
    pub(super) async fn record_once<const N: usize>(
        &self,
        id: EventId,
        by: &Operator,
        action: AuditAction,
        subject: AuditSubject,
        details: [(&str, PropertyValue); N],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let details: BTreeMap<String, PropertyValue> =
            details.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let entry = AuditEntry::try_from(AuditRecord {
            id,
            at: now,
            actor: by.name.clone(),
            action,
            subject,
            reason: by.reason.clone(),
            details: EventProperties::new(details).expect("details are few and short"),
        });
        // A clock that shows a time before 1970 makes no id.
        let entry = entry.map_err(StoreError::unavailable)?;
        self.audit.record(&entry).await.map(|_| ())
    }
}

/// A number as a detail; what no store could count is the most that one can.
pub(super) fn number(count: u64) -> PropertyValue {
    PropertyValue::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}

/// A short text as a detail.
pub(super) fn text(text: &impl fmt::Display) -> PropertyValue {
    PropertyValue::Text(text.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_has_a_name_that_the_audit_can_keep() {
        assert_eq!(Operator::new("ann", None).unwrap().name().as_str(), "ann");
        assert_eq!(Operator::new("", None), Err(InvalidOperator::NoName));
        assert_eq!(Operator::new(&"a".repeat(129), None), Err(InvalidOperator::Name));
        assert_eq!(Operator::new("a\0", None), Err(InvalidOperator::Name));
        assert_eq!(Operator::new("ann", Some(&"a".repeat(1025))), Err(InvalidOperator::Reason));
    }
}
