//! Requests that only scanners make, or hardly anybody else.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use super::kind::{ExtensionTable, PathParts};
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
    /// Ordered by bucket.
    rules: Vec<Rule>,
    buckets: Box<[Bucket]>,
    files: ExtensionTable<FileRule>,
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

/// What a file extension says.
#[derive(Debug, Clone, Copy)]
enum FileRule {
    /// A copy, dump or key.
    Copy { kind: ProbeKind, at_root: ProbeStrength, deeper: ProbeStrength },
    /// An archive: a probe when it is named as a whole site.
    Archive,
    /// A script: a probe when it is named as a shell.
    Script,
}

/// The rules whose first segments begin with the same two bytes (or with others that fall together).
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
        rules.sort_by_key(|rule| (bucket_of(rule.first.as_bytes()), core::cmp::Reverse(rule.probe.strength)));
        let mut buckets = vec![Bucket::default(); BUCKETS].into_boxed_slice();
        for (at, rule) in rules.iter().enumerate() {
            let bucket = &mut buckets[bucket_of(rule.first.as_bytes())];
            if bucket.lengths == 0 {
                bucket.start = at as u16;
            }
            bucket.end = at as u16 + 1;
            bucket.lengths |= rule.lengths();
        }
        let files = FILE_RULES.iter().flat_map(|(kind, at_root, deeper, list)| {
            let rule = FileRule::Copy { kind: *kind, at_root: *at_root, deeper: *deeper };
            list.iter().map(move |extension| (*extension, rule))
        });
        let archives = ARCHIVE_EXTENSIONS.iter().map(|extension| (*extension, FileRule::Archive));
        let files = ExtensionTable::of(files.chain(archives).chain([("php", FileRule::Script)]));
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
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(AhoCorasickKind::DFA))
            .build(patterns)
            .expect("a few hundred short patterns make an automaton");
        Self { rules, buckets, files, payloads, verdicts }
    }

    /// The probe that a request is, the strongest that is found.
    pub(crate) fn find(
        &self,
        path: &str,
        query: Option<&str>,
        parts: &PathParts<'_>,
        suspicion: Suspicion,
    ) -> Option<Probe> {
        // Of an ordinary asset only the name can tell; its directories are those of the site.
        let whole = suspicion.hidden || !suspicion.asset;
        let mut found = self.by_segments(path, if whole { 0 } else { parts.name_start }, suspicion.hidden);
        if !suspicion.asset {
            found = stronger(found, self.by_file_name(parts));
        }
        if suspicion.bytes {
            found = stronger(found, self.by_payload(path, false));
        }
        match query {
            Some(query) if !is_plain(query, suspicion.asset) => stronger(found, self.by_payload(query, true)),
            Some(_) | None => found,
        }
    }

    /// The probe that the segments from byte `start` on make, the strongest that is found.
    fn by_segments(&self, path: &str, mut start: usize, hidden: bool) -> Option<Probe> {
        let bytes = path.as_bytes();
        let mut found = None;
        let mut depth = usize::from(start > 1);
        while start < bytes.len() {
            let len = bytes[start..].iter().position(|byte| *byte == b'/').unwrap_or(bytes.len() - start);
            let (segment, after) = bytes[start..].split_at(len);
            if let Some(first) = segment.first() {
                let bucket = self.buckets[bucket_of(segment)];
                if bucket.lengths >> len.min(63) & 1 == 1 {
                    let fits = |rule: &&Rule| rule.fits(segment, after, depth == 0);
                    let rules = &self.rules[usize::from(bucket.start)..usize::from(bucket.end)];
                    found = stronger(found, rules.iter().find(fits).map(|rule| rule.at_depth(depth)));
                }
                if hidden && *first == b'.' {
                    found = stronger(found, by_hidden(&path[start..start + len]));
                }
                depth += 1;
            }
            start += len + 1;
        }
        found
    }

    /// File names that tell by their end: copies, dumps, keys, archives of whole sites, shells.
    fn by_file_name(&self, parts: &PathParts<'_>) -> Option<Probe> {
        let name = parts.name;
        if name.len() > 1 && name.ends_with('~') {
            return Some(Probe { kind: ProbeKind::Backup, strength: ProbeStrength::Strong });
        }
        let rule = self.files.get(parts.extension()?)?;
        let stem = &name[..parts.extension_start? - 1];
        match rule {
            FileRule::Copy { kind, at_root, deeper } => {
                // A copy of a script (`index.php.bak`) holds source wherever it lies.
                let of_script =
                    SCRIPTS.iter().any(|script| stem.len() > script.len() && ends_with(stem, script));
                let in_root = parts.name_start <= 1;
                let strength = match (of_script, in_root) {
                    (true, _) => ProbeStrength::Strong,
                    (false, true) => at_root,
                    (false, false) => deeper,
                };
                Some(Probe { kind, strength })
            }
            FileRule::Archive => {
                let stem = stem.strip_suffix(".tar").or_else(|| stem.strip_suffix(".sql")).unwrap_or(stem);
                let whole_site = ARCHIVE_STEMS.iter().any(|known| stem.eq_ignore_ascii_case(known));
                whole_site.then_some(Probe { kind: ProbeKind::Backup, strength: ProbeStrength::Strong })
            }
            FileRule::Script => {
                (ends_with(stem, "shell") || ends_with(stem, "backdoor")).then_some(STRONG_EXPLOIT)
            }
        }
    }

    /// Payloads, after undoing up to three layers of percent-encoding.
    fn by_payload(&self, text: &str, query: bool) -> Option<Probe> {
        if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
            let plain = text.as_bytes();
            return self.by_plain_payload(&plain[..plain.len().min(MAX_PAYLOAD)], query);
        }
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
        // Dots need no encoding: who encodes them twice means to get past a filter.
        if layers > 1 && contains(plain, b"..") {
            Some(STRONG_EXPLOIT)
        } else {
            self.by_plain_payload(plain, query)
        }
    }

    fn by_plain_payload(&self, plain: &[u8], query: bool) -> Option<Probe> {
        let mut found = if has_markup(plain) { Some(WEAK_EXPLOIT) } else { None };
        for hit in self.payloads.find_iter(plain) {
            found = stronger(found, Some(self.verdicts[hit.pattern().as_usize()]));
            if found.is_some_and(|probe| probe.strength == ProbeStrength::Strong) {
                return found;
            }
        }
        if plain.contains(&0) || (query && includes_remote_file(plain)) {
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

    /// The probe when the first segment is the path's `depth`th, counted from 0.
    ///
    /// Secrets are looked for near the root; below three directories a site that shows source code has files of the
    /// same names.
    fn at_depth(&self, depth: usize) -> Probe {
        let strength = match self.probe.kind {
            ProbeKind::Credential if depth >= 3 => ProbeStrength::Weak,
            ProbeKind::Credential | ProbeKind::Admin | ProbeKind::Backup | ProbeKind::Exploit => {
                self.probe.strength
            }
        };
        Probe { strength, ..self.probe }
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

/// Whether a query holds nothing that a payload needs: letters, digits and the marks of parameters. A dot is needed
/// to name classes and tables, and usual in the version marks of assets.
fn is_plain(query: &str, asset: bool) -> bool {
    query.bytes().all(|b| {
        b.is_ascii_alphanumeric() || matches!(b, b'=' | b'&' | b'-' | b'_' | b',') || (asset && b == b'.')
    })
}

/// Case does not count: the bit that tells letters' cases apart is set in both bytes.
fn bucket_of(segment: &[u8]) -> usize {
    let first = usize::from(segment[0] | 0x20);
    let second = usize::from(segment.get(1).copied().unwrap_or_default() | 0x20);
    (first * 37 + second) % BUCKETS
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

/// Extensions of source code and configuration.
const SCRIPTS: [&str; 10] =
    [".php", ".asp", ".aspx", ".jsp", ".cgi", ".env", ".conf", ".config", ".yml", ".sql"];

/// Some four times the rules.
const BUCKETS: usize = 2048;

/// How much of a path or query is searched for payloads, in bytes after decoding.
const MAX_PAYLOAD: usize = 1024;

#[cfg(test)]
mod tests;
