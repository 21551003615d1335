//! The PostgreSQL adapter against a real server.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "../../../../tests/database/mod.rs"]
mod database;

mod contract;
mod corrupt;
mod faults;
mod leaders;
mod partitions;
mod queries;
mod schema;

use std::error::Error;

use analytics_ports::StoreError;
use analytics_postgres::{PostgresOptions, PostgresStore};
use chrono::{DateTime, Utc};

use database::TestDatabase;

/// The store of a database that is at the newest schema.
async fn opened(database: &TestDatabase) -> PostgresStore {
    opened_with(database, &PostgresOptions::default()).await
}

async fn opened_with(database: &TestDatabase, options: &PostgresOptions) -> PostgresStore {
    let store = PostgresStore::connect(&database.url(), options).await;
    store.expect("the database of the test is at the newest schema")
}

/// The whole chain of an error, as it is reported.
fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The chain of the error, which has to be that the store is unavailable.
fn unavailable<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    match answer {
        Err(error @ StoreError::Unavailable { .. }) => chain(&error),
        other => panic!("the store is unavailable, not {other:?}"),
    }
}

fn at(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_700_000_000_000_000 + micros).expect("tests stay near 2023")
}
