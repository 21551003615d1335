//! Sessions and their requests as stores keep them, made while a replay runs.

use std::net::IpAddr;

use analytics_domain::detector::{Signal, Verdict};
use analytics_domain::identity::IdentityKey;
use analytics_domain::ids::{EventId, FingerprintHash, SessionId, VisitorId};
use analytics_domain::request::Utm;
use analytics_domain::request_row::{RequestDecision, RequestFacts, RequestRecord, RequestRow};
use analytics_domain::session::{
    AnalyticsSession, Campaign, DeclaredAs, Points, SessionClient, SessionCounters, SessionOrigin,
    SessionPlace, SessionRecord, SessionVerdict, SignalList, SignalSummary, Text,
};
use analytics_domain::throttle::ThrottleLevel;
use analytics_domain::user_agent::{Product, UserAgent};
use analytics_domain::visit::{EndedSession, Step};
use analytics_ports::{GeoLocator, StoreError};
use chrono::{DateTime, Utc};
use xxhash_rust::xxh3::xxh3_128;

use super::read::{Batch, ReadRequest};
use super::step::Place;
use super::tally::SessionTag;

/// Takes what a replay makes.
pub trait RecordSink {
    /// Takes a session that ended, with all its requests in the order of their arrival.
    ///
    /// # Errors
    /// [`StoreError`], which ends the replay.
    fn take(&mut self, session: AnalyticsSession, requests: Vec<RequestRow>) -> Result<(), StoreError>;

    /// Takes it with the address that its first request came from, where the log tells it. Stores keep no address, so
    /// only a replay knows it.
    ///
    /// # Errors
    /// [`StoreError`], which ends the replay.
    fn take_from(
        &mut self,
        address: Option<IpAddr>,
        session: AnalyticsSession,
        requests: Vec<RequestRow>,
    ) -> Result<(), StoreError> {
        let _ = address;
        self.take(session, requests)
    }
}

/// What is held of an open session until it ends: ids are made from its start, and the number of its sessions before.
#[derive(Debug)]
pub(crate) struct HeldSession {
    campaign: Campaign,
    referrer_host: Option<Text<255>>,
    landing: Option<Text<1024>>,
    level: ThrottleLevel,
    requests: Vec<RequestRecord>,
}

impl HeldSession {
    /// The session that a request opens.
    pub(crate) fn open(batch: &Batch, request: &ReadRequest) -> Self {
        let tags = Utm::read(request.query(batch)).map(|utm| Campaign::from(&utm.tags()));
        Self {
            campaign: tags.unwrap_or_default(),
            referrer_host: host_of(batch, request),
            landing: None,
            level: ThrottleLevel::Normal,
            requests: Vec::new(),
        }
    }

    /// Notes a request that was stepped.
    pub(crate) fn note(&mut self, batch: &Batch, request: &ReadRequest, step: &Step) {
        let path = Text::cut(request.path(batch));
        if step.page_view && self.landing.is_none() {
            self.landing = Some(path.clone());
        }
        self.level = step.decision.level;
        let mut facts = RequestFacts::of(&request.observation(batch));
        // A longer number is kept nowhere; the rules saw it, and what follows from it is in their verdict.
        facts.number = facts.number.filter(|number| *number <= MOST);
        self.requests.push(RequestRecord {
            id: EventId::from_u128(0),
            session: SessionId::from_u128(0),
            visitor: VisitorId::from_u128(0),
            fingerprint: FingerprintHash::from_u128(0),
            at: whole(request.at),
            arrival: self.requests.len() as u32,
            method: request.method,
            version: request.version,
            path,
            kind: request.kind,
            status: request.status,
            bytes: Some(request.bytes).filter(|bytes| (1..=MOST).contains(bytes)),
            duration_us: None,
            referrer_host: host_of(batch, request),
            charged: request.kind.is_charged(request.status),
            decision: RequestDecision::of(&step.decision),
            facts,
        });
    }
}

/// The session that ended and its requests; `None` when nothing of it was held.
///
/// Requests before 1970 have no id and are left out.
pub(crate) fn records(
    key: &IdentityKey,
    site: &str,
    geo: Option<&dyn GeoLocator>,
    ended: &EndedSession<Place>,
    tag: &mut SessionTag,
) -> Option<(AnalyticsSession, Vec<RequestRow>)> {
    let held = *tag.held_session.take()?;
    let agent = tag.agent.as_deref();
    let text = agent.map_or("", |agent| &agent.text);
    let visitor = key.visitor(site, ended.key.network, text);
    let fingerprint = key.fingerprint(ended.key.network, text, "", "");
    let started_at = ended.session.started();
    let id = key.session(visitor, started_at.timestamp_micros(), ended.serial);
    let requests: Vec<RequestRow> = held
        .requests
        .into_iter()
        .filter_map(|held| {
            let mut bytes = [0; 20];
            bytes[..16].copy_from_slice(&id.as_u128().to_le_bytes());
            bytes[16..].copy_from_slice(&held.arrival.to_le_bytes());
            let event = EventId::at(held.at, xxh3_128(&bytes))?;
            RequestRow::try_from(RequestRecord { id: event, session: id, visitor, fingerprint, ..held }).ok()
        })
        .collect();
    let counters = requests.iter().fold(SessionCounters::NONE, |sum, row| sum.plus(row.counted()));
    let place = match (geo, tag.address) {
        (Some(geo), Some(address)) => geo.locate(address).place,
        (None, _) | (_, None) => SessionPlace::default(),
    };
    let record = SessionRecord {
        id,
        visitor,
        fingerprint,
        user: None,
        network: None,
        client: agent.map_or_else(SessionClient::default, |agent| client_of(text, &agent.read)),
        origin: SessionOrigin {
            channel: tag.channel.unwrap_or(analytics_domain::request::Channel::Direct),
            referrer_host: held.referrer_host,
            campaign: held.campaign,
            landing_page: held.landing,
            ..SessionOrigin::default()
        },
        place,
        started_at,
        last_activity_at: ended.session.last().max(started_at),
        end_reason: Some(ended.reason),
        counters,
        verdict: Some(verdict_of(&ended.verdict, agent.and_then(|agent| declared_of(&agent.read)))),
        throttle_level: held.level,
        max_throttle_level: ended.session.max_level.max(held.level),
    };
    let session =
        AnalyticsSession::try_from(record).expect("times are whole and in order, and the level is bounded");
    Some((session, requests))
}

/// What a session keeps of its agent.
pub(crate) fn client_of(text: &str, read: &UserAgent) -> SessionClient {
    let name = |product: &Option<Product>| product.map(|product| Text::cut(product.name));
    let version = |product: &Option<Product>| {
        product.and_then(|product| product.version).map(|version| Text::cut(version.as_str()))
    };
    SessionClient {
        user_agent: Some(text).filter(|text| !text.is_empty()).map(Text::cut),
        device: read.device_type,
        browser: name(&read.browser),
        browser_version: version(&read.browser),
        os: name(&read.os),
        os_version: version(&read.os),
        locale: None,
    }
}

/// What an agent declares itself to be, if automation.
pub(crate) fn declared_of(agent: &UserAgent) -> Option<DeclaredAs> {
    let declared = agent.declared.as_ref()?;
    Some(DeclaredAs { kind: declared.kind, name: Some(Text::cut(&declared.name)) })
}

/// A verdict as a session keeps it.
pub(crate) fn verdict_of(verdict: &Verdict, declared: Option<DeclaredAs>) -> SessionVerdict {
    SessionVerdict {
        class: verdict.class,
        score: points(verdict.score),
        hostile: verdict.hostile,
        declared,
        signals: SignalList::first_of(verdict.signals.iter().map(summary)),
        ruleset_version: Text::cut(verdict.ruleset_version),
    }
}

fn summary(signal: &Signal) -> SignalSummary {
    SignalSummary {
        signal: Text::cut(signal.kind.as_str()),
        category: Text::cut(signal.category.as_str()),
        points: points(signal.points),
        decisive: signal.decisive,
        evidence: Text::cut(&format!("{} against {}", signal.evidence.figure, signal.evidence.limit)),
    }
}

/// Points as they are kept, which is at most 100 of them.
fn points(points: f64) -> Points {
    Points::from_f64(points.clamp(0.0, 100.0)).unwrap_or_default()
}

fn host_of(batch: &Batch, request: &ReadRequest) -> Option<Text<255>> {
    Some(request.referrer_host(batch)).filter(|host| !host.is_empty()).map(Text::cut)
}

fn whole(at: DateTime<Utc>) -> DateTime<Utc> {
    analytics_ports::clock::whole_micros(at)
}

/// The most that stores keep.
const MOST: u64 = i64::MAX as u64;
