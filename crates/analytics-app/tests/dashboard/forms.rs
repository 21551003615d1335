//! What forms do, and which are refused.

use analytics_domain::anomaly::{AnomalyEvent, AnomalyLevel, AnomalyRule, Finite, MetricName};
use analytics_domain::audit::{AuditAction, AuditSubject};
use analytics_domain::ids::{AnomalyEventId, FingerprintHash};
use analytics_domain::label::LabelClass;
use analytics_domain::reputation::{
    BanSubject, ChargedFacts, FlagReason, ReputationPolicy, ReputationState, observe_charged,
};
use analytics_ports::PageRequest;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use chrono::TimeDelta;

use super::world::{World, encoded};

#[tokio::test]
async fn a_fingerprint_is_flagged_banned_lifted_and_cleared() {
    let world = World::simulated().await;
    let hash = world.sessions[0].record().fingerprint;
    remember(&world, hash).await;
    let page = format!("/fingerprints?hash={hash}");
    let answer = world.submit(&page, &format!("/fingerprints/{hash}/flag"), &[]).await;
    assert_eq!(
        (answer.status, answer.header(header::LOCATION)),
        (StatusCode::SEE_OTHER, &*format!("{page}&done=flagged"))
    );
    let flags = world.reputation.reputation(hash).await.unwrap().unwrap().flags;
    assert!(flags.contains(FlagReason::Manual));
    let listed = world.page("/fingerprints").await;
    assert!(listed.contains(&hash.to_string()) && listed.contains("manual"), "{listed}");
    assert!(world.page(answer.header(header::LOCATION)).await.contains("The fingerprint was flagged."));

    world.reputation.ban(BanSubject::Fingerprint(hash), TimeDelta::hours(1)).await.unwrap();
    let bans = world.page("/bans").await;
    assert!(bans.contains("would ban") && bans.contains("a person's order"), "{bans}");
    let answer = world.submit("/bans", "/bans/lift", &[]).await;
    assert_eq!(answer.header(header::LOCATION), "/bans?done=lifted");
    assert!(world.page("/bans").await.contains("Nobody is banned."));

    world.submit(&page, &format!("/fingerprints/{hash}/clear"), &[]).await;
    assert!(world.reputation.reputation(hash).await.unwrap().unwrap().flags.is_empty());
    assert_eq!(
        actions(&world, AuditSubject::Fingerprint(hash)).await,
        [AuditAction::ClearFlag, AuditAction::LiftBan, AuditAction::Flag]
    );
}

#[tokio::test]
async fn a_label_is_kept_with_its_reason_and_clears_what_was_held_against_a_person() {
    let world = World::simulated().await;
    let session = &world.sessions[0];
    let (id, hash) = (session.id(), session.record().fingerprint);
    remember(&world, hash).await;
    world.reputation.flag(hash).await.unwrap();
    let page = format!("/sessions/{id}");
    let fields = [("class", "human"), ("reason", "a colleague <b>of mine</b>")];
    let answer = world.submit(&page, &format!("{page}/label"), &fields).await;
    assert_eq!(answer.header(header::LOCATION), format!("{page}?done=labelled"));
    let labels = world.stores.labels.by_session(id).await.unwrap();
    assert_eq!(labels.iter().map(|label| label.record().class).collect::<Vec<_>>(), [LabelClass::Human]);
    assert!(world.reputation.reputation(hash).await.unwrap().unwrap().flags.is_empty());
    assert_eq!(actions(&world, AuditSubject::Session(id)).await, [AuditAction::Label]);
    let html = world.page(&format!("{page}?done=labelled")).await;
    assert!(html.contains("The session was labelled."), "{html}");
    assert!(html.contains("a colleague &lt;b&gt;of mine&lt;/b&gt;"), "{html}");
}

#[tokio::test]
async fn an_anomaly_is_acknowledged() {
    let world = World::simulated().await;
    let id = AnomalyEventId::from_u128(9);
    let event = AnomalyEvent {
        id,
        metric: MetricName::new("error_rate").unwrap(),
        rule: AnomalyRule::Threshold,
        level: AnomalyLevel::Critical,
        since: world.now - TimeDelta::minutes(9),
        opened_at: world.now - TimeDelta::minutes(8),
        value: Finite::new(0.5).unwrap(),
        expected: None,
        score: None,
        closed_at: None,
        acknowledged_at: None,
    };
    world.stores.anomalies.put(&event).await.unwrap();
    let answer = world.submit("/anomalies?state=new", &format!("/anomalies/{id}/acknowledge"), &[]).await;
    assert_eq!(answer.header(header::LOCATION), "/anomalies?done=acknowledged");
    let kept = world.stores.anomalies.get(id).await.unwrap().unwrap();
    assert_eq!(kept.acknowledged_at, Some(world.now));
    assert!(!world.page("/anomalies?state=new").await.contains("error_rate"));
}

#[tokio::test]
async fn forms_that_are_not_ours_change_nothing() {
    let world = World::simulated().await;
    let hash = world.sessions[0].record().fingerprint;
    remember(&world, hash).await;
    let target = format!("/fingerprints/{hash}/flag");
    let html = world.page(&format!("/fingerprints?hash={hash}")).await;
    let token = |action: &str| {
        let form = html.split(&format!("action=\"/fingerprints/{hash}/{action}\"")).nth(1).unwrap();
        form.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let refused = StatusCode::FORBIDDEN;
    assert_eq!(world.post(&target, &[]).await.status, refused);
    assert_eq!(world.post(&target, &[("token", "")]).await.status, refused);
    assert_eq!(world.post(&target, &[("token", &token("clear"))]).await.status, refused);
    let sent = async |name: &'static str, value: &'static str| {
        let request = Request::post(&target)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::HOST, "localhost:8080")
            .header(name, value)
            .body(Body::from(format!("token={}", token("flag"))))
            .unwrap();
        world.ask(request).await.status
    };
    assert_eq!(sent("sec-fetch-site", "cross-site").await, refused);
    assert_eq!(sent("origin", "https://evil.example").await, refused);
    assert!(world.reputation.reputation(hash).await.unwrap().unwrap().flags.is_empty());
    assert_eq!(sent("sec-fetch-site", "same-origin").await, StatusCode::SEE_OTHER);
    // Other kinds of bodies, and ones that are too large.
    let request = Request::post(&target).body(Body::from("token=x")).unwrap();
    assert_eq!(world.ask(request).await.status, StatusCode::BAD_REQUEST);
    let large = "x".repeat(10_000);
    assert_eq!(world.post(&target, &[("token", &large)]).await.status, StatusCode::BAD_REQUEST);
    let unknown = format!("/fingerprints/{}/flag", FingerprintHash::from_u128(1));
    assert_eq!(world.post(&unknown, &[("token", &token("flag"))]).await.status, refused);
}

#[tokio::test]
async fn where_it_is_not_open_a_browser_signs_in_with_the_token() {
    let full = World::simulated().await;
    let world = World::of(full.stores.clone(), Vec::new(), full.now, false);
    let answer = world.get("/sessions?last=7d").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.header(header::LOCATION), "/sign-in?to=/sessions%3Flast%3D7d");
    assert!(world.get("/dashboard.css").await.status.is_success());
    assert_eq!(world.post("/bans/lift", &[("token", "x")]).await.status, StatusCode::UNAUTHORIZED);

    let page = "/sign-in?to=/sessions%3Flast%3D7d";
    let wrong = world.submit(page, "/sign-in", &[("admin_token", "guess")]).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(wrong.text.contains("That is not the admin's token.") && !wrong.text.contains("guess"));
    let answer = world.submit(page, "/sign-in", &[("admin_token", "secret")]).await;
    assert_eq!(answer.header(header::LOCATION), "/sessions?last=7d");
    let cookie = answer.header(header::SET_COOKIE).to_owned();
    assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let with = async |cookie: &str| {
        let request = Request::get("/sessions").header(header::COOKIE, cookie).body(Body::empty()).unwrap();
        world.ask(request).await.status
    };
    assert_eq!(with(cookie).await, StatusCode::OK);
    assert_eq!(with(&format!("a=b; {cookie}")).await, StatusCode::OK);
    let (name, value) = cookie.split_once('=').unwrap();
    let (until, seal) = value.split_once('.').unwrap();
    let later = until.parse::<i64>().unwrap() + 1;
    assert_eq!(with(&format!("{name}={later}.{seal}")).await, StatusCode::SEE_OTHER);
    let tomorrow = World::of(full.stores.clone(), Vec::new(), full.now + TimeDelta::hours(12), false);
    let request = Request::get("/").header(header::COOKIE, cookie).body(Body::empty()).unwrap();
    assert_eq!(tomorrow.ask(request).await.status, StatusCode::SEE_OTHER);
    let request =
        Request::get("/").header(header::AUTHORIZATION, "Bearer secret").body(Body::empty()).unwrap();
    assert_eq!(world.ask(request).await.status, StatusCode::OK);
    assert_eq!(encoded("/"), "%2F");
}

async fn remember(world: &World, hash: FingerprintHash) {
    let mut state = ReputationState::default();
    observe_charged(&ReputationPolicy::default(), &mut state, ChargedFacts::default(), world.now);
    world.reputation.keep(hash, state).await.unwrap();
}

async fn actions(world: &World, subject: AuditSubject) -> Vec<AuditAction> {
    let page =
        world.stores.audit.list(Some(subject), PageRequest::first(analytics_ports::BatchLimit::default()));
    page.await.unwrap().items.iter().map(|entry| entry.record().action).collect()
}
