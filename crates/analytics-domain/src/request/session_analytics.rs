//! What a session keeps of its first request.

use core::net::IpAddr;

use alloc::format;
use alloc::string::String;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::text::cut;
use super::{
    Channel, ClientNetwork, Hints, HttpVersion, Locale, Method, Referrer, ReferrerSource, RequestKind,
    RequestPolicy, Target, Utm, UtmTags, client_address, locale,
};

/// One request as it was seen, before anything is read from it.
#[derive(Debug, Clone, Copy)]
pub struct RawRequest<'a> {
    /// Method, as in the request line.
    pub method: &'a str,
    /// Target, as in the request line.
    pub target: &'a str,
    /// Protocol, such as `HTTP/1.1`; empty when unknown.
    pub protocol: &'a str,
    /// Status of the answer, if known.
    pub status: Option<u16>,
    /// Bytes of the answer's content, if known.
    pub bytes: Option<u64>,
    /// Fields as (name, value), in the order in which they came; names in any case.
    pub headers: &'a [(&'a str, &'a str)],
    /// Address of the other end of the connection.
    pub peer: IpAddr,
    /// When the request came.
    pub at: DateTime<Utc>,
}

impl<'a> RawRequest<'a> {
    /// The value of the first field of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.fields(name).next()
    }

    /// The values of all fields of this name, in the order in which they came.
    pub fn fields<'n>(&self, name: &'n str) -> impl DoubleEndedIterator<Item = &'a str> + use<'a, 'n> {
        self.headers.iter().filter(move |(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// Whether the client asks by `Sec-GPC: 1` that no more is kept of it than is needed.
    pub fn asks_global_privacy_control(&self) -> bool {
        self.says_one("sec-gpc")
    }

    /// Whether the client asks by `DNT: 1` not to be tracked.
    pub fn asks_do_not_track(&self) -> bool {
        self.says_one("dnt")
    }

    fn says_one(&self, name: &str) -> bool {
        self.header(name).is_some_and(|value| value.trim() == "1")
    }

    /// What the client says about the purpose of the request.
    pub fn hints(&self) -> Hints<'a> {
        Hints {
            sec_fetch_dest: self.header("sec-fetch-dest"),
            sec_purpose: self.header("sec-purpose"),
            purpose: self
                .header("purpose")
                .or_else(|| self.header("x-purpose"))
                .or_else(|| self.header("x-moz")),
        }
    }
}

/// What a session keeps of its first request: owned, bounded, fully read.
///
/// Texts are cut between characters: user agent at 512 bytes, URLs and paths at 1,024, campaign values at 256, the
/// locale at 35. What cannot be read is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionAnalytics {
    /// When the request came.
    pub at: DateTime<Utc>,
    /// The client's address, found by [`client_address`]. Whether it may be stored is not decided here.
    pub client_address: IpAddr,
    /// The network that stands for the client.
    pub client_network: ClientNetwork,
    /// Method.
    pub method: Method,
    /// Version of HTTP.
    pub protocol: Option<HttpVersion>,
    /// What kind of thing was asked for.
    pub kind: RequestKind,
    /// User agent; nothing when it is empty or `-`.
    pub user_agent: Option<String>,
    /// The language that the client asks for first.
    pub locale: Option<Locale>,
    /// The referrer as it came; nothing when there is none.
    pub referrer_url: Option<String>,
    /// Host of the referrer, in lower case, without `www.`; for a page of the site itself as for any other.
    pub referrer_host: Option<String>,
    /// What kind of site the referrer is; nothing when there is none or it is the site itself.
    pub referrer_source: Option<ReferrerSource>,
    /// Campaign parameters; nothing when there are none.
    pub utm: Option<UtmTags>,
    /// Hash of the campaign, to see when another one begins: [`Utm::campaign_hash`].
    pub campaign_hash: Option<u64>,
    /// How the visit came to the site.
    pub channel: Channel,
    /// Path of the page, when the request is a page view.
    pub landing_page: Option<String>,
    /// The full URL, when the request is a page view: with host where the `Host` field is known, else path and
    /// query.
    pub entry_url: Option<String>,
    /// Whether the client sent `Sec-GPC: 1`.
    pub global_privacy_control: bool,
    /// Whether the client sent `DNT: 1`.
    pub do_not_track: bool,
}

impl SessionAnalytics {
    /// Reads a request. It never fails.
    pub fn read(policy: &RequestPolicy, request: &RawRequest<'_>) -> Self {
        let address = &policy.address;
        let client = client_address(address, request.peer, request.fields(address.forwarding_header.name()));
        let method = Method::parse(request.method);
        let target = Target::read(&policy.site, method, request.target, request.hints());
        let came_from = request.header("referer");
        let referrer = Referrer::read(&policy.site, Some(came_from.unwrap_or_default()));
        let utm = target.query.and_then(Utm::read);
        let page = target.kind.is_page_view();
        Self {
            at: request.at,
            client_address: client,
            client_network: ClientNetwork::of(address, client),
            method,
            protocol: HttpVersion::parse(request.protocol),
            kind: target.kind,
            user_agent: request.header("user-agent").and_then(|agent| kept(agent, MAX_AGENT)),
            locale: request.header("accept-language").and_then(locale),
            referrer_url: came_from.and_then(|url| kept(url, MAX_URL)),
            referrer_host: came_from.and_then(Referrer::host).map(str::to_ascii_lowercase),
            referrer_source: match referrer {
                Referrer::External { source, .. } => Some(source),
                Referrer::Unobserved
                | Referrer::Missing
                | Referrer::Internal { .. }
                | Referrer::Unreadable => None,
            },
            utm: utm.map(|utm| utm.tags()),
            campaign_hash: utm.and_then(|utm| utm.campaign_hash()),
            channel: Channel::of(&referrer, utm.as_ref()),
            landing_page: page.then(|| target.path.into()),
            entry_url: page.then(|| entry_url(policy, request)),
            global_privacy_control: request.asks_global_privacy_control(),
            do_not_track: request.asks_do_not_track(),
        }
    }
}

/// The URL of a request, cut to 1,024 bytes. The scheme is that of the target, or `https`, since neither request line nor fields tell.
pub fn entry_url(policy: &RequestPolicy, request: &RawRequest<'_>) -> String {
    let target = request.target.split('#').next().unwrap_or_default();
    let host = request.header("host").filter(|host| super::referrer::host_of(host).is_some());
    let known = host.filter(|host| {
        let bare = super::referrer::host_of(host).unwrap_or_default();
        !policy.site.knows_hosts() || policy.site.is_own_host(bare)
    });
    let url = match known {
        Some(host) if target.starts_with('/') => format!("https://{}{target}", host.to_ascii_lowercase()),
        Some(_) | None => target.into(),
    };
    cut(&url, MAX_URL).into()
}

fn kept(text: &str, max: usize) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text != "-").then(|| cut(text, max).into())
}

/// The longest user agent kept, in bytes.
const MAX_AGENT: usize = 512;

/// The longest URL kept, in bytes.
const MAX_URL: usize = 1024;

#[cfg(test)]
mod tests {
    use super::super::{AddressPolicy, SitePolicy};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_whole_request_is_read() {
        let headers = [
            ("Host", "Shop.Example.com"),
            ("User-Agent", "Mozilla/5.0"),
            ("Accept-Language", "de-CH,de;q=0.9"),
            ("Referer", "https://WWW.Bing.com/search?q=x"),
            ("X-Forwarded-For", "203.0.113.9"),
            ("Sec-GPC", "1"),
        ];
        let policy = RequestPolicy {
            address: AddressPolicy {
                trusted_proxies: ["10.0.0.0/8".parse().unwrap()].into(),
                ..AddressPolicy::default()
            },
            site: SitePolicy::for_hosts(["example.com"]).unwrap(),
        };
        let request = RawRequest { target: "/a?utm_source=mag&b#c", headers: &headers, ..request() };
        let expected = SessionAnalytics {
            at: DateTime::UNIX_EPOCH,
            client_address: "203.0.113.9".parse().unwrap(),
            client_network: ClientNetwork::V4(u32::from_be_bytes([203, 0, 113, 9])),
            method: Method::Get,
            protocol: Some(HttpVersion::Http11),
            kind: RequestKind::Page,
            user_agent: Some("Mozilla/5.0".into()),
            locale: Locale::parse("de-CH"),
            referrer_url: Some("https://WWW.Bing.com/search?q=x".into()),
            referrer_host: Some("bing.com".into()),
            referrer_source: Some(ReferrerSource::Search),
            utm: Some(UtmTags { source: Some("mag".into()), ..UtmTags::default() }),
            campaign_hash: Utm::read("utm_source=mag").unwrap().campaign_hash(),
            channel: Channel::Campaign,
            landing_page: Some("/a".into()),
            entry_url: Some("https://shop.example.com/a?utm_source=mag&b".into()),
            global_privacy_control: true,
            do_not_track: false,
        };
        assert_eq!(SessionAnalytics::read(&policy, &request), expected);
    }

    #[test]
    fn a_bare_request_has_nothing_to_keep() {
        let read = SessionAnalytics::read(&RequestPolicy::default(), &request());
        let kept =
            (read.user_agent, read.locale, read.referrer_url, read.referrer_host, read.utm, read.channel);
        assert_eq!(kept, (None, None, None, None, None, Channel::Direct));
        assert_eq!(read.entry_url.as_deref(), Some("/"));
    }

    #[test]
    fn a_host_of_another_site_is_not_believed() {
        let policy = RequestPolicy {
            site: SitePolicy::for_hosts(["example.com"]).unwrap(),
            ..RequestPolicy::default()
        };
        let request = RawRequest { headers: &[("host", "evil.example")], ..request() };
        assert_eq!(SessionAnalytics::read(&policy, &request).entry_url.as_deref(), Some("/"));
    }

    #[test]
    fn no_other_header_than_the_configured_one_names_the_client() {
        let policy = RequestPolicy {
            address: AddressPolicy {
                trusted_proxies: ["10.0.0.0/8".parse().unwrap()].into(),
                ..AddressPolicy::default()
            },
            ..RequestPolicy::default()
        };
        let headers = [
            ("X-Real-IP", "203.0.113.9"),
            ("Forwarded", "for=203.0.113.9"),
            ("CF-Connecting-IP", "203.0.113.9"),
        ];
        let request = RawRequest { headers: &headers, ..request() };
        assert_eq!(SessionAnalytics::read(&policy, &request).client_address, request.peer);
    }

    proptest! {
        #[test]
        fn whatever_is_sent_what_is_kept_is_bounded(
            target: String,
            headers in prop::collection::vec((
                prop::sample::select(["user-agent", "referer", "accept-language", "host", "x-forwarded-for"].as_slice()),
                ".{0,1500}",
            ), 0..6),
        ) {
            let headers: alloc::vec::Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let request = RawRequest { target: &target, headers: &headers, ..request() };
            let read = SessionAnalytics::read(&RequestPolicy::default(), &request);
            let within = |text: &Option<String>, max| text.as_ref().is_none_or(|text| text.len() <= max);
            prop_assert!(within(&read.user_agent, 512) && within(&read.referrer_url, 1024));
            prop_assert!(within(&read.landing_page, 1024) && within(&read.entry_url, 1024));
            prop_assert!(within(&read.referrer_host, 253));
        }
    }

    fn request() -> RawRequest<'static> {
        RawRequest {
            method: "GET",
            target: "/",
            protocol: "HTTP/1.1",
            status: None,
            bytes: None,
            headers: &[],
            peer: IpAddr::from([10, 0, 0, 1]),
            at: DateTime::UNIX_EPOCH,
        }
    }
}
