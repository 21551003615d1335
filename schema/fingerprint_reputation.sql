-- What is remembered of each fingerprint: its score from 0 to 100, flags, incidents and ban.
-- For reading: the migrations make this table, and a test compares the two.

CREATE TABLE fingerprint_reputation (
    fingerprint_hash uuid NOT NULL PRIMARY KEY,
    version bigint NOT NULL CHECK (version >= 1),
    state json NOT NULL,
    score double precision NOT NULL CHECK (score BETWEEN 0 AND 100),
    flags text[] COLLATE "C" NOT NULL,
    high_risk boolean NOT NULL,
    recent_incidents smallint NOT NULL CHECK (recent_incidents BETWEEN 0 AND 255),
    incidents smallint NOT NULL CHECK (incidents BETWEEN 0 AND 255),
    requests_last_hour bigint NOT NULL CHECK (requests_last_hour BETWEEN 0 AND 4294967295),
    sessions_last_day bigint NOT NULL CHECK (sessions_last_day BETWEEN 0 AND 4294967295),
    first_seen timestamptz NOT NULL,
    last_seen timestamptz NOT NULL,
    banned_until timestamptz,
    would_ban boolean NOT NULL
);
COMMENT ON TABLE fingerprint_reputation IS
    'What is remembered of each fingerprint. The state is what goes on; the other columns are what it was when it was kept.';
-- list_high_risk
CREATE INDEX fingerprint_reputation_high_risk ON fingerprint_reputation (fingerprint_hash) WHERE high_risk;
-- delete_seen_before
CREATE INDEX fingerprint_reputation_by_last_seen ON fingerprint_reputation (last_seen, fingerprint_hash);
