//! What to simulate: options as a caller writes them, and the checked plan made from them.

use chrono::{DateTime, Utc};

use super::kind::ActorKind;

/// Options of a simulation, unchecked; [`SimulationPlan::new`] checks them.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulationOptions {
    /// The only source of chance: the same seed and options give the same bytes. Default 1.
    pub seed: u64,
    /// Time of the first possible request. Default 2026-03-02T00:00:00Z, a Monday.
    pub start: DateTime<Utc>,
    /// Length of the log in hours, 1 to 744. Default 24.
    pub hours: u32,
    /// People, 0 to 1,000,000. Default 500.
    pub people: u32,
    /// Multiplies the number of automated actors and of people, above 0 and at most 1,000. Default 1. A kind that is
    /// on keeps at least one actor.
    pub scale: f64,
    /// Multiplies how many requests an automated actor makes, above 0 and at most 1,000. Default 1.
    pub intensity: f64,
    /// Pages of the simulated site, 150 to 2,000. Default 400.
    pub site_pages: u32,
    /// Exactly this many lines, 1 to 20,000,000; `None` for what the actors happen to make. Populations are added
    /// until there are enough, then the end of the log is cut off.
    pub requests: Option<u64>,
    /// Longest lateness of a line in milliseconds, 0 to 120,000. A server stamps a request when it comes and writes
    /// the line when it is answered, so slow answers stand late. Default 0: strictly ordered.
    pub lateness_jitter_ms: u32,
    /// Counts that replace the defaults, before `scale`; 0 switches a kind off.
    pub actors: Vec<(ActorKind, u32)>,
    /// Format of the lines. Default combined.
    pub log_format: LogFormat,
}

impl Default for SimulationOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            start: DateTime::from_timestamp(DEFAULT_START, 0).expect("a constant in chrono's range"),
            hours: 24,
            people: 500,
            scale: 1.0,
            intensity: 1.0,
            site_pages: 400,
            requests: None,
            lateness_jitter_ms: 0,
            actors: Vec::new(),
            log_format: LogFormat::Combined,
        }
    }
}

/// A checked simulation: every value is in its range, and every kind has its count.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulationPlan {
    options: SimulationOptions,
    counts: Vec<(ActorKind, u32)>,
}

impl SimulationPlan {
    /// The plan of these options.
    ///
    /// # Errors
    /// [`PlanError::OutOfRange`] names the option that is outside its range; [`PlanError::Nobody`] when every actor is
    /// switched off.
    pub fn new(options: SimulationOptions) -> Result<Self, PlanError> {
        let range = |option: &'static str, value: f64, low: f64, high: f64| {
            if value.is_finite() && value >= low && value <= high {
                Ok(())
            } else {
                Err(PlanError::OutOfRange { option, value, low, high })
            }
        };
        range("hours", f64::from(options.hours), 1.0, 744.0)?;
        range("people", f64::from(options.people), 0.0, 1e6)?;
        range("scale", options.scale, 1e-6, 1e3)?;
        range("intensity", options.intensity, 1e-6, 1e3)?;
        range("site-pages", f64::from(options.site_pages), 150.0, 2_000.0)?;
        range("requests", options.requests.map_or(1.0, |n| n as f64), 1.0, 2e7)?;
        range("lateness-jitter", f64::from(options.lateness_jitter_ms), 0.0, 120_000.0)?;
        // The years between which both the release table and every log format make sense.
        range("start", options.start.timestamp() as f64, 1_577_836_800.0, 4_102_444_800.0)?;
        for (kind, count) in &options.actors {
            range(kind.name(), f64::from(*count), 0.0, 1e6)?;
        }
        let counts = counts(&options);
        if counts.iter().all(|(_, count)| *count == 0) {
            return Err(PlanError::Nobody);
        }
        Ok(Self { options, counts })
    }

    /// The options the plan was made from.
    pub fn options(&self) -> &SimulationOptions {
        &self.options
    }

    /// How many actors of each kind one population has, in the order of [`ActorKind::all`].
    pub fn counts(&self) -> &[(ActorKind, u32)] {
        &self.counts
    }
}

/// Reads `human=500,scraper_steady=3,flood=off`: counts by kind, where `human` spreads people over their kinds, and
/// `bots=off` or `human=off` switches all of a sort off. Later entries win.
///
/// # Errors
/// [`PlanError::UnknownActor`] for a name that is no kind, [`PlanError::BadCount`] for a count that is no number.
pub fn parse_actors(text: &str) -> Result<Vec<(ActorKind, u32)>, PlanError> {
    let mut actors = Vec::new();
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let (name, count) = entry.split_once('=').unwrap_or((entry, "on"));
        let given = match count {
            "off" => Some(0),
            "on" => None,
            digits => {
                let bad = |_| PlanError::BadCount { entry: entry.to_owned() };
                Some(digits.parse::<u32>().map_err(bad)?)
            }
        };
        match name {
            "human" => {
                let default = SimulationOptions::default().people;
                actors.extend(people(given.unwrap_or(default)));
            }
            "bots" => {
                let bots = ActorKind::all().filter(|kind| kind.is_bot());
                actors.extend(bots.map(|kind| (kind, given.unwrap_or(kind.weight()))));
            }
            _ => {
                let unknown = || PlanError::UnknownActor { name: name.to_owned() };
                let kind = ActorKind::from_name(name).ok_or_else(unknown)?;
                let default = if kind.is_bot() { kind.weight() } else { 1 };
                actors.push((kind, given.unwrap_or(default)));
            }
        }
    }
    Ok(actors)
}

/// Shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// Apache's and nginx's `combined`.
    #[default]
    Combined,
    /// Common log format: no referrer, no user agent.
    Common,
    /// `combined` with `host:port` before it.
    VhostCombined,
    /// One JSON object a line with nginx's variable names as keys.
    NginxJson,
    /// Caddy's access log.
    CaddyJson,
}

/// Why a plan cannot be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// A value is outside the range in its documentation.
    #[error("{option} is {value}, but must lie between {low} and {high}")]
    OutOfRange {
        /// The option.
        option: &'static str,
        /// What was given (`start` in seconds since 1970).
        value: f64,
        /// Lowest value that is accepted.
        low: f64,
        /// Highest value that is accepted.
        high: f64,
    },
    /// No kind of this name.
    #[error("no actor is called {name:?}; `--list-actors` shows all of them")]
    UnknownActor {
        /// The name that was given.
        name: String,
    },
    /// A count is neither a whole number nor `on` or `off`.
    #[error("{entry:?} must read name=number, name=on or name=off")]
    BadCount {
        /// The entry that was given.
        entry: String,
    },
    /// Every actor is switched off.
    #[error("every actor is switched off")]
    Nobody,
}

fn counts(options: &SimulationOptions) -> Vec<(ActorKind, u32)> {
    let mut counts = people(options.people);
    counts.extend(ActorKind::all().filter(|kind| kind.is_bot()).map(|kind| (kind, kind.weight())));
    for (kind, count) in &options.actors {
        counts[*kind as usize].1 = *count;
    }
    for (_, count) in &mut counts {
        if *count > 0 {
            *count = ((f64::from(*count) * options.scale) as u32).max(1);
        }
    }
    counts
}

/// Spreads `total` people over their kinds: whole shares first, the rest to the kinds with the largest remainder.
fn people(total: u32) -> Vec<(ActorKind, u32)> {
    let share = |kind: ActorKind| u64::from(total) * u64::from(kind.weight());
    let mut counts: Vec<_> = ActorKind::all()
        .filter(|kind| !kind.is_bot())
        .map(|kind| (kind, (share(kind) / 1_000) as u32))
        .collect();
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by_key(|index| core::cmp::Reverse(share(counts[*index].0) % 1_000));
    let placed: u32 = counts.iter().map(|(_, count)| count).sum();
    for index in order.into_iter().take((total - placed) as usize) {
        counts[index].1 += 1;
    }
    counts
}

/// 2026-03-02T00:00:00Z.
const DEFAULT_START: i64 = 1_772_409_600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_options_make_a_plan_that_starts_on_the_documented_day() {
        let plan = SimulationPlan::new(SimulationOptions::default()).unwrap();
        assert_eq!(plan.options().start.to_rfc3339(), "2026-03-02T00:00:00+00:00");
        assert!(plan.counts().iter().all(|(_, count)| *count > 0));
    }

    #[test]
    fn people_add_up_whatever_their_number() {
        for total in [0, 1, 17, 40, 500, 999] {
            assert_eq!(people(total).iter().map(|(_, count)| count).sum::<u32>(), total);
        }
    }

    #[test]
    fn each_range_is_held_at_both_ends() {
        type Change = fn(&mut SimulationOptions);
        let accepted: [Change; 5] = [
            |o| o.hours = 744,
            |o| o.site_pages = 150,
            |o| o.site_pages = 2_000,
            |o| o.requests = Some(20_000_000),
            |o| o.lateness_jitter_ms = 120_000,
        ];
        let refused: [(Change, &str); 8] = [
            (|o| o.hours = 0, "hours"),
            (|o| o.hours = 745, "hours"),
            (|o| o.scale = f64::NAN, "scale"),
            (|o| o.intensity = 0.0, "intensity"),
            (|o| o.site_pages = 149, "site-pages"),
            (|o| o.requests = Some(0), "requests"),
            (|o| o.lateness_jitter_ms = 120_001, "lateness-jitter"),
            (|o| o.start = DateTime::UNIX_EPOCH, "start"),
        ];
        for change in accepted {
            let mut options = SimulationOptions::default();
            change(&mut options);
            assert!(SimulationPlan::new(options).is_ok());
        }
        for (change, name) in refused {
            let mut options = SimulationOptions::default();
            change(&mut options);
            let error = SimulationPlan::new(options).unwrap_err();
            assert!(matches!(error, PlanError::OutOfRange { option, .. } if option == name), "{error}");
        }
    }

    #[test]
    fn actors_are_read_and_later_entries_win() {
        let options = SimulationOptions {
            actors: parse_actors("bots=off, human=10, scraper_steady=3,flood").unwrap(),
            ..SimulationOptions::default()
        };
        let plan = SimulationPlan::new(options).unwrap();
        let bots: Vec<_> =
            plan.counts().iter().filter(|(kind, count)| kind.is_bot() && *count > 0).copied().collect();
        assert_eq!(bots, [(ActorKind::ScraperSteady, 3), (ActorKind::Flood, 1)]);
        let people: u32 =
            plan.counts().iter().filter(|(kind, _)| !kind.is_bot()).map(|(_, count)| count).sum();
        assert_eq!(people, 10);
    }

    #[test]
    fn actors_that_make_no_sense_are_refused() {
        assert_eq!(parse_actors("cat=3"), Err(PlanError::UnknownActor { name: "cat".to_owned() }));
        assert_eq!(parse_actors("flood=-1"), Err(PlanError::BadCount { entry: "flood=-1".to_owned() }));
        let options = SimulationOptions {
            actors: parse_actors("bots=off,human=off").unwrap(),
            ..SimulationOptions::default()
        };
        assert_eq!(SimulationPlan::new(options), Err(PlanError::Nobody));
    }
}
