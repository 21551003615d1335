//! What is kept of one request, for recounts, features and reports.
//!
//! A row has no address: the network of a client stands in its session, where networks are kept at all. It has no
//! user agent either, since all requests of a session have the same. Hashes of page, directory and referrer are those
//! that the rules saw, so that [`RequestRow::observation`] hands [`SessionProfile::observe`] the same again.
//!
//! What this module does not do: keep rows, or decide for how long. Totals of a session outlive its rows.
//!
//! [`SessionProfile::observe`]: crate::detector::SessionProfile::observe

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};

use crate::detector::{HeaderMarks, Observation, ReferrerFacts};
use crate::ids::{EventId, FingerprintHash, SessionId, VisitorId};
use crate::request::{HttpVersion, Method, Probe, RequestKind};
use crate::session::{SessionCounters, Text, is_whole_micros};
use crate::throttle::{Decision, RefusalReason, ThrottleDecision};

/// What is kept of one request.
///
/// It always holds that the id is a `UUIDv7` of the millisecond of the request's time, that the time is in whole
/// microseconds, and that every number fits into 63 bits, which is what stores keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct RequestRow {
    record: RequestRecord,
}

/// Everything that is kept of a request, as plain data: what a store writes and reads.
///
/// [`RequestRow::try_from`] says whether it is a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// Which request it is; its time is the request's time.
    pub id: EventId,
    /// The session that it belongs to.
    pub session: SessionId,
    /// Whom it counts as.
    pub visitor: VisitorId,
    /// Whom it is held against.
    pub fingerprint: FingerprintHash,
    /// When it came.
    pub at: DateTime<Utc>,
    /// How many requests of its session had arrived before it; the order in which profiles are folded. It differs from
    /// the order of times where requests came late.
    pub arrival: u32,
    /// The method.
    pub method: Method,
    /// The protocol version, where the source tells it.
    pub version: Option<HttpVersion>,
    /// The path without query, cut to 1024 bytes.
    pub path: Text<1024>,
    /// What it asks for.
    pub kind: RequestKind,
    /// The status of the answer, where known.
    pub status: Option<u16>,
    /// The bytes of the answer's content, where known; at most 2⁶³ − 1.
    pub bytes: Option<u64>,
    /// How long the answer took in microseconds, where known; at most 2⁶³ − 1.
    pub duration_us: Option<u64>,
    /// The host of the referrer in lower case; `None` where there is no referrer or it is not recorded.
    pub referrer_host: Option<Text<255>>,
    /// Whether it counted against limits, escalation, reputation and rates.
    pub charged: bool,
    /// What the throttle did with it.
    pub decision: RequestDecision,
    /// What the detector saw in it.
    pub facts: RequestFacts,
}

/// What the detector saw in a request beside the fields that have a meaning by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestFacts {
    /// Hash of the path.
    pub page: u64,
    /// Hash of the directory that holds it.
    pub directory: u64,
    /// The last number in the path; at most 2⁶³ − 1.
    pub number: Option<u64>,
    /// The attack that the target is known for, if any.
    pub probe: Option<Probe>,
    /// Whether the path is a trap: a URL that the site shows to nobody.
    pub trap: bool,
    /// Where the request says it comes from.
    pub referrer: ReferrerFacts,
    /// Hash of the campaign that it brings, if it brings one.
    pub campaign: Option<u64>,
    /// What the other headers tell, where the source sees them.
    pub headers: Option<HeaderMarks>,
}

/// What the throttle did with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestDecision {
    /// It passed.
    Admitted,
    /// It passed because of shadow mode; enforced, it would have been refused for this reason.
    WouldRefuse(RefusalReason),
    /// It was answered with 429, for this reason.
    Refused(RefusalReason),
}

/// Why a record is not a [`RequestRow`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequestRow {
    /// The time has parts below a microsecond, which stores cannot keep.
    #[error("the time of a request is in whole microseconds")]
    NotWholeMicroseconds,
    /// The id is not a `UUIDv7`, or its time is another millisecond than the request's.
    #[error("the id of a request is a UUIDv7 of the same millisecond as the request")]
    IdOfAnotherTime,
    /// The number in this field is over 2⁶³ − 1.
    #[error("the number in {0} is over 2^63 - 1")]
    TooLarge(&'static str),
}

impl RequestRow {
    /// Everything that is kept of it.
    pub const fn record(&self) -> &RequestRecord {
        &self.record
    }

    /// Everything that is kept of it, to change it and try again.
    pub fn into_record(self) -> RequestRecord {
        self.record
    }

    /// Which request it is.
    pub const fn id(&self) -> EventId {
        self.record.id
    }

    /// The session that it belongs to.
    pub const fn session(&self) -> SessionId {
        self.record.session
    }

    /// When it came.
    pub const fn at(&self) -> DateTime<Utc> {
        self.record.at
    }

    /// What it adds to the totals of its session, so that these equal a recount of the rows.
    ///
    /// A request that was refused counts as a request and as refused, whatever it asked for: nothing was served. One
    /// that shadow mode let pass counts like any other.
    pub const fn counted(&self) -> SessionCounters {
        match self.record.decision {
            RequestDecision::Admitted | RequestDecision::WouldRefuse(_) => {
                SessionCounters::of_request(self.record.kind, self.record.status)
            }
            RequestDecision::Refused(_) => {
                SessionCounters { requests: 1, refused: 1, ..SessionCounters::NONE }
            }
        }
    }

    /// The request as the rules saw it.
    pub fn observation(&self) -> Observation<'_> {
        let record = &self.record;
        let RequestFacts { page, directory, number, probe, trap, referrer, campaign, headers } = record.facts;
        Observation {
            method: record.method,
            kind: record.kind,
            version: record.version,
            status: record.status,
            path: record.path.as_str(),
            page,
            directory,
            number,
            probe,
            trap,
            referrer,
            campaign,
            headers,
        }
    }
}

impl RequestFacts {
    /// What is to be kept of what the rules saw.
    pub const fn of(seen: &Observation<'_>) -> Self {
        Self {
            page: seen.page,
            directory: seen.directory,
            number: seen.number,
            probe: seen.probe,
            trap: seen.trap,
            referrer: seen.referrer,
            campaign: seen.campaign,
            headers: seen.headers,
        }
    }
}

impl RequestDecision {
    /// What is to be kept of a decision of the throttle.
    pub const fn of(decision: &ThrottleDecision) -> Self {
        match (decision.decision, decision.would_refuse) {
            (Decision::Refuse(refusal), _) => Self::Refused(refusal.reason),
            (Decision::Admit { .. }, Some(refusal)) => Self::WouldRefuse(refusal.reason),
            (Decision::Admit { .. }, None) => Self::Admitted,
        }
    }

    /// Why it was refused, or would have been; `None` when it passed.
    pub const fn reason(self) -> Option<RefusalReason> {
        match self {
            Self::Admitted => None,
            Self::WouldRefuse(reason) | Self::Refused(reason) => Some(reason),
        }
    }
}

impl TryFrom<RequestRecord> for RequestRow {
    type Error = InvalidRequestRow;

    fn try_from(record: RequestRecord) -> Result<Self, InvalidRequestRow> {
        let numbers =
            [("bytes", record.bytes), ("duration_us", record.duration_us), ("number", record.facts.number)];
        if !is_whole_micros(record.at) {
            return Err(InvalidRequestRow::NotWholeMicroseconds);
        }
        if record.id.unix_millis() != Some(record.at.timestamp_millis()) {
            return Err(InvalidRequestRow::IdOfAnotherTime);
        }
        match numbers.into_iter().find(|(_, number)| number.is_some_and(|number| number > MOST)) {
            Some((field, _)) => Err(InvalidRequestRow::TooLarge(field)),
            None => Ok(Self { record }),
        }
    }
}

impl<'de> Deserialize<'de> for RequestRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        RequestRecord::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
    }
}

const MOST: u64 = i64::MAX as u64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::{ServedPages, SessionProfile};
    use crate::strategies;
    use alloc::vec::Vec;
    use chrono::TimeDelta;
    use proptest::prelude::*;

    #[test]
    fn a_refused_request_counts_as_refused_and_a_would_be_refused_one_as_what_it_is() {
        let counted = |decision| {
            let record = RequestRecord { decision, status: Some(404), ..record() };
            RequestRow::try_from(record).unwrap().counted()
        };
        let page = SessionCounters::of_request(RequestKind::Page, Some(404));
        assert_eq!(counted(RequestDecision::Admitted), page);
        assert_eq!(counted(RequestDecision::WouldRefuse(RefusalReason::Quota)), page);
        let refused = SessionCounters { requests: 1, refused: 1, ..SessionCounters::NONE };
        assert_eq!(counted(RequestDecision::Refused(RefusalReason::Banned)), refused);
    }

    #[test]
    fn an_id_of_another_millisecond_and_a_time_below_a_microsecond_are_refused() {
        let moved = |by| RequestRow::try_from(RequestRecord { at: record().at + by, ..record() });
        assert!(moved(TimeDelta::microseconds(999)).is_ok());
        assert_eq!(moved(TimeDelta::milliseconds(1)), Err(InvalidRequestRow::IdOfAnotherTime));
        assert_eq!(moved(TimeDelta::nanoseconds(1)), Err(InvalidRequestRow::NotWholeMicroseconds));
    }

    #[test]
    fn numbers_end_where_the_stores_do() {
        let most = Some(MOST);
        let facts = RequestFacts { number: most, ..record().facts };
        let full = RequestRecord { bytes: most, duration_us: most, facts, ..record() };
        assert!(RequestRow::try_from(full.clone()).is_ok());
        let over = Some(MOST + 1);
        let cases = [
            (RequestRecord { bytes: over, ..full.clone() }, "bytes"),
            (RequestRecord { duration_us: over, ..full.clone() }, "duration_us"),
            (RequestRecord { facts: RequestFacts { number: over, ..facts }, ..full }, "number"),
        ];
        for (record, field) in cases {
            assert_eq!(RequestRow::try_from(record), Err(InvalidRequestRow::TooLarge(field)));
        }
    }

    proptest! {
        #[test]
        fn a_row_survives_json(row in strategies::request_row()) {
            let json = serde_json::to_string(&row).unwrap();
            prop_assert_eq!(serde_json::from_str::<RequestRow>(&json).unwrap(), row);
        }

        /// Rows, sorted as a store lists them and then by their arrival, give the profile that the requests gave.
        #[test]
        fn rows_in_the_order_of_arrival_give_the_same_profile(
            lines in strategies::disordered_sequence(0..40),
        ) {
            let mut rows = Vec::new();
            let (mut seen, mut served) = (SessionProfile::default(), ServedPages::default());
            for (arrival, (at_us, request)) in lines.0.iter().enumerate() {
                let observation = request.observation();
                seen.observe(&mut served, &observation, *at_us);
                rows.extend(row_of(&observation, *at_us, arrival as u32));
            }
            prop_assume!(rows.len() == lines.0.len());
            rows.sort_by_key(|row| (row.at(), row.id()));
            rows.sort_by_key(|row| row.record().arrival);
            let (mut again, mut served) = (SessionProfile::default(), ServedPages::default());
            for row in &rows {
                again.observe(&mut served, &row.observation(), row.at().timestamp_micros());
            }
            prop_assert_eq!(again, seen);
        }
    }

    /// The row of a request; `None` before 1970, where there are no ids.
    fn row_of(seen: &Observation<'_>, at_us: i64, arrival: u32) -> Option<RequestRow> {
        let at = DateTime::from_timestamp_micros(at_us)?;
        let record = RequestRecord {
            id: EventId::at(at, u128::from(arrival))?,
            at,
            arrival,
            method: seen.method,
            version: seen.version,
            path: Text::cut(seen.path),
            kind: seen.kind,
            status: seen.status,
            charged: seen.charged(),
            facts: RequestFacts::of(seen),
            ..record()
        };
        Some(record.try_into().unwrap())
    }

    fn record() -> RequestRecord {
        let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let page = strategies::ArbitraryRequest::page("/a/7");
        RequestRecord {
            id: EventId::at(at, 1).unwrap(),
            session: SessionId::from_u128(1),
            visitor: VisitorId::from_u128(2),
            fingerprint: FingerprintHash::from_u128(3),
            at,
            arrival: 0,
            method: Method::Get,
            version: None,
            path: Text::cut(&page.path),
            kind: RequestKind::Page,
            status: Some(200),
            bytes: None,
            duration_us: None,
            referrer_host: None,
            charged: true,
            decision: RequestDecision::Admitted,
            facts: RequestFacts::of(&page.observation()),
        }
    }
}
