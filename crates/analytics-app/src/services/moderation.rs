//! What a person does about fingerprints and networks, written down.

use std::sync::Arc;

use analytics_domain::audit::{AuditAction, AuditSubject};
use analytics_domain::ids::FingerprintHash;
use analytics_domain::reputation::{Ban, BanSubject, FingerprintReputation};
use analytics_ports::{AuditRepository, Clock, IdGenerator, StoreError};
use chrono::TimeDelta;

use super::operator::{AuditTrail, Operator, number, text};
use super::reputation::{BanAnswer, ClearedFingerprint, ReputationService};

/// Flags, clears, bans and frees, and leaves an entry in the audit of each that changed something.
///
/// The entry is written after the deed. Where it cannot be written the call fails, and a repeat does both again, which is
/// safe. Lists are [`ReputationService`]'s.
#[derive(Clone)]
pub struct ModerationService {
    reputation: ReputationService,
    trail: AuditTrail,
    clock: Arc<dyn Clock>,
}

impl ModerationService {
    /// The service that does this by way of that one.
    pub fn new(
        reputation: ReputationService,
        audit: Arc<dyn AuditRepository>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
    ) -> Self {
        Self { reputation, trail: AuditTrail::new(audit, ids), clock }
    }

    /// As [`ReputationService::flag`].
    ///
    /// # Errors
    /// [`StoreError`]; a repeat is safe.
    pub async fn flag(
        &self,
        fingerprint: FingerprintHash,
        by: &Operator,
    ) -> Result<Option<FingerprintReputation>, StoreError> {
        let flagged = self.reputation.flag(fingerprint).await?;
        if let Some(reputation) = &flagged {
            let subject = AuditSubject::Fingerprint(fingerprint);
            let details = [("score", text(&format_args!("{:.1}", reputation.score)))];
            self.trail.record(by, AuditAction::Flag, subject, details, self.clock.now()).await?;
        }
        Ok(flagged)
    }

    /// As [`ReputationService::clear`].
    ///
    /// # Errors
    /// [`StoreError`]; a repeat is safe.
    pub async fn clear(
        &self,
        fingerprint: FingerprintHash,
        by: &Operator,
    ) -> Result<Option<ClearedFingerprint>, StoreError> {
        let cleared = self.reputation.clear(fingerprint).await?;
        if let Some(ClearedFingerprint { before, bans, .. }) = &cleared {
            let details = [
                ("bans", number(bans.len() as u64)),
                ("flags", text(&before.flags)),
                ("score", text(&format_args!("{:.1}", before.score))),
            ];
            let subject = AuditSubject::Fingerprint(fingerprint);
            self.trail.record(by, AuditAction::ClearFlag, subject, details, self.clock.now()).await?;
        }
        Ok(cleared)
    }

    /// As [`ReputationService::ban`].
    ///
    /// # Errors
    /// [`StoreError`]; a repeat is safe, and makes another ban.
    pub async fn ban(
        &self,
        subject: BanSubject,
        length: TimeDelta,
        by: &Operator,
    ) -> Result<BanAnswer, StoreError> {
        let answer = self.reputation.ban(subject, length).await?;
        if let BanAnswer::Banned(ban) = &answer {
            let details = [("until", text(&ban.until.to_rfc3339()))];
            self.trail.record(by, AuditAction::Ban, of(subject), details, self.clock.now()).await?;
        }
        Ok(answer)
    }

    /// As [`ReputationService::free`].
    ///
    /// # Errors
    /// [`StoreError`]; a repeat is safe.
    pub async fn free(&self, subject: BanSubject, by: &Operator) -> Result<Vec<Ban>, StoreError> {
        let bans = self.reputation.free(subject).await?;
        if !bans.is_empty() {
            let details = [("bans", number(bans.len() as u64))];
            self.trail.record(by, AuditAction::LiftBan, of(subject), details, self.clock.now()).await?;
        }
        Ok(bans)
    }
}

const fn of(subject: BanSubject) -> AuditSubject {
    match subject {
        BanSubject::Fingerprint(fingerprint) => AuditSubject::Fingerprint(fingerprint),
        BanSubject::Network(network) => AuditSubject::Network(network),
    }
}

#[cfg(test)]
mod tests {
    use analytics_domain::reputation::{ChargedFacts, ReputationPolicy, ReputationState, observe_charged};
    use analytics_inmemory::{Capacity, InMemoryAudit, InMemoryBans, InMemoryFingerprints};
    use analytics_ports::ids::SequentialIds;
    use analytics_ports::{BatchLimit, MockClock, PageRequest};
    use chrono::DateTime;

    use super::*;

    #[tokio::test]
    async fn what_was_done_stands_in_the_audit_and_what_was_not_does_not() {
        let bench = Bench::new();
        let (seen, unseen) = (FingerprintHash::from_u128(1), FingerprintHash::from_u128(2));
        bench.seen(seen).await;
        let ann = Operator::new("ann", Some("scraping")).unwrap();
        let network: BanSubject = BanSubject::Network("198.51.100.0/24".parse().unwrap());
        assert!(bench.service.flag(unseen, &ann).await.unwrap().is_none());
        assert!(bench.service.clear(unseen, &ann).await.unwrap().is_none());
        assert_eq!(bench.service.free(network, &ann).await.unwrap(), []);
        assert_eq!(bench.audited().await, []);
        bench.service.flag(seen, &ann).await.unwrap().unwrap();
        bench.clock.advance(TimeDelta::seconds(1));
        bench.service.ban(network, TimeDelta::hours(1), &ann).await.unwrap();
        bench.clock.advance(TimeDelta::seconds(1));
        bench.service.free(network, &ann).await.unwrap();
        bench.clock.advance(TimeDelta::seconds(1));
        bench.service.clear(seen, &ann).await.unwrap().unwrap();
        let (client, network) = (AuditSubject::Fingerprint(seen), of(network));
        assert_eq!(
            bench.audited().await,
            [
                (AuditAction::ClearFlag, client),
                (AuditAction::LiftBan, network),
                (AuditAction::Ban, network),
                (AuditAction::Flag, client),
            ]
            .map(|(action, subject)| (
                action,
                subject,
                "ann".to_owned(),
                Some("scraping".to_owned())
            ))
        );
    }

    struct Bench {
        service: ModerationService,
        reputation: ReputationService,
        audit: Arc<InMemoryAudit>,
        clock: Arc<MockClock>,
    }

    impl Bench {
        fn new() -> Self {
            let capacity = Capacity::new(100).unwrap();
            let clock = Arc::new(MockClock::at(DateTime::from_timestamp(1_700_000_000, 0).unwrap()));
            let ids = Arc::new(SequentialIds::new());
            let reputation = ReputationService::new(
                Arc::new(InMemoryFingerprints::new(capacity)),
                Arc::new(InMemoryBans::new(capacity)),
                Arc::clone(&clock) as _,
                Arc::clone(&ids) as _,
                ReputationPolicy::default(),
                Vec::new(),
            );
            let audit = Arc::new(InMemoryAudit::new(capacity));
            let service = ModerationService::new(
                reputation.clone(),
                Arc::clone(&audit) as _,
                Arc::clone(&clock) as _,
                ids,
            );
            Self { service, reputation, audit, clock }
        }

        async fn seen(&self, fingerprint: FingerprintHash) {
            let mut state = ReputationState::default();
            let policy = ReputationPolicy::default();
            observe_charged(&policy, &mut state, ChargedFacts::default(), self.clock.now());
            self.reputation.keep(fingerprint, state).await.unwrap();
        }

        /// What was done to whom, by whom and why, the newest first.
        async fn audited(&self) -> Vec<(AuditAction, AuditSubject, String, Option<String>)> {
            let page = self.audit.list(None, PageRequest::first(BatchLimit::default())).await.unwrap();
            let entries = page.items.into_iter().map(|entry| {
                let record = entry.into_record();
                let reason = record.reason.map(|reason| reason.to_string());
                (record.action, record.subject, record.actor.to_string(), reason)
            });
            entries.collect()
        }
    }
}
