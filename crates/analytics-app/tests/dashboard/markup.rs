//! Markup in every text field is shown as text.

use std::collections::BTreeMap;

use analytics_domain::anomaly::{AnomalyEvent, AnomalyLevel, AnomalyRule, Finite, MetricName};
use analytics_domain::audit::{AuditAction, AuditEntry, AuditRecord, AuditSubject};
use analytics_domain::event::{AnalyticsEvent, EventName, EventProperties, PropertyValue};
use analytics_domain::ids::{AiRequestId, AnomalyEventId, EventId, TaskId, ToolExecutionId, UserId};
use analytics_domain::label::{Label, LabelClass, LabelRecord, LabelSource};
use analytics_domain::request_row::{RequestRecord, RequestRow};
use analytics_domain::session::{
    AnalyticsSession, Campaign, DeclaredAs, Points, SessionClient, SessionOrigin, SessionPlace,
    SessionRecord, SessionVerdict, SignalList, SignalSummary, Text,
};
use analytics_domain::usage::{AiRequest, Name, Stamp, Task, TokenCounts, ToolExecution, UsageStatus};
use analytics_domain::user_agent::AutomationKind;
use analytics_ports::PageRequest;
use chrono::TimeDelta;

use super::pages::PAGES;
use super::world::{World, encoded};

const MARKUP: &str = "<script src=//x>\"'&</script>";

#[tokio::test]
async fn markup_in_every_text_field_is_shown_as_text() {
    let world = World::simulated().await;
    let session = hostile(&world).await;
    let id = session.id();
    for page in PAGES {
        for address in [page.to_owned(), format!("{page}?rows=10000")] {
            check(&address, &world.page(&address).await);
        }
    }
    for address in [
        format!("/sessions/{id}"),
        format!("/?filter=source:{}", encoded(MARKUP)),
        format!("/usage?filter=model:{}", encoded(MARKUP)),
        format!("/sessions?filter=user:{}", encoded(MARKUP)),
    ] {
        let html = world.page(&address).await;
        check(&address, &html);
        assert!(html.contains("&lt;script src=//x&gt;"), "{address} shows it");
    }
    for address in [
        format!("/?zone={}", encoded(MARKUP)),
        format!("/?{}=1", encoded(MARKUP)),
        format!("/?filter={}:x", encoded(MARKUP)),
        format!("/sessions/{}", encoded(MARKUP)),
        format!("/sign-in?to=/{}", encoded(MARKUP)),
    ] {
        check(&address, &world.get(&address).await.text);
    }
}

fn check(address: &str, html: &str) {
    assert!(!html.contains("<script src=//x>"), "{address}");
    // Within an attribute a quote would end it.
    assert!(!html.contains("//x>\"'"), "{address}");
}

/// A session, its requests and everything about them, with markup wherever a text may be.
async fn hostile(world: &World) -> AnalyticsSession {
    let template = world.sessions[0].record().clone();
    let session = hostile_session(world, &template);
    keep(world, &session, &template).await;
    use_ai(world).await;
    session
}

fn hostile_session(world: &World, template: &SessionRecord) -> AnalyticsSession {
    let at = world.now - TimeDelta::minutes(1);
    let user = UserId::new(MARKUP).unwrap();
    let signal = SignalSummary {
        signal: Text::cut(MARKUP),
        category: Text::cut("volume"),
        points: Points::from_f64(40.0).unwrap(),
        decisive: true,
        evidence: Text::cut(MARKUP),
    };
    let record = SessionRecord {
        id: analytics_domain::ids::SessionId::from_u128(99),
        user: Some(user.clone()),
        client: SessionClient {
            user_agent: Some(Text::cut(MARKUP)),
            browser: Some(Text::cut(MARKUP)),
            browser_version: Some(Text::cut(MARKUP)),
            os: Some(Text::cut(MARKUP)),
            os_version: Some(Text::cut(MARKUP)),
            locale: Some(Text::cut(MARKUP)),
            ..template.client.clone()
        },
        origin: SessionOrigin {
            referrer_host: Some(Text::cut(MARKUP)),
            referrer_url: Some(Text::cut(MARKUP)),
            campaign: Campaign {
                source: Some(Text::cut(MARKUP)),
                medium: Some(Text::cut(MARKUP)),
                campaign: Some(Text::cut(MARKUP)),
                content: Some(Text::cut(MARKUP)),
                term: Some(Text::cut(MARKUP)),
            },
            landing_page: Some(Text::cut(MARKUP)),
            entry_url: Some(Text::cut(MARKUP)),
            ..template.origin.clone()
        },
        place: SessionPlace {
            region: Some(Text::cut(MARKUP)),
            city: Some(Text::cut(MARKUP)),
            ..SessionPlace::default()
        },
        started_at: at,
        last_activity_at: at,
        verdict: Some(SessionVerdict {
            class: analytics_domain::detector::Class::Bot,
            score: Points::from_f64(60.0).unwrap(),
            hostile: true,
            declared: Some(DeclaredAs { kind: AutomationKind::Other, name: Some(Text::cut(MARKUP)) }),
            signals: SignalList::first_of([signal]),
            ruleset_version: Text::cut(MARKUP),
        }),
        ..template.clone()
    };
    AnalyticsSession::try_from(record).unwrap()
}

async fn keep(world: &World, session: &AnalyticsSession, template: &SessionRecord) {
    let at = session.record().started_at;
    world.stores.sessions.create(session, at).await.unwrap();
    let rows = world
        .stores
        .requests
        .list_by_session(template.id, PageRequest::first(analytics_ports::BatchLimit::new(1).unwrap()));
    let row = rows.await.unwrap().items[0].record().clone();
    let row = RequestRow::try_from(RequestRecord {
        id: EventId::at(at, 99).unwrap(),
        session: session.id(),
        at,
        path: Text::cut(MARKUP),
        referrer_host: Some(Text::cut(MARKUP)),
        kind: analytics_domain::request::RequestKind::Page,
        status: Some(500),
        ..row
    });
    world.stores.requests.insert(&[row.unwrap()], at).await.unwrap();
    let properties = BTreeMap::from([(MARKUP.to_owned(), PropertyValue::Text(MARKUP.to_owned()))]);
    let properties = EventProperties::new(properties).unwrap();
    let event = AnalyticsEvent::new(
        EventId::at(at, 98).unwrap(),
        session.id(),
        EventName::new(MARKUP).unwrap(),
        properties.clone(),
        at,
    );
    world.stores.events.record(&[event.unwrap()], at).await.unwrap();
    let label = Label::try_from(LabelRecord {
        session: session.id(),
        source: LabelSource::Import,
        class: LabelClass::Bot,
        confidence: Points::default(),
        at,
        author: Some(Text::cut(MARKUP)),
    });
    world.stores.labels.put(&label.unwrap()).await.unwrap();
    let entry = AuditEntry::try_from(AuditRecord {
        id: EventId::at(at, 97).unwrap(),
        at,
        actor: Text::cut(MARKUP),
        action: AuditAction::Flag,
        subject: AuditSubject::Session(session.id()),
        reason: Some(Text::cut(MARKUP)),
        details: properties,
    });
    world.stores.audit.record(&entry.unwrap()).await.unwrap();
    let anomaly = AnomalyEvent {
        id: AnomalyEventId::from_u128(1),
        metric: MetricName::new("requests_per_minute").unwrap(),
        rule: AnomalyRule::Threshold,
        level: AnomalyLevel::Warning,
        since: at,
        opened_at: at,
        value: Finite::new(1.0).unwrap(),
        expected: None,
        score: None,
        closed_at: None,
        acknowledged_at: None,
    };
    world.stores.anomalies.put(&anomaly).await.unwrap();
}

async fn use_ai(world: &World) {
    let (at, user) = (world.now - TimeDelta::minutes(1), UserId::new(MARKUP).unwrap());
    let name = || Name::new(MARKUP).unwrap();
    let request = AiRequest {
        stamp: Stamp::new(AiRequestId::at(at, 1).unwrap(), at).unwrap(),
        session: None,
        user: Some(user.clone()),
        task: None,
        agent: Some(name()),
        provider: name(),
        model: name(),
        tokens: TokenCounts::new(1, 1, 0, 0).unwrap(),
        cost: None,
        latency_ms: None,
        status: UsageStatus::Completed,
    };
    world.stores.usage.record_ai_requests(&[request], at).await.unwrap();
    let task = Task {
        stamp: Stamp::new(TaskId::at(at, 1).unwrap(), at).unwrap(),
        session: None,
        user: Some(user.clone()),
        agent: name(),
        status: UsageStatus::Completed,
        duration_ms: None,
    };
    world.stores.usage.record_tasks(&[task], at).await.unwrap();
    let run = ToolExecution {
        stamp: Stamp::new(ToolExecutionId::at(at, 1).unwrap(), at).unwrap(),
        session: None,
        user: Some(user),
        task: None,
        agent: Some(name()),
        tool: name(),
        status: UsageStatus::Completed,
        duration_ms: None,
    };
    world.stores.usage.record_tool_executions(&[run], at).await.unwrap();
}
