//! Names that are not in the tables but say what they are.

use alloc::borrow::Cow;
use alloc::string::String;

use super::super::phrases::Word;
use super::super::tokens::Agent;
use super::super::{AutomationKind, Declared, DeviceType};

/// Whether a word of the text ends as crawlers' names do, and stands where a name can stand.
///
/// Not in an address (`x.com/bot`), and not in the model of an Android device, where `B BOT 550` is a phone.
pub(super) fn names_a_crawler(text: &str, word: &Word) -> bool {
    let name = &text[word.start..word.end];
    // Most words of most agents are turned away by their last letter.
    let may_end = name.ends_with(|letter: char| letter.is_ascii_digit() || "tslrTSLR".contains(letter));
    let ends = may_end && ENDINGS.iter().any(|ending| ends_with(name, ending));
    if !ends || EXCEPTIONS.iter().any(|exception| name.eq_ignore_ascii_case(exception)) {
        return false;
    }
    let before = &text[..word.start];
    if before.ends_with(['/', '.', '@', '=', '?']) && word.start > 0 && in_address(before) {
        return false;
    }
    !in_android_model(before)
}

/// The name that the word belongs to: up to the marks that separate names, at most 64 bytes.
pub(super) fn name_around<'a>(text: &'a str, word: &Word) -> &'a str {
    let start = text[..word.start].rfind([' ', ';', '(', ')', ',', '/', '+', '"']).map_or(0, |at| at + 1);
    let end = text[word.end..]
        .find([' ', ';', '(', ')', ',', '/', '+', '"'])
        .map_or(text.len(), |at| word.end + at);
    let name = &text[start..end];
    // `Better Uptime Bot`: a bare word needs those before it to be a name.
    let name = if ENDINGS.iter().any(|ending| name.eq_ignore_ascii_case(ending)) {
        let start = text[..word.start].rfind([';', '(', ')', ',', '/', '"']).map_or(0, |at| at + 1);
        let phrase = text[start..end].trim();
        if phrase.starts_with(|letter: char| letter.is_ascii_digit()) { name } else { phrase }
    } else {
        name
    };
    cut(name)
}

/// Automation that gives its operator's address: `+http` by the custom of crawlers, or any web or mail address in an
/// agent that names neither an engine nor a device, since then no person's browser is speaking.
pub(super) fn by_contact(
    text: &str,
    agent: &Agent<'_>,
    device: DeviceType,
    contact: Contact,
) -> Option<Declared> {
    let (at, marked) = contact.0?;
    let plain = device == DeviceType::Unknown && !ENGINE_MARKS.iter().any(|mark| text.contains(mark));
    if !(marked || plain) || FOR_PEOPLE.iter().any(|mark| text.contains(mark)) {
        return None;
    }
    Some(Declared { kind: AutomationKind::Other, name: owned(cut(name_before(text, at, agent))) })
}

/// The first web or mail address in an agent, or the first that is marked with a plus.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Contact(Option<(usize, bool)>);

impl Contact {
    /// Takes note of a word if an address begins or is named by it.
    pub(super) fn note(&mut self, text: &str, word: &Word) {
        let after = &text.as_bytes()[word.end..];
        let web = after.starts_with(b"://");
        if !(web || after.starts_with(b"@")) || matches!(self.0, Some((_, true))) {
            return;
        }
        let marked = web && text[..word.start].trim_end_matches(['(', ' ']).ends_with('+');
        if marked || self.0.is_none() {
            self.0 = Some((word.start, marked));
        }
    }
}

/// The name nearest before the contact: the part of the comment before it, else the product, else the contact itself.
fn name_before<'a>(text: &'a str, contact: usize, agent: &Agent<'a>) -> &'a str {
    let before = text[..contact].trim_end_matches([' ', ';', '(', '+', ',', '-']);
    let start = before.rfind([';', '(', ')']).map_or(0, |at| at + 1);
    let name = before[start..].trim().split('/').next().unwrap_or_default();
    if !name.is_empty() && name != "compatible" && name != "Mozilla" {
        return name;
    }
    let product = agent.products().iter().map(|product| product.name).find(|name| *name != "Mozilla");
    product.unwrap_or_else(|| text[contact..].trim_matches(['+', ' ', '(', ')', ';']))
}

/// Whether the text so far ends inside a web or mail address.
fn in_address(before: &str) -> bool {
    let start = before.rfind([' ', ';', '(', ',', '+']).map_or(0, |at| at + 1);
    let piece = &before[start..];
    piece.contains("://") || piece.contains("www.") || piece.contains('@')
}

/// Whether the text so far ends inside a comment that named Android and no address.
fn in_android_model(before: &str) -> bool {
    let Some(open) = before.rfind('(') else { return false };
    let comment = &before[open..];
    comment.contains("Android") && !comment.contains(')') && !comment.contains("http")
}

fn ends_with(name: &str, ending: &str) -> bool {
    let name = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let Some(start) = name.len().checked_sub(ending.len()) else { return false };
    name.as_bytes()[start..].eq_ignore_ascii_case(ending.as_bytes())
}

/// A name out of the agent, which lives longer than the agent.
pub(super) fn owned(name: &str) -> Cow<'static, str> {
    Cow::Owned(String::from(name))
}

fn cut(name: &str) -> &str {
    &name[..name.floor_char_boundary(64)]
}

/// How crawlers' names end.
const ENDINGS: [&str; 12] = [
    "bot",
    "bots",
    "robot",
    "robots",
    "crawler",
    "crawlers",
    "crawl",
    "spider",
    "scraper",
    "fetcher",
    "archiver",
    "linkchecker",
];
/// Words that end so and name something else: a maker of phones, and English words and names.
const EXCEPTIONS: [&str; 5] = ["cubot", "abbot", "talbot", "turbot", "sabot"];
/// Gateways that make pages fit for the phone of the person who asked, and reading applications that give their
/// maker's address as crawlers do.
const FOR_PEOPLE: [&str; 4] = ["Mobile-Gateway", "Transcoder", "Instapaper/", "girls.livedoor.com"];
/// Tokens without which no browser speaks.
const ENGINE_MARKS: [&str; 9] =
    ["AppleWebKit", "Gecko", "KHTML", "MSIE", "Trident", "Presto", "Opera", "NetFront", "Windows NT"];
