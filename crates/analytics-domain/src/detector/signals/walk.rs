//! In which order pages are seen, and how many of them.

use super::Listener;
use crate::detector::signal::SignalKind;
use crate::detector::subject::Subject;

use crate::detector::policy::WalkPolicy;

pub(super) fn signals(policy: &WalkPolicy, subject: &Subject<'_>, out: &mut impl Listener) {
    let walk = &subject.profile.walk;
    let views = subject.profile.counts.page_views;
    // Where most steps follow a link of the page before, the order is the site's own.
    let linked = subject.profile.referrers.linked * 2 >= walk.steps() && subject.profile.loads();
    if views >= policy.sweep_views && !linked {
        let share = f64::from(subject.profile.pages.count()) / f64::from(views);
        if share >= policy.sweep_share.get() {
            out.points(SignalKind::Sweep, policy.sweep, share, policy.sweep_share.get());
        }
    }
    // By chance one person in forty opens ten pages in a sorted order, so that alone counts against no browser.
    let sorted = walk.steps() >= policy.min_sorted_steps && !subject.profile.loads();
    let share = || if sorted { walk.systematic_share() } else { walk.numeric_share() };
    if walk.steps() >= policy.min_steps
        && !linked
        && subject.profile.pages.count() > policy.min_steps
        && let Some(share) = share().filter(|&share| share >= policy.systematic.get())
    {
        out.points(SignalKind::SequentialNavigation, policy.sequential, share, policy.systematic.get());
    }
    let known = subject.site.pages();
    if known >= policy.min_site_pages {
        let coverage = f64::from(subject.profile.pages.count()) / f64::from(known);
        if coverage > policy.coverage.get() {
            out.points(SignalKind::HighPageCoverage, policy.high_coverage, coverage, policy.coverage.get());
        }
    }
}
