//! What a visitor did on a page, as the tracker's beacons tell it.
//!
//! Everything that a client sends is a claim. [`EngagementEvent::create`] holds each figure against what is possible
//! ([`EngagementPolicy`]); what is outside is brought to the nearest possible value, and the event is marked with what
//! was wrong. So nothing impossible is ever kept, and nothing is bent in silence.
//!
//! An event tells what happened since the event before it on the same page view, so that sums count nothing twice.
//!
//! A page's token ([`PageTokenKey`]) ties an event to the session and page that it tells of. Without one an event is
//! kept as unbound: it counts in figures about pages, and proves nothing about a person.
//!
//! What this module does not do: find the session of an event that has no token, or decide what a session is taken for.

mod beacon;
mod clicks;
mod event;
mod input;
mod pattern;
mod policy;
mod summary;
mod token;

pub use beacon::{BeaconPolicy, BeaconSettings, InvalidBeaconPolicy};
pub use clicks::{Click, ClickOutcome, has_dead_click, has_rage_click};
pub use event::{
    EngagementEvent, EngagementFigures, EngagementRecord, Implausible, ImplausibleSet, InvalidEngagement,
};
pub use input::{CreateEngagementEventInput, EngagementContext};
pub use pattern::{ReadingPattern, UnknownReadingPattern};
pub use policy::{EngagementPolicy, EngagementSettings, InvalidEngagementPolicy};
pub use summary::{EngagementSummary, is_engaged};
pub use token::{InvalidPageToken, PageProof, PageToken, PageTokenKey};
