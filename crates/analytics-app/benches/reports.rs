//! How long each report takes over PostgreSQL, how that grows with the rows, and the plan of each.
//!
//! `cargo bench -p analytics-app --bench reports [-- --rows 1000000,10000000] [--plans FOLDER]`
//!
//! The rows are made by the server: requests of 30 days, one session for each thirteen, and an AI request, a task, a run of
//! a tool and two messages for each five hundred. Every report is over all 30 days. It is asked for three times at each size, and
//! the middle time is told; so is the growth from the first size to the last. With `--plans` the server writes down each plan
//! with its times (`auto_explain`), a file a report.
#![expect(clippy::print_stdout, reason = "a benchmark shows its result")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

#[path = "../../../tests/database/mod.rs"]
mod database;
mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use analytics_app::services::{ReportRequest, ReportService};
use analytics_domain::stats::{Period, ReportFilter, ReportName};
use analytics_ports::{BatchLimit, PartitionUpkeep};
use analytics_postgres::{PostgresOptions, PostgresStore};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{AssertSqlSafe, PgConnection};

use database::OwnServer;
use support::{median, nanoseconds_each, wanted};

fn main() {
    if !wanted() {
        return;
    }
    let sizes = option("--rows").unwrap_or_else(|| "1000000".to_owned());
    let sizes: Vec<u64> = sizes.split(',').map(|size| size.parse().unwrap()).collect();
    let plans = option("--plans");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let server = runtime.block_on(OwnServer::start("analytics-reports"));
    let mut connection = runtime.block_on(server.connection());
    let mut seconds: Vec<Vec<f64>> = vec![Vec::new(); ReportName::ALL.len()];
    let mut there = 0;
    for &size in &sizes {
        runtime.block_on(fill(&server, &mut connection, there, size));
        there = size;
        let options =
            PostgresOptions { statement_timeout: Duration::from_mins(10), ..PostgresOptions::default() };
        let store = runtime.block_on(PostgresStore::connect(&server.url(), &options)).unwrap();
        let reports = Arc::new(store.reports());
        let service = ReportService::new(Arc::clone(&reports) as _, reports);
        for (at, name) in ReportName::ALL.into_iter().enumerate() {
            let asked = || runtime.block_on(service.report(&request(name))).unwrap();
            let times: Vec<f64> = (0..ROUNDS).map(|_| nanoseconds_each(1, || drop(asked())) / 1e9).collect();
            seconds[at].push(median(&times));
            if let (Some(folder), true) = (&plans, Some(&size) == sizes.last()) {
                runtime.block_on(explained(&server, &mut connection, name, Path::new(folder)));
            }
        }
        runtime.block_on(store.close());
    }
    print!("{:<28}", "report");
    for size in &sizes {
        print!("{:>14}", format!("{size} rows"));
    }
    println!("{:>10}", "growth");
    for (name, seconds) in ReportName::ALL.iter().zip(&seconds) {
        print!("{:<28}", name.as_str());
        for seconds in seconds {
            print!("{seconds:>12.3} s");
        }
        println!("{:>10.1}", seconds.last().unwrap() / seconds[0]);
    }
}

/// Every report over all that is there.
fn request(name: ReportName) -> ReportRequest<Utc> {
    ReportRequest {
        name,
        period: period(),
        filter: ReportFilter::default(),
        compare: false,
        zone: Utc,
        limit: BatchLimit::new(20).unwrap(),
    }
}

/// Adds rows until there are so many requests.
async fn fill(server: &OwnServer, connection: &mut PgConnection, there: u64, size: u64) {
    if there == 0 {
        let store = PostgresStore::connect(&server.url(), &PostgresOptions::default()).await.unwrap();
        store.upkeep().make_partitions(period().from(), period().until()).await.unwrap();
        store.close().await;
    }
    let from = period().from().timestamp_micros();
    let span = period().length().num_microseconds().unwrap();
    for statement in FILL.split("\n;\n") {
        let statement = statement
            .replace(":first", &there.to_string())
            .replace(":past", &size.to_string())
            .replace(":from_us", &from.to_string())
            .replace(":span_us", &span.to_string());
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await.unwrap();
    }
}

/// Writes the plans of a report's queries into a file of its name.
async fn explained(server: &OwnServer, connection: &mut PgConnection, name: ReportName, folder: &Path) {
    let set = "ALTER DATABASE postgres SET session_preload_libraries = 'auto_explain';
        ALTER DATABASE postgres SET auto_explain.log_min_duration = 0;
        ALTER DATABASE postgres SET auto_explain.log_analyze = on";
    sqlx::raw_sql(set).execute(&mut *connection).await.unwrap();
    let before = std::fs::read(server.log()).unwrap().len();
    let store = PostgresStore::connect(&server.url(), &PostgresOptions::default()).await.unwrap();
    let reports = Arc::new(store.reports());
    ReportService::new(Arc::clone(&reports) as _, reports).report(&request(name)).await.unwrap();
    store.close().await;
    sqlx::raw_sql("ALTER DATABASE postgres RESET session_preload_libraries")
        .execute(connection)
        .await
        .unwrap();
    let log = std::fs::read(server.log()).unwrap();
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join(format!("{}.txt", name.as_str())), &log[before..]).unwrap();
}

fn period() -> Period {
    let until = DateTime::from_timestamp(1_772_323_200, 0).unwrap();
    Period::new(until - TimeDelta::days(30), until).unwrap()
}

/// The value after this word among the arguments.
fn option(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

const FILL: &str = include_str!("reports.sql");
const ROUNDS: usize = 3;
