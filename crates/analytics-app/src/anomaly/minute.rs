//! What happened in each minute.

use analytics_domain::anomaly::{MetricName, SeriesKind};
use analytics_domain::detector::Class;
use analytics_domain::usage::RequestCost;
use chrono::{DateTime, Utc};

use super::Figure;

/// Counts what happens until the minute is over, at the cost of a few additions for each request.
#[derive(Debug, Clone, Default)]
pub struct MinuteTally {
    /// The open minute: its number since the epoch, and when the next one begins.
    open: Option<(i64, DateTime<Utc>)>,
    counts: [Counts; 3],
}

/// A minute that is over, as it was counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CountedMinute {
    minute: i64,
    counts: [Counts; 3],
    /// Minutes after it in which nothing happened.
    quiet: i64,
}

/// Makes figures of counted minutes, which come in their order.
///
/// A minute without traffic gives figures of 0, so that silence is seen; after more than a day of it the series pause,
/// since nobody reads a log that is not written.
#[derive(Debug, Clone, Default)]
pub struct MinuteReader {
    /// Which of the rarer figures ever had a value; only those are series.
    seen: [Seen; 3],
}

/// The figures of one minute that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct MinuteFigures {
    /// When the minute began.
    pub at: DateTime<Utc>,
    /// Its figures, people's first.
    pub figures: Vec<Figure>,
}

/// Who is counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// People, suspected ones included.
    People,
    /// Automation, declared or not.
    Bots,
    /// Automation that serves an AI product.
    AiAgents,
}

/// What is known of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// What its session is taken for so far.
    pub class: Class,
    /// Whether it is a page view or an API call.
    pub charged: bool,
    /// Whether a session began with it.
    pub opened: bool,
    /// Whether its fingerprint was not known before.
    pub new_fingerprint: bool,
    /// The status of the answer, where it is known.
    pub status: Option<u16>,
    /// How long the answer took in microseconds, where it is known.
    pub duration_us: Option<u64>,
    /// Bans that began with it.
    pub bans: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Counts {
    requests: u32,
    charged: u32,
    sessions: u32,
    errors: u32,
    charged_errors: u32,
    fingerprints: u32,
    bans: u32,
    answers: u32,
    duration_us: u64,
    costs: u32,
    nano_dollars: i64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    bans: bool,
    costs: bool,
}

impl MinuteTally {
    /// Counts a request at `now`, and gives the minute that is over by then. A request of an earlier minute counts in
    /// the open one.
    pub fn request(&mut self, moment: &Moment, now: DateTime<Utc>) -> Option<CountedMinute> {
        let over = self.close_before(now);
        let counts = &mut self.counts[Actor::of(moment.class) as usize];
        let error = moment.status.is_some_and(|status| status >= 400);
        counts.requests += 1;
        counts.charged += u32::from(moment.charged);
        counts.sessions += u32::from(moment.opened);
        counts.errors += u32::from(error);
        counts.charged_errors += u32::from(error && moment.charged);
        counts.fingerprints += u32::from(moment.new_fingerprint);
        counts.bans += moment.bans;
        if let Some(duration_us) = moment.duration_us {
            counts.answers += 1;
            counts.duration_us = counts.duration_us.saturating_add(duration_us);
        }
        over
    }

    /// Counts a ban that began, and gives the minute that is over by `now`.
    pub fn ban(&mut self, actor: Actor, now: DateTime<Utc>) -> Option<CountedMinute> {
        let over = self.close_before(now);
        self.counts[actor as usize].bans += 1;
        over
    }

    /// Counts what a request to an AI provider cost, and gives the minute that is over by `now`.
    pub fn cost(&mut self, actor: Actor, cost: RequestCost, now: DateTime<Utc>) -> Option<CountedMinute> {
        let over = self.close_before(now);
        let counts = &mut self.counts[actor as usize];
        counts.costs += 1;
        counts.nano_dollars = counts.nano_dollars.saturating_add(cost.get().get());
        over
    }

    /// The open minute where it is over at `now`, with the minutes after it in which nothing happened.
    pub fn close_before(&mut self, now: DateTime<Utc>) -> Option<CountedMinute> {
        if let Some((_, end)) = self.open
            && now < end
        {
            return None;
        }
        let minute = now.timestamp().div_euclid(60);
        let before = self.open.replace((minute, minute_start(minute + 1)));
        let (open, _) = before?;
        Some(CountedMinute {
            minute: open,
            counts: std::mem::take(&mut self.counts),
            quiet: (minute - open - 1).max(0),
        })
    }
}

impl MinuteReader {
    /// The figures of a counted minute, and of each minute of silence after it.
    pub fn figures(&mut self, counted: &CountedMinute) -> impl Iterator<Item = MinuteFigures> {
        let quiet = if counted.quiet <= LONGEST_SILENCE { counted.quiet } else { 0 };
        (0..=quiet).map(move |nth| {
            let counts = if nth == 0 { counted.counts } else { Default::default() };
            MinuteFigures { at: minute_start(counted.minute + nth), figures: self.read(&counts) }
        })
    }

    fn read(&mut self, counts: &[Counts; 3]) -> Vec<Figure> {
        let mut figures = Vec::with_capacity(24);
        for actor in Actor::ALL {
            let (counts, seen) = (&counts[actor as usize], &mut self.seen[actor as usize]);
            seen.bans |= counts.bans > 0;
            seen.costs |= counts.costs > 0;
            let mut add = |metric: &str, kind, value| {
                figures.push(Figure { metric: actor.metric(metric), kind, value });
            };
            add("requests", SeriesKind::Count, f64::from(counts.requests));
            add("sessions", SeriesKind::Count, f64::from(counts.sessions));
            add("errors", SeriesKind::Count, f64::from(counts.errors));
            add("new_fingerprints", SeriesKind::Count, f64::from(counts.fingerprints));
            if seen.bans {
                add("bans", SeriesKind::Count, f64::from(counts.bans));
            }
            if seen.costs {
                add("ai_cost", SeriesKind::Gauge, counts.nano_dollars as f64 / 1e9);
            }
            if counts.charged >= LEAST_FOR_A_SHARE {
                let share = f64::from(counts.charged_errors) / f64::from(counts.charged);
                add("error_rate", SeriesKind::Gauge, share);
            }
            if counts.answers > 0 {
                let mean_us = counts.duration_us as f64 / f64::from(counts.answers);
                add("response_time", SeriesKind::Gauge, mean_us / 1e6);
            }
        }
        figures
    }
}

impl Actor {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 3] = [Self::People, Self::Bots, Self::AiAgents];

    /// Whose figures the requests of this class are.
    pub const fn of(class: Class) -> Self {
        match class {
            Class::Human | Class::Suspected => Self::People,
            Class::Bot | Class::DeclaredBot => Self::Bots,
            Class::AiAgent => Self::AiAgents,
        }
    }

    /// The name, as it ends the names of metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::People => "people",
            Self::Bots => "bots",
            Self::AiAgents => "ai_agents",
        }
    }

    /// The metric of this base name for this actor, such as `requests.people`.
    fn metric(self, base: &str) -> MetricName {
        MetricName::new(format!("{base}.{}", self.as_str())).expect("base names are short and plain")
    }
}

fn minute_start(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(minute.saturating_mul(60), 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Minutes without traffic that count as such: a day.
const LONGEST_SILENCE: i64 = 1_440;
/// A share of fewer requests than this says nothing.
const LEAST_FOR_A_SHARE: u32 = 20;

#[cfg(test)]
mod tests {
    use analytics_domain::session::NanoDollars;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_000_020 + second, 0).unwrap()
    }

    fn moment(class: Class) -> Moment {
        Moment {
            class,
            charged: true,
            opened: false,
            new_fingerprint: false,
            status: Some(200),
            duration_us: None,
            bans: 0,
        }
    }

    fn value(minute: &MinuteFigures, metric: &str) -> Option<f64> {
        minute.figures.iter().find(|figure| figure.metric.as_str() == metric).map(|figure| figure.value)
    }

    fn figures(counted: &CountedMinute) -> Vec<MinuteFigures> {
        MinuteReader::default().figures(counted).collect()
    }

    #[test]
    fn a_minute_is_told_when_it_is_over_with_people_bots_and_ai_agents_apart() {
        let mut tally = MinuteTally::default();
        let error = Moment {
            status: Some(503),
            duration_us: Some(2_000_000),
            new_fingerprint: true,
            ..moment(Class::Human)
        };
        assert_eq!(tally.request(&error, at(0)), None);
        let quick = Moment { duration_us: Some(1_000_000), ..moment(Class::Suspected) };
        assert_eq!(tally.request(&quick, at(59)), None);
        tally.request(&Moment { opened: true, ..moment(Class::DeclaredBot) }, at(59));
        tally.request(&Moment { bans: 1, ..moment(Class::AiAgent) }, at(59));
        let over = figures(&tally.request(&moment(Class::Human), at(60)).unwrap());
        assert_eq!((over.len(), over[0].at), (1, at(0)));
        let told = [
            "requests.people",
            "errors.people",
            "new_fingerprints.people",
            "response_time.people",
            "sessions.bots",
            "bans.ai_agents",
        ];
        assert_eq!(told.map(|metric| value(&over[0], metric)), [2.0, 1.0, 1.0, 1.5, 1.0, 1.0].map(Some));
        assert_eq!(
            ["bans.people", "error_rate.people", "ai_cost.people"].map(|name| value(&over[0], name)),
            [None; 3]
        );
    }

    #[test]
    fn a_request_of_an_earlier_minute_counts_in_the_open_one() {
        let mut tally = MinuteTally::default();
        assert_eq!(tally.request(&moment(Class::Human), at(60)), None);
        assert_eq!(tally.request(&moment(Class::Human), at(-600)), None);
        let over = figures(&tally.close_before(at(120)).unwrap());
        assert_eq!((over.len(), over[0].at, value(&over[0], "requests.people")), (1, at(60), Some(2.0)));
        assert_eq!(tally.close_before(at(179)), None);
    }

    #[test]
    fn silence_of_a_day_is_minutes_of_nothing_and_a_longer_one_a_pause() {
        let mut tally = MinuteTally::default();
        tally.request(&moment(Class::Human), at(0));
        let over = figures(&tally.close_before(at(60 * 1_441)).unwrap());
        assert_eq!(over.len(), 1_441);
        assert_eq!(
            over[1..]
                .iter()
                .map(|minute| value(minute, "requests.people"))
                .max_by(|a, b| a.partial_cmp(b).unwrap()),
            Some(Some(0.0))
        );
        assert_eq!(figures(&tally.close_before(at(60 * (1_441 + 1_442))).unwrap()).len(), 1);
    }

    #[test]
    fn a_share_of_errors_needs_20_requests() {
        let mut tally = MinuteTally::default();
        for _ in 0..19 {
            tally.request(&Moment { status: Some(404), ..moment(Class::Bot) }, at(0));
        }
        let over = figures(&tally.close_before(at(60)).unwrap());
        assert_eq!(value(&over[0], "error_rate.bots"), None);
        for number in 0..20 {
            let status = Some(if number < 5 { 500 } else { 200 });
            tally.request(&Moment { status, ..moment(Class::Bot) }, at(60));
        }
        let over = figures(&tally.close_before(at(120)).unwrap());
        assert_eq!(value(&over[0], "error_rate.bots"), Some(0.25));
    }

    #[test]
    fn costs_are_in_dollars_and_a_series_from_the_first_on() {
        let mut tally = MinuteTally::default();
        let cost = RequestCost::new(NanoDollars::new(1_500_000_000)).unwrap();
        tally.cost(Actor::AiAgents, cost, at(0));
        let over = figures(&tally.close_before(at(120)).unwrap());
        let costs: Vec<_> = over.iter().map(|minute| value(minute, "ai_cost.ai_agents")).collect();
        assert_eq!(costs, [Some(1.5), Some(0.0)]);
    }
}
