//! When the major versions of engines were released.
//!
//! Dates are those of the stable desktop release as the makers' release notes and calendars give them: Chrome Releases
//! and the Chromium schedule, Firefox release notes and the release calendar, Apple's and Microsoft's announcements.
//! A version on several systems or in several stages has the day of the first. The last ones of Chrome and Firefox are
//! the dates of the published schedules. Past the tables the announced rhythm goes on.

use chrono::{Days, NaiveDate};

use super::Engine;

/// The release day of an engine's major version; `None` for a number that never was.
pub(super) fn released(engine: Engine, major: u16) -> Option<NaiveDate> {
    match engine {
        Engine::Chromium => listed(CHROME, 1, major).or_else(|| after(CHROME_FIRST_FORTNIGHTLY, 14, major)),
        Engine::Gecko => listed(FIREFOX, 1, major).or_else(|| {
            let last = *FIREFOX.last()?;
            after((FIREFOX.len() as u16, last), 28, major)
        }),
        // Versions 19 to 25 were never released: in 2025 the number became that of the year to come.
        Engine::Safari => listed(SAFARI, 1, major).or_else(|| yearly(SAFARI_BY_YEAR, major)),
        Engine::Trident => listed(EXPLORER, 3, major),
        Engine::EdgeHtml => listed(EDGE_HTML, 12, major),
        Engine::Presto => listed(OPERA, 5, major),
    }
}

/// Year, month and day.
type Day = (i32, u32, u32);

fn listed(days: &[Day], first: u16, major: u16) -> Option<NaiveDate> {
    let day = days.get(usize::from(major.checked_sub(first)?))?;
    date(*day)
}

/// A version past the table, by the days between two versions.
fn after((known, day): (u16, Day), rhythm: u64, major: u16) -> Option<NaiveDate> {
    let versions = major.checked_sub(known)?;
    date(day)?.checked_add_days(Days::new(u64::from(versions) * rhythm))
}

/// A version of a product that comes out once a year on about the same day.
fn yearly((known, (year, month, day)): (u16, Day), major: u16) -> Option<NaiveDate> {
    let years = major.checked_sub(known)?;
    date((year + i32::from(years), month, day))
}

fn date((year, month, day): Day) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(year, month, day)
}

/// Chrome 153, with which Google went over to a version every two weeks.
const CHROME_FIRST_FORTNIGHTLY: (u16, Day) = (153, (2026, 9, 8));

/// Safari 26, the first one numbered by year; the next ones are expected in mid September.
const SAFARI_BY_YEAR: (u16, Day) = (26, (2025, 9, 15));

/// Chrome 1 to 152. There was no 82; it has the day of 83.
#[rustfmt::skip]
const CHROME: &[Day] = &[
    (2008, 12, 11), (2009, 5, 24), (2009, 10, 12), (2010, 1, 25), (2010, 5, 25), (2010, 9, 2), (2010, 10, 21),
    (2010, 12, 2), (2011, 2, 3), (2011, 3, 8), (2011, 4, 27), (2011, 6, 7), (2011, 8, 2), (2011, 9, 16),
    (2011, 10, 25), (2011, 12, 13), (2012, 2, 8), (2012, 3, 28), (2012, 5, 15), (2012, 6, 26), (2012, 7, 31),
    (2012, 9, 25), (2012, 11, 6), (2013, 1, 10), (2013, 2, 21), (2013, 3, 26), (2013, 5, 21), (2013, 7, 9),
    (2013, 8, 20), (2013, 10, 1), (2013, 11, 12), (2014, 1, 14), (2014, 2, 20), (2014, 4, 8), (2014, 5, 20),
    (2014, 7, 16), (2014, 8, 26), (2014, 10, 7), (2014, 11, 12), (2015, 1, 21), (2015, 3, 3), (2015, 4, 14),
    (2015, 5, 19), (2015, 7, 21), (2015, 9, 1), (2015, 10, 13), (2015, 12, 1), (2016, 1, 20), (2016, 3, 2),
    (2016, 4, 13), (2016, 5, 25), (2016, 7, 20), (2016, 8, 31), (2016, 10, 12), (2016, 12, 1), (2017, 1, 25),
    (2017, 3, 9), (2017, 4, 19), (2017, 6, 5), (2017, 7, 25), (2017, 9, 5), (2017, 10, 17), (2017, 12, 6),
    (2018, 1, 24), (2018, 3, 6), (2018, 4, 17), (2018, 5, 29), (2018, 7, 24), (2018, 9, 4), (2018, 10, 16),
    (2018, 12, 4), (2019, 1, 29), (2019, 3, 12), (2019, 4, 23), (2019, 6, 4), (2019, 7, 30), (2019, 9, 10),
    (2019, 10, 22), (2019, 12, 10), (2020, 2, 4), (2020, 4, 7), (2020, 5, 19), (2020, 5, 19), (2020, 7, 14),
    (2020, 8, 25), (2020, 10, 6), (2020, 11, 17), (2021, 1, 19), (2021, 3, 2), (2021, 4, 14), (2021, 5, 25),
    (2021, 7, 20), (2021, 8, 31), (2021, 9, 21), (2021, 10, 19), (2021, 11, 15), (2022, 1, 4), (2022, 2, 1),
    (2022, 3, 1), (2022, 3, 29), (2022, 4, 26), (2022, 5, 24), (2022, 6, 21), (2022, 8, 2), (2022, 8, 30),
    (2022, 9, 27), (2022, 10, 25), (2022, 11, 29), (2023, 1, 10), (2023, 2, 7), (2023, 3, 7), (2023, 4, 4),
    (2023, 5, 2), (2023, 5, 30), (2023, 7, 18), (2023, 8, 15), (2023, 9, 12), (2023, 10, 10), (2023, 10, 31),
    (2023, 12, 5), (2024, 1, 23), (2024, 2, 20), (2024, 3, 19), (2024, 4, 16), (2024, 5, 14), (2024, 6, 11),
    (2024, 7, 23), (2024, 8, 20), (2024, 9, 17), (2024, 10, 15), (2024, 11, 12), (2025, 1, 14), (2025, 2, 4),
    (2025, 3, 4), (2025, 4, 1), (2025, 4, 29), (2025, 5, 27), (2025, 6, 24), (2025, 8, 5), (2025, 9, 2),
    (2025, 9, 30), (2025, 10, 28), (2025, 12, 2), (2026, 1, 13), (2026, 2, 10), (2026, 3, 10), (2026, 4, 7),
    (2026, 5, 5), (2026, 6, 2), (2026, 6, 30), (2026, 7, 28), (2026, 8, 25),
];

/// Firefox 1 to 151; every four weeks since 2020.
#[rustfmt::skip]
const FIREFOX: &[Day] = &[
    (2004, 11, 9), (2006, 10, 24), (2008, 6, 17), (2011, 3, 22), (2011, 6, 21), (2011, 8, 16), (2011, 9, 27),
    (2011, 11, 8), (2011, 12, 20), (2012, 1, 31), (2012, 3, 13), (2012, 4, 24), (2012, 6, 5), (2012, 7, 17),
    (2012, 8, 28), (2012, 10, 9), (2012, 11, 20), (2013, 1, 8), (2013, 2, 19), (2013, 4, 2), (2013, 5, 14),
    (2013, 6, 25), (2013, 8, 6), (2013, 9, 17), (2013, 10, 29), (2013, 12, 10), (2014, 2, 4), (2014, 3, 18),
    (2014, 4, 29), (2014, 6, 10), (2014, 7, 22), (2014, 9, 2), (2014, 10, 14), (2014, 12, 1), (2015, 1, 13),
    (2015, 2, 24), (2015, 3, 31), (2015, 5, 12), (2015, 7, 2), (2015, 8, 11), (2015, 9, 22), (2015, 11, 3),
    (2015, 12, 15), (2016, 1, 26), (2016, 3, 8), (2016, 4, 26), (2016, 6, 7), (2016, 8, 2), (2016, 9, 20),
    (2016, 11, 15), (2017, 1, 24), (2017, 3, 7), (2017, 4, 19), (2017, 6, 13), (2017, 8, 8), (2017, 9, 28),
    (2017, 11, 14), (2018, 1, 23), (2018, 3, 13), (2018, 5, 9), (2018, 6, 26), (2018, 9, 5), (2018, 10, 23),
    (2018, 12, 11), (2019, 1, 29), (2019, 3, 19), (2019, 5, 21), (2019, 7, 9), (2019, 9, 3), (2019, 10, 22),
    (2019, 12, 3), (2020, 1, 7), (2020, 2, 11), (2020, 3, 10), (2020, 4, 7), (2020, 5, 5), (2020, 6, 2),
    (2020, 6, 30), (2020, 7, 28), (2020, 8, 25), (2020, 9, 22), (2020, 10, 20), (2020, 11, 17), (2020, 12, 15),
    (2021, 1, 26), (2021, 2, 23), (2021, 3, 23), (2021, 4, 19), (2021, 6, 1), (2021, 7, 13), (2021, 8, 10),
    (2021, 9, 7), (2021, 10, 5), (2021, 11, 2), (2021, 12, 7), (2022, 1, 11), (2022, 2, 8), (2022, 3, 8),
    (2022, 4, 5), (2022, 5, 3), (2022, 5, 31), (2022, 6, 28), (2022, 7, 26), (2022, 8, 23), (2022, 9, 20),
    (2022, 10, 18), (2022, 11, 15), (2022, 12, 13), (2023, 1, 17), (2023, 2, 14), (2023, 3, 14), (2023, 4, 11),
    (2023, 5, 9), (2023, 6, 6), (2023, 7, 4), (2023, 8, 1), (2023, 8, 29), (2023, 9, 26), (2023, 10, 24),
    (2023, 11, 21), (2023, 12, 19), (2024, 1, 23), (2024, 2, 20), (2024, 3, 19), (2024, 4, 16), (2024, 5, 14),
    (2024, 6, 11), (2024, 7, 9), (2024, 8, 6), (2024, 9, 3), (2024, 10, 1), (2024, 10, 29), (2024, 11, 26),
    (2025, 1, 7), (2025, 2, 4), (2025, 3, 4), (2025, 4, 1), (2025, 4, 29), (2025, 5, 27), (2025, 6, 24),
    (2025, 7, 22), (2025, 8, 19), (2025, 9, 16), (2025, 10, 14), (2025, 11, 11), (2025, 12, 9), (2026, 1, 13),
    (2026, 2, 24), (2026, 3, 24), (2026, 4, 21), (2026, 5, 19),
];

/// Safari 1 to 18.
#[rustfmt::skip]
const SAFARI: &[Day] = &[
    (2003, 6, 23), (2005, 4, 29), (2007, 10, 26), (2009, 6, 8), (2010, 6, 7), (2012, 7, 25), (2013, 10, 22),
    (2014, 9, 17), (2015, 9, 16), (2016, 9, 13), (2017, 9, 19), (2018, 9, 17), (2019, 9, 19), (2020, 9, 16),
    (2021, 9, 20), (2022, 9, 12), (2023, 9, 18), (2024, 9, 16),
];

/// Internet Explorer 3 to 11.
#[rustfmt::skip]
const EXPLORER: &[Day] = &[
    (1996, 8, 13), (1997, 9, 30), (1999, 3, 18), (2001, 8, 24), (2006, 10, 18), (2009, 3, 19), (2011, 3, 14),
    (2012, 10, 26), (2013, 10, 17),
];

/// Edge 12 to 18, which came with Windows 10 versions.
#[rustfmt::skip]
const EDGE_HTML: &[Day] = &[
    (2015, 7, 29), (2015, 11, 12), (2016, 8, 2), (2017, 4, 11), (2017, 10, 17), (2018, 4, 30), (2018, 11, 13),
];

/// Opera 5 to 12; exact to the month before 9.
#[rustfmt::skip]
const OPERA: &[Day] = &[
    (2000, 12, 6), (2001, 11, 29), (2003, 1, 28), (2005, 4, 19), (2006, 6, 20), (2009, 9, 1), (2010, 12, 16),
    (2012, 6, 14),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(year: i32, month: u32, day: u32) -> Option<NaiveDate> {
        NaiveDate::from_ymd_opt(year, month, day)
    }

    #[test]
    fn known_versions_have_their_release_day() {
        assert_eq!(released(Engine::Chromium, 1), day(2008, 12, 11));
        assert_eq!(released(Engine::Chromium, 90), day(2021, 4, 14));
        assert_eq!(released(Engine::Chromium, 120), day(2023, 12, 5));
        assert_eq!(released(Engine::Gecko, 88), day(2021, 4, 19));
        assert_eq!(released(Engine::Gecko, 115), day(2023, 7, 4));
        assert_eq!(released(Engine::Safari, 18), day(2024, 9, 16));
        assert_eq!(released(Engine::Safari, 26), day(2025, 9, 15));
        assert_eq!(released(Engine::Trident, 11), day(2013, 10, 17));
        assert_eq!(released(Engine::EdgeHtml, 18), day(2018, 11, 13));
        assert_eq!(released(Engine::Presto, 12), day(2012, 6, 14));
    }

    #[test]
    fn versions_past_the_tables_follow_the_rhythm() {
        assert_eq!(released(Engine::Chromium, 153), day(2026, 9, 8));
        assert_eq!(released(Engine::Chromium, 158), day(2026, 11, 17));
        assert_eq!(released(Engine::Safari, 27), day(2026, 9, 15));
    }

    #[test]
    fn versions_that_never_were_have_no_day() {
        let never = [
            (Engine::Chromium, 0),
            (Engine::Gecko, 0),
            (Engine::Safari, 0),
            (Engine::Safari, 19),
            (Engine::Safari, 25),
            (Engine::Trident, 2),
            (Engine::Trident, 12),
            (Engine::EdgeHtml, 11),
            (Engine::EdgeHtml, 19),
            (Engine::Presto, 13),
        ];
        for (engine, major) in never {
            assert_eq!(released(engine, major), None, "{engine:?} {major}");
        }
    }

    proptest! {
        #[test]
        fn a_later_version_is_never_older(major in 1_u16..u16::MAX) {
            for engine in [Engine::Chromium, Engine::Gecko] {
                prop_assert!(released(engine, major) <= released(engine, major + 1));
                prop_assert!(released(engine, major).is_some());
            }
        }
    }
}
