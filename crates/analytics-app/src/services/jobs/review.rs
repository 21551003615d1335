//! Reputations that time has mended are kept anew, so that lists and counts of risk follow.

use analytics_domain::ids::FingerprintHash;
use analytics_domain::reputation::ReputationPolicy;
use analytics_ports::{FingerprintRecord, PageRequest, StoreError};
use chrono::{DateTime, Utc};

use super::job::{Counted, JobInterruption};
use super::{JobRunner, Run};

impl JobRunner {
    /// Walks the fingerprints of high risk and keeps anew what has mended since it was kept.
    pub(super) async fn renew_reputations(&self, run: &mut Run) -> Result<(), JobInterruption> {
        let limit = self.limit();
        let mut page = PageRequest::first(limit);
        loop {
            run.still_leads().await?;
            let kept = self.stores.fingerprints.list_high_risk(page).await?;
            for record in &kept.items {
                if mended(&self.policies.reputation, record, run.now).is_some()
                    && self.renew(record.fingerprint(), run.now).await?
                {
                    run.done.count(Counted::ReputationsRenewed, 1);
                }
            }
            run.done.batches += 1;
            match kept.next {
                None => return Ok(()),
                Some(key) => page = PageRequest::after(limit, key),
            }
        }
    }

    /// Whether the record was kept anew. Where somebody else kept one in between, theirs is as new.
    async fn renew(&self, fingerprint: FingerprintHash, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let Some(kept) = self.stores.fingerprints.get(fingerprint).await? else { return Ok(false) };
        let Some(record) = mended(&self.policies.reputation, &kept.value, now) else { return Ok(false) };
        match self.stores.fingerprints.swap(Some(kept.version), &record).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(error @ (StoreError::Unavailable { .. } | StoreError::Corrupt { .. })) => Err(error),
        }
    }
}

/// The record as it is at `now`, when that is worth keeping: it is of high risk no more, a flag lapsed, a ban ended, an
/// incident was forgotten, or the score moved by a point. The state stays as it is.
fn mended(
    policy: &ReputationPolicy,
    kept: &FingerprintRecord,
    now: DateTime<Utc>,
) -> Option<FingerprintRecord> {
    let record = FingerprintRecord::of(policy, kept.fingerprint(), *kept.state(), now)?;
    let (was, is) = (kept.report(), record.report());
    let told = record.is_high_risk() != kept.is_high_risk()
        || is.flags != was.flags
        || is.banned_until != was.banned_until
        || is.recent_incidents != was.recent_incidents
        || (is.score - was.score).abs() >= WORTH_KEEPING;
    told.then_some(record)
}

/// Scores are shown as whole points, so less is not seen.
const WORTH_KEEPING: f64 = 1.0;
