//! Gathering the sessions of an export.

use std::collections::BTreeSet;
use std::net::IpAddr;

use analytics_domain::detector::Class;
use analytics_domain::features::{FeatureVector, MlBehavioralFeatures, Normalisation, Scaler, with_shape};
use analytics_domain::ids::{FingerprintHash, SessionId};
use analytics_domain::label::{Label, resolve};
use analytics_domain::request_row::RequestRow;
use analytics_domain::session::AnalyticsSession;
use analytics_ports::StoreError;
use chrono::{DateTime, Utc};
use hashbrown::HashMap;

use super::card::Card;
use super::{Export, ExportOptions, LabelFile, Row, RowLabel, split};
use crate::replay::RecordSink;
use crate::services::feature_extraction::{Extraction, Start, extraction_of, shapes};

/// Sessions of an export, as they are gathered.
#[derive(Debug)]
pub struct Dataset {
    options: ExportOptions,
    files: LabelFile,
    sessions: Vec<Gathered>,
    rulesets: BTreeSet<String>,
    most: usize,
    counts: Counts,
}

/// One session with its features, before others are known.
#[derive(Debug)]
pub struct Gathered {
    start: Start,
    fingerprint: FingerprintHash,
    started_at: DateTime<Utc>,
    features: MlBehavioralFeatures,
    label: Option<RowLabel>,
    verdict: Option<(Class, f64)>,
}

/// What was counted on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) after_as_of: u64,
    pub(super) early_engagement: u64,
    pub(super) without_requests: u64,
    pub(super) too_many: u64,
    pub(super) unlabelled: u64,
}

/// Takes what a replay makes into a dataset, and hands it on.
pub struct FeatureSink<'a> {
    dataset: Dataset,
    then: Option<&'a mut dyn RecordSink>,
}

impl Dataset {
    /// An empty dataset of at most this many sessions, with the labels of files.
    pub fn new(options: ExportOptions, files: LabelFile, most: usize) -> Self {
        Self {
            options,
            files,
            sessions: Vec::new(),
            rulesets: BTreeSet::new(),
            most,
            counts: Counts::default(),
        }
    }

    /// How the export is made.
    pub const fn options(&self) -> &ExportOptions {
        &self.options
    }

    /// The time up to which this session is looked at; `None` when it is left out, since it had not started.
    pub fn as_of(&mut self, session: &AnalyticsSession) -> Option<DateTime<Utc>> {
        let record = session.record();
        match self.options.as_of {
            Some(as_of) if record.started_at > as_of => {
                self.counts.after_as_of += 1;
                None
            }
            Some(as_of) => Some(as_of),
            None => Some(record.last_activity_at),
        }
    }

    /// Whether there is room for one more session; counts it where there is none.
    pub fn has_room(&mut self) -> bool {
        let room = self.sessions.len() < self.most;
        self.counts.too_many += u64::from(!room);
        room
    }

    /// Sessions for which there was no room.
    pub const fn too_many(&self) -> u64 {
        self.counts.too_many
    }

    /// Adds a session with what was extracted of it, and with the labels that the store keeps of it.
    pub fn add(
        &mut self,
        address: Option<IpAddr>,
        session: &AnalyticsSession,
        extraction: Extraction,
        kept: Vec<Label>,
    ) {
        self.counts.early_engagement += u64::from(extraction.early_engagement);
        self.counts.without_requests += u64::from(extraction.requests == 0);
        let (mut labels, kind) = self.files.of(address, session);
        labels.extend(kept);
        labels.retain(|label| self.options.labels.sources.contains(&label.source()));
        let label = resolve(&labels).map(|label| {
            let record = label.record();
            RowLabel { class: record.class, source: record.source, confidence: record.confidence, kind }
        });
        if label.is_none() && self.options.labelled_only {
            self.counts.unlabelled += 1;
            return;
        }
        let record = session.record();
        if let Some(verdict) = &record.verdict {
            self.rulesets.insert(verdict.ruleset_version.as_str().to_owned());
        }
        let verdict = record.verdict.as_ref().filter(|_| self.options.with_verdict);
        self.sessions.push(Gathered {
            start: Start::of(session),
            fingerprint: record.fingerprint,
            started_at: record.started_at,
            features: extraction.features,
            label,
            verdict: verdict.map(|verdict| (verdict.class, verdict.score.as_f64())),
        });
    }

    /// The export: rows in the order of their starts, labelled, split, and scaled where that was asked for.
    pub fn finish(self) -> Export {
        let Self { options, files, mut sessions, rulesets, counts, .. } = self;
        sessions.sort_by_key(|gathered| (gathered.started_at, gathered.features.session()));
        let shapes = shapes(sessions.iter().map(|gathered| gathered.start).collect());
        let known: BTreeSet<SessionId> =
            sessions.iter().map(|gathered| gathered.features.session()).collect();
        let unknown = files.sessions().filter(|session| !known.contains(session)).count() as u64;
        let mut groups = HashMap::new();
        let mut rows: Vec<Row> = sessions
            .into_iter()
            .map(|gathered| {
                let next = groups.len() as u32;
                let features = match shapes.get(&gathered.features.session()) {
                    Some(shape) => with_shape(&options.config, gathered.features, *shape),
                    None => gathered.features,
                };
                let vector = features.record().feature_vector.as_slice();
                Row {
                    session: features.session(),
                    group: *groups.entry(gathered.fingerprint).or_insert(next),
                    started_at: gathered.started_at,
                    as_of: features.as_of(),
                    features: vector.iter().map(|number| number.unwrap_or(f64::NAN)).collect(),
                    label: gathered.label,
                    part: None,
                    verdict: gathered.verdict,
                    probability: options.model.as_ref().map(|model| model.score(vector)),
                }
            })
            .collect();
        let parts = options.split.map(|at| split::split(&mut rows, at, options.embargo));
        let scaler = scale(&options, &mut rows);
        let card = Card::of(&options, &rows, rulesets, counts, (&files, unknown), parts, scaler.as_ref());
        Export { rows, card, scaler }
    }
}

/// Scales every row: by the given scaler, else by one fitted on the training part, or on everything where nothing is split.
fn scale(options: &ExportOptions, rows: &mut [Row]) -> Option<Scaler> {
    if options.scaler.is_none() && options.config.normalisation == Normalisation::Raw {
        return None;
    }
    let vector = |row: &Row| {
        let numbers = row.features.iter().map(|&number| (!number.is_nan()).then_some(number)).collect();
        FeatureVector::new(numbers).expect("features are finite and as many as the catalogue has")
    };
    let train: Vec<FeatureVector> =
        rows.iter().filter(|row| row.part != Some(super::Part::Test)).map(vector).collect();
    let scaler = match &options.scaler {
        Some(scaler) => scaler.clone(),
        None => Scaler::fit(options.config.normalisation, &train),
    };
    for row in rows {
        let applied = scaler.apply(&vector(row));
        row.features = applied.as_slice().iter().map(|number| number.unwrap_or(f64::NAN)).collect();
    }
    Some(scaler)
}

impl<'a> FeatureSink<'a> {
    /// A sink into this dataset, which hands on what it takes.
    pub fn new(dataset: Dataset, then: Option<&'a mut dyn RecordSink>) -> Self {
        Self { dataset, then }
    }

    /// The dataset.
    pub fn into_dataset(self) -> Dataset {
        self.dataset
    }
}

impl RecordSink for FeatureSink<'_> {
    fn take(&mut self, session: AnalyticsSession, requests: Vec<RequestRow>) -> Result<(), StoreError> {
        self.take_from(None, session, requests)
    }

    fn take_from(
        &mut self,
        address: Option<IpAddr>,
        session: AnalyticsSession,
        requests: Vec<RequestRow>,
    ) -> Result<(), StoreError> {
        let dataset = &mut self.dataset;
        if let Some(as_of) = dataset.as_of(&session)
            && dataset.has_room()
        {
            let extraction = extraction_of(&dataset.options.config, &session, &requests, &[], as_of);
            dataset.add(address, &session, extraction, Vec::new());
        }
        self.then.as_mut().map_or(Ok(()), |then| then.take_from(address, session, requests))
    }
}
