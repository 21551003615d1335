//! Locks of leaders that are wrong on purpose, each caught by a case that names its fault.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use analytics_inmemory::InMemoryLeaders;
use analytics_ports::contract::{self, leaders::Leaders};
use analytics_ports::{LeaderLock, LeaderRole, Leadership, StoreError};
use async_trait::async_trait;

#[tokio::test]
async fn a_lock_of_leaders_without_fault_passes_every_case() {
    assert_eq!(failing(None).await, [""; 0]);
}

#[tokio::test]
async fn every_faulty_lock_of_leaders_is_caught_by_the_case_that_names_its_fault() {
    for (fault, case) in CAUGHT_BY {
        let caught = failing(Some(fault)).await;
        assert!(caught.contains(&case), "{fault:?} is caught by {caught:?} and not by {case}");
    }
}

/// One mistake that a lock of leaders may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    LetsEveryProcessLead,
    LetsOneProcessLeadTwice,
    KnowsOneRoleOnly,
    NeverGivesUp,
    GivesUpEveryRole,
    KeepsWhatWasDropped,
    SaysThatNobodyLeads,
    GivesUpWhenItIsAsked,
}

const CAUGHT_BY: [(Fault, &str); 8] = [
    (Fault::LetsEveryProcessLead, "of_two_that_ask_one_leads"),
    (Fault::LetsOneProcessLeadTwice, "of_two_that_ask_one_leads"),
    (Fault::KnowsOneRoleOnly, "each_role_has_a_leader_of_its_own"),
    (Fault::NeverGivesUp, "a_role_that_is_given_up_is_free_at_once"),
    (Fault::GivesUpEveryRole, "a_role_that_is_given_up_is_free_at_once"),
    (Fault::KeepsWhatWasDropped, "a_role_whose_leader_is_dropped_is_free_soon"),
    (Fault::SaysThatNobodyLeads, "a_leader_is_told_that_it_leads"),
    (Fault::GivesUpWhenItIsAsked, "a_leader_is_told_that_it_leads"),
];

/// The in-memory lock behind a wrapper that makes one mistake.
struct Faulty {
    kept: Shared,
    fault: Option<Fault>,
}

struct FaultyLeading {
    kept: Shared,
    held: Option<Box<dyn Leadership>>,
    fault: Option<Fault>,
}

/// What two processes share; in its place another can be put, in which nobody leads.
type Shared = Arc<Mutex<InMemoryLeaders>>;

#[async_trait]
impl LeaderLock for Faulty {
    async fn try_lead(&self, role: LeaderRole) -> Result<Option<Box<dyn Leadership>>, StoreError> {
        let role = if self.fault == Some(Fault::KnowsOneRoleOnly) { ONLY } else { role };
        let leaders = self.kept.lock().unwrap().clone();
        let mut held = leaders.try_lead(role).await?;
        if held.is_none() && self.fault == Some(Fault::LetsOneProcessLeadTwice) {
            held = InMemoryLeaders::new().try_lead(role).await?;
        }
        let (kept, fault) = (Arc::clone(&self.kept), self.fault);
        Ok(held.map(|held| Box::new(FaultyLeading { kept, held: Some(held), fault }) as Box<dyn Leadership>))
    }
}

#[async_trait]
impl Leadership for FaultyLeading {
    async fn still_leads(&mut self) -> bool {
        if self.fault == Some(Fault::GivesUpWhenItIsAsked) {
            self.held = None;
        }
        self.fault != Some(Fault::SaysThatNobodyLeads)
    }

    async fn release(mut self: Box<Self>) -> Result<(), StoreError> {
        if self.fault == Some(Fault::GivesUpEveryRole) {
            *self.kept.lock().unwrap() = InMemoryLeaders::new();
        }
        if self.fault == Some(Fault::NeverGivesUp) {
            std::mem::forget(self.held.take());
        }
        self.held = None;
        Ok(())
    }
}

impl Drop for FaultyLeading {
    fn drop(&mut self) {
        if self.fault == Some(Fault::KeepsWhatWasDropped) {
            std::mem::forget(self.held.take());
        }
    }
}

/// The cases that a lock with this fault does not pass.
async fn failing(fault: Option<Fault>) -> Vec<&'static str> {
    let mut failing = Vec::new();
    for (name, case) in CASES {
        let kept = Shared::default();
        let apart = fault == Some(Fault::LetsEveryProcessLead);
        let one = Faulty { kept: Arc::clone(&kept), fault };
        let other = Faulty { kept: if apart { Shared::default() } else { kept }, fault };
        let leaders = Leaders { one: Arc::new(one), other: Arc::new(other), guard: Box::new(()) };
        if tokio::spawn(case(leaders)).await.is_err() {
            failing.push(*name);
        }
    }
    failing
}

macro_rules! table {
    ($($group:ident :: $case:ident),+ $(,)?) => {
        const CASES: &[(&str, Case)] = &[$((
            stringify!($case),
            |leaders| Box::pin(async move { contract::$group::$case(&leaders).await }),
        )),+];
    };
}
analytics_ports::leader_cases!(table);

type Case = fn(Leaders) -> Pin<Box<dyn Future<Output = ()> + Send>>;

const ONLY: LeaderRole = LeaderRole::new("only").expect("it is a role");
