//! The network that a session came from.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An IPv4 or IPv6 network: an address whose bits past the prefix are zero, and the length of the prefix.
///
/// As text in CIDR notation, `192.0.2.0/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionNetwork {
    address: IpAddr,
    prefix: u8,
}

/// Why a text or a pair is not a [`SessionNetwork`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNetwork {
    /// The prefix is longer than the address: 32 bits for IPv4, 128 for IPv6.
    #[error("a prefix of {0} bits is longer than the address")]
    Prefix(u8),
    /// The text is not an address, a slash and a number.
    #[error("a network is written as address/prefix")]
    Syntax,
    /// A bit past the prefix is set, so that the text names a host and not a network.
    #[error("the address has bits past the prefix")]
    HostBits,
}

impl SessionNetwork {
    /// The network of this prefix length that holds the address. An IPv4-mapped IPv6 address is taken as IPv4.
    ///
    /// # Errors
    /// [`InvalidNetwork::Prefix`] when the prefix is longer than the address.
    pub fn of(address: IpAddr, prefix: u8) -> Result<Self, InvalidNetwork> {
        let address = address.to_canonical();
        match address {
            IpAddr::V4(v4) if prefix <= 32 => {
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                Ok(Self { address: IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask)), prefix })
            }
            IpAddr::V6(v6) if prefix <= 128 => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                Ok(Self { address: IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask)), prefix })
            }
            IpAddr::V4(_) | IpAddr::V6(_) => Err(InvalidNetwork::Prefix(prefix)),
        }
    }

    /// The lowest address of the network.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// The length of the prefix in bits: 0 to 32 for IPv4, 0 to 128 for IPv6.
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }
}

impl fmt::Display for SessionNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for SessionNetwork {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let (address, prefix) = text.split_once('/').ok_or(InvalidNetwork::Syntax)?;
        let address: IpAddr = address.parse().map_err(|_| InvalidNetwork::Syntax)?;
        let network = Self::of(address, prefix.parse().map_err(|_| InvalidNetwork::Syntax)?)?;
        if network.address == address { Ok(network) } else { Err(InvalidNetwork::HostBits) }
    }
}

impl Serialize for SessionNetwork {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SessionNetwork {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = alloc::string::String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;

    #[test]
    fn the_bits_past_the_prefix_are_dropped() {
        let network =
            |text: &str, prefix| SessionNetwork::of(text.parse().unwrap(), prefix).unwrap().to_string();
        assert_eq!(network("192.0.2.77", 24), "192.0.2.0/24");
        assert_eq!(network("192.0.2.77", 32), "192.0.2.77/32");
        assert_eq!(network("192.0.2.77", 0), "0.0.0.0/0");
        assert_eq!(network("::ffff:192.0.2.77", 24), "192.0.2.0/24");
        assert_eq!(network("2001:db8:1:2:3::4", 48), "2001:db8:1::/48");
        assert_eq!(network("2001:db8::1", 0), "::/0");
    }

    #[test]
    fn what_is_not_a_network_is_refused_with_the_reason() {
        assert_eq!(SessionNetwork::of("192.0.2.1".parse().unwrap(), 33), Err(InvalidNetwork::Prefix(33)));
        assert_eq!("192.0.2.1/24".parse::<SessionNetwork>(), Err(InvalidNetwork::HostBits));
        assert_eq!("192.0.2.1".parse::<SessionNetwork>(), Err(InvalidNetwork::Syntax));
        assert_eq!("192.0.2.0/x".parse::<SessionNetwork>(), Err(InvalidNetwork::Syntax));
    }

    proptest! {
        #[test]
        fn text_and_network_round_trip(address: IpAddr, prefix in 0u8..=128) {
            if let Ok(network) = SessionNetwork::of(address, prefix) {
                prop_assert_eq!(network.to_string().parse(), Ok(network));
            }
        }
    }
}
