//! What an operator does about fingerprints: review, flag, clear, ban.

use std::sync::Arc;

use analytics_domain::ids::FingerprintHash;
use analytics_domain::reputation::{
    Ban, BanReason, BanSubject, BanTerm, FingerprintReputation, HumanClearance, Protection, ReputationPolicy,
    ReputationState, clear_as_human, protection,
};
use analytics_domain::request::Network;
use analytics_domain::throttle::{Mode, ThrottleState};
use analytics_ports::{
    BanCursor, BanRepository, BatchLimit, Clock, FingerprintRecord, FingerprintRepository, IdGenerator, Page,
    PageRequest, StoreError,
};
use arc_swap::ArcSwap;
use chrono::{DateTime, TimeDelta, Utc};

use super::ban_list::BanList;

/// Reviews, flags and clears fingerprints, and bans and frees them and networks.
///
/// Each method reads the clock at most once. What it does not do: observe requests. The hot path does, and hands the
/// states it has moved to [`ReputationService::keep`] and the bans that follow to [`ReputationService::keep_ban`].
#[derive(Clone)]
pub struct ReputationService {
    fingerprints: Arc<dyn FingerprintRepository>,
    bans: Arc<dyn BanRepository>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
    rules: Arc<ArcSwap<Rules>>,
}

/// What reputations and bans are held against.
struct Rules {
    policy: ReputationPolicy,
    trusted_proxies: Vec<Network>,
}

/// What clearing a fingerprint took away.
#[derive(Debug, Clone, PartialEq)]
pub struct ClearedFingerprint {
    /// The reputation before.
    pub before: FingerprintReputation,
    /// The reputation now.
    pub after: FingerprintReputation,
    /// The bans that were taken back.
    pub bans: Vec<Ban>,
}

/// What became of an order to ban.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BanAnswer {
    /// The ban, which runs from now.
    Banned(Ban),
    /// The network is, holds or lies in one that is never banned, for this reason.
    Protected(Protection),
    /// Bans are switched off.
    Off,
    /// The length is not positive, or ends past what a calendar holds.
    NoLength,
}

impl ReputationService {
    /// The service over these stores, under this policy; networks of trusted proxies are never banned.
    pub fn new(
        fingerprints: Arc<dyn FingerprintRepository>,
        bans: Arc<dyn BanRepository>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
        policy: ReputationPolicy,
        trusted_proxies: Vec<Network>,
    ) -> Self {
        let rules = Rules { policy, trusted_proxies };
        Self { fingerprints, bans, clock, ids, rules: Arc::new(ArcSwap::from_pointee(rules)) }
    }

    /// Puts another policy in force, for everybody who shares the service.
    pub fn set_policy(&self, policy: ReputationPolicy, trusted_proxies: Vec<Network>) {
        self.rules.store(Arc::new(Rules { policy, trusted_proxies }));
    }

    /// A page of the fingerprints that are of high risk now, in the order of their hashes.
    ///
    /// What has mended since it was kept is left out, so a page may be shorter than its limit, or empty, and still have
    /// a next one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn review(
        &self,
        page: PageRequest<FingerprintHash>,
    ) -> Result<Page<FingerprintReputation, FingerprintHash>, StoreError> {
        let now = self.clock.now();
        let kept = self.fingerprints.list_high_risk(page).await?;
        let reports = kept.items.iter().filter_map(|record| self.report(record, now));
        let items = reports.filter(|report| report.is_high_risk(&self.rules.load().policy)).collect();
        Ok(Page { items, next: kept.next })
    }

    /// The reputation of a fingerprint now; `None` when it was never seen.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn reputation(
        &self,
        fingerprint: FingerprintHash,
    ) -> Result<Option<FingerprintReputation>, StoreError> {
        let now = self.clock.now();
        let kept = self.fingerprints.get(fingerprint).await?;
        Ok(kept.and_then(|kept| self.report(&kept.value, now)))
    }

    /// Flags a fingerprint until it is cleared, and answers its reputation; `None` when it was never seen.
    ///
    /// # Errors
    /// [`StoreError`]; `Conflict` only when others changed the fingerprint at each of eight attempts.
    pub async fn flag(
        &self,
        fingerprint: FingerprintHash,
    ) -> Result<Option<FingerprintReputation>, StoreError> {
        let now = self.clock.now();
        let changed = self.change(fingerprint, now, ReputationState::flag).await?;
        Ok(changed.map(|((), after)| after))
    }

    /// Forgets all that speaks against a fingerprint and takes back its bans; `None` when it was never seen.
    ///
    /// A repeat is safe: when the bans could not be taken back, the next call does it.
    ///
    /// # Errors
    /// As for [`ReputationService::flag`].
    pub async fn clear(
        &self,
        fingerprint: FingerprintHash,
    ) -> Result<Option<ClearedFingerprint>, StoreError> {
        let now = self.clock.now();
        let changed = self.change(fingerprint, now, |state| {
            let rules = self.rules.load();
            let before = state.report(&rules.policy, fingerprint, now);
            state.clear(&rules.policy, now);
            before
        });
        let Some((Some(before), after)) = changed.await? else { return Ok(None) };
        let bans = self.bans.clear(BanSubject::Fingerprint(fingerprint)).await?;
        Ok(Some(ClearedFingerprint { before, after, bans }))
    }

    /// Takes a fingerprint for a person's, since somebody labelled its session so: level, flags and bans go. Answers
    /// what was cleared, for the audit; `None` when the fingerprint was never seen.
    ///
    /// The throttle state is the caller's, and is cleared only when the reputation was.
    ///
    /// # Errors
    /// As for [`ReputationService::flag`].
    pub async fn label_human(
        &self,
        fingerprint: FingerprintHash,
        throttle: &mut ThrottleState,
    ) -> Result<Option<HumanClearance>, StoreError> {
        let now = self.clock.now();
        let before = *throttle;
        let changed = self.change(fingerprint, now, |state| {
            let mut throttle = before;
            let clearance = clear_as_human(&self.rules.load().policy, &mut throttle, state, now);
            (clearance, throttle)
        });
        let Some(((clearance, cleared), _)) = changed.await? else { return Ok(None) };
        *throttle = cleared;
        self.bans.clear(BanSubject::Fingerprint(fingerprint)).await?;
        Ok(Some(clearance))
    }

    /// Bans a fingerprint or a network from now for this long, by a person's order. In shadow mode it is a would-ban.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ban(&self, subject: BanSubject, length: TimeDelta) -> Result<BanAnswer, StoreError> {
        let now = self.clock.now();
        let would_ban = match self.rules.load().policy.ban().mode() {
            Mode::Off => return Ok(BanAnswer::Off),
            Mode::Shadow => true,
            Mode::Enforce => false,
        };
        if let BanSubject::Network(network) = subject
            && let Some(reason) = self.protects(network)
        {
            return Ok(BanAnswer::Protected(reason));
        }
        let until = now.checked_add_signed(length).filter(|until| *until > now);
        let Some(until) = until else { return Ok(BanAnswer::NoLength) };
        let term = BanTerm { reason: BanReason::Manual, from: now, until, would_ban };
        let ban = term.of(self.ids.ban_id(now), subject);
        self.bans.put(&ban).await?;
        Ok(BanAnswer::Banned(ban))
    }

    /// Keeps a ban that a rule has decided, and answers it with its id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_ban(&self, subject: BanSubject, term: BanTerm) -> Result<Ban, StoreError> {
        let ban = term.of(self.ids.ban_id(term.from), subject);
        self.bans.put(&ban).await?;
        Ok(ban)
    }

    /// Keeps the state of a fingerprint as the hot path has moved it, over whatever was kept. A state that was never
    /// seen is not kept.
    ///
    /// # Errors
    /// As for [`ReputationService::flag`].
    pub async fn keep(&self, fingerprint: FingerprintHash, state: ReputationState) -> Result<(), StoreError> {
        let now = self.clock.now();
        let Some(record) = FingerprintRecord::of(&self.rules.load().policy, fingerprint, state, now) else {
            return Ok(());
        };
        let mut attempts = 0;
        loop {
            let expected = self.fingerprints.get(fingerprint).await?.map(|kept| kept.version);
            attempts += 1;
            match self.fingerprints.swap(expected, &record).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict { .. }) if attempts < ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A page of the bans that run now, the one that ends first in front. Would-bans are among them and say so.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn running_bans(
        &self,
        page: PageRequest<BanCursor>,
    ) -> Result<Page<Ban, BanCursor>, StoreError> {
        self.bans.list_running(self.clock.now(), page).await
    }

    /// Every ban that runs now, in the order of [`ReputationService::running_bans`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn all_running_bans(&self) -> Result<Vec<Ban>, StoreError> {
        let (limit, mut all) = (BatchLimit::default(), Vec::new());
        let mut page = PageRequest::first(limit);
        loop {
            let Page { items, next } = self.running_bans(page).await?;
            all.extend(items);
            match next {
                Some(next) => page = PageRequest::after(limit, next),
                None => return Ok(all),
            }
        }
    }

    /// The networks whose bans bind now, for proxies and firewalls.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ban_list(&self) -> Result<BanList, StoreError> {
        let bans = self.all_running_bans().await?;
        Ok(BanList::new(self.rules.load().policy.ban().mode(), &bans, self.clock.now()))
    }

    /// Takes back all bans of a subject, and answers them.
    ///
    /// The reputation of a fingerprint stays; [`ReputationService::clear`] mends that as well.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn free(&self, subject: BanSubject) -> Result<Vec<Ban>, StoreError> {
        self.bans.clear(subject).await
    }

    /// Deletes the bans that have ended, in batches; answers how many. The clear addresses of networks go with them.
    ///
    /// # Errors
    /// [`StoreError`]; what was deleted before stands.
    pub async fn delete_ended_bans(&self) -> Result<u64, StoreError> {
        let (now, limit, mut all) = (self.clock.now(), BatchLimit::default(), 0);
        loop {
            let deleted = self.bans.delete_ended(now, limit).await?;
            all += u64::from(deleted);
            if deleted < limit.get() {
                return Ok(all);
            }
        }
    }

    fn report(&self, record: &FingerprintRecord, now: DateTime<Utc>) -> Option<FingerprintReputation> {
        record.state().report(&self.rules.load().policy, record.fingerprint(), now)
    }

    /// Why a network is never banned: it lies in a protected one, or holds one.
    fn protects(&self, network: Network) -> Option<Protection> {
        let holds = |networks: &[Network]| networks.iter().any(|other| network.contains(other.address()));
        let private = PRIVATE
            .iter()
            .any(|text| network.contains(text.parse().expect("the addresses of the table are addresses")));
        let rules = self.rules.load();
        let ban = rules.policy.ban();
        protection(ban, &rules.trusted_proxies, network.address(), false).or_else(|| {
            if private {
                Some(Protection::PrivateNetwork)
            } else if holds(&rules.trusted_proxies) {
                Some(Protection::TrustedProxy)
            } else {
                holds(&ban.settings().never).then_some(Protection::AllowListed)
            }
        })
    }

    /// Loads, changes and swaps, again while others change the fingerprint in between; answers what the change said
    /// and the reputation after it.
    async fn change<T>(
        &self,
        fingerprint: FingerprintHash,
        now: DateTime<Utc>,
        change: impl Fn(&mut ReputationState) -> T + Send + Sync,
    ) -> Result<Option<(T, FingerprintReputation)>, StoreError> {
        let mut attempts = 0;
        loop {
            let Some(kept) = self.fingerprints.get(fingerprint).await? else { return Ok(None) };
            let mut state = *kept.value.state();
            let answer = change(&mut state);
            let Some(record) = FingerprintRecord::of(&self.rules.load().policy, fingerprint, state, now)
            else {
                return Ok(None);
            };
            attempts += 1;
            match self.fingerprints.swap(Some(kept.version), &record).await {
                Ok(_) => return Ok(Some((answer, record.report().clone()))),
                Err(StoreError::Conflict { .. }) if attempts < ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// At each attempt somebody else got on, so eight in vain mean a fingerprint that many write at once.
const ATTEMPTS: u32 = 8;

/// One address of each network that `Network::is_private` knows, to see whether a wider network holds it.
const PRIVATE: [&str; 11] = [
    "0.0.0.0",
    "10.0.0.0",
    "100.64.0.0",
    "127.0.0.0",
    "169.254.0.0",
    "172.16.0.0",
    "192.168.0.0",
    "::",
    "::1",
    "fc00::",
    "fe80::",
];

#[cfg(test)]
mod tests {
    use super::*;
    use analytics_domain::ids::BanId;
    use analytics_domain::reputation::{
        BanPolicy, BanSettings, ChargedFacts, FlagReason, ReputationSettings, observe_charged,
    };
    use analytics_domain::throttle::{Evidence, ThrottleLevel, ThrottlePolicy, ThrottleRequest, step};
    use analytics_inmemory::{Capacity, InMemoryBans, InMemoryFingerprints};
    use analytics_ports::ids::SequentialIds;
    use analytics_ports::{
        Entity, MockBanRepository, MockClock, MockFingerprintRepository, Version, Versioned,
    };

    #[tokio::test]
    async fn a_flag_stays_until_it_is_cleared() {
        let bench = Bench::new(Mode::Enforce);
        bench.seen(1).await;
        let flagged = bench.service.flag(hash(1)).await.unwrap().unwrap();
        assert_eq!(flagged.flags.iter().collect::<Vec<_>>(), [FlagReason::Manual]);
        bench.clock.advance(TimeDelta::days(365));
        let reviewed = bench.review().await;
        assert_eq!(reviewed, [hash(1)]);
        let cleared = bench.service.clear(hash(1)).await.unwrap().unwrap();
        assert!(!cleared.before.flags.is_empty() && cleared.after.flags.is_empty());
        assert_eq!(bench.review().await, []);
    }

    #[tokio::test]
    async fn a_fingerprint_that_was_never_seen_is_neither_flagged_nor_cleared() {
        let bench = Bench::new(Mode::Enforce);
        assert_eq!(bench.service.flag(hash(1)).await.unwrap(), None);
        assert_eq!(bench.service.clear(hash(1)).await.unwrap(), None);
        assert_eq!(bench.service.reputation(hash(1)).await.unwrap(), None);
        bench.service.keep(hash(1), ReputationState::default()).await.unwrap();
        assert_eq!(bench.service.reputation(hash(1)).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_has_mended_since_it_was_kept_is_not_reviewed() {
        let bench = Bench::new(Mode::Enforce);
        let mut state = ReputationState::default();
        let hostile = ChargedFacts { hostile: true, protected: false };
        observe_charged(&bench.policy(), &mut state, hostile, at(0));
        bench.service.keep(hash(1), state).await.unwrap();
        assert_eq!(bench.review().await, [hash(1)]);
        bench.clock.advance(TimeDelta::days(365));
        assert_eq!(bench.review().await, []);
    }

    #[tokio::test]
    async fn clearing_takes_back_the_bans_of_the_fingerprint_and_of_nobody_else() {
        let bench = Bench::new(Mode::Enforce);
        bench.seen(1).await;
        let hour = TimeDelta::hours(1);
        let own = bench.service.ban(client(1), hour).await.unwrap();
        let BanAnswer::Banned(own) = own else { panic!("{own:?}") };
        let other = bench.service.ban(client(2), hour).await.unwrap();
        let BanAnswer::Banned(other) = other else { panic!("{other:?}") };
        let cleared = bench.service.clear(hash(1)).await.unwrap().unwrap();
        assert_eq!(cleared.bans, [own]);
        assert_eq!(bench.running().await, [other]);
    }

    #[tokio::test]
    async fn a_ban_runs_from_now_for_its_length_and_ended_ones_are_deleted() {
        let bench = Bench::new(Mode::Enforce);
        let subject = BanSubject::Network("198.51.100.0/24".parse().unwrap());
        let expected = Ban {
            id: BanId::from_u128(1),
            subject,
            reason: BanReason::Manual,
            from: at(0),
            until: at(3_600),
            would_ban: false,
        };
        let answer = bench.service.ban(subject, TimeDelta::hours(1)).await.unwrap();
        assert_eq!(answer, BanAnswer::Banned(expected.clone()));
        bench.clock.set(at(3_600) - TimeDelta::microseconds(1));
        assert_eq!(bench.running().await, [expected]);
        assert_eq!(bench.service.delete_ended_bans().await.unwrap(), 0);
        bench.clock.set(at(3_600));
        assert_eq!(bench.running().await, []);
        assert_eq!(bench.service.delete_ended_bans().await.unwrap(), 1);
        assert_eq!(bench.service.delete_ended_bans().await.unwrap(), 0);
    }

    #[tokio::test]
    async fn shadow_mode_makes_would_bans_and_off_makes_none() {
        let shadow = Bench::new(Mode::Shadow).service.ban(client(1), TimeDelta::hours(1)).await.unwrap();
        assert!(matches!(&shadow, BanAnswer::Banned(ban) if ban.would_ban), "{shadow:?}");
        let off = Bench::new(Mode::Off).service.ban(client(1), TimeDelta::hours(1)).await.unwrap();
        assert_eq!(off, BanAnswer::Off);
    }

    #[tokio::test]
    async fn a_ban_has_a_length() {
        let bench = Bench::new(Mode::Enforce);
        for length in [TimeDelta::zero(), TimeDelta::seconds(-1), TimeDelta::MAX] {
            assert_eq!(bench.service.ban(client(1), length).await.unwrap(), BanAnswer::NoLength, "{length}");
        }
    }

    #[tokio::test]
    async fn networks_that_are_or_hold_protected_ones_are_not_banned() {
        let bench = Bench::new(Mode::Enforce);
        for (network, reason) in [
            ("127.0.0.1/32", Protection::PrivateNetwork),
            ("0.0.0.0/0", Protection::PrivateNetwork),
            ("172.0.0.0/8", Protection::PrivateNetwork),
            ("::/0", Protection::PrivateNetwork),
            ("192.0.2.7/32", Protection::TrustedProxy),
            ("192.0.0.0/16", Protection::TrustedProxy),
            ("203.0.113.9/32", Protection::AllowListed),
            ("203.0.0.0/16", Protection::AllowListed),
        ] {
            let subject = BanSubject::Network(network.parse().unwrap());
            let answer = bench.service.ban(subject, TimeDelta::hours(1)).await.unwrap();
            assert_eq!(answer, BanAnswer::Protected(reason), "{network}");
        }
        assert_eq!(bench.running().await, []);
    }

    #[tokio::test]
    async fn a_session_labelled_human_clears_level_flags_and_bans() {
        let bench = Bench::new(Mode::Enforce);
        bench.seen(1).await;
        bench.service.flag(hash(1)).await.unwrap();
        bench.service.ban(client(1), TimeDelta::hours(1)).await.unwrap();
        let mut throttle = ThrottleState::default();
        let hostile = ThrottleRequest::charged()
            .with_evidence(Evidence { decisive_hostile: true, ..Evidence::default() });
        step(&ThrottlePolicy::default(), &mut throttle, hostile, at(0));
        assert_eq!(throttle.level(), ThrottleLevel::Severe);
        let clearance = bench.service.label_human(hash(1), &mut throttle).await.unwrap().unwrap();
        assert_eq!(clearance.flags.iter().collect::<Vec<_>>(), [FlagReason::Manual]);
        let levels = clearance.level.map(|change| (change.from, change.to));
        assert_eq!((clearance.at, levels), (at(0), Some((ThrottleLevel::Severe, ThrottleLevel::Normal))));
        assert_eq!(throttle.level(), ThrottleLevel::Normal);
        assert_eq!((bench.running().await, bench.review().await), (vec![], vec![]));
        assert_eq!(bench.service.label_human(hash(2), &mut throttle).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_flag_is_decided_anew_when_somebody_else_came_first() {
        let (mut fingerprints, mut tries) = (MockFingerprintRepository::new(), 0);
        let policy = ReputationPolicy::default();
        let mut state = ReputationState::default();
        observe_charged(&policy, &mut state, ChargedFacts::default(), at(0));
        let value = FingerprintRecord::of(&policy, hash(1), state, at(0)).unwrap();
        let found = Versioned { version: Version::FIRST, value };
        fingerprints.expect_get().times(2).returning(move |_| Ok(Some(found.clone())));
        fingerprints.expect_swap().times(2).returning(move |_, _| {
            tries += 1;
            if tries == 2 {
                Ok(Version::FIRST.next())
            } else {
                Err(StoreError::Conflict { entity: Entity::Fingerprint })
            }
        });
        let service = ReputationService::new(
            Arc::new(fingerprints),
            Arc::new(MockBanRepository::new()),
            Arc::new(MockClock::at(at(0))),
            Arc::new(SequentialIds::new()),
            policy,
            Vec::new(),
        );
        let flagged = service.flag(hash(1)).await.unwrap().unwrap();
        assert_eq!(flagged.flags.iter().collect::<Vec<_>>(), [FlagReason::Manual]);
    }

    struct Bench {
        service: ReputationService,
        clock: Arc<MockClock>,
    }

    impl Bench {
        fn policy(&self) -> ReputationPolicy {
            self.service.rules.load().policy.clone()
        }

        fn new(mode: Mode) -> Self {
            let capacity = Capacity::new(100).unwrap();
            let clock = Arc::new(MockClock::at(at(0)));
            let never = [network("203.0.113.0/24")].into();
            let ban = BanPolicy::new(BanSettings { mode, never, ..BanSettings::default() }).unwrap();
            let service = ReputationService::new(
                Arc::new(InMemoryFingerprints::new(capacity)),
                Arc::new(InMemoryBans::new(capacity)),
                Arc::clone(&clock) as _,
                Arc::new(SequentialIds::new()),
                ReputationPolicy::new(ReputationSettings { ban, ..ReputationSettings::default() }).unwrap(),
                vec![network("192.0.2.0/24")],
            );
            Self { service, clock }
        }

        /// An ordinary request of this fingerprint now.
        async fn seen(&self, number: u128) {
            let mut state = ReputationState::default();
            observe_charged(&self.policy(), &mut state, ChargedFacts::default(), self.clock.now());
            self.service.keep(hash(number), state).await.unwrap();
        }

        async fn review(&self) -> Vec<FingerprintHash> {
            let page = self.service.review(PageRequest::first(BatchLimit::default())).await.unwrap();
            page.items.iter().map(|report| report.hash).collect()
        }

        async fn running(&self) -> Vec<Ban> {
            self.service.running_bans(PageRequest::first(BatchLimit::default())).await.unwrap().items
        }
    }

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    const fn client(number: u128) -> BanSubject {
        BanSubject::Fingerprint(hash(number))
    }

    const fn hash(number: u128) -> FingerprintHash {
        FingerprintHash::from_u128(number)
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
    }
}
