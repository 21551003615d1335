//! Where a request says it comes from.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::text::{Folded, cut};
use super::{PathHash, SitePolicy};

/// Where a request says it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Referrer<'a> {
    /// The source of the request cannot tell, such as a log format without that field. It is no evidence.
    Unobserved,
    /// The client sent none.
    Missing,
    /// A page of the site itself.
    Internal {
        /// Path of the page, at most 1,024 bytes, `/` when the URL has none.
        path: &'a str,
        /// Hash of the path, equal to [`super::Target::path_hash`] of the request for that page.
        path_hash: PathHash,
    },
    /// A page of another site, or an app.
    External {
        /// The host, or the name of the app, without `www.`, port and final dot, in the case in which it came.
        host: &'a str,
        /// Hash of the host in lower case.
        host_hash: u64,
        /// What kind of site it is.
        source: ReferrerSource,
    },
    /// Something that is no URL of a page.
    Unreadable,
}

/// What kind of site a referrer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferrerSource {
    /// A search engine.
    Search,
    /// A social network, forum or chat.
    Social,
    /// A mail host.
    Email,
    /// An AI assistant.
    AiAssistant,
    /// A site that sends false referrers to advertise itself.
    Spam,
    /// Any other site.
    Other,
}

impl<'a> Referrer<'a> {
    /// Reads the value of a `Referer` field.
    ///
    /// `None` means that the field cannot be observed. A source that sees headers says `Some("")` where there is
    /// none; logs write `-` for that. A host is the site itself when it is one of [`SitePolicy`]'s hosts or a
    /// subdomain of one; `www.`, case and port do not count.
    pub fn read(policy: &SitePolicy, value: Option<&'a str>) -> Self {
        let Some(value) = value else { return Self::Unobserved };
        let value = value.trim();
        if value.is_empty() || value == "-" {
            return Self::Missing;
        }
        let Some((web, host, path)) = taken_apart(value) else { return Self::Unreadable };
        if web && policy.is_own_host(host) {
            let end = path.bytes().position(|b| matches!(b, b'?' | b'#')).unwrap_or(path.len());
            let path = if end == 0 { "/" } else { &path[..end] };
            let path = cut(path, super::target::MAX_PATH);
            return Self::Internal { path, path_hash: PathHash::of(path) };
        }
        let host = without_www(host);
        let Some(folded) = Folded::<MAX_HOST>::lower(host.as_bytes()) else { return Self::Unreadable };
        Self::External {
            host,
            host_hash: xxh3_64(folded.as_bytes()),
            source: policy.sources().of_host(folded.as_bytes()),
        }
    }

    /// The host of a referrer, own or other, without `www.`; nothing when it is no URL of a page or app.
    pub fn host(value: &str) -> Option<&str> {
        taken_apart(value.trim()).map(|(_, host, _)| without_www(host))
    }
}

/// Whether a URL is one of the web (and not of an app), its host, and the rest after it.
fn taken_apart(url: &str) -> Option<(bool, &str, &str)> {
    let scheme = |name: &str| {
        let (start, rest) = url.split_at_checked(name.len())?;
        start.eq_ignore_ascii_case(name).then_some(rest)
    };
    let web = scheme("https://").or_else(|| scheme("http://"));
    let rest = web.or_else(|| scheme("android-app://")).or_else(|| scheme("ios-app://"))?;
    let end = rest.bytes().position(|b| matches!(b, b'/' | b'?' | b'#' | b'\\')).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let web = web.is_some();
    Some((web, host_of(authority)?, path))
}

/// The host of an authority: without user, port and final dot. Nothing when it holds what no host does.
pub(crate) fn host_of(authority: &str) -> Option<&str> {
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = if host.starts_with('[') {
        host.split_once(']').map(|(inside, _)| inside.get(1..))??
    } else {
        host.split(':').next()?
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    let sound = !host.is_empty()
        && host.len() <= MAX_HOST
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:".contains(&b) || !b.is_ascii());
    sound.then_some(host)
}

/// The host without a leading `www.`, in any case.
pub(crate) fn without_www(host: &str) -> &str {
    match host.split_at_checked(4) {
        Some((www, rest)) if www.eq_ignore_ascii_case("www.") && !rest.is_empty() => rest,
        Some(_) | None => host,
    }
}

/// The longest host name, in bytes (RFC 1035 §2.3.4).
pub(crate) const MAX_HOST: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case(None, Referrer::Unobserved)]
    #[case(Some(""), Referrer::Missing)]
    #[case(Some("-"), Referrer::Missing)]
    #[case(Some("example"), Referrer::Unreadable)]
    #[case(Some("file:///etc/passwd"), Referrer::Unreadable)]
    #[case(Some("http://"), Referrer::Unreadable)]
    #[case(Some("http://<script>/"), Referrer::Unreadable)]
    #[case(Some("https://${jndi:ldap://x}/"), Referrer::Unreadable)]
    fn what_is_no_page_is_told_apart(#[case] value: Option<&str>, #[case] referrer: Referrer<'_>) {
        assert_eq!(Referrer::read(&site(), value), referrer);
    }

    #[rstest]
    #[case("https://example.com/a?b#c", "/a")]
    #[case("http://EXAMPLE.com:8080", "/")]
    #[case("https://www.example.com./a/", "/a/")]
    #[case("https://blog.example.com?x", "/")]
    #[case("https://me:secret@example.com/a", "/a")]
    fn own_pages_are_internal(#[case] value: &str, #[case] path: &str) {
        let expected = Referrer::Internal { path, path_hash: PathHash::of(path) };
        assert_eq!(Referrer::read(&site(), Some(value)), expected);
    }

    #[rstest]
    #[case("https://evilexample.com/", "evilexample.com", ReferrerSource::Other)]
    #[case("https://example.com.evil.org/", "example.com.evil.org", ReferrerSource::Other)]
    #[case("https://example.com@evil.org/", "evil.org", ReferrerSource::Other)]
    #[case("https://www.Google.co.uk/search?q=x", "Google.co.uk", ReferrerSource::Search)]
    #[case("https://google.example.net/", "google.example.net", ReferrerSource::Other)]
    #[case("https://docs.google.com/d/1", "docs.google.com", ReferrerSource::Other)]
    #[case("https://gemini.google.com/", "gemini.google.com", ReferrerSource::AiAssistant)]
    #[case("https://duckduckgo.com/", "duckduckgo.com", ReferrerSource::Search)]
    #[case("https://search.yahoo.co.jp/", "search.yahoo.co.jp", ReferrerSource::Search)]
    #[case("https://l.facebook.com/l.php?u=1", "l.facebook.com", ReferrerSource::Social)]
    #[case("https://t.co/abc", "t.co", ReferrerSource::Social)]
    #[case("https://chatgpt.com/", "chatgpt.com", ReferrerSource::AiAssistant)]
    #[case("https://www.perplexity.ai/search/1", "perplexity.ai", ReferrerSource::AiAssistant)]
    #[case("https://outlook.live.com/", "outlook.live.com", ReferrerSource::Email)]
    #[case("http://semalt.semalt.com/crawler.php?u=x", "semalt.semalt.com", ReferrerSource::Spam)]
    #[case("http://4webmasters.org/", "4webmasters.org", ReferrerSource::Spam)]
    #[case("http://get.free-traffic-now.example/", "get.free-traffic-now.example", ReferrerSource::Spam)]
    #[case(
        "android-app://com.google.android.googlequicksearchbox/",
        "com.google.android.googlequicksearchbox",
        ReferrerSource::Search
    )]
    #[case("android-app://com.google.android.gm", "com.google.android.gm", ReferrerSource::Email)]
    #[case("android-app://com.example.reader/", "com.example.reader", ReferrerSource::Other)]
    #[case("http://[2001:db8::1]:80/", "2001:db8::1", ReferrerSource::Other)]
    fn other_sites_are_external_with_their_kind(
        #[case] value: &str,
        #[case] host: &str,
        #[case] source: ReferrerSource,
    ) {
        let host_hash = xxh3_64(host.to_ascii_lowercase().as_bytes());
        assert_eq!(Referrer::read(&site(), Some(value)), Referrer::External { host, host_hash, source });
    }

    #[test]
    fn without_configured_hosts_nothing_is_internal() {
        let read = Referrer::read(&SitePolicy::default(), Some("https://example.com/"));
        assert!(matches!(read, Referrer::External { host: "example.com", .. }));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text: String) {
            Referrer::read(&site(), Some(&text));
            Referrer::read(&site(), Some(&alloc::format!("https://{text}")));
        }

        #[test]
        fn a_host_is_own_only_at_a_label_boundary(label in "[a-z0-9]{1,12}") {
            let site = site();
            let joined = alloc::format!("{label}example.com");
            let below = alloc::format!("{label}.example.com");
            prop_assert!(!site.is_own_host(&joined));
            prop_assert!(site.is_own_host(&below));
        }
    }

    fn site() -> SitePolicy {
        SitePolicy::for_hosts(["www.example.com"]).unwrap()
    }
}
