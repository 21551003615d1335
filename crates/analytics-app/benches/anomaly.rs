//! What a value costs the baseline, and a request the feed of live traffic, as a ratio to governor's keyed check of 100,000 keys in the same run, and what a
//! series takes.
//!
//! `cargo bench -p analytics-app --bench anomaly`
//!
//! Rounds of governor and of each case take turns, so that both see the same state of the machine; the ratio is the
//! median of the ratios of neighbouring rounds. Memory is resident memory as the kernel tells it: Linux only.
#![expect(clippy::print_stdout, reason = "a benchmark shows its result")]

mod support;

use std::hint::black_box;
use std::num::NonZeroU32;

use analytics_app::anomaly::{Figure, LiveFeed, Moment, Monitor, MonitorPolicy};
use analytics_domain::anomaly::{Baseline, BaselinePolicy, MetricName, SeriesKind, Thresholds};
use analytics_domain::detector::Class;
use chrono::{DateTime, TimeDelta, Utc};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use support::{median, nanoseconds_each, wanted};

fn main() {
    if !wanted() {
        return;
    }
    println!("one baseline: {} bytes", size_of::<Baseline>());
    let quota = Quota::per_minute(NonZeroU32::new(60).expect("sixty is not zero"));
    let limiter: DefaultKeyedRateLimiter<u64> = RateLimiter::keyed(quota);
    let check = || {
        nanoseconds_each(KEYS, || {
            for nth in 0..KEYS as u64 {
                black_box(limiter.check_key(&(nth.wrapping_mul(0x9e37_79b1) % KEYS as u64)).is_ok());
            }
        })
    };
    check();
    let before = resident();
    let mut all = many(SERIES);
    let taken = (resident() - before) / SERIES as f64;
    println!("{SERIES} series at once: {taken:.0} bytes of resident memory each");
    let mut one = [one(SeriesKind::Gauge), one(SeriesKind::Count)];
    let mut monitor = watched();
    let feed = LiveFeed::default();
    let mut cases: [(&str, Vec<f64>, Vec<f64>); 5] = [
        "gauge, one series",
        "count, one series",
        "gauges, 10,000 series in turn",
        "monitor, 10,000 metrics in turn",
        "live feed, one request",
    ]
    .map(|name| (name, Vec::new(), Vec::new()));
    let mut yardstick = Vec::new();
    for _ in 0..ROUNDS {
        for (number, (_, took, ratios)) in cases.iter_mut().enumerate() {
            let first = check();
            let ours = match number {
                0 | 1 => one[number].round(),
                2 => all.round(),
                3 => monitor.round(),
                _ => fed(&feed),
            };
            let then = check();
            yardstick.push(first);
            took.push(ours);
            ratios.push(2.0 * ours / (first + then));
        }
    }
    println!("{:<40}{:>12}{:>8}{:>6}", "case", "ns (median)", "ratio", "aim");
    println!("{:<40}{:>12.0}{:>8}", "governor check_key, 100,000 keys", median(&yardstick), "1.00");
    for (name, took, ratios) in &cases {
        println!("{name:<40}{:>12.0}{:>8.2}{:>6}", median(took), median(ratios), 10);
    }
}

/// Series that are given a value a minute each.
struct Many {
    policy: BaselinePolicy,
    series: Vec<Baseline>,
    minute: i64,
}

impl Many {
    /// Nanoseconds a value.
    fn round(&mut self) -> f64 {
        let minutes = VALUES / self.series.len();
        nanoseconds_each(minutes * self.series.len(), || {
            for _ in 0..minutes {
                self.minute += 1;
                let now = at(self.minute);
                for (number, series) in self.series.iter_mut().enumerate() {
                    black_box(series.observe(&self.policy, value(self.minute, number), now).is_ok());
                }
            }
        })
    }
}

fn one(kind: SeriesKind) -> Many {
    let mut one = Many { policy: BaselinePolicy::default(), series: vec![Baseline::new(kind)], minute: 0 };
    one.round();
    one
}

fn many(count: usize) -> Many {
    let series = vec![Baseline::new(SeriesKind::Gauge); count];
    let mut many = Many { policy: BaselinePolicy::default(), series, minute: 0 };
    many.round();
    many
}

struct Watched {
    monitor: Monitor,
    figures: Vec<Figure>,
    thresholds: Thresholds,
    minute: i64,
}

impl Watched {
    fn round(&mut self) -> f64 {
        let minutes = VALUES / self.figures.len();
        nanoseconds_each(minutes * self.figures.len(), || {
            for _ in 0..minutes {
                self.minute += 1;
                let now = at(self.minute);
                for (number, figure) in self.figures.iter_mut().enumerate() {
                    figure.value = value(self.minute, number).round();
                    black_box(self.monitor.observe(&self.thresholds, figure, now).is_ok());
                }
            }
        })
    }
}

fn watched() -> Watched {
    let name = |number| MetricName::new(format!("metric.{number}")).expect("it is a name");
    let figure = |number| Figure { metric: name(number), kind: SeriesKind::Count, value: 0.0 };
    let figures = (0..SERIES).map(figure).collect();
    let monitor = Monitor::new(MonitorPolicy::default());
    let mut watched = Watched { monitor, figures, thresholds: Thresholds::default(), minute: 0 };
    watched.round();
    watched
}

/// Nanoseconds a request of live traffic, two thousand of them a minute.
fn fed(feed: &LiveFeed) -> f64 {
    let mut moment = Moment {
        class: Class::Human,
        charged: true,
        opened: false,
        new_fingerprint: false,
        status: Some(200),
        duration_us: Some(0),
        bans: 0,
    };
    let took = nanoseconds_each(VALUES, || {
        for nth in 0..VALUES as i64 {
            moment.duration_us = Some(nth as u64);
            feed.request(black_box(&moment), at(nth / 2_000));
        }
    });
    black_box(feed.take(at(VALUES as i64)).len());
    took
}

/// A value with a day and with noise.
fn value(minute: i64, series: usize) -> f64 {
    let noise = (minute as u64 ^ (series as u64) << 20).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54;
    let hour = (minute / 60 % 24 - 12).abs() as f64;
    100.0 + 10.0 * hour + noise as f64 / 100.0
}

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(29_000_000 + minute)
}

/// Resident memory of the process in bytes; 0 where the kernel does not tell it.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = status.split_whitespace().nth(1).and_then(|pages| pages.parse::<f64>().ok());
    pages.unwrap_or(0.0) * 4_096.0
}

const KEYS: usize = 100_000;
const SERIES: usize = 10_000;
const VALUES: usize = 200_000;
const ROUNDS: usize = 9;
