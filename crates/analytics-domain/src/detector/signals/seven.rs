//! The seven signals of the preset. Their points add up.

use super::Listener;
use crate::detector::signal::SignalKind;
use crate::detector::subject::Subject;

use crate::detector::observation::Engine;
use crate::detector::policy::SevenSignalPolicy;

pub(in crate::detector) fn seven_signals(
    policy: &SevenSignalPolicy,
    subject: &Subject<'_>,
    out: &mut impl Listener,
) {
    let (profile, history) = (subject.profile, subject.history);
    let requests = profile.counts.requests;
    if requests > policy.max_requests {
        let (figure, limit) = (f64::from(requests), f64::from(policy.max_requests));
        out.points(SignalKind::HighRequestCount, policy.high_request_count, figure, limit);
    }
    let known = subject.site.pages();
    if known > 0 {
        let coverage = f64::from(profile.pages.count()) / f64::from(known);
        if coverage > policy.max_coverage.get() {
            out.points(
                SignalKind::HighPageCoverage,
                policy.high_page_coverage,
                coverage,
                policy.max_coverage.get(),
            );
        }
    }
    if let Some(share) = profile.walk.systematic_share().filter(|&share| share >= SYSTEMATIC)
        && profile.pages.count() >= 5
    {
        out.points(SignalKind::SequentialNavigation, policy.sequential_navigation, share, SYSTEMATIC);
    }
    if history.sessions_in_day > policy.max_fingerprint_sessions {
        let (figure, limit) =
            (f64::from(history.sessions_in_day), f64::from(policy.max_fingerprint_sessions));
        out.points(
            SignalKind::MultipleFingerprintSessions,
            policy.multiple_fingerprint_sessions,
            figure,
            limit,
        );
    }
    let variation = profile.gaps.coefficient_of_variation();
    if let Some(variation) =
        variation.filter(|&cv| cv < policy.min_variation.get() && profile.gaps.count() >= 4)
    {
        out.points(SignalKind::RegularTiming, policy.regular_timing, variation, policy.min_variation.get());
    }
    if let Some(rate) =
        profile.pages_per_minute().filter(|&rate| rate > f64::from(policy.max_pages_per_minute))
    {
        let limit = f64::from(policy.max_pages_per_minute);
        out.points(SignalKind::HighPagesPerMinute, policy.high_pages_per_minute, rate, limit);
    }
    let outdated = subject.agent.engine.map(|(engine, major)| match engine {
        Engine::Chrome => (major, 90),
        Engine::Firefox => (major, 88),
    });
    if let Some((major, floor)) = outdated.filter(|(major, floor)| major < floor) {
        out.points(SignalKind::OutdatedBrowser, policy.outdated_browser, f64::from(major), f64::from(floor));
    }
}

/// Systematic order: seven steps of ten follow one rule.
const SYSTEMATIC: f64 = 0.7;
