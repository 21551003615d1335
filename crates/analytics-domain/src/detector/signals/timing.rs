//! How evenly a session's page views and a visitor's sessions come.

use super::Listener;
use crate::detector::signal::SignalKind;
use crate::detector::subject::Subject;

use crate::detector::policy::TimingPolicy;

pub(super) fn signals(policy: &TimingPolicy, subject: &Subject<'_>, out: &mut impl Listener) {
    let gaps = &subject.profile.gaps;
    // One page that reloads itself is a dashboard left open; a rhythm over different pages is not.
    let different = subject.profile.pages.count() * 2 > subject.profile.counts.page_views;
    let walks = subject.profile.walk.steps() * 2 >= gaps.count();
    if gaps.count() >= policy.min_gaps && (walks || !subject.profile.loads()) {
        if gaps.varies_less_than(policy.variation.get())
            && let Some(variation) = gaps.coefficient_of_variation()
        {
            let metronome = different && gaps.count() >= policy.metronome_gaps;
            let points = policy.regular.get();
            out.hear(SignalKind::RegularTiming, points, metronome, variation, policy.variation.get());
        }
        let run = u32::from(gaps.longest_equal_run());
        if run >= policy.equal_run {
            let metronome = different && run >= policy.metronome_run;
            let points = policy.equal_gaps.get();
            out.hear(SignalKind::EqualGaps, points, metronome, f64::from(run), f64::from(policy.equal_run));
        }
        if gaps.under_a_second() * 2 > gaps.count() {
            let share = f64::from(gaps.under_a_second()) / f64::from(gaps.count());
            out.points(SignalKind::SubsecondGaps, policy.subsecond, share, 0.5);
        }
    }
    if gaps.count() >= policy.narrow_gaps
        && walks
        && gaps.log_varies_less_than(policy.log_deviation.get())
        && gaps.smallest_us().is_some_and(|us| us >= 1_000_000)
        && let Some(deviation) = gaps.log_deviation()
    {
        out.points(SignalKind::NarrowGaps, policy.narrow, deviation, policy.log_deviation.get());
    }
    if gaps.count() >= policy.bounded_gaps
        && different
        && let Some(mean) = gaps.mean_us().filter(|&mean| mean >= 1e6)
        && let Some(longest) =
            gaps.largest_us().filter(|&longest| (longest as f64) < policy.bound.get() * mean)
    {
        out.points(SignalKind::BoundedGaps, policy.bounded, longest as f64 / mean, policy.bound.get());
    }
    let starts = &subject.history.starts;
    if u32::from(starts.starts) >= policy.starts
        && let Some(variation) = starts.coefficient_of_variation().filter(|&cv| cv < policy.variation.get())
    {
        out.points(SignalKind::PeriodicStarts, policy.periodic_starts, variation, policy.variation.get());
    }
}
