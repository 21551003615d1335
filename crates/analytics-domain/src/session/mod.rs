//! Sessions: when one begins, what it counts, and why it ends.
//!
//! A session is one visitor's requests without a gap of half an hour. [`SessionPolicy::boundary`] says whether a request
//! belongs to the session before it; [`AnalyticsSession`] is the session, with transitions that return the next
//! value or the reason for refusing.
//!
//! What this module does not do: find the session of a request (the store does), make ids, or decide what a
//! session is taken for (the detector does; a session only keeps the verdict).

mod analytics_session;
mod cookie;
mod counters;
mod parts;
mod policy;
mod retention;
mod text;
mod verdict;

pub(crate) use analytics_session::is_whole_micros;
pub use analytics_session::{
    AnalyticsSession, InvalidSession, LandingPage, NewSession, SessionRecord, SessionRefusal, SessionUpdate,
};
pub use cookie::{CookieHolder, InvalidSessionCookie, SessionCookieKey, SessionMark};
pub use counters::{NanoDollars, SessionCounters};
pub use parts::{Campaign, CountryCode, InvalidCountryCode, SessionClient, SessionOrigin, SessionPlace};
pub use policy::{EndReason, InvalidSessionPolicy, SessionPolicy, UnknownEndReason};
pub use retention::{InvalidRetentionPolicy, Retained, RetentionPolicy};
pub use text::{Text, TextTooLong};
pub use verdict::{
    DeclaredAs, Points, PointsOutOfRange, SessionVerdict, SignalList, SignalSummary, UnknownPoints,
};
