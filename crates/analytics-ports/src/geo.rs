//! Where an address is registered.

use core::net::IpAddr;

use analytics_domain::session::{SessionPlace, Text};

/// Tells where an address is registered, as far as its data go.
///
/// Not async: the data are in memory, and requests are not held up for them. What is not known is `None`; there is no
/// error, since nobody waits for a place.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait GeoLocator: Send + Sync {
    /// What is known of this address; an IPv4-mapped IPv6 address is taken as IPv4. A private address has no place.
    fn locate(&self, address: IpAddr) -> GeoAnswer;
}

/// What is known of an address. The default is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GeoAnswer {
    /// Country, region and city.
    pub place: SessionPlace,
    /// Who routes the address.
    pub autonomous_system: Option<AutonomousSystem>,
}

/// A network operator, by its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutonomousSystem {
    /// The number that registries gave it.
    pub number: u32,
    /// Its name.
    pub name: Option<Text<128>>,
}
