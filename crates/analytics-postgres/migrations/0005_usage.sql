-- The use of AI providers, agents and tools. Ids are UUIDv7 of the row's time. These rows are far fewer than requests, so
-- they have no partitions.

CREATE TABLE ai_requests (
    ai_request_id uuid NOT NULL PRIMARY KEY,
    at timestamptz NOT NULL,
    session_id uuid,
    user_id text COLLATE "C",
    task_id uuid,
    agent text COLLATE "C",
    provider text COLLATE "C" NOT NULL,
    model text COLLATE "C" NOT NULL,
    input_tokens bigint NOT NULL CHECK (input_tokens >= 0),
    output_tokens bigint NOT NULL CHECK (output_tokens >= 0),
    cached_tokens bigint NOT NULL CHECK (cached_tokens BETWEEN 0 AND input_tokens),
    reasoning_tokens bigint NOT NULL CHECK (reasoning_tokens BETWEEN 0 AND output_tokens),
    cost_nano_dollars bigint CHECK (cost_nano_dollars >= 0),
    latency_ms bigint CHECK (latency_ms BETWEEN 0 AND 4294967295),
    status text COLLATE "C" NOT NULL,
    recorded_at timestamptz NOT NULL
);
COMMENT ON TABLE ai_requests IS 'Requests to AI providers. A cost that is null is not known, which is not zero.';
-- list, and every report with a period
CREATE INDEX ai_requests_by_time ON ai_requests (at, ai_request_id);
-- delete_recorded_before
CREATE INDEX ai_requests_by_recording ON ai_requests (recorded_at, ai_request_id);

CREATE TABLE tasks (
    task_id uuid NOT NULL PRIMARY KEY,
    at timestamptz NOT NULL,
    session_id uuid,
    user_id text COLLATE "C",
    agent text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    duration_ms bigint CHECK (duration_ms BETWEEN 0 AND 4294967295),
    recorded_at timestamptz NOT NULL
);
COMMENT ON TABLE tasks IS 'Tasks of agents.';
-- list, and every report with a period
CREATE INDEX tasks_by_time ON tasks (at, task_id);
-- delete_recorded_before
CREATE INDEX tasks_by_recording ON tasks (recorded_at, task_id);

CREATE TABLE tool_executions (
    tool_execution_id uuid NOT NULL PRIMARY KEY,
    at timestamptz NOT NULL,
    session_id uuid,
    user_id text COLLATE "C",
    task_id uuid,
    agent text COLLATE "C",
    tool text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    duration_ms bigint CHECK (duration_ms BETWEEN 0 AND 4294967295),
    recorded_at timestamptz NOT NULL
);
COMMENT ON TABLE tool_executions IS 'Runs of tools.';
-- list, and every report with a period
CREATE INDEX tool_executions_by_time ON tool_executions (at, tool_execution_id);
-- delete_recorded_before
CREATE INDEX tool_executions_by_recording ON tool_executions (recorded_at, tool_execution_id);

CREATE TABLE conversations (
    conversation_id uuid NOT NULL PRIMARY KEY,
    at timestamptz NOT NULL,
    session_id uuid,
    user_id text COLLATE "C",
    agent text COLLATE "C",
    title text COLLATE "C",
    recorded_at timestamptz NOT NULL
);
COMMENT ON TABLE conversations IS 'Conversations, by their beginning.';
-- list, and every report with a period
CREATE INDEX conversations_by_time ON conversations (at, conversation_id);
-- delete_recorded_before
CREATE INDEX conversations_by_recording ON conversations (recorded_at, conversation_id);

CREATE TABLE messages (
    message_id uuid NOT NULL PRIMARY KEY,
    at timestamptz NOT NULL,
    session_id uuid,
    user_id text COLLATE "C",
    conversation_id uuid NOT NULL,
    agent text COLLATE "C",
    role text COLLATE "C" NOT NULL,
    recorded_at timestamptz NOT NULL
);
COMMENT ON TABLE messages IS 'Messages of conversations.';
-- list, and every report with a period
CREATE INDEX messages_by_time ON messages (at, message_id);
-- delete_recorded_before
CREATE INDEX messages_by_recording ON messages (recorded_at, message_id);
