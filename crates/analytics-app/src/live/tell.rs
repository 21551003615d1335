//! What the stores are told of live traffic, once a second.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use analytics_domain::event::{AnalyticsEvent, EventName, EventProperties, PropertyValue};
use analytics_domain::reputation::BanSubject;
use analytics_domain::throttle::LevelChange;
use analytics_domain::visit::{BannedPart, ClientKey, Output};
use chrono::{DateTime, Utc};

use super::record::LiveRecord;
use super::session::LiveSession;
use super::traffic::{LiveTraffic, whole};
use crate::anomaly::Actor;
use crate::replay::verdict_of;

impl LiveTraffic {
    /// Tells the stores what moved: sessions that began, went on or ended, levels, flags and bans. Meant for once a
    /// second, off the request path. Answers what ended and began, for whoever counts.
    pub fn tell(&self, now: DateTime<Utc>) -> Output<Option<Arc<LiveSession>>> {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        waiting.into_iter().for_each(|record| self.offer(record));
        self.traffic.advance(now);
        let out = self.traffic.take_output();
        for ended in &out.ended {
            let Some(session) = &ended.tag else { continue };
            let mut moved = session.moved.lock();
            moved.ended = Some(ended.reason);
            moved.max_level = moved.max_level.max(ended.session.max_level);
            moved.last_activity_at = moved.last_activity_at.max(whole(ended.session.last));
            moved.verdict = Some(verdict_of(&ended.verdict, session.declared.clone()));
            if !std::mem::replace(&mut moved.listed, true) {
                drop(moved);
                self.moved.lock().push(Arc::clone(session));
            }
        }
        let listed = std::mem::take(&mut *self.moved.lock());
        for session in listed {
            self.tell_of(session);
        }
        for (key, change) in &out.levels {
            self.tell_level(key, *change);
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

    fn tell_of(&self, session: Arc<LiveSession>) {
        if session.moved.lock().ended.is_none()
            && let Some(verdict) = self.traffic.explain(&session.key)
        {
            session.moved.lock().verdict = Some(verdict_of(&verdict, session.declared.clone()));
        }
        let (began, progress) = session.take();
        if let Some(began) = began
            && self.queue.offer(LiveRecord::Began(began.clone())).is_err()
        {
            session.give_back(began);
        } else if self.queue.offer(LiveRecord::Progress(Box::new(progress))).is_ok() {
            return;
        }
        session.moved.lock().listed = true;
        self.moved.lock().push(session);
        self.counters.records_delayed.fetch_add(1, Ordering::Relaxed);
    }

    /// Keeps a change of level as an event of the session, so that its history can be shown.
    fn tell_level(&self, key: &ClientKey, change: LevelChange) {
        let session = self.traffic.visitor(key, |visitor| visitor.tag().clone()).flatten();
        let Some(session) = session else { return };
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
            && let Ok(event) = AnalyticsEvent::new(self.ids.event_id(at), session.id, name, properties, at)
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

/// Changes of level, flags and bans that wait for room in the queue: some megabytes at most.
const MOST_WAITING: usize = 10_000;
