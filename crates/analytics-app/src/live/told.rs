//! Page views that the tracker tells of, where the requests for the pages are not seen.

use std::sync::atomic::Ordering;

use analytics_domain::request::RawRequest;

use super::traffic::{Answer, Decided, LiveTraffic, Unseen, Way};

/// A page view as a beacon tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToldPage<'a> {
    /// The page's address, or its path.
    pub url: &'a str,
    /// The query of the page's address, as far as it says what campaign led there.
    pub campaign: &'a str,
    /// The page that led to it.
    pub referrer: Option<&'a str>,
    /// Whether a script showed it, so that there was no request for it.
    pub within: bool,
}

impl LiveTraffic {
    /// Decides about a beacon that tells of a page view. Its session begins if the client has none.
    ///
    /// Whoever sees the site's requests has seen the page asked for, and then the beacon counts as what it is. Where the
    /// tracker alone tells of a client, or a script showed the page, the view is counted as a request for the page and one
    /// for the script or picture that told of it, which the page has loaded.
    ///
    /// # Errors
    /// As [`LiveTraffic::decide`].
    pub fn decide_told(&self, beacon: &RawRequest<'_>, page: ToldPage<'_>) -> Result<Decided, Unseen> {
        let known = self.open_session(beacon);
        if !page.within && known.is_some_and(|session| !session.told.load(Ordering::Relaxed)) {
            return self.decide(beacon, None);
        }
        let (host, path) = host_and_path(page.url);
        let target = match page.campaign {
            "" => path.to_owned(),
            campaign => format!("{path}{}{campaign}", if path.contains('?') { '&' } else { '?' }),
        };
        let mut kept: Vec<(&str, &str)> =
            beacon.headers.iter().copied().filter(|(name, _)| is_of_client(name)).collect();
        if let Some(host) = host {
            kept.retain(|(name, _)| !name.eq_ignore_ascii_case("host"));
            kept.push(("host", host));
        }
        let mut headers = kept.clone();
        headers.extend([("sec-fetch-dest", "document"), ("sec-fetch-mode", "navigate")]);
        headers.extend(page.referrer.map(|referrer| ("referer", referrer)));
        let view = RawRequest { method: "GET", target: &target, headers: &headers, ..*beacon };
        let client = self.client(beacon);
        let mut decided = self.decide_as(Way::Told, client, &view, None)?;
        decided.pending.told = true;
        if decided.opened {
            decided.pending.session.told.store(true, Ordering::Relaxed);
        }
        kept.push(("referer", page.url));
        let script = RawRequest { method: "GET", target: "/tracker.js", headers: &kept, ..*beacon };
        if let Ok(loaded) = self.decide_as(Way::ToldBeside, client, &script, None) {
            self.answered(loaded.pending, Answer { status: Some(200), ..Answer::default() }, beacon.at);
        }
        Ok(decided)
    }
}

/// The authority and the path of a page's address; the whole is a path where it has no authority.
fn host_and_path(url: &str) -> (Option<&str>, &str) {
    let Some((_, rest)) = url.split_once("://") else {
        return (None, if url.starts_with('/') { url } else { "/" });
    };
    match rest.find(['/', '?', '#']) {
        Some(end) if rest[end..].starts_with('/') => (Some(&rest[..end]), &rest[end..]),
        Some(end) => (Some(&rest[..end]), "/"),
        None => (Some(rest), "/"),
    }
}

/// Whether a field of a beacon says something of the client and not of the beacon.
fn is_of_client(name: &str) -> bool {
    const OF_BEACONS: [&str; 11] = [
        "accept",
        "authorization",
        "content-length",
        "content-type",
        "origin",
        "priority",
        "purpose",
        "referer",
        "sec-fetch-dest",
        "sec-fetch-mode",
        "sec-fetch-site",
    ];
    !OF_BEACONS.iter().any(|of_beacons| of_beacons.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_its_host_and_its_path() {
        let cases = [
            ("https://example.org/a?b=1", (Some("example.org"), "/a?b=1")),
            ("https://example.org:8443", (Some("example.org:8443"), "/")),
            ("https://example.org?b", (Some("example.org"), "/")),
            ("/a", (None, "/a")),
            ("no page at all", (None, "/")),
        ];
        for (url, expected) in cases {
            assert_eq!(host_and_path(url), expected, "{url}");
        }
    }
}
