//! The last few page views of a visitor, until it is known whether assets followed.

/// A page view that waits for its assets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RecentPage {
    /// Hash of the page.
    pub page: u64,
    /// Hash of its directory.
    pub directory: u64,
    /// When it was answered, in microseconds since the epoch.
    pub at_us: i64,
    /// Whether the session had not seen the page before.
    pub new: bool,
    /// Whether an asset request named it.
    pub loaded: bool,
}

/// The last four page views: as many tabs as most people open at once.
///
/// One that waits no more is kept until its slot is taken, for form posts and dependent requests.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RecentPages {
    slots: [Slot; SLOTS],
    /// A bit for each slot whose page was new, the first lowest; so the next two.
    new: u8,
    /// For each whose page an asset named.
    loaded: u8,
    /// For each that waits still.
    open: u8,
    next: u8,
    filled: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Slot {
    page: u64,
    directory: u64,
    at_us: i64,
}

impl RecentPages {
    /// Adds a page view, and gives back the one that had to leave while it waited still.
    pub fn push(&mut self, page: RecentPage) -> Option<RecentPage> {
        let RecentPage { page, directory, at_us, new, loaded } = page;
        let slot = usize::from(self.next);
        let left = (self.open & bit(slot) != 0).then(|| self.view(slot));
        self.slots[slot] = Slot { page, directory, at_us };
        self.new = self.new & !bit(slot) | u8::from(new) << slot;
        self.loaded = self.loaded & !bit(slot) | u8::from(loaded) << slot;
        self.open |= bit(slot);
        self.next = (self.next + 1) % SLOTS as u8;
        self.filled = (self.filled + 1).min(SLOTS as u8);
        left
    }

    /// Notes that an asset was requested for the page it names, or for the newest where assets name none. Of several
    /// views of the page it is the one of the latest time, and of those the one that came last.
    pub fn load(&mut self, named: Option<u64>) {
        let age = |slot: usize| (usize::from(self.next) + SLOTS - 1 - slot) % SLOTS;
        let loaded = match named {
            Some(page) => (0..usize::from(self.filled))
                .filter(|&slot| self.slots[slot].page == page)
                .max_by_key(|&slot| (self.slots[slot].at_us, core::cmp::Reverse(age(slot)))),
            None => (0..usize::from(self.filled)).min_by_key(|&slot| age(slot)),
        };
        if let Some(slot) = loaded {
            self.loaded |= bit(slot);
        }
    }

    /// Takes a page view that waits no longer: one of `before_us` or older, oldest first.
    pub fn settle(&mut self, before_us: i64) -> Option<RecentPage> {
        if self.open == 0 {
            return None;
        }
        let slot = (0..SLOTS)
            .filter(|&slot| self.open & bit(slot) != 0 && self.slots[slot].at_us <= before_us)
            .min_by_key(|&slot| self.slots[slot].at_us)?;
        self.open &= !bit(slot);
        Some(self.view(slot))
    }

    /// When this page was last viewed among the recent ones, in microseconds since the epoch.
    pub fn viewed_at(&self, page: u64) -> Option<i64> {
        let filled = &self.slots[..usize::from(self.filled)];
        filled.iter().filter(|slot| slot.page == page).map(|slot| slot.at_us).max()
    }

    /// Whether any view waits.
    pub const fn waiting(&self) -> bool {
        self.open > 0
    }

    fn view(&self, slot: usize) -> RecentPage {
        let Slot { page, directory, at_us } = self.slots[slot];
        let (new, loaded) = (self.new & bit(slot) != 0, self.loaded & bit(slot) != 0);
        RecentPage { page, directory, at_us, new, loaded }
    }
}

const fn bit(slot: usize) -> u8 {
    1 << slot
}

const SLOTS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn view(page: u64, at_us: i64) -> RecentPage {
        RecentPage { page, at_us, ..RecentPage::default() }
    }

    #[test]
    fn the_fifth_view_pushes_the_first_out() {
        let mut recent = RecentPages::default();
        assert!((1..=4).all(|n| recent.push(view(n, n as i64)).is_none()));
        assert_eq!(recent.push(view(5, 5)).map(|left| left.page), Some(1));
    }

    #[test]
    fn a_view_settles_once_and_when_it_is_old_enough() {
        let mut recent = RecentPages::default();
        recent.push(view(1, 10));
        assert_eq!(recent.settle(9), None);
        assert_eq!(recent.settle(10).map(|settled| settled.page), Some(1));
        assert_eq!(recent.settle(10), None);
        assert!(!recent.waiting());
    }

    #[test]
    fn an_asset_loads_the_page_it_names() {
        let mut recent = RecentPages::default();
        recent.push(view(1, 10));
        recent.push(view(2, 20));
        recent.load(Some(1));
        assert_eq!(recent.settle(30).map(|s| (s.page, s.loaded)), Some((1, true)));
        assert_eq!(recent.settle(30).map(|s| (s.page, s.loaded)), Some((2, false)));
    }

    #[test]
    fn an_asset_loads_the_view_that_came_last_of_two_at_one_time() {
        let mut recent = RecentPages::default();
        for page in 2..=4 {
            recent.push(view(page, 0));
        }
        recent.push(view(1, 10));
        recent.push(RecentPage { new: true, ..view(1, 10) });
        recent.load(Some(1));
        let settled: std::vec::Vec<_> = core::iter::from_fn(|| recent.settle(10)).collect();
        assert!(settled.iter().all(|page| page.loaded == page.new), "{settled:?}");
    }

    #[test]
    fn a_view_at_the_epoch_is_a_view() {
        let mut recent = RecentPages::default();
        recent.push(view(1, 0));
        recent.load(Some(1));
        assert_eq!(recent.viewed_at(1), Some(0));
        assert_eq!(recent.settle(0).map(|settled| settled.loaded), Some(true));
    }

    #[test]
    fn an_asset_without_referrer_loads_the_newest_page() {
        let mut recent = RecentPages::default();
        recent.push(view(1, 10));
        recent.push(view(2, 20));
        recent.load(None);
        assert_eq!(recent.settle(30).map(|s| (s.page, s.loaded)), Some((1, false)));
        assert_eq!(recent.settle(30).map(|s| (s.page, s.loaded)), Some((2, true)));
    }
}
