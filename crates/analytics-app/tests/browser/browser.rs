//! A real browser for a test: an own Chromium with an empty profile, driven by `ChromeDriver`.
//!
//! Without Chromium or `ChromeDriver` a test fails and says what to install; it is never skipped.
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

impl Browser {
    /// Shows pages in dark or in light colours, as the system of a visitor asks for.
    pub(crate) fn colours(&self, dark: bool) {
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    /// Shows pages in a window of this size, also in one as narrow as a phone's.
    pub(crate) fn size(&self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &size);
    }

    /// What pages complained of since it was asked last: errors of scripts, and what a policy or the network refused.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let told = self.ask_driver("se/log", &json!({"type": "browser"}));
        let entries = told["value"].as_array().unwrap_or_else(|| panic!("a list of entries: {told}"));
        entries.iter().map(|entry| entry["message"].to_string()).collect()
    }

    fn devtools(&self, command: &str, parameters: &Value) {
        let told = self.ask_driver("goog/cdp/execute", &json!({"cmd": command, "params": parameters}));
        assert!(told["value"].get("error").is_none(), "{command}: {told}");
    }

    /// What the driver answers to a command of its own.
    fn ask_driver(&self, command: &str, body: &Value) -> Value {
        let (session, port, body) = (&self.session, self.port, body.to_string());
        let mut driver = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the driver listens");
        let head = format!(
            "POST /session/{session}/{command} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
             Content-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        driver.write_all(head.as_bytes()).expect("the driver takes commands");
        let (mut reader, mut length) = (BufReader::new(driver), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("the driver answers");
            if line.trim_end().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().expect("a length is a number");
            }
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer).expect("the answer is as long as it says");
        serde_json::from_slice(&answer).expect("the driver answers in JSON")
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
const ARGUMENTS: [&str; 12] = [
    "--headless",
    "--hide-scrollbars",
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
