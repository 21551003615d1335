//! The grammar of a user agent: products with versions, and comments in parentheses (RFC 9110, 10.1.5).
//!
//! Real agents break the grammar, so nothing is refused: an open comment ends with the text, square brackets and
//! semicolons outside a comment only separate, and a product may give its version after a space (`Opera 8.60`).

/// A product: a name and, if told, a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// What stands before the slash.
    pub(super) name: &'a str,
    /// What stands after it; empty if nothing does.
    pub(super) version: &'a str,
}

/// The pieces of one agent, in order; what is past the first 32 products or 48 comment parts is left out.
#[derive(Debug)]
pub(super) struct Agent<'a> {
    products: [Token<'a>; 32],
    product_count: usize,
    parts: [&'a str; 48],
    part_count: usize,
}

impl<'a> Agent<'a> {
    /// Splits a text into products and comment parts.
    pub(super) fn read(text: &'a str) -> Self {
        let mut agent = Self {
            products: [Token { name: "", version: "" }; 32],
            product_count: 0,
            parts: [""; 48],
            part_count: 0,
        };
        let (mut depth, mut start) = (0_u32, 0);
        for (at, byte) in text.bytes().enumerate() {
            let ends = match byte {
                b'(' | b')' | b';' => true,
                b' ' | b'\t' | b',' | b'[' | b']' => depth == 0,
                _ => false,
            };
            if !ends {
                continue;
            }
            agent.take(&text[start..at], depth);
            start = at + 1;
            match byte {
                b'(' => depth += 1,
                b')' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        agent.take(&text[start..], depth);
        agent
    }

    /// The products outside comments.
    pub(super) fn products(&self) -> &[Token<'a>] {
        &self.products[..self.product_count]
    }

    /// The parts of comments, trimmed and never empty, whatever their depth.
    pub(super) fn parts(&self) -> &[&'a str] {
        &self.parts[..self.part_count]
    }

    /// The version of the first product of this name; empty if it has none.
    pub(super) fn product(&self, name: &str) -> Option<&'a str> {
        self.products().iter().find(|product| product.name == name).map(|product| product.version)
    }

    /// What follows `prefix` in the first part that begins with it, without a separating slash, space or dash.
    pub(super) fn part_after(&self, prefix: &str) -> Option<&'a str> {
        self.parts().iter().find_map(|part| after(part, prefix))
    }

    /// Whether a comment has this very part.
    pub(super) fn has_part(&self, wanted: &str) -> bool {
        self.parts().contains(&wanted)
    }

    fn take(&mut self, piece: &'a str, depth: u32) {
        let piece = piece.trim();
        if piece.is_empty() {
            return;
        }
        if depth > 0 {
            if let Some(slot) = self.parts.get_mut(self.part_count) {
                *slot = piece;
                self.part_count += 1;
            }
            return;
        }
        let starts_with_digit = piece.as_bytes()[0].is_ascii_digit();
        if starts_with_digit && let Some(last) = self.product_count.checked_sub(1) {
            let last = &mut self.products[last];
            if last.version.is_empty() {
                last.version = piece;
                return;
            }
        }
        let (name, rest) = cut_at_slash(piece);
        let (version, _) = cut_at_slash(rest);
        if let Some(slot) = self.products.get_mut(self.product_count) {
            *slot = Token { name, version };
            self.product_count += 1;
        }
    }
}

/// What stands before and after the first slash; all before it if there is none.
fn cut_at_slash(piece: &str) -> (&str, &str) {
    match piece.bytes().position(|byte| byte == b'/') {
        Some(at) => (&piece[..at], &piece[at + 1..]),
        None => (piece, ""),
    }
}

/// What follows `prefix` in `text`, without one separating slash, space or dash; `None` inside a longer word.
pub(super) fn after<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(prefix)?;
    match rest.as_bytes().first() {
        Some(b'/' | b' ' | b'-') => Some(&rest[1..]),
        Some(byte) if byte.is_ascii_alphabetic() => None,
        Some(_) | None => Some(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn names(text: &str) -> Vec<(&str, &str)> {
        let agent = Agent::read(text);
        agent.products().iter().map(|token| (token.name, token.version)).collect::<Vec<_>>()
    }

    #[test]
    fn products_and_comments_are_told_apart() {
        let agent =
            Agent::read("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Safari");
        assert_eq!(agent.parts(), ["X11", "Linux x86_64", "KHTML, like Gecko"]);
        assert_eq!(agent.product("AppleWebKit"), Some("537.36"));
        assert_eq!(agent.product("Safari"), Some(""));
        assert_eq!(agent.product("Chrome"), None);
    }

    #[test]
    fn nested_and_open_comments_are_read() {
        let agent = Agent::read("A/1 (B (C; D) E; F");
        assert_eq!(agent.parts(), ["B", "C", "D", "E", "F"]);
        assert_eq!(agent.products(), [Token { name: "A", version: "1" }]);
    }

    #[test]
    fn a_version_may_follow_a_space() {
        assert_eq!(names("Opera 8.60 [ja]"), [("Opera", "8.60"), ("ja", "")]);
        assert_eq!(names("[FBAN/FBIOS;FBAV/256.0]"), [("FBAN", "FBIOS"), ("FBAV", "256.0")]);
    }

    #[test]
    fn more_pieces_than_there_is_room_for_are_left_out() {
        let agent_text = "a/1 (b) ".repeat(60);
        let agent = Agent::read(&agent_text);
        assert_eq!((agent.products().len(), agent.parts().len()), (32, 48));
    }
}
