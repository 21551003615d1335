#!/usr/bin/env bash
# How fast /v1/decide answers, beside limits that nginx and haproxy keep themselves, and what asking it costs nginx.
#
#   crates/analytics-app/benches/edge/run.sh [PROGRAM]
#
# PROGRAM is a release build of `analytics`; without it one is made. Needs wrk, nginx, haproxy and two processors: one for
# the server that is measured, with one worker, and one for wrk. Programs take turns; medians of the rounds are shown.
# ROUNDS (default 5), FLOODS (default 8) and SECONDS_EACH (default 5) say how long; FIRST_PORT (default 28180) which seven
# ports are used.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
rounds="${ROUNDS:-5}"
seconds="${SECONDS_EACH:-5}"
program="${1:-}"
for tool in wrk nginx haproxy taskset; do
    command -v "$tool" >/dev/null || { echo "edge: $tool is missing; apt-get install wrk nginx-light haproxy" >&2; exit 1; }
done
if [ -z "$program" ]; then
    (cd "$here/../../../.." && cargo build --release --locked -p analytics-app --bin analytics)
    program="${CARGO_TARGET_DIR:-$here/../../../../target}/release/analytics"
fi

work="$(mktemp -d)"
running=()
finish() {
    for pid in "${running[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

# Starts a program on the first processor.
start() {
    taskset -c 0 "$@" >"$work/out.$#.${#running[@]}" 2>&1 &
    running+=($!)
}

# Waits until a port answers.
await() {
    for _ in $(seq 100); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return; fi
        sleep 0.1
    done
    echo "edge: nothing listens on port $1" >&2
    cat "$work"/out.* >&2
    exit 1
}

first="${FIRST_PORT:-28180}"
decide=$first limit=$((first + 1)) stick=$((first + 2)) empty=$((first + 3))
asks_empty=$((first + 4)) asks=$((first + 5)) flood=$((first + 6))
for port in $(seq "$first" "$flood"); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
        echo "edge: port $port is taken; give another FIRST_PORT" >&2
        exit 1
    fi
done
# Workers of nginx run under another user.
chmod 755 "$work"
mkdir -p "$work/www"
: >"$work/www/index.html"
for name in nginx.conf haproxy.cfg; do
    sed -e "s/DECIDE/$decide/; s/LIMIT/$limit/; s/STICK/$stick/; s/ASKS_EMPTY/$asks_empty/; s/ASKS/$asks/; s/EMPTY/$empty/" \
        -e "s|WORK|$work|" "$here/$name" >"$work/$name"
done
# A second nginx answers what the first one asks, as the service does in its own process.
sed -e "s/EMPTY/$empty/; s|WORK|$work|" "$here/empty.conf" >"$work/empty.conf"

TOKIO_WORKER_THREADS=1 start "$program" serve --listen "127.0.0.1:$decide" --trusted-proxy 127.0.0.1 \
    --mode enforce --capacity 200000
decider="${running[-1]}"
start nginx -p "$work" -c "$work/empty.conf" -e "$work/empty.err"
answerer="${running[-1]}"
start nginx -p "$work" -c "$work/nginx.conf" -e "$work/nginx.err"
start haproxy -f "$work/haproxy.cfg" -db
for port in "$decide" "$limit" "$stick" "$empty" "$asks_empty" "$asks"; do await "$port"; done

# One round: requests a second, median and 99th percentile in milliseconds, answers that were no success.
measure() { # name, port, path
    taskset -c 1 wrk -t1 -c32 -d"${seconds}s" -s "$here/keys.lua" "http://127.0.0.1:$2$3" 2>&1 |
        awk -v name="$1" '/^edge/ { print name, $2, $3, $4, $5 }' >>"$work/results"
}

for round in $(seq 0 "$rounds"); do
    measure "decide" "$decide" /v1/decide
    measure "nginx-limit_req" "$limit" /
    measure "haproxy-stick-table" "$stick" /
    measure "auth_request-empty" "$asks_empty" /
    measure "auth_request-decide" "$asks" /
    # The first round warms up.
    if [ "$round" = 0 ]; then : >"$work/results"; fi
done
# The same questions, with whoever is asked on the other processor, beside wrk.
for pid in "$decider" "$answerer" $(pgrep -P "$answerer"); do taskset -acp 1 "$pid" >/dev/null; done
for _ in $(seq "$rounds"); do
    measure "apart-empty" "$asks_empty" /
    measure "apart-decide" "$asks" /
done

echo "requests a second, p50 and p99 in ms, share refused; medians of $rounds rounds of ${seconds}s"
sort -k1,1 -k2,2n "$work/results" | awk '
    function show() { middle = int((n + 1) / 2); printf "%-22s %9.0f %8.2f %8.2f %7.3f\n", name, rate[middle], p50[middle], p99[middle], bad[middle]; of[name] = rate[middle] }
    $1 != name { if (n) show(); name = $1; n = 0 }
    { n++; rate[n] = $2; p50[n] = $3; p99[n] = $4; bad[n] = $5 }
    END {
        show()
        printf "decide / limit_req: %.2f\n", of["decide"] / of["nginx-limit_req"]
        printf "decide / stick table: %.2f\n", of["decide"] / of["haproxy-stick-table"]
        printf "auth_request with decide / with an empty answer: %.2f\n", of["auth_request-decide"] / of["auth_request-empty"]
        printf "the same with whoever is asked on the other processor: %.2f\n", of["apart-decide"] / of["apart-empty"]
    }'

echo
echo "resident MiB under a flood of distinct addresses, with room for 50,000 visitors and 20,000 rows of each kind"
printf '[live]\nmemory_rows = 20000\n' >"$work/flood.toml"
TOKIO_WORKER_THREADS=1 start "$program" serve --listen "127.0.0.1:$flood" --trusted-proxy 127.0.0.1 \
    --mode enforce --capacity 50000 --policy "$work/flood.toml"
served="${running[-1]}"
await "$flood"
total=0
for _ in $(seq "${FLOODS:-8}"); do
    sent="$(FIRST="$total" taskset -c 1 wrk -t1 -c32 -d"${seconds}s" -s "$here/flood.lua" "http://127.0.0.1:$flood/v1/decide" |
        awk '/^edge/ { print $6 }')"
    total=$((total + sent))
    printf '%10d addresses: %s MiB\n' "$total" "$(awk '/^VmRSS/ { printf "%.0f", $2 / 1024 }' "/proc/$served/status")"
done
