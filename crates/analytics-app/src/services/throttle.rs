//! Slowing a client down, request by request.

use std::sync::Arc;

use analytics_domain::detector::Observation;
use analytics_domain::throttle::{ThrottleDecision, ThrottleLevel};
use analytics_domain::visit::{Client, ClientKey};
use analytics_ports::Clock;

use super::TrafficService;

/// Decides whether a request may pass now, by the level of its client, its quota and the ceilings of its networks.
///
/// It shares its visitors with [`BehavioralDetectionService`](super::BehavioralDetectionService): one step counts the
/// request, weighs the session and decides. It touches memory only, and reads the clock once a request.
#[derive(Clone)]
pub struct ThrottleService {
    traffic: Arc<TrafficService<()>>,
    clock: Arc<dyn Clock>,
}

impl ThrottleService {
    /// The service over this traffic.
    pub fn new(traffic: Arc<TrafficService<()>>, clock: Arc<dyn Clock>) -> Self {
        Self { traffic, clock }
    }

    /// Counts one request and decides about it. In shadow mode it passes, and the answer says what would have been.
    pub fn check(&self, client: Client<'_>, request: &Observation<'_>) -> ThrottleDecision {
        self.traffic.decide(client, request, self.clock.now()).0.decision
    }

    /// The level of a client now; Normal for one that is not known.
    pub fn level(&self, client: &ClientKey) -> ThrottleLevel {
        self.traffic.level(client, self.clock.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::samples::{agent, page, probe, visit_policy};
    use analytics_domain::request::ClientNetwork;
    use analytics_domain::throttle::{Decision, Mode};
    use analytics_ports::MockClock;
    use chrono::{DateTime, TimeDelta};

    const NETWORK: ClientNetwork = ClientNetwork::V4(0xcb00_7107);

    fn service(mode: Mode) -> (ThrottleService, Arc<MockClock>) {
        let clock = Arc::new(MockClock::at(DateTime::UNIX_EPOCH));
        let traffic = Arc::new(TrafficService::new(visit_policy(mode), 1_000));
        (ThrottleService::new(traffic, Arc::clone(&clock) as Arc<dyn Clock>), clock)
    }

    #[test]
    fn test_throttle_rate_limiting() {
        let (service, clock) = service(Mode::Enforce);
        let agent = agent("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)");
        let client = Client { network: NETWORK, headers: 0, agent: &agent };
        let pass = |path: &str| matches!(service.check(client, &page(path)).decision, Decision::Admit { .. });
        assert!((0..20).all(|n| pass(&format!("/{n}"))), "a quiet client gets its whole burst");
        assert!(!pass("/20"));
        clock.advance(TimeDelta::seconds(1));
        assert!(pass("/21"), "one a second at 60 a minute");
        assert!(!pass("/22"));
    }

    #[test]
    fn test_throttle_escalation() {
        let (service, clock) = service(Mode::Enforce);
        let agent = agent("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0");
        let client = Client { network: NETWORK, headers: 0, agent: &agent };
        assert_eq!(service.level(&client.key()), ThrottleLevel::Normal);
        for path in ["/wp-login.php", "/blog/xmlrpc.php", "/admin"] {
            service.check(client, &probe(path));
            clock.advance(TimeDelta::seconds(31));
        }
        assert_eq!(
            service.level(&client.key()),
            ThrottleLevel::Severe,
            "three probes decide and jump to Severe"
        );
    }

    #[test]
    fn test_throttle_level_determination() {
        let (service, clock) = service(Mode::Shadow);
        let agent = agent("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0");
        let client = Client { network: NETWORK, headers: 0, agent: &agent };
        let mut would_refuse = 0;
        for n in 0..60 {
            let decision = service.check(client, &page(&format!("/{n}")));
            assert!(decision.is_admitted(), "shadow mode lets everything pass");
            would_refuse += usize::from(decision.refusal().is_some());
            clock.advance(TimeDelta::milliseconds(100));
        }
        assert!(would_refuse > 10, "and says what it would have refused");
        assert!(service.level(&client.key()) > ThrottleLevel::Normal, "ten refusals a minute are a reason");
        let stranger = ClientKey { network: ClientNetwork::V4(1), agent: 1, headers: 0 };
        assert_eq!(service.level(&stranger), ThrottleLevel::Normal);
    }

    #[test]
    fn test_throttle_cooldown() {
        let (service, clock) = service(Mode::Enforce);
        let agent = agent("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0");
        let client = Client { network: NETWORK, headers: 0, agent: &agent };
        for path in ["/wp-login.php", "/blog/xmlrpc.php", "/admin"] {
            service.check(client, &probe(path));
            clock.advance(TimeDelta::seconds(31));
        }
        clock.advance(TimeDelta::minutes(5));
        assert_eq!(service.level(&client.key()), ThrottleLevel::Warning, "Severe cools down in five minutes");
        clock.advance(TimeDelta::minutes(1));
        assert_eq!(service.level(&client.key()), ThrottleLevel::Normal, "Warning in one more");
    }
}
