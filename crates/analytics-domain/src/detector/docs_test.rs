//! The table of signals in `docs/detection.md` says what the default policy says.

use std::collections::BTreeSet;
use std::format;
use std::string::String;
use std::vec::Vec;

use super::SignalKind as S;
use super::policy::{CategoryPolicy, Points, Share};

const DOCS: &str = include_str!("../../../../docs/detection.md");

#[test]
fn the_documented_points_and_limits_are_those_of_the_default_policy() {
    let missing: Vec<String> = rows(&CategoryPolicy::default())
        .iter()
        .map(|(kind, points, limit)| {
            format!("| `{kind}` | {} | {points} | {limit} |", kind.category().as_str())
        })
        .filter(|row| !DOCS.contains(row.as_str()))
        .collect();
    assert_eq!(missing, Vec::<String>::new(), "rows that docs/detection.md lacks");
}

#[test]
fn every_signal_of_the_default_policy_is_documented() {
    let documented: BTreeSet<_> = rows(&CategoryPolicy::default()).iter().map(|row| row.0).collect();
    let all: BTreeSet<_> =
        S::ALL.iter().copied().filter(|kind| *kind != S::MultipleFingerprintSessions).collect();
    assert_eq!(documented, all);
}

/// Each signal of the default policy with its points and its limits, as the table writes them.
fn rows(policy: &CategoryPolicy) -> Vec<(S, String, String)> {
    let p = |points: Points| format!("{}", points.get());
    let to = |low: Points, high: Points| format!("{}–{}", low.get(), high.get());
    let n = |number: u32| format!("{number}");
    let percent = |share: Share| format!("{} %", share.get() * 100.0);
    let and = |a: String, b: String| format!("{a}; {b}");
    let none = || String::from("–");
    let (volume, timing, walk) = (&policy.volume, &policy.timing, &policy.walk);
    let (resources, form, referrer) = (&policy.resources, &policy.form, &policy.referrer);
    let (probing, cohort, impostor) = (&policy.probing, &policy.cohort, &policy.impostor);
    let (age, declared) = (&policy.browser_age, &policy.declared);
    [
        (S::DeclaredAutomation, p(declared.automation), none()),
        (S::NoUserAgent, to(declared.no_user_agent_with_assets, declared.no_user_agent), none()),
        (S::NotABrowser, p(declared.not_a_browser), none()),
        (S::SpoofedCrawler, p(impostor.spoofed_crawler), none()),
        (S::ImpossibleHeaders, p(impostor.impossible_headers), none()),
        (S::MixedHttpVersions, p(impostor.mixed_http_versions), none()),
        (S::Http10Browser, p(impostor.http10_browser), percent(impostor.http10_norm)),
        (S::ExtinctBrowser, p(impostor.extinct_browser), n(impostor.extinct_months)),
        (S::RotatingAgents, p(impostor.rotating_agents), n(impostor.agents)),
        (S::OutdatedBrowser, to(age.old, age.ancient), and(n(age.old_months), n(age.ancient_months))),
        (S::AutomatedBrowser, p(policy.headless.automated_browser), none()),
        (
            S::HighPagesPerMinute,
            p(volume.high_pages_per_minute),
            and(n(volume.pages_per_minute), n(volume.min_pages)),
        ),
        (S::BurstRate, p(volume.burst_rate), n(volume.burst)),
        (S::HighRequestCount, p(volume.high_request_count), n(volume.max_requests)),
        (S::RegularTiming, p(timing.regular), and(percent(timing.variation), n(timing.min_gaps))),
        (S::EqualGaps, p(timing.equal_gaps), n(timing.equal_run)),
        (S::NarrowGaps, p(timing.narrow), and(percent(timing.log_deviation), n(timing.narrow_gaps))),
        (S::BoundedGaps, p(timing.bounded), and(p(timing.bound), n(timing.bounded_gaps))),
        (S::SubsecondGaps, p(timing.subsecond), n(timing.min_gaps)),
        (S::PeriodicStarts, p(timing.periodic_starts), n(timing.starts)),
        (S::SequentialNavigation, p(walk.sequential), and(percent(walk.systematic), n(walk.min_steps))),
        (S::Sweep, p(walk.sweep), and(percent(walk.sweep_share), n(walk.sweep_views))),
        (S::HighPageCoverage, p(walk.high_coverage), and(percent(walk.coverage), n(walk.min_site_pages))),
        (S::BarePages, to(resources.one, resources.five), none()),
        (S::FewAssets, p(resources.few_assets), and(percent(resources.few_share), n(resources.few_expected))),
        (
            S::DesertedSite,
            p(resources.deserted),
            and(percent(resources.deserted_share), n(resources.deserted_visitors)),
        ),
        (S::FeedOnly, p(resources.feed_only), n(resources.feed_requests)),
        (S::ApiWithoutPage, p(resources.api_without_page), n(resources.api_requests)),
        (S::HeadOnly, p(resources.head_only), none()),
        (S::RobotsFirst, p(resources.robots_first), none()),
        (S::UnservedPost, p(form.unserved), none()),
        (S::QuickPost, to(form.quick_with_assets, form.quick), none()),
        (S::ManyPosts, p(form.many_posts), n(form.many)),
        (S::SelfReferrer, p(referrer.names_itself), none()),
        (S::UnservedReferrer, p(referrer.names_unserved), none()),
        (S::UnservedReferrers, p(referrer.many_unserved), n(referrer.unserved_views)),
        (
            S::RepeatedReferrer,
            to(referrer.repeated, referrer.repeated_often),
            and(n(referrer.repeated_views), n(referrer.often_views)),
        ),
        (S::SpamReferrer, p(referrer.spam), none()),
        (
            S::InnerWithoutReferrer,
            p(referrer.inner_missing),
            and(percent(referrer.inner_share), percent(referrer.inner_norm)),
        ),
        (
            S::TypedAddresses,
            to(referrer.typed, referrer.typed_all),
            and(n(referrer.typed_views), n(referrer.typed_often)),
        ),
        (S::ErrorShare, p(probing.errors), and(percent(probing.error_share), n(probing.min_requests))),
        (S::Guessing, p(probing.guessing), n(probing.guesses)),
        (S::ProbePaths, to(probing.probe_path, probing.exploit), n(probing.decisive_paths)),
        (S::StrongProbe, p(probing.strong_probe), none()),
        (S::TrapUrl, p(probing.trap), none()),
        (
            S::BareAgent,
            p(cohort.bare_agent),
            and(n(cohort.bare_agent_visitors), percent(cohort.bare_agent_share)),
        ),
        (
            S::SharedAgentAndPage,
            p(cohort.shared_view),
            and(n(cohort.shared_visitors), n(cohort.shared_ratio)),
        ),
        (S::SharedTrail, p(cohort.shared_trail), n(cohort.shared_visitors)),
        (S::SharedNetwork, p(cohort.shared_network), n(cohort.network_addresses)),
        (S::BareSessions, p(cohort.bare_sessions), n(cohort.sessions)),
        (S::NoClientHints, p(policy.privacy.no_client_hints), none()),
        (S::ImplausibleEngagement, p(policy.engagement.implausible), none()),
        (S::FlaggedFingerprint, p(policy.reputation.flagged), none()),
        (S::LearnedModel, p(policy.model.points), percent(policy.model.from)),
    ]
    .into()
}
