//! What every page has, so that it can be used by keyboard, by screen reader, without script and under its policy.

use std::collections::BTreeSet;

use super::pages::PAGES;
use super::world::World;

#[tokio::test]
async fn every_page_can_be_used_by_everybody() {
    let (empty, full) = (World::empty(), World::lively().await);
    let session = format!("/sessions/{}", full.a_bot());
    for page in PAGES.into_iter().chain(["/anomalies?series=bots", "/sign-in"]) {
        check(page, &empty.page(page).await);
    }
    for page in PAGES.into_iter().chain(["/anomalies?series=bots", &session]) {
        check(page, &full.page(page).await);
    }
    check("a refusal", &full.get("/?last=2h").await.text);
}

fn check(page: &str, html: &str) {
    assert!(html.starts_with("<!DOCTYPE html><html lang=\"en\">"), "{page}");
    assert!(html.contains("<meta name=\"viewport\""), "{page}");
    let tags: Vec<&str> = html.split('<').skip(1).map(|tag| tag.split('>').next().unwrap()).collect();
    let count = |name: &str| tags.iter().filter(|tag| tag.split([' ', '/']).next() == Some(name)).count();
    assert_eq!((count("main"), count("h1"), count("title") > 0), (1, 1, true), "{page}");

    // Nothing that the policy forbids: neither script nor style within the page.
    for tag in &tags {
        let name = tag.split(' ').next().unwrap();
        assert_ne!(name, "style", "{page}");
        assert!(
            !tag.contains(" style=\"") && !tag.contains(" onclick") && !tag.contains("javascript:"),
            "{page}: {tag}"
        );
        assert!(name != "script" || tag.contains(" src=\"/dashboard.js\""), "{page}: {tag}");
    }
    for script in html.split("<script ").skip(1) {
        assert!(script.contains("></script>"), "{page}");
    }

    // Headings go down one at a time.
    let levels: Vec<u8> = tags
        .iter()
        .filter(|tag| tag.len() >= 2 && tag.starts_with('h') && tag.as_bytes()[1].is_ascii_digit())
        .map(|tag| tag.as_bytes()[1] - b'0')
        .collect();
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{page}: {levels:?}");

    // Tables say what they are and what their cells belong to.
    for table in html.split("<table>").skip(1) {
        assert!(table.starts_with("<caption"), "{page}");
    }
    for tag in tags.iter().filter(|tag| tag.split(' ').next() == Some("th")) {
        assert!(tag.contains("scope=\"col\"") || tag.contains("scope=\"row\""), "{page}: {tag}");
    }

    // Charts have a name, other drawings are left out.
    for tag in tags.iter().filter(|tag| tag.split(' ').next() == Some("svg")) {
        let named = tag.contains("role=\"img\"") && tag.contains("aria-label=\"");
        assert!(named || tag.contains("aria-hidden=\"true\""), "{page}: {tag}");
    }

    // Each field stands in its label, is hidden, or names itself.
    let mut depth = 0_i32;
    for tag in &tags {
        match tag.split(' ').next().unwrap() {
            "label" => depth += 1,
            "/label" => depth -= 1,
            "input" | "select" => {
                let hidden = tag.contains("type=\"hidden\"");
                assert!(depth > 0 || hidden || tag.contains("aria-label"), "{page}: {tag}");
            }
            _ => {}
        }
    }

    // Names within a page are there once, and what is referred to is there.
    let attribute = |tag: &str, name: &str| {
        tag.split(&format!(" {name}=\"")).nth(1).map(|rest| rest.split('"').next().unwrap().to_owned())
    };
    let ids: Vec<String> = tags.iter().filter_map(|tag| attribute(tag, "id")).collect();
    let distinct: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(ids.len(), distinct.len(), "{page}: {ids:?}");
    for id in tags.iter().filter_map(|tag| attribute(tag, "aria-labelledby")) {
        assert!(distinct.contains(&id), "{page}: {id}");
    }

    // Landmarks and the way past them.
    if count("nav") > 0 {
        assert!(html.contains("<a class=\"skip\" href=\"#main\">"), "{page}");
        assert_eq!(count("nav"), 1, "{page}");
    }
    for tag in tags.iter().filter(|tag| tag.split(' ').next() == Some("button")) {
        assert!(tag.contains("type=\""), "{page}: {tag}");
    }
}
