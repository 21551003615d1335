//! Requests and policies that the tests of several services use.

use analytics_domain::detector::{AgentFacts, Observation, ReferrerFacts};
use analytics_domain::request::{Hints, HttpVersion, Method, PathHash, SitePolicy, Target};
use analytics_domain::throttle::{Mode, ThrottlePolicy, ThrottleSettings};
use analytics_domain::user_agent::UserAgent;
use analytics_domain::visit::VisitPolicy;
use std::sync::LazyLock;

static SITE: LazyLock<SitePolicy> = LazyLock::new(SitePolicy::default);

/// The default rules in this mode.
pub(crate) fn visit_policy(mode: Mode) -> VisitPolicy {
    let throttle = ThrottlePolicy::new(ThrottleSettings { mode, ..ThrottleSettings::default() });
    VisitPolicy { throttle: throttle.expect("the defaults are accepted"), ..VisitPolicy::default() }
}

/// What the rules need of an agent text.
pub(crate) fn agent(text: &str) -> AgentFacts {
    AgentFacts::of(text, &UserAgent::parse(text))
}

/// A page view that names its predecessor on the site.
pub(crate) fn page(path: &str) -> Observation<'_> {
    request(path, 200, ReferrerFacts::Internal { page: PathHash::of("/").0, root: true })
}

/// An asset of a page.
pub(crate) fn asset<'a>(path: &'a str, of: &str) -> Observation<'a> {
    request(path, 200, ReferrerFacts::Internal { page: PathHash::of(of).0, root: of == "/" })
}

/// A request for something that is not there.
pub(crate) fn probe(path: &str) -> Observation<'_> {
    request(path, 404, ReferrerFacts::Missing)
}

fn request(path: &str, status: u16, referrer: ReferrerFacts) -> Observation<'_> {
    let target = Target::read(&SITE, Method::Get, path, Hints::default());
    Observation {
        method: Method::Get,
        kind: target.kind,
        version: Some(HttpVersion::Http11),
        status: Some(status),
        path: target.path,
        page: target.path_hash.0,
        directory: target.directory_hash.0,
        number: target.last_number,
        probe: target.probe,
        trap: false,
        referrer,
        campaign: None,
        headers: None,
    }
}
