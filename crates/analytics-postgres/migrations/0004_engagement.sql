CREATE TABLE engagement_events (
    engagement_event_id uuid NOT NULL PRIMARY KEY,
    session_id uuid NOT NULL,
    at timestamptz NOT NULL,
    page_url text COLLATE "C" NOT NULL,
    bound boolean NOT NULL,
    time_on_page_ms integer CHECK (time_on_page_ms >= 0),
    time_to_first_interaction_ms integer CHECK (time_to_first_interaction_ms >= 0),
    time_to_first_scroll_ms integer CHECK (time_to_first_scroll_ms >= 0),
    max_scroll_depth smallint CHECK (max_scroll_depth BETWEEN 0 AND 100),
    scroll_velocity_avg double precision CHECK (scroll_velocity_avg >= 0 AND scroll_velocity_avg < 'infinity'),
    scroll_direction_changes integer CHECK (scroll_direction_changes >= 0),
    click_count integer CHECK (click_count >= 0),
    mouse_move_distance_px integer CHECK (mouse_move_distance_px >= 0),
    mouse_path_entropy double precision CHECK (mouse_path_entropy BETWEEN 0 AND 3),
    keyboard_events integer CHECK (keyboard_events >= 0),
    copy_events integer CHECK (copy_events >= 0),
    focus_time_ms integer CHECK (focus_time_ms >= 0),
    blur_count integer CHECK (blur_count >= 0),
    tab_switches integer CHECK (tab_switches >= 0),
    visible_time_ms integer CHECK (visible_time_ms >= 0),
    hidden_time_ms integer CHECK (hidden_time_ms >= 0),
    is_rage_click boolean,
    is_dead_click boolean,
    reading_pattern text COLLATE "C",
    implausible integer NOT NULL CHECK (implausible BETWEEN 0 AND 4095),
    recorded_at timestamptz NOT NULL
) PARTITION BY RANGE (engagement_event_id);
COMMENT ON TABLE engagement_events IS
    'What visitors did on pages, a partition for each month. The bits of implausible say which claims cannot be.';
-- list_by_session, summary
CREATE INDEX engagement_events_by_session ON engagement_events (session_id, at, engagement_event_id);
-- delete_recorded_before, and whether a partition may be dropped
CREATE INDEX engagement_events_by_recording ON engagement_events (recorded_at, engagement_event_id);
