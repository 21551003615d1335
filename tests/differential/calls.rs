//! Calls on stores: few ids, times and names, so that calls meet the rows of others.

use std::fmt::{self, Debug};
use std::pin::Pin;
use std::sync::Arc;

use analytics_domain::anomaly::{
    AnomalyEvent, AnomalyLevel, AnomalyRule, AnomalyThreshold, Finite, MetricName,
};
use analytics_domain::audit::{AuditEntry, AuditRecord, AuditSubject};
use analytics_domain::detector::Class;
use analytics_domain::engagement::{EngagementEvent, EngagementRecord};
use analytics_domain::event::{AnalyticsEvent, EventName};
use analytics_domain::features::{CatalogueVersion, FeaturesRecord, MlBehavioralFeatures};
use analytics_domain::ids::{
    AiRequestId, AnomalyEventId, BanId, ConversationId, EventId, FingerprintHash, MessageId, SessionId,
    TaskId, ToolExecutionId, UserId, VisitorId,
};
use analytics_domain::label::{Label, LabelRecord, LabelSource};
use analytics_domain::reputation::{
    Ban, BanReason, BanSubject, ChargedFacts, ReputationPolicy, ReputationState, observe_charged,
};
use analytics_domain::request_row::{RequestRecord, RequestRow};
use analytics_domain::session::{AnalyticsSession, EndReason, SessionRecord, Text};
use analytics_domain::stats::{Days, Dimension, FilterKey, Period, ReportFilter};
use analytics_domain::strategies;
use analytics_domain::usage::{AiRequest, Conversation, Message, Name, Stamp, Task, ToolExecution};
use analytics_ports::contract::Stores;
use analytics_ports::{
    AnomalyEventFilter, BatchLimit, FingerprintRecord, PageRequest, SessionFilter, UsageKind, Version,
};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// One call, which answers with everything that it got, as text.
#[derive(Clone)]
pub(crate) struct Call {
    text: String,
    run: Arc<Run>,
}

type Run = dyn for<'a> Fn(&'a Stores) -> Pin<Box<dyn Future<Output = String> + 'a>>;

impl Call {
    pub(crate) async fn answer(&self, stores: &Stores) -> String {
        (self.run)(stores).await
    }
}

impl Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A strategy of calls: what is drawn, and what is asked of the stores with it.
macro_rules! call {
    ($strategy:expr, |$stores:ident, $drawn:pat_param| $asked:expr) => {
        $strategy
            .prop_map(|drawn| Call {
                text: format!("{} with {drawn:?}", stringify!($asked)),
                run: Arc::new(move |$stores: &Stores| {
                    let $drawn = drawn.clone();
                    Box::pin(async move { format!("{:?}", $asked.await) })
                }),
            })
            .boxed()
    };
}

/// Follows a list to its end: every item, page by page.
macro_rules! walk {
    (|$after:ident| $page:expr) => {
        async {
            let (mut pages, mut $after) = (Vec::new(), None);
            loop {
                let page = $page.await.map_err(|error| format!("{error:?}"))?;
                pages.push(page.items);
                match page.next {
                    None => return Ok::<_, String>(pages),
                    next => $after = next,
                }
            }
        }
    };
}

/// Any call on any repository.
pub(crate) fn any_call() -> impl Strategy<Value = Call> {
    prop_oneof![
        4 => sessions(),
        2 => events(),
        2 => requests(),
        2 => engagement(),
        1 => fingerprints(),
        1 => bans(),
        1 => labels_and_features(),
        1 => audit(),
        1 => anomalies(),
        3 => usage(),
        3 => reports(),
        1 => erasure(),
    ]
}

fn sessions() -> BoxedStrategy<Call> {
    prop_oneof![
        4 => call!((session(), time()), |s, (session, at)| s.sessions.create(&session, at)),
        2 => call!((vec(session(), 0..5), time()), |s, (sessions, at)| s.sessions.create_batch(&sessions, at)),
        1 => call!(session_id(), |s, id| s.sessions.get(id)),
        2 => call!((version(), session()), |s, (version, session)| s.sessions.swap(version, &session)),
        1 => call!((fingerprint(), time()), |s, (hash, at)| s.sessions.find_recent_by_fingerprint(hash, at)),
        1 => call!((session_id(), select(&EndReason::ALL[..])), |s, (id, reason)| s.sessions.end(id, reason)),
        1 => call!((time(), limit()), |s, (at, limit)| s.sessions.list_open_idle(at, limit)),
        1 => call!((time(), limit()), |s, (at, limit)| s.sessions.end_expired(at, limit)),
        1 => call!((time(), limit()), |s, (at, limit)| s.sessions.delete_recorded_before(at, limit)),
        2 => call!((session_filter(), limit()), |s, (filter, limit)| walk!(|after| {
            s.sessions.list(&filter, PageRequest { limit, after })
        })),
    ]
    .boxed()
}

fn erasure() -> BoxedStrategy<Call> {
    let visitor = (0u128..4).prop_map(VisitorId::from_u128);
    let started = option::of(
        (time(), time()).prop_filter_map("a period", |(from, until)| Period::new(from, until).ok()),
    );
    prop_oneof![
        1 => call!((visitor, started, limit()), |s, (visitor, started, limit)| {
            s.erasure.sessions_of(visitor, started, limit)
        }),
        1 => call!(vec(session_id(), 0..3), |s, ids| s.erasure.erase(&ids)),
    ]
    .boxed()
}

fn events() -> BoxedStrategy<Call> {
    prop_oneof![
        3 => call!((vec(event(), 0..5), time()), |s, (events, at)| s.events.record(&events, at)),
        2 => call!((session_id(), limit()), |s, (id, limit)| walk!(|after| {
            s.events.list_by_session(id, PageRequest { limit, after })
        })),
        1 => call!((time(), limit()), |s, (at, limit)| s.events.delete_recorded_before(at, limit)),
    ]
    .boxed()
}

fn requests() -> BoxedStrategy<Call> {
    prop_oneof![
        3 => call!((vec(request(), 0..5), time()), |s, (rows, at)| s.requests.insert(&rows, at)),
        2 => call!((session_id(), limit()), |s, (id, limit)| walk!(|after| {
            s.requests.list_by_session(id, PageRequest { limit, after })
        })),
        1 => call!((time(), limit()), |s, (at, limit)| s.requests.delete_recorded_before(at, limit)),
    ]
    .boxed()
}

fn engagement() -> BoxedStrategy<Call> {
    prop_oneof![
        3 => call!((vec(beacon(), 0..5), time()), |s, (events, at)| s.engagement.create_batch(&events, at)),
        1 => call!((beacon(), time()), |s, (event, at)| s.engagement.create(&event, at)),
        1 => call!((session_id(), limit()), |s, (id, limit)| walk!(|after| {
            s.engagement.list_by_session(id, PageRequest { limit, after })
        })),
        2 => call!(session_id(), |s, id| s.engagement.summary(id)),
        1 => call!((time(), limit()), |s, (at, limit)| s.engagement.delete_recorded_before(at, limit)),
    ]
    .boxed()
}

fn fingerprints() -> BoxedStrategy<Call> {
    let record = (fingerprint(), time(), any::<bool>()).prop_map(|(hash, at, flagged)| {
        let policy = ReputationPolicy::default();
        let mut state = ReputationState::default();
        observe_charged(&policy, &mut state, ChargedFacts::default(), at);
        if flagged {
            state.flag();
        }
        FingerprintRecord::of(&policy, hash, state, at).unwrap()
    });
    prop_oneof![
        3 => call!((option::of(version()), record), |s, (version, record)| s.fingerprints.swap(version, &record)),
        1 => call!(fingerprint(), |s, hash| s.fingerprints.get(hash)),
        1 => call!(limit(), |s, limit| walk!(|after| {
            s.fingerprints.list_high_risk(PageRequest { limit, after })
        })),
        1 => call!((time(), limit()), |s, (at, limit)| s.fingerprints.delete_seen_before(at, limit)),
    ]
    .boxed()
}

fn bans() -> BoxedStrategy<Call> {
    let subject = || {
        prop_oneof![
            fingerprint().prop_map(BanSubject::Fingerprint),
            select(vec!["192.0.2.0/24", "192.0.2.0/25", "2001:db8::/48"])
                .prop_map(|network| BanSubject::Network(network.parse().unwrap())),
        ]
    };
    let reasons = vec![BanReason::RepeatedIncidents, BanReason::HostileNetwork, BanReason::Manual];
    let ban = (0u128..6, subject(), select(reasons), time(), time(), any::<bool>()).prop_map(
        |(id, subject, reason, from, until, would_ban)| Ban {
            id: BanId::from_u128(id),
            subject,
            reason,
            from,
            until,
            would_ban,
        },
    );
    prop_oneof![
        3 => call!(ban, |s, ban| s.bans.put(&ban)),
        1 => call!((subject(), time()), |s, (subject, at)| s.bans.running(subject, at)),
        1 => call!((time(), limit()), |s, (at, limit)| walk!(|after| {
            s.bans.list_running(at, PageRequest { limit, after })
        })),
        1 => call!(subject(), |s, subject| s.bans.clear(subject)),
        1 => call!((time(), limit()), |s, (at, limit)| s.bans.delete_ended(at, limit)),
    ]
    .boxed()
}

fn labels_and_features() -> BoxedStrategy<Call> {
    let label = (strategies::label(), session_id(), time()).prop_map(|(label, session, at)| {
        Label::try_from(LabelRecord { session, at, ..label.into_record() }).unwrap()
    });
    let catalogue = || (1u32..3).prop_map(|version| CatalogueVersion::new(version).unwrap());
    let features = (strategies::features(), session_id(), catalogue(), time()).prop_map(
        |(features, session, catalogue, as_of)| {
            let record = FeaturesRecord { session, catalogue, as_of, ..features.into_record() };
            MlBehavioralFeatures::try_from(record).unwrap()
        },
    );
    prop_oneof![
        4 => call!(label, |s, label| s.labels.put(&label)),
        1 => call!(session_id(), |s, id| s.labels.by_session(id)),
        1 => call!(limit(), |s, limit| walk!(|after| s.labels.list(PageRequest { limit, after }))),
        1 => call!((session_id(), select(&LabelSource::ALL[..])), |s, (id, source)| s.labels.remove(id, source)),
        1 => call!((time(), limit()), |s, (at, limit)| s.labels.delete_given_before(at, limit)),
        4 => call!((features, time()), |s, (features, at)| s.features.save(&features, at)),
        1 => call!((session_id(), catalogue()), |s, (id, version)| s.features.by_session(id, version)),
        2 => call!((catalogue(), limit()), |s, (version, limit)| walk!(|after| {
            s.features.list_labelled(version, PageRequest { limit, after })
        })),
        1 => call!((time(), limit()), |s, (at, limit)| s.features.delete_recorded_before(at, limit)),
    ]
    .boxed()
}

fn audit() -> BoxedStrategy<Call> {
    let subject = || {
        prop_oneof![
            session_id().prop_map(AuditSubject::Session),
            fingerprint().prop_map(AuditSubject::Fingerprint),
        ]
    };
    let entry = (strategies::audit_entry(), subject(), stamped(EventId::at)).prop_map(
        |(entry, subject, (id, at))| {
            AuditEntry::try_from(AuditRecord { id, at, subject, ..entry.into_record() }).unwrap()
        },
    );
    prop_oneof![
        3 => call!(entry, |s, entry| s.audit.record(&entry)),
        2 => call!((option::of(subject()), limit()), |s, (subject, limit)| walk!(|after| {
            s.audit.list(subject, PageRequest { limit, after })
        })),
        1 => call!((time(), limit()), |s, (at, limit)| s.audit.delete_before(at, limit)),
    ]
    .boxed()
}

fn anomalies() -> BoxedStrategy<Call> {
    let metric = || select(vec!["error_rate", "a", "B"]).prop_map(|name| MetricName::new(name).unwrap());
    let threshold = (metric(), 0.0..5.0f64, 5.0..9.0f64)
        .prop_map(|(metric, warning, critical)| AnomalyThreshold::new(metric, warning, critical).unwrap());
    let id = || (0u128..6).prop_map(AnomalyEventId::from_u128);
    let event = (id(), metric(), time(), select(&AnomalyRule::ALL[..]), select(&AnomalyLevel::ALL[..]))
        .prop_map(|(id, metric, at, rule, level)| AnomalyEvent {
            id,
            metric,
            rule,
            level,
            since: at,
            opened_at: at,
            value: Finite::new(0.1).unwrap(),
            expected: None,
            score: None,
            closed_at: None,
            acknowledged_at: None,
        });
    let filter = (option::of(metric()), option::of(any::<bool>()), option::of(any::<bool>())).prop_map(
        |(metric, open, acknowledged)| AnomalyEventFilter {
            metric,
            open,
            acknowledged,
            ..AnomalyEventFilter::default()
        },
    );
    prop_oneof![
        2 => call!(threshold, |s, threshold| s.thresholds.put(&threshold)),
        1 => call!(metric(), |s, metric| s.thresholds.get(&metric)),
        1 => call!(metric(), |s, metric| s.thresholds.delete(&metric)),
        1 => call!(limit(), |s, limit| walk!(|after| s.thresholds.list(PageRequest { limit, after }))),
        3 => call!(event, |s, event| s.anomalies.put(&event)),
        1 => call!((id(), time()), |s, (id, at)| s.anomalies.close(id, at)),
        1 => call!((id(), time()), |s, (id, at)| s.anomalies.acknowledge(id, at)),
        2 => call!((filter, limit()), |s, (filter, limit)| walk!(|after| {
            s.anomalies.list(&filter, PageRequest { limit, after })
        })),
        1 => call!((time(), limit()), |s, (at, limit)| s.anomalies.delete_opened_before(at, limit)),
    ]
    .boxed()
}

fn usage() -> BoxedStrategy<Call> {
    let whose = || (option::of(session_id()), option::of(user()));
    let ai = (strategies::ai_request(), stamped(AiRequestId::at), whose(), option::of(agent())).prop_map(
        |(row, (id, at), (session, user), agent)| AiRequest {
            stamp: Stamp::new(id, at).unwrap(),
            session,
            user,
            agent,
            ..row
        },
    );
    let task = (strategies::task(), stamped(TaskId::at), whose(), agent()).prop_map(
        |(row, (id, at), (session, user), agent)| Task {
            stamp: Stamp::new(id, at).unwrap(),
            session,
            user,
            agent,
            ..row
        },
    );
    let tool =
        (strategies::tool_execution(), stamped(ToolExecutionId::at), whose(), option::of(agent()), agent())
            .prop_map(|(row, (id, at), (session, user), agent, tool)| ToolExecution {
                stamp: Stamp::new(id, at).unwrap(),
                session,
                user,
                agent,
                tool,
                ..row
            });
    let conversation =
        (strategies::conversation(), stamped(ConversationId::at), whose(), option::of(agent())).prop_map(
            |(row, (id, at), (session, user), agent)| Conversation {
                stamp: Stamp::new(id, at).unwrap(),
                session,
                user,
                agent,
                ..row
            },
        );
    let message = (
        strategies::message(),
        stamped(MessageId::at),
        whose(),
        option::of(agent()),
        stamped(ConversationId::at),
    )
        .prop_map(|(row, (id, at), (session, user), agent, (conversation, _))| Message {
            stamp: Stamp::new(id, at).unwrap(),
            conversation,
            session,
            user,
            agent,
            ..row
        });
    let list = || (period(), limit());
    prop_oneof![
        4 => call!((vec(ai, 0..5), time()), |s, (rows, at)| s.usage.record_ai_requests(&rows, at)),
        2 => call!((vec(task, 0..5), time()), |s, (rows, at)| s.usage.record_tasks(&rows, at)),
        2 => call!((vec(tool, 0..5), time()), |s, (rows, at)| s.usage.record_tool_executions(&rows, at)),
        2 => call!((vec(conversation, 0..5), time()), |s, (rows, at)| s.usage.record_conversations(&rows, at)),
        2 => call!((vec(message, 0..5), time()), |s, (rows, at)| s.usage.record_messages(&rows, at)),
        1 => call!(list(), |s, (period, limit)| walk!(|after| {
            s.usage.list_ai_requests(period, PageRequest { limit, after })
        })),
        1 => call!(list(), |s, (period, limit)| walk!(|after| {
            s.usage.list_tasks(period, PageRequest { limit, after })
        })),
        1 => call!(list(), |s, (period, limit)| walk!(|after| {
            s.usage.list_tool_executions(period, PageRequest { limit, after })
        })),
        1 => call!(list(), |s, (period, limit)| walk!(|after| {
            s.usage.list_conversations(period, PageRequest { limit, after })
        })),
        1 => call!(list(), |s, (period, limit)| walk!(|after| {
            s.usage.list_messages(period, PageRequest { limit, after })
        })),
        1 => call!((select(&UsageKind::ALL[..]), time(), limit()), |s, (kind, at, limit)| {
            s.usage.delete_recorded_before(kind, at, limit)
        }),
    ]
    .boxed()
}

fn reports() -> BoxedStrategy<Call> {
    let asked = || (period(), report_filter());
    let limited = || (period(), report_filter(), limit());
    let dimensions = vec![
        Dimension::Source,
        Dimension::Campaign,
        Dimension::Channel,
        Dimension::Device,
        Dimension::Browser,
        Dimension::Os,
        Dimension::Country,
        Dimension::Class,
        Dimension::DeclaredKind,
        Dimension::DeclaredName,
    ];
    let windows = (period(), vec(0i64..60, 0..4)).prop_map(|(widest, cuts)| {
        let narrower = |hours| Period::new(widest.from() + TimeDelta::hours(hours), widest.until()).ok();
        std::iter::once(widest).chain(cuts.into_iter().filter_map(narrower)).collect::<Vec<_>>()
    });
    prop_oneof![
        call!(asked(), |s, (period, filter)| s.core_stats.platform(period, &filter)),
        call!((vec(period(), 0..3), report_filter()), |s, (periods, filter)| s
            .core_stats
            .active(&periods, &filter)),
        call!(asked(), |s, (period, filter)| async {
            let days = Days::of(period, &Utc).map_err(|error| error.to_string())?;
            s.core_stats.activity(&days, &filter).await.map_err(|error| format!("{error:?}"))
        }),
        call!(limited(), |s, (period, filter, limit)| s.core_stats.top_users(period, &filter, limit)),
        call!(limited(), |s, (period, filter, limit)| s.core_stats.top_agents(period, &filter, limit)),
        call!(limited(), |s, (period, filter, limit)| s.core_stats.top_tools(period, &filter, limit)),
        call!(limited(), |s, (period, filter, limit)| s
            .core_stats
            .recent_conversations(period, &filter, limit)),
        call!(asked(), |s, (period, filter)| s.core_stats.conversations(period, &filter)),
        call!(limited(), |s, (period, filter, limit)| s
            .core_stats
            .conversations_by_agent(period, &filter, limit)),
        call!(asked(), |s, (period, filter)| s.queries.ai_usage(period, &filter)),
        call!(limited(), |s, (period, filter, limit)| s.queries.provider_usage(period, &filter, limit)),
        call!(asked(), |s, (period, filter)| s.queries.traffic(period, &filter)),
        call!((limited(), select(dimensions)), |s, ((period, filter, limit), dimension)| {
            s.queries.breakdown(period, dimension, &filter, limit)
        }),
        call!((windows, report_filter(), limit()), |s, (windows, filter, limit)| {
            s.queries.content(&windows, &filter, limit)
        }),
        call!(limited(), |s, (period, filter, limit)| s.queries.errors(period, &filter, limit)),
    ]
    .boxed()
}

fn session() -> impl Strategy<Value = AnalyticsSession> {
    let who = (session_id(), 0u128..3, fingerprint(), option::of(user()));
    let class = option::of((select(&Class::ALL[..]), any::<bool>()));
    (strategies::analytics_session(), who, time(), 0i64..90, class).prop_map(
        |(any, who, start, minutes, class)| {
            let any = any.into_record();
            let verdict = class.map(|(class, hostile)| analytics_domain::session::SessionVerdict {
                class,
                score: analytics_domain::session::Points::default(),
                hostile,
                declared: None,
                signals: analytics_domain::session::SignalList::default(),
                ruleset_version: Text::cut("1"),
            });
            let record = SessionRecord {
                id: who.0,
                visitor: VisitorId::from_u128(who.1),
                fingerprint: who.2,
                user: who.3,
                started_at: start,
                last_activity_at: start + TimeDelta::minutes(minutes),
                verdict,
                ..any
            };
            record.try_into().unwrap()
        },
    )
}

fn event() -> impl Strategy<Value = AnalyticsEvent> {
    let name = select(vec!["view", "sign_up"]).prop_map(|name| EventName::new(name).unwrap());
    (stamped(EventId::at), session_id(), name, strategies::event_properties()).prop_map(
        |((id, at), session, name, properties)| {
            AnalyticsEvent::new(id, session, name, properties, at).unwrap()
        },
    )
}

fn request() -> impl Strategy<Value = RequestRow> {
    let path = select(vec!["/", "/a", "/B", "/é"]);
    (strategies::request_row(), stamped(EventId::at), session_id(), 0u128..3, path).prop_map(
        |(row, (id, at), session, visitor, path)| {
            let visitor = VisitorId::from_u128(visitor);
            let record =
                RequestRecord { id, at, session, visitor, path: Text::cut(path), ..row.into_record() };
            record.try_into().unwrap()
        },
    )
}

fn beacon() -> impl Strategy<Value = EngagementEvent> {
    (strategies::engagement_event(), stamped(EventId::at), session_id()).prop_map(
        |(event, (id, at), session)| {
            EngagementEvent::try_from(EngagementRecord { id, at, session, ..event.record().clone() }).unwrap()
        },
    )
}

/// An id and the time that is in it.
fn stamped<I: Debug + Copy + 'static>(
    id: fn(DateTime<Utc>, u128) -> Option<I>,
) -> impl Strategy<Value = (I, DateTime<Utc>)> {
    (time(), 0u128..3).prop_map(move |(at, number)| (id(at, number).unwrap(), at))
}

fn session_filter() -> impl Strategy<Value = SessionFilter> {
    let times = (option::of(time()), option::of(time()));
    let who = (option::of(0u128..3), option::of(fingerprint()));
    (times, who, option::of(select(&Class::ALL[..])), option::of(any::<bool>())).prop_map(
        |(times, who, class, open)| SessionFilter {
            started_from: times.0,
            started_before: times.1,
            visitor: who.0.map(VisitorId::from_u128),
            fingerprint: who.1,
            class,
            open,
        },
    )
}

/// Nothing, or one part.
fn report_filter() -> impl Strategy<Value = ReportFilter> {
    let parts = vec![
        (FilterKey::Class, "bot"),
        (FilterKey::Class, "human"),
        (FilterKey::Channel, "direct"),
        (FilterKey::Device, "desktop"),
        (FilterKey::User, "ann"),
        (FilterKey::Agent, "planner"),
        (FilterKey::Tool, "planner"),
    ];
    option::weighted(0.4, select(parts)).prop_map(|part| match part {
        Some((key, value)) => ReportFilter::default().with(key, value).unwrap(),
        None => ReportFilter::default(),
    })
}

/// Within about two months, some of them equal, none of them a whole second.
fn time() -> impl Strategy<Value = DateTime<Utc>> {
    (0i64..40).prop_map(|step| {
        DateTime::from_timestamp_micros(1_700_000_000_123_457).unwrap() + TimeDelta::hours(step * 31)
    })
}

fn period() -> impl Strategy<Value = Period> {
    (time(), time()).prop_map(|(a, b)| {
        Period::new(a.min(b), a.max(b) + TimeDelta::microseconds(i64::from(a == b))).unwrap()
    })
}

fn session_id() -> impl Strategy<Value = SessionId> {
    select(vec![0, 1, 1 << 64, u128::MAX - 1, u128::MAX]).prop_map(SessionId::from_u128)
}

fn fingerprint() -> impl Strategy<Value = FingerprintHash> {
    select(vec![0, 1, u128::MAX]).prop_map(FingerprintHash::from_u128)
}

fn user() -> impl Strategy<Value = UserId> {
    select(vec!["ann", "Bob", "zoë"]).prop_map(|name| UserId::new(name).unwrap())
}

fn agent() -> impl Strategy<Value = Name> {
    select(vec!["planner", "Writer", "é"]).prop_map(|name| Name::new(name).unwrap())
}

fn version() -> impl Strategy<Value = Version> {
    (0usize..3).prop_map(|steps| (0..steps).fold(Version::FIRST, |version, _| version.next()))
}

fn limit() -> impl Strategy<Value = BatchLimit> {
    select(vec![1, 2, 3, 500]).prop_map(|rows| BatchLimit::new(rows).unwrap())
}
