//! How fast requests reach PostgreSQL from the queue, beside a raw COPY of the same rows in the same run, and how many
//! statements that takes.
//!
//! `cargo bench -p analytics-app --bench ingest [-- --requests N]`
//!
//! The rows are those of a simulated log (seed 1), sessions with their requests. In each round they go through the queue
//! into empty tables, are copied out, and after the tables were emptied copied in again: same rows, same indexes, same
//! server. Partitions are there before. The server is a cluster of its own, with fsync off, unless `--here yes` asks for the
//! one that tests use, which `DATABASE_URL` may name.
#![expect(clippy::print_stdout, reason = "a benchmark shows its result")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

#[path = "../../../tests/database/mod.rs"]
mod database;
mod support;

use std::path::Path;
use std::sync::Arc;

use analytics_app::ingest::queue::{Ingest, QueuePolicy, SpillFile};
use analytics_app::ingest::source::Input;
use analytics_app::replay::{RecordSink, Replay, ReplayOptions};
use analytics_app::services::{RecordedSessions, RecordingService, SessionWithRequests};
use analytics_app::simulate::{self, SimulationOptions, SimulationPlan};
use analytics_app::system::SystemClock;
use analytics_domain::request_row::RequestRow;
use analytics_domain::session::AnalyticsSession;
use analytics_ports::{PartitionUpkeep, StoreError};
use analytics_postgres::{PostgresOptions, PostgresStore};
use futures_util::StreamExt;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::runtime::Runtime;

use database::{OwnServer, TestDatabase};
use support::{median, nanoseconds_each, wanted};

fn main() {
    if !wanted() {
        return;
    }
    let requests = option("--requests").and_then(|count| count.parse().ok()).unwrap_or(200_000);
    let sessions = simulated(requests);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    // The server of tests is made for short tests; this one is as it comes, but for its sockets.
    let server = option("--here").is_none().then(|| runtime.block_on(OwnServer::start("analytics-ingest")));
    let database = server.is_none().then(|| runtime.block_on(TestDatabase::migrated()));
    let url =
        server.as_ref().map(OwnServer::url).or_else(|| database.as_ref().map(TestDatabase::url)).unwrap();
    let mut bench = Bench::open(&runtime, &url, &sessions);
    let (mut path, mut copy, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..=ROUNDS {
        let (through_queue, counters) = bench.through_queue(&sessions);
        assert_eq!(counters, sessions.len() as u64, "all sessions are new");
        let copied = bench.copied();
        path.push(through_queue);
        copy.push(copied);
        ratios.push(copied / through_queue);
    }
    let rows = sessions.iter().map(|kept| 1 + kept.requests.len()).sum::<usize>() as f64;
    // The first round fills caches.
    let per_second = |nanoseconds: &[f64]| rows / (median(&nanoseconds[1..]) / 1e9);
    println!("{} sessions, {rows} rows with their requests", sessions.len());
    println!("{:<36}{:>12.0} rows/s", "through the queue", per_second(&path));
    println!("{:<36}{:>12.0} rows/s", "raw COPY of the same rows", per_second(&copy));
    println!("{:<36}{:>12.2}", "ratio", median(&ratios[1..]));
    let (statements, offer) = bench.statements(&sessions);
    println!("{:<36}{statements:>12.5}", "statements behind it, a request");
    println!("{:<36}{offer:>12.0} ns", "offering a session to the queue");
    bench.close();
}

/// A database with its partitions, and a connection beside the store's.
struct Bench<'a> {
    runtime: &'a Runtime,
    url: String,
    store: PostgresStore,
    connection: PgConnection,
}

impl<'a> Bench<'a> {
    fn open(runtime: &'a Runtime, url: &str, sessions: &[SessionWithRequests]) -> Self {
        let times = || sessions.iter().flat_map(|kept| &kept.requests).map(RequestRow::at);
        let (first, last) = (times().min().unwrap(), times().max().unwrap());
        runtime.block_on(async {
            let store = PostgresStore::connect(url, &PostgresOptions::default()).await.unwrap();
            store.upkeep().make_partitions(first, last).await.unwrap();
            let connection = PgConnection::connect(url).await.unwrap();
            Self { runtime, url: url.to_owned(), store, connection }
        })
    }

    /// Nanoseconds from the first session that is handed over to the last that is stored, and how many were new.
    fn through_queue(&mut self, sessions: &[SessionWithRequests]) -> (f64, u64) {
        self.empty();
        let service = RecordingService::new(Arc::new(self.store.sessions()), Arc::new(self.store.requests()));
        let batches: Vec<Vec<SessionWithRequests>> = sessions.chunks(TOGETHER).map(<[_]>::to_vec).collect();
        let mut counters = None;
        let nanoseconds = nanoseconds_each(1, || {
            counters = Some(self.runtime.block_on(async {
                let sink = Arc::new(RecordedSessions::new(service, Arc::new(SystemClock)));
                let spill = SpillFile::in_memory().unwrap();
                let (queue, drain) = Ingest::start(sink, spill, QueuePolicy::default());
                let callers = batches.into_iter().map(|batch| {
                    let queue = queue.clone();
                    tokio::spawn(async move { queue.submit(batch).await.unwrap() })
                });
                for caller in callers.collect::<Vec<_>>() {
                    caller.await.unwrap();
                }
                drain.close().await
            }));
        });
        (nanoseconds, counters.unwrap().stored)
    }

    /// Nanoseconds that a COPY of the rows that are there takes, into the tables without them.
    fn copied(&mut self) -> f64 {
        let runtime = self.runtime;
        let rows = TABLES.map(|table| runtime.block_on(self.copy_out(table)));
        self.empty();
        nanoseconds_each(1, || {
            for (table, rows) in TABLES.iter().zip(rows) {
                runtime.block_on(async {
                    let mut copy =
                        self.connection.copy_in_raw(&format!("COPY {table} FROM STDIN")).await.unwrap();
                    for part in rows {
                        copy.send(part).await.unwrap();
                    }
                    copy.finish().await.unwrap();
                });
            }
        })
    }

    /// The rows of a table as COPY writes them, in large parts.
    async fn copy_out(&mut self, table: &str) -> Vec<Vec<u8>> {
        let statement = format!("COPY (SELECT * FROM {table}) TO STDOUT");
        let mut stream = self.connection.copy_out_raw(&statement).await.unwrap();
        let mut parts = vec![Vec::new()];
        while let Some(row) = stream.next().await {
            parts.last_mut().unwrap().extend_from_slice(&row.unwrap());
            if parts.last().unwrap().len() > 1 << 20 {
                parts.push(Vec::new());
            }
        }
        parts
    }

    /// Statements a request behind the queue, and nanoseconds that a caller takes to offer a session.
    fn statements(&mut self, sessions: &[SessionWithRequests]) -> (f64, f64) {
        self.empty();
        let before = self.committed();
        let requests: usize = sessions.iter().map(|kept| kept.requests.len()).sum();
        let offered = sessions.to_vec();
        let count = offered.len();
        let mut offer = 0.0;
        self.runtime.block_on(async {
            let store = PostgresStore::connect(&self.url, &PostgresOptions::default()).await.unwrap();
            let service = RecordingService::new(Arc::new(store.sessions()), Arc::new(store.requests()));
            let sink = Arc::new(RecordedSessions::new(service, Arc::new(SystemClock)));
            let policy =
                QueuePolicy { capacity: u32::try_from(count).unwrap().max(1), ..QueuePolicy::default() };
            let (queue, drain) = Ingest::start(sink, SpillFile::in_memory().unwrap(), policy);
            offer = nanoseconds_each(count, || {
                for kept in offered {
                    queue.offer(kept).unwrap();
                }
            });
            assert_eq!(drain.close().await.stored, count as u64);
            store.close().await;
        });
        // A connection tells the server what it did when it ends.
        let mut committed = self.committed();
        for _ in 0..50 {
            self.runtime.block_on(async {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            });
            committed = self.committed();
        }
        (f64::from(i32::try_from(committed - before).unwrap()) / requests as f64, offer)
    }

    /// Transactions of the database so far. Outside of a transaction each statement is one.
    fn committed(&mut self) -> i64 {
        let read = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";
        self.runtime.block_on(sqlx::query_scalar(read).fetch_one(&mut self.connection)).unwrap()
    }

    fn empty(&mut self) {
        let empty = format!("TRUNCATE {}", TABLES.join(", "));
        self.runtime.block_on(sqlx::raw_sql(AssertSqlSafe(empty)).execute(&mut self.connection)).unwrap();
    }

    fn close(self) {
        self.runtime.block_on(self.store.close());
    }
}

/// The sessions of a simulated log of about so many requests, with their requests.
fn simulated(requests: u64) -> Vec<SessionWithRequests> {
    struct Kept(Vec<SessionWithRequests>);
    impl RecordSink for Kept {
        fn take(&mut self, session: AnalyticsSession, requests: Vec<RequestRow>) -> Result<(), StoreError> {
            self.0.push(SessionWithRequests { session, requests });
            Ok(())
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let options = SimulationOptions { requests: Some(requests), ..SimulationOptions::default() };
    let plan = SimulationPlan::new(options).unwrap();
    let mut file = std::io::BufWriter::new(std::fs::File::create(&log).unwrap());
    simulate::write(&plan, &mut file, &mut std::io::sink()).unwrap();
    drop(file);
    let mut kept = Kept(Vec::new());
    let replay = Replay::new(ReplayOptions::default()).with_records(&mut kept);
    replay.run(vec![Input::from_argument(Path::new(&log))]).unwrap();
    kept.0
}

/// The value after this word among the arguments.
fn option(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

const TABLES: [&str; 2] = ["requests", "user_sessions"];
const ROUNDS: usize = 5;
/// As replay hands them over.
const TOGETHER: usize = 500;
