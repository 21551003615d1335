//! Where the operators of crawlers say that these come from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use analytics_domain::request::Network;
use serde::Deserialize;

/// For each crawler the networks and the domain names of its operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrawlerRules {
    rules: Vec<CrawlerRule>,
    /// By name in lower case.
    names: BTreeMap<String, usize>,
}

/// Where one operator's crawlers come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct CrawlerRule {
    pub(super) networks: Vec<Network>,
    /// In lower case, without a dot at either end.
    pub(super) suffixes: Vec<String>,
}

/// Why a file of rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CrawlerRulesError {
    /// The file cannot be read.
    #[error("cannot read the crawler ranges in {}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is there and says nothing usable.
    #[error("{}: {reason}", path.display())]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// What is wrong in it, and where.
        reason: String,
    },
}

impl CrawlerRules {
    /// The crawlers of the table in this file, whose operators say that the names of their addresses can be relied on.
    pub fn known() -> Self {
        let mut rules = Self { rules: Vec::new(), names: BTreeMap::new() };
        for (names, suffixes) in KNOWN {
            let place = rules.rules.len();
            let suffixes = suffixes.iter().map(|&suffix| suffix.to_owned()).collect();
            rules.rules.push(CrawlerRule { networks: Vec::new(), suffixes });
            rules.names.extend(names.iter().map(|name| (name.to_ascii_lowercase(), place)));
        }
        rules
    }

    /// The same, judged by networks alone; crawlers without networks are not in it.
    #[must_use]
    pub fn without_names(mut self) -> Self {
        for rule in &mut self.rules {
            rule.suffixes.clear();
        }
        let rules = &self.rules;
        self.names.retain(|_, place| !rules[*place].networks.is_empty());
        self
    }

    /// These rules and those of a file.
    ///
    /// A `.toml` file has a table for each crawler with `networks`, `suffixes`, or both. A `.json` file is as operators
    /// publish it, `{"prefixes": [{"ipv4Prefix": "…"}, {"ipv6Prefix": "…"}]}`, and about the crawler that the file is
    /// named after, or has such an object for each crawler under its name.
    ///
    /// Networks are added to those that are known. Suffixes take the place of those that are known; an empty list says
    /// that the networks are all there is.
    ///
    /// # Errors
    /// [`CrawlerRulesError`].
    pub fn with_file(mut self, path: &Path) -> Result<Self, CrawlerRulesError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| CrawlerRulesError::Io { path: path.into(), source })?;
        let invalid = |reason: String| CrawlerRulesError::Invalid { path: path.into(), reason };
        let json = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("json"));
        let written = if json { read_json(path, &text) } else { read_toml(&text) }.map_err(invalid)?;
        for (name, Written { networks, suffixes }) in written {
            if networks.is_empty() && suffixes.as_ref().is_none_or(Vec::is_empty) {
                return Err(invalid(format!("`{name}` has neither networks nor suffixes")));
            }
            let suffixes = suffixes.map(|all| all.iter().map(|text| suffix(text)).collect()).transpose();
            let suffixes = suffixes.map_err(|reason| invalid(format!("`{name}`: {reason}")))?;
            let place = self.place_for(&name);
            let rule = &mut self.rules[place];
            rule.networks.extend(networks);
            rule.networks.sort_unstable();
            rule.networks.dedup();
            rule.suffixes = suffixes.unwrap_or_else(|| std::mem::take(&mut rule.suffixes));
        }
        Ok(self)
    }

    /// The rule of the crawler of this name; of `Googlebot-Image` that of `Googlebot` if it has none of its own.
    pub(super) fn find(&self, name: &str) -> Option<(usize, &CrawlerRule)> {
        let name = name.to_ascii_lowercase();
        let family = name.split('-').next().unwrap_or_default();
        let place = self.names.get(&name).or_else(|| self.names.get(family))?;
        Some((*place, &self.rules[*place]))
    }

    pub(super) fn rule(&self, place: usize) -> &CrawlerRule {
        &self.rules[place]
    }

    fn place_for(&mut self, name: &str) -> usize {
        let place = self.rules.len();
        let known = *self.names.entry(name.to_ascii_lowercase()).or_insert(place);
        if known == place {
            self.rules.push(CrawlerRule::default());
        }
        known
    }
}

impl CrawlerRule {
    /// Whether a host name is one of the operator's: a suffix itself, or labels before it.
    pub(super) fn owns(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        self.suffixes.iter().any(|suffix| {
            name.strip_suffix(suffix.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    networks: Vec<Network>,
    suffixes: Option<Vec<String>>,
}

/// As operators publish it; they write the time and more beside it.
#[derive(Deserialize)]
struct Published {
    prefixes: Vec<Prefix>,
}

#[derive(Deserialize)]
struct Prefix {
    #[serde(rename = "ipv4Prefix")]
    v4: Option<Network>,
    #[serde(rename = "ipv6Prefix")]
    v6: Option<Network>,
}

fn read_toml(text: &str) -> Result<BTreeMap<String, Written>, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

fn read_json(path: &Path, text: &str) -> Result<BTreeMap<String, Written>, String> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let all = if value.get("prefixes").is_some() {
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        let one = serde_json::from_value(value).map_err(|error| error.to_string())?;
        BTreeMap::from([(name, one)])
    } else {
        serde_json::from_value::<BTreeMap<String, Published>>(value).map_err(|error| error.to_string())?
    };
    let networks = |published: Published| {
        published.prefixes.into_iter().flat_map(|prefix| [prefix.v4, prefix.v6]).flatten().collect()
    };
    Ok(all
        .into_iter()
        .map(|(name, published)| (name, Written { networks: networks(published), suffixes: None }))
        .collect())
}

/// A domain name of at least two labels: whoever owns `com` is nobody's operator.
fn suffix(text: &str) -> Result<String, String> {
    let name = text.trim_matches('.').to_ascii_lowercase();
    let label =
        |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if name.contains('.') && name.split('.').all(label) {
        Ok(name)
    } else {
        Err(format!("`{text}` is no domain name of at least two labels"))
    }
}

/// Crawlers by the names that they declare, and the domains that the names of their addresses end in, as their
/// operators say:
///
/// - Google: developers.google.com/search/docs/crawling-indexing/verifying-googlebot. Its clouds' customers have names
///   under `bc.googleusercontent.com`, so that of that domain only `gae.` counts, which fetches for users.
/// - Microsoft: bing.com/webmasters/help/how-to-verify-bingbot-3905dc26
/// - Yahoo: help.yahoo.com/kb/SLN22600.html
/// - Yandex: yandex.com/support/webmaster/robot-workings/check-yandex-robots.html
/// - Baidu: `help.baidu.com/question?prod_id=99&class=0&id=3001`
/// - Apple: support.apple.com/en-us/119829
/// - Seznam: napoveda.seznam.cz/en/full-text-search/seznambot-crawler/
/// - Huawei: webmaster.petalsearch.com/site/petalbot
/// - Amazon: developer.amazon.com/amazonbot
/// - Common Crawl: commoncrawl.org/ccbot
/// - Pinterest: help.pinterest.com/en/business/article/pinterestbot
const KNOWN: &[(&[&str], &[&str])] = &[
    (
        &["Googlebot", "Google-InspectionTool", "GoogleOther", "Storebot-Google"],
        &["googlebot.com", "google.com"],
    ),
    (
        &["AdsBot-Google", "APIs-Google", "Mediapartners-Google", "FeedFetcher-Google", "Google Favicon"],
        &["googlebot.com", "google.com", "gae.googleusercontent.com"],
    ),
    (&["bingbot", "adidxbot", "msnbot", "BingPreview"], &["search.msn.com"]),
    (&["Slurp"], &["crawl.yahoo.net"]),
    (
        &[
            "YandexBot",
            "YandexAccessibilityBot",
            "YandexAdditionalBot",
            "YandexBlogs",
            "YandexDirect",
            "YandexFavicons",
            "YandexImages",
            "YandexImageResizer",
            "YandexMarket",
            "YandexMedia",
            "YandexMetrika",
            "YandexMobileBot",
            "YandexNews",
            "YandexOntoDB",
            "YandexPagechecker",
            "YandexRenderResourcesBot",
            "YandexScreenshotBot",
            "YandexSitelinks",
            "YandexTurbo",
            "YandexVerticals",
            "YandexVideo",
            "YandexWebmaster",
        ],
        &["yandex.ru", "yandex.net", "yandex.com"],
    ),
    (&["Baiduspider"], &["baidu.com", "baidu.jp"]),
    (&["Applebot"], &["applebot.apple.com"]),
    (&["SeznamBot"], &["seznam.cz"]),
    (&["PetalBot", "AspiegelBot"], &["petalsearch.com", "aspiegel.com"]),
    (&["Amazonbot"], &["crawl.amazonbot.amazon"]),
    (&["CCBot"], &["crawl.commoncrawl.org"]),
    (&["Pinterestbot"], &["pinterest.com"]),
];
