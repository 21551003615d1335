//! Counting sessions with their distinct visitors and users.

use analytics_domain::ids::{UserId, VisitorId};
use analytics_domain::session::AnalyticsSession;
use analytics_domain::stats::counts::SessionCounts;
use analytics_domain::stats::{Audience, ByAudience};
use hashbrown::HashSet;

/// Sessions counted so far. The order in which they come changes nothing.
#[derive(Debug, Default)]
pub(super) struct SessionFold {
    counts: SessionCounts,
    /// The order of both is never seen.
    visitors: HashSet<VisitorId>,
    users: HashSet<UserId>,
}

impl SessionFold {
    /// Counts one more session.
    pub(super) fn add(&mut self, session: &AnalyticsSession) {
        self.counts.add(session);
        self.visitors.insert(session.record().visitor);
        if let Some(user) = &session.record().user {
            self.users.get_or_insert_with(user, UserId::clone);
        }
    }

    /// What was counted.
    pub(super) fn counts(&self) -> SessionCounts {
        SessionCounts { visitors: self.visitors.len() as u64, users: self.users.len() as u64, ..self.counts }
    }
}

/// Who is behind a session.
pub(super) fn audience_of(session: &AnalyticsSession) -> Audience {
    Audience::of(session.record().verdict.as_ref().map(|verdict| verdict.class))
}

/// The counts of each audience.
pub(super) fn counts_of(folds: &ByAudience<SessionFold>) -> ByAudience<SessionCounts> {
    ByAudience {
        people: folds.people.counts(),
        bots: folds.bots.counts(),
        ai_agents: folds.ai_agents.counts(),
    }
}
