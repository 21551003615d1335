//! What stands on each page.

pub(super) mod anomalies;
pub(super) mod automation;
pub(super) mod bans;
pub(super) mod breakdowns;
pub(super) mod content;
pub(super) mod errors;
pub(super) mod fingerprints;
pub(super) mod overview;
pub(super) mod session;
pub(super) mod sessions;
pub(super) mod usage;
