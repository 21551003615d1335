//! What browsers and agents would have told of simulated visits of people.

use analytics_domain::detector::Class;
use analytics_domain::engagement::{
    CreateEngagementEventInput, EngagementContext, EngagementEvent, EngagementPolicy,
};
use analytics_domain::ids::{AiRequestId, ConversationId, MessageId, SessionId, TaskId};
use analytics_domain::request::RequestKind;
use analytics_domain::request_row::RequestRow;
use analytics_domain::session::{AnalyticsSession, NanoDollars};
use analytics_domain::usage::{
    AiRequest, Conversation, Message, MessageRole, ModelPrice, Name, Stamp, Task, TokenCounts, UsageStatus,
};
use analytics_ports::{BatchLimit, IdGenerator, PageRequest, SessionFilter, StoreError};
use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};

use crate::simulate::chance::Chance;
use crate::wiring::Stores;

/// Keeps what would have been told of every visit of a person.
pub(super) async fn tell(stores: &Stores, ids: &dyn IdGenerator, now: DateTime<Utc>) -> anyhow::Result<()> {
    let people = SessionFilter { class: Some(Class::Human), ..SessionFilter::default() };
    let limit = BatchLimit::default();
    let mut page = PageRequest::first(limit);
    loop {
        let sessions = stores.sessions.list(&people, page).await?;
        let (mut events, mut asked) = (Vec::new(), Asked::default());
        for session in &sessions.items {
            let mut chance = Chance::new(session.id().as_u128() as u64, "visit", 0);
            let pages = pages(stores, session.id()).await?;
            events.extend(read(&pages, ids, now, &mut chance)?);
            if chance.below(SESSIONS_FOR_ONE_THAT_ASKS) == 0 {
                asked.of(session, ids, now, &mut chance)?;
            }
        }
        stores.engagement.create_batch(&events, now).await?;
        asked.keep(stores, now).await?;
        match sessions.next {
            Some(next) => page = PageRequest::after(limit, next),
            None => return Ok(()),
        }
    }
}

async fn pages(stores: &Stores, session: SessionId) -> Result<Vec<RequestRow>, StoreError> {
    let first = PageRequest::first(BatchLimit::default());
    let mut rows = stores.requests.list_by_session(session, first).await?.items;
    rows.retain(|row| row.record().kind == RequestKind::Page);
    Ok(rows)
}

/// How pages were read: each until the next one was asked for, the last for some seconds.
fn read(
    pages: &[RequestRow],
    ids: &dyn IdGenerator,
    now: DateTime<Utc>,
    chance: &mut Chance,
) -> anyhow::Result<Vec<EngagementEvent>> {
    let policy = EngagementPolicy::default();
    let mut events = Vec::with_capacity(pages.len());
    for (at, page) in pages.iter().enumerate() {
        let until = pages.get(at + 1).map(RequestRow::at);
        let stayed =
            until.map_or_else(|| between(chance, 4_000.0, 90_000.0), |until| milliseconds(page.at(), until));
        let told_at = page.at() + TimeDelta::milliseconds(stayed as i64);
        if told_at > now {
            continue;
        }
        let visible = stayed * between(chance, 0.6, 1.0);
        let depth = between(chance, 15.0, 100.0);
        let clicks = between(chance, 0.0, 4.0).trunc();
        let input = CreateEngagementEventInput {
            page_url: page.record().path.as_str().to_owned(),
            time_on_page_ms: Some(stayed),
            visible_time_ms: Some(visible),
            hidden_time_ms: Some(stayed - visible),
            focus_time_ms: Some(visible * 0.9),
            time_to_first_scroll_ms: Some(visible * between(chance, 0.02, 0.2)),
            time_to_first_interaction_ms: (clicks > 0.0).then_some(visible * 0.3),
            max_scroll_depth: Some(depth),
            scroll_velocity_avg: Some(between(chance, 150.0, 1_200.0)),
            scroll_direction_changes: Some(between(chance, 0.0, 9.0).trunc()),
            click_count: Some(clicks),
            mouse_move_distance_px: Some(between(chance, 300.0, 9_000.0)),
            mouse_path_entropy: Some(between(chance, 1.2, 2.8)),
            keyboard_events: Some(0.0),
            copy_events: Some(0.0),
            blur_count: Some(between(chance, 0.0, 2.0).trunc()),
            tab_switches: Some(between(chance, 0.0, 2.0).trunc()),
            is_rage_click: Some(chance.below(60) == 0),
            is_dead_click: Some(clicks > 0.0 && chance.below(25) == 0),
            clicks: Vec::new(),
        };
        let context = EngagementContext {
            id: ids.event_id(told_at),
            session: page.record().session,
            page_served_at: Some(page.at()),
            bound: true,
        };
        events.push(EngagementEvent::create(&policy, context, &input, told_at)?);
    }
    Ok(events)
}

/// What people asked the site's agent.
#[derive(Default)]
struct Asked {
    tasks: Vec<Task>,
    requests: Vec<AiRequest>,
    conversations: Vec<Conversation>,
    messages: Vec<Message>,
}

impl Asked {
    fn of(
        &mut self,
        session: &AnalyticsSession,
        ids: &dyn IdGenerator,
        now: DateTime<Utc>,
        chance: &mut Chance,
    ) -> anyhow::Result<()> {
        let begun = session.record().started_at;
        let (agent, task) = (Name::new("help")?, TaskId::from_u128(ids.event_id(begun).as_u128()));
        let conversation = ConversationId::from_u128(ids.event_id(begun).as_u128());
        let session = Some(session.id());
        let asks = 1 + chance.below(4);
        let (mut at, mut last) = (begun, begun);
        for _ in 0..asks {
            let &(model, input_price, output_price) = chance.pick(&MODELS);
            let (input, output) = (NanoDollars::new(input_price), NanoDollars::new(output_price));
            let price = ModelPrice::new(input, output, input, output)?;
            let (input, output) = (u64::from(200 + chance.below(4_000)), u64::from(50 + chance.below(900)));
            let tokens = TokenCounts::new(input, output, input / 3, 0)?;
            let latency = 400 + chance.below(6_000);
            last = at + TimeDelta::milliseconds(latency.into());
            if last > now {
                break;
            }
            let stamp = |at| Stamp::new(AiRequestId::from_u128(ids.event_id(at).as_u128()), at);
            self.requests.push(AiRequest {
                stamp: stamp(at)?,
                session,
                user: None,
                task: Some(task),
                agent: Some(agent.clone()),
                provider: Name::new("acme")?,
                model: Name::new(model)?,
                tokens,
                cost: Some(price.cost(tokens)?),
                latency_ms: Some(latency),
                status: if chance.below(40) == 0 { UsageStatus::Failed } else { UsageStatus::Completed },
            });
            for (role, at) in [(MessageRole::User, at), (MessageRole::Assistant, last)] {
                let stamp = Stamp::new(MessageId::from_u128(ids.event_id(at).as_u128()), at)?;
                let agent = (role == MessageRole::Assistant).then(|| agent.clone());
                self.messages.push(Message { stamp, conversation, session, user: None, agent, role });
            }
            at = last + TimeDelta::milliseconds(chance.between(5_000, 25_000));
        }
        let stamp = Stamp::new(conversation, begun)?;
        let title = None;
        self.conversations.push(Conversation {
            stamp,
            session,
            user: None,
            agent: Some(agent.clone()),
            title,
        });
        let duration_ms = u32::try_from((last - begun).num_milliseconds()).ok();
        let (stamp, status) = (Stamp::new(task, begun)?, UsageStatus::Completed);
        self.tasks.push(Task { stamp, session, user: None, agent, status, duration_ms });
        Ok(())
    }

    async fn keep(self, stores: &Stores, now: DateTime<Utc>) -> anyhow::Result<()> {
        let kept = async {
            stores.usage.record_tasks(&self.tasks, now).await?;
            stores.usage.record_ai_requests(&self.requests, now).await?;
            stores.usage.record_conversations(&self.conversations, now).await?;
            stores.usage.record_messages(&self.messages, now).await
        };
        kept.await.map(drop).context("cannot keep what agents did")
    }
}

fn between(chance: &mut Chance, from: f64, to: f64) -> f64 {
    from + (to - from) * chance.unit()
}

fn milliseconds(from: DateTime<Utc>, until: DateTime<Utc>) -> f64 {
    (until - from).num_milliseconds() as f64
}

/// One in so many people asks the agent.
const SESSIONS_FOR_ONE_THAT_ASKS: u32 = 8;

/// Models that do not exist, with billionths of a dollar for a million tokens sent and as many answered.
const MODELS: [(&str, i64, i64); 2] =
    [("small-1", 250_000_000, 1_250_000_000), ("large-1", 3_000_000_000, 15_000_000_000)];
