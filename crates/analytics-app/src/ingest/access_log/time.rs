//! Times as logs write them, in microseconds since 1970.
//!
//! Consecutive lines share their day and often their second, so both are worked out once and remembered.

use chrono::{DateTime, Datelike, NaiveDate, Utc};

/// Reads times; remembers the last day, and the last date.
#[derive(Debug, Clone, Default)]
pub(super) struct Times {
    /// `10/Oct/2000` and `-0700` of the last line, and the second at which that day began.
    clf_day: [u8; 11],
    clf_zone: [u8; 5],
    clf_start: i64,
    /// `2000-10-10` of the last line, and the second at which that day began in UTC.
    iso_day: [u8; 10],
    iso_start: i64,
    /// The last time that a record was made of.
    last: DateTime<Utc>,
}

impl Times {
    /// The date and time of day of `micros` microseconds since 1970; `None` outside the years that are known.
    pub(super) fn date(&mut self, micros: i64) -> Option<DateTime<Utc>> {
        // Neighbouring lines mostly have one second, and to compare is cheaper than to find the day.
        if micros != self.last.timestamp_micros() {
            self.last = DateTime::from_timestamp_micros(micros)?;
        }
        Some(self.last)
    }

    /// `10/Oct/2000:13:55:36 -0700`, also with decimals after the seconds or without a zone (UTC then).
    pub(super) fn clf(&mut self, text: &[u8]) -> Option<i64> {
        let (day, rest) = text.split_first_chunk::<11>()?;
        let ([colon, time @ ..], rest) = rest.split_first_chunk::<9>()?;
        if *colon != b':' {
            return None;
        }
        let (micros, rest) = decimals(rest)?;
        let zone = match rest {
            [] => b"+0000",
            [b' ', zone @ ..] => zone.first_chunk::<5>().filter(|_| zone.len() == 5)?,
            _ => return None,
        };
        if *day != self.clf_day || *zone != self.clf_zone {
            let number = |range: std::ops::Range<usize>| two(day, range.start);
            if day[2] != b'/' || day[6] != b'/' {
                return None;
            }
            let year = number(7..9)? * 100 + number(9..11)?;
            let start = day_start(year, month(&day[3..6])?, number(0..2)?)? - zone_seconds(*zone)?;
            (self.clf_day, self.clf_zone, self.clf_start) = (*day, *zone, start);
        }
        Some((self.clf_start + time_of_day(*time)?) * 1_000_000 + micros)
    }

    /// ISO 8601 and its relatives: `2000-10-10T13:55:36.123456Z`, a space for the `T`, a comma for the point,
    /// `+02:00`, `+0200` or no zone (UTC then).
    pub(super) fn iso(&mut self, text: &[u8]) -> Option<i64> {
        let (day, rest) = text.split_first_chunk::<10>()?;
        let ([between, time @ ..], rest) = rest.split_first_chunk::<9>()?;
        if !matches!(between, b'T' | b't' | b' ' | b':') {
            return None;
        }
        let (micros, rest) = decimals(rest)?;
        let zone = match rest.strip_prefix(b" ").unwrap_or(rest) {
            [] | [b'Z' | b'z'] | b"UTC" => 0,
            [sign, a, b, b':', c, d] | [sign, a, b, c, d] => zone_seconds([*sign, *a, *b, *c, *d])?,
            _ => return None,
        };
        Some((self.iso_day_start(day)? + time_of_day(*time)? - zone) * 1_000_000 + micros)
    }

    /// A day `2000-10-10` and a time of day `13:55:36` in UTC, from two fields.
    pub(super) fn day_and_time(&mut self, day: &[u8], time: &[u8]) -> Option<i64> {
        let (time, rest) = time.split_first_chunk::<8>()?;
        let (micros, rest) = decimals(rest)?;
        if !rest.is_empty() {
            return None;
        }
        Some(
            (self.iso_day_start(day.first_chunk().filter(|_| day.len() == 10)?)? + time_of_day(*time)?)
                * 1_000_000
                + micros,
        )
    }

    fn iso_day_start(&mut self, day: &[u8; 10]) -> Option<i64> {
        if *day != self.iso_day {
            if day[4] != day[7] || !matches!(day[4], b'-' | b'/') {
                return None;
            }
            let year = two(day, 0)? * 100 + two(day, 2)?;
            self.iso_start = day_start(year, two(day, 5)?, two(day, 8)?)?;
            self.iso_day = *day;
        }
        Some(self.iso_start)
    }
}

/// Seconds, milli-, micro- or nanoseconds since 1970, as nginx's `$msec`, Apache's `%{msec}t` and JSON logs have
/// them; the size tells which.
pub(super) fn epoch(text: &[u8]) -> Option<i64> {
    if let Some(whole) = super::scan::number(text) {
        return epoch_number(whole as f64);
    }
    let micros = i64::try_from(super::scan::seconds_to_micros(text)?).ok()?;
    if micros < LAST_SECOND_SIZED * 1_000_000 { Some(micros) } else { epoch_number(micros as f64 / 1e6) }
}

/// Like [`epoch`], rounded to microseconds; a double holds them exactly enough until the year 2242.
pub(super) fn epoch_number(number: f64) -> Option<i64> {
    let per_second = match number {
        _ if number.is_nan() || number < 0.0 => return None,
        _ if number < LAST_SECOND_SIZED as f64 => 1.0,
        _ if number < LAST_SECOND_SIZED as f64 * 1e3 => 1e3,
        _ if number < LAST_SECOND_SIZED as f64 * 1e6 => 1e6,
        _ if number < LAST_SECOND_SIZED as f64 * 1e9 => 1e9,
        _ => return None,
    };
    Some(libm::round(number * (1e6 / per_second)) as i64)
}

/// Decimals of a second after `.` or `,` in microseconds, and what follows them.
fn decimals(text: &[u8]) -> Option<(i64, &[u8])> {
    let [b'.' | b',', rest @ ..] = text else { return Some((0, text)) };
    let mut micros = 0;
    let mut unit = 100_000;
    let mut read = 0;
    while let Some(digit) = rest.get(read).filter(|byte| byte.is_ascii_digit()) {
        micros += i64::from(digit - b'0') * unit;
        unit /= 10;
        read += 1;
    }
    (read > 0).then(|| (micros, &rest[read..]))
}

/// `13:55:36` in seconds; 60 seconds are a leap second and count as the next one.
fn time_of_day(time: [u8; 8]) -> Option<i64> {
    let (hour, minute, second) = (two(&time, 0)?, two(&time, 3)?, two(&time, 6)?);
    let fits = time[2] == b':' && time[5] == b':' && hour < 24 && minute < 60 && second <= 60;
    fits.then_some(i64::from(hour * 3600 + minute * 60 + second))
}

/// `-0700` in seconds east of Greenwich.
fn zone_seconds(zone: [u8; 5]) -> Option<i64> {
    let (hours, minutes) = (two(&zone, 1)?, two(&zone, 3)?);
    let seconds = (hours < 24 && minutes < 60).then_some(i64::from(hours * 3600 + minutes * 60))?;
    match zone[0] {
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

/// The second at which a day begins in UTC. Before 1970 no web server logged anything: such a year is a broken clock.
fn day_start(year: u32, month: u32, day: u32) -> Option<i64> {
    if year < 1970 {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    Some((i64::from(date.num_days_from_ce()) - DAYS_BEFORE_1970) * 86_400)
}

fn two(text: &[u8], at: usize) -> Option<u32> {
    let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| u32::from(tens) * 10 + u32::from(ones))
}

fn month(name: &[u8]) -> Option<u32> {
    const NAMES: [&[u8; 3]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    NAMES.iter().position(|known| known.eq_ignore_ascii_case(name)).map(|at| at as u32 + 1)
}

/// Days from the first of January of year 1 to 1970-01-01, the first being day 1.
const DAYS_BEFORE_1970: i64 = 719_163;
/// From here on a number counts in a smaller unit: the second of this number is in the year 5138, the millisecond
/// in March 1973.
const LAST_SECOND_SIZED: i64 = 100_000_000_000;
