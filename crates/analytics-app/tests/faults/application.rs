//! An application under load, as a process of its own, and what it wrote down.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use analytics_app::ingest::queue::{Ingest, IngestCounters, QueuePolicy, Refused, SpillFile};
use analytics_app::services::{RecordedSessions, RecordingService, SessionWithRequests};
use analytics_app::system::SystemClock;
use analytics_app::wiring;
use analytics_domain::detector::ReferrerFacts;
use analytics_domain::ids::{EventId, FingerprintHash, SessionId, VisitorId};
use analytics_domain::request::{Method, RequestKind};
use analytics_domain::request_row::{RequestDecision, RequestFacts, RequestRecord};
use analytics_domain::session::{
    AnalyticsSession, EndReason, NewSession, SessionClient, SessionCounters, SessionOrigin, SessionPlace,
    SessionRecord, Text,
};
use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an application has to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Load {
    /// The store.
    pub(crate) url: String,
    /// The number of its first session.
    pub(crate) from: u64,
    /// How many sessions it has.
    pub(crate) sessions: u64,
    /// Where its spill file and what it writes down are.
    pub(crate) folder: PathBuf,
    /// The most KiB that a file of it may have.
    pub(crate) file_kib: Option<u64>,
    /// Milliseconds after which a call of the store counts as failed.
    pub(crate) deadline_ms: u64,
}

/// An application that was started. It is killed with this value.
pub(crate) struct Application {
    process: Child,
    folder: PathBuf,
    name: String,
}

impl Load {
    /// Ten thousand sessions for this store.
    pub(crate) fn on(url: String) -> Self {
        let folder = tempfile::tempdir().unwrap().keep();
        Self { url, from: 0, sessions: 10_000, folder, file_kib: None, deadline_ms: 30_000 }
    }

    /// The load of this process, if it was started to be an application.
    #[expect(
        clippy::disallowed_methods,
        reason = "so is an application told what to do, and a test that it is none"
    )]
    pub(crate) fn of_environment() -> Option<Self> {
        let text = std::env::var(VARIABLE).ok()?;
        Some(serde_json::from_str(&text).unwrap())
    }

    /// Hands all sessions to the queue, notes which of them are safe, and what the queue counted in the end.
    pub(crate) async fn run(self) {
        let stores = wiring::connect(&self.url).await.unwrap();
        let service = RecordingService::new(stores.sessions, stores.requests);
        let sink = Arc::new(RecordedSessions::new(service, Arc::new(SystemClock)));
        let spill = SpillFile::open(&self.folder.join("spill")).unwrap();
        let policy = QueuePolicy {
            capacity: 8 * TOGETHER as u32,
            batch: 2 * TOGETHER as u32,
            deadline: Duration::from_millis(self.deadline_ms),
            patience: Duration::from_millis(100),
            pause: Duration::from_millis(20),
            longest_pause: Duration::from_millis(200),
            ..QueuePolicy::default()
        };
        let (queue, drain) = Ingest::start(sink, spill, policy);
        let notes = Arc::new(Notes::open(&self));
        let next = Arc::new(Mutex::new(self.from));
        let end = self.from.saturating_add(self.sessions);
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let (queue, notes, next) = (queue.clone(), Arc::clone(&notes), Arc::clone(&next));
                tokio::spawn(async move {
                    loop {
                        let numbers = {
                            let mut next = next.lock();
                            let first = *next;
                            *next = first.saturating_add(TOGETHER).min(end);
                            first..*next
                        };
                        if numbers.is_empty() {
                            break;
                        }
                        // What was refused for want of room is offered until there is some.
                        loop {
                            match queue.submit(numbers.clone().map(session).collect()).await {
                                Ok(_) => break notes.safe(numbers),
                                Err(Refused::Full) => {}
                                Err(refused) => panic!("{refused}"),
                            }
                        }
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
        // What is in the spill file goes to the store as soon as it is back.
        while queue.counters().waiting_in_spill > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let counters = drain.close().await;
        std::fs::write(
            self.folder.join(format!("counters-{}", self.from)),
            serde_json::to_vec(&counters).unwrap(),
        )
        .unwrap();
    }
}

impl Application {
    /// Starts one for this load: this program again, with only the test of this name.
    pub(crate) fn start(load: &Load, test: &str) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut command = match load.file_kib {
            None => Command::new(program),
            Some(kib) => {
                // A signal that is ignored stays so in the program that follows, and a write beyond the limit fails.
                let mut shell = Command::new("sh");
                let limit = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", kib * 2);
                shell.args(["-c", &limit]).arg(program);
                shell
            }
        };
        let process = command
            .args(["--exact", test, "--nocapture"])
            .env(VARIABLE, serde_json::to_string(load).unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { process, folder: load.folder.clone(), name: load.from.to_string() }
    }

    /// The sessions that it knows to be safe.
    pub(crate) fn safe(&self) -> BTreeSet<u64> {
        let path = self.folder.join(format!("safe-{}", self.name));
        let written = std::fs::read_to_string(path).unwrap_or_default();
        // A line that was cut off with its process is no note.
        let whole = written.rfind('\n').map_or("", |end| &written[..end]);
        let ranges = whole.lines().map(|line| {
            let (first, past) = line.split_once(' ').unwrap();
            first.parse::<u64>().unwrap()..past.parse::<u64>().unwrap()
        });
        ranges.flatten().collect()
    }

    /// Waits until it knows so many sessions to be safe.
    pub(crate) async fn until_safe(&mut self, sessions: usize) {
        while self.safe().len() < sessions {
            self.still_runs().await;
        }
    }

    /// Waits until no further session has become safe for two seconds.
    pub(crate) async fn until_stuck(&mut self) {
        let mut before = usize::MAX;
        while before != self.safe().len() {
            before = self.safe().len();
            self.still_runs().await;
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }

    /// Whether it has not ended yet.
    pub(crate) fn runs(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Waits for its end, and answers what its queue counted.
    pub(crate) async fn ended(&mut self) -> IngestCounters {
        while self.process.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(self.process.wait().unwrap().success(), "the application failed");
        let written = std::fs::read(self.folder.join(format!("counters-{}", self.name))).unwrap();
        counters(&serde_json::from_slice(&written).unwrap())
    }

    async fn still_runs(&mut self) {
        assert!(self.runs(), "the application ended too early");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Where an application writes down which sessions are safe, a line for each range of numbers.
struct Notes {
    safe: Mutex<std::fs::File>,
}

impl Notes {
    fn open(load: &Load) -> Self {
        let path = load.folder.join(format!("safe-{}", load.from));
        Self { safe: Mutex::new(std::fs::File::create(path).unwrap()) }
    }

    fn safe(&self, numbers: std::ops::Range<u64>) {
        self.safe.lock().write_all(format!("{} {}\n", numbers.start, numbers.end).as_bytes()).unwrap();
    }
}

/// The number of the session with this id.
pub(crate) fn number_of(id: SessionId) -> u64 {
    u64::try_from(id.as_u128()).unwrap() - 1
}

/// The session of this number, ended, with its requests.
fn session(number: u64) -> SessionWithRequests {
    let start = DateTime::<Utc>::UNIX_EPOCH
        + TimeDelta::days(20_000)
        + TimeDelta::milliseconds((number % 1_000_000) as i64);
    let id = SessionId::from_u128(u128::from(number) + 1);
    let new = NewSession {
        visitor: VisitorId::from_u128(u128::from(number)),
        fingerprint: FingerprintHash::from_u128(u128::from(number)),
        user: None,
        network: None,
        client: SessionClient {
            user_agent: Some(Text::cut(
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            )),
            ..SessionClient::default()
        },
        origin: SessionOrigin::default(),
        place: SessionPlace::default(),
    };
    let requests = (0..REQUESTS).map(|arrival| {
        let at = start + TimeDelta::milliseconds(i64::from(arrival));
        let record = RequestRecord {
            id: EventId::at(at, u128::from(number) << 8 | u128::from(arrival)).unwrap(),
            session: id,
            visitor: new.visitor,
            fingerprint: new.fingerprint,
            at,
            arrival,
            method: Method::Get,
            version: None,
            path: Text::cut("/section/a-page-of-usual-length"),
            kind: RequestKind::Page,
            status: Some(200),
            bytes: Some(20_000),
            duration_us: None,
            referrer_host: None,
            charged: true,
            decision: RequestDecision::Admitted,
            facts: RequestFacts {
                page: 1,
                directory: 2,
                number: None,
                probe: None,
                trap: false,
                referrer: ReferrerFacts::Missing,
                campaign: None,
                headers: None,
            },
        };
        record.try_into().unwrap()
    });
    let requests: Vec<_> = requests.collect();
    let counters = SessionCounters { requests: u64::from(REQUESTS), ..SessionCounters::NONE };
    let open = AnalyticsSession::start(id, new, start).unwrap().into_record();
    let session =
        SessionRecord { counters, end_reason: Some(EndReason::Inactive), ..open }.try_into().unwrap();
    SessionWithRequests { session, requests }
}

/// Counters as they are written.
fn counters(written: &Value) -> IngestCounters {
    let of = |name: &str| written[name].as_u64().unwrap();
    IngestCounters {
        accepted: of("accepted"),
        recovered: of("recovered"),
        stored: of("stored"),
        repeated: of("repeated"),
        spilled: of("spilled"),
        waiting_in_spill: of("waiting_in_spill"),
        retried: of("retried"),
        refused_full: of("refused_full"),
        refused_closed: of("refused_closed"),
        rejected: of("rejected"),
        lost: of("lost"),
    }
}

/// Sessions that may be under way at most.
pub(crate) const AT_ONCE: usize = (CALLERS * TOGETHER) as usize;
/// Requests of each session.
pub(crate) const REQUESTS: u32 = 2;
const VARIABLE: &str = "ANALYTICS_FAULT_TEST_LOAD";
const CALLERS: u64 = 16;
const TOGETHER: u64 = 50;
