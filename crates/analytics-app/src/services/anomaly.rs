//! Watches the figures of each minute, keeps what is out of the ordinary, and tells others.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use analytics_domain::anomaly::{
    AnomalyCheckResult, AnomalyEvent, AnomalyRule, MetricName, NotFinite, Thresholds,
};
use analytics_domain::ids::AnomalyEventId;
use analytics_ports::{
    AlertSink, AnomalyEventCursor, AnomalyEventFilter, AnomalyEventRepository, AnomalyThresholdRepository,
    BatchLimit, Clock, IdGenerator, Page, PageRequest, Recorded, StoreError,
};
use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use crate::anomaly::{AnomalyChange, MinuteFigures, Monitor, MonitorPolicy, RefusedFigure};

/// Holds the figures of closed minutes against the limits of the store and the baselines of their series, records the
/// anomalies, and raises an alert for each.
///
/// Limits are read from the store for every minute and every check, so a change needs no restart. Live traffic and a
/// replay bring the same figures, from [`MinuteTally`](crate::anomaly::MinuteTally).
pub struct AnomalyDetectionService {
    thresholds: Arc<dyn AnomalyThresholdRepository>,
    events: Arc<dyn AnomalyEventRepository>,
    alerts: Vec<Arc<dyn AlertSink>>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
    state: Mutex<State>,
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
    /// Records that the store could not take and that are tried again with the next minute.
    pub waiting: usize,
    /// Records that were given up since the service began, because too many waited.
    pub given_up: u64,
}

struct State {
    monitor: Monitor,
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
    /// The service over these stores, telling these of anomalies.
    pub fn new(
        thresholds: Arc<dyn AnomalyThresholdRepository>,
        events: Arc<dyn AnomalyEventRepository>,
        alerts: Vec<Arc<dyn AlertSink>>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
        policy: MonitorPolicy,
    ) -> Self {
        let monitor = Monitor::new(policy);
        let state = State { monitor, open: BTreeMap::new(), waiting: VecDeque::new(), given_up: 0 };
        Self { thresholds, events, alerts, clock, ids, state: Mutex::new(state) }
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
        let mut thresholds = Thresholds::default();
        if let Some(limits) = self.thresholds.get(metric).await? {
            thresholds.set(limits);
        }
        Ok(thresholds.check(metric, value))
    }

    /// Takes the figures of a minute in, which come in the order of their minutes.
    ///
    /// Where the store cannot take a record, it waits for the next minute; alerts do not wait for the store.
    ///
    /// # Errors
    /// [`StoreError`] when the limits cannot be read; the figures are not taken in then, and the same call may be made
    /// again.
    pub async fn observe(&self, minute: &MinuteFigures) -> Result<MinuteOutcome, StoreError> {
        let thresholds = self.thresholds().await?;
        let now = self.clock.now();
        let mut outcome = MinuteOutcome::default();
        let mut records = {
            let mut state = self.state.lock();
            let State { monitor, open, waiting, .. } = &mut *state;
            for figure in &minute.figures {
                match monitor.observe(&thresholds, figure, minute.at) {
                    Ok(changes) => {
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
            for sink in &self.alerts {
                sink.raise(event);
            }
        }
        while let Some(record) = records.front() {
            let kept = match record {
                Record::Open(event) => self.events.put(event).await.map(|_: Recorded| ()),
                Record::Close(id, at) => self.events.close(*id, *at).await.map(|_| ()),
            };
            if kept.is_err_and(|error| error.is_transient()) {
                break;
            }
            records.pop_front();
        }
        let mut state = self.state.lock();
        while let Some(record) = records.pop_back() {
            state.waiting.push_front(record);
        }
        while state.waiting.len() > MOST_WAITING {
            state.waiting.pop_front();
            state.given_up += 1;
        }
        (outcome.waiting, outcome.given_up) = (state.waiting.len(), state.given_up);
        Ok(outcome)
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
        self.events.list(filter, page).await
    }

    /// Notes that a person took note of an anomaly now; `None` when it is not kept. The first time stays.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn acknowledge(&self, id: AnomalyEventId) -> Result<Option<AnomalyEvent>, StoreError> {
        self.events.acknowledge(id, self.clock.now()).await
    }

    /// Metrics watched now, and those that left for want of room since the service began.
    pub fn metrics(&self) -> (usize, u64) {
        let state = self.state.lock();
        (state.monitor.metrics(), state.monitor.left())
    }

    /// The limits of the store, and the defaults that it does not replace.
    async fn thresholds(&self) -> Result<Thresholds, StoreError> {
        let (mut all, mut after) = (Thresholds::default(), None);
        loop {
            let page = self.thresholds.list(PageRequest { limit: BatchLimit::default(), after }).await?;
            page.items.into_iter().for_each(|limits| all.set(limits));
            after = page.next;
            if after.is_none() {
                return Ok(all);
            }
        }
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
                    id: self.ids.anomaly_event_id(now),
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

/// Records that wait for a store at most.
const MOST_WAITING: usize = 10_000;

#[cfg(test)]
mod tests {
    use analytics_domain::anomaly::{AnomalyLevel, AnomalyThreshold, CheckBasis, Finite, SeriesKind};
    use analytics_inmemory::{Capacity, InMemoryAnomalies, InMemoryThresholds};
    use analytics_ports::{AlertAnswer, MockAlertSink, MockAnomalyEventRepository, MockClock, SequentialIds};
    use chrono::TimeDelta;

    use super::*;
    use crate::anomaly::Figure;

    struct Bench {
        thresholds: Arc<InMemoryThresholds>,
        clock: Arc<MockClock>,
        service: AnomalyDetectionService,
    }

    impl Bench {
        fn new(alerts: usize) -> Self {
            let capacity = Capacity::new(100).unwrap();
            Self::over(Arc::new(InMemoryAnomalies::new(capacity)), alerts)
        }

        fn over(events: Arc<dyn AnomalyEventRepository>, alerts: usize) -> Self {
            let thresholds = Arc::new(InMemoryThresholds::new(Capacity::new(100).unwrap()));
            let clock = Arc::new(MockClock::at(minute(0)));
            let mut sink = MockAlertSink::new();
            sink.expect_raise().times(alerts).return_const(AlertAnswer::Taken);
            let service = AnomalyDetectionService::new(
                thresholds.clone(),
                events,
                vec![Arc::new(sink)],
                clock.clone(),
                Arc::new(SequentialIds::new()),
                MonitorPolicy::default(),
            );
            Self { thresholds, clock, service }
        }

        async fn level(&self, metric: &str, value: f64) -> AnomalyLevel {
            self.service.check(&name(metric), value).await.unwrap().unwrap().level
        }

        async fn minute(&self, number: i64, metric: &str, value: f64) -> MinuteOutcome {
            self.clock.set(minute(number + 1));
            let figure = Figure { metric: name(metric), kind: SeriesKind::Count, value };
            let figures = MinuteFigures { at: minute(number), figures: vec![figure] };
            self.service.observe(&figures).await.unwrap()
        }

        async fn all(&self) -> Vec<AnomalyEvent> {
            let page = PageRequest::first(BatchLimit::default());
            self.service.list(&AnomalyEventFilter::default(), page).await.unwrap().items
        }
    }

    #[tokio::test]
    async fn test_anomaly_check_normal_traffic() {
        let bench = Bench::new(0);
        for (metric, value) in [
            ("requests_per_minute", 14.9),
            ("session_count_per_fingerprint", 4.0),
            ("avg_response_time_deviation", 1.9),
            ("error_rate", 0.09),
            ("unique_ips_per_fingerprint", 2.0),
        ] {
            assert_eq!(bench.level(metric, value).await, AnomalyLevel::Normal, "{metric}");
        }
        for number in 0..300 {
            let value = f64::from(90 + (number * 7 % 20) as u32);
            let outcome = bench.minute(number, "requests.people", value).await;
            assert_eq!(outcome, MinuteOutcome::default(), "minute {number}");
        }
        assert_eq!(bench.all().await, []);
    }

    #[tokio::test]
    async fn test_anomaly_check_high_velocity() {
        let bench = Bench::new(0);
        let mut found = [AnomalyLevel::Normal; 4];
        for (level, value) in found.iter_mut().zip([15.0, 29.9, 30.0, 1e9]) {
            *level = bench.level("requests_per_minute", value).await;
        }
        assert_eq!(found.map(AnomalyLevel::as_str), ["warning", "warning", "critical", "critical"]);
        assert_eq!(
            bench.service.check(&name("requests_per_minute"), f64::NAN).await.unwrap(),
            Err(NotFinite)
        );
    }

    #[tokio::test]
    async fn test_anomaly_check_threshold_config() {
        let bench = Bench::new(1);
        assert_eq!(bench.level("requests_per_minute", 20.0).await, AnomalyLevel::Warning);
        let unknown = bench.service.check(&name("queue"), 20.0).await.unwrap().unwrap();
        assert_eq!((unknown.level, unknown.basis), (AnomalyLevel::Normal, CheckBasis::NoThreshold));
        assert_eq!(bench.minute(0, "queue", 20.0).await.opened, []);
        for metric in ["requests_per_minute", "queue"] {
            let limits = AnomalyThreshold::new(name(metric), 5.0, 20.0).unwrap();
            bench.thresholds.put(&limits).await.unwrap();
        }
        assert_eq!(bench.level("requests_per_minute", 20.0).await, AnomalyLevel::Critical);
        assert_eq!(bench.minute(1, "queue", 20.0).await.opened[0].level, AnomalyLevel::Critical);
        bench.thresholds.delete(&name("requests_per_minute")).await.unwrap();
        assert_eq!(bench.level("requests_per_minute", 20.0).await, AnomalyLevel::Warning);
    }

    #[tokio::test]
    async fn test_anomaly_event_recording() {
        let bench = Bench::new(1);
        let limits = AnomalyThreshold::new(name("queue"), 10.0, 20.0).unwrap();
        bench.thresholds.put(&limits).await.unwrap();
        for (number, value) in (0..).zip([1.0, 12.0, 13.0, 1.0, 1.0, 1.0, 1.0]) {
            bench.minute(number, "queue", value).await;
        }
        let event = AnomalyEvent {
            id: AnomalyEventId::from_u128(1),
            metric: name("queue"),
            rule: AnomalyRule::Threshold,
            level: AnomalyLevel::Warning,
            since: minute(1),
            opened_at: minute(1),
            value: Finite::new(12.0).unwrap(),
            expected: None,
            score: None,
            closed_at: Some(minute(5)),
            acknowledged_at: None,
        };
        assert_eq!(bench.all().await, std::slice::from_ref(&event));
        bench.clock.set(minute(99));
        let noted = AnomalyEvent { acknowledged_at: Some(minute(99)), ..event };
        assert_eq!(bench.service.acknowledge(noted.id).await.unwrap().as_ref(), Some(&noted));
        bench.clock.advance(TimeDelta::minutes(1));
        assert_eq!(bench.service.acknowledge(noted.id).await.unwrap(), Some(noted));
        assert_eq!(bench.service.acknowledge(AnomalyEventId::from_u128(9)).await.unwrap(), None);
    }

    #[tokio::test]
    async fn test_anomaly_level_classification() {
        let bench = Bench::new(0);
        for (value, level) in [
            (0.0, AnomalyLevel::Normal),
            (0.099_999, AnomalyLevel::Normal),
            (0.10, AnomalyLevel::Warning),
            (0.249_999, AnomalyLevel::Warning),
            (0.25, AnomalyLevel::Critical),
            (1.0, AnomalyLevel::Critical),
        ] {
            assert_eq!(bench.level("error_rate", value).await, level, "{value}");
        }
    }

    #[tokio::test]
    async fn a_flood_is_recorded_once_with_what_was_expected_and_since_when() {
        let bench = Bench::new(1);
        for number in 0..600 {
            bench.minute(number, "requests.bots", f64::from(90 + (number * 7 % 20) as u32)).await;
        }
        for number in 600..610 {
            bench.minute(number, "requests.bots", 4_000.0).await;
        }
        let events = bench.all().await;
        assert_eq!(events.len(), 1);
        let event = &events[0];
        assert_eq!(
            (event.rule, event.since, event.opened_at),
            (AnomalyRule::Baseline, minute(600), minute(601))
        );
        assert!(event.expected.unwrap().holds(Finite::new(100.0).unwrap()), "{event:?}");
    }

    #[tokio::test]
    async fn what_a_store_cannot_take_is_tried_again_with_the_next_minute() {
        let mut events = MockAnomalyEventRepository::new();
        let mut calls = 0;
        events.expect_put().times(2).returning(move |_| {
            calls += 1;
            if calls == 1 { Err(StoreError::unavailable("down")) } else { Ok(Recorded::New) }
        });
        let bench = Bench::over(Arc::new(events), 1);
        bench.thresholds.put(&AnomalyThreshold::new(name("queue"), 10.0, 20.0).unwrap()).await.unwrap();
        assert_eq!(bench.minute(0, "queue", 50.0).await.waiting, 1);
        assert_eq!(bench.minute(1, "queue", 50.0).await.waiting, 0);
    }

    fn name(text: &str) -> MetricName {
        MetricName::new(text).unwrap()
    }

    fn minute(number: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_000_020, 0).unwrap() + TimeDelta::minutes(number)
    }
}
