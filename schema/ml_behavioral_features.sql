-- Features of sessions for training and scoring.
-- For reading: the migrations make this table, and a test compares the two.

CREATE TABLE ml_behavioral_features (
    session_id uuid NOT NULL,
    catalogue_version integer NOT NULL CHECK (catalogue_version >= 1),
    as_of timestamptz NOT NULL,
    session_duration_seconds double precision CHECK (session_duration_seconds >= 0 AND session_duration_seconds < 'infinity'),
    total_requests bigint CHECK (total_requests >= 0),
    unique_pages_visited bigint CHECK (unique_pages_visited >= 0),
    avg_time_between_requests_ms double precision CHECK (avg_time_between_requests_ms >= 0 AND avg_time_between_requests_ms < 'infinity'),
    request_time_variance double precision CHECK (request_time_variance >= 0 AND request_time_variance < 'infinity'),
    referrer_present boolean,
    has_javascript boolean,
    accepts_cookies boolean,
    viewport_width integer CHECK (viewport_width >= 0),
    viewport_height integer CHECK (viewport_height >= 0),
    avg_scroll_depth double precision CHECK (avg_scroll_depth BETWEEN 0 AND 100),
    max_scroll_depth double precision CHECK (max_scroll_depth BETWEEN 0 AND 100),
    avg_time_on_page_ms double precision CHECK (avg_time_on_page_ms >= 0 AND avg_time_on_page_ms < 'infinity'),
    total_clicks bigint CHECK (total_clicks >= 0),
    avg_mouse_speed double precision CHECK (avg_mouse_speed >= 0 AND avg_mouse_speed < 'infinity'),
    mouse_movement_entropy double precision CHECK (mouse_movement_entropy BETWEEN 0 AND 3),
    time_pattern_regularity double precision CHECK (time_pattern_regularity BETWEEN 0 AND 1),
    request_burst_count integer CHECK (request_burst_count >= 0),
    headless_indicators integer CHECK (headless_indicators >= 0),
    automation_indicators integer CHECK (automation_indicators >= 0),
    fingerprint_anomaly_score double precision CHECK (fingerprint_anomaly_score > '-infinity' AND fingerprint_anomaly_score < 'infinity'),
    feature_vector double precision[] NOT NULL CHECK (cardinality(feature_vector) <= 512),
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (session_id, catalogue_version)
);
COMMENT ON TABLE ml_behavioral_features IS
    'Features of sessions, a row for each version of the catalogue: the one that looked furthest. Null is not known, in the vector too.';
-- delete_recorded_before
CREATE INDEX ml_behavioral_features_by_recording ON ml_behavioral_features (recorded_at, session_id, catalogue_version);
-- list_labelled
CREATE INDEX ml_behavioral_features_by_catalogue ON ml_behavioral_features (catalogue_version, session_id);
