//! The server that the databases of tests are on: found, or started for the whole run.

use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sqlx::{Connection, PgConnection};

use super::{options, url_of};

/// A server that tests may use.
pub(crate) struct Server {
    /// Of a database that is always there.
    url: String,
    origin: Origin,
}

/// Where a server is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// `DATABASE_URL` names it. Its user must be allowed to make databases.
    Environment,
    /// A container that was started for the run.
    Container,
    /// A cluster of the machine's PostgreSQL that was started for the run.
    OwnCluster,
}

impl Server {
    /// A server, and a connection to it that keeps it alive.
    pub(super) async fn find_or_start() -> (Self, PgConnection) {
        if let Some(url) = url_of_environment() {
            let holder = PgConnection::connect_with(&options(&url)).await;
            let holder = holder.unwrap_or_else(|error| panic!("DATABASE_URL cannot be reached: {error}"));
            return Self { url, origin: Origin::Environment }.told(holder);
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        std::fs::create_dir_all(folder).expect("the folder of temporary files can be made");
        let lock = File::create(folder.join("postgres.lock")).expect("a file of locks can be made");
        lock.lock().expect("files can be locked");
        let state = folder.join("postgres.state");
        if let Some(found) = Self::running(&state).await {
            return found;
        }
        let (server, keeper) = match container() {
            Ok(server) => (server, None),
            Err(no_container) => own_cluster(&no_container),
        };
        let holder = server.ready().await;
        let mut file = File::create(&state).expect("the state can be written");
        let keeper = keeper.map_or(String::new(), |keeper| keeper.to_string());
        write!(file, "{}\n{}\n{keeper}\n", server.url, server.origin).expect("the state can be written");
        server.told(holder)
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The URL of one of its databases.
    pub(super) fn url_of(&self, name: &str) -> String {
        url_of(&self.url, name)
    }

    /// The server that another process started, if it is still there.
    async fn running(state: &Path) -> Option<(Self, PgConnection)> {
        let text = std::fs::read_to_string(state).ok()?;
        let mut lines = text.lines();
        let (url, origin) = (lines.next()?.to_owned(), lines.next()?);
        let origin = [Origin::Container, Origin::OwnCluster].into_iter().find(|o| o.to_string() == origin)?;
        let holder = hold(&url).await?;
        Some(Self { url, origin }.told(holder))
    }

    /// Waits until the server answers.
    async fn ready(&self) -> PgConnection {
        for _ in 0..600 {
            if let Some(holder) = hold(&self.url).await {
                return holder;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server that was started ({}) does not answer at {}", self.origin, self.url);
    }

    #[expect(clippy::print_stderr, reason = "a test says which server it used")]
    fn told(self, holder: PgConnection) -> (Self, PgConnection) {
        eprintln!("database: {}", self.origin);
        (self, holder)
    }
}

impl Origin {
    /// Whether `DATABASE_URL` names a server.
    pub(crate) fn is_in_environment() -> bool {
        url_of_environment().is_some()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Environment => "the server of DATABASE_URL",
            Self::Container => "a container of this run",
            Self::OwnCluster => "a cluster of the machine's PostgreSQL, of this run",
        })
    }
}

fn url_of_environment() -> Option<String> {
    std::env::var("DATABASE_URL").ok().filter(|url| !url.is_empty())
}

/// A connection that shares the lock of tests; `None` when the server is away or going away.
async fn hold(url: &str) -> Option<PgConnection> {
    let connected = tokio::time::timeout(Duration::from_secs(10), PgConnection::connect(url));
    let mut connection = connected.await.ok()?.ok()?;
    let shared = sqlx::query("SELECT pg_advisory_lock_shared($1)").bind(i64::from(TESTS_LOCK));
    tokio::time::timeout(Duration::from_secs(10), shared.execute(&mut connection)).await.ok()?.ok()?;
    Some(connection)
}

/// A container, or why there is none.
///
/// The program that starts it is built only where Docker answers, since what it needs is large.
fn container() -> Result<Server, String> {
    if std::env::var_os("DOCKER_HOST").is_none() && !Path::new("/var/run/docker.sock").exists() {
        return Err("Docker does not answer".to_owned());
    }
    let program =
        ["run", "--quiet", "-p", "analytics-tests", "--features", "container", "--bin", "container"];
    let started =
        Command::new(env!("CARGO")).args(program).current_dir(super::root()).stdin(Stdio::null()).output();
    let started = started.map_err(|error| error.to_string())?;
    if started.status.success() {
        let url = String::from_utf8_lossy(&started.stdout).trim().to_owned();
        Ok(Server { url, origin: Origin::Container })
    } else {
        Err(String::from_utf8_lossy(&started.stderr).trim().to_owned())
    }
}

/// A cluster of the machine's PostgreSQL, and the process that keeps it.
fn own_cluster(no_container: &str) -> (Server, Option<u32>) {
    let Some(programs) = programs() else {
        panic!(
            "no database for tests: DATABASE_URL is not set, there is no container ({no_container}), and PostgreSQL is \
             not installed; install it (`apt-get install postgresql`) or set DATABASE_URL to a server on which its user \
             may make databases"
        );
    };
    let Cluster { folder, data, user } = Cluster::make(&programs, "analytics-postgres");
    let as_user = |command: &mut Command| as_user(user, command);

    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let mut keeper = Command::new("sh");
    keeper.args(["-c", KEEPER, "keeper"]).arg(programs.join("postgres")).arg("-D").arg(&data);
    for setting in SETTINGS {
        keeper.args(["-c", setting]);
    }
    keeper.args(["-c", &format!("unix_socket_directories={}", folder.display())]);
    keeper
        .env("PATH", path)
        .env("PGHOST", &folder)
        .env("SERVER_LOG", folder.join("log"))
        .env("SERVER_FOLDER", &folder)
        .env("TESTS_LOCK", TESTS_LOCK.to_string())
        // It outlives the test that starts it, and is not stopped with it.
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    as_user(&mut keeper);
    let mut keeper = keeper.spawn().expect("the keeper of the cluster can be started");
    let id = keeper.id();
    // It outlives this test; where the process goes on to others and it ends before, somebody has to take notice.
    std::thread::spawn(move || keeper.wait());
    let url = format!("postgres://postgres@localhost/postgres?host={}", folder.display());
    (Server { url, origin: Origin::OwnCluster }, Some(id))
}

/// The files of a server that runs nowhere yet.
pub(super) struct Cluster {
    /// Holds everything, and the socket.
    pub(super) folder: PathBuf,
    /// Its data.
    pub(super) data: PathBuf,
    /// Whom the server runs as when that is not us.
    pub(super) user: Option<(u32, u32)>,
}

impl Cluster {
    /// A new one, made by these programs, in a folder of this name and the number of the process.
    pub(super) fn make(programs: &Path, name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::DirBuilder::new().mode(0o700).create(&folder).expect("a folder for the cluster can be made");
        let user = user_of_server(&folder);
        if let Some((uid, gid)) = user {
            chown(&folder, Some(uid), Some(gid)).expect("root may give a folder away");
        }
        let data = folder.join("data");
        let mut initdb = Command::new(programs.join("initdb"));
        initdb.args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "-D",
        ]);
        as_user(user, initdb.arg(&data));
        let made = initdb.output().expect("initdb can be run");
        assert!(made.status.success(), "initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        Self { folder, data, user }
    }
}

/// Runs a program of the server as this user, away from any folder of ours.
pub(super) fn as_user(user: Option<(u32, u32)>, command: &mut Command) {
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command.current_dir("/").stdin(Stdio::null());
}

/// The folder of the newest PostgreSQL that is installed.
pub(super) fn programs() -> Option<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql").ok().into_iter().flatten().flatten();
    let version = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let newest =
        debian.map(|entry| entry.path()).filter_map(|folder| Some((version(&folder)?, folder))).max();
    let in_path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        newest.map(|(_, folder)| folder.join("bin")).into_iter().chain(std::env::split_paths(&in_path));
    folders.into_iter().find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}

/// Whom the server runs as when that is not us: PostgreSQL refuses to run as root.
fn user_of_server(folder: &Path) -> Option<(u32, u32)> {
    let own = std::fs::metadata(folder).expect("the folder was made").uid();
    if own != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").expect("the machine's users can be read");
    let of = |name: &str| {
        let line = users.lines().find(|line| line.starts_with(&format!("{name}:")))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(of("postgres").or_else(|| of("nobody")).expect("there is a user that is not root"))
}

/// Whoever shares it keeps the server alive. The keeper takes it alone.
const TESTS_LOCK: u32 = 7_301;
const KEEPER: &str = include_str!("keeper.sh");
/// A server of tests has nothing to lose when it is cut off.
const SETTINGS: [&str; 8] = [
    "listen_addresses=",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_connections=200",
    "shared_buffers=64MB",
];
