CREATE TABLE requests (
    request_id uuid NOT NULL PRIMARY KEY,
    session_id uuid NOT NULL,
    visitor_id uuid NOT NULL,
    fingerprint_hash uuid NOT NULL,
    at timestamptz NOT NULL,
    arrival bigint NOT NULL CHECK (arrival BETWEEN 0 AND 4294967295),
    method text COLLATE "C" NOT NULL,
    http_version text COLLATE "C",
    path text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    status integer CHECK (status BETWEEN 0 AND 65535),
    bytes bigint CHECK (bytes >= 0),
    duration_us bigint CHECK (duration_us >= 0),
    referrer_host text COLLATE "C",
    charged boolean NOT NULL,
    decision text COLLATE "C" NOT NULL,
    refusal_reason text COLLATE "C",
    -- Hashes have 64 bits and stand here as the signed numbers with the same bits.
    page_hash bigint NOT NULL,
    directory_hash bigint NOT NULL,
    path_number bigint CHECK (path_number >= 0),
    probe_kind text COLLATE "C",
    probe_strength text COLLATE "C",
    trap boolean NOT NULL,
    referrer json NOT NULL,
    campaign_hash bigint,
    headers_impossible boolean,
    hints_missing boolean,
    recorded_at timestamptz NOT NULL,
    CHECK (num_nulls(probe_kind, probe_strength) IN (0, 2)),
    CHECK (num_nulls(headers_impossible, hints_missing) IN (0, 2))
) PARTITION BY RANGE (request_id);
COMMENT ON TABLE requests IS
    'Rows of requests, a partition for each month. An id is a UUIDv7 whose time is the request''s, so the id alone says the month.';
-- list_by_session
CREATE INDEX requests_by_session ON requests (session_id, at, request_id);
-- delete_recorded_before, and whether a partition may be dropped
CREATE INDEX requests_by_recording ON requests (recorded_at, request_id);
