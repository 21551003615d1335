//! Everything that is read from what a client wrote into a request: target, referrer, campaign, language, agent,
//! forwarded addresses.
//!
//! `cargo +nightly fuzz run -s none -O request_text` from the root. Beyond "no panic" it holds that what is read stays
//! within its bounds, and that a header of an untrusted peer never changes the client's address.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use analytics_domain::request::{
    AddressPolicy, ClientNetwork, Hints, Method, Network, Referrer, SitePolicy, Target, Utm, client_address, locale,
};
use analytics_domain::user_agent::UserAgent;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SITE: LazyLock<SitePolicy> =
    LazyLock::new(|| SitePolicy::for_hosts(["example.com"]).expect("a host name"));

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (first, second) = text.split_once('\n').unwrap_or((&text, ""));
    for method in [Method::Get, Method::Post, Method::Options] {
        let hints = Hints { sec_fetch_dest: Some(second), ..Hints::default() };
        let target = Target::read(&SITE, method, first, hints);
        assert!(target.path.len() <= 1_024);
        assert!(text.contains(target.path) || target.path == "/");
        if let Some(utm) = target.query.and_then(Utm::read) {
            let tags = utm.tags();
            assert!([tags.source, tags.medium, tags.campaign].iter().flatten().all(|tag| tag.len() <= 256));
            let _ = utm.campaign_hash();
        }
    }
    match Referrer::read(&SITE, Some(first)) {
        Referrer::Internal { path, .. } => assert!(path.len() <= 1_024),
        Referrer::External { host, .. } => assert!(host.len() <= 255),
        Referrer::Missing | Referrer::Unobserved | Referrer::Unreadable => {}
    }
    assert!(locale(first).is_none_or(|locale| locale.as_str().len() <= 35));
    let agent = UserAgent::parse(first);
    assert!(agent.declared.is_none_or(|declared| declared.name.len() <= 64));
    let _ = first.parse::<Network>();
    let peer = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
    let policy = AddressPolicy::default();
    assert_eq!(client_address(&policy, peer, [first, second].into_iter()), peer);
    let _ = ClientNetwork::of(&policy, peer);
});
