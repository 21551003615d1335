//! Stores of labels, features and the audit that are wrong on purpose.

use std::sync::Arc;

use analytics_domain::audit::{AuditEntry, AuditSubject};
use analytics_domain::features::{
    BehavioralFigures, CatalogueVersion, FeatureVector, FeaturesRecord, MlBehavioralFeatures,
};
use analytics_domain::ids::SessionId;
use analytics_domain::label::{Label, LabelRecord, LabelSource};
use analytics_inmemory::{InMemoryAudit, InMemoryLabels, InMemoryMlFeatures};
use analytics_ports::{
    AuditRepository, BatchLimit, EventCursor, LabelCursor, LabelRepository, LabelledFeatures,
    MlFeaturesRepository, Page, PageRequest, Recorded, StoreError,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Fault, MICRO};

pub(super) struct FaultyLabels {
    pub(super) kept: Arc<InMemoryLabels>,
    pub(super) fault: Option<Fault>,
}

pub(super) struct FaultyFeatures {
    pub(super) kept: Arc<InMemoryMlFeatures>,
    pub(super) fault: Option<Fault>,
}

pub(super) struct FaultyAudit {
    pub(super) kept: InMemoryAudit,
    pub(super) fault: Option<Fault>,
}

#[async_trait]
impl LabelRepository for FaultyLabels {
    async fn put(&self, label: &Label) -> Result<Recorded, StoreError> {
        if self.fault == Some(Fault::ForgetsWhoLabelled) {
            let record = LabelRecord { author: None, ..label.record().clone() };
            return self.kept.put(&record.try_into().unwrap()).await;
        }
        if self.fault == Some(Fault::KeepsTheLabelThatCameLast) {
            self.kept.remove(label.session(), label.source()).await?;
        }
        self.kept.put(label).await
    }

    async fn by_session(&self, session: SessionId) -> Result<Vec<Label>, StoreError> {
        self.kept.by_session(session).await
    }

    async fn list(&self, page: PageRequest<LabelCursor>) -> Result<Page<Label, LabelCursor>, StoreError> {
        let mut listed = self.kept.list(page).await?;
        if self.fault == Some(Fault::ListsLabelsByTheNamesOfTheirSources) {
            listed.items.sort_by_key(|label| (label.session(), label.source().as_str()));
        }
        Ok(listed)
    }

    async fn remove(&self, session: SessionId, source: LabelSource) -> Result<Option<Label>, StoreError> {
        let removed = self.kept.remove(session, source).await?;
        if self.fault == Some(Fault::RemovesEveryLabelOfASession) {
            for source in LabelSource::ALL {
                self.kept.remove(session, source).await?;
            }
        }
        Ok(removed)
    }

    async fn delete_given_before(&self, before: DateTime<Utc>, limit: BatchLimit) -> Result<u32, StoreError> {
        let inclusive = self.fault == Some(Fault::DeletesLabelsAtExactlyBefore);
        self.kept.delete_given_before(if inclusive { before + MICRO } else { before }, limit).await
    }
}

#[async_trait]
impl MlFeaturesRepository for FaultyFeatures {
    async fn save(
        &self,
        features: &MlBehavioralFeatures,
        recorded_at: DateTime<Utc>,
    ) -> Result<Recorded, StoreError> {
        let mut record: FeaturesRecord = features.record().clone();
        if self.fault == Some(Fault::ReadsMissingFeaturesAsZero) {
            let filled = record.feature_vector.as_slice().iter().map(|one| Some(one.unwrap_or(0.0)));
            record.feature_vector = FeatureVector::new(filled.collect()).unwrap();
        }
        if self.fault == Some(Fault::ReadsUnknownFiguresAsNo) {
            let accepts_cookies = record.figures.accepts_cookies.or(Some(false));
            record.figures = BehavioralFigures { accepts_cookies, ..record.figures };
        }
        if self.fault == Some(Fault::KeepsTheFirstFeatures)
            && self.kept.by_session(features.session(), features.catalogue()).await?.is_some()
        {
            return Ok(Recorded::Known);
        }
        self.kept.save(&record.try_into().unwrap(), recorded_at).await
    }

    async fn by_session(
        &self,
        session: SessionId,
        catalogue: CatalogueVersion,
    ) -> Result<Option<MlBehavioralFeatures>, StoreError> {
        self.kept.by_session(session, catalogue).await
    }

    async fn list_labelled(
        &self,
        catalogue: CatalogueVersion,
        page: PageRequest<SessionId>,
    ) -> Result<Page<LabelledFeatures, SessionId>, StoreError> {
        let mut listed = self.kept.list_labelled(catalogue, page).await?;
        if self.fault == Some(Fault::AnswersOneLabelOnly) {
            for row in &mut listed.items {
                row.labels.truncate(1);
            }
        }
        Ok(listed)
    }

    async fn delete_recorded_before(
        &self,
        before: DateTime<Utc>,
        limit: BatchLimit,
    ) -> Result<u32, StoreError> {
        let inclusive = self.fault == Some(Fault::DeletesFeaturesAtExactlyBefore);
        self.kept.delete_recorded_before(if inclusive { before + MICRO } else { before }, limit).await
    }
}

#[async_trait]
impl AuditRepository for FaultyAudit {
    async fn record(&self, entry: &AuditEntry) -> Result<Recorded, StoreError> {
        let answer = self.kept.record(entry).await?;
        Ok(if self.fault == Some(Fault::SaysEveryAuditEntryIsNew) { Recorded::New } else { answer })
    }

    async fn list(
        &self,
        subject: Option<AuditSubject>,
        page: PageRequest<EventCursor>,
    ) -> Result<Page<AuditEntry, EventCursor>, StoreError> {
        if self.fault == Some(Fault::ListsTheAuditOfEverybody) {
            return self.kept.list(None, page).await;
        }
        let mut listed = self.kept.list(subject, page).await?;
        if self.fault == Some(Fault::ListsTheAuditOldestFirst) {
            listed.items.reverse();
        }
        Ok(listed)
    }

    async fn delete_before(&self, before: DateTime<Utc>, limit: BatchLimit) -> Result<u32, StoreError> {
        let inclusive = self.fault == Some(Fault::DeletesTheAuditAtExactlyBefore);
        self.kept.delete_before(if inclusive { before + MICRO } else { before }, limit).await
    }
}
