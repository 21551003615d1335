//! What is held of a session while it is open.

use std::sync::atomic::AtomicBool;

use analytics_domain::ids::{FingerprintHash, SessionId, VisitorId};
use analytics_domain::session::{
    AnalyticsSession, DeclaredAs, EndReason, LandingPage, SessionCounters, SessionMark, SessionVerdict, Text,
};
use analytics_domain::throttle::ThrottleLevel;
use analytics_domain::visit::ClientKey;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use tokio::sync::OwnedSemaphorePermit;

use super::client::Beginning;
use super::record::SessionProgress;

/// An open session: who it is, and what came of it so far. Requests under way share it with the visitor.
#[derive(Debug)]
pub struct LiveSession {
    /// The session.
    pub id: SessionId,
    /// Whom it counts as.
    pub visitor: VisitorId,
    /// Whom it is held against.
    pub fingerprint: FingerprintHash,
    /// Whose state in memory it is.
    pub key: ClientKey,
    /// When its first request came.
    pub(super) started: DateTime<Utc>,
    /// Which browser of the client it is: the mark in the cookie that the browser is given for this session.
    pub(super) mark: SessionMark,
    /// The browser of the mark that it began with, which was given for a session before.
    pub(super) came_with: Option<u64>,
    /// Whether the cookie with its own mark came back.
    pub(super) cookie_came_back: AtomicBool,
    /// Hash of the campaign that led to it, if one did.
    pub(super) campaign: Option<u64>,
    /// Held as long as anything is held of it, where others of its client were open when it began.
    _place: Option<OwnedSemaphorePermit>,
    /// What its agent declares itself to be, if automation.
    pub(super) declared: Option<DeclaredAs>,
    /// Whether only the tracker told of its page views so far.
    pub(super) told: AtomicBool,
    pub(super) moved: Mutex<Moved>,
}

/// The part of a session that moves.
#[derive(Debug)]
pub(super) struct Moved {
    /// The session as it began, until the store was told.
    pub(super) began: Option<Box<AnalyticsSession>>,
    pub(super) last_activity_at: DateTime<Utc>,
    pub(super) counters: SessionCounters,
    pub(super) landing: Option<LandingPage>,
    pub(super) level: ThrottleLevel,
    pub(super) max_level: ThrottleLevel,
    pub(super) verdict: Option<SessionVerdict>,
    pub(super) ended: Option<EndReason>,
    /// Requests that arrived.
    pub(super) arrived: u32,
    /// Whether it stands in the list of sessions that the stores are to be told of.
    pub(super) listed: bool,
}

impl LiveSession {
    /// The session that begins now, as the client's browser of this mark.
    pub(super) fn begin(
        key: ClientKey,
        (mark, beginning): (SessionMark, Beginning),
        campaign: Option<u64>,
        declared: Option<DeclaredAs>,
        session: AnalyticsSession,
    ) -> Self {
        let record = session.record();
        let (id, visitor, fingerprint) = (record.id, record.visitor, record.fingerprint);
        let started = record.started_at;
        let moved = Moved {
            last_activity_at: started,
            counters: SessionCounters::NONE,
            landing: None,
            level: ThrottleLevel::Normal,
            max_level: ThrottleLevel::Normal,
            verdict: None,
            ended: None,
            arrived: 0,
            listed: false,
            began: Some(Box::new(session)),
        };
        Self {
            id,
            visitor,
            fingerprint,
            key,
            started,
            mark,
            came_with: beginning.came_with.map(|mark| mark.browser),
            cookie_came_back: AtomicBool::new(false),
            campaign,
            _place: beginning.place,
            declared,
            told: AtomicBool::new(false),
            moved: Mutex::new(moved),
        }
    }

    /// Notes that it ended, while other sessions of its client go on.
    pub(super) fn end(&self, reason: EndReason) {
        self.moved.lock().ended.get_or_insert(reason);
    }

    /// Takes what the stores are to be told: the session, if they do not know it, and how it stands.
    pub(super) fn take(&self) -> (Option<Box<AnalyticsSession>>, SessionProgress) {
        let mut moved = self.moved.lock();
        moved.listed = false;
        let progress = SessionProgress {
            id: self.id,
            last_activity_at: moved.last_activity_at,
            counters: moved.counters,
            landing: moved.landing.clone(),
            level: moved.level,
            max_level: moved.max_level,
            verdict: moved.verdict.clone(),
            ended: moved.ended,
        };
        (moved.began.take(), progress)
    }

    /// Gives back what the queue had no room for; the session is still to be told.
    pub(super) fn give_back(&self, began: Option<Box<AnalyticsSession>>) {
        let mut moved = self.moved.lock();
        moved.began = began;
        moved.listed = true;
    }
}

impl Moved {
    /// Counts a row that will be stored. Answers whether the session has to be listed.
    pub(super) fn count(&mut self, counted: SessionCounters) -> bool {
        self.counters = self.counters.plus(counted);
        !std::mem::replace(&mut self.listed, true)
    }

    /// Notes a page that was viewed, if it is the first.
    pub(super) fn land(&mut self, path: &str, url: Option<&str>) {
        if self.landing.is_none() {
            self.landing = Some(LandingPage { path: Text::cut(path), url: url.map(Text::cut) });
        }
    }
}
