//! The open sessions of one client: one, or several where a cookie tells apart who shares an address and an agent.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use analytics_domain::session::{EndReason, SessionMark, SessionPolicy};
use chrono::{DateTime, Utc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::session::LiveSession;

/// The open sessions of a client, the one that was active last at the end.
///
/// The engine has one state for all of them: limits, levels and verdicts are the client's. A cookie splits what is counted,
/// and each session begins and ends by what its own browser does.
///
/// Whoever comes without a cookie is whoever came without one before, until that one is known by its cookie: from then on a
/// page that is asked for without a cookie is another browser's. What is no page and brings no cookie belongs to whoever
/// was active last, since browsers leave cookies out of some requests for what a page needs.
#[derive(Debug, Default)]
pub struct ClientSessions(Vec<Arc<LiveSession>>);

/// A request, as far as it tells whose it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    /// What its cookie says, where it brings one and cookies count.
    pub(super) mark: Option<SessionMark>,
    /// Whether it is for a page, asked for in a way that would bring a cookie.
    pub(super) page: bool,
    /// Hash of the campaign that led to it, if one did.
    pub(super) campaign: Option<u64>,
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
    /// Sessions that it found over, while the engine's goes on: silent for too long, long enough, or its own before another
    /// campaign.
    pub(super) ended: Vec<Arc<LiveSession>>,
    /// Whether it would have begun a session, had there been fewer.
    pub(super) crowded: bool,
}

/// How a session begins, so that it can be told from others of its client.
#[derive(Debug)]
pub(super) struct Beginning {
    /// The mark that its browser brought.
    pub(super) came_with: Option<SessionMark>,
    /// Which of the visitors it counts as that share the client: a number that no open session has.
    pub(super) number: u8,
    /// Its place among the sessions beside another of their clients, where it is one.
    pub(super) place: Option<OwnedSemaphorePermit>,
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
            Some(mark) => self.iter().find(|session| session.is_of(mark)),
            None => self.newest(),
        }
    }

    /// Finds the session of a request; where there is none, `begin` makes it, and takes one of the `places` that there are
    /// for sessions beside another of their clients. `left` are the client's sessions where the
    /// engine ended its own with this request: of those each goes on that is not over by itself, and the others stay there,
    /// for the engine's last word on them.
    pub(super) fn take_in(
        &mut self,
        policy: &SessionPolicy,
        places: &Arc<Semaphore>,
        arrival: Arrival,
        mut left: Option<&mut Self>,
        begin: impl FnOnce(Beginning) -> LiveSession,
    ) -> Belongs {
        let belongs = |session: &Arc<LiveSession>, ended, crowded| Belongs {
            session: Arc::clone(session),
            began: false,
            ended,
            crowded,
        };
        if !arrival.told_apart
            && let [session] = &self.0[..]
        {
            return belongs(session, Vec::new(), false);
        }
        if arrival.told_apart
            && let Some(left) = &mut left
        {
            self.0.append(&mut left.0);
        }
        let own = self.place_of(arrival).map(|place| self.0[place].mark);
        // Whoever was active last stands for a request that may be anybody's, and began nothing by it.
        let is_known = arrival.mark.is_some() || arrival.page || self.0.len() < 2;
        let campaign = arrival.campaign.filter(|_| is_known);
        let mut ended = Vec::new();
        self.0.retain(|session| {
            let campaign = campaign.filter(|_| own == Some(session.mark));
            let reason = session.boundary(policy, campaign, arrival.now);
            if let Some(reason) = reason {
                session.end(reason);
                ended.push(Arc::clone(session));
            }
            reason.is_none()
        });
        if let Some(left) = left {
            left.0.append(&mut ended);
        }
        let mut place = self.place_of(arrival);
        let mut beside = None;
        let mut crowded = false;
        if place.is_none() && !self.0.is_empty() {
            let few = self.0.len() < MOST_SESSIONS;
            beside = few.then(|| Arc::clone(places).try_acquire_owned().ok()).flatten();
            crowded = beside.is_none();
            place = crowded.then(|| self.0.len() - 1);
        }
        if let Some(place) = place {
            self.0[place..].rotate_left(1);
            let session = &self.0[self.0.len() - 1];
            if arrival.mark.is_some_and(|mark| mark.browser == session.mark.browser) {
                session.cookie_came_back.store(true, Ordering::Relaxed);
            }
            return belongs(session, ended, crowded);
        }
        let taken = |number: &u8| self.0.iter().any(|session| session.mark.number == *number);
        // A number that came back with its cookie may be somebody else's by now.
        let before = own.or(arrival.mark).map(|mark| mark.number);
        let number = before.into_iter().chain(0..=u8::MAX).find(|number| !taken(number)).unwrap_or(u8::MAX);
        let session = Arc::new(begin(Beginning { came_with: arrival.mark, number, place: beside }));
        self.0.reserve_exact(1);
        self.0.push(Arc::clone(&session));
        Belongs { session, began: true, ended, crowded: false }
    }

    /// Lets the session go for which this holds, where others stay open; `None` where none is.
    pub(super) fn let_go(&mut self, is: impl Fn(&LiveSession) -> bool) -> Option<LetGo> {
        let place = self.0.iter().position(|session| is(session))?;
        Some(if self.0.len() < 2 { LetGo::Alone } else { LetGo::BesideOthers(self.0.remove(place)) })
    }

    /// Where the session of a request stands.
    fn place_of(&self, arrival: Arrival) -> Option<usize> {
        match arrival.mark {
            _ if !arrival.told_apart => self.0.len().checked_sub(1),
            Some(mark) => self.0.iter().position(|session| session.is_of(mark)),
            None if arrival.page => self.0.iter().position(|session| !session.is_known_by_cookie()),
            None => self.0.len().checked_sub(1),
        }
    }
}

impl LiveSession {
    /// Whether a request with this mark is of its browser: the mark is its own, or the one that it began with, which the
    /// browser brings until it has its own.
    fn is_of(&self, mark: SessionMark) -> bool {
        self.mark.browser == mark.browser || self.came_with == Some(mark.browser)
    }

    /// Whether its browser brings cookies, so that whoever has none is somebody else.
    fn is_known_by_cookie(&self) -> bool {
        self.came_with.is_some() || self.cookie_came_back.load(Ordering::Relaxed)
    }

    /// Why a request at `now`, led to by this campaign, does not continue it; `None` when it does.
    fn boundary(
        &self,
        policy: &SessionPolicy,
        campaign: Option<u64>,
        now: DateTime<Utc>,
    ) -> Option<EndReason> {
        let changed = SessionPolicy::is_another_campaign(self.campaign, campaign);
        policy.boundary(self.started, self.moved.lock().last_activity_at, changed, now)
    }
}

/// More people than this behind one address with one agent within half an hour are not told apart, so that nobody makes
/// sessions without end.
const MOST_SESSIONS: usize = 32;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

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
        let mut world = World::new(100);
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
        let mut world = World::new(100);
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
    fn another_campaign_and_the_greatest_length_end_the_session_that_they_are_of() {
        let mut world = World::new(100);
        let first = world.page(None, 0);
        world.asset(Some(first), 0);
        let second = world.page(None, 60);
        assert_eq!(world.come(Come { campaign: Some(7), ..Come::page(Some(first), 120) }), first);
        assert_eq!(world.ended, [(first, EndReason::Campaign)]);
        assert_eq!(world.come(Come { campaign: Some(7), ..Come::page(Some(first), 180) }), first);
        let day = 24 * 60 * 60;
        for second in (240..=day + 120).step_by(20 * 60) {
            world.asset(Some(first), second);
        }
        world.page(Some(second), day + 60);
        assert_eq!(world.ended[1], (second, EndReason::Inactive));
        assert_eq!(world.ended.len(), 2, "the other began two minutes later");
        assert_eq!(world.page(Some(first), day + 121), first);
        assert_eq!(world.ended[2..], [(first, EndReason::TooLong)]);
        assert_eq!(world.numbers(), [1, 0]);
    }

    #[test]
    fn what_the_engine_ended_is_left_to_it_and_what_is_not_over_goes_on() {
        let mut world = World::new(100);
        let first = world.page(None, 0);
        world.asset(Some(first), 0);
        let second = world.page(None, 20 * 60);
        world.left = std::mem::take(&mut world.sessions);
        assert_eq!(world.page(Some(second), 31 * 60), second);
        assert_eq!((world.numbers(), world.over_with_engine.len()), (vec![1], 1));
        assert_eq!(world.over_with_engine[0].moved.lock().ended, Some(EndReason::Inactive));
        assert_eq!(world.ended, [], "the engine tells of it");
    }

    #[test]
    fn a_campaign_that_may_be_anybodys_ends_nobody_of_several() {
        let mut world = World::new(100);
        let first = world.page(None, 0);
        world.asset(Some(first), 0);
        let second = world.page(None, 1);
        let told = Come { page: false, campaign: Some(7), ..Come::page(None, 2) };
        assert_eq!((world.come(told), world.sessions.0.len()), (second, 2));
    }

    #[test]
    fn once_cookies_no_longer_count_the_others_end_by_their_silence() {
        let mut world = World::new(100);
        let first = world.page(None, 0);
        world.asset(Some(first), 0);
        let second = world.page(None, 1);
        world.together = true;
        assert_eq!(world.page(Some(first), 20 * 60), second, "whoever was active last has all");
        world.page(None, 31 * 60);
        assert_eq!(world.ended, [(first, EndReason::Inactive)]);
    }

    #[test]
    fn each_session_has_a_cookie_of_its_own_and_knows_its_browser_by_the_one_before() {
        let mut world = World::new(100);
        let first = world.page(None, 0);
        let before = world.jar[&first];
        world.asset(Some(first), 0);
        world.page(Some(first), 40 * 60);
        let renewed = world.jar[&first];
        assert!(renewed.browser != before.browser && renewed.issued_minute > before.issued_minute);
        world.jar.insert(first, before);
        assert_eq!(world.page(Some(first), 41 * 60), first, "a request under way had the old one");
        assert_eq!(world.sessions.0.len(), 1);
        assert_ne!(world.page(None, 42 * 60), first, "it is known by its cookie");
    }

    #[test]
    fn more_than_are_told_apart_are_counted_to_whoever_was_active_last() {
        let mut world = World::new(100);
        for browser in 0..40 {
            world.page(Some(browser), 0);
        }
        assert_eq!((world.sessions.0.len(), world.crowded), (MOST_SESSIONS, 8));
    }

    #[test]
    fn places_beside_others_are_shared_by_all_clients_and_come_back() {
        let mut world = World::new(3);
        for browser in 0..6 {
            world.page(Some(browser), 0);
        }
        assert_eq!((world.sessions.0.len(), world.crowded), (4, 2));
        let elsewhere = &mut ClientSessions::default();
        assert!(!world.come_among(elsewhere, Come::page(Some(10), 0)).crowded, "the first needs no place");
        assert!(world.come_among(elsewhere, Come::page(Some(11), 0)).crowded);
        assert!(matches!(
            world.sessions.let_go(|session| session.mark.number == 3),
            Some(LetGo::BesideOthers(_))
        ));
        assert!(!world.come_among(elsewhere, Come::page(Some(11), 0)).crowded);
    }

    /// An open session, without order of activity in the list itself.
    #[derive(Clone, Copy)]
    struct SlowSession {
        browser: u64,
        newest_request: usize,
        start: i64,
        last: i64,
        campaign: Option<u64>,
        known: bool,
    }

    /// What it is to do.
    #[derive(Default)]
    struct Slow {
        open: Vec<SlowSession>,
        requests: usize,
        made: u64,
    }

    impl Slow {
        fn come(&mut self, come: Come) -> u64 {
            self.requests += 1;
            let (gap, length) = (30 * 60, 24 * 60 * 60);
            let anybodys = come.browser.is_none() && !come.page && self.open.len() > 1;
            let own = self.find(come).filter(|_| !anybodys).map(|own| self.open[own].browser);
            self.open.retain(|open| {
                let other =
                    own == Some(open.browser) && come.campaign.is_some() && come.campaign != open.campaign;
                come.second - open.last < gap && come.second - open.start <= length && !other
            });
            let at = self.find(come).unwrap_or_else(|| {
                self.made += 1;
                self.open.push(SlowSession {
                    browser: come.browser.unwrap_or(NEW + self.made),
                    newest_request: 0,
                    start: come.second,
                    last: 0,
                    campaign: come.campaign,
                    known: false,
                });
                self.open.len() - 1
            });
            let open = &mut self.open[at];
            (open.newest_request, open.last) = (self.requests, come.second);
            open.known |= come.browser.is_some();
            open.browser
        }

        fn find(&self, come: Come) -> Option<usize> {
            let newest = self.open.iter().map(|open| open.newest_request).max();
            self.open.iter().position(|open| match come.browser {
                Some(browser) => open.browser == browser,
                None if come.page => !open.known,
                None => Some(open.newest_request) == newest,
            })
        }
    }

    fn comes() -> impl Strategy<Value = (Come, i64, bool)> {
        let browser = proptest::option::of(0u64..6);
        let campaign = proptest::option::weighted(0.2, 0u64..3);
        let wait = prop_oneof![4 => 0i64..900, 1 => 1_700i64..1_900];
        (browser, any::<bool>(), campaign, wait, any::<bool>(), any::<bool>()).prop_map(
            |(browser, page, campaign, wait, engine_ended, cookie_arrives)| {
                (Come { browser, page, campaign, second: 0, cookie_arrives }, wait, engine_ended)
            },
        )
    }

    proptest! {
        #[test]
        fn sessions_are_those_of_the_slow_way(steps in proptest::collection::vec(comes(), 1..200)) {
            let (mut world, mut slow, mut second) = (World::new(100), Slow::default(), 0);
            for (come, wait, engine_ended) in steps {
                second += wait;
                if engine_ended {
                    world.left = std::mem::take(&mut world.sessions);
                }
                let come = Come { second, ..come };
                prop_assert_eq!(world.come(come), slow.come(come));
                let mut numbers = world.numbers();
                numbers.sort_unstable();
                numbers.dedup();
                prop_assert_eq!(numbers.len(), world.sessions.0.len(), "each is a visitor of its own");
                prop_assert_eq!(world.sessions.0.len(), slow.open.len());
            }
        }

        #[test]
        fn without_cookies_there_is_one_session(steps in proptest::collection::vec(comes(), 1..40)) {
            let mut world = World { together: true, ..World::new(0) };
            for (come, ..) in steps {
                world.come(come);
            }
            prop_assert_eq!(world.sessions.0.len(), 1);
        }
    }

    /// Browsers that were given no mark before are numbered from here.
    const NEW: u64 = 1_000;

    /// A request of a browser that is known by its number, if it brings a cookie.
    #[derive(Debug, Clone, Copy)]
    struct Come {
        browser: Option<u64>,
        page: bool,
        campaign: Option<u64>,
        second: i64,
        /// Whether the cookie that comes with the answer is kept.
        cookie_arrives: bool,
    }

    impl Come {
        fn page(browser: Option<u64>, second: i64) -> Self {
            Self { browser, page: true, campaign: None, second, cookie_arrives: true }
        }
    }

    struct World {
        sessions: ClientSessions,
        /// Those whose engine session ends with the next request.
        left: ClientSessions,
        /// Those that were over when it did.
        over_with_engine: Vec<Arc<LiveSession>>,
        places: Arc<Semaphore>,
        /// The cookie of each browser.
        jar: BTreeMap<u64, SessionMark>,
        /// The browser of each session.
        browsers: BTreeMap<SessionId, u64>,
        crowded: u32,
        ended: Vec<(u64, EndReason)>,
        together: bool,
    }

    impl World {
        fn new(places: usize) -> Self {
            Self {
                sessions: ClientSessions::default(),
                left: ClientSessions::default(),
                over_with_engine: Vec::new(),
                places: Arc::new(Semaphore::new(places)),
                jar: BTreeMap::new(),
                browsers: BTreeMap::new(),
                crowded: 0,
                ended: Vec::new(),
                together: false,
            }
        }

        fn page(&mut self, browser: Option<u64>, second: i64) -> u64 {
            self.come(Come::page(browser, second))
        }

        fn asset(&mut self, browser: Option<u64>, second: i64) -> u64 {
            self.come(Come { page: false, ..Come::page(browser, second) })
        }

        /// The browser that the request is counted to.
        fn come(&mut self, come: Come) -> u64 {
            let mut sessions = std::mem::take(&mut self.sessions);
            let belongs = self.come_among(&mut sessions, come);
            self.sessions = sessions;
            self.crowded += u32::from(belongs.crowded);
            let reason = |session: &LiveSession| session.moved.lock().ended.unwrap();
            self.ended.extend(belongs.ended.iter().map(|ended| (self.browsers[&ended.id], reason(ended))));
            self.browsers[&belongs.session.id]
        }

        fn come_among(&mut self, sessions: &mut ClientSessions, come: Come) -> Belongs {
            let now = DateTime::from_timestamp(1_780_000_000 + come.second, 0).unwrap();
            let mark = come
                .browser
                .map(|browser| *self.jar.entry(browser).or_insert_with(|| SessionMark::new(browser, 0, now)));
            let made = self.browsers.len() as u64 + 1;
            let begin = |beginning: Beginning| {
                let mark = SessionMark::new(2 * NEW + made, beginning.number, now);
                session((mark, beginning), come.campaign, now)
            };
            let Come { page, campaign, .. } = come;
            let arrival = Arrival { mark, page, campaign, told_apart: !self.together, now };
            let policy = SessionPolicy::default();
            let mut left = std::mem::take(&mut self.left);
            let engine_ended = Some(&mut left).filter(|left| !left.0.is_empty());
            let belongs = sessions.take_in(&policy, &self.places, arrival, engine_ended, begin);
            self.over_with_engine.append(&mut left.0);
            let LiveSession { id, mark, .. } = &*belongs.session;
            belongs.session.moved.lock().last_activity_at = now;
            let browser = *self.browsers.entry(*id).or_insert(come.browser.unwrap_or(NEW + made));
            let own = come.browser.is_none_or(|own| own == browser);
            if own && (come.cookie_arrives || come.browser.is_none()) {
                self.jar.insert(browser, *mark);
            }
            belongs
        }

        fn numbers(&self) -> Vec<u8> {
            self.sessions.iter().map(|session| session.mark.number).collect()
        }
    }

    fn session(
        (mark, beginning): (SessionMark, Beginning),
        campaign: Option<u64>,
        now: DateTime<Utc>,
    ) -> LiveSession {
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
        let session = AnalyticsSession::start(id, new, now).unwrap();
        LiveSession::begin(key, (mark, beginning), campaign, None, session)
    }
}
