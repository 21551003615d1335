//! Bans as the lists that proxies and firewalls read.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::str::FromStr;

use analytics_domain::reputation::{Ban, BanSubject};
use analytics_domain::request::Network;
use analytics_domain::throttle::Mode;
use chrono::{DateTime, SecondsFormat, Utc};

/// The networks whose bans bind now, in the order of their addresses.
///
/// Only bans of networks are in it. The ban of a fingerprint names one client by a hash, and no proxy can tell who that
/// is; the service refuses it itself. Nothing is exported unless bans are enforced, and a ban made in shadow mode never.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BanList {
    networks: BTreeMap<Network, DateTime<Utc>>,
    /// Bans of fingerprints, which the list leaves to the service.
    fingerprints: usize,
    now: DateTime<Utc>,
}

/// What reads the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BanListFormat {
    /// nginx, `deny` directives to include in a server or location.
    Nginx,
    /// nginx, a `geo` block that sets `$analytics_banned`, to include in `http`.
    NginxGeo,
    /// Caddy, a matcher and the refusal, to import in a site.
    Caddy,
    /// nftables, sets with the time that is left, for `nft -f`.
    Nftables,
}

/// A text that names no [`BanListFormat`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no format of ban lists; there are nginx, nginx-geo, caddy and nftables")]
pub struct UnknownBanListFormat(String);

impl BanList {
    /// The list of those of the bans that bind at `now`; empty unless the mode is enforce.
    pub fn new(mode: Mode, bans: &[Ban], now: DateTime<Utc>) -> Self {
        let mut list = Self { networks: BTreeMap::new(), fingerprints: 0, now };
        let enforced = mode == Mode::Enforce;
        for ban in bans.iter().filter(|ban| enforced && ban.binds(now)) {
            match ban.subject {
                BanSubject::Fingerprint(_) => list.fingerprints += 1,
                BanSubject::Network(network) => {
                    let until = list.networks.entry(network).or_insert(ban.until);
                    *until = ban.until.max(*until);
                }
            }
        }
        list
    }

    /// The text for what reads it.
    pub fn to_text(&self, format: BanListFormat) -> String {
        let mut text = format!(
            "# Banned by Analytics at {}: {} networks. {} banned fingerprints are refused by the service itself.\n",
            self.now.to_rfc3339_opts(SecondsFormat::Secs, true),
            self.networks.len(),
            self.fingerprints,
        );
        // Writing to a string cannot fail.
        let _ = match format {
            BanListFormat::Nginx => self.nginx(&mut text),
            BanListFormat::NginxGeo => self.nginx_geo(&mut text),
            BanListFormat::Caddy => self.caddy(&mut text),
            BanListFormat::Nftables => self.nftables(&mut text),
        };
        text
    }

    fn nginx(&self, out: &mut String) -> fmt::Result {
        self.networks.keys().try_for_each(|network| writeln!(out, "deny {network};"))
    }

    fn nginx_geo(&self, out: &mut String) -> fmt::Result {
        out.push_str("geo $analytics_banned {\n    default 0;\n");
        self.networks.keys().try_for_each(|network| writeln!(out, "    {network} 1;"))?;
        out.write_str("}\n")
    }

    /// A matcher without a network is an error of Caddy, so an empty list is nothing but its comment.
    fn caddy(&self, out: &mut String) -> fmt::Result {
        if self.networks.is_empty() {
            return Ok(());
        }
        out.push_str("@banned client_ip");
        self.networks.keys().try_for_each(|network| write!(out, " {network}"))?;
        out.write_str("\nrespond @banned 403\n")
    }

    /// Sets of intervals may not overlap, so a network inside a banned one is left out; a list that is loaded again
    /// after the wider ban has ended has it.
    fn nftables(&self, out: &mut String) -> fmt::Result {
        out.push_str("add table inet analytics\n");
        for (set, kind, wanted) in [("banned4", "ipv4_addr", true), ("banned6", "ipv6_addr", false)] {
            writeln!(out, "add set inet analytics {set} {{ type {kind}; flags interval, timeout; }}")?;
            writeln!(out, "flush set inet analytics {set}")?;
            let mut wider: Option<Network> = None;
            for (&network, &until) in &self.networks {
                let address = network.address();
                let inside = wider.is_some_and(|wider| wider.contains(address));
                if matches!(address, IpAddr::V4(_)) != wanted || inside {
                    continue;
                }
                wider = Some(network);
                let left = (until - self.now).num_seconds().max(1);
                writeln!(out, "add element inet analytics {set} {{ {network} timeout {left}s }}")?;
            }
        }
        Ok(())
    }
}

impl BanListFormat {
    /// All formats, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Nginx, Self::NginxGeo, Self::Caddy, Self::Nftables];

    /// The name in requests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::NginxGeo => "nginx-geo",
            Self::Caddy => "caddy",
            Self::Nftables => "nftables",
        }
    }
}

impl FromStr for BanListFormat {
    type Err = UnknownBanListFormat;

    fn from_str(text: &str) -> Result<Self, UnknownBanListFormat> {
        let named = Self::ALL.into_iter().find(|format| format.as_str() == text);
        named.ok_or_else(|| UnknownBanListFormat(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use analytics_domain::ids::{BanId, FingerprintHash};
    use analytics_domain::reputation::BanReason;

    use super::*;

    #[test]
    fn each_list_has_the_networks_that_are_banned_now_in_the_order_of_their_addresses() {
        let list = BanList::new(Mode::Enforce, &bans(), at(60));
        let head = "# Banned by Analytics at 2026-07-01T00:01:00Z: 4 networks. \
                    1 banned fingerprints are refused by the service itself.\n";
        let body = |format| list.to_text(format).strip_prefix(head).unwrap().to_owned();
        assert_eq!(
            body(BanListFormat::Nginx),
            "deny 198.51.100.0/24;\ndeny 198.51.100.9/32;\ndeny 203.0.113.7/32;\ndeny 2001:db8::/64;\n"
        );
        assert_eq!(
            body(BanListFormat::NginxGeo),
            "geo $analytics_banned {\n    default 0;\n    198.51.100.0/24 1;\n    198.51.100.9/32 1;\n    \
             203.0.113.7/32 1;\n    2001:db8::/64 1;\n}\n"
        );
        assert_eq!(
            body(BanListFormat::Caddy),
            "@banned client_ip 198.51.100.0/24 198.51.100.9/32 203.0.113.7/32 2001:db8::/64\nrespond @banned 403\n"
        );
        assert_eq!(
            body(BanListFormat::Nftables),
            "add table inet analytics\n\
             add set inet analytics banned4 { type ipv4_addr; flags interval, timeout; }\n\
             flush set inet analytics banned4\n\
             add element inet analytics banned4 { 198.51.100.0/24 timeout 3540s }\n\
             add element inet analytics banned4 { 203.0.113.7/32 timeout 7140s }\n\
             add set inet analytics banned6 { type ipv6_addr; flags interval, timeout; }\n\
             flush set inet analytics banned6\n\
             add element inet analytics banned6 { 2001:db8::/64 timeout 3540s }\n"
        );
    }

    #[test]
    fn nothing_is_exported_unless_bans_are_enforced() {
        for mode in [Mode::Off, Mode::Shadow] {
            let list = BanList::new(mode, &bans(), at(60));
            assert!(list.networks.is_empty(), "{mode:?}");
        }
        let would = bans().into_iter().map(|ban| Ban { would_ban: true, ..ban }).collect::<Vec<_>>();
        let list = BanList::new(Mode::Enforce, &would, at(60));
        assert_eq!(list, BanList { networks: BTreeMap::new(), fingerprints: 0, now: at(60) });
        for format in [BanListFormat::Nginx, BanListFormat::Caddy] {
            assert_eq!(list.to_text(format).lines().count(), 1, "a comment, which every reader takes");
        }
    }

    #[test]
    fn a_ban_is_listed_from_its_first_instant_to_before_its_last() {
        let ban = [ban("203.0.113.7", 10, 20)];
        let listed =
            [9, 10, 19, 20].map(|second| BanList::new(Mode::Enforce, &ban, at(second)).networks.len());
        assert_eq!(listed, [0, 1, 1, 0]);
    }

    #[test]
    fn every_format_is_read_by_its_name() {
        for format in BanListFormat::ALL {
            assert_eq!(format.as_str().parse(), Ok(format));
        }
        let told = "iptables".parse::<BanListFormat>().unwrap_err().to_string();
        assert_eq!(
            told,
            "`iptables` is no format of ban lists; there are nginx, nginx-geo, caddy and nftables"
        );
    }

    fn bans() -> Vec<Ban> {
        let fingerprint = BanSubject::Fingerprint(FingerprintHash::from_u128(1));
        vec![
            ban("2001:db8::/64", 0, 3_600),
            ban("203.0.113.7", 0, 3_600),
            ban("198.51.100.9", 0, 9_999),
            Ban { subject: fingerprint, ..ban("203.0.113.7", 0, 3_600) },
            ban("203.0.113.7", 30, 7_200),
            ban("198.51.100.0/24", 0, 3_600),
            ban("192.0.2.1", 0, 60),
        ]
    }

    fn ban(network: &str, from: i64, until: i64) -> Ban {
        Ban {
            id: BanId::from_u128(1),
            subject: BanSubject::Network(network.parse().unwrap()),
            reason: BanReason::Manual,
            from: at(from),
            until: at(until),
            would_ban: false,
        }
    }

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_782_864_000 + second, 0).unwrap()
    }
}
