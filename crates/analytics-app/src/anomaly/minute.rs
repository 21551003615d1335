//! What happened in each minute.

use analytics_domain::anomaly::{MetricName, SeriesKind};
use analytics_domain::detector::Class;
use chrono::{DateTime, Utc};
use hashbrown::HashSet;

use super::Figure;

/// Counts what happens until the minute is over.
///
/// A minute without traffic gives figures of 0, so that silence is seen; after more than a day of it the series pause,
/// since nobody reads a log that is not written.
#[derive(Debug, Clone, Default)]
pub struct MinuteTally {
    open: Option<i64>,
    counts: [Counts; 3],
    known: Known,
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
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// What its session is taken for so far.
    pub class: Class,
    /// Who sent it, as a number that is the same for the same client.
    pub client: u64,
    /// Whether it is a page view or an API call.
    pub charged: bool,
    /// Whether a session began with it.
    pub opened: bool,
    /// The status of the answer, where it is known.
    pub status: Option<u16>,
    /// How long the answer took in seconds, where it is known.
    pub seconds: Option<f64>,
    /// Bans that began with it.
    pub bans: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    requests: u32,
    charged: u32,
    sessions: u32,
    errors: u32,
    charged_errors: u32,
    clients: u32,
    bans: u32,
    answers: u32,
    seconds: f64,
    nano_dollars: i64,
    /// Which of the rarer figures ever had a value; only those are series.
    seen: Seen,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    bans: bool,
    cost: bool,
}

/// Clients seen, at most twice [`CLIENTS`](Self::CLIENTS): when one generation is full, the one before is forgotten.
#[derive(Debug, Clone, Default)]
struct Known {
    now: HashSet<u64>,
    before: HashSet<u64>,
}

impl MinuteTally {
    /// Counts a request at `at`, and gives the figures of the minutes that are over by then. A request of an earlier
    /// minute counts in the open one.
    pub fn request(&mut self, moment: &Moment, at: DateTime<Utc>) -> Vec<MinuteFigures> {
        let over = self.close_before(at);
        let new = self.known.is_new(moment.client);
        let counts = &mut self.counts[Actor::of(moment.class) as usize];
        let error = moment.status.is_some_and(|status| status >= 400);
        counts.requests += 1;
        counts.charged += u32::from(moment.charged);
        counts.sessions += u32::from(moment.opened);
        counts.errors += u32::from(error);
        counts.charged_errors += u32::from(error && moment.charged);
        counts.clients += u32::from(new);
        counts.bans += moment.bans;
        counts.seen.bans |= moment.bans > 0;
        if let Some(seconds) = moment.seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0) {
            counts.answers += 1;
            counts.seconds += seconds;
        }
        over
    }

    /// Counts the cost of AI requests at `at`, in billionths of a dollar, and gives the figures of the minutes that are
    /// over by then.
    pub fn cost(&mut self, actor: Actor, nano_dollars: i64, at: DateTime<Utc>) -> Vec<MinuteFigures> {
        let over = self.close_before(at);
        let counts = &mut self.counts[actor as usize];
        counts.nano_dollars = counts.nano_dollars.saturating_add(nano_dollars);
        counts.seen.cost = true;
        over
    }

    /// The figures of the minutes that are over at `at`: the open one, and every one after it without traffic.
    pub fn close_before(&mut self, at: DateTime<Utc>) -> Vec<MinuteFigures> {
        let minute = at.timestamp().div_euclid(60);
        let Some(open) = self.open else {
            self.open = Some(minute);
            return Vec::new();
        };
        if minute <= open {
            return Vec::new();
        }
        self.open = Some(minute);
        let mut over = vec![self.figures(open)];
        let quiet = minute - open - 1;
        if quiet <= LONGEST_SILENCE {
            over.extend((open + 1..minute).map(|minute| self.figures(minute)));
        }
        over
    }

    fn figures(&mut self, minute: i64) -> MinuteFigures {
        let at = DateTime::from_timestamp(minute.saturating_mul(60), 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let mut figures = Vec::with_capacity(16);
        for actor in Actor::ALL {
            let counts = &mut self.counts[actor as usize];
            let mut add = |metric: &str, kind, value| {
                figures.push(Figure { metric: actor.metric(metric), kind, value });
            };
            add("requests", SeriesKind::Count, f64::from(counts.requests));
            add("sessions", SeriesKind::Count, f64::from(counts.sessions));
            add("errors", SeriesKind::Count, f64::from(counts.errors));
            add("new_fingerprints", SeriesKind::Count, f64::from(counts.clients));
            if counts.seen.bans {
                add("bans", SeriesKind::Count, f64::from(counts.bans));
            }
            if counts.seen.cost {
                add("ai_cost", SeriesKind::Gauge, counts.nano_dollars as f64 / 1e9);
            }
            if counts.charged >= LEAST_FOR_A_SHARE {
                let share = f64::from(counts.charged_errors) / f64::from(counts.charged);
                add("error_rate", SeriesKind::Gauge, share);
            }
            if counts.answers > 0 {
                add("response_time", SeriesKind::Gauge, counts.seconds / f64::from(counts.answers));
            }
            *counts = Counts { seen: counts.seen, ..Counts::default() };
        }
        MinuteFigures { at, figures }
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

impl Known {
    const CLIENTS: usize = 131_072;

    fn is_new(&mut self, client: u64) -> bool {
        if self.now.contains(&client) {
            return false;
        }
        if self.now.len() >= Self::CLIENTS {
            self.before = std::mem::take(&mut self.now);
        }
        self.now.insert(client);
        !self.before.contains(&client)
    }
}

/// Minutes without traffic that count as such: a day.
const LONGEST_SILENCE: i64 = 1_440;
/// A share of fewer requests than this says nothing.
const LEAST_FOR_A_SHARE: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_000_020 + second, 0).unwrap()
    }

    fn moment(class: Class, client: u64) -> Moment {
        Moment { class, client, charged: true, opened: false, status: Some(200), seconds: None, bans: 0 }
    }

    fn value(minute: &MinuteFigures, metric: &str) -> Option<f64> {
        minute.figures.iter().find(|figure| figure.metric.as_str() == metric).map(|figure| figure.value)
    }

    #[test]
    fn a_minute_is_told_when_it_is_over_with_people_bots_and_ai_agents_apart() {
        let mut tally = MinuteTally::default();
        let error = Moment { status: Some(503), seconds: Some(2.0), ..moment(Class::Human, 1) };
        assert_eq!(tally.request(&error, at(0)), []);
        tally.request(&Moment { seconds: Some(1.0), ..moment(Class::Suspected, 1) }, at(59));
        tally.request(&Moment { opened: true, ..moment(Class::DeclaredBot, 2) }, at(59));
        tally.request(&Moment { bans: 1, ..moment(Class::AiAgent, 3) }, at(59));
        let over = tally.request(&moment(Class::Human, 1), at(60));
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
    fn silence_of_a_day_is_minutes_of_nothing_and_a_longer_one_a_pause() {
        let mut tally = MinuteTally::default();
        tally.request(&moment(Class::Human, 1), at(0));
        let over = tally.close_before(at(60 * 1_441));
        assert_eq!(over.len(), 1_441);
        assert_eq!(
            over[1..]
                .iter()
                .map(|minute| value(minute, "requests.people"))
                .max_by(|a, b| a.partial_cmp(b).unwrap()),
            Some(Some(0.0))
        );
        assert_eq!(tally.close_before(at(60 * (1_441 + 1_442))).len(), 1);
    }

    #[test]
    fn a_share_of_errors_needs_20_requests() {
        let mut tally = MinuteTally::default();
        for number in 0..19 {
            tally.request(&Moment { status: Some(404), ..moment(Class::Bot, number) }, at(0));
        }
        assert_eq!(value(&tally.close_before(at(60))[0], "error_rate.bots"), None);
        for number in 0..20 {
            let status = Some(if number < 5 { 500 } else { 200 });
            tally.request(&Moment { status, ..moment(Class::Bot, number) }, at(60));
        }
        let over = tally.close_before(at(120));
        assert_eq!(value(&over[0], "error_rate.bots"), Some(0.25));
        assert_eq!(value(&over[0], "new_fingerprints.bots"), Some(1.0));
    }

    #[test]
    fn costs_are_in_dollars_and_a_series_from_the_first_on() {
        let mut tally = MinuteTally::default();
        tally.cost(Actor::AiAgents, 1_500_000_000, at(0));
        let over = tally.close_before(at(120));
        let costs: Vec<_> = over.iter().map(|minute| value(minute, "ai_cost.ai_agents")).collect();
        assert_eq!(costs, [Some(1.5), Some(0.0)]);
    }
}
