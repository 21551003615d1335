use std::fs;
use std::net::Ipv4Addr;

use analytics_domain::user_agent::UserAgent;
use rstest::rstest;

use super::*;

#[rstest]
#[case::confirmed("66.249.66.1", Verification::Verified)]
#[case::confirmed_in_ipv6("2001:4860:4801::1", Verification::Verified)]
#[case::mapped("::ffff:66.249.66.1", Verification::Verified)]
#[case::not_confirmed("203.0.113.1", Verification::Spoofed)]
#[case::not_on_a_label_boundary("203.0.113.2", Verification::Spoofed)]
#[case::before_another_domain("203.0.113.3", Verification::Spoofed)]
#[case::of_a_cloud_customer("203.0.113.4", Verification::Spoofed)]
#[case::without_a_name("203.0.113.5", Verification::Spoofed)]
#[case::timed_out("203.0.113.6", Verification::Unknown)]
#[case::timed_out_when_confirming("203.0.113.7", Verification::Unknown)]
#[case::confirmed_by_its_second_name("203.0.113.8", Verification::Verified)]
fn a_crawler_is_its_operators_when_a_name_of_the_operator_has_its_address(
    #[case] address: &str,
    #[case] status: Verification,
) {
    let (verifier, lookups) = verifier(CrawlerRules::known(), VerifyPolicy::default());
    verifier.status(&googlebot(), "192.0.2.200".parse().unwrap(), at(0));
    lookups.do_waiting(&verifier);
    let address = address.parse().unwrap();
    assert_eq!(
        verifier.status(&googlebot(), address, at(0)),
        Verification::Unknown,
        "nobody waits for the answer"
    );
    lookups.do_waiting(&verifier);
    assert_eq!(verifier.status(&googlebot(), address, at(1)), status);
}

#[test]
fn where_no_address_has_a_name_nobody_is_called_a_liar() {
    let (verifier, lookups) = verifier(CrawlerRules::known(), VerifyPolicy::default());
    let nameless = "203.0.113.5".parse().unwrap();
    verifier.status(&googlebot(), nameless, at(0));
    lookups.do_waiting(&verifier);
    assert_eq!(verifier.status(&googlebot(), nameless, at(1)), Verification::Unknown);
}

#[test]
fn answers_hold_for_their_time_and_are_then_looked_up_again() {
    let policy = VerifyPolicy::default();
    let (verifier, lookups) = verifier(CrawlerRules::known(), policy);
    let (google, liar, slow) = ("66.249.66.1", "203.0.113.1", "203.0.113.6");
    let kinds = [(google, policy.verified_for), (liar, policy.spoofed_for), (slow, policy.unknown_for)];
    for (address, length) in kinds {
        let address = address.parse().unwrap();
        let before = verifier.counters().looked_up;
        verifier.status(&googlebot(), address, at(0));
        verifier.status(&googlebot(), address, at(0));
        lookups.do_waiting(&verifier);
        let end = at(0) + length;
        verifier.status(&googlebot(), address, end - TimeDelta::microseconds(1));
        lookups.do_waiting(&verifier);
        assert_eq!(verifier.counters().looked_up, before + 1, "{address}");
        verifier.status(&googlebot(), address, end);
        lookups.do_waiting(&verifier);
        assert_eq!(verifier.counters().looked_up, before + 2, "{address}");
    }
    assert_eq!(verifier.counters(), VerifyCounters { looked_up: 6, failed: 2, skipped: 0 });
}

#[test]
fn published_networks_decide_at_once_and_alone_where_there_are_no_names() {
    let home = tempfile::tempdir().unwrap();
    let rules = CrawlerRules::known()
        .with_file(&file(home.path(), "googlebot.json", GOOGLE))
        .and_then(|rules| rules.with_file(&file(home.path(), "all.json", ALL)))
        .and_then(|rules| rules.with_file(&file(home.path(), "own.toml", OWN)))
        .unwrap();
    let (crawlers, _lookups) = verifier(rules, VerifyPolicy::default());
    let status =
        |agent: &str, address: &str| crawlers.status(&declared(agent), address.parse().unwrap(), at(0));
    let found = [
        status("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "66.249.64.9"),
        status("Googlebot-Image/1.0", "2001:4860:4801:10::1"),
        status("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "203.0.113.9"),
        status("Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)", "192.0.2.77"),
        status("Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)", "203.0.113.9"),
        status("Mozilla/5.0 (compatible; MojeekBot/0.11; +https://www.mojeek.com/bot.html)", "198.51.100.1"),
        status("Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", "203.0.113.9"),
    ];
    let (verified, spoofed, unknown) = (Verification::Verified, Verification::Spoofed, Verification::Unknown);
    assert_eq!(found, [verified, verified, unknown, verified, spoofed, verified, unknown]);
}

#[test]
fn without_names_only_crawlers_with_networks_are_judged() {
    let home = tempfile::tempdir().unwrap();
    let rules = CrawlerRules::known().with_file(&file(home.path(), "googlebot.json", GOOGLE)).unwrap();
    let (crawlers, _lookups) = verifier(rules.without_names(), VerifyPolicy::default());
    let status =
        |agent: &str, address: &str| crawlers.status(&declared(agent), address.parse().unwrap(), at(0));
    let found = [
        status("Googlebot/2.1", "66.249.64.9"),
        status("Googlebot/2.1", "66.249.66.1"),
        status("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", "203.0.113.9"),
    ];
    assert_eq!(found, [Verification::Verified, Verification::Spoofed, Verification::Unknown]);
}

#[rstest]
#[case("a.toml", "[Bot]\nnetworks = ['10.0.0.0/33']", "10.0.0.0/33")]
#[case("a.toml", "[Bot]\nsuffixes = ['com']", "`Bot`: `com` is no domain name of at least two labels")]
#[case("a.toml", "[Bot]\n", "`Bot` has neither networks nor suffixes")]
#[case("a.toml", "[Bot]\nnames = []", "unknown field `names`")]
#[case("a.json", "{\"Bot\": {}}", "missing field `prefixes`")]
#[case("a.json", "{\"prefixes\": [{\"ipv4Prefix\": \"google\"}]}", "network")]
#[case("a.json", "{", "EOF")]
fn a_file_that_says_nothing_usable_is_told_with_what_is_wrong(
    #[case] name: &str,
    #[case] text: &str,
    #[case] reason: &str,
) {
    let home = tempfile::tempdir().unwrap();
    let path = file(home.path(), name, text);
    let told = CrawlerRules::known().with_file(&path).unwrap_err().to_string();
    assert!(told.starts_with(&format!("{}: ", path.display())) && told.contains(reason), "{told}");
    let missing = CrawlerRules::known().with_file(&home.path().join("none.toml"));
    assert!(matches!(missing, Err(CrawlerRulesError::Io { .. })));
}

#[test]
fn many_addresses_never_grow_memory_and_what_was_not_looked_up_is_counted() {
    let policy = VerifyPolicy { cache_entries: 100, queue_entries: 10, ..VerifyPolicy::default() };
    let (verifier, lookups) = verifier(CrawlerRules::known(), policy);
    for number in 0..10_000u32 {
        let address = IpAddr::V4(Ipv4Addr::from_bits(0xc633_6400 + number));
        assert_eq!(verifier.status(&googlebot(), address, at(0)), Verification::Unknown);
        assert!(verifier.remembered() <= 100);
        if number % 1_000 == 999 {
            lookups.do_waiting(&verifier);
        }
    }
    assert_eq!(verifier.counters(), VerifyCounters { looked_up: 100, failed: 0, skipped: 9_900 });
}

#[test]
fn threads_look_up_what_waits_and_end_with_the_verifier() {
    let names = Box::new(Fake);
    let verifier = CrawlerVerifier::start(CrawlerRules::known(), VerifyPolicy::default(), names).unwrap();
    let address = "66.249.66.1".parse().unwrap();
    verifier.status(&googlebot(), address, at(0));
    while verifier.counters().looked_up == 0 {
        thread::yield_now();
    }
    assert_eq!(verifier.status(&googlebot(), address, at(1)), Verification::Verified);
}

/// Names as liars and honest operators give them.
struct Fake;

impl HostNames for Fake {
    fn names_of(&self, address: IpAddr) -> Result<Vec<String>, LookupFailed> {
        let names: &[&str] = match address.to_string().as_str() {
            "66.249.66.1" => &["crawl-66-249-66-1.googlebot.com."],
            "2001:4860:4801::1" => &["CRAWL-6.GoogleBot.com"],
            "203.0.113.1" => &["crawl-66-249-66-1.googlebot.com"],
            "203.0.113.2" => &["crawl.evilgooglebot.com"],
            "203.0.113.3" => &["googlebot.com.evil.example"],
            "203.0.113.4" => &["4.113.0.203.bc.googleusercontent.com"],
            "203.0.113.6" => return Err(LookupFailed),
            "203.0.113.7" => &["slow.googlebot.com"],
            "203.0.113.8" => &["shop.example", "second.googlebot.com"],
            "192.0.2.200" => &["shop.example"],
            _ => &[],
        };
        Ok(names.iter().map(|&name| name.to_owned()).collect())
    }

    fn addresses_of(&self, name: &str) -> Result<Vec<IpAddr>, LookupFailed> {
        let addresses: &[&str] = match name.trim_end_matches('.').to_ascii_lowercase().as_str() {
            "crawl-66-249-66-1.googlebot.com" => &["66.249.66.1"],
            "crawl-6.googlebot.com" => &["192.0.2.1", "2001:4860:4801::1"],
            "crawl.evilgooglebot.com" => &["203.0.113.2"],
            "googlebot.com.evil.example" => &["203.0.113.3"],
            "4.113.0.203.bc.googleusercontent.com" => &["203.0.113.4"],
            "slow.googlebot.com" => return Err(LookupFailed),
            "second.googlebot.com" => &["203.0.113.8"],
            _ => &[],
        };
        Ok(addresses.iter().map(|address| address.parse().unwrap()).collect())
    }
}

fn verifier(rules: CrawlerRules, policy: VerifyPolicy) -> (Arc<CrawlerVerifier>, Lookups) {
    CrawlerVerifier::new(rules, policy, Box::new(Fake))
}

fn googlebot() -> Declared {
    declared("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
}

fn declared(agent: &str) -> Declared {
    UserAgent::parse(agent).declared.unwrap()
}

fn file(home: &std::path::Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = home.join(name);
    fs::write(&path, text).unwrap();
    path
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_782_864_000 + second, 0).unwrap()
}

const GOOGLE: &str = r#"{
  "creationTime": "2026-06-30T14:46:06.000000",
  "prefixes": [{"ipv6Prefix": "2001:4860:4801:10::/64"}, {"ipv4Prefix": "66.249.64.0/27"}]
}"#;

const ALL: &str =
    r#"{"GPTBot": {"creationTime": "2026-06-30", "prefixes": [{"ipv4Prefix": "192.0.2.64/26"}]}}"#;

const OWN: &str = "
[MojeekBot]
networks = ['198.51.100.0/24']
suffixes = ['mojeek.com']
";
