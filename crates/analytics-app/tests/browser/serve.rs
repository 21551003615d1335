//! The service as a user starts it, on a free port.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A running `analytics serve`. It ends with this value.
pub(crate) struct Serve {
    /// Its address, without a slash at its end.
    pub(crate) url: String,
    process: Child,
    /// Open while it runs, so that writing to it never fails.
    _told: BufReader<ChildStdout>,
}

impl Serve {
    /// Starts the service with these options beside `--listen`, and waits until it answers.
    pub(crate) fn start(options: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_analytics"))
            .env_clear()
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        told.read_line(&mut line).unwrap();
        let url = line.trim_end().strip_prefix("listening on ").unwrap_or_else(|| panic!("it said {line:?}"));
        Self { url: url.trim_end_matches('/').to_owned(), process, _told: told }
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
