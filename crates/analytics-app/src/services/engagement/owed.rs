//! Counts that sessions are owed which the store does not have yet.

use std::collections::BTreeMap;

use analytics_domain::ids::SessionId;

/// Engagement that is kept and not counted in its session, because the session is not stored yet.
///
/// A bounded number of sessions; the caller counts what there is no room for.
#[derive(Debug, Default)]
pub(super) struct Owed {
    sessions: BTreeMap<SessionId, Debt>,
}

/// What one session is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Debt {
    /// Events that are to be counted.
    pub(super) events: u64,
    /// How often that was tried.
    pub(super) tries: u32,
}

impl Owed {
    /// Notes a debt; `false` when there is no room for another session.
    pub(super) fn add(&mut self, session: SessionId, debt: Debt) -> bool {
        if self.sessions.len() >= MOST_SESSIONS && !self.sessions.contains_key(&session) {
            return false;
        }
        let known = self.sessions.entry(session).or_insert(Debt { events: 0, tries: 0 });
        known.events += debt.events;
        known.tries = known.tries.max(debt.tries);
        true
    }

    /// All debts; from now on there are none.
    pub(super) fn take(&mut self) -> BTreeMap<SessionId, Debt> {
        std::mem::take(&mut self.sessions)
    }
}

/// Sessions are stored a second after they begin, so this many begin in the seconds of a store that is slow.
const MOST_SESSIONS: usize = 10_000;
/// Once a second for a minute: a session that is not stored by then was refused by the queue before the store.
pub(super) const MOST_TRIES: u32 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debts_of_one_session_add_up_and_sessions_are_bounded() {
        let mut owed = Owed::default();
        let debt = |events, tries| Debt { events, tries };
        for session in 0..MOST_SESSIONS {
            assert!(owed.add(SessionId::from_u128(session as u128), debt(1, 0)));
        }
        assert!(!owed.add(SessionId::from_u128(MOST_SESSIONS as u128), debt(1, 0)));
        assert!(owed.add(SessionId::from_u128(5), debt(2, 3)));
        let taken = owed.take();
        assert_eq!((taken.len(), taken[&SessionId::from_u128(5)]), (MOST_SESSIONS, debt(3, 3)));
        assert!(owed.take().is_empty());
    }
}
