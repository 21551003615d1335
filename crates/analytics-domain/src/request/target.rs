//! What a request asks for.

use xxhash_rust::xxh3::xxh3_64;

use super::kind::{PathParts, by_path, refined};
use super::probe::Suspicion;
use super::referrer::host_of;
use super::text::cut;
use super::{Method, Probe, ProbeKind, ProbeStrength, RequestKind, SitePolicy};

/// What a request asks for, read from the target of its request line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// The path as it came, without scheme, host, query and fragment, cut at 1,024 bytes between characters.
    pub path: &'a str,
    /// What follows the first `?`, without fragment; may be empty.
    pub query: Option<&'a str>,
    /// What kind of thing it is.
    pub kind: RequestKind,
    /// Whether `kind` costs nothing only because a header of the client's choice says so (`Sec-Fetch-Dest`,
    /// `Sec-Purpose`, `Purpose`), where the path would be charged. A client could buy itself free requests that
    /// way; what limits them should look here.
    pub free_by_claim: bool,
    /// What the request looks for, when it is one that scanners make.
    pub probe: Option<Probe>,
    /// Hash of the path: [`PathHash::of`].
    pub path_hash: PathHash,
    /// Hash of the directory that holds the path: for `/a/b` and `/a/b/` that of `/a`, for `/a` and `/` that of `/`.
    pub directory_hash: PathHash,
    /// How many non-empty segments the path has, at most 255.
    pub depth: u8,
    /// The last run of digits in the path as a number; nothing when it has more than 18 digits, which no page
    /// number has.
    pub last_number: Option<u64>,
}

/// What a client says about the purpose of a request, each as its field came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hints<'a> {
    /// `Sec-Fetch-Dest`.
    pub sec_fetch_dest: Option<&'a str>,
    /// `Sec-Purpose`.
    pub sec_purpose: Option<&'a str>,
    /// `Purpose` (or the older `X-Purpose`, `X-Moz`).
    pub purpose: Option<&'a str>,
}

/// A path as a number that is equal for equal paths, on every platform and in every run (XXH3, 64 bits).
///
/// A trailing slash does not count: `/a/` is `/a`. An index page is another path than its directory, since only
/// the server knows whether they are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathHash(pub u64);

impl PathHash {
    /// The hash of a path without query.
    pub fn of(path: &str) -> Self {
        Self(xxh3_64(trimmed(path).as_bytes()))
    }
}

impl<'a> Target<'a> {
    /// Reads the target of a request line: `/path?query`, `http://host/path`, or whatever a scanner sends instead.
    ///
    /// The site's own path rules come first, then method and hints, then what the path itself says.
    pub fn read(policy: &SitePolicy, method: Method, target: &'a str, hints: Hints<'_>) -> Self {
        let (origin, form) = origin_form(policy, target);
        let scan = Scan::of(origin.as_bytes());
        let (path, query) = split(origin, scan.end);
        let name = path.get(scan.name_start..).unwrap_or_default();
        let parts = PathParts {
            path,
            first: scan.first(path),
            name,
            name_start: scan.name_start,
            // A dot that begins the name makes no extension.
            extension_start: name.rfind('.').filter(|dot| *dot > 0).map(|dot| dot + 1),
        };
        let ruled = policy.ruled(path);
        let said = ruled.unwrap_or_else(|| by_path(policy.extensions(), &parts, query));
        let kind = match ruled {
            Some(kind) if method != Method::Options => kind,
            Some(_) | None => refined(said, method, hints),
        };
        let unhinted = if kind.is_charged(None) { kind } else { refined(said, method, Hints::default()) };
        let free_by_claim = ruled.is_none() && unhinted.is_charged(None) && !kind.is_charged(None);
        let probe = form.probe().or_else(|| {
            let suspicion = Suspicion { bytes: scan.suspect, hidden: scan.hidden, asset: said.is_asset() };
            policy.probes().find(path, query, &parts, suspicion)
        });
        let trimmed = trimmed(path);
        Self {
            path,
            query,
            kind,
            free_by_claim,
            probe,
            path_hash: PathHash(xxh3_64(trimmed.as_bytes())),
            directory_hash: PathHash(xxh3_64(directory(trimmed).as_bytes())),
            depth: scan.depth,
            last_number: scan.last_number(path.as_bytes()),
        }
    }
}

/// How a target was written.
#[derive(Clone, Copy)]
enum Form {
    /// `/path`, `*`, nothing at all, or a URL of the site itself.
    Usual,
    /// A URL of another host, or `host:port`: whoever asks looks for an open proxy.
    Proxy,
    /// None that HTTP knows.
    Malformed,
}

impl Form {
    const fn probe(self) -> Option<Probe> {
        match self {
            Self::Usual => None,
            Self::Proxy => Some(Probe { kind: ProbeKind::Exploit, strength: ProbeStrength::Strong }),
            Self::Malformed => Some(Probe { kind: ProbeKind::Exploit, strength: ProbeStrength::Weak }),
        }
    }
}

fn origin_form<'a>(policy: &SitePolicy, target: &'a str) -> (&'a str, Form) {
    if target.starts_with('/') || matches!(target, "*" | "" | "-") {
        return (target, Form::Usual);
    }
    let Some((scheme, rest)) = target.split_once("://") else { return (target, other_form(target)) };
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return (target, Form::Malformed);
    }
    let (authority, origin) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let foreign = match host_of(authority) {
        Some(host) => policy.knows_hosts() && !policy.is_own_host(host),
        None => true,
    };
    (if origin.is_empty() { "/" } else { origin }, if foreign { Form::Proxy } else { Form::Usual })
}

fn other_form(target: &str) -> Form {
    match target.rsplit_once(':') {
        Some((host, port)) if host_of(host).is_some() && port.parse::<u16>().is_ok() => Form::Proxy,
        Some(_) | None => Form::Malformed,
    }
}

fn split(origin: &str, end: usize) -> (&str, Option<&str>) {
    let (path, rest) = origin.split_at(end);
    let query = rest.strip_prefix('?').map(|query| query.split_once('#').map_or(query, |(query, _)| query));
    let path = if path.is_empty() && !rest.is_empty() { "/" } else { path };
    (cut(path, MAX_PATH), query)
}

fn trimmed(path: &str) -> &str {
    let short = path.trim_end_matches('/');
    if short.is_empty() && !path.is_empty() { "/" } else { short }
}

fn directory(trimmed: &str) -> &str {
    match trimmed.rfind('/') {
        Some(0) | None => "/",
        Some(slash) => &trimmed[..slash],
    }
}

/// What one pass over the bytes of a path finds.
#[derive(Default)]
struct Scan {
    end: usize,
    first_end: Option<usize>,
    name_start: usize,
    depth: u8,
    digits: bool,
    suspect: bool,
    hidden: bool,
}

impl Scan {
    fn of(origin: &[u8]) -> Self {
        let mut scan = Self { end: origin.len(), ..Self::default() };
        let (mut depth, mut seen) = (0usize, 0u8);
        for (at, byte) in origin.iter().enumerate() {
            let class = CLASSES[usize::from(*byte)];
            seen |= class;
            if class & STOPS == 0 {
                continue;
            }
            if class == SLASH {
                if at > scan.name_start {
                    depth += 1;
                    scan.first_end.get_or_insert(at);
                }
                scan.name_start = at + 1;
            } else if class == DOT {
                scan.hidden |= at == scan.name_start;
            } else {
                scan.end = at;
                break;
            }
        }
        depth += usize::from(scan.end > scan.name_start);
        scan.depth = depth.min(255) as u8;
        scan.suspect = seen & SUSPECT != 0;
        scan.digits = seen & DIGIT != 0;
        scan
    }

    fn first<'a>(&self, path: &'a str) -> &'a str {
        path.get(..self.first_end.unwrap_or(self.end)).unwrap_or(path).trim_start_matches('/')
    }

    fn last_number(&self, path: &[u8]) -> Option<u64> {
        if !self.digits {
            return None;
        }
        let end = path.iter().rposition(u8::is_ascii_digit)? + 1;
        let run = path[..end].iter().rev().take_while(|byte| byte.is_ascii_digit()).take(MAX_DIGITS + 1);
        let (mut number, mut unit, mut digits) = (0u64, 1u64, 0);
        for byte in run {
            digits += 1;
            if digits > MAX_DIGITS {
                return None;
            }
            number += u64::from(byte - b'0') * unit;
            unit *= 10;
        }
        Some(number)
    }
}

const SLASH: u8 = 1;
const DOT: u8 = 2;
const END: u8 = 4;
const DIGIT: u8 = 8;
/// Bytes that ordinary paths do without and payloads need.
const SUSPECT: u8 = 16;
/// The classes at which the pass has something to note at once.
const STOPS: u8 = SLASH | DOT | END;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'/' => SLASH,
            b'.' => DOT,
            b'0'..=b'9' => DIGIT,
            b'?' | b'#' => END,
            0..=b' '
            | b'"'
            | b'$'
            | b'%'
            | b'\''
            | b'('
            | b';'
            | b'<'
            | b'>'
            | b'\\'
            | b'`'
            | b'{'
            | b'|'
            | 127 => SUSPECT,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

/// The longest path kept, in bytes.
pub(crate) const MAX_PATH: usize = 1024;

/// The longest run of digits that is read as a number; 18 digits always fit 64 bits.
const MAX_DIGITS: usize = 18;

#[cfg(test)]
mod tests;
