//! What every [`LeaderLock`] does. [`leader_cases!`](crate::leader_cases) lists the cases.

use std::any::Any;
use std::sync::Arc;

use futures_util::future::join_all;

use crate::{LeaderLock, LeaderRole, Leadership};

/// The locks of two processes that share one store in which nobody leads, for one case.
pub struct Leaders {
    /// That of one process.
    pub one: Arc<dyn LeaderLock>,
    /// That of another.
    pub other: Arc<dyn LeaderLock>,
    /// Dropped after the case: a database to remove, for example.
    pub guard: Box<dyn Any + Send + Sync>,
}

/// The other process does not, and neither does the first a second time.
pub async fn of_two_that_ask_one_leads(leaders: &Leaders) {
    let mut leading = lead(&leaders.one, FIRST).await.expect("nobody leads yet");
    assert!(lead(&leaders.other, FIRST).await.is_none());
    assert!(lead(&leaders.one, FIRST).await.is_none());
    // Asking in vain takes nothing away.
    assert!(leading.still_leads().await);
    assert!(lead(&leaders.other, FIRST).await.is_none());
}

/// Two processes lead, each in another role.
pub async fn each_role_has_a_leader_of_its_own(leaders: &Leaders) {
    let first = lead(&leaders.one, FIRST).await;
    let second = lead(&leaders.other, SECOND).await;
    assert!(first.is_some() && second.is_some());
    assert!(lead(&leaders.other, FIRST).await.is_none());
    assert!(lead(&leaders.one, SECOND).await.is_none());
}

/// The next that asks leads, whoever it is, and the other roles stay as they are.
pub async fn a_role_that_is_given_up_is_free_at_once(leaders: &Leaders) {
    let mut kept = lead(&leaders.one, SECOND).await.expect("nobody leads yet");
    for _ in 0..3 {
        let leading = lead(&leaders.one, FIRST).await.expect("it was given up");
        leading.release().await.unwrap();
        let leading = lead(&leaders.other, FIRST).await.expect("it was given up");
        leading.release().await.unwrap();
    }
    assert!(kept.still_leads().await);
    assert!(lead(&leaders.other, SECOND).await.is_none());
}

/// As when a task is cancelled: nobody says that it is given up.
pub async fn a_role_whose_leader_is_dropped_is_free_soon(leaders: &Leaders) {
    drop(lead(&leaders.one, FIRST).await.expect("nobody leads yet"));
    for _ in 0..ASKED_BEFORE_SOON_IS_OVER {
        if lead(&leaders.other, FIRST).await.is_some() {
            return;
        }
    }
    panic!("a leader that was dropped still leads");
}

/// Also after a while in which others asked.
pub async fn a_leader_is_told_that_it_leads(leaders: &Leaders) {
    let mut leading = lead(&leaders.one, FIRST).await.expect("nobody leads yet");
    for _ in 0..3 {
        assert!(leading.still_leads().await);
        assert!(lead(&leaders.other, FIRST).await.is_none());
    }
}

/// Sixteen at once.
pub async fn of_many_that_ask_at_once_one_leads(leaders: &Leaders) {
    let asked =
        (0..16).map(|number| lead(if number % 2 == 0 { &leaders.one } else { &leaders.other }, FIRST));
    let answers = join_all(asked).await;
    assert_eq!(answers.iter().flatten().count(), 1);
}

/// Hands the names of all cases of a [`LeaderLock`] to a macro of yours.
#[macro_export]
macro_rules! leader_cases {
    ($stamp:ident) => {
        $stamp! {
            leaders::of_two_that_ask_one_leads,
            leaders::each_role_has_a_leader_of_its_own,
            leaders::a_role_that_is_given_up_is_free_at_once,
            leaders::a_role_whose_leader_is_dropped_is_free_soon,
            leaders::a_leader_is_told_that_it_leads,
            leaders::of_many_that_ask_at_once_one_leads,
        }
    };
}

async fn lead(lock: &Arc<dyn LeaderLock>, role: LeaderRole) -> Option<Box<dyn Leadership>> {
    lock.try_lead(role).await.unwrap()
}

const FIRST: LeaderRole = LeaderRole::new("first").expect("it is a role");
const SECOND: LeaderRole = LeaderRole::new("second").expect("it is a role");

/// Each time is an answer of the store, so that this is seconds where a store has to notice a closed connection.
const ASKED_BEFORE_SOON_IS_OVER: u32 = 2_000;
