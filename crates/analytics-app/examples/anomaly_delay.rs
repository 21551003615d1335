//! How long anomalies take to be noticed, and how often the baseline and the trend cry wolf, on simulated traffic.
//!
//! ```text
//! cargo run --release -p analytics-app --example anomaly_delay
//! ```
//!
//! A site of five weeks, a value a minute: requests and errors are counts with a day, a weekend and more scatter than
//! chance alone; latency is a gauge. Each trouble is put alone into the fifth week of each of the series; the same series
//! without it, from the third week on, gives the false alarms.

use std::io::Write;

use analytics_app::anomaly::{AnomalyChange, Figure, Monitor, MonitorPolicy};
use analytics_domain::anomaly::{AnomalyRule, MetricName, SeriesKind, Thresholds};
use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// Measures delays and false alarms on simulated traffic.
#[derive(Parser)]
struct Args {
    /// Series of each kind
    #[arg(long, default_value_t = 20)]
    series: u64,
}

fn main() -> std::io::Result<()> {
    let args = Args::parse();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{:<46}{:>8}{:>16}{:>10}", "trouble", "noticed", "median minutes", "slowest")?;
    for trouble in Trouble::ALL {
        let mut delays: Vec<i64> = (0..args.series).filter_map(|seed| delay(trouble, seed)).collect();
        delays.sort_unstable();
        let of = |at: usize| delays.get(at).map_or("–".to_owned(), i64::to_string);
        let noticed = format!("{}/{}", delays.len(), args.series);
        let (middle, last) = (of(delays.len() / 2), of(delays.len().wrapping_sub(1)));
        writeln!(out, "{:<46}{noticed:>8}{middle:>16}{last:>10}", trouble.name())?;
    }
    writeln!(out, "\n{:<46}{:>16}{:>10}", "nothing wrong, alarms a week", "baseline", "trend")?;
    for kind in Kind::ALL {
        let weeks = args.series as f64 * 3.0;
        let all: Vec<_> = (0..args.series).flat_map(|seed| opened(kind, None, seed)).collect();
        alarms(&mut out, kind.name(), &all, weeks)?;
    }
    let monday = |seed| {
        let opened = opened(Kind::Requests, Some(Trouble::QuietWeekend), seed);
        opened.into_iter().filter(|(minute, _)| (MONDAY..MONDAY + DAY).contains(minute))
    };
    let all: Vec<_> = (0..args.series).flat_map(monday).collect();
    alarms(&mut out, "requests on the Monday after a quiet weekend", &all, args.series as f64 / 7.0)
}

fn alarms(out: &mut dyn Write, name: &str, all: &[(i64, AnomalyRule)], weeks: f64) -> std::io::Result<()> {
    let of = |wanted| all.iter().filter(|(_, rule)| *rule == wanted).count() as f64 / weeks;
    let (baseline, trend) = (of(AnomalyRule::Baseline), of(AnomalyRule::Trend));
    writeln!(out, "{name:<46}{baseline:>16.2}{trend:>10.2}")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Flood,
    SmallFlood,
    Outage,
    Leak,
    Deployment,
    QuietWeekend,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Requests,
    Errors,
    Latency,
    Rare,
}

impl Trouble {
    const ALL: [Self; 6] =
        [Self::Flood, Self::SmallFlood, Self::Outage, Self::Leak, Self::Deployment, Self::QuietWeekend];

    const fn name(self) -> &'static str {
        match self {
            Self::Flood => "flood: five times the requests for 30 min",
            Self::SmallFlood => "flood: half more requests for 2 h",
            Self::Outage => "outage: no requests for 20 min at noon",
            Self::Leak => "leak: latency up 1 % an hour for two days",
            Self::Deployment => "deployment: twice the errors from then on",
            Self::QuietWeekend => "quiet weekend: a third of the usual requests",
        }
    }

    const fn kind(self) -> Kind {
        match self {
            Self::Flood | Self::SmallFlood | Self::Outage | Self::QuietWeekend => Kind::Requests,
            Self::Leak => Kind::Latency,
            Self::Deployment => Kind::Errors,
        }
    }

    /// First minute, and how many.
    const fn period(self) -> (i64, i64) {
        let wednesday = 4 * WEEK + 2 * DAY;
        match self {
            Self::Flood => (wednesday + 15 * 60, 30),
            Self::SmallFlood => (wednesday + 15 * 60, 120),
            Self::Outage => (wednesday + 12 * 60, 20),
            Self::Leak => (wednesday, 2 * DAY),
            Self::Deployment => (wednesday + 10 * 60, 2 * DAY),
            Self::QuietWeekend => (MONDAY - 2 * DAY, 2 * DAY),
        }
    }

    /// What the expected value is multiplied by, this long after the beginning.
    fn factor(self, minutes: i64) -> f64 {
        match self {
            Self::Flood => 5.0,
            Self::SmallFlood => 1.5,
            Self::Outage => 0.0,
            Self::Leak => 1.0 + 0.01 * minutes as f64 / 60.0,
            Self::Deployment => 2.0,
            Self::QuietWeekend => 1.0 / 3.0,
        }
    }
}

impl Kind {
    const ALL: [Self; 4] = [Self::Requests, Self::Errors, Self::Latency, Self::Rare];

    const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests, about 60 a minute",
            Self::Errors => "errors, about 3 a minute",
            Self::Latency => "latency, about 80 ms",
            Self::Rare => "rare events, about 5 an hour",
        }
    }

    const fn values(self) -> SeriesKind {
        match self {
            Self::Requests | Self::Errors | Self::Rare => SeriesKind::Count,
            Self::Latency => SeriesKind::Gauge,
        }
    }

    /// The value of a minute, with what is multiplied into what is expected of it.
    fn value(self, chance: &mut Chance, minute: i64, factor: f64) -> f64 {
        let hour = minute.rem_euclid(DAY) as f64 / 60.0;
        let day = 1.0 + 0.8 * libm::sin((hour - 9.0) / 24.0 * std::f64::consts::TAU);
        let weekend = if minute.rem_euclid(WEEK) >= 5 * DAY { 0.6 } else { 1.0 };
        // What people do together scatters more than chance: a tenth of the mean besides it.
        let together = libm::exp(0.1 * chance.normal());
        match self {
            Self::Requests => chance.count(60.0 * day * weekend * together * factor),
            Self::Errors => chance.count(3.0 * day * weekend * together * factor),
            Self::Rare => chance.count(5.0 / 60.0 * day * weekend * together * factor),
            Self::Latency => (80.0 + 10.0 * day) * libm::exp(0.15 * chance.normal()) * factor,
        }
    }
}

/// Minutes from the beginning of the trouble to the anomaly that opens during it.
fn delay(trouble: Trouble, seed: u64) -> Option<i64> {
    let (from, length) = trouble.period();
    let opened = opened(trouble.kind(), Some(trouble), seed);
    let minutes = opened.into_iter().map(|(minute, _)| minute);
    minutes.filter(|minute| (from..from + length).contains(minute)).map(|minute| minute - from).min()
}

/// Minutes in which an anomaly opened, from the third week on, with the rule that opened it.
fn opened(kind: Kind, trouble: Option<Trouble>, seed: u64) -> Vec<(i64, AnomalyRule)> {
    let (thresholds, mut monitor) = (Thresholds::none(), Monitor::new(MonitorPolicy::default()));
    let metric = MetricName::new("simulated").expect("it is a name");
    let mut chance = Chance(ChaCha8Rng::seed_from_u64(seed));
    let mut figure = Figure { metric, kind: kind.values(), value: 0.0 };
    let mut opened = Vec::new();
    for minute in 0..5 * WEEK {
        let factor = trouble.map_or(1.0, |trouble| {
            let (from, length) = trouble.period();
            if (from..from + length).contains(&minute) { trouble.factor(minute - from) } else { 1.0 }
        });
        figure.value = kind.value(&mut chance, minute, factor);
        let watched =
            monitor.observe(&thresholds, &figure, at(minute)).expect("the values are ordinary numbers");
        let rules = watched.changes.into_iter().filter_map(|change| match change {
            AnomalyChange::Opened(opening) => Some(opening.rule),
            AnomalyChange::Closed { .. } => None,
        });
        if minute >= 2 * WEEK {
            opened.extend(rules.map(|rule| (minute, rule)));
        }
    }
    opened
}

struct Chance(ChaCha8Rng);

impl Chance {
    fn unit(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        libm::sqrt(-2.0 * libm::log(self.unit())) * libm::cos(std::f64::consts::TAU * self.unit())
    }

    /// Poisson: drawn for small means, by the normal for large ones.
    fn count(&mut self, mean: f64) -> f64 {
        if mean > 50.0 {
            return libm::round(mean + libm::sqrt(mean) * self.normal()).max(0.0);
        }
        let (limit, mut product, mut count) = (libm::exp(-mean), self.unit(), 0.0);
        while product > limit {
            product *= self.unit();
            count += 1.0;
        }
        count
    }
}

fn at(minute: i64) -> DateTime<Utc> {
    // 5 January 2026 is a Monday.
    DateTime::from_timestamp(1_767_571_200, 0).unwrap_or_default() + TimeDelta::minutes(minute)
}

const DAY: i64 = 1_440;
const WEEK: i64 = 7 * DAY;
/// The Monday that ends the fourth week.
const MONDAY: i64 = 4 * WEEK;
