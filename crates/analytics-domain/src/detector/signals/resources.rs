//! What browsers load and programs do not.

use super::Listener;
use crate::detector::signal::SignalKind;
use crate::detector::subject::Subject;

use crate::detector::policy::ResourcesPolicy;

pub(super) fn signals(policy: &ResourcesPolicy, subject: &Subject<'_>, out: &mut impl Listener) {
    let profile = subject.profile;
    let counts = &profile.counts;
    if subject.bare() {
        let expected = profile.expected_loads + f64::from(subject.history.expected_loads);
        // Half a load to be expected is the least that says anything.
        let weight = match expected {
            x if x >= 4.5 => Some((policy.five, 5.0)),
            x if x >= 2.5 => Some((policy.three, 3.0)),
            x if x >= 1.5 => Some((policy.two, 2.0)),
            x if x >= 0.5 => Some((policy.one, 1.0)),
            _ => None,
        };
        if let Some((points, limit)) = weight {
            out.points(SignalKind::BarePages, points, expected, limit);
        }
        let deserted = || subject.site.is_deserted(policy.deserted_visitors, policy.deserted_share.get());
        if weight.is_none() && profile.bare_pages > 0 && deserted() {
            out.points(SignalKind::DesertedSite, policy.deserted, f64::from(counts.page_views), 0.0);
        }
        if subject.agent.browser && counts.robots > 0 && profile.robots_first {
            out.decisive(SignalKind::RobotsFirst, policy.robots_first, 1.0, 0.0);
        }
        let (calls, limit) = (counts.api_unnamed, policy.api_requests);
        // An app of the site's own calls its API too, but gives a name.
        let nameless = subject.agent.browser || subject.agent.missing;
        if nameless && counts.page_views == 0 && calls >= limit {
            out.points(
                SignalKind::ApiWithoutPage,
                policy.api_without_page,
                f64::from(calls),
                f64::from(limit),
            );
        }
        let (feeds, limit) = (counts.feeds, policy.feed_requests);
        if subject.agent.observed && !subject.agent.browser && counts.page_views == 0 && feeds >= limit {
            out.points(SignalKind::FeedOnly, policy.feed_only, f64::from(feeds), f64::from(limit));
        }
    } else if subject.agent.browser && profile.expected_all >= f64::from(policy.few_expected) {
        let share = f64::from(profile.loaded_pages) / profile.expected_all;
        if share < policy.few_share.get() {
            out.points(SignalKind::FewAssets, policy.few_assets, share, policy.few_share.get());
        }
    }
    if counts.requests >= 3 && counts.heads == counts.requests {
        out.points(SignalKind::HeadOnly, policy.head_only, f64::from(counts.heads), 3.0);
    }
}
