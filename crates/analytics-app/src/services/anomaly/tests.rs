//! The service over stores in memory, with a clock that stands still until a test moves it.

use analytics_domain::anomaly::{
    AnomalyLevel, AnomalyThreshold, CheckBasis, Finite, SeriesKind, Thresholds, UnitScore,
};
use analytics_domain::audit::{AuditEntry, AuditRecord};
use analytics_domain::detector::Class;
use analytics_domain::event::{EventProperties, PropertyValue};
use analytics_domain::session::Text;
use analytics_inmemory::{Capacity, InMemoryAnomalies, InMemoryAudit, InMemoryThresholds};
use analytics_ports::{
    AlertAnswer, BatchLimit, MockAlertSink, MockAnomalyEventRepository, MockAnomalyThresholdRepository,
    MockClock, SequentialIds,
};

use super::*;
use crate::anomaly::{Figure, Moment};

struct Bench {
    thresholds: Arc<InMemoryThresholds>,
    audit: Arc<InMemoryAudit>,
    clock: Arc<MockClock>,
    service: AnomalyDetectionService,
}

impl Bench {
    fn new(alerts: usize) -> Self {
        Self::with(alerts, |_| ())
    }

    /// A service that raises this many alerts, over other stores than those in memory where `change` says so.
    fn with(alerts: usize, change: impl FnOnce(&mut AnomalyPorts)) -> Self {
        let capacity = Capacity::new(100).unwrap();
        let thresholds = Arc::new(InMemoryThresholds::new(capacity));
        let audit = Arc::new(InMemoryAudit::new(capacity));
        let clock = Arc::new(MockClock::at(minute(0)));
        let mut sink = MockAlertSink::new();
        sink.expect_raise().times(alerts).return_const(AlertAnswer::Taken);
        let mut ports = AnomalyPorts {
            thresholds: thresholds.clone(),
            events: Arc::new(InMemoryAnomalies::new(capacity)),
            audit: audit.clone(),
            alerts: vec![Arc::new(sink)],
            clock: clock.clone(),
            ids: Arc::new(SequentialIds::new()),
        };
        change(&mut ports);
        let service = AnomalyDetectionService::new(ports, AnomalyPolicy::default());
        Self { thresholds, audit, clock, service }
    }

    async fn level(&self, metric: &str, value: f64) -> AnomalyLevel {
        self.service.check(&name(metric), value).await.unwrap().unwrap().level
    }

    async fn minute(&self, number: i64, metric: &str, value: f64) -> MinuteOutcome {
        self.clock.set(minute(number + 1));
        let figure = Figure { metric: name(metric), kind: SeriesKind::Count, value };
        let figures = MinuteFigures { at: minute(number), figures: vec![figure] };
        self.service.observe(&figures).await
    }

    async fn set(&self, metric: &str, warning: f64, critical: f64) {
        let limits = AnomalyThreshold::new(name(metric), warning, critical).unwrap();
        self.service.set_threshold(&limits, &author()).await.unwrap();
    }

    async fn audited(&self) -> Vec<AuditRecord> {
        let page = PageRequest::first(BatchLimit::default());
        let entries = self.audit.list(None, page).await.unwrap().items;
        entries.into_iter().map(AuditEntry::into_record).collect()
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
    assert_eq!(bench.service.check(&name("requests_per_minute"), f64::NAN).await.unwrap(), Err(NotFinite));
}

#[tokio::test]
async fn test_anomaly_check_threshold_config() {
    let bench = Bench::new(1);
    assert_eq!(bench.level("requests_per_minute", 20.0).await, AnomalyLevel::Warning);
    let unknown = bench.service.check(&name("queue"), 20.0).await.unwrap().unwrap();
    assert_eq!((unknown.level, unknown.basis), (AnomalyLevel::Normal, CheckBasis::NoThreshold));
    assert_eq!(bench.minute(0, "queue", 20.0).await.opened, []);
    for metric in ["requests_per_minute", "queue"] {
        bench.set(metric, 5.0, 20.0).await;
    }
    assert_eq!(bench.level("requests_per_minute", 20.0).await, AnomalyLevel::Critical);
    assert_eq!(bench.minute(1, "queue", 20.0).await.opened[0].level, AnomalyLevel::Critical);
    assert!(bench.service.delete_threshold(&name("requests_per_minute"), &author()).await.unwrap());
    assert!(!bench.service.delete_threshold(&name("requests_per_minute"), &author()).await.unwrap());
    assert_eq!(bench.level("requests_per_minute", 20.0).await, AnomalyLevel::Warning);
}

#[tokio::test]
async fn limits_that_others_change_in_the_store_hold_after_ten_seconds() {
    let bench = Bench::new(0);
    assert_eq!(bench.level("queue", 20.0).await, AnomalyLevel::Normal);
    let limits = AnomalyThreshold::new(name("queue"), 5.0, 20.0).unwrap();
    bench.thresholds.put(&limits).await.unwrap();
    bench.clock.advance(TimeDelta::microseconds(9_999_999));
    assert_eq!(bench.level("queue", 20.0).await, AnomalyLevel::Normal);
    bench.clock.advance(TimeDelta::microseconds(1));
    assert_eq!(bench.level("queue", 20.0).await, AnomalyLevel::Critical);
    bench.thresholds.delete(&name("queue")).await.unwrap();
    bench.clock.advance(TimeDelta::seconds(10));
    assert_eq!(bench.level("queue", 20.0).await, AnomalyLevel::Normal);
}

#[tokio::test]
async fn while_the_store_of_limits_is_away_those_read_last_hold() {
    let mut store = MockAnomalyThresholdRepository::new();
    let mut calls = 0;
    store.expect_list().returning(move |_| {
        calls += 1;
        if calls > 1 {
            return Err(StoreError::unavailable("down"));
        }
        let limits = AnomalyThreshold::new(name("queue"), 5.0, 20.0).unwrap();
        Ok(Page { items: vec![limits], next: None })
    });
    let bench = Bench::with(1, |ports| ports.thresholds = Arc::new(store));
    assert!(!bench.minute(0, "queue", 1.0).await.limits_unread);
    let outcome = bench.minute(1, "queue", 20.0).await;
    assert_eq!((outcome.limits_unread, outcome.opened.len()), (true, 1));
    assert!(bench.service.check(&name("queue"), 20.0).await.is_err());
    assert!(bench.service.thresholds().await.is_err());
}

#[tokio::test]
async fn who_changes_limits_is_audited() {
    let bench = Bench::new(0);
    bench.clock.set(minute(3));
    bench.set("queue", 5.0, 20.0).await;
    bench.clock.set(minute(4));
    bench.service.delete_threshold(&name("queue"), &author()).await.unwrap();
    let metric = ("metric", PropertyValue::Text("queue".into()));
    let (warning, critical) =
        (("warning", PropertyValue::Number(5.0)), ("critical", PropertyValue::Number(20.0)));
    let entry = |number, at, action, details: Vec<(&str, PropertyValue)>| {
        let details = details.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        AuditRecord {
            id: EventId::at(at, number).unwrap(),
            at,
            actor: author().name().clone(),
            action,
            subject: AuditSubject::Thresholds,
            reason: Some(Text::cut("on call")),
            details: EventProperties::new(details).unwrap(),
        }
    };
    let expected = [
        entry(2, minute(4), AuditAction::DeleteThreshold, vec![metric.clone()]),
        entry(1, minute(3), AuditAction::SetThreshold, vec![metric, warning, critical]),
    ];
    assert_eq!(bench.audited().await, expected);
    let kept = bench.service.thresholds().await.unwrap();
    assert_eq!(*kept, Thresholds::default());
}

#[tokio::test]
async fn test_anomaly_event_recording() {
    let bench = Bench::new(1);
    bench.set("queue", 10.0, 20.0).await;
    for (number, value) in (0..).zip([1.0, 12.0, 13.0, 1.0, 1.0, 1.0, 1.0]) {
        bench.minute(number, "queue", value).await;
    }
    let event = AnomalyEvent {
        id: AnomalyEventId::from_u128(2),
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
    assert_eq!(bench.service.event(event.id).await.unwrap(), Some(event.clone()));
    bench.clock.set(minute(99));
    let noted = AnomalyEvent { acknowledged_at: Some(minute(99)), ..event };
    let service = &bench.service;
    let acknowledge = |id, author| async move { service.acknowledge(id, &author).await };
    assert_eq!(acknowledge(noted.id, author()).await.unwrap().as_ref(), Some(&noted));
    bench.clock.advance(TimeDelta::minutes(1));
    let late = Operator::new("bob", None).unwrap();
    assert_eq!(acknowledge(noted.id, late).await.unwrap(), Some(noted.clone()));
    assert_eq!(acknowledge(AnomalyEventId::from_u128(9), author()).await.unwrap(), None);
    let audited = AuditRecord {
        id: EventId::at(minute(99), noted.id.as_u128()).unwrap(),
        at: minute(99),
        actor: author().name().clone(),
        action: AuditAction::AcknowledgeAnomaly,
        subject: AuditSubject::Anomaly(noted.id),
        reason: Some(Text::cut("on call")),
        details: EventProperties::default(),
    };
    assert_eq!(bench.audited().await[0], audited);
    assert_eq!(bench.audited().await.len(), 2);
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
    assert_eq!((event.rule, event.since, event.opened_at), (AnomalyRule::Baseline, minute(600), minute(601)));
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
    let bench = Bench::with(1, |ports| ports.events = Arc::new(events));
    bench.set("queue", 10.0, 20.0).await;
    assert_eq!(bench.minute(0, "queue", 50.0).await.waiting, 1);
    assert_eq!(bench.minute(1, "queue", 50.0).await.waiting, 0);
}

#[tokio::test]
async fn live_minutes_become_anomalies_and_series_to_draw() {
    let bench = Bench::new(1);
    let feed = LiveFeed::default();
    let moment = Moment {
        class: Class::Human,
        charged: true,
        opened: false,
        new_fingerprint: false,
        status: Some(500),
        duration_us: Some(50_000),
        bans: 0,
    };
    for _ in 0..20 {
        feed.request(&moment, minute(0));
    }
    assert_eq!(bench.service.watch(&feed).await, []);
    bench.clock.set(minute(2));
    let outcomes = bench.service.watch(&feed).await;
    let opened: Vec<_> = outcomes
        .iter()
        .flat_map(|outcome| &outcome.opened)
        .map(|event| (event.metric.as_str(), event.rule, event.level, event.opened_at))
        .collect();
    let expected = [("error_rate.people", AnomalyRule::Threshold, AnomalyLevel::Critical, minute(0))];
    assert_eq!((outcomes.len(), opened.as_slice()), (2, &expected[..]));
    let point = |at, value| SeriesPoint {
        at,
        value: Finite::new(value).unwrap(),
        expected: None,
        score: UnitScore::default(),
        open: false,
    };
    let series = |metric: &'static str| {
        let service = &bench.service;
        async move { service.series(&name(metric), minute(0), minute(60)).await.unwrap() }
    };
    let limits = AnomalyThreshold::new(name("error_rate"), 0.10, 0.25).unwrap();
    let rate = MetricSeries {
        metric: name("error_rate.people"),
        limits: Some(limits),
        points: vec![point(minute(0), 1.0)],
    };
    let errors = MetricSeries {
        metric: name("errors.people"),
        limits: None,
        points: vec![point(minute(0), 20.0), point(minute(1), 0.0)],
    };
    let found = (series("error_rate.people").await, series("errors.people").await, series("queue").await);
    assert_eq!(found, (Some(rate), Some(errors), None));
    assert_eq!(bench.service.drawn_metrics().len(), 14);
}

#[tokio::test(start_paused = true)]
async fn a_running_service_looks_every_second_and_once_more_at_the_end() {
    let bench = Bench::new(0);
    let feed = LiveFeed::default();
    let cost = analytics_domain::usage::RequestCost::default();
    feed.cost(crate::anomaly::Actor::People, cost, minute(0));
    bench.clock.set(minute(1));
    let until = |milliseconds| tokio::time::sleep(Duration::from_millis(milliseconds));
    bench.service.run(&feed, until(1_500)).await;
    assert!(bench.service.drawn_metrics().contains(&name("ai_cost.people")));
    feed.cost(crate::anomaly::Actor::Bots, cost, minute(1));
    bench.clock.set(minute(2));
    bench.service.run(&feed, until(500)).await;
    assert!(bench.service.drawn_metrics().contains(&name("ai_cost.bots")));
}

fn author() -> Operator {
    Operator::new("ann", Some("on call")).unwrap()
}

fn name(text: &str) -> MetricName {
    MetricName::new(text).unwrap()
}

fn minute(number: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_020, 0).unwrap() + TimeDelta::minutes(number)
}
