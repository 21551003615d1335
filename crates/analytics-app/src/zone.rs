//! The zone of dates and days, as it is asked for.

use std::fmt;
use std::str::FromStr;

use analytics_domain::stats::{Days, Period, TooManyDays};
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// A zone: UTC, a fixed offset, or one of the IANA database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zone {
    /// UTC.
    Utc,
    /// Always so far from UTC.
    Offset(FixedOffset),
    /// A place, with its changes of clocks.
    Named(Tz),
}

impl Zone {
    /// The time that a text says: one with its own offset, or the first instant of a date in this zone. `None` for other
    /// texts; what is below a microsecond is cut off.
    pub(crate) fn moment(self, text: &str) -> Option<DateTime<Utc>> {
        if let Ok(date) = text.parse::<NaiveDate>() {
            return match self {
                Self::Utc => first_instant(date, &Utc),
                Self::Offset(zone) => first_instant(date, &zone),
                Self::Named(zone) => first_instant(date, &zone),
            };
        }
        let time = DateTime::parse_from_rfc3339(text).ok()?;
        Some(analytics_ports::clock::whole_micros(time.with_timezone(&Utc)))
    }
}

impl Zone {
    /// The time at which the clocks of the zone show this, such as `2026-03-01T12:30`; the first of two such times. `None`
    /// for other texts, and where clocks skip it.
    pub(crate) fn moment_shown(self, text: &str) -> Option<DateTime<Utc>> {
        let formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
        let shown = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())?;
        match self {
            Self::Utc => Some(shown.and_utc()),
            Self::Offset(zone) => {
                zone.from_local_datetime(&shown).earliest().map(|at| at.with_timezone(&Utc))
            }
            Self::Named(zone) => zone.from_local_datetime(&shown).earliest().map(|at| at.with_timezone(&Utc)),
        }
    }

    /// What the clocks of the zone show at this time.
    pub(crate) fn local(self, at: DateTime<Utc>) -> NaiveDateTime {
        match self {
            Self::Utc => at.naive_utc(),
            Self::Offset(zone) => at.with_timezone(&zone).naive_local(),
            Self::Named(zone) => at.with_timezone(&zone).naive_local(),
        }
    }

    /// The days of a period in this zone.
    pub(crate) fn days(self, period: Period) -> Result<Days, TooManyDays> {
        match self {
            Self::Utc => Days::of(period, &Utc),
            Self::Offset(zone) => Days::of(period, &zone),
            Self::Named(zone) => Days::of(period, &zone),
        }
    }

    /// The parts of days of this length in this zone.
    pub(crate) fn parts(self, period: Period, length: TimeDelta) -> Result<Days, TooManyDays> {
        match self {
            Self::Utc => Days::parts(period, length, &Utc),
            Self::Offset(zone) => Days::parts(period, length, &zone),
            Self::Named(zone) => Days::parts(period, length, &zone),
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utc => f.write_str("UTC"),
            Self::Offset(zone) => zone.fmt(f),
            Self::Named(zone) => f.write_str(zone.name()),
        }
    }
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "UTC" || text == "Z" {
            return Ok(Self::Utc);
        }
        if let Ok(offset) = text.parse::<FixedOffset>() {
            return Ok(Self::Offset(offset));
        }
        text.parse().map(Self::Named).map_err(|_| {
            "a zone is UTC, an offset such as +02:00, or a name such as Europe/Copenhagen".to_owned()
        })
    }
}

fn first_instant<Z: TimeZone>(date: NaiveDate, zone: &Z) -> Option<DateTime<Utc>> {
    // Where clocks skip midnight the day begins after the gap, which no zone makes longer than a day.
    let midnight = date.and_time(NaiveTime::MIN);
    let minutes = (0..=24 * 60).filter_map(|minute| midnight.checked_add_signed(TimeDelta::minutes(minute)));
    let mut instants = minutes.filter_map(|local| zone.from_local_datetime(&local).earliest());
    instants.next().map(|instant| instant.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_begins_in_its_zone_and_a_time_has_its_own() {
        let moment =
            |zone: &str, text: &str| zone.parse::<Zone>().unwrap().moment(text).map(|at| at.to_rfc3339());
        let is = |text: &str| Some(text.to_owned());
        assert_eq!(moment("UTC", "2026-03-01"), is("2026-03-01T00:00:00+00:00"));
        assert_eq!(moment("+02:00", "2026-03-01"), is("2026-02-28T22:00:00+00:00"));
        assert_eq!(moment("Europe/Copenhagen", "2026-07-01"), is("2026-06-30T22:00:00+00:00"));
        // Clocks of Cairo went from midnight to one on 24 April 2026.
        assert_eq!(moment("Africa/Cairo", "2026-04-24"), is("2026-04-23T22:00:00+00:00"));
        assert_eq!(moment("+02:00", "2026-03-01T12:00:00.0000019Z"), is("2026-03-01T12:00:00.000001+00:00"));
        let shown = |zone: &str, text: &str| {
            zone.parse::<Zone>().unwrap().moment_shown(text).map(|at| at.to_rfc3339())
        };
        assert_eq!(shown("Europe/Copenhagen", "2026-07-01T12:30"), is("2026-07-01T10:30:00+00:00"));
        assert_eq!(shown("Europe/Copenhagen", "2026-03-29T02:30"), None, "clocks skip it");
        assert_eq!(shown("UTC", "2026-07-01"), None);
        assert_eq!(moment("UTC", "yesterday"), None);
        assert!("Mars/Base".parse::<Zone>().is_err());
    }
}
