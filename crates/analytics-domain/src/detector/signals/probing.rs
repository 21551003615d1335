//! Asking for what is not meant to be asked for.

use super::Listener;
use crate::detector::signal::SignalKind;
use crate::detector::subject::Subject;

use crate::detector::policy::{Points, ProbingPolicy};

pub(super) fn signals(policy: &ProbingPolicy, subject: &Subject<'_>, out: &mut impl Listener) {
    let (probes, counts) = (&subject.profile.probes, &subject.profile.counts);
    if probes.trap {
        out.decisive(SignalKind::TrapUrl, policy.trap, 1.0, 0.0);
    }
    let distinct = u32::from(probes.distinct);
    if distinct > 0 {
        let each = |points: Points, times: u32| points.get() * f64::from(times);
        let exploits = probes.exploits.min(distinct);
        let points = each(policy.probe_path, distinct - exploits) + each(policy.exploit, exploits);
        let decisive = distinct >= policy.decisive_paths || probes.exploits >= policy.decisive_exploits;
        out.hear(
            SignalKind::ProbePaths,
            points,
            decisive,
            f64::from(distinct),
            f64::from(policy.decisive_paths),
        );
    }
    if probes.strong > 0 && subject.bare() {
        out.decisive(SignalKind::StrongProbe, policy.strong_probe, f64::from(probes.strong), 0.0);
    }
    if counts.refused_posts >= policy.guesses {
        let (figure, limit) = (f64::from(counts.refused_posts), f64::from(policy.guesses));
        out.points(SignalKind::Guessing, policy.guessing, figure, limit);
    }
    if counts.requests >= policy.min_requests {
        let share = f64::from(counts.client_errors) / f64::from(counts.requests);
        if share >= policy.error_share.get() {
            out.points(SignalKind::ErrorShare, policy.errors, share, policy.error_share.get());
        }
    }
}
