//! Cutting, folding and decoding of text without allocation.

/// The longest beginning of `text` that has at most `max` bytes and ends between characters.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

/// A short text in ASCII lower case, on the stack.
pub(crate) struct Folded<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Folded<N> {
    /// The ASCII lower case of `text`, or nothing when it has more than `N` bytes.
    pub(crate) fn lower(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; N];
        let target = bytes.get_mut(..text.len())?;
        for (to, from) in target.iter_mut().zip(text) {
            *to = from.to_ascii_lowercase();
        }
        Some(Self { bytes, len: text.len() })
    }

    /// The first `N` bytes of a form value after decoding, in ASCII lower case.
    pub(crate) fn decoded_lower(raw: &str) -> Self {
        let mut bytes = [0; N];
        let mut len = 0;
        for (to, from) in bytes.iter_mut().zip(decoded(raw.as_bytes())) {
            *to = from.to_ascii_lowercase();
            len += 1;
        }
        Self { bytes, len }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The bytes that a form value stands for: `+` is a space, `%41` is `A`; a `%` without two digits is itself.
pub(crate) fn decoded(raw: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let mut at = 0;
    core::iter::from_fn(move || {
        let byte = *raw.get(at)?;
        at += 1;
        Some(match byte {
            b'+' => b' ',
            b'%' => match raw.get(at..at + 2).and_then(hex_pair) {
                Some(value) => {
                    at += 2;
                    value
                }
                None => b'%',
            },
            other => other,
        })
    })
}

fn hex_pair(pair: &[u8]) -> Option<u8> {
    let high = (pair[0] as char).to_digit(16)?;
    let low = (pair[1] as char).to_digit(16)?;
    u8::try_from(high << 4 | low).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn a_cut_falls_between_characters() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(cut("", 0), "");
    }

    #[test]
    fn decoding_reads_pluses_and_pairs_and_leaves_broken_ones() {
        let text = |raw: &str| decoded(raw.as_bytes()).collect::<Vec<_>>();
        assert_eq!(text("a+b%20c%C3%A9"), "a b cé".as_bytes());
        assert_eq!(text("100%"), b"100%");
        assert_eq!(text("%4"), b"%4");
        assert_eq!(text("%zz%41"), b"%zzA");
    }

    proptest! {
        #[test]
        fn decoding_never_grows(raw in ".{0,300}") {
            prop_assert!(decoded(raw.as_bytes()).count() <= raw.len());
        }

        #[test]
        fn a_cut_is_a_prefix_within_its_length(text in ".{0,60}", max in 0usize..70) {
            let short = cut(&text, max);
            prop_assert!(short.len() <= max && text.starts_with(short));
        }
    }
}
