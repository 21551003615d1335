//! Proptest strategies for the types of this module.

use alloc::string::String;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::{AnomalyEvent, AnomalyLevel, AnomalyRule, AnomalyThreshold, Band, Finite, MetricName, UnitScore};
use crate::strategies::{anomaly_event_id, time};

/// Any finite number.
pub fn finite() -> impl Strategy<Value = Finite> {
    use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    (POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO)
        .prop_filter_map("it is finite", |value| Finite::new(value).ok())
}

/// Any name of a metric.
pub fn metric_name() -> impl Strategy<Value = MetricName> {
    let characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/";
    let characters: alloc::vec::Vec<char> = characters.chars().collect();
    vec(select(characters), 1..=128)
        .prop_filter_map("it is a name", |characters| MetricName::new(String::from_iter(characters)).ok())
}

/// Any limits that are accepted.
pub fn anomaly_threshold() -> impl Strategy<Value = AnomalyThreshold> {
    (metric_name(), finite(), finite()).prop_filter_map("they are in order", |(metric, a, b)| {
        let (a, b) = (a.get().abs(), b.get().abs());
        AnomalyThreshold::new(metric, a.min(b), a.max(b)).ok()
    })
}

/// Any level of an anomaly.
pub fn anomaly_level() -> impl Strategy<Value = AnomalyLevel> {
    select(&AnomalyLevel::ALL[..])
}

/// Any band.
pub fn band() -> impl Strategy<Value = Band> {
    (finite(), finite())
        .prop_filter_map("one order is right", |(a, b)| Band::new(a, b).or_else(|_| Band::new(b, a)).ok())
}

/// Any score.
pub fn unit_score() -> impl Strategy<Value = UnitScore> {
    (0.0..=1.0_f64).prop_filter_map("it is a score", |score| UnitScore::new(score).ok())
}

/// Any event of an anomaly.
pub fn anomaly_event() -> impl Strategy<Value = AnomalyEvent> {
    let what = (anomaly_event_id(), metric_name(), select(&AnomalyRule::ALL[..]), anomaly_level());
    let when = (time(), time(), option::of(time()), option::of(time()));
    (what, when, finite(), option::of(band()), option::of(unit_score())).prop_map(
        |((id, metric, rule, level), (a, b, closed_at, acknowledged_at), value, expected, score)| {
            AnomalyEvent {
                id,
                metric,
                rule,
                level,
                since: a.min(b),
                opened_at: a.max(b),
                value,
                expected,
                score,
                closed_at,
                acknowledged_at,
            }
        },
    )
}
