//! Addresses as logs write them, the last ones remembered.

use std::net::IpAddr;

use xxhash_rust::xxh3::xxh3_64;

use super::scan;

/// Reads addresses; remembers those read last, since a page and its assets are asked for from one.
#[derive(Debug, Clone)]
pub(super) struct Addresses {
    /// Each text has one slot where it can be; the newest there stays.
    slots: Vec<Slot>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    text: [u8; LONGEST],
    length: u8,
    address: IpAddr,
}

impl Default for Addresses {
    fn default() -> Self {
        let empty = Slot { text: [0; LONGEST], length: 0, address: IpAddr::from([0; 4]) };
        Self { slots: vec![empty; SLOTS] }
    }
}

impl Addresses {
    /// What [`scan::address`] reads.
    pub(super) fn read(&mut self, text: &[u8]) -> Option<IpAddr> {
        if text.is_empty() || text.len() > LONGEST {
            return scan::address(text);
        }
        let slot = &mut self.slots[xxh3_64(text) as usize % SLOTS];
        if &slot.text[..usize::from(slot.length)] == text {
            return Some(slot.address);
        }
        let address = scan::address(text)?;
        slot.text[..text.len()].copy_from_slice(text);
        slot.length = text.len() as u8;
        slot.address = address;
        Some(address)
    }
}

/// The longest text of an IPv6 address.
const LONGEST: usize = 39;
/// More than most sites have clients within a minute; 57 KiB.
const SLOTS: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Texts of few letters, so that many are addresses and many come again; of 200 some have one slot.
        #[test]
        fn a_remembered_address_is_the_one_that_is_read(
            texts in proptest::collection::vec("[12]{0,3}[.:]{1,2}[12]{0,2}([.:][12]{1,2}){0,9}", 0..200),
        ) {
            let mut addresses = Addresses::default();
            for text in texts.iter().chain(&texts) {
                prop_assert_eq!(addresses.read(text.as_bytes()), scan::address(text.as_bytes()), "{}", text);
            }
        }
    }

    #[test]
    fn a_text_that_takes_the_slot_of_a_longer_one_leaves_nothing_of_it() {
        let mut addresses = Addresses::default();
        let texts = (0..=255).flat_map(|n| [format!("192.0.2.{n}"), format!("2001:db8::{n:x}:aaaa:bbbb")]);
        let texts: Vec<String> = texts.flat_map(|text| [text.clone(), text]).collect();
        for text in texts.iter().chain(&texts) {
            assert_eq!(addresses.read(text.as_bytes()), text.parse().ok());
        }
    }
}
