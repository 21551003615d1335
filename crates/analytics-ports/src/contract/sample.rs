//! Values that cases keep: whole ones, at the edges of what their types allow.

use std::collections::BTreeMap;

use analytics_domain::audit::{AuditAction, AuditEntry, AuditRecord, AuditSubject};
use analytics_domain::detector::{Class, HeaderMarks, ReferrerFacts};
use analytics_domain::engagement::{
    EngagementEvent, EngagementFigures, EngagementRecord, Implausible, ImplausibleSet, ReadingPattern,
};
use analytics_domain::event::{AnalyticsEvent, EventName, EventProperties, PropertyValue};
use analytics_domain::features::{
    BehavioralFigures, CatalogueVersion, FeatureVector, FeaturesRecord, MlBehavioralFeatures,
};
use analytics_domain::ids::{EventId, FingerprintHash, SessionId, UserId, VisitorId};
use analytics_domain::label::{Label, LabelClass, LabelRecord, LabelSource};
use analytics_domain::request::channel::Channel;
use analytics_domain::request::{HttpVersion, Method, Probe, ProbeKind, ProbeStrength, RequestKind};
use analytics_domain::request_row::{RequestDecision, RequestFacts, RequestRecord, RequestRow};
use analytics_domain::session::{
    AnalyticsSession, Campaign, DeclaredAs, NanoDollars, NewSession, Points, SessionClient, SessionCounters,
    SessionOrigin, SessionPlace, SessionRecord, SessionVerdict, SignalList, SignalSummary, Text,
};
use analytics_domain::throttle::{RefusalReason, ThrottleLevel};
use analytics_domain::user_agent::{AutomationKind, DeviceType};
use chrono::{DateTime, Utc};

use crate::page::BatchLimit;

/// This many microseconds after a time that is itself no whole second.
pub(super) fn at(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_700_000_000_123_457 + micros).expect("samples stay near 2023")
}

/// The open session with this id, of fingerprint 1, that starts at `at(start)` and was last active then.
pub(super) fn session(id: u128, start: i64) -> AnalyticsSession {
    session_of(id, 1, start)
}

/// The open session with this id and fingerprint that starts at `at(start)` and was last active then.
pub(super) fn session_of(id: u128, fingerprint: u128, start: i64) -> AnalyticsSession {
    let new = NewSession {
        visitor: VisitorId::from_u128(id),
        fingerprint: FingerprintHash::from_u128(fingerprint),
        user: None,
        network: None,
        client: SessionClient::default(),
        origin: SessionOrigin::default(),
        place: SessionPlace::default(),
    };
    AnalyticsSession::start(SessionId::from_u128(id), new, at(start)).expect("times are whole microseconds")
}

/// The session with its last activity moved.
pub(super) fn active_at(session: &AnalyticsSession, micros: i64) -> AnalyticsSession {
    let record = SessionRecord { last_activity_at: at(micros), ..session.record().clone() };
    record.try_into().expect("samples move activity forward")
}

/// A session in which every field is set, at the edge of what it allows where there is one.
pub(super) fn full_session() -> AnalyticsSession {
    let most = i64::MAX as u64;
    SessionRecord {
        id: SessionId::from_u128(u128::MAX),
        visitor: VisitorId::from_u128(0),
        fingerprint: FingerprintHash::from_u128(1 << 127),
        user: Some(UserId::new("ann'; -- \"\\ \u{1F980}").expect("it has 1 to 128 bytes")),
        network: Some("2001:db8::/48".parse().expect("it is a network")),
        client: SessionClient {
            user_agent: Some(Text::cut(&"Mozilla/5.0 (\u{202e}e\u{301}) %00 \t".repeat(40))),
            device: DeviceType::Tablet,
            browser: Some(Text::cut("Firefox")),
            browser_version: Some(Text::cut("140.0")),
            os: Some(Text::cut("Android")),
            os_version: Some(Text::cut("16")),
            locale: Some(Text::cut("zh-Hant-TW-x-aaaaaaaa-bbbbbbbb-ccccccc")),
        },
        origin: SessionOrigin {
            channel: Channel::AiAssistant,
            referrer_host: Some(Text::cut("www.example.org")),
            referrer_url: Some(Text::cut("https://www.example.org/?q=\u{20ac}")),
            campaign: Campaign {
                source: Some(Text::cut("letter")),
                medium: Some(Text::cut("")),
                campaign: Some(Text::cut(&"s".repeat(256))),
                content: Some(Text::cut("100%")),
                term: Some(Text::cut("a+b")),
            },
            landing_page: Some(Text::cut("/a b")),
            entry_url: Some(Text::cut("https://example.com/a%20b?x=1")),
        },
        place: SessionPlace {
            country: "DK".parse().ok(),
            region: Some(Text::cut("Hovedstaden")),
            city: Some(Text::cut("K\u{f8}benhavn")),
        },
        started_at: DateTime::from_timestamp_micros(-1).expect("it is just before 1970"),
        last_activity_at: at(999_999),
        end_reason: Some(analytics_domain::session::EndReason::Evicted),
        counters: SessionCounters {
            requests: most,
            page_views: most - 1,
            assets: most - 2,
            client_errors: most - 3,
            server_errors: most - 4,
            refused: most - 5,
            engagement_events: most - 6,
            ai_requests: most - 7,
            unpriced_ai_requests: most - 8,
            tasks: most - 9,
            messages: most - 10,
            tokens: most - 11,
            cost: NanoDollars::new(i64::MIN),
        },
        verdict: Some(verdict(Class::AiAgent)),
        throttle_level: ThrottleLevel::Warning,
        max_throttle_level: ThrottleLevel::Blocked,
    }
    .try_into()
    .expect("the sample keeps every rule of a session")
}

/// A verdict of this class in which every field is set.
pub(super) fn verdict(class: Class) -> SessionVerdict {
    let signal = |name: &str, hundredths| SignalSummary {
        signal: Text::cut(name),
        category: Text::cut("volume"),
        points: Points::from_hundredths(hundredths).expect("it is at most 10,000"),
        decisive: hundredths == 1,
        evidence: Text::cut("61 > 50"),
    };
    SessionVerdict {
        class,
        score: Points::from_hundredths(9_999).expect("it is at most 10,000"),
        hostile: true,
        declared: Some(DeclaredAs {
            kind: AutomationKind::AiUserFetch,
            name: Some(Text::cut("Bot \u{1F916}")),
        }),
        signals: SignalList::first_of([signal("high_request_count", 3_000), signal("b", 1), signal("a", 0)]),
        ruleset_version: Text::cut("1"),
    }
}

/// The event with this number in its id, in this session, at `at(micros)`.
pub(super) fn event(number: u128, session: u128, micros: i64) -> AnalyticsEvent {
    event_named("view", number, session, micros)
}

/// The event with this name and number.
pub(super) fn event_named(name: &str, number: u128, session: u128, micros: i64) -> AnalyticsEvent {
    let properties = EventProperties::new(BTreeMap::from([
        ("\u{20ac} '\"\\".to_owned(), PropertyValue::Text("\u{1F980}\n\t\u{1}".to_owned())),
        ("integer".to_owned(), PropertyValue::Integer(i64::MIN)),
        ("large".to_owned(), PropertyValue::Number(f64::MAX)),
        ("small".to_owned(), PropertyValue::Number(5e-324)),
        ("third".to_owned(), PropertyValue::Number(1.0 / 3.0)),
        ("whole".to_owned(), PropertyValue::Number(3.0)),
        ("yes".to_owned(), PropertyValue::Bool(true)),
    ]))
    .expect("the properties are in their bounds");
    let (at, name) = (at(micros), EventName::new(name).expect("it is a name"));
    let id = EventId::at(at, number).expect("the time is past 1970");
    AnalyticsEvent::new(id, SessionId::from_u128(session), name, properties, at)
        .expect("the id is of that time")
}

/// The admitted request with this number in its id, in this session, at `at(micros)`.
pub(super) fn request(number: u128, session: u128, micros: i64) -> RequestRow {
    let bare = bare_request(number, session, micros).into_record();
    let facts = RequestFacts { number: Some(number as u64), ..bare.facts };
    let known = RequestRecord { status: Some(200), bytes: Some(number as u64), facts, ..bare };
    known.try_into().expect("the sample keeps every rule of a row")
}

/// The request of which only what must be known is known.
pub(super) fn bare_request(number: u128, session: u128, micros: i64) -> RequestRow {
    RequestRecord {
        id: EventId::at(at(micros), number).expect("the time is past 1970"),
        session: SessionId::from_u128(session),
        visitor: VisitorId::from_u128(0),
        fingerprint: FingerprintHash::from_u128(u128::MAX),
        at: at(micros),
        arrival: 0,
        method: Method::Get,
        version: None,
        path: Text::cut(""),
        kind: RequestKind::Page,
        status: None,
        bytes: None,
        duration_us: None,
        referrer_host: None,
        charged: false,
        decision: RequestDecision::Admitted,
        facts: RequestFacts {
            page: 0,
            directory: 0,
            number: None,
            probe: None,
            trap: false,
            referrer: ReferrerFacts::Unobserved,
            campaign: None,
            headers: None,
        },
    }
    .try_into()
    .expect("the sample keeps every rule of a row")
}

/// Forty requests of this session in which every field is set, at the edge of what it allows where there is one; every
/// variant of every enum is among them, and the first ten are of the ten kinds.
pub(super) fn full_requests(session: u128) -> Vec<RequestRow> {
    let most = i64::MAX as u64;
    let referrers = [
        ReferrerFacts::Unobserved,
        ReferrerFacts::Missing,
        ReferrerFacts::Internal { page: u64::MAX, root: true },
        ReferrerFacts::External { host: 1 << 63, shared: true, spam: false },
    ];
    let probes = [ProbeKind::Admin, ProbeKind::Backup, ProbeKind::Credential, ProbeKind::Exploit];
    let row = |number: usize| RequestRecord {
        visitor: VisitorId::from_u128(u128::MAX - number as u128),
        fingerprint: FingerprintHash::from_u128(1 << 127),
        arrival: u32::MAX - number as u32,
        method: Method::ALL[number % 8],
        version: Some(HttpVersion::ALL[number % 5]),
        path: Text::cut(&"/a'; -- %00\u{1F980}\u{202e}\\\"\t".repeat(60)),
        kind: RequestKind::ALL[number % 10],
        status: Some(u16::MAX - number as u16),
        bytes: Some(most),
        duration_us: Some(most - 1),
        referrer_host: Some(Text::cut("xn--kbenhavn-54a.example")),
        charged: number % 2 < 1,
        decision: match (number % 3, RefusalReason::ALL[number % 5]) {
            (0, reason) => RequestDecision::Refused(reason),
            (1, reason) => RequestDecision::WouldRefuse(reason),
            (_, _) => RequestDecision::Admitted,
        },
        facts: RequestFacts {
            page: u64::MAX,
            directory: (1 << 63) + number as u64,
            number: Some(most),
            probe: Some(Probe {
                kind: probes[number % 4],
                strength: [ProbeStrength::Weak, ProbeStrength::Strong][number % 2],
            }),
            trap: number % 2 == 1,
            referrer: referrers[number % 4],
            campaign: Some(u64::MAX - 1),
            headers: Some(HeaderMarks { impossible: number % 2 < 1, hints_missing: number % 4 < 2 }),
        },
        ..bare_request(u128::MAX - number as u128, session, number as i64 * 333).into_record()
    };
    (0..40).map(|number| row(number).try_into().expect("the sample keeps every rule of a row")).collect()
}

/// The bound event of engagement with this number in its id, in this session, at `at(micros)`; every fourth is of the
/// same page.
pub(super) fn engagement(number: u128, session: u128, micros: i64) -> EngagementEvent {
    let small = number as u32 % 1_000;
    let bare = bare_engagement(number, session, micros).into_record();
    let figures = EngagementFigures {
        time_on_page_ms: (!number.is_multiple_of(3)).then_some(1_000 + small),
        visible_time_ms: Some(small),
        max_scroll_depth: (number % 3 != 1).then_some(small as u8 % 101),
        click_count: Some(small % 4),
        is_rage_click: Some(number % 4 == 1),
        is_dead_click: (!number.is_multiple_of(5)).then_some(number % 2 == 1),
        ..EngagementFigures::default()
    };
    let page_url = Text::cut(&format!("/{}", number % 4));
    let (bound, reading_pattern) = (number % 5 < 3, Some(ReadingPattern::Read));
    let known = EngagementRecord { page_url, bound, figures, reading_pattern, ..bare };
    known.try_into().expect("the sample keeps every rule of engagement")
}

/// The event of engagement that tells nothing but its page.
pub(super) fn bare_engagement(number: u128, session: u128, micros: i64) -> EngagementEvent {
    EngagementRecord {
        id: EventId::at(at(micros), number).expect("the time is past 1970"),
        session: SessionId::from_u128(session),
        at: at(micros),
        page_url: Text::cut("/"),
        bound: false,
        figures: EngagementFigures::default(),
        reading_pattern: None,
        implausible: ImplausibleSet::default(),
    }
    .try_into()
    .expect("the sample keeps every rule of engagement")
}

/// Ten events of engagement of this session in which every figure is set, at the edge of what it allows; every reading
/// pattern and every implausible claim is among them.
pub(super) fn full_engagement(session: u128) -> Vec<EngagementEvent> {
    let most = i32::MAX as u32;
    let event = |number: usize| EngagementRecord {
        page_url: Text::cut(&"https://example.org/\u{1F980}?a='\"\\&b=%00#\u{202e} ".repeat(30 + number)),
        bound: number % 2 < 1,
        figures: EngagementFigures {
            time_on_page_ms: Some(most),
            time_to_first_interaction_ms: Some(most - 1),
            time_to_first_scroll_ms: Some(0),
            max_scroll_depth: Some(100 - number as u8),
            scroll_velocity_avg: Some([f64::MAX, 1.0 / 3.0, 5e-324][number % 3]),
            scroll_direction_changes: Some(most - 2),
            click_count: Some(most - 3),
            mouse_move_distance_px: Some(most - 4),
            mouse_path_entropy: Some([3.0, 2.0 / 3.0][number % 2]),
            keyboard_events: Some(most - 5),
            copy_events: Some(most - 6),
            focus_time_ms: Some(most - 7),
            blur_count: Some(most - 8),
            tab_switches: Some(most - 9),
            visible_time_ms: Some(most - 10),
            hidden_time_ms: Some(most - 11),
            is_rage_click: Some(number % 2 < 1),
            is_dead_click: Some(number % 3 < 1),
        },
        reading_pattern: Some(ReadingPattern::ALL[number % 5]),
        implausible: Implausible::ALL
            .into_iter()
            .filter(|_| number % 4 < 3)
            .skip(number)
            .fold(ImplausibleSet::default(), ImplausibleSet::with),
        ..bare_engagement(u128::MAX - number as u128, session, number as i64 * 333).into_record()
    };
    (0..10)
        .map(|number| event(number).try_into().expect("the sample keeps every rule of engagement"))
        .collect()
}

/// What this source says of this session at `at(micros)`: a bot.
pub(super) fn label(session: u128, source: LabelSource, micros: i64) -> Label {
    LabelRecord {
        session: SessionId::from_u128(session),
        source,
        class: LabelClass::Bot,
        confidence: Points::from_hundredths(9_000).expect("it is at most 10,000"),
        at: at(micros),
        author: None,
    }
    .try_into()
    .expect("the sample keeps every rule of a label")
}

/// The features of this session after this catalogue, of which nothing is known.
pub(super) fn bare_features(session: u128, catalogue: u32, as_of: i64) -> MlBehavioralFeatures {
    FeaturesRecord {
        session: SessionId::from_u128(session),
        catalogue: CatalogueVersion::new(catalogue).expect("catalogues count from 1"),
        as_of: at(as_of),
        figures: BehavioralFigures::default(),
        feature_vector: FeatureVector::default(),
    }
    .try_into()
    .expect("the sample keeps every rule of features")
}

/// Features in which every figure is set, at the edge of what it allows, and the vector has values and gaps.
pub(super) fn full_features() -> MlBehavioralFeatures {
    let (most, long) = (Some(i32::MAX as u32), Some(i64::MAX as u64));
    let vector =
        [Some(f64::MAX), None, Some(-0.0), Some(5e-324), Some(1.0 / 3.0), None, Some(f64::MIN), None];
    FeaturesRecord {
        session: SessionId::from_u128(u128::MAX),
        catalogue: CatalogueVersion::new(i32::MAX as u32).expect("it is the last one"),
        as_of: DateTime::from_timestamp_micros(-1).expect("it is just before 1970"),
        figures: BehavioralFigures {
            session_duration_seconds: Some(f64::MAX),
            total_requests: long,
            unique_pages_visited: long.map(|long| long - 1),
            avg_time_between_requests_ms: Some(1.0 / 3.0),
            request_time_variance: Some(5e-324),
            referrer_present: Some(false),
            has_javascript: Some(true),
            accepts_cookies: Some(false),
            viewport_width: most,
            viewport_height: most.map(|most| most - 1),
            avg_scroll_depth: Some(200.0 / 3.0),
            max_scroll_depth: Some(100.0),
            avg_time_on_page_ms: Some(1e300),
            total_clicks: long.map(|long| long - 2),
            avg_mouse_speed: Some(0.1),
            mouse_movement_entropy: Some(3.0),
            time_pattern_regularity: Some(1.0),
            request_burst_count: most.map(|most| most - 2),
            headless_indicators: most.map(|most| most - 3),
            automation_indicators: most.map(|most| most - 4),
            fingerprint_anomaly_score: Some(f64::MIN),
        },
        feature_vector: FeatureVector::new(vector.to_vec()).expect("they are finite"),
    }
    .try_into()
    .expect("the sample keeps every rule of features")
}

/// The entry with this number in its id, about this session, at `at(micros)`.
pub(super) fn audit(number: u128, session: u128, micros: i64) -> AuditEntry {
    AuditRecord {
        id: EventId::at(at(micros), number).expect("the time is past 1970"),
        at: at(micros),
        actor: Text::cut("ann"),
        action: AuditAction::ClearAsHuman,
        subject: AuditSubject::Session(SessionId::from_u128(session)),
        reason: None,
        details: EventProperties::default(),
    }
    .try_into()
    .expect("the sample keeps every rule of the audit")
}

/// A limit of this many rows.
pub(super) fn limit(rows: u32) -> BatchLimit {
    BatchLimit::new(rows).expect("cases ask for 1 to 10,000 rows")
}
