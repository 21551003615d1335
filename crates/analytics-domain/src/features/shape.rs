//! How many networks share what a client looks like, against how many would.

use alloc::collections::VecDeque;

use hashbrown::HashMap;

use crate::ids::FingerprintHash;

/// What was known of a client's shape when its session started: its agent as sent, seen on other networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShapeCounts {
    /// Distinct fingerprints with this shape in the day before, this one included; at least 1.
    pub networks: u32,
    /// Sessions with this shape in that day, this one included; at least 1.
    pub sessions: u32,
    /// Distinct fingerprints of any shape; not below `networks`.
    pub all_networks: u32,
    /// Sessions of any shape; not below `sessions`.
    pub all_sessions: u32,
}

/// The starts of the sessions of one day, in their order; at most a million, then the oldest leaves.
///
/// A fingerprint is bound to a network and a shape, so that distinct fingerprints of one shape are distinct networks.
#[derive(Debug, Default)]
pub struct ShapeHistory {
    starts: VecDeque<(i64, u64, FingerprintHash)>,
    shapes: HashMap<u64, Shape>,
    networks: HashMap<FingerprintHash, u32>,
}

#[derive(Debug, Default)]
struct Shape {
    sessions: u32,
    networks: HashMap<FingerprintHash, u32>,
}

impl ShapeCounts {
    /// The natural logarithm of observed over expected networks: above 0 where a shape is spread over more networks than
    /// its sessions let expect, as that of a tool behind many proxies. Both have 1 added, so that few sessions say little.
    pub fn anomaly(self) -> f64 {
        let share = f64::from(self.sessions) / f64::from(self.all_sessions.max(1));
        let expected = share * f64::from(self.all_networks);
        libm::log((f64::from(self.networks) + 1.0) / (expected + 1.0))
    }
}

impl ShapeHistory {
    /// Notes that a session starts, and answers what is known of its shape then. Starts never run backwards.
    pub fn start(&mut self, shape: u64, fingerprint: FingerprintHash, at_us: i64) -> ShapeCounts {
        while self.starts.front().is_some_and(|&(start, ..)| start <= at_us.saturating_sub(DAY_US))
            || self.starts.len() >= MOST_STARTS
        {
            self.forget();
        }
        self.starts.push_back((at_us, shape, fingerprint));
        *self.networks.entry(fingerprint).or_default() += 1;
        let of = self.shapes.entry(shape).or_default();
        of.sessions += 1;
        *of.networks.entry(fingerprint).or_default() += 1;
        ShapeCounts {
            networks: of.networks.len() as u32,
            sessions: of.sessions,
            all_networks: self.networks.len() as u32,
            all_sessions: self.starts.len() as u32,
        }
    }

    fn forget(&mut self) {
        let Some((_, shape, fingerprint)) = self.starts.pop_front() else { return };
        lower(&mut self.networks, fingerprint);
        if let Some(of) = self.shapes.get_mut(&shape) {
            of.sessions -= 1;
            lower(&mut of.networks, fingerprint);
            if of.sessions == 0 {
                self.shapes.remove(&shape);
            }
        }
    }
}

fn lower(counts: &mut HashMap<FingerprintHash, u32>, fingerprint: FingerprintHash) {
    if let Some(count) = counts.get_mut(&fingerprint) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&fingerprint);
        }
    }
}

/// Distinct fingerprints of these, to recount a history slowly in tests.
#[cfg(test)]
fn distinct(of: impl Iterator<Item = FingerprintHash>) -> u32 {
    of.collect::<hashbrown::HashSet<_>>().len() as u32
}

const DAY_US: i64 = 86_400_000_000;
const MOST_STARTS: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[test]
    fn a_shape_on_more_networks_than_its_share_is_above_0() {
        let spread = ShapeCounts { networks: 50, sessions: 50, all_networks: 60, all_sessions: 500 };
        let usual = ShapeCounts { networks: 10, sessions: 100, all_networks: 50, all_sessions: 500 };
        assert!(spread.anomaly() > 1.0);
        assert!(usual.anomaly().abs() < 0.1);
    }

    proptest! {
        #[test]
        fn counts_equal_a_recount_of_the_day(
            starts in proptest::collection::vec((0i64..DAY_US / 4, 0u64..4, 0u128..6), 1..60),
        ) {
            let mut history = ShapeHistory::default();
            let mut seen: Vec<(i64, u64, FingerprintHash)> = Vec::new();
            let mut now = 0;
            for (step, shape, fingerprint) in starts {
                now += step;
                let fingerprint = FingerprintHash::from_u128(fingerprint);
                seen.push((now, shape, fingerprint));
                let day: Vec<_> = seen.iter().copied().filter(|&(at, ..)| at > now - DAY_US).collect();
                let same: Vec<_> = day.iter().copied().filter(|&(_, of, _)| of == shape).collect();
                let recount = ShapeCounts {
                    networks: distinct(same.iter().map(|s| s.2)),
                    sessions: same.len() as u32,
                    all_networks: distinct(day.iter().map(|s| s.2)),
                    all_sessions: day.len() as u32,
                };
                prop_assert_eq!(history.start(shape, fingerprint, now), recount);
            }
        }
    }
}
