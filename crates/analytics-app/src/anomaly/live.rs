//! From live requests to the minutes that anomalies are looked for in.

use std::collections::VecDeque;

use analytics_domain::usage::RequestCost;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use super::minute::CountedMinute;
use super::{Actor, MinuteFigures, MinuteReader, MinuteTally, Moment};

/// Counts live requests by the minute, beside any number of callers.
///
/// The request path calls [`request`](Self::request) and [`cost`](Self::cost): a lock that is held for some twenty
/// additions, no memory, no store. Whoever watches, off that path, takes the minutes that are over with
/// [`take`](Self::take); `AnomalyDetectionService::run` does it every second.
///
/// ```
/// use analytics_app::anomaly::{LiveFeed, Moment};
/// use analytics_domain::detector::Class;
/// use chrono::{DateTime, TimeDelta};
///
/// let (feed, now) = (LiveFeed::default(), DateTime::UNIX_EPOCH);
/// let moment = Moment {
///     class: Class::Human,
///     charged: true,
///     opened: true,
///     new_fingerprint: true,
///     status: Some(200),
///     duration_us: Some(120_000),
///     bans: 0,
/// };
/// feed.request(&moment, now);
/// assert_eq!(feed.take(now), []);
/// let minutes = feed.take(now + TimeDelta::minutes(1));
/// assert_eq!((minutes.len(), minutes[0].at), (1, now));
/// ```
#[derive(Debug, Default)]
pub struct LiveFeed {
    counted: Mutex<Counted>,
    reader: Mutex<MinuteReader>,
}

#[derive(Debug, Default)]
struct Counted {
    tally: MinuteTally,
    over: VecDeque<CountedMinute>,
    lost: u64,
}

impl LiveFeed {
    /// Counts a request that was answered at `now`.
    pub fn request(&self, moment: &Moment, now: DateTime<Utc>) {
        let mut counted = self.counted.lock();
        let over = counted.tally.request(moment, now);
        counted.keep(over);
    }

    /// Counts a ban of this actor that began.
    pub fn ban(&self, actor: Actor, now: DateTime<Utc>) {
        let mut counted = self.counted.lock();
        let over = counted.tally.ban(actor, now);
        counted.keep(over);
    }

    /// Counts what a request to an AI provider cost, on behalf of this actor.
    pub fn cost(&self, actor: Actor, cost: RequestCost, now: DateTime<Utc>) {
        let mut counted = self.counted.lock();
        let over = counted.tally.cost(actor, cost, now);
        counted.keep(over);
    }

    /// The figures of all minutes that are over at `now` and were not taken yet, in their order.
    pub fn take(&self, now: DateTime<Utc>) -> Vec<MinuteFigures> {
        // Held throughout, so that of two callers the one with the earlier minutes reads first.
        let mut reader = self.reader.lock();
        let over = {
            let mut counted = self.counted.lock();
            let over = counted.tally.close_before(now);
            counted.keep(over);
            std::mem::take(&mut counted.over)
        };
        over.iter().flat_map(|minute| reader.figures(minute).collect::<Vec<_>>()).collect()
    }

    /// Minutes that were forgotten since nobody took them for a day.
    pub fn lost(&self) -> u64 {
        self.counted.lock().lost
    }
}

impl Counted {
    fn keep(&mut self, over: Option<CountedMinute>) {
        let Some(over) = over else { return };
        if self.over.len() >= MOST_MINUTES {
            self.over.pop_front();
            self.lost += 1;
        }
        self.over.push_back(over);
    }
}

/// Minutes that wait to be taken at most: a day, some 300 KB.
const MOST_MINUTES: usize = 1_440;

#[cfg(test)]
mod tests {
    use analytics_domain::detector::Class;
    use analytics_domain::session::NanoDollars;
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn requests_of_many_threads_are_counted_each_once_for_people_bots_and_ai_agents_apart() {
        let feed = LiveFeed::default();
        let classes = [Class::Human, Class::Bot, Class::AiAgent];
        std::thread::scope(|scope| {
            for class in classes {
                let feed = &feed;
                scope.spawn(move || {
                    for _ in 0..1_000 {
                        feed.request(&moment(class), minute(0));
                    }
                });
            }
        });
        let minutes = feed.take(minute(1));
        assert_eq!(minutes.len(), 1);
        let of = |metric: &str| value(&minutes[0], metric);
        for actor in ["people", "bots", "ai_agents"] {
            for (metric, expected) in [
                ("requests", 1_000.0),
                ("sessions", 1_000.0),
                ("errors", 1_000.0),
                ("new_fingerprints", 1_000.0),
                ("bans", 2_000.0),
                ("error_rate", 1.0),
                ("response_time", 0.25),
            ] {
                assert_eq!(of(&format!("{metric}.{actor}")), Some(expected), "{metric}.{actor}");
            }
        }
    }

    #[test]
    fn bans_that_begin_apart_from_requests_are_counted() {
        let feed = LiveFeed::default();
        feed.ban(Actor::Bots, minute(0));
        feed.ban(Actor::Bots, minute(1));
        let bans: Vec<_> = feed.take(minute(2)).iter().map(|minute| value(minute, "bans.bots")).collect();
        assert_eq!(bans, [Some(1.0), Some(1.0)]);
    }

    #[test]
    fn what_ai_requests_cost_is_a_figure_of_whom_they_were_for() {
        let feed = LiveFeed::default();
        for nano_dollars in [20_000_000, 5_000_000] {
            feed.cost(Actor::People, RequestCost::new(NanoDollars::new(nano_dollars)).unwrap(), minute(0));
        }
        let minutes = feed.take(minute(1));
        let costs = ["ai_cost.people", "ai_cost.bots"].map(|metric| value(&minutes[0], metric));
        assert_eq!(costs, [Some(0.025), None]);
    }

    #[test]
    fn a_minute_is_taken_once_and_not_before_it_is_over() {
        let feed = LiveFeed::default();
        feed.request(&moment(Class::Human), minute(0));
        assert_eq!(feed.take(minute(1) - TimeDelta::microseconds(1)), []);
        feed.request(&moment(Class::Human), minute(2));
        let taken = feed.take(minute(3));
        let requests: Vec<_> =
            taken.iter().map(|minute| (minute.at, value(minute, "requests.people"))).collect();
        let expected = [(minute(0), Some(1.0)), (minute(1), Some(0.0)), (minute(2), Some(1.0))];
        assert_eq!(requests, expected);
        assert_eq!(feed.take(minute(3)), []);
    }

    #[test]
    fn minutes_that_nobody_takes_for_a_day_are_forgotten_and_counted() {
        let feed = LiveFeed::default();
        for number in 0..=1_450 {
            feed.request(&moment(Class::Human), minute(number));
        }
        assert_eq!(feed.lost(), 10);
        let taken = feed.take(minute(1_450));
        assert_eq!((taken.len(), taken[0].at), (1_440, minute(10)));
    }

    fn moment(class: Class) -> Moment {
        Moment {
            class,
            charged: true,
            opened: true,
            new_fingerprint: true,
            status: Some(500),
            duration_us: Some(250_000),
            bans: 2,
        }
    }

    fn value(minute: &MinuteFigures, metric: &str) -> Option<f64> {
        minute.figures.iter().find(|figure| figure.metric.as_str() == metric).map(|figure| figure.value)
    }

    fn minute(number: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_000_020, 0).unwrap() + TimeDelta::minutes(number)
    }
}
