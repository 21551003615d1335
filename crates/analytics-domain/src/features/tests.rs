//! The rows of features, and the fold that makes them.

use super::*;
use crate::strategies;
use alloc::vec;
use chrono::TimeDelta;
use proptest::prelude::*;

#[test]
fn a_figure_out_of_its_range_is_refused_by_its_name() {
    let of = |figures| MlBehavioralFeatures::try_from(FeaturesRecord { figures, ..record() }).err();
    let none = BehavioralFigures::default;
    let edges = BehavioralFigures {
        session_duration_seconds: Some(f64::MAX),
        total_requests: Some(i64::MAX as u64),
        max_scroll_depth: Some(100.0),
        mouse_movement_entropy: Some(3.0),
        time_pattern_regularity: Some(1.0),
        fingerprint_anomaly_score: Some(f64::MIN),
        ..none()
    };
    assert_eq!(of(edges), None);
    let cases = [
        (BehavioralFigures { session_duration_seconds: Some(-0.1), ..none() }, "session_duration_seconds"),
        (BehavioralFigures { total_requests: Some(1 << 63), ..none() }, "total_requests"),
        (BehavioralFigures { viewport_width: Some(1 << 31), ..none() }, "viewport_width"),
        (BehavioralFigures { max_scroll_depth: Some(100.1), ..none() }, "max_scroll_depth"),
        (BehavioralFigures { time_pattern_regularity: Some(f64::NAN), ..none() }, "time_pattern_regularity"),
        (
            BehavioralFigures { fingerprint_anomaly_score: Some(f64::NEG_INFINITY), ..none() },
            "fingerprint_anomaly_score",
        ),
    ];
    for (figures, name) in cases {
        assert_eq!(of(figures), Some(InvalidFeatures::OutOfRange(name)));
    }
}

#[test]
fn a_time_below_a_microsecond_is_refused() {
    let part = FeaturesRecord { as_of: record().as_of + TimeDelta::nanoseconds(1), ..record() };
    assert_eq!(MlBehavioralFeatures::try_from(part), Err(InvalidFeatures::NotWholeMicroseconds));
}

#[test]
fn a_vector_has_at_most_512_finite_features_and_keeps_what_is_missing() {
    let vector = FeatureVector::new(vec![Some(0.5), None]).unwrap();
    assert_eq!(vector.as_slice(), [Some(0.5), None]);
    assert_eq!(FeatureVector::new(vec![None, Some(f64::NAN)]), Err(InvalidFeatures::NotFinite(1)));
    assert!(FeatureVector::new(vec![None; 512]).is_ok());
    assert_eq!(FeatureVector::new(vec![None; 513]), Err(InvalidFeatures::TooLong(513)));
}

#[test]
fn versions_count_from_1() {
    assert_eq!(CatalogueVersion::new(0), Err(InvalidFeatures::Version(0)));
    assert_eq!(CatalogueVersion::new(1 << 31), Err(InvalidFeatures::Version(1 << 31)));
    assert_eq!(CatalogueVersion::new((1 << 31) - 1).map(CatalogueVersion::get), Ok((1 << 31) - 1));
    assert!(serde_json::from_str::<CatalogueVersion>("0").is_err());
}

proptest! {
    #[test]
    fn features_survive_json(features in strategies::features()) {
        let json = serde_json::to_string(&features).unwrap();
        prop_assert_eq!(serde_json::from_str::<MlBehavioralFeatures>(&json).unwrap(), features);
    }
}

fn record() -> FeaturesRecord {
    FeaturesRecord {
        session: SessionId::from_u128(1),
        catalogue: CatalogueVersion::new(1).unwrap(),
        as_of: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
        figures: BehavioralFigures::default(),
        feature_vector: FeatureVector::default(),
    }
}
