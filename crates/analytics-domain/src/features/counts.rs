//! Counts that stay small however long a session is.

use alloc::vec::Vec;

/// How often each page was asked for: exactly for the first 256 distinct pages; every request for another counts as one
/// for a page of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PageCounts {
    /// By hash of the page, in order.
    pages: Vec<(u64, u32)>,
    others: u32,
    total: u32,
}

impl PageCounts {
    pub(super) fn push(&mut self, page: u64) {
        self.total = self.total.saturating_add(1);
        match self.pages.binary_search_by_key(&page, |&(page, _)| page) {
            Ok(at) => self.pages[at].1 = self.pages[at].1.saturating_add(1),
            Err(at) if self.pages.len() < MOST_PAGES => self.pages.insert(at, (page, 1)),
            Err(_) => self.others = self.others.saturating_add(1),
        }
    }

    pub(super) const fn total(&self) -> u32 {
        self.total
    }

    /// The most requests for one page.
    pub(super) fn most(&self) -> u32 {
        self.pages.iter().map(|&(_, count)| count).max().unwrap_or(0)
    }

    /// Entropy in bits, 0 to 32; `None` without a request.
    pub(super) fn entropy(&self) -> Option<f64> {
        let known = self.pages.iter().map(|&(_, count)| count);
        entropy(known, self.others, self.total)
    }

    /// Distinct pages, as far as they are told apart.
    pub(super) fn distinct(&self) -> u32 {
        (self.pages.len() as u32).saturating_add(self.others)
    }
}

/// Lengths of time in classes that double: below 1 ms, below 2 ms, below 4 ms and so on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct DoublingClasses {
    counts: [u32; CLASSES],
    total: u32,
}

impl DoublingClasses {
    pub(super) fn push(&mut self, length_us: i64) {
        let ms = length_us.max(0) as u64 / 1_000;
        let class = (u64::BITS - ms.leading_zeros()) as usize;
        let count = &mut self.counts[class.min(CLASSES - 1)];
        *count = count.saturating_add(1);
        self.total = self.total.saturating_add(1);
    }

    /// Entropy of the classes in bits, 0 to 5; `None` without a length.
    pub(super) fn entropy(&self) -> Option<f64> {
        entropy(self.counts.iter().copied(), 0, self.total)
    }
}

/// Entropy of counts, with this many further ones of 1 each, in bits; never below 0.
fn entropy(counts: impl Iterator<Item = u32>, singles: u32, total: u32) -> Option<f64> {
    if total == 0 {
        return None;
    }
    let whole = f64::from(total);
    let part = |count: u32| {
        let share = f64::from(count) / whole;
        -share * libm::log2(share)
    };
    let sum: f64 = counts.filter(|&count| count > 0).map(part).sum();
    let rest = if singles > 0 { f64::from(singles) * part(1) } else { 0.0 };
    Some((sum + rest).max(0.0))
}

const MOST_PAGES: usize = 256;
/// 2³¹ ms are 24 days; sessions are shorter.
const CLASSES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_pages_once_each_have_two_bits() {
        let mut counts = PageCounts::default();
        (0..4).for_each(|page| counts.push(page));
        assert_eq!((counts.entropy(), counts.most(), counts.distinct()), (Some(2.0), 1, 4));
        counts.push(1);
        assert_eq!((counts.most(), counts.total()), (2, 5));
        assert_eq!(PageCounts::default().entropy(), None);
    }

    #[test]
    fn beyond_256_pages_each_request_is_a_page_of_its_own() {
        let mut counts = PageCounts::default();
        (0..1024).for_each(|page| counts.push(page));
        assert_eq!((counts.distinct(), counts.total()), (1024, 1024));
        assert!((counts.entropy().unwrap() - 10.0).abs() < 1e-9);
    }

    #[test]
    fn equal_lengths_have_no_entropy() {
        let mut classes = DoublingClasses::default();
        classes.push(5_000_000);
        classes.push(5_100_000);
        assert_eq!(classes.entropy(), Some(0.0));
        classes.push(0);
        classes.push(500);
        assert_eq!(classes.entropy(), Some(1.0));
    }
}
