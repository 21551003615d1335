//! Networks: blocks of addresses, the key of a client, and the neighbourhoods around it.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use alloc::string::String;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::AddressPolicy;

/// A block of addresses, such as `10.0.0.0/8`.
///
/// Bits past the prefix are zero. An IPv4-mapped IPv6 block is the IPv4 block that it stands for. Networks order by
/// family, then address, then prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is not a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseNetworkError {
    /// The part before the slash is no IP address.
    #[error("a network begins with an IPv4 or IPv6 address")]
    Address,
    /// The part after the slash is no number within the address's bits.
    #[error("a prefix is a number from 0 to {0}")]
    Prefix(u8),
}

impl Network {
    /// The block of all addresses that share the first `prefix` bits with `address`; a prefix past the address's
    /// bits counts as all of them (32 for IPv4, 128 for IPv6).
    pub fn containing(address: IpAddr, prefix: u8) -> Self {
        match address {
            IpAddr::V4(v4) => Self::v4(v4.to_bits(), prefix),
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) => Self::v4(v4.to_bits(), prefix.saturating_sub(96)),
                None => Self::v6(v6.to_bits(), prefix),
            },
        }
    }

    /// Whether the address lies in this block; an IPv4-mapped IPv6 address is the IPv4 address that it stands for.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits()) & mask32(self.prefix) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits()) & mask128(self.prefix) == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// The first address of the block.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// How many leading bits all addresses of the block share.
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether the address is loopback, private, link-local, shared (RFC 6598) or unspecified, so that it can be no
    /// client's address on the open internet.
    pub fn is_private(address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let [a, b, _, _] = v4.octets();
                v4.is_loopback()
                    || v4.is_private()
                    || v4.is_link_local()
                    || v4.is_unspecified()
                    || (a == 100 && (64..128).contains(&b))
            }
            IpAddr::V6(v6) => {
                v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local()
            }
        }
    }

    fn v4(bits: u32, prefix: u8) -> Self {
        let prefix = prefix.min(32);
        Self { address: IpAddr::V4(Ipv4Addr::from_bits(bits & mask32(prefix))), prefix }
    }

    fn v6(bits: u128, prefix: u8) -> Self {
        let prefix = prefix.min(128);
        Self { address: IpAddr::V6(Ipv6Addr::from_bits(bits & mask128(prefix))), prefix }
    }
}

impl FromStr for Network {
    type Err = ParseNetworkError;

    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or a single address, which is a block of one.
    fn from_str(text: &str) -> Result<Self, ParseNetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| ParseNetworkError::Address)?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok().filter(|prefix| *prefix <= bits).ok_or(ParseNetworkError::Prefix(bits))?
            }
            Some(_) => return Err(ParseNetworkError::Prefix(bits)),
        };
        Ok(Self::containing(address, prefix))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The network that stands for one client: the key of identity, quota and ban.
///
/// An IPv4 client is its address. An IPv6 client is its first 64 bits (or fewer, by [`AddressPolicy`]), since a
/// household gets a whole block and changes within it at will. As text `192.0.2.1/32` or `2001:db8::/64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientNetwork {
    /// One IPv4 address, as its bits.
    V4(u32),
    /// An IPv6 block.
    V6 {
        /// The upper 64 bits of the block's first address.
        bits: u64,
        /// How many leading bits the block's addresses share, at most 64.
        prefix: u8,
    },
}

impl ClientNetwork {
    /// The network of a client at this address; an IPv4-mapped IPv6 address counts as IPv4.
    pub fn of(policy: &AddressPolicy, address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::V4(v4.to_bits()),
            IpAddr::V6(v6) => Self::v6((v6.to_bits() >> 64) as u64, policy.ipv6_prefix.get()),
        }
    }

    /// The neighbourhood in which one operator's clients tend to sit.
    pub const fn neighbourhood(self) -> Neighbourhood {
        match self {
            Self::V4(bits) => Neighbourhood::V4(bits & mask32(24)),
            Self::V6 { bits, .. } => Neighbourhood::V6(bits & mask64(48)),
        }
    }

    /// The /56 and the /48 around an IPv6 client, each with a ceiling of its own; nothing for IPv4.
    ///
    /// A network that is itself wider than a ceiling is its own ceiling there.
    pub fn ceilings(self) -> Option<[Self; 2]> {
        match self {
            Self::V4(_) => None,
            Self::V6 { bits, prefix } => {
                Some([56, 48].map(|ceiling: u8| Self::v6(bits, ceiling.min(prefix))))
            }
        }
    }

    /// The same block as a [`Network`].
    pub fn network(self) -> Network {
        match self {
            Self::V4(bits) => Network::v4(bits, 32),
            Self::V6 { bits, prefix } => Network::v6(u128::from(bits) << 64, prefix),
        }
    }

    /// 17 bytes that differ between any two networks, for keyed hashes: the prefix, then the first address with
    /// IPv4 mapped into IPv6.
    pub fn to_bytes(self) -> [u8; 17] {
        let (prefix, address) = match self {
            Self::V4(bits) => (32, u128::from(bits) | 0xffff_0000_0000),
            Self::V6 { bits, prefix } => (prefix, u128::from(bits) << 64),
        };
        let mut bytes = [prefix; 17];
        bytes[1..].copy_from_slice(&address.to_be_bytes());
        bytes
    }

    fn v6(bits: u64, prefix: u8) -> Self {
        Self::V6 { bits: bits & mask64(prefix), prefix }
    }
}

impl fmt::Display for ClientNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.network().fmt(f)
    }
}

impl Serialize for ClientNetwork {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClientNetwork {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let network = Network::deserialize(deserializer)?;
        match (network.address, network.prefix) {
            (IpAddr::V4(v4), 32) => Ok(Self::V4(v4.to_bits())),
            (IpAddr::V6(v6), prefix @ ..=64) => Ok(Self::v6((v6.to_bits() >> 64) as u64, prefix)),
            (IpAddr::V4(_) | IpAddr::V6(_), _) => Err(serde::de::Error::custom(
                "a client network is an IPv4 /32 or an IPv6 block of at most /64",
            )),
        }
    }
}

/// The wider block around a client in which one operator's machines tend to sit: IPv4 /24 or IPv6 /48.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Neighbourhood {
    /// The bits of an IPv4 /24; the last eight are zero.
    V4(u32),
    /// The upper 64 bits of an IPv6 /48; the last sixteen are zero.
    V6(u64),
}

impl Neighbourhood {
    /// The block itself.
    pub fn network(self) -> Network {
        match self {
            Self::V4(bits) => Network::v4(bits, 24),
            Self::V6(bits) => Network::v6(u128::from(bits) << 64, 48),
        }
    }
}

impl fmt::Display for Neighbourhood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.network().fmt(f)
    }
}

/// How many leading bits of an IPv6 address name a client: 16 to 64.
///
/// The default is 64, the smallest block that a customer gets (RFC 6177); one customer can change addresses inside
/// it freely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Ipv6Prefix(u8);

/// An IPv6 prefix for clients lies outside 16 to 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the IPv6 prefix of a client is 16 to 64, not {0}")]
pub struct InvalidIpv6Prefix(u8);

impl Ipv6Prefix {
    /// The prefix of this many bits.
    ///
    /// # Errors
    /// [`InvalidIpv6Prefix`] when `bits` lies outside 16 to 64.
    pub const fn new(bits: u8) -> Result<Self, InvalidIpv6Prefix> {
        if bits < 16 || bits > 64 { Err(InvalidIpv6Prefix(bits)) } else { Ok(Self(bits)) }
    }

    /// The number of bits.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for Ipv6Prefix {
    fn default() -> Self {
        Self(64)
    }
}

impl TryFrom<u8> for Ipv6Prefix {
    type Error = InvalidIpv6Prefix;

    fn try_from(bits: u8) -> Result<Self, InvalidIpv6Prefix> {
        Self::new(bits)
    }
}

impl From<Ipv6Prefix> for u8 {
    fn from(prefix: Ipv6Prefix) -> Self {
        prefix.0
    }
}

const fn mask32(prefix: u8) -> u32 {
    if prefix == 0 { 0 } else { u32::MAX << (32 - prefix as u32) }
}

const fn mask64(prefix: u8) -> u64 {
    if prefix == 0 { 0 } else { u64::MAX << (64 - prefix as u32) }
}

const fn mask128(prefix: u8) -> u128 {
    if prefix == 0 { 0 } else { u128::MAX << (128 - prefix as u32) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("10.1.2.3/8", "10.0.0.0/8")]
    #[case("192.0.2.1", "192.0.2.1/32")]
    #[case("2001:db8::1/32", "2001:db8::/32")]
    #[case("::1", "::1/128")]
    #[case("0.0.0.0/0", "0.0.0.0/0")]
    #[case("::ffff:192.0.2.0/120", "192.0.2.0/24")]
    #[case("::ffff:192.0.2.0/95", "0.0.0.0/0")]
    fn a_network_reads_and_shows_its_first_address(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(text.parse::<Network>().map(|n| n.to_string()), Ok(shown.to_string()));
    }

    #[rstest]
    #[case("", ParseNetworkError::Address)]
    #[case("example.com/8", ParseNetworkError::Address)]
    #[case("10.0.0.0/33", ParseNetworkError::Prefix(32))]
    #[case("10.0.0.0/", ParseNetworkError::Prefix(32))]
    #[case("10.0.0.0/+8", ParseNetworkError::Prefix(32))]
    #[case("::/129", ParseNetworkError::Prefix(128))]
    fn what_is_no_network_is_refused_with_the_part_at_fault(
        #[case] text: &str,
        #[case] error: ParseNetworkError,
    ) {
        assert_eq!(text.parse::<Network>(), Err(error));
    }

    #[rstest]
    #[case("127.0.0.1", true)]
    #[case("10.9.9.9", true)]
    #[case("172.16.0.1", true)]
    #[case("172.32.0.1", false)]
    #[case("192.168.0.1", true)]
    #[case("169.254.1.1", true)]
    #[case("100.64.0.1", true)]
    #[case("100.128.0.1", false)]
    #[case("8.8.8.8", false)]
    #[case("::1", true)]
    #[case("fd00::1", true)]
    #[case("fe80::1", true)]
    #[case("::ffff:10.0.0.1", true)]
    #[case("2001:db8::1", false)]
    fn private_loopback_and_link_local_addresses_are_known(#[case] address: &str, #[case] private: bool) {
        assert_eq!(Network::is_private(address.parse().unwrap()), private);
    }

    #[test]
    fn a_client_is_its_ipv4_address_or_its_ipv6_block() {
        let policy = AddressPolicy::default();
        let shown = |text: &str| ClientNetwork::of(&policy, text.parse().unwrap()).to_string();
        assert_eq!(shown("192.0.2.1"), "192.0.2.1/32");
        assert_eq!(shown("::ffff:192.0.2.1"), "192.0.2.1/32");
        assert_eq!(shown("2001:db8::abcd:1"), "2001:db8::/64");
    }

    #[test]
    fn a_narrower_ipv6_prefix_joins_clients() {
        let policy = AddressPolicy { ipv6_prefix: Ipv6Prefix::new(56).unwrap(), ..AddressPolicy::default() };
        let client = |text: &str| ClientNetwork::of(&policy, text.parse().unwrap());
        assert_eq!(client("2001:db8:0:1::1"), client("2001:db8:0:2::1"));
        assert_eq!(client("2001:db8:0:1::1").to_string(), "2001:db8::/56");
    }

    #[test]
    fn ceilings_are_the_56_and_the_48_of_an_ipv6_client_and_none_for_ipv4() {
        let policy = AddressPolicy::default();
        let client = ClientNetwork::of(&policy, "2001:db8:1:1ff::1".parse().unwrap());
        let shown = client.ceilings().unwrap().map(|network| network.to_string());
        assert_eq!(shown, ["2001:db8:1:100::/56", "2001:db8:1::/48"]);
        assert_eq!(ClientNetwork::V4(1).ceilings(), None);
    }

    #[test]
    fn neighbourhoods_are_24_and_48() {
        let policy = AddressPolicy::default();
        let shown =
            |text: &str| ClientNetwork::of(&policy, text.parse().unwrap()).neighbourhood().to_string();
        assert_eq!(shown("192.0.2.77"), "192.0.2.0/24");
        assert_eq!(shown("2001:db8:1:2::3"), "2001:db8:1::/48");
    }

    #[test]
    fn an_ipv6_prefix_is_16_to_64() {
        assert_eq!(Ipv6Prefix::new(15), Err(InvalidIpv6Prefix(15)));
        assert_eq!(Ipv6Prefix::new(65), Err(InvalidIpv6Prefix(65)));
        assert_eq!(Ipv6Prefix::new(64), Ok(Ipv6Prefix::default()));
    }

    proptest! {
        #[test]
        fn a_network_contains_the_address_it_was_made_from(address: IpAddr, prefix: u8) {
            prop_assert!(Network::containing(address, prefix).contains(address));
        }

        #[test]
        fn text_and_network_round_trip(address: IpAddr, prefix: u8) {
            let network = Network::containing(address, prefix);
            prop_assert_eq!(network.to_string().parse::<Network>(), Ok(network));
        }

        #[test]
        fn a_client_lies_in_its_network_and_its_ceilings(address: IpAddr, bits in 16u8..=64) {
            let policy = AddressPolicy { ipv6_prefix: Ipv6Prefix::new(bits).unwrap(), ..AddressPolicy::default() };
            let client = ClientNetwork::of(&policy, address);
            prop_assert!(client.network().contains(address));
            for ceiling in client.ceilings().into_iter().flatten() {
                prop_assert!(ceiling.network().contains(address));
            }
        }

        #[test]
        fn networks_of_different_clients_have_different_bytes(a: IpAddr, b: IpAddr) {
            let policy = AddressPolicy::default();
            let (a, b) = (ClientNetwork::of(&policy, a), ClientNetwork::of(&policy, b));
            prop_assert_eq!(a == b, a.to_bytes() == b.to_bytes());
        }
    }
}
