//! Addresses as logs write them, the last ones remembered.

use std::net::{IpAddr, Ipv4Addr};

use xxhash_rust::xxh3::xxh3_64;

use super::scan;

/// Reads addresses; remembers those read last, since a page and its assets are asked for from one.
#[derive(Debug, Clone, Default)]
pub(super) struct Addresses {
    /// Each text has one slot where it can be; the newest there stays. None before the first is read.
    slots: Vec<Slot>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    text: [u8; LONGEST],
    length: u8,
    address: IpAddr,
}

impl Slot {
    const EMPTY: Self = Self { text: [0; LONGEST], length: 0, address: IpAddr::V4(Ipv4Addr::UNSPECIFIED) };

    fn text(&self) -> &[u8] {
        &self.text[..usize::from(self.length)]
    }
}

impl Addresses {
    /// What [`scan::address`] reads.
    pub(super) fn read(&mut self, text: &[u8]) -> Option<IpAddr> {
        if text.is_empty() || text.len() > LONGEST {
            return scan::address(text);
        }
        if self.slots.is_empty() {
            self.slots = vec![Slot::EMPTY; SLOTS];
        }
        let slot = &mut self.slots[slot_of(text)];
        if slot.text() == text {
            return Some(slot.address);
        }
        let address = scan::address(text)?;
        slot.text[..text.len()].copy_from_slice(text);
        slot.length = text.len() as u8;
        slot.address = address;
        Some(address)
    }
}

fn slot_of(text: &[u8]) -> usize {
    xxh3_64(text) as usize % SLOTS
}

/// As long as an address is without port, brackets and zone; what is longer is read each time.
const LONGEST: usize = 39;
/// More than most sites have clients within a minute; 57 KiB.
const SLOTS: usize = 1_024;

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_remembered_is_what_is_read(
            texts in proptest::collection::vec(
                prop_oneof![
                    any::<Ipv4Addr>().prop_map(|address| address.to_string()),
                    any::<Ipv6Addr>().prop_map(|address| address.to_string()),
                    "[0-9a-f.:]{0,41}",
                ],
                0..200,
            ),
        ) {
            let mut addresses = Addresses::default();
            for text in texts.iter().chain(&texts) {
                prop_assert_eq!(addresses.read(text.as_bytes()), scan::address(text.as_bytes()), "{}", text);
            }
        }
    }

    #[test]
    fn texts_that_share_a_slot_are_told_apart_though_one_begins_the_other() {
        let mut shared = 0;
        for (a, b) in (0..=255).flat_map(|a| (1..=25).map(move |b| (a, b))) {
            let (short, long) = (format!("192.0.{a}.{b}"), format!("192.0.{a}.{b}5"));
            shared += u32::from(slot_of(short.as_bytes()) == slot_of(long.as_bytes()));
            let mut addresses = Addresses::default();
            for text in [&short, &long, &short, &long] {
                assert_eq!(addresses.read(text.as_bytes()), text.parse().ok());
            }
        }
        assert!(shared > 0, "no two of these texts share a slot");
    }
}
