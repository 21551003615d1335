-- Limits of metrics, with the five that the product has by itself.
-- For reading: the migrations make this table, and a test compares the two.

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
