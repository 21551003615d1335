//! Telling what the session of a client is taken for.

use std::sync::Arc;

use analytics_domain::detector::{Class, Observation, Verdict};
use analytics_domain::visit::{Client, ClientKey};
use analytics_ports::Clock;

use super::TrafficService;

/// Watches requests and tells what their sessions are taken for, with every reason.
///
/// It shares its visitors with [`ThrottleService`](super::ThrottleService); a request is given to one of the two, since
/// either counts it.
#[derive(Clone)]
pub struct BehavioralDetectionService {
    traffic: Arc<TrafficService<()>>,
    clock: Arc<dyn Clock>,
}

impl BehavioralDetectionService {
    /// The service over this traffic.
    pub fn new(traffic: Arc<TrafficService<()>>, clock: Arc<dyn Clock>) -> Self {
        Self { traffic, clock }
    }

    /// Counts one request, and answers what its session is taken for with it.
    pub fn observe(&self, client: Client<'_>, request: &Observation<'_>) -> Class {
        self.traffic.decide(client, request, self.clock.now()).1
    }

    /// What the open session of a client is taken for now, with every reason; `None` without an open session.
    pub fn explain(&self, client: &ClientKey) -> Option<Verdict> {
        self.traffic.explain(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::samples::{agent, asset, page, probe, visit_policy};
    use analytics_domain::detector::{AgentFacts, Category, SignalKind};
    use analytics_domain::request::ClientNetwork;
    use analytics_domain::throttle::Mode;
    use analytics_ports::MockClock;
    use chrono::{DateTime, TimeDelta};

    const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

    struct World {
        service: BehavioralDetectionService,
        clock: Arc<MockClock>,
        agent: AgentFacts,
    }

    impl World {
        fn of(text: &str) -> Self {
            let clock = Arc::new(MockClock::at(DateTime::UNIX_EPOCH));
            let traffic = Arc::new(TrafficService::new(visit_policy(Mode::Shadow), 1_000));
            let service = BehavioralDetectionService::new(traffic, Arc::clone(&clock) as Arc<dyn Clock>);
            Self { service, clock, agent: agent(text) }
        }

        fn client(&self) -> Client<'_> {
            Client { network: ClientNetwork::V4(0xcb00_7107), headers: 0, agent: &self.agent }
        }

        fn after(&self, seconds: i64, request: &Observation<'_>) -> Class {
            self.clock.advance(TimeDelta::seconds(seconds));
            self.service.observe(self.client(), request)
        }

        fn verdict(&self) -> Verdict {
            self.service.explain(&self.client().key()).expect("the session is open")
        }
    }

    #[test]
    fn test_behavioral_analyze_human_pattern() {
        let world = World::of(FIREFOX);
        for (gap, path) in [(3, "/"), (41, "/news"), (7, "/news/rain"), (180, "/about"), (22, "/contact")] {
            assert_eq!(world.after(gap, &page(path)), Class::Human);
            assert_eq!(world.after(1, &asset("/style.css", path)), Class::Human);
        }
        let verdict = world.verdict();
        assert!(verdict.score < 10.0, "{}", verdict.reason());
    }

    #[test]
    fn test_behavioral_analyze_bot_pattern() {
        let world = World::of(FIREFOX);
        let classes: Vec<_> = (1..40).map(|n| world.after(5, &page(&format!("/item/{n}")))).collect();
        assert_eq!(classes.last(), Some(&Class::Bot), "even gaps in numeric order");
        let verdict = world.verdict();
        assert!(verdict.hostile && verdict.score >= 50.0);
    }

    #[test]
    fn test_behavioral_signal_types() {
        let world = World::of(FIREFOX);
        for n in 1..40 {
            world.after(5, &page(&format!("/item/{n}")));
        }
        let verdict = world.verdict();
        let timing = verdict.signals.iter().find(|signal| signal.kind == SignalKind::RegularTiming);
        let timing = timing.expect("gaps of exactly five seconds are regular");
        assert_eq!((timing.category, timing.decisive), (Category::Timing, true), "38 even gaps decide");
        assert!(timing.evidence.figure < timing.evidence.limit);
        assert!(verdict.reason().contains("sequential_navigation"));
    }

    #[test]
    fn test_behavioral_threshold_checking() {
        let world = World::of(FIREFOX);
        world.after(1, &probe("/wp-login.php"));
        world.after(60, &probe("/blog/xmlrpc.php"));
        assert!(!world.verdict().class.is_bot(), "two probes are suspicious and do not decide");
        assert_eq!(world.after(60, &probe("/admin")), Class::Bot, "three do");
        let world = World::of(FIREFOX);
        assert_eq!(world.after(1, &probe("/.env")), Class::Bot, "nobody types the name of a secret file");
    }

    #[test]
    fn test_behavioral_classification() {
        let class = |text: &str| World::of(text).after(1, &page("/"));
        assert_eq!(class(FIREFOX), Class::Human);
        assert_eq!(
            class("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
            Class::DeclaredBot
        );
        assert_eq!(class("Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)"), Class::AiAgent);
        let googlebot = World::of("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)");
        googlebot.after(1, &page("/"));
        assert!(!googlebot.verdict().hostile, "who declares itself means no harm by that");
    }
}
