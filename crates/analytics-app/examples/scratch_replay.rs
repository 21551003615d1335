//! scratch
#![allow(warnings, clippy::all, clippy::pedantic)]
use analytics_app::{
    ingest::source::Input,
    replay::{Replay, ReplayOptions},
    simulate::{self, SimulationOptions, SimulationPlan},
};
use std::fs::File;
use std::io::BufWriter;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    if a[1] == "sim" {
        let plan = SimulationPlan::new(SimulationOptions {
            requests: Some(a[3].parse().unwrap()),
            hours: 24,
            people: a[4].parse().unwrap(),
            ..Default::default()
        })
        .unwrap();
        let mut log = BufWriter::new(File::create(&a[2]).unwrap());
        simulate::write(&plan, &mut log, &mut std::io::sink()).unwrap();
        return;
    }
    let t = std::time::Instant::now();
    let opts = ReplayOptions { threads: a[2].parse().unwrap(), ..Default::default() };
    let report = Replay::new(opts).run(vec![Input::from_argument(std::path::Path::new(&a[1]))]).unwrap();
    let e = t.elapsed().as_secs_f64();
    eprintln!("{e:.3}s lines {:?}", report.input.logs.iter().map(|l| l.lines as f64 / e).collect::<Vec<_>>());
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    eprintln!("{}", s.lines().find(|l| l.starts_with("VmHWM")).unwrap());
}
