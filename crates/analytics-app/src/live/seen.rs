//! A live request, read: everything about it that needs no state.

use std::net::IpAddr;

use analytics_domain::detector::{HeaderMarks, Observation, ReferrerFacts};
use analytics_domain::request::{HttpVersion, Method, RawRequest, Referrer, RequestKind, Target, Utm};
use analytics_domain::user_agent::AutomationKind;

use super::policy::LivePolicy;
use crate::replay::{Agent, referrer_facts};

/// A request, read.
pub(super) struct Seen<'a> {
    pub(super) method: Method,
    pub(super) version: Option<HttpVersion>,
    pub(super) target: Target<'a>,
    referrer: ReferrerFacts,
    pub(super) referrer_host: Option<&'a str>,
    pub(super) campaign: Option<u64>,
    trap: bool,
    pub(super) headers: HeaderMarks,
    pub(super) declared: Option<AutomationKind>,
}

impl<'a> Seen<'a> {
    pub(super) fn read(
        policy: &LivePolicy,
        request: &RawRequest<'a>,
        agent: &Agent,
        https: Option<bool>,
    ) -> Self {
        let site = &policy.request.site;
        let method = Method::parse(request.method);
        let target = Target::read(site, method, request.target, request.hints());
        let referrer = Referrer::read(site, Some(request.header("referer").unwrap_or_default()));
        let referrer_host = match referrer {
            Referrer::External { host, .. } => Some(host),
            Referrer::Internal { .. } | Referrer::Missing | Referrer::Unobserved | Referrer::Unreadable => {
                None
            }
        };
        let navigation = target.kind.is_page_view();
        Self {
            method,
            version: HttpVersion::parse(request.protocol),
            referrer: referrer_facts(&referrer),
            referrer_host,
            campaign: target.query.and_then(Utm::read).and_then(|utm| utm.campaign_hash()),
            trap: policy.traps.iter().any(|trap| trap == target.path),
            headers: HeaderMarks::read(&agent.read, https, navigation, |name| request.header(name)),
            declared: agent.facts.declared,
            target,
        }
    }

    /// Whether the request of a client with this address is never refused. A feed reader on a feed is exempt too: it comes by
    /// the clock.
    pub(super) fn is_exempt(&self, policy: &LivePolicy, address: IpAddr) -> bool {
        let path = self.target.path;
        let below = |prefix: &String| {
            path.strip_prefix(prefix.trim_end_matches('/'))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        policy.exempt_paths.iter().any(below)
            || self.target.kind == RequestKind::Feed && self.declared == Some(AutomationKind::FeedReader)
            || policy.exempt_networks.iter().any(|network| network.contains(address))
    }

    /// The request as the rules see it, before it is answered.
    pub(super) fn observation(&self) -> Observation<'_> {
        Observation {
            method: self.method,
            kind: self.target.kind,
            version: self.version,
            status: None,
            path: self.target.path,
            page: self.target.path_hash.0,
            directory: self.target.directory_hash.0,
            number: self.target.last_number,
            probe: self.target.probe,
            trap: self.trap,
            referrer: self.referrer,
            campaign: self.campaign,
            headers: Some(self.headers),
        }
    }
}
