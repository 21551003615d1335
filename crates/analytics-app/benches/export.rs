//! How fast features are written: against the crate `parquet` alone, writing the same columns.
//!
//! ```text
//! cargo bench -p analytics-app --features parquet --bench export
//! ```
#![expect(clippy::print_stdout, reason = "a benchmark shows its result")]

mod support;

use std::path::Path;

use analytics_app::export::{Dataset, Export, ExportOptions, LabelFile};
use analytics_app::ingest::source::Input;
use analytics_app::replay::{RecordSink, Replay, ReplayOptions};
use analytics_app::services::feature_extraction::extraction_of;
use analytics_domain::request_row::RequestRow;
use analytics_domain::session::AnalyticsSession;
use analytics_ports::StoreError;
use support::{median, nanoseconds_each, wanted};

fn main() {
    if !wanted() {
        return;
    }
    let sessions = sample();
    write(&sessions);
}

type Session = (AnalyticsSession, Vec<RequestRow>);

/// Rows a second of an export as Parquet, and of writing the same columns with the crate alone.
#[cfg(feature = "parquet")]
fn write(sessions: &[Session]) {
    use analytics_app::export::{self, Format};
    let (options, export) = export_of(sessions);
    let folder = tempfile::tempdir().expect("there is room for files");
    let ours = rounds(|| {
        let path = folder.path().join("ours.parquet");
        nanoseconds_each(export.rows.len(), || {
            export::write(&options, &export, Format::Parquet, &path).expect("it is written");
        })
    });
    let columns = bare::columns(&export);
    let alone = rounds(|| {
        let path = folder.path().join("alone.parquet");
        nanoseconds_each(export.rows.len(), || bare::write(&columns, export.rows.len(), &path))
    });
    let (rows, ratio) = (1e9 / ours, alone / ours);
    println!("export                        {rows:>10.0} rows/s  ({ratio:.2} of parquet alone)");
}

#[cfg(not(feature = "parquet"))]
fn write(sessions: &[Session]) {
    let (_, export) = export_of(sessions);
    println!("{} rows gathered; build with --features parquet to write them", export.rows.len());
}

/// The sessions of the sample, again and again until there are 50,000.
fn export_of(sessions: &[Session]) -> (ExportOptions, Export) {
    let options = ExportOptions::default();
    let mut dataset = Dataset::new(options.clone(), LabelFile::default(), 100_000);
    for (session, rows) in sessions {
        let extraction =
            extraction_of(&options.config, session, rows, &[], session.record().last_activity_at);
        dataset.add(None, session, extraction, Vec::new());
    }
    let mut export = dataset.finish();
    let once = export.rows.clone();
    while export.rows.len() < 50_000 {
        export.rows.extend_from_slice(&once);
    }
    (options, export)
}

/// The same numbers, written with nothing around the crate.
#[cfg(feature = "parquet")]
mod bare {
    use std::fs::File;
    use std::io::BufWriter;
    use std::path::Path;
    use std::sync::Arc;

    use analytics_app::export::Export;
    use analytics_domain::features::{Feature, FeatureKind};
    use parquet::basic::{Compression, Repetition, Type as Physical};
    use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::types::Type;

    /// A column whose values are there, with what is missing.
    pub(super) enum Column {
        Text(Vec<ByteArray>, Vec<i16>),
        Flag(Vec<bool>, Vec<i16>),
        Whole(Vec<i64>, Vec<i16>),
        Real(Vec<f64>, Vec<i16>),
    }

    pub(super) fn columns(export: &Export) -> Vec<Column> {
        let there = vec![1_i16; export.rows.len()];
        let text = |of: &dyn Fn(&analytics_app::export::Row) -> String| {
            Column::Text(
                export.rows.iter().map(|row| ByteArray::from(of(row).into_bytes())).collect(),
                there.clone(),
            )
        };
        let whole = |of: &dyn Fn(&analytics_app::export::Row) -> i64| {
            Column::Whole(export.rows.iter().map(of).collect(), there.clone())
        };
        let mut columns = vec![
            text(&|row| row.session.to_string()),
            whole(&|row| row.group.into()),
            whole(&|row| row.started_at.timestamp_micros()),
            whole(&|row| row.as_of.timestamp_micros()),
        ];
        for (at, feature) in Feature::all().iter().enumerate() {
            let numbers = || export.rows.iter().map(|row| row.features[at]);
            let there: Vec<i16> = numbers().map(|number| i16::from(!number.is_nan())).collect();
            let known = numbers().filter(|number| !number.is_nan());
            columns.push(match feature.kind {
                FeatureKind::Flag => Column::Flag(known.map(|number| number > 0.0).collect(), there),
                FeatureKind::Whole => Column::Whole(known.map(|number| number as i64).collect(), there),
                FeatureKind::Real => Column::Real(known.collect(), there),
            });
        }
        columns
    }

    pub(super) fn write(columns: &[Column], rows: usize, path: &Path) {
        let fields = columns.iter().enumerate().map(|(at, column)| {
            let physical = match column {
                Column::Text(..) => Physical::BYTE_ARRAY,
                Column::Flag(..) => Physical::BOOLEAN,
                Column::Whole(..) => Physical::INT64,
                Column::Real(..) => Physical::DOUBLE,
            };
            let name = format!("c{at}");
            let field = Type::primitive_type_builder(&name, physical);
            Arc::new(field.with_repetition(Repetition::OPTIONAL).build().expect("it is a type"))
        });
        let schema =
            Type::group_type_builder("bench").with_fields(fields.collect()).build().expect("it is a schema");
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let file = BufWriter::new(File::create(path).expect("it is made"));
        let mut writer =
            SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties)).expect("it is begun");
        assert!(rows <= 65_536, "one group of rows, as the export has");
        let mut group = writer.next_row_group().expect("a group begins");
        for column in columns {
            let mut out = group.next_column().expect("it is written").expect("it is there");
            match column {
                Column::Text(values, there) => {
                    out.typed::<ByteArrayType>().write_batch(values, Some(there), None)
                }
                Column::Flag(values, there) => out.typed::<BoolType>().write_batch(values, Some(there), None),
                Column::Whole(values, there) => {
                    out.typed::<Int64Type>().write_batch(values, Some(there), None)
                }
                Column::Real(values, there) => {
                    out.typed::<DoubleType>().write_batch(values, Some(there), None)
                }
            }
            .expect("it is written");
            out.close().expect("it ends");
        }
        group.close().expect("the group ends");
        writer.close().expect("the file ends");
    }
}

/// The sessions of the sample log.
fn sample() -> Vec<Session> {
    struct Keep(Vec<Session>);
    impl RecordSink for Keep {
        fn take(&mut self, session: AnalyticsSession, requests: Vec<RequestRow>) -> Result<(), StoreError> {
            self.0.push((session, requests));
            Ok(())
        }
    }
    let mut keep = Keep(Vec::new());
    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/sample/access.log");
    Replay::new(ReplayOptions::default())
        .with_records(&mut keep)
        .run(vec![Input::from_argument(&log)])
        .expect("the sample is read");
    keep.0
}

/// The middle of several rounds, after one to warm up.
fn rounds(mut round: impl FnMut() -> f64) -> f64 {
    round();
    median(&(0..7).map(|_| round()).collect::<Vec<_>>())
}
