//! What the stores are told of live traffic, once a second.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use analytics_domain::event::{AnalyticsEvent, EventName, EventProperties, PropertyValue};
use analytics_domain::ids::SessionId;
use analytics_domain::reputation::BanSubject;
use analytics_domain::throttle::LevelChange;
use analytics_domain::visit::{BannedPart, Output};
use chrono::{DateTime, Utc};

use super::client::ClientSessions;
use super::record::LiveRecord;
use super::session::LiveSession;
use super::traffic::{LiveTraffic, whole};
use crate::anomaly::Actor;
use crate::replay::verdict_of;

impl LiveTraffic {
    /// Tells the stores what moved: sessions that began, went on or ended, levels, flags and bans. Meant for once a
    /// second, off the request path. Answers what ended and began, for whoever counts.
    pub fn tell(&self, now: DateTime<Utc>) -> Output<ClientSessions> {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        for record in waiting {
            self.offer(record);
        }
        self.traffic.advance(now);
        let out = self.traffic.take_output();
        for ended in &out.ended {
            for session in ended.tag.iter() {
                session.end(ended.reason);
                let verdict = verdict_of(&ended.verdict, session.declared.clone());
                session.moved.lock().verdict = Some(verdict);
                self.list_ended(session);
            }
        }
        self.tell_moved();
        for (session, change) in std::mem::take(&mut *self.levels.lock()) {
            self.tell_level(session, change);
        }
        for (part, term) in &out.bans {
            let subject = match part {
                BannedPart::Network(network) => Some(BanSubject::Network(network.network())),
                BannedPart::Fingerprint(key) => self.fingerprint(key).map(BanSubject::Fingerprint),
            };
            let class = match part {
                BannedPart::Network(_) => None,
                BannedPart::Fingerprint(key) => {
                    self.traffic.visitor(key, |visitor| visitor.assessment().class)
                }
            };
            self.feed.ban(class.map_or(Actor::Bots, Actor::of), now);
            if let Some(subject) = subject {
                self.offer(LiveRecord::Ban(Box::new(term.of(self.ids.ban_id(term.from), subject))));
            }
        }
        let banned = out.bans.iter().filter_map(|(part, _)| match part {
            BannedPart::Fingerprint(key) => Some(key),
            BannedPart::Network(_) => None,
        });
        for key in out.flags.iter().map(|(key, _)| key).chain(banned) {
            let state = self.traffic.visitor(key, |visitor| *visitor.reputation());
            if let (Some(state), Some(fingerprint)) = (state, self.fingerprint(key)) {
                self.offer(LiveRecord::Reputation(fingerprint, Box::new(state)));
            }
        }
        out
    }

    /// Records that found no room in the queue and wait for the next second.
    pub fn untold(&self) -> usize {
        self.moved.lock().len() + self.waiting.lock().len()
    }

    /// Lists a session that ended among those that the stores are to be told of.
    pub(super) fn list_ended(&self, session: &Arc<LiveSession>) {
        let mut moved = session.moved.lock();
        // A session of which no row is kept has nothing to tell.
        if moved.listed || moved.began.is_some() && moved.counters.requests == 0 {
            return;
        }
        moved.listed = self.has_room_to_tell();
        if moved.listed {
            self.moved.lock().push(Arc::clone(session));
        } else {
            // The job that ends sessions which nobody continued ends this one in the store.
            self.counters.records_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether one more session may wait to be told. Where none may, rows of further ones are not taken either, so that
    /// no row is kept without its session.
    pub(super) fn has_room_to_tell(&self) -> bool {
        self.moved.lock().len() < MOST_MOVED
    }

    /// Tells of the sessions that moved, until the queue is full; the others keep their places for the next second.
    fn tell_moved(&self) {
        let mut listed = std::mem::take(&mut *self.moved.lock()).into_iter();
        if let Some(refused) = listed.find(|session| !self.tell_of(session)) {
            let mut moved = self.moved.lock();
            let newer = std::mem::replace(&mut *moved, vec![refused]);
            moved.extend(listed);
            self.counters.records_delayed.fetch_add(moved.len() as u64, Ordering::Relaxed);
            moved.extend(newer);
        }
    }

    /// Tells of a session; `false`, and it is still to be told, where the queue is full.
    fn tell_of(&self, session: &LiveSession) -> bool {
        let wants_verdict = {
            let moved = session.moved.lock();
            moved.ended.is_none() || moved.verdict.is_none()
        };
        if wants_verdict && let Some(verdict) = self.traffic.explain(&session.key) {
            session.moved.lock().verdict = Some(verdict_of(&verdict, session.declared.clone()));
        }
        let (began, progress) = session.take();
        if let Some(began) = began
            && self.queue.offer(LiveRecord::Began(began.clone())).is_err()
        {
            session.give_back(Some(began));
            return false;
        }
        let told = self.queue.offer(LiveRecord::Progress(Box::new(progress))).is_ok();
        if !told {
            session.give_back(None);
        }
        told
    }

    /// Keeps a change of level as an event of the session, so that its history can be shown.
    fn tell_level(&self, session: SessionId, change: LevelChange) {
        let at = whole(change.at);
        let text = |value: &str| PropertyValue::Text(value.to_owned());
        let properties = EventProperties::new(
            [
                ("from".to_owned(), text(change.from.as_str())),
                ("to".to_owned(), text(change.to.as_str())),
                ("reason".to_owned(), text(change.reason.as_str())),
            ]
            .into(),
        );
        let name = EventName::new(LEVEL_CHANGED);
        if let (Ok(name), Ok(properties)) = (name, properties)
            && let Ok(event) = AnalyticsEvent::new(self.ids.event_id(at), session, name, properties, at)
        {
            self.offer(LiveRecord::Event(Box::new(event)));
        }
    }

    /// Hands a record to the queue; where that is full the record waits for the next second, if there is room.
    fn offer(&self, record: LiveRecord) {
        if self.queue.offer(record.clone()).is_ok() {
            return;
        }
        let mut waiting = self.waiting.lock();
        if waiting.len() < MOST_WAITING {
            waiting.push(record);
            self.counters.records_delayed.fetch_add(1, Ordering::Relaxed);
        } else {
            self.counters.records_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The event that keeps a change of level.
pub const LEVEL_CHANGED: &str = "throttle_level_changed";

/// Sessions that moved and are not told yet: about 100 MB at most, and five seconds of 10,000 requests, each of another
/// client.
const MOST_MOVED: usize = 50_000;

/// Changes of level, flags and bans that wait for room in the queue: some megabytes at most.
const MOST_WAITING: usize = 10_000;
