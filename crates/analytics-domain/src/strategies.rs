//! Proptest strategies for the types of this crate, for anyone's property tests (feature `strategies`).
//!
//! A strategy without another word gives everything that its type allows; one that is called realistic gives what
//! visitors of a small site do, so that sessions, pages and referrers meet each other. The feature needs `std`, since
//! proptest does; the crate without it does not.
//!
//! ```
//! use analytics_domain::detector::{ServedPages, SessionProfile};
//! use analytics_domain::strategies::{Lines, sequence};
//! use proptest::test_runner::TestRunner;
//!
//! let mut runner = TestRunner::deterministic();
//! let property = runner.run(&sequence(0..50), |Lines(lines)| {
//!     let (mut profile, mut served) = (SessionProfile::default(), ServedPages::default());
//!     for (at_us, request) in &lines {
//!         profile.observe(&mut served, &request.observation(), *at_us);
//!     }
//!     assert_eq!(profile.counts.requests as usize, lines.len());
//!     Ok(())
//! });
//! assert_eq!(property, Ok(()));
//! ```

mod usage;

pub use usage::{
    ai_request, conversation, message, name, request_cost, task, token_counts, tool_execution, usage_status,
};

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use xxhash_rust::xxh3::xxh3_64;

use crate::audit::{AuditAction, AuditEntry, AuditRecord, AuditSubject};
use crate::detector::policy::{Points, Share};
use crate::detector::{
    AgentFacts, CategoryPolicy, DetectorPolicy, Engine, HeaderMarks, History, Observation, ReferrerFacts,
    SevenSignalPolicy, SharedView, Verification,
};
use crate::engagement::{
    CreateEngagementEventInput, EngagementContext, EngagementEvent, EngagementPolicy, EngagementSettings,
};
use crate::event::{EventProperties, PropertyValue};
use crate::features::{
    BehavioralFigures, CatalogueVersion, FeatureVector, FeaturesRecord, MlBehavioralFeatures,
};
use crate::ids::{AnomalyEventId, BanId, EventId, FingerprintHash, SessionId, UserId, VisitorId};
use crate::label::{Label, LabelClass, LabelRecord, LabelSource};
use crate::request::{
    Channel, ClientNetwork, HttpVersion, Method, Network, Probe, ProbeKind, ProbeStrength, RequestKind,
};
use crate::request_row::{RequestDecision, RequestFacts, RequestRecord, RequestRow};
use crate::session::{
    AnalyticsSession, Campaign, EndReason, LandingPage, NewSession, SessionClient, SessionCounters,
    SessionOrigin, SessionPlace, SessionPolicy, SessionUpdate, Text,
};
use crate::throttle::{
    EscalationPolicy, EscalationSettings, Mode, QuotaPolicy, RefusalReason, ThrottleLevel, ThrottlePolicy,
    ThrottleSettings,
};
use crate::user_agent::{AutomationKind, DeviceType};

pub use crate::anomaly::strategies::{
    anomaly_event, anomaly_level, anomaly_threshold, band, finite, metric_name, unit_score,
};

/// A request that owns its path, and lends itself as an [`Observation`].
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each field is the one of the same name in `Observation`")]
pub struct ArbitraryRequest {
    pub method: Method,
    pub kind: RequestKind,
    pub version: Option<HttpVersion>,
    pub status: Option<u16>,
    pub path: String,
    pub page: u64,
    pub directory: u64,
    pub number: Option<u64>,
    pub probe: Option<Probe>,
    pub trap: bool,
    pub referrer: ReferrerFacts,
    pub campaign: Option<u64>,
    pub headers: Option<HeaderMarks>,
}

/// Requests with their times in microseconds since the epoch, in the order in which they come.
#[derive(Debug, Clone, PartialEq)]
pub struct Lines(pub Vec<(i64, ArbitraryRequest)>);

impl ArbitraryRequest {
    /// The request as the rules see it.
    pub fn observation(&self) -> Observation<'_> {
        Observation {
            method: self.method,
            kind: self.kind,
            version: self.version,
            status: self.status,
            path: &self.path,
            page: self.page,
            directory: self.directory,
            number: self.number,
            probe: self.probe,
            trap: self.trap,
            referrer: self.referrer,
            campaign: self.campaign,
            headers: self.headers,
        }
    }

    /// A GET of this path that was answered with 200, and of which nothing else is known. The last digits of the path
    /// are its number, and what stands before the last slash its directory.
    pub fn page(path: &str) -> Self {
        let digits = path.len() - path.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let directory = &path[..path.rfind('/').unwrap_or(0)];
        Self {
            method: Method::Get,
            kind: RequestKind::Page,
            version: None,
            status: Some(200),
            path: path.into(),
            page: xxh3_64(path.as_bytes()),
            directory: xxh3_64(directory.as_bytes()),
            number: path[path.len() - digits..].parse().ok(),
            probe: None,
            trap: false,
            referrer: ReferrerFacts::Unobserved,
            campaign: None,
            headers: None,
        }
    }
}

/// Any request: no field knows of another.
pub fn request() -> impl Strategy<Value = ArbitraryRequest> {
    let what = (method(), kind(), option::of(version()), option::of(status()), "[ -~]{0,100}");
    let page = (any::<u64>(), any::<u64>(), option::of(any::<u64>()), option::of(probe()), any::<bool>());
    let rest = (referrer(), option::of(any::<u64>()), option::of(header_marks()));
    (what, page, rest).prop_map(|(what, page, rest)| ArbitraryRequest {
        method: what.0,
        kind: what.1,
        version: what.2,
        status: what.3,
        path: what.4,
        page: page.0,
        directory: page.1,
        number: page.2,
        probe: page.3,
        trap: page.4,
        referrer: rest.0,
        campaign: rest.1,
        headers: rest.2,
    })
}

/// A realistic request: one of twelve pages, an asset of one, a form, a probe, robots.txt; referrers are pages of the
/// site, other sites, missing or not recorded.
pub fn realistic_request() -> impl Strategy<Value = ArbitraryRequest> {
    let referrer = prop_oneof![
        3 => (0u8..12).prop_map(|n| site_referrer(&site_page(n))),
        2 => Just(ReferrerFacts::Missing),
        1 => Just(ReferrerFacts::Unobserved),
        1 => (0u64..3, any::<bool>(), any::<bool>())
            .prop_map(|(host, shared, spam)| ReferrerFacts::External { host, shared, spam }),
    ];
    let status = prop_oneof![
        8 => Just(Some(200)),
        1 => Just(None),
        2 => select(&[301u16, 302, 304, 401, 403, 404, 429, 500, 503][..]).prop_map(Some),
    ];
    let what = prop_oneof![
        8 => (0u8..12).prop_map(|n| (Method::Get, RequestKind::Page, site_page(n))),
        5 => (0u8..6).prop_map(|n| (Method::Get, RequestKind::Asset, format!("/static/{n}.css"))),
        1 => Just((Method::Get, RequestKind::Favicon, "/favicon.ico".into())),
        2 => (0u8..12).prop_map(|n| (Method::Post, RequestKind::Api, site_page(n))),
        1 => (0u8..12).prop_map(|n| (Method::Head, RequestKind::Page, site_page(n))),
        1 => Just((Method::Get, RequestKind::Robots, "/robots.txt".into())),
        1 => (method(), kind(), 0u8..12).prop_map(|(method, kind, n)| (method, kind, site_page(n))),
    ];
    let rest = (
        option::of(version()),
        option::weighted(0.1, probe()),
        prop::bool::weighted(0.02),
        option::weighted(0.05, 0u64..3),
        option::weighted(0.3, header_marks()),
    );
    (what, status, referrer, rest).prop_map(|((method, kind, path), status, referrer, rest)| {
        let (version, probe, trap, campaign, headers) = rest;
        let page = ArbitraryRequest::page(&path);
        ArbitraryRequest { method, kind, version, status, probe, trap, referrer, campaign, headers, ..page }
    })
}

/// Realistic requests in the order of their times, many of them at equal ones.
pub fn sequence(len: Range<usize>) -> impl Strategy<Value = Lines> {
    (start(), vec((step(), realistic_request()), len)).prop_map(|(start, moves)| {
        let mut now = start;
        Lines(
            moves
                .into_iter()
                .map(|(step, request)| {
                    now += step;
                    (now, request)
                })
                .collect(),
        )
    })
}

/// As [`sequence`], and every fourth request or so comes late: up to two minutes, seldom hours.
pub fn disordered_sequence(len: Range<usize>) -> impl Strategy<Value = Lines> {
    let behind = prop_oneof![6 => Just(0), 2 => 0..120 * SECOND_US, 1 => 0..5 * HOUR_US];
    (start(), vec((step(), behind, realistic_request()), len)).prop_map(|(start, moves)| {
        let mut now = start;
        Lines(
            moves
                .into_iter()
                .map(|(step, behind, request)| {
                    now += step;
                    (now - behind, request)
                })
                .collect(),
        )
    })
}

/// Any client network: an IPv4 address, or an IPv6 block of 16 to 64 bits.
pub fn client_network() -> impl Strategy<Value = ClientNetwork> {
    prop_oneof![
        any::<u32>().prop_map(ClientNetwork::V4),
        (any::<u64>(), 16u8..=64).prop_map(|(bits, prefix)| {
            let bits = bits & u64::MAX << (64 - u32::from(prefix));
            ClientNetwork::V6 { bits, prefix }
        }),
    ]
}

/// Any facts of an agent, also those that no text gives.
pub fn agent_facts() -> impl Strategy<Value = AgentFacts> {
    let marks = (any::<u64>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let engine = (select(&[Engine::Chrome, Engine::Firefox][..]), any::<u16>());
    let verification = select(&[Verification::Verified, Verification::Spoofed, Verification::Unknown][..]);
    let declared = option::weighted(0.3, select(&AutomationKind::ALL[..]));
    (marks, declared, option::of(engine), option::of(any::<i32>()), verification).prop_map(
        |((hash, observed, missing, browser, text_only), declared, engine, released, verification)| {
            AgentFacts {
                hash,
                observed,
                missing,
                browser,
                text_only,
                declared,
                engine,
                released,
                verification,
            }
        },
    )
}

/// What is remembered of any visitor.
pub fn history() -> impl Strategy<Value = History> {
    let counts = (count(), any::<u16>(), prop_oneof![0f32..100.0, Just(f32::MAX)]);
    let marks = (any::<bool>(), any::<bool>(), 0u16..10, 0u16..10);
    let shared = (count(), 0f32..1e9);
    (counts, marks, shared, vec(0i64..DAY_US, 0..10)).prop_map(|(counts, marks, shared, mut starts)| {
        starts.sort_unstable();
        let mut history = History {
            sessions_in_day: counts.0,
            bare_sessions: counts.1,
            expected_loads: counts.2,
            ever_loaded: marks.0,
            flagged: marks.1,
            network_addresses: marks.2,
            agents_of_address: marks.3,
            shared: SharedView { seen: shared.0, expected: shared.1 },
            ..History::default()
        };
        for start in starts {
            history.starts.push(start);
        }
        history
    })
}

/// Any policy of the detector, of either scoring.
pub fn detector_policy() -> impl Strategy<Value = DetectorPolicy> {
    prop_oneof![
        category_policy().prop_map(|policy| DetectorPolicy::Categories(Box::new(policy))),
        seven_signal_policy().prop_map(DetectorPolicy::SevenSignal),
    ]
}

/// Any policy of categories: the default, or every number anew.
pub fn category_policy() -> impl Strategy<Value = CategoryPolicy> {
    prop_oneof![1 => Just(CategoryPolicy::default()), 3 => from_numbers()]
}

/// Any policy of the seven signals: the default, or every number anew.
pub fn seven_signal_policy() -> impl Strategy<Value = SevenSignalPolicy> {
    prop_oneof![1 => Just(SevenSignalPolicy::default()), 3 => from_numbers()]
}

/// Any quota that is accepted.
pub fn quota_policy() -> impl Strategy<Value = QuotaPolicy> {
    let realistic = (1u32..2_000, 1..3_600 * SECOND_US, 1u32..500);
    let extreme = (1..=u32::MAX, 1..=DAY_US, 1..=u32::MAX);
    prop_oneof![4 => realistic.boxed(), 1 => extreme.boxed()].prop_filter_map(
        "it refills within a year",
        |(requests, window_us, burst)| {
            QuotaPolicy::new(requests, TimeDelta::microseconds(window_us), burst).ok()
        },
    )
}

/// Any escalation policy: the default, the seed's, or every number anew.
pub fn escalation_policy() -> impl Strategy<Value = EscalationPolicy> {
    let reasons = (any::<bool>(), 1u32..=255, 0.001f64..=1.0, any::<u32>(), any::<bool>(), any::<bool>());
    let preset = (option::of(0u8..=100), option::of(any::<u32>()));
    let times = (0f64..600.0, 0f64..600.0, 0f64..3_600.0, 0f64..3_600.0, 0f64..86_400.0, 0f64..172_800.0);
    let anew = (reasons, preset, times).prop_filter_map("it is accepted", |(reasons, preset, times)| {
        let min_dwell_seconds = times.0;
        let blocked_cooldown_seconds = min_dwell_seconds + times.3;
        EscalationPolicy::new(EscalationSettings {
            min_dwell_seconds,
            refusals: reasons.0,
            refusals_per_minute: reasons.1,
            error_share: reasons.2,
            error_min_responses: reasons.3,
            hostile_verdict: reasons.4,
            decisive_facts: reasons.5,
            bot_score: preset.0,
            requests_per_minute: preset.1,
            warning_cooldown_seconds: min_dwell_seconds + times.1,
            severe_cooldown_seconds: min_dwell_seconds + times.2,
            blocked_cooldown_seconds,
            blocked_cooldown_max_seconds: blocked_cooldown_seconds + times.4,
            block_memory_seconds: times.5,
        })
        .ok()
    });
    prop_oneof![1 => Just(EscalationPolicy::default()), 1 => Just(EscalationPolicy::seed()), 2 => anew]
}

/// Any settings of the throttle that are accepted.
pub fn throttle_settings() -> impl Strategy<Value = ThrottleSettings> {
    let quotas = (quota_policy(), quota_policy(), quota_policy());
    let percents = (1u8..=100).prop_flat_map(|warning| (Just(warning), 1..=warning));
    let factors = (1u32..100, 0u32..100, 0u32..100, 0u32..200, 0u8..=100);
    let mode = select(&[Mode::Off, Mode::Shadow, Mode::Enforce][..]);
    (mode, quotas, percents, escalation_policy(), factors).prop_filter_map(
        "it is accepted",
        |(mode, quotas, percents, escalation, factors)| {
            let settings = ThrottleSettings {
                mode,
                quota: quotas.0,
                warning_percent: percents.0,
                severe_percent: percents.1,
                crawler_quota: quotas.1,
                assets: quotas.2,
                escalation,
                network_factor: factors.0,
                ipv6_56_factor: factors.0 + factors.1,
                ipv6_48_factor: factors.0 + factors.1 + factors.2,
                engaged_factor_max: factors.3,
                retry_jitter_percent: factors.4,
            };
            ThrottlePolicy::new(settings.clone()).is_ok().then_some(settings)
        },
    )
}

/// Any session policy that is accepted.
pub fn session_policy() -> impl Strategy<Value = SessionPolicy> {
    let longest = 366 * DAY_US;
    let gap = prop_oneof![2 => SECOND_US..2 * HOUR_US, 1 => 1..=longest];
    let lengths = gap.prop_flat_map(move |gap| (Just(gap), gap..=longest));
    (lengths, 0..=longest, 0..=longest, any::<bool>()).prop_filter_map(
        "it is accepted",
        |((gap, length), lateness, window, split)| {
            let us = TimeDelta::microseconds;
            let policy = SessionPolicy::new(us(gap), us(length)).ok()?;
            let policy = policy.with_lateness(us(lateness)).ok()?.with_engagement_window(us(window)).ok()?;
            Some(policy.with_split_on_campaign(split))
        },
    )
}

/// Any time in whole microseconds that chrono can say.
pub fn time() -> impl Strategy<Value = DateTime<Utc>> {
    let (least, most) =
        (DateTime::<Utc>::MIN_UTC.timestamp_micros(), DateTime::<Utc>::MAX_UTC.timestamp_micros());
    prop_oneof![3 => 0..4_000_000_000 * SECOND_US, 1 => least..=most]
        .prop_filter_map("chrono can say it", DateTime::from_timestamp_micros)
}

/// What may be known when a session starts.
pub fn new_session() -> impl Strategy<Value = NewSession> {
    let who = (visitor_id(), fingerprint_hash(), option::of(user_id()), option::of(network()));
    (who, session_client(), session_origin(), session_place()).prop_map(|(who, client, origin, place)| {
        NewSession { visitor: who.0, fingerprint: who.1, user: who.2, network: who.3, client, origin, place }
    })
}

/// What requests may bring to a session, all but a verdict.
pub fn session_update() -> impl Strategy<Value = SessionUpdate> {
    let landing = (text(), option::of(text())).prop_map(|(path, url)| LandingPage { path, url });
    (
        option::of(time()),
        session_counters(),
        campaign(),
        option::of(landing),
        option::of(user_id()),
        option::of(level()),
    )
        .prop_map(|(activity_at, counters, campaign, landing, user, throttle_level)| SessionUpdate {
            activity_at,
            counters,
            campaign,
            landing,
            user,
            verdict: None,
            throttle_level,
        })
}

/// A session as its own transitions make it: started, brought up to date, perhaps ended.
pub fn analytics_session() -> impl Strategy<Value = AnalyticsSession> {
    (session_id(), new_session(), time(), session_update(), option::of(select(&EndReason::ALL[..])))
        .prop_filter_map("its times are in whole microseconds", |(id, new, at, update, end)| {
            let start = AnalyticsSession::start(id, new, at).ok()?;
            let session = start.clone().update(&SessionPolicy::default(), update).unwrap_or(start);
            match end {
                Some(reason) => session.end(reason).ok(),
                None => Some(session),
            }
        })
}

/// Any totals that a store can keep.
pub fn session_counters() -> impl Strategy<Value = SessionCounters> {
    let one =
        (kind(), option::of(status())).prop_map(|(kind, status)| SessionCounters::of_request(kind, status));
    let many = vec(0..=i64::MAX.unsigned_abs(), 6).prop_map(|n| SessionCounters {
        requests: n[0],
        page_views: n[1],
        assets: n[2],
        client_errors: n[3],
        refused: n[4],
        tokens: n[5],
        ..SessionCounters::NONE
    });
    prop_oneof![one, many]
}

/// Any row of a request.
pub fn request_row() -> impl Strategy<Value = RequestRow> {
    let who = (session_id(), visitor_id(), fingerprint_hash());
    let when = (event_time(), any::<u128>(), any::<u32>());
    let sizes = (option::of(number()), option::of(number()), option::of(text()), any::<bool>());
    (who, when, request(), sizes, request_decision()).prop_filter_map(
        "its time has an id",
        |(who, when, request, sizes, decision)| {
            let mut facts = RequestFacts::of(&request.observation());
            facts.number = facts.number.map(|number| number >> 1);
            let record = RequestRecord {
                id: EventId::at(when.0, when.1)?,
                session: who.0,
                visitor: who.1,
                fingerprint: who.2,
                at: when.0,
                arrival: when.2,
                method: request.method,
                version: request.version,
                path: Text::cut(&request.path),
                kind: request.kind,
                status: request.status,
                bytes: sizes.0,
                duration_us: sizes.1,
                referrer_host: sizes.2,
                charged: sizes.3,
                decision,
                facts,
            };
            record.try_into().ok()
        },
    )
}

/// Anything that a throttle may do with a request.
pub fn request_decision() -> impl Strategy<Value = RequestDecision> {
    let reason = || select(&RefusalReason::ALL[..]);
    prop_oneof![
        2 => Just(RequestDecision::Admitted),
        1 => reason().prop_map(RequestDecision::WouldRefuse),
        1 => reason().prop_map(RequestDecision::Refused),
    ]
}

/// Anything that a beacon may claim, also numbers that are none.
pub fn engagement_input() -> impl Strategy<Value = CreateEngagementEventInput> {
    let flags = (option::of(any::<bool>()), option::of(any::<bool>()));
    (vec(option::of(claim()), 16), flags, "/[a-c]{0,2}").prop_map(|(claims, flags, page_url)| {
        CreateEngagementEventInput {
            page_url,
            time_on_page_ms: claims[0],
            time_to_first_interaction_ms: claims[1],
            time_to_first_scroll_ms: claims[2],
            max_scroll_depth: claims[3],
            scroll_velocity_avg: claims[4],
            scroll_direction_changes: claims[5],
            click_count: claims[6],
            mouse_move_distance_px: claims[7],
            mouse_path_entropy: claims[8],
            keyboard_events: claims[9],
            copy_events: claims[10],
            focus_time_ms: claims[11],
            blur_count: claims[12],
            tab_switches: claims[13],
            visible_time_ms: claims[14],
            hidden_time_ms: claims[15],
            is_rage_click: flags.0,
            is_dead_click: flags.1,
            clicks: Vec::new(),
        }
    })
}

/// An event of engagement as a beacon makes it.
pub fn engagement_event() -> impl Strategy<Value = EngagementEvent> {
    let context = (event_time(), any::<u128>(), session_id(), any::<bool>());
    (context, engagement_input()).prop_filter_map(
        "its time has an id",
        |((at, entropy, session, bound), input)| {
            let id = EventId::at(at, entropy)?;
            let context = EngagementContext { id, session, page_served_at: None, bound };
            EngagementEvent::create(&EngagementPolicy::default(), context, &input, at).ok()
        },
    )
}

/// Any policy of engagement that is accepted: the default, or other limits of times and clicks.
pub fn engagement_policy() -> impl Strategy<Value = EngagementPolicy> {
    let limits = (0u32..=60_000, 0u32..=60_000, 1u32..=604_800_000, 1u32..=1_000, 2u32..=100);
    let anew = limits.prop_filter_map("it is accepted", |limits| {
        EngagementPolicy::new(EngagementSettings {
            time_slack_ms: limits.0,
            visibility_slack_ms: limits.1,
            time_max_ms: limits.2,
            clicks_per_second: limits.3,
            rage_clicks: limits.4,
            ..EngagementSettings::default()
        })
        .ok()
    });
    prop_oneof![1 => Just(EngagementPolicy::default()), 2 => anew]
}

/// Any number that a client may send, most of them possible ones.
fn claim() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => (0u32..100).prop_map(f64::from),
        3 => (0u32..100_000).prop_map(f64::from),
        1 => 0.0f64..120_000.0,
        1 => any::<f64>(),
        1 => select(&[-0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 2_147_483_648.0][..]),
    ]
}

/// Any label; times and authors are few, so that labels meet.
pub fn label() -> impl Strategy<Value = Label> {
    let what = (select(&LabelSource::ALL[..]), select(&LabelClass::ALL[..]), 0u16..=10_000);
    let when = prop_oneof![3 => (0i64..3).prop_filter_map("it is a time", DateTime::from_timestamp_micros), 1 => time()];
    let author = option::of(prop_oneof![select(&["ann", "bob"][..]).prop_map(String::from), "\\PC{1,40}"]);
    (session_id(), what, when, author).prop_filter_map("it is accepted", |(session, what, at, author)| {
        let (source, class, confidence) = what;
        let confidence = crate::session::Points::from_hundredths(confidence).ok()?;
        let author = author.map(|author| Text::cut(&author));
        Label::try_from(LabelRecord { session, source, class, confidence, at, author }).ok()
    })
}

/// Any row of features.
pub fn features() -> impl Strategy<Value = MlBehavioralFeatures> {
    let finite =
        || prop_oneof![3 => -1e6f64..1e6, 1 => any::<f64>().prop_filter("finite", |f| f.is_finite())];
    let reals = vec(option::of(finite()), 10);
    let wholes = (vec(option::of(number()), 3), vec(option::of(0u32..1 << 31), 5));
    let flags = (option::of(any::<bool>()), option::of(any::<bool>()), option::of(any::<bool>()));
    let key = (session_id(), 1u32..1 << 31, time());
    (key, reals, wholes, flags, vec(option::of(finite()), 0..40)).prop_filter_map(
        "it is accepted",
        |(key, reals, (long, short), flags, vector)| {
            let share = |number: Option<f64>, most: f64| number.map(|number| number.abs() % 1.0 * most);
            let figures = BehavioralFigures {
                session_duration_seconds: reals[0].map(f64::abs),
                total_requests: long[0],
                unique_pages_visited: long[1],
                avg_time_between_requests_ms: reals[1].map(f64::abs),
                request_time_variance: reals[2].map(f64::abs),
                referrer_present: flags.0,
                has_javascript: flags.1,
                accepts_cookies: flags.2,
                viewport_width: short[0],
                viewport_height: short[1],
                avg_scroll_depth: share(reals[3], 100.0),
                max_scroll_depth: share(reals[4], 100.0),
                avg_time_on_page_ms: reals[5].map(f64::abs),
                total_clicks: long[2],
                avg_mouse_speed: reals[6].map(f64::abs),
                mouse_movement_entropy: share(reals[7], 3.0),
                time_pattern_regularity: share(reals[8], 1.0),
                request_burst_count: short[2],
                headless_indicators: short[3],
                automation_indicators: short[4],
                fingerprint_anomaly_score: reals[9],
            };
            MlBehavioralFeatures::try_from(FeaturesRecord {
                session: key.0,
                catalogue: CatalogueVersion::new(key.1).ok()?,
                as_of: key.2,
                figures,
                feature_vector: FeatureVector::new(vector).ok()?,
            })
            .ok()
        },
    )
}

/// Any entry of the audit.
pub fn audit_entry() -> impl Strategy<Value = AuditEntry> {
    let subject = prop_oneof![
        session_id().prop_map(AuditSubject::Session),
        fingerprint_hash().prop_map(AuditSubject::Fingerprint),
        ban_id().prop_map(AuditSubject::Ban),
        network().prop_map(AuditSubject::Network),
        visitor_id().prop_map(AuditSubject::Visitor),
        anomaly_event_id().prop_map(AuditSubject::Anomaly),
        Just(AuditSubject::Thresholds),
    ];
    let when = (event_time(), any::<u128>());
    let words = ("\\PC{1,40}", option::of(text()));
    (when, words, select(&AuditAction::ALL[..]), subject, event_properties()).prop_filter_map(
        "its time has an id",
        |((at, entropy), (actor, reason), action, subject, details)| {
            let id = EventId::at(at, entropy)?;
            let actor = Text::cut(&actor);
            AuditEntry::try_from(AuditRecord { id, at, actor, action, subject, reason, details }).ok()
        },
    )
}

/// Any few properties of an event.
pub fn event_properties() -> impl Strategy<Value = EventProperties> {
    let value = prop_oneof![
        "[^\u{0}]{0,20}".prop_map(PropertyValue::Text),
        any::<i64>().prop_map(PropertyValue::Integer),
        proptest::num::f64::NORMAL.prop_map(PropertyValue::Number),
        any::<bool>().prop_map(PropertyValue::Bool),
    ];
    proptest::collection::btree_map("[a-z_]{1,12}", value, 0..5)
        .prop_filter_map("it is accepted", |properties| EventProperties::new(properties).ok())
}

/// Any time in whole microseconds that ids of events can say: 1970 to 10889.
pub fn event_time() -> impl Strategy<Value = DateTime<Utc>> {
    let last = (1i64 << 48) * 1_000 - 1;
    prop_oneof![3 => 0..4_000_000_000 * SECOND_US, 1 => 0..=last]
        .prop_filter_map("chrono can say it", DateTime::from_timestamp_micros)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $function:ident: $id:ident;)+) => {$(
        $(#[$doc])*
        pub fn $function() -> impl Strategy<Value = $id> {
            any::<u128>().prop_map($id::from_u128)
        }
    )+};
}

ids! {
    /// Any session's id.
    session_id: SessionId;
    /// Any visitor's id.
    visitor_id: VisitorId;
    /// Any fingerprint.
    fingerprint_hash: FingerprintHash;
    /// Any event's id, whatever time its bits say.
    event_id: EventId;
    /// Any ban's id.
    ban_id: BanId;
    /// Any id of an anomaly.
    anomaly_event_id: AnomalyEventId;
}

/// Any user of the host.
pub fn user_id() -> impl Strategy<Value = UserId> {
    "\\PC{1,40}".prop_filter_map("at most 128 bytes", |name| UserId::new(name).ok())
}

/// Any level of throttling.
pub fn level() -> impl Strategy<Value = ThrottleLevel> {
    select(&ThrottleLevel::ALL[..])
}

/// Any method.
pub fn method() -> impl Strategy<Value = Method> {
    select(&Method::ALL[..])
}

/// Any kind of request.
pub fn kind() -> impl Strategy<Value = RequestKind> {
    select(&RequestKind::ALL[..])
}

/// Any version of HTTP.
pub fn version() -> impl Strategy<Value = HttpVersion> {
    select(&HttpVersion::ALL[..])
}

/// Any status, also ones that HTTP does not know.
pub fn status() -> impl Strategy<Value = u16> {
    prop_oneof![4 => 100u16..600, 1 => any::<u16>()]
}

/// Any probe.
pub fn probe() -> impl Strategy<Value = Probe> {
    let kind = select(&[ProbeKind::Admin, ProbeKind::Backup, ProbeKind::Credential, ProbeKind::Exploit][..]);
    let strength = select(&[ProbeStrength::Weak, ProbeStrength::Strong][..]);
    (kind, strength).prop_map(|(kind, strength)| Probe { kind, strength })
}

/// Any referrer.
pub fn referrer() -> impl Strategy<Value = ReferrerFacts> {
    prop_oneof![
        Just(ReferrerFacts::Unobserved),
        Just(ReferrerFacts::Missing),
        (any::<u64>(), any::<bool>()).prop_map(|(page, root)| ReferrerFacts::Internal { page, root }),
        (any::<u64>(), any::<bool>(), any::<bool>())
            .prop_map(|(host, shared, spam)| ReferrerFacts::External { host, shared, spam }),
    ]
}

/// Any marks of headers.
pub fn header_marks() -> impl Strategy<Value = HeaderMarks> {
    (any::<bool>(), any::<bool>())
        .prop_map(|(impossible, hints_missing)| HeaderMarks { impossible, hints_missing })
}

/// A value that a row of numbers makes; each takes as many as it needs.
pub(crate) trait FromNumbers {
    fn from_numbers(next: &mut dyn FnMut() -> u64) -> Self;
}

impl FromNumbers for Points {
    fn from_numbers(next: &mut dyn FnMut() -> u64) -> Self {
        let number = next();
        let part = (number >> 3) as f64 / (u64::MAX >> 3) as f64;
        let points = match number % 8 {
            0 => 0.0,
            1 => 1_000.0,
            2 => f64::MIN_POSITIVE,
            3 => part * 1_000.0,
            _ => part * 100.0,
        };
        Self::new(points).expect("it is from 0 to 1000")
    }
}

impl FromNumbers for Share {
    fn from_numbers(next: &mut dyn FnMut() -> u64) -> Self {
        let number = next();
        let share = match number % 8 {
            0 => 0.0,
            1 => 1.0,
            _ => (number >> 3) as f64 / (u64::MAX >> 3) as f64,
        };
        Self::new(share).expect("it is from 0 to 1")
    }
}

impl FromNumbers for u32 {
    fn from_numbers(next: &mut dyn FnMut() -> u64) -> Self {
        let number = next();
        match number % 8 {
            0 => 0,
            1 => Self::MAX,
            2 => (number >> 32) as Self,
            _ => (number >> 3) as Self % 64,
        }
    }
}

fn from_numbers<T: FromNumbers + core::fmt::Debug>() -> impl Strategy<Value = T> {
    vec(any::<u64>(), 1..160).prop_map(|numbers| {
        let mut next = numbers.iter().copied().cycle();
        T::from_numbers(&mut || next.next().unwrap_or(0))
    })
}

/// One of the twelve pages that realistic requests ask for: the root, numbered ones, and named ones.
fn site_page(n: u8) -> String {
    match n {
        0 => "/".into(),
        1..=7 => format!("/p/{n}"),
        8..=9 => format!("/blog/{}", (b'a' + n) as char),
        _ => format!("/shop/item-{n}"),
    }
}

fn site_referrer(path: &str) -> ReferrerFacts {
    ReferrerFacts::Internal { page: xxh3_64(path.as_bytes()), root: path == "/" }
}

fn start() -> impl Strategy<Value = i64> {
    prop_oneof![3 => 1_700_000_000 * SECOND_US..1_800_000_000 * SECOND_US, 1 => -DAY_US..DAY_US]
}

fn step() -> impl Strategy<Value = i64> {
    prop_oneof![
        3 => Just(0),
        3 => 0..2 * SECOND_US,
        3 => (0i64..90).prop_map(|seconds| seconds * SECOND_US),
        1 => 0..HOUR_US / 3,
    ]
}

fn count() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 0u32..20, 1 => any::<u32>()]
}

/// Any number that a store can keep.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0u64..1_000_000, 1 => 0..=i64::MAX.unsigned_abs()]
}

fn text<const MAX: usize>() -> impl Strategy<Value = Text<MAX>> {
    "\\PC{0,60}".prop_map(|text: String| Text::cut(&text))
}

fn network() -> impl Strategy<Value = Network> {
    prop_oneof![
        (any::<u32>(), 0u8..=32)
            .prop_map(|(bits, prefix)| Network::containing(Ipv4Addr::from(bits).into(), prefix)),
        (any::<u128>(), 0u8..=128)
            .prop_map(|(bits, prefix)| Network::containing(Ipv6Addr::from(bits).into(), prefix)),
    ]
}

fn session_client() -> impl Strategy<Value = SessionClient> {
    let device = select(&DeviceType::ALL[..]);
    let names = (option::of(text()), option::of(text()), option::of(text()), option::of(text()));
    (option::of(text()), device, names, option::of(text())).prop_map(|(user_agent, device, names, locale)| {
        SessionClient {
            user_agent,
            device,
            browser: names.0,
            browser_version: names.1,
            os: names.2,
            os_version: names.3,
            locale,
        }
    })
}

fn session_origin() -> impl Strategy<Value = SessionOrigin> {
    let channel = select(&[Channel::Direct, Channel::Internal, Channel::Referral][..]);
    (channel, option::of(text()), option::of(text()), campaign()).prop_map(
        |(channel, referrer_host, referrer_url, campaign)| SessionOrigin {
            channel,
            referrer_host,
            referrer_url,
            campaign,
            landing_page: None,
            entry_url: None,
        },
    )
}

fn campaign() -> impl Strategy<Value = Campaign> {
    let names = (option::of(text()), option::of(text()), option::of(text()), option::of(text()));
    (names, option::of(text())).prop_map(|(names, term)| Campaign {
        source: names.0,
        medium: names.1,
        campaign: names.2,
        content: names.3,
        term,
    })
}

fn session_place() -> impl Strategy<Value = SessionPlace> {
    (option::of("[A-Z]{2}"), option::of(text()), option::of(text())).prop_map(|(country, region, city)| {
        SessionPlace { country: country.and_then(|code| code.parse().ok()), region, city }
    })
}

const SECOND_US: i64 = 1_000_000;
const HOUR_US: i64 = 3_600 * SECOND_US;
const DAY_US: i64 = 24 * HOUR_US;
