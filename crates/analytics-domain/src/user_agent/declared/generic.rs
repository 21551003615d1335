//! Names that are not in the tables but say what they are.

use alloc::borrow::Cow;
use alloc::string::String;

use super::super::phrases::Word;
use super::super::tokens::Agent;
use super::super::{AutomationKind, Declared, DeviceType};

/// The kind of automation that a word of the text names by its ending, if it stands where a name can stand.
///
/// Not in an address (`x.com/bot`), and not in the model of an Android device, where `B BOT 550` is a phone.
pub(super) fn kind_by_ending(text: &str, word: &Word) -> Option<AutomationKind> {
    let mut name = &text.as_bytes()[word.start..word.end];
    while let [shorter @ .., b'0'..=b'9'] = name {
        name = shorter;
    }
    if !may_end(name) {
        return None;
    }
    let (ending, kind) = ENDINGS.iter().find(|(ending, _)| ends_with(name, ending.as_bytes()))?;
    let before = &text[..word.start];
    // `-User` is how operators of AI products name what fetches for a person; `User` alone says nothing.
    let half = *ending == "user" && !(before.ends_with('-') && name.len() == ending.len());
    let excepted = EXCEPTIONS.iter().any(|exception| name.eq_ignore_ascii_case(exception.as_bytes()));
    let stands = !half && !excepted && !in_address(before) && !in_android_model(before);
    stands.then_some(*kind)
}

/// The name that the word belongs to: up to the marks that separate names, at most 64 bytes.
pub(super) fn name_around<'a>(text: &'a str, word: &Word) -> &'a str {
    let start = text[..word.start].rfind([' ', ';', '(', ')', ',', '/', '+', '"']).map_or(0, |at| at + 1);
    let end = text[word.end..]
        .find([' ', ';', '(', ')', ',', '/', '+', '"'])
        .map_or(text.len(), |at| word.end + at);
    let name = &text[start..end];
    // `Better Uptime Bot`: a bare word needs those before it to be a name.
    let name = if ENDINGS.iter().any(|(ending, _)| name.eq_ignore_ascii_case(ending)) {
        let start = text[..word.start].rfind([';', '(', ')', ',', '/', '"']).map_or(0, |at| at + 1);
        let phrase = text[start..end].trim();
        if phrase.starts_with(|letter: char| letter.is_ascii_digit()) { name } else { phrase }
    } else {
        name
    };
    cut(name)
}

/// Automation that goes by the name of a web site, such as `example.com/1.0`, outside any comment.
pub(super) fn by_host(agent: &Agent<'_>) -> Option<Declared> {
    let mut names = agent.products().iter().map(|product| product.name);
    let name = names.find(|name| {
        let Some(dot) = name.bytes().rposition(|byte| byte == b'.') else { return false };
        // Applications of Apple's and Android's go by the reverse of a name: `com.example.reader/2`.
        let reversed = name.split('.').next().is_some_and(|first| TOP_LEVELS.contains(&first));
        TOP_LEVELS.contains(&&name[dot + 1..]) && !reversed
    })?;
    Some(Declared { kind: AutomationKind::Other, name: owned(cut(name)) })
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
        if !matches!(after.first(), Some(b':' | b'@')) {
            return;
        }
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

/// Whether the last three letters are those of some ending, which turns away most words of most agents at once.
fn may_end(name: &[u8]) -> bool {
    let [.., first, second, third] = name else { return false };
    let letters = [*first, *second, *third].map(|letter| letter.to_ascii_lowercase());
    matches!(
        &letters,
        b"bot"
            | b"ots"
            | b"ler"
            | b"ers"
            | b"awl"
            | b"ing"
            | b"der"
            | b"per"
            | b"her"
            | b"ver"
            | b"ker"
            | b"tor"
            | b"ics"
            | b"ner"
            | b"iew"
            | b"oks"
            | b"ser"
    )
}

fn ends_with(name: &[u8], ending: &[u8]) -> bool {
    let last = |bytes: &[u8]| bytes.last().map(u8::to_ascii_lowercase);
    last(name) == last(ending)
        && name
            .len()
            .checked_sub(ending.len())
            .is_some_and(|start| name[start..].eq_ignore_ascii_case(ending))
}

/// A name out of the agent, which lives longer than the agent.
pub(super) fn owned(name: &str) -> Cow<'static, str> {
    Cow::Owned(String::from(name))
}

fn cut(name: &str) -> &str {
    &name[..name.floor_char_boundary(64)]
}

/// How the names of automation end, and the kind that tells; an ending stands before the shorter one it ends with.
#[rustfmt::skip]
const ENDINGS: &[(&str, AutomationKind)] = &[
    ("bot", AutomationKind::Other), ("bots", AutomationKind::Other), ("robots", AutomationKind::Other),
    ("crawler", AutomationKind::Other), ("crawlers", AutomationKind::Other), ("crawl", AutomationKind::Other),
    ("crawling", AutomationKind::Other), ("spider", AutomationKind::Other), ("scraper", AutomationKind::Other),
    ("scraping", AutomationKind::Other), ("feedfetcher", AutomationKind::FeedReader),
    ("fetcher", AutomationKind::Other), ("archiver", AutomationKind::Other), ("archiving", AutomationKind::Other),
    ("linkchecker", AutomationKind::Other), ("checker", AutomationKind::Monitor),
    ("validator", AutomationKind::Monitor), ("monitor", AutomationKind::Monitor),
    ("monitoring", AutomationKind::Monitor), ("watcher", AutomationKind::Monitor),
    ("synthetics", AutomationKind::Monitor), ("scanner", AutomationKind::SecurityScanner),
    ("scanning", AutomationKind::SecurityScanner), ("linkpreview", AutomationKind::SocialPreview),
    ("urlpreview", AutomationKind::SocialPreview), ("rssreader", AutomationKind::FeedReader),
    ("feedreader", AutomationKind::FeedReader), ("webhooks", AutomationKind::Other),
    ("user", AutomationKind::AiUserFetch),
];
/// Words that end so and name something else: a maker of phones, and English words and names.
const EXCEPTIONS: [&str; 5] = ["cubot", "abbot", "talbot", "turbot", "sabot"];
/// Gateways that make pages fit for the phone of the person who asked, and reading applications that give their
/// maker's address as crawlers do.
const FOR_PEOPLE: [&str; 4] = ["Mobile-Gateway", "Transcoder", "Instapaper/", "girls.livedoor.com"];
/// Tokens without which no browser speaks.
const ENGINE_MARKS: [&str; 9] =
    ["AppleWebKit", "Gecko", "KHTML", "MSIE", "Trident", "Presto", "Opera", "NetFront", "Windows NT"];
/// Top-level domains that products are seen to be named by.
const TOP_LEVELS: [&str; 16] =
    ["com", "org", "net", "io", "ai", "co", "de", "fr", "ru", "eu", "uk", "info", "app", "dev", "cz", "me"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_passes_the_quick_look() {
        for (ending, _) in ENDINGS {
            assert!(may_end(ending.as_bytes()), "{ending}");
            assert!(may_end(ending.to_ascii_uppercase().as_bytes()), "{ending}");
        }
    }

    #[test]
    fn sites_are_told_from_the_reversed_names_of_applications() {
        let by_host = |text: &str| by_host(&Agent::read(text)).map(|declared| declared.name.into_owned());
        assert_eq!(by_host("checker.example.com/1.0"), Some(String::from("checker.example.com")));
        assert_eq!(by_host("com.example.reader/1.0 CFNetwork/1"), None);
        assert_eq!(by_host("UP.Browser/6.2"), None);
    }
}
