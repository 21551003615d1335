//! The service as a process: what it serves, what it refuses, and what is left when it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use sqlx::PgConnection;

use super::database::TestDatabase;
use super::{BINARY, analytics};

#[test]
fn the_demonstration_has_real_figures_at_once() {
    let served = Served::start(&["--demo"]);
    let report = served.read("/v1/reports/traffic-summary?compare=true");
    let people = &report["data"]["people"];
    assert!(people["sessions"].as_u64().unwrap() > 300, "{report}");
    let automation = served.read("/v1/reports/bot-traffic");
    assert!(automation["data"].as_object().is_some_and(|data| !data.is_empty()), "{automation}");
    let sessions = served.read("/v1/sessions?class=bot&limit=5");
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 5);
    let person = served.read("/v1/sessions?class=human&limit=100");
    let told =
        person["sessions"].as_array().unwrap().iter().filter(|session| session["engagement_events"] != 0);
    assert!(told.count() > 50, "{person}");
    let usage = served.read("/v1/reports/provider-usage");
    assert_eq!(usage["data"]["models"][0]["provider"], "acme", "{usage}");
    let anomalies = served.read("/v1/anomaly/events");
    assert!(!anomalies["events"].as_array().unwrap().is_empty(), "{anomalies}");
}

#[test]
fn commands_ask_a_running_service() {
    let served = Served::start(&["--demo"]);
    let url = format!("http://{}/", served.address);
    let ask = |args: &[&str]| {
        let ran = analytics(&[args, &["--server", &url]].concat());
        assert_eq!((ran.status, ran.errors.as_str()), (0, ""), "{args:?}: {ran:?}");
        ran.out
    };
    let json = |args: &[&str]| -> Value {
        serde_json::from_str(&ask(&[args, &["--format", "json"]].concat())).unwrap()
    };
    let text = ask(&["report", "traffic-summary", "--filter", "class=human", "--compare"]);
    assert!(text.starts_with("traffic-summary: ") && text.contains("only   class=human"), "{text}");
    let report = json(&["report", "traffic-summary"]);
    assert!(report["data"]["people"]["sessions"].as_u64().unwrap() > 300, "{report}");

    let listed = served.read("/v1/sessions?class=bot&limit=1");
    let (id, fingerprint) = (&listed["sessions"][0]["id"], &listed["sessions"][0]["fingerprint"]);
    let (id, fingerprint) = (id.as_str().unwrap(), fingerprint.as_str().unwrap());
    let explained = ask(&["explain", id]);
    assert!(explained.contains(id) && explained.contains("\nSignals"), "{explained}");
    assert_eq!(json(&["explain", id]), served.read(&format!("/v1/sessions/{id}/explain")));
    let labelled = ask(&["label", "set", id, "bot", "--by", "ann", "--reason", "seen it"]);
    assert_eq!(labelled, format!("labelled {id} bot (manual, confidence 100)\n"));
    let audit = &served.read(&format!("/v1/sessions/{id}/explain"))["kept"]["audit"][0];
    assert_eq!(
        (audit["actor"].as_str(), audit["reason"].as_str()),
        (Some("ann"), Some("seen it")),
        "{audit}"
    );

    assert_eq!(ask(&["bans", "list"]), "no ban runs\n");
    assert_eq!(json(&["bans", "list"]), serde_json::json!([]));
    let free = analytics(&["bans", "clear", "203.0.113.7/32", "--server", &url]);
    assert_eq!(free.status, 1, "{free:?}");
    assert!(free.errors.contains("answered 404: 203.0.113.7/32 is not banned"), "{free:?}");
    assert!(ask(&["fingerprints", "list"]).contains("no fingerprint is of high risk"));
    let unseen = analytics(&["fingerprints", "flag", fingerprint, "--server", &url]);
    assert_eq!(unseen.status, 1, "{unseen:?}");
    assert!(unseen.errors.contains("was never seen"), "{unseen:?}");
    ask(&["thresholds", "set", "error_rate", "--warning", "0.2", "--critical", "0.4"]);
    let limits = ask(&["thresholds", "list"]);
    let error_rate = limits.lines().find(|line| line.starts_with("error_rate")).unwrap();
    assert_eq!(error_rate.split_whitespace().collect::<Vec<_>>(), ["error_rate", "0.2", "0.4", "service"]);

    for (wrong, status, problem) in [
        (vec!["--server", "localhost"], 2, "begins with http:// or https://"),
        (vec!["--server", "http://127.0.0.1:1"], 1, "cannot ask http://127.0.0.1:1"),
        (vec!["--server", &url, "--token-file", "/no/such"], 2, "there is no token file /no/such"),
        (vec!["--server", &url, "--store", "postgres://h/d"], 2, "cannot be used with"),
    ] {
        let ran = analytics(&[vec!["bans", "list"], wrong].concat());
        assert_eq!(ran.status, status, "{ran:?}");
        assert!(ran.errors.contains(problem), "{ran:?}");
    }
}

#[test]
fn a_service_that_wants_a_token_is_asked_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    let served = Served::start(&["--token-file", tokens.to_str().unwrap(), "--listen", "0.0.0.0:0"]);
    let port = served.address.rsplit(':').next().unwrap();
    let url = format!("http://127.0.0.1:{port}");
    let without = analytics(&["bans", "list", "--server", &url]);
    assert_eq!(without.status, 1, "{without:?}");
    assert!(
        without.errors.contains("answered 401") && without.errors.contains("--token-file"),
        "{without:?}"
    );
    let with = analytics(&["bans", "list", "--server", &url, "--token-file", tokens.to_str().unwrap()]);
    assert_eq!((with.status, with.out.as_str()), (0, "no ban runs\n"), "{with:?}");
}

#[test]
fn a_webhook_needs_an_address_to_send_to_and_a_key() {
    let key = super::file(&[7; 32], "key");
    let key = key.path.to_str().unwrap();
    for (options, problem) in [
        (vec!["--webhook", "https://example.org/"], "--webhook-key-file"),
        (vec!["--webhook-key-file", key], "--webhook"),
        (
            vec!["--webhook", "ftp://example.org/", "--webhook-key-file", key],
            "begins with https:// or http://",
        ),
        (vec!["--webhook", "http://example.org/", "--webhook-key-file", "missing"], "cannot read the secret"),
    ] {
        let ran = analytics(&[vec!["serve", "--listen", "127.0.0.1:0"], options].concat());
        assert_eq!(ran.status, 2, "{ran:?}");
        assert!(ran.errors.contains(problem), "{ran:?}");
    }
}

#[test]
fn an_address_that_others_reach_needs_tokens() {
    let ran = analytics(&["serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(ran.status, 2);
    assert!(ran.errors.contains("--token-file"), "{ran:?}");
    let busy = Served::start(&[]);
    let ran = analytics(&["serve", "--listen", &busy.address]);
    assert_eq!(ran.status, 1);
    assert!(ran.errors.contains("cannot listen on"), "{ran:?}");
    let ran = analytics(&["serve", "--store", "mongo://ann:secret@host/db"]);
    assert_eq!((ran.status, ran.errors.contains("secret")), (2, false), "{ran:?}");
}

#[test]
fn tokens_are_made_once_and_only_their_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let path = file.to_str().unwrap();
    let read = || std::fs::read_to_string(&file).unwrap();
    let out = Served::start(&["--token-file", path]).stop();
    let made = read();
    let token =
        made.lines().find_map(|line| line.strip_prefix("admin = ")).unwrap().trim_matches('"').to_owned();
    assert!(!out.contains(&token));
    let served = Served::start(&["--token-file", path]);
    assert_eq!(read(), made);
    let asked = |token: &str| {
        let head =
            format!("GET /v1/sessions HTTP/1.1\r\nhost: example.org\r\nauthorization: Bearer {token}\r\n");
        served.raw(&format!("{head}connection: close\r\n\r\n"))
    };
    assert!(asked(&token).starts_with("HTTP/1.1 200 "));
    assert!(asked("guessed").starts_with("HTTP/1.1 401 "));
}

#[tokio::test]
async fn everything_that_was_decided_is_in_the_store_when_the_service_has_ended() {
    let database = TestDatabase::migrated().await;
    let served = Served::start(&["--store", &database.url(), "--trusted-proxy", "127.0.0.1"]);
    for number in 0..200 {
        let head = served.decide(&format!("203.0.113.{}", number % 20), &format!("/page/{number}"));
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    }
    served.stop();
    let mut connection = database.connection().await;
    assert_eq!(kept(&mut connection).await, (20, 200, 200));
}

#[tokio::test]
async fn a_restart_goes_on_with_the_same_store_and_the_same_identities() {
    let database = TestDatabase::migrated().await;
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let options =
        ["--store", &database.url(), "--trusted-proxy", "127.0.0.1", "--state-dir", state.to_str().unwrap()];
    for _ in 0..2 {
        let served = Served::start(&options);
        served.decide("203.0.113.7", "/");
        served.stop();
    }
    let mut connection = database.connection().await;
    let (visitors, fingerprints): (i64, i64) = sqlx::query_as(
        "SELECT count(DISTINCT visitor_id), count(DISTINCT fingerprint_hash) FROM user_sessions",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!((visitors, fingerprints), (1, 1));
    assert_eq!(kept(&mut connection).await, (2, 2, 2));
}

#[test]
fn a_hangup_takes_up_the_file_again_and_frees_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write("[throttle]\nmode = \"shadow\"\n");
    let options = ["--trusted-proxy", "127.0.0.1", "--policy", file.to_str().unwrap()];
    let served = Served::start(&options);
    let statuses = |client: &str| {
        let answers = (0..30).map(|_| served.decide(client, "/"));
        answers.filter(|head| head.starts_with("HTTP/1.1 429 ")).count()
    };
    assert_eq!(statuses("203.0.113.7"), 0);
    write("[throttle]\nmode = \"enforce\"\n[live]\nexempt_networks = [\"203.0.113.8/32\"]\ncapacity = 9\n");
    served.hang_up();
    served.waits_for("analytics_configurations_taken_up_total 1");
    assert_eq!(statuses("203.0.113.7"), 30, "what was used up before is still used up");
    assert_eq!(statuses("203.0.113.8"), 0);

    write("[throttle]\nmode = \"off\"\nmood = 1\n");
    served.hang_up();
    served.waits_for("analytics_configurations_refused_total 1");
    assert_eq!(statuses("203.0.113.7"), 30);
    let ready = served.read("/readyz").to_string();
    assert!(ready.contains("the newest configuration was refused"), "{ready}");
    let said = served.stop();
    assert!(said.contains("the configuration was taken up; live.capacity at the next start"), "{said}");
    assert!(said.contains("stays in force") && said.contains("line 3: `throttle.mood`"), "{said}");
}

#[test]
fn hostile_bytes_and_silence_hold_up_nobody() {
    let served = Served::start(&["--trusted-proxy", "127.0.0.1"]);
    let silent: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(&served.address).unwrap()).collect();
    let long = "a".repeat(64 * 1024);
    for bytes in [
        "\r\n\r\n",
        "GET",
        "GET /../../etc/passwd HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET /v1/decide/%00%ff/..//? HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: ,,unknown,::::\r\n\r\n",
        "POST /v1/observe HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9999999999999999999\r\n\r\n",
        "POST /v1/observe HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        &format!("GET /nowhere HTTP/1.1\r\nhost: localhost\r\nx-long: {long}\r\n\r\n"),
        &format!("GET /{long} HTTP/1.1\r\nhost: localhost\r\n\r\n"),
    ] {
        let mut stream = served.connect();
        stream.write_all(bytes.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        // Some are answered, some are cut off; none takes the service down.
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        // Any path may be asked about, if the answer comes before the end of what is sent is seen.
        let decided = bytes.starts_with("GET /v1/decide/") && answer.starts_with("HTTP/1.1 200 ");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4") || decided, "{bytes:.60}: {answer:?}");
    }
    assert!(served.decide("203.0.113.7", "/").starts_with("HTTP/1.1 200 "));
    drop(silent);
}

/// Sessions, rows of requests, and the requests in the totals of sessions.
async fn kept(connection: &mut PgConnection) -> (i64, i64, i64) {
    let counted = "SELECT (SELECT count(*) FROM user_sessions), (SELECT count(*) FROM requests), \
                   (SELECT coalesce(sum(requests), 0)::bigint FROM user_sessions)";
    sqlx::query_as(counted).fetch_one(connection).await.unwrap()
}

/// A service that runs until it is dropped.
struct Served {
    child: Child,
    address: String,
}

impl Served {
    fn start(options: &[&str]) -> Self {
        let listen: &[&str] = if options.contains(&"--listen") { &[] } else { &["--listen", "127.0.0.1:0"] };
        let mut child = Command::new(BINARY)
            .env_clear()
            .arg("serve")
            .args(listen)
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let Some(address) = line.trim().strip_prefix("listening on http://") else {
            let ended = child.wait_with_output().unwrap();
            panic!("{line}{}", String::from_utf8_lossy(&ended.stderr));
        };
        Self { address: address.trim_end_matches('/').to_owned(), child }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// The whole answer to these bytes.
    fn raw(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    }

    fn read(&self, path: &str) -> Value {
        let answer =
            self.raw(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
        serde_json::from_str(body).unwrap()
    }

    fn decide(&self, client: &str, target: &str) -> String {
        let forwarded = format!("x-forwarded-for: {client}\r\nx-forwarded-uri: {target}");
        let agent = "user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        self.raw(&format!(
            "GET /v1/decide HTTP/1.1\r\nhost: x\r\n{forwarded}\r\n{agent}\r\nconnection: close\r\n\r\n"
        ))
    }

    /// Asks it to read its configuration again.
    fn hang_up(&self) {
        let process = self.child.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &process]).status().unwrap().success());
    }

    /// Waits until the metrics have this line.
    fn waits_for(&self, line: &str) {
        let asked = "GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        for _ in 0..2_000 {
            if self.raw(asked).lines().any(|told| told == line) {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        panic!("the metrics never had {line}");
    }

    /// Asks it to end, waits until it has, and answers all that it said.
    fn stop(mut self) -> String {
        let process = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &process]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        let mut said = String::new();
        self.child.stdout.as_mut().unwrap().read_to_string(&mut said).unwrap();
        self.child.stderr.as_mut().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(status.code(), Some(0), "{said}");
        said
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // One that has ended cannot be killed again.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
