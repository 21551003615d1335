//! Watches the figures of each minute, keeps what is out of the ordinary, and tells others.

mod limits;
mod series;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use analytics_domain::anomaly::{AnomalyCheckResult, AnomalyEvent, AnomalyRule, MetricName, NotFinite};
use analytics_domain::audit::{AuditAction, AuditSubject};
use analytics_domain::ids::{AnomalyEventId, EventId};
use analytics_ports::{
    AlertSink, AnomalyEventCursor, AnomalyEventFilter, AnomalyEventRepository, AnomalyThresholdRepository,
    AuditRepository, Clock, IdGenerator, Page, PageRequest, Recorded, StoreError,
};
use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;

use super::operator::{AuditTrail, Operator};
use crate::anomaly::{
    AnomalyChange, LiveFeed, MinuteFigures, Monitor, MonitorPolicy, RefusedFigure, Watched,
};
use limits::Limits;
use series::Drawn;
pub use series::{MetricSeries, SeriesPoint};

/// Holds the figures of closed minutes against the limits of the store, their trends and the baselines of their series,
/// records the anomalies, and raises an alert for each.
///
/// Live traffic and a replay bring the same figures: [`run`](Self::run) takes them from a [`LiveFeed`]. Limits that are
/// changed here hold at once; those that are changed in the store by others hold after
/// [`limits_age`](AnomalyPolicy::limits_age) at most, or as soon as the store is there again.
///
/// ```
/// use std::num::NonZeroU32;
/// use std::sync::Arc;
///
/// use analytics_app::anomaly::{AlertLog, LiveFeed};
/// use analytics_app::services::{AnomalyDetectionService, AnomalyPolicy};
/// use analytics_app::system::{SystemClock, SystemIds};
/// use analytics_app::wiring;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (stores, _) = wiring::in_memory(NonZeroU32::new(1_000).ok_or("some rows")?);
/// let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds::new()?));
/// let ports = stores.anomaly_ports(vec![Arc::new(AlertLog::default())], clock, ids);
/// let anomalies = AnomalyDetectionService::new(ports, AnomalyPolicy::default());
/// // The request path calls `feed.request` while this runs, until the service is stopped.
/// let feed = LiveFeed::default();
/// anomalies.run(&feed, std::future::ready(())).await;
/// # Ok(()) }
/// ```
pub struct AnomalyDetectionService {
    ports: AnomalyPorts,
    limits: Limits,
    state: Mutex<State>,
}

/// What the service uses.
#[derive(Clone)]
pub struct AnomalyPorts {
    /// The limits of metrics.
    pub thresholds: Arc<dyn AnomalyThresholdRepository>,
    /// The anomalies.
    pub events: Arc<dyn AnomalyEventRepository>,
    /// Who changed what.
    pub audit: Arc<dyn AuditRepository>,
    /// Who is told of anomalies.
    pub alerts: Vec<Arc<dyn AlertSink>>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Makes the ids of anomalies.
    pub ids: Arc<dyn IdGenerator>,
}

/// How anomalies are looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnomalyPolicy {
    /// How figures are watched.
    pub monitor: MonitorPolicy,
    /// How old limits may be before they are read from the store again. Default 10 s: sooner than the next minute.
    pub limits_age: TimeDelta,
}

/// What the figures of a minute led to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MinuteOutcome {
    /// Anomalies that opened.
    pub opened: Vec<AnomalyEvent>,
    /// Anomalies that closed.
    pub closed: Vec<AnomalyEventId>,
    /// Figures that were not taken in, with why.
    pub refused: Vec<RefusedFigure>,
    /// The limits could not be read; those that were read last hold.
    pub limits_unread: bool,
    /// Records that the store could not take and that are tried again with the next minute.
    pub waiting: usize,
    /// Records that were given up since the service began, because too many waited.
    pub given_up: u64,
}

struct State {
    monitor: Monitor,
    drawn: Drawn,
    open: BTreeMap<(MetricName, AnomalyRule), AnomalyEventId>,
    waiting: VecDeque<Record>,
    given_up: u64,
}

#[derive(Debug, Clone)]
enum Record {
    Open(AnomalyEvent),
    Close(AnomalyEventId, DateTime<Utc>),
}

impl AnomalyDetectionService {
    /// The service over these ports.
    pub fn new(ports: AnomalyPorts, policy: AnomalyPolicy) -> Self {
        let state = State {
            monitor: Monitor::new(policy.monitor),
            drawn: Drawn::default(),
            open: BTreeMap::new(),
            waiting: VecDeque::new(),
            given_up: 0,
        };
        let limits = Limits::new(Arc::clone(&ports.thresholds), policy.limits_age);
        Self { ports, limits, state: Mutex::new(state) }
    }

    /// Watches live traffic until `stop` answers: looks every second for minutes that are over.
    pub async fn run(&self, feed: &LiveFeed, stop: impl Future<Output = ()> + Send) {
        let mut stop = pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                () = tokio::time::sleep(BETWEEN_LOOKS) => {
                    self.watch(feed).await;
                }
            }
        }
        self.watch(feed).await;
    }

    /// Takes in the minutes of live traffic that are over now, and answers what each of them led to.
    pub async fn watch(&self, feed: &LiveFeed) -> Vec<MinuteOutcome> {
        let minutes = feed.take(self.ports.clock.now());
        let mut outcomes = Vec::with_capacity(minutes.len());
        for minute in &minutes {
            outcomes.push(self.observe(minute).await);
        }
        outcomes
    }

    /// Takes the figures of a minute in, which come in the order of their minutes.
    ///
    /// Nothing waits for a store that is away: the limits that were read last hold, and what it cannot take is tried
    /// again with the next minute.
    pub async fn observe(&self, minute: &MinuteFigures) -> MinuteOutcome {
        let now = self.ports.clock.now();
        let (limits, unread) = self.limits.get(now).await;
        if let Some(error) = &unread {
            tracing::warn!(%error, "limits of metrics cannot be read; those read last hold");
        }
        let mut outcome = MinuteOutcome { limits_unread: unread.is_some(), ..MinuteOutcome::default() };
        let records = {
            let mut state = self.state.lock();
            let State { monitor, drawn, open, waiting, .. } = &mut *state;
            for figure in &minute.figures {
                match monitor.observe(&limits, figure, minute.at) {
                    Ok(Watched { changes, reading }) => {
                        drawn.take(figure, &reading, minute.at);
                        for change in changes {
                            self.note(change, now, open, waiting, &mut outcome);
                        }
                    }
                    Err(refused) => outcome.refused.push(refused),
                }
            }
            std::mem::take(waiting)
        };
        for event in &outcome.opened {
            for sink in &self.ports.alerts {
                sink.raise(event);
            }
        }
        for refused in &outcome.refused {
            tracing::warn!(metric = refused.metric.as_str(), reason = %refused.source, "a figure was not taken in");
        }
        let left = self.keep(records).await;
        let mut state = self.state.lock();
        for record in left.into_iter().rev() {
            state.waiting.push_front(record);
        }
        while state.waiting.len() > MOST_WAITING {
            state.waiting.pop_front();
            state.given_up += 1;
        }
        (outcome.waiting, outcome.given_up) = (state.waiting.len(), state.given_up);
        outcome
    }

    /// Holds one value against the limits of its metric; records nothing. NaN and infinities have no answer.
    ///
    /// # Errors
    /// [`StoreError`] when the limits cannot be read.
    pub async fn check(
        &self,
        metric: &MetricName,
        value: f64,
    ) -> Result<Result<AnomalyCheckResult, NotFinite>, StoreError> {
        let (limits, unread) = self.limits.get(self.ports.clock.now()).await;
        unread.map_or_else(|| Ok(limits.check(metric, value)), Err)
    }

    /// The anomalies that the filter selects, newest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn list(
        &self,
        filter: &AnomalyEventFilter,
        page: PageRequest<AnomalyEventCursor>,
    ) -> Result<Page<AnomalyEvent, AnomalyEventCursor>, StoreError> {
        self.ports.events.list(filter, page).await
    }

    /// The anomaly with this id.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn event(&self, id: AnomalyEventId) -> Result<Option<AnomalyEvent>, StoreError> {
        self.ports.events.get(id).await
    }

    /// Notes that a person took note of an anomaly now, and audits it; `None` when it is not kept. The first time and
    /// the first person stay, so a repeat is safe.
    ///
    /// # Errors
    /// [`StoreError`]; a repeat is safe.
    pub async fn acknowledge(
        &self,
        id: AnomalyEventId,
        by: &Operator,
    ) -> Result<Option<AnomalyEvent>, StoreError> {
        let event = self.ports.events.acknowledge(id, self.ports.clock.now()).await?;
        if let Some(at) = event.as_ref().and_then(|event| event.acknowledged_at) {
            let entry = EventId::at(at, id.as_u128()).unwrap_or(EventId::from_u128(id.as_u128()));
            let (action, subject) = (AuditAction::AcknowledgeAnomaly, AuditSubject::Anomaly(id));
            self.trail().record_once(entry, by, action, subject, [], at).await?;
        }
        Ok(event)
    }

    fn trail(&self) -> AuditTrail {
        AuditTrail::new(Arc::clone(&self.ports.audit), Arc::clone(&self.ports.ids))
    }

    /// The values of a metric from `from` to before `to` with the band that was expected of each, to be drawn; `None`
    /// for a metric without any. What is kept in memory: the last two days of 128 metrics, since the service began.
    ///
    /// # Errors
    /// [`StoreError`] when the limits cannot be read.
    pub async fn series(
        &self,
        metric: &MetricName,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Option<MetricSeries>, StoreError> {
        let Some(points) = self.state.lock().drawn.period(metric, from, to) else { return Ok(None) };
        let (limits, unread) = self.limits.get(self.ports.clock.now()).await;
        if let Some(error) = unread {
            return Err(error);
        }
        let limits = crate::anomaly::limits_of(&limits, metric).cloned();
        Ok(Some(MetricSeries { metric: metric.clone(), limits, points }))
    }

    /// The metrics that can be drawn, by name.
    pub fn drawn_metrics(&self) -> Vec<MetricName> {
        self.state.lock().drawn.metrics()
    }

    /// Metrics watched now, and those that left for want of room since the service began.
    pub fn metrics(&self) -> (usize, u64) {
        let state = self.state.lock();
        (state.monitor.metrics(), state.monitor.left())
    }

    /// Brings records to the store in their order, and gives back those that it could not take yet.
    async fn keep(&self, mut records: VecDeque<Record>) -> VecDeque<Record> {
        while let Some(record) = records.front() {
            let kept = match record {
                Record::Open(event) => self.ports.events.put(event).await.map(|_: Recorded| ()),
                Record::Close(id, at) => self.ports.events.close(*id, *at).await.map(|_| ()),
            };
            if let Err(error) = kept {
                let again = error.is_transient();
                tracing::warn!(%error, again, "an anomaly cannot be kept");
                if again {
                    break;
                }
            }
            records.pop_front();
        }
        records
    }

    fn note(
        &self,
        change: AnomalyChange,
        now: DateTime<Utc>,
        open: &mut BTreeMap<(MetricName, AnomalyRule), AnomalyEventId>,
        waiting: &mut VecDeque<Record>,
        outcome: &mut MinuteOutcome,
    ) {
        match change {
            AnomalyChange::Opened(opening) => {
                let event = AnomalyEvent {
                    id: self.ports.ids.anomaly_event_id(now),
                    metric: opening.metric,
                    rule: opening.rule,
                    level: opening.level,
                    since: opening.since,
                    opened_at: opening.at,
                    value: opening.value,
                    expected: opening.expected,
                    score: opening.score,
                    closed_at: None,
                    acknowledged_at: None,
                };
                open.insert((event.metric.clone(), event.rule), event.id);
                waiting.push_back(Record::Open(event.clone()));
                outcome.opened.push(event);
            }
            AnomalyChange::Closed { metric, rule, at } => {
                if let Some(id) = open.remove(&(metric, rule)) {
                    waiting.push_back(Record::Close(id, at));
                    outcome.closed.push(id);
                }
            }
        }
    }
}

impl Default for AnomalyPolicy {
    fn default() -> Self {
        Self { monitor: MonitorPolicy::default(), limits_age: TimeDelta::seconds(10) }
    }
}

/// Records that wait for a store at most.
const MOST_WAITING: usize = 10_000;
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
