//! The contract of the ports catches adapters that are wrong on purpose, each by a case that names its fault.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod faulty;
mod leaders;
mod machine;

use std::pin::Pin;

use analytics_ports::contract::{self, Stores};

use faulty::Fault;

macro_rules! table {
    ($($group:ident :: $case:ident),+ $(,)?) => {
        const CASES: &[(&str, Case)] = &[$((
            stringify!($case),
            |stores| Box::pin(async move { contract::$group::$case(&stores).await }),
        )),+];
    };
}
analytics_ports::contract_cases!(table);

#[tokio::test]
async fn an_adapter_without_fault_passes_every_case() {
    assert_eq!(failing(None).await, [""; 0]);
}

#[tokio::test]
async fn every_faulty_adapter_is_caught_by_the_case_that_names_its_fault() {
    for &(fault, case) in Fault::CAUGHT_BY {
        let caught = failing(Some(fault)).await;
        assert!(caught.contains(&case), "{fault:?} is caught by {caught:?} and not by {case}");
    }
}

#[test]
fn every_case_has_a_name_of_its_own() {
    let mut names: Vec<&str> = CASES.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
}

/// The cases that an adapter with this fault does not pass.
async fn failing(fault: Option<Fault>) -> Vec<&'static str> {
    let mut failing = Vec::new();
    for (name, case) in CASES {
        // A case that fails panics, and a task that panics is an error to whoever waits for it.
        if tokio::spawn(case(faulty::stores(fault))).await.is_err() {
            failing.push(*name);
        }
    }
    failing
}

type Case = fn(Stores) -> Pin<Box<dyn Future<Output = ()> + Send>>;
