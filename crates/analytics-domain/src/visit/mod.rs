//! The whole hot path, composed: one request in, one decision out.
//!
//! A [`Shard`] owns the visitors of a part of the address space and steps them in place. Live traffic, forward-auth and
//! replay all call [`Shard::step`], and nothing else decides. What a step leaves behind is values in an [`Output`];
//! facts about the site come in as the [`SiteFacts`](crate::site::SiteFacts) of the last closed minute. So the answers
//! depend on the requests and their times alone: not on threads, nor on the order of shards.

mod chunks;
mod lists;
mod networks;
mod output;
mod shard;
mod standing;
mod step;
mod table;
#[cfg(test)]
mod tests;
mod visitor;
mod waiting;

pub use output::{BannedPart, Output};
pub use shard::{SHARDS, Shard, ShardCounters, shard_of};
pub use standing::{ClientStanding, NetworkStanding, Standings};
pub use step::{Step, VisitPolicy};
pub use visitor::{Client, ClientKey, EndedSession, OpenSession, Visitor};
