//! The committed `.sqlx` says of every query what the server says of it at the newest schema.

use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

use crate::database::TestDatabase;

#[tokio::test]
async fn what_is_committed_of_each_query_is_what_the_server_says_of_it() {
    let database = TestDatabase::migrated().await;
    let mut connection = database.connection().await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.sqlx");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 20, "{} queries", files.len());
    for file in files {
        let committed: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let query = committed["query"].as_str().unwrap();
        let described = connection.describe(AssertSqlSafe(query.to_owned()).into_sql_str()).await;
        let described = described.unwrap_or_else(|error| panic!("{}: {error}: {query}", file.display()));
        let described = serde_json::to_value(&described).unwrap();
        assert_eq!(committed["describe"], described, "{}: {query}", file.display());
    }
}
