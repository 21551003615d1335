//! Clocks, makers of ids and locators: the mocks pass their cases, and wrong ones are caught.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use analytics_domain::ids::{AnomalyEventId, BanId, EventId, SessionId};
use analytics_domain::session::SessionPlace;
use analytics_ports::contract::{self, places::Places};
use analytics_ports::{Clock, GeoAnswer, GeoLocator, IdGenerator, MockClock, MockGeoLocator, SequentialIds};
use chrono::{DateTime, TimeDelta, Utc};

macro_rules! table {
    ($($group:ident :: $case:ident),+ $(,)?) => {
        &[$((stringify!($case), contract::$group::$case)),+]
    };
}
const CLOCK_CASES: &[Case<ClockCase>] = analytics_ports::clock_cases!(table);
const ID_CASES: &[Case<IdCase>] = analytics_ports::id_cases!(table);
const PLACE_CASES: &[Case<PlaceCase>] = analytics_ports::place_cases!(table);

#[test]
fn the_mocks_pass_every_case() {
    assert_eq!(clock_failures(&MockClock::at(at(0))), NONE);
    assert_eq!(id_failures(&SequentialIds::new()), NONE);
    let mut mock = MockGeoLocator::new();
    mock.expect_locate().returning(|address| Atlas::Right.locate(address));
    assert_eq!(place_failures(&mock), NONE);
}

#[test]
fn every_wrong_clock_is_caught_by_the_case_that_names_its_fault() {
    assert_eq!(clock_failures(&NanosecondClock), ["times_are_in_whole_microseconds"]);
    assert_eq!(clock_failures(&ClockSetBack(AtomicI64::new(0))), ["time_never_goes_back"]);
}

#[test]
fn every_wrong_maker_of_ids_is_caught_by_the_case_that_names_its_fault() {
    let ids = |fault| id_failures(&WrongIds { fault, made: AtomicU64::new(0) });
    assert_eq!(ids(IdFault::RepeatsSessions), ["ids_are_made_once"]);
    assert!(ids(IdFault::CountsOnly).contains(&"an_event_id_tells_the_time_of_its_event"));
    assert!(ids(IdFault::CountsOnly).contains(&"event_ids_are_in_the_order_of_time"));
    let impossible = ["an_event_of_an_impossible_time_is_refused_with_its_id"];
    assert_eq!(ids(IdFault::FailsForImpossibleTimes), impossible);
}

#[test]
fn every_wrong_locator_is_caught_by_the_case_that_names_its_fault() {
    assert_eq!(place_failures(&Atlas::Right), NONE);
    assert_eq!(place_failures(&Atlas::PlacesPrivateAddresses), ["a_private_address_has_no_place"]);
    assert_eq!(place_failures(&Atlas::ForgetsMappedAddresses), ["a_mapped_address_is_taken_as_ipv4"]);
    assert_eq!(place_failures(&Atlas::GuessesTheUnknown), ["what_is_unknown_has_no_place"]);
    let unstable = Fickle(AtomicU64::new(0));
    assert!(place_failures(&unstable).contains(&"what_is_known_is_answered_each_time_the_same"));
}

fn clock_failures(clock: &dyn Clock) -> Vec<&'static str> {
    failing(CLOCK_CASES, |case| case(clock))
}

fn id_failures(ids: &dyn IdGenerator) -> Vec<&'static str> {
    failing(ID_CASES, |case| case(ids))
}

fn place_failures(locator: &dyn GeoLocator) -> Vec<&'static str> {
    let known = [(address(KNOWN), place("DK")), (address("2001:db8::1"), place("SE"))];
    let unknown = [address("192.0.2.1"), address("2001:db9::1")];
    failing(PLACE_CASES, |case| case(&Places { locator, known: &known, unknown: &unknown }))
}

/// The names of the cases that end with a panic.
fn failing<C: Copy>(cases: &[Case<C>], run: impl Fn(C)) -> Vec<&'static str> {
    let failed = |case| catch_unwind(AssertUnwindSafe(|| run(case))).is_err();
    cases.iter().filter(|(_, case)| failed(*case)).map(|(name, _)| *name).collect()
}

/// A clock that tells more than a database keeps.
struct NanosecondClock;

impl Clock for NanosecondClock {
    fn now(&self) -> DateTime<Utc> {
        at(0) + TimeDelta::nanoseconds(1)
    }
}

/// A clock that follows the machine's when it is set back.
struct ClockSetBack(AtomicI64);

impl Clock for ClockSetBack {
    fn now(&self) -> DateTime<Utc> {
        let asked = self.0.fetch_add(1, Ordering::SeqCst);
        at(asked % 100)
    }
}

struct WrongIds {
    fault: IdFault,
    made: AtomicU64,
}

#[derive(PartialEq, Eq)]
enum IdFault {
    RepeatsSessions,
    CountsOnly,
    FailsForImpossibleTimes,
}

impl WrongIds {
    fn next(&self) -> u128 {
        u128::from(self.made.fetch_add(1, Ordering::SeqCst))
    }
}

impl IdGenerator for WrongIds {
    fn session_id(&self, _now: DateTime<Utc>) -> SessionId {
        let number = self.next();
        SessionId::from_u128(if self.fault == IdFault::RepeatsSessions { number / 16 } else { number })
    }

    fn event_id(&self, at: DateTime<Utc>) -> EventId {
        let number = self.next();
        match self.fault {
            IdFault::CountsOnly => EventId::from_u128(number),
            IdFault::RepeatsSessions => EventId::at(at, number).unwrap_or(EventId::from_u128(number)),
            IdFault::FailsForImpossibleTimes => EventId::at(at, number).unwrap(),
        }
    }

    fn ban_id(&self, _now: DateTime<Utc>) -> BanId {
        BanId::from_u128(self.next())
    }

    fn anomaly_event_id(&self, _now: DateTime<Utc>) -> AnomalyEventId {
        AnomalyEventId::from_u128(self.next())
    }
}

/// A locator that knows two networks, rightly or wrongly.
#[derive(PartialEq, Eq)]
enum Atlas {
    Right,
    PlacesPrivateAddresses,
    ForgetsMappedAddresses,
    GuessesTheUnknown,
}

impl GeoLocator for Atlas {
    fn locate(&self, asked: IpAddr) -> GeoAnswer {
        let canonical = if *self == Self::ForgetsMappedAddresses { asked } else { asked.to_canonical() };
        if canonical == address(KNOWN) {
            place("DK")
        } else if canonical == address("2001:db8::1") {
            place("SE")
        } else if canonical == address("10.0.0.1") && *self == Self::PlacesPrivateAddresses
            || canonical == address("192.0.2.1") && *self == Self::GuessesTheUnknown
        {
            place("US")
        } else {
            GeoAnswer::default()
        }
    }
}

/// A locator that forgets what it said.
struct Fickle(AtomicU64);

impl GeoLocator for Fickle {
    fn locate(&self, asked: IpAddr) -> GeoAnswer {
        let even = self.0.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
        if even { Atlas::Right.locate(asked) } else { GeoAnswer::default() }
    }
}

fn place(country: &str) -> GeoAnswer {
    let place = SessionPlace { country: country.parse().ok(), ..SessionPlace::default() };
    GeoAnswer { place, autonomous_system: None }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_700_000_000_000_000 + micros).unwrap()
}

/// The name of a case and how it is run.
type Case<C> = (&'static str, C);
type ClockCase = fn(&dyn Clock);
type IdCase = fn(&dyn IdGenerator);
type PlaceCase = fn(&Places<'_>);

const KNOWN: &str = "198.51.100.1";
const NONE: [&str; 0] = [];
