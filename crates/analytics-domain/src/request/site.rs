//! What is known about a site: its hosts, and what its paths are.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::RequestKind;
use super::kind::{ExtensionTable, MAX_OWN_EXTENSIONS};
use super::probe::ProbeTable;
use super::referrer::{host_of, without_www};
use super::referrer_sources::SourceTable;

/// What an operator may say about the site; every field has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SiteRules {
    /// The site's own hosts, such as `example.com`; each with its subdomains. `www.`, case and port do not count.
    /// Default: none, so that no referrer is internal and no request is taken for a proxy attempt.
    pub hosts: Vec<String>,
    /// What paths are, where the usual reading is wrong; the longest prefix that fits decides. Default: the routes
    /// of the tracker are beacons.
    pub paths: Vec<PathRule>,
    /// What extensions (without dot) are, where the usual reading is wrong. At most 256. Default: none.
    pub extensions: Vec<(String, RequestKind)>,
    /// Hosts that send false referrers, each with its subdomains, beside the built-in ones. Default: none.
    pub spam_hosts: Vec<String>,
}

/// All paths that equal a prefix or go on below it are of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathRule {
    /// The beginning of the path, with its leading slash; `/a` fits `/a` and `/a/b`, not `/ab`. Case counts.
    pub prefix: String,
    /// What these paths are.
    pub kind: RequestKind,
}

impl Default for SiteRules {
    fn default() -> Self {
        let beacon = |prefix: &str| PathRule { prefix: prefix.into(), kind: RequestKind::Beacon };
        Self {
            hosts: Vec::new(),
            paths: ["/v1/engagement", "/v1/events", "/v1/page-token", "/pixel.gif"].map(beacon).into(),
            extensions: Vec::new(),
            spam_hosts: Vec::new(),
        }
    }
}

/// Why [`SiteRules`] are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSite {
    /// A host is empty or holds what no host does.
    #[error("`{0}` is no host name")]
    Host(String),
    /// A path rule does not begin with a slash.
    #[error("the path rule `{0}` does not begin with a slash")]
    Path(String),
    /// An extension is empty, longer than 16 bytes, or written with its dot.
    #[error("`{0}` is no extension of 1 to 16 letters or digits")]
    Extension(String),
    /// There are more than 256 extensions.
    #[error("a site has at most 256 extension rules, not {0}")]
    Extensions(usize),
}

/// What is known about a site, prepared for reading requests.
///
/// It is built once (some 10 ms of tables) and then shared. [`SitePolicy::default`] is that of
/// [`SiteRules::default`].
#[derive(Debug, Clone)]
pub struct SitePolicy {
    hosts: Vec<String>,
    /// Longest prefix first.
    paths: Vec<PathRule>,
    extensions: ExtensionTable<RequestKind>,
    sources: SourceTable,
    probes: ProbeTable,
}

impl SitePolicy {
    /// The policy of these rules.
    ///
    /// # Errors
    /// [`InvalidSite::Host`], [`InvalidSite::Path`], [`InvalidSite::Extension`] for the first rule that is none, and
    /// [`InvalidSite::Extensions`] for too many of them.
    pub fn new(rules: SiteRules) -> Result<Self, InvalidSite> {
        let hosts = own_hosts(rules.hosts)?;
        let mut paths = rules.paths;
        if let Some(bad) = paths.iter().find(|rule| !rule.prefix.starts_with('/')) {
            return Err(InvalidSite::Path(bad.prefix.clone()));
        }
        for rule in &mut paths {
            rule.prefix.truncate(rule.prefix.trim_end_matches('/').len());
        }
        paths.sort_by_key(|rule| core::cmp::Reverse(rule.prefix.len()));
        if rules.extensions.len() > MAX_OWN_EXTENSIONS {
            return Err(InvalidSite::Extensions(rules.extensions.len()));
        }
        let sound =
            |ext: &str| (1..=16).contains(&ext.len()) && ext.bytes().all(|b| b.is_ascii_alphanumeric());
        if let Some((bad, _)) = rules.extensions.iter().find(|(extension, _)| !sound(extension)) {
            return Err(InvalidSite::Extension(bad.clone()));
        }
        Ok(Self {
            hosts,
            paths,
            extensions: ExtensionTable::kinds(
                rules.extensions.iter().map(|(ext, kind)| (ext.as_str(), *kind)),
            ),
            sources: SourceTable::new(&rules.spam_hosts),
            probes: ProbeTable::new(),
        })
    }

    /// The policy of a site with these hosts and otherwise default rules.
    ///
    /// # Errors
    /// [`InvalidSite::Host`] for the first text that is no host.
    pub fn for_hosts<H: Into<String>>(hosts: impl IntoIterator<Item = H>) -> Result<Self, InvalidSite> {
        Self::default().with_hosts(hosts)
    }

    /// The same policy with these hosts instead of its own, without building the tables again.
    ///
    /// # Errors
    /// [`InvalidSite::Host`] for the first text that is no host.
    pub fn with_hosts<H: Into<String>>(
        self,
        hosts: impl IntoIterator<Item = H>,
    ) -> Result<Self, InvalidSite> {
        Ok(Self { hosts: own_hosts(hosts.into_iter().map(Into::into))?, ..self })
    }

    /// Whether the host (without port) is one of the site's own or below one.
    pub fn is_own_host(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host).as_bytes();
        self.hosts.iter().any(|own| {
            let Some(start) = host.len().checked_sub(own.len()) else { return false };
            host[start..].eq_ignore_ascii_case(own.as_bytes()) && (start == 0 || host[start - 1] == b'.')
        })
    }

    /// Whether any host of the site's own is known.
    pub fn knows_hosts(&self) -> bool {
        !self.hosts.is_empty()
    }

    /// The kind that the site's own rules give to a path.
    pub(crate) fn ruled(&self, path: &str) -> Option<RequestKind> {
        let bytes = path.as_bytes();
        let fits = |rule: &&PathRule| {
            let prefix = rule.prefix.as_bytes();
            // Most paths differ from every rule in the second or third byte: that saves the comparison.
            bytes.get(1) == prefix.get(1).or(bytes.get(1))
                && bytes.get(2) == prefix.get(2).or(bytes.get(2))
                && bytes.strip_prefix(prefix).is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
        };
        self.paths.iter().find(fits).map(|rule| rule.kind)
    }

    pub(crate) const fn extensions(&self) -> &ExtensionTable<RequestKind> {
        &self.extensions
    }

    pub(crate) const fn sources(&self) -> &SourceTable {
        &self.sources
    }

    pub(crate) const fn probes(&self) -> &ProbeTable {
        &self.probes
    }
}

impl Default for SitePolicy {
    fn default() -> Self {
        Self::new(SiteRules::default()).expect("the default rules are accepted, as a test holds")
    }
}

fn own_hosts(given: impl IntoIterator<Item = String>) -> Result<Vec<String>, InvalidSite> {
    given.into_iter().map(own_host).collect()
}

fn own_host(given: String) -> Result<String, InvalidSite> {
    match host_of(given.trim()) {
        Some(host) => Ok(without_www(host).to_ascii_lowercase()),
        None => Err(InvalidSite::Host(given)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn the_default_rules_are_accepted_and_are_what_an_empty_configuration_reads_as() {
        assert!(SitePolicy::new(SiteRules::default()).is_ok());
        assert_eq!(serde_json::from_str::<SiteRules>("{}").unwrap(), SiteRules::default());
    }

    #[test]
    fn a_rule_that_is_none_is_refused_with_its_text() {
        let refused = |rules| SitePolicy::new(rules).map(|_| ()).unwrap_err();
        let hosts = SiteRules { hosts: vec!["example.com".into(), "a b".into()], ..SiteRules::default() };
        assert_eq!(refused(hosts), InvalidSite::Host("a b".into()));
        let paths = vec![PathRule { prefix: "api".into(), kind: RequestKind::Api }];
        assert_eq!(refused(SiteRules { paths, ..SiteRules::default() }), InvalidSite::Path("api".into()));
        let extensions = vec![(".json".into(), RequestKind::Asset)];
        assert_eq!(
            refused(SiteRules { extensions, ..SiteRules::default() }),
            InvalidSite::Extension(".json".into())
        );
        let extensions = vec![("a".into(), RequestKind::Asset); 257];
        assert_eq!(refused(SiteRules { extensions, ..SiteRules::default() }), InvalidSite::Extensions(257));
    }

    #[test]
    fn hosts_count_without_www_case_port_and_final_dot() {
        let site = SitePolicy::for_hosts(["WWW.Example.com:8080", "localhost"]).unwrap();
        for own in ["example.com", "www.example.com", "EXAMPLE.COM.", "a.b.example.com", "localhost"] {
            assert!(site.is_own_host(own), "{own}");
        }
        for foreign in ["evilexample.com", "example.com.evil.org", "com", "", "notlocalhost"] {
            assert!(!site.is_own_host(foreign), "{foreign}");
        }
    }

    #[test]
    fn other_hosts_leave_the_other_rules_as_they_are() {
        let paths = vec![PathRule { prefix: "/docs".into(), kind: RequestKind::Api }];
        let rules = SiteRules { hosts: vec!["old.example".into()], paths, ..SiteRules::default() };
        let site = SitePolicy::new(rules).unwrap().with_hosts(["www.new.example"]).unwrap();
        assert!(site.is_own_host("new.example") && !site.is_own_host("old.example"));
        assert_eq!(site.ruled("/docs/a"), Some(RequestKind::Api));
        assert_eq!(site.with_hosts(["a b"]).map(|_| ()), Err(InvalidSite::Host("a b".into())));
    }

    #[test]
    fn the_longest_path_rule_decides_at_a_segment_boundary() {
        let paths = vec![
            PathRule { prefix: "/docs".into(), kind: RequestKind::Page },
            PathRule { prefix: "/docs/api/".into(), kind: RequestKind::Api },
        ];
        let site = SitePolicy::new(SiteRules { paths, ..SiteRules::default() }).unwrap();
        assert_eq!(site.ruled("/docs/intro"), Some(RequestKind::Page));
        assert_eq!(site.ruled("/docs/api"), Some(RequestKind::Api));
        assert_eq!(site.ruled("/docs/api/x"), Some(RequestKind::Api));
        assert_eq!(site.ruled("/docs/apis"), Some(RequestKind::Page));
        assert_eq!(site.ruled("/docsy"), None);
    }
}
