//! Bans: of whom, why, until when, and who is never banned.

use core::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::BanPolicy;
use crate::ids::{BanId, FingerprintHash};
use crate::request::Network;
use crate::throttle::{Mode, instant};

/// One ban, as it is stored, listed and exported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// Its identifier.
    pub id: BanId,
    /// Who is banned.
    pub subject: BanSubject,
    /// Why.
    pub reason: BanReason,
    /// When it begins.
    pub from: DateTime<Utc>,
    /// When it ends; at this instant it is over.
    pub until: DateTime<Utc>,
    /// Made in shadow mode: listed and marked, never exported, binds nobody.
    pub would_ban: bool,
}

/// Who is banned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BanSubject {
    /// One client, by its keyed hash.
    Fingerprint(FingerprintHash),
    /// A whole network; the clear address is kept only until the ban ends.
    Network(Network),
}

/// Why somebody is banned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BanReason {
    /// Several incidents in 24 h, one of them hostile.
    RepeatedIncidents,
    /// Nearly all of a network's requests came from banned fingerprints, after several hostile incidents.
    HostileNetwork,
    /// A person ordered it.
    Manual,
}

/// A ban that a rule has decided, before it has an identifier and a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BanTerm {
    /// Why.
    pub reason: BanReason,
    /// When it begins.
    pub from: DateTime<Utc>,
    /// When it ends.
    pub until: DateTime<Utc>,
    /// Made in shadow mode.
    pub would_ban: bool,
}

/// Why somebody is never banned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protection {
    /// Loopback, private, link-local, shared or unspecified: the address is no client of the open internet.
    PrivateNetwork,
    /// The address is a trusted proxy's: a ban would hit everyone behind it.
    TrustedProxy,
    /// The policy's list names its network.
    AllowListed,
    /// A crawler whose claim was verified.
    VerifiedCrawler,
}

/// Why the client at this address is never banned; `None` if it can be.
pub fn protection(
    policy: &BanPolicy,
    trusted_proxies: &[Network],
    address: IpAddr,
    verified_crawler: bool,
) -> Option<Protection> {
    let listed = |networks: &[Network]| networks.iter().any(|network| network.contains(address));
    if Network::is_private(address) {
        Some(Protection::PrivateNetwork)
    } else if listed(trusted_proxies) {
        Some(Protection::TrustedProxy)
    } else if listed(&policy.settings().never) {
        Some(Protection::AllowListed)
    } else {
        verified_crawler.then_some(Protection::VerifiedCrawler)
    }
}

impl Ban {
    /// Whether the ban has begun and not ended.
    pub fn is_running(&self, now: DateTime<Utc>) -> bool {
        self.from <= now && now < self.until
    }

    /// Whether the ban refuses requests now: it runs, and was not made in shadow mode.
    pub fn binds(&self, now: DateTime<Utc>) -> bool {
        self.is_running(now) && !self.would_ban
    }
}

impl BanTerm {
    /// The ban of this subject, under this identifier.
    pub const fn of(self, id: BanId, subject: BanSubject) -> Ban {
        Ban {
            id,
            subject,
            reason: self.reason,
            from: self.from,
            until: self.until,
            would_ban: self.would_ban,
        }
    }
}

/// The last ban of one subject, and how many followed each other within the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) until_us: i64,
    pub(super) row: u8,
}

impl Record {
    /// The next ban from `now_us`; `None` while one runs, and with mode off.
    pub(super) fn next(&mut self, policy: &BanPolicy, reason: BanReason, now_us: i64) -> Option<BanTerm> {
        if policy.mode() == Mode::Off || (self.row > 0 && now_us < self.until_us) {
            return None;
        }
        let again = self.row > 0 && now_us < self.until_us.saturating_add(policy.memory_us());
        self.row = if again { self.row.saturating_add(1) } else { 1 };
        self.until_us = now_us.saturating_add(policy.length_us(self.row));
        Some(BanTerm {
            reason,
            from: instant(now_us),
            until: instant(self.until_us),
            would_ban: policy.mode() == Mode::Shadow,
        })
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::super::BanSettings;
    use super::*;

    #[test]
    fn private_trusted_listed_and_verified_clients_are_never_banned() {
        let net = |text: &str| text.parse::<Network>().unwrap();
        let policy =
            BanPolicy::new(BanSettings { never: [net("192.0.2.0/24")].into(), ..Default::default() })
                .unwrap();
        let proxies = [net("2001:db8:1::/48")];
        let why = |address: &str, crawler| protection(&policy, &proxies, address.parse().unwrap(), crawler);
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.0.1",
            "169.254.0.1",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
        ] {
            assert_eq!(why(private, false), Some(Protection::PrivateNetwork));
        }
        assert_eq!(why("2001:db8:1::9", false), Some(Protection::TrustedProxy));
        assert_eq!(why("192.0.2.9", true), Some(Protection::AllowListed));
        assert_eq!(why("198.51.100.9", true), Some(Protection::VerifiedCrawler));
        assert_eq!(why("198.51.100.9", false), None);
    }

    #[test]
    fn bans_double_within_the_memory_up_to_the_longest() {
        let policy = BanPolicy::default();
        let mut record = Record { until_us: i64::MIN, row: 0 };
        let mut now = 0;
        let mut hours = Vec::new();
        for _ in 0..10 {
            let term = record.next(&policy, BanReason::Manual, now).unwrap();
            assert_eq!(record.next(&policy, BanReason::Manual, record.until_us - 1), None);
            hours.push((term.until - term.from).num_hours());
            now = record.until_us;
        }
        assert_eq!(hours, [1, 2, 4, 8, 16, 32, 64, 128, 168, 168]);
        let term = record.next(&policy, BanReason::Manual, now + policy.memory_us()).unwrap();
        assert_eq!((term.until - term.from).num_hours(), 1);
    }

    #[test]
    fn a_ban_binds_from_its_first_instant_to_before_its_last_and_never_in_shadow_mode() {
        let (from, until) = (instant(1), instant(3));
        let term = BanTerm { reason: BanReason::Manual, from, until, would_ban: false };
        let subject = BanSubject::Fingerprint(FingerprintHash::from_u128(1));
        let ban = term.of(BanId::from_u128(2), subject);
        let shadow = BanTerm { would_ban: true, ..term }.of(BanId::from_u128(2), subject);
        let binds = [0, 1, 2, 3].map(|us| (ban.binds(instant(us)), shadow.binds(instant(us))));
        assert_eq!(binds, [(false, false), (true, false), (true, false), (false, false)]);
        let text = serde_json::to_string(&ban).unwrap();
        assert_eq!(serde_json::from_str::<Ban>(&text).unwrap(), ban);
    }
}
