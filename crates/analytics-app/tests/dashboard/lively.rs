//! What a busy service has beside sessions: usage of AI providers, fingerprints of ill repute, bans and anomalies.

use analytics_domain::anomaly::{
    AnomalyEvent, AnomalyLevel, AnomalyRule, Band, Finite, MetricName, UnitScore,
};
use analytics_domain::detector::Class;
use analytics_domain::engagement::{EngagementFigures, EngagementRecord, ImplausibleSet, ReadingPattern};
use analytics_domain::ids::{
    AiRequestId, AnomalyEventId, EventId, SessionId, TaskId, ToolExecutionId, UserId,
};
use analytics_domain::reputation::{
    BanSubject, ChargedFacts, ReputationPolicy, ReputationState, observe_charged, observe_session_start,
};
use analytics_domain::session::{NanoDollars, Text};
use analytics_domain::usage::{
    AiRequest, Name, RequestCost, Stamp, Task, TokenCounts, ToolExecution, UsageStatus,
};
use chrono::TimeDelta;

use super::world::World;

impl World {
    /// Six hours of people and bots, with all that may stand beside them.
    pub(crate) async fn lively() -> Self {
        let world = Self::simulated().await;
        world.use_ai().await;
        world.remember().await;
        world.open_anomalies().await;
        world.engage().await;
        world
    }

    /// A bot that was found by its behaviour, by several signals.
    pub(crate) fn a_bot(&self) -> SessionId {
        let bots = self.sessions.iter().filter(|session| {
            session.record().verdict.as_ref().is_some_and(|verdict| verdict.class == Class::Bot)
        });
        let loudest = bots.max_by_key(|session| {
            let record = session.record();
            let signals = record.verdict.as_ref().map_or(0, |verdict| verdict.signals.as_slice().len());
            (signals, record.counters.requests.min(40))
        });
        loudest.unwrap().id()
    }

    async fn use_ai(&self) {
        let (models, agents) = (["gpt-5", "claude-sonnet", "mistral-large"], ["support", "search", "writer"]);
        let (mut requests, mut tasks, mut runs) = (Vec::new(), Vec::new(), Vec::new());
        for n in 0..180_u32 {
            let at = self.now - TimeDelta::minutes(2 * i64::from(n) + 1);
            let of = |names: [&str; 3]| Name::new(names[n as usize % 3]).unwrap();
            let user = Some(UserId::new(format!("user-{}", n % 7)).unwrap());
            let cost = RequestCost::new(NanoDollars::new(i64::from(n % 9 + 1) * 1_370_000)).unwrap();
            requests.push(AiRequest {
                stamp: Stamp::new(AiRequestId::at(at, n.into()).unwrap(), at).unwrap(),
                session: None,
                user: user.clone(),
                task: None,
                agent: Some(of(agents)),
                provider: of(["openai", "anthropic", "mistral"]),
                model: of(models),
                tokens: TokenCounts::new(900 + u64::from(n) * 3, 220, 300, 0).unwrap(),
                cost: (n % 11 != 0).then_some(cost),
                latency_ms: Some(640 + n),
                status: UsageStatus::ALL[usize::from(n % 17 == 0)],
            });
            tasks.push(Task {
                stamp: Stamp::new(TaskId::at(at, n.into()).unwrap(), at).unwrap(),
                session: None,
                user: user.clone(),
                agent: of(agents),
                status: UsageStatus::ALL[usize::from(n % 13 == 0)],
                duration_ms: Some(4_000 + n * 7),
            });
            runs.push(ToolExecution {
                stamp: Stamp::new(ToolExecutionId::at(at, n.into()).unwrap(), at).unwrap(),
                session: None,
                user,
                task: None,
                agent: Some(of(agents)),
                tool: of(["fetch", "retrieve", "send_mail"]),
                status: UsageStatus::ALL[usize::from(n % 19 == 0)],
                duration_ms: Some(80 + n),
            });
        }
        let usage = &self.stores.usage;
        usage.record_ai_requests(&requests, self.now).await.unwrap();
        usage.record_tasks(&tasks, self.now).await.unwrap();
        usage.record_tool_executions(&runs, self.now).await.unwrap();
    }

    async fn remember(&self) {
        let (policy, facts) = (ReputationPolicy::default(), ChargedFacts::default());
        let bots = self
            .sessions
            .iter()
            .filter(|session| session.record().verdict.as_ref().is_some_and(|verdict| verdict.hostile));
        for (number, session) in bots.take(6).enumerate() {
            let hash = session.record().fingerprint;
            let mut state = ReputationState::default();
            observe_session_start(&policy, &mut state, facts, self.now - TimeDelta::hours(1));
            for request in 0..120 * (number as i64 + 1) {
                observe_charged(&policy, &mut state, facts, self.now - TimeDelta::seconds(3_000 - request));
            }
            self.reputation.keep(hash, state).await.unwrap();
            self.reputation.flag(hash).await.unwrap();
            if number < 3 {
                let length = TimeDelta::hours(number as i64 + 1);
                self.reputation.ban(BanSubject::Fingerprint(hash), length).await.unwrap();
            }
        }
        let network = BanSubject::Network("198.51.100.7".parse().unwrap());
        self.reputation.ban(network, TimeDelta::hours(8)).await.unwrap();
    }

    async fn open_anomalies(&self) {
        for (number, (metric, level, value)) in [
            ("requests.bots", AnomalyLevel::Critical, 412.0),
            ("error_rate.people", AnomalyLevel::Warning, 0.17),
            ("sessions.ai_agents", AnomalyLevel::Warning, 31.0),
        ]
        .into_iter()
        .enumerate()
        {
            let since = self.now - TimeDelta::minutes(20 * number as i64 + 12);
            let finite = |value| Finite::new(value).unwrap();
            let event = AnomalyEvent {
                id: AnomalyEventId::from_u128(number as u128 + 1),
                metric: MetricName::new(metric).unwrap(),
                rule: AnomalyRule::Baseline,
                level,
                since,
                opened_at: since + TimeDelta::minutes(1),
                value: finite(value),
                expected: Band::new(finite(value * 0.1), finite(value * 0.4)).ok(),
                score: UnitScore::new(0.9).ok(),
                closed_at: (number > 0).then_some(since + TimeDelta::minutes(9)),
                acknowledged_at: (number == 2).then_some(since + TimeDelta::minutes(5)),
            };
            self.stores.anomalies.put(&event).await.unwrap();
        }
    }

    async fn engage(&self) {
        let people = self.sessions.iter().filter(|session| {
            session.record().verdict.as_ref().is_some_and(|verdict| verdict.class == Class::Human)
        });
        for (number, session) in people.take(5).enumerate() {
            let at = session.record().last_activity_at;
            let record = EngagementRecord {
                id: EventId::at(at, number as u128).unwrap(),
                session: session.id(),
                at,
                page_url: Text::cut("https://example.org/a"),
                bound: true,
                figures: EngagementFigures {
                    time_on_page_ms: Some(42_000),
                    visible_time_ms: Some(38_000),
                    max_scroll_depth: Some(80),
                    click_count: Some(3),
                    ..EngagementFigures::default()
                },
                reading_pattern: Some(ReadingPattern::Read),
                implausible: ImplausibleSet::default(),
            };
            self.stores.engagement.create(&record.try_into().unwrap(), self.now).await.unwrap();
        }
    }
}
