//! What people and other sources say that sessions are.

use std::sync::Arc;

use analytics_domain::audit::{AuditAction, AuditSubject};
use analytics_domain::ids::{FingerprintHash, SessionId};
use analytics_domain::label::{Label, LabelClass, LabelRecord, LabelSource, resolve};
use analytics_domain::reputation::{Ban, BanSubject, HumanClearance};
use analytics_domain::session::Points;
use analytics_domain::throttle::ThrottleState;
use analytics_ports::{
    AuditRepository, Clock, IdGenerator, LabelRepository, Recorded, SessionRepository, StoreError,
};
use chrono::{DateTime, Utc};

use super::operator::{AuditTrail, Operator, number, text};
use super::reputation::ReputationService;

/// Keeps labels, and takes back what was held against a session that is said to be a person's.
///
/// Each step is safe to repeat. What it cannot reach is the level of a client that is being served at this moment, which
/// stands in memory of the program that serves it: [`LabelAnswer::cleared`] names the fingerprint whose level that program
/// has to clear.
#[derive(Clone)]
pub struct LabelService {
    labels: Arc<dyn LabelRepository>,
    sessions: Arc<dyn SessionRepository>,
    reputation: ReputationService,
    trail: AuditTrail,
    clock: Arc<dyn Clock>,
}

/// What a session is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewLabel {
    /// The session.
    pub session: SessionId,
    /// What it is.
    pub class: LabelClass,
    /// Where that is known from.
    pub source: LabelSource,
    /// How sure the source is, in hundredths of certainty.
    pub confidence: Points,
}

/// What became of a label.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelAnswer {
    /// The label as it was given.
    pub label: Label,
    /// Whether it is kept now; `Known` when the one that is kept holds as well.
    pub recorded: Recorded,
    /// What was cleared, since the session is a person's by all that is said of it. `None` for other classes, when a
    /// stronger label says otherwise, and when the session is not kept.
    pub cleared: Option<ClearedAsHuman>,
}

/// What a label "human" took back.
#[derive(Debug, Clone, PartialEq)]
pub struct ClearedAsHuman {
    /// Whose it was.
    pub fingerprint: FingerprintHash,
    /// What was remembered of it; `None` when nothing was.
    pub clearance: Option<HumanClearance>,
    /// Its bans.
    pub bans: Vec<Ban>,
}

/// What an import came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct ImportReport {
    /// Labels that are kept now.
    pub new: u64,
    /// Labels that changed nothing.
    pub known: u64,
    /// Fingerprints that were cleared as people's.
    pub cleared: u64,
}

/// An import stopped in the middle. What was done before stands, and repeating it whole is safe.
#[derive(Debug, thiserror::Error)]
#[error("the import stopped after {} labels; repeat it as it is", done.new + done.known)]
pub struct ImportInterrupted {
    /// What was done.
    pub done: ImportReport,
    /// Why it stopped.
    #[source]
    pub source: StoreError,
}

impl LabelService {
    /// The service over these stores; what is held against people is taken back by way of `reputation`.
    pub fn new(
        labels: Arc<dyn LabelRepository>,
        sessions: Arc<dyn SessionRepository>,
        audit: Arc<dyn AuditRepository>,
        reputation: ReputationService,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
    ) -> Self {
        Self { labels, sessions, reputation, trail: AuditTrail::new(audit, ids), clock }
    }

    /// Keeps a label, given now by this operator, with an entry in the audit.
    ///
    /// Where the session is a person's by it, flags, score and bans of its fingerprint are cleared, with another entry. The
    /// session need not be kept.
    ///
    /// # Errors
    /// [`StoreError`]; a repeat is safe.
    pub async fn set(&self, new: NewLabel, by: &Operator) -> Result<LabelAnswer, StoreError> {
        self.set_at(new, by, self.clock.now()).await
    }

    /// Keeps labels one after the other, all given at the same time, now; each as [`LabelService::set`] does.
    ///
    /// # Errors
    /// [`ImportInterrupted`] when a store fails.
    pub async fn import(
        &self,
        labels: &[NewLabel],
        by: &Operator,
    ) -> Result<ImportReport, ImportInterrupted> {
        let now = self.clock.now();
        let mut done = ImportReport::default();
        for &new in labels {
            match self.set_at(new, by, now).await {
                Ok(answer) => {
                    match answer.recorded {
                        Recorded::New => done.new += 1,
                        Recorded::Known => done.known += 1,
                    }
                    done.cleared += u64::from(answer.cleared.is_some());
                }
                Err(source) => return Err(ImportInterrupted { done, source }),
            }
        }
        Ok(done)
    }

    async fn set_at(
        &self,
        NewLabel { session, class, source, confidence }: NewLabel,
        by: &Operator,
        now: DateTime<Utc>,
    ) -> Result<LabelAnswer, StoreError> {
        let author = Some(by.name().clone());
        let label = LabelRecord { session, source, class, confidence, at: now, author };
        let label =
            Label::try_from(label).expect("a clock shows whole microseconds, and an operator has a name");
        let recorded = self.labels.put(&label).await?;
        if recorded == Recorded::New {
            let details =
                [("class", text(&class)), ("confidence", text(&confidence)), ("source", text(&source))];
            let subject = AuditSubject::Session(session);
            self.trail.record(by, AuditAction::Label, subject, details, now).await?;
        }
        let cleared = match class {
            LabelClass::Human => self.clear(session, by, now).await?,
            LabelClass::Bot => None,
        };
        Ok(LabelAnswer { label, recorded, cleared })
    }

    /// Takes back what is held against the fingerprint of a session that is kept, if all labels together make it a person's.
    async fn clear(
        &self,
        session: SessionId,
        by: &Operator,
        now: DateTime<Utc>,
    ) -> Result<Option<ClearedAsHuman>, StoreError> {
        let labels = self.labels.by_session(session).await?;
        if resolve(&labels).map(|label| label.record().class) != Some(LabelClass::Human) {
            return Ok(None);
        }
        let Some(kept) = self.sessions.get(session).await? else { return Ok(None) };
        let fingerprint = kept.value.record().fingerprint;
        let bans = self.reputation.free(BanSubject::Fingerprint(fingerprint)).await?;
        let clearance = self.reputation.label_human(fingerprint, &mut ThrottleState::default()).await?;
        let flags = clearance.as_ref().map_or(String::new(), |cleared| cleared.flags.to_string());
        let details =
            [("bans", number(bans.len() as u64)), ("flags", text(&flags)), ("session", text(&session))];
        let subject = AuditSubject::Fingerprint(fingerprint);
        self.trail.record(by, AuditAction::ClearAsHuman, subject, details, now).await?;
        Ok(Some(ClearedAsHuman { fingerprint, clearance, bans }))
    }
}

#[cfg(test)]
mod tests {
    use analytics_domain::ids::VisitorId;
    use analytics_domain::reputation::{
        BanPolicy, BanSettings, ChargedFacts, FlagReason, ReputationPolicy, ReputationSettings,
        ReputationState, observe_charged,
    };
    use analytics_domain::session::{
        AnalyticsSession, NewSession, SessionClient, SessionOrigin, SessionPlace,
    };
    use analytics_domain::throttle::Mode;
    use analytics_inmemory::{
        Capacity, InMemoryAudit, InMemoryBans, InMemoryFingerprints, InMemoryLabels, InMemorySessions,
    };
    use analytics_ports::ids::SequentialIds;
    use analytics_ports::{BatchLimit, MockClock, MockLabelRepository, PageRequest};
    use chrono::TimeDelta;

    use super::*;

    #[tokio::test]
    async fn a_session_labelled_human_clears_flags_and_bans_and_both_stand_in_the_audit() {
        let bench = Bench::new();
        bench.held_against_somebody().await;
        let answer = bench.service.set(label(LabelClass::Human, LabelSource::Manual), &ann()).await.unwrap();
        let cleared = answer.cleared.unwrap();
        assert_eq!((answer.recorded, cleared.fingerprint, cleared.bans.len()), (Recorded::New, CLIENT, 1));
        let flags: Vec<FlagReason> = cleared.clearance.unwrap().flags.iter().collect();
        assert_eq!(flags, [FlagReason::Manual]);
        assert!(bench.reputation.reputation(CLIENT).await.unwrap().unwrap().flags.is_empty());
        let running = bench.reputation.running_bans(PageRequest::first(BatchLimit::default())).await.unwrap();
        assert_eq!(running.items, []);
        assert_eq!(
            bench.audited().await,
            [
                (AuditAction::ClearAsHuman, AuditSubject::Fingerprint(CLIENT)),
                (AuditAction::Label, AuditSubject::Session(SESSION)),
            ]
        );
    }

    #[tokio::test]
    async fn a_label_that_a_stronger_one_contradicts_clears_nothing() {
        let bench = Bench::new();
        bench.held_against_somebody().await;
        bench.service.set(label(LabelClass::Bot, LabelSource::Manual), &ann()).await.unwrap();
        let answer = bench.service.set(label(LabelClass::Human, LabelSource::Import), &ann()).await.unwrap();
        assert_eq!((answer.recorded, answer.cleared), (Recorded::New, None));
        assert!(!bench.reputation.reputation(CLIENT).await.unwrap().unwrap().flags.is_empty());
    }

    #[tokio::test]
    async fn a_session_that_is_not_kept_may_be_labelled() {
        let bench = Bench::new();
        let new =
            NewLabel { session: SessionId::from_u128(9), ..label(LabelClass::Human, LabelSource::Manual) };
        let answer = bench.service.set(new, &ann()).await.unwrap();
        assert_eq!((answer.recorded, answer.cleared), (Recorded::New, None));
    }

    #[tokio::test]
    async fn an_import_at_the_same_time_again_changes_nothing_and_writes_nothing_down() {
        let bench = Bench::new();
        let labels = [
            label(LabelClass::Bot, LabelSource::Import),
            NewLabel { session: SessionId::from_u128(2), ..label(LabelClass::Bot, LabelSource::Import) },
        ];
        let first = bench.service.import(&labels, &ann()).await.unwrap();
        assert_eq!(first, ImportReport { new: 2, known: 0, cleared: 0 });
        let again = bench.service.import(&labels, &ann()).await.unwrap();
        assert_eq!(again, ImportReport { new: 0, known: 2, cleared: 0 });
        assert_eq!(bench.audited().await.len(), 2);
    }

    #[tokio::test]
    async fn an_import_that_was_interrupted_says_how_far_it_came() {
        let bench = Bench::new();
        let (mut labels, mut calls) = (MockLabelRepository::new(), 0);
        labels.expect_put().returning(move |_| {
            calls += 1;
            if calls < 2 { Ok(Recorded::New) } else { Err(StoreError::unavailable("away")) }
        });
        let service = LabelService { labels: Arc::new(labels), ..bench.service };
        let two = [label(LabelClass::Bot, LabelSource::Import); 2];
        let interrupted = service.import(&two, &ann()).await.unwrap_err();
        assert_eq!(interrupted.done, ImportReport { new: 1, known: 0, cleared: 0 });
        assert!(interrupted.source.is_transient());
    }

    struct Bench {
        service: LabelService,
        reputation: ReputationService,
        sessions: Arc<InMemorySessions>,
        audit: Arc<InMemoryAudit>,
        clock: Arc<MockClock>,
    }

    impl Bench {
        fn new() -> Self {
            let capacity = Capacity::new(100).unwrap();
            let clock = Arc::new(MockClock::at(DateTime::from_timestamp(1_700_000_000, 0).unwrap()));
            let ids = Arc::new(SequentialIds::new());
            let ban = BanPolicy::new(BanSettings { mode: Mode::Enforce, ..BanSettings::default() }).unwrap();
            let reputation = ReputationService::new(
                Arc::new(InMemoryFingerprints::new(capacity)),
                Arc::new(InMemoryBans::new(capacity)),
                Arc::clone(&clock) as _,
                Arc::clone(&ids) as _,
                ReputationPolicy::new(ReputationSettings { ban, ..ReputationSettings::default() }).unwrap(),
                Vec::new(),
            );
            let sessions = Arc::new(InMemorySessions::new(capacity));
            let audit = Arc::new(InMemoryAudit::new(capacity));
            let service = LabelService::new(
                Arc::new(InMemoryLabels::new(capacity)),
                Arc::clone(&sessions) as _,
                Arc::clone(&audit) as _,
                reputation.clone(),
                Arc::clone(&clock) as _,
                ids,
            );
            Self { service, reputation, sessions, audit, clock }
        }

        /// The session is kept; its fingerprint is flagged and banned.
        async fn held_against_somebody(&self) {
            let new = NewSession {
                visitor: VisitorId::from_u128(1),
                fingerprint: CLIENT,
                user: None,
                network: None,
                client: SessionClient::default(),
                origin: SessionOrigin::default(),
                place: SessionPlace::default(),
            };
            let session = AnalyticsSession::start(SESSION, new, self.clock.now()).unwrap();
            self.sessions.create(&session, self.clock.now()).await.unwrap();
            let mut state = ReputationState::default();
            let policy = ReputationPolicy::default();
            observe_charged(&policy, &mut state, ChargedFacts::default(), self.clock.now());
            self.reputation.keep(CLIENT, state).await.unwrap();
            self.reputation.flag(CLIENT).await.unwrap().unwrap();
            self.reputation.ban(BanSubject::Fingerprint(CLIENT), TimeDelta::hours(1)).await.unwrap();
        }

        /// What was done to whom, the newest first.
        async fn audited(&self) -> Vec<(AuditAction, AuditSubject)> {
            let page = self.audit.list(None, PageRequest::first(BatchLimit::default())).await.unwrap();
            page.items.iter().map(|entry| (entry.record().action, entry.record().subject)).collect()
        }
    }

    fn label(class: LabelClass, source: LabelSource) -> NewLabel {
        NewLabel { session: SESSION, class, source, confidence: Points::from_f64(100.0).unwrap() }
    }

    fn ann() -> Operator {
        Operator::new("ann", None).unwrap()
    }

    const SESSION: SessionId = SessionId::from_u128(1);
    const CLIENT: FingerprintHash = FingerprintHash::from_u128(7);
}
