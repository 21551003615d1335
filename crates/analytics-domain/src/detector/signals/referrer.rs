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
    if !counts.observed || loads {
        return;
    }
    if counts.first_names_itself {
        out.points(SignalKind::SelfReferrer, policy.names_itself, 1.0, 0.0);
    } else if counts.first_names_unserved {
        out.points(SignalKind::UnservedReferrer, policy.names_unserved, 1.0, 0.0);
    }
    if counts.same_external >= policy.repeated_views {
        let (figure, limit) = (f64::from(counts.same_external), f64::from(policy.repeated_views));
        out.points(SignalKind::RepeatedReferrer, policy.repeated, figure, limit);
    }
    let share = f64::from(counts.inner_missing) / f64::from(counts.inner_views.max(1));
    let norm = subject.site.inner_without_referrer_share();
    if counts.inner_missing >= 2
        && share >= policy.inner_share.get()
        && norm.is_some_and(|norm| norm <= policy.inner_norm.get())
    {
        out.points(SignalKind::InnerWithoutReferrer, policy.inner_missing, share, policy.inner_share.get());
    }
}
