//! The busiest ten seconds.

/// The largest number of requests in any ten consecutive whole seconds, and in any one second.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Burst {
    /// The whole second that the newest slot stands for; meaningless while `largest` is 0.
    second: i64,
    /// Requests of the last ten seconds, each second in the slot of its low bits; the other slots are 0.
    slots: [u16; SLOTS as usize],
    sum: u16,
    largest: u16,
    largest_second: u16,
}

impl Burst {
    /// Counts one request at this second since the epoch; seconds never run backwards.
    pub fn push(&mut self, second: i64) {
        if self.largest == 0 {
            self.second = second;
        }
        let passed = second.saturating_sub(self.second);
        if passed > 0 {
            self.advance(second, passed.min(i64::from(WINDOW)) as i16);
        }
        let slot = &mut self.slots[slot_of(self.second) as usize];
        if self.sum < u16::MAX {
            *slot += 1;
            self.sum += 1;
        }
        self.largest_second = self.largest_second.max(*slot);
        self.largest = self.largest.max(self.sum);
    }

    /// Forgets what is ten seconds old or more, all slots at once: that is a few instructions, one by one is more.
    fn advance(&mut self, second: i64, passed: i16) {
        self.second = second;
        self.sum = 0;
        let newest = slot_of(second);
        for (held, slot) in self.slots.iter_mut().zip(0..) {
            let age = (newest - slot) & (SLOTS - 1);
            // One that seems younger than what has passed is a whole round older.
            *held = if age >= passed && age < WINDOW { *held } else { 0 };
            self.sum += *held;
        }
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

const fn slot_of(second: i64) -> i16 {
    second as i16 & (SLOTS - 1)
}

/// Seconds that are looked at together.
const WINDOW: i16 = 10;
/// The next power of two, so that a second's slot is its low bits.
const SLOTS: i16 = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Whole rounds of the slots, and what 16 bits cannot say.
    const LONG: &[i64] = &[13, 15, 16, 17, 32, 32_768, 65_536, 65_537, 1 << 40];

    proptest! {
        #[test]
        fn the_running_maximum_equals_the_slow_one(
            steps in proptest::collection::vec(prop_oneof![9 => 0i64..13, 1 => prop::sample::select(LONG)], 1..200),
            start in -100i64..100,
        ) {
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
