//! The open sessions of one client: one, or several where a cookie tells apart who shares an address and an agent.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use analytics_domain::session::{EndReason, SessionMark, SessionPolicy};
use chrono::{DateTime, Utc};

use super::session::LiveSession;

/// The open sessions of a client, the one that was active last at the end.
///
/// The engine has one state for all of them: limits, levels and verdicts are the client's. A cookie splits what is counted.
/// Whoever comes without one is whoever came without one before, until that cookie comes back: from then on a page
/// that is asked for without a cookie is another browser's. What is no page and brings no cookie belongs to whoever was
/// active last, since browsers leave cookies out of some requests for what a page needs.
#[derive(Debug, Default)]
pub struct ClientSessions(Vec<Arc<LiveSession>>);

/// A request, as far as it tells whose it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    /// What its cookie says, where it brings one and cookies count.
    pub(super) mark: Option<SessionMark>,
    /// Whether it is for a page.
    pub(super) page: bool,
    /// Whether cookies count.
    pub(super) told_apart: bool,
    /// When it came.
    pub(super) now: DateTime<Utc>,
}

/// Whose a request is.
#[derive(Debug)]
pub(super) struct Belongs {
    /// The session.
    pub(super) session: Arc<LiveSession>,
    /// Whether it began with the request.
    pub(super) began: bool,
    /// Sessions that it found silent for too long; they have ended.
    pub(super) ended: Vec<Arc<LiveSession>>,
    /// Whether it would have begun a session, had there been fewer.
    pub(super) crowded: bool,
}

/// What became of a session that was to be let go.
#[derive(Debug)]
pub(super) enum LetGo {
    /// It is the only one, and ends with the client's.
    Alone,
    /// It is gone; others stay.
    BesideOthers(Arc<LiveSession>),
}

impl ClientSessions {
    /// The open sessions.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<LiveSession>> {
        self.0.iter()
    }

    /// The one that was active last.
    pub fn newest(&self) -> Option<&Arc<LiveSession>> {
        self.0.last()
    }

    /// The session that a request belongs to, if it is open.
    pub(super) fn of(&self, mark: Option<SessionMark>) -> Option<&Arc<LiveSession>> {
        match mark {
            Some(mark) => self.iter().find(|session| session.mark.browser == mark.browser),
            None => self.newest(),
        }
    }

    /// Finds the session of a request; where there is none, `begin` makes it for the mark that is known, if one is, and for
    /// a number that nobody else has.
    pub(super) fn take_in(
        &mut self,
        policy: &SessionPolicy,
        arrival: Arrival,
        begin: impl FnOnce(Option<SessionMark>, u8) -> LiveSession,
    ) -> Belongs {
        let belongs = |session: &Arc<LiveSession>| Belongs {
            session: Arc::clone(session),
            began: false,
            ended: Vec::new(),
            crowded: false,
        };
        if !arrival.told_apart
            && let Some(session) = self.newest()
        {
            return belongs(session);
        }
        let ended = self.end_silent(policy, arrival.now);
        let place = match arrival.mark {
            Some(mark) => self.0.iter().position(|session| session.mark.browser == mark.browser),
            None if arrival.page => {
                self.0.iter().position(|session| !session.cookie_came_back.load(Ordering::Relaxed))
            }
            None => self.0.len().checked_sub(1),
        };
        let crowded = place.is_none() && self.0.len() >= MOST_SESSIONS;
        if let Some(place) = place.or_else(|| crowded.then(|| self.0.len() - 1)) {
            self.0[place..].rotate_left(1);
            let session = &self.0[self.0.len() - 1];
            if arrival.mark.is_some_and(|mark| mark.browser == session.mark.browser) {
                session.cookie_came_back.store(true, Ordering::Relaxed);
            }
            return Belongs { ended, crowded, ..belongs(session) };
        }
        let taken = |number: &u8| self.0.iter().any(|session| session.mark.number == *number);
        // A number that came back with its cookie may be somebody else's by now.
        let mut numbers = arrival.mark.map(|mark| mark.number).into_iter().chain(0..=u8::MAX);
        let number = numbers.find(|number| !taken(number)).unwrap_or(u8::MAX);
        let session = Arc::new(begin(arrival.mark, number));
        session.cookie_came_back.store(arrival.mark.is_some(), Ordering::Relaxed);
        self.0.reserve_exact(1);
        self.0.push(Arc::clone(&session));
        Belongs { session, began: true, ended, crowded }
    }

    /// Lets the session go for which this holds, where others stay open; `None` where none is.
    pub(super) fn let_go(&mut self, is: impl Fn(&LiveSession) -> bool) -> Option<LetGo> {
        let place = self.0.iter().position(|session| is(session))?;
        Some(if self.0.len() < 2 { LetGo::Alone } else { LetGo::BesideOthers(self.0.remove(place)) })
    }

    /// Ends the sessions whose gap or length has passed, while others of the client went on. Of one alone the engine knows
    /// when it ends.
    fn end_silent(&mut self, policy: &SessionPolicy, now: DateTime<Utc>) -> Vec<Arc<LiveSession>> {
        if self.0.len() < 2 {
            return Vec::new();
        }
        let mut ended = Vec::new();
        self.0.retain(|session| {
            let reason = session.boundary(policy, now);
            if let Some(reason) = reason {
                session.end(reason);
                ended.push(Arc::clone(session));
            }
            reason.is_none()
        });
        ended
    }
}

impl LiveSession {
    /// Why a request at `now` does not continue it; `None` when it does.
    fn boundary(&self, policy: &SessionPolicy, now: DateTime<Utc>) -> Option<EndReason> {
        policy.boundary(self.started, self.moved.lock().last_activity_at, false, now)
    }
}

/// More people than this behind one address with one agent within half an hour are not told apart, so that nobody makes
/// sessions without end.
const MOST_SESSIONS: usize = 32;

#[cfg(test)]
mod tests {
    use analytics_domain::ids::{FingerprintHash, SessionId, VisitorId};
    use analytics_domain::request::ClientNetwork;
    use analytics_domain::session::{
        AnalyticsSession, NewSession, SessionClient, SessionOrigin, SessionPlace,
    };
    use analytics_domain::visit::ClientKey;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whoever_brings_no_cookie_is_somebody_else_once_the_cookie_came_back() {
        let mut world = World::default();
        let first = world.page(None, 0);
        assert_eq!(world.page(None, 1), first, "nobody has brought the cookie back yet");
        assert_eq!(world.asset(Some(first), 2), first);
        let second = world.page(None, 3);
        assert_ne!(second, first);
        assert_eq!(world.numbers(), [0, 1]);
        assert_eq!(world.page(Some(first), 4), first);
        assert_eq!(world.asset(None, 5), first, "what is no page belongs to whoever was active last");
        assert_eq!(world.page(None, 6), second, "that one has not brought its cookie back");
    }

    #[test]
    fn a_silent_session_ends_alone_and_its_browser_is_the_same_visitor_again() {
        let mut world = World::default();
        let first = world.page(None, 0);
        world.asset(Some(first), 0);
        let second = world.page(None, 60);
        world.asset(Some(second), 29 * 60);
        assert_eq!(world.ended, []);
        assert_eq!(world.page(Some(second), 30 * 60), second);
        assert_eq!(world.ended, [(first, EndReason::Inactive)]);
        assert_eq!(world.page(Some(first), 31 * 60), first);
        assert_eq!(world.numbers(), [1, 0]);
    }

    #[test]
    fn more_than_are_told_apart_are_counted_to_whoever_was_active_last() {
        let mut world = World::default();
        for browser in 0..40 {
            world.page(Some(browser), 0);
        }
        assert_eq!((world.sessions.0.len(), world.crowded), (MOST_SESSIONS, 8));
    }

    /// What it is to do, without order of activity in the list itself: (browser, newest request, when, cookie came back).
    #[derive(Default)]
    struct Slow {
        open: Vec<(u64, u64, i64, i64, bool)>,
        requests: u64,
        made: u64,
    }

    impl Slow {
        fn take_in(&mut self, mark: Option<u64>, page: bool, second: i64) -> u64 {
            self.requests += 1;
            let (gap, length) = (30 * 60, 24 * 60 * 60);
            if self.open.len() > 1 {
                self.open.retain(|(_, _, start, last, _)| second - last < gap && second - start < length);
            }
            let newest = self.open.iter().map(|open| open.1).max();
            let found = self.open.iter_mut().find(|(browser, active, .., back)| match mark {
                Some(mark) => *browser == mark,
                None if page => !back,
                None => Some(*active) == newest,
            });
            let found = if let Some(found) = found {
                found
            } else {
                self.made += 1;
                self.open.push((mark.unwrap_or(NEW + self.made), 0, second, second, false));
                self.open.last_mut().unwrap()
            };
            (found.1, found.3, found.4) = (self.requests, second, found.4 || mark.is_some());
            found.0
        }
    }

    proptest! {
        #[test]
        fn sessions_are_those_of_the_slow_way(
            steps in proptest::collection::vec((proptest::option::of(0u64..6), any::<bool>(), 0i64..1_000), 1..80),
        ) {
            let (mut world, mut slow, mut second) = (World::default(), Slow::default(), 0);
            for (mark, page, wait) in steps {
                second += wait;
                let told = if page { world.page(mark, second) } else { world.asset(mark, second) };
                prop_assert_eq!(told, slow.take_in(mark, page, second));
                let mut numbers = world.numbers();
                numbers.sort_unstable();
                numbers.dedup();
                prop_assert_eq!(numbers.len(), world.sessions.0.len(), "each is a visitor of its own");
            }
        }

        #[test]
        fn without_cookies_there_is_one_session(
            steps in proptest::collection::vec((proptest::option::of(0u64..6), any::<bool>()), 1..40),
        ) {
            let mut world = World { together: true, ..World::default() };
            for (mark, page) in steps {
                world.come(mark, page, 0);
            }
            prop_assert_eq!(world.sessions.0.len(), 1);
        }
    }

    /// Browsers that were given no mark before are numbered from here.
    const NEW: u64 = 1_000;

    #[derive(Default)]
    struct World {
        sessions: ClientSessions,
        made: u64,
        crowded: u32,
        ended: Vec<(u64, EndReason)>,
        together: bool,
    }

    impl World {
        fn page(&mut self, browser: Option<u64>, second: i64) -> u64 {
            self.come(browser, true, second)
        }

        fn asset(&mut self, browser: Option<u64>, second: i64) -> u64 {
            self.come(browser, false, second)
        }

        /// The browser that the request is counted to.
        fn come(&mut self, browser: Option<u64>, page: bool, second: i64) -> u64 {
            let now = DateTime::from_timestamp(1_780_000_000 + second, 0).unwrap();
            let mark = browser.map(|browser| SessionMark::new(browser, 0, now));
            let made = &mut self.made;
            let begin = |mark: Option<SessionMark>, number| {
                *made += 1;
                let mark = mark.unwrap_or_else(|| SessionMark::new(NEW + *made, number, now));
                session(SessionMark { number, ..mark }, now)
            };
            let arrival = Arrival { mark, page, told_apart: !self.together, now };
            let belongs = self.sessions.take_in(&SessionPolicy::default(), arrival, begin);
            belongs.session.moved.lock().last_activity_at = now;
            self.crowded += u32::from(belongs.crowded);
            let reason = |session: &LiveSession| session.moved.lock().ended.unwrap();
            self.ended.extend(belongs.ended.iter().map(|ended| (ended.mark.browser, reason(ended))));
            belongs.session.mark.browser
        }

        fn numbers(&self) -> Vec<u8> {
            self.sessions.iter().map(|session| session.mark.number).collect()
        }
    }

    fn session(mark: SessionMark, now: DateTime<Utc>) -> LiveSession {
        let new = NewSession {
            visitor: VisitorId::from_u128(1),
            fingerprint: FingerprintHash::from_u128(1),
            user: None,
            network: None,
            client: SessionClient::default(),
            origin: SessionOrigin::default(),
            place: SessionPlace::default(),
        };
        let key = ClientKey { network: ClientNetwork::V4(1), agent: 1, headers: 0 };
        let id = SessionId::from_u128(mark.browser.into());
        LiveSession::begin(key, mark, None, AnalyticsSession::start(id, new, now).unwrap())
    }
}
