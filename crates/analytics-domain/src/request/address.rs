//! The client's address: the peer, or what trusted proxies say about it.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use super::{Ipv6Prefix, Network};

/// Whom to believe about a client's address.
///
/// The default trusts nobody: the peer of the connection is the client, whatever any header says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AddressPolicy {
    /// Networks of the site's own proxies. Only they are believed. Default: none.
    pub trusted_proxies: Vec<Network>,
    /// The one header in which those proxies name the client. All others are ignored, also from trusted peers,
    /// since proxies pass a client's own copies through. Default: `X-Forwarded-For`.
    pub forwarding_header: ForwardingHeader,
    /// How many leading bits of an IPv6 address name a client. Default: 64.
    pub ipv6_prefix: Ipv6Prefix,
}

impl AddressPolicy {
    /// Whether the address is one of the site's own proxies.
    pub fn is_trusted(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(address))
    }
}

/// The header in which proxies name the client.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ForwardingHeader {
    /// `X-Forwarded-For`: a list of addresses, the nearest last.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239): a list of elements, each with a `for` parameter.
    Forwarded,
    /// `X-Real-IP`: one address, set by the nearest proxy.
    XRealIp,
    /// Another header with a list of addresses, such as `CF-Connecting-IP`; its name in any case.
    Other(String),
}

impl ForwardingHeader {
    /// The name of the header.
    pub fn name(&self) -> &str {
        match self {
            Self::XForwardedFor => "X-Forwarded-For",
            Self::Forwarded => "Forwarded",
            Self::XRealIp => "X-Real-IP",
            Self::Other(name) => name,
        }
    }
}

impl From<String> for ForwardingHeader {
    fn from(name: String) -> Self {
        [Self::XForwardedFor, Self::Forwarded, Self::XRealIp]
            .into_iter()
            .find(|known| known.name().eq_ignore_ascii_case(&name))
            .unwrap_or(Self::Other(name))
    }
}

impl From<ForwardingHeader> for String {
    fn from(header: ForwardingHeader) -> Self {
        header.name().into()
    }
}

/// The address of the client behind `peer`.
///
/// `fields` are the values of the header that [`AddressPolicy::forwarding_header`] names, in the order in which they
/// came; values of other headers must not be among them. They are read only when the peer is a trusted proxy: from
/// right to left, to the first address that is not trusted. An element that is no address (`unknown`, `_hidden`,
/// rubbish) ends the walk at the last good address, and empty elements are skipped. The answer is never an
/// IPv4-mapped IPv6 address.
#[expect(single_use_lifetimes, reason = "stable Rust has no anonymous lifetimes in `impl Trait`")]
pub fn client_address<'a>(
    policy: &AddressPolicy,
    peer: IpAddr,
    fields: impl DoubleEndedIterator<Item = &'a str>,
) -> IpAddr {
    let mut client = peer.to_canonical();
    if !policy.is_trusted(client) {
        return client;
    }
    for element in fields.rev().flat_map(|field| field.rsplit(',')).map(str::trim) {
        if element.is_empty() {
            continue;
        }
        let node = match policy.forwarding_header {
            ForwardingHeader::Forwarded => forwarded_for(element),
            ForwardingHeader::XForwardedFor | ForwardingHeader::XRealIp | ForwardingHeader::Other(_) => {
                Some(element)
            }
        };
        let Some(address) = node.and_then(node_address) else { return client };
        client = address;
        if !policy.is_trusted(client) {
            return client;
        }
    }
    client
}

/// The `for` parameter of one element of `Forwarded`.
///
/// Elements are split at commas whatever quotes say: a quoted comma never stands in a readable address, and a
/// client that leaves a quote open must not be able to swallow what proxies append after it.
fn forwarded_for(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let value = value.trim();
        name.trim()
            .eq_ignore_ascii_case("for")
            .then(|| value.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(value))
    })
}

/// The address of `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`.
fn node_address(node: &str) -> Option<IpAddr> {
    let address = if let Some(rest) = node.strip_prefix('[') {
        let (inside, after) = rest.split_once(']')?;
        if !after.is_empty() && !after.strip_prefix(':').is_some_and(is_port) {
            return None;
        }
        IpAddr::V6(inside.parse::<Ipv6Addr>().ok()?)
    } else {
        match node.split_once(':') {
            Some((host, port)) if is_port(port) => IpAddr::V4(host.parse::<Ipv4Addr>().ok()?),
            Some(_) | None => node.parse().ok()?,
        }
    };
    Some(address.to_canonical())
}

/// A port is digits, or hidden behind an underscore (RFC 7239 §6.3).
fn is_port(text: &str) -> bool {
    match text.strip_prefix('_') {
        Some(hidden) => {
            !hidden.is_empty() && hidden.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        }
        None => !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case(&[], "10.0.0.1")]
    #[case(&["203.0.113.9"], "203.0.113.9")]
    #[case(&["198.51.100.1, 203.0.113.9"], "203.0.113.9")]
    #[case(&["198.51.100.1", "203.0.113.9, 10.0.0.7"], "203.0.113.9")]
    #[case(&["203.0.113.9:4711"], "203.0.113.9")]
    #[case(&["[2001:db8::1]:443"], "2001:db8::1")]
    #[case(&["[2001:db8::1]"], "2001:db8::1")]
    #[case(&["2001:db8::1"], "2001:db8::1")]
    #[case(&["::ffff:203.0.113.9"], "203.0.113.9")]
    #[case(&["203.0.113.9, unknown, 10.0.0.7"], "10.0.0.7")]
    #[case(&["203.0.113.9, _hidden"], "10.0.0.1")]
    #[case(&["10.0.0.9, 10.0.0.8"], "10.0.0.9")]
    #[case(&["203.0.113.9, , "], "203.0.113.9")]
    #[case(&["203.0.113.9 198.51.100.1"], "10.0.0.1")]
    #[case(&["[2001:db8::1]x"], "10.0.0.1")]
    #[case(&["[192.0.2.1]"], "10.0.0.1")]
    fn the_walk_goes_from_right_to_the_first_untrusted_address(
        #[case] fields: &[&str],
        #[case] client: &str,
    ) {
        let policy = behind_ten(ForwardingHeader::XForwardedFor);
        assert_eq!(client_address(&policy, ip("10.0.0.1"), fields.iter().copied()), ip(client));
    }

    #[rstest]
    #[case("for=203.0.113.9", "203.0.113.9")]
    #[case("for=198.51.100.1;proto=https, For=\"203.0.113.9:80\";by=10.0.0.1", "203.0.113.9")]
    #[case("for=\"[2001:db8::1]:_port\"", "2001:db8::1")]
    #[case("for=203.0.113.9, proto=https", "10.0.0.1")]
    #[case("for=203.0.113.9, for=_secret", "10.0.0.1")]
    #[case("for=\"open, for=203.0.113.9", "203.0.113.9")]
    fn forwarded_elements_name_the_client_in_for(#[case] field: &str, #[case] client: &str) {
        let policy = behind_ten(ForwardingHeader::Forwarded);
        assert_eq!(client_address(&policy, ip("10.0.0.1"), [field].into_iter()), ip(client));
    }

    #[test]
    fn a_mapped_peer_is_its_ipv4_address_and_is_trusted_as_such() {
        let policy = behind_ten(ForwardingHeader::XRealIp);
        let client = client_address(&policy, ip("::ffff:10.0.0.1"), ["203.0.113.9"].into_iter());
        assert_eq!(client, ip("203.0.113.9"));
        assert_eq!(
            client_address(&AddressPolicy::default(), ip("::ffff:10.0.0.1"), [].into_iter()),
            ip("10.0.0.1")
        );
    }

    #[test]
    fn a_header_is_configured_by_its_name_in_any_case() {
        let read = |name: &str| ForwardingHeader::from(String::from(name));
        assert_eq!(read("x-forwarded-for"), ForwardingHeader::XForwardedFor);
        assert_eq!(read("FORWARDED"), ForwardingHeader::Forwarded);
        assert_eq!(read("x-real-ip"), ForwardingHeader::XRealIp);
        assert_eq!(read("CF-Connecting-IP"), ForwardingHeader::Other("CF-Connecting-IP".into()));
    }

    #[test]
    fn the_default_policy_is_what_an_empty_configuration_reads_as() {
        let read: AddressPolicy = serde_json::from_str("{}").unwrap();
        assert_eq!(read, AddressPolicy::default());
    }

    proptest! {
        #[test]
        fn with_no_trusted_proxy_no_header_changes_the_answer(
            peer: IpAddr,
            fields in prop::collection::vec(any::<String>(), 0..4),
            header in headers(),
        ) {
            let policy = AddressPolicy { forwarding_header: header, ..AddressPolicy::default() };
            let answer = client_address(&policy, peer, fields.iter().map(String::as_str));
            prop_assert_eq!(answer, peer.to_canonical());
        }

        #[test]
        fn nothing_left_of_the_answer_changes_it(left in any::<String>(), client: Ipv4Addr, header in headers()) {
            prop_assume!(client.octets()[0] != 10);
            let policy = behind_ten(header);
            let right = match policy.forwarding_header {
                ForwardingHeader::Forwarded => format!("for={client}, for=10.0.0.7"),
                ForwardingHeader::XForwardedFor | ForwardingHeader::XRealIp | ForwardingHeader::Other(_) => {
                    format!("{client}, 10.0.0.7")
                }
            };
            let joined = format!("{left},{right}");
            let one = client_address(&policy, ip("10.0.0.1"), [joined.as_str()].into_iter());
            let two = client_address(&policy, ip("10.0.0.1"), [left.as_str(), right.as_str()].into_iter());
            prop_assert_eq!(one, IpAddr::V4(client));
            prop_assert_eq!(two, IpAddr::V4(client));
        }

        #[test]
        fn any_text_is_read_without_panic(fields in prop::collection::vec(any::<String>(), 0..4), header in headers()) {
            let policy = behind_ten(header);
            client_address(&policy, ip("10.0.0.1"), fields.iter().map(String::as_str));
        }
    }

    fn headers() -> impl Strategy<Value = ForwardingHeader> {
        prop::sample::select(vec![
            ForwardingHeader::XForwardedFor,
            ForwardingHeader::Forwarded,
            ForwardingHeader::XRealIp,
            ForwardingHeader::Other("X-Client".into()),
        ])
    }

    fn behind_ten(header: ForwardingHeader) -> AddressPolicy {
        AddressPolicy {
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
            forwarding_header: header,
            ..AddressPolicy::default()
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }
}
