//! What live traffic leaves for the stores, and how it is kept.

use std::sync::Arc;

use analytics_domain::event::AnalyticsEvent;
use analytics_domain::ids::{FingerprintHash, SessionId};
use analytics_domain::reputation::{Ban, ReputationState};
use analytics_domain::request_row::RequestRow;
use analytics_domain::session::{AnalyticsSession, EndReason, LandingPage, SessionCounters, SessionVerdict};
use analytics_domain::throttle::ThrottleLevel;
use analytics_ports::{Clock, Entity, Recorded, StoreError};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ingest::queue::Sink;
use crate::services::ReputationService;
use crate::wiring::Stores;

/// One thing to keep. Keeping it again changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveRecord {
    /// A session that began.
    Began(Box<AnalyticsSession>),
    /// A request that was answered.
    Request(Box<RequestRow>),
    /// How a session stands.
    Progress(Box<SessionProgress>),
    /// Something that happened in a session.
    Event(Box<AnalyticsEvent>),
    /// What is remembered of a fingerprint.
    Reputation(FingerprintHash, Box<ReputationState>),
    /// A ban that began.
    Ban(Box<Ban>),
}

/// How a session stands: what requests moved in it. What others move, such as engagement, is not here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionProgress {
    /// The session.
    pub id: SessionId,
    /// The time of its newest request.
    pub last_activity_at: DateTime<Utc>,
    /// Its totals of requests, from its beginning; the others are zero.
    pub counters: SessionCounters,
    /// Its first page view.
    pub landing: Option<LandingPage>,
    /// The throttle level of its newest request.
    pub level: ThrottleLevel,
    /// The strictest level it had.
    pub max_level: ThrottleLevel,
    /// What it is taken for.
    pub verdict: Option<SessionVerdict>,
    /// Why it ended, once it has.
    pub ended: Option<EndReason>,
}

/// Keeps live records as a queue hands them over.
pub struct LiveSink {
    stores: Stores,
    reputation: ReputationService,
    clock: Arc<dyn Clock>,
}

impl LiveSink {
    /// Keeps records in these stores, recorded at the time of the clock.
    pub const fn new(stores: Stores, reputation: ReputationService, clock: Arc<dyn Clock>) -> Self {
        Self { stores, reputation, clock }
    }

    /// Brings a session that is kept to where it stands. One that is not kept any more is past its retention or was
    /// erased, and stays away.
    async fn advance(&self, progress: &SessionProgress) -> Result<(), StoreError> {
        for _ in 0..ATTEMPTS {
            let Some(kept) = self.stores.sessions.get(progress.id).await? else { return Ok(()) };
            let Some(session) = progress.of(kept.value) else { return Ok(()) };
            match self.stores.sessions.swap(kept.version, &session).await {
                Ok(_) => return Ok(()),
                // Somebody else moved another part of it in between.
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::unavailable(StoreError::Conflict { entity: Entity::Session }))
    }
}

#[async_trait]
impl Sink for LiveSink {
    type Record = LiveRecord;

    /// Stores sessions first, then what belongs to them, and where they stand last: totals are never ahead of rows.
    async fn store(&self, records: &[LiveRecord]) -> Result<u64, StoreError> {
        let at = self.clock.now();
        let mut new = 0;
        let (mut began, mut rows, mut events) = (Vec::new(), Vec::new(), Vec::new());
        for record in records {
            match record {
                LiveRecord::Began(session) => began.push((**session).clone()),
                LiveRecord::Request(row) => rows.push((**row).clone()),
                LiveRecord::Event(event) => events.push((**event).clone()),
                LiveRecord::Progress(_) | LiveRecord::Reputation(..) | LiveRecord::Ban(_) => {}
            }
        }
        if !began.is_empty() {
            new += new_of(&self.stores.sessions.create_batch(&began, at).await?);
        }
        if !rows.is_empty() {
            new += self.stores.requests.insert(&rows, at).await?;
        }
        if !events.is_empty() {
            new += new_of(&self.stores.events.record(&events, at).await?);
        }
        for (at, record) in newest(records).enumerate() {
            // A store in memory waits for nothing, and would hold up the requests that share the thread.
            if at % TOGETHER == 0 {
                tokio::task::yield_now().await;
            }
            match record {
                LiveRecord::Progress(progress) => self.advance(progress).await?,
                LiveRecord::Reputation(fingerprint, state) => {
                    self.reputation.keep(*fingerprint, **state).await?;
                }
                LiveRecord::Ban(ban) => {
                    self.stores.bans.put(ban).await?;
                }
                LiveRecord::Began(_) | LiveRecord::Request(_) | LiveRecord::Event(_) => continue,
            }
            new += 1;
        }
        Ok(new)
    }
}

fn new_of(kept: &[Recorded]) -> u64 {
    kept.iter().filter(|&&kept| kept == Recorded::New).count() as u64
}

/// The records without those that a later one of the batch replaces, in their order.
fn newest(records: &[LiveRecord]) -> impl Iterator<Item = &LiveRecord> {
    let mut seen = hashbrown::HashSet::new();
    let mut kept: Vec<&LiveRecord> = Vec::with_capacity(records.len());
    for record in records.iter().rev() {
        let first = match record {
            LiveRecord::Progress(progress) => seen.insert((false, progress.id.as_u128())),
            LiveRecord::Reputation(fingerprint, _) => seen.insert((true, fingerprint.as_u128())),
            LiveRecord::Began(_) | LiveRecord::Request(_) | LiveRecord::Event(_) | LiveRecord::Ban(_) => true,
        };
        if first {
            kept.push(record);
        }
    }
    kept.into_iter().rev()
}

impl SessionProgress {
    /// The session brought to where it stands; `None` when it is there already, or further.
    fn of(&self, session: AnalyticsSession) -> Option<AnalyticsSession> {
        let before = session.clone();
        let mut record = session.into_record();
        let (kept, told) = (record.counters, self.counters);
        record.counters = SessionCounters {
            requests: kept.requests.max(told.requests),
            page_views: kept.page_views.max(told.page_views),
            assets: kept.assets.max(told.assets),
            client_errors: kept.client_errors.max(told.client_errors),
            server_errors: kept.server_errors.max(told.server_errors),
            refused: kept.refused.max(told.refused),
            ..kept
        };
        record.last_activity_at = record.last_activity_at.max(self.last_activity_at);
        if record.origin.landing_page.is_none()
            && let Some(landing) = &self.landing
        {
            record.origin.landing_page = Some(landing.path.clone());
            record.origin.entry_url.clone_from(&landing.url);
        }
        // Totals only grow, so fewer requests than are kept come from an older state, told late.
        if told.requests >= kept.requests {
            record.throttle_level = self.level;
            if self.verdict.is_some() {
                record.verdict.clone_from(&self.verdict);
            }
        }
        record.max_throttle_level = record.max_throttle_level.max(self.max_level).max(record.throttle_level);
        record.end_reason = record.end_reason.or(self.ended);
        let session = AnalyticsSession::try_from(record).ok()?;
        (session != before).then_some(session)
    }
}

/// Records that are brought up without letting others have the thread: some tenths of a millisecond in memory.
const TOGETHER: usize = 32;

/// How often others may come first. They touch a session a few times a minute.
const ATTEMPTS: u32 = 8;
