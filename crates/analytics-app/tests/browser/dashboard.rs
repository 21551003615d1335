//! The dashboard of a running service in a real browser: every page without an error of script or policy, light, dark, as
//! narrow as a phone, by keyboard; and its pictures, which `UPDATE_SCREENSHOTS=1` brings into `docs/screenshots`.

use std::path::Path;

use fantoccini::Locator;
use fantoccini::key::Key;
use serde_json::json;

use super::browser::{self, Browser};
use super::serve::Serve;

#[tokio::test]
async fn every_page_is_shown_without_an_error_light_dark_and_on_a_phone() {
    let serve = Serve::start(&["--demo"]);
    let browser = browser::start().await;
    let go = async |address: &str| browser.goto(&format!("{}{address}", serve.url)).await.unwrap();
    go("/").await;
    use_ai(&browser).await;
    go("/sessions?filter=class:bot&rows=200").await;
    let session = loudest_bot(&browser).await;
    browser.complaints();
    for (name, address, height) in [
        ("overview", "/", 1130),
        ("pages", "/pages", 800),
        ("sources", "/sources", 900),
        ("countries", "/countries", 500),
        ("devices", "/devices", 900),
        ("errors", "/errors", 900),
        ("automation", "/automation", 1100),
        ("sessions", "/sessions?rows=20", 840),
        ("session", &session, 1050),
        ("fingerprints", "/fingerprints", 400),
        ("bans", "/bans", 400),
        ("anomalies", "/anomalies?series=people", 800),
        ("usage", "/usage", 900),
    ] {
        for dark in [false, true] {
            browser.colours(dark);
            browser.size(1200, height);
            go(address).await;
            let ground = browser.run("return getComputedStyle(document.body).backgroundColor").await;
            assert_eq!(ground == json!("rgb(19, 23, 27)"), dark, "{name}: {ground}");
            if !dark || name == "overview" {
                keep(&browser, &if dark { format!("{name}-dark") } else { name.to_owned() }).await;
            }
        }
        browser.colours(false);
        browser.size(360, 900);
        go(address).await;
        browser.until("return innerWidth === 360").await;
        assert_eq!(browser.run(TOO_WIDE).await, json!([]), "{name} is wider than a phone");
        if name == "overview" {
            keep(&browser, "overview-phone").await;
        }
        let lengthened = browser.run(LONG_CELLS).await;
        assert!(
            lengthened.as_u64() > Some(0) || WITHOUT_ROWS.contains(&name),
            "{name} has no cell to lengthen"
        );
        assert_eq!(browser.run(TOO_WIDE).await, json!([]), "{name} grows with its tables");
        assert_eq!(browser.complaints(), Vec::<String>::new(), "{name}");
    }
}

/// Pages whose tables have nothing to show in a demonstration.
const WITHOUT_ROWS: [&str; 2] = ["bans", "fingerprints"];

/// Puts more into the last cell of each row than a phone has room for, with something that is only read aloud behind it, and
/// answers how many tables no longer fit.
const LONG_CELLS: &str = "
    for (const row of document.querySelectorAll('.table tbody tr')) {
        const cell = [...row.querySelectorAll('td')].filter((cell) => cell.checkVisibility()).pop();
        if (cell) cell.innerHTML = 'w'.repeat(60) + '<span class=\"hidden\"> not known</span>';
    }
    return [...document.querySelectorAll('.table')].filter((table) => table.scrollWidth > table.clientWidth).length;";

/// How wide a page is that is wider than its window, and some of what lies outside; nothing where it is not.
const TOO_WIDE: &str = "
    const [wide, room] = [document.documentElement.scrollWidth, document.documentElement.clientWidth];
    const end = (one) => one.getBoundingClientRect().right;
    const leaves = [...document.querySelectorAll('main :not(:has(*))')].filter((one) => end(one) > room);
    const told = leaves.slice(0, 10).map((one) => `${end(one)}: ${one.outerHTML.slice(0, 120)}`);
    return wide > room ? [`${wide} of ${room}`, ...told] : [];";

#[tokio::test]
async fn the_keyboard_reaches_everything_and_shows_where_it_is() {
    let serve = Serve::start(&["--demo"]);
    let browser = browser::start().await;
    browser.goto(&format!("{}/", serve.url)).await.unwrap();
    let body = browser.find(Locator::Css("body")).await.unwrap();
    body.send_keys(&char::from(Key::Tab).to_string()).await.unwrap();
    let first = browser.run("return document.activeElement.textContent").await;
    assert_eq!(first, json!("Skip to the content"));
    let hidden_or_without_focus = "
        const all = document.querySelectorAll('a[href], button, input, select, summary, [tabindex=\"0\"]');
        const shown = [...all].filter((one) => one.checkVisibility() && one.type !== 'hidden');
        return shown.filter((one) => {
            one.focus({ focusVisible: true });
            return document.activeElement !== one || getComputedStyle(one).outlineStyle === 'none';
        }).map((one) => one.outerHTML.slice(0, 120));";
    assert_eq!(browser.run(hidden_or_without_focus).await, json!([]));
}

#[tokio::test]
async fn a_page_refreshes_itself_until_it_is_paused() {
    let serve = Serve::start(&["--demo"]);
    let browser = browser::start().await;
    browser.goto(&format!("{}/", serve.url)).await.unwrap();
    let button = "const live = document.getElementById('live'); return [live.hidden, live.textContent]";
    assert_eq!(browser.run(button).await, json!([false, "Live"]));
    browser.run("document.querySelector('h1').textContent = 'old'").await;
    let press = async || browser.find(Locator::Id("live")).await.unwrap().click().await.unwrap();
    press().await;
    assert_eq!(browser.run(button).await, json!([false, "Paused"]));
    // Switched on again, it asks for the page at once.
    press().await;
    browser.until("return document.querySelector('h1').textContent === 'Overview'").await;
    assert_eq!(browser.run(button).await, json!([false, "Live"]));
    assert_eq!(browser.complaints(), Vec::<String>::new());
    browser.goto(&format!("{}/?from=2026-01-01&to=2026-01-02", serve.url)).await.unwrap();
    assert_eq!(browser.run("return document.getElementById('live').hidden").await, json!(true));
}

#[tokio::test]
async fn a_session_is_labelled_by_its_form() {
    let serve = Serve::start(&["--demo"]);
    let browser = browser::start().await;
    browser.goto(&format!("{}/sessions", serve.url)).await.unwrap();
    browser.find(Locator::Css("tbody th a")).await.unwrap().click().await.unwrap();
    browser.find(Locator::Css("input[value=human]")).await.unwrap().click().await.unwrap();
    browser.find(Locator::Css("fieldset button")).await.unwrap().click().await.unwrap();
    browser.until("return document.querySelector('.done') !== null").await;
    let told = "return [document.querySelector('.done').textContent, document.querySelector('#labels tbody th').textContent]";
    assert_eq!(browser.run(told).await, json!(["The session was labelled.", "human"]));
}

/// Tells the service of some requests to AI providers, as a host does.
async fn use_ai(browser: &Browser) {
    let script = "
        const [done] = [arguments[arguments.length - 1]];
        const models = [['openai', 'gpt-5'], ['anthropic', 'claude-sonnet'], ['mistral', 'mistral-large']];
        const agents = ['support', 'search', 'writer'];
        const requests = [...Array(120).keys()].map((n) => ({
            at: new Date(Date.now() - (n * 11 + 1) * 60000).toISOString(),
            user: `user-${n % 7}`, agent: agents[n % 3], provider: models[n % 3][0], model: models[n % 3][1],
            input_tokens: 900 + 3 * n, output_tokens: 220, cached_tokens: 300,
            cost_nano_dollars: n % 11 ? (n % 9 + 1) * 1370000 : null, latency_ms: 640 + n,
            status: n % 17 ? 'completed' : 'failed',
        }));
        fetch('/v1/ai-requests', {
            method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify(requests),
        }).then((answer) => answer.text().then((text) => done([answer.status, text])));";
    let told = browser.execute_async(script, Vec::new()).await.unwrap();
    assert_eq!(told[0], json!(200), "{told}");
}

/// The address of the bot with the highest score of the list that is shown.
async fn loudest_bot(browser: &Browser) -> String {
    let script = "
        const rows = [...document.querySelectorAll('#sessions tbody tr')];
        const score = (row) => Number(row.cells[2].textContent);
        rows.sort((a, b) => score(b) - score(a));
        return new URL(rows[0].querySelector('a').href).pathname;";
    browser.run(script).await.as_str().unwrap().to_owned()
}

/// Keeps a picture beside the other output of tests, and in the documentation where that is asked for.
async fn keep(browser: &Browser, name: &str) {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    std::fs::create_dir_all(&kept).unwrap();
    let file = kept.join(format!("{name}.png"));
    browser.screenshot_to(&file).await;
    if asks_for_pictures() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/screenshots");
        std::fs::create_dir_all(&docs).unwrap();
        std::fs::copy(&file, docs.join(format!("{name}.png"))).unwrap();
    }
}

/// Whether a person asks for new pictures in the documentation.
fn asks_for_pictures() -> bool {
    std::env::var_os("UPDATE_SCREENSHOTS").is_some()
}
