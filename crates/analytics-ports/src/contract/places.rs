//! What every [`GeoLocator`] does. Cases panic when it misbehaves; [`place_cases!`](crate::place_cases) lists them.

use core::net::{IpAddr, Ipv4Addr};

use crate::{GeoAnswer, GeoLocator};

/// A locator, and what its data say.
pub struct Places<'a> {
    /// The locator.
    pub locator: &'a dyn GeoLocator,
    /// Addresses that its data know, an IPv4 address among them, with all that is known.
    pub known: &'a [(IpAddr, GeoAnswer)],
    /// Public addresses that its data do not know.
    pub unknown: &'a [IpAddr],
}

/// Whole, and each time the same, in whatever order it is asked.
pub fn what_is_known_is_answered_each_time_the_same(places: &Places<'_>) {
    assert!(!places.known.is_empty());
    for (address, answer) in places.known.iter().chain(places.known.iter().rev()) {
        assert_ne!(answer, &GeoAnswer::default());
        assert_eq!(&places.locator.locate(*address), answer, "{address}");
    }
}

/// What the data do not know is nothing, and no error.
pub fn what_is_unknown_has_no_place(places: &Places<'_>) {
    assert!(!places.unknown.is_empty());
    for &address in places.unknown {
        assert_eq!(places.locator.locate(address), GeoAnswer::default(), "{address}");
    }
}

/// Private, local and unspecified addresses are nowhere, whatever the data say of their numbers.
pub fn a_private_address_has_no_place(places: &Places<'_>) {
    let nowhere = [
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "127.0.0.1",
        "169.254.1.1",
        "0.0.0.0",
        "::",
        "::1",
        "fc00::1",
        "fdff::1",
        "fe80::1",
        "::ffff:10.0.0.1",
    ];
    for address in nowhere {
        let address: IpAddr = address.parse().unwrap();
        assert_eq!(places.locator.locate(address), GeoAnswer::default(), "{address}");
    }
}

/// An IPv4 address says the same when it comes as IPv6.
pub fn a_mapped_address_is_taken_as_ipv4(places: &Places<'_>) {
    let v4 = |address: IpAddr| match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    };
    let known: Vec<(Ipv4Addr, &GeoAnswer)> =
        places.known.iter().filter_map(|(address, answer)| Some((v4(*address)?, answer))).collect();
    assert!(!known.is_empty());
    for (address, answer) in known {
        assert_eq!(&places.locator.locate(address.to_ipv6_mapped().into()), answer, "{address}");
    }
}

/// Hands the names of all cases for locators to a macro of yours.
#[macro_export]
macro_rules! place_cases {
    ($stamp:ident) => {
        $stamp! {
            places::what_is_known_is_answered_each_time_the_same,
            places::what_is_unknown_has_no_place,
            places::a_private_address_has_no_place,
            places::a_mapped_address_is_taken_as_ipv4,
        }
    };
}
