//! What holds of every verdict, whatever the weights.

use alloc::boxed::Box;
use alloc::string::String;
use std::format;

use proptest::prelude::*;
use rstest::rstest;

use super::policy::Points;
use super::profile::ASSET_WAIT_US;
use super::*;
use crate::site::{Finding, SiteFacts};
use crate::strategies::{
    ArbitraryRequest, Lines, agent_facts, category_policy, detector_policy, disordered_sequence, history,
    request,
};

/// Everything that a verdict is about.
#[derive(Debug, Clone)]
struct Case {
    profile: SessionProfile,
    agent: AgentFacts,
    history: History,
    site: SiteFacts,
}

/// A signal as a rule says it: kind, points, whether it decides.
type Said = (SignalKind, f64, bool);

proptest! {
    #[test]
    fn a_score_is_finite_and_from_0_to_100_and_so_is_its_evidence(case in cases(lines()), policy in detector_policy()) {
        let verdict = BehavioralBotDetector::new(policy).explain(&case.subject());
        prop_assert!((0.0..=100.0).contains(&verdict.score), "{}", verdict.score);
        for signal in &verdict.signals {
            prop_assert!(signal.points >= 0.0 && signal.points.is_finite(), "{signal:?}");
            prop_assert!(!signal.evidence.figure.is_nan() && signal.evidence.limit.is_finite(), "{signal:?}");
        }
    }

    #[test]
    fn the_hot_path_and_the_explanation_agree(case in cases(lines()), policy in detector_policy()) {
        let detector = BehavioralBotDetector::new(policy);
        let (short, long) = (detector.assess(&case.subject()), detector.explain(&case.subject()));
        prop_assert_eq!(short.score.to_bits(), long.score.to_bits());
        prop_assert_eq!((short.class, short.hostile), (long.class, long.hostile));
        let kinds: Vec<SignalKind> = long.signals.iter().map(|signal| signal.kind).collect();
        prop_assert_eq!(short.signals.iter().collect::<Vec<_>>(), kinds.clone());
        prop_assert!(kinds.windows(2).all(|pair| pair[0] < pair[1]), "each at most once, in order: {kinds:?}");
    }

    #[test]
    fn another_signal_never_lowers_the_score(
        said in proptest::collection::vec(said(SignalKind::ALL), 0..12),
        more in said(SignalKind::ALL),
        policy in detector_policy(),
    ) {
        let before = judged(&policy, &said);
        let after = judged(&policy, &[&said[..], &[more]].concat());
        prop_assert!(after.score >= before.score - 1e-12, "{} then {}", before.score, after.score);
        prop_assert!(!before.class.is_bot() || after.class.is_bot());
    }

    #[test]
    fn one_category_alone_makes_no_bot_without_a_decisive_fact(
        said in (0..SignalKind::ALL.len()).prop_flat_map(|at| {
            let category = SignalKind::ALL[at].category();
            let kinds: Vec<_> = SignalKind::ALL.iter().copied().filter(|kind| kind.category() == category).collect();
            proptest::collection::vec((proptest::sample::select(kinds), 0f64..1_000.0, Just(false)), 1..10)
        }),
        policy in category_policy(),
    ) {
        let class = judged(&categories(policy), &said).class;
        prop_assert!(matches!(class, Class::Human | Class::Suspected), "{class:?}");
    }

    #[test]
    fn what_privacy_browsers_do_never_flags_alone_and_is_capped(
        points in proptest::collection::vec(0f64..1_000.0, 1..10),
        policy in category_policy(),
    ) {
        let said: Vec<Said> = points.iter().map(|&points| (SignalKind::NoClientHints, points, false)).collect();
        prop_assert!(!judged(&categories(policy), &said).class.is_bot());
        let assessment = judged(&DetectorPolicy::default(), &said);
        prop_assert_eq!(assessment.class, Class::Human);
        let policy = CategoryPolicy::default();
        let most = 100.0 * (1.0 - libm::exp(-policy.privacy.cap.get() / policy.scale.get()));
        prop_assert!(assessment.score <= most + 1e-9);
    }

    #[test]
    fn a_bot_begins_exactly_at_its_score(a in 10f64..38.0, b in 10f64..38.0) {
        let said = [(SignalKind::BarePages, a, false), (SignalKind::SequentialNavigation, b.min(30.0), false)];
        let score = judged(&DetectorPolicy::default(), &said).score;
        let class = |bot_from: f64, suspected_from: f64| {
            let policy = CategoryPolicy {
                bot_from: Points::new(bot_from).unwrap(),
                suspected_from: Points::new(suspected_from).unwrap(),
                voice_from: Points::new(1.0).unwrap(),
                ..CategoryPolicy::default()
            };
            judged(&categories(policy), &said).class
        };
        prop_assert_eq!(class(score, 0.0), Class::Bot);
        prop_assert_eq!(class(score.next_up(), score), Class::Suspected);
        prop_assert_eq!(class(score.next_up(), score.next_up()), Class::Human);
    }

    #[test]
    fn without_referrers_no_referrer_speaks(case in cases(changed(|line| line.referrer = ReferrerFacts::Unobserved)), policy in category_policy()) {
        silent(&case, policy, |kind| {
            kind.category() == Category::Referrer || matches!(kind, SignalKind::RobotsFirst | SignalKind::UnservedPost)
        })?;
    }

    #[test]
    fn without_versions_no_version_speaks(case in cases(changed(|line| line.version = None)), policy in category_policy()) {
        silent(&case, policy, |kind| matches!(kind, SignalKind::MixedHttpVersions | SignalKind::Http10Browser))?;
    }

    #[test]
    fn without_statuses_no_error_speaks(case in cases(changed(|line| line.status = None)), policy in category_policy()) {
        let policy = CategoryPolicy {
            probing: policy::ProbingPolicy { error_share: policy::Share::new(0.5).unwrap(), ..policy.probing },
            ..policy
        };
        silent(&case, policy, |kind| kind == SignalKind::ErrorShare)?;
    }

    #[test]
    fn without_headers_no_header_speaks(case in cases(changed(|line| line.headers = None)), policy in category_policy()) {
        silent(&case, policy, |kind| matches!(kind, SignalKind::ImpossibleHeaders | SignalKind::NoClientHints))?;
    }

    #[test]
    fn without_agents_no_agent_speaks(case in cases(lines()), policy in category_policy()) {
        // What reading the empty text of a source without agents gives.
        let agent = AgentFacts { hash: case.agent.hash, missing: true, ..AgentFacts::default() };
        silent(&Case { agent, ..case }, policy, |kind| {
            matches!(kind.category(), Category::Declared | Category::Impostor | Category::BrowserAge)
                || matches!(kind, SignalKind::FewAssets | SignalKind::RobotsFirst)
        })?;
    }

    #[test]
    fn without_the_tracker_it_says_nothing(case in cases(lines()), policy in category_policy()) {
        let mut profile = case.profile.clone();
        profile.tracker = profile::TrackerMarks::default();
        silent(&Case { profile, ..case }, policy, |kind| {
            matches!(kind, SignalKind::AutomatedBrowser | SignalKind::ImplausibleEngagement)
        })?;
    }
}

#[test]
fn a_decisive_fact_alone_makes_a_bot_with_the_score_it_guarantees() {
    let assessment = judged(&DetectorPolicy::default(), &[(SignalKind::TrapUrl, 0.0, true)]);
    let guaranteed = CategoryPolicy::default().decisive_score.get();
    assert_eq!((assessment.score, assessment.class), (guaranteed, Class::Bot));
    assert!(assessment.hostile && assessment.decisive_hostile);
}

#[rstest]
#[case::requests(SignalKind::HighRequestCount, 30.0, |case: &mut Case, over| {
    case.profile.counts.requests = if over { 51 } else { 50 };
})]
#[case::coverage(SignalKind::HighPageCoverage, 25.0, |case: &mut Case, over| {
    case.site.learn((0..10).map(|page| Finding::Page { page }), 60_000_000);
    visit(case, if over { 7 } else { 6 });
})]
#[case::coverage_of_an_unknown_site(SignalKind::HighPageCoverage, 25.0, |case: &mut Case, over| {
    case.site.learn((0..u64::from(over)).map(|page| Finding::Page { page }), 60_000_000);
    visit(case, 1);
})]
#[case::sequence_of_pages(SignalKind::SequentialNavigation, 20.0, |case: &mut Case, over| {
    let pages = if over { 5 } else { 4 };
    visit(case, pages);
    walk(case, &(0..pages).collect::<Vec<_>>());
})]
#[case::sequence_by_share(SignalKind::SequentialNavigation, 20.0, |case: &mut Case, over| {
    visit(case, 6);
    let seven_of_ten = [0, 1, 2, 3, 2, 3, 4, 3, 4, 5, 4];
    let six_of_ten = [0, 1, 2, 3, 2, 3, 4, 3, 4, 3, 2];
    walk(case, if over { &seven_of_ten } else { &six_of_ten });
})]
#[case::sessions(SignalKind::MultipleFingerprintSessions, 20.0, |case: &mut Case, over| {
    case.history.sessions_in_day = if over { 6 } else { 5 };
})]
#[case::timing_by_requests(SignalKind::RegularTiming, 15.0, |case: &mut Case, over| {
    (0..if over { 4 } else { 3 }).for_each(|_| case.profile.gaps.push(10_000_000));
})]
#[case::timing_by_variation(SignalKind::RegularTiming, 15.0, |case: &mut Case, over| {
    // Nine and eleven have the mean ten and the deviation one.
    let (short, long) = if over { (9_000_001, 10_999_999) } else { (9_000_000, 11_000_000) };
    for gap in [short, long, short, long] {
        case.profile.gaps.push(gap);
    }
})]
#[case::rate(SignalKind::HighPagesPerMinute, 15.0, |case: &mut Case, over| {
    case.profile.counts.page_views = if over { 6 } else { 5 };
    case.profile.last_us = 60_000_000;
})]
#[case::rate_of_no_length(SignalKind::HighPagesPerMinute, 15.0, |case: &mut Case, over| {
    case.profile.counts.page_views = 6;
    case.profile.last_us = i64::from(over);
})]
#[case::chrome(SignalKind::OutdatedBrowser, 10.0, |case: &mut Case, over| {
    case.agent.engine = Some((Engine::Chrome, if over { 89 } else { 90 }));
})]
#[case::firefox(SignalKind::OutdatedBrowser, 10.0, |case: &mut Case, over| {
    case.agent.engine = Some((Engine::Firefox, if over { 87 } else { 88 }));
})]
fn each_of_the_seven_signals_fires_past_its_boundary_and_not_at_it(
    #[case] kind: SignalKind,
    #[case] points: f64,
    #[case] arrange: fn(&mut Case, bool),
) {
    let verdict = |over| {
        let mut case = Case::nothing();
        arrange(&mut case, over);
        seven(&case)
    };
    assert_eq!((verdict(false).score, verdict(false).reason()), (0.0, String::new()));
    assert_eq!((verdict(true).score, verdict(true).reason()), (points, kind.as_str().into()));
}

#[test]
fn the_seven_signals_add_up_to_at_most_100_and_are_named_in_the_order_of_their_table() {
    let mut case = Case::nothing();
    case.site.learn((0..10).map(|page| Finding::Page { page }), 60_000_000);
    visit(&mut case, 10);
    walk(&mut case, &(0..10).collect::<Vec<_>>());
    case.profile.counts.requests = 51;
    case.profile.counts.page_views = 60;
    case.profile.last_us = 60_000_000;
    (0..10).for_each(|_| case.profile.gaps.push(6_000_000));
    case.history.sessions_in_day = 6;
    case.agent.engine = Some((Engine::Chrome, 60));
    let verdict = seven(&case);
    assert_eq!((verdict.score, verdict.class), (100.0, Class::Bot));
    let points: Vec<_> = verdict.signals.iter().map(|signal| signal.points as u32).collect();
    assert_eq!(points, [30, 25, 20, 20, 15, 15, 10]);
    assert_eq!(
        verdict.reason(),
        "high_request_count, high_page_coverage, sequential_navigation, multiple_fingerprint_sessions, \
         regular_timing, high_pages_per_minute, outdated_browser"
    );
}

#[test]
fn with_seven_signals_fifty_points_are_a_bot_and_forty_five_are_not() {
    let mut case = Case::nothing();
    case.profile.counts.requests = 51;
    case.history.sessions_in_day = 6;
    assert_eq!((seven(&case).score, seven(&case).class), (50.0, Class::Bot));
    case.profile.counts.requests = 50;
    case.profile.counts.page_views = 6;
    case.profile.last_us = 60_000_000;
    case.agent.engine = Some((Engine::Firefox, 87));
    assert_eq!((seven(&case).score, seven(&case).class), (45.0, Class::Human));
}

impl Case {
    fn nothing() -> Self {
        Self {
            profile: SessionProfile::default(),
            agent: AgentFacts::default(),
            history: History::default(),
            site: SiteFacts::default(),
        }
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            profile: &self.profile,
            agent: &self.agent,
            history: &self.history,
            site: &self.site,
            features: None,
        }
    }
}

fn seven(case: &Case) -> Verdict {
    BehavioralBotDetector::new(DetectorPolicy::seven_signal()).explain(&case.subject())
}

/// Sees so many distinct pages.
fn visit(case: &mut Case, pages: u64) {
    for page in 0..pages {
        case.profile.pages.insert(page);
    }
}

/// Walks over pages without numbers, in this order of their names.
fn walk(case: &mut Case, pages: &[u64]) {
    for &page in pages {
        case.profile.walk.step(page, &format!("/{}", (b'a' + page as u8) as char), None);
    }
}

fn categories(policy: CategoryPolicy) -> DetectorPolicy {
    DetectorPolicy::Categories(Box::new(policy))
}

#[test]
fn a_category_without_points_is_no_voice() {
    let none = Points::new(0.0).unwrap();
    let policy = CategoryPolicy { voice_from: none, bot_from: none, ..CategoryPolicy::default() };
    let class = |points| {
        let said =
            [(SignalKind::BarePages, points, false), (SignalKind::SequentialNavigation, points, false)];
        judged(&categories(policy.clone()), &said).class
    };
    assert_eq!(class(0.0), Class::Suspected, "a score of 0 is enough here, but nobody speaks");
    assert_eq!(class(f64::from_bits(1)), Class::Bot);
}

/// What the policy makes of these signals about a visitor that declares nothing.
fn judged(policy: &DetectorPolicy, said: &[Said]) -> Assessment {
    let mut tally = Tally::default();
    for &(kind, points, decisive) in said {
        tally.hear(kind, points, decisive, 0.0, 0.0);
    }
    BehavioralBotDetector::new(policy.clone()).judge(&Case::nothing().subject(), &tally)
}

fn said(kinds: &'static [SignalKind]) -> impl Strategy<Value = Said> {
    (proptest::sample::select(kinds), 0f64..1_000.0, prop::bool::weighted(0.1))
}

/// No signal of this sort fires, under any policy of categories.
fn silent(
    case: &Case,
    policy: CategoryPolicy,
    sort: impl Fn(SignalKind) -> bool,
) -> Result<(), TestCaseError> {
    let verdict = BehavioralBotDetector::new(categories(policy)).explain(&case.subject());
    let heard: Vec<_> = verdict.signals.iter().filter(|signal| sort(signal.kind)).collect();
    prop_assert!(heard.is_empty(), "{heard:?}");
    Ok(())
}

fn lines() -> impl Strategy<Value = Lines> {
    let any = proptest::collection::vec((0i64..40_000_000, request()), 0..60).prop_map(Lines);
    prop_oneof![3 => disordered_sequence(0..80).boxed(), 1 => any.boxed()]
}

fn changed(change: fn(&mut ArbitraryRequest)) -> impl Strategy<Value = Lines> {
    lines().prop_map(move |Lines(mut lines)| {
        for (_, request) in &mut lines {
            change(request);
        }
        Lines(lines)
    })
}

fn cases(lines: impl Strategy<Value = Lines>) -> impl Strategy<Value = Case> {
    let marks = (any::<bool>(), any::<bool>());
    let findings = proptest::collection::vec(finding(), 0..150);
    (lines, agent_facts(), history(), findings, marks).prop_map(
        |(Lines(lines), agent, history, findings, marks)| {
            let mut site = SiteFacts::default();
            site.learn(findings, 60_000_000);
            let (mut profile, mut served) = (SessionProfile::default(), ServedPages::default());
            for (at, request) in &lines {
                let request = request.observation();
                profile.settle(&site, at - ASSET_WAIT_US, |_| ());
                let effect = profile.observe(&mut served, &request, *at);
                if effect.page_view && request.succeeded() {
                    profile.await_assets(&site, &request, effect.new_page, *at);
                }
            }
            profile.settle(&site, i64::MAX, |_| ());
            (profile.tracker.automated, profile.tracker.implausible) = marks;
            Case { profile, agent, history, site }
        },
    )
}

/// What a small site with a handful of agents may have learned; its pages are those of realistic requests.
fn finding() -> impl Strategy<Value = Finding> {
    let page =
        prop_oneof![(1u64..8).prop_map(|n| ArbitraryRequest::page(&format!("/p/{n}")).page), any::<u64>(),];
    (page, 0u64..4, any::<bool>(), any::<bool>(), proptest::option::of(500u16..700), 0u8..7).prop_map(
        |(page, agent, mark, http10, released, which)| match which {
            0 => Finding::Page { page },
            1 => {
                Finding::View { page, directory: ArbitraryRequest::page("/p/1").directory, with_asset: mark }
            }
            2 => Finding::Settled { agent, bare: mark, http10, released },
            3 => Finding::Turned { agent, http10, released },
            4 => Finding::BareView { agent, page },
            5 => Finding::Trail { trail: page },
            _ => Finding::InnerView { without_referrer: mark },
        },
    )
}
