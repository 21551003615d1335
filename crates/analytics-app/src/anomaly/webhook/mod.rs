//! Telling anomalies to a webhook: signed, again after a failure, and each once.
//!
//! A delivery is a POST of the event as JSON with the headers `analytics-id`, `analytics-timestamp` (seconds) and
//! `analytics-signature`: `v1=` and the keyed BLAKE3 of `id.timestamp.body` in hexadecimal. The receiver works the same
//! hash out of the shared key, refuses old timestamps, and drops an id that it has seen.

mod transport;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use analytics_domain::anomaly::AnomalyEvent;
use analytics_domain::ids::AnomalyEventId;
use analytics_ports::{AlertAnswer, AlertSink, Clock};
use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;

use super::told::Told;
pub use transport::{HttpTransport, InvalidWebhook};

/// A queue of alerts for one webhook.
pub struct Webhook {
    policy: WebhookPolicy,
    key: [u8; 32],
    transport: Box<dyn WebhookTransport>,
    queue: Mutex<Queue>,
}

/// How alerts are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookPolicy {
    /// Times a delivery is tried. Default 8: with the waits below the last try is about 10 minutes after the first.
    pub attempts: u32,
    /// Wait after the first failure; it doubles with each. Default 5 s.
    pub first_wait: TimeDelta,
    /// Alerts that wait at most. Default 1,000.
    pub room: usize,
    /// Alerts that are remembered so that none is told twice. Default 10,000.
    pub remembered: usize,
}

/// What a webhook has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WebhookCounters {
    /// Alerts that the receiver accepted.
    pub delivered: u64,
    /// Deliveries that failed and were put off.
    pub put_off: u64,
    /// Alerts given up: the receiver refused them, or did not answer to the last try.
    pub given_up: u64,
    /// Alerts that found no room.
    pub full: u64,
    /// Alerts that were raised again.
    pub repeated: u64,
}

/// One POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Headers, besides the content type.
    pub headers: [(&'static str, String); 3],
    /// The body, JSON.
    pub body: String,
}

/// Sends a POST to the webhook.
pub trait WebhookTransport: Send + Sync {
    /// Sends it and answers the status, within a time of its own.
    ///
    /// # Errors
    /// [`NoAnswer`] when no answer came in time, or none that is HTTP.
    fn post(&self, delivery: &Delivery) -> Result<u16, NoAnswer>;
}

/// No answer came.
#[derive(Debug, thiserror::Error)]
#[error("the webhook gave no answer")]
pub struct NoAnswer(#[source] pub Box<dyn std::error::Error + Send + Sync>);

#[derive(Debug)]
struct Queue {
    waiting: VecDeque<Waiting>,
    told: Told,
    counters: WebhookCounters,
}

#[derive(Debug, Clone)]
struct Waiting {
    id: AnomalyEventId,
    body: String,
    failures: u32,
    /// When it may be tried; `None` at once.
    due: Option<DateTime<Utc>>,
}

impl Webhook {
    /// A webhook with nothing to tell yet; the key is shared with the receiver.
    pub fn new(policy: WebhookPolicy, key: [u8; 32], transport: Box<dyn WebhookTransport>) -> Self {
        let told = Told::new(policy.remembered);
        let queue = Queue { waiting: VecDeque::new(), told, counters: WebhookCounters::default() };
        Self { policy, key, transport, queue: Mutex::new(queue) }
    }

    /// Tries every delivery that is due at `now`, and answers when the next one is; `None` with nothing to tell.
    pub fn deliver_due(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        while self.deliver_one(now) {}
        self.queue.lock().waiting.iter().map(|one| one.due.unwrap_or(now)).min()
    }

    /// Delivers what is due, again and again, until `stop` goes up; then the delivery under way is the last.
    pub fn run(&self, clock: &dyn Clock, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            if !self.deliver_one(clock.now()) {
                crate::ingest::source::wait(BETWEEN_LOOKS);
            }
        }
    }

    /// Tries the delivery that is due at `now` and waits for longest; answers whether there was one.
    fn deliver_one(&self, now: DateTime<Utc>) -> bool {
        let next = {
            let mut queue = self.queue.lock();
            let due = queue.waiting.iter().position(|one| one.due.is_none_or(|due| due <= now));
            due.and_then(|at| queue.waiting.remove(at))
        };
        let Some(mut one) = next else { return false };
        // The lock is free while the receiver is waited for, so that alerts can be raised meanwhile.
        let answer = self.transport.post(&self.delivery(&one, now));
        let mut queue = self.queue.lock();
        match answer {
            Ok(200..=299) => queue.counters.delivered += 1,
            Ok(408 | 429 | 500..) | Err(_) if one.failures + 1 < self.policy.attempts => {
                let wait = self.policy.first_wait.checked_mul(1 << one.failures.min(20));
                one.due = wait.and_then(|wait| now.checked_add_signed(wait));
                one.failures += 1;
                queue.counters.put_off += 1;
                queue.waiting.push_back(one);
            }
            Ok(_) | Err(_) => queue.counters.given_up += 1,
        }
        true
    }

    /// Alerts that wait to be delivered.
    pub fn waiting(&self) -> usize {
        self.queue.lock().waiting.len()
    }

    /// What it has done.
    pub fn counters(&self) -> WebhookCounters {
        self.queue.lock().counters
    }

    fn delivery(&self, one: &Waiting, now: DateTime<Utc>) -> Delivery {
        let (id, time) = (one.id.to_string(), now.timestamp().to_string());
        let signed = format!("{id}.{time}.{}", one.body);
        let signature = format!("v1={}", blake3::keyed_hash(&self.key, signed.as_bytes()).to_hex());
        let headers =
            [("analytics-id", id), ("analytics-timestamp", time), ("analytics-signature", signature)];
        Delivery { headers, body: one.body.clone() }
    }
}

impl AlertSink for Webhook {
    fn raise(&self, event: &AnomalyEvent) -> AlertAnswer {
        let body = serde_json::to_string(event).expect("an event is numbers and texts");
        let mut queue = self.queue.lock();
        if queue.told.knows(event.id) {
            queue.counters.repeated += 1;
            return AlertAnswer::Known;
        }
        if queue.waiting.len() >= self.policy.room {
            queue.counters.full += 1;
            return AlertAnswer::Full;
        }
        queue.told.note(event.id);
        queue.waiting.push_back(Waiting { id: event.id, body, failures: 0, due: None });
        AlertAnswer::Taken
    }
}

impl Default for WebhookPolicy {
    fn default() -> Self {
        Self { attempts: 8, first_wait: TimeDelta::seconds(5), room: 1_000, remembered: 10_000 }
    }
}

const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use analytics_domain::anomaly::{AnomalyLevel, AnomalyRule, Finite, MetricName};

    use super::*;

    /// Answers what the test says, in turn, and keeps what was sent.
    struct Scripted {
        answers: Mutex<VecDeque<Option<u16>>>,
        sent: Arc<Mutex<Vec<Delivery>>>,
    }

    impl WebhookTransport for Scripted {
        fn post(&self, delivery: &Delivery) -> Result<u16, NoAnswer> {
            self.sent.lock().push(delivery.clone());
            self.answers.lock().pop_front().flatten().ok_or_else(|| NoAnswer("it hangs".into()))
        }
    }

    fn webhook(policy: WebhookPolicy, answers: &[Option<u16>]) -> (Webhook, Arc<Mutex<Vec<Delivery>>>) {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let answers = Mutex::new(answers.iter().copied().collect());
        (Webhook::new(policy, [7; 32], Box::new(Scripted { answers, sent: Arc::clone(&sent) })), sent)
    }

    fn event(number: u128) -> AnomalyEvent {
        AnomalyEvent {
            id: AnomalyEventId::from_u128(number),
            metric: MetricName::new("requests.bots").unwrap(),
            rule: AnomalyRule::Baseline,
            level: AnomalyLevel::Critical,
            since: at(0),
            opened_at: at(60),
            value: Finite::new(4_000.0).unwrap(),
            expected: None,
            score: None,
            closed_at: None,
            acknowledged_at: None,
        }
    }

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_000_000 + second, 0).unwrap()
    }

    #[test]
    fn a_delivery_is_the_event_signed_with_its_id_and_time() {
        let (webhook, sent) = webhook(WebhookPolicy::default(), &[Some(204)]);
        assert_eq!(webhook.raise(&event(1)), AlertAnswer::Taken);
        assert_eq!(webhook.deliver_due(at(5)), None);
        let sent = sent.lock();
        let Delivery { headers, body } = &sent[0];
        assert_eq!(serde_json::from_str::<AnomalyEvent>(body).unwrap(), event(1));
        let signed = format!("00000000000000000000000000000001.1780000005.{body}");
        let hash = blake3::keyed_hash(&[7; 32], signed.as_bytes()).to_hex();
        let expected = [
            ("analytics-id", "00000000000000000000000000000001".to_owned()),
            ("analytics-timestamp", "1780000005".to_owned()),
            ("analytics-signature", format!("v1={hash}")),
        ];
        assert_eq!((headers, sent.len()), (&expected, 1));
    }

    #[test]
    fn a_webhook_that_hangs_or_answers_500_is_tried_again_after_waits_that_double() {
        let (webhook, sent) = webhook(WebhookPolicy::default(), &[None, Some(500), Some(503), Some(200)]);
        webhook.raise(&event(1));
        assert_eq!(webhook.deliver_due(at(0)), Some(at(5)));
        assert_eq!(webhook.deliver_due(at(4)), Some(at(5)));
        assert_eq!(webhook.deliver_due(at(5)), Some(at(15)));
        assert_eq!(webhook.deliver_due(at(15)), Some(at(35)));
        assert_eq!(webhook.deliver_due(at(35)), None);
        assert_eq!(sent.lock().len(), 4);
        let expected = WebhookCounters { delivered: 1, put_off: 3, ..WebhookCounters::default() };
        assert_eq!(webhook.counters(), expected);
    }

    #[test]
    fn what_is_refused_or_never_answered_is_given_up() {
        let policy = WebhookPolicy { attempts: 2, ..WebhookPolicy::default() };
        let (webhook, sent) = webhook(policy, &[Some(404), Some(302)]);
        for number in [1, 2, 3] {
            webhook.raise(&event(number));
        }
        assert_eq!(webhook.deliver_due(at(0)), Some(at(5)));
        assert_eq!(webhook.deliver_due(at(5)), None);
        assert_eq!(sent.lock().len(), 4);
        assert_eq!(
            webhook.counters(),
            WebhookCounters { put_off: 1, given_up: 3, ..WebhookCounters::default() }
        );
    }

    #[test]
    fn an_alert_is_told_once_and_one_without_room_is_counted() {
        let policy = WebhookPolicy { room: 2, remembered: 2, ..WebhookPolicy::default() };
        let (webhook, _) = webhook(policy, &[Some(200); 9]);
        let answers = [1, 1, 2, 3].map(|number| webhook.raise(&event(number)));
        let (taken, known, full) = (AlertAnswer::Taken, AlertAnswer::Known, AlertAnswer::Full);
        assert_eq!(answers, [taken, known, taken, full]);
        assert_eq!(webhook.deliver_due(at(0)), None);
        assert_eq!([1, 3].map(|number| webhook.raise(&event(number))), [known, taken]);
        let expected = WebhookCounters { delivered: 2, full: 1, repeated: 2, ..WebhookCounters::default() };
        assert_eq!(webhook.counters(), expected);
    }
}
