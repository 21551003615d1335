//! One session, explained.

use serde_json::Value;

use super::{analytics, sample, with_sessions};

#[test]
fn a_session_is_explained_as_it_was_reported_with_all_its_requests() {
    let (_, sessions) = with_sessions(&[&sample()], &[]);
    let sessions: Vec<Value> = sessions.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for class in ["human", "suspected", "bot", "declared_bot", "ai_agent"] {
        let most = |session: &&Value| session["throttle"]["refused"].as_u64();
        let session = sessions.iter().filter(|session| session["class"] == class).max_by_key(most).unwrap();
        let id = session["session_id"].as_str().unwrap();
        let ran = analytics(&["explain", id, "--log", sample().to_str().unwrap(), "--format", "json"]);
        assert_eq!((ran.status, ran.errors.as_str()), (0, ""), "{id}");
        let told: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(&told["session"], session);
        let requests = told["requests"].as_array().unwrap();
        assert_eq!(requests.len() as u64, session["requests"].as_u64().unwrap());
        let refused = requests.iter().filter(|request| !request["refused"].is_null()).count() as u64;
        assert_eq!(refused, session["throttle"]["refused"].as_u64().unwrap());
        assert_eq!(requests[0]["at"], session["started_at"]);
        assert_eq!(requests.last().unwrap()["at"], session["ended_at"]);
        let points =
            |rows: &Value| rows.as_array().unwrap().iter().map(|row| row["points"].as_f64().unwrap()).sum();
        let by_category: f64 = points(&told["categories"]);
        let by_signal: f64 = points(&session["signals"]);
        assert!((by_category - by_signal).abs() < 1e-9, "{id}");
    }
}

#[test]
fn the_text_names_every_signal_and_fits_the_terminal() {
    let (_, sessions) = with_sessions(&[&sample()], &[]);
    let bot = sessions
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|session| session["class"] == "bot")
        .unwrap();
    let id = bot["session_id"].as_str().unwrap();
    let text = analytics(&["explain", id, "--log", sample().to_str().unwrap()]).out;
    for signal in bot["signals"].as_array().unwrap() {
        assert!(text.contains(signal["signal"].as_str().unwrap()), "{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
}

#[test]
fn a_session_that_is_not_there_is_said_to_be_so() {
    let sample = sample();
    let log = sample.to_str().unwrap();
    let id = "00000000000000000000000000000000";
    let unknown = analytics(&["explain", id, "--log", log]);
    assert_eq!((unknown.status, unknown.out.as_str()), (1, ""));
    assert!(unknown.errors.contains(&format!("no session {id} in these logs")), "{}", unknown.errors);
    assert_eq!(analytics(&["explain", "no-id", "--log", log]).status, 2);
    assert_eq!(analytics(&["explain", id]).status, 2);
    assert_eq!(analytics(&["explain", id, "--log", "-"]).status, 2);
}
