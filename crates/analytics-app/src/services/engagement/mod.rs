//! What browsers tell of pages: tokens, engagement, events, page views.
//!
//! Everything that comes in is a claim. The domain holds engagement against what is possible; this service finds the
//! session of a beacon, notices repeats, keeps what may be kept, and says of every item what became of it.

mod answer;
mod owed;
#[cfg(test)]
mod tests;
mod uses;
pub mod wire;

pub use answer::{
    BeaconAnswer, BeaconKind, BeaconOutcome, EngagementError, EngagementReport, RefusedBeacon, Taken, Unbound,
};

use std::collections::BTreeMap;
use std::sync::Arc;

use analytics_domain::engagement::{
    BeaconPolicy, EngagementContext, EngagementEvent, EngagementPolicy, InvalidEngagement, PageProof,
    PageTokenKey,
};
use analytics_domain::event::{EventName, EventProperties, PropertyValue};
use analytics_domain::ids::{EventId, SessionId};
use analytics_domain::request::{Referrer, SitePolicy};
use analytics_domain::session::Text;
use analytics_ports::{Clock, EngagementRepository, IdGenerator, Recorded, StoreError};
use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use self::answer::BeaconCounts;
use self::owed::{Debt, MOST_TRIES, Owed};
use self::uses::{TokenUses, Use};
use self::wire::{Beacon, EventBeacon, Form, Navigation, PageTokenAnswer, PageTokenRequest};
use super::{AnalyticsService, EventAnswer, NewEvent, SessionChange};

/// Takes what browsers tell of pages, keeps it, and says what it means for the sessions.
///
/// Each method reads the clock once for itself. What it does not do: find out which session a request belongs to
/// (whoever serves the request knows), or move live profiles and reputations ([`Taken::reports`] is for those who do).
pub struct EngagementService {
    analytics: AnalyticsService,
    engagement: Arc<dyn EngagementRepository>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
    key: PageTokenKey,
    rules: ArcSwap<EngagementRules>,
    uses: Mutex<TokenUses>,
    owed: Mutex<Owed>,
    counts: BeaconCounts,
}

/// The rules that beacons are held against.
#[derive(Debug, Clone)]
pub struct EngagementRules {
    /// How beacons are taken.
    pub beacons: BeaconPolicy,
    /// What engagement is possible.
    pub engagement: EngagementPolicy,
    /// Which hosts pages may be of; any, where the site's hosts are not known.
    pub site: Arc<SitePolicy>,
}

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    /// The open session of the client that sends, where there is one.
    pub session: Option<SessionId>,
    /// Whether it is a host of ours, which may name any session; browsers may not.
    pub is_host: bool,
}

/// A beacon that is about to be kept.
struct Ready {
    event: EngagementEvent,
    unbound: Option<Unbound>,
    automated: bool,
    viewport: Option<(u32, u32)>,
}

impl EngagementService {
    /// The service over these stores, under these rules.
    pub fn new(
        analytics: AnalyticsService,
        engagement: Arc<dyn EngagementRepository>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
        key: PageTokenKey,
        rules: EngagementRules,
    ) -> Self {
        let uses = Mutex::new(TokenUses::new(rules.beacons.settings().tokens_remembered as usize));
        let (owed, counts) = (Mutex::default(), BeaconCounts::default());
        let rules = ArcSwap::from_pointee(rules);
        Self { analytics, engagement, clock, ids, key, rules, uses, owed, counts }
    }

    /// What a page that asks for its token says; else why it gets none.
    ///
    /// # Errors
    /// [`EngagementError::Unreadable`] for a body that cannot be read at all.
    pub fn page_request(
        &self,
        body: &[u8],
    ) -> Result<Result<PageTokenRequest, BeaconAnswer>, EngagementError> {
        let read = self.read::<PageTokenRequest>(BeaconKind::PageToken, Form::One, body)?.pop();
        let read = match read {
            Some(Ok(request)) => {
                self.accepts(&request.page_url).map(|()| request).map_err(BeaconAnswer::from)
            }
            Some(Err(detail)) => Err(malformed(detail)),
            None => Err(RefusedBeacon::Malformed.into()),
        };
        Ok(read.inspect_err(|refused| self.counts.add_answer(BeaconKind::PageToken, refused)))
    }

    /// A token for a page of the session that its client has now, and keeps that the page was viewed.
    ///
    /// # Errors
    /// [`RefusedBeacon`]. A page view that the store did not keep is counted and withholds no token.
    pub async fn page_token(
        &self,
        session: Option<SessionId>,
        request: &PageTokenRequest,
    ) -> Result<PageTokenAnswer, RefusedBeacon> {
        let answer = self.issue(session, request).await;
        match &answer {
            Ok(_) => self.counts.add(BeaconKind::PageToken, "kept", ""),
            Err(reason) => self.counts.add(BeaconKind::PageToken, "refused", reason.as_str()),
        }
        answer
    }

    /// Whether beacons may tell of this page.
    ///
    /// # Errors
    /// [`RefusedBeacon`]: `NoPage` or `ForeignPage`.
    pub fn accepts(&self, page: &str) -> Result<(), RefusedBeacon> {
        if Text::<1024>::cut(page).is_empty() {
            return Err(RefusedBeacon::NoPage);
        }
        let rules = self.rules.load();
        let site = &rules.site;
        match Referrer::read(site, Some(page)) {
            Referrer::External { .. } if site.knows_hosts() => Err(RefusedBeacon::ForeignPage),
            Referrer::External { .. }
            | Referrer::Internal { .. }
            | Referrer::Missing
            | Referrer::Unobserved
            | Referrer::Unreadable => Ok(()),
        }
    }

    /// Keeps that a page was viewed, as an event `page_view`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn page_view(
        &self,
        session: Option<SessionId>,
        page_url: &str,
        referrer: Option<&str>,
        navigation: Navigation,
    ) -> Result<BeaconAnswer, StoreError> {
        let answer = match self.placed(session, page_url) {
            Ok(session) => {
                let event = page_view(session, page_url, referrer, navigation);
                let kept = self.analytics.record_events(vec![event]).await.inspect_err(|_| {
                    self.counts.add(BeaconKind::PageView, "unavailable", "");
                })?;
                kept.into_iter().next().map_or(RefusedBeacon::Malformed.into(), told)
            }
            Err(reason) => reason.into(),
        };
        self.counts.add_answer(BeaconKind::PageView, &answer);
        Ok(answer)
    }

    /// Keeps the engagement that a body tells of, and says of each item, in their order, what became of it.
    ///
    /// Repeats are noticed by the beacon's id. A beacon whose token holds joins the session of the token; any other joins
    /// that of its sender and is unbound.
    ///
    /// # Errors
    /// [`EngagementError`].
    ///
    /// # Panics
    /// When the store answers for fewer events than it was given, against its port.
    pub async fn engage(
        &self,
        session: Option<SessionId>,
        form: Form,
        body: &[u8],
    ) -> Result<Taken, EngagementError> {
        let now = self.clock.now();
        let items = self.read::<Beacon>(BeaconKind::Engagement, form, body)?;
        let mut read: Vec<Result<Ready, BeaconAnswer>> = Vec::with_capacity(items.len());
        for item in items {
            let ready = match item {
                Ok(beacon) => self.ready(session, &beacon, now),
                Err(detail) => Err(malformed(detail)),
            };
            read.push(match ready {
                Ok(ready) if !self.joins(ready.event.session(), now).await? => {
                    Err(RefusedBeacon::TooLate.into())
                }
                ready => ready,
            });
        }
        let events: Vec<EngagementEvent> = read.iter().flatten().map(|ready| ready.event.clone()).collect();
        let recorded = if events.is_empty() {
            Vec::new()
        } else {
            let kept = self.engagement.create_batch(&events, now).await;
            kept.inspect_err(|_| self.counts.add(BeaconKind::Engagement, "unavailable", ""))?
        };
        self.count_in_sessions(&events, &recorded).await;
        let mut recorded = recorded.into_iter();
        let mut taken = Taken::default();
        for item in read {
            let answer = match item {
                Ok(ready) => match recorded.next().expect("a store answers for every event") {
                    Recorded::New => {
                        taken.reports.push(ready.report());
                        ready.kept()
                    }
                    Recorded::Known => BeaconAnswer::Known { id: ready.event.id() },
                },
                Err(refused) => refused,
            };
            self.counts.add_answer(BeaconKind::Engagement, &answer);
            taken.answers.push(answer);
        }
        Ok(taken)
    }

    /// Keeps the named events that a body tells of, and says of each item, in their order, what became of it.
    ///
    /// # Errors
    /// [`EngagementError`].
    ///
    /// # Panics
    /// When the store answers for fewer events than it was given, against its port.
    pub async fn events(
        &self,
        sender: Sender,
        form: Form,
        body: &[u8],
    ) -> Result<Vec<BeaconAnswer>, EngagementError> {
        let now = self.clock.now();
        let items = self.read::<EventBeacon>(BeaconKind::Event, form, body)?;
        let read = items.into_iter().map(|item| match item {
            Ok(event) => self.event(sender, event, now).map_err(BeaconAnswer::from),
            Err(detail) => Err(malformed(detail)),
        });
        let read: Vec<Result<NewEvent, BeaconAnswer>> = read.collect();
        let events = read.iter().flatten().cloned().collect();
        let recorded = self.analytics.record_events(events).await;
        let recorded = recorded.inspect_err(|_| self.counts.add(BeaconKind::Event, "unavailable", ""))?;
        let mut recorded = recorded.into_iter();
        let answers = read.into_iter().map(|item| match item {
            Ok(_) => told(recorded.next().expect("a service answers for every event")),
            Err(refused) => refused,
        });
        let answers: Vec<BeaconAnswer> = answers.collect();
        for answer in &answers {
            self.counts.add_answer(BeaconKind::Event, answer);
        }
        Ok(answers)
    }

    /// Counts the engagement of sessions that were not stored when it came. Call it once a second.
    pub async fn settle(&self) {
        let owed = self.owed.lock().take();
        for (session, debt) in owed {
            self.count_in(session, debt).await;
        }
    }

    /// Counts something that was sent and not looked at, because its sender does not want to be measured.
    pub fn decline(&self, kind: BeaconKind) {
        self.counts.add(kind, "declined", "");
    }

    /// How often each thing became of what was sent, since the service began.
    pub fn counts(&self) -> BTreeMap<BeaconOutcome, u64> {
        self.counts.all()
    }

    /// Puts other rules in force. Room for tokens stays what it was at the start.
    pub fn set_rules(&self, rules: EngagementRules) {
        self.rules.store(Arc::new(rules));
    }

    async fn issue(
        &self,
        session: Option<SessionId>,
        request: &PageTokenRequest,
    ) -> Result<PageTokenAnswer, RefusedBeacon> {
        let now = self.clock.now();
        let placed = self.placed(session, &request.page_url)?;
        let token = self.key.issue(placed, &request.page_url, now).to_string();
        let (page, referrer) = (&request.page_url, request.referrer.as_deref());
        // What failed is counted, and a page without a token would lose its engagement too.
        let _ = self.page_view(Some(placed), page, referrer, request.navigation).await;
        Ok(PageTokenAnswer { token, now_ms: now.timestamp_millis() })
    }

    /// What a beacon will be kept as.
    fn ready(
        &self,
        sender: Option<SessionId>,
        beacon: &Beacon,
        now: DateTime<Utc>,
    ) -> Result<Ready, BeaconAnswer> {
        let page = beacon.claims.page_url.as_str();
        self.accepts(page)?;
        let (id, at) = self.identified(beacon.id, now)?;
        let checked = self.proof(beacon.token.as_deref(), page, now);
        let (session, page_served_at, unbound) = match checked {
            Ok(proof) => match self.uses.lock().note(proof.token, at) {
                Use::First => (proof.session, Some(proof.issued_at), None),
                Use::After(last) => (proof.session, Some(last), None),
                Use::OutOfOrder => (proof.session, Some(proof.issued_at), Some(Unbound::OutOfOrder)),
            },
            Err(unbound) => (sender.ok_or(RefusedBeacon::NoSession)?, None, Some(unbound)),
        };
        let context = EngagementContext { id, session, page_served_at, bound: unbound.is_none() };
        let event = EngagementEvent::create(&self.rules.load().engagement, context, &beacon.claims, at)
            .map_err(|invalid| BeaconAnswer::from(RefusedBeacon::from(invalid)))?;
        let (width, height) = (beacon.viewport_width, beacon.viewport_height);
        let plausible = self.rules.load().beacons.is_viewport(width, height);
        Ok(Ready {
            event,
            unbound,
            automated: !beacon.automation.is_empty() || !plausible,
            viewport: width.zip(height).filter(|_| plausible).map(|(w, h)| (w as u32, h as u32)),
        })
    }

    fn event(
        &self,
        sender: Sender,
        event: EventBeacon,
        now: DateTime<Utc>,
    ) -> Result<NewEvent, RefusedBeacon> {
        if !event.page_url.is_empty() {
            self.accepts(&event.page_url)?;
        }
        let (id, at) = self.identified(event.id, now)?;
        let proven = self.proof(event.token.as_deref(), &event.page_url, now).ok();
        let named = event.session_id.filter(|_| sender.is_host);
        let session = proven.map(|proof| proof.session).or(named).or(sender.session);
        let session = session.ok_or(RefusedBeacon::NoSession)?;
        let EventBeacon { name, properties, .. } = event;
        Ok(NewEvent { id: Some(id), session, name, properties, at: Some(at) })
    }

    /// The id and time of a beacon: what its own id says, else a new id of now.
    fn identified(
        &self,
        told: Option<EventId>,
        now: DateTime<Utc>,
    ) -> Result<(EventId, DateTime<Utc>), RefusedBeacon> {
        let Some(id) = told else { return Ok((self.ids.event_id(now), now)) };
        let at = self.rules.load().beacons.time_of(id, now).ok_or(RefusedBeacon::IdOfAnotherTime)?;
        Ok((id, at))
    }

    fn proof(&self, token: Option<&str>, page: &str, now: DateTime<Utc>) -> Result<PageProof, Unbound> {
        let token = token.ok_or(Unbound::NoToken)?;
        Ok(self.key.check(&self.rules.load().beacons, token, page, now)?)
    }

    fn placed(&self, session: Option<SessionId>, page: &str) -> Result<SessionId, RefusedBeacon> {
        self.accepts(page)?;
        session.ok_or(RefusedBeacon::NoSession)
    }

    /// Whether engagement of now may join a session. One that is not stored yet is open.
    async fn joins(&self, session: SessionId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let asked = self.analytics.takes_engagement(session, now).await;
        asked.inspect_err(|_| self.counts.add(BeaconKind::Engagement, "unavailable", ""))
    }

    /// Counts new events in their sessions.
    async fn count_in_sessions(&self, events: &[EngagementEvent], recorded: &[Recorded]) {
        let mut new: BTreeMap<SessionId, u64> = BTreeMap::new();
        for (event, _) in events.iter().zip(recorded).filter(|(_, recorded)| **recorded == Recorded::New) {
            *new.entry(event.session()).or_default() += 1;
        }
        for (session, events) in new {
            self.count_in(session, Debt { events, tries: 0 }).await;
        }
    }

    /// Counts events in a session; one that is not stored yet is owed them, and so is one that could not be changed. The
    /// events are kept, and saying that they are not would have them sent again.
    async fn count_in(&self, session: SessionId, debt: Debt) {
        let later = Debt { tries: debt.tries + 1, ..debt };
        let settled = match self.analytics.engage(session, debt.events).await {
            Ok(SessionChange::Done(_)) => true,
            Ok(SessionChange::Refused(_)) => false,
            Ok(SessionChange::Absent) | Err(_) => {
                debt.tries < MOST_TRIES && self.owed.lock().add(session, later)
            }
        };
        if !settled {
            self.counts.add(BeaconKind::Engagement, "uncounted", "");
        }
    }

    fn read<T: serde::de::DeserializeOwned>(
        &self,
        kind: BeaconKind,
        form: Form,
        body: &[u8],
    ) -> Result<Vec<Result<T, String>>, EngagementError> {
        wire::read(&self.rules.load().beacons, form, body).map_err(|unreadable| {
            self.counts.add(kind, "unreadable", unreadable.as_str());
            unreadable.into()
        })
    }
}

impl std::fmt::Debug for EngagementService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngagementService").field("rules", &self.rules.load()).finish_non_exhaustive()
    }
}

impl Ready {
    fn report(&self) -> EngagementReport {
        let mut marks = self.event.marks();
        marks.automated = self.automated;
        let (session, at) = (self.event.session(), self.event.at());
        EngagementReport { session, at, marks, viewport: self.viewport }
    }

    fn kept(&self) -> BeaconAnswer {
        let id = self.event.id();
        self.unbound.map_or(BeaconAnswer::Kept { id }, |reason| BeaconAnswer::Unbound { id, reason })
    }
}

fn malformed(detail: String) -> BeaconAnswer {
    BeaconAnswer::Refused { reason: RefusedBeacon::Malformed, detail }
}

fn told(answer: EventAnswer) -> BeaconAnswer {
    match answer {
        EventAnswer::Kept(id, Recorded::New) => BeaconAnswer::Kept { id },
        EventAnswer::Kept(id, Recorded::Known) => BeaconAnswer::Known { id },
        EventAnswer::Refused(invalid) => malformed(invalid.to_string()),
    }
}

impl From<InvalidEngagement> for RefusedBeacon {
    fn from(invalid: InvalidEngagement) -> Self {
        match invalid {
            InvalidEngagement::NoPage => Self::NoPage,
            InvalidEngagement::NotWholeMicroseconds | InvalidEngagement::IdOfAnotherTime => {
                Self::IdOfAnotherTime
            }
            InvalidEngagement::OutOfRange(_) => Self::Malformed,
        }
    }
}

fn page_view(session: SessionId, page: &str, referrer: Option<&str>, navigation: Navigation) -> NewEvent {
    let text = |text: &str| PropertyValue::Text(Text::<1024>::cut(text).as_str().to_owned());
    let how = match navigation {
        Navigation::Load => "load",
        Navigation::SinglePage => "single_page",
        Navigation::Restored => "restored",
        Navigation::Pixel => "pixel",
        Navigation::Other => "other",
    };
    let mut properties =
        BTreeMap::from([("navigation".to_owned(), text(how)), ("page_url".to_owned(), text(page))]);
    if let Some(referrer) = referrer.filter(|referrer| !referrer.is_empty()) {
        properties.insert("referrer".to_owned(), text(referrer));
    }
    let name = EventName::new("page_view").expect("it is a name");
    let properties = EventProperties::new(properties).expect("three short keys with cut texts");
    NewEvent { id: None, session, name, properties, at: None }
}
