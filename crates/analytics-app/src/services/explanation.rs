//! Why a session was taken for what it is: the arithmetic of its score, and what is kept of what happened in it.

use std::collections::BTreeSet;
use std::sync::Arc;

use analytics_domain::audit::{AuditEntry, AuditSubject};
use analytics_domain::detector::{BehavioralBotDetector, Category, DetectorPolicy};
use analytics_domain::ids::SessionId;
use analytics_domain::label::Label;
use analytics_domain::request_row::RequestRow;
use analytics_domain::session::{AnalyticsSession, SignalSummary};
use analytics_domain::throttle::ThrottleLevel;
use analytics_ports::{
    AuditRepository, BatchLimit, LabelRepository, PageRequest, RequestRepository, SessionRepository,
    StoreError,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::replay::{MOST_LISTED, WatchedRequest, WatchedSession};

/// Explains sessions of a store.
#[derive(Clone)]
pub struct ExplanationService {
    sessions: Arc<dyn SessionRepository>,
    requests: Arc<dyn RequestRepository>,
    labels: Arc<dyn LabelRepository>,
    audit: Arc<dyn AuditRepository>,
    detector: BehavioralBotDetector,
}

/// A session and the arithmetic of its score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The session with its requests.
    #[serde(flatten)]
    pub session: WatchedSession,
    /// The points of each category that spoke.
    pub categories: Vec<CategorySum>,
    /// How they become the score.
    pub rule: Vec<String>,
    /// What a store keeps beside; `None` where a log was replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<KeptBeside>,
}

/// The points of one category.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CategorySum {
    /// Which one.
    pub category: String,
    /// What its signals add up to.
    pub points: f64,
    /// Most that counts; `None` where there is no cap.
    pub cap: Option<f64>,
    /// What counts.
    pub counted: f64,
}

/// What a store keeps beside a session and its requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptBeside {
    /// The level of its newest request. Stores keep it and the strictest level, and no other change.
    pub last_level: ThrottleLevel,
    /// Requests of the session whose rows are past their retention.
    pub requests_gone: u64,
    /// What it is said to be, the strongest source first.
    pub labels: Vec<Label>,
    /// What was done about it, the newest first; the first 500 entries.
    pub audit: Vec<AuditEntry>,
}

impl Explanation {
    /// The explanation of a session that was watched while this detector judged it.
    pub fn of(detector: &BehavioralBotDetector, session: WatchedSession) -> Self {
        let signals = session.session["signals"].as_array().map(Vec::as_slice).unwrap_or_default();
        Self { categories: category_sums(detector, signals), rule: rule(detector), kept: None, session }
    }
}

impl ExplanationService {
    /// The service over these stores. Caps of categories are those of this detector.
    pub fn new(
        sessions: Arc<dyn SessionRepository>,
        requests: Arc<dyn RequestRepository>,
        labels: Arc<dyn LabelRepository>,
        audit: Arc<dyn AuditRepository>,
        detector: BehavioralBotDetector,
    ) -> Self {
        Self { sessions, requests, labels, audit, detector }
    }

    /// The explanation of a session; `None` when it is not kept. The first 10,000 requests are listed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn explain(&self, id: SessionId) -> Result<Option<Explanation>, StoreError> {
        let Some(kept) = self.sessions.get(id).await? else { return Ok(None) };
        let session = kept.value;
        let limit = BatchLimit::new(MOST_LISTED as u32).unwrap_or_default();
        let mut rows = self.requests.list_by_session(id, PageRequest::first(limit)).await?;
        // Servers write whole seconds; how requests of one second followed each other stands in their rows.
        rows.items.sort_by_key(|row| row.record().arrival);
        let audit =
            self.audit.list(Some(AuditSubject::Session(id)), PageRequest::first(BatchLimit::default()));
        let all = session.record().counters.requests;
        let listed = rows.items.len() as u64;
        let unlisted = if rows.next.is_some() { all.saturating_sub(listed) } else { 0 };
        let beside = KeptBeside {
            last_level: session.record().throttle_level,
            requests_gone: all.saturating_sub(listed + unlisted),
            labels: self.labels.by_session(id).await?,
            audit: audit.await?.items,
        };
        let watched = WatchedSession {
            session: told(&session, &rows.items),
            levels: Vec::new(),
            requests: rows.items.iter().map(request).collect(),
            unlisted_requests: unlisted,
        };
        Ok(Some(Explanation { kept: Some(beside), ..Explanation::of(&self.detector, watched) }))
    }
}

/// A kept session as `--sessions-out` writes one. What stores do not keep is null, and so is what can be counted only over
/// rows of requests that are not all there any more.
fn told(session: &AnalyticsSession, rows: &[RequestRow]) -> Value {
    let record = session.record();
    let counters = &record.counters;
    let verdict = record.verdict.as_ref();
    let pages = rows.iter().map(RequestRow::record).filter(|row| row.kind.is_page_view());
    let pages: BTreeSet<u64> = pages.map(|row| row.facts.page).collect();
    let refused = rows.iter().filter(|row| row.record().decision.reason().is_some()).count();
    let all_there = rows.len() as u64 == counters.requests;
    json!({
        "session_id": record.id,
        "visitor_id": record.visitor,
        "fingerprint": record.fingerprint,
        "client_ip": null,
        "user_agent": record.client.user_agent,
        "started_at": record.started_at,
        "ended_at": session.ended_at(),
        "end_reason": record.end_reason,
        "requests": counters.requests,
        "page_views": counters.page_views,
        "assets": counters.assets,
        "errors": counters.client_errors.saturating_add(counters.server_errors),
        "distinct_pages": all_there.then_some(pages.len()),
        "score": verdict.map(|verdict| verdict.score.as_f64()),
        "class": verdict.map(|verdict| verdict.class),
        "is_bot": verdict.map(|verdict| verdict.class.is_bot()),
        "hostile": verdict.map(|verdict| verdict.hostile),
        "declared": verdict.and_then(|verdict| verdict.declared.as_ref()),
        "signals": verdict.map_or(&[][..], |verdict| verdict.signals.as_slice()).iter().map(signal).collect::<Vec<_>>(),
        "throttle": { "max_level": record.max_throttle_level, "refused": all_there.then_some(refused) },
        "ruleset_version": verdict.map(|verdict| &verdict.ruleset_version),
    })
}

/// A signal with its evidence as numbers, where it is kept in that form.
fn signal(kept: &SignalSummary) -> Value {
    let numbers = kept.evidence.as_str().split_once(" against ").and_then(|(figure, limit)| {
        Some(json!({ "figure": figure.parse::<f64>().ok()?, "limit": limit.parse::<f64>().ok()? }))
    });
    json!({
        "signal": kept.signal,
        "category": kept.category,
        "points": kept.points.as_f64(),
        "decisive": kept.decisive,
        "evidence": numbers.unwrap_or_else(|| json!(kept.evidence)),
    })
}

fn request(row: &RequestRow) -> WatchedRequest {
    let record = row.record();
    WatchedRequest {
        at: record.at,
        method: record.method,
        path: record.path.to_string(),
        status: record.status,
        kind: record.kind,
        level: None,
        refused: record.decision.reason(),
        retry_at: None,
    }
}

fn category_sums(detector: &BehavioralBotDetector, signals: &[Value]) -> Vec<CategorySum> {
    let mut sums = Vec::<CategorySum>::new();
    for signal in signals {
        let name = signal["category"].as_str().unwrap_or_default();
        let points = signal["points"].as_f64().unwrap_or(0.0);
        let Some(category) = Category::ALL.into_iter().find(|category| category.as_str() == name) else {
            continue;
        };
        if let Some(sum) = sums.iter_mut().find(|sum| sum.category == category.as_str()) {
            sum.points += points;
        } else {
            let cap = match detector.policy() {
                DetectorPolicy::Categories(policy) => Some(policy.cap(category).get()),
                DetectorPolicy::SevenSignal(_) => None,
            };
            sums.push(CategorySum { category: category.as_str().to_owned(), points, cap, counted: 0.0 });
        }
    }
    for sum in &mut sums {
        sum.counted = sum.cap.map_or(sum.points, |cap| sum.points.min(cap));
    }
    sums
}

fn rule(detector: &BehavioralBotDetector) -> Vec<String> {
    let lines: &[&str] = match detector.policy() {
        DetectorPolicy::Categories(_) => &[
            "score = 100 * (1 - e^(-counted points / scale)); a decisive fact makes it at least the decisive score.",
            "A bot needs two categories that speak, or a decisive fact.",
        ],
        DetectorPolicy::SevenSignal(_) => &["score = the sum of the points, at most 100."],
    };
    lines.iter().map(|&line| line.to_owned()).collect()
}

#[cfg(test)]
mod tests {

    use super::*;
    use analytics_domain::detector::CategoryPolicy;

    #[test]
    fn points_of_a_category_are_added_and_capped() {
        let cap = CategoryPolicy::default().volume.cap.get();
        let signals = json!([
            {"category": "volume", "points": cap},
            {"category": "volume", "points": 5.0},
            {"category": "timing", "points": 2.0},
        ]);
        let sums = category_sums(&BehavioralBotDetector::default(), signals.as_array().unwrap());
        let timing = CategoryPolicy::default().timing.cap.get();
        assert_eq!(
            sums,
            [
                CategorySum {
                    category: "volume".to_owned(),
                    points: cap + 5.0,
                    cap: Some(cap),
                    counted: cap
                },
                CategorySum { category: "timing".to_owned(), points: 2.0, cap: Some(timing), counted: 2.0 },
            ]
        );
    }
}
