//! When each page's token was last used, so that two beacons of one page do not tell of the same time.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use hashbrown::HashMap;

/// The last use of each token, of at most a fixed number of tokens: the one first used longest ago is forgotten.
///
/// What is forgotten is held against the time of the token again, which is the weaker bound.
#[derive(Debug)]
pub(super) struct TokenUses {
    /// By the token's number. Its order is never seen.
    last: HashMap<u128, DateTime<Utc>>,
    /// The tokens in the order of their first use.
    order: VecDeque<u128>,
    capacity: usize,
}

/// What was known of a token before a use of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Nothing: it is new, or forgotten.
    First,
    /// Its last use was then.
    After(DateTime<Utc>),
    /// It was used then or later already.
    OutOfOrder,
}

impl TokenUses {
    pub(super) fn new(capacity: usize) -> Self {
        Self { last: HashMap::new(), order: VecDeque::new(), capacity }
    }

    /// Uses a token for a beacon of this time.
    pub(super) fn note(&mut self, token: u128, at: DateTime<Utc>) -> Use {
        if let Some(last) = self.last.get_mut(&token) {
            if at <= *last {
                return Use::OutOfOrder;
            }
            return Use::After(std::mem::replace(last, at));
        }
        if self.order.len() >= self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.last.remove(&oldest);
        }
        self.last.insert(token, at);
        self.order.push_back(token);
        Use::First
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_use_tells_the_one_before_and_an_earlier_one_is_out_of_order() {
        let mut uses = TokenUses::new(10);
        assert_eq!(uses.note(1, at(10)), Use::First);
        assert_eq!(uses.note(1, at(20)), Use::After(at(10)));
        assert_eq!(uses.note(1, at(20)), Use::OutOfOrder);
        assert_eq!(uses.note(1, at(15)), Use::OutOfOrder);
        assert_eq!(uses.note(1, at(21)), Use::After(at(20)));
        assert_eq!(uses.note(2, at(1)), Use::First);
    }

    #[test]
    fn no_more_tokens_are_remembered_than_fit() {
        let mut uses = TokenUses::new(2);
        for token in [1, 2, 3] {
            uses.note(token, at(1));
        }
        assert_eq!((uses.last.len(), uses.order.len()), (2, 2));
        assert_eq!(uses.note(3, at(2)), Use::After(at(1)));
        assert_eq!(uses.note(1, at(2)), Use::First);
        assert_eq!(uses.note(2, at(2)), Use::First, "it made room for the first");
    }

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }
}
