# Runs a server (its command is the arguments) and stops it when no test has been there for a minute.
# Tests share an advisory lock while they use the server. Whoever takes that lock alone knows that none is there; a test
# that comes while it is held waits for it, and is told by its end that the server is going.
"$@" >>"$SERVER_LOG" 2>&1 &
server=$!
trap 'kill -INT $server' TERM

ask() { psql -XAtq -U postgres -d postgres "$@" 2>/dev/null; }

idle=0
while kill -0 $server 2>/dev/null; do
    sleep 5
    if [ "$(ask -c "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = $TESTS_LOCK")" = 0 ]; then
        idle=$((idle + 5))
    else
        idle=0
    fi
    if [ $idle -ge 60 ]; then
        idle=0
        ask <<END
SELECT pg_try_advisory_lock($TESTS_LOCK) AS alone \gset
\if :alone
\! kill -INT $server
SELECT pg_sleep(60);
\endif
END
    fi
done
if [ -n "$SERVER_FOLDER" ]; then
    rm -rf "$SERVER_FOLDER"
fi
