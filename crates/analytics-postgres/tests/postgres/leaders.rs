//! One leader at a time, by the sessions of PostgreSQL.

use std::sync::Arc;

use analytics_ports::contract::{self, leaders::Leaders};
use analytics_ports::{LeaderLock, LeaderRole, Leadership};

use crate::database::TestDatabase;
use crate::{opened, unavailable};

macro_rules! stamp {
    ($($group:ident :: $case:ident),+ $(,)?) => {$(
        #[tokio::test]
        async fn $case() {
            let database = TestDatabase::migrated().await;
            let one = Arc::new(opened(&database).await.leaders());
            let other = Arc::new(opened(&database).await.leaders());
            contract::$group::$case(&Leaders { one, other, guard: Box::new(database) }).await;
        }
    )+};
}
analytics_ports::leader_cases!(stamp);

#[tokio::test]
async fn a_leader_whose_connection_was_cut_leads_no_more_and_another_can() {
    let database = TestDatabase::migrated().await;
    let (one, other) = (opened(&database).await.leaders(), opened(&database).await.leaders());
    let mut leading = one.try_lead(ROLE).await.unwrap().expect("nobody leads yet");
    let cut: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (
             SELECT pg_terminate_backend(pid, 10000) AS ended FROM pg_stat_activity
             WHERE application_name = 'analytics-leader' AND datname = current_database()
         ) AS leaders WHERE ended",
    )
    .fetch_one(&mut database.connection().await)
    .await
    .unwrap();
    assert_eq!(cut, 1);
    assert!(!leading.still_leads().await);
    let mut next = other.try_lead(ROLE).await.unwrap().expect("the connection of the first was cut");
    assert!(next.still_leads().await);
    // Giving up what was lost takes nothing from the one that leads now.
    unavailable(leading.release().await);
    assert!(next.still_leads().await);
    assert!(one.try_lead(ROLE).await.unwrap().is_none());
}

#[tokio::test]
async fn leaders_of_two_databases_do_not_know_each_other() {
    let (one, other) = (TestDatabase::migrated().await, TestDatabase::migrated().await);
    let first = opened(&one).await.leaders().try_lead(ROLE).await.unwrap();
    let second = opened(&other).await.leaders().try_lead(ROLE).await.unwrap();
    assert!(first.is_some() && second.is_some());
}

/// A pool of one connection that is in use does not keep anybody from leading.
#[tokio::test]
async fn a_leader_takes_no_connection_of_the_pool() {
    let database = TestDatabase::migrated().await;
    let options = analytics_postgres::PostgresOptions { max_connections: 1, ..Default::default() };
    let store = crate::opened_with(&database, &options).await;
    let mut leading: Vec<Box<dyn Leadership>> = Vec::new();
    for role in [ROLE, OTHER_ROLE] {
        leading.push(store.leaders().try_lead(role).await.unwrap().expect("nobody leads in it"));
    }
    let id = analytics_domain::ids::SessionId::from_u128(1);
    assert!(analytics_ports::SessionRepository::get(&store.sessions(), id).await.unwrap().is_none());
    for role in leading {
        role.release().await.unwrap();
    }
}

const ROLE: LeaderRole = LeaderRole::new("role").expect("it is a role");
const OTHER_ROLE: LeaderRole = LeaderRole::new("other_role").expect("it is a role");
