use super::*;
use crate::strategies;
use chrono::TimeDelta;
use proptest::prelude::*;

type Input = CreateEngagementEventInput;

#[test]
fn what_is_possible_comes_out_as_it_went_in() {
    let input = Input {
        time_on_page_ms: Some(30_000.0),
        time_to_first_interaction_ms: Some(30_000.0),
        time_to_first_scroll_ms: Some(0.0),
        max_scroll_depth: Some(100.0),
        scroll_velocity_avg: Some(100_000.0),
        scroll_direction_changes: Some(3.0),
        click_count: Some(360.0),
        mouse_move_distance_px: Some(1_234.9),
        mouse_path_entropy: Some(3.0),
        keyboard_events: Some(7.0),
        copy_events: Some(1.0),
        focus_time_ms: Some(31_000.0),
        blur_count: Some(2.0),
        tab_switches: Some(1.0),
        visible_time_ms: Some(21_000.0),
        hidden_time_ms: Some(10_000.0),
        is_rage_click: Some(true),
        is_dead_click: Some(true),
        ..page()
    };
    let expected = EngagementFigures {
        time_on_page_ms: Some(30_000),
        time_to_first_interaction_ms: Some(30_000),
        time_to_first_scroll_ms: Some(0),
        max_scroll_depth: Some(100),
        scroll_velocity_avg: Some(100_000.0),
        scroll_direction_changes: Some(3),
        click_count: Some(360),
        mouse_move_distance_px: Some(1_234),
        mouse_path_entropy: Some(3.0),
        keyboard_events: Some(7),
        copy_events: Some(1),
        focus_time_ms: Some(31_000),
        blur_count: Some(2),
        tab_switches: Some(1),
        visible_time_ms: Some(21_000),
        hidden_time_ms: Some(10_000),
        is_rage_click: Some(true),
        is_dead_click: Some(true),
    };
    let record = create(&input).into_record();
    assert_eq!((record.figures, record.implausible), (expected, ImplausibleSet::default()));
    assert_eq!(record.reading_pattern, Some(ReadingPattern::Skim));
}

#[test]
fn what_was_not_told_is_not_known() {
    let record = create(&page()).into_record();
    assert_eq!(record.figures, EngagementFigures::default());
    assert_eq!((record.reading_pattern, record.implausible), (None, ImplausibleSet::default()));
}

#[test]
fn time_on_page_ends_two_seconds_past_the_time_since_the_page_was_served() {
    let time = |ms| {
        let record = create(&Input { time_on_page_ms: Some(ms), ..page() }).into_record();
        (record.figures.time_on_page_ms, record.implausible.iter().next())
    };
    // The page was served a minute before.
    assert_eq!(time(62_000.0), (Some(62_000), None));
    assert_eq!(time(62_000.9), (Some(62_000), None));
    assert_eq!(time(62_001.0), (Some(62_000), Some(Implausible::TimeOnPage)));
    assert_eq!(time(f64::INFINITY), (Some(62_000), Some(Implausible::TimeOnPage)));
    assert_eq!(time(-1.0), (Some(0), Some(Implausible::Number)));
    assert_eq!(time(f64::NAN), (None, Some(Implausible::Number)));
}

#[test]
fn where_it_is_not_known_when_the_page_was_served_a_day_is_the_limit() {
    let input = Input { time_on_page_ms: Some(1e12), ..page() };
    let unknown = EngagementContext { page_served_at: None, ..context() };
    let event = EngagementEvent::create(&EngagementPolicy::default(), unknown, &input, now()).unwrap();
    assert_eq!(event.record().figures.time_on_page_ms, Some(86_400_000));
    let ahead = EngagementContext { page_served_at: Some(now() + TimeDelta::hours(1)), ..context() };
    let event = EngagementEvent::create(&EngagementPolicy::default(), ahead, &input, now()).unwrap();
    assert_eq!(event.record().figures.time_on_page_ms, Some(2_000), "served later is served now");
}

#[test]
fn each_impossible_claim_is_brought_to_the_nearest_possible_one_and_marked() {
    let base = || Input { time_on_page_ms: Some(10_000.0), ..page() };
    let check = |input: Input, marked: &[Implausible], figures: EngagementFigures| {
        let expected = EngagementFigures { time_on_page_ms: Some(10_000), ..figures };
        let record = create(&input).into_record();
        assert_eq!(record.figures, expected, "{input:?}");
        assert_eq!(record.implausible.iter().collect::<Vec<_>>(), marked, "{input:?}");
    };
    let none = EngagementFigures::default;
    check(
        Input { time_to_first_interaction_ms: Some(10_001.0), ..base() },
        &[Implausible::FirstInteraction],
        EngagementFigures { time_to_first_interaction_ms: Some(10_000), ..none() },
    );
    check(
        Input { time_to_first_scroll_ms: Some(10_001.0), ..base() },
        &[Implausible::FirstScroll],
        EngagementFigures { time_to_first_scroll_ms: Some(10_000), ..none() },
    );
    check(
        Input { max_scroll_depth: Some(100.5), ..base() },
        &[Implausible::ScrollDepth],
        EngagementFigures { max_scroll_depth: Some(100), ..none() },
    );
    check(
        Input { scroll_velocity_avg: Some(-0.1), ..base() },
        &[Implausible::ScrollVelocity],
        EngagementFigures { scroll_velocity_avg: Some(0.0), ..none() },
    );
    check(
        Input { mouse_path_entropy: Some(3.01), ..base() },
        &[Implausible::MouseEntropy],
        EngagementFigures { mouse_path_entropy: Some(3.0), ..none() },
    );
    check(
        Input { focus_time_ms: Some(11_001.0), ..base() },
        &[Implausible::FocusTime],
        EngagementFigures { focus_time_ms: Some(11_000), ..none() },
    );
    check(
        Input { visible_time_ms: Some(6_000.0), hidden_time_ms: Some(5_001.0), ..base() },
        &[Implausible::VisibleTime],
        EngagementFigures { visible_time_ms: Some(6_000), hidden_time_ms: Some(5_000), ..none() },
    );
    check(
        Input { click_count: Some(121.0), ..base() },
        &[Implausible::Clicks],
        EngagementFigures { click_count: Some(120), ..none() },
    );
    check(
        Input { click_count: Some(2.0), is_rage_click: Some(true), ..base() },
        &[Implausible::RageClick],
        EngagementFigures { click_count: Some(2), is_rage_click: Some(false), ..none() },
    );
    check(
        Input { click_count: Some(0.0), is_dead_click: Some(true), ..base() },
        &[Implausible::DeadClick],
        EngagementFigures { click_count: Some(0), is_dead_click: Some(false), ..none() },
    );
    check(
        Input { keyboard_events: Some(1.5), ..base() },
        &[Implausible::Number],
        EngagementFigures { keyboard_events: Some(1), ..none() },
    );
    check(
        Input { blur_count: Some(2_147_483_648.0), ..base() },
        &[Implausible::Number],
        EngagementFigures { blur_count: Some(2_147_483_647), ..none() },
    );
}

#[test]
fn clicks_that_are_sent_decide_instead_of_what_the_client_says_of_them() {
    let click = |at_ms: f64| serde_json::json!({"at_ms": at_ms, "x": 5, "y": 5});
    let of = |clicks: Vec<serde_json::Value>| {
        let json = serde_json::json!({
            "page_url": "/", "time_on_page_ms": 9_000, "is_rage_click": true, "is_dead_click": true,
            "clicks": clicks,
        });
        let figures = create(&serde_json::from_value(json).unwrap()).into_record().figures;
        (figures.click_count, figures.is_rage_click, figures.is_dead_click)
    };
    assert_eq!(of(alloc::vec![click(0.0), click(1_000.0)]), (Some(2), Some(false), Some(false)));
    assert_eq!(of(alloc::vec![click(0.0), click(1.0), click(2.0)]), (Some(3), Some(true), Some(false)));
    assert_eq!(of(alloc::vec![]), (None, Some(true), Some(true)));
}

#[test]
fn only_a_bound_and_possible_interaction_speaks_for_a_person() {
    let marks = |bound, click_count, depth| {
        let input = Input {
            time_on_page_ms: Some(9_000.0),
            click_count: Some(click_count),
            max_scroll_depth: Some(depth),
            ..page()
        };
        let context = EngagementContext { bound, ..context() };
        EngagementEvent::create(&EngagementPolicy::default(), context, &input, now()).unwrap().marks()
    };
    let engaged = TrackerMarks { engaged: true, ..TrackerMarks::default() };
    assert_eq!(marks(true, 1.0, 50.0), engaged);
    assert_eq!(marks(true, 0.0, 50.0), TrackerMarks::default());
    assert_eq!(marks(false, 1.0, 50.0), TrackerMarks::default());
    assert_eq!(marks(true, 1.0, 101.0), TrackerMarks { implausible: true, ..TrackerMarks::default() });
}

#[test]
fn an_event_without_page_and_one_with_an_id_of_another_time_are_refused() {
    let policy = EngagementPolicy::default();
    let refused = EngagementEvent::create(&policy, context(), &Input::default(), now());
    assert_eq!(refused, Err(InvalidEngagement::NoPage));
    let later = EngagementEvent::create(&policy, context(), &page(), now() + TimeDelta::milliseconds(1));
    assert_eq!(later, Err(InvalidEngagement::IdOfAnotherTime));
    let part = EngagementEvent::create(&policy, context(), &page(), now() + TimeDelta::nanoseconds(1));
    assert_eq!(part, Err(InvalidEngagement::NotWholeMicroseconds));
}

#[test]
fn a_kept_record_out_of_its_range_is_refused_by_the_name_of_the_figure() {
    let kept = |figures| {
        EngagementEvent::try_from(EngagementRecord { figures, ..create(&page()).into_record() }).err()
    };
    let none = EngagementFigures::default;
    assert_eq!(kept(none()), None);
    let cases = [
        (EngagementFigures { max_scroll_depth: Some(101), ..none() }, "max_scroll_depth"),
        (EngagementFigures { mouse_path_entropy: Some(f64::NAN), ..none() }, "mouse_path_entropy"),
        (EngagementFigures { scroll_velocity_avg: Some(f64::INFINITY), ..none() }, "scroll_velocity_avg"),
        (EngagementFigures { click_count: Some(1 << 31), ..none() }, "click_count"),
        (
            EngagementFigures { time_on_page_ms: Some(1), time_to_first_scroll_ms: Some(2), ..none() },
            "time_to_first_scroll_ms",
        ),
    ];
    for (figures, name) in cases {
        assert_eq!(kept(figures), Some(InvalidEngagement::OutOfRange(name)));
    }
}

#[test]
fn a_set_is_its_bits() {
    assert_eq!(ImplausibleSet::from_bits(1 << 12), None);
    let all = Implausible::ALL.into_iter().fold(ImplausibleSet::default(), ImplausibleSet::with);
    assert_eq!((all.bits(), ImplausibleSet::from_bits(0xfff)), (0xfff, Some(all)));
    assert_eq!(all.iter().collect::<Vec<_>>(), Implausible::ALL);
}

proptest! {
    /// Also of numbers that are none, and served at any time.
    #[test]
    fn whatever_is_claimed_what_is_kept_is_possible(
        input in strategies::engagement_input(), served in proptest::option::of(-100_000i64..100_000),
        policy in strategies::engagement_policy(),
    ) {
        let page_served_at = served.map(|ms| now() - TimeDelta::milliseconds(ms));
        let context = EngagementContext { page_served_at, ..context() };
        let event = EngagementEvent::create(&policy, context, &input, now()).unwrap();
        let (settings, figures) = (policy.settings(), event.record().figures);
        let most = served.map_or(i64::from(settings.time_max_ms), |ms| ms.max(0) + i64::from(settings.time_slack_ms));
        let whole = figures.time_on_page_ms.map_or(most, i64::from);
        prop_assert!(whole <= most);
        let seen = [figures.visible_time_ms, figures.hidden_time_ms].into_iter().flatten().map(i64::from);
        prop_assert!(seen.sum::<i64>() <= whole + i64::from(settings.visibility_slack_ms));
        let clicks = figures.click_count.map_or(0, i64::from);
        prop_assert!(clicks <= (whole * i64::from(settings.clicks_per_second) + 999) / 1_000);
        prop_assert!(figures.scroll_velocity_avg.is_none_or(|v| v <= settings.scroll_velocity_max));
        // What is in its range is refused by nobody.
        prop_assert!(EngagementEvent::try_from(event.clone().into_record()).is_ok());
        prop_assert!(!event.marks().engaged || event.is_credible());
    }

    /// What came out once, told again, comes out the same and unmarked: nothing is bent that is possible.
    #[test]
    fn what_is_kept_is_kept_again_as_it_is(input in strategies::engagement_input()) {
        let first = create(&input).into_record();
        let again = create(&told(&first)).into_record();
        prop_assert_eq!(again.figures, first.figures);
        prop_assert!(again.implausible.is_empty(), "{:?}", again.implausible);
    }

    /// It is marked exactly when a figure is another than was told.
    #[test]
    fn a_mark_stands_for_a_change(input in strategies::engagement_input()) {
        let input = Input { clicks: Vec::new(), ..input };
        let record = create(&input).into_record();
        let floor = |claims: [Option<f64>; 16]| claims.map(|claim| claim.map(libm::floor));
        let counts = |input: &Input| {
            [input.scroll_direction_changes, input.click_count, input.keyboard_events, input.copy_events,
                input.blur_count, input.tab_switches]
        };
        let kept = told(&record);
        let real = |input: &Input| [input.scroll_velocity_avg, input.mouse_path_entropy];
        let same = floor(claims(&kept)) == floor(claims(&input))
            && real(&kept) == real(&input)
            && counts(&kept) == counts(&input)
            && input.max_scroll_depth.is_none_or(|depth| depth <= 100.0)
            && (kept.is_rage_click, kept.is_dead_click) == (input.is_rage_click, input.is_dead_click);
        prop_assert_eq!(record.implausible.is_empty(), same);
    }

    #[test]
    fn an_event_survives_json(event in strategies::engagement_event()) {
        let json = serde_json::to_string(&event).unwrap();
        prop_assert_eq!(serde_json::from_str::<EngagementEvent>(&json).unwrap(), event);
    }
}

/// The claims that a record would have been made of.
fn told(record: &EngagementRecord) -> Input {
    let figures = record.figures;
    let number = |number: Option<u32>| number.map(f64::from);
    Input {
        page_url: record.page_url.as_str().into(),
        time_on_page_ms: number(figures.time_on_page_ms),
        time_to_first_interaction_ms: number(figures.time_to_first_interaction_ms),
        time_to_first_scroll_ms: number(figures.time_to_first_scroll_ms),
        max_scroll_depth: figures.max_scroll_depth.map(f64::from),
        scroll_velocity_avg: figures.scroll_velocity_avg,
        scroll_direction_changes: number(figures.scroll_direction_changes),
        click_count: number(figures.click_count),
        mouse_move_distance_px: number(figures.mouse_move_distance_px),
        mouse_path_entropy: figures.mouse_path_entropy,
        keyboard_events: number(figures.keyboard_events),
        copy_events: number(figures.copy_events),
        focus_time_ms: number(figures.focus_time_ms),
        blur_count: number(figures.blur_count),
        tab_switches: number(figures.tab_switches),
        visible_time_ms: number(figures.visible_time_ms),
        hidden_time_ms: number(figures.hidden_time_ms),
        is_rage_click: figures.is_rage_click,
        is_dead_click: figures.is_dead_click,
        clicks: Vec::new(),
    }
}

fn claims(input: &Input) -> [Option<f64>; 16] {
    [
        input.time_on_page_ms,
        input.time_to_first_interaction_ms,
        input.time_to_first_scroll_ms,
        input.max_scroll_depth,
        input.scroll_velocity_avg,
        input.scroll_direction_changes,
        input.click_count,
        input.mouse_move_distance_px,
        input.mouse_path_entropy,
        input.keyboard_events,
        input.copy_events,
        input.focus_time_ms,
        input.blur_count,
        input.tab_switches,
        input.visible_time_ms,
        input.hidden_time_ms,
    ]
}

/// The event of a page that was served a minute before.
fn create(input: &Input) -> EngagementEvent {
    EngagementEvent::create(&EngagementPolicy::default(), context(), input, now()).unwrap()
}

fn context() -> EngagementContext {
    EngagementContext {
        id: EventId::at(now(), 7).unwrap(),
        session: SessionId::from_u128(1),
        page_served_at: Some(now() - TimeDelta::minutes(1)),
        bound: true,
    }
}

fn page() -> Input {
    Input { page_url: "/a".into(), ..Input::default() }
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap()
}
