//! What a person does with mouse and keyboard, as the browser is told to do it.

use std::time::Duration;

use fantoccini::actions::{
    InputSource, KeyAction, KeyActions, MOUSE_BUTTON_LEFT, MouseActions, PointerAction, WheelAction,
    WheelActions,
};

use super::browser::Browser;

impl Browser {
    /// Moves the mouse through these points of the window, a tenth of a second for each way.
    pub(crate) async fn move_mouse(&self, points: &[(i64, i64)]) {
        let moves = points.iter().fold(mouse(), |mouse, &point| mouse.then(move_to(point, 100)));
        self.perform_actions(moves).await.expect("the mouse moves");
    }

    /// Clicks this often at a point of the window, with this pause after each click.
    pub(crate) async fn click_at(&self, point: (i64, i64), times: usize, pause_ms: u64) {
        let once = [
            PointerAction::Down { button: MOUSE_BUTTON_LEFT },
            PointerAction::Up { button: MOUSE_BUTTON_LEFT },
            PointerAction::Pause { duration: Duration::from_millis(pause_ms) },
        ];
        let clicks = std::iter::repeat_n(once, times).flatten();
        let clicks = clicks.fold(mouse().then(move_to(point, 0)), InputSource::then);
        self.perform_actions(clicks).await.expect("the mouse clicks");
    }

    /// Turns the wheel by this many pixels, down where positive.
    pub(crate) async fn turn_wheel(&self, by: i64) {
        let mut wheel = WheelActions::new("wheel".to_owned());
        wheel.push(WheelAction::Scroll {
            duration: Some(Duration::from_millis(100)),
            x: 640,
            y: 300,
            delta_x: 0,
            delta_y: by,
        });
        self.perform_actions(wheel).await.expect("the wheel turns");
    }

    /// Presses keys one after the other; those in `held` are down meanwhile.
    pub(crate) async fn press(&self, held: &[char], keys: &str) {
        let mut actions = KeyActions::new("keys".to_owned());
        for &value in held {
            actions = actions.then(KeyAction::Down { value });
        }
        for value in keys.chars() {
            actions = actions.then(KeyAction::Down { value }).then(KeyAction::Up { value });
        }
        for &value in held {
            actions = actions.then(KeyAction::Up { value });
        }
        self.perform_actions(actions).await.expect("the keys are pressed");
    }
}

/// The key Ctrl.
pub(crate) const CONTROL: char = '\u{e009}';

fn mouse() -> MouseActions {
    MouseActions::new("mouse".to_owned())
}

fn move_to((x, y): (i64, i64), ms: u64) -> PointerAction {
    PointerAction::MoveTo { duration: Some(Duration::from_millis(ms)), x: x as f64, y: y as f64 }
}
