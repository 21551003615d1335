//! Who a request belongs to: the counting identity and the abuse identity.
//!
//! Both are BLAKE3 keyed hashes of which 128 bits are kept. Every field goes in with its length before it, so no two
//! different tuples give the same bytes. A client can never name its own fingerprint.

use core::fmt;

use crate::ids::{FingerprintHash, SessionId, StandingId, VisitorId};
use crate::request::ClientNetwork;

/// A secret that identities are made with; shown by nothing, compared by nothing.
#[derive(Clone)]
pub struct IdentityKey([u8; 32]);

impl IdentityKey {
    /// The key with these bytes, which the caller drew at random and keeps.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The fixed key of replays that are given no secret: it makes ids equal in every run, and hides nothing.
    pub const REPLAY: Self = Self(*b"analytics replay, not a secret!!");

    /// A key for one purpose and one day, derived from this one. Days cannot be linked once this key is gone.
    #[must_use]
    pub fn for_day(&self, day: i32) -> Self {
        let mut hash = blake3::Hasher::new_keyed(&self.0);
        hash.update(b"day");
        hash.update(&day.to_le_bytes());
        Self(*hash.finalize().as_bytes())
    }

    /// The counting identity of an agent on a network, for one site.
    pub fn visitor(&self, site: &str, network: ClientNetwork, agent: &str) -> VisitorId {
        VisitorId::from_u128(self.hash(b"visitor", &[site.as_bytes(), &network.to_bytes(), agent.as_bytes()]))
    }

    /// The counting identity of one of several that share agent and network, as a session cookie tells them apart; number 0
    /// is [`IdentityKey::visitor`].
    pub fn visitor_beside(&self, site: &str, network: ClientNetwork, agent: &str, number: u8) -> VisitorId {
        if number == 0 {
            return self.visitor(site, network, agent);
        }
        let fields: [&[u8]; 4] = [site.as_bytes(), &network.to_bytes(), agent.as_bytes(), &[number]];
        VisitorId::from_u128(self.hash(b"visitor", &fields))
    }

    /// The abuse identity of an agent on a network.
    pub fn fingerprint(
        &self,
        network: ClientNetwork,
        agent: &str,
        accept_language: &str,
        ja4: &str,
    ) -> FingerprintHash {
        let fields: [&[u8]; 4] =
            [&network.to_bytes(), agent.as_bytes(), accept_language.as_bytes(), ja4.as_bytes()];
        FingerprintHash::from_u128(self.hash(b"fingerprint", &fields))
    }

    /// The session of a visitor that starts at this time, in microseconds since the epoch.
    ///
    /// `serial` tells sessions of one visitor apart that start at the same microsecond.
    pub fn session(&self, visitor: VisitorId, started_us: i64, serial: u32) -> SessionId {
        let fields: [&[u8]; 3] =
            [&visitor.as_u128().to_le_bytes(), &started_us.to_le_bytes(), &serial.to_le_bytes()];
        SessionId::from_u128(self.hash(b"session", &fields))
    }

    /// The name of something about a network, or about a client of it, in a written standing.
    pub(crate) fn standing(&self, what: &[u8], network: ClientNetwork, client: [u64; 2]) -> StandingId {
        let [agent, headers] = client.map(u64::to_le_bytes);
        StandingId::from_u128(self.hash(b"standing", &[what, &network.to_bytes(), &agent, &headers]))
    }

    fn hash(&self, purpose: &[u8], fields: &[&[u8]]) -> u128 {
        let mut hash = blake3::Hasher::new_keyed(&self.0);
        for field in core::iter::once(&purpose).chain(fields) {
            hash.update(&(field.len() as u64).to_le_bytes());
            hash.update(field);
        }
        let mut bytes = [0u8; 16];
        bytes.copy_from_slice(&hash.finalize().as_bytes()[..16]);
        u128::from_le_bytes(bytes)
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentityKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::format;

    const KEY: IdentityKey = IdentityKey::new([7; 32]);
    const NETWORK: ClientNetwork = ClientNetwork::V4(0xc000_0201);

    proptest! {
        #[test]
        fn fields_that_differ_give_other_identities(a in ".{0,20}", b in ".{0,20}", c in ".{0,20}", d in ".{0,20}") {
            prop_assume!((&a, &b) != (&c, &d));
            prop_assert_ne!(KEY.visitor(&a, NETWORK, &b), KEY.visitor(&c, NETWORK, &d));
            prop_assert_ne!(KEY.fingerprint(NETWORK, &a, &b, ""), KEY.fingerprint(NETWORK, &c, &d, ""));
        }
    }

    #[test]
    fn moving_a_byte_between_fields_changes_the_identity() {
        assert_ne!(KEY.visitor("ab", NETWORK, "c"), KEY.visitor("a", NETWORK, "bc"));
    }

    #[test]
    fn visitors_beside_each_other_are_as_many_as_their_numbers() {
        let of = |number| KEY.visitor_beside("site", NETWORK, "agent", number);
        assert_eq!(of(0), KEY.visitor("site", NETWORK, "agent"));
        let all: std::collections::BTreeSet<_> = (0..=u8::MAX).map(of).collect();
        assert_eq!(all.len(), 256);
    }

    #[test]
    fn another_day_or_key_gives_another_identity() {
        let of = |key: &IdentityKey| key.visitor("site", NETWORK, "agent");
        assert_ne!(of(&KEY.for_day(1)), of(&KEY.for_day(2)));
        assert_ne!(of(&KEY.for_day(1)), of(&IdentityKey::new([8; 32]).for_day(1)));
        assert_eq!(of(&KEY.for_day(1)), of(&KEY.for_day(1)));
    }

    #[test]
    fn ipv4_and_ipv6_networks_with_the_same_bits_differ() {
        assert_ne!(
            KEY.visitor("", ClientNetwork::V4(9), ""),
            KEY.visitor("", ClientNetwork::V6 { bits: 9, prefix: 64 }, "")
        );
    }

    #[test]
    fn a_key_is_not_printed() {
        assert_eq!(format!("{KEY:?}"), "IdentityKey(…)");
    }
}
