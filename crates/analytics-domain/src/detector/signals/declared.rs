//! What agents say of themselves.

use super::Listener;
use crate::detector::signal::SignalKind;
use crate::detector::subject::Subject;

use crate::detector::policy::DeclaredPolicy;

pub(super) fn signals(policy: &DeclaredPolicy, subject: &Subject<'_>, out: &mut impl Listener) {
    if subject.agent.declared.is_some() {
        out.decisive(SignalKind::DeclaredAutomation, policy.automation, 1.0, 0.0);
    } else if subject.agent.observed && subject.agent.missing {
        let points = if subject.bare() { policy.no_user_agent } else { policy.no_user_agent_with_assets };
        out.points(SignalKind::NoUserAgent, points, 0.0, 1.0);
    } else if subject.agent.observed && !subject.agent.browser {
        out.points(SignalKind::NotABrowser, policy.not_a_browser, 0.0, 1.0);
    }
}
