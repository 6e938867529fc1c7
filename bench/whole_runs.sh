#!/usr/bin/env bash
# Times whole runs of `gw replay --policy easy` on the canonical recorded workloads, reading and jobs.csv included.
#
#   bench/whole_runs.sh [GW]      GW: the program (default build/release/gw); RUNS: repetitions (default 5)
#
# The workloads are looked for in $GIGAWERK_DATA/canonical (default ../shared/data/canonical); without them it says so.
set -euo pipefail
gw=${1:-build/release/gw}
data=${GIGAWERK_DATA:-../shared/data}/canonical
if [[ ! -d $data ]]; then
  echo "no recorded workloads in $data: set GIGAWERK_DATA to measure whole runs"
  exit 0
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
printf '%-10s %6s %9s %9s %12s %9s\n' workload procs 'wall s' 'cpu s' 'jobs/s' 'peak MiB'
for run in theta22:4360 lublin256:256 nasa:128 philly82k:2496 philly82k:432; do
  name=${run%:*}
  procs=${run#*:}
  for _ in $(seq "${RUNS:-5}"); do
    TIMEFORMAT='%R %U %S'
    { time "$gw" replay "$data/$name.swf" --procs "$procs" --policy easy --out "$out" --json >"$out/summary.json" 2>/dev/null; } 2>"$out/time"
    python3 - "$out" <<'PY'
import json, pathlib, sys
out = pathlib.Path(sys.argv[1])
wall, user, system = map(float, (out / "time").read_text().split()[-3:])
run = json.loads((out / "summary.json").read_text())
print(run["run"]["wall_s"], user + system, run["run"]["jobs_per_s"], run["run"]["peak_rss_bytes"] / 2**20)
PY
  done | sort -n | awk -v name="$name" -v procs="$procs" '
    { wall[NR] = $1; cpu[NR] = $2; rate[NR] = $3; peak[NR] = $4 }
    END { m = int((NR + 1) / 2); printf "%-10s %6s %9.3f %9.3f %12.0f %9.1f\n", name, procs, wall[m], cpu[m], rate[m], peak[m] }'
done
