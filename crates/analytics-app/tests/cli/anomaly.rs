//! Series in, scores out; and thresholds without a store.

use super::{analytics, file, with_input};

#[test]
fn a_series_is_answered_row_by_row_on_standard_output() {
    let ran =
        with_input(&["anomaly", "score", "-"], b"timestamp,value\n2026-01-01 00:00:00,1\n1767225660,2.50\n");
    let expected = "timestamp,value,anomaly_score\n2026-01-01 00:00:00,1,0\n1767225660,2.50,0\n";
    assert_eq!((ran.status, ran.out.as_str(), ran.errors.as_str()), (0, expected, ""));
}

#[test]
fn many_series_are_written_into_a_folder_under_their_names() {
    let rows: Vec<String> = (0..200).map(|row| format!("{},{}\n", row * 300, row % 7)).collect();
    let text = format!("timestamp,value\n{}", rows.concat());
    let (one, two) = (file(text.as_bytes(), "one.csv"), file(text.as_bytes(), "two.csv"));
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("scores");
    let ran = analytics(&[
        "anomaly",
        "score",
        "--out-dir",
        out.to_str().unwrap(),
        one.path.to_str().unwrap(),
        two.path.to_str().unwrap(),
    ]);
    assert_eq!((ran.status, ran.out.as_str(), ran.errors.as_str()), (0, "", ""));
    let alone = analytics(&["anomaly", "score", one.path.to_str().unwrap()]).out;
    for name in ["one.csv", "two.csv"] {
        assert_eq!(std::fs::read_to_string(out.join(name)).unwrap(), alone);
    }
}

#[test]
fn a_wrong_call_says_what_is_wrong_and_exits_2() {
    let one = file(b"timestamp,value\n", "one.csv");
    let same = file(b"timestamp,value\n", "one.csv");
    let (one, same) = (one.path.to_str().unwrap(), same.path.to_str().unwrap());
    for (args, problem) in [
        (vec!["anomaly", "score"], "no series was named"),
        (vec!["anomaly", "score", one, same], "say with --out-dir where the results go"),
        (vec!["anomaly", "score", one, same, "--out-dir", "scores"], "two series are named one.csv"),
        (vec!["anomaly", "score", "-", "--out-dir", "scores"], "every series must be a file"),
        (vec!["thresholds", "list"], "no store was named"),
        (vec!["thresholds", "set", "error_rate", "--warning", "2", "--critical", "1"], "must not be above"),
        (
            vec!["thresholds", "set", "error_rate", "--warning", "-1", "--critical", "1"],
            "must not be negative",
        ),
        (
            vec!["thresholds", "set", "error_rate", "--warning", "NaN", "--critical", "1"],
            "must be a finite number",
        ),
        (vec!["thresholds", "set", "error rate", "--warning", "1", "--critical", "2"], "a metric's name has"),
        (vec!["thresholds", "set", "error_rate", "--warning", "1", "--critical", "2"], "no store was named"),
    ] {
        let ran = analytics(&args);
        assert_eq!((ran.status, ran.out.as_str()), (2, ""), "{args:?}: {ran:?}");
        assert!(ran.errors.contains(problem), "{args:?}: {}", ran.errors);
    }
}

#[test]
fn what_cannot_be_scored_is_told_with_file_and_line_and_exits_1() {
    for (text, problem) in [
        ("", "the file is empty"),
        ("time,value\n", "line 1 names no column timestamp"),
        ("timestamp,value\n0,1\nsoon,1\n", "line 3: \"soon\" is no time"),
        ("timestamp,value\n0,1\n1,NaN\n", "line 3: \"NaN\" is no finite number"),
        ("timestamp,value\n0,1\n1,1e301\n", "line 3: a value must not be larger than 1e300"),
    ] {
        let series = file(text.as_bytes(), "series.csv");
        let ran = analytics(&["anomaly", "score", series.path.to_str().unwrap()]);
        assert_eq!(ran.status, 1, "{text:?}: {ran:?}");
        assert!(
            ran.errors.contains("series.csv") && ran.errors.contains(problem),
            "{text:?}: {}",
            ran.errors
        );
    }
}

#[test]
fn rows_out_of_order_are_scored_and_told_of() {
    let ran = with_input(&["anomaly", "score", "-"], b"timestamp,value\n100,1\n50,1\n100,1\n");
    assert_eq!((ran.status, ran.out.lines().count()), (0, 4));
    assert!(ran.errors.contains("standard input: 1 row is earlier than the row before"), "{}", ran.errors);
}
