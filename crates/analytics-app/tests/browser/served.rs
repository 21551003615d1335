//! The tracker of a running service, on a site of another host and port.

use serde_json::Value;

use super::browser::{self, Browser};
use super::serve::Serve;
use super::site::{self, Answer};

#[tokio::test]
async fn a_visit_to_another_host_is_a_session_with_its_page_views_and_engagement() {
    let serve = Serve::start(&["--site-host", "localhost"]);
    let page = page(&serve);
    // Another host than that of the service, so that the browser asks whether it may.
    let site = site::serve(move |_| std::future::ready(Answer::html(page.clone()))).await;
    let site = site.replace("127.0.0.1", "localhost");
    let browser = browser::start().await;
    browser.goto(&format!("{site}/one")).await.unwrap();
    browser.until(TOKEN_CAME).await;
    browser.wait(100).await;
    browser.click_at((100, 100), 3, 50).await;
    browser.run("analytics.event('sign_up', {plan: 'pro'})").await;
    browser.run("performance.clearResourceTimings(); history.pushState({}, '', '/two')").await;
    browser.until(TOKEN_CAME).await;
    browser.wait(100).await;
    let metrics = format!("{}/metrics", serve.url);
    for line in [
        r#"analytics_beacons_total{kind="page_token",result="kept",reason=""} 2"#,
        r#"analytics_beacons_total{kind="engagement",result="kept",reason=""} 2"#,
        r#"analytics_beacons_total{kind="event",result="kept",reason=""} 1"#,
    ] {
        let mut text = String::new();
        for _ in 0..300 {
            browser.goto(&metrics).await.unwrap();
            text = shown(&browser).await;
            if text.lines().any(|told| told == line) {
                break;
            }
            browser.wait(50).await;
        }
        assert!(text.lines().any(|told| told == line), "{line}\n{text}");
    }
    let mut session = Value::Null;
    for _ in 0..300 {
        browser.goto(&format!("{}/v1/sessions", serve.url)).await.unwrap();
        let sessions: Value = serde_json::from_str(&shown(&browser).await).unwrap();
        session = sessions["sessions"][0].clone();
        // Views of pages reach the store with the next second.
        if session["counters"]["engagement_events"] == 2 && session["counters"]["page_views"] == 2 {
            break;
        }
        browser.wait(50).await;
    }
    assert_eq!(session["counters"]["engagement_events"], 2, "{session}");
    assert_eq!(session["counters"]["page_views"], 2, "{session}");
}

#[tokio::test]
async fn a_visit_without_script_is_a_page_view_by_the_pixel() {
    let serve = Serve::start(&["--site-host", "localhost"]);
    let pixel = format!(
        r#"<!doctype html><img src="{}/pixel.gif" alt="" referrerpolicy="no-referrer-when-downgrade">"#,
        serve.url
    );
    let site = site::serve(move |_| std::future::ready(Answer::html(pixel.clone()))).await;
    let browser = browser::start().await;
    browser.goto(&format!("{}/plain", site.replace("127.0.0.1", "localhost"))).await.unwrap();
    browser.until("return document.images[0].naturalWidth == 1").await;
    browser.goto(&format!("{}/metrics", serve.url)).await.unwrap();
    let text = shown(&browser).await;
    let line = r#"analytics_beacons_total{kind="page_view",result="kept",reason=""} 1"#;
    assert!(text.lines().any(|told| told == line), "{text}");
}

fn page(serve: &Serve) -> String {
    format!(
        r#"<!doctype html><meta charset="utf-8"><title>Page</title><p>Some words.</p>
<script defer src="{}/tracker.js"></script>"#,
        serve.url
    )
}

/// The text that the browser shows.
async fn shown(browser: &Browser) -> String {
    browser.run("return document.querySelector('pre').textContent").await.as_str().unwrap().to_owned()
}

const TOKEN_CAME: &str = "return performance.getEntriesByType('resource').some(e => /page-token/.test(e.name) && e.responseEnd > 0)";
