//! Requests that only scanners make, or hardly anybody else.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use alloc::boxed::Box;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use super::kind::PathParts;
use super::probe_rules::{
    ARCHIVE_EXTENSIONS, ARCHIVE_STEMS, BENIGN_HIDDEN, FILE_RULES, PATH_RULES, PAYLOADS,
};
use super::text::decoded;

/// What a request looks for, when it is one that scanners make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Probe {
    /// What kind of thing is looked for.
    pub kind: ProbeKind,
    /// How sure it is that nobody but a scanner asks.
    pub strength: ProbeStrength,
}

/// What kind of thing a probe looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeKind {
    /// A way to administer the site or its machine.
    Admin,
    /// A copy that was left lying about.
    Backup,
    /// Keys, passwords, configuration, the history of the source.
    Credential,
    /// A hole: traversal, injection, a shell, a known fault of some product.
    Exploit,
}

/// How sure it is that nobody but a scanner makes such a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeStrength {
    /// Owners, stray links and curious people ask for it too, such as `/wp-login.php`.
    Weak,
    /// No page links to it and no person types it.
    Strong,
}

/// What the first pass over a path saw.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Suspicion {
    /// A byte that ordinary paths do without.
    pub(crate) bytes: bool,
    /// A segment that begins with a dot.
    pub(crate) hidden: bool,
    /// The path is that of an asset or icon.
    pub(crate) asset: bool,
}

/// The known probes, prepared for reading requests.
#[derive(Debug, Clone)]
pub(crate) struct ProbeTable {
    /// Ordered by the first byte of the first segment.
    rules: Vec<Rule>,
    buckets: Box<[Bucket; 256]>,
    payloads: AhoCorasick,
    /// By pattern of `payloads`.
    verdicts: Vec<Probe>,
}

/// A pattern of [`PATH_RULES`].
#[derive(Debug, Clone)]
struct Rule {
    /// First segment, in lower case.
    first: &'static str,
    /// What must follow it, with its slash; empty for nothing.
    rest: &'static str,
    /// Whether the last segment may go on.
    open: bool,
    /// Whether the first segment must be the path's first.
    anchored: bool,
    probe: Probe,
}

/// The rules whose first segment begins with one byte.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    start: u16,
    end: u16,
    /// Bit n: a segment of n bytes (63 and more as 63) may fit.
    lengths: u64,
}

impl ProbeTable {
    pub(crate) fn new() -> Self {
        let mut rules: Vec<Rule> = PATH_RULES
            .iter()
            .flat_map(|(kind, strength, patterns)| {
                let probe = Probe { kind: *kind, strength: *strength };
                patterns.split_ascii_whitespace().map(move |pattern| Rule::parse(pattern, probe))
            })
            .collect();
        rules.sort_by_key(|rule| (rule.first.as_bytes()[0], core::cmp::Reverse(rule.probe.strength)));
        let mut buckets = Box::new([Bucket::default(); 256]);
        for (at, rule) in rules.iter().enumerate() {
            let byte = rule.first.as_bytes()[0];
            let bucket = &mut buckets[usize::from(byte)];
            if bucket.lengths == 0 {
                bucket.start = at as u16;
            }
            bucket.end = at as u16 + 1;
            bucket.lengths |= rule.lengths();
            buckets[usize::from(byte.to_ascii_uppercase())] = buckets[usize::from(byte)];
        }
        let mut verdicts = Vec::new();
        let mut patterns = Vec::new();
        for (kind, strength, list) in PAYLOADS {
            for pattern in list {
                patterns.push(pattern);
                verdicts.push(Probe { kind, strength });
            }
        }
        let payloads = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(patterns)
            .expect("a few hundred short patterns make an automaton");
        Self { rules, buckets, payloads, verdicts }
    }

    /// The probe that a request is, the strongest that is found.
    pub(crate) fn find(
        &self,
        path: &str,
        query: Option<&str>,
        parts: &PathParts<'_>,
        suspicion: Suspicion,
    ) -> Option<Probe> {
        let mut found = self.by_segments(path, suspicion.hidden);
        if !suspicion.asset {
            found = stronger(found, by_file_name(parts, path));
        }
        if suspicion.bytes {
            found = stronger(found, self.by_payload(path, false));
        }
        match query {
            Some(query) if !(query.is_empty() || suspicion.asset && is_plain(query)) => {
                stronger(found, self.by_payload(query, true))
            }
            Some(_) | None => found,
        }
    }

    fn by_segments(&self, path: &str, hidden: bool) -> Option<Probe> {
        let mut found = None;
        let mut start = 0;
        for segment in path.split('/') {
            if let Some(first) = segment.as_bytes().first() {
                let bucket = self.buckets[usize::from(*first)];
                if bucket.lengths >> segment.len().min(63) & 1 == 1 {
                    let after = &path.as_bytes()[start + segment.len()..];
                    let fits = |rule: &&Rule| rule.fits(segment.as_bytes(), after, start <= 1);
                    let rules = &self.rules[usize::from(bucket.start)..usize::from(bucket.end)];
                    found = stronger(found, rules.iter().find(fits).map(|rule| rule.probe));
                }
                if hidden && *first == b'.' {
                    found = stronger(found, by_hidden(segment));
                }
            }
            start += segment.len() + 1;
        }
        found
    }

    /// Payloads, after undoing up to three layers of percent-encoding.
    fn by_payload(&self, text: &str, query: bool) -> Option<Probe> {
        let mut buffer = [0; MAX_PAYLOAD];
        let mut len = 0;
        for (to, from) in buffer.iter_mut().zip(decoded(text.as_bytes())) {
            *to = from;
            len += 1;
        }
        let mut layers = 1;
        while layers < 3 && buffer[..len].contains(&b'%') {
            let mut again = [0; MAX_PAYLOAD];
            let mut shorter = 0;
            for (to, from) in again.iter_mut().zip(decoded(&buffer[..len])) {
                *to = from;
                shorter += 1;
            }
            if shorter == len {
                break;
            }
            (buffer, len, layers) = (again, shorter, layers + 1);
        }
        let plain = &buffer[..len];
        let mut found = if has_markup(plain) { Some(WEAK_EXPLOIT) } else { None };
        for hit in self.payloads.find_iter(plain) {
            found = stronger(found, Some(self.verdicts[hit.pattern().as_usize()]));
            if found.is_some_and(|probe| probe.strength == ProbeStrength::Strong) {
                return found;
            }
        }
        let encoded_traversal = layers > 1 && contains(plain, b"..");
        if plain.contains(&0) || encoded_traversal || (query && includes_remote_file(plain)) {
            return Some(STRONG_EXPLOIT);
        }
        found
    }
}

impl Rule {
    fn parse(pattern: &'static str, probe: Probe) -> Self {
        let (pattern, anchored) = pattern.strip_prefix('/').map_or((pattern, false), |rest| (rest, true));
        let (pattern, open) = pattern.strip_suffix('*').map_or((pattern, false), |rest| (rest, true));
        let (first, rest) = pattern.split_at(pattern.find('/').unwrap_or(pattern.len()));
        Self { first, rest, open, anchored, probe }
    }

    /// The lengths of first segments that may fit, as bits.
    fn lengths(&self) -> u64 {
        let own = self.first.len().min(63);
        if self.open && self.rest.is_empty() { u64::MAX << own } else { 1 << own }
    }

    fn fits(&self, segment: &[u8], after: &[u8], is_first: bool) -> bool {
        if self.anchored && !is_first {
            return false;
        }
        if self.rest.is_empty() {
            let begins = starts_with(segment, self.first.as_bytes());
            return begins && (self.open || segment.len() == self.first.len());
        }
        segment.eq_ignore_ascii_case(self.first.as_bytes())
            && starts_with(after, self.rest.as_bytes())
            && (self.open || matches!(after.get(self.rest.len()), None | Some(b'/' | b';' | b'%')))
    }
}

/// Hidden files and directories: well-known ones are listed among the rules; the rest is weak, and a few are usual.
fn by_hidden(segment: &str) -> Option<Probe> {
    let name = &segment[1..];
    if name.starts_with('.') {
        // A parent directory in a path that came over the wire: clients resolve them before they ask.
        return Some(STRONG_EXPLOIT);
    }
    let usual = name.is_empty() || BENIGN_HIDDEN.iter().any(|benign| name.eq_ignore_ascii_case(benign));
    (!usual).then_some(Probe { kind: ProbeKind::Credential, strength: ProbeStrength::Weak })
}

/// File names that tell by their end: copies, dumps, keys, archives of whole sites, shells.
fn by_file_name(parts: &PathParts<'_>, path: &str) -> Option<Probe> {
    let name = parts.name;
    if name.len() > 1 && name.ends_with('~') {
        return Some(Probe { kind: ProbeKind::Backup, strength: ProbeStrength::Strong });
    }
    let start = parts.extension_start?;
    let (stem, extension) = (name.get(..start - 1)?, name.get(start..)?);
    let is = |known: &str| extension.eq_ignore_ascii_case(known);
    if let Some((probe_kind, at_root, deeper, _)) =
        FILE_RULES.iter().find(|(_, _, _, list)| extension.len() < 10 && list.iter().any(|known| is(known)))
    {
        // A copy of a script (`index.php.bak`) holds source wherever it lies.
        let of_script = [".php", ".asp", ".aspx", ".jsp", ".cgi", ".env", ".conf", ".config", ".yml", ".sql"]
            .iter()
            .any(|script| stem.len() > script.len() && ends_with(stem, script));
        let strength = if of_script {
            ProbeStrength::Strong
        } else if path.len() == name.len() + 1 {
            *at_root
        } else {
            *deeper
        };
        return Some(Probe { kind: *probe_kind, strength });
    }
    if ARCHIVE_EXTENSIONS.iter().any(|known| is(known)) {
        let stem = stem.strip_suffix(".tar").or_else(|| stem.strip_suffix(".sql")).unwrap_or(stem);
        let whole_site = ARCHIVE_STEMS.iter().any(|known| stem.eq_ignore_ascii_case(known));
        return whole_site.then_some(Probe { kind: ProbeKind::Backup, strength: ProbeStrength::Strong });
    }
    let shell = is("php") && (ends_with(stem, "shell") || ends_with(stem, "backdoor"));
    shell.then_some(STRONG_EXPLOIT)
}

/// A tag in angle brackets: nobody types one into a search box, but mail programs and broken links produce some.
fn has_markup(plain: &[u8]) -> bool {
    plain.windows(2).any(|pair| {
        pair[0] == b'<' && (pair[1].is_ascii_alphabetic() || matches!(pair[1], b'/' | b'!' | b'?'))
    })
}

/// A parameter that is a URL and ends in a question mark, which makes whatever a script would append a query.
fn includes_remote_file(plain: &[u8]) -> bool {
    plain.ends_with(b"?")
        && [b"=http://".as_slice(), b"=https://", b"=ftp://"].iter().any(|scheme| contains(plain, scheme))
}

/// Whether a query holds nothing but what version marks of assets do.
fn is_plain(query: &str) -> bool {
    query.bytes().all(|b| b.is_ascii_alphanumeric() || b"=&-_.,".contains(&b))
}

fn stronger(one: Option<Probe>, other: Option<Probe>) -> Option<Probe> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if other.strength > one.strength { other } else { one }),
        (Some(probe), None) | (None, Some(probe)) => Some(probe),
        (None, None) => None,
    }
}

fn starts_with(text: &[u8], lower: &[u8]) -> bool {
    text.get(..lower.len()).is_some_and(|start| start.eq_ignore_ascii_case(lower))
}

fn ends_with(text: &str, lower: &str) -> bool {
    text.len()
        .checked_sub(lower.len())
        .is_some_and(|at| text.as_bytes()[at..].eq_ignore_ascii_case(lower.as_bytes()))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

const WEAK_EXPLOIT: Probe = Probe { kind: ProbeKind::Exploit, strength: ProbeStrength::Weak };
const STRONG_EXPLOIT: Probe = Probe { kind: ProbeKind::Exploit, strength: ProbeStrength::Strong };

/// How much of a path or query is searched for payloads, in bytes after decoding.
const MAX_PAYLOAD: usize = 1024;

#[cfg(test)]
mod tests;
