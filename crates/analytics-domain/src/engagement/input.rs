//! What a beacon claims.

use alloc::string::String;
use alloc::vec::Vec;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::Click;
use crate::ids::{EventId, SessionId};

/// What a beacon claims, as it was sent: nothing in it is believed yet.
///
/// Numbers may be anything that JSON can say; what is missing is `None`. Times are in milliseconds. What each figure
/// means is told at the field of the same name in [`EngagementFigures`](super::EngagementFigures).
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "each field is the one of the same name in `EngagementFigures`")]
pub struct CreateEngagementEventInput {
    /// The page; cut to 1024 bytes.
    pub page_url: String,
    pub time_on_page_ms: Option<f64>,
    pub time_to_first_interaction_ms: Option<f64>,
    pub time_to_first_scroll_ms: Option<f64>,
    pub max_scroll_depth: Option<f64>,
    pub scroll_velocity_avg: Option<f64>,
    pub scroll_direction_changes: Option<f64>,
    pub click_count: Option<f64>,
    pub mouse_move_distance_px: Option<f64>,
    pub mouse_path_entropy: Option<f64>,
    pub keyboard_events: Option<f64>,
    pub copy_events: Option<f64>,
    pub focus_time_ms: Option<f64>,
    pub blur_count: Option<f64>,
    pub tab_switches: Option<f64>,
    pub visible_time_ms: Option<f64>,
    pub hidden_time_ms: Option<f64>,
    pub is_rage_click: Option<bool>,
    pub is_dead_click: Option<bool>,
    /// The clicks themselves, in their order, where the tracker sends them; then they decide about rage and dead
    /// clicks, and the two answers above do not.
    pub clicks: Vec<Click>,
}

/// What the server knows of a beacon beside what it claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngagementContext {
    /// The id of the event to be; its time is that of the beacon: when it was sent where the beacon's id tells, else when
    /// it came.
    pub id: EventId,
    /// The session that the beacon belongs to.
    pub session: SessionId,
    /// When the page was served, where that is known.
    pub page_served_at: Option<DateTime<Utc>>,
    /// Whether the beacon carried a valid token of this session and page.
    pub bound: bool,
}
