//! What may be changed about live traffic.

use std::time::Duration;

use analytics_domain::request::{Network, RawRequest, RequestPolicy};
use serde::{Deserialize, Serialize};

/// How live requests are read and what of them is kept.
#[derive(Debug, Clone)]
pub struct LivePolicy {
    /// How requests are read.
    pub request: RequestPolicy,
    /// The name that visitors are counted under, so that one person is another visitor on another site. Default empty.
    pub site: String,
    /// URLs that the site shows to nobody; who asks for one is hostile. Default none.
    pub traps: Vec<String>,
    /// Beginnings of paths that are never refused, such as `/healthz`. Default none.
    pub exempt_paths: Vec<String>,
    /// Networks that are never refused. Default none.
    pub exempt_networks: Vec<Network>,
    /// Whether browsers are given a cookie for their session, so that people who share an address and an agent are counted
    /// apart. Default no: sites that need no consent of their visitors would need it for this.
    pub session_cookie: bool,
    /// What of a person is kept.
    pub privacy: PrivacyPolicy,
    /// How long a request may wait for others of the same part of the address space. Then it passes and a counter says
    /// so. Default 50 ms: a page that waits longer for its analytics is worse than a page that is not counted.
    pub patience: Duration,
}

/// What of a person is kept. Abuse state stays in memory whatever is asked, or it would be a way around limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PrivacyPolicy {
    /// Whether `Sec-GPC: 1` keeps texts about a person out of the stores. Default yes.
    pub respect_gpc: bool,
    /// Whether `DNT: 1` does. Default no: no law asks for it, and browsers give it up.
    pub respect_dnt: bool,
    /// Whether the client's /24 (IPv6 /48) is kept with its session. Default no.
    pub store_network: bool,
}

impl PrivacyPolicy {
    /// Whether whoever sent this request asks that no more is kept of it than is needed, and is heeded.
    pub fn is_asked_for(&self, request: &RawRequest<'_>) -> bool {
        self.respect_gpc && request.asks_global_privacy_control()
            || self.respect_dnt && request.asks_do_not_track()
    }
}

impl Default for LivePolicy {
    fn default() -> Self {
        Self {
            request: RequestPolicy::default(),
            site: String::new(),
            traps: Vec::new(),
            exempt_paths: Vec::new(),
            exempt_networks: Vec::new(),
            session_cookie: false,
            privacy: PrivacyPolicy::default(),
            patience: Duration::from_millis(50),
        }
    }
}

impl Default for PrivacyPolicy {
    fn default() -> Self {
        Self { respect_gpc: true, respect_dnt: false, store_network: false }
    }
}
