//! `GeoIpReader`: places of addresses from a database in MMDB format, held in memory.

use std::net::IpAddr;
use std::path::Path;

use analytics_domain::session::{SessionPlace, Text};
use analytics_ports::{AutonomousSystem, GeoAnswer, GeoLocator};
use maxminddb::{MaxMindDbError, Reader};
use serde::Deserialize;

/// Looks addresses up in a database of countries, cities or networks.
///
/// Both common layouts are read: that of `GeoIP2` and `GeoLite2` (`country.iso_code`, `subdivisions`, `city.names.en`,
/// `autonomous_system_number`), and the flat one (`country_code`, `state1`, `city`). An address that the database does not
/// have, or has in another layout, has no place.
#[derive(Debug)]
pub struct GeoIpReader {
    database: Reader<Vec<u8>>,
}

impl GeoIpReader {
    /// Reads the whole database into memory.
    ///
    /// # Errors
    /// When the file cannot be read or is no such database.
    pub fn open(path: &Path) -> Result<Self, MaxMindDbError> {
        Reader::open_readfile(path).map(|database| Self { database })
    }
}

impl GeoLocator for GeoIpReader {
    fn locate(&self, address: IpAddr) -> GeoAnswer {
        let address = address.to_canonical();
        if is_nowhere(address) {
            return GeoAnswer::default();
        }
        let found = self.database.lookup(address);
        let row: Option<Row<'_>> = found.ok().and_then(|found| found.decode().ok().flatten());
        row.map(Row::answer).unwrap_or_default()
    }
}

/// Whether an address belongs to no place: it is private, local, or none at all. Some databases have rows for them.
const fn is_nowhere(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified(),
        IpAddr::V6(v6) => {
            v6.is_unique_local() || v6.is_loopback() || v6.is_unicast_link_local() || v6.is_unspecified()
        }
    }
}

/// What a row of either layout may hold.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Row<'a> {
    #[serde(borrow)]
    country: Option<Country<'a>>,
    #[serde(borrow)]
    country_code: Option<&'a str>,
    #[serde(borrow)]
    subdivisions: Vec<Named<'a>>,
    #[serde(borrow)]
    state1: Option<&'a str>,
    #[serde(borrow)]
    city: Option<City<'a>>,
    autonomous_system_number: Option<u32>,
    #[serde(borrow)]
    autonomous_system_organization: Option<&'a str>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Country<'a> {
    Nested {
        #[serde(borrow)]
        iso_code: Option<&'a str>,
    },
    Code(&'a str),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum City<'a> {
    Nested(#[serde(borrow)] Named<'a>),
    Name(&'a str),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named<'a> {
    #[serde(borrow)]
    names: Names<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Names<'a> {
    en: Option<&'a str>,
}

impl Row<'_> {
    fn answer(self) -> GeoAnswer {
        let code = match self.country {
            Some(Country::Nested { iso_code }) => iso_code,
            Some(Country::Code(code)) => Some(code),
            None => self.country_code,
        };
        let city = self.city.and_then(|city| match city {
            City::Nested(named) => named.names.en,
            City::Name(name) => Some(name),
        });
        let region = self.subdivisions.first().and_then(|region| region.names.en).or(self.state1);
        let named = |name: Option<&str>| name.filter(|name| !name.is_empty()).map(Text::cut);
        GeoAnswer {
            place: SessionPlace {
                country: code.and_then(|code| code.parse().ok()),
                region: named(region),
                city: named(city),
            },
            autonomous_system: self
                .autonomous_system_number
                .map(|number| AutonomousSystem { number, name: named(self.autonomous_system_organization) }),
        }
    }
}
