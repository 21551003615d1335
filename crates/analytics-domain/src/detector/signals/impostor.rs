//! Claims that do not fit together.

use super::Listener;
use crate::detector::signal::SignalKind;
use crate::detector::subject::Subject;

use crate::detector::observation::Verification;
use crate::detector::policy::ImpostorPolicy;

/// `behind` is how many months the browser is behind the site's real visitors, where that is known.
pub(super) fn signals(
    policy: &ImpostorPolicy,
    subject: &Subject<'_>,
    behind: Option<i64>,
    out: &mut impl Listener,
) {
    let (agent, profile) = (subject.agent, subject.profile);
    if agent.declared.is_some() && agent.verification == Verification::Spoofed {
        out.decisive(SignalKind::SpoofedCrawler, policy.spoofed_crawler, 1.0, 0.0);
    }
    if !agent.browser {
        return;
    }
    if profile.headers.impossible {
        out.points(SignalKind::ImpossibleHeaders, policy.impossible_headers, 1.0, 0.0);
    }
    let versions = profile.versions;
    if versions.http10 && versions.http11 {
        out.points(SignalKind::MixedHttpVersions, policy.mixed_http_versions, 2.0, 1.0);
    } else if versions.http10 && subject.bare() {
        // Unknown while there are few asset-loading visitors; browsers at large left HTTP/1.0 long ago.
        let norm = subject.site.http10_share().unwrap_or(0.0);
        if norm <= policy.http10_norm.get() {
            out.points(SignalKind::Http10Browser, policy.http10_browser, norm, policy.http10_norm.get());
        }
    }
    if !subject.bare() {
        return;
    }
    if let Some(behind) = behind.filter(|&behind| behind >= i64::from(policy.extinct_months)) {
        let limit = f64::from(policy.extinct_months);
        out.points(SignalKind::ExtinctBrowser, policy.extinct_browser, behind as f64, limit);
    }
    let agents = u32::from(subject.history.agents_of_address);
    if agents >= policy.agents {
        out.points(
            SignalKind::RotatingAgents,
            policy.rotating_agents,
            f64::from(agents),
            f64::from(policy.agents),
        );
    }
}
