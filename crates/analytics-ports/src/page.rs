//! Lists, one page at a time.
//!
//! A page goes on strictly after a key, in an order that the method states and that no later change of a row moves. So
//! rows that come and go between two pages make no other row appear twice or be missed.

use core::num::NonZeroU32;

/// How much of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest<K> {
    /// At most this many items.
    pub limit: BatchLimit,
    /// Only what stands strictly after this key; `None` is from the beginning. The key need not be kept any more.
    pub after: Option<K>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, K> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Where to go on: the key of the last item when more stood after it, else `None`.
    pub next: Option<K>,
}

/// How many rows one step takes, 1 to 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchLimit(NonZeroU32);

/// A number of rows is 0 or more than 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("one step takes 1 to 10,000 rows, not {0}")]
pub struct InvalidBatchLimit(u32);

impl<K> PageRequest<K> {
    /// The beginning of a list.
    pub const fn first(limit: BatchLimit) -> Self {
        Self { limit, after: None }
    }

    /// What stands after this key.
    pub const fn after(limit: BatchLimit, key: K) -> Self {
        Self { limit, after: Some(key) }
    }
}

impl<T, K> Page<T, K> {
    /// The page of these items, which stand in order after the requested key, with one item more than the limit when
    /// there are more. For those who implement a port.
    pub fn of(mut items: Vec<T>, limit: BatchLimit, key: impl FnOnce(&T) -> K) -> Self {
        let more = items.len() > limit.as_usize();
        items.truncate(limit.as_usize());
        let next = items.last().filter(|_| more).map(key);
        Self { items, next }
    }
}

impl BatchLimit {
    /// The limit of this many rows.
    ///
    /// # Errors
    /// [`InvalidBatchLimit`] for 0 and for more than 10,000, which would hold a store for too long.
    pub const fn new(rows: u32) -> Result<Self, InvalidBatchLimit> {
        match NonZeroU32::new(rows) {
            Some(some) if rows <= 10_000 => Ok(Self(some)),
            Some(_) | None => Err(InvalidBatchLimit(rows)),
        }
    }

    /// The number of rows.
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// The number of rows, to compare with a length.
    pub const fn as_usize(self) -> usize {
        self.0.get() as usize
    }
}

impl Default for BatchLimit {
    /// 500 rows.
    fn default() -> Self {
        const ROWS: NonZeroU32 = NonZeroU32::new(500).expect("500 is not zero");
        Self(ROWS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_goes_on_only_when_more_stands_after_it() {
        let limit = BatchLimit::new(2).unwrap();
        let page = |items: &[u32]| Page::of(items.to_vec(), limit, |&item| item);
        assert_eq!(page(&[]), Page { items: vec![], next: None });
        assert_eq!(page(&[1, 2]), Page { items: vec![1, 2], next: None });
        assert_eq!(page(&[1, 2, 3]), Page { items: vec![1, 2], next: Some(2) });
    }

    #[test]
    fn a_limit_is_1_to_10_000_and_500_by_default() {
        assert_eq!(BatchLimit::new(0), Err(InvalidBatchLimit(0)));
        assert_eq!(BatchLimit::new(10_001), Err(InvalidBatchLimit(10_001)));
        assert_eq!(BatchLimit::new(10_000).map(BatchLimit::get), Ok(10_000));
        assert_eq!(BatchLimit::new(500), Ok(BatchLimit::default()));
    }
}
