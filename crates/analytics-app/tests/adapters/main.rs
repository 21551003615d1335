//! The application's own adapters show what every clock, every maker of ids and every locator must.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod mmdb;

use std::net::IpAddr;
use std::path::PathBuf;

use analytics_app::geo::GeoIpReader;
use analytics_app::system::{SystemClock, SystemIds};
use analytics_domain::session::{SessionPlace, Text};
use analytics_ports::contract::{self, places::Places};
use analytics_ports::{AutonomousSystem, GeoAnswer, GeoLocator};
use mmdb::Value::{self, List, Map, Number};

macro_rules! clocks {
    ($($group:ident :: $case:ident),+ $(,)?) => {$(
        #[test]
        fn $case() {
            contract::$group::$case(&SystemClock);
        }
    )+};
}
analytics_ports::clock_cases!(clocks);

macro_rules! ids {
    ($($group:ident :: $case:ident),+ $(,)?) => {$(
        #[test]
        fn $case() {
            contract::$group::$case(&SystemIds::new().unwrap());
        }
    )+};
}
analytics_ports::id_cases!(ids);

macro_rules! places {
    ($($group:ident :: $case:ident),+ $(,)?) => {$(
        #[test]
        fn $case() {
            with_places(|places| contract::$group::$case(places));
        }
    )+};
}
analytics_ports::place_cases!(places);

#[test]
fn a_row_of_another_layout_has_no_place_and_spoils_no_other() {
    let text = |text| Value::Text(text);
    let rows = [
        ("192.0.2.0/25", Map(vec![("country", Number(7))])),
        ("192.0.2.128/25", text("Denmark")),
        ("198.51.100.0/25", Map(vec![("country_code", text("DEN")), ("city", text(""))])),
        ("198.51.100.128/25", Map(vec![("unheard_of", List(vec![])), ("country_code", text("dk"))])),
    ];
    let file = Kept::write(&mmdb::database(&rows));
    let reader = GeoIpReader::open(&file.path).unwrap();
    let locate = |address: &str| reader.locate(address.parse().unwrap());
    for address in ["192.0.2.1", "192.0.2.129", "198.51.100.1"] {
        assert_eq!(locate(address), GeoAnswer::default(), "{address}");
    }
    let denmark = SessionPlace { country: "DK".parse().ok(), ..SessionPlace::default() };
    assert_eq!(locate("198.51.100.129"), GeoAnswer { place: denmark, autonomous_system: None });
}

#[test]
fn what_is_no_database_is_refused_and_a_broken_one_answers_nothing_wrong() {
    let whole = mmdb::database(&rows());
    assert!(GeoIpReader::open(&Kept::write(b"").path).is_err());
    assert!(GeoIpReader::open(&Kept::write(&whole[..whole.len() / 2]).path).is_err());
    let folder = tempfile::tempdir().unwrap();
    assert!(GeoIpReader::open(&folder.path().join("none.mmdb")).is_err());
    // Where the data are overwritten, an answer may be missing; what is known of others stays right or goes.
    let marker = whole.windows(3).rposition(|bytes| bytes == b"\xab\xcd\xef").unwrap();
    for at in 0..marker {
        let mut broken = whole.clone();
        broken[at] ^= 0xff;
        let Ok(reader) = GeoIpReader::open(&Kept::write(&broken).path) else { continue };
        for (address, _) in known() {
            reader.locate(address);
        }
    }
}

/// A file in a folder of its own, gone when dropped.
struct Kept {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Kept {
    fn write(content: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.mmdb");
        std::fs::write(&path, content).unwrap();
        Self { path, _folder: folder }
    }
}

fn with_places(case: impl Fn(&Places<'_>)) {
    let file = Kept::write(&mmdb::database(&rows()));
    let reader = GeoIpReader::open(&file.path).unwrap();
    let unknown = ["192.0.2.1", "81.2.68.255", "2001:db9::1"].map(|address| address.parse().unwrap());
    case(&Places { locator: &reader, known: &known(), unknown: &unknown });
}

/// Rows of both layouts, and one for private addresses.
fn rows() -> Vec<(&'static str, Value)> {
    let text = Value::Text;
    let named = |name| Map(vec![("names", Map(vec![("de", text("anders")), ("en", text(name))]))]);
    vec![
        (
            "81.2.69.0/24",
            Map(vec![
                ("city", named("London")),
                ("country", Map(vec![("geoname_id", Number(2_635_167)), ("iso_code", text("GB"))])),
                ("subdivisions", List(vec![named("England"), named("Greater London")])),
            ]),
        ),
        (
            "198.51.100.0/24",
            Map(vec![
                ("country_code", text("DK")),
                ("state1", text("Hovedstaden")),
                ("city", text("K\u{f8}benhavn")),
            ]),
        ),
        (
            "2001:db8::/32",
            Map(vec![
                ("autonomous_system_number", Number(64_500)),
                ("autonomous_system_organization", text("Example Net")),
                ("country", text("SE")),
            ]),
        ),
        ("10.0.0.0/8", Map(vec![("country_code", text("US"))])),
    ]
}

/// What the rows say.
fn known() -> Vec<(IpAddr, GeoAnswer)> {
    let place = |country: &str, region, city| SessionPlace {
        country: country.parse().ok(),
        region: Option::map(region, Text::cut),
        city: Option::map(city, Text::cut),
    };
    let only = |place| GeoAnswer { place, autonomous_system: None };
    let system = AutonomousSystem { number: 64_500, name: Some(Text::cut("Example Net")) };
    vec![
        ("81.2.69.7".parse().unwrap(), only(place("GB", Some("England"), Some("London")))),
        ("198.51.100.255".parse().unwrap(), only(place("DK", Some("Hovedstaden"), Some("K\u{f8}benhavn")))),
        (
            "2001:db8::7".parse().unwrap(),
            GeoAnswer { place: place("SE", None, None), autonomous_system: Some(system) },
        ),
    ]
}
