//! A period cut into the days of a time zone.

use alloc::vec::Vec;

use chrono::{DateTime, Days as OneDay, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use serde::Serialize;

use super::Period;

/// A period cut into the days of a time zone, as instants: stores never need to know the zone.
///
/// The first and the last day may be parts of days, and say so. Where clocks change, a day has 23 or 25 hours; a day that
/// a zone left out is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Days {
    /// Strictly ascending, one more than there are days.
    edges: Vec<DateTime<Utc>>,
    days: Vec<Day>,
}

/// One day of a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Day {
    /// The date in the zone.
    pub date: NaiveDate,
    /// Whether the period holds all of it.
    pub whole: bool,
}

/// A period has more than 1,100 days, which is three years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a report by day takes at most 1,100 days")]
pub struct TooManyDays;

impl Days {
    /// The days of a period in a zone. A day begins at its first instant, also where clocks skip midnight.
    ///
    /// # Errors
    /// [`TooManyDays`] for more than 1,100, and at the ends of the calendar.
    pub fn of<Z: TimeZone>(period: Period, zone: &Z) -> Result<Self, TooManyDays> {
        let mut date = period.from().with_timezone(zone).date_naive();
        let mut edges = Vec::from([period.from()]);
        let mut days = Vec::from([Day { date, whole: start_of(date, zone) == Some(period.from()) }]);
        loop {
            date = date.checked_add_days(OneDay::new(1)).ok_or(TooManyDays)?;
            let start = start_of(date, zone).ok_or(TooManyDays)?;
            let last = days.len() - 1;
            if start >= period.until() {
                days[last].whole &= start == period.until();
                edges.push(period.until());
                return Ok(Self { edges, days });
            }
            if start > edges[last] {
                edges.push(start);
                days.push(Day { date, whole: true });
            } else {
                // The zone left the day before out.
                days[last].date = date;
            }
            if days.len() > MOST_DAYS {
                return Err(TooManyDays);
            }
        }
    }

    /// The parts of days of this length, from a minute to a day; each begins where the zone's clock shows a multiple of
    /// it since midnight, and ends where the next one begins. A part says the date that it begins on.
    ///
    /// # Errors
    /// [`TooManyDays`] for more than 1,100 parts, at the ends of the calendar, and for another length.
    pub fn parts<Z: TimeZone>(period: Period, length: TimeDelta, zone: &Z) -> Result<Self, TooManyDays> {
        if length < TimeDelta::minutes(1) || length > TimeDelta::days(1) {
            return Err(TooManyDays);
        }
        let mut edges = Vec::new();
        let mut days: Vec<Day> = Vec::new();
        let mut begin = period.from();
        let mut whole = part_of(begin, length, zone).map(|(start, _)| start) == Some(begin);
        while begin < period.until() {
            if days.len() == MOST_DAYS {
                return Err(TooManyDays);
            }
            let (_, next) = part_of(begin, length, zone).ok_or(TooManyDays)?;
            edges.push(begin);
            whole &= next <= period.until();
            days.push(Day { date: begin.with_timezone(zone).date_naive(), whole });
            (begin, whole) = (next, true);
        }
        edges.push(period.until());
        Ok(Self { edges, days })
    }

    /// Each `count` days in a row as one, which says the date of its first day; 0 is taken for 1.
    #[must_use]
    pub fn joined(self, count: usize) -> Self {
        let count = count.max(1);
        let days = self.days.chunks(count).map(|days| Day {
            date: days[0].date,
            whole: days.len() == count && days.iter().all(|day| day.whole),
        });
        let begins = self.edges[..self.days.len()].iter().step_by(count).copied();
        let edges = begins.chain(self.edges.last().copied()).collect();
        Self { edges, days: days.collect() }
    }

    /// The days, oldest first; at least one.
    pub fn days(&self) -> &[Day] {
        &self.days
    }

    /// When each day begins, and at the end when the last one ends: strictly ascending, one more than there are days.
    pub fn edges(&self) -> &[DateTime<Utc>] {
        &self.edges
    }

    /// Which day this time is in, from 0; `None` outside the period.
    pub fn position(&self, at: DateTime<Utc>) -> Option<usize> {
        let begun = self.edges.partition_point(|edge| *edge <= at);
        begun.checked_sub(1).filter(|day| *day < self.days.len())
    }

    /// The period that was cut.
    ///
    /// # Panics
    /// Never: the edges ascend and are whole microseconds.
    pub fn period(&self) -> Period {
        Period::new(self.edges[0], self.edges[self.days.len()]).expect("edges ascend")
    }
}

/// The first instant of a date; `None` at the ends of the calendar.
fn start_of<Z: TimeZone>(date: NaiveDate, zone: &Z) -> Option<DateTime<Utc>> {
    let mut local = date.and_time(NaiveTime::MIN);
    // Where clocks skip midnight the day begins after the gap; no zone ever skipped more than a day.
    for _ in 0..=2 * 86_400 {
        if let Some(start) = zone.from_local_datetime(&local).earliest() {
            return Some(start.with_timezone(&Utc));
        }
        local = local.checked_add_signed(TimeDelta::seconds(1))?;
    }
    None
}

/// Where the part of a day that holds this time begins, and where the next one does.
fn part_of<Z: TimeZone>(
    at: DateTime<Utc>,
    length: TimeDelta,
    zone: &Z,
) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let local = at.with_timezone(zone).naive_local();
    let midnight = local.date().and_time(NaiveTime::MIN);
    let passed = local.signed_duration_since(midnight).num_microseconds()? / length.num_microseconds()?;
    let of = |count: i64| midnight.checked_add_signed(length.checked_mul(i32::try_from(count).ok()?)?);
    let instant = |local: chrono::NaiveDateTime| {
        zone.from_local_datetime(&local).earliest().map(|at| at.with_timezone(&Utc))
    };
    let tomorrow = start_of(local.date().checked_add_days(OneDay::new(1))?, zone)?;
    // Where clocks are set back, a clock shows the same twice; where they skip, a part has no beginning of its own.
    let next = of(passed + 1).and_then(instant).filter(|next| *next > at).unwrap_or(at + length);
    let start = of(passed).and_then(instant).unwrap_or(at);
    Some((start, next.min(tomorrow)))
}

const MOST_DAYS: usize = 1_100;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use chrono::{FixedOffset, LocalResult, NaiveDateTime};
    use proptest::prelude::*;

    #[test]
    fn days_are_those_of_the_zone_and_parts_of_days_say_so() {
        let zone = FixedOffset::east_opt(2 * 3_600).unwrap();
        let period = Period::new(utc("2026-03-01T21:00:00Z"), utc("2026-03-03T22:00:00Z")).unwrap();
        let days = Days::of(period, &zone).unwrap();
        let told: Vec<_> = days.days().iter().map(|day| (day.date.to_string(), day.whole)).collect();
        assert_eq!(
            told,
            [("2026-03-01".into(), false), ("2026-03-02".into(), true), ("2026-03-03".into(), true)]
        );
        let edges =
            ["2026-03-01T21:00:00Z", "2026-03-01T22:00:00Z", "2026-03-02T22:00:00Z", "2026-03-03T22:00:00Z"];
        assert_eq!(days.edges(), edges.map(utc));
        let position = |text| days.position(utc(text));
        assert_eq!(position("2026-03-01T20:59:59.999999Z"), None);
        assert_eq!(position("2026-03-01T21:59:59.999999Z"), Some(0));
        assert_eq!(position("2026-03-01T22:00:00Z"), Some(1));
        assert_eq!(position("2026-03-03T22:00:00Z"), None);
        assert_eq!(days.period(), period);
    }

    #[test]
    fn parts_of_days_begin_at_multiples_of_their_length_on_the_clock_of_the_zone() {
        let zone = FixedOffset::east_opt(5 * 3_600 + 1_800).unwrap();
        let period = Period::new(utc("2026-03-01T10:00:00Z"), utc("2026-03-02T01:00:00Z")).unwrap();
        let parts = Days::parts(period, TimeDelta::hours(6), &zone).unwrap();
        let edges = [
            "2026-03-01T10:00:00Z",
            "2026-03-01T12:30:00Z",
            "2026-03-01T18:30:00Z",
            "2026-03-02T00:30:00Z",
            "2026-03-02T01:00:00Z",
        ];
        assert_eq!(parts.edges(), edges.map(utc));
        let told: Vec<_> = parts.days().iter().map(|day| (day.date.to_string(), day.whole)).collect();
        let dates = ["2026-03-01", "2026-03-01", "2026-03-02", "2026-03-02"].map(ToString::to_string);
        assert_eq!(told, dates.into_iter().zip([false, true, true, false]).collect::<Vec<_>>());
        assert_eq!(Days::parts(period, TimeDelta::seconds(1), &zone), Err(TooManyDays));
        assert_eq!(Days::parts(period, TimeDelta::hours(25), &zone), Err(TooManyDays));
    }

    #[test]
    fn days_joined_are_whole_when_all_of_them_are_there() {
        let period = Period::new(utc("2026-03-01T12:00:00Z"), utc("2026-03-06T00:00:00Z")).unwrap();
        let days = Days::of(period, &Utc).unwrap().joined(2);
        let told: Vec<_> = days.days().iter().map(|day| (day.date.to_string(), day.whole)).collect();
        let dates = ["2026-03-01", "2026-03-03", "2026-03-05"].map(ToString::to_string);
        assert_eq!(told, dates.into_iter().zip([false, true, false]).collect::<Vec<_>>());
        let edges =
            ["2026-03-01T12:00:00Z", "2026-03-03T00:00:00Z", "2026-03-05T00:00:00Z", "2026-03-06T00:00:00Z"];
        assert_eq!(days.edges(), edges.map(utc));
        assert_eq!(days.period(), period);
    }

    #[test]
    fn a_day_begins_after_the_gap_where_clocks_skip_midnight() {
        let period = Period::new(utc("2026-03-09T00:00:00Z"), utc("2026-03-12T00:00:00Z")).unwrap();
        let days = Days::of(period, &SkipsMidnight).unwrap();
        let edges =
            ["2026-03-09T00:00:00Z", "2026-03-10T00:00:00Z", "2026-03-10T23:00:00Z", "2026-03-12T00:00:00Z"];
        assert_eq!(days.edges()[..3], edges.map(utc)[..3]);
    }

    #[test]
    fn more_than_1_100_days_are_refused() {
        let from = utc("2020-01-01T00:00:00Z");
        let of = |days| Days::of(Period::new(from, from + TimeDelta::days(days)).unwrap(), &Utc);
        assert_eq!(of(1_100).map(|days| days.days().len()), Ok(1_100));
        assert_eq!(of(1_101), Err(TooManyDays));
    }

    proptest! {
        #[test]
        fn every_time_of_a_period_is_in_the_one_day_of_its_date(
            from in 0i64..2_000_000_000, seconds in 1i64..40_000_000, offset in -43_200i32..43_200, part in 0.0..1.0f64,
        ) {
            let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
            let zone = FixedOffset::east_opt(offset).unwrap();
            let days = Days::of(Period::new(at(from), at(from + seconds)).unwrap(), &zone).unwrap();
            prop_assert!(days.edges().windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert_eq!(days.edges().len(), days.days().len() + 1);
            let time = at(from + (seconds as f64 * part) as i64);
            let day = days.days()[days.position(time).unwrap()];
            prop_assert_eq!(day.date, time.with_timezone(&zone).date_naive());
        }
    }

    /// A zone whose clocks go from midnight to one on 11 March 2026.
    #[derive(Debug, Clone, Copy)]
    struct SkipsMidnight;

    impl TimeZone for SkipsMidnight {
        type Offset = FixedOffset;

        fn from_offset(_: &FixedOffset) -> Self {
            Self
        }

        fn offset_from_local_date(&self, local: &NaiveDate) -> LocalResult<FixedOffset> {
            self.offset_from_local_datetime(&local.and_time(NaiveTime::MIN))
        }

        fn offset_from_local_datetime(&self, local: &NaiveDateTime) -> LocalResult<FixedOffset> {
            let (gap, end) = (naive("2026-03-11T00:00:00"), naive("2026-03-11T01:00:00"));
            if *local < gap {
                LocalResult::Single(offset(0))
            } else if *local < end {
                LocalResult::None
            } else {
                LocalResult::Single(offset(2))
            }
        }

        fn offset_from_utc_date(&self, utc: &NaiveDate) -> FixedOffset {
            self.offset_from_utc_datetime(&utc.and_time(NaiveTime::MIN))
        }

        fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> FixedOffset {
            if *utc < naive("2026-03-10T23:00:00") { offset(0) } else { offset(2) }
        }
    }

    fn offset(hours: i32) -> FixedOffset {
        FixedOffset::east_opt(hours * 3_600).unwrap()
    }

    fn naive(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }
}
