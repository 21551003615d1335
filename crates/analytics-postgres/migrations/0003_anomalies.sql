CREATE TABLE anomaly_thresholds (
    metric_name text COLLATE "C" NOT NULL PRIMARY KEY,
    default_warning double precision CHECK (default_warning >= 0 AND default_warning <= default_critical),
    default_critical double precision CHECK (default_critical < 'infinity'),
    warning double precision CHECK (warning >= 0 AND warning <= critical),
    critical double precision CHECK (critical < 'infinity'),
    CHECK (num_nulls(default_warning, default_critical) IN (0, 2)),
    CHECK (num_nulls(warning, critical) IN (0, 2)),
    CHECK (num_nulls(default_warning, warning) < 2)
);
COMMENT ON TABLE anomaly_thresholds IS
    'Limits of metrics: those of the product, where it knows the metric, and those that somebody set, which stand in their place.';
INSERT INTO anomaly_thresholds (metric_name, default_warning, default_critical) VALUES
    ('requests_per_minute', 15, 30),
    ('session_count_per_fingerprint', 5, 10),
    ('avg_response_time_deviation', 2, 5),
    ('error_rate', 0.10, 0.25),
    ('unique_ips_per_fingerprint', 3, 10);

CREATE TABLE anomaly_events (
    anomaly_event_id uuid NOT NULL PRIMARY KEY,
    metric_name text COLLATE "C" NOT NULL,
    rule text COLLATE "C" NOT NULL,
    level text COLLATE "C" NOT NULL,
    since timestamptz NOT NULL,
    opened_at timestamptz NOT NULL,
    value double precision NOT NULL,
    expected_lower double precision,
    expected_upper double precision,
    score double precision CHECK (score BETWEEN 0 AND 1),
    closed_at timestamptz,
    acknowledged_at timestamptz,
    CHECK (num_nulls(expected_lower, expected_upper) IN (0, 2)),
    CHECK (expected_lower <= expected_upper)
);
COMMENT ON TABLE anomaly_events IS 'Anomalies that were opened, closed, and acknowledged by a person.';
-- list, delete_opened_before
CREATE INDEX anomaly_events_by_opening ON anomaly_events (opened_at, anomaly_event_id);
