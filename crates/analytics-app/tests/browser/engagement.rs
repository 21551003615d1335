//! Engagement of scripted visits equals what was done.
//!
//! Counts are exact. Times lie between what was surely waited for and what passed at most by the browser's clock around
//! it, so that a slow machine makes no test fail. The mouse's path may be 2 % longer or shorter than its straight lines, since the browser
//! rounds where it is; the depth 1 % less, since it is rounded down.

use analytics_domain::engagement::EngagementFigures;
use serde_json::Value;

use super::browser::{self, Browser};
use super::collector::Collector;
use super::hands::CONTROL;

#[tokio::test]
async fn a_page_that_is_scrolled_to_four_fifths_and_back_says_so() {
    let collector = Collector::with_page(PAGE).await;
    let browser = visit(&collector, "/read").await;
    let from = clock(&browser).await;
    let inside = browser.run("return innerHeight").await.as_i64().unwrap();
    let down = HEIGHT / 5 * 4 - inside;
    browser.turn_wheel(down).await;
    browser.until(&format!("return scrollY == {down}")).await;
    browser.turn_wheel(-down).await;
    browser.until("return scrollY == 0").await;
    browser.wait(1_000).await;
    let passed = clock(&browser).await - from;
    let whole = leave(&collector, &browser).await;
    let told = only(&collector, "/read").await;
    let depth = told.max_scroll_depth.unwrap();
    assert!((79..=80).contains(&depth), "{depth} %");
    assert_eq!(told.scroll_direction_changes, Some(1));
    assert!(told.time_to_first_scroll_ms.unwrap() <= told.time_on_page_ms.unwrap());
    let seconds = f64::from(told.visible_time_ms.unwrap()) / 1_000.0;
    let scrolled = told.scroll_velocity_avg.unwrap() * seconds;
    assert!((scrolled / (2 * down) as f64 - 1.0).abs() < 0.01, "{scrolled} of {} px", 2 * down);
    between(told.visible_time_ms, passed, whole);
    between(told.time_on_page_ms, passed, whole);
    assert_eq!((told.hidden_time_ms, told.tab_switches), (Some(0), Some(0)), "leaving is no switch of tabs");
}

#[tokio::test]
async fn three_fast_clicks_at_one_place_are_a_rage_click_and_slow_or_distant_ones_are_not() {
    let collector = Collector::with_page(PAGE).await;
    let browser = visit(&collector, "/rage").await;
    browser.click_at(AREA, 3, 100).await;
    next_page(&browser, "/slow").await;
    browser.click_at(AREA, 3, 1_050).await;
    next_page(&browser, "/distant").await;
    for step in 0..3 {
        browser.click_at((AREA.0 + 40 * step, AREA.1), 1, 10).await;
    }
    next_page(&browser, "/text").await;
    browser.click_at(TEXT, 3, 100).await;
    leave(&collector, &browser).await;
    for (page, rage) in [("/rage", true), ("/slow", false), ("/distant", false), ("/text", false)] {
        let told = only(&collector, page).await;
        assert_eq!((told.click_count, told.is_rage_click), (Some(3), Some(rage)), "{page}");
        assert_eq!(told.is_dead_click, Some(false), "{page}");
        assert!(told.time_to_first_interaction_ms.is_some());
    }
}

#[tokio::test]
async fn a_button_after_which_nothing_comes_for_two_and_a_half_seconds_is_a_dead_click() {
    let collector = Collector::with_page(PAGE).await;
    let browser = visit(&collector, "/dead").await;
    browser.click_at(DEAD, 1, 2_600).await;
    next_page(&browser, "/live").await;
    browser.click_at(LIVE, 1, 2_600).await;
    next_page(&browser, "/plain").await;
    browser.click_at(AREA, 1, 2_600).await;
    next_page(&browser, "/left-early").await;
    browser.click_at(DEAD, 1, 10).await;
    next_page(&browser, "/moves").await;
    browser.click_at(MOVES, 1, 2_600).await;
    leave(&collector, &browser).await;
    let pages =
        [("/dead", true), ("/live", false), ("/moves", false), ("/plain", false), ("/left-early", false)];
    for (page, dead) in pages {
        let told = only(&collector, page).await;
        assert_eq!((told.click_count, told.is_dead_click), (Some(1), Some(dead)), "{page}");
        assert_eq!(told.is_rage_click, Some(false), "{page}");
    }
}

#[tokio::test]
async fn time_behind_another_tab_is_hidden_time() {
    let collector = Collector::with_page(PAGE).await;
    let browser = visit(&collector, "/tabs").await;
    browser.wait(500).await;
    let (own, from) = (browser.window().await.unwrap(), clock(&browser).await);
    let tab = browser.new_window(true).await.unwrap().handle;
    browser.switch_to_window(tab).await.unwrap();
    let hidden_from = clock(&browser).await;
    browser.wait(5_000).await;
    let hidden = clock(&browser).await - hidden_from;
    browser.close_window().await.unwrap();
    browser.switch_to_window(own).await.unwrap();
    browser.until("return document.visibilityState == 'visible'").await;
    let away = clock(&browser).await - from;
    browser.wait(500).await;
    let whole = leave(&collector, &browser).await;
    let told = collector.engagement("/tabs").await;
    let [before, after] = told[..] else { panic!("{told:?}") };
    assert_eq!((before.tab_switches, before.hidden_time_ms), (Some(1), Some(0)));
    between(before.visible_time_ms, 500, whole - hidden);
    between(after.hidden_time_ms, hidden, away);
    between(after.visible_time_ms, 500, whole - hidden);
    let sum = [before, after].iter().map(|told| i64::from(told.time_on_page_ms.unwrap())).sum::<i64>();
    assert!((hidden + 1_000..=whole + 1).contains(&sum), "{sum} ms of {whole}");
    assert!(after.focus_time_ms.unwrap() <= after.visible_time_ms.unwrap() + 1, "{after:?}");
}

#[tokio::test]
async fn keys_and_copies_are_counted_and_never_told() {
    let collector = Collector::with_page(PAGE).await;
    let browser = visit(&collector, "/keys").await;
    browser.click_at(FIELD, 1, 50).await;
    browser.press(&[], "secret").await;
    browser.run("getSelection().selectAllChildren(document.getElementById('text'))").await;
    browser.press(&[CONTROL], "c").await;
    leave(&collector, &browser).await;
    let told = only(&collector, "/keys").await;
    assert_eq!((told.keyboard_events, told.copy_events, told.click_count), (Some(8), Some(1), Some(1)));
    for body in collector.bodies() {
        assert!(!body.contains("secret") && !body.contains("words"), "{body}");
    }
}

#[tokio::test]
async fn the_mouses_path_has_its_length_and_the_entropy_of_its_turns() {
    let collector = Collector::with_page(PAGE).await;
    let browser = visit(&collector, "/straight").await;
    browser.move_mouse(&[(700, 100)]).await;
    next_page(&browser, "/line").await;
    browser.move_mouse(&[(1_100, 100)]).await;
    next_page(&browser, "/square").await;
    browser.move_mouse(&[(1_100, 500), (700, 500), (700, 100), (1_100, 100)]).await;
    leave(&collector, &browser).await;
    let line = only(&collector, "/line").await;
    near(line.mouse_move_distance_px, 400);
    assert_eq!(line.mouse_path_entropy, Some(0.0));
    let square = only(&collector, "/square").await;
    near(square.mouse_move_distance_px, 1_600);
    let entropy = square.mouse_path_entropy.unwrap();
    assert!((entropy - 2.0).abs() < 0.05, "four sides of one length are two bits, not {entropy}");
}

#[tokio::test]
async fn each_page_of_a_single_page_site_is_told_when_it_is_left() {
    let collector = Collector::with_page(PAGE).await;
    let browser = visit(&collector, "/one?secret=1#part").await;
    browser.wait(300).await;
    browser.run("history.replaceState({}, '', '/one?other=2')").await;
    next_page(&browser, "/two").await;
    browser.run("history.back()").await;
    browser.until("return location.pathname == '/one'").await;
    browser.wait(300).await;
    browser.run("analytics.event('sign_up', {plan: 'pro', price: 1.2345})").await;
    leave(&collector, &browser).await;
    assert_eq!(collector.engagement("/one").await.len(), 2);
    only(&collector, "/two").await;
    let events = collector.events().await;
    let told: Vec<(String, Value)> = events
        .iter()
        .map(|event| (event.name().as_str().to_owned(), serde_json::to_value(event.properties()).unwrap()))
        .collect();
    let (one, two) = (format!("{}/one", collector.url), format!("{}/two", collector.url));
    let view = |page: &str, navigation: &str, referrer: Option<&str>| {
        let mut properties = serde_json::json!({"page_url": page, "navigation": navigation});
        if let Some(referrer) = referrer {
            properties["referrer"] = referrer.into();
        }
        ("page_view".to_owned(), properties)
    };
    let expected = [
        view(&one, "load", None),
        view(&two, "single_page", Some(&one)),
        view(&one, "single_page", Some(&two)),
        ("sign_up".to_owned(), serde_json::json!({"plan": "pro", "price": 1.2345})),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn what_scripts_do_is_no_engagement_and_what_drives_the_browser_is_told() {
    let collector = Collector::with_page(PAGE).await;
    let browser = visit(&collector, "/script").await;
    let script = "for (let n = 0; n < 5; n++) {
        document.getElementById('dead').click();
        document.dispatchEvent(new KeyboardEvent('keydown', {key: 'a'}));
        document.dispatchEvent(new PointerEvent('pointermove', {pointerType: 'mouse', screenX: n * 50}));
    }";
    browser.run(script).await;
    leave(&collector, &browser).await;
    let told = only(&collector, "/script").await;
    assert_eq!(
        (told.click_count, told.keyboard_events, told.mouse_move_distance_px),
        (Some(0), Some(0), Some(0))
    );
    assert_eq!(told.time_to_first_interaction_ms, None);
    let [report] = collector.reports()[..] else { panic!("{:?}", collector.reports()) };
    assert!(report.marks.automated && !report.marks.engaged && !report.marks.implausible, "{report:?}");
    assert_eq!(report.viewport.map(|(width, _)| width), Some(1_280));
    let body = collector.bodies().pop().unwrap();
    for flag in ["webdriver", "headless"] {
        assert!(body.contains(&format!("\"{flag}\"")), "{body}");
    }
}

#[tokio::test]
async fn who_does_not_want_to_be_measured_sends_nothing() {
    let privacy = Collector::with_page(PRIVACY_PAGE).await;
    let browser = visit_without_token(&privacy, "/").await;
    browser.click_at(AREA, 1, 50).await;
    browser.run("analytics.event('sign_up')").await;
    go_away(&browser).await;
    browser.wait(500).await;
    assert_eq!(privacy.bodies(), Vec::<String>::new(), "Global Privacy Control");

    let collector = Collector::with_page(PAGE).await;
    browser.goto(&format!("{}/a", collector.url)).await.unwrap();
    browser.run("localStorage.setItem('analytics-opt-out', '1')").await;
    let before = collector.bodies().len();
    browser.goto(&format!("{}/b", collector.url)).await.unwrap();
    browser.click_at(AREA, 1, 50).await;
    go_away(&browser).await;
    browser.wait(500).await;
    assert!(collector.bodies()[before..].iter().all(|body| !body.contains("/b")), "an opt-out");
    assert_eq!(collector.engagement("/b").await, []);

    let declining = Collector::with_page(PAGE).await;
    declining.decline();
    browser.goto(&format!("{}/c", declining.url)).await.unwrap();
    browser
        .until("return performance.getEntriesByType('resource').some(e => /page-token/.test(e.name))")
        .await;
    browser.click_at(AREA, 1, 50).await;
    go_away(&browser).await;
    browser.wait(500).await;
    assert_eq!(declining.bodies().len(), 1, "the answer 204");
}

/// A browser on a page whose token has come.
async fn visit(collector: &Collector, path: &str) -> Browser {
    let browser = visit_without_token(collector, path).await;
    token(&browser).await;
    browser
}

async fn visit_without_token(collector: &Collector, path: &str) -> Browser {
    let browser = browser::start().await;
    browser.goto(&format!("{}{path}", collector.url)).await.unwrap();
    browser
}

/// Goes to another page as a single-page site does, which ends the page before.
async fn next_page(browser: &Browser, path: &str) {
    browser.run("performance.clearResourceTimings()").await;
    browser.run(&format!("history.pushState({{}}, '', '{path}')")).await;
    token(browser).await;
    browser.wait(50).await;
}

/// Waits until the page has its token.
async fn token(browser: &Browser) {
    let came = "return performance.getEntriesByType('resource').some(e => /page-token/.test(e.name) && e.responseEnd)";
    browser.until(came).await;
    browser.wait(50).await;
}

/// Leaves the site, waits until its last beacon has come, and answers how long its page was there, in milliseconds by
/// its own clock.
async fn leave(collector: &Collector, browser: &Browser) -> i64 {
    let told = collector.beacons();
    let whole = browser.run("return Math.ceil(performance.now())").await.as_i64().unwrap();
    let from = clock(browser).await;
    go_away(browser).await;
    let leaving = clock(browser).await - from;
    for _ in 0..600 {
        if collector.beacons() > told {
            return whole + leaving;
        }
        browser.wait(20).await;
    }
    panic!("no beacon came: {:#?}", collector.bodies())
}

/// Leaves the site.
async fn go_away(browser: &Browser) {
    browser.goto("about:blank").await.unwrap();
}

/// The browser's wall clock, in milliseconds.
async fn clock(browser: &Browser) -> i64 {
    browser.run("return Date.now()").await.as_i64().unwrap()
}

/// The one beacon about a page.
async fn only(collector: &Collector, path: &str) -> EngagementFigures {
    let told = collector.engagement(path).await;
    let [one] = told[..] else { panic!("{path}: {told:?}\n{:#?}", collector.bodies()) };
    one
}

/// That a time lies between these, in milliseconds; clocks of a browser are rounded to one.
#[track_caller]
fn between(told: Option<u32>, least: i64, most: i64) {
    let told = i64::from(told.unwrap());
    assert!((least - 1..=most + 1).contains(&told), "{told} ms is not between {least} and {most}");
}

/// That a length is this one, up to 2 %.
#[track_caller]
fn near(told: Option<u32>, pixels: u32) {
    let told = told.unwrap();
    assert!(told.abs_diff(pixels) * 50 <= pixels, "{told} px are not {pixels}");
}

/// The height of the page, in pixels.
const HEIGHT: i64 = 4_000;
const DEAD: (i64, i64) = (150, 120);
const LIVE: (i64, i64) = (150, 220);
const MOVES: (i64, i64) = (450, 220);
const TEXT: (i64, i64) = (130, 310);
const FIELD: (i64, i64) = (150, 410);
const AREA: (i64, i64) = (150, 550);

const PAGE: &str = r##"<!doctype html><meta charset="utf-8"><title>Page</title>
<style>body { margin: 0; height: 4000px } body > * { position: absolute; left: 100px; width: 200px; height: 40px }
#moves { left: 400px } #text { top: 300px; width: 600px; margin: 0 } #area { top: 500px; width: 400px; height: 100px; background: #eee }</style>
<button id="dead" style="top: 100px">Dead</button>
<button id="live" style="top: 200px" onclick="this.textContent = 'Alive'">Live</button>
<a id="moves" style="top: 200px" href="#area">Moves</a>
<p id="text">Some words that can be selected and copied.</p>
<input id="field" style="top: 400px">
<div id="area"></div>
<script defer src="/tracker.js"></script>"##;

const PRIVACY_PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>Page</title>
<script>Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { get: () => true });</script>
<script defer src="/tracker.js"></script><p style="height: 900px">Nothing is measured here.</p>"#;
