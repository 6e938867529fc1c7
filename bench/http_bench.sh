#!/usr/bin/env bash
# What one thread of the HTTP server does: requests a second and latencies, measured with wrk (apt-get install wrk)
# on the same machine; memory of idle event streams; the first request of a client.
#
#   bench/http_bench.sh [GW]      # GW is the gw of a build; the program measured stands beside it
set -euo pipefail
build=$(dirname "${1:-build/release/gw}")
program=$build/bench/gw_http_bench
seconds=${SECONDS_EACH:-5}

[[ -x $program ]] || { echo "http_bench: no $program: build the target gw_http_bench" >&2; exit 1; }
"$program" first
"$program" streams
if ! command -v wrk >/dev/null; then
  echo "http_bench: wrk is not installed: no rates of requests"
  exit 0
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# serve NAME [CERTIFICATE KEY]: starts it and sets `port`.
serve() {
  mkfifo "$folder/$1.in"
  "$program" serve "${@:2}" <"$folder/$1.in" >"$folder/$1.out" &
  # shellcheck disable=SC2034 # Held open until this script ends, and the server with it.
  exec {hold}>"$folder/$1.in"
  until [[ -s $folder/$1.out ]]; do sleep 0.05; done
  port=$(<"$folder/$1.out")
}

# measure TEXT CONNECTIONS URL
measure() {
  wrk -t1 -c"$2" -d"${seconds}s" --latency "$3" |
    awk -v what="$1, $2 connections" '/ 50%| 99%/ {at[$1] = $2} /Requests\/sec/ {rate = $2}
      /Non-2xx|Socket errors/ {bad = "; " $0}
      END {printf "%-46s %8d requests/s, 50%% in %s, 99%% in %s%s\n", what, rate, at["50%"], at["99%"], bad}'
}

serve plain
measure "answered at once" 16 "http://127.0.0.1:$port/"
measure "answered at once" 256 "http://127.0.0.1:$port/"
measure "answered in batches each millisecond" 16 "http://127.0.0.1:$port/batch"
measure "answered in batches each millisecond" 256 "http://127.0.0.1:$port/batch"
if command -v openssl >/dev/null; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost \
    -keyout "$folder/key.pem" -out "$folder/cert.pem" 2>/dev/null
  serve tls "$folder/cert.pem" "$folder/key.pem"
  measure "TLS, answered at once" 16 "https://127.0.0.1:$port/"
fi
