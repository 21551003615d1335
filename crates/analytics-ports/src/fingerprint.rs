//! Where reputations of fingerprints are kept.

use analytics_domain::ids::FingerprintHash;
use analytics_domain::reputation::{FingerprintReputation, ReputationPolicy, ReputationState};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::StoreError;
use crate::page::{BatchLimit, Page, PageRequest};
use crate::version::{Version, Versioned};

/// Keeps what is remembered of each fingerprint.
///
/// Every method may fail with [`StoreError::Unavailable`], and every method that answers a record with
/// [`StoreError::Corrupt`] when what is kept is not one. Only further errors are named below.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait FingerprintRepository: Send + Sync {
    /// What is remembered of this fingerprint.
    async fn get(
        &self,
        fingerprint: FingerprintHash,
    ) -> Result<Option<Versioned<FingerprintRecord>>, StoreError>;

    /// Keeps the record under its report's hash when the version that is kept is the expected one, `None` meaning
    /// that nothing is kept yet; answers the new version, the first or the next one.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another version, something or nothing is kept where it was not expected. A
    /// repeat of a swap that succeeded gets this too.
    async fn swap(
        &self,
        expected: Option<Version>,
        record: &FingerprintRecord,
    ) -> Result<Version, StoreError>;

    /// The records that were of high risk when they were kept, in the order of their hashes, which no later change
    /// moves.
    ///
    /// Flags and scores mend with time, so a record may be of high risk no more: ask its state at the present time. None
    /// becomes so by time alone, so none is missed.
    async fn list_high_risk(
        &self,
        page: PageRequest<FingerprintHash>,
    ) -> Result<Page<FingerprintRecord, FingerprintHash>, StoreError>;

    /// Deletes at most `limit` records that were last seen strictly before this, the longest ago first, then by hash;
    /// answers how many. Fewer than `limit` means that no more are left.
    async fn delete_seen_before(&self, before: DateTime<Utc>, limit: BatchLimit) -> Result<u32, StoreError>;
}

/// What is kept of one fingerprint: the state that goes on, and the report that it gave when it was kept.
#[derive(Debug, Clone, PartialEq)]
pub struct FingerprintRecord {
    state: ReputationState,
    report: FingerprintReputation,
    high_risk: bool,
}

impl FingerprintRecord {
    /// The record of this state at `now`; `None` for a fingerprint that was never seen.
    pub fn of(
        policy: &ReputationPolicy,
        fingerprint: FingerprintHash,
        state: ReputationState,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let report = state.report(policy, fingerprint, now)?;
        let high_risk = report.is_high_risk(policy);
        Some(Self { state, report, high_risk })
    }

    /// The record of these parts, as a store kept them.
    pub const fn restore(state: ReputationState, report: FingerprintReputation, high_risk: bool) -> Self {
        Self { state, report, high_risk }
    }

    /// Whose record it is.
    pub const fn fingerprint(&self) -> FingerprintHash {
        self.report.hash
    }

    /// The state, to go on from.
    pub const fn state(&self) -> &ReputationState {
        &self.state
    }

    /// The reputation when the record was kept.
    pub const fn report(&self) -> &FingerprintReputation {
        &self.report
    }

    /// Whether it was of high risk when the record was kept.
    pub const fn is_high_risk(&self) -> bool {
        self.high_risk
    }
}
