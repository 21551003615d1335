//! Addresses that look like the public internet.
//!
//! Addresses of people, scrapers and attackers are arbitrary: they are drawn from the seed over the public unicast
//! ranges and say nothing about whoever holds them. Only declared crawlers come from a network that their
//! operator publishes, so that verification by range has something to verify.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::chance::Chance;

/// A home's or a phone's address: 30 % IPv6, each in a /64 of its own.
pub(super) fn home(chance: &mut Chance) -> IpAddr {
    if chance.percent(30) {
        // Four providers' blocks; /64s inside them are spread at random, interface ids too.
        let provider =
            *chance.pick(&[[0x2a02, 0x8071], [0x2a01, 0x0e0a], [0x2601, 0x0646], [0x2804, 0x14c0]]);
        let part = |chance: &mut Chance| chance.below(0x1_0000) as u16;
        let network = [part(chance), part(chance)];
        let host = [part(chance), part(chance), part(chance), part(chance)];
        IpAddr::V6(Ipv6Addr::new(
            provider[0],
            provider[1],
            network[0],
            network[1],
            host[0],
            host[1],
            host[2],
            host[3],
        ))
    } else {
        let (a, b) = (*chance.pick(&HOMES), chance.below(256) as u8);
        host_in(chance, [a, b, 0], 0xff)
    }
}

/// A server's address, alone in a hosting network.
pub(super) fn server(chance: &mut Chance) -> IpAddr {
    let network = hosting_network(chance);
    host_in(chance, network, 0)
}

/// The first three octets of a hosting network, in which a distributed tool clusters.
pub(super) fn hosting_network(chance: &mut Chance) -> [u8; 3] {
    [*chance.pick(&HOSTING), chance.below(256) as u8, chance.below(256) as u8]
}

/// An address in a hosting network.
pub(super) fn in_network(chance: &mut Chance, network: [u8; 3]) -> IpAddr {
    host_in(chance, network, 0)
}

/// An address in a network that a crawler's operator publishes.
pub(super) fn published(chance: &mut Chance, network: [u8; 3]) -> IpAddr {
    host_in(chance, network, 0)
}

/// `spread` says which bits of the third octet may change.
fn host_in(chance: &mut Chance, network: [u8; 3], spread: u8) -> IpAddr {
    let third = network[2] | (chance.below(256) as u8 & spread);
    IpAddr::V4(Ipv4Addr::new(network[0], network[1], third, 1 + chance.below(254) as u8))
}

/// First octets of public unicast space that hold no reserved, private or documentation range and none of the
/// published crawler networks.
const HOMES: [u8; 24] =
    [2, 5, 24, 31, 37, 46, 62, 71, 73, 76, 78, 79, 82, 84, 86, 87, 88, 90, 93, 95, 109, 113, 186, 201];
const HOSTING: [u8; 6] = [45, 51, 94, 138, 159, 167];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_public() {
        let mut chance = Chance::new(5, "network", 0);
        for _ in 0..20_000 {
            for address in [home(&mut chance), server(&mut chance)] {
                match address {
                    IpAddr::V4(v4) => assert!(
                        !v4.is_private()
                            && !v4.is_loopback()
                            && !v4.is_link_local()
                            && !v4.is_multicast()
                            && !v4.is_documentation()
                            && !v4.is_broadcast()
                            && v4.octets()[0] != 0
                            && v4.octets()[3] != 0
                    ),
                    IpAddr::V6(v6) => assert_eq!(v6.segments()[0] & 0xe000, 0x2000),
                }
            }
        }
    }

    #[test]
    fn homes_are_spread_and_a_hosting_network_is_not() {
        let mut chance = Chance::new(5, "spread", 0);
        let homes: std::collections::BTreeSet<_> = (0..1_000).map(|_| home(&mut chance)).collect();
        assert!(homes.len() > 990, "{}", homes.len());
        let network = hosting_network(&mut chance);
        for _ in 0..100 {
            let IpAddr::V4(v4) = in_network(&mut chance, network) else { panic!("hosting is IPv4") };
            assert_eq!(v4.octets()[..3], network);
        }
    }
}
