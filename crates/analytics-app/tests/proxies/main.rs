//! Real proxies in front of a real site ask the built command about each request, set up as `docs/proxies/` says.
//!
//! In enforce mode people pass and scripts are slowed, then blocked. In shadow mode nobody is refused, and the sessions
//! say who would have been.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod http;
mod lists;
mod restart;
mod site;
mod stand;

use std::collections::BTreeSet;
use std::time::Duration;

use http::Answer;
use serde_json::Value;
use stand::{Proxy, Stand, within};

const PERSON: &str = "203.0.113.5";
const SCRIPT: &str = "198.51.100.66";

#[test]
fn behind_nginx_people_pass_and_scripts_are_slowed_and_then_blocked() {
    people_pass_and_scripts_are_slowed_and_then_blocked(Proxy::Nginx);
}

#[test]
fn behind_caddy_people_pass_and_scripts_are_slowed_and_then_blocked() {
    people_pass_and_scripts_are_slowed_and_then_blocked(Proxy::Caddy);
}

#[test]
fn behind_traefik_people_pass_and_scripts_are_slowed_and_then_blocked() {
    people_pass_and_scripts_are_slowed_and_then_blocked(Proxy::Traefik);
}

#[test]
fn behind_envoy_people_pass_and_scripts_are_slowed_and_then_blocked() {
    people_pass_and_scripts_are_slowed_and_then_blocked(Proxy::Envoy);
}

#[test]
fn behind_nginx_shadow_mode_refuses_nobody_and_says_who_would_have_been() {
    shadow_mode_refuses_nobody_and_says_who_would_have_been(Proxy::Nginx);
}

#[test]
fn behind_caddy_shadow_mode_refuses_nobody_and_says_who_would_have_been() {
    shadow_mode_refuses_nobody_and_says_who_would_have_been(Proxy::Caddy);
}

#[test]
fn behind_traefik_shadow_mode_refuses_nobody_and_says_who_would_have_been() {
    shadow_mode_refuses_nobody_and_says_who_would_have_been(Proxy::Traefik);
}

#[test]
fn behind_envoy_shadow_mode_refuses_nobody_and_says_who_would_have_been() {
    shadow_mode_refuses_nobody_and_says_who_would_have_been(Proxy::Envoy);
}

#[test]
fn nginx_lets_requests_pass_when_nothing_decides() {
    lets_requests_pass_when_nothing_decides(Proxy::Nginx);
}

#[test]
fn caddy_lets_requests_pass_when_nothing_decides() {
    lets_requests_pass_when_nothing_decides(Proxy::Caddy);
}

#[test]
fn envoy_lets_requests_pass_when_nothing_decides() {
    lets_requests_pass_when_nothing_decides(Proxy::Envoy);
}

#[test]
fn behind_nginx_people_of_one_address_are_counted_apart_by_their_cookies() {
    people_of_one_address_are_counted_apart_by_their_cookies(Proxy::Nginx);
}

#[test]
fn behind_caddy_people_of_one_address_are_counted_apart_by_their_cookies() {
    people_of_one_address_are_counted_apart_by_their_cookies(Proxy::Caddy);
}

#[test]
fn behind_traefik_people_of_one_address_are_counted_apart_by_their_cookies() {
    people_of_one_address_are_counted_apart_by_their_cookies(Proxy::Traefik);
}

#[test]
fn behind_envoy_people_of_one_address_are_counted_apart_by_their_cookies() {
    people_of_one_address_are_counted_apart_by_their_cookies(Proxy::Envoy);
}

fn people_of_one_address_are_counted_apart_by_their_cookies(proxy: Proxy) {
    let stand = Stand::with_cookies(proxy);
    let page = |cookie: Option<&str>| {
        let mut fields = browser("document", "text/html,application/xhtml+xml,*/*;q=0.8");
        let cookie = cookie.map(|cookie| format!("site=secret; {cookie}"));
        fields.extend(cookie.as_deref().map(|cookie| ("Cookie", cookie)));
        let answer = stand.get("/about", &fields);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.header("set-cookie").map(str::to_owned)
    };
    for _person in 0..3 {
        let given = page(None).unwrap();
        assert!(given.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{given}");
        let cookie = given.split(';').next().unwrap();
        for _page in 0..2 {
            assert_eq!(page(Some(cookie)), None, "a browser that brings its cookie is given no other");
        }
    }
    let told = within(Duration::from_secs(30), || {
        let sessions = stand.sessions();
        let views = sessions.iter().map(|session| session["counters"]["page_views"].as_u64());
        (views.collect::<Vec<_>>() == [Some(3); 3]).then_some(sessions)
    });
    let sessions = told.unwrap_or_else(|| panic!("{:#?}", stand.sessions()));
    let different = |field: &str| {
        sessions.iter().map(|session| session[field].to_string()).collect::<BTreeSet<_>>().len()
    };
    assert_eq!((different("visitor"), different("fingerprint")), (3, 1), "{sessions:#?}");
}

fn people_pass_and_scripts_are_slowed_and_then_blocked(proxy: Proxy) {
    let stand = Stand::new(proxy, "enforce");
    visit(&stand);

    let answers: Vec<Answer> = (0..40).map(|page| script(&stand, page)).collect();
    let passed = answers.iter().take_while(|answer| answer.status == 200).count();
    assert!((1..=25).contains(&passed), "a burst of 20 is allowed, and one a second: {passed}");
    let slowed = answers.iter().find(|answer| answer.status == 429).unwrap();
    assert_eq!(slowed.header("content-type"), Some("application/problem+json"));
    for field in ["retry-after", "ratelimit", "ratelimit-policy"] {
        assert!(slowed.header(field).is_some(), "{field} is missing in {slowed:?}");
    }
    let problem: Value = serde_json::from_str(&slowed.body).unwrap();
    assert_eq!(problem["status"], 429, "{slowed:?}");
    for reason in ["bot", "level", "score", "ban", "signal"] {
        assert!(!slowed.body.contains(reason), "a client is never told why: {slowed:?}");
    }

    // With a dwell of one second the level rises from Warning to Severe to Blocked in some seconds.
    let blocked = within(Duration::from_secs(30), || {
        let answer = script(&stand, 1);
        let wait = answer.header("retry-after").and_then(|text| text.parse::<u32>().ok());
        wait.filter(|&seconds| seconds > 600)
    });
    assert!(blocked.is_some(), "a script that goes on is blocked for a quarter of an hour");
    visit(&stand);
    let refused = script(&stand, 2);
    assert_eq!(refused.status, 429, "{refused:?}");
}

fn shadow_mode_refuses_nobody_and_says_who_would_have_been(proxy: Proxy) {
    let stand = Stand::new(proxy, "shadow");
    visit(&stand);
    for page in 0..60 {
        let answer = script(&stand, page);
        assert_eq!((answer.status, answer.header("retry-after")), (200, None), "{answer:?}");
    }
    let told = within(Duration::from_secs(30), || {
        let mut sessions = stand.sessions();
        sessions.sort_by_key(|session| session["counters"]["page_views"].as_u64());
        <[Value; 2]>::try_from(sessions).ok().filter(|[_, script]| script["counters"]["page_views"] == 60)
    });
    let [person, script] = told.unwrap_or_else(|| panic!("{:#?}", stand.sessions()));
    let seen = |session: &Value| {
        let always_normal = session["max_throttle_level"] == "normal";
        (session["verdict"]["class"].clone(), always_normal, session["counters"]["refused"].clone())
    };
    assert_eq!(seen(&person), ("human".into(), true, 0.into()), "{person:#}");
    assert_eq!(seen(&script), ("declared_bot".into(), false, 0.into()), "{script:#}");
    let would = stand.metric("analytics_would_refuse_total");
    assert!((30..=40).contains(&would), "a burst of 20 is allowed, and one a second: {would}");
}

fn lets_requests_pass_when_nothing_decides(proxy: Proxy) {
    let mut stand = Stand::new(proxy, "enforce");
    stand.stop_deciding();
    let forged =
        [("X-Forwarded-For", SCRIPT), ("X-Analytics-Class", "human"), ("X-Analytics-Session", "mine")];
    for page in 0..40 {
        let answer = stand.get(&format!("/p/{page}"), &forged);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(
            answer.header("x-seen-class"),
            Some(""),
            "what a client says of itself is no answer: {answer:?}"
        );
    }
}

/// A person reads three pages with all that belongs to them.
fn visit(stand: &Stand) {
    let mut before = None;
    for page in ["/", "/about", "/p/7"] {
        let came_from = before.map(|path| format!("http://site.example{path}"));
        let mut fields = browser("document", "text/html,application/xhtml+xml,*/*;q=0.8");
        fields.extend(came_from.as_deref().map(|url| ("Referer", url)));
        let answer = stand.get(page, &fields);
        assert_eq!((answer.status, answer.header("x-seen-class")), (200, Some("human")), "{answer:?}");
        let own = format!("http://site.example{page}");
        for (asset, kind) in [("/style.css", "style"), ("/app.js", "script"), ("/logo.png", "image")] {
            let mut fields = browser(kind, "*/*");
            fields.push(("Referer", &own));
            assert_eq!(stand.get(asset, &fields).status, 200);
        }
        before = Some(page);
    }
}

fn browser<'a>(loads: &'a str, accepts: &'a str) -> Vec<(&'a str, &'a str)> {
    let mode = if loads == "document" { "navigate" } else { "no-cors" };
    vec![
        ("X-Forwarded-For", PERSON),
        ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        ("Accept", accepts),
        ("Accept-Language", "en-GB,en;q=0.7"),
        ("Accept-Encoding", "gzip, deflate, br"),
        ("Sec-Fetch-Dest", loads),
        ("Sec-Fetch-Mode", mode),
        ("Sec-Fetch-Site", "same-origin"),
    ]
}

/// A script asks for one page after another, as fast as it can.
fn script(stand: &Stand, page: u32) -> Answer {
    let fields = [
        ("X-Forwarded-For", SCRIPT),
        ("User-Agent", "python-requests/2.32.3"),
        ("Accept", "*/*"),
        ("Accept-Encoding", "gzip, deflate"),
    ];
    stand.get(&format!("/p/{page}"), &fields)
}
