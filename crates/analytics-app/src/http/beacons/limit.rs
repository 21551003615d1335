//! How many beacons a network may send.

use analytics_domain::request::ClientNetwork;
use analytics_domain::throttle::{Admission, Gcra, Quota, ThrottleLevel};
use chrono::{DateTime, Utc};
use hashbrown::HashMap;
use parking_lot::Mutex;

/// The use of a quota by each of a bounded number of networks.
///
/// Networks stand in two halves. When the newer one is full it becomes the older one, and those that did not send since
/// are forgotten: they get their whole burst again.
#[derive(Debug, Default)]
pub(in crate::http) struct NetworkLimit {
    halves: Mutex<Halves>,
}

#[derive(Debug, Default)]
struct Halves {
    newer: HashMap<ClientNetwork, Gcra>,
    older: HashMap<ClientNetwork, Gcra>,
}

impl NetworkLimit {
    /// Whether a network may send one more at `now`; then it is charged.
    pub(super) fn admits(&self, quota: &Quota, network: ClientNetwork, now: DateTime<Utc>) -> bool {
        let mut halves = self.halves.lock();
        let known = halves.newer.get(&network).or_else(|| halves.older.get(&network));
        let mut used = known.copied().unwrap_or_default();
        if halves.newer.len() >= HALF && !halves.newer.contains_key(&network) {
            halves.older = std::mem::take(&mut halves.newer);
        }
        let admission = used.check(quota, ThrottleLevel::Normal, now);
        halves.newer.insert(network, used);
        matches!(admission, Admission::Admitted { .. })
    }
}

/// Some 4 MiB in both halves.
const HALF: usize = 50_000;

#[cfg(test)]
mod tests {
    use super::*;
    use analytics_domain::throttle::ThrottlePolicy;

    #[test]
    fn each_network_has_a_burst_of_its_own_and_the_number_of_networks_is_bounded() {
        let (limit, policy) = (NetworkLimit::default(), ThrottlePolicy::default());
        let now = DateTime::from_timestamp(1_780_000_000, 0).unwrap();
        let admits = |network| limit.admits(policy.assets(), ClientNetwork::V4(network), now);
        assert!((0..400).all(|_| admits(1)));
        assert!(!admits(1));
        assert!(admits(2));
        for network in 3..60_000 {
            assert!(admits(network));
        }
        assert!(!admits(1), "it stands in the older half, and moves to the newer one");
        for network in 60_000..160_000 {
            assert!(admits(network));
        }
        let halves = limit.halves.lock();
        assert!(halves.newer.len() <= HALF && halves.older.len() <= HALF);
    }
}
