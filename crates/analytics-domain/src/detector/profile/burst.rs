//! The busiest ten seconds.

/// The largest number of requests in any ten consecutive whole seconds, and in any one second.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Burst {
    /// The whole second that the newest slot stands for; meaningless while `largest` is 0.
    second: i64,
    slots: [u16; 10],
    sum: u16,
    largest: u16,
    largest_second: u16,
}

impl Burst {
    /// Counts one request at this second since the epoch; seconds never run backwards.
    pub fn push(&mut self, second: i64) {
        let ahead = if self.largest == 0 { 10 } else { second.saturating_sub(self.second).max(0) };
        let mut at = slot_of(self.second);
        if ahead >= 10 {
            self.slots = [0; 10];
            self.sum = 0;
            at = slot_of(second);
        } else {
            for _ in 0..ahead {
                at = if at == 9 { 0 } else { at + 1 };
                self.sum -= core::mem::take(&mut self.slots[at]);
            }
        }
        self.second = if self.largest == 0 { second } else { second.max(self.second) };
        let slot = &mut self.slots[at];
        if self.sum < u16::MAX {
            *slot += 1;
            self.sum += 1;
        }
        self.largest_second = self.largest_second.max(*slot);
        self.largest = self.largest.max(self.sum);
    }

    /// Most requests in ten consecutive whole seconds; at most 65,535.
    pub const fn in_ten_seconds(&self) -> u16 {
        self.largest
    }

    /// Most requests in one whole second; at most 65,535.
    pub const fn in_one_second(&self) -> u16 {
        self.largest_second
    }
}

fn slot_of(second: i64) -> usize {
    second.rem_euclid(10) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_running_maximum_equals_the_slow_one(steps in proptest::collection::vec(0i64..13, 1..200), start in -100i64..100) {
            let mut burst = Burst::default();
            let mut second = start;
            let mut seconds = std::vec![];
            for step in steps {
                second += step;
                seconds.push(second);
                burst.push(second);
            }
            let window = |width: i64| {
                seconds.iter().map(|&end| seconds.iter().filter(|&&s| s > end - width && s <= end).count()).max().unwrap()
            };
            prop_assert_eq!(usize::from(burst.in_ten_seconds()), window(10));
            prop_assert_eq!(usize::from(burst.in_one_second()), window(1));
        }
    }
}
