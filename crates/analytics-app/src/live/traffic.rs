//! One live request in, one decision out; and what is told once a second.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use analytics_domain::detector::profile::TrackerMarks;
use analytics_domain::detector::{Class, Verdict, Verification};
use analytics_domain::ids::{FingerprintHash, SessionId, VisitorId};
use analytics_domain::reputation::{HumanClearance, ReputationState};
use analytics_domain::request::{ClientNetwork, RawRequest, SessionAnalytics, client_address, entry_url};
use analytics_domain::request_row::{RequestDecision, RequestFacts, RequestRecord, RequestRow};
use analytics_domain::session::{
    AnalyticsSession, EndReason, NewSession, SessionCookieKey, SessionMark, SessionOrigin, SessionPlace, Text,
};
use analytics_domain::throttle::fields::{RateLimitFields, rate_limit_fields};
use analytics_domain::throttle::{Decision, LevelChange, ThrottleDecision};
use analytics_domain::user_agent::UserAgent;
use analytics_domain::visit::{Client, ClientKey, ShardCounters, Step, VisitPolicy, Visitor};
use analytics_ports::{GeoLocator, IdGenerator};
use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::agents::AgentCache;
use super::client::{Arrival, Beginning, ClientSessions, LetGo};
use super::keys::Keys;
use super::policy::LivePolicy;
use super::record::LiveRecord;
use super::seen::Seen;
use super::session::LiveSession;
use crate::anomaly::{LiveFeed, Moment};
use crate::ingest::queue::Ingest;
use crate::replay::{Agent, client_of, declared_of};
use crate::services::TrafficService;

/// The engine over live traffic. It reads no clock: a request brings its time.
pub struct LiveTraffic {
    pub(super) traffic: TrafficService<ClientSessions>,
    policy: ArcSwap<LivePolicy>,
    pub(super) agents: AgentCache,
    keys: Arc<Keys>,
    pub(super) cookies: SessionCookieKey,
    verifier: Option<Box<VerifyCrawler>>,
    geo: Option<Arc<dyn GeoLocator>>,
    pub(super) ids: Arc<dyn IdGenerator>,
    pub(super) queue: Ingest<LiveRecord>,
    /// Sessions that moved since the stores were told last.
    pub(super) moved: Mutex<Vec<Arc<LiveSession>>>,
    /// Records that found the queue full, for the next second.
    pub(super) waiting: Mutex<Vec<LiveRecord>>,
    /// Changes of level that the stores are to be told of, with the session whose request led to each.
    pub(super) levels: Mutex<Vec<(SessionId, LevelChange)>>,
    /// Places for sessions beside another of their clients: what they may need of memory together.
    places: Arc<Semaphore>,
    pub(super) counters: Counters,
    /// What is watched for anomalies.
    pub(super) feed: Arc<LiveFeed>,
}

/// Says whether a declared crawler comes from its operator's addresses, without waiting.
pub type VerifyCrawler = dyn Fn(&UserAgent, IpAddr, DateTime<Utc>) -> Verification + Send + Sync;

/// What was decided about a request.
#[derive(Debug)]
pub struct Decided {
    /// What to do with it, and the level.
    pub answer: ThrottleDecision,
    /// What its session is taken for.
    pub class: Class,
    /// Its session.
    pub session: SessionId,
    /// Whom it counts as.
    pub visitor: VisitorId,
    /// Whom it is held against.
    pub fingerprint: FingerprintHash,
    /// What to tell the client of its quota; only where limits bind.
    pub fields: Option<RateLimitFields>,
    /// Whether a session began with it.
    pub opened: bool,
    /// Whether it counted as a page view.
    pub page_view: bool,
    /// The cookie to set with the answer, where the client is to bring one: the value of `Set-Cookie`.
    pub cookie: Option<String>,
    /// The request, until it is answered.
    pub pending: Pending,
}

/// A request that was decided and is not answered yet. It has to be handed to [`LiveTraffic::answered`], or it is in no
/// total.
#[derive(Debug)]
#[must_use]
pub struct Pending {
    pub(super) session: Arc<LiveSession>,
    /// Whether it is a page view that the tracker told of.
    pub(super) told: bool,
    record: Box<RequestRecord>,
    /// Where it is a page view: the full URL.
    url: Option<Box<str>>,
    page_view: bool,
    /// What the session is taken for, whether it began with this request, and whether its visitor was not known before.
    came: (Class, bool, bool),
}

/// How a request was answered, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Answer {
    /// The status.
    pub status: Option<u16>,
    /// The bytes of the content.
    pub bytes: Option<u64>,
    /// How long it took, in microseconds.
    pub duration_us: Option<u64>,
}

/// How a request came to be decided about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It was asked.
    Asked,
    /// The tracker told of the page that it is for.
    Told,
    /// It is what told of a page, and is counted as loaded by it.
    ToldBeside,
}

/// A request was let pass without being looked at: others held it up for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unseen;

/// What live traffic came to since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the names say it; docs/service.md defines each")]
pub struct LiveCounters {
    pub requests: u64,
    pub refused: u64,
    pub would_refuse: u64,
    pub exempt: u64,
    pub unseen: u64,
    /// Requests with a session cookie that was not made here for their client, or not within a day.
    pub cookies_refused: u64,
    /// Requests that were counted to another session of their client, because it had too many to begin one more.
    pub crowded: u64,
    /// Rows that the queue had no room for; they are in no total.
    pub rows_dropped: u64,
    /// How often another record found no room in the queue and was left for the next second.
    pub records_delayed: u64,
    /// Other records that found no room there either.
    pub records_dropped: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    requests: AtomicU64,
    refused: AtomicU64,
    would_refuse: AtomicU64,
    exempt: AtomicU64,
    unseen: AtomicU64,
    pub(super) cookies_refused: AtomicU64,
    crowded: AtomicU64,
    rows_dropped: AtomicU64,
    pub(super) records_delayed: AtomicU64,
    pub(super) records_dropped: AtomicU64,
}

impl LiveTraffic {
    /// Nobody yet, and room for this many visitors, and for as many sessions more where cookies tell people apart.
    pub fn new(
        visit: VisitPolicy,
        policy: LivePolicy,
        capacity: usize,
        keys: Arc<Keys>,
        ids: Arc<dyn IdGenerator>,
        queue: Ingest<LiveRecord>,
    ) -> Self {
        Self {
            traffic: TrafficService::new(visit, capacity),
            policy: ArcSwap::from_pointee(policy),
            agents: AgentCache::default(),
            cookies: SessionCookieKey::new(keys.cookie_seal()),
            keys,
            verifier: None,
            geo: None,
            ids,
            queue,
            moved: Mutex::default(),
            waiting: Mutex::default(),
            levels: Mutex::default(),
            places: Arc::new(Semaphore::new(capacity)),
            counters: Counters::default(),
            feed: Arc::default(),
        }
    }

    /// The same, with places of addresses.
    #[must_use]
    pub fn with_geo(self, geo: Arc<dyn GeoLocator>) -> Self {
        Self { geo: Some(geo), ..self }
    }

    /// The same, with crawlers verified this way.
    #[must_use]
    pub fn with_verifier(self, verifier: Box<VerifyCrawler>) -> Self {
        Self { verifier: Some(verifier), ..self }
    }

    /// Decides about a request, from memory. `https` says whether it came over TLS, where that is known.
    ///
    /// # Errors
    /// [`Unseen`] when others held it up for longer than the policy's patience; it passes, and a counter rises.
    pub fn decide(&self, request: &RawRequest<'_>, https: Option<bool>) -> Result<Decided, Unseen> {
        self.decide_for(self.client(request), request, https)
    }

    /// Decides about a request of a client whose address the host knows; forwarding fields are not read.
    ///
    /// # Errors
    /// As [`LiveTraffic::decide`].
    ///
    /// # Panics
    /// Never: a session is there once a request was stepped.
    pub fn decide_for(
        &self,
        address: IpAddr,
        request: &RawRequest<'_>,
        https: Option<bool>,
    ) -> Result<Decided, Unseen> {
        self.decide_as(Way::Asked, address, request, https)
    }

    /// Decides about a request that came this way.
    pub(super) fn decide_as(
        &self,
        way: Way,
        address: IpAddr,
        request: &RawRequest<'_>,
        https: Option<bool>,
    ) -> Result<Decided, Unseen> {
        let address = address.to_canonical();
        self.counters.requests.fetch_add(1, Ordering::Relaxed);
        let now = request.at;
        let policy = self.policy.load();
        let (network, headers, agent) = self.read_client(&policy, address, request);
        let mut facts = agent.facts;
        if agent.read.declared.is_some()
            && let Some(verify) = &self.verifier
        {
            facts.verification = verify(&agent.read, address, now);
        }
        let client = Client { network, headers, agent: &facts };
        let mut seen = Seen::read(&policy, request, &agent, https);
        let brought = self.brought(&policy, request, network, &agent);
        if way != Way::ToldBeside {
            self.counters.cookies_refused.fetch_add(u64::from(brought.refused), Ordering::Relaxed);
            seen.headers.impossible |= brought.of_another_engine;
        }
        let arrival = Arrival {
            mark: brought.mark,
            // A tracker on another host tells of pages without the cookie that asking for them brought.
            page: way == Way::Asked && seen.target.kind.is_page_view(),
            campaign: seen.campaign,
            told_apart: policy.session_cookie,
            now: whole(now),
        };
        let decided = self.traffic.decide_within(
            client,
            &seen.observation(),
            now,
            policy.patience,
            |rules, step, class, sessions, left| {
                let begin = |beginning| {
                    let client = (client.key(), &*agent, address);
                    self.begin(&policy, client, beginning, request, seen.campaign)
                };
                let belongs = sessions.take_in(&rules.session, &self.places, arrival, left, begin);
                for session in &belongs.ended {
                    self.list_ended(session);
                }
                self.counters.crowded.fetch_add(u64::from(belongs.crowded), Ordering::Relaxed);
                let step = Step { opened: belongs.began, ..*step };
                let session = belongs.session;
                let mut decided =
                    self.decided((rules, &policy), request, address, &seen, (step, class), session);
                if arrival.told_apart && decided.page_view && decided.answer.is_admitted() {
                    decided.cookie = self.cookie(&policy, request, &decided.pending.session, &agent, https);
                }
                decided
            },
        );
        decided.ok_or_else(|| {
            self.counters.unseen.fetch_add(1, Ordering::Relaxed);
            Unseen
        })
    }

    /// Takes the answer to a request, and queues its row. Whoever does not know the answer says so by the default.
    pub fn answered(&self, pending: Pending, answer: Answer, now: DateTime<Utc>) {
        let Pending { session, told, mut record, url, page_view, came: (class, opened, new_fingerprint) } =
            pending;
        if page_view && !told {
            session.told.store(false, Ordering::Relaxed);
        }
        record.status = answer.status;
        record.bytes = answer.bytes.filter(|&bytes| bytes <= MOST);
        record.duration_us = answer.duration_us.filter(|&duration| duration <= MOST);
        record.charged = record.kind.is_charged(record.status);
        let refused = matches!(record.decision, RequestDecision::Refused(_));
        let moment = Moment {
            class,
            charged: record.charged,
            opened,
            new_fingerprint,
            status: record.status.filter(|_| !refused),
            duration_us: record.duration_us,
            bans: 0,
        };
        self.feed.request(&moment, now);
        let Ok(row) = RequestRow::try_from(*record) else {
            // Before 1970 there are no ids; a clock that wrong has been told by then.
            self.counters.rows_dropped.fetch_add(1, Ordering::Relaxed);
            return;
        };
        if answer.status.is_some() && !refused {
            let change = self.traffic.answered(&session.key, &row.observation(), now);
            if let Some(change) = change {
                self.note_level(&session, change);
            }
        }
        let (landing, room) = {
            let moved = session.moved.lock();
            let lands = page_view && !refused && moved.landing.is_none();
            (lands.then(|| row.record().path.clone()), moved.listed || self.has_room_to_tell())
        };
        let counted = row.counted();
        if !room || self.queue.offer(LiveRecord::Request(Box::new(row))).is_err() {
            self.counters.rows_dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let list = {
            let mut moved = session.moved.lock();
            if let Some(path) = landing {
                moved.land(path.as_str(), url.as_deref());
            }
            moved.count(counted)
        };
        if list {
            self.moved.lock().push(session);
        }
    }

    /// Takes in what the tracker told of the client behind this request; `false` where it has no open session.
    pub fn tracked(&self, request: &RawRequest<'_>, marks: TrackerMarks) -> bool {
        self.traffic.tracked(&self.key(request), marks, request.at)
    }

    /// The open session of the client behind this request.
    pub fn session_of(&self, request: &RawRequest<'_>) -> Option<SessionId> {
        self.open_session(request).map(|session| session.id)
    }

    /// The open session of the client behind this request, whole.
    pub(super) fn open_session(&self, request: &RawRequest<'_>) -> Option<Arc<LiveSession>> {
        let (key, agent) = self.key_and_agent(request);
        let mark = self.brought(&self.policy.load(), request, key.network, &agent).mark;
        self.traffic.visitor(&key, |visitor| {
            visitor.session().is_some().then(|| visitor.tag().of(mark).cloned()).flatten()
        })?
    }

    /// The address of the client behind this request.
    pub fn client(&self, request: &RawRequest<'_>) -> IpAddr {
        let policy = self.policy.load();
        let address = &policy.request.address;
        client_address(address, request.peer, request.fields(address.forwarding_header.name()))
    }

    /// Takes everybody of this fingerprint for a person: level, flags and bans go. Answers what was cleared.
    pub fn clear_as_human(&self, fingerprint: FingerprintHash, now: DateTime<Utc>) -> Vec<HumanClearance> {
        self.traffic.clear_as_human(now, |visitor| {
            visitor.tag().iter().any(|session| session.fingerprint == fingerprint)
        })
    }

    /// Lifts the ban of the client network that this address stands for; `false` where none runs.
    pub fn free_network(&self, address: IpAddr, now: DateTime<Utc>) -> bool {
        let network = ClientNetwork::of(&self.policy.load().request.address, address);
        self.traffic.free_network(network, now)
    }

    /// Flags everybody of this fingerprint until it is cleared; answers what is remembered of each now.
    pub fn flag(&self, fingerprint: FingerprintHash) -> Vec<ReputationState> {
        let is = |visitor: &Visitor<ClientSessions>| {
            visitor.tag().iter().any(|session| session.fingerprint == fingerprint)
        };
        let key = self.traffic.find(is);
        key.and_then(|key| self.traffic.visitor(&key, Visitor::flag)).into_iter().collect()
    }

    /// Ends the open session of this id; `false` where it is not open here.
    pub fn end(&self, id: SessionId, reason: EndReason, now: DateTime<Utc>) -> bool {
        let Some(key) = self.find(id) else { return false };
        let beside_others =
            |visitor: &mut Visitor<ClientSessions>| visitor.tag_mut().let_go(|session| session.id == id);
        match self.traffic.visitor(&key, beside_others).flatten() {
            None => false,
            Some(LetGo::Alone) => self.traffic.end(&key, reason, now),
            Some(LetGo::BesideOthers(session)) => {
                session.end(reason);
                self.list_ended(&session);
                true
            }
        }
    }

    /// What the open session of this id is taken for now, with every reason.
    pub fn explain(&self, id: SessionId) -> Option<Verdict> {
        self.traffic.explain(&self.find(id)?)
    }

    /// The rules in force.
    pub fn visit(&self) -> Arc<VisitPolicy> {
        self.traffic.policy()
    }

    /// How requests are read and kept.
    pub fn policy(&self) -> Arc<LivePolicy> {
        self.policy.load_full()
    }

    /// Puts other rules in force, from the next request on. What is remembered of everybody stays.
    pub fn set_rules(&self, visit: VisitPolicy, policy: LivePolicy) {
        self.policy.store(Arc::new(policy));
        self.traffic.set_policy(visit);
    }

    /// The engine itself, for what survives a restart.
    pub const fn engine(&self) -> &TrafficService<ClientSessions> {
        &self.traffic
    }

    /// Visitors remembered now.
    pub fn visitors(&self) -> usize {
        self.traffic.visitors()
    }

    /// What the engine had to let go.
    pub fn evicted(&self) -> ShardCounters {
        self.traffic.counters()
    }

    /// The figures of live traffic, for whoever looks for anomalies.
    pub const fn feed(&self) -> &Arc<LiveFeed> {
        &self.feed
    }

    /// What came so far.
    pub fn counters(&self) -> LiveCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LiveCounters {
            requests: read(&self.counters.requests),
            refused: read(&self.counters.refused),
            would_refuse: read(&self.counters.would_refuse),
            exempt: read(&self.counters.exempt),
            unseen: read(&self.counters.unseen),
            cookies_refused: read(&self.counters.cookies_refused),
            crowded: read(&self.counters.crowded),
            rows_dropped: read(&self.counters.rows_dropped),
            records_delayed: read(&self.counters.records_delayed),
            records_dropped: read(&self.counters.records_dropped),
        }
    }

    /// Notes a change of level that a request of this session led to.
    fn note_level(&self, session: &LiveSession, change: LevelChange) {
        let mut moved = session.moved.lock();
        moved.max_level = moved.max_level.max(change.to);
        drop(moved);
        let mut levels = self.levels.lock();
        if levels.len() < MOST_LEVELS {
            levels.push((session.id, change));
        } else {
            self.counters.records_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn fingerprint(&self, key: &ClientKey) -> Option<FingerprintHash> {
        self.traffic
            .visitor(key, |visitor| visitor.tag().newest().map(|session| session.fingerprint))
            .flatten()
    }

    fn find(&self, id: SessionId) -> Option<ClientKey> {
        self.traffic.find(|visitor| visitor.tag().iter().any(|session| session.id == id))
    }

    /// The key of the state that the client behind this request has.
    pub(super) fn key(&self, request: &RawRequest<'_>) -> ClientKey {
        self.key_and_agent(request).0
    }

    fn key_and_agent(&self, request: &RawRequest<'_>) -> (ClientKey, Arc<Agent>) {
        let (network, headers, agent) = self.read_client(&self.policy.load(), self.client(request), request);
        (Client { network, headers, agent: &agent.facts }.key(), agent)
    }

    /// What tells a client of this address apart: its network, the hash of its language, and its agent.
    fn read_client(
        &self,
        policy: &LivePolicy,
        address: IpAddr,
        request: &RawRequest<'_>,
    ) -> (ClientNetwork, u64, Arc<Agent>) {
        let network = ClientNetwork::of(&policy.request.address, address);
        let language = request.header("accept-language");
        let headers = language.map_or(0, |language| xxh3_64_with_seed(language.as_bytes(), 1));
        (network, headers, self.agents.read(request.header("user-agent").unwrap_or_default()))
    }

    fn begin(
        &self,
        policy: &LivePolicy,
        (key, agent, address): (ClientKey, &Agent, IpAddr),
        beginning: Beginning,
        request: &RawRequest<'_>,
        campaign: Option<u64>,
    ) -> LiveSession {
        let read = SessionAnalytics::read(&policy.request, request);
        let privacy = &policy.privacy;
        let private = privacy.is_asked_for(request);
        let language = request.header("accept-language").unwrap_or_default();
        let ja4 = request
            .header("x-ja4")
            .filter(|_| policy.request.address.is_trusted(request.peer.to_canonical()))
            .unwrap_or_default();
        let mut client = client_of(&agent.text, &agent.read);
        let mut origin = SessionOrigin { landing_page: None, entry_url: None, ..SessionOrigin::of(&read) };
        let place = self.geo.as_ref().map(|geo| geo.locate(address).place);
        let mut place = place.unwrap_or_default();
        if private {
            // What is left counts in reports and tells nobody apart.
            (client.user_agent, client.browser_version, client.os_version) = (None, None, None);
            origin.referrer_url = None;
            place = SessionPlace { country: place.country, ..SessionPlace::default() };
        } else {
            client.locale = read.locale.as_ref().map(|locale| Text::cut(locale.as_str()));
        }
        let now = whole(request.at);
        let id = self.ids.session_id(now);
        let number = beginning.number;
        let mark = SessionMark::new(id.as_u128() as u64, number, now);
        let visitors = self.keys.visitor_key(request.at);
        let new = NewSession {
            visitor: visitors.visitor_beside(&policy.site, key.network, &agent.text, number),
            fingerprint: self.keys.fingerprint_key().fingerprint(key.network, &agent.text, language, ja4),
            user: None,
            network: privacy.store_network.then(|| key.network.neighbourhood().network()),
            client,
            origin,
            place,
        };
        let session = AnalyticsSession::start(id, new, now)
            .expect("the time is in whole microseconds of a year that a clock can show");
        LiveSession::begin(key, (mark, beginning), campaign, declared_of(&agent.read), session)
    }

    fn decided(
        &self,
        (rules, policy): (&VisitPolicy, &LivePolicy),
        request: &RawRequest<'_>,
        address: IpAddr,
        seen: &Seen<'_>,
        (step, class): (Step, Class),
        session: Arc<LiveSession>,
    ) -> Decided {
        let now = whole(request.at);
        let mut answer = step.decision;
        if answer.refusal().is_some() && seen.is_exempt(policy, address) {
            self.counters.exempt.fetch_add(1, Ordering::Relaxed);
            answer = ThrottleDecision {
                decision: Decision::Admit { allowance: None },
                would_refuse: None,
                ..answer
            };
        }
        match (answer.is_admitted(), answer.would_refuse) {
            (false, _) => self.counters.refused.fetch_add(1, Ordering::Relaxed),
            (true, Some(_)) => self.counters.would_refuse.fetch_add(1, Ordering::Relaxed),
            (true, None) => 0,
        };
        for change in [answer.lowered, answer.raised].into_iter().flatten() {
            self.note_level(&session, change);
        }
        let arrival = {
            let mut moved = session.moved.lock();
            moved.level = answer.level;
            moved.max_level = moved.max_level.max(answer.level);
            if answer.is_admitted() {
                moved.last_activity_at = moved.last_activity_at.max(now);
            }
            moved.arrived += 1;
            moved.arrived - 1
        };
        let fields = rate_limit_fields(&rules.throttle, &answer, session.fingerprint, request.at);
        let mut facts = RequestFacts::of(&seen.observation());
        facts.number = facts.number.filter(|&number| number <= MOST);
        let record = RequestRecord {
            id: self.ids.event_id(now),
            session: session.id,
            visitor: session.visitor,
            fingerprint: session.fingerprint,
            at: now,
            arrival,
            method: seen.method,
            version: seen.version,
            path: Text::cut(seen.target.path),
            kind: seen.target.kind,
            status: None,
            bytes: None,
            duration_us: None,
            referrer_host: seen.referrer_host.map(Text::cut),
            charged: seen.target.kind.is_charged(None),
            decision: RequestDecision::of(&answer),
            facts,
        };
        let url = step.page_view.then(|| entry_url(&policy.request, request).into());
        Decided {
            answer,
            class,
            session: session.id,
            visitor: session.visitor,
            fingerprint: session.fingerprint,
            fields,
            opened: step.opened,
            page_view: step.page_view,
            cookie: None,
            pending: Pending {
                session,
                told: false,
                record: Box::new(record),
                url,
                page_view: step.page_view,
                came: (class, step.opened, step.new_visitor),
            },
        }
    }
}

impl std::fmt::Debug for LiveTraffic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveTraffic").field("counters", &self.counters()).finish_non_exhaustive()
    }
}

pub(super) fn whole(at: DateTime<Utc>) -> DateTime<Utc> {
    analytics_ports::clock::whole_micros(at)
}

/// Changes of level that wait for the next second: half a megabyte at most.
const MOST_LEVELS: usize = 10_000;

/// The most that stores keep.
const MOST: u64 = i64::MAX as u64;
