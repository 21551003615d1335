//! Finds which of many known phrases a text names, at word boundaries, in one pass.
//!
//! A word is a run of ASCII letters and digits with at least one letter. A phrase is looked up by the hash of its first word in an index that
//! the compiler builds, so that nothing is built at run time and nothing is shared behind a lock. A phrase never
//! matches inside a word: `bot` is in `a bot/1.0` and is not in `cubot`.

/// An open-addressing index over phrases, by the hash of the first word.
///
/// A slot is 0 when empty, else the place of a phrase plus one in the low half, and the high half of its hash above.
pub(super) struct Index<const SLOTS: usize> {
    slots: [u32; SLOTS],
}

impl<const SLOTS: usize> Index<SLOTS> {
    /// Indexes phrases; at compile time, so a table that does not fit fails the build.
    pub(super) const fn build(phrases: &[&str]) -> Self {
        assert!(SLOTS.is_power_of_two() && phrases.len() * 2 <= SLOTS && phrases.len() < 0xffff);
        let mut slots = [0_u32; SLOTS];
        let mut place = 0;
        while place < phrases.len() {
            let hash = first_word(phrases[place].as_bytes());
            let mut slot = hash as usize % SLOTS;
            while slots[slot] != 0 {
                slot = (slot + 1) % SLOTS;
            }
            slots[slot] = (hash & 0xffff_0000) | (place as u32 + 1);
            place += 1;
        }
        Self { slots }
    }

    /// The longest phrase whose first word is `word` and that stands whole in `text` there, as its place.
    ///
    /// `phrases` are those the index was built from; a place that `admits` refuses is passed over.
    #[inline]
    pub(super) fn find(
        &self,
        phrases: &[&str],
        text: &[u8],
        word: &Word,
        admits: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let mut slot = word.hash as usize % SLOTS;
        let mut best: Option<usize> = None;
        loop {
            let held = self.slots[slot];
            if held == 0 {
                return best;
            }
            if held & 0xffff_0000 == word.hash & 0xffff_0000 {
                let place = (held & 0xffff) as usize - 1;
                let longer = best.is_none_or(|best| phrases[best].len() < phrases[place].len());
                if longer && stands_at(text, word.start, phrases[place].as_bytes()) && admits(place) {
                    best = Some(place);
                }
            }
            slot = (slot + 1) % SLOTS;
        }
    }
}

/// A word of a text, or the part of a word that ends where a digit follows a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word {
    /// Offset of its first byte.
    pub(super) start: usize,
    /// Offset after its last byte.
    pub(super) end: usize,
    /// Whether the word ends here, rather than going on with a digit.
    pub(super) whole: bool,
    hash: u32,
}

/// The words of a text, in order; `MJ12bot2` gives `MJ`, `MJ12bot` and `MJ12bot2`.
pub(super) struct Words<'a> {
    text: &'a [u8],
    at: usize,
    start: usize,
    hash: u32,
    lettered: bool,
}

impl<'a> Words<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, start: 0, hash: SEED, lettered: false }
    }
}

impl Iterator for Words<'_> {
    type Item = Word;

    #[inline]
    fn next(&mut self) -> Option<Word> {
        let mut class = CLASSES[usize::from(*self.text.get(self.at)?)];
        loop {
            let next = self.text.get(self.at + 1).map_or(SEPARATOR, |byte| CLASSES[usize::from(*byte)]);
            self.at += 1;
            if class == SEPARATOR {
                self.start = self.at;
                self.hash = SEED;
                self.lettered = false;
            } else {
                self.hash = step(self.hash, class);
                self.lettered |= is_letter(class);
                let whole = next == SEPARATOR;
                if self.lettered && (whole || (is_letter(class) && !is_letter(next))) {
                    return Some(Word { start: self.start, end: self.at, whole, hash: finish(self.hash) });
                }
            }
            if self.at >= self.text.len() {
                return None;
            }
            class = next;
        }
    }
}

/// Whether `phrase` stands at `start`, whatever the case, and no letter goes on after it.
fn stands_at(text: &[u8], start: usize, phrase: &[u8]) -> bool {
    let end = start + phrase.len();
    let Some(found) = text.get(start..end) else { return false };
    if !found.eq_ignore_ascii_case(phrase) {
        return false;
    }
    match (phrase.last(), text.get(end)) {
        (Some(last), Some(next)) if last.is_ascii_alphabetic() => !next.is_ascii_alphabetic(),
        (Some(last), Some(next)) if last.is_ascii_digit() => !next.is_ascii_alphanumeric(),
        (Some(_) | None, Some(_) | None) => true,
    }
}

const fn first_word(phrase: &[u8]) -> u32 {
    let mut hash = SEED;
    let (mut at, mut lettered) = (0, false);
    while at < phrase.len() && phrase[at].is_ascii_alphanumeric() {
        hash = step(hash, phrase[at].to_ascii_lowercase());
        lettered |= phrase[at].is_ascii_alphabetic();
        at += 1;
    }
    assert!(lettered, "a phrase begins with a word, and a word has a letter");
    finish(hash)
}

/// One step of FNV-1a.
const fn step(hash: u32, class: u8) -> u32 {
    (hash ^ class as u32).wrapping_mul(0x0100_0193)
}

const fn is_letter(class: u8) -> bool {
    class >= b'a'
}

/// What a byte is to a word: a letter in lower case, a digit, or [`SEPARATOR`].
static CLASSES: [u8; 256] = {
    let mut classes = [SEPARATOR; 256];
    let mut byte = 0;
    while byte < 128 {
        if (byte as u8).is_ascii_alphanumeric() {
            classes[byte] = (byte as u8).to_ascii_lowercase();
        }
        byte += 1;
    }
    classes
};
const SEPARATOR: u8 = 0;

/// Spreads the last byte over all bits, which FNV-1a alone does not.
const fn finish(hash: u32) -> u32 {
    (hash ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d) ^ (hash >> 12)
}

/// The offset basis of 32-bit FNV-1a.
const SEED: u32 = 0x811c_9dc5;

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const PHRASES: &[&str] = &["Foo", "Foo Bar", "Foo/", "MJ12bot", "x-ray"];
    static INDEX: Index<16> = Index::build(PHRASES);

    fn found(text: &str) -> Vec<&'static str> {
        let bytes = text.as_bytes();
        Words::new(bytes)
            .filter_map(|word| INDEX.find(PHRASES, bytes, &word, |_| true))
            .map(|at| PHRASES[at])
            .collect()
    }

    #[test]
    fn the_longest_phrase_wins_whatever_its_case() {
        assert_eq!(found("a fOO bAR b"), ["Foo Bar"]);
        assert_eq!(found("foo baz"), ["Foo"]);
        assert_eq!(found("foo/1"), ["Foo/"]);
    }

    #[test]
    fn a_phrase_matches_whole_words_and_may_be_followed_by_a_version() {
        assert_eq!(found("foo2.0 (mj12bot;X-Ray)"), ["Foo", "MJ12bot", "x-ray"]);
        assert_eq!(found("food afoo 1foo x-rays"), Vec::<&str>::new());
    }

    #[test]
    fn words_end_at_digits_too() {
        let text = b"MJ12bot2 \xc3\xa4b 537.36";
        let ends: Vec<(usize, usize, bool)> =
            Words::new(text).map(|word| (word.start, word.end, word.whole)).collect();
        assert_eq!(ends, [(0, 2, false), (0, 7, false), (0, 8, true), (11, 12, true)]);
    }
}
