use alloc::vec::Vec;

use chrono::TimeDelta;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::strategies::finite;

#[test]
fn a_flood_opens_with_its_second_value_and_closes_with_the_third_quiet_one() {
    let policy = BaselinePolicy::default();
    let mut baseline = quiet_day(SeriesKind::Count);
    let mut changes = Vec::new();
    for (number, value) in [9_000.0, 9_000.0, 100.0, 9_000.0].into_iter().chain([100.0; 200]).enumerate() {
        let at = minute(1_440 + number as i64);
        if let Some(change) = baseline.observe(&policy, value, at).unwrap().change {
            changes.push((number, change, baseline.open_since()));
        }
    }
    let (number, change, since) = changes[0];
    assert_eq!((number, change, since), (1, BaselineChange::Opened, Some(minute(1_440))));
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert_eq!((changes[1].1, changes[1].2), (BaselineChange::Closed, None));
    assert!(changes[1].0 > 5, "one ordinary value between two of the flood does not close it");
}

#[test]
fn a_single_value_out_of_the_ordinary_is_told_by_its_score_and_opens_nothing() {
    let policy = BaselinePolicy::default();
    let mut baseline = quiet_day(SeriesKind::Count);
    let reading = baseline.observe(&policy, 400.0, minute(1_440)).unwrap();
    assert!(reading.score.get() > 0.5, "{reading:?}");
    assert_eq!((reading.level, reading.open_since, reading.change), (AnomalyLevel::Normal, None, None));
    for number in 1_441..1_500 {
        let reading = baseline.observe(&policy, 100.0, minute(number)).unwrap();
        assert_eq!(reading.open_since, None, "minute {number}");
    }
}

#[test]
fn an_outage_is_an_anomaly_as_a_flood_is() {
    let policy = BaselinePolicy::default();
    let mut baseline = quiet_day(SeriesKind::Count);
    let opened = (0..10).find(|number| {
        let reading = baseline.observe(&policy, 0.0, minute(1_440 + number)).unwrap();
        reading.change == Some(BaselineChange::Opened)
    });
    assert_eq!(opened, Some(1));
}

#[test]
fn the_expected_band_is_around_what_came_before_and_not_after_it() {
    let policy = BaselinePolicy::default();
    let mut baseline = quiet_day(SeriesKind::Count);
    let reading = baseline.observe(&policy, 5_000.0, minute(1_440)).unwrap();
    let band = reading.expected.unwrap();
    assert!(band.holds(Finite::new(100.0).unwrap()), "{band:?}");
    assert!(band.lower().get() > 40.0 && band.upper().get() < 220.0, "{band:?}");
}

#[test]
fn a_constant_series_expects_itself_and_any_other_value_is_news() {
    let policy = BaselinePolicy::default();
    let mut baseline = Baseline::new(SeriesKind::Gauge);
    for number in 0..1_000 {
        let reading = baseline.observe(&policy, 45.0, minute(number)).unwrap();
        assert_eq!((reading.score, reading.open_since), (UnitScore::default(), None));
    }
    let reading = baseline.observe(&policy, 45.000_1, minute(1_000)).unwrap();
    let value = Finite::new(45.0).unwrap();
    assert_eq!(reading.expected, Band::new(value, value).ok());
    assert!(reading.score.get() > 0.9, "{reading:?}");
}

#[test]
fn the_first_values_have_no_score_and_no_expectation() {
    let policy = BaselinePolicy::default();
    let mut baseline = Baseline::new(SeriesKind::Gauge);
    for number in 0..30 {
        let wild = if number % 7 == 0 { 1e9 } else { 0.0 };
        let reading = baseline.observe(&policy, wild, minute(number)).unwrap();
        assert_eq!((reading.score, reading.expected), (UnitScore::default(), None), "value {number}");
    }
}

#[test]
fn a_daily_rhythm_is_no_news_and_a_day_without_it_is() {
    let policy = BaselinePolicy::default();
    let mut baseline = Baseline::new(SeriesKind::Gauge);
    let value = |number: i64| {
        let busy = (9..18).contains(&(number / 12 % 24));
        f64::from(if busy { 80 } else { 20 }) + noise(number)
    };
    let mut news = 0;
    for number in 0..10 * 288 {
        let reading = baseline.observe(&policy, value(number), minutes(5, number)).unwrap();
        news += u32::from(number > 4 * 288 && reading.score.get() > 0.5);
    }
    assert!(news <= 1, "{news} alarms in six ordinary days");
    let told = (10 * 288..11 * 288).any(|number| {
        let reading = baseline.observe(&policy, 20.0 + noise(number), minutes(5, number)).unwrap();
        reading.open_since.is_some()
    });
    assert!(told, "nobody came to work and nobody noticed");
}

#[test]
fn what_comes_every_day_is_ever_less_news() {
    let policy = BaselinePolicy::default();
    let mut baseline = Baseline::new(SeriesKind::Gauge);
    let mut best = Vec::new();
    for day in 0..14_i64 {
        let mut most = 0.0_f64;
        for number in day * 288..(day + 1) * 288 {
            // A spike a day at another hour each day, so that no hour of the day can expect it.
            let spike = number % 288 == day * 37 % 288;
            let value = 50.0 + noise(number) + if spike { 20.0 } else { 0.0 };
            most = most.max(baseline.observe(&policy, value, minutes(5, number)).unwrap().score.get());
        }
        best.push(most);
    }
    assert!(best[1] > 0.9, "{best:?}");
    assert!(best[9] < best[4] && best[13] < best[9] && best[13] < 0.75, "{best:?}");
}

#[test]
fn a_gap_of_a_year_is_survived_and_is_itself_no_news() {
    let policy = BaselinePolicy::default();
    let mut baseline = quiet_day(SeriesKind::Count);
    let year = 365 * 1_440;
    for number in 0..120 {
        let value = 100.0 + noise(number).round();
        let reading = baseline.observe(&policy, value, minute(year + number)).unwrap();
        assert_eq!(reading.open_since, None, "minute {number}");
    }
}

#[test]
fn values_that_are_none_and_times_that_go_back_are_refused_and_change_nothing() {
    let policy = BaselinePolicy::default();
    let baseline = quiet_day(SeriesKind::Count);
    for (value, at, refusal) in [
        (f64::NAN, minute(1_440), RefusedValue::NotFinite),
        (f64::INFINITY, minute(1_440), RefusedValue::NotFinite),
        (f64::NEG_INFINITY, minute(1_440), RefusedValue::NotFinite),
        (2e300, minute(1_440), RefusedValue::TooLarge),
        (-1.0, minute(1_440), RefusedValue::Negative),
        (1.0, minute(1_438), RefusedValue::Earlier),
    ] {
        let mut same = baseline.clone();
        assert_eq!(same.observe(&policy, value, at), Err(refusal));
        assert_eq!(same, baseline);
    }
}

#[test]
fn values_of_the_same_time_are_taken_in_one_after_the_other() {
    let policy = BaselinePolicy::default();
    let mut baseline = quiet_day(SeriesKind::Gauge);
    assert!(baseline.observe(&policy, 100.0, minute(1_439)).is_ok());
    assert_eq!(baseline.values(), 1_441);
}

#[test]
fn a_baseline_takes_at_most_4_kibibytes() {
    let bytes = size_of::<Baseline>();
    assert!(bytes <= 4_096, "{bytes} bytes");
}

#[test]
fn the_hours_of_the_week_begin_on_monday() {
    // 5 January 1970 was a Monday.
    let hours = |number: i64| season::hour_of_week(number * 3_600_000_000);
    assert_eq!([hours(4 * 24), hours(4 * 24 - 1), hours(4 * 24 + 25), hours(-1)], [0, 167, 25, 71]);
}

#[test]
fn the_default_settings_are_accepted_and_survive_their_written_form() {
    let policy = BaselinePolicy::default();
    assert_eq!(BaselinePolicy::new(BaselineSettings::default()), Ok(policy));
    let text = serde_json::to_string(&policy).unwrap();
    assert_eq!(serde_json::from_str::<BaselinePolicy>(&text).unwrap(), policy);
    assert_eq!(serde_json::from_str::<BaselinePolicy>("{}").unwrap(), policy);
    assert!(serde_json::from_str::<BaselinePolicy>(r#"{"hinges":1}"#).is_err());
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let refused = |change: fn(&mut BaselineSettings)| {
        let mut settings = BaselineSettings::default();
        change(&mut settings);
        BaselinePolicy::new(settings).unwrap_err().field()
    };
    assert_eq!(refused(|s| s.level_seconds = 0.5), "level_seconds");
    assert_eq!(refused(|s| s.rest_seconds = f64::NAN), "rest_seconds");
    assert_eq!(refused(|s| s.day_visits = 0.0), "day_visits");
    assert_eq!(refused(|s| s.least_visits = 1), "least_visits");
    assert_eq!(refused(|s| s.week_advantage = 1.1), "week_advantage");
    assert_eq!(refused(|s| s.most_scales = f64::INFINITY), "most_scales");
    assert_eq!(refused(|s| s.range_share = 0.0), "range_share");
    assert_eq!(refused(|s| s.hinge = -1.0), "hinge");
    assert_eq!(refused(|s| s.counted_share = 0.0), "counted_share");
    assert_eq!(refused(|s| s.warning_score = 0.0), "warning_score");
    assert_eq!(refused(|s| s.critical_score = 0.49), "critical_score");
    assert_eq!(refused(|s| s.quiet_score = 0.51), "quiet_score");
    assert_eq!(refused(|s| s.opening_hits = 0), "opening_hits");
    assert_eq!(refused(|s| s.closing_quiet = 0), "closing_quiet");
}

#[test]
fn sparse_counts_of_chance_open_less_than_one_anomaly_in_a_fortnight() {
    let policy = BaselinePolicy::default();
    let mut opened = 0;
    for series in 1..=30_i64 {
        let mut baseline = Baseline::new(SeriesKind::Count);
        for number in 0..7 * 1_440_i64 {
            // One to thirty events an hour, at minutes of chance.
            let event = hash(series * 1_000_003 + number) % 60 < series as u64;
            let reading = baseline.observe(&policy, f64::from(u8::from(event)), minute(number)).unwrap();
            opened += u32::from(reading.change == Some(BaselineChange::Opened));
        }
    }
    assert!(opened < 15, "{opened} in 210 days");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_answer_depends_on_values_after_it(
        series in series(1..300),
        after in vec((0i64..10_000, -1e6..1e6), 0..50),
    ) {
        let alone = readings(SeriesKind::Gauge, &series);
        let mut longer = series.clone();
        let mut second = series.last().map_or(0, |(second, _)| *second);
        for (gap, value) in after {
            second += gap;
            longer.push((second, value));
        }
        prop_assert_eq!(&readings(SeriesKind::Gauge, &longer)[..alone.len()], &alone[..]);
    }

    #[test]
    fn gauges_scaled_by_a_power_of_two_have_the_same_bits_in_every_score(
        series in series(1..400),
        power in -60i32..60,
    ) {
        let factor = libm::ldexp(1.0, power);
        let scaled: Vec<_> = series.iter().map(|(second, value)| (*second, value * factor)).collect();
        let bits = |series: &[(i64, f64)]| -> Vec<_> {
            let readings = readings(SeriesKind::Gauge, series);
            readings.iter().map(|r| (r.score.get().to_bits(), r.surprise.get().to_bits(), r.open_since)).collect()
        };
        prop_assert_eq!(bits(&series), bits(&scaled));
    }

    #[test]
    fn any_finite_values_give_scores_in_0_to_1_and_bands_in_order(
        values in vec(finite(), 1..300),
        count: bool,
    ) {
        let kind = if count { SeriesKind::Count } else { SeriesKind::Gauge };
        let (policy, mut baseline) = (BaselinePolicy::default(), Baseline::new(kind));
        for (number, value) in values.iter().enumerate() {
            let value = value.get().clamp(-1e300, 1e300);
            let value = if count { value.abs() } else { value };
            let reading = baseline.observe(&policy, value, minute(number as i64)).unwrap();
            prop_assert!((0.0..=1.0).contains(&reading.score.get()));
            prop_assert!(reading.score <= reading.surprise);
            if let Some(band) = reading.expected {
                prop_assert!(band.lower() <= band.upper());
            }
        }
    }

    #[test]
    fn the_level_is_normal_exactly_while_nothing_is_open(series in series(1..400)) {
        for reading in readings(SeriesKind::Gauge, &series) {
            prop_assert_eq!(reading.level == AnomalyLevel::Normal, reading.open_since.is_none());
        }
    }
}

/// A day of about 100 a minute.
fn quiet_day(kind: SeriesKind) -> Baseline {
    let (policy, mut baseline) = (BaselinePolicy::default(), Baseline::new(kind));
    for number in 0..1_440 {
        baseline.observe(&policy, 100.0 + (5.0 * noise(number)).round(), minute(number)).unwrap();
    }
    baseline
}

fn readings(kind: SeriesKind, series: &[(i64, f64)]) -> Vec<BaselineReading> {
    let (policy, mut baseline) = (BaselinePolicy::default(), Baseline::new(kind));
    let at = |second| DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap();
    series.iter().map(|&(second, value)| baseline.observe(&policy, value, at(second)).unwrap()).collect()
}

/// Values at times that come at a pace, with gaps and repeats, calm for long and wild at times.
fn series(len: core::ops::Range<usize>) -> impl Strategy<Value = Vec<(i64, f64)>> {
    let gap = prop_oneof![8 => Just(300i64), 1 => Just(0), 1 => 1i64..200_000];
    let value = prop_oneof![6 => 0.0..10.0_f64, 2 => Just(5.0), 1 => -1e6..1e6];
    vec((gap, value), len).prop_map(|steps| {
        let mut second = 0;
        let place = |(gap, value)| {
            second += gap;
            (second, value)
        };
        steps.into_iter().map(place).collect()
    })
}

/// Between -1 and 1, the same for the same number.
fn noise(number: i64) -> f64 {
    (hash(number) % 2_001) as f64 / 1_000.0 - 1.0
}

fn hash(number: i64) -> u64 {
    xxhash_rust::xxh3::xxh3_64(&number.to_le_bytes())
}

fn minute(number: i64) -> DateTime<Utc> {
    minutes(1, number)
}

fn minutes(each: i64, number: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_571_200, 0).unwrap() + TimeDelta::minutes(each * number)
}
