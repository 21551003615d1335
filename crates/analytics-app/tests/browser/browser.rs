//! A real browser for a test: an own Chromium with an empty profile, driven by ChromeDriver.
//!
//! Without Chromium or ChromeDriver a test fails and says what to install; it is never skipped.
//!
//! ```text
//! let browser = browser::start().await;
//! browser.goto("http://127.0.0.1:8080/").await.unwrap();
//! browser.screenshot_to(&path).await;
//! ```

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::ops::Deref;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A browser of one test, with one window of 1280 by 800 pixels. It ends with this value.
///
/// Everything that a [`Client`] can do, it can.
pub(crate) struct Browser {
    client: Client,
    session: String,
    driver: Child,
    port: u16,
    /// Open while the driver runs, so that writing to it never fails.
    _told: BufReader<ChildStdout>,
    _profile: TempDir,
}

/// A browser that shows nothing yet.
pub(crate) async fn start() -> Browser {
    let spawned =
        Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut driver = spawned.unwrap_or_else(|error| {
        panic!("tests in a browser need ChromeDriver ({error}): run ./check, or apt-get install chromium chromium-driver")
    });
    let mut told = BufReader::new(driver.stdout.take().expect("it is piped"));
    let port = port_of(&mut told);
    let profile = tempfile::tempdir().expect("the temporary directory takes folders");
    let mut arguments = ARGUMENTS.map(str::to_owned).to_vec();
    arguments.push(format!("--user-data-dir={}", profile.path().display()));
    let capabilities = json!({
        "goog:chromeOptions": {"args": arguments},
        "goog:loggingPrefs": {"browser": "ALL"},
        "timeouts": {"script": 120_000, "pageLoad": 60_000, "implicit": 0},
    });
    let Value::Object(capabilities) = capabilities else { unreachable!("it is an object") };
    let connected = ClientBuilder::new(HttpConnector::new())
        .capabilities(capabilities)
        .connect(&format!("http://127.0.0.1:{port}"))
        .await;
    let client = connected.unwrap_or_else(|error| {
        let _ = driver.kill();
        panic!("Chromium does not start ({error}): run ./check, or apt-get install chromium chromium-driver")
    });
    let session = client.session_id().await.expect("the driver answers").expect("there is a session");
    Browser { client, session, driver, port, _told: told, _profile: profile }
}

impl Browser {
    /// Lets this much time pass in the page that is shown.
    pub(crate) async fn wait(&self, ms: u32) {
        let script = "setTimeout(arguments[1], arguments[0])";
        self.client.execute_async(script, vec![json!(ms)]).await.expect("the page stays for that long");
    }

    /// What a script in the page answers.
    pub(crate) async fn run(&self, script: &str) -> Value {
        let ran = self.client.execute(script, Vec::new()).await;
        ran.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Waits until a script in the page answers true.
    pub(crate) async fn until(&self, script: &str) {
        for _ in 0..600 {
            if self.run(script).await == Value::Bool(true) {
                return;
            }
            self.wait(20).await;
        }
        panic!("it never came true: {script}");
    }

    /// Writes what the window shows as a PNG file.
    pub(crate) async fn screenshot_to(&self, path: &Path) {
        let png = self.client.screenshot().await.expect("the browser paints");
        std::fs::write(path, png).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

impl Deref for Browser {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Browser {
    /// Ends the browser by way of its driver, also when the test fails, and then the driver.
    fn drop(&mut self) {
        if let Ok(mut driver) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) {
            let (session, port) = (&self.session, self.port);
            let _ = write!(
                driver,
                "DELETE /session/{session} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
            );
            let _ = driver.read(&mut [0; 64]);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The port that the driver says it listens on.
fn port_of(told: &mut BufReader<ChildStdout>) -> u16 {
    let mut line = String::new();
    while told.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
        let port = line.trim_end().strip_prefix("ChromeDriver was started successfully on port ");
        if let Some(port) = port.and_then(|port| port.trim_end_matches('.').parse().ok()) {
            return port;
        }
        line.clear();
    }
    panic!("ChromeDriver did not say its port")
}

/// `--no-sandbox` because tests may run as root; the others keep the browser from talking to anyone but us.
const ARGUMENTS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-device-scale-factor=1",
    "--window-size=1280,800",
];
