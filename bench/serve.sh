#!/usr/bin/env bash
# Measures gw serve as a whole: see serve_bench.py.
#
#   bench/serve.sh build/release/gw [NAME...]
set -euo pipefail
command -v wrk >/dev/null || { echo "bench/serve.sh: wrk is not installed (apt-get install wrk): skipped" >&2; exit 0; }
exec python3 "$(dirname "$0")/serve_bench.py" "$@"
