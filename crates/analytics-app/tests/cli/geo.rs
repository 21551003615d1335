//! Places of addresses in a report.

#[path = "../adapters/mmdb.rs"]
mod mmdb;

use serde_json::json;

use super::{analytics, file, report};
use mmdb::Value::{List, Map, Number, Text};

#[test]
fn sessions_are_counted_under_the_countries_that_the_database_knows() {
    let database = file(&mmdb::database(&rows()), "places.mmdb");
    let log = file(log().as_bytes(), "access.log");
    let with = ["--geoip", database.path.to_str().unwrap()];
    let countries = report(&[&log.path], &with)["countries"].clone();
    let names: Vec<_> = countries.as_array().unwrap().iter().map(|row| row["name"].clone()).collect();
    assert_eq!(names, [json!("DK"), json!("unknown"), json!("GB")]);
    let without = report(&[&log.path], &[]);
    assert!(without["countries"].as_array().is_none_or(Vec::is_empty), "{without}");
}

#[test]
fn a_broken_database_is_a_wrong_call_that_names_the_file() {
    let whole = mmdb::database(&rows());
    let log = file(log().as_bytes(), "access.log");
    for content in [&b"no database"[..], &whole[..whole.len() / 2], b""] {
        let database = file(content, "places.mmdb");
        let path = database.path.to_str().unwrap();
        let ran = analytics(&["replay", log.path.to_str().unwrap(), "--geoip", path]);
        assert_eq!((ran.status, ran.out.as_str()), (2, ""), "{ran:?}");
        assert!(ran.errors.contains(path), "{ran:?}");
    }
}

/// Two visitors from Denmark, one from Britain, one from nowhere, one from a place that is not known.
fn log() -> String {
    let addresses = ["198.51.100.1", "198.51.100.2", "81.2.69.7", "10.0.0.1", "192.0.2.1"];
    let line = |(second, address): (usize, &str)| {
        format!(
            "{address} - - [02/Mar/2026:10:00:{second:02} +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"Mozilla/5.0\"\n"
        )
    };
    addresses.into_iter().enumerate().map(line).collect()
}

fn rows() -> Vec<(&'static str, mmdb::Value)> {
    let britain = Map(vec![("geoname_id", Number(2_635_167)), ("iso_code", Text("GB"))]);
    vec![
        ("198.51.100.0/24", Map(vec![("country_code", Text("DK"))])),
        ("81.2.69.0/24", Map(vec![("country", britain), ("subdivisions", List(vec![]))])),
        ("10.0.0.0/8", Map(vec![("country_code", Text("US"))])),
    ]
}
