//! Doubly linked lists over slots: who came last, by standing.

/// In which list a visitor stands. Eviction takes from the first list that has anyone, its oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Place {
    /// No open session and no standing to lose.
    Idle = 0,
    /// An open session, Normal.
    Open = 1,
    /// Warning or Severe, or flagged, without an open session.
    WatchedIdle = 2,
    /// The same with an open session.
    Watched = 3,
    /// Blocked, without an open session.
    BarredIdle = 4,
    /// The same with an open session.
    Barred = 5,
}

impl Place {
    pub(super) const ALL: [Self; 6] =
        [Self::Idle, Self::Open, Self::WatchedIdle, Self::Watched, Self::BarredIdle, Self::Barred];

    /// The places of visitors with an open session.
    pub(super) const WITH_SESSION: [Self; 3] = [Self::Open, Self::Watched, Self::Barred];
}

/// A slot's neighbours in its list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Links {
    before: u32,
    after: u32,
    place: Place,
}

impl Default for Links {
    fn default() -> Self {
        Self { before: NONE, after: NONE, place: Place::Idle }
    }
}

/// The ends of the lists.
#[derive(Debug, Clone)]
pub(super) struct Lists {
    ends: [(u32, u32); 6],
}

impl Default for Lists {
    fn default() -> Self {
        Self { ends: [(NONE, NONE); 6] }
    }
}

impl Lists {
    /// Puts a slot that is in no list at the young end of this one.
    pub(super) fn append(&mut self, links: &mut [Links], slot: u32, place: Place) {
        let (first, last) = &mut self.ends[place as usize];
        links[slot as usize] = Links { before: *last, after: NONE, place };
        if *last == NONE {
            *first = slot;
        } else {
            links[*last as usize].after = slot;
        }
        *last = slot;
    }

    /// Takes a slot out of its list.
    pub(super) fn remove(&mut self, links: &mut [Links], slot: u32) {
        let Links { before, after, place } = links[slot as usize];
        let (first, last) = &mut self.ends[place as usize];
        if before == NONE {
            *first = after;
        } else {
            links[before as usize].after = after;
        }
        if after == NONE { *last = before } else { links[after as usize].before = before }
    }

    /// Moves a slot to the young end of a list; nothing to do when it is there already.
    pub(super) fn touch(&mut self, links: &mut [Links], slot: u32, place: Place) {
        let held = links[slot as usize];
        if held.place == place && held.after == NONE {
            return;
        }
        self.remove(links, slot);
        self.append(links, slot, place);
    }

    /// The oldest slot of a list.
    pub(super) fn oldest(&self, place: Place) -> Option<u32> {
        Some(self.ends[place as usize].0).filter(|&slot| slot != NONE)
    }

    /// The youngest slot of a list.
    pub(super) fn youngest(&self, place: Place) -> Option<u32> {
        Some(self.ends[place as usize].1).filter(|&slot| slot != NONE)
    }
}

impl Links {
    /// The next older slot in the list.
    pub(super) fn older(&self) -> Option<u32> {
        Some(self.before).filter(|&slot| slot != NONE)
    }

    /// The next younger slot in the list.
    pub(super) fn younger(&self) -> Option<u32> {
        Some(self.after).filter(|&slot| slot != NONE)
    }
}

const NONE: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn lists_keep_the_order_of_touches(touches in proptest::collection::vec((0u32..8, 0usize..6), 0..200)) {
            let mut slots = std::vec![Links::default(); 8];
            let mut lists = Lists::default();
            let mut model: [Vec<u32>; 6] = Default::default();
            for slot in 0..8 {
                lists.append(&mut slots, slot, Place::Idle);
                model[0].push(slot);
            }
            for (slot, place) in touches {
                lists.touch(&mut slots, slot, Place::ALL[place]);
                for list in &mut model {
                    list.retain(|&held| held != slot);
                }
                model[place].push(slot);
            }
            for place in Place::ALL {
                let mut seen = Vec::new();
                let mut at = lists.oldest(place);
                while let Some(slot) = at {
                    seen.push(slot);
                    at = slots[slot as usize].younger();
                }
                prop_assert_eq!(&seen, &model[place as usize]);
                prop_assert_eq!(lists.youngest(place), seen.last().copied());
                prop_assert!(seen.windows(2).all(|pair| slots[pair[1] as usize].older() == Some(pair[0])));
            }
        }
    }
}
