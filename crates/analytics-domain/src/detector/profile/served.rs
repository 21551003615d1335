//! Which pages were served to a visitor, in 64 bytes.

/// Remembers pages served to one visitor: never forgets one, and now and then takes another for one of them.
///
/// A Bloom filter of 512 bits with two bits a page: with 50 pages one in 30 others is taken for served, with 200 pages
/// every third. The rules that ask it speak only when the answer is no, so a full filter makes them silent.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ServedPages {
    bits: [u64; 8],
}

impl ServedPages {
    /// Remembers the page with this hash.
    pub fn insert(&mut self, page: u64) {
        for bit in bits(page) {
            self.bits[bit / 64] |= 1 << (bit % 64);
        }
    }

    /// Whether the page may have been served; `false` is certain.
    pub fn maybe(&self, page: u64) -> bool {
        bits(page).into_iter().all(|bit| self.bits[bit / 64] & 1 << (bit % 64) != 0)
    }

    /// Whether any page was served.
    pub fn any(&self) -> bool {
        self.bits.iter().any(|&word| word != 0)
    }
}

fn bits(page: u64) -> [usize; 2] {
    [(page >> 48) as usize % 512, (page >> 32) as usize % 512]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_served_page_is_never_forgotten(pages in proptest::collection::vec(any::<u64>(), 1..300)) {
            let mut served = ServedPages::default();
            prop_assert!(!served.any());
            for &page in &pages {
                served.insert(page);
            }
            prop_assert!(served.any());
            prop_assert!(pages.iter().all(|&page| served.maybe(page)));
        }
    }
}
