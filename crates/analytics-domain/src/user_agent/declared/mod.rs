//! Automation that declares itself: known names by table, and rules for names that are not known.
//!
//! One file a kind. A name counts where it stands as a word (see `phrases`), so a CUBOT phone is a phone.
//! Facts about who runs what come from the operators' own pages and from the public lists of crawler-user-agents,
//! ai.robots.txt, arp242/isbot and woothee.
//!
//! Measured on those lists, 99.7 % of 2,636 agents of automation are told, and none of 180 agents of people's;
//! `docs/detection.md` has the figures by list, and those without the names that one list alone provides.
//! What is missed on purpose is what people use: builds of Android, applications made with Electron, a toolbar.

mod ai;
mod feed;
mod generic;
mod headless;
mod library;
mod monitor;
mod other;
mod scanner;
mod search;
mod seo;
mod social;

use alloc::borrow::Cow;

use super::phrases::{Index, Word};
use super::tokens::Agent;
use super::{AutomationKind, Declared, DeviceType};
use generic::Contact;

/// What the words of an agent have named so far.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: Option<(Rank, usize)>,
    by_ending: Option<(AutomationKind, Word)>,
    contact: Contact,
}

impl Names {
    /// Takes note of a word of the agent.
    ///
    /// A known name of a service wins over a name that merely ends like a crawler's, and this over the headless browser
    /// and over the library it was made with: a crawler says `FooBot/1.0 python-requests/2.31`. Among equals the first
    /// wins.
    #[inline]
    pub(super) fn note(&mut self, text: &str, word: &Word) {
        if matches!(self.known, Some((Rank::Service, _))) {
            return;
        }
        self.contact.note(text, word);
        let known = INDEX.find(&TOKENS, text.as_bytes(), word, |place| word.start == 0 || !LEADING[place]);
        if let Some(place) = known {
            let rank = rank(kind_of(place));
            if self.known.is_none_or(|(best, _)| best < rank) {
                self.known = Some((rank, place));
            }
        } else if self.by_ending.is_none() {
            self.by_ending = generic::kind_by_ending(text, word).map(|kind| (kind, *word));
        }
    }

    /// What the agent declares itself to be, all its words noted; `device` is the device it names.
    pub(super) fn declared(&self, text: &str, agent: &Agent<'_>, device: DeviceType) -> Option<Declared> {
        match (self.known, self.by_ending) {
            (None | Some((Rank::Library | Rank::Headless, _)), Some((kind, word))) => {
                Some(Declared { kind, name: generic::owned(generic::name_around(text, &word)) })
            }
            (Some((_, place)), _) => {
                Some(Declared { kind: kind_of(place), name: Cow::Borrowed(display_name(TOKENS[place])) })
            }
            (None, None) => {
                generic::by_host(agent).or_else(|| generic::by_contact(text, agent, device, self.contact))
            }
        }
    }
}

/// How much a name says about who is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Library,
    Headless,
    Service,
}

const fn rank(kind: AutomationKind) -> Rank {
    match kind {
        AutomationKind::HttpLibrary => Rank::Library,
        AutomationKind::HeadlessBrowser => Rank::Headless,
        AutomationKind::SearchCrawler
        | AutomationKind::AiTraining
        | AutomationKind::AiSearch
        | AutomationKind::AiUserFetch
        | AutomationKind::AiAgent
        | AutomationKind::Seo
        | AutomationKind::Monitor
        | AutomationKind::FeedReader
        | AutomationKind::SocialPreview
        | AutomationKind::SecurityScanner
        | AutomationKind::Other => Rank::Service,
    }
}

/// The name to show for a token: the usual one if the token is only a part of it, else the token.
fn display_name(token: &'static str) -> &'static str {
    NAMES
        .iter()
        .find(|(known, _)| *known == token)
        .map_or(token.trim_end_matches(['/', ';', ')']), |(_, name)| name)
}

fn kind_of(place: usize) -> AutomationKind {
    let mut end = 0;
    for (kind, tokens) in KINDS {
        end += tokens.len();
        if place < end {
            return kind;
        }
    }
    AutomationKind::Other
}

/// Tokens whose usual name is another one.
const NAMES: &[(&str, &str)] = &[
    ("Slurp", "Yahoo! Slurp"),
    ("Mediapartners-Google", "Google AdSense"),
    ("Y!J", "Yahoo! JAPAN"),
    ("Yeti", "Naver Yeti"),
    ("ia_archiver", "Alexa"),
    ("AHC/", "AsyncHttpClient"),
    ("PTST/", "WebPageTest"),
    ("W3C_Validator", "W3C Validator"),
    ("tt-rss", "Tiny Tiny RSS"),
    ("Ruby", "Ruby Net::HTTP"),
    ("check_http", "Nagios check_http"),
    ("um-LN", "Ubermetrics"),
    ("BW/", "BuiltWith"),
];

const KINDS: [(AutomationKind, &[&str]); 14] = [
    (AutomationKind::SearchCrawler, search::TOKENS),
    (AutomationKind::AiTraining, ai::TRAINING),
    (AutomationKind::AiSearch, ai::SEARCH),
    (AutomationKind::AiUserFetch, ai::USER_FETCH),
    (AutomationKind::AiAgent, ai::AGENT),
    (AutomationKind::Seo, seo::TOKENS),
    (AutomationKind::Monitor, monitor::TOKENS),
    (AutomationKind::FeedReader, feed::TOKENS),
    (AutomationKind::SocialPreview, social::TOKENS),
    (AutomationKind::SecurityScanner, scanner::TOKENS),
    (AutomationKind::HttpLibrary, library::TOKENS),
    (AutomationKind::HeadlessBrowser, headless::TOKENS),
    (AutomationKind::Other, other::SERVICES),
    (AutomationKind::Other, other::CRAWLERS),
];

const COUNT: usize = {
    let (mut count, mut list) = (0, 0);
    while list < KINDS.len() {
        count += KINDS[list].1.len();
        list += 1;
    }
    count
};

/// Every token of every kind, in the order of [`KINDS`], without the mark of those that count only at the start.
static TOKENS: [&str; COUNT] = joined().0;
/// Whether a token counts only as the first thing in an agent, because elsewhere it is an ordinary word.
static LEADING: [bool; COUNT] = joined().1;
static INDEX: Index<8192> = Index::build(&joined().0);

#[expect(clippy::large_stack_arrays, reason = "only the compiler evaluates it")]
const fn joined() -> ([&'static str; COUNT], [bool; COUNT]) {
    let (mut all, mut leading) = ([""; COUNT], [false; COUNT]);
    let (mut list, mut at) = (0, 0);
    while list < KINDS.len() {
        let tokens = KINDS[list].1;
        let mut place = 0;
        while place < tokens.len() {
            let token = tokens[place];
            leading[at] = token.as_bytes()[0] == b'^';
            all[at] = if leading[at] { token.split_at(1).1 } else { token };
            at += 1;
            place += 1;
        }
        list += 1;
    }
    (all, leading)
}

#[cfg(test)]
mod tests {
    use super::super::phrases::Words;
    use super::*;
    use std::collections::BTreeMap;
    use std::string::String;

    #[test]
    fn no_token_stands_in_two_tables() {
        let mut seen: BTreeMap<String, AutomationKind> = BTreeMap::new();
        for (kind, tokens) in KINDS {
            for token in tokens {
                let earlier = seen.insert(token.to_ascii_lowercase(), kind);
                assert_eq!(earlier, None, "{token}");
            }
        }
    }

    #[test]
    fn every_token_is_found_with_its_kind_whatever_its_case() {
        for (place, token) in TOKENS.iter().enumerate() {
            for text in [token.to_ascii_uppercase(), token.to_ascii_lowercase()] {
                let mut names = Names::default();
                for word in Words::new(text.as_bytes()) {
                    names.note(&text, &word);
                }
                let found = names.declared(&text, &Agent::read(&text), DeviceType::Unknown);
                let rank_is_service = rank(kind_of(place)) == Rank::Service;
                assert!(found.is_some(), "{token}");
                if rank_is_service && !token.contains(' ') {
                    assert_eq!(found.map(|found| found.kind), Some(kind_of(place)), "{token}");
                }
            }
        }
    }

    #[test]
    fn every_name_belongs_to_a_token() {
        for (token, _) in NAMES {
            assert!(TOKENS.contains(token), "{token}");
        }
    }
}
