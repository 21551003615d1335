//! Clicks of anger, and clicks that nothing came of.

use serde::Deserialize;

use super::EngagementPolicy;

/// One click on a page.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Click {
    /// When, in milliseconds since the page was shown.
    pub at_ms: f64,
    /// Where, in pixels from the left edge of the page.
    pub x: f64,
    /// Where, in pixels from the top of the page.
    pub y: f64,
    /// Whether it selected text, as the third click on a paragraph does.
    #[serde(default)]
    pub selects_text: bool,
    /// Whether what was clicked promises to do something: a link, a button, a field.
    #[serde(default)]
    pub interactive: bool,
    /// What came of it.
    #[serde(default)]
    pub outcome: ClickOutcome,
}

/// What came of a click: the time to the first sign of it in milliseconds, each `None` while there was none.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct ClickOutcome {
    /// The page changed.
    pub mutation_ms: Option<f64>,
    /// Another page was asked for.
    pub navigation_ms: Option<f64>,
    /// The page scrolled.
    pub scroll_ms: Option<f64>,
    /// Something else got the focus.
    pub focus_ms: Option<f64>,
    /// How long the page was watched after the click; a click that was watched for less than the limit is not judged.
    pub watched_ms: f64,
}

/// Whether these clicks, in their order, hold a rage click: enough of them in a row, each soon after and close to the
/// one before.
///
/// A click that selects text ends the row and is part of none. A time or place that is not a number is near nothing.
pub fn has_rage_click(policy: &EngagementPolicy, clicks: &[Click]) -> bool {
    let settings = policy.settings();
    let near = |a: &Click, b: &Click| {
        let gap = b.at_ms - a.at_ms;
        let soon = gap >= 0.0 && gap < f64::from(settings.rage_gap_ms);
        soon && libm::hypot(b.x - a.x, b.y - a.y) < settings.rage_distance_px
    };
    let (mut row, mut last): (u32, Option<&Click>) = (0, None);
    for click in clicks {
        row = match last {
            _ if click.selects_text => 0,
            Some(last) if row > 0 && near(last, click) => row + 1,
            Some(_) | None => 1,
        };
        if row >= settings.rage_clicks {
            return true;
        }
        last = Some(click);
    }
    false
}

/// Whether one of these clicks is dead: on something interactive, and for the time of the policy nothing came of it.
pub fn has_dead_click(policy: &EngagementPolicy, clicks: &[Click]) -> bool {
    let limit = f64::from(policy.settings().dead_after_ms);
    clicks.iter().any(|click| {
        let ClickOutcome { mutation_ms, navigation_ms, scroll_ms, focus_ms, watched_ms } = click.outcome;
        let came = |sign: Option<f64>| sign.is_some_and(|after| after < limit);
        let nothing = ![mutation_ms, navigation_ms, scroll_ms, focus_ms].into_iter().any(came);
        click.interactive && watched_ms >= limit && nothing
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn three_clicks_each_under_a_second_and_30_pixels_are_a_rage_click() {
        assert!(rage(&[(0.0, 0.0), (999.0, 29.0), (1_998.0, 58.0)]));
        assert!(!rage(&[(0.0, 0.0), (999.0, 29.0)]));
        assert!(!rage(&[(0.0, 0.0), (999.0, 29.0), (1_999.0, 29.0)]), "exactly a second is too long");
        assert!(!rage(&[(0.0, 0.0), (10.0, 30.0), (20.0, 30.0)]), "exactly 30 pixels are too far");
        assert!(!rage(&[(0.0, 0.0), (f64::NAN, 0.0), (1.0, 0.0)]), "what is no number is near nothing");
        assert!(!rage(&[(20.0, 0.0), (10.0, 0.0), (0.0, 0.0)]), "time does not run back");
    }

    #[test]
    fn distance_is_along_a_straight_line() {
        let at = |x, y, at_ms| Click { x, y, ..click(at_ms) };
        let default = EngagementPolicy::default();
        assert!(has_rage_click(&default, &[at(0.0, 0.0, 0.0), at(20.0, 20.0, 1.0), at(40.0, 40.0, 2.0)]));
        assert!(!has_rage_click(&default, &[at(0.0, 0.0, 0.0), at(22.0, 22.0, 1.0), at(44.0, 44.0, 2.0)]));
    }

    #[test]
    fn selecting_text_is_no_rage_and_ends_a_row() {
        let default = EngagementPolicy::default();
        let mut clicks = [click(0.0), click(1.0), click(2.0), click(3.0), click(4.0)];
        clicks[2].selects_text = true;
        assert!(!has_rage_click(&default, &clicks));
        clicks[2].selects_text = false;
        assert!(has_rage_click(&default, &clicks));
        for click in &mut clicks {
            click.selects_text = true;
        }
        assert!(!has_rage_click(&default, &clicks));
    }

    #[test]
    fn a_click_is_dead_when_nothing_comes_of_it_for_two_and_a_half_seconds() {
        let dead = |interactive, outcome| {
            let click = Click { interactive, outcome, ..click(0.0) };
            has_dead_click(&EngagementPolicy::default(), &[click])
        };
        let nothing = ClickOutcome { watched_ms: 2_500.0, ..ClickOutcome::default() };
        assert!(dead(true, nothing));
        assert!(!dead(false, nothing));
        assert!(!dead(true, ClickOutcome { watched_ms: 2_499.0, ..nothing }), "nobody watched long enough");
        assert!(dead(true, ClickOutcome { mutation_ms: Some(2_500.0), ..nothing }), "it came too late");
        for outcome in [
            ClickOutcome { mutation_ms: Some(2_499.0), ..nothing },
            ClickOutcome { navigation_ms: Some(0.0), ..nothing },
            ClickOutcome { scroll_ms: Some(1.0), ..nothing },
            ClickOutcome { focus_ms: Some(1.0), ..nothing },
        ] {
            assert!(!dead(true, outcome), "{outcome:?}");
        }
    }

    proptest! {
        /// A row is found wherever it stands, and is as long as the slow definition says.
        #[test]
        fn a_rage_click_is_a_window_of_near_clicks(moves in proptest::collection::vec((0u32..1_500, 0u32..45, any::<bool>()), 0..12)) {
            let (mut at_ms, mut x) = (0.0, 0.0);
            let clicks: Vec<Click> = moves.iter().map(|&(gap, step, text)| {
                at_ms += f64::from(gap);
                x += f64::from(step);
                Click { x, selects_text: text && gap % 5 == 0, ..click(at_ms) }
            }).collect();
            let window = |clicks: &[Click]| {
                let near = |pair: &[Click]| {
                    pair[1].at_ms - pair[0].at_ms < 1_000.0 && pair[1].x - pair[0].x < 30.0
                };
                clicks.iter().all(|click| !click.selects_text) && clicks.windows(2).all(near)
            };
            let slow = clicks.windows(3).any(window);
            prop_assert_eq!(has_rage_click(&EngagementPolicy::default(), &clicks), slow);
        }
    }

    fn rage(clicks: &[(f64, f64)]) -> bool {
        let clicks: Vec<Click> = clicks.iter().map(|&(at_ms, x)| Click { x, ..click(at_ms) }).collect();
        has_rage_click(&EngagementPolicy::default(), &clicks)
    }

    fn click(at_ms: f64) -> Click {
        Click {
            at_ms,
            x: 0.0,
            y: 0.0,
            selects_text: false,
            interactive: false,
            outcome: ClickOutcome::default(),
        }
    }
}
