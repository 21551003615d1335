//! One session and what may happen to it.

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize};

use super::{
    Campaign, EndReason, SessionClient, SessionCounters, SessionOrigin, SessionPlace, SessionPolicy,
    SessionVerdict, Text,
};
use crate::ids::{FingerprintHash, SessionId, UserId, VisitorId};
use crate::request::Network;
use crate::throttle::ThrottleLevel;

/// One visitor's requests without a gap, with their totals and what they are taken for.
///
/// It always holds that the last activity is not before the start, that both are whole microseconds of the years 1 to
/// 9999, that no total is above 2⁶³ − 1, and that an ended session ended at its last activity, whenever that was found
/// out. So every store gives a session back as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct AnalyticsSession {
    record: SessionRecord,
}

/// Everything that is kept of a session, as plain data: what a store writes and reads.
///
/// [`AnalyticsSession::try_from`] says whether it is a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// The session.
    pub id: SessionId,
    /// Whom it counts as.
    pub visitor: VisitorId,
    /// Whom it is held against.
    pub fingerprint: FingerprintHash,
    /// The host's own user, once the host named one.
    pub user: Option<UserId>,
    /// The network it came from, where networks are kept.
    pub network: Option<Network>,
    /// What the client says it is.
    pub client: SessionClient,
    /// How it came to the site.
    pub origin: SessionOrigin,
    /// Where its address is registered.
    pub place: SessionPlace,
    /// The time of its first request.
    pub started_at: DateTime<Utc>,
    /// The time of its newest request; not before `started_at`.
    pub last_activity_at: DateTime<Utc>,
    /// Why it ended; `None` while it is open.
    pub end_reason: Option<EndReason>,
    /// Its totals.
    pub counters: SessionCounters,
    /// What it is taken for; `None` before the first verdict.
    pub verdict: Option<SessionVerdict>,
    /// The throttle level of its newest request.
    pub throttle_level: ThrottleLevel,
    /// The strictest throttle level it ever had; not below `throttle_level`.
    pub max_throttle_level: ThrottleLevel,
}

/// What is known when a session starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// Whom it counts as.
    pub visitor: VisitorId,
    /// Whom it is held against.
    pub fingerprint: FingerprintHash,
    /// The host's own user, where the host named one.
    pub user: Option<UserId>,
    /// The network it came from, where networks are kept.
    pub network: Option<Network>,
    /// What the client says it is.
    pub client: SessionClient,
    /// How it came to the site.
    pub origin: SessionOrigin,
    /// Where its address is registered.
    pub place: SessionPlace,
}

/// What requests since the last update bring to a session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionUpdate {
    /// The time of the newest request; `None` when nothing came that extends a session: only
    /// refusals, or pages that a browser fetched ahead of a click.
    pub activity_at: Option<DateTime<Utc>>,
    /// What is added to the totals.
    pub counters: SessionCounters,
    /// The campaign of the newest request.
    pub campaign: Campaign,
    /// The first page view of the update; it is the landing page of a session that has none.
    pub landing: Option<LandingPage>,
    /// The host's own user, when the host named one; `None` changes nothing.
    pub user: Option<UserId>,
    /// The newest verdict; `None` changes nothing.
    pub verdict: Option<SessionVerdict>,
    /// The newest throttle level; `None` changes nothing.
    pub throttle_level: Option<ThrottleLevel>,
}

/// The page that a session began with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LandingPage {
    /// The path.
    pub path: Text<1024>,
    /// The full URL, where known.
    pub url: Option<Text<1024>>,
}

/// Why a session does not take something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionRefusal {
    /// It has ended, for this reason, and takes no more requests.
    #[error("the session has ended ({0})")]
    Ended(EndReason),
    /// The request starts another session; this one ends for this reason.
    #[error("the request starts another session ({0})")]
    StartsAnother(EndReason),
    /// The engagement is from longer after the last activity than the policy takes.
    #[error("the engagement comes too long after the session")]
    EngagementTooLate,
    /// What would come out is not a session.
    #[error(transparent)]
    Invalid(InvalidSession),
}

/// Why a record is not a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSession {
    /// A time has parts below a microsecond, which stores cannot keep.
    #[error("the time in {0} is not in whole microseconds")]
    NotWholeMicroseconds(&'static str),
    /// A time is not in the years 1 to 9999, which is what stores and texts can say.
    #[error("the time in {0} is not in the years 1 to 9999")]
    OutsideTheCalendar(&'static str),
    /// A total is above 2⁶³ − 1, the most that the stores keep.
    #[error("the total of {0} is above 2^63 - 1")]
    TotalTooLarge(&'static str),
    /// The last activity is before the start.
    #[error("last_activity_at is before started_at")]
    ActivityBeforeStart,
    /// The strictest throttle level is milder than the newest.
    #[error("max_throttle_level is below throttle_level")]
    MaxLevelTooLow,
}

impl AnalyticsSession {
    /// The session that starts at `now`, with nothing counted yet.
    ///
    /// # Errors
    /// [`InvalidSession`]: `NotWholeMicroseconds` when `now` has parts below a microsecond, `OutsideTheCalendar` when it
    /// is not in the years 1 to 9999.
    pub fn start(id: SessionId, new: NewSession, now: DateTime<Utc>) -> Result<Self, InvalidSession> {
        Self::try_from(SessionRecord {
            id,
            visitor: new.visitor,
            fingerprint: new.fingerprint,
            user: new.user,
            network: new.network,
            client: new.client,
            origin: new.origin,
            place: new.place,
            started_at: now,
            last_activity_at: now,
            end_reason: None,
            counters: SessionCounters::NONE,
            verdict: None,
            throttle_level: ThrottleLevel::Normal,
            max_throttle_level: ThrottleLevel::Normal,
        })
    }

    /// The session with the update in it.
    ///
    /// A request older than the last activity is late: it counts, and moves no time.
    ///
    /// # Errors
    /// [`SessionRefusal`]: `Ended` when the session has ended, `StartsAnother` when the policy puts a boundary before
    /// the update's activity, `Invalid` when that time is not in whole microseconds of the years 1 to 9999.
    pub fn update(self, policy: &SessionPolicy, update: SessionUpdate) -> Result<Self, SessionRefusal> {
        let mut record = self.record;
        if let Some(reason) = record.end_reason {
            return Err(SessionRefusal::Ended(reason));
        }
        if let Some(at) = update.activity_at {
            let campaign_changed = record.origin.campaign.is_changed_by(&update.campaign);
            if let Some(reason) =
                policy.boundary(record.started_at, record.last_activity_at, campaign_changed, at)
            {
                return Err(SessionRefusal::StartsAnother(reason));
            }
            record.last_activity_at = record.last_activity_at.max(at);
        }
        record.counters = record.counters.plus(update.counters);
        if let (None, Some(landing)) = (&record.origin.landing_page, update.landing) {
            record.origin.landing_page = Some(landing.path);
            record.origin.entry_url = landing.url;
        }
        record.user = update.user.or(record.user);
        record.verdict = update.verdict.or(record.verdict);
        if let Some(level) = update.throttle_level {
            record.throttle_level = level;
            record.max_throttle_level = record.max_throttle_level.max(level);
        }
        Self::try_from(record).map_err(SessionRefusal::Invalid)
    }

    /// The session with this many more engagement events; ended or not, and nothing else moves.
    ///
    /// # Errors
    /// [`SessionRefusal::EngagementTooLate`] when `at` is more than the policy's engagement window after the last
    /// activity.
    pub fn engage(
        mut self,
        policy: &SessionPolicy,
        events: u64,
        at: DateTime<Utc>,
    ) -> Result<Self, SessionRefusal> {
        if at.signed_duration_since(self.record.last_activity_at) > policy.engagement_window() {
            return Err(SessionRefusal::EngagementTooLate);
        }
        let added = SessionCounters { engagement_events: events, ..SessionCounters::NONE };
        self.record.counters = self.record.counters.plus(added);
        Ok(self)
    }

    /// The session ended for this reason, at its last activity.
    ///
    /// # Errors
    /// [`SessionRefusal::Ended`] when it ended before; the first reason stays.
    pub fn end(mut self, reason: EndReason) -> Result<Self, SessionRefusal> {
        if let Some(first) = self.record.end_reason {
            return Err(SessionRefusal::Ended(first));
        }
        self.record.end_reason = Some(reason);
        Ok(self)
    }

    /// When the session ended: its last activity, or `None` while it is open.
    pub fn ended_at(&self) -> Option<DateTime<Utc>> {
        self.record.end_reason.map(|_| self.record.last_activity_at)
    }

    /// How long it lasted so far, from the first to the newest request; nothing for a single request.
    pub fn duration(&self) -> TimeDelta {
        self.record.last_activity_at.signed_duration_since(self.record.started_at)
    }

    /// Whether requests may still join it.
    pub const fn is_open(&self) -> bool {
        self.record.end_reason.is_none()
    }

    /// Which session it is.
    pub const fn id(&self) -> SessionId {
        self.record.id
    }

    /// Everything that is kept of it.
    pub const fn record(&self) -> &SessionRecord {
        &self.record
    }

    /// Everything that is kept of it, as plain data.
    pub fn into_record(self) -> SessionRecord {
        self.record
    }
}

impl TryFrom<SessionRecord> for AnalyticsSession {
    type Error = InvalidSession;

    /// The session of this record, as read from a store.
    ///
    /// # Errors
    /// [`InvalidSession`], which names the rule that the record breaks.
    fn try_from(record: SessionRecord) -> Result<Self, InvalidSession> {
        for (name, at) in [("started_at", record.started_at), ("last_activity_at", record.last_activity_at)] {
            if !is_whole_micros(at) {
                return Err(InvalidSession::NotWholeMicroseconds(name));
            }
            if !(1..=9999).contains(&at.year()) {
                return Err(InvalidSession::OutsideTheCalendar(name));
            }
        }
        if let Some(name) = record.counters.too_large() {
            Err(InvalidSession::TotalTooLarge(name))
        } else if record.last_activity_at < record.started_at {
            Err(InvalidSession::ActivityBeforeStart)
        } else if record.max_throttle_level < record.throttle_level {
            Err(InvalidSession::MaxLevelTooLow)
        } else {
            Ok(Self { record })
        }
    }
}

impl<'de> Deserialize<'de> for AnalyticsSession {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SessionRecord::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
    }
}

/// Whether a time has no parts below a microsecond, so that every store gives it back as it was.
pub(crate) fn is_whole_micros(at: DateTime<Utc>) -> bool {
    at.timestamp_subsec_nanos().is_multiple_of(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::RequestKind;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const MICRO: TimeDelta = TimeDelta::microseconds(1);

    #[test]
    fn a_session_starts_with_nothing_counted_at_its_first_activity() {
        let session = session();
        assert_eq!(session.record().last_activity_at, at(0));
        assert_eq!(session.record().counters, SessionCounters::NONE);
        assert_eq!(session.duration(), TimeDelta::zero());
        assert_eq!((session.is_open(), session.ended_at()), (true, None));
    }

    #[test]
    fn an_update_adds_totals_and_moves_the_last_activity() {
        let update = SessionUpdate {
            activity_at: Some(at(60)),
            counters: SessionCounters::of_request(RequestKind::Page, Some(200)),
            landing: Some(LandingPage {
                path: Text::cut("/a"),
                url: Some(Text::cut("https://example.org/a")),
            }),
            user: Some(UserId::new("ann").unwrap()),
            throttle_level: Some(ThrottleLevel::Severe),
            ..SessionUpdate::default()
        };
        let after = session().update(&SessionPolicy::default(), update.clone()).unwrap();
        let mut expected = session().into_record();
        expected.last_activity_at = at(60);
        expected.counters = update.counters;
        expected.origin.landing_page = Some(Text::cut("/a"));
        expected.origin.entry_url = Some(Text::cut("https://example.org/a"));
        expected.user = update.user;
        expected.throttle_level = ThrottleLevel::Severe;
        expected.max_throttle_level = ThrottleLevel::Severe;
        assert_eq!(after.record(), &expected);
    }

    #[test]
    fn the_landing_page_stays_the_first_and_the_strictest_level_is_kept() {
        let update = |path, level| SessionUpdate {
            landing: Some(LandingPage { path: Text::cut(path), url: None }),
            throttle_level: Some(level),
            ..SessionUpdate::default()
        };
        let policy = SessionPolicy::default();
        let after = session().update(&policy, update("/a", ThrottleLevel::Blocked)).unwrap();
        let after = after.update(&policy, update("/b", ThrottleLevel::Normal)).unwrap().into_record();
        assert_eq!(after.origin.landing_page, Some(Text::cut("/a")));
        assert_eq!(
            (after.throttle_level, after.max_throttle_level),
            (ThrottleLevel::Normal, ThrottleLevel::Blocked)
        );
    }

    #[test]
    fn a_late_request_counts_and_moves_no_time() {
        let policy = SessionPolicy::default();
        let after = session().update(&policy, request_at(at(100))).unwrap();
        let after = after.update(&policy, request_at(at(-50))).unwrap();
        assert_eq!(after.record().counters.requests, 2);
        assert_eq!((after.record().started_at, after.record().last_activity_at), (at(0), at(100)));
    }

    #[test]
    fn refusals_alone_count_and_do_not_extend_a_session() {
        let refused = SessionCounters { requests: 1, refused: 1, ..SessionCounters::NONE };
        let update = SessionUpdate { counters: refused, ..SessionUpdate::default() };
        let after = session().update(&SessionPolicy::default(), update).unwrap();
        assert_eq!((after.record().counters, after.record().last_activity_at), (refused, at(0)));
    }

    #[test]
    fn an_ended_session_ended_at_its_last_activity_and_keeps_its_first_reason() {
        let ended = session().update(&SessionPolicy::default(), request_at(at(7))).unwrap();
        let ended = ended.end(EndReason::Revoked).unwrap();
        assert_eq!((ended.ended_at(), ended.is_open()), (Some(at(7)), false));
        assert_eq!(ended.clone().end(EndReason::Inactive), Err(SessionRefusal::Ended(EndReason::Revoked)));
        let refused = ended.update(&SessionPolicy::default(), request_at(at(8)));
        assert_eq!(refused, Err(SessionRefusal::Ended(EndReason::Revoked)));
    }

    #[test]
    fn a_request_past_a_boundary_is_refused_with_the_reason() {
        let policy = SessionPolicy::default();
        let gap = session().update(&policy, request_at(at(1_800)));
        assert_eq!(gap, Err(SessionRefusal::StartsAnother(EndReason::Inactive)));
        let campaign = Campaign { source: Some(Text::cut("letter")), ..Campaign::default() };
        let update = SessionUpdate { campaign, ..request_at(at(1)) };
        let refused = session().update(&policy, update);
        assert_eq!(refused, Err(SessionRefusal::StartsAnother(EndReason::Campaign)));
        let between = session().update(&policy, request_at(at(1) + TimeDelta::nanoseconds(1)));
        let invalid = InvalidSession::NotWholeMicroseconds("last_activity_at");
        assert_eq!(between, Err(SessionRefusal::Invalid(invalid)));
    }

    #[test]
    fn engagement_joins_an_ended_session_for_24_hours_and_moves_nothing_else() {
        let policy = SessionPolicy::default();
        let ended = session().end(EndReason::Revoked).unwrap();
        let edge = at(24 * 3_600);
        let mut expected = ended.clone().into_record();
        expected.counters.engagement_events = 3;
        assert_eq!(ended.clone().engage(&policy, 3, edge).unwrap().into_record(), expected);
        assert_eq!(ended.engage(&policy, 3, edge + MICRO), Err(SessionRefusal::EngagementTooLate));
    }

    #[test]
    fn a_record_that_breaks_a_rule_is_not_a_session() {
        let broken = |change: fn(&mut SessionRecord)| {
            let mut record = session().into_record();
            change(&mut record);
            AnalyticsSession::try_from(record).unwrap_err()
        };
        assert_eq!(broken(|r| r.last_activity_at -= MICRO), InvalidSession::ActivityBeforeStart);
        assert_eq!(
            broken(|r| r.started_at -= TimeDelta::nanoseconds(1)),
            InvalidSession::NotWholeMicroseconds("started_at")
        );
        assert_eq!(broken(|r| r.throttle_level = ThrottleLevel::Warning), InvalidSession::MaxLevelTooLow);
        assert_eq!(broken(|r| r.counters.tokens = 1 << 63), InvalidSession::TotalTooLarge("tokens"));
    }

    #[test]
    fn a_session_is_of_the_years_1_to_9999() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let between = |started_at, last_activity_at| {
            let record = SessionRecord { started_at, last_activity_at, ..session().into_record() };
            AnalyticsSession::try_from(record).map(AnalyticsSession::into_record)
        };
        let (first, last) = (at("0001-01-01T00:00:00Z"), at("9999-12-31T23:59:59.999999Z"));
        let kept = between(first, last).unwrap();
        assert_eq!((kept.started_at, kept.last_activity_at), (first, last));
        let refused = |name| Err(InvalidSession::OutsideTheCalendar(name));
        assert_eq!(between(first - MICRO, last), refused("started_at"));
        assert_eq!(between(first, last + MICRO), refused("last_activity_at"));
    }

    #[test]
    fn a_session_survives_json_and_a_broken_one_is_refused() {
        let json = serde_json::to_string(&session()).unwrap();
        assert_eq!(serde_json::from_str::<AnalyticsSession>(&json).unwrap(), session());
        let broken = json.replace("\"throttle_level\":\"normal\"", "\"throttle_level\":\"blocked\"");
        assert!(broken != json && serde_json::from_str::<AnalyticsSession>(&broken).is_err());
    }

    proptest! {
        /// The requests of one visitor, folded into sessions one by one, against a recount that keeps every request.
        #[test]
        fn totals_equal_a_slow_recount(
            requests in proptest::collection::vec((gaps(), 0u8..3, 100u16..600, 0u8..3), 0..60),
        ) {
            let policy = SessionPolicy::default();
            let mut now = at(0);
            let requests: Vec<Request> = requests
                .into_iter()
                .map(|(gap, kind, status, campaign)| {
                    now += gap;
                    Request { at: now, kind: KINDS[kind as usize], status, campaign }
                })
                .collect();

            let mut folded: Vec<AnalyticsSession> = Vec::new();
            for request in &requests {
                let update = request.update();
                let next = match folded.pop() {
                    None => begin(request, &policy),
                    Some(open) => match open.clone().update(&policy, update) {
                        Ok(same) => same,
                        Err(SessionRefusal::StartsAnother(reason)) => {
                            folded.push(open.end(reason).unwrap());
                            begin(request, &policy)
                        }
                        Err(other) => panic!("{other}"),
                    },
                };
                folded.push(next);
            }

            let recounted = recount(&requests);
            prop_assert_eq!(folded.len(), recounted.len());
            for (session, slow) in folded.iter().zip(&recounted) {
                let record = session.record();
                let times = (record.started_at, record.last_activity_at);
                prop_assert_eq!(times, (slow[0].at, slow[slow.len() - 1].at));
                prop_assert!(session.duration() <= policy.max_length());
                let count = |holds: &dyn Fn(&Request) -> bool| slow.iter().filter(|r| holds(r)).count() as u64;
                let expected = SessionCounters {
                    requests: slow.len() as u64,
                    page_views: count(&|r| r.kind == RequestKind::Page),
                    assets: count(&|r| r.kind == RequestKind::Asset),
                    client_errors: count(&|r| r.status / 100 == 4),
                    server_errors: count(&|r| r.status / 100 == 5),
                    ..SessionCounters::NONE
                };
                prop_assert_eq!(record.counters, expected);
            }
        }
    }

    #[derive(Debug, Clone)]
    struct Request {
        at: DateTime<Utc>,
        kind: RequestKind,
        status: u16,
        campaign: u8,
    }

    impl Request {
        fn campaign(&self) -> Campaign {
            let source = [None, Some("a"), Some("b")][self.campaign as usize].map(Text::cut);
            Campaign { source, ..Campaign::default() }
        }

        fn update(&self) -> SessionUpdate {
            SessionUpdate {
                activity_at: Some(self.at),
                counters: SessionCounters::of_request(self.kind, Some(self.status)),
                campaign: self.campaign(),
                ..SessionUpdate::default()
            }
        }
    }

    /// Cuts the whole list by looking back over all that is kept, with the definitions written out again.
    fn recount(requests: &[Request]) -> Vec<Vec<Request>> {
        let mut sessions: Vec<Vec<Request>> = Vec::new();
        for request in requests {
            let joins = sessions.last().is_some_and(|session| {
                let (first, last) = (&session[0], &session[session.len() - 1]);
                let silent = (request.at - last.at).num_microseconds().unwrap() >= 1_800_000_000;
                let long = (request.at - first.at).num_microseconds().unwrap() > 86_400_000_000;
                let other = request.campaign != 0 && request.campaign != first.campaign;
                !silent && !long && !other
            });
            if joins {
                sessions.last_mut().unwrap().push(request.clone());
            } else {
                sessions.push(vec![request.clone()]);
            }
        }
        sessions
    }

    fn begin(request: &Request, policy: &SessionPolicy) -> AnalyticsSession {
        let mut new = new_session();
        new.origin.campaign = request.campaign();
        let session = AnalyticsSession::start(SessionId::from_u128(1), new, request.at).unwrap();
        session.update(policy, request.update()).unwrap()
    }

    fn gaps() -> impl Strategy<Value = TimeDelta> {
        let edge = 1_800_000_000i64;
        prop_oneof![
            0..edge,
            Just(edge - 1),
            Just(edge),
            Just(edge + 1),
            // Long walks without a gap, so that the greatest length is reached.
            (edge * 9 / 10)..edge,
        ]
        .prop_map(TimeDelta::microseconds)
    }

    const KINDS: [RequestKind; 3] = [RequestKind::Page, RequestKind::Asset, RequestKind::Api];

    fn request_at(at: DateTime<Utc>) -> SessionUpdate {
        SessionUpdate {
            activity_at: Some(at),
            counters: SessionCounters::of_request(RequestKind::Api, None),
            ..SessionUpdate::default()
        }
    }

    fn session() -> AnalyticsSession {
        AnalyticsSession::start(SessionId::from_u128(1), new_session(), at(0)).unwrap()
    }

    fn new_session() -> NewSession {
        NewSession {
            visitor: VisitorId::from_u128(2),
            fingerprint: FingerprintHash::from_u128(3),
            user: None,
            network: None,
            client: SessionClient::default(),
            origin: SessionOrigin::default(),
            place: SessionPlace::default(),
        }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
    }
}
