//! Doubly linked lists over slots: who came last, by standing.

/// In which list a visitor stands. Eviction takes from the first list that has anyone, its oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// Gives access to the links of a slot.
pub(super) trait Slots {
    fn links(&self, slot: u32) -> &Links;
    fn links_mut(&mut self, slot: u32) -> &mut Links;
}

impl Lists {
    /// Puts a slot that is in no list at the young end of this one.
    pub(super) fn append(&mut self, slots: &mut impl Slots, slot: u32, place: Place) {
        let (first, last) = &mut self.ends[place as usize];
        *slots.links_mut(slot) = Links { before: *last, after: NONE, place };
        if *last == NONE {
            *first = slot;
        } else {
            slots.links_mut(*last).after = slot;
        }
        *last = slot;
    }

    /// Takes a slot out of its list.
    pub(super) fn remove(&mut self, slots: &mut impl Slots, slot: u32) {
        let Links { before, after, place } = *slots.links(slot);
        let (first, last) = &mut self.ends[place as usize];
        if before == NONE {
            *first = after;
        } else {
            slots.links_mut(before).after = after;
        }
        if after == NONE { *last = before } else { slots.links_mut(after).before = before }
    }

    /// Moves a slot to the young end of a list; nothing to do when it is there already.
    pub(super) fn touch(&mut self, slots: &mut impl Slots, slot: u32, place: Place) {
        let links = slots.links(slot);
        if links.place == place && links.after == NONE {
            return;
        }
        self.remove(slots, slot);
        self.append(slots, slot, place);
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

    struct Plain(Vec<Links>);

    impl Slots for Plain {
        fn links(&self, slot: u32) -> &Links {
            &self.0[slot as usize]
        }

        fn links_mut(&mut self, slot: u32) -> &mut Links {
            &mut self.0[slot as usize]
        }
    }

    proptest! {
        #[test]
        fn lists_keep_the_order_of_touches(touches in proptest::collection::vec((0u32..8, 0usize..6), 0..200)) {
            let mut slots = Plain(std::vec![Links::default(); 8]);
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
                    at = slots.links(slot).younger();
                }
                prop_assert_eq!(&seen, &model[place as usize]);
                prop_assert_eq!(lists.youngest(place), seen.last().copied());
                prop_assert!(seen.windows(2).all(|pair| slots.links(pair[1]).older() == Some(pair[0])));
            }
        }
    }
}
