//! Speed and memory of `analytics replay`, beside rhit and goaccess on the same log in the same run.
//!
//! `cargo bench -p analytics-app --bench replay [-- --rhit PATH] [--goaccess PATH] [--lines N] [--log FILE]`
//!
//! The log is made by the simulator (seed 1, combined format, a day) in a directory that is removed at the end, unless
//! one is given. The programs take turns. Wall time is taken here, processor time and peak resident memory by GNU time
//! where `/usr/bin/time` is it. Wall time is what a user waits; processor time is what tells programs apart on a machine
//! that has other work. A peer that is not installed is said to be missing:
//! `cargo install rhit --locked`, `apt-get install goaccess`.
#![expect(clippy::print_stdout, reason = "a benchmark shows its result")]

mod support;

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use analytics_app::simulate::{self, SimulationOptions, SimulationPlan};
use tempfile::TempDir;

use support::{median, nanoseconds_each, wanted};

fn main() -> io::Result<()> {
    if !wanted() {
        return Ok(());
    }
    let directory = TempDir::new()?;
    let log = match option("--log") {
        Some(log) => PathBuf::from(log),
        None => {
            simulated(directory.path(), option("--lines").and_then(|n| n.parse().ok()).unwrap_or(1_000_000))?
        }
    };
    let bytes = std::fs::read(&log)?;
    let lines = memchr::memchr_iter(b'\n', &bytes).count();
    let cores = std::thread::available_parallelism()?;
    println!("{lines} lines, {} MB, {cores} cores", bytes.len() / 1_000_000);
    drop(bytes);

    let rhit = option("--rhit").unwrap_or_else(|| "rhit".to_owned());
    let goaccess = option("--goaccess").unwrap_or_else(|| "goaccess".to_owned());
    let out = directory.path().join("goaccess.json");
    let ours = env!("CARGO_BIN_EXE_analytics");
    let file = log.as_os_str().to_string_lossy().into_owned();
    let out = out.to_string_lossy().into_owned();
    let mut programs = [
        Program::new("analytics replay", ours, &["replay", &file, "--format", "json"], 1),
        Program::new(
            "analytics replay, two parsers",
            ours,
            &["replay", &file, "--format", "json", "--threads", "2"],
            1,
        ),
        Program::new("rhit", &rhit, &["--no-name-check", "--silent-load", "--color", "no", &file], 1),
        Program::new(
            "goaccess",
            &goaccess,
            &[&file, "--log-format=COMBINED", "--no-global-config", "-o", &out],
            4,
        ),
    ];
    for round in 0..ROUNDS {
        for program in &mut programs {
            if program.missing.is_none() && round % program.every == 0 {
                program.run(directory.path())?;
            }
        }
    }
    let base = median(&programs[0].seconds);
    println!(
        "{:<30}{:>9}{:>12}{:>13}{:>13}{:>10}",
        "program", "seconds", "lines/s", "replay's = 1", "CPU seconds", "peak MiB"
    );
    for program in &programs {
        if let Some(why) = &program.missing {
            println!("{:<30} not measured: {why}", program.name);
            continue;
        }
        let seconds = median(&program.seconds);
        let (speed, ratio) = (lines as f64 / seconds, seconds / base);
        // NaN where GNU time is not there.
        let (cpu, peak) = (median(&program.cpu_seconds), median(&program.peak_kib) / 1024.0);
        println!("{:<30}{seconds:>9.2}{speed:>12.0}{ratio:>13.2}{cpu:>13.2}{peak:>10.0}", program.name);
    }
    Ok(())
}

/// A program that reads the log, and what its runs took.
struct Program {
    name: &'static str,
    command: Vec<String>,
    /// It runs in one of this many rounds.
    every: usize,
    missing: Option<String>,
    seconds: Vec<f64>,
    peak_kib: Vec<f64>,
    cpu_seconds: Vec<f64>,
}

impl Program {
    fn new(name: &'static str, program: &str, arguments: &[&str], every: usize) -> Self {
        let command = std::iter::once(program).chain(arguments.iter().copied()).map(str::to_owned).collect();
        let found = Command::new(program)
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let missing = found.err().map(|error| format!("{program} does not start ({error})"));
        Self {
            name,
            command,
            every,
            missing,
            seconds: Vec::new(),
            peak_kib: Vec::new(),
            cpu_seconds: Vec::new(),
        }
    }

    fn run(&mut self, directory: &Path) -> io::Result<()> {
        let peak = directory.join("peak");
        let mut command = if Path::new(GNU_TIME).exists() {
            let mut timed = Command::new(GNU_TIME);
            timed.args(["-f", "%M %U %S", "-o"]).arg(&peak).args(&self.command);
            timed
        } else {
            let mut plain = Command::new(&self.command[0]);
            plain.args(&self.command[1..]);
            plain
        };
        let shown = directory.join("shown");
        command.stdin(Stdio::null()).stdout(File::create(&shown)?).stderr(Stdio::null());
        let mut ended = None;
        let nanoseconds = nanoseconds_each(1, || ended = Some(command.status()));
        let succeeded = matches!(ended, Some(Ok(status)) if status.success());
        if !succeeded {
            self.missing = Some("it failed".to_owned());
        } else if std::fs::metadata(&shown)?.len() == 0 && self.every == 1 {
            self.missing = Some("it showed no result".to_owned());
        } else {
            self.seconds.push(nanoseconds / 1e9);
            let used = std::fs::read_to_string(&peak).unwrap_or_default();
            let used: Vec<f64> = used.split_whitespace().filter_map(|word| word.parse().ok()).collect();
            if let [kib, user, system] = used[..] {
                self.peak_kib.push(kib);
                self.cpu_seconds.push(user + system);
            }
        }
        Ok(())
    }
}

fn simulated(directory: &Path, lines: u64) -> io::Result<PathBuf> {
    let options = SimulationOptions { requests: Some(lines), ..SimulationOptions::default() };
    let plan = SimulationPlan::new(options).map_err(io::Error::other)?;
    let path = directory.join("access.log");
    simulate::write(&plan, &mut BufWriter::new(File::create(&path)?), &mut io::sink())?;
    Ok(path)
}

/// The value after this word among the arguments.
fn option(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

const ROUNDS: usize = 9;
const GNU_TIME: &str = "/usr/bin/time";
