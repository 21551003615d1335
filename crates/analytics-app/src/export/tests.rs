//! Exports of made-up sessions.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use analytics_domain::features::{Feature, FeatureExtractionConfig, Normalisation};
use analytics_domain::ids::SessionId;
use analytics_domain::label::{LabelClass, LabelSource};
use analytics_domain::session::Points;
use chrono::{DateTime, TimeDelta, Utc};

use super::*;

#[test]
fn a_client_goes_to_the_side_of_its_first_session_and_what_is_past_the_split_is_counted() {
    let mut rows: Vec<Row> = [(0, 0), (1, 1), (2, 0), (3, 2), (4, 1), (5, 3), (6, 2)]
        .into_iter()
        .map(|(minute, group)| row(minute, group, None))
        .collect();
    let (at, counts) = split::split(&mut rows, Split::At(minute(3)), TimeDelta::seconds(1));
    assert_eq!(at, Some(minute(3)));
    assert_eq!(counts, SplitCounts { dropped_of_earlier_clients: 1, dropped_by_embargo: 1 });
    let parts: Vec<_> = rows.iter().map(|row| (row.group, row.part)).collect();
    let (train, test) = (Some(Part::Train), Some(Part::Test));
    assert_eq!(parts, [(0, train), (1, train), (0, train), (3, test), (2, test)]);
}

#[test]
fn a_share_splits_by_the_order_of_starts_and_nothing_is_split_of_nothing() {
    let mut rows: Vec<Row> = (0..10).map(|at| row(at, at as u32, None)).collect();
    let (at, _) = split::split(&mut rows, Split::Share(0.7), TimeDelta::zero());
    assert_eq!(at, Some(minute(7)));
    assert_eq!(rows.iter().filter(|row| row.part == Some(Part::Train)).count(), 7);
    assert_eq!(
        split::split(&mut Vec::new(), Split::Share(0.5), TimeDelta::zero()),
        (None, SplitCounts::default())
    );
}

#[test]
fn what_is_missing_is_an_empty_field_and_null() {
    let mut one = row(0, 3, Some(LabelClass::Bot));
    one.features[Feature::index_of("total_requests").unwrap()] = 2.0;
    one.features[Feature::index_of("referrer_present").unwrap()] = 1.0;
    let columns = columns::columns(&ExportOptions::default(), false);
    let (mut csv, mut json) = (Vec::new(), Vec::new());
    text::csv(&columns, std::slice::from_ref(&one), &mut csv).unwrap();
    text::json_lines(&columns, std::slice::from_ref(&one), &mut json).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    let (head, line) = csv.trim_end().split_once('\n').unwrap();
    let fields: BTreeMap<&str, &str> = head.split(',').zip(line.split(',')).collect();
    assert_eq!(head.split(',').count(), line.split(',').count());
    assert_eq!(
        (fields["total_requests"], fields["referrer_present"], fields["head_share"]),
        ("2", "true", "")
    );
    assert_eq!((fields["label"], fields["group"], fields["part"]), ("bot", "3", ""));
    assert_eq!(fields["started_at"], "2023-11-14T22:13:20.000000Z");
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["total_requests"], 2);
    assert_eq!(json["referrer_present"], true);
    assert_eq!(json["head_share"], serde_json::Value::Null);
    assert_eq!(json.as_object().unwrap().len(), fields.len());
}

#[test]
fn the_verdict_is_a_column_only_where_it_was_asked_for() {
    let has = |with_verdict| {
        let options = ExportOptions { with_verdict, ..ExportOptions::default() };
        columns::columns(&options, false).iter().any(|column| column.name.starts_with("detector_"))
    };
    assert_eq!((has(false), has(true)), (false, true));
    assert!(!LabelSelection::default().has_heuristics());
}

#[test]
fn labels_are_read_from_csv_and_json_and_bad_rows_are_told_by_line() {
    let csv = "session_id,class,source,confidence\n\
        00000000000000000000000000000001,bot,manual,90\n\
        nonsense,bot,manual,90\n\
        00000000000000000000000000000002,robot,,\n\
        00000000000000000000000000000003,human,,101\n";
    let json = "{\"session_id\":\"00000000000000000000000000000004\",\"class\":\"human\"}\n{\n";
    let mut labels = LabelFile::default();
    labels.add(file(csv).path()).unwrap();
    labels.add(file(json).path()).unwrap();
    assert_eq!((labels.rows(), labels.bad()), (2, 4));
    let told: Vec<_> =
        labels.problems().iter().map(|problem| (problem.line, problem.problem.as_str())).collect();
    assert_eq!(told[0].0, 3);
    assert!(told[0].1.contains("\"nonsense\" is no session"), "{told:?}");
    assert!(told[1].1.contains("\"robot\" is no class"), "{told:?}");
    assert!(told[2].1.contains("0 to 100 %, not 101"), "{told:?}");
    assert!(told[3].1.contains("no JSON"), "{told:?}");
    let sessions: Vec<_> = labels.sessions().map(SessionId::as_u128).collect();
    assert_eq!(sessions, [1, 4]);
}

#[test]
fn a_file_without_any_label_is_refused() {
    let refused = |text: &str| LabelFile::default().add(file(text).path()).unwrap_err().to_string();
    assert!(refused("").contains("has no label"));
    assert!(refused("session_id,class\nx,bot\n").contains("is no session"));
    assert!(
        format!("{:#}", LabelFile::default().add(file("a,b\n").path()).unwrap_err())
            .contains("names at least")
    );
}

#[test]
fn nothing_is_left_of_an_export_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no-such-folder").join("f.csv");
    assert!(write(&ExportOptions::default(), &export(vec![]), Format::Csv, &path).is_err());
    let path = folder.path().join("f.csv");
    // The data cannot take the place of a folder, so the card must not stay alone under its name.
    std::fs::create_dir(&path).unwrap();
    assert!(write(&ExportOptions::default(), &export(vec![]), Format::Csv, &path).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "only that folder");
}

#[test]
fn a_card_counts_classes_and_looks_for_leaks() {
    let mut rows: Vec<Row> = (0..20)
        .map(|at| row(at, at as u32, Some(if at % 2 == 0 { LabelClass::Bot } else { LabelClass::Human })))
        .collect();
    let telling = Feature::index_of("head_share").unwrap();
    for row in &mut rows {
        row.features[telling] = f64::from(u8::from(row.group % 2 == 0));
    }
    let options = ExportOptions { split: Some(Split::Share(0.5)), ..ExportOptions::default() };
    let parts = split::split(&mut rows, Split::Share(0.5), TimeDelta::zero());
    let counts = gather::Counts::default();
    let files = LabelFile::default();
    let card = Card::of(&options, &rows, BTreeSet::new(), counts, (&files, 0), Some(parts), None);
    let part = |name| (card.parts[name].rows, card.parts[name].human, card.parts[name].bot);
    assert_eq!((part("train"), part("test")), ((10, 5, 5), (10, 5, 5)));
    assert_eq!(card.leakage.telling_alone, ["head_share"]);
    assert_eq!(card.leakage.same_vector_in_both_parts, 10, "only one feature is there");
    assert_eq!((card.leakage.clients_in_both_parts, card.leakage.heuristic_labels), (0, 0));
    assert!(card.markdown().contains("| head_share | session | deciding | 0 | 1.000 |"));
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_has_the_types_and_the_nulls() {
    use ::parquet::file::reader::{FileReader, SerializedFileReader};
    use ::parquet::record::Field;
    let mut one = row(0, 3, Some(LabelClass::Human));
    one.features[Feature::index_of("total_requests").unwrap()] = 2.0;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.parquet");
    let written = write(&ExportOptions::default(), &export(vec![one]), Format::Parquet, &path).unwrap();
    assert_eq!(written.len(), 3);
    let reader = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
    let row = reader.get_row_iter(None).unwrap().next().unwrap().unwrap();
    let of = |name: &str| row.get_column_iter().find(|(column, _)| *column == name).unwrap().1.clone();
    assert_eq!(of("total_requests"), Field::Long(2));
    assert_eq!(of("head_share"), Field::Null);
    assert_eq!(of("label"), Field::Str("human".to_owned()));
    assert_eq!(of("started_at"), Field::TimestampMicros(minute(0).timestamp_micros()));
    let pairs = reader.metadata().file_metadata().key_value_metadata().unwrap();
    assert!(pairs.iter().any(|pair| pair.key == "analytics.catalogue" && pair.value.as_deref() == Some("1")));
}

#[test]
fn scaled_columns_are_real_numbers() {
    let config = FeatureExtractionConfig {
        normalisation: Normalisation::Standard,
        ..FeatureExtractionConfig::default()
    };
    let options = ExportOptions { config, ..ExportOptions::default() };
    let columns = columns::columns(&options, true);
    let requests = columns.iter().find(|column| column.name == "total_requests").unwrap();
    assert_eq!(requests.kind, columns::ColumnKind::Real);
}

fn export(rows: Vec<Row>) -> Export {
    let (options, files) = (ExportOptions::default(), LabelFile::default());
    let card = Card::of(&options, &rows, BTreeSet::new(), gather::Counts::default(), (&files, 0), None, None);
    Export { rows, card, scaler: None }
}

fn row(at: i64, group: u32, class: Option<LabelClass>) -> Row {
    Row {
        session: SessionId::from_u128(at as u128 + 1),
        group,
        started_at: minute(at),
        as_of: minute(at),
        features: vec![f64::NAN; Feature::all().len()].into_boxed_slice(),
        label: class.map(|class| RowLabel {
            class,
            source: LabelSource::Manual,
            confidence: Points::from_hundredths(9_000).unwrap(),
            kind: None,
        }),
        part: None,
        verdict: None,
        probability: None,
    }
}

fn minute(at: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap() + TimeDelta::minutes(at)
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}
