//! Whether pages come in an order that a program would choose.

/// Steps between successive *distinct* page views, and how many of them follow one rule.
///
/// A step is taken when a page view asks for another page than the one before. Reloading a page is no step. Two
/// rules are counted: the last number in the path changes by the same non-zero amount as in the step before, and the
/// path is greater (or smaller) than the one before in byte order. Paths are compared by their first 94 bytes; where
/// those are equal the step follows neither direction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Walk {
    begun: bool,
    page: u64,
    head: [u8; PATH_HEAD],
    head_len: u8,
    number: Option<u64>,
    last_change: i64,
    steps: u32,
    numeric: u32,
    ascending: u32,
    descending: u32,
}

impl Default for Walk {
    fn default() -> Self {
        Self {
            begun: false,
            page: 0,
            head: [0; PATH_HEAD],
            head_len: 0,
            number: None,
            last_change: 0,
            steps: 0,
            numeric: 0,
            ascending: 0,
            descending: 0,
        }
    }
}

impl Walk {
    /// Takes the step to this page: its hash, its path and the last number in it.
    pub(crate) fn step(&mut self, page: u64, path: &str, number: Option<u64>) {
        let head = &path.as_bytes()[..path.len().min(PATH_HEAD)];
        if self.begun && page == self.page {
            return;
        }
        if self.begun {
            self.steps = self.steps.saturating_add(1);
            // Which way a step leads cannot be foreseen, so nothing branches on it.
            let order = head.cmp(&self.head[..usize::from(self.head_len)]);
            self.ascending = self.ascending.saturating_add(u32::from(order.is_gt()));
            self.descending = self.descending.saturating_add(u32::from(order.is_lt()));
            let change = match (self.number, number) {
                (Some(before), Some(after)) => after.wrapping_sub(before) as i64,
                _ => 0,
            };
            // The first change of a run counts once a second one repeats it.
            if change != 0 && change == self.last_change {
                self.numeric = self.numeric.saturating_add(1);
            }
            self.last_change = change;
        }
        self.begun = true;
        self.page = page;
        self.number = number;
        self.head[..head.len()].copy_from_slice(head);
        self.head_len = head.len() as u8;
    }

    /// Whether any page was viewed on time.
    pub const fn begun(&self) -> bool {
        self.begun
    }

    /// Number of steps.
    pub const fn steps(&self) -> u32 {
        self.steps
    }

    /// The largest share of steps that follow one rule, 0 to 1; `None` with fewer than two steps.
    ///
    /// For the numeric rule the first step of a run is counted with the second, so `/p/9, /p/10, … /p/13` is 1.
    pub fn systematic_share(&self) -> Option<f64> {
        let numeric = if self.numeric > 0 { self.numeric + 1 } else { 0 };
        let most = numeric.max(self.ascending).max(self.descending);
        (self.steps >= 2).then(|| f64::from(most) / f64::from(self.steps))
    }

    /// The share of steps by the same numeric change, counted as in [`Walk::systematic_share`].
    pub fn numeric_share(&self) -> Option<f64> {
        let numeric = if self.numeric > 0 { self.numeric + 1 } else { 0 };
        (self.steps >= 2).then(|| f64::from(numeric) / f64::from(self.steps))
    }
}

/// Long enough to tell the pages of one directory apart on the sites measured (longest common directory 61 bytes), and a
/// whole number of words with what stands beside it.
pub(crate) const PATH_HEAD: usize = 94;

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use xxhash_rust::xxh3::xxh3_64;

    fn walk(paths: &[&str]) -> Walk {
        let mut walk = Walk::default();
        for path in paths {
            let digits: std::string::String = path
                .chars()
                .rev()
                .take_while(char::is_ascii_digit)
                .collect::<std::vec::Vec<_>>()
                .into_iter()
                .rev()
                .collect();
            walk.step(xxh3_64(path.as_bytes()), path, digits.parse().ok());
        }
        walk
    }

    #[rstest]
    #[case::numbers_up(&["/p/9", "/p/10", "/p/11", "/p/12", "/p/13"], 1.0)]
    #[case::numbers_down(&["/p/13", "/p/12", "/p/11", "/p/10", "/p/9"], 1.0)]
    #[case::by_twos(&["/p/2", "/p/4", "/p/6", "/p/8"], 1.0)]
    #[case::sorted(&["/a", "/b", "/c", "/d", "/e"], 1.0)]
    #[case::reverse_sorted(&["/e", "/d", "/c", "/b", "/a"], 1.0)]
    #[case::back_and_forth(&["/a", "/b", "/a", "/b", "/a"], 0.5)]
    fn the_share_of_steps_by_one_rule(#[case] paths: &[&str], #[case] share: f64) {
        assert_eq!(walk(paths).systematic_share(), Some(share));
    }

    #[test]
    fn reloading_one_page_takes_no_step() {
        let walk = walk(&["/p/1"; 6]);
        assert_eq!((walk.steps(), walk.systematic_share()), (0, None));
    }

    #[test]
    fn paths_that_differ_only_after_94_bytes_follow_no_order() {
        let long = "/".repeat(PATH_HEAD);
        let paths: std::vec::Vec<_> =
            ["a", "b", "c"].iter().map(|tail| std::format!("{long}{tail}")).collect();
        let walk = walk(&paths.iter().map(std::string::String::as_str).collect::<std::vec::Vec<_>>());
        assert_eq!(walk.systematic_share(), Some(0.0));
    }
}
