//! Features of sessions: from what a store keeps, and from what a replay hands over.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use analytics_domain::detector::AgentFacts;
use analytics_domain::engagement::EngagementEvent;
use analytics_domain::features::{
    CATALOGUE, FeatureContext, FeatureExtractionConfig, KeptFold, MlBehavioralFeatures, ShapeCounts,
    ShapeHistory, extract, with_shape,
};
use analytics_domain::ids::SessionId;
use analytics_domain::request_row::RequestRow;
use analytics_domain::session::AnalyticsSession;
use analytics_domain::user_agent::UserAgent;
use analytics_ports::{
    BatchLimit, EngagementRepository, EventCursor, MlFeaturesRepository, PageRequest, RequestRepository,
    SessionCursor, SessionFilter, SessionRepository, StoreError,
};
use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use xxhash_rust::xxh3::xxh3_64;

use super::jobs::FeatureExtraction;

/// Extracts features of sessions that a store keeps.
///
/// Rows of requests are folded in the order of their arrival, as they were folded when they came, so that the vectors are
/// the same to the last bit. Of a session whose rows are past their retention nothing is extracted: the row of features
/// that was stored is the answer.
pub struct FeatureExtractionService {
    sessions: Arc<dyn SessionRepository>,
    requests: Arc<dyn RequestRepository>,
    engagement: Arc<dyn EngagementRepository>,
    features: Arc<dyn MlFeaturesRepository>,
    config: FeatureExtractionConfig,
    /// Where the job goes on; `None` at the newest session.
    place: Mutex<Option<SessionCursor>>,
}

/// What was extracted of one session.
#[derive(Debug, Clone, PartialEq)]
pub struct Extraction {
    /// The features.
    pub features: MlBehavioralFeatures,
    /// Rows of requests that were folded.
    pub requests: u64,
    /// Events of engagement from before the session, which count in no feature.
    pub early_engagement: u32,
}

impl FeatureExtractionService {
    /// The service over these stores.
    pub fn new(
        sessions: Arc<dyn SessionRepository>,
        requests: Arc<dyn RequestRepository>,
        engagement: Arc<dyn EngagementRepository>,
        features: Arc<dyn MlFeaturesRepository>,
        config: FeatureExtractionConfig,
    ) -> Self {
        Self { sessions, requests, engagement, features, config, place: Mutex::new(None) }
    }

    /// What is extracted.
    pub const fn config(&self) -> &FeatureExtractionConfig {
        &self.config
    }

    /// The features of the session with this id, as they were known at `as_of`; `None` when it is not kept or had not
    /// started.
    ///
    /// # Errors
    /// [`StoreError`] of the first store that failed.
    pub async fn by_id(
        &self,
        session: SessionId,
        as_of: DateTime<Utc>,
    ) -> Result<Option<Extraction>, StoreError> {
        match self.sessions.get(session).await? {
            Some(kept) if kept.value.record().started_at <= as_of => {
                self.of(&kept.value, as_of).await.map(Some)
            }
            Some(_) | None => Ok(None),
        }
    }

    /// The features of this session, as they were known at `as_of`, without those that other sessions are needed for.
    ///
    /// # Errors
    /// [`StoreError`] of the first store that failed.
    pub async fn of(
        &self,
        session: &AnalyticsSession,
        as_of: DateTime<Utc>,
    ) -> Result<Extraction, StoreError> {
        let record = session.record();
        let mut kept = KeptFold::new(self.config.zone, record.started_at, as_of);
        let (mut requests, mut page) = (0, PageRequest::first(PAGE));
        loop {
            let rows = self.requests.list_by_session(record.id, page).await?;
            let past = rows.items.last().is_some_and(|row| row.at() > as_of);
            requests += rows.items.iter().filter(|row| row.at() <= as_of).count() as u64;
            rows.items.iter().for_each(|row| kept.row(row));
            match rows.next {
                Some(next) if !past => page = PageRequest::after(PAGE, next),
                Some(_) | None => break,
            }
        }
        self.engage(record.id, as_of, &mut kept).await?;
        Ok(finished(self.config, session, kept, requests, as_of))
    }

    async fn engage(
        &self,
        session: SessionId,
        as_of: DateTime<Utc>,
        kept: &mut KeptFold,
    ) -> Result<(), StoreError> {
        let mut page: PageRequest<EventCursor> = PageRequest::first(PAGE);
        loop {
            let events = self.engagement.list_by_session(session, page).await?;
            events.items.iter().for_each(|event| kept.event(event));
            let past = events.items.last().is_some_and(|event| event.at() > as_of);
            match events.next {
                Some(next) if !past => page = PageRequest::after(PAGE, next),
                Some(_) | None => return Ok(()),
            }
        }
    }

    /// What was known of the shape of each of these sessions when it started, by the sessions of the day before it.
    ///
    /// # Errors
    /// [`StoreError`] when sessions cannot be listed.
    pub async fn shapes(
        &self,
        of: &[AnalyticsSession],
    ) -> Result<BTreeMap<SessionId, ShapeCounts>, StoreError> {
        let starts = || of.iter().map(|session| session.record().started_at);
        let (Some(first), Some(last)) = (starts().min(), starts().max()) else {
            return Ok(BTreeMap::new());
        };
        let filter = SessionFilter {
            started_from: Some(first - TimeDelta::days(1)),
            started_before: Some(last + TimeDelta::microseconds(1)),
            ..SessionFilter::default()
        };
        let (mut known, mut page) = (Vec::new(), PageRequest::first(PAGE));
        loop {
            let sessions = self.sessions.list(&filter, page).await?;
            known.extend(sessions.items.iter().map(Start::of));
            match sessions.next {
                Some(next) => page = PageRequest::after(PAGE, next),
                None => break,
            }
        }
        Ok(shapes(known))
    }

    async fn batch(&self, limit: BatchLimit, now: DateTime<Utc>) -> Result<u32, StoreError> {
        let filter = SessionFilter { open: Some(false), ..SessionFilter::default() };
        let (mut lacking, mut after) = (Vec::new(), *self.place.lock());
        'pages: loop {
            let page = self.sessions.list(&filter, PageRequest { limit, after }).await?;
            for session in page.items {
                after = Some(SessionCursor::of(&session));
                if let Some(extraction) = self.lacking(&session, now).await? {
                    lacking.push((session, extraction));
                }
                if lacking.len() >= limit.as_usize() {
                    break 'pages;
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let sessions: Vec<AnalyticsSession> = lacking.iter().map(|(session, _)| session.clone()).collect();
        let shapes = self.shapes(&sessions).await?;
        let mut saved = 0;
        for (session, extraction) in lacking {
            let features = match shapes.get(&session.id()) {
                Some(shape) => with_shape(&self.config, extraction.features, *shape),
                None => extraction.features,
            };
            self.features.save(&features, now).await?;
            saved += 1;
        }
        // Only now, so that a run that failed does them again.
        *self.place.lock() = after;
        Ok(saved)
    }

    /// The features of a session that has none of this catalogue up to its end, and still has its rows.
    async fn lacking(
        &self,
        session: &AnalyticsSession,
        now: DateTime<Utc>,
    ) -> Result<Option<Extraction>, StoreError> {
        let as_of = session.record().last_activity_at.max(session.record().started_at).min(now);
        let kept = self.features.by_session(session.id(), CATALOGUE).await?;
        if kept.is_some_and(|kept| kept.as_of() >= as_of) {
            return Ok(None);
        }
        let extraction = self.of(session, as_of).await?;
        Ok((extraction.requests > 0).then_some(extraction))
    }
}

impl FeatureExtraction for FeatureExtractionService {
    fn extract(
        &self,
        limit: BatchLimit,
        now: DateTime<Utc>,
    ) -> Pin<Box<dyn Future<Output = Result<u32, StoreError>> + Send + '_>> {
        Box::pin(self.batch(limit, now))
    }
}

/// The features of a session of which all rows and events are at hand, in the order of arrival or of time.
pub fn extraction_of(
    config: &FeatureExtractionConfig,
    session: &AnalyticsSession,
    rows: &[RequestRow],
    events: &[EngagementEvent],
    as_of: DateTime<Utc>,
) -> Extraction {
    let mut kept = KeptFold::new(config.zone, session.record().started_at, as_of);
    let requests = rows.iter().filter(|row| row.at() <= as_of).count() as u64;
    for row in rows {
        kept.row(row);
    }
    for event in events {
        kept.event(event);
    }
    finished(*config, session, kept, requests, as_of)
}

fn finished(
    config: FeatureExtractionConfig,
    session: &AnalyticsSession,
    kept: KeptFold,
    requests: u64,
    as_of: DateTime<Utc>,
) -> Extraction {
    let text = session.record().client.user_agent.as_ref().map_or("", |text| text.as_str());
    let agent =
        if text.is_empty() { AgentFacts::UNOBSERVED } else { AgentFacts::of(text, &UserAgent::parse(text)) };
    let fold = kept.finish();
    let features = extract(&config, session.id(), &fold, &FeatureContext::of_agent(agent), as_of);
    Extraction { features, requests, early_engagement: fold.early_engagement() }
}

/// The start of a session, as its shape is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    at_us: i64,
    session: SessionId,
    shape: Option<u64>,
    fingerprint: analytics_domain::ids::FingerprintHash,
}

impl Start {
    /// The start of this session. One without an agent has no shape.
    pub(crate) fn of(session: &AnalyticsSession) -> Self {
        let record = session.record();
        Self {
            at_us: record.started_at.timestamp_micros(),
            session: record.id,
            shape: record.client.user_agent.as_ref().map(|text| xxh3_64(text.as_str().as_bytes())),
            fingerprint: record.fingerprint,
        }
    }
}

/// What was known of the shape of each session when it started.
pub(crate) fn shapes(mut starts: Vec<Start>) -> BTreeMap<SessionId, ShapeCounts> {
    starts.sort_by_key(|start| (start.at_us, start.session));
    let mut history = ShapeHistory::default();
    let known = |start: &Start| {
        let shape = start.shape?;
        Some((start.session, history.start(shape, start.fingerprint, start.at_us)))
    };
    starts.iter().filter_map(known).collect()
}

const PAGE: BatchLimit = match BatchLimit::new(5_000) {
    Ok(limit) => limit,
    Err(_) => panic!("5,000 is from 1 to 10,000"),
};

#[cfg(test)]
mod tests;
