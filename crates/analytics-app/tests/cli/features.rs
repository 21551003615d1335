//! Features as training data, from a log and from a store.

use std::collections::BTreeMap;
use std::path::Path;

use analytics_domain::features::Feature;
use analytics_domain::model::Model;
use serde_json::Value;

use super::database::TestDatabase;
use super::{Ran, analytics, file, sample};

const FROM_LOG: [&str; 3] = ["--site-host", "example.org", "--log"];

#[test]
fn the_sample_is_exported_with_labels_parts_and_a_card() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("f.jsonl");
    let labels = sample().with_file_name("labels.jsonl");
    let ran = export(&out, &["--labels", labels.to_str().unwrap(), "--split", "0.6", "--embargo", "10m"]);
    assert_eq!((ran.status, ran.errors.as_str()), (0, ""), "{ran:?}");
    let rows = lines(&out);
    let card = json(&folder.path().join("f.jsonl.card.json"));
    assert_eq!(card["rows"], rows.len() as u64);
    assert_eq!(card["has_verdict"], false);
    for leak in ["clients_in_both_parts", "training_after_split", "heuristic_labels"] {
        assert_eq!(card["leakage"][leak], 0, "{leak}");
    }
    let mut parts = BTreeMap::new();
    for row in &rows {
        *parts.entry(row["part"].as_str().unwrap()).or_insert(0_u64) += 1;
        assert!(row.get("detector_class").is_none());
        assert!(row["label"].is_null() || row["label_source"] == "import");
    }
    assert_eq!(
        parts,
        BTreeMap::from([
            ("test", card["parts"]["test"]["rows"].as_u64().unwrap()),
            ("train", card["parts"]["train"]["rows"].as_u64().unwrap()),
        ])
    );
    assert!(rows.iter().any(|row| row["label"] == "human" && row["label_kind"] == "human_reader"));
    assert!(std::fs::read_to_string(folder.path().join("f.jsonl.card.md")).unwrap().contains("| train |"));
}

#[test]
fn a_model_scores_every_row_as_it_was_before_scaling() {
    let folder = tempfile::tempdir().unwrap();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../analytics-domain/src/model/fixture/trees.txt");
    let rows = |name: &str, more: &[&str]| {
        let out = folder.path().join(name);
        let ran = export(&out, &[&["--score-with", model.to_str().unwrap()], more].concat());
        assert_eq!((ran.status, ran.errors.as_str()), (0, ""), "{ran:?}");
        assert_eq!(json(&folder.path().join(format!("{name}.card.json")))["has_verdict"], true);
        lines(&out)
    };
    let (raw, scaled) = (rows("raw.jsonl", &[]), rows("scaled.jsonl", &["--normalise", "standard"]));
    let read = Model::from_lightgbm(&std::fs::read_to_string(&model).unwrap()).unwrap();
    let number =
        |value: &Value| value.as_f64().or_else(|| value.as_bool().map(|flag| f64::from(u8::from(flag))));
    assert!(!raw.is_empty());
    for (raw, scaled) in raw.iter().zip(&scaled) {
        let vector: Vec<_> = Feature::all().iter().map(|feature| number(&raw[feature.name])).collect();
        let said = raw["model_probability"].as_f64().unwrap();
        assert_eq!(said.to_bits(), read.score(&vector).to_bits(), "{raw}");
        assert_eq!(raw["model_probability"], scaled["model_probability"]);
    }
    let missing = export(&folder.path().join("none.csv"), &["--score-with", "/no/such/model"]);
    assert_eq!(missing.status, 2, "{missing:?}");
    assert!(missing.errors.contains("cannot use /no/such/model as a model"), "{missing:?}");
}

#[test]
fn the_same_rows_come_out_as_csv_and_for_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let (one, four) = (folder.path().join("1.csv"), folder.path().join("4.csv"));
    for (out, threads) in [(&one, "1"), (&four, "4")] {
        assert_eq!(export(out, &["--threads", threads]).status, 0);
    }
    let text = std::fs::read_to_string(&one).unwrap();
    assert_eq!(text, std::fs::read_to_string(&four).unwrap());
    let replayed = folder.path().join("r.csv");
    let log = sample();
    let args = ["replay", log.to_str().unwrap(), "--site-host", "example.org", "--features-out"];
    let mut args = args.to_vec();
    args.push(replayed.to_str().unwrap());
    assert_eq!(analytics(&args).status, 0);
    assert_eq!(std::fs::read_to_string(&replayed).unwrap(), text);
}

#[test]
fn nothing_after_as_of_is_in_an_export() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.jsonl");
    let (early, cut) = (folder.path().join("early.jsonl"), folder.path().join("cut.jsonl"));
    let as_of = "2026-03-02T03:00:00Z";
    assert_eq!(export(&early, &["--as-of", as_of]).status, 0);
    assert_eq!(export(&whole, &[]).status, 0);
    let log = std::fs::read_to_string(sample()).unwrap();
    let before: String = log.lines().filter(|line| !after(line)).flat_map(|line| [line, "\n"]).collect();
    let before = file(before.as_bytes(), "before.log");
    let args = [
        "features",
        "export",
        "--out",
        cut.to_str().unwrap(),
        "--as-of",
        as_of,
        FROM_LOG[0],
        FROM_LOG[1],
        FROM_LOG[2],
        before.path.to_str().unwrap(),
    ];
    assert_eq!(analytics(&args).status, 0);
    assert_eq!(lines(&early), lines(&cut), "a log that ends there gives the same");
    assert!(lines(&early).len() < lines(&whole).len());
}

#[tokio::test]
async fn a_store_gives_the_bits_that_the_log_gives() {
    let database = TestDatabase::migrated().await;
    let (url, log) = (database.url(), sample());
    let kept = analytics(&["replay", "--store", &url, "--site-host", "example.org", log.to_str().unwrap()]);
    assert_eq!(kept.status, 0, "{kept:?}");
    let folder = tempfile::tempdir().unwrap();
    let (from_log, from_store) = (folder.path().join("log.csv"), folder.path().join("store.csv"));
    assert_eq!(export(&from_log, &[]).status, 0);
    let ran = analytics(&["features", "export", "--out", from_store.to_str().unwrap(), "--store", &url]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert_eq!(std::fs::read_to_string(&from_log).unwrap(), std::fs::read_to_string(&from_store).unwrap());
}

#[test]
fn wrong_calls_and_bad_labels_are_told_and_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let of = |out: &str, more: &[&str]| export(&folder.path().join(out), more);
    let bad = file(b"session_id,class\nnonsense,bot\n", "labels.csv");
    for (ran, status, told) in [
        (of("f.xlsx", &[]), 2, "an export ends with .parquet, .csv or .jsonl"),
        (of("f.csv", &["--split", "2"]), 2, "a share is above 0 and below 1"),
        (of("f.csv", &["--groups", "colour"]), 2, "there are session, navigation"),
        (of("f.csv", &["--as-of", "soon"]), 2, "give a date such as"),
        (of("f.csv", &["--labels", "/no/such/labels"]), 1, "cannot read the labels /no/such/labels"),
        (of("f.csv", &["--labels", bad.path.to_str().unwrap()]), 1, "\"nonsense\" is no session"),
        (of("f.csv", &["--sessions", "3"]), 1, "--sessions 3 has room for"),
        (of("f.csv", &["--model", "/no/such/model"]), 2, "cannot use /no/such/model as a model"),
    ] {
        assert_eq!(ran.status, status, "{ran:?}");
        assert!(ran.errors.contains(told), "{told}: {ran:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn labels_of_unknown_sessions_and_bad_rows_are_counted_on_the_card() {
    let folder = tempfile::tempdir().unwrap();
    let text = b"session_id,class\n00000000000000000000000000000001,bot\nnonsense,bot\n";
    let labels = file(text, "labels.csv");
    let ran = export(&folder.path().join("f.csv"), &["--labels", labels.path.to_str().unwrap()]);
    assert_eq!(ran.status, 0);
    assert!(ran.errors.contains("1 of 2 rows gave no label") && ran.errors.contains("line 3"), "{ran:?}");
    let card = json(&folder.path().join("f.csv.card.json"));
    assert_eq!(card["left_out"]["bad_label_rows"], 1);
    assert_eq!(card["left_out"]["labels_of_unknown_sessions"], 1);
}

#[test]
fn a_model_speaks_as_a_signal_with_what_moved_it_and_one_that_does_not_fit_is_refused() {
    let fixture = |name: &str| {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../analytics-domain/src/model/fixture").join(name)
    };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("sessions.jsonl");
    let log = sample();
    let replayed = |model: &Path| {
        let args = ["replay", log.to_str().unwrap(), "--site-host", "example.org", "--sessions-out"];
        let mut args = args.to_vec();
        args.extend([out.to_str().unwrap(), "--model", model.to_str().unwrap()]);
        analytics(&args)
    };
    for model in ["trees.txt", "logistic.json"] {
        let ran = replayed(&fixture(model));
        assert_eq!(ran.status, 0, "{ran:?}");
        let sessions = lines(&out);
        assert!(sessions.iter().all(|session| session["model"]["probability"].is_f64()), "{model}");
        let spoke = sessions.iter().filter(|session| {
            session["signals"].as_array().unwrap().iter().any(|signal| signal["signal"] == "learned_model")
        });
        for session in spoke.clone() {
            assert!(session["model"]["probability"].as_f64().unwrap() >= 0.5);
            assert_ne!(session["model"]["contributions"], Value::Array(vec![]));
        }
        assert!(spoke.count() > 10, "{model}");
    }
    let trees = std::fs::read_to_string(fixture("trees.txt")).unwrap();
    for (text, told) in [
        (trees[..trees.len() / 2].to_owned(), "the model is cut off"),
        (trees.replace("analytics_catalogue=1", "analytics_catalogue=99"), "was trained on catalogue 99"),
        (
            trees.replace("total_requests", "colour_of_hat"),
            "\"colour_of_hat\", which the catalogue does not have",
        ),
        ("nonsense".to_owned(), "this is no LightGBM model"),
        ("{\"catalogue\":1}".to_owned(), "no logistic regression as JSON"),
    ] {
        let model = file(text.as_bytes(), "model.txt");
        let ran = replayed(&model.path);
        assert_eq!(ran.status, 2, "{ran:?}");
        assert!(ran.errors.contains(told), "{told}: {ran:?}");
    }
}

#[test]
fn the_catalogue_is_shown_for_people_and_programs() {
    let text = analytics(&["features", "catalog"]);
    assert!(text.out.contains("| `time_pattern_regularity` | timing |"), "{text:?}");
    let ran = analytics(&["features", "catalog", "--format", "json"]);
    let catalogue: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(catalogue["version"], 1);
    assert_eq!(catalogue["features"][0]["name"], "session_duration_seconds");
}

fn export(out: &Path, more: &[&str]) -> Ran {
    let log = sample();
    let mut args = vec!["features", "export", "--out", out.to_str().unwrap()];
    args.extend(more);
    args.extend(FROM_LOG);
    args.push(log.to_str().unwrap());
    analytics(&args)
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Whether a line of the sample is from after three o'clock.
fn after(line: &str) -> bool {
    let time = line.split('[').nth(1).unwrap();
    let clock = &time[12..20];
    clock > "03:00:00"
}
