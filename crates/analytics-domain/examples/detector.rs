//! A detector in ten lines: a client without a name asks for twelve pages, one a second, and the verdict says why.

use analytics_domain::detector::{
    AgentFacts, BehavioralBotDetector, History, Observation, ReferrerFacts, ServedPages, SessionProfile,
    Subject,
};
use analytics_domain::request::{Hints, Method, SitePolicy, Target};
use analytics_domain::site::SiteFacts;

#[expect(clippy::print_stdout, reason = "an example shows its result")]
fn main() {
    let (mut profile, mut served) = (SessionProfile::default(), ServedPages::default());
    for nth in 0..12 {
        profile.observe(&mut served, &page_view(&format!("/products/{nth}")), nth * 1_000_000);
    }
    let agent = AgentFacts { observed: true, missing: true, ..AgentFacts::default() };
    let (history, site) = (History::default(), SiteFacts::default());
    let subject =
        Subject { profile: &profile, agent: &agent, history: &history, site: &site, features: None };
    let verdict = BehavioralBotDetector::default().explain(&subject);
    println!("{}, score {:.0}, because of {}", verdict.class.as_str(), verdict.score, verdict.reason());
}

/// A page that was asked for without a referrer and answered with 200.
fn page_view(path: &str) -> Observation<'_> {
    let target = Target::read(&SitePolicy::default(), Method::Get, path, Hints::default());
    Observation {
        method: Method::Get,
        kind: target.kind,
        version: None,
        status: Some(200),
        path,
        page: target.path_hash.0,
        directory: target.directory_hash.0,
        number: target.last_number,
        probe: target.probe,
        trap: false,
        referrer: ReferrerFacts::Missing,
        campaign: None,
        headers: None,
    }
}
