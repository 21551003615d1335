//! Telling anomalies in the log of the program.

use analytics_domain::anomaly::{AnomalyEvent, AnomalyLevel};
use analytics_ports::{AlertAnswer, AlertSink};
use parking_lot::Mutex;

use super::told::Told;

/// Writes each anomaly that opens into the log, once: critical ones as errors, others as warnings.
#[derive(Debug)]
pub struct AlertLog {
    told: Mutex<Told>,
}

impl Default for AlertLog {
    /// A log that remembers the last 10,000 anomalies.
    fn default() -> Self {
        Self { told: Mutex::new(Told::new(10_000)) }
    }
}

impl AlertSink for AlertLog {
    fn raise(&self, event: &AnomalyEvent) -> AlertAnswer {
        {
            let mut told = self.told.lock();
            if told.knows(event.id) {
                return AlertAnswer::Known;
            }
            told.note(event.id);
        }
        macro_rules! tell {
            ($macro:ident) => {
                tracing::$macro!(
                    id = %event.id,
                    metric = event.metric.as_str(),
                    rule = event.rule.as_str(),
                    level = event.level.as_str(),
                    since = %event.since.format("%+"),
                    value = event.value.get(),
                    expected_from = event.expected.map(|band| band.lower().get()),
                    expected_to = event.expected.map(|band| band.upper().get()),
                    score = event.score.map(|score| score.get()),
                    "an anomaly opened"
                )
            };
        }
        match event.level {
            AnomalyLevel::Critical => tell!(error),
            AnomalyLevel::Warning | AnomalyLevel::Normal => tell!(warn),
        }
        AlertAnswer::Taken
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::{Debug, Write};
    use std::sync::Arc;

    use analytics_domain::anomaly::{AnomalyRule, Band, Finite, MetricName, UnitScore};
    use analytics_domain::ids::AnomalyEventId;
    use chrono::DateTime;
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;

    #[test]
    fn an_anomaly_is_logged_once_with_all_that_is_known_of_it() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let log = AlertLog::default();
        let answers = tracing::subscriber::with_default(Lines(Arc::clone(&lines)), || {
            let known = AnomalyEvent {
                level: AnomalyLevel::Critical,
                expected: Some(Band::new(finite(10.0), finite(20.5)).unwrap()),
                score: Some(UnitScore::new(0.875).unwrap()),
                ..event(1)
            };
            [known.clone(), known, event(2)].map(|event| log.raise(&event))
        });
        assert_eq!(answers, [AlertAnswer::Taken, AlertAnswer::Known, AlertAnswer::Taken]);
        let id = |number| AnomalyEventId::from_u128(number);
        let expected = [
            format!(
                "ERROR message=an anomaly opened id={} metric=\"requests.bots\" rule=\"baseline\" \
                 level=\"critical\" since=2026-05-28T20:26:40+00:00 value=4000.0 expected_from=10.0 expected_to=20.5 \
                 score=0.875",
                id(1)
            ),
            format!(
                "WARN message=an anomaly opened id={} metric=\"requests.bots\" rule=\"baseline\" \
                 level=\"warning\" since=2026-05-28T20:26:40+00:00 value=4000.0",
                id(2)
            ),
        ];
        assert_eq!(*lines.lock(), expected);
    }

    fn event(number: u128) -> AnomalyEvent {
        let at = DateTime::from_timestamp(1_780_000_000, 0).unwrap();
        AnomalyEvent {
            id: AnomalyEventId::from_u128(number),
            metric: MetricName::new("requests.bots").unwrap(),
            rule: AnomalyRule::Baseline,
            level: AnomalyLevel::Warning,
            since: at,
            opened_at: at,
            value: finite(4_000.0),
            expected: None,
            score: None,
            closed_at: None,
            acknowledged_at: None,
        }
    }

    fn finite(value: f64) -> Finite {
        Finite::new(value).unwrap()
    }

    /// Keeps every event as a line.
    struct Lines(Arc<Mutex<Vec<String>>>);

    impl Subscriber for Lines {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            struct Line(String);
            impl Visit for Line {
                fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                    write!(self.0, " {}={value:?}", field.name()).unwrap();
                }
            }
            let mut line = Line(event.metadata().level().to_string());
            event.record(&mut line);
            self.0.lock().push(line.0);
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }
}
