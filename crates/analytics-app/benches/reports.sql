-- Rows of the numbers from :first to before :past, over :span_us microseconds from :from_us. The same numbers give the same
-- rows. Times go through the span by a step that has no factor in common with it, so that they are in no order of numbers.
CREATE OR REPLACE FUNCTION bench_at(number bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT timestamptz 'epoch' + (:from_us + (number * 7919999 % (:span_us / 1000)) * 1000) * interval '1 microsecond'
$$;
CREATE OR REPLACE FUNCTION bench_id(number bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM bench_at(number)) * 1000)::bigint), 12, '0')
        || '7' || substr(md5(number::text), 1, 3) || '8' || substr(md5(number::text), 5, 15))::uuid
$$
;
INSERT INTO user_sessions
SELECT md5('s' || n)::uuid, 1, bench_at(n * 13), md5('v' || n / 2)::uuid, md5('f' || n / 3)::uuid,
    CASE WHEN n % 5 = 0 THEN 'user ' || n % 5000 END, NULL, 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0',
    (ARRAY['desktop', 'mobile', 'tablet', 'bot'])[n % 4 + 1], (ARRAY['Firefox', 'Chrome', 'Safari', 'Edge'])[n % 4 + 1],
    '140.0', (ARRAY['Windows', 'Android', 'iOS', 'Linux'])[n % 4 + 1], NULL, 'en',
    (ARRAY['direct', 'organic_search', 'social', 'referral'])[n % 4 + 1], 'host' || n % 300 || '.example', NULL,
    NULL, NULL, NULL, NULL, NULL, '/page/' || n % 2000, NULL, (ARRAY['DK', 'DE', 'US', 'FR', 'IN'])[n % 5 + 1], NULL,
    NULL, bench_at(n * 13), bench_at(n * 13) + interval '7 minutes', 'inactive', 13, 4, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    (ARRAY['human', 'human', 'suspected', 'bot', 'declared_bot', 'ai_agent'])[n % 6 + 1], 2000, n % 6 = 3,
    CASE WHEN n % 6 > 3 THEN 'search_crawler' END, CASE WHEN n % 6 > 3 THEN 'bot ' || n % 40 END, '[]', 'categories-1',
    'normal', 'normal'
FROM generate_series((:first / 13)::bigint, (:past / 13)::bigint - 1) AS n
;
INSERT INTO requests
SELECT bench_id(n), md5('s' || n / 13)::uuid, md5('v' || n / 26)::uuid, md5('f' || n / 39)::uuid, bench_at(n), n % 13,
    'GET', 'HTTP/2', '/page/' || n % 20000, CASE WHEN n % 3 = 0 THEN 'page' ELSE 'image' END,
    (ARRAY[200, 200, 200, 304, 200, 404, 200, 500])[n % 8 + 1], 20000, NULL, NULL, n % 3 = 0, 'admitted', NULL, n % 20000, n % 200,
    NULL, NULL, NULL, false, '"missing"', NULL, NULL, NULL, bench_at(n)
FROM generate_series(:first::bigint, :past::bigint - 1) AS n
;
INSERT INTO ai_requests
SELECT bench_id(n * 500), bench_at(n * 500), md5('s' || n)::uuid, 'user ' || n % 5000, NULL, 'agent ' || n % 20,
    (ARRAY['one', 'two', 'three'])[n % 3 + 1], 'model ' || n % 9, 1000, 200, 0, 0, 1000000, 900, 'completed', bench_at(n * 500)
FROM generate_series((:first / 500)::bigint, (:past / 500)::bigint - 1) AS n
;
INSERT INTO tasks
SELECT bench_id(n * 500), bench_at(n * 500), md5('s' || n)::uuid, 'user ' || n % 5000, 'agent ' || n % 20, 'completed', 900,
    bench_at(n * 500)
FROM generate_series((:first / 500)::bigint, (:past / 500)::bigint - 1) AS n
;
INSERT INTO tool_executions
SELECT bench_id(n * 500), bench_at(n * 500), md5('s' || n)::uuid, 'user ' || n % 5000, NULL, 'agent ' || n % 20,
    'tool ' || n % 30, 'completed', 900, bench_at(n * 500)
FROM generate_series((:first / 500)::bigint, (:past / 500)::bigint - 1) AS n
;
INSERT INTO conversations
SELECT bench_id(n * 1000), bench_at(n * 1000), md5('s' || n)::uuid, 'user ' || n % 5000, 'agent ' || n % 20, NULL,
    bench_at(n * 1000)
FROM generate_series((:first / 1000)::bigint, (:past / 1000)::bigint - 1) AS n
;
INSERT INTO messages
SELECT bench_id(n * 250), bench_at(n * 250), md5('s' || n)::uuid, 'user ' || n % 5000, bench_id(n / 4 * 1000),
    'agent ' || n % 20, 'user', bench_at(n * 250)
FROM generate_series((:first / 250)::bigint, (:past / 250)::bigint - 1) AS n
;
ANALYZE
