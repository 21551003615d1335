//! Company: many that do the same. Only what was seen before counts.

use super::Listener;
use crate::detector::signal::SignalKind;
use crate::detector::subject::Subject;

use crate::detector::policy::CohortPolicy;

pub(super) fn signals(policy: &CohortPolicy, subject: &Subject<'_>, out: &mut impl Listener) {
    if !subject.settled_bare() {
        return;
    }
    let history = subject.history;
    let norm = subject.site.bare_share();
    if norm.is_some_and(|norm| norm <= policy.bare_norm.get()) && subject.profile.counts.page_views > 0 {
        let (bare, all) = subject.site.agent_settlements(subject.agent.hash);
        let share = f64::from(bare) / f64::from(all.max(1));
        if bare >= policy.bare_agent_visitors && share >= policy.bare_agent_share.get() {
            out.points(SignalKind::BareAgent, policy.bare_agent, share, policy.bare_agent_share.get());
        }
    }
    let shared = history.shared;
    if shared.seen >= policy.shared_visitors && shared.excess() >= f64::from(policy.shared_ratio) {
        out.points(
            SignalKind::SharedAgentAndPage,
            policy.shared_view,
            shared.excess(),
            f64::from(policy.shared_ratio),
        );
    }
    if let Some(trail) = subject.profile.trail.complete() {
        let seen = subject.site.shared_trail(trail);
        if seen >= policy.shared_visitors {
            out.points(
                SignalKind::SharedTrail,
                policy.shared_trail,
                f64::from(seen),
                f64::from(policy.shared_visitors),
            );
        }
    }
    let addresses = u32::from(history.network_addresses);
    if addresses >= policy.network_addresses {
        let limit = f64::from(policy.network_addresses);
        out.points(SignalKind::SharedNetwork, policy.shared_network, f64::from(addresses), limit);
    }
    let sessions = u32::from(history.bare_sessions) + u32::from(subject.profile.counts.page_views > 0);
    if history.bare_sessions > 0 && sessions >= policy.sessions && history.expected_loads >= 0.5 {
        out.points(
            SignalKind::BareSessions,
            policy.bare_sessions,
            f64::from(sessions),
            f64::from(policy.sessions),
        );
    }
}
