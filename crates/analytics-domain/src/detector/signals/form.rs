//! How forms are sent.

use super::Listener;
use crate::detector::signal::SignalKind;
use crate::detector::subject::Subject;

use crate::detector::policy::FormPolicy;

pub(super) fn signals(policy: &FormPolicy, subject: &Subject<'_>, out: &mut impl Listener) {
    let profile = subject.profile;
    let loads = profile.loads() || subject.history.ever_loaded;
    if profile.unserved_posts > 0 && !loads {
        out.points(SignalKind::UnservedPost, policy.unserved, f64::from(profile.unserved_posts), 0.0);
    }
    if profile.counts.posts >= policy.many && subject.bare() {
        let (figure, limit) = (f64::from(profile.counts.posts), f64::from(policy.many));
        out.points(SignalKind::ManyPosts, policy.many_posts, figure, limit);
    }
    if profile.quick_posts > 0 {
        let points = if loads { policy.quick_with_assets } else { policy.quick };
        out.points(SignalKind::QuickPost, points, f64::from(profile.quick_posts), 0.0);
    }
}
