//! Watching one session during a replay: its requests as they were decided, and the levels it went through.

use analytics_domain::ids::SessionId;
use analytics_domain::request::{Method, RequestKind};
use analytics_domain::throttle::{Decision, LevelChange, RefusalReason, ThrottleLevel};
use analytics_domain::visit::{ClientKey, Step};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::read::{Batch, ReadRequest};
use super::session_line::SessionLine;

/// A session to look for, and what was seen of it.
///
/// Ids are made when sessions end, so a replay is done twice: the first run with a new watch finds whose session it
/// is, the second with the same watch keeps its requests.
#[derive(Debug)]
pub struct Watch {
    id: SessionId,
    client: Option<ClientKey>,
    seen: Seen,
    found: Option<WatchedSession>,
}

/// A session with everything that happened in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatchedSession {
    /// The session as `--sessions-out` writes it.
    pub session: serde_json::Value,
    /// Its changes of level, in the order of time.
    pub levels: Vec<LevelChange>,
    /// Its requests, in the order in which they were decided.
    pub requests: Vec<WatchedRequest>,
    /// Requests beyond the first 10,000, which are not listed.
    pub unlisted_requests: u64,
}

/// One request of the session, as it was decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatchedRequest {
    /// When it came.
    pub at: DateTime<Utc>,
    /// Its method.
    pub method: Method,
    /// Its path.
    pub path: String,
    /// The status of its answer, if the log has it.
    pub status: Option<u16>,
    /// What it asked for.
    pub kind: RequestKind,
    /// The level after it; `None` where it is not kept.
    pub level: Option<ThrottleLevel>,
    /// Why it was refused, or would have been in enforce mode.
    pub refused: Option<RefusalReason>,
    /// When the next one would have been admitted, if it was refused.
    pub retry_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Default)]
struct Seen {
    levels: Vec<LevelChange>,
    requests: Vec<WatchedRequest>,
    unlisted: u64,
}

impl Watch {
    /// Looks for this session.
    pub fn new(id: SessionId) -> Self {
        Self { id, client: None, seen: Seen::default(), found: None }
    }

    /// Whether a replay came upon the session.
    pub const fn is_found(&self) -> bool {
        self.client.is_some()
    }

    /// The session with its requests, after the second replay; `None` when there is none of this id.
    pub fn into_session(self) -> Option<WatchedSession> {
        self.found
    }

    /// Takes note of a session that ended.
    pub(super) fn ended(&mut self, client: &ClientKey, line: &SessionLine<'_>) {
        if line.session_id != self.id {
            return;
        }
        if self.client.is_none() {
            self.client = Some(*client);
            return;
        }
        let seen = std::mem::take(&mut self.seen);
        self.found = Some(WatchedSession {
            session: serde_json::to_value(line).unwrap_or(serde_json::Value::Null),
            levels: seen.levels,
            requests: seen.requests,
            unlisted_requests: seen.unlisted,
        });
    }

    /// Takes note of a request that was decided. Sessions that ended before it have been noted.
    pub(super) fn decided(
        &mut self,
        client: &ClientKey,
        batch: &Batch,
        request: &ReadRequest,
        step: &Step,
        levels: impl Iterator<Item = (ClientKey, LevelChange)>,
    ) {
        if self.client.as_ref() != Some(client) || self.found.is_some() {
            return;
        }
        if step.opened {
            self.seen = Seen::default();
        }
        let decision = &step.decision;
        self.seen.levels.extend(levels.filter(|(of, _)| of == client).map(|(_, change)| change));
        if self.seen.requests.len() >= MOST_LISTED {
            self.seen.unlisted += 1;
            return;
        }
        let refusal = match decision.decision {
            Decision::Refuse(refusal) => Some(refusal),
            Decision::Admit { .. } => decision.would_refuse,
        };
        self.seen.requests.push(WatchedRequest {
            at: request.at,
            method: request.method,
            path: request.path(batch).to_owned(),
            status: request.status,
            kind: request.kind,
            level: Some(decision.level),
            refused: refusal.map(|refusal| refusal.reason),
            retry_at: refusal.map(|refusal| refusal.retry_at),
        });
    }
}

/// Requests of a session that are kept: a page of them is read, a million only searched.
pub(crate) const MOST_LISTED: usize = 10_000;
