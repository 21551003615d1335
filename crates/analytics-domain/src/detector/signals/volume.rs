//! How much a session asks for.

use super::Listener;
use crate::detector::signal::SignalKind;
use crate::detector::subject::Subject;

use crate::detector::policy::{Points, VolumePolicy};

const MINUTE_US: i64 = 60_000_000;

pub(super) fn signals(policy: &VolumePolicy, subject: &Subject<'_>, out: &mut impl Listener) {
    let profile = subject.profile;
    let share = if profile.loads() { policy.share_with_assets.get() } else { 1.0 };
    let scaled = |points: Points| points.get() * share;
    let counts = &profile.counts;
    let limit = f64::from(policy.pages_per_minute);
    if counts.page_views >= policy.min_pages
        && profile.span_us() >= MINUTE_US
        && let Some(rate) = profile.pages_per_minute().filter(|&rate| rate > limit)
    {
        out.hear(SignalKind::HighPagesPerMinute, scaled(policy.high_pages_per_minute), false, rate, limit);
    }
    let burst = u32::from(profile.burst.in_ten_seconds());
    if burst >= policy.burst {
        out.hear(
            SignalKind::BurstRate,
            scaled(policy.burst_rate),
            false,
            f64::from(burst),
            f64::from(policy.burst),
        );
    }
    if counts.charged > policy.max_requests {
        let (figure, limit) = (f64::from(counts.charged), f64::from(policy.max_requests));
        out.hear(SignalKind::HighRequestCount, scaled(policy.high_request_count), false, figure, limit);
    }
}
