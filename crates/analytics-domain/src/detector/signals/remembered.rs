//! What the tracker saw, what privacy browsers leave out, and what is remembered of the fingerprint.

use super::Listener;
use crate::detector::signal::SignalKind;
use crate::detector::subject::Subject;

use crate::detector::policy::CategoryPolicy;

pub(super) fn signals(policy: &CategoryPolicy, subject: &Subject<'_>, out: &mut impl Listener) {
    let profile = subject.profile;
    if profile.tracker.automated {
        out.points(SignalKind::AutomatedBrowser, policy.headless.automated_browser, 1.0, 0.0);
    }
    if profile.tracker.implausible {
        out.points(SignalKind::ImplausibleEngagement, policy.engagement.implausible, 1.0, 0.0);
    }
    if profile.headers.hints_missing {
        out.points(SignalKind::NoClientHints, policy.privacy.no_client_hints, 0.0, 1.0);
    }
    if subject.history.flagged {
        out.points(SignalKind::FlaggedFingerprint, policy.reputation.flagged, 1.0, 0.0);
    }
}
