//! What holds of the features of any session.

use alloc::vec::Vec;
use std::boxed::Box;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::*;
use crate::detector::AgentFacts;
use crate::engagement::{CreateEngagementEventInput, EngagementEvent, EngagementRecord};
use crate::ids::{EventId, FingerprintHash, VisitorId};
use crate::request_row::{RequestDecision, RequestFacts, RequestRecord, RequestRow};
use crate::session::Text;
use crate::strategies::{self, ArbitraryRequest};
use crate::user_agent::UserAgent;

proptest! {
    /// What is folded request by request has the same bits as what is folded of the rows that a store keeps.
    #[test]
    fn online_equals_offline(lines in lines(), events in events(), agent in agent()) {
        let rows = rows(&lines);
        // Before 1970 there are no rows.
        prop_assume!(rows.len() == lines.len());
        let context = FeatureContext::of_agent(agent);
        let mut online = FeatureFold::new(ZoneOffset::default());
        for (row, (_, request)) in rows.iter().zip(&lines) {
            let seen = FeatureRequest { seen: request.observation(), bytes: row.record().bytes };
            online.observe(&seen, row.at().timestamp_micros());
        }
        let events = events_of(&rows, events);
        for event in &events {
            online.engage(event, start(&rows).timestamp_micros());
        }
        let offline = folded(&rows, &events, DateTime::<Utc>::MAX_UTC);
        prop_assert_eq!(bits(&online, &context), bits(&offline, &context));
    }

    /// What a detector folds, without the sizes of answers, gives a model what an export gives it.
    #[test]
    fn a_model_sees_live_what_it_was_trained_on(lines in lines(), agent in agent()) {
        let rows = rows(&lines);
        prop_assume!(rows.len() == lines.len());
        let mut live = FeatureFold::new(ZoneOffset::default());
        for (row, (_, request)) in rows.iter().zip(&lines) {
            let seen = FeatureRequest { seen: request.observation(), bytes: None };
            live.observe(&seen, row.at().timestamp_micros());
        }
        let live: Vec<_> = deciding_vector(&live, &agent).iter().map(|number| number.map(f64::to_bits)).collect();
        let kept = folded(&rows, &[], DateTime::<Utc>::MAX_UTC);
        let trained = bits(&kept, &FeatureContext::of_agent(agent));
        for ((feature, live), trained) in Feature::all().iter().zip(live).zip(trained) {
            let wanted = trained.filter(|_| feature.known == Known::Deciding);
            prop_assert_eq!(live, wanted, "{}", feature.name);
        }
    }

    #[test]
    fn nothing_after_as_of_changes_a_vector(
        lines in lines(), events in events(), agent in agent(), cut in any::<proptest::sample::Index>(),
    ) {
        let rows = rows(&lines);
        prop_assume!(!rows.is_empty());
        let as_of = rows[cut.index(rows.len())].at();
        let events = events_of(&rows, events);
        let before: Vec<_> = rows.iter().filter(|row| row.at() <= as_of).cloned().collect();
        let told: Vec<_> = events.iter().filter(|event| event.at() <= as_of).cloned().collect();
        let context = FeatureContext::of_agent(agent);
        let all = bits(&folded_from(start(&rows), &rows, &events, as_of), &context);
        let known = bits(&folded_from(start(&rows), &before, &told, DateTime::<Utc>::MAX_UTC), &context);
        prop_assert_eq!(all, known);
    }

    #[test]
    fn the_order_of_requests_of_one_time_does_not_matter(
        groups in proptest::collection::vec((1i64..3_000_000, proptest::collection::vec(strategies::realistic_request(), 1..6)), 1..12),
        agent in agent(), turn in 0usize..5,
    ) {
        let context = FeatureContext::of_agent(agent);
        let mut fold = FeatureFold::new(ZoneOffset::default());
        let mut turned = fold.clone();
        let mut now = 0;
        for (step, group) in groups {
            now += step;
            let mut other: Vec<_> = group.iter().rev().collect();
            let by = turn % other.len();
            other.rotate_left(by);
            for (request, another) in group.iter().zip(other) {
                fold.observe(&FeatureRequest { seen: request.observation(), bytes: None }, now);
                turned.observe(&FeatureRequest { seen: another.observation(), bytes: None }, now);
            }
        }
        prop_assert_eq!(bits(&fold, &context), bits(&turned, &context));
    }

    #[test]
    fn every_value_is_in_its_range_or_missing(
        lines in prop_oneof![lines(), wild()], events in events(), agent in agent(),
        viewport in proptest::option::of((any::<u32>(), any::<u32>())),
    ) {
        let rows = rows(&lines);
        let shape = (!rows.is_empty())
            .then_some(ShapeCounts { networks: 3, sessions: 9, all_networks: 40, all_sessions: 50 });
        let context = FeatureContext { viewport, shape, ..FeatureContext::of_agent(agent) };
        let fold = folded(&rows, &events_of(&rows, events), DateTime::<Utc>::MAX_UTC);
        let config = FeatureExtractionConfig { tracker_on_pages: true, ..FeatureExtractionConfig::default() };
        let features = extract(&config, SessionId::from_u128(1), &fold, &context, DateTime::UNIX_EPOCH);
        let vector = features.record().feature_vector.as_slice();
        prop_assert_eq!(vector.len(), Feature::all().len());
        for (feature, number) in Feature::all().iter().zip(vector) {
            prop_assert!(number.is_none_or(|number| feature.allows(number)), "{} is {number:?}", feature.name);
            if let Some(number) = number && feature.kind != FeatureKind::Real {
                prop_assert!(number.fract() == 0.0, "{} is {number}", feature.name);
            }
        }
    }

    #[test]
    fn a_group_that_is_not_chosen_is_missing(lines in lines(), chosen in 0usize..6) {
        let fold = folded(&rows(&lines), &[], DateTime::<Utc>::MAX_UTC);
        let context = FeatureContext::of_agent(AgentFacts::UNOBSERVED);
        let of = |groups| {
            let config = FeatureExtractionConfig { groups, ..FeatureExtractionConfig::default() };
            extract(&config, SessionId::from_u128(1), &fold, &context, DateTime::UNIX_EPOCH)
        };
        let (all, some) = (of(FeatureGroups::ALL), of([FeatureGroup::ALL[chosen]].into_iter().collect()));
        let (all, some) = (all.record().feature_vector.as_slice(), some.record().feature_vector.as_slice());
        for ((feature, all), some) in Feature::all().iter().zip(all).zip(some) {
            let wanted = if feature.group == FeatureGroup::ALL[chosen] { *all } else { None };
            prop_assert_eq!(*some, wanted, "{}", feature.name);
        }
    }
}

#[test]
fn a_session_without_a_request_has_no_figure_of_one() {
    let fold = FeatureFold::new(ZoneOffset::default());
    let context = FeatureContext::of_agent(AgentFacts::UNOBSERVED);
    assert!(bits(&fold, &context).iter().all(Option::is_none));
}

#[test]
fn a_session_of_one_request_has_totals_and_no_gaps() {
    let rows = rows(&[(1_700_000_000_000_000, ArbitraryRequest::page("/a/b"))]);
    let fold = folded(&rows, &[], DateTime::<Utc>::MAX_UTC);
    let features = row_of(&fold, &FeatureContext::of_agent(AgentFacts::UNOBSERVED));
    let figures = features.record().figures;
    assert_eq!(
        (figures.total_requests, figures.session_duration_seconds, figures.avg_time_between_requests_ms),
        (Some(1), Some(0.0), None)
    );
    assert_eq!((figures.unique_pages_visited, figures.request_time_variance), (Some(1), None));
}

#[test]
fn a_session_of_a_day_with_a_million_requests_stays_small_and_in_range() {
    let mut fold = FeatureFold::new(ZoneOffset::default());
    let pages: Vec<_> = (0..500).map(|n| ArbitraryRequest::page(&std::format!("/p/{n}"))).collect();
    for n in 0..1_000_000_i64 {
        let seen = pages[n as usize % pages.len()].observation();
        fold.observe(&FeatureRequest { seen, bytes: Some(u64::MAX) }, 1_700_000_000_000_000 + n * 86_399);
    }
    let features = row_of(&fold, &FeatureContext::of_agent(AgentFacts::UNOBSERVED));
    let vector = features.record().feature_vector.as_slice();
    for (feature, number) in Feature::all().iter().zip(vector) {
        assert!(number.is_none_or(|number| feature.allows(number)), "{} is {number:?}", feature.name);
    }
    assert_eq!(features.record().figures.total_requests, Some(1_000_000));
}

#[test]
fn engagement_from_before_the_session_counts_in_no_feature() {
    let rows = rows(&[(1_700_000_000_000_000, ArbitraryRequest::page("/"))]);
    let early = event(start(&rows) - TimeDelta::seconds(1), &CreateEngagementEventInput::default());
    let fold = folded(&rows, &[early], DateTime::<Utc>::MAX_UTC);
    let context = FeatureContext::of_agent(AgentFacts::UNOBSERVED);
    assert_eq!(fold.early_engagement(), 1);
    assert_eq!(bits(&fold, &context), bits(&folded(&rows, &[], DateTime::<Utc>::MAX_UTC), &context));
}

#[test]
fn our_own_refusal_is_no_error_of_the_client() {
    let mut request = ArbitraryRequest::page("/");
    request.status = Some(429);
    let mut all = rows(&[(1_700_000_000_000_000, request)]);
    let refused =
        |decision| RequestRow::try_from(RequestRecord { decision, ..all[0].record().clone() }).unwrap();
    let refused = refused(RequestDecision::Refused(crate::throttle::RefusalReason::Quota));
    let share = |rows: &[RequestRow]| {
        let features = row_of(
            &folded(rows, &[], DateTime::<Utc>::MAX_UTC),
            &FeatureContext::of_agent(AgentFacts::UNOBSERVED),
        );
        features.record().feature_vector.as_slice()[Feature::index_of("status_4xx_share").unwrap()]
    };
    assert_eq!(share(&all), Some(1.0));
    all[0] = refused;
    assert_eq!(share(&all), None);
}

fn lines() -> BoxedStrategy<Vec<(i64, ArbitraryRequest)>> {
    strategies::disordered_sequence(0..40).prop_map(|lines| lines.0).boxed()
}

/// Requests that know nothing of one another, at any time.
fn wild() -> BoxedStrategy<Vec<(i64, ArbitraryRequest)>> {
    let at = 0i64..4_000_000_000_000_000;
    proptest::collection::vec((at, strategies::request()), 0..20).boxed()
}

fn agent() -> impl Strategy<Value = AgentFacts> {
    let texts = [
        "",
        "curl/8.5.0",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0",
    ];
    proptest::sample::select(texts.to_vec()).prop_map(|text| AgentFacts::of(text, &UserAgent::parse(text)))
}

/// Seconds after the start of the session, some before it, and what was claimed.
type Told = Vec<(i64, Box<CreateEngagementEventInput>)>;

fn events() -> impl Strategy<Value = Told> {
    let one = (-5i64..7_200, strategies::engagement_input().prop_map(Box::new));
    proptest::collection::vec(one, 0..6)
}

fn events_of(rows: &[RequestRow], told: Told) -> Vec<EngagementEvent> {
    told.into_iter()
        .filter(|(_, input)| !input.page_url.is_empty())
        .map(|(after, input)| event(start(rows) + TimeDelta::seconds(after), &input))
        .collect()
}

fn event(at: DateTime<Utc>, input: &CreateEngagementEventInput) -> EngagementEvent {
    let context = crate::engagement::EngagementContext {
        id: EventId::at(at, 7).unwrap(),
        session: SessionId::from_u128(1),
        page_served_at: None,
        bound: true,
    };
    let input = CreateEngagementEventInput { page_url: "/a".into(), ..input.clone() };
    let event = EngagementEvent::create(&crate::engagement::EngagementPolicy::default(), context, &input, at);
    let record: EngagementRecord = event.unwrap().into_record();
    record.try_into().unwrap()
}

/// The rows that a store keeps of these requests.
fn rows(lines: &[(i64, ArbitraryRequest)]) -> Vec<RequestRow> {
    let row = |(arrival, (at_us, request)): (usize, &(i64, ArbitraryRequest))| {
        let at = DateTime::from_timestamp_micros(*at_us)?;
        let seen = request.observation();
        let mut facts = RequestFacts::of(&seen);
        facts.number = facts.number.filter(|&number| i64::try_from(number).is_ok());
        let record = RequestRecord {
            id: EventId::at(at, arrival as u128)?,
            session: SessionId::from_u128(1),
            visitor: VisitorId::from_u128(2),
            fingerprint: FingerprintHash::from_u128(3),
            at,
            arrival: arrival as u32,
            method: seen.method,
            version: seen.version,
            path: Text::cut(seen.path),
            kind: seen.kind,
            status: seen.status,
            bytes: (arrival % 3 > 0).then_some(arrival as u64 * 1_000),
            duration_us: None,
            referrer_host: None,
            charged: seen.charged(),
            decision: RequestDecision::Admitted,
            facts,
        };
        record.try_into().ok()
    };
    lines.iter().enumerate().filter_map(row).collect()
}

fn start(rows: &[RequestRow]) -> DateTime<Utc> {
    rows.first().map_or(DateTime::from_timestamp(1_700_000_000, 0).unwrap(), RequestRow::at)
}

fn folded(rows: &[RequestRow], events: &[EngagementEvent], as_of: DateTime<Utc>) -> FeatureFold {
    folded_from(start(rows), rows, events, as_of)
}

fn folded_from(
    start: DateTime<Utc>,
    rows: &[RequestRow],
    events: &[EngagementEvent],
    as_of: DateTime<Utc>,
) -> FeatureFold {
    let mut sorted = rows.to_vec();
    sorted.sort_by_key(|row| (row.at(), row.id()));
    let mut kept = KeptFold::new(ZoneOffset::default(), start, as_of);
    for row in &sorted {
        kept.row(row);
    }
    events.iter().rev().for_each(|event| kept.event(event));
    kept.finish()
}

fn row_of(fold: &FeatureFold, context: &FeatureContext) -> MlBehavioralFeatures {
    let config = FeatureExtractionConfig::default();
    extract(&config, SessionId::from_u128(1), fold, context, DateTime::UNIX_EPOCH)
}

fn bits(fold: &FeatureFold, context: &FeatureContext) -> Vec<Option<u64>> {
    let features = row_of(fold, context);
    features.record().feature_vector.as_slice().iter().map(|number| number.map(f64::to_bits)).collect()
}
