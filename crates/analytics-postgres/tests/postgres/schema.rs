//! Databases that are empty, older, newer or half-way are told apart, and migrating is safe.

use analytics_domain::anomaly::{AnomalyThreshold, MetricName, Thresholds};
use analytics_ports::AnomalyThresholdRepository;
use analytics_postgres::{
    MigrateError, Migrated, OpenError, PostgresOptions, PostgresStore, SchemaMismatch, migrate,
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::database::{Origin, TestDatabase};
use crate::{chain, opened};

#[tokio::test]
async fn an_empty_database_is_refused_with_what_to_do() {
    let database = TestDatabase::empty().await;
    let refused = connect(&database).await;
    assert_eq!(refused, SchemaMismatch::Empty);
    assert_eq!(refused.to_string(), "the database is empty; run `analytics migrate` to make its tables");
}

#[tokio::test]
async fn migrating_twice_changes_nothing() {
    let database = TestDatabase::empty().await;
    let first = migrate(&database.url()).await.unwrap();
    assert_eq!(first.from, None);
    let before = catalogue(&database).await;
    let again = migrate(&database.url()).await.unwrap();
    assert_eq!(again, Migrated { from: Some(first.to), to: first.to });
    assert_eq!(catalogue(&database).await, before);
    PostgresStore::connect(&database.url(), &PostgresOptions::default()).await.unwrap();
}

#[tokio::test]
async fn of_several_migrations_at_once_each_succeeds_and_one_does_the_work() {
    let database = TestDatabase::empty().await;
    let url = database.url();
    let (a, b, c, d) = tokio::join!(migrate(&url), migrate(&url), migrate(&url), migrate(&url));
    let all = [a.unwrap(), b.unwrap(), c.unwrap(), d.unwrap()];
    assert!(all.iter().all(|one| one.to == all[0].to), "{all:?}");
    PostgresStore::connect(&url, &PostgresOptions::default()).await.unwrap();
    let migrated = TestDatabase::migrated().await;
    assert_eq!(catalogue(&database).await, catalogue(&migrated).await);
}

#[tokio::test]
async fn an_older_database_is_refused_until_it_is_migrated() {
    let database = TestDatabase::migrated().await;
    let newest = migrate(&database.url()).await.unwrap().to;
    change(&database, &format!("DELETE FROM _sqlx_migrations WHERE version = {newest}")).await;
    let refused = connect(&database).await;
    assert_eq!(refused, SchemaMismatch::Older { found: newest - 1, needed: newest });
    assert!(refused.to_string().ends_with("; run `analytics migrate`"), "{refused}");
}

#[tokio::test]
async fn a_newer_database_is_refused_and_left_as_it_is() {
    let database = TestDatabase::migrated().await;
    let newest = migrate(&database.url()).await.unwrap().to;
    change(
        &database,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'of the future', true, '', 0)",
    )
    .await;
    let newer = SchemaMismatch::Newer { found: 9999, needed: newest };
    assert_eq!(connect(&database).await, newer);
    let before = catalogue(&database).await;
    match migrate(&database.url()).await {
        Err(MigrateError::Mismatch(mismatch)) => assert_eq!(mismatch, newer),
        other => panic!("{other:?}"),
    }
    assert_eq!(catalogue(&database).await, before);
}

#[tokio::test]
async fn an_interrupted_and_a_changed_migration_are_told() {
    let database = TestDatabase::migrated().await;
    change(&database, "UPDATE _sqlx_migrations SET checksum = 'x' WHERE version = 1").await;
    assert_eq!(connect(&database).await, SchemaMismatch::Changed { version: 1 });
    match migrate(&database.url()).await {
        Err(MigrateError::Mismatch(mismatch)) => assert_eq!(mismatch, SchemaMismatch::Changed { version: 1 }),
        other => panic!("{other:?}"),
    }
    change(&database, "UPDATE _sqlx_migrations SET success = false WHERE version = 1").await;
    assert_eq!(connect(&database).await, SchemaMismatch::Interrupted { version: 1 });
    match migrate(&database.url()).await {
        Err(MigrateError::Mismatch(mismatch)) => {
            assert_eq!(mismatch, SchemaMismatch::Interrupted { version: 1 });
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_database_in_which_not_every_text_can_be_kept_is_not_migrated() {
    let database = TestDatabase::empty().await;
    let narrow = format!("{}_latin", database.name());
    change(&database, &format!("CREATE DATABASE {narrow} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"))
        .await;
    let url = database.url().replace(database.name(), &narrow);
    let refused = migrate(&url).await;
    change(&database, &format!("DROP DATABASE {narrow} WITH (FORCE)")).await;
    match refused {
        Err(MigrateError::Encoding(encoding)) => assert_eq!(encoding, "LATIN1"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_database_that_is_away_or_misnamed_is_told_with_the_cause() {
    let database = TestDatabase::empty().await;
    let away = database.url().replace(database.name(), "analytics_test_nowhere");
    let options = PostgresOptions::default();
    let unreachable = PostgresStore::connect(&away, &options).await.unwrap_err();
    assert!(matches!(unreachable, OpenError::Unreachable(_)), "{unreachable:?}");
    assert!(chain(&unreachable).contains("does not exist"), "{}", chain(&unreachable));
    let unreachable = migrate("postgres://nobody@127.0.0.1:1/x").await.unwrap_err();
    assert!(matches!(unreachable, MigrateError::Unreachable(_)), "{unreachable:?}");
    let misnamed = PostgresStore::connect("postgres://host:port/x", &options).await.unwrap_err();
    assert!(matches!(misnamed, OpenError::Url(_)), "{misnamed:?}");
}

/// The files under `schema/` stand for four tables, for those who read SQL; the migrations make the tables.
#[tokio::test]
async fn the_schema_files_make_the_tables_that_the_migrations_make() {
    let migrated = TestDatabase::migrated().await;
    let by_hand = TestDatabase::empty().await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schema");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in &files {
        change(&by_hand, &std::fs::read_to_string(file).unwrap()).await;
        let table = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let of_table = |mut all: Vec<String>| {
            all.retain(|line| line.split(' ').next() == Some(table.as_str()));
            all
        };
        let expected = of_table(catalogue(&migrated).await);
        assert!(!expected.is_empty(), "there is no table for {}", file.display());
        assert_eq!(of_table(catalogue(&by_hand).await), expected, "{}", file.display());
    }
    let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, SCHEMA_FILES);
}

/// The table shows them; the domain has them.
#[tokio::test]
async fn the_five_default_thresholds_are_those_of_the_domain() {
    let database = TestDatabase::migrated().await;
    let mut connection = database.connection().await;
    let rows: Vec<(String, f64, f64, Option<f64>)> = sqlx::query_as(
        "SELECT metric_name, default_warning, default_critical, warning FROM anomaly_thresholds ORDER BY 1",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let expected: Vec<(String, f64, f64, Option<f64>)> = Thresholds::default()
        .iter()
        .map(|one| (one.metric().as_str().to_owned(), one.warning(), one.critical(), None))
        .collect();
    assert_eq!((rows.len(), rows), (5, expected));
}

/// Its row goes on showing the default.
#[tokio::test]
async fn limits_of_a_default_metric_are_set_and_taken_back() {
    let database = TestDatabase::migrated().await;
    let thresholds = opened(&database).await.thresholds();
    let metric = MetricName::new("error_rate").unwrap();
    let own = AnomalyThreshold::new(metric.clone(), 0.5, 0.75).unwrap();
    assert!(!thresholds.delete(&metric).await.unwrap());
    thresholds.put(&own).await.unwrap();
    assert_eq!(thresholds.get(&metric).await.unwrap(), Some(own));
    assert!(thresholds.delete(&metric).await.unwrap());
    assert_eq!(thresholds.get(&metric).await.unwrap(), None);
    let mut connection = database.connection().await;
    let shown: f64 = sqlx::query_scalar(
        "SELECT coalesce(warning, default_warning) FROM anomaly_thresholds WHERE metric_name = 'error_rate'",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(shown.to_bits(), 0.1_f64.to_bits());
}

#[tokio::test]
async fn the_fixture_says_where_its_database_is_from() {
    let database = TestDatabase::empty().await;
    let mut connection = database.connection().await;
    let current: String =
        sqlx::query_scalar("SELECT current_database()::text").fetch_one(&mut connection).await.unwrap();
    assert_eq!(current, database.name());
    assert_eq!(database.origin() == &Origin::Environment, Origin::is_in_environment());
}

async fn connect(database: &TestDatabase) -> SchemaMismatch {
    match PostgresStore::connect(&database.url(), &PostgresOptions::default()).await {
        Err(OpenError::Schema(mismatch)) => mismatch,
        other => panic!("the schema is refused, not {other:?}"),
    }
}

async fn change(database: &TestDatabase, sql: &str) {
    let mut connection = database.connection().await;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
}

/// Everything that a database says of its tables, a line each, beginning with the table: columns, constraints, indexes,
/// comments, partitioning and rows that were there from the beginning.
async fn catalogue(database: &TestDatabase) -> Vec<String> {
    let mut connection = database.connection().await;
    let mut lines: Vec<String> = sqlx::query_scalar(CATALOGUE).fetch_all(&mut connection).await.unwrap();
    for table in tables_with_rows(&mut connection).await {
        let rows = format!("SELECT '{table} row ' || t::text FROM {table} AS t ORDER BY 1");
        let rows: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(rows)).fetch_all(&mut connection).await.unwrap();
        lines.extend(rows);
    }
    connection.close().await.unwrap();
    lines
}

async fn tables_with_rows(connection: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
           AND relname = 'anomaly_thresholds' ORDER BY 1",
    )
    .fetch_all(connection)
    .await
    .unwrap()
}

const CATALOGUE: &str = r"
    WITH t AS (
        SELECT oid, relname FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname <> '_sqlx_migrations'
    )
    SELECT relname || ' column ' || attnum || ' ' || attname || ' ' || format_type(atttypid, atttypmod)
           || ' ' || attnotnull || ' ' || coalesce((SELECT collname FROM pg_collation c WHERE c.oid = attcollation), '')
           || ' ' || coalesce((SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef d
                               WHERE d.adrelid = t.oid AND d.adnum = attnum), '')
      FROM t JOIN pg_attribute ON attrelid = t.oid WHERE attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT relname || ' constraint ' || conname || ' ' || pg_get_constraintdef(c.oid)
      FROM t JOIN pg_constraint c ON conrelid = t.oid
    UNION ALL
    SELECT relname || ' index ' || pg_get_indexdef(indexrelid) FROM t JOIN pg_index ON indrelid = t.oid
    UNION ALL
    SELECT relname || ' comment ' || obj_description(t.oid, 'pg_class') FROM t
      WHERE obj_description(t.oid, 'pg_class') IS NOT NULL
    UNION ALL
    SELECT relname || ' partitioned by ' || pg_get_partkeydef(t.oid) FROM t WHERE pg_get_partkeydef(t.oid) IS NOT NULL
    ORDER BY 1";

const SCHEMA_FILES: &[&str] = &[
    "anomaly_thresholds.sql",
    "engagement_events.sql",
    "fingerprint_reputation.sql",
    "ml_behavioral_features.sql",
];
