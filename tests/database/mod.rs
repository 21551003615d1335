//! A PostgreSQL database for a test: `DATABASE_URL` if it is set, else a container when Docker answers, else an own
//! cluster of the machine's PostgreSQL. With none of the three a test fails and says what to do; it is never skipped.
//!
//! One server serves the whole run, whatever the number of test processes: the first that comes starts it under a lock
//! of files, and a keeper stops it when no test has been there for a minute. Every test gets a database of its own, made
//! from a migrated template, and drops it at its end.
//!
//! Whoever includes this file (`#[path = "…/tests/database/mod.rs"] mod database;`) needs `analytics-postgres`, `sqlx`
//! and `tokio`.
#![expect(
    clippy::disallowed_methods,
    reason = "where the database is stands in the environment, as for every tool"
)]

mod own;
mod server;

use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::path::{Path, PathBuf};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

pub(crate) use own::OwnServer;
pub(crate) use server::Origin;
use server::Server;

/// A database of one test. It is dropped with this value.
pub(crate) struct TestDatabase {
    name: String,
    server: Server,
    /// Shares the lock that keeps the server alive.
    holder: PgConnection,
}

impl TestDatabase {
    /// A database at the newest schema, with nothing in it.
    pub(crate) async fn migrated() -> Self {
        let mut database = Self::nameless().await;
        let template = template(&database.server, &mut database.holder).await;
        database.create(&format!("TEMPLATE {template}")).await;
        database
    }

    /// A database without any table.
    pub(crate) async fn empty() -> Self {
        let mut database = Self::nameless().await;
        database.create("TEMPLATE template0 ENCODING 'UTF8'").await;
        database
    }

    /// Its URL, with every right on it.
    pub(crate) fn url(&self) -> String {
        self.server.url_of(&self.name)
    }

    /// Its name on the server.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where its server is from.
    pub(crate) const fn origin(&self) -> &Origin {
        self.server.origin()
    }

    /// A connection to it, for what the repositories do not do.
    pub(crate) async fn connection(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.expect("the database of the test can be reached")
    }

    async fn nameless() -> Self {
        let (server, holder) = Server::find_or_start().await;
        Self { name: String::new(), server, holder }
    }

    async fn create(&mut self, how: &str) {
        // Tests of other processes, and of other machines on one server, must not take the same name.
        let name = format!("analytics_test_{:016x}", RandomState::new().hash_one(std::process::id()));
        run(&mut self.holder, &format!("CREATE DATABASE {name} {how}")).await;
        self.name = name;
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if self.name.is_empty() {
            return;
        }
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let url = self.server.url().to_owned();
        // A value is dropped in the middle of a runtime, which must not be waited in; so it is done in another thread.
        let done = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be made").block_on(async {
                if let Ok(mut connection) = PgConnection::connect(&url).await {
                    run(&mut connection, &drop).await;
                }
            });
        });
        let ended = done.join();
        assert!(ended.is_ok() || std::thread::panicking(), "the database {} could not be dropped", self.name);
    }
}

/// The name of a database that was brought to the newest schema and that nobody uses but as a template.
async fn template(server: &Server, holder: &mut PgConnection) -> String {
    let name = format!("analytics_template_{:016x}", hash_of_migrations());
    run(holder, &format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})")).await;
    let made: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(&name)
        .fetch_one(&mut *holder)
        .await
        .expect("the server lists its databases");
    if !made {
        // A test that was killed meanwhile may have left a half of it.
        let half = format!("{name}_half");
        run(holder, &format!("DROP DATABASE IF EXISTS {half} WITH (FORCE)")).await;
        run(holder, &format!("CREATE DATABASE {half} TEMPLATE template0 ENCODING 'UTF8'")).await;
        analytics_postgres::migrate(&server.url_of(&half)).await.expect("the migrations run");
        run(holder, &format!("ALTER DATABASE {half} RENAME TO {name}")).await;
    }
    run(holder, &format!("SELECT pg_advisory_unlock({TEMPLATE_LOCK})")).await;
    name
}

/// A number that changes with the migrations, so that a template of older ones is not taken for theirs.
fn hash_of_migrations() -> u64 {
    let folder = root().join("crates/analytics-postgres/migrations");
    let entries = std::fs::read_dir(&folder).expect("the migrations stand in their folder");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    files.sort();
    let mut hash = DefaultHasher::new();
    for file in files {
        file.file_name().hash(&mut hash);
        std::fs::read(&file).expect("a migration can be read").hash(&mut hash);
    }
    hash.finish()
}

/// The folder of the workspace, from whichever crate this file is included.
fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = own.ancestors().find(|folder| folder.join("Cargo.lock").exists());
    root.expect("the workspace has a Cargo.lock").to_owned()
}

async fn run(connection: &mut PgConnection, sql: &str) {
    let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await;
    done.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// The URL of another database of the same server.
fn url_of(url: &str, name: &str) -> String {
    let (base, parameters) = url
        .split_once('?')
        .map_or((url, String::new()), |(base, parameters)| (base, format!("?{parameters}")));
    let server =
        base.find("://").and_then(|at| base[at + 3..].find('/').map(|slash| &base[..at + 3 + slash]));
    format!("{}/{name}{parameters}", server.unwrap_or(base))
}

fn options(url: &str) -> PgConnectOptions {
    url.parse().unwrap_or_else(|error| panic!("DATABASE_URL cannot be read: {error}"))
}

/// Who holds it makes the template.
const TEMPLATE_LOCK: u32 = 7_302;

// Each crate that includes this file uses a part of it.
const _: fn() = || {
    let _ = TestDatabase::migrated;
    let _ = TestDatabase::empty;
    let _ = TestDatabase::name;
    let _ = TestDatabase::origin;
    let _ = Origin::is_in_environment;
    let _ = TestDatabase::connection;
    let _ = OwnServer::start;
    let _ = OwnServer::connection;
    let _ = OwnServer::start_again;
    let _ = OwnServer::log;
};
