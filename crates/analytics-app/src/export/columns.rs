//! The columns of an export: what a session is, then the features of the chosen groups in the order of the catalogue.

use analytics_domain::features::{Feature, FeatureGroups, FeatureKind};

use super::{ExportOptions, Row};

/// One column.
pub(super) struct Column {
    pub(super) name: &'static str,
    /// Texts such as CSV tell no kinds.
    #[cfg_attr(not(any(test, feature = "parquet")), expect(dead_code, reason = "only Parquet has types"))]
    pub(super) kind: ColumnKind,
    value: Box<dyn Fn(&Row) -> Value<'_>>,
}

/// What a column holds; any value may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnKind {
    Text,
    Flag,
    Whole,
    Real,
    /// Microseconds since the epoch, UTC.
    Time,
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Missing,
    Text(std::borrow::Cow<'a, str>),
    Flag(bool),
    Whole(i64),
    Real(f64),
    Time(i64),
}

impl Column {
    pub(super) fn value<'a>(&self, row: &'a Row) -> Value<'a> {
        (self.value)(row)
    }
}

/// All columns of an export. Where features are scaled, each is a real number.
pub(super) fn columns(options: &ExportOptions, scaled: bool) -> Vec<Column> {
    let mut columns = vec![
        text("session_id", |row| Some(row.session.to_string().into())),
        column("group", ColumnKind::Whole, |row| Value::Whole(row.group.into())),
        column("started_at", ColumnKind::Time, |row| Value::Time(row.started_at.timestamp_micros())),
        column("as_of", ColumnKind::Time, |row| Value::Time(row.as_of.timestamp_micros())),
        text("part", |row| row.part.map(|part| part.as_str().into())),
        text("label", |row| row.label.as_ref().map(|label| label.class.as_str().into())),
        text("label_source", |row| row.label.as_ref().map(|label| label.source.as_str().into())),
        column("label_confidence", ColumnKind::Real, |row| {
            row.label.as_ref().map_or(Value::Missing, |label| Value::Real(label.confidence.as_f64()))
        }),
        text("label_kind", |row| row.label.as_ref().and_then(|label| label.kind.as_deref()).map(Into::into)),
    ];
    if options.with_verdict {
        columns.push(text("detector_class", |row| row.verdict.map(|(class, _)| class.as_str().into())));
        columns.push(column("detector_score", ColumnKind::Real, |row| {
            row.verdict.map_or(Value::Missing, |(_, score)| Value::Real(score))
        }));
    }
    if options.model.is_some() {
        columns.push(column("model_probability", ColumnKind::Real, |row| {
            row.probability.map_or(Value::Missing, Value::Real)
        }));
    }
    columns.extend(chosen(options.config.groups).map(|(at, feature)| feature_column(at, feature, scaled)));
    columns
}

/// The features of these groups with their places in the catalogue.
pub(super) fn chosen(groups: FeatureGroups) -> impl Iterator<Item = (usize, &'static Feature)> {
    Feature::all().iter().enumerate().filter(move |(_, feature)| groups.contains(feature.group))
}

fn feature_column(at: usize, feature: &'static Feature, scaled: bool) -> Column {
    let kind = match feature.kind {
        FeatureKind::Flag if !scaled => ColumnKind::Flag,
        FeatureKind::Whole if !scaled => ColumnKind::Whole,
        FeatureKind::Flag | FeatureKind::Whole | FeatureKind::Real => ColumnKind::Real,
    };
    column(feature.name, kind, move |row| match row.features.get(at).copied() {
        None => Value::Missing,
        Some(number) if number.is_nan() => Value::Missing,
        Some(number) => match kind {
            ColumnKind::Flag => Value::Flag(number > 0.0),
            ColumnKind::Whole => Value::Whole(number as i64),
            ColumnKind::Real | ColumnKind::Text | ColumnKind::Time => Value::Real(number),
        },
    })
}

fn text(name: &'static str, value: fn(&Row) -> Option<std::borrow::Cow<'_, str>>) -> Column {
    column(name, ColumnKind::Text, move |row| value(row).map_or(Value::Missing, Value::Text))
}

fn column(name: &'static str, kind: ColumnKind, value: impl Fn(&Row) -> Value<'_> + 'static) -> Column {
    Column { name, kind, value: Box::new(value) }
}
