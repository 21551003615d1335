//! A server of one test alone, which the test may kill and start again.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sqlx::{Connection, PgConnection};

use super::server::{Cluster, as_user, programs};

/// A PostgreSQL server of one test: a cluster of the machine's PostgreSQL, whatever `DATABASE_URL` says, since no other test
/// may use what this one kills.
pub(crate) struct OwnServer {
    cluster: Cluster,
    server: Option<Child>,
}

impl OwnServer {
    /// Makes a cluster and starts it, with a database at the newest schema.
    pub(crate) async fn start(name: &str) -> Self {
        let programs = programs().expect(
            "this test stops a PostgreSQL server of its own, so it needs one that is installed: apt-get install postgresql",
        );
        let mut own = Self { cluster: Cluster::make(&programs, name), server: None };
        own.start_again().await;
        analytics_postgres::migrate(&own.url()).await.expect("the migrations run");
        own
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@localhost/postgres?host={}", self.cluster.folder.display())
    }

    /// A connection to it.
    pub(crate) async fn connection(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.expect("the server of the test can be reached")
    }

    /// Where it logs to.
    pub(crate) fn log(&self) -> std::path::PathBuf {
        self.cluster.folder.join("log")
    }

    /// Kills its first process with SIGKILL; the others end as they notice.
    pub(crate) fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().expect("it runs");
            server.wait().expect("it was ours");
        }
    }

    /// Starts it, after it was killed as well, and waits until it answers.
    pub(crate) async fn start_again(&mut self) {
        let programs = programs().expect("it was there before");
        let log = std::fs::File::options().create(true).append(true).open(self.log());
        let log = log.expect("the folder of the cluster is there");
        for _ in 0..600 {
            // It refuses to start while a process of the killed one is left, and ends.
            let ended =
                self.server.as_mut().is_none_or(|server| server.try_wait().expect("it is ours").is_some());
            if ended {
                let mut command = Command::new(programs.join("postgres"));
                command.arg("-D").arg(&self.cluster.data);
                for setting in SETTINGS {
                    command.args(["-c", setting]);
                }
                command.args(["-c", &format!("unix_socket_directories={}", self.cluster.folder.display())]);
                as_user(self.cluster.user, &mut command);
                command.stdout(Stdio::null()).stderr(log.try_clone().expect("a file can be shared"));
                self.server = Some(command.spawn().expect("the server can be started"));
            }
            if PgConnection::connect(&self.url()).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        panic!("the server of the test does not start: {log}");
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.cluster.folder);
    }
}

/// What was committed is kept when it is killed; that the machine fails as well is not tried.
const SETTINGS: [&str; 6] = [
    "listen_addresses=",
    "fsync=off",
    "full_page_writes=off",
    "max_connections=100",
    "shared_buffers=64MB",
    "max_wal_size=4GB",
];
