//! What a session counts.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::request::RequestKind;

/// The totals of a session, each the exact count of what was added to it.
///
/// Adding saturates at 2⁶³ − 1, the most that the stores keep; at a billion requests a second that is 292 years away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub struct SessionCounters {
    /// All requests, whatever their kind.
    pub requests: u64,
    /// Requests for a document.
    pub page_views: u64,
    /// Requests for styles, scripts, images, fonts and the like.
    pub assets: u64,
    /// Requests answered with a status of 400 to 499.
    pub client_errors: u64,
    /// Requests answered with a status of 500 to 599.
    pub server_errors: u64,
    /// Requests that our own throttle refused. They are among `requests`.
    pub refused: u64,
    /// Engagement events that joined the session.
    pub engagement_events: u64,
    /// Requests to AI providers.
    pub ai_requests: u64,
    /// Requests to AI providers whose price is not known. Their cost is not in `cost`.
    pub unpriced_ai_requests: u64,
    /// Tasks of agents.
    pub tasks: u64,
    /// Messages of conversations.
    pub messages: u64,
    /// Tokens in and out of AI providers.
    pub tokens: u64,
    /// What the priced requests to AI providers cost.
    pub cost: NanoDollars,
}

/// An amount of money in billionths of a US dollar. Negative for a refund; ± 9.2 billion dollars at most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NanoDollars(i64);

impl SessionCounters {
    /// The count of one request: its kind, and its status where that is known.
    pub const fn of_request(kind: RequestKind, status: Option<u16>) -> Self {
        Self {
            requests: 1,
            page_views: kind.is_page_view() as u64,
            assets: kind.is_asset() as u64,
            client_errors: matches!(status, Some(400..=499)) as u64,
            server_errors: matches!(status, Some(500..=599)) as u64,
            ..Self::NONE
        }
    }

    /// The count of one request to an AI provider; `None` is a price that is not known, which is not zero.
    pub const fn of_ai_request(tokens: u64, cost: Option<NanoDollars>) -> Self {
        let (cost, unpriced) = match cost {
            Some(cost) => (cost, 0),
            None => (NanoDollars(0), 1),
        };
        Self { ai_requests: 1, unpriced_ai_requests: unpriced, tokens, cost, ..Self::NONE }
    }

    /// The sum of both, each total saturating at 2⁶³ − 1.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            requests: sum(self.requests, other.requests),
            page_views: sum(self.page_views, other.page_views),
            assets: sum(self.assets, other.assets),
            client_errors: sum(self.client_errors, other.client_errors),
            server_errors: sum(self.server_errors, other.server_errors),
            refused: sum(self.refused, other.refused),
            engagement_events: sum(self.engagement_events, other.engagement_events),
            ai_requests: sum(self.ai_requests, other.ai_requests),
            unpriced_ai_requests: sum(self.unpriced_ai_requests, other.unpriced_ai_requests),
            tasks: sum(self.tasks, other.tasks),
            messages: sum(self.messages, other.messages),
            tokens: sum(self.tokens, other.tokens),
            cost: NanoDollars(self.cost.0.saturating_add(other.cost.0)),
        }
    }

    /// Client and server errors together.
    pub const fn errors(&self) -> u64 {
        sum(self.client_errors, self.server_errors)
    }

    /// The name of the first total that is above 2⁶³ − 1, so that stores cannot keep it.
    pub(super) fn too_large(&self) -> Option<&'static str> {
        let totals = [
            ("requests", self.requests),
            ("page_views", self.page_views),
            ("assets", self.assets),
            ("client_errors", self.client_errors),
            ("server_errors", self.server_errors),
            ("refused", self.refused),
            ("engagement_events", self.engagement_events),
            ("ai_requests", self.ai_requests),
            ("unpriced_ai_requests", self.unpriced_ai_requests),
            ("tasks", self.tasks),
            ("messages", self.messages),
            ("tokens", self.tokens),
        ];
        totals.into_iter().find(|(_, total)| *total > MOST).map(|(name, _)| name)
    }

    /// Nothing counted.
    pub const NONE: Self = Self {
        requests: 0,
        page_views: 0,
        assets: 0,
        client_errors: 0,
        server_errors: 0,
        refused: 0,
        engagement_events: 0,
        ai_requests: 0,
        unpriced_ai_requests: 0,
        tasks: 0,
        messages: 0,
        tokens: 0,
        cost: NanoDollars(0),
    };
}

impl NanoDollars {
    /// The amount of this many billionths of a dollar.
    pub const fn new(billionths: i64) -> Self {
        Self(billionths)
    }

    /// The amount in billionths of a dollar.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Debug for NanoDollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} nano-dollars", self.0)
    }
}

const fn sum(a: u64, b: u64) -> u64 {
    let sum = a.saturating_add(b);
    if sum > MOST { MOST } else { sum }
}

const MOST: u64 = i64::MAX as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_by_its_kind_and_status() {
        let page = SessionCounters::of_request(RequestKind::Page, Some(404));
        assert_eq!(
            page,
            SessionCounters { requests: 1, page_views: 1, client_errors: 1, ..SessionCounters::NONE }
        );
        let asset = SessionCounters::of_request(RequestKind::Favicon, Some(500));
        assert_eq!(
            asset,
            SessionCounters { requests: 1, assets: 1, server_errors: 1, ..SessionCounters::NONE }
        );
        let other = SessionCounters::of_request(RequestKind::Api, None);
        assert_eq!(other, SessionCounters { requests: 1, ..SessionCounters::NONE });
        assert_eq!(page.plus(asset).errors(), 2);
    }

    #[test]
    fn only_400_to_599_are_errors() {
        let errors = |status| {
            let c = SessionCounters::of_request(RequestKind::Api, Some(status));
            (c.client_errors, c.server_errors)
        };
        let seen = [399, 400, 499, 500, 599, 600].map(errors);
        assert_eq!(seen, [(0, 0), (1, 0), (1, 0), (0, 1), (0, 1), (0, 0)]);
    }

    #[test]
    fn an_unknown_price_is_unpriced_and_not_zero() {
        let counted = SessionCounters::of_ai_request(10, None)
            .plus(SessionCounters::of_ai_request(5, Some(NanoDollars::new(7))));
        let expected = SessionCounters {
            ai_requests: 2,
            unpriced_ai_requests: 1,
            tokens: 15,
            cost: NanoDollars::new(7),
            ..SessionCounters::NONE
        };
        assert_eq!(counted, expected);
    }

    #[test]
    fn adding_saturates_where_the_stores_end() {
        let full =
            SessionCounters { requests: u64::MAX, cost: NanoDollars::new(i64::MAX), ..SessionCounters::NONE };
        let sum = full.plus(SessionCounters { cost: NanoDollars::new(1), ..SessionCounters::NONE });
        assert_eq!(sum.requests, i64::MAX as u64);
        assert_eq!(sum.cost, NanoDollars::new(i64::MAX));
    }
}
