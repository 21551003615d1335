//! What pages show, and what they say where there is nothing to show or something is wrong.

use std::num::NonZeroU32;
use std::sync::Arc;

use analytics_app::wiring;
use analytics_domain::detector::Class;
use analytics_ports::{
    MockAnalyticsQueryRepository, MockCoreStatsRepository, MockSessionRepository, StoreError,
};
use axum::http::{StatusCode, header};

use super::world::{World, at};

pub(crate) const PAGES: [&str; 12] = [
    "/",
    "/pages",
    "/sources",
    "/countries",
    "/devices",
    "/errors",
    "/automation",
    "/sessions",
    "/fingerprints",
    "/bans",
    "/anomalies",
    "/usage",
];

#[tokio::test]
async fn every_page_is_there_with_and_without_data() {
    let (empty, full) = (World::empty(), World::lively().await);
    for world in [&empty, &full] {
        for page in PAGES {
            for query in
                ["", "?last=1h", "?last=7d&compare=before&zone=Europe/Copenhagen", "?last=30d&compare=none"]
            {
                world.page(&format!("{page}{query}")).await;
            }
        }
    }
}

#[tokio::test]
async fn an_empty_page_says_what_to_do() {
    let world = World::empty();
    for (page, told) in [
        ("/", "Nothing has been seen yet."),
        ("/", "analytics serve --demo"),
        ("/pages", "Send requests to /v1/decide or"),
        ("/sessions", "Choose a longer one"),
        ("/fingerprints", "No fingerprint is of high risk."),
        ("/bans", "Nobody is banned."),
        ("/anomalies", "Nothing was out of the ordinary in this period."),
        ("/usage", "POST /v1/ai-requests"),
    ] {
        let html = world.page(page).await;
        assert!(html.contains(told), "{page} lacks {told}");
    }
    let world = World::simulated().await;
    let html = world.page("/?from=2020-01-01&to=2020-01-02").await;
    assert!(html.contains("No session started in this period"), "{html}");
    assert!(html.contains("show the day before it"), "{html}");
}

#[tokio::test]
async fn the_overview_counts_people_and_automation() {
    let world = World::simulated().await;
    let html = world.page("/").await;
    let count = |wanted: &[Class]| {
        let of = |session: &&analytics_domain::session::AnalyticsSession| {
            session.record().verdict.as_ref().is_some_and(|verdict| wanted.contains(&verdict.class))
        };
        world.sessions.iter().filter(of).count()
    };
    let people = count(&[Class::Human, Class::Suspected]);
    assert!(people > 20, "there is something to see");
    assert!(html.contains(&format!("<dt>Sessions</dt><dd class=\"figure\">{people}</dd>")), "{html}");
    let bots = count(&[Class::Bot, Class::DeclaredBot]);
    assert!(html.contains(&format!("<th scope=\"row\">Bots</th><td class=\"number\">{bots}</td>")), "{html}");
}

#[tokio::test]
async fn the_chart_adds_up_to_the_sessions_of_each_class() {
    let world = World::simulated().await;
    let csv = world.page("/?format=csv&table=timeline").await;
    let mut sums = [0; 4];
    for line in csv.lines().skip(1) {
        for (sum, cell) in sums.iter_mut().zip(line.split(',').skip(2)) {
            *sum += cell.parse::<usize>().unwrap();
        }
    }
    let count = |wanted: &[Class]| {
        let class = |session: &&analytics_domain::session::AnalyticsSession| {
            session.record().verdict.as_ref().is_some_and(|verdict| wanted.contains(&verdict.class))
        };
        world.sessions.iter().filter(class).count()
    };
    let counted = [
        count(&[Class::Human]),
        count(&[Class::Suspected]),
        count(&[Class::AiAgent]),
        count(&[Class::Bot, Class::DeclaredBot]),
    ];
    assert_eq!(sums, counted);
    assert!(counted.iter().all(|count| *count > 0), "every class is there: {counted:?}");
}

#[tokio::test]
async fn a_filter_counts_on_every_page_of_traffic_and_in_lists_of_sessions() {
    let world = World::simulated().await;
    let of = |browser: &str| {
        let has = |session: &&analytics_domain::session::AnalyticsSession| {
            session.record().client.browser.as_ref().is_some_and(|name| name.as_str() == browser)
        };
        world.sessions.iter().filter(has).count()
    };
    let firefox = of("Firefox");
    assert!(firefox > 3 && firefox < world.sessions.len());
    let listed = world.page("/sessions?filter=browser:Firefox&rows=10000&format=csv&table=sessions").await;
    assert_eq!(listed.lines().count() - 1, firefox);
    for page in &PAGES[..8] {
        let html = world.page(&format!("{page}?filter=browser:Firefox")).await;
        assert!(html.contains("aria-label=\"Remove the filter browser Firefox\""), "{page}");
    }
}

#[tokio::test]
async fn lists_of_sessions_go_on_without_gap_or_repeat() {
    let world = World::simulated().await;
    let mut address = "/sessions?rows=7".to_owned();
    let mut seen = Vec::new();
    loop {
        let separator = if address.contains('?') { '&' } else { '?' };
        let csv = world.page(&format!("{address}{separator}format=csv&table=sessions")).await;
        seen.extend(csv.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().to_owned()));
        let html = world.page(&address).await;
        let Some(next) = html.split("<a href=\"").find(|link| link.contains(">Older sessions<")) else {
            break;
        };
        address = next.split('"').next().unwrap().replace("&amp;", "&");
    }
    let mut own: Vec<_> = world.sessions.iter().collect();
    own.sort_by_key(|session| std::cmp::Reverse((session.record().started_at, session.id())));
    let own: Vec<String> = own.iter().map(|session| session.id().to_string()).collect();
    assert_eq!(seen, own);
}

#[tokio::test]
async fn the_page_of_a_session_explains_it() {
    let world = World::simulated().await;
    let refused = |session: &&analytics_domain::session::AnalyticsSession| {
        session
            .record()
            .verdict
            .as_ref()
            .is_some_and(|verdict| verdict.class == Class::Bot && verdict.signals.as_slice().len() > 2)
    };
    let session = world.sessions.iter().find(refused).unwrap();
    let verdict = session.record().verdict.as_ref().unwrap();
    let html = world.page(&format!("/sessions/{}", session.id())).await;
    assert!(html.contains(&format!("score <strong>{}</strong> of 100", verdict.score)), "{html}");
    let csv = world.page(&format!("/sessions/{}?format=csv&table=signals", session.id())).await;
    for signal in verdict.signals.as_slice() {
        let (shown, told) = (signal.signal.as_str().replace('_', " "), signal.evidence.as_str());
        assert!(html.contains(&format!("<th scope=\"row\">{shown}</th>")), "{shown}");
        assert!(csv.contains(&format!("{},", signal.signal)) && csv.contains(told), "{told}");
    }
    assert!(html.contains("100 · (1 − e^(−"), "{html}");
    assert!(html.contains("Throttle level:"), "{html}");
    assert!(html.contains("Nobody has labelled it yet."), "{html}");
    let csv = world.page(&format!("/sessions/{}?format=csv&table=requests", session.id())).await;
    assert_eq!(csv.lines().count() as u64 - 1, session.record().counters.requests.min(200));
}

#[tokio::test]
async fn what_is_wrong_with_an_address_is_told_on_a_page() {
    let world = World::simulated().await;
    for (address, status, told) in [
        ("/?last=2h", StatusCode::BAD_REQUEST, "last: is 1h, 24h, 7d or 30d"),
        ("/?filter=class:cat", StatusCode::BAD_REQUEST, "filter: `cat` is no class"),
        (
            "/bans?filter=class:bot",
            StatusCode::BAD_REQUEST,
            "filter: cannot be class on this page, which takes no filter",
        ),
        (
            "/usage?filter=class:bot",
            StatusCode::BAD_REQUEST,
            "which takes user, agent, tool, provider, model",
        ),
        (
            "/?from=1990-01-01&to=2026-01-01",
            StatusCode::BAD_REQUEST,
            "a report by day takes at most 1,100 days",
        ),
        ("/?colour=red", StatusCode::BAD_REQUEST, "colour: is no parameter of this page"),
        ("/?colour=%FF", StatusCode::BAD_REQUEST, "is no parameter of this page"),
        ("/?format=pdf", StatusCode::BAD_REQUEST, "format: is html or csv"),
        ("/?format=csv", StatusCode::BAD_REQUEST, "table: says which table is wanted as CSV"),
        ("/?format=csv&table=chairs", StatusCode::BAD_REQUEST, "table: is no table of this page"),
        ("/?done=everything", StatusCode::BAD_REQUEST, "done: is nothing that can be done here"),
        ("/sessions?after=1", StatusCode::BAD_REQUEST, "after: is no place in a list of sessions"),
        ("/sessions?open=maybe", StatusCode::BAD_REQUEST, "open: is yes or no"),
        (
            "/sessions?fingerprint=xyz",
            StatusCode::BAD_REQUEST,
            "fingerprint: an identifier has 32 hexadecimal digits",
        ),
        ("/anomalies?series=cats", StatusCode::BAD_REQUEST, "series: is people, bots or ai_agents"),
        ("/anomalies?state=odd", StatusCode::BAD_REQUEST, "state: is open or new"),
        ("/sessions/xyz", StatusCode::NOT_FOUND, "there is no session with this id"),
        (
            "/sessions/00000000000000000000000000000001",
            StatusCode::NOT_FOUND,
            "there is no session with this id",
        ),
    ] {
        let answer = world.get(address).await;
        assert_eq!(answer.status, status, "{address}");
        assert!(answer.text.contains(told), "{address} lacks `{told}`: {}", answer.text);
        assert!(answer.text.contains("<nav aria-label=\"Pages\">"), "{address}");
    }
}

#[tokio::test]
async fn a_store_that_is_away_gives_a_page_that_says_so() {
    let (mut stores, _) = wiring::in_memory(NonZeroU32::MIN);
    let mut queries = MockAnalyticsQueryRepository::new();
    queries.expect_traffic().returning(|_, _| Err(StoreError::unavailable("refused: secret of the driver")));
    stores.queries = Arc::new(queries);
    stores.core_stats = Arc::new(MockCoreStatsRepository::new());
    let mut sessions = MockSessionRepository::new();
    sessions.expect_list().returning(|_, _| Err(StoreError::unavailable("refused: secret of the driver")));
    stores.sessions = Arc::new(sessions);
    let world = World::of(stores, Vec::new(), at(0), true);
    for page in ["/", "/sessions", "/automation"] {
        let answer = world.get(page).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{page}");
        assert_eq!(answer.header(header::RETRY_AFTER), "5");
        assert!(
            answer.text.contains("The store is away") && !answer.text.contains("secret"),
            "{}",
            answer.text
        );
    }
}

#[tokio::test]
async fn every_answer_forbids_what_no_page_needs() {
    let world = World::simulated().await;
    let policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
                  form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    for address in [
        "/",
        "/sessions?format=csv&table=sessions",
        "/?last=2h",
        "/dashboard.css",
        "/dashboard.js",
        "/sign-in",
    ] {
        let answer = world.get(address).await;
        assert_eq!(answer.header(header::CONTENT_SECURITY_POLICY), policy, "{address}");
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{address}");
        assert_eq!(answer.header(header::REFERRER_POLICY), "same-origin", "{address}");
    }
    assert_eq!(world.get("/").await.header(header::CACHE_CONTROL), "no-store");
}

#[tokio::test]
async fn a_series_is_drawn_with_the_band_that_was_expected() {
    let world = World::simulated().await;
    let html = world.page("/anomalies?series=people").await;
    assert!(html.contains("<polyline class=\"line\"") && html.contains("<polygon class=\"band\""), "{html}");
    let csv = world.page("/anomalies?series=people&format=csv&table=series").await;
    let sum: usize =
        csv.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().parse::<usize>().unwrap()).sum();
    let people = |session: &&analytics_domain::session::AnalyticsSession| {
        session.record().verdict.as_ref().is_some_and(|verdict| !verdict.class.is_bot())
    };
    let counted = world.sessions.iter().filter(people).count();
    assert!(
        sum > counted / 2 && sum <= counted,
        "all but those of the part that is not over: {sum} of {counted}"
    );
    assert!(csv.lines().count() > 20, "{csv}");
}
