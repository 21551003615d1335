//! The card of an export: what is in it, and what was checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use analytics_domain::features::{CATALOGUE, Scaler};
use analytics_domain::label::LabelClass;
use chrono::{DateTime, Utc};
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use super::columns::chosen;
use super::gather::Counts;
use super::{ExportOptions, LabelFile, Part, Row, SplitCounts};

/// What is in an export.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Card {
    /// The version of the catalogue that the features follow.
    pub catalogue: u32,
    /// The rules of the detector that read the requests. Their verdict is in no feature.
    pub ruleset_versions: BTreeSet<String>,
    /// How features were scaled.
    pub normalisation: &'static str,
    /// Rows that the scaler learned from, where features were scaled.
    pub scaler_rows: Option<u64>,
    /// The zone whose nights count, in minutes east of UTC.
    pub zone_minutes: i32,
    /// The groups of features.
    pub groups: Vec<&'static str>,
    /// The time up to which requests were looked at; each session's end when null.
    pub as_of: Option<DateTime<Utc>>,
    /// Rows.
    pub rows: u64,
    /// Clients.
    pub groups_of_clients: u64,
    /// When the first session started.
    pub first_start: Option<DateTime<Utc>>,
    /// When the last session started.
    pub last_start: Option<DateTime<Utc>>,
    /// Where the data were split.
    pub split_at: Option<DateTime<Utc>>,
    /// What is in each part; all of it under `all` where nothing was split.
    pub parts: BTreeMap<&'static str, PartCard>,
    /// Sources of labels that count.
    pub label_sources: Vec<&'static str>,
    /// Whether the detector's own verdict is among the columns.
    pub has_verdict: bool,
    /// What was left out and why.
    pub left_out: LeftOut,
    /// What was checked.
    pub leakage: LeakageChecks,
    /// The features.
    pub features: Vec<FeatureCard>,
}

/// What is in a part.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PartCard {
    /// Rows.
    pub rows: u64,
    /// Rows labelled human.
    pub human: u64,
    /// Rows labelled bot.
    pub bot: u64,
    /// Rows without a label.
    pub unlabelled: u64,
    /// Labels by their source.
    pub by_source: BTreeMap<&'static str, u64>,
    /// Labels by the kind of actor, where the source tells it.
    pub by_kind: BTreeMap<String, u64>,
}

/// What was left out of an export and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct LeftOut {
    /// Sessions that started after `as_of`.
    pub sessions_after_as_of: u64,
    /// Sessions for which there was no room.
    pub sessions_without_room: u64,
    /// Sessions without a label, where only labelled ones were asked for.
    pub sessions_unlabelled: u64,
    /// Sessions after the split of clients that began before it.
    pub sessions_of_earlier_clients: u64,
    /// Sessions within the embargo.
    pub sessions_in_embargo: u64,
    /// Sessions that are in, without any request of theirs.
    pub sessions_without_requests: u64,
    /// Events of engagement from before their sessions.
    pub early_engagement: u64,
    /// Rows of label files that gave no label.
    pub bad_label_rows: u64,
    /// Labelled sessions that are not in the export.
    pub labels_of_unknown_sessions: u64,
}

/// What was checked for a leak from test to training, and from the answer to the features.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeakageChecks {
    /// Clients in both parts; 0 by the way of splitting.
    pub clients_in_both_parts: u64,
    /// Rows of training that start at the split or later; 0 by the way of splitting.
    pub training_after_split: u64,
    /// Rows of the test whose features are the same as some row's of training, to the last bit.
    pub same_vector_in_both_parts: u64,
    /// Labels that our own rules gave. A model that learns them learns the rules.
    pub heuristic_labels: u64,
    /// Features that alone tell the classes apart with an AUC of 0.995 or more. Each is either a very good feature or a
    /// leak, and somebody should look.
    pub telling_alone: Vec<&'static str>,
}

/// What is known of one feature.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FeatureCard {
    /// The name.
    pub name: &'static str,
    /// The group.
    pub group: &'static str,
    /// When it can be known.
    pub known: &'static str,
    /// Rows in which it is missing.
    pub missing: u64,
    /// How well it tells the classes apart alone, missing aside: 0.5 not at all, 1 completely. `None` without both classes.
    pub auc: Option<f64>,
}

impl Card {
    pub(super) fn of(
        options: &ExportOptions,
        rows: &[Row],
        ruleset_versions: BTreeSet<String>,
        counts: Counts,
        (files, unknown): (&LabelFile, u64),
        split: Option<(Option<DateTime<Utc>>, SplitCounts)>,
        scaler: Option<&Scaler>,
    ) -> Self {
        let (split_at, dropped) = split.unwrap_or_default();
        let features: Vec<FeatureCard> = chosen(options.config.groups)
            .map(|(at, feature)| FeatureCard {
                name: feature.name,
                group: feature.group.as_str(),
                known: feature.known.as_str(),
                missing: rows.iter().filter(|row| row.features[at].is_nan()).count() as u64,
                auc: auc(rows, at),
            })
            .collect();
        Self {
            catalogue: CATALOGUE.get(),
            ruleset_versions,
            normalisation: scaler
                .map_or(options.config.normalisation, |scaler| scaler.record().normalisation)
                .as_str(),
            scaler_rows: scaler.map(|scaler| scaler.record().rows),
            zone_minutes: options.config.zone.minutes(),
            groups: options
                .config
                .groups
                .iter()
                .map(analytics_domain::features::FeatureGroup::as_str)
                .collect(),
            as_of: options.as_of,
            rows: rows.len() as u64,
            groups_of_clients: rows.iter().map(|row| row.group).collect::<hashbrown::HashSet<_>>().len()
                as u64,
            first_start: rows.first().map(|row| row.started_at),
            last_start: rows.last().map(|row| row.started_at),
            split_at,
            parts: parts(rows),
            label_sources: options.labels.sources.iter().map(|source| source.as_str()).collect(),
            has_verdict: options.with_verdict || options.model.is_some(),
            left_out: LeftOut {
                sessions_after_as_of: counts.after_as_of,
                sessions_without_room: counts.too_many,
                sessions_unlabelled: counts.unlabelled,
                sessions_of_earlier_clients: dropped.dropped_of_earlier_clients,
                sessions_in_embargo: dropped.dropped_by_embargo,
                sessions_without_requests: counts.without_requests,
                early_engagement: counts.early_engagement,
                bad_label_rows: files.bad(),
                labels_of_unknown_sessions: unknown,
            },
            leakage: leakage(rows, split_at, &features),
            features,
        }
    }

    /// The card for people.
    pub fn markdown(&self) -> String {
        let mut out = String::from("# What is in this export\n\n");
        let time = |at: Option<DateTime<Utc>>| at.map_or_else(|| "–".to_owned(), |at| at.to_rfc3339());
        let _ = writeln!(
            out,
            "{} sessions of {} clients, started {} to {}. Catalogue {}, rules {}, features {}, nights {} minutes east \
             of UTC.\n",
            self.rows,
            self.groups_of_clients,
            time(self.first_start),
            time(self.last_start),
            self.catalogue,
            self.ruleset_versions.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
            self.normalisation,
            self.zone_minutes
        );
        let _ = writeln!(out, "Looked at up to {}; split at {}.\n", time(self.as_of), time(self.split_at));
        let _ =
            writeln!(out, "| part | rows | human | bot | unlabelled |\n| --- | ---: | ---: | ---: | ---: |");
        for (name, part) in &self.parts {
            let PartCard { rows, human, bot, unlabelled, .. } = part;
            let _ = writeln!(out, "| {name} | {rows} | {human} | {bot} | {unlabelled} |");
        }
        let verdict = if self.has_verdict { "**is among the columns**" } else { "is not among the columns" };
        let _ = writeln!(
            out,
            "\nLabels count from: {}. The detector's verdict {verdict}.\n\n## Left out and checked\n",
            self.label_sources.join(", ")
        );
        for value in [serde_json::to_value(self.left_out), serde_json::to_value(&self.leakage)] {
            let Ok(serde_json::Value::Object(counts)) = value else { continue };
            for (name, count) in counts {
                let _ = writeln!(out, "- {}: {count}", name.replace('_', " "));
            }
        }
        let _ = writeln!(
            out,
            "\n## Features\n\n| feature | group | known | missing | AUC alone |\n| --- | --- | --- | ---: | ---: |"
        );
        for feature in &self.features {
            let auc = feature.auc.map_or_else(|| "–".to_owned(), |auc| format!("{auc:.3}"));
            let FeatureCard { name, group, known, missing, .. } = feature;
            let _ = writeln!(out, "| {name} | {group} | {known} | {missing} | {auc} |");
        }
        out
    }
}

fn parts(rows: &[Row]) -> BTreeMap<&'static str, PartCard> {
    let mut parts: BTreeMap<&'static str, PartCard> = BTreeMap::new();
    for row in rows {
        let part = parts.entry(row.part.map_or("all", Part::as_str)).or_default();
        part.rows += 1;
        match &row.label {
            None => part.unlabelled += 1,
            Some(label) => {
                match label.class {
                    LabelClass::Human => part.human += 1,
                    LabelClass::Bot => part.bot += 1,
                }
                *part.by_source.entry(label.source.as_str()).or_default() += 1;
                if let Some(kind) = &label.kind {
                    *part.by_kind.entry(kind.clone()).or_default() += 1;
                }
            }
        }
    }
    parts
}

fn leakage(rows: &[Row], split_at: Option<DateTime<Utc>>, features: &[FeatureCard]) -> LeakageChecks {
    let bits = |row: &Row| {
        let bytes: Vec<u8> = row.features.iter().flat_map(|number| number.to_bits().to_le_bytes()).collect();
        xxh3_64(&bytes)
    };
    let train = || rows.iter().filter(|row| row.part == Some(Part::Train));
    let test = || rows.iter().filter(|row| row.part == Some(Part::Test));
    let clients: hashbrown::HashSet<u32> = train().map(|row| row.group).collect();
    let tested: hashbrown::HashSet<u32> = test().map(|row| row.group).collect();
    let vectors: hashbrown::HashSet<u64> = train().map(bits).collect();
    let heuristic = analytics_domain::label::LabelSource::Heuristic;
    LeakageChecks {
        clients_in_both_parts: clients.intersection(&tested).count() as u64,
        training_after_split: train().filter(|row| split_at.is_some_and(|at| row.started_at >= at)).count()
            as u64,
        same_vector_in_both_parts: test().filter(|row| vectors.contains(&bits(row))).count() as u64,
        heuristic_labels: rows
            .iter()
            .filter(|row| row.label.as_ref().is_some_and(|label| label.source == heuristic))
            .count() as u64,
        telling_alone: features
            .iter()
            .filter(|feature| feature.auc.is_some_and(|auc| auc >= TELLING))
            .map(|feature| feature.name)
            .collect(),
    }
}

/// How well one feature tells bots from people, whichever way: the share of pairs that it puts in order, ties half.
fn auc(rows: &[Row], at: usize) -> Option<f64> {
    let mut numbers: Vec<(f64, bool)> = rows
        .iter()
        .filter_map(|row| {
            let label = row.label.as_ref()?;
            let number = row.features[at];
            (!number.is_nan()).then_some((number, label.class == LabelClass::Bot))
        })
        .collect();
    let bots = numbers.iter().filter(|(_, bot)| *bot).count() as f64;
    let people = numbers.len() as f64 - bots;
    if bots == 0.0 || people == 0.0 {
        return None;
    }
    numbers.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut ordered) = (0.0, 0.0);
    for ties in numbers.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let of_bots = ties.iter().filter(|(_, bot)| *bot).count() as f64;
        let of_people = ties.len() as f64 - of_bots;
        ordered += of_bots * (below + of_people / 2.0);
        below += of_people;
    }
    let share = ordered / (bots * people);
    Some(share.max(1.0 - share))
}

const TELLING: f64 = 0.995;
