-- Rules for every table:
-- * Ids are 128 bits, kept as uuid; they order by their bytes, as the ids themselves do.
-- * Text compares by its bytes (COLLATE "C"), so that every database gives the same order.
-- * Names of closed lists (levels, reasons, classes) are text without a check: the program knows the list and refuses
--   what is not on it, and a list may grow without a migration. Ranges are checked here, since they never grow.
-- * JSON is kept as json and not jsonb, which would turn 1e16 into a whole number.
-- * No column has a default that reads a clock or draws chance: the caller brings both.

CREATE TABLE user_sessions (
    session_id uuid NOT NULL PRIMARY KEY,
    version bigint NOT NULL CHECK (version >= 1),
    recorded_at timestamptz NOT NULL,
    visitor_id uuid NOT NULL,
    fingerprint_hash uuid NOT NULL,
    user_id text COLLATE "C",
    network cidr,
    user_agent text COLLATE "C",
    device_type text COLLATE "C" NOT NULL,
    browser text COLLATE "C",
    browser_version text COLLATE "C",
    os text COLLATE "C",
    os_version text COLLATE "C",
    locale text COLLATE "C",
    channel text COLLATE "C" NOT NULL,
    referrer_host text COLLATE "C",
    referrer_url text COLLATE "C",
    utm_source text COLLATE "C",
    utm_medium text COLLATE "C",
    utm_campaign text COLLATE "C",
    utm_content text COLLATE "C",
    utm_term text COLLATE "C",
    landing_page text COLLATE "C",
    entry_url text COLLATE "C",
    country text COLLATE "C",
    region text COLLATE "C",
    city text COLLATE "C",
    started_at timestamptz NOT NULL,
    last_activity_at timestamptz NOT NULL,
    end_reason text COLLATE "C",
    requests bigint NOT NULL CHECK (requests >= 0),
    page_views bigint NOT NULL CHECK (page_views >= 0),
    assets bigint NOT NULL CHECK (assets >= 0),
    client_errors bigint NOT NULL CHECK (client_errors >= 0),
    server_errors bigint NOT NULL CHECK (server_errors >= 0),
    refused bigint NOT NULL CHECK (refused >= 0),
    engagement_events bigint NOT NULL CHECK (engagement_events >= 0),
    ai_requests bigint NOT NULL CHECK (ai_requests >= 0),
    unpriced_ai_requests bigint NOT NULL CHECK (unpriced_ai_requests >= 0),
    tasks bigint NOT NULL CHECK (tasks >= 0),
    messages bigint NOT NULL CHECK (messages >= 0),
    tokens bigint NOT NULL CHECK (tokens >= 0),
    cost_nano_dollars bigint NOT NULL,
    class text COLLATE "C",
    score_hundredths smallint CHECK (score_hundredths BETWEEN 0 AND 10000),
    hostile boolean,
    declared_kind text COLLATE "C",
    declared_name text COLLATE "C",
    signals json,
    ruleset_version text COLLATE "C",
    throttle_level text COLLATE "C" NOT NULL,
    max_throttle_level text COLLATE "C" NOT NULL,
    CHECK (last_activity_at >= started_at),
    CHECK (num_nulls(class, score_hundredths, hostile, signals, ruleset_version) IN (0, 5))
);
COMMENT ON TABLE user_sessions IS
    'Sessions. The verdict is class, score_hundredths, hostile, signals and ruleset_version, all set or none.';
-- list_open_idle, end_expired
CREATE INDEX user_sessions_open ON user_sessions (last_activity_at, session_id) WHERE end_reason IS NULL;
-- find_recent_by_fingerprint
CREATE INDEX user_sessions_open_by_fingerprint ON user_sessions (fingerprint_hash, last_activity_at, session_id)
    WHERE end_reason IS NULL;
-- delete_recorded_before
CREATE INDEX user_sessions_ended ON user_sessions (recorded_at, session_id) WHERE end_reason IS NOT NULL;
-- list, and every report with a period
CREATE INDEX user_sessions_by_start ON user_sessions (started_at, session_id);
-- list of one visitor and of one fingerprint
CREATE INDEX user_sessions_by_visitor ON user_sessions (visitor_id, started_at, session_id);
CREATE INDEX user_sessions_by_fingerprint ON user_sessions (fingerprint_hash, started_at, session_id);

CREATE TABLE analytics_events (
    event_id uuid NOT NULL PRIMARY KEY,
    session_id uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL,
    properties json NOT NULL,
    recorded_at timestamptz NOT NULL
) PARTITION BY RANGE (event_id);
COMMENT ON TABLE analytics_events IS
    'Events, a partition for each month. An id is a UUIDv7 whose time is the event''s, so the id alone says the month.';
-- list_by_session
CREATE INDEX analytics_events_by_session ON analytics_events (session_id, at, event_id);
-- delete_recorded_before, and whether a partition may be dropped
CREATE INDEX analytics_events_by_recording ON analytics_events (recorded_at, event_id);

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

CREATE TABLE bans (
    ban_id uuid NOT NULL PRIMARY KEY,
    fingerprint_hash uuid,
    network cidr,
    reason text COLLATE "C" NOT NULL,
    banned_from timestamptz NOT NULL,
    banned_until timestamptz NOT NULL,
    would_ban boolean NOT NULL,
    CHECK (num_nonnulls(fingerprint_hash, network) = 1)
);
COMMENT ON TABLE bans IS 'Bans of a fingerprint or a network, until they end or are cleared.';
-- running, clear
CREATE INDEX bans_of_fingerprint ON bans (fingerprint_hash, banned_until, ban_id) WHERE fingerprint_hash IS NOT NULL;
CREATE INDEX bans_of_network ON bans (network, banned_until, ban_id) WHERE network IS NOT NULL;
-- list_running, delete_ended
CREATE INDEX bans_by_end ON bans (banned_until, ban_id);

-- Makes a partition, unless it is there. It is made beside its parent and then attached, so that writers need not wait;
-- of several callers at once one makes it, and the lock lets the others see it.
CREATE FUNCTION analytics_make_partition(parent text, child text, first uuid, past uuid) RETURNS boolean
    LANGUAGE plpgsql AS $$
BEGIN
    IF to_regclass(quote_ident(child)) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('LOCK TABLE ONLY %I IN SHARE UPDATE EXCLUSIVE MODE', parent);
    IF to_regclass(quote_ident(child)) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', child, parent);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, child, first, past);
    RETURN true;
END
$$;

-- Drops a partition if every row in it was recorded before this time. Writers wait while it is looked at, so that no
-- row slips in between.
CREATE FUNCTION analytics_drop_partition(parent text, child text, recorded_before timestamptz) RETURNS boolean
    LANGUAGE plpgsql AS $$
DECLARE
    younger boolean;
BEGIN
    SET LOCAL lock_timeout = '2s';
    EXECUTE format('LOCK TABLE ONLY %I IN ACCESS EXCLUSIVE MODE', parent);
    EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE recorded_at >= $1)', child) INTO younger USING recorded_before;
    IF younger THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE %I', child);
    RETURN true;
END
$$;
