//! Features of made-up sessions, over stores in memory.

use std::num::NonZeroU32;

use analytics_domain::detector::ReferrerFacts;
use analytics_domain::engagement::{CreateEngagementEventInput, EngagementContext, EngagementPolicy};
use analytics_domain::features::{Feature, Normalisation, Scaler};
use analytics_domain::ids::{EventId, FingerprintHash, VisitorId};
use analytics_domain::request::{Method, PathHash, RequestKind};
use analytics_domain::request_row::{RequestDecision, RequestFacts, RequestRecord};
use analytics_domain::session::{EndReason, NewSession, SessionClient, SessionOrigin, SessionPlace, Text};

use super::*;
use crate::wiring::{Stores, in_memory};

#[tokio::test]
async fn test_feature_extraction_behavioral() {
    let stores = stores();
    let session = visit(&stores, 1, &[0, 10, 25, 40], BROWSER).await;
    for (after, depth, clicks) in [(12, 40.0, 2.0), (30, 80.0, 1.0)] {
        let input = CreateEngagementEventInput {
            page_url: "/".to_owned(),
            time_on_page_ms: Some(10_000.0),
            visible_time_ms: Some(8_000.0),
            hidden_time_ms: Some(2_000.0),
            max_scroll_depth: Some(depth),
            click_count: Some(clicks),
            mouse_move_distance_px: Some(4_000.0),
            mouse_path_entropy: Some(2.0),
            ..CreateEngagementEventInput::default()
        };
        engage(&stores, &session, after, &input).await;
    }
    let extraction = service(&stores).by_id(session.id(), at(40)).await.unwrap().unwrap();
    let figures = extraction.features.record().figures;
    assert_eq!(figures.session_duration_seconds, Some(40.0));
    assert_eq!((figures.total_requests, figures.unique_pages_visited), (Some(4), Some(4)));
    assert_eq!(figures.avg_time_between_requests_ms, Some(40_000.0 / 3.0));
    let mean: f64 = 40_000.0 / 3.0;
    let variance =
        [10_000.0, 15_000.0, 15_000.0].map(|gap: f64| (gap - mean).powi(2)).iter().sum::<f64>() / 3.0;
    assert!((figures.request_time_variance.unwrap() - variance).abs() < 1e-3);
    assert!((figures.time_pattern_regularity.unwrap() - 1.0 / (1.0 + variance.sqrt() / mean)).abs() < 1e-9);
    assert_eq!((figures.avg_scroll_depth, figures.max_scroll_depth), (Some(60.0), Some(80.0)));
    assert_eq!((figures.avg_time_on_page_ms, figures.total_clicks), (Some(10_000.0), Some(3)));
    assert_eq!((figures.avg_mouse_speed, figures.mouse_movement_entropy), (Some(500.0), Some(2.0)));
    assert_eq!((figures.has_javascript, figures.referrer_present), (Some(true), Some(true)));
    assert_eq!((figures.headless_indicators, figures.request_burst_count), (Some(0), Some(0)));
    assert_eq!((figures.accepts_cookies, figures.viewport_width), (None, None), "nobody saw them");
}

#[tokio::test]
async fn test_feature_extraction_ml_ready() {
    let stores = stores();
    let person = visit(&stores, 1, &[0, 10, 25, 40], BROWSER).await;
    let program = visit(&stores, 2, &[100, 101, 102, 103, 104], "curl/8.5.0").await;
    let service = service(&stores);
    let shapes = service.shapes(&[person.clone(), program.clone()]).await.unwrap();
    let mut rows = Vec::new();
    for session in [&person, &program] {
        let extraction = service.of(session, session.record().last_activity_at).await.unwrap();
        let features = with_shape(service.config(), extraction.features, shapes[&session.id()]);
        assert_eq!(features.catalogue(), CATALOGUE);
        for (feature, number) in Feature::all().iter().zip(features.record().feature_vector.as_slice()) {
            assert!(number.is_none_or(|number| feature.allows(number)), "{} is {number:?}", feature.name);
        }
        rows.push(features.record().feature_vector.clone());
    }
    let of = |row: usize, name: &str| rows[row].as_slice()[Feature::index_of(name).unwrap()];
    assert_eq!((of(0, "agent_is_browser"), of(1, "agent_is_browser")), (Some(1.0), Some(0.0)));
    assert_eq!(of(1, "fingerprint_anomaly_score"), Some((2.0_f64 / 2.0).ln()), "one of two networks");
    assert_eq!(of(0, "total_clicks"), None, "missing, not 0");
    let scaler = Scaler::fit(Normalisation::Standard, &rows);
    let applied: Vec<_> = rows.iter().map(|row| scaler.apply(row)).collect();
    let requests = Feature::index_of("total_requests").unwrap();
    assert_eq!(
        applied.iter().map(|row| row.as_slice()[requests]).collect::<Vec<_>>(),
        [Some(-1.0), Some(1.0)]
    );
}

#[tokio::test]
async fn a_replayed_session_has_the_bits_of_the_stored_one() {
    let stores = stores();
    let session = visit(&stores, 1, &[0, 10, 10, 25, 24, 40], BROWSER).await;
    let page = PageRequest::first(BatchLimit::default());
    let mut rows = stores.requests.list_by_session(session.id(), page).await.unwrap().items;
    rows.sort_by_key(|row| row.record().arrival);
    for as_of in [at(9), at(10), at(24), at(40), at(4_000)] {
        let kept = service(&stores).of(&session, as_of).await.unwrap();
        let replayed = extraction_of(&FeatureExtractionConfig::default(), &session, &rows, &[], as_of);
        assert_eq!(kept, replayed, "as of {as_of}");
    }
}

#[tokio::test]
async fn the_job_extracts_each_ended_session_once_and_goes_on_with_those_that_come() {
    let stores = stores();
    for number in 1..=5 {
        visit(&stores, number, &[number as i64 * 60, number as i64 * 60 + 5], BROWSER).await;
    }
    let service = service(&stores);
    let limit = BatchLimit::new(2).unwrap();
    let mut batches = Vec::new();
    for _ in 0..4 {
        batches.push(service.extract(limit, at(9_000)).await.unwrap());
    }
    assert_eq!(batches, [2, 2, 1, 0]);
    visit(&stores, 6, &[2_000, 2_005], BROWSER).await;
    assert_eq!(service.extract(limit, at(9_000)).await.unwrap(), 1);
    let anew = FeatureExtractionService::new(
        stores.sessions.clone(),
        stores.requests.clone(),
        stores.engagement.clone(),
        stores.features.clone(),
        FeatureExtractionConfig::default(),
    );
    assert_eq!(anew.extract(limit, at(9_000)).await.unwrap(), 0, "also for another runner");
    let row = stores.features.by_session(SessionId::from_u128(3), CATALOGUE).await.unwrap().unwrap();
    assert_eq!((row.as_of(), row.record().figures.total_requests), (at(185), Some(2)));
}

#[tokio::test]
async fn a_session_without_rows_keeps_what_was_stored_and_one_that_is_not_kept_has_nothing() {
    let stores = stores();
    let session = session(1, &[0, 40], BROWSER);
    stores.sessions.create(&session, at(40)).await.unwrap();
    let service = service(&stores);
    assert_eq!(service.extract(BatchLimit::default(), at(9_000)).await.unwrap(), 0);
    assert!(service.by_id(SessionId::from_u128(9), at(40)).await.unwrap().is_none());
    assert!(service.by_id(session.id(), at(-1)).await.unwrap().is_none(), "it had not started");
    let empty = service.by_id(session.id(), at(40)).await.unwrap().unwrap();
    assert_eq!((empty.requests, empty.features.record().figures.total_requests), (0, None));
}

#[tokio::test]
async fn engagement_from_before_the_session_is_counted_apart() {
    let stores = stores();
    let session = visit(&stores, 1, &[0, 10], BROWSER).await;
    let input =
        CreateEngagementEventInput { page_url: "/".to_owned(), ..CreateEngagementEventInput::default() };
    engage(&stores, &session, -5, &input).await;
    let extraction = service(&stores).of(&session, at(10)).await.unwrap();
    assert_eq!(extraction.early_engagement, 1);
    assert_eq!(extraction.features.record().figures.has_javascript, None);
}

fn stores() -> Stores {
    in_memory(NonZeroU32::new(1_000).unwrap()).0
}

fn service(stores: &Stores) -> FeatureExtractionService {
    stores.extraction(FeatureExtractionConfig::default())
}

/// Keeps an ended session with a page view at each of these seconds, in this order of arrival.
async fn visit(stores: &Stores, number: u128, seconds: &[i64], agent: &str) -> AnalyticsSession {
    let session = session(number, seconds, agent);
    let rows: Vec<RequestRow> =
        seconds.iter().enumerate().map(|(at, second)| row(number, at, *second)).collect();
    stores.requests.insert(&rows, at(0)).await.unwrap();
    stores.sessions.create(&session, at(0)).await.unwrap();
    session
}

fn session(number: u128, seconds: &[i64], agent: &str) -> AnalyticsSession {
    let new = NewSession {
        visitor: VisitorId::from_u128(number),
        fingerprint: FingerprintHash::from_u128(number),
        user: None,
        network: None,
        client: SessionClient { user_agent: Some(Text::cut(agent)), ..SessionClient::default() },
        origin: SessionOrigin::default(),
        place: SessionPlace::default(),
    };
    let started = AnalyticsSession::start(SessionId::from_u128(number), new, at(seconds[0])).unwrap();
    let mut record = started.into_record();
    record.last_activity_at = at(seconds.iter().copied().max().unwrap());
    record.end_reason = Some(EndReason::Inactive);
    record.try_into().unwrap()
}

fn row(session: u128, arrival: usize, second: i64) -> RequestRow {
    let path = format!("/page/{arrival}");
    let facts = RequestFacts {
        page: PathHash::of(&path).0,
        directory: PathHash::of("/page").0,
        number: Some(arrival as u64),
        probe: None,
        trap: false,
        referrer: ReferrerFacts::Internal { page: PathHash::of("/").0, root: true },
        campaign: None,
        headers: None,
    };
    let record = RequestRecord {
        id: EventId::at(at(second), session << 32 | arrival as u128).unwrap(),
        session: SessionId::from_u128(session),
        visitor: VisitorId::from_u128(session),
        fingerprint: FingerprintHash::from_u128(session),
        at: at(second),
        arrival: arrival as u32,
        method: Method::Get,
        version: None,
        path: Text::cut(&path),
        kind: RequestKind::Page,
        status: Some(200),
        bytes: Some(1_000),
        duration_us: None,
        referrer_host: None,
        charged: true,
        decision: RequestDecision::Admitted,
        facts,
    };
    record.try_into().unwrap()
}

async fn engage(stores: &Stores, session: &AnalyticsSession, after: i64, input: &CreateEngagementEventInput) {
    let context = EngagementContext {
        id: EventId::at(at(after), after as u128).unwrap(),
        session: session.id(),
        page_served_at: None,
        bound: true,
    };
    let event = EngagementEvent::create(&EngagementPolicy::default(), context, input, at(after)).unwrap();
    stores.engagement.create(&event, at(after)).await.unwrap();
}

/// A time so many seconds after noon of some day.
fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_020_800 + seconds, 0).unwrap()
}

const BROWSER: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:146.0) Gecko/20100101 Firefox/146.0";
