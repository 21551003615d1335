//! Where requests say they come from.

use super::Listener;
use crate::detector::signal::SignalKind;
use crate::detector::subject::Subject;

use crate::detector::policy::ReferrerPolicy;

pub(super) fn signals(policy: &ReferrerPolicy, subject: &Subject<'_>, out: &mut impl Listener) {
    let counts = &subject.profile.referrers;
    let loads = subject.profile.loads() || subject.history.ever_loaded;
    if counts.spam > 0 && !loads {
        out.points(SignalKind::SpamReferrer, policy.spam, f64::from(counts.spam), 0.0);
    }
    if !counts.observed {
        return;
    }
    // Of most sessions nobody asks for these.
    let share = || f64::from(counts.inner_missing) / f64::from(counts.inner_views.max(1));
    let norm = || subject.site.inner_without_referrer_share();
    let typed = if counts.inner_missing >= policy.typed_often {
        Some((policy.typed_all, policy.typed_often))
    } else {
        (counts.inner_missing >= policy.typed_views).then_some((policy.typed, policy.typed_views))
    };
    if let Some((points, limit)) = typed
        && share() >= policy.typed_share.get()
        && norm().is_none_or(|norm| norm <= policy.typed_norm.get())
        && types_addresses(policy, subject)
    {
        let figure = f64::from(counts.inner_missing);
        out.points(SignalKind::TypedAddresses, points, figure, f64::from(limit));
    }
    if loads {
        return;
    }
    if counts.first_names_itself {
        out.points(SignalKind::SelfReferrer, policy.names_itself, 1.0, 0.0);
    } else if counts.first_names_unserved {
        out.points(SignalKind::UnservedReferrer, policy.names_unserved, 1.0, 0.0);
    }
    if counts.unserved >= policy.unserved_views && counts.served == 0 {
        let (figure, limit) = (f64::from(counts.unserved), f64::from(policy.unserved_views));
        out.points(SignalKind::UnservedReferrers, policy.many_unserved, figure, limit);
    }
    let views = counts.same_external;
    let repeated = if views >= policy.often_views {
        Some((policy.repeated_often, policy.often_views))
    } else {
        (views >= policy.repeated_views).then_some((policy.repeated, policy.repeated_views))
    };
    if let Some((points, limit)) = repeated {
        out.points(SignalKind::RepeatedReferrer, points, f64::from(views), f64::from(limit));
    }
    if counts.inner_missing >= 2
        && share() >= policy.inner_share.get()
        && norm().is_some_and(|norm| norm <= policy.inner_norm.get())
    {
        out.points(SignalKind::InnerWithoutReferrer, policy.inner_missing, share(), policy.inner_share.get());
    }
}

/// Whether the client opens different pages, and proves by its assets that it sends referrers.
fn types_addresses(policy: &ReferrerPolicy, subject: &Subject<'_>) -> bool {
    let profile = subject.profile;
    let different = profile.pages.count() * 2 >= profile.counts.page_views;
    let named = profile.referrers.assets;
    different && named >= policy.typed_assets && named * 2 >= profile.counts.assets
}
