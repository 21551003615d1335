//! What is answered about a beacon, and how answers are counted.

use std::collections::BTreeMap;

use analytics_domain::detector::profile::TrackerMarks;
use analytics_domain::engagement::InvalidPageToken;
use analytics_domain::ids::{EventId, SessionId};
use analytics_ports::StoreError;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use serde::Serialize;

use super::wire::Unreadable;

/// What became of one beacon or event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum BeaconAnswer {
    /// It is kept under this id.
    Kept {
        /// The id.
        id: EventId,
    },
    /// It is kept under this id, and proves nothing about a person.
    Unbound {
        /// The id.
        id: EventId,
        /// Why it proves nothing.
        reason: Unbound,
    },
    /// It was kept before under this id; nothing changed.
    Known {
        /// The id.
        id: EventId,
    },
    /// It is not kept.
    Refused {
        /// Why.
        reason: RefusedBeacon,
        /// The same in words.
        detail: String,
    },
}

/// Why a beacon that is kept proves nothing about a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unbound {
    /// It has no token.
    NoToken,
    /// Its token is none.
    MalformedToken,
    /// Its token was not made here for its page.
    ForgedToken,
    /// Its token is too old.
    OldToken,
    /// Its token was made later than now.
    TokenFromTheFuture,
    /// A later beacon with the same token came before it, so both may tell of the same time.
    OutOfOrder,
}

/// Why a beacon or event is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum RefusedBeacon {
    /// It is no beacon.
    #[error("it is no beacon")]
    Malformed,
    /// Neither its token nor its sender says which session it belongs to.
    #[error("it belongs to no session: it has no valid token, and its sender has no open session")]
    NoSession,
    /// It names no page.
    #[error("page_url is empty")]
    NoPage,
    /// Its page is of a host that is not the site's own.
    #[error("page_url is of a host that is not configured")]
    ForeignPage,
    /// Its id is no `UUIDv7` of a time that it can have been sent at.
    #[error("id is not a UUIDv7 of a time within the last day by the server's clock")]
    IdOfAnotherTime,
    /// Its session ended too long ago.
    #[error("its session has been quiet for longer than engagement may join it")]
    TooLate,
}

/// Why a whole body was answered with nothing kept.
#[derive(Debug, thiserror::Error)]
pub enum EngagementError {
    /// The body is refused; sending it again will not help.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The store did not keep it; sending beacons that have an id again is safe.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was made of a body of beacons.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Taken {
    /// What became of each, in their order.
    pub answers: Vec<BeaconAnswer>,
    /// What those that were kept now say of their sessions, for whoever keeps live profiles and reputations.
    pub reports: Vec<EngagementReport>,
}

/// What one beacon says of the session that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngagementReport {
    /// The session.
    pub session: SessionId,
    /// When the beacon was sent.
    pub at: DateTime<Utc>,
    /// What the detector makes of it. `engaged` says that it is bound, plausible and has a person's action in it:
    /// that raises the reputation.
    pub marks: TrackerMarks,
    /// Width and height of the window's inside in pixels, where both were told and are a person's.
    pub viewport: Option<(u32, u32)>,
}

/// What was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BeaconKind {
    /// A request for a page's token.
    PageToken,
    /// Engagement with a page.
    Engagement,
    /// A named event.
    Event,
    /// A page view that the tracker or the pixel told.
    PageView,
}

/// One of the things that can become of what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BeaconOutcome {
    /// What was sent.
    pub kind: BeaconKind,
    /// What became of it: `kept`, `unbound`, `known`, `refused`, `unreadable`, `unavailable`, `declined` or `uncounted`.
    pub result: &'static str,
    /// Why; empty where there is no reason.
    pub reason: &'static str,
}

/// Counts of everything that was sent. There are few outcomes, so their number is bounded.
#[derive(Debug, Default)]
pub(super) struct BeaconCounts(Mutex<BTreeMap<BeaconOutcome, u64>>);

impl BeaconCounts {
    pub(super) fn add(&self, kind: BeaconKind, result: &'static str, reason: &'static str) {
        *self.0.lock().entry(BeaconOutcome { kind, result, reason }).or_default() += 1;
    }

    pub(super) fn add_answer(&self, kind: BeaconKind, answer: &BeaconAnswer) {
        match answer {
            BeaconAnswer::Kept { .. } => self.add(kind, "kept", ""),
            BeaconAnswer::Unbound { reason, .. } => self.add(kind, "unbound", reason.as_str()),
            BeaconAnswer::Known { .. } => self.add(kind, "known", ""),
            BeaconAnswer::Refused { reason, .. } => self.add(kind, "refused", reason.as_str()),
        }
    }

    pub(super) fn all(&self) -> BTreeMap<BeaconOutcome, u64> {
        self.0.lock().clone()
    }
}

impl BeaconKind {
    /// Its name in counters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PageToken => "page_token",
            Self::Engagement => "engagement",
            Self::Event => "event",
            Self::PageView => "page_view",
        }
    }
}

impl Unbound {
    /// Its name in counters and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::MalformedToken => "malformed_token",
            Self::ForgedToken => "forged_token",
            Self::OldToken => "old_token",
            Self::TokenFromTheFuture => "token_from_the_future",
            Self::OutOfOrder => "out_of_order",
        }
    }
}

impl RefusedBeacon {
    /// Its name in counters and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::NoSession => "no_session",
            Self::NoPage => "no_page",
            Self::ForeignPage => "foreign_page",
            Self::IdOfAnotherTime => "id_of_another_time",
            Self::TooLate => "too_late",
        }
    }
}

impl From<InvalidPageToken> for Unbound {
    fn from(invalid: InvalidPageToken) -> Self {
        match invalid {
            InvalidPageToken::Malformed => Self::MalformedToken,
            InvalidPageToken::Forged => Self::ForgedToken,
            InvalidPageToken::TooOld => Self::OldToken,
            InvalidPageToken::FromTheFuture => Self::TokenFromTheFuture,
        }
    }
}

impl From<RefusedBeacon> for BeaconAnswer {
    fn from(reason: RefusedBeacon) -> Self {
        Self::Refused { reason, detail: reason.to_string() }
    }
}
